/* Peers that a node blocks, among whole nodes: they stay away, lead nobody on, and come back when
 * they may.
 *
 * The nodes of home.h: 0 laptop, which holds the root, 1 desktop, 2 phone, 3 server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/home.h"
#include "sim/world.h"
#include "store/blocked.h"

#define HOUR (3600 * KITH_SEC)

static struct home h;
static struct world w;

static void up(uint64_t seed, size_t n)
{
    print_message("seed %u\n", (unsigned)seed);
    home_up(&h, seed, n);
    home_wait(&h, 5 * KITH_SEC);
}

static void set_link(size_t a, size_t b, bool cut)
{
    const struct sim_link l = {.delay = 5 * KITH_MSEC, .cut = cut};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &l);
}

/* ---- asking ---- */

static int request(struct node_peer_sim *p, const char *who, bool block, bool *ret_changed)
{
    struct kith_block_info b;
    struct kith_node_why why;
    int err = block ? kith_node_block(p->node, who, NULL, node_sim_now(p), &b, &why)
                    : kith_node_unblock(p->node, who, NULL, node_sim_now(p), &b, &why);

    if (err >= 0)
        *ret_changed = b.changed;
    return err;
}

static void block(size_t by, const char *who)
{
    bool changed = false;

    assert_int_equal(request(&h.node[by], who, true, &changed), KITH_OK);
    assert_true(changed);
}

static void unblock(size_t by, const char *who)
{
    bool changed = false;

    assert_int_equal(request(&h.node[by], who, false, &changed), KITH_OK);
    assert_true(changed);
}

static size_t blocked_by(const struct node_peer_sim *p, struct kith_block_info *ret_last)
{
    size_t at = 0, n = 0;

    while (kith_node_next_blocked(p->node, &at, node_sim_now(p).wall, ret_last))
        n++;
    return n;
}

static bool route(size_t who, size_t of, struct kith_peer_info *ret)
{
    struct kith_session *at = NULL;

    while (kith_node_next_peer(h.node[who].node, &at, node_sim_now(&h.node[who]).wall, ret))
        if (kith_peer_id_equal(&ret->session.peer, &h.node[of].identity.id))
            return true;
    return false;
}

static bool meet(size_t x, size_t y)
{
    struct kith_peer_info info;

    return route(x, y, &info) || route(y, x, &info);
}

static bool goes(size_t who, size_t of, const char *how)
{
    struct kith_peer_info info;

    return route(who, of, &info) && strcmp(info.route, how) == 0;
}

/* Ways that a node knows to a member, or over it. */
static size_t ways(size_t who, size_t of)
{
    struct kith_way_walk at = {.at = 0};
    struct kith_way_info way;
    size_t n = 0;

    while (kith_node_next_way(h.node[who].node, &h.info.id, &at, node_sim_now(&h.node[who]), &way))
        n += kith_peer_id_equal(&way.peer, &h.node[of].identity.id) ||
             kith_peer_id_equal(&way.via, &h.node[of].identity.id);
    return n;
}

static struct kith_member_info member(size_t asked, const char *name)
{
    struct kith_member_info m;
    struct kith_node_why why;

    assert_int_equal(kith_node_find_member(h.node[asked].node, name, NULL,
                                           node_sim_now(&h.node[asked]).wall, &m, &why),
                     KITH_OK);
    return m;
}

static const struct kith_session_counters *counts(size_t who)
{
    return kith_node_session_counters(h.node[who].node);
}

/* ---- staying away ---- */

static void the_session_ends_at_once_and_none_comes_for_an_hour(void **state)
{
    (void)state;
    up(1, 3);
    assert_true(meet(1, 2));
    uint64_t dials = counts(1)->dials;
    block(1, "phone");
    home_wait(&h, 100 * KITH_MSEC);
    assert_false(meet(1, 2));
    assert_int_equal(h.node[1].seen[KITH_EV_peer_blocked], 1);
    assert_int_equal(h.node[2].seen[KITH_EV_blocked_by], 1);
    unsigned opened = h.node[1].seen[KITH_EV_conn_opened];
    uint64_t tries = counts(2)->dials;
    for (int i = 0; i < 360; i++) {
        home_wait(&h, HOUR / 360);
        assert_false(meet(1, 2));
    }
    /* who blocks dials not once; who is blocked once in one or two minutes, at two addresses */
    assert_int_equal(counts(1)->dials, dials);
    tries = counts(2)->dials - tries;
    print_message("  %u dials\n", (unsigned)tries);
    assert_in_range(tries, 29, 61 * 2);
    assert_in_range(counts(1)->blocked_refused, 29, tries);
    assert_int_equal(h.node[1].seen[KITH_EV_refused_blocked], counts(1)->blocked_refused);
    assert_int_equal(h.node[1].seen[KITH_EV_conn_opened], opened); /* nothing of it was heard */
    assert_true(meet(0, 1) && meet(0, 2)); /* it is between those two alone */
    home_down(&h);
}

