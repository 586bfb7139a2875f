/* size.c: how large a connection's datagrams may be, after QUIC has found what the path takes:
 * joins conn/mtu.h to what QUIC and the second plane tell of packets that arrived.
 *
 * What is known for certain to have arrived: QUIC's DATAGRAM frames, which ngtcp2 acknowledges one
 * by one; a large packet of the plane that lies between two reports without a loss; a large packet
 * with new bytes of a stream, when they are acknowledged and nothing was lost meanwhile. Of the
 * latter two the first and the last are watched. Probes are the owner's: it knows what the other
 * side takes for a question. */
#include "conn/quic/internal.h"

/* What QUIC found. Its own probes are larger, and are not to be held up. */
static size_t found(const struct kith_conn *c)
{
    return ngtcp2_conn_get_path_max_tx_udp_payload_size(c->nc);
}

size_t size_of_datagrams(const struct kith_conn *c)
{
    return kith_mtu_size(&c->size.mtu, found(c));
}

size_t size_for_datagram(const struct kith_conn *c)
{
    return kith_mtu_size(&c->size.mtu, KITH_TX_DATAGRAM_MAX);
}

/* Nobody has acknowledged anything for a probe time-out: what is sent then is to get through. */
static bool is_hushed(const struct kith_conn *c, kith_time now)
{
    return c->size.flight > 0 && kith_since(now, c->size.progress_at) >= ngtcp2_conn_get_pto(c->nc);
}

size_t size_for_streams(struct kith_conn *c, kith_time now)
{
    if (c->state != CONN_ESTABLISHED)
        return KITH_TX_DATAGRAM_MAX;
    if (!is_hushed(c, now))
        return kith_mtu_safe_size(&c->size.mtu, KITH_TX_DATAGRAM_MAX);
    c->size.stream[0].there = c->size.stream[1].there =
        false; /* small packets may carry the same bytes */
    return KITH_MTU_BASE;
}

void size_moved(struct kith_conn *c)
{
    kith_mtu_moved(&c->size.mtu);
    for (size_t i = 0; i < SIZE_WATCHED; i++)
        c->size.stream[i].there = c->size.sealed[i].there = false;
    c->size.told = 0;
}

/* ---- what was sent ---- */

static uint64_t lost(const struct kith_conn *c)
{
    ngtcp2_conn_info info;

    ngtcp2_conn_get_conn_info(c->nc, &info);
    return info.pkt_lost;
}

/* Whether a packet of this size is to be watched: its arrival would end all doubt. */
static bool is_news(const struct kith_conn *c, size_t n)
{
    return n > KITH_MTU_BASE && n >= c->size.mtu.doubt_size;
}

void size_wrote(struct kith_conn *c, const struct stream *s, bool fresh, size_t n, kith_time now)
{
    if (c->state != CONN_ESTABLISHED || n > found(c)) /* a probe of QUIC's own */
        return;
    const struct kith_mtu_mark mark = kith_mtu_mark(&c->size.mtu, n);
    kith_mtu_sent(&c->size.mtu, n, now);
    if (fresh && is_news(c, n))
        c->size.stream[c->size.stream[0].there] = (struct size_of_stream){
            .there = true, .id = s->id, .offset = s->tx_sent, .lost = lost(c), .mark = mark};
}

void size_sealed(struct kith_conn *c, uint64_t number, size_t n, kith_time now)
{
    const struct kith_mtu_mark mark = kith_mtu_mark(&c->size.mtu, n);
    kith_mtu_sent(&c->size.mtu, n, now);
    if (is_news(c, n))
        c->size.sealed[c->size.sealed[0].there] =
            (struct size_of_sealed){.there = true, .number = number, .mark = mark};
}

void size_turned(struct kith_conn *c, kith_time now)
{
    ngtcp2_conn_info info;

    ngtcp2_conn_get_conn_info(c->nc, &info);
    if (c->size.flight == 0) {
        c->size.progress_at = now;
        c->tell_waits = info.bytes_in_flight > 0;
    }
    c->size.flight = info.bytes_in_flight;
    if (c->tell_waits)
        conn_mark_ready(c);
}

/* Acknowledgements by themselves are never under way: nobody answers them. */
kith_time size_waits_since(const struct kith_conn *c, kith_time heard_at)
{
    if (c->size.flight == 0)
        return KITH_NEVER;
    return c->size.progress_at > heard_at ? c->size.progress_at : heard_at;
}

