/* Sessions over links that fall silent, or are slow: what is waited for, how long, and what becomes
 * of streams meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/session_pair.h"

/* ---- streams that fall silent ---- */

/* A stream of the session's connection in use; -1 when there is none. */
static int64_t open_stream(struct pair *p, struct kith_conn **ret)
{
    int64_t id;

    return kith_session_open_stream(session_peer_to(&p->a, &p->b), KITH_STREAM_ENROL, ret, &id) < 0
               ? -1
               : id;
}

/* So many zeros on it, 4 KiB at a time. */
static void pour(struct kith_conn *c, int64_t id, size_t n)
{
    static const uint8_t zeros[4096];

    for (; n > 0; n -= sizeof zeros)
        assert_int_equal(kith_conn_stream_send(c, id, KITH_SPAN_OF(zeros), false), KITH_OK);
}

static void link_up(struct pair *p, uint64_t rate)
{
    sim_net_link(p->net, p->a.host, p->b.host,
                 &(struct sim_link){.rate = rate, .delay = 10 * KITH_MSEC});
}

static void cut_link(struct pair *p)
{
    sim_net_link(p->net, p->a.host, p->b.host, &(struct sim_link){.cut = true});
}

static void a_link_that_falls_silent_under_a_stream_is_suspected_as_under_packets(void **state)
{
    struct kith_conn *c;
    struct pair p;

    (void)state;
    pair_up(&p, 21);
    p.b.reads = true;
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    link_up(&p, 500000);
    int64_t id = open_stream(&p, &c);
    pour(c, id, 252 * 1024); /* four seconds' worth */
    wait_for(&p, 2 * KITH_SEC);
    assert_in_range(p.b.stream_bytes, 64 * 1024, 192 * 1024);
    cut_link(&p);
    wait_for(&p, 2900 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], 0);
    wait_for(&p, 300 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], 1);
    link_up(&p, 500000);
    wait_for(&p, 3 * KITH_SEC);
    assert_false(kith_session_is_silent(session_peer_to(&p.a, &p.b)));
    pair_down(&p);
}

/* Nothing comes back that would make the session look. */
static void a_stream_that_begins_on_a_silent_link_is_waited_for_from_then_on(void **state)
{
    struct kith_conn *c;
    struct pair p;

    (void)state;
    pair_up(&p, 29);
    p.b.reads = true;
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    int64_t id = open_stream(&p, &c);
    wait_for(&p, 5 * KITH_SEC);
    cut_link(&p);
    wait_for(&p, 2 * KITH_SEC);
    pour(c, id, 4096);
    wait_for(&p, 2900 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], 0);
    wait_for(&p, 300 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], 1);
    pair_down(&p);
}

static void control_messages_that_are_still_going_out_are_waited_for_too(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 22);
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    link_up(&p, 500000);
    say(&p, 1000); /* 200 kB: more than three seconds' worth */
    wait_for(&p, KITH_SEC);
    assert_in_range(p.b.controls, 100, 500);
    cut_link(&p);
    wait_for(&p, 3200 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], 1);
    pair_down(&p);
}

static void who_owes_nothing_is_not_asked_before_the_keep_alive(void **state)
{
    struct kith_conn *c;
    struct pair p;

    (void)state;
    pair_up(&p, 23);
    p.b.reads = true;
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    uint64_t asked = kith_sessions_counters(p.a.sessions)->probes;
    uint64_t asked_by_b = kith_sessions_counters(p.b.sessions)->probes;
    int64_t id = open_stream(&p, &c);
    pour(c, id, 128 * 1024); /* what b says to it are acknowledgements and nothing else */
    wait_for(&p, 2 * KITH_SEC);
    assert_int_equal(p.b.stream_bytes, 128 * 1024);
    cut_link(&p);
    wait_for(&p, 15 * KITH_SEC);
    assert_int_equal(kith_sessions_counters(p.a.sessions)->probes, asked);
    assert_int_equal(kith_sessions_counters(p.b.sessions)->probes, asked_by_b);
    pair_down(&p);
}

static size_t connections_of(struct session_peer *x, const struct session_peer *y)
{
    struct kith_session_info info;

    kith_session_info(session_peer_to(x, y), &info);
    return info.connections;
}

/* A stream is half through on a connection that is no longer the one in use. */
static void replace_under_a_stream(struct pair *p, size_t n, struct kith_conn **ret)
{
    p->b.reads = true;
    connect_pair(p);
    wait_for(p, 5 * KITH_SEC);
    link_up(p, 200000);
    int64_t id = open_stream(p, ret);
    pour(*ret, id, n);
    wait_for(p, 2 * KITH_SEC);
    cut_link(p);
    wait_for(p, 5 * KITH_SEC);
    link_up(p, 200000);
    wait_for(p, 3 * KITH_SEC);
    assert_false(kith_session_uses(session_peer_to(&p->a, &p->b), *ret));
    assert_int_equal(connections_of(&p->a, &p->b), 2);
    assert_in_range(p->b.stream_bytes, n / 10, n * 9 / 10);
}

