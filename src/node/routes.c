/* routes.c: what neighbours tell each other of who leads where, network by network.
 *
 * A neighbour is told all this node leads to once, and from then on what changed. Whoever is the
 * best way to a destination is told that this node does not lead there. Only members are told on,
 * and only to members. Spec: docs/spec/mesh.md 2. */
#include "node/internal.h"

enum {
    ITEMS_MAX = 500,      /* of one message */
    GONE = 255,           /* in the place of hops */
    ITEM = 22,            /* bytes */
    ANEW = 1,             /* flags of a message: what was told before is void */
    WANT = 2,             /* and the sender wants to hear all */
    PARTIAL = 4,          /* and it heard of more than it holds */
    ROUTES_BURST = 60000, /* items: a network of ten thousand, and its changes */
    HELD_ALL = 4 << 20,   /* bytes of messages that wait to be read, of all neighbours */
};
#define TELL_DELAY (200 * KITH_MSEC) /* changes are gathered for so long */
#define ROUTES_COST (KITH_SEC / 2000)
#define HELD_DELAY (200 * KITH_MSEC) /* 400 items' worth */
#define BOTH_BEGIN (2 * KITH_SEC) /* within so long both sides tell all by themselves */
#define HUNGER_DELAY KITH_SEC     /* who is gone is often not gone alone */
#define TELL_ALL_AGAIN (5 * KITH_SEC) /* all is told to one neighbour at most so often */

/* A message under construction. */
struct list {
    uint8_t items[ITEMS_MAX * ITEM];
    size_t n;
    uint8_t flags; /* of the next message */
};

static struct mesh_network *routes_of(const struct kith_node *n, const struct node_network *net)
{
    return &n->mesh->net[net->slot];
}

void routes_tell_soon(struct mesh_network *m, struct kith_now now)
{
    m->tell_at = kith_sooner(m->tell_at, kith_after(now.mono, TELL_DELAY));
}

bool routes_hears(const struct node_peer *p, const struct node_network *net)
{
    return p->mesh.neighbour && (p->proved & p->shown & 1u << net->slot) != 0;
}

/* ---- saying ---- */

static int send_list(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                     struct list *l, struct kith_now now)
{
    /* what p itself says does not count for p */
    unsigned said = (p->mesh.partial & 1u << net->slot) != 0 ? 1 : 0;
    bool partial = routes_of(n, net)->partial > said;
    struct kith_routes m = {.network = net->id,
                            .flags = (uint8_t)(l->flags | (partial ? PARTIAL : 0)),
                            .entries = {{l->items, l->n * ITEM}, (uint16_t)l->n}};
    size_t len;

    if (l->n == 0)
        return KITH_OK;
    l->n = 0;
    l->flags = 0;
    int err = kith_routes_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len);
    if (err >= 0)
        err = gossip_send(n, &p->id, len, now);
    if (err >= 0)
        telling_told(n, p, TELLING_ROUTES, len, now);
    return err;
}

static int add_item(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                    struct list *l, const struct kith_route_item *item, struct kith_now now)
{
    struct kith_writer w = kith_writer_on(l->items + l->n * ITEM, ITEM);

    kith_route_item_put(&w, item);
    l->n++;
    return l->n < ITEMS_MAX ? KITH_OK : send_list(n, p, net, l, now);
}

/* What p hears of a destination. */
static struct kith_route_item item_for(const struct kith_node *n, const struct node_peer *p,
                                       const struct kith_mesh_advert *a)
{
    bool leads = a->hops > 0 && a->hops < KITH_MESH_HOPS_MAX && a->by != p->handle;

    return (struct kith_route_item){.destination = a->to,
                                    .seq = a->seq,
                                    .hops = leads ? a->hops : GONE,
                                    .rate = leads ? rates_of_way(n, a->by, a->rate) : 0};
}

static struct kith_route_item own_item(const struct kith_node *n)
{
    return (struct kith_route_item){
        .destination = n->mesh->here, .seq = n->mesh->seqno.own, .hops = 0};
}

/* Others hear of members only, whoever told us what. */
bool routes_may_tell(const struct kith_node *n, const struct node_network *net,
                     const struct kith_destination *to)
{
    const struct node_peer *p = mesh_peer(n, to);

    return n->mesh->forward && p != NULL && (p->member_of & 1u << net->slot) != 0;
}

