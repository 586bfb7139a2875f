/* Whole nodes in virtual time: they enrol, talk, lose packets, roam and recover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"
#include "store/network.h"

static void a_ticket_makes_a_member_and_packets_pass_in_both_families(void **state)
{
    struct world w;

    (void)state;
    world_up(&w, 1);
    world_create(&w);
    kith_time start = sim_net_now(w.net);
    world_enrol(&w, 0, 1);
    assert_true(sim_net_now(w.net) - start < KITH_SEC);
    struct kith_network_info b = world_info(&w, 1);
    assert_string_equal(b.name, "home");
    assert_true(kith_prefix_holds(&w.home.range4, &b.ip4));
    assert_true(world_reaches(&w, 0, 1, false, KITH_SEC));
    assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
    assert_true(world_reaches(&w, 0, 1, true, KITH_SEC));
    assert_true(world_reaches(&w, 1, 0, true, KITH_SEC));
    assert_int_equal(w.node[1].last_len, 40 + 8 + 100);
    world_down(&w);
}

static void a_third_member_reaches_the_second_while_the_first_is_down(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 2);
    world_wait(&w, 3 * KITH_SEC);
    for (int i = 0; i < WORLD_N; i++)
        world_members(&w, i, 3);
    sim_host_power(w.node[0].host, false);
    world_wait(&w, 5 * KITH_SEC);
    assert_true(world_reaches(&w, 1, 2, false, 2 * KITH_SEC));
    assert_true(world_reaches(&w, 2, 1, true, 2 * KITH_SEC));
    world_down(&w);
}

static void a_ticket_is_good_once_and_the_same_peer_may_ask_again(void **state)
{
    struct world w;
    char ticket[KITH_TICKET_TEXT_MAX];

    (void)state;
    world_up(&w, 3);
    world_create(&w);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    assert_int_equal(world_join(&w, 1, ticket), KITH_OK);
    assert_int_equal(world_join(&w, 2, ticket), KITH_E_USED);
    struct kith_ip before = world_info(&w, 1).ip4;
    assert_int_equal(kith_store_network_remove(w.node[1].store, w.home.id.b), KITH_OK);
    node_sim_restart(&w.node[1]);
    assert_int_equal(world_join(&w, 1, ticket), KITH_OK);
    struct kith_ip after = world_info(&w, 1).ip4;
    assert_true(kith_ip_equal(&before, &after));
    world_down(&w);
}

static void bad_tickets_are_told_apart(void **state)
{
    struct world w;
    char ticket[KITH_TICKET_TEXT_MAX], bent[KITH_TICKET_TEXT_MAX];

    (void)state;
    world_up(&w, 4);
    world_create(&w);
    assert_int_equal(world_join(&w, 1, "hello"), KITH_E_MALFORMED);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    memcpy(bent, ticket, sizeof bent);
    bent[40] = bent[40] == 'a' ? 'b' : 'a';
    assert_int_equal(world_join(&w, 1, bent), KITH_E_CORRUPT);
    struct kith_invite brief = {.valid = 60, .uses = 1};
    assert_int_equal(world_invite(&w, 0, &brief, ticket), KITH_OK);
    world_wait(&w, 61 * KITH_SEC);
    assert_int_equal(world_join(&w, 1, ticket), KITH_E_EXPIRED);
    w.node[1].wall_offset = -3600; /* a clock that is behind does not make it good */
    assert_int_equal(world_join(&w, 1, ticket), KITH_E_EXPIRED);
    w.node[1].wall_offset = 0;
    /* a ticket for an issuer that has gone */
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    sim_host_power(w.node[0].host, false);
    assert_int_equal(world_join(&w, 1, ticket), KITH_E_UNREACHABLE);
    world_down(&w);
}

static void a_ticket_whose_address_is_somebody_elses_by_now_fails_at_once(void **state)
{
    char ticket[KITH_TICKET_TEXT_MAX];
    struct world w;

    (void)state;
    world_up(&w, 20);
    world_create(&w);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    node_sim_move(&w.node[0], "203.0.113.9:9000");
    node_sim_move(&w.node[2], world_addr[0]);
    kith_time start = sim_net_now(w.net);
    assert_int_equal(world_join(&w, 1, ticket), KITH_E_AUTH);
    assert_true(sim_net_now(w.net) - start < 2 * KITH_SEC);
    /* where the issuer may still answer elsewhere, it is waited for */
    node_sim_move(&w.node[0], world_addr[0]);
    node_sim_move(&w.node[2], world_addr[2]);
    assert_int_equal(world_join(&w, 1, ticket), KITH_OK);
    world_down(&w);
}

