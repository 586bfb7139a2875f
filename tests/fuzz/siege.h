/* siege.h: a world that many inputs share, as a node serves all peers: a network of two nodes that
 * behave, a stranger with a key of its own, and a traitor that has the key and the certificate of a
 * third member.
 *
 * Making it costs a hundred inputs' time, so it is made anew only after SIEGE_INPUTS of them, well
 * before the traitor's certificate ends; virtual time goes on in between.
 * Order per input: siege_begin, anything the foe may do, siege_end, which judges. */
#ifndef KITH_TESTS_FUZZ_SIEGE_H
#define KITH_TESTS_FUZZ_SIEGE_H

#include "fuzz/mouth.h"

enum { SIEGE_NODES = 2, SIEGE_INPUTS = 2000 };

struct siege {
    struct sim_net *net;
    struct node_peer_sim node[SIEGE_NODES]; /* the victim, which holds the root; and a member */
    struct node_peer_sim *all[SIEGE_NODES];
    struct foe stranger, traitor;
    struct kith_network_id network;
    uint8_t membership[16384]; /* what the traitor shows */
    size_t membership_len;
    struct kith_span certificate; /* within it */
    struct mouth_ends ends;       /* from the traitor to the victim */
    struct known known;
    struct kith_object_key key[16]; /* that `known` borrows */
    unsigned inputs;
};

/* The world with a foe that has just dialled the victim; the traitor has shown its membership. */
struct siege *siege_begin(bool traitor, struct foe **ret_foe);
void siege_run(struct siege *s, struct foe *f, kith_dur d);
/* The law: the victim keeps its other member, and what it holds for the foe is bounded. */
void siege_end(struct siege *s, struct foe *f);

#endif
