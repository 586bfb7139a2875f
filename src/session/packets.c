/* packets.c: datagrams of a session: IP packets, whole or in fragments, and questions of life. */
#include "session/internal.h"

#include "wire/datagram.h"

enum {
    NO_SLOT = 0xff,      /* in kith_session.slot: forbidden */
    NO_KIND = 0xff,      /* of a datagram without a byte */
    SLOT_PARTIAL = 0x80, /* beside the slot: the checksum is left to the receiver */
    SLOT_FLOW = 0x40,    /* in the queue, for a slot: a whole datagram of a flow */
    IP_HEAD = 2,         /* type, slot */
    FRAGMENT_HEAD = 6,   /* type, slot, id, index, count */
    FRAGMENTS_MAX = 8,
    PING_HEAD = 9,      /* type, token */
    DATAGRAM_COST = 64, /* of headers around a datagram's payload, at most about */
};

/* ---- out ---- */

static int send_whole(struct kith_session *s, struct kith_tx_batch *b, uint8_t slot,
                      const struct kith_parts *packet, kith_time now)
{
    const uint8_t head[IP_HEAD] = {KITH_WIRE_ip_packet, slot};
    const struct kith_span parts[] = {{head, sizeof head}, packet->head, packet->body};

    return kith_conn_packet_send(s->used->conn, b, parts, packet->body.n > 0 ? 3 : 2,
                                 packet->marks.ecn, now);
}

/* One piece, `n` bytes from `at` on of a packet that is in two parts itself. */
static int send_piece(struct kith_session *s, struct kith_tx_batch *b, const uint8_t *head,
                      const struct kith_parts *packet, size_t at, size_t n, kith_time now)
{
    size_t first = at < packet->head.n ? packet->head.n - at : 0;
    size_t skip = at > packet->head.n ? at - packet->head.n : 0;

    if (first > n)
        first = n;
    const struct kith_span parts[] = {{head, FRAGMENT_HEAD},
                                      {first > 0 ? packet->head.p + at : NULL, first},
                                      {first < n ? packet->body.p + skip : NULL, n - first}};
    return kith_conn_packet_send(s->used->conn, b, parts, first < n ? 3 : 2, packet->marks.ecn,
                                 now);
}

static int send_fragments(struct kith_session *s, struct kith_tx_batch *b, uint8_t slot,
                          const struct kith_parts *packet, size_t room, kith_time now)
{
    size_t len = kith_parts_len(packet);

    if (room <= FRAGMENT_HEAD || len > FRAGMENTS_MAX * (room - FRAGMENT_HEAD))
        return KITH_E_TOOBIG;
    size_t count = (len + room - FRAGMENT_HEAD - 1) / (room - FRAGMENT_HEAD);
    size_t part = (len + count - 1) / count; /* even pieces */
    uint16_t id = s->fragment_id++;
    for (size_t i = 0; i < count; i++) {
        const uint8_t head[FRAGMENT_HEAD] = {KITH_WIRE_ip_fragment, slot,       (uint8_t)(id >> 8),
                                             (uint8_t)id,           (uint8_t)i, (uint8_t)count};
        size_t n = len - i * part < part ? len - i * part : part;
        int err = send_piece(s, b, head, packet, i * part, n, now);
        if (err < 0)
            return i > 0 ? KITH_E_LIMIT : err; /* half a packet is no packet: it counts as lost */
        s->all->count.fragments_out++;
    }
    return KITH_OK;
}

static int send_packet(struct kith_session *s, struct kith_tx_batch *b, uint8_t slot,
                       const struct kith_parts *packet, kith_time now)
{
    size_t room = kith_conn_datagram_max(s->used->conn);

    if (slot == SLOT_FLOW)
        return kith_conn_packet_send(s->used->conn, b, &packet->head, 1, packet->marks.ecn, now);
    int err = kith_parts_len(packet) + IP_HEAD <= room
                  ? send_whole(s, b, slot, packet, now)
                  : send_fragments(s, b, slot, packet, room, now);

    if (err >= 0)
        s->all->count.packets_out++;
    return err;
}

static void note_sent(struct kith_session *s, kith_time now)
{
    if (s->sent_at != KITH_NEVER)
        return;
    s->sent_at = now;
    session_refresh_due(s, now);
}

/* Puts a packet in its lane; whether there was room. */
static bool wait_in_lane(struct kith_session *s, uint32_t whose, uint8_t slot,
                         const struct kith_parts *packet, kith_time now)
{
    if (kith_lanes_add(&s->lanes, whose, slot, packet, now) < 0) {
        s->all->count.packets_dropped++;
        return false;
    }
    s->all->count.packets_queued++;
    session_mark_pending(s);
    return true;
}

