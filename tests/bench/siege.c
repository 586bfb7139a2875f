/* What one first packet of a stranger costs the node's thread: asked for a proof (Retry), noise,
 * dropped above the share, dropped by a full table, and a ClientHello that is never finished. In
 * memory, one endpoint: what the kernel takes to receive and to send comes on top. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/conn_peer.h"

enum { PACKETS = 20000, HELLOS = 200, KEPT = 2 };

struct wire {
    uint8_t data[KEPT][1500];
    size_t len[KEPT], n;
};

/* Keeps the ClientHello's datagrams, and lets nothing through. */
static bool keep(void *ctx, const struct kith_addr *from, const struct kith_addr *to, uint8_t *data,
                 size_t len)
{
    struct wire *w = ctx;

    (void)from, (void)to;
    if (w->n < KEPT) {
        memcpy(w->data[w->n], data, len);
        w->len[w->n++] = len;
    }
    return false;
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct bench {
    struct sim_net *net;
    struct conn_peer a, b;
    struct wire hello[HELLOS];
};

static void begin(struct bench *s, const struct kith_quic_config *cfg)
{
    s->net = sim_net_new(1);
    conn_peer_init(&s->a, s->net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init(&s->b, s->net, "192.0.2.2:9000", 2, cfg);
}

static void end(struct bench *s)
{
    conn_peer_fini(&s->a);
    conn_peer_fini(&s->b);
    sim_net_free(s->net);
}

/* HELLOS ClientHellos of two datagrams each. */
static void record(struct bench *s)
{
    begin(s, NULL);
    for (int i = 0; i < HELLOS; i++) {
        sim_net_set_filter(s->net, keep, &s->hello[i]);
        struct kith_conn *c = conn_peer_dial(&s->a, &s->b);
        conn_peer_pump(&s->a);
        if (s->hello[i].n != KEPT)
            abort();
        kith_conn_free(c, sim_net_now(s->net));
        conn_peer_pump(&s->a); /* its goodbye, which nobody keeps */
    }
    end(s);
}

/* Hands b a datagram from the i-th of many networks; what b says goes nowhere. */
static void hand(struct bench *s, uint32_t i, uint8_t *data, size_t len, kith_time now)
{
    struct kith_rx rx = {
        .path = {.local = *sim_host_addr(s->b.host),
                 .remote = {.ip = kith_ip4(11, (uint8_t)(i >> 8), (uint8_t)i, 1), .port = 9000}},
        .data = data,
        .len = len,
        .segment = len};

    kith_quic_receive(s->b.quic, &rx, now);
    kith_quic_flush(s->b.quic, &s->b.batch, now);
    kith_tx_flush(&s->b.batch);
}

/* Nanoseconds of each packet: first packets, every bit of the last byte flipped when `noise`; the
 * bucket is as full as `gap` of time between two packets lets it be. */
static double per_packet(struct bench *s, const struct kith_quic_config *cfg, bool noise,
                         kith_dur gap)
{
    begin(s, cfg);
    kith_time now = sim_net_now(s->net);
    double from = cpu_ns();
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct wire *w = &s->hello[i % HELLOS];
        w->data[0][w->len[0] - 1] ^= noise ? 0xff : 0;
        hand(s, i, w->data[0], w->len[0], now);
        w->data[0][w->len[0] - 1] ^= noise ? 0xff : 0;
        now += gap;
    }
    double ns = (cpu_ns() - from) / (double)PACKETS;
    end(s);
    return ns;
}

/* The accepting side's medians: what a ClientHello's first datagram makes it build, and the whole
 * of it, up to the answer; nothing is proved yet. */
static double per_hello(struct bench *s, double *ret_begun)
{
    static double ns[HELLOS], begun[HELLOS];
    static const struct kith_quic_config cfg = {.handshakes_max = HELLOS * 2,
                                                .retry_above = HELLOS * 2};

    begin(s, &cfg);
    kith_time now = sim_net_now(s->net);
    for (uint32_t i = 0; i < HELLOS; i++) {
        double from = cpu_ns();
        hand(s, i, s->hello[i].data[0], s->hello[i].len[0], now);
        begun[i] = cpu_ns() - from;
        hand(s, i, s->hello[i].data[1], s->hello[i].len[1], now);
        ns[i] = cpu_ns() - from;
        now += 20 * KITH_MSEC;
    }
    if (kith_quic_counters(s->b.quic)->accepted != HELLOS)
        abort();
    end(s);
    qsort(ns, HELLOS, sizeof *ns, compare);
    qsort(begun, HELLOS, sizeof *begun, compare);
    *ret_begun = begun[HELLOS / 2];
    return ns[HELLOS / 2];
}

int main(void)
{
    static struct bench s;
    const struct kith_quic_config retry = {.always_retry = true}, open = {.handshakes_max = 1},
                                  dear = {.always_retry = true, .prices.retry = 1000 * KITH_SEC};

    record(&s);
    double begun, hello = per_hello(&s, &begun);
    printf("{\"packets\": %d, \"retry_ns\": %.0f, \"noise_ns\": %.0f, \"over_share_ns\": %.0f, "
           "\"begun_ns\": %.0f, \"client_hello_ns\": %.0f}\n",
           PACKETS, per_packet(&s, &retry, false, KITH_MSEC),
           per_packet(&s, &open, true, KITH_MSEC), per_packet(&s, &dear, false, 0), begun, hello);
    return 0;
}
