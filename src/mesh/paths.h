/* paths.h: which neighbours lead to which destinations, and how well. Pure, and bounded whatever
 * neighbours tell.
 *
 * A neighbour tells that it reaches a destination in so many hops: a hint that nobody signed. What
 * was measured over it weighs more, so whoever lies about hops is demoted by its own losses and
 * delays. Of each destination the best three neighbours are kept, a *way* each. A way is fresh for
 * as long as it is told again or used; an entry ends with its last way, or with the signed
 * statement it rests on.
 *
 * What was measured over a neighbour outlives its ways for an hour (measured.h), so that it cannot
 * be washed off by telling anew.
 *
 * What may be told on is less than what may be used. A destination numbers its statements; a way is
 * *feasible* if it was told under a newer number than this node has told on itself, or leads there
 * in no more hops than it has (the condition of RFC 8966 3.5.1). Only feasible ways are told on, so
 * that neighbours never count up together towards somebody who is gone. Others are used all the
 * same: nothing can go in circles by them (relay.h). A destination to which no way is left is
 * remembered for a while for the same reason.
 *
 * When the table is full, whoever brought most entries loses one that leads farthest away: so a
 * neighbour that tells of a million destinations only pushes out its own, and the nearest are kept.
 * What flows used in the last five minutes counts as near. An eighth of the table is for what was
 * asked for (search.h), however far it is: others are told of it only if they ask, and that it is
 * gone.
 *
 * Neighbours are small numbers that the caller gives (a node's handles).
 * Test: tests/unit/mesh_paths_test.c, tests/property/mesh_paths_law_test.c. */
#ifndef KITH_MESH_PATHS_H
#define KITH_MESH_PATHS_H

#include "mesh/measured.h"

#define KITH_MESH_NOBODY UINT32_MAX /* as a neighbour: none, or any */

enum {
    KITH_MESH_HOPS_MAX = 64,
    KITH_MESH_WAYS = 3, /* kept of a destination */
};
#define KITH_MESH_FRESH (900 * KITH_SEC)      /* a way that was neither told nor used for so long is gone */
#define KITH_MESH_HOP_GUESS (30 * KITH_MSEC)  /* round trip for each hop, until one was measured */
#define KITH_MESH_HOLD (180 * KITH_SEC)       /* what was told of a destination that is lost counts so long */
#define KITH_MESH_AVOID (10 * KITH_SEC)       /* a way that failed comes last for so long */

struct kith_mesh_way { /* 24 bytes: there are many */
    uint32_t neighbour;
    uint32_t rtt;         /* smoothed, microseconds; 0: not measured */
    uint16_t loss;        /* smoothed, of 65535 */
    uint8_t hops;         /* as told: 1 is the neighbour itself */
    uint8_t rate;         /* class of the slowest link as told: log2 of bit/s; 0: unknown */
    uint32_t heard;       /* told or used last, seconds of the node's monotonic clock */
    uint32_t avoid_until; /* the same clock; 0: it did not fail */
    uint32_t seq;         /* the number it was told under */
};

/* What a neighbour told. */
struct kith_mesh_offer {
    uint32_t neighbour;
    uint8_t hops, rate;
    uint32_t seq;
    kith_wall expires; /* of the signed statement about the destination */
    bool asked;        /* it answers a question of ours, or of one whom we answer */
};

enum kith_mesh_told {
    KITH_MESH_TOLD_NEW,     /* the destination was not known */
    KITH_MESH_TOLD_CHANGED, /* its best way is another, or has other hops */
    KITH_MESH_TOLD_KNOWN,   /* nothing that others need to hear */
    KITH_MESH_TOLD_WORSE,   /* three better ones are known, or enough that are as near: not kept */
};

/* What there is to tell others of a destination. */
struct kith_mesh_advert {
    struct kith_destination to;
    uint32_t seq;
    uint32_t by; /* the neighbour that leads there, and is not told; KITH_MESH_NOBODY: none does */
    uint8_t hops, rate;
    bool starved; /* ways are known, but none that may be told on: a newer number is needed */
};

struct kith_mesh_paths;

/* At most `max` destinations with a way, and as many that lost theirs. KITH_E_NOMEM. */
int kith_mesh_paths_new(const struct kith_env *env, size_t max,
                        struct kith_mesh_paths **ret) KITH_MUST_CHECK;
void kith_mesh_paths_free(struct kith_mesh_paths *p);

/* KITH_E_INVAL: no hops or more than KITH_MESH_HOPS_MAX; KITH_E_EXPIRED; KITH_E_NOMEM. */
int kith_mesh_paths_tell(struct kith_mesh_paths *p, const struct kith_destination *to,
                         const struct kith_mesh_offer *offer, struct kith_now now,
                         enum kith_mesh_told *ret) KITH_MUST_CHECK;
/* A packet's round trip over the neighbour, or (rtt 0) that none came back in time. */
void kith_mesh_paths_measured(struct kith_mesh_paths *p, const struct kith_destination *to,
                              uint32_t neighbour, kith_dur rtt, kith_time now);
/* The neighbour took it back, or could not go on: this way comes last for a while. */
void kith_mesh_paths_failed(struct kith_mesh_paths *p, const struct kith_destination *to,
                            uint32_t neighbour, kith_time now);
