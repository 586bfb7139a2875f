/* What a packet costs the one in between, beside the kernel: three whole nodes of one process, the
 * daemon's capabilities, no sockets. Runs of 64 packets of 1,200 bytes go from a laptop to a
 * desktop: in one world both hear each other, in the other only the relay. The two take turns,
 * round by round. A node's cost is the processor time of its turns: answers, acknowledgements,
 * reports and timers are in it, and one copy of each datagram, where the kernel would make one.
 * Packets as large as the tunnel's MTU are a figure of their own: two layers of headers leave less
 * room than there is on the wire.
 *
 * Beside them the relay engine alone (mesh/relay.h), with one flow and with as many as a neighbour
 * may begin: what it does not cost is the session's and the connection's, which open and seal. */
#include <stdio.h>
#include <stdlib.h>

#include "conn/plane.h"
#include "identity/ticket.h"
#include "mesh/relay.h"
#include "node/node.h"
#include "report.h"
#include "vpn/checksum.h"
#include "wire/datagram.h"

enum {
    PACKET = 1200, /* bytes of an IP packet; and of one that fills the tunnel's MTU */
    FULL = KITH_VPN_MTU,
    BATCH = 64,    /* packets of a run: what one GSO send takes */
    BATCHES = 200, /* of a round */
    ROUNDS = 9,
    WARM_UP = 100, /* batches */
    BURST = 24,    /* of them at once: about what a socket gives in one reading, 32 runs of 64 kB */
    FLIGHT_RUNS = 1024,
    FLIGHT_BYTES = 4 * 1024 * 1024,
};
#define STEP (200 * KITH_USEC) /* from one machine to another */
#define GAP (10 * KITH_MSEC)   /* between batches: so many that pacing holds none of a batch back */
#define WALL ((kith_wall)1800000000)

static struct report report;

/* ---- three machines ---- */

enum { LAPTOP, RELAY, DESKTOP, MACHINES };

struct flight { /* what is on its way to a machine, copied */
    struct kith_rx run[FLIGHT_RUNS];
    size_t n, used;
    uint8_t bytes[FLIGHT_BYTES];
};

struct world;

struct machine {
    struct world *world;
    struct kith_identity identity;
    struct kith_store *store;
    struct kith_tx_batch batch;
    struct kith_node *node;
    struct kith_addr addr;
    struct kith_ip ip; /* in the network */
    struct flight *coming, *here;
    kith_dur cpu;     /* of its turns */
    uint64_t packets; /* that came out of its tunnel */
    uint64_t sealed;  /* datagrams of the second plane that it sent */
    size_t joined;
};

struct world {
    struct machine machine[MACHINES];
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_env env;
    kith_time now;
    bool parted; /* laptop and desktop don't hear each other */
};

static struct kith_now now_of(const struct world *w)
{
    return (struct kith_now){.mono = w->now, .wall = WALL + (kith_wall)(w->now / KITH_SEC)};
}

static struct machine *machine_at(struct world *w, const struct kith_addr *addr)
{
    for (size_t i = 0; i < MACHINES; i++)
        if (kith_addr_equal(&w->machine[i].addr, addr))
            return &w->machine[i];
    return NULL;
}

static void fly(const struct machine *from, struct machine *to, const struct kith_tx *run)
{
    struct flight *f = to->coming;

    if (f->n == FLIGHT_RUNS || run->len > FLIGHT_BYTES - f->used)
        bench_give_up("more is on its way than there is room for");
    uint8_t *at = f->bytes + f->used;
    memcpy(at, run->data, run->len);
    f->used += run->len;
    f->run[f->n++] = (struct kith_rx){.path = {.local = to->addr, .remote = from->addr},
                                      .data = at,
                                      .len = run->len,
                                      .segment = run->segment,
                                      .ecn = run->ecn};
}

static uint64_t sealed_in(const struct kith_tx *run)
{
    uint64_t n = 0;

    for (size_t at = 0; at < run->len; at += run->segment)
        n += run->data[at] == KITH_PLANE_TYPE;
    return n;
}

static size_t take_off(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct machine *m = ctx;
    struct world *w = m->world;

    for (size_t i = 0; i < n; i++) {
        m->sealed += sealed_in(&runs[i]);
        struct machine *to = machine_at(w, &runs[i].path.remote);
        bool across = m != &w->machine[RELAY] && to != &w->machine[RELAY];
        if (to != NULL && !(across && w->parted))
            fly(m, to, &runs[i]);
    }
    return n;
}

