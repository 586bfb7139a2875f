/* arrivals.c: the bytes of streams that come in, in whatever order. */
#include "sim/model/model.h"

#define OFFSET_MAX ((uint64_t)1 << 62) /* RFC 9000 16 */

static const struct kith_alloc *alloc_of(const struct model_stream *s)
{
    return s->conn->q->env->alloc;
}

void model_arrivals_free(struct model_stream *s)
{
    while (s->rx.early != NULL) {
        struct model_arrival *next = s->rx.early->next;
        kith_free(alloc_of(s), s->rx.early);
        s->rx.early = next;
    }
}

/* ---- windows ---- */

static void give_back(struct kith_conn *c, uint64_t n)
{
    c->flow.rx_read += n;
    if (c->flow.rx_read + KITH_CONN_RX_MAX - c->flow.rx_max < KITH_CONN_RX_MAX / 2)
        return; /* not worth a frame yet */
    c->flow.rx_max = c->flow.rx_read + KITH_CONN_RX_MAX;
    c->flow.max_owed = true;
    model_mark_dirty(c);
}

void model_stream_make_room(struct model_stream *s, size_t n)
{
    const uint64_t read = s->rx.next - kith_buf_len(&s->rx.in_order);

    give_back(s->conn, n);
    if (s->rx.final_known || s->rx.closed || s->gone ||
        read + KITH_STREAM_RX_MAX - s->rx.max < KITH_STREAM_RX_MAX / 2)
        return;
    s->rx.max = read + KITH_STREAM_RX_MAX;
    s->rx.max_owed = true;
    model_stream_wake(s);
}

void model_stream_drop(struct model_stream *s)
{
    const size_t n = kith_buf_len(&s->rx.in_order);

    kith_buf_drop(&s->rx.in_order, n);
    model_stream_make_room(s, n);
}

/* ---- order ---- */

/* A piece of its own between `*at` and what follows, with no overlap of either. */
static int put_early(struct model_stream *s, struct model_arrival **at, uint64_t offset,
                     struct kith_span data)
{
    struct model_arrival *a = kith_resize(alloc_of(s), NULL, sizeof *a + data.n);

    if (a == NULL)
        return KITH_E_NOMEM;
    *a = (struct model_arrival){.next = *at, .offset = offset, .n = data.n};
    memcpy(a->data, data.p, data.n);
    *at = a;
    return KITH_OK;
}

static size_t least(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

/* Keeps those of the bytes that are not here yet. */
static int keep_early(struct model_stream *s, uint64_t offset, struct kith_span data)
{
    struct model_arrival **at = &s->rx.early;

    while (data.n > 0) {
        while (*at != NULL && (*at)->offset + (*at)->n <= offset)
            at = &(*at)->next;
        const struct model_arrival *a = *at;
        size_t n = data.n;
        int err = KITH_OK;
        if (a != NULL && a->offset <= offset) { /* the first of them are here */
            n = least(n, a->offset + a->n - offset);
        } else {
            n = a != NULL ? least(n, a->offset - offset) : n;
            err = put_early(s, at, offset, (struct kith_span){data.p, n});
        }
        if (err < 0)
            return err;
        offset += n;
        data = (struct kith_span){data.p + n, data.n - n};
    }
    return KITH_OK;
}

static int take_in_order(struct model_stream *s, uint64_t offset, struct kith_span data)
{
    const size_t known = (size_t)(s->rx.next - offset);

    if (known >= data.n)
        return KITH_OK;
    int err = kith_buf_add(&s->rx.in_order, (struct kith_span){data.p + known, data.n - known});
    if (err >= 0)
        s->rx.next = offset + data.n;
    return err == KITH_E_LIMIT ? KITH_E_PROTOCOL : err;
}

static int take_early(struct model_stream *s)
{
    int err = KITH_OK;

    while (s->rx.early != NULL && s->rx.early->offset <= s->rx.next && err >= 0) {
        struct model_arrival *a = s->rx.early;
        err = take_in_order(s, a->offset, (struct kith_span){a->data, a->n});
        s->rx.early = a->next;
        kith_free(alloc_of(s), a);
    }
    return err;
}

/* ---- what frames say ---- */

/* The stream reaches as far as `end` now, which its windows must allow. */
static int reach(struct model_stream *s, uint64_t end)
{
    struct kith_conn *c = s->conn;

    if (end <= s->rx.highest)
        return KITH_OK;
    c->flow.rx_used += end - s->rx.highest;
    s->rx.highest = end;
    return end > s->rx.max || c->flow.rx_used > c->flow.rx_max ? KITH_E_PROTOCOL : KITH_OK;
}

/* Its size is told once, and then holds. */
static int set_final(struct model_stream *s, uint64_t final)
{
    if (final < s->rx.highest || (s->rx.final_known && s->rx.final != final))
        return KITH_E_PROTOCOL;
    s->rx.final_known = true;
    s->rx.final = final;
    return reach(s, final);
}

static int check_reach(struct model_stream *s, uint64_t offset, size_t n, bool fin)
{
    if (offset > OFFSET_MAX || (s->rx.final_known && offset + n > s->rx.final))
        return KITH_E_PROTOCOL;
    return fin ? set_final(s, offset + n) : reach(s, offset + n);
}

int model_stream_arrived(struct model_stream *s, uint64_t offset, struct kith_span data, bool fin)
{
    const uint64_t before = s->rx.next;
    int err = check_reach(s, offset, data.n, fin);

    if (err < 0 || s->rx.over)
        return err;
    if (offset > s->rx.next)
        err = keep_early(s, offset, data);
    else
        err = take_in_order(s, offset, data);
    if (err >= 0)
        err = take_early(s);
    if (err < 0)
        return err;
    s->rx.over = s->rx.fin = s->rx.final_known && s->rx.next == s->rx.final;
    if (s->rx.closed)
        model_stream_drop(s);
    else if (s->rx.next > before || s->rx.fin)
        model_stream_tell(s, KITH_STREAM_READABLE);
    model_stream_judge(s);
    return KITH_OK;
}

int model_stream_given_up(struct model_stream *s, uint64_t final)
{
    int err = final > OFFSET_MAX ? KITH_E_PROTOCOL : set_final(s, final);

    if (err < 0 || s->rx.over)
        return err;
    /* what was not read never will be: the window is for other streams again */
    const uint64_t read = s->rx.next - kith_buf_len(&s->rx.in_order);
    kith_buf_drop(&s->rx.in_order, kith_buf_len(&s->rx.in_order));
    model_arrivals_free(s);
    s->rx.next = final;
    s->rx.over = true;
    s->rx.max_owed = s->rx.stop_owed = false;
    give_back(s->conn, final - read);
    if (!s->rx.closed)
        model_stream_tell(s, KITH_STREAM_RESET);
    s->rx.closed = true;
    model_stream_judge(s);
    return KITH_OK;
}
