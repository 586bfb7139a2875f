/* connection.c: one connection's life, from its first packet to the last late one. */
#include "conn/quic/internal.h"

#include "base/text.h"
#include "crypto/hash.h"

enum {
    STRAY_MIN = 3, /* packets in a row that show a peer moved */
    GATHER = 5,    /* ms that lone acknowledgements of a handshake wait (spec session 2.2.3) */
    MAX_TX_PAYLOAD = KITH_TX_DATAGRAM_MAX,
};

/* First what IPv6 over Ethernet carries and IPv4 over it; below, tunnels and DSL. ngtcp2's own list
 * ends too low for a 1400-byte packet inside. */
static const uint16_t mtu_probes[] = {1252, 1352, 1412, 1432, 1452, 1472};

/* ---- beginning ---- */

static void set_parameters(const struct kith_quic *q, kith_time now, ngtcp2_settings *settings,
                           ngtcp2_transport_params *params)
{
    ngtcp2_settings_default(settings);
    settings->cc_algo =
        q->cfg.congestion == KITH_CC_BBR ? NGTCP2_CC_ALGO_BBR : NGTCP2_CC_ALGO_CUBIC;
    settings->initial_ts = now;
    settings->initial_rtt = 150 * KITH_MSEC; /* a first lost packet is sent again after 0.45 s */
    settings->max_tx_udp_payload_size = MAX_TX_PAYLOAD;
    settings->handshake_timeout = q->cfg.handshake_timeout;
    settings->pmtud_probes = mtu_probes;
    settings->pmtud_probeslen = KITH_COUNT(mtu_probes);
    settings->rand_ctx.native_handle = (void *)(uintptr_t)q->env->random;

    ngtcp2_transport_params_default(params);
    params->initial_max_data = KITH_CONN_RX_MAX;
    params->initial_max_stream_data_bidi_local = KITH_STREAM_RX_MAX;
    params->initial_max_stream_data_bidi_remote = KITH_STREAM_RX_MAX;
    params->initial_max_streams_bidi = KITH_CONN_STREAMS_MAX;
    params->max_idle_timeout = q->cfg.idle_timeout;
    params->active_connection_id_limit = CID_SPARES;
    params->max_datagram_frame_size = 65535;
}

static ngtcp2_conn *conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
    return KITH_OF(ref, struct kith_conn, ref)->nc;
}

/* An empty connection in the endpoint's lists, with its place in the heap of deadlines. */
static int conn_blank(struct kith_quic *q, const struct kith_path *path, kith_time now,
                      struct kith_conn **ret)
{
    struct kith_conn *c = kith_new_zero(q->env->alloc, sizeof *c);

    if (c == NULL)
        return KITH_E_NOMEM;
    c->q = q;
    c->ref = (ngtcp2_crypto_conn_ref){.get_conn = conn_of_ref, .user_data = c};
    c->opened_at = c->heard_at = now;
    kith_list_init(&c->dirty);
    kith_list_init(&c->ready);
    kith_list_init(&c->streams);
    kith_list_init(&c->sendable);
    kith_list_init(&c->news);
    (void)path;
    if (kith_due_set(&q->due, &c->due, KITH_NEVER - 1) < 0) {
        kith_free(q->env->alloc, c);
        return KITH_E_NOMEM;
    }
    kith_list_append(&q->conns, &c->all);
    q->n_conns++;
    *ret = c;
    return KITH_OK;
}

/* What both kinds of beginning share once ngtcp2 has its connection. */
static int conn_begin(struct kith_conn *c, const ngtcp2_cid *scid, kith_time now)
{
    int err = cid_register(c->q, scid, c);

    if (err >= 0)
        err = quic_tls_attach(c->q->tls, c);
    if (err >= 0)
        conn_refresh_due(c, now);
    return err;
}

