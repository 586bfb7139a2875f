/* What three nodes count of each other, from being strangers to being put out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

static struct kith_node_totals totals(struct world *w, int who)
{
    struct kith_node_totals t;

    kith_node_totals(w->node[who].node, node_sim_now(&w->node[who]).wall, &t);
    return t;
}

static void a_node_without_networks_counts_nothing(void **state)
{
    struct world w;
    struct kith_node_totals t;

    (void)state;
    world_up(&w, 1);
    t = totals(&w, 1);
    assert_int_equal(t.sessions, 0);
    assert_int_equal(t.members, 0);
    assert_int_equal(t.networks, 0);
    assert_int_equal(t.certificate_end, 0);
    world_down(&w);
}

static void members_are_the_others_and_each_counts_once(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 2);
    world_wait(&w, 10 * KITH_SEC);
    for (int i = 0; i < WORLD_N; i++) {
        struct kith_node_totals t = totals(&w, i);
        assert_int_equal(t.networks, 1);
        assert_int_equal(t.networks_lapsed, 0);
        assert_int_equal(t.members, WORLD_N - 1);
        assert_int_equal(t.members_connected, WORLD_N - 1);
        assert_int_equal(t.sessions, WORLD_N - 1);
        assert_int_equal(t.guests, 0);
        assert_true(t.connections >= WORLD_N - 1);
        assert_int_equal(t.certificate_end, world_info(&w, i).expires);
    }
    world_down(&w);
}

static void who_is_revoked_counts_a_lapsed_network_and_is_no_longer_counted(void **state)
{
    struct world w;
    struct kith_member_info m;
    struct kith_node_why why;

    (void)state;
    world_three(&w, 3);
    world_wait(&w, 10 * KITH_SEC);
    assert_int_equal(
        kith_node_revoke(w.node[0].node, "phone", NULL, node_sim_now(&w.node[0]), &m, &why),
        KITH_OK);
    world_wait(&w, 10 * KITH_SEC);
    assert_int_equal(totals(&w, 0).members, 1);
    assert_int_equal(totals(&w, 0).members_connected, 1);
    assert_int_equal(totals(&w, 2).networks, 1);
    assert_int_equal(totals(&w, 2).networks_lapsed, 1);
    assert_int_equal(totals(&w, 2).networks_expired, 0);
    assert_int_equal(totals(&w, 2).members_connected, 0);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_networks_counts_nothing),
        cmocka_unit_test(members_are_the_others_and_each_counts_once),
        cmocka_unit_test(who_is_revoked_counts_a_lapsed_network_and_is_no_longer_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
