#include "sim/quic_foe.h"

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

enum { FOE_CID = 8 };

struct foe_path {
    ngtcp2_path path;
    struct sockaddr_in6 local, remote;
};

/* The foe never moves: one pair of addresses stands for its path. */
static const ngtcp2_path *made_up(struct foe_path *s)
{
    memset(s, 0, sizeof *s);
    s->local.sin6_family = s->remote.sin6_family = AF_INET6;
    s->local.sin6_port = 1;
    s->remote.sin6_port = 2;
    s->path = (ngtcp2_path){
        .local = {.addr = (ngtcp2_sockaddr *)&s->local, .addrlen = sizeof s->local},
        .remote = {.addr = (ngtcp2_sockaddr *)&s->remote, .addrlen = sizeof s->remote}};
    return &s->path;
}

/* OpenSSL shows a handshake message after hashing and before reading it. Changing it there makes
 * the foe believe what the other side never said, and its transcript stays good. */
static void on_message(int outgoing, int version, int type, const void *msg, size_t n, SSL *ssl,
                       void *arg)
{
    const struct foe_habits *h = arg;
    uint8_t *p = (uint8_t *)(uintptr_t)msg;

    (void)version, (void)ssl;
    if (outgoing || type != SSL3_RT_HANDSHAKE)
        return;
    for (size_t i = 0; h->find_len > 0 && i + h->find_len <= n; i++)
        if (memcmp(p + i, h->find, h->find_len) == 0)
            memcpy(p + i, h->replace, h->find_len);
}

/* A server that answers any ClientHello with the same bytes, and asks no TLS library. */
static int on_crypto(ngtcp2_conn *nc, ngtcp2_encryption_level level, uint64_t offset,
                     const uint8_t *data, size_t n, void *user)
{
    struct foe *f = user;
    const struct foe_habits *h = &f->habits;

    f->crypto_in[level] += n;
    if (h->answer == NULL)
        return ngtcp2_crypto_recv_crypto_data_cb(nc, level, offset, data, n, user);
    if (offset > 0)
        return 0;
    return ngtcp2_conn_submit_crypto_data(nc, level, h->answer, h->answer_len) == 0
               ? 0
               : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_completed(ngtcp2_conn *nc, void *user)
{
    (void)nc;
    ((struct foe *)user)->completed = true;
    return 0;
}

static int on_confirmed(ngtcp2_conn *nc, void *user)
{
    (void)nc;
    ((struct foe *)user)->confirmed = true;
    return 0;
}

static void on_rand(uint8_t *p, size_t n, const ngtcp2_rand_ctx *ctx)
{
    kith_random_fill(ctx->native_handle, p, n);
}

static int on_new_cid(ngtcp2_conn *nc, ngtcp2_cid *cid, ngtcp2_stateless_reset_token *token,
                      size_t len, void *user)
{
    const struct foe *f = user;

    (void)nc;
    cid->datalen = len;
    kith_random_fill(sim_net_random(f->net), cid->data, len);
    kith_random_fill(sim_net_random(f->net), token->data, sizeof token->data);
    return 0;
}

static int on_challenge(ngtcp2_conn *nc, ngtcp2_path_challenge_data *data, void *user)
{
    const struct foe *f = user;

    (void)nc;
    kith_random_fill(sim_net_random(f->net), data->data, sizeof data->data);
    return 0;
}

static int on_stream_data(ngtcp2_conn *nc, uint32_t flags, int64_t id, uint64_t offset,
                          const uint8_t *data, size_t n, void *user, void *stream)
{
    (void)nc, (void)flags, (void)id, (void)offset, (void)data, (void)stream;
    ((struct foe *)user)->stream_bytes += n;
    return 0;
}

static int on_datagram(ngtcp2_conn *nc, uint32_t flags, const uint8_t *data, size_t n, void *user)
{
    (void)nc, (void)flags, (void)data, (void)n;
    ((struct foe *)user)->datagrams++;
    return 0;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto,
    .handshake_completed = on_completed,
    .handshake_confirmed = on_confirmed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .rand = on_rand,
    .update_key = ngtcp2_crypto_update_key_cb,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .recv_datagram = on_datagram,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .get_new_connection_id2 = on_new_cid,
    .get_path_challenge_data2 = on_challenge,
};

static ngtcp2_conn *conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
    return ((struct foe *)ref->user_data)->nc;
}