/* The nearest are told first, and before them (0) who is gone, or so far that nobody is told. */
static unsigned level_of(const struct kith_mesh_advert *a)
{
    return a->hops < KITH_MESH_HOPS_MAX ? a->hops : 0;
}

/* At which levels there is something to tell: a bit each. */
static uint64_t levels(struct kith_mesh_paths *paths, enum kith_mesh_which which,
                       struct kith_now now)
{
    struct kith_mesh_advert a;
    uint64_t bits = 0;
    size_t at = 0;

    while (paths != NULL && kith_mesh_paths_next_advert(paths, &at, which, now.mono, &a))
        bits |= (uint64_t)1 << level_of(&a);
    return bits;
}

static int add_level(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                     struct list *l, unsigned level, struct kith_now now)
{
    struct kith_mesh_paths *paths = routes_of(n, net)->paths;
    struct kith_mesh_advert a;
    size_t at = 0;
    int err = KITH_OK;

    while (err >= 0 && kith_mesh_paths_next_advert(paths, &at, KITH_MESH_ALL, now.mono, &a)) {
        if (level_of(&a) != level || !routes_may_tell(n, net, &a.to))
            continue;
        const struct kith_route_item item = item_for(n, p, &a);
        if (item.hops == GONE)
            continue;
        kith_mesh_paths_told(paths, &a, false);
        err = add_item(n, p, net, l, &item, now);
    }
    return err;
}

/* All there is, the nearest first. */
static int tell_all(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                    struct kith_now now)
{
    uint64_t left = levels(routes_of(n, net)->paths, KITH_MESH_ALL, now);
    const struct kith_route_item item = own_item(n);
    bool want = (p->mesh.want & 1u << net->slot) != 0;
    bool anew = (p->mesh.anew & 1u << net->slot) != 0;
    struct list l = {.flags = (uint8_t)((anew ? ANEW : 0) | (want ? WANT : 0))};
    int err = add_item(n, p, net, &l, &item, now);

    for (unsigned level = 0; left != 0 && err >= 0; level++, left >>= 1)
        if ((left & 1) != 0)
            err = add_level(n, p, net, &l, level, now);
    return err < 0 ? err : send_list(n, p, net, &l, now);
}

static void tell_all_soon(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                          struct kith_now now)
{
    p->mesh.due |= 1u << net->slot;
    routes_of(n, net)->tell_at = now.mono;
}

void routes_greet(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        if (!net->used || !p->mesh.neighbour || (p->proved & 1u << i) == 0)
            continue;
        p->mesh.want |= 1u << i;
        p->mesh.anew |= 1u << i;
        tell_all_soon(n, p, net, now); /* behind our membership, in this turn or the next */
    }
}

/* When all may be told to it again. */
static void tell_later(struct kith_node *n, const struct node_peer *p,
                       const struct node_network *net)
{
    kith_time at = telling_at(p, TELLING_ROUTES);

    if (at < p->mesh.told_all_at)
        at = p->mesh.told_all_at;
    routes_of(n, net)->tell_at = kith_sooner(routes_of(n, net)->tell_at, at);
}

static void tell_due(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    uint32_t bit = 1u << net->slot;

    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;) {
        if ((p->mesh.due & bit) == 0 || !routes_hears(p, net))
            continue;
        if (now.mono < p->mesh.told_all_at || !telling_may(n, p, TELLING_ROUTES, now)) {
            tell_later(n, p, net);
            continue;
        }
        if (tell_all(n, p, net, now) < 0) {
            routes_tell_soon(routes_of(n, net), now);
            continue;
        }
        p->mesh.told_all_at = kith_after(now.mono, TELL_ALL_AGAIN);
        p->mesh.due &= ~bit;
        p->mesh.want &= ~bit;
        p->mesh.anew &= ~bit;
    }
}

/* To each neighbour the same news, but for who is the way there. One that could not be told, or has
 * used up its share of the link (spec mesh 2.11), is told all later. Who is to be told all anyway
 * hears the news, too, because a list of all speaks of no losses, unless it comes in this turn and
 * makes void what was told before. */