int kith_quic_dial(struct kith_quic *q, const struct kith_path *path,
                   const struct kith_peer_id *peer, void *owner, kith_time now,
                   struct kith_conn **ret)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    struct made_up_storage made_up;
    struct kith_conn *c;

    if (q->n_conns >= q->cfg.connections_max)
        return KITH_E_FULL;
    int err = conn_blank(q, path, now, &c);
    if (err < 0)
        return err;
    c->dialled = c->owned = true;
    c->owner = owner;
    c->peer = *peer;
    c->paths.current = paths_add(&c->paths, path, 0);

    ngtcp2_cid scid = cid_fresh(q), dcid = {.datalen = 18};
    kith_random_fill(q->env->random, dcid.data, dcid.datalen);
    set_parameters(q, now, &settings, &params);
    if (ngtcp2_conn_client_new(
            &c->nc, &dcid, &scid, paths_made_up(&c->paths, c->paths.current, &made_up),
            NGTCP2_PROTO_VER_V1, &quic_callbacks, &settings, &params, &q->mem, c) != 0)
        err = KITH_E_NOMEM;
    else
        err = conn_begin(c, &scid, now);
    if (err < 0) {
        conn_destroy(c);
        return err;
    }
    conn_mark_dirty(c);
    q->count.dialled++;
    *ret = c;
    return KITH_OK;
}

static uint64_t cid_number(const ngtcp2_cid *cid)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8 && i < cid->datalen; i++)
        v = v << 8 | cid->data[i];
    return v;
}

int conn_accept(struct kith_quic *q, const struct kith_path *path, const struct accept_info *info,
                kith_time now, struct kith_conn **ret)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    struct made_up_storage made_up;
    struct kith_conn *c;
    int err = conn_blank(q, path, now, &c);

    if (err >= 0) {
        err = load_begin(c, path);
        if (err < 0)
            conn_destroy(c);
    }
    if (err < 0)
        return err;
    c->paths.one_local = true;
    c->paths.current = paths_add(&c->paths, path, cid_number(&info->client_dcid));
    c->first_dcid = info->client_dcid;

    ngtcp2_cid scid = cid_fresh(q);
    set_parameters(q, now, &settings, &params);
    settings.token = info->token;
    settings.tokenlen = info->token_len;
    params.original_dcid = info->odcid;
    params.original_dcid_present = 1;
    if (info->retried) {
        settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
        params.retry_scid = info->client_dcid;
        params.retry_scid_present = 1;
    }
    params.stateless_reset_token_present = 1;
    cid_reset_token(q, &scid, params.stateless_reset_token);
    if (ngtcp2_conn_server_new(&c->nc, &info->client_scid, &scid,
                               paths_made_up(&c->paths, c->paths.current, &made_up), info->version,
                               &quic_callbacks, &settings, &params, &q->mem, c) != 0)
        err = KITH_E_NOMEM;
    else
        err = conn_begin(c, &scid, now);
    if (err >= 0)
        err = cid_register(q, &c->first_dcid, c);
    if (err < 0) {
        conn_destroy(c);
        return err;
    }
    q->count.accepted++;
    *ret = c;
    return KITH_OK;
}

/* ---- the end ---- */

void conn_destroy(struct kith_conn *c)
{
    struct kith_quic *q = c->q;
    ngtcp2_cid cids[CID_SPARES * 2 + 2];

    if (c->nc != NULL) {
        size_t n = ngtcp2_conn_get_scid(c->nc, NULL);
        if (n <= KITH_COUNT(cids)) {
            ngtcp2_conn_get_scid(c->nc, cids);
            for (size_t i = 0; i < n; i++)
                cid_forget(q, &cids[i], c);
        }
    }
    if (c->first_dcid.datalen > 0)
        cid_forget(q, &c->first_dcid, c);
    token_forget_all(c);
    sealed_end(c);
    quic_tls_detach(c);
    ngtcp2_conn_del(c->nc);
    while (!kith_list_empty(&c->streams)) {
        struct stream *s = KITH_OF(c->streams.next, struct stream, all);
        if (q->spent == s)
            q->spent = NULL;
        stream_free(s);
    }
    load_end(c);
    if (c->linger_until != 0)
        q->n_lingering--;
    kith_list_remove(&c->all);
    kith_list_remove(&c->dirty);
    kith_list_remove(&c->ready);
    kith_due_remove(&q->due, &c->due);
    q->n_conns--;
    kith_free(q->env->alloc, c->close_packet);
    kith_wipe(c->exporter, sizeof c->exporter);
    kith_free(q->env->alloc, c);
}

