/* Notices of changed interfaces, addresses and routes. */
#include "os/linux/netlink_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVERYTHING = KITH_NETLINK_LINK | KITH_NETLINK_ADDR | KITH_NETLINK_ROUTE,
    /* Datagrams per call: a host whose routes flap must not hold the loop. */
    READS_MAX = 64,
    /* A notice is one message of a few hundred bytes; an interface with many properties is larger,
     * and only the front of it is looked at. */
    NOTICE_MAX = 4096,
};

int kith_netlink_watch_open(int *ret_fd, struct kith_os_why *why)
{
    struct sockaddr_nl self = {.nl_family = AF_NETLINK,
                               .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                            RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return kith_os_fail(why, errno, "open a netlink socket");
    if (bind(fd, (struct sockaddr *)&self, sizeof self) < 0) {
        int err = kith_os_fail(why, errno, "watch the network (bind netlink groups)");
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return KITH_OK;
}

static unsigned event_of(uint16_t type)
{
    switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: return KITH_NETLINK_LINK;
    case RTM_NEWADDR:
    case RTM_DELADDR: return KITH_NETLINK_ADDR;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: return KITH_NETLINK_ROUTE;
    default: /* the kernel's numbers are no closed set */ return 0;
    }
}

static unsigned events_of(struct kith_span in)
{
    struct nlmsghdr h;
    unsigned events = 0;

    while (in.n >= sizeof h) {
        memcpy(&h, in.p, sizeof h);
        events |= event_of(h.nlmsg_type);
        size_t skip = (h.nlmsg_len + (size_t)3) & ~(size_t)3;
        if (h.nlmsg_len < sizeof h || skip > in.n)
            break;
        in = (struct kith_span){in.p + skip, in.n - skip};
    }
    return events;
}

int kith_netlink_watch_read(int fd, unsigned *ret_events)
{
    _Alignas(struct nlmsghdr) uint8_t buf[NOTICE_MAX];
    unsigned events = 0;

    for (int i = 0; i < READS_MAX; i++) {
        struct sockaddr_nl from = {0};
        socklen_t from_n = sizeof from;
        ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &from_n);
        if (n >= 0 && from.nl_pid == 0)
            events |= events_of((struct kith_span){buf, (size_t)n});
        else if (n < 0 && errno == ENOBUFS)
            events = EVERYTHING;
        else if (n < 0 && errno == EAGAIN)
            break;
        else if (n < 0 && errno != EINTR)
            return kith_os_err(errno);
    }
    if (events == 0)
        return KITH_E_AGAIN;
    *ret_events = events;
    return KITH_OK;
}
