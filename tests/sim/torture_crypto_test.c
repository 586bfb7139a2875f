/* A sample of OpenSSL's own requests for memory fails, one at a time or many in a row: of all
 * nodes, as they share the library. A program of its own, because OpenSSL takes its allocator once.
 *
 * Nothing but the warm-up (crypto/warm_up.h) comes before the first failure: when memory is short
 * while OpenSSL makes the methods of an operation for the first time, it never makes them again in
 * that process (ossl_provider_test_operation_bit), and only a restart helps. Without the warm-up a
 * tenth of the tellings of the first handshake end badly. See torture.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "conn/quic/quic.h"
#include "crypto/warm_up.h"
#include "os/process.h"
#include "sim/torture.h"

enum { SAMPLE = 16 }; /* tellings a chapter: there are thousands of requests */

static struct lab_alloc library; /* not for threads */
static struct torture *telling;  /* NULL: nothing fails yet */

static void *library_resize(void *p, size_t n)
{
    return telling != NULL ? torture_resize(telling, &library, p, n)
                           : library.alloc.resize(&library, p, n);
}

static void *library_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 ? NULL : library_resize(NULL, n);
}

static void *library_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 && p == NULL ? NULL : library_resize(p, n);
}

static void library_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p != NULL)
        (void)library_resize(p, 0);
}

static void warm_up(void)
{
    const struct kith_sign_seed seed = {{1}};
    struct kith_random random = kith_random_system();
    const struct kith_env env = {.alloc = &kith_heap, .random = &random};
    struct kith_sign_key *key;

    assert_int_equal(kith_crypto_warm_up(&kith_heap), KITH_OK);
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    assert_int_equal(kith_quic_warm_up(key, &env), KITH_OK);
    kith_sign_key_free(key);
}

static void arm(struct torture *t, uint64_t n, uint64_t run)
{
    telling = n == 0 ? NULL : t;
    library.fail_at = n == 0 ? 0 : library.requests + n;
    library.fail_run = run;
}

static uint64_t asked(const struct torture *t)
{
    (void)t;
    return library.requests;
}

static uint64_t failed(const struct torture *t)
{
    (void)t;
    return library.failed;
}

static const struct torture_source crypto = {.name = "OpenSSL",
                                             .prepare = warm_up,
                                             .arm = arm,
                                             .asked = asked,
                                             .failed = failed,
                                             .is_shared = true};

static void nodes_survive_any_failing_allocation_of_openssl(void **state)
{
    (void)state;
    assert_int_equal(torture_run(&crypto, 0, SAMPLE), 0);
}

int main(void)
{
    lab_alloc_init(&library);
    if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1) {
        fprintf(stderr, "OpenSSL has allocated already\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_survive_any_failing_allocation_of_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
