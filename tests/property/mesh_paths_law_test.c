/* Laws of the path table, over many seeds and whatever neighbours tell:
 *   1. with no more neighbours than it keeps ways, and room for all, it holds exactly what was told
 *      and is fresh, and its best way is the one of least cost as the header says it, computed here
 *      another way;
 *   2. with many neighbours and little room it never holds more destinations than it may, nor two
 * ways by one neighbour, nor one by a neighbour that is gone, nor one that is not fresh;
 *   3. what it holds can be walked, each destination once;
 *   4. everything it took is given back. */
#include "mesh/paths.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

#include "lab_alloc.h"

enum { SEEDS = 30, STEPS = 4000, DESTINATIONS = 40, FEW = 3, MANY = 20 };
#define WALL ((kith_wall)1800000000)

static struct lab_dice dice;
static struct lab_alloc heap;
static struct kith_env env;

static uint32_t below(uint32_t n)
{
    return (uint32_t)kith_random_below(&dice.random, n);
}

static struct kith_destination dest(uint32_t i)
{
    return (struct kith_destination){{(uint8_t)i, (uint8_t)(i >> 8), 1}};
}

static struct kith_mesh_paths *open_table(size_t max)
{
    struct kith_mesh_paths *p;

    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &dice.random};
    assert_int_equal(kith_mesh_paths_new(&env, max, &p), KITH_OK);
    return p;
}

static void close_table(struct kith_mesh_paths *p)
{
    kith_mesh_paths_free(p);
    assert_int_equal(heap.live, 0);
}

/* ---- 1: the model ---- */

struct model_way {
    bool there;
    unsigned hops;
    double rtt, loss;            /* microseconds, 0: not measured; of 65535 */
    uint64_t heard, avoid_until; /* seconds */
    uint64_t noted;              /* seconds: when something was measured last; 0: never */
};

struct model {
    struct model_way way[DESTINATIONS][FEW];
    kith_wall expires[DESTINATIONS];
};

static bool is_fresh(const struct model_way *w, struct kith_now now)
{
    return w->there && now.mono / KITH_SEC - w->heard < KITH_MESH_FRESH / KITH_SEC;
}

static double cost(const struct model_way *w, struct kith_now now)
{
    double rtt = w->rtt > 0 ? w->rtt : 30000.0 * w->hops;

    return rtt * (1 + 8 * w->loss / 65535) + (now.mono / KITH_SEC < w->avoid_until ? 1e12 : 0);
}

static void model_tell(struct model *m, uint32_t d, uint32_t by, unsigned hops, kith_wall expires,
                       struct kith_now now)
{
    struct model_way *w = &m->way[d][by];

    if (!w->there &&
        (w->noted == 0 || now.mono / KITH_SEC - w->noted >= KITH_MESH_MEASURED_FOR / KITH_SEC))
        *w = (struct model_way){.there = false};
    w->there = true;
    w->hops = hops;
    w->heard = now.mono / KITH_SEC;
    if (expires > m->expires[d])
        m->expires[d] = expires;
}

/* What is usual is not remembered. */
static void model_note(struct model_way *w, struct kith_now now)
{
    bool usual = w->hops == 1 && w->loss <= 0 && w->rtt <= 30000;

    w->noted = usual ? 0 : now.mono / KITH_SEC;
}

static void model_measured(struct model *m, uint32_t d, uint32_t by, kith_dur rtt,
                           struct kith_now now)
{
    struct model_way *w = &m->way[d][by];

    if (!w->there)
        return;
    w->loss = (double)(uint16_t)((15 * w->loss + (rtt == 0 ? 65535 : 0)) / 16);
    if (rtt == 0) {
        model_note(w, now);
        return;
    }
    w->heard = now.mono / KITH_SEC;
    w->avoid_until = 0;
    const uint64_t us = rtt / KITH_USEC;
    w->rtt = w->rtt > 0 ? (double)(uint32_t)((7 * w->rtt + (double)us) / 8) : (double)us;
    model_note(w, now);
}

static void model_gone(struct model *m, uint32_t by)
{
    for (uint32_t d = 0; d < DESTINATIONS; d++)
        m->way[d][by].there = false;
}

static void model_tick(struct model *m, struct kith_now now)
{
    for (uint32_t d = 0; d < DESTINATIONS; d++) {
        bool any = false;
        for (uint32_t by = 0; by < FEW; by++) {
            struct model_way *w = &m->way[d][by];
            w->there = is_fresh(w, now) && now.wall < m->expires[d];
            any |= w->there;
        }
        if (!any)
            m->expires[d] = 0;
    }
}

static void compare(struct kith_mesh_paths *p, const struct model *m, struct kith_now now)
{
    for (uint32_t d = 0; d < DESTINATIONS; d++) {
        const struct kith_destination to = dest(d);
        struct kith_mesh_way w[KITH_MESH_WAYS], best;
        size_t n = kith_mesh_paths_ways(p, &to, now.mono, w), expected = 0;
        for (uint32_t by = 0; by < FEW; by++)
            expected += is_fresh(&m->way[d][by], now);
        assert_int_equal(n, expected);
        assert_int_equal(kith_mesh_paths_best(p, &to, KITH_MESH_NOBODY, now.mono, &best), n > 0);
        for (size_t i = 0; i < n; i++) {
            const struct model_way *mw = &m->way[d][w[i].neighbour];
            assert_true(is_fresh(mw, now));
            assert_int_equal(w[i].hops, mw->hops);
            /* whole microseconds there, fractions here */
            if (i > 0)
                assert_true(cost(&m->way[d][w[i - 1].neighbour], now) <= cost(mw, now) + 9);
        }
        if (n > 0)
            assert_int_equal(best.neighbour, w[0].neighbour);
    }
}

