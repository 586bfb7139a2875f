/* quic_foe.h: a QUIC endpoint that is not Kith's, made of ngtcp2 and OpenSSL alone, which offers,
 * shows and says what Kith must refuse. One connection each, dialling or accepting. */
#ifndef KITH_TESTS_SIM_QUIC_FOE_H
#define KITH_TESTS_SIM_QUIC_FOE_H

#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/ssl.h>

#include "sim/conn_peer.h"

/* What a foe does; all-zero with `key` and `alpn` as Kith's is a client that Kith accepts. */
struct foe_habits {
    const char *groups;  /* NULL: MLKEM768 */
    const char *sigalgs; /* NULL: mldsa65 */
    const char *key;     /* algorithm of its key; NULL: shows none */
    const char *alpn;    /* NULL: says nothing */
    /* rewritten in what arrives for its TLS, so that it does what the other side never offered */
    const uint8_t *find, *replace;
    size_t find_len;
    const uint8_t *answer; /* as a server: its whole say at the Initial level, made by hand */
    size_t answer_len;
    bool mute_after; /* stops sending, so never acknowledges, once its handshake is complete */
    bool eager;      /* sends a stream and a datagram as soon as its keys allow */
};

struct foe {
    struct sim_net *net;
    struct sim_host *host;
    struct kith_path path; /* to the other side */
    struct foe_habits habits;
    SSL_CTX *ctx;
    SSL *ssl;
    EVP_PKEY *key;
    ngtcp2_conn *nc;
    ngtcp2_crypto_ossl_ctx *octx;
    ngtcp2_crypto_conn_ref ref;
    struct kith_transport transport;
    bool server, over, completed, confirmed, said;
    uint64_t crypto_in[4];            /* TLS bytes heard, by ngtcp2_encryption_level */
    uint64_t stream_bytes, datagrams; /* heard from the other side */
    int64_t stream;
    int read_error;
    uint64_t seen_error; /* the close code heard */
};

void foe_dial(struct foe *f, struct sim_net *net, const char *addr, const struct kith_addr *to,
              const struct foe_habits *habits);
void foe_listen(struct foe *f, struct sim_net *net, const char *addr,
                const struct foe_habits *habits);
/* Who it is by its key: SHA-256 over the SubjectPublicKeyInfo. */
void foe_id(const struct foe *f, struct kith_peer_id *ret);
void foe_fini(struct foe *f);
/* Runs the peer and the foe for `span`. */
void foe_run(struct foe *f, struct conn_peer *p, kith_dur span);

#endif
