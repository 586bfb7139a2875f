#include "identity/limits.h"

#include "base/list.h"
#include "base/map.h"

/* One source or one peer that failed lately. */
struct suspect {
    struct kith_link
        link; /* in watched (last failure first to go) or refused (first to end first) */
    uint8_t key[KITH_MAP_KEY_MAX];
    kith_time failed_at[KITH_ENROL_FAILURES]; /* a ring; KITH_NEVER: none yet */
    uint8_t next;                             /* place of the next, which is the oldest */
    kith_time refused_until;                  /* 0: is not */
};

struct table {
    struct kith_map by_key; /* suspect */
    struct kith_link watched, refused;
    size_t key_len;
};

struct kith_enrol_limits {
    const struct kith_env *env;
    struct table sources, peers;
    kith_time full_at; /* when the bucket will be full again */
};

/* ---- keys ---- */

enum { SOURCE_KEY = 7 }; /* family and the first 3 or 6 bytes */

static void source_key(const struct kith_ip *ip, uint8_t key[KITH_MAP_KEY_MAX])
{
    unsigned bits = ip->family == KITH_FAMILY_IP4 ? 24 : 48;
    struct kith_prefix p = kith_prefix_of(ip, bits);

    memset(key, 0, KITH_MAP_KEY_MAX);
    key[0] = ip->family;
    memcpy(key + 1, p.ip.b, SOURCE_KEY - 1);
}

static void peer_key(const struct kith_peer_id *peer, uint8_t key[KITH_MAP_KEY_MAX])
{
    memcpy(key, peer->b, KITH_MAP_KEY_MAX);
}

/* ---- one table ---- */

static void table_init(struct table *t, const struct kith_env *env, size_t key_len, size_t max)
{
    kith_map_init(&t->by_key, env->alloc, env->random, key_len, max);
    kith_list_init(&t->watched);
    kith_list_init(&t->refused);
    t->key_len = key_len;
}

static void forget(struct kith_enrol_limits *l, struct table *t, struct suspect *s)
{
    (void)kith_map_take(&t->by_key, s->key);
    kith_list_remove(&s->link);
    kith_free(l->env->alloc, s);
}

static void table_fini(struct kith_enrol_limits *l, struct table *t)
{
    while (!kith_list_empty(&t->watched))
        forget(l, t, KITH_OF(t->watched.next, struct suspect, link));
    while (!kith_list_empty(&t->refused))
        forget(l, t, KITH_OF(t->refused.next, struct suspect, link));
    kith_map_fini(&t->by_key);
}

/* Refusals that ended, else the failure longest ago, else the refusal that ends first. */
static void make_room(struct kith_enrol_limits *l, struct table *t, kith_time now)
{
    if (t->by_key.n < t->by_key.max)
        return;
    struct suspect *first =
        kith_list_empty(&t->refused) ? NULL : KITH_OF(t->refused.next, struct suspect, link);
    if (first != NULL && (first->refused_until <= now || kith_list_empty(&t->watched)))
        forget(l, t, first);
    else
        forget(l, t, KITH_OF(t->watched.next, struct suspect, link));
}

static struct suspect *get(struct kith_enrol_limits *l, struct table *t,
                           const uint8_t key[KITH_MAP_KEY_MAX], kith_time now)
{
    struct suspect *s = kith_map_find(&t->by_key, key);

    if (s != NULL)
        return s;
    make_room(l, t, now);
    s = kith_new_zero(l->env->alloc, sizeof *s);
    if (s == NULL)
        return NULL;
    if (kith_map_put(&t->by_key, key, s) < 0) {
        kith_free(l->env->alloc, s);
        return NULL;
    }
    memcpy(s->key, key, sizeof s->key);
    for (size_t i = 0; i < KITH_ENROL_FAILURES; i++)
        s->failed_at[i] = KITH_NEVER;
    kith_list_init(&s->link);
    return s;
}

static bool refused(const struct table *t, const uint8_t key[KITH_MAP_KEY_MAX], kith_time now)
{
    const struct suspect *s = kith_map_find(&t->by_key, key);

    return s != NULL && now < s->refused_until;
}

/* Whether this failure was one too many. */
static bool count_failure(struct kith_enrol_limits *l, struct table *t,
                          const uint8_t key[KITH_MAP_KEY_MAX], kith_time now)
{
    struct suspect *s = get(l, t, key, now);

    if (s == NULL || now < s->refused_until)
        return false;
    s->failed_at[s->next] = now;
    s->next = (uint8_t)((s->next + 1) % KITH_ENROL_FAILURES);
    kith_time oldest = s->failed_at[s->next];
    bool too_many = oldest != KITH_NEVER && kith_since(now, oldest) < KITH_ENROL_WINDOW;

    s->refused_until = too_many ? kith_after(now, KITH_ENROL_REFUSAL) : 0;
    kith_list_remove(&s->link);
    kith_list_append(too_many ? &t->refused : &t->watched, &s->link);
    return too_many;
}

/* ---- both ---- */

int kith_enrol_limits_new(const struct kith_env *env, size_t max, struct kith_enrol_limits **ret)
{
    struct kith_enrol_limits *l = kith_new_zero(env->alloc, sizeof *l);

    if (l == NULL)
        return KITH_E_NOMEM;
    l->env = env;
    max = max != 0 ? max : KITH_ENROL_SOURCES_MAX;
    table_init(&l->sources, env, SOURCE_KEY, max);
    table_init(&l->peers, env, sizeof(struct kith_peer_id), max);
    *ret = l;
    return KITH_OK;
}

void kith_enrol_limits_free(struct kith_enrol_limits *l)
{
    if (l == NULL)
        return;
    table_fini(l, &l->sources);
    table_fini(l, &l->peers);
    kith_free(l->env->alloc, l);
}

int kith_enrol_limits_check(const struct kith_enrol_limits *l, const struct kith_ip *source,
                            const struct kith_peer_id *peer, kith_time now)
{
    uint8_t key[KITH_MAP_KEY_MAX];

    source_key(source, key);
    if (refused(&l->sources, key, now))
        return KITH_E_LIMIT;
    peer_key(peer, key);
    if (refused(&l->peers, key, now))
        return KITH_E_LIMIT;
    return kith_since(l->full_at, now) > (KITH_ENROL_BURST - 1) * KITH_ENROL_REFILL ? KITH_E_AGAIN
                                                                                    : KITH_OK;
}

void kith_enrol_limits_failed(struct kith_enrol_limits *l, const struct kith_ip *source,
                              const struct kith_peer_id *peer, kith_time now, bool *ret_refused)
{
    uint8_t key[KITH_MAP_KEY_MAX];
    bool any;

    source_key(source, key);
    any = count_failure(l, &l->sources, key, now);
    peer_key(peer, key);
    any |= count_failure(l, &l->peers, key, now);
    l->full_at = kith_after(l->full_at > now ? l->full_at : now, KITH_ENROL_REFILL);
    if (ret_refused != NULL)
        *ret_refused = any;
}

void kith_enrol_limits_succeeded(struct kith_enrol_limits *l, const struct kith_peer_id *peer)
{
    struct suspect *s = kith_map_find(&l->peers.by_key, peer->b);

    if (s != NULL)
        forget(l, &l->peers, s);
}
