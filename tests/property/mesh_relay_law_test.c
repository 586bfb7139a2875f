/* Laws of datagrams through others, over many seeds: worlds of 8 to 30 nodes in one process, joined
 * by random graphs, whose tables lead right, at random, or in circles on purpose, and whose links
 * lose, repeat and reorder.
 *   1. From wherever one follows a flow down, one never comes to a node of it twice.
 *   2. What arrives was sent, byte by byte, to the node where it arrives; the answer to it too.
 *   3. Where all are joined, tables lead the shortest way and nothing is lost, everything arrives,
 *      once.
 *      So it is while beginners move to other ways that lead there.
 *   4. Flows stay within their limits however fast they are begun; when all neighbours have parted
 *      and 60 s have passed there are none, the memory is given back, and in the end all of it. */
#include "mesh/relay.h"
#include "wire/datagram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

#include "lab_alloc.h"

enum {
    SEEDS = 40,
    NODES_MAX = 30,
    SENT_MAX = 4096,
    FLYING_MAX = 8192,
    OPENED_MAX = 128, /* beginnings that are remembered, to follow them */
    DATAGRAM_MAX = 1400,
    PROBE = 0x70726f62, /* in place of a serial */
};

enum tables { SHORTEST, RANDOM, CIRCLE, FICKLE, TABLES };

struct node {
    uint32_t number;
    struct kith_relay *r;
};

struct flying {
    uint32_t from, to;
    uint16_t n;
    uint8_t b[DATAGRAM_MAX];
};

/* What was handed to a relay to be sent, and how often it has arrived. */
struct sent {
    uint32_t from, to;
    size_t n;
    bool is_answer;
    unsigned arrived;
};

struct opened {
    uint32_t from, to, label;
};

static struct world {
    struct node node[NODES_MAX];
    uint32_t n;
    bool linked[NODES_MAX][NODES_MAX];
    uint8_t hops[NODES_MAX][NODES_MAX]; /* of the shortest way; 255: none */
    uint16_t room[NODES_MAX][NODES_MAX];
    enum tables tables;
    unsigned loss, twice, astray; /* of 100 datagrams: lost, delivered twice, out of order */
    unsigned moves;               /* of 100 looks for a better way: one is found that is as short */
    struct flying flying[FLYING_MAX];
    size_t n_flying;
    struct sent sent[SENT_MAX];
    uint32_t n_sent;
    struct opened opened[OPENED_MAX];
    size_t n_opened;
    kith_time now;
} w;

static struct lab_dice dice;
static struct lab_alloc heap;
static struct kith_env env;

static uint32_t below(uint32_t n)
{
    return (uint32_t)kith_random_below(&dice.random, n);
}

static bool chance(unsigned of_100)
{
    return below(100) < of_100;
}

static struct kith_destination dest(uint32_t i)
{
    return (struct kith_destination){{0xde, (uint8_t)i, [15] = 1}};
}

/* The node a destination belongs to, or NODES_MAX: none (so a flow's address is). */
static uint32_t node_of(const uint8_t b[16])
{
    const struct kith_destination d = dest(b[1]);

    return memcmp(d.b, b, sizeof d.b) == 0 && b[1] < w.n ? b[1] : NODES_MAX;
}

/* ---- tables ---- */

static void measure(uint32_t to)
{
    uint32_t queue[NODES_MAX], first = 0, last = 0;

    for (uint32_t i = 0; i < w.n; i++)
        w.hops[i][to] = 255;
    w.hops[to][to] = 0;
    queue[last++] = to;
    while (first < last) {
        uint32_t at = queue[first++];
        for (uint32_t i = 0; i < w.n; i++)
            if (w.linked[at][i] && w.hops[i][to] == 255) {
                w.hops[i][to] = (uint8_t)(w.hops[at][to] + 1);
                queue[last++] = i;
            }
    }
}

/* How much `by` is liked as the next after `at`; less is better. */
static uint32_t dislike(uint32_t at, uint32_t by, uint32_t to)
{
    switch (w.tables) {
    case SHORTEST: return w.hops[by][to];
    case RANDOM: return (at * 2654435761u ^ by * 40503u ^ to * 97u) >> 8 & 0xffff;
    case CIRCLE: return (by + w.n - at) % w.n; /* round and round, whatever lies there */
    case FICKLE:
    case TABLES: break;
    }
    return below(1000);
}

static bool is_among(uint32_t x, const uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == x)
            return true;
    return false;
}

