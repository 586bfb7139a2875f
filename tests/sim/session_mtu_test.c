/* A path whose MTU shrinks without a word, and grows again, under what sessions carry. What is too
 * large vanishes; everything else arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/session_peer.h"
#include "wire/kinds.h"

enum { LARGE = 1400, SMALL = 100, STEP = 5 };

struct pair {
    struct sim_net *net;
    struct session_peer a, b;
    struct session_peer *both[2];
    size_t limit[2]; /* bytes of a datagram from either that get through; 0: all */
    uint64_t swallowed;
    uint64_t plane;  /* packets of the second plane that went by */
    uint64_t probes; /* datagrams of 1200 bytes: nothing else has that size here */
};

static bool narrow(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                   uint8_t *data, size_t len)
{
    struct pair *p = ctx;
    size_t limit = p->limit[kith_addr_equal(from, sim_host_addr(p->b.host))];

    (void)to;
    p->probes += len == 1200;
    if (limit == 0 || len <= limit) {
        p->plane += data[0] == 0x30;
        return true;
    }
    p->swallowed++;
    return false;
}

static void wait_for(struct pair *p, kith_dur d)
{
    assert_false(session_peers_run(p->both, 2, NULL, p, d));
}

static bool both_up(void *ctx)
{
    struct pair *p = ctx;

    return p->a.ups > 0 && p->b.ups > 0;
}

/* Up, and long enough for QUIC to have found what the path takes. Odd seeds have BBR, as nodes
 * have, and even ones CUBIC. */
static void pair_up(struct pair *p, uint64_t seed, uint64_t capabilities,
                    const struct sim_link *link)
{
    const struct kith_quic_config quic = {.congestion =
                                              seed % 2 == 1 ? KITH_CC_BBR : KITH_CC_CUBIC};

    memset(p, 0, sizeof *p);
    p->net = sim_net_new(seed);
    sim_net_default_link(p->net, &(struct sim_link){.delay = link->delay});
    sim_net_set_filter(p->net, narrow, p);
    session_peer_init_with(&p->a, p->net, "192.0.2.1:9000", 1, &quic);
    session_peer_init_with(&p->b, p->net, "192.0.2.2:9000", 2, &quic);
    p->a.capabilities = p->b.capabilities = capabilities;
    p->a.reads = p->b.reads = true;
    session_peer_restart(&p->a);
    session_peer_restart(&p->b);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
    session_peer_want(&p->a, &p->b);
    assert_true(session_peers_run(p->both, 2, both_up, p, 10 * KITH_SEC));
    wait_for(p, 5 * KITH_SEC);
    sim_net_default_link(p->net, link);
}

static void pair_down(struct pair *p)
{
    session_peer_fini(&p->a);
    session_peer_fini(&p->b);
    sim_net_free(p->net);
}

static struct kith_session *to(struct pair *p, size_t i)
{
    return session_peer_to(p->both[i], p->both[1 - i]);
}

static size_t datagram_max(struct pair *p, size_t i)
{
    struct kith_session_info info;

    kith_session_info(to(p, i), &info);
    return info.datagram_max;
}

static void send(struct pair *p, size_t i, size_t len)
{
    static const uint8_t bytes[LARGE];
    const struct kith_parts packet = {.head = {bytes, 40}, .body = {bytes + 40, len - 40}};

    (void)kith_session_send_packets(to(p, i), &p->both[i]->batch, 0, &packet, 1,
                                    sim_net_now(p->net));
}

/* For `d`, each side in `mask` sends a large and a small packet every 5 ms. */
static void talk(struct pair *p, unsigned mask, kith_dur d)
{
    for (kith_dur t = 0; t < d; t += STEP * KITH_MSEC) {
        for (size_t i = 0; i < 2; i++)
            if ((mask & 1u << i) != 0) {
                send(p, i, LARGE);
                send(p, i, SMALL);
            }
        wait_for(p, STEP * KITH_MSEC);
    }
}

static unsigned holes(const struct pair *p)
{
    return p->a.seen[KITH_EV_path_narrowed] + p->b.seen[KITH_EV_path_narrowed];
}

static void nothing_was_interrupted(struct pair *p)
{
    assert_int_equal(p->a.downs + p->b.downs, 0);
    assert_int_equal(p->a.ups + p->b.ups, 2);
    assert_int_equal(p->a.moves + p->b.moves, 0);
}

