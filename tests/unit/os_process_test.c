/* Clocks, randomness, detaching, the service manager, rights and limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/process.h"

/* Runs f in a child, whose limits and rights are its own; true when f says so. */
static bool in_child(bool (*f)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(f() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- clocks and randomness ---- */

static kith_time boot_time(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &t), 0);
    return (kith_time)t.tv_sec * 1000000000u + (kith_time)t.tv_nsec;
}

static void both_clocks_read_between_two_readings_of_the_system(void **state)
{
    (void)state;
    struct kith_now now;
    kith_time mono_before = boot_time();
    time_t wall_before = time(NULL);
    kith_clock_now(&now);
    assert_in_range(now.mono, mono_before, boot_time());
    /* time(2) may lag the precise clock by a tick at a turn of the second */
    assert_in_range(now.wall, (kith_wall)wall_before, (kith_wall)time(NULL) + 1);
}

static void random_bytes_fill_exactly_what_was_asked_for(void **state)
{
    (void)state;
    static uint8_t a[100000], b[100000]; /* more than one getrandom gives uninterrupted */
    struct kith_random r = kith_random_system();
    unsigned zeros = 0;
    kith_random_fill(&r, a, sizeof a - 1);
    kith_random_fill(&r, b, sizeof b - 1);
    assert_int_equal(a[sizeof a - 1], 0);
    assert_memory_not_equal(a + sizeof a - 33, b + sizeof b - 33, 32);
    for (size_t i = 0; i < sizeof a; i++)
        zeros += a[i] == 0;
    /* 391 expected, standard deviation 20: 10 of these either way never happen */
    assert_in_range(zeros, 191, 591);
    kith_random_fill(&r, NULL, 0);
}

/* ---- detaching ---- */

/* What one call of kith_process_detach gives the waiting process; `background` runs in the other.
 */
static int detach(void (*background)(int ready_fd), struct kith_os_why *why)
{
    int ready_fd = 77;
    int err = kith_process_detach(&ready_fd, why);

    if (err == KITH_OK && ready_fd >= 0) {
        background(ready_fd);
        _exit(0);
    }
    if (err == KITH_OK)
        assert_int_equal(ready_fd, -1);
    return err;
}

static pid_t foreground_session;

static void say_ready_when_detached(int ready_fd)
{
    char target[64] = {0};
    const char *wrong = NULL;

    if (getsid(0) == foreground_session || getsid(0) == getpid())
        wrong = "the session is wrong";
    for (int fd = 0; fd <= 2; fd++) {
        char link[32];
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) < 0 || strcmp(target, "/dev/null") != 0)
            wrong = "a standard stream is no /dev/null";
    }
    if (wrong != NULL)
        kith_detach_failed(&ready_fd, KITH_E_STATE, wrong);
    else
        kith_detach_ready(&ready_fd);
}

static void the_foreground_learns_that_the_background_is_ready(void **state)
{
    (void)state;
    struct kith_os_why why = {{0}};
    foreground_session = getsid(0);
    assert_int_equal(detach(say_ready_when_detached, &why), KITH_OK);
    assert_string_equal(why.text, "");
}

static void say_failed(int ready_fd)
{
    kith_detach_failed(&ready_fd, KITH_E_INUSE, "in use by process 7");
}

static void the_foreground_learns_why_the_background_failed(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(detach(say_failed, &why), KITH_E_INUSE);
    assert_string_equal(why.text, "in use by process 7");
    assert_int_equal(detach(say_failed, NULL), KITH_E_INUSE);
}

static void say_much(int ready_fd)
{
    static char text[1000];

    memset(text, 'm', sizeof text - 1);
    kith_detach_failed(&ready_fd, KITH_E_IO, text);
}

static void a_long_reason_is_cut(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(detach(say_much, &why), KITH_E_IO);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
}

static void say_nothing(int ready_fd)
{
    (void)ready_fd;
}

static void a_background_that_dies_in_silence_has_failed(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(detach(say_nothing, &why), KITH_E_IO);
    assert_string_equal(why.text, "the background process ended before it was ready");
}

static void a_foreground_that_was_killed_does_not_kill_the_background(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    kith_detach_ready(&ends[1]); /* SIGPIPE would end this test */
    assert_int_equal(ends[1], -1);
    kith_detach_ready(&ends[1]); /* nobody to tell */
    kith_detach_failed(&ends[1], KITH_E_IO, "nobody hears");
}

/* ---- the service manager ---- */

/* Binds a datagram socket to `name` ('@' for abstract) and sets NOTIFY_SOCKET to it. */
static int manager(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    memcpy(a.sun_path, name, strlen(name));
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    return fd;
}

static void the_service_manager_hears_us_on_paths_and_abstract_names(void **state)
{
    (void)state;
    char path[64], abstract[64], got[32];
    (void)snprintf(path, sizeof path, "%s/kith-notify-%ld", P_tmpdir, (long)getpid());
    (void)snprintf(abstract, sizeof abstract, "@kith-notify-%ld", (long)getpid());
    const char *const names[] = {path, abstract};
    (void)unlink(path);
    for (size_t i = 0; i < KITH_COUNT(names); i++) {
        int fd = manager(names[i]);
        assert_int_equal(kith_sd_notify("READY=1", NULL), KITH_OK);
        assert_int_equal(recv(fd, got, sizeof got, 0), 7);
        assert_memory_equal(got, "READY=1", 7);
        (void)close(fd);
    }
    (void)unlink(path);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

static void without_a_service_manager_there_is_nothing_to_tell(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(kith_sd_notify("READY=1", &why), KITH_OK);
    assert_int_equal(setenv("NOTIFY_SOCKET", "vsock:2:1234", 1), 0);
    assert_int_equal(kith_sd_notify("READY=1", &why), KITH_E_UNSUPPORTED);
    assert_non_null(strstr(why.text, "vsock:2:1234"));
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1), 0);
    assert_int_equal(kith_sd_notify("READY=1", &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "notify /nowhere/at/all: No such file or directory");
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
}

