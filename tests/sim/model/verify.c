/* verify.c: each signature is checked once in a process, however many nodes of it look at it.
 *
 * Linked with -Wl,--wrap=kith_verify. A simulation of thousands of nodes spends nearly all of its
 * time on the same signatures otherwise. One thread only. */
#include "sim/model/model.h"

#include <stdlib.h>

#include "crypto/hash.h"

enum { STATEMENTS_MAX = 1 << 20 }; /* later ones are checked each time */

/* The linker's names. */
int __real_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig);
int __wrap_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig);

/* What a statement turned out to be; never 0, which is "not known". */
enum verdict { IS_GENUINE = 1, IS_FORGED, HAS_NO_KEY };

static struct {
    bool ready;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_map known; /* SHA-256 of a statement -> its verdict, in the shape of a pointer */
    uint64_t asked, computed;
} cache;

static void forget_all(void)
{
    kith_map_fini(&cache.known);
}

static void make_ready(void)
{
    if (cache.ready)
        return;
    cache.ready = true;
    kith_random_seeded_init(&cache.seeded, 1);
    cache.random = kith_random_from_seed(&cache.seeded);
    kith_map_init(&cache.known, &kith_heap, &cache.random, sizeof(struct kith_hash),
                  STATEMENTS_MAX);
    (void)atexit(forget_all); /* if it has no room, memory stays until the process ends */
}

static enum verdict verdict_of(int err)
{
    return err == KITH_OK ? IS_GENUINE : err == KITH_E_AUTH ? IS_FORGED : HAS_NO_KEY;
}

static int error_of(enum verdict v)
{
    switch (v) {
    case IS_GENUINE: return KITH_OK;
    case IS_FORGED: return KITH_E_AUTH;
    case HAS_NO_KEY: break;
    }
    return KITH_E_MALFORMED;
}

int __wrap_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig)
{
    /* the first two have fixed lengths, so no two statements look alike */
    const struct kith_span parts[] = {KITH_SPAN_OF(*key), KITH_SPAN_OF(*sig), msg};
    struct kith_hash name;

    make_ready();
    cache.asked++;
    if (kith_sha256_parts(parts, KITH_COUNT(parts), &name) < 0)
        return KITH_E_CRYPTO;
    const enum verdict known = (enum verdict)(uintptr_t)kith_map_find(&cache.known, name.b);
    if (known != 0)
        return error_of(known);
    cache.computed++;
    const int err = __real_kith_verify(key, msg, sig);
    /* a failure of the library says nothing about the statement; a full table checks again */
    if (err != KITH_E_CRYPTO)
        (void)!kith_map_put(&cache.known, name.b, (void *)(uintptr_t)verdict_of(err));
    return err;
}

void model_verify_counts(uint64_t *ret_asked, uint64_t *ret_computed)
{
    *ret_asked = cache.asked;
    *ret_computed = cache.computed;
}
