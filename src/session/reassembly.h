/* reassembly.h: puts fragments of IP packets together, for the few packets under way at once.
 *
 * At most 8 packets of at most 9,216 bytes are collected; the oldest makes room. A packet whose
 * pieces disagree or that is not whole within a second is forgotten: IP above sends it again. The
 * 8 places are allocated when the first piece comes and stay until fini.
 * Wire: `ip_fragment` in wire/datagram.def. Test: tests/unit/session_reassembly_test.c,
 * tests/property/session_law_test.c, tests/fuzz/reassembly.c. */
#ifndef KITH_SESSION_REASSEMBLY_H
#define KITH_SESSION_REASSEMBLY_H

#include "base/alloc.h"
#include "base/base.h"
#include "wire/datagram.h"

enum { KITH_REASSEMBLY_PACKETS = 8, KITH_REASSEMBLY_BYTES = 9216 };

struct kith_reassembly { /* all-zero with `alloc` set is a valid empty one */
    const struct kith_alloc *alloc;
    struct kith_partial *partial; /* KITH_REASSEMBLY_PACKETS of them, once needed */
    uint64_t made;                /* packets begun, ever */
};

void kith_reassembly_fini(struct kith_reassembly *r);
/* Takes a piece, whose carrier had these two ECN bits. KITH_OK: the packet is whole, *ret_packet
 * borrowed until the next call; *ret_ecn says that it met congestion when any piece did (RFC 3168
 * 5.3), else what the last said.
 * KITH_E_AGAIN: not yet; so also for a piece that is here already.
 * KITH_E_MALFORMED: no packet has such a piece, or it contradicts earlier ones, which are forgotten
 * too. KITH_E_LIMIT: the packet would be too big and is forgotten. KITH_E_NOMEM. */
int kith_reassembly_add(struct kith_reassembly *r, const struct kith_ip_fragment *f, uint8_t ecn,
                        kith_time now, struct kith_span *ret_packet,
                        uint8_t *ret_ecn) KITH_MUST_CHECK;

#endif
