/* Clocks that jump in the middle of an enrolment, and machines that sleep: what was asked is
 * answered, and all is whole once the clocks agree again or the machine is awake. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

#define HOUR ((int64_t)3600)
#define DAY (24 * HOUR)
#define STEP (8 * KITH_MSEC) /* an enrolment takes about 100 ms here */
enum { STEPS = 14 };

static bool answered(void *ctx)
{
    const struct world *w = ctx;

    return w->node[1].dones > 0;
}

static void must_meet(struct world *w, int x, int y, kith_dur limit)
{
    if (!world_reaches(w, x, y, false, limit))
        fail_msg("no packet from %s to %s in %d s", world_name[x], world_name[y],
                 (int)(limit / KITH_SEC));
}

/* The desktop joins; `steps` later the clock of `who` is wrong by `by`, and right again in the end.
 */
static void jump_while_joining(int who, int64_t by, int steps)
{
    char ticket[KITH_TICKET_TEXT_MAX];
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    world_up(w, 7);
    world_create(w);
    assert_int_equal(world_invite(w, 0, &world_plain, ticket), KITH_OK);
    struct node_peer_sim *p = &w->node[1];
    assert_int_equal(kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &p->last_why),
                     KITH_OK);
    world_wait(w, (kith_dur)steps * STEP);
    w->node[who].wall_offset = by;
    if (p->dones == 0 && !world_run(w, answered, 40 * KITH_SEC))
        fail_msg("node %d's clock jumped by %lld s after %d steps: joining is never answered", who,
                 (long long)by, steps);
    world_wait(w, 20 * KITH_SEC);
    w->node[who].wall_offset = 0;
    world_wait(w, 20 * KITH_SEC);
    if (world_networks(w, 1) == 0)
        world_enrol(w, 0, 1);
    must_meet(w, 0, 1, 120 * KITH_SEC);
    must_meet(w, 1, 0, 5 * KITH_SEC);
    world_members(w, 0, 2);
    world_members(w, 1, 2);
    world_down(w);
    free(w);
}

static void a_clock_may_jump_at_any_moment_of_an_enrolment(void **state)
{
    static const int64_t by[] = {-3 * DAY, -2 * HOUR, 2 * HOUR, 3 * DAY};

    (void)state;
    for (int who = 0; who < 2; who++)
        for (size_t i = 0; i < KITH_COUNT(by); i++)
            for (int steps = 0; steps < STEPS; steps++)
                jump_while_joining(who, by[i], steps);
}

/* The clock of `who` jumps to where certificates are renewed, and `steps` later back again. */
static void jump_while_renewing(int who, int steps)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    world_three(w, 9);
    w->node[who].wall_offset = 22 * DAY;
    world_wait(w, (kith_dur)steps * STEP);
    w->node[who].wall_offset = 0;
    world_wait(w, 60 * KITH_SEC);
    for (int x = 0; x < WORLD_N; x++) /* whoever was sent away stays away for a minute */
        must_meet(w, x, (x + 1) % WORLD_N, 200 * KITH_SEC);
    world_members(w, 0, 3);
    world_down(w);
    free(w);
}

static void a_clock_may_jump_back_at_any_moment_of_a_renewal(void **state)
{
    (void)state;
    for (int who = 0; who < WORLD_N; who++)
        for (int steps = 0; steps < STEPS; steps++)
            jump_while_renewing(who, steps);
}

/* It hears and does nothing for so long; the clocks go on. */
static void sleep_and_wake(int who, kith_dur asleep)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    world_three(w, 11);
    must_meet(w, 0, 1, 10 * KITH_SEC);
    struct kith_node *sleeper = w->node[who].node;
    w->node[who].node = NULL;
    world_wait(w, asleep);
    w->node[who].node = sleeper;
    for (int x = 0; x < WORLD_N; x++) {
        if (x == who)
            continue;
        must_meet(w, who, x, 10 * KITH_SEC);
        must_meet(w, x, who, 5 * KITH_SEC);
    }
    world_down(w);
    free(w);
}

static void a_machine_that_slept_is_back_within_seconds(void **state)
{
    static const kith_dur asleep[] = {3 * KITH_SEC, 45 * KITH_SEC, 600 * KITH_SEC,
                                      8 * 3600 * KITH_SEC};

    (void)state;
    for (int who = 0; who < WORLD_N; who++)
        for (size_t i = 0; i < KITH_COUNT(asleep); i++)
            sleep_and_wake(who, asleep[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_may_jump_at_any_moment_of_an_enrolment),
        cmocka_unit_test(a_clock_may_jump_back_at_any_moment_of_a_renewal),
        cmocka_unit_test(a_machine_that_slept_is_back_within_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
