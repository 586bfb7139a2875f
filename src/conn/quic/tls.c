/* tls.c: everything TLS decides: post-quantum only, raw public keys both ways, and why not.
 *
 * Spec: docs/spec/session.md 2. */
#include "conn/quic/internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/text.h"
#include "crypto/hash.h"

enum {
    GROUP_MLKEM768 = 0x0201, /* draft-ietf-tls-mlkem, IANA TLS Supported Groups */
    SIGALG_MLDSA65 = 0x0905, /* draft-ietf-tls-mldsa, IANA TLS SignatureScheme */
    EXT_GROUPS = 10,
    EXT_SIGALGS = 13,
    EXT_ALPN = 16,
    SPKI_LEN = KITH_PUBLIC_KEY_LEN,
};

static const uint8_t alpn[] = {6, 'k', 'i', 't', 'h', '/', '1'};
static const char exporter_label[] = "EXPORTER-kith-enrol-v1";
static const char plane_label[] = "EXPORTER-kith-plane-v1";

struct quic_tls_contexts {
    SSL_CTX *client, *server;
};

static struct kith_conn *conn_of(const SSL *ssl)
{
    ngtcp2_crypto_conn_ref *ref = SSL_get_app_data(ssl);

    return ref != NULL ? ref->user_data : NULL;
}

static void note_refusal(struct kith_conn *c, enum kith_refusal why, const char *text)
{
    if (c == NULL || c->end.refusal != KITH_REFUSAL_NONE)
        return;
    c->end.refusal = why;
    kith_format(c->end.text, sizeof c->end.text, "%s", text);
}

/* ---- the ClientHello, looked at before OpenSSL picks from it ---- */

/* Whether a u16-counted list of u16 holds exactly `only`. */
static bool list_is_only(struct kith_span ext, uint16_t only)
{
    struct kith_reader r = kith_reader_on(ext);
    struct kith_span list = kith_get_bytes(&r, 2, 65535);
    struct kith_reader items = kith_reader_on(list);

    return kith_reader_done(&r) == KITH_OK && list.n == 2 && kith_get_u16(&items) == only;
}

static struct kith_span hello_extension(SSL *ssl, unsigned type)
{
    const uint8_t *p;
    size_t n;

    if (SSL_client_hello_get0_ext(ssl, type, &p, &n) != 1)
        return (struct kith_span){0};
    return (struct kith_span){p, n};
}

static bool offers_alpn(struct kith_span ext)
{
    struct kith_reader r = kith_reader_on(ext);
    struct kith_reader names = kith_reader_on(kith_get_bytes(&r, 2, 65535));

    while (kith_reader_left(&names) > 0 && !names.bad) {
        struct kith_span name = kith_get_bytes(&names, 1, 255);
        if (kith_span_equal(name, (struct kith_span){alpn + 1, sizeof alpn - 1}))
            return true;
    }
    return false;
}

/* A hello that offers anything beside the one group and the one scheme is a downgrade waiting to
 * happen: refused, and each fault has its own name. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct kith_conn *c = conn_of(ssl);

    (void)arg;
    if (!offers_alpn(hello_extension(ssl, EXT_ALPN))) {
        note_refusal(c, KITH_REFUSAL_ALPN, "the peer does not speak kith/1");
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    } else if (!list_is_only(hello_extension(ssl, EXT_GROUPS), GROUP_MLKEM768)) {
        note_refusal(c, KITH_REFUSAL_GROUP, "the peer offers other groups than ML-KEM-768");
        *alert = SSL_AD_HANDSHAKE_FAILURE;
    } else if (!list_is_only(hello_extension(ssl, EXT_SIGALGS), SIGALG_MLDSA65)) {
        note_refusal(c, KITH_REFUSAL_SIGALG, "the peer offers other signatures than ML-DSA-65");
        *alert = SSL_AD_HANDSHAKE_FAILURE;
    } else {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
                   unsigned in_len, void *arg)
{
    (void)ssl, (void)arg, (void)in, (void)in_len; /* on_client_hello has found ours in it */
    *out = alpn + 1;
    *out_len = sizeof alpn - 1;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- the peer's key ---- */

