/* endpoints.c: where this node can be reached: its host's addresses and those others saw it at,
 * told to members connected at once, and to all in a signed ENDPOINTS object of its own. */
#include "node/internal.h"

#define NEW_OBSERVED_COST (60 * KITH_SEC)

static bool worth_telling(const struct kith_ip *ip)
{
    return ip->family != KITH_FAMILY_NONE && !kith_ip_is_unspecified(ip) &&
           !kith_ip_is_multicast(ip) && !kith_ip_is_link_local(ip);
}

/* Our own overlay addresses lead into the tunnel, not to this host. */
static bool is_overlay(const struct kith_node *n, const struct kith_ip *ip)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        const struct kith_object *o = net->used ? kith_netview_network(net->view) : NULL;
        if (o != NULL && kith_prefix_holds(&o->network.ipv4, ip))
            return true;
        if (net->used && ip->family == KITH_FAMILY_IP6) {
            struct kith_ip own = kith_network_ip6(&net->id, &n->identity->id);
            struct kith_prefix range = kith_prefix_of(&own, 64);
            if (kith_prefix_holds(&range, ip))
                return true;
        }
    }
    return false;
}

static bool listens_on_loopback(const struct kith_node *n)
{
    for (size_t i = 0; i < n->n_listen; i++)
        if (kith_ip_is_loopback(&n->listen[i].ip))
            return true;
    return false;
}

static size_t add(struct kith_addr *list, size_t n, size_t cap, const struct kith_addr *a)
{
    for (size_t i = 0; i < n; i++)
        if (kith_addr_equal(&list[i], a))
            return n;
    if (n == cap)
        return n;
    list[n] = *a;
    list[n].scope = 0;
    return n + 1;
}

/* One listening socket gives one address, or all of the host's when it listens on any. */
static size_t add_listener(const struct kith_node *n, const struct kith_addr *l,
                           struct kith_addr *list, size_t count, size_t cap)
{
    if (!kith_ip_is_unspecified(&l->ip))
        return is_overlay(n, &l->ip) ? count : add(list, count, cap, l);
    for (size_t i = 0; i < n->n_host; i++) {
        struct kith_addr a = {.ip = n->host[i], .port = l->port};
        if (a.ip.family == l->ip.family && worth_telling(&a.ip) && !is_overlay(n, &a.ip))
            count = add(list, count, cap, &a);
    }
    return count;
}

/* Whether a datagram sent there would come back to one of our own sockets. */
static bool is_own_socket(const struct kith_node *n, const struct kith_addr *addr)
{
    for (size_t i = 0; i < n->n_listen; i++) {
        const struct kith_addr *l = &n->listen[i];
        if (l->port != addr->port)
            continue;
        if (kith_ip_equal(&l->ip, &addr->ip))
            return true;
        for (size_t k = 0; k < n->n_host && kith_ip_is_unspecified(&l->ip); k++)
            if (kith_ip_equal(&n->host[k], &addr->ip))
                return true;
    }
    return false;
}

bool endpoints_dialable(const struct kith_node *n, const struct kith_addr *addr)
{
    if (addr->port == 0 || !worth_telling(&addr->ip) || is_overlay(n, &addr->ip) ||
        is_own_socket(n, addr))
        return false;
    return !kith_ip_is_loopback(&addr->ip) || listens_on_loopback(n);
}

size_t endpoints_own(const struct kith_node *n, struct kith_addr *ret, size_t cap)
{
    size_t count = 0;

    for (size_t i = 0; i < n->n_listen; i++)
        count = add_listener(n, &n->listen[i], ret, count, cap);
    for (size_t i = 0; i < n->n_observed; i++)
        count = add(ret, count, cap, &n->observed[i]);
    return count;
}

/* ---- at once, to the members connected ---- */

static void say_added(struct kith_node *n, const struct kith_peer_id *to, const struct told_addr *t,
                      struct kith_now now)
{
    struct kith_add_address m = {.seq = t->seq, .addr = t->addr};
    size_t len;

    if (kith_add_address_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0)
        (void)!gossip_send(n, to, len, now);
}

