/* overlay.h: what the tunnel interface has of addresses and routes, made equal to what the node's
 * networks want.
 *
 * Each network gives one address a family (a single one, /32 or /128) and one route to where its
 * members live, with that address as its source. Only what was put there by this object is taken
 * away again. What the kernel refuses is told as an event, once, and tried anew at the next change.
 * What somebody else took away, as setting the interface down does, is given back; ever more slowly
 * to somebody who takes it away again and again (backoff.h).
 * Test: tests/unit/loop_overlay_test.c */
#ifndef KITH_LOOP_OVERLAY_H
#define KITH_LOOP_OVERLAY_H

#include "loop/backoff.h"
#include "node/node.h"
#include "os/netlink.h"

enum { KITH_OVERLAY_MAX = 2 * KITH_NODE_NETWORKS_MAX }; /* two families */

struct kith_overlay_item {
    struct kith_ip ip;        /* ours */
    struct kith_prefix route; /* where its members live */
};

struct kith_overlay_set { /* all-zero: empty */
    size_t n;
    struct kith_overlay_item item[KITH_OVERLAY_MAX];
};

/* Appends what a network wants. */
void kith_overlay_want(struct kith_overlay_set *set, const struct kith_network_info *net);
bool kith_overlay_has(const struct kith_overlay_set *set, const struct kith_overlay_item *item);

struct kith_overlay {
    struct kith_netlink *nl; /* borrowed */
    const struct kith_env *env;
    unsigned ifindex; /* 0: there is no interface, nothing is done */
    const char *name;
    struct kith_overlay_set applied;
    struct kith_backoff backoff;
    kith_time since;    /* what it lost was there since then */
    kith_time again_at; /* when it gets back what it lost; 0: it lost nothing */
};

/* The interface had this of what was put there before; what is missing is forgotten, so that the
 * next apply puts it there anew. Whether anything is. While the interface is down nothing is: it
 * cannot have routes then. */
bool kith_overlay_lost(struct kith_overlay *o, const struct kith_host_addrs *addrs,
                       const struct kith_host_routes *routes);
/* The host's network changed to this: when something of ours is gone, a time to give it back. */
void kith_overlay_look(struct kith_overlay *o, const struct kith_host_addrs *addrs,
                       const struct kith_host_routes *routes, kith_time now);
/* Gives back what was lost, when it is time. */
void kith_overlay_turn(struct kith_overlay *o, const struct kith_node *node, kith_time now,
                       kith_wall wall);
kith_time kith_overlay_deadline(const struct kith_overlay *o);

/* Makes the interface have what the node's networks want, and nothing else of ours. */
void kith_overlay_apply(struct kith_overlay *o, const struct kith_node *node, kith_wall now);

#endif
