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
    if (routed && kith_netlink_route_add(o->nl, &route, &why) < 0) {
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
