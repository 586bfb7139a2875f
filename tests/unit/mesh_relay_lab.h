/* mesh_relay_lab.h: one relay whose neighbours are numbers: what they hand over is made here, and
 * what leaves is looked at. Include cmocka before. */
#ifndef KITH_TESTS_UNIT_MESH_RELAY_LAB_H
#define KITH_TESTS_UNIT_MESH_RELAY_LAB_H

#include "lab_alloc.h"
#include "mesh/relay.h"
#include "wire/datagram.h"

#define HIGH (UINT32_C(1) << 31)

enum {
    HERE = 1, /* the destination that is this node's; others lie elsewhere */
    WIDE = 1400,
    NEIGHBOURS = 20,
};

static struct lab {
    struct kith_random_seeded seeded;
    struct kith_random rnd;
    struct lab_alloc heap;
    struct kith_env env;
    struct kith_relay *r;
    kith_time now;
    uint32_t way[8]; /* who leads to every destination, best first */
    size_t ways;
    size_t room[NEIGHBOURS];
    uint32_t better; /* the neighbour that is; 0: none */
    unsigned failed; /* calls of ops.failed, and who the last was about */
    uint32_t failed_by;
    unsigned silent;   /* of these, for want of an answer */
    uint8_t out[2048]; /* the last datagram taken */
} lab;

/* ---- what the relay asks ---- */

static inline struct kith_destination dest(unsigned i)
{
    return (struct kith_destination){{(uint8_t)(i >> 8), (uint8_t)i, 0xde, [15] = 1}};
}

static inline bool is_among(uint32_t x, const uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == x)
            return true;
    return false;
}

static inline bool op_way(void *ctx, const struct kith_destination *to, uint32_t from,
                          const uint32_t *not_by, size_t n, kith_time now, uint32_t *ret)
{
    (void)ctx;
    (void)to;
    assert_int_equal(now, lab.now);
    for (size_t i = 0; i < lab.ways; i++)
        if (lab.way[i] != from && !is_among(lab.way[i], not_by, n)) {
            *ret = lab.way[i];
            return true;
        }
    return false;
}

static inline bool op_is_here(void *ctx, const struct kith_destination *to)
{
    const struct kith_destination here = dest(HERE);

    (void)ctx;
    return kith_destination_equal(to, &here);
}

static inline void op_failed(void *ctx, const struct kith_destination *to, uint32_t neighbour,
                             bool silent, kith_time now)
{
    (void)ctx;
    (void)to;
    assert_int_equal(now, lab.now);
    lab.failed++;
    lab.silent += silent;
    lab.failed_by = neighbour;
}

static inline bool op_better(void *ctx, const struct kith_destination *to, uint32_t by,
                             kith_time now, uint32_t *ret)
{
    (void)ctx;
    (void)to;
    assert_int_equal(now, lab.now);
    if (lab.better == 0 || lab.better == by)
        return false;
    *ret = lab.better;
    return true;
}

static inline size_t op_room(void *ctx, uint32_t neighbour)
{
    (void)ctx;
    assert_true(neighbour < NEIGHBOURS);
    return lab.room[neighbour];
}

static const struct kith_relay_ops ops = {.way = op_way,
                                          .is_here = op_is_here,
                                          .failed = op_failed,
                                          .better = op_better,
                                          .room = op_room};

static inline int begin(void **state)
{
    (void)state;
    memset(&lab, 0, sizeof lab);
    kith_random_seeded_init(&lab.seeded, 5);
    lab.rnd = kith_random_from_seed(&lab.seeded);
    lab_alloc_init(&lab.heap);
    lab.env = (struct kith_env){.alloc = &lab.heap.alloc, .random = &lab.rnd};
    lab.now = 1000 * KITH_SEC;
    for (size_t i = 0; i < NEIGHBOURS; i++)
        lab.room[i] = WIDE;
    return kith_relay_new(&lab.env, &ops, &lab.r);
}

static inline int finish(void **state)
{
    (void)state;
    kith_relay_free(lab.r);
    return lab.heap.live == 0 ? 0 : -1;
}

/* ---- the neighbours ---- */

/* Neighbours 1 to n, whose own labels have the highest bit; the node's have not. */
static inline void join(uint32_t n)
{
    for (uint32_t i = 1; i <= n; i++)
        assert_int_equal(kith_relay_join(lab.r, i, false), KITH_OK);
}

