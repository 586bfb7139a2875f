#include "sim/session_peer.h"

#include <stdlib.h>

#include "crypto/hash.h"

static void on_event(void *ctx, const struct kith_event *ev)
{
    struct session_peer *p = ctx;

    p->seen[ev->kind]++;
    sim_host_trace(p->host, NULL, ev);
}

static void on_deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct session_peer *p = ctx;

    kith_sessions_receive(p->sessions, run, now);
}

static void on_packet(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                      struct kith_marks marks, kith_time now)
{
    struct session_peer *p = ctx;

    (void)slot, (void)s;
    p->packets++;
    p->last_marks = marks;
    if (packet.n > 1200) {
        p->large_packets++;
        p->large_at = now;
    }
    p->packet_bytes += packet.n;
    p->last_packet_len = packet.n;
    memcpy(p->last_packet, packet.p,
           packet.n < sizeof p->last_packet ? packet.n : sizeof p->last_packet);
}

static bool expects(void *ctx, const struct kith_peer_id *peer)
{
    const struct session_peer *p = ctx;

    (void)peer;
    return p->expects;
}

static bool blocks(void *ctx, const struct kith_peer_id *peer)
{
    const struct session_peer *p = ctx;

    (void)peer;
    return p->blocks;
}

static void start(struct session_peer *p)
{
    struct kith_sessions_config cfg = {.self = p->id,
                                       .software = "kith test",
                                       .capabilities = p->capabilities,
                                       .quic = p->quic,
                                       .blocks = blocks,
                                       .expects = expects,
                                       .ctx = p};
    struct kith_packet_sink sink = {.packet = on_packet, .ctx = p};

    cfg.quic.key = p->key;
    memset(cfg.quic.reset_key, p->id.b[0], sizeof cfg.quic.reset_key);
    memset(cfg.quic.token_key, p->id.b[1], sizeof cfg.quic.token_key);
    cfg.boot_id = ++p->boots * 1000 + p->id.b[0];
    if (kith_sessions_new(&cfg, &p->env, &sink, &p->sessions) < 0)
        abort();
}

void session_peer_init(struct session_peer *p, struct sim_net *net, const char *addr, uint8_t seed)
{
    session_peer_init_with(p, net, addr, seed, &(struct kith_quic_config){0});
}

void session_peer_init_with(struct session_peer *p, struct sim_net *net, const char *addr,
                            uint8_t seed, const struct kith_quic_config *quic)
{
    struct kith_sign_seed s = {{seed}};
    struct kith_public_key pub;
    struct kith_hash h;

    memset(p, 0, sizeof *p);
    p->net = net;
    p->quic = *quic;
    p->trusting = true;
    p->events = (struct kith_events){.sink = on_event, .ctx = p};
    p->env =
        (struct kith_env){.alloc = &kith_heap, .random = sim_net_random(net), .events = &p->events};
    if (kith_sign_key_from_seed(&kith_heap, &s, &p->key) < 0)
        abort();
    kith_sign_key_public(p->key, &pub);
    if (kith_sha256((struct kith_span){pub.spki, sizeof pub.spki}, &h) < 0)
        abort();
    memcpy(p->id.b, h.b, sizeof p->id.b);
    p->host = sim_host_add(net, addr, on_deliver, p);
    sim_host_batch(p->host, &p->transport, &p->batch);
    start(p);
}

void session_peer_fini(struct session_peer *p)
{
    kith_sessions_free(p->sessions);
    kith_tx_fini(&p->batch);
    kith_sign_key_free(p->key);
}

void session_peer_restart(struct session_peer *p)
{
    kith_sessions_free(p->sessions);
    start(p);
}

struct kith_session *session_peer_to(struct session_peer *p, const struct session_peer *other)
{
    return kith_sessions_find(p->sessions, &other->id);
}

void session_peer_want(struct session_peer *p, const struct session_peer *other)
{
    struct kith_session *s;
    kith_time now = sim_net_now(p->net);

    if (kith_sessions_get(p->sessions, &other->id, now, &s) < 0)
        abort();
    kith_session_trust(s, true);
    kith_session_set_addrs(s, sim_host_addr(other->host), 1, now);
    kith_session_want(s, true, now);
}