static void tell_news(struct kith_node *n, const struct node_network *net,
                      const struct kith_mesh_advert *news, size_t count, bool self,
                      struct kith_now now)
{
    struct list l; /* large: not filled with zeros for each */

    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;) {
        l.n = l.flags = 0;
        struct kith_route_item item = own_item(n);
        bool all = (p->mesh.anew & 1u << net->slot) != 0 && now.mono >= p->mesh.told_all_at;
        if (!routes_hears(p, net))
            continue;
        if (!telling_may(n, p, TELLING_ROUTES, now)) {
            p->mesh.due |= 1u << net->slot;
            p->mesh.anew |= 1u << net->slot;
            continue; /* tell_due has its time */
        }
        if (all)
            continue;
        int err = self ? add_item(n, p, net, &l, &item, now) : KITH_OK;
        for (size_t k = 0; k < count && err >= 0; k++) {
            item = item_for(n, p, &news[k]);
            err = add_item(n, p, net, &l, &item, now);
        }
        if (err >= 0)
            err = send_list(n, p, net, &l, now);
        if (err < 0) {
            p->mesh.anew |= 1u << net->slot;
            tell_all_soon(n, p, net, now);
        }
    }
}

/* ---- hearing ---- */

int routes_paths(struct kith_node *n, const struct node_network *net, struct kith_mesh_paths **ret)
{
    struct mesh_network *m = routes_of(n, net);
    int err =
        m->paths != NULL ? KITH_OK : kith_mesh_paths_new(n->env, n->mesh->paths_max, &m->paths);

    *ret = m->paths;
    return err;
}

/* A way through others is one more place to dial, now or when it falls silent. */
static void tell_paths(struct kith_node *n, struct mesh_network *m,
                       const struct kith_destination *to, const struct kith_mesh_offer *offer,
                       struct kith_now now)
{
    struct node_peer *p = mesh_peer(n, to);
    struct kith_addr addr;
    enum kith_mesh_told told;
    bool reached = p != NULL && mesh_reaches(n, p, now, &addr);

    if (kith_mesh_paths_tell(m->paths, to, offer, now, &told) >= 0 && p != NULL && !reached &&
        mesh_reaches(n, p, now, &addr))
        peer_refresh(n, p, now);
}

void routes_take(struct kith_node *n, struct mesh_network *m, const struct node_peer *p,
                 const struct kith_route_item *item, bool asked, struct kith_now now)
{
    struct kith_mesh_offer offer = {.asked = asked,
                                    .neighbour = p->handle,
                                    .hops = (uint8_t)(item->hops + 1),
                                    .rate = item->rate,
                                    .seq = item->seq,
                                    .expires = now.wall + ANNOUNCEMENT_VALID};

    if (kith_destination_equal(&item->destination, &n->mesh->here)) {
        if (item->seq > n->mesh->seqno.own)
            seqno_outdo(n, m, item->seq, now); /* of a former life, or a lie */
        return;
    }
    if (item->hops == GONE) {
        kith_mesh_paths_withdrawn(m->paths, &item->destination, p->handle, now.mono);
        return;
    }
    if (blocks_leads_to(n, &item->destination))
        return; /* spec mesh 2.9 */
    if (item->hops >= KITH_MESH_HOPS_MAX || item->seq > now.wall + MESH_SEQ_AHEAD)
        return;
    rates_heard(n, m, p, item, now);
    tell_paths(n, m, &item->destination, &offer, now);
}

static void take_message(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                         const struct kith_routes *m, bool late, struct kith_now now)
{
    struct kith_route_item item;
    struct kith_mesh_paths *paths;

    if (routes_paths(n, net, &paths) < 0)
        return;
    p->mesh.partial &= ~(1u << net->slot);
    p->mesh.partial |= (m->flags & PARTIAL) != 0 ? 1u << net->slot : 0;
    if ((m->flags & ANEW) != 0)
        (void)kith_mesh_paths_gone(paths, p->handle, now.mono);
    if ((m->flags & WANT) != 0 && kith_since(now.mono, p->mesh.since) > BOTH_BEGIN) {
        p->mesh.anew |= (m->flags & ANEW) != 0 ? 1u << net->slot : 0;
        tell_all_soon(n, p, net, now); /* it forgot what we told, or does not trust it */
    }
    if (late) {
        p->mesh.want |= 1u << net->slot;
        p->mesh.anew |= 1u << net->slot;
        tell_all_soon(n, p, net, now);
    }
    struct kith_reader r = kith_reader_on(m->entries.bytes);
    while (kith_route_item_next(&r, &item))
        routes_take(n, routes_of(n, net), p, &item, false, now);
    routes_tell_soon(routes_of(n, net), now);
}

