/* node_peer.h: a whole node on a simulated host: network, store in memory, a TUN device that
 * remembers what came out of it. */
#ifndef KITH_TESTS_SIM_NODE_PEER_H
#define KITH_TESTS_SIM_NODE_PEER_H

#include "identity/ticket.h"
#include "node/node.h"
#include "sim/net.h"

struct node_peer_sim {
    struct sim_net *net;
    struct sim_host *host;
    const char *name;
    struct kith_env env;
    struct kith_events events;
    struct kith_identity identity;
    struct kith_store *store;
    struct kith_node *node;
    struct kith_tx_batch batch;
    struct kith_transport transport;
    size_t peers_max;                /* from the next restart on; 0: as usual */
    size_t eager_max, company_size;  /* the same */
    bool forward_nothing;            /* from the next restart on */
    size_t paths_max;                /* likewise; 0: as usual */
    int64_t wall_offset;             /* of this node's calendar clock, seconds */
    bool on_loopback;                /* listens there, too; from its next start on */
    enum kith_congestion congestion; /* from its next start on */
    bool asleep;                     /* its lid is closed: time passes it by */
    bool stirred;                    /* something came since it was looked at */
    kith_time next_at;               /* when it is to be looked at again, if nothing comes */
    void *place;                     /* in a crowd, which looks after it; or NULL */
    /* what happened */
    uint64_t tun_packets;
    uint8_t last_packet[2048];
    size_t last_len;
    void (*on_packet)(void *ctx, struct node_peer_sim *p); /* told of each; may be NULL */
    void *ctx;
    size_t dones, pongs, lost, overlays, stops;
    int last_err;
    struct kith_node_why last_why;
    char last_route[96];
    unsigned last_hops;
    unsigned seen[KITH_EVENT_COUNT];
};

void node_sim_init(struct node_peer_sim *p, struct sim_net *net, const char *name, const char *addr,
                   uint8_t seed);
/* The same with a key that grows from `key`, and memory of its own. */
void node_sim_init_with(struct node_peer_sim *p, struct sim_net *net, const char *name,
                        const char *addr, const struct kith_sign_seed *key,
                        const struct kith_alloc *alloc);
/* All but the store (`store` is to be set) and the node itself: then node_sim_try_start. */
void node_sim_prepare(struct node_peer_sim *p, struct sim_net *net, const char *name,
                      const char *addr, const struct kith_sign_seed *key,
                      const struct kith_alloc *alloc);
void node_sim_fini(struct node_peer_sim *p);
/* As after kill -9 and a new start: only the store and the identity survive. */
void node_sim_restart(struct node_peer_sim *p);
/* Its power fails: `node` is NULL until it is started again. */
void node_sim_kill(struct node_peer_sim *p);
/* The machine is set up anew, by one that has another key and remembers nothing. */
void node_sim_reinstall(struct node_peer_sim *p, const struct kith_sign_seed *key);
/* Starts a node where there is none (`node` NULL); the error, if it can't. */
int node_sim_try_start(struct node_peer_sim *p);
struct kith_now node_sim_now(const struct node_peer_sim *p);
/* The host gets another address and notices. */
void node_sim_move(struct node_peer_sim *p, const char *addr);
/* What is due is done and what is to leave leaves; when it is to be looked at again. */
kith_time node_sim_turn(struct node_peer_sim *p);
/* Until `pred` (may be NULL) holds or `limit` is over; whether it held. */
bool node_sims_run(struct node_peer_sim **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                   kith_dur limit);
/* An IPv4 or IPv6 UDP packet with `len` bytes of payload goes into p's TUN device. */
void node_sim_send_udp(struct node_peer_sim *p, const struct kith_ip *from,
                       const struct kith_ip *to, size_t len);
/* Such a packet, around this payload; its length. */
enum { NODE_SIM_PACKET_MAX = 2048 };
size_t node_sim_udp(const struct kith_ip *from, const struct kith_ip *to, struct kith_span payload,
                    uint8_t ret[NODE_SIM_PACKET_MAX]);

#endif
