/* quic.h: the QUIC endpoint: makes connections, routes datagrams to them by connection id, answers
 * strangers (Retry, version negotiation, stateless reset) and says what happened.
 *
 * Post-quantum only: TLS 1.3 with ML-KEM-768 key shares, ML-DSA-65 raw public keys both ways,
 * ALPN kith/1 (docs/spec/session.md 2). The endpoint owns no socket: kith_quic_receive takes runs
 * of datagrams, kith_quic_flush writes into a batch.
 *
 * Order per turn: receive any number of runs; tick when kith_quic_deadline is due; take events
 * until there are none; flush, which may cause events of its own. Datagrams of connections are
 * handed to the sink during receive; the sink must not call back into the endpoint. */
#ifndef KITH_CONN_QUIC_QUIC_H
#define KITH_CONN_QUIC_QUIC_H

#include "base/env.h"
#include "conn/conn.h"
#include "crypto/sign.h"

enum kith_congestion { KITH_CC_CUBIC, KITH_CC_BBR };
enum kith_cipher_choice { KITH_CIPHER_AUTO, KITH_CIPHER_AES, KITH_CIPHER_CHACHA };

/* Prices of strangers' work; 0: the default below. */
struct kith_quic_prices {
    kith_dur handshake; /* all of one that is accepted */
    kith_dur initial;   /* judging one datagram */
    kith_dur retry;     /* answering one */
};

struct kith_quic_config {
    const struct kith_sign_key *key; /* this node's identity; borrowed, outlives the endpoint */
    uint8_t reset_key[32];           /* stateless reset tokens; kept across restarts */
    uint8_t token_key[32];           /* Retry tokens */
    enum kith_congestion congestion;
    enum kith_cipher_choice cipher;
    size_t connections_max;       /* 0: 10,000 */
    size_t handshakes_max;        /* accepted and unfinished at once; 0: 256 */
    size_t handshakes_per_prefix; /* of those from one IPv4 /24 or IPv6 /48; 0: 64 */
    size_t retry_above;         /* unfinished handshakes from which strangers get a Retry; 0: 64 */
    kith_dur idle_timeout;      /* 0: 60 s */
    kith_dur handshake_timeout; /* 0: 10 s */
    uint64_t key_update_after;  /* packets sent under one key; 0: 2^22 */
    bool always_retry;          /* every stranger proves its address first */
    /* What strangers may cost (spec session 2.4.7 to 2.4.10). The thread's time is not measured
     * but charged at fixed prices, so that the same packets always have the same fate. */
    unsigned stranger_share;        /* percent of the thread's time; 0: 25 */
    unsigned handshakes_per_second; /* begun from one IPv4 /24 or IPv6 /48; 0: 10 */
    struct kith_quic_prices prices;
    /* Whether a member is, or was lately, at this address, whatever the port: known sources that
     * proved their address have a reserve of their own. Called for every datagram of a stranger,
     * so it must be quick. NULL: nobody is known. */
    bool (*known)(void *ctx, const struct kith_addr *remote, kith_time now);
    void *known_ctx;
};

/* Prices of strangers' work where nothing else is set: what tests/bench/siege.c and handshake.c
 * measure (1.2 ms, 2 us, 4 us on a machine that signs with ML-DSA-65 in 0.6 ms), and what the
 * kernel takes to receive the packets and to send the answers. */
#define KITH_QUIC_HANDSHAKE_COST (1500 * KITH_USEC)
#define KITH_QUIC_INITIAL_COST (5 * KITH_USEC)
#define KITH_QUIC_RETRY_COST (15 * KITH_USEC)

/* Takes the datagrams of all connections; called during kith_quic_receive. */
struct kith_datagram_sink {
    /* `ecn`: what its carrier says of congestion; 0 where that is QUIC's own business. */
    void (*datagram)(void *ctx, struct kith_conn *c, struct kith_span payload, uint8_t ecn,
                     kith_time now);
    void *ctx;
};

/* What strangers and packets did to the endpoint, counted. */
struct kith_quic_counters {
    uint64_t datagrams_in, datagrams_unroutable, datagrams_malformed;
    uint64_t retries_sent, versions_sent, resets_sent, initials_held;
    uint64_t accepted, dialled, established, refused, over_limit;
    uint64_t sealed_in, sealed_out; /* packets of the second plane */
    uint64_t sealed_refused;        /* packets of the second plane that were forged or repeated */
    uint64_t shed;        /* datagrams of strangers dropped above their share of the thread */
    uint64_t noise;       /* first packets that do not decrypt, or are none */
    uint64_t tokens_bad;  /* neither genuine, nor fresh, nor for their sender */
    uint64_t abandoned;   /* accepted handshakes that came to nothing in time */
    uint64_t key_updates; /* begun by this side */
    uint64_t holes;       /* times a path took less than it had (conn/mtu.h) */
};

struct kith_quic;

/* KITH_E_CRYPTO, KITH_E_NOMEM. cfg is copied. */
int kith_quic_new(const struct kith_quic_config *cfg, const struct kith_env *env,
                  const struct kith_datagram_sink *sink, struct kith_quic **ret) KITH_MUST_CHECK;
/* Has TLS, QUIC and the library under them make what they make once, by a handshake of an endpoint
 * with itself that nobody hears of: 5 ms, after kith_crypto_warm_up. KITH_E_CRYPTO, KITH_E_NOMEM:
 * what this process lacks now it may lack for good; better it ends. */
int kith_quic_warm_up(const struct kith_sign_key *key, const struct kith_env *env) KITH_MUST_CHECK;
/* Frees the endpoint and every connection at once, without telling peers. NULL is fine. */
void kith_quic_free(struct kith_quic *q);

/* Starts a connection to `peer` over path. The first packets leave with the next flush.
 * KITH_E_FULL, KITH_E_NOMEM, KITH_E_CRYPTO. */
int kith_quic_dial(struct kith_quic *q, const struct kith_path *path,
                   const struct kith_peer_id *peer, void *owner, kith_time now,
                   struct kith_conn **ret) KITH_MUST_CHECK;
/* Every datagram of the run is judged by itself; nothing here fails as a whole. */
void kith_quic_receive(struct kith_quic *q, const struct kith_rx *run, kith_time now);
void kith_quic_tick(struct kith_quic *q, kith_time now);
kith_time kith_quic_deadline(const struct kith_quic *q);
/* The next thing that happened; false when there is none. */
bool kith_quic_next_event(struct kith_quic *q, struct kith_conn_event *ret);
/* What strangers' work costs from now on. */
void kith_quic_set_prices(struct kith_quic *q, const struct kith_quic_prices *prices);
/* Writes what connections have to send; stops early while the batch is blocked. Does not flush
 * the batch itself. */
void kith_quic_flush(struct kith_quic *q, struct kith_tx_batch *b, kith_time now);
const struct kith_quic_counters *kith_quic_counters(const struct kith_quic *q);
/* Connections in being, handshakes included. */
size_t kith_quic_connections(const struct kith_quic *q);

#endif
