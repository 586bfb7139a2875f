#include "mesh/flows.h"

struct label_key {
    uint32_t neighbour, label;
};

void kith_mesh_flows_init(struct kith_mesh_flows *f, const struct kith_env *env, size_t max)
{
    *f = (struct kith_mesh_flows){.env = env, .max = max};
    /* One more than there are ends: one that moves has two labels for a moment. */
    kith_map_init(&f->by_label, env->alloc, env->random, sizeof(struct label_key), 2 * max + 1);
    kith_map_init(&f->by_id, env->alloc, env->random, sizeof(struct kith_flow_id), max);
    kith_map_init(&f->by_destination, env->alloc, env->random, sizeof(struct kith_destination),
                  max);
    kith_list_init(&f->used);
    kith_list_init(&f->formers);
}

void kith_mesh_flows_fini(struct kith_mesh_flows *f)
{
    while (!kith_list_empty(&f->used))
        kith_mesh_flows_drop(f, kith_mesh_flows_oldest(f));
    kith_map_fini(&f->by_label);
    kith_map_fini(&f->by_id);
    kith_map_fini(&f->by_destination);
}

int kith_mesh_flows_add(struct kith_mesh_flows *f, const struct kith_flow_id *id,
                        const struct kith_destination *to, bool here, kith_time now,
                        struct kith_mesh_flow **ret)
{
    struct kith_mesh_flow *flow;

    if (kith_mesh_flows_by_id(f, id) != NULL || (here && kith_mesh_flows_to(f, to) != NULL))
        return KITH_E_EXISTS;
    if (kith_mesh_flows_count(f) >= f->max)
        return KITH_E_FULL;
    flow = kith_new_zero(f->env->alloc, sizeof *flow);
    if (flow == NULL)
        return KITH_E_NOMEM;
    flow->id = *id;
    flow->to = *to;
    flow->used_at = now;
    flow->unheard_at = KITH_NEVER;
    flow->end[KITH_MESH_UP].neighbour = here ? KITH_MESH_SELF : KITH_MESH_NOBODY;
    flow->end[KITH_MESH_DOWN].neighbour = KITH_MESH_NOBODY;
    int err = kith_map_put(&f->by_id, id->b, flow);
    if (err >= 0 && here)
        err = kith_map_put(&f->by_destination, to->b, flow);
    if (err < 0) {
        (void)kith_map_take(&f->by_id, id->b);
        kith_free(f->env->alloc, flow);
        return err;
    }
    kith_list_append(&f->used, &flow->used);
    *ret = flow;
    return KITH_OK;
}

/* Whether the end is a place on a session with somebody. */
static bool has_label(const struct kith_mesh_end *e)
{
    return e->neighbour != KITH_MESH_NOBODY && e->neighbour != KITH_MESH_SELF;
}

static struct label_key key_of(const struct kith_mesh_end *e)
{
    return (struct label_key){.neighbour = e->neighbour, .label = e->label};
}

static bool is_same(const struct kith_mesh_end *a, const struct kith_mesh_end *b)
{
    return a->neighbour == b->neighbour && a->label == b->label;
}

static void clear_end(struct kith_mesh_flows *f, struct kith_mesh_end *e)
{
    const struct label_key key = key_of(e);

    if (has_label(e))
        (void)kith_map_take(&f->by_label, &key);
    *e = (struct kith_mesh_end){.neighbour = KITH_MESH_NOBODY};
}

int kith_mesh_flows_set_end(struct kith_mesh_flows *f, struct kith_mesh_flow *flow,
                            enum kith_mesh_side side, struct kith_mesh_end end)
{
    const struct label_key key = key_of(&end);
    struct kith_mesh_flow *other = has_label(&end) ? kith_map_find(&f->by_label, &key) : NULL;

    if (other != NULL)
        return is_same(&flow->end[side], &end) ? KITH_OK : KITH_E_EXISTS;
    int err = has_label(&end) ? kith_map_put(&f->by_label, &key, flow) : KITH_OK;
    if (err < 0)
        return err;
    clear_end(f, &flow->end[side]);
    flow->end[side] = end;
    return KITH_OK;
}

void kith_mesh_flows_drop(struct kith_mesh_flows *f, struct kith_mesh_flow *flow)
{
    kith_mesh_flows_drop_former(f, flow);
    if (flow->end[KITH_MESH_UP].neighbour == KITH_MESH_SELF)
        (void)kith_map_take(&f->by_destination, flow->to.b);
    clear_end(f, &flow->end[KITH_MESH_UP]);
    clear_end(f, &flow->end[KITH_MESH_DOWN]);
    (void)kith_map_take(&f->by_id, flow->id.b);
    kith_list_remove(&flow->used);
    kith_free(f->env->alloc, flow);
}

