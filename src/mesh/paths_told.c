/* paths_told.c: what is told on of destinations, and what is asked of them. */
#include "mesh/paths_parts.h"

enum {
    ASKS_MAX = 5,      /* after which the wait for the next is as long as it gets */
    ASK_WAIT_MAX = 30, /* seconds */
};

static struct kith_mesh_advert advert_of(const struct entry *e, kith_time now)
{
    struct kith_mesh_advert a = {.to = e->to, .seq = e->seq, .by = KITH_MESH_NOBODY};
    const struct kith_mesh_way *best = kith_paths_feasible_of(e, now);

    a.starved = e->n > 0 && best == NULL;
    if (best == NULL)
        return a;
    a.seq = best->seq;
    a.by = best->neighbour;
    a.hops = best->hops;
    a.rate = best->rate;
    return a;
}

/* What everybody hears of a destination, in 31 bits: a sum of products with numbers that nobody
 * knows (multiply-shift), because every walk reckons it for every entry. One change in some hundred
 * million goes untold until the next. */
static uint32_t mark_of(const struct kith_mesh_paths *p, const struct kith_mesh_advert *a)
{
    const uint64_t k0 = p->by_destination.k0 | 1, k1 = p->by_destination.k1 | 1;

    if (a->hops == 0)
        return 0;
    return 1 | (uint32_t)((a->seq * k0 + a->by * k1 + a->hops * (k0 ^ (k1 << 1))) >> 32);
}

static bool is_wanted(const struct kith_mesh_paths *p, const struct entry *e,
                      const struct kith_mesh_advert *a, enum kith_mesh_which which)
{
    const bool quiet = a->hops > 0 && kith_paths_is_asked(e);

    switch (which) {
    case KITH_MESH_NEWS: return !quiet && mark_of(p, a) != e->told;
    case KITH_MESH_ALL: return a->hops > 0 && !quiet;
    case KITH_MESH_STARVED: return a->starved;
    }
    return false;
}

bool kith_mesh_paths_lacks(struct kith_mesh_paths *p)
{
    bool lacks = p->lacks;

    p->lacks = false;
    return lacks;
}

bool kith_mesh_paths_next_advert(struct kith_mesh_paths *p, size_t *at, enum kith_mesh_which which,
                                 kith_time now, struct kith_mesh_advert *ret)
{
    struct entry *e;

    while ((e = kith_map_next(&p->by_destination, at)) != NULL) {
        *ret = advert_of(e, now);
        if (is_wanted(p, e, ret, which))
            return true;
    }
    return false;
}

void kith_mesh_paths_told(struct kith_mesh_paths *p, const struct kith_mesh_advert *a,
                          bool everybody)
{
    struct entry *e = kith_paths_find(p, &a->to);

    if (e == NULL)
        return;
    if (everybody)
        e->told = mark_of(p, a);
    else if (kith_paths_is_asked(e)) /* then all hear when it is gone */
        e->told = TOLD_SOME;
    if (a->hops == 0)
        return;
    e->asks = 0;
    if (a->seq > e->seq || e->least == 0 || a->hops < e->least)
        e->least = a->hops;
    e->seq = a->seq;
}

void kith_mesh_paths_renew(struct kith_mesh_paths *p, const struct kith_destination *to)
{
    struct entry *e = kith_paths_find(p, to);

    if (e != NULL && e->told != 0)
        e->told = TOLD_SOME;
}

bool kith_mesh_paths_answer(struct kith_mesh_paths *p, const struct kith_destination *to,
                            uint32_t to_whom, kith_time now, struct kith_mesh_advert *ret)
{
    const struct entry *e = kith_paths_find(p, to);

    if (e == NULL)
        return false;
    *ret = advert_of(e, now);
    if (ret->hops == 0 || ret->hops >= KITH_MESH_HOPS_MAX || ret->by == to_whom)
        return false;
    kith_mesh_paths_told(p, ret, false);
    return true;
}

bool kith_mesh_paths_may_ask(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             kith_time now)
{
    const struct entry *e = kith_paths_find(p, to);

    if (e == NULL)
        return false;
    uint32_t wait = e->asks == 0         ? 0
                    : e->asks < ASKS_MAX ? (uint32_t)1 << e->asks
                                         : (uint32_t)ASK_WAIT_MAX;
    return kith_paths_seconds(now) - e->asked_at >= wait;
}

void kith_mesh_paths_asked(struct kith_mesh_paths *p, const struct kith_destination *to,
                           kith_time now)
{
    struct entry *e = kith_paths_find(p, to);

    if (e == NULL)
        return;
    e->asked_at = kith_paths_seconds(now);
    if (e->asks < ASKS_MAX)
        e->asks++;
}

bool kith_mesh_paths_feasible(const struct kith_mesh_paths *p, const struct kith_destination *to,
                              kith_time now, struct kith_mesh_way *ret)
{
    const struct entry *e = kith_paths_find(p, to);
    const struct kith_mesh_way *w = e == NULL ? NULL : kith_paths_feasible_of(e, now);

    if (w == NULL)
        return false;
    *ret = *w;
    return true;
}

bool kith_mesh_paths_told_on(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             uint32_t *ret_seq, uint8_t *ret_hops)
{
    const struct entry *e = kith_paths_find(p, to);

    if (e == NULL || e->least == 0)
        return false;
    *ret_seq = e->seq;
    *ret_hops = e->least;
    return true;
}
