/* Bytes and descriptors over a connected Unix socket, and the process at its other end. */
#include "os/unix_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/process.h"

enum {
    /* The kernel's own most (SCM_MAX_FD): room for all, so that what is too many arrives and is
     * closed by us, instead of being cut by the kernel where some of them would stay. */
    FDS_ROOM = 253,
};

/* KITH_E_CANCELLED: a signal was handled meanwhile. */
static int wait_once(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, timeout_ms);

    if (n < 0)
        return errno == EINTR ? KITH_E_CANCELLED : kith_os_err(errno);
    return n == 0 ? KITH_E_TIMEOUT : KITH_OK;
}

static int wait_for(int fd, short events, int timeout_ms)
{
    int err;

    do {
        err = wait_once(fd, events, timeout_ms);
    } while (err == KITH_E_CANCELLED);
    return err;
}

/* One sendmsg with control_len bytes of control, waiting for room first; advances *s. */
static int send_some(int fd, struct kith_span *s, void *control, size_t control_len, int timeout_ms)
{
    struct iovec part = {.iov_base = (void *)s->p, .iov_len = s->n};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_len};

    for (;;) {
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *s = (struct kith_span){s->p + n, s->n - (size_t)n};
            return KITH_OK;
        }
        if (errno == EAGAIN) {
            int err = wait_for(fd, POLLOUT, timeout_ms);
            if (err < 0)
                return err;
        } else if (errno != EINTR)
            return kith_os_err(errno);
    }
}

int kith_unix_send_all(int fd, struct kith_span s, int timeout_ms)
{
    int err = KITH_OK;

    while (s.n > 0 && err == KITH_OK)
        err = send_some(fd, &s, NULL, 0, timeout_ms);
    return err;
}

int kith_unix_send_fds(int fd, struct kith_span s, const int *fds, size_t n, int timeout_ms)
{
    union {
        struct cmsghdr head;
        uint8_t room[CMSG_SPACE(KITH_UNIX_FDS_MAX * sizeof(int))];
    } control = {0};

    if (s.n == 0 || n == 0 || n > KITH_UNIX_FDS_MAX)
        return KITH_E_INVAL;
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
    int err = send_some(fd, &s, &control, CMSG_SPACE(n * sizeof(int)), timeout_ms);
    return err < 0 ? err : kith_unix_send_all(fd, s, timeout_ms);
}

int kith_unix_recv(int fd, void *buf, size_t cap, int timeout_ms, size_t *ret_len)
{
    if (cap == 0)
        return KITH_E_INVAL;
    for (;;) {
        int err = wait_once(fd, POLLIN, timeout_ms);
        if (err < 0)
            return err;
        ssize_t n = recv(fd, buf, cap, MSG_DONTWAIT);
        if (n == 0)
            return KITH_E_CLOSED;
        if (n > 0) {
            *ret_len = (size_t)n;
            return KITH_OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return kith_os_err(errno);
    }
}

void kith_unix_fds_close(struct kith_unix_fds *fds)
{
    for (size_t i = 0; i < fds->n; i++)
        (void)close(fds->fd[i]);
    fds->n = 0;
}

/* Takes over what the message carried; what is more than there is room for is closed, and told. */
static int take_fds(struct msghdr *m, struct kith_unix_fds *ret)
{
    struct kith_unix_fds fds = {0};
    bool too_many = (m->msg_flags & MSG_CTRUNC) != 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
            if (fds.n < KITH_UNIX_FDS_MAX)
                fds.fd[fds.n++] = got;
            else {
                (void)close(got);
                too_many = true;
            }
        }
    }
    if (too_many) {
        kith_unix_fds_close(&fds);
        return KITH_E_LIMIT;
    }
    *ret = fds;
    return KITH_OK;
}

int kith_unix_recv_fds(int fd, void *buf, size_t cap, int timeout_ms, size_t *ret_len,
                       struct kith_unix_fds *ret_fds)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FDS_ROOM * sizeof(int))];
    struct iovec part = {.iov_base = buf, .iov_len = cap};

    if (cap == 0)
        return KITH_E_INVAL;
    for (;;) {
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        int err = wait_for(fd, POLLIN, timeout_ms);
        if (err < 0)
            return err;
        ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n == 0)
            return KITH_E_CLOSED;
        if (n > 0) {
            err = take_fds(&m, ret_fds);
            if (err == KITH_OK)
                *ret_len = (size_t)n;
            return err;
        }
        if (errno != EINTR && errno != EAGAIN)
            return kith_os_err(errno);
    }
}

/* ---- the process at the other end ---- */

int kith_unix_peer_process(int fd, int *ret_process)
{
    struct kith_peer_credentials peer;
    int err = kith_peer_credentials(fd, &peer);

    if (err < 0)
        return err;
    if (peer.pid <= 0)
        return KITH_E_NOTFOUND;
    long process = syscall(SYS_pidfd_open, peer.pid, 0);
    if (process < 0)
        return kith_os_err(errno);
    *ret_process = (int)process;
    return KITH_OK;
}

int kith_unix_process_wait(int process, int timeout_ms)
{
    return wait_once(process, POLLIN, timeout_ms);
}
