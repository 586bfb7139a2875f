/* objects.c: signed objects on their way in, and what follows from them. */
#include "node/internal.h"

#define MISSED_AGAIN (5 * KITH_SEC) /* after there was no memory for a member */
#define FORGET_FIRST (600 * KITH_SEC) /* after the start: when others were heard */
#define FORGET_AGAIN (43200 * KITH_SEC) /* twice a day */
#define LEASE_KEPT (30 * KITH_WALL_DAY) /* beyond its end, as the certificate is */

/* Monotonic counterpart of a calendar time, which may lie in the past. */
static kith_time when(kith_wall at, struct kith_now now)
{
    if (at == KITH_NEVER)
        return KITH_NEVER;
    return at <= now.wall ? now.mono : kith_after(now.mono, (at - now.wall) * KITH_SEC);
}

int object_store(struct kith_node *n, const struct node_network *net, struct kith_span object)
{
    struct kith_object o;
    int err = kith_object_open(object, &o);

    if (err < 0)
        return err;
    struct kith_store_object row = {.kind = o.env.kind, .number = o.env.number, .bytes = object};
    memcpy(row.key, o.key.b, sizeof row.key);
    err = kith_store_object_put_if_newer(n->store, net->id.b, &row);
    return err == KITH_E_EXISTS ? KITH_OK : err;
}

/* The store keeps the higher number. One from a future that did not come gives way here as it did
 * in the view, which has decided already. */
static int make_way(struct kith_node *n, const struct node_network *net,
                    const struct kith_object *o)
{
    struct kith_store_object row;
    int err = kith_store_object_get(n->store, net->id.b, o->key.b, &row);

    if (err >= 0 && row.number > o->env.number)
        err = kith_store_object_remove(n->store, net->id.b, o->key.b);
    return err == KITH_E_NOTFOUND ? KITH_OK : err;
}

static int keep(struct kith_node *n, const struct node_network *net, const struct kith_object *o)
{
    int err = make_way(n, net, o);

    return err < 0 ? err : object_store(n, net, o->bytes);
}

/* Keeps and announces an object that the view took over. What the disk has no room for is true
 * nevertheless: it is kept later. */
static void spread(struct kith_node *n, struct node_network *net, struct kith_span object,
                   const struct kith_peer_id *from, struct kith_now now)
{
    struct kith_object o;

    if (kith_object_open(object, &o) < 0)
        return; /* the view has opened it before */
    if (keep(n, net, &o) < 0)
        net->save_at = kith_sooner(net->save_at, kith_after(now.mono, HOST_AGAIN));
    digests_announce(n, net, &o, from, now);
}

int object_take(struct kith_node *n, struct node_network *net, struct kith_span object,
                const struct kith_peer_id *from, struct kith_now now, enum kith_offer *ret,
                const char **ret_why)
{
    struct kith_span extra;
    int err = kith_netview_offer(net->view, object, now.wall, ret, ret_why);

    if (err < 0)
        return err;
    if (*ret == KITH_OFFER_NEW) {
        spread(n, net, object, from, now);
        while (kith_netview_next_new(net->view, &extra))
            spread(n, net, extra, NULL, now);
    }
    objects_settle(n, net, now);
    return err;
}

int object_publish(struct kith_node *n, struct node_network *net, struct kith_span object,
                   struct kith_now now)
{
    enum kith_offer result;

    return object_take(n, net, object, NULL, now, &result, NULL);
}

int object_promise(struct kith_node *n, struct node_network *net, struct kith_span object,
                   struct kith_now now)
{
    struct kith_object o;
    int err = kith_object_open(object, &o);

    if (err >= 0)
        err = keep(n, net, &o);
    if (err < 0)
        return err;
    err = object_publish(n, net, object, now);
    if (err < 0) { /* it did not happen: also not after a restart */
        (void)!kith_store_object_remove(n->store, net->id.b, o.key.b);
        net->save_at = kith_sooner(net->save_at, kith_after(now.mono, HOST_AGAIN));
    }
    return err;
}

/* All that the view has, in one transaction. */
static int save_all(struct kith_node *n, const struct node_network *net)
{
    const struct kith_object *o;
    size_t at = 0;
    int err = kith_store_begin(n->store);

    if (err < 0)
        return err;
    while (err >= 0 && (o = kith_netview_next_object(net->view, &at)) != NULL)
        err = keep(n, net, o);
    if (err >= 0)
        return kith_store_commit(n->store);
    kith_store_rollback(n->store);
    return err;
}

static void save_late(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    if (now.mono < net->save_at)
        return;
    net->save_at =
        save_all(n, net) >= 0 ? KITH_NEVER : kith_after(now.mono, HOST_AGAIN); /* the store told */
}

/* ---- what changes follow ---- */

static void member_is_new(struct kith_node *n, struct node_network *net,
                          const struct kith_peer_id *id, struct kith_now now)
{
    struct kith_member m;
    struct node_peer *p = peer_get(n, id);

    if (p == NULL) {
        net->missed = true;
        kith_event_out_of_memory(n->env->events, "noting a member", sizeof *p);
    }
    if (p == NULL || !kith_netview_member(net->view, id, now.wall, &m))
        return;
    if ((p->member_of & 1u << net->slot) == 0 && !peer_is_self(n, id))
        kith_event_member_added(n->env->events, m.name, id->b, net->name);
    p->member_of |= 1u << net->slot;
    routes_member(n, net, p, true, now);
    issue_adopt(n, net, &m, now);
    overlay_member(n, net, id, now);
    peer_refresh(n, p, now);
}

