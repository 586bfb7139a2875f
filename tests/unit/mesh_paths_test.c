/* The path table: which way is best, what is kept of what neighbours tell, and who makes room. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "mesh/paths.h"

#define WALL ((kith_wall)1800000000)
#define LATER (WALL + 86400)

enum { MAX = 2048, TOLD = MAX - MAX / 8 /* and the rest is for what was asked for */ };

static struct kith_random_seeded seeded;
static struct kith_random rnd;
static struct lab_alloc heap;
static struct kith_env env;
static struct kith_mesh_paths *p;
static struct kith_now now;

static int begin(void **state)
{
    (void)state;
    kith_random_seeded_init(&seeded, 5);
    rnd = kith_random_from_seed(&seeded);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &rnd};
    now = (struct kith_now){.mono = 1000 * KITH_SEC, .wall = WALL};
    return kith_mesh_paths_new(&env, MAX, &p);
}

static int finish(void **state)
{
    (void)state;
    kith_mesh_paths_free(p);
    return heap.live == 0 ? 0 : -1;
}

static struct kith_destination dest(uint32_t i)
{
    return (struct kith_destination){
        {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0xde}};
}

static int told(uint32_t to, uint32_t by, unsigned hops, enum kith_mesh_told *ret)
{
    const struct kith_destination d = dest(to);

    return kith_mesh_paths_tell(
        p, &d, &(struct kith_mesh_offer){.neighbour = by, .hops = (uint8_t)hops, .expires = LATER},
        now, ret);
}

static enum kith_mesh_told tell(uint32_t to, uint32_t by, unsigned hops)
{
    enum kith_mesh_told ret = KITH_MESH_TOLD_WORSE;

    assert_int_equal(told(to, by, hops, &ret), KITH_OK);
    return ret;
}

static void measured(uint32_t to, uint32_t by, kith_dur rtt)
{
    const struct kith_destination d = dest(to);

    kith_mesh_paths_measured(p, &d, by, rtt, now.mono);
}

/* The neighbour of the best way; KITH_MESH_NOBODY: there is none. */
static uint32_t best(uint32_t to, uint32_t not_by)
{
    const struct kith_destination d = dest(to);
    struct kith_mesh_way w;

    return kith_mesh_paths_best(p, &d, not_by, now.mono, &w) ? w.neighbour : KITH_MESH_NOBODY;
}

static size_t ways(uint32_t to)
{
    const struct kith_destination d = dest(to);
    struct kith_mesh_way w[KITH_MESH_WAYS];

    return kith_mesh_paths_ways(p, &d, now.mono, w);
}

static void pass(kith_dur d)
{
    now.mono = kith_after(now.mono, d);
    now.wall += d / KITH_SEC;
}

static void the_fewest_hops_are_best_until_more_is_known(void **state)
{
    (void)state;
    assert_int_equal(best(1, KITH_MESH_NOBODY), KITH_MESH_NOBODY);
    assert_int_equal(tell(1, 7, 3), KITH_MESH_TOLD_NEW);
    assert_int_equal(tell(1, 8, 2), KITH_MESH_TOLD_CHANGED);
    assert_int_equal(tell(1, 8, 2), KITH_MESH_TOLD_KNOWN);
    assert_int_equal(tell(1, 9, 5), KITH_MESH_TOLD_KNOWN);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    assert_int_equal(best(1, 8), 7);                         /* never back to where it came from */
    assert_int_equal(tell(1, 8, 9), KITH_MESH_TOLD_CHANGED); /* farther now */
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
}

static void whoever_lies_about_hops_is_demoted_by_what_is_measured(void **state)
{
    (void)state;
    (void)tell(1, 7, 1); /* says it is the destination itself */
    (void)tell(1, 8, 3);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
    for (int i = 0; i < 10; i++)
        measured(1, 7, 400 * KITH_MSEC);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8); /* 90 ms are guessed */
    measured(1, 8, 60 * KITH_MSEC);
    /* or it loses what it gets: a short round trip does not help then */
    (void)tell(2, 7, 1);
    (void)tell(2, 8, 3);
    measured(2, 7, 20 * KITH_MSEC);
    measured(2, 8, 60 * KITH_MSEC);
    assert_int_equal(best(2, KITH_MESH_NOBODY), 7);
    for (int i = 0; i < 10; i++)
        measured(2, 7, 0);
    assert_int_equal(best(2, KITH_MESH_NOBODY), 8);
    /* telling again washes nothing off */
    (void)tell(2, 7, 1);
    assert_int_equal(best(2, KITH_MESH_NOBODY), 8);
    for (int i = 0; i < 100; i++)
        measured(2, 7, 20 * KITH_MSEC);
    assert_int_equal(best(2, KITH_MESH_NOBODY), 7); /* but better times do */
}

