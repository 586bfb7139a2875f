/* What is forgiven and what is not: windows, strikes, the way out and back. */
#include "session/conduct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define T0 (1000 * KITH_SEC)
#define WINDOW KITH_CONDUCT_WINDOW

#define KIND KITH_OFFENCE_datagrams
enum { MOST = 1000 }; /* of them, as conduct.def says */

static bool sent_away(struct kith_conduct *c, kith_time now)
{
    enum kith_offence what;

    return kith_conduct_tick(c, now, &what);
}

/* n offences at a moment. */
static void offends(struct kith_conduct *c, size_t n, kith_time at)
{
    for (size_t i = 0; i < n; i++)
        (void)kith_conduct_note(c, KIND, at);
}

static void nothing_is_remembered_of_one_that_did_nothing(void **state)
{
    struct kith_conduct c = {0};

    (void)state;
    assert_true(kith_conduct_is_clean(&c));
    assert_int_equal(kith_conduct_deadline(&c), KITH_NEVER);
    assert_false(sent_away(&c, T0));
    assert_false(kith_conduct_is_away(&c, T0));
}

static void the_first_one_too_many_of_a_window_is_told_and_no_other(void **state)
{
    struct kith_conduct c = {0};

    (void)state;
    for (int window = 0; window < 2; window++) {
        kith_time at = T0 + (kith_time)window * WINDOW;
        for (size_t i = 0; i < MOST; i++)
            assert_false(kith_conduct_note(&c, KIND, at));
        assert_true(kith_conduct_note(&c, KIND, at + 1));
        for (size_t i = 0; i < MOST; i++)
            assert_false(kith_conduct_note(&c, KIND, at + 2));
        assert_false(kith_conduct_note(&c, KITH_OFFENCE_streams, at + 3)); /* kinds count apart */
    }
}

static void a_burst_is_forgiven_however_big(void **state)
{
    struct kith_conduct c = {0};

    (void)state;
    offends(&c, 1000 * MOST, T0);
    for (unsigned i = 1; i < 100; i++)
        assert_false(sent_away(&c, T0 + i * WINDOW));
    assert_true(kith_conduct_is_clean(&c));
}

static void six_bad_windows_in_a_row_send_away_and_five_do_not(void **state)
{
    struct kith_conduct five = {0}, six = {0};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        assert_false(sent_away(&six, T0 + i * WINDOW));
        offends(&six, MOST + 1, T0 + i * WINDOW);
        if (i < 5)
            offends(&five, MOST + 1, T0 + i * WINDOW);
    }
    assert_int_equal(kith_conduct_deadline(&six), T0 + 6 * WINDOW);
    assert_false(sent_away(&six, T0 + 6 * WINDOW - 1));
    assert_true(sent_away(&six, T0 + 6 * WINDOW));
    for (unsigned i = 6; i < 20; i++)
        assert_false(sent_away(&five, T0 + i * WINDOW));
}

static void exactly_the_limit_all_the_time_is_no_offence(void **state)
{
    struct kith_conduct c = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_false(sent_away(&c, T0 + i * WINDOW));
        offends(&c, MOST, T0 + i * WINDOW);
    }
}

static void a_good_window_takes_a_strike_back(void **state)
{
    struct kith_conduct c = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) { /* every other one is bad */
        offends(&c, MOST + 1, T0 + 2 * i * WINDOW);
        assert_false(sent_away(&c, T0 + (2 * i + 1) * WINDOW));
        assert_false(sent_away(&c, T0 + (2 * i + 2) * WINDOW));
    }
}

static void what_was_overdone_most_is_named(void **state)
{
    struct kith_conduct c = {0};
    enum kith_offence what = KITH_OFFENCES;

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        offends(&c, MOST + 1, T0 + i * WINDOW);
        for (size_t k = 0; k < 500; k++) /* of 100 */
            (void)kith_conduct_note(&c, KITH_OFFENCE_streams, T0 + i * WINDOW);
    }
    assert_true(kith_conduct_tick(&c, T0 + 6 * WINDOW, &what));
    assert_int_equal(what, KITH_OFFENCE_streams);
    assert_string_equal(kith_offence_text(what), "streams");
}

static void sixth_strike(struct kith_conduct *c)
{
    for (unsigned i = 0; i < 6; i++)
        offends(c, MOST + 1, T0 + i * WINDOW);
    assert_true(sent_away(c, T0 + 6 * WINDOW));
}

static void who_is_sent_away_is_away_for_a_minute_and_then_welcome(void **state)
{
    struct kith_conduct c = {0};
    const kith_time back = T0 + 6 * WINDOW + KITH_CONDUCT_AWAY;

    (void)state;
    sixth_strike(&c);
    assert_true(kith_conduct_is_away(&c, back - 1));
    assert_false(kith_conduct_is_away(&c, back));
    assert_false(kith_conduct_is_clean(&c)); /* it is remembered for a while longer */
    for (unsigned i = 0; i < 8; i++)
        assert_false(sent_away(&c, back + i * WINDOW));
    assert_true(kith_conduct_is_clean(&c));
}

static void one_bad_window_after_the_return_sends_away_again(void **state)
{
    struct kith_conduct c = {0};
    const kith_time back = T0 + 6 * WINDOW + KITH_CONDUCT_AWAY;

    (void)state;
    sixth_strike(&c);
    offends(&c, MOST + 1, back);
    assert_false(sent_away(&c, back + WINDOW - 1));
    assert_true(sent_away(&c, back + WINDOW));
    assert_true(kith_conduct_is_away(&c, back + WINDOW));
}

/* The law: whoever stays within the limit in any 10 s is never sent away, whatever else happens. */
static void who_keeps_to_the_limits_is_never_sent_away_in_any_history(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0) : 20261121u;

    (void)state;
    print_message("SEED=%u\n", seed);
    for (int round = 0; round < 200; round++) {
        struct kith_conduct c = {0};
        kith_time now = T0, last = T0;
        size_t within = 0;
        for (int i = 0; i < 3000; i++) {
            seed = seed * 1103515245u + 12345u;
            now += (seed >> 8) % (KITH_SEC / 4);
            if (now - last >= 2 * WINDOW) {
                last = now;
                within = 0;
            }
            for (size_t k = (seed >> 4) % 40; k > 0 && within < MOST; k--, within++)
                assert_false(kith_conduct_note(&c, KIND, now));
            if (seed % 3 == 0)
                assert_false(sent_away(&c, now));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_remembered_of_one_that_did_nothing),
        cmocka_unit_test(the_first_one_too_many_of_a_window_is_told_and_no_other),
        cmocka_unit_test(a_burst_is_forgiven_however_big),
        cmocka_unit_test(six_bad_windows_in_a_row_send_away_and_five_do_not),
        cmocka_unit_test(exactly_the_limit_all_the_time_is_no_offence),
        cmocka_unit_test(a_good_window_takes_a_strike_back),
        cmocka_unit_test(what_was_overdone_most_is_named),
        cmocka_unit_test(who_is_sent_away_is_away_for_a_minute_and_then_welcome),
        cmocka_unit_test(one_bad_window_after_the_return_sends_away_again),
        cmocka_unit_test(who_keeps_to_the_limits_is_never_sent_away_in_any_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
