/* Prices of strangers' work after a look at the machine, and when it becomes slower. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/prices.h"

static void a_machine_four_times_as_slow_charges_four_times_as_much(void **state)
{
    struct kith_prices one = {.whole = 0}, four = {.whole = 0};

    (void)state;
    kith_prices_set(&one, KITH_MSEC, KITH_MSEC / 4);
    kith_prices_set(&four, 4 * KITH_MSEC, KITH_MSEC);
    assert_int_equal(four.now.handshake, 4 * one.now.handshake);
    assert_int_equal(four.now.retry, 4 * one.now.retry);
    assert_in_range(four.now.initial, 4 * one.now.initial, 4 * one.now.initial + 4);
    /* the whole is dearer than its dearest part */
    assert_true(one.now.handshake > KITH_MSEC);
    assert_true(one.now.handshake > one.now.retry && one.now.retry > one.now.initial);
}

static void what_cannot_be_measured_leaves_the_prices_alone(void **state)
{
    struct kith_prices p = {.whole = 0};

    (void)state;
    kith_prices_set(&p, 0, 0);
    assert_int_equal(p.now.handshake, 0);
    for (int i = 0; i < 10; i++)
        assert_false(kith_prices_follow(&p, KITH_MSEC));
    assert_false(kith_prices_look(&p, 1, KITH_SEC));
    assert_int_equal(p.now.handshake, 0);

    kith_prices_set(&p, KITH_MSEC, KITH_MSEC / 4);
    const struct kith_quic_prices before = p.now;
    for (int i = 0; i < 10; i++)
        assert_false(kith_prices_follow(&p, 0));
    assert_int_equal(p.now.handshake, before.handshake);
}

static void a_measurement_beyond_belief_is_not_followed(void **state)
{
    struct kith_prices fast = {.whole = 0}, slow = {.whole = 0};

    (void)state;
    kith_prices_set(&fast, 1, 1);
    assert_in_range(fast.now.handshake, KITH_QUIC_HANDSHAKE_COST / 2 - 1,
                    KITH_QUIC_HANDSHAKE_COST / 2);
    kith_prices_set(&slow, KITH_NEVER, KITH_NEVER);
    assert_int_equal(slow.now.handshake, 100 * KITH_QUIC_HANDSHAKE_COST);

    kith_prices_set(&slow, KITH_MSEC, KITH_MSEC / 4);
    for (int i = 0; i < KITH_PRICES_KEPT; i++)
        (void)kith_prices_follow(&slow, KITH_NEVER);
    assert_int_equal(slow.now.handshake, 100 * KITH_QUIC_HANDSHAKE_COST);
}

/* ---- a machine that changes ---- */

static void
a_machine_that_becomes_half_as_fast_charges_twice_as_much_until_it_recovers(void **state)
{
    struct kith_prices p = {.whole = 0};
    int changes = 0;

    (void)state;
    kith_prices_set(&p, KITH_MSEC, KITH_MSEC / 4);
    const struct kith_quic_prices before = p.now;
    for (int i = 0; i < 2 * KITH_PRICES_KEPT; i++)
        changes += kith_prices_follow(&p, KITH_MSEC / 2);
    assert_int_equal(changes, 1);
    assert_int_equal(p.now.handshake, 2 * before.handshake);
    assert_in_range(p.now.initial, 2 * before.initial, 2 * before.initial + 1);
    assert_int_equal(p.now.retry, 2 * before.retry);
    for (int i = 0; i < KITH_PRICES_KEPT; i++)
        changes += kith_prices_follow(&p, KITH_MSEC / 4);
    assert_int_equal(changes, 2);
    assert_int_equal(p.now.handshake, before.handshake);
}

/* Two of five may be anything: an interrupt, a page that was away, a clock that stood. */
static void single_odd_measurements_change_nothing(void **state)
{
    static const kith_dur seen[] = {1, 4, 40, 4, 4, 1, 4, 4, 40, 4, 40, 4, 4};
    struct kith_prices p = {.whole = 0};

    (void)state;
    kith_prices_set(&p, 16 * KITH_USEC * 100, 4 * KITH_USEC * 100);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
        assert_false(kith_prices_follow(&p, seen[i] * KITH_USEC * 100));
}

static void less_than_an_eighth_is_noise(void **state)
{
    struct kith_prices p = {.whole = 0};

    (void)state;
    kith_prices_set(&p, 1600 * KITH_USEC, 400 * KITH_USEC);
    for (int i = 0; i < 50; i++)
        assert_false(kith_prices_follow(&p, (i % 2 == 0 ? 360u : 440u) * KITH_USEC));
}

/* ---- for real ---- */

static void signing_and_verifying_takes_time(void **state)
{
    static const struct kith_sign_seed seed = {{7}};
    struct kith_prices p = {.whole = 0};
    struct kith_sign_key *key;

    (void)state;
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    kith_prices_begin(&p, key);
    print_message("  %u us, of that verifying %u us\n", (unsigned)(p.whole / KITH_USEC),
                  (unsigned)(p.part / KITH_USEC));
    /* nothing computes it in 20 us; a second is for sanitizers and emulators */
    assert_in_range(p.whole, 20 * KITH_USEC, KITH_SEC);
    assert_in_range(p.part, 5 * KITH_USEC, p.whole - 5 * KITH_USEC);
    kith_sign_key_free(key);
}

/* Only while strangers come, and not with every one of them. */
static void it_is_timed_again_while_strangers_come(void **state)
{
    static const struct kith_sign_seed seed = {{7}};
    struct kith_prices p = {.whole = 0};
    struct kith_sign_key *key;
    kith_time now = KITH_SEC;

    (void)state;
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    kith_prices_begin(&p, key);
    kith_sign_key_free(key);
    for (int i = 0; i < 100; i++)
        (void)kith_prices_look(&p, 0, now += KITH_SEC);
    assert_int_equal(p.n_last, 0);
    (void)kith_prices_look(&p, 1, now);
    for (uint64_t i = 2; i < 100; i++)
        (void)kith_prices_look(&p, i, now);
    assert_int_equal(p.n_last, 1);
    assert_in_range(p.last[0], 5 * KITH_USEC, KITH_SEC);
    (void)kith_prices_look(&p, 100, now + KITH_PRICES_AGAIN);
    (void)kith_prices_look(&p, 100, now + 2 * KITH_PRICES_AGAIN);
    assert_int_equal(p.n_last, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_four_times_as_slow_charges_four_times_as_much),
        cmocka_unit_test(what_cannot_be_measured_leaves_the_prices_alone),
        cmocka_unit_test(a_measurement_beyond_belief_is_not_followed),
        cmocka_unit_test(
            a_machine_that_becomes_half_as_fast_charges_twice_as_much_until_it_recovers),
        cmocka_unit_test(single_odd_measurements_change_nothing),
        cmocka_unit_test(less_than_an_eighth_is_noise),
        cmocka_unit_test(signing_and_verifying_takes_time),
        cmocka_unit_test(it_is_timed_again_while_strangers_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