/* Else whoever draws packets and loses them would only have to say that it tells anew. */
static void what_was_measured_is_not_washed_off_by_telling_anew(void **state)
{
    const struct kith_destination d = dest(1);

    (void)state;
    tell(1, 7, 1); /* the liar */
    tell(1, 8, 3);
    measured(1, 7, 20 * KITH_MSEC);
    for (int i = 0; i < 20; i++)
        measured(1, 7, 0);
    measured(1, 8, 60 * KITH_MSEC);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    tell(1, 7, 1);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    kith_mesh_paths_withdrawn(p, &d, 7, now.mono);
    tell(1, 7, 1);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    kith_mesh_paths_failed(p, &d, 8, now.mono); /* nor that it failed a moment ago */
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
    (void)kith_mesh_paths_gone(p, 8, now.mono);
    tell(1, 8, 3);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    pass(3600 * KITH_SEC); /* for ever would be unjust */
    tell(1, 8, 3);
    tell(1, 7, 1);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
}

static void what_was_measured_before_a_restart_counts_when_the_way_is_told(void **state)
{
    const struct kith_destination d = dest(1);
    struct kith_mesh_way w[KITH_MESH_WAYS];
    size_t at = 0;

    (void)state;
    tell(1, 7, 1);
    measured(1, 7, 250 * KITH_MSEC);
    measured(1, 7, 0);
    pass(100 * KITH_SEC);
    struct kith_mesh_measure kept = *kith_mesh_paths_next_measure(p, &at, now.mono);
    assert_null(kith_mesh_paths_next_measure(p, &at, now.mono));
    assert_int_equal(kept.neighbour, 7);
    assert_int_equal(kept.rtt, 250000);
    kith_mesh_paths_free(p);
    assert_int_equal(kith_mesh_paths_new(&env, MAX, &p), KITH_OK);
    kept.neighbour = 3; /* numbers are others now, and the clock begins at 0 */
    now.mono = KITH_SEC;
    kept.at = (uint32_t)1 - 100;
    kept.avoid_until = 0;
    assert_int_equal(kith_mesh_paths_remember(p, &kept), KITH_OK);
    assert_int_equal(ways(1), 0); /* a memory is no way */
    tell(1, 3, 1);
    assert_int_equal(kith_mesh_paths_ways(p, &d, now.mono, w), 1);
    assert_int_equal(w[0].rtt, 250000);
    assert_int_equal(w[0].loss, 65535 / 16);
}

/* Whoever makes flows through this node fail would else fill what is remembered. */
static void what_only_failed_is_not_remembered(void **state)
{
    const struct kith_destination d = dest(1);
    size_t at = 0;

    (void)state;
    tell(1, 7, 1);
    kith_mesh_paths_failed(p, &d, 7, now.mono);
    assert_null(kith_mesh_paths_next_measure(p, &at, now.mono));
    measured(1, 7, 0);
    kith_mesh_paths_failed(p, &d, 7, now.mono);
    const struct kith_mesh_measure *m = kith_mesh_paths_next_measure(p, &at, now.mono);
    assert_non_null(m);
    assert_int_equal(m->avoid_until, now.mono / KITH_SEC + 10);
    assert_int_equal(m->loss, 65535 / 16);
}

static void a_number_that_is_another_neighbour_s_has_no_past(void **state)
{
    size_t at = 0;

    (void)state;
    tell(1, 7, 2);
    tell(1, 8, 2);
    measured(1, 7, 400 * KITH_MSEC);
    measured(1, 8, 200 * KITH_MSEC);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    kith_mesh_paths_forget_neighbour(p, 7);
    assert_int_equal(kith_mesh_paths_next_measure(p, &at, now.mono)->neighbour, 8);
    assert_null(kith_mesh_paths_next_measure(p, &at, now.mono));
    tell(1, 7, 2);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7); /* 60 ms, as anybody's */
}

