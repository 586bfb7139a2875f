/* Calendars that are set: what the root does meanwhile, and what is left of it afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

#define HOUR (3600 * KITH_SEC)

/* The root's clock was two minutes fast when it dismissed; then somebody sets it right. */
static void a_dismissed_admin_stays_dismissed_when_the_root_sets_its_clock_back(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 31);
    w.node[0].wall_offset = 120;
    world_wait(&w, 3 * KITH_SEC);
    world_appoint(&w, 0, "desktop");
    world_wait(&w, 3 * KITH_SEC);
    world_dismiss(&w, 0, "desktop");
    world_wait(&w, 3 * KITH_SEC);
    w.node[0].wall_offset = 0;
    world_wait(&w, 2 * HOUR);
    for (int i = 0; i < WORLD_N; i++)
        assert_false(world_member(&w, i, "desktop").admin);
    assert_false(world_info(&w, 1).admin);
    world_down(&w);
}

/* For an hour one machine thinks that it is `days` later; then its clock is right again. */
static void live_ahead(struct world *w, int who, int days)
{
    w->node[who].wall_offset = (int64_t)days * 86400;
    world_wait(w, HOUR + 60 * KITH_SEC);
    w->node[who].wall_offset = 0;
    world_wait(w, HOUR + 60 * KITH_SEC);
}

static void assert_whole(struct world *w)
{
    char ticket[KITH_TICKET_TEXT_MAX];

    for (int i = 0; i < WORLD_N; i++) {
        world_members(w, i, WORLD_N);
        assert_int_equal(world_info(w, i).standing, KITH_STANDING_MEMBER);
        assert_true(world_member(w, i, "laptop").admin);
    }
    for (int i = 1; i < WORLD_N; i++)
        assert_true(world_reaches(w, 0, i, false, 90 * KITH_SEC));
    assert_int_equal(world_invite(w, 0, &world_plain, ticket), KITH_OK);
}

static void a_root_whose_clock_was_a_year_ahead_for_an_hour_has_lost_nobody(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 32);
    world_wait(&w, 3 * KITH_SEC);
    live_ahead(&w, 0, 400);
    assert_whole(&w);
    world_down(&w);
}

static void a_root_whose_clock_was_three_weeks_ahead_for_an_hour_has_lost_nobody(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 33);
    world_wait(&w, 3 * KITH_SEC);
    live_ahead(&w, 0, 21);
    assert_whole(&w);
    world_down(&w);
}

static void a_member_whose_clock_was_a_year_ahead_for_an_hour_is_a_member_still(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 34);
    world_wait(&w, 3 * KITH_SEC);
    live_ahead(&w, 2, 400);
    assert_whole(&w);
    world_down(&w);
}

/* A machine without a battery for its clock starts in 2006, and learns the time a minute later. */
static void who_starts_twenty_years_behind_is_a_member_once_the_clock_is_set(void **state)
{
    struct world w;

    (void)state;
    for (int who = 0; who < WORLD_N; who += 2) {
        world_three(&w, 35 + (uint64_t)who);
        world_wait(&w, 3 * KITH_SEC);
        w.node[who].wall_offset = -(int64_t)20 * 365 * 86400;
        node_sim_restart(&w.node[who]);
        world_wait(&w, 60 * KITH_SEC);
        w.node[who].wall_offset = 0;
        world_wait(&w, 120 * KITH_SEC);
        assert_whole(&w);
        world_down(&w);
    }
}

/* Whoever it is, however far, and whether or not it starts anew before and after. */
static void any_clock_may_be_wrong_for_an_hour(void **state)
{
    static const int days[] = {-400, -2, 2, 25, 35, 400};
    struct world w;

    (void)state;
    for (int i = 0; i < 36; i++) {
        int who = i % WORLD_N, by = days[i / 6];
        bool starts_anew = i / 3 % 2 != 0;
        print_message("node %d, %d days%s\n", who, by, starts_anew ? ", starting anew" : "");
        world_three(&w, 50 + (uint64_t)i);
        world_appoint(&w, 0, "desktop");
        world_wait(&w, 3 * KITH_SEC);
        w.node[who].wall_offset = (int64_t)by * 86400;
        if (starts_anew)
            node_sim_restart(&w.node[who]);
        world_wait(&w, HOUR + 60 * KITH_SEC);
        w.node[who].wall_offset = 0;
        if (starts_anew)
            node_sim_restart(&w.node[who]);
        world_wait(&w, HOUR + 60 * KITH_SEC);
        assert_whole(&w);
        assert_true(world_member(&w, 2, "desktop").admin);
        world_down(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dismissed_admin_stays_dismissed_when_the_root_sets_its_clock_back),
        cmocka_unit_test(a_root_whose_clock_was_a_year_ahead_for_an_hour_has_lost_nobody),
        cmocka_unit_test(a_root_whose_clock_was_three_weeks_ahead_for_an_hour_has_lost_nobody),
        cmocka_unit_test(a_member_whose_clock_was_a_year_ahead_for_an_hour_is_a_member_still),
        cmocka_unit_test(who_starts_twenty_years_behind_is_a_member_once_the_clock_is_set),
        cmocka_unit_test(any_clock_may_be_wrong_for_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
