/* sealed.c: a connection's packets beside QUIC: the second plane (conn/plane.h) over its path.
 *
 * QUIC stays in charge: it proved the peer, finds the path and its MTU, and says when the
 * connection ends. Where plane packets come from does not decide whether they are opened; the
 * dialling side follows them as it follows QUIC's (spec session 2.3.5). */
#include "conn/quic/internal.h"

#include "crypto/hash.h"
#include "wire/datagram.h"

/* ---- routing ---- */

static void forget_index(struct kith_conn *c, size_t i)
{
    static const struct kith_plane_index none;

    if (memcmp(&c->sealed.index[i], &none, sizeof none) == 0)
        return;
    if (kith_map_find(&c->q->planes, c->sealed.index[i].b) == c)
        (void)kith_map_take(&c->q->planes, c->sealed.index[i].b);
    c->sealed.index[i] = none;
    c->q->plane_latest = NULL;
}

/* Brings the table of indices up to date. One that is taken, or has no place, is gone without: its
 * packets are lost, the peer's gauge sees that, and QUIC carries them. */
static void route(struct kith_conn *c)
{
    static const struct kith_plane_index none;
    struct kith_plane_index now[KITH_PLANE_KEYS];

    for (size_t i = 0; i < KITH_PLANE_KEYS; i++)
        forget_index(c, i);
    kith_plane_indices(c->sealed.plane, now);
    for (size_t i = 0; i < KITH_PLANE_KEYS; i++) {
        if (memcmp(&now[i], &none, sizeof none) == 0 ||
            kith_map_find(&c->q->planes, now[i].b) != NULL ||
            kith_map_put(&c->q->planes, now[i].b, c) < 0)
            continue;
        c->sealed.index[i] = now[i];
    }
}

void sealed_end(struct kith_conn *c)
{
    for (size_t i = 0; i < KITH_PLANE_KEYS; i++)
        forget_index(c, i);
    kith_plane_free(c->sealed.plane);
    c->sealed.plane = NULL;
    kith_wipe(&c->sealed.secrets, sizeof c->sealed.secrets);
}

int kith_conn_plane_start(struct kith_conn *c)
{
    if (c->state != CONN_ESTABLISHED)
        return KITH_E_STATE;
    if (c->sealed.plane != NULL)
        return KITH_OK;
    int err =
        kith_plane_new(c->sealed.cipher, &c->sealed.secrets, c->q->env->alloc, &c->sealed.plane);
    if (err < 0)
        return err;
    kith_wipe(&c->sealed.secrets, sizeof c->sealed.secrets);
    kith_gauge_init(&c->sealed.gauge);
    if (c->idle_timeout / 3 < c->sealed.gauge.quic_every)
        c->sealed.gauge.quic_every = c->idle_timeout / 3;
    route(c);
    return KITH_OK;
}

/* ---- in ---- */

/* Packets come in runs of one connection. */
static struct kith_conn *find(struct kith_quic *q, const uint8_t *packet)
{
    if (q->plane_latest != NULL && memcmp(q->plane_latest_index.b, packet, KITH_PLANE_INDEX) == 0)
        return q->plane_latest;
    q->plane_latest = kith_map_find(&q->planes, packet);
    memcpy(q->plane_latest_index.b, packet, KITH_PLANE_INDEX);
    return q->plane_latest;
}

/* Says that a report is owed, or has the connection woken when it will be: the last packets of a
 * burst are to be reported as well, or the sender takes that for silence. */
static void call_for_report(struct kith_conn *c, kith_time now)
{
    kith_time at = kith_gauge_report_at(&c->sealed.gauge);

    if (c->sealed.called || at == KITH_NEVER)
        return;
    if (at <= now) {
        c->sealed.called = c->tell_report = true;
        conn_mark_ready(c);
    } else if (c->due.at > at && kith_due_set(&c->q->due, &c->due, at) < 0) {
        conn_mark_dirty(c); /* cannot be: its place in the heap was made with the connection */
    }
}

kith_time sealed_deadline(const struct kith_conn *c)
{
    kith_time report;

    if (c->sealed.plane == NULL)
        return KITH_NEVER;
    report = c->sealed.called ? KITH_NEVER : kith_gauge_report_at(&c->sealed.gauge);
    return kith_sooner(report, kith_plane_deadline(c->sealed.plane));
}

void sealed_tick(struct kith_conn *c, kith_time now)
{
    if (c->sealed.plane == NULL)
        return;
    if (kith_plane_tick(c->sealed.plane, now))
        route(c);
    kith_delivery_tick(&c->sealed.gauge.delivery, now);
    call_for_report(c, now);
}

void sealed_receive(struct kith_quic *q, const struct kith_path *path, uint8_t *packet, size_t n,
                    uint8_t ecn, kith_time now)
{
    struct kith_conn *c = n >= KITH_PLANE_OVERHEAD ? find(q, packet) : NULL;
    struct kith_span payload;
    uint64_t before, after;
    bool moved;

    if (c == NULL || c->sealed.plane == NULL || c->state != CONN_ESTABLISHED) {
        q->count.datagrams_unroutable++;
        return;
    }
    bool any = kith_plane_highest(c->sealed.plane, &before);
    int err = kith_plane_open(c->sealed.plane, packet, n, now, &payload, &moved);
    if (moved) {
        route(c);
        conn_refresh_due(c, now); /* the key before goes in a while */
    }
    if (err < 0) {
        q->count.sealed_refused++;
        return;
    }
    q->count.sealed_in++;
    (void)kith_plane_highest(c->sealed.plane, &after);
    const bool highest = !any || after > before;
    c->sealed.heard_at = now;
    if (payload.n > 0 && payload.p[0] == KITH_WIRE_plane_report)
        kith_gauge_opened_report(&c->sealed.gauge, highest, now);
    else
        kith_gauge_opened(&c->sealed.gauge, highest, payload.n, now);
    call_for_report(c, now);
    if (c->dialled && highest) /* the accepting side may be heard by no other packets */
        conn_notice_stray(c, path, now);
    if (payload.n > 0 && q->sink.datagram != NULL)
        q->sink.datagram(q->sink.ctx, c, payload, ecn, now);
}

