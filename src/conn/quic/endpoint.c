/* endpoint.c: the tables of a QUIC endpoint: connections, their ids, deadlines and news. */
#include "conn/quic/internal.h"

#include "crypto/hash.h"

/* ---- connection ids ---- */

static void cid_key(uint8_t key[CID_KEY], const uint8_t *cid, size_t len)
{
    memset(key, 0, CID_KEY);
    key[0] = (uint8_t)len;
    kith_copy(key + 1, cid, len);
}

int cid_register(struct kith_quic *q, const ngtcp2_cid *cid, struct kith_conn *c)
{
    uint8_t key[CID_KEY];

    cid_key(key, cid->data, cid->datalen);
    q->latest.conn = NULL;
    return kith_map_put(&q->cids, key, c);
}

void cid_forget(struct kith_quic *q, const ngtcp2_cid *cid, const struct kith_conn *c)
{
    uint8_t key[CID_KEY];

    cid_key(key, cid->data, cid->datalen);
    if (kith_map_find(&q->cids, key) == c)
        (void)kith_map_take(&q->cids, key);
    if (q->latest.conn == c)
        q->latest.conn = NULL;
}

struct kith_conn *cid_find(const struct kith_quic *q, const uint8_t *cid, size_t len)
{
    uint8_t key[CID_KEY];

    if (len > NGTCP2_MAX_CIDLEN)
        return NULL;
    cid_key(key, cid, len);
    return kith_map_find(&q->cids, key);
}

/* As cid_find, quickly when it is the same id again. */
static struct kith_conn *cid_route(struct kith_quic *q, const uint8_t *cid, size_t len)
{
    uint8_t key[CID_KEY];

    if (len > NGTCP2_MAX_CIDLEN)
        return NULL;
    cid_key(key, cid, len);
    if (q->latest.conn == NULL || memcmp(q->latest.key, key, sizeof key) != 0) {
        q->latest.conn = kith_map_find(&q->cids, key);
        memcpy(q->latest.key, key, sizeof key);
    }
    return q->latest.conn;
}

ngtcp2_cid cid_fresh(struct kith_quic *q)
{
    ngtcp2_cid cid = {.datalen = CID_LEN};

    do
        kith_random_fill(q->env->random, cid.data, CID_LEN);
    while (cid_find(q, cid.data, CID_LEN) != NULL);
    return cid;
}

void cid_reset_token(const struct kith_quic *q, const ngtcp2_cid *cid, uint8_t token[16])
{
    /* fails only without memory; a token nobody can guess is then a random one */
    if (ngtcp2_crypto_generate_stateless_reset_token(token, q->cfg.reset_key,
                                                     sizeof q->cfg.reset_key, cid) != 0)
        kith_random_fill(q->env->random, token, 16);
}

/* ---- stateless resets of the peers ---- */

struct kith_conn *token_find(const struct kith_quic *q, struct kith_span packet)
{
    if (packet.n < 21 || (packet.p[0] & 0x80) != 0)
        return NULL;
    return kith_map_find(&q->tokens, packet.p + packet.n - NGTCP2_STATELESS_RESET_TOKENLEN);
}

int token_add(struct kith_conn *c, const ngtcp2_stateless_reset_token *token)
{
    if (c->n_tokens == CID_SPARES)
        return KITH_E_FULL;
    int err = kith_map_put(&c->q->tokens, token->data, c);
    if (err >= 0)
        c->token[c->n_tokens++] = *token;
    return err;
}

void token_forget(struct kith_conn *c, const ngtcp2_stateless_reset_token *token)
{
    for (size_t i = 0; i < c->n_tokens; i++) {
        if (memcmp(c->token[i].data, token->data, sizeof token->data) != 0)
            continue;
        if (kith_map_find(&c->q->tokens, token->data) == c)
            (void)kith_map_take(&c->q->tokens, token->data);
        c->token[i] = c->token[--c->n_tokens];
        return;
    }
}

void token_forget_all(struct kith_conn *c)
{
    while (c->n_tokens > 0)
        token_forget(c, &c->token[c->n_tokens - 1]);
}

/* ---- memory for ngtcp2 ---- */

static void *mem_malloc(size_t n, void *user)
{
    return n == 0 ? NULL : kith_resize(user, NULL, n);
}

static void mem_free(void *p, void *user)
{
    kith_free(user, p);
}

static void *mem_calloc(size_t count, size_t size, void *user)
{
    return count == 0 || size == 0 ? NULL : kith_new_array(user, count, size);
}

static void *mem_realloc(void *p, size_t n, void *user)
{
    return kith_resize(user, p, n);
}

/* ---- making and freeing ---- */

enum { KEY_PACKETS = 1 << 22 }; /* well below AES-GCM's 2^23 (RFC 9001 6.6) */

static struct kith_quic_prices or_default(const struct kith_quic_prices *p)
{
    return (struct kith_quic_prices){
        .handshake = p->handshake != 0 ? p->handshake : KITH_QUIC_HANDSHAKE_COST,
        .initial = p->initial != 0 ? p->initial : KITH_QUIC_INITIAL_COST,
        .retry = p->retry != 0 ? p->retry : KITH_QUIC_RETRY_COST,
    };
}

