/* Datagrams through others, seen from one node: where flows begin, what the middle and the end make
 * of them, and that none goes in circles. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh_relay_lab.h"

/* ---- beginning ---- */

static void a_flow_of_ours_begins_by_the_best_way_and_its_packets_have_8_bytes_before_them(void **s)
{
    const struct kith_destination d = dest(77);

    (void)s;
    join(3);
    LEADS(2, 3);
    send(77, "hello");
    assert_true(kith_relay_is_laden(lab.r));
    struct kith_flow_open m = leaves_open(2);
    assert_int_equal(m.hops, 64);
    assert_true(kith_destination_equal(&m.destination, &d));
    struct kith_span packet = leaves(2);
    const uint8_t expected[] = {0x06,
                                0,
                                0,
                                64,
                                (uint8_t)(m.label >> 24),
                                (uint8_t)(m.label >> 16),
                                (uint8_t)(m.label >> 8),
                                (uint8_t)m.label,
                                'h',
                                'e',
                                'l',
                                'l',
                                'o'};
    assert_true(kith_span_equal(packet, KITH_SPAN_OF(expected)));
    nothing_leaves();
    assert_false(kith_relay_is_laden(lab.r));
    send(77, "again"); /* it has begun */
    assert_int_equal(leaves_packet(2, m.label, "again").hops, 64);
    nothing_leaves();
    assert_int_equal(counted()->opened, 1);
    assert_int_equal(flows(), 1);
}

static void each_destination_has_a_flow_and_a_label_of_its_own(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send(77, "one");
    struct kith_flow_open one = leaves_open(1);
    (void)leaves_packet(1, one.label, "one");
    send(78, "two");
    struct kith_flow_open two = leaves_open(1);
    (void)leaves_packet(1, two.label, "two");
    assert_int_not_equal(one.label, two.label);
    assert_memory_not_equal(one.flow.b, two.flow.b, sizeof one.flow.b);
    send(77, "three");
    (void)leaves_packet(1, one.label, "three");
}

static void the_highest_bit_of_a_label_says_which_side_chose_it(void **s)
{
    (void)s;
    assert_int_equal(kith_relay_join(lab.r, 1, false), KITH_OK);
    assert_int_equal(kith_relay_join(lab.r, 2, true), KITH_OK);
    LEADS(1);
    send(77, "low");
    assert_int_equal(leaves_open(1).label & HIGH, 0);
    LEADS(2);
    send(78, "high");
    drain();
    send(79, "high");
    assert_int_equal(leaves_open(2).label & HIGH, HIGH);
    drain();
    /* and nobody chooses among another's */
    assert_false(hear_begin(1, 5, 1, HERE));
    assert_false(hear_begin(2, HIGH | 5, 1, HERE));
    nothing_leaves();
    assert_int_equal(counted()->malformed, 2);
    assert_int_equal(counted()->accepted, 0);
    assert_true(hear_begin(1, HIGH | 5, 1, HERE));
    assert_true(hear_begin(2, 5, 2, HERE));
    assert_int_equal(counted()->accepted, 2);
    nothing_leaves();
}

static void without_a_way_it_is_counted_and_lost(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip ip = kith_mesh_address(&d);
    uint32_t by;

    (void)s;
    join(1);
    send(77, "hello");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
    assert_false(kith_relay_route(lab.r, &ip, &by));
    LEADS(1); /* later there is one */
    send(77, "hello");
    (void)leaves_packet(1, leaves_open(1).label, "hello");
    assert_true(kith_relay_route(lab.r, &ip, &by));
    assert_int_equal(by, 1);
    assert_int_equal(counted()->no_way, 1);
}

static void a_way_by_nobody_s_neighbour_is_none(void **s)
{
    (void)s;
    join(2);
    LEADS(9, 2); /* 9 never joined */
    send(77, "hello");
    (void)leaves_packet(2, leaves_open(2).label, "hello");
    nothing_leaves();
}

/* ---- in the middle ---- */

