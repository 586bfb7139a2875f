#include "session/known.h"

#include "base/map.h"

int kith_known_init(struct kith_known *k, const struct kith_alloc *a,
                    const struct kith_random *random)
{
    *k = (struct kith_known){.k0 = kith_random_u64(random), .k1 = kith_random_u64(random)};
    k->table = kith_new_array(a, (size_t)KITH_KNOWN_SETS * KITH_KNOWN_WAYS, sizeof *k->table);
    return k->table != NULL ? KITH_OK : KITH_E_NOMEM;
}

void kith_known_fini(struct kith_known *k, const struct kith_alloc *a)
{
    kith_free(a, k->table);
    k->table = NULL;
}

/* Where ip is or would be. */
static struct kith_known_entry *set_of(const struct kith_known *k, const struct kith_ip *ip)
{
    struct kith_span bytes = kith_ip_bytes(ip);

    return &k->table[kith_siphash(k->k0, k->k1, bytes) % KITH_KNOWN_SETS * KITH_KNOWN_WAYS];
}

static struct kith_known_entry *find(const struct kith_known *k, const struct kith_ip *ip)
{
    struct kith_known_entry *set = set_of(k, ip);

    for (size_t i = 0; i < KITH_KNOWN_WAYS; i++)
        if (kith_ip_equal(&set[i].ip, ip))
            return &set[i];
    return NULL;
}

/* Whether a is missed less than b: first those whose time is over, then what was merely told, then
 * what is older. */
static bool is_less(const struct kith_known_entry *a, const struct kith_known_entry *b,
                    kith_time now)
{
    bool a_over = a->until <= now, b_over = b->until <= now;

    if (a_over != b_over)
        return a_over;
    if (a->met != b->met)
        return b->met;
    return a->until < b->until;
}

static struct kith_known_entry *least(const struct kith_known *k, const struct kith_ip *ip,
                                      kith_time now)
{
    struct kith_known_entry *set = set_of(k, ip), *found = set;

    for (size_t i = 1; i < KITH_KNOWN_WAYS; i++)
        if (is_less(&set[i], found, now))
            found = &set[i];
    return found;
}

void kith_known_met(struct kith_known *k, const struct kith_ip *ip, kith_time now)
{
    struct kith_known_entry *e = find(k, ip);

    if (ip->family == KITH_FAMILY_NONE)
        return;
    if (e == NULL)
        e = least(k, ip, now);
    *e = (struct kith_known_entry){
        .ip = *ip, .met = true, .until = kith_after(now, KITH_KNOWN_TIME)};
}

void kith_known_told(struct kith_known *k, const struct kith_ip *ip, kith_time now)
{
    struct kith_known_entry *e = find(k, ip);

    if (ip->family == KITH_FAMILY_NONE || (e != NULL && e->met && e->until > now))
        return;
    if (e == NULL) {
        e = least(k, ip, now);
        if (e->until > now)
            return; /* no room for hearsay */
    }
    *e = (struct kith_known_entry){.ip = *ip, .until = kith_after(now, KITH_KNOWN_TIME)};
}

bool kith_known_has(const struct kith_known *k, const struct kith_ip *ip, kith_time now)
{
    const struct kith_known_entry *e = find(k, ip);

    return ip->family != KITH_FAMILY_NONE && e != NULL && e->until > now;
}
