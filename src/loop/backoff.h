/* backoff.h: when to try again what the host took away: at once, then after 1, 2, 4 ... 60 s.
 *
 * What held for KITH_BACKOFF_STEADY begins anew. What was lost sooner waits on where it was, so
 * that somebody who takes it away whenever it appears cannot keep the node busy.
 * Order: lost, then failed as often as a try fails.  Test: tests/unit/loop_backoff_test.c. */
#ifndef KITH_LOOP_BACKOFF_H
#define KITH_LOOP_BACKOFF_H

#include "base/time.h"

#define KITH_BACKOFF_FIRST KITH_SEC /* after the one at once */
#define KITH_BACKOFF_MAX (60 * KITH_SEC)
#define KITH_BACKOFF_STEADY KITH_SEC

struct kith_backoff { /* all-zero: nothing was tried */
    kith_dur wait;    /* before the try after the next failure */
};

/* It is gone, after it had been there since `since`: when to try first. */
kith_time kith_backoff_lost(struct kith_backoff *b, kith_time since, kith_time now);
/* A try failed: when the next is due. */
kith_time kith_backoff_failed(struct kith_backoff *b, kith_time now);

#endif