void conn_settle(struct kith_conn *c, kith_time now)
{
    bool waits = c->owned && !c->freed;

    if (c->state == CONN_CLOSED && !waits && !c->tell_closed && !c->close_due &&
        now >= c->linger_until)
        conn_destroy(c);
}

/* The text a peer gave for its close, made safe to print. */
static void copy_reason(struct kith_conn_end *end, const uint8_t *p, size_t n)
{
    size_t k = 0;

    for (; k < n && k + 1 < sizeof end->text; k++)
        end->text[k] = p[k] >= 0x20 && p[k] < 0x7f ? (char)p[k] : '?';
    end->text[k] = '\0';
}

static void write_close(struct kith_conn *c, const ngtcp2_ccerr *why, kith_time now)
{
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    enum { CLOSE_MAX = 1200 };

    c->close_packet = kith_resize(c->q->env->alloc, NULL, CLOSE_MAX);
    if (c->close_packet == NULL)
        return;
    ngtcp2_path_storage_zero(&ps);
    ngtcp2_ssize n = ngtcp2_conn_write_connection_close(c->nc, &ps.path, &pi, c->close_packet,
                                                        CLOSE_MAX, why, now);
    c->close_len = n > 0 ? (size_t)n : 0;
    c->close_due = n > 0;
}

static void emit_refusal(const struct kith_conn *c)
{
    const struct kith_events *ev = c->q->env->events;
    const struct kith_addr *from = &paths_current(&c->paths)->remote;

    switch (c->end.refusal) {
    case KITH_REFUSAL_NONE: break;
    case KITH_REFUSAL_GROUP: kith_event_refused_group(ev, from); break;
    case KITH_REFUSAL_SIGALG: kith_event_refused_sigalg(ev, from); break;
    case KITH_REFUSAL_NO_KEY: kith_event_refused_no_key(ev, from); break;
    case KITH_REFUSAL_ALPN: kith_event_refused_alpn(ev, from); break;
    case KITH_REFUSAL_PEER: kith_event_refused_peer(ev, from, c->peer.b); break;
    case KITH_REFUSAL_BY_PEER:
    case KITH_REFUSAL_PROTOCOL: kith_event_refused_handshake(ev, from, c->end.text); break;
    }
}

/* A connection that ended in silence, or was never one, has nobody to answer (RFC 9000 10.2). */
static bool lingers(ngtcp2_conn *nc)
{
    return ngtcp2_conn_in_closing_period(nc) || ngtcp2_conn_in_draining_period(nc);
}

/* Enters CLOSED with c->end set; `why` NULL when the peer is not told. */
static void enter_closed(struct kith_conn *c, const ngtcp2_ccerr *why, kith_time now)
{
    struct kith_quic *q = c->q;

    if (why != NULL)
        write_close(c, why, now);
    if (c->end.kind == KITH_END_REFUSED) {
        q->count.refused++;
        emit_refusal(c);
    }
    load_end(c);
    sealed_end(c);
    c->state = CONN_CLOSED;
    if (lingers(c->nc) && q->n_lingering < LINGER_MAX) {
        q->n_lingering++;
        c->linger_until = kith_after(now, 3 * ngtcp2_conn_get_pto(c->nc));
    }
    quic_tls_detach(c);
    c->tell_closed = c->owned;
    conn_mark_ready(c);
    conn_mark_dirty(c);
    conn_refresh_due(c, now);
}

