/* node.c: life of a node, the turn of the loop, and its effects. */
#include "node/internal.h"

#include <stdarg.h>
#include <stdio.h>

int node_say(struct kith_node_why *why, int err, const char *remedy, const char *fmt, ...)
{
    va_list args;

    if (why == NULL)
        return err;
    va_start(args, fmt);
    if (vsnprintf(why->text, sizeof why->text, fmt, args) < 0)
        why->text[0] = '\0';
    va_end(args);
    kith_format(why->remedy, sizeof why->remedy, "%s", remedy);
    return err;
}

void node_done(struct kith_node *n, uint64_t call, int err, const struct kith_network_id *network,
               const char *remedy, const char *text)
{
    if (n->n_done == DONE_MAX)
        return; /* as many requests as can be under way fit: somebody asked twice */
    struct node_done *d = &n->done[n->n_done++];
    *d = (struct node_done){.call = call, .err = err};
    if (network != NULL)
        d->network = *network;
    kith_format(d->why.text, sizeof d->why.text, "%s", text);
    kith_format(d->why.remedy, sizeof d->why.remedy, "%s", remedy);
}

/* A secret of 32 bytes that outlives restarts: kept under `name`, made when missing. */
static int kept_secret(struct kith_node *n, const char *name, uint8_t secret[32])
{
    struct kith_span kept;
    int err = kith_store_setting_get(n->store, name, &kept);

    if (err == KITH_OK && kept.n == 32) {
        memcpy(secret, kept.p, 32);
        return KITH_OK;
    }
    if (err < 0 && err != KITH_E_NOTFOUND)
        return err;
    kith_random_fill(n->env->random, secret, 32);
    return kith_store_setting_put(n->store, name, (struct kith_span){secret, 32});
}

/* Members find room however many strangers are here. */
static bool expects(void *ctx, const struct kith_peer_id *peer)
{
    const struct node_peer *p = peer_find(ctx, peer);

    return p != NULL && p->member_of != 0;
}

static bool blocks(void *ctx, const struct kith_peer_id *peer)
{
    return blocks_has(ctx, peer);
}

static int start_sessions(struct kith_node *n, const struct kith_node_config *cfg)
{
    struct kith_sessions_config sc = {
        .quic = cfg->quic,
        .self = cfg->identity->id,
        .boot_id = kith_random_u64(n->env->random) | 1, /* 0 means "none yet" */
        .software = cfg->software,
        .keepalive = cfg->keepalive,
        .capabilities = cfg->capabilities,
        .expects = expects,
        .blocks = blocks,
        .ctx = n,
        .mesh = n->mesh->transport,
    };
    struct kith_packet_sink sink = {
        .packet = overlay_packet, .mark = overlay_mark, .flow = mesh_flow, .ctx = n};
    int err = kept_secret(n, "reset_key", sc.quic.reset_key);

    if (err >= 0)
        err = kept_secret(n, "retry_key", sc.quic.token_key);
    sc.quic.key = cfg->identity->key;
    if (err >= 0)
        err = kith_sessions_new(&sc, n->env, &sink, &n->sessions);
    kith_wipe(&sc, sizeof sc);
    return err;
}

/* A host's name is not always fit for a label; the id always gives one. */
static void set_name(struct kith_node *n, const char *name)
{
    char id[KITH_ID_SHORT];

    kith_label_from(name, n->name, sizeof n->name);
    if (n->name[0] == '\0')
        kith_format(n->name, sizeof n->name, "node-%s",
                    kith_peer_id_short(&n->identity->id, id, sizeof id));
}

int kith_node_new(const struct kith_node_config *cfg, const struct kith_env *env,
                  struct kith_store *store, struct kith_now now, struct kith_node **ret,
                  struct kith_node_why *why)
{
    struct kith_node *n = kith_new_zero(env->alloc, sizeof *n);