/* The peer id of a raw public key; false when it is no ML-DSA-65 key. */
static bool id_of_key(EVP_PKEY *key, struct kith_peer_id *ret)
{
    uint8_t spki[SPKI_LEN + 1], *p = spki;

    if (key == NULL || i2d_PUBKEY(key, NULL) != SPKI_LEN || i2d_PUBKEY(key, &p) != SPKI_LEN)
        return false;
    if (!kith_public_key_check((struct kith_span){spki, SPKI_LEN}))
        return false;
    struct kith_hash h;
    if (kith_sha256((struct kith_span){spki, SPKI_LEN}, &h) < 0)
        return false;
    memcpy(ret->b, h.b, sizeof ret->b);
    return true;
}

/* Whether this key is acceptable: any ML-DSA-65 key when accepting, the expected one's when
 * dialling. Notes the refusal otherwise. */
static bool judge_key(struct kith_conn *c, EVP_PKEY *key, struct kith_peer_id *ret)
{
    if (!id_of_key(key, ret)) {
        note_refusal(c, KITH_REFUSAL_SIGALG, "the peer's key is not ML-DSA-65");
        return false;
    }
    if (c->dialled && !kith_equal_ct(ret->b, c->peer.b, sizeof ret->b)) {
        note_refusal(c, KITH_REFUSAL_PEER, "somebody else answered");
        c->peer = *ret;
        return false;
    }
    return true;
}

/* Entered with "untrusted" for every raw key: the decision is ours (judge_key). */
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct kith_conn *c = conn_of(ssl);
    struct kith_peer_id id;

    (void)ok;
    if (c == NULL || !judge_key(c, X509_STORE_CTX_get0_rpk(store), &id))
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* Whether both sides agreed on kith/1. OpenSSL is content with a server that says nothing. */
static bool speaks_kith(const SSL *ssl)
{
    const uint8_t *name;
    unsigned n;

    SSL_get0_alpn_selected(ssl, &name, &n);
    return kith_span_equal((struct kith_span){name, n},
                           (struct kith_span){alpn + 1, sizeof alpn - 1});
}

/* The secrets of the second plane: first the dialling side's for sending, then the other's. */
static int export_plane(struct kith_conn *c)
{
    uint8_t both[2][KITH_PLANE_SECRET];
    const SSL_CIPHER *suite = SSL_get_current_cipher(c->ssl);

    if (suite == NULL || SSL_export_keying_material(c->ssl, both[0], sizeof both, plane_label,
                                                    sizeof plane_label - 1, NULL, 0, 0) != 1)
        return KITH_E_CRYPTO;
    c->sealed.cipher = SSL_CIPHER_get_id(suite) == TLS1_3_CK_CHACHA20_POLY1305_SHA256
                           ? KITH_AEAD_CHACHA20POLY1305
                           : KITH_AEAD_AES256GCM;
    memcpy(c->sealed.secrets.send, both[c->dialled ? 0 : 1], KITH_PLANE_SECRET);
    memcpy(c->sealed.secrets.receive, both[c->dialled ? 1 : 0], KITH_PLANE_SECRET);
    kith_wipe(both, sizeof both);
    return KITH_OK;
}

int quic_tls_conclude(struct kith_conn *c)
{
    struct kith_peer_id id;

    if (!speaks_kith(c->ssl)) {
        note_refusal(c, KITH_REFUSAL_ALPN, "the peer does not speak kith/1");
        return KITH_E_AUTH;
    }
    if (!judge_key(c, SSL_get0_peer_rpk(c->ssl), &id))
        return KITH_E_AUTH;
    if (SSL_export_keying_material(c->ssl, c->exporter, sizeof c->exporter, exporter_label,
                                   sizeof exporter_label - 1, NULL, 0, 0) != 1)
        return KITH_E_CRYPTO;
    int err = export_plane(c);
    if (err < 0)
        return err;
    c->peer = id;
    c->peer_proved = true;
    return KITH_OK;
}

/* What OpenSSL itself refused, where a reason of its names one of ours. */
void quic_tls_blame(struct kith_conn *c)
{
    unsigned long e = ERR_peek_last_error();

    ERR_clear_error();
    if (ERR_GET_LIB(e) != ERR_LIB_SSL)
        return;
    switch (ERR_GET_REASON(e)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        note_refusal(c, KITH_REFUSAL_NO_KEY, "the peer showed no key");
        break;
    case SSL_R_BAD_KEY_SHARE: /* also a HelloRetryRequest for a group nobody offered */
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
        note_refusal(c, KITH_REFUSAL_GROUP, "the peer wants another group than ML-KEM-768");
        break;
    case SSL_R_WRONG_SIGNATURE_TYPE:
        note_refusal(c, KITH_REFUSAL_SIGALG, "the peer signs with another scheme than ML-DSA-65");
        break;
    default: break;
    }
}

