/* netlink.h: interfaces, addresses and routes of this host, asked and changed over rtnetlink.
 *
 * Each call is one question to the kernel and its answer, matched by sequence number; the socket
 * blocks for KITH_NETLINK_TIMEOUT at most, in practice for microseconds. Only the main routing
 * table is changed, and every route made here carries the protocol number KITH_ROUTE_PROTOCOL, so
 * that `ip route show proto 158` shows exactly ours. Nothing here decides what is ours: src/vpn
 * does.
 *
 * Order: open, any calls, close. A watcher is a socket of its own.
 * Source: RFC 3549, Linux rtnetlink(7). Test: tests/unit/os_netlink_test.c. */
#ifndef KITH_OS_NETLINK_H
#define KITH_OS_NETLINK_H

#include "base/addr.h"
#include "os/why.h"

enum {
    KITH_NETLINK_TIMEOUT = 2,  /* seconds that one answer may take */
    KITH_ROUTE_PROTOCOL = 158, /* ours; free in iproute2's rt_protos and above the kernel's own */
    KITH_HOST_ADDRS_MAX = 256, /* entries of a list; a host with more is told by `more` */
    KITH_HOST_ROUTES_MAX = 256,
    KITH_INTERFACE_NAME = 16, /* with its NUL */
};

struct kith_netlink { /* open before use */
    int fd;
    uint32_t port; /* the socket's address: answers carry it */
    uint32_t seq;  /* of the last question */
};

int kith_netlink_open(struct kith_netlink *ret, struct kith_os_why *why) KITH_MUST_CHECK;
void kith_netlink_close(struct kith_netlink *nl);

/* ---- interfaces ---- */

struct kith_link_change {
    unsigned mtu;   /* bytes; 0 leaves it */
    unsigned queue; /* transmit queue in packets; 0 leaves it */
    bool up;        /* false leaves it as it is */
};

/* KITH_E_NOTFOUND: no such interface; KITH_E_INVAL: an MTU that it does not take. */
int kith_netlink_link_set(struct kith_netlink *nl, unsigned ifindex,
                          const struct kith_link_change *change,
                          struct kith_os_why *why) KITH_MUST_CHECK;
/* Makes the interface keep to the addresses it is given: no link-local address by itself, no router
 * advertisements, no autoconfiguration. Before it is up. A host without IPv6 has nothing to
 * silence. KITH_E_PERM: /proc/sys cannot be written (ProtectKernelTunables); link-local addresses
 * are off nevertheless, and advertisements must then be refused packet by packet. */
int kith_netlink_link_quiet(struct kith_netlink *nl, unsigned ifindex,
                            struct kith_os_why *why) KITH_MUST_CHECK;
/* Removes every address of the interface and the routes through it that carry our protocol number:
 * what a process that died left on a persistent device. The interface itself stays; with the last
 * IPv4 address the kernel also drops the IPv4 routes that others put there. */
int kith_netlink_link_clear(struct kith_netlink *nl, unsigned ifindex,
                            struct kith_os_why *why) KITH_MUST_CHECK;
int kith_netlink_link_delete(struct kith_netlink *nl, unsigned ifindex,
                             struct kith_os_why *why) KITH_MUST_CHECK;

/* ---- addresses ---- */

struct kith_address_change {
    unsigned ifindex;
    struct kith_ip ip;
    uint8_t bits;  /* of the network around it: 0..32 or 0..128 */
    bool no_route; /* the kernel adds no route for that network */
};

/* IPv6 addresses are used at once, without duplicate detection: on a TUN device nobody answers it.
 * KITH_E_EXISTS: the interface has it; KITH_E_NOTFOUND: no such interface; KITH_E_INVAL;
 * KITH_E_PERM, also when IPv6 is switched off there. */
int kith_netlink_address_add(struct kith_netlink *nl, const struct kith_address_change *a,
                             struct kith_os_why *why) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND: the interface has no such address. */
int kith_netlink_address_remove(struct kith_netlink *nl, const struct kith_address_change *a,
                                struct kith_os_why *why) KITH_MUST_CHECK;

