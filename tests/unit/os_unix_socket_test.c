/* Unix sockets: listening without pushing anybody out, bytes with time-outs, descriptors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dir_lab.h"
#include "fd_lab.h"
#include "os/unix_socket.h"

enum { PATIENCE = 5000 }; /* ms; only a failing test waits so long */

/* Two connected ends: [0] the listener's, [1] the client's. */
static void connected(int ret[2])
{
    int listener;

    assert_int_equal(kith_unix_listen("s", 0600, &listener, NULL), KITH_OK);
    assert_int_equal(kith_unix_connect("s", &ret[1], NULL), KITH_OK);
    ret[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ret[0] >= 0);
    (void)close(listener);
}

static void disconnect(int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- listening and connecting ---- */

static void a_listener_is_reached_and_has_its_mode_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t umasks[] = {0, 077};
    struct stat st;
    int fd, client;
    for (size_t i = 0; i < KITH_COUNT(umasks); i++) {
        (void)umask(umasks[i]);
        assert_int_equal(kith_unix_listen("s", 0660, &fd, NULL), KITH_OK);
        assert_int_equal(lstat("s", &st), 0);
        assert_int_equal(st.st_mode & 0777, 0660);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(kith_unix_connect("s", &client, NULL), KITH_OK);
        (void)close(client);
        (void)close(fd);
    }
}

static void the_socket_of_a_dead_process_is_replaced(void **state)
{
    (void)state;
    int dead, fd, client = 77;
    struct kith_os_why why;
    assert_int_equal(kith_unix_listen("s", 0600, &dead, NULL), KITH_OK);
    (void)close(dead);
    assert_int_equal(kith_unix_connect("s", &client, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "nobody answers on s");
    assert_int_equal(client, 77);
    assert_int_equal(kith_unix_listen("s", 0600, &fd, NULL), KITH_OK);
    assert_int_equal(kith_unix_connect("s", &client, NULL), KITH_OK);
    (void)close(client);
    (void)close(fd);
}

static void a_socket_that_answers_is_left_alone(void **state)
{
    (void)state;
    int first, second, client;
    struct kith_os_why why;
    size_t files = lab_descriptors();
    assert_int_equal(kith_unix_listen("s", 0600, &first, NULL), KITH_OK);
    assert_int_equal(kith_unix_listen("s", 0600, &second, &why), KITH_E_INUSE);
    assert_string_equal(why.text, "another process answers on s");
    assert_int_equal(kith_unix_connect("s", &client, NULL), KITH_OK);
    (void)close(client);
    (void)close(first);
    assert_int_equal(lab_descriptors(), files);
}

static void a_listener_too_busy_to_accept_counts_as_answering(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "s"};
    int first, second, fds[256];
    size_t n = 0;
    assert_int_equal(kith_unix_listen("s", 0600, &first, NULL), KITH_OK);
    for (; n < KITH_COUNT(fds); n++) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(fds[n] >= 0);
        if (connect(fds[n], (struct sockaddr *)&a, sizeof a) < 0)
            break;
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(kith_unix_listen("s", 0600, &second, NULL), KITH_E_INUSE);
    for (size_t i = 0; i <= n; i++)
        (void)close(fds[i]);
    (void)close(first);
}