/* Of every neighbour it would be: each 30 s, for nothing. */
static void what_is_usual_of_a_neighbour_is_not_remembered(void **state)
{
    const size_t before = heap.live;
    size_t at = 0;

    (void)state;
    tell(1, 7, 1);
    const size_t told_one = heap.live;
    measured(1, 7, 20 * KITH_MSEC);
    assert_int_equal(heap.live, told_one);
    measured(1, 7, 0); /* until it loses something */
    assert_true(kith_mesh_paths_next_measure(p, &at, now.mono)->loss > 0);
    for (int i = 0; i < 200; i++)
        measured(1, 7, 20 * KITH_MSEC);
    at = 0; /* what is better now is not remembered as it was */
    assert_null(kith_mesh_paths_next_measure(p, &at, now.mono));
    measured(1, 7, 900 * KITH_MSEC); /* but slower than anybody would think is */
    at = 0;
    assert_int_equal(kith_mesh_paths_next_measure(p, &at, now.mono)->neighbour, 7);
    size_t blocks;
    (void)kith_mesh_paths_measured_size(p, &blocks);
    assert_int_equal(blocks, 3);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    pass(3600 * KITH_SEC);
    (void)kith_mesh_paths_tick(p, now);
    assert_int_equal(heap.live, before + 2); /* the tables' slots */
}

static void three_ways_are_kept_and_a_better_one_takes_the_worst_ones_place(void **state)
{
    const struct kith_destination d = dest(1);
    struct kith_mesh_way w[KITH_MESH_WAYS];

    (void)state;
    (void)tell(1, 7, 4);
    (void)tell(1, 8, 6);
    (void)tell(1, 9, 5);
    assert_int_equal(tell(1, 10, 7), KITH_MESH_TOLD_WORSE);
    assert_int_equal(tell(1, 11, 3), KITH_MESH_TOLD_CHANGED);
    assert_int_equal(kith_mesh_paths_ways(p, &d, now.mono, w), 3);
    assert_int_equal(w[0].neighbour, 11);
    assert_int_equal(w[1].neighbour, 7);
    assert_int_equal(w[2].neighbour, 9);
    assert_int_equal(w[0].hops, 3);
}

static void a_way_that_failed_comes_last_for_a_while(void **state)
{
    const struct kith_destination d = dest(1);

    (void)state;
    (void)tell(1, 7, 1);
    (void)tell(1, 8, 30);
    kith_mesh_paths_failed(p, &d, 7, now.mono);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    (void)tell(1, 7, 1); /* its word does not mend it */
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8);
    assert_int_equal(best(1, 8), 7); /* better than nothing */
    pass(KITH_MESH_AVOID);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
    kith_mesh_paths_failed(p, &d, 7, now.mono);
    measured(1, 7, 20 * KITH_MSEC); /* something came back */
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
}

static void a_way_lasts_as_long_as_it_is_told_or_used(void **state)
{
    (void)state;
    (void)tell(1, 7, 1);
    (void)tell(1, 8, 2);
    (void)tell(2, 7, 1);
    pass(KITH_MESH_FRESH / 2);
    (void)tell(1, 8, 2);
    measured(2, 7, 20 * KITH_MSEC);
    pass(KITH_MESH_FRESH / 2);
    assert_int_equal(best(1, KITH_MESH_NOBODY), 8); /* 7 is silent, swept or not */
    assert_int_equal(ways(1), 1);
    assert_int_equal(kith_mesh_paths_tick(p, now), 1);
    assert_int_equal(best(2, KITH_MESH_NOBODY), 7);
    pass(KITH_MESH_FRESH / 2);
    assert_int_equal(kith_mesh_paths_tick(p, now), 2);
    assert_int_equal(kith_mesh_paths_count(p), 0);
}

static void an_entry_ends_with_the_statement_it_rests_on(void **state)
{
    const struct kith_destination d = dest(1);
    enum kith_mesh_told ret;

    (void)state;
    assert_int_equal(
        kith_mesh_paths_tell(
            p, &d, &(struct kith_mesh_offer){.neighbour = 7, .hops = 1, .expires = WALL + 100}, now,
            &ret),
        KITH_OK);
    pass(99 * KITH_SEC);
    assert_int_equal(kith_mesh_paths_tick(p, now), 0);
    pass(KITH_SEC);
    assert_int_equal(kith_mesh_paths_tick(p, now), 1);
    assert_int_equal(kith_mesh_paths_tell(
                         p, &d,
                         &(struct kith_mesh_offer){.neighbour = 7, .hops = 1, .expires = now.wall},
                         now, &ret),
                     KITH_E_EXPIRED);
    (void)tell(2, 7, 1);
    kith_mesh_paths_forget(p, &(struct kith_destination){{0, 0, 0, 2, 0xde}});
    assert_int_equal(kith_mesh_paths_count(p), 0);
}

