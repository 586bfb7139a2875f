/* Private keys in PKCS#8 and PEM: the three ways to write one, and bytes that are none. */
#include "crypto/sign.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/evp.h>

static const struct kith_sign_seed seed_of_all = {{3, 1, 4, 1, 5, 9, 2, 6}};

static struct kith_sign_key *the_key(void)
{
    struct kith_sign_key *key = NULL;

    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed_of_all, &key), KITH_OK);
    return key;
}

enum {
    INFO_HEAD = 22, /* SEQUENCE, version 0, the algorithm, the OCTET STRING's tag and length */
    SEED = 32,
    EXPANDED = 4032,
};

/* PKCS#8 (RFC 5958 2) around a private key of n bytes. */
static size_t pem_around(const uint8_t *material, size_t n, uint8_t pem[KITH_SIGN_PEM_MAX])
{
    static const uint8_t head[INFO_HEAD] = {0x30, 0x82, 0,    0,    0x02, 0x01, 0x00, 0x30,
                                            0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
                                            0x03, 0x04, 0x03, 0x12, 0x04, 0x82};
    uint8_t der[INFO_HEAD + 2 + SEED + EXPANDED + 16];
    size_t inner = n + 2, at = INFO_HEAD;

    assert_true(at + inner <= sizeof der);
    memcpy(der, head, sizeof head);
    der[2] = (uint8_t)((at - 4 + inner) >> 8), der[3] = (uint8_t)(at - 4 + inner);
    der[at++] = (uint8_t)(n >> 8), der[at++] = (uint8_t)n;
    memcpy(der + at, material, n);
    at += n;

    int len = sprintf((char *)pem, "-----BEGIN PRIVATE KEY-----\n");
    for (size_t i = 0; i < at; i += 48) { /* a line */
        len += EVP_EncodeBlock(pem + len, der + i, (int)(at - i < 48 ? at - i : 48));
        pem[len++] = '\n';
    }
    len += sprintf((char *)pem + len, "-----END PRIVATE KEY-----\n");
    return (size_t)len;
}

/* What from_seed makes of the same seed. */
static void gives_the_key(const uint8_t *material, size_t n)
{
    struct kith_sign_key *key = the_key(), *back;
    struct kith_public_key want, have;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t len = pem_around(material, n, pem);

    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, len}, &back),
                     KITH_OK);
    kith_sign_key_public(key, &want);
    kith_sign_key_public(back, &have);
    assert_memory_equal(want.spki, have.spki, sizeof want.spki);
    kith_sign_key_free(back);
    kith_sign_key_free(key);
}

static void is_malformed(const uint8_t *material, size_t n)
{
    struct kith_sign_key *back = NULL;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t len = pem_around(material, n, pem);

    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, len}, &back),
                     KITH_E_MALFORMED);
    assert_null(back);
}

static void a_key_comes_as_seed_expanded_or_both(void **state)
{
    struct kith_sign_key *key = the_key();
    uint8_t both[4 + 2 + SEED + 4 + EXPANDED] = {0x30, 0x82, 0x0f, 0xe6, 0x04, SEED};
    uint8_t *seed = both + 4, *expanded = seed + 2 + SEED;
    size_t n = EXPANDED;

    (void)state;
    memcpy(seed + 2, seed_of_all.b, SEED);
    memcpy(expanded, (uint8_t[]){0x04, 0x82, 0x0f, 0xc0}, 4);
    assert_int_equal(EVP_PKEY_get_raw_private_key(kith_sign_key_evp(key), expanded + 4, &n), 1);
    assert_int_equal(n, EXPANDED);
    gives_the_key(both, sizeof both);
    gives_the_key(expanded, 4 + EXPANDED);
    seed[0] = 0x80;
    gives_the_key(seed, 2 + SEED);

    is_malformed(both, sizeof both); /* the seed's tag is [0] now */
    is_malformed(seed, 1 + SEED);
    is_malformed(expanded, 4 + EXPANDED - 1);
    is_malformed(seed, 0);
    seed[0] = 0x04;
    is_malformed(seed, 2 + SEED);
    is_malformed(both, sizeof both - 1);
    seed[2] ^= 1; /* they do not belong together (RFC 9881 8.2) */
    is_malformed(both, sizeof both);
    kith_sign_key_free(key);
}

/* A law of what is not short of memory: nothing is blamed on the host. */
static void any_bytes_are_judged_as_bytes(void **state)
{
    struct kith_sign_key *key = the_key(), *back;
    struct kith_random_seeded seeded;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n = 0;

    (void)state;
    kith_random_seeded_init(&seeded, 7);
    struct kith_random random = kith_random_from_seed(&seeded);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    for (size_t i = 0; i < 400; i++) {
        /* each byte of the first lines, which hold all structure, and some of the rest */
        size_t at = i < 200 ? i : (size_t)kith_random_below(&random, n);
        uint8_t was = pem[at];
        pem[at] = (uint8_t)(was ^ (1u << kith_random_below(&random, 7)));
        int err = kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, n}, &back);
        if (err == KITH_OK)
            kith_sign_key_free(back);
        else
            assert_true(err == KITH_E_MALFORMED || err == KITH_E_UNSUPPORTED);
        pem[at] = was;
    }
    kith_sign_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_comes_as_seed_expanded_or_both),
        cmocka_unit_test(any_bytes_are_judged_as_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
