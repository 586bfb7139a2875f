/* warm_up.c: one handshake of an endpoint with itself, in memory: whatever TLS, QUIC and the
 * library under them make at their first use is made by it. See crypto/warm_up.h. */
#include "conn/quic/quic.h"
#include "crypto/hash.h"
#include "transport/batch.h"

enum { TURNS = 20 }; /* a handshake takes five */

struct mirror {
    struct kith_quic *q;
    struct kith_tx_batch batch;
    struct kith_transport transport;
    kith_time now;
    size_t established, closed;
};

/* What is sent comes in at once. */
static size_t reflect(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct mirror *m = ctx;

    for (size_t i = 0; i < n; i++) {
        uint8_t copy[KITH_TX_RUN_BYTES];
        struct kith_rx rx = {
            .path = runs[i].path, .data = copy, .len = runs[i].len, .segment = runs[i].segment};
        memcpy(copy, runs[i].data, runs[i].len);
        kith_quic_receive(m->q, &rx, m->now);
    }
    return n;
}

static const struct kith_transport_ops mirror_ops = {.send = reflect};

static void no_datagram(void *ctx, struct kith_conn *c, struct kith_span payload, uint8_t ecn,
                        kith_time now)
{
    (void)ctx, (void)c, (void)payload, (void)ecn, (void)now;
}

static void take_events(struct mirror *m)
{
    struct kith_conn_event ev;

    while (kith_quic_next_event(m->q, &ev)) {
        m->established += ev.kind == KITH_CONN_ESTABLISHED;
        m->closed += ev.kind == KITH_CONN_CLOSED;
        if (ev.kind == KITH_CONN_CLOSED)
            kith_conn_free(ev.conn, m->now);
    }
}

/* Each turn a millisecond later. */
static void turn(struct mirror *m)
{
    m->now += KITH_MSEC;
    if (kith_quic_deadline(m->q) <= m->now)
        kith_quic_tick(m->q, m->now);
    take_events(m);
    kith_quic_flush(m->q, &m->batch, m->now);
    take_events(m);
    (void)kith_tx_flush(&m->batch);
}

static int handshake(struct mirror *m, const struct kith_peer_id *self)
{
    const struct kith_addr here = {.ip = {.family = KITH_FAMILY_IP4, .b = {127, 0, 0, 1}},
                                   .port = 1};
    const struct kith_path path = {.local = here, .remote = here};
    struct kith_conn *c;
    int err = kith_quic_dial(m->q, &path, self, NULL, m->now, &c);

    for (int i = 0; err == KITH_OK && i < TURNS && m->established < 2 && m->closed == 0; i++)
        turn(m);
    return err < 0 || m->established == 2 ? err : KITH_E_CRYPTO;
}

static int self_of(const struct kith_sign_key *key, struct kith_peer_id *ret)
{
    struct kith_public_key pub;
    struct kith_hash h;

    kith_sign_key_public(key, &pub);
    int err = kith_sha256(KITH_SPAN_OF(pub.spki), &h);
    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

static int open_mirror(struct mirror *m, const struct kith_sign_key *key,
                       const struct kith_env *env)
{
    const struct kith_quic_config cfg = {.key = key};
    const struct kith_datagram_sink sink = {.datagram = no_datagram};
    uint32_t index;
    int err = kith_tx_init(&m->batch, env->alloc);

    m->transport = (struct kith_transport){
        .ops = &mirror_ops, .ctx = m, .info = {.kind = "memory", .mtu = 65507, .max_run = 65507}};
    if (err == KITH_OK)
        err = kith_tx_add_transport(&m->batch, &m->transport, &index);
    return err < 0 ? err : kith_quic_new(&cfg, env, &sink, &m->q);
}

int kith_quic_warm_up(const struct kith_sign_key *key, const struct kith_env *env)
{
    const struct kith_events nobody = {.sink = NULL};
    const struct kith_env quiet = {.alloc = env->alloc, .random = env->random, .events = &nobody};
    struct mirror m = {.now = KITH_SEC};
    struct kith_peer_id self;
    int err = self_of(key, &self);

    if (err == KITH_OK)
        err = open_mirror(&m, key, &quiet);
    if (err == KITH_OK)
        err = handshake(&m, &self);
    kith_quic_free(m.q);
    kith_tx_fini(&m.batch);
    return err;
}
