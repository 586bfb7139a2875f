/* accept.c: packets that belong to no connection: first Initials, and everybody else.
 *
 * A ClientHello with an ML-KEM share fills two Initials. When the second overtakes the first,
 * ngtcp2 cannot begin; it is held here for a moment, and played again once the first has come. */
#include "conn/quic/internal.h"

enum {
    HOLD_TIME_MS = 1000,   /* how long an overtaking Initial waits for the first */
    RESET_BURST = 20,      /* stateless resets at once, then one per 50 ms */
    RESET_MIN_PACKET = 43, /* shorter packets get none, so that resets cannot loop (RFC 9000
                              10.3.3): each is smaller than what it answers */
    RETRY_TOKEN_SECONDS = 10,
};

#define RESET_EVERY (50 * KITH_MSEC)

static struct answer *answer_room(struct kith_quic *q, const struct kith_path *path)
{
    if (q->n_answers == ANSWERS_MAX)
        return NULL;
    struct answer *a = &q->answer[q->n_answers];
    a->path = *path;
    return a;
}

static void answer_add(struct kith_quic *q, ngtcp2_ssize n)
{
    if (n > 0)
        q->answer[q->n_answers++].len = (size_t)n;
}

void answers_write(struct kith_quic *q, struct kith_tx_batch *b)
{
    size_t done = 0;

    for (; done < q->n_answers; done++) {
        uint8_t *room = kith_tx_room(b);
        if (room == NULL)
            break;
        memcpy(room, q->answer[done].data, q->answer[done].len);
        kith_tx_commit(b, &q->answer[done].path, 0, q->answer[done].len);
    }
    memmove(q->answer, q->answer + done, (q->n_answers - done) * sizeof *q->answer);
    q->n_answers -= done;
}

static void send_versions(struct kith_quic *q, const struct kith_path *path,
                          const ngtcp2_version_cid *vc)
{
    static const uint32_t spoken[] = {NGTCP2_PROTO_VER_V1};
    struct answer *a = answer_room(q, path);
    uint8_t random;

    if (a == NULL)
        return;
    kith_random_fill(q->env->random, &random, 1);
    answer_add(q, ngtcp2_pkt_write_version_negotiation(a->data, sizeof a->data, random, vc->scid,
                                                       vc->scidlen, vc->dcid, vc->dcidlen, spoken,
                                                       KITH_COUNT(spoken)));
    q->count.versions_sent++;
    kith_event_version_sent(q->env->events, &path->remote);
}

/* A short-header packet for a connection we no longer know: say so, in a way only somebody who
 * talked to this node before can check, and not too often. */
static void send_reset(struct kith_quic *q, const struct kith_path *path, struct kith_span packet,
                       kith_time now)
{
    ngtcp2_stateless_reset_token token;
    ngtcp2_cid cid;
    uint8_t random[NGTCP2_MIN_STATELESS_RESET_RANDLEN];
    struct answer *a = answer_room(q, path);

    if (a == NULL || packet.n < RESET_MIN_PACKET ||
        !kith_rate_takes(&q->resets_paid, RESET_EVERY, 1, RESET_BURST, now))
        return;
    ngtcp2_cid_init(&cid, packet.p + 1, CID_LEN);
    cid_reset_token(q, &cid, token.data);
    kith_random_fill(q->env->random, random, sizeof random);
    answer_add(q, ngtcp2_pkt_write_stateless_reset2(a->data, sizeof a->data, &token, random,
                                                    sizeof random));
    q->count.resets_sent++;
}

/* A made-up sockaddr of the real remote, for the token's integrity check. */
static ngtcp2_socklen token_address(const struct kith_addr *from, ngtcp2_sockaddr_in6 *sa)
{
    memset(sa, 0, sizeof *sa);
    sa->sin6_family = AF_INET6;
    sa->sin6_port = from->port;
    memcpy(&sa->sin6_addr, from->ip.b, sizeof from->ip.b);
    sa->sin6_scope_id = from->scope + (uint32_t)from->ip.family;
    return sizeof *sa;
}

