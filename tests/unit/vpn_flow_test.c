/* Which answers are let in, for how long, and what cannot push what out. */
#include "unit/vpn_packets.h"
#include "vpn/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;
static struct kith_random_seeded source;
static struct kith_random rnd;
static struct kith_flows f;

static int setup(void **state)
{
    (void)state;
    kith_random_seeded_init(&source, 3);
    rnd = kith_random_from_seed(&source);
    struct kith_env env = {.alloc = &kith_heap, .random = &rnd};
    return kith_flows_init(&f, &env);
}

static int teardown(void **state)
{
    (void)state;
    kith_flows_fini(&f);
    return 0;
}

static struct kith_packet parsed(const struct a_packet *p)
{
    uint8_t bytes[200];
    struct kith_packet info;
    size_t n = make_packet(p, bytes);

    assert_int_equal(kith_packet_parse((struct kith_span){bytes, n}, &info), KITH_OK);
    return info;
}

static void out(const struct a_packet *p, kith_time now)
{
    struct kith_packet info = parsed(p);

    kith_flows_out(&f, 1, &info, now);
}

static bool in(const struct a_packet *p, kith_time now)
{
    struct kith_packet info = parsed(p);

    return kith_flows_in(&f, 1, &info, now);
}

static struct a_packet ours(uint8_t proto, uint8_t flags)
{
    return (struct a_packet){.src = "100.64.0.1",
                             .dst = "100.64.0.2",
                             .proto = proto,
                             .sport = 40000,
                             .dport = 53,
                             .flags = flags};
}

static struct a_packet theirs(uint8_t proto, uint8_t flags)
{
    return (struct a_packet){.src = "100.64.0.2",
                             .dst = "100.64.0.1",
                             .proto = proto,
                             .sport = 53,
                             .dport = 40000,
                             .flags = flags};
}

static void an_answer_is_let_in_and_a_question_is_not(void **state)
{
    struct a_packet ask = ours(UDP, 0), answer = theirs(UDP, 0), other = theirs(UDP, 0);

    (void)state;
    assert_false(in(&answer, T0));
    out(&ask, T0);
    assert_true(in(&answer, T0));
    other.sport = 54;
    assert_false(in(&other, T0));
    other = answer;
    other.dport++;
    assert_false(in(&other, T0));
    other = answer;
    other.src = "100.64.0.3";
    assert_false(in(&other, T0));
    struct kith_packet info = parsed(&answer);
    assert_false(kith_flows_in(&f, 2, &info, T0)); /* another network */
}

static void udp_is_forgotten_after_three_minutes_of_silence(void **state)
{
    struct a_packet ask = ours(UDP, 0), answer = theirs(UDP, 0);
    kith_time end = T0 + 180 * KITH_SEC;

    (void)state;
    out(&ask, T0);
    assert_true(in(&answer, end - 1)); /* which makes it last on */
    assert_true(in(&answer, end - 1 + 180 * KITH_SEC - 1));
    out(&ask, T0 + 10000 * KITH_SEC);
    assert_false(in(&answer, T0 + 10180 * KITH_SEC));
}

static void tcp_lasts_an_hour_once_both_have_acknowledged(void **state)
{
    struct a_packet syn = ours(TCP, SYN), synack = theirs(TCP, SYN | ACK), ack = ours(TCP, ACK),
                    data = theirs(TCP, ACK);

    (void)state;
    out(&syn, T0);
    assert_false(in(&synack, T0 + 120 * KITH_SEC));
    out(&syn, T0);
    assert_true(in(&synack, T0));
    out(&ack, T0);
    assert_true(in(&data, T0 + 3600 * KITH_SEC - 1));
    out(&ack, T0);
    assert_false(in(&data, T0 + 3600 * KITH_SEC));
}

static void a_closing_connection_lasts_two_minutes(void **state)
{
    struct a_packet syn = ours(TCP, SYN), synack = theirs(TCP, SYN | ACK), ack = ours(TCP, ACK),
                    fin = ours(TCP, FIN | ACK), last = theirs(TCP, ACK);

    (void)state;
    out(&syn, T0);
    assert_true(in(&synack, T0));
    out(&ack, T0);
    out(&fin, T0);
    assert_true(in(&last, T0 + 120 * KITH_SEC - 1));
    assert_false(in(&last, T0 + 240 * KITH_SEC));
}

static void a_connection_they_open_is_not_made_ours_by_our_refusal(void **state)
{
    struct a_packet syn = theirs(TCP, SYN), rst = ours(TCP, RST | ACK),
                    synack = ours(TCP, SYN | ACK);

    (void)state;
    assert_false(in(&syn, T0));
    out(&rst, T0);
    assert_false(in(&syn, T0));
    out(&synack, T0);
    assert_false(in(&syn, T0));
}

