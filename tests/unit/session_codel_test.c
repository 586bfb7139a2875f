/* CoDel: what RFC 8289 says, with its times. */
#include "session/codel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MUCH = 100000 }; /* bytes of backlog */
static const kith_time T0 = 1000 * KITH_SEC;
static const kith_dur LONG = 6 * KITH_MSEC, SHORT = 4 * KITH_MSEC;

static struct kith_codel c;

static int fresh(void **state)
{
    (void)state;
    c = (struct kith_codel){0};
    return 0;
}

static void a_wait_below_target_never_drops(void **state)
{
    (void)state;
    for (kith_time t = T0; t < T0 + 10 * KITH_SEC; t += KITH_MSEC)
        assert_false(kith_codel_drops(&c, SHORT, MUCH, t));
}

static void a_burst_shorter_than_an_interval_is_let_through(void **state)
{
    (void)state;
    for (kith_time t = T0; t < T0 + 99 * KITH_MSEC; t += KITH_MSEC)
        assert_false(kith_codel_drops(&c, LONG, MUCH, t));
    assert_false(kith_codel_drops(&c, SHORT, MUCH, T0 + 99 * KITH_MSEC));
    assert_false(kith_codel_drops(&c, LONG, MUCH, T0 + 101 * KITH_MSEC)); /* begins anew */
}

static void one_packet_of_backlog_is_no_standing_queue(void **state)
{
    (void)state;
    for (kith_time t = T0; t < T0 + KITH_SEC; t += KITH_MSEC)
        assert_false(kith_codel_drops(&c, KITH_SEC, KITH_CODEL_BACKLOG, t));
}

/* The instants at which packets are dropped when one leaves each 0.1 ms and all wait too long. */
static size_t drops(kith_time *at, size_t cap, kith_time from, kith_time to)
{
    size_t n = 0;

    for (kith_time t = from; t < to; t += KITH_MSEC / 10)
        if (kith_codel_drops(&c, LONG, MUCH, t) && n < cap)
            at[n++] = t;
    return n;
}

static void drops_come_ever_more_often_by_the_control_law(void **state)
{
    kith_time at[16];

    (void)state;
    assert_int_equal(drops(at, 16, T0, T0 + 600 * KITH_MSEC), 10);
    assert_int_equal(at[0], T0 + 100 * KITH_MSEC); /* after a whole interval */
    /* then after 100 ms / sqrt(count): 100, 70.7, 57.7, 50, 44.7 … (RFC 8289 5.3, 5.5) */
    static const double gap[] = {100, 70.71, 57.74, 50, 44.72, 40.82, 37.80, 35.36};
    double t = 100;
    for (size_t i = 0; i < KITH_COUNT(gap); i++) {
        t += gap[i];
        double got = (double)(at[i + 1] - T0) / (double)KITH_MSEC;
        assert_true(got >= t - 0.2 && got <= t + 0.4);
    }
}

static void one_short_wait_ends_dropping(void **state)
{
    kith_time at[16];

    (void)state;
    assert_true(drops(at, 16, T0, T0 + 300 * KITH_MSEC) > 1);
    assert_false(kith_codel_drops(&c, SHORT, MUCH, T0 + 300 * KITH_MSEC));
    assert_false(kith_codel_drops(&c, LONG, MUCH, T0 + 301 * KITH_MSEC));
    assert_int_equal(drops(at, 16, T0 + 302 * KITH_MSEC, T0 + 400 * KITH_MSEC), 0);
}

static void dropping_resumes_at_the_rate_it_had_if_that_is_not_long_ago(void **state)
{
    kith_time at[16];

    (void)state;
    assert_int_equal(drops(at, 16, T0, T0 + 600 * KITH_MSEC), 10);
    kith_codel_rests(&c);
    size_t n = drops(at, 16, T0 + 700 * KITH_MSEC, T0 + 900 * KITH_MSEC);
    assert_true(n >= 3); /* from the first: 100 / sqrt(9) = 33 ms apart, not 100 */
    assert_true(at[1] - at[0] < 40 * KITH_MSEC);
    kith_codel_rests(&c);
    n = drops(at, 16, T0 + 10 * KITH_SEC, T0 + 10 * KITH_SEC + 180 * KITH_MSEC);
    assert_int_equal(n, 1); /* long ago: as if for the first time */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_wait_below_target_never_drops, fresh),
        cmocka_unit_test_setup(a_burst_shorter_than_an_interval_is_let_through, fresh),
        cmocka_unit_test_setup(one_packet_of_backlog_is_no_standing_queue, fresh),
        cmocka_unit_test_setup(drops_come_ever_more_often_by_the_control_law, fresh),
        cmocka_unit_test_setup(one_short_wait_ends_dropping, fresh),
        cmocka_unit_test_setup(dropping_resumes_at_the_rate_it_had_if_that_is_not_long_ago, fresh),
    };

    return cmocka_run_group_tests_name("session_codel", tests, NULL, NULL);
}
