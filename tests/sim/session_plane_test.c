/* Which plane carries a session's packets (docs/spec/plane.md), seen from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/session_peer.h"
#include "wire/kinds.h"

struct pair {
    struct sim_net *net;
    struct session_peer a, b;
    struct session_peer *both[2];
    uint64_t plane;          /* packets of the second plane that went by */
    kith_time last_plane_at; /* when the last did */
    bool block;              /* something on the way lets them vanish */
    bool block_from_b;       /* the same, one way only */
    unsigned piece, marked;  /* pieces seen, and a bit for each that meets congestion on the way */
    const struct session_peer *holds; /* what it says behind the handshake is kept back */
    struct held {
        size_t n;
        uint8_t data[2048];
    } held[16];
    size_t n_held;
};

static bool watch(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    (void)to;
    if (p->holds != NULL && p->a.seen[KITH_EV_conn_opened] > 0 &&
        kith_addr_equal(from, sim_host_addr(p->holds->host))) {
        assert_true(p->n_held < KITH_COUNT(p->held) && len <= sizeof p->held[0].data);
        p->held[p->n_held].n = len;
        memcpy(p->held[p->n_held++].data, data, len);
        return false;
    }
    if (data[0] != 0x30)
        return true;
    p->plane++;
    p->last_plane_at = sim_net_now(p->net);
    if (len > 600 && (p->marked >> p->piece++ & 1) != 0)
        *sim_net_ecn(p->net) = 3;
    return !p->block && !(p->block_from_b && kith_addr_equal(from, sim_host_addr(p->b.host)));
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

static void pair_begin(struct pair *p, uint64_t seed, uint64_t a_can, uint64_t b_can)
{
    memset(p, 0, sizeof *p);
    p->net = sim_net_new(seed);
    sim_net_default_link(p->net, &(struct sim_link){.delay = 10 * KITH_MSEC});
    sim_net_set_filter(p->net, watch, p);
    session_peer_init(&p->a, p->net, "192.0.2.1:9000", 1);
    session_peer_init(&p->b, p->net, "192.0.2.2:9000", 2);
    p->a.capabilities = a_can;
    p->b.capabilities = b_can;
    session_peer_restart(&p->a);
    session_peer_restart(&p->b);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
    session_peer_want(&p->a, &p->b);
}

static void pair_up(struct pair *p, uint64_t seed, uint64_t a_can, uint64_t b_can)
{
    pair_begin(p, seed, a_can, b_can);
    assert_true(session_peers_run(p->both, 2, both_up, p, 10 * KITH_SEC));
}

static void pair_down(struct pair *p)
{
    session_peer_fini(&p->a);
    session_peer_fini(&p->b);
    sim_net_free(p->net);
}

/* One packet each way every 10 ms for `d`; how many were taken. */
static uint64_t talk(struct pair *p, kith_dur d)
{
    static const uint8_t bytes[300];
    const struct kith_parts packet = {.head = {bytes, 40}, .body = {bytes + 40, 260}};
    uint64_t taken = 0;

    for (kith_dur t = 0; t < d; t += 10 * KITH_MSEC) {
        for (size_t i = 0; i < 2; i++) {
            struct kith_session *s = session_peer_to(p->both[i], p->both[1 - i]);
            taken += kith_session_send_packets(s, &p->both[i]->batch, 0, &packet, 1,
                                               sim_net_now(p->net));
        }
        wait_for(p, 10 * KITH_MSEC);
    }
    return taken;
}

static uint64_t heard(const struct pair *p)
{
    return p->a.packets + p->b.packets;
}

static void where_both_can_packets_go_by_the_plane(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 1, KITH_CAP_PLANE, KITH_CAP_PLANE);
    (void)talk(&p, 600 * KITH_MSEC);
    uint64_t plane = p.plane, before = heard(&p), taken = talk(&p, KITH_SEC);
    wait_for(&p, 100 * KITH_MSEC);
    assert_int_equal(taken, 200);
    assert_in_range(heard(&p) - before, 200, 202); /* two were on their way */
    assert_in_range(p.plane - plane, 200, 204);    /* reports among them */
    assert_true((kith_session_capabilities(session_peer_to(&p.a, &p.b)) & KITH_CAP_PLANE) != 0);
    pair_down(&p);
}

