/* streams.c: the bytes of streams, between their user and ngtcp2. */
#include "conn/quic/internal.h"

enum {
    CHUNK_SMALL = 1024, /* control messages: most streams never need more */
    CHUNK_BULK = 16384,
};

struct stream *stream_find(const struct kith_conn *c, int64_t id)
{
    for (struct kith_link *l = c->streams.next; l != &c->streams; l = l->next) {
        struct stream *s = KITH_OF(l, struct stream, all);
        if (s->id == id)
            return s;
    }
    return NULL;
}

struct stream *stream_new(struct kith_conn *c, int64_t id)
{
    struct stream *s = kith_new_zero(c->q->env->alloc, sizeof *s);

    if (s == NULL)
        return NULL;
    s->conn = c;
    s->id = id;
    kith_buf_init(&s->rx, c->q->env->alloc, KITH_STREAM_RX_MAX);
    kith_list_init(&s->send);
    kith_list_init(&s->news);
    kith_list_append(&c->streams, &s->all);
    c->n_streams++;
    return s;
}

static void free_chunks(struct stream *s)
{
    while (s->tx_first != NULL) {
        struct tx_chunk *next = s->tx_first->next;
        kith_free(s->conn->q->env->alloc, s->tx_first);
        s->tx_first = next;
    }
    s->tx_last = NULL;
}

void stream_free(struct stream *s)
{
    kith_list_remove(&s->all);
    kith_list_remove(&s->send);
    kith_list_remove(&s->news);
    free_chunks(s);
    kith_buf_fini(&s->rx);
    s->conn->n_streams--;
    kith_free(s->conn->q->env->alloc, s);
}

void stream_tell(struct stream *s, unsigned flags)
{
    s->flags |= flags;
    if (kith_list_empty(&s->news))
        kith_list_append(&s->conn->news, &s->news);
    conn_mark_ready(s->conn);
}

static bool has_unsent(const struct stream *s)
{
    return s->tx_sent < s->tx_end || (s->tx_fin && !s->tx_fin_sent);
}

static void mark_sendable(struct stream *s)
{
    if (!has_unsent(s) || s->tx_blocked || s->tx_closed || s->gone)
        return;
    if (kith_list_empty(&s->send))
        kith_list_append(&s->conn->sendable, &s->send);
    conn_mark_dirty(s->conn);
}

static int add_chunk(struct stream *s, size_t want)
{
    size_t cap = want > CHUNK_SMALL ? CHUNK_BULK : CHUNK_SMALL;
    struct tx_chunk *k = kith_resize(s->conn->q->env->alloc, NULL, sizeof *k + cap);

    if (k == NULL)
        return KITH_E_NOMEM;
    *k = (struct tx_chunk){.cap = cap};
    if (s->tx_last != NULL)
        s->tx_last->next = k;
    else
        s->tx_first = k;
    s->tx_last = k;
    return KITH_OK;
}

static size_t queue_room(const struct stream *s)
{
    return KITH_STREAM_TX_MAX - (size_t)(s->tx_end - s->tx_base);
}

/* Takes back what queue_bytes added since tx_end was `end`, after memory ran out. */
static void unqueue(struct stream *s, uint64_t end)
{
    uint64_t at = s->tx_base;
    struct tx_chunk **link = &s->tx_first, *last = NULL;

    while (*link != NULL && at + (*link)->n <= end && (*link)->n > 0) {
        at += (*link)->n;
        last = *link;
        link = &(*link)->next;
    }
    if (*link != NULL && at < end) {
        (*link)->n = (size_t)(end - at);
        last = *link;
        link = &(*link)->next;
    }
    struct tx_chunk *rest = *link;
    *link = NULL;
    s->tx_last = last;
    while (rest != NULL) {
        struct tx_chunk *next = rest->next;
        kith_free(s->conn->q->env->alloc, rest);
        rest = next;
    }
    s->tx_end = end;
}

