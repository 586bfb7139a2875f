/* Whole nodes that cannot all hear each other: who is reached through whom, under virtual time.
 *
 * The nodes of home.h: 0 laptop, 1 desktop, 2 phone, 3 server, 4 tablet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"

static struct home h;

/* ---- links ---- */

static void set_link(size_t a, size_t b, bool cut)
{
    const struct sim_link l = {.delay = 5 * KITH_MSEC, .cut = cut};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &l);
}

static void cut(size_t a, size_t b)
{
    set_link(a, b, true);
}

static void mend(size_t a, size_t b)
{
    set_link(a, b, false);
}

/* Only neighbours in the row 0, 1, 2, … hear each other. */
static void make_chain(void)
{
    for (size_t a = 0; a < h.n; a++)
        for (size_t b = a + 2; b < h.n; b++)
            cut(a, b);
}

/* ---- asking ---- */

static bool peer_info(size_t who, size_t of, struct kith_peer_info *ret)
{
    struct kith_session *at = NULL;

    while (kith_node_next_peer(h.node[who].node, &at, node_sim_now(&h.node[who]).wall, ret))
        if (kith_peer_id_equal(&ret->session.peer, &h.node[of].identity.id))
            return true;
    return false;
}

static const char *route(size_t who, size_t of)
{
    static struct kith_peer_info info;

    return peer_info(who, of, &info) ? info.route : "none";
}

static bool goes(size_t who, size_t of, const char *how)
{
    return strcmp(route(who, of), how) == 0;
}

/* How many ways to a member are known to another, besides to itself. */
static size_t ways(size_t who, size_t to)
{
    struct kith_network_info net = home_info(&h, who);
    struct kith_way_walk at = {.at = 0};
    struct kith_way_info w;
    size_t n = 0;

    while (kith_node_next_way(h.node[who].node, &net.id, &at, node_sim_now(&h.node[who]), &w))
        n += kith_peer_id_equal(&w.peer, &h.node[to].identity.id);
    return n;
}

/* Waits until the route is this; false after `limit`. */
static bool becomes(size_t who, size_t of, const char *how, kith_dur limit)
{
    kith_time end = sim_net_now(h.net) + limit;

    while (!goes(who, of, how) && sim_net_now(h.net) < end) {
        (void)home_reaches(&h, who, of, 100 * KITH_MSEC); /* traffic */
        home_wait(&h, 50 * KITH_MSEC);
    }
    return goes(who, of, how);
}

static void up(uint64_t seed, size_t n)
{
    print_message("seed %u\n", (unsigned)seed);
    home_up(&h, seed, n);
    home_wait(&h, 5 * KITH_SEC);
}

/* ---- one in between ---- */

static void who_hears_only_a_common_friend_is_reached_through_it(void **state)
{
    (void)state;
    up(1, 3);
    assert_true(goes(1, 2, "direct udp 192.0.2.3:9000"));
    cut(1, 2);
    assert_true(home_reaches(&h, 1, 2, 6 * KITH_SEC));
    assert_true(home_reaches(&h, 2, 1, 6 * KITH_SEC));
    assert_string_equal(route(1, 2), "relay via laptop");
    assert_string_equal(route(2, 1), "relay via laptop");
    home_down(&h);
}

static void the_direct_way_is_taken_again_when_it_is_back(void **state)
{
    (void)state;
    up(2, 3);
    cut(1, 2);
    assert_true(becomes(1, 2, "relay via laptop", 8 * KITH_SEC));
    home_wait(&h, 60 * KITH_SEC);
    mend(1, 2);
    /* 15 s at most while packets go, and a quarter of a second for each address */
    assert_true(becomes(1, 2, "direct udp 192.0.2.3:9000", 17 * KITH_SEC));
    assert_true(becomes(2, 1, "direct udp 192.0.2.2:9000", KITH_SEC));
    assert_true(home_reaches(&h, 1, 2, 100 * KITH_MSEC));
    /* and the connection through others is not kept */
    home_wait(&h, 5 * KITH_SEC);
    struct kith_peer_info info;
    assert_true(peer_info(1, 2, &info));
    assert_int_equal(info.session.connections, 1);
    home_down(&h);
}

