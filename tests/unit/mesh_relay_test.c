/* Datagrams through others, seen from one node: what it makes of what its neighbours hand over, and
 * which way what it has takes. The node's neighbours are numbers, their datagrams are made here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
    uint8_t out[2048]; /* the last datagram taken */
} lab;

/* ---- what the relay asks ---- */

static struct kith_destination dest(unsigned i)
{
    return (struct kith_destination){{(uint8_t)(i >> 8), (uint8_t)i, 0xde, [15] = 1}};
}

static bool is_among(uint32_t x, const uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == x)
            return true;
    return false;
}

static bool op_way(void *ctx, const struct kith_destination *to, uint32_t from,
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

static bool op_is_here(void *ctx, const struct kith_destination *to)
{
    const struct kith_destination here = dest(HERE);

    (void)ctx;
    return kith_destination_equal(to, &here);
}

static void op_failed(void *ctx, const struct kith_destination *to, uint32_t neighbour,
                      kith_time now)
{
    (void)ctx;
    (void)to;
    assert_int_equal(now, lab.now);
    lab.failed++;
    lab.failed_by = neighbour;
}

static bool op_better(void *ctx, const struct kith_destination *to, uint32_t by, kith_time now,
                      uint32_t *ret)
{
    (void)ctx;
    (void)to;
    assert_int_equal(now, lab.now);
    if (lab.better == 0 || lab.better == by)
        return false;
    *ret = lab.better;
    return true;
}

static size_t op_room(void *ctx, uint32_t neighbour)
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

static int begin(void **state)
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

static int finish(void **state)
{
    (void)state;
    kith_relay_free(lab.r);
    return lab.heap.live == 0 ? 0 : -1;
}

/* ---- the neighbours ---- */

/* Neighbours 1 to n, whose own labels have the highest bit; the node's have not. */
static void join(uint32_t n)
{
    for (uint32_t i = 1; i <= n; i++)
        assert_int_equal(kith_relay_join(lab.r, i, false), KITH_OK);
}

static void leads(size_t n, const uint32_t *by)
{
    lab.ways = n;
    kith_copy(lab.way, by, n * sizeof *by);
}
#define LEADS(...)                                                                                 \
    leads(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static bool hear(uint32_t from, struct kith_span datagram)
{
    return kith_relay_heard(lab.r, from, datagram, 0, lab.now);
}

static struct kith_flow_open opening(uint32_t label, unsigned id, unsigned to)
{
    return (struct kith_flow_open){.hops = 10,
                                   .label = label,
                                   .flow = {{(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id}},
                                   .attempt = 1,
                                   .destination = dest(to)};
}

static bool hear_open(uint32_t from, const struct kith_flow_open *m)
{
    uint8_t buf[64];
    size_t n;

    assert_int_equal(kith_flow_open_encode(m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

/* A flow of that neighbour's begins under the label. */
static bool hear_begin(uint32_t from, uint32_t label, unsigned id, unsigned to)
{
    const struct kith_flow_open m = opening(label, id, to);

    return hear_open(from, &m);
}

static bool hear_hops(uint32_t from, uint32_t label, uint8_t hops, const char *text)
{
    const struct kith_flow_packet m = {
        .hops = hops, .label = label, .packet = kith_span_text(text)};
    uint8_t buf[256];
    size_t n;

    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static bool hear_packet(uint32_t from, uint32_t label, const char *text)
{
    return hear_hops(from, label, 10, text);
}

static bool hear_over(uint32_t from, uint32_t label, enum kith_mesh_why why)
{
    const struct kith_flow_over m = {.label = label, .why = (uint8_t)why};
    uint8_t buf[16];
    size_t n;

    assert_int_equal(kith_flow_over_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static void send_to(const struct kith_ip *to, const char *text)
{
    kith_relay_send(lab.r, to, kith_span_text(text), 0, lab.now);
}

static void send(unsigned to, const char *text)
{
    const struct kith_destination d = dest(to);
    const struct kith_ip ip = kith_mesh_address(&d);

    send_to(&ip, text);
}

static void send_bytes(unsigned to, const uint8_t *p, size_t n)
{
    const struct kith_destination d = dest(to);
    const struct kith_ip ip = kith_mesh_address(&d);

    kith_relay_send(lab.r, &ip, (struct kith_span){p, n}, 0, lab.now);
}

static void pass(kith_dur d)
{
    lab.now = kith_after(lab.now, d);
    kith_relay_tick(lab.r, lab.now);
}

/* ---- what comes out ---- */

static void nothing_leaves(void)
{
    struct kith_relay_out out;

    assert_false(kith_relay_next_out(lab.r, &out));
}

static void nothing_arrives(void)
{
    struct kith_relay_in in;

    assert_false(kith_relay_next_in(lab.r, &in));
}

/* The next that leaves, which is for `to`. */
static struct kith_span leaves(uint32_t to)
{
    struct kith_relay_out out;

    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.neighbour, to);
    assert_in_range(out.datagram.n, 1, lab.room[to]);
    memcpy(lab.out, out.datagram.p, out.datagram.n);
    return (struct kith_span){lab.out, out.datagram.n};
}

static struct kith_flow_open leaves_open(uint32_t to)
{
    struct kith_flow_open m = {0};

    assert_int_equal(kith_flow_open_decode(leaves(to), &m), KITH_OK);
    return m;
}

static struct kith_flow_packet leaves_packet(uint32_t to, uint32_t label, const char *text)
{
    struct kith_flow_packet m = {0};

    assert_int_equal(kith_flow_packet_decode(leaves(to), &m), KITH_OK);
    assert_int_equal(m.label, label);
    assert_true(kith_span_equal(m.packet, kith_span_text(text)));
    return m;
}

static void leaves_over(uint32_t to, uint32_t label, enum kith_mesh_why why)
{
    struct kith_flow_over m = {0};

    assert_int_equal(kith_flow_over_decode(leaves(to), &m), KITH_OK);
    assert_int_equal(m.label, label);
    assert_int_equal(m.why, why);
}

static struct kith_ip arrives(const char *text)
{
    struct kith_relay_in in;

    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(kith_span_equal((struct kith_span){in.packet, in.n}, kith_span_text(text)));
    return in.from;
}

static void drain(void)
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

static size_t flows(void)
{
    return kith_relay_flows(lab.r);
}

/* A flow of neighbour `from` to elsewhere that goes on to `to`; the label it has there. */
static uint32_t through(uint32_t from, uint32_t label, unsigned id, uint32_t to)
{
    assert_true(hear_begin(from, label, id, 77));
    return leaves_open(to).label;
}

/* ---- beginning ---- */

static void a_flow_of_ours_begins_by_the_best_way_and_its_packets_have_8_bytes_before_them(void **s)
{
    const struct kith_destination d = dest(77);

    (void)s;
    join(3);
    LEADS(2, 3);
    send(77, "hello");
    assert_true(kith_relay_is_laden(lab.r));
    struct kith_flow_open m = leaves_open(2);
    assert_int_equal(m.hops, 64);
    assert_true(kith_destination_equal(&m.destination, &d));
    struct kith_span packet = leaves(2);
    const uint8_t expected[] = {0x06,
                                0,
                                0,
                                64,
                                (uint8_t)(m.label >> 24),
                                (uint8_t)(m.label >> 16),
                                (uint8_t)(m.label >> 8),
                                (uint8_t)m.label,
                                'h',
                                'e',
                                'l',
                                'l',
                                'o'};
    assert_true(kith_span_equal(packet, KITH_SPAN_OF(expected)));
    nothing_leaves();
    assert_false(kith_relay_is_laden(lab.r));
    send(77, "again"); /* it has begun */
    assert_int_equal(leaves_packet(2, m.label, "again").hops, 64);
    nothing_leaves();
    assert_int_equal(counted()->opened, 1);
    assert_int_equal(flows(), 1);
}

static void each_destination_has_a_flow_and_a_label_of_its_own(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send(77, "one");
    struct kith_flow_open one = leaves_open(1);
    (void)leaves_packet(1, one.label, "one");
    send(78, "two");
    struct kith_flow_open two = leaves_open(1);
    (void)leaves_packet(1, two.label, "two");
    assert_int_not_equal(one.label, two.label);
    assert_memory_not_equal(one.flow.b, two.flow.b, sizeof one.flow.b);
    send(77, "three");
    (void)leaves_packet(1, one.label, "three");
}

static void the_highest_bit_of_a_label_says_which_side_chose_it(void **s)
{
    (void)s;
    assert_int_equal(kith_relay_join(lab.r, 1, false), KITH_OK);
    assert_int_equal(kith_relay_join(lab.r, 2, true), KITH_OK);
    LEADS(1);
    send(77, "low");
    assert_int_equal(leaves_open(1).label & HIGH, 0);
    LEADS(2);
    send(78, "high");
    drain();
    send(79, "high");
    assert_int_equal(leaves_open(2).label & HIGH, HIGH);
    drain();
    /* and nobody chooses among another's */
    assert_false(hear_begin(1, 5, 1, HERE));
    assert_false(hear_begin(2, HIGH | 5, 1, HERE));
    nothing_leaves();
    assert_int_equal(counted()->malformed, 2);
    assert_int_equal(counted()->accepted, 0);
    assert_true(hear_begin(1, HIGH | 5, 1, HERE));
    assert_true(hear_begin(2, 5, 2, HERE));
    assert_int_equal(counted()->accepted, 2);
    nothing_leaves();
}

static void without_a_way_it_is_counted_and_lost(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip ip = kith_mesh_address(&d);
    uint32_t by;

    (void)s;
    join(1);
    send(77, "hello");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
    assert_false(kith_relay_route(lab.r, &ip, &by));
    LEADS(1); /* later there is one */
    send(77, "hello");
    (void)leaves_packet(1, leaves_open(1).label, "hello");
    assert_true(kith_relay_route(lab.r, &ip, &by));
    assert_int_equal(by, 1);
    assert_int_equal(counted()->no_way, 1);
}

static void a_way_by_nobody_s_neighbour_is_none(void **s)
{
    (void)s;
    join(2);
    LEADS(9, 2); /* 9 never joined */
    send(77, "hello");
    (void)leaves_packet(2, leaves_open(2).label, "hello");
    nothing_leaves();
}

/* ---- in the middle ---- */

static void the_middle_gives_another_label_and_carries_both_directions(void **s)
{
    (void)s;
    join(3);
    LEADS(2);
    for (unsigned i = 0; i < 3; i++) /* so that labels differ */
        (void)through(3, HIGH | i, 100 + i, 2);
    struct kith_flow_open m = opening(HIGH | 900, 1, 77);
    m.attempt = 6;
    assert_true(hear_open(1, &m));
    struct kith_flow_open on = leaves_open(2);
    assert_int_equal(on.hops, 9);
    assert_int_equal(on.attempt, 6);
    assert_memory_equal(on.flow.b, m.flow.b, sizeof m.flow.b);
    assert_true(kith_destination_equal(&on.destination, &m.destination));
    assert_int_not_equal(on.label, m.label);
    assert_int_equal(on.label & HIGH, 0); /* the node's own choice */
    nothing_leaves();
    assert_true(hear_hops(1, HIGH | 900, 33, "there"));
    assert_int_equal(leaves_packet(2, on.label, "there").hops, 32);
    assert_true(hear_hops(2, on.label, 12, "back"));
    assert_int_equal(leaves_packet(1, HIGH | 900, "back").hops, 11);
    nothing_leaves();
    nothing_arrives();
    assert_int_equal(counted()->forwarded, 2);
    assert_int_equal(counted()->forwarded_bytes, 9);
    assert_int_equal(counted()->forwarded_flows, 4);
}

static void a_packet_keeps_its_mark_of_congestion(void **s)
{
    const struct kith_flow_packet m = {.hops = 9, .label = HIGH | 1, .packet = {NULL, 0}};
    const struct kith_destination d = dest(78);
    const struct kith_ip ip = kith_mesh_address(&d);
    struct kith_relay_out out;
    struct kith_relay_in in;
    uint8_t buf[16];
    size_t n;

    (void)s;
    join(2);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_flow_packet_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_true(kith_relay_heard(lab.r, 1, (struct kith_span){buf, n}, 3, lab.now));
    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.ecn, 3);
    assert_int_equal(out.datagram.n, 8); /* an empty one is one, too */
    kith_relay_send(lab.r, &ip, kith_span_text("x"), 2, lab.now);
    (void)leaves_open(2);
    assert_true(kith_relay_next_out(lab.r, &out));
    assert_int_equal(out.ecn, 2);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    buf[7] = 2;
    assert_true(kith_relay_heard(lab.r, 1, (struct kith_span){buf, n}, 1, lab.now));
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_int_equal(in.ecn, 1);
    assert_int_equal(in.n, 0);
}

static void it_never_goes_back_to_where_it_came_from(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    (void)through(1, HIGH | 1, 1, 2);
    nothing_leaves();
}

/* ---- at its end ---- */

static void what_arrives_has_an_address_from_which_the_answer_goes_back(void **s)
{
    uint32_t by;

    (void)s;
    join(2);
    assert_true(hear_begin(2, HIGH | 4, 1, HERE));
    nothing_leaves();
    assert_true(hear_packet(2, HIGH | 4, "question"));
    struct kith_ip from = arrives("question");
    assert_int_equal(from.family, KITH_FAMILY_MESH);
    nothing_arrives();
    assert_true(kith_relay_route(lab.r, &from, &by));
    assert_int_equal(by, 2);
    send_to(&from, "answer");
    assert_int_equal(leaves_packet(2, HIGH | 4, "answer").hops, 64);
    nothing_leaves();
    assert_int_equal(counted()->accepted, 1);
    assert_int_equal(counted()->opened, 0);
}

static void two_flows_that_end_here_have_two_addresses(void **s)
{
    (void)s;
    join(2);
    assert_true(hear_begin(1, HIGH | 4, 1, HERE));
    assert_true(hear_begin(2, HIGH | 4, 2, HERE)); /* the same label on another session */
    assert_true(hear_packet(1, HIGH | 4, "one"));
    assert_true(hear_packet(2, HIGH | 4, "two"));
    struct kith_ip one = arrives("one"), two = arrives("two");
    assert_false(kith_ip_equal(&one, &two));
    send_to(&one, "to one");
    (void)leaves_packet(1, HIGH | 4, "to one");
    send_to(&two, "to two");
    (void)leaves_packet(2, HIGH | 4, "to two");
}

static void the_answer_comes_from_the_destination_s_address(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip address = kith_mesh_address(&d);

    (void)s;
    join(1);
    LEADS(1);
    send(77, "question");
    uint32_t label = leaves_open(1).label;
    (void)leaves(1);
    assert_true(hear_packet(1, label, "answer"));
    struct kith_ip from = arrives("answer");
    assert_true(kith_ip_equal(&from, &address));
    nothing_leaves();
}

static void an_answer_to_a_flow_that_has_ended_goes_nowhere(void **s)
{
    uint32_t by;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 4, 1, HERE));
    assert_true(hear_packet(1, HIGH | 4, "question"));
    struct kith_ip from = arrives("question");
    assert_true(hear_over(1, HIGH | 4, KITH_MESH_GONE));
    assert_int_equal(flows(), 0);
    assert_false(kith_relay_route(lab.r, &from, &by));
    send_to(&from, "answer");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
}

/* ---- hops ---- */

static void a_packet_with_one_hop_left_arrives_but_goes_to_nobody_more(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_true(hear_hops(1, HIGH | 1, 2, "two"));
    assert_int_equal(leaves_packet(2, label, "two").hops, 1);
    assert_true(hear_hops(1, HIGH | 1, 1, "one"));
    assert_true(hear_hops(1, HIGH | 1, 0, "none"));
    assert_true(hear_hops(2, label, 1, "back"));
    nothing_leaves();
    assert_int_equal(counted()->expired, 3);
    assert_int_equal(counted()->forwarded, 1);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_hops(1, HIGH | 2, 1, "here"));
    (void)arrives("here");
    assert_int_equal(counted()->expired, 3);
}

static void a_beginning_with_one_hop_left_may_end_here_but_not_go_on(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(2);
    LEADS(2);
    m.hops = 1;
    assert_true(hear_open(1, &m));
    leaves_over(1, HIGH | 1, KITH_MESH_HOPS);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->refused, 1);
    m.hops = 2;
    assert_true(hear_open(1, &m));
    assert_int_equal(leaves_open(2).hops, 1);
    m = opening(HIGH | 2, 2, HERE);
    m.hops = 1;
    assert_true(hear_open(1, &m));
    nothing_leaves();
    assert_int_equal(counted()->accepted, 1);
}

/* ---- no circles ---- */

static void a_flow_that_was_here_already_is_refused_as_a_loop(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(3);
    LEADS(2);
    m.attempt = 5;
    assert_true(hear_open(1, &m));
    uint32_t label = leaves_open(2).label;
    m.label = HIGH | 9;
    for (uint32_t attempt = 5; attempt-- > 3;) {
        m.attempt = attempt + 1;
        assert_true(hear_open(3, &m));
        leaves_over(3, HIGH | 9, KITH_MESH_LOOP);
        nothing_leaves();
    }
    assert_true(hear_open(1, &m)); /* from whom it came it is one as well */
    leaves_over(1, HIGH | 9, KITH_MESH_LOOP);
    assert_int_equal(counted()->refused, 3);
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(1, HIGH | 1, "still")); /* the first goes on as before */
    (void)leaves_packet(2, label, "still");
}

static void one_s_own_flow_that_comes_back_is_refused_whatever_its_attempt(void **s)
{
    (void)s;
    join(2);
    LEADS(1);
    send(77, "hello");
    struct kith_flow_open m = leaves_open(1);
    drain();
    uint32_t label = m.label;
    m.label = HIGH | 9;
    m.hops = 60;
    assert_true(hear_open(2, &m));
    leaves_over(2, HIGH | 9, KITH_MESH_LOOP);
    m.attempt += 1000;
    assert_true(hear_open(2, &m));
    leaves_over(2, HIGH | 9, KITH_MESH_LOOP);
    send(77, "again");
    (void)leaves_packet(1, label, "again");
    nothing_leaves();
}

static void a_higher_attempt_takes_the_place_of_a_lower_one(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(4);
    LEADS(2);
    assert_true(hear_open(1, &m));
    uint32_t old = leaves_open(2).label;
    LEADS(4);
    m.attempt = 2;
    m.label = HIGH | 7;
    assert_true(hear_open(3, &m));
    struct kith_flow_open on = leaves_open(4);
    assert_int_equal(on.attempt, 2);
    drain();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(3, HIGH | 7, "new"));
    (void)leaves_packet(4, on.label, "new");
    assert_true(hear_packet(1, HIGH | 1, "old")); /* those labels mean nothing now */
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    assert_true(hear_packet(2, old, "old"));
    leaves_over(2, old, KITH_MESH_UNKNOWN);
}

static void at_its_end_a_higher_attempt_keeps_the_address(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, HERE);

    (void)s;
    join(2);
    assert_true(hear_open(1, &m));
    assert_true(hear_packet(1, HIGH | 1, "one"));
    struct kith_ip from = arrives("one");
    m.attempt = 2;
    assert_true(hear_open(2, &m));
    drain();
    send_to(&from, "answer"); /* goes the new way */
    (void)leaves_packet(2, HIGH | 1, "answer");
    assert_int_equal(flows(), 1);
}

