/* relay_own.c: what this node sends through others, and the ways that it takes. */
#include "mesh/relay_parts.h"

enum { UNHEARD = 4 }; /* packets without an answer before a way counts as silent */
#define LEAVE_AFTER (4 * KITH_SEC) /* a way left for a better one is ended: what was under way is there */

static bool is_silent(const struct kith_mesh_flow *f, kith_time now)
{
    return f->end[KITH_MESH_DOWN].neighbour != KITH_MESH_NOBODY && f->unheard >= UNHEARD &&
           kith_since(now, f->unheard_at) >= KITH_RELAY_SILENCE;
}

static struct kith_mesh_flow *flow_to(struct kith_relay *r, const struct kith_destination *to,
                                      kith_time now)
{
    struct kith_mesh_flow *f = kith_mesh_flows_to(&r->flows, to);
    struct kith_flow_id id;

    if (f != NULL)
        return f;
    kith_random_fill(r->env->random, id.b, sizeof id.b);
    if (kith_mesh_flows_add(&r->flows, &id, to, true, now, &f) < 0)
        return NULL;
    f->hops = KITH_MESH_HOPS_MAX;
    r->count.opened++;
    return f;
}

/* Another attempt, by a way that this one has not gone; when all have been, from the beginning. */
static bool attempt(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    f->unheard = 0;
    f->unheard_at = KITH_NEVER;
    f->attempt++;
    if (relay_lead_on(r, f, now))
        return true;
    f->n_tried = 0;
    return relay_lead_on(r, f, now);
}

static void leave_silent(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    struct kith_mesh_end old = f->end[KITH_MESH_DOWN];

    r->count.rerouted++;
    r->ops.failed(r->ops.ctx, &f->to, old.neighbour, true, now);
    relay_send_end(r, old, KITH_MESH_GONE, now);
    relay_no_longer_down(r, f);
}

static void send_on_own(struct kith_relay *r, const struct kith_destination *to,
                        struct kith_span packet, uint8_t ecn, kith_time now)
{
    struct kith_mesh_flow *f = flow_to(r, to, now);

    if (f != NULL && is_silent(f, now))
        leave_silent(r, f, now);
    if (f == NULL ||
        (f->end[KITH_MESH_DOWN].neighbour == KITH_MESH_NOBODY && !attempt(r, f, now))) {
        r->count.no_way++;
        return;
    }
    kith_mesh_flows_touch(&r->flows, f, now);
    if (relay_send_packet(r, f->end[KITH_MESH_DOWN], KITH_MESH_HOPS_MAX, packet, ecn, now) &&
        f->unheard++ == 0)
        f->unheard_at = now;
}

struct kith_ip kith_mesh_address(const struct kith_destination *to)
{
    struct kith_ip ip = {.family = KITH_FAMILY_MESH};

    memcpy(ip.b, to->b, sizeof ip.b);
    return ip;
}

struct kith_ip relay_address_of_flow(const struct kith_mesh_flow *f)
{
    struct kith_ip ip = {.family = KITH_FAMILY_MESH};

    memcpy(ip.b, f->id.b, sizeof f->id.b);
    return ip;
}

/* Whether the address is a flow's: 8 of its bytes are zeros, as in one of 2^64 destinations. */
static bool is_of_flow(const struct kith_ip *ip)
{
    static const uint8_t zeros[8];

    return memcmp(ip->b + sizeof(struct kith_flow_id), zeros, sizeof zeros) == 0;
}

/* The flow that ends here and has this address; NULL. */
static struct kith_mesh_flow *accepted(const struct kith_relay *r, const struct kith_ip *ip)
{
    struct kith_flow_id id;
    struct kith_mesh_flow *f;

    memcpy(id.b, ip->b, sizeof id.b);
    f = kith_mesh_flows_by_id(&r->flows, &id);
    if (f == NULL || !is_self(f, KITH_MESH_DOWN))
        return NULL;
    const struct kith_ip whole = relay_address_of_flow(f);
    return kith_ip_equal(&whole, ip) ? f : NULL;
}

static struct kith_destination destination_of(const struct kith_ip *ip)
{
    struct kith_destination to;

    memcpy(to.b, ip->b, sizeof to.b);
    return to;
}

void kith_relay_send(struct kith_relay *r, const struct kith_ip *to, struct kith_span packet,
                     uint8_t ecn, kith_time now)
{
    struct kith_destination d = destination_of(to);
    struct kith_mesh_flow *f = accepted(r, to);

    if (f == NULL && is_of_flow(to)) { /* it has ended, and only the other side can begin anew */
        r->count.no_way++;
        return;
    }
    if (f == NULL) {
        send_on_own(r, &d, packet, ecn, now);
        return;
    }
    kith_mesh_flows_touch(&r->flows, f, now);
    (void)relay_send_packet(r, f->end[KITH_MESH_UP], KITH_MESH_HOPS_MAX, packet, ecn, now);
}

bool kith_relay_route(const struct kith_relay *r, const struct kith_ip *to, uint32_t *ret)
{
    struct kith_destination d = destination_of(to);
    const struct kith_mesh_flow *f = accepted(r, to), *own = kith_mesh_flows_to(&r->flows, &d);

    if (f == NULL && own == NULL)
        return false;
    *ret = f != NULL ? f->end[KITH_MESH_UP].neighbour : own->end[KITH_MESH_DOWN].neighbour;
    return *ret != KITH_MESH_NOBODY;
}

/* Make before break: what is under way by the former way comes through, there and back. */
static void improve(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now)
{
    struct kith_mesh_end old = f->end[KITH_MESH_DOWN];
    uint32_t to;

    if (is_self(f, KITH_MESH_UP) && f->former != NULL &&
        kith_since(now, f->former->used_at) >= LEAVE_AFTER)
        relay_end_former(r, f, now);
    if (!is_self(f, KITH_MESH_UP) || f->former != NULL || old.neighbour == KITH_MESH_NOBODY ||
        !r->ops.better(r->ops.ctx, &f->to, old.neighbour, now, &to) || neighbour_of(r, to) == NULL)
        return;
    r->count.improved++;
    bool kept = kith_mesh_flows_retire(&r->flows, f, now) == KITH_OK;
    f->attempt++;
    f->n_tried = 1; /* the others are tried when this one fails */
    f->tried[0] = to;
    f->unheard = 0;
    f->unheard_at = KITH_NEVER;
    if (relay_begin_at(r, f, to) && !kept)
        relay_send_end(r, old, KITH_MESH_GONE, now);
}

void kith_relay_improve(struct kith_relay *r, kith_time now)
{
    for (struct kith_link *l = r->flows.used.next, *next; l != &r->flows.used; l = next) {
        next = l->next;
        improve(r, KITH_OF(l, struct kith_mesh_flow, used), now);
    }
}
