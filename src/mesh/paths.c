#include "mesh/paths.h"

#include "base/list.h"
#include "base/map.h"

enum {
    MEASURED_MAX = 1024, /* ways of which it is remembered what they were like */
    RTT_PART = 8,        /* of a new sample, one in so many (RFC 6298) */
    LOSS_PART = 16,
    LOSS_ALL = 65535,
    LOSS_WEIGHT = 8,   /* a way that loses all counts as so many times slower, and one more */
    ASKS_MAX = 5,      /* after which the wait for the next is as long as it gets */
    ASK_WAIT_MAX = 30, /* seconds */
};

/* More than any round trip with any loss. */
#define AVOIDED ((uint64_t)1 << 40)

struct entry {
    struct kith_link used; /* in its owner's list, longest unused first */
    struct owner *owner;   /* without a way: nobody's */
    struct kith_destination to;
    uint32_t expires;  /* kith_wall: until 2106 */
    uint32_t seq;      /* the newest number that was told on */
    uint32_t told_by;  /* the neighbour that led there when everybody was told last */
    uint32_t told_seq; /* the number then */
    uint32_t lost_at;  /* without a way: since when, seconds of the node's monotonic clock */
    uint32_t asked_at; /* for a newer number last: the same clock */
    struct kith_mesh_way way[KITH_MESH_WAYS];
    uint8_t n;
    uint8_t told_hops; /* everybody was told last; 0: that there is no way, or nothing yet */
    uint8_t least;     /* the fewest hops told on under seq; 0: nothing was told on yet */
    uint8_t asks;      /* for a newer number, since it is starved */
    bool more;         /* a way was told that was not kept */
};

/* A neighbour and the entries it brought. */
struct owner {
    struct kith_link link; /* in paths.owners */
    struct kith_link entries;
    size_t n;
    uint32_t neighbour;
};

struct kith_mesh_paths {
    const struct kith_env *env;
    struct kith_map by_destination; /* entry */
    struct kith_map by_neighbour;   /* owner */
    struct kith_link owners;
    struct kith_mesh_measured *measured; /* NULL until something is */
    size_t max, lost;                    /* lost: destinations without a way */
    uint64_t pushed_out;
    bool lacks;
};

int kith_mesh_paths_new(const struct kith_env *env, size_t max, struct kith_mesh_paths **ret)
{
    struct kith_mesh_paths *p = kith_new_zero(env->alloc, sizeof *p);

    if (p == NULL)
        return KITH_E_NOMEM;
    p->env = env;
    p->max = max;
    kith_map_init(&p->by_destination, env->alloc, env->random, sizeof(struct kith_destination),
                  max);
    kith_map_init(&p->by_neighbour, env->alloc, env->random, sizeof(uint32_t), max);
    kith_list_init(&p->owners);
    *ret = p;
    return KITH_OK;
}

/* ---- owners ---- */

static struct owner *owner_of(struct kith_mesh_paths *p, uint32_t neighbour)
{
    struct owner *o = kith_map_find(&p->by_neighbour, &neighbour);

    if (o != NULL)
        return o;
    o = kith_new_zero(p->env->alloc, sizeof *o);
    if (o == NULL)
        return NULL;
    o->neighbour = neighbour;
    kith_list_init(&o->entries);
    if (kith_map_put(&p->by_neighbour, &neighbour, o) < 0) {
        kith_free(p->env->alloc, o);
        return NULL;
    }
    kith_list_append(&p->owners, &o->link);
    return o;
}

static void disown(struct kith_mesh_paths *p, struct entry *e)
{
    struct owner *o = e->owner;

    kith_list_remove(&e->used);
    e->owner = NULL;
    if (--o->n > 0)
        return;
    (void)kith_map_take(&p->by_neighbour, &o->neighbour);
    kith_list_remove(&o->link);
    kith_free(p->env->alloc, o);
}

static void own(struct owner *o, struct entry *e)
{
    e->owner = o;
    kith_list_append(&o->entries, &e->used);
    o->n++;
}

static void touch(struct entry *e)
{
    kith_list_remove(&e->used);
    kith_list_append(&e->owner->entries, &e->used);
}

/* ---- entries ---- */

static struct entry *find(const struct kith_mesh_paths *p, const struct kith_destination *to)
{
    return kith_map_find(&p->by_destination, to->b);
}