static void a_beginning_said_twice_changes_nothing(void **s)
{
    struct kith_flow_open m = opening(HIGH | 1, 1, 77);

    (void)s;
    join(2);
    LEADS(2);
    assert_true(hear_open(1, &m));
    uint32_t label = leaves_open(2).label;
    const struct kith_relay_counters before = *counted();
    assert_true(hear_open(1, &m));
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_memory_equal(&before, counted(), sizeof before);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, label, "on");
}

static void who_begins_to_count_anew_has_ended_what_had_the_label(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t former = through(1, HIGH | 1, 1, 2);
    assert_true(hear_begin(1, HIGH | 1, 2, 77));
    leaves_over(2, former, KITH_MESH_GONE);
    uint32_t label = leaves_open(2).label;
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(1, HIGH | 1, "new"));
    (void)leaves_packet(2, label, "new");
}

/* ---- refusals, partings ---- */

static void where_nobody_leads_there_it_is_refused(void **s)
{
    (void)s;
    join(2);
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    leaves_over(1, HIGH | 1, KITH_MESH_NO_WAY);
    LEADS(1); /* only who handed it over does */
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    leaves_over(1, HIGH | 2, KITH_MESH_NO_WAY);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->refused, 2);
    assert_int_equal(counted()->forwarded_flows, 0);
}

