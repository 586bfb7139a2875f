/* paths_ways.c: which of the ways to a destination are kept, and which is best. */
#include "mesh/paths_parts.h"

enum {
    LOSS_WEIGHT = 8, /* a way that loses all counts as so many times slower, and one more */
};

/* More than any round trip with any loss. */
#define AVOIDED ((uint64_t)1 << 40)

/* Less is better: a round trip in microseconds, measured or guessed, made longer by losses. */
static uint64_t cost(const struct kith_mesh_way *w, kith_time now)
{
    uint64_t rtt = w->rtt != 0 ? w->rtt : w->hops * (uint64_t)(KITH_MESH_HOP_GUESS / KITH_USEC);
    uint64_t c = rtt + rtt * LOSS_WEIGHT * w->loss / LOSS_ALL;

    return kith_paths_seconds(now) < w->avoid_until ? c + AVOIDED : c;
}

bool kith_paths_is_better(const struct kith_mesh_way *a, const struct kith_mesh_way *b,
                          kith_time now)
{
    uint64_t ca = cost(a, now), cb = cost(b, now);

    if (ca != cb)
        return ca < cb;
    return a->hops != b->hops ? a->hops < b->hops : a->neighbour < b->neighbour;
}

struct kith_mesh_way *kith_paths_way_by(struct entry *e, uint32_t neighbour)
{
    for (uint8_t i = 0; i < e->n; i++)
        if (e->way[i].neighbour == neighbour)
            return &e->way[i];
    return NULL;
}

bool kith_paths_is_fresh(const struct kith_mesh_way *w, kith_time now)
{
    return kith_paths_seconds(now) - w->heard < KITH_MESH_FRESH / KITH_SEC;
}

const struct kith_mesh_way *kith_paths_best_of(const struct entry *e, uint32_t not_by,
                                               kith_time now)
{
    const struct kith_mesh_way *best = NULL;

    for (uint8_t i = 0; i < e->n; i++) {
        const struct kith_mesh_way *w = &e->way[i];
        if (w->neighbour != not_by && kith_paths_is_fresh(w, now) &&
            (best == NULL || kith_paths_is_better(w, best, now)))
            best = w;
    }
    return best;
}

/* RFC 8966 3.5.1, with what the neighbour has told: w->hops counts one more. */
static bool is_feasible(const struct entry *e, const struct kith_mesh_way *w)
{
    return e->least == 0 || w->seq > e->seq || (w->seq == e->seq && w->hops <= e->least);
}

const struct kith_mesh_way *kith_paths_feasible_of(const struct entry *e, kith_time now)
{
    const struct kith_mesh_way *best = NULL;

    for (uint8_t i = 0; i < e->n; i++) {
        const struct kith_mesh_way *w = &e->way[i];
        if (kith_paths_is_fresh(w, now) && is_feasible(e, w) &&
            (best == NULL || kith_paths_is_better(w, best, now)))
            best = w;
    }
    return best;
}

/* The worst but for one; NULL when there is no other. */
static struct kith_mesh_way *worst_of(struct entry *e, const struct kith_mesh_way *but_for,
                                      kith_time now)
{
    struct kith_mesh_way *worst = NULL;

    for (uint8_t i = 0; i < e->n; i++) {
        struct kith_mesh_way *w = &e->way[i];
        if (w == but_for)
            continue;
        if (worst == NULL || (kith_paths_is_fresh(w, now) != kith_paths_is_fresh(worst, now)
                                  ? !kith_paths_is_fresh(w, now)
                                  : kith_paths_is_better(worst, w, now)))
            worst = w;
    }
    return worst;
}

bool kith_paths_take_out(struct kith_mesh_paths *p, struct entry *e, struct kith_mesh_way *w,
                         kith_time now)
{
    uint32_t neighbour = w->neighbour;

    p->lacks |= e->more;
    *w = e->way[--e->n];
    e->way[e->n] = (struct kith_mesh_way){0};
    if (e->n == 0) {
        kith_paths_lose(p, e, now);
        return false;
    }
    if (e->owner->neighbour == neighbour && !kith_paths_hand_over(p, e, e->way[0].neighbour))
        return false;
    kith_paths_file(e, now);
    return true;
}

struct kith_mesh_way *kith_paths_place_for(struct kith_mesh_paths *p, struct entry *e,
                                           const struct kith_mesh_way *w, kith_time now)
{
    struct kith_mesh_way *own_way = kith_paths_way_by(e, w->neighbour);

    if (own_way != NULL)
        return own_way;
    if (e->n == 0 && !kith_paths_hand_over(p, e, w->neighbour))
        return NULL;
    p->lost -= e->n == 0;
    if (e->n < KITH_MESH_WAYS)
        return &e->way[e->n++];
    const struct kith_mesh_way *feasible = kith_paths_feasible_of(e, now);
    bool may = is_feasible(e, w), first = feasible == NULL && may;
    if (may && !first && kith_paths_is_better(w, feasible, now))
        feasible = NULL; /* it is no longer the best of its kind */
    struct kith_mesh_way *worst = worst_of(e, feasible, now);
    bool kept = first || !kith_paths_is_fresh(worst, now) || kith_paths_is_better(w, worst, now),
         lacked = p->lacks;
    if (kept && !kith_paths_take_out(p, e, worst, now))
        return NULL;   /* never: three were there */
    p->lacks = lacked; /* it is given up for a better one */
    e->more = true;
    return kept ? &e->way[e->n++] : NULL;
}
