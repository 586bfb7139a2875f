/* outgoing.c: the bytes of streams that leave: queued, sent, lost, acknowledged. */
#include "sim/model/model.h"

enum {
    CHUNK_SMALL = 1024, /* control messages: most streams never need more */
    CHUNK_BULK = 16384,
};

static const struct kith_alloc *alloc_of(const struct model_stream *s)
{
    return s->conn->q->env->alloc;
}

static void free_chunks(struct model_stream *s)
{
    while (s->tx.first != NULL) {
        struct model_chunk *next = s->tx.first->next;
        kith_free(alloc_of(s), s->tx.first);
        s->tx.first = next;
    }
    s->tx.last = NULL;
}

void model_tx_free(struct model_stream *s)
{
    free_chunks(s);
    model_ranges_fini(&s->tx.got, alloc_of(s));
    model_ranges_fini(&s->tx.owed, alloc_of(s));
}

static int add_chunk(struct model_stream *s, size_t want)
{
    const size_t cap = want > CHUNK_SMALL ? CHUNK_BULK : CHUNK_SMALL;
    struct model_chunk *k = kith_resize(alloc_of(s), NULL, sizeof *k + cap);

    if (k == NULL)
        return KITH_E_NOMEM;
    *k = (struct model_chunk){.cap = cap};
    if (s->tx.last != NULL)
        s->tx.last->next = k;
    else
        s->tx.first = k;
    s->tx.last = k;
    return KITH_OK;
}

size_t model_tx_room(const struct model_stream *s)
{
    return KITH_STREAM_TX_MAX - (size_t)(s->tx.end - s->tx.base);
}

/* Chunks that hold n more bytes, before any is written: so a failure leaves the stream as it was,
 * but for empty chunks at its end. */
static int make_chunks(struct model_stream *s, size_t n)
{
    size_t free_bytes = 0;

    for (const struct model_chunk *k = s->tx.first; k != NULL; k = k->next)
        free_bytes += k->n == 0 || k->next == NULL || k->next->n == 0 ? k->cap - k->n : 0;
    while (free_bytes < n) {
        int err = add_chunk(s, n - free_bytes);
        if (err < 0)
            return err;
        free_bytes += s->tx.last->cap;
    }
    return KITH_OK;
}

int model_tx_queue(struct model_stream *s, struct kith_span in)
{
    int err = make_chunks(s, in.n);

    if (err < 0)
        return err;
    for (struct model_chunk *k = s->tx.first; in.n > 0; k = k->next) {
        if (k->n == k->cap || (k->next != NULL && k->next->n > 0))
            continue;
        const size_t n = in.n < k->cap - k->n ? in.n : k->cap - k->n;
        memcpy(k->data + k->n, in.p, n);
        k->n += n;
        s->tx.end += n;
        in = (struct kith_span){in.p + n, in.n - n};
    }
    return KITH_OK;
}

struct kith_span model_stream_bytes(const struct model_stream *s, uint64_t at, size_t most)
{
    uint64_t base = s->tx.base;

    for (const struct model_chunk *k = s->tx.first; k != NULL; k = k->next) {
        if (at < base + k->n) {
            const size_t n = (size_t)(base + k->n - at);
            return (struct kith_span){k->data + (at - base), n < most ? n : most};
        }
        base += k->n;
    }
    return (struct kith_span){0};
}

/* Frees the chunks that nobody asks for again. */
static void drop_acked(struct model_stream *s)
{
    while (s->tx.first != NULL && s->tx.first->n > 0 &&
           s->tx.base + s->tx.first->n <= s->tx.acked) {
        struct model_chunk *k = s->tx.first;
        s->tx.base += k->n;
        s->tx.first = k->next;
        if (s->tx.first == NULL)
            s->tx.last = NULL;
        kith_free(alloc_of(s), k);
    }
    if (s->tx.wants_room && model_tx_room(s) >= KITH_STREAM_TX_MAX / 4) {
        s->tx.wants_room = false;
        model_stream_tell(s, KITH_STREAM_ROOM);
    }
}

static int bytes_acked(struct model_stream *s, uint64_t from, uint64_t to)
{
    if (to <= s->tx.acked)
        return KITH_OK;
    from = from > s->tx.acked ? from : s->tx.acked;
    int err = model_ranges_add(&s->tx.got, alloc_of(s), from, to);
    if (err >= 0)
        err = model_ranges_cut(&s->tx.owed, alloc_of(s), from, to);
    if (err < 0 || s->tx.got.n == 0 || s->tx.got.r[0].from > s->tx.acked)
        return err;
    s->tx.acked = s->tx.got.r[0].to;
    model_ranges_drop_first(&s->tx.got);
    drop_acked(s);
    return KITH_OK;
}

int model_stream_acked(struct model_stream *s, const struct model_item *i)
{
    int err = KITH_OK;

    if (s->gone)
        return KITH_OK;
    if (i->frame == MODEL_RESET_STREAM)
        s->tx.reset_acked = true;
    else if (!s->tx.closed)
        err = bytes_acked(s, i->offset, i->offset + i->len);
    if (i->frame == MODEL_STREAM_FIN)
        s->tx.fin_acked = true;
    if (s->tx.fin_acked)
        s->tx.fin_owed = false;
    if (err >= 0)
        model_stream_judge(s);
    return err;
}

static int bytes_lost(struct model_stream *s, const struct model_item *i)
{
    const struct kith_alloc *a = alloc_of(s);
    const uint64_t from = i->offset > s->tx.acked ? i->offset : s->tx.acked;
    int err = model_ranges_add(&s->tx.owed, a, from, i->offset + i->len);

    for (size_t k = 0; k < s->tx.got.n && err >= 0; k++)
        err = model_ranges_cut(&s->tx.owed, a, s->tx.got.r[k].from, s->tx.got.r[k].to);
    if (i->frame == MODEL_STREAM_FIN && !s->tx.fin_acked)
        s->tx.fin_owed = true;
    return err;
}

int model_stream_lost(struct model_stream *s, const struct model_item *i)
{
    int err = KITH_OK;

    if (s->gone)
        return KITH_OK;
    if (i->frame == MODEL_RESET_STREAM)
        s->tx.reset_owed = !s->tx.reset_acked;
    else if (i->frame == MODEL_MAX_STREAM_DATA)
        s->rx.max_owed = !s->rx.over;
    else if (i->frame == MODEL_STOP_SENDING)
        s->rx.stop_owed = !s->rx.over;
    else if (!s->tx.closed)
        err = bytes_lost(s, i);
    model_stream_wake(s);
    return err;
}

/* ---- ends ---- */

bool model_tx_is_over(const struct model_stream *s)
{
    return s->tx.closed ? s->tx.reset_acked
                        : s->tx.fin && s->tx.fin_acked && s->tx.acked == s->tx.end;
}

/* Sends no more of it, and says so. */
void model_tx_close(struct model_stream *s, uint64_t code)
{
    if (s->tx.closed || model_tx_is_over(s))
        return;
    s->tx.closed = s->tx.reset_owed = true;
    s->tx.fin_owed = false;
    s->tx.code = code;
    model_ranges_fini(&s->tx.owed, alloc_of(s));
    model_stream_wake(s);
}
