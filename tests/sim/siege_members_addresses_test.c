/* A member's lies about addresses: where it is, and where it is seen to come from. Whoever is
 * really there must hear little of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/siege.h"

/* ---- a victim ---- */

struct victim {
    struct kith_ip ip;
    uint64_t datagrams, bytes;
};

static void on_victim(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct victim *v = ctx;

    (void)now;
    v->datagrams++;
    v->bytes += run->len;
}

/* The foe says that it is at sixteen ports of the victim, and goes. */
static void points_at(struct siege *s, struct victim *v)
{
    struct kith_addr addr[16];
    uint8_t object[HOME_OBJECT_MAX];
    char text[KITH_ADDR_TEXT];

    for (size_t i = 0; i < KITH_COUNT(addr); i++) {
        addr[i] = (struct kith_addr){.ip = v->ip, .port = (uint16_t)(1000 + i)};
        (void)sim_host_add(s->home.net, kith_addr_text(&addr[i], text, sizeof text), on_victim, v);
    }
    home_foe_pushes(&s->home, 0, object,
                    home_foe_endpoints(&s->home, addr, KITH_COUNT(addr),
                                       node_sim_now(&s->home.node[0]).wall, object));
    home_wait(&s->home, 2 * KITH_SEC);
    sim_host_power(s->home.foe.host, false);
}

static void sixteen_addresses_of_a_victim_bring_it_little(void **state)
{
    struct victim v = {.ip = kith_ip4(198, 51, 100, 99)};
    struct siege s;

    (void)state;
    siege_begin(&s, 501);
    points_at(&s, &v);
    home_wait(&s.home, 180 * KITH_SEC);     /* the session is missed after a minute */
    assert_true(v.datagrams > 16);          /* it is dialled, by two nodes */
    assert_true(v.bytes < 180 * 2 * 10000); /* 10 kB a second of each, at most, */
    v = (struct victim){.ip = v.ip};
    home_wait(&s.home, 3600 * KITH_SEC);
    assert_true(v.bytes < 3600 * 2 * 2000); /* and 2 kB later */
    siege_others_are_well(&s);
    siege_end(&s);
}

/* Many liars with one victim share what one of them may have it sent. */
static void many_that_point_at_one_victim_share_its_dials(void **state)
{
    enum { LIARS = 100, PER_SECOND = 8, AT_ONCE = 64 };
    struct kith_addr addr[16];
    struct siege s;

    (void)state;
    siege_begin(&s, 502);
    struct foe *dialler = &s.home.foe; /* all of the session layer: it dials as a node does */
    kith_time start = sim_net_now(s.home.net);
    const struct kith_session_counters *c = kith_sessions_counters(dialler->sessions);
    uint64_t before = c->dials;
    for (size_t i = 0; i < LIARS; i++) {
        struct kith_peer_id id = {{(uint8_t)(i + 1), 5}};
        struct kith_session *liar;
        for (size_t k = 0; k < KITH_COUNT(addr); k++)
            addr[k] = (struct kith_addr){.ip = kith_ip4(198, 51, 100, 99),
                                         .port = (uint16_t)(1000 + 16 * i + k)};
        assert_int_equal(kith_sessions_get(dialler->sessions, &id, start, &liar), KITH_OK);
        kith_session_set_addrs(liar, addr, KITH_COUNT(addr), start);
        kith_session_want(liar, true, start);
    }
    home_wait(&s.home, 30 * KITH_SEC);
    assert_true(c->dials - before >= AT_ONCE);
    assert_true(c->dials - before <= AT_ONCE + PER_SECOND * 31);
    assert_true(c->dials_held > 1000);
    /* who is elsewhere is dialled all the same */
    foe_dial(dialler, &s.home.node[1]);
    home_wait(&s.home, KITH_SEC);
    assert_true(foe_is_up(dialler, &s.home.node[1]));
    siege_end(&s);
}

/* ---- ourselves ---- */