static void say_removed(struct kith_node *n, const struct kith_peer_id *to,
                        const struct told_addr *t, struct kith_now now)
{
    struct kith_remove_address m = {.seq = t->seq, .addr = t->addr};
    size_t len;

    if (kith_remove_address_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0)
        (void)!gossip_send(n, to, len, now);
}

static void say_to_all(struct kith_node *n, const struct told_addr *t,
                       void (*say)(struct kith_node *, const struct kith_peer_id *,
                                   const struct told_addr *, struct kith_now),
                       struct kith_now now)
{
    for (size_t i = 0; i < n->n_handles; i++)
        if (n->by_handle[i]->proved != 0)
            say(n, &n->by_handle[i]->id, t, now);
}

static bool holds(const struct kith_addr *list, size_t n, const struct kith_addr *a)
{
    for (size_t i = 0; i < n; i++)
        if (kith_addr_equal(&list[i], a))
            return true;
    return false;
}

static bool is_among_told(const struct kith_node *n, const struct kith_addr *a)
{
    for (size_t i = 0; i < n->n_told; i++)
        if (kith_addr_equal(&n->told[i].addr, a))
            return true;
    return false;
}

/* What changed since the members were told last. */
static void tell_changes(struct kith_node *n, struct kith_now now)
{
    struct kith_addr own[KITH_NODE_ADDRS_MAX];
    size_t count = endpoints_own(n, own, KITH_COUNT(own)), kept = 0;

    for (size_t i = 0; i < n->n_told; i++) {
        if (holds(own, count, &n->told[i].addr))
            n->told[kept++] = n->told[i];
        else
            say_to_all(n, &n->told[i], say_removed, now);
    }
    n->n_told = kept;
    for (size_t i = 0; i < count && n->n_told < KITH_COUNT(n->told); i++) {
        if (is_among_told(n, &own[i]))
            continue;
        struct told_addr *t = &n->told[n->n_told++];
        *t = (struct told_addr){.seq = ++n->told_seq, .addr = own[i]};
        say_to_all(n, t, say_added, now);
    }
}

void endpoints_tell(struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < n->n_told; i++)
        say_added(n, &p->id, &n->told[i], now);
}

/* ---- what a member says of itself ---- */

static bool forget_told(struct node_peer *p, uint64_t seq)
{
    for (size_t i = 0; i < p->n_told; i++) {
        if (p->told[i].seq != seq)
            continue;
        p->told[i] = p->told[--p->n_told];
        return true;
    }
    return false;
}

void endpoints_add(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now)
{
    struct kith_add_address m;

    if (kith_add_address_decode(message, &m) < 0 || !endpoints_dialable(n, &m.addr))
        return;
    if (p->told == NULL)
        p->told = kith_new_array(n->env->alloc, KITH_NODE_ADDRS_MAX, sizeof *p->told);
    (void)forget_told(p, m.seq);
    if (p->told == NULL || p->n_told == KITH_NODE_ADDRS_MAX)
        return; /* control-stream 6.1; its signed endpoints name the best */
    p->told[p->n_told++] = (struct told_addr){.seq = m.seq, .addr = m.addr};
    peer_refresh(n, p, now);
}

void endpoints_remove(struct kith_node *n, struct node_peer *p, struct kith_span message,
                      struct kith_now now)
{
    struct kith_remove_address m;

    if (kith_remove_address_decode(message, &m) >= 0 && forget_told(p, m.seq))
        peer_refresh(n, p, now);
}

/* ---- changes ---- */

void endpoints_changed(struct kith_node *n, struct kith_now now)
{
    tell_changes(n, now);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            n->network[i].endpoints_at =
                kith_sooner(n->network[i].endpoints_at, kith_after(now.mono, ENDPOINTS_DELAY));
}