/* Sends one packet every 20 ms for `limit`; the longest time in which none arrived. */
static kith_dur longest_gap(size_t from, size_t to, kith_dur limit)
{
    struct kith_network_info a = home_info(&h, from), b = home_info(&h, to);
    kith_time end = sim_net_now(h.net) + limit, last = sim_net_now(h.net);
    uint64_t seen = h.node[to].tun_packets;
    kith_dur longest = 0;

    while (sim_net_now(h.net) < end) {
        node_sim_send_udp(&h.node[from], &a.ip4, &b.ip4, 100);
        home_wait(&h, 20 * KITH_MSEC);
        if (h.node[to].tun_packets > seen)
            last = sim_net_now(h.net);
        seen = h.node[to].tun_packets;
        kith_dur gap = kith_since(sim_net_now(h.net), last);
        longest = gap > longest ? gap : longest;
    }
    return longest;
}

static void going_direct_again_loses_nothing(void **state)
{
    (void)state;
    up(3, 3);
    cut(1, 2);
    assert_true(becomes(1, 2, "relay via laptop", 8 * KITH_SEC));
    mend(1, 2);
    assert_true(longest_gap(1, 2, 20 * KITH_SEC) <= 40 * KITH_MSEC);
    assert_true(goes(1, 2, "direct udp 192.0.2.3:9000"));
    home_down(&h);
}

static void the_second_best_takes_over_when_the_one_in_between_dies(void **state)
{
    (void)state;
    up(4, 4);
    cut(1, 2);
    assert_true(becomes(1, 2, "relay via laptop", 8 * KITH_SEC) ||
                becomes(1, 2, "relay via server", KITH_SEC));
    size_t relay = goes(1, 2, "relay via laptop") ? 0 : 3;
    sim_host_power(h.node[relay].host, false);
    kith_dur gap = longest_gap(1, 2, 20 * KITH_SEC);
    print_message("  %u ms\n", (unsigned)(gap / KITH_MSEC));
    assert_true(gap <= 4 * KITH_SEC);
    assert_true(goes(1, 2, relay == 0 ? "relay via server" : "relay via laptop"));
    sim_host_power(h.node[relay].host, true);
    home_down(&h);
}

/* ---- more of them ---- */

static void a_chain_of_five_reaches_from_end_to_end(void **state)
{
    (void)state;
    up(5, 5);
    make_chain();
    home_wait(&h, 90 * KITH_SEC); /* until everybody has noticed who is not heard any more */
    assert_true(home_reaches(&h, 0, 4, 20 * KITH_SEC));
    assert_true(home_reaches(&h, 4, 0, 20 * KITH_SEC));
    assert_true(becomes(0, 4, "mesh 4 hops", 10 * KITH_SEC));
    assert_true(becomes(4, 0, "mesh 4 hops", 10 * KITH_SEC));
    assert_true(becomes(0, 2, "relay via desktop", 10 * KITH_SEC));
    home_down(&h);
}

static void whoever_is_gone_is_told_of_no_more_and_found_again(void **state)
{
    (void)state;
    up(6, 5);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    assert_true(home_reaches(&h, 0, 4, 20 * KITH_SEC));
    cut(3, 4);
    home_wait(&h, 120 * KITH_SEC);
    assert_string_equal(route(0, 4), "none");
    mend(3, 4);
    assert_true(home_reaches(&h, 0, 4, 70 * KITH_SEC));
    home_down(&h);
}

