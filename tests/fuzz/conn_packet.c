/* Raw datagrams into an endpoint that has an established connection and a half-open one. Each
 * piece of the input is a byte of length, a byte that says what to take over from a real packet,
 * and then bytes. The law: no crash, no leak, and the established connection carries on unless it
 * ended with a reason. */
#include <stdlib.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
    struct sim_net *net;
    struct conn_peer a, b;
    struct conn_peer *both[2];
    struct lab_alloc heap;
    uint8_t seen[2][1500]; /* the last long and short header packet towards b */
    size_t seen_len[2];
    bool cut;
};

static bool watch(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                  uint8_t *data, size_t len)
{
    struct world *w = ctx;
    unsigned kind = (data[0] & 0x80) == 0;

    (void)to;
    if (!kith_addr_equal(from, sim_host_addr(w->a.host)))
        return !w->cut;
    memcpy(w->seen[kind], data, len);
    w->seen_len[kind] = len;
    return true;
}

static bool established(void *ctx)
{
    const struct world *w = ctx;

    return w->a.n_established == 1 && w->b.n_established == 1;
}

static void begin(struct world *w)
{
    w->net = sim_net_new(1);
    lab_alloc_init(&w->heap);
    conn_peer_init(&w->a, w->net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init_with(&w->b, w->net, "192.0.2.2:9000", 2, NULL, &w->heap.alloc);
    w->both[0] = &w->a;
    w->both[1] = &w->b;
    sim_net_set_filter(w->net, watch, w);
    conn_peer_dial(&w->a, &w->b);
    if (!conn_peers_run(w->both, 2, established, w, 10 * KITH_SEC))
        abort();
    (void)conn_peers_run(w->both, 2, NULL, NULL, KITH_SEC);
    w->cut = true; /* the second handshake hears no answer */
    conn_peer_dial(&w->a, &w->b);
    (void)conn_peers_run(w->both, 2, NULL, NULL, 50 * KITH_MSEC);
}

/* How much of a real packet's head stays before the input's bytes. */
static const size_t heads[] = {0, 1, 5, 6, 9, 14, 15, 23, 30, 60};

static size_t make_packet(const struct world *w, uint8_t *out, const uint8_t *p, size_t n,
                          uint8_t what)
{
    unsigned kind = what & 1;
    size_t head = heads[(what >> 1) % KITH_COUNT(heads)], len = head + n;

    if (head > w->seen_len[kind])
        head = w->seen_len[kind];
    if ((what & 0x80) != 0)
        len = kind == 0 ? 1200 : 64; /* padded with what a real one has there */
    if (len < head + n)
        len = head + n;
    memcpy(out, w->seen[kind], w->seen_len[kind]);
    memcpy(out + head, p, n);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w;
    uint8_t packet[4096];

    memset(&w, 0, sizeof w);
    begin(&w);
    while (n >= 2) {
        size_t len = data[0] < n - 2 ? data[0] : n - 2;
        memset(packet, 0, sizeof packet);
        size_t packet_len = make_packet(&w, packet, data + 2, len, data[1]);
        struct kith_rx rx = {
            .path = {.local = *sim_host_addr(w.b.host), .remote = *sim_host_addr(w.a.host)},
            .data = packet,
            .len = packet_len,
            .segment = packet_len};
        rx.path.remote.port = (uint16_t)(9000 + (data[1] >> 6 & 1));
        if (packet_len > 0)
            kith_quic_receive(w.b.quic, &rx, sim_net_now(w.net));
        conn_peer_pump(&w.b);
        data += 2 + len;
        n -= 2 + len;
    }
    (void)conn_peers_run(w.both, 2, NULL, NULL, 400 * KITH_SEC);
    if (kith_quic_connections(w.b.quic) > 0)
        abort();
    conn_peer_fini(&w.a);
    conn_peer_fini(&w.b);
    sim_net_free(w.net);
    if (w.heap.live > 0)
        abort();
    return 0;
}