static void step(struct kith_mesh_paths *p, struct model *m, struct kith_now *now)
{
    uint32_t d = below(DESTINATIONS), by = below(FEW);
    const struct kith_destination to = dest(d);
    enum kith_mesh_told told;
    kith_dur rtt = below(4) == 0 ? 0 : (1 + below(500)) * KITH_MSEC;
    struct kith_mesh_offer o = {.neighbour = by,
                                .hops = (uint8_t)(1 + below(KITH_MESH_HOPS_MAX)),
                                .expires = now->wall + 1 + below(5000)};

    switch (below(16)) {
    case 0:
        (void)kith_mesh_paths_gone(p, by, now->mono);
        model_gone(m, by);
        /* with its last way an entry forgets until when it held */
        for (d = 0; d < DESTINATIONS; d++)
            if (!m->way[d][0].there && !m->way[d][1].there && !m->way[d][2].there)
                m->expires[d] = 0;
        break;
    case 1:
        kith_mesh_paths_failed(p, &to, by, now->mono);
        if (!m->way[d][by].there)
            break;
        if (m->way[d][by].rtt > 0 || m->way[d][by].loss > 0)
            model_note(&m->way[d][by], *now);
        m->way[d][by].avoid_until = (now->mono + KITH_MESH_AVOID) / KITH_SEC;
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        kith_mesh_paths_measured(p, &to, by, rtt, now->mono);
        model_measured(m, d, by, rtt, *now);
        break;
    default:
        assert_int_equal(kith_mesh_paths_tell(p, &to, &o, *now, &told), KITH_OK);
        model_tell(m, d, by, o.hops, o.expires, *now);
    }
    kith_dur d_time = below(10) == 0 ? below(300) * KITH_SEC : below(3000) * KITH_MSEC;
    now->wall += (now->mono + d_time) / KITH_SEC - now->mono / KITH_SEC;
    now->mono += d_time;
    (void)kith_mesh_paths_tick(p, *now);
    model_tick(m, *now);
}

static void it_holds_exactly_what_was_told_and_orders_it_by_cost(void **state)
{
    static struct model m;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct kith_now now = {.mono = 10000 * KITH_SEC, .wall = WALL};
        lab_seed(&dice, seed);
        memset(&m, 0, sizeof m);
        struct kith_mesh_paths *p = open_table(2 * DESTINATIONS);
        for (int i = 0; i < STEPS; i++) {
            step(p, &m, &now);
            if (i % 16 == 0)
                compare(p, &m, now);
        }
        close_table(p);
    }
}

/* ---- 2 and 3 ---- */

static void sound(struct kith_mesh_paths *p, size_t max, struct kith_now now, uint32_t gone)
{
    struct kith_mesh_way w[KITH_MESH_WAYS];
    struct kith_destination to;
    kith_wall expires;
    size_t at = 0, n = 0;

    assert_true(kith_mesh_paths_count(p) <= max);
    while (kith_mesh_paths_next(p, &at, &to, &expires)) {
        n++;
        assert_true(expires > now.wall);
        size_t ways = kith_mesh_paths_ways(p, &to, now.mono, w);
        assert_in_range(ways, 1, KITH_MESH_WAYS);
        for (size_t i = 0; i < ways; i++) {
            assert_int_not_equal(w[i].neighbour, gone);
            for (size_t k = 0; k < i; k++)
                assert_int_not_equal(w[i].neighbour, w[k].neighbour);
        }
    }
    assert_int_equal(n, kith_mesh_paths_count(p));
}

/* The news to everybody, and one answer. */
static void tell_on(struct kith_mesh_paths *p, struct kith_now now)
{
    const struct kith_destination to = dest(below(2000));
    struct kith_mesh_advert a;

    for (size_t at = 0; kith_mesh_paths_next_advert(p, &at, KITH_MESH_NEWS, now.mono, &a);)
        kith_mesh_paths_told(p, &a, true);
    (void)kith_mesh_paths_answer(p, &to, below(MANY), now.mono, &a);
}

static void whatever_is_told_it_stays_within_its_bounds(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct kith_now now = {.mono = 10000 * KITH_SEC, .wall = WALL};
        lab_seed(&dice, seed);
        size_t max = 1 + below(200);
        struct kith_mesh_paths *p = open_table(max);
        for (int i = 0; i < STEPS; i++) {
            const struct kith_destination to = dest(below(2000));
            struct kith_mesh_offer o = {.neighbour = below(MANY),
                                        .hops = (uint8_t)(1 + below(8)),
                                        .asked = below(4) == 0,
                                        .expires = now.wall + 1 + below(2000)};
            enum kith_mesh_told told;
            assert_int_equal(kith_mesh_paths_tell(p, &to, &o, now, &told), KITH_OK);
            assert_true(kith_mesh_paths_count(p) <= max);
            if (below(8) == 0)
                tell_on(p, now);
            if (i % 100 != 99)
                continue;
            now.mono += below(600) * KITH_SEC;
            now.wall = WALL + (now.mono - 10000 * KITH_SEC) / KITH_SEC;
            uint32_t gone = below(MANY);
            (void)kith_mesh_paths_gone(p, gone, now.mono);
            (void)kith_mesh_paths_tick(p, now);
            sound(p, max, now, gone);
        }
        close_table(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_exactly_what_was_told_and_orders_it_by_cost),
        cmocka_unit_test(whatever_is_told_it_stays_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