/* ---- contexts ---- */

static const char *suites_of(enum kith_cipher_choice choice)
{
    static const char aes_first[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    static const char chacha_first[] = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

    switch (choice) {
    case KITH_CIPHER_AES: return aes_first;
    case KITH_CIPHER_CHACHA: return chacha_first;
    case KITH_CIPHER_AUTO: break;
    }
#if defined(__x86_64__)
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") ? aes_first
                                                                             : chacha_first;
#else
    return aes_first;
#endif
}

static bool configure(SSL_CTX *ctx, const struct kith_quic_config *cfg)
{
    static const uint8_t raw_key[] = {TLSEXT_cert_type_rpk};

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_quiet_shutdown(ctx, 1);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, suites_of(cfg->cipher)) == 1 &&
           SSL_CTX_set1_groups_list(ctx, "MLKEM768") == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, "mldsa65") == 1 &&
           SSL_CTX_set1_client_sigalgs_list(ctx, "mldsa65") == 1 &&
           SSL_CTX_set1_client_cert_type(ctx, raw_key, sizeof raw_key) == 1 &&
           SSL_CTX_set1_server_cert_type(ctx, raw_key, sizeof raw_key) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, kith_sign_key_evp(cfg->key)) == 1;
}

int quic_tls_new(const struct kith_quic_config *cfg, const struct kith_alloc *a,
                 struct quic_tls_contexts **ret)
{
    struct quic_tls_contexts *t = kith_new_zero(a, sizeof *t);

    if (t == NULL)
        return KITH_E_NOMEM;
    t->client = SSL_CTX_new(TLS_client_method());
    t->server = SSL_CTX_new(TLS_server_method());
    if (ngtcp2_crypto_ossl_init() != 0 || t->client == NULL || t->server == NULL ||
        !configure(t->client, cfg) || !configure(t->server, cfg)) {
        quic_tls_free(t, a);
        return KITH_E_CRYPTO;
    }
    SSL_CTX_set_options(t->server, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(t->server, on_alpn, NULL);
    SSL_CTX_set_client_hello_cb(t->server, on_client_hello, NULL);
    *ret = t;
    return KITH_OK;
}

void quic_tls_free(struct quic_tls_contexts *t, const struct kith_alloc *a)
{
    if (t == NULL)
        return;
    SSL_CTX_free(t->client);
    SSL_CTX_free(t->server);
    kith_free(a, t);
}

int quic_tls_attach(struct quic_tls_contexts *t, struct kith_conn *c)
{
    c->ssl = SSL_new(c->dialled ? t->client : t->server);
    if (c->ssl == NULL || ngtcp2_crypto_ossl_ctx_new(&c->octx, c->ssl) != 0)
        return KITH_E_NOMEM;
    int rv = c->dialled ? ngtcp2_crypto_ossl_configure_client_session(c->ssl)
                        : ngtcp2_crypto_ossl_configure_server_session(c->ssl);
    if (rv != 0)
        return KITH_E_CRYPTO;
    SSL_set_app_data(c->ssl, &c->ref);
    if (c->dialled) {
        SSL_set_connect_state(c->ssl);
        if (SSL_set_alpn_protos(c->ssl, alpn, sizeof alpn) != 0)
            return KITH_E_NOMEM;
    } else {
        SSL_set_accept_state(c->ssl);
    }
    ngtcp2_conn_set_tls_native_handle(c->nc, c->octx);
    return KITH_OK;
}

/* The order matters: OpenSSL calls back into ngtcp2 while it is freed unless the app data is gone,
 * and ngtcp2 reads the helper context until it is told there is none. */
void quic_tls_detach(struct kith_conn *c)
{
    if (c->ssl != NULL) {
        SSL_set_app_data(c->ssl, NULL);
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->octx != NULL) {
        if (c->nc != NULL)
            ngtcp2_conn_set_tls_native_handle(c->nc, NULL);
        ngtcp2_crypto_ossl_ctx_del(c->octx);
        c->octx = NULL;
    }
}