/* QUIC gives up after a minute of silence; others need to know before. */
static void a_silent_neighbour_leads_nobody_on_and_does_again_once_it_is_heard(void **state)
{
    (void)state;
    up(17, 3);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    assert_int_equal(ways(0, 2), 1);
    unsigned downs = h.node[1].seen[KITH_EV_session_closed];
    cut(1, 2);
    assert_false(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    assert_int_equal(ways(0, 2), 0);
    assert_int_equal(h.node[1].seen[KITH_EV_session_closed], downs);
    mend(1, 2);
    assert_true(home_reaches(&h, 1, 2, 3 * KITH_SEC));
    home_wait(&h, 6 * KITH_SEC);
    assert_int_equal(ways(0, 2), 1);
    home_down(&h);
}

static void desktop_blocks_phone(void)
{
    struct kith_block_info b;
    struct kith_node_why why;

    assert_int_equal(
        kith_node_block(h.node[1].node, "phone", NULL, node_sim_now(&h.node[1]), &b, &why),
        KITH_OK);
}

/* All is told to one neighbour every 5 s at most: who asks again meanwhile waits for it, and what
 * is lost while it waits is told all the same. */
static void what_is_lost_while_a_neighbour_waits_to_be_told_all_is_told_it(void **state)
{
    (void)state;
    up(14, 3);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    assert_int_equal(ways(0, 2), 1);
    for (int i = 0; i < 2; i++) {
        routes_ask(h.node[0].node, node_sim_now(&h.node[0]));
        home_wait(&h, KITH_SEC);
    }
    desktop_blocks_phone();
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(ways(0, 2), 0);
    home_down(&h);
}

/* Connections, by what their datagrams begin with after the first byte (RFC 9000 17.3.1). */
static struct {
    uint8_t id[64][8];
    size_t n;
    bool dead; /* nothing comes through on those that were seen before */
} seen;

static bool passes(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                   uint8_t *data, size_t len)
{
    size_t i = 0;

    (void)ctx, (void)from, (void)to;
    if (len < 1 + sizeof seen.id[0] || (data[0] & 0x80) != 0)
        return true; /* of a handshake */
    while (i < seen.n && memcmp(seen.id[i], data + 1, sizeof seen.id[0]) != 0)
        i++;
    if (i == seen.n && !seen.dead && seen.n < 64)
        memcpy(seen.id[seen.n++], data + 1, sizeof seen.id[0]);
    return i == seen.n || !seen.dead;
}

/* A connection that takes over does not bring what was lost with the one before it, and the session
 * goes on all the while. */
static void what_is_told_on_a_connection_that_dies_is_told_again_on_the_next(void **state)
{
    (void)state;
    up(15, 3);
    make_chain();
    home_wait(&h, 85 * KITH_SEC);
    memset(&seen, 0, sizeof seen);
    sim_net_set_filter(h.net, passes, NULL);
    assert_true(home_reaches(&h, 0, 1, 5 * KITH_SEC));
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(ways(0, 2), 1);
    unsigned downs = h.node[0].seen[KITH_EV_session_closed];
    seen.dead = true;
    desktop_blocks_phone();
    assert_true(home_reaches(&h, 0, 1, 20 * KITH_SEC)); /* the next one is there */
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(h.node[0].seen[KITH_EV_session_closed], downs);
    assert_int_equal(ways(0, 2), 0);
    home_down(&h);
}

/* What the desktop said before it lost its way to the phone comes on a former connection, after it
 * has said that it lost it. */
static void desktop_is_heard_late(void)
{
    struct kith_route_item item = {.seq = (uint32_t)node_sim_now(&h.node[1]).wall, .hops = 1};
    struct kith_node *n = h.node[0].node;
    uint8_t items[22], message[128];
    struct kith_writer w = kith_writer_on(items, sizeof items);
    size_t len;

    assert_int_equal(mesh_destination_of(&h.node[2].identity.id, &item.destination), KITH_OK);
    kith_route_item_put(&w, &item);
    const struct kith_routes m = {.network = home_info(&h, 0).id,
                                  .entries = {KITH_SPAN_OF(items), 1}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
    routes_heard(n, peer_find(n, &h.node[1].identity.id), (struct kith_span){message, len}, true,
                 node_sim_now(&h.node[0]));
}

static void what_comes_late_on_a_former_connection_does_not_stay(void **state)
{
    (void)state;
    up(16, 3);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    desktop_blocks_phone();
    home_wait(&h, KITH_SEC);
    assert_int_equal(ways(0, 2), 0);
    desktop_is_heard_late();
    assert_int_equal(ways(0, 2), 1);
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(ways(0, 2), 0);
    home_down(&h);
}

static void one_that_starts_anew_is_reached_through_others_again(void **state)
{
    (void)state;
    up(7, 3);
    cut(1, 2);
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    node_sim_restart(&h.node[2]);
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    node_sim_restart(&h.node[0]); /* the one in between */
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    home_down(&h);
}

/* As after kill -9 in the middle of traffic: its neighbours meet it anew, the ends dial anew. */
static void traffic_goes_on_soon_after_one_in_the_middle_starts_anew(void **state)
{
    (void)state;
    up(10, 5);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    assert_true(home_reaches(&h, 0, 4, 20 * KITH_SEC));
    home_wait(&h, 120 * KITH_SEC);
    assert_true(home_reaches(&h, 0, 4, KITH_SEC));
    node_sim_restart(&h.node[2]);
    kith_dur gap = longest_gap(0, 4, 20 * KITH_SEC);
    print_message("  %u ms\n", (unsigned)(gap / KITH_MSEC));
    assert_true(gap <= 6 * KITH_SEC);
    home_down(&h);
}

/* It looks for the direct way all the time; that must not hide that it fell silent. */
static void a_relayed_session_that_falls_silent_is_told_of(void **state)
{
    (void)state;
    up(20, 3);
    cut(1, 2);
    assert_true(becomes(1, 2, "relay via laptop", 8 * KITH_SEC));
    home_wait(&h, 130 * KITH_SEC); /* at rest it is a minute between two looks */
    unsigned before = h.node[1].seen[KITH_EV_session_silent];
    cut(0, 2);
    (void)home_reaches(&h, 1, 2, 8 * KITH_SEC);
    assert_int_equal(h.node[1].seen[KITH_EV_session_silent], before + 1);
    home_down(&h);
}

/* Those at the ends look for the direct way every 15 s; that they fell silent they notice at once.
 */
static void an_outage_of_the_one_in_the_middle_ends_soon_after_it(void **state)
{
    (void)state;
    for (uint64_t seed = 11; seed < 15; seed++) {
        up(seed, 5);
        make_chain();
        home_wait(&h, 90 * KITH_SEC);
        assert_true(home_reaches(&h, 0, 4, 20 * KITH_SEC));
        (void)longest_gap(0, 4, 40 * KITH_SEC);
        node_sim_kill(&h.node[2]);
        home_wait(&h, 100 * KITH_MSEC); /* what is under way arrives */
        assert_false(home_reaches(&h, 0, 4, (5 + seed - 11) * KITH_SEC));
        assert_int_equal(node_sim_try_start(&h.node[2]), KITH_OK);
        kith_time from = sim_net_now(h.net);
        assert_true(home_reaches(&h, 0, 4, 6 * KITH_SEC));
        print_message("  %u ms\n", (unsigned)((sim_net_now(h.net) - from) / KITH_MSEC));
        home_down(&h);
    }
}

static void one_that_is_revoked_leads_nobody_on(void **state)
{
    struct kith_member_info info;
    struct kith_node_why why;

    (void)state;
    up(8, 4);
    cut(1, 2);
    assert_true(home_reaches(&h, 1, 2, 8 * KITH_SEC));
    assert_int_equal(
        kith_node_revoke(h.node[0].node, "server", NULL, node_sim_now(&h.node[0]), &info, &why),
        KITH_OK);
    home_wait(&h, 5 * KITH_SEC);
    cut(0, 2); /* only the one that was revoked hears both */
    assert_false(home_reaches(&h, 1, 2, 30 * KITH_SEC));
    home_down(&h);
}

static void one_that_forwards_nothing_leads_nobody_on_but_is_led_to(void **state)
{
    (void)state;
    up(10, 4);
    h.node[0].forward_nothing = true;
    node_sim_restart(&h.node[0]);
    home_wait(&h, 10 * KITH_SEC);
    cut(1, 2);
    cut(3, 2); /* only node 0 hears both */
    assert_false(home_reaches(&h, 1, 2, 70 * KITH_SEC));
    assert_string_equal(route(1, 2), "none");
    assert_int_equal(ways(1, 2), 0);
    mend(3, 2);
    assert_true(home_reaches(&h, 1, 2, 20 * KITH_SEC));
    assert_string_equal(route(1, 2), "relay via server");
    /* and itself it goes through others as before */
    cut(0, 1);
    cut(0, 2);
    assert_true(home_reaches(&h, 0, 1, 20 * KITH_SEC));
    assert_true(home_reaches(&h, 2, 0, 20 * KITH_SEC));
    assert_string_equal(route(2, 0), "relay via server");
    home_down(&h);
}

/* ---- how far it is ---- */

/* Three round trips from one to the other; how many hops the last was, 0 when it is lost. */
static unsigned hops_of_a_ping(size_t from, size_t to)
{
    struct node_peer_sim *p = &h.node[from];
    struct kith_node_why why;
    size_t before = p->pongs;

    assert_int_equal(kith_node_ping(p->node, &h.node[to].identity.id, 3, 100 * KITH_MSEC, 77,
                                    node_sim_now(p), &why),
                     KITH_OK);
    home_wait(&h, KITH_SEC);
    assert_int_equal(p->pongs, before + 3);
    return p->last_hops;
}

static void a_ping_counts_the_connections_that_it_goes_over(void **state)
{
    (void)state;
    up(21, 5);
    assert_int_equal(hops_of_a_ping(1, 2), 1);
    cut(1, 2);
    assert_true(becomes(1, 2, "relay via laptop", 8 * KITH_SEC) ||
                becomes(1, 2, "relay via server", KITH_SEC) ||
                becomes(1, 2, "relay via tablet", KITH_SEC));
    assert_int_equal(hops_of_a_ping(1, 2), 2);
    assert_int_equal(hops_of_a_ping(1, 0), 1);
    mend(1, 2);
    make_chain();
    home_wait(&h, 90 * KITH_SEC);
    assert_true(becomes(0, 4, "mesh 4 hops", 30 * KITH_SEC));
    assert_int_equal(hops_of_a_ping(0, 4), 4);
    home_down(&h);
}

static void a_ping_that_is_lost_has_gone_nowhere(void **state)
{
    struct kith_node_why why;

    (void)state;
    up(22, 2);
    assert_int_equal(hops_of_a_ping(0, 1), 1);
    cut(0, 1);
    assert_int_equal(kith_node_ping(h.node[0].node, &h.node[1].identity.id, 1, KITH_SEC, 78,
                                    node_sim_now(&h.node[0]), &why),
                     KITH_OK);
    home_wait(&h, 6 * KITH_SEC);
    assert_int_equal(h.node[0].lost, 1);
    assert_int_equal(h.node[0].last_hops, 0);
    home_down(&h);
}

/* ---- what it costs, what it shows ---- */

static void at_rest_nothing_is_said_of_routes(void **state)
{
    uint64_t bytes, before;

    (void)state;
    up(9, 5);
    home_wait(&h, 600 * KITH_SEC);
    (void)sim_net_delivered(h.net, &before);
    home_wait(&h, 3600 * KITH_SEC);
    (void)sim_net_delivered(h.net, &bytes);
    double rate = (double)(bytes - before) * 8 / 3600 / 10; /* five nodes have ten links */
    print_message("  %.0f bit/s a link\n", rate);
    assert_true(rate < 150);
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_hears_only_a_common_friend_is_reached_through_it),
        cmocka_unit_test(the_direct_way_is_taken_again_when_it_is_back),
        cmocka_unit_test(going_direct_again_loses_nothing),
        cmocka_unit_test(the_second_best_takes_over_when_the_one_in_between_dies),
        cmocka_unit_test(a_chain_of_five_reaches_from_end_to_end),
        cmocka_unit_test(whoever_is_gone_is_told_of_no_more_and_found_again),
        cmocka_unit_test(a_silent_neighbour_leads_nobody_on_and_does_again_once_it_is_heard),
        cmocka_unit_test(what_is_lost_while_a_neighbour_waits_to_be_told_all_is_told_it),
        cmocka_unit_test(what_is_told_on_a_connection_that_dies_is_told_again_on_the_next),
        cmocka_unit_test(what_comes_late_on_a_former_connection_does_not_stay),
        cmocka_unit_test(one_that_starts_anew_is_reached_through_others_again),
        cmocka_unit_test(traffic_goes_on_soon_after_one_in_the_middle_starts_anew),
        cmocka_unit_test(a_relayed_session_that_falls_silent_is_told_of),
        cmocka_unit_test(an_outage_of_the_one_in_the_middle_ends_soon_after_it),
        cmocka_unit_test(one_that_is_revoked_leads_nobody_on),
        cmocka_unit_test(one_that_forwards_nothing_leads_nobody_on_but_is_led_to),
        cmocka_unit_test(a_ping_counts_the_connections_that_it_goes_over),
        cmocka_unit_test(a_ping_that_is_lost_has_gone_nowhere),
        cmocka_unit_test(at_rest_nothing_is_said_of_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
