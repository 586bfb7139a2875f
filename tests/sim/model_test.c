/* What every connection engine owes its callers (conn/conn.h, conn/quic/quic.h), over links of
 * every kind. Built twice: with the model of tests/sim/model and with the real engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"

enum {
    MEGABYTE = 1000000,
    DATAGRAMS = 400,
    PIECE = 16384,
};

struct pair {
    struct sim_net *net;
    struct lab_alloc heap[2];
    struct conn_peer a, b;
    struct conn_peer *both[2];
    bool read[2]; /* whether the side reads its streams */
    struct {
        uint64_t bytes;
        unsigned flags;
        bool fin, wrong;
    } seen[2];
};

static const struct {
    const char *name;
    struct sim_link link;
} links[] = {
    {"lossless", {.delay = 10 * KITH_MSEC}},
    {"5 % lost", {.delay = 10 * KITH_MSEC, .loss_ppm = 50000}},
    {"25 % lost", {.delay = 10 * KITH_MSEC, .loss_ppm = 250000}},
    {"reordered", {.delay = 10 * KITH_MSEC, .reorder_ppm = 200000, .reorder_by = 15 * KITH_MSEC}},
    {"doubled", {.delay = 10 * KITH_MSEC, .dup_ppm = 300000}},
    {"all of it",
     {.delay = 10 * KITH_MSEC,
      .jitter = 5 * KITH_MSEC,
      .loss_ppm = 50000,
      .dup_ppm = 50000,
      .reorder_ppm = 50000,
      .reorder_by = 15 * KITH_MSEC}},
};

static uint8_t pattern(bool dialler, uint64_t at)
{
    const uint64_t v = at * 0x9e3779b97f4a7c15u ^ (dialler ? 0 : 0x5555);

    return (uint8_t)(v >> 40);
}

static void read_all(struct pair *t, int side, struct kith_conn *c, int64_t id)
{
    bool fin;
    const struct kith_span in = kith_conn_stream_peek(c, id, &fin);

    for (size_t i = 0; i < in.n; i++)
        t->seen[side].wrong |= in.p[i] != pattern(!kith_conn_dialled(c), t->seen[side].bytes + i);
    t->seen[side].bytes += in.n;
    t->seen[side].fin |= fin;
    kith_conn_stream_consume(c, id, in.n);
}

static void on_stream(struct conn_peer *p, const struct kith_conn_event *ev)
{
    struct pair *t = p->on_stream_ctx;
    const int side = p == &t->b;

    t->seen[side].flags |= ev->flags;
    if ((ev->flags & KITH_STREAM_READABLE) != 0 && t->read[side])
        read_all(t, side, ev->conn, ev->stream);
}

static void pair_up(struct pair *t, uint64_t seed, const struct sim_link *link,
                    const struct kith_quic_config *cfg)
{
    memset(t, 0, sizeof *t);
    t->net = sim_net_new(seed);
    if (link != NULL)
        sim_net_default_link(t->net, link);
    lab_alloc_init(&t->heap[0]);
    lab_alloc_init(&t->heap[1]);
    conn_peer_init_with(&t->a, t->net, "192.0.2.1:9000", 1, cfg, &t->heap[0].alloc);
    conn_peer_init_with(&t->b, t->net, "192.0.2.2:9000", 2, cfg, &t->heap[1].alloc);
    t->both[0] = &t->a;
    t->both[1] = &t->b;
    for (int i = 0; i < 2; i++) {
        t->both[i]->on_stream = on_stream;
        t->both[i]->on_stream_ctx = t;
        t->read[i] = true;
    }
}

static void pair_down(struct pair *t)
{
    conn_peer_fini(&t->a);
    conn_peer_fini(&t->b);
    sim_net_free(t->net);
    for (int i = 0; i < 2; i++)
        assert_int_equal(t->heap[i].live, 0);
}

static bool run(struct pair *t, bool (*pred)(void *), kith_dur limit)
{
    return conn_peers_run(t->both, 2, pred, t, limit);
}

static void let_pass(struct pair *t, kith_dur d)
{
    assert_false(run(t, NULL, d));
}

static bool both_established(void *ctx)
{
    const struct pair *t = ctx;

    return t->a.n_established == 1 && t->b.n_established == 1;
}

static bool a_closed(void *ctx)
{
    return ((const struct pair *)ctx)->a.n_closed > 0;
}

static bool b_closed(void *ctx)
{
    return ((const struct pair *)ctx)->b.n_closed > 0;
}

static struct kith_conn *conn_of(const struct pair *t, int side)
{
    return t->both[side]->established[0];
}

