/* Laws of telling paths on, over random graphs of path tables that tell their neighbours what the
 * header says is to be told, in rounds:
 *   1. at rest everybody that is connected to a destination has a way to it, of as many hops as the
 *      shortest path in the graph has, computed here another way;
 *   2. when a destination vanishes, nobody tells of it any more after as many rounds as the graph
 *      has nodes, and hops never grow beyond what they were by more than that: nobody counts up;
 *   3. what is told on never leads in circles: following, of one number, from each node to the one
 *      that it was told by, never comes back;
 *   4. when edges go and come and the destination takes newer numbers, the first law holds again.
 */
#include "mesh/paths.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

#include "lab_alloc.h"

enum { SEEDS = 20, NODES = 24, FAR = NODES + 1 };
#define WALL ((kith_wall)1800000000)

static struct lab_dice dice;
static struct lab_alloc heap;
static struct kith_env env;
static struct kith_now now;

/* Node d is destination d; its table never holds itself. */
struct graph {
    struct kith_mesh_paths *table[NODES];
    bool edge[NODES][NODES];
    bool alive[NODES];
    uint32_t seq[NODES];
};

static struct kith_destination dest(uint32_t i)
{
    return (struct kith_destination){{(uint8_t)i, 1}};
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)kith_random_below(&dice.random, n);
}

static void tell(struct graph *g, uint32_t from, uint32_t to, const struct kith_destination *d,
                 const struct kith_mesh_advert *a)
{
    struct kith_mesh_offer o = {.neighbour = from,
                                .hops = (uint8_t)(a->hops + 1),
                                .seq = a->seq,
                                .expires = now.wall + 100000};
    enum kith_mesh_told told;

    if (d->b[0] == to)
        return; /* of itself it knows better */
    if (a->by == to || a->by == KITH_MESH_NOBODY || a->hops >= KITH_MESH_HOPS_MAX)
        kith_mesh_paths_withdrawn(g->table[to], d, from, now.mono);
    else
        assert_int_equal(kith_mesh_paths_tell(g->table[to], d, &o, now, &told), KITH_OK);
}

static void tell_neighbours(struct graph *g, uint32_t from, const struct kith_mesh_advert *a)
{
    for (uint32_t to = 0; to < NODES; to++)
        if (g->edge[from][to] && g->alive[to])
            tell(g, from, to, &a->to, a);
}

/* All there is, to a neighbour that was not there before. */
static void greet(struct graph *g, uint32_t from, uint32_t to)
{
    struct kith_mesh_advert a = {.to = dest(from), .seq = g->seq[from], .by = from, .hops = 0};
    size_t at = 0;

    tell(g, from, to, &a.to, &a);
    while (kith_mesh_paths_next_advert(g->table[from], &at, KITH_MESH_ALL, now.mono, &a)) {
        tell(g, from, to, &a.to, &a);
        kith_mesh_paths_told(g->table[from], &a, false);
    }
}

/* One tells what is new. How much was. */
static unsigned turn(struct graph *g, uint32_t from)
{
    struct kith_mesh_advert a;
    unsigned n = 0;
    size_t at = 0;

    while (kith_mesh_paths_next_advert(g->table[from], &at, KITH_MESH_NEWS, now.mono, &a)) {
        tell_neighbours(g, from, &a);
        kith_mesh_paths_told(g->table[from], &a, true);
        if (a.starved && g->alive[a.to.b[0]]) /* it asks, and the request gets there */
            g->seq[a.to.b[0]] = a.seq + 1;
        n++;
    }
    return n;
}

/* Each says once more where it is, under its number. */
static void announce(struct graph *g)
{
    for (uint32_t i = 0; i < NODES; i++) {
        const struct kith_mesh_advert a = {.to = dest(i), .seq = g->seq[i], .by = i};
        if (g->alive[i])
            tell_neighbours(g, i, &a);
    }
}

/* Rounds in random order until nothing is new; how many. */
static unsigned settle(struct graph *g)
{
    unsigned rounds = 0, news = 1;

    for (; news > 0 && rounds < 10 * NODES; rounds++) {
        news = 0;
        announce(g);
        for (uint32_t k = 0, first = below(NODES); k < NODES; k++)
            if (g->alive[(first + 7 * k) % NODES])
                news += turn(g, (first + 7 * k) % NODES);
    }
    assert_true(rounds < 10 * NODES);
    return rounds;
}

static void unlink_nodes(struct graph *g, uint32_t a, uint32_t b)
{
    g->edge[a][b] = g->edge[b][a] = false;
    (void)kith_mesh_paths_gone(g->table[a], b, now.mono);
    (void)kith_mesh_paths_gone(g->table[b], a, now.mono);
}

