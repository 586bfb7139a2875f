/* Datagrams on their way out: what joins a run, what ends one, and that a transport which takes no
 * more loses, repeats and reorders nothing. */
#include "transport/batch.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab_heap heap;
static struct kith_alloc alloc;
static struct kith_tx_batch b;

/* A transport that remembers the runs it took, and takes no more than `room` of them. */
static struct wire {
    size_t room, calls, n;
    struct kith_tx run[2 * KITH_TX_RUNS];
} wire[2];

static uint8_t copied[2 * KITH_TX_BYTES];
static size_t copied_n;

static size_t send_runs(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct wire *w = ctx;
    size_t taken = n < w->room ? n : w->room;

    w->calls++;
    for (size_t i = 0; i < taken; i++) {
        assert_true(w->n < KITH_COUNT(w->run) && copied_n + runs[i].len <= sizeof copied);
        memcpy(copied + copied_n, runs[i].data, runs[i].len);
        w->run[w->n] = runs[i];
        w->run[w->n++].data = copied + copied_n;
        copied_n += runs[i].len;
    }
    w->room -= taken;
    return taken;
}

static int setup(void **state)
{
    static const struct kith_transport_ops ops = {.send = send_runs};
    uint32_t index;

    (void)state;
    alloc = lab_alloc(&heap);
    copied_n = 0;
    if (kith_tx_init(&b, &alloc) < 0)
        return -1;
    for (uint32_t i = 0; i < 2; i++) {
        wire[i] = (struct wire){.room = SIZE_MAX};
        struct kith_transport t = {.ops = &ops, .ctx = &wire[i], .info = {.kind = "test"}};
        if (kith_tx_add_transport(&b, &t, &index) < 0 || index != i)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_tx_fini(&b);
    return heap.live == 0 ? 0 : -1;
}

static struct kith_path to(uint32_t transport, uint16_t port)
{
    return (struct kith_path){.transport = transport,
                              .remote = {.ip = kith_ip4(192, 0, 2, 1), .port = port}};
}

/* One datagram of n bytes, all of them `fill`; false while blocked. */
static bool put(struct kith_path path, uint8_t ecn, size_t n, uint8_t fill)
{
    uint8_t *room = kith_tx_room(&b);

    if (room == NULL)
        return false;
    memset(room, fill, n);
    kith_tx_commit(&b, &path, ecn, n);
    return true;
}

static bool run_is(const struct kith_tx *r, uint16_t port, size_t len, size_t segment)
{
    return r->path.remote.port == port && r->len == len && r->segment == segment;
}

static void neighbours_of_one_way_and_size_are_one_run(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 5; i++)
        assert_true(put(to(0, 1), 2, 1200, i));
    assert_int_equal(wire[0].calls, 0); /* nothing leaves before the flush */
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 1);
    assert_true(run_is(&wire[0].run[0], 1, 6000, 1200));
    assert_int_equal(wire[0].run[0].ecn, 2);
    for (size_t i = 0; i < 6000; i++)
        assert_int_equal(wire[0].run[0].data[i], i / 1200);
    assert_true(kith_tx_flush(&b)); /* empty */
    assert_int_equal(wire[0].calls, 1);
}

static void another_way_or_mark_begins_a_run(void **state)
{
    struct kith_path local = to(0, 1), scope = to(0, 1), ip = to(0, 1);

    (void)state;
    local.local.ip = kith_ip4(192, 0, 2, 7);
    scope.remote.scope = 3;
    ip.remote.ip = kith_ip4(192, 0, 2, 2);
    assert_true(put(to(0, 1), 0, 1000, 1));
    assert_true(put(to(0, 2), 0, 1000, 1));
    assert_true(put(to(0, 1), 0, 1000, 1)); /* the same way, but not a neighbour */
    assert_true(put(to(0, 1), 2, 1000, 1));
    assert_true(put(local, 2, 1000, 1));
    assert_true(put(scope, 2, 1000, 1));
    assert_true(put(ip, 2, 1000, 1));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 7);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(wire[0].run[i].len, 1000);
}

