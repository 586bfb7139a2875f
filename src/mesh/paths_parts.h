/* paths_parts.h: the insides of a path table, shared by its own files and no others.
 *
 *   paths.c            hearing, time, asking
 *   paths_entries.c    destinations, whose they are, and who gives way to whom
 *   paths_ways.c       which ways are kept of a destination, and which is best
 *   paths_measured.c   what is measured over them
 *   paths_told.c       what is told on */
#ifndef KITH_MESH_PATHS_PARTS_H
#define KITH_MESH_PATHS_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "mesh/paths.h"

enum {
    LOSS_ALL = 65535, /* all of what a way carries */
    SHELVES =
        KITH_MESH_HOPS_MAX + 1, /* of an owner: [0] was used lately, [h] leads there in h hops */
    ASKED_PART = 8,             /* of a table, for destinations that were asked for */
};

#define TOLD_SOME 2 /* in the place of a hash: something, of which not everybody was told */
#define ASKED (UINT32_MAX - 2) /* in the place of a neighbour: of what was asked for, on shelf 0 */

struct entry {             /* 136 bytes: there are many */
    struct kith_link used; /* on a shelf of its owner, longest unused first */
    struct owner *owner;   /* without a way: nobody's; told of because it was asked for: ASKED */
    struct kith_destination to;
    uint32_t expires; /* kith_wall: until 2106 */
    uint32_t seq;     /* the newest number that was told on */
    uint32_t told;    /* a hash of what everybody was told last, odd; TOLD_SOME; 0: that there is no
                         way,    or nothing yet */
    union {           /* seconds of the node's monotonic clock */
        uint32_t lost_at;  /* without a way: since when */
        uint32_t asked_at; /* with ways: for a newer number last */
    };
    uint32_t used_at; /* by a flow last: the same clock; 0: never */
    struct kith_mesh_way way[KITH_MESH_WAYS];
    uint8_t shelf;
    uint8_t least;    /* the fewest hops told on under seq; 0: nothing was told on yet */
    uint8_t n : 2;    /* ways */
    uint8_t asks : 3; /* for a newer number, since it is starved */
    bool more : 1;    /* a way was told that was not kept */
};

/* A neighbour and the entries it brought. */
struct owner {
    struct kith_link link; /* in paths.owners */
    struct kith_link shelf[SHELVES];
    size_t n; /* entries; one more while it is walked */
    uint32_t neighbour;
};

struct kith_mesh_paths {
    const struct kith_env *env;
    struct kith_map by_destination; /* entry */
    struct kith_map by_neighbour;   /* owner */
    struct kith_link owners;
    struct kith_mesh_measured *measured; /* NULL until something is */
    size_t max;                          /* destinations with a way */
    size_t lost;                         /* destinations without one: as many at most */
    uint64_t pushed_out, turned_away;
    kith_time full_at; /* one of these last happened; 0: never */
    bool lacks;
};

static inline uint32_t kith_paths_seconds(kith_time t)
{
    return (uint32_t)(t / KITH_SEC);
}

/* ---- entries ---- */

struct entry *kith_paths_find(const struct kith_mesh_paths *p, const struct kith_destination *to);
/* A destination without a way yet, that this neighbour brings; NULL without memory. */
struct entry *kith_paths_add(struct kith_mesh_paths *p, const struct kith_destination *to,
                             uint32_t neighbour);
void kith_paths_drop(struct kith_mesh_paths *p, struct entry *e);
/* Whether it is here because it was asked for: then others hear of it only if they ask. */
bool kith_paths_is_asked(const struct entry *e);
/* Whether there is room for one more destination with a way, which the offer brings: another may
 * have lost its own for it. */
bool kith_paths_room(struct kith_mesh_paths *p, const struct kith_mesh_offer *offer, kith_time now);
/* It holds one less: it may be gone. */
void kith_paths_release(struct kith_mesh_paths *p, struct owner *o);
/* Gives it to another; false when there was no memory to note whose it is: it is gone. */
bool kith_paths_hand_over(struct kith_mesh_paths *p, struct entry *e, uint32_t neighbour);
/* The last way is gone: what was told of it is remembered. */
void kith_paths_lose(struct kith_mesh_paths *p, struct entry *e, kith_time now);
/* Puts it where it belongs now that its ways are others, or that it was not used for long. */
void kith_paths_file(struct entry *e, kith_time now);
/* Whether there is room for one more of those that neighbours told of unasked. */
bool kith_paths_told_room(const struct kith_mesh_paths *p);
/* Makes of what was asked for what is told, as far as there is room; of how many. */
size_t kith_paths_adopt_asked(struct kith_mesh_paths *p, kith_time now);
/* A flow goes there. */
void kith_paths_touch(struct entry *e, kith_time now);

/* ---- ways ---- */

bool kith_paths_is_fresh(const struct kith_mesh_way *w, kith_time now);
bool kith_paths_is_better(const struct kith_mesh_way *a, const struct kith_mesh_way *b,
                          kith_time now);
struct kith_mesh_way *kith_paths_way_by(struct entry *e, uint32_t neighbour);
/* The best of those that are fresh; NULL. */
const struct kith_mesh_way *kith_paths_best_of(const struct entry *e, uint32_t not_by,
                                               kith_time now);
/* The best of those that may be told on; NULL. */
const struct kith_mesh_way *kith_paths_feasible_of(const struct entry *e, kith_time now);
/* Takes a way out. An entry whose owner was that neighbour goes to another that leads there. False:
 * no way is left. */
bool kith_paths_take_out(struct kith_mesh_paths *p, struct entry *e, struct kith_mesh_way *w,
                         kith_time now);
/* The place for a way by this neighbour: its own, a free one, or that of a worse. NULL: none. The
 * best of those that may be told on is not given up for one that may not, however short. */
struct kith_mesh_way *kith_paths_place_for(struct kith_mesh_paths *p, struct entry *e,
                                           const struct kith_mesh_way *w, kith_time now);

/* ---- measured ---- */

/* What was measured over the neighbour stays, whatever it takes back and tells anew. */
void kith_paths_recall(const struct kith_mesh_paths *p, const struct kith_destination *to,
                       struct kith_mesh_way *w, kith_time now);

#endif
