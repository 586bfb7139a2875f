/* write.c: packets on their way out of a connection. */
#include "conn/quic/internal.h"

enum {
    PACKETS_PER_TURN = 256, /* a connection yields to others after this many */
    QUANTUM_SLOW = 4096,    /* bytes: a pacer whose quantum is less may be as slow as can be */
    QUANTA_PER_TURN = 8,    /* of a faster one, each a millisecond's worth or less */
};

/* What ngtcp2 says of a packet that is being written. Several calls may write parts of one packet,
 * and only the first of them sets all of it: so it is kept until the packet is whole. */
struct packet {
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    size_t before; /* bytes of packets written before it, in this turn */
};

static void packet_begin(struct packet *p, size_t before)
{
    ngtcp2_path_storage_zero(&p->ps);
    p->pi = (ngtcp2_pkt_info){0};
    p->before = before;
}

/* Bytes after which a turn ends, so that the pacer can count them. It waits as long as they take by
 * its present idea of the rate: after a spell of losses that is low and soon corrected, but not as
 * long as a whole window of packets is being waited for. */
static size_t turn_bytes(const struct kith_conn *c)
{
    const size_t quantum = ngtcp2_conn_get_send_quantum(c->nc);

    return quantum < QUANTUM_SLOW ? quantum : QUANTA_PER_TURN * quantum;
}

static void commit(struct kith_conn *c, struct kith_tx_batch *b, struct packet *p, size_t n)
{
    kith_tx_commit(b, paths_real(&c->paths, paths_number(&p->ps.path)), (uint8_t)p->pi.ecn, n);
    packet_begin(p, p->before + n);
}

/* What ngtcp2 says of one stream only; false when the error is the whole connection's. */
static bool stream_trouble(struct stream *s, ngtcp2_ssize rv)
{
    if (s == NULL)
        return false;
    switch (rv) {
    case NGTCP2_ERR_STREAM_DATA_BLOCKED: s->tx_blocked = true; break;
    case NGTCP2_ERR_STREAM_SHUT_WR:
    case NGTCP2_ERR_STREAM_NOT_FOUND: s->tx_closed = true; break;
    default: return false;
    }
    kith_list_remove(&s->send);
    return true;
}

static struct stream *next_sendable(const struct kith_conn *c)
{
    return kith_list_empty(&c->sendable) ? NULL : KITH_OF(c->sendable.next, struct stream, send);
}

/* Lets streams take turns: the one that just sent goes last. */
static void rotate(struct kith_conn *c, struct stream *s)
{
    if (kith_list_empty(&s->send))
        return;
    kith_list_remove(&s->send);
    kith_list_append(&c->sendable, &s->send);
}

enum wrote { WROTE_PACKET, WROTE_PART, WROTE_NOTHING, WROTE_FAILED };

/* One call of ngtcp2's writer: perhaps a packet of up to `most` bytes, perhaps only a part of one.
 * With new bytes of s; NULL: only what is to be sent again, and what QUIC says for itself. */
static enum wrote write_step(struct kith_conn *c, struct stream *s, uint8_t *room, size_t most,
                             struct kith_tx_batch *b, struct packet *p, kith_time now)
{
    struct kith_span unsent = s != NULL ? stream_unsent(s) : (struct kith_span){0};
    ngtcp2_vec vec = {(uint8_t *)(uintptr_t)unsent.p, unsent.n};
    bool fin = s != NULL && s->tx_fin && s->tx_sent + unsent.n == s->tx_end;
    uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
    ngtcp2_ssize taken = -1;

    if (s != NULL)
        flags |= NGTCP2_WRITE_STREAM_FLAG_MORE;
    if (fin)
        flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
    ngtcp2_ssize n =
        ngtcp2_conn_writev_stream(c->nc, &p->ps.path, &p->pi, room, most, &taken, flags,
                                  s != NULL ? s->id : -1, &vec, unsent.n > 0 ? 1 : 0, now);
    if (taken >= 0 && s != NULL) {
        stream_sent(s, (size_t)taken, fin && (size_t)taken == unsent.n);
        rotate(c, s);
    }
    if (n > 0) {
        size_wrote(c, s, s != NULL && taken > 0, (size_t)n, now);
        commit(c, b, p, (size_t)n);
        return WROTE_PACKET;
    }
    if (n == 0)
        return WROTE_NOTHING;
    if (n == NGTCP2_ERR_WRITE_MORE || stream_trouble(s, n))
        return WROTE_PART;
    conn_fail(c, (int)n, now);
    return WROTE_FAILED;
}

static bool write_close_packet(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    if (!c->close_due)
        return true;
    uint8_t *room = kith_tx_room(b);
    if (room == NULL)
        return false;
    memcpy(room, c->close_packet, c->close_len);
    kith_tx_commit(b, paths_current(&c->paths), 0, c->close_len);
    c->close_due = false;
    conn_settle(c, now);
    return true;
}

/* Here and not when a timer fires: with steady acknowledgements none ever does. */
static void update_keys(struct kith_conn *c, kith_time now)
{
    ngtcp2_conn_info info;

    ngtcp2_conn_get_conn_info(c->nc, &info);
    if (!c->confirmed || info.pkt_sent - c->key_packets < c->q->cfg.key_update_after)
        return;
    if (ngtcp2_conn_initiate_key_update(c->nc, now) == 0) {
        c->key_packets = info.pkt_sent;
        c->q->count.key_updates++;
    }
}