static void a_refusal_makes_it_try_the_next_until_three_were_tried(void **s)
{
    (void)s;
    join(5);
    LEADS(2, 3, 4, 5); /* the fourth is not tried */
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    struct kith_flow_open first = leaves_open(2), on = first;
    for (uint32_t by = 2; by <= 4; by++) {
        nothing_leaves();
        if (by > 2)
            assert_true(hear_over(by - 1, first.label, KITH_MESH_NO_WAY)); /* crossed ours */
        nothing_leaves();
        assert_true(hear_over(by, on.label, KITH_MESH_NO_WAY));
        assert_int_equal(lab.failed, by - 1);
        assert_int_equal(lab.failed_by, by);
        if (by == 4)
            break;
        on = leaves_open(by + 1);
        assert_memory_equal(on.flow.b, first.flow.b, sizeof on.flow.b);
        assert_int_equal(on.attempt, first.attempt);
        assert_int_equal(on.hops, first.hops);
    }
    leaves_over(1, HIGH | 1, KITH_MESH_NO_WAY);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(counted()->rerouted, 2); /* two were replaced, the third was not */
}

static void after_a_refusal_packets_go_the_other_way(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    uint32_t old = through(1, HIGH | 1, 1, 2);
    assert_true(hear_over(2, old, KITH_MESH_FULL));
    uint32_t label = leaves_open(3).label;
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(3, label, "on");
    assert_true(hear_packet(3, label, "back"));
    (void)leaves_packet(1, HIGH | 1, "back");
    assert_true(hear_packet(2, old, "late"));
    leaves_over(2, old, KITH_MESH_UNKNOWN);
}

