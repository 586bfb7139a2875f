/* write.c: packets with frames on their way out. */
#include "sim/model/model.h"

enum {
    PACKETS_PER_TURN = 256, /* a connection yields to others after this many */
    PARTS_MAX = 4,          /* of a datagram */
    STREAM_HEAD = 1 + 4 + 8 + 2,
    STREAM_WORTH = 64, /* room below which a piece of a stream waits for the next packet */
    ACK_HEAD = 1 + 4 + 1,
};

/* A packet that is being filled. */
struct packet {
    struct kith_writer w;
    struct model_sent sent;
    uint8_t *room;
    bool acks, other; /* it says what came; anything else */
};

static bool begin(struct kith_conn *c, struct kith_tx_batch *b, size_t most, struct packet *p,
                  kith_time now)
{
    *p = (struct packet){.room = kith_tx_room(b), .sent = {.at = now}};
    if (p->room == NULL)
        return false;
    p->w = kith_writer_on(p->room, most - MODEL_TAG);
    kith_put_u8(&p->w, MODEL_SHORT);
    kith_put_span(&p->w, KITH_SPAN_OF(c->dcid));
    kith_put_u32(&p->w, c->out.next);
    return true;
}

static size_t room_in(const struct packet *p)
{
    return (size_t)(p->w.end - p->w.p);
}

static bool has_room(const struct packet *p, size_t n)
{
    return p->sent.n < MODEL_ITEMS && room_in(p) >= n;
}

/* The packet says this, and says it again should it be lost. */
static void add_item(struct packet *p, struct model_item item)
{
    p->sent.item[p->sent.n++] = item;
    p->sent.eliciting = p->other = true;
}

static void count_out(struct kith_conn *c, size_t n, bool eliciting, kith_time now)
{
    c->packets_out++;
    c->bytes_out += n;
    if (eliciting && !c->spoke) {
        c->spoke = true;
        c->idle_from = now; /* RFC 9000 10.1 */
    }
}

static void commit(struct kith_conn *c, struct kith_tx_batch *b, struct packet *p,
                   const struct kith_path *path, kith_time now)
{
    const size_t n = model_seal(&c->key, p->room, (size_t)(p->w.p - p->w.start));

    kith_tx_commit(b, path, 0, n);
    p->sent.size = (uint16_t)n;
    model_sent_note(c, &p->sent);
    count_out(c, n, p->sent.eliciting, now);
    if (p->acks) {
        c->in.ack_at = KITH_NEVER;
        c->in.unacked = 0;
    }
}

/* ---- frames ---- */

/* Not before it is due, even where something leaves for the same peer: so does the real engine, and
 * simulations count packets. */
static bool must_ack(const struct kith_conn *c, kith_time now)
{
    return c->in.unacked > 0 && c->in.ack_at <= now;
}

static void put_ack(struct kith_conn *c, struct packet *p, kith_time now)
{
    const struct model_ranges *got = &c->in.got;
    const size_t n = got->n < MODEL_GOT_MAX ? got->n : MODEL_GOT_MAX;

    if (!must_ack(c, now) || n == 0 || room_in(p) < ACK_HEAD + n * 2 * sizeof(uint32_t))
        return;
    const kith_dur delay = kith_since(now, c->in.largest_at) / KITH_USEC;
    kith_put_u8(&p->w, MODEL_ACK);
    kith_put_u32(&p->w, delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX);
    kith_put_u8(&p->w, (uint8_t)n);
    for (size_t i = 0; i < n; i++) { /* the latest first */
        kith_put_u32(&p->w, (uint32_t)got->r[got->n - 1 - i].from);
        kith_put_u32(&p->w, (uint32_t)got->r[got->n - 1 - i].to);
    }
    p->acks = true;
}

static void put_done(struct kith_conn *c, struct packet *p)
{
    if (!c->done_owed || !has_room(p, 1))
        return;
    c->done_owed = false;
    kith_put_u8(&p->w, MODEL_DONE);
    add_item(p, (struct model_item){.frame = MODEL_DONE});
}