bool conn_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    if (c->state == CONN_CLOSED)
        return write_close_packet(c, b, now);
    struct packet p;
    const size_t most = size_for_streams(c, now);
    const size_t all = turn_bytes(c);
    packet_begin(&p, 0);
    c->gathers_until = 0;
    for (int packets = 0; packets < PACKETS_PER_TURN && p.before < all;) {
        uint8_t *room = kith_tx_room(b);
        if (room == NULL)
            return false;
        enum wrote w = write_step(c, next_sendable(c), room, most, b, &p, now);
        if (w == WROTE_FAILED)
            return write_close_packet(c, b, now);
        if (w == WROTE_NOTHING)
            break;
        packets += w == WROTE_PACKET;
    }
    update_keys(c, now);
    size_turned(c, now);
    ngtcp2_conn_update_pkt_tx_time(c->nc, now);
    conn_refresh_due(c, now);
    if (c->wants_room) {
        c->wants_room = c->wants_writable = false;
        c->tell_writable = true;
        conn_mark_ready(c);
    }
    return true;
}

enum { PARTS_MAX = 4 };

/* Streams have a turn before every datagram: where datagrams take all that congestion control
 * leaves, what is told to the peer would never go. What they leave of a packet the datagram may
 * fill. False when the connection failed. */
static bool streams_first(struct kith_conn *c, struct kith_tx_batch *b, struct packet *p,
                          kith_time now)
{
    uint8_t *room = kith_list_empty(&c->sendable) ? NULL : kith_tx_room(b);

    return room == NULL || write_step(c, next_sendable(c), room, size_for_streams(c, now), b, p,
                                      now) != WROTE_FAILED;
}

/* ngtcp2 fills a packet with what is to be sent again before it takes a datagram. Where packets as
 * large as the datagram's may vanish, that leaves in small ones first, a turn's worth of them. */
static bool repeats_first(struct kith_conn *c, struct kith_tx_batch *b, size_t datagrams,
                          struct packet *p, kith_time now)
{
    const size_t most = size_for_streams(c, now), all = turn_bytes(c);
    enum wrote w = WROTE_PACKET;

    while (most < datagrams && w == WROTE_PACKET && p->before < all) {
        uint8_t *room = kith_tx_room(b);
        w = room != NULL ? write_step(c, NULL, room, most, b, p, now) : WROTE_NOTHING;
    }
    return w != WROTE_FAILED;
}

/* A packet was written for a datagram's sake: with it, if it was `accepted`, else with other
 * frames. */
static void note_datagram(struct kith_conn *c, struct kith_mtu_mark mark, bool accepted, size_t n,
                          kith_time now)
{
    if (!accepted || n > mark.size)
        size_wrote(c, NULL, false, n, now);
    else if (!mark.probe)
        kith_mtu_sent(&c->size.mtu, mark.size, now);
}

static size_t length(const struct kith_span *parts, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    return len;
}

int kith_conn_datagram_send(struct kith_conn *c, struct kith_tx_batch *b,
                            const struct kith_span *parts, size_t n, kith_time now)
{
    const size_t len = length(parts, n);

    if (c->state == CONN_ESTABLISHED && len > kith_conn_datagram_max(c))
        return KITH_E_TOOBIG;
    return conn_write_datagram(c, b, parts, n, kith_mtu_mark(&c->size.mtu, len + DATAGRAM_OVERHEAD),
                               now);
}

int conn_write_datagram(struct kith_conn *c, struct kith_tx_batch *b, const struct kith_span *parts,
                        size_t n, struct kith_mtu_mark mark, kith_time now)
{
    const size_t most = mark.probe ? mark.size : size_for_datagram(c);
    const uint32_t flags =
        mark.probe ? NGTCP2_WRITE_DATAGRAM_FLAG_PADDING : NGTCP2_WRITE_DATAGRAM_FLAG_NONE;
    ngtcp2_vec vec[PARTS_MAX];
    struct packet p;

    if (c->state != CONN_ESTABLISHED)
        return KITH_E_STATE;
    if (n > PARTS_MAX)
        return KITH_E_INVAL;
    for (size_t i = 0; i < n; i++)
        vec[i] = (ngtcp2_vec){(uint8_t *)(uintptr_t)parts[i].p, parts[i].n};
    c->spoke = true; /* or wants to */
    packet_begin(&p, 0);
    if (!streams_first(c, b, &p, now) || !repeats_first(c, b, most, &p, now))
        return KITH_E_STATE;
    if (p.before > KITH_TX_DATAGRAM_MAX && p.before >= turn_bytes(c)) {
        c->wants_writable = true;
        kith_conn_burst_end(c, now);
        return KITH_E_AGAIN;
    }
    /* other frames may go first; each packet they fill is progress, so this ends */
    for (int accepted = 0; !accepted;) {
        uint8_t *room = kith_tx_room(b);
        ngtcp2_ssize written = 0;
        if (room != NULL)
            written = ngtcp2_conn_writev_datagram(c->nc, &p.ps.path, &p.pi, room, most, &accepted,
                                                  flags, kith_mtu_pack(mark), vec, n, now);
        if (written < 0) {
            conn_fail(c, (int)written, now);
            return KITH_E_STATE;
        }
        if (written == 0) {
            c->wants_writable = true;
            c->wants_room = room == NULL;
            if (c->wants_room)
                conn_mark_dirty(c);
            return KITH_E_AGAIN;
        }
        note_datagram(c, mark, accepted != 0, (size_t)written, now);
        commit(c, b, &p, (size_t)written);
    }
    return KITH_OK;
}

void kith_conn_burst_end(struct kith_conn *c, kith_time now)
{
    if (c->state != CONN_ESTABLISHED || !c->spoke)
        return;
    c->spoke = false;
    ngtcp2_conn_update_pkt_tx_time(c->nc, now);
    size_turned(c, now);
    conn_refresh_due(c, now);
}
