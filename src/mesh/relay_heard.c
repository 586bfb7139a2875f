/* relay_heard.c: what neighbours hand over: beginnings, packets, pieces, ends. */
#include "mesh/relay_parts.h"

enum { OPENS_BURST = 512 };
#define OPEN_COST (10 * KITH_MSEC) /* flows a neighbour begins: a hundred a second */

/* Whether what is known of the flow already, f or NULL, speaks for taking this beginning of it. */
static bool supersedes(const struct kith_mesh_flow *f, const struct kith_flow_open *m)
{
    /* spec mesh 3.3: that is what keeps it from going in circles */
    return f == NULL || (!is_self(f, KITH_MESH_UP) && m->attempt > f->attempt);
}

static bool is_beginning_of(const struct kith_mesh_flow *f, const struct kith_mesh_neighbour *n,
                            const struct kith_flow_open *m)
{
    return f != NULL && f->attempt == m->attempt && f->end[KITH_MESH_UP].neighbour == n->number &&
           f->end[KITH_MESH_UP].label == m->label;
}

/* Said once more, as when it was repeated on the way. */
static bool is_repeated(const struct kith_relay *r, const struct kith_mesh_neighbour *n,
                        const struct kith_flow_open *m)
{
    const struct kith_mesh_flow *f = kith_mesh_flows_by_id(&r->flows, &m->flow);

    return f != NULL && (is_beginning_of(f, n, m) || is_beginning_of(f->former, n, m));
}

static struct kith_mesh_flow *take_in(struct kith_relay *r, struct kith_mesh_neighbour *n,
                                      const struct kith_flow_open *m, kith_time now)
{
    const struct kith_mesh_end up = {.neighbour = n->number, .label = m->label};
    struct kith_mesh_flow *f;

    if (n->begun >= KITH_RELAY_FLOWS_OF_NEIGHBOUR ||
        !kith_rate_takes(&n->opens_paid, OPEN_COST, 1, OPENS_BURST, now) ||
        kith_mesh_flows_add(&r->flows, &m->flow, &m->destination, false, now, &f) < 0)
        return NULL;
    if (kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_UP, up) < 0) {
        kith_mesh_flows_drop(&r->flows, f);
        return NULL;
    }
    n->begun++;
    f->attempt = m->attempt;
    f->hops = (uint8_t)(m->hops - 1);
    return f;
}

/* As take_in, for a newer attempt of a flow that is known: its labels carry on for a while. */
static struct kith_mesh_flow *take_over(struct kith_relay *r, struct kith_mesh_flow *old,
                                        struct kith_mesh_neighbour *n,
                                        const struct kith_flow_open *m, kith_time now)
{
    struct kith_mesh_flow kept = {.former = NULL}, *f;

    relay_drop_former(r, old); /* of which there is one */
    if (n->begun < KITH_RELAY_FLOWS_OF_NEIGHBOUR &&
        kith_mesh_flows_retire(&r->flows, old, now) == KITH_OK)
        kith_mesh_flows_bequeath(old, &kept);
    relay_drop_flow(r, old);
    f = take_in(r, n, m, now);
    if (f != NULL)
        kith_mesh_flows_bequeath(&kept, f);
    else
        relay_drop_former(r, &kept);
    return f;
}

/* A new flow of a neighbour's: it ends here, goes on, or is refused. Why it is refused, or -1. */
static int begin(struct kith_relay *r, struct kith_mesh_neighbour *n,
                 const struct kith_flow_open *m, kith_time now)
{
    const struct kith_mesh_end here = {.neighbour = KITH_MESH_SELF};

    struct kith_mesh_flow *old = kith_mesh_flows_by_id(&r->flows, &m->flow);
    if (relay_was_refused(r, m) || !supersedes(old, m))
        return KITH_MESH_LOOP;
    struct kith_mesh_flow *f = old != NULL ? take_over(r, old, n, m, now) : take_in(r, n, m, now);
    if (f == NULL)
        return KITH_MESH_FULL;
    if (r->ops.is_here(r->ops.ctx, &m->destination)) {
        r->count.accepted++;
        (void)!kith_mesh_flows_set_end(&r->flows, f, KITH_MESH_DOWN,
                                       here); /* no label: cannot fail */
        return -1;
    }
    bool on = f->hops > 0 && relay_lead_on(r, f, now);
    if (on) {
        r->count.forwarded_flows++;
        return -1;
    }
    if (f->hops == 0) { /* by a shorter way it may come again */
        r->count.expired++;
        relay_drop_flow(r, f);
        return KITH_MESH_HOPS;
    }
    relay_drop_refused(r, f);
    return KITH_MESH_NO_WAY;
}

static bool heard_open(struct kith_relay *r, struct kith_mesh_neighbour *n,
                       struct kith_span datagram, kith_time now)
{
    struct kith_flow_open m;

    if (kith_flow_open_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end up = {.neighbour = n->number, .label = m.label};
    if (((m.label & HIGH) != 0) == n->high)
        return false; /* spec mesh 3.2: it is not its to choose */
    if (is_repeated(r, n, &m))
        return true;
    struct kith_mesh_flow *former = kith_mesh_flows_by_label(&r->flows, up);
    if (former != NULL)
        relay_lost_up(r, former, now); /* the sender began to count anew */
    int why = begin(r, n, &m, now);
    if (why >= 0) {
        r->count.refused++;
        relay_send_end(r, up, (enum kith_mesh_why)why, now);
    }
    return true;
}

static void arrive(struct kith_relay *r, const struct kith_mesh_flow *f, enum kith_mesh_side from,
                   struct kith_span packet, uint8_t ecn)
{
    const struct kith_ip address =
        from == KITH_MESH_UP ? relay_address_of_flow(f) : kith_mesh_address(&f->to);

