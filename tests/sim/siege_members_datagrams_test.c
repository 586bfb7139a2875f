/* A member's datagrams, by the hundred a second: such that mean nothing, fragments of every kind,
 * packets of others, questions and answers nobody asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/siege.h"
#include "wire/datagram.h"

enum { SLOT = 0, OTHER_SLOT = 9 }; /* the foe's number for the network, and one it never gave */

/* Four datagrams every 10 ms are 4,000 in a window of which 1,000 are no accident. */
enum { MANY = 4 };

/* ---- what means nothing ---- */

static void of_unknown_kinds(struct siege *s)
{
    static uint8_t bytes[40] = {4};

    bytes[0] = (uint8_t)(bytes[0] == 255 ? 4 : bytes[0] + 1);
    siege_datagrams(s, bytes, sizeof bytes, MANY);
}

static void datagrams_of_unknown_kinds_end_the_session_when_they_go_on(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 101);
    uint64_t before = siege_counters(&s)->bad_datagrams;
    siege_goes_on(&s, of_unknown_kinds, 55 * KITH_SEC);
    assert_int_equal(s.home.foe.downs, 0); /* not a moment before it is clear */
    siege_goes_on(&s, of_unknown_kinds, 10 * KITH_SEC);
    assert_true(siege_counters(&s)->bad_datagrams > before + 10000);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    siege_assert_may_come_back(&s);
    siege_end(&s);
}

static void a_burst_of_ten_thousand_bad_datagrams_is_forgiven(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 102);
    for (int i = 0; i < 2; i++) {
        siege_goes_on(&s, of_unknown_kinds, 12 * KITH_SEC);
        home_wait(&s.home, 120 * KITH_SEC);
    }
    assert_true(siege_told(&s, KITH_EV_peer_over_limit) >= 1);
    siege_assert_still_there(&s);
    siege_end(&s);
}

static void short_and_empty(struct siege *s)
{
    static const uint8_t one[] = {KITH_WIRE_ip_packet}, two[] = {KITH_WIRE_ip_packet, SLOT};
    static const uint8_t ping[] = {KITH_WIRE_ping, 0, 0}, pong[] = {KITH_WIRE_pong};

    siege_datagrams(s, one, 0, 1);
    siege_datagrams(s, one, sizeof one, 1);
    siege_datagrams(s, two, sizeof two, 1);
    siege_datagrams(s, ping, sizeof ping, 1);
    siege_datagrams(s, pong, sizeof pong, 1);
}

static void empty_and_short_datagrams_are_counted_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 103);
    uint64_t before = siege_counters(&s)->bad_datagrams, tun = s.home.node[0].tun_packets;
    siege_once(&s, short_and_empty);
    assert_int_equal(siege_counters(&s)->bad_datagrams, before + 5);
    assert_int_equal(s.home.node[0].tun_packets, tun);
    siege_goes_on(&s, short_and_empty, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    siege_end(&s);
}

static void under_a_foreign_slot(struct siege *s)
{
    static const uint8_t whole[60] = {KITH_WIRE_ip_packet, OTHER_SLOT, 0x45};
    static const uint8_t piece[60] = {KITH_WIRE_ip_fragment, OTHER_SLOT, 0, 1, 0, 2};
    static const uint8_t beyond[60] = {KITH_WIRE_ip_packet, 255, 0x45};

    siege_datagrams(s, whole, sizeof whole, 2);
    siege_datagrams(s, piece, sizeof piece, 2);
    siege_datagrams(s, beyond, sizeof beyond, 1);
}

static void packets_for_networks_it_did_not_name_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 104);
    uint64_t tun = s.home.node[0].tun_packets;
    siege_once(&s, under_a_foreign_slot);
    assert_int_equal(s.home.node[0].tun_packets, tun);
    siege_goes_on(&s, under_a_foreign_slot, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    siege_end(&s);
}

/* ---- fragments ---- */

static void piece(struct siege *s, uint16_t id, uint8_t index, uint8_t count, size_t len,
                  uint8_t fill)
{
    uint8_t bytes[1100] = {KITH_WIRE_ip_fragment, SLOT,  (uint8_t)(id >> 8),
                           (uint8_t)id,           index, count};

    memset(bytes + 6, fill, len);
    siege_datagrams(s, bytes, 6 + len, 1);
}

