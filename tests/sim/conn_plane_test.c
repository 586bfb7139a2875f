/* The second plane of connections over simulated links (docs/spec/plane.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conn/quic/internal.h"
#include "sim/conn_peer.h"

enum { KEPT = 4 };

static const struct kith_quic_config *b_config; /* NULL: the defaults */

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    /* what the network sees */
    uint64_t plane, quic;     /* packets of either kind, both directions */
    kith_time last_plane_at;  /* when one of the plane's went by */
    bool block;               /* something on the way lets the plane's packets vanish */
    bool block_from_a;        /* the same, one way only */
    uint8_t seen[KEPT][1500]; /* packets of the plane from a, the newest in a ring */
    size_t seen_len[KEPT], n_seen;
};

static bool watch(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    (void)to;
    if (data[0] != KITH_PLANE_TYPE) {
        p->quic++;
        return true;
    }
    p->plane++;
    p->last_plane_at = sim_net_now(p->net);
    const bool from_a = kith_addr_equal(from, sim_host_addr(p->a.host));
    if (from_a) {
        memcpy(p->seen[p->n_seen % KEPT], data, len);
        p->seen_len[p->n_seen++ % KEPT] = len;
    }
    return !p->block && !(p->block_from_a && from_a);
}

static bool both_established(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.n_established == 1 && p->b.n_established == 1;
}

static void wait_for(struct pair *p, kith_dur d)
{
    assert_false(conn_peers_run(p->both, 2, NULL, NULL, d));
}

static void pair_up(struct pair *p, uint64_t seed, const struct sim_link *link)
{
    memset(p, 0, sizeof *p);
    p->net = sim_net_new(seed);
    sim_net_default_link(p->net, link);
    sim_net_set_filter(p->net, watch, p);
    conn_peer_init(&p->a, p->net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init(&p->b, p->net, "192.0.2.2:9000", 2, b_config);
    p->a.reports = p->b.reports = true;
    p->both[0] = &p->a;
    p->both[1] = &p->b;
    conn_peer_dial(&p->a, &p->b);
    assert_true(conn_peers_run(p->both, 2, both_established, p, 10 * KITH_SEC));
}

static void pair_down(struct pair *p)
{
    conn_peer_fini(&p->a);
    conn_peer_fini(&p->b);
    sim_net_free(p->net);
}

static void open_planes(struct pair *p)
{
    assert_int_equal(kith_conn_plane_start(p->a.established[0]), KITH_OK);
    assert_int_equal(kith_conn_plane_start(p->b.established[0]), KITH_OK);
}

static bool sealed(const struct conn_peer *p)
{
    struct kith_conn_stats stats;

    kith_conn_stats(p->established[0], &stats);
    return stats.sealed;
}

/* Sends one packet of 100 bytes; whether it went. */
static bool say(struct conn_peer *p, uint8_t ecn)
{
    uint8_t bytes[100];

    memset(bytes, 0xa5, sizeof bytes);
    int err = kith_conn_packet_send(p->established[0], &p->batch, &KITH_SPAN_OF(bytes), 1, ecn,
                                    sim_net_now(p->net));
    assert_true(err == KITH_OK || err == KITH_E_AGAIN);
    kith_conn_burst_end(p->established[0], sim_net_now(p->net));
    return err == KITH_OK;
}

enum { A = 1, B = 2 };

/* Each of `who` sends a packet every `every` for `d`; how many went. */
static uint64_t talk(struct pair *p, unsigned who, kith_dur every, kith_dur d)
{
    uint64_t went = 0;

    for (kith_dur t = 0; t < d; t += every) {
        for (size_t i = 0; i < 2; i++)
            went += (who & 1u << i) != 0 && say(p->both[i], 0);
        wait_for(p, every);
    }
    return went;
}

static const struct sim_link near = {.delay = 5 * KITH_MSEC};

/* ---- beginning ---- */

static void once_both_have_opened_it_packets_go_by_the_plane(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 1, &near);
    open_planes(&p);
    (void)talk(&p, A | B, 5 * KITH_MSEC, 600 * KITH_MSEC); /* probe, report */
    assert_true(sealed(&p.a) && sealed(&p.b));
    wait_for(&p, 50 * KITH_MSEC);
    uint64_t quic = p.quic, plane = p.plane, a = p.a.datagrams, b = p.b.datagrams;
    uint64_t reports = p.a.reports_taken + p.b.reports_taken;
    assert_int_equal(talk(&p, A | B, KITH_MSEC, KITH_SEC), 2000);
    wait_for(&p, 50 * KITH_MSEC);
    reports = p.a.reports_taken + p.b.reports_taken - reports;
    assert_in_range(reports, 18, 24);
    assert_in_range(p.plane - plane, 2000 + reports - 2, 2000 + reports); /* by it as well */
    assert_int_equal(p.a.datagrams - a, 1000);
    assert_int_equal(p.b.datagrams - b, 1000);
    assert_true(p.quic - quic < 10);
    assert_int_equal(p.a.reports_refused + p.b.reports_refused, 0);
    pair_down(&p);
}

