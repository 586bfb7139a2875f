#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *heap_resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

const struct kith_alloc kith_heap = {.resize = heap_resize};

void *kith_resize(const struct kith_alloc *a, void *p, size_t n)
{
    return a->resize(a->ctx, p, n);
}

void *kith_new_zero(const struct kith_alloc *a, size_t n)
{
    void *p = a->resize(a->ctx, NULL, n);

    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void *kith_new_array(const struct kith_alloc *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return kith_new_zero(a, count * size);
}

void *kith_new_bytes(const struct kith_alloc *a, size_t n)
{
    return n == 0 ? NULL : a->resize(a->ctx, NULL, n);
}

void kith_free(const struct kith_alloc *a, void *p)
{
    if (p != NULL)
        (void)a->resize(a->ctx, p, 0);
}

char *kith_text_copy(const struct kith_alloc *a, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = a->resize(a->ctx, NULL, n);

    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}

static void *watch_resize(void *ctx, void *p, size_t n)
{
    struct kith_alloc_watch *w = ctx;
    const struct kith_alloc *below = w->below;
    void *got =
        below->resize(below->ctx, p, n); /* may have freed what holds the watch, if n == 0 */

    if (got == NULL && n > 0) {
        w->refused++;
        w->bytes = n;
    }
    return got;
}

void kith_alloc_watch_init(struct kith_alloc_watch *w, const struct kith_alloc *below)
{
    *w = (struct kith_alloc_watch){.alloc = {.resize = watch_resize, .ctx = w}, .below = below};
}