/* The longest time without a large packet from `i` in `d` from now on. */
static kith_dur longest_gap(struct pair *p, unsigned mask, size_t i, kith_dur d)
{
    kith_dur longest = 0;
    kith_time last = sim_net_now(p->net);

    for (kith_dur t = 0; t < d; t += STEP * KITH_MSEC) {
        uint64_t before = p->both[1 - i]->large_packets;
        talk(p, mask, STEP * KITH_MSEC);
        if (p->both[1 - i]->large_packets == before)
            continue;
        kith_dur gap = p->both[1 - i]->large_at - last;
        longest = gap > longest ? gap : longest;
        last = p->both[1 - i]->large_at;
    }
    kith_dur gap = sim_net_now(p->net) - last;
    return gap > longest ? gap : longest;
}

/* ---- packets ---- */

static void shrink_under_packets(uint64_t seed, uint64_t capabilities, kith_dur delay,
                                 unsigned mask, unsigned loss_ppm, kith_dur promised)
{
    struct pair p;

    pair_up(&p, seed, capabilities,
            &(struct sim_link){.delay = delay, .rate = 100000000, .loss_ppm = loss_ppm});
    talk(&p, 3, 2 * KITH_SEC);
    assert_true(datagram_max(&p, 0) > LARGE && datagram_max(&p, 1) > LARGE);
    const uint64_t small = p.b.packets - p.b.large_packets;
    for (size_t i = 0; i < 2; i++)
        p.limit[i] = (mask & 1u << i) != 0 ? 1300 : 0;
    kith_dur gap = longest_gap(&p, 3, (mask & 1) != 0 ? 0 : 1, 5 * KITH_SEC);
    printf(
        "%s, plane %d, rtt %llu ms, directions %u, loss %u ppm: %llu ms without a large packet\n",
        seed % 2 == 1 ? "BBR" : "CUBIC", capabilities != 0,
        (unsigned long long)(2 * delay / KITH_MSEC), mask, loss_ppm,
        (unsigned long long)(gap / KITH_MSEC));
    assert_true(gap < promised);
    assert_true(gap > 100 * KITH_MSEC); /* there was a hole */
    for (size_t i = 0; i < 2; i++) {
        const bool fell = datagram_max(&p, i) == 1252 - 32;
        assert_int_equal(fell, (mask & 1u << i) != 0);
        assert_int_equal(p.both[i]->seen[KITH_EV_path_narrowed], fell);
    }
    if (loss_ppm == 0 && capabilities != 0) /* what is small, and behind no window, never noticed */
        assert_in_range(p.b.packets - p.b.large_packets - small, 990, 1010);
    if (loss_ppm == 0 && capabilities != 0) { /* the plane is not blamed: four packets and pieces */
        uint64_t before = p.plane;
        talk(&p, 3, KITH_SEC);
        assert_true(p.plane - before >= 780);
    }
    nothing_was_interrupted(&p);
    pair_down(&p);
}

static void large_packets_go_again_by_either_plane(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned mask = 1; mask <= 3; mask++)
        for (uint64_t can = 0; can < 4; can++) {
            uint64_t capabilities = can / 2 == 1 ? KITH_CAP_PLANE : 0;
            shrink_under_packets(seed, capabilities, 1 * KITH_MSEC, mask, 0, 2 * KITH_SEC);
            shrink_under_packets(seed, capabilities, 25 * KITH_MSEC, mask, 0, 2500 * KITH_MSEC);
            shrink_under_packets(seed++, capabilities, 150 * KITH_MSEC, mask, 0, 3200 * KITH_MSEC);
        }
}

static void loss_beside_the_hole_costs_little_more(void **state)
{
    (void)state;
    for (uint64_t can = 0; can < 2; can++) {
        shrink_under_packets(30 + can, can ? KITH_CAP_PLANE : 0, 10 * KITH_MSEC, 3, 10000,
                             2500 * KITH_MSEC);
        shrink_under_packets(32 + can, can ? KITH_CAP_PLANE : 0, 10 * KITH_MSEC, 3, 100000,
                             3 * KITH_SEC);
    }
}