/* Reads one message; false when its sender has told as much as is read of it now. */
static bool read_message(struct kith_node *n, struct node_peer *p, struct kith_span message,
                         bool late, struct kith_now now)
{
    struct kith_routes m;

    if (kith_routes_decode(message, &m) < 0)
        return true;
    const struct node_network *net = gossip_shared_network(n, &m.network, p);
    if (net == NULL || !p->mesh.neighbour)
        return true;
    if (!kith_rate_takes(&p->mesh.routes_paid, ROUTES_COST, m.entries.n + 1u, ROUTES_BURST,
                         now.mono))
        return false;
    take_message(n, p, net, &m, late, now);
    return true;
}

/* Behind what it told before. What finds no room is unread, and held against it. */
static void hold(struct kith_node *n, struct node_peer *p, struct kith_span message, bool late,
                 struct kith_now now)
{
    struct node_mesh *m = n->mesh;
    const size_t before = kith_unread_size(&p->mesh.unread);

    if (m->held + message.n > HELD_ALL ||
        kith_unread_add(&p->mesh.unread, n->env->alloc, message, late) < 0) {
        m->telling.unread++;
        gossip_note(n, &p->id, KITH_OFFENCE_messages, now);
        return;
    }
    m->telling.held++;
    m->held += kith_unread_size(&p->mesh.unread) - before;
    m->held_at = kith_sooner(m->held_at, kith_after(now.mono, HELD_DELAY));
}

void routes_heard(struct kith_node *n, struct node_peer *p, struct kith_span message, bool late,
                  struct kith_now now)
{
    if (p->mesh.neighbour &&
        (kith_unread_size(&p->mesh.unread) > 0 || !read_message(n, p, message, late, now)))
        hold(n, p, message, late, now);
}

static void read_held(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    struct kith_span message;
    bool late;

    while (kith_unread_first(&p->mesh.unread, &message, &late) &&
           read_message(n, p, message, late, now)) {
        const size_t before = kith_unread_size(&p->mesh.unread);
        kith_unread_drop(&p->mesh.unread);
        n->mesh->held -= before - kith_unread_size(&p->mesh.unread);
    }
}

static void read_all_held(struct kith_node *n, struct kith_now now)
{
    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;)
        read_held(n, p, now);
    n->mesh->held_at = n->mesh->held > 0 ? kith_after(now.mono, HELD_DELAY) : KITH_NEVER;
}

void routes_unheard(struct kith_node *n, struct node_peer *p)
{
    if (n->mesh != NULL)
        n->mesh->held -= kith_unread_size(&p->mesh.unread);
    kith_unread_clear(&p->mesh.unread);
}

void routes_refresh(struct kith_node *n, const struct node_network *net, const struct node_peer *p,
                    struct kith_now now)
{
    if (p->mesh.neighbour && routes_of(n, net)->paths != NULL)
        kith_mesh_paths_refresh(routes_of(n, net)->paths, p->handle, now.mono);
}

static void lose_ways(struct mesh_network *m, const struct node_peer *p, struct kith_now now)
{
    if (m->paths != NULL && kith_mesh_paths_gone(m->paths, p->handle, now.mono) > 0)
        m->tell_at = now.mono; /* that somebody is gone is told at once */
}

void routes_part(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    routes_unheard(n, p);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        lose_ways(&n->mesh->net[i], p, now);
}

void routes_unproved(struct kith_node *n, const struct node_network *net, struct node_peer *p,
                     struct kith_now now)
{
    lose_ways(routes_of(n, net), p, now);
}

void routes_member(struct kith_node *n, const struct node_network *net, struct node_peer *p,
                   bool is, struct kith_now now)
{
    struct mesh_network *m = routes_of(n, net);

    if (!is && m->paths != NULL)
        kith_mesh_paths_forget(m->paths, &p->mesh.destination);
    if (!is)
        routes_unproved(n, net, p, now);
    routes_tell_soon(m, now); /* what was heard of it before it was one is news now */
}

void routes_blocked(struct kith_node *n, const struct kith_destination *to, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct mesh_network *m = &n->mesh->net[i];
        struct kith_mesh_way way[KITH_MESH_WAYS];
        size_t count = m->paths == NULL ? 0 : kith_mesh_paths_ways(m->paths, to, now.mono, way);
        for (size_t k = 0; k < count; k++)
            kith_mesh_paths_withdrawn(m->paths, to, way[k].neighbour, now.mono);
        if (count > 0)
            m->tell_at = now.mono;
    }
    kith_relay_end_to(n->mesh->relay, to, now.mono);
}

void routes_ask(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            n->mesh->net[i].hunger_at = now.mono;
}