/* ---- what arrived ---- */

/* The path takes less than before. What the gauge knows of it is void: it was the size. */
static void tell_narrowed(struct kith_conn *c, kith_time now)
{
    c->q->count.holes++;
    c->size.told = c->size.mtu.cap;
    kith_gauge_moved(&c->sealed.gauge, now);
    kith_event_path_narrowed(c->q->env->events, c->peer.b, c->size.mtu.ceiling);
}

static void tell_size(struct kith_conn *c)
{
    c->size.told = c->size.mtu.cap;
    kith_event_path_widened(c->q->env->events, c->peer.b, size_of_datagrams(c));
}

static void take_news(struct kith_conn *c, kith_time now)
{
    if (c->size.mtu.holes != c->size.holes)
        tell_narrowed(c, now);
    else if (c->size.mtu.state == KITH_MTU_RESTING && c->size.mtu.cap != c->size.told)
        tell_size(c);
    c->size.holes = c->size.mtu.holes;
}

void size_stream_acked(struct kith_conn *c, const struct stream *s, uint64_t upto)
{
    for (size_t i = 0; i < SIZE_WATCHED; i++) {
        struct size_of_stream *w = &c->size.stream[i];
        w->acked = w->acked || (w->there && w->id == s->id && upto >= w->offset);
    }
}

static void watch_streams(struct kith_conn *c, uint64_t lost_now, kith_time now)
{
    struct size_of_stream *w = c->size.stream;

    for (size_t i = 0; i < SIZE_WATCHED; i++) {
        if (w[i].there && w[i].acked && w[i].lost == lost_now)
            kith_mtu_acked(&c->size.mtu, w[i].mark, now);
        if (w[i].acked || w[i].lost != lost_now)
            w[i].there = false;
    }
    if (!w[0].there) { /* the last is the first now */
        w[0] = w[1];
        w[1].there = false;
    }
}

void size_read(struct kith_conn *c, const ngtcp2_conn_info *info, kith_time now)
{
    if (info->bytes_in_flight < c->size.flight)
        c->size.progress_at = now;
    c->size.flight = info->bytes_in_flight;
    watch_streams(c, info->pkt_lost, now);
    take_news(c, now);
}

void size_reported(struct kith_conn *c, const struct kith_gauge_report *before,
                   const struct kith_gauge_report *r, kith_time now)
{
    const bool clean = r->highest - before->highest == r->received - before->received;
    struct size_of_sealed *w = c->size.sealed;

    for (size_t i = 0; i < SIZE_WATCHED; i++) {
        if (!w[i].there || w[i].number > r->highest)
            continue;
        if (clean)
            kith_mtu_acked(&c->size.mtu, w[i].mark, now);
        w[i].there = false;
    }
    if (!w[0].there) { /* the last is the first now */
        w[0] = w[1];
        w[1].there = false;
    }
}

/* ---- probes ---- */

kith_time size_deadline(const struct kith_conn *c)
{
    return c->size.called || c->state != CONN_ESTABLISHED ? KITH_NEVER
                                                          : kith_mtu_deadline(&c->size.mtu);
}

void size_tick(struct kith_conn *c, kith_time now)
{
    if (size_deadline(c) > now)
        return;
    c->size.called = c->tell_probe = true;
    conn_mark_ready(c);
}

bool kith_conn_probe(struct kith_conn *c, size_t *ret_len, kith_time now)
{
    ngtcp2_conn_info info;

    if (c->state != CONN_ESTABLISHED || !c->size.called)
        return false;
    ngtcp2_conn_get_conn_info(c->nc, &info);
    if (kith_mtu_probe(&c->size.mtu, found(c), info.smoothed_rtt, now, &c->size.probe)) {
        *ret_len = c->size.probe.size - DATAGRAM_OVERHEAD;
        return true;
    }
    take_news(c, now);
    c->size.called = false;
    conn_refresh_due(c, now);
    return false;
}

int kith_conn_probe_send(struct kith_conn *c, struct kith_tx_batch *b,
                         const struct kith_span *parts, size_t n, kith_time now)
{
    int err = conn_write_datagram(c, b, parts, n, c->size.probe, now);

    if (err >= 0)
        kith_mtu_probed(&c->size.mtu, c->size.probe, now);
    return err;
}