static void a_flow_of_ours_that_is_refused_goes_another_way_with_the_next_packet(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    assert_true(hear_over(1, first.label, KITH_MESH_NO_WAY));
    nothing_leaves();
    assert_int_equal(lab.failed, 1);
    assert_int_equal(lab.failed_by, 1);
    send(77, "two");
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(2, second.label, "two");
    assert_true(hear_over(2, second.label, KITH_MESH_LOOP));
    send(77, "three"); /* all were tried: from the beginning */
    struct kith_flow_open third = leaves_open(1);
    assert_true(third.attempt > second.attempt);
    (void)leaves_packet(1, third.label, "three");
    nothing_leaves();
    assert_int_equal(flows(), 1);
}

static void a_flow_of_ours_moves_to_a_better_way_and_the_former_is_told(void **s)
{
    (void)s;
    join(3);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves(); /* there is none better */
    lab.better = 1;
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves(); /* it goes there already */
    lab.better = 2;
    kith_relay_improve(lab.r, lab.now);
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    leaves_over(1, first.label, KITH_MESH_GONE);
    nothing_leaves();
    send(77, "two");
    (void)leaves_packet(2, second.label, "two");
    assert_int_equal(counted()->improved, 1);
    assert_int_equal(lab.failed, 0);
    /* and when that turns out to be none, the former is good again */
    lab.better = 0;
    assert_true(hear_over(2, second.label, KITH_MESH_NO_WAY));
    send(77, "three");
    struct kith_flow_open third = leaves_open(1);
    (void)leaves_packet(1, third.label, "three");
}

static void flows_of_others_do_not_move(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    (void)through(1, HIGH | 1, 1, 2);
    lab.better = 3;
    kith_relay_improve(lab.r, lab.now);
    nothing_leaves();
    assert_int_equal(counted()->improved, 0);
}

static void what_its_beginner_ends_is_ended_on_the_whole_way(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_true(hear_over(1, HIGH | 1, KITH_MESH_GONE));
    leaves_over(2, label, KITH_MESH_GONE);
    nothing_leaves();
    assert_int_equal(flows(), 0);
    assert_int_equal(lab.failed, 0);
    assert_true(hear_over(1, HIGH | 1, KITH_MESH_GONE)); /* said twice */
    nothing_leaves();
}

static void a_neighbour_that_parts_takes_along_the_flows_it_began(void **s)
{
    (void)s;
    join(3);
    LEADS(2);
    uint32_t one = through(1, HIGH | 1, 1, 2), kept = through(3, HIGH | 1, 2, 2),
             two = through(1, HIGH | 2, 3, 2);
    assert_true(hear_begin(1, HIGH | 3, 4, HERE));
    assert_int_equal(flows(), 4);
    kith_relay_part(lab.r, 1, lab.now);
    leaves_over(2, one, KITH_MESH_GONE);
    leaves_over(2, two, KITH_MESH_GONE);
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_packet(3, HIGH | 1, "kept"));
    (void)leaves_packet(2, kept, "kept");
    assert_false(hear_packet(1, HIGH | 1, "none")); /* of no neighbour */
    nothing_leaves();
}

static void flows_through_a_neighbour_that_parts_go_on_by_another_way(void **s)
{
    (void)s;
    join(4);
    LEADS(2, 3); /* the table is behind: 2 stands in it still */
    uint32_t from_3 = through(3, HIGH | 1, 2, 2);
    (void)through(1, HIGH | 1, 1, 2);
    LEADS(4, 2, 3);
    send(78, "ours");
    (void)leaves(4);
    (void)leaves(4);
    LEADS(2, 3);
    kith_relay_part(lab.r, 2, lab.now);
    (void)from_3;
    leaves_over(3, HIGH | 1, KITH_MESH_GONE); /* 3 alone is left, and handed it over */
    uint32_t label = leaves_open(3).label;
    nothing_leaves();
    assert_int_equal(flows(), 2);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(3, label, "on");
    assert_int_equal(counted()->rerouted, 1);
}

static void a_flow_of_ours_survives_the_neighbour_it_went_by(void **s)
{
    const struct kith_destination d = dest(77);
    const struct kith_ip ip = kith_mesh_address(&d);
    uint32_t by;

    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    kith_relay_part(lab.r, 1, lab.now);
    nothing_leaves();
    assert_false(kith_relay_route(lab.r, &ip, &by));
    send(77, "two");
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(2, second.label, "two");
    assert_true(kith_relay_route(lab.r, &ip, &by));
    assert_int_equal(by, 2);
}

static void whoever_comes_again_is_as_new(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    uint32_t old = through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_relay_join(lab.r, 1, true), KITH_OK); /* it is one: nothing happens */
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, old, "on");
    kith_relay_part(lab.r, 1, lab.now);
    kith_relay_part(lab.r, 1, lab.now);
    drain();
    assert_int_equal(kith_relay_join(lab.r, 1, true), KITH_OK);
    assert_true(hear_packet(1, HIGH | 1, "old"));
    leaves_over(1, HIGH | 1, KITH_MESH_UNKNOWN);
    assert_true(hear_begin(1, 1, 1, 77)); /* the other side's labels are the low ones now */
    (void)leaves_open(2);
    nothing_leaves();
}

/* ---- silence ---- */

static void after_4_packets_and_2_seconds_of_silence_another_way_is_tried_and_no_sooner(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    struct kith_flow_open first = leaves_open(1);
    (void)leaves_packet(1, first.label, "p");
    for (int i = 0; i < 3; i++) {
        send(77, "p");
        (void)leaves_packet(1, first.label, "p");
    }
    pass(KITH_RELAY_SILENCE - 1);
    send(77, "p"); /* many, but not long enough */
    (void)leaves_packet(1, first.label, "p");
    nothing_leaves();
    assert_int_equal(lab.failed, 0);
    pass(1);
    send(77, "other way");
    leaves_over(1, first.label, KITH_MESH_GONE);
    struct kith_flow_open second = leaves_open(2);
    assert_true(second.attempt > first.attempt);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_equal(second.hops, 64);
    (void)leaves_packet(2, second.label, "other way");
    nothing_leaves();
    assert_int_equal(lab.failed, 1);
    assert_int_equal(lab.failed_by, 1);
    assert_int_equal(counted()->rerouted, 1);
}