static void connect_pair(struct pair *t)
{
    conn_peer_dial(&t->a, &t->b);
    assert_true(run(t, both_established, 10 * KITH_SEC));
}

static kith_time now_of(const struct pair *t)
{
    return sim_net_now(t->net);
}

/* ---- beginnings ---- */

/* Over a link that loses a quarter a handshake may come to nothing in its ten seconds. */
static void a_handshake_succeeds_over_every_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(links); i++) {
        unsigned came = 0;
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct pair t;
            pair_up(&t, seed, &links[i].link, NULL);
            conn_peer_dial(&t.a, &t.b);
            if (run(&t, both_established, 10 * KITH_SEC)) {
                assert_true(kith_peer_id_equal(kith_conn_peer(conn_of(&t, 0)), &t.b.id));
                assert_true(kith_peer_id_equal(kith_conn_peer(conn_of(&t, 1)), &t.a.id));
                came++;
            }
            pair_down(&t);
        }
        print_message("  %s: %u of 10\n", links[i].name, came);
        assert_true(came >= (links[i].link.loss_ppm > 100000 ? 7 : 10));
    }
}

static void a_handshake_takes_two_round_trips_and_about_so_many_bytes(void **state)
{
    struct kith_conn_stats a, b;
    struct pair t;

    (void)state;
    pair_up(&t, 1, &(struct sim_link){.delay = 50 * KITH_MSEC}, NULL);
    const kith_time start = now_of(&t);
    connect_pair(&t);
    assert_in_range(now_of(&t) - start, 200 * KITH_MSEC, 220 * KITH_MSEC);
    kith_conn_stats(conn_of(&t, 0), &a);
    kith_conn_stats(conn_of(&t, 1), &b);
    print_message("  %u bytes there in %u packets, %u back in %u\n", (unsigned)a.bytes_out,
                  (unsigned)a.packets_out, (unsigned)b.bytes_out, (unsigned)b.packets_out);
    assert_in_range(a.bytes_out, 7500, 10500);
    assert_in_range(b.bytes_out, 6500, 9500); /* with probes of the path's size */
    assert_in_range(a.srtt, 95 * KITH_MSEC, 130 * KITH_MSEC);
    pair_down(&t);
}

static void the_exporter_is_equal_at_both_ends_and_different_for_each_connection(void **state)
{
    uint8_t first[32];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pair t;
        pair_up(&t, 5 + (uint64_t)i, NULL, NULL);
        connect_pair(&t);
        assert_memory_equal(kith_conn_exporter(conn_of(&t, 0)), kith_conn_exporter(conn_of(&t, 1)),
                            sizeof first);
        if (i == 0)
            memcpy(first, kith_conn_exporter(conn_of(&t, 0)), sizeof first);
        else
            assert_memory_not_equal(kith_conn_exporter(conn_of(&t, 0)), first, sizeof first);
        pair_down(&t);
    }
}

static void who_is_not_the_peer_that_was_dialled_is_refused(void **state)
{
    const struct kith_peer_id wrong = {{9}};
    struct kith_conn *c;
    struct pair t;

    (void)state;
    pair_up(&t, 8, NULL, NULL);
    const struct kith_path path = {.remote = *sim_host_addr(t.b.host)};
    assert_int_equal(kith_quic_dial(t.a.quic, &path, &wrong, NULL, now_of(&t), &c), KITH_OK);
    assert_true(run(&t, a_closed, 11 * KITH_SEC));
    assert_int_equal(t.a.last_end.kind, KITH_END_REFUSED);
    assert_int_equal(t.a.last_end.refusal, KITH_REFUSAL_PEER);
    assert_int_equal(t.a.seen[KITH_EV_refused_peer], 1);
    assert_int_equal(kith_quic_counters(t.a.quic)->refused, 1);
    let_pass(&t, 20 * KITH_SEC);
    assert_int_equal(t.b.n_established + t.b.n_closed, 0);
    assert_int_equal(kith_quic_counters(t.b.quic)->refused, 1);
    assert_int_equal(kith_quic_connections(t.a.quic) + kith_quic_connections(t.b.quic), 0);
    pair_down(&t);
}

static void a_dial_into_silence_ends_unreached_after_ten_seconds(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 6, &(struct sim_link){.cut = true}, NULL);
    const kith_time start = now_of(&t);
    conn_peer_dial(&t.a, &t.b);
    assert_true(run(&t, a_closed, 11 * KITH_SEC));
    assert_int_equal(t.a.last_end.kind, KITH_END_UNREACHED);
    assert_in_range(now_of(&t) - start, 10 * KITH_SEC, 10 * KITH_SEC + 100 * KITH_MSEC);
    pair_down(&t);
}

