/* udp_open.c: making the sockets, and saying why one could not be made. */
#include <errno.h>
#include <unistd.h>

#include "base/text.h"
#include "transport/udp/udp_impl.h"

enum {
    GRO_ROOM = 65536, /* bytes: GRO never makes a run longer than an IP packet */
};

/* ---- options ---- */

static bool set(struct kith_udp *u, int fd, int level, int name, int value)
{
    return u->sys->setsockopt(u->sys->ctx, fd, level, name, &value, sizeof value) == 0;
}

/* Turns off a convenience that this kernel refuses. */
static void drop(struct kith_udp *u, bool *feature, const char *name)
{
    *feature = false;
    kith_event_offload_off(u->env.events, name, strerror(errno));
}

/* The FORCE forms pass the system's maximum and need CAP_NET_ADMIN. What the others give is cut to
 * that maximum without an error, which is fine: less buffer, more drops, nothing breaks. */
static void set_buffers(struct kith_udp *u, int fd)
{
    int want = u->buffer_bytes < INT32_MAX / 2 ? (int)u->buffer_bytes : INT32_MAX / 2;

    if (!set(u, fd, SOL_SOCKET, SO_RCVBUFFORCE, want))
        (void)set(u, fd, SOL_SOCKET, SO_RCVBUF, want);
    if (!set(u, fd, SOL_SOCKET, SO_SNDBUFFORCE, want))
        (void)set(u, fd, SOL_SOCKET, SO_SNDBUF, want);
}

/* PROBE: the DF bit is set, nothing is fragmented here, and the kernel's own idea of the path MTU
 * (which anyone can feed with forged ICMP) is not consulted; QUIC finds the MTU itself. */
static bool set_needed(struct kith_udp *u, int fd, bool ip6)
{
    if (ip6)
        return set(u, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
               set(u, fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
               set(u, fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    return set(u, fd, IPPROTO_IP, IP_PKTINFO, 1) &&
           set(u, fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
}

static void set_wanted(struct kith_udp *u, int fd, bool ip6)
{
    if (u->ecn && !(ip6 ? set(u, fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
                        : set(u, fd, IPPROTO_IP, IP_RECVTOS, 1)))
        drop(u, &u->ecn, "ECN");
    if (u->gro && !set(u, fd, SOL_UDP, UDP_GRO, 1))
        drop(u, &u->gro, "UDP GRO");
    if (u->gro)
        u->room = GRO_ROOM;
    /* A kernel before GSO would ignore the request and send a run as one datagram: ask it first.
     * 0 means no segmentation unless a message says so. */
    if (u->gso && !set(u, fd, SOL_UDP, UDP_SEGMENT, 0))
        drop(u, &u->gso, "UDP GSO");
    set_buffers(u, fd);
}

/* ---- what went wrong ---- */

static int explain(const struct kith_addr *a, int code, struct kith_udp_why *ret_why)
{
    char ip[KITH_IP_TEXT];
    char *text = ret_why->text;
    size_t cap = sizeof ret_why->text;

    kith_ip_text(&a->ip, ip, sizeof ip);
    switch (code) {
    case EADDRINUSE:
        kith_format(text, cap, "UDP port %u of %s is in use", a->port, ip);
        return KITH_E_INUSE;
    case EACCES:
    case EPERM:
        kith_format(text, cap, "not permitted to listen on UDP port %u of %s", a->port, ip);
        return KITH_E_PERM;
    case EADDRNOTAVAIL:
        kith_format(text, cap, "no interface of this machine has the address %s", ip);
        return KITH_E_NOTFOUND;
    case EAFNOSUPPORT:
        kith_format(text, cap, "this system has no IPv%u", a->ip.family);
        return KITH_E_UNSUPPORTED;
    default:
        kith_format(text, cap, "cannot listen on UDP port %u of %s: %s", a->port, ip,
                    strerror(code));
        return KITH_E_IO;
    }
}

/* ---- opening ---- */

static bool bind_to(int fd, const struct kith_addr *a, struct kith_addr *ret_bound)
{
    union kith_sockaddr sa;
    socklen_t n = kith_sockaddr_of(a, &sa);

    if (bind(fd, &sa.any, n) != 0)
        return false;
    n = sizeof sa;
    if (getsockname(fd, &sa.any, &n) != 0)
        return false;
    *ret_bound = kith_sockaddr_addr(&sa);
    return true;
}

/* Options come before bind, so that no datagram arrives without its local address. */
static int open_one(struct kith_udp *u, const struct kith_addr *a, struct kith_udp_why *ret_why)
{
    bool ip6 = a->ip.family == KITH_FAMILY_IP6;
    struct kith_addr bound;
    int fd = socket(ip6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return explain(a, errno, ret_why);
    bool ok = set_needed(u, fd, ip6);
    if (ok) {
        set_wanted(u, fd, ip6);
        ok = bind_to(fd, a, &bound);
    }
    if (!ok) {
        int code = errno;
        (void)close(fd);
        return explain(a, code, ret_why);
    }
    u->socket[u->n_sockets++] = (struct udp_socket){.fd = fd, .bound = bound};
    return KITH_OK;
}

/* A host may lack a family altogether or have switched it off. */
static bool family_missing(int err)
{
    return err == KITH_E_UNSUPPORTED || err == KITH_E_NOTFOUND;
}

static int open_any(struct kith_udp *u, uint16_t port, struct kith_udp_why *ret_why)
{
    struct kith_addr any4 = {.ip = {.family = KITH_FAMILY_IP4}, .port = port};
    struct kith_addr any6 = {.ip = {.family = KITH_FAMILY_IP6}, .port = port};

    int err4 = open_one(u, &any4, ret_why);
    if (err4 < 0 && !family_missing(err4))
        return err4;
    if (err4 == KITH_OK)
        any6.port = u->socket[u->n_sockets - 1].bound.port;
    int err6 = open_one(u, &any6, ret_why);
    if (err6 == KITH_E_INUSE && port == 0) {
        any6.port = 0; /* free in one family, taken in the other */
        err6 = open_one(u, &any6, ret_why);
    }
    return err4 == KITH_OK && family_missing(err6) ? KITH_OK : err6;
}

int kith_udp_open(struct kith_udp *u, const struct kith_addr *a, struct kith_udp_why *ret_why)
{
    if (a->ip.family == KITH_FAMILY_NONE)
        return open_any(u, a->port, ret_why);
    return open_one(u, a, ret_why);
}
