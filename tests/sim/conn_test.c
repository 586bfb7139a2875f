/* Connections over simulated links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/conn_peer.h"

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
};

static void pair_up(struct pair *p, uint64_t seed, const struct sim_link *link,
                    const struct kith_quic_config *cfg)
{
    p->net = sim_net_new(seed);
    if (link != NULL)
        sim_net_default_link(p->net, link);
    conn_peer_init(&p->a, p->net, "192.0.2.1:9000", 1, cfg);
    conn_peer_init(&p->b, p->net, "192.0.2.2:9000", 2, cfg);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
}

static void pair_down(struct pair *p)
{
    conn_peer_fini(&p->a);
    conn_peer_fini(&p->b);
    sim_net_free(p->net);
}

static bool run(struct pair *p, bool (*pred)(void *), kith_dur limit)
{
    return conn_peers_run(p->both, 2, pred, p, limit);
}

static bool both_established(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.n_established == 1 && p->b.n_established == 1;
}

static bool a_closed(void *ctx)
{
    return ((struct pair *)ctx)->a.n_closed > 0;
}

static bool both_closed(void *ctx)
{
    return a_closed(ctx) && ((struct pair *)ctx)->b.n_closed > 0;
}

static void connect_pair(struct pair *p)
{
    conn_peer_dial(&p->a, &p->b);
    assert_true(run(p, both_established, 10 * KITH_SEC));
}

static void two_peers_prove_their_keys_in_two_round_trips(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 1, &(struct sim_link){.delay = 50 * KITH_MSEC}, NULL);
    kith_time start = sim_net_now(p.net);
    connect_pair(&p);
    /* the dialling side is sure once the other has judged its key: two round trips of 100 ms and
     * some pacing, but no time-out, whose first would be after 450 ms */
    assert_true(sim_net_now(p.net) - start <= 220 * KITH_MSEC);
    assert_memory_equal(kith_conn_peer(p.a.established[0])->b, p.b.id.b, 32);
    assert_memory_equal(kith_conn_peer(p.b.established[0])->b, p.a.id.b, 32);
    assert_memory_equal(kith_conn_exporter(p.a.established[0]),
                        kith_conn_exporter(p.b.established[0]), 32);
    pair_down(&p);
}

static bool a_has_megabyte(void *ctx)
{
    return ((struct pair *)ctx)->a.fins == 1;
}

static void send_all(struct pair *p, struct kith_conn *c, int64_t id, size_t total,
                     uint64_t *ret_hash)
{
    uint8_t piece[8192];
    uint64_t hash = 0;

    for (size_t sent = 0; sent < total;) {
        size_t n = total - sent < sizeof piece ? total - sent : sizeof piece;
        if (kith_conn_stream_room(c, id) < n) {
            assert_false(run(p, NULL, 20 * KITH_MSEC));
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            piece[i] = (uint8_t)((sent + i) * 131 + (sent + i) / 251);
            hash = (hash ^ piece[i]) * 0x100000001b3u;
        }
        assert_int_equal(
            kith_conn_stream_send(c, id, (struct kith_span){piece, n}, sent + n == total), KITH_OK);
        sent += n;
    }
    *ret_hash = hash;
}

static void a_stream_carries_a_megabyte_both_ways_over_a_lossy_link(void **state)
{
    struct pair p;
    uint64_t hash;
    int64_t id;

    (void)state;
    pair_up(&p, 7,
            &(struct sim_link){.delay = 5 * KITH_MSEC,
                               .loss_ppm = 20000,
                               .dup_ppm = 10000,
                               .reorder_ppm = 10000,
                               .reorder_by = 3 * KITH_MSEC},
            NULL);
    p.b.echo = true;
    connect_pair(&p);
    assert_int_equal(kith_conn_stream_open(p.a.established[0], &id), KITH_OK);
    send_all(&p, p.a.established[0], id, 1000000, &hash);
    assert_true(run(&p, a_has_megabyte, 120 * KITH_SEC));
    assert_int_equal(p.a.stream_bytes, 1000000);
    assert_true(p.a.stream_hash == hash);
    assert_int_equal(p.b.stream_bytes, 1000000);
    pair_down(&p);
}

