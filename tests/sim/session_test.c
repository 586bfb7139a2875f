/* Sessions over simulated links: what two peers see of each other, whatever happens below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/lanes.h"
#include "sim/session_pair.h"

static bool b_has_packet(void *ctx)
{
    return ((struct pair *)ctx)->b.packets > 0;
}

static void packets_pass_both_ways_once_the_session_is_up(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 1);
    connect_pair(&p);
    assert_true(send_packet(&p, &p.a, &p.b, 100));
    assert_true(run(&p, b_has_packet, KITH_SEC));
    assert_int_equal(p.b.last_packet_len, 100);
    assert_true(send_packet(&p, &p.b, &p.a, 60));
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.a.packets, 1);
    pair_down(&p);
}

static void packets_under_a_slot_not_allowed_are_dropped(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 2);
    p.b.trusting = false;
    connect_pair(&p);
    kith_session_trust(session_peer_to(&p.b, &p.a), true);
    assert_true(send_packet(&p, &p.a, &p.b, 100));
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.b.packets, 0);
    assert_int_equal(kith_sessions_counters(p.b.sessions)->bad_datagrams, 1);
    pair_down(&p);
}

static void a_packet_too_big_for_the_path_arrives_whole_in_fragments(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 3);
    sim_net_default_link(p.net, &(struct sim_link){.delay = 5 * KITH_MSEC, .mtu = 1200});
    connect_pair(&p);
    assert_true(send_packet(&p, &p.a, &p.b, 1400));
    assert_true(run(&p, b_has_packet, KITH_SEC));
    assert_int_equal(p.b.last_packet_len, 1400);
    for (size_t i = 0; i < 1400; i++)
        assert_int_equal(p.b.last_packet[i], (uint8_t)(i * 7 + 1400));
    assert_int_equal(kith_sessions_counters(p.a.sessions)->fragments_out, 2);
    pair_down(&p);
}

static bool b_has_control(void *ctx)
{
    return ((struct pair *)ctx)->b.controls > 0;
}

static void control_messages_arrive_in_order_and_whole(void **state)
{
    struct pair p;
    uint8_t message[200] = {0x80}; /* of a later version: the session passes it on */

    (void)state;
    pair_up(&p, 4);
    connect_pair(&p);
    for (uint8_t i = 0; i < 100; i++) {
        message[1] = i;
        assert_int_equal(kith_session_send_control(session_peer_to(&p.a, &p.b),
                                                   (struct kith_span){message, sizeof message},
                                                   sim_net_now(p.net)),
                         KITH_OK);
    }
    assert_true(run(&p, b_has_control, KITH_SEC));
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.b.controls, 100);
    assert_int_equal(p.b.last_control[1], 99);
    pair_down(&p);
}

static bool a_down(void *ctx)
{
    return ((struct pair *)ctx)->a.downs > 0;
}

static void a_guest_pays_for_what_it_says_as_a_guest_only(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 44);
    connect_pair(&p);
    for (int i = 0; i < 10; i++) {
        say(&p, 40); /* as a member: 80 kB in all */
        wait_for(&p, KITH_SEC);
    }
    kith_session_trust(session_peer_to(&p.b, &p.a), false);
    say(&p, 5);
    wait_for(&p, KITH_SEC);
    assert_int_equal(p.b.controls, 405);
    assert_int_equal(p.a.downs, 0);
    say(&p, 200);
    assert_true(run(&p, a_down, KITH_SEC));
    assert_int_equal(p.a.last_end.code, KITH_CLOSE_LIMIT);
    pair_down(&p);
}

static bool a_has_pong(void *ctx)
{
    return ((struct pair *)ctx)->a.pongs > 0;
}

static void a_ping_measures_the_round_trip(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 5);
    sim_net_default_link(p.net, &(struct sim_link){.delay = 40 * KITH_MSEC});
    connect_pair(&p);
    wait_for(&p, KITH_SEC);
    assert_int_equal(
        kith_session_ping(session_peer_to(&p.a, &p.b), &p.a.batch, 77, 0, sim_net_now(p.net)),
        KITH_OK);
    assert_true(run(&p, a_has_pong, KITH_SEC));
    assert_true(p.a.last_rtt >= 80 * KITH_MSEC && p.a.last_rtt < 90 * KITH_MSEC);
    pair_down(&p);
}

