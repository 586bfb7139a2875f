/* verify.c: each signature is checked once in a process, however many nodes of it look at it.
 *
 * Linked with -Wl,--wrap=kith_verify. A simulation of thousands of nodes spends nearly all of its
 * time on the same signatures otherwise. Statements are kept whole and compared byte by byte, which
 * is quicker than hashing them, and leaves a foe nothing to collide with. Any thread may ask; two
 * that ask for the same at once may both compute it. */
#include "sim/model/model.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    STATEMENTS_MAX = 1 << 16, /* later ones are checked each time; of about 6 kB */
    ALIKE_MAX = 16,           /* of one name: the same */
    NAME = 32,                /* the first bytes of the signature */
};

/* The linker's names. */
int __real_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig);
int __wrap_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig);

/* What a statement turned out to be. */
enum verdict { IS_GENUINE, IS_FORGED, HAS_NO_KEY };

struct statement {          /* never changed after it is put into the map */
    struct statement *next; /* of the same name */
    unsigned alike;         /* so many follow */
    enum verdict verdict;
    struct kith_public_key key;
    struct kith_signature sig;
    size_t len;
    uint8_t msg[];
};

static struct {
    pthread_mutex_t guard;
    bool ready;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_map known; /* name -> the latest statement of that name */
    uint64_t asked, computed;
} cache = {.guard = PTHREAD_MUTEX_INITIALIZER};

static void forget_all(void)
{
    struct statement *s, *next;

    for (size_t at = 0; (s = kith_map_next(&cache.known, &at)) != NULL;)
        for (; s != NULL; s = next) {
            next = s->next;
            free(s);
        }
    kith_map_fini(&cache.known);
}

static void make_ready(void)
{
    if (cache.ready)
        return;
    cache.ready = true;
    kith_random_seeded_init(&cache.seeded, 1);
    cache.random = kith_random_from_seed(&cache.seeded);
    kith_map_init(&cache.known, &kith_heap, &cache.random, NAME, STATEMENTS_MAX);
    (void)atexit(forget_all); /* if it has no room, memory stays until the process ends */
}

static void enter(void)
{
    if (pthread_mutex_lock(&cache.guard) != 0)
        abort();
    make_ready();
}

static void leave(void)
{
    if (pthread_mutex_unlock(&cache.guard) != 0)
        abort();
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

static bool is_it(const struct statement *s, const struct kith_public_key *key,
                  struct kith_span msg, const struct kith_signature *sig)
{
    return memcmp(&s->sig, sig, sizeof *sig) == 0 && memcmp(&s->key, key, sizeof *key) == 0 &&
           s->len == msg.n && (msg.n == 0 || memcmp(s->msg, msg.p, msg.n) == 0);
}

static const struct statement *find(const struct kith_public_key *key, struct kith_span msg,
                                    const struct kith_signature *sig)
{
    enter();
    cache.asked++;
    const struct statement *s = kith_map_find(&cache.known, sig->b);
    leave();
    while (s != NULL && !is_it(s, key, msg, sig))
        s = s->next;
    return s;
}

/* A full table, or no memory, checks again. */
static void keep(const struct kith_public_key *key, struct kith_span msg,
                 const struct kith_signature *sig, enum verdict v)
{
    struct statement *s = malloc(sizeof *s + msg.n);

    if (s == NULL)
        return;
    *s = (struct statement){.verdict = v, .key = *key, .sig = *sig, .len = msg.n};
    kith_copy(s->msg, msg.p, msg.n);
    enter();
    cache.computed++;
    s->next = kith_map_find(&cache.known, sig->b);
    s->alike = s->next != NULL ? s->next->alike + 1 : 0;
    if (s->alike == ALIKE_MAX || kith_map_put(&cache.known, sig->b, s) < 0)
        free(s);
    leave();
}

int __wrap_kith_verify(const struct kith_public_key *key, struct kith_span msg,
                       const struct kith_signature *sig)
{
    const struct statement *s = find(key, msg, sig);

    if (s != NULL)
        return error_of(s->verdict);
    const int err = __real_kith_verify(key, msg, sig);
    if (err != KITH_E_CRYPTO) /* a failure of the library says nothing about the statement */
        keep(key, msg, sig, verdict_of(err));
    return err;
}

void model_verify_counts(uint64_t *ret_asked, uint64_t *ret_computed)
{
    enter();
    *ret_asked = cache.asked;
    *ret_computed = cache.computed;
    leave();
}
