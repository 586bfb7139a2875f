/* A member's connections: one after the other, many at once, such that nothing is read from, that
 * acknowledge nothing, that live on without an answer; and an honest member on a bad line, which is
 * none of these. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/object.h"
#include "sim/siege.h"

/* ---- one after the other ---- */

static void nothing(struct siege *s)
{
    (void)s;
}

/* Starts anew every so often, for so long. */
static void comes_again(struct siege *s, kith_dur every, kith_dur how_long)
{
    kith_time end = sim_net_now(s->home.net) + how_long;

    while (sim_net_now(s->home.net) < end) {
        foe_restart(&s->home.foe);
        foe_dial(&s->home.foe, &s->home.node[0]);
        siege_goes_on(s, nothing, every);
    }
}

static void hundreds_of_connections_a_minute_end_in_refusal(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 401);
    comes_again(&s, 200 * KITH_MSEC, 55 * KITH_SEC);
    assert_int_equal(siege_counters(&s)->sent_away, 0);
    comes_again(&s, 200 * KITH_MSEC, 15 * KITH_SEC);
    assert_int_equal(siege_counters(&s)->sent_away, 1);
    assert_int_equal(siege_told(&s, KITH_EV_peer_sent_away), 1);
    assert_true(siege_counters(&s)->offences[KITH_OFFENCE_connections] > 250);
    assert_false(foe_is_up(&s.home.foe, &s.home.node[0]));
    siege_others_are_well(&s);
    siege_assert_may_come_back(&s);
    home_wait(&s.home, 30 * KITH_SEC);
    assert_true(s.home.lab.bytes < s.bytes + 128 * 1024);
    siege_end(&s);
}

/* Its program crashes every four seconds: a nuisance, not an attack. */
static void one_that_crashes_all_the_time_is_never_sent_away(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 402);
    comes_again(&s, 4 * KITH_SEC, 600 * KITH_SEC);
    assert_int_equal(siege_counters(&s)->sent_away, 0);
    assert_int_equal(siege_told(&s, KITH_EV_peer_over_limit), 0);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* ---- many at once ---- */

enum { CROWD = 24 };

static size_t connections_of(const struct siege *s, const struct kith_peer_id *who)
{
    struct kith_peer_info info;

    for (struct kith_session *at = NULL; kith_node_next_peer(
             s->home.node[0].node, &at, node_sim_now(&s->home.node[0]).wall, &info);)
        if (kith_peer_id_equal(&info.session.peer, who))
            return info.session.connections;
    return 0;
}

static void one_key_from_many_addresses_has_eight_connections(void **state)
{
    static struct foe crowd[CROWD];
    struct foe *many[CROWD];
    struct siege s;
    char addr[40];

    (void)state;
    siege_begin(&s, 403);
    for (size_t i = 0; i < CROWD; i++) {
        kith_format(addr, sizeof addr, "203.0.%zu.1:9000", i);
        foe_init_as_node(&crowd[i], s.home.net, addr, SIEGE_FOE + 1);
        many[i] = &crowd[i];
        foe_dial(many[i], &s.home.node[0]);
    }
    for (int i = 0; i < 300; i++) {
        foes_run(s.home.all, s.home.n, many, CROWD, 100 * KITH_MSEC);
        assert_true(connections_of(&s, &s.home.foe.identity.id) <= KITH_SESSION_CONNS_MAX);
        assert_true(s.home.lab.bytes < s.bytes + SIEGE_BYTES);
    }
    siege_others_are_well(&s);
    for (size_t i = 0; i < CROWD; i++) {
        sim_host_power(crowd[i].host, false);
        foe_fini(&crowd[i]);
    }
    siege_end(&s);
}

/* ---- silence of several kinds ---- */