/* Asks eight times; how many answers come when b has one turn for all of it, or one for each. */
static size_t answers_to_eight(struct pair *p, bool one_turn)
{
    struct kith_session *s = session_peer_to(&p->a, &p->b);
    size_t before = p->a.pongs;

    for (uint64_t token = 1; token <= 8; token++) {
        assert_int_equal(kith_session_ping(s, &p->a.batch, token, 0, sim_net_now(p->net)), KITH_OK);
        (void)session_peers_run(p->both, one_turn ? 1 : 2, NULL, NULL, KITH_MSEC);
    }
    for (kith_time end = sim_net_now(p->net) + 15 * KITH_MSEC; sim_net_now(p->net) < end;)
        (void)session_peers_run(p->both, one_turn ? 1 : 2, NULL, NULL, KITH_MSEC);
    wait_for(p, KITH_SEC);
    return p->a.pongs - before;
}

static void of_many_questions_in_one_turn_one_is_answered(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 14);
    connect_pair(&p);
    wait_for(&p, KITH_SEC);
    assert_int_equal(answers_to_eight(&p, false), 8);
    assert_int_equal(answers_to_eight(&p, true), 1);
    pair_down(&p);
}

static void two_that_dial_at_once_end_with_one_connection(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct pair p;
        pair_up(&p, seed);
        sim_net_default_link(p.net,
                             &(struct sim_link){.delay = 20 * KITH_MSEC, .jitter = 10 * KITH_MSEC});
        session_peer_want(&p.a, &p.b);
        session_peer_want(&p.b, &p.a);
        assert_true(run(&p, both_up, 10 * KITH_SEC));
        for (int i = 0; i < 20; i++) {
            assert_true(send_packet(&p, &p.a, &p.b, 50));
            assert_true(send_packet(&p, &p.b, &p.a, 50));
            wait_for(&p, 500 * KITH_MSEC);
        }
        assert_int_equal(p.a.packets, 20);
        assert_int_equal(p.b.packets, 20);
        assert_int_equal(p.a.downs + p.b.downs, 0);
        struct kith_session_info x, y;
        kith_session_info(session_peer_to(&p.a, &p.b), &x);
        kith_session_info(session_peer_to(&p.b, &p.a), &y);
        assert_int_equal(x.connections, 1);
        assert_int_equal(y.connections, 1);
        assert_true(x.dialled != y.dialled);
        pair_down(&p);
    }
}

static void an_idle_session_stays_up_for_an_hour(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 6);
    connect_pair(&p);
    wait_for(&p, 3600 * KITH_SEC);
    assert_int_equal(p.a.downs + p.b.downs, 0);
    assert_true(send_packet(&p, &p.a, &p.b, 50));
    assert_true(run(&p, b_has_packet, KITH_SEC));
    pair_down(&p);
}

/* Sends a packet each way every 100 ms until one has arrived on both sides, at most `limit`. */
static bool traffic_within(struct pair *p, kith_dur limit)
{
    kith_time end = sim_net_now(p->net) + limit;

    p->a.packets = p->b.packets = 0;
    while (sim_net_now(p->net) < end) {
        (void)send_packet(p, &p->a, &p->b, 50);
        (void)send_packet(p, &p->b, &p->a, 50);
        wait_for(p, 100 * KITH_MSEC);
        if (p->a.packets > 0 && p->b.packets > 0)
            return true;
    }
    return false;
}

static void after_a_cut_of_thirty_seconds_traffic_is_back_within_three(void **state)
{
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct pair p;
        pair_up(&p, 7);
        connect_pair(&p);
        wait_for(&p, 5 * KITH_SEC);
        sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.cut = true});
        if (busy)
            assert_false(traffic_within(&p, 30 * KITH_SEC));
        else
            wait_for(&p, 30 * KITH_SEC);
        sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.delay = 10 * KITH_MSEC});
        assert_true(traffic_within(&p, 3 * KITH_SEC));
        pair_down(&p);
    }
}

static void who_owes_an_answer_for_five_seconds_is_missed_until_it_is_heard(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 10);
    connect_pair(&p);
    struct kith_session *s = session_peer_to(&p.a, &p.b);
    wait_for(&p, KITH_SEC); /* nothing is under way */
    p.a.n_told = 0;
    memset(p.a.told, 0, sizeof p.a.told);
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.cut = true});
    assert_true(send_packet(&p, &p.a, &p.b, 100)); /* a question follows after a second */
    wait_for(&p, 5900 * KITH_MSEC);
    assert_false(kith_session_is_missed(s));
    assert_true(p.a.seen[KITH_EV_session_silent] > 0);
    wait_for(&p, 200 * KITH_MSEC);
    assert_true(kith_session_is_missed(s));
    assert_string_equal(p.a.told, "Q");
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.delay = 10 * KITH_MSEC});
    wait_for(&p, 2 * KITH_SEC);
    assert_true(kith_session_is_up(s));
    assert_false(kith_session_is_missed(s));
    pair_down(&p);
}

