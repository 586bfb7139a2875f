/* conn_peer.h: a QUIC endpoint on a simulated host, driven until something is true. */
#ifndef KITH_TESTS_SIM_CONN_PEER_H
#define KITH_TESTS_SIM_CONN_PEER_H

#include "base/env.h"
#include "conn/quic/quic.h"
#include "crypto/sign.h"
#include "sim/net.h"

enum { PEER_CONNS = 16, PEER_EVENTS = 64 };

struct conn_peer {
    struct sim_net *net;
    struct sim_host *host;
    struct kith_env env;
    struct kith_events events;
    struct kith_sign_key *key;
    struct kith_peer_id id;
    struct kith_quic *quic;
    struct kith_tx_batch batch;
    struct kith_transport transport;
    /* what happened */
    struct kith_conn *established[PEER_CONNS];
    size_t n_established, n_closed, n_moved;
    struct kith_conn_end last_end;
    uint64_t stream_bytes, datagrams, datagram_bytes;
    uint8_t last_datagram[1500];
    size_t last_datagram_len;
    uint64_t stream_hash; /* of all stream bytes in order, FNV-1a */
    size_t fins, resets, done;
    /* takes stream events instead of this file, when set */
    void (*on_stream)(struct conn_peer *p, const struct kith_conn_event *ev);
    void *on_stream_ctx;
    size_t writable, waits; /* events */
    bool echo;              /* send stream bytes back */
    bool unread;            /* leave stream bytes where they are */
    unsigned seen[KITH_EVENT_COUNT];
    /* of the second plane: whether datagrams may be reports and are taken as such; who owes one */
    bool reports;
    struct kith_conn *owes;
    uint64_t reports_sent, reports_taken, reports_refused;
    uint8_t last_ecn;
};

/* `seed` makes the key; cfg may be NULL. */
void conn_peer_init(struct conn_peer *p, struct sim_net *net, const char *addr, uint8_t seed,
                    const struct kith_quic_config *cfg);
/* The same with an allocator of the test's for the endpoint and all its connections. */
void conn_peer_init_with(struct conn_peer *p, struct sim_net *net, const char *addr, uint8_t seed,
                         const struct kith_quic_config *cfg, const struct kith_alloc *alloc);
void conn_peer_fini(struct conn_peer *p);
/* A restart: the endpoint forgets everything but its keys. */
void conn_peer_restart(struct conn_peer *p, const struct kith_quic_config *cfg);
struct kith_conn *conn_peer_dial(struct conn_peer *p, struct conn_peer *to);
/* One turn at the present time: ticks, takes events, writes. */
void conn_peer_pump(struct conn_peer *p);
/* Runs all peers until pred(ctx) or `limit` from now; whether pred came true. */
bool conn_peers_run(struct conn_peer **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                    kith_dur limit);

#endif
