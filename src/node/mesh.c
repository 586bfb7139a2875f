/* mesh.c: between the relay engine and the sessions: neighbours come and go with their sessions,
 * flows ride on them, and the mesh is a transport like any other. */
#include "node/internal.h"
#include "session/lanes.h"

enum { RUN_MAX = 64 }; /* datagrams given to one session at a time */
#define CLEAR_INTERVAL (30 * KITH_SEC)
#define IMPROVE_INTERVAL (2 * KITH_SEC) /* while there are flows */

/* ---- peers and their destinations ---- */

int mesh_destination_of(const struct kith_peer_id *peer, struct kith_destination *ret)
{
    return kith_destination(peer, kith_span_text(KITH_SERVICE_SELF), ret);
}

int mesh_peer_add(struct kith_node *n, struct node_peer *p)
{
    int err = mesh_destination_of(&p->id, &p->mesh.destination);

    return err < 0 ? err : kith_map_put(&n->mesh->by_destination, p->mesh.destination.b, p);
}

void mesh_peer_remove(struct kith_node *n, struct node_peer *p)
{
    (void)kith_map_take(&n->mesh->by_destination, p->mesh.destination.b);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) /* its number may be another's one day */
        if (n->mesh->net[i].paths != NULL)
            kith_mesh_paths_forget_neighbour(n->mesh->net[i].paths, p->handle);
}

struct node_peer *mesh_peer(const struct kith_node *n, const struct kith_destination *to)
{
    return kith_map_find(&n->mesh->by_destination, to->b);
}

/* ---- what the relay engine asks ---- */

/* The session of a neighbour; NULL when it leads nobody on now. */
static struct kith_session *session_of(const struct kith_node *n, uint32_t handle)
{
    const struct node_peer *p = handle < n->n_handles ? n->by_handle[handle] : NULL;
    struct kith_session *s = NULL;

    if (p != NULL && p->mesh.neighbour)
        s = kith_sessions_find(n->sessions, &p->id);
    return s != NULL && kith_session_is_up(s) && !kith_session_is_relayed(s) ? s : NULL;
}

static bool is_among(uint32_t handle, const uint32_t *among, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (among[i] == handle)
            return true;
    return false;
}

/* The networks whose paths one may use: a bit each. */
static uint32_t networks_of(const struct kith_node *n, uint32_t from)
{
    return from == KITH_MESH_SELF ? UINT32_MAX
           : from < n->n_handles  ? n->by_handle[from]->proved
                                  : 0;
}

/* The ways to a destination in one of the networks that can be gone now, best first; how many. */
static size_t open_ways(const struct kith_node *n, size_t slot, const struct kith_destination *to,
                        kith_time now, struct kith_mesh_way ret[KITH_MESH_WAYS])
{
    const struct kith_mesh_paths *paths = n->mesh->net[slot].paths;
    size_t known = paths == NULL ? 0 : kith_mesh_paths_ways(paths, to, now, ret), count = 0;

    for (size_t i = 0; i < known; i++) {
        const struct kith_session *s = session_of(n, ret[i].neighbour);
        if (s != NULL && !kith_session_is_silent(s))
            ret[count++] = ret[i];
    }
    return count;
}

static bool find_way(const struct kith_node *n, const struct kith_destination *to, uint32_t from,
                     const uint32_t *not_by, size_t count, kith_time now, size_t *ret_slot,
                     uint32_t *ret)
{
    uint32_t bits = networks_of(n, from);
    struct kith_mesh_way ways[KITH_MESH_WAYS];

    if (from != KITH_MESH_SELF && !n->mesh->forward)
        return false;
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        size_t n_ways = (bits & 1u << i) != 0 ? open_ways(n, i, to, now, ways) : 0;
        for (size_t k = 0; k < n_ways; k++) {
            *ret = ways[k].neighbour;
            *ret_slot = i;
            if (*ret != from && !is_among(*ret, not_by, count))
                return true;
        }
    }
    return false;
}

static bool way(void *ctx, const struct kith_destination *to, uint32_t from, const uint32_t *not_by,
                size_t count, kith_time now, uint32_t *ret)
{
    const struct kith_node *n = ctx;
    size_t slot;

    if (!find_way(n, to, from, not_by, count, now, &slot, ret))
        return false;
    kith_mesh_paths_used(n->mesh->net[slot].paths, to, now);
    return true;
}

/* In how many hops the neighbour says it leads there, its own among them; 0: it doesn't. */
static unsigned hops_by(const struct kith_node *n, const struct kith_destination *to, uint32_t by,
                        kith_time now)
{
    struct kith_mesh_way ways[KITH_MESH_WAYS];

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct kith_mesh_paths *paths = n->mesh->net[i].paths;
        size_t count = paths == NULL ? 0 : kith_mesh_paths_ways(paths, to, now, ways);
        for (size_t k = 0; k < count; k++)
            if (ways[k].neighbour == by)
                return ways[k].hops;
    }
    return 0;
}