static void tables_that_are_full_take_no_more(void **state)
{
    const struct kith_quic_config few = {.connections_max = 2};
    const struct kith_path nowhere = {.remote = {.ip = kith_ip4(203, 0, 113, 1), .port = 1}};
    struct kith_conn *c;
    struct pair t;

    (void)state;
    pair_up(&t, 7, NULL, &few);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kith_quic_dial(t.b.quic, &nowhere, &t.a.id, NULL, now_of(&t), &c),
                         KITH_OK);
    assert_int_equal(kith_quic_dial(t.b.quic, &nowhere, &t.a.id, NULL, now_of(&t), &c),
                     KITH_E_FULL);
    conn_peer_dial(&t.a, &t.b);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.b.n_established, 0);
    assert_true(kith_quic_counters(t.b.quic)->over_limit > 0);
    pair_down(&t);
}

/* ---- streams ---- */

/* Feeds a stream with the pattern as far as it has room. */
static void feed(struct kith_conn *c, int64_t id, uint64_t *sent, uint64_t total)
{
    uint8_t piece[PIECE];

    while (*sent < total) {
        const size_t n = total - *sent < sizeof piece ? (size_t)(total - *sent) : sizeof piece;
        if (kith_conn_stream_room(c, id) < n)
            return;
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern(kith_conn_dialled(c), *sent + i);
        assert_int_equal(
            kith_conn_stream_send(c, id, (struct kith_span){piece, n}, *sent + n == total),
            KITH_OK);
        *sent += n;
    }
}

static void carry_both_ways(struct pair *t, uint64_t total)
{
    uint64_t sent[2] = {0, 0};
    int64_t id;

    assert_int_equal(kith_conn_stream_open(conn_of(t, 0), &id), KITH_OK);
    feed(conn_of(t, 0), id, &sent[0], total);
    for (int i = 0; i < 30000 && !(t->seen[0].fin && t->seen[1].fin); i++) {
        feed(conn_of(t, 0), id, &sent[0], total);
        if ((t->seen[1].flags & KITH_STREAM_OPENED) != 0)
            feed(conn_of(t, 1), id, &sent[1], total);
        let_pass(t, 10 * KITH_MSEC);
    }
}

static void a_megabyte_arrives_intact_both_ways_over_every_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(links); i++) {
        struct pair t;
        pair_up(&t, 20 + i, &links[i].link, NULL);
        connect_pair(&t);
        const kith_time start = now_of(&t);
        carry_both_ways(&t, MEGABYTE);
        print_message("  %s: %.1f s\n", links[i].name, (double)(now_of(&t) - start) / 1e9);
        for (int side = 0; side < 2; side++) {
            assert_true(t.seen[side].fin && !t.seen[side].wrong);
            assert_int_equal(t.seen[side].bytes, MEGABYTE);
        }
        let_pass(&t, 2 * KITH_SEC);
        assert_true((t.seen[0].flags & t.seen[1].flags & KITH_STREAM_DONE) != 0);
        pair_down(&t);
    }
}

static void a_reset_is_told_and_the_id_is_gone_at_both_ends(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair t;
        int64_t id;
        pair_up(&t, 30, NULL, NULL);
        connect_pair(&t);
        assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_OK);
        assert_int_equal(kith_conn_stream_send(conn_of(&t, 0), id, kith_span_text("half"), false),
                         KITH_OK);
        let_pass(&t, 200 * KITH_MSEC);
        kith_conn_stream_reset(conn_of(&t, who), id, 42);
        let_pass(&t, KITH_SEC);
        assert_true((t.seen[!who].flags & KITH_STREAM_RESET) != 0);
        for (int side = 0; side < 2; side++) {
            assert_true((t.seen[side].flags & KITH_STREAM_DONE) != 0);
            assert_int_equal(
                kith_conn_stream_send(conn_of(&t, side), id, kith_span_text("x"), false),
                KITH_E_NOTFOUND);
        }
        pair_down(&t);
    }
}

