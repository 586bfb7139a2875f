/* What a handshake costs: CPU time of both ends together, bytes, round trips, and what an idle
 * connection keeps. Two endpoints in one process, in virtual time. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"

enum { HANDSHAKES = 300, IDLE_PAIRS = 200, DELAY_MS = 50 };

struct wire_count {
    struct kith_addr dialler;
    uint64_t bytes[2], datagrams[2]; /* from the dialling and from the accepting side */
    bool stop;
};

static bool count(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct wire_count *w = ctx;
    unsigned side = !kith_addr_equal(from, &w->dialler);

    (void)to, (void)data;
    if (!w->stop) {
        w->bytes[side] += len;
        w->datagrams[side]++;
    }
    return true;
}

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    struct lab_alloc heap[2];
    size_t want;
};

static bool established(void *ctx)
{
    const struct pair *p = ctx;

    return kith_quic_counters(p->a.quic)->established >= p->want &&
           kith_quic_counters(p->b.quic)->established >= p->want;
}

static void begin(struct pair *p)
{
    memset(p, 0, sizeof *p);
    p->net = sim_net_new(1);
    sim_net_default_link(p->net, &(struct sim_link){.delay = DELAY_MS * KITH_MSEC});
    for (int i = 0; i < 2; i++)
        lab_alloc_init(&p->heap[i]);
    conn_peer_init_with(&p->a, p->net, "192.0.2.1:9000", 1, NULL, &p->heap[0].alloc);
    conn_peer_init_with(&p->b, p->net, "192.0.2.2:9000", 2, NULL, &p->heap[1].alloc);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
}

static void end(struct pair *p)
{
    conn_peer_fini(&p->a);
    conn_peer_fini(&p->b);
    sim_net_free(p->net);
}

static void shake(struct pair *p)
{
    p->want++;
    conn_peer_dial(&p->a, &p->b);
    if (!conn_peers_run(p->both, 2, established, p, 10 * KITH_SEC))
        abort();
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    static struct pair p;
    static double ms[HANDSHAKES];
    struct wire_count w = {0};

    begin(&p);
    w.dialler = *sim_host_addr(p.a.host);
    sim_net_set_filter(p.net, count, &w);
    kith_time start = sim_net_now(p.net);
    shake(&p);
    double round_trips = (double)(sim_net_now(p.net) - start) / (double)(2 * DELAY_MS * KITH_MSEC);
    w.stop = true;
    for (int i = 0; i < HANDSHAKES; i++) {
        double from = cpu_ms();
        shake(&p);
        ms[i] = cpu_ms() - from;
    }
    qsort(ms, HANDSHAKES, sizeof *ms, compare);
    end(&p);

    begin(&p);
    shake(&p);
    (void)conn_peers_run(p.both, 2, NULL, NULL, KITH_SEC);
    size_t ours[2] = {p.heap[0].bytes, p.heap[1].bytes}, all = mallinfo2().uordblks;
    for (int i = 0; i < IDLE_PAIRS; i++)
        shake(&p);
    (void)conn_peers_run(p.both, 2, NULL, NULL, KITH_SEC);
    size_t pair_bytes = mallinfo2().uordblks - all;
    printf(
        "{\"handshakes\": %d, \"cpu_ms_both_ends_median\": %.3f, \"cpu_ms_both_ends_p90\": %.3f, "
        "\"bytes_dialler\": %llu, \"bytes_accepter\": %llu, \"datagrams_dialler\": %llu, "
        "\"datagrams_accepter\": %llu, \"round_trips_until_both_are_sure\": %.2f, "
        "\"idle_bytes_dialled\": %zu, \"idle_bytes_accepted\": %zu, "
        "\"idle_bytes_pair_with_openssl\": %zu}\n",
        HANDSHAKES, ms[HANDSHAKES / 2], ms[HANDSHAKES * 9 / 10], (unsigned long long)w.bytes[0],
        (unsigned long long)w.bytes[1], (unsigned long long)w.datagrams[0],
        (unsigned long long)w.datagrams[1], round_trips, (p.heap[0].bytes - ours[0]) / IDLE_PAIRS,
        (p.heap[1].bytes - ours[1]) / IDLE_PAIRS, pair_bytes / IDLE_PAIRS);
    end(&p);
    return 0;
}