/* As a TCP whose first window vanished: ten packets, then one after 0.2, 0.6 and 1.4 s. */
static void the_few_packets_of_one_that_waits_are_enough(void **state)
{
    static const kith_dur at[] = {200 * KITH_MSEC, 400 * KITH_MSEC, 800 * KITH_MSEC,
                                  1600 * KITH_MSEC};

    (void)state;
    for (uint64_t can = 0; can < 2; can++) {
        struct pair p;
        pair_up(&p, 40 + can, can ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 15 * KITH_MSEC});
        talk(&p, 1, KITH_SEC);
        wait_for(&p, 5 * KITH_SEC);
        p.limit[0] = 1300;
        uint64_t before = p.b.large_packets;
        for (int i = 0; i < 10; i++)
            send(&p, 0, LARGE);
        for (size_t i = 0; i < KITH_COUNT(at); i++) {
            wait_for(&p, at[i]);
            send(&p, 0, LARGE);
        }
        wait_for(&p, 100 * KITH_MSEC);
        assert_int_equal(p.b.large_packets - before, 1); /* the one after 3 s */
        nothing_was_interrupted(&p);
        pair_down(&p);
    }
}

/* What was on its way when the path shrank is acknowledged later than the whole window left that is
 * lost; and who lost it sends nothing any more. */
static void a_window_that_vanished_is_enough(void **state)
{
    (void)state;
    for (uint64_t can = 0; can < 4; can++) {
        struct pair p;
        pair_up(&p, 44 + can % 2, can / 2 == 1 ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 15 * KITH_MSEC});
        talk(&p, 1, KITH_SEC);
        p.limit[0] = 1300;
        for (int i = 0; i < 50; i++)
            send(&p, 0, LARGE);
        wait_for(&p, 2 * KITH_SEC);
        assert_in_range(datagram_max(&p, 0), 1200 - 32, 1300 - 32);
        nothing_was_interrupted(&p);
        pair_down(&p);
    }
}

static void bursts_that_arrive_are_never_in_doubt(void **state)
{
    (void)state;
    for (uint64_t can = 0; can < 4; can++) {
        struct pair p;
        pair_up(&p, 46 + can % 2, can / 2 == 1 ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 15 * KITH_MSEC});
        talk(&p, 1, KITH_SEC); /* the plane is tried meanwhile */
        wait_for(&p, 3 * KITH_SEC);
        p.probes = 0;
        for (int burst = 1; burst < 30; burst++) {
            for (int i = 0; i < burst; i++)
                send(&p, 0, LARGE);
            wait_for(&p, (kith_dur)(burst % 4 + 1) * 400 * KITH_MSEC);
        }
        assert_int_equal(p.probes, 0);
        assert_int_equal(holes(&p), 0);
        pair_down(&p);
    }
}

static void only_small_packets_never_find_out(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 50, KITH_CAP_PLANE, &(struct sim_link){.delay = 15 * KITH_MSEC});
    p.limit[0] = p.limit[1] = 1300;
    uint64_t before = p.b.packets;
    for (int i = 0; i < 2000; i++) {
        send(&p, 0, SMALL);
        wait_for(&p, 5 * KITH_MSEC);
    }
    wait_for(&p, 100 * KITH_MSEC);
    assert_int_equal(p.b.packets - before, 2000);
    assert_int_equal(p.swallowed, 0);
    assert_int_equal(holes(&p), 0);
    pair_down(&p);
}

/* ---- growing again ---- */

static void what_grows_again_is_found_within_a_minute_of_traffic(void **state)
{
    (void)state;
    for (uint64_t can = 0; can < 2; can++) {
        struct pair p;
        pair_up(&p, 60 + can, can ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 10 * KITH_MSEC});
        size_t full = datagram_max(&p, 0);
        p.limit[0] = p.limit[1] = 1300;
        talk(&p, 3, 10 * KITH_SEC);
        assert_int_equal(datagram_max(&p, 0), 1252 - 32);
        p.limit[0] = p.limit[1] = 0;
        uint64_t before = p.b.large_packets;
        talk(&p, 3, 60 * KITH_SEC);
        assert_int_equal(datagram_max(&p, 0), full);
        assert_int_equal(datagram_max(&p, 1), full);
        assert_in_range(p.b.large_packets - before, 11990, 12010); /* and none was lost for it */
        assert_int_equal(holes(&p), 2);
        nothing_was_interrupted(&p);
        pair_down(&p);
    }
}

static void who_is_silent_seeks_nothing(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 65, KITH_CAP_PLANE, &(struct sim_link){.delay = 10 * KITH_MSEC});
    p.limit[0] = p.limit[1] = 1300;
    talk(&p, 3, 10 * KITH_SEC);
    p.swallowed = 0;
    wait_for(&p, 600 * KITH_SEC);
    assert_in_range(p.swallowed, 0, 2 * 4); /* what was owed to the traffic before */
    pair_down(&p);
}

