/* overlay.h: what the tunnel interface has of addresses and routes, made equal to what the node's
 * networks want.
 *
 * Each network gives one address a family (a single one, /32 or /128) and one route to where its
 * members live, with that address as its source. Only what was put there by this object is taken
 * away again. What the kernel refuses is told as an event, once, and tried anew at the next change.
 * Test: tests/unit/loop_overlay_test.c */
#ifndef KITH_LOOP_OVERLAY_H
#define KITH_LOOP_OVERLAY_H

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
};

/* Makes the interface have what the node's networks want, and nothing else of ours. */
void kith_overlay_apply(struct kith_overlay *o, const struct kith_node *node, kith_wall now);

#endif