/* Clearly better has fewer hops, or any where the neighbour no longer says that it leads there:
 * what was measured moves to and fro. */
static bool better(void *ctx, const struct kith_destination *to, uint32_t by, kith_time now,
                   uint32_t *ret)
{
    const struct kith_node *n = ctx;
    unsigned hops = hops_by(n, to, by, now);
    struct kith_mesh_way ways[KITH_MESH_WAYS];

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        if (open_ways(n, i, to, now, ways) == 0 || ways[0].neighbour == by ||
            (hops != 0 && ways[0].hops >= hops))
            continue;
        *ret = ways[0].neighbour;
        return true;
    }
    return false;
}

static bool is_here(void *ctx, const struct kith_destination *to)
{
    const struct kith_node *n = ctx;

    return kith_destination_equal(to, &n->mesh->here);
}

static void failed(void *ctx, const struct kith_destination *to, uint32_t neighbour, bool silent,
                   kith_time now)
{
    struct kith_node *n = ctx;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct kith_mesh_paths *paths = n->mesh->net[i].paths;
        if (paths != NULL && silent)
            kith_mesh_paths_measured(paths, to, neighbour, 0, now);
        if (paths != NULL)
            kith_mesh_paths_failed(paths, to, neighbour, now);
    }
}

static size_t room(void *ctx, uint32_t neighbour)
{
    const struct kith_session *s = session_of(ctx, neighbour);

    return s == NULL ? 0 : kith_session_room(s);
}

/* ---- the mesh as a transport ---- */

/* Takes all: what cannot go is lost, as on any path. It leaves with the next mesh_flush. */
static size_t send_runs(void *ctx, const struct kith_tx *runs, size_t count)
{
    struct kith_node *n = ctx;

    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
            size_t left = runs[i].len - at;
            const struct kith_span one = {runs[i].data + at,
                                          left < runs[i].segment ? left : runs[i].segment};
            kith_relay_send(n->mesh->relay, &runs[i].path.remote.ip, one, runs[i].ecn,
                            n->mesh->now.mono);
        }
    return count;
}

static const struct kith_transport_ops transport_ops = {.send = send_runs};

void kith_node_set_forward_rate(struct kith_node *n, uint64_t bytes_per_second)
{
    kith_relay_limit(n->mesh->relay, bytes_per_second);
}

int mesh_new(struct kith_node *n, const struct kith_node_config *cfg, struct kith_now now)
{
    const struct kith_relay_ops ops = {
        .way = way, .is_here = is_here, .failed = failed, .better = better, .room = room, .ctx = n};
    const struct kith_transport transport = {
        .ops = &transport_ops, .ctx = n, .info = {.kind = "mesh", .mtu = KITH_TX_DATAGRAM_MAX}};
    struct node_mesh *m = kith_new_zero(n->env->alloc, sizeof *m);

    if (m == NULL)
        return KITH_E_NOMEM;
    n->mesh = m;
    m->now = now;
    kith_list_init(&m->neighbours);
    m->forward = !cfg->forward_nothing;
    m->seqno.own = (uint32_t)now.wall; /* newer than what was said before the last start */
    m->tick_at = kith_after(now.mono, CLEAR_INTERVAL);
    m->improve_at = m->held_at = KITH_NEVER;
    m->save_at = kith_after(now.mono, MESH_SAVE_INTERVAL);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        m->net[i].tell_at = m->net[i].hunger_at = m->net[i].seqno_at = KITH_NEVER;
    kith_map_init(&m->by_destination, n->env->alloc, n->env->random,
                  sizeof(struct kith_destination), n->peers_max);
    m->paths_max = cfg->paths_max != 0 ? cfg->paths_max : MESH_PATHS_MAX;
    int err = mesh_destination_of(&n->identity->id, &m->here);
    if (err >= 0)
        err = kith_search_new(n->env, &m->search);
    if (err >= 0)
        err = kith_relay_new(n->env, &ops, &m->relay);
    if (err >= 0)
        kith_relay_limit(m->relay, cfg->forward_rate);
    if (err >= 0)
        err = kith_tx_add_transport(n->batch, &transport, &m->transport);
    m->registered = err >= 0;
    return err;
}

void mesh_free(struct kith_node *n)
{
    struct node_mesh *m = n->mesh;

    if (m == NULL)
        return;
    if (m->registered)
        kith_tx_drop_transport(n->batch, m->transport);
    kith_relay_free(m->relay);
    kith_search_free(m->search);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        kith_mesh_paths_free(m->net[i].paths);
    kith_map_fini(&m->by_destination);
    kith_free(n->env->alloc, m);
    n->mesh = NULL;
}