static void link_nodes(struct graph *g, uint32_t a, uint32_t b)
{
    if (a == b || g->edge[a][b] || !g->alive[a] || !g->alive[b])
        return;
    g->edge[a][b] = g->edge[b][a] = true;
    greet(g, a, b);
    greet(g, b, a);
}

static void build(struct graph *g, uint32_t seed)
{
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &dice.random};
    lab_seed(&dice, seed);
    now = (struct kith_now){.mono = 1000 * KITH_SEC, .wall = WALL};
    *g = (struct graph){.seq = {0}};
    for (uint32_t i = 0; i < NODES; i++) {
        assert_int_equal(kith_mesh_paths_new(&env, 1000, &g->table[i]), KITH_OK);
        g->alive[i] = true;
        g->seq[i] = 1;
    }
    for (uint32_t i = 0; i < 2 * NODES; i++)
        link_nodes(g, below(NODES), below(NODES));
}

static void clear(struct graph *g)
{
    for (uint32_t i = 0; i < NODES; i++)
        kith_mesh_paths_free(g->table[i]);
    assert_int_equal(heap.live, 0);
}

/* Hops of the shortest path between all (Floyd and Warshall); FAR: none. */
static void distances(const struct graph *g, unsigned d[NODES][NODES])
{
    for (uint32_t i = 0; i < NODES; i++)
        for (uint32_t j = 0; j < NODES; j++)
            d[i][j] = i == j ? 0 : g->edge[i][j] ? 1 : FAR;
    for (uint32_t k = 0; k < NODES; k++)
        for (uint32_t i = 0; i < NODES; i++)
            for (uint32_t j = 0; j < NODES; j++)
                if (d[i][k] + d[k][j] < d[i][j])
                    d[i][j] = d[i][k] + d[k][j];
}

/* The hops told on of a destination; FAR: none. */
static struct kith_mesh_advert advert(const struct graph *g, uint32_t node, uint32_t to)
{
    struct kith_mesh_advert a;
    size_t at = 0;

    while (kith_mesh_paths_next_advert(g->table[node], &at, KITH_MESH_ALL, now.mono, &a))
        if (a.to.b[0] == to)
            return a;
    return (struct kith_mesh_advert){.hops = FAR};
}

static void assert_shortest(const struct graph *g)
{
    unsigned d[NODES][NODES];

    distances(g, d);
    for (uint32_t i = 0; i < NODES; i++)
        for (uint32_t j = 0; j < NODES; j++)
            if (i != j && g->alive[i] && g->alive[j])
                assert_int_equal(advert(g, i, j).hops, d[i][j]);
}

static void assert_no_circles(const struct graph *g)
{
    for (uint32_t i = 0; i < NODES; i++)
        for (uint32_t j = 0; j < NODES; j++) {
            uint32_t at = i, steps = 0;
            struct kith_mesh_advert a = {.hops = 0};
            while (at != j && g->alive[at] && (a = advert(g, at, j)).hops != FAR) {
                at = a.by;
                assert_true(++steps < NODES);
            }
        }
}

static void at_rest_everybody_leads_the_shortest_way(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        static struct graph g;
        print_message("seed %u\n", seed);
        build(&g, seed);
        (void)settle(&g);
        assert_shortest(&g);
        assert_no_circles(&g);
        clear(&g);
    }
}

static void vanish(struct graph *g, uint32_t who)
{
    g->alive[who] = false;
    for (uint32_t i = 0; i < NODES; i++)
        if (g->edge[who][i])
            unlink_nodes(g, who, i);
}

static void nobody_counts_up_towards_one_that_is_gone(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        static struct graph g;
        print_message("seed %u\n", seed);
        build(&g, seed);
        (void)settle(&g);
        vanish(&g, 0);
        unsigned most = 0, rounds = settle(&g);
        for (uint32_t i = 1; i < NODES; i++) {
            unsigned hops = advert(&g, i, 0).hops;
            most = hops != FAR && hops > most ? hops : most;
        }
        assert_int_equal(most, 0);
        assert_true(rounds <= NODES);
        clear(&g);
    }
}

static void what_is_told_never_leads_in_circles_while_edges_come_and_go(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        static struct graph g;
        print_message("seed %u\n", seed);
        build(&g, seed);
        for (int i = 0; i < 60; i++) {
            uint32_t a = below(NODES), b = below(NODES);
            if (g.edge[a][b])
                unlink_nodes(&g, a, b);
            else
                link_nodes(&g, a, b);
            (void)turn(&g, below(NODES));
            assert_no_circles(&g);
        }
        for (uint32_t i = 0; i < NODES; i++)
            g.seq[i]++; /* each says so under a newer number */
        (void)settle(&g);
        assert_shortest(&g);
        assert_no_circles(&g);
        clear(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_everybody_leads_the_shortest_way),
        cmocka_unit_test(nobody_counts_up_towards_one_that_is_gone),
        cmocka_unit_test(what_is_told_never_leads_in_circles_while_edges_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