void endpoints_observed(struct kith_node *n, const struct kith_addr *addr, struct kith_now now)
{
    struct kith_addr own[KITH_NODE_ADDRS_MAX];
    size_t count = endpoints_own(n, own, KITH_COUNT(own));

    if (!worth_telling(&addr->ip) || kith_ip_is_loopback(&addr->ip) || is_overlay(n, &addr->ip))
        return;
    for (size_t i = 0; i < count; i++)
        if (kith_addr_equal(&own[i], addr))
            return;
    if (!kith_rate_takes(&n->observed_paid, NEW_OBSERVED_COST, 1, OBSERVED_MAX, now.mono))
        return; /* somebody sees us elsewhere all the time: that is not worth telling everybody */
    if (n->n_observed == OBSERVED_MAX) /* the oldest makes room */
        memmove(n->observed, n->observed + 1, --n->n_observed * sizeof *n->observed);
    n->observed[n->n_observed++] = *addr;
    endpoints_changed(n, now);
}

void kith_node_host_changed(struct kith_node *n, const struct kith_ip *addr, size_t count,
                            bool changed, struct kith_now now)
{
    struct kith_ip gone[KITH_NODE_ADDRS_MAX];
    size_t n_gone = 0;

    if (count > KITH_NODE_ADDRS_MAX)
        count = KITH_NODE_ADDRS_MAX; /* more are not told, so they change nothing */
    bool differs = count != n->n_host;
    for (size_t i = 0; i < n->n_host; i++) {
        bool stays = false;
        for (size_t k = 0; k < count; k++)
            stays |= kith_ip_equal(&n->host[i], &addr[k]);
        if (!stays)
            gone[n_gone++] = n->host[i];
    }
    differs |= n_gone > 0;
    n->n_host = count;
    kith_copy(n->host, addr, n->n_host * sizeof *addr);
    if (differs) {
        n->n_observed = 0; /* what was seen belonged to the old place */
        n->observed_paid = 0;
        endpoints_changed(n, now);
        company_moved(n, now);
    }
    if (n_gone > 0 || changed)
        kith_sessions_network_changed(n->sessions, gone, n_gone, now.mono);
}

/* ---- telling ---- */

/* Signed while the calendar here was ahead: others refused it, and one of today gives way to it
 * nowhere. */
static bool is_early(const struct kith_object *o, kith_wall now)
{
    return o->env.issued > kith_after(now, KITH_WALL_TOLERANCE);
}

/* Whether the object held says the same for long enough yet. */
static bool is_told(const struct kith_member *self, const struct kith_addr *own, size_t count,
                    kith_wall now)
{
    struct kith_addr_item item;
    size_t i = 0;

    if (self->endpoints == NULL || is_early(self->endpoints, now) ||
        self->endpoints->endpoints.valid_until < now + ENDPOINTS_VALID / 2)
        return false;
    struct kith_reader r = kith_reader_on(self->endpoints->endpoints.addrs.bytes);
    while (kith_addr_item_next(&r, &item)) {
        if (i == count || !kith_addr_equal(&item.addr, &own[i]))
            return false;
        i++;
    }
    return i == count;
}

static void tell(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_addr own[KITH_NODE_ADDRS_MAX];
    uint8_t buf[KITH_CERT_MAX];
    struct kith_member self;
    size_t count = endpoints_own(n, own, KITH_COUNT(own)), len;

    if (!network_self(n, net, now.wall, &self) || self.standing != KITH_STANDING_MEMBER ||
        is_told(&self, own, count, now.wall))
        return;
    bool counts = self.endpoints != NULL && !is_early(self.endpoints, now.wall);
    uint64_t before = counts ? self.endpoints->env.number : 0;
    int err = kith_issue_endpoints(n->identity, &net->id, own, count,
                                   kith_issuer_number(before, now.wall), now.wall + ENDPOINTS_VALID,
                                   now.wall, buf, sizeof buf, &len);
    if (err >= 0)
        err = object_publish(n, net, (struct kith_span){buf, len}, now);
    if (err < 0) {
        kith_event_store_failed(n->env->events, "tell where this node is", kith_err_text(err));
        net->endpoints_at = kith_after(now.mono, HOST_AGAIN);
    }
}

void endpoints_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        if (!net->used || now.mono < net->endpoints_at)
            continue;
        net->endpoints_at = kith_after(now.mono, 86400 * KITH_SEC); /* refreshed in time */
        tell(n, net, now);
    }
}

kith_time endpoints_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            at = kith_sooner(at, n->network[i].endpoints_at);
    return at;
}
