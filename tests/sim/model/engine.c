/* engine.c: the tables of an endpoint: connections, their ids, deadlines and news. */
#include "sim/model/model.h"

#include "base/text.h"
#include "crypto/hash.h"

enum {
    CONNECTIONS_MAX = 10000,             /* connections, unless the config says otherwise */
    HANDSHAKES_MAX = 256,                /* as the real engine */
    RESET_LEN = 1 + 4 + 4 + MODEL_TOKEN, /* type, chance, nothing, token */
    RESET_ASKS = 43, /* shorter packets get none, so that resets never answer each other */
    RESETS_BURST = 20,
};
#define RESET_EACH (50 * KITH_MSEC)

/* ---- making and freeing ---- */

static void set_defaults(struct kith_quic_config *cfg)
{
    if (cfg->connections_max == 0)
        cfg->connections_max = CONNECTIONS_MAX;
    if (cfg->handshakes_max == 0)
        cfg->handshakes_max = HANDSHAKES_MAX;
    if (cfg->idle_timeout == 0)
        cfg->idle_timeout = 60 * KITH_SEC;
    if (cfg->handshake_timeout == 0)
        cfg->handshake_timeout = 10 * KITH_SEC;
}

static int learn_self(struct kith_quic *q)
{
    struct kith_public_key pub;
    struct kith_hash h;

    kith_sign_key_public(q->cfg.key, &pub);
    int err = kith_sha256((struct kith_span){pub.spki, sizeof pub.spki}, &h);
    if (err >= 0)
        memcpy(q->self.b, h.b, sizeof q->self.b);
    return err;
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
    q->due.alloc = env->alloc;
    kith_list_init(&q->conns);
    kith_list_init(&q->dirty);
    kith_list_init(&q->ready);
    kith_map_init(&q->cids, env->alloc, env->random, MODEL_CID, 2 * q->cfg.connections_max);
    kith_map_init(&q->tokens, env->alloc, env->random, MODEL_TOKEN, q->cfg.connections_max);
    int err = learn_self(q);
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
        model_conn_destroy(KITH_OF(q->conns.next, struct kith_conn, all));
    kith_map_fini(&q->cids);
    kith_map_fini(&q->tokens);
    kith_due_fini(&q->due);
    kith_free(q->env->alloc, q);
}

int kith_quic_warm_up(const struct kith_sign_key *key, const struct kith_env *env)
{
    (void)key, (void)env;
    return KITH_OK;
}

void kith_quic_set_prices(struct kith_quic *q, const struct kith_quic_prices *prices)
{
    q->cfg.prices = *prices; /* strangers cost nothing here */
}

struct model_id model_cid_fresh(struct kith_quic *q)
{
    struct model_id id;

    do
        kith_random_fill(q->env->random, id.b, sizeof id.b);
    while (kith_map_find(&q->cids, id.b) != NULL);
    return id;
}

/* ---- datagrams in ---- */

/* Says that whoever is spoken to has forgotten. */
static void answer_reset(struct kith_quic *q, const struct kith_path *path,
                         const struct model_id *cid, size_t n, kith_time now)
{
    if (n < RESET_ASKS || q->n_answers == MODEL_ANSWERS_MAX ||
        !kith_rate_takes(&q->resets_paid, RESET_EACH, 1, RESETS_BURST, now))
        return;
    q->answer[q->n_answers++] = (struct model_answer){.path = *path, .cid = *cid};
    q->count.resets_sent++;
}

/* Which table has no room for one more, or NULL. */
static const char *full_table(const struct kith_quic *q)
{
    if (q->n_handshakes >= q->cfg.handshakes_max)
        return "the table of handshakes";
    return q->n_conns >= q->cfg.connections_max ? "the table of connections" : NULL;
}

static void stranger(struct kith_quic *q, const struct kith_path *path, const struct model_id *dcid,
                     struct kith_span packet, kith_time now)
{
    const struct model_key key = model_first_key(dcid);
    struct kith_span inner;
    const char *full;
    struct kith_conn *c;

    q->count.datagrams_unroutable += (packet.p[0] & 0x80) == 0;
    if (packet.p[0] == MODEL_SHORT)
        answer_reset(q, path, dcid, packet.n, now);
    if (packet.p[0] != MODEL_FLIGHT)
        return;
    if (model_open(&key, packet, &inner) < 0 || !model_is_hello(inner)) {
        q->count.noise++;
        return;
    }
    full = full_table(q);
    if (full != NULL) {
        q->count.over_limit++;
        kith_event_refused_limit(q->env->events, &path->remote, full);
        return;
    }
    if (model_conn_accept(q, path, dcid, now, &c) < 0) {
        kith_event_out_of_memory(q->env->events, "accepting a connection", 0);
        return;
    }
    model_read(c, path, packet, now);
}

/* A packet that ends with the token of somebody we speak to: it has forgotten us. */
static bool take_reset(struct kith_quic *q, struct kith_span packet, kith_time now)
{
    if (packet.p[0] != MODEL_RESET || packet.n < RESET_LEN)
        return false;
    struct kith_conn *c = kith_map_find(&q->tokens, packet.p + packet.n - MODEL_TOKEN);
    if (c == NULL || c->state == MODEL_CLOSED)
        return c != NULL;
    c->end.kind = KITH_END_RESET;
    kith_format(c->end.text, sizeof c->end.text, "the peer has forgotten this connection");
    model_enter_closed(c, false, true, now);
    return true;
}