/* It would find out about no silence if packets of its own did not go there. */
static void who_only_listens_reports_by_quic(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 21, &near);
    open_planes(&p);
    (void)talk(&p, A | B, 5 * KITH_MSEC, 600 * KITH_MSEC);
    wait_for(&p, KITH_SEC); /* what B has said is reported, too */
    uint64_t plane = p.plane, reports = p.a.reports_taken;
    assert_int_equal(talk(&p, A, 5 * KITH_MSEC, 2 * KITH_SEC), 400);
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.plane - plane, 400);
    assert_true(p.a.reports_taken - reports >= 4);
    pair_down(&p);
}

/* Its idle time-out ends a connection of which QUIC hears nothing for a minute. */
static void quic_is_heard_every_ten_seconds_whatever_the_plane_carries(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 22, &near);
    open_planes(&p);
    (void)talk(&p, A | B, 100 * KITH_MSEC, 30 * KITH_SEC);
    for (int i = 0; i < 10; i++) {
        uint64_t plane = p.plane, quic = p.quic;
        (void)talk(&p, A | B, 100 * KITH_MSEC, 11 * KITH_SEC);
        assert_in_range(p.quic - quic, 2, 12);
        assert_in_range(p.plane - plane, 240, 250); /* 220, and reports every 800 ms */
    }
    assert_true(sealed(&p.a) && sealed(&p.b));
    pair_down(&p);
}

/* The shorter of both counts. */
static void a_short_idle_time_out_ends_nothing_that_is_in_use(void **state)
{
    const struct kith_quic_config impatient = {.idle_timeout = 5 * KITH_SEC};
    struct pair p;

    (void)state;
    b_config = &impatient;
    pair_up(&p, 25, &near);
    b_config = NULL;
    open_planes(&p);
    (void)talk(&p, A | B, 100 * KITH_MSEC, 60 * KITH_SEC);
    assert_true(sealed(&p.a) && sealed(&p.b));
    pair_down(&p);
}

/* Else two that have fallen silent would go on telling each other what they were told. */
static void reports_call_for_none(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 23, &near);
    open_planes(&p);
    (void)talk(&p, A | B, 5 * KITH_MSEC, 600 * KITH_MSEC);
    for (unsigned i = 0; i < 16; i++) {
        (void)talk(&p, A | B, 50 * KITH_MSEC, 2 * KITH_SEC + i * 50 * KITH_MSEC);
        (void)talk(&p, i % 2 == 0 ? A : B, 50 * KITH_MSEC, 100 * KITH_MSEC);
        wait_for(&p, 810 * KITH_MSEC); /* the last ones are reported */
        uint64_t reports = p.a.reports_taken + p.b.reports_taken;
        wait_for(&p, 3 * KITH_SEC);
        assert_int_equal(p.a.reports_taken + p.b.reports_taken, reports);
    }
    pair_down(&p);
}