static void a_member_that_says_it_is_where_we_are_makes_nobody_talk_to_itself(void **state)
{
    struct siege s;
    struct kith_addr addr[2];
    uint8_t object[HOME_OBJECT_MAX];

    (void)state;
    siege_begin(&s, 503);
    addr[0] = *sim_host_addr(s.home.node[0].host);
    addr[1] = *sim_host_addr(s.home.node[1].host);
    home_foe_pushes(
        &s.home, 0, object,
        home_foe_endpoints(&s.home, addr, 2, node_sim_now(&s.home.node[0]).wall, object));
    home_wait(&s.home, 2 * KITH_SEC);
    const struct kith_quic_counters *q = kith_node_quic_counters(s.home.node[0].node);
    uint64_t accepted = q->accepted, dialled = q->dialled;
    uint64_t refused = siege_told(&s, KITH_EV_refused_peer);
    sim_host_power(s.home.foe.host, false);
    home_wait(&s.home, 300 * KITH_SEC);
    assert_true(q->dialled > dialled); /* the desktop, which is not the foe */
    assert_true(siege_told(&s, KITH_EV_refused_peer) > refused);
    assert_true(q->accepted > accepted); /* the desktop thinks the same of us, */
    assert_true(q->accepted - accepted < q->dialled - dialled + 10); /* and no more come */
    siege_others_are_well(&s);
    siege_end(&s);
}

static size_t to_self;

static bool count_to_self(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                          uint8_t *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
    to_self += kith_addr_equal(from, to);
    return true;
}

static void our_own_address_is_never_dialled(void **state)
{
    struct siege s;
    struct kith_addr addr;
    uint8_t object[HOME_OBJECT_MAX], message[64];
    struct kith_add_address m = {.seq = 1};
    size_t len;

    (void)state;
    siege_begin(&s, 504);
    m.addr = addr = *sim_host_addr(s.home.node[0].host);
    assert_int_equal(kith_add_address_encode(&m, message, sizeof message, &len), KITH_OK);
    home_foe_says(&s.home, 0, message, len);
    home_foe_pushes(
        &s.home, 0, object,
        home_foe_endpoints(&s.home, &addr, 1, node_sim_now(&s.home.node[0]).wall, object));
    home_wait(&s.home, 2 * KITH_SEC);
    to_self = 0;
    sim_net_set_filter(s.home.net, count_to_self, NULL);
    sim_host_power(s.home.foe.host, false);
    home_wait(&s.home, 300 * KITH_SEC);
    assert_int_equal(to_self, 0);
    siege_end(&s);
}

/* ---- where it is seen ---- */

struct flow {
    const struct siege *s;
    uint64_t in, out;
};

static bool weigh(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct flow *f = ctx;
    const struct kith_addr *us = sim_host_addr(f->s->home.node[0].host);

    (void)data;
    if (kith_addr_equal(to, us) && from->ip.b[0] == 203)
        f->in += len;
    if (kith_addr_equal(from, us) && to->ip.b[0] == 203)
        f->out += len;
    return true;
}

static unsigned moves;

static void moves_and_speaks(struct siege *s)
{
    static const uint8_t later[40] = {0x80};
    char addr[40];

    if (moves++ % 5 == 0) {
        kith_format(addr, sizeof addr, "203.0.113.9:%u", 10000 + moves % 20000);
        sim_host_rebind(s->home.foe.host, addr);
    }
    if (moves % 5 < 2)
        siege_says(s, later, sizeof later, 1);
}

/* Twenty times a second its datagrams come from elsewhere, as behind a broken NAT. */
static void one_that_moves_all_the_time_is_not_told_everything_each_time(void **state)
{
    struct siege s;
    struct flow f = {.s = &s};

    (void)state;
    siege_begin(&s, 505);
    sim_net_set_filter(s.home.net, weigh, &f);
    moves = 0;
    unsigned before = siege_told(&s, KITH_EV_conn_moved);
    uint64_t rows = home_rows_written(&s.home, 0);
    size_t greeted = s.home.foe.controls[KITH_WIRE_membership];
    siege_goes_on(&s, moves_and_speaks, 60 * KITH_SEC);
    assert_true(f.out < f.in);
    assert_true(siege_told(&s, KITH_EV_conn_moved) > before + 100);
    assert_true(s.home.foe.controls[KITH_WIRE_membership] - greeted <= 8 + 30 + 1);
    assert_true(home_rows_written(&s.home, 0) - rows <= 8 + 30 + 1);
    siege_assert_still_there(&s); /* it may be honest */
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_addresses_of_a_victim_bring_it_little),
        cmocka_unit_test(many_that_point_at_one_victim_share_its_dials),
        cmocka_unit_test(a_member_that_says_it_is_where_we_are_makes_nobody_talk_to_itself),
        cmocka_unit_test(our_own_address_is_never_dialled),
        cmocka_unit_test(one_that_moves_all_the_time_is_not_told_everything_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
