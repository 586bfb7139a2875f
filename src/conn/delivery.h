/* delivery.h: how fast a path carries, by what has arrived over it.
 *
 * The highest rate at which bytes arrived lately, as BBR has it (a windowed maximum): what was
 * reached once, the path can carry. A sample is of a while in which the path was full, or of one in
 * which there was less to send than it carries. The first says what the path's rate is. The second
 * is a lower bound: it raises an estimate, and begins none, because who carried little knows
 * little. No sample lowers anything; the high ones are forgotten after five to ten minutes, and
 * when nothing was full meanwhile, the rate is not known any more.
 *
 * Whoever knows when a path is full gives samples. Where the sender is held back by congestion
 * control, kith_delivery_count finds them: full is where it was held back all the while and the
 * rate no longer grows. Pure: time is an argument. A path that changed begins with all-zero.
 * Page: docs/modules/conn.md. Test: tests/unit/conn_delivery_test.c. */
#ifndef KITH_CONN_DELIVERY_H
#define KITH_CONN_DELIVERY_H

#include "base/base.h"

/* A sample is remembered until the end of the next span. */
#define KITH_DELIVERY_SPAN (300 * KITH_SEC)
/* A sample is of so long at least, and of four round trips without a queue: what comes in bursts
 * evens out. */
#define KITH_DELIVERY_SAMPLE (250 * KITH_MSEC)

struct kith_delivery { /* all-zero is a valid beginning; by value */
    uint64_t best;     /* bit/s: the highest sample of this span; 0: none */
    uint64_t before;   /* the same of the span before */
    kith_time turn_at; /* when this span ends; 0: nothing is remembered */
    /* of kith_delivery_count: the sample under way */
    kith_time from;  /* 0: none is */
    uint64_t total;  /* bytes that had arrived by then */
    bool held;       /* the sender was held back ever since */
    uint64_t growth; /* bit/s of the sample before, if it was held back all the while; else 0 */
};

/* How long a sample is, for a path whose shortest round trip is this. */
kith_dur kith_delivery_sample_time(kith_dur rtt);
/* So many bytes arrived in so long; `full`: the path would have carried no more. */
void kith_delivery_sample(struct kith_delivery *d, uint64_t bytes, kith_dur took, bool full,
                          kith_time now);
/* `total` bytes have arrived since the connection began; `held`: there is more to send that
 * congestion control holds back. To be called whenever some have. */
void kith_delivery_count(struct kith_delivery *d, uint64_t total, bool held, kith_dur rtt,
                         kith_time now);
/* Forgets what is old. To be called once in a while. */
void kith_delivery_tick(struct kith_delivery *d, kith_time now);
/* bit/s; 0: not known. */
uint64_t kith_delivery_rate(const struct kith_delivery *d);

#endif