static void what_cannot_be_is_refused(void **state)
{
    enum kith_mesh_told ret;

    (void)state;
    assert_int_equal(told(1, 7, 0, &ret), KITH_E_INVAL);
    assert_int_equal(told(1, 7, KITH_MESH_HOPS_MAX + 1, &ret), KITH_E_INVAL);
    assert_int_equal(told(1, KITH_MESH_NOBODY, 1, &ret), KITH_E_INVAL);
    assert_int_equal(kith_mesh_paths_count(p), 0);
    measured(1, 7, KITH_SEC); /* of what is not known nothing is noted */
    assert_int_equal(kith_mesh_paths_count(p), 0);
}

static void a_neighbour_that_goes_takes_its_ways_along(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        (void)tell(i, 7, 1);
        if (i % 2 == 0)
            (void)tell(i, 8, 2);
        (void)tell(1000 + i, 8, 1);
    }
    assert_int_equal(kith_mesh_paths_gone(p, 7, now.mono), 100);
    assert_int_equal(kith_mesh_paths_count(p), 150);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(best(i, KITH_MESH_NOBODY), i % 2 == 0 ? 8 : KITH_MESH_NOBODY);
        assert_int_equal(best(1000 + i, KITH_MESH_NOBODY), 8);
    }
    assert_int_equal(kith_mesh_paths_gone(p, 7, now.mono), 0);
    assert_int_equal(kith_mesh_paths_gone(p, 8, now.mono), 150);
    assert_int_equal(kith_mesh_paths_count(p), 0);
}

static void a_flood_by_one_pushes_out_its_own_only(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        (void)tell(i, 8, 2);
    for (uint32_t i = 0; i < 100; i++)
        (void)tell(i, 9, 4); /* known to two */
    for (uint32_t i = 0; i < 20000; i++)
        (void)tell(100000 + i, 7, 1);
    assert_int_equal(kith_mesh_paths_count(p), TOLD);
    assert_int_equal(kith_mesh_paths_pushed_out(p), 0);
    assert_int_equal(kith_mesh_paths_turned_away(p), 20000 - (TOLD - 100));
    assert_true(kith_mesh_paths_is_partial(p, now.mono));
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(ways(i), 2);
    /* a third comes late, and gets its share */
    for (uint32_t i = 0; i < 500; i++)
        (void)tell(500000 + i, 10, 2);
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(best(500000 + i, KITH_MESH_NOBODY), 10);
    assert_int_equal(kith_mesh_paths_count(p), TOLD);
}

static void use(uint32_t to)
{
    const struct kith_destination d = dest(to);

    kith_mesh_paths_used(p, &d, now.mono);
}

/* By a flow, that is: a question keeps nothing. */
static void what_is_used_stays(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(i, 7, 9);
    for (uint32_t i = 0; i < 3 * TOLD; i++) {
        use(5);
        assert_int_equal(best(6, KITH_MESH_NOBODY), i < 6 ? 7 : KITH_MESH_NOBODY);
        (void)tell(100000 + i, 7, 1);
    }
    assert_int_equal(best(6, KITH_MESH_NOBODY), KITH_MESH_NOBODY);
    assert_int_equal(kith_mesh_paths_pushed_out(p), TOLD - 1);
    assert_int_equal(kith_mesh_paths_turned_away(p), 2 * TOLD + 1);
    /* for five minutes, and then it is as far away as it is */
    pass(301 * KITH_SEC);
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(100000 + i, 7, 1);
    (void)kith_mesh_paths_tick(p, now);
    (void)tell(100000 + TOLD, 7, 2);
    assert_int_equal(ways(5), 0);
}

/* Whatever the order in which they come. */
static void the_nearest_are_kept(void **state)
{
    static const unsigned hops[] = {9, 3, 7, 1, 5, 2, 8, 6, 4};
    uint32_t each = TOLD / 4;

    (void)state;
    assert_false(kith_mesh_paths_is_partial(p, now.mono));
    for (uint32_t k = 0; k < KITH_COUNT(hops); k++)
        for (uint32_t i = 0; i < each; i++)
            (void)tell(1000 * hops[k] + i, 7, hops[k]);
    for (uint32_t h = 1; h <= 9; h++)
        for (uint32_t i = 0; i < each; i++)
            assert_int_equal(ways(1000 * h + i), h <= 4);
    pass(900 * KITH_SEC);
    assert_false(kith_mesh_paths_is_partial(p, now.mono));
}

