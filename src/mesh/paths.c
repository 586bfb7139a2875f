#include "mesh/paths_parts.h"

int kith_mesh_paths_new(const struct kith_env *env, size_t max, struct kith_mesh_paths **ret)
{
    struct kith_mesh_paths *p = kith_new_zero(env->alloc, sizeof *p);

    if (p == NULL)
        return KITH_E_NOMEM;
    p->env = env;
    p->max = max;
    const size_t all = 2 * max + 1; /* a neighbour that goes may take all ways along */
    kith_map_init(&p->by_destination, env->alloc, env->random, sizeof(struct kith_destination),
                  all);
    kith_map_init(&p->by_neighbour, env->alloc, env->random, sizeof(uint32_t), all);
    kith_list_init(&p->owners);
    *ret = p;
    return KITH_OK;
}

void kith_mesh_paths_free(struct kith_mesh_paths *p)
{
    struct entry *e;

    if (p == NULL)
        return;
    for (size_t at = 0; (e = kith_map_next(&p->by_destination, &at)) != NULL;)
        kith_free(p->env->alloc, e);
    while (!kith_list_empty(&p->owners)) {
        struct owner *o = KITH_OF(p->owners.next, struct owner, link);
        kith_list_remove(&o->link);
        kith_free(p->env->alloc, o);
    }
    kith_map_fini(&p->by_destination);
    kith_map_fini(&p->by_neighbour);
    kith_mesh_measured_free(p->measured);
    kith_free(p->env->alloc, p);
}

/* ---- hearing ---- */

int kith_mesh_paths_tell(struct kith_mesh_paths *p, const struct kith_destination *to,
                         const struct kith_mesh_offer *offer, struct kith_now now,
                         enum kith_mesh_told *ret)
{
    struct kith_mesh_way w = {.neighbour = offer->neighbour,
                              .hops = offer->hops,
                              .rate = offer->rate,
                              .seq = offer->seq,
                              .heard = kith_paths_seconds(now.mono)};
    struct entry *e = kith_paths_find(p, to);
    bool is_new = e == NULL || e->n == 0;

    *ret = KITH_MESH_TOLD_WORSE;
    if (offer->hops == 0 || offer->hops > KITH_MESH_HOPS_MAX || offer->neighbour >= ASKED)
        return KITH_E_INVAL;
    if (offer->expires <= now.wall)
        return KITH_E_EXPIRED;
    const bool told_room = kith_paths_told_room(p);
    if (is_new && !kith_paths_room(p, offer, now.mono))
        return KITH_OK;
    e = kith_paths_find(p, to); /* room may have been made of it */
    if (e == NULL && (e = kith_paths_add(p, to, offer->neighbour)) == NULL)
        return KITH_E_NOMEM;
    kith_paths_recall(p, to, &w, now.mono);
    const struct kith_mesh_way *best = kith_paths_best_of(e, KITH_MESH_NOBODY, now.mono);
    const uint32_t before = best == NULL ? KITH_MESH_NOBODY : best->neighbour;
    const uint8_t hops = best == NULL ? 0 : best->hops;
    struct kith_mesh_way *at = kith_paths_place_for(p, e, &w, now.mono);
    if (at == NULL)
        return KITH_OK;
    if (at->neighbour == w.neighbour && at->hops != 0) {
        w.rtt = at->rtt;
        w.loss = at->loss;
        w.avoid_until = at->avoid_until;
    }
    *at = w;
    if (offer->expires > e->expires)
        e->expires = offer->expires < UINT32_MAX ? (uint32_t)offer->expires : UINT32_MAX;
    if (is_new && offer->asked && !told_room && !kith_paths_hand_over(p, e, ASKED))
        return KITH_E_NOMEM;
    kith_paths_file(e, now.mono);
    best = kith_paths_best_of(e, KITH_MESH_NOBODY, now.mono);
    *ret = is_new                                            ? KITH_MESH_TOLD_NEW
           : best->neighbour != before || best->hops != hops ? KITH_MESH_TOLD_CHANGED
                                                             : KITH_MESH_TOLD_KNOWN;
    return KITH_OK;
}

/* Takes out the ways by that neighbour, or (KITH_MESH_NOBODY) what time has ended. Whether there
 * were any. */
static bool prune(struct kith_mesh_paths *p, struct entry *e, uint32_t by, struct kith_now now)
{
    bool time = by == KITH_MESH_NOBODY, fewer = false;

    if (e->n == 0) {
        if (time && kith_paths_seconds(now.mono) - e->lost_at >= KITH_MESH_HOLD / KITH_SEC)
            kith_paths_drop(p, e);
        return false;
    }
    if (time && e->expires <= now.wall) {
        kith_paths_drop(p, e);
        return true;
    }
    for (uint8_t i = 0; i < e->n;) {
        struct kith_mesh_way *w = &e->way[i];
        if (time ? kith_paths_is_fresh(w, now.mono) : w->neighbour != by) {
            i++;
            continue;
        }
        if (!kith_paths_take_out(p, e, w, now.mono))
            return true;
        fewer = true;
    }
    return fewer;
}

/* Of one owner. An entry that moves may be met again, and is as it should be then. */
static size_t sweep_owner(struct kith_mesh_paths *p, struct owner *o, uint32_t by,
                          struct kith_now now)
{
    size_t n = 0;

