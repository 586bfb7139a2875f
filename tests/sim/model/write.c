/* write.c: packets with frames on their way out. */
#include "sim/model/model.h"

enum {
    PACKETS_PER_TURN = 256, /* a connection yields to others after this many */
    PARTS_MAX = 4,          /* of a datagram */
};

static void count_out(struct kith_conn *c, size_t n, bool eliciting, kith_time now)
{
    c->packets_out++;
    c->bytes_out += n;
    if (eliciting && !c->spoke) {
        c->spoke = true;
        c->idle_from = now; /* RFC 9000 10.1 */
    }
}

static void commit(struct kith_conn *c, struct kith_tx_batch *b, struct model_packet *p,
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

enum wrote { WROTE_PACKET, WROTE_NOTHING, WROTE_BLOCKED, WROTE_FAILED };

static enum wrote write_packet(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    const size_t most = model_mtu(c);
    const bool whole = model_may_send(c, most);
    struct model_packet p;

    if (!whole && !model_must_ack(c, now))
        return WROTE_NOTHING;
    int err = model_sent_room(c);
    if (err == KITH_E_AGAIN)
        return WROTE_NOTHING;
    if (err < 0) {
        model_fail(c, err, now);
        return WROTE_FAILED;
    }
    if (!model_packet_begin(c, b, most, &p, now))
        return WROTE_BLOCKED;
    model_packet_fill(c, &p, whole, now);
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
    struct model_packet p;

    if (model_sent_room(c) < 0)
        return true; /* as good as lost */
    if (!model_packet_begin(c, b, MODEL_BASE, &p, now))
        return false;
    kith_put_u8(&p.w, (uint8_t)frame);
    kith_put_u64(&p.w, data);
    memset(p.w.p, MODEL_PADDING, model_packet_room(&p));
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
    struct model_packet p;

    if (!model_packet_begin(c, b, MODEL_BASE, &p, now))
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
    struct model_packet p;
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
    if (!model_packet_begin(c, b, model_mtu(c), &p, now))
        return hold_back(c, true);
    if (model_packet_room(&p) >= len + 3 + MODEL_ACK_MAX)
        model_packet_ack(c, &p, now);
    kith_put_u8(&p.w, MODEL_DATAGRAM);
    kith_put_u16(&p.w, (uint16_t)len);
    for (size_t i = 0; i < n; i++)
        kith_put_span(&p.w, parts[i]);
    p.sent.eliciting = true;
    commit(c, b, &p, &c->path, now);
    model_refresh_due(c, now);
    return KITH_OK;
}