static void put_max_data(struct kith_conn *c, struct packet *p)
{
    if (!c->flow.max_owed || !has_room(p, 1 + 8))
        return;
    c->flow.max_owed = false;
    kith_put_u8(&p->w, MODEL_MAX_DATA);
    kith_put_u64(&p->w, c->flow.rx_max);
    add_item(p, (struct model_item){.frame = MODEL_MAX_DATA});
}

static void put_max_streams(struct kith_conn *c, struct packet *p)
{
    if (!c->flow.max_streams_owed || !has_room(p, 1 + 4))
        return;
    c->flow.max_streams_owed = false;
    kith_put_u8(&p->w, MODEL_MAX_STREAMS);
    kith_put_u32(&p->w, c->flow.peer_may_open);
    add_item(p, (struct model_item){.frame = MODEL_MAX_STREAMS});
}

/* A frame about a stream that has one or two numbers; false when it is not owed or has no room. */
static bool put_about(const struct model_stream *s, struct packet *p, bool *owed,
                      enum model_frame frame, uint64_t first)
{
    if (!*owed || !has_room(p, 1 + 4 + 8 + 8))
        return false;
    *owed = false;
    kith_put_u8(&p->w, (uint8_t)frame);
    kith_put_u32(&p->w, (uint32_t)s->id);
    kith_put_u64(&p->w, first);
    add_item(p, (struct model_item){.frame = (uint8_t)frame, .stream = (uint32_t)s->id});
    return true;
}

static void put_controls(struct model_stream *s, struct packet *p)
{
    if (put_about(s, p, &s->tx.reset_owed, MODEL_RESET_STREAM, s->tx.sent))
        kith_put_u64(&p->w, s->tx.code);
    (void)put_about(s, p, &s->rx.stop_owed, MODEL_STOP_SENDING, s->rx.code);
    (void)put_about(s, p, &s->rx.max_owed, MODEL_MAX_STREAM_DATA, s->rx.max);
}

/* How many new bytes the peer's windows allow. */
static uint64_t new_bytes(const struct model_stream *s)
{
    const struct kith_conn *c = s->conn;
    uint64_t n = s->tx.end - s->tx.sent;

    n = n < s->tx.max - s->tx.sent ? n : s->tx.max - s->tx.sent;
    return n < c->flow.tx_max - c->flow.tx_used ? n : c->flow.tx_max - c->flow.tx_used;
}

/* A piece of s from `at`, with its end when that is where it ends. How many bytes. */
static size_t put_piece(struct model_stream *s, struct packet *p, uint64_t at, uint64_t most)
{
    const size_t room = room_in(p) - STREAM_HEAD;
    const struct kith_span data = model_stream_bytes(s, at, most < room ? (size_t)most : room);
    const bool fin = s->tx.fin && s->tx.fin_owed && at + data.n == s->tx.end;
    const enum model_frame frame = fin ? MODEL_STREAM_FIN : MODEL_STREAM;

    kith_put_u8(&p->w, (uint8_t)frame);
    kith_put_u32(&p->w, (uint32_t)s->id);
    kith_put_u64(&p->w, at);
    kith_put_bytes(&p->w, data, 2, MODEL_UDP);
    add_item(p, (struct model_item){.frame = (uint8_t)frame,
                                    .len = (uint16_t)data.n,
                                    .stream = (uint32_t)s->id,
                                    .offset = at});
    if (fin)
        s->tx.fin_owed = false;
    return data.n;
}

/* What was lost goes first. Cutting at the front of a range takes no memory. */
static bool put_lost(struct model_stream *s, struct packet *p)
{
    struct model_range *r = s->tx.owed.r;

    if (s->tx.owed.n == 0)
        return false;
    r->from += put_piece(s, p, r->from, r->to - r->from);
    if (r->from == r->to)
        model_ranges_drop_first(&s->tx.owed);
    return true;
}

static bool put_new(struct model_stream *s, struct packet *p)
{
    const uint64_t most = new_bytes(s);
    const bool end = s->tx.fin_owed && s->tx.sent + most == s->tx.end;

    if (most == 0 && !end)
        return false;
    const size_t n = put_piece(s, p, s->tx.sent, most);
    s->tx.sent += n;
    s->conn->flow.tx_used += n;
    return true;
}

