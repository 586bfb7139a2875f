/* tun.h: the tunnel interface in the loop: its packets go to the node, the node's go to it.
 *
 * Without the right to make one a node runs on: it can be a member, an admin, a relay. Reading
 * stops while no transport takes datagrams, so that the kernel's own queue tells programs to slow
 * down. Addresses and routes are overlay.h's.
 * An interface that somebody deletes is let go of at once, since its descriptor would never be
 * quiet again, and made anew: open and start once, then again whenever the deadline has come.
 * Test: tests/unit/loop_tun_test.c, tests/lab/torture_host.sh */
#ifndef KITH_LOOP_TUN_H
#define KITH_LOOP_TUN_H

#include "conf/conf.h"
#include "loop/backoff.h"
#include "loop/pump.h"
#include "os/netlink.h"
#include "os/tun.h"

enum { KITH_TUN_READS = 32 }; /* of one wake-up: 2 MB of super-packets, two batches' worth */

struct kith_loop_tun { /* all-zero: not open */
    struct kith_pump *pump;
    const struct kith_env *env;
    struct kith_tun tun; /* of one that is gone: its name, and what it could */
    uv_poll_t handle;
    bool open, polled, paused;
    bool initialised; /* the handle is the loop's, until it says that it has closed it */
    bool lost;        /* it was there, is gone, and is to be made again */
    struct kith_backoff backoff;
    kith_time since;    /* it is there */
    kith_time again_at; /* where lost */
    char trouble[384];  /* why there is no interface, and the remedy, for people; else empty */
    uint8_t buf[KITH_TUN_READ_MAX];
};

/* Makes the interface and brings it up; KITH_E_* and the event tun_unavailable, with the remedy,
 * when this host does not let us. nl is an open rtnetlink socket. */
int kith_loop_tun_open(struct kith_loop_tun *t, const struct kith_conf *conf,
                       struct kith_netlink *nl, const struct kith_env *env) KITH_MUST_CHECK;
/* Starts reading. */
int kith_loop_tun_start(struct kith_loop_tun *t, uv_loop_t *loop,
                        struct kith_pump *pump) KITH_MUST_CHECK;
/* When to make it again; KITH_NEVER unless it is gone. */
kith_time kith_loop_tun_deadline(const struct kith_loop_tun *t);
/* Makes one that is gone again and starts reading; KITH_E_* when this host does not let us now,
 * which is told once for each reason. */
int kith_loop_tun_again(struct kith_loop_tun *t, const struct kith_conf *conf,
                        struct kith_netlink *nl, uv_loop_t *loop, kith_time now) KITH_MUST_CHECK;
/* Notes why there is no interface, as an event and for whoever asks. */
void kith_loop_tun_trouble(struct kith_loop_tun *t, const struct kith_env *env, const char *why,
                           const char *remedy);
/* Takes packets of the node; write NULL when there is no interface. */
struct kith_vpn_in kith_loop_tun_in(struct kith_loop_tun *t);
void kith_loop_tun_pause(struct kith_loop_tun *t, bool paused);
void kith_loop_tun_close(struct kith_loop_tun *t);

#endif