/* Sends a datagram, waiting for pacing to allow it. */
static void say(struct pair *pair, struct conn_peer *p, const char *text)
{
    struct kith_span s = kith_span_text(text);
    int err;

    while ((err = kith_conn_datagram_send(p->established[0], &p->batch, &s, 1,
                                          sim_net_now(p->net))) == KITH_E_AGAIN)
        assert_false(run(pair, NULL, KITH_MSEC));
    assert_int_equal(err, KITH_OK);
}

static bool b_has_datagram(void *ctx)
{
    return ((struct pair *)ctx)->b.datagrams > 0;
}

static void a_datagram_arrives_whole_and_too_big_a_one_is_refused(void **state)
{
    struct pair p;
    uint8_t big[1500] = {0};
    struct kith_span parts[2] = {kith_span_text("head"), kith_span_text("body")};
    int err;

    (void)state;
    pair_up(&p, 3, NULL, NULL);
    connect_pair(&p);
    struct kith_conn *c = p.a.established[0];
    while ((err = kith_conn_datagram_send(c, &p.a.batch, parts, 2, sim_net_now(p.net))) ==
           KITH_E_AGAIN)
        assert_false(run(&p, NULL, KITH_MSEC));
    assert_int_equal(err, KITH_OK);
    assert_true(run(&p, b_has_datagram, KITH_SEC));
    assert_int_equal(p.b.last_datagram_len, 8);
    assert_memory_equal(p.b.last_datagram, "headbody", 8);
    parts[0] = (struct kith_span){big, sizeof big};
    assert_int_equal(kith_conn_datagram_send(c, &p.a.batch, parts, 1, sim_net_now(p.net)),
                     KITH_E_TOOBIG);
    pair_down(&p);
}

static void the_path_mtu_is_found_so_that_1400_byte_packets_fit(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 4, &(struct sim_link){.delay = 10 * KITH_MSEC, .mtu = 1452}, NULL);
    connect_pair(&p);
    assert_false(run(&p, NULL, 5 * KITH_SEC));
    assert_true(kith_conn_datagram_max(p.a.established[0]) >= 1402);
    assert_true(kith_conn_datagram_max(p.b.established[0]) >= 1402);
    pair_down(&p);
}

static void a_close_reaches_the_peer_with_its_code_and_text(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 5, NULL, NULL);
    connect_pair(&p);
    kith_conn_close(p.a.established[0], 7, "enough", sim_net_now(p.net));
    assert_true(run(&p, both_closed, 5 * KITH_SEC));
    assert_int_equal(p.b.last_end.kind, KITH_END_PEER);
    assert_int_equal(p.b.last_end.code, 7);
    assert_string_equal(p.b.last_end.text, "enough");
    assert_int_equal(p.a.last_end.kind, KITH_END_LOCAL);
    assert_false(run(&p, NULL, 10 * KITH_SEC));
    assert_int_equal(kith_quic_connections(p.a.quic), 0);
    assert_int_equal(kith_quic_connections(p.b.quic), 0);
    pair_down(&p);
}

static void silence_ends_a_connection_at_the_idle_timeout(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 6, NULL, &(struct kith_quic_config){.idle_timeout = 30 * KITH_SEC});
    connect_pair(&p);
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.cut = true});
    assert_true(run(&p, both_closed, 200 * KITH_SEC));
    assert_int_equal(p.a.last_end.kind, KITH_END_IDLE);
    pair_down(&p);
}

static void a_dial_into_silence_ends_unreached(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 6, &(struct sim_link){.cut = true}, NULL);
    conn_peer_dial(&p.a, &p.b);
    assert_true(run(&p, a_closed, 11 * KITH_SEC));
    assert_int_equal(p.a.last_end.kind, KITH_END_UNREACHED);
    pair_down(&p);
}

static void who_answers_with_another_key_is_refused(void **state)
{
    struct pair p;
    struct kith_conn *c;
    struct kith_peer_id wrong = {{9}};

    (void)state;
    pair_up(&p, 8, NULL, NULL);
    struct kith_path path = {.local = *sim_host_addr(p.a.host), .remote = *sim_host_addr(p.b.host)};
    assert_int_equal(kith_quic_dial(p.a.quic, &path, &wrong, NULL, sim_net_now(p.net), &c),
                     KITH_OK);
    assert_true(run(&p, a_closed, 11 * KITH_SEC));
    assert_int_equal(p.a.last_end.kind, KITH_END_REFUSED);
    assert_int_equal(p.a.last_end.refusal, KITH_REFUSAL_PEER);
    assert_int_equal(p.a.seen[KITH_EV_refused_peer], 1);
    assert_int_equal(p.b.n_established, 0);
    pair_down(&p);
}