static void where_either_cannot_they_go_by_datagram_both_ways(void **state)
{
    (void)state;
    for (uint64_t who = 0; who < 3; who++) {
        struct pair p;
        pair_up(&p, 2 + who, who == 1 ? KITH_CAP_PLANE : 0, who == 2 ? KITH_CAP_PLANE : 0);
        uint64_t taken = talk(&p, 3 * KITH_SEC);
        wait_for(&p, 100 * KITH_MSEC);
        assert_int_equal(taken, 600);
        assert_int_equal(heard(&p), 600);
        assert_int_equal(p.plane, 0);
        pair_down(&p);
    }
}

/* Neither end hears QUIC either until it asks: all of it goes by the plane. */
static void what_blocks_the_plane_alone_costs_two_seconds_and_no_session(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 5, KITH_CAP_PLANE, KITH_CAP_PLANE);
    (void)talk(&p, KITH_SEC);
    p.block = true;
    (void)talk(&p, 100 * KITH_MSEC);
    (void)talk(&p, 2400 * KITH_MSEC);
    uint64_t before = heard(&p), plane = p.plane, taken = talk(&p, 5 * KITH_SEC);
    wait_for(&p, 100 * KITH_MSEC);
    assert_in_range(heard(&p) - before, taken, taken + 4);
    assert_int_equal(p.plane, plane);
    assert_int_equal(p.a.downs + p.b.downs, 0);
    assert_int_equal(p.a.ups + p.b.ups, 2);
    pair_down(&p);
}

/* What b says by the plane is lost, its reports of what a says among it. */
static void what_blocks_the_plane_one_way_costs_three_seconds_and_no_session(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 15, KITH_CAP_PLANE, KITH_CAP_PLANE);
    (void)talk(&p, KITH_SEC);
    p.block_from_b = true;
    (void)talk(&p, 3 * KITH_SEC);
    for (int i = 0; i < 20; i++) { /* and again after each rest, for less and less */
        uint64_t b = p.a.packets, a = p.b.packets, taken = talk(&p, 5 * KITH_SEC);
        wait_for(&p, 100 * KITH_MSEC);
        assert_in_range(p.a.packets - b, taken / 2, taken / 2 + 2);
        assert_in_range(p.b.packets - a, taken / 2, taken / 2 + 2);
    }
    assert_int_equal(p.a.downs + p.b.downs, 0);
    pair_down(&p);
}

/* In ten minutes: tries 30, 60, 120 and 240 s after one another, four probes each way. */
static void a_blocked_plane_is_tried_less_and_less_often(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 6, KITH_CAP_PLANE, KITH_CAP_PLANE);
    p.block = true;
    uint64_t taken = talk(&p, 600 * KITH_SEC);
    wait_for(&p, 100 * KITH_MSEC);
    assert_int_equal(heard(&p), taken); /* and none of it costs a packet */
    assert_int_equal(p.plane, 2 * 4 * 5);
    assert_int_equal(p.a.downs + p.b.downs, 0);
    p.block = false;
    (void)talk(&p, 480 * KITH_SEC); /* the rest after these */
    assert_true(p.last_plane_at + 20 * KITH_MSEC >= sim_net_now(p.net));
    pair_down(&p);
}

static void a_rebinding_of_either_side_interrupts_for_less_than_a_second(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 7, KITH_CAP_PLANE, KITH_CAP_PLANE);
    (void)talk(&p, KITH_SEC);
    for (size_t i = 0; i < 2; i++) {
        sim_host_rebind(p.both[i]->host, i == 0 ? "198.51.100.7:4242" : "198.51.100.8:777");
        (void)talk(&p, KITH_SEC);
        uint64_t before = heard(&p), plane = p.plane, taken = talk(&p, KITH_SEC);
        wait_for(&p, 100 * KITH_MSEC);
        assert_in_range(heard(&p) - before, taken, taken + 4);
        assert_true(p.plane - plane >= 190);
    }
    assert_int_equal(p.a.downs + p.b.downs, 0);
    pair_down(&p);
}