static void end_by_peer(struct kith_conn *c)
{
    const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->nc);

    if (c->end.kind == KITH_END_RESET) {
        kith_format(c->end.text, sizeof c->end.text, "the peer has forgotten this connection");
        return;
    }
    c->end.code = e->error_code;
    copy_reason(&c->end, e->reason, e->reasonlen);
    if (e->type == NGTCP2_CCERR_TYPE_APPLICATION) {
        c->end.kind = KITH_END_PEER;
    } else if (e->error_code >= NGTCP2_CRYPTO_ERROR && e->error_code < NGTCP2_CRYPTO_ERROR + 256) {
        c->end.kind = KITH_END_REFUSED;
        c->end.refusal = KITH_REFUSAL_BY_PEER;
        c->end.code = e->error_code - NGTCP2_CRYPTO_ERROR;
        kith_format(c->end.text, sizeof c->end.text, "the peer refused the handshake (alert %u)",
                    (unsigned)c->end.code);
    } else {
        c->end.kind = KITH_END_ERROR;
        c->end.err = KITH_E_PROTOCOL;
        if (c->end.text[0] == '\0')
            kith_format(c->end.text, sizeof c->end.text, "the peer reports QUIC error 0x%llx",
                        (unsigned long long)e->error_code);
    }
}

static void end_by_tls(struct kith_conn *c)
{
    c->end.kind = KITH_END_REFUSED;
    c->end.code = ngtcp2_conn_get_tls_alert(c->nc);
    quic_tls_blame(c);
    if (c->end.refusal == KITH_REFUSAL_NONE)
        c->end.refusal = KITH_REFUSAL_PROTOCOL;
    if (c->end.text[0] == '\0')
        kith_format(c->end.text, sizeof c->end.text, "TLS handshake failed (alert %u)",
                    (unsigned)c->end.code);
}

void conn_fail(struct kith_conn *c, int rv, kith_time now)
{
    ngtcp2_ccerr why;
    bool tell = true;

    if (c->state == CONN_CLOSED)
        return;
    ngtcp2_ccerr_default(&why);
    switch (rv) {
    case NGTCP2_ERR_DRAINING:
        end_by_peer(c);
        tell = false;
        break;
    case NGTCP2_ERR_IDLE_CLOSE:
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        c->end.kind = c->state == CONN_HANDSHAKE ? KITH_END_UNREACHED : KITH_END_IDLE;
        c->q->count.abandoned += c->counted ? 1u : 0u;
        c->end.err = KITH_E_TIMEOUT;
        kith_format(c->end.text, sizeof c->end.text, "%s",
                    c->state == CONN_HANDSHAKE ? "no answer" : "silence");
        tell = false;
        break;
    case NGTCP2_ERR_DROP_CONN:
        c->end.kind = KITH_END_ERROR;
        c->end.err = KITH_E_PROTOCOL;
        tell = false;
        break;
    case NGTCP2_ERR_CRYPTO:
        end_by_tls(c);
        ngtcp2_ccerr_set_tls_alert(&why, ngtcp2_conn_get_tls_alert(c->nc), NULL, 0);
        break;
    default:
        c->end.kind = KITH_END_ERROR;
        c->end.err = rv == NGTCP2_ERR_NOMEM || rv == NGTCP2_ERR_CALLBACK_FAILURE ? KITH_E_NOMEM
                                                                                 : KITH_E_PROTOCOL;
        kith_format(c->end.text, sizeof c->end.text, "%s", ngtcp2_strerror(rv));
        ngtcp2_ccerr_set_liberr(&why, rv, NULL, 0);
        break;
    }
    enter_closed(c, tell ? &why : NULL, now);
}

void kith_conn_close(struct kith_conn *c, uint64_t code, const char *text, kith_time now)
{
    ngtcp2_ccerr why;

    if (c->state == CONN_CLOSED)
        return;
    c->end.kind = KITH_END_LOCAL;
    c->end.code = code;
    kith_format(c->end.text, sizeof c->end.text, "%s", text);
    ngtcp2_ccerr_set_application_error(&why, code, (const uint8_t *)c->end.text,
                                       strlen(c->end.text));
    enter_closed(c, &why, now);
}

