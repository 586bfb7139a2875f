/* flows.h: the flows that go through, begin or end at this node, found by label, by id and by
 * destination.
 *
 * A flow has two ends: `up`, where it came from, and `down`, where it goes on. An end is a
 * neighbour and the label that flow has on the session with it, or this node itself. A flow that
 * nobody used for a minute is gone. When it is begun anew by another way, its labels go to a
 * *former* for a few seconds: what is under way by them still comes through. Pure; bounded by
 * `max`, formers among them. Test: tests/unit/mesh_flows_test.c. */
#ifndef KITH_MESH_FLOWS_H
#define KITH_MESH_FLOWS_H

#include "base/env.h"
#include "base/list.h"
#include "base/map.h"
#include "mesh/paths.h"

#define KITH_MESH_IDLE (60 * KITH_SEC)
#define KITH_MESH_FORMER (6 * KITH_SEC) /* so long an attempt that gave way to a newer one carries */
#define KITH_MESH_SELF (UINT32_MAX - 1) /* as a neighbour: this node */

struct kith_mesh_end {
    uint32_t neighbour; /* KITH_MESH_NOBODY: there is none now */
    uint32_t label;     /* 0 where the neighbour is none */
};

enum kith_mesh_side { KITH_MESH_UP, KITH_MESH_DOWN };

struct kith_mesh_flow {
    struct kith_link used; /* in kith_mesh_flows.used, longest unused first; or in .formers */
    struct kith_mesh_flow *former; /* the attempt before, for a while; NULL */
    struct kith_mesh_flow *latter; /* whose former this is; NULL: it is none */
    struct kith_flow_id id;
    struct kith_destination to;
    struct kith_mesh_end end[2]; /* by kith_mesh_side */
    uint32_t attempt;
    uint32_t tried[KITH_MESH_WAYS]; /* neighbours that this attempt went to, n_tried of them */
    uint8_t n_tried;
    uint8_t hops;         /* that its beginning might still take, on its way out */
    kith_time used_at;    /* of a former: when it became one */
    kith_time unheard_at; /* of one that begins here: sent, and nothing came back; KITH_NEVER */
    unsigned unheard;     /* packets since then */
};

struct kith_mesh_flows {
    const struct kith_env *env;
    struct kith_map by_label;       /* neighbour and label -> flow */
    struct kith_map by_id;          /* -> flow */
    struct kith_map by_destination; /* -> flow that begins here */
    struct kith_link used;
    struct kith_link formers; /* that will end first, first */
    size_t n_formers, max;
};

void kith_mesh_flows_init(struct kith_mesh_flows *f, const struct kith_env *env, size_t max);
void kith_mesh_flows_fini(struct kith_mesh_flows *f);
/* KITH_E_EXISTS where the id is known, KITH_E_FULL, KITH_E_NOMEM. Both ends are nobody's; `here`:
 * it begins at this node. */
int kith_mesh_flows_add(struct kith_mesh_flows *f, const struct kith_flow_id *id,
                        const struct kith_destination *to, bool here, kith_time now,
                        struct kith_mesh_flow **ret) KITH_MUST_CHECK;
/* Gives an end its neighbour and label, or takes them (KITH_MESH_NOBODY). KITH_E_EXISTS where
 * another flow has that label, KITH_E_NOMEM. */
int kith_mesh_flows_set_end(struct kith_mesh_flows *f, struct kith_mesh_flow *flow,
                            enum kith_mesh_side side, struct kith_mesh_end end) KITH_MUST_CHECK;
/* And its former. */
void kith_mesh_flows_drop(struct kith_mesh_flows *f, struct kith_mesh_flow *flow);
/* Its ends go to a former, in place of the one it has; it keeps none but this node's where it
 * begins. KITH_E_FULL, KITH_E_NOMEM: nothing has changed. */
int kith_mesh_flows_retire(struct kith_mesh_flows *f, struct kith_mesh_flow *flow,
                           kith_time now) KITH_MUST_CHECK;
/* The former of one belongs to another, which has none, from now on. */
void kith_mesh_flows_bequeath(struct kith_mesh_flow *from, struct kith_mesh_flow *to);
void kith_mesh_flows_drop_former(struct kith_mesh_flows *f, struct kith_mesh_flow *flow);
/* The former that will end first; NULL. */
struct kith_mesh_flow *kith_mesh_flows_first_former(const struct kith_mesh_flows *f);

struct kith_mesh_flow *kith_mesh_flows_by_label(const struct kith_mesh_flows *f,
                                                struct kith_mesh_end end);
struct kith_mesh_flow *kith_mesh_flows_by_id(const struct kith_mesh_flows *f,
                                             const struct kith_flow_id *id);
/* The one that begins here. */
struct kith_mesh_flow *kith_mesh_flows_to(const struct kith_mesh_flows *f,
                                          const struct kith_destination *to);
void kith_mesh_flows_touch(struct kith_mesh_flows *f, struct kith_mesh_flow *flow, kith_time now);
/* Whether one has an end at the neighbour. Looks at all. */
bool kith_mesh_flows_at(const struct kith_mesh_flows *f, uint32_t neighbour);
/* The flow that was not used for longest; NULL. */
struct kith_mesh_flow *kith_mesh_flows_oldest(const struct kith_mesh_flows *f);
/* Formers among them. */
size_t kith_mesh_flows_count(const struct kith_mesh_flows *f);

#endif
