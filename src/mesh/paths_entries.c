/* paths_entries.c: destinations, whose they are, and who gives way to whom. */
#include "mesh/paths_parts.h"

enum {
    LOST_PART = 8,   /* for one that lost its ways because others were nearer so many with one, */
    LOST_LEAST = 16, /* and so many more */
};
#define USED_FOR 300 /* seconds for which one that was used counts as near */

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
    for (size_t i = 0; i < SHELVES; i++)
        kith_list_init(&o->shelf[i]);
    if (kith_map_put(&p->by_neighbour, &neighbour, o) < 0) {
        kith_free(p->env->alloc, o);
        return NULL;
    }
    kith_list_append(&p->owners, &o->link);
    return o;
}

void kith_paths_release(struct kith_mesh_paths *p, struct owner *o)
{
    if (--o->n > 0)
        return;
    (void)kith_map_take(&p->by_neighbour, &o->neighbour);
    kith_list_remove(&o->link);
    kith_free(p->env->alloc, o);
}

static void disown(struct kith_mesh_paths *p, struct entry *e)
{
    struct owner *o = e->owner;

    kith_list_remove(&e->used);
    e->owner = NULL;
    kith_paths_release(p, o);
}

static void own(struct owner *o, struct entry *e)
{
    e->owner = o;
    kith_list_append(&o->shelf[e->shelf], &e->used);
    o->n++;
}

/* What it would miss least: of what is farthest away the one that was not used for longest. */
static struct entry *least_missed(const struct owner *o)
{
    for (size_t i = SHELVES; i-- > 0;)
        if (!kith_list_empty(&o->shelf[i]))
            return KITH_OF(o->shelf[i].next, struct entry, used);
    return NULL;
}

static const struct owner *owner_by(const struct kith_mesh_paths *p, uint32_t neighbour)
{
    return kith_map_find(&p->by_neighbour, &neighbour);
}

/* Who brought most, this neighbour among equals. */
static const struct owner *richest(const struct kith_mesh_paths *p, uint32_t neighbour)
{
    const struct owner *most = owner_by(p, neighbour);

    for (struct kith_link *l = p->owners.next; l != &p->owners; l = l->next) {
        const struct owner *o = KITH_OF(l, struct owner, link);
        if (o->neighbour < ASKED && (most == NULL || o->n > most->n))
            most = o;
    }
    return most;
}

/* ---- entries ---- */

struct entry *kith_paths_find(const struct kith_mesh_paths *p, const struct kith_destination *to)
{
    return kith_map_find(&p->by_destination, to->b);
}

void kith_paths_drop(struct kith_mesh_paths *p, struct entry *e)
{
    p->lost -= e->n == 0;
    disown(p, e);
    (void)kith_map_take(&p->by_destination, e->to.b);
    kith_free(p->env->alloc, e);
}

struct entry *kith_paths_add(struct kith_mesh_paths *p, const struct kith_destination *to,
                             uint32_t neighbour)
{
    struct entry *e = kith_new_zero(p->env->alloc, sizeof *e);
    struct owner *o = e == NULL ? NULL : owner_of(p, neighbour);

    if (o == NULL) {
        kith_free(p->env->alloc, e);
        return NULL;
    }
    e->to = *to;
    e->shelf = KITH_MESH_HOPS_MAX;
    p->lost++; /* until it has a way */
    own(o, e);
    if (kith_map_put(&p->by_destination, to->b, e) < 0) {
        kith_paths_drop(p, e);
        return NULL;
    }
    return e;
}

bool kith_paths_hand_over(struct kith_mesh_paths *p, struct entry *e, uint32_t neighbour)
{
    struct owner *other = owner_of(p, neighbour);

    if (other == NULL) {
        kith_paths_drop(p, e);
        return false;
    }
    if (other == e->owner)
        return true;
    disown(p, e);
    own(other, e);
    return true;
}

void kith_paths_lose(struct kith_mesh_paths *p, struct entry *e, kith_time now)
{
    p->lost++;
    e->lost_at = kith_paths_seconds(now);
    e->asks = 0;
    if (e->least == 0) {
        kith_paths_drop(p, e);
        return;
    }
    kith_list_remove(&e->used);
    e->shelf = KITH_MESH_HOPS_MAX; /* in the order in which they were lost */
    kith_list_append(&e->owner->shelf[e->shelf], &e->used);
    if (kith_paths_hand_over(p, e, KITH_MESH_NOBODY) && p->lost > p->max)
        kith_paths_drop(p, least_missed(owner_by(p, KITH_MESH_NOBODY)));
}

