/* Everything that the cryptographic library makes once is made by a warm-up, which leaves nothing
 * else behind and says when it could not. That it lasts is shown by
 * tests/sim/torture_crypto_test.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conn/quic/quic.h"
#include "crypto/warm_up.h"
#include "lab_alloc.h"
#include "os/process.h"

static struct lab_alloc lab;
static struct kith_sign_key *key;
static size_t told;

static void sink(void *ctx, const struct kith_event *ev)
{
    (void)ctx, (void)ev;
    told++;
}

static int begin(void **state)
{
    const struct kith_sign_seed seed = {{7}};

    (void)state;
    lab_alloc_init(&lab);
    told = 0;
    return kith_sign_key_from_seed(&kith_heap, &seed, &key);
}

static int finish(void **state)
{
    (void)state;
    kith_sign_key_free(key);
    return 0;
}

static int warm_up(void)
{
    static const struct kith_events events = {.sink = sink};
    struct kith_random random = kith_random_system();
    const struct kith_env env = {.alloc = &lab.alloc, .random = &random, .events = &events};
    int err = kith_crypto_warm_up(&lab.alloc);

    return err < 0 ? err : kith_quic_warm_up(key, &env);
}

static void it_leaves_nothing_and_tells_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(warm_up(), KITH_OK);
    assert_true(lab.requests > 0);
    assert_int_equal(lab.live, 0);
    assert_int_equal(told, 0);
}

static void a_failing_allocation_of_ours_is_an_error_and_leaves_nothing(void **state)
{
    uint64_t asked, failures = 0;

    (void)state;
    assert_int_equal(warm_up(), KITH_OK);
    asked = lab.requests;
    for (uint64_t i = 1; i <= asked; i++) {
        lab.fail_at = lab.requests + i;
        lab.fail_run = 1000000; /* and whatever comes after it */
        failures += warm_up() < 0;
        assert_int_equal(lab.live, 0);
    }
    assert_true(failures > asked / 2); /* some are for what need not be */
    lab.fail_at = 0;
    assert_int_equal(warm_up(), KITH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_leaves_nothing_and_tells_nobody, begin, finish),
        cmocka_unit_test_setup_teardown(a_failing_allocation_of_ours_is_an_error_and_leaves_nothing,
                                        begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
