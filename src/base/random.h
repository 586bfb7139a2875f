/* random.h: randomness as an object that is handed in.
 *
 * The daemon hands in the operating system's generator, tests and the simulator a seeded one. */
#ifndef KITH_BASE_RANDOM_H
#define KITH_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct kith_random {
    /* Fills n bytes; may not fail (the system's generator aborts the start instead). */
    void (*fill)(void *ctx, uint8_t *p, size_t n);
    void *ctx;
};

static inline void kith_random_fill(const struct kith_random *r, void *p, size_t n)
{
    r->fill(r->ctx, p, n);
}

uint64_t kith_random_u64(const struct kith_random *r);
/* Evenly spread over 0..bound-1; bound must not be 0. */
uint64_t kith_random_below(const struct kith_random *r, uint64_t bound);

/* A small seeded generator (xoshiro256**) for tests and simulations. Not for secrets. */
struct kith_random_seeded {
    uint64_t s[4];
};
void kith_random_seeded_init(struct kith_random_seeded *r, uint64_t seed);
/* A kith_random that draws from r; r must outlive it. */
struct kith_random kith_random_from_seed(struct kith_random_seeded *r);

#endif
