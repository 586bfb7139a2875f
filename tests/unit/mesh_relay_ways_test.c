/* Flows whose way is refused, parts, falls silent or is forgotten, and those that find a better
 * one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh_relay_lab.h"

/* ---- refusals, partings ---- */

static void where_nobody_leads_there_it_is_refused(void **s)
{
    (void)s;
    join(2);
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    leaves_over(1, HIGH | 1, KITH_MESH_NO_WAY);
    LEADS(1); /* only who handed it over does */
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    leaves_over(1, HIGH | 2, KITH_MESH_NO_WAY);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->refused, 2);
    assert_int_equal(counted()->forwarded_flows, 0);
}

static void flows_to_whom_nobody_may_reach_any_more_end_at_both_sides(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t on = through(1, HIGH | 1, 1, 2), other = through(1, HIGH | 2, 2, 2);
    send(77, "ours");
    const struct kith_destination to = dest(77);
    drain();
    assert_int_equal(flows(), 3);
    leads(0, NULL);
    kith_relay_end_to(lab.r, &to, lab.now);
    drain();
    assert_int_equal(flows(), 1); /* it may have to say that it ends */
    assert_true(hear_packet(1, HIGH | 1, "late"));
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    assert_true(hear_packet(2, on, "late") && hear_packet(2, other, "late"));
    leaves_over(2, on, KITH_MESH_UNKNOWN);
    leaves_over(2, other, KITH_MESH_UNKNOWN);
    nothing_arrives();
}

/* Else one packet for somebody who is gone walks every path of the mesh. */
static void an_attempt_that_was_refused_is_refused_by_whatever_way_it_comes_again(void **s)
{
    (void)s;
    join(3);
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    leaves_over(1, HIGH | 1, KITH_MESH_NO_WAY);
    LEADS(3);
    assert_true(hear_begin(2, HIGH | 1, 1, 77));
    leaves_over(2, HIGH | 1, KITH_MESH_LOOP);
    nothing_leaves();
    struct kith_flow_open next = opening(HIGH | 2, 1, 77);
    next.attempt++;
    assert_true(hear_open(2, &next)); /* another attempt is another thing */
    (void)leaves_open(3);
    drain();
    /* the last 256 are remembered, and no more */
    LEADS(1);
    for (unsigned i = 0; i < 256; i++) {
        pass(20 * KITH_MSEC);
        assert_true(hear_begin(1, HIGH | (100 + i), 100 + i, 77));
        drain();
    }
    LEADS(3);
    assert_true(hear_begin(2, HIGH | 3, 100, 77));
    leaves_over(2, HIGH | 3, KITH_MESH_LOOP);
    LEADS(1);
    assert_true(hear_begin(1, HIGH | 999, 999, 77));
    drain();
    LEADS(3);
    assert_true(hear_begin(2, HIGH | 4, 100, 77));
    (void)leaves_open(3);
}

static void a_refusal_makes_it_try_the_next_until_three_were_tried(void **s)
{
    (void)s;
    join(5);
    LEADS(2, 3, 4, 5); /* the fourth is not tried */
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    struct kith_flow_open first = leaves_open(2), on = first;
    for (uint32_t by = 2; by <= 4; by++) {
        nothing_leaves();
        if (by > 2)
            assert_true(hear_over(by - 1, first.label, KITH_MESH_NO_WAY)); /* crossed ours */
        nothing_leaves();
        assert_true(hear_over(by, on.label, KITH_MESH_NO_WAY));
        assert_int_equal(lab.failed, by - 1);
        assert_int_equal(lab.failed_by, by);
        assert_int_equal(lab.silent, 0); /* they said so */
        if (by == 4)
            break;
        on = leaves_open(by + 1);
        assert_memory_equal(on.flow.b, first.flow.b, sizeof on.flow.b);
        assert_int_equal(on.attempt, first.attempt);
        assert_int_equal(on.hops, first.hops);
    }
    leaves_over(1, HIGH | 1, KITH_MESH_NO_WAY);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->rerouted, 2); /* two were replaced, the third was not */
}

static void after_a_refusal_packets_go_the_other_way(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    uint32_t old = through(1, HIGH | 1, 1, 2);
    assert_true(hear_over(2, old, KITH_MESH_FULL));
    uint32_t label = leaves_open(3).label;
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(3, label, "on");
    assert_true(hear_packet(3, label, "back"));
    (void)leaves_packet(1, HIGH | 1, "back");
    assert_true(hear_packet(2, old, "late"));
    leaves_over(2, old, KITH_MESH_UNKNOWN);
}