/* ---- formers ---- */

/* The label is known already, so it only changes hands. */
static void hand_over(struct kith_mesh_flows *f, struct kith_mesh_flow *flow,
                      struct kith_mesh_flow *former, enum kith_mesh_side side)
{
    const struct label_key key = key_of(&flow->end[side]);

    former->end[side] = flow->end[side];
    if (has_label(&flow->end[side]) && kith_map_put(&f->by_label, &key, former) < 0)
        clear_end(f, &former->end[side]); /* cannot be: nothing is added */
    if (flow->end[side].neighbour != KITH_MESH_SELF || side == KITH_MESH_DOWN)
        flow->end[side] = (struct kith_mesh_end){.neighbour = KITH_MESH_NOBODY};
}

int kith_mesh_flows_retire(struct kith_mesh_flows *f, struct kith_mesh_flow *flow, kith_time now)
{
    struct kith_mesh_flow *former;

    if (flow->former == NULL && kith_mesh_flows_count(f) >= f->max)
        return KITH_E_FULL;
    former = kith_new_zero(f->env->alloc, sizeof *former);
    if (former == NULL)
        return KITH_E_NOMEM;
    kith_mesh_flows_drop_former(f, flow);
    former->id = flow->id;
    former->to = flow->to;
    former->attempt = flow->attempt;
    former->used_at = now;
    former->unheard_at = KITH_NEVER;
    former->latter = flow;
    flow->former = former;
    hand_over(f, flow, former, KITH_MESH_UP);
    hand_over(f, flow, former, KITH_MESH_DOWN);
    kith_list_append(&f->formers, &former->used);
    f->n_formers++;
    return KITH_OK;
}

void kith_mesh_flows_bequeath(struct kith_mesh_flow *from, struct kith_mesh_flow *to)
{
    to->former = from->former;
    from->former = NULL;
    if (to->former != NULL)
        to->former->latter = to;
}

void kith_mesh_flows_drop_former(struct kith_mesh_flows *f, struct kith_mesh_flow *flow)
{
    struct kith_mesh_flow *former = flow->former;

    if (former == NULL)
        return;
    clear_end(f, &former->end[KITH_MESH_UP]);
    clear_end(f, &former->end[KITH_MESH_DOWN]);
    kith_list_remove(&former->used);
    f->n_formers--;
    flow->former = NULL;
    kith_free(f->env->alloc, former);
}

struct kith_mesh_flow *kith_mesh_flows_first_former(const struct kith_mesh_flows *f)
{
    return kith_list_empty(&f->formers) ? NULL
                                        : KITH_OF(f->formers.next, struct kith_mesh_flow, used);
}

/* ---- finding ---- */

struct kith_mesh_flow *kith_mesh_flows_by_label(const struct kith_mesh_flows *f,
                                                struct kith_mesh_end end)
{
    const struct label_key key = key_of(&end);

    return kith_map_find(&f->by_label, &key);
}

struct kith_mesh_flow *kith_mesh_flows_by_id(const struct kith_mesh_flows *f,
                                             const struct kith_flow_id *id)
{
    return kith_map_find(&f->by_id, id->b);
}

struct kith_mesh_flow *kith_mesh_flows_to(const struct kith_mesh_flows *f,
                                          const struct kith_destination *to)
{
    return kith_map_find(&f->by_destination, to->b);
}

void kith_mesh_flows_touch(struct kith_mesh_flows *f, struct kith_mesh_flow *flow, kith_time now)
{
    flow->used_at = now;
    kith_list_remove(&flow->used);
    kith_list_append(&f->used, &flow->used);
}

struct kith_mesh_flow *kith_mesh_flows_oldest(const struct kith_mesh_flows *f)
{
    return kith_list_empty(&f->used) ? NULL : KITH_OF(f->used.next, struct kith_mesh_flow, used);
}

static bool any_at(const struct kith_link *list, uint32_t neighbour)
{
    for (const struct kith_link *l = list->next; l != list; l = l->next) {
        const struct kith_mesh_flow *flow = KITH_OF(l, struct kith_mesh_flow, used);
        if (flow->end[KITH_MESH_UP].neighbour == neighbour ||
            flow->end[KITH_MESH_DOWN].neighbour == neighbour)
            return true;
    }
    return false;
}

bool kith_mesh_flows_at(const struct kith_mesh_flows *f, uint32_t neighbour)
{
    return any_at(&f->used, neighbour) || any_at(&f->formers, neighbour);
}

size_t kith_mesh_flows_count(const struct kith_mesh_flows *f)
{
    return f->by_id.n + f->n_formers;
}