static bool put_stream(struct model_stream *s, struct packet *p)
{
    put_controls(s, p);
    if (s->tx.closed || s->gone || !has_room(p, STREAM_HEAD + STREAM_WORTH))
        return false;
    return put_lost(s, p) || put_new(s, p);
}

/* Whether there is nothing of it left to send, whatever windows say. */
static bool is_silent(const struct model_stream *s)
{
    if (s->tx.reset_owed || s->rx.stop_owed || s->rx.max_owed)
        return false;
    return s->tx.closed || (s->tx.owed.n == 0 && s->tx.sent == s->tx.end && !s->tx.fin_owed);
}

/* Streams take turns: the one that just sent goes last. */
static void put_streams(struct kith_conn *c, struct packet *p)
{
    struct kith_link *l = c->sendable.next, *last = c->sendable.prev;
    bool end = kith_list_empty(&c->sendable);

    while (!end && has_room(p, STREAM_HEAD + STREAM_WORTH)) {
        struct model_stream *s = KITH_OF(l, struct model_stream, send);
        end = l == last;
        l = l->next;
        const bool spoke = put_stream(s, p);
        if (is_silent(s)) {
            kith_list_remove(&s->send);
        } else if (spoke) {
            kith_list_remove(&s->send);
            kith_list_append(&c->sendable, &s->send);
        }
    }
}

/* ---- packets ---- */

/* All there is to say that fits; `whole`: not only what came. */
static void fill(struct kith_conn *c, struct packet *p, bool whole, kith_time now)
{
    put_ack(c, p, now);
    if (!whole)
        return;
    put_done(c, p);
    put_max_data(c, p);
    put_max_streams(c, p);
    put_streams(c, p);
    if (c->out.probes > 0 && !p->sent.eliciting && room_in(p) > 0) {
        kith_put_u8(&p->w, MODEL_PING);
        p->sent.eliciting = p->other = true;
    }
}

enum wrote { WROTE_PACKET, WROTE_NOTHING, WROTE_BLOCKED, WROTE_FAILED };

static enum wrote write_packet(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    const size_t most = model_mtu(c);
    const bool whole = model_may_send(c, most);
    struct packet p;

    if (!whole && !must_ack(c, now))
        return WROTE_NOTHING;
    int err = model_sent_room(c);
    if (err == KITH_E_AGAIN)
        return WROTE_NOTHING;
    if (err < 0) {
        model_fail(c, err, now);
        return WROTE_FAILED;
    }
    if (!begin(c, b, most, &p, now))
        return WROTE_BLOCKED;
    fill(c, &p, whole, now);
    if (!p.other && !p.acks)
        return WROTE_NOTHING;
    commit(c, b, &p, &c->path, now);
    if (p.sent.eliciting && p.sent.n == 0)
        c->out.probes = 0; /* one question is enough */
    return WROTE_PACKET;
}

/* Challenges and their answers go their own ways, and fill a packet (RFC 9000 8.2). */
static bool write_check(struct kith_conn *c, struct kith_tx_batch *b, enum model_frame frame,
                        uint64_t data, const struct kith_path *path, kith_time now)
{
    struct packet p;

    if (model_sent_room(c) < 0)
        return true; /* as good as lost */
    if (!begin(c, b, MODEL_BASE, &p, now))
        return false;
    kith_put_u8(&p.w, (uint8_t)frame);
    kith_put_u64(&p.w, data);
    memset(p.w.p, MODEL_PADDING, room_in(&p));
    p.w.p = p.w.end;
    commit(c, b, &p, path, now);
    return true;
}

static bool write_checks(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    if (c->move.response_owed) {
        if (!write_check(c, b, MODEL_RESPONSE, c->move.response, &c->move.answer, now))
            return false;
        c->move.response_owed = false;
    }
    if (c->move.challenge_owed) {
        if (!write_check(c, b, MODEL_CHALLENGE, c->move.challenge, &c->move.next, now))
            return false;
        c->move.challenge_owed = false;
    }
    return true;
}