static void a_flow_of_ours_that_is_refused_goes_another_way_with_the_next_packet(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    assert_true(hear_over(1, first.label, KITH_MESH_NO_WAY));
    nothing_leaves();
    assert_int_equal(lab.failed, 1);
    assert_int_equal(lab.failed_by, 1);
    send(77, "two");
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(2, second.label, "two");
    assert_true(hear_over(2, second.label, KITH_MESH_LOOP));
    send(77, "three"); /* all were tried: from the beginning */
    struct kith_flow_open third = leaves_open(1);
    assert_true(third.attempt > second.attempt);
    (void)leaves_packet(1, third.label, "three");
    nothing_leaves();
    assert_int_equal(flows(), 1);
}

static void a_flow_of_ours_moves_to_a_better_way_and_the_former_is_told(void **s)
{
    (void)s;
    join(3);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves(); /* there is none better */
    lab.better = 1;
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves(); /* it goes there already */
    lab.better = 2;
    kith_relay_improve(lab.r, lab.now);
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    nothing_leaves(); /* what is under way by the former way comes through yet */
    send(77, "two");
    (void)leaves_packet(2, second.label, "two");
    assert_true(hear_packet(1, first.label, "answer to one"));
    (void)arrives("answer to one");
    lab.better = 3;
    pass(4 * KITH_SEC - 1);
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves(); /* and there is no other move meanwhile */
    lab.better = 2;
    pass(1);
    kith_relay_improve(lab.r, lab.now);
    leaves_over(1, first.label, KITH_MESH_GONE);
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(1, first.label, "too late"));
    leaves_over(1, first.label, KITH_MESH_UNKNOWN);
    assert_int_equal(counted()->improved, 1);
    assert_int_equal(lab.failed, 0);
    /* and when that turns out to be none, the former is good again */
    lab.better = 0;
    assert_true(hear_over(2, second.label, KITH_MESH_NO_WAY));
    send(77, "three");
    struct kith_flow_open third = leaves_open(1);
    (void)leaves_packet(1, third.label, "three");
}

static void who_moves_no_more_tells_the_former_way_all_the_same(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    lab.better = 2;
    kith_relay_improve(lab.r, lab.now);
    drain();
    assert_true(kith_relay_carries(lab.r, 1));
    assert_int_equal(kith_relay_deadline(lab.r), lab.now + KITH_MESH_FORMER);
    pass(KITH_MESH_FORMER);
    leaves_over(1, first.label, KITH_MESH_GONE);
    nothing_leaves();
    assert_false(kith_relay_carries(lab.r, 1));
    /* a former way that says it is over is no failure of the one in use */
    lab.better = 1;
    kith_relay_improve(lab.r, lab.now);
    struct kith_flow_open third = leaves_open(1);
    assert_true(hear_over(2, third.label - 1, KITH_MESH_GONE)); /* one that means nothing */
    send(77, "two");
    (void)leaves_packet(1, third.label, "two");
    assert_int_equal(lab.failed, 0);
}

static void flows_of_others_do_not_move(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    (void)through(1, HIGH | 1, 1, 2);
    lab.better = 3;
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves();
    assert_int_equal(counted()->improved, 0);
}

static void what_its_beginner_ends_is_ended_on_the_whole_way(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_true(hear_over(1, HIGH | 1, KITH_MESH_GONE));
    leaves_over(2, label, KITH_MESH_GONE);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(lab.failed, 0);
    assert_true(hear_over(1, HIGH | 1, KITH_MESH_GONE)); /* said twice */
    nothing_leaves();
}

static void a_neighbour_that_parts_takes_along_the_flows_it_began(void **s)
{
    (void)s;
    join(3);
    LEADS(2);
    uint32_t one = through(1, HIGH | 1, 1, 2), kept = through(3, HIGH | 1, 2, 2),
             two = through(1, HIGH | 2, 3, 2);
    assert_true(hear_begin(1, HIGH | 3, 4, HERE));
    assert_int_equal(flows(), 4);
    kith_relay_part(lab.r, 1, lab.now);
    leaves_over(2, one, KITH_MESH_GONE);
    leaves_over(2, two, KITH_MESH_GONE);
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(3, HIGH | 1, "kept"));
    (void)leaves_packet(2, kept, "kept");
    assert_false(hear_packet(1, HIGH | 1, "none")); /* of no neighbour */
    nothing_leaves();
}