static void send_retry(struct kith_quic *q, const struct kith_path *path, const ngtcp2_pkt_hd *hd,
                       kith_time now)
{
    uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
    ngtcp2_sockaddr_in6 sa;
    ngtcp2_cid scid = cid_fresh(q);
    struct answer *a = answer_room(q, path);

    if (a == NULL)
        return;
    ngtcp2_socklen sa_len = token_address(&path->remote, &sa);
    ngtcp2_ssize n = ngtcp2_crypto_generate_retry_token2(
        token, q->cfg.token_key, sizeof q->cfg.token_key, hd->version, (ngtcp2_sockaddr *)&sa,
        sa_len, &scid, &hd->dcid, now);
    if (n < 0)
        return;
    answer_add(q, ngtcp2_crypto_write_retry(a->data, sizeof a->data, hd->version, &hd->scid, &scid,
                                            &hd->dcid, token, (size_t)n));
    q->count.retries_sent++;
    kith_event_retry_sent(q->env->events, &path->remote);
}

/* Whether hd's token, if there is one, shows that its sender got our Retry; fills in the original
 * id. */
static bool token_good(struct kith_quic *q, const struct kith_path *path, const ngtcp2_pkt_hd *hd,
                       kith_time now, ngtcp2_cid *ret_odcid)
{
    ngtcp2_sockaddr_in6 sa;
    ngtcp2_socklen sa_len = token_address(&path->remote, &sa);

    if (ngtcp2_crypto_verify_retry_token2(ret_odcid, hd->token, hd->tokenlen, q->cfg.token_key,
                                          sizeof q->cfg.token_key, hd->version,
                                          (ngtcp2_sockaddr *)&sa, sa_len, &hd->dcid,
                                          RETRY_TOKEN_SECONDS * KITH_SEC, now) == 0)
        return true;
    q->count.tokens_bad++;
    return false;
}

/* ---- Initials that overtook ---- */

static void held_clear(struct kith_quic *q, struct held_initial *h)
{
    kith_free(q->env->alloc, h->data);
    *h = (struct held_initial){0};
    q->n_held--;
}

static void hold(struct kith_quic *q, const struct kith_path *path, const ngtcp2_cid *dcid,
                 struct kith_span packet, kith_time now)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        struct held_initial *h = &q->held[i];
        if (h->data != NULL)
            continue;
        h->data = kith_resize(q->env->alloc, NULL, packet.n);
        if (h->data == NULL)
            return;
        memcpy(h->data, packet.p, packet.n);
        h->len = packet.n;
        h->path = *path;
        h->dcid = *dcid;
        h->until = kith_after(now, HOLD_TIME_MS * KITH_MSEC);
        q->n_held++;
        q->count.initials_held++;
        return;
    }
}

static bool is_held(const struct held_initial *h, const ngtcp2_cid *dcid,
                    const struct kith_path *path)
{
    return h->data != NULL && ngtcp2_cid_eq(&h->dcid, dcid) && kith_path_equal(&h->path, path);
}

static void play_held(struct kith_quic *q, struct kith_conn *c, const struct kith_path *path,
                      const ngtcp2_cid *dcid, kith_time now)
{
    for (size_t i = 0; i < HELD_MAX && q->n_held > 0; i++) {
        struct held_initial *h = &q->held[i];
        if (!is_held(h, dcid, path))
            continue;
        (void)conn_read(c, path, dcid, 0, (struct kith_span){h->data, h->len}, now);
        held_clear(q, h);
    }
}

void held_expire(struct kith_quic *q, kith_time now)
{
    for (size_t i = 0; i < HELD_MAX && q->n_held > 0; i++)
        if (q->held[i].data != NULL && now >= q->held[i].until)
            held_clear(q, &q->held[i]);
}

kith_time held_deadline(const struct kith_quic *q)
{
    kith_time first = KITH_NEVER;

    for (size_t i = 0; i < HELD_MAX && q->n_held > 0; i++)
        if (q->held[i].data != NULL)
            first = kith_sooner(first, q->held[i].until);
    return first;
}

void held_drop_all(struct kith_quic *q)
{
    held_expire(q, KITH_NEVER);
}

/* ---- the first packet of a connection ---- */

