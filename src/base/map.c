#include "base/map.h"

struct slot {
    void *value; /* NULL: free */
    uint8_t key[];
};

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

/* The four words stay in registers: every packet is looked up a few times. */
struct sip {
    uint64_t a, b, c, d;
};

static inline struct sip sip_round(struct sip v)
{
    v.a += v.b;
    v.b = rotl(v.b, 13) ^ v.a;
    v.a = rotl(v.a, 32);
    v.c += v.d;
    v.d = rotl(v.d, 16) ^ v.c;
    v.a += v.d;
    v.d = rotl(v.d, 21) ^ v.a;
    v.c += v.b;
    v.b = rotl(v.b, 17) ^ v.c;
    v.c = rotl(v.c, 32);
    return v;
}

static inline struct sip sip_take(struct sip v, uint64_t m)
{
    v.d ^= m;
    v = sip_round(sip_round(v));
    v.a ^= m;
    return v;
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t kith_siphash(uint64_t k0, uint64_t k1, struct kith_span in)
{
    struct sip v = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                    k1 ^ 0x7465646279746573u};
    size_t whole = in.n & ~(size_t)7;

    for (size_t i = 0; i < whole; i += 8)
        v = sip_take(v, load_le(in.p + i, 8));
    uint64_t rest = in.n > whole ? load_le(in.p + whole, in.n - whole) : 0;
    v = sip_take(v, rest | (uint64_t)in.n << 56);
    v.c ^= 0xff;
    v = sip_round(sip_round(sip_round(sip_round(v))));
    return v.a ^ v.b ^ v.c ^ v.d;
}

void kith_map_init(struct kith_map *m, const struct kith_alloc *a, const struct kith_random *r,
                   size_t key_len, size_t max)
{
    size_t len = sizeof(struct slot) + key_len, unit = sizeof(void *);

    *m = (struct kith_map){.alloc = a,
                           .key_len = (uint8_t)key_len,
                           .slot_len = (uint8_t)((len + unit - 1) / unit * unit),
                           .max = max};
    m->k0 = kith_random_u64(r);
    m->k1 = kith_random_u64(r);
}

void kith_map_fini(struct kith_map *m)
{
    kith_free(m->alloc, m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

static struct slot *slot_at(const struct kith_map *m, size_t i)
{
    return (void *)((uint8_t *)m->slots + i * m->slot_len);
}

static size_t home_of(const struct kith_map *m, const void *key)
{
    return (size_t)kith_siphash(m->k0, m->k1, (struct kith_span){key, m->key_len}) & (m->cap - 1);
}

/* Where key is, or belongs. Needs cap > n. */
static size_t index_for(const struct kith_map *m, const void *key)
{
    size_t i = home_of(m, key);

    while (slot_at(m, i)->value != NULL && memcmp(slot_at(m, i)->key, key, m->key_len) != 0)
        i = (i + 1) & (m->cap - 1);
    return i;
}

/* The slot that holds key, or the free one where it belongs. */
static struct slot *slot_for(const struct kith_map *m, const void *key)
{
    return slot_at(m, index_for(m, key));
}

/* Keeps a quarter of the slots free, so that probing stays short. */
static int make_room(struct kith_map *m)
{
    if (m->n + 1 <= m->cap / 4 * 3)
        return KITH_OK;

    struct kith_map bigger = *m;
    bigger.cap = m->cap == 0 ? 8 : 2 * m->cap;
    bigger.slots = kith_new_array(m->alloc, bigger.cap, m->slot_len);
    if (bigger.slots == NULL)
        return KITH_E_NOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        const struct slot *s = slot_at(m, i);
        if (s->value != NULL)
            memcpy(slot_for(&bigger, s->key), s, m->slot_len);
    }
    kith_free(m->alloc, m->slots);
    *m = bigger;
    return KITH_OK;
}

int kith_map_put(struct kith_map *m, const void *key, void *value)
{
    if (value == NULL)
        return KITH_E_INVAL;
    if (m->cap > 0) {
        struct slot *s = slot_for(m, key);
        if (s->value != NULL) {
            s->value = value;
            return KITH_OK;
        }
    }
    if (m->n >= m->max)
        return KITH_E_FULL;
    int err = make_room(m);
    if (err < 0)
        return err;

    struct slot *s = slot_for(m, key);
    memcpy(s->key, key, m->key_len);
    s->value = value;
    m->n++;
    return KITH_OK;
}

void *kith_map_find(const struct kith_map *m, const void *key)
{
    return m->cap == 0 ? NULL : slot_for(m, key)->value;
}

/* Moves later entries of the run back over the hole, so that no tombstones are needed. */
static void close_hole(struct kith_map *m, size_t hole)
{
    size_t i = hole;

    for (;;) {
        i = (i + 1) & (m->cap - 1);
        const struct slot *s = slot_at(m, i);
        if (s->value == NULL)
            break;
        size_t home = home_of(m, s->key);
        bool reachable = hole < i ? (home > hole && home <= i) : (home > hole || home <= i);
        if (reachable)
            continue;
        memcpy(slot_at(m, hole), s, m->slot_len);
        hole = i;
    }
    slot_at(m, hole)->value = NULL;
}

void *kith_map_take(struct kith_map *m, const void *key)
{
    if (m->cap == 0)
        return NULL;
    size_t i = index_for(m, key);
    void *value = slot_at(m, i)->value;
    if (value != NULL) {
        close_hole(m, i);
        m->n--;
    }
    return value;
}

void *kith_map_next(const struct kith_map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = slot_at(m, (*at)++)->value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
