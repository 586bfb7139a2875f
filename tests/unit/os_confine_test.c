/* What a confined process still can, what it cannot any more, and how it learns that. Every case
 * runs in a child: there is no way back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/confine.h"

enum {
    PASSED = 0,
    NO_LANDLOCK = 97, /* exit codes of a child */
    UNSUPPORTED = 98,
    FAILED = 99,
};

static char home[256], own[300], elsewhere[300], config[300];
static bool unsupported; /* this build or this kernel */

static int confine(bool *ret_files)
{
    const struct kith_confine_path paths[] = {
        {.path = own, .write = true},
        {.path = config},
        {.path = "/nowhere/at/all", .optional = true},
    };

    return kith_confine(paths, KITH_COUNT(paths), ret_files, NULL);
}

/* Waits for a child that runs f confined; its status. */
static int status_of(bool (*f)(void), bool needs_files)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        bool files = false;
        int err = confine(&files);
        if (err < 0)
            _exit(err == KITH_E_UNSUPPORTED ? UNSUPPORTED : FAILED);
        if (needs_files && !files)
            _exit(NO_LANDLOCK);
        _exit(f() ? PASSED : FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect(bool (*f)(void), bool needs_files)
{
    if (unsupported)
        skip();
    int status = status_of(f, needs_files);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_LANDLOCK) {
        print_message("this kernel has no Landlock\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static void expect_passes(bool (*f)(void))
{
    expect(f, false);
}

static void expect_killed(bool (*f)(void))
{
    if (unsupported)
        skip();
    int status = status_of(f, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* Whether a call returned -1 with this error number. */
static bool failed_with(long result, int errnum)
{
    return result == -1 && errno == errnum;
}

/* ---- what stays ---- */

static bool opens(int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    return fd >= 0 && close(fd) == 0;
}

static bool uses_sockets(void)
{
    int pair[2], on = 1;
    return opens(AF_INET, SOCK_DGRAM, 0) && opens(AF_INET6, SOCK_DGRAM, 0) &&
           opens(AF_INET, SOCK_STREAM, 0) && opens(AF_UNIX, SOCK_STREAM, 0) &&
           opens(AF_UNIX, SOCK_DGRAM, 0) && opens(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) &&
           socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && ioctl(pair[0], FIONBIO, &on) == 0 &&
           send(pair[0], "x", 1, 0) == 1;
}

static void sockets_of_a_nodes_kinds_open(void **state)
{
    (void)state;
    expect_passes(uses_sockets);
}

static void *set_flag(void *flag)
{
    *(bool *)flag = true;
    return NULL;
}

static bool runs_threads(void)
{
    pthread_t thread;
    bool ran = false;
    void *p = malloc(64 << 20); /* the most that a passphrase takes */
    if (p == NULL)
        return false;
    memset(p, 1, 64 << 20);
    free(p);
    return pthread_create(&thread, NULL, set_flag, &ran) == 0 && pthread_join(thread, NULL) == 0 &&
           ran;
}

static void threads_and_memory_are_to_be_had(void **state)
{
    (void)state;
    expect_passes(runs_threads);
}

static bool uses_own_files(void)
{
    char from[320], to[320], byte = 0;
    (void)snprintf(from, sizeof from, "%s/new", own);
    (void)snprintf(to, sizeof to, "%s/kept", own);
    int fd = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd >= 0 && pwrite(fd, "x", 1, 0) == 1 && fsync(fd) == 0 && ftruncate(fd, 1) == 0 &&
           fchmod(fd, 0640) == 0 && rename(from, to) == 0 && pread(fd, &byte, 1, 0) == 1 &&
           byte == 'x' && close(fd) == 0 && unlink(to) == 0;
}

static void own_files_are_made_changed_and_removed(void **state)
{
    (void)state;
    expect(uses_own_files, true);
}

static bool aborts(void)
{
    abort();
}

static void a_fault_still_ends_it_as_faults_do(void **state)
{
    (void)state;
    if (unsupported)
        skip();
    int status = status_of(aborts, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* ---- what ends the process ---- */

static bool starts_a_program(void)
{
    char *const none[] = {NULL};
    (void)execve("/bin/true", none, none);
    return true;
}

static bool looks_into_another(void)
{
    (void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
    return true;
}

static bool reads_another(void)
{
    char byte;
    struct iovec io = {&byte, 1};
    (void)process_vm_readv(getppid(), &io, 1, &io, 1, 0);
    return true;
}

static bool makes_a_namespace(void)
{
    (void)syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */);
    return true;
}

static bool mounts(void)
{
    (void)syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL);
    return true;
}

static void starting_a_program_ends_it(void **state)
{
    (void)state;
    expect_killed(starts_a_program);
}

static void reaching_into_another_process_ends_it(void **state)
{
    (void)state;
    expect_killed(looks_into_another);
    expect_killed(reads_another);
}

static void another_view_of_the_machine_ends_it(void **state)
{
    (void)state;
    expect_killed(makes_a_namespace);
    expect_killed(mounts);
}

/* ---- what fails ---- */

static bool refuses_sockets(void)
{
    return failed_with(socket(AF_PACKET, SOCK_RAW, 0), EPERM) &&
           failed_with(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM) &&
           failed_with(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM) &&
           failed_with(socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER), EPERM) &&
           failed_with(socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM) &&
           failed_with(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
}

static void sockets_of_other_kinds_do_not_open(void **state)
{
    (void)state;
    expect_passes(refuses_sockets);
}

static bool refuses_processes(void)
{
    return failed_with(fork(), EPERM) && failed_with(kill(getppid(), SIGTERM), EPERM) &&
           failed_with(syscall(SYS_tgkill, getppid(), getppid(), SIGTERM), EPERM);
}

static void processes_are_neither_made_nor_signalled(void **state)
{
    (void)state;
    expect_passes(refuses_processes);
}

static bool refuses_code(void)
{
    size_t n = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED && failed_with(mprotect(p, n, PROT_READ | PROT_EXEC), EPERM) &&
           mmap(NULL, n, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
           errno == EPERM;
}

static void memory_does_not_become_code(void **state)
{
    (void)state;
    expect_passes(refuses_code);
}

static bool refuses_others(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           failed_with(setrlimit(RLIMIT_NOFILE, &limit), EPERM) &&
           failed_with(ioctl(0, TIOCSTI, "x"), EPERM) && failed_with(setuid(getuid()), EPERM) &&
           failed_with(sethostname("x", 1), EPERM);
}

static void what_is_not_in_the_table_fails(void **state)
{
    (void)state;
    expect_passes(refuses_others);
}

static bool is_refused(const char *path, int flags)
{
    return failed_with(open(path, flags | O_CLOEXEC), EACCES);
}

static bool refuses_files(void)
{
    char inside[320];
    (void)snprintf(inside, sizeof inside, "%s/new", elsewhere);
    return is_refused(elsewhere, O_RDONLY) && is_refused("/etc/passwd", O_RDONLY) &&
           failed_with(open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES) &&
           failed_with(mkdir(inside, 0700), EACCES) && failed_with(rename(own, inside), EACCES);
}

static bool keeps_from_writing(void)
{
    int fd = open(config, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && close(fd) == 0 && is_refused(config, O_WRONLY) &&
           is_refused(config, O_RDONLY | O_TRUNC) && failed_with(unlink(config), EACCES);
}

static void files_elsewhere_are_out_of_reach(void **state)
{
    (void)state;
    expect(refuses_files, true);
}

static void what_is_to_be_read_is_not_written(void **state)
{
    (void)state;
    expect(keeps_from_writing, true);
}

static void *tries_outside(void *refused)
{
    *(bool *)refused =
        is_refused("/etc/passwd", O_RDONLY) && failed_with(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
    return NULL;
}

static bool confines_threads(void)
{
    pthread_t thread;
    bool refused = false;
    return pthread_create(&thread, NULL, tries_outside, &refused) == 0 &&
           pthread_join(thread, NULL) == 0 && refused;
}

static void threads_made_later_are_inside(void **state)
{
    (void)state;
    expect(confines_threads, true);
}

/* ---- when it cannot be ---- */

static void *waits(void *fd)
{
    char byte;
    (void)!read(*(int *)fd, &byte, 1);
    return NULL;
}

static void with_threads_it_is_too_late(void **state)
{
    (void)state;
    int ends[2];
    bool files = true;
    pthread_t thread;
    if (unsupported)
        skip();
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&thread, NULL, waits, &ends[0]), 0);
    assert_int_equal(confine(&files), KITH_E_STATE); /* or nothing after this would work */
    assert_true(files);
    (void)close(ends[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(ends[0]);
}

static bool missing_path_is_named(void)
{
    const struct kith_confine_path path = {.path = "/nowhere/at/all"};
    struct kith_os_why why = {.text = ""};
    bool files;
    return kith_confine(&path, 1, &files, &why) == KITH_E_NOTFOUND &&
           strstr(why.text, "/nowhere/at/all") != NULL;
}

static void a_path_that_must_be_there_is_missed(void **state)
{
    (void)state;
    int status;
    if (unsupported)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(missing_path_is_named() ? PASSED : FAILED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static bool nothing(void)
{
    return true;
}

/* Root can do without no_new_privs; nobody else can. */
static void an_ordinary_user_can_be_confined(void **state)
{
    (void)state;
    int status;
    bool files = false;
    if (unsupported)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct kith_confine_path all = {.path = "/"};
        if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(FAILED);
        _exit(kith_confine(&all, 1, &files, NULL) == KITH_OK && failed_with(fork(), EPERM)
                  ? PASSED
                  : FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

/* A kernel before 5.13, as far as this process can tell. */
static bool forget_landlock(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int call = SCMP_SYS(landlock_create_ruleset);
    bool ok = filter != NULL && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0) == 0 &&
              seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

static void without_landlock_it_says_so_and_confines_calls(void **state)
{
    (void)state;
    int status;
    if (unsupported)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct kith_confine_path path = {.path = own, .write = true};
        struct kith_os_why why = {.text = ""};
        bool files = true;
        _exit(forget_landlock() && kith_confine(&path, 1, &files, &why) == KITH_OK && !files &&
                      strstr(why.text, "Landlock") != NULL && failed_with(fork(), EPERM) &&
                      open(elsewhere, O_RDONLY | O_CLOEXEC) >= 0
                  ? PASSED
                  : FAILED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static bool refuses_with_a_reason(void)
{
    struct kith_os_why why = {.text = ""};
    bool files;
    return kith_confine(NULL, 0, &files, &why) == KITH_E_UNSUPPORTED && why.text[0] != '\0';
}

static void where_it_is_unsupported_it_says_why(void **state)
{
    (void)state;
    if (!unsupported)
        skip();
    assert_true(refuses_with_a_reason());
}

static void make_file(const char *path)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof home, "%s/kith-confine.XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(home));
    (void)snprintf(own, sizeof own, "%s/own", home);
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", home);
    (void)snprintf(config, sizeof config, "%s/config", home);
    assert_int_equal(mkdir(own, 0700), 0);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    make_file(config);
    int status = status_of(nothing, false);
    unsupported = WIFEXITED(status) && WEXITSTATUS(status) == UNSUPPORTED;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(config);
    (void)rmdir(own);
    (void)rmdir(elsewhere);
    return rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_of_a_nodes_kinds_open),
        cmocka_unit_test(threads_and_memory_are_to_be_had),
        cmocka_unit_test(own_files_are_made_changed_and_removed),
        cmocka_unit_test(a_fault_still_ends_it_as_faults_do),
        cmocka_unit_test(starting_a_program_ends_it),
        cmocka_unit_test(reaching_into_another_process_ends_it),
        cmocka_unit_test(another_view_of_the_machine_ends_it),
        cmocka_unit_test(sockets_of_other_kinds_do_not_open),
        cmocka_unit_test(processes_are_neither_made_nor_signalled),
        cmocka_unit_test(memory_does_not_become_code),
        cmocka_unit_test(what_is_not_in_the_table_fails),
        cmocka_unit_test(files_elsewhere_are_out_of_reach),
        cmocka_unit_test(what_is_to_be_read_is_not_written),
        cmocka_unit_test(threads_made_later_are_inside),
        cmocka_unit_test(with_threads_it_is_too_late),
        cmocka_unit_test(a_path_that_must_be_there_is_missed),
        cmocka_unit_test(an_ordinary_user_can_be_confined),
        cmocka_unit_test(without_landlock_it_says_so_and_confines_calls),
        cmocka_unit_test(where_it_is_unsupported_it_says_why),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
