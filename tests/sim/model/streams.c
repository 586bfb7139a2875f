/* streams.c: streams as their users see them. */
#include "sim/model/model.h"

enum {
    STREAMS_EVER = 1 << 28, /* numbers of streams, far above what a simulation opens */
};

static const struct kith_alloc *alloc_of(const struct model_stream *s)
{
    return s->conn->q->env->alloc;
}

struct model_stream *model_stream_find(const struct kith_conn *c, int64_t id)
{
    for (struct kith_link *l = c->streams.next; l != &c->streams; l = l->next) {
        struct model_stream *s = KITH_OF(l, struct model_stream, all);
        if (s->id == id)
            return s;
    }
    return NULL;
}

static struct model_stream *stream_new(struct kith_conn *c, int64_t id)
{
    struct model_stream *s = kith_new_zero(c->q->env->alloc, sizeof *s);

    if (s == NULL)
        return NULL;
    s->conn = c;
    s->id = id;
    s->tx.max = s->rx.max = KITH_STREAM_RX_MAX;
    kith_buf_init(&s->rx.in_order, c->q->env->alloc, KITH_STREAM_RX_MAX);
    kith_list_init(&s->send);
    kith_list_init(&s->news);
    kith_list_append(&c->streams, &s->all);
    return s;
}

void model_stream_free(struct model_stream *s)
{
    kith_list_remove(&s->all);
    kith_list_remove(&s->send);
    kith_list_remove(&s->news);
    model_tx_free(s);
    model_arrivals_free(s);
    kith_buf_fini(&s->rx.in_order);
    kith_free(alloc_of(s), s);
}

static int open_by_peer(struct kith_conn *c, int64_t id, struct model_stream **ret)
{
    const uint64_t number = (uint64_t)id / 4;

    if (model_ranges_hold(&c->flow.peer_opened, number)) {
        *ret = NULL;
        return KITH_OK;
    }
    if (number >= c->flow.peer_may_open || number >= STREAMS_EVER)
        return KITH_E_PROTOCOL;
    int err = model_ranges_add(&c->flow.peer_opened, c->q->env->alloc, number, number + 1);
    if (err < 0)
        return err;
    *ret = stream_new(c, id);
    if (*ret == NULL)
        return KITH_E_NOMEM;
    model_stream_tell(*ret, KITH_STREAM_OPENED);
    return KITH_OK;
}

int model_stream_get(struct kith_conn *c, int64_t id, struct model_stream **ret)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s != NULL) {
        *ret = s->gone ? NULL : s;
        return KITH_OK;
    }
    if ((id & 2) != 0)
        return KITH_E_PROTOCOL; /* there are none of one way */
    if (!kith_conn_is_local(c, id))
        return open_by_peer(c, id, ret);
    if (id / 4 >= c->flow.opened)
        return KITH_E_PROTOCOL;
    *ret = NULL;
    return KITH_OK;
}

void model_stream_tell(struct model_stream *s, unsigned flags)
{
    s->flags |= flags;
    if (kith_list_empty(&s->news))
        kith_list_append(&s->conn->news, &s->news);
    model_mark_ready(s->conn);
}

void model_stream_wake(struct model_stream *s)
{
    if (kith_list_empty(&s->send))
        kith_list_append(&s->conn->sendable, &s->send);
    model_mark_dirty(s->conn);
}

/* ---- ends ---- */

/* The last event of a stream waits until what arrived has been read. */
static void tell_if_done(struct model_stream *s)
{
    if (s->gone && (s->rx.closed || kith_buf_len(&s->rx.in_order) == 0))
        model_stream_tell(s, KITH_STREAM_DONE);
}

void model_stream_judge(struct model_stream *s)
{
    struct kith_conn *c = s->conn;

    if (s->gone || !s->rx.over || !model_tx_is_over(s))
        return;
    s->gone = true;
    kith_list_remove(&s->send);
    model_tx_free(s);
    s->tx.base = s->tx.sent = s->tx.acked = s->tx.end;
    if (!kith_conn_is_local(c, s->id)) {
        c->flow.peer_may_open++;
        c->flow.max_streams_owed = true;
        model_mark_dirty(c);
    }
    tell_if_done(s);
}

