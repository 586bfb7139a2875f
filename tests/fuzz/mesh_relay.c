/* One node of the mesh among neighbours that say whatever the input makes of them: they come and
 * go, begin flows, use labels that were given and others, cut datagrams, end flows, say the tables'
 * messages with a field bent, or noise; the node sends, answers, runs out of memory, and time
 * passes. The laws: what is malformed changes nothing; what leaves is well formed, fits and has
 * labels of this side; flows stay within their limits; what is taken ends; when all have parted
 * there are no flows, and all memory comes back. */
#include "fuzz/structured.h"
#include "lab_alloc.h"
#include "mesh/relay.h"
#include "wire/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NEIGHBOURS = 6, STEPS_MAX = 400, HEARD_OF = 32, BYTES_MAX = 1500 };

static struct world {
    struct lab_alloc heap;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_env env;
    struct kith_relay *relay;
    struct recipe in;
    kith_time now;
    /* what went by, for the input to choose from */
    uint32_t label[HEARD_OF];
    struct kith_flow_id id[HEARD_OF];
    struct kith_ip address[HEARD_OF];
    uint8_t labels, ids, addresses; /* the next to be replaced */
} w;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint8_t byte(void)
{
    return recipe_byte(&w.in);
}

static uint32_t below(size_t n)
{
    return (uint32_t)recipe_below(&w.in, n);
}

/* This side's labels on the session with it have the highest bit. */
static bool is_high(uint32_t neighbour)
{
    return neighbour % 2 == 1;
}

/* ---- what the relay asks ---- */

static bool op_way(void *ctx, const struct kith_destination *to, uint32_t from,
                   const uint32_t *not_by, size_t n, kith_time now, uint32_t *ret)
{
    uint32_t by = below(NEIGHBOURS + 1);

    (void)ctx;
    (void)to;
    (void)now;
    check(n <= KITH_MESH_WAYS);
    for (size_t i = 0; i < n; i++)
        if (not_by[i] == by)
            return false;
    *ret = by;
    return by != from && by < NEIGHBOURS;
}

static bool op_is_here(void *ctx, const struct kith_destination *to)
{
    (void)ctx;
    return to->b[0] % 4 == 1;
}

static void op_failed(void *ctx, const struct kith_destination *to, uint32_t neighbour, bool silent,
                      kith_time now)
{
    (void)ctx;
    (void)to;
    (void)silent;
    check(neighbour < NEIGHBOURS && now == w.now);
}

static bool op_better(void *ctx, const struct kith_destination *to, uint32_t by, kith_time now,
                      uint32_t *ret)
{
    (void)ctx;
    (void)to;
    (void)by;
    (void)now;
    *ret = below(NEIGHBOURS + 1);
    return byte() % 2 == 0;
}

static size_t op_room(void *ctx, uint32_t neighbour)
{
    static const size_t room[NEIGHBOURS] = {1400, 1200, 300, 60, 15, 0};

    (void)ctx;
    check(neighbour < NEIGHBOURS);
    return room[neighbour];
}

/* ---- what goes by ---- */

static uint32_t pick_label(void)
{
    uint8_t how = byte();

    return how < 224 ? w.label[how % HEARD_OF] : (uint32_t)recipe_number(&w.in) << (how % 2 * 24);
}

static struct kith_flow_id pick_id(void)
{
    struct kith_flow_id id;
    uint8_t how = byte();

    if (how < 96)
        return w.id[how % HEARD_OF];
    recipe_fill(&w.in, id.b, sizeof id.b);
    return id;
}

static struct kith_destination pick_destination(void)
{
    return (struct kith_destination){{byte() % 16}};
}

static void note_label(uint32_t label)
{
    w.label[w.labels++ % HEARD_OF] = label;
}

static void note_id(const struct kith_flow_id *id)
{
    w.id[w.ids++ % HEARD_OF] = *id;
}

/* ---- out ---- */

static void look_at_open(const struct kith_relay_out *out)
{
    struct kith_flow_open m;

    check(kith_flow_open_decode(out->datagram, &m) == KITH_OK);
    check((m.label >> 31 == 1) == is_high(out->neighbour));
    note_label(m.label);
    note_id(&m.flow);
}

static void look_at_packet(const struct kith_relay_out *out)
{
    struct kith_flow_packet m;

    check(kith_flow_packet_decode(out->datagram, &m) == KITH_OK);
    check(m.hops >= 1 && m.hops <= 254);
    check(out->datagram.n <= op_room(NULL, out->neighbour));
}

