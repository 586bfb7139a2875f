#include "mesh/relay_parts.h"

/* ---- making, neighbours ---- */

int kith_relay_new(const struct kith_env *env, const struct kith_relay_ops *ops,
                   struct kith_relay **ret)
{
    struct kith_relay *r = kith_new_zero(env->alloc, sizeof *r);

    if (r == NULL)
        return KITH_E_NOMEM;
    r->env = env;
    r->ops = *ops;
    r->from = KITH_MESH_SELF;
    r->out.alloc = r->in.alloc = env->alloc;
    r->neighbours.alloc = env->alloc;
    kith_mesh_flows_init(&r->flows, env, KITH_RELAY_FLOWS_MAX);
    *ret = r;
    return KITH_OK;
}

void kith_relay_free(struct kith_relay *r)
{
    if (r == NULL)
        return;
    kith_mesh_neighbours_fini(&r->neighbours);
    kith_mesh_flows_fini(&r->flows);
    kith_shelf_fini(&r->out);
    kith_shelf_fini(&r->in);
    kith_free(r->env->alloc, r);
}

int kith_relay_join(struct kith_relay *r, uint32_t neighbour, bool high)
{
    struct kith_mesh_neighbour *n;

    if (neighbour_of(r, neighbour) != NULL)
        return KITH_OK;
    int err = kith_mesh_neighbours_add(&r->neighbours, neighbour, &n);
    if (err >= 0)
        n->high = high;
    return err;
}

/* ---- taking, time ---- */

bool kith_relay_next_out(struct kith_relay *r, struct kith_relay_out *ret)
{
    struct kith_shelved s;

    if (!kith_shelf_take(&r->out, &s))
        return false;
    *ret = (struct kith_relay_out){.neighbour = s.who, .datagram = {s.p, s.n}, .ecn = s.ecn};
    memcpy(&ret->from, s.tag, sizeof ret->from);
    return true;
}

bool kith_relay_next_in(struct kith_relay *r, struct kith_relay_in *ret)
{
    struct kith_shelved s;

    if (!kith_shelf_take(&r->in, &s))
        return false;
    *ret = (struct kith_relay_in){
        .from = {.family = KITH_FAMILY_MESH}, .packet = s.p, .n = s.n, .ecn = s.ecn};
    memcpy(ret->from.b, s.tag, sizeof ret->from.b);
    return true;
}

void kith_relay_taken(struct kith_relay *r)
{
    kith_shelf_clear(&r->out);
    kith_shelf_clear(&r->in);
}

bool kith_relay_is_heavy(const struct kith_relay *r)
{
    return kith_shelf_weight(&r->out) > KITH_SHELF_BYTES / 2 ||
           kith_shelf_weight(&r->in) > KITH_SHELF_BYTES / 2;
}

bool kith_relay_is_laden(const struct kith_relay *r)
{
    return kith_shelf_is_laden(&r->out) || kith_shelf_is_laden(&r->in);
}

/* Whoever began it says so; others forget it, as they would have with the newer attempt. */
static void end_formers(struct kith_relay *r, kith_time now)
{
    struct kith_mesh_flow *f;

    while ((f = kith_mesh_flows_first_former(&r->flows)) != NULL &&
           kith_since(now, f->used_at) >= KITH_MESH_FORMER) {
        if (is_self(f, KITH_MESH_UP))
            relay_end_former(r, f->latter, now);
        else
            relay_drop_former(r, f->latter);
    }
}

void kith_relay_tick(struct kith_relay *r, kith_time now)
{
    struct kith_mesh_flow *f;

    end_formers(r, now);
    while ((f = kith_mesh_flows_oldest(&r->flows)) != NULL &&
           kith_since(now, f->used_at) >= KITH_MESH_IDLE)
        relay_drop_flow(r, f);
    if (f == NULL && !kith_relay_is_laden(r)) {
        kith_shelf_fini(&r->out);
        kith_shelf_fini(&r->in);
    }
}

kith_time kith_relay_deadline(const struct kith_relay *r)
{
    const struct kith_mesh_flow *f = kith_mesh_flows_oldest(&r->flows),
                                *former = kith_mesh_flows_first_former(&r->flows);
    kith_time end = former == NULL ? KITH_NEVER : kith_after(former->used_at, KITH_MESH_FORMER);

    if (f != NULL)
        return kith_sooner(end, kith_after(f->used_at, KITH_MESH_IDLE));
    /* the shelves may go, once they are empty */
    bool kept = kith_shelf_is_kept(&r->out) || kith_shelf_is_kept(&r->in);
    return kept && !kith_relay_is_laden(r) ? 0 : KITH_NEVER;
}

const struct kith_relay_counters *kith_relay_counters(const struct kith_relay *r)
{
    return &r->count;
}

bool kith_relay_carries(const struct kith_relay *r, uint32_t neighbour)
{
    return kith_mesh_flows_at(&r->flows, neighbour);
}

size_t kith_relay_flows(const struct kith_relay *r)
{
    return kith_mesh_flows_count(&r->flows);
}

struct kith_relay_view kith_relay_view(const struct kith_relay *r)
{
    return (struct kith_relay_view){
        .flows = &r->flows, .neighbours = &r->neighbours, .out = &r->out, .in = &r->in};
}