static void note(struct session_peer *p, enum kith_session_effect_kind kind)
{
    static const char letters[] = {
        [KITH_SESSION_UP] = 'U',          [KITH_SESSION_RESTARTED] = 'R',
        [KITH_SESSION_MOVED] = 'M',       [KITH_SESSION_CONTROL] = 'C',
        [KITH_SESSION_STREAM] = 'S',      [KITH_SESSION_PONG] = 'P',
        [KITH_SESSION_DIAL_FAILED] = 'F', [KITH_SESSION_DOWN] = 'D',
        [KITH_SESSION_MISSED] = 'Q',
    };

    if (p->n_told < sizeof p->told - 1)
        p->told[p->n_told++] = letters[kind];
}

static void greet(struct session_peer *p, struct kith_session *s)
{
    static const uint8_t later[] = {0x80, 1}; /* of a later version: sessions pass it on */

    if (p->greets && kith_session_send_control(s, (struct kith_span){later, sizeof later},
                                               sim_net_now(p->net)) < 0)
        abort();
}

static void on_up(struct session_peer *p, struct kith_session *s)
{
    greet(p, s);
    if (!p->trusting)
        return;
    kith_session_trust(s, true);
    kith_session_allow_slot(s, 0, 0);
}

static void read_stream(struct session_peer *p, const struct kith_session_effect *fx)
{
    bool fin;
    struct kith_span in = kith_conn_stream_peek(fx->conn, fx->stream, &fin);

    for (size_t i = 0; i < in.n; i++)
        p->stream_hash = (p->stream_hash ^ in.p[i]) * 0x100000001b3u;
    p->stream_bytes += in.n;
    kith_conn_stream_consume(fx->conn, fx->stream, in.n);
}

static void take_effects(struct session_peer *p)
{
    struct kith_session_effect fx;

    while (kith_sessions_next_effect(p->sessions, sim_net_now(p->net), &fx)) {
        note(p, fx.kind);
        switch (fx.kind) {
        case KITH_SESSION_UP:
            p->ups++;
            on_up(p, fx.session);
            break;
        case KITH_SESSION_MOVED:
            p->moves++;
            greet(p, fx.session);
            break;
        case KITH_SESSION_MISSED: break;
        case KITH_SESSION_RESTARTED:
            p->restarts++;
            on_up(p, fx.session);
            break;
        case KITH_SESSION_CONTROL:
            p->controls++;
            p->last_control_len = fx.message.n;
            memcpy(p->last_control, fx.message.p,
                   fx.message.n < sizeof p->last_control ? fx.message.n : sizeof p->last_control);
            break;
        case KITH_SESSION_STREAM:
            p->stream_news++;
            if (p->reads)
                read_stream(p, &fx);
            break;
        case KITH_SESSION_PONG:
            p->pongs++;
            p->last_rtt = fx.rtt;
            break;
        case KITH_SESSION_DIAL_FAILED:
            p->dial_failures++;
            p->last_end = *fx.end;
            break;
        case KITH_SESSION_DOWN:
            p->downs++;
            p->last_end = *fx.end;
            break;
        }
    }
}

static void pump(struct session_peer *p)
{
    kith_time now = sim_net_now(p->net);

    if (kith_sessions_deadline(p->sessions) <= now)
        kith_sessions_tick(p->sessions, now);
    take_effects(p);
    kith_sessions_flush(p->sessions, &p->batch, now);
    take_effects(p);
    kith_tx_flush(&p->batch);
}

bool session_peers_run(struct session_peer **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                       kith_dur limit)
{
    struct sim_net *net = peers[0]->net;
    kith_time end = kith_after(sim_net_now(net), limit);

    for (;;) {
        kith_time next = end;
        for (size_t i = 0; i < n; i++)
            pump(peers[i]);
        if (pred != NULL && pred(ctx))
            return true;
        if (sim_net_now(net) >= end)
            return false;
        for (size_t i = 0; i < n; i++)
            next = kith_sooner(next, kith_sessions_deadline(peers[i]->sessions));
        sim_net_run(net, next > sim_net_now(net) ? next : sim_net_now(net));
    }
}
