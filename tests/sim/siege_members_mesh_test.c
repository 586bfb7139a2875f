/* What a member can do to those that would lead it on: flows and labels of its making, lies about
 * who leads where, by the hundred a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/siege.h"
#include "wire/control.h"
#include "wire/datagram.h"

enum { MANY = 4, SELF = 0, OTHER = 1 };

/* The foe's labels have the highest bit if its id is the greater. */
static uint32_t own_bit(const struct siege *s)
{
    const struct node_peer_sim *to = &s->home.node[SELF];

    return memcmp(s->home.foe.identity.id.b, to->identity.id.b, 32) > 0 ? UINT32_C(1) << 31 : 0;
}

static struct kith_destination destination_of(const struct siege *s, size_t who)
{
    struct kith_destination d;

    assert_int_equal(
        kith_destination(&s->home.node[who].identity.id, kith_span_text(KITH_SERVICE_SELF), &d),
        KITH_OK);
    return d;
}

static struct kith_destination nobody(void)
{
    static uint32_t n;
    struct kith_destination d = {{1}};

    n++;
    memcpy(d.b + 4, &n, sizeof n);
    return d;
}

static struct kith_node_totals totals(const struct siege *s)
{
    struct kith_node_totals t;

    kith_node_totals(s->home.node[SELF].node, node_sim_now(&s->home.node[SELF]).wall, &t);
    return t;
}

static const struct kith_relay_counters *relay(const struct siege *s)
{
    return kith_node_relay_counters(s->home.node[SELF].node);
}

/* ---- labels ---- */

static void under_labels_never_given(struct siege *s)
{
    static uint32_t label;
    struct kith_flow_packet m = {.hops = 9, .label = label += 7, .packet = kith_span_text("noise")};
    uint8_t buf[64];
    size_t len;

    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_datagrams(s, buf, len, MANY);
}

static void labels_never_given_end_the_session_when_they_go_on(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 601);
    siege_once(&s, under_labels_never_given);
    assert_int_equal(relay(&s)->unknown, MANY);
    siege_goes_on(&s, under_labels_never_given, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    assert_int_equal(totals(&s).flows, 0);
    assert_int_equal(relay(&s)->accepted, 0);
    assert_true(relay(&s)->forwarded_flows <= 1); /* the desktop looks for the phone through us */
    siege_end(&s);
}

static void in_pieces_that_never_end(struct siege *s)
{
    static uint16_t id;
    static uint8_t part[500];
    struct kith_flow_piece m = {.hops = 9,
                                .label = own_bit(s) | 77,
                                .id = id++,
                                .size = 1000,
                                .count = 2,
                                .part = {part, sizeof part}};
    uint8_t buf[600];
    size_t len;

    assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_datagrams(s, buf, len, MANY);
}

static void begin(struct siege *s, uint32_t label, const struct kith_destination *to)
{
    static uint64_t flow;
    struct kith_flow_open m = {.hops = 9, .label = own_bit(s) | label, .destination = *to};
    uint8_t buf[64];
    size_t len;

    flow++;
    memcpy(m.flow.b, &flow, sizeof flow);
    assert_int_equal(kith_flow_open_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_datagrams(s, buf, len, 1);
}

static void pieces_that_never_complete_take_eight_places(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 602);
    const struct kith_destination here = destination_of(&s, SELF);
    begin(&s, 77, &here);
    home_wait(&s.home, 100 * KITH_MSEC);
    assert_int_equal(relay(&s)->accepted, 1);
    size_t bytes = s.home.lab.bytes;
    siege_goes_on(&s, in_pieces_that_never_end, 20 * KITH_SEC);
    assert_true(s.home.lab.bytes < bytes + 8 * 9216 + 64 * 1024);
    siege_end(&s);
}

/* ---- flows ---- */

static void flows_to_nobody(struct siege *s)
{
    static uint32_t label;

    for (int i = 0; i < MANY; i++) {
        const struct kith_destination to = nobody();
        begin(s, ++label, &to);
    }
}

static void flows_that_lead_nowhere_are_refused_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 603);
    siege_once(&s, flows_to_nobody);
    assert_int_equal(relay(&s)->refused, MANY);
    assert_int_equal(totals(&s).flows, 0);
    siege_goes_on(&s, flows_to_nobody, 65 * KITH_SEC);
    assert_int_equal(totals(&s).flows, 0);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    siege_end(&s);
}

static void flows_to_a_member(struct siege *s)
{
    static uint32_t label = 1000;
    const struct kith_destination to = destination_of(s, OTHER);

    for (int i = 0; i < MANY; i++)
        begin(s, ++label, &to);
}

