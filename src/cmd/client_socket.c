#include "cmd/client_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

static int error_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR: return KITH_E_NOTFOUND;
    case EACCES:
    case EPERM: return KITH_E_PERM;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE: return KITH_E_CLOSED;
    case EINTR: return KITH_E_CANCELLED;
    }
    return KITH_E_IO;
}

int kith_client_connect(const char *path, int *ret_fd)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof to.sun_path)
        return KITH_E_LIMIT;
    (void)kith_format(to.sun_path, sizeof to.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return KITH_E_IO;
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
        int err = error_of(errno);
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return KITH_OK;
}

int kith_client_send_all(int fd, struct kith_span bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_of(errno);
        bytes = (struct kith_span){bytes.p + n, bytes.n - (size_t)n};
    }
    return KITH_OK;
}

/* Waits until fd can be read. */
static int readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);

    if (n < 0)
        return error_of(errno);
    return n == 0 ? KITH_E_TIMEOUT : KITH_OK;
}

int kith_client_receive(int fd, void *buf, size_t cap, int timeout_ms, size_t *ret_len)
{
    int err = readable(fd, timeout_ms);
    ssize_t n;

    if (err < 0)
        return err;
    n = recv(fd, buf, cap, 0);
    if (n < 0)
        return error_of(errno);
    if (n == 0)
        return KITH_E_CLOSED;
    *ret_len = (size_t)n;
    return KITH_OK;
}

int kith_client_process(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.pid <= 0)
        return -1;
    return (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

int kith_client_process_wait(int process_fd, int timeout_ms)
{
    return process_fd < 0 ? KITH_OK : readable(process_fd, timeout_ms);
}

void kith_client_close(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}
