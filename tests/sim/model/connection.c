/* connection.c: one connection's life, from its first packet to the last late one. */
#include "sim/model/model.h"

#include "base/text.h"

enum { LINGER_PTOS = 3 }; /* RFC 9000 10.2 */

/* ---- beginning ---- */

static void init_flow(struct kith_conn *c)
{
    kith_list_init(&c->streams);
    kith_list_init(&c->sendable);
    kith_list_init(&c->news);
    c->flow.tx_max = c->flow.rx_max = KITH_CONN_RX_MAX;
    c->flow.may_open = c->flow.peer_may_open = KITH_CONN_STREAMS_MAX;
}

/* An empty connection in the endpoint's lists, with its place in the heap of deadlines. */
static int conn_blank(struct kith_quic *q, const struct kith_path *path, kith_time now,
                      struct kith_conn **ret)
{
    struct kith_conn *c = kith_new_zero(q->env->alloc, sizeof *c);

    if (c == NULL)
        return KITH_E_NOMEM;
    c->q = q;
    c->path = *path;
    c->opened_at = c->heard_at = c->idle_from = now;
    c->hs.news_at = c->hs.repeat_at = c->in.ack_at = c->move.try_at = KITH_NEVER;
    kith_list_init(&c->dirty);
    kith_list_init(&c->ready);
    init_flow(c);
    model_sent_init(&c->out);
    if (kith_due_set(&q->due, &c->due, KITH_NEVER - 1) < 0) {
        kith_free(q->env->alloc, c);
        return KITH_E_NOMEM;
    }
    kith_list_append(&q->conns, &c->all);
    q->n_conns++;
    c->scid = model_cid_fresh(q);
    kith_random_fill(q->env->random, c->nonce, sizeof c->nonce);
    *ret = c;
    return KITH_OK;
}

int kith_quic_dial(struct kith_quic *q, const struct kith_path *path,
                   const struct kith_peer_id *peer, void *owner, kith_time now,
                   struct kith_conn **ret)
{
    struct kith_conn *c;

    if (q->n_conns >= q->cfg.connections_max)
        return KITH_E_FULL;
    int err = conn_blank(q, path, now, &c);
    if (err < 0)
        return err;
    c->dialled = c->owned = true;
    c->owner = owner;
    c->peer = *peer;
    kith_random_fill(q->env->random, c->first_dcid.b, sizeof c->first_dcid.b);
    c->dcid = c->first_dcid;
    err = kith_map_put(&q->cids, c->scid.b, c);
    if (err < 0) {
        model_conn_destroy(c);
        return err;
    }
    model_handshake_begin(c, MODEL_FLIGHT_HELLO);
    model_refresh_due(c, now);
    q->count.dialled++;
    *ret = c;
    return KITH_OK;
}

int model_conn_accept(struct kith_quic *q, const struct kith_path *path,
                      const struct model_id *first_dcid, kith_time now, struct kith_conn **ret)
{
    struct kith_conn *c;
    int err = conn_blank(q, path, now, &c);

    if (err < 0)
        return err;
    q->n_handshakes++;
    c->counted = true;
    c->first_dcid = *first_dcid;
    err = kith_map_put(&q->cids, c->scid.b, c);
    if (err >= 0)
        err = kith_map_put(&q->cids, c->first_dcid.b, c);
    if (err < 0) {
        model_conn_destroy(c);
        return err;
    }
    q->count.accepted++;
    *ret = c;
    return KITH_OK;
}

void model_establish(struct kith_conn *c)
{
    if (c->state != MODEL_HANDSHAKE)
        return;
    model_handshake_over(c);
    c->state = MODEL_ESTABLISHED;
    c->tell_established = c->owned = true;
    c->q->count.established++;
    model_mark_ready(c);
}

void model_handshake_over(struct kith_conn *c)
{
    c->q->n_handshakes -= c->counted;
    c->counted = false;
}

/* ---- the end ---- */

static void forget(struct kith_map *m, const void *key, const struct kith_conn *c)
{
    if (kith_map_find(m, key) == c)
        (void)kith_map_take(m, key);
}

