/* What a process takes, as it is told about itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/process.h"

static struct kith_process_usage usage(void)
{
    struct kith_process_usage u;

    kith_process_usage(&u);
    return u;
}

static void each_descriptor_opened_counts_once(void **state)
{
    uint64_t before = usage().files;
    int fd[3];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(fd); i++)
        fd[i] = open("/dev/null", O_RDONLY);
    assert_int_equal(usage().files, before + 3);
    for (size_t i = 0; i < KITH_COUNT(fd); i++)
        (void)close(fd[i]);
    assert_int_equal(usage().files, before);
}

static void the_limit_of_descriptors_is_the_soft_one(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(usage().files_max, 200);
}

static void work_takes_processor_time_and_it_never_runs_back(void **state)
{
    uint64_t before = usage().cpu;
    volatile uint64_t sum = 0;

    (void)state;
    while (usage().cpu < before + 20 * KITH_MSEC)
        for (uint64_t i = 0; i < 1000000; i++)
            sum += i;
    assert_true(sum > 0);
    assert_true(usage().cpu >= before + 20 * KITH_MSEC);
}

static void memory_is_what_the_other_question_says(void **state)
{
    uint64_t memory;

    (void)state;
    assert_int_equal(kith_process_memory(&memory), KITH_OK);
    assert_in_range(usage().memory_bytes, memory / 2, memory * 2);
}

static void what_is_allocated_counts_until_it_is_freed(void **state)
{
    enum { SMALL = 1000, BYTES = 100, BIG = 8 << 20 };
    static void *volatile block[SMALL];
    uint64_t before = usage().heap_bytes, between;

    (void)state;
    for (size_t i = 0; i < SMALL; i++)
        block[i] = malloc(BYTES);
    between = usage().heap_bytes;
    if (between == before) { /* a sanitizer's heap, or another libc's */
        for (size_t i = 0; i < SMALL; i++)
            free(block[i]);
        print_message("this heap doesn't tell\n");
        skip();
    }
    assert_in_range(between - before, SMALL * BYTES, 2 * SMALL * BYTES);
    for (size_t i = 0; i < SMALL; i++)
        free(block[i]);
    assert_in_range(usage().heap_bytes, before, before + SMALL * BYTES / 2);
    block[0] = malloc(BIG); /* a mapping of its own */
    assert_in_range(usage().heap_bytes - before, BIG, 2 * BIG);
    free(block[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_descriptor_opened_counts_once),
        cmocka_unit_test(the_limit_of_descriptors_is_the_soft_one),
        cmocka_unit_test(work_takes_processor_time_and_it_never_runs_back),
        cmocka_unit_test(memory_is_what_the_other_question_says),
        cmocka_unit_test(what_is_allocated_counts_until_it_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
