/* buf.h: bytes in order, added at the end and taken at the front, up to a maximum. */
#ifndef KITH_BASE_BUF_H
#define KITH_BASE_BUF_H

#include "base/alloc.h"
#include "base/base.h"

struct kith_buf { /* init before use */
    const struct kith_alloc *alloc;
    uint8_t *data;
    size_t start, end, cap, max; /* the bytes are data[start..end) */
};

/* Holds at most max bytes, and never takes more memory than that; allocates nothing yet. */
void kith_buf_init(struct kith_buf *b, const struct kith_alloc *a, size_t max);
void kith_buf_fini(struct kith_buf *b);
static inline size_t kith_buf_len(const struct kith_buf *b)
{
    return b->end - b->start;
}
/* All bytes, borrowed until the next change. */
struct kith_span kith_buf_span(const struct kith_buf *b);
/* All or nothing: KITH_E_LIMIT over max, KITH_E_NOMEM. */
int kith_buf_add(struct kith_buf *b, struct kith_span s) KITH_MUST_CHECK;
/* Room for n more bytes to be written in place, until the next change; follow with kith_buf_grew.
 * NULL when they are over max or memory is out. */
uint8_t *kith_buf_room(struct kith_buf *b, size_t n);
/* n of the bytes that kith_buf_room made room for have been written. */
void kith_buf_grew(struct kith_buf *b, size_t n);
/* Forgets the first n bytes (at most all). */
void kith_buf_drop(struct kith_buf *b, size_t n);

#endif
