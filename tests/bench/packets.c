/* What a packet costs beside the kernel: sealed and opened as a QUIC DATAGRAM and by the second
 * plane, in memory, between two endpoints of one process. Batches of 32 packets go one way. Sending
 * is everything the sending endpoint does for them, answers of the other included, and receiving is
 * everything the other does, answering included: acknowledgements here, reports there. The four
 * variants take turns, batch group by batch group. */
#include <stdio.h>
#include <stdlib.h>

#include "report.h"
#include "sim/conn_peer.h"
#include "wire/datagram.h"

enum { BATCH = 32, BATCHES = 400, ROUNDS = 9, WARM_UP = 200 };
#define STEP (200 * KITH_USEC) /* one way: a round trip of 0.4 ms, as between rooms of one house */
#define GAP (10 * KITH_MSEC)   /* between batches: so many that pacing holds none of a batch back */

static struct report report;

/* ---- two endpoints, and what flies between them ---- */

struct flight { /* runs of one batch, copied */
    struct kith_rx run[KITH_TX_RUNS];
    size_t n, used;
    uint8_t bytes[KITH_TX_BYTES];
};

struct end {
    struct conn_peer peer;
    struct kith_conn *conn;
    struct kith_tx_batch batch;
    struct flight *out;
};

struct pair {
    struct sim_net *net;
    struct end a, b; /* a sends to b */
    kith_time now;
    bool plane;
};

static size_t take_off(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct end *e = ctx;
    struct flight *f = e->out;

    for (size_t i = 0; i < n; i++) {
        if (f->n == KITH_TX_RUNS || runs[i].len > sizeof f->bytes - f->used)
            bench_give_up("a batch is larger than a batch");
        uint8_t *at = f->bytes + f->used;
        memcpy(at, runs[i].data, runs[i].len);
        f->run[f->n++] = (struct kith_rx){
            .path = {.local = runs[i].path.remote, .remote = *sim_host_addr(e->peer.host)},
            .data = at,
            .len = runs[i].len,
            .segment = runs[i].segment,
            .ecn = runs[i].ecn};
        f->used += runs[i].len;
    }
    return n;
}

static void land(struct end *e, struct flight *f, kith_time now)
{
    for (size_t i = 0; i < f->n; i++)
        kith_quic_receive(e->peer.quic, &f->run[i], now);
    f->n = f->used = 0;
}

static const struct kith_transport_ops flying = {.send = take_off};

static void end_init(struct pair *p, struct end *e, const char *addr, uint8_t seed,
                     enum kith_cipher_choice cipher)
{
    const struct kith_quic_config cfg = {.cipher = cipher, .congestion = KITH_CC_CUBIC};
    const struct kith_transport t = {.ops = &flying, .ctx = e, .info = {.kind = "memory"}};
    uint32_t index;

    conn_peer_init(&e->peer, p->net, addr, seed, &cfg);
    e->peer.reports = true;
    bench_must(kith_tx_init(&e->batch, &kith_heap), "a batch");
    bench_must(kith_tx_add_transport(&e->batch, &t, &index), "a transport");
    e->out = kith_new_zero(&kith_heap, sizeof *e->out);
    if (e->out == NULL)
        bench_give_up("memory");
}

static void end_fini(struct end *e)
{
    conn_peer_fini(&e->peer);
    kith_tx_fini(&e->batch);
    kith_free(&kith_heap, e->out);
}

static bool met(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.peer.n_established > 0 && p->b.peer.n_established > 0;
}