void model_conn_destroy(struct kith_conn *c)
{
    struct kith_quic *q = c->q;

    forget(&q->cids, c->scid.b, c);
    forget(&q->cids, c->first_dcid.b, c);
    forget(&q->tokens, c->peer_token, c);
    while (!kith_list_empty(&c->streams)) {
        struct model_stream *s = KITH_OF(c->streams.next, struct model_stream, all);
        if (q->spent == s)
            q->spent = NULL;
        model_stream_free(s);
    }
    model_handshake_over(c);
    q->n_lingering -= c->linger_until != 0;
    kith_list_remove(&c->all);
    kith_list_remove(&c->dirty);
    kith_list_remove(&c->ready);
    kith_due_remove(&q->due, &c->due);
    q->n_conns--;
    model_sent_fini(c);
    model_ranges_fini(&c->in.got, q->env->alloc);
    model_ranges_fini(&c->flow.peer_opened, q->env->alloc);
    kith_free(q->env->alloc, c);
}

void model_conn_settle(struct kith_conn *c, kith_time now)
{
    bool waits = c->owned && !c->freed;

    if (c->state == MODEL_CLOSED && !waits && !c->tell_closed && !c->close_due &&
        now >= c->linger_until)
        model_conn_destroy(c);
}

static void emit_refusal(const struct kith_conn *c)
{
    const struct kith_events *ev = c->q->env->events;

    if (c->end.refusal == KITH_REFUSAL_PEER)
        kith_event_refused_peer(ev, &c->path.remote, c->peer.b);
    else
        kith_event_refused_handshake(ev, &c->path.remote, c->end.text);
}

void model_enter_closed(struct kith_conn *c, bool tell, bool drains, kith_time now)
{
    struct kith_quic *q = c->q;

    if (c->end.kind == KITH_END_REFUSED) {
        q->count.refused++;
        emit_refusal(c);
    }
    model_handshake_over(c);
    c->state = MODEL_CLOSED;
    c->close_due = c->answers_late = tell;
    if ((tell || drains) && q->n_lingering < MODEL_LINGER_MAX) {
        q->n_lingering++;
        c->linger_until = kith_after(now, LINGER_PTOS * model_pto(c));
    }
    model_sent_fini(c);
    c->tell_closed = c->owned;
    model_mark_ready(c);
    model_mark_dirty(c);
    model_refresh_due(c, now);
}

void model_fail(struct kith_conn *c, int err, kith_time now)
{
    if (c->state == MODEL_CLOSED)
        return;
    c->end.kind = KITH_END_ERROR;
    c->end.err = err;
    kith_format(c->end.text, sizeof c->end.text, "%s", kith_err_text(err));
    model_enter_closed(c, true, false, now);
}

/* Nothing was heard for as long as is allowed. */
static void end_in_silence(struct kith_conn *c, kith_time now)
{
    const bool unreached = c->state == MODEL_HANDSHAKE;

    c->end.kind = unreached ? KITH_END_UNREACHED : KITH_END_IDLE;
    c->end.err = KITH_E_TIMEOUT;
    kith_format(c->end.text, sizeof c->end.text, "%s", unreached ? "no answer" : "silence");
    c->q->count.abandoned += c->counted;
    model_enter_closed(c, false, false, now);
}

void kith_conn_close(struct kith_conn *c, uint64_t code, const char *text, kith_time now)
{
    if (c->state == MODEL_CLOSED)
        return;
    c->end.kind = KITH_END_LOCAL;
    c->end.code = code;
    kith_format(c->end.text, sizeof c->end.text, "%s", text);
    model_enter_closed(c, true, false, now);
}

void kith_conn_free(struct kith_conn *c, kith_time now)
{
    if (c == NULL)
        return;
    kith_conn_close(c, 0, "", now);
    c->freed = true;
    c->tell_closed = false;
    c->owner = NULL;
    kith_list_remove(&c->ready);
    /* not now: the caller may still look at bytes it borrowed. The next tick takes it away. */
    if (c->linger_until < now && kith_due_set(&c->q->due, &c->due, now) < 0)
        model_mark_dirty(c);
}

/* A late packet is told of the end again, ever more rarely. */
void model_late(struct kith_conn *c)
{
    if (!c->answers_late)
        return;
    c->close_asked++;
    if ((c->close_asked & (c->close_asked - 1)) == 0) {
        c->close_due = true;
        model_mark_dirty(c);
    }
}