static void what_is_no_socket_is_not_removed(void **state)
{
    (void)state;
    int fd;
    struct kith_os_why why;
    FILE *f = fopen("s", "we");
    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(kith_unix_listen("s", 0600, &fd, &why), KITH_E_EXISTS);
    assert_string_equal(why.text, "s exists and is no socket");
    assert_int_equal(access("s", F_OK), 0);
    assert_int_equal(kith_unix_listen("no/s", 0600, &fd, NULL), KITH_E_NOTFOUND);
    assert_int_equal(kith_unix_connect("no/s", &fd, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "connect to no/s: No such file or directory");
}

static void a_path_is_as_long_as_the_kernel_takes_and_no_longer(void **state)
{
    (void)state;
    char path[KITH_UNIX_PATH_MAX + 2];
    struct kith_os_why why;
    int fd;
    memset(path, 'p', sizeof path);
    path[KITH_UNIX_PATH_MAX] = '\0';
    assert_int_equal(kith_unix_listen(path, 0600, &fd, NULL), KITH_OK);
    (void)close(fd);
    path[KITH_UNIX_PATH_MAX] = 'p';
    path[KITH_UNIX_PATH_MAX + 1] = '\0';
    assert_int_equal(kith_unix_listen(path, 0600, &fd, &why), KITH_E_INVAL);
    assert_non_null(strstr(why.text, "at most 107 bytes, this one 108: ppp"));
    assert_int_equal(kith_unix_connect(path, &fd, &why), KITH_E_INVAL);
    assert_int_equal(kith_unix_listen("", 0600, &fd, &why), KITH_E_INVAL);
}

static void a_socket_that_we_may_not_use_is_told_as_such(void **state)
{
    (void)state;
    int fd, client;
    if (geteuid() != 0) {
        print_message("needs root to become somebody else\n");
        skip();
    }
    assert_int_equal(kith_unix_listen("s", 0600, &fd, NULL), KITH_OK);
    assert_int_equal(chmod(lab_dir, 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    int err = kith_unix_connect("s", &client, NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(err, KITH_E_PERM);
    (void)close(fd);
}

/* ---- bytes ---- */

static void bytes_arrive_and_silence_times_out(void **state)
{
    (void)state;
    int ends[2];
    char got[16];
    size_t n = 77;
    connected(ends);
    assert_int_equal(kith_unix_recv(ends[0], got, sizeof got, 0, &n), KITH_E_TIMEOUT);
    assert_int_equal(n, 77);
    assert_int_equal(kith_unix_recv(ends[0], got, 0, 0, &n), KITH_E_INVAL);
    assert_int_equal(kith_unix_send_all(ends[1], kith_span_text("hello"), PATIENCE), KITH_OK);
    assert_int_equal(kith_unix_recv(ends[0], got, 3, PATIENCE, &n), KITH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(kith_unix_recv(ends[0], got + 3, sizeof got - 3, PATIENCE, &n), KITH_OK);
    assert_memory_equal(got, "hello", 5);
    (void)shutdown(ends[1], SHUT_WR);
    assert_int_equal(kith_unix_recv(ends[0], got, sizeof got, PATIENCE, &n), KITH_E_CLOSED);
    disconnect(ends);
}

static void sending_to_nobody_is_an_error_and_no_signal(void **state)
{
    (void)state;
    int ends[2];
    connected(ends);
    (void)close(ends[0]);
    assert_int_equal(kith_unix_send_all(ends[1], kith_span_text("x"), PATIENCE), KITH_E_CLOSED);
    (void)close(ends[1]);
}

static void a_receiver_that_takes_nothing_times_out(void **state)
{
    (void)state;
    static uint8_t much[4 << 20];
    int ends[2];
    connected(ends);
    struct kith_span s = {much, sizeof much};
    assert_int_equal(kith_unix_send_all(ends[0], s, 0), KITH_E_TIMEOUT);
    assert_int_equal(kith_unix_send_all(ends[1], s, 0), KITH_E_TIMEOUT);
    disconnect(ends);
}

static void more_than_a_buffer_goes_through_whole_and_in_order(void **state)
{
    (void)state;
    static uint8_t much[4 << 20], got[4 << 20];
    int ends[2], status;
    size_t have = 0;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (uint8_t)(i * 7 + i / 251);
    connected(ends);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(kith_unix_send_all(ends[1], (struct kith_span){much, sizeof much}, PATIENCE) != 0);
    while (have < sizeof got) {
        size_t n;
        assert_int_equal(kith_unix_recv(ends[0], got + have, sizeof got - have, PATIENCE, &n),
                         KITH_OK);
        have += n;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_equal(got, much, sizeof got);
    disconnect(ends);
}

/* ---- descriptors ---- */

static void a_passed_descriptor_is_the_same_file_and_closes_on_exec(void **state)
{
    (void)state;
    int ends[2], pipes[2];
    struct kith_unix_fds fds;
    char got[16];
    size_t n;
    size_t files = lab_descriptors();
    connected(ends);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(kith_unix_send_fds(ends[1], kith_span_text("two"), pipes, 2, PATIENCE),
                     KITH_OK);
    assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, PATIENCE, &n, &fds), KITH_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(got, "two", 3);
    assert_int_equal(fds.n, 2);
    assert_true(fcntl(fds.fd[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fds.fd[1], "through", 7), 7);
    assert_int_equal(read(pipes[0], got, sizeof got), 7);
    assert_memory_equal(got, "through", 7);
    kith_unix_fds_close(&fds);
    assert_int_equal(fds.n, 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    disconnect(ends);
    assert_int_equal(lab_descriptors(), files);
}

static void bytes_without_descriptors_come_with_none(void **state)
{
    (void)state;
    int ends[2];
    struct kith_unix_fds fds = {.n = 77};
    char got[16];
    size_t n;
    connected(ends);
    assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, 0, &n, &fds), KITH_E_TIMEOUT);
    assert_int_equal(kith_unix_send_all(ends[1], kith_span_text("x"), PATIENCE), KITH_OK);
    assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, PATIENCE, &n, &fds), KITH_OK);
    assert_int_equal(fds.n, 0);
    assert_int_equal(kith_unix_send_fds(ends[1], kith_span_text(""), ends, 1, 0), KITH_E_INVAL);
    assert_int_equal(kith_unix_send_fds(ends[1], kith_span_text("x"), ends, 0, 0), KITH_E_INVAL);
    assert_int_equal(kith_unix_send_fds(ends[1], kith_span_text("x"), ends, 9, 0), KITH_E_INVAL);
    (void)close(ends[1]);
    assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, PATIENCE, &n, &fds),
                     KITH_E_CLOSED);
    (void)close(ends[0]);
}

/* What a client may do that does not use our functions: `count` times the same descriptor. */
static void send_many(int fd, size_t count)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(253 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = (char[]){'x'}, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(c) + i * sizeof fd, &fd, sizeof fd);
    assert_int_equal(sendmsg(fd, &m, 0), 1);
}