/* Its packets go nowhere, while the other's come, and QUIC has nothing to say. */
static void who_hears_the_other_s_packets_notices_that_its_own_do_not_arrive(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 24, &near);
    open_planes(&p);
    (void)talk(&p, A | B, 20 * KITH_MSEC, KITH_SEC);
    assert_true(sealed(&p.a) && sealed(&p.b));
    p.block_from_a = true;
    (void)talk(&p, A | B, 20 * KITH_MSEC, 3300 * KITH_MSEC); /* one report was still owed */
    assert_false(sealed(&p.a));
    pair_down(&p);
}

static void without_it_they_go_by_datagram(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 2, &near);
    uint64_t went = talk(&p, A | B, 10 * KITH_MSEC, KITH_SEC);
    wait_for(&p, 100 * KITH_MSEC);
    assert_int_equal(p.plane, 0);
    assert_int_equal(p.a.datagrams + p.b.datagrams, went);
    pair_down(&p);
}

static void where_only_one_side_has_opened_it_they_go_by_datagram_and_none_is_lost(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 3, &near);
    assert_int_equal(kith_conn_plane_start(p.a.established[0]), KITH_OK);
    uint64_t went = talk(&p, A | B, 10 * KITH_MSEC, 5 * KITH_SEC);
    wait_for(&p, 100 * KITH_MSEC);
    assert_int_equal(p.a.datagrams + p.b.datagrams, went);
    assert_int_equal(p.plane, 4); /* probes */
    assert_int_equal(kith_quic_counters(p.b.quic)->datagrams_unroutable, 4);
    pair_down(&p);
}

static void it_opens_on_established_connections_only_and_once(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 4, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    open_planes(&p); /* again: nothing changes */
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    assert_true(sealed(&p.a));
    kith_conn_close(p.a.established[0], 0, "", sim_net_now(p.net));
    assert_int_equal(kith_conn_plane_start(p.a.established[0]), KITH_E_STATE);
    pair_down(&p);
}

static void a_packet_says_with_its_carrier_what_its_sender_says_of_congestion(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 5, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        assert_true(say(&p.a, ecn));
        wait_for(&p, 10 * KITH_MSEC);
        assert_int_equal(p.b.last_ecn, ecn);
    }
    pair_down(&p);
}

/* ---- staying on ---- */

/* A burst is longer than one report speaks of, and then there is nothing for a while: as when a
 * page is loaded. */
static void bursts_with_pauses_stay_on_the_plane(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 6, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    assert_true(sealed(&p.a));
    for (int i = 0; i < 20; i++) {
        assert_true(say(&p.a, 0)); /* reported, and all of that done when the burst comes */
        wait_for(&p, (kith_dur)(i * 5) * KITH_MSEC);
        (void)talk(&p, A, 4 * KITH_MSEC, 40 * KITH_MSEC);
        wait_for(&p, 3 * KITH_SEC);
        const struct kith_conn *c = p.a.established[0]; /* it has heard of the last of them */
        assert_int_equal(c->sealed.gauge.last.highest + 1, kith_plane_next(c->sealed.plane));
        assert_true(say(&p.a, 0));
        assert_true(sealed(&p.a));
    }
    pair_down(&p);
}

static void the_old_key_goes_on_time_also_when_nothing_comes(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 7, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    assert_int_equal(p.b.quic->planes.n, 2);
    (void)talk(&p, A, 100 * KITH_MSEC, 121 * KITH_SEC);
    assert_int_equal(p.b.quic->planes.n, 3); /* followed a step */
    wait_for(&p, 11 * KITH_SEC);
    assert_int_equal(p.b.quic->planes.n, 2);
    assert_true(sealed(&p.a));
    pair_down(&p);
}

static void a_report_that_nobody_takes_keeps_nobody_awake(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 8, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    wait_for(&p, KITH_SEC);
    assert_true(say(&p.a, 0));
    kith_tx_flush(&p.a.batch);
    sim_net_run(p.net, sim_net_now(p.net) + 10 * KITH_MSEC);
    struct kith_conn_event ev;
    while (kith_quic_next_event(p.b.quic, &ev))
        ; /* heard, and not acted upon */
    kith_quic_tick(p.b.quic, sim_net_now(p.net) + KITH_SEC);
    kith_quic_flush(p.b.quic, &p.b.batch, sim_net_now(p.net) + KITH_SEC);
    assert_true(kith_quic_deadline(p.b.quic) > sim_net_now(p.net) + KITH_SEC);
    pair_down(&p);
}