static void a_reader_that_stops_stops_the_sender_and_goes_on(void **state)
{
    uint64_t sent = 0;
    bool fin, all;
    int64_t id;
    struct pair t;

    (void)state;
    pair_up(&t, 31, NULL, NULL);
    t.read[1] = false;
    connect_pair(&t);
    assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_OK);
    for (int i = 0; i < 100; i++) {
        feed(conn_of(&t, 0), id, &sent, MEGABYTE);
        let_pass(&t, 50 * KITH_MSEC);
    }
    assert_in_range(sent, KITH_STREAM_RX_MAX, KITH_STREAM_RX_MAX + KITH_STREAM_TX_MAX);
    assert_int_equal(kith_conn_stream_peek(conn_of(&t, 1), id, &fin).n, KITH_STREAM_RX_MAX);
    assert_false(fin);
    assert_int_equal(kith_conn_stream_acked(conn_of(&t, 0), id, &all), KITH_STREAM_RX_MAX);
    assert_false(all);
    t.read[1] = true;
    kith_conn_stream_poke(conn_of(&t, 1), id);
    for (int i = 0; i < 1000 && !t.seen[1].fin; i++) {
        feed(conn_of(&t, 0), id, &sent, MEGABYTE);
        let_pass(&t, 10 * KITH_MSEC);
    }
    assert_int_equal(t.seen[1].bytes, MEGABYTE);
    assert_true(t.seen[1].fin && !t.seen[1].wrong);
    pair_down(&t);
}

static void a_send_without_room_is_told_of_room_later(void **state)
{
    uint8_t piece[PIECE] = {0};
    int64_t id;
    struct pair t;

    (void)state;
    pair_up(&t, 32, NULL, NULL);
    connect_pair(&t);
    assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_OK);
    while (kith_conn_stream_room(conn_of(&t, 0), id) > 0)
        assert_int_equal(kith_conn_stream_send(conn_of(&t, 0), id, KITH_SPAN_OF(piece), false),
                         KITH_OK);
    assert_int_equal(kith_conn_stream_send(conn_of(&t, 0), id, KITH_SPAN_OF(piece), false),
                     KITH_E_AGAIN);
    assert_int_equal(t.seen[0].flags & KITH_STREAM_ROOM, 0);
    let_pass(&t, 5 * KITH_SEC);
    assert_true((t.seen[0].flags & KITH_STREAM_ROOM) != 0);
    pair_down(&t);
}

static void as_many_streams_as_agreed_may_be_open(void **state)
{
    int64_t id;
    struct pair t;

    (void)state;
    pair_up(&t, 33, NULL, NULL);
    connect_pair(&t);
    for (int i = 0; i < KITH_CONN_STREAMS_MAX; i++)
        assert_int_equal(kith_conn_stream_open(conn_of(&t, i % 2 == 0), &id), KITH_OK);
    for (int i = 0; i < KITH_CONN_STREAMS_MAX / 2; i++)
        assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_OK);
    assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_E_LIMIT);
    pair_down(&t);
}

/* ---- datagrams ---- */

/* Sends one with its number in front; whether it went. */
static bool say(struct pair *t, int side, uint8_t number, size_t len)
{
    uint8_t bytes[1400] = {number};
    const struct kith_span parts[2] = {{bytes, 1}, {bytes + 1, len - 1}};
    struct conn_peer *p = t->both[side];

    const int err = kith_conn_datagram_send(conn_of(t, side), &p->batch, parts, 2, now_of(t));
    assert_true(err == KITH_OK || err == KITH_E_AGAIN);
    return err == KITH_OK;
}

static void say_surely(struct pair *t, int side, uint8_t number, size_t len)
{
    while (!say(t, side, number, len))
        let_pass(t, KITH_MSEC);
    kith_conn_burst_end(conn_of(t, side), now_of(t));
}

static void datagrams_arrive_whole_and_at_most_once(void **state)
{
    struct kith_conn_stats stats;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(links); i++) {
        struct pair t;
        pair_up(&t, 40 + i, &links[i].link, NULL);
        connect_pair(&t);
        for (int k = 0; k < DATAGRAMS; k++) {
            say_surely(&t, 0, (uint8_t)k, 100);
            let_pass(&t, 2 * KITH_MSEC);
        }
        let_pass(&t, KITH_SEC);
        kith_conn_stats(conn_of(&t, 0), &stats);
        print_message("  %s: %u of %u, %u counted as lost\n", links[i].name,
                      (unsigned)t.b.datagrams, DATAGRAMS, (unsigned)stats.packets_lost);
        assert_true(t.b.datagrams <= DATAGRAMS);
        assert_true(t.b.datagrams >= DATAGRAMS * 6 / 10);
        if (links[i].link.loss_ppm == 0)
            assert_int_equal(t.b.datagrams, DATAGRAMS);
        assert_int_equal(t.b.datagram_bytes, t.b.datagrams * 100);
        assert_int_equal(t.b.last_ecn, 0);
        pair_down(&t);
    }
}

