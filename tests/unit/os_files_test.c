/* Files replaced whole or not at all, private files and directories, the lock, the default paths.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base_lab.h"
#include "dir_lab.h"
#include "os/files.h"

static size_t entries_here(void)
{
    DIR *d = opendir(".");
    size_t n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

static void write_plain(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void assert_content(const char *path, const char *text)
{
    char got[64] = {0};
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof got - 1, f), strlen(text));
    (void)fclose(f);
    assert_string_equal(got, text);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* ---- reading ---- */

static void a_file_is_read_whole_up_to_the_limit(void **state)
{
    (void)state;
    struct kith_buf b;
    struct kith_os_why why;
    write_plain("f", "twelve bytes", 0644);
    assert_int_equal(kith_file_read("f", 12, &kith_heap, &b, NULL), KITH_OK);
    assert_int_equal(kith_buf_len(&b), 12);
    assert_memory_equal(kith_buf_span(&b).p, "twelve bytes", 12);
    kith_buf_fini(&b);
    assert_int_equal(kith_file_read("f", 11, &kith_heap, &b, &why), KITH_E_LIMIT);
    assert_string_equal(why.text, "f is longer than 11 bytes");
    write_plain("empty", "", 0644);
    assert_int_equal(kith_file_read("empty", 0, &kith_heap, &b, NULL), KITH_OK);
    assert_int_equal(kith_buf_len(&b), 0);
    kith_buf_fini(&b);
}

static void a_file_that_hides_its_length_is_read_and_limited_too(void **state)
{
    (void)state;
    struct kith_buf b;
    /* /proc says 0 bytes; this one has 52 lines or so */
    assert_int_equal(kith_file_read("/proc/self/status", 65536, &kith_heap, &b, NULL), KITH_OK);
    assert_memory_equal(kith_buf_span(&b).p, "Name:", 5);
    size_t n = kith_buf_len(&b);
    assert_true(n > 256);
    kith_buf_fini(&b);
    assert_int_equal(kith_file_read("/proc/self/status", 256, &kith_heap, &b, NULL), KITH_E_LIMIT);
}

static void what_is_no_regular_file_is_not_read(void **state)
{
    (void)state;
    struct kith_buf b;
    struct kith_os_why why;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_int_equal(mkdir("d", 0700), 0);
    assert_int_equal(kith_file_read("fifo", 100, &kith_heap, &b, &why), KITH_E_INVAL);
    assert_string_equal(why.text, "fifo is no regular file");
    assert_int_equal(kith_file_read("d", 100, &kith_heap, &b, NULL), KITH_E_INVAL);
    assert_int_equal(kith_file_read("nothing", 100, &kith_heap, &b, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "open nothing: No such file or directory");
    assert_int_equal(kith_file_read("nothing", 100, &kith_heap, &b, NULL), KITH_E_NOTFOUND);
}

static void without_memory_nothing_is_read(void **state)
{
    (void)state;
    struct lab_heap heap;
    const struct kith_alloc none = lab_alloc(&heap);
    struct kith_buf b;
    heap.fuse = 0;
    write_plain("f", "text", 0644);
    assert_int_equal(kith_file_read("f", 100, &none, &b, NULL), KITH_E_NOMEM);
}

static void a_secret_is_allocated_once_so_that_no_copy_stays_behind(void **state)
{
    (void)state;
    static char long_text[6000];
    struct lab_heap heap;
    const struct kith_alloc counting = lab_alloc(&heap);
    struct kith_buf b;
    memset(long_text, 's', sizeof long_text - 1);
    write_plain("f", long_text, 0600);
    assert_int_equal(kith_file_read_private("f", 8192, &counting, &b, NULL), KITH_OK);
    assert_int_equal(kith_buf_len(&b), sizeof long_text - 1);
    assert_int_equal(heap.asked, 1);
    kith_buf_fini(&b);
}

/* ---- privacy ---- */

static void a_secret_that_others_may_touch_is_refused_with_the_remedy(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601};
    struct kith_os_why why;
    struct kith_buf b;
    write_plain("key", "secret", 0600);
    assert_int_equal(kith_file_check_private("key", NULL), KITH_OK);
    assert_int_equal(kith_file_read_private("key", 100, &kith_heap, &b, NULL), KITH_OK);
    kith_buf_fini(&b);
    assert_int_equal(chmod("key", 0400), 0);
    assert_int_equal(kith_file_check_private("key", NULL), KITH_OK);
    for (size_t i = 0; i < KITH_COUNT(open_modes); i++) {
        assert_int_equal(chmod("key", open_modes[i]), 0);
        assert_int_equal(kith_file_check_private("key", &why), KITH_E_PERM);
        assert_int_equal(strncmp(why.text, "chmod 600 key: ", 15), 0);
        assert_int_equal(kith_file_read_private("key", 100, &kith_heap, &b, NULL), KITH_E_PERM);
    }
    assert_int_equal(kith_file_check_private("missing", &why), KITH_E_NOTFOUND);
    assert_int_equal(kith_file_check_private(".", &why), KITH_E_INVAL);
}

