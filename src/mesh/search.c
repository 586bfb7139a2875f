#include "mesh/search.h"

#include "base/map.h"

enum {
    FIRST_HOPS = 2,
    MOST_HOPS = 64,
    WAIT_MAX = 5, /* doublings of the wait between two requests */
};
#define WANTED_FOR (120 * KITH_SEC)

/* A request, ours or another's. */
struct seen {
    uint64_t tag;
    struct kith_destination to;
    kith_time at;  /* 0: free */
    uint32_t from; /* whom answers belong to */
    uint8_t scope;
    uint8_t hops; /* of the best answer so far; 255: there is none */
    bool proof;
};

struct wanted {
    struct kith_destination to;
    kith_time since; /* somebody wanted it last; 0: free */
    kith_time at;    /* of the next request */
    uint8_t scope, tries;
};

struct kith_search {
    const struct kith_env *env;
    struct kith_map by_tag; /* seen */
    struct seen *seen;      /* KITH_SEARCH_SEEN_MAX; NULL until there is one */
    size_t n_seen;          /* ever */
    struct wanted wanted[KITH_SEARCH_WANTED_MAX];
};

int kith_search_new(const struct kith_env *env, struct kith_search **ret)
{
    struct kith_search *s = kith_new_zero(env->alloc, sizeof *s);

    if (s == NULL)
        return KITH_E_NOMEM;
    s->env = env;
    kith_map_init(&s->by_tag, env->alloc, env->random, sizeof(uint64_t), KITH_SEARCH_SEEN_MAX);
    *ret = s;
    return KITH_OK;
}

void kith_search_free(struct kith_search *s)
{
    if (s == NULL)
        return;
    kith_map_fini(&s->by_tag);
    kith_free(s->env->alloc, s->seen);
    kith_free(s->env->alloc, s);
}

/* ---- requests seen ---- */

static bool note(struct kith_search *s, const struct kith_search_ask *ask, uint32_t from,
                 kith_time now)
{
    if (kith_map_find(&s->by_tag, &ask->tag) != NULL)
        return false;
    if (s->seen == NULL)
        s->seen = kith_new_array(s->env->alloc, KITH_SEARCH_SEEN_MAX, sizeof *s->seen);
    if (s->seen == NULL)
        return false;
    struct seen *place = &s->seen[s->n_seen % KITH_SEARCH_SEEN_MAX];
    if (place->at != 0)
        (void)kith_map_take(&s->by_tag, &place->tag);
    *place = (struct seen){.at = 0};
    if (kith_map_put(&s->by_tag, &ask->tag, place) < 0)
        return false; /* without memory to know it by, it might go in circles */
    *place = (struct seen){.tag = ask->tag,
                           .to = ask->to,
                           .at = now != 0 ? now : 1,
                           .from = from,
                           .scope = ask->scope,
                           .hops = UINT8_MAX,
                           .proof = ask->proof};
    s->n_seen++;
    return true;
}

bool kith_search_heard(struct kith_search *s, const struct kith_search_ask *ask, uint32_t from,
                       kith_time now)
{
    return note(s, ask, from, now);
}

bool kith_search_answered(struct kith_search *s, const struct kith_search_ask *ask, uint8_t hops,
                          kith_time now, uint32_t *ret, bool *ret_proof)
{
    struct seen *r = kith_map_find(&s->by_tag, &ask->tag);

    if (r == NULL || r->scope != ask->scope || !kith_destination_equal(&r->to, &ask->to) ||
        kith_since(now, r->at) > KITH_SEARCH_PATIENCE || hops >= r->hops)
        return false;
    r->hops = hops;
    *ret = r->from;
    *ret_proof = r->proof;
    return true;
}

/* ---- what is looked for ---- */

static struct wanted *find(struct kith_search *s, uint8_t scope, const struct kith_destination *to)
{
    for (size_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++) {
        struct wanted *w = &s->wanted[i];
        if (w->since != 0 && w->scope == scope && kith_destination_equal(&w->to, to))
            return w;
    }
    return NULL;
}

/* A free place, or of one that is wanted no more. */
static struct wanted *place_for_one(struct kith_search *s, kith_time now)
{
    for (size_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++) {
        struct wanted *w = &s->wanted[i];
        if (w->since == 0 || kith_since(now, w->since) > WANTED_FOR)
            return w;
    }
    return NULL;
}

int kith_search_want(struct kith_search *s, uint8_t scope, const struct kith_destination *to,
                     kith_time now)
{
    struct wanted *w = find(s, scope, to);

    if (w == NULL && (w = place_for_one(s, now)) == NULL)
        return KITH_E_FULL;
    if (w->since == 0 || w->scope != scope || !kith_destination_equal(&w->to, to) ||
        kith_since(now, w->since) > WANTED_FOR)
        *w = (struct wanted){.to = *to, .scope = scope, .at = now};
    w->since = now != 0 ? now : 1;
    return KITH_OK;
}

void kith_search_found(struct kith_search *s, uint8_t scope, const struct kith_destination *to)
{
    struct wanted *w = find(s, scope, to);

    if (w != NULL)
        *w = (struct wanted){.since = 0};
}

void kith_search_drop_scope(struct kith_search *s, uint8_t scope)
{
    for (size_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++)
        if (s->wanted[i].scope == scope)
            s->wanted[i] = (struct wanted){.since = 0};
}

static bool is_due(const struct wanted *w, kith_time now)
{
    return w->since != 0 && now >= w->at && kith_since(w->at, w->since) <= WANTED_FOR;
}

static uint8_t reach(unsigned tries)
{
    return tries < WAIT_MAX ? (uint8_t)(FIRST_HOPS << tries) : MOST_HOPS;
}

bool kith_search_next(struct kith_search *s, kith_time now, struct kith_search_ask *ret)
{
    for (size_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++) {
        struct wanted *w = &s->wanted[i];
        if (!is_due(w, now))
            continue;
        *ret = (struct kith_search_ask){.to = w->to,
                                        .tag = kith_random_u64(s->env->random),
                                        .scope = w->scope,
                                        .hops = reach(w->tries)};
        w->at = kith_after(now, KITH_SEC << w->tries);
        if (w->tries < WAIT_MAX)
            w->tries++;
        if (note(s, ret, KITH_SEARCH_SELF, now))
            return true;
    }
    return false;
}

kith_time kith_search_deadline(const struct kith_search *s)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++) {
        const struct wanted *w = &s->wanted[i];
        if (w->since != 0 && kith_since(w->at, w->since) <= WANTED_FOR)
            at = kith_sooner(at, w->at);
    }
    return at;
}
