/* Clocks compared from wake-up to wake-up: sleeping, being set, and what is neither. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/clocks.h"

/* Seconds of each clock. */
static struct kith_clocks_news look(struct kith_clocks *c, uint64_t boot, uint64_t awake,
                                    uint64_t wall)
{
    return kith_clocks_look(c, (struct kith_now){.mono = boot * KITH_SEC, .wall = wall},
                            awake * KITH_SEC);
}

static void the_first_look_has_no_news_whatever_the_clocks_say(void **state)
{
    struct kith_clocks c = {.seen = false};
    struct kith_clocks_news n = look(&c, 900, 5, 1795199460);

    (void)state;
    assert_false(n.resumed);
    assert_int_equal(n.jumped, 0);
}

static void a_night_asleep_is_told_once_and_is_no_jump(void **state)
{
    struct kith_clocks c = {.seen = false};
    struct kith_clocks_news n;

    (void)state;
    (void)look(&c, 100, 100, 5000);
    n = look(&c, 30100, 101, 35000);
    assert_true(n.resumed);
    assert_int_equal(n.jumped, 0);
    n = look(&c, 30200, 201, 35100);
    assert_false(n.resumed);
}

static void a_pause_below_two_seconds_is_no_sleep_and_two_are(void **state)
{
    struct kith_clocks c = {.seen = false};

    (void)state;
    (void)look(&c, 100, 100, 5000);
    assert_false(look(&c, 111, 110, 5011).resumed);
    assert_true(look(&c, 123, 120, 5023).resumed);
}

static void a_calendar_set_by_more_than_a_minute_is_told_with_its_sign(void **state)
{
    struct kith_clocks c = {.seen = false};

    (void)state;
    (void)look(&c, 100, 100, 5000);
    assert_int_equal(look(&c, 110, 110, 5010 + 60).jumped, 0);
    assert_int_equal(look(&c, 120, 120, 5080 + 61).jumped, 61);
    assert_int_equal(look(&c, 130, 130, 5151 - 3600).jumped, -3600);
    assert_int_equal(look(&c, 140, 140, 5161 - 3600).jumped, 0);
}

static void a_slow_drift_never_adds_up_to_a_jump(void **state)
{
    struct kith_clocks c = {.seen = false};

    (void)state;
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(look(&c, 100 + 10 * i, 100 + 10 * i, 5000 + 11 * i).jumped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_look_has_no_news_whatever_the_clocks_say),
        cmocka_unit_test(a_night_asleep_is_told_once_and_is_no_jump),
        cmocka_unit_test(a_pause_below_two_seconds_is_no_sleep_and_two_are),
        cmocka_unit_test(a_calendar_set_by_more_than_a_minute_is_told_with_its_sign),
        cmocka_unit_test(a_slow_drift_never_adds_up_to_a_jump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