static void a_datagram_has_a_largest_size(void **state)
{
    uint8_t bytes[1500] = {0};
    struct pair t;

    (void)state;
    pair_up(&t, 50, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, 10 * KITH_SEC);
    const size_t max = kith_conn_datagram_max(conn_of(&t, 0));
    assert_in_range(max, KITH_DATAGRAM_MIN, 1440);
    assert_true(max >= 1400);
    struct kith_span s = {bytes, max + 1};
    assert_int_equal(kith_conn_datagram_send(conn_of(&t, 0), &t.a.batch, &s, 1, now_of(&t)),
                     KITH_E_TOOBIG);
    s.n = max;
    assert_int_equal(kith_conn_datagram_send(conn_of(&t, 0), &t.a.batch, &s, 1, now_of(&t)),
                     KITH_OK);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.b.last_datagram_len, max);
    pair_down(&t);
}

static void datagrams_held_back_by_a_full_window_may_go_after_the_event(void **state)
{
    struct pair t;
    unsigned went = 0;

    (void)state;
    pair_up(&t, 51, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    while (say(&t, 0, 0, 1000) && went < 10000)
        went++;
    assert_in_range(went, 1, 9999);
    const size_t before = t.a.writable;
    let_pass(&t, KITH_SEC);
    assert_true(t.a.writable > before);
    assert_true(say(&t, 0, 0, 1000));
    pair_down(&t);
}

static void losses_and_round_trips_are_measured(void **state)
{
    struct kith_conn_stats s;
    struct pair t;

    (void)state;
    pair_up(&t, 52, &(struct sim_link){.delay = 20 * KITH_MSEC, .loss_ppm = 100000}, NULL);
    connect_pair(&t);
    for (int k = 0; k < DATAGRAMS; k++) {
        say_surely(&t, 0, (uint8_t)k, 100);
        let_pass(&t, 10 * KITH_MSEC);
    }
    kith_conn_stats(conn_of(&t, 0), &s);
    print_message("  srtt %.1f ms, min %.1f, lost %u of %u\n", (double)s.srtt / 1e6,
                  (double)s.min_rtt / 1e6, (unsigned)s.packets_lost, (unsigned)s.packets_out);
    assert_in_range(s.min_rtt, 40 * KITH_MSEC, 46 * KITH_MSEC);
    assert_in_range(s.srtt, 40 * KITH_MSEC, 80 * KITH_MSEC);
    assert_in_range(s.packets_lost, DATAGRAMS / 20, DATAGRAMS / 5);
    assert_true(now_of(&t) - s.heard_at < KITH_SEC);
    pair_down(&t);
}

/* ---- ends ---- */

static void silence_ends_at_the_idle_timeout(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 60, NULL, &(struct kith_quic_config){.idle_timeout = 30 * KITH_SEC});
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    const kith_time start = now_of(&t);
    assert_true(run(&t, a_closed, 100 * KITH_SEC));
    assert_in_range(now_of(&t) - start, 28 * KITH_SEC, 45 * KITH_SEC);
    assert_int_equal(t.a.last_end.kind, KITH_END_IDLE);
    let_pass(&t, 10 * KITH_SEC);
    assert_int_equal(t.b.last_end.kind, KITH_END_IDLE);
    assert_true(kith_quic_deadline(t.a.quic) == KITH_NEVER);
    assert_int_equal(kith_quic_connections(t.a.quic) + kith_quic_connections(t.b.quic), 0);
    pair_down(&t);
}

static kith_time waits_since(const struct pair *t, int side)
{
    struct kith_conn_stats s;

    kith_conn_stats(conn_of(t, side), &s);
    return s.waits_since;
}