static const struct kith_transport_ops flying = {.send = take_off};

static bool on_tun(void *ctx, const struct kith_span *parts, size_t n)
{
    struct machine *m = ctx;

    (void)parts, (void)n;
    m->packets++;
    return true;
}

static struct flight *new_flight(void)
{
    struct flight *f = kith_new_zero(&kith_heap, sizeof *f);

    if (f == NULL)
        bench_give_up("memory");
    return f;
}

static void machine_init(struct world *w, struct machine *m, const char *name, uint8_t number)
{
    const struct kith_sign_seed seed = {{number, 55}};
    const struct kith_transport t = {
        .ops = &flying, .ctx = m, .info = {.kind = "udp", .mtu = 65507, .max_run = 65507}};
    struct kith_node_why why;
    uint32_t index;

    m->world = w;
    m->addr = (struct kith_addr){.ip = kith_ip4(192, 0, 2, number), .port = 9000};
    m->coming = new_flight();
    m->here = new_flight();
    bench_must(kith_identity_from_seed(&kith_heap, &seed, &m->identity), "an identity");
    bench_must(kith_store_open(":memory:", &w->env, &m->store, NULL), "a store");
    bench_must(kith_tx_init(&m->batch, &kith_heap), "a batch");
    bench_must(kith_tx_add_transport(&m->batch, &t, &index), "a transport");
    const struct kith_node_config cfg = {
        .identity = &m->identity,
        .name = name,
        .software = "kith bench",
        .quic = {.congestion = KITH_CC_BBR, .cipher = KITH_CIPHER_AES},
        .vpn = {.mtu = KITH_VPN_MTU},
        .tun = {.write = on_tun, .ctx = m},
        .batch = &m->batch,
        .capabilities = KITH_CAP_CHECKSUM | KITH_CAP_PLANE,
        .listen = &m->addr,
        .n_listen = 1,
    };
    bench_must(kith_node_new(&cfg, &w->env, m->store, now_of(w), &m->node, &why), "a node");
    kith_node_host_changed(m->node, &m->addr.ip, 1, false, now_of(w));
}

static void machine_fini(struct machine *m)
{
    kith_node_free(m->node);
    kith_store_close(m->store);
    kith_tx_fini(&m->batch);
    kith_identity_fini(&m->identity);
    kith_free(&kith_heap, m->coming);
    kith_free(&kith_heap, m->here);
}

/* ---- time ---- */

static void effects(struct machine *m, struct kith_now now)
{
    struct kith_node_effect fx;

    while (kith_node_next_effect(m->node, now, &fx)) {
        if (fx.kind != KITH_NODE_DONE)
            continue;
        bench_must(fx.err, "joining");
        m->joined++;
    }
}

/* As the daemon's (loop/pump.c). */
static void turn(struct machine *m)
{
    struct kith_now now = now_of(m->world);
    kith_dur before = bench_cpu();

    for (size_t i = 0; i < m->here->n; i++)
        kith_node_receive(m->node, &m->here->run[i], now);
    m->here->n = m->here->used = 0;
    if (kith_node_deadline(m->node) <= now.mono)
        kith_node_tick(m->node, now);
    effects(m, now);
    kith_node_flush(m->node, now);
    effects(m, now);
    m->cpu += bench_cpu() - before;
}

static void land(struct machine *m)
{
    struct flight *f = m->here;

    m->here = m->coming;
    m->coming = f;
}

/* One step; or, while nothing flies, at once to the next that is due. */
static void step(struct world *w, kith_time end)
{
    kith_time next = end;
    bool flies = false;

    for (size_t i = 0; i < MACHINES; i++) {
        next = kith_sooner(next, kith_node_deadline(w->machine[i].node));
        flies |= w->machine[i].coming->n > 0;
    }
    if (flies || next < w->now + STEP)
        next = w->now + STEP;
    w->now = next;
    for (size_t i = 0; i < MACHINES; i++)
        land(&w->machine[i]);
    for (size_t i = 0; i < MACHINES; i++)
        if (w->machine[i].here->n > 0 || kith_node_deadline(w->machine[i].node) <= w->now)
            turn(&w->machine[i]);
}

static void pass(struct world *w, kith_dur d)
{
    kith_time end = w->now + d;

    while (w->now < end)
        step(w, end);
}

/* ---- a network, and packets in it ---- */