static void drop(struct kith_mesh_paths *p, struct entry *e)
{
    p->lost -= e->n == 0;
    disown(p, e);
    (void)kith_map_take(&p->by_destination, e->to.b);
    kith_free(p->env->alloc, e);
}

void kith_mesh_paths_free(struct kith_mesh_paths *p)
{
    if (p == NULL)
        return;
    while (!kith_list_empty(&p->owners)) {
        struct owner *o = KITH_OF(p->owners.next, struct owner, link);
        drop(p, KITH_OF(o->entries.next, struct entry, used));
    }
    kith_map_fini(&p->by_destination);
    kith_map_fini(&p->by_neighbour);
    kith_mesh_measured_free(p->measured);
    kith_free(p->env->alloc, p);
}

/* Whoever brought most, the newcomer's neighbour among equals, loses what was not used for longest.
 */
static void make_room(struct kith_mesh_paths *p, uint32_t newcomers)
{
    const uint32_t nobody = KITH_MESH_NOBODY;
    const struct owner *lost = kith_map_find(&p->by_neighbour, &nobody);
    const struct owner *most = kith_map_find(&p->by_neighbour, &newcomers);

    if (lost != NULL) { /* they lead nowhere */
        drop(p, KITH_OF(lost->entries.next, struct entry, used));
        return;
    }
    for (struct kith_link *l = p->owners.next; l != &p->owners; l = l->next) {
        const struct owner *o = KITH_OF(l, struct owner, link);
        if (most == NULL || o->n > most->n)
            most = o;
    }
    if (most == NULL)
        return;
    drop(p, KITH_OF(most->entries.next, struct entry, used));
    p->pushed_out++;
}

static struct entry *add(struct kith_mesh_paths *p, const struct kith_destination *to,
                         uint32_t neighbour)
{
    if (p->by_destination.n == p->max)
        make_room(p, neighbour);
    struct entry *e = kith_new_zero(p->env->alloc, sizeof *e);
    struct owner *o = e == NULL ? NULL : owner_of(p, neighbour);
    if (o == NULL) {
        kith_free(p->env->alloc, e);
        return NULL;
    }
    e->to = *to;
    e->told_by = KITH_MESH_NOBODY;
    p->lost++; /* until it has a way */
    own(o, e);
    if (kith_map_put(&p->by_destination, to->b, e) < 0) {
        drop(p, e);
        return NULL;
    }
    return e;
}

/* ---- ways ---- */

static uint32_t seconds(kith_time t)
{
    return (uint32_t)(t / KITH_SEC);
}

/* Less is better: a round trip in microseconds, measured or guessed, made longer by losses. */
static uint64_t cost(const struct kith_mesh_way *w, kith_time now)
{
    uint64_t rtt = w->rtt != 0 ? w->rtt : w->hops * (uint64_t)(KITH_MESH_HOP_GUESS / KITH_USEC);
    uint64_t c = rtt + rtt * LOSS_WEIGHT * w->loss / LOSS_ALL;

    return seconds(now) < w->avoid_until ? c + AVOIDED : c;
}

static bool is_better(const struct kith_mesh_way *a, const struct kith_mesh_way *b, kith_time now)
{
    uint64_t ca = cost(a, now), cb = cost(b, now);

    if (ca != cb)
        return ca < cb;
    return a->hops != b->hops ? a->hops < b->hops : a->neighbour < b->neighbour;
}

static struct kith_mesh_way *way_by(struct entry *e, uint32_t neighbour)
{
    for (uint8_t i = 0; i < e->n; i++)
        if (e->way[i].neighbour == neighbour)
            return &e->way[i];
    return NULL;
}

static bool is_fresh(const struct kith_mesh_way *w, kith_time now)
{
    return seconds(now) - w->heard < KITH_MESH_FRESH / KITH_SEC;
}

/* The best of those that are fresh; NULL. */
static const struct kith_mesh_way *best_of(const struct entry *e, uint32_t not_by, kith_time now)
{
    const struct kith_mesh_way *best = NULL;

    for (uint8_t i = 0; i < e->n; i++) {
        const struct kith_mesh_way *w = &e->way[i];
        if (w->neighbour != not_by && is_fresh(w, now) && (best == NULL || is_better(w, best, now)))
            best = w;
    }
    return best;
}