void kith_quic_set_prices(struct kith_quic *q, const struct kith_quic_prices *prices)
{
    q->cfg.prices = or_default(prices);
}

static void set_defaults(struct kith_quic_config *cfg)
{
    if (cfg->connections_max == 0)
        cfg->connections_max = 10000;
    if (cfg->handshakes_max == 0)
        cfg->handshakes_max = 256;
    if (cfg->handshakes_per_prefix == 0)
        cfg->handshakes_per_prefix = 64;
    if (cfg->retry_above == 0)
        cfg->retry_above = 64;
    if (cfg->idle_timeout == 0)
        cfg->idle_timeout = 60 * KITH_SEC;
    if (cfg->handshake_timeout == 0)
        cfg->handshake_timeout = 10 * KITH_SEC;
    if (cfg->stranger_share == 0 || cfg->stranger_share > 100)
        cfg->stranger_share = 25;
    if (cfg->handshakes_per_second == 0)
        cfg->handshakes_per_second = 10;
    cfg->prices = or_default(&cfg->prices);
    if (cfg->key_update_after == 0)
        cfg->key_update_after = KEY_PACKETS;
}

int kith_quic_new(const struct kith_quic_config *cfg, const struct kith_env *env,
                  const struct kith_datagram_sink *sink, struct kith_quic **ret)
{
    struct kith_quic *q = kith_new_zero(env->alloc, sizeof *q);

    if (q == NULL)
        return KITH_E_NOMEM;
    q->env = env;
    q->cfg = *cfg;
    q->sink = *sink;
    set_defaults(&q->cfg);
    q->mem = (ngtcp2_mem){.user_data = (void *)(uintptr_t)env->alloc,
                          .malloc = mem_malloc,
                          .free = mem_free,
                          .calloc = mem_calloc,
                          .realloc = mem_realloc};
    q->due.alloc = env->alloc;
    kith_list_init(&q->conns);
    kith_list_init(&q->dirty);
    kith_list_init(&q->ready);
    kith_map_init(&q->cids, env->alloc, env->random, CID_KEY,
                  q->cfg.connections_max * (CID_SPARES + 2));
    kith_map_init(&q->planes, env->alloc, env->random, KITH_PLANE_INDEX,
                  q->cfg.connections_max * KITH_PLANE_KEYS);
    kith_map_init(&q->prefixes, env->alloc, env->random, NETWORK_KEY, load_most_handshakes(q));
    kith_map_init(&q->tokens, env->alloc, env->random, NGTCP2_STATELESS_RESET_TOKENLEN,
                  q->cfg.connections_max * CID_SPARES);
    q->answer = kith_new_array(env->alloc, ANSWERS_MAX, sizeof *q->answer);
    int err = q->answer == NULL ? KITH_E_NOMEM : quic_tls_new(&q->cfg, env->alloc, &q->tls);
    if (err >= 0)
        err = load_init(q);
    if (err >= 0)
        err = initial_opener_new(env->alloc, &q->opener);
    if (err < 0) {
        kith_quic_free(q);
        return err;
    }
    *ret = q;
    return KITH_OK;
}

void kith_quic_free(struct kith_quic *q)
{
    if (q == NULL)
        return;
    while (!kith_list_empty(&q->conns))
        conn_destroy(KITH_OF(q->conns.next, struct kith_conn, all));
    held_drop_all(q);
    quic_tls_free(q->tls, q->env->alloc);
    initial_opener_free(q->opener, q->env->alloc);
    load_fini(q);
    kith_map_fini(&q->cids);
    kith_map_fini(&q->prefixes);
    kith_map_fini(&q->planes);
    kith_map_fini(&q->tokens);
    kith_due_fini(&q->due);
    kith_free(q->env->alloc, q->answer);
    kith_wipe(&q->cfg, sizeof q->cfg);
    kith_free(q->env->alloc, q);
}

/* ---- datagrams in ---- */

static void receive_one(struct kith_quic *q, const struct kith_path *path, uint8_t ecn,
                        struct kith_span packet, kith_time now)
{
    ngtcp2_version_cid vc;
    ngtcp2_cid dcid;

    int rv = ngtcp2_pkt_decode_version_cid(&vc, packet.p, packet.n, CID_LEN);
    if (rv != 0 && rv != NGTCP2_ERR_VERSION_NEGOTIATION) {
        q->count.datagrams_malformed++;
        kith_event_datagram_dropped(q->env->events, &path->remote, "not QUIC");
        return;
    }
    struct kith_conn *c = cid_route(q, vc.dcid, vc.dcidlen);
    if (c == NULL)
        c = token_find(q, packet);
    if (c == NULL) {
        stranger_packet(q, path, ecn, &vc, packet, now);
        return;
    }
    if (!load_may_read(c, path, now))
        return;
    ngtcp2_cid_init(&dcid, vc.dcid, vc.dcidlen);
    /* NGTCP2_ERR_RETRY is only for the first packet, which accept.c reads */
    (void)conn_read(c, path, &dcid, ecn, packet, now);
}