enum kith_host_addr_flags {
    KITH_HOST_ADDR_UP = 1,          /* its interface is up and has a carrier */
    KITH_HOST_ADDR_LOOPBACK = 2,    /* its interface is the loopback */
    KITH_HOST_ADDR_POINT = 4,       /* its interface has one other end (a tunnel) */
    KITH_HOST_ADDR_TEMPORARY = 8,   /* an IPv6 privacy address (RFC 8981) */
    KITH_HOST_ADDR_DEPRECATED = 16, /* not for new connections */
    KITH_HOST_ADDR_TENTATIVE = 32,  /* not yet usable, or found to be a duplicate */
};

struct kith_host_addr {
    struct kith_ip ip;
    uint8_t bits;
    unsigned flags; /* enum kith_host_addr_flags */
    unsigned ifindex;
    char ifname[KITH_INTERFACE_NAME];
};

struct kith_host_addrs { /* 13 kB */
    size_t n;
    bool more; /* the host has others that did not fit */
    struct kith_host_addr a[KITH_HOST_ADDRS_MAX];
};

/* *ret is empty after a failure. */
int kith_netlink_addresses(struct kith_netlink *nl, struct kith_host_addrs *ret,
                           struct kith_os_why *why) KITH_MUST_CHECK;

/* ---- routes ---- */

struct kith_host_route {
    struct kith_prefix dst;
    unsigned ifindex;   /* 0 in a list: none or several (unreachable, multipath) */
    uint32_t metric;    /* 0: the kernel's default */
    struct kith_ip src; /* preferred local address; may be none */
    uint8_t protocol;   /* only in lists: who made it, ours is KITH_ROUTE_PROTOCOL */
};

struct kith_host_routes { /* 16 kB */
    size_t n;
    bool more;
    struct kith_host_route r[KITH_HOST_ROUTES_MAX];
};

/* Straight onto the interface, without a gateway. KITH_E_EXISTS: there is a route to exactly that
 * prefix with that metric, whoever made it; KITH_E_NOTFOUND: no such interface;
 * KITH_E_UNREACHABLE: the interface is down; KITH_E_INVAL, also when src is no address of this
 * host. */
int kith_netlink_route_add(struct kith_netlink *nl, const struct kith_host_route *route,
                           struct kith_os_why *why) KITH_MUST_CHECK;
/* Only one that route_add made. KITH_E_NOTFOUND otherwise. */
int kith_netlink_route_remove(struct kith_netlink *nl, const struct kith_host_route *route,
                              struct kith_os_why *why) KITH_MUST_CHECK;
/* Every route of every table that leads somewhere or refuses to (not the host's own addresses,
 * broadcast and multicast). *ret is empty after a failure. */
int kith_netlink_routes(struct kith_netlink *nl, struct kith_host_routes *ret,
                        struct kith_os_why *why) KITH_MUST_CHECK;

/* Through which interface this host would send to ip now, and from which address (none when the
 * kernel does not say). KITH_E_UNREACHABLE: there is no way. */
int kith_netlink_route_to(struct kith_netlink *nl, const struct kith_ip *ip, unsigned *ret_ifindex,
                          struct kith_ip *ret_src, struct kith_os_why *why) KITH_MUST_CHECK;

/* Whether an address or a route of this host overlaps the prefix: taking it for an overlay would
 * cut the host off from somebody. Default routes don't count (nor do the halves of everything that
 * VPNs put in their place), nor what is on the interface `except` (our own; 0 for none). */
int kith_host_prefix_in_use(struct kith_netlink *nl, const struct kith_prefix *prefix,
                            unsigned except, bool *ret, struct kith_os_why *why) KITH_MUST_CHECK;

/* ---- changes ---- */

enum kith_netlink_event {
    KITH_NETLINK_LINK = 1,
    KITH_NETLINK_ADDR = 2,
    KITH_NETLINK_ROUTE = 4,
};

/* A non-blocking descriptor that turns readable when something changed; close(2) ends it. */
int kith_netlink_watch_open(int *ret_fd, struct kith_os_why *why) KITH_MUST_CHECK;
/* What changed since the last call, as kith_netlink_event bits; all of them when the kernel had to
 * drop notices. KITH_E_AGAIN: nothing. Our own changes are reported too. */
int kith_netlink_watch_read(int fd, unsigned *ret_events) KITH_MUST_CHECK;

#endif