    for (size_t i = 0; i < SHELVES; i++)
        for (struct kith_link *l = o->shelf[i].next, *next; l != &o->shelf[i]; l = next) {
            next = l->next;
            n += prune(p, KITH_OF(l, struct entry, used), by, now);
        }
    return n;
}

/* How many destinations lost a way. */
static size_t sweep(struct kith_mesh_paths *p, uint32_t by, struct kith_now now)
{
    size_t n = 0;

    for (struct kith_link *l = p->owners.next, *next; l != &p->owners; l = next) {
        struct owner *o = KITH_OF(l, struct owner, link);
        o->n++;
        n += sweep_owner(p, o, by, now);
        next = l->next;
        kith_paths_release(p, o);
    }
    return n;
}

size_t kith_mesh_paths_gone(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now)
{
    return sweep(p, neighbour, (struct kith_now){.mono = now});
}

/* What was used counts as near for a while only. */
static void put_back_unused(struct kith_mesh_paths *p, kith_time now)
{
    for (struct kith_link *o = p->owners.next; o != &p->owners; o = o->next) {
        struct kith_link *used = &KITH_OF(o, struct owner, link)->shelf[0];
        for (struct kith_link *l = used->next, *next; l != used; l = next) {
            next = l->next;
            kith_paths_file(KITH_OF(l, struct entry, used), now);
        }
    }
}

size_t kith_mesh_paths_tick(struct kith_mesh_paths *p, struct kith_now now)
{
    if (p->measured != NULL && kith_mesh_measured_tick(p->measured, now.mono) == 0) {
        kith_mesh_measured_free(p->measured);
        p->measured = NULL;
    }
    put_back_unused(p, now.mono);
    size_t fewer = sweep(p, KITH_MESH_NOBODY, now);
    return fewer + kith_paths_adopt_asked(p, now.mono);
}

void kith_mesh_paths_withdrawn(struct kith_mesh_paths *p, const struct kith_destination *to,
                               uint32_t neighbour, kith_time now)
{
    struct entry *e = kith_paths_find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : kith_paths_way_by(e, neighbour);

    if (w != NULL)
        (void)kith_paths_take_out(p, e, w, now);
}

void kith_mesh_paths_refresh(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now)
{
    struct entry *e;
    size_t at = 0;

    while ((e = kith_map_next(&p->by_destination, &at)) != NULL) {
        struct kith_mesh_way *w = kith_paths_way_by(e, neighbour);
        if (w != NULL)
            w->heard = kith_paths_seconds(now);
    }
}

void kith_mesh_paths_forget(struct kith_mesh_paths *p, const struct kith_destination *to)
{
    struct entry *e = kith_paths_find(p, to);

    if (e != NULL)
        kith_paths_drop(p, e);
}

/* ---- asking ---- */

bool kith_mesh_paths_best(const struct kith_mesh_paths *p, const struct kith_destination *to,
                          uint32_t not_by, kith_time now, struct kith_mesh_way *ret)
{
    const struct entry *e = kith_paths_find(p, to);
    const struct kith_mesh_way *w = e == NULL ? NULL : kith_paths_best_of(e, not_by, now);

    if (w == NULL)
        return false;
    *ret = *w;
    return true;
}

void kith_mesh_paths_used(struct kith_mesh_paths *p, const struct kith_destination *to,
                          kith_time now)
{
    struct entry *e = kith_paths_find(p, to);

    if (e != NULL)
        kith_paths_touch(e, now);
}

size_t kith_mesh_paths_ways(const struct kith_mesh_paths *p, const struct kith_destination *to,
                            kith_time now, struct kith_mesh_way ret[KITH_MESH_WAYS])
{
    const struct entry *e = kith_paths_find(p, to);
    size_t n = 0;

    for (uint8_t i = 0; e != NULL && i < e->n; i++) {
        size_t at = n;
        if (!kith_paths_is_fresh(&e->way[i], now))
            continue;
        for (; at > 0 && kith_paths_is_better(&e->way[i], &ret[at - 1], now); at--)
            ret[at] = ret[at - 1];
        ret[at] = e->way[i];
        n++;
    }
    return n;
}

bool kith_mesh_paths_next(const struct kith_mesh_paths *p, size_t *at, struct kith_destination *ret,
                          kith_wall *ret_expires)
{
    const struct entry *e;

    do
        e = kith_map_next(&p->by_destination, at);
    while (e != NULL && e->n == 0);
    if (e == NULL)
        return false;
    *ret = e->to;
    *ret_expires = e->expires;
    return true;
}

size_t kith_mesh_paths_count(const struct kith_mesh_paths *p)
{
    return p->by_destination.n - p->lost;
}

uint64_t kith_mesh_paths_pushed_out(const struct kith_mesh_paths *p)
{
    return p->pushed_out;
}

bool kith_mesh_paths_is_partial(const struct kith_mesh_paths *p, kith_time now)
{
    return p->full_at != 0 && kith_since(now, p->full_at) < KITH_MESH_FRESH;
}

uint64_t kith_mesh_paths_turned_away(const struct kith_mesh_paths *p)
{
    return p->turned_away;
}
