/* rate.h: so many at once, then one every so often (the generic cell rate algorithm, ITU-T I.371).
 *
 * All that is kept is one instant: until when what was taken is paid for. Test:
 * tests/unit/base_rate_test.c. */
#ifndef KITH_BASE_RATE_H
#define KITH_BASE_RATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/time.h"

/* Whether `count` more are within the rate now; then they are taken. One is given back every
 * `each`, and up to `burst` may be taken at once. *paid begins with 0. */
static inline bool kith_rate_takes(kith_time *paid, kith_dur each, size_t count, size_t burst,
                                   kith_time now)
{
    kith_time to = kith_after(*paid > now ? *paid : now, each * count);

    if (kith_since(to, now) > each * burst)
        return false;
    *paid = to;
    return true;
}

#endif