    if (n == NULL)
        return node_say(why, KITH_E_NOMEM, "", "out of memory");
    kith_alloc_watch_init(&n->memory, env->alloc);
    n->own_env = *env;
    n->own_env.alloc = &n->memory.alloc;
    n->env = &n->own_env;
    n->store = store;
    n->identity = cfg->identity;
    n->renew_before = cfg->renew_before != 0 ? cfg->renew_before : (kith_wall)10 * 86400;
    n->tun = cfg->tun;
    n->batch = cfg->batch;
    n->n_listen = cfg->n_listen < KITH_VPN_LISTENING ? cfg->n_listen : KITH_VPN_LISTENING;
    memcpy(n->listen, cfg->listen, n->n_listen * sizeof *n->listen);
    n->stop_at = n->gossip_at = KITH_NEVER;
    n->clock_gap = (int64_t)now.wall - (int64_t)(now.mono / KITH_SEC);
    n->peers_at = now.mono;
    set_name(n, cfg->name);
    n->peers_max = cfg->peers_max != 0 ? cfg->peers_max : PEERS_MAX;
    n->eager_max = cfg->eager_max != 0 ? cfg->eager_max : EAGER_MAX;
    n->company_size = cfg->company_size != 0 ? cfg->company_size : COMPANY_SIZE;
    kith_map_init(&n->peers, n->env->alloc, env->random, sizeof(struct kith_peer_id), n->peers_max);
    blocks_init(n);
    n->scratch = kith_new_array(n->env->alloc, KITH_FRAME_MAX, 1);
    int err = n->scratch == NULL ? KITH_E_NOMEM : kith_enrol_limits_new(n->env, 0, &n->limits);
    if (err >= 0)
        err = blocks_load(n);
    if (err >= 0)
        err = mesh_new(n, cfg, now);
    if (err >= 0)
        err = start_sessions(n, cfg);
    if (err >= 0)
        err = overlay_new(n, &cfg->vpn);
    if (err < 0)
        (void)node_say(why, err, "", "cannot start: %s", kith_err_text(err));
    else
        err = networks_load(n, now, why);
    if (err < 0) {
        kith_node_free(n);
        return err;
    }
    *ret = n;
    return KITH_OK;
}

void kith_node_free(struct kith_node *n)
{
    if (n == NULL)
        return;
    kith_sessions_free(n->sessions);
    kith_vpn_free(n->vpn);
    mesh_free(n);
    networks_free(n);
    peers_free(n);
    blocks_free(n);
    kith_enrol_limits_free(n->limits);
    kith_wipe(n->join, sizeof n->join);
    if (n->scratch != NULL)
        kith_wipe(n->scratch, KITH_FRAME_MAX);
    kith_free(n->env->alloc, n->scratch);
    kith_free(n->memory.below, n);
}

/* ---- the turn of the loop ---- */

void kith_node_receive(struct kith_node *n, const struct kith_rx *run, struct kith_now now)
{
    kith_sessions_receive(n->sessions, run, now.mono);
    mesh_relieve(n, now);
}

void kith_node_from_tun(struct kith_node *n, uint8_t *data, size_t len, struct kith_now now)
{
    kith_vpn_from_tun(n->vpn, data, len, now.mono);
}

/* What was refused for its date may be right now: it is heard again. */
static void hear_anew(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);

    p->unwelcome_until = 0;
    if (p->digest_at != KITH_NEVER)
        p->digest_at = n->gossip_at = now.mono;
    if (p->proved == 0 && s != NULL && kith_session_is_up(s))
        kith_session_begin_anew(s, "the clock was set", now.mono);
}

/* Certificates begin and end by the calendar. When somebody sets it, everything is judged anew. */
static void notice_clock(struct kith_node *n, struct kith_now now)
{
    int64_t gap = (int64_t)now.wall - (int64_t)(now.mono / KITH_SEC);
    int64_t jump = gap - n->clock_gap;

    n->clock_gap = gap;
    if (jump >= -CLOCK_JUMP && jump <= CLOCK_JUMP)
        return;
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        n->network[i].wake_at = n->network[i].renew_at = now.mono;
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX && jump < 0; i++)
        n->network[i].endpoints_at = n->network[i].announce_at =
            now.mono; /* perhaps signed while it was ahead */
    for (size_t i = 0; i < n->n_handles; i++)
        hear_anew(n, n->by_handle[i], now);
    n->peers_at = now.mono;
}

void kith_node_tick(struct kith_node *n, struct kith_now now)
{
    notice_clock(n, now);
    kith_sessions_tick(n->sessions, now.mono);
    kith_vpn_tick(n->vpn, now.mono);
    objects_tick(n, now);
    gossip_tick(n, now);
    issue_tick(n, now);
    join_tick(n, now);
    endpoints_tick(n, now);
    services_tick(n, now);
    ping_tick(n, now);
    routes_tick(n, now);
    mesh_tick(n, now);
    company_tick(n, now);
    peers_tick(n, now);
}

void kith_node_set_renew_before(struct kith_node *n, kith_wall seconds)
{
    n->renew_before = seconds;
}

kith_time kith_node_deadline(const struct kith_node *n)
{
    kith_time at = kith_sessions_deadline(n->sessions);

    at = kith_sooner(at, kith_vpn_deadline(n->vpn));
    at = kith_sooner(at, objects_deadline(n));
    at = kith_sooner(at, gossip_deadline(n));
    at = kith_sooner(at, issue_deadline(n));
    at = kith_sooner(at, join_deadline(n));
    at = kith_sooner(at, endpoints_deadline(n));
    at = kith_sooner(at, services_deadline(n));
    at = kith_sooner(at, ping_deadline(n));
    at = kith_sooner(at, routes_deadline(n));
    at = kith_sooner(at, mesh_deadline(n));
    at = kith_sooner(at, company_deadline(n));
    at = kith_sooner(at, n->peers_at);
    return kith_sooner(at, n->stop_at);
}

