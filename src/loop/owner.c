#include "loop/owner.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/unix_socket.h"

enum { SEND_MS = 5000 }; /* a node that takes no connection for so long is stuck */

int kith_owner_pair(int ret_fd[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fd) < 0 ? kith_os_err(errno)
                                                                          : KITH_OK;
}

int kith_owner_dial(int fd, int *ret_fd)
{
    static const uint8_t mark = 0; /* a descriptor does not travel alone */
    int pair[2], err = kith_owner_pair(pair);

    if (err < 0)
        return err;
    err = kith_unix_send_fds(fd, (struct kith_span){&mark, 1}, &pair[1], 1, SEND_MS);
    (void)close(pair[1]);
    if (err < 0)
        (void)close(pair[0]);
    else
        *ret_fd = pair[0];
    return err;
}

int kith_owner_take(int fd, int *ret_fd)
{
    struct kith_unix_fds fds = {.n = 0};
    uint8_t mark;
    size_t n;
    int err = kith_unix_recv_fds(fd, &mark, 1, 0, &n, &fds);

    if (err == KITH_E_TIMEOUT || err == KITH_E_CANCELLED)
        return KITH_E_AGAIN;
    if (err < 0 && err != KITH_E_LIMIT)
        return err;
    *ret_fd = fds.n == 1 ? fds.fd[0] : -1;
    if (fds.n != 1)
        kith_unix_fds_close(&fds);
    return KITH_OK;
}
