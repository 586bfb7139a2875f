/* span.h: borrowed bytes with their length. */
#ifndef KITH_BASE_SPAN_H
#define KITH_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kith_span {
    const uint8_t *p; /* borrowed; may be NULL when n is 0 */
    size_t n;
};

/* What goes with an IP packet beside its bytes. */
struct kith_marks {
    bool partial; /* its TCP or UDP checksum is for the receiver to make */
    uint8_t ecn;  /* two bits (RFC 3168): its own on the way out, its carrier's on the way in */
};

/* One thing in two borrowed parts, as when a header was made anew; body may be empty. */
struct kith_parts {
    struct kith_span head, body;
    struct kith_marks marks;
};

static inline size_t kith_parts_len(const struct kith_parts *p)
{
    return p->head.n + p->body.n;
}

#define KITH_SPAN_OF(object) ((struct kith_span){(const uint8_t *)&(object), sizeof(object)})
#define KITH_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline struct kith_span kith_span_text(const char *s)
{
    return (struct kith_span){(const uint8_t *)s, strlen(s)};
}

static inline bool kith_span_equal(struct kith_span a, struct kith_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Orders by bytes, then by length; for sorted encodings. */
int kith_span_compare(struct kith_span a, struct kith_span b);

/* Copies n bytes; unlike memcpy it takes n == 0 with NULL pointers. */
static inline void kith_copy(void *to, const void *from, size_t n)
{
    if (n > 0)
        memcpy(to, from, n);
}

#endif