static void congestion_met_by_any_piece_was_met_by_the_packet(void **state)
{
    static const uint8_t bytes[3000];
    const struct kith_parts packet = {.head = {bytes, 40}, .body = {bytes + 40, sizeof bytes - 40}};
    struct pair p;

    (void)state;
    pair_up(&p, 8, KITH_CAP_PLANE, KITH_CAP_PLANE);
    (void)talk(&p, 5 * KITH_SEC);
    for (unsigned marked = 0; marked < 8; marked++) { /* three pieces */
        uint64_t before = p.b.packets;
        p.piece = 0;
        p.marked = marked;
        assert_int_equal(kith_session_send_packets(session_peer_to(&p.a, &p.b), &p.a.batch, 0,
                                                   &packet, 1, sim_net_now(p.net)),
                         1);
        wait_for(&p, 50 * KITH_MSEC);
        assert_int_equal(p.piece, 3);
        assert_int_equal(p.b.packets - before, 1);
        assert_int_equal(p.b.last_packet_len, sizeof bytes);
        assert_int_equal(p.b.last_marks.ecn, marked != 0 ? 3 : 0);
    }
    pair_down(&p);
}

static bool a_has_proved_b(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.seen[KITH_EV_conn_opened] > 0;
}

static bool b_has_greeted(void *ctx)
{
    const struct pair *p = ctx;

    return p->b.ups > 0;
}

/* One turn of `to` brings the hello of `of` and the end of the connection, as when that is being
 * stopped: then there is nothing to open the plane on, and nobody to say hello to. */
static void ends_with_its_hello(struct session_peer *of, struct session_peer *to, struct pair *p,
                                bool (*said)(void *ctx))
{
    p->holds = of;
    assert_true(session_peers_run(p->both, 2, said, p, 10 * KITH_SEC));
    kith_session_close(session_peer_to(of, to), KITH_CLOSE_SHUTDOWN, "", sim_net_now(p->net));
    wait_for(p, 5 * KITH_MSEC);
    p->holds = NULL;
    assert_int_equal(to->ups, 0);
    assert_true(p->n_held >= 2);
    for (size_t i = 0; i < p->n_held; i++) {
        const struct kith_rx one = {
            .path = {.local = *sim_host_addr(to->host), .remote = *sim_host_addr(of->host)},
            .data = p->held[i].data,
            .len = p->held[i].n,
            .segment = p->held[i].n};
        kith_sessions_receive(to->sessions, &one, sim_net_now(p->net));
    }
    wait_for(p, 10 * KITH_MSEC);
    assert_int_equal(to->seen[KITH_EV_conn_closed], 1);
    assert_int_equal(to->seen[KITH_EV_out_of_memory], 0);
    assert_int_equal(to->seen[KITH_EV_peer_broke_rules], 0);
}

static void who_is_dialled_and_left_with_the_hello_blames_neither_memory_nor_peer(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p, 9, KITH_CAP_PLANE, KITH_CAP_PLANE);
    ends_with_its_hello(&p.a, &p.b, &p, a_has_proved_b);
    pair_down(&p);
}

static void who_dials_and_is_left_with_the_hello_blames_neither_memory_nor_peer(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p, 9, KITH_CAP_PLANE, KITH_CAP_PLANE);
    ends_with_its_hello(&p.b, &p.a, &p, b_has_greeted);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_dialled_and_left_with_the_hello_blames_neither_memory_nor_peer),
        cmocka_unit_test(who_dials_and_is_left_with_the_hello_blames_neither_memory_nor_peer),
        cmocka_unit_test(where_both_can_packets_go_by_the_plane),
        cmocka_unit_test(where_either_cannot_they_go_by_datagram_both_ways),
        cmocka_unit_test(what_blocks_the_plane_alone_costs_two_seconds_and_no_session),
        cmocka_unit_test(what_blocks_the_plane_one_way_costs_three_seconds_and_no_session),
        cmocka_unit_test(a_blocked_plane_is_tried_less_and_less_often),
        cmocka_unit_test(congestion_met_by_any_piece_was_met_by_the_packet),
        cmocka_unit_test(a_rebinding_of_either_side_interrupts_for_less_than_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