static void a_restarted_peer_answers_old_packets_with_a_stateless_reset(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 9, NULL, NULL);
    connect_pair(&p);
    assert_false(run(&p, NULL, KITH_SEC));
    conn_peer_restart(&p.b, NULL);
    say(&p, &p.a, "are you there, after all that has happened here?");
    assert_true(run(&p, a_closed, KITH_SEC));
    assert_int_equal(p.a.last_end.kind, KITH_END_RESET);
    pair_down(&p);
}

static void with_retry_the_handshake_still_succeeds(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 10, NULL, &(struct kith_quic_config){.always_retry = true});
    connect_pair(&p);
    assert_int_equal(kith_quic_counters(p.b.quic)->retries_sent, 2);
    pair_down(&p);
}

/* Which Initial of the dialling side to lose or delay. */
struct initial_filter {
    struct kith_addr from;
    unsigned seen, lose;
    bool swap;
};

static bool lose_nth(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                     uint8_t *data, size_t len)
{
    struct initial_filter *f = ctx;

    (void)to, (void)data, (void)len;
    if (!kith_addr_equal(from, &f->from))
        return true;
    return ++f->seen != f->lose;
}

static void either_initial_of_the_client_hello_may_be_lost(void **state)
{
    (void)state;
    for (unsigned lost = 1; lost <= 2; lost++) {
        struct pair p;
        pair_up(&p, 20 + lost, NULL, NULL);
        struct initial_filter f = {.from = *sim_host_addr(p.a.host), .lose = lost};
        sim_net_set_filter(p.net, lose_nth, &f);
        connect_pair(&p);
        pair_down(&p);
    }
}

static void the_second_initial_may_overtake_the_first(void **state)
{
    struct pair p;
    uint64_t held = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        pair_up(&p, seed,
                &(struct sim_link){
                    .delay = 10 * KITH_MSEC, .reorder_ppm = 400000, .reorder_by = 5 * KITH_MSEC},
                NULL);
        kith_time start = sim_net_now(p.net);
        connect_pair(&p);
        held += kith_quic_counters(p.b.quic)->initials_held;
        assert_true(sim_net_now(p.net) - start < KITH_SEC);
        pair_down(&p);
    }
    assert_true(held > 0);
}

static bool b_moved(void *ctx)
{
    return ((struct pair *)ctx)->b.n_moved > 0;
}

static bool a_moved(void *ctx)
{
    return ((struct pair *)ctx)->a.n_moved > 0;
}

static void a_nat_rebinding_of_the_dialling_side_is_followed(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 11, NULL, NULL);
    connect_pair(&p);
    assert_false(run(&p, NULL, KITH_SEC));
    sim_host_rebind(p.a.host, "198.51.100.7:4242");
    say(&p, &p.a, "from elsewhere");
    assert_true(run(&p, b_moved, KITH_SEC));
    assert_int_equal(kith_conn_path(p.b.established[0])->remote.port, 4242);
    uint64_t before = p.a.datagrams;
    say(&p, &p.b, "found you");
    assert_false(run(&p, NULL, KITH_SEC));
    assert_int_equal(p.a.datagrams, before + 1);
    pair_down(&p);
}

static void a_nat_rebinding_of_the_accepting_side_is_followed(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 12, NULL, NULL);
    connect_pair(&p);
    assert_false(run(&p, NULL, KITH_SEC));
    sim_host_rebind(p.b.host, "198.51.100.9:777");
    for (int i = 0; i < 5; i++) {
        say(&p, &p.b, "from elsewhere");
        assert_false(run(&p, NULL, 5 * KITH_MSEC));
    }
    assert_true(run(&p, a_moved, KITH_SEC));
    assert_int_equal(kith_conn_path(p.a.established[0])->remote.port, 777);
    uint64_t before = p.b.datagrams;
    say(&p, &p.a, "found you");
    assert_false(run(&p, NULL, KITH_SEC));
    assert_int_equal(p.b.datagrams, before + 1);
    pair_down(&p);
}