/* What the view let go of, the store lets go of. */
static void forget_dropped(struct kith_node *n, const struct node_network *net)
{
    struct kith_object_key key;

    while (kith_netview_next_dropped(net->view, &key))
        if (kith_netview_find(net->view, &key) == NULL)
            (void)!kith_store_object_remove(n->store, net->id.b, key.b); /* the store tells */
}

/* Where one was reached that was sent away or has left: if it comes back, it says so anew. */
static void forget_addresses(struct kith_node *n, const struct kith_netview_effect *fx)
{
    const struct node_peer *p = peer_find(n, &fx->peer);
    bool ended = fx->standing == KITH_STANDING_REVOKED || fx->standing == KITH_STANDING_LEFT;

    if (ended && (p == NULL || p->member_of == 0))
        (void)!kith_store_address_clear(n->store, fx->peer.b);
}

static void member_is_gone(struct kith_node *n, struct node_network *net,
                           const struct kith_netview_effect *fx, struct kith_now now)
{
    struct node_peer *p = peer_find(n, &fx->peer);
    uint32_t bit = 1u << net->slot;

    if (fx->standing == KITH_STANDING_REVOKED)
        kith_event_member_revoked(n->env->events, fx->peer.b, net->name);
    if (fx->standing == KITH_STANDING_LEFT) {
        kith_event_member_left(n->env->events, fx->peer.b, net->name);
        issue_forget(n, net, &fx->peer, now);
    }
    if (p != NULL)
        p->member_of &= ~bit;
    forget_addresses(n, fx);
    if (p == NULL)
        return;
    p->proved &= ~bit;
    p->shown &= ~bit;
    routes_member(n, net, p, false, now);
    kith_vpn_member_remove(n->vpn, p->handle, net->slot);
    gossip_send_away(n, p, net, now);
    if (p->member_of == 0 && p->part_at == KITH_NEVER)
        peer_part(n, p, KITH_CLOSE_NOT_MEMBER, now);
}

static void self_is_gone(struct kith_node *n, struct node_network *net,
                         const struct kith_netview_effect *fx, struct kith_now now)
{
    if (fx->standing == KITH_STANDING_REVOKED)
        kith_event_self_revoked(n->env->events, net->name);
    overlay_network(n, net, now);
    n->peers_at = now.mono; /* nobody in it is wanted any more */
}

static void apply(struct kith_node *n, struct node_network *net,
                  const struct kith_netview_effect *fx, struct kith_now now)
{
    struct node_peer *p;

    switch (fx->change) {
    case KITH_CHANGE_NETWORK: overlay_network(n, net, now); break;
    case KITH_CHANGE_ADDED:
    case KITH_CHANGE_CERT:
        if (peer_is_self(n, &fx->peer)) {
            overlay_network(n, net, now);
            net->renew_at = net->announce_at = n->peers_at = now.mono;
        }
        member_is_new(n, net, &fx->peer, now);
        break;
    case KITH_CHANGE_GONE:
        if (peer_is_self(n, &fx->peer))
            self_is_gone(n, net, fx, now);
        else
            member_is_gone(n, net, fx, now);
        break;
    case KITH_CHANGE_ENDPOINTS:
        forget_addresses(n, fx); /* of one that had expired here before */
        p = peer_find(n, &fx->peer);
        if (p != NULL)
            peer_refresh(n, p, now);
        break;
    case KITH_CHANGE_ADMIN:
    case KITH_CHANGE_ANNOUNCEMENT: break;
    }
}

/* Up to a size everybody is wanted, beyond it only admins. */
static void note_size(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    bool small = kith_netview_member_count(net->view, now.wall) <= n->eager_max;

    if (small != net->small)
        n->peers_at = now.mono;
    net->small = small;
}

void objects_settle(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_netview_effect fx;
    bool changed = false;

    forget_dropped(n, net); /* before what follows offers more */
    while (kith_netview_next_effect(net->view, &fx)) {
        apply(n, net, &fx, now);
        changed = true;
    }
    if (changed && net->taken)
        overlay_members(n, net, now);
    if (changed)
        note_size(n, net, now);
    /* the calendar may jump, so that far-off moments are looked at again every hour */
    net->wake_at = kith_sooner(when(kith_netview_deadline(net->view), now),
                               kith_after(now.mono, 3600 * KITH_SEC));
    if (net->forget_at == KITH_NEVER)
        net->forget_at = kith_after(now.mono, FORGET_FIRST);
    if (net->missed)
        net->wake_at = kith_sooner(net->wake_at, kith_after(now.mono, MISSED_AGAIN));
}

static void note_missed(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_member m;
    size_t at = 0;

    if (!net->missed)
        return;
    net->missed = false;
    while (kith_netview_next_member(net->view, &at, now.wall, &m))
        if (m.standing == KITH_STANDING_MEMBER)
            member_is_new(n, net, &m.peer, now);
}

/* What is over for good, and the leases of what is. */
static void forget_over(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    kith_wall proved = kith_netview_proved(net->view, now.wall);

    net->forget_at = kith_after(now.mono, FORGET_AGAIN);
    kith_netview_forget(net->view, now.wall);
    objects_settle(n, net, now);
    if (proved > LEASE_KEPT)
        issue_forget_ended(n, net, proved - LEASE_KEPT);
}

void objects_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        if (!net->used)
            continue;
        save_late(n, net, now);
        if (now.mono >= net->forget_at)
            forget_over(n, net, now);
        if (now.mono < net->wake_at)
            continue;
        kith_netview_tick(net->view, now.wall);
        note_missed(n, net, now);
        objects_settle(n, net, now);
    }
}

static kith_time next_look(const struct node_network *net)
{
    return kith_sooner(kith_sooner(net->wake_at, net->save_at), net->forget_at);
}

kith_time objects_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            at = kith_sooner(at, next_look(&n->network[i]));
    return at;
}