/* Whoever went without memory made do; the person who runs the machine should know. */
static void tell_of_memory(struct kith_node *n, struct kith_now now)
{
    if (n->memory.refused == n->refused_told || now.mono < n->refusal_at)
        return;
    n->refused_told = n->memory.refused;
    n->refusal_at = kith_after(now.mono, REFUSAL_INTERVAL);
    kith_event_out_of_memory(n->env->events, "the node", n->memory.bytes);
}

void kith_node_flush(struct kith_node *n, struct kith_now now)
{
    tell_of_memory(n, now);
    kith_vpn_flush(n->vpn);
    kith_sessions_flush(n->sessions, n->batch, now.mono);
    mesh_flush(n, now);
    (void)kith_tx_flush(n->batch); /* what is left waits until the transport is writable */
}

void kith_node_stop(struct kith_node *n, struct kith_now now)
{
    if (n->stopping)
        return;
    n->stopping = true;
    n->stop_at = kith_after(now.mono, STOP_PATIENCE);
    kith_event_node_stopping(n->env->events);
    recall_save(n, now);
    kith_sessions_shutdown(n->sessions, now.mono);
}

/* ---- effects ---- */

static void take_session_effects(struct kith_node *n, struct kith_now now)
{
    struct kith_session_effect fx;

    while (kith_sessions_next_effect(n->sessions, now.mono, &fx))
        gossip_effect(n, &fx, now);
}

static bool next_done(struct kith_node *n, struct kith_node_effect *ret)
{
    if (n->n_done == 0)
        return false;
    struct node_done *d = &n->done[0];
    *ret = (struct kith_node_effect){.kind = KITH_NODE_DONE,
                                     .call = d->call,
                                     .err = d->err,
                                     .why = d->why,
                                     .network = d->network};
    n->n_done--;
    memmove(n->done, n->done + 1, n->n_done * sizeof *n->done);
    return true;
}

static bool next_pong(struct kith_node *n, struct kith_node_effect *ret)
{
    if (n->n_pong == 0)
        return false;
    struct node_pong *p = &n->pong[0];
    *ret = (struct kith_node_effect){
        .kind = KITH_NODE_PONG, .call = p->call, .seq = p->seq, .lost = p->lost, .rtt = p->rtt};
    ret->hops = p->hops;
    kith_format(ret->route, sizeof ret->route, "%s", p->route);
    n->n_pong--;
    memmove(n->pong, n->pong + 1, n->n_pong * sizeof *n->pong);
    return true;
}

bool kith_node_next_effect(struct kith_node *n, struct kith_now now, struct kith_node_effect *ret)
{
    take_session_effects(n, now);
    overlay_effects(n, now);
    if (n->overlay_changed) {
        n->overlay_changed = false;
        *ret = (struct kith_node_effect){.kind = KITH_NODE_OVERLAY};
        return true;
    }
    if (next_pong(n, ret) || next_done(n, ret))
        return true;
    if (now.mono >= n->stop_at && !n->stopped_told) {
        n->stopped_told = true;
        n->stop_at = KITH_NEVER;
        kith_event_node_stopped(n->env->events);
        *ret = (struct kith_node_effect){.kind = KITH_NODE_STOPPED};
        return true;
    }
    return false;
}

void kith_node_cancel(struct kith_node *n, uint64_t call)
{
    join_cancel(n, call);
    ping_cancel(n, call);
}

const struct kith_peer_id *kith_node_id(const struct kith_node *n)
{
    return &n->identity->id;
}

struct kith_vpn_counters kith_node_vpn_counters(const struct kith_node *n)
{
    return kith_vpn_counters(n->vpn);
}

const struct kith_session_counters *kith_node_session_counters(const struct kith_node *n)
{
    return kith_sessions_counters(n->sessions);
}

const struct kith_quic_counters *kith_node_quic_counters(const struct kith_node *n)
{
    return kith_sessions_quic_counters(n->sessions);
}

const struct kith_relay_counters *kith_node_relay_counters(const struct kith_node *n)
{
    return kith_relay_counters(n->mesh->relay);
}

void kith_node_set_prices(struct kith_node *n, const struct kith_quic_prices *prices)
{
    kith_sessions_set_prices(n->sessions, prices);
}

size_t kith_node_session_count(const struct kith_node *n)
{
    return kith_sessions_count(n->sessions);
}