static void flows_are_2048_for_one_neighbour_at_most_and_end_with_it(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 604);
    siege_goes_on(&s, flows_to_a_member, 30 * KITH_SEC);
    assert_in_range(totals(&s).flows, 1000, 2048);
    /* 100 a second, and 512 at once */
    assert_true(relay(&s)->forwarded_flows <= 512 + 31 * 100);
    siege_goes_on(&s, flows_to_a_member, 60 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    assert_int_equal(totals(&s).flows, 0);
    siege_end(&s);
}

static void who_forwards_nothing_refuses_flows_that_it_never_offered(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 606);
    s.home.node[SELF].node->mesh->forward = false;
    const struct kith_destination there = destination_of(&s, OTHER),
                                  here = destination_of(&s, SELF);
    uint64_t before = relay(&s)->forwarded_flows;
    begin(&s, 5, &there);
    begin(&s, 6, &here);
    home_wait(&s.home, 100 * KITH_MSEC);
    assert_int_equal(relay(&s)->forwarded_flows, before);
    assert_int_equal(relay(&s)->refused, 1);
    assert_int_equal(relay(&s)->accepted, 1);
    siege_end(&s);
}

static void floods_a_flow(struct siege *s)
{
    static uint8_t noise[1000];
    struct kith_flow_packet m = {
        .hops = 9, .label = own_bit(s) | 5, .packet = {noise, sizeof noise}};
    uint8_t buf[1100];
    size_t len;

    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_datagrams(s, buf, len, MANY);
}

/* One that has others carry four times what the next link takes leaves them their share of it. */
static void a_flow_that_floods_a_link_takes_no_more_than_its_share(void **state)
{
    const struct sim_link narrow = {.delay = 5 * KITH_MSEC, .rate = 1000000, .queue = 30000};
    struct siege s;

    (void)state;
    siege_begin(&s, 605);
    struct node_peer_sim *from = &s.home.node[SELF], *to = &s.home.node[OTHER];
    struct kith_network_info a = home_info(&s.home, SELF), b = home_info(&s.home, OTHER);
    sim_net_link(s.home.net, from->host, to->host, &narrow);
    const struct kith_destination there = destination_of(&s, OTHER);
    begin(&s, 5, &there);
    siege_goes_on(&s, floods_a_flow, 5 * KITH_SEC);
    uint64_t carried = relay(&s)->forwarded_bytes, before = to->tun_packets;
    for (int i = 0; i < 1000; i++) { /* ten seconds, fifty packets in each */
        floods_a_flow(&s);
        if (i % 2 == 0)
            node_sim_send_udp(from, &a.ip4, &b.ip4, 100);
        home_wait(&s.home, 10 * KITH_MSEC);
    }
    home_wait(&s.home, 200 * KITH_MSEC);
    assert_true(relay(&s)->forwarded_bytes - carried > 3 * 10 * 1000000 / 8);
    print_message("  %u of 500 arrived\n", (unsigned)(to->tun_packets - before));
    assert_in_range(to->tun_packets - before, 475, 500);
    siege_end(&s);
}

static void what_is_beyond_the_rate_is_told_of_twice_a_minute(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 607);
    kith_node_set_forward_rate(s.home.node[SELF].node, 10000);
    const struct kith_destination there = destination_of(&s, OTHER);
    begin(&s, 5, &there);
    kith_time from = sim_net_now(s.home.net);
    uint64_t before = relay(&s)->forwarded_bytes;
    siege_goes_on(&s, floods_a_flow, 60 * KITH_SEC); /* 400,000 bytes a second */
    uint64_t within = 10000 * (sim_net_now(s.home.net) - from) / KITH_SEC;
    /* what may be ahead of the rate, of all and of its share, is a fifth of a second each */
    assert_in_range(relay(&s)->forwarded_bytes - before, within * 9 / 10,
                    within + 2 * 10000 / 5 + 2 * 1000);
    assert_true(relay(&s)->over_rate > 1000);
    assert_int_equal(siege_told(&s, KITH_EV_forward_rate_met), 2);
    siege_assert_still_there(&s);
    siege_end(&s);
}

/* A reading of the sockets may bring more than a shelf holds: it is emptied before the next
 * datagram, whatever that is, and not at the end of the turn. */