static bool op_way(void *ctx, const struct kith_destination *d, uint32_t from,
                   const uint32_t *not_by, size_t n, kith_time now, uint32_t *ret)
{
    const struct node *at = ctx;
    uint32_t to = node_of(d->b), best = UINT32_MAX;

    (void)now;
    if (to == NODES_MAX)
        return false;
    for (uint32_t i = 0; i < w.n; i++) {
        if (!w.linked[at->number][i] || i == from || is_among(i, not_by, n))
            continue;
        uint32_t d_i = dislike(at->number, i, to);
        if (d_i < best) {
            best = d_i;
            *ret = i;
        }
    }
    return best != UINT32_MAX;
}

/* A neighbour that is no farther from there: its way never comes back here. */
static bool other_way(uint32_t at, uint32_t to, uint32_t by, uint32_t *ret)
{
    const uint32_t first = below(w.n);

    for (uint32_t k = 0; k < w.n && to < w.n; k++) {
        const uint32_t i = (first + k) % w.n;
        if (i != by && w.linked[at][i] && w.hops[i][to] <= w.hops[at][to]) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Where datagrams go astray, beginners change their minds, too. */
static bool op_better(void *ctx, const struct kith_destination *d, uint32_t by, kith_time now,
                      uint32_t *ret)
{
    const struct node *at = ctx;
    uint32_t to = below(w.n);

    (void)now;
    if (chance(w.moves))
        return other_way(at->number, node_of(d->b), by, ret);
    if (!chance(w.astray) || to == by || !w.linked[at->number][to])
        return false;
    *ret = to;
    return true;
}

static bool op_is_here(void *ctx, const struct kith_destination *d)
{
    const struct node *at = ctx;

    return node_of(d->b) == at->number;
}

static void op_failed(void *ctx, const struct kith_destination *to, uint32_t neighbour, bool silent,
                      kith_time now)
{
    (void)ctx;
    (void)to;
    (void)silent;
    (void)now;
    assert_true(neighbour < w.n);
}

static size_t op_room(void *ctx, uint32_t neighbour)
{
    const struct node *at = ctx;

    return w.room[at->number][neighbour];
}

/* ---- the world ---- */

static void link_up(uint32_t a, uint32_t b)
{
    if (a == b || w.linked[a][b])
        return;
    w.linked[a][b] = w.linked[b][a] = true;
    w.room[a][b] = w.room[b][a] = (uint16_t)(200 + below(DATAGRAM_MAX - 200));
    assert_int_equal(kith_relay_join(w.node[a].r, b, a > b), KITH_OK);
    assert_int_equal(kith_relay_join(w.node[b].r, a, b > a), KITH_OK);
}

/* A session ends at both sides, and with it what is under way on it. */
static void cut(uint32_t a, uint32_t b)
{
    size_t kept = 0;

    if (!w.linked[a][b])
        return;
    w.linked[a][b] = w.linked[b][a] = false;
    kith_relay_part(w.node[a].r, b, w.now);
    kith_relay_part(w.node[b].r, a, w.now);
    for (size_t i = 0; i < w.n_flying; i++) {
        const struct flying *f = &w.flying[i];
        if (!((f->from == a && f->to == b) || (f->from == b && f->to == a)))
            w.flying[kept++] = *f;
    }
    w.n_flying = kept;
}

static void measure_all(void)
{
    for (uint32_t i = 0; i < w.n; i++)
        measure(i);
}

static void begin(uint64_t seed, enum tables tables)
{
    lab_seed(&dice, seed);
    memset(&w, 0, sizeof w);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &dice.random};
    w.n = 8 + below(NODES_MAX - 8 + 1);
    w.tables = tables;
    w.now = 1000 * KITH_SEC;
    for (uint32_t i = 0; i < w.n; i++) {
        struct node *at = &w.node[i];
        const struct kith_relay_ops ops = {.way = op_way,
                                           .is_here = op_is_here,
                                           .failed = op_failed,
                                           .better = op_better,
                                           .room = op_room,
                                           .ctx = at};
        at->number = i;
        assert_int_equal(kith_relay_new(&env, &ops, &at->r), KITH_OK);
        if (i > 0)
            link_up(i, below(i)); /* a tree, so that all are joined */
    }
    for (uint32_t i = below(2 * w.n); i > 0; i--)
        link_up(below(w.n), below(w.n));
    measure_all();
}

/* Law 4, in the end. */
static void end(void)
{
    for (uint32_t a = 0; a < w.n; a++)
        for (uint32_t b = 0; b < a; b++)
            cut(a, b);
    w.now += KITH_MESH_IDLE;
    for (uint32_t i = 0; i < w.n; i++) {
        struct kith_relay_out out;
        struct kith_relay_in in;
        while (kith_relay_next_out(w.node[i].r, &out) || kith_relay_next_in(w.node[i].r, &in))
            ;
        kith_relay_taken(w.node[i].r);
        kith_relay_tick(w.node[i].r, w.now);
        assert_int_equal(kith_relay_flows(w.node[i].r), 0);
        assert_int_equal(kith_relay_deadline(w.node[i].r), KITH_NEVER);
    }
    assert_true(heap.live <= (size_t)5 * w.n); /* a relay, and four tables that have been larger */
    for (uint32_t i = 0; i < w.n; i++)
        kith_relay_free(w.node[i].r);
    assert_int_equal(heap.live, 0);
}

/* ---- packets ---- */

static uint8_t byte_at(uint32_t serial, size_t i)
{
    return (uint8_t)((serial + (size_t)1) * 31 + i * 7 + (i >> 8));
}

static size_t write_packet(uint8_t *p, uint32_t serial, size_t n)
{
    for (size_t i = 4; i < n; i++)
        p[i] = byte_at(serial, i);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(serial >> (24 - 8 * i));
    return n;
}

static uint32_t serial_of(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void send(uint32_t from, uint32_t to, const struct kith_ip *address, bool is_answer)
{
    uint8_t p[KITH_RELAY_WHOLE];
    size_t n = 4 + (chance(50) ? below(100) : below(KITH_RELAY_WHOLE - 4 + 1));

    if (w.n_sent == SENT_MAX)
        return;
    w.sent[w.n_sent] = (struct sent){.from = from, .to = to, .n = n, .is_answer = is_answer};
    kith_relay_send(w.node[from].r, address, (struct kith_span){p, write_packet(p, w.n_sent++, n)},
                    0, w.now);
}

/* Law 2. */
static void arrive(uint32_t at, const struct kith_relay_in *in)
{
    assert_true(in->n >= 4);
    uint32_t serial = serial_of(in->packet);
    assert_true(serial < w.n_sent);
    struct sent *s = &w.sent[serial];
    assert_int_equal(s->to, at);
    assert_int_equal(s->n, in->n);
    for (size_t i = 4; i < in->n; i++)
        if (in->packet[i] != byte_at(serial, i))
            assert_int_equal(in->packet[i], byte_at(serial, i));
    assert_int_equal(in->from.family, KITH_FAMILY_MESH);
    if (s->is_answer)
        assert_int_equal(node_of(in->from.b), s->from);
    else
        assert_int_equal(node_of(in->from.b), NODES_MAX);
    if (s->arrived++ == 0 && !s->is_answer)
        send(at, s->from, &in->from, true);
}

static void remember(const struct kith_relay_out *out, uint32_t from)
{
    struct kith_flow_open m;

    if (kith_flow_open_decode(out->datagram, &m) < 0)
        return;
    assert_in_range(m.hops, 1, 64);
    assert_int_equal(m.label >> 31, from > out->neighbour);
    w.opened[w.n_opened++ % OPENED_MAX] =
        (struct opened){.from = from, .to = out->neighbour, .label = m.label};
}

static void launch(uint32_t from, const struct kith_relay_out *out)
{
    remember(out, from);
    if (!w.linked[from][out->neighbour]) /* parted meanwhile */
        return;
    assert_true(out->datagram.n <= w.room[from][out->neighbour] || out->datagram.n <= 34);
    for (int copies = chance(w.loss) ? 0 : chance(w.twice) ? 2 : 1; copies > 0; copies--) {
        if (w.n_flying == FLYING_MAX)
            return;
        struct flying *f = &w.flying[w.n_flying++];
        f->from = from;
        f->to = out->neighbour;
        f->n = (uint16_t)out->datagram.n;
        memcpy(f->b, out->datagram.p, f->n);
    }
}

static void empty(struct node *at)
{
    struct kith_relay_out out;
    struct kith_relay_in in;

    do {
        while (kith_relay_next_in(at->r, &in))
            arrive(at->number, &in);
        while (kith_relay_next_out(at->r, &out))
            launch(at->number, &out);
        kith_relay_taken(at->r);
    } while (kith_relay_is_laden(at->r));
    assert_true(kith_relay_flows(at->r) <= KITH_RELAY_FLOWS_MAX);
}

/* Takes datagrams to where they go, most in order; n of them, or until none is under way. */
static void deliver(size_t n)
{
    while (n-- > 0 && w.n_flying > 0) {
        size_t i = chance(w.astray) ? below((uint32_t)w.n_flying) : 0;
        struct flying f = w.flying[i];
        memmove(&w.flying[i], &w.flying[i + 1], (w.n_flying - i - 1) * sizeof f);
        w.n_flying--;
        assert_true(
            kith_relay_heard(w.node[f.to].r, f.from, (struct kith_span){f.b, f.n}, 0, w.now));
        empty(&w.node[f.to]);
    }
}

static void send_somewhere(void)
{
    uint32_t from = below(w.n), to = (from + 1 + below(w.n - 1)) % w.n;
    const struct kith_destination d = dest(to);
    const struct kith_ip address = kith_mesh_address(&d);

    send(from, to, &address, false);
    empty(&w.node[from]);
}

static void pass(kith_dur d)
{
    w.now += d;
    for (uint32_t i = 0; i < w.n; i++) {
        kith_relay_tick(w.node[i].r, w.now);
        kith_relay_improve(w.node[i].r, w.now);
        empty(&w.node[i]);
    }
}

/* ---- law 1 ---- */

/* Where a probe that came to `at` goes on, with what label and hops; false: it ends there. Nothing
 * else that leaves or arrives is wanted: it is lost. */
static bool goes_on(struct node *at, struct kith_flow_packet *m, uint32_t *next)
{
    struct kith_relay_out out;
    struct kith_relay_in in;
    bool on = false;

    while (kith_relay_next_in(at->r, &in))
        assert_int_equal(serial_of(in.packet), PROBE);
    while (kith_relay_next_out(at->r, &out)) {
        if (kith_flow_packet_decode(out.datagram, m) < 0)
            continue;
        assert_int_equal(serial_of(m->packet.p), PROBE);
        assert_false(on);
        on = true;
        *next = out.neighbour;
        m->packet = (struct kith_span){0};
    }
    kith_relay_taken(at->r);
    return on;
}

/* Hands the probe to a node; whether it is that of a flow there. */
static bool is_known(struct node *at, uint32_t from, const struct kith_flow_packet *m)
{
    uint64_t unknown = kith_relay_counters(at->r)->unknown;
    uint8_t buf[16];
    size_t n;

    assert_int_equal(kith_flow_packet_encode(m, buf, sizeof buf, &n), KITH_OK);
    assert_true(kith_relay_heard(at->r, from, (struct kith_span){buf, n}, 0, w.now));
    return kith_relay_counters(at->r)->unknown == unknown;
}

/* Follows a flow down in one instant, by a packet that is given to the node it was begun at. */
static void follow(const struct opened *o)
{
    bool was_at[NODES_MAX] = {false}, on = true;
    struct kith_flow_packet m = {.hops = 64, .label = o->label};
    uint32_t from = o->from, at = o->to, next = at;
    uint8_t probe[4];

    write_packet(probe, PROBE, sizeof probe);
    for (unsigned hops = 64; on && w.linked[from][at]; hops--) {
        assert_int_equal(m.hops, hops);
        m.packet = KITH_SPAN_OF(probe);
        bool known = is_known(&w.node[at], from, &m);
        assert_false(known && was_at[at]);
        was_at[at] = true;
        on = goes_on(&w.node[at], &m, &next);
        from = at;
        at = next;
    }
}

static void follow_some(size_t n)
{
    size_t known = w.n_opened < OPENED_MAX ? w.n_opened : OPENED_MAX;

    for (size_t i = 0; i < n && known > 0; i++)
        follow(&w.opened[below((uint32_t)known)]);
}

static void rearrange(void)
{
    uint32_t a = below(w.n), b = below(w.n);

    if (w.linked[a][b])
        cut(a, b);
    else
        link_up(a, b);
    measure_all();
    for (uint32_t i = 0; i < w.n; i++)
        empty(&w.node[i]);
}

static void live(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        send_somewhere();
        deliver(below(40));
        pass(below(chance(2) ? 30000 : 60) * KITH_MSEC);
        if (chance(5))
            rearrange();
        if (chance(10))
            follow_some(8);
    }
    for (int i = 0; i < 4; i++) {
        deliver(FLYING_MAX / 4);
        follow_some(OPENED_MAX / 4);
    }
}

static unsigned arrived(void)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < w.n_sent; i++)
        n += w.sent[i].arrived > 0;
    return n;
}