/* The slot as it is written: what is told of the packet is in its highest bit. */
static uint8_t slot_byte(uint8_t slot, const struct kith_parts *packet)
{
    return packet->marks.partial ? slot | SLOT_PARTIAL : slot;
}

/* Sends it, or lets it wait its turn; false when there is no room to wait. */
static bool send_or_wait(struct kith_session *s, struct kith_tx_batch *b, uint32_t whose,
                         uint8_t slot, const struct kith_parts *packet, kith_time now)
{
    int err = kith_lanes_is_empty(&s->lanes) ? send_packet(s, b, slot, packet, now) : KITH_E_AGAIN;

    if (err == KITH_E_AGAIN)
        return wait_in_lane(s, whose, slot, packet, now);
    if (err < 0)
        s->all->count.packets_dropped++;
    return true;
}

static void end_burst(struct kith_session *s, size_t sent, kith_time now)
{
    if (s->used != NULL)
        kith_conn_burst_end(s->used->conn, now);
    if (sent > 0)
        note_sent(s, now);
}

size_t kith_session_send_packets(struct kith_session *s, struct kith_tx_batch *b, uint8_t slot,
                                 const struct kith_parts *packets, size_t n, kith_time now)
{
    size_t taken = 0;

    s->packets_at = now;
    while (
        taken < n && s->used != NULL &&
        send_or_wait(s, b, KITH_LANES_SELF, slot_byte(slot, &packets[taken]), &packets[taken], now))
        taken++;
    end_burst(s, taken, now);
    return taken;
}

size_t kith_session_send_flow(struct kith_session *s, struct kith_tx_batch *b, uint32_t whose,
                              const struct kith_span *datagrams, size_t n, uint8_t ecn,
                              kith_time now)
{
    size_t taken = 0;

    for (size_t i = 0; i < n; i++) {
        const struct kith_parts one = {.head = datagrams[i], .marks = {.ecn = ecn}};
        if (s->used == NULL)
            s->all->count.packets_dropped++;
        else
            taken += send_or_wait(s, b, whose, SLOT_FLOW, &one, now);
    }
    end_burst(s, taken, now);
    return taken;
}

size_t kith_session_room(const struct kith_session *s)
{
    return s->used == NULL ? 0 : kith_conn_datagram_max(s->used->conn);
}

/* Whether CoDel takes the first packet of a lane; one that knows ECN is marked and stays. */
static bool taken_by_codel(struct kith_session *s, struct kith_lane *lane,
                           const struct kith_queued *first, kith_time now)
{
    const struct kith_packet_sink *sink = &s->all->sink;

    if (!kith_codel_drops(&lane->codel, kith_since(now, first->since), lane->queue.used, now))
        return false;
    if (first->slot != SLOT_FLOW && sink->mark != NULL &&
        sink->mark(sink->ctx, first->p, first->n)) {
        s->all->count.packets_marked++;
        return false;
    }
    s->all->count.packets_delayed++;
    return true;
}

static void drain_lanes(struct kith_session *s, struct kith_tx_batch *b, kith_time now)
{
    struct kith_queued first;
    struct kith_lane *lane;
    bool sent = false;

    while (s->used != NULL && (lane = kith_lanes_first(&s->lanes, &first)) != NULL) {
        bool taken = taken_by_codel(s, lane, &first, now);
        const struct kith_parts packet = {.head = {first.p, first.n}, .marks = {.ecn = first.ecn}};
        int err = taken ? KITH_E_LIMIT : send_packet(s, b, first.slot, &packet, now);
        if (err == KITH_E_AGAIN)
            break;
        if (err < 0)
            s->all->count.packets_dropped++;
        kith_lanes_drop_first(&s->lanes, err >= 0);
        sent = true;
    }
    if (sent && s->used != NULL)
        kith_conn_burst_end(s->used->conn, now);
}

typedef int send_function(struct kith_conn *c, struct kith_tx_batch *b,
                          const struct kith_span *parts, size_t n, kith_time now);

static int send_ping(struct subflow *f, struct kith_tx_batch *b, uint64_t token, size_t size,
                     send_function *send, kith_time now)
{
    static const uint8_t zeros[KITH_TX_DATAGRAM_MAX];
    uint8_t head[PING_HEAD];
    struct kith_writer w = kith_writer_on(head, sizeof head);
    size_t padding = size > PING_HEAD ? size - PING_HEAD : 0;

    kith_put_u8(&w, KITH_WIRE_ping);
    kith_put_u64(&w, token);
    const struct kith_span parts[] = {{head, sizeof head}, {zeros, padding}};
    if (padding > sizeof zeros)
        return KITH_E_TOOBIG;
    return send(f->conn, b, parts, 2, now);
}

