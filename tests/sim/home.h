/* home.h: a network of whole nodes that are all members of it, one of which may fall into wrong
 * hands: what a member can do to the others is tried here.
 *
 * The first node holds the root key and allocates through a lab, so that its memory can be counted.
 * Order: up; turn_bad where a test wants a foe; wait; down. */
#ifndef KITH_TESTS_SIM_HOME_H
#define KITH_TESTS_SIM_HOME_H

#include "lab_alloc.h"
#include "sim/foe.h"

enum { HOME_MAX = 8, HOME_OBJECT_MAX = 8192 };

struct home {
    struct sim_net *net;
    size_t n;
    struct node_peer_sim node[HOME_MAX];
    struct node_peer_sim *all[HOME_MAX];
    struct kith_network_info info;
    struct lab_alloc lab; /* of node 0 */
    struct foe foe;
    struct foe *foes[1]; /* NULL while there is none */
};

/* A network "home", 100.80.0.0/16, of n nodes at 192.0.2.1:9000, 192.0.2.2:9000, … */
void home_up(struct home *h, uint64_t seed, size_t n);
void home_down(struct home *h);
void home_wait(struct home *h, kith_dur d);
/* The network as one of them sees it. */
struct kith_network_info home_info(const struct home *h, size_t who);
/* Whether a packet from x comes to y within so long. */
bool home_reaches(struct home *h, size_t x, size_t y, kith_dur limit);

/* The key of `who` falls into wrong hands: the node is no more, and a foe at 203.0.113.9:9000 that
 * has its key has a session with the first node and has shown its membership there. */
void home_turn_bad(struct home *h, size_t who);
/* The same membership to another node, over a session that is made for it. */
void home_foe_greets(struct home *h, size_t to);
/* The foe's MEMBERSHIP message, its certificate as the node had it. */
size_t home_foe_membership(struct home *h, uint8_t *buf, size_t cap);
/* The foe says it to the node as soon as there is room; it must have a session. */
void home_foe_says(struct home *h, size_t to, const uint8_t *message, size_t n);
/* The foe pushes an object to the node. */
void home_foe_pushes(struct home *h, size_t to, const uint8_t *object, size_t n);
/* An ENDPOINTS object of the foe's; buf is HOME_OBJECT_MAX. */
size_t home_foe_endpoints(const struct home *h, const struct kith_addr *addr, size_t n,
                          uint64_t number, uint8_t *buf);

/* The ENDPOINTS object of `about` that a node holds; its number, 0 when there is none. Addresses
 * go to ret (16), their count to *ret_n. */
uint64_t home_endpoints_held(const struct home *h, size_t by, const struct kith_peer_id *about,
                             struct kith_addr *ret, size_t *ret_n);

/* Rows that a node has written to its store so far. */
uint64_t home_rows_written(const struct home *h, size_t by);

#endif