static void begin(struct kith_quic *q, const struct kith_path *path, uint8_t ecn,
                  const ngtcp2_pkt_hd *hd, const struct accept_info *info, struct kith_span packet,
                  kith_time now)
{
    struct kith_conn *c;
    int err = conn_accept(q, path, info, now, &c);

    if (err < 0) {
        if (err == KITH_E_NOMEM)
            kith_event_out_of_memory(q->env->events, "accepting a connection", 0);
        return;
    }
    if (conn_read(c, path, &hd->dcid, ecn, packet, now) == NGTCP2_ERR_RETRY) {
        conn_destroy(c);
        hold(q, path, &hd->dcid, packet, now);
        return;
    }
    play_held(q, c, path, &hd->dcid, now);
    conn_settle(c, now); /* noise is no connection and leaves at once */
}

static void refuse(struct kith_quic *q, const struct kith_path *path, const char *full)
{
    q->count.over_limit++;
    kith_event_refused_limit(q->env->events, &path->remote, full);
}

/* Somebody whose Initial may begin a connection: whether there is room, then whether it is one, and
 * only then what a connection takes. */
static void admit(struct kith_quic *q, const struct source *s, const struct kith_path *path,
                  uint8_t ecn, const ngtcp2_pkt_hd *hd, const struct accept_info *info,
                  struct kith_span packet, kith_time now)
{
    enum work w = s->proved ? WORK_PROVED : WORK_ON_TRUST;
    const char *full;

    if (!load_admits(q, s, &full)) {
        refuse(q, path, full);
        return;
    }
    if (!load_pay(q, s, w, q->cfg.prices.initial, now)) {
        load_shed(q, &path->remote, now);
        return;
    }
    switch (initial_look(q->opener, packet)) {
    case INITIAL_NOISE: q->count.noise++; return;
    case INITIAL_LATER: hold(q, path, &hd->dcid, packet, now); return;
    case INITIAL_FIRST: break;
    }
    if (!load_below_rate(q, s, now)) {
        refuse(q, path, "its network's rate of handshakes");
    } else if (!load_pay(q, s, w, q->cfg.prices.handshake, now)) {
        load_shed(q, &path->remote, now);
    } else {
        load_count_handshake(q, s, now);
        begin(q, path, ecn, hd, info, packet, now);
    }
}

static void stranger_initial(struct kith_quic *q, struct source *s, const struct kith_path *path,
                             uint8_t ecn, const ngtcp2_pkt_hd *hd, struct kith_span packet,
                             kith_time now)
{
    struct accept_info info = {.client_dcid = hd->dcid,
                               .client_scid = hd->scid,
                               .odcid = hd->dcid,
                               .version = hd->version};

    if (hd->tokenlen > 0) {
        if (!load_pay(q, s, WORK_ANSWER, q->cfg.prices.initial, now)) {
            load_shed(q, &path->remote, now);
            return;
        }
        s->proved = token_good(q, path, hd, now, &info.odcid);
    }
    if (s->proved) {
        info.retried = true;
        info.token = hd->token;
        info.token_len = hd->tokenlen;
    } else if (q->cfg.always_retry || q->n_handshakes >= q->cfg.retry_above ||
               !load_trusts(q, s, now)) {
        if (load_pay(q, s, WORK_ANSWER, q->cfg.prices.retry, now))
            send_retry(q, path, hd, now);
        else
            load_shed(q, &path->remote, now);
        return;
    }
    admit(q, s, path, ecn, hd, &info, packet, now);
}

void stranger_packet(struct kith_quic *q, const struct kith_path *path, uint8_t ecn,
                     const ngtcp2_version_cid *vc, struct kith_span packet, kith_time now)
{
    ngtcp2_pkt_hd hd;
    struct source s;

    if (vc->version == 0 && (packet.p[0] & 0x80) == 0) {
        send_reset(q, path, packet, now);
        q->count.datagrams_unroutable++;
        return;
    }
    if (!load_source(q, path, now, &s)) {
        load_shed(q, &path->remote, now);
        return;
    }
    if (vc->version != NGTCP2_PROTO_VER_V1) {
        q->count.datagrams_unroutable++;
        if (vc->version != 0 && packet.n >= 1200 &&
            load_pay(q, &s, WORK_ANSWER, q->cfg.prices.retry, now))
            send_versions(q, path, vc);
        return;
    }
    if (ngtcp2_accept(&hd, packet.p, packet.n) != 0) {
        q->count.datagrams_unroutable++;
        return;
    }
    stranger_initial(q, &s, path, ecn, &hd, packet, now);
}
