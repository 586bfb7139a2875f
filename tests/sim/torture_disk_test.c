/* Every write, fsync, truncation and removal of a node's store fails once, alone (an input/output
 * error) and in runs (a disk that is full for a while), through a whole life. Traffic goes on, what
 * was refused is answered or told, nothing is half done, and it works again with the space. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "sim/ram_disk.h"
#include "sim/torture.h"

enum { SAMPLE = 8 }; /* tellings a chapter in the ordinary run */

static char path[280];

static int open_store(struct torture *t, const struct kith_env *env, struct kith_store **ret)
{
    (void)t;
    return kith_store_open_through(path, RAM_DISK_VFS, env, ret, NULL);
}

static bool is_over(void *ctx)
{
    return torture_is_over(ctx);
}

static void arm(struct torture *t, uint64_t n, uint64_t run)
{
    ram_disk.is_over = n == 0 ? NULL : is_over;
    ram_disk.ctx = t;
    ram_disk.fail_at = n == 0 ? 0 : ram_disk.asked + n;
    ram_disk.fail_run = run;
    ram_disk.full = run > 1;
}

static uint64_t asked(const struct torture *t)
{
    (void)t;
    return ram_disk.asked;
}

static uint64_t failed(const struct torture *t)
{
    (void)t;
    return ram_disk.failed;
}

static const struct torture_source disk = {.name = "disk",
                                           .arm = arm,
                                           .asked = asked,
                                           .failed = failed,
                                           .open = open_store,
                                           .is_told = true};

static void a_founder_survives_any_failure_of_its_disk(void **state)
{
    (void)state;
    assert_int_equal(torture_run(&disk, 0, SAMPLE), 0);
}

static void a_joiner_survives_any_failure_of_its_disk(void **state)
{
    (void)state;
    assert_int_equal(torture_run(&disk, 1, SAMPLE), 0);
}

/* The store looks at the file itself before SQLite does: there must be one of that name. */
static int make_name(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    kith_format(path, sizeof path, "%s/kith-ram-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_name(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    ram_disk_register();
#define T(f) cmocka_unit_test_setup_teardown(f, make_name, remove_name)
    const struct CMUnitTest tests[] = {
        T(a_founder_survives_any_failure_of_its_disk),
        T(a_joiner_survives_any_failure_of_its_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
