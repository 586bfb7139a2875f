/* foe.h: a hostile peer: all of the session layer, no node above it, so that it can say anything.
 *
 * It has a key of its own, or that of a node that was taken over. It is driven beside whole nodes:
 * foes_run pumps both. */
#ifndef KITH_TESTS_SIM_FOE_H
#define KITH_TESTS_SIM_FOE_H

#include "sim/node_peer.h"

struct foe {
    struct sim_net *net;
    struct sim_host *host;
    struct kith_env env;
    struct kith_events events;
    struct kith_identity identity;
    struct kith_sessions *sessions;
    struct kith_tx_batch batch;
    struct kith_transport transport;
    bool deaf;   /* takes no messages: what was sent to it stays in its connection */
    bool zombie; /* answers no question of life; its connections live on */
    size_t ups, downs, controls[256], packets;
    uint8_t last_kind;
    uint8_t asked[128]; /* the path_request it was sent last */
    size_t asked_len;
    struct kith_conn_end last_end;
    uint8_t answer[32768]; /* what came on the stream it heard of last */
    size_t answer_len;
    bool answer_fin, answer_reset;
};

/* `seed` makes its key; KITH_OK or abort. */
void foe_init(struct foe *f, struct sim_net *net, const char *addr, uint8_t seed);
/* The same with the key that `seed` and `second` make, as tests/sim/node_peer.c does. */
void foe_init_as_node(struct foe *f, struct sim_net *net, const char *addr, uint8_t node_seed);
void foe_fini(struct foe *f);
/* Forgets its sessions without a word and starts with another boot id. */
void foe_restart(struct foe *f);
/* Wants a session with the node. */
void foe_dial(struct foe *f, const struct node_peer_sim *to);
struct kith_session *foe_session(const struct foe *f, const struct node_peer_sim *to);
bool foe_is_up(const struct foe *f, const struct node_peer_sim *to);
/* Its connection in use; NULL while down. */
struct kith_conn *foe_conn(const struct foe *f, const struct node_peer_sim *to);
int foe_say(struct foe *f, const struct node_peer_sim *to, const uint8_t *message, size_t n);
/* Bytes on the control stream, in no frame. */
int foe_say_raw(struct foe *f, const struct node_peer_sim *to, const uint8_t *bytes, size_t n);
int foe_datagram(struct foe *f, const struct node_peer_sim *to, const uint8_t *bytes, size_t n);
/* It does what is due, takes what came, and what it has to say leaves. */
void foe_pump(struct foe *f);
/* Runs nodes and foes for so long. */
void foes_run(struct node_peer_sim **nodes, size_t n_nodes, struct foe *const *foes, size_t n_foes,
              kith_dur how_long);

#endif