/* ---- out ---- */

typedef void gauge_sent(struct kith_gauge *g, uint64_t number, size_t n, kith_time now);

static int seal(struct kith_conn *c, struct kith_tx_batch *b, const struct kith_span *parts,
                size_t n, uint8_t ecn, gauge_sent *sent, kith_time now)
{
    uint64_t number = kith_plane_next(c->sealed.plane);
    uint8_t *room = kith_tx_room(b);
    size_t len;

    if (room == NULL) {
        c->wants_writable = c->wants_room = true;
        conn_mark_dirty(c);
        return KITH_E_AGAIN;
    }
    int err = kith_plane_seal(c->sealed.plane, parts, n, room, now, &len);
    if (err < 0)
        return err;
    kith_tx_commit(b, paths_current(&c->paths), ecn, len);
    c->spoke |= len >= KITH_MTU_PRESSED;
    sent(&c->sealed.gauge, number, len, now);
    size_sealed(c, number, len, now);
    c->q->count.sealed_out++;
    return KITH_OK;
}

int kith_conn_packet_send(struct kith_conn *c, struct kith_tx_batch *b,
                          const struct kith_span *parts, size_t n, uint8_t ecn, kith_time now)
{
    size_t len = 0;

    if (c->sealed.plane == NULL || c->state != CONN_ESTABLISHED)
        return kith_conn_datagram_send(c, b, parts, n, now);
    if (kith_gauge_probes(&c->sealed.gauge, kith_plane_next(c->sealed.plane), now))
        /* one that does not go is one that is lost */
        (void)!seal(c, b, NULL, 0, 0, kith_gauge_sent, now);
    if (!kith_gauge_serves(&c->sealed.gauge, c->heard_at, now))
        return kith_conn_datagram_send(c, b, parts, n, now);
    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    if (len > kith_conn_datagram_max(c))
        return KITH_E_TOOBIG;
    int err = seal(c, b, parts, n, ecn, kith_gauge_sent, now);
    return err == KITH_OK || err == KITH_E_AGAIN ? err
                                                 : kith_conn_datagram_send(c, b, parts, n, now);
}

/* ---- reports ---- */

bool kith_conn_report(struct kith_conn *c, struct kith_gauge_report *ret, kith_time now)
{
    struct kith_gauge_report r;

    if (c->sealed.plane == NULL || !kith_gauge_report_due(&c->sealed.gauge, now) ||
        !kith_plane_highest(c->sealed.plane, &r.highest))
        return false;
    r.received = kith_plane_counters(c->sealed.plane)->opened;
    r.delay = kith_gauge_delay(&c->sealed.gauge, now);
    *ret = r;
    return true;
}

static void report_left(struct kith_conn *c, kith_time now)
{
    kith_gauge_report_left(&c->sealed.gauge, now);
    c->sealed.called = false;
}

int kith_conn_report_send(struct kith_conn *c, struct kith_tx_batch *b, struct kith_span report,
                          kith_time now)
{
    int err = KITH_E_STATE;

    if (c->sealed.plane != NULL && kith_gauge_takes_report(&c->sealed.gauge, c->heard_at, now))
        err = seal(c, b, &report, 1, 0, kith_gauge_sent_report, now);
    if (err != KITH_OK && err != KITH_E_AGAIN)
        err = kith_conn_datagram_send(c, b, &report, 1, now);
    if (err >= 0)
        report_left(c, now);
    return err;
}

int kith_conn_reported(struct kith_conn *c, const struct kith_gauge_report *r, kith_time now)
{
    if (c->sealed.plane == NULL)
        return KITH_E_STATE;
    const struct kith_gauge_report before = c->sealed.gauge.last;
    c->sealed.gauge.excused = c->size.mtu.state == KITH_MTU_TESTING;
    int err = kith_gauge_reported(&c->sealed.gauge, r, kith_plane_next(c->sealed.plane), now);
    if (err >= 0) {
        kith_plane_followed(c->sealed.plane, r->highest);
        size_reported(c, &before, r, now);
    }
    return err;
}

void sealed_moved(struct kith_conn *c, kith_time now)
{
    if (c->sealed.plane == NULL)
        return;
    kith_gauge_moved(&c->sealed.gauge, now);
    kith_plane_turn(c->sealed.plane);
}

void sealed_add_stats(const struct kith_conn *c, struct kith_conn_stats *stats)
{
    if (c->sealed.plane == NULL)
        return;
    const struct kith_plane_counters *k = kith_plane_counters(c->sealed.plane);
    stats->bytes_in += k->opened_bytes;
    stats->bytes_out += k->sealed_bytes;
    stats->packets_in += k->opened;
    stats->packets_out += k->sealed;
    stats->packets_lost += c->sealed.gauge.lost;
    if (c->sealed.heard_at > stats->heard_at)
        stats->heard_at = c->sealed.heard_at;
    const uint64_t rate = kith_delivery_rate(&c->sealed.gauge.delivery);
    if (rate > stats->rate)
        stats->rate = rate;
    stats->sealed = c->sealed.gauge.state == KITH_GAUGE_ON;
}
