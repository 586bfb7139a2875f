/* map.h: a bounded hash map from keys of one fixed length to pointers.
 *
 * Open addressing with SipHash-2-4 under a random key, so that strangers who choose keys cannot
 * choose collisions. Values are borrowed; a map never frees them. It grows by doubling up to
 * `max` entries, then put returns KITH_E_FULL. */
#ifndef KITH_BASE_MAP_H
#define KITH_BASE_MAP_H

#include "base/alloc.h"
#include "base/base.h"
#include "base/random.h"

enum { KITH_MAP_KEY_MAX = 32 };

struct kith_map { /* init before use */
    const struct kith_alloc *alloc;
    void *slots; /* `cap` of them, a power of two; NULL while empty */
    size_t n, cap, max;
    uint8_t key_len, slot_len; /* bytes; a slot is a pointer and its key */
    uint64_t k0, k1;           /* SipHash key */
};

/* key_len is 1..KITH_MAP_KEY_MAX; `max` entries at most. Allocates nothing yet. */
void kith_map_init(struct kith_map *m, const struct kith_alloc *a, const struct kith_random *r,
                   size_t key_len, size_t max);
void kith_map_fini(struct kith_map *m);
/* Adds or replaces (a full map still replaces). KITH_E_FULL or KITH_E_NOMEM leave the map as it
 * was, KITH_E_INVAL is for a NULL value. */
int kith_map_put(struct kith_map *m, const void *key, void *value) KITH_MUST_CHECK;
/* The value under key, or NULL. */
void *kith_map_find(const struct kith_map *m, const void *key);
/* Removes and returns the value under key, or NULL. */
void *kith_map_take(struct kith_map *m, const void *key);
/* Visits every value: start with *at = 0; NULL at the end. Don't put or take while visiting. */
void *kith_map_next(const struct kith_map *m, size_t *at);
/* SipHash-2-4 (Aumasson, Bernstein 2012) of the bytes. */
uint64_t kith_siphash(uint64_t k0, uint64_t k1, struct kith_span in);

#endif