static void create_another(struct world *w, int who, const char *name, const char *range)
{
    struct kith_network_info info;
    struct kith_prefix prefix;
    struct kith_node_why why;

    assert_int_equal(kith_prefix_parse(range, &prefix), KITH_OK);
    assert_int_equal(kith_node_network_create(w->node[who].node, name, &prefix,
                                              node_sim_now(&w->node[who]), &info, &why),
                     KITH_OK);
}

static void a_network_whose_addresses_overlap_ones_own_is_joined_only_without_that(void **state)
{
    char ticket[KITH_TICKET_TEXT_MAX], beside[KITH_TICKET_TEXT_MAX];
    struct kith_invite to_play = world_plain;
    struct kith_node_why why;
    struct world w;

    (void)state;
    world_up(&w, 18);
    world_create(&w);
    world_enrol(&w, 0, 1);
    create_another(&w, 2, "work", "100.80.128.0/17");
    create_another(&w, 2, "play", "100.81.0.0/16");
    struct kith_invite to_work = world_plain;
    to_work.network = "work";
    to_play.network = "play";
    assert_int_equal(world_invite(&w, 2, &to_work, ticket), KITH_OK);
    assert_int_equal(world_invite(&w, 2, &to_play, beside), KITH_OK);

    assert_int_equal(world_join(&w, 1, ticket), KITH_E_TAKEN);
    assert_non_null(strstr(w.node[1].last_why.text, "overlaps"));
    assert_int_equal(world_networks(&w, 1), 1);
    assert_int_equal(world_join(&w, 1, beside), KITH_OK);
    assert_true(world_reaches(&w, 0, 1, false, 2 * KITH_SEC));
    /* as the remedy says */
    size_t told;
    assert_int_equal(
        kith_node_network_leave(w.node[1].node, "home", node_sim_now(&w.node[1]), &told, &why),
        KITH_OK);
    assert_int_equal(world_join(&w, 1, ticket), KITH_OK);
    assert_int_equal(world_networks(&w, 1), 2);
    world_down(&w);
}

static void everything_is_there_again_after_a_restart(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 5);
    world_wait(&w, 3 * KITH_SEC);
    struct kith_ip before[WORLD_N];
    for (int i = 0; i < WORLD_N; i++)
        before[i] = world_info(&w, i).ip4;
    for (int i = 0; i < WORLD_N; i++)
        node_sim_restart(&w.node[i]);
    assert_true(world_reaches(&w, 1, 2, false, 3 * KITH_SEC));
    assert_true(world_reaches(&w, 0, 2, false, 3 * KITH_SEC));
    for (int i = 0; i < WORLD_N; i++) {
        struct kith_ip after = world_info(&w, i).ip4;
        assert_true(kith_ip_equal(&before[i], &after));
        world_members(&w, i, 3);
    }
    world_down(&w);
}

static void one_killed_and_restarted_is_back_within_three_seconds(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct world w;
        world_three(&w, 6);
        world_wait(&w, 5 * KITH_SEC);
        node_sim_restart(&w.node[killed]);
        assert_true(world_reaches(&w, 0, 1, false, 3 * KITH_SEC));
        assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
        world_down(&w);
    }
}

static void an_address_change_of_either_side_costs_less_than_a_second(void **state)
{
    (void)state;
    for (int mover = 0; mover < 2; mover++) {
        struct world w;
        world_three(&w, 7);
        world_wait(&w, 5 * KITH_SEC);
        node_sim_move(&w.node[mover], "203.0.113.50:9000");
        assert_true(world_reaches(&w, 0, 1, false, KITH_SEC));
        assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
        world_down(&w);
    }
}

static void when_both_move_a_common_member_brings_them_together(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 8);
    world_wait(&w, 5 * KITH_SEC);
    node_sim_move(&w.node[0], "203.0.113.50:9000");
    node_sim_move(&w.node[1], "203.0.113.60:9000");
    assert_true(world_reaches(&w, 0, 1, false, 10 * KITH_SEC));
    assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
    world_down(&w);
}

static void without_a_common_member_it_is_enough_that_one_returns(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 18);
    world_wait(&w, 5 * KITH_SEC);
    sim_host_power(w.node[2].host, false);
    node_sim_move(&w.node[0], "203.0.113.50:9000");
    node_sim_move(&w.node[1], "203.0.113.60:9000");
    world_wait(&w, 20 * KITH_SEC);
    node_sim_move(&w.node[1], world_addr[1]);
    assert_true(world_reaches(&w, 0, 1, false, 3 * KITH_SEC));
    assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
    world_down(&w);
}

