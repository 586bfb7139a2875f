/* callbacks.c: what ngtcp2 tells a connection while it reads or writes packets.
 *
 * Nothing here calls back into ngtcp2 beyond what its documentation allows in callbacks: facts are
 * noted, and connection.c acts on them once the call has returned. */
#include "conn/quic/internal.h"

static int on_crypto(ngtcp2_conn *nc, ngtcp2_encryption_level level, uint64_t offset,
                     const uint8_t *data, size_t n, void *user)
{
    const struct kith_conn *c = user;

    /* the TLS object is gone once all is confirmed; what TLS says after that is not for us */
    if (c->ssl == NULL)
        return 0;
    return ngtcp2_crypto_recv_crypto_data_cb(nc, level, offset, data, n, user);
}

/* The accepting side's first handshake message needs these keys, and the rest of its flight follows
 * in the same breath. */
static int on_tx_key(ngtcp2_conn *nc, ngtcp2_encryption_level level, void *user)
{
    struct kith_conn *c = user;

    (void)nc;
    if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE && !c->dialled)
        c->has_say = true;
    return 0;
}

static int on_retry(ngtcp2_conn *nc, const ngtcp2_pkt_hd *hd, void *user)
{
    struct kith_conn *c = user;

    c->has_say = true; /* everything once more, with the token */
    return ngtcp2_crypto_recv_retry_cb(nc, hd, user);
}

static int on_handshake_completed(ngtcp2_conn *nc, void *user)
{
    struct kith_conn *c = user;

    (void)nc;
    c->handshake_done = true;
    /* for the accepting side complete is confirmed (RFC 9001 4.1.2); ngtcp2 tells only the other */
    c->confirmed = !c->dialled;
    return 0;
}

static int on_handshake_confirmed(ngtcp2_conn *nc, void *user)
{
    struct kith_conn *c = user;

    (void)nc;
    c->confirmed = true;
    return 0;
}

static void on_rand(uint8_t *dest, size_t n, const ngtcp2_rand_ctx *ctx)
{
    kith_random_fill(ctx->native_handle, dest, n);
}

static int on_path_challenge(ngtcp2_conn *nc, ngtcp2_path_challenge_data *data, void *user)
{
    const struct kith_conn *c = user;

    (void)nc;
    kith_random_fill(c->q->env->random, data->data, sizeof data->data);
    return 0;
}

