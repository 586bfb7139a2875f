/* laws.h: what must be true of a town of whole nodes, whatever happens to it.
 *
 * Each law is a function over the town as it is now, and what was seen of it before. Who runs a
 * life says what happens (laws_send, killed, started, stirred) and lets the laws look often; the
 * first thing that is not as it must be is printed and kept, and the life may end there.
 *
 *   1. Flows go in no circle: who follows one from node to node comes to none twice; and no node
 *      takes in an attempt that began there, or that another neighbour still leads there.
 *   2. Hops are never used up while all nodes are honest, or once a liar has gone.
 *   3. Nobody knows a way to a node that has been gone for GONE seconds, when the links have been
 * as they are for as long.
 *   4. What a node has told on of a destination never grows older, nor farther under one number.
 *   5. Every table is within its maximum, and the counts that it keeps are those of what is there.
 *   6. What comes out of a TUN device was put into another for it, byte for byte, and comes once.
 *
 * Nothing here looks into connections. Lives: tests/sim/laws_test.c. */
#ifndef KITH_TESTS_SIM_LAWS_H
#define KITH_TESTS_SIM_LAWS_H

#include "mesh/relay.h"
#include "sim/town.h"

enum {
    LAWS_NODES = 16,
    LAWS_NUMBERS = 4096,  /* packets that one sends to another, at most */
    LAWS_ATTEMPTS = 8192, /* attempts that are remembered; one may push out another */
    LAWS_HEAD = 8,        /* bytes of a payload before what follows from them */
    LAWS_LEN = 1300,      /* of the largest payload, less than */
};
#define LAWS_GONE (45 * KITH_SEC) /* who is silent is asked after 20 s, and leads nobody on 5 s later */

/* An attempt of a flow as a node had it. */
struct laws_attempt {
    bool used;
    size_t at; /* the node */
    struct kith_flow_id id;
    uint32_t attempt;
    size_t up; /* the node it came from; LAWS_NODES: it began here, LAWS_NODES + 1: none of ours */
    uint32_t label;
    kith_time seen, used_at;
};

/* What a node has told on of a destination. */
struct laws_told {
    bool known;
    uint32_t seq;
    uint8_t hops;
};

struct laws {
    struct town *t;
    bool broken;
    bool honest;                   /* nobody makes things up now */
    kith_time changed_at;          /* links, addresses or programs did last */
    kith_time gone_at[LAWS_NODES]; /* for good; KITH_NEVER */
    struct kith_destination to[LAWS_NODES];
    uint64_t expired[LAWS_NODES]; /* hops used up at each, as of the last look */
    struct laws_attempt attempt[LAWS_ATTEMPTS];
    struct laws_told told[LAWS_NODES][LAWS_NODES];
    uint32_t sent[LAWS_NODES][LAWS_NODES];
    uint32_t since[LAWS_NODES][LAWS_NODES]; /* packets from this one on are waited for */
    bool came[LAWS_NODES][LAWS_NODES][LAWS_NUMBERS];
    bool reached[LAWS_NODES][LAWS_NODES]; /* one of those waited for came */
    size_t arrived, errors;               /* packets; ICMP about those that could not go */
};

/* The town is up, and what comes out of its nodes is the laws' from now on. */
void laws_begin(struct laws *l, struct town *t);
/* A packet from a to b, of a length and with bytes that follow from who, whom and how many before.
 */
void laws_send(struct laws *l, size_t a, size_t b);
/* Something was done to links or nodes. */
void laws_stirred(struct laws *l);
/* A node was killed, for good or not; it was started again. */
void laws_killed(struct laws *l, size_t who, bool for_good);
void laws_started(struct laws *l, size_t who);
/* Holds the town, as it is now, to laws 1 to 5. False: one was broken, then or before. */
bool laws_look(struct laws *l);

/* From now on each node that runs is to reach each other; how many pairs don't yet. */
void laws_want_all(struct laws *l);
size_t laws_wanting(const struct laws *l);
/* Until when one of those pairs stays apart because one sent the other away; 0: none does. */
kith_time laws_apart_until(const struct laws *l);
/* Another packet for each of these. */
void laws_ask(struct laws *l);
/* Says which pairs those are, and that the law is broken by it. */
void laws_complain(struct laws *l);

#endif