void kith_conn_free(struct kith_conn *c, kith_time now)
{
    if (c == NULL)
        return;
    kith_conn_close(c, 0, "", now);
    c->freed = true;
    c->tell_closed = false;
    c->owner = NULL;
    kith_list_remove(&c->ready);
    /* not now: the caller may still look at bytes it borrowed. The next tick takes it away. */
    if (c->linger_until < now && kith_due_set(&c->q->due, &c->due, now) < 0)
        conn_mark_dirty(c);
}

/* ---- reading ---- */

static void establish(struct kith_conn *c)
{
    if (c->state != CONN_HANDSHAKE)
        return;
    const ngtcp2_transport_params *p = ngtcp2_conn_get_remote_transport_params(c->nc);
    load_end(c);
    c->state = CONN_ESTABLISHED;
    c->takes_datagrams = p != NULL && p->max_datagram_frame_size >= 1200;
    c->idle_timeout = c->q->cfg.idle_timeout;
    if (p != NULL && p->max_idle_timeout != 0 && p->max_idle_timeout < c->idle_timeout)
        c->idle_timeout = p->max_idle_timeout;
    c->tell_established = c->owned = true;
    c->q->count.established++;
    conn_mark_ready(c);
}

/* Who answers is proved when TLS has checked both keys. The dialling side's TLS is content before
 * the other has judged it, so it waits for HANDSHAKE_DONE. */
static void advance_handshake(struct kith_conn *c, kith_time now)
{
    if (c->handshake_done && !c->peer_proved) {
        int err = quic_tls_conclude(c);
        if (err < 0) {
            ngtcp2_conn_set_tls_alert(c->nc, 46); /* certificate_unknown */
            conn_fail(c, NGTCP2_ERR_CRYPTO, now);
            return;
        }
    }
    if (c->peer_proved && (!c->dialled || c->confirmed))
        establish(c);
    if (c->peer_proved && c->confirmed && c->ssl != NULL)
        quic_tls_detach(c);
}

/* What is known of the path is void. */
static void path_changed(struct kith_conn *c, kith_time now)
{
    sealed_moved(c, now);
    size_moved(c);
    c->delivery = (struct kith_delivery){0};
}

/* ngtcp2 may have moved to another of the made-up paths. */
static void notice_move(struct kith_conn *c, kith_time now)
{
    uint32_t number = paths_number(ngtcp2_conn_get_path(c->nc));

    if (number == 0 || number == c->paths.current)
        return;
    size_moved(c);
    bool elsewhere = !kith_path_equal(paths_current(&c->paths), paths_real(&c->paths, number));
    c->paths.current = number;
    if (elsewhere && c->state == CONN_ESTABLISHED) {
        sealed_moved(c, now);
        c->delivery = (struct kith_delivery){0};
        c->tell_moved = true;
        conn_mark_ready(c);
    }
}

/* The number under which a datagram from `path` is shown to ngtcp2. The accepting side gives every
 * new source a number of its own, which makes ngtcp2 check it; the dialling side shows everything
 * on its current path, because ngtcp2 as a client ignores whatever comes from elsewhere. A peer
 * that uses another id of ours from where it is has not moved: so it is after its first id, which
 * it made up, and while it checks a way that its host uses for everything already. */
static uint32_t number_for(struct kith_conn *c, const struct kith_path *path,
                           const ngtcp2_cid *dcid)
{
    if (c->dialled)
        return c->paths.current;
    if (kith_path_equal(paths_current(&c->paths), path)) {
        paths_set_dcid(&c->paths, c->paths.current, cid_number(dcid));
        return c->paths.current;
    }
    uint32_t number = paths_find(&c->paths, path, cid_number(dcid));
    return number != 0 ? number : paths_add(&c->paths, path, cid_number(dcid));
}

/* Dialling side: an authenticated packet came from somewhere else. When that happens a few times
 * in a row the peer has moved: follow it, and let QUIC check the way. */
