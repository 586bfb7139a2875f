/* crowd.h: very many whole nodes in one process, each looked at only when something came or is due.
 *
 * node_sims_run looks at all nodes at every instant, which is right for a dozen. Here an instant is
 * a round, or a few: everybody who is concerned reads what came and has a turn, each in whatever
 * thread is free; then what they sent goes on its way, in the order in which they were called. So
 * the same happens for any number of threads, if nodes share nothing that changes: randomness and
 * what on_packet touches, too, are each node's own. Who is due has its turn at the net's next tick.
 *
 * Order: begin; node_sim_prepare, crowd_prepare and start of nodes; add each; run, any number of
 * times; take out whoever ends; end. Test: tests/sim/crowd_test.c. */
#ifndef KITH_TESTS_SIM_CROWD_H
#define KITH_TESTS_SIM_CROWD_H

#include "base/due.h"
#include "base/list.h"
#include "sim/node_peer.h"
#include "sim/workers.h"

struct crowd_place {
    struct kith_due due; /* first, so that a pointer to it is one to the place */
    struct kith_link stirred;
    struct node_peer_sim *node;
    struct crowd *crowd;
    kith_time next_at; /* when it is to be looked at again, by its last turn */
    struct kith_random_seeded seeded;
    struct kith_random random; /* the node's own */
};

struct crowd {
    struct sim_net *net;
    struct workers *workers;
    struct kith_due_heap due;
    struct kith_link stirred;
    struct crowd_place **called; /* n_called of them: who has a turn in this round */
    size_t n_called, cap_called;
    uint64_t turns; /* of all nodes */
};

void crowd_begin(struct crowd *c, struct sim_net *net, unsigned threads);
/* What a node needs to be in a crowd, before it starts: randomness that is seeded from the net's,
 * and an outbox. The place is the caller's, and lasts as long as the node. */
void crowd_prepare(struct crowd *c, struct crowd_place *place, struct node_peer_sim *p);
/* The node has started, and is looked at at once. */
void crowd_add(struct crowd_place *place);
/* Before the node ends. */
void crowd_take_out(struct crowd_place *place);
/* Something was asked of the node: it is looked at before time goes on. */
void crowd_stir(struct crowd_place *place);
void crowd_run(struct crowd *c, kith_dur d);
void crowd_end(struct crowd *c);

#endif