static size_t put_close(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    const bool owners = c->end.kind == KITH_END_LOCAL;
    struct packet p;

    if (!begin(c, b, MODEL_BASE, &p, now))
        return 0;
    kith_put_u8(&p.w, MODEL_CLOSE);
    kith_put_u8(&p.w, owners);
    kith_put_u64(&p.w, c->end.code);
    kith_put_bytes(&p.w, kith_span_text(c->end.text), 1, sizeof c->end.text);
    c->out.first = ++c->out.next;
    return model_seal(&c->key, p.room, (size_t)(p.w.p - p.w.start));
}

static bool write_close(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    if (!c->close_due)
        return true;
    uint8_t *room = kith_tx_room(b);
    if (room == NULL)
        return false;
    const bool sure = c->keyed && (c->dialled ? c->in.any : c->owned);
    const size_t n = sure ? put_close(c, b, now) : model_handshake_refuse(c, room);
    kith_tx_commit(b, &c->path, 0, n);
    count_out(c, n, false, now);
    c->close_due = false;
    model_conn_settle(c, now);
    return true;
}

static enum wrote write_turn(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    enum wrote w = WROTE_PACKET;

    for (int packets = 0; packets < PACKETS_PER_TURN && w == WROTE_PACKET; packets++)
        w = write_packet(c, b, now);
    if (w == WROTE_PACKET)
        model_mark_dirty(c); /* others first, then the rest */
    return w;
}

bool model_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    if (c->state == MODEL_CLOSED)
        return write_close(c, b, now);
    if (c->state == MODEL_HANDSHAKE && !model_handshake_write(c, b, now))
        return false;
    if (c->state == MODEL_HANDSHAKE && !(c->dialled && c->keyed))
        return true;
    if (!write_checks(c, b, now))
        return false;
    switch (write_turn(c, b, now)) {
    case WROTE_PACKET:
    case WROTE_NOTHING: break;
    case WROTE_BLOCKED: return false;
    case WROTE_FAILED: return write_close(c, b, now);
    }
    model_refresh_due(c, now);
    if (c->wants_room) {
        c->wants_room = c->wants_writable = false;
        c->tell_writable = true;
        model_mark_ready(c);
    }
    return true;
}

/* ---- datagrams ---- */

size_t kith_conn_datagram_max(const struct kith_conn *c)
{
    return c->state == MODEL_ESTABLISHED ? model_mtu(c) - MODEL_OVERHEAD : 0;
}

static int hold_back(struct kith_conn *c, bool by_batch)
{
    c->wants_writable = true;
    c->wants_room = by_batch;
    if (by_batch)
        model_mark_dirty(c);
    return KITH_E_AGAIN;
}

int kith_conn_datagram_send(struct kith_conn *c, struct kith_tx_batch *b,
                            const struct kith_span *parts, size_t n, kith_time now)
{
    struct packet p;
    size_t len = 0;

    if (c->state != MODEL_ESTABLISHED)
        return KITH_E_STATE;
    if (n > PARTS_MAX)
        return KITH_E_INVAL;
    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    if (len > kith_conn_datagram_max(c))
        return KITH_E_TOOBIG;
    /* streams have a turn before every datagram, which could else take all that may go */
    if (!kith_list_empty(&c->sendable) && write_packet(c, b, now) == WROTE_FAILED)
        return KITH_E_STATE;
    if (!model_may_send(c, len + MODEL_OVERHEAD))
        return hold_back(c, false);
    int err = model_sent_room(c);
    if (err < 0)
        return err == KITH_E_AGAIN ? hold_back(c, false) : err;
    if (!begin(c, b, model_mtu(c), &p, now))
        return hold_back(c, true);
    if (room_in(&p) >= len + 3 + ACK_HEAD + MODEL_GOT_MAX * 8)
        put_ack(c, &p, now);
    kith_put_u8(&p.w, MODEL_DATAGRAM);
    kith_put_u16(&p.w, (uint16_t)len);
    for (size_t i = 0; i < n; i++)
        kith_put_span(&p.w, parts[i]);
    p.sent.eliciting = true;
    commit(c, b, &p, &c->path, now);
    model_refresh_due(c, now);
    return KITH_OK;
}