static void receive_one(struct kith_quic *q, const struct kith_path *path, struct kith_span packet,
                        kith_time now)
{
    struct kith_reader r = kith_reader_on(packet);
    struct model_id dcid;

    (void)kith_get_u8(&r);
    kith_get_copy(&r, dcid.b, sizeof dcid.b);
    if (r.bad || (packet.p[0] & 0xc0) == 0) {
        q->count.datagrams_malformed++;
        kith_event_datagram_dropped(q->env->events, &path->remote, "not QUIC");
        return;
    }
    if (take_reset(q, packet, now))
        return;
    struct kith_conn *c = kith_map_find(&q->cids, dcid.b);
    if (c != NULL)
        model_read(c, path, packet, now);
    else
        stranger(q, path, &dcid, packet, now);
}

void kith_quic_receive(struct kith_quic *q, const struct kith_rx *run, kith_time now)
{
    for (size_t at = 0; at < run->len; at += run->segment) {
        size_t n = run->len - at < run->segment ? run->len - at : run->segment;
        q->count.datagrams_in++;
        receive_one(q, &run->path, (struct kith_span){run->data + at, n}, now);
    }
}

/* ---- time ---- */

void kith_quic_tick(struct kith_quic *q, kith_time now)
{
    struct kith_due *d;

    while ((d = kith_due_first(&q->due)) != NULL && d->at <= now) {
        struct kith_conn *c = KITH_OF(d, struct kith_conn, due);
        /* out of the way first: if it stays due, it is not served twice in one tick */
        if (kith_due_set(&q->due, d, KITH_NEVER - 1) < 0)
            return;
        model_conn_tick(c, now);
    }
}

kith_time kith_quic_deadline(const struct kith_quic *q)
{
    kith_time first = kith_due_deadline(&q->due);

    return first >= KITH_NEVER - 1 ? KITH_NEVER : first;
}

/* ---- news ---- */

void model_mark_dirty(struct kith_conn *c)
{
    if (kith_list_empty(&c->dirty))
        kith_list_append(&c->q->dirty, &c->dirty);
}

void model_mark_ready(struct kith_conn *c)
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
    struct model_stream *s = KITH_OF(c->news.next, struct model_stream, news);
    kith_list_remove(&s->news);
    *ret = (struct kith_conn_event){
        .kind = KITH_CONN_STREAM, .conn = c, .stream = s->id, .flags = s->flags};
    if ((s->flags & KITH_STREAM_DONE) != 0)
        c->q->spent = s;
    s->flags = 0;
    return true;
}

/* The next event of one connection, in the order its owner needs them. */
static bool conn_event(struct kith_conn *c, struct kith_conn_event *ret)
{
    enum kith_conn_event_kind kind;

    if (c->state == MODEL_HANDSHAKE || !c->owned)
        return false; /* news of an unproved peer waits */
    if (take(&c->tell_established))
        kind = KITH_CONN_ESTABLISHED;
    else if (take(&c->tell_moved))
        kind = KITH_CONN_MOVED;
    else if (stream_event(c, ret))
        return true;
    else if (take(&c->tell_writable))
        kind = KITH_CONN_WRITABLE;
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
        model_stream_free(q->spent);
        q->spent = NULL;
    }
    while (!kith_list_empty(&q->ready)) {
        struct kith_conn *c = KITH_OF(q->ready.next, struct kith_conn, ready);
        if (conn_event(c, ret))
            return true;
        kith_list_remove(&c->ready);
        /* a closed stranger has no owner to take it back */
        model_conn_settle(c, 0);
    }
    return false;
}

/* ---- datagrams out ---- */

static void write_answers(struct kith_quic *q, struct kith_tx_batch *b)
{
    for (size_t i = 0; i < q->n_answers; i++) {
        uint8_t *room = kith_tx_room(b);
        if (room == NULL)
            break; /* nobody waits for it */
        kith_random_fill(q->env->random, room, RESET_LEN);
        room[0] = MODEL_RESET;
        model_reset_token(&q->cfg, &q->answer[i].cid, room + RESET_LEN - MODEL_TOKEN);
        kith_tx_commit(b, &q->answer[i].path, 0, RESET_LEN);
    }
    q->n_answers = 0;
}

void kith_quic_flush(struct kith_quic *q, struct kith_tx_batch *b, kith_time now)
{
    struct kith_link turn;

    write_answers(q, b);
    /* one turn each: whoever gets dirty again while writing waits for the next flush */
    if (kith_list_empty(&q->dirty))
        return;
    turn = q->dirty;
    turn.next->prev = turn.prev->next = &turn;
    kith_list_init(&q->dirty);
    while (!kith_list_empty(&turn)) {
        struct kith_conn *c = KITH_OF(turn.next, struct kith_conn, dirty);
        kith_list_remove(&c->dirty);
        if (!model_write(c, b, now)) {
            model_mark_dirty(c);
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
