/* What OpenSSL does when its own requests for memory fail. Why there is a warm-up: a failure while
 * it is used for the first time can spoil it for good, and none does after a warm-up; each telling
 * is a process of its own. And why a signature is believed only where nothing ran short, and a key
 * is called bad only by who had the memory to read it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "crypto/warm_up.h"
#include "lab_alloc.h"

enum {
    TELLINGS = 120,
    PATIENCE = 5, /* seconds */
};

static struct lab_alloc library;
static uint64_t *asked; /* shared with the children */

static void *on_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 ? NULL : library.alloc.resize(&library, NULL, n);
}

static void *on_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 && p == NULL ? NULL : library.alloc.resize(&library, p, n);
}

static void on_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p != NULL)
        (void)library.alloc.resize(&library, p, 0);
}

/* Everything is used while the n-th request fails (0: none), and once more with memory enough:
 * whether it works then. */
static bool recovers(uint64_t n, bool warm)
{
    if (warm && kith_crypto_warm_up(&kith_heap) < 0)
        return false;
    uint64_t before = library.requests;
    library.fail_at = n == 0 ? 0 : before + n;
    (void)!kith_crypto_warm_up(&kith_heap);
    library.fail_at = 0;
    *asked = library.requests - before;
    return kith_crypto_warm_up(&kith_heap) == KITH_OK;
}

static bool apart(uint64_t n, bool warm)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        /* the very first requests are made within pthread_once, and their failure calls it again */
        alarm(PATIENCE);
        signal(SIGALRM, SIG_DFL);
        _exit(recovers(n, warm) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGALRM); /* it may fail, but not crash */
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* How many of a sample spoil it for good. */
static unsigned spoilt(bool warm)
{
    unsigned n = 0;

    assert_true(apart(0, warm));
    uint64_t step = *asked / TELLINGS + 1, all = *asked;
    for (uint64_t i = 1; i <= all; i += step)
        n += !apart(i, warm);
    print_message("%llu requests, each %llu-th fails: %u last\n", (unsigned long long)all,
                  (unsigned long long)step, n);
    return n;
}

static void after_a_warm_up_no_failure_lasts(void **state)
{
    (void)state;
    assert_int_equal(spoilt(true), 0);
}

/* Of the library, not of ours: if it is mended there, the warm-up may go. */
static void without_one_some_do(void **state)
{
    (void)state;
    if (spoilt(false) == 0)
        print_message("this OpenSSL (%s) needs no warm-up\n", OpenSSL_version(OPENSSL_VERSION));
}

static void a_signature_is_right_or_there_is_none(void **state)
{
    const struct kith_sign_seed seed = {{9}};
    struct kith_sign_key *key;
    struct kith_public_key pub;
    struct kith_signature sig;
    unsigned refused = 0;

    (void)state;
    assert_int_equal(kith_crypto_warm_up(&kith_heap), KITH_OK);
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    kith_sign_key_public(key, &pub);
    kith_sign_key_set_repeatable(key, true); /* each message has as many rounds each time */
    for (unsigned message = 0; message < 4; message++) {
        struct kith_span text = {(const uint8_t *)"abcd" + message, 1};
        uint64_t before = library.requests;
        assert_int_equal(kith_sign(key, text, &sig), KITH_OK);
        uint64_t all = library.requests - before;
        for (uint64_t i = 1; i <= all; i++) {
            library.fail_at = library.requests + i;
            int err = kith_sign(key, text, &sig);
            library.fail_at = 0;
            if (err == KITH_OK)
                assert_int_equal(kith_verify(&pub, text, &sig), KITH_OK);
            else
                assert_int_equal(err, KITH_E_CRYPTO);
            refused += err != KITH_OK;
        }
    }
    assert_true(refused > 0);
    kith_sign_key_free(key);
}

static void a_good_key_is_never_called_bad(void **state)
{
    const struct kith_sign_seed seed = {{9}};
    struct kith_sign_key *key, *back;
    uint8_t pem[KITH_SIGN_PEM_MAX];
    unsigned refused = 0;
    size_t n;

    (void)state;
    assert_int_equal(kith_crypto_warm_up(&kith_heap), KITH_OK);
    assert_int_equal(kith_sign_key_from_seed(&kith_heap, &seed, &key), KITH_OK);
    assert_int_equal(kith_sign_key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    kith_sign_key_free(key);
    const struct kith_span text = {pem, n};
    uint64_t before = library.requests;
    assert_int_equal(kith_sign_key_from_pem(&kith_heap, text, &back), KITH_OK);
    uint64_t all = library.requests - before;
    kith_sign_key_free(back);
    for (uint64_t i = 1; i <= all; i++) {
        library.fail_at = library.requests + i;
        int err = kith_sign_key_from_pem(&kith_heap, text, &back);
        library.fail_at = 0;
        if (err == KITH_OK)
            kith_sign_key_free(back);
        else
            assert_int_equal(err, KITH_E_CRYPTO);
        refused += err != KITH_OK;
    }
    assert_true(refused > all / 2);
}

int main(void)
{
    lab_alloc_init(&library);
    asked = mmap(NULL, sizeof *asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (asked == MAP_FAILED || CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) != 1)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_warm_up_no_failure_lasts),
        cmocka_unit_test(without_one_some_do),
        cmocka_unit_test(a_signature_is_right_or_there_is_none),
        cmocka_unit_test(a_good_key_is_never_called_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