static void packets_for_it_are_dropped_and_wish_for_no_session(void **state)
{
    (void)state;
    up(2, 3);
    block(1, "phone");
    home_wait(&h, KITH_SEC);
    struct kith_vpn_counters before = kith_node_vpn_counters(h.node[1].node);
    assert_false(home_reaches(&h, 1, 2, KITH_SEC));
    struct kith_vpn_counters after = kith_node_vpn_counters(h.node[1].node);
    assert_int_equal(after.dropped[KITH_VPN_DROP_blocked] - before.dropped[KITH_VPN_DROP_blocked],
                     KITH_SEC / (20 * KITH_MSEC));
    assert_int_equal(after.sessions_wanted, before.sessions_wanted);
    assert_int_equal(after.waited, before.waited);
    assert_false(home_reaches(&h, 2, 1, 90 * KITH_SEC));
    assert_true(home_reaches(&h, 1, 0, KITH_SEC));
    home_down(&h);
}

static void what_waits_for_a_session_with_it_is_dropped_when_it_is_blocked(void **state)
{
    (void)state;
    up(3, 3);
    sim_host_power(h.node[2].host, false);
    home_wait(&h, 120 * KITH_SEC); /* until it is given up */
    struct kith_network_info a = home_info(&h, 1), b = home_info(&h, 2);
    node_sim_send_udp(&h.node[1], &a.ip4, &b.ip4, 100);
    struct kith_vpn_counters waits = kith_node_vpn_counters(h.node[1].node);
    assert_true(waits.waited > 0);
    block(1, "phone");
    struct kith_vpn_counters c = kith_node_vpn_counters(h.node[1].node);
    assert_int_equal(c.dropped[KITH_VPN_DROP_blocked], 1);
    sim_host_power(h.node[2].host, true);
    home_down(&h);
}

static void it_stays_a_member_and_is_shown_as_blocked(void **state)
{
    struct kith_node_totals totals;
    struct kith_block_info b;

    (void)state;
    up(4, 3);
    assert_false(member(1, "phone").blocked);
    kith_wall at = node_sim_now(&h.node[1]).wall;
    block(1, "phone");
    home_wait(&h, 60 * KITH_SEC);
    assert_true(member(1, "phone").blocked);
    assert_false(member(1, "phone").online);
    assert_false(member(1, "laptop").blocked);
    assert_false(member(0, "phone").blocked); /* the list is the desktop's alone */
    assert_int_equal(blocked_by(&h.node[1], &b), 1);
    assert_true(kith_peer_id_equal(&b.peer, &h.node[2].identity.id));
    assert_string_equal(b.name, "phone");
    assert_int_equal(b.since, at);
    kith_node_totals(h.node[1].node, node_sim_now(&h.node[1]).wall, &totals);
    assert_int_equal(totals.blocked, 1);
    assert_int_equal(home_info(&h, 1).members, 3);
    home_down(&h);
}

static void a_restart_forgets_nobody_who_is_blocked(void **state)
{
    struct kith_block_info b;

    (void)state;
    up(5, 3);
    block(1, "phone");
    node_sim_restart(&h.node[1]); /* as after kill -9 */
    assert_int_equal(blocked_by(&h.node[1], &b), 1);
    for (int i = 0; i < 300; i++) {
        struct kith_peer_info info;
        home_wait(&h, KITH_SEC);
        assert_false(route(1, 2, &info));
    }
    assert_false(meet(1, 2));
    assert_true(home_reaches(&h, 1, 0, KITH_SEC));
    assert_int_equal(ways(1, 2), 0); /* the laptop has told all it leads to */
    assert_true(member(1, "phone").blocked);
    unblock(1, "phone");
    node_sim_restart(&h.node[1]);
    assert_int_equal(blocked_by(&h.node[1], &b), 0);
    assert_true(home_reaches(&h, 1, 2, 5 * KITH_SEC));
    home_down(&h);
}

/* ---- coming back ---- */