static void nothing_goes_in_circles_and_what_arrives_was_sent_there(void **state)
{
    unsigned sum[TABLES] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        enum tables tables = (enum tables)(seed % TABLES);
        begin(seed, tables);
        w.loss = below(2) * below(30);
        w.twice = below(2) * below(20);
        w.astray = below(2) * below(50);
        live(300);
        sum[tables] += 100 * arrived() / w.n_sent;
        end();
    }
    print_message("%% arrived: %u by right tables, %u random, %u circles, %u fickle\n",
                  sum[SHORTEST] / (SEEDS / TABLES), sum[RANDOM] / (SEEDS / TABLES),
                  sum[CIRCLE] / (SEEDS / TABLES), sum[FICKLE] / (SEEDS / TABLES));
    assert_true(sum[SHORTEST] > 0 && sum[CIRCLE] > 0); /* or nothing was tried */
}

/* ---- law 3 ---- */

static void by_right_tables_everything_arrives_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(1000 + seed, SHORTEST);
        for (unsigned i = 0; i < 600; i++) {
            send_somewhere();
            deliver(below(30));
            pass(20 * KITH_MSEC);
        }
        deliver(SIZE_MAX);
        for (uint32_t i = 0; i < w.n_sent; i++)
            assert_int_equal(w.sent[i].arrived, 1);
        assert_int_equal(w.n_sent, 1200); /* each has its answer */
        end();
    }
}