static int accept_anything(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    const struct foe *f = arg;

    (void)ssl, (void)in, (void)in_len;
    *out = (const unsigned char *)f->habits.alpn;
    *out_len = (unsigned char)strlen(f->habits.alpn);
    return SSL_TLSEXT_ERR_OK;
}

static void must(bool ok)
{
    if (!ok) {
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static void make_context(struct foe *f)
{
    static const uint8_t raw_key[] = {TLSEXT_cert_type_rpk};
    const struct foe_habits *h = &f->habits;

    f->ctx = SSL_CTX_new(f->server ? TLS_server_method() : TLS_client_method());
    must(f->ctx != NULL && ngtcp2_crypto_ossl_init() == 0);
    must(SSL_CTX_set_min_proto_version(f->ctx, TLS1_3_VERSION) == 1);
    must(SSL_CTX_set1_groups_list(f->ctx, h->groups != NULL ? h->groups : "MLKEM768") == 1);
    must(SSL_CTX_set1_sigalgs_list(f->ctx, h->sigalgs != NULL ? h->sigalgs : "mldsa65") == 1);
    must(SSL_CTX_set1_client_sigalgs_list(f->ctx, "mldsa65:mldsa44:ed25519") == 1);
    must(SSL_CTX_set1_client_cert_type(f->ctx, raw_key, 1) == 1);
    must(SSL_CTX_set1_server_cert_type(f->ctx, raw_key, 1) == 1);
    SSL_CTX_set_verify(f->ctx, SSL_VERIFY_PEER, accept_anything);
    SSL_CTX_set_num_tickets(f->ctx, 0);
    if (h->key != NULL) {
        f->key = EVP_PKEY_Q_keygen(NULL, NULL, h->key);
        must(f->key != NULL && SSL_CTX_use_PrivateKey(f->ctx, f->key) == 1);
    }
    SSL_CTX_set_msg_callback(f->ctx, on_message);
    SSL_CTX_set_msg_callback_arg(f->ctx, &f->habits);
    if (f->server && h->alpn != NULL)
        SSL_CTX_set_alpn_select_cb(f->ctx, choose_alpn, f);
}

static void make_tls(struct foe *f)
{
    uint8_t alpn[64];

    f->ssl = SSL_new(f->ctx);
    must(f->ssl != NULL && ngtcp2_crypto_ossl_ctx_new(&f->octx, f->ssl) == 0);
    if (f->server) {
        must(ngtcp2_crypto_ossl_configure_server_session(f->ssl) == 0);
        SSL_set_accept_state(f->ssl);
    } else {
        must(ngtcp2_crypto_ossl_configure_client_session(f->ssl) == 0);
        SSL_set_connect_state(f->ssl);
    }
    SSL_set_app_data(f->ssl, &f->ref);
    if (!f->server && f->habits.alpn != NULL) {
        size_t n = strlen(f->habits.alpn);
        alpn[0] = (uint8_t)n;
        memcpy(alpn + 1, f->habits.alpn, n);
        must(SSL_set_alpn_protos(f->ssl, alpn, (unsigned)n + 1) == 0);
    }
    ngtcp2_conn_set_tls_native_handle(f->nc, f->octx);
}

static void parameters(struct foe *f, ngtcp2_settings *s, ngtcp2_transport_params *p)
{
    ngtcp2_settings_default(s);
    s->initial_ts = sim_net_now(f->net);
    s->rand_ctx.native_handle = sim_net_random(f->net);
    ngtcp2_transport_params_default(p);
    p->initial_max_data = 1 << 24;
    p->initial_max_stream_data_bidi_local = p->initial_max_stream_data_bidi_remote = 1 << 24;
    p->initial_max_streams_bidi = 1000;
    p->max_datagram_frame_size = 65535;
}

static void begin_server(struct foe *f, const ngtcp2_pkt_hd *hd)
{
    struct foe_path s;
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid scid = {.datalen = FOE_CID};

    kith_random_fill(sim_net_random(f->net), scid.data, FOE_CID);
    parameters(f, &settings, &params);
    params.original_dcid = hd->dcid;
    params.original_dcid_present = 1;
    must(ngtcp2_conn_server_new(&f->nc, &hd->scid, &scid, made_up(&s), hd->version, &callbacks,
                                &settings, &params, NULL, f) == 0);
    make_tls(f);
}

static void on_deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct foe *f = ctx;
    struct foe_path s;
    ngtcp2_pkt_info pi = {0};
    ngtcp2_pkt_hd hd;

    if (f->over)
        return;
    if (f->nc == NULL) {
        if (ngtcp2_accept(&hd, run->data, run->len) != 0)
            return;
        f->path = run->path;
        begin_server(f, &hd);
    }
    int rv = ngtcp2_conn_read_pkt(f->nc, made_up(&s), &pi, run->data, run->len, now);
    if (rv != 0) {
        f->read_error = rv;
        f->seen_error = ngtcp2_conn_get_ccerr(f->nc)->error_code;
        f->over = rv == NGTCP2_ERR_DRAINING;
    }
}

static void send_one(struct foe *f, uint8_t *data, ngtcp2_ssize n)
{
    const struct kith_tx run = {
        .path = f->path, .data = data, .len = (size_t)n, .segment = (size_t)n};

    if (n > 0 && f->transport.ops->send(f->transport.ctx, &run, 1) != 1)
        abort();
}

static void tell_error(struct foe *f)
{
    uint8_t buf[1500];
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    ngtcp2_ccerr why;

    ngtcp2_ccerr_default(&why);
    if (f->read_error == NGTCP2_ERR_CRYPTO)
        ngtcp2_ccerr_set_tls_alert(&why, ngtcp2_conn_get_tls_alert(f->nc), NULL, 0);
    else
        ngtcp2_ccerr_set_liberr(&why, f->read_error, NULL, 0);
    ngtcp2_path_storage_zero(&ps);
    send_one(f, buf,
             ngtcp2_conn_write_connection_close(f->nc, &ps.path, &pi, buf, sizeof buf, &why,
                                                sim_net_now(f->net)));
    f->over = true;
}

/* What an impatient stranger says before anybody agreed to listen. */
static void say_early(struct foe *f, kith_time now)
{
    static uint8_t text[] = "attack at dawn";
    ngtcp2_vec vec = {text, sizeof text};
    uint8_t buf[1500];
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    ngtcp2_ssize taken;
    int accepted;

    if (f->stream < 0 && ngtcp2_conn_open_bidi_stream(f->nc, &f->stream, NULL) != 0)
        return;
    ngtcp2_path_storage_zero(&ps);
    ngtcp2_ssize n =
        ngtcp2_conn_writev_stream(f->nc, &ps.path, &pi, buf, sizeof buf, &taken,
                                  NGTCP2_WRITE_STREAM_FLAG_FIN, f->stream, &vec, 1, now);
    if (n <= 0)
        return; /* paced; later */
    send_one(f, buf, n);
    f->said = taken > 0;
    send_one(f, buf,
             ngtcp2_conn_writev_datagram(f->nc, &ps.path, &pi, buf, sizeof buf, &accepted, 0, 0,
                                         &vec, 1, now));
}

static void pump(struct foe *f)
{
    uint8_t buf[1500];
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    kith_time now = sim_net_now(f->net);

    if (f->nc == NULL || f->over)
        return;
    if (f->read_error != 0) {
        tell_error(f);
        return;
    }
    if (ngtcp2_conn_get_expiry(f->nc) <= now && ngtcp2_conn_handle_expiry(f->nc, now) != 0) {
        f->over = true;
        return;
    }
    if (f->completed && f->habits.mute_after)
        return;
    for (;;) {
        ngtcp2_path_storage_zero(&ps);
        ngtcp2_ssize n = ngtcp2_conn_write_pkt(f->nc, &ps.path, &pi, buf, sizeof buf, now);
        if (n < 0) {
            f->read_error = (int)n;
            tell_error(f);
            return;
        }
        if (n == 0)
            break;
        send_one(f, buf, n);
    }
    if (f->habits.eager && f->completed && !f->said)
        say_early(f, now);
    ngtcp2_conn_update_pkt_tx_time(f->nc, now);
}

static void init(struct foe *f, struct sim_net *net, const char *addr,
                 const struct foe_habits *habits, bool server)
{
    *f = (struct foe){.net = net, .habits = *habits, .server = server, .stream = -1};
    f->ref = (ngtcp2_crypto_conn_ref){.get_conn = conn_of_ref, .user_data = f};
    f->host = sim_host_add(net, addr, on_deliver, f);
    f->transport = sim_host_transport(f->host);
    make_context(f);
}

void foe_dial(struct foe *f, struct sim_net *net, const char *addr, const struct kith_addr *to,
              const struct foe_habits *habits)
{
    struct foe_path s;
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid scid = {.datalen = FOE_CID}, dcid = {.datalen = 18};

    init(f, net, addr, habits, false);
    f->path = (struct kith_path){.local = *sim_host_addr(f->host), .remote = *to};
    kith_random_fill(sim_net_random(net), scid.data, scid.datalen);
    kith_random_fill(sim_net_random(net), dcid.data, dcid.datalen);
    parameters(f, &settings, &params);
    must(ngtcp2_conn_client_new(&f->nc, &dcid, &scid, made_up(&s), NGTCP2_PROTO_VER_V1, &callbacks,
                                &settings, &params, NULL, f) == 0);
    make_tls(f);
}

void foe_listen(struct foe *f, struct sim_net *net, const char *addr,
                const struct foe_habits *habits)
{
    init(f, net, addr, habits, true);
}

void foe_id(const struct foe *f, struct kith_peer_id *ret)
{
    uint8_t *spki = NULL;
    int n = i2d_PUBKEY(f->key, &spki);

    must(n > 0 && EVP_Digest(spki, (size_t)n, ret->b, NULL, EVP_sha256(), NULL) == 1);
    OPENSSL_free(spki);
}

void foe_fini(struct foe *f)
{
    if (f->ssl != NULL) {
        SSL_set_app_data(f->ssl, NULL);
        SSL_set_shutdown(f->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    ngtcp2_conn_del(f->nc);
    SSL_free(f->ssl);
    ngtcp2_crypto_ossl_ctx_del(f->octx);
    SSL_CTX_free(f->ctx);
    EVP_PKEY_free(f->key);
    ERR_clear_error();
}

void foe_run(struct foe *f, struct conn_peer *p, kith_dur span)
{
    kith_time end = kith_after(sim_net_now(f->net), span);

    while (sim_net_now(f->net) < end) {
        pump(f);
        conn_peer_pump(p);
        pump(f);
        kith_time now = sim_net_now(f->net);
        kith_time next = kith_sooner(end, kith_quic_deadline(p->quic));
        if (f->nc != NULL && !f->over)
            next = kith_sooner(next, ngtcp2_conn_get_expiry(f->nc));
        sim_net_run(f->net, next > now ? next : now + 1);
    }
    conn_peer_pump(p);
}