static void join(struct world *w, struct machine *m)
{
    const struct kith_invite plain = {.valid = 86400, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    bench_must(kith_node_invite(w->machine[RELAY].node, &plain, now_of(w), ticket, sizeof ticket,
                                &net, &expires, &why),
               "inviting");
    bench_must(kith_node_join(m->node, ticket, NULL, 1, now_of(w), &why), "joining");
    pass(w, 2 * KITH_SEC);
    if (m->joined != 1)
        bench_give_up("nobody answers who wants to join");
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* An IPv4 packet with UDP inside (RFC 791, 768), whose checksum is none. */
static void make_packet(const struct kith_ip *from, const struct kith_ip *to, uint8_t *p, size_t n)
{
    enum { IP = 20, UDP = 17 };

    memset(p, 0, n);
    p[0] = 0x45;
    put16(p + 2, n);
    p[6] = 0x40; /* don't fragment */
    p[8] = 64;
    p[9] = UDP;
    memcpy(p + 12, from->b, 4);
    memcpy(p + 16, to->b, 4);
    put16(p + 10, (uint16_t)~kith_sum_fold(kith_sum_add(0, p, IP)));
    put16(p + IP, 4000);
    put16(p + IP + 2, 5000);
    put16(p + IP + 4, n - IP);
}

/* A run of packets goes into the laptop's tunnel, and on its way. */
static void send_run(struct world *w, size_t size)
{
    struct machine *m = &w->machine[LAPTOP];
    uint8_t packet[FULL];
    kith_dur before = bench_cpu();

    for (size_t i = 0; i < BATCH; i++) {
        make_packet(&m->ip, &w->machine[DESKTOP].ip, packet, size);
        kith_node_from_tun(m->node, packet, size, now_of(w));
    }
    m->cpu += bench_cpu() - before;
    turn(m);
}

static void send_batch(struct world *w, size_t size)
{
    send_run(w, size);
    pass(w, GAP);
}

/* The relay was busy elsewhere, and finds many runs in its socket at once. Of all packets, the
 * share that is lost before the desktop's tunnel. */
static double lost_of_burst(struct world *w)
{
    uint64_t came = w->machine[DESKTOP].packets;

    for (size_t i = 0; i < BURST; i++)
        send_run(w, PACKET);
    pass(w, KITH_SEC);
    came = w->machine[DESKTOP].packets - came;
    return 1 - (double)came / (BURST * BATCH);
}

/* The laptop's session with the desktop. */
static const struct kith_peer_info *session(const struct world *w)
{
    static struct kith_peer_info info;
    const struct machine *m = &w->machine[LAPTOP];
    struct kith_session *at = NULL;

    while (kith_node_next_peer(m->node, &at, now_of(w).wall, &info))
        if (kith_peer_id_equal(&info.session.peer, &w->machine[DESKTOP].identity.id))
            return &info;
    bench_give_up("laptop and desktop have no session");
}

static void check_route(const struct world *w)
{
    const char *wanted = w->parted ? "relay via relay" : "direct udp 192.0.2.3:9000";
    const char *route = session(w)->route;

    if (strcmp(route, wanted) != 0) {
        fprintf(stderr, "bench: packets go %s, not %s\n", route, wanted);
        bench_give_up("not the way that was to be measured");
    }
}

static void learn_address(struct world *w, struct machine *m)
{
    struct kith_network_info info = {.name = ""};
    size_t at = 0;

    if (!kith_node_next_network(m->node, &at, now_of(w).wall, &info))
        bench_give_up("a member has no network");
    m->ip = info.ip4;
}

static void world_init(struct world *w, bool parted)
{
    static const char *const names[MACHINES] = {"laptop", "relay", "desktop"};
    struct kith_network_info info;
    struct kith_prefix range;
    struct kith_node_why why;

    w->now = 1000 * KITH_SEC;
    w->parted = parted;
    kith_random_seeded_init(&w->seeded, 1);
    w->random = kith_random_from_seed(&w->seeded);
    w->env = (struct kith_env){.alloc = &kith_heap, .random = &w->random};
    for (size_t i = 0; i < MACHINES; i++)
        machine_init(w, &w->machine[i], names[i], (uint8_t)(i + 1));
    bench_must(kith_prefix_parse("100.80.0.0/16", &range), "a range");
    bench_must(
        kith_node_network_create(w->machine[RELAY].node, "home", &range, now_of(w), &info, &why),
        "a network");
    join(w, &w->machine[LAPTOP]);
    join(w, &w->machine[DESKTOP]);
    for (size_t i = 0; i < MACHINES; i++)
        learn_address(w, &w->machine[i]);
    pass(w, 5 * KITH_SEC); /* everybody has met */
    for (size_t i = 0; i < WARM_UP; i++)
        send_batch(w, PACKET);
    check_route(w);
}

static void world_fini(struct world *w)
{
    for (size_t i = 0; i < MACHINES; i++)
        machine_fini(&w->machine[i]);
}

/* ---- a round ---- */

struct cost { /* ns a packet */
    double ends, relay;
    double carried; /* datagrams of flows that the relay sent on, a packet */
};

static struct cost round_of(struct world *w, size_t size)
{
    const unsigned packets = BATCH * BATCHES;
    struct machine *m = w->machine;
    uint64_t came = m[DESKTOP].packets;
    uint64_t carried = kith_node_relay_counters(m[RELAY].node)->forwarded;

    for (size_t i = 0; i < MACHINES; i++)
        m[i].cpu = m[i].sealed = 0;
    for (size_t i = 0; i < BATCHES; i++)
        send_batch(w, size);
    came = m[DESKTOP].packets - came;
    carried = kith_node_relay_counters(m[RELAY].node)->forwarded - carried;
    check_route(w);
    if (came != packets) {
        fprintf(stderr, "bench: %llu of %u packets came\n", (unsigned long long)came, packets);
        bench_give_up("not every packet came");
    }
    if (w->parted ? carried < packets : carried != 0)
        bench_give_up("the relay was not between those who don't hear each other, or else it was");
    if (m[LAPTOP].sealed < packets || (w->parted && m[RELAY].sealed < packets))
        bench_give_up("not by the second plane");
    return (struct cost){.ends = (double)(m[LAPTOP].cpu + m[DESKTOP].cpu) / packets,
                         .relay = (double)m[RELAY].cpu / packets,
                         .carried = (double)carried / packets};
}

static void note(const char *name, const char *unit, const char *about, double value)
{
    report_add(&report, name, unit, about, value);
}

/* One world after the other; what the relay's node costs. */
static double compare(struct world *direct, struct world *relayed)
{
    struct cost d = round_of(direct, PACKET), r = round_of(relayed, PACKET);
    struct cost full = round_of(relayed, FULL);

    note("forward_cpu_ns", "ns", "processor time of the node in between, for a packet", r.relay);
    note("forward_packets_per_second", "1/s", "by one core at the node in between", 1e9 / r.relay);
    note("forward_datagrams_per_packet", "1",
         "datagrams of flows that it sends on, those of the other direction included", r.carried);
    note("direct_ends_cpu_ns", "ns", "both ends together, for a packet that goes directly", d.ends);
    note("relayed_ends_cpu_ns", "ns", "both ends together, for a packet that is relayed", r.ends);
    note("relayed_vs_direct_cpu", "1", "direct ends by relayed ends and relay together",
         d.ends / (r.ends + r.relay));
    note("forward_full_cpu_ns", "ns", "of the node in between, for a packet of 1,400 bytes",
         full.relay);
    note("forward_full_datagrams_per_packet", "1", "datagrams of flows that it sends on for one",
         full.carried);
    note("direct_burst_lost", "1", "share of 1,536 packets that come to a node in one turn",
         lost_of_burst(direct));
    note("relayed_burst_lost", "1", "the same, first at the relay, then at the other end",
         lost_of_burst(relayed));
    note("direct_datagram_bytes", "bytes", "the largest datagram of a direct session",
         (double)session(direct)->session.datagram_max);
    note("relayed_datagram_bytes", "bytes", "the largest datagram of a relayed session",
         (double)session(relayed)->session.datagram_max);
    return r.relay;
}

/* ---- the engine alone ---- */

enum { FROM = 1, TO = 2, ROOM = 1400, ENGINE_BATCHES = 2000 };
#define HIGH (UINT32_C(1) << 31) /* of the labels that FROM chooses */

struct engine {
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_env env;
    struct kith_relay *relay;
    uint32_t flows;
    kith_time now;
};

static bool to_the_other(void *ctx, const struct kith_destination *to, uint32_t from,
                         const uint32_t *not_by, size_t n, kith_time now, uint32_t *ret)
{
    (void)ctx, (void)to, (void)from, (void)not_by, (void)now;
    *ret = TO;
    return n == 0;
}

static bool never_here(void *ctx, const struct kith_destination *to)
{
    (void)ctx, (void)to;
    return false;
}

static void never_fails(void *ctx, const struct kith_destination *to, uint32_t neighbour,
                        bool silent, kith_time now)
{
    (void)ctx, (void)to, (void)neighbour, (void)silent, (void)now;
    bench_give_up("a way failed");
}

static bool no_better(void *ctx, const struct kith_destination *to, uint32_t by, kith_time now,
                      uint32_t *ret)
{
    (void)ctx, (void)to, (void)by, (void)now, (void)ret;
    return false;
}

static size_t room(void *ctx, uint32_t neighbour)
{
    (void)ctx, (void)neighbour;
    return ROOM;
}

static void hear(struct engine *e, const uint8_t *p, size_t n)
{
    if (!kith_relay_heard(e->relay, FROM, (struct kith_span){p, n}, 0, e->now))
        bench_give_up("the relay does not understand");
}

/* How many of these bytes leave for the other side. */
static size_t leave(struct engine *e, size_t bytes)
{
    struct kith_relay_out out;
    size_t n = 0;

    while (kith_relay_next_out(e->relay, &out))
        n += out.neighbour == TO && out.datagram.n == bytes;
    kith_relay_taken(e->relay);
    return n;
}

static void open_flow(struct engine *e, uint32_t label)
{
    struct kith_flow_open m = {.hops = 10, .label = label, .attempt = 1};
    uint8_t buf[64];
    size_t n;

    kith_random_fill(&e->random, &m.flow, sizeof m.flow);
    kith_random_fill(&e->random, &m.destination, sizeof m.destination);
    bench_must(kith_flow_open_encode(&m, buf, sizeof buf, &n), "a flow");
    e->now += 10 * KITH_MSEC; /* a hundred a second are let in */
    hear(e, buf, n);
    if (leave(e, n) != 1)
        bench_give_up("a flow is not led on");
}

static void engine_init(struct engine *e, uint32_t flows)
{
    const struct kith_relay_ops ops = {.way = to_the_other,
                                       .is_here = never_here,
                                       .failed = never_fails,
                                       .better = no_better,
                                       .room = room};

    e->flows = flows;
    e->now = 1000 * KITH_SEC;
    kith_random_seeded_init(&e->seeded, 2);
    e->random = kith_random_from_seed(&e->seeded);
    e->env = (struct kith_env){.alloc = &kith_heap, .random = &e->random};
    bench_must(kith_relay_new(&e->env, &ops, &e->relay), "a relay");
    bench_must(kith_relay_join(e->relay, FROM, false), "a neighbour");
    bench_must(kith_relay_join(e->relay, TO, false), "a neighbour");
    for (uint32_t i = 0; i < flows; i++)
        open_flow(e, HIGH | i);
}

/* ns a packet; flows take turns, as those of many ends do. */
static double engine_round(struct engine *e)
{
    static uint8_t packet[PACKET], buf[BATCH][ROOM];
    kith_dur spent = 0;
    size_t left = 0;
    uint32_t flow = 0;

    for (size_t i = 0; i < ENGINE_BATCHES; i++) {
        size_t n = 0;
        for (size_t k = 0; k < BATCH; k++) {
            const struct kith_flow_packet m = {
                .hops = 10, .label = HIGH | flow++ % e->flows, .packet = {packet, sizeof packet}};
            bench_must(kith_flow_packet_encode(&m, buf[k], ROOM, &n), "a packet");
        }
        kith_dur before = bench_cpu();
        for (size_t k = 0; k < BATCH; k++)
            hear(e, buf[k], n);
        left += leave(e, n);
        spent += bench_cpu() - before;
    }
    if (left != (size_t)ENGINE_BATCHES * BATCH)
        bench_give_up("not every packet left");
    return (double)spent / (ENGINE_BATCHES * BATCH);
}

/* ---- all together ---- */

int main(void)
{
    static struct world direct, relayed;
    static struct engine one, many;

    world_init(&direct, false);
    world_init(&relayed, true);
    engine_init(&one, 1);
    engine_init(&many, KITH_RELAY_FLOWS_OF_NEIGHBOUR);
    for (int i = 0; i < ROUNDS; i++) {
        double node = compare(&direct, &relayed), engine = engine_round(&one);
        note("engine_ns", "ns", "of the relay engine alone, a packet in and out", engine);
        note("engine_packets_per_second", "1/s", "by the engine alone", 1e9 / engine);
        note("engine_share", "1", "of what the node in between spends on a packet", engine / node);
        note("engine_2048_flows_ns", "ns", "the same, packets of 2,048 flows in turn",
             engine_round(&many));
    }
    kith_relay_free(one.relay);
    kith_relay_free(many.relay);
    world_fini(&direct);
    world_fini(&relayed);
    report_print(&report);
    return 0;
}
