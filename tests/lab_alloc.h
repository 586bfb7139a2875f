/* lab_alloc.h: an allocator that counts what is alive and can fail at the n-th request, or at a
 * run of them that begins there. Sizes are kept in a header before each block, so freeing is
 * counted exactly. */
#ifndef KITH_TESTS_LAB_ALLOC_H
#define KITH_TESTS_LAB_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

struct lab_alloc {
    struct kith_alloc alloc;
    size_t live, bytes, peak; /* blocks alive, their bytes, the most bytes ever alive */
    uint64_t requests;        /* allocations and growths asked for so far */
    uint64_t fail_at;         /* the request that fails; 0: none */
    uint64_t fail_run;        /* so many fail from there on; 0: one */
    uint64_t failed;
};

union lab_block {
    size_t size;
    max_align_t align;
};

static void *lab_alloc_resize(void *ctx, void *p, size_t n)
{
    struct lab_alloc *a = ctx;
    union lab_block *old = p != NULL ? (union lab_block *)p - 1 : NULL;
    size_t was = old != NULL ? old->size : 0;

    if (n == 0) {
        a->live -= old != NULL;
        a->bytes -= was;
        free(old);
        return NULL;
    }
    a->requests++;
    if (a->fail_at != 0 && a->requests >= a->fail_at &&
        a->requests - a->fail_at < (a->fail_run == 0 ? 1 : a->fail_run)) {
        a->failed++;
        return NULL;
    }
    union lab_block *b = realloc(old, sizeof *b + n);
    if (b == NULL)
        abort();
    b->size = n;
    a->live += old == NULL;
    a->bytes += n - was;
    if (a->bytes > a->peak)
        a->peak = a->bytes;
    return b + 1;
}

static inline void lab_alloc_init(struct lab_alloc *a)
{
    *a = (struct lab_alloc){.alloc = {.resize = lab_alloc_resize, .ctx = a}};
}

#endif