static void a_secret_of_another_user_is_refused(void **state)
{
    (void)state;
    struct kith_os_why why;
    if (geteuid() != 0) {
        print_message("needs root to give a file away\n");
        skip();
    }
    write_plain("key", "secret", 0600);
    assert_int_equal(chown("key", 1234, 0), 0);
    assert_int_equal(kith_file_check_private("key", &why), KITH_E_PERM);
    assert_string_equal(why.text, "chown 0 key: it belongs to user 1234");
    /* root's is as good as ours, for whom can reach it */
    assert_int_equal(chown("key", 0, 0), 0);
    assert_int_equal(chmod(lab_dir, 0711), 0);
    assert_int_equal(seteuid(1234), 0);
    int err = kith_file_check_private("key", NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(err, KITH_OK);
}

static void a_directory_is_made_with_its_parents_for_us_alone(void **state)
{
    (void)state;
    (void)umask(0);
    assert_int_equal(kith_dir_private("a/b//c/", false, NULL), KITH_E_NOTFOUND);
    assert_int_equal(kith_dir_private("a/b//c/", true, NULL), KITH_OK);
    assert_int_equal(mode_of("a"), 0700);
    assert_int_equal(mode_of("a/b"), 0700);
    assert_int_equal(mode_of("a/b/c"), 0700);
    assert_int_equal(kith_dir_private("a/b/c", true, NULL), KITH_OK);
    assert_int_equal(kith_dir_private("a/b/c", false, NULL), KITH_OK);
    assert_int_equal(kith_dir_private("", true, NULL), KITH_E_INVAL);
}

static void a_directory_that_others_can_change_is_refused_with_the_remedy(void **state)
{
    (void)state;
    static const mode_t open_modes[] = {0770, 0702, 01777};
    struct kith_os_why why;
    assert_int_equal(mkdir("d", 0700), 0);
    for (size_t i = 0; i < KITH_COUNT(open_modes); i++) {
        assert_int_equal(chmod("d", open_modes[i]), 0);
        assert_int_equal(kith_dir_private("d", true, &why), KITH_E_PERM);
        assert_int_equal(strncmp(why.text, "chmod 700 d: ", 13), 0);
    }
    assert_int_equal(chmod("d", 0755), 0); /* readable is not writable */
    assert_int_equal(kith_dir_private("d", true, NULL), KITH_OK);
    write_plain("f", "", 0600);
    assert_int_equal(kith_dir_private("f", true, &why), KITH_E_INVAL);
    assert_int_equal(kith_dir_private("f/d", true, &why), KITH_E_NOTFOUND);
}

static void a_directory_of_another_user_is_refused_with_what_mends_all_in_it(void **state)
{
    (void)state;
    struct kith_os_why why;
    if (geteuid() != 0) {
        print_message("needs root to give a directory away\n");
        skip();
    }
    assert_int_equal(mkdir("d", 0700), 0);
    assert_int_equal(chown("d", 1234, 0), 0);
    assert_int_equal(kith_dir_private("d", true, &why), KITH_E_PERM);
    assert_string_equal(why.text, "chown -R 0 d: it belongs to user 1234");
    assert_int_equal(chown("d", 0, 0), 0);
    assert_int_equal(kith_dir_private("d", true, NULL), KITH_OK);
}

/* ---- writing ---- */

static void a_file_is_replaced_with_content_and_mode_whatever_the_umask(void **state)
{
    (void)state;
    (void)umask(077);
    assert_int_equal(kith_file_write_atomic("f", kith_span_text("one"), 0640, NULL, NULL), KITH_OK);
    assert_content("f", "one");
    assert_int_equal(mode_of("f"), 0640);
    assert_int_equal(kith_file_write_atomic("f", kith_span_text("second"), 0600, NULL, NULL),
                     KITH_OK);
    assert_content("f", "second");
    assert_int_equal(mode_of("f"), 0600);
    assert_int_equal(kith_file_write_atomic("f", (struct kith_span){0}, 0600, NULL, NULL), KITH_OK);
    assert_content("f", "");
    assert_int_equal(entries_here(), 1);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/g", lab_dir);
    assert_int_equal(kith_file_write_atomic(path, kith_span_text("far"), 0600, NULL, NULL),
                     KITH_OK);
    assert_content("g", "far");
}

static void a_symbolic_link_is_replaced_and_its_target_left_alone(void **state)
{
    (void)state;
    write_plain("target", "old", 0600);
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(kith_file_write_atomic("link", kith_span_text("new"), 0600, NULL, NULL),
                     KITH_OK);
    assert_content("target", "old");
    assert_content("link", "new");
}

/* A system in which the fail_at-th step fails, and writes take three bytes at a time. */
struct broken_system {
    unsigned step, fail_at;
    int errnum;
};

static int step_fails(struct broken_system *b)
{
    if (b->step++ != b->fail_at)
        return 0;
    errno = b->errnum;
    return 1;
}

static long broken_write(void *ctx, int fd, const void *p, size_t n)
{
    return step_fails(ctx) ? -1 : write(fd, p, n < 3 ? n : 3);
}

static int broken_fsync(void *ctx, int fd)
{
    return step_fails(ctx) ? -1 : fsync(fd);
}

static int broken_rename(void *ctx, int at, const char *from, const char *to)
{
    return step_fails(ctx) ? -1 : renameat(at, from, at, to);
}

static void whichever_step_fails_the_old_file_stays_and_nothing_beside_it(void **state)
{
    (void)state;
    /* "new text": three writes, fsync, rename; then the directory's fsync */
    enum { STEPS = 5, LAST = 5 };
    struct broken_system b;
    const struct kith_file_ops ops = {broken_write, broken_fsync, broken_rename, &b};
    struct kith_os_why why;
    write_plain("f", "old", 0644);
    for (unsigned i = 0; i < STEPS; i++) {
        b = (struct broken_system){.fail_at = i, .errnum = ENOSPC};
        assert_int_equal(kith_file_write_atomic("f", kith_span_text("new text"), 0600, &ops, &why),
                         KITH_E_NOSPACE);
        assert_non_null(strstr(why.text, "f: No space left on device"));
        assert_content("f", "old");
        assert_int_equal(mode_of("f"), 0644);
        assert_int_equal(entries_here(), 1);
    }
    b = (struct broken_system){.fail_at = LAST, .errnum = EIO};
    assert_int_equal(kith_file_write_atomic("f", kith_span_text("new text"), 0600, &ops, NULL),
                     KITH_E_IO);
    assert_content("f", "new text"); /* the documented exception */
    assert_int_equal(entries_here(), 1);
    b = (struct broken_system){.fail_at = LAST + 1};
    assert_int_equal(kith_file_write_atomic("f", kith_span_text("new text"), 0600, &ops, NULL),
                     KITH_OK);
    assert_int_equal(b.step, LAST + 1); /* so all steps were tried */
}

static void an_interrupted_write_goes_on(void **state)
{
    (void)state;
    struct broken_system b = {.fail_at = 1, .errnum = EINTR};
    const struct kith_file_ops ops = {broken_write, broken_fsync, broken_rename, &b};
    assert_int_equal(kith_file_write_atomic("f", kith_span_text("new text"), 0600, &ops, NULL),
                     KITH_OK);
    assert_content("f", "new text");
}

static void a_file_is_created_only_where_there_is_none(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(kith_file_create_exclusive("f", kith_span_text("first"), 0600, NULL, NULL),
                     KITH_OK);
    assert_int_equal(kith_file_create_exclusive("f", kith_span_text("late"), 0600, NULL, &why),
                     KITH_E_EXISTS);
    assert_string_equal(why.text, "create f: File exists");
    assert_content("f", "first");
    assert_int_equal(mode_of("f"), 0600);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(kith_file_create_exclusive("dangling", kith_span_text("x"), 0600, NULL, NULL),
                     KITH_E_EXISTS);
    assert_int_equal(entries_here(), 2);
}

static void a_failed_creation_creates_nothing(void **state)
{
    (void)state;
    struct broken_system b;
    const struct kith_file_ops ops = {broken_write, broken_fsync, broken_rename, &b};
    for (unsigned i = 0; i < 3; i++) { /* two writes, fsync */
        b = (struct broken_system){.fail_at = i, .errnum = EIO};
        assert_int_equal(kith_file_create_exclusive("f", kith_span_text("first"), 0600, &ops, NULL),
                         KITH_E_IO);
        assert_int_equal(entries_here(), 0);
    }
}

static void paths_that_name_no_file_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", "d/", ".", "..", "d/.."};
    struct kith_os_why why;
    char long_name[300];
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_file_write_atomic(bad[i], kith_span_text("x"), 0600, NULL, &why),
                         KITH_E_INVAL);
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(kith_file_write_atomic(long_name, kith_span_text("x"), 0600, NULL, &why),
                     KITH_E_INVAL);
    assert_int_equal(strlen(why.text), sizeof why.text - 1); /* cut, and terminated */
    assert_int_equal(kith_file_write_atomic("no/f", kith_span_text("x"), 0600, NULL, &why),
                     KITH_E_NOTFOUND);
}