static void pair_init(struct pair *p, enum kith_cipher_choice cipher, bool plane)
{
    struct conn_peer *both[2] = {&p->a.peer, &p->b.peer};

    memset(p, 0, sizeof *p);
    p->plane = plane;
    p->net = sim_net_new(1);
    sim_net_default_link(p->net, &(struct sim_link){.delay = STEP});
    end_init(p, &p->a, "192.0.2.1:9000", 1, cipher);
    end_init(p, &p->b, "192.0.2.2:9000", 2, cipher);
    conn_peer_dial(&p->a.peer, &p->b.peer);
    if (!conn_peers_run(both, 2, met, p, KITH_SEC))
        bench_give_up("no handshake");
    (void)conn_peers_run(both, 2, NULL, NULL, 2 * KITH_SEC); /* the path's MTU is found */
    p->a.conn = p->a.peer.established[0];
    p->b.conn = p->b.peer.established[0];
    if (plane) {
        bench_must(kith_conn_plane_start(p->a.conn), "the second plane");
        bench_must(kith_conn_plane_start(p->b.conn), "the second plane");
    }
    p->now = sim_net_now(p->net);
}

static void pair_fini(struct pair *p)
{
    end_fini(&p->a);
    end_fini(&p->b);
    sim_net_free(p->net);
}

/* ---- one batch ---- */

static void send_report(struct end *e, kith_time now)
{
    struct kith_gauge_report r;
    uint8_t buf[32];
    size_t n;

    if (e->conn == NULL || !kith_conn_report(e->conn, &r, now))
        return;
    const struct kith_plane_report said = {r.highest, r.received, (uint32_t)(r.delay / KITH_USEC)};
    bench_must(kith_plane_report_encode(&said, buf, sizeof buf, &n), "a report's bytes");
    int err = kith_conn_report_send(e->conn, &e->batch, (struct kith_span){buf, n}, now);
    if (err != KITH_E_AGAIN) /* else when it is writable */
        bench_must(err, "a report");
}

/* The rest of an endpoint's turn. A report goes before what QUIC has to say, as in a session:
 * behind that, pacing holds it back until another instant. */
static void settle(struct end *e, kith_time now)
{
    struct kith_conn_event ev;
    bool may_owe = false;

    if (kith_quic_deadline(e->peer.quic) <= now)
        kith_quic_tick(e->peer.quic, now);
    while (kith_quic_next_event(e->peer.quic, &ev)) {
        may_owe |= ev.kind == KITH_CONN_REPORT || ev.kind == KITH_CONN_WRITABLE;
        if (ev.kind == KITH_CONN_CLOSED)
            bench_give_up("the connection ended");
    }
    if (may_owe)
        send_report(e, now);
    kith_quic_flush(e->peer.quic, &e->batch, now);
    (void)kith_tx_flush(&e->batch);
}

struct cost { /* ns of each batch */
    double send[BATCHES], receive[BATCHES];
    size_t n, packets;
};

static size_t send_batch(struct pair *p, size_t size)
{
    static const uint8_t bytes[KITH_TX_DATAGRAM_MAX];
    const struct kith_span part = {bytes, size};
    size_t n = 0;

    while (n < BATCH &&
           kith_conn_packet_send(p->a.conn, &p->a.batch, &part, 1, 0, p->now) == KITH_OK)
        n++;
    kith_conn_burst_end(p->a.conn, p->now);
    settle(&p->a, p->now);
    return n;
}

static void one_batch(struct pair *p, size_t size, struct cost *c)
{
    kith_time t[5];

    t[0] = bench_now();
    c->packets += send_batch(p, size);
    t[1] = bench_now();
    p->now += STEP;
    land(&p->b, p->a.out, p->now);
    settle(&p->b, p->now);
    t[2] = bench_now();
    p->now += STEP;
    t[3] = bench_now();
    land(&p->a, p->b.out, p->now);
    settle(&p->a, p->now);
    t[4] = bench_now();
    c->send[c->n] = (double)(t[1] - t[0] + t[4] - t[3]);
    c->receive[c->n++] = (double)(t[2] - t[1]);
    land(&p->b, p->a.out, p->now); /* what the answers made a say */
    p->now += GAP;
}

/* ---- rounds ---- */

struct variant {
    const char *send, *receive;
    enum kith_cipher_choice cipher;
    bool plane;
    size_t size;
    struct pair pair;
    double last_send, last_receive; /* ns a packet, of the round */
};