static void unblocking_brings_traffic_back_within_a_second(void **state)
{
    (void)state;
    for (uint64_t seed = 6; seed < 9; seed++) {
        up(seed, 3);
        block(1, "phone");
        home_wait(&h, 600 * KITH_SEC + seed * 7 * KITH_SEC);
        unblock(1, "phone");
        assert_int_equal(h.node[1].seen[KITH_EV_peer_unblocked], 1);
        home_wait(&h, KITH_SEC / 2);
        assert_true(meet(1, 2)); /* and nobody had to ask for it by a packet */
        assert_true(home_reaches(&h, 1, 2, KITH_SEC / 2));
        assert_true(home_reaches(&h, 2, 1, KITH_SEC));
        home_down(&h);
    }
}

static void two_that_block_each_other_meet_when_both_have_unblocked(void **state)
{
    (void)state;
    up(9, 3);
    block(1, "phone");
    home_wait(&h, KITH_SEC);
    block(2, "desktop");
    home_wait(&h, 300 * KITH_SEC);
    unblock(1, "phone");
    home_wait(&h, 300 * KITH_SEC);
    assert_false(meet(1, 2));
    unblock(2, "desktop");
    assert_true(home_reaches(&h, 1, 2, KITH_SEC));
    home_down(&h);
}

/* ---- the mesh ---- */

static void it_is_refused_through_others_too(void **state)
{
    (void)state;
    up(10, 3);
    set_link(1, 2, true);
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    home_wait(&h, 120 * KITH_SEC); /* until both have noticed that they don't hear each other */
    assert_true(goes(1, 2, "relay via laptop"));
    assert_true(goes(2, 1, "relay via laptop"));
    block(1, "phone");
    home_wait(&h, KITH_SEC);
    assert_false(meet(1, 2));
    assert_int_equal(h.node[2].seen[KITH_EV_blocked_by], 1);
    assert_int_equal(ways(1, 2), 0);
    for (int i = 0; i < 30; i++) {
        assert_false(home_reaches(&h, 2, 1, 10 * KITH_SEC));
        assert_false(meet(1, 2));
        assert_int_equal(ways(1, 2), 0); /* the laptop goes on telling of it */
    }
    assert_in_range(counts(1)->blocked_refused, 3, 6);
    unblock(1, "phone");
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    assert_true(goes(1, 2, "relay via laptop"));
    home_down(&h);
}

static void traffic_that_went_over_it_takes_another_way(void **state)
{
    (void)state;
    up(11, 4);
    set_link(1, 2, true);
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    size_t relay = goes(1, 2, "relay via laptop") ? 0 : 3;
    assert_true(goes(1, 2, relay == 0 ? "relay via laptop" : "relay via server"));
    block(1, relay == 0 ? "laptop" : "server");
    assert_int_equal(ways(1, relay), 0);
    assert_true(home_reaches(&h, 1, 2, 4 * KITH_SEC));
    assert_true(goes(1, 2, relay == 0 ? "relay via server" : "relay via laptop"));
    home_wait(&h, 120 * KITH_SEC);
    assert_int_equal(ways(1, relay), 0);
    assert_true(home_reaches(&h, 2, 1, KITH_SEC));
    /* nor do others hear from the desktop that it leads there */
    assert_false(meet(1, relay));
    home_down(&h);
}

/* Only the laptop hears both, and it blocks one of them. */
static void nobody_is_led_to_it(void **state)
{
    (void)state;
    up(12, 3);
    block(0, "phone");
    set_link(1, 2, true);
    home_wait(&h, 120 * KITH_SEC); /* until both have noticed that they don't hear each other */
    assert_int_equal(ways(1, 2), 0);
    assert_false(home_reaches(&h, 1, 2, 60 * KITH_SEC));
    assert_false(home_reaches(&h, 2, 1, 60 * KITH_SEC));
    unblock(0, "phone");
    assert_true(home_reaches(&h, 1, 2, 70 * KITH_SEC));
    home_down(&h);
}

/* ---- governance stays with the admins ---- */

static void what_admins_sign_counts_whoever_is_blocked(void **state)
{
    struct kith_member_info m;
    struct kith_node_why why;
    struct kith_block_info b;

    (void)state;
    up(13, 4);
    block(1, "laptop");
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(
        kith_node_revoke(h.node[0].node, "server", NULL, node_sim_now(&h.node[0]), &m, &why),
        KITH_OK);
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(home_info(&h, 1).members, 3); /* by way of the phone */
    assert_false(meet(1, 3));
    block(1, "phone");
    assert_int_equal(
        kith_node_revoke(h.node[0].node, "phone", NULL, node_sim_now(&h.node[0]), &m, &why),
        KITH_OK);
    unblock(1, "laptop");
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(home_info(&h, 1).members, 2);
    assert_int_equal(blocked_by(&h.node[1], &b),
                     1); /* and who is no member any more stays blocked */
    assert_string_equal(b.name, "");
    home_down(&h);
}