/* ---- lock ---- */

/* A child that holds the lock until `release` is closed; returns when it holds it. */
static pid_t holder(const char *path, int *ret_release)
{
    int held[2], release[2];
    char byte;

    assert_int_equal(pipe(held), 0);
    assert_int_equal(pipe(release), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct kith_lock lock;
        (void)close(release[1]);
        if (kith_lock_take(path, &lock, NULL) < 0 || write(held[1], "", 1) != 1)
            _exit(1);
        (void)!read(release[0], &byte, 1);
        _exit(0); /* without releasing: as a crash would */
    }
    (void)close(release[0]);
    (void)close(held[1]);
    assert_int_equal(read(held[0], &byte, 1), 1);
    (void)close(held[0]);
    *ret_release = release[1];
    return pid;
}

static void a_lock_held_by_another_process_is_refused_and_names_it(void **state)
{
    (void)state;
    struct kith_lock lock = {.fd = 77};
    struct kith_os_why why;
    char expected[64];
    int release;
    pid_t pid = holder("lock", &release);
    assert_int_equal(kith_lock_take("lock", &lock, &why), KITH_E_INUSE);
    (void)snprintf(expected, sizeof expected, "in use by process %ld (lock)", (long)pid);
    assert_string_equal(why.text, expected);
    assert_int_equal(lock.fd, 77);
    (void)close(release);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(kith_lock_take("lock", &lock, NULL), KITH_OK);
    (void)snprintf(expected, sizeof expected, "%ld\n", (long)getpid());
    assert_content("lock", expected);
    assert_int_equal(mode_of("lock"), 0600);
    kith_lock_release(&lock);
}

