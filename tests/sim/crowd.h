/* crowd.h: very many whole nodes in one process, each looked at only when something came or is due.
 *
 * node_sims_run looks at all nodes at every instant, which is right for a dozen. Order: begin; add
 * nodes as they are started; run, any number of times; take out whoever ends; end. */
#ifndef KITH_TESTS_SIM_CROWD_H
#define KITH_TESTS_SIM_CROWD_H

#include "base/due.h"
#include "base/list.h"
#include "sim/node_peer.h"

struct crowd_place {
    struct kith_due due; /* first, so that a pointer to it is one to the place */
    struct kith_link stirred;
    struct node_peer_sim *node;
    struct crowd *crowd;
};

struct crowd {
    struct sim_net *net;
    struct kith_due_heap due;
    struct kith_link stirred;
    uint64_t turns; /* of all nodes */
};

void crowd_begin(struct crowd *c, struct sim_net *net);
/* The place is the caller's, and lasts until it is taken out. The node is looked at at once. */
void crowd_add(struct crowd *c, struct crowd_place *place, struct node_peer_sim *p);
/* Before the node ends. */
void crowd_take_out(struct crowd_place *place);
/* Something was asked of the node: it is looked at before time goes on. */
void crowd_stir(struct crowd_place *place);
void crowd_run(struct crowd *c, kith_dur d);
void crowd_end(struct crowd *c);

#endif