static void fragments_that_contradict(struct siege *s)
{
    static uint16_t id;

    id++;
    piece(s, id, 0, 3, 100, 1);
    piece(s, id, 0, 3, 100, 2); /* the same place with other bytes */
    piece(s, id, 1, 3, 100, 1);
    piece(s, id, 2, 3, 101, 1); /* longer than those before it */
    piece(s, id, 1, 2, 100, 1); /* of another number */
    piece(s, id, 7, 2, 100, 1); /* beyond its own number */
    piece(s, id, 0, 0, 100, 1);
    piece(s, id, 0, 2, 0, 1); /* of nothing */
}

static void fragments_that_contradict_each_other_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 105);
    uint64_t tun = s.home.node[0].tun_packets;
    siege_once(&s, fragments_that_contradict);
    assert_int_equal(s.home.node[0].tun_packets, tun);
    siege_goes_on(&s, fragments_that_contradict, 65 * KITH_SEC);
    assert_true(siege_counters(&s)->reassembly_failed > 1000);
    siege_assert_sent_away(&s, KITH_OFFENCE_datagrams);
    siege_end(&s);
}

static void beginnings_of_packets(struct siege *s)
{
    static uint16_t id;

    for (size_t i = 0; i < MANY; i++)
        piece(s, id++, 0, 8, 1000, 1);
}

/* Every id once round: no more than eight packets are ever held. */
static void packets_begun_and_never_finished_take_eight_places(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 106);
    siege_goes_on(&s, beginnings_of_packets, KITH_SEC);
    size_t held = s.home.lab.bytes;
    assert_true(held < s.bytes + 8 * (9216 + 4608 + 64) + 64 * 1024);
    siege_goes_on(&s, beginnings_of_packets, 180 * KITH_SEC); /* 72,000 packets */
    assert_true(siege_counters(&s)->fragments_in > 65536);
    assert_true(s.home.lab.bytes < held + 64 * 1024);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* ---- packets ---- */

/* An empty UDP packet, and a header of the datagram before it; returns the whole length. */
static size_t packet(const struct kith_ip *src, const struct kith_ip *dst, uint8_t *out)
{
    static const uint8_t head[] = {
        KITH_WIRE_ip_packet, SLOT, 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17};

    memset(out, 0, 30);
    memcpy(out, head, sizeof head);
    memcpy(out + 2 + 12, src->b, 4);
    memcpy(out + 2 + 16, dst->b, 4);
    out[2 + 20] = out[2 + 22] = 0x40;
    out[2 + 25] = 8;
    return 30;
}

static struct kith_ip us, foes, desktops;

static void know_addresses(struct siege *s)
{
    struct kith_member_info m;
    size_t i = 0;

    us = home_info(&s->home, 0).ip4;
    desktops = home_info(&s->home, 1).ip4;
    foes.family = KITH_FAMILY_NONE;
    while (kith_node_next_member(s->home.node[0].node, &s->home.info.id, &i,
                                 node_sim_now(&s->home.node[0]).wall, &m))
        if (kith_peer_id_equal(&m.peer, &s->home.foe.identity.id))
            foes = m.ip4;
    assert_int_equal(foes.family, KITH_FAMILY_IP4);
}

static void an_honest_packet(struct siege *s)
{
    uint8_t bytes[64];

    siege_datagrams(s, bytes, packet(&foes, &us, bytes), 1);
}

static void with_foreign_ends(struct siege *s)
{
    const struct kith_ip far = kith_ip4(198, 51, 100, 1), all = kith_ip4(255, 255, 255, 255);
    const struct {
        const struct kith_ip *src, *dst;
    } pairs[] = {
        {&desktops, &us}, {&us, &us},    {&far, &us}, {&foes, &desktops},
        {&foes, &far},    {&foes, &all}, {&all, &us},
    };
    uint8_t bytes[64];

    for (size_t i = 0; i < KITH_COUNT(pairs); i++)
        siege_datagrams(s, bytes, packet(pairs[i].src, pairs[i].dst, bytes), 1);
}