static void after_a_cut_of_five_minutes_it_reconnects_by_itself(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 8);
    connect_pair(&p);
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.cut = true});
    wait_for(&p, 300 * KITH_SEC);
    assert_int_equal(p.a.downs, 1);
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.delay = 10 * KITH_MSEC});
    assert_true(run(&p, both_up, 62 * KITH_SEC));
    assert_true(traffic_within(&p, KITH_SEC));
    pair_down(&p);
}

static void who_is_not_wanted_and_has_no_connection_is_forgotten(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 9);
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.cut = true});
    session_peer_want(&p.a, &p.b);
    wait_for(&p, 5 * KITH_SEC);
    assert_non_null(session_peer_to(&p.a, &p.b));
    kith_session_want(session_peer_to(&p.a, &p.b), false, sim_net_now(p.net));
    wait_for(&p, 15 * KITH_SEC); /* the dials under way end */
    assert_null(session_peer_to(&p.a, &p.b));
    sim_net_link(p.net, p.a.host, p.b.host, &(struct sim_link){.delay = 10 * KITH_MSEC});
    connect_pair(&p);
    kith_session_want(session_peer_to(&p.a, &p.b), false, sim_net_now(p.net));
    wait_for(&p, 60 * KITH_SEC);
    assert_true(both_up(&p)); /* it is not ended for that */
    pair_down(&p);
}

static void a_killed_and_restarted_peer_is_back_within_three_seconds(void **state)
{
    (void)state;
    for (int dialler = 0; dialler < 2; dialler++) {
        struct pair p;
        pair_up(&p, 9);
        connect_pair(&p);
        wait_for(&p, 5 * KITH_SEC);
        struct session_peer *killed = dialler ? &p.a : &p.b;
        struct session_peer *other = dialler ? &p.b : &p.a;
        session_peer_restart(killed);
        session_peer_want(killed, other);
        assert_true(traffic_within(&p, 3 * KITH_SEC));
        pair_down(&p);
    }
}

static void move(struct session_peer *x, const char *to)
{
    struct kith_ip old = sim_host_addr(x->host)->ip;

    sim_host_move(x->host, to);
    kith_sessions_network_changed(x->sessions, &old, 1, sim_net_now(x->net));
}

static void either_side_may_change_its_address(void **state)
{
    (void)state;
    for (int dialler = 0; dialler < 2; dialler++) {
        struct pair p;
        pair_up(&p, 10);
        connect_pair(&p);
        session_peer_want(&p.b, &p.a);
        wait_for(&p, 5 * KITH_SEC);
        move(dialler ? &p.a : &p.b, "198.51.100.77:9000");
        assert_true(traffic_within(&p, KITH_SEC));
        wait_for(&p, 30 * KITH_SEC);
        assert_true(traffic_within(&p, KITH_SEC));
        assert_int_equal(p.a.downs + p.b.downs, 0);
        pair_down(&p);
    }
}

/* `n` addresses where nobody is, different ones each time. */
static void tell_other_places(struct pair *p, size_t n)
{
    struct kith_session *s = session_peer_to(&p->a, &p->b);
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];
    uint64_t at = sim_net_now(p->net) / KITH_SEC;

    for (size_t i = 0; i < n; i++)
        addr[i] = (struct kith_addr){
            .ip = kith_ip4(203, (uint8_t)(at >> 8), (uint8_t)at, (uint8_t)(i + 1)), .port = 9000};
    kith_session_set_addrs(s, addr, n, sim_net_now(p->net));
}

