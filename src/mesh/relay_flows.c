/* relay_flows.c: flows begin at a neighbour, are led on, lose one end or the other. */
#include "mesh/relay_parts.h"

/* Of one that begins or is handed over there no more. */
static void count_off(struct kith_relay *r, const struct kith_mesh_flow *f)
{
    struct kith_mesh_neighbour *n = neighbour_of(r, f->end[KITH_MESH_UP].neighbour);

    if (n != NULL)
        n->begun--;
}

void relay_drop_former(struct kith_relay *r, struct kith_mesh_flow *f)
{
    if (f->former != NULL)
        count_off(r, f->former);
    kith_mesh_flows_drop_former(&r->flows, f);
}

void relay_end_former(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    if (f->former != NULL)
        relay_send_end(r, f->former->end[KITH_MESH_DOWN], KITH_MESH_GONE, now);
    relay_drop_former(r, f);
}

void relay_drop_flow(struct kith_relay *r, struct kith_mesh_flow *f)
{
    relay_drop_former(r, f);
    count_off(r, f);
    kith_mesh_flows_drop(&r->flows, f);
}

void relay_drop_refused(struct kith_relay *r, struct kith_mesh_flow *f)
{
    r->refused[r->n_refused++ % KITH_RELAY_REFUSED] =
        (struct refusal){.id = f->id, .attempt = f->attempt};
    relay_drop_flow(r, f);
}

bool relay_was_refused(const struct kith_relay *r, const struct kith_flow_open *m)
{
    for (size_t i = 0; i < KITH_RELAY_REFUSED && i < r->n_refused; i++)
        if (r->refused[i].attempt == m->attempt &&
            memcmp(r->refused[i].id.b, m->flow.b, sizeof m->flow.b) == 0)
            return true;
    return false;
}

void relay_no_longer_down(struct kith_relay *r, struct kith_mesh_flow *f)
{
    const struct kith_mesh_end none = {.neighbour = KITH_MESH_NOBODY};

    (void)!kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN, none); /* taking cannot fail */
}

/* A label that no flow has on the session with n. */
static struct kith_mesh_end new_label(struct kith_relay *r, struct kith_mesh_neighbour *n)
{
    struct kith_mesh_end end = {.neighbour = n->number};

    do
        end.label = (n->labels++ & ~HIGH) | (n->high ? HIGH : 0);
    while (kith_mesh_flows_by_label(&r->flows, end) != NULL);
    return end;
}

bool relay_begin_at(struct kith_relay *r, struct kith_mesh_flow *f, uint32_t to)
{
    struct kith_flow_open open = {
        .hops = f->hops, .flow = f->id, .attempt = f->attempt, .destination = f->to};
    struct kith_mesh_neighbour *n = neighbour_of(r, to);
    uint8_t buf[40];
    size_t len;

    if (n == NULL)
        return false;
    struct kith_mesh_end end = new_label(r, n);
    open.label = end.label;
    if (kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN, end) < 0 ||
        kith_flow_open_encode(&open, buf, sizeof buf, &len) < 0)
        return false;
    relay_put_out(r, to, 0, &(struct kith_span){buf, len}, 1);
    return true;
}

bool relay_lead_on(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    uint32_t from = f->end[KITH_MESH_UP].neighbour, to;

    relay_no_longer_down(r, f);
    while (f->n_tried < KITH_MESH_WAYS &&
           r->ops.way(r->ops.ctx, &f->to, from, f->tried, f->n_tried, now, &to)) {
        f->tried[f->n_tried++] = to;
        if (relay_begin_at(r, f, to))
            return true;
    }
    return false;
}

void relay_lost_down(struct kith_relay *r, struct kith_mesh_flow *f, enum kith_mesh_why why,
                     kith_time now)
{
    relay_no_longer_down(r, f);
    if (is_self(f, KITH_MESH_UP))
        return;
    if (relay_lead_on(r, f, now)) {
        r->count.rerouted++;
        return;
    }
    relay_send_end(r, f->end[KITH_MESH_UP], why, now);
    relay_drop_refused(r, f);
}

void relay_lost_up(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    if (f->latter != NULL) {
        relay_end_former(r, f->latter, now);
        return;
    }
    relay_end_former(r, f, now);
    relay_send_end(r, f->end[KITH_MESH_DOWN], KITH_MESH_GONE, now); /* if that is a neighbour */
    relay_drop_flow(r, f);
}

void kith_relay_part(struct kith_relay *r, uint32_t neighbour, kith_time now)
{
    struct kith_mesh_neighbour *n = kith_mesh_neighbours_take(&r->neighbours, neighbour);

    if (n == NULL)
        return;
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (f->end[KITH_MESH_UP].neighbour == neighbour)
            relay_lost_up(r, f, now);
        else if (f->end[KITH_MESH_DOWN].neighbour == neighbour)
            relay_lost_down(r, f, KITH_MESH_GONE, now);
    }
    for (struct kith_link *l = r->flows.formers.next, *next; l != &r->flows.formers; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (f->end[KITH_MESH_UP].neighbour == neighbour ||
            f->end[KITH_MESH_DOWN].neighbour == neighbour)
            relay_end_former(r, f->latter, now);
    }
    kith_mesh_neighbour_free(&r->neighbours, n);
}

void kith_relay_end_to(struct kith_relay *r, const struct kith_destination *to, kith_time now)
{
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        struct kith_mesh_flow *f = KITH_OF(l, struct kith_mesh_flow, used);
        next = l->next;
        if (is_self(f, KITH_MESH_UP) || !kith_destination_equal(&f->to, to))
            continue;
        relay_end_former(r, f, now);
        relay_send_end(r, f->end[KITH_MESH_DOWN], KITH_MESH_GONE,
                       now); /* where it is a neighbour */
        relay_send_end(r, f->end[KITH_MESH_UP], KITH_MESH_NO_WAY, now);
        relay_drop_refused(r, f);
    }
}
