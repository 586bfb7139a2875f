/* What connections find that a link carries (conn/delivery.h), by QUIC and by the second plane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conn/quic/internal.h"
#include "sim/conn_peer.h"

enum { PACKET = 1160 };

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    size_t writable; /* of a, when it sent last */
};

static bool both_established(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.n_established == 1 && p->b.n_established == 1;
}

static void wait_for(struct pair *p, kith_dur d)
{
    assert_false(conn_peers_run(p->both, 2, NULL, NULL, d));
}

static void pair_up(struct pair *p, uint64_t seed, const struct sim_link *link,
                    enum kith_congestion cc)
{
    const struct kith_quic_config cfg = {.congestion = cc};

    memset(p, 0, sizeof *p);
    p->net = sim_net_new(seed);
    sim_net_default_link(p->net, link);
    conn_peer_init(&p->a, p->net, "192.0.2.1:9000", 1, &cfg);
    conn_peer_init(&p->b, p->net, "192.0.2.2:9000", 2, &cfg);
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

static uint64_t kbits(const struct conn_peer *p)
{
    struct kith_conn_stats stats;

    kith_conn_stats(p->established[0], &stats);
    return stats.rate / 1000;
}

static bool say(struct pair *p, size_t n)
{
    static const uint8_t bytes[PACKET];
    const struct kith_span s = {bytes, n};

    return kith_conn_packet_send(p->a.established[0], &p->a.batch, &s, 1, 0, sim_net_now(p->net)) ==
           KITH_OK;
}

static bool is_writable(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.writable != p->writable;
}

/* Sends as much as congestion control lets it. */
static void fill(struct pair *p, kith_dur d)
{
    const kith_time until = sim_net_now(p->net) + d;

    while (sim_net_now(p->net) < until) {
        p->writable = p->a.writable;
        while (say(p, PACKET))
            continue;
        kith_conn_burst_end(p->a.established[0], sim_net_now(p->net));
        (void)conn_peers_run(p->both, 2, is_writable, p, KITH_SEC);
    }
}

/* Sends `n` bytes each `every`, however many arrive. */
static void drip(struct pair *p, size_t n, kith_dur every, kith_dur d)
{
    for (kith_dur t = 0; t < d; t += every) {
        (void)say(p, n);
        kith_conn_burst_end(p->a.established[0], sim_net_now(p->net));
        wait_for(p, every);
    }
}

static void quic_finds_what_the_link_carries(void **state)
{
    static const uint64_t mbits[] = {1, 10, 50};
    static const enum kith_congestion cc[] = {KITH_CC_BBR, KITH_CC_CUBIC};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(mbits) * KITH_COUNT(cc); i++) {
        const uint64_t rate = mbits[i / 2] * 1000;
        struct pair p;
        pair_up(&p, 20 + i, &(struct sim_link){.delay = 10 * KITH_MSEC, .rate = rate * 1000},
                cc[i % 2]);
        fill(&p, 6 * KITH_SEC);
        print_message("%s: %llu of %llu kbit/s\n", i % 2 == 0 ? "BBR" : "CUBIC",
                      (unsigned long long)kbits(&p.a), (unsigned long long)rate);
        assert_in_range(kbits(&p.a), rate * 3 / 4, rate * 5 / 4);
        assert_int_equal(kbits(&p.b), 0); /* it said nothing but that it heard */
        pair_down(&p);
    }
}

static void so_does_the_plane(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 30, &(struct sim_link){.delay = 10 * KITH_MSEC, .rate = 10000000}, KITH_CC_BBR);
    open_planes(&p);
    drip(&p, 1160, 10 * KITH_MSEC, KITH_SEC); /* a tenth of it */
    assert_int_equal(kbits(&p.a), 0);
    drip(&p, 1160, 900 * KITH_USEC, 3 * KITH_SEC); /* 192 bytes of 1192 more than it carries */
    print_message("%llu of 10000 kbit/s\n", (unsigned long long)kbits(&p.a));
    assert_in_range(kbits(&p.a), 9000, 11000);
    pair_down(&p);
}

static void who_carries_little_knows_no_rate(void **state)
{
    (void)state;
    for (uint64_t sealed = 0; sealed < 2; sealed++) {
        struct pair p;
        pair_up(&p, 40 + sealed, &(struct sim_link){.delay = 10 * KITH_MSEC, .rate = 50000000},
                KITH_CC_BBR);
        if (sealed)
            open_planes(&p);
        drip(&p, 1160, 5 * KITH_MSEC, 10 * KITH_SEC); /* 2 Mbit/s */
        drip(&p, 100, 500 * KITH_MSEC, 60 * KITH_SEC);
        assert_int_equal(kbits(&p.a), 0);
        pair_down(&p);
    }
}

static void a_rate_is_forgotten_while_nothing_fills_the_link(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 50, &(struct sim_link){.delay = 10 * KITH_MSEC, .rate = 10000000}, KITH_CC_BBR);
    fill(&p, 3 * KITH_SEC);
    drip(&p, 100, 5 * KITH_SEC, 240 * KITH_SEC);
    assert_true(kbits(&p.a) > 0);
    drip(&p, 100, 5 * KITH_SEC, 400 * KITH_SEC);
    assert_int_equal(kbits(&p.a), 0);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quic_finds_what_the_link_carries),
        cmocka_unit_test(so_does_the_plane),
        cmocka_unit_test(who_carries_little_knows_no_rate),
        cmocka_unit_test(a_rate_is_forgotten_while_nothing_fills_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
