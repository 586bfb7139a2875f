/* ML-DSA-65 against an independent implementation, and every way a signature can be wrong. */
#include "crypto/sign.h"

#include "base/text.h"
#include "base_lab.h"
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* FIPS 204 key generation from the seed 00 01 … 1f, and the deterministic signature over "kith",
 * computed with dilithium-py 1.4 (pure Python, no shared code), hashed with SHA-256. */
static const char seeded_spki[] =
    "b8b62131bfbe84433efb2273d7f5b87f7a22854a2cfd366fc2aead86d837c52d";
static const char seeded_signature[] =
    "b6bf3da37e6b8fe716cf42291aac654714f49bf5b78fe6466e75102d46a882c0";

static struct kith_sign_key *key_of(uint8_t first)
{
    struct kith_sign_seed seed;
    struct kith_sign_key *key = NULL;

    for (size_t i = 0; i < sizeof seed.b; i++)
        seed.b[i] = (uint8_t)(first + i);
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    return key;
}

static void assert_sha256(struct kith_span in, const char *want)
{
    struct kith_hash h;
    char text[65];

    assert_int_equal(kith_sha256(in, &h), KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(h), text, sizeof text), want);
}

static void a_seed_grows_the_key_an_independent_implementation_grows(void **state)
{
    struct kith_sign_key *key = key_of(0);
    struct kith_public_key pub;

    (void)state;
    kith_sign_key_public(key, &pub);
    assert_sha256(KITH_SPAN_OF(pub), seeded_spki);
    kith_sign_key_free(key);
}

static void a_repeatable_signature_is_the_one_an_independent_implementation_makes(void **state)
{
    struct kith_sign_key *key = key_of(0);
    struct kith_signature sig;

    (void)state;
    kith_sign_key_set_repeatable(key, true);
    assert_int_equal(kith_sign(key, kith_span_text("kith"), &sig), KITH_OK);
    assert_sha256(KITH_SPAN_OF(sig), seeded_signature);
    kith_sign_key_free(key);
}

static void signatures_are_hedged_unless_asked_otherwise(void **state)
{
    struct kith_sign_key *key = key_of(0);
    struct kith_public_key pub;
    struct kith_signature one, two;

    (void)state;
    kith_sign_key_public(key, &pub);
    assert_int_equal(kith_sign(key, kith_span_text("kith"), &one), KITH_OK);
    assert_int_equal(kith_sign(key, kith_span_text("kith"), &two), KITH_OK);
    assert_memory_not_equal(one.b, two.b, sizeof one.b);
    assert_int_equal(kith_verify(&pub, kith_span_text("kith"), &one), KITH_OK);
    assert_int_equal(kith_verify(&pub, kith_span_text("kith"), &two), KITH_OK);
    kith_sign_key_free(key);
}

static void a_signature_fails_for_another_message_another_key_or_one_changed_bit(void **state)
{
    struct kith_sign_key *key = key_of(0), *other = key_of(1);
    struct kith_public_key pub, other_pub;
    struct kith_signature sig;

    (void)state;
    kith_sign_key_public(key, &pub);
    kith_sign_key_public(other, &other_pub);
    assert_int_equal(kith_sign(key, kith_span_text("kith"), &sig), KITH_OK);
    assert_int_equal(kith_verify(&pub, kith_span_text("kith"), &sig), KITH_OK);
    assert_int_equal(kith_verify(&pub, kith_span_text("kit"), &sig), KITH_E_AUTH);
    assert_int_equal(kith_verify(&pub, (struct kith_span){0}, &sig), KITH_E_AUTH);
    assert_int_equal(kith_verify(&other_pub, kith_span_text("kith"), &sig), KITH_E_AUTH);
    for (size_t at = 0; at < sizeof sig.b; at += 101) {
        sig.b[at] ^= 1;
        assert_int_equal(kith_verify(&pub, kith_span_text("kith"), &sig), KITH_E_AUTH);
        sig.b[at] ^= 1;
    }
    pub.spki[3] ^= 1;
    assert_int_equal(kith_verify(&pub, kith_span_text("kith"), &sig), KITH_E_MALFORMED);
    kith_sign_key_free(key);
    kith_sign_key_free(other);
}