static int queue_bytes(struct stream *s, struct kith_span in)
{
    uint64_t end = s->tx_end;

    while (in.n > 0) {
        if (s->tx_last == NULL || s->tx_last->n == s->tx_last->cap) {
            int err = add_chunk(s, in.n);
            if (err < 0) {
                unqueue(s, end);
                return err;
            }
        }
        struct tx_chunk *k = s->tx_last;
        size_t n = in.n < k->cap - k->n ? in.n : k->cap - k->n;
        memcpy(k->data + k->n, in.p, n);
        k->n += n;
        s->tx_end += n;
        in = (struct kith_span){in.p + n, in.n - n};
    }
    return KITH_OK;
}

struct kith_span stream_unsent(const struct stream *s)
{
    uint64_t at = s->tx_base;

    for (const struct tx_chunk *k = s->tx_first; k != NULL; k = k->next) {
        if (s->tx_sent < at + k->n)
            return (struct kith_span){k->data + (s->tx_sent - at),
                                      (size_t)(at + k->n - s->tx_sent)};
        at += k->n;
    }
    return (struct kith_span){0};
}

void stream_sent(struct stream *s, size_t n, bool fin)
{
    s->tx_sent += n;
    s->tx_fin_sent |= fin && s->tx_sent == s->tx_end;
    if (!has_unsent(s))
        kith_list_remove(&s->send);
}

void stream_acked(struct stream *s, uint64_t upto)
{
    const struct kith_alloc *a = s->conn->q->env->alloc;

    s->tx_acked = upto;
    while (s->tx_first != NULL && s->tx_base + s->tx_first->n <= upto &&
           (s->tx_first != s->tx_last || s->tx_first->n == s->tx_first->cap ||
            s->tx_base + s->tx_first->n == s->tx_end)) {
        struct tx_chunk *k = s->tx_first;
        s->tx_base += k->n;
        s->tx_first = k->next;
        if (s->tx_first == NULL)
            s->tx_last = NULL;
        kith_free(a, k);
    }
    if (s->wants_room && queue_room(s) >= KITH_STREAM_TX_MAX / 4) {
        s->wants_room = false;
        stream_tell(s, KITH_STREAM_ROOM);
    }
}

int stream_received(struct stream *s, struct kith_span data, bool fin)
{
    int err = kith_buf_add(&s->rx, data);

    if (err == KITH_E_LIMIT)
        return KITH_E_PROTOCOL; /* flow control forbids it: ngtcp2 should have refused */
    if (err < 0)
        return err;
    s->rx_fin |= fin;
    stream_tell(s, KITH_STREAM_READABLE);
    return KITH_OK;
}

void stream_reset_by_peer(struct stream *s)
{
    if (s->rx_fin)
        return; /* all of it is here already (RFC 9000 3.2) */
    s->rx_closed = true;
    /* what was not read never will be: the window is for other streams again */
    ngtcp2_conn_extend_max_offset(s->conn->nc, kith_buf_len(&s->rx));
    kith_buf_drop(&s->rx, kith_buf_len(&s->rx));
    stream_tell(s, KITH_STREAM_RESET);
}

void stream_stopped(struct stream *s)
{
    s->tx_closed = true;
    kith_list_remove(&s->send);
    stream_tell(s, KITH_STREAM_RESET);
}

/* The last event of a stream waits until what arrived has been read. */
static void tell_if_done(struct stream *s)
{
    if (s->gone && (s->rx_closed || kith_buf_len(&s->rx) == 0))
        stream_tell(s, KITH_STREAM_DONE);
}

void stream_ended(struct stream *s)
{
    s->gone = true;
    kith_list_remove(&s->send);
    free_chunks(s); /* ngtcp2 holds no pointers into a closed stream */
    s->tx_base = s->tx_sent = s->tx_end;
    tell_if_done(s);
}

void stream_unblock(struct stream *s)
{
    s->tx_blocked = false;
    mark_sendable(s);
}

/* ---- the interface of conn.h ---- */

