#include "vpn/route.h"

struct route_key {
    uint8_t family, bits, b[16];
};

void kith_routes_init(struct kith_routes *r, const struct kith_env *env, size_t max)
{
    *r = (struct kith_routes){0};
    kith_map_init(&r->map, env->alloc, env->random, sizeof(struct route_key), max);
}

void kith_routes_fini(struct kith_routes *r)
{
    kith_map_fini(&r->map);
}

static struct route_key key_of(const struct kith_prefix *p)
{
    struct route_key k = {.family = p->ip.family, .bits = p->bits};

    memcpy(k.b, p->ip.b, sizeof k.b);
    return k;
}

static bool valid(const struct kith_prefix *p)
{
    unsigned most = p->ip.family == KITH_FAMILY_IP4   ? 32
                    : p->ip.family == KITH_FAMILY_IP6 ? 128
                                                      : 0;

    if (most == 0 || p->bits > most)
        return false;
    struct kith_prefix clean = kith_prefix_of(&p->ip, p->bits);
    return kith_prefix_equal(&clean, p);
}

static uint32_t *length_count(struct kith_routes *r, const struct kith_prefix *p)
{
    return &r->of_length[p->ip.family == KITH_FAMILY_IP6][p->bits];
}

int kith_routes_add(struct kith_routes *r, const struct kith_prefix *to, void *value)
{
    if (value == NULL || !valid(to))
        return KITH_E_INVAL;
    struct route_key k = key_of(to);
    if (kith_map_find(&r->map, &k) != NULL)
        return KITH_E_TAKEN;
    int err = kith_map_put(&r->map, &k, value);
    if (err < 0)
        return err;
    ++*length_count(r, to);
    return KITH_OK;
}

void kith_routes_remove(struct kith_routes *r, const struct kith_prefix *to)
{
    struct route_key k = key_of(to);

    if (valid(to) && kith_map_take(&r->map, &k) != NULL)
        --*length_count(r, to);
}

void *kith_routes_match(const struct kith_routes *r, const struct kith_ip *ip, unsigned *ret_bits)
{
    bool v6 = ip->family == KITH_FAMILY_IP6;

    if (ip->family == KITH_FAMILY_NONE)
        return NULL;
    for (unsigned bits = v6 ? 129 : 33; bits-- > 0;) {
        if (r->of_length[v6][bits] == 0)
            continue;
        struct kith_prefix p = kith_prefix_of(ip, bits);
        struct route_key k = key_of(&p);
        void *value = kith_map_find(&r->map, &k);
        if (value == NULL)
            continue;
        if (ret_bits != NULL)
            *ret_bits = bits;
        return value;
    }
    return NULL;
}