/* ---- going off ---- */

static void what_blocks_the_plane_alone_is_noticed_within_two_and_a_half_seconds(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 9, &near);
    open_planes(&p);
    (void)talk(&p, A, 5 * KITH_MSEC, 600 * KITH_MSEC);
    assert_true(sealed(&p.a));
    p.block = true;
    uint64_t before = p.b.datagrams;
    kith_time from = sim_net_now(p.net);
    while (p.b.datagrams == before) {
        const struct kith_span hello = kith_span_text("QUIC lives");
        (void)!kith_conn_datagram_send(p.b.established[0], &p.b.batch, &hello, 1,
                                       sim_net_now(p.net));
        (void)talk(&p, A, 10 * KITH_MSEC, 100 * KITH_MSEC);
        if (sim_net_now(p.net) - from > 10 * KITH_SEC)
            fail_msg("nothing came for ten seconds");
    }
    print_message("  noticed after %.2f s\n", (double)(sim_net_now(p.net) - from) / 1e9);
    /* 1.4 s, 1 s, and the step of this loop (spec plane 4.6) */
    assert_true(sim_net_now(p.net) - from <= 2500 * KITH_MSEC);
    assert_false(sealed(&p.a));
    assert_int_equal(p.a.n_closed + p.b.n_closed, 0);

    /* tried again after 30 s; on again once nothing is in the way */
    (void)talk(&p, A, 100 * KITH_MSEC, 25 * KITH_SEC);
    assert_true(p.last_plane_at < from + 3 * KITH_SEC);
    (void)talk(&p, A, 100 * KITH_MSEC, 10 * KITH_SEC);
    assert_true(p.last_plane_at > from + 30 * KITH_SEC);
    assert_false(sealed(&p.a));
    p.block = false;
    (void)talk(&p, A, 100 * KITH_MSEC, 125 * KITH_SEC);
    assert_true(sealed(&p.a));
    pair_down(&p);
}

static void a_path_that_loses_a_tenth_is_quic_s(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 10, &(struct sim_link){.delay = 5 * KITH_MSEC, .loss_ppm = 100000});
    open_planes(&p);
    (void)talk(&p, A, KITH_MSEC, 5 * KITH_SEC);
    assert_false(sealed(&p.a));
    uint64_t plane = p.plane;
    assert_true(plane >= 768); /* it did serve, until that was enough to judge by */
    assert_true(plane < 1500);
    uint64_t before = p.b.datagrams;
    (void)talk(&p, A, 5 * KITH_MSEC, 5 * KITH_SEC);
    assert_true(p.b.datagrams > before);
    assert_int_equal(p.plane, plane);
    assert_int_equal(p.a.n_closed, 0);
    pair_down(&p);
}

/* ---- moving ---- */

/* Both talk; whether both heard the other again `d` from now, and their index is another. */
static void goes_on_within(struct pair *p, kith_dur d)
{
    (void)talk(p, A | B, 5 * KITH_MSEC, d);
    uint64_t a = p->a.datagrams, b = p->b.datagrams;
    uint64_t went = talk(p, A | B, 5 * KITH_MSEC, 500 * KITH_MSEC);
    wait_for(p, 50 * KITH_MSEC);
    assert_true(went > 190);
    assert_in_range(p->a.datagrams - a + p->b.datagrams - b, went, went + 4);
    assert_true(sealed(&p->a) && sealed(&p->b));
}

static void begin_traffic(struct pair *p, uint64_t seed)
{
    pair_up(p, seed, &near);
    open_planes(p);
    (void)talk(p, A | B, 5 * KITH_MSEC, 500 * KITH_MSEC);
    assert_true(sealed(&p->a) && sealed(&p->b));
}

