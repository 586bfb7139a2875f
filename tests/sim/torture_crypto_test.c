/* A sample of OpenSSL's own requests for memory fails, alone and in runs: of all nodes, as they
 * share the library. A program of its own, because OpenSSL takes its allocator once.
 * See torture.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "sim/torture.h"

enum { SAMPLE = 40 }; /* tellings a chapter: there are thousands of requests */

static struct lab_alloc library; /* counts, fails, and nothing else: not thread-safe */

static void *library_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 ? NULL : library.alloc.resize(&library, NULL, n);
}

static void *library_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 && p == NULL ? NULL : library.alloc.resize(&library, p, n);
}

static void library_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p != NULL)
        library.alloc.resize(&library, p, 0);
}

static void arm(struct torture *t, uint64_t n, uint64_t run)
{
    (void)t;
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

static const struct torture_source crypto = {
    .name = "OpenSSL", .arm = arm, .asked = asked, .failed = failed};

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