/* For `d`, packets as large as go in one piece; how many did not arrive. */
static uint64_t lost_of_the_largest(struct pair *p, kith_dur d)
{
    uint64_t sent = 0, before = p->b.packets;

    for (kith_dur t = 0; t < d; t += STEP * KITH_MSEC) {
        size_t most = datagram_max(p, 0) - 2;
        send(p, 0, most < LARGE ? most : LARGE);
        sent++;
        wait_for(p, STEP * KITH_MSEC);
    }
    wait_for(p, 100 * KITH_MSEC);
    return before + sent - p->b.packets;
}

static void it_may_shrink_again_and_again(void **state)
{
    static const size_t limits[] = {1430, 1300, 1420, 1210};

    (void)state;
    for (uint64_t can = 0; can < 2; can++) {
        struct pair p;
        pair_up(&p, 66 + can, can ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 10 * KITH_MSEC});
        for (size_t i = 0; i < KITH_COUNT(limits); i++) {
            p.limit[0] = p.limit[1] = limits[i];
            (void)lost_of_the_largest(&p, 5 * KITH_SEC);
            assert_true(datagram_max(&p, 0) + 32 <= limits[i]);
            assert_int_equal(lost_of_the_largest(&p, 60 * KITH_SEC), 0); /* and grow meanwhile */
        }
        assert_int_equal(p.a.seen[KITH_EV_path_narrowed], 3);
        nothing_was_interrupted(&p);
        pair_down(&p);
    }
}

/* ---- streams ---- */

struct transfer {
    struct pair *p;
    struct kith_conn *conn[2];
    int64_t id[2];
    uint64_t sent[2], want, hash;
    kith_time last_at[2];
    kith_dur longest[2];
    uint64_t seen[2];
};

enum { PIECE = 8192 };

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

static void fill(struct transfer *t, size_t i)
{
    uint8_t piece[PIECE];

    while (t->sent[i] < t->want && kith_conn_stream_room(t->conn[i], t->id[i]) >= sizeof piece) {
        for (size_t k = 0; k < sizeof piece; k++)
            piece[k] = byte_at(t->sent[i] + k);
        if (kith_conn_stream_send(t->conn[i], t->id[i], KITH_SPAN_OF(piece), false) < 0)
            abort();
        t->sent[i] += sizeof piece;
    }
}

/* Both sides send `want` bytes to each other; whether all of them have come. */
static bool step(void *ctx)
{
    struct transfer *t = ctx;
    kith_time now = sim_net_now(t->p->net);
    bool all = true;

    for (size_t i = 0; i < 2; i++) {
        const struct session_peer *taker = t->p->both[1 - i];
        if (taker->stream_bytes != t->seen[i]) {
            kith_dur gap = now - t->last_at[i];
            t->longest[i] = gap > t->longest[i] ? gap : t->longest[i];
            t->last_at[i] = now;
            t->seen[i] = taker->stream_bytes;
        }
        fill(t, i);
        all = all && taker->stream_bytes == t->want;
    }
    return all;
}

static void transfer_begin(struct transfer *t, struct pair *p, uint64_t want)
{
    *t = (struct transfer){.p = p, .want = want};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            kith_session_open_stream(to(p, i), KITH_STREAM_ENROL, &t->conn[i], &t->id[i]), KITH_OK);
        t->last_at[i] = sim_net_now(p->net);
        p->both[i]->stream_bytes = 0;
        p->both[i]->stream_hash = 0;
    }
    for (uint64_t k = 0; k < want; k++)
        t->hash = (t->hash ^ byte_at(k)) * 0x100000001b3u;
}