static void a_released_lock_can_be_taken_again(void **state)
{
    (void)state;
    struct kith_lock first, second;
    struct kith_os_why why;
    assert_int_equal(kith_lock_take("lock", &first, NULL), KITH_OK);
    assert_int_equal(kith_lock_take("lock", &second, NULL), KITH_E_INUSE);
    write_plain("lock", "not a number", 0600);
    assert_int_equal(kith_lock_take("lock", &second, &why), KITH_E_INUSE);
    assert_string_equal(why.text, "in use by another process (lock)");
    kith_lock_release(&first);
    kith_lock_release(&first); /* harmless */
    assert_int_equal(kith_lock_take("lock", &second, NULL), KITH_OK);
    kith_lock_release(&second);
    assert_int_equal(kith_lock_take("no/lock", &second, &why), KITH_E_NOTFOUND);
}

/* ---- paths ---- */

static void the_state_directory_follows_user_and_environment(void **state)
{
    (void)state;
    char path[64];
    uid_t self = geteuid();
    if (self == 0) {
        assert_int_equal(setenv("XDG_STATE_HOME", "/s", 1), 0);
        assert_int_equal(kith_paths_state(path, sizeof path), KITH_OK);
        assert_string_equal(path, "/var/lib/kith");
        assert_int_equal(seteuid(65534), 0);
    }
    (void)setenv("XDG_STATE_HOME", "/s", 1);
    (void)setenv("HOME", "/home/ada", 1);
    char with_xdg[64] = "", relative[64] = "", without[64] = "";
    int err = kith_paths_state(with_xdg, sizeof with_xdg);
    (void)setenv("XDG_STATE_HOME", "not/absolute", 1);
    err |= kith_paths_state(relative, sizeof relative);
    (void)unsetenv("XDG_STATE_HOME");
    err |= kith_paths_state(without, sizeof without);
    int fits = kith_paths_state(path, sizeof "/home/ada/.local/state/kith");
    int too_long = kith_paths_state(path, sizeof "/home/ada/.local/state/kith" - 1);
    assert_int_equal(seteuid(self), 0);
    assert_int_equal(err, KITH_OK);
    assert_string_equal(with_xdg, "/s/kith");
    assert_string_equal(relative, "/home/ada/.local/state/kith");
    assert_string_equal(without, "/home/ada/.local/state/kith");
    assert_int_equal(fits, KITH_OK);
    assert_int_equal(too_long, KITH_E_LIMIT);
}