void model_stream_stopped(struct model_stream *s, uint64_t code)
{
    if (model_tx_is_over(s))
        return;
    model_tx_close(s, code);
    model_stream_tell(s, KITH_STREAM_RESET);
}

/* ---- the interface of conn.h ---- */

int kith_conn_stream_open(struct kith_conn *c, int64_t *ret_id)
{
    if (c->state != MODEL_ESTABLISHED)
        return KITH_E_STATE;
    if (c->flow.opened >= c->flow.may_open)
        return KITH_E_LIMIT;
    const int64_t id = (int64_t)c->flow.opened * 4 + (c->dialled ? 0 : 1);
    if (stream_new(c, id) == NULL)
        return KITH_E_NOMEM;
    c->flow.opened++;
    *ret_id = id;
    return KITH_OK;
}

bool kith_conn_is_local(const struct kith_conn *c, int64_t id)
{
    /* RFC 9000 2.1: the lowest bit says who opened it, 0 the client */
    return ((id & 1) == 0) == c->dialled;
}

int kith_conn_stream_send(struct kith_conn *c, int64_t id, struct kith_span in, bool fin)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s == NULL)
        return KITH_E_NOTFOUND;
    if (c->state != MODEL_ESTABLISHED || s->gone || s->tx.closed || s->tx.fin)
        return KITH_E_CLOSED;
    if (in.n > model_tx_room(s)) {
        s->tx.wants_room = true;
        return in.n > KITH_STREAM_TX_MAX ? KITH_E_TOOBIG : KITH_E_AGAIN;
    }
    int err = model_tx_queue(s, in);
    if (err < 0)
        return err;
    s->tx.fin = s->tx.fin_owed = fin;
    if (in.n > 0 || fin)
        model_stream_wake(s);
    return KITH_OK;
}

size_t kith_conn_stream_room(const struct kith_conn *c, int64_t id)
{
    const struct model_stream *s = model_stream_find(c, id);

    if (s == NULL || s->gone || s->tx.closed || s->tx.fin || c->state != MODEL_ESTABLISHED)
        return 0;
    return model_tx_room(s);
}

uint64_t kith_conn_stream_acked(const struct kith_conn *c, int64_t id, bool *ret_all)
{
    const struct model_stream *s = model_stream_find(c, id);

    *ret_all = s == NULL || s->gone || s->tx.acked == s->tx.end;
    return s != NULL ? s->tx.acked : 0;
}

struct kith_span kith_conn_stream_peek(const struct kith_conn *c, int64_t id, bool *ret_fin)
{
    const struct model_stream *s = model_stream_find(c, id);

    *ret_fin = s != NULL && s->rx.fin;
    return s != NULL ? kith_buf_span(&s->rx.in_order) : (struct kith_span){0};
}

void kith_conn_stream_consume(struct kith_conn *c, int64_t id, size_t n)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s == NULL)
        return;
    if (n > kith_buf_len(&s->rx.in_order))
        n = kith_buf_len(&s->rx.in_order);
    kith_buf_drop(&s->rx.in_order, n);
    model_stream_make_room(s, n);
    if (n > 0)
        tell_if_done(s);
}

void kith_conn_stream_poke(struct kith_conn *c, int64_t id)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s != NULL)
        model_stream_tell(s, KITH_STREAM_READABLE);
}

void kith_conn_stream_reset(struct kith_conn *c, int64_t id, uint64_t code)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s == NULL || s->gone)
        return;
    model_tx_close(s, code);
    s->rx.closed = true;
    s->rx.stop_owed = !s->rx.over;
    s->rx.code = code;
    model_stream_drop(s);
    model_stream_wake(s);
}

void kith_conn_stream_set_tag(struct kith_conn *c, int64_t id, void *tag)
{
    struct model_stream *s = model_stream_find(c, id);

    if (s != NULL)
        s->tag = tag;
}

void *kith_conn_stream_tag(const struct kith_conn *c, int64_t id)
{
    const struct model_stream *s = model_stream_find(c, id);

    return s != NULL ? s->tag : NULL;
}