static void who_waits_for_an_acknowledgement_says_since_when_and_tells_of_it(void **state)
{
    struct pair t;
    int64_t id;

    (void)state;
    pair_up(&t, 62, &(struct sim_link){.delay = 10 * KITH_MSEC}, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    assert_true(waits_since(&t, 0) == KITH_NEVER);
    const size_t before = t.a.waits, before_b = t.b.waits;
    const kith_time sent_at = now_of(&t);
    assert_int_equal(kith_conn_stream_open(conn_of(&t, 0), &id), KITH_OK);
    assert_int_equal(kith_conn_stream_send(conn_of(&t, 0), id, kith_span_text("x"), false),
                     KITH_OK);
    let_pass(&t, 5 * KITH_MSEC);
    assert_int_equal(t.a.waits, before + 1);
    assert_true(waits_since(&t, 0) == sent_at);
    let_pass(&t, KITH_SEC);
    assert_true(waits_since(&t, 0) == KITH_NEVER);
    assert_true(waits_since(&t, 1) ==
                KITH_NEVER); /* it had nothing but an acknowledgement to say */
    assert_int_equal(t.a.waits, before + 1);
    assert_int_equal(t.b.waits, before_b);

    sim_net_default_link(t.net, &(struct sim_link){.cut = true});
    const kith_time cut_at = now_of(&t);
    assert_int_equal(kith_conn_stream_send(conn_of(&t, 0), id, kith_span_text("y"), false),
                     KITH_OK);
    let_pass(&t, 10 * KITH_SEC); /* said again and again meanwhile */
    assert_true(waits_since(&t, 0) == cut_at);
    assert_int_equal(t.a.waits, before + 2);
    pair_down(&t);
}

static void a_close_arrives_with_code_and_text_even_if_its_packet_is_lost(void **state)
{
    (void)state;
    for (int lose = 0; lose < 2; lose++) {
        struct pair t;
        pair_up(&t, 61, NULL, NULL);
        connect_pair(&t);
        let_pass(&t, KITH_SEC);
        kith_conn_close(conn_of(&t, 0), 7, "enough", now_of(&t));
        sim_net_default_link(t.net, &(struct sim_link){.delay = 10 * KITH_MSEC, .cut = lose == 1});
        let_pass(&t, 5 * KITH_MSEC);
        assert_int_equal(t.a.last_end.kind, KITH_END_LOCAL);
        sim_net_default_link(t.net, &(struct sim_link){.delay = 10 * KITH_MSEC});
        if (lose == 1) /* what comes late is told of the end again */
            say_surely(&t, 1, 0, 100);
        assert_true(run(&t, b_closed, KITH_SEC));
        assert_int_equal(t.b.last_end.kind, KITH_END_PEER);
        assert_int_equal(t.b.last_end.code, 7);
        assert_string_equal(t.b.last_end.text, "enough");
        let_pass(&t, 10 * KITH_SEC);
        assert_int_equal(kith_quic_connections(t.a.quic) + kith_quic_connections(t.b.quic), 0);
        pair_down(&t);
    }
}

static void an_accepting_side_that_forgot_says_so(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 62, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    conn_peer_restart(&t.b, NULL);
    say_surely(&t, 0, 0, 100);
    assert_true(run(&t, a_closed, KITH_SEC));
    assert_int_equal(t.a.last_end.kind, KITH_END_RESET);
    assert_int_equal(kith_quic_counters(t.b.quic)->resets_sent, 1);
    pair_down(&t);
}

/* A dialler's first id has no token (RFC 9000 18.2), so nobody is told that it forgot. */
static void a_dialling_side_that_forgot_is_silent(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 63, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    conn_peer_restart(&t.a, NULL);
    say_surely(&t, 1, 0, 100);
    let_pass(&t, 5 * KITH_SEC);
    assert_int_equal(t.b.n_closed, 0);
    assert_true(run(&t, b_closed, 120 * KITH_SEC));
    assert_int_equal(t.b.last_end.kind, KITH_END_IDLE);
    pair_down(&t);
}

/* ---- moves ---- */

static bool b_moved(void *ctx)
{
    return ((const struct pair *)ctx)->b.n_moved > 0;
}

static bool a_moved(void *ctx)
{
    return ((const struct pair *)ctx)->a.n_moved > 0;
}

static void a_dialler_behind_another_address_is_followed(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 70, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    sim_host_rebind(t.a.host, "198.51.100.7:4242");
    say_surely(&t, 0, 0, 100);
    assert_true(run(&t, b_moved, KITH_SEC));
    assert_int_equal(kith_conn_path(conn_of(&t, 1))->remote.port, 4242);
    say_surely(&t, 1, 0, 100);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.a.datagrams, 1);
    pair_down(&t);
}

static void an_acceptor_behind_another_address_is_followed_after_three_packets(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 71, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    sim_host_rebind(t.b.host, "198.51.100.9:777");
    for (int i = 0; i < 3; i++) {
        say_surely(&t, 1, 0, 100);
        let_pass(&t, 2 * KITH_MSEC);
    }
    assert_true(run(&t, a_moved, KITH_SEC));
    assert_int_equal(kith_conn_path(conn_of(&t, 0))->remote.port, 777);
    say_surely(&t, 0, 0, 100);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.b.datagrams, 1);
    pair_down(&t);
}

static void either_side_may_move(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct pair t;
        pair_up(&t, 72, NULL, NULL);
        connect_pair(&t);
        let_pass(&t, KITH_SEC);
        sim_host_move(t.both[who]->host, "203.0.113.5:9000");
        struct kith_path path = *kith_conn_path(conn_of(&t, who));
        path.local = (struct kith_addr){0};
        assert_int_equal(kith_conn_migrate(conn_of(&t, who), &path, now_of(&t)), KITH_OK);
        for (int i = 0; i < 5; i++) {
            let_pass(&t, 200 * KITH_MSEC);
            say_surely(&t, who, 0, 100);
        }
        let_pass(&t, KITH_SEC);
        assert_true(t.both[!who]->n_moved > 0);
        assert_true(kith_addr_equal(&kith_conn_path(conn_of(&t, !who))->remote,
                                    sim_host_addr(t.both[who]->host)));
        const uint64_t before = t.both[who]->datagrams;
        say_surely(&t, !who, 0, 100);
        let_pass(&t, KITH_SEC);
        assert_int_equal(t.both[who]->datagrams, before + 1);
        pair_down(&t);
    }
}

