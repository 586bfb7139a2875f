/* alloc.h: memory through a table, so that a test can make the n-th allocation fail.
 *
 * Every object that allocates keeps the `kith_alloc` it was given and frees through it. */
#ifndef KITH_BASE_ALLOC_H
#define KITH_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

struct kith_alloc {
    /* As realloc: p may be NULL; n == 0 frees and returns NULL. */
    void *(*resize)(void *ctx, void *p, size_t n);
    void *ctx;
};

/* The C library's heap. */
extern const struct kith_alloc kith_heap;

/* n bytes of zeros, or NULL (also for n == 0). Release with kith_free. */
void *kith_new_zero(const struct kith_alloc *a, size_t n);
/* count * size bytes of zeros, or NULL (also on overflow, or for none). */
void *kith_new_array(const struct kith_alloc *a, size_t count, size_t size);
/* n bytes of anything, or NULL (also for n == 0): for large buffers, whose memory the system gives
 * as they are first written to. */
void *kith_new_bytes(const struct kith_alloc *a, size_t n);
/* As a->resize: p stays as it was when NULL is returned for n > 0. */
void *kith_resize(const struct kith_alloc *a, void *p, size_t n);
/* NULL is fine. */
void kith_free(const struct kith_alloc *a, void *p);
/* A copy of text with its NUL, or NULL. */
char *kith_text_copy(const struct kith_alloc *a, const char *text);

/* Another table's memory, with a count of what it refused: whoever hands `alloc` on can tell of
 * each refusal, however it was dealt with further down. */
struct kith_alloc_watch {
    struct kith_alloc alloc; /* valid while the watch stays where it is */
    const struct kith_alloc *below;
    uint64_t refused; /* requests so far */
    size_t bytes;     /* asked for by the last of them */
};

void kith_alloc_watch_init(struct kith_alloc_watch *w, const struct kith_alloc *below);

#endif
