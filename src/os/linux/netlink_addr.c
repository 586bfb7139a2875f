/* Addresses of interfaces: added, removed, listed. */
#include "os/linux/netlink_message.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_addr.h>

static bool change_is_valid(const struct kith_address_change *a)
{
    unsigned most = a->ip.family == KITH_FAMILY_IP4 ? 32 : 128;

    return a->ip.family != KITH_FAMILY_NONE && a->bits <= most && a->ifindex != 0;
}

static int address_change(struct kith_netlink *nl, uint16_t type, uint16_t flags,
                          const struct kith_address_change *a, struct kith_os_why *why)
{
    struct ifaddrmsg msg = {.ifa_family = kith_nl_family(&a->ip),
                            .ifa_prefixlen = a->bits,
                            .ifa_scope = RT_SCOPE_UNIVERSE,
                            .ifa_index = a->ifindex};
    struct kith_nl_request q = kith_nl_request(type, flags, KITH_SPAN_OF(msg));
    uint32_t manner = (a->no_route ? IFA_F_NOPREFIXROUTE : 0) |
                      (a->ip.family == KITH_FAMILY_IP6 ? IFA_F_NODAD : 0);
    char ip[KITH_IP_TEXT];
    char what[KITH_IP_TEXT + 32];

    if (!change_is_valid(a))
        return kith_os_say(why, KITH_E_INVAL, "no address, or more bits than it has");
    kith_nl_put(&q, IFA_LOCAL, kith_ip_bytes(&a->ip));
    kith_nl_put(&q, IFA_ADDRESS, kith_ip_bytes(&a->ip));
    kith_nl_put_u32(&q, IFA_FLAGS, manner);
    (void)snprintf(what, sizeof what, "%s address %s", type == RTM_NEWADDR ? "add" : "remove",
                   kith_ip_text(&a->ip, ip, sizeof ip));
    return kith_nl_ask(nl, &q, NULL, NULL, what, why);
}

int kith_netlink_address_add(struct kith_netlink *nl, const struct kith_address_change *a,
                             struct kith_os_why *why)
{
    return address_change(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, a, why);
}

int kith_netlink_address_remove(struct kith_netlink *nl, const struct kith_address_change *a,
                                struct kith_os_why *why)
{
    return address_change(nl, RTM_DELADDR, 0, a, why);
}

/* ---- listing ---- */

struct listing {
    struct kith_host_addrs *list;
    unsigned only; /* this interface; 0: all */
    int fd;        /* any socket: the interface's flags are asked through it */
};

static unsigned link_flags(int fd, const char *ifname)
{
    struct ifreq ifr = {0};
    unsigned flags = 0;

    (void)snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
        return 0;
    unsigned link = (unsigned short)ifr.ifr_flags;
    if ((link & IFF_UP) && (link & IFF_RUNNING))
        flags |= KITH_HOST_ADDR_UP;
    if (link & IFF_LOOPBACK)
        flags |= KITH_HOST_ADDR_LOOPBACK;
    if (link & IFF_POINTOPOINT)
        flags |= KITH_HOST_ADDR_POINT;
    return flags;
}

static unsigned address_flags(const struct kith_ip *ip, uint32_t ifa_flags)
{
    unsigned flags = 0;

    /* IFA_F_SECONDARY is the same bit, and means something else for IPv4 */
    if (ip->family == KITH_FAMILY_IP6 && (ifa_flags & IFA_F_TEMPORARY))
        flags |= KITH_HOST_ADDR_TEMPORARY;
    if (ifa_flags & IFA_F_DEPRECATED)
        flags |= KITH_HOST_ADDR_DEPRECATED;
    if (ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
        flags |= KITH_HOST_ADDR_TENTATIVE;
    return flags;
}

/* IFA_LOCAL is the host's own; IFA_ADDRESS is that too, except on links that name the other end. */
bool kith_nl_read_address(struct kith_span body, struct kith_host_addr *ret)
{
    struct ifaddrmsg msg;
    struct kith_span value, local = {0}, address = {0};
    uint16_t type;

    if (!kith_nl_take(&body, &msg, sizeof msg))
        return false;
    uint32_t flags = msg.ifa_flags;
    while (kith_nl_attr(&body, &type, &value)) {
        if (type == IFA_LOCAL)
            local = value;
        else if (type == IFA_ADDRESS)
            address = value;
        else if (type == IFA_FLAGS)
            flags = kith_nl_u32(value);
    }
    *ret = (struct kith_host_addr){.ip = kith_ip_from(local.n > 0 ? local : address),
                                   .bits = msg.ifa_prefixlen,
                                   .ifindex = msg.ifa_index};
    ret->flags = address_flags(&ret->ip, flags);
    return ret->ip.family != KITH_FAMILY_NONE;
}

static int list_address(void *ctx, uint16_t type, struct kith_span body)
{
    struct listing *l = ctx;
    struct kith_host_addr a;

    if (type != RTM_NEWADDR || !kith_nl_read_address(body, &a))
        return KITH_OK;
    if (l->only != 0 && a.ifindex != l->only)
        return KITH_OK;
    if (if_indextoname(a.ifindex, a.ifname) == NULL)
        return KITH_OK; /* gone since */
    if (l->list->n == KITH_HOST_ADDRS_MAX) {
        l->list->more = true;
        return KITH_OK;
    }
    a.flags |= link_flags(l->fd, a.ifname);
    l->list->a[l->list->n++] = a;
    return KITH_OK;
}

static void list_restart(void *ctx)
{
    struct listing *l = ctx;

    l->list->n = 0;
    l->list->more = false;
}

static int list(struct kith_netlink *nl, unsigned only, struct kith_host_addrs *ret,
                struct kith_os_why *why)
{
    struct listing l = {.list = ret, .only = only, .fd = nl->fd};
    int err = kith_nl_dump(nl, RTM_GETADDR, list_restart, list_address, &l, why);

    if (err < 0)
        list_restart(&l);
    return err;
}

int kith_netlink_addresses(struct kith_netlink *nl, struct kith_host_addrs *ret,
                           struct kith_os_why *why)
{
    return list(nl, 0, ret, why);
}

int kith_nl_addresses_clear(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    struct kith_host_addrs found;

    do {
        int err = list(nl, ifindex, &found, why);
        for (size_t i = 0; i < found.n && err == KITH_OK; i++) {
            struct kith_address_change a = {
                .ifindex = ifindex, .ip = found.a[i].ip, .bits = found.a[i].bits};
            err = kith_netlink_address_remove(nl, &a, why);
        }
        if (err < 0)
            return err;
    } while (found.more);
    return KITH_OK;
}