static void a_revoked_member_is_out_everywhere_within_two_seconds(void **state)
{
    struct world w;
    struct kith_member_info m;
    struct kith_node_why why;

    (void)state;
    world_three(&w, 9);
    world_wait(&w, 5 * KITH_SEC);
    assert_true(world_reaches(&w, 1, 2, false, KITH_SEC));
    assert_int_equal(
        kith_node_revoke(w.node[0].node, "phone", NULL, node_sim_now(&w.node[0]), &m, &why),
        KITH_OK);
    world_wait(&w, 2 * KITH_SEC);
    assert_int_equal(kith_node_session_count(w.node[0].node), 1);
    assert_int_equal(kith_node_session_count(w.node[1].node), 1);
    assert_false(world_reaches(&w, 2, 1, false, 5 * KITH_SEC));
    assert_false(world_reaches(&w, 2, 0, true, 5 * KITH_SEC));
    world_members(&w, 1, 2);
    /* it was told, with proof, and asks nobody any more */
    assert_int_equal(world_info(&w, 2).standing, KITH_STANDING_REVOKED);
    uint64_t dials = kith_node_session_counters(w.node[2].node)->dials;
    world_wait(&w, 600 * KITH_SEC);
    assert_int_equal(kith_node_session_counters(w.node[2].node)->dials, dials);
    /* and cannot use an open ticket */
    char ticket[KITH_TICKET_TEXT_MAX];
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    assert_int_equal(kith_store_network_remove(w.node[2].store, w.home.id.b), KITH_OK);
    node_sim_restart(&w.node[2]);
    assert_int_equal(world_join(&w, 2, ticket), KITH_E_REVOKED);
    world_down(&w);
}

static void one_revoked_while_it_was_away_is_told_when_it_returns(void **state)
{
    struct world w;
    struct kith_member_info m;
    struct kith_node_why why;

    (void)state;
    world_three(&w, 19);
    world_wait(&w, 5 * KITH_SEC);
    sim_host_power(w.node[2].host, false);
    world_wait(&w, 120 * KITH_SEC);
    assert_int_equal(
        kith_node_revoke(w.node[0].node, "phone", NULL, node_sim_now(&w.node[0]), &m, &why),
        KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    sim_host_power(w.node[0].host, false); /* any member tells it */
    sim_host_power(w.node[2].host, true);
    world_wait(&w, 70 * KITH_SEC);
    assert_int_equal(world_info(&w, 2).standing, KITH_STANDING_REVOKED);
    world_down(&w);
}

static void only_an_admin_invites_and_a_new_admin_does_from_its_own_block(void **state)
{
    struct world w;
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_member_info m;
    struct kith_node_why why;

    (void)state;
    world_up(&w, 10);
    world_create(&w);
    world_enrol(&w, 0, 1);
    assert_int_equal(world_invite(&w, 1, &world_plain, ticket), KITH_E_NOTADMIN);
    assert_int_equal(
        kith_node_admin_add(w.node[0].node, "desktop", NULL, node_sim_now(&w.node[0]), &m, &why),
        KITH_OK);
    world_wait(&w, 2 * KITH_SEC);
    assert_true(world_info(&w, 1).admin);
    assert_false(world_info(&w, 1).root);
    world_enrol(&w, 1, 2);
    /* blocks of a /16 are /20s: the root's, the founder's own as an admin, the next admin's */
    struct kith_prefix block;
    struct kith_ip phone = world_info(&w, 2).ip4;
    assert_int_equal(kith_prefix_parse("100.80.32.0/20", &block), KITH_OK);
    assert_true(kith_prefix_holds(&block, &phone));
    assert_true(world_reaches(&w, 2, 0, false, 3 * KITH_SEC));
    world_down(&w);
}

static void a_ping_names_its_route(void **state)
{
    struct world w;
    struct kith_member_info m;
    struct kith_node_why why;

    (void)state;
    world_three(&w, 11);
    world_wait(&w, 3 * KITH_SEC);
    assert_int_equal(kith_node_find_member(w.node[1].node, "phone.home.kith", NULL,
                                           node_sim_now(&w.node[1]).wall, &m, &why),
                     KITH_OK);
    size_t before = w.node[1].dones;
    assert_int_equal(
        kith_node_ping(w.node[1].node, &m.peer, 3, KITH_SEC, 9, node_sim_now(&w.node[1]), &why),
        KITH_OK);
    world_wait(&w, 4 * KITH_SEC);
    assert_int_equal(w.node[1].pongs, 3);
    assert_int_equal(w.node[1].dones, before + 1);
    assert_string_equal(w.node[1].last_route, "direct udp 198.51.100.3:9000");
    world_down(&w);
}

static void certificates_renew_themselves_for_two_months(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 12);
    for (int day = 0; day < 65; day++)
        world_wait(&w, 86400 * KITH_SEC);
    for (int i = 0; i < WORLD_N; i++) {
        world_members(&w, i, 3);
        assert_true(world_info(&w, i).expires > node_sim_now(&w.node[i]).wall);
    }
    assert_true(world_reaches(&w, 1, 2, false, 3 * KITH_SEC));
    world_down(&w);
}

