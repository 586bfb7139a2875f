#include "sim/conn_peer.h"

#include <stdlib.h>

#include "crypto/hash.h"
#include "wire/datagram.h"

static void on_event(void *ctx, const struct kith_event *ev)
{
    struct conn_peer *p = ctx;

    p->seen[ev->kind]++;
    sim_host_trace(p->host, NULL, ev);
}

static void on_deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct conn_peer *p = ctx;

    kith_quic_receive(p->quic, run, now);
}

/* What a session does with a report. */
static void take_report(struct conn_peer *p, struct kith_conn *c, struct kith_span payload,
                        kith_time now)
{
    struct kith_plane_report report;

    if (kith_plane_report_decode(payload, &report) < 0)
        abort();
    const struct kith_gauge_report r = {report.highest, report.received, report.delay * KITH_USEC};
    if (kith_conn_reported(c, &r, now) < 0)
        p->reports_refused++;
    else
        p->reports_taken++;
}

static void send_report(struct conn_peer *p)
{
    struct kith_gauge_report r;
    uint8_t buf[32];
    size_t n;
    kith_time now = sim_net_now(p->net);
    struct kith_conn *c = p->owes;

    p->owes = NULL;
    if (c == NULL || !kith_conn_report(c, &r, now))
        return;
    struct kith_plane_report report = {r.highest, r.received, (uint32_t)(r.delay / KITH_USEC)};
    if (kith_plane_report_encode(&report, buf, sizeof buf, &n) < 0)
        abort();
    if (kith_conn_report_send(c, &p->batch, (struct kith_span){buf, n}, now) == KITH_OK)
        p->reports_sent++;
    else
        p->owes = c;
}

static void on_datagram(void *ctx, struct kith_conn *c, struct kith_span payload, uint8_t ecn,
                        kith_time now)
{
    struct conn_peer *p = ctx;

    if (p->reports && payload.n > 0 && payload.p[0] == KITH_WIRE_plane_report) {
        take_report(p, c, payload, now);
        return;
    }
    p->last_ecn = ecn;
    p->datagrams++;
    p->datagram_bytes += payload.n;
    p->last_datagram_len = payload.n;
    memcpy(p->last_datagram, payload.p, payload.n);
}

static void start(struct conn_peer *p, const struct kith_quic_config *cfg)
{
    struct kith_quic_config c = cfg != NULL ? *cfg : (struct kith_quic_config){0};
    struct kith_datagram_sink sink = {.datagram = on_datagram, .ctx = p};

    c.key = p->key;
    memset(c.reset_key, p->id.b[0], sizeof c.reset_key);
    memset(c.token_key, p->id.b[1], sizeof c.token_key);
    if (kith_quic_new(&c, &p->env, &sink, &p->quic) < 0)
        abort();
}

void conn_peer_init(struct conn_peer *p, struct sim_net *net, const char *addr, uint8_t seed,
                    const struct kith_quic_config *cfg)
{
    conn_peer_init_with(p, net, addr, seed, cfg, &kith_heap);
}

void conn_peer_init_with(struct conn_peer *p, struct sim_net *net, const char *addr, uint8_t seed,
                         const struct kith_quic_config *cfg, const struct kith_alloc *alloc)
{
    struct kith_sign_seed s = {{seed}};
    struct kith_public_key pub;
    struct kith_hash h;

    memset(p, 0, sizeof *p);
    p->net = net;
    p->events = (struct kith_events){.sink = on_event, .ctx = p};
    p->env = (struct kith_env){.alloc = alloc, .random = sim_net_random(net), .events = &p->events};
    if (kith_sign_key_from_seed(&kith_heap, &s, &p->key) < 0)
        abort();
    kith_sign_key_public(p->key, &pub);
    if (kith_sha256((struct kith_span){pub.spki, sizeof pub.spki}, &h) < 0)
        abort();
    memcpy(p->id.b, h.b, sizeof p->id.b);
    p->host = sim_host_add(net, addr, on_deliver, p);
    sim_host_batch(p->host, &p->transport, &p->batch);
    start(p, cfg);
}

