/* read.c: packets in, and what their frames say. */
#include "sim/model/model.h"

/* What a packet with frames turned out to be. */
struct reading {
    struct kith_reader r;
    const struct kith_path *path;
    kith_time now;
    bool elicits, probing, newest;
};

/* ---- numbers ---- */

static bool is_known(const struct kith_conn *c, uint32_t number)
{
    return number < c->in.floor || model_ranges_hold(&c->in.got, number);
}

static int remember(struct kith_conn *c, uint32_t number)
{
    struct model_ranges *got = &c->in.got;
    int err = model_ranges_add(got, c->q->env->alloc, number, (uint64_t)number + 1);

    if (err >= 0 && got->n > MODEL_GOT_MAX) {
        model_ranges_drop_first(got);
        c->in.floor = (uint32_t)got->r[0].from;
    }
    return err;
}

/* As the real engine waits: an eighth of the round trip, within what was agreed. */
static kith_dur ack_delay(const struct kith_conn *c)
{
    const kith_dur delay = c->out.srtt / 8;

    return delay < MODEL_MAX_ACK_DELAY ? delay : MODEL_MAX_ACK_DELAY;
}

/* RFC 9000 13.2: every second is acknowledged at once, and what comes out of order. */
static void owe_ack(struct kith_conn *c, uint32_t number, bool newest, kith_time now)
{
    const bool in_order = newest && (!c->in.any || number == c->in.largest + 1);

    c->in.unacked++;
    if (c->in.unacked >= 2 || !in_order || c->state == MODEL_HANDSHAKE)
        c->in.ack_at = now;
    else
        c->in.ack_at = kith_sooner(c->in.ack_at, kith_after(now, ack_delay(c)));
}

/* ---- frames ---- */

static int read_ack(struct kith_conn *c, struct reading *in)
{
    const kith_dur delay = kith_get_u32(&in->r) * KITH_USEC;
    const uint8_t n = kith_get_u8(&in->r);
    int err = KITH_OK;

    for (uint8_t i = 0; i < n && err >= 0; i++) {
        const uint32_t from = kith_get_u32(&in->r), to = kith_get_u32(&in->r);
        if (in->r.bad || from >= to)
            return KITH_E_PROTOCOL;
        err = model_sent_acked(c, from, to, delay, in->now);
    }
    return err >= 0 ? model_sent_judge(c, in->now) : err;
}

static int read_stream(struct kith_conn *c, struct reading *in, bool fin)
{
    const int64_t id = kith_get_u32(&in->r);
    const uint64_t offset = kith_get_u64(&in->r);
    const struct kith_span data = kith_get_bytes(&in->r, 2, MODEL_UDP);
    struct model_stream *s;

    if (in->r.bad)
        return KITH_E_PROTOCOL;
    int err = model_stream_get(c, id, &s);
    if (err < 0 || s == NULL)
        return err;
    return model_stream_arrived(s, offset, data, fin);
}

static int read_datagram(struct kith_conn *c, struct reading *in)
{
    const struct kith_span data = kith_get_bytes(&in->r, 2, MODEL_UDP);

    if (in->r.bad)
        return KITH_E_PROTOCOL;
    if (c->state == MODEL_ESTABLISHED && c->q->sink.datagram != NULL)
        c->q->sink.datagram(c->q->sink.ctx, c, data, 0, in->now);
    return KITH_OK;
}

static int read_max_data(struct kith_conn *c, struct reading *in)
{
    const uint64_t max = kith_get_u64(&in->r);

    c->flow.tx_max = max > c->flow.tx_max ? max : c->flow.tx_max;
    return KITH_OK;
}

static int read_max_streams(struct kith_conn *c, struct reading *in)
{
    const uint32_t max = kith_get_u32(&in->r);

    c->flow.may_open = max > c->flow.may_open ? max : c->flow.may_open;
    return KITH_OK;
}

static int read_max_stream_data(struct kith_conn *c, struct reading *in)
{
    const int64_t id = kith_get_u32(&in->r);
    const uint64_t max = kith_get_u64(&in->r);
    struct model_stream *s;
    int err = in->r.bad ? KITH_E_PROTOCOL : model_stream_get(c, id, &s);

    if (err < 0 || s == NULL)
        return err;
    s->tx.max = max > s->tx.max ? max : s->tx.max;
    model_stream_wake(s);
    return KITH_OK;
}

static int read_reset_stream(struct kith_conn *c, struct reading *in)
{
    const int64_t id = kith_get_u32(&in->r);
    const uint64_t final = kith_get_u64(&in->r);
    struct model_stream *s;

    (void)kith_get_u64(&in->r); /* the application's code, of which nobody is told */
    int err = in->r.bad ? KITH_E_PROTOCOL : model_stream_get(c, id, &s);
    if (err < 0 || s == NULL)
        return err;
    return model_stream_given_up(s, final);
}

static int read_stop_sending(struct kith_conn *c, struct reading *in)
{
    const int64_t id = kith_get_u32(&in->r);
    const uint64_t code = kith_get_u64(&in->r);
    struct model_stream *s;
    int err = in->r.bad ? KITH_E_PROTOCOL : model_stream_get(c, id, &s);

    if (err >= 0 && s != NULL)
        model_stream_stopped(s, code);
    return err;
}

static int read_challenge(struct kith_conn *c, struct reading *in)
{
    c->move.response = kith_get_u64(&in->r);
    c->move.response_owed = !in->r.bad;
    c->move.answer = *in->path;
    return KITH_OK;
}

