/* Keys in pages for secrets: they go there, come back out whole, and leave nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "crypto/passphrase.h"
#include "crypto/secret_heap.h"
#include "crypto/sign.h"

static bool locked;

/* Reads the key and signs, so that the library has what it keeps for the next time. */
static void warm(struct kith_span pem)
{
    struct kith_sign_key *key;
    struct kith_signature sig;

    assert_int_equal(kith_sign_key_from_pem(&kith_heap, pem, &key), KITH_OK);
    assert_int_equal(kith_sign(key, kith_span_text("m"), &sig), KITH_OK);
    kith_sign_key_free(key);
}

static void keys_live_in_it_and_go_back_to_it(void **state)
{
    struct kith_sign_key *key, *again;
    struct kith_signature sig;
    struct kith_public_key pub;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t n, before, with_key;

    (void)state;
    assert_int_equal(kith_sign_key_new(&kith_heap, &key), KITH_OK);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    warm((struct kith_span){pem, n});
    before = kith_secret_heap_used();
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, (struct kith_span){pem, n}, &again),
                     KITH_OK);
    with_key = kith_secret_heap_used();
    /* FIPS 204: 5 + 6 + 6 polynomials of 1 kB, and 4032 bytes of them encoded */
    assert_true(with_key - before >= 17 * 1024 + 4032);
    assert_int_equal(kith_sign(again, kith_span_text("m"), &sig), KITH_OK);
    kith_sign_key_public(key, &pub);
    assert_int_equal(kith_verify(&pub, kith_span_text("m"), &sig), KITH_OK);
    assert_int_equal(kith_secret_heap_used(), with_key); /* signing and verifying leave nothing */
    kith_sign_key_free(again);
    assert_int_equal(kith_secret_heap_used(), before);
    kith_sign_key_free(key);
}

/* As many as there may be networks and more, in any order, over and over: nothing is lost. */
static void keys_that_come_and_go_do_not_use_it_up(void **state)
{
    enum { KEYS = 20, ROUNDS = 200 };
    struct kith_sign_key *key[KEYS] = {NULL};
    struct kith_random_seeded seeded;
    size_t before = kith_secret_heap_used();
    const uint64_t seed = 20260723;

    (void)state;
    printf("# seed %llu\n", (unsigned long long)seed);
    kith_random_seeded_init(&seeded, seed);
    struct kith_random random = kith_random_from_seed(&seeded);
    for (int i = 0; i < ROUNDS; i++) {
        size_t k = kith_random_below(&random, KEYS);
        struct kith_sign_seed s = {{(uint8_t)i}};
        kith_sign_key_free(key[k]);
        assert_int_equal(kith_sign_key_from_seed(&kith_heap, &s, &key[k]), KITH_OK);
    }
    for (size_t i = 0; i < KEYS; i++)
        kith_sign_key_free(key[i]);
    assert_int_equal(kith_secret_heap_used(), before);
}

static void blocks_grow_shrink_and_keep_what_they_hold(void **state)
{
    size_t before = kith_secret_heap_used();

    (void)state;
    kith_secret_heap_enter();
    uint8_t *p = OPENSSL_malloc(100), *other = OPENSSL_malloc(1);
    kith_secret_heap_leave();
    assert_non_null(p);
    assert_non_null(other);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    memset(p, 7, 100);
    p = OPENSSL_realloc(p, 100000); /* outside, and still in it */
    assert_non_null(p);
    assert_true(kith_secret_heap_used() - before >= 100000);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(p[i], 7);
    p = OPENSSL_realloc(p, 10);
    assert_non_null(p);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(p[i], 7);
    assert_true(kith_secret_heap_used() - before < 1000);
    OPENSSL_free(p);
    OPENSSL_free(other);
    assert_int_equal(kith_secret_heap_used(), before);
}

static void a_freed_block_is_wiped(void **state)
{
    (void)state;
    kith_secret_heap_enter();
    uint8_t *p = OPENSSL_malloc(1000), *q;
    assert_non_null(p);
    memset(p, 0xee, 1000);
    OPENSSL_free(p);
    q = OPENSSL_malloc(1000);
    kith_secret_heap_leave();
    assert_ptr_equal(q, p); /* the first that fits */
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(q[i], 0);
    OPENSSL_free(q);
}

static void what_does_not_fit_fails_and_nothing_else_is_taken(void **state)
{
    enum { MOST = 1100 };
    void *piece[MOST] = {NULL};
    struct kith_sign_key *key = NULL;
    size_t n = 0, before = kith_secret_heap_used();

    (void)state;
    kith_secret_heap_enter();
    assert_null(OPENSSL_malloc(SIZE_MAX - 64));
    assert_null(OPENSSL_malloc(64 << 20));
    for (size_t each = 64 << 10; each >= 4 << 10; each /= 2)
        while (n < MOST && (piece[n] = OPENSSL_malloc(each)) != NULL)
            n++;
    kith_secret_heap_leave();
    assert_true(n < MOST);
    assert_true(kith_secret_heap_used() > 3 << 20); /* of 4 MiB */
    assert_int_equal(kith_sign_key_new(&kith_heap, &key), KITH_E_CRYPTO);
    assert_null(key);
    while (n > 0)
        OPENSSL_free(piece[--n]);
    assert_true(kith_secret_heap_used() - before < 4096); /* the library's note of the error */
    assert_int_equal(kith_sign_key_new(&kith_heap, &key), KITH_OK);
    kith_sign_key_free(key);
}

/* 64 MiB for a moment: more than there is of it. */
static void passphrases_have_their_memory_elsewhere(void **state)
{
    struct kith_salt salt = {{1}};
    struct kith_passphrase_cost cost = KITH_PASSPHRASE_COST;
    struct kith_seal_key key;

    (void)state;
    assert_int_equal(kith_passphrase_key(kith_span_text("correct horse"), &salt, &cost, &key),
                     KITH_OK);
}

static void a_second_installation_changes_nothing(void **state)
{
    size_t before = kith_secret_heap_used();
    bool now = !locked;

    (void)state;
    assert_int_equal(kith_secret_heap_install(&now, NULL), KITH_OK);
    assert_int_equal(now, locked);
    assert_int_equal(kith_secret_heap_used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_live_in_it_and_go_back_to_it),
        cmocka_unit_test(keys_that_come_and_go_do_not_use_it_up),
        cmocka_unit_test(blocks_grow_shrink_and_keep_what_they_hold),
        cmocka_unit_test(a_freed_block_is_wiped),
        cmocka_unit_test(what_does_not_fit_fails_and_nothing_else_is_taken),
        cmocka_unit_test(passphrases_have_their_memory_elsewhere),
        cmocka_unit_test(a_second_installation_changes_nothing),
    };
    if (kith_secret_heap_install(&locked, NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
