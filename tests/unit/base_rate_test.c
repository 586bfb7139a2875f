/* Rates: a burst, then one every so often. */
#include "base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 100 * KITH_SEC;

static void a_burst_is_taken_and_then_one_every_so_often(void **state)
{
    kith_time paid = 0;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0));
    assert_false(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0));
    assert_false(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0 + KITH_SEC - 1));
    assert_true(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0 + KITH_SEC));
    assert_false(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0 + KITH_SEC));
}

static void what_is_refused_is_not_taken(void **state)
{
    kith_time paid = 0;

    (void)state;
    assert_true(kith_rate_takes(&paid, KITH_SEC, 3, 5, T0));
    for (int i = 0; i < 10; i++)
        assert_false(kith_rate_takes(&paid, KITH_SEC, 3, 5, T0));
    assert_true(kith_rate_takes(&paid, KITH_SEC, 2, 5, T0));
    assert_false(kith_rate_takes(&paid, KITH_SEC, 6, 5, T0 + 600 * KITH_SEC)); /* never at once */
}

static void a_long_rest_gives_one_burst_and_no_more(void **state)
{
    kith_time paid = 0;

    (void)state;
    assert_true(kith_rate_takes(&paid, KITH_SEC, 5, 5, T0));
    assert_true(kith_rate_takes(&paid, KITH_SEC, 5, 5, T0 + 3600 * KITH_SEC));
    assert_false(kith_rate_takes(&paid, KITH_SEC, 1, 5, T0 + 3600 * KITH_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_taken_and_then_one_every_so_often),
        cmocka_unit_test(what_is_refused_is_not_taken),
        cmocka_unit_test(a_long_rest_gives_one_burst_and_no_more),
    };

    return cmocka_run_group_tests_name("base_rate", tests, NULL, NULL);
}