/* The text a peer gave for its close, made safe to print. */
static void copy_reason(struct kith_conn_end *end, struct kith_span text)
{
    size_t k = 0;

    for (; k < text.n && k + 1 < sizeof end->text; k++)
        end->text[k] = text.p[k] >= 0x20 && text.p[k] < 0x7f ? (char)text.p[k] : '?';
    end->text[k] = '\0';
}

static int read_close(struct kith_conn *c, struct reading *in)
{
    const bool owners = kith_get_u8(&in->r) != 0;
    const uint64_t code = kith_get_u64(&in->r);
    const struct kith_span text = kith_get_bytes(&in->r, 1, sizeof c->end.text);

    if (in->r.bad)
        return KITH_E_PROTOCOL;
    c->end.kind = owners ? KITH_END_PEER : KITH_END_ERROR;
    c->end.err = owners ? KITH_OK : KITH_E_PROTOCOL;
    c->end.code = code;
    copy_reason(&c->end, text);
    model_enter_closed(c, false, true, in->now);
    return KITH_OK;
}

static int read_frame(struct kith_conn *c, struct reading *in)
{
    const uint8_t type = kith_get_u8(&in->r);

    in->elicits |= type != MODEL_ACK && type != MODEL_CLOSE && type != MODEL_PADDING;
    in->probing &= type == MODEL_CHALLENGE || type == MODEL_RESPONSE || type == MODEL_PADDING;
    switch (type) {
    case MODEL_PADDING: in->r.p = in->r.end; return KITH_OK;
    case MODEL_PING: return KITH_OK;
    case MODEL_ACK: return read_ack(c, in);
    case MODEL_DONE:
        if (c->dialled)
            model_establish(c);
        return KITH_OK;
    case MODEL_STREAM: return read_stream(c, in, false);
    case MODEL_STREAM_FIN: return read_stream(c, in, true);
    case MODEL_DATAGRAM: return read_datagram(c, in);
    case MODEL_MAX_DATA: return read_max_data(c, in);
    case MODEL_MAX_STREAM_DATA: return read_max_stream_data(c, in);
    case MODEL_MAX_STREAMS: return read_max_streams(c, in);
    case MODEL_RESET_STREAM: return read_reset_stream(c, in);
    case MODEL_STOP_SENDING: return read_stop_sending(c, in);
    case MODEL_CHALLENGE: return read_challenge(c, in);
    case MODEL_RESPONSE: model_path_answered(c, kith_get_u64(&in->r), in->path); return KITH_OK;
    case MODEL_CLOSE: return read_close(c, in);
    default: return KITH_E_PROTOCOL;
    }
}

/* ---- packets ---- */

static void took_packet(struct kith_conn *c, uint32_t number, const struct reading *in)
{
    if (in->elicits)
        owe_ack(c, number, in->newest, in->now);
    if (in->newest) {
        c->in.any = true;
        c->in.largest = number;
        c->in.largest_at = in->now;
    }
    model_path_noticed(c, in->path, in->newest, in->probing, in->now);
    if (c->wants_writable) {
        c->wants_writable = false;
        c->tell_writable = true;
        model_mark_ready(c);
    }
    model_mark_dirty(c);
    model_refresh_due(c, in->now);
}

static void read_frames(struct kith_conn *c, uint32_t number, struct reading *in)
{
    int err = remember(c, number);

    while (err >= 0 && kith_reader_left(&in->r) > 0 && c->state != MODEL_CLOSED) {
        err = read_frame(c, in);
        if (err >= 0 && in->r.bad)
            err = KITH_E_PROTOCOL;
    }
    if (err < 0)
        model_fail(c, err, in->now);
    else if (c->state != MODEL_CLOSED)
        took_packet(c, number, in);
}

static void read_short(struct kith_conn *c, const struct kith_path *path, struct kith_span packet,
                       kith_time now)
{
    struct reading in = {.path = path, .now = now, .probing = true};
    struct kith_span inner;

    /* the accepting side hears nothing before the other has shown who it is */
    if (!c->keyed || (!c->dialled && c->state == MODEL_HANDSHAKE) ||
        model_open(&c->key, packet, &inner) < 0)
        return;
    in.r = kith_reader_on(inner);
    (void)kith_get_span(&in.r, MODEL_HEAD - sizeof(uint32_t));
    const uint32_t number = kith_get_u32(&in.r);
    if (is_known(c, number)) /* a copy elicits nothing, or two copying links would never rest */
        return;
    model_heard(c, packet.n, now);
    in.newest = !c->in.any || number > c->in.largest;
    read_frames(c, number, &in);
}

void model_read(struct kith_conn *c, const struct kith_path *path, struct kith_span packet,
                kith_time now)
{
    struct kith_span inner;

    if (c->state == MODEL_CLOSED) {
        model_late(c);
        return;
    }
    if (packet.p[0] == MODEL_SHORT) {
        read_short(c, path, packet, now);
        return;
    }
    if (packet.p[0] != MODEL_FLIGHT && packet.p[0] != MODEL_REFUSE)
        return;
    const struct model_key key =
        model_first_key(&(struct model_id){{packet.p[1], packet.p[2], packet.p[3], packet.p[4],
                                            packet.p[5], packet.p[6], packet.p[7], packet.p[8]}});
    if (model_open(&key, packet, &inner) < 0)
        return;
    model_heard(c, packet.n, now);
    model_handshake_read(c, inner, now);
    if (c->state != MODEL_CLOSED && c->dialled)
        model_path_noticed(c, path, false, true, now);
}
