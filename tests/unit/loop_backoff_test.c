/* When something that the host took away is tried again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/backoff.h"

#define AT(s) ((s)*KITH_SEC)

static void what_held_is_tried_at_once_then_ever_more_rarely(void **state)
{
    static const unsigned later[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct kith_backoff b = {.wait = 0};
    kith_time at = kith_backoff_lost(&b, AT(5), AT(100));

    (void)state;
    assert_int_equal(at, AT(100));
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        kith_time next = kith_backoff_failed(&b, at);
        assert_int_equal(next - at, AT(later[i]));
        at = next;
    }
}

static void what_was_back_for_a_second_begins_anew(void **state)
{
    struct kith_backoff b = {.wait = 0};

    (void)state;
    (void)kith_backoff_lost(&b, AT(5), AT(100));
    for (int i = 0; i < 5; i++)
        (void)kith_backoff_failed(&b, AT(100));
    assert_int_equal(kith_backoff_lost(&b, AT(120), AT(121)), AT(121));
    assert_int_equal(kith_backoff_failed(&b, AT(121)), AT(122));
}

static void what_is_taken_away_whenever_it_appears_waits_on(void **state)
{
    struct kith_backoff b = {.wait = 0};
    kith_time at = kith_backoff_lost(&b, AT(5), AT(100));

    (void)state;
    assert_int_equal(at, AT(100));
    for (unsigned wait = 1; wait <= 32; wait *= 2) { /* each try works, for a moment */
        kith_time gone = at + AT(1) - 1;
        at = kith_backoff_lost(&b, at, gone);
        assert_int_equal(at - gone, AT(wait));
    }
}

static void a_wait_never_wraps(void **state)
{
    struct kith_backoff b = {.wait = 0};

    (void)state;
    (void)kith_backoff_failed(&b, 0);
    assert_int_equal(kith_backoff_failed(&b, KITH_NEVER - 1), KITH_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_held_is_tried_at_once_then_ever_more_rarely),
        cmocka_unit_test(what_was_back_for_a_second_begins_anew),
        cmocka_unit_test(what_is_taken_away_whenever_it_appears_waits_on),
        cmocka_unit_test(a_wait_never_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
