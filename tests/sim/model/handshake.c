/* handshake.c: how a connection begins: three flights of as many datagrams as the real ones fill
 * with ML-KEM-768 shares and ML-DSA-65 keys and signatures.
 *
 * HELLO goes to the accepting side, ANSWER comes back, FINISH goes there; what says that it came
 * is the frame DONE. Each piece of a flight says all there is to say, so only their number matters.
 * Who misses some says which have come; who hears nothing repeats what may be lost. */
#include "sim/model/model.h"

#include "base/text.h"

enum {
    MAGIC = 0x4b4d444c,   /* "KMDL" */
    GATHER = 5,           /* ms that an incomplete flight is waited for, as in the real engine */
    NO_PIECE = 0xff,      /* index in a packet that has only news */
    BACKOFF_MAX = 6,      /* doublings */
    AMPLIFY = 3,          /* RFC 9000 8.1 */
    REFUSED_BY_ALERT = 1, /* kinds of MODEL_REFUSE */
    REFUSED_BY_OWNER = 2,
    ALERT = 46, /* certificate_unknown */
};

static const uint8_t pieces_of[MODEL_FLIGHTS] = {2, 6, 5};

static uint8_t all_pieces(enum model_flight f)
{
    return (uint8_t)((1u << pieces_of[f]) - 1);
}

struct piece {
    struct model_id dcid, scid;
    uint8_t flight, index, have;
    struct kith_peer_id from;
    uint8_t nonce[MODEL_NONCE], token[MODEL_TOKEN];
};

/* ---- out ---- */

static struct kith_writer begin_packet(uint8_t *room, enum model_type type,
                                       const struct model_id *dcid)
{
    struct kith_writer w = kith_writer_on(room, MODEL_BASE - MODEL_TAG);

    kith_put_u8(&w, (uint8_t)type);
    kith_put_span(&w, KITH_SPAN_OF(*dcid));
    kith_put_u32(&w, MAGIC);
    return w;
}

static size_t finish_packet(const struct model_id *dcid, uint8_t *room, size_t n)
{
    const struct model_key key = model_first_key(dcid);

    return model_seal(&key, room, n);
}

static size_t put_piece(const struct kith_conn *c, uint8_t index, uint8_t *room)
{
    struct kith_writer w = begin_packet(room, MODEL_FLIGHT, &c->dcid);
    uint8_t token[MODEL_TOKEN] = {0};
    size_t n = 0;

    if (!c->dialled) /* as in QUIC a dialler's first id has none */
        model_reset_token(&c->q->cfg, &c->scid, token);
    kith_put_span(&w, KITH_SPAN_OF(c->scid));
    kith_put_u8(&w, (uint8_t)c->hs.flight);
    kith_put_u8(&w, index);
    kith_put_u8(&w, c->hs.theirs);
    kith_put_span(&w, KITH_SPAN_OF(c->q->self));
    kith_put_span(&w, KITH_SPAN_OF(c->nonce));
    kith_put_span(&w, KITH_SPAN_OF(token));
    if (kith_writer_done(&w, &n) < 0)
        return 0;
    if (index != NO_PIECE) {
        memset(room + n, 0, MODEL_BASE - MODEL_TAG - n);
        n = MODEL_BASE - MODEL_TAG;
    }
    return finish_packet(&c->dcid, room, n);
}

size_t model_handshake_refuse(const struct kith_conn *c, uint8_t *room)
{
    struct kith_writer w = begin_packet(room, MODEL_REFUSE, &c->dcid);
    const bool alert = c->end.kind == KITH_END_REFUSED;
    size_t n = 0;

    kith_put_u8(&w, alert ? REFUSED_BY_ALERT : REFUSED_BY_OWNER);
    kith_put_u64(&w, alert ? ALERT : c->end.code);
    kith_put_bytes(&w, kith_span_text(c->end.text), 1, sizeof c->end.text);
    return kith_writer_done(&w, &n) < 0 ? 0 : finish_packet(&c->dcid, room, n);
}

/* Whether another datagram is allowed to somebody who may not be where it says. */
static bool may_write(const struct kith_conn *c)
{
    return c->dialled || c->hs.may_answer ||
           c->hs.bytes_out + MODEL_BASE <= AMPLIFY * c->hs.bytes_in;
}

static bool send_piece(struct kith_conn *c, struct kith_tx_batch *b, uint8_t index)
{
    uint8_t *room = kith_tx_room(b);

    if (room == NULL)
        return false;
    const size_t n = put_piece(c, index, room);
    kith_tx_commit(b, &c->path, 0, n);
    c->hs.bytes_out += (uint32_t)n;
    c->bytes_out += n;
    c->packets_out++;
    c->hs.owes_news = false;
    c->hs.news_at = KITH_NEVER;
    return true;
}