/* ---- neighbours ---- */

struct node_peer *mesh_next_neighbour(const struct kith_node *n, const struct node_peer *before)
{
    const struct kith_link *all = &n->mesh->neighbours;
    const struct kith_link *at = before != NULL ? before->mesh.link.next : all->next;

    return at == all ? NULL : KITH_OF(at, struct node_peer, mesh.link);
}

static void become_neighbour(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    bool high = memcmp(n->identity->id.b, p->id.b, sizeof p->id.b) > 0;

    if (kith_relay_join(n->mesh->relay, p->handle, high) < 0)
        return; /* without memory for it others lead on */
    p->mesh.neighbour = true;
    kith_list_append(&n->mesh->neighbours, &p->mesh.link);
    p->mesh.since = now.mono;
    p->mesh.told_all_at = 0;
    routes_greet(n, p, now);
    company_met(n, p, now);
}

static void part(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    p->mesh.neighbour = false;
    kith_list_remove(&p->mesh.link);
    p->mesh.due = p->mesh.want = p->mesh.anew = p->mesh.partial = 0;
    p->mesh.rate = p->mesh.rate_told = 0;
    routes_part(n, p, now);
    kith_relay_part(n->mesh->relay, p->handle, now.mono);
    company_parted(n, p, now);
}

void mesh_session(struct kith_node *n, struct node_peer *p, bool anew, struct kith_now now)
{
    const struct kith_session *s = kith_sessions_find(n->sessions, &p->id);
    bool leads = s != NULL && kith_session_is_up(s) && !kith_session_is_relayed(s) &&
                 !kith_session_is_missed(s);

    if (p->mesh.neighbour && (!leads || anew))
        part(n, p, now);
    if (leads && !p->mesh.neighbour)
        become_neighbour(n, p, now);
}

bool mesh_reaches(struct kith_node *n, const struct node_peer *p, struct kith_now now,
                  struct kith_addr *ret)
{
    size_t slot;
    uint32_t by;

    if (!find_way(n, &p->mesh.destination, KITH_MESH_SELF, &p->handle, 1, now.mono, &slot, &by))
        return false;
    *ret = (struct kith_addr){.ip = kith_mesh_address(&p->mesh.destination)};
    return true;
}

unsigned mesh_hops(const struct kith_node *n, const struct kith_session_info *info)
{
    const struct node_peer *p = peer_find(n, &info->peer);
    uint32_t by;

    if (p == NULL || !kith_relay_route(n->mesh->relay, &info->path.remote.ip, &by))
        return 0;
    return hops_by(n, &p->mesh.destination, by, n->mesh->now.mono);
}

void mesh_route(const struct kith_node *n, const struct kith_session_info *info, kith_wall now,
                char *buf, size_t cap)
{
    char name[KITH_LABEL_MAX + 1];
    unsigned hops = mesh_hops(n, info);
    uint32_t by;

    if (!kith_relay_route(n->mesh->relay, &info->path.remote.ip, &by)) {
        kith_format(buf, cap, "mesh");
        return;
    }
    ask_name(n, &n->by_handle[by]->id, now, name, sizeof name);
    if (hops == 2)
        kith_format(buf, cap, "relay via %s", name);
    else if (hops > 2)
        kith_format(buf, cap, "mesh %u hops", hops);
    else /* it came by a way that nobody has told us of yet */
        kith_format(buf, cap, "mesh via %s", name);
}

/* ---- datagrams ---- */

bool mesh_flow(void *ctx, struct kith_session *s, struct kith_span datagram, uint8_t ecn,
               kith_time now)
{
    struct kith_node *n = ctx;
    const struct node_peer *p = peer_of(n, s);

    if (p == NULL)
        return false;
    if (!p->mesh.neighbour)
        return true; /* it crossed a change of the session on its way: nobody's fault */
    const struct kith_relay_counters *c = kith_relay_counters(n->mesh->relay);
    uint64_t before = c->unknown + c->refused;
    bool good = kith_relay_heard(n->mesh->relay, p->handle, datagram, ecn, now);
    /* a few labels that mean nothing, and flows that lead nowhere, are no offence; many are */
    return good && c->unknown + c->refused == before;
}