void conn_notice_stray(struct kith_conn *c, const struct kith_path *path, kith_time now)
{
    struct made_up_storage made_up;
    const struct kith_path *current = paths_current(&c->paths);

    if (kith_addr_equal(&current->remote, &path->remote)) {
        if (current->local.ip.family == KITH_FAMILY_NONE)
            paths_remap(&c->paths, c->paths.current, path); /* learnt: where we speak from */
        c->paths.stray_seen = 0;
        return;
    }
    if (!kith_path_equal(&c->paths.stray, path)) {
        c->paths.stray = *path;
        c->paths.stray_seen = 0;
    }
    if (++c->paths.stray_seen < STRAY_MIN)
        return;
    c->paths.stray_seen = 0;
    paths_remap(&c->paths, c->paths.current, path);
    path_changed(c, now);
    c->tell_moved = true;
    conn_mark_ready(c);
    uint32_t number = paths_add(&c->paths, path, 0);
    if (c->confirmed)
        (void)ngtcp2_conn_initiate_migration(c->nc, paths_made_up(&c->paths, number, &made_up),
                                             now);
}

static void answer_late(struct kith_conn *c)
{
    if (c->close_packet == NULL)
        return;
    c->close_asked++;
    if ((c->close_asked & (c->close_asked - 1)) == 0) {
        c->close_due = true;
        conn_mark_dirty(c);
    }
}

/* Handshake messages fill several datagrams, and each would be acknowledged by itself before there
 * is anything to say: by the dialler with an Initial that has to be padded. So what came waits for
 * the rest of the flight, unless that takes too long (spec session 2.2.3). */
static void answer_flight(struct kith_conn *c, kith_time now)
{
    if (c->handshake_done || c->has_say) {
        c->has_say = false;
        conn_mark_dirty(c);
    } else if (c->gathers_until == 0) {
        c->gathers_until = kith_after(now, GATHER * KITH_MSEC);
        conn_refresh_due(c, now);
    }
}

/* Of what has left, what is neither under way nor lost has arrived. More would have left where
 * datagrams or streams still wait: what is told of them leads to a write before the next reading.
 */
static void count_delivered(struct kith_conn *c, const ngtcp2_conn_info *info, kith_time now)
{
    const uint64_t gone = info->bytes_in_flight + info->bytes_lost;
    const bool held = c->wants_writable || c->tell_writable || !kith_list_empty(&c->sendable);

    kith_delivery_count(&c->delivery, info->bytes_sent > gone ? info->bytes_sent - gone : 0, held,
                        info->min_rtt, now);
}

int conn_read(struct kith_conn *c, const struct kith_path *path, const ngtcp2_cid *dcid,
              uint8_t ecn, struct kith_span packet, kith_time now)
{
    struct made_up_storage made_up;
    ngtcp2_conn_info info;
    const ngtcp2_pkt_info pi = {.ecn = ecn};

    if (c->state == CONN_CLOSED) {
        answer_late(c);
        return 0;
    }
    uint32_t number = number_for(c, path, dcid);
    int rv = ngtcp2_conn_read_pkt(c->nc, paths_made_up(&c->paths, number, &made_up), &pi, packet.p,
                                  packet.n, now);
    if (rv == NGTCP2_ERR_RETRY)
        return rv;
    if (rv != 0) {
        conn_fail(c, rv, now);
        return 0;
    }
    ngtcp2_conn_get_conn_info(c->nc, &info);
    if (info.pkt_recv != c->recv_seen) {
        c->recv_seen = info.pkt_recv;
        c->heard_at = now;
        size_read(c, &info, now);
        count_delivered(c, &info, now);
        if (c->dialled)
            conn_notice_stray(c, path, now);
    }
    advance_handshake(c, now);
    if (c->state == CONN_CLOSED)
        return 0;
    notice_move(c, now);
    if (c->wants_writable) {
        c->wants_writable = false;
        c->tell_writable = true;
        conn_mark_ready(c);
    }
    if (c->state == CONN_HANDSHAKE)
        answer_flight(c, now);
    else
        conn_mark_dirty(c);
    return 0;
}

/* ---- time ---- */