static void an_entry_takes_at_most_200_bytes(void **state)
{
    (void)state;
    size_t before = heap.bytes;
    for (uint32_t i = 0; i < TOLD; i++)
        for (uint32_t by = 1; by <= 3; by++)
            (void)tell(i, by, by);
    print_message("%zu bytes an entry\n", (heap.bytes - before) / TOLD);
    assert_true((heap.bytes - before) / TOLD <= 200);
}

static void without_memory_nothing_is_lost_but_what_is_new(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        enum kith_mesh_told ret;
        heap.fail_at = i % 3 == 0 ? heap.requests + 1 + i % 4 : 0;
        heap.fail_run = 3;
        int err = told(i, i % 7, 1 + i % 5, &ret);
        assert_true(err == KITH_OK || err == KITH_E_NOMEM);
        refused += err != KITH_OK;
        heap.fail_at = 0;
        assert_int_equal(kith_mesh_paths_count(p), i + 1 - refused);
    }
    assert_in_range(refused, 20, 100);
    /* an entry whose first neighbour goes needs a place at the second */
    (void)tell(9000, 50, 1);
    (void)tell(9000, 51, 2);
    heap.fail_at = heap.requests + 1;
    size_t count = kith_mesh_paths_count(p);
    assert_int_equal(kith_mesh_paths_gone(p, 50, now.mono), 1);
    assert_int_equal(kith_mesh_paths_count(p), count - 1);
    heap.fail_at = 0;
}

/* ---- telling on ---- */

/* What there is to tell of destination `to` (KITH_MESH_NOBODY as `by`: that nobody leads there);
 * hops 64 and one more: nothing. */
static struct kith_mesh_advert news(uint32_t to, enum kith_mesh_which which)
{
    const struct kith_destination d = dest(to);
    struct kith_mesh_advert a;
    size_t at = 0;

    while (kith_mesh_paths_next_advert(p, &at, which, now.mono, &a))
        if (kith_destination_equal(&a.to, &d))
            return a;
    return (struct kith_mesh_advert){.hops = KITH_MESH_HOPS_MAX + 1};
}

static bool nothing_to_tell(uint32_t to, enum kith_mesh_which which)
{
    return news(to, which).hops > KITH_MESH_HOPS_MAX;
}

static void tell_numbered(uint32_t to, uint32_t by, unsigned hops, uint32_t seq)
{
    const struct kith_mesh_offer o = {
        .neighbour = by, .hops = (uint8_t)hops, .seq = seq, .expires = LATER};
    const struct kith_destination d = dest(to);
    enum kith_mesh_told told;

    assert_int_equal(kith_mesh_paths_tell(p, &d, &o, now, &told), KITH_OK);
}

static void tell_everybody(uint32_t to)
{
    const struct kith_mesh_advert a = news(to, KITH_MESH_NEWS);

    assert_true(a.hops <= KITH_MESH_HOPS_MAX);
    kith_mesh_paths_told(p, &a, true);
    assert_true(nothing_to_tell(to, KITH_MESH_NEWS));
}

/* However far it is, and only so. */
static void what_was_asked_for_comes_in(void **state)
{
    struct kith_mesh_offer o = {
        .neighbour = 7, .hops = 40, .seq = 1, .expires = now.wall + 1000, .asked = true};
    const struct kith_destination far = dest(77777);
    struct kith_mesh_advert a;
    enum kith_mesh_told told;

    (void)state;
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(i, 7, 2);
    assert_int_equal(tell(77778, 7, 40), KITH_MESH_TOLD_WORSE);
    assert_int_equal(kith_mesh_paths_tell(p, &far, &o, now, &told), KITH_OK);
    assert_int_equal(told, KITH_MESH_TOLD_NEW);
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(1000 + i, 7, 1); /* which takes nothing from it */
    assert_int_equal(ways(77777), 1);
    assert_int_equal(kith_mesh_paths_count(p), TOLD + 1);
    /* others hear of it if they ask, and then that it is gone */
    assert_true(nothing_to_tell(77777, KITH_MESH_NEWS));
    assert_true(nothing_to_tell(77777, KITH_MESH_ALL));
    assert_false(kith_mesh_paths_answer(p, &far, 7, now.mono, &a)); /* who is the way there */
    assert_true(kith_mesh_paths_answer(p, &far, 8, now.mono, &a));
    assert_int_equal(a.hops, 40);
    assert_true(nothing_to_tell(77777, KITH_MESH_NEWS));
    kith_mesh_paths_withdrawn(p, &far, 7, now.mono);
    assert_int_equal(news(77777, KITH_MESH_NEWS).hops, 0);
}