static int on_new_cid(ngtcp2_conn *nc, ngtcp2_cid *cid, ngtcp2_stateless_reset_token *token,
                      size_t len, void *user)
{
    struct kith_conn *c = user;

    (void)nc;
    if (len != CID_LEN)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    *cid = cid_fresh(c->q);
    cid_reset_token(c->q, cid, token->data);
    return cid_register(c->q, cid, c) < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_cid_gone(ngtcp2_conn *nc, const ngtcp2_cid *cid, void *user)
{
    struct kith_conn *c = user;

    (void)nc;
    cid_forget(c->q, cid, c);
    return 0;
}

static int on_stream_open(ngtcp2_conn *nc, int64_t id, void *user)
{
    struct kith_conn *c = user;
    struct stream *s = stream_new(c, id);

    if (s == NULL)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    stream_tell(s, KITH_STREAM_OPENED);
    return ngtcp2_conn_set_stream_user_data(nc, id, s) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_data(ngtcp2_conn *nc, uint32_t flags, int64_t id, uint64_t offset,
                          const uint8_t *data, size_t n, void *user, void *stream)
{
    (void)nc, (void)id, (void)offset, (void)user;
    if (stream == NULL)
        return 0;
    int err = stream_received(stream, (struct kith_span){data, n},
                              (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
    return err < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_acked(ngtcp2_conn *nc, int64_t id, uint64_t offset, uint64_t n, void *user,
                           void *stream)
{
    (void)nc, (void)id;
    if (stream != NULL) {
        stream_acked(stream, offset + n);
        size_stream_acked(user, stream, offset + n);
    }
    return 0;
}

static int on_stream_reset(ngtcp2_conn *nc, int64_t id, uint64_t final_size, uint64_t code,
                           void *user, void *stream)
{
    (void)nc, (void)id, (void)final_size, (void)code, (void)user;
    if (stream != NULL)
        stream_reset_by_peer(stream);
    return 0;
}

static int on_stream_stopped(ngtcp2_conn *nc, int64_t id, uint64_t code, void *user, void *stream)
{
    (void)nc, (void)id, (void)code, (void)user;
    if (stream != NULL)
        stream_stopped(stream);
    return 0;
}

static int on_stream_close(ngtcp2_conn *nc, uint32_t flags, int64_t id, uint64_t code, void *user,
                           void *stream)
{
    (void)flags, (void)code, (void)user;
    if (stream != NULL)
        stream_ended(stream);
    if (!ngtcp2_conn_is_local_stream(nc, id))
        ngtcp2_conn_extend_max_streams_bidi(nc, 1);
    return 0;
}

static int on_stream_window(ngtcp2_conn *nc, int64_t id, uint64_t max, void *user, void *stream)
{
    (void)nc, (void)id, (void)max, (void)user;
    if (stream != NULL)
        stream_unblock(stream);
    return 0;
}

static int on_datagram(ngtcp2_conn *nc, uint32_t flags, const uint8_t *data, size_t n, void *user)
{
    struct kith_conn *c = user;

    (void)flags;
    if (c->state == CONN_ESTABLISHED && c->q->sink.datagram != NULL)
        c->q->sink.datagram(c->q->sink.ctx, c, (struct kith_span){data, n}, 0,
                            ngtcp2_conn_get_timestamp(nc));
    return 0;
}

static int on_datagram_acked(ngtcp2_conn *nc, uint64_t id, void *user)
{
    struct kith_conn *c = user;

    kith_mtu_acked(&c->size.mtu, kith_mtu_unpack(id), ngtcp2_conn_get_timestamp(nc));
    return 0;
}

/* Which of the peer's ids we send to, with the token by which it would disown it. */
static int on_dcid_status(ngtcp2_conn *nc, ngtcp2_connection_id_status_type type, uint64_t seq,
                          const ngtcp2_cid *cid, const ngtcp2_stateless_reset_token *token,
                          void *user)
{
    struct kith_conn *c = user;

    (void)nc, (void)seq, (void)cid;
    if (token == NULL)
        return 0;
    if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_DEACTIVATE)
        token_forget(c, token);
    else if (token_add(c, token) == KITH_E_NOMEM)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_stateless_reset(ngtcp2_conn *nc, const ngtcp2_pkt_stateless_reset2 *sr, void *user)
{
    struct kith_conn *c = user;

    (void)nc, (void)sr;
    c->end.kind = KITH_END_RESET;
    return 0;
}

const ngtcp2_callbacks quic_callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto,
    .handshake_completed = on_handshake_completed,
    .handshake_confirmed = on_handshake_confirmed,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .recv_stream_data = on_stream_data,
    .acked_stream_data_offset = on_stream_acked,
    .stream_open = on_stream_open,
    .stream_close = on_stream_close,
    .recv_retry = on_retry,
    .rand = on_rand,
    .remove_connection_id = on_cid_gone,
    .update_key = ngtcp2_crypto_update_key_cb,
    .stream_reset = on_stream_reset,
    .extend_max_stream_data = on_stream_window,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .recv_datagram = on_datagram,
    .ack_datagram = on_datagram_acked,
    .stream_stop_sending = on_stream_stopped,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .dcid_status2 = on_dcid_status,
    .recv_stateless_reset2 = on_stateless_reset,
    .get_new_connection_id2 = on_new_cid,
    .get_path_challenge_data2 = on_path_challenge,
    .recv_tx_key = on_tx_key,
};
