/* What a handshake costs: processor time of both ends together, bytes, round trips; and what an
 * idle connection keeps, below sessions. Two endpoints in one process, in virtual time: nothing of
 * the kernel's is in it. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab_alloc.h"
#include "report.h"
#include "sim/conn_peer.h"

enum { HANDSHAKES = 300, IDLE_PAIRS = 40, IDLE_ROUNDS = 5, DELAY_MS = 50 };

static struct report report;

struct wire_count {
    struct kith_addr dialler;
    uint64_t bytes[2], datagrams[2]; /* with handshake packets: from the dialling, the other side */
    uint64_t all_bytes[2];           /* with what followed until both were sure */
    bool stop;
};

static bool count(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct wire_count *w = ctx;
    unsigned side = !kith_addr_equal(from, &w->dialler);

    (void)to;
    if (w->stop)
        return true;
    w->all_bytes[side] += len;
    if ((data[0] & 0x80) != 0) { /* a long header: Initial or Handshake (RFC 9000 17.2) */
        w->bytes[side] += len;
        w->datagrams[side]++;
    }
    return true;
}

struct pair {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    struct lab_alloc heap[2];
    size_t want;
    kith_time accepted_at; /* when the accepting side had proof of the other's key; 0: not yet */
};

static bool established(void *ctx)
{
    struct pair *p = ctx;

    if (p->accepted_at == 0 && kith_quic_counters(p->b.quic)->established >= p->want)
        p->accepted_at = sim_net_now(p->net);
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
    p->accepted_at = 0;
    conn_peer_dial(&p->a, &p->b);
    if (!conn_peers_run(p->both, 2, established, p, 10 * KITH_SEC))
        bench_give_up("no handshake");
}

static void add_wire(const struct wire_count *w)
{
    static const char about[] = "UDP payload with handshake packets";

    report_add(&report, "handshake_bytes_out", "B", about, (double)w->bytes[0]);
    report_add(&report, "handshake_bytes_in", "B", about, (double)w->bytes[1]);
    report_add(&report, "handshake_datagrams_out", "1", "their number", (double)w->datagrams[0]);
    report_add(&report, "handshake_datagrams_in", "1", "their number", (double)w->datagrams[1]);
    report_add(&report, "until_sure_bytes_out", "B",
               "all UDP payload until both are sure, probes of the path's MTU among it",
               (double)w->all_bytes[0]);
    report_add(&report, "until_sure_bytes_in", "B", "the other way", (double)w->all_bytes[1]);
}

/* The dialling side has all it needs, and sends, one way before the other is sure of it. */
static void add_times(const struct pair *p, kith_time start)
{
    const double rtt = (double)(2 * DELAY_MS * KITH_MSEC);
    double accepted = (double)(p->accepted_at - start) / rtt;

    report_add(&report, "handshake_round_trips", "1",
               "of 100 ms, from the first packet to the last flight of the dialling side",
               accepted - 0.5);
    report_add(&report, "round_trips_until_both_are_sure", "1",
               "until HANDSHAKE_DONE, for which the dialling side waits",
               (double)(sim_net_now(p->net) - start) / rtt);
}

static void measure_handshakes(struct pair *p)
{
    struct wire_count w = {.dialler = *sim_host_addr(p->a.host)};
    kith_time start = sim_net_now(p->net);

    sim_net_set_filter(p->net, count, &w);
    shake(p);
    add_times(p, start);
    w.stop = true;
    for (int i = 0; i < HANDSHAKES; i++) {
        kith_dur from = bench_cpu();
        shake(p);
        report_add(&report, "handshake_cpu_ms", "ms", "processor time of both ends together",
                   (double)(bench_cpu() - from) / 1e6);
    }
    add_wire(&w);
}

/* All rounds together take less virtual time than the idle time-out of 60 s. */
static void measure_idle(struct pair *p)
{
    size_t ours[2] = {p->heap[0].bytes, p->heap[1].bytes}, all = mallinfo2().uordblks;

    for (int i = 0; i < IDLE_PAIRS; i++)
        shake(p);
    (void)conn_peers_run(p->both, 2, NULL, NULL, KITH_SEC);
    report_add(&report, "connection_bytes_dialled", "B", "heap without OpenSSL, idle connection",
               (double)(p->heap[0].bytes - ours[0]) / (double)IDLE_PAIRS);
    report_add(&report, "connection_bytes_accepted", "B", "heap without OpenSSL, idle connection",
               (double)(p->heap[1].bytes - ours[1]) / (double)IDLE_PAIRS);
    report_add(&report, "connection_bytes_pair", "B", "heap with OpenSSL, both ends of one",
               (double)(mallinfo2().uordblks - all) / (double)IDLE_PAIRS);
}

int main(void)
{
    static struct pair p;

    begin(&p);
    measure_handshakes(&p);
    end(&p);
    begin(&p);
    shake(&p);
    (void)conn_peers_run(p.both, 2, NULL, NULL, KITH_SEC);
    for (int i = 0; i < IDLE_ROUNDS; i++)
        measure_idle(&p);
    end(&p);
    report_print(&report);
    return 0;
}