static int send_pong(struct subflow *f, struct kith_tx_batch *b, kith_time now)
{
    struct kith_pong pong = {.token = f->pong_token, .size = f->pong_size};
    uint8_t buf[16];
    size_t n;
    int err = kith_pong_encode(&pong, buf, sizeof buf, &n);

    if (err < 0)
        return err;
    return kith_conn_datagram_send(f->conn, b, &(struct kith_span){buf, n}, 1, now);
}

static void send_report(struct subflow *f, struct kith_tx_batch *b, kith_time now)
{
    struct kith_gauge_report r;
    uint8_t buf[32];
    size_t n;

    if (!kith_conn_report(f->conn, &r, now))
        return;
    kith_dur delay = r.delay / KITH_USEC;
    struct kith_plane_report report = {.highest = r.highest,
                                       .received = r.received,
                                       .delay = delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX};
    if (kith_plane_report_encode(&report, buf, sizeof buf, &n) >= 0)
        (void)!kith_conn_report_send(f->conn, b, (struct kith_span){buf, n}, now); /* or WRITABLE */
}

/* A question of the size that is in doubt. Its answer says no more than its acknowledgement. */
static void send_probes(struct subflow *f, struct kith_tx_batch *b, kith_time now)
{
    size_t size;
    bool any = false;

    while (kith_conn_probe(f->conn, &size, now)) {
        if (send_ping(f, b, 0, size, kith_conn_probe_send, now) < 0)
            return; /* WRITABLE brings us back */
        any = true;
    }
    if (any)
        kith_conn_burst_end(f->conn, now);
}

/* Questions and answers go first: they are small, and somebody measures them. */
static bool write_signs_of_life(struct kith_session *s, struct subflow *f, struct kith_tx_batch *b,
                                kith_time now)
{
    if (f->pong_owed && send_pong(f, b, now) == KITH_E_AGAIN)
        return false;
    f->pong_owed = false;
    if (f->probe_due && send_ping(f, b, 0, 0, kith_conn_datagram_send, now) == KITH_E_AGAIN)
        return false;
    f->probe_due = false;
    (void)s;
    return true;
}

void packets_flush(struct kith_session *s, struct kith_tx_batch *b, kith_time now)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (f->conn == NULL || !f->established)
            continue;
        send_report(f, b, now);
        send_probes(f, b, now);
        if (f->pong_owed || f->probe_due)
            (void)write_signs_of_life(s, f, b, now); /* WRITABLE brings us back */
    }
    drain_lanes(s, b, now);
}

int kith_session_ping(struct kith_session *s, struct kith_tx_batch *b, uint64_t token, size_t size,
                      kith_time now)
{
    if (s->used == NULL)
        return KITH_E_STATE;
    int err = send_ping(s->used, b, token, size, kith_conn_datagram_send, now);
    if (err < 0)
        return err;
    kith_conn_burst_end(s->used->conn, now);
    note_sent(s, now);
    size_t oldest = 0;
    for (size_t i = 0; i < KITH_COUNT(s->asked); i++)
        if (s->asked[i].at < s->asked[oldest].at)
            oldest = i;
    s->asked[oldest].token = token;
    s->asked[oldest].at = now;
    return KITH_OK;
}

/* ---- in ---- */

/* A datagram that means nothing: dropped and counted, and of members remembered. */
static void bad_datagram(struct kith_session *s, kith_time now)
{
    s->all->count.bad_datagrams++;
    kith_session_note(s, KITH_OFFENCE_datagrams, now);
}

static uint8_t our_slot(const struct kith_session *s, uint8_t theirs)
{
    theirs &= (uint8_t)~SLOT_PARTIAL;
    return theirs < KITH_SESSION_SLOTS ? s->slot[theirs] : NO_SLOT;
}

static void deliver(struct kith_session *s, uint8_t theirs, struct kith_span packet, uint8_t ecn,
                    kith_time now)
{
    struct kith_marks marks = {.partial = (theirs & SLOT_PARTIAL) != 0, .ecn = ecn};
    uint8_t ours = our_slot(s, theirs);

    if (ours == NO_SLOT) {
        bad_datagram(s, now);
        return;
    }
    s->packets_at = now;
    s->all->count.packets_in++;
    s->all->sink.packet(s->all->sink.ctx, s, ours, packet, marks, now);
}

