/* A mesh in which most pairs don't hear each other, and what is left of it when some of its nodes
 * vanish, or it falls in two for a minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/town.h"

enum { NODES = 12, TENTH = 2 };

static struct town t;
static bool hear[NODES][NODES];

/* A ring in which each hears the next two on either side, so that none vanishing cuts it, and some
 * shortcuts across. */
static void make_ring(void)
{
    for (size_t a = 0; a < NODES; a++)
        for (size_t b = 0; b < a; b++) {
            size_t apart = a - b < NODES - (a - b) ? a - b : NODES - (a - b);
            hear[a][b] = apart <= 2 || kith_random_below(sim_net_random(t.net), 10) == 0;
            town_hear(&t, a, b, hear[a][b]);
        }
}

static void talk(const char *what, kith_dur limit)
{
    kith_dur took;
    bool all = town_talk(&t, limit, &took);

    print_message("  %s: all pairs after %.1f s\n", what, (double)took / 1e9);
    if (!all)
        town_complain(&t);
    assert_true(all);
}

static void set_up(uint64_t seed)
{
    bool on[TOWN_MAX];

    memset(on, true, sizeof on);
    town_up(&t, seed, NODES);
    make_ring();
    town_want_all(&t, on);
    talk("at first", 120 * KITH_SEC);
    town_wait(&t, 60 * KITH_SEC);
}

static void when_a_tenth_vanish_the_others_reach_each_other_within_thirty_seconds(void **state)
{
    bool on[TOWN_MAX];

    (void)state;
    set_up(1);
    memset(on, true, sizeof on);
    for (size_t gone = 0; gone < TENTH;) {
        size_t who = 1 + kith_random_below(sim_net_random(t.net), NODES - 1);
        gone += on[who];
        on[who] = false;
        node_sim_kill(&t.node[who]);
    }
    town_want_all(&t, on);
    talk("a tenth is gone", 30 * KITH_SEC);
    town_down(&t);
}

/* Whether the two halves hear each other, where they did. */
static void join_halves(bool together)
{
    for (size_t a = NODES / 2; a < NODES; a++)
        for (size_t b = 0; b < NODES / 2; b++)
            if (hear[a][b])
                town_hear(&t, a, b, together);
}

static void a_minute_in_two_halves_is_over_within_fifteen_seconds(void **state)
{
    kith_dur took;

    (void)state;
    set_up(2);
    join_halves(false);
    assert_false(town_talk(&t, 60 * KITH_SEC, &took));
    join_halves(true);
    talk("the halves are one again", 15 * KITH_SEC);
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_a_tenth_vanish_the_others_reach_each_other_within_thirty_seconds),
        cmocka_unit_test(a_minute_in_two_halves_is_over_within_fifteen_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