void kith_quic_receive(struct kith_quic *q, const struct kith_rx *run, kith_time now)
{
    for (size_t at = 0; at < run->len; at += run->segment) {
        size_t n = run->len - at < run->segment ? run->len - at : run->segment;
        q->count.datagrams_in++;
        if (run->data[at] == KITH_PLANE_TYPE)
            sealed_receive(q, &run->path, run->data + at, n, run->ecn, now);
        else
            receive_one(q, &run->path, run->ecn, (struct kith_span){run->data + at, n}, now);
    }
}

/* ---- time ---- */

void kith_quic_tick(struct kith_quic *q, kith_time now)
{
    struct kith_due *d;

    held_expire(q, now);
    while ((d = kith_due_first(&q->due)) != NULL && d->at <= now) {
        struct kith_conn *c = KITH_OF(d, struct kith_conn, due);
        /* out of the way first: if it stays due, it is not served twice in one tick */
        if (kith_due_set(&q->due, d, KITH_NEVER - 1) < 0)
            return;
        conn_tick(c, now);
    }
}

kith_time kith_quic_deadline(const struct kith_quic *q)
{
    kith_time first = kith_due_deadline(&q->due);

    return kith_sooner(first >= KITH_NEVER - 1 ? KITH_NEVER : first, held_deadline(q));
}

/* ---- news ---- */

void conn_mark_dirty(struct kith_conn *c)
{
    if (kith_list_empty(&c->dirty))
        kith_list_append(&c->q->dirty, &c->dirty);
}

void conn_mark_ready(struct kith_conn *c)
{
    if (kith_list_empty(&c->ready))
        kith_list_append(&c->q->ready, &c->ready);
}

static bool take(bool *flag)
{
    bool was = *flag;

    *flag = false;
    return was;
}

static bool stream_event(struct kith_conn *c, struct kith_conn_event *ret)
{
    if (kith_list_empty(&c->news))
        return false;
    struct stream *s = KITH_OF(c->news.next, struct stream, news);
    kith_list_remove(&s->news);
    *ret = (struct kith_conn_event){
        .kind = KITH_CONN_STREAM, .conn = c, .stream = s->id, .flags = s->flags};
    if (s->flags & KITH_STREAM_DONE)
        c->q->spent = s;
    s->flags = 0;
    return true;
}

/* The next event of one connection, in the order its owner needs them. */
static bool conn_event(struct kith_conn *c, struct kith_conn_event *ret)
{
    enum kith_conn_event_kind kind;

    if (c->state == CONN_HANDSHAKE || !c->owned)
        return false; /* news of an unproved peer waits */
    if (take(&c->tell_established))
        kind = KITH_CONN_ESTABLISHED;
    else if (take(&c->tell_moved))
        kind = KITH_CONN_MOVED;
    else if (stream_event(c, ret))
        return true;
    else if (take(&c->tell_writable))
        kind = KITH_CONN_WRITABLE;
    else if (take(&c->tell_report))
        kind = KITH_CONN_REPORT;
    else if (take(&c->tell_probe))
        kind = KITH_CONN_PROBE;
    else if (take(&c->tell_waits))
        kind = KITH_CONN_WAITS;
    else if (take(&c->tell_closed))
        kind = KITH_CONN_CLOSED;
    else
        return false;
    *ret = (struct kith_conn_event){.kind = kind, .conn = c, .stream = -1};
    return true;
}

bool kith_quic_next_event(struct kith_quic *q, struct kith_conn_event *ret)
{
    if (q->spent != NULL) {
        stream_free(q->spent);
        q->spent = NULL;
    }
    while (!kith_list_empty(&q->ready)) {
        struct kith_conn *c = KITH_OF(q->ready.next, struct kith_conn, ready);
        if (conn_event(c, ret))
            return true;
        kith_list_remove(&c->ready);
        /* a closed stranger has no owner to take it back */
        conn_settle(c, 0);
    }
    return false;
}

/* ---- datagrams out ---- */

void kith_quic_flush(struct kith_quic *q, struct kith_tx_batch *b, kith_time now)
{
    struct kith_link turn;

    answers_write(q, b);
    /* one turn each: whoever gets dirty again while writing waits for the next flush */
    if (kith_list_empty(&q->dirty))
        return;
    turn = q->dirty;
    turn.next->prev = turn.prev->next = &turn;
    kith_list_init(&q->dirty);
    while (!kith_list_empty(&turn)) {
        struct kith_conn *c = KITH_OF(turn.next, struct kith_conn, dirty);
        kith_list_remove(&c->dirty);
        if (!conn_write(c, b, now)) {
            conn_mark_dirty(c);
            break;
        }
    }
    while (!kith_list_empty(&turn)) {
        struct kith_link *l = turn.next;
        kith_list_remove(l);
        kith_list_append(&q->dirty, l);
    }
}

const struct kith_quic_counters *kith_quic_counters(const struct kith_quic *q)
{
    return &q->count;
}

size_t kith_quic_connections(const struct kith_quic *q)
{
    return q->n_conns;
}
