/* city.h: one network of hundreds or thousands of whole nodes that stand about a square and hear
 * who is near (a random geometric graph), and pairs of them that send each other a message.
 *
 * They begin as after a power cut: each has its store with the whole network, and the addresses
 * at which it reached its neighbours before. Linked with the model connection engine, with
 * signatures checked once in the process. Order: up; begin; wait, ask; down. */
#ifndef KITH_TESTS_SIM_CITY_H
#define KITH_TESTS_SIM_CITY_H

#include "sim/crowd.h"

struct city_node {
    struct node_peer_sim peer;
    struct crowd_place place;
    char name[12], addr[32];
    struct kith_ip ip4;
    double x, y; /* in a square of 1 by 1 */
    bool gone;
    int err;            /* of its start */
    uint64_t wrong;     /* packets that came out of it and were not sent by a pair */
    uint32_t component; /* a node of it: who can be reached by whom at all */
};

struct city_link {
    uint32_t a, b;
};

/* Two that talk, and when the message came. */
struct city_pair {
    uint32_t from, to;
    kith_time heard_at; /* 0: not yet; written in the turn of `to` only */
};

struct city {
    struct sim_net *net;
    struct crowd crowd;
    struct city_node *node; /* n of them */
    size_t n;
    struct city_link *link; /* n_links of them: who hears whom */
    size_t n_links;
    struct city_pair *pair; /* n_pairs of them, by from and to */
    size_t n_pairs, n_heard;
    size_t *pairs_of; /* n + 1 of them: where those from a node begin */
};

/* n nodes of mean degree 10, links of 100 Mbit/s and 10 ms, and so many threads that look after
 * them; nobody runs yet. Prints the seed. */
void city_up(struct city *c, uint64_t seed, size_t n, unsigned threads);
void city_down(struct city *c);
/* All nodes start. */
void city_begin(struct city *c);
void city_wait(struct city *c, kith_dur d);
/* Packets that came out somewhere and were not sent by a pair. */
uint64_t city_wrong(const struct city *c);
/* Whether a link carries anything from now on. */
void city_cut(struct city *c, const struct city_link *l, bool cut);
/* A node's power fails, for good. */
void city_kill(struct city *c, size_t who);
/* Finds anew who can be reached by whom; in how many the largest component is, *ret_of one of it.
 */
size_t city_components(struct city *c, uint32_t *ret_of);
/* Chooses `count` ordered pairs of component `of`, none twice, and nobody has heard yet. */
void city_choose(struct city *c, size_t count, uint32_t of);
/* All that were chosen before and are still there are to be heard once more. */
void city_again(struct city *c);
/* Each pair that was not heard sends a message, every 2 s, until `share` of them (of a million) was
 * heard; *ret_took is how long that took. False when it is not so after `limit`. */
bool city_talk(struct city *c, unsigned share, kith_dur limit, kith_dur *ret_took);

#endif