static void a_shorter_datagram_ends_the_run_and_a_longer_one_begins_another(void **state)
{
    (void)state;
    assert_true(put(to(0, 1), 0, 1000, 1));
    assert_true(put(to(0, 1), 0, 999, 2)); /* joins, and is the last */
    assert_true(put(to(0, 1), 0, 999, 3));
    assert_true(put(to(0, 1), 0, 1000, 4)); /* longer than the run's */
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 3);
    assert_true(run_is(&wire[0].run[0], 1, 1999, 1000));
    assert_true(run_is(&wire[0].run[1], 1, 999, 999));
    assert_true(run_is(&wire[0].run[2], 1, 1000, 1000));
    /* the next turn remembers nothing of a run that was ended */
    assert_true(put(to(0, 1), 0, 1000, 5));
    assert_true(put(to(0, 1), 0, 10, 6));
    assert_true(kith_tx_flush(&b));
    assert_true(put(to(0, 1), 0, 1000, 7));
    assert_true(put(to(0, 1), 0, 1000, 8));
    assert_true(kith_tx_flush(&b));
    assert_true(run_is(&wire[0].run[4], 1, 2000, 1000));
}

static void nothing_is_no_datagram(void **state)
{
    (void)state;
    assert_true(put(to(0, 1), 0, 0, 1));
    assert_true(put(to(0, 1), 0, 1000, 1));
    assert_true(put(to(0, 2), 0, 0, 1));
    assert_true(put(to(0, 1), 0, 1000, 1));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 1);
    assert_true(run_is(&wire[0].run[0], 1, 2000, 1000));
}

static void a_run_has_at_most_64_datagrams(void **state)
{
    (void)state;
    for (int i = 0; i < 65; i++)
        assert_true(put(to(0, 1), 0, 100, 1));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 2);
    assert_true(run_is(&wire[0].run[0], 1, 6400, 100));
    assert_true(run_is(&wire[0].run[1], 1, 100, 100));
}

static void a_run_has_at_most_65000_bytes(void **state)
{
    const size_t n = KITH_TX_DATAGRAM_MAX, most = KITH_TX_RUN_BYTES / n;

    (void)state;
    for (size_t i = 0; i < most + 1; i++)
        assert_true(put(to(0, 1), 0, n, 1));
    assert_true(put(to(0, 2), 0, 1250, 1));
    for (size_t i = 1; i < 53; i++) /* 52 * 1250 is 65,000 to the byte */
        assert_true(put(to(0, 2), 0, 1250, 1));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 4);
    assert_true(run_is(&wire[0].run[0], 1, most * n, n));
    assert_true(run_is(&wire[0].run[1], 1, n, n));
    assert_true(run_is(&wire[0].run[2], 2, 65000, 1250));
    assert_true(run_is(&wire[0].run[3], 2, 1250, 1250));
}

static void runs_go_to_their_transports_in_order(void **state)
{
    (void)state;
    assert_true(put(to(0, 1), 0, 1000, 1));
    assert_true(put(to(0, 2), 0, 1000, 1));
    assert_true(put(to(1, 3), 0, 1000, 1));
    assert_true(put(to(0, 4), 0, 1000, 1));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[0].n, 3);
    assert_int_equal(wire[1].n, 1);
    assert_int_equal(wire[0].calls, 2); /* neighbours for one transport go together */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(wire[0].run[i].path.remote.port, ((int[]){1, 2, 4})[i]);
}