static void newest_index(const struct pair *p, uint8_t ret[KITH_PLANE_INDEX])
{
    memcpy(ret, p->seen[(p->n_seen - 1) % KEPT], KITH_PLANE_INDEX);
}

static void a_rebinding_of_the_dialling_side_stops_traffic_for_less_than_a_second(void **state)
{
    struct pair p;

    (void)state;
    begin_traffic(&p, 11);
    sim_host_rebind(p.a.host, "198.51.100.7:4242");
    goes_on_within(&p, 900 * KITH_MSEC);
    assert_int_equal(kith_conn_path(p.b.established[0])->remote.port, 4242);
    pair_down(&p);
}

static void a_rebinding_of_the_accepting_side_stops_traffic_for_less_than_a_second(void **state)
{
    struct pair p;

    (void)state;
    begin_traffic(&p, 12);
    sim_host_rebind(p.b.host, "198.51.100.9:777");
    goes_on_within(&p, 900 * KITH_MSEC);
    assert_int_equal(kith_conn_path(p.a.established[0])->remote.port, 777);
    pair_down(&p);
}

static void move(struct pair *p, struct conn_peer *who, struct conn_peer *other, const char *addr)
{
    sim_host_move(who->host, addr);
    struct kith_path path = {.local = *sim_host_addr(who->host),
                             .remote = *sim_host_addr(other->host)};
    assert_int_equal(kith_conn_migrate(who->established[0], &path, sim_net_now(p->net)), KITH_OK);
}

static void a_migration_of_either_side_stops_traffic_for_less_than_a_second(void **state)
{
    struct pair p;
    char addr[64];

    (void)state;
    begin_traffic(&p, 13);
    for (int i = 0; i < 6; i++) {
        uint8_t before[KITH_PLANE_INDEX], after[KITH_PLANE_INDEX];
        newest_index(&p, before);
        snprintf(addr, sizeof addr, "203.0.113.%d:9000", 1 + i);
        move(&p, i % 2 ? &p.b : &p.a, i % 2 ? &p.a : &p.b, addr);
        goes_on_within(&p, 900 * KITH_MSEC);
        newest_index(&p, after); /* who watches both paths cannot tell by it */
        assert_memory_not_equal(before, after, sizeof before);
    }
    pair_down(&p);
}

/* ---- the end ---- */

static void inject(struct pair *p, struct conn_peer *to, const uint8_t *packet, size_t n)
{
    uint8_t copy[1500];

    memcpy(copy, packet, n);
    struct kith_rx rx = {
        .path = {.local = *sim_host_addr(to->host), .remote = {.port = 1}},
        .data = copy,
        .len = n,
        .segment = n,
    };
    assert_true(kith_addr_parse("203.0.113.66:6666", 0, &rx.path.remote) == KITH_OK);
    kith_quic_receive(to->quic, &rx, sim_net_now(p->net));
}

static void a_close_ends_it_and_empties_the_table(void **state)
{
    struct pair p;

    (void)state;
    begin_traffic(&p, 14);
    assert_int_equal(p.a.quic->planes.n, 2);
    assert_int_equal(p.b.quic->planes.n, 2);
    kith_conn_close(p.a.established[0], 7, "enough", sim_net_now(p.net));
    assert_int_equal(p.a.quic->planes.n, 0); /* at once */
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.b.quic->planes.n, 0);
    uint64_t unroutable = kith_quic_counters(p.b.quic)->datagrams_unroutable;
    inject(&p, &p.b, p.seen[0], p.seen_len[0]);
    assert_int_equal(kith_quic_counters(p.b.quic)->datagrams_unroutable, unroutable + 1);
    pair_down(&p);
}

/* ---- strangers ---- */

