#include "mesh/neighbours.h"

void kith_mesh_neighbour_free(const struct kith_mesh_neighbours *l, struct kith_mesh_neighbour *n)
{
    if (n == NULL)
        return;
    kith_reassembly_fini(&n->pieces);
    kith_free(l->alloc, n);
}

void kith_mesh_neighbours_fini(struct kith_mesh_neighbours *l)
{
    for (size_t i = 0; i < l->cap; i++)
        kith_mesh_neighbour_free(l, l->at[i]);
    kith_free(l->alloc, l->at);
    *l = (struct kith_mesh_neighbours){.alloc = l->alloc};
}

static int make_room(struct kith_mesh_neighbours *l, uint32_t number)
{
    size_t cap = l->cap != 0 ? l->cap : 16;

    if (number >= KITH_MESH_NEIGHBOURS_MAX)
        return KITH_E_FULL;
    while (cap <= number)
        cap *= 2;
    if (cap == l->cap)
        return KITH_OK;
    struct kith_mesh_neighbour **at = kith_resize(l->alloc, l->at, cap * sizeof(void *));
    if (at == NULL)
        return KITH_E_NOMEM;
    for (size_t i = l->cap; i < cap; i++)
        at[i] = NULL;
    l->at = at;
    l->cap = cap;
    return KITH_OK;
}

int kith_mesh_neighbours_add(struct kith_mesh_neighbours *l, uint32_t number,
                             struct kith_mesh_neighbour **ret)
{
    int err = make_room(l, number);

    if (err < 0)
        return err;
    struct kith_mesh_neighbour *n = kith_new_zero(l->alloc, sizeof *n);
    if (n == NULL)
        return KITH_E_NOMEM;
    n->number = number;
    n->pieces.alloc = l->alloc;
    n->room_at = KITH_NEVER;
    l->at[number] = *ret = n;
    return KITH_OK;
}

struct kith_mesh_neighbour *kith_mesh_neighbours_take(struct kith_mesh_neighbours *l,
                                                      uint32_t number)
{
    struct kith_mesh_neighbour *n = kith_mesh_neighbours_find(l, number);

    if (n != NULL)
        l->at[number] = NULL;
    return n;
}