void routes_forget(struct kith_node *n, const struct node_network *net)
{
    struct mesh_network *m = routes_of(n, net);

    kith_mesh_paths_free(m->paths);
    kith_search_drop_scope(n->mesh->search, net->slot);
    *m = (struct mesh_network){
        .tell_at = KITH_NEVER, .hunger_at = KITH_NEVER, .seqno_at = KITH_NEVER};
}

/* ---- time ---- */

/* Three ways are kept, of which some are gone: neighbours know others. */
static void ask_for_all(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    const struct kith_routes m = {.network = net->id, .flags = WANT};

    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;) {
        size_t len;
        if (routes_hears(p, net) &&
            kith_routes_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0 &&
            gossip_send(n, &p->id, len, now) >= 0) /* what is lost then comes with its news */
            telling_told(n, p, TELLING_ROUTES, len, now);
    }
}

static void feel_hunger(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    struct mesh_network *m = routes_of(n, net);

    if (m->paths != NULL && kith_mesh_paths_lacks(m->paths))
        m->hunger_at = kith_sooner(m->hunger_at, kith_after(now.mono, HUNGER_DELAY));
    if (now.mono < m->hunger_at)
        return;
    m->hunger_at = KITH_NEVER;
    ask_for_all(n, net, now);
}

/* That a table is too small is news, too: ours, which counts double, or a neighbour's. */
static void note_partial(const struct kith_node *n, const struct node_network *net, kith_time now)
{
    struct mesh_network *m = routes_of(n, net);
    uint8_t partial = m->paths != NULL && kith_mesh_paths_is_partial(m->paths, now) ? 2 : 0;

    for (const struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL && partial < 3;)
        partial = (uint8_t)(partial + ((p->mesh.partial >> net->slot) & 1));
    m->self_news |= partial != m->partial;
    m->partial = partial;
}

/* News that were gathered to be told together. */
struct news {
    struct kith_mesh_advert item[ITEMS_MAX];
    size_t n;
    bool self; /* our own number among them */
};

static void tell_gathered(struct kith_node *n, const struct node_network *net, struct news *news,
                          struct kith_now now)
{
    if (news->n > 0 || news->self)
        tell_news(n, net, news->item, news->n, news->self, now);
    news->n = 0;
    news->self = false;
}

static void tell_level(struct kith_node *n, const struct node_network *net, unsigned level,
                       struct news *news, struct kith_now now)
{
    struct kith_mesh_paths *paths = routes_of(n, net)->paths;
    struct kith_mesh_advert a;
    size_t at = 0;

    while (kith_mesh_paths_next_advert(paths, &at, KITH_MESH_NEWS, now.mono, &a)) {
        if (level_of(&a) != level || !routes_may_tell(n, net, &a.to))
            continue;
        kith_mesh_paths_told(paths, &a, true);
        news->item[news->n++] = a;
        if (news->n == ITEMS_MAX)
            tell_gathered(n, net, news, now);
    }
}

/* The news, a message's worth at a time. */
static void tell_changes(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    struct mesh_network *m = routes_of(n, net);
    uint64_t left = levels(m->paths, KITH_MESH_NEWS, now);
    struct news news; /* large: not filled with zeros */

    news.n = 0;
    news.self = m->self_news;
    m->self_news = false;
    for (unsigned level = 0; left != 0; level++, left >>= 1)
        if ((left & 1) != 0)
            tell_level(n, net, level, &news, now);
    tell_gathered(n, net, &news, now);
}

void routes_tick(struct kith_node *n, struct kith_now now)
{
    if (now.mono >= n->mesh->held_at)
        read_all_held(n, now);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        struct mesh_network *m = &n->mesh->net[i];
        if (!net->used)
            continue;
        feel_hunger(n, net, now);
        bool tell = now.mono >= m->tell_at;
        if (tell) {
            m->tell_at = KITH_NEVER;
            note_partial(n, net, now.mono);
            tell_changes(n, net, now);
            tell_due(n, net, now);
        }
        if (tell || now.mono >= m->seqno_at)
            seqno_ask(n, net, now);
    }
}

static kith_time network_deadline(const struct mesh_network *m)
{
    return kith_sooner(kith_sooner(m->tell_at, m->hunger_at), m->seqno_at);
}

kith_time routes_deadline(const struct kith_node *n)
{
    kith_time at = n->mesh->held_at;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            at = kith_sooner(at, network_deadline(&n->mesh->net[i]));
    return at;
}