static void the_middle_gives_another_label_and_carries_both_directions(void **s)
{
    (void)s;
    join(3);
    LEADS(2);
    for (unsigned i = 0; i < 3; i++) /* so that labels differ */
        (void)through(3, HIGH | i, 100 + i, 2);
    struct kith_flow_open m = opening(HIGH | 900, 1, 77);
    m.attempt = 6;
    assert_true(hear_open(1, &m));
    struct kith_flow_open on = leaves_open(2);
    assert_int_equal(on.hops, 9);
    assert_int_equal(on.attempt, 6);
    assert_memory_equal(on.flow.b, m.flow.b, sizeof m.flow.b);
    assert_true(kith_destination_equal(&on.destination, &m.destination));
    assert_int_not_equal(on.label, m.label);
    assert_int_equal(on.label & HIGH, 0); /* the node's own choice */
    nothing_leaves();
    assert_true(hear_hops(1, HIGH | 900, 33, "there"));
    assert_int_equal(leaves_packet(2, on.label, "there").hops, 32);
    assert_true(hear_hops(2, on.label, 12, "back"));
    assert_int_equal(leaves_packet(1, HIGH | 900, "back").hops, 11);
    nothing_leaves();
    nothing_arrives();
    assert_int_equal(counted()->forwarded, 2);
    assert_int_equal(counted()->forwarded_bytes, 9);
    assert_int_equal(counted()->forwarded_flows, 4);
}

static void a_packet_keeps_its_mark_of_congestion(void **s)
{
    const struct kith_flow_packet m = {.hops = 9, .label = HIGH | 1, .packet = {NULL, 0}};
    const struct kith_destination d = dest(78);
    const struct kith_ip ip = kith_mesh_address(&d);
    struct kith_relay_out out;
    struct kith_relay_in in;
    uint8_t buf[16];
    size_t n;

    (void)s;
    join(2);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_true(kith_relay_heard(lab.r, 1, (struct kith_span){buf, n}, 3, lab.now));
    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.ecn, 3);
    assert_int_equal(out.datagram.n, 8); /* an empty one is one, too */
    kith_relay_send(lab.r, &ip, kith_span_text("x"), 2, lab.now);
    (void)leaves_open(2);
    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.ecn, 2);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    buf[7] = 2;
    assert_true(kith_relay_heard(lab.r, 1, (struct kith_span){buf, n}, 1, lab.now));
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_int_equal(in.ecn, 1);
    assert_int_equal(in.n, 0);
}

static void it_never_goes_back_to_where_it_came_from(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    (void)through(1, HIGH | 1, 1, 2);
    nothing_leaves();
}

/* ---- at its end ---- */

static void what_arrives_has_an_address_from_which_the_answer_goes_back(void **s)
{
    uint32_t by;

    (void)s;
    join(2);
    assert_true(hear_begin(2, HIGH | 4, 1, HERE));
    nothing_leaves();
    assert_true(hear_packet(2, HIGH | 4, "question"));
    struct kith_ip from = arrives("question");
    assert_int_equal(from.family, KITH_FAMILY_MESH);
    nothing_arrives();
    assert_true(kith_relay_route(lab.r, &from, &by));
    assert_int_equal(by, 2);
    send_to(&from, "answer");
    assert_int_equal(leaves_packet(2, HIGH | 4, "answer").hops, 64);
    nothing_leaves();
    assert_int_equal(counted()->accepted, 1);
    assert_int_equal(counted()->opened, 0);
}

static void two_flows_that_end_here_have_two_addresses(void **s)
{
    (void)s;
    join(2);
    assert_true(hear_begin(1, HIGH | 4, 1, HERE));
    assert_true(hear_begin(2, HIGH | 4, 2, HERE)); /* the same label on another session */
    assert_true(hear_packet(1, HIGH | 4, "one"));
    assert_true(hear_packet(2, HIGH | 4, "two"));
    struct kith_ip one = arrives("one"), two = arrives("two");
    assert_false(kith_ip_equal(&one, &two));
    send_to(&one, "to one");
    (void)leaves_packet(1, HIGH | 4, "to one");
    send_to(&two, "to two");
    (void)leaves_packet(2, HIGH | 4, "to two");
}

static void the_answer_comes_from_the_destination_s_address(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip address = kith_mesh_address(&d);

    (void)s;
    join(1);
    LEADS(1);
    send(77, "question");
    uint32_t label = leaves_open(1).label;
    (void)leaves(1);
    assert_true(hear_packet(1, label, "answer"));
    struct kith_ip from = arrives("answer");
    assert_true(kith_ip_equal(&from, &address));
    nothing_leaves();
}

static void an_answer_to_a_flow_that_has_ended_goes_nowhere(void **s)
{
    uint32_t by;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 4, 1, HERE));
    assert_true(hear_packet(1, HIGH | 4, "question"));
    struct kith_ip from = arrives("question");
    assert_true(hear_over(1, HIGH | 4, KITH_MESH_GONE));
    assert_int_equal(flows(), 0);
    assert_false(kith_relay_route(lab.r, &from, &by));
    send_to(&from, "answer");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
}

