/* codel.h: when a waiting queue is to lose a packet, by how long packets wait (RFC 8289).
 *
 * A queue that is emptied now and then is a good one, however long it gets for a moment. When
 * every packet of the last 100 ms has waited for more than 5 ms, senders are too fast: then one
 * packet is dropped (or marked) for them to notice, and ever more often until they do. Pure: ask
 * for each packet that leaves the queue. Test: tests/unit/session_codel_test.c. */
#ifndef KITH_SESSION_CODEL_H
#define KITH_SESSION_CODEL_H

#include "base/base.h"

#define KITH_CODEL_TARGET (5 * KITH_MSEC)
#define KITH_CODEL_INTERVAL (100 * KITH_MSEC)
enum { KITH_CODEL_BACKLOG = 1500 }; /* bytes: a queue no longer than this is never too long */

struct kith_codel {        /* all-zero: nothing has happened */
    kith_time above_until; /* the wait has been above target; bad if it is at this time; 0: not */
    kith_time drop_at;     /* while dropping: the next */
    uint32_t count;        /* dropped since dropping began */
    uint32_t last_count;   /* the same, when it ended */
    bool dropping;
};

/* Whether the packet at the head, waiting for `waited` with `backlog` bytes behind and including
 * it, is to be dropped or marked. */
bool kith_codel_drops(struct kith_codel *c, kith_dur waited, size_t backlog, kith_time now);
/* The queue is empty. */
void kith_codel_rests(struct kith_codel *c);

#endif