static inline void leads(size_t n, const uint32_t *by)
{
    lab.ways = n;
    kith_copy(lab.way, by, n * sizeof *by);
}
#define LEADS(...)                                                                                 \
    leads(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static inline bool hear(uint32_t from, struct kith_span datagram)
{
    return kith_relay_heard(lab.r, from, datagram, 0, lab.now);
}

static inline struct kith_flow_open opening(uint32_t label, unsigned id, unsigned to)
{
    return (struct kith_flow_open){.hops = 10,
                                   .label = label,
                                   .flow = {{(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}},
                                   .attempt = 1,
                                   .destination = dest(to)};
}

static inline bool hear_open(uint32_t from, const struct kith_flow_open *m)
{
    uint8_t buf[64];
    size_t n;

    assert_int_equal(kith_flow_open_encode(m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

/* A flow of that neighbour's begins under the label. */
static inline bool hear_begin(uint32_t from, uint32_t label, unsigned id, unsigned to)
{
    const struct kith_flow_open m = opening(label, id, to);

    return hear_open(from, &m);
}

static inline bool hear_hops(uint32_t from, uint32_t label, uint8_t hops, const char *text)
{
    const struct kith_flow_packet m = {
        .hops = hops, .label = label, .packet = kith_span_text(text)};
    uint8_t buf[256];
    size_t n;

    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static inline bool hear_packet(uint32_t from, uint32_t label, const char *text)
{
    return hear_hops(from, label, 10, text);
}

static inline bool hear_over(uint32_t from, uint32_t label, enum kith_mesh_why why)
{
    const struct kith_flow_over m = {.label = label, .why = (uint8_t)why};
    uint8_t buf[16];
    size_t n;

    assert_int_equal(kith_flow_over_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static inline void send_to(const struct kith_ip *to, const char *text)
{
    kith_relay_send(lab.r, to, kith_span_text(text), 0, lab.now);
}

static inline void send(unsigned to, const char *text)
{
    const struct kith_destination d = dest(to);
    const struct kith_ip ip = kith_mesh_address(&d);

    send_to(&ip, text);
}

static inline void send_bytes(unsigned to, const uint8_t *p, size_t n)
{
    const struct kith_destination d = dest(to);
    const struct kith_ip ip = kith_mesh_address(&d);

    kith_relay_send(lab.r, &ip, (struct kith_span){p, n}, 0, lab.now);
}

static inline void pass(kith_dur d)
{
    lab.now = kith_after(lab.now, d);
    kith_relay_tick(lab.r, lab.now);
}

/* ---- what comes out ---- */

static inline void nothing_leaves(void)
{
    struct kith_relay_out out;

    assert_false(kith_relay_next_out(lab.r, &out));
}

static inline void nothing_arrives(void)
{
    struct kith_relay_in in;

    assert_false(kith_relay_next_in(lab.r, &in));
}

/* The next that leaves, which is for `to`. */
static inline struct kith_span leaves(uint32_t to)
{
    struct kith_relay_out out;

    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.neighbour, to);
    assert_in_range(out.datagram.n, 1, lab.room[to]);
    memcpy(lab.out, out.datagram.p, out.datagram.n);
    return (struct kith_span){lab.out, out.datagram.n};
}

static inline struct kith_flow_open leaves_open(uint32_t to)
{
    struct kith_flow_open m = {0};

    assert_int_equal(kith_flow_open_decode(leaves(to), &m), KITH_OK);
    return m;
}

static inline struct kith_flow_packet leaves_packet(uint32_t to, uint32_t label, const char *text)
{
    struct kith_flow_packet m = {0};

    assert_int_equal(kith_flow_packet_decode(leaves(to), &m), KITH_OK);
    assert_int_equal(m.label, label);
    assert_true(kith_span_equal(m.packet, kith_span_text(text)));
    return m;
}

static inline void leaves_over(uint32_t to, uint32_t label, enum kith_mesh_why why)
{
    struct kith_flow_over m = {0};

    assert_int_equal(kith_flow_over_decode(leaves(to), &m), KITH_OK);
    assert_int_equal(m.label, label);
    assert_int_equal(m.why, why);
}

static inline struct kith_ip arrives(const char *text)
{
    struct kith_relay_in in;

    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(kith_span_equal((struct kith_span){in.packet, in.n}, kith_span_text(text)));
    return in.from;
}

static inline void drain(void)
{
    struct kith_relay_out out;
    struct kith_relay_in in;

    while (kith_relay_next_out(lab.r, &out) || kith_relay_next_in(lab.r, &in))
        ;
    kith_relay_taken(lab.r);
    assert_false(kith_relay_is_laden(lab.r));
}

static const struct kith_relay_counters *counted(void)
{
    return kith_relay_counters(lab.r);
}

static inline size_t flows(void)
{
    return kith_relay_flows(lab.r);
}

/* A flow of neighbour `from` to elsewhere that goes on to `to`; the label it has there. */
static inline uint32_t through(uint32_t from, uint32_t label, unsigned id, uint32_t to)
{
    assert_true(hear_begin(from, label, id, 77));
    return leaves_open(to).label;
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

#endif