/* ---- hops ---- */

static void a_packet_with_one_hop_left_arrives_but_goes_to_nobody_more(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_true(hear_hops(1, HIGH | 1, 2, "two"));
    assert_int_equal(leaves_packet(2, label, "two").hops, 1);
    assert_true(hear_hops(1, HIGH | 1, 1, "one"));
    assert_true(hear_hops(1, HIGH | 1, 0, "none"));
    assert_true(hear_hops(2, label, 1, "back"));
    nothing_leaves();
    assert_int_equal(counted()->expired, 3);
    assert_int_equal(counted()->forwarded, 1);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_hops(1, HIGH | 2, 1, "here"));
    (void)arrives("here");
    assert_int_equal(counted()->expired, 3);
}

static void a_beginning_with_one_hop_left_may_end_here_but_not_go_on(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(2);
    LEADS(2);
    m.hops = 1;
    assert_true(hear_open(1, &m));
    leaves_over(1, HIGH | 1, KITH_MESH_HOPS);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->refused, 1);
    assert_int_equal(counted()->expired, 1);
    m.hops = 2;
    assert_true(hear_open(1, &m));
    assert_int_equal(leaves_open(2).hops, 1);
    m = opening(HIGH | 2, 2, HERE);
    m.hops = 1;
    assert_true(hear_open(1, &m));
    nothing_leaves();
    assert_int_equal(counted()->accepted, 1);
}

/* ---- no circles ---- */

static void a_flow_that_was_here_already_is_refused_as_a_loop(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(3);
    LEADS(2);
    m.attempt = 5;
    assert_true(hear_open(1, &m));
    uint32_t label = leaves_open(2).label;
    m.label = HIGH | 9;
    for (uint32_t attempt = 5; attempt-- > 3;) {
        m.attempt = attempt + 1;
        assert_true(hear_open(3, &m));
        leaves_over(3, HIGH | 9, KITH_MESH_LOOP);
        nothing_leaves();
    }
    assert_true(hear_open(1, &m)); /* from whom it came it is one as well */
    leaves_over(1, HIGH | 9, KITH_MESH_LOOP);
    assert_int_equal(counted()->refused, 3);
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(1, HIGH | 1, "still")); /* the first goes on as before */
    (void)leaves_packet(2, label, "still");
}

static void one_s_own_flow_that_comes_back_is_refused_whatever_its_attempt(void **s)
{
    (void)s;
    join(2);
    LEADS(1);
    send(77, "hello");
    struct kith_flow_open m = leaves_open(1);
    drain();
    uint32_t label = m.label;
    m.label = HIGH | 9;
    m.hops = 60;
    assert_true(hear_open(2, &m));
    leaves_over(2, HIGH | 9, KITH_MESH_LOOP);
    m.attempt += 1000;
    assert_true(hear_open(2, &m));
    leaves_over(2, HIGH | 9, KITH_MESH_LOOP);
    send(77, "again");
    (void)leaves_packet(1, label, "again");
    nothing_leaves();
}

static void a_higher_attempt_takes_the_place_of_a_lower_one(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(4);
    LEADS(2);
    assert_true(hear_open(1, &m));
    uint32_t old = leaves_open(2).label;
    LEADS(4);
    m.attempt = 2;
    m.label = HIGH | 7;
    assert_true(hear_open(3, &m));
    struct kith_flow_open on = leaves_open(4);
    assert_int_equal(on.attempt, 2);
    drain();
    assert_true(hear_packet(3, HIGH | 7, "new"));
    (void)leaves_packet(4, on.label, "new");
    assert_int_equal(flows(), 2); /* for what is under way by the lower one */
    pass(KITH_MESH_FORMER - 1);
    assert_true(hear_packet(1, HIGH | 1, "there"));
    (void)leaves_packet(2, old, "there");
    assert_true(hear_packet(2, old, "back"));
    (void)leaves_packet(1, HIGH | 1, "back");
    pass(1);
    assert_int_equal(flows(), 1);
    nothing_leaves();
    assert_true(hear_packet(1, HIGH | 1, "old")); /* those labels mean nothing now */
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    assert_true(hear_packet(2, old, "old"));
    leaves_over(2, old, KITH_MESH_UNKNOWN);
}