/* ---- time ---- */

void model_heard(struct kith_conn *c, size_t n, kith_time now)
{
    c->heard_at = c->idle_from = now;
    c->spoke = false;
    c->packets_in++;
    c->bytes_in += n;
}

/* RFC 9000 10.1: not before there was time for some probes. */
static kith_time silence_deadline(const struct kith_conn *c)
{
    const kith_dur least = 3 * model_pto(c), idle = c->q->cfg.idle_timeout;

    if (c->state == MODEL_HANDSHAKE)
        return kith_after(c->opened_at, c->q->cfg.handshake_timeout);
    return kith_after(c->idle_from, idle > least ? idle : least);
}

static kith_time deadline(const struct kith_conn *c)
{
    if (c->state == MODEL_CLOSED)
        return c->linger_until;
    kith_time at = kith_sooner(silence_deadline(c), model_handshake_deadline(c));
    at = kith_sooner(at, model_sent_deadline(c));
    return kith_sooner(at, kith_sooner(c->in.ack_at, model_moves_deadline(c)));
}

void model_refresh_due(struct kith_conn *c, kith_time now)
{
    kith_time at = deadline(c);

    (void)now;
    /* its place in the heap was made with the connection, so this cannot fail */
    if (kith_due_set(&c->q->due, &c->due, at == KITH_NEVER ? at - 1 : at) < 0)
        model_mark_dirty(c);
}

void model_conn_tick(struct kith_conn *c, kith_time now)
{
    if (c->state ==
        MODEL_CLOSED) { /* until its owner takes the news there is nothing to wake for */
        model_conn_settle(c, now);
        return;
    }
    if (now >= silence_deadline(c)) {
        end_in_silence(c, now);
        return;
    }
    model_handshake_tick(c, now);
    model_moves_tick(c, now);
    int err = model_sent_tick(c, now);
    if (err < 0) {
        model_fail(c, err, now);
        return;
    }
    if (c->wants_writable) {
        c->wants_writable = false;
        c->tell_writable = true;
        model_mark_ready(c);
    }
    model_mark_dirty(c); /* which finds its next deadline, too */
}

/* ---- the interface of conn.h ---- */

size_t model_mtu(const struct kith_conn *c)
{
    return c->path.transport == 0 ? MODEL_UDP : MODEL_BASE;
}

const struct kith_peer_id *kith_conn_peer(const struct kith_conn *c)
{
    return &c->peer;
}

bool kith_conn_dialled(const struct kith_conn *c)
{
    return c->dialled;
}

const struct kith_path *kith_conn_path(const struct kith_conn *c)
{
    return &c->path;
}

const struct kith_conn_end *kith_conn_end(const struct kith_conn *c)
{
    return &c->end;
}

static kith_time waits_since(const struct kith_conn *c)
{
    if (c->out.eliciting == 0)
        return KITH_NEVER;
    return c->out.waits_since > c->heard_at ? c->out.waits_since : c->heard_at;
}

static size_t streams_of(const struct kith_conn *c)
{
    size_t n = 0;

    for (const struct kith_link *l = c->streams.next; l != &c->streams; l = l->next)
        n++;
    return n;
}

void kith_conn_stats(const struct kith_conn *c, struct kith_conn_stats *ret)
{
    *ret = (struct kith_conn_stats){
        .srtt = c->out.srtt,
        .min_rtt = c->out.measured ? c->out.min_rtt : 0,
        .rttvar = c->out.rttvar,
        .bytes_in = c->bytes_in,
        .bytes_out = c->bytes_out,
        .packets_in = c->packets_in,
        .packets_out = c->packets_out,
        .packets_lost = c->packets_lost,
        .cwnd = c->out.cwnd,
        .in_flight = c->out.in_flight,
        .heard_at = c->heard_at,
        .waits_since = waits_since(c),
        .opened_at = c->opened_at,
        .streams = streams_of(c),
    };
}

const uint8_t *kith_conn_exporter(const struct kith_conn *c)
{
    return c->exporter;
}

void kith_conn_set_owner(struct kith_conn *c, void *owner)
{
    c->owner = owner;
}

void *kith_conn_owner(const struct kith_conn *c)
{
    return c->owner;
}