static void three_packets_are_too_few_however_long_it_is_silent(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    uint32_t label = leaves_open(1).label;
    drain();
    send(77, "p");
    send(77, "p");
    drain();
    pass(30 * KITH_SEC);
    send(77, "p"); /* the fourth */
    (void)leaves_packet(1, label, "p");
    assert_int_equal(lab.failed, 0);
    send(77, "p");
    assert_int_equal(lab.failed, 1);
}

static void what_comes_back_ends_the_silence(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "p");
    uint32_t label = leaves_open(1).label;
    for (int i = 0; i < 9; i++)
        send(77, "p");
    drain();
    pass(KITH_RELAY_SILENCE - 1);
    assert_true(hear_packet(1, label, "answer"));
    drain();
    pass(KITH_RELAY_SILENCE);
    for (int i = 0; i < 4; i++) { /* the silence begins with the first of these */
        send(77, "p");
        (void)leaves_packet(1, label, "p");
    }
    pass(KITH_RELAY_SILENCE - 1);
    send(77, "p");
    (void)leaves_packet(1, label, "p");
    assert_int_equal(lab.failed, 0);
    pass(1);
    send(77, "p");
    assert_int_equal(lab.failed, 1);
}

static void with_one_way_only_the_silent_one_is_begun_anew(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send(77, "p");
    struct kith_flow_open first = leaves_open(1);
    for (int i = 0; i < 4; i++)
        send(77, "p");
    drain();
    pass(KITH_RELAY_SILENCE);
    send(77, "again");
    leaves_over(1, first.label, KITH_MESH_GONE);
    struct kith_flow_open second = leaves_open(1);
    assert_true(second.attempt > first.attempt);
    (void)leaves_packet(1, second.label, "again");
}

static void nobody_is_blamed_for_the_silence_of_a_way_that_is_gone(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    for (int i = 0; i < 5; i++)
        send(77, "p");
    drain();
    kith_relay_part(lab.r, 1, lab.now);
    pass(KITH_RELAY_SILENCE);
    send(77, "p");
    assert_int_equal(lab.failed, 0); /* 1 is none, and 2 was not tried yet */
    (void)leaves_packet(2, leaves_open(2).label, "p");
    nothing_leaves();
}

/* ---- labels that mean nothing ---- */

static void an_unknown_label_is_answered_64_times_at_once_and_then_100_times_a_second(void **s)
{
    (void)s;
    join(2);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(hear_packet(1, i, "what"));
    for (uint32_t i = 0; i < 64; i++)
        leaves_over(1, i, KITH_MESH_UNKNOWN);
    nothing_leaves();
    assert_int_equal(counted()->unknown, 100);
    assert_true(hear_packet(2, 5, "what")); /* of another's rate nothing was taken */
    leaves_over(2, 5, KITH_MESH_UNKNOWN);
    pass(10 * KITH_MSEC);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(hear_packet(1, i, "what"));
    leaves_over(1, 0, KITH_MESH_UNKNOWN);
    nothing_leaves();
    assert_int_equal(flows(), 0);
}

static void a_flow_of_ours_that_was_forgotten_is_begun_anew_the_same_way(void **s)
{
    (void)s;
    join(2);
    LEADS(1, 2);
    send(77, "one");
    struct kith_flow_open first = leaves_open(1);
    drain();
    assert_true(hear_over(1, first.label, KITH_MESH_UNKNOWN));
    assert_int_equal(lab.failed, 0); /* the way is good */
    send(77, "two");
    struct kith_flow_open second = leaves_open(1);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_not_equal(second.label, first.label);
    (void)leaves_packet(1, second.label, "two");
    nothing_leaves();
}

static void a_flow_through_here_that_was_forgotten_is_begun_anew_the_same_way(void **s)
{
    (void)s;
    join(3);
    LEADS(2, 3);
    assert_true(hear_begin(1, HIGH | 1, 1, 77));
    struct kith_flow_open first = leaves_open(2);
    assert_true(hear_over(2, first.label, KITH_MESH_UNKNOWN));
    struct kith_flow_open second = leaves_open(2);
    assert_memory_equal(second.flow.b, first.flow.b, sizeof first.flow.b);
    assert_int_equal(second.attempt, first.attempt);
    assert_int_equal(lab.failed, 0);
    assert_true(hear_packet(1, HIGH | 1, "on"));
    (void)leaves_packet(2, second.label, "on");
    nothing_leaves();
}

/* ---- pieces ---- */

static const uint8_t *pattern(void)
{
    static uint8_t p[4096];

    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(i * 7 + i / 256);
    return p;
}

/* Takes the pieces of a datagram of n bytes for `to`, checks them and hands them, changed to that
 * label, to `back`; how many there were. */
static unsigned pieces_go(uint32_t to, size_t n, uint32_t label, uint32_t back)
{
    struct kith_flow_piece m;
    unsigned i = 0;
    size_t at = 0;

    do {
        struct kith_span d = leaves(to);
        assert_int_equal(d.p[0], 0x07);
        assert_int_equal(kith_flow_piece_decode(d, &m), KITH_OK);
        assert_int_equal(d.n, 14 + m.part.n);
        assert_int_equal(m.index, i);
        assert_int_equal(m.size, n);
        assert_true(at + m.part.n <= n);
        assert_memory_equal(m.part.p, pattern() + at, m.part.n);
        at += m.part.n;
        m.label = label;
        uint8_t buf[2048];
        size_t len;
        assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &len), KITH_OK);
        assert_true(hear(back, (struct kith_span){buf, len}));
    } while (++i < m.count);
    assert_int_equal(at, n);
    return i;
}

static void one_too_big_for_a_hop_goes_in_pieces_which_the_next_puts_together(void **s)
{
    struct kith_relay_in in;

    (void)s;
    join(3);
    lab.room[2] = 500;
    LEADS(2);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE)); /* here they come together again */
    send_bytes(77, pattern(), 1);
    uint32_t label = leaves_open(2).label;
    (void)leaves(2);
    send_bytes(77, pattern(), 492); /* with its 8 bytes it just fits */
    assert_int_equal(leaves(2).n, 500);
    nothing_leaves();
    (void)label;
    send_bytes(77, pattern(), 493);
    assert_int_equal(pieces_go(2, 493, HIGH | 1, 1), 2);
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    nothing_leaves();
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(
        kith_span_equal((struct kith_span){in.packet, in.n}, (struct kith_span){pattern(), 493}));
    assert_true(kith_relay_next_in(lab.r, &in));
    assert_true(
        kith_span_equal((struct kith_span){in.packet, in.n}, (struct kith_span){pattern(), 1200}));
    nothing_arrives();
}

