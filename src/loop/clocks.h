/* clocks.h: noticing that the host slept, or that its calendar was set, from readings of clocks.
 *
 * Pure: it is shown three clocks whenever the loop wakes and compares them with the last time.
 * Small steps (a disciplined clock, a short pause) are not told. Test:
 * tests/unit/loop_clocks_test.c
 */
#ifndef KITH_LOOP_CLOCKS_H
#define KITH_LOOP_CLOCKS_H

#include "base/base.h"

enum { KITH_CLOCK_JUMP = 60 }; /* seconds; certificates are judged by the hour */
#define KITH_CLOCK_SLEEP (2 * KITH_SEC) /* shorter sleeps change nobody's addresses */

struct kith_clocks { /* all-zero: nothing seen yet */
    bool seen;
    int64_t calendar; /* seconds of the calendar at clock 0 */
    kith_dur asleep;  /* how long the host slept since it was started */
};

struct kith_clocks_news {
    bool resumed;
    int64_t jumped; /* seconds, negative: set back; 0: not */
};

/* now.mono counts sleep, `awake` (nanoseconds, CLOCK_MONOTONIC) does not. */
struct kith_clocks_news kith_clocks_look(struct kith_clocks *c, struct kith_now now,
                                         kith_time awake);

#endif