static void new_addresses_are_dialled_at_once_but_do_not_undo_the_wait(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 15);
    session_peer_want(&p.a, &p.b);
    tell_other_places(&p, 1);
    wait_for(&p, 300 * KITH_SEC);
    uint64_t before = kith_sessions_counters(p.a.sessions)->dials;
    for (int i = 0; i < 300; i++) {
        tell_other_places(&p, KITH_SESSION_ADDRS_MAX);
        wait_for(&p, KITH_SEC);
    }
    /* a round of sixteen every ten seconds for the news' sake, one a minute without them */
    uint64_t dials = kith_sessions_counters(p.a.sessions)->dials - before;
    assert_true(dials <= 16 * (300 / 10 + 300 / 60 + 1));
    /* where it is, at last: heard of in the pause, or after it */
    session_peer_want(&p.a, &p.b);
    assert_true(run(&p, both_up, 11 * KITH_SEC));
    pair_down(&p);

    pair_up(&p, 16);
    session_peer_want(&p.a, &p.b);
    tell_other_places(&p, 1);
    wait_for(&p, 300 * KITH_SEC);
    session_peer_want(&p.a, &p.b);
    assert_true(run(&p, both_up, KITH_SEC));
    pair_down(&p);
}

static void a_guest_must_go_after_ten_seconds(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 11);
    p.b.trusting = false;
    connect_pair(&p);
    kith_time start = sim_net_now(p.net);
    assert_true(run(&p, a_down, 15 * KITH_SEC));
    assert_true(sim_net_now(p.net) - start >= 9 * KITH_SEC);
    assert_int_equal(p.a.last_end.kind, KITH_END_PEER);
    assert_int_equal(p.a.last_end.code, KITH_CLOSE_NOT_MEMBER);
    pair_down(&p);
}

static void who_is_expected_and_shows_no_membership_may_come_again_at_once(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 11);
    p.b.trusting = false;
    p.b.expects = true;
    connect_pair(&p);
    assert_true(run(&p, a_down, 15 * KITH_SEC));
    assert_int_equal(p.a.last_end.kind, KITH_END_PEER);
    assert_int_equal(p.a.last_end.code, KITH_CLOSE_SILENT);
    assert_int_equal(p.b.seen[KITH_EV_peer_over_limit], 0); /* nobody did anything wrong */
    p.b.trusting = true;
    assert_true(run(&p, both_up, 2 * KITH_SEC));
    pair_down(&p);
}

static void who_is_blocked_is_refused_before_it_is_heard(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 19);
    p.b.blocks = true;
    session_peer_want(&p.a, &p.b);
    wait_for(&p, KITH_SEC / 2);
    assert_int_equal(p.a.dial_failures, 1);
    assert_int_equal(p.a.last_end.kind, KITH_END_PEER);
    assert_int_equal(p.a.last_end.code, KITH_CLOSE_BLOCKED);
    assert_int_equal(p.a.ups + p.a.downs, 0);
    assert_string_equal(p.b.told, ""); /* nobody above the sessions hears of it */
    assert_null(session_peer_to(&p.b, &p.a));
    assert_int_equal(kith_sessions_counters(p.b.sessions)->blocked_refused, 1);
    assert_int_equal(p.b.seen[KITH_EV_refused_blocked], 1);
    assert_int_equal(p.b.seen[KITH_EV_conn_opened], 0);
    pair_down(&p);
}

/* To be turned away is a round that failed: spec session 3.5 has the waits. */
static void who_is_refused_dials_no_oftener_than_one_who_hears_nothing(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 20);
    p.b.blocks = true;
    session_peer_want(&p.a, &p.b);
    wait_for(&p, 60 * KITH_SEC);
    uint64_t first = kith_sessions_counters(p.a.sessions)->dials;
    assert_in_range(first, 24, 32); /* 2 to 2.5 s apart, after one of 1 */
    wait_for(&p, 600 * KITH_SEC);
    assert_in_range(kith_sessions_counters(p.a.sessions)->dials - first, 10, 15); /* 4, 8, … 60 s */
    p.b.blocks = false;
    assert_true(run(&p, both_up, 61 * KITH_SEC));
    pair_down(&p);
}

static void a_shutdown_is_heard_with_its_reason(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 12);
    connect_pair(&p);
    kith_sessions_shutdown(p.b.sessions, sim_net_now(p.net));
    assert_true(run(&p, a_down, KITH_SEC));
    assert_int_equal(p.a.last_end.code, KITH_CLOSE_SHUTDOWN);
    pair_down(&p);
}

static void a_burst_beyond_the_congestion_window_waits_and_arrives(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 13);
    connect_pair(&p);
    wait_for(&p, KITH_SEC);
    for (int i = 0; i < 300; i++)
        assert_true(send_packet(&p, &p.a, &p.b, 1400));
    wait_for(&p, 10 * KITH_SEC);
    assert_int_equal(p.b.packets, 300);
    assert_true(kith_sessions_counters(p.a.sessions)->packets_queued > 0);
    pair_down(&p);
}

