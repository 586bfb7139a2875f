/* crowd.h: a node on a real UDP socket of loopback, and a crowd of members that talk to it.
 *
 * The node runs in the process that is measured: batch, UDP transport and sessions as in the
 * daemon, with epoll in place of libuv and nothing above; it rests when the daemon would. The crowd
 * is another process. Each member has a key, sessions and a socket of its own, in a /24 of its own
 * (127.x.y.1), so that whatever counts by prefix takes them for people in different places. The
 * node expects every one of them (kith_sessions_config.expects) and its limits for strangers are
 * lifted: what is measured is the work, not how it is rationed.
 *
 * Order: crowd_share, node_init, crowd_start, then node_turn until enough was seen. Everything the
 * two processes tell each other is in struct crowd_orders. */
#ifndef KITH_TESTS_BENCH_CROWD_H
#define KITH_TESTS_BENCH_CROWD_H

#include <stdatomic.h>
#include <sys/types.h>

#include "crypto/sign.h"
#include "loop/gather.h"
#include "session/session.h"
#include "transport/udp/udp.h"

enum { CROWD_PACKET = 200 }; /* bytes of an IP packet that members send */

/* What the crowd is to do, and what it saw; in memory that both processes have. */
struct crowd_orders {
    _Atomic uint32_t wanted;            /* members that shall have a session */
    _Atomic bool talk;                  /* each sends a packet every CROWD_EVERY */
    _Atomic uint64_t up;                /* sessions that came up, ever */
    _Atomic uint64_t sent, echoed;      /* packets */
    _Atomic uint64_t datagrams, sealed; /* that came from the node; of these by the second plane */
    _Atomic uint64_t packets_in;        /* at the node */
};
#define CROWD_EVERY (100 * KITH_MSEC)

struct crowd_config {
    size_t members;
    size_t under_way; /* handshakes at once, at most */
    bool churn;       /* a session that came up is closed and begun anew */
    uint64_t capabilities;
};

struct echo {
    struct kith_session *session;
    size_t n;
    uint8_t p[CROWD_PACKET];
};

struct node {
    struct kith_env env;
    struct kith_random random;
    struct kith_sign_key *key;
    struct kith_peer_id id;
    struct kith_addr addr;
    struct kith_sessions *sessions;
    struct kith_udp *udp;
    struct kith_tx_batch batch;
    struct kith_gather gather;
    int epoll, fd;
    struct crowd_orders *orders;
    uint64_t up, down;    /* sessions that came up and went */
    struct echo echo[64]; /* packets of this turn's reading, to be sent back */
    size_t echoes;
    kith_time now;
};

/* All-zero, shared with processes forked later. */
struct crowd_orders *crowd_share(void);
/* Any port of 127.0.0.1. The allocator is for the sessions and all below them. */
void node_init(struct node *n, uint64_t capabilities, struct crowd_orders *orders,
               const struct kith_alloc *alloc);
void node_fini(struct node *n);
/* Waits for something to do, until `until` at the latest, and does it. */
void node_turn(struct node *n, kith_time until);
/* Turns until `n->up` has reached `up`, then for `rest` longer. Gives up after `limit`. */
void node_until_up(struct node *n, uint64_t up, kith_dur rest, kith_dur limit);
void node_for(struct node *n, kith_dur d);
/* Another process, which ends when this one does. Its id. */
pid_t crowd_start(const struct crowd_config *cfg, const struct node *n);
void crowd_stop(pid_t crowd);

#endif