/* Sends what lies ready, to each session as much as stands together. */
static void send_out(struct kith_node *n, struct kith_now now)
{
    struct kith_span run[RUN_MAX];
    struct kith_relay_out out;
    bool more = kith_relay_next_out(n->mesh->relay, &out);

    while (more) {
        struct kith_session *s = session_of(n, out.neighbour);
        uint32_t to = out.neighbour, from = out.from;
        uint8_t ecn = out.ecn;
        size_t count = 0;
        do
            run[count++] = out.datagram;
        while ((more = kith_relay_next_out(n->mesh->relay, &out)) && out.neighbour == to &&
               out.from == from && out.ecn == ecn && count < RUN_MAX);
        uint32_t whose = from == KITH_MESH_SELF ? KITH_LANES_SELF : from;
        if (s != NULL)
            (void)kith_session_send_flow(s, n->batch, whose, run, count, ecn, now.mono);
    }
}

static void take_in(struct kith_node *n, struct kith_now now)
{
    struct kith_relay_in in;

    while (kith_relay_next_in(n->mesh->relay, &in)) {
        const struct kith_rx run = {
            .path = {.transport = n->mesh->transport, .remote = {.ip = in.from}},
            .data = in.packet,
            .len = in.n,
            .segment = in.n,
            .ecn = in.ecn};
        kith_sessions_receive(n->sessions, &run, now.mono);
    }
}

/* A reading of the sockets may bring more than the shelves hold. */
void mesh_relieve(struct kith_node *n, struct kith_now now)
{
    if (!kith_relay_is_heavy(n->mesh->relay))
        return;
    n->mesh->now = now;
    take_in(n, now);
    send_out(n, now);
    kith_relay_taken(n->mesh->relay);
}

/* What comes in makes answers, which leave by the mesh, too: a few rounds, then the next turn. */
void mesh_flush(struct kith_node *n, struct kith_now now)
{
    enum { ROUNDS = 4 };

    n->mesh->now = now;
    for (int i = 0; i < ROUNDS; i++) {
        if (!kith_tx_flush(n->batch)) /* our own datagrams for the mesh come out of it */
            return;
        if (!kith_relay_is_laden(n->mesh->relay))
            return;
        take_in(n, now);
        kith_sessions_flush(n->sessions, n->batch, now.mono);
        send_out(n, now);
        kith_relay_taken(n->mesh->relay);
        if (n->mesh->improve_at == KITH_NEVER)
            n->mesh->improve_at = kith_after(now.mono, IMPROVE_INTERVAL);
    }
}

/* What sessions measure is what their ways are like: their own, or the neighbour's they go by. */
static void measure(struct kith_node *n, struct kith_now now)
{
    struct kith_session_info info;

    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        const struct kith_session *s = kith_sessions_find(n->sessions, &p->id);
        uint32_t by = p->handle;
        if (s == NULL || !kith_session_is_up(s) || kith_session_is_silent(s))
            continue;
        kith_session_info(s, &info);
        if (info.relayed && !kith_relay_route(n->mesh->relay, &info.path.remote.ip, &by))
            continue;
        if (p->mesh.neighbour && !info.relayed)
            rates_measured(n, p, info.rate, now);
        for (size_t k = 0; k < KITH_NODE_NETWORKS_MAX; k++)
            if (n->mesh->net[k].paths != NULL && info.rtt > 0)
                kith_mesh_paths_measured(n->mesh->net[k].paths, &p->mesh.destination, by, info.rtt,
                                         now.mono);
    }
}

static void tell_over_rate(struct kith_node *n)
{
    uint64_t over = kith_relay_counters(n->mesh->relay)->over_rate;

    if (over > n->mesh->over_rate_told)
        kith_event_forward_rate_met(n->env->events, over - n->mesh->over_rate_told);
    n->mesh->over_rate_told = over;
}

void mesh_tick(struct kith_node *n, struct kith_now now)
{
    struct node_mesh *m = n->mesh;

    m->now = now;
    kith_relay_tick(m->relay, now.mono);
    search_tick(n, now);
    if (now.mono >= m->improve_at) {
        m->improve_at =
            kith_relay_flows(m->relay) > 0 ? kith_after(now.mono, IMPROVE_INTERVAL) : KITH_NEVER;
        kith_relay_improve(m->relay, now.mono);
    }
    if (now.mono < m->tick_at)
        return;
    m->tick_at = kith_after(now.mono, CLEAR_INTERVAL);
    tell_over_rate(n);
    telling_tick(n, now);
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (m->net[i].paths != NULL && kith_mesh_paths_tick(m->net[i].paths, now) > 0)
            routes_tell_soon(&m->net[i], now);
    measure(n, now);
    if (now.mono >= m->save_at)
        recall_save(n, now);
}

kith_time mesh_deadline(const struct kith_node *n)
{
    const struct node_mesh *m = n->mesh;

    kith_time at = kith_sooner(m->tick_at, m->improve_at);

    return kith_sooner(kith_sooner(kith_relay_deadline(m->relay), search_deadline(n)), at);
}