static void the_dialling_side_moves_fifty_times(void **state)
{
    struct pair p;
    char addr[64];

    (void)state;
    pair_up(&p, 13, NULL, NULL);
    connect_pair(&p);
    assert_false(run(&p, NULL, KITH_SEC));
    for (int i = 0; i < 50; i++) {
        snprintf(addr, sizeof addr, "203.0.113.%d:9000", 1 + i % 3);
        sim_host_move(p.a.host, addr);
        struct kith_path path = {.local = *sim_host_addr(p.a.host),
                                 .remote = *sim_host_addr(p.b.host)};
        assert_int_equal(kith_conn_migrate(p.a.established[0], &path, sim_net_now(p.net)), KITH_OK);
        assert_false(run(&p, NULL, 500 * KITH_MSEC));
        uint64_t before = p.b.datagrams;
        say(&p, &p.a, "still here");
        say(&p, &p.b, "so am I");
        assert_false(run(&p, NULL, 200 * KITH_MSEC));
        assert_int_equal(p.b.datagrams, before + 1);
        assert_int_equal(p.a.datagrams, (uint64_t)i + 1);
        assert_true(
            kith_addr_equal(&kith_conn_path(p.b.established[0])->remote, sim_host_addr(p.a.host)));
    }
    pair_down(&p);
}

static void a_stream_the_peer_does_not_read_stops_at_its_window(void **state)
{
    struct pair p;
    uint8_t piece[4096] = {0};
    size_t queued = 0;
    int64_t id;

    (void)state;
    pair_up(&p, 14, NULL, NULL);
    p.b.unread = true;
    connect_pair(&p);
    assert_int_equal(kith_conn_stream_open(p.a.established[0], &id), KITH_OK);
    for (int i = 0; i < 400; i++) { /* less than the idle time-out */
        if (kith_conn_stream_send(p.a.established[0], id, (struct kith_span){piece, sizeof piece},
                                  false) == KITH_OK)
            queued += sizeof piece;
        else
            assert_false(run(&p, NULL, 50 * KITH_MSEC));
        if (queued > KITH_STREAM_RX_MAX + KITH_STREAM_TX_MAX)
            break;
    }
    assert_true(queued <= KITH_STREAM_RX_MAX + KITH_STREAM_TX_MAX);
    assert_true(queued >= KITH_STREAM_RX_MAX);
    pair_down(&p);
}

static void random_bytes_are_counted_and_dropped(void **state)
{
    struct pair p;
    uint8_t noise[1400];

    (void)state;
    pair_up(&p, 15, NULL, NULL);
    for (int i = 0; i < 2000; i++) {
        size_t len = 1 + (size_t)kith_random_below(sim_net_random(p.net), sizeof noise - 1);
        kith_random_fill(sim_net_random(p.net), noise, len);
        struct kith_rx rx = {.path = {.remote = *sim_host_addr(p.a.host)},
                             .data = noise,
                             .len = len,
                             .segment = len};
        kith_quic_receive(p.b.quic, &rx, sim_net_now(p.net));
    }
    assert_false(run(&p, NULL, KITH_SEC));
    assert_int_equal(kith_quic_connections(p.b.quic), 0);
    assert_int_equal(kith_quic_counters(p.b.quic)->datagrams_in, 2000);
    connect_pair(&p);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_peers_prove_their_keys_in_two_round_trips),
        cmocka_unit_test(a_stream_carries_a_megabyte_both_ways_over_a_lossy_link),
        cmocka_unit_test(a_datagram_arrives_whole_and_too_big_a_one_is_refused),
        cmocka_unit_test(the_path_mtu_is_found_so_that_1400_byte_packets_fit),
        cmocka_unit_test(a_close_reaches_the_peer_with_its_code_and_text),
        cmocka_unit_test(silence_ends_a_connection_at_the_idle_timeout),
        cmocka_unit_test(a_dial_into_silence_ends_unreached),
        cmocka_unit_test(who_answers_with_another_key_is_refused),
        cmocka_unit_test(a_restarted_peer_answers_old_packets_with_a_stateless_reset),
        cmocka_unit_test(with_retry_the_handshake_still_succeeds),
        cmocka_unit_test(either_initial_of_the_client_hello_may_be_lost),
        cmocka_unit_test(the_second_initial_may_overtake_the_first),
        cmocka_unit_test(a_nat_rebinding_of_the_dialling_side_is_followed),
        cmocka_unit_test(a_nat_rebinding_of_the_accepting_side_is_followed),
        cmocka_unit_test(the_dialling_side_moves_fifty_times),
        cmocka_unit_test(a_stream_the_peer_does_not_read_stops_at_its_window),
        cmocka_unit_test(random_bytes_are_counted_and_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
