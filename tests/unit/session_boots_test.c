/* Programs of one peer: one after the other, or two at once. */
#include "session/boots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;

static void one_that_restarts_as_often_as_it_likes_is_one(void **state)
{
    struct kith_boots b = {0};

    (void)state;
    for (uint64_t i = 1; i < 1000; i++)
        assert_false(kith_boots_replace(&b, i, i + 1, T0 + i * KITH_SEC));
}

static void two_that_take_turns_are_two(void **state)
{
    struct kith_boots b = {0};

    (void)state;
    assert_false(kith_boots_replace(&b, 1, 2, T0));
    assert_false(kith_boots_replace(&b, 2, 1, T0 + KITH_SEC)); /* perhaps it was on its way */
    assert_true(kith_boots_replace(&b, 1, 2, T0 + 2 * KITH_SEC));
    assert_true(kith_boots_replace(&b, 2, 1, T0 + 3 * KITH_SEC));
}

static void three_are_more_than_one_too(void **state)
{
    struct kith_boots b = {0};
    uint64_t last = 1;
    unsigned said = 0;

    (void)state;
    for (uint64_t i = 1; i < 12; i++) {
        uint64_t by = 1 + i % 3;
        said += kith_boots_replace(&b, last, by, T0 + i * KITH_SEC);
        last = by;
    }
    assert_int_equal(said, 8); /* of eleven changes two are to somebody new, and one is the first */
}

static void what_came_back_once_in_an_hour_is_no_other(void **state)
{
    struct kith_boots b = {0};
    kith_time t = T0;

    (void)state;
    assert_false(kith_boots_replace(&b, 1, 2, t));
    assert_false(kith_boots_replace(&b, 2, 1, t));
    t += KITH_BOOTS_WINDOW + 1;
    assert_false(kith_boots_replace(&b, 1, 2, t));
    t += KITH_BOOTS_WINDOW;
    assert_true(kith_boots_replace(&b, 2, 1, t));
}

/* Two that each restart between their turns never come back as who they were. */
static void only_the_last_four_are_remembered(void **state)
{
    struct kith_boots b = {0};

    (void)state;
    for (uint64_t i = 1; i <= KITH_BOOTS_KEPT + 1; i++)
        (void)kith_boots_replace(&b, i, i + 1, T0);
    (void)kith_boots_replace(&b, KITH_BOOTS_KEPT + 2, 2, T0); /* is remembered: once */
    assert_false(kith_boots_replace(&b, 2, 1, T0));           /* is not any more */
}

static void zero_is_nobody_who_was_replaced(void **state)
{
    struct kith_boots b = {0};

    (void)state;
    for (uint64_t i = 1; i <= 4; i++) /* there are places that nobody has taken yet */
        assert_false(kith_boots_replace(&b, i, 0, T0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_restarts_as_often_as_it_likes_is_one),
        cmocka_unit_test(two_that_take_turns_are_two),
        cmocka_unit_test(three_are_more_than_one_too),
        cmocka_unit_test(what_came_back_once_in_an_hour_is_no_other),
        cmocka_unit_test(only_the_last_four_are_remembered),
        cmocka_unit_test(zero_is_nobody_who_was_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
