/* Hashes against the vectors of their standards. */
#include "crypto/hash.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_hex(const void *p, size_t n, const char *want)
{
    char text[513];

    assert_string_equal(kith_hex_text((struct kith_span){p, n}, text, sizeof text), want);
}

static void sha256_agrees_with_fips_180_4(void **state)
{
    struct kith_hash h;

    (void)state;
    assert_int_equal(kith_sha256(kith_span_text("abc"), &h), KITH_OK);
    assert_hex(h.b, sizeof h.b, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(kith_sha256((struct kith_span){0}, &h), KITH_OK);
    assert_hex(h.b, sizeof h.b, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void parts_hash_as_if_laid_end_to_end(void **state)
{
    struct kith_span parts[] = {kith_span_text("a"), {0}, kith_span_text("bc")};
    struct kith_hash whole, split;

    (void)state;
    assert_int_equal(kith_sha256(kith_span_text("abc"), &whole), KITH_OK);
    assert_int_equal(kith_sha256_parts(parts, KITH_COUNT(parts), &split), KITH_OK);
    assert_memory_equal(whole.b, split.b, sizeof whole.b);
}

/* RFC 4231 test case 2 */
static void hmac_agrees_with_rfc_4231(void **state)
{
    struct kith_span parts[] = {kith_span_text("what do ya want "), kith_span_text("for nothing?")};
    struct kith_mac m;

    (void)state;
    assert_int_equal(kith_hmac_sha256(kith_span_text("Jefe"), parts, KITH_COUNT(parts), &m),
                     KITH_OK);
    assert_hex(m.b, sizeof m.b, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* Every HMAC with an empty key and message: Python's hmac module says so too. */
static void hmac_takes_an_empty_key(void **state)
{
    struct kith_mac m;

    (void)state;
    assert_int_equal(kith_hmac_sha256((struct kith_span){0}, NULL, 0, &m), KITH_OK);
    assert_hex(m.b, sizeof m.b, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869 A.1 */
static void hkdf_expand_agrees_with_rfc_5869(void **state)
{
    static const uint8_t prk[] = {0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf, 0x0d, 0xdc, 0x3f,
                                  0x0d, 0xc4, 0x7b, 0xba, 0x63, 0x90, 0xb6, 0xc7, 0x3b, 0xb5, 0x0f,
                                  0x9c, 0x31, 0x22, 0xec, 0x84, 0x4a, 0xd7, 0xc2, 0xb3, 0xe5};
    static const uint8_t info[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9};
    uint8_t okm[42];

    (void)state;
    assert_int_equal(
        kith_hkdf_expand(KITH_HKDF_SHA256, KITH_SPAN_OF(prk), KITH_SPAN_OF(info), okm, sizeof okm),
        KITH_OK);
    assert_hex(
        okm, sizeof okm,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

/* computed with Python's hmac module after RFC 5869 2.3 */
static void hkdf_expand_with_sha384_agrees_with_an_independent_computation(void **state)
{
    uint8_t prk[48], out[100];

    (void)state;
    for (size_t i = 0; i < sizeof prk; i++)
        prk[i] = (uint8_t)i;
    assert_int_equal(kith_hkdf_expand(KITH_HKDF_SHA384, KITH_SPAN_OF(prk), kith_span_text("kith"),
                                      out, sizeof out),
                     KITH_OK);
    assert_hex(out, sizeof out,
               "60c852e436e74ddc2b2647eb6fff9b47689429ceffb218786743a9ed9e2f2cb839eaeef59bcda25a"
               "5bb0336f0e2a2b72f2fde9cb2777de8e311188e2ec427e927f9139aea575119100416e3dd99d9690"
               "338c3e1a50307017b52981c460c240866f4f4651");
}

static void hkdf_refuses_short_secrets_and_long_outputs(void **state)
{
    uint8_t prk[32] = {1}, out[1];

    (void)state;
    assert_int_equal(
        kith_hkdf_expand(KITH_HKDF_SHA384, KITH_SPAN_OF(prk), kith_span_text("x"), out, sizeof out),
        KITH_E_INVAL);
    assert_int_equal(kith_hkdf_expand(KITH_HKDF_SHA256, KITH_SPAN_OF(prk), kith_span_text("x"), out,
                                      255 * 32 + 1),
                     KITH_E_INVAL);
    assert_int_equal(
        kith_hkdf_expand(KITH_HKDF_SHA256, KITH_SPAN_OF(prk), (struct kith_span){0}, out, 1),
        KITH_OK);
}

static void comparing_sees_every_bit_and_wiping_leaves_none(void **state)
{
    uint8_t a[33] = {0}, zero[33] = {0};

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        a[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_false(kith_equal_ct(a, zero, sizeof a));
        a[bit / 8] = 0;
        assert_true(kith_equal_ct(a, zero, sizeof a));
    }
    memset(a, 0xa5, sizeof a);
    kith_wipe(a, sizeof a);
    assert_memory_equal(a, zero, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_agrees_with_fips_180_4),
        cmocka_unit_test(parts_hash_as_if_laid_end_to_end),
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(hmac_takes_an_empty_key),
        cmocka_unit_test(hkdf_expand_agrees_with_rfc_5869),
        cmocka_unit_test(hkdf_expand_with_sha384_agrees_with_an_independent_computation),
        cmocka_unit_test(hkdf_refuses_short_secrets_and_long_outputs),
        cmocka_unit_test(comparing_sees_every_bit_and_wiping_leaves_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
