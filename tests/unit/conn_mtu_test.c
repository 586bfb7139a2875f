/* Doubt, test and search of sizes, step by step, by times given by hand. */
#include "conn/mtu.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FOUND = 1472 };

static const kith_time T0 = 1000 * KITH_SEC;
static const kith_dur RTT = 20 * KITH_MSEC;

struct play {
    struct kith_mtu m;
    kith_time now;
};

static struct play begin(void)
{
    return (struct play){.now = T0};
}

static void send(struct play *p, size_t size, int n)
{
    for (int i = 0; i < n; i++)
        kith_mtu_sent(&p->m, size, p->now);
}

/* Data of this size is sent and acknowledged. */
static void pass(struct play *p, size_t size)
{
    struct kith_mtu_mark mark = kith_mtu_mark(&p->m, size);

    kith_mtu_sent(&p->m, size, p->now);
    kith_mtu_acked(&p->m, mark, p->now);
}

/* The size of the probe that leaves now; 0: none. */
static size_t probe(struct play *p, struct kith_mtu_mark *ret)
{
    if (!kith_mtu_probe(&p->m, FOUND, RTT, p->now, ret))
        return 0;
    kith_mtu_probed(&p->m, *ret, p->now);
    return ret->size;
}

static void doubt(struct play *p, size_t size)
{
    send(p, size, KITH_MTU_DOUBTED);
    p->now += KITH_MTU_DOUBT + 2 * RTT;
}

/* Lets time pass and probes of up to `limit` bytes arrive until none is asked for, `d` at most. */
static void live(struct play *p, size_t limit, kith_dur d)
{
    const kith_time end = p->now + d;
    struct kith_mtu_mark mark;

    while (p->now < end) {
        while (probe(p, &mark) != 0)
            if (mark.size <= limit)
                kith_mtu_acked(&p->m, mark, p->now);
        kith_time next = kith_mtu_deadline(&p->m);
        assert_true(next > p->now);
        p->now = next < end ? next : end;
    }
}

static void all_zero_caps_nothing_and_waits_for_nothing(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    assert_int_equal(kith_mtu_size(&p.m, FOUND), FOUND);
    assert_int_equal(kith_mtu_safe_size(&p.m, FOUND), FOUND);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
    assert_int_equal(probe(&p, &mark), 0);
}

static void four_large_ones_unanswered_for_700_ms_and_two_round_trips_make_a_test(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    send(&p, 1400, 3);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
    send(&p, 1400, 1);
    assert_int_equal(kith_mtu_deadline(&p.m), T0 + 700 * KITH_MSEC); /* no round trip known yet */
    p.now = T0 + 739 * KITH_MSEC;
    assert_int_equal(probe(&p, &mark), 0);
    assert_int_equal(kith_mtu_deadline(&p.m), T0 + 740 * KITH_MSEC);
    p.now = T0 + 740 * KITH_MSEC;
    assert_int_equal(probe(&p, &mark), 1400);
    assert_int_equal(probe(&p, &mark), 1200); /* at once: both meet the same */
    assert_int_equal(probe(&p, &mark), 0);
    assert_int_equal(kith_mtu_size(&p.m, FOUND), FOUND); /* doubt alone costs datagrams nothing */
    assert_int_equal(kith_mtu_safe_size(&p.m, FOUND), 1200);
    p.now += 70 * KITH_MSEC;
    assert_int_equal(probe(&p, &mark), 1400);
}

static void small_ones_are_never_in_doubt(void **state)
{
    struct play p = begin();

    (void)state;
    send(&p, 1200, 1000);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
}

static void an_answer_of_the_largest_ends_doubt_and_that_of_a_smaller_does_not(void **state)
{
    struct play p = begin();

    (void)state;
    send(&p, 1400, 3);
    send(&p, 1450, 1);
    pass(&p, 1400);
    assert_int_not_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
    pass(&p, 1450);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
}

static void what_was_sent_after_the_one_that_arrived_stays_in_doubt(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    send(&p, 1400, 10);
    mark = kith_mtu_mark(&p.m, 1400);
    send(&p, 1400, 5); /* that one, and four more */
    p.now += 100 * KITH_MSEC;
    kith_mtu_acked(&p.m, mark, p.now);
    assert_int_equal(kith_mtu_deadline(&p.m), p.now + KITH_MTU_DOUBT);
    mark = kith_mtu_mark(&p.m, 1400);
    send(&p, 1400, 4); /* three more: too few */
    kith_mtu_acked(&p.m, mark, p.now);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
}

static void one_large_probe_that_arrives_ends_the_test(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark large, small;

    (void)state;
    doubt(&p, 1400);
    (void)probe(&p, &large);
    for (int i = 0; i < 9; i++) { /* 9 of 10 small ones */
        (void)probe(&p, &small);
        kith_mtu_acked(&p.m, small, p.now);
        p.now += 70 * KITH_MSEC;
        (void)probe(&p, &large);
    }
    kith_mtu_acked(&p.m, large, p.now);
    assert_int_equal(p.m.state, KITH_MTU_RESTING);
    assert_int_equal(p.m.holes, 0);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
    kith_mtu_acked(&p.m, small, p.now); /* late ones mean nothing */
    assert_int_equal(p.m.holes, 0);
}

static void data_as_large_that_arrives_ends_it_too(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    doubt(&p, 1400);
    (void)probe(&p, &mark);
    kith_mtu_acked(&p.m, kith_mtu_mark(&p.m, 1399), p.now);
    assert_int_equal(p.m.state, KITH_MTU_TESTING);
    kith_mtu_acked(&p.m, kith_mtu_mark(&p.m, 1400), p.now);
    assert_int_equal(p.m.state, KITH_MTU_RESTING);
}

