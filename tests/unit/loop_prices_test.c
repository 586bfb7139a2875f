/* Prices of strangers' work after a look at the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/prices.h"

static void a_machine_four_times_as_slow_charges_four_times_as_much(void **state)
{
    struct kith_quic_config one = {0}, four = {0};

    (void)state;
    kith_prices_set(&one, KITH_MSEC);
    kith_prices_set(&four, 4 * KITH_MSEC);
    assert_int_equal(four.handshake_cost, 4 * one.handshake_cost);
    assert_int_equal(four.retry_cost, 4 * one.retry_cost);
    assert_in_range(four.initial_cost, 4 * one.initial_cost, 4 * one.initial_cost + 4);
    /* the whole is dearer than its dearest part */
    assert_true(one.handshake_cost > KITH_MSEC);
    assert_true(one.handshake_cost > one.retry_cost && one.retry_cost > one.initial_cost);
}

static void what_cannot_be_measured_leaves_the_prices_alone(void **state)
{
    struct kith_quic_config cfg = {.handshake_cost = 1, .initial_cost = 2, .retry_cost = 3};

    (void)state;
    kith_prices_set(&cfg, 0);
    assert_int_equal(cfg.handshake_cost, 1);
    assert_int_equal(cfg.initial_cost, 2);
    assert_int_equal(cfg.retry_cost, 3);
}

static void a_measurement_beyond_belief_is_not_followed(void **state)
{
    struct kith_quic_config fast = {0}, slow = {0};

    (void)state;
    kith_prices_set(&fast, 1);
    assert_in_range(fast.handshake_cost, KITH_QUIC_HANDSHAKE_COST / 2 - 1,
                    KITH_QUIC_HANDSHAKE_COST / 2);
    kith_prices_set(&slow, KITH_NEVER);
    assert_int_equal(slow.handshake_cost, 100 * KITH_QUIC_HANDSHAKE_COST);
}

static void signing_and_verifying_takes_time(void **state)
{
    static const struct kith_sign_seed seed = {{7}};
    struct kith_sign_key *key;

    (void)state;
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    kith_dur probe = kith_prices_probe(key);
    print_message("  %u us\n", (unsigned)(probe / KITH_USEC));
    /* nothing computes it in 20 us; a second is for sanitizers and emulators */
    assert_in_range(probe, 20 * KITH_USEC, KITH_SEC);
    kith_sign_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_four_times_as_slow_charges_four_times_as_much),
        cmocka_unit_test(what_cannot_be_measured_leaves_the_prices_alone),
        cmocka_unit_test(a_measurement_beyond_belief_is_not_followed),
        cmocka_unit_test(signing_and_verifying_takes_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
