/* What a path carries, by samples given by hand (conn/delivery.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conn/delivery.h"

static const kith_time T0 = 1000 * KITH_SEC;

enum { FULL = true, LESS = false };

/* One second at so many kbit/s. */
static void sample(struct kith_delivery *d, uint64_t kbits, bool full, kith_time now)
{
    kith_delivery_sample(d, kbits * 125, KITH_SEC, full, now);
}

static uint64_t kbits(const struct kith_delivery *d)
{
    return kith_delivery_rate(d) / 1000;
}

static void a_path_that_never_carried_much_has_no_rate(void **state)
{
    struct kith_delivery d = {0};

    (void)state;
    assert_int_equal(kbits(&d), 0);
    sample(&d, 50, LESS, T0);
    sample(&d, 5000, LESS, T0 + KITH_SEC);
    assert_int_equal(kbits(&d), 0);
    sample(&d, 3000, FULL, T0 + 2 * KITH_SEC);
    assert_int_equal(kbits(&d), 3000);
}

static void what_was_limited_by_the_sender_raises_it_and_lowers_nothing(void **state)
{
    struct kith_delivery d = {0};

    (void)state;
    sample(&d, 3000, FULL, T0);
    sample(&d, 100, LESS, T0 + KITH_SEC);
    sample(&d, 2000, FULL, T0 + 2 * KITH_SEC);
    assert_int_equal(kbits(&d), 3000);
    sample(&d, 4000, LESS, T0 + 3 * KITH_SEC);
    assert_int_equal(kbits(&d), 4000);
}

static void the_highest_is_forgotten_after_the_span_that_follows(void **state)
{
    struct kith_delivery d = {0};

    (void)state;
    sample(&d, 9000, FULL, T0);
    sample(&d, 4000, FULL, T0 + 301 * KITH_SEC);
    sample(&d, 4000, LESS, T0 + 599 * KITH_SEC);
    assert_int_equal(kbits(&d), 9000);
    kith_delivery_tick(&d, T0 + 600 * KITH_SEC);
    assert_int_equal(kbits(&d), 4000);
    kith_delivery_tick(&d, T0 + 900 * KITH_SEC);
    assert_int_equal(kbits(&d), 0);
}

static void after_a_long_silence_nothing_is_known(void **state)
{
    struct kith_delivery d = {0};

    (void)state;
    sample(&d, 9000, FULL, T0);
    sample(&d, 10, LESS, T0 + 10000 * KITH_SEC);
    assert_int_equal(kbits(&d), 0);
}

/* ---- where congestion control says what is held back ---- */

struct flow {
    struct kith_delivery d;
    kith_time now;
    uint64_t total;
};

/* Acknowledgements each 10 ms at so many kbit/s, for `d`. */
static void flows(struct flow *f, uint64_t kbit, bool held, kith_dur d)
{
    for (kith_dur t = 0; t < d; t += 10 * KITH_MSEC) {
        f->now += 10 * KITH_MSEC;
        f->total += kbit * 10 / 8;
        kith_delivery_count(&f->d, f->total, held, 20 * KITH_MSEC, f->now);
    }
}

static void who_is_held_back_all_the_while_at_a_steady_rate_knows_the_paths(void **state)
{
    struct flow f = {.now = T0};

    (void)state;
    flows(&f, 800, true, 2 * KITH_SEC);
    assert_in_range(kbits(&f.d), 790, 810);
}

static void a_window_that_still_opens_says_nothing(void **state)
{
    struct flow f = {.now = T0};

    (void)state;
    for (uint64_t kbit = 100; kbit < 10000; kbit *= 2)
        flows(&f, kbit, true, 250 * KITH_MSEC);
    assert_int_equal(kbits(&f.d), 0);
}

static void what_is_sent_now_and_then_is_not_held_back_all_the_while(void **state)
{
    struct flow f = {.now = T0};

    (void)state;
    for (int i = 0; i < 50; i++) {
        flows(&f, 800, true, 90 * KITH_MSEC);
        flows(&f, 800, false, 10 * KITH_MSEC);
    }
    assert_int_equal(kbits(&f.d), 0);
}

static void a_sample_is_of_four_round_trips_at_least(void **state)
{
    struct kith_delivery d = {0};

    (void)state;
    assert_int_equal(kith_delivery_sample_time(0), 250 * KITH_MSEC);
    assert_int_equal(kith_delivery_sample_time(100 * KITH_MSEC), 400 * KITH_MSEC);
    /* what was held up comes at once: half a second's worth, but twice in two seconds */
    for (uint64_t i = 1; i <= 16; i++) {
        kith_time now = T0 + (i + i / 4 * 2) * 250 * KITH_MSEC;
        kith_delivery_count(&d, i * 50000, true, 500 * KITH_MSEC, now);
    }
    assert_in_range(kbits(&d), 1000, 1600);
}

static void counts_that_go_back_are_no_sample(void **state)
{
    struct flow f = {.now = T0, .total = 1000000};

    (void)state;
    flows(&f, 800, true, 2 * KITH_SEC);
    f.total = 0;
    flows(&f, 800, true, 200 * KITH_MSEC);
    assert_in_range(kbits(&f.d), 790, 810);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_never_carried_much_has_no_rate),
        cmocka_unit_test(what_was_limited_by_the_sender_raises_it_and_lowers_nothing),
        cmocka_unit_test(the_highest_is_forgotten_after_the_span_that_follows),
        cmocka_unit_test(after_a_long_silence_nothing_is_known),
        cmocka_unit_test(who_is_held_back_all_the_while_at_a_steady_rate_knows_the_paths),
        cmocka_unit_test(a_window_that_still_opens_says_nothing),
        cmocka_unit_test(what_is_sent_now_and_then_is_not_held_back_all_the_while),
        cmocka_unit_test(a_sample_is_of_four_round_trips_at_least),
        cmocka_unit_test(counts_that_go_back_are_no_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
