#include "conn/quic/budget.h"

#include "base/map.h"

/* ---- one bucket ---- */

kith_dur budget_left(const struct budget *b, const struct budget_rule *rule, kith_time now)
{
    kith_dur lacks = kith_since(b->full_at, now);

    if (lacks >= rule->most * 100 / rule->share)
        return 0;
    return rule->most - lacks * rule->share / 100;
}

bool budget_take(struct budget *b, const struct budget_rule *rule, kith_dur cost, kith_dur floor,
                 kith_time now)
{
    if (budget_left(b, rule, now) <= floor)
        return false;
    b->full_at = kith_after(b->full_at > now ? b->full_at : now, cost * 100 / rule->share);
    return true;
}

/* ---- one per network ---- */

void network_key(const struct kith_ip *ip, uint8_t key[NETWORK_KEY])
{
    struct kith_prefix p = kith_prefix_of(ip, ip->family == KITH_FAMILY_IP4 ? 24 : 48);

    if (ip->family == KITH_FAMILY_MESH)
        p.ip = *ip; /* a flow: there is nothing behind it that it shares with others */
    key[0] = p.ip.family;
    memcpy(key + 1, p.ip.b, NETWORK_KEY - 1);
}

int rates_init(struct rates *r, const struct kith_alloc *a, const struct kith_random *random)
{
    *r = (struct rates){.k0 = kith_random_u64(random), .k1 = kith_random_u64(random)};
    r->table = kith_new_array(a, (size_t)RATES_SETS * RATES_WAYS, sizeof *r->table);
    return r->table != NULL ? KITH_OK : KITH_E_NOMEM;
}

void rates_fini(struct rates *r, const struct kith_alloc *a)
{
    kith_free(a, r->table);
    r->table = NULL;
}

/* Who owes least is least worth remembering: a bucket that is full says nothing. */
static kith_time owes_until(const struct network_rates *n)
{
    return n->handshakes.full_at > n->datagrams.full_at ? n->handshakes.full_at
                                                        : n->datagrams.full_at;
}

struct network_rates *rates_get(struct rates *r, const struct kith_ip *ip)
{
    uint8_t key[NETWORK_KEY];

    network_key(ip, key);
    size_t set =
        (size_t)(kith_siphash(r->k0, r->k1, (struct kith_span){key, sizeof key}) % RATES_SETS);
    struct network_rates *at = &r->table[set * RATES_WAYS], *least = at;
    for (size_t i = 0; i < RATES_WAYS; i++) {
        if (memcmp(at[i].key, key, sizeof key) == 0)
            return &at[i];
        if (owes_until(&at[i]) < owes_until(least))
            least = &at[i];
    }
    *least = (struct network_rates){.handshakes = {0}};
    memcpy(least->key, key, sizeof key);
    return least;
}