static void asks_and_never_reads(struct siege *s)
{
    static uint8_t message[2 + 32 + 2 + 16 * 48], keys[48 * 16];
    static unsigned step;
    struct kith_pull m = {.network = s->home.info.id, .keys = {{keys, sizeof keys}, 48}};
    const struct kith_peer_id root = kith_network_root(&s->home.info.id);
    struct kith_object_key key;
    size_t len;

    if (step++ % 20 != 0) /* five times a second: no flood */
        return;
    assert_int_equal(kith_object_key_of(&s->home.info.id, KITH_OBJECT_member_body, &root,
                                        &s->home.foe.identity.id, &key),
                     KITH_OK);
    for (size_t i = 0; i < 48; i++)
        memcpy(keys + 16 * i, key.b, sizeof key.b);
    assert_int_equal(kith_pull_encode(&m, message, sizeof message, &len), KITH_OK);
    siege_says(s, message, len, 1);
}

static void one_that_never_reads_is_closed_after_two_minutes(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 404);
    s.home.foe.deaf = true;
    siege_goes_on(&s, asks_and_never_reads, 100 * KITH_SEC);
    assert_int_equal(siege_counters(&s)->stalled, 0);
    assert_int_equal(connections_of(&s, &s.home.foe.identity.id), 1);
    siege_goes_on(&s, asks_and_never_reads, 80 * KITH_SEC);
    assert_int_equal(siege_counters(&s)->stalled, 1);
    assert_int_equal(siege_told(&s, KITH_EV_session_stalled), 1);
    siege_others_are_well(&s);
    siege_end(&s);
}

static void one_that_reads_late_is_not_closed(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 405);
    for (int i = 0; i < 10; i++) {
        s.home.foe.deaf = true;
        siege_goes_on(&s, asks_and_never_reads, 90 * KITH_SEC);
        s.home.foe.deaf = false;
        siege_goes_on(&s, nothing, 20 * KITH_SEC);
    }
    assert_int_equal(siege_counters(&s)->stalled, 0);
    siege_assert_still_there(&s);
    siege_end(&s);
}

/* What we send gets lost, what it sends does not. */
static bool loses_ours(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                       uint8_t *data, size_t len)
{
    const struct siege *s = ctx;

    (void)from, (void)data, (void)len;
    return !kith_addr_equal(to, sim_host_addr(s->home.foe.host));
}

static struct kith_ip foe_ip;

static void we_send_it_packets(struct siege *s)
{
    struct kith_network_info us = home_info(&s->home, 0);

    for (int i = 0; i < 20; i++)
        node_sim_send_udp(&s->home.node[0], &us.ip4, &foe_ip, 1000);
}

static void one_that_acknowledges_nothing_holds_a_queue_and_no_more(void **state)
{
    struct kith_member_info m;
    struct siege s;
    size_t i = 0;

    (void)state;
    siege_begin(&s, 406);
    while (kith_node_next_member(s.home.node[0].node, &s.home.info.id, &i,
                                 node_sim_now(&s.home.node[0]).wall, &m))
        if (kith_peer_id_equal(&m.peer, &s.home.foe.identity.id))
            foe_ip = m.ip4;
    sim_net_set_filter(s.home.net, loses_ours, &s);
    siege_goes_on(&s, we_send_it_packets, 30 * KITH_SEC); /* 60 MB for it */
    assert_true(siege_counters(&s)->packets_queued > 100);
    assert_true(siege_counters(&s)->packets_dropped > 10000);
    siege_goes_on(&s, we_send_it_packets, 150 * KITH_SEC);
    assert_int_equal(connections_of(&s, &s.home.foe.identity.id), 0);
    home_wait(&s.home, 60 * KITH_SEC);
    siege_others_are_well(&s);
    siege_end(&s);
}

static void a_zombie_costs_a_session_and_nothing_more(void **state)
{
    struct node_peer_sim *p;
    struct kith_node_why why;
    struct siege s;

    (void)state;
    siege_begin(&s, 407);
    p = &s.home.node[0];
    s.home.foe.zombie = true;
    size_t bytes = s.home.lab.bytes;
    for (int i = 0; i < 30; i++) {
        siege_goes_on(&s, nothing, 120 * KITH_SEC);
        assert_true(s.home.lab.bytes < bytes + 64 * 1024);
    }
    assert_int_equal(kith_node_ping(p->node, &s.home.foe.identity.id, 3, 100 * KITH_MSEC, 77,
                                    node_sim_now(p), &why),
                     KITH_OK);
    home_wait(&s.home, 10 * KITH_SEC);
    assert_int_equal(p->pongs, 0);
    assert_int_equal(p->lost, 3);
    siege_assert_still_there(&s);
    siege_end(&s);
}

