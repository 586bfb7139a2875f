/* CUBIC against BBR over simulated links: goodput of one bulk stream and of DATAGRAMs that fill
 * what congestion control allows, in virtual time. Prints one JSON object; rows in "runs". */
#include <stdio.h>
#include <stdlib.h>

#include "sim/conn_peer.h"

enum { SECONDS = 10, PAYLOAD = 1150, SEEDS = 3 };

struct run {
    enum kith_congestion cc;
    bool datagrams;
    uint64_t rate; /* bit/s */
    kith_dur rtt;
    unsigned loss_ppm;
};

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    int64_t stream;
};

static bool established(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.n_established > 0 && p->b.n_established > 0;
}

static void feed_stream(struct pair *p)
{
    static const uint8_t bytes[16384];
    struct kith_conn *c = p->a.established[0];

    while (kith_conn_stream_room(c, p->stream) >= sizeof bytes)
        if (kith_conn_stream_send(c, p->stream, (struct kith_span){bytes, sizeof bytes}, false) < 0)
            abort();
}

static void feed_datagrams(struct pair *p)
{
    static const uint8_t bytes[PAYLOAD];
    const struct kith_span s = {bytes, sizeof bytes};
    struct kith_conn *c = p->a.established[0];
    kith_time now = sim_net_now(p->net);

    for (int i = 0; i < 1000; i++)
        if (kith_conn_datagram_send(c, &p->a.batch, &s, 1, now) != KITH_OK)
            break;
    kith_conn_burst_end(c, now);
}

/* Mbit/s of payload that arrived. */
static double measure(const struct run *r, uint64_t seed)
{
    static struct pair p;
    size_t bdp = (size_t)(r->rate / 8 * r->rtt / KITH_SEC);
    struct kith_quic_config cfg = {.congestion = r->cc};

    memset(&p, 0, sizeof p);
    p.net = sim_net_new(seed);
    conn_peer_init(&p.a, p.net, "192.0.2.1:9000", 1, &cfg);
    conn_peer_init(&p.b, p.net, "192.0.2.2:9000", 2, &cfg);
    p.both[0] = &p.a;
    p.both[1] = &p.b;
    sim_net_default_link(p.net, &(struct sim_link){.delay = r->rtt / 2});
    conn_peer_dial(&p.a, &p.b);
    if (!conn_peers_run(p.both, 2, established, &p, 60 * KITH_SEC))
        abort();
    sim_net_default_link(p.net, &(struct sim_link){.delay = r->rtt / 2,
                                                   .rate = r->rate,
                                                   .queue = bdp > 20000 ? bdp : 20000,
                                                   .loss_ppm = r->loss_ppm});
    if (kith_conn_stream_open(p.a.established[0], &p.stream) < 0)
        abort();
    for (int ms = 0; ms < SECONDS * 1000; ms++) {
        if (r->datagrams)
            feed_datagrams(&p);
        else
            feed_stream(&p);
        (void)conn_peers_run(p.both, 2, NULL, NULL, KITH_MSEC);
        if (p.a.n_closed + p.b.n_closed > 0)
            abort();
    }
    double bits = 8.0 * (double)(r->datagrams ? p.b.datagram_bytes : p.b.stream_bytes);
    conn_peer_fini(&p.a);
    conn_peer_fini(&p.b);
    sim_net_free(p.net);
    return bits / (double)SECONDS / 1e6;
}

static void print_row(const struct run *r, bool first)
{
    double sum = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        sum += measure(r, seed);
    printf("%s\n  {\"cc\": \"%s\", \"load\": \"%s\", \"mbit\": %u, \"rtt_ms\": %u, "
           "\"loss_percent\": %.1f, \"goodput_mbit\": %.1f}",
           first ? "" : ",", r->cc == KITH_CC_BBR ? "bbr" : "cubic",
           r->datagrams ? "datagrams" : "stream", (unsigned)(r->rate / 1000000),
           (unsigned)(r->rtt / KITH_MSEC), r->loss_ppm / 1e4, sum / (double)SEEDS);
    fflush(stdout);
}

int main(void)
{
    static const uint64_t rates[] = {20000000, 100000000};
    static const unsigned rtts[] = {20, 80}, losses[] = {0, 1000, 10000, 20000};
    bool first = true;

    printf(
        "{\"seconds\": %d, \"seeds\": %d, \"queue\": \"one bandwidth-delay product\", \"runs\": [",
        SECONDS, SEEDS);
    for (size_t rate = 0; rate < 2; rate++)
        for (size_t rtt = 0; rtt < 2; rtt++)
            for (size_t loss = 0; loss < KITH_COUNT(losses); loss++)
                for (int load = 0; load < 2; load++)
                    for (int cc = 0; cc < 2; cc++) {
                        const struct run r = {.cc = cc ? KITH_CC_BBR : KITH_CC_CUBIC,
                                              .datagrams = load == 1,
                                              .rate = rates[rate],
                                              .rtt = rtts[rtt] * KITH_MSEC,
                                              .loss_ppm = losses[loss]};
                        print_row(&r, first);
                        first = false;
                    }
    printf("\n]}\n");
    return 0;
}