/* RFC 8966 3.5.1, with what the neighbour has told: w->hops counts one more. */
static bool is_feasible(const struct entry *e, const struct kith_mesh_way *w)
{
    return e->least == 0 || w->seq > e->seq || (w->seq == e->seq && w->hops <= e->least);
}

/* The best of those that may be told on; NULL. */
static const struct kith_mesh_way *feasible_of(const struct entry *e, kith_time now)
{
    const struct kith_mesh_way *best = NULL;

    for (uint8_t i = 0; i < e->n; i++) {
        const struct kith_mesh_way *w = &e->way[i];
        if (is_fresh(w, now) && is_feasible(e, w) && (best == NULL || is_better(w, best, now)))
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
        if (worst == NULL || (is_fresh(w, now) != is_fresh(worst, now) ? !is_fresh(w, now)
                                                                       : is_better(worst, w, now)))
            worst = w;
    }
    return worst;
}

/* Gives it to another; false when there was no memory to note whose it is: it is gone. */
static bool hand_over(struct kith_mesh_paths *p, struct entry *e, uint32_t neighbour)
{
    struct owner *other = owner_of(p, neighbour);

    if (other == NULL) {
        drop(p, e);
        return false;
    }
    if (other == e->owner)
        return true;
    disown(p, e);
    own(other, e);
    return true;
}

/* The last way is gone: what was told of it is remembered. */
static void lose(struct kith_mesh_paths *p, struct entry *e, kith_time now)
{
    p->lost++;
    e->lost_at = seconds(now);
    e->asks = 0;
    if (e->least == 0)
        drop(p, e);
    else
        (void)hand_over(p, e, KITH_MESH_NOBODY);
}

/* Takes a way out. An entry whose owner was that neighbour goes to another that leads there. False:
 * no way is left. */
static bool take_out(struct kith_mesh_paths *p, struct entry *e, struct kith_mesh_way *w,
                     kith_time now)
{
    uint32_t neighbour = w->neighbour;

    p->lacks |= e->more;
    *w = e->way[--e->n];
    e->way[e->n] = (struct kith_mesh_way){0};
    if (e->n == 0) {
        lose(p, e, now);
        return false;
    }
    return e->owner->neighbour != neighbour || hand_over(p, e, e->way[0].neighbour);
}

/* ---- hearing ---- */

/* The place for a way by this neighbour: its own, a free one, or that of a worse. NULL: none. The
 * best of those that may be told on is not given up for one that may not, however short. */
static struct kith_mesh_way *place_for(struct kith_mesh_paths *p, struct entry *e,
                                       const struct kith_mesh_way *w, kith_time now)
{
    struct kith_mesh_way *own_way = way_by(e, w->neighbour);

    if (own_way != NULL)
        return own_way;
    if (e->n == 0 && !hand_over(p, e, w->neighbour))
        return NULL;
    p->lost -= e->n == 0;
    if (e->n < KITH_MESH_WAYS)
        return &e->way[e->n++];
    const struct kith_mesh_way *feasible = feasible_of(e, now);
    bool may = is_feasible(e, w), first = feasible == NULL && may;
    if (may && !first && is_better(w, feasible, now))
        feasible = NULL; /* it is no longer the best of its kind */
    struct kith_mesh_way *worst = worst_of(e, feasible, now);
    bool kept = first || !is_fresh(worst, now) || is_better(w, worst, now), lacked = p->lacks;
    if (kept && !take_out(p, e, worst, now))
        return NULL;   /* never: three were there */
    p->lacks = lacked; /* it is given up for a better one */
    e->more = true;
    return kept ? &e->way[e->n++] : NULL;
}

/* What was measured over the neighbour stays, whatever it takes back and tells anew. */
static void recall(const struct kith_mesh_paths *p, const struct kith_destination *to,
                   struct kith_mesh_way *w, kith_time now)
{
    const struct kith_mesh_measure *m =
        p->measured == NULL ? NULL : kith_mesh_measured_find(p->measured, to, w->neighbour, now);

    if (m == NULL)
        return;
    w->rtt = m->rtt;
    w->loss = m->loss;
    w->avoid_until = m->avoid_until;
}

int kith_mesh_paths_tell(struct kith_mesh_paths *p, const struct kith_destination *to,
                         const struct kith_mesh_offer *offer, struct kith_now now,
                         enum kith_mesh_told *ret)
{
    struct kith_mesh_way w = {.neighbour = offer->neighbour,
                              .hops = offer->hops,
                              .rate = offer->rate,
                              .seq = offer->seq,
                              .heard = seconds(now.mono)};
    struct entry *e = find(p, to);
    bool is_new = e == NULL || e->n == 0;