static void look_at_piece(const struct kith_relay_out *out)
{
    struct kith_flow_piece m;

    check(kith_flow_piece_decode(out->datagram, &m) == KITH_OK);
    check(m.index < m.count && m.part.n > 0 && m.size <= KITH_RELAY_WHOLE);
    check(out->datagram.n <= op_room(NULL, out->neighbour));
}

static void look_at_over(const struct kith_relay_out *out)
{
    struct kith_flow_over m;

    check(kith_flow_over_decode(out->datagram, &m) == KITH_OK);
    check(m.why <= KITH_MESH_HOPS);
}

static void look_at(const struct kith_relay_out *out)
{
    check(out->neighbour < NEIGHBOURS && out->datagram.n > 0);
    switch (out->datagram.p[0]) {
    case KITH_WIRE_flow_open: look_at_open(out); break;
    case KITH_WIRE_flow_packet: look_at_packet(out); break;
    case KITH_WIRE_flow_piece: look_at_piece(out); break;
    case KITH_WIRE_flow_over: look_at_over(out); break;
    default: check(false);
    }
}

static void take_all(void)
{
    struct kith_relay_out out;
    struct kith_relay_in in;

    while (kith_relay_next_out(w.relay, &out))
        look_at(&out);
    while (kith_relay_next_in(w.relay, &in)) {
        check(in.from.family == KITH_FAMILY_MESH);
        memset(in.packet, 0x55, in.n); /* it may be changed */
        w.address[w.addresses++ % HEARD_OF] = in.from;
    }
    kith_relay_taken(w.relay);
    check(!kith_relay_is_laden(w.relay));
}

/* ---- in ---- */

/* On the heap at its exact length, so that the sanitizer sees what is read beyond it. */
static bool hear(struct kith_span datagram)
{
    uint64_t malformed = kith_relay_counters(w.relay)->malformed;
    size_t flows = kith_relay_flows(w.relay);
    uint8_t *exact = malloc(datagram.n + (datagram.n == 0));
    uint32_t from = below(NEIGHBOURS);
    uint8_t ecn = byte() % 4;

    check(exact != NULL);
    kith_copy(exact, datagram.p, datagram.n);
    bool good = kith_relay_heard(w.relay, from, (struct kith_span){exact, datagram.n}, ecn, w.now);
    free(exact);
    check(kith_relay_counters(w.relay)->malformed == malformed + !good);
    check(good || kith_relay_flows(w.relay) == flows);
    return good;
}

static void hear_open(void)
{
    struct kith_flow_open m = {.hops = (uint8_t)(1 + below(64)),
                               .label = pick_label(),
                               .flow = pick_id(),
                               .attempt = byte() % 8,
                               .destination = pick_destination()};
    uint8_t buf[64];
    size_t n;

    note_label(m.label);
    note_id(&m.flow);
    check(kith_flow_open_encode(&m, buf, sizeof buf, &n) == KITH_OK);
    (void)hear((struct kith_span){buf, n});
}

static void hear_packet(void)
{
    static const uint8_t bytes[BYTES_MAX] = {7};
    const struct kith_flow_packet m = {
        .hops = byte() % 66, .label = pick_label(), .packet = {bytes, below(BYTES_MAX)}};
    uint8_t buf[BYTES_MAX + 8];
    size_t n;

    check(kith_flow_packet_encode(&m, buf, sizeof buf, &n) == KITH_OK);
    (void)hear((struct kith_span){buf, n});
}

static void hear_piece(void)
{
    static const uint8_t bytes[BYTES_MAX] = {8};
    struct kith_flow_piece m = {.hops = byte() % 66,
                                .label = pick_label(),
                                .id = byte() % 4,
                                .count = (uint8_t)(2 + below(7)),
                                .part = {bytes, below(BYTES_MAX)}};
    uint8_t buf[BYTES_MAX + 14];
    size_t n;

    m.index = (uint8_t)below(m.count);
    m.size = (uint16_t)(m.count * m.part.n - byte() % 4);
    check(kith_flow_piece_encode(&m, buf, sizeof buf, &n) == KITH_OK);
    (void)hear((struct kith_span){buf, n});
}

static void hear_over(void)
{
    const struct kith_flow_over m = {.label = pick_label(), .why = byte() % 8};
    uint8_t buf[16];
    size_t n;

    check(kith_flow_over_encode(&m, buf, sizeof buf, &n) == KITH_OK);
    (void)hear((struct kith_span){buf, n});
}