/* ---- the opposite mistake ---- */

static void nobody_was_blamed(const struct home *h, size_t who)
{
    const struct node_peer_sim *p = &h->node[who];
    const struct kith_session_counters *c = kith_node_session_counters(p->node);

    assert_int_equal(c->sent_away, 0);
    assert_int_equal(c->stalled, 0);
    assert_int_equal(p->seen[KITH_EV_peer_over_limit], 0);
    assert_int_equal(p->seen[KITH_EV_peer_broke_rules], 0);
    assert_int_equal(p->seen[KITH_EV_packet_refused], 0);
}

/* Two members with a line between them, and packets both ways, as many as go. */
static void talk_over(uint64_t seed, const struct sim_link *link, kith_dur how_long)
{
    struct home h;

    home_up(&h, seed, 3);
    sim_net_link(h.net, h.node[0].host, h.node[1].host, link);
    struct kith_network_info a = home_info(&h, 0), b = home_info(&h, 1);
    kith_time end = sim_net_now(h.net) + how_long;
    uint64_t before = h.node[1].tun_packets, sent = 0;
    while (sim_net_now(h.net) < end) {
        for (int i = 0; i < 5; i++, sent++) {
            node_sim_send_udp(&h.node[0], &a.ip4, &b.ip4, 1300);
            node_sim_send_udp(&h.node[1], &b.ip4, &a.ip4, 1300);
        }
        home_wait(&h, 100 * KITH_MSEC);
    }
    assert_true(h.node[1].tun_packets > before);
    assert_true(h.node[1].tun_packets - before <= sent); /* none comes twice */
    nobody_was_blamed(&h, 0);
    nobody_was_blamed(&h, 1);
    home_down(&h);
}

static void an_honest_member_on_a_slow_line_is_never_blamed(void **state)
{
    (void)state;
    talk_over(408, &(struct sim_link){.delay = 900 * KITH_MSEC, .rate = 24000, .queue = 16384},
              900 * KITH_SEC);
}

static void an_honest_member_on_a_lossy_line_is_never_blamed(void **state)
{
    (void)state;
    talk_over(
        409,
        &(struct sim_link){
            .delay = 40 * KITH_MSEC, .jitter = 40 * KITH_MSEC, .rate = 2000000, .loss_ppm = 300000},
        600 * KITH_SEC);
}

static void one_whose_every_datagram_comes_twice_and_late_is_never_blamed(void **state)
{
    (void)state;
    talk_over(410,
              &(struct sim_link){.delay = 20 * KITH_MSEC,
                                 .dup_ppm = 1000000,
                                 .reorder_ppm = 500000,
                                 .reorder_by = 50 * KITH_MSEC},
              300 * KITH_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_of_connections_a_minute_end_in_refusal),
        cmocka_unit_test(one_that_crashes_all_the_time_is_never_sent_away),
        cmocka_unit_test(one_key_from_many_addresses_has_eight_connections),
        cmocka_unit_test(one_that_never_reads_is_closed_after_two_minutes),
        cmocka_unit_test(one_that_reads_late_is_not_closed),
        cmocka_unit_test(one_that_acknowledges_nothing_holds_a_queue_and_no_more),
        cmocka_unit_test(a_zombie_costs_a_session_and_nothing_more),
        cmocka_unit_test(an_honest_member_on_a_slow_line_is_never_blamed),
        cmocka_unit_test(an_honest_member_on_a_lossy_line_is_never_blamed),
        cmocka_unit_test(one_whose_every_datagram_comes_twice_and_late_is_never_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
