/* Routes: added, removed, listed; which way an address lies; what a prefix would collide with. */
#include "os/linux/netlink_message.h"

#include <stdio.h>
#include <string.h>

/* ---- changing ---- */

static int route_change(struct kith_netlink *nl, uint16_t type, uint16_t flags,
                        const struct kith_host_route *r, struct kith_os_why *why)
{
    struct rtmsg msg = {.rtm_family = kith_nl_family(&r->dst.ip),
                        .rtm_dst_len = r->dst.bits,
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_protocol = KITH_ROUTE_PROTOCOL,
                        .rtm_scope = RT_SCOPE_UNIVERSE,
                        .rtm_type = RTN_UNICAST};
    char prefix[KITH_PREFIX_TEXT];
    char what[KITH_PREFIX_TEXT + 32];

    if (r->dst.ip.family == KITH_FAMILY_NONE || r->ifindex == 0)
        return kith_os_say(why, KITH_E_INVAL, "a route needs a destination and an interface");
    if (r->dst.ip.family == KITH_FAMILY_IP4)
        msg.rtm_scope = RT_SCOPE_LINK; /* no gateway; IPv6 knows only the universe */
    struct kith_nl_request q = kith_nl_request(type, flags, KITH_SPAN_OF(msg));
    kith_nl_put(&q, RTA_DST, kith_ip_bytes(&r->dst.ip));
    kith_nl_put_u32(&q, RTA_OIF, r->ifindex);
    if (r->metric != 0)
        kith_nl_put_u32(&q, RTA_PRIORITY, r->metric);
    if (r->src.family != KITH_FAMILY_NONE)
        kith_nl_put(&q, RTA_PREFSRC, kith_ip_bytes(&r->src));
    (void)snprintf(what, sizeof what, "%s route %s", type == RTM_NEWROUTE ? "add" : "remove",
                   kith_prefix_text(&r->dst, prefix, sizeof prefix));
    return kith_nl_ask(nl, &q, NULL, NULL, what, why);
}

int kith_netlink_route_add(struct kith_netlink *nl, const struct kith_host_route *route,
                           struct kith_os_why *why)
{
    return route_change(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, why);
}

int kith_netlink_route_remove(struct kith_netlink *nl, const struct kith_host_route *route,
                              struct kith_os_why *why)
{
    return route_change(nl, RTM_DELROUTE, 0, route, why);
}

/* ---- reading ---- */

struct route { /* one route as the kernel tells it */
    struct rtmsg msg;
    struct kith_host_route r;
};

/* Where a route to everything leads: the kernel names no destination then. */
static struct kith_ip zero_of(uint8_t family)
{
    return (struct kith_ip){.family = family == AF_INET ? KITH_FAMILY_IP4 : KITH_FAMILY_IP6};
}

/* False for what is no IP route, or one whose destination cannot be named. */
static bool read_route(struct kith_span body, struct route *ret)
{
    struct route route = {0};
    struct kith_span value;
    uint16_t type;

    if (!kith_nl_take(&body, &route.msg, sizeof route.msg))
        return false;
    if (route.msg.rtm_family != AF_INET && route.msg.rtm_family != AF_INET6)
        return false;
    struct kith_ip dst = zero_of(route.msg.rtm_family);
    while (kith_nl_attr(&body, &type, &value)) {
        if (type == RTA_DST)
            dst = kith_ip_from(value);
        else if (type == RTA_OIF)
            route.r.ifindex = kith_nl_u32(value);
        else if (type == RTA_PRIORITY)
            route.r.metric = kith_nl_u32(value);
        else if (type == RTA_PREFSRC)
            route.r.src = kith_ip_from(value);
    }
    route.r.dst = kith_prefix_of(&dst, route.msg.rtm_dst_len);
    route.r.protocol = route.msg.rtm_protocol;
    *ret = route;
    /* IPv4 mapped into IPv6 (::ffff:0:0/96 is often made unreachable) is no route of IPv4 */
    return dst.family == zero_of(route.msg.rtm_family).family;
}

/* Not the host's own addresses, broadcast, multicast, or what the kernel cached. */
static bool leads_somewhere(const struct rtmsg *msg)
{
    if (msg->rtm_flags & RTM_F_CLONED)
        return false;
    return msg->rtm_type == RTN_UNICAST || msg->rtm_type == RTN_BLACKHOLE ||
           msg->rtm_type == RTN_UNREACHABLE || msg->rtm_type == RTN_PROHIBIT ||
           msg->rtm_type == RTN_THROW;
}

static int list_route(void *ctx, uint16_t type, struct kith_span body)
{
    struct kith_host_routes *list = ctx;
    struct route route;

    if (type != RTM_NEWROUTE || !read_route(body, &route) || !leads_somewhere(&route.msg))
        return KITH_OK;
    if (list->n == KITH_HOST_ROUTES_MAX)
        list->more = true;
    else
        list->r[list->n++] = route.r;
    return KITH_OK;
}

static void list_restart(void *ctx)
{
    struct kith_host_routes *list = ctx;

    list->n = 0;
    list->more = false;
}

