/* udp_sys.h: the system calls that may refuse, through a table, so that a test can refuse them:
 * a full buffer, a kernel without GSO. Each behaves as the call of its name, errno included. */
#ifndef KITH_TRANSPORT_UDP_UDP_SYS_H
#define KITH_TRANSPORT_UDP_UDP_SYS_H

#include <sys/socket.h>

struct kith_udp_sys {
    int (*setsockopt)(void *ctx, int fd, int level, int name, const void *value, socklen_t n);
    int (*sendmmsg)(void *ctx, int fd, struct mmsghdr *msgs, unsigned n);
    int (*recvmmsg)(void *ctx, int fd, struct mmsghdr *msgs, unsigned n);
    ssize_t (*recvmsg)(void *ctx, int fd, struct msghdr *msg);
    void *ctx;
};

extern const struct kith_udp_sys kith_udp_kernel;

#endif