static void on_fragment(struct kith_session *s, struct kith_span payload, uint8_t ecn,
                        kith_time now)
{
    struct kith_ip_fragment f;
    struct kith_span whole;

    s->all->count.fragments_in++;
    int err = kith_ip_fragment_decode(payload, &f);
    if (err >= 0 && our_slot(s, f.slot) == NO_SLOT) {
        bad_datagram(s, now); /* before any memory is given to it */
        return;
    }
    if (err >= 0)
        err = kith_reassembly_add(&s->reassembly, &f, ecn, now, &whole, &ecn);
    if (err == KITH_E_AGAIN)
        return;
    if (err < 0) {
        s->all->count.reassembly_failed++;
        kith_session_note(s, KITH_OFFENCE_datagrams, now);
        return;
    }
    s->all->count.reassembled++;
    deliver(s, f.slot, whole, ecn, now);
}

static void on_ping(struct kith_session *s, struct subflow *f, struct kith_span payload,
                    kith_time now)
{
    struct kith_ping ping;

    if (kith_ping_decode(payload, &ping) < 0) {
        bad_datagram(s, now);
        return;
    }
    kith_session_note(s, KITH_OFFENCE_probes, now);
    f->pong_owed = true; /* one answer per turn: a flood of questions gets one */
    f->pong_token = ping.token;
    f->pong_size = (uint16_t)payload.n;
    session_mark_pending(s);
}

static void on_pong(struct kith_session *s, struct kith_span payload, kith_time now)
{
    struct kith_pong pong;

    if (kith_pong_decode(payload, &pong) < 0) {
        bad_datagram(s, now);
        return;
    }
    kith_session_note(s, KITH_OFFENCE_probes, now);
    for (size_t i = 0; i < KITH_COUNT(s->asked); i++) {
        if (s->asked[i].at == 0 || s->asked[i].token != pong.token)
            continue;
        if (s->n_pong < KITH_COUNT(s->pong)) {
            s->pong[s->n_pong].token = pong.token;
            s->pong[s->n_pong++].rtt = kith_since(now, s->asked[i].at);
            session_mark_ready(s);
        }
        s->asked[i].at = 0;
        return;
    }
}

static void on_report(struct kith_session *s, const struct subflow *f, struct kith_span payload,
                      kith_time now)
{
    struct kith_plane_report report;

    if (kith_plane_report_decode(payload, &report) < 0 ||
        kith_conn_reported(f->conn,
                           &(struct kith_gauge_report){.highest = report.highest,
                                                       .received = report.received,
                                                       .delay = report.delay * KITH_USEC},
                           now) < 0)
        bad_datagram(s, now);
}

/* For others, or from others. */
static void on_flow(struct kith_session *s, const struct subflow *f, struct kith_span payload,
                    uint8_t ecn, kith_time now)
{
    const struct kith_packet_sink *sink = &s->all->sink;

    if (!s->trusted || sink->flow == NULL || subflow_is_relayed(f) ||
        !sink->flow(sink->ctx, s, payload, ecn, now))
        bad_datagram(s, now);
}

void packets_datagram(struct kith_session *s, struct kith_conn *c, struct kith_span payload,
                      uint8_t ecn, kith_time now)
{
    struct subflow *f = subflow_of(s, c);

    if (f == NULL)
        return;
    /* A guest's datagrams beyond its share are not looked at. A member whose membership is still on
     * its way may send more than that in good faith, so it is not sent away for them. */
    f->datagram_bytes += payload.n + DATAGRAM_COST;
    if (!s->trusted && f->datagram_bytes > KITH_SESSION_GUEST_BYTES) {
        s->all->count.bad_datagrams++;
        return;
    }
    switch (payload.n > 0 ? payload.p[0] : NO_KIND) {
    case KITH_WIRE_ip_packet:
        if (payload.n > IP_HEAD)
            deliver(s, payload.p[1], (struct kith_span){payload.p + IP_HEAD, payload.n - IP_HEAD},
                    ecn, now);
        else
            bad_datagram(s, now);
        return;
    case KITH_WIRE_ip_fragment: on_fragment(s, payload, ecn, now); return;
    case KITH_WIRE_ping: on_ping(s, f, payload, now); return;
    case KITH_WIRE_pong: on_pong(s, payload, now); return;
    case KITH_WIRE_plane_report: on_report(s, f, payload, now); return;
    case KITH_WIRE_flow_open:
    case KITH_WIRE_flow_packet:
    case KITH_WIRE_flow_piece:
    case KITH_WIRE_flow_over: on_flow(s, f, payload, ecn, now); return;
    default: bad_datagram(s, now);
    }
}