/* An eighth of the table, of which the one not used for longest gives way; nothing else does. */
static void what_was_asked_for_gives_way_to_its_like(void **state)
{
    enum kith_mesh_told told;

    (void)state;
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(i, 7, 2);
    for (uint32_t i = 0; i < MAX; i++) {
        const struct kith_destination d = dest(50000 + i);
        const struct kith_mesh_offer o = {
            .neighbour = 7, .hops = 40, .expires = LATER, .asked = true};
        assert_int_equal(kith_mesh_paths_tell(p, &d, &o, now, &told), KITH_OK);
        use(50000); /* all the time */
        assert_int_equal(ways(50000), 1);
        assert_true(kith_mesh_paths_count(p) <= MAX);
    }
    for (uint32_t i = 0; i < TOLD; i++)
        assert_int_equal(ways(i), 1);
    assert_int_equal(ways(50001), 0);
    assert_int_equal(ways(50000 + MAX - 1), 1);
    /* where there is room it is as if it had been told */
    for (uint32_t i = 0; i < TOLD; i++) {
        const struct kith_destination d = dest(i);
        kith_mesh_paths_withdrawn(p, &d, 7, now.mono);
    }
    (void)kith_mesh_paths_tick(p, now);
    assert_int_equal(news(50000, KITH_MESH_ALL).hops, 40);
    assert_int_equal(news(50000, KITH_MESH_NEWS).hops, 40);
}

/* Found by a member that asked and answered at random: what came by an answer was hidden from
 * others though there was room, and when it was no more, it was no news. */
static void what_was_asked_for_is_news_where_there_is_room(void **state)
{
    struct kith_mesh_offer o = {.neighbour = 7, .hops = 4, .expires = LATER, .asked = true};
    struct kith_mesh_advert a;
    enum kith_mesh_told told;

    (void)state;
    const struct kith_destination first = dest(1), last = dest(90000);
    assert_int_equal(kith_mesh_paths_tell(p, &first, &o, now, &told), KITH_OK);
    assert_true(kith_mesh_paths_answer(p, &first, 8, now.mono, &a));
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 4);
    for (uint32_t i = 2; i <= TOLD; i++)
        (void)tell(i, 7, 1);
    assert_int_equal(kith_mesh_paths_tell(p, &last, &o, now, &told), KITH_OK);
    assert_true(kith_mesh_paths_answer(p, &last, 8, now.mono, &a));
    assert_true(nothing_to_tell(90000, KITH_MESH_NEWS));
    kith_mesh_paths_withdrawn(p, &first, 7, now.mono);
    assert_int_equal(kith_mesh_paths_tick(p, now), 1);
    assert_int_equal(news(90000, KITH_MESH_NEWS).hops, 4);
}

static void tell_news(void)
{
    struct kith_mesh_advert a;

    for (size_t at = 0; kith_mesh_paths_next_advert(p, &at, KITH_MESH_NEWS, now.mono, &a);)
        kith_mesh_paths_told(p, &a, true);
}

/* Neighbours were told that we lead there. */
static void who_was_pushed_out_is_told_of_as_gone(void **state)
{
    struct kith_mesh_advert a;
    size_t at = 0, gone = 0;

    (void)state;
    for (uint32_t i = 0; i < TOLD; i++) {
        (void)tell(i, 7, 5);
        tell_everybody(i);
    }
    (void)tell(5000, 7, 2);
    while (kith_mesh_paths_next_advert(p, &at, KITH_MESH_NEWS, now.mono, &a)) {
        gone += a.hops == 0;
        kith_mesh_paths_told(p, &a, true);
    }
    assert_int_equal(gone, 1);
    /* of no more than an eighth and 16 before somebody hears it */
    for (uint32_t i = 0; i < TOLD; i++)
        (void)tell(7000 + i, 7, 2);
    assert_in_range(kith_mesh_paths_pushed_out(p), MAX / 8 + 16, MAX / 8 + 17);
    tell_news();
    assert_int_equal(kith_mesh_paths_count(p), TOLD);
    /* those that are lost are bounded, too */
    for (uint32_t i = 0; i < TOLD; i++) {
        (void)tell(6000 + i, 7, 1);
        tell_news();
    }
    size_t blocks = heap.live;
    for (uint32_t i = 0; i < 3 * TOLD; i++) {
        pass(KITH_SEC / 100);
        const struct kith_destination d = dest(6000 + i);
        kith_mesh_paths_withdrawn(p, &d, 7, now.mono);
        (void)tell(6000 + TOLD + i, 7, 1);
        tell_news();
    }
    assert_true(heap.live <= blocks + MAX);
}