static void ten_small_ones_and_no_large_one_are_a_hole_and_the_search_finds_what_goes(void **state)
{
    struct play p = begin();

    (void)state;
    doubt(&p, FOUND);
    live(&p, 1380, 5 * KITH_SEC);
    assert_int_equal(p.m.holes, 1);
    assert_int_equal(kith_mtu_size(&p.m, FOUND), 1352);
    assert_int_equal(kith_mtu_safe_size(&p.m, FOUND), 1352);
}

static void the_hole_is_found_0_7_seconds_after_the_doubt(void **state)
{
    struct play p = begin();

    (void)state;
    doubt(&p, 1400);
    live(&p, 1300, 9 * 70 * KITH_MSEC);
    assert_int_equal(p.m.holes, 0);
    live(&p, 1300, 1);
    assert_int_equal(p.m.holes, 1);
}

static void where_nothing_arrives_the_test_ends_without_a_result(void **state)
{
    struct play p = begin();

    (void)state;
    doubt(&p, 1400);
    live(&p, 0, 24 * 70 * KITH_MSEC);
    assert_int_equal(p.m.state, KITH_MTU_TESTING);
    live(&p, 0, 1);
    assert_int_equal(p.m.state, KITH_MTU_RESTING);
    assert_int_equal(p.m.holes, 0);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
}

static void what_was_refuted_is_tried_again_after_a_minute_of_traffic_only(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    doubt(&p, 1400);
    live(&p, 1300, 5 * KITH_SEC);
    assert_int_equal(kith_mtu_size(&p.m, FOUND), 1252);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER); /* nobody sends */
    send(&p, 599, 1);
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
    send(&p, 600, 1);
    kith_time at = kith_mtu_deadline(&p.m);
    assert_in_range(at, p.now + 54 * KITH_SEC, p.now + 60 * KITH_SEC);
    p.now = at;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(probe(&p, &mark), 1352);
        assert_int_equal(probe(&p, &mark), 0);
        p.now += 240 * KITH_MSEC;
    }
    assert_int_equal(probe(&p, &mark), 0);
    assert_int_equal(p.m.state, KITH_MTU_RESTING);
    send(&p, 1000, 1);
    assert_int_equal(kith_mtu_deadline(&p.m), p.now + KITH_MTU_RAISE);
}

static void a_path_that_takes_all_again_is_capped_no_more(void **state)
{
    struct play p = begin();

    (void)state;
    doubt(&p, 1400);
    live(&p, 1300, 5 * KITH_SEC);
    send(&p, 1200, 1);
    live(&p, FOUND, 61 * KITH_SEC);
    assert_int_equal(p.m.cap, 0);
    assert_int_equal(kith_mtu_size(&p.m, FOUND), FOUND);
}

static void a_change_of_path_voids_cap_marks_and_probes(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark old, mark;

    (void)state;
    doubt(&p, 1400);
    live(&p, 1300, 5 * KITH_SEC);
    kith_mtu_moved(&p.m);
    assert_int_equal(kith_mtu_size(&p.m, FOUND), FOUND);
    assert_int_equal(p.m.holes, 1);
    old = kith_mtu_mark(&p.m, FOUND);
    doubt(&p, 1400);
    (void)probe(&p, &mark);
    kith_mtu_moved(&p.m);
    doubt(&p, 1400);
    kith_mtu_acked(&p.m, old, p.now); /* arrived, on the path before */
    kith_mtu_acked(&p.m, mark, p.now);
    assert_int_equal(probe(&p, &mark), 1400);
}

static void what_quic_no_longer_allows_is_not_doubted(void **state)
{
    struct play p = begin();
    struct kith_mtu_mark mark;

    (void)state;
    doubt(&p, 1400);
    assert_false(kith_mtu_probe(&p.m, 1200, RTT, p.now, &mark));
    assert_int_equal(kith_mtu_deadline(&p.m), KITH_NEVER);
}

static void a_mark_survives_being_a_number(void **state)
{
    const struct kith_mtu_mark mark = {
        .size = 1433, .probe = true, .path = 0xab, .count = 0xfedcba98};
    const struct kith_mtu_mark back = kith_mtu_unpack(kith_mtu_pack(mark));

    (void)state;
    assert_int_equal(back.size, mark.size);
    assert_int_equal(back.probe, mark.probe);
    assert_int_equal(back.path, mark.path);
    assert_int_equal(back.count, mark.count);
    assert_int_equal(kith_mtu_unpack(0).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_zero_caps_nothing_and_waits_for_nothing),
        cmocka_unit_test(four_large_ones_unanswered_for_700_ms_and_two_round_trips_make_a_test),
        cmocka_unit_test(small_ones_are_never_in_doubt),
        cmocka_unit_test(an_answer_of_the_largest_ends_doubt_and_that_of_a_smaller_does_not),
        cmocka_unit_test(what_was_sent_after_the_one_that_arrived_stays_in_doubt),
        cmocka_unit_test(one_large_probe_that_arrives_ends_the_test),
        cmocka_unit_test(data_as_large_that_arrives_ends_it_too),
        cmocka_unit_test(ten_small_ones_and_no_large_one_are_a_hole_and_the_search_finds_what_goes),
        cmocka_unit_test(the_hole_is_found_0_7_seconds_after_the_doubt),
        cmocka_unit_test(where_nothing_arrives_the_test_ends_without_a_result),
        cmocka_unit_test(what_was_refuted_is_tried_again_after_a_minute_of_traffic_only),
        cmocka_unit_test(a_path_that_takes_all_again_is_capped_no_more),
        cmocka_unit_test(a_change_of_path_voids_cap_marks_and_probes),
        cmocka_unit_test(what_quic_no_longer_allows_is_not_doubted),
        cmocka_unit_test(a_mark_survives_being_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