static void packets_with_foreign_ends_reach_nobody_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 107);
    know_addresses(&s);
    uint64_t tun = s.home.node[0].tun_packets, desk = s.home.node[1].tun_packets;
    siege_once(&s, an_honest_packet);
    assert_int_equal(s.home.node[0].tun_packets, tun + 1);
    siege_once(&s, with_foreign_ends);
    assert_int_equal(s.home.node[0].tun_packets, tun + 1);
    assert_int_equal(s.home.node[1].tun_packets, desk);
    assert_int_equal(siege_told(&s, KITH_EV_packet_refused), 7);
    siege_goes_on(&s, with_foreign_ends, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_packets);
    siege_end(&s);
}

static void to_our_transport(struct siege *s)
{
    uint8_t bytes[64];
    size_t n = packet(&foes, &us, bytes);

    bytes[2 + 22] = 9000 >> 8;
    bytes[2 + 23] = 9000 & 0xff;
    siege_datagrams(s, bytes, n, MANY);
}

/* Whoever uses a member's machine may send to any port: that is refused, and no fault of its node.
 */
static void packets_that_a_members_user_may_send_never_end_its_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 108);
    know_addresses(&s);
    siege_goes_on(&s, to_our_transport, 120 * KITH_SEC);
    assert_true(kith_node_vpn_counters(s.home.node[0].node).dropped[KITH_VPN_DROP_own_transport] >
                10000);
    siege_assert_still_there(&s);
    siege_end(&s);
}

/* ---- questions ---- */

static void big_questions(struct siege *s)
{
    static const uint8_t ping[1100] = {KITH_WIRE_ping, 1, 2, 3};

    siege_datagrams(s, ping, sizeof ping, 10);
}

struct traffic {
    const struct siege *s;
    uint64_t in, out;
};

static bool weigh(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct traffic *t = ctx;
    const struct kith_addr *foe = sim_host_addr(t->s->home.foe.host);

    (void)data;
    t->in += kith_addr_equal(from, foe) ? len : 0;
    t->out += kith_addr_equal(to, foe) ? len : 0;
    return true;
}

static void a_flood_of_questions_gets_back_less_than_it_sent(void **state)
{
    struct siege s;
    struct traffic t = {.s = &s};

    (void)state;
    siege_begin(&s, 109);
    sim_net_set_filter(s.home.net, weigh, &t);
    siege_goes_on(&s, big_questions, 30 * KITH_SEC);
    assert_true(t.in > 1000000);
    assert_true(t.out < t.in / 4);
    siege_assert_still_there(&s); /* a thousand a second is not too much yet */
    siege_end(&s);
}

static void answers_nobody_asked_for(struct siege *s)
{
    static const uint8_t pong[] = {KITH_WIRE_pong, 1, 2, 3, 4, 5, 6, 7, 8, 0, 11};

    siege_datagrams(s, pong, sizeof pong, 100);
}

static void a_flood_of_answers_ends_the_session_and_is_never_a_pong(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 110);
    siege_goes_on(&s, answers_nobody_asked_for, 65 * KITH_SEC);
    assert_int_equal(s.home.node[0].pongs, 0);
    siege_assert_sent_away(&s, KITH_OFFENCE_probes);
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_of_unknown_kinds_end_the_session_when_they_go_on),
        cmocka_unit_test(a_burst_of_ten_thousand_bad_datagrams_is_forgiven),
        cmocka_unit_test(empty_and_short_datagrams_are_counted_and_end_the_session),
        cmocka_unit_test(packets_for_networks_it_did_not_name_end_the_session),
        cmocka_unit_test(fragments_that_contradict_each_other_end_the_session),
        cmocka_unit_test(packets_begun_and_never_finished_take_eight_places),
        cmocka_unit_test(packets_with_foreign_ends_reach_nobody_and_end_the_session),
        cmocka_unit_test(packets_that_a_members_user_may_send_never_end_its_session),
        cmocka_unit_test(a_flood_of_questions_gets_back_less_than_it_sent),
        cmocka_unit_test(a_flood_of_answers_ends_the_session_and_is_never_a_pong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