static void news_is_what_everybody_was_told_differently_last(void **state)
{
    (void)state;
    tell_numbered(1, 7, 2, 5);
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 2);
    assert_int_equal(news(1, KITH_MESH_NEWS).by, 7);
    const struct kith_mesh_advert a = news(1, KITH_MESH_NEWS);
    kith_mesh_paths_told(p, &a, false); /* one was told */
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 2);
    tell_everybody(1);
    tell_numbered(1, 7, 2, 5);
    assert_true(nothing_to_tell(1, KITH_MESH_NEWS));
    tell_numbered(1, 7, 2, 6); /* a newer number is news */
    tell_everybody(1);
    const struct kith_destination d = dest(1);
    kith_mesh_paths_withdrawn(p, &d, 7, now.mono);
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 0);
    assert_int_equal(news(1, KITH_MESH_NEWS).by, KITH_MESH_NOBODY);
    tell_everybody(1);
    assert_int_equal(kith_mesh_paths_count(p), 0);
}

/* RFC 8966 3.5.1: told on at 2 hops, a way at 3 (the neighbour's 2) is not shorter than that. */
static void a_way_that_is_not_feasible_is_used_but_not_told_on(void **state)
{
    const struct kith_destination d = dest(1);

    (void)state;
    tell_numbered(1, 7, 2, 5);
    tell_everybody(1);
    tell_numbered(1, 8, 3, 5);
    tell_numbered(1, 9, 2, 4); /* shorter, but of an older number */
    kith_mesh_paths_withdrawn(p, &d, 7, now.mono);
    assert_true(best(1, KITH_MESH_NOBODY) == 8 || best(1, KITH_MESH_NOBODY) == 9);
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 0);
    assert_true(news(1, KITH_MESH_NEWS).starved);
    assert_false(nothing_to_tell(1, KITH_MESH_STARVED));
    tell_numbered(1, 8, 3, 6); /* asked for, and come */
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 3);
    assert_true(nothing_to_tell(1, KITH_MESH_STARVED));
}

/* Else neighbours that may all be behind this node would push out the one that others can go by. */
static void the_best_that_may_be_told_on_stays_among_shorter_ones(void **state)
{
    (void)state;
    tell_numbered(1, 7, 2, 5);
    tell_everybody(1); /* from now on: 2 hops under 5, or a newer number */
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    tell_numbered(1, 11, 3, 5);
    tell_numbered(1, 12, 3, 5);
    tell_numbered(1, 13, 3, 5);
    assert_true(news(1, KITH_MESH_STARVED).starved);
    tell_numbered(1, 14, 9, 6); /* far, and feasible: kept in the place of one of these */
    assert_int_equal(ways(1), KITH_MESH_WAYS);
    assert_int_equal(news(1, KITH_MESH_NEWS).by, 14);
    tell_numbered(1, 15, 3, 5); /* shorter, and not feasible */
    assert_int_equal(news(1, KITH_MESH_NEWS).by, 14);
    tell_numbered(1, 16, 4, 6); /* a better one of its kind */
    assert_int_equal(news(1, KITH_MESH_NEWS).by, 16);
    assert_int_equal(ways(1), KITH_MESH_WAYS);
    assert_int_not_equal(best(1, KITH_MESH_NOBODY), 16); /* for own flows the shortest is best */
}

static bool asks(uint32_t to)
{
    const struct kith_destination d = dest(to);

    bool may = kith_mesh_paths_may_ask(p, &d, now.mono);
    if (may)
        kith_mesh_paths_asked(p, &d, now.mono);
    return may;
}

static void one_that_is_starved_is_asked_for_at_once_and_then_ever_more_rarely(void **state)
{
    static const unsigned wait[] = {2, 4, 8, 16, 30, 30};

    (void)state;
    assert_false(asks(1)); /* not known at all */
    tell_numbered(1, 7, 2, 5);
    tell_everybody(1);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    tell_numbered(1, 8, 3, 5);
    assert_true(asks(1));
    for (size_t i = 0; i < KITH_COUNT(wait); i++) {
        assert_false(asks(1));
        pass(wait[i] * KITH_SEC - KITH_SEC);
        assert_false(asks(1));
        pass(KITH_SEC);
        assert_true(asks(1));
    }
    tell_numbered(1, 8, 3, 6); /* it came; the next time is another */
    tell_everybody(1);
    (void)kith_mesh_paths_gone(p, 8, now.mono);
    tell_numbered(1, 9, 4, 6);
    assert_true(asks(1));
    assert_false(asks(1));
    (void)kith_mesh_paths_gone(p, 9, now.mono); /* lost, and known again */
    tell_numbered(1, 10, 4, 6);
    assert_true(asks(1));
}