static void a_heavy_shelf_is_emptied_in_the_middle_of_a_turn(void **state)
{
    static uint8_t noise[1000], junk[40];
    struct kith_flow_packet m = {.hops = 9, .packet = {noise, sizeof noise}};
    uint8_t buf[1100];
    struct siege s;
    size_t len;

    (void)state;
    siege_begin(&s, 608);
    struct kith_node *n = s.home.node[SELF].node;
    const struct node_peer *foe = peer_find(n, &s.home.foe.identity.id);
    const struct kith_destination there = destination_of(&s, OTHER);
    begin(&s, 5, &there);
    home_wait(&s.home, 100 * KITH_MSEC);
    m.label = own_bit(&s) | 5;
    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &len), KITH_OK);
    for (int i = 0; i < 600; i++)
        assert_true(kith_relay_heard(n->mesh->relay, foe->handle, (struct kith_span){buf, len}, 0,
                                     sim_net_now(s.home.net)));
    assert_true(kith_relay_is_heavy(n->mesh->relay));
    const struct kith_rx run = {.path = {.remote = *sim_host_addr(s.home.foe.host)},
                                .data = junk,
                                .len = sizeof junk,
                                .segment = sizeof junk};
    kith_node_receive(n, &run, node_sim_now(&s.home.node[SELF]));
    assert_false(kith_relay_is_laden(n->mesh->relay));
    assert_int_equal(relay(&s)->dropped, 0);
    siege_end(&s);
}

/* ---- routes ---- */

static void tells(struct siege *s, const struct kith_route_item *item, size_t n)
{
    static uint8_t items[500 * 22], message[500 * 22 + 64];
    struct kith_writer w = kith_writer_on(items, sizeof items);
    size_t len;

    for (size_t i = 0; i < n; i++)
        kith_route_item_put(&w, &item[i]);
    struct kith_routes m = {.network = s->home.info.id, .entries = {{items, n * 22}, (uint16_t)n}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
    siege_says(s, message, len, 1);
}

static void of_a_million_destinations(struct siege *s)
{
    struct kith_route_item item[100];

    for (int k = 0; k < MANY; k++) {
        for (size_t i = 0; i < 100; i++)
            item[i] = (struct kith_route_item){.destination = nobody(), .seq = 1, .hops = 1};
        tells(s, item, 100);
    }
}

/* 40,000 a second, of which 2,000 are looked at; nobody else hears of what is no member. */
static void destinations_without_end_fill_a_table_and_reach_nobody_else(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 605);
    siege_goes_on(&s, of_a_million_destinations, 5 * KITH_SEC);
    assert_in_range(totals(&s).ways, 5000, 10000);
    struct kith_node_totals other;
    kith_node_totals(s.home.node[OTHER].node, node_sim_now(&s.home.node[OTHER]).wall, &other);
    assert_in_range(other.ways, 1, 3);
    siege_goes_on(&s, of_a_million_destinations, 70 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_messages);
    siege_others_are_well(&s);
    assert_in_range(totals(&s).ways, 1, 3); /* what it told went with it */
    siege_end(&s);
}

static struct kith_way_info way_to(const struct siege *s, size_t by, size_t to)
{
    const struct kith_destination d = destination_of(s, to);
    struct kith_way_walk at = {.at = 0};
    struct kith_way_info w;

    while (kith_node_next_way(s->home.node[by].node, &s->home.info.id, &at,
                              node_sim_now(&s->home.node[by]), &w))
        if (kith_destination_equal(&w.destination, &d) && w.best)
            return w;
    return (struct kith_way_info){.hops = 0};
}

static void numbers_from_the_future_are_not_believed(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 606);
    kith_wall now = node_sim_now(&s.home.node[SELF]).wall;
    const struct kith_route_item lie[] = {
        {.destination = destination_of(&s, OTHER), .seq = (uint32_t)now + 100000, .hops = 0},
        {.destination = nobody(), .seq = UINT32_MAX, .hops = 1},
        {.destination = nobody(), .seq = 1, .hops = 64},
        {.destination = destination_of(&s, SELF), .seq = UINT32_MAX, .hops = 1},
    };
    uint64_t before = totals(&s).ways;
    tells(&s, lie, 4);
    home_wait(&s.home, KITH_SEC);
    assert_int_equal(totals(&s).ways, before);
    struct kith_way_info w = way_to(&s, SELF, OTHER);
    assert_memory_equal(w.via.b, s.home.node[OTHER].identity.id.b, 32);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* It says that it is next to the other, and loses what it is given. */