    if (kith_shelf_put(&r->in, 0, address.b, ecn, &packet, 1) < 0)
        r->count.dropped++;
}

/* A datagram of a flow, whole. */
static void carry(struct kith_relay *r, struct kith_mesh_flow *f, struct kith_mesh_neighbour *n,
                  struct kith_mesh_end at, uint8_t hops, struct kith_span packet, uint8_t ecn,
                  kith_time now)
{
    bool up =
        f->end[KITH_MESH_UP].neighbour == at.neighbour && f->end[KITH_MESH_UP].label == at.label;
    enum kith_mesh_side from = up ? KITH_MESH_UP : KITH_MESH_DOWN,
                        to = up ? KITH_MESH_DOWN : KITH_MESH_UP;

    if (f->latter == NULL) /* a former's time is up when it is up */
        kith_mesh_flows_touch(&r->flows, f, now);
    if (is_self(f, to)) {
        f->unheard = 0;
        f->unheard_at = KITH_NEVER;
        f->n_tried = 0;
        arrive(r, f, from, packet, ecn);
        return;
    }
    if (hops <= 1) {
        r->count.expired++;
        return;
    }
    if (!kith_share_takes(&r->share, &n->share, packet.n, now)) {
        r->count.over_rate++;
        return;
    }
    r->count.forwarded++;
    r->count.forwarded_bytes += packet.n;
    (void)relay_send_packet(r, f->end[to], (uint8_t)(hops - 1), packet, ecn, now);
}

/* The flow of a label; who uses one that means nothing is told. */
static struct kith_mesh_flow *flow_at(struct kith_relay *r, struct kith_mesh_end at, kith_time now)
{
    struct kith_mesh_flow *f = kith_mesh_flows_by_label(&r->flows, at);

    if (f == NULL) {
        r->count.unknown++;
        relay_send_end(r, at, KITH_MESH_UNKNOWN, now);
    }
    return f;
}

static bool heard_packet(struct kith_relay *r, struct kith_mesh_neighbour *n,
                         struct kith_span datagram, uint8_t ecn, kith_time now)
{
    struct kith_flow_packet m;

    if (kith_flow_packet_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = flow_at(r, at, now);
    if (f != NULL)
        carry(r, f, n, at, m.hops, m.packet, ecn, now);
    return true;
}

static bool heard_piece(struct kith_relay *r, struct kith_mesh_neighbour *n,
                        struct kith_span datagram, uint8_t ecn, kith_time now)
{
    struct kith_flow_piece m;
    struct kith_span whole;

    if (kith_flow_piece_decode(datagram, &m) < 0 || m.size > KITH_RELAY_WHOLE)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = flow_at(r, at, now); /* before any memory is given to it */
    if (f == NULL)
        return true;
    const struct kith_ip_fragment piece = {
        .id = m.id, .index = m.index, .count = m.count, .part = m.part};
    int err = kith_reassembly_add(&n->pieces, &piece, ecn, now, &whole, &ecn);
    if (err == KITH_E_AGAIN || err == KITH_E_NOMEM)
        return true;
    if (err < 0 || whole.n != m.size)
        return false;
    carry(r, f, n, at, m.hops, whole, ecn, now);
    return true;
}

static bool heard_end(struct kith_relay *r, const struct kith_mesh_neighbour *n,
                      struct kith_span datagram, kith_time now)
{
    struct kith_flow_over m;

    if (kith_flow_over_decode(datagram, &m) < 0)
        return false;
    const struct kith_mesh_end at = {.neighbour = n->number, .label = m.label};
    struct kith_mesh_flow *f = kith_mesh_flows_by_label(&r->flows, at);
    if (f == NULL)
        return true; /* it crossed our own */
    if (f->end[KITH_MESH_UP].neighbour == at.neighbour && f->end[KITH_MESH_UP].label == at.label) {
        relay_lost_up(r, f, now);
        return true;
    }
    if (f->latter != NULL) { /* it would have ended soon */
        relay_drop_former(r, f->latter);
        return true;
    }
    if (m.why == KITH_MESH_UNKNOWN)
        f->n_tried = 0; /* the way is good, it was only forgotten */
    else
        r->ops.failed(r->ops.ctx, &f->to, at.neighbour, false, now);
    relay_lost_down(r, f, KITH_MESH_NO_WAY, now);
    return true;
}

bool kith_relay_heard(struct kith_relay *r, uint32_t neighbour, struct kith_span datagram,
                      uint8_t ecn, kith_time now)
{
    struct kith_mesh_neighbour *n = neighbour_of(r, neighbour);
    bool good = false;

    r->from = neighbour;
    if (n != NULL && datagram.n > 0)
        switch (datagram.p[0]) {
        case KITH_WIRE_flow_open: good = heard_open(r, n, datagram, now); break;
        case KITH_WIRE_flow_packet: good = heard_packet(r, n, datagram, ecn, now); break;
        case KITH_WIRE_flow_piece: good = heard_piece(r, n, datagram, ecn, now); break;
        case KITH_WIRE_flow_over: good = heard_end(r, n, datagram, now); break;
        default: break;
        }
    r->from = KITH_MESH_SELF;
    r->count.malformed += good ? 0 : 1;
    return good;
}

void kith_relay_limit(struct kith_relay *r, uint64_t bytes_per_second)
{
    r->share.rate = bytes_per_second;
}
