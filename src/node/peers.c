/* peers.c: who is known, and whom this node wants a session with. */
#include "node/internal.h"

bool peer_is_self(const struct kith_node *n, const struct kith_peer_id *id)
{
    return kith_peer_id_equal(id, &n->identity->id);
}

struct node_peer *peer_find(const struct kith_node *n, const struct kith_peer_id *id)
{
    return kith_map_find(&n->peers, id->b);
}

struct node_peer *peer_of(const struct kith_node *n, struct kith_session *s)
{
    struct node_peer *p = kith_session_user(s);

    if (p == NULL) {
        p = peer_find(n, kith_session_peer(s));
        kith_session_set_user(s, p);
    }
    return p;
}

static int give_handle(struct kith_node *n, struct node_peer *p)
{
    if (n->n_handles == n->cap_handles) {
        size_t cap = n->cap_handles == 0 ? 16 : 2 * n->cap_handles;
        struct node_peer **bigger =
            kith_resize(n->env->alloc, n->by_handle, cap * sizeof *n->by_handle);
        if (bigger == NULL)
            return KITH_E_NOMEM;
        n->by_handle = bigger;
        n->cap_handles = cap;
    }
    p->handle = (uint32_t)n->n_handles;
    n->by_handle[n->n_handles++] = p;
    return KITH_OK;
}

static void empty(struct kith_node *n, struct node_peer *p)
{
    kith_free(n->env->alloc, p->lack);
    kith_free(n->env->alloc, p->told);
    routes_unheard(n, p);
    *p = (struct node_peer){
        .handle = p->handle, .digest_at = KITH_NEVER, .pull_at = KITH_NEVER, .part_at = KITH_NEVER};
}

static struct node_peer *new_peer(struct kith_node *n)
{
    struct node_peer *p = kith_new_zero(n->env->alloc, sizeof *p);

    if (p == NULL)
        return NULL;
    empty(n, p);
    if (give_handle(n, p) < 0) {
        kith_free(n->env->alloc, p);
        return NULL;
    }
    return p;
}

/* One that is in no network of ours any more, its place to be had; NULL when all are needed. */
static struct node_peer *one_not_needed(struct kith_node *n)
{
    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        if (p->member_of != 0 || peer_is_self(n, &p->id) || join_is_with(n, &p->id) ||
            kith_sessions_find(n->sessions, &p->id) != NULL)
            continue;
        (void)kith_map_take(&n->peers, p->id.b);
        mesh_peer_remove(n, p);
        empty(n, p);
        return p;
    }
    return NULL;
}

struct node_peer *peer_get(struct kith_node *n, const struct kith_peer_id *id)
{
    struct node_peer *p = peer_find(n, id);

    if (p != NULL)
        return p;
    if (n->some_gone || n->n_handles >= n->peers_max)
        p = one_not_needed(n);
    if (p == NULL && n->n_handles < n->peers_max)
        p = new_peer(n);
    if (p == NULL)
        return NULL;
    p->id = *id;
    p->blocked = blocks_has(n, id);
    /* without memory it stays behind as nobody's, to be taken the next time */
    if (kith_map_put(&n->peers, id->b, p) < 0)
        return NULL;
    if (mesh_peer_add(n, p) < 0) {
        (void)kith_map_take(&n->peers, id->b);
        return NULL;
    }
    return p;
}

void peers_free(struct kith_node *n)
{
    for (size_t i = 0; i < n->n_handles; i++) {
        empty(n, n->by_handle[i]);
        kith_free(n->env->alloc, n->by_handle[i]);
    }
    kith_free(n->env->alloc, n->by_handle);
    kith_map_fini(&n->peers);
}

/* ---- addresses ---- */

struct candidates {
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];
    size_t n;
};

enum { PORTS_MAX = 4 }; /* of one host: a NAT may show a few; more would be aimed at somebody */

static void add_candidate(struct candidates *c, const struct kith_addr *a)
{
    size_t ports = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (kith_addr_equal(&c->addr[i], a))
            return;
        ports += kith_ip_equal(&c->addr[i].ip, &a->ip);
    }
    if (ports < PORTS_MAX && c->n < KITH_SESSION_ADDRS_MAX)
        c->addr[c->n++] = *a;
}