static void the_middle_puts_together_and_sends_on_whole_or_cut_anew(void **s)
{
    struct kith_flow_packet m;

    (void)s;
    join(3);
    lab.room[2] = 500;
    lab.room[3] = 300;
    LEADS(2);
    send_bytes(77, pattern(), 1200);
    drain();
    LEADS(3);
    uint32_t narrow = through(1, HIGH | 1, 1, 3);
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    assert_int_equal(pieces_go(3, 1200, HIGH | 9, 2), 5); /* 286 bytes a piece at most */
    drain();
    lab.room[3] = WIDE;
    send_bytes(77, pattern(), 1200);
    assert_int_equal(pieces_go(2, 1200, HIGH | 1, 1), 3);
    assert_int_equal(kith_flow_packet_decode(leaves(3), &m), KITH_OK);
    assert_int_equal(m.label, narrow);
    assert_true(kith_span_equal(m.packet, (struct kith_span){pattern(), 1200}));
    assert_int_equal(m.hops, 63);
    nothing_leaves();
}

static void what_is_bigger_than_1200_bytes_or_8_pieces_and_does_not_fit_is_too_big(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send_bytes(77, pattern(), 10);
    drain();
    send_bytes(77, pattern(), WIDE - 8); /* big, but it fits */
    assert_int_equal(leaves(1).n, WIDE);
    send_bytes(77, pattern(), WIDE - 7);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 1);
    lab.room[1] = 1000;
    send_bytes(77, pattern(), 1201);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 2);
    lab.room[1] = 14 + 150; /* 8 pieces of 150 */
    send_bytes(77, pattern(), 1200);
    drain();
    assert_int_equal(counted()->too_big, 2);
    lab.room[1] = 14 + 149;
    send_bytes(77, pattern(), 1200);
    nothing_leaves();
    assert_int_equal(counted()->too_big, 3);
    assert_int_equal(counted()->dropped, 0);
}

static void where_there_is_no_room_at_all_it_is_dropped(void **s)
{
    (void)s;
    join(1);
    LEADS(1);
    send_bytes(77, pattern(), 10);
    drain();
    lab.room[1] = 0;
    send_bytes(77, pattern(), 1);
    lab.room[1] = 14;
    send_bytes(77, pattern(), 100);
    nothing_leaves();
    assert_int_equal(counted()->dropped, 2);
}

static bool hear_piece(uint32_t from, uint32_t label, uint16_t id, size_t size, unsigned index,
                       size_t part)
{
    const struct kith_flow_piece m = {.hops = 9,
                                      .label = label,
                                      .id = id,
                                      .size = (uint16_t)size,
                                      .index = (uint8_t)index,
                                      .count = 3,
                                      .part = {pattern(), part}};
    uint8_t buf[2048];
    size_t n;

    assert_int_equal(kith_flow_piece_encode(&m, buf, sizeof buf, &n), KITH_OK);
    return hear(from, (struct kith_span){buf, n});
}

static void pieces_under_unknown_labels_take_no_memory(void **s)
{
    (void)s;
    join(1);
    assert_true(hear_piece(1, 5, 0, 300, 0, 100)); /* room for answers is got */
    drain();
    size_t bytes = lab.heap.bytes;
    for (uint16_t i = 0; i < 100; i++)
        assert_true(hear_piece(1, 1000u + i, i, 300, i % 3, 100));
    assert_int_equal(lab.heap.bytes, bytes);
    leaves_over(1, 1000, KITH_MESH_UNKNOWN);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    bytes = lab.heap.bytes;
    assert_true(hear_piece(1, HIGH | 1, 500, 300, 0, 100)); /* a known one takes its due, once */
    size_t due = lab.heap.bytes - bytes;
    assert_in_range(due, 1, (size_t)128 * 1024);
    for (uint16_t i = 501; i < 600; i++)
        assert_true(hear_piece(1, HIGH | 1, i, 300, 0, 100));
    assert_int_equal(lab.heap.bytes - bytes, due);
    kith_relay_part(lab.r, 1, lab.now);
    assert_true(lab.heap.bytes < bytes);
}

static void pieces_that_cannot_be_are_malformed(void **s)
{
    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    assert_false(hear_piece(1, HIGH | 1, 1, 300, 3, 100));  /* the fourth of three */
    assert_false(hear_piece(1, HIGH | 1, 2, 1201, 0, 500)); /* bigger than any that is cut */
    assert_false(hear_piece(1, HIGH | 1, 3, 300, 0, 0));    /* empty */
    assert_true(hear_piece(1, HIGH | 1, 4, 300, 0, 100));
    assert_false(hear_piece(1, HIGH | 1, 4, 300, 1, 90)); /* not as long as the first */
    assert_true(hear_piece(1, HIGH | 1, 5, 300, 0, 100));
    assert_true(hear_piece(1, HIGH | 1, 5, 300, 1, 100));
    assert_false(hear_piece(1, HIGH | 1, 5, 300, 2, 99)); /* 299 in all */
    assert_int_equal(counted()->malformed, 5);
    nothing_arrives();
    nothing_leaves();
}

/* ---- limits ---- */

static void a_neighbour_begins_512_flows_at_once_and_100_a_second(void **s)
{
    (void)s;
    join(2);
    for (unsigned i = 0; i < 600; i++)
        assert_true(hear_begin(1, HIGH | i, i, HERE));
    assert_int_equal(flows(), 512);
    assert_int_equal(counted()->refused, 88);
    leaves_over(1, HIGH | 512, KITH_MESH_FULL);
    drain();
    pass(KITH_SEC);
    for (unsigned i = 600; i < 800; i++)
        assert_true(hear_begin(1, HIGH | i, i, HERE));
    assert_int_equal(flows(), 612);
    assert_true(hear_begin(2, HIGH | 1, 1000, HERE)); /* another has its own rate */
    assert_int_equal(flows(), 613);
    drain();
}

/* Begins the first, second... 512 flows by the neighbour; how many were taken. */
static size_t begin_512(uint32_t neighbour, unsigned turn)
{
    size_t before = flows();

    for (unsigned i = 512 * turn; i < 512 * (turn + 1); i++)
        assert_true(hear_begin(neighbour, HIGH | i, neighbour << 16 | i, HERE));
    drain();
    return flows() - before;
}

static void a_neighbour_has_at_most_2048_flows_begun(void **s)
{
    (void)s;
    join(2);
    for (unsigned turn = 0; turn < 5; turn++) {
        assert_int_equal(begin_512(1, turn), turn < 4 ? 512 : 0);
        pass(5120 * KITH_MSEC);
    }
    assert_true(hear_begin(1, HIGH | 5000, 1, HERE));
    leaves_over(1, HIGH | 5000, KITH_MESH_FULL);
    assert_true(hear_begin(2, HIGH | 1, 2, HERE));
    nothing_leaves();
    assert_true(hear_over(1, HIGH | 0, KITH_MESH_GONE)); /* one ends: there is room for one */
    assert_true(hear_begin(1, HIGH | 5001, 3, HERE));
    nothing_leaves();
    assert_true(hear_begin(1, HIGH | 5002, 4, HERE));
    leaves_over(1, HIGH | 5002, KITH_MESH_FULL);
    assert_int_equal(flows(), 2049);
}

