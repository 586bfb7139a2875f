#include "mesh/measured.h"

#include "base/list.h"
#include "base/map.h"

struct key {
    uint8_t to[sizeof(struct kith_destination)];
    uint8_t neighbour[sizeof(uint32_t)];
};

struct note {
    struct kith_link link; /* the longest ago first */
    struct kith_mesh_measure what;
};

struct kith_mesh_measured {
    const struct kith_env *env;
    struct kith_map notes;
    struct kith_link by_age;
};

static struct key key_of(const struct kith_destination *to, uint32_t neighbour)
{
    struct key k;

    memcpy(k.to, to->b, sizeof k.to);
    memcpy(k.neighbour, &neighbour, sizeof k.neighbour);
    return k;
}

int kith_mesh_measured_new(const struct kith_env *env, size_t max, struct kith_mesh_measured **ret)
{
    struct kith_mesh_measured *m = kith_new_zero(env->alloc, sizeof *m);

    if (m == NULL)
        return KITH_E_NOMEM;
    m->env = env;
    kith_map_init(&m->notes, env->alloc, env->random, sizeof(struct key), max);
    kith_list_init(&m->by_age);
    *ret = m;
    return KITH_OK;
}

static void drop(struct kith_mesh_measured *m, struct note *n)
{
    const struct key k = key_of(&n->what.to, n->what.neighbour);

    (void)kith_map_take(&m->notes, &k);
    kith_list_remove(&n->link);
    kith_free(m->env->alloc, n);
}

static struct note *oldest(const struct kith_mesh_measured *m)
{
    return KITH_OF(m->by_age.next, struct note, link);
}

void kith_mesh_measured_free(struct kith_mesh_measured *m)
{
    if (m == NULL)
        return;
    while (!kith_list_empty(&m->by_age))
        drop(m, oldest(m));
    kith_map_fini(&m->notes);
    kith_free(m->env->alloc, m);
}

/* NULL: there is no memory for it. */
static struct note *add(struct kith_mesh_measured *m, const struct key *k)
{
    if (m->notes.n == m->notes.max)
        drop(m, oldest(m));
    struct note *n = kith_new_zero(m->env->alloc, sizeof *n);
    if (n == NULL)
        return NULL;
    kith_list_init(&n->link);
    if (kith_map_put(&m->notes, k, n) < 0) {
        kith_free(m->env->alloc, n);
        return NULL;
    }
    return n;
}

void kith_mesh_measured_note(struct kith_mesh_measured *m, const struct kith_mesh_measure *what)
{
    const struct key k = key_of(&what->to, what->neighbour);
    struct note *n = kith_map_find(&m->notes, &k);

    if (n == NULL && (n = add(m, &k)) == NULL)
        return;
    n->what = *what;
    kith_list_remove(&n->link);
    kith_list_append(&m->by_age, &n->link);
}

/* The clock may begin anew with a restart: differences count. */
static bool is_recent(const struct kith_mesh_measure *w, kith_time now)
{
    return (uint32_t)(now / KITH_SEC) - w->at < KITH_MESH_MEASURED_FOR / KITH_SEC;
}

void kith_mesh_measured_drop(struct kith_mesh_measured *m, const struct kith_destination *to,
                             uint32_t neighbour)
{
    const struct key k = key_of(to, neighbour);
    struct note *n = kith_map_find(&m->notes, &k);

    if (n != NULL)
        drop(m, n);
}

size_t kith_mesh_measured_size(const struct kith_mesh_measured *m, size_t *ret_blocks)
{
    *ret_blocks = 1 + (m->notes.cap > 0 ? 1u : 0u) + m->notes.n;
    return sizeof *m + m->notes.cap * m->notes.slot_len + m->notes.n * sizeof(struct note);
}

void kith_mesh_measured_forget(struct kith_mesh_measured *m, uint32_t neighbour)
{
    for (struct kith_link *l = m->by_age.next, *next; l != &m->by_age; l = next) {
        struct note *n = KITH_OF(l, struct note, link);
        next = l->next;
        if (n->what.neighbour == neighbour)
            drop(m, n);
    }
}

size_t kith_mesh_measured_tick(struct kith_mesh_measured *m, kith_time now)
{
    while (!kith_list_empty(&m->by_age) && !is_recent(&oldest(m)->what, now))
        drop(m, oldest(m));
    return m->notes.n;
}

const struct kith_mesh_measure *kith_mesh_measured_find(const struct kith_mesh_measured *m,
                                                        const struct kith_destination *to,
                                                        uint32_t neighbour, kith_time now)
{
    const struct key k = key_of(to, neighbour);
    const struct note *n = kith_map_find(&m->notes, &k);

    return n != NULL && is_recent(&n->what, now) ? &n->what : NULL;
}

const struct kith_mesh_measure *kith_mesh_measured_next(const struct kith_mesh_measured *m,
                                                        size_t *at, kith_time now)
{
    const struct note *n;

    while ((n = kith_map_next(&m->notes, at)) != NULL)
        if (is_recent(&n->what, now))
            return &n->what;
    return NULL;
}
