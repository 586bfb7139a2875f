/* kill -9 at random moments: what was reported as committed is there, and the store is whole. */

#include "property/store_lab.h"

#include "base/random.h"
#include "store/object.h"
#include "store/setting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 40, LONGEST_US = 40000 };

/* Commits transactions n, n + 1, … and reports each on the pipe once it is durable. A transaction
 * is the number and an object that carries it, so that half of one would show. */
static void commit_forever(const char *path, int report)
{
    struct kith_env env = {.alloc = &kith_heap};
    struct kith_store *s;
    uint64_t n = 0;
    static uint8_t bytes[9000];
    uint8_t id[32];

    store_lab_id(id, sizeof id, 1);
    if (kith_store_open(path, &env, &s, NULL) < 0 || kith_store_number_get(s, "n", &n) < 0)
        _exit(1);
    for (;;) {
        struct kith_store_object o = {.number = ++n, .bytes = {bytes, sizeof bytes}};
        memset(bytes, (int)(n & 0xff), sizeof bytes);
        if (kith_store_begin(s) < 0 || kith_store_number_put(s, "n", n) < 0 ||
            kith_store_object_put_if_newer(s, id, &o) < 0 || kith_store_commit(s) < 0 ||
            write(report, &n, sizeof n) != (ssize_t)sizeof n)
            _exit(1);
    }
}

/* The last number that came through the pipe. */
static uint64_t last_reported(int from, uint64_t before)
{
    uint64_t n = before, next;

    while (read(from, &next, sizeof next) == (ssize_t)sizeof next) {
        assert_true(next == n + 1);
        n = next;
    }
    return n;
}

/* Opening checks the whole file. */
static uint64_t check_store(struct store_lab *lab, uint64_t reported)
{
    struct kith_store *s = store_lab_open(lab);
    struct kith_store_object o;
    uint8_t id[32], key[16] = {0};
    uint64_t n = 0;

    store_lab_id(id, sizeof id, 1);
    assert_int_equal(kith_store_number_get(s, "n", &n), KITH_OK);
    assert_int_equal(kith_store_object_get(s, id, key, &o), KITH_OK);
    assert_true(n == reported || n == reported + 1); /* one may have been on its way to the pipe */
    assert_true(o.number == n);
    for (size_t i = 0; i < o.bytes.n; i++)
        assert_int_equal(o.bytes.p[i], n & 0xff);
    kith_store_close(s);
    return n;
}

static uint64_t one_round(struct store_lab *lab, uint64_t n, uint64_t live_us)
{
    int pipe_fd[2], status;

    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipe_fd[0]);
        commit_forever(lab->path, pipe_fd[1]);
    }
    close(pipe_fd[1]);
    struct timespec life = {.tv_nsec = (long)live_us * 1000};
    nanosleep(&life, NULL); /* the moment of death, not a wait for something */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it did not end by an error of its own */
    n = last_reported(pipe_fd[0], n);
    close(pipe_fd[0]);
    return check_store(lab, n);
}

static void what_was_committed_survives_kill_9_at_any_moment(void **state)
{
    struct store_lab *lab = *state;
    const char *given = getenv("KITH_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_store *s = store_lab_open(lab);
    struct kith_store_object first = {.number = 0};
    uint8_t id[32];
    uint64_t n = 0;

    print_message("KITH_TEST_SEED=%llu\n", (unsigned long long)seed);
    kith_random_seeded_init(&seeded, seed);
    random = kith_random_from_seed(&seeded);
    store_lab_id(id, sizeof id, 1);
    store_lab_network(s, 1);
    assert_int_equal(kith_store_object_put_if_newer(s, id, &first), KITH_OK);
    assert_int_equal(kith_store_number_put(s, "n", 0), KITH_OK);
    kith_store_close(s);
    for (int round = 0; round < ROUNDS; round++)
        n = one_round(lab, n, kith_random_below(&random, LONGEST_US));
    print_message("%llu transactions, %d kills\n", (unsigned long long)n, ROUNDS);
    assert_true(n > ROUNDS); /* the kills fell among commits, not before them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_committed_survives_kill_9_at_any_moment,
                                        store_lab_setup, store_lab_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