int kith_netlink_routes(struct kith_netlink *nl, struct kith_host_routes *ret,
                        struct kith_os_why *why)
{
    int err = kith_nl_dump(nl, RTM_GETROUTE, list_restart, list_route, ret, why);

    if (err < 0)
        list_restart(ret);
    return err;
}

/* ---- clearing ---- */

struct leftovers { /* our routes on one interface */
    unsigned ifindex;
    struct kith_host_routes list;
};

static int leftover_route(void *ctx, uint16_t type, struct kith_span body)
{
    struct leftovers *l = ctx;
    struct route route;

    if (type != RTM_NEWROUTE || !read_route(body, &route) ||
        route.r.protocol != KITH_ROUTE_PROTOCOL || route.r.ifindex != l->ifindex)
        return KITH_OK;
    return list_route(&l->list, type, body);
}

static void leftovers_restart(void *ctx)
{
    struct leftovers *l = ctx;

    list_restart(&l->list);
}

int kith_nl_routes_clear(struct kith_netlink *nl, unsigned ifindex, struct kith_os_why *why)
{
    struct leftovers left = {.ifindex = ifindex};

    do {
        int err = kith_nl_dump(nl, RTM_GETROUTE, leftovers_restart, leftover_route, &left, why);
        for (size_t i = 0; i < left.list.n && err == KITH_OK; i++)
            err = kith_netlink_route_remove(nl, &left.list.r[i], why);
        if (err < 0)
            return err;
    } while (left.list.more);
    return KITH_OK;
}

/* ---- which way ---- */

struct way {
    bool found;
    struct route route;
};

static int see_way(void *ctx, uint16_t type, struct kith_span body)
{
    struct way *w = ctx;

    if (type == RTM_NEWROUTE && read_route(body, &w->route))
        w->found = true;
    return KITH_OK;
}

int kith_netlink_route_to(struct kith_netlink *nl, const struct kith_ip *ip, unsigned *ret_ifindex,
                          struct kith_ip *ret_src, struct kith_os_why *why)
{
    struct kith_span dst = kith_ip_bytes(ip);
    struct rtmsg msg = {.rtm_family = kith_nl_family(ip), .rtm_dst_len = (uint8_t)(dst.n * 8)};
    struct kith_nl_request q = kith_nl_request(RTM_GETROUTE, 0, KITH_SPAN_OF(msg));
    struct way way = {0};
    char text[KITH_IP_TEXT];
    char what[KITH_IP_TEXT + 32];

    if (dst.n == 0)
        return kith_os_say(why, KITH_E_INVAL, "no address to find a way to");
    kith_nl_put(&q, RTA_DST, dst);
    (void)snprintf(what, sizeof what, "find the way to %s", kith_ip_text(ip, text, sizeof text));
    int err = kith_nl_ask(nl, &q, see_way, &way, what, why);
    if (err < 0)
        return err;
    if (!way.found || way.route.r.ifindex == 0)
        return kith_os_say(why, KITH_E_UNREACHABLE, "%s: there is none", what);
    *ret_ifindex = way.route.r.ifindex;
    *ret_src = way.route.r.src;
    return KITH_OK;
}

/* ---- collisions ---- */

struct collision {
    const struct kith_prefix *prefix;
    unsigned except;
    bool found;
};

static int collide_route(void *ctx, uint16_t type, struct kith_span body)
{
    struct collision *c = ctx;
    struct route route;

    if (type != RTM_NEWROUTE || !read_route(body, &route) || !leads_somewhere(&route.msg))
        return KITH_OK;
    /* 0 bits: a default route; 1 bit: half of everything, a default route in disguise */
    if (route.r.dst.bits < 2 || (c->except != 0 && route.r.ifindex == c->except))
        return KITH_OK;
    if (kith_prefix_overlaps(&route.r.dst, c->prefix))
        c->found = true;
    return KITH_OK;
}

static int collide_address(void *ctx, uint16_t type, struct kith_span body)
{
    struct collision *c = ctx;
    struct kith_host_addr a;

    if (type != RTM_NEWADDR || !kith_nl_read_address(body, &a))
        return KITH_OK;
    struct kith_prefix around = kith_prefix_of(&a.ip, a.bits);
    if ((c->except == 0 || a.ifindex != c->except) && kith_prefix_overlaps(&around, c->prefix))
        c->found = true;
    return KITH_OK;
}

static void collision_restart(void *ctx)
{
    struct collision *c = ctx;

    c->found = false;
}

int kith_host_prefix_in_use(struct kith_netlink *nl, const struct kith_prefix *prefix,
                            unsigned except, bool *ret, struct kith_os_why *why)
{
    struct collision c = {.prefix = prefix, .except = except};
    int err = kith_nl_dump(nl, RTM_GETADDR, collision_restart, collide_address, &c, why);

    if (err == KITH_OK && !c.found)
        err = kith_nl_dump(nl, RTM_GETROUTE, collision_restart, collide_route, &c, why);
    if (err == KITH_OK)
        *ret = c.found;
    return err;
}