void conn_refresh_due(struct kith_conn *c, kith_time now)
{
    kith_time at = c->state == CONN_CLOSED ? c->linger_until : ngtcp2_conn_get_expiry(c->nc);

    (void)now;
    at = kith_sooner(at, sealed_deadline(c));
    if (c->gathers_until != 0 && c->state == CONN_HANDSHAKE)
        at = kith_sooner(at, c->gathers_until);
    at = kith_sooner(at, size_deadline(c));
    /* its place in the heap was made with the connection, so this cannot fail */
    if (kith_due_set(&c->q->due, &c->due, at == KITH_NEVER ? at - 1 : at) < 0)
        conn_mark_dirty(c);
}

void conn_tick(struct kith_conn *c, kith_time now)
{
    if (c->state == CONN_CLOSED) {
        /* until its owner takes the news there is nothing to wake for */
        if (kith_due_set(&c->q->due, &c->due, KITH_NEVER - 1) < 0)
            conn_mark_dirty(c);
        conn_settle(c, now);
        return;
    }
    sealed_tick(c, now);
    size_tick(c, now);
    int rv = ngtcp2_conn_handle_expiry(c->nc, now);
    if (rv != 0) {
        conn_fail(c, rv, now);
        return;
    }
    if (c->wants_writable) {
        c->wants_writable = false;
        c->tell_writable = true;
        conn_mark_ready(c);
    }
    conn_mark_dirty(c);
}

/* ---- the interface of conn.h ---- */

const struct kith_peer_id *kith_conn_peer(const struct kith_conn *c)
{
    return &c->peer;
}

bool kith_conn_dialled(const struct kith_conn *c)
{
    return c->dialled;
}

const struct kith_path *kith_conn_path(const struct kith_conn *c)
{
    return paths_current(&c->paths);
}

const struct kith_conn_end *kith_conn_end(const struct kith_conn *c)
{
    return &c->end;
}

void kith_conn_stats(const struct kith_conn *c, struct kith_conn_stats *ret)
{
    ngtcp2_conn_info i;

    ngtcp2_conn_get_conn_info(c->nc, &i);
    *ret = (struct kith_conn_stats){
        .srtt = i.smoothed_rtt,
        .min_rtt = i.min_rtt == UINT64_MAX ? 0 : i.min_rtt,
        .rttvar = i.rttvar,
        .bytes_in = i.bytes_recv,
        .bytes_out = i.bytes_sent,
        .packets_in = i.pkt_recv,
        .packets_out = i.pkt_sent,
        .packets_lost = i.pkt_lost,
        .cwnd = i.cwnd,
        .in_flight = i.bytes_in_flight,
        .heard_at = c->heard_at,
        .opened_at = c->opened_at,
        .rate = kith_delivery_rate(&c->delivery),
        .streams = c->n_streams,
    };
    sealed_add_stats(c, ret);
    ret->waits_since = size_waits_since(c, ret->heard_at);
}

const uint8_t *kith_conn_exporter(const struct kith_conn *c)
{
    return c->exporter;
}

void kith_conn_set_owner(struct kith_conn *c, void *owner)
{
    c->owner = owner;
}

void *kith_conn_owner(const struct kith_conn *c)
{
    return c->owner;
}

size_t kith_conn_datagram_max(const struct kith_conn *c)
{
    if (c->state != CONN_ESTABLISHED || !c->takes_datagrams)
        return 0;
    return size_of_datagrams(c) - DATAGRAM_OVERHEAD;
}

int kith_conn_migrate(struct kith_conn *c, const struct kith_path *path, kith_time now)
{
    struct made_up_storage made_up;

    if (c->state != CONN_ESTABLISHED)
        return KITH_E_STATE;
    path_changed(c, now);
    if (!c->dialled) { /* the other side notices where we speak from, and checks it */
        paths_remap(&c->paths, c->paths.current, path);
        return KITH_OK;
    }
    uint32_t number = paths_add(&c->paths, path, 0);
    int rv = ngtcp2_conn_initiate_migration(c->nc, paths_made_up(&c->paths, number, &made_up), now);
    conn_mark_dirty(c);
    if (rv == NGTCP2_ERR_CONN_ID_BLOCKED)
        return KITH_E_AGAIN;
    return rv == 0 ? KITH_OK : KITH_E_STATE;
}
