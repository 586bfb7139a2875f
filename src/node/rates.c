/* rates.c: what the links to neighbours carry, in what is told of ways.
 *
 * A way is told with the class of its slowest link: log2 of bit/s, as far as anybody on it has
 * measured its own. What a neighbour told stays in the table as it was told; the link to that
 * neighbour is reckoned in when somebody asks, or is told. Spec: docs/spec/mesh.md 2.2.
 * Test: tests/sim/mesh_rates_test.c. */
#include "node/internal.h"

enum { CLASS_MAX = 63, CLASS_STEP = 2 }; /* another class is news from so much on */

static uint8_t class_of(uint64_t bits)
{
    uint8_t c = 0;

    while ((bits >>= 1) != 0)
        c++;
    return c;
}

/* The lesser of those that are known. */
static uint8_t slowest(uint8_t link, uint8_t told)
{
    uint8_t way = told < CLASS_MAX ? told : CLASS_MAX;

    return link == 0 || (way != 0 && way < link) ? way : link;
}

uint8_t rates_of_way(const struct kith_node *n, uint32_t by, uint8_t told)
{
    return slowest(by < n->n_handles ? class_of(n->by_handle[by]->mesh.rate) : 0, told);
}

/* That a rate is not known any more is none: it was the way's, and may be yet. */
static bool is_other(uint8_t before, uint8_t now)
{
    return now != 0 && (before == 0 || before + CLASS_STEP <= now || now + CLASS_STEP <= before);
}

void rates_heard(struct kith_node *n, struct mesh_network *m, const struct node_peer *p,
                 const struct kith_route_item *item, struct kith_now now)
{
    struct kith_mesh_way way;

    if (kith_mesh_paths_feasible(m->paths, &item->destination, now.mono, &way) &&
        way.neighbour == p->handle &&
        is_other(rates_of_way(n, p->handle, way.rate), rates_of_way(n, p->handle, item->rate)))
        kith_mesh_paths_renew(m->paths, &item->destination);
}

/* The ways that are told on by a neighbour, if its link makes another of them. */
static void link_changed(struct mesh_network *m, uint32_t by, uint8_t before, uint8_t is,
                         struct kith_now now)
{
    struct kith_mesh_advert a;
    size_t at = 0;

    while (m->paths != NULL &&
           kith_mesh_paths_next_advert(m->paths, &at, KITH_MESH_ALL, now.mono, &a)) {
        if (a.by != by || !is_other(slowest(before, a.rate), slowest(is, a.rate)))
            continue;
        kith_mesh_paths_renew(m->paths, &a.to);
        routes_tell_soon(m, now);
    }
}

void rates_measured(struct kith_node *n, struct node_peer *p, uint64_t rate, struct kith_now now)
{
    const uint8_t before = p->mesh.rate_told, is = class_of(rate);

    p->mesh.rate = rate;
    if (!is_other(before, is))
        return;
    p->mesh.rate_told = is;
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        link_changed(&n->mesh->net[i], p->handle, before, is, now);
}
