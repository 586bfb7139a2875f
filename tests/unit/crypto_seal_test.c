/* AES-256-GCM against its standard's vectors, Argon2id against an independent implementation. */
#include "crypto/passphrase.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14. */
static void sealing_agrees_with_the_gcm_test_cases(void **state)
{
    const struct kith_seal_key key = {{0}};
    const struct kith_seal_nonce nonce = {{0}};
    const uint8_t zeros[16] = {0};
    uint8_t out[32];
    char text[65];
    size_t n = 0;

    (void)state;
    assert_int_equal(
        kith_seal(&key, &nonce, (struct kith_span){0}, (struct kith_span){0}, out, sizeof out, &n),
        KITH_OK);
    assert_string_equal(kith_hex_text((struct kith_span){out, n}, text, sizeof text),
                        "530f8afbc74536b9a963b4f1c4cb738b");
    assert_int_equal(
        kith_seal(&key, &nonce, (struct kith_span){0}, KITH_SPAN_OF(zeros), out, sizeof out, &n),
        KITH_OK);
    assert_string_equal(kith_hex_text((struct kith_span){out, n}, text, sizeof text),
                        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

static void what_was_sealed_opens_and_whatever_was_changed_does_not(void **state)
{
    struct kith_seal_key key = {{7}};
    struct kith_seal_nonce nonce = {{8}};
    struct kith_span aad = kith_span_text("for whom"), in = kith_span_text("a secret");
    uint8_t sealed[64], out[64];
    size_t n = 0, m = 0;

    (void)state;
    assert_int_equal(kith_seal(&key, &nonce, aad, in, sealed, sizeof sealed, &n), KITH_OK);
    assert_int_equal(n, in.n + KITH_SEAL_TAG);
    struct kith_span box = {sealed, n};
    assert_int_equal(kith_seal_open(&key, &nonce, aad, box, out, sizeof out, &m), KITH_OK);
    assert_true(kith_span_equal((struct kith_span){out, m}, in));

    m = 99;
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 0x10;
        assert_int_equal(kith_seal_open(&key, &nonce, aad, box, out, sizeof out, &m), KITH_E_AUTH);
        sealed[i] ^= 0x10;
    }
    assert_int_equal(kith_seal_open(&key, &nonce, in, box, out, sizeof out, &m), KITH_E_AUTH);
    key.b[31] ^= 1;
    assert_int_equal(kith_seal_open(&key, &nonce, aad, box, out, sizeof out, &m), KITH_E_AUTH);
    key.b[31] ^= 1;
    nonce.b[11] ^= 1;
    assert_int_equal(kith_seal_open(&key, &nonce, aad, box, out, sizeof out, &m), KITH_E_AUTH);
    assert_int_equal(m, 99);
    for (size_t i = 0; i < in.n; i++)
        assert_int_equal(out[i], 0); /* nothing unproved is left behind */
}

static void sizes_that_cannot_be_are_refused(void **state)
{
    const struct kith_seal_key key = {{7}};
    const struct kith_seal_nonce nonce = {{8}};
    struct kith_span in = kith_span_text("12345678");
    uint8_t sealed[64], out[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_seal(&key, &nonce, in, in, sealed, in.n + KITH_SEAL_TAG - 1, &n),
                     KITH_E_LIMIT);
    assert_int_equal(kith_seal(&key, &nonce, in, in, sealed, in.n + KITH_SEAL_TAG, &n), KITH_OK);
    assert_int_equal(
        kith_seal_open(&key, &nonce, in, (struct kith_span){sealed, n}, out, in.n - 1, &n),
        KITH_E_LIMIT);
    assert_int_equal(
        kith_seal_open(&key, &nonce, in, (struct kith_span){sealed, 15}, out, sizeof out, &n),
        KITH_E_MALFORMED);
}

/* Computed with argon2-cffi (the reference implementation), salt 00 01 … 0f. */
static void passphrases_give_the_keys_the_reference_implementation_gives(void **state)
{
    struct kith_salt salt;
    struct kith_seal_key key;
    char text[65];

    (void)state;
    for (size_t i = 0; i < sizeof salt.b; i++)
        salt.b[i] = (uint8_t)i;
    assert_int_equal(kith_passphrase_key(kith_span_text("correct horse battery staple"), &salt,
                                         &KITH_PASSPHRASE_COST, &key),
                     KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(key), text, sizeof text),
                        "853b272a44db1421c02962669a55eb0994f3cab385ed1c4c79253eee19bab49e");
    assert_int_equal(kith_passphrase_key(kith_span_text("x"), &salt,
                                         &(struct kith_passphrase_cost){64, 1, 2}, &key),
                     KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(key), text, sizeof text),
                        "675168b0a45bb72494533ac5be3761b4181a225be5ab2497bbe5ca58efc0a2ac");
}

static void costs_outside_the_bounds_are_refused_before_any_work(void **state)
{
    static const struct kith_passphrase_cost bad[] = {
        {0, 3, 4},
        {65536, 0, 4},
        {65536, 3, 0},
        {31, 3, 4}, /* under 8 KiB per lane */
        {KITH_PASSPHRASE_MEMORY_MAX + 1, 3, 4},
        {65536, KITH_PASSPHRASE_PASSES_MAX + 1, 4},
        {65536, 3, KITH_PASSPHRASE_LANES_MAX + 1},
        {65536, 3, UINT32_MAX},
    };
    struct kith_salt salt = {{0}};
    struct kith_seal_key key;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_passphrase_key(kith_span_text("x"), &salt, &bad[i], &key),
                         KITH_E_LIMIT);
    assert_int_equal(kith_passphrase_key((struct kith_span){0}, &salt, &KITH_PASSPHRASE_COST, &key),
                     KITH_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_agrees_with_the_gcm_test_cases),
        cmocka_unit_test(what_was_sealed_opens_and_whatever_was_changed_does_not),
        cmocka_unit_test(sizes_that_cannot_be_are_refused),
        cmocka_unit_test(passphrases_give_the_keys_the_reference_implementation_gives),
        cmocka_unit_test(costs_outside_the_bounds_are_refused_before_any_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