static int add_stored(void *ctx, const struct kith_store_address *row)
{
    struct candidates *c = ctx;
    struct kith_addr a;

    if (c->n < KITH_SESSION_ADDRS_MAX / 2 && kith_addr_parse(row->addr, 0, &a) == KITH_OK &&
        a.port != 0)
        add_candidate(c, &a);
    return KITH_OK;
}

size_t peer_stored_addrs(struct kith_node *n, const struct kith_peer_id *id, struct kith_addr *ret,
                         size_t cap)
{
    struct candidates c = {.n = 0};

    (void)!kith_store_address_list(n->store, id->b, add_stored, &c);
    size_t count = c.n < cap ? c.n : cap;
    kith_copy(ret, c.addr, count * sizeof *ret);
    return count;
}

static void add_endpoints(const struct kith_node *n, const struct kith_object *o,
                          struct candidates *c)
{
    struct kith_reader r = kith_reader_on(o->endpoints.addrs.bytes);
    struct kith_addr_item item;

    while (kith_addr_item_next(&r, &item))
        if (endpoints_dialable(n, &item.addr))
            add_candidate(c, &item.addr);
}

/* Where it was reached before and what a ticket said of it, then where it says it is. */
static void gather(struct kith_node *n, const struct node_peer *p, struct kith_now now,
                   struct candidates *c)
{
    (void)!kith_store_address_list(n->store, p->id.b, add_stored, c);
    for (size_t i = 0; i < p->n_told; i++)
        add_candidate(c, &p->told[i].addr);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        struct kith_member m;
        if (net->used && (p->member_of & 1u << i) != 0 &&
            kith_netview_member(net->view, &p->id, now.wall, &m) && m.endpoints != NULL)
            add_endpoints(n, m.endpoints, c);
    }
    struct kith_addr mesh;
    if (mesh_reaches(n, p, now, &mesh)) {
        c->n -= c->n == KITH_SESSION_ADDRS_MAX; /* there is always room for the way that works */
        add_candidate(c, &mesh);
    }
}

/* Whether the peer and this node are both members of network i. */
static bool shares(const struct kith_node *n, const struct node_peer *p, size_t i,
                   struct kith_now now)
{
    const struct node_network *net = &n->network[i];

    return net->used && (p->member_of & 1u << i) != 0 &&
           kith_netview_is_member(net->view, &n->identity->id, now.wall);
}

/* Where it is none itself, nobody would talk to it. */
static bool shares_any(const struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (shares(n, p, i, now))
            return true;
    return false;
}

/* Whether this node keeps a session with it in one of its networks, packets or not. */
static bool is_eager(const struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        if (!shares(n, p, i, now))
            continue;
        if (net->small || company_wants(p, i, now) ||
            kith_netview_is_signer(net->view, &p->id, now.wall))
            return true;
    }
    return false;
}

static bool is_wanted(const struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    return now.mono >= p->unwelcome_until && shares_any(n, p, now) &&
           (is_eager(n, p, now) || now.mono < p->needed_until);
}

/* Whether peer_refresh is not this peer's, or not now. */
static bool is_left_alone(const struct kith_node *n, const struct node_peer *p)
{
    return peer_is_self(n, &p->id) || p->blocked || p->member_of == 0 || n->stopping ||
           join_is_with(n, &p->id);
}

void peer_refresh(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    struct candidates c = {.n = 0};
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);
    struct kith_addr mesh;

    if (is_left_alone(n, p))
        return;
    bool wanted = is_wanted(n, p, now);
    if (s == NULL && !wanted)
        return;
    gather(n, p, now, &c);
    if (now.mono < p->needed_until && (s == NULL || !kith_session_is_up(s)) &&
        !mesh_reaches(n, p, now, &mesh))
        search_want(n, p, now);
    if (s == NULL && c.n == 0)
        return; /* nowhere to dial: it may come to us */
    if (s == NULL && kith_sessions_get(n->sessions, &p->id, now.mono, &s) < 0)
        return;
    if (c.n > 0)
        kith_session_set_addrs(s, c.addr, c.n, now.mono);
    kith_session_want(s, wanted, now.mono);
}

