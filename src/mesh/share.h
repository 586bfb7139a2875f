/* share.h: what of a byte rate each neighbour gets that wants of it.
 *
 * Who asks for no more than its share (the rate divided by those that asked within the last second)
 * gets it; what others leave may be used by whoever asks. Pure. Test: tests/unit/mesh_share_test.c.
 */
#ifndef KITH_MESH_SHARE_H
#define KITH_MESH_SHARE_H

#include "base/base.h"

#define KITH_SHARE_AHEAD (200 * KITH_MSEC) /* so much of the rate at once */

struct kith_share { /* all-zero with `rate` set is valid */
    uint64_t rate;  /* bytes a second; 0: without a limit */
    kith_time paid; /* what all took together is within the rate until then */
    uint32_t second;
    uint32_t asking, before; /* neighbours that asked in this second, and in the one before */
};

struct kith_share_of { /* of a neighbour; all-zero is valid */
    kith_time paid;
    uint32_t second; /* it asked last; 0: it never did */
};

/* Whether `n` bytes (65,535 at most) more of this neighbour's are within the rate; then they are
 * taken. */
bool kith_share_takes(struct kith_share *s, struct kith_share_of *of, size_t n, kith_time now);

#endif
