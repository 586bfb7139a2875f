/* watch.h: tells the node which addresses this host has, and when its network changed.
 *
 * Changes come in bursts (an interface, its address, its routes), so it waits until none came for
 * KITH_WATCH_SETTLE and looks once. It compares what it finds with what it found before, without
 * the tunnel interface: our own changes are reported by the kernel, too.
 * Test: tests/unit/loop_watch_test.c */
#ifndef KITH_LOOP_WATCH_H
#define KITH_LOOP_WATCH_H

#include "loop/pump.h"
#include "os/netlink.h"

#define KITH_WATCH_SETTLE (50 * KITH_MSEC) /* a DHCP client's changes lie within 10 ms */

struct kith_watch_view { /* what a look at the host found */
    size_t n;
    struct kith_ip addr[KITH_NODE_ADDRS_MAX];
    uint64_t routes; /* a digest of the routes that are not ours */
};

/* Which of the host's addresses others may be told: usable ones that reach further than this host
 * and this link, none of the interface `tun` (0: there is none). */
void kith_watch_addresses(const struct kith_host_addrs *all, unsigned tun,
                          struct kith_watch_view *ret);
uint64_t kith_watch_routes(const struct kith_host_routes *all, unsigned tun);
/* What changed, in words; NULL when nothing did. */
const char *kith_watch_changed(const struct kith_watch_view *before,
                               const struct kith_watch_view *after);

struct kith_watch_ops {
    /* Something changed, and this is what there is: of the tunnel interface, too. */
    void (*look)(void *ctx, const struct kith_host_addrs *addrs,
                 const struct kith_host_routes *routes);
};

struct kith_watch { /* all-zero: not open */
    struct kith_pump *pump;
    const struct kith_env *env;
    struct kith_netlink *nl; /* borrowed */
    unsigned tun;            /* its ifindex, or 0 */
    uv_poll_t handle;
    int fd;
    bool open;
    kith_time look_at; /* KITH_NEVER: nothing changed */
    struct kith_watch_view view;
    const struct kith_watch_ops *ops; /* borrowed */
    void *ctx;
};

int kith_watch_open(struct kith_watch *w, uv_loop_t *loop, struct kith_pump *pump,
                    struct kith_os_why *why) KITH_MUST_CHECK;
/* The first look: tells the node the addresses there are. */
void kith_watch_start(struct kith_watch *w);
/* The host woke up: whatever the kernel says, its network is to be tried anew. */
void kith_watch_resumed(struct kith_watch *w);
/* Looks when it is time. */
void kith_watch_turn(struct kith_watch *w);
kith_time kith_watch_deadline(const struct kith_watch *w);
void kith_watch_close(struct kith_watch *w);

#endif
