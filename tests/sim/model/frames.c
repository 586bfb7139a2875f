/* frames.c: what a packet says, as far as it has room. */
#include "sim/model/model.h"

enum {
    STREAM_HEAD = 1 + 4 + 8 + 2,
    STREAM_WORTH = 64, /* room below which a piece of a stream waits for the next packet */
};

bool model_packet_begin(struct kith_conn *c, struct kith_tx_batch *b, size_t most,
                        struct model_packet *p, kith_time now)
{
    *p = (struct model_packet){.room = kith_tx_room(b), .sent = {.at = now}};
    if (p->room == NULL)
        return false;
    p->w = kith_writer_on(p->room, most - MODEL_TAG);
    kith_put_u8(&p->w, MODEL_SHORT);
    kith_put_span(&p->w, KITH_SPAN_OF(c->dcid));
    kith_put_u32(&p->w, c->out.next);
    return true;
}

size_t model_packet_room(const struct model_packet *p)
{
    return (size_t)(p->w.end - p->w.p);
}

static bool has_room(const struct model_packet *p, size_t n)
{
    return p->sent.n < MODEL_ITEMS && model_packet_room(p) >= n;
}

/* The packet says this, and says it again should it be lost. */
static void add_item(struct model_packet *p, struct model_item item)
{
    p->sent.item[p->sent.n++] = item;
    p->sent.eliciting = p->other = true;
}

/* Not before it is due, even where something leaves for the same peer: so does the real engine, and
 * simulations count packets. */
bool model_must_ack(const struct kith_conn *c, kith_time now)
{
    return c->in.unacked > 0 && c->in.ack_at <= now;
}

void model_packet_ack(struct kith_conn *c, struct model_packet *p, kith_time now)
{
    const struct model_ranges *got = &c->in.got;
    const size_t n = got->n < MODEL_GOT_MAX ? got->n : MODEL_GOT_MAX;

    if (!model_must_ack(c, now) || n == 0 || model_packet_room(p) < MODEL_ACK_MAX)
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

static void put_done(struct kith_conn *c, struct model_packet *p)
{
    if (!c->done_owed || !has_room(p, 1))
        return;
    c->done_owed = false;
    kith_put_u8(&p->w, MODEL_DONE);
    add_item(p, (struct model_item){.frame = MODEL_DONE});
}

static void put_max_data(struct kith_conn *c, struct model_packet *p)
{
    if (!c->flow.max_owed || !has_room(p, 1 + 8))
        return;
    c->flow.max_owed = false;
    kith_put_u8(&p->w, MODEL_MAX_DATA);
    kith_put_u64(&p->w, c->flow.rx_max);
    add_item(p, (struct model_item){.frame = MODEL_MAX_DATA});
}

static void put_max_streams(struct kith_conn *c, struct model_packet *p)
{
    if (!c->flow.max_streams_owed || !has_room(p, 1 + 4))
        return;
    c->flow.max_streams_owed = false;
    kith_put_u8(&p->w, MODEL_MAX_STREAMS);
    kith_put_u32(&p->w, c->flow.peer_may_open);
    add_item(p, (struct model_item){.frame = MODEL_MAX_STREAMS});
}

/* A frame about a stream that has one or two numbers; false when it is not owed or has no room. */
static bool put_about(const struct model_stream *s, struct model_packet *p, bool *owed,
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

static void put_controls(struct model_stream *s, struct model_packet *p)
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
static size_t put_piece(struct model_stream *s, struct model_packet *p, uint64_t at, uint64_t most)
{
    const size_t room = model_packet_room(p) - STREAM_HEAD;
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
static bool put_lost(struct model_stream *s, struct model_packet *p)
{
    struct model_range *r = s->tx.owed.r;

    if (s->tx.owed.n == 0)
        return false;
    r->from += put_piece(s, p, r->from, r->to - r->from);
    if (r->from == r->to)
        model_ranges_drop_first(&s->tx.owed);
    return true;
}

static bool put_new(struct model_stream *s, struct model_packet *p)
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

static bool put_stream(struct model_stream *s, struct model_packet *p)
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
static void put_streams(struct kith_conn *c, struct model_packet *p)
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

/* All there is to say that fits; `whole`: not only what came. */
void model_packet_fill(struct kith_conn *c, struct model_packet *p, bool whole, kith_time now)
{
    model_packet_ack(c, p, now);
    if (!whole)
        return;
    put_done(c, p);
    put_max_data(c, p);
    put_max_streams(c, p);
    put_streams(c, p);
    if (c->out.probes > 0 && !p->sent.eliciting && model_packet_room(p) > 0) {
        kith_put_u8(&p->w, MODEL_PING);
        p->sent.eliciting = p->other = true;
    }
}