int kith_conn_stream_open(struct kith_conn *c, int64_t *ret_id)
{
    int64_t id;

    if (c->state != CONN_ESTABLISHED)
        return KITH_E_STATE;
    struct stream *s = stream_new(c, -1);
    if (s == NULL)
        return KITH_E_NOMEM;
    int rv = ngtcp2_conn_open_bidi_stream(c->nc, &id, s);
    if (rv != 0) {
        stream_free(s);
        return rv == NGTCP2_ERR_STREAM_ID_BLOCKED ? KITH_E_LIMIT : KITH_E_NOMEM;
    }
    s->id = id;
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
    struct stream *s = stream_find(c, id);

    if (s == NULL)
        return KITH_E_NOTFOUND;
    if (c->state != CONN_ESTABLISHED || s->gone || s->tx_closed || s->tx_fin)
        return KITH_E_CLOSED;
    if (in.n > queue_room(s)) {
        s->wants_room = true;
        return in.n > KITH_STREAM_TX_MAX ? KITH_E_TOOBIG : KITH_E_AGAIN;
    }
    int err = queue_bytes(s, in);
    if (err < 0)
        return err;
    s->tx_fin = fin;
    mark_sendable(s);
    return KITH_OK;
}

size_t kith_conn_stream_room(const struct kith_conn *c, int64_t id)
{
    const struct stream *s = stream_find(c, id);

    if (s == NULL || s->gone || s->tx_closed || s->tx_fin || c->state != CONN_ESTABLISHED)
        return 0;
    return queue_room(s);
}

uint64_t kith_conn_stream_acked(const struct kith_conn *c, int64_t id, bool *ret_all)
{
    const struct stream *s = stream_find(c, id);

    *ret_all = s == NULL || s->gone || s->tx_acked == s->tx_end;
    return s != NULL ? s->tx_acked : 0;
}

struct kith_span kith_conn_stream_peek(const struct kith_conn *c, int64_t id, bool *ret_fin)
{
    const struct stream *s = stream_find(c, id);

    *ret_fin = s != NULL && s->rx_fin;
    return s != NULL ? kith_buf_span(&s->rx) : (struct kith_span){0};
}

void kith_conn_stream_consume(struct kith_conn *c, int64_t id, size_t n)
{
    struct stream *s = stream_find(c, id);

    if (s == NULL || c->nc == NULL)
        return;
    if (n > kith_buf_len(&s->rx))
        n = kith_buf_len(&s->rx);
    kith_buf_drop(&s->rx, n);
    ngtcp2_conn_extend_max_offset(c->nc, n);
    if (!s->gone && !s->rx_fin)
        (void)ngtcp2_conn_extend_max_stream_offset(c->nc, id, n);
    if (n > 0)
        tell_if_done(s);
    conn_mark_dirty(c);
}

void kith_conn_stream_poke(struct kith_conn *c, int64_t id)
{
    struct stream *s = stream_find(c, id);

    if (s != NULL)
        stream_tell(s, KITH_STREAM_READABLE);
}

void kith_conn_stream_reset(struct kith_conn *c, int64_t id, uint64_t code)
{
    struct stream *s = stream_find(c, id);

    if (s == NULL || s->gone || c->nc == NULL)
        return;
    (void)ngtcp2_conn_shutdown_stream(c->nc, 0, id, code);
    s->tx_closed = s->rx_closed = true;
    kith_list_remove(&s->send);
    kith_conn_stream_consume(c, id, kith_buf_len(&s->rx));
    conn_mark_dirty(c);
}

void kith_conn_stream_set_tag(struct kith_conn *c, int64_t id, void *tag)
{
    struct stream *s = stream_find(c, id);

    if (s != NULL)
        s->tag = tag;
}

void *kith_conn_stream_tag(const struct kith_conn *c, int64_t id)
{
    const struct stream *s = stream_find(c, id);

    return s != NULL ? s->tag : NULL;
}