static void neither_issuer_nor_joiner_is_dealt_with_while_blocked(void **state)
{
    char ticket[KITH_TICKET_TEXT_MAX], id[KITH_ID_TEXT];
    struct kith_node_why why;
    bool changed;

    (void)state;
    world_up(&w, 14);
    world_create(&w);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    (void)kith_peer_id_text(&w.node[0].identity.id, id, sizeof id);
    assert_int_equal(request(&w.node[1], id, true, &changed), KITH_OK);
    assert_int_equal(
        kith_node_join(w.node[1].node, ticket, NULL, 1, node_sim_now(&w.node[1]), &why),
        KITH_E_STATE);
    assert_int_equal(request(&w.node[1], id, false, &changed), KITH_OK);
    (void)kith_peer_id_text(&w.node[1].identity.id, id, sizeof id);
    assert_int_equal(request(&w.node[0], id, true, &changed), KITH_OK);
    assert_int_equal(world_join(&w, 1, ticket), KITH_E_UNREACHABLE);
    assert_int_equal(request(&w.node[0], id, false, &changed), KITH_OK);
    assert_int_equal(world_join(&w, 1, ticket), KITH_OK);
    world_down(&w);
}

/* It got its certificate, and the issuer was gone before it had greeted: nobody else is known to
 * it. */
static void one_that_has_only_its_issuer_waits_until_it_may_meet_it(void **state)
{
    char ticket[KITH_TICKET_TEXT_MAX], issuer[KITH_ID_TEXT];
    struct kith_node_why why;
    bool changed;

    (void)state;
    world_up(&w, 15);
    world_create(&w);
    (void)kith_peer_id_text(&w.node[0].identity.id, issuer, sizeof issuer);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    assert_int_equal(
        kith_node_join(w.node[1].node, ticket, NULL, 1, node_sim_now(&w.node[1]), &why), KITH_OK);
    while (w.node[1].seen[KITH_EV_network_joined] == 0)
        world_wait(&w, KITH_MSEC);
    sim_host_power(w.node[0].host, false);
    world_wait(&w, KITH_SEC);
    assert_int_equal(request(&w.node[1], issuer, true, &changed), KITH_OK);
    sim_host_power(w.node[0].host, true);
    uint64_t dials = kith_node_session_counters(w.node[1].node)->dials;
    world_wait(&w, 600 * KITH_SEC);
    assert_int_equal(kith_node_session_counters(w.node[1].node)->dials, dials);
    node_sim_restart(&w.node[1]);
    world_wait(&w, 600 * KITH_SEC);
    assert_int_equal(kith_node_session_counters(w.node[1].node)->dials, 0);
    assert_int_equal(request(&w.node[1], issuer, false, &changed), KITH_OK);
    assert_true(world_reaches(&w, 1, 0, false, KITH_SEC));
    world_down(&w);
}

/* ---- requests ---- */

static void both_requests_may_be_repeated_and_say_so(void **state)
{
    char id[KITH_ID_TEXT];
    bool changed = true;

    (void)state;
    up(16, 3);
    assert_int_equal(request(&h.node[1], "phone", false, &changed), KITH_OK);
    assert_false(changed);
    block(1, "phone");
    (void)kith_peer_id_text(&h.node[2].identity.id, id, sizeof id);
    assert_int_equal(request(&h.node[1], id, true, &changed), KITH_OK);
    assert_false(changed);
    assert_int_equal(h.node[1].seen[KITH_EV_peer_blocked], 1);
    unblock(1, id);
    assert_int_equal(request(&h.node[1], "phone", false, &changed), KITH_OK);
    assert_false(changed);
    assert_int_equal(h.node[1].seen[KITH_EV_peer_unblocked], 1);
    home_down(&h);
}

static void oneself_and_names_that_mean_nobody_cannot_be_blocked(void **state)
{
    struct kith_block_info b;
    bool changed;

    (void)state;
    up(17, 2);
    assert_int_equal(request(&h.node[1], "desktop", true, &changed), KITH_E_INVAL);
    assert_int_equal(request(&h.node[1], "nobody", true, &changed), KITH_E_NOTFOUND);
    assert_int_equal(request(&h.node[1], "nobody", false, &changed), KITH_E_NOTFOUND);
    assert_int_equal(blocked_by(&h.node[1], &b), 0);
    assert_true(home_reaches(&h, 0, 1, KITH_SEC));
    home_down(&h);
}

