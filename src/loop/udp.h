/* udp.h: the UDP sockets in the loop: what they receive goes to the node, and while they take no
 * more the loop waits for them to. Opening and the system calls are transport/udp's. */
#ifndef KITH_LOOP_UDP_H
#define KITH_LOOP_UDP_H

#include "loop/pump.h"
#include "transport/udp/udp.h"

struct kith_udp_poll {
    uv_poll_t handle;
    struct kith_loop_udp *owner;
    int fd;
    bool dead;
};

struct kith_loop_udp { /* all-zero: not open */
    struct kith_pump *pump;
    const struct kith_env *env;
    struct kith_udp *udp; /* owned */
    struct kith_udp_poll socket[KITH_UDP_SOCKETS_MAX];
    size_t n;
    struct kith_addr bound[KITH_UDP_SOCKETS_MAX];
    bool writable; /* the loop waits for room, too */
};

/* Errors as kith_udp_new. */
int kith_loop_udp_open(struct kith_loop_udp *u, uv_loop_t *loop, struct kith_pump *pump,
                       const struct kith_udp_config *cfg, const struct kith_env *env,
                       struct kith_udp_why *why) KITH_MUST_CHECK;
/* Whether to wake up when the sockets take datagrams again. */
void kith_loop_udp_want(struct kith_loop_udp *u, bool writable);
void kith_loop_udp_close(struct kith_loop_udp *u);

#endif