    if (offer->hops == 0 || offer->hops > KITH_MESH_HOPS_MAX ||
        offer->neighbour == KITH_MESH_NOBODY)
        return KITH_E_INVAL;
    if (offer->expires <= now.wall)
        return KITH_E_EXPIRED;
    if (e == NULL && (e = add(p, to, offer->neighbour)) == NULL)
        return KITH_E_NOMEM;
    recall(p, to, &w, now.mono);
    const struct kith_mesh_way *best = best_of(e, KITH_MESH_NOBODY, now.mono);
    const uint32_t before = best == NULL ? KITH_MESH_NOBODY : best->neighbour;
    const uint8_t hops = best == NULL ? 0 : best->hops;
    struct kith_mesh_way *at = place_for(p, e, &w, now.mono);
    if (at == NULL) {
        *ret = KITH_MESH_TOLD_WORSE;
        return KITH_OK;
    }
    if (at->neighbour == w.neighbour && at->hops != 0) {
        w.rtt = at->rtt;
        w.loss = at->loss;
        w.avoid_until = at->avoid_until;
    }
    *at = w;
    if (offer->expires > e->expires)
        e->expires = offer->expires < UINT32_MAX ? (uint32_t)offer->expires : UINT32_MAX;
    best = best_of(e, KITH_MESH_NOBODY, now.mono);
    *ret = is_new                                            ? KITH_MESH_TOLD_NEW
           : best->neighbour != before || best->hops != hops ? KITH_MESH_TOLD_CHANGED
                                                             : KITH_MESH_TOLD_KNOWN;
    return KITH_OK;
}

/* As of every neighbour: nothing to be remembered. */
static bool is_usual(const struct kith_mesh_way *w)
{
    return w->hops == 1 && w->loss == 0 && w->rtt <= KITH_MESH_HOP_GUESS / KITH_USEC;
}

static void note(struct kith_mesh_paths *p, const struct kith_destination *to,
                 const struct kith_mesh_way *w, kith_time now)
{
    if (is_usual(w)) {
        if (p->measured != NULL)
            kith_mesh_measured_drop(p->measured, to, w->neighbour);
        return;
    }
    /* without memory for it, it is measured again one day */
    (void)!kith_mesh_paths_remember(p, &(struct kith_mesh_measure){.to = *to,
                                                                   .neighbour = w->neighbour,
                                                                   .rtt = w->rtt,
                                                                   .loss = w->loss,
                                                                   .avoid_until = w->avoid_until,
                                                                   .at = seconds(now)});
}

/* Smoothed, of the microseconds or the loss of one more. */
static void take_sample(struct kith_mesh_way *w, kith_dur rtt, kith_time now)
{
    uint64_t us = rtt / KITH_USEC;
    uint32_t lost = rtt == 0 ? LOSS_ALL : 0;

    w->loss = (uint16_t)(((LOSS_PART - 1) * (uint32_t)w->loss + lost) / LOSS_PART);
    if (rtt == 0)
        return;
    w->heard = seconds(now);
    w->avoid_until = 0;
    if (us == 0)
        us = 1;
    if (us > UINT32_MAX)
        us = UINT32_MAX;
    w->rtt = w->rtt == 0 ? (uint32_t)us
                         : (uint32_t)(((RTT_PART - 1) * (uint64_t)w->rtt + us) / RTT_PART);
}

void kith_mesh_paths_measured(struct kith_mesh_paths *p, const struct kith_destination *to,
                              uint32_t neighbour, kith_dur rtt, kith_time now)
{
    struct entry *e = find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : way_by(e, neighbour);

    if (w == NULL)
        return;
    take_sample(w, rtt, now);
    note(p, to, w, now);
}

void kith_mesh_paths_failed(struct kith_mesh_paths *p, const struct kith_destination *to,
                            uint32_t neighbour, kith_time now)
{
    struct entry *e = find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : way_by(e, neighbour);

    if (w == NULL)
        return;
    w->avoid_until = seconds(kith_after(now, KITH_MESH_AVOID));
    if (w->rtt != 0 || w->loss != 0) /* else others could fill what is remembered */
        note(p, to, w, now);
}