static void forged_and_repeated_packets_of_a_right_index_are_counted_and_harmless(void **state)
{
    struct pair p;

    (void)state;
    begin_traffic(&p, 15);
    wait_for(&p, 20 * KITH_MSEC);
    const struct kith_quic_counters *count = kith_quic_counters(p.b.quic);
    for (int i = 0; i < 1000; i++) {
        size_t at = (p.n_seen - 1) % KEPT, n = p.seen_len[at];
        uint8_t packet[1500];
        uint64_t heard = p.b.datagrams, refused = count->sealed_refused;
        memcpy(packet, p.seen[at], n);
        if (i % 2 == 0) /* else the very packet */
            packet[KITH_PLANE_INDEX + kith_random_below(sim_net_random(p.net), n - 8)] ^= 0x40;
        inject(&p, &p.b, packet, n);
        assert_int_equal(count->sealed_refused, refused + 1);
        assert_int_equal(p.b.datagrams, heard);
        if (i % 10 == 0)
            (void)talk(&p, A | B, 20 * KITH_MSEC, 20 * KITH_MSEC); /* until it has arrived */
    }
    /* where they came from counts for nothing either */
    assert_int_equal(kith_conn_path(p.b.established[0])->remote.port, 9000);
    assert_true(sealed(&p.a) && sealed(&p.b));
    goes_on_within(&p, 10 * KITH_MSEC);
    pair_down(&p);
}

static void
packets_of_unknown_indices_and_of_every_length_are_dropped_without_an_answer(void **state)
{
    struct pair p;
    uint8_t noise[1500];

    (void)state;
    begin_traffic(&p, 16);
    const struct kith_quic_counters *count = kith_quic_counters(p.b.quic);
    uint64_t unroutable = count->datagrams_unroutable, refused = count->sealed_refused;
    kith_random_fill(sim_net_random(p.net), noise, sizeof noise);
    noise[0] = KITH_PLANE_TYPE;
    wait_for(&p, KITH_SEC);
    uint64_t delivered = sim_net_delivered(p.net, NULL);
    for (size_t n = 1; n <= 1472; n++)
        inject(&p, &p.b, noise, n);
    conn_peer_pump(&p.b);
    assert_int_equal(count->datagrams_unroutable - unroutable, 1472);
    for (size_t n = 1; n < KITH_PLANE_OVERHEAD; n++) /* cut before the tag ends */
        inject(&p, &p.b, p.seen[0], n);
    assert_int_equal(count->sealed_refused, refused);
    conn_peer_pump(&p.b);
    assert_int_equal(sim_net_delivered(p.net, NULL), delivered);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_both_have_opened_it_packets_go_by_the_plane),
        cmocka_unit_test(who_only_listens_reports_by_quic),
        cmocka_unit_test(quic_is_heard_every_ten_seconds_whatever_the_plane_carries),
        cmocka_unit_test(a_short_idle_time_out_ends_nothing_that_is_in_use),
        cmocka_unit_test(reports_call_for_none),
        cmocka_unit_test(who_hears_the_other_s_packets_notices_that_its_own_do_not_arrive),
        cmocka_unit_test(without_it_they_go_by_datagram),
        cmocka_unit_test(where_only_one_side_has_opened_it_they_go_by_datagram_and_none_is_lost),
        cmocka_unit_test(it_opens_on_established_connections_only_and_once),
        cmocka_unit_test(a_packet_says_with_its_carrier_what_its_sender_says_of_congestion),
        cmocka_unit_test(bursts_with_pauses_stay_on_the_plane),
        cmocka_unit_test(the_old_key_goes_on_time_also_when_nothing_comes),
        cmocka_unit_test(a_report_that_nobody_takes_keeps_nobody_awake),
        cmocka_unit_test(what_blocks_the_plane_alone_is_noticed_within_two_and_a_half_seconds),
        cmocka_unit_test(a_path_that_loses_a_tenth_is_quic_s),
        cmocka_unit_test(a_rebinding_of_the_dialling_side_stops_traffic_for_less_than_a_second),
        cmocka_unit_test(a_rebinding_of_the_accepting_side_stops_traffic_for_less_than_a_second),
        cmocka_unit_test(a_migration_of_either_side_stops_traffic_for_less_than_a_second),
        cmocka_unit_test(a_close_ends_it_and_empties_the_table),
        cmocka_unit_test(forged_and_repeated_packets_of_a_right_index_are_counted_and_harmless),
        cmocka_unit_test(
            packets_of_unknown_indices_and_of_every_length_are_dropped_without_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