static void a_full_batch_flushes_itself(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < KITH_TX_RUNS; i++)
        assert_true(put(to(0, i), 0, 10, 1));
    assert_int_equal(wire[0].calls, 0);
    assert_true(put(to(0, 7), 0, 10, 1)); /* the 257th run needs room */
    assert_int_equal(wire[0].n, KITH_TX_RUNS);
    assert_true(kith_tx_flush(&b));
    wire[0].n = wire[0].calls = copied_n = 0;
    size_t fits = KITH_TX_BYTES / KITH_TX_DATAGRAM_MAX;
    for (size_t i = 0; i < fits; i++)
        assert_true(put(to(0, 1), 0, KITH_TX_DATAGRAM_MAX, 1));
    assert_int_equal(wire[0].calls, 0);
    assert_true(put(to(0, 1), 0, KITH_TX_DATAGRAM_MAX, 1));
    assert_int_equal(wire[0].calls, 1);
    assert_int_equal(copied_n, fits * KITH_TX_DATAGRAM_MAX);
}

static void a_blocked_transport_keeps_the_rest_in_order(void **state)
{
    (void)state;
    for (uint16_t port = 1; port <= 5; port++)
        assert_true(put(to(0, port), 0, 1000, (uint8_t)port));
    wire[0].room = 2;
    assert_false(kith_tx_flush(&b));
    assert_true(b.blocked);
    assert_null(kith_tx_room(&b)); /* back-pressure */
    assert_null(kith_tx_room(&b));
    assert_int_equal(wire[0].n, 2);
    wire[0].room = 1;
    assert_false(kith_tx_flush(&b));
    wire[0].room = SIZE_MAX;
    assert_true(kith_tx_flush(&b));
    assert_non_null(kith_tx_room(&b));
    assert_int_equal(wire[0].n, 5);
    for (uint16_t port = 1; port <= 5; port++) {
        assert_true(run_is(&wire[0].run[port - 1], port, 1000, 1000));
        assert_int_equal(wire[0].run[port - 1].data[999], port);
    }
}

static void there_is_a_bound_for_transports(void **state)
{
    struct kith_transport t = b.transport[0];
    uint32_t index = 99;

    (void)state;
    for (uint32_t i = 2; i < KITH_TX_TRANSPORTS; i++) {
        assert_int_equal(kith_tx_add_transport(&b, &t, &index), KITH_OK);
        assert_int_equal(index, i);
    }
    assert_int_equal(kith_tx_add_transport(&b, &t, &index), KITH_E_FULL);
    assert_int_equal(index, KITH_TX_TRANSPORTS - 1);
}

static void out_of_memory_is_said(void **state)
{
    struct kith_tx_batch other;

    (void)state;
    heap.fuse = 0;
    assert_int_equal(kith_tx_init(&other, &alloc), KITH_E_NOMEM);
    assert_int_equal(heap.live, 1);
}

/* ---- the law ---- */

enum { SEEDS = 50, DATAGRAMS = 3000 };

struct sent {
    uint16_t port;
    uint8_t ecn, fill;
    size_t n;
};

static struct sent want[2][DATAGRAMS];
static size_t want_n[2], seen[2];

/* Cuts the runs that left into datagrams and ticks them off against what was committed. */
static void tick_off(uint64_t seed)
{
    for (uint32_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < wire[t].n; i++) {
            const struct kith_tx *r = &wire[t].run[i];
            size_t count = (r->len + r->segment - 1) / r->segment;
            bool ok = count <= KITH_TX_RUN_DATAGRAMS && r->len <= KITH_TX_RUN_BYTES;
            for (size_t at = 0; at < r->len; at += r->segment) {
                size_t n = r->len - at < r->segment ? r->len - at : r->segment;
                const struct sent *s = &want[t][seen[t]];
                ok = ok && seen[t] < want_n[t] && s->n == n && s->ecn == r->ecn &&
                     s->port == r->path.remote.port && r->path.transport == t;
                for (size_t k = 0; ok && k < n; k++)
                    ok = r->data[at + k] == s->fill;
                seen[t]++;
            }
            if (!ok)
                fail_msg("seed %llu: lost, repeated, changed or too long",
                         (unsigned long long)seed);
        }
        wire[t].n = 0;
    }
    copied_n = 0;
}

