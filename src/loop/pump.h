/* pump.h: the turn of the loop: what happened goes into the node, what it wishes is carried out,
 * what it sends leaves, and the loop sleeps until the moment it named.
 *
 * libuv wakes for descriptors; each callback hands its news to the node under one reading of the
 * clock. After the last of them (uv_check) comes one turn: tick, effects, flush, effects again. So
 * a burst of datagrams costs one flush, not one each; and where many peers say a little each, the
 * loop rests for a moment so that they become one (gather.h). The members of the daemon know the
 * pump to read the time; the pump knows them through `kith_pump_ops`. */
#ifndef KITH_LOOP_PUMP_H
#define KITH_LOOP_PUMP_H

#include <uv.h>

#include "loop/clocks.h"
#include "loop/gather.h"
#include "loop/timer.h"
#include "node/node.h"

struct kith_pump_ops {
    /* An effect of the node. */
    void (*effect)(void *ctx, const struct kith_node_effect *fx);
    /* The host slept, or its calendar was set by `by` seconds (0: it was not). */
    void (*clocks)(void *ctx, struct kith_clocks_news news);
    /* Once a turn, before the flush: what is due besides the node. */
    void (*turn)(void *ctx);
    /* When `turn` has something to do besides. */
    kith_time (*deadline)(void *ctx);
    /* The end of the turn; blocked: a transport takes no more. */
    void (*settled)(void *ctx, bool blocked);
};

struct kith_pump { /* all-zero: not open */
    uv_check_t check;
    struct kith_timer timer;
    struct kith_clocks clocks;
    struct kith_gather gather;
    struct kith_now now;
    bool fresh; /* now was read in this turn */
    bool open;
    struct kith_node *node; /* borrowed; NULL while there is none */
    struct kith_tx_batch *batch;
    const struct kith_pump_ops *ops;
    void *ctx;
};

/* node and batch are set by the owner afterwards, before the loop runs. */
int kith_pump_open(struct kith_pump *p, uv_loop_t *loop, const struct kith_pump_ops *ops, void *ctx,
                   struct kith_os_why *why) KITH_MUST_CHECK;
/* The time of this turn; the same for everything that happens in it. */
struct kith_now kith_pump_now(struct kith_pump *p);
/* A run of datagrams came. */
void kith_pump_receive(struct kith_pump *p, const struct kith_rx *run);
/* One turn out of order: before the loop runs, and at its end. */
void kith_pump_turn(struct kith_pump *p);
void kith_pump_close(struct kith_pump *p);

#endif