static void a_connection_older_than_the_daemon_is_taken_up(void **state)
{
    struct a_packet data = ours(TCP, ACK | PSH), ack = theirs(TCP, ACK);

    (void)state;
    out(&data, T0);
    assert_true(in(&ack, T0));
}

static void echo_is_matched_by_its_id_and_only_replies_come_in(void **state)
{
    struct a_packet ping = ours(ICMP, 0), pong = theirs(ICMP, 0);

    (void)state;
    ping.sport = 8 << 8;
    pong.sport = 0;
    ping.dport = pong.dport = 77;
    assert_false(in(&pong, T0));
    out(&ping, T0);
    assert_true(in(&pong, T0 + 30 * KITH_SEC - 1));
    out(&ping, T0);
    assert_false(in(&pong, T0 + 30 * KITH_SEC));
    out(&ping, T0);
    pong.dport = 78;
    assert_false(in(&pong, T0));
    pong.dport = 77;
    pong.sport = 8 << 8; /* a ping of theirs with the same id */
    assert_false(in(&pong, T0));
}

static void our_echo_reply_opens_nothing(void **state)
{
    struct a_packet pong = ours(ICMP, 0), theirs_back = theirs(ICMP, 0);

    (void)state;
    out(&pong, T0);
    assert_false(in(&theirs_back, T0));
}

static void later_fragments_follow_a_first_that_was_let_in(void **state)
{
    struct a_packet ask = ours(UDP, 0), first = theirs(UDP, 0), later = theirs(UDP, 0);

    (void)state;
    first.may_fragment = later.may_fragment = true;
    first.ident = later.ident = 1234;
    first.fragment = 0x2000;
    later.fragment = 100;
    out(&ask, T0);
    assert_false(in(&later, T0));
    assert_true(in(&first, T0));
    assert_true(in(&later, T0));
    assert_false(in(&later, T0 + 30 * KITH_SEC));
    later.ident++;
    assert_false(in(&later, T0));
}

static void a_full_table_forgets_the_flow_longest_silent(void **state)
{
    struct a_packet ask = ours(UDP, 0), answer = theirs(UDP, 0);

    (void)state;
    for (uint16_t i = 0; i <= KITH_FLOWS_MAX; i++) {
        ask.sport = (uint16_t)(1000 + i);
        out(&ask, T0 + i);
    }
    assert_int_equal(f.evicted, 1);
    answer.dport = 1000;
    assert_false(in(&answer, T0 + KITH_SEC));
    for (uint16_t i = 1; i <= KITH_FLOWS_MAX; i++) {
        answer.dport = (uint16_t)(1000 + i);
        assert_true(in(&answer, T0 + KITH_SEC));
    }
}

static void what_arrives_never_takes_room(void **state)
{
    struct a_packet ask = ours(UDP, 0), answer = theirs(UDP, 0);

    (void)state;
    out(&ask, T0);
    for (uint16_t i = 0; i < 10000; i++) {
        struct a_packet stray = theirs(UDP, 0);
        stray.sport = (uint16_t)(100 + i);
        assert_false(in(&stray, T0));
    }
    assert_true(in(&answer, T0));
}

static void an_ended_flow_makes_room_before_a_living_one(void **state)
{
    struct a_packet ping = ours(ICMP, 0), ask = ours(UDP, 0), answer = theirs(UDP, 0);

    (void)state;
    ping.sport = 8 << 8;
    ask.sport = answer.dport = 999;
    out(&ask, T0); /* the oldest */
    out(&ping, T0);
    for (uint16_t i = 0; i < KITH_FLOWS_MAX - 2; i++) {
        ask.sport = (uint16_t)(1000 + i);
        out(&ask, T0);
    }
    ask.sport = 50000;
    out(&ask, T0 + 60 * KITH_SEC); /* the ping's 30 s are over */
    assert_int_equal(f.evicted, 0);
    assert_true(in(&answer, T0 + 60 * KITH_SEC));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_answer_is_let_in_and_a_question_is_not),
        T(udp_is_forgotten_after_three_minutes_of_silence),
        T(tcp_lasts_an_hour_once_both_have_acknowledged),
        T(a_closing_connection_lasts_two_minutes),
        T(a_connection_they_open_is_not_made_ours_by_our_refusal),
        T(a_connection_older_than_the_daemon_is_taken_up),
        T(echo_is_matched_by_its_id_and_only_replies_come_in),
        T(our_echo_reply_opens_nothing),
        T(later_fragments_follow_a_first_that_was_let_in),
        T(a_full_table_forgets_the_flow_longest_silent),
        T(what_arrives_never_takes_room),
        T(an_ended_flow_makes_room_before_a_living_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