static void a_backup_brings_the_root_to_another_machine(void **state)
{
    static uint8_t file[33 * 1024];
    struct world w;
    struct kith_network_info info;
    struct kith_node_why why;
    char ticket[KITH_TICKET_TEXT_MAX];
    size_t len;

    (void)state;
    world_up(&w, 13);
    world_create(&w);
    world_enrol(&w, 0, 1);
    struct kith_span pass = kith_span_text("correct horse battery staple");
    assert_int_equal(kith_node_backup(w.node[0].node, "home", pass, node_sim_now(&w.node[0]), file,
                                      sizeof file, &len, &info, &why),
                     KITH_OK);
    sim_host_power(w.node[0].host, false);
    assert_int_equal(kith_node_restore(w.node[1].node, (struct kith_span){file, len},
                                       kith_span_text("wrong"), node_sim_now(&w.node[1]), &info,
                                       &why),
                     KITH_E_AUTH);
    assert_int_equal(kith_node_restore(w.node[1].node, (struct kith_span){file, len}, pass,
                                       node_sim_now(&w.node[1]), &info, &why),
                     KITH_OK);
    assert_true(info.root);
    assert_int_equal(world_invite(&w, 1, &world_plain, ticket), KITH_OK);
    assert_int_equal(world_join(&w, 2, ticket), KITH_OK);
    assert_true(world_reaches(&w, 2, 1, false, 3 * KITH_SEC));
    world_down(&w);
}

static void who_leaves_is_gone_for_the_others(void **state)
{
    struct world w;
    struct kith_node_why why;

    (void)state;
    world_three(&w, 14);
    world_wait(&w, 3 * KITH_SEC);
    size_t told;
    assert_int_equal(
        kith_node_network_leave(w.node[2].node, "home", node_sim_now(&w.node[2]), &told, &why),
        KITH_OK);
    assert_int_equal(told, 2);
    world_wait(&w, 5 * KITH_SEC);
    world_members(&w, 0, 2);
    world_members(&w, 1, 2);
    /* and may come back */
    world_enrol(&w, 0, 2);
    world_wait(&w, 2 * KITH_SEC);
    world_members(&w, 1, 3);
    world_down(&w);
}

static void a_calendar_that_jumps_a_year_and_back_loses_nothing(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 15);
    world_wait(&w, 3 * KITH_SEC);
    for (int sign = -1; sign <= 1; sign += 2) {
        w.node[1].wall_offset = sign * 365 * 86400;
        world_wait(&w, 2 * 3600 * KITH_SEC);
        w.node[1].wall_offset = 0;
        world_wait(&w, 2 * 3600 * KITH_SEC);
        /* 10 s as a guest, and 60 s before one that was sent away tries again */
        assert_true(world_reaches(&w, 0, 1, false, 75 * KITH_SEC));
        world_members(&w, 1, 3);
    }
    world_down(&w);
}

static void a_stop_says_goodbye_and_ends(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 16);
    world_wait(&w, 3 * KITH_SEC);
    kith_node_stop(w.node[1].node, node_sim_now(&w.node[1]));
    world_wait(&w, 3 * KITH_SEC);
    assert_int_equal(w.node[1].stops, 1);
    assert_int_equal(kith_node_session_count(w.node[0].node), 1);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_makes_a_member_and_packets_pass_in_both_families),
        cmocka_unit_test(a_third_member_reaches_the_second_while_the_first_is_down),
        cmocka_unit_test(a_ticket_is_good_once_and_the_same_peer_may_ask_again),
        cmocka_unit_test(bad_tickets_are_told_apart),
        cmocka_unit_test(a_ticket_whose_address_is_somebody_elses_by_now_fails_at_once),
        cmocka_unit_test(a_network_whose_addresses_overlap_ones_own_is_joined_only_without_that),
        cmocka_unit_test(everything_is_there_again_after_a_restart),
        cmocka_unit_test(one_killed_and_restarted_is_back_within_three_seconds),
        cmocka_unit_test(an_address_change_of_either_side_costs_less_than_a_second),
        cmocka_unit_test(when_both_move_a_common_member_brings_them_together),
        cmocka_unit_test(without_a_common_member_it_is_enough_that_one_returns),
        cmocka_unit_test(a_revoked_member_is_out_everywhere_within_two_seconds),
        cmocka_unit_test(one_revoked_while_it_was_away_is_told_when_it_returns),
        cmocka_unit_test(only_an_admin_invites_and_a_new_admin_does_from_its_own_block),
        cmocka_unit_test(a_ping_names_its_route),
        cmocka_unit_test(certificates_renew_themselves_for_two_months),
        cmocka_unit_test(a_backup_brings_the_root_to_another_machine),
        cmocka_unit_test(who_leaves_is_gone_for_the_others),
        cmocka_unit_test(a_calendar_that_jumps_a_year_and_back_loses_nothing),
        cmocka_unit_test(a_stop_says_goodbye_and_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