/* A session that packets asked for is kept for a while after the last of them. */
static void note_packets(struct node_peer *p, const struct kith_session *s)
{
    struct kith_session_info info;

    kith_session_info(s, &info);
    if (info.packets_at == 0)
        return;
    kith_time until = kith_after(info.packets_at, ON_DEMAND_IDLE);
    if (until > p->needed_until)
        p->needed_until = until;
}

/* Whoever dialled a session ends it when it needs it no more and nothing goes through it. If the
 * other side needs it, that one dials, and ends it in its turn (spec session 3.9). */
static void end_if_over(struct kith_node *n, const struct node_peer *p, struct kith_session *s,
                        struct kith_now now)
{
    struct kith_session_info info;

    kith_session_info(s, &info);
    if (info.up && info.dialled && !info.wanted && !kith_relay_carries(n->mesh->relay, p->handle))
        kith_session_close(s, KITH_CLOSE_DONE, "not needed any more", now.mono);
}

/* Of a session that is up, only whether it is still wanted: what its addresses are was looked up
 * when they changed, and will be when it ends. */
static void look_over(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);

    if (s == NULL || !kith_session_is_up(s)) {
        peer_refresh(n, p, now);
    } else if (!is_left_alone(n, p)) {
        note_packets(p, s);
        kith_session_want(s, is_wanted(n, p, now), now.mono);
        end_if_over(n, p, s, now);
    }
}

void peer_need(struct kith_node *n, struct node_peer *p, kith_dur how_long, struct kith_now now)
{
    kith_time until = kith_after(now.mono, how_long);

    if (until > p->needed_until)
        p->needed_until = until;
    peer_refresh(n, p, now);
    n->peers_at = kith_sooner(n->peers_at, until);
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);
    if (s != NULL)
        kith_session_dial_now(s, now.mono);
}

void peer_note_address(struct kith_node *n, const struct kith_session *s, struct kith_now now)
{
    struct kith_session_info info;
    char text[KITH_ADDR_TEXT];

    kith_session_info(s, &info);
    /* an address we dialled is one to dial again; where a dialler came from may be a NAT's whim */
    if (!info.up || !info.dialled || info.relayed)
        return;
    kith_addr_text(&info.path.remote, text, sizeof text);
    (void)!kith_store_address_worked(n->store, info.peer.b, text, now.wall);
}

/* ---- time ---- */

#define PARTING KITH_SEC /* a lost datagram is sent again within that */

static const char *why_parting(uint64_t code)
{
    switch (code) {
    case KITH_CLOSE_REVOKED: return "revoked";
    case KITH_CLOSE_NOT_MEMBER: return "no longer a member";
    default: return "the network was left";
    }
}

void peer_part(struct kith_node *n, struct node_peer *p, uint64_t code, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);

    n->some_gone = true;
    if (s == NULL)
        return;
    kith_session_trust(s, false);
    kith_session_want(s, false, now.mono);
    p->part_at = kith_after(now.mono, PARTING);
    p->part_code = code;
    n->peers_at = kith_sooner(n->peers_at, p->part_at);
}

/* Ends it, unless they met again in a network. */
static void part_in_time(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);

    if (now.mono < p->part_at) {
        n->peers_at = kith_sooner(n->peers_at, p->part_at);
        return;
    }
    p->part_at = KITH_NEVER;
    if (s != NULL && p->member_of == 0 && !join_is_with(n, &p->id))
        kith_session_close(s, p->part_code, why_parting(p->part_code), now.mono);
}

void peers_tick(struct kith_node *n, struct kith_now now)
{
    if (now.mono < n->peers_at)
        return;
    n->peers_at = kith_after(now.mono, 60 * KITH_SEC);
    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        if (p->needed_until > now.mono)
            n->peers_at = kith_sooner(n->peers_at, p->needed_until);
        part_in_time(n, p, now);
        look_over(n, p, now);
    }
}