/* ---- rights and limits ---- */

/* CAP_NET_ADMIN is bit 12 of CapEff in /proc (capabilities(7)). */
static bool proc_says_net_admin(void)
{
    char line[128];
    unsigned long long mask = 0;
    FILE *f = fopen("/proc/self/status", "re");

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "CapEff: %llx", &mask) == 1)
            break;
    (void)fclose(f);
    return mask >> 12 & 1;
}

static void privileges_are_what_proc_says(void **state)
{
    (void)state;
    struct kith_privileges p;
    uid_t self = geteuid();
    assert_int_equal(kith_process_privileges(&p, NULL), KITH_OK);
    assert_int_equal(p.euid, self);
    assert_int_equal(p.net_admin, proc_says_net_admin());
    if (self == 0) {
        assert_int_equal(seteuid(65534), 0);
        int err = kith_process_privileges(&p, NULL);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(err, KITH_OK);
        assert_int_equal(p.euid, 65534);
        assert_false(p.net_admin);
    }
}

/* The bits of memory that a core dump holds (core(5)). */
static unsigned core_filter(void)
{
    unsigned bits = ~0u;
    FILE *f = fopen("/proc/self/coredump_filter", "re");

    if (f == NULL)
        return bits;
    if (fscanf(f, "%x", &bits) != 1)
        bits = ~0u;
    (void)fclose(f);
    return bits;
}

static bool memory_is_hidden(void)
{
    struct rlimit limit;

    return core_filter() != 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0 &&
           kith_process_hide_memory(NULL) == KITH_OK && prctl(PR_GET_DUMPABLE) == 0 &&
           getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 && core_filter() == 0;
}

static void hidden_memory_is_not_dumped(void **state)
{
    (void)state;
    assert_true(in_child(memory_is_hidden));
}

static bool files_are_raised(void)
{
    struct rlimit limit = {.rlim_cur = 64, .rlim_max = 256};
    uint64_t now = 0;

    return setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           kith_process_raise_files(100, &now, NULL) == KITH_OK && now == 100 &&
           kith_process_raise_files(10, &now, NULL) == KITH_OK && now == 100 &&
           kith_process_raise_files(1000000, &now, NULL) == KITH_OK && now == 256 &&
           getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 256;
}

static void the_limit_of_files_is_raised_and_never_lowered(void **state)
{
    (void)state;
    assert_true(in_child(files_are_raised));
}

static void memory_in_use_grows_with_what_is_touched(void **state)
{
    (void)state;
    enum { SIZE = 32 << 20 };
    uint64_t before, after;
    assert_int_equal(kith_process_memory(&before), KITH_OK);
    volatile uint8_t *p = malloc(SIZE);
    assert_non_null((void *)p);
    for (size_t i = 0; i < SIZE; i += 4096)
        p[i] = 1;
    assert_int_equal(kith_process_memory(&after), KITH_OK);
    free((void *)p);
    assert_in_range(after - before, SIZE * 3 / 4, SIZE * 2);
}

static void the_other_end_of_a_unix_socket_is_known(void **state)
{
    (void)state;
    struct kith_peer_credentials c = {.pid = 77};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(kith_peer_credentials(ends[0], &c), KITH_OK);
    assert_int_equal(c.uid, geteuid());
    assert_int_equal(c.gid, getegid());
    assert_int_equal(c.pid, getpid());
    (void)close(ends[0]);
    (void)close(ends[1]);
    c.pid = 77;
    int lonely = socket(AF_UNIX, SOCK_STREAM, 0), inet = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(kith_peer_credentials(lonely, &c), KITH_E_IO);
    assert_int_equal(kith_peer_credentials(inet, &c), KITH_E_IO);
    assert_int_equal(kith_peer_credentials(-1, &c), KITH_E_IO);
    assert_int_equal(c.pid, 77);
    (void)close(lonely);
    (void)close(inet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_clocks_read_between_two_readings_of_the_system),
        cmocka_unit_test(random_bytes_fill_exactly_what_was_asked_for),
        cmocka_unit_test(the_foreground_learns_that_the_background_is_ready),
        cmocka_unit_test(the_foreground_learns_why_the_background_failed),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(a_background_that_dies_in_silence_has_failed),
        cmocka_unit_test(a_foreground_that_was_killed_does_not_kill_the_background),
        cmocka_unit_test(the_service_manager_hears_us_on_paths_and_abstract_names),
        cmocka_unit_test(without_a_service_manager_there_is_nothing_to_tell),
        cmocka_unit_test(privileges_are_what_proc_says),
        cmocka_unit_test(hidden_memory_is_not_dumped),
        cmocka_unit_test(the_limit_of_files_is_raised_and_never_lowered),
        cmocka_unit_test(memory_in_use_grows_with_what_is_touched),
        cmocka_unit_test(the_other_end_of_a_unix_socket_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
