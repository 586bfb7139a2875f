/* relay_parts.h: the insides of the relay engine, shared by its own files and no others.
 *
 *   relay.c         life, neighbours, taking, time
 *   relay_out.c     what leaves: packets, pieces, ends of labels
 *   relay_flows.c   beginning flows, leading them on, losing them
 *   relay_own.c     what begins here, and where it goes
 *   relay_heard.c   what neighbours hand over */
#ifndef KITH_MESH_RELAY_PARTS_H
#define KITH_MESH_RELAY_PARTS_H

#include "mesh/neighbours.h"
#include "mesh/relay.h"
#include "mesh/shelf.h"
#include "wire/datagram.h"

#define HIGH (UINT32_C(1) << 31) /* of a label: which side chose it */

/* An attempt that came to nothing here: its other ways through the mesh need not try again. */
struct refusal {
    struct kith_flow_id id;
    uint32_t attempt;
};

struct kith_relay {
    const struct kith_env *env;
    struct kith_relay_ops ops;
    struct kith_mesh_neighbours neighbours;
    struct kith_mesh_flows flows;
    struct kith_shelf out, in;
    struct refusal refused[KITH_RELAY_REFUSED];
    size_t n_refused; /* ever */
    struct kith_relay_counters count;
    struct kith_share share; /* how much is sent on for others */
    uint32_t from;           /* whose datagrams leave now; KITH_MESH_SELF: this node's */
};

static inline struct kith_mesh_neighbour *neighbour_of(const struct kith_relay *r, uint32_t number)
{
    return kith_mesh_neighbours_find(&r->neighbours, number);
}

static inline bool is_self(const struct kith_mesh_flow *f, enum kith_mesh_side side)
{
    return f->end[side].neighbour == KITH_MESH_SELF;
}

/* ---- out ---- */

/* A datagram to a neighbour, its bytes the parts in order; counted where there is no room. */
void relay_put_out(struct kith_relay *r, uint32_t neighbour, uint8_t ecn,
                   const struct kith_span *parts, size_t n);
/* Tells a neighbour that the label means nothing from now on; within its rate. */
void relay_send_end(struct kith_relay *r, struct kith_mesh_end at, enum kith_mesh_why why,
                    kith_time now);
/* Sends it on under the end's label, whole or in pieces; whether anything left. */
bool relay_send_packet(struct kith_relay *r, struct kith_mesh_end to, uint8_t hops,
                       struct kith_span packet, uint8_t ecn, kith_time now);

/* ---- flows ---- */

/* Forgets the attempt before, if it is kept. */
void relay_drop_former(struct kith_relay *r, struct kith_mesh_flow *f);
/* Those behind it hear that nothing more will come. */
void relay_end_former(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now);
/* Forgets the flow, and its former. */
void relay_drop_flow(struct kith_relay *r, struct kith_mesh_flow *f);
/* The same, and remembers that this attempt was refused. */
void relay_drop_refused(struct kith_relay *r, struct kith_mesh_flow *f);
/* Whether this attempt was refused here, as far as that is remembered. */
bool relay_was_refused(const struct kith_relay *r, const struct kith_flow_open *m);
/* It goes nowhere until it is led on. */
void relay_no_longer_down(struct kith_relay *r, struct kith_mesh_flow *f);
/* Begins the flow at a neighbour. */
bool relay_begin_at(struct kith_relay *r, struct kith_mesh_flow *f, uint32_t to);
/* Leads the flow on by the best way that was not tried for it; whether there is one. */
bool relay_lead_on(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now);
/* The way down is none any more. One that goes through this node is led another way, or ends at who
 * handed it over; one that begins here is led on with the next packet. */
void relay_lost_down(struct kith_relay *r, struct kith_mesh_flow *f, enum kith_mesh_why why,
                     kith_time now);
/* Whoever handed it over is gone, or wants it no more: so is the flow, or only its former. */
void relay_lost_up(struct kith_relay *r, struct kith_mesh_flow *f, kith_time now);

/* ---- from this node ---- */

/* Under which this node answers to what came by it. */
struct kith_ip relay_address_of_flow(const struct kith_mesh_flow *f);

#endif
