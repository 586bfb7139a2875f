/* Networks in which a node keeps no session with everybody: it finds neighbours, keeps a few, and
 * reaches the others through them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/town.h"

enum { NODES = 14, COMPANY = 3 };

/* All start anew, as members of a network that is large to them. */
static void begin_large(struct town *t, size_t company)
{
    for (size_t i = 0; i < t->n; i++)
        node_sim_kill(&t->node[i]);
    town_wait(t, 90 * KITH_SEC); /* the dead are not missed any more */
    for (size_t i = 0; i < t->n; i++) {
        t->node[i].eager_max = 4;
        t->node[i].company_size = company;
        assert_int_equal(node_sim_try_start(&t->node[i]), KITH_OK);
    }
}

static size_t sessions(const struct town *t)
{
    size_t count = 0;

    for (size_t i = 0; i < t->n; i++)
        count += town_sessions(t, i);
    return count;
}

static void all_reach_all(struct town *t, kith_dur limit)
{
    bool on[TOWN_MAX];
    kith_dur took;

    for (size_t i = 0; i < t->n; i++)
        on[i] = true;
    town_want_all(t, on);
    if (!town_talk(t, limit, &took)) {
        town_complain(t);
        fail_msg("some reach nobody");
    }
}

static void some_neighbours_are_enough_and_who_is_needed_no_more_is_let_go(void **state)
{
    static struct town t;

    (void)state;
    town_up(&t, 71, NODES);
    begin_large(&t, COMPANY);
    town_wait(&t, 240 * KITH_SEC);
    for (size_t i = 1; i < NODES; i++)
        assert_true(town_sessions(&t, i) >= COMPANY);
    /* each looks for three, and keeps one with the admin */
    size_t quiet = sessions(&t);
    assert_in_range(quiet, NODES * COMPANY, 2 * NODES * (COMPANY + 1));
    all_reach_all(&t, 20 * KITH_SEC);
    assert_true(sessions(&t) > quiet);
    town_wait(&t, 480 * KITH_SEC);
    assert_in_range(sessions(&t), NODES * COMPANY, 2 * NODES * (COMPANY + 1));
    all_reach_all(&t, 20 * KITH_SEC);
    town_down(&t);
}

/* 0 - 1 - 2 … each hears the next only, and the last the first. */
static void only_a_ring(struct town *t)
{
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = 0; b < a; b++)
            town_hear(t, a, b, a - b == 1 || a - b == t->n - 1);
}

static void who_hears_two_only_finds_them_and_everybody_through_them(void **state)
{
    static struct town t;

    (void)state;
    town_up(&t, 72, NODES);
    only_a_ring(&t);
    begin_large(&t, COMPANY);
    town_wait(&t, 120 * KITH_SEC);
    all_reach_all(&t, 60 * KITH_SEC);
    town_down(&t);
}

/* Both ends have company enough when they find each other, nobody talks, and no session with the
 * admin, who is off, goes through them. */
static void the_only_link_between_two_halves_is_found_and_kept(void **state)
{
    static struct town t;
    kith_dur took;

    (void)state;
    town_up(&t, 73, NODES);
    for (size_t a = NODES / 2; a < NODES; a++) /* two full meshes */
        for (size_t b = 0; b < NODES / 2; b++)
            town_hear(&t, a, b, false);
    begin_large(&t, 2);
    node_sim_kill(&t.node[0]);
    town_wait(&t, 240 * KITH_SEC);
    assert_string_equal(town_route(&t, 3, 9), "none");
    town_hear(&t, 9, 3, true);
    town_wait(&t, 720 * KITH_SEC); /* who is reached by nobody is tried again after ten minutes */
    for (int minute = 0; minute < 15; minute++) {
        assert_string_not_equal(town_route(&t, 3, 9), "none");
        town_wait(&t, 60 * KITH_SEC);
    }
    town_want_none(&t);
    town_want(&t, 5, 12);
    assert_true(town_talk(&t, 30 * KITH_SEC, &took));
    town_down(&t);
}

/* Longer than a connection lasts, and nobody else leads there. */
static void a_neighbour_that_was_lost_is_looked_for_at_once(void **state)
{
    static struct town t;
    kith_dur took;

    (void)state;
    town_up(&t, 74, NODES);
    only_a_ring(&t);
    begin_large(&t, COMPANY);
    town_wait(&t, 240 * KITH_SEC);
    town_hear(&t, 2, 3, false); /* 3 to 9, and the others, with the admin among them */
    town_hear(&t, 9, 10, false);
    town_wait(&t, 150 * KITH_SEC);
    town_hear(&t, 2, 3, true);
    town_hear(&t, 9, 10, true);
    town_wait(&t, 65 * KITH_SEC); /* the longest wait between two rounds of dialling, and some */
    town_want_none(&t);
    town_want(&t, 6, 12); /* those at the borders are asked for nothing */
    assert_true(town_talk(&t, 30 * KITH_SEC, &took));
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_neighbours_are_enough_and_who_is_needed_no_more_is_let_go),
        cmocka_unit_test(who_hears_two_only_finds_them_and_everybody_through_them),
        cmocka_unit_test(a_neighbour_that_was_lost_is_looked_for_at_once),
        cmocka_unit_test(the_only_link_between_two_halves_is_found_and_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