static void whoever_moves_to_another_way_loses_nothing(void **state)
{
    uint64_t moved = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(3000 + seed, SHORTEST);
        w.moves = 30;
        for (unsigned i = 0; i < 600; i++) {
            send_somewhere();
            deliver(below(80));
            pass(20 * KITH_MSEC);
            if (i % 20 == 0)
                follow_some(2);
        }
        deliver(SIZE_MAX);
        for (uint32_t i = 0; i < w.n_sent; i++)
            assert_int_equal(w.sent[i].arrived, 1);
        assert_int_equal(w.n_sent, 1200);
        for (uint32_t i = 0; i < w.n; i++)
            moved += kith_relay_counters(w.node[i].r)->improved;
        end();
    }
    print_message("moved %u times\n", (unsigned)moved);
    assert_true(moved > 10 * SEEDS); /* or nothing was tried */
}

/* ---- law 4 ---- */

/* What one neighbour may have begun in all after so long, of flows that last. */
static size_t may_have_begun(kith_dur since)
{
    size_t n = 512 + (size_t)(since / (10 * KITH_MSEC));

    return n < KITH_RELAY_FLOWS_OF_NEIGHBOUR ? n : KITH_RELAY_FLOWS_OF_NEIGHBOUR;
}

static void begin_flow(struct kith_relay *r, uint32_t from, uint32_t serial)
{
    struct kith_flow_open m = {.hops = (uint8_t)(1 + below(64)),
                               .label = serial,
                               .attempt = below(3),
                               .destination = dest(chance(75) ? 0 : below(w.n))};
    uint8_t buf[64];
    size_t n;

    kith_random_fill(&dice.random, m.flow.b, sizeof m.flow.b);
    m.label |= (uint32_t)(from > 0) << 31;
    assert_int_equal(kith_flow_open_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_true(kith_relay_heard(r, from, (struct kith_span){buf, n}, 0, w.now));
}

static void however_fast_flows_are_begun_they_stay_within_their_limits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS / 4; seed++) {
        begin(2000 + seed, RANDOM);
        struct kith_relay *r = w.node[0].r;
        kith_time start = w.now;
        uint32_t serial = 0, from = 1;
        link_up(0, from);
        while (kith_since(w.now, start) < 50 * KITH_SEC) {
            struct kith_relay_out out;
            for (uint32_t i = below(200); i > 0; i--)
                begin_flow(r, from, serial++);
            while (kith_relay_next_out(r, &out))
                ;
            kith_relay_taken(r);
            assert_true(kith_relay_flows(r) <= may_have_begun(w.now - start));
            w.now += below(1000) * KITH_MSEC;
        }
        /* those that are refused cost of the rate, too, but there was time for many more */
        assert_int_equal(kith_relay_flows(r), KITH_RELAY_FLOWS_OF_NEIGHBOUR);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_in_circles_and_what_arrives_was_sent_there),
        cmocka_unit_test(by_right_tables_everything_arrives_once),
        cmocka_unit_test(whoever_moves_to_another_way_loses_nothing),
        cmocka_unit_test(however_fast_flows_are_begun_they_stay_within_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