static void at_its_end_a_higher_attempt_keeps_the_address(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, HERE);

    (void)s;
    join(2);
    assert_true(hear_open(1, &m));
    assert_true(hear_packet(1, HIGH | 1, "one"));
    struct kith_ip from = arrives("one");
    m.attempt = 2;
    assert_true(hear_open(2, &m));
    drain();
    send_to(&from, "answer"); /* goes the new way */
    (void)leaves_packet(2, HIGH | 1, "answer");
    assert_true(hear_packet(1, HIGH | 1, "late"));
    const struct kith_ip late = arrives("late");
    assert_true(kith_ip_equal(&late, &from));
    pass(KITH_MESH_FORMER);
    assert_int_equal(flows(), 1);
}

/* However many attempts there are, one before the last is remembered. */
static void of_attempts_that_gave_way_one_still_carries(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(4);
    LEADS(4);
    for (uint32_t i = 1; i <= 3; i++) {
        m.attempt = i;
        assert_true(hear_open(i, &m));
        drain();
    }
    assert_int_equal(flows(), 2);
    assert_true(hear_packet(1, HIGH | 1, "first"));
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    m.attempt = 2; /* said once more on the way that was left: nothing is new about it */
    assert_true(hear_open(2, &m));
    nothing_leaves();
    assert_true(hear_open(1, &m)); /* but nobody else leads that attempt here */
    leaves_over(1, HIGH | 1, KITH_MESH_LOOP);
    assert_true(hear_over(3, HIGH | 1, KITH_MESH_GONE)); /* the flow is over, and all of it */
    (void)leaves(4);
    (void)leaves(4);
    nothing_leaves();
    assert_int_equal(flows(), 0);
}

static void a_former_goes_with_the_neighbours_it_has(void **s)
{
    (void)s;
    for (uint32_t gone = 1; gone <= 2; gone++) {
        struct kith_flow_open m = opening(HIGH | 1, gone, 77);
        join(4);
        LEADS(2);
        assert_true(hear_open(1, &m));
        LEADS(4);
        m.attempt = 2;
        assert_true(hear_open(3, &m));
        drain();
        assert_int_equal(flows(), 2);
        kith_relay_part(lab.r, gone, lab.now);
        assert_int_equal(flows(), 1);
        kith_relay_part(lab.r, 3, lab.now);
        drain();
        assert_int_equal(flows(), 0);
    }
}

static void a_beginning_said_twice_changes_nothing(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(2);
    LEADS(2);
    assert_true(hear_open(1, &m));
    uint32_t label = leaves_open(2).label;
    const struct kith_relay_counters before = *counted();
    assert_true(hear_open(1, &m));
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_memory_equal(&before, counted(), sizeof before);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, label, "on");
}

static void who_begins_to_count_anew_has_ended_what_had_the_label(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t former = through(1, HIGH | 1, 1, 2);
    assert_true(hear_begin(1, HIGH | 1, 2, 77));
    leaves_over(2, former, KITH_MESH_GONE);
    uint32_t label = leaves_open(2).label;
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(1, HIGH | 1, "new"));
    (void)leaves_packet(2, label, "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_flow_of_ours_begins_by_the_best_way_and_its_packets_have_8_bytes_before_them),
        T(each_destination_has_a_flow_and_a_label_of_its_own),
        T(the_highest_bit_of_a_label_says_which_side_chose_it),
        T(without_a_way_it_is_counted_and_lost),
        T(a_way_by_nobody_s_neighbour_is_none),
        T(the_middle_gives_another_label_and_carries_both_directions),
        T(a_packet_keeps_its_mark_of_congestion),
        T(it_never_goes_back_to_where_it_came_from),
        T(what_arrives_has_an_address_from_which_the_answer_goes_back),
        T(two_flows_that_end_here_have_two_addresses),
        T(the_answer_comes_from_the_destination_s_address),
        T(an_answer_to_a_flow_that_has_ended_goes_nowhere),
        T(a_packet_with_one_hop_left_arrives_but_goes_to_nobody_more),
        T(a_beginning_with_one_hop_left_may_end_here_but_not_go_on),
        T(a_flow_that_was_here_already_is_refused_as_a_loop),
        T(one_s_own_flow_that_comes_back_is_refused_whatever_its_attempt),
        T(a_higher_attempt_takes_the_place_of_a_lower_one),
        T(at_its_end_a_higher_attempt_keeps_the_address),
        T(of_attempts_that_gave_way_one_still_carries),
        T(a_former_goes_with_the_neighbours_it_has),
        T(a_beginning_said_twice_changes_nothing),
        T(who_begins_to_count_anew_has_ended_what_had_the_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
