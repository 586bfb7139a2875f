/* Interfaces: up, MTU, queue, silence, removal. */
#include "os/linux/netlink_message.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int kith_netlink_link_set(struct kith_netlink *nl, unsigned ifindex,
                          const struct kith_link_change *change, struct kith_os_why *why)
{
    struct ifinfomsg link = {.ifi_index = (int)ifindex,
                             .ifi_flags = change->up ? IFF_UP : 0,
                             .ifi_change = change->up ? IFF_UP : 0};
    struct kith_nl_request q = kith_nl_request(RTM_NEWLINK, 0, KITH_SPAN_OF(link));

    if (change->mtu != 0)
        kith_nl_put_u32(&q, IFLA_MTU, change->mtu);
    if (change->queue != 0)
        kith_nl_put_u32(&q, IFLA_TXQLEN, change->queue);
    return kith_nl_ask(nl, &q, NULL, NULL, "set up the interface", why);
}

/* One IPv6 setting of the interface; netlink has no way to change these. */
static int setting_write(const char *ifname, const char *setting, struct kith_os_why *why)
{
    char path[96];
    int err = KITH_OK;

    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", ifname, setting);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return kith_os_fail(why, errno, "open %s", path);
    if (write(fd, "0", 1) != 1)
        err = kith_os_fail(why, errno, "write %s", path);
    (void)close(fd);
    return err;
}

static int no_link_local(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    struct ifinfomsg link = {.ifi_index = (int)ifindex};
    struct kith_nl_request q = kith_nl_request(RTM_NEWLINK, 0, KITH_SPAN_OF(link));
    size_t families = kith_nl_nest(&q, IFLA_AF_SPEC);
    size_t inet6 = kith_nl_nest(&q, AF_INET6);

    kith_nl_put_u8(&q, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    kith_nl_nest_end(&q, inet6);
    kith_nl_nest_end(&q, families);
    return kith_nl_ask(nl, &q, NULL, NULL, "switch off link-local addresses", why);
}

int kith_netlink_link_quiet(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    static const char *const settings[] = {"accept_ra", "autoconf"};
    char ifname[IF_NAMESIZE];
    char path[96];

    if (if_indextoname(ifindex, ifname) == NULL)
        return kith_os_fail(why, errno, "find interface %u", ifindex);
    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s", ifname);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return KITH_OK; /* no IPv6 on this host, or none on an interface of this MTU */
    int err = no_link_local(nl, ifindex, why);
    for (size_t i = 0; i < KITH_COUNT(settings) && err == KITH_OK; i++)
        err = setting_write(ifname, settings[i], why);
    return err;
}

int kith_netlink_link_delete(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    struct ifinfomsg link = {.ifi_index = (int)ifindex};
    struct kith_nl_request q = kith_nl_request(RTM_DELLINK, 0, KITH_SPAN_OF(link));

    return kith_nl_ask(nl, &q, NULL, NULL, "delete the interface", why);
}

/* Addresses before routes: the kernel's own routes go with the addresses. */
int kith_netlink_link_clear(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    int err = kith_nl_addresses_clear(nl, ifindex, why);

    return err < 0 ? err : kith_nl_routes_clear(nl, ifindex, why);
}