static void there_are_at_most_16384_flows_in_all(void **s)
{
    (void)s;
    join(9);
    LEADS(9);
    for (unsigned turn = 0; turn < 4; turn++) {
        for (uint32_t by = 1; by <= 8; by++)
            assert_int_equal(begin_512(by, turn), 512);
        pass(5120 * KITH_MSEC);
    }
    assert_int_equal(flows(), 16384);
    assert_true(hear_begin(9, HIGH | 1, 1, HERE));
    leaves_over(9, HIGH | 1, KITH_MESH_FULL);
    send(77, "ours");
    nothing_leaves();
    assert_int_equal(counted()->no_way, 1);
    assert_int_equal(flows(), 16384);
    kith_relay_part(lab.r, 1, lab.now);
    assert_int_equal(flows(), 14336);
    send(77, "ours");
    (void)leaves_open(9);
    drain();
}

static void a_full_shelf_drops_and_counts(void **s)
{
    struct kith_relay_out out;
    unsigned n = 0;

    (void)s;
    join(1);
    LEADS(1);
    for (unsigned i = 0; i < 2000; i++)
        send_bytes(77, pattern(), 1000);
    while (kith_relay_next_out(lab.r, &out))
        n++;
    kith_relay_taken(lab.r);
    assert_int_equal(n + counted()->dropped, 2001); /* with the beginning */
    assert_in_range(n, 900, 1048);
    send(77, "fits again");
    (void)leaves(1);
    nothing_leaves();
}

/* ---- time ---- */

static void a_flow_that_nobody_uses_for_60_seconds_is_gone(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    assert_int_equal(kith_relay_deadline(lab.r), KITH_NEVER);
    uint32_t label = through(1, HIGH | 1, 1, 2);
    assert_int_equal(kith_relay_deadline(lab.r), lab.now + 60 * KITH_SEC);
    pass(30 * KITH_SEC);
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    pass(30 * KITH_SEC - 1);
    assert_int_equal(flows(), 2);
    assert_true(hear_packet(2, label, "used")); /* either direction counts */
    drain();
    pass(1);
    assert_int_equal(flows(), 2);
    assert_int_equal(kith_relay_deadline(lab.r), lab.now + 30 * KITH_SEC); /* of the other */
    pass(30 * KITH_SEC);
    assert_int_equal(flows(), 1);
    pass(30 * KITH_SEC - 2);
    assert_int_equal(flows(), 1);
    pass(1);
    assert_int_equal(flows(), 0);
    assert_int_equal(kith_relay_deadline(lab.r), KITH_NEVER);
    nothing_leaves();
    assert_true(hear_begin(1, HIGH | 3, 3, HERE));
    assert_true(hear_packet(1, HIGH | 2, "old"));
    leaves_over(1, HIGH | 2, KITH_MESH_UNKNOWN);
}

static void sending_uses_a_flow(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    send(77, "ours");
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_packet(1, HIGH | 2, "theirs"));
    struct kith_ip from = arrives("theirs");
    drain();
    for (int i = 0; i < 3; i++) {
        pass(40 * KITH_SEC);
        assert_int_equal(flows(), 2);
        send(77, "ours");
        send_to(&from, "answer");
        drain();
    }
    pass(60 * KITH_SEC);
    assert_int_equal(flows(), 0);
}

static void when_the_last_flow_is_gone_the_shelves_are_given_back(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    send(77, "ours");
    assert_true(hear_begin(1, HIGH | 2, 2, HERE));
    assert_true(hear_packet(1, HIGH | 2, "theirs"));
    assert_true(lab.heap.bytes > (size_t)2 * 1024 * 1024);
    pass(60 * KITH_SEC); /* nobody took them yet */
    (void)arrives("theirs");
    drain();
    pass(1);
    assert_true(lab.heap.bytes < (size_t)64 * 1024);
}

/* ---- memory, malice ---- */

/* A little of everything, with whatever result. */
static void live(void)
{
    static const uint32_t known = HIGH | 1;
    const struct kith_flow_piece piece = {
        .hops = 9, .label = HIGH | 2, .size = 20, .count = 2, .part = {pattern(), 10}};
    uint8_t buf[64];
    size_t n;

    for (uint32_t i = 1; i <= 8; i++) /* enough for the maps to grow */
        (void)!kith_relay_join(lab.r, i, false);
    LEADS(2, 3, 4);
    (void)hear_begin(1, known, 1, 77);
    (void)hear_begin(1, HIGH | 2, 2, HERE);
    for (unsigned i = 0; i < 8; i++)
        (void)hear_begin(5, HIGH | i, 100 + i, 78);
    (void)hear_packet(1, known, "through");
    (void)hear_packet(1, HIGH | 2, "here");
    assert_int_equal(kith_flow_piece_encode(&piece, buf, sizeof buf, &n), KITH_OK);
    (void)hear(1, (struct kith_span){buf, n});
    send(77, "ours");
    send(78, "ours");
    kith_relay_part(lab.r, 2, lab.now);
    send(77, "ours");
    (void)hear_over(5, HIGH | 3, KITH_MESH_GONE);
    drain();
    pass(KITH_SEC);
}

static void every_allocation_may_fail_once(void **s)
{
    uint64_t asked;

    (void)s;
    live();
    asked = lab.heap.requests;
    assert_true(asked > 20);
    for (uint64_t fail = 1; fail <= asked; fail++) {
        kith_relay_free(lab.r);
        assert_int_equal(lab.heap.live, 0);
        lab.r = NULL;
        lab.heap.fail_at = lab.heap.requests + fail;
        if (kith_relay_new(&lab.env, &ops, &lab.r) != KITH_OK) {
            assert_int_equal(fail, 1);
            assert_int_equal(kith_relay_new(&lab.env, &ops, &lab.r), KITH_OK);
        }
        live();
        lab.heap.fail_at = 0;
        live(); /* and all goes on afterwards */
        send(79, "ours");
        struct kith_flow_open m = leaves_open(3); /* 2 has parted */
        (void)leaves_packet(3, m.label, "ours");
    }
    assert_int_equal(lab.heap.failed, asked);
}

static void without_memory_a_beginning_is_refused_and_its_label_is_free(void **s)
{
    (void)s;
    join(2);
    LEADS(2);
    (void)through(1, HIGH | 1, 1, 2);
    lab.heap.fail_at = lab.heap.requests + 1;
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    leaves_over(1, HIGH | 2, KITH_MESH_FULL);
    nothing_leaves();
    assert_int_equal(flows(), 1);
    assert_true(hear_begin(1, HIGH | 2, 2, 77));
    (void)leaves_open(2);
}

