/* relay.h: datagrams through others. What neighbours hand over is sent on by its label, or is for
 * this node; what this node has for a destination goes to the neighbour that leads there.
 *
 * The engine knows neighbours by number, labels, and nothing of what is carried. Which neighbour
 * leads where, it asks. Nothing is sent while something comes in: what is to leave or has arrived
 * lies on a shelf until it is taken. An address of the mesh is a kith_ip of the family
 * KITH_FAMILY_MESH: a destination for who begins a flow, the flow's id for who answers.
 *
 * Order: neighbours come and go; heard and send, any number; then take what leaves (next_out) and
 * what has arrived (next_in) until there is none, and say so (taken); tick when due.
 * Spec: docs/spec/mesh.md. Tests: tests/unit/mesh_relay*_test.c,
 * tests/property/mesh_relay_law_test.c, tests/fuzz/mesh_relay.c. */
#ifndef KITH_MESH_RELAY_H
#define KITH_MESH_RELAY_H

#include "base/addr.h"
#include "base/env.h"
#include "mesh/flows.h"

enum {
    KITH_RELAY_REFUSED = 256,             /* attempts that were refused and are remembered */
    KITH_RELAY_FLOWS_MAX = 16384,         /* at a node */
    KITH_RELAY_FLOWS_OF_NEIGHBOUR = 2048, /* begun by one neighbour */
    KITH_RELAY_WHOLE = 1200,              /* a datagram up to this size is cut where it has to be */
};
#define KITH_RELAY_SILENCE (2 * KITH_SEC) /* so long nothing came back: another way is tried */

/* Why a label ended: docs/spec/mesh.md 3.6. */
enum kith_mesh_why {
    KITH_MESH_UNKNOWN = 0, /* no flow has this label */
    KITH_MESH_NO_WAY = 1,  /* nobody here leads there */
    KITH_MESH_LOOP = 2,    /* it was here already */
    KITH_MESH_FULL = 3,    /* too many flows */
    KITH_MESH_GONE = 4,    /* the next one on the way is gone */
    KITH_MESH_HOPS = 5,    /* it may come to nobody more */
};

struct kith_relay_ops {
    /* The best neighbour that leads to `to` for one that `from` (KITH_MESH_SELF: this node) hands
     * over, and is neither `from` nor among the n of not_by. False: nobody, or it may not. */
    bool (*way)(void *ctx, const struct kith_destination *to, uint32_t from, const uint32_t *not_by,
                size_t n, kith_time now, uint32_t *ret);
    /* Whether the destination is this node's. */
    bool (*is_here)(void *ctx, const struct kith_destination *to);
    /* Nothing came through by that neighbour: it said so, or (`silent`) what was sent of our own
     * had no answer. */
    void (*failed)(void *ctx, const struct kith_destination *to, uint32_t neighbour, bool silent,
                   kith_time now);
    /* A neighbour that leads to `to` clearly better than `by` does; false: there is none. */
    bool (*better)(void *ctx, const struct kith_destination *to, uint32_t by, kith_time now,
                   uint32_t *ret);
    /* The largest datagram that the session with a neighbour takes, bytes; 0: there is none. */
    size_t (*room)(void *ctx, uint32_t neighbour);
    void *ctx;
};

struct kith_relay_counters {
    uint64_t opened;                     /* flows begun here */
    uint64_t accepted;                   /* flows that end here */
    uint64_t forwarded_flows, forwarded; /* for others: flows, datagrams */
    uint64_t forwarded_bytes;
    uint64_t rerouted;  /* ways that failed and were replaced */
    uint64_t improved;  /* and that were left for better ones */
    uint64_t refused;   /* flows of neighbours that were not taken */
    uint64_t unknown;   /* datagrams under labels that mean nothing */
    uint64_t malformed; /* datagrams that are none */
    uint64_t no_way;    /* of ours, for destinations nobody leads to */
    uint64_t over_rate; /* datagrams for others beyond what is sent on */
    uint64_t too_big, dropped;
    uint64_t expired; /* datagrams, beginnings of flows among them, whose hops are used up */
};