static void a_liar_about_hops_is_left_when_nothing_comes_back(void **state)
{
    const struct sim_link none = {.cut = true};
    struct siege s;

    (void)state;
    siege_begin(&s, 607);
    const struct kith_route_item lie = {.destination = destination_of(&s, OTHER),
                                        .seq = (uint32_t)node_sim_now(&s.home.node[SELF]).wall,
                                        .hops = 0};
    tells(&s, &lie, 1);
    home_wait(&s.home, KITH_SEC);
    sim_net_link(s.home.net, s.home.node[SELF].host, s.home.node[OTHER].host, &none);
    assert_false(home_reaches(&s.home, SELF, OTHER, 10 * KITH_SEC));
    assert_true(relay(&s)->opened > 0); /* it tried */
    size_t at = 0;
    const struct kith_mesh_measure *m = kith_mesh_paths_next_measure(
        s.home.node[SELF].node->mesh->net[0].paths, &at, node_sim_now(&s.home.node[SELF]).mono);
    assert_non_null(m); /* and remembers what became of it */
    assert_true(m->loss > 0);
    const struct sim_link whole = {.delay = 5 * KITH_MSEC};
    sim_net_link(s.home.net, s.home.node[SELF].host, s.home.node[OTHER].host, &whole);
    assert_true(home_reaches(&s.home, SELF, OTHER, 20 * KITH_SEC));
    siege_end(&s);
}

/* What one led to as a member counts no more when it is none in that network, whatever else keeps
 * its session. */
static void one_that_takes_its_membership_back_leads_nobody_on(void **state)
{
    const struct sim_link none = {.cut = true};
    struct kith_membership_end end;
    uint8_t buf[64];
    struct siege s;
    size_t len;

    (void)state;
    siege_begin(&s, 609);
    const struct kith_route_item lie = {.destination = destination_of(&s, OTHER),
                                        .seq = (uint32_t)node_sim_now(&s.home.node[SELF]).wall,
                                        .hops = 0};
    tells(&s, &lie, 1);
    end.network = s.home.info.id;
    assert_int_equal(kith_membership_end_encode(&end, buf, sizeof buf, &len), KITH_OK);
    siege_says(&s, buf, len, 1);
    home_wait(&s.home, KITH_SEC);
    siege_assert_still_there(&s);
    sim_net_link(s.home.net, s.home.node[SELF].host, s.home.node[OTHER].host, &none);
    home_wait(&s.home, 100 * KITH_MSEC); /* what is under way arrives */
    assert_false(home_reaches(&s.home, SELF, OTHER, 10 * KITH_SEC));
    assert_true(relay(&s)->no_way > 0); /* it looked for one */
    const struct kith_way_info w = way_to(&s, SELF, OTHER);
    assert_false(kith_peer_id_equal(&w.via, &s.home.foe.identity.id));
    siege_end(&s);
}

static uint32_t own_number(const struct siege *s, size_t who)
{
    return s->home.node[who].node->mesh->seqno.own;
}

static void requests_without_end(struct siege *s)
{
    static uint64_t tag;
    struct kith_route_request m = {
        .network = s->home.info.id, .destination = destination_of(s, OTHER), .hops = 64};
    uint8_t buf[128];
    size_t len;

    for (int i = 0; i < MANY; i++) {
        m.tag = ++tag;
        m.seq = own_number(s, OTHER) + (uint32_t)i;
        assert_int_equal(kith_route_request_encode(&m, buf, sizeof buf, &len), KITH_OK);
        siege_says(s, buf, len, 1);
    }
}

static void requests_beyond_their_rate_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 608);
    const uint32_t number = own_number(&s, OTHER);
    siege_goes_on(&s, requests_without_end, 75 * KITH_SEC);
    assert_true(own_number(&s, OTHER) > number); /* some came there */
    siege_assert_sent_away(&s, KITH_OFFENCE_messages);
    siege_others_are_well(&s);
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_never_given_end_the_session_when_they_go_on),
        cmocka_unit_test(pieces_that_never_complete_take_eight_places),
        cmocka_unit_test(flows_that_lead_nowhere_are_refused_and_end_the_session),
        cmocka_unit_test(flows_are_2048_for_one_neighbour_at_most_and_end_with_it),
        cmocka_unit_test(who_forwards_nothing_refuses_flows_that_it_never_offered),
        cmocka_unit_test(a_flow_that_floods_a_link_takes_no_more_than_its_share),
        cmocka_unit_test(what_is_beyond_the_rate_is_told_of_twice_a_minute),
        cmocka_unit_test(a_heavy_shelf_is_emptied_in_the_middle_of_a_turn),
        cmocka_unit_test(destinations_without_end_fill_a_table_and_reach_nobody_else),
        cmocka_unit_test(numbers_from_the_future_are_not_believed),
        cmocka_unit_test(a_liar_about_hops_is_left_when_nothing_comes_back),
        cmocka_unit_test(one_that_takes_its_membership_back_leads_nobody_on),
        cmocka_unit_test(requests_beyond_their_rate_end_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