static void a_stream_goes_on_and_loses_nothing(void **state)
{
    (void)state;
    for (unsigned mask = 1; mask <= 3; mask += 2)
        for (uint64_t seed = 70; seed < 76; seed++) {
            struct pair p;
            struct transfer t;
            kith_dur delay = (seed / 2 - 34) * 15 * KITH_MSEC;
            pair_up(&p, seed, 0, &(struct sim_link){.delay = delay, .rate = 20000000});
            transfer_begin(&t, &p, 12 * 1024 * 1024 / PIECE * PIECE);
            assert_false(session_peers_run(p.both, 2, step, &t, 2 * KITH_SEC));
            for (size_t i = 0; i < 2; i++)
                p.limit[i] = (mask & 1u << i) != 0 ? 1300 : 0;
            t.longest[0] = t.longest[1] = 0;
            assert_true(session_peers_run(p.both, 2, step, &t, 120 * KITH_SEC));
            printf("%s, stream, rtt %llu ms, directions %u: gaps of %llu and %llu ms\n",
                   seed % 2 == 1 ? "BBR" : "CUBIC", (unsigned long long)(2 * delay / KITH_MSEC),
                   mask, (unsigned long long)(t.longest[0] / KITH_MSEC),
                   (unsigned long long)(t.longest[1] / KITH_MSEC));
            assert_true(t.longest[0] < 2500 * KITH_MSEC && t.longest[1] < 2500 * KITH_MSEC);
            assert_true(p.a.stream_hash == t.hash && p.b.stream_hash == t.hash);
            assert_int_equal(holes(&p), mask == 3 ? 2 : 1);
            nothing_was_interrupted(&p);
            pair_down(&p);
        }
}

/* ---- what is no hole ---- */

static void no_loss_is_taken_for_a_hole(void **state)
{
    static const unsigned percent[] = {1, 5, 12, 25};
    const uint64_t seed = 80;

    (void)state;
    for (uint64_t can = 0; can < 4; can++)
        for (size_t i = 0; i < KITH_COUNT(percent); i++) {
            struct pair p;
            pair_up(&p, seed + can % 2, can / 2 == 1 ? KITH_CAP_PLANE : 0,
                    &(struct sim_link){
                        .delay = 20 * KITH_MSEC, .rate = 50000000, .loss_ppm = percent[i] * 10000});
            talk(&p, 3, 30 * KITH_SEC);
            assert_int_equal(holes(&p), 0);
            assert_true(p.b.large_packets > 500);
            pair_down(&p);
        }
}

/* Five times as much as goes: the queue drops what does not fit, large ones first. */
static void no_congestion_is_taken_for_a_hole(void **state)
{
    const uint64_t seed = 95;

    (void)state;
    for (uint64_t can = 0; can < 4; can++)
        for (size_t queue = 8000; queue <= 256000; queue *= 32) {
            struct pair p;
            pair_up(&p, seed + can % 2, can / 2 == 1 ? KITH_CAP_PLANE : 0,
                    &(struct sim_link){.delay = 20 * KITH_MSEC, .rate = 500000, .queue = queue});
            talk(&p, 3, 30 * KITH_SEC);
            assert_int_equal(holes(&p), 0);
            pair_down(&p);
        }
}

static void a_path_that_is_dead_for_a_while_is_no_narrower_after(void **state)
{
    (void)state;
    for (uint64_t can = 0; can < 2; can++) {
        struct pair p;
        pair_up(&p, 99 + can, can ? KITH_CAP_PLANE : 0,
                &(struct sim_link){.delay = 20 * KITH_MSEC});
        for (int i = 0; i < 10; i++) {
            talk(&p, 3, 2 * KITH_SEC);
            sim_net_default_link(p.net, &(struct sim_link){.cut = true});
            talk(&p, 3, (kith_dur)(i % 5 + 1) * 300 * KITH_MSEC);
            sim_net_default_link(p.net, &(struct sim_link){.delay = 20 * KITH_MSEC});
        }
        talk(&p, 3, 5 * KITH_SEC);
        assert_int_equal(holes(&p), 0);
        pair_down(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_packets_go_again_by_either_plane),
        cmocka_unit_test(loss_beside_the_hole_costs_little_more),
        cmocka_unit_test(the_few_packets_of_one_that_waits_are_enough),
        cmocka_unit_test(a_window_that_vanished_is_enough),
        cmocka_unit_test(bursts_that_arrive_are_never_in_doubt),
        cmocka_unit_test(only_small_packets_never_find_out),
        cmocka_unit_test(what_grows_again_is_found_within_a_minute_of_traffic),
        cmocka_unit_test(who_is_silent_seeks_nothing),
        cmocka_unit_test(it_may_shrink_again_and_again),
        cmocka_unit_test(a_stream_goes_on_and_loses_nothing),
        cmocka_unit_test(no_loss_is_taken_for_a_hole),
        cmocka_unit_test(no_congestion_is_taken_for_a_hole),
        cmocka_unit_test(a_path_that_is_dead_for_a_while_is_no_narrower_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