/* A datagram that is none: nothing leaves, nothing arrives, nothing is taken. */
static void is_none(uint32_t from, const uint8_t *p, size_t n)
{
    uint8_t *exact = n > 0 ? malloc(n) : NULL; /* a sanitizer sees what is read beyond */
    struct kith_relay_counters before = *counted();
    size_t had = flows(), bytes = lab.heap.bytes;

    kith_copy(exact, p, n);
    assert_false(hear(from, (struct kith_span){exact, n}));
    free(exact);
    nothing_leaves();
    nothing_arrives();
    before.malformed++;
    assert_memory_equal(&before, counted(), sizeof before);
    assert_int_equal(flows(), had);
    assert_int_equal(lab.heap.bytes, bytes);
}

static void what_is_cut_short_or_too_long_is_malformed(void **s)
{
    const struct kith_flow_open open = opening(HIGH | 9, 9, HERE);
    const struct kith_flow_packet packet = {.hops = 9, .label = HIGH | 1};
    const struct kith_flow_piece piece = {.hops = 9, .label = HIGH | 1, .size = 20, .count = 2};
    const struct kith_flow_over over = {.label = HIGH | 1, .why = KITH_MESH_GONE};
    uint8_t buf[64] = {0};
    size_t n;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    assert_int_equal(kith_flow_open_encode(&open, buf, sizeof buf, &n), KITH_OK);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    is_none(1, buf, n + 1);
    assert_int_equal(kith_flow_packet_encode(&packet, buf, sizeof buf, &n), KITH_OK);
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    assert_int_equal(kith_flow_piece_encode(&piece, buf, sizeof buf, &n), KITH_OK);
    assert_int_equal(n, 14);
    for (size_t i = 0; i <= n; i++) /* a piece of nothing is none, too */
        is_none(1, buf, i);
    assert_int_equal(kith_flow_over_encode(&over, buf, sizeof buf, &n), KITH_OK);
    for (size_t i = 0; i < n; i++)
        is_none(1, buf, i);
    is_none(1, buf, n + 1);
}

static void what_breaks_a_rule_is_malformed(void **s)
{
    const struct kith_flow_open open = opening(HIGH | 9, 9, HERE);
    uint8_t buf[64];
    size_t n;

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    drain();
    assert_int_equal(kith_flow_open_encode(&open, buf, sizeof buf, &n), KITH_OK);
    for (unsigned kind = 0; kind < 256; kind++) /* of no flow kind */
        if (kind < 0x05 || kind > 0x08) {
            buf[0] = (uint8_t)kind;
            is_none(1, buf, n);
        }
    buf[0] = 0x05;
    buf[1] = 0; /* hops */
    is_none(1, buf, n);
    buf[1] = 65;
    is_none(1, buf, n);
    buf[1] = 64;
    is_none(2, buf, n); /* of no neighbour */
    buf[2] &= 0x7f;     /* a label that is ours to choose */
    is_none(1, buf, n);
    buf[2] |= 0x80;
    assert_true(hear(1, (struct kith_span){buf, n}));
    assert_int_equal(counted()->accepted, 2);
}

static void flags_that_nobody_knows_are_ignored(void **s)
{
    const uint8_t packet[] = {0x06, 0xff, 0xff, 9, 0x80, 0, 0, 1, 'x'};

    (void)s;
    join(1);
    assert_true(hear_begin(1, HIGH | 1, 1, HERE));
    assert_true(hear(1, KITH_SPAN_OF(packet)));
    (void)arrives("x");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(a_flow_of_ours_begins_by_the_best_way_and_its_packets_have_8_bytes_before_them),
        T(each_destination_has_a_flow_and_a_label_of_its_own),
        T(the_highest_bit_of_a_label_says_which_side_chose_it),
        T(without_a_way_it_is_counted_and_lost),
        T(a_way_by_nobody_s_neighbour_is_none),
        T(the_middle_gives_another_label_and_carries_both_directions),
        T(a_packet_keeps_its_mark_of_congestion),
        T(it_never_goes_back_to_where_it_came_from),
        T(what_arrives_has_an_address_from_which_the_answer_goes_back),
        T(two_flows_that_end_here_have_two_addresses),
        T(the_answer_comes_from_the_destination_s_address),
        T(an_answer_to_a_flow_that_has_ended_goes_nowhere),
        T(a_packet_with_one_hop_left_arrives_but_goes_to_nobody_more),
        T(a_beginning_with_one_hop_left_may_end_here_but_not_go_on),
        T(a_flow_that_was_here_already_is_refused_as_a_loop),
        T(one_s_own_flow_that_comes_back_is_refused_whatever_its_attempt),
        T(a_higher_attempt_takes_the_place_of_a_lower_one),
        T(at_its_end_a_higher_attempt_keeps_the_address),
        T(a_beginning_said_twice_changes_nothing),
        T(who_begins_to_count_anew_has_ended_what_had_the_label),
        T(where_nobody_leads_there_it_is_refused),
        T(a_refusal_makes_it_try_the_next_until_three_were_tried),
        T(after_a_refusal_packets_go_the_other_way),
        T(a_flow_of_ours_that_is_refused_goes_another_way_with_the_next_packet),
        T(a_flow_of_ours_moves_to_a_better_way_and_the_former_is_told),
        T(flows_of_others_do_not_move),
        T(what_its_beginner_ends_is_ended_on_the_whole_way),
        T(a_neighbour_that_parts_takes_along_the_flows_it_began),
        T(flows_through_a_neighbour_that_parts_go_on_by_another_way),
        T(a_flow_of_ours_survives_the_neighbour_it_went_by),
        T(whoever_comes_again_is_as_new),
        T(after_4_packets_and_2_seconds_of_silence_another_way_is_tried_and_no_sooner),
        T(three_packets_are_too_few_however_long_it_is_silent),
        T(what_comes_back_ends_the_silence),
        T(with_one_way_only_the_silent_one_is_begun_anew),
        T(nobody_is_blamed_for_the_silence_of_a_way_that_is_gone),
        T(an_unknown_label_is_answered_64_times_at_once_and_then_100_times_a_second),
        T(a_flow_of_ours_that_was_forgotten_is_begun_anew_the_same_way),
        T(a_flow_through_here_that_was_forgotten_is_begun_anew_the_same_way),
        T(one_too_big_for_a_hop_goes_in_pieces_which_the_next_puts_together),
        T(the_middle_puts_together_and_sends_on_whole_or_cut_anew),
        T(what_is_bigger_than_1200_bytes_or_8_pieces_and_does_not_fit_is_too_big),
        T(where_there_is_no_room_at_all_it_is_dropped),
        T(pieces_under_unknown_labels_take_no_memory),
        T(pieces_that_cannot_be_are_malformed),
        T(a_neighbour_begins_512_flows_at_once_and_100_a_second),
        T(a_neighbour_has_at_most_2048_flows_begun),
        T(there_are_at_most_16384_flows_in_all),
        T(a_full_shelf_drops_and_counts),
        T(a_flow_that_nobody_uses_for_60_seconds_is_gone),
        T(sending_uses_a_flow),
        T(when_the_last_flow_is_gone_the_shelves_are_given_back),
        T(every_allocation_may_fail_once),
        T(without_memory_a_beginning_is_refused_and_its_label_is_free),
        T(what_is_cut_short_or_too_long_is_malformed),
        T(what_breaks_a_rule_is_malformed),
        T(flags_that_nobody_knows_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