/* What waited is in one part, and so are its pieces. */
static void a_burst_of_packets_too_big_for_the_path_waits_and_arrives(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 14);
    sim_net_default_link(p.net, &(struct sim_link){.delay = 5 * KITH_MSEC, .mtu = 1200});
    connect_pair(&p);
    for (int i = 0; i < 100; i++)
        assert_true(send_packet(&p, &p.a, &p.b, 1400));
    assert_true(kith_sessions_counters(p.a.sessions)->packets_queued > 0);
    wait_for(&p, 10 * KITH_SEC);
    /* what did not come was counted: it waited too long, or half of it went */
    assert_int_equal(p.b.packets + kith_sessions_counters(p.a.sessions)->packets_dropped, 100);
    assert_true(kith_sessions_counters(p.b.sessions)->reassembled > 0);
    pair_down(&p);
}

/* A full lane loses what comes, and says how much. */
static void what_a_lane_has_no_room_for_is_counted_each(void **state)
{
    static uint8_t bytes[1000];
    struct kith_span run[40];
    size_t taken = 0, given = 0;
    struct pair p;

    (void)state;
    pair_up(&p, 15);
    connect_pair(&p);
    for (size_t i = 0; i < KITH_COUNT(run); i++)
        run[i] = (struct kith_span){bytes, sizeof bytes};
    const struct kith_session_counters *count = kith_sessions_counters(p.a.sessions);
    uint64_t before = count->packets_dropped;
    struct kith_session *to_b = session_peer_to(&p.a, &p.b);
    for (; given < 2 * KITH_LANE_BYTES / sizeof bytes; given += KITH_COUNT(run))
        taken += kith_session_send_flow(to_b, &p.a.batch, 3, run, KITH_COUNT(run), 0,
                                        sim_net_now(p.net));
    assert_in_range(given - taken, given / 4, given * 3 / 5);
    assert_int_equal(count->packets_dropped - before, given - taken);

    kith_session_close(to_b, KITH_CLOSE_SHUTDOWN, "enough", sim_net_now(p.net));
    wait_for(&p, KITH_SEC);
    before = count->packets_dropped;
    assert_int_equal(kith_session_send_flow(to_b, &p.a.batch, 3, run, 3, 0, sim_net_now(p.net)), 0);
    assert_int_equal(count->packets_dropped - before, 3);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_pass_both_ways_once_the_session_is_up),
        cmocka_unit_test(packets_under_a_slot_not_allowed_are_dropped),
        cmocka_unit_test(a_packet_too_big_for_the_path_arrives_whole_in_fragments),
        cmocka_unit_test(control_messages_arrive_in_order_and_whole),
        cmocka_unit_test(a_guest_pays_for_what_it_says_as_a_guest_only),
        cmocka_unit_test(a_ping_measures_the_round_trip),
        cmocka_unit_test(of_many_questions_in_one_turn_one_is_answered),
        cmocka_unit_test(two_that_dial_at_once_end_with_one_connection),
        cmocka_unit_test(an_idle_session_stays_up_for_an_hour),
        cmocka_unit_test(after_a_cut_of_thirty_seconds_traffic_is_back_within_three),
        cmocka_unit_test(who_owes_an_answer_for_five_seconds_is_missed_until_it_is_heard),
        cmocka_unit_test(after_a_cut_of_five_minutes_it_reconnects_by_itself),
        cmocka_unit_test(who_is_not_wanted_and_has_no_connection_is_forgotten),
        cmocka_unit_test(a_killed_and_restarted_peer_is_back_within_three_seconds),
        cmocka_unit_test(either_side_may_change_its_address),
        cmocka_unit_test(new_addresses_are_dialled_at_once_but_do_not_undo_the_wait),
        cmocka_unit_test(a_guest_must_go_after_ten_seconds),
        cmocka_unit_test(who_is_expected_and_shows_no_membership_may_come_again_at_once),
        cmocka_unit_test(who_is_blocked_is_refused_before_it_is_heard),
        cmocka_unit_test(who_is_refused_dials_no_oftener_than_one_who_hears_nothing),
        cmocka_unit_test(a_shutdown_is_heard_with_its_reason),
        cmocka_unit_test(a_burst_beyond_the_congestion_window_waits_and_arrives),
        cmocka_unit_test(a_burst_of_packets_too_big_for_the_path_waits_and_arrives),
        cmocka_unit_test(what_a_lane_has_no_room_for_is_counted_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
