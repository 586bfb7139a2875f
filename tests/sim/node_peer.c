#include "sim/node_peer.h"

#include <stdio.h>
#include <stdlib.h>

enum { WALL_START = 1795000000 }; /* 2026-11-18, at the simulation's beginning */

struct kith_now node_sim_now(const struct node_peer_sim *p)
{
    kith_time mono = sim_net_now(p->net);

    return (struct kith_now){
        .mono = mono,
        .wall = (kith_wall)((int64_t)(WALL_START + mono / KITH_SEC) + p->wall_offset)};
}

static void on_event(void *ctx, const struct kith_event *ev)
{
    struct node_peer_sim *p = ctx;

    p->seen[ev->kind]++;
    sim_host_trace(p->host, p->name, ev);
}

static void on_deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct node_peer_sim *p = ctx;

    (void)now;
    if (p->node == NULL || p->asleep)
        return;
    kith_node_receive(p->node, run, node_sim_now(p));
    p->stirred = true;
}

static bool on_tun(void *ctx, const struct kith_span *parts, size_t n)
{
    struct node_peer_sim *p = ctx;

    p->tun_packets++;
    p->last_len = 0;
    for (size_t i = 0; i < n; i++) {
        if (p->last_len + parts[i].n > sizeof p->last_packet)
            return false;
        kith_copy(p->last_packet + p->last_len, parts[i].p, parts[i].n);
        p->last_len += parts[i].n;
    }
    if (p->on_packet != NULL)
        p->on_packet(p->ctx, p);
    return true;
}

int node_sim_try_start(struct node_peer_sim *p)
{
    struct kith_node_why why = {.text = ""};
    uint16_t port = sim_host_addr(p->host)->port;
    struct kith_addr listen[] = {{.ip = kith_ip4(0, 0, 0, 0), .port = port},
                                 {.ip = kith_ip4(127, 0, 0, 1), .port = port}};
    struct kith_node_config cfg = {
        .identity = &p->identity,
        .name = p->name,
        .software = "kith test",
        .quic = {.congestion = p->congestion},
        .vpn = {.mtu = 1400},
        .tun = {.write = on_tun, .ctx = p},
        .batch = &p->batch,
        .listen = listen,
        .n_listen = p->on_loopback ? 2 : 1,
        .peers_max = p->peers_max,
        .eager_max = p->eager_max,
        .company_size = p->company_size,
        .forward_nothing = p->forward_nothing,
        .paths_max = p->paths_max,
    };

    int err = kith_node_new(&cfg, &p->env, p->store, node_sim_now(p), &p->node, &why);
    if (err >= 0)
        kith_node_host_changed(p->node, &sim_host_addr(p->host)->ip, 1, false, node_sim_now(p));
    else
        p->last_why = why;
    return err;
}

static void start(struct node_peer_sim *p)
{
    if (node_sim_try_start(p) < 0) {
        fprintf(stderr, "node: %s\n", p->last_why.text);
        abort();
    }
}

static void install(struct node_peer_sim *p)
{
    if (kith_store_open(":memory:", &p->env, &p->store, NULL) < 0)
        abort();
    start(p);
}

static void take_key(struct node_peer_sim *p, const struct kith_sign_seed *key)
{
    if (kith_identity_from_seed(p->env.alloc, key, &p->identity) < 0)
        abort();
}

void node_sim_prepare(struct node_peer_sim *p, struct sim_net *net, const char *name,
                      const char *addr, const struct kith_sign_seed *key,
                      const struct kith_alloc *alloc)
{
    memset(p, 0, sizeof *p);
    p->net = net;
    p->name = name;
    p->events = (struct kith_events){.sink = on_event, .ctx = p};
    p->env = (struct kith_env){.alloc = alloc, .random = sim_net_random(net), .events = &p->events};
    p->host = sim_host_add(net, addr, on_deliver, p);
    sim_host_batch(p->host, &p->transport, &p->batch);
    take_key(p, key);
}

void node_sim_init_with(struct node_peer_sim *p, struct sim_net *net, const char *name,
                        const char *addr, const struct kith_sign_seed *key,
                        const struct kith_alloc *alloc)
{
    node_sim_prepare(p, net, name, addr, key, alloc);
    install(p);
}

void node_sim_init(struct node_peer_sim *p, struct sim_net *net, const char *name, const char *addr,
                   uint8_t seed)
{
    struct kith_sign_seed s = {{seed, 77}};

    node_sim_init_with(p, net, name, addr, &s, &kith_heap);
}

void node_sim_fini(struct node_peer_sim *p)
{
    kith_node_free(p->node);
    kith_store_close(p->store);
    kith_tx_fini(&p->batch);
    kith_identity_fini(&p->identity);
}

void node_sim_restart(struct node_peer_sim *p)
{
    kith_node_free(p->node);
    start(p);
}

void node_sim_kill(struct node_peer_sim *p)
{
    kith_node_free(p->node);
    p->node = NULL;
}

