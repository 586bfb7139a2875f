#include "loop/overlay.h"

static void want(struct kith_overlay_set *set, const struct kith_ip *ip,
                 const struct kith_prefix *route)
{
    if (ip->family == KITH_FAMILY_NONE || set->n == KITH_OVERLAY_MAX)
        return;
    set->item[set->n++] = (struct kith_overlay_item){.ip = *ip, .route = *route};
}

void kith_overlay_want(struct kith_overlay_set *set, const struct kith_network_info *net)
{
    want(set, &net->ip4, &net->range4);
    want(set, &net->ip6, &net->range6);
}

bool kith_overlay_has(const struct kith_overlay_set *set, const struct kith_overlay_item *item)
{
    for (size_t i = 0; i < set->n; i++)
        if (kith_ip_equal(&set->item[i].ip, &item->ip) &&
            kith_prefix_equal(&set->item[i].route, &item->route))
            return true;
    return false;
}

static struct kith_address_change address_of(const struct kith_overlay *o,
                                             const struct kith_overlay_item *item)
{
    return (struct kith_address_change){
        .ifindex = o->ifindex,
        .ip = item->ip,
        .bits = item->ip.family == KITH_FAMILY_IP4 ? 32 : 128,
        .no_route = true,
    };
}

static struct kith_host_route route_of(const struct kith_overlay *o,
                                       const struct kith_overlay_item *item)
{
    return (struct kith_host_route){.dst = item->route, .ifindex = o->ifindex, .src = item->ip};
}

static void refused(const struct kith_overlay *o, const char *what, const struct kith_os_why *why)
{
    kith_event_overlay_failed(o->env->events, what, o->name, why->text);
}

/* With its address an IPv6 route loses its source, and stays: that one makes room. */
static int add_route(struct kith_overlay *o, const struct kith_host_route *route,
                     struct kith_os_why *why)
{
    const struct kith_host_route any = {.dst = route->dst, .ifindex = route->ifindex};
    int err = kith_netlink_route_add(o->nl, route, why);

    if (err != KITH_E_EXISTS || kith_netlink_route_remove(o->nl, &any, NULL) < 0)
        return err;
    return kith_netlink_route_add(o->nl, route, why);
}

/* Whether all of the item is there now. */
static bool put(struct kith_overlay *o, const struct kith_overlay_item *item)
{
    struct kith_address_change address = address_of(o, item);
    struct kith_host_route route = route_of(o, item);
    bool routed = item->route.ip.family != KITH_FAMILY_NONE;
    char text[KITH_PREFIX_TEXT];
    struct kith_os_why why;
    int err = kith_netlink_address_add(o->nl, &address, &why);

    if (err < 0 && err != KITH_E_EXISTS) {
        refused(o, kith_ip_text(&item->ip, text, sizeof text), &why);
        return false;
    }
    if (routed && add_route(o, &route, &why) < 0) {
        refused(o, kith_prefix_text(&item->route, text, sizeof text), &why);
        (void)!kith_netlink_address_remove(o->nl, &address, NULL);
        return false;
    }
    return true;
}

/* What is gone already needs no removing. */
static void take_away(struct kith_overlay *o, const struct kith_overlay_item *item)
{
    struct kith_address_change address = address_of(o, item);
    struct kith_host_route route = route_of(o, item);

    (void)!kith_netlink_route_remove(o->nl, &route, NULL);
    (void)!kith_netlink_address_remove(o->nl, &address, NULL);
}

static void wanted_by(const struct kith_node *node, kith_wall now, struct kith_overlay_set *ret)
{
    struct kith_network_info net;
    size_t at = 0;

    ret->n = 0;
    while (kith_node_next_network(node, &at, now, &net))
        kith_overlay_want(ret, &net);
}

void kith_overlay_apply(struct kith_overlay *o, const struct kith_node *node, kith_wall now)
{
    struct kith_overlay_set wanted, there = {.n = 0};

    if (o->ifindex == 0)
        return;
    wanted_by(node, now, &wanted);
    for (size_t i = 0; i < o->applied.n; i++)
        if (!kith_overlay_has(&wanted, &o->applied.item[i]))
            take_away(o, &o->applied.item[i]);
    for (size_t i = 0; i < wanted.n; i++)
        if (kith_overlay_has(&o->applied, &wanted.item[i]) || put(o, &wanted.item[i]))
            there.item[there.n++] = wanted.item[i];
    o->applied = there;
}

/* ---- what others took away ---- */

static bool is_down(const struct kith_overlay *o, const struct kith_host_addrs *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->a[i].ifindex == o->ifindex && (all->a[i].flags & KITH_HOST_ADDR_UP) == 0)
            return true;
    return false;
}

static bool has_address(const struct kith_overlay *o, const struct kith_host_addrs *all,
                        const struct kith_ip *ip)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->a[i].ifindex == o->ifindex && kith_ip_equal(&all->a[i].ip, ip))
            return true;
    return all->more;
}

static bool has_route(const struct kith_overlay *o, const struct kith_host_routes *all,
                      const struct kith_prefix *dst)
{
    if (dst->ip.family == KITH_FAMILY_NONE)
        return true;
    for (size_t i = 0; i < all->n; i++)
        if (all->r[i].ifindex == o->ifindex && all->r[i].protocol == KITH_ROUTE_PROTOCOL &&
            kith_prefix_equal(&all->r[i].dst, dst))
            return true;
    return all->more;
}

bool kith_overlay_lost(struct kith_overlay *o, const struct kith_host_addrs *addrs,
                       const struct kith_host_routes *routes)
{
    struct kith_overlay_set there = {.n = 0};

    if (o->ifindex == 0 || is_down(o, addrs))
        return false;
    for (size_t i = 0; i < o->applied.n; i++) {
        const struct kith_overlay_item *item = &o->applied.item[i];
        if (has_address(o, addrs, &item->ip) && has_route(o, routes, &item->route))
            there.item[there.n++] = *item;
    }
    bool lost = there.n < o->applied.n;
    o->applied = there;
    return lost;
}

void kith_overlay_look(struct kith_overlay *o, const struct kith_host_addrs *addrs,
                       const struct kith_host_routes *routes, kith_time now)
{
    if (!kith_overlay_lost(o, addrs, routes))
        return;
    kith_event_overlay_lost(o->env->events, o->name);
    if (o->again_at == 0)
        o->again_at = kith_backoff_lost(&o->backoff, o->since, now);
}

void kith_overlay_turn(struct kith_overlay *o, const struct kith_node *node, kith_time now,
                       kith_wall wall)
{
    struct kith_overlay_set wanted;

    if (o->again_at == 0 || now < o->again_at)
        return;
    kith_overlay_apply(o, node, wall);
    wanted_by(node, wall, &wanted);
    o->since = now;
    o->again_at =
        o->ifindex == 0 || o->applied.n == wanted.n ? 0 : kith_backoff_failed(&o->backoff, now);
}

kith_time kith_overlay_deadline(const struct kith_overlay *o)
{
    return o->again_at == 0 ? KITH_NEVER : o->again_at;
}
