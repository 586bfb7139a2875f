/* town.h: a network of many whole nodes, each in a place of its own, and what they carry.
 *
 * All hear each other at first; the test says who still does. Order: up; links; wait; down.
 * Packets between pairs (town_talk) say who reaches whom; a bulk is a reliable stream between two
 * nodes, end to end, whatever leads from one to the other. */
#ifndef KITH_TESTS_SIM_TOWN_H
#define KITH_TESTS_SIM_TOWN_H

#include "sim/node_peer.h"

enum { TOWN_MAX = 64 };

struct town {
    struct sim_net *net;
    size_t n;
    struct node_peer_sim node[TOWN_MAX];
    struct node_peer_sim *all[TOWN_MAX];
    char name[TOWN_MAX][8];
    struct kith_network_info info;
    struct kith_ip ip4[TOWN_MAX];
    struct sim_link link; /* of those who hear each other */
    /* of town_talk: who is to reach whom, and who has */
    bool wanted[TOWN_MAX][TOWN_MAX], heard[TOWN_MAX][TOWN_MAX];
};

/* The network "home", 100.80.0.0/16, of n nodes; prints the seed. */
void town_up(struct town *t, uint64_t seed, size_t n);
/* The same in a row: each hears its neighbours only, and the first while it is let in. */
void town_up_row(struct town *t, uint64_t seed, size_t n);
/* The same where nobody hears anybody until `place` says so: it is called for each but the first,
 * before it is let in, when it must hear the first, too, and again when it is in. */
typedef void town_place(struct town *t, size_t who, bool in);
void town_up_placed(struct town *t, uint64_t seed, size_t n, town_place *place);
void town_down(struct town *t);
void town_wait(struct town *t, kith_dur d);
/* Whether a and b hear each other from now on. */
void town_hear(struct town *t, size_t a, size_t b, bool hear);
/* All machines are without any network, or have it again. */
void town_outage(struct town *t, bool out);
/* Sessions that `who` has with other nodes of the town. */
size_t town_sessions(const struct town *t, size_t who);
/* What `who` says of its way to `to`; "none". */
const char *town_route(const struct town *t, size_t who, size_t to);

/* From now on town_talk is about nobody; about this pair, too; about all pairs of those with on. */
void town_want_none(struct town *t);
void town_want(struct town *t, size_t a, size_t b);
void town_want_all(struct town *t, const bool *on);
/* Each pair sends to each other, several times a second until one of those packets came; *ret_took
 * is how long that was, until the last pair. False when some are left after `limit`. */
bool town_talk(struct town *t, kith_dur limit, kith_dur *ret_took);
/* Prints the pairs that were left. */
void town_complain(const struct town *t);

/* Bytes under way on a stream. */
struct bulk {
    struct town *town;
    size_t from, to;
    uint64_t size, sent, came;
    bool open, wrong; /* wrong: a byte is not the one that was sent */
    uint8_t connection[32];
    int64_t stream;
    unsigned starts; /* times it began: anew when the connection under it was lost */
};

/* Carries `size` bytes from one to the other; whether all came as they were within `limit`. */
bool bulk_carry(struct bulk *b, kith_dur limit);

#endif