static void too_many_descriptors_are_refused_and_none_stays_open(void **state)
{
    (void)state;
    static const size_t counts[] = {KITH_UNIX_FDS_MAX + 1, 253};
    int ends[2];
    struct kith_unix_fds fds = {.n = 77};
    char got[4];
    size_t n;
    connected(ends);
    size_t files = lab_descriptors();
    for (size_t i = 0; i < KITH_COUNT(counts); i++) {
        send_many(ends[1], counts[i]);
        assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, PATIENCE, &n, &fds),
                         KITH_E_LIMIT);
        assert_int_equal(fds.n, 77);
        assert_int_equal(lab_descriptors(), files);
    }
    send_many(ends[1], KITH_UNIX_FDS_MAX);
    assert_int_equal(kith_unix_recv_fds(ends[0], got, sizeof got, PATIENCE, &n, &fds), KITH_OK);
    assert_int_equal(fds.n, KITH_UNIX_FDS_MAX);
    kith_unix_fds_close(&fds);
    disconnect(ends);
}

/* ---- signals, and the process at the other end ---- */

static void on_alarm(int number)
{
    (void)number;
}

static void a_handled_signal_ends_the_wait_for_bytes(void **state)
{
    (void)state;
    const struct itimerval soon = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    struct sigaction act = {.sa_handler = on_alarm}, before;
    int ends[2];
    char got[4];
    size_t n = 77;
    connected(ends);
    assert_int_equal(sigaction(SIGALRM, &act, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_int_equal(kith_unix_recv(ends[0], got, sizeof got, PATIENCE, &n), KITH_E_CANCELLED);
    assert_int_equal(n, 77);
    assert_int_equal(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    disconnect(ends);
}

/* A process that connects, and ends when `until` does. */
static pid_t connect_from_child(const int until[2])
{
    pid_t pid = fork();
    int fd;
    char byte;

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)close(until[1]);
    if (kith_unix_connect("s", &fd, NULL) < 0)
        _exit(1);
    _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
}

static void the_end_of_the_process_at_the_other_end_can_be_waited_for(void **state)
{
    (void)state;
    int listener, until[2], process, status;
    assert_int_equal(kith_unix_listen("s", 0600, &listener, NULL), KITH_OK);
    assert_int_equal(pipe2(until, O_CLOEXEC), 0);
    pid_t pid = connect_from_child(until);
    assert_int_equal(fcntl(listener, F_SETFL, 0), 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(kith_unix_peer_process(fd, &process), KITH_OK);
    assert_int_equal(kith_unix_process_wait(process, 0), KITH_E_TIMEOUT);
    (void)close(until[1]);
    assert_int_equal(kith_unix_process_wait(process, PATIENCE), KITH_OK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(kith_unix_peer_process(fd, &process), KITH_E_NOTFOUND); /* gone for good */
    (void)close(process);
    (void)close(until[0]);
    (void)close(fd);
    (void)close(listener);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, lab_dir_enter, lab_dir_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(a_listener_is_reached_and_has_its_mode_whatever_the_umask),
        HERE(the_socket_of_a_dead_process_is_replaced),
        HERE(a_socket_that_answers_is_left_alone),
        HERE(a_listener_too_busy_to_accept_counts_as_answering),
        HERE(what_is_no_socket_is_not_removed),
        HERE(a_path_is_as_long_as_the_kernel_takes_and_no_longer),
        HERE(a_socket_that_we_may_not_use_is_told_as_such),
        HERE(bytes_arrive_and_silence_times_out),
        HERE(sending_to_nobody_is_an_error_and_no_signal),
        HERE(a_receiver_that_takes_nothing_times_out),
        HERE(more_than_a_buffer_goes_through_whole_and_in_order),
        HERE(a_passed_descriptor_is_the_same_file_and_closes_on_exec),
        HERE(bytes_without_descriptors_come_with_none),
        HERE(too_many_descriptors_are_refused_and_none_stays_open),
        HERE(a_handled_signal_ends_the_wait_for_bytes),
        HERE(the_end_of_the_process_at_the_other_end_can_be_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
