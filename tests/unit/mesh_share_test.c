/* Shares of a byte rate: no more than the rate, evenly, and nothing unused while somebody wants it.
 */
#include "mesh/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RATE = 1000000, N = 1000 }; /* bytes a second; bytes of a datagram */
static const kith_time T0 = 1000 * KITH_SEC;

static struct kith_share s;
static struct kith_share_of of[4];
static uint64_t got[4];

static int fresh(void **state)
{
    (void)state;
    s = (struct kith_share){.rate = RATE};
    memset(of, 0, sizeof of);
    memset(got, 0, sizeof got);
    return 0;
}

/* Each asks for want[i] bytes a second, evenly, for so long; in turn who is first. */
static void ask(const uint64_t want[4], kith_time from, kith_dur how_long)
{
    uint64_t asked[4] = {0};

    for (kith_dur d = 0; d < how_long; d += KITH_MSEC)
        for (unsigned k = 0; k < 4; k++) {
            unsigned i = (k + (unsigned)(d / KITH_MSEC)) % 4;
            for (; asked[i] + N <= want[i] * d / KITH_SEC; asked[i] += N)
                got[i] += kith_share_takes(&s, &of[i], N, from + d) ? N : 0;
        }
}

static void without_a_rate_all_may_pass(void **state)
{
    (void)state;
    s.rate = 0;
    ask((uint64_t[4]){50 * RATE, 0, 0, 0}, T0, KITH_SEC);
    assert_in_range(got[0], 50 * RATE - 100 * N, 50 * RATE);
}

static void one_alone_has_the_whole_rate_and_no_more(void **state)
{
    (void)state;
    ask((uint64_t[4]){5 * RATE, 0, 0, 0}, T0, 10 * KITH_SEC);
    /* and what may be ahead: twice 200 ms, of its own share and of all */
    assert_in_range(got[0], 10 * RATE, 10 * RATE + RATE * 4 / 10 + 2 * N);
}

static void who_wants_little_gets_it_whatever_others_want(void **state)
{
    (void)state;
    ask((uint64_t[4]){20 * RATE, RATE / 10, 0, 0}, T0, 10 * KITH_SEC);
    assert_in_range(got[1], RATE * 98 / 100, RATE);
    assert_in_range(got[0] + got[1], 10 * RATE, 10 * RATE + RATE);
}

static void who_wants_too_much_gets_as_much_as_others_that_do(void **state)
{
    (void)state;
    ask((uint64_t[4]){2 * RATE, 2 * RATE, 40 * RATE, 0}, T0, 30 * KITH_SEC);
    for (int i = 0; i < 3; i++)
        assert_in_range(got[i], 10 * RATE * 8 / 10, 10 * RATE * 13 / 10);
    assert_in_range(got[0] + got[1] + got[2], 30 * RATE, 30 * RATE + RATE);
}

static void who_has_gone_takes_no_share_a_second_later(void **state)
{
    (void)state;
    ask((uint64_t[4]){2 * RATE, 2 * RATE, 2 * RATE, 2 * RATE}, T0, 5 * KITH_SEC);
    memset(got, 0, sizeof got);
    ask((uint64_t[4]){2 * RATE, 0, 0, 0}, T0 + 7 * KITH_SEC, 5 * KITH_SEC);
    assert_in_range(got[0], 5 * RATE - N, 5 * RATE + RATE / 2);
}

static void who_asked_a_second_ago_counts_when_the_next_begins(void **state)
{
    const kith_dur cost = N * KITH_SEC / RATE;

    (void)state;
    assert_true(kith_share_takes(&s, &of[0], N, T0));
    assert_true(kith_share_takes(&s, &of[1], N, T0));
    kith_time next = T0 + KITH_SEC;
    assert_true(kith_share_takes(&s, &of[0], N, next));
    assert_int_equal(of[0].paid, next + 2 * cost);
    next += 2 * KITH_SEC; /* a second in which nobody asked is between */
    assert_true(kith_share_takes(&s, &of[0], N, next));
    assert_int_equal(of[0].paid, next + cost);
}

static void a_datagram_that_takes_longer_than_what_may_be_ahead_passes_too(void **state)
{
    (void)state;
    s.rate = 1000; /* 65 s for the largest */
    assert_true(kith_share_takes(&s, &of[0], 65535, T0));
    assert_false(kith_share_takes(&s, &of[0], 1, T0 + 60 * KITH_SEC));
    assert_true(kith_share_takes(&s, &of[0], 1, T0 + 66 * KITH_SEC));
}

#define T(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_a_rate_all_may_pass),
        T(one_alone_has_the_whole_rate_and_no_more),
        T(who_wants_little_gets_it_whatever_others_want),
        T(who_wants_too_much_gets_as_much_as_others_that_do),
        T(who_has_gone_takes_no_share_a_second_later),
        T(who_asked_a_second_ago_counts_when_the_next_begins),
        T(a_datagram_that_takes_longer_than_what_may_be_ahead_passes_too),
    };

    return cmocka_run_group_tests_name("mesh share", tests, NULL, NULL);
}
