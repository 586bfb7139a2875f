/* session_peer.h: all sessions of a node on a simulated host, driven until something is true. */
#ifndef KITH_TESTS_SIM_SESSION_PEER_H
#define KITH_TESTS_SIM_SESSION_PEER_H

#include "crypto/sign.h"
#include "session/session.h"
#include "sim/net.h"

struct session_peer {
    struct sim_net *net;
    struct sim_host *host;
    struct kith_env env;
    struct kith_events events;
    struct kith_sign_key *key;
    struct kith_peer_id id;
    struct kith_sessions *sessions;
    struct kith_tx_batch batch;
    struct kith_transport transport;
    struct kith_quic_config quic;
    uint64_t boots;
    uint64_t capabilities; /* told in hello; from the next start on */
    bool trusting;         /* trust whoever comes up, and let slot 0 through */
    bool expects;          /* whoever dials it, as a member */
    bool blocks;           /* whoever dials it */
    bool echo;             /* send IP packets back */
    bool reads;            /* take in what streams bring */
    bool greets; /* sends a control message as soon as it is told UP, RESTARTED or MOVED */
    /* a letter for each effect, in order: Up, Restarted, Moved, Control, Stream, Pong, dial Failed,
     * Down, missed or not any more (Q); what does not fit is left out */
    char told[128];
    size_t n_told;
    size_t ups, downs, moves, restarts, controls, pongs, dial_failures, stream_news;
    uint8_t last_control[256];
    size_t last_control_len;
    kith_dur last_rtt;
    struct kith_conn_end last_end;
    uint64_t packets, packet_bytes;
    uint64_t stream_bytes, stream_hash; /* FNV-1a, of streams that were read */
    uint64_t large_packets;             /* of more than 1200 bytes */
    kith_time large_at;                 /* when the last of these came */
    uint8_t last_packet[2048];
    struct kith_marks last_marks;
    size_t last_packet_len;
    unsigned seen[KITH_EVENT_COUNT];
};

void session_peer_init(struct session_peer *p, struct sim_net *net, const char *addr, uint8_t seed);
/* The same with a configuration for its connections; keys in it are filled in. */
void session_peer_init_with(struct session_peer *p, struct sim_net *net, const char *addr,
                            uint8_t seed, const struct kith_quic_config *quic);
void session_peer_fini(struct session_peer *p);
/* As after kill -9: nothing is said, everything is forgotten but the key. */
void session_peer_restart(struct session_peer *p);
struct kith_session *session_peer_to(struct session_peer *p, const struct session_peer *other);
/* Wants a session with `other`, at its present address. */
void session_peer_want(struct session_peer *p, const struct session_peer *other);
bool session_peers_run(struct session_peer **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                       kith_dur limit);

#endif