static void flows_through_a_neighbour_that_parts_go_on_by_another_way(void **s)
{
    (void)s;
    join(4);
    LEADS(2, 3); /* the table is behind: 2 stands in it still */
    uint32_t from_3 = through(3, HIGH | 1, 2, 2);
    (void)through(1, HIGH | 1, 1, 2);
    LEADS(4, 2, 3);
    send(78, "ours");
    (void)leaves(4);
    (void)leaves(4);
    LEADS(2, 3);
    kith_relay_part(lab.r, 2, lab.now);
    (void)from_3;
    leaves_over(3, HIGH | 1, KITH_MESH_GONE); /* 3 alone is left, and handed it over */
    uint32_t label = leaves_open(3).label;
    nothing_leaves();
    assert_int_equal(flows(), 2);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(3, label, "on");
    assert_int_equal(counted()->rerouted, 1);
}

static void a_flow_of_ours_survives_the_neighbour_it_went_by(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip ip = kith_mesh_address(&d);
    uint32_t by;

    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    kith_relay_part(lab.r, 1, lab.now);
    nothing_leaves();
    assert_false(kith_relay_route(lab.r, &ip, &by));
    send(77, "two");
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(2, second.label, "two");
    assert_true(kith_relay_route(lab.r, &ip, &by));
    assert_int_equal(by, 2);
}

static void whoever_comes_again_is_as_new(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t old = through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_relay_join(lab.r, 1, true), KITH_OK); /* it is one: nothing happens */
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, old, "on");
    kith_relay_part(lab.r, 1, lab.now);
    kith_relay_part(lab.r, 1, lab.now);
    drain();
    assert_int_equal(kith_relay_join(lab.r, 1, true), KITH_OK);
    assert_true(hear_packet(1, HIGH | 1, "old"));
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    assert_true(hear_begin(1, 1, 1, 77)); /* the other side's labels are the low ones now */
    (void)leaves_open(2);
    nothing_leaves();
}

/* ---- silence ---- */

static void after_4_packets_and_2_seconds_of_silence_another_way_is_tried_and_no_sooner(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    struct kith_flow_open first = leaves_open(1);
    (void)leaves_packet(1, first.label, "p");
    for (int i = 0; i < 3; i++) {
        send(77, "p");
        (void)leaves_packet(1, first.label, "p");
    }
    pass(KITH_RELAY_SILENCE - 1);
    send(77, "p"); /* many, but not long enough */
    (void)leaves_packet(1, first.label, "p");
    nothing_leaves();
    assert_int_equal(lab.failed, 0);
    pass(1);
    send(77, "other way");
    leaves_over(1, first.label, KITH_MESH_GONE);
    struct kith_flow_open second = leaves_open(2);
    assert_true(second.attempt > first.attempt);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_equal(second.hops, 64);
    (void)leaves_packet(2, second.label, "other way");
    nothing_leaves();
    assert_int_equal(lab.failed, 1);
    assert_int_equal(lab.failed_by, 1);
    assert_int_equal(lab.silent, 1);
    assert_int_equal(counted()->rerouted, 1);
}

static void three_packets_are_too_few_however_long_it_is_silent(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    uint32_t label = leaves_open(1).label;
    drain();
    send(77, "p");
    send(77, "p");
    drain();
    pass(30 * KITH_SEC);
    send(77, "p"); /* the fourth */
    (void)leaves_packet(1, label, "p");
    assert_int_equal(lab.failed, 0);
    send(77, "p");
    assert_int_equal(lab.failed, 1);
}

static void what_comes_back_ends_the_silence(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    uint32_t label = leaves_open(1).label;
    for (int i = 0; i < 9; i++)
        send(77, "p");
    drain();
    pass(KITH_RELAY_SILENCE - 1);
    assert_true(hear_packet(1, label, "answer"));
    drain();
    pass(KITH_RELAY_SILENCE);
    for (int i = 0; i < 4; i++) { /* the silence begins with the first of these */
        send(77, "p");
        (void)leaves_packet(1, label, "p");
    }
    pass(KITH_RELAY_SILENCE - 1);
    send(77, "p");
    (void)leaves_packet(1, label, "p");
    assert_int_equal(lab.failed, 0);
    pass(1);
    send(77, "p");
    assert_int_equal(lab.failed, 1);
}

