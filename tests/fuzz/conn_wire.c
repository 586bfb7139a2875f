/* Two endpoints in virtual time, the wire between them in the hands of the input: every byte of it
 * decides about one datagram. The law: nothing crashes or leaks, bytes that arrive are the bytes
 * that were sent, and when the wire is quiet both sides come to an end. */
#include <stdlib.h>

#include "lab_alloc.h"
#include "sim/conn_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WIRE_STEPS_MAX = 400 };

struct wire {
    const uint8_t *p;
    size_t n;
    struct sim_net *net;
    struct conn_peer *peer[2];
    uint8_t kept[1500]; /* an earlier datagram, to be replayed */
    size_t kept_len;
    unsigned kept_side;
};

static uint8_t next_byte(struct wire *w)
{
    if (w->n == 0)
        return 0;
    w->n--;
    return *w->p++;
}

static void hand_over(struct wire *w, unsigned side, uint8_t *data, size_t len)
{
    struct kith_rx rx = {.path = {.local = *sim_host_addr(w->peer[side]->host),
                                  .remote = *sim_host_addr(w->peer[!side]->host)},
                         .data = data,
                         .len = len,
                         .segment = len};

    kith_quic_receive(w->peer[side]->quic, &rx, sim_net_now(w->net));
}

static void inject(struct wire *w, unsigned side)
{
    uint8_t raw[64];
    size_t len = 1 + next_byte(w) % sizeof raw;

    for (size_t i = 0; i < len; i++)
        raw[i] = next_byte(w);
    hand_over(w, side, raw, len);
}

static void keep(struct wire *w, unsigned side, const uint8_t *data, size_t len)
{
    memcpy(w->kept, data, len);
    w->kept_len = len;
    w->kept_side = side;
}

static bool on_wire(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                    uint8_t *data, size_t len)
{
    struct wire *w = ctx;
    unsigned side = kith_addr_equal(from, sim_host_addr(w->peer[0]->host)); /* who receives */
    uint8_t what = next_byte(w);

    (void)to;
    switch (what % 8) {
    case 1: return false;
    case 2: /* twice, the copy at once */
        keep(w, side, data, len);
        hand_over(w, side, w->kept, w->kept_len);
        return true;
    case 3: data[(size_t)next_byte(w) * len / 256] ^= (uint8_t)(next_byte(w) | 1); return true;
    case 4: /* kept, and perhaps played again later */ keep(w, side, data, len); return false;
    case 5:
        if (w->kept_len > 0) {
            uint8_t copy[1500];
            memcpy(copy, w->kept, w->kept_len);
            hand_over(w, w->kept_side, copy, w->kept_len);
        }
        return true;
    case 6: { /* cut short */
        uint8_t copy[1500];
        size_t short_len = 1 + (size_t)next_byte(w) * (len - 1) / 256;
        memcpy(copy, data, short_len);
        hand_over(w, side, copy, short_len);
        return false;
    }
    case 7: inject(w, side); return true;
    default: return true;
    }
}

/* Everything sent is the letter of its sender, so that nothing else may arrive. */
static void on_stream(struct conn_peer *p, const struct kith_conn_event *ev)
{
    bool fin;
    struct kith_span in = kith_conn_stream_peek(ev->conn, ev->stream, &fin);
    const uint8_t want = kith_conn_dialled(ev->conn) ? 'b' : 'a';

    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != want)
            abort();
    p->stream_bytes += in.n;
    kith_conn_stream_consume(ev->conn, ev->stream, in.n);
}

static void speak(struct wire *w)
{
    uint8_t bytes[3000];
    int64_t id;

    for (unsigned side = 0; side < 2; side++) {
        struct conn_peer *p = w->peer[side];
        if (p->n_established == 0 || p->n_closed > 0)
            continue;
        memset(bytes, side == 0 ? 'a' : 'b', sizeof bytes);
        struct kith_conn *c = p->established[0];
        struct kith_span s = {bytes, sizeof bytes}, piece = {bytes, 500};
        if (kith_conn_stream_open(c, &id) == KITH_OK)
            (void)!kith_conn_stream_send(c, id, s, true);
        (void)!kith_conn_datagram_send(c, &p->batch, &piece, 1, sim_net_now(w->net));
        if (next_byte(w) == 9)
            kith_conn_stream_reset(c, id, 1);
        if (next_byte(w) == 9)
            kith_conn_close(c, 3, "as the input likes", sim_net_now(w->net));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct wire w = {.p = data, .n = n};
    struct lab_alloc heap[2];
    static struct conn_peer a, b; /* their keys and contexts cost more than a handshake */
    struct conn_peer *both[2] = {&a, &b};

    w.net = sim_net_new(n);
    lab_alloc_init(&heap[0]);
    lab_alloc_init(&heap[1]);
    conn_peer_init_with(&a, w.net, "192.0.2.1:9000", 1, NULL, &heap[0].alloc);
    conn_peer_init_with(&b, w.net, "192.0.2.2:9000", 2, NULL, &heap[1].alloc);
    a.on_stream = b.on_stream = on_stream;
    w.peer[0] = &a;
    w.peer[1] = &b;
    sim_net_set_filter(w.net, on_wire, &w);
    conn_peer_dial(&a, &b);
    for (int i = 0; i < WIRE_STEPS_MAX && w.n > 0; i++) {
        (void)conn_peers_run(both, 2, NULL, NULL, (1 + next_byte(&w)) * KITH_MSEC);
        speak(&w);
    }
    (void)conn_peers_run(both, 2, NULL, NULL, 400 * KITH_SEC); /* beyond every time-out */
    if (kith_quic_connections(a.quic) + kith_quic_connections(b.quic) > 0)
        abort();
    conn_peer_fini(&a);
    conn_peer_fini(&b);
    sim_net_free(w.net);
    if (heap[0].live + heap[1].live > 0)
        abort();
    return 0;
}
