/* udp_recv.c: runs in. A message of recvmmsg becomes a run with its path, or is dropped. */
#include <errno.h>

#include "transport/udp/udp_impl.h"

/* ---- reading ---- */

static void make_ready(struct kith_udp *u, size_t i)
{
    struct msghdr *m = &u->rx_msg[i].msg_hdr;

    m->msg_namelen = sizeof u->rx[i].from;
    m->msg_controllen = sizeof u->rx[i].control;
    m->msg_flags = 0;
}

/* Both return how many messages they read, or -1 with errno when they read none. */
static int read_many(struct kith_udp *u, int fd)
{
    for (size_t i = 0; i < KITH_UDP_BATCH; i++)
        make_ready(u, i);
    return u->sys->recvmmsg(u->sys->ctx, fd, u->rx_msg, KITH_UDP_BATCH);
}

static int read_singly(struct kith_udp *u, int fd)
{
    int n = 0;

    while (n < KITH_UDP_BATCH) {
        make_ready(u, (size_t)n);
        ssize_t len = u->sys->recvmsg(u->sys->ctx, fd, &u->rx_msg[n].msg_hdr);
        if (len < 0)
            return n > 0 ? n : -1;
        u->rx_msg[n++].msg_len = (unsigned)len;
    }
    return n;
}

static int read_batch(struct kith_udp *u, int fd)
{
    if (u->recvmmsg) {
        int n = read_many(u, fd);
        if (n >= 0 || errno != ENOSYS)
            return n;
        u->recvmmsg = false;
        kith_event_offload_off(u->env.events, "recvmmsg", strerror(ENOSYS));
    }
    return read_singly(u, fd);
}

/* ---- understanding ---- */

/* What the ancillary data of a message says. */
struct about {
    struct kith_addr local; /* without a port */
    bool group;             /* sent to more than us */
    uint8_t ecn;
    size_t segment; /* 0: not said */
};

static void note_ip4(const struct cmsghdr *c, struct about *a)
{
    if (c->cmsg_type == IP_TOS) {
        uint8_t tos;
        memcpy(&tos, CMSG_DATA(c), sizeof tos);
        a->ecn = tos & 3;
    } else if (c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        a->local = kith_addr_of_in4(info.ipi_addr);
        /* For a broadcast or multicast the kernel names the address it would answer from. */
        a->group =
            kith_ip_is_multicast(&a->local.ip) ||
            (info.ipi_spec_dst.s_addr != 0 && info.ipi_spec_dst.s_addr != info.ipi_addr.s_addr);
    }
}

static void note_ip6(const struct cmsghdr *c, struct about *a)
{
    if (c->cmsg_type == IPV6_TCLASS) {
        int tclass;
        memcpy(&tclass, CMSG_DATA(c), sizeof tclass);
        a->ecn = tclass & 3;
    } else if (c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        a->local = kith_addr_of_in6(&info.ipi6_addr, (uint32_t)info.ipi6_ifindex);
        a->group = kith_ip_is_multicast(&a->local.ip);
    }
}

static void note_udp(const struct cmsghdr *c, struct about *a)
{
    int size;

    if (c->cmsg_type != UDP_GRO)
        return;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    a->segment = size > 0 ? (size_t)size : 0;
}

static struct about read_control(struct msghdr *m)
{
    struct about a = {0};

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP)
            note_ip4(c, &a);
        else if (c->cmsg_level == IPPROTO_IPV6)
            note_ip6(c, &a);
        else if (c->cmsg_level == SOL_UDP)
            note_udp(c, &a);
    }
    return a;
}

/* Message i as a run; false when it is dropped, and then counted. */
static bool to_run(struct kith_udp *u, const struct udp_socket *s, size_t i, struct kith_rx *ret)
{
    struct msghdr *m = &u->rx_msg[i].msg_hdr;
    size_t len = u->rx_msg[i].msg_len;
    struct about a = read_control(m);

    if ((m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        u->count.truncated++;
        return false;
    }
    if (len == 0) {
        u->count.empty++;
        return false;
    }
    if (a.group) {
        u->count.group++;
        return false;
    }
    a.local.port = s->bound.port;
    *ret = (struct kith_rx){.path = {.transport = u->index,
                                     .local = a.local,
                                     .remote = kith_sockaddr_addr(&u->rx[i].from)},
                            .data = u->rx[i].iov.iov_base,
                            .len = len,
                            .segment = a.segment > 0 && a.segment < len ? a.segment : len,
                            .ecn = a.ecn};
    u->count.runs_in++;
    u->count.bytes_in += len;
    u->count.datagrams_in += (len + ret->segment - 1) / ret->segment;
    return true;
}

/* ---- receiving ---- */

static const struct udp_socket *socket_of(const struct kith_udp *u, int fd)
{
    for (size_t i = 0; i < u->n_sockets; i++)
        if (u->socket[i].fd == fd)
            return &u->socket[i];
    return NULL;
}

/* Errors of the call itself, not of a datagram: they would come back for ever. */
static bool beyond_use(int code)
{
    return code == EBADF || code == ENOTSOCK || code == EFAULT || code == EINVAL;
}

static void hand_on(struct kith_udp *u, const struct udp_socket *s, int n, kith_udp_sink *sink,
                    void *ctx)
{
    struct kith_rx runs[KITH_UDP_BATCH];
    size_t k = 0;

    for (int i = 0; i < n; i++)
        if (to_run(u, s, (size_t)i, &runs[k]))
            k++;
    if (k > 0)
        sink(ctx, runs, k);
}

int kith_udp_receive(struct kith_udp *u, int fd, kith_udp_sink *sink, void *ctx)
{
    const struct udp_socket *s = socket_of(u, fd);

    if (s == NULL)
        return KITH_E_NOTFOUND;
    for (size_t batch = 0; batch < u->max_batches; batch++) {
        int n = read_batch(u, fd);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return KITH_OK;
        if (n < 0 && beyond_use(errno))
            return KITH_E_IO;
        if (n < 0) {
            if (errno != EINTR)
                u->count.recv_errors++;
            continue;
        }
        hand_on(u, s, n, sink, ctx);
        if (n < KITH_UDP_BATCH)
            return KITH_OK;
    }
    return KITH_OK;
}
