/* base_lab.h: what tests of containers share: memory that runs out when told to, and dice. */
#ifndef KITH_TESTS_UNIT_BASE_LAB_H
#define KITH_TESTS_UNIT_BASE_LAB_H

#include "base/alloc.h"
#include "base/random.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A heap that counts, and refuses the allocation for which `fuse` has run down to 0. */
struct lab_heap {
    size_t fuse;    /* allocations that still succeed; SIZE_MAX: all */
    size_t asked;   /* calls that wanted memory */
    size_t live;    /* blocks not yet freed */
    size_t largest; /* bytes of the largest block ever asked for */
};

static inline void *lab_resize(void *ctx, void *p, size_t n)
{
    struct lab_heap *h = ctx;

    if (n == 0) {
        h->live -= p != NULL;
        free(p);
        return NULL;
    }
    h->asked++;
    if (n > h->largest)
        h->largest = n;
    if (h->fuse == 0)
        return NULL;
    if (h->fuse != SIZE_MAX)
        h->fuse--;
    void *q = realloc(p, n);
    if (q == NULL)
        abort();
    h->live += p == NULL;
    return q;
}

static inline struct kith_alloc lab_alloc(struct lab_heap *h)
{
    *h = (struct lab_heap){.fuse = SIZE_MAX};
    return (struct kith_alloc){.resize = lab_resize, .ctx = h};
}

/* Dice that fall the same way for the same seed. */
struct lab_dice {
    struct kith_random_seeded source;
    struct kith_random random;
};

static inline void lab_seed(struct lab_dice *d, uint64_t seed)
{
    kith_random_seeded_init(&d->source, seed);
    d->random = kith_random_from_seed(&d->source);
}

/* Seeds with KITH_SEED, or the time; says which, so that a failure can be had again. */
static inline void lab_seed_run(struct lab_dice *d)
{
    const char *given = getenv("KITH_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    printf("KITH_SEED=%llu\n", (unsigned long long)seed);
    lab_seed(d, seed);
}

/* 0 to n - 1 */
static inline size_t lab_below(struct lab_dice *d, size_t n)
{
    return (size_t)kith_random_below(&d->random, n);
}

#endif