int kith_mesh_paths_remember(struct kith_mesh_paths *p, const struct kith_mesh_measure *what)
{
    if (p->measured == NULL) {
        int err = kith_mesh_measured_new(p->env, MEASURED_MAX, &p->measured);
        if (err < 0)
            return err;
    }
    kith_mesh_measured_note(p->measured, what);
    return KITH_OK;
}

size_t kith_mesh_paths_measured_size(const struct kith_mesh_paths *p, size_t *ret_blocks)
{
    *ret_blocks = 0;
    return p->measured == NULL ? 0 : kith_mesh_measured_size(p->measured, ret_blocks);
}

void kith_mesh_paths_forget_neighbour(struct kith_mesh_paths *p, uint32_t neighbour)
{
    if (p->measured != NULL)
        kith_mesh_measured_forget(p->measured, neighbour);
}

const struct kith_mesh_measure *kith_mesh_paths_next_measure(const struct kith_mesh_paths *p,
                                                             size_t *at, kith_time now)
{
    return p->measured == NULL ? NULL : kith_mesh_measured_next(p->measured, at, now);
}

/* Takes out the ways by that neighbour, or (KITH_MESH_NOBODY) what time has ended. */
enum pruned { UNCHANGED, FEWER, GONE };
static enum pruned prune(struct kith_mesh_paths *p, struct entry *e, uint32_t by,
                         struct kith_now now)
{
    bool time = by == KITH_MESH_NOBODY;
    enum pruned is = UNCHANGED;

    if (e->n == 0) {
        if (time && seconds(now.mono) - e->lost_at >= KITH_MESH_HOLD / KITH_SEC)
            drop(p, e);
        return UNCHANGED;
    }
    if (time && e->expires <= now.wall) {
        drop(p, e);
        return GONE;
    }
    for (uint8_t i = 0; i < e->n;) {
        struct kith_mesh_way *w = &e->way[i];
        if (time ? is_fresh(w, now.mono) : w->neighbour != by) {
            i++;
            continue;
        }
        if (!take_out(p, e, w, now.mono))
            return GONE;
        is = FEWER;
    }
    return is;
}

struct tally {
    size_t fewer, gone;
};

/* Of one owner. An entry that changes hands may be met again, and is as it should be then. */
static void sweep_owner(struct kith_mesh_paths *p, struct owner *o, uint32_t by,
                        struct kith_now now, struct tally *t)
{
    struct kith_link *l = o->entries.next, *next;
    bool last;

    do {
        next = l->next;
        last = next == &o->entries; /* the owner may go with it */
        enum pruned is = prune(p, KITH_OF(l, struct entry, used), by, now);
        t->fewer += is == FEWER;
        t->gone += is == GONE;
        l = next;
    } while (!last);
}

static struct tally sweep(struct kith_mesh_paths *p, uint32_t by, struct kith_now now)
{
    struct tally t = {0, 0};

    for (struct kith_link *l = p->owners.next, *next; l != &p->owners; l = next) {
        next = l->next;
        sweep_owner(p, KITH_OF(l, struct owner, link), by, now, &t);
    }
    return t;
}

size_t kith_mesh_paths_gone(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now)
{
    struct tally t = sweep(p, neighbour, (struct kith_now){.mono = now});

    return t.fewer + t.gone;
}

size_t kith_mesh_paths_tick(struct kith_mesh_paths *p, struct kith_now now)
{
    if (p->measured != NULL && kith_mesh_measured_tick(p->measured, now.mono) == 0) {
        kith_mesh_measured_free(p->measured);
        p->measured = NULL;
    }
    return sweep(p, KITH_MESH_NOBODY, now).gone;
}

void kith_mesh_paths_withdrawn(struct kith_mesh_paths *p, const struct kith_destination *to,
                               uint32_t neighbour, kith_time now)
{
    struct entry *e = find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : way_by(e, neighbour);

    if (w != NULL)
        (void)take_out(p, e, w, now);
}

void kith_mesh_paths_refresh(struct kith_mesh_paths *p, uint32_t neighbour, kith_time now)
{
    struct entry *e;
    size_t at = 0;

    while ((e = kith_map_next(&p->by_destination, &at)) != NULL) {
        struct kith_mesh_way *w = way_by(e, neighbour);
        if (w != NULL)
            w->heard = seconds(now);
    }
}