/* ---- the system's numbers ---- */

static void errors_of_the_system_get_the_nearest_of_ours(void **state)
{
    (void)state;
    struct kith_os_why why;
    assert_int_equal(kith_os_err(EPERM), KITH_E_PERM);
    assert_int_equal(kith_os_err(ENOSPC), KITH_E_NOSPACE);
    assert_int_equal(kith_os_err(ENOTTY), KITH_E_IO); /* not in the table */
    assert_int_equal(kith_os_fail(&why, EPERM, "open %s", "/dev/net/tun"), KITH_E_PERM);
    assert_string_equal(why.text, "open /dev/net/tun: Operation not permitted");
    assert_int_equal(kith_os_fail(NULL, EPERM, "open"), KITH_E_PERM);
    assert_int_equal(kith_os_say(NULL, KITH_E_AUTH, "no"), KITH_E_AUTH);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, lab_dir_enter, lab_dir_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_file_is_read_whole_up_to_the_limit),
        HERE(a_file_that_hides_its_length_is_read_and_limited_too),
        HERE(what_is_no_regular_file_is_not_read),
        HERE(without_memory_nothing_is_read),
        HERE(a_secret_is_allocated_once_so_that_no_copy_stays_behind),
        HERE(a_secret_that_others_may_touch_is_refused_with_the_remedy),
        HERE(a_secret_of_another_user_is_refused),
        HERE(a_directory_is_made_with_its_parents_for_us_alone),
        HERE(a_directory_that_others_can_change_is_refused_with_the_remedy),
        HERE(a_directory_of_another_user_is_refused_with_what_mends_all_in_it),
        HERE(a_file_is_replaced_with_content_and_mode_whatever_the_umask),
        HERE(a_symbolic_link_is_replaced_and_its_target_left_alone),
        HERE(whichever_step_fails_the_old_file_stays_and_nothing_beside_it),
        HERE(an_interrupted_write_goes_on),
        HERE(a_file_is_created_only_where_there_is_none),
        HERE(a_failed_creation_creates_nothing),
        HERE(paths_that_name_no_file_are_refused),
        HERE(a_lock_held_by_another_process_is_refused_and_names_it),
        HERE(a_released_lock_can_be_taken_again),
        HERE(the_state_directory_follows_user_and_environment),
        cmocka_unit_test(errors_of_the_system_get_the_nearest_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
