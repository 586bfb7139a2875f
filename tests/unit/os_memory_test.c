/* Pages for secrets: what the kernel says of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/memory.h"

enum { SIZE = 1 << 20 };

/* The VmFlags of the mapping that begins at p (proc(5)), between spaces; empty when there is none.
 */
static void flags_of(const void *p, char *buf, size_t cap)
{
    char line[512];
    bool here = false;
    uintptr_t start, end;
    FILE *f = fopen("/proc/self/smaps", "re");

    assert_non_null(f);
    buf[0] = '\0';
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            here = start == (uintptr_t)p;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            (void)snprintf(buf, cap, "%s", line + 8);
    }
    (void)fclose(f);
}

static void they_are_locked_and_in_no_core_dump(void **state)
{
    struct rlimit limit;
    char flags[512];
    void *p;
    bool locked;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    assert_int_equal(kith_secret_pages_map(SIZE, &p, &locked, NULL), KITH_OK);
    assert_true(locked || limit.rlim_cur < SIZE); /* since 5.16 Linux gives everybody 8 MiB */
    flags_of(p, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd "));
    assert_int_equal(strstr(flags, " lo ") != NULL, locked);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(((uint8_t *)p)[i], 0);
    memset(p, 1, SIZE);
    kith_secret_pages_unmap(p, SIZE);
    flags_of(p, flags, sizeof flags);
    assert_string_equal(flags, "");
    kith_secret_pages_unmap(NULL, SIZE);
}

/* How a child ends that touches the byte before (-1) or behind (SIZE) the pages. */
static int end_of_touching(long at)
{
    int status;
    bool locked;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        void *p;
        (void)signal(SIGSEGV, SIG_DFL);
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (kith_secret_pages_map(SIZE, &p, &locked, NULL) < 0)
            _exit(1);
        ((volatile uint8_t *)p)[at] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void who_runs_off_their_ends_is_stopped(void **state)
{
    (void)state;
    assert_true(WIFEXITED(end_of_touching(0)));
    assert_true(WIFEXITED(end_of_touching(SIZE - 1)));
    assert_true(WIFSIGNALED(end_of_touching(-1)));
    assert_true(WIFSIGNALED(end_of_touching(SIZE)));
}

static bool is_told_that_nothing_is_locked(void)
{
    static const struct rlimit none = {0, 0};
    struct kith_os_why why = {.text = ""};
    char flags[512];
    bool locked = true;
    void *p;

    if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 ||
        (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)) ||
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || /* to read smaps after setuid */
        kith_secret_pages_map(SIZE, &p, &locked, &why) < 0)
        return false;
    flags_of(p, flags, sizeof flags);
    return !locked && strstr(why.text, "RLIMIT_MEMLOCK") != NULL && strstr(flags, " dd ") != NULL;
}

static void where_locking_is_forbidden_they_are_still_in_no_core_dump(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(is_told_that_nothing_is_locked() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void only_whole_pages_are_to_be_had(void **state)
{
    bool locked;
    void *p = &locked;

    (void)state;
    assert_int_equal(kith_secret_pages_map(100, &p, &locked, NULL), KITH_E_INVAL);
    assert_int_equal(kith_secret_pages_map(0, &p, &locked, NULL), KITH_E_INVAL);
    assert_ptr_equal(p, &locked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_locked_and_in_no_core_dump),
        cmocka_unit_test(who_runs_off_their_ends_is_stopped),
        cmocka_unit_test(where_locking_is_forbidden_they_are_still_in_no_core_dump),
        cmocka_unit_test(only_whole_pages_are_to_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