static bool send_unsent(struct kith_conn *c, struct kith_tx_batch *b)
{
    for (uint8_t i = 0; i < MODEL_PIECES_MAX && c->hs.unsent != 0; i++) {
        if ((c->hs.unsent & 1u << i) == 0)
            continue;
        if (!may_write(c))
            return true;
        if (!send_piece(c, b, i))
            return false;
        c->hs.unsent &= (uint8_t)~(1u << i);
        c->hs.turn[i] = c->hs.turns;
    }
    return true;
}

bool model_handshake_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now)
{
    struct model_handshake *hs = &c->hs;

    if (hs->unsent != 0) {
        if (hs->turns++ == 0)
            hs->sent_at = now;
        if (!send_unsent(c, b))
            return false;
    }
    if (hs->owes_news && may_write(c) && !send_piece(c, b, NO_PIECE))
        return false;
    if (hs->repeat_at <= now)
        hs->repeat_at = kith_after(now, model_pto(c) << hs->tries);
    model_refresh_due(c, now);
    return true;
}

void model_handshake_begin(struct kith_conn *c, enum model_flight flight)
{
    struct model_handshake *hs = &c->hs;

    hs->flight = flight;
    hs->unsent = hs->missing = all_pieces(flight);
    hs->turns = hs->tries = 0;
    hs->repeat_at = 0; /* counted from when it is written */
    hs->news_at = KITH_NEVER;
    hs->owes_news = false;
    model_mark_dirty(c);
}

/* ---- time ---- */

kith_time model_handshake_deadline(const struct kith_conn *c)
{
    if (c->state != MODEL_HANDSHAKE)
        return KITH_NEVER;
    /* 0: it is written in the next flush */
    return kith_sooner(c->hs.news_at, c->hs.repeat_at == 0 ? KITH_NEVER : c->hs.repeat_at);
}

void model_handshake_tick(struct kith_conn *c, kith_time now)
{
    struct model_handshake *hs = &c->hs;

    if (c->state != MODEL_HANDSHAKE)
        return;
    if (hs->news_at <= now) {
        hs->news_at = KITH_NEVER;
        hs->owes_news = true;
    }
    if (hs->repeat_at <= now && hs->repeat_at != 0) {
        hs->unsent = hs->missing;
        hs->owes_news = true;
        if (hs->tries < BACKOFF_MAX)
            hs->tries++;
    }
}

/* ---- in ---- */

static int parse(struct kith_span packet, struct piece *ret)
{
    struct kith_reader r = kith_reader_on(packet);

    (void)kith_get_u8(&r);
    kith_get_copy(&r, ret->dcid.b, sizeof ret->dcid.b);
    const uint32_t magic = kith_get_u32(&r);
    kith_get_copy(&r, ret->scid.b, sizeof ret->scid.b);
    ret->flight = kith_get_u8(&r);
    ret->index = kith_get_u8(&r);
    ret->have = kith_get_u8(&r);
    kith_get_copy(&r, ret->from.b, sizeof ret->from.b);
    kith_get_copy(&r, ret->nonce, sizeof ret->nonce);
    kith_get_copy(&r, ret->token, sizeof ret->token);
    return r.bad || magic != MAGIC || ret->flight >= MODEL_FLIGHTS ? KITH_E_MALFORMED : KITH_OK;
}

bool model_is_hello(struct kith_span packet)
{
    struct piece p;

    return parse(packet, &p) >= 0 && p.flight == MODEL_FLIGHT_HELLO &&
           p.index < pieces_of[MODEL_FLIGHT_HELLO] && packet.n == MODEL_BASE - MODEL_TAG;
}

/* The peer's flight that is waited for. */
static enum model_flight wanted(const struct kith_conn *c)
{
    if (c->dialled)
        return MODEL_FLIGHT_ANSWER;
    return c->hs.flight == MODEL_FLIGHT_HELLO ? MODEL_FLIGHT_HELLO : MODEL_FLIGHT_FINISH;
}

static void refuse_peer(struct kith_conn *c, kith_time now)
{
    c->end.kind = KITH_END_REFUSED;
    c->end.refusal = KITH_REFUSAL_PEER;
    c->end.code = ALERT;
    kith_format(c->end.text, sizeof c->end.text, "the key is not the one that was dialled");
    model_enter_closed(c, true, false, now);
}

/* The dialling side has all of the ANSWER. */
static void take_answer(struct kith_conn *c, const struct piece *p, kith_time now)
{
    if (!kith_peer_id_equal(&p->from, &c->peer)) {
        refuse_peer(c, now);
        return;
    }
    if (kith_map_put(&c->q->tokens, p->token, c) < 0) {
        model_fail(c, KITH_E_NOMEM, now);
        return;
    }
    memcpy(c->peer_token, p->token, sizeof c->peer_token);
    model_agree(c->nonce, p->nonce, c->exporter, &c->key);
    c->keyed = true;
    model_handshake_begin(c, MODEL_FLIGHT_FINISH);
}

