/* Going on in the background, with the foreground waiting for how the start went.
 *
 * Over a pipe the background says one byte, the negated error (0: ready), and for an error its
 * text. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Reads to the end or to cap bytes. */
static size_t read_report(int fd, uint8_t *buf, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return n;
}

static int wait_for_report(int fd, struct kith_os_why *why)
{
    struct kith_os_why text = {{0}};
    uint8_t report[1 + sizeof text.text];
    size_t n = read_report(fd, report, sizeof report - 1);

    if (n == 0)
        return kith_os_say(why, KITH_E_IO, "the background process ended before it was ready");
    if (report[0] == 0)
        return KITH_OK;
    memcpy(text.text, report + 1, n - 1);
    return kith_os_say(why, -(int)report[0], "%s", text.text);
}

static int silence(void)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0)
        return -1;
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(null, fd) < 0)
            return -1;
    if (null > 2)
        (void)close(null);
    return 0;
}

/* A pipe that stays out of the way of descriptors 0 to 2, which become /dev/null. */
static int high_pipe(int ret[2])
{
    int low[2];

    if (pipe2(low, O_CLOEXEC) < 0)
        return -1;
    ret[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
    ret[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 3);
    (void)close(low[0]);
    (void)close(low[1]);
    if (ret[0] >= 0 && ret[1] >= 0)
        return 0;
    int errnum = errno;
    for (int i = 0; i < 2; i++)
        if (ret[i] >= 0)
            (void)close(ret[i]);
    errno = errnum;
    return -1;
}

static _Noreturn void give_up(int *ready_fd, const char *step)
{
    struct kith_os_why why = {{0}};
    int err = kith_os_fail(&why, errno, "%s", step);

    kith_detach_failed(ready_fd, err, why.text);
    _exit(1);
}

/* The child: a new session, and one more fork so that its leader is gone and no terminal can become
 * ours. Returns in the grandchild only. */
static void become_background(int *ready_fd)
{
    if (setsid() < 0)
        give_up(ready_fd, "start a session (setsid)");
    pid_t pid = fork();
    if (pid < 0)
        give_up(ready_fd, "start a background process (fork)");
    if (pid > 0)
        _exit(0);
    if (silence() < 0)
        give_up(ready_fd, "open /dev/null");
}

static int parent_waits(pid_t child, int fd, struct kith_os_why *why)
{
    int err = wait_for_report(fd, why);

    (void)close(fd);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return err;
}

int kith_process_detach(int *ret_ready_fd, struct kith_os_why *why)
{
    int ends[2];

    if (high_pipe(ends) < 0)
        return kith_os_fail(why, errno, "open a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        int err = kith_os_fail(why, errno, "start a background process (fork)");
        (void)close(ends[0]);
        (void)close(ends[1]);
        return err;
    }
    if (pid > 0) {
        (void)close(ends[1]);
        int err = parent_waits(pid, ends[0], why);
        if (err == KITH_OK)
            *ret_ready_fd = -1;
        return err;
    }
    (void)close(ends[0]);
    become_background(&ends[1]);
    *ret_ready_fd = ends[1];
    return KITH_OK;
}

/* At most PIPE_BUF bytes into an empty pipe: one write, which cannot block. The waiting process may
 * have been killed; that must not kill this one. */
static void report(int *ready_fd, const uint8_t *p, size_t n)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

    if (*ready_fd < 0)
        return;
    (void)sigaction(SIGPIPE, &ignore, &before);
    while (write(*ready_fd, p, n) < 0 && errno == EINTR)
        ;
    (void)sigaction(SIGPIPE, &before, NULL);
    (void)close(*ready_fd);
    *ready_fd = -1;
}

void kith_detach_ready(int *ready_fd)
{
    report(ready_fd, &(uint8_t){0}, 1);
}

void kith_detach_failed(int *ready_fd, int err, const char *text)
{
    uint8_t bytes[sizeof(struct kith_os_why)]; /* the number, and a text without its NUL */
    size_t n = strnlen(text, sizeof bytes - 1);

    bytes[0] = err < 0 && err >= -UINT8_MAX ? (uint8_t)-err : (uint8_t)-KITH_E_IO;
    memcpy(bytes + 1, text, n);
    report(ready_fd, bytes, n + 1);
}