void node_sim_reinstall(struct node_peer_sim *p, const struct kith_sign_seed *key)
{
    node_sim_kill(p);
    kith_store_close(p->store);
    kith_identity_fini(&p->identity);
    take_key(p, key);
    install(p);
}

void node_sim_move(struct node_peer_sim *p, const char *addr)
{
    sim_host_move(p->host, addr);
    kith_node_host_changed(p->node, &sim_host_addr(p->host)->ip, 1, true, node_sim_now(p));
}

static void take_effects(struct node_peer_sim *p)
{
    struct kith_node_effect fx;

    while (kith_node_next_effect(p->node, node_sim_now(p), &fx)) {
        switch (fx.kind) {
        case KITH_NODE_OVERLAY: p->overlays++; break;
        case KITH_NODE_DONE:
            p->dones++;
            p->last_err = fx.err;
            p->last_why = fx.why;
            break;
        case KITH_NODE_PONG:
            p->pongs += !fx.lost;
            p->lost += fx.lost;
            memcpy(p->last_route, fx.route, sizeof p->last_route);
            p->last_hops = fx.hops;
            break;
        case KITH_NODE_STOPPED: p->stops++; break;
        }
    }
}

kith_time node_sim_turn(struct node_peer_sim *p)
{
    struct kith_now now = node_sim_now(p);

    if (kith_node_deadline(p->node) <= now.mono)
        kith_node_tick(p->node, now);
    take_effects(p);
    kith_node_flush(p->node, now);
    take_effects(p);
    kith_node_flush(p->node, now);
    p->stirred = false;
    return kith_node_deadline(p->node);
}

/* Who has nothing to do is left alone: a network of many is mostly that. `asked`: somebody was
 * given the time to ask for something. When the first of them is to be looked at again. */
static kith_time look_after(struct node_peer_sim **peers, size_t n, bool asked)
{
    kith_time next = KITH_NEVER;

    for (size_t i = 0; i < n; i++) {
        struct node_peer_sim *p = peers[i];
        if (p->node == NULL || p->asleep)
            continue;
        if (asked || p->stirred || p->next_at <= sim_net_now(p->net))
            p->next_at = node_sim_turn(p);
        next = kith_sooner(next, p->next_at);
    }
    return next;
}

bool node_sims_run(struct node_peer_sim **peers, size_t n, bool (*pred)(void *ctx), void *ctx,
                   kith_dur limit)
{
    struct sim_net *net = peers[0]->net;
    kith_time end = kith_after(sim_net_now(net), limit);

    for (bool asked = true;; asked = pred != NULL) {
        kith_time next = look_after(peers, n, asked);
        if (pred != NULL && pred(ctx))
            return true;
        if (sim_net_now(net) >= end)
            return false;
        next = kith_sooner(next, end);
        sim_net_run(net, next > sim_net_now(net) ? next : sim_net_now(net));
    }
}

/* ---- packets, built by hand (RFC 791, 8200, 768) ---- */

static uint32_t add16(uint32_t sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    if (n % 2 != 0)
        sum += (uint32_t)p[n - 1] << 8;
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

size_t node_sim_udp(const struct kith_ip *from, const struct kith_ip *to, struct kith_span payload,
                    uint8_t b[NODE_SIM_PACKET_MAX])
{
    struct kith_span src = kith_ip_bytes(from), dst = kith_ip_bytes(to);
    size_t head = from->family == KITH_FAMILY_IP4 ? 20 : 40, udp = 8 + payload.n;

    memset(b, 0, head + 8);
    if (head == 20) {
        b[0] = 0x45;
        put16(b + 2, head + udp);
        b[6] = 0x40; /* don't fragment */
        b[8] = 64;
        b[9] = 17;
        memcpy(b + 12, src.p, 4);
        memcpy(b + 16, dst.p, 4);
        put16(b + 10, fold(add16(0, b, 20)));
    } else {
        b[0] = 0x60;
        put16(b + 4, udp);
        b[6] = 17;
        b[7] = 64;
        memcpy(b + 8, src.p, 16);
        memcpy(b + 24, dst.p, 16);
    }
    put16(b + head, 4000);
    put16(b + head + 2, 5000);
    put16(b + head + 4, udp);
    memcpy(b + head + 8, payload.p, payload.n);
    uint32_t sum = add16(0, src.p, src.n);
    sum = add16(sum, dst.p, dst.n) + 17 + (uint32_t)udp;
    put16(b + head + 6, fold(add16(sum, b + head, udp)));
    return head + udp;
}

void node_sim_send_udp(struct node_peer_sim *p, const struct kith_ip *from,
                       const struct kith_ip *to, size_t len)
{
    uint8_t payload[NODE_SIM_PACKET_MAX], b[NODE_SIM_PACKET_MAX];

    for (size_t i = 0; i < len; i++)
        payload[i] = (uint8_t)i;
    size_t n = node_sim_udp(from, to, (struct kith_span){payload, len}, b);
    kith_node_from_tun(p->node, b, n, node_sim_now(p));
}