static void what_was_told_of_one_that_is_lost_counts_for_three_minutes(void **state)
{
    (void)state;
    tell_numbered(1, 7, 2, 5);
    tell_everybody(1);
    (void)kith_mesh_paths_gone(p, 7, now.mono);
    tell_everybody(1);
    now.mono += 179 * KITH_SEC;
    (void)kith_mesh_paths_tick(p, now);
    tell_numbered(1, 8, 4, 5);
    assert_true(news(1, KITH_MESH_STARVED).starved);
    (void)kith_mesh_paths_gone(p, 8, now.mono);
    now.mono += 180 * KITH_SEC;
    (void)kith_mesh_paths_tick(p, now);
    tell_numbered(1, 8, 4, 5);
    assert_int_equal(news(1, KITH_MESH_NEWS).hops, 4);
}

static void who_loses_a_way_lacks_those_that_were_not_kept(void **state)
{
    (void)state;
    for (uint32_t by = 1; by <= 3; by++)
        (void)tell(1, by, by);
    (void)kith_mesh_paths_gone(p, 3, now.mono);
    assert_false(kith_mesh_paths_lacks(p)); /* there never was a fourth */
    (void)tell(1, 3, 3);
    (void)tell(1, 4, 4);
    assert_false(kith_mesh_paths_lacks(p));
    (void)tell(1, 5, 1); /* takes the place of the third: nothing is lacked that was given up */
    assert_false(kith_mesh_paths_lacks(p));
    (void)kith_mesh_paths_gone(p, 1, now.mono);
    assert_true(kith_mesh_paths_lacks(p));
    assert_false(kith_mesh_paths_lacks(p)); /* it was said */
}

static void a_neighbour_that_is_heard_keeps_what_it_told_fresh(void **state)
{
    (void)state;
    (void)tell(1, 7, 1);
    (void)tell(2, 8, 1);
    for (int i = 0; i < 4; i++) {
        now.mono += 300 * KITH_SEC;
        kith_mesh_paths_refresh(p, 7, now.mono);
    }
    assert_int_equal(best(1, KITH_MESH_NOBODY), 7);
    assert_int_equal(best(2, KITH_MESH_NOBODY), KITH_MESH_NOBODY);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(the_fewest_hops_are_best_until_more_is_known),
        T(whoever_lies_about_hops_is_demoted_by_what_is_measured),
        T(what_was_measured_is_not_washed_off_by_telling_anew),
        T(what_was_measured_before_a_restart_counts_when_the_way_is_told),
        T(what_only_failed_is_not_remembered),
        T(a_number_that_is_another_neighbour_s_has_no_past),
        T(what_is_usual_of_a_neighbour_is_not_remembered),
        T(three_ways_are_kept_and_a_better_one_takes_the_worst_ones_place),
        T(a_way_that_failed_comes_last_for_a_while),
        T(a_way_lasts_as_long_as_it_is_told_or_used),
        T(an_entry_ends_with_the_statement_it_rests_on),
        T(what_cannot_be_is_refused),
        T(a_neighbour_that_goes_takes_its_ways_along),
        T(a_flood_by_one_pushes_out_its_own_only),
        T(what_is_used_stays),
        T(the_nearest_are_kept),
        T(what_was_asked_for_comes_in),
        T(what_was_asked_for_gives_way_to_its_like),
        T(what_was_asked_for_is_news_where_there_is_room),
        T(who_was_pushed_out_is_told_of_as_gone),
        T(news_is_what_everybody_was_told_differently_last),
        T(a_way_that_is_not_feasible_is_used_but_not_told_on),
        T(the_best_that_may_be_told_on_stays_among_shorter_ones),
        T(one_that_is_starved_is_asked_for_at_once_and_then_ever_more_rarely),
        T(what_was_told_of_one_that_is_lost_counts_for_three_minutes),
        T(who_loses_a_way_lacks_those_that_were_not_kept),
        T(a_neighbour_that_is_heard_keeps_what_it_told_fresh),
        T(an_entry_takes_at_most_200_bytes),
        T(without_memory_nothing_is_lost_but_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