/* ---- who gives way ---- */

/* In how many hops one is there at best. */
static uint8_t distance(const struct entry *e)
{
    uint8_t least = KITH_MESH_HOPS_MAX;

    for (uint8_t i = 0; i < e->n; i++)
        if (e->way[i].hops < least)
            least = e->way[i].hops;
    return least;
}

static bool is_in_use(const struct entry *e, kith_time now)
{
    return e->used_at != 0 && kith_paths_seconds(now) - e->used_at < USED_FOR;
}

static void put_on(struct entry *e, uint8_t shelf)
{
    kith_list_remove(&e->used);
    e->shelf = shelf;
    kith_list_append(&e->owner->shelf[shelf], &e->used);
}

bool kith_paths_is_asked(const struct entry *e)
{
    return e->owner->neighbour == ASKED;
}

void kith_paths_file(struct entry *e, kith_time now)
{
    uint8_t shelf = is_in_use(e, now) || kith_paths_is_asked(e) ? 0 : distance(e);

    if (shelf != e->shelf)
        put_on(e, shelf);
}

void kith_paths_touch(struct entry *e, kith_time now)
{
    uint32_t at = kith_paths_seconds(now);

    if (e->n == 0)
        return;
    e->used_at = at != 0 ? at : 1;
    put_on(e, 0);
}

/* Whether there is room for one more that lost its ways. Where it is scarce, those of which
 * everybody was told go before their time. */
static bool lost_room(struct kith_mesh_paths *p)
{
    if (p->lost < p->max / LOST_PART + LOST_LEAST)
        return true;
    struct entry *oldest = least_missed(owner_by(p, KITH_MESH_NOBODY));
    if (oldest->told != 0)
        return false;
    kith_paths_drop(p, oldest);
    return true;
}

/* Whoever is pushed out loses its ways, and is told of as gone. */
static void push_out(struct kith_mesh_paths *p, struct entry *e, kith_time now)
{
    e->n = 0;
    memset(e->way, 0, sizeof e->way);
    kith_paths_lose(p, e, now);
    p->pushed_out++;
}

static size_t asked(const struct kith_mesh_paths *p)
{
    const struct owner *o = owner_by(p, ASKED);

    return o != NULL ? o->n : 0;
}

static size_t asked_max(const struct kith_mesh_paths *p)
{
    return p->max > ASKED_PART ? p->max / ASKED_PART : 1;
}

bool kith_paths_told_room(const struct kith_mesh_paths *p)
{
    return p->by_destination.n - p->lost - asked(p) < p->max - asked_max(p);
}

/* What was asked for has its part of the table; there the one not used for longest gives way. */
static bool room_for_asked(struct kith_mesh_paths *p, kith_time now)
{
    if (asked(p) >= asked_max(p))
        push_out(p, least_missed(owner_by(p, ASKED)), now);
    return p->by_destination.n - p->lost < p->max;
}

/* Whoever brought most gives way, so that one that tells of a million destinations pushes out its
 * own; and not for what is no nearer, so that the nearest are kept, nor while many that gave way
 * are untold. */
static bool room_for_told(struct kith_mesh_paths *p, const struct kith_mesh_offer *offer,
                          kith_time now)
{
    const struct owner *most = richest(p, offer->neighbour);
    struct entry *e = most != NULL ? least_missed(most) : NULL;
    if (e == NULL)
        return false;
    p->full_at = now != 0 ? now : 1;
    bool nearer = most->neighbour != offer->neighbour || e->shelf > offer->hops;
    if (!nearer || !lost_room(p)) {
        p->turned_away++;
        return false;
    }
    push_out(p, e, now);
    return true;
}

bool kith_paths_room(struct kith_mesh_paths *p, const struct kith_mesh_offer *offer, kith_time now)
{
    if (kith_paths_told_room(p))
        return true;
    return offer->asked ? room_for_asked(p, now) : room_for_told(p, offer, now);
}

size_t kith_paths_adopt_asked(struct kith_mesh_paths *p, kith_time now)
{
    const struct owner *o;
    size_t n = 0;

    for (; (o = owner_by(p, ASKED)) != NULL && kith_paths_told_room(p); n++) {
        struct entry *e = least_missed(o);
        if (kith_paths_hand_over(p, e, e->way[0].neighbour))
            kith_paths_file(e, now);
    }
    return n;
}