/* Any datagram of the table, also those for others than the mesh. */
static void hear_any(void)
{
    static uint8_t buf[STRUCTURED_MAX];
    size_t n = recipe_message(&w.in, STRUCTURED_DATAGRAM, byte() % 2 == 1, buf, sizeof buf);
    bool bent = w.in.bent, flow = n > 0 && buf[0] >= KITH_WIRE_flow_open;

    check(!(hear((struct kith_span){buf, n}) && (bent || !flow)));
}

static void hear_noise(void)
{
    uint8_t buf[64];
    size_t n = below(sizeof buf);

    for (size_t i = 0; i < n; i++)
        buf[i] = byte();
    if (n > 0 && buf[0] > 15)
        buf[0] = (uint8_t)(KITH_WIRE_flow_open + buf[0] % 4);
    (void)hear((struct kith_span){buf, n});
}

/* ---- steps ---- */

static void send(void)
{
    static const uint8_t bytes[BYTES_MAX] = {9};
    struct kith_destination d = pick_destination();
    struct kith_ip to = byte() % 2 == 0 ? kith_mesh_address(&d) : w.address[below(HEARD_OF)];
    uint32_t by;

    kith_relay_send(w.relay, &to, (struct kith_span){bytes, below(BYTES_MAX)}, 0, w.now);
    if (kith_relay_route(w.relay, &to, &by))
        check(by < NEIGHBOURS);
}

static void come_or_go(void)
{
    uint32_t who = below(NEIGHBOURS);

    if (byte() % 4 == 0) {
        kith_relay_part(w.relay, who, w.now);
        return;
    }
    int err = kith_relay_join(w.relay, who, is_high(who));
    check(err == KITH_OK || err == KITH_E_NOMEM);
}

static void pass(void)
{
    w.now += (kith_time)byte() * byte() * 2 * KITH_MSEC;
    kith_relay_tick(w.relay, w.now);
    check(kith_relay_deadline(w.relay) > w.now);
}

static void step(void)
{
    switch (byte() % 14) {
    case 0:
    case 1: hear_open(); break;
    case 2:
    case 3: hear_packet(); break;
    case 4: hear_piece(); break;
    case 5: hear_over(); break;
    case 6: hear_any(); break;
    case 7: hear_noise(); break;
    case 8:
    case 9: send(); break;
    case 10: come_or_go(); break;
    case 11: pass(); break;
    case 13: kith_relay_improve(w.relay, w.now); break;
    case 12: w.heap.fail_at = w.heap.requests + 1 + byte() % 8; break;
    }
    check(kith_relay_flows(w.relay) <= KITH_RELAY_FLOWS_MAX);
    check(kith_relay_flows(w.relay) == 0 || kith_relay_deadline(w.relay) != KITH_NEVER);
    if (byte() % 4 != 0)
        take_all();
}

static void begin(const uint8_t *data, size_t n)
{
    const struct kith_relay_ops ops = {.way = op_way,
                                       .is_here = op_is_here,
                                       .failed = op_failed,
                                       .better = op_better,
                                       .room = op_room};

    memset(&w, 0, sizeof w);
    w.in = recipe_on(data, n, NULL);
    w.now = 1000 * KITH_SEC;
    lab_alloc_init(&w.heap);
    kith_random_seeded_init(&w.seeded, 5);
    w.random = kith_random_from_seed(&w.seeded);
    w.env = (struct kith_env){.alloc = &w.heap.alloc, .random = &w.random};
    for (uint32_t i = 0; i < HEARD_OF; i++) { /* something to begin with, of both sides */
        w.label[i] = i / 2 | (i % 2) << 31;
        w.address[i].family = KITH_FAMILY_MESH;
    }
    check(kith_relay_new(&w.env, &ops, &w.relay) == KITH_OK);
    for (uint32_t i = 0; i < NEIGHBOURS - 1; i++)
        check(kith_relay_join(w.relay, i, is_high(i)) == KITH_OK);
}

static void end(void)
{
    w.heap.fail_at = 0;
    for (uint32_t i = 0; i < NEIGHBOURS; i++)
        kith_relay_part(w.relay, i, w.now);
    take_all();
    w.now += KITH_MESH_IDLE;
    kith_relay_tick(w.relay, w.now);
    check(kith_relay_flows(w.relay) == 0);
    check(w.heap.live <= 5); /* itself and the places of four maps */
    kith_relay_free(w.relay);
    check(w.heap.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    begin(data, n);
    for (int i = 0; i < STEPS_MAX && recipe_left(&w.in) > 0; i++)
        step();
    end();
    return 0;
}