void conn_peer_fini(struct conn_peer *p)
{
    kith_quic_free(p->quic);
    kith_tx_fini(&p->batch);
    kith_sign_key_free(p->key);
}

void conn_peer_restart(struct conn_peer *p, const struct kith_quic_config *cfg)
{
    kith_quic_free(p->quic);
    p->n_established = 0;
    start(p, cfg);
}

struct kith_conn *conn_peer_dial(struct conn_peer *p, struct conn_peer *to)
{
    struct kith_path path = {.local = *sim_host_addr(p->host), .remote = *sim_host_addr(to->host)};
    struct kith_conn *c;

    if (kith_quic_dial(p->quic, &path, &to->id, p, sim_net_now(p->net), &c) < 0)
        abort();
    return c;
}

static void read_stream(struct conn_peer *p, struct kith_conn *c, int64_t id)
{
    bool fin;
    struct kith_span in = kith_conn_stream_peek(c, id, &fin);
    size_t room = kith_conn_stream_room(c, id);

    if (p->echo && in.n > room) {
        in.n = room;
        fin = false;
    }
    if (p->echo && kith_conn_stream_send(c, id, in, fin) < 0)
        abort();
    if (p->echo && in.n == room &&
        kith_conn_stream_send(c, id, (struct kith_span){in.p, 1}, false) != KITH_E_AGAIN && !fin)
        abort(); /* asks to be told of room */
    for (size_t i = 0; i < in.n; i++)
        p->stream_hash = (p->stream_hash ^ in.p[i]) * 0x100000001b3u;
    p->stream_bytes += in.n;
    p->fins += fin;
    kith_conn_stream_consume(c, id, in.n);
}

static void on_stream(struct conn_peer *p, const struct kith_conn_event *ev)
{
    p->resets += (ev->flags & KITH_STREAM_RESET) != 0;
    p->done += (ev->flags & KITH_STREAM_DONE) != 0;
    if ((ev->flags & (KITH_STREAM_READABLE | KITH_STREAM_ROOM)) != 0 && !p->unread)
        read_stream(p, ev->conn, ev->stream);
}

static void take_events(struct conn_peer *p)
{
    struct kith_conn_event ev;

    while (kith_quic_next_event(p->quic, &ev)) {
        switch (ev.kind) {
        case KITH_CONN_ESTABLISHED:
            if (p->n_established < PEER_CONNS)
                p->established[p->n_established++] = ev.conn;
            break;
        case KITH_CONN_MOVED: p->n_moved++; break;
        case KITH_CONN_STREAM: (p->on_stream != NULL ? p->on_stream : on_stream)(p, &ev); break;
        case KITH_CONN_PROBE: break;
        case KITH_CONN_WAITS: p->waits++; break;
        case KITH_CONN_REPORT: p->owes = ev.conn; break;
        case KITH_CONN_WRITABLE: p->writable++; break;
        case KITH_CONN_CLOSED:
            p->n_closed++;
            p->last_end = *kith_conn_end(ev.conn);
            p->owes = p->owes == ev.conn ? NULL : p->owes;
            kith_conn_free(ev.conn, sim_net_now(p->net));
            break;
        }
    }
}

void conn_peer_pump(struct conn_peer *p)
{
    kith_time now = sim_net_now(p->net);

    if (kith_quic_deadline(p->quic) <= now)
        kith_quic_tick(p->quic, now);
    take_events(p);
    send_report(p);
    kith_quic_flush(p->quic, &p->batch, now);
    take_events(p);
    kith_tx_flush(&p->batch);
}

bool conn_peers_run(struct conn_peer **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                    kith_dur limit)
{
    kith_time end = kith_after(sim_net_now(peers[0]->net), limit);

    for (;;) {
        kith_time next = end;
        for (size_t i = 0; i < n; i++)
            conn_peer_pump(peers[i]);
        if (pred != NULL && pred(ctx))
            return true;
        for (size_t i = 0; i < n; i++)
            next = kith_sooner(next, kith_quic_deadline(peers[i]->quic));
        if (sim_net_now(peers[0]->net) >= end)
            return false;
        if (next < sim_net_now(peers[0]->net))
            next = sim_net_now(peers[0]->net);
        sim_net_run(peers[0]->net, next);
    }
}