/* Random datagrams over two transports that take a few runs at a time: on each way all arrive,
 * once, in order and unchanged. */
static void nothing_is_lost_repeated_or_reordered(void **state)
{
    size_t blocked = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct lab_dice dice;
        lab_seed(&dice, seed);
        want_n[0] = want_n[1] = seen[0] = seen[1] = 0;
        size_t fresh = lab_below(&dice, 20) + 1;
        struct sent s = {.n = 1200};
        uint32_t t = 0;
        while (want_n[0] < DATAGRAMS && want_n[1] < DATAGRAMS) {
            for (size_t i = 0; i < 2; i++)
                wire[i].room = lab_below(&dice, 3) ? SIZE_MAX : lab_below(&dice, 4);
            if (lab_below(&dice, fresh) == 0) {
                t = (uint32_t)lab_below(&dice, 2);
                s.port = (uint16_t)lab_below(&dice, 3);
                s.ecn = (uint8_t)lab_below(&dice, 4);
                s.n = 1 + lab_below(&dice, KITH_TX_DATAGRAM_MAX);
            }
            struct sent one = s;
            one.fill = (uint8_t)lab_below(&dice, 256);
            one.n = lab_below(&dice, 8) ? s.n : 1 + lab_below(&dice, s.n);
            if (put(to(t, one.port), one.ecn, one.n, one.fill))
                want[t][want_n[t]++] = one;
            else
                blocked++;
            if (b.blocked || lab_below(&dice, 100) == 0)
                (void)kith_tx_flush(&b);
            tick_off(seed);
        }
        wire[0].room = wire[1].room = SIZE_MAX;
        assert_true(kith_tx_flush(&b));
        tick_off(seed);
        assert_int_equal(seen[0], want_n[0]);
        assert_int_equal(seen[1], want_n[1]);
    }
    assert_true(blocked > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_transport_that_goes_takes_along_what_waits_for_it_and_nothing_else(void **state)
{
    (void)state;
    assert_true(put(to(0, 1), 0, 100, 1));
    assert_true(put(to(1, 1), 0, 100, 2));
    assert_true(put(to(0, 1), 0, 100, 3));
    kith_tx_drop_transport(&b, 0); /* not the last: it stays */
    kith_tx_drop_transport(&b, 1);
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[1].calls, 0);
    assert_int_equal(wire[0].n, 2);
    assert_int_equal(wire[0].run[0].data[0], 1);
    assert_int_equal(wire[0].run[1].data[0], 3);
    /* its place may be had again */
    static const struct kith_transport_ops ops = {.send = send_runs};
    const struct kith_transport again = {.ops = &ops, .ctx = &wire[1], .info = {.kind = "test"}};
    uint32_t index;
    assert_int_equal(kith_tx_add_transport(&b, &again, &index), KITH_OK);
    assert_int_equal(index, 1);
    assert_true(put(to(1, 1), 0, 100, 4));
    assert_true(kith_tx_flush(&b));
    assert_int_equal(wire[1].n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(neighbours_of_one_way_and_size_are_one_run),
        TEST(a_transport_that_goes_takes_along_what_waits_for_it_and_nothing_else),
        TEST(another_way_or_mark_begins_a_run),
        TEST(a_shorter_datagram_ends_the_run_and_a_longer_one_begins_another),
        TEST(nothing_is_no_datagram),
        TEST(a_run_has_at_most_64_datagrams),
        TEST(a_run_has_at_most_65000_bytes),
        TEST(runs_go_to_their_transports_in_order),
        TEST(a_full_batch_flushes_itself),
        TEST(a_blocked_transport_keeps_the_rest_in_order),
        TEST(there_is_a_bound_for_transports),
        TEST(out_of_memory_is_said),
        TEST(nothing_is_lost_repeated_or_reordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