static void take_flight(struct kith_conn *c, enum model_flight f, const struct piece *p,
                        kith_time now)
{
    switch (f) {
    case MODEL_FLIGHT_HELLO:
        model_agree(p->nonce, c->nonce, c->exporter, &c->key);
        c->keyed = true;
        model_handshake_begin(c, MODEL_FLIGHT_ANSWER);
        c->hs.theirs = 0;
        break;
    case MODEL_FLIGHT_ANSWER: take_answer(c, p, now); break;
    case MODEL_FLIGHT_FINISH:
        c->peer = p->from;
        c->done_owed = true;
        model_mark_dirty(c);
        model_establish(c);
        break;
    case MODEL_FLIGHTS: break;
    }
}

/* The peer speaks of what comes after our flight, so it has it all. */
static void take_progress(struct kith_conn *c, kith_time now)
{
    struct model_handshake *hs = &c->hs;

    if (hs->missing != 0 && hs->turns == 1)
        model_rtt_sample(&c->out, kith_since(now, hs->sent_at), 0);
    hs->unsent = hs->missing = 0;
}

static void take_piece(struct kith_conn *c, const struct piece *p, kith_time now)
{
    struct model_handshake *hs = &c->hs;
    const enum model_flight want = wanted(c);

    if (p->flight != want || p->index >= pieces_of[want])
        return;
    if (want != MODEL_FLIGHT_HELLO && hs->flight < want)
        take_progress(c, now);
    c->dcid = p->scid;
    const bool news = (hs->theirs & 1u << p->index) == 0;
    hs->theirs |= (uint8_t)(1u << p->index);
    if (news)
        hs->tries = 0;
    if (news && hs->theirs == all_pieces(want))
        take_flight(c, want, p, now);
    else if (hs->news_at == KITH_NEVER && want != MODEL_FLIGHT_HELLO)
        hs->news_at = kith_after(now, GATHER * KITH_MSEC);
}

/* Of a flight that came in part, what is missing was lost, if it was not sent after what came. */
static void take_news(struct kith_conn *c, uint8_t have)
{
    struct model_handshake *hs = &c->hs;
    uint8_t newest = 0;

    if ((hs->missing & have) == 0)
        return;
    for (unsigned i = 0; i < MODEL_PIECES_MAX; i++)
        if ((hs->missing & have & 1u << i) != 0 && hs->turn[i] > newest)
            newest = hs->turn[i];
    hs->missing &= (uint8_t)~have;
    hs->tries = 0;
    for (unsigned i = 0; i < MODEL_PIECES_MAX; i++)
        if ((hs->missing & 1u << i) != 0 && hs->turn[i] <= newest)
            hs->unsent |= (uint8_t)(1u << i);
}

/* What a packet's sender has of ours is told by its present flight: a dialler's HELLO cannot know
 * of the ANSWER yet. */
static bool tells_of(const struct kith_conn *c, const struct piece *p)
{
    return c->dialled ? c->hs.flight == MODEL_FLIGHT_FINISH && p->flight == MODEL_FLIGHT_ANSWER
                      : c->hs.flight == MODEL_FLIGHT_ANSWER;
}

static void read_piece(struct kith_conn *c, const struct piece *p, size_t n, kith_time now)
{
    if (c->state != MODEL_HANDSHAKE)
        return;
    c->hs.bytes_in += (uint32_t)n;
    c->hs.may_answer |= memcmp(p->dcid.b, c->scid.b, sizeof p->dcid.b) == 0;
    if (tells_of(c, p))
        take_news(c, p->have);
    if (p->index != NO_PIECE)
        take_piece(c, p, now);
    if (c->hs.unsent != 0)
        model_mark_dirty(c);
    model_refresh_due(c, now);
}

static void read_refusal(struct kith_conn *c, struct kith_span packet, kith_time now)
{
    struct kith_reader r = kith_reader_on(packet);

    (void)kith_get_span(&r, 1 + MODEL_CID);
    const uint32_t magic = kith_get_u32(&r);
    const uint8_t kind = kith_get_u8(&r);
    const uint64_t code = kith_get_u64(&r);
    const struct kith_span text = kith_get_bytes(&r, 1, sizeof c->end.text - 1);
    if (kith_reader_done(&r) < 0 || magic != MAGIC)
        return;
    c->end.code = code;
    if (kind == REFUSED_BY_ALERT) {
        c->end.kind = KITH_END_REFUSED;
        c->end.refusal = KITH_REFUSAL_BY_PEER;
        kith_format(c->end.text, sizeof c->end.text, "the peer refused the handshake (alert %u)",
                    (unsigned)code);
    } else {
        c->end.kind = KITH_END_PEER;
        kith_format(c->end.text, sizeof c->end.text, "%.*s", (int)text.n, (const char *)text.p);
    }
    model_enter_closed(c, false, true, now);
}

void model_handshake_read(struct kith_conn *c, struct kith_span packet, kith_time now)
{
    struct piece p;

    if (packet.p[0] == MODEL_REFUSE)
        read_refusal(c, packet, now);
    else if (parse(packet, &p) >= 0)
        read_piece(c, &p, packet.n + MODEL_TAG, now);
}
