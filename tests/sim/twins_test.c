/* Two machines with one identity: a copied disk, a restored backup, or a thief. Whoever meets both
 * says so, to its own operator and to both of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/world.h"

enum { FRIEND, FIRST, SECOND };

static unsigned seen(const struct world *w, int who, enum kith_event_kind kind)
{
    return w->node[who].seen[kind];
}

/* The second gets the first's key, and is let in while the first is off. */
static void twins_up(struct world *w, uint64_t seed)
{
    const struct kith_sign_seed key = {{FIRST + 1, 77}}; /* node_sim_init's */

    world_up(w, seed);
    world_create(w);
    world_enrol(w, FRIEND, FIRST);
    sim_host_power(w->node[FIRST].host, false);
    node_sim_reinstall(&w->node[SECOND], &key);
    assert_true(kith_peer_id_equal(&w->node[FIRST].identity.id, &w->node[SECOND].identity.id));
    world_enrol(w, FRIEND, SECOND);
    world_wait(w, 10 * KITH_SEC);
    sim_host_power(w->node[FIRST].host, true);
}

static void all_three_operators_are_told(void **state)
{
    struct world w;

    (void)state;
    twins_up(&w, 1701);
    assert_int_equal(seen(&w, FRIEND, KITH_EV_identity_twice), 0);
    world_wait(&w, 300 * KITH_SEC);
    assert_int_equal(seen(&w, FRIEND, KITH_EV_identity_twice), 1);
    assert_true(seen(&w, FIRST, KITH_EV_identity_copied) > 0);
    assert_true(seen(&w, SECOND, KITH_EV_identity_copied) > 0);
    assert_true(kith_node_session_counters(w.node[FRIEND].node)->duplicates > 1);

    /* and go on to be, but seldom */
    world_wait(&w, 3600 * KITH_SEC);
    assert_in_range(seen(&w, FRIEND, KITH_EV_identity_twice), 2, 7);
    for (int i = FIRST; i <= SECOND; i++)
        assert_in_range(seen(&w, i, KITH_EV_identity_copied), 2, 66); /* once a minute */
    world_down(&w);
}

static void one_that_restarts_is_no_twin(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 1702);
    for (int i = 0; i < 20; i++) {
        node_sim_restart(&w.node[FIRST]);
        world_wait(&w, 30 * KITH_SEC);
    }
    for (int i = 0; i < WORLD_N; i++) {
        assert_int_equal(seen(&w, i, KITH_EV_identity_twice), 0);
        assert_int_equal(seen(&w, i, KITH_EV_identity_copied), 0);
        assert_int_equal(kith_node_session_counters(w.node[i].node)->duplicates, 0);
    }
    world_down(&w);
}

static void when_one_of_them_is_gone_the_other_works_on(void **state)
{
    struct world w;

    (void)state;
    twins_up(&w, 1703);
    world_wait(&w, 300 * KITH_SEC);
    node_sim_kill(&w.node[FIRST]);
    world_wait(&w, 90 * KITH_SEC); /* who was sent away stays away for a minute */
    unsigned told = seen(&w, SECOND, KITH_EV_identity_copied);
    assert_true(world_reaches(&w, FRIEND, SECOND, false, 5 * KITH_SEC));
    world_wait(&w, 600 * KITH_SEC);
    assert_true(world_reaches(&w, SECOND, FRIEND, false, 5 * KITH_SEC));
    assert_int_equal(seen(&w, SECOND, KITH_EV_identity_copied), told);
    world_down(&w);
}

/* All that a liar gets is that its word is told as its own, and a minute without it. */
static void one_that_lies_about_a_copy_is_named_and_left_alone(void **state)
{
    enum { MINUTES = 30 };
    struct world w;

    (void)state;
    world_three(&w, 1704);
    for (int i = 0; i < MINUTES * 60; i++) {
        struct kith_node *liar = w.node[FRIEND].node;
        struct kith_session *s = kith_sessions_find(liar->sessions, &w.node[FIRST].identity.id);
        if (s != NULL)
            kith_session_close(s, KITH_CLOSE_DUPLICATE, "a lie", node_sim_now(&w.node[0]).mono);
        world_wait(&w, KITH_SEC);
    }
    print_message("  told %u times\n", seen(&w, FIRST, KITH_EV_identity_copied));
    assert_in_range(seen(&w, FIRST, KITH_EV_identity_copied), 1, MINUTES + 1);
    assert_int_equal(seen(&w, SECOND, KITH_EV_identity_copied), 0);
    assert_true(world_reaches(&w, FIRST, SECOND, false, KITH_SEC));
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_three_operators_are_told),
        cmocka_unit_test(one_that_restarts_is_no_twin),
        cmocka_unit_test(one_that_lies_about_a_copy_is_named_and_left_alone),
        cmocka_unit_test(when_one_of_them_is_gone_the_other_works_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
