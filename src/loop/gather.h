/* gather.h: when a loop rests for a moment, so that its next turn serves several peers.
 *
 * A datagram that comes alone costs a turn of its own: waking, two or three system calls, and
 * whoever gets the answer is woken alone, too. Where many peers say a little each, most of a node's
 * processor time went there. So while they do, the loop rests after a turn that read something.
 * Many means that no single conversation is slowed down: one that waits for its answers, or a few
 * streams, never looks like this; neither do first packets of connections, of which strangers can
 * send as many as they like; and above a certain rate turns are full by themselves.
 *
 * What was heard in one window decides about the next. Pure.  Test: tests/unit/loop_gather_test.c.
 */
#ifndef KITH_LOOP_GATHER_H
#define KITH_LOOP_GATHER_H

#include "base/time.h"
#include "transport/transport.h"

#define KITH_GATHER_REST KITH_MSEC
#define KITH_GATHER_WINDOW (10 * KITH_MSEC)

enum {
    KITH_GATHER_SOURCES = 24, /* of 64 buckets that sources fall into by a hash: in use */
    KITH_GATHER_LEAST = 40,   /* runs of datagrams a window */
    KITH_GATHER_MOST = 1000,
};

struct kith_gather { /* all-zero: nothing was heard */
    kith_time began; /* the window */
    uint64_t sources;
    unsigned runs;
    bool heard; /* in this turn */
    bool many;  /* in the last window */
};

/* A run came. */
void kith_gather_heard(struct kith_gather *g, const struct kith_rx *run);
/* The end of a turn: how long to rest before the next; 0, or KITH_GATHER_REST. */
kith_dur kith_gather_rest(struct kith_gather *g, kith_time now);

#endif
