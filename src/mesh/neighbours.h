/* neighbours.h: what the relay keeps of each neighbour, found by its number.
 *
 * Numbers are small (a node's handles for its peers), and one is looked for with every datagram: so
 * they are places in an array. Test: tests/unit/mesh_relay_test.c. */
#ifndef KITH_MESH_NEIGHBOURS_H
#define KITH_MESH_NEIGHBOURS_H

#include "base/alloc.h"
#include "mesh/share.h"
#include "session/reassembly.h"

enum { KITH_MESH_NEIGHBOURS_MAX = 65536 };

struct kith_mesh_neighbour {
    uint32_t number, labels; /* labels: given out so far */
    bool high;               /* labels that this side chooses have the highest bit */
    size_t begun;            /* flows that came from it */
    uint16_t piece_id;
    kith_time opens_paid, ends_paid;
    struct kith_reassembly pieces;
    struct kith_share_of share; /* of what is sent on */
    size_t room;                /* the largest datagram that its session takes, as of room_at */
    kith_time room_at;
};

struct kith_mesh_neighbours { /* all-zero with `alloc` set: none */
    const struct kith_alloc *alloc;
    struct kith_mesh_neighbour **at; /* `cap` of them, NULL where there is none */
    size_t cap;
};

void kith_mesh_neighbours_fini(struct kith_mesh_neighbours *l);
/* NULL where there is none. */
static inline struct kith_mesh_neighbour *
kith_mesh_neighbours_find(const struct kith_mesh_neighbours *l, uint32_t number)
{
    return number < l->cap ? l->at[number] : NULL;
}
/* KITH_E_NOMEM; KITH_E_FULL for a number of KITH_MESH_NEIGHBOURS_MAX or more. There is none yet. */
int kith_mesh_neighbours_add(struct kith_mesh_neighbours *l, uint32_t number,
                             struct kith_mesh_neighbour **ret) KITH_MUST_CHECK;
/* Takes it out; NULL is harmless for free, which gives its memory back. */
struct kith_mesh_neighbour *kith_mesh_neighbours_take(struct kith_mesh_neighbours *l,
                                                      uint32_t number);
void kith_mesh_neighbour_free(const struct kith_mesh_neighbours *l, struct kith_mesh_neighbour *n);

#endif