/* The desktop makes a network of its own, in which the laptop is called phone. */
static void a_name_that_means_two_is_refused_until_it_is_said_which(void **state)
{
    const struct kith_invite invite = {.network = "work", .name = "phone", .valid = 60, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_block_info b;
    struct kith_prefix range;
    struct kith_node_why why;
    kith_wall expires;
    bool changed;

    (void)state;
    up(18, 3);
    assert_int_equal(kith_prefix_parse("100.81.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(h.node[1].node, "work", &range,
                                              node_sim_now(&h.node[1]), &net, &why),
                     KITH_OK);
    assert_int_equal(kith_node_invite(h.node[1].node, &invite, node_sim_now(&h.node[1]), ticket,
                                      sizeof ticket, &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(
        kith_node_join(h.node[0].node, ticket, NULL, 5, node_sim_now(&h.node[0]), &why), KITH_OK);
    home_wait(&h, 2 * KITH_SEC);
    assert_int_equal(request(&h.node[1], "phone", true, &changed), KITH_E_INVAL);
    assert_int_equal(blocked_by(&h.node[1], &b), 0);
    assert_int_equal(
        kith_node_block(h.node[1].node, "phone", "home", node_sim_now(&h.node[1]), &b, &why),
        KITH_OK);
    assert_true(kith_peer_id_equal(&b.peer, &h.node[2].identity.id));
    assert_int_equal(request(&h.node[1], "phone.work", true, &changed), KITH_OK);
    assert_int_equal(blocked_by(&h.node[1], &b), 2);
    home_down(&h);
}

static void there_is_room_for_so_many_and_no_more(void **state)
{
    struct kith_peer_id id = {{0}};
    struct kith_block_info b;
    char text[KITH_ID_TEXT];
    bool changed;

    (void)state;
    up(19, 2);
    for (unsigned i = 0; i < KITH_STORE_BLOCKED_MAX; i++) {
        id.b[0] = (uint8_t)(i >> 8);
        id.b[1] = (uint8_t)i;
        assert_int_equal(
            request(&h.node[1], kith_peer_id_text(&id, text, sizeof text), true, &changed),
            KITH_OK);
    }
    assert_int_equal(request(&h.node[1], "laptop", true, &changed), KITH_E_FULL);
    assert_true(home_reaches(&h, 0, 1, KITH_SEC));                        /* it did not happen */
    assert_int_equal(request(&h.node[1], text, true, &changed), KITH_OK); /* it is there */
    node_sim_restart(&h.node[1]);
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(blocked_by(&h.node[1], &b), KITH_STORE_BLOCKED_MAX);
    unblock(1, text);
    block(1, "laptop");
    home_wait(&h, KITH_SEC);
    assert_false(meet(0, 1));
    unblock(1, "laptop");
    home_wait(&h, KITH_SEC / 2);
    assert_true(meet(0, 1)); /* of the two alone nobody tells the other a way */
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_ends_at_once_and_none_comes_for_an_hour),
        cmocka_unit_test(packets_for_it_are_dropped_and_wish_for_no_session),
        cmocka_unit_test(what_waits_for_a_session_with_it_is_dropped_when_it_is_blocked),
        cmocka_unit_test(it_stays_a_member_and_is_shown_as_blocked),
        cmocka_unit_test(a_restart_forgets_nobody_who_is_blocked),
        cmocka_unit_test(unblocking_brings_traffic_back_within_a_second),
        cmocka_unit_test(two_that_block_each_other_meet_when_both_have_unblocked),
        cmocka_unit_test(it_is_refused_through_others_too),
        cmocka_unit_test(traffic_that_went_over_it_takes_another_way),
        cmocka_unit_test(nobody_is_led_to_it),
        cmocka_unit_test(what_admins_sign_counts_whoever_is_blocked),
        cmocka_unit_test(neither_issuer_nor_joiner_is_dealt_with_while_blocked),
        cmocka_unit_test(one_that_has_only_its_issuer_waits_until_it_may_meet_it),
        cmocka_unit_test(both_requests_may_be_repeated_and_say_so),
        cmocka_unit_test(oneself_and_names_that_mean_nobody_cannot_be_blocked),
        cmocka_unit_test(a_name_that_means_two_is_refused_until_it_is_said_which),
        cmocka_unit_test(there_is_room_for_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