void kith_mesh_paths_forget(struct kith_mesh_paths *p, const struct kith_destination *to)
{
    struct entry *e = find(p, to);

    if (e != NULL)
        drop(p, e);
}

/* ---- asking ---- */

bool kith_mesh_paths_best(struct kith_mesh_paths *p, const struct kith_destination *to,
                          uint32_t not_by, kith_time now, struct kith_mesh_way *ret)
{
    struct entry *e = find(p, to);
    const struct kith_mesh_way *w = e == NULL ? NULL : best_of(e, not_by, now);

    if (e != NULL)
        touch(e);
    if (w == NULL)
        return false;
    *ret = *w;
    return true;
}

size_t kith_mesh_paths_ways(const struct kith_mesh_paths *p, const struct kith_destination *to,
                            kith_time now, struct kith_mesh_way ret[KITH_MESH_WAYS])
{
    const struct entry *e = find(p, to);
    size_t n = 0;

    for (uint8_t i = 0; e != NULL && i < e->n; i++) {
        size_t at = n;
        if (!is_fresh(&e->way[i], now))
            continue;
        for (; at > 0 && is_better(&e->way[i], &ret[at - 1], now); at--)
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

/* ---- telling on ---- */

static struct kith_mesh_advert advert_of(const struct entry *e, kith_time now)
{
    struct kith_mesh_advert a = {.to = e->to, .seq = e->seq, .by = KITH_MESH_NOBODY};
    const struct kith_mesh_way *best = feasible_of(e, now);

    a.starved = e->n > 0 && best == NULL;
    if (best == NULL)
        return a;
    a.seq = best->seq;
    a.by = best->neighbour;
    a.hops = best->hops;
    a.rate = best->rate;
    return a;
}

static bool is_news(const struct entry *e, const struct kith_mesh_advert *a)
{
    return a->hops != e->told_hops || a->by != e->told_by ||
           (a->hops != 0 && a->seq != e->told_seq);
}

static bool is_wanted(const struct entry *e, const struct kith_mesh_advert *a,
                      enum kith_mesh_which which)
{
    switch (which) {
    case KITH_MESH_NEWS: return is_news(e, a);
    case KITH_MESH_ALL: return a->hops > 0;
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
        if (is_wanted(e, ret, which))
            return true;
    }
    return false;
}

void kith_mesh_paths_told(struct kith_mesh_paths *p, const struct kith_mesh_advert *a,
                          bool everybody)
{
    struct entry *e = find(p, &a->to);

    if (e == NULL)
        return;
    if (everybody) {
        e->told_hops = a->hops;
        e->told_by = a->by;
        e->told_seq = a->seq;
    }
    if (a->hops == 0)
        return;
    e->asks = 0;
    if (a->seq > e->seq || e->least == 0 || a->hops < e->least)
        e->least = a->hops;
    e->seq = a->seq;
}

bool kith_mesh_paths_may_ask(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             kith_time now)
{
    const struct entry *e = find(p, to);

    if (e == NULL)
        return false;
    uint32_t wait = e->asks == 0         ? 0
                    : e->asks < ASKS_MAX ? (uint32_t)1 << e->asks
                                         : (uint32_t)ASK_WAIT_MAX;
    return seconds(now) - e->asked_at >= wait;
}

void kith_mesh_paths_asked(struct kith_mesh_paths *p, const struct kith_destination *to,
                           kith_time now)
{
    struct entry *e = find(p, to);

    if (e == NULL)
        return;
    e->asked_at = seconds(now);
    if (e->asks < ASKS_MAX)
        e->asks++;
}

bool kith_mesh_paths_feasible(const struct kith_mesh_paths *p, const struct kith_destination *to,
                              kith_time now, struct kith_mesh_way *ret)
{
    const struct entry *e = find(p, to);
    const struct kith_mesh_way *w = e == NULL ? NULL : feasible_of(e, now);

    if (w == NULL)
        return false;
    *ret = *w;
    return true;
}

bool kith_mesh_paths_told_on(const struct kith_mesh_paths *p, const struct kith_destination *to,
                             uint32_t *ret_seq, uint8_t *ret_hops)
{
    const struct entry *e = find(p, to);

    if (e == NULL || e->least == 0)
        return false;
    *ret_seq = e->seq;
    *ret_hops = e->least;
    return true;
}

uint64_t kith_mesh_paths_pushed_out(const struct kith_mesh_paths *p)
{
    return p->pushed_out;
}