/* What was measured before a restart: it counts as soon as such a way is told. KITH_E_NOMEM. */
int kith_mesh_paths_remember(struct kith_mesh_paths *p,
                             const struct kith_mesh_measure *what) KITH_MUST_CHECK;
/* The number is to be another neighbour's: nothing measured of it counts. */
void kith_mesh_paths_forget_neighbour(struct kith_mesh_paths *p, uint32_t neighbour);
/* Bytes that it takes to remember what was measured, in *ret_blocks allocations. */
size_t kith_mesh_paths_measured_size(const struct kith_mesh_paths *p, size_t *ret_blocks);
/* Walks what was measured in the last hour: start with *at = 0; NULL at the end. Nothing else in
 * between. */
const struct kith_mesh_measure *kith_mesh_paths_next_measure(const struct kith_mesh_paths *p,
                                                             size_t *at, kith_time now);
/* The neighbour is there, and takes back nothing of what it told. */
void kith_mesh_paths_refresh(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now);
/* The neighbour is none any more. How many destinations lost a way. */
size_t kith_mesh_paths_gone(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now);
/* The neighbour says that it leads there no more. */
void kith_mesh_paths_withdrawn(struct kith_mesh_paths *p, const struct kith_destination *to,
                               uint32_t neighbour, kith_time now);
/* No way to it counts any more: its statement was withdrawn. */
void kith_mesh_paths_forget(struct kith_mesh_paths *p, const struct kith_destination *to);

/* The best way that is not by the neighbour `not_by` (KITH_MESH_NOBODY: any); false when there is
 * none. */
bool kith_mesh_paths_best(const struct kith_mesh_paths *p, const struct kith_destination *to,
                          uint32_t not_by, kith_time now, struct kith_mesh_way *ret);
/* A flow goes there, which keeps it from being pushed out. */
void kith_mesh_paths_used(struct kith_mesh_paths *p, const struct kith_destination *to,
                          kith_time now);
/* The ways to it, best first; how many. */
size_t kith_mesh_paths_ways(const struct kith_mesh_paths *p, const struct kith_destination *to,
                            kith_time now, struct kith_mesh_way ret[KITH_MESH_WAYS]);
/* Walks all destinations: start with *at = 0. Nothing else in between. */
bool kith_mesh_paths_next(const struct kith_mesh_paths *p, size_t *at, struct kith_destination *ret,
                          kith_wall *ret_expires);

/* Whether, since the last call, a way was lost to a destination of which worse ones had been told
 * and not kept: neighbours know them still. */
bool kith_mesh_paths_lacks(struct kith_mesh_paths *p);
/* Walks what there is to tell. Start with *at = 0; told in between is fine, nothing else. */
enum kith_mesh_which {
    KITH_MESH_NEWS,    /* of destinations of which everybody was told something else last */
    KITH_MESH_ALL,     /* of every destination that may be told on */
    KITH_MESH_STARVED, /* of those that may not, although ways are known */
};
bool kith_mesh_paths_next_advert(struct kith_mesh_paths *p, size_t *at, enum kith_mesh_which which,
                                 kith_time now, struct kith_mesh_advert *ret);
/* That was told: to somebody, or to everybody (then it is news no more). */
void kith_mesh_paths_told(struct kith_mesh_paths *p, const struct kith_mesh_advert *a,
                          bool everybody);

/* Something about it that the table does not weigh is another: it is news again. */
void kith_mesh_paths_renew(struct kith_mesh_paths *p, const struct kith_destination *to);
/* What may be told to one that asks, the neighbour `to_whom`; false: nothing. It counts as told. */
bool kith_mesh_paths_answer(struct kith_mesh_paths *p, const struct kith_destination *to,
                            uint32_t to_whom, kith_time now, struct kith_mesh_advert *ret);
/* Whether it is time to ask for a newer number of a destination that is starved: at once, and then
 * after 2, 4, 8, 16 and every 30 s for as long as it is. */
bool kith_mesh_paths_may_ask(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             kith_time now);
/* That was done. */
void kith_mesh_paths_asked(struct kith_mesh_paths *p, const struct kith_destination *to,
                           kith_time now);
/* The best way of those that may be told on; false when there is none. */
bool kith_mesh_paths_feasible(const struct kith_mesh_paths *p, const struct kith_destination *to,
                              kith_time now, struct kith_mesh_way *ret);
/* The newest number that was told on of a destination, and the fewest hops under it; false: nothing
 * was, or that is forgotten. */
bool kith_mesh_paths_told_on(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             uint32_t *ret_seq, uint8_t *ret_hops);

/* Drops what is no longer fresh or has expired, and what was measured long ago. Of how many
 * destinations something else may be told now. */
size_t kith_mesh_paths_tick(struct kith_mesh_paths *p, struct kith_now now);
/* Destinations to which a way is known. */
size_t kith_mesh_paths_count(const struct kith_mesh_paths *p);
/* Destinations pushed out by others since the beginning, and those that were not taken in because
 * enough that are as near were known. */
uint64_t kith_mesh_paths_pushed_out(const struct kith_mesh_paths *p);
uint64_t kith_mesh_paths_turned_away(const struct kith_mesh_paths *p);
/* Whether more was told in the last 900 s than there is room for: what is not here may be reached
 * all the same. */
bool kith_mesh_paths_is_partial(const struct kith_mesh_paths *p, kith_time now);
#endif
