/* netlink_message.h: rtnetlink messages built, sent, answered and read; private to this folder.
 *
 * A request is built in a fixed buffer whose first overflow is remembered; `kith_nl_ask` sends it
 * and returns the kernel's verdict, `kith_nl_dump` hands every entry of a table to a visitor. All
 * fields of netlink are in host byte order and padded to 4 bytes, so they are copied out, not cast.
 * Test: through tests/unit/os_netlink_test.c. */
#ifndef KITH_OS_LINUX_NETLINK_MESSAGE_H
#define KITH_OS_LINUX_NETLINK_MESSAGE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "os/netlink.h"

struct kith_nl_request { /* made by kith_nl_request */
    _Alignas(struct nlmsghdr) uint8_t bytes[512];
    size_t n;
    bool bad; /* something did not fit */
};

/* A message of `type` (RTM_...) that begins with `body` (struct ifinfomsg or a sibling). */
struct kith_nl_request kith_nl_request(uint16_t type, uint16_t flags, struct kith_span body);
void kith_nl_put(struct kith_nl_request *q, uint16_t type, struct kith_span value);
void kith_nl_put_u8(struct kith_nl_request *q, uint16_t type, uint8_t value);
void kith_nl_put_u32(struct kith_nl_request *q, uint16_t type, uint32_t value);
/* Opens an attribute that holds others; returns what kith_nl_nest_end needs. */
size_t kith_nl_nest(struct kith_nl_request *q, uint16_t type);
void kith_nl_nest_end(struct kith_nl_request *q, size_t nest);

/* Sees one message: its type and what follows its header. Negative ends the walk. */
typedef int kith_nl_visit(void *ctx, uint16_t type, struct kith_span body);

/* Sends q and waits for the kernel's answer, handing messages that come with it to visit (may be
 * NULL). The error is the kernel's; `what` begins the text of why. */
int kith_nl_ask(struct kith_netlink *nl, struct kith_nl_request *q, kith_nl_visit *visit, void *ctx,
                const char *what, struct kith_os_why *why) KITH_MUST_CHECK;
/* One dump of type (RTM_GETADDR, RTM_GETROUTE) for both families. When the table changed meanwhile
 * it begins anew: `restart` then forgets what was visited. */
int kith_nl_dump(struct kith_netlink *nl, uint16_t type, void (*restart)(void *ctx),
                 kith_nl_visit *visit, void *ctx, struct kith_os_why *why) KITH_MUST_CHECK;

/* Copies the fixed part off the front of *body to `to`; false when it is shorter than n. */
bool kith_nl_take(struct kith_span *body, void *to, size_t n);
/* Takes the next attribute off *attrs; false at the end (what is malformed is an end). */
bool kith_nl_attr(struct kith_span *attrs, uint16_t *ret_type, struct kith_span *ret_value);
uint32_t kith_nl_u32(struct kith_span value); /* 0 when it has another size */

/* The address in the body of RTM_NEWADDR, without its interface's name and flags; false when the
 * body names none. */
bool kith_nl_read_address(struct kith_span body, struct kith_host_addr *ret);

/* What kith_netlink_link_clear is made of. */
int kith_nl_addresses_clear(struct kith_netlink *nl, unsigned ifindex,
                            struct kith_os_why *why) KITH_MUST_CHECK;
int kith_nl_routes_clear(struct kith_netlink *nl, unsigned ifindex,
                         struct kith_os_why *why) KITH_MUST_CHECK;

static inline uint8_t kith_nl_family(const struct kith_ip *ip)
{
    return ip->family == KITH_FAMILY_IP4 ? AF_INET : AF_INET6;
}

#endif