static void a_stream_may_finish_on_a_connection_that_was_replaced(void **state)
{
    struct kith_conn *c;
    struct pair p;

    (void)state;
    pair_up(&p, 27);
    replace_under_a_stream(&p, 252 * 1024, &c);
    wait_for(&p, 30 * KITH_SEC);
    assert_int_equal(p.b.stream_bytes, 252 * 1024);
    assert_int_equal(p.a.seen[KITH_EV_conn_opened], 2); /* it was not begun anew */
    wait_for(&p, 40 * KITH_SEC);                        /* open, but nobody waits for ever */
    assert_int_equal(connections_of(&p.a, &p.b), 1);
    assert_int_equal(connections_of(&p.b, &p.a), 1);
    pair_down(&p);
}

static void a_stream_does_not_wait_on_a_connection_that_the_other_side_has_ended(void **state)
{
    struct kith_conn *c;
    struct pair p;

    (void)state;
    pair_up(&p, 28);
    replace_under_a_stream(&p, 252 * 1024, &c);
    cut_link(&p);
    kith_conn_close(c, KITH_CLOSE_SUPERSEDED, "", sim_net_now(p.net));
    wait_for(&p, 2 * KITH_SEC); /* nobody hears of it */
    link_up(&p, 200000);
    assert_int_equal(connections_of(&p.b, &p.a), 2);
    wait_for(&p, 8 * KITH_SEC);
    assert_int_equal(connections_of(&p.b, &p.a), 1);
    assert_int_equal(p.b.downs, 0);
    pair_down(&p);
}

/* ---- round trips of seconds ---- */

static void far_apart(struct pair *p, kith_dur rtt)
{
    sim_net_link(p->net, p->a.host, p->b.host, &(struct sim_link){.delay = rtt / 2});
}

/* A packet each ten seconds, so that each is waited for by itself. */
static void talk_slowly(struct pair *p, int packets)
{
    for (; packets > 0; packets--) {
        assert_true(send_packet(p, &p->a, &p->b, 100));
        wait_for(p, 10 * KITH_SEC);
    }
}

static void where_round_trips_take_long_a_session_in_use_is_not_dialled_anew(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 24);
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    far_apart(&p, 3200 * KITH_MSEC);
    talk_slowly(&p, 30); /* until it is known how long they take */
    const uint64_t dials = kith_sessions_counters(p.a.sessions)->dials;
    const unsigned silent = p.a.seen[KITH_EV_session_silent];
    p.b.packets = 0;
    talk_slowly(&p, 30);
    assert_int_equal(p.b.packets, 30);
    assert_int_equal(kith_sessions_counters(p.a.sessions)->dials, dials);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], silent);
    /* patience has an end: twice one and a quarter of what a round trip takes */
    cut_link(&p);
    assert_true(send_packet(&p, &p.a, &p.b, 100));
    wait_for(&p, 9 * KITH_SEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], silent + 1);
    pair_down(&p);
}

/* A question is sent like anything else: it must not be what the next one asks about. */
static void where_round_trips_take_long_there_is_rest_too(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 26);
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    far_apart(&p, 1600 * KITH_MSEC);
    talk_slowly(&p, 30);
    const uint64_t asked =
        kith_sessions_counters(p.a.sessions)->probes + kith_sessions_counters(p.b.sessions)->probes;
    wait_for(&p, 400 * KITH_SEC);
    /* each 20 s one of them is asked, and once more before the answer is there */
    assert_true(kith_sessions_counters(p.a.sessions)->probes +
                    kith_sessions_counters(p.b.sessions)->probes - asked <=
                2 * 400 / 20);
    pair_down(&p);
}

static void patience_with_a_slow_way_does_not_outlast_it(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 25);
    connect_pair(&p);
    wait_for(&p, 5 * KITH_SEC);
    far_apart(&p, 3200 * KITH_MSEC);
    talk_slowly(&p, 30);
    far_apart(&p, 20 * KITH_MSEC);
    talk_slowly(&p, 60);
    const unsigned silent = p.a.seen[KITH_EV_session_silent];
    cut_link(&p);
    assert_true(send_packet(&p, &p.a, &p.b, 100));
    wait_for(&p, 2900 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], silent);
    wait_for(&p, 200 * KITH_MSEC);
    assert_int_equal(p.a.seen[KITH_EV_session_silent], silent + 1);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_falls_silent_under_a_stream_is_suspected_as_under_packets),
        cmocka_unit_test(a_stream_that_begins_on_a_silent_link_is_waited_for_from_then_on),
        cmocka_unit_test(control_messages_that_are_still_going_out_are_waited_for_too),
        cmocka_unit_test(who_owes_nothing_is_not_asked_before_the_keep_alive),
        cmocka_unit_test(a_stream_may_finish_on_a_connection_that_was_replaced),
        cmocka_unit_test(a_stream_does_not_wait_on_a_connection_that_the_other_side_has_ended),
        cmocka_unit_test(where_round_trips_take_long_a_session_in_use_is_not_dialled_anew),
        cmocka_unit_test(where_round_trips_take_long_there_is_rest_too),
        cmocka_unit_test(patience_with_a_slow_way_does_not_outlast_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