static void a_move_to_where_nobody_is_changes_nothing(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 73, NULL, NULL);
    connect_pair(&t);
    let_pass(&t, KITH_SEC);
    const struct kith_path was = *kith_conn_path(conn_of(&t, 0));
    struct kith_path path = was;
    path.local.ip = kith_ip4(203, 0, 113, 77); /* not ours: what leaves from there is lost */
    assert_int_equal(kith_conn_migrate(conn_of(&t, 0), &path, now_of(&t)), KITH_OK);
    let_pass(&t, 20 * KITH_SEC);
    assert_true(kith_path_equal(&was, kith_conn_path(conn_of(&t, 0))));
    say_surely(&t, 0, 0, 100);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.b.datagrams, 1);
    pair_down(&t);
}

/* ---- noise ---- */

static void inject(struct pair *t, struct conn_peer *to, uint8_t *bytes, size_t len)
{
    const struct kith_rx rx = {
        .path = {.local = *sim_host_addr(to->host), .remote = *sim_host_addr(t->a.host)},
        .data = bytes,
        .len = len,
        .segment = len};

    kith_quic_receive(to->quic, &rx, now_of(t));
}

static void random_bytes_do_nothing(void **state)
{
    uint8_t noise[1400];
    struct pair t;

    (void)state;
    pair_up(&t, 80, NULL, NULL);
    connect_pair(&t);
    for (int i = 0; i < 5000; i++) {
        const size_t len = 1 + (size_t)kith_random_below(sim_net_random(t.net), sizeof noise - 1);
        kith_random_fill(sim_net_random(t.net), noise, len);
        inject(&t, &t.b, noise, len);
    }
    let_pass(&t, KITH_SEC);
    assert_int_equal(kith_quic_connections(t.b.quic), 1);
    say_surely(&t, 0, 0, 100);
    let_pass(&t, KITH_SEC);
    assert_int_equal(t.b.datagrams, 1);
    pair_down(&t);
}

/* Damages one datagram in eight, or hands over only its beginning. */
static bool damage(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                   uint8_t *data, size_t len)
{
    struct pair *t = ctx;
    const struct kith_random *r = sim_net_random(t->net);

    (void)from, (void)to;
    switch (kith_random_below(r, 8)) {
    case 0: data[kith_random_below(r, len)] ^= (uint8_t)(1 + kith_random_below(r, 255)); break;
    case 1: memset(data + len / 2, 0, len - len / 2); break;
    default: break;
    }
    return true;
}

static void damaged_packets_are_as_good_as_lost(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 81, NULL, NULL);
    connect_pair(&t);
    sim_net_set_filter(t.net, damage, &t);
    carry_both_ways(&t, MEGABYTE / 10);
    for (int side = 0; side < 2; side++) {
        assert_true(t.seen[side].fin && !t.seen[side].wrong);
        assert_int_equal(t.seen[side].bytes, MEGABYTE / 10);
    }
    pair_down(&t);
}

/* ---- what it costs ---- */

/* As a session's: a stream each way that stays open, and has carried a little. */
static void open_control(struct kith_conn *c)
{
    static const uint8_t hello[100];
    int64_t id;

    assert_int_equal(kith_conn_stream_open(c, &id), KITH_OK);
    assert_int_equal(kith_conn_stream_send(c, id, KITH_SPAN_OF(hello), false), KITH_OK);
}

static void an_idle_connection_wakes_nobody_and_takes_little_memory(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 90, NULL, &(struct kith_quic_config){.handshakes_per_second = 1000});
    const size_t before[2] = {t.heap[0].bytes, t.heap[1].bytes};
    for (int i = 0; i < PEER_CONNS; i++) {
        conn_peer_dial(&t.a, &t.b);
        let_pass(&t, 200 * KITH_MSEC);
        open_control(t.a.established[i]);
        open_control(t.b.established[i]);
    }
    let_pass(&t, 10 * KITH_SEC);
    assert_int_equal(kith_quic_connections(t.a.quic), PEER_CONNS);
    for (int side = 0; side < 2; side++)
        print_message("  %u bytes each, %s\n",
                      (unsigned)((t.heap[side].bytes - before[side]) / PEER_CONNS),
                      side == 0 ? "dialled" : "accepted");
    const uint64_t delivered = sim_net_delivered(t.net, NULL);
    assert_true(kith_quic_deadline(t.a.quic) > now_of(&t) + 20 * KITH_SEC);
    let_pass(&t, 20 * KITH_SEC);
    assert_int_equal(sim_net_delivered(t.net, NULL), delivered);
    pair_down(&t);
}