static int compare_costs(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of a packet, in ns. Batches that took three times the median were interrupted by something else
 * on this machine, and are left out. */
static double mean(double *batch, size_t n)
{
    double sum = 0;
    size_t kept = 0;

    qsort(batch, n, sizeof *batch, compare_costs);
    while (kept < n && batch[kept] < 3 * batch[n / 2])
        sum += batch[kept++];
    return sum / (double)(kept * BATCH);
}

static void round_of(struct variant *v)
{
    static struct cost c;
    uint64_t had = v->pair.b.peer.datagrams;
    struct kith_conn_stats s;

    c.n = c.packets = 0;
    while (c.n < BATCHES)
        one_batch(&v->pair, v->size, &c);
    kith_conn_stats(v->pair.a.conn, &s);
    if (c.packets != (size_t)BATCHES * BATCH || v->pair.b.peer.datagrams - had != c.packets) {
        fprintf(stderr, "bench: %s: %zu of %d packets went, %llu came\n", v->send, c.packets,
                BATCHES * BATCH, (unsigned long long)(v->pair.b.peer.datagrams - had));
        bench_give_up("not every packet went, or came");
    }
    if (s.sealed != v->plane)
        bench_give_up("not the plane that was asked for");
    v->last_send = mean(c.send, c.n);
    v->last_receive = mean(c.receive, c.n);
    report_add(&report, v->send, "ns", "all that the sender does for a packet", v->last_send);
    report_add(&report, v->receive, "ns", "all that the receiver does for a packet",
               v->last_receive);
}

static void warm_up(struct variant *v)
{
    static struct cost c;

    pair_init(&v->pair, v->cipher, v->plane);
    for (c.n = 0; c.n < WARM_UP;) /* congestion control opens, the plane is found */
        one_batch(&v->pair, v->size, &c);
}

struct ratio {
    const char *send, *receive;
};

/* A datagram's variant and its plane's, one after the other. */
static void compare(struct variant *datagram, struct variant *plane, const struct ratio *r)
{
    round_of(datagram);
    round_of(plane);
    report_add(&report, r->send, "1", "how many times as fast the second plane sends",
               datagram->last_send / plane->last_send);
    report_add(&report, r->receive, "1", "how many times as fast the second plane receives",
               datagram->last_receive / plane->last_receive);
}

int main(void)
{
#define NAMES(what, rest) .send = what "_send_ns" rest, .receive = what "_receive_ns" rest
    static struct variant v[] = {
        {NAMES("datagram", ""), KITH_CIPHER_AES, false, 1350},
        {NAMES("plane", ""), KITH_CIPHER_AES, true, 1350},
        {NAMES("datagram", "_64"), KITH_CIPHER_AES, false, 64},
        {NAMES("plane", "_64"), KITH_CIPHER_AES, true, 64},
        {NAMES("datagram", "_chacha"), KITH_CIPHER_CHACHA, false, 1350},
        {NAMES("plane", "_chacha"), KITH_CIPHER_CHACHA, true, 1350},
        {NAMES("datagram", "_chacha_64"), KITH_CIPHER_CHACHA, false, 64},
        {NAMES("plane", "_chacha_64"), KITH_CIPHER_CHACHA, true, 64},
    };
    static const struct ratio ratios[] = {
        {"plane_vs_datagram_send", "plane_vs_datagram_receive"},
        {"plane_vs_datagram_send_64", "plane_vs_datagram_receive_64"},
        {"plane_vs_datagram_send_chacha", "plane_vs_datagram_receive_chacha"},
        {"plane_vs_datagram_send_chacha_64", "plane_vs_datagram_receive_chacha_64"},
    };

    for (size_t i = 0; i < KITH_COUNT(v); i++)
        warm_up(&v[i]);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < KITH_COUNT(ratios); i++)
            compare(&v[2 * i], &v[2 * i + 1], &ratios[i]);
    for (size_t i = 0; i < KITH_COUNT(v); i++)
        pair_fini(&v[i].pair);
    report_print(&report);
    return 0;
}
