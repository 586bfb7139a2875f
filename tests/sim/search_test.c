/* Path tables too small for the network: what is not in them is asked for, and found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/town.h"

enum { N = 24, FEW = 16 };

static struct town t;

static struct kith_node_totals totals(size_t who)
{
    struct kith_node_totals ret;

    kith_node_totals(t.node[who].node, node_sim_now(&t.node[who]).wall, &ret);
    return ret;
}

static uint64_t requests(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < t.n; i++)
        sum += totals(i).path_requests;
    return sum;
}

static bool knows_way(size_t who, size_t to)
{
    const struct kith_mesh_paths *paths = t.node[who].node->mesh->net[0].paths;
    struct kith_mesh_way way[KITH_MESH_WAYS];
    struct kith_destination d;

    assert_int_equal(mesh_destination_of(&t.node[to].identity.id, &d), KITH_OK);
    return paths != NULL &&
           kith_mesh_paths_ways(paths, &d, node_sim_now(&t.node[who]).mono, way) > 0;
}

/* A row, each with room for ways to so many (0: to all). */
static void row_with_room(uint64_t seed, size_t room)
{
    town_up_row(&t, seed, N);
    for (size_t i = 0; i < N; i++) {
        t.node[i].paths_max = room;
        node_sim_restart(&t.node[i]);
    }
    town_wait(&t, 30 * KITH_SEC);
}

static void the_ends_of_a_row_find_each_other_though_nobody_has_room_for_all(void **state)
{
    kith_dur took;

    (void)state;
    row_with_room(3, FEW);
    for (size_t i = 0; i < N; i++)
        assert_true(totals(i).ways <= FEW);
    assert_false(knows_way(0, N - 1));
    assert_false(knows_way(N - 1, 0));
    assert_true(totals(N / 2).ways_turned_away + totals(N / 2).ways_pushed_out > 0);

    town_want_none(&t);
    town_want(&t, 0, N - 1);
    bool all = town_talk(&t, 60 * KITH_SEC, &took);
    print_message("  the ends have talked after %.1f s, %u requests\n", (double)took / 1e9,
                  (unsigned)requests());
    assert_true(all);
    assert_true(knows_way(0, N - 1));
    for (size_t i = 0; i < N; i++)
        assert_true(totals(i).ways <= FEW);

    struct bulk b = {.town = &t, .from = 0, .to = N - 1, .size = 100000};
    assert_true(bulk_carry(&b, 120 * KITH_SEC));
    town_down(&t);
}

/* Where all is told there is nothing to ask for, also of one that is gone. */
static void nobody_asks_where_tables_hold_all(void **state)
{
    kith_dur took;

    (void)state;
    row_with_room(4, 0);
    town_hear(&t, N - 2, N - 1, false);
    town_wait(&t, 120 * KITH_SEC); /* nobody takes it for connected any more */
    town_want_none(&t);
    town_want(&t, 0, N - 1);
    assert_false(town_talk(&t, 30 * KITH_SEC, &took));
    assert_int_equal(requests(), 0);
    town_down(&t);
}

/* One that is gone is asked for ever more rarely, and no longer than it is needed. */
static void who_is_gone_is_asked_for_ever_more_rarely(void **state)
{
    kith_dur took;

    (void)state;
    row_with_room(5, FEW);
    town_hear(&t, N - 2, N - 1, false);
    town_wait(&t, 330 * KITH_SEC); /* nobody else is needed any more */
    town_want_none(&t);
    town_want(&t, 0, N - 1);
    uint64_t before = totals(0).path_requests;
    assert_false(town_talk(&t, 120 * KITH_SEC, &took));
    uint64_t asked = totals(0).path_requests - before;
    print_message("  asked %u times in two minutes\n", (unsigned)asked);
    /* after 0, 1, 3, 7, 15, 31, 63 and 95 s, for two minutes; the end of a row has one neighbour */
    assert_in_range(asked, 6, 9);
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ends_of_a_row_find_each_other_though_nobody_has_room_for_all),
        cmocka_unit_test(nobody_asks_where_tables_hold_all),
        cmocka_unit_test(who_is_gone_is_asked_for_ever_more_rarely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