static void a_link_that_copies_everything_comes_to_rest(void **state)
{
    struct pair t;

    (void)state;
    pair_up(&t, 92, &(struct sim_link){.delay = 10 * KITH_MSEC, .dup_ppm = 1000000}, NULL);
    connect_pair(&t);
    say_surely(&t, 0, 0, 100);
    let_pass(&t, 10 * KITH_SEC);
    const uint64_t delivered = sim_net_delivered(t.net, NULL);
    let_pass(&t, 10 * KITH_SEC);
    assert_int_equal(sim_net_delivered(t.net, NULL), delivered);
    assert_int_equal(t.b.datagrams, 1);
    pair_down(&t);
}

/* Fails the n-th request for memory of one side, for each n until there is none. */
static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct pair t;
        struct kith_conn *c;
        int64_t id;
        pair_up(&t, 91, NULL, NULL);
        struct lab_alloc *heap = &t.heap[n % 2];
        heap->fail_at = heap->requests + n / 2 + 1;
        const struct kith_path path = {.remote = *sim_host_addr(t.b.host)};
        if (kith_quic_dial(t.a.quic, &path, &t.b.id, NULL, now_of(&t), &c) == KITH_OK)
            (void)run(&t, both_established, 5 * KITH_SEC);
        for (int i = 0; i < 20 && both_established(&t) && t.a.n_closed + t.b.n_closed == 0; i++) {
            uint8_t piece[3000] = {0};
            if (kith_conn_stream_open(conn_of(&t, i % 2), &id) == KITH_OK)
                (void)!kith_conn_stream_send(conn_of(&t, i % 2), id, KITH_SPAN_OF(piece), i > 10);
            let_pass(&t, 50 * KITH_MSEC);
        }
        const bool failed = heap->failed > 0;
        heap->fail_at = 0;
        let_pass(&t, 200 * KITH_SEC);
        assert_int_equal(kith_quic_connections(t.a.quic) + kith_quic_connections(t.b.quic), 0);
        pair_down(&t);
        if (!failed && n > 2)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_succeeds_over_every_link),
        cmocka_unit_test(a_handshake_takes_two_round_trips_and_about_so_many_bytes),
        cmocka_unit_test(the_exporter_is_equal_at_both_ends_and_different_for_each_connection),
        cmocka_unit_test(who_is_not_the_peer_that_was_dialled_is_refused),
        cmocka_unit_test(a_dial_into_silence_ends_unreached_after_ten_seconds),
        cmocka_unit_test(tables_that_are_full_take_no_more),
        cmocka_unit_test(a_megabyte_arrives_intact_both_ways_over_every_link),
        cmocka_unit_test(a_reset_is_told_and_the_id_is_gone_at_both_ends),
        cmocka_unit_test(a_reader_that_stops_stops_the_sender_and_goes_on),
        cmocka_unit_test(a_send_without_room_is_told_of_room_later),
        cmocka_unit_test(as_many_streams_as_agreed_may_be_open),
        cmocka_unit_test(datagrams_arrive_whole_and_at_most_once),
        cmocka_unit_test(a_datagram_has_a_largest_size),
        cmocka_unit_test(datagrams_held_back_by_a_full_window_may_go_after_the_event),
        cmocka_unit_test(losses_and_round_trips_are_measured),
        cmocka_unit_test(silence_ends_at_the_idle_timeout),
        cmocka_unit_test(who_waits_for_an_acknowledgement_says_since_when_and_tells_of_it),
        cmocka_unit_test(a_close_arrives_with_code_and_text_even_if_its_packet_is_lost),
        cmocka_unit_test(an_accepting_side_that_forgot_says_so),
        cmocka_unit_test(a_dialling_side_that_forgot_is_silent),
        cmocka_unit_test(a_dialler_behind_another_address_is_followed),
        cmocka_unit_test(an_acceptor_behind_another_address_is_followed_after_three_packets),
        cmocka_unit_test(either_side_may_move),
        cmocka_unit_test(a_move_to_where_nobody_is_changes_nothing),
        cmocka_unit_test(random_bytes_do_nothing),
        cmocka_unit_test(damaged_packets_are_as_good_as_lost),
        cmocka_unit_test(an_idle_connection_wakes_nobody_and_takes_little_memory),
        cmocka_unit_test(a_link_that_copies_everything_comes_to_rest),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