static void an_empty_message_can_be_signed(void **state)
{
    struct kith_sign_key *key = key_of(0);
    struct kith_public_key pub;
    struct kith_signature sig;

    (void)state;
    kith_sign_key_public(key, &pub);
    assert_int_equal(kith_sign(key, (struct kith_span){0}, &sig), KITH_OK);
    assert_int_equal(kith_verify(&pub, (struct kith_span){0}, &sig), KITH_OK);
    kith_sign_key_free(key);
}

static void a_key_survives_its_pem(void **state)
{
    struct kith_sign_key *key = NULL, *back = NULL;
    struct kith_public_key pub, pub_back;
    struct kith_signature sig;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_sign_key_new(&kith_heap, &key), KITH_OK);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, n}, &back),
                     KITH_OK);
    kith_sign_key_public(key, &pub);
    kith_sign_key_public(back, &pub_back);
    assert_memory_equal(pub.spki, pub_back.spki, sizeof pub.spki);
    assert_int_equal(kith_sign(back, kith_span_text("x"), &sig), KITH_OK);
    assert_int_equal(kith_verify(&pub, kith_span_text("x"), &sig), KITH_OK);

    size_t untouched = 77;
    assert_int_equal(kith_sign_key_to_pem(key, pem, n - 1, &untouched), KITH_E_LIMIT);
    assert_int_equal(untouched, 77);
    kith_sign_key_free(key);
    kith_sign_key_free(back);
}

/* An Ed25519 key, RFC 8410 section 10.3. */
static const char ed25519_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";

static void a_pem_that_is_no_key_of_ours_is_refused(void **state)
{
    struct kith_sign_key *key = key_of(0), *back = NULL;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, kith_span_text(ed25519_pem), &back),
                     KITH_E_UNSUPPORTED);
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, kith_span_text("hello"), &back),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){0}, &back),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, n / 2}, &back),
                     KITH_E_MALFORMED);
    assert_null(back);
    kith_sign_key_free(key);
}

static void only_the_one_shape_of_1974_bytes_is_a_public_key(void **state)
{
    struct kith_sign_key *key = key_of(0);
    struct kith_public_key pub, copy;
    uint8_t longer[KITH_PUBLIC_KEY_LEN + 1];

    (void)state;
    kith_sign_key_public(key, &pub);
    assert_true(kith_public_key_check(KITH_SPAN_OF(pub)));
    assert_int_equal(kith_public_key_from(KITH_SPAN_OF(pub), &copy), KITH_OK);
    assert_memory_equal(pub.spki, copy.spki, sizeof pub.spki);
    memcpy(longer, pub.spki, sizeof pub.spki);
    assert_false(kith_public_key_check((struct kith_span){longer, sizeof longer}));
    assert_false(kith_public_key_check((struct kith_span){longer, KITH_PUBLIC_KEY_LEN - 1}));
    assert_false(kith_public_key_check((struct kith_span){0}));
    longer[16] = 0x11; /* ML-DSA-44's OID */
    assert_int_equal(kith_public_key_from((struct kith_span){longer, KITH_PUBLIC_KEY_LEN}, &copy),
                     KITH_E_MALFORMED);
    kith_sign_key_free(key);
}

static void no_memory_is_an_error_and_leaks_nothing(void **state)
{
    struct lab_heap heap;
    const struct kith_alloc none = lab_alloc(&heap);
    struct kith_sign_key *key = NULL;

    (void)state;
    heap.fuse = 0;
    assert_int_equal(kith_sign_key_new(&none, &key), KITH_E_NOMEM);
    assert_null(key);
    kith_sign_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_grows_the_key_an_independent_implementation_grows),
        cmocka_unit_test(a_repeatable_signature_is_the_one_an_independent_implementation_makes),
        cmocka_unit_test(signatures_are_hedged_unless_asked_otherwise),
        cmocka_unit_test(a_signature_fails_for_another_message_another_key_or_one_changed_bit),
        cmocka_unit_test(an_empty_message_can_be_signed),
        cmocka_unit_test(a_key_survives_its_pem),
        cmocka_unit_test(a_pem_that_is_no_key_of_ours_is_refused),
        cmocka_unit_test(only_the_one_shape_of_1974_bytes_is_a_public_key),
        cmocka_unit_test(no_memory_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