struct kith_relay;

/* Something for a neighbour's session, or that has come for this node. */
struct kith_relay_out {
    uint32_t neighbour;
    uint32_t from;             /* who handed over what this is of; KITH_MESH_SELF: this node */
    struct kith_span datagram; /* borrowed until kith_relay_taken */
    uint8_t ecn;
};

struct kith_relay_in {
    struct kith_ip from; /* where an answer goes */
    uint8_t *packet;     /* n bytes, which may be changed; borrowed until kith_relay_taken */
    size_t n;
    uint8_t ecn;
};

/* ops is copied. KITH_E_NOMEM. */
int kith_relay_new(const struct kith_env *env, const struct kith_relay_ops *ops,
                   struct kith_relay **ret) KITH_MUST_CHECK;
void kith_relay_free(struct kith_relay *r);

/* How much is sent on for others, by shares (mesh/share.h); 0: without a limit, as at first. */
void kith_relay_limit(struct kith_relay *r, uint64_t bytes_per_second);

/* There is a session with it from now on; high: labels that this side chooses have the highest bit.
 * KITH_E_NOMEM, KITH_E_FULL: it is none. Harmless for one that is one. */
int kith_relay_join(struct kith_relay *r, uint32_t neighbour, bool high) KITH_MUST_CHECK;
/* The session is over, or its other end forgot everything: its flows go other ways, or end. */
void kith_relay_part(struct kith_relay *r, uint32_t neighbour, kith_time now);

/* No flow of others to the destination passes here any more; both sides are told. One that begins
 * here is left, for what this node still has to say to end it. */
void kith_relay_end_to(struct kith_relay *r, const struct kith_destination *to, kith_time now);

/* A datagram of a flow kind (wire/datagram.def) from a neighbour. False: it is malformed, or from
 * none. */
bool kith_relay_heard(struct kith_relay *r, uint32_t neighbour, struct kith_span datagram,
                      uint8_t ecn, kith_time now);
/* A datagram of this node's for an address of the mesh. What cannot go is counted and lost. */
void kith_relay_send(struct kith_relay *r, const struct kith_ip *to, struct kith_span packet,
                     uint8_t ecn, kith_time now);
bool kith_relay_next_out(struct kith_relay *r, struct kith_relay_out *ret);
bool kith_relay_next_in(struct kith_relay *r, struct kith_relay_in *ret);
/* What was taken is no longer in use. */
void kith_relay_taken(struct kith_relay *r);
/* Whether a shelf is more than half full: better taken now than at the end of the turn. */
bool kith_relay_is_heavy(const struct kith_relay *r);
/* Whether next_out or next_in have something. */
bool kith_relay_is_laden(const struct kith_relay *r);

/* Flows that begin here move to better ways, where there are some now. What is under way by the
 * former still comes through, if it does within seconds. */
void kith_relay_improve(struct kith_relay *r, kith_time now);
void kith_relay_tick(struct kith_relay *r, kith_time now);
kith_time kith_relay_deadline(const struct kith_relay *r);
/* The neighbour over which an address is reached now; false: none. */
bool kith_relay_route(const struct kith_relay *r, const struct kith_ip *to, uint32_t *ret);
/* Whether a flow goes by the neighbour. Looks at all flows. */
bool kith_relay_carries(const struct kith_relay *r, uint32_t neighbour);
const struct kith_relay_counters *kith_relay_counters(const struct kith_relay *r);
size_t kith_relay_flows(const struct kith_relay *r);
/* What it holds, for those that hold it to its laws; borrowed until anything else is called. */
struct kith_mesh_neighbours;
struct kith_shelf;
struct kith_relay_view {
    const struct kith_mesh_flows *flows;
    const struct kith_mesh_neighbours *neighbours;
    const struct kith_shelf *out, *in;
};
struct kith_relay_view kith_relay_view(const struct kith_relay *r);

/* The address of a destination. */
struct kith_ip kith_mesh_address(const struct kith_destination *to);

#endif
