#include "base/cursor.h"

struct kith_reader kith_reader_on(struct kith_span in)
{
    return (struct kith_reader){.p = in.p, .end = in.n > 0 ? in.p + in.n : in.p};
}

size_t kith_reader_left(const struct kith_reader *r)
{
    return r->p == r->end ? 0 : (size_t)(r->end - r->p);
}

struct kith_span kith_get_span(struct kith_reader *r, size_t n)
{
    if (r->bad || n > kith_reader_left(r)) {
        r->bad = true;
        return (struct kith_span){0};
    }
    struct kith_span s = {.p = r->p, .n = n};
    if (n > 0)
        r->p += n;
    return s;
}

void kith_get_copy(struct kith_reader *r, void *to, size_t n)
{
    struct kith_span s = kith_get_span(r, n);

    if (s.n == n)
        kith_copy(to, s.p, n);
    else
        memset(to, 0, n);
}

static uint64_t get_be(struct kith_reader *r, size_t n)
{
    struct kith_span s = kith_get_span(r, n);
    uint64_t v = 0;

    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return v;
}

uint8_t kith_get_u8(struct kith_reader *r)
{
    return (uint8_t)get_be(r, 1);
}

uint16_t kith_get_u16(struct kith_reader *r)
{
    return (uint16_t)get_be(r, 2);
}

uint32_t kith_get_u32(struct kith_reader *r)
{
    return (uint32_t)get_be(r, 4);
}

uint64_t kith_get_u64(struct kith_reader *r)
{
    return get_be(r, 8);
}

struct kith_span kith_get_bytes(struct kith_reader *r, size_t width, size_t max)
{
    size_t n = (size_t)get_be(r, width);

    if (n > max)
        r->bad = true;
    return kith_get_span(r, n);
}

int kith_reader_done(const struct kith_reader *r)
{
    return r->bad || r->p != r->end ? KITH_E_MALFORMED : KITH_OK;
}

struct kith_writer kith_writer_on(uint8_t *buf, size_t cap)
{
    return (struct kith_writer){.start = buf, .p = buf, .end = cap > 0 ? buf + cap : buf};
}

void kith_put_span(struct kith_writer *w, struct kith_span s)
{
    if (w->bad || s.n > (size_t)(w->end - w->p)) {
        w->bad = true;
        return;
    }
    if (s.n > 0) {
        memcpy(w->p, s.p, s.n);
        w->p += s.n;
    }
}

static void put_be(struct kith_writer *w, uint64_t v, size_t n)
{
    uint8_t b[8];

    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    kith_put_span(w, (struct kith_span){b, n});
}

void kith_put_u8(struct kith_writer *w, uint8_t v)
{
    put_be(w, v, 1);
}

void kith_put_u16(struct kith_writer *w, uint16_t v)
{
    put_be(w, v, 2);
}

void kith_put_u32(struct kith_writer *w, uint32_t v)
{
    put_be(w, v, 4);
}

void kith_put_u64(struct kith_writer *w, uint64_t v)
{
    put_be(w, v, 8);
}

void kith_put_bytes(struct kith_writer *w, struct kith_span s, size_t width, size_t max)
{
    if (s.n > max || (width < sizeof s.n && s.n >> (8 * width) != 0))
        w->bad = true;
    put_be(w, s.n, width);
    kith_put_span(w, s);
}

int kith_writer_done(const struct kith_writer *w, size_t *ret_len)
{
    if (w->bad)
        return KITH_E_LIMIT;
    *ret_len = (size_t)(w->p - w->start);
    return KITH_OK;
}