static void with_one_way_only_the_silent_one_is_begun_anew(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send(77, "p");
    struct kith_flow_open first = leaves_open(1);
    for (int i = 0; i < 4; i++)
        send(77, "p");
    drain();
    pass(KITH_RELAY_SILENCE);
    send(77, "again");
    leaves_over(1, first.label, KITH_MESH_GONE);
    struct kith_flow_open second = leaves_open(1);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(1, second.label, "again");
}

static void nobody_is_blamed_for_the_silence_of_a_way_that_is_gone(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    for (int i = 0; i < 5; i++)
        send(77, "p");
    drain();
    kith_relay_part(lab.r, 1, lab.now);
    pass(KITH_RELAY_SILENCE);
    send(77, "p");
    assert_int_equal(lab.failed, 0); /* 1 is none, and 2 was not tried yet */
    (void)leaves_packet(2, leaves_open(2).label, "p");
    nothing_leaves();
}

/* ---- labels that mean nothing ---- */

static void an_unknown_label_is_answered_64_times_at_once_and_then_100_times_a_second(void **s)
{
    (void)s;
    join(2);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(hear_packet(1, i, "what"));
    for (uint32_t i = 0; i < 64; i++)
        leaves_over(1, i, KITH_MESH_UNKNOWN);
    nothing_leaves();
    assert_int_equal(counted()->unknown, 100);
    assert_true(hear_packet(2, 5, "what")); /* of another's rate nothing was taken */
    leaves_over(2, 5, KITH_MESH_UNKNOWN);
    pass(10 * KITH_MSEC);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(hear_packet(1, i, "what"));
    leaves_over(1, 0, KITH_MESH_UNKNOWN);
    nothing_leaves();
    assert_int_equal(flows(), 0);
}

static void a_flow_of_ours_that_was_forgotten_is_begun_anew_the_same_way(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    assert_true(hear_over(1, first.label, KITH_MESH_UNKNOWN));
    assert_int_equal(lab.failed, 0); /* the way is good */
    send(77, "two");
    struct kith_flow_open second = leaves_open(1);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_not_equal(second.label, first.label);
    (void)leaves_packet(1, second.label, "two");
    nothing_leaves();
}

static void a_flow_through_here_that_was_forgotten_is_begun_anew_the_same_way(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    struct kith_flow_open first = leaves_open(2);
    assert_true(hear_over(2, first.label, KITH_MESH_UNKNOWN));
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_equal(second.attempt, first.attempt);
    assert_int_equal(lab.failed, 0);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, second.label, "on");
    nothing_leaves();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(where_nobody_leads_there_it_is_refused),
        T(flows_to_whom_nobody_may_reach_any_more_end_at_both_sides),
        T(an_attempt_that_was_refused_is_refused_by_whatever_way_it_comes_again),
        T(a_refusal_makes_it_try_the_next_until_three_were_tried),
        T(after_a_refusal_packets_go_the_other_way),
        T(a_flow_of_ours_that_is_refused_goes_another_way_with_the_next_packet),
        T(a_flow_of_ours_moves_to_a_better_way_and_the_former_is_told),
        T(who_moves_no_more_tells_the_former_way_all_the_same),
        T(flows_of_others_do_not_move),
        T(what_its_beginner_ends_is_ended_on_the_whole_way),
        T(a_neighbour_that_parts_takes_along_the_flows_it_began),
        T(flows_through_a_neighbour_that_parts_go_on_by_another_way),
        T(a_flow_of_ours_survives_the_neighbour_it_went_by),
        T(whoever_comes_again_is_as_new),
        T(after_4_packets_and_2_seconds_of_silence_another_way_is_tried_and_no_sooner),
        T(three_packets_are_too_few_however_long_it_is_silent),
        T(what_comes_back_ends_the_silence),
        T(with_one_way_only_the_silent_one_is_begun_anew),
        T(nobody_is_blamed_for_the_silence_of_a_way_that_is_gone),
        T(an_unknown_label_is_answered_64_times_at_once_and_then_100_times_a_second),
        T(a_flow_of_ours_that_was_forgotten_is_begun_anew_the_same_way),
        T(a_flow_through_here_that_was_forgotten_is_begun_anew_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
