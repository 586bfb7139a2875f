#include "base/buf.h"

void kith_buf_init(struct kith_buf *b, const struct kith_alloc *a, size_t max)
{
    *b = (struct kith_buf){.alloc = a, .max = max};
}

void kith_buf_fini(struct kith_buf *b)
{
    if (b->alloc != NULL)
        kith_free(b->alloc, b->data);
    b->data = NULL;
    b->start = b->end = b->cap = 0;
}

struct kith_span kith_buf_span(const struct kith_buf *b)
{
    return (struct kith_span){b->data == NULL ? NULL : b->data + b->start, kith_buf_len(b)};
}

/* The capacity to have when `need` bytes (at most max) must fit: doubled, never above max. */
static size_t grown(const struct kith_buf *b, size_t need)
{
    size_t cap = b->cap == 0 ? 256 : b->cap;

    while (cap < need && cap <= b->max / 2)
        cap *= 2;
    return cap < need || cap > b->max ? b->max : cap;
}

uint8_t *kith_buf_room(struct kith_buf *b, size_t n)
{
    size_t len = kith_buf_len(b);

    if (n > b->max || len > b->max - n)
        return NULL;
    if (b->cap - b->end >= n && b->data != NULL)
        return b->data + b->end;
    if (b->start > 0 && b->data != NULL) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
    }
    if (b->cap - len < n || b->data == NULL) {
        size_t cap = grown(b, len + n);
        uint8_t *bigger = kith_resize(b->alloc, b->data, cap);
        if (bigger == NULL)
            return NULL;
        b->data = bigger;
        b->cap = cap;
    }
    return b->data + b->end;
}

void kith_buf_grew(struct kith_buf *b, size_t n)
{
    b->end += n;
}

int kith_buf_add(struct kith_buf *b, struct kith_span s)
{
    if (s.n == 0)
        return KITH_OK;
    if (s.n > b->max || kith_buf_len(b) > b->max - s.n)
        return KITH_E_LIMIT;
    uint8_t *room = kith_buf_room(b, s.n);
    if (room == NULL)
        return KITH_E_NOMEM;
    memcpy(room, s.p, s.n);
    kith_buf_grew(b, s.n);
    return KITH_OK;
}

void kith_buf_drop(struct kith_buf *b, size_t n)
{
    size_t len = kith_buf_len(b);

    b->start += n < len ? n : len;
    if (b->start == b->end)
        b->start = b->end = 0;
}
