/* Laws of what a session keeps: the queue of waiting packets is a list with a bound, and a packet
 * cut into pieces arrives whole in whatever order, among whatever others. */
#include "session/queue.h"
#include "session/reassembly.h"
#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SEEDS = 60, QUEUE_BYTES = 1024 * 1024 };

static struct lab_dice dice;
static struct lab_heap heap;
static struct kith_alloc alloc;
static uint64_t seed;
static uint8_t bytes[70000];

static void begin(uint64_t s)
{
    seed = s;
    lab_seed(&dice, s);
    alloc = lab_alloc(&heap);
    kith_random_fill(&dice.random, bytes, sizeof bytes);
}

static void check(bool ok, const char *what)
{
    if (!ok)
        fail_msg("seed %llu: %s", (unsigned long long)seed, what);
}

/* ---- the queue ---- */

enum { STEPS = 6000, LONGEST = 65535, HEAD = 16 };

static struct waiting {
    size_t at, n;
    uint8_t slot;
} model[STEPS];

static struct waiting random_packet(size_t most)
{
    struct waiting w = {.n = lab_below(&dice, most + 1), .slot = (uint8_t)lab_below(&dice, 256)};

    w.at = lab_below(&dice, sizeof bytes - w.n);
    return w;
}

static struct kith_span span_of(const struct waiting *w)
{
    return (struct kith_span){bytes + w->at, w->n};
}

/* How much may be unused at the ring's end when a packet does not fit there. */
static bool may_be_full(size_t used, size_t n)
{
    return used + HEAD + n + HEAD + LONGEST > QUEUE_BYTES;
}

static void check_first(const struct kith_packet_queue *q, size_t from, size_t to)
{
    struct kith_queued first;
    bool some = kith_packet_queue_first(q, &first);

    check(some == (from < to), "whether there is one");
    if (some)
        check(first.slot == model[from].slot &&
                  kith_span_equal((struct kith_span){first.p, first.n}, span_of(&model[from])),
              "first");
    check(q->n == to - from, "the count");
    check((heap.live == 0) == (from == to), "memory only while something waits");
}

static void the_queue_is_a_list_of_at_most_a_megabyte(void **state)
{
    size_t fulls = 0;

    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        struct kith_packet_queue q = {.alloc = &alloc, .cap = QUEUE_BYTES};
        size_t from = 0, to = 0, used = 0, most = lab_below(&dice, 2) ? LONGEST : 1500;
        size_t adds = 50; /* in 100; drifts, so that the queue fills and empties */
        for (int i = 0; i < STEPS; i++) {
            if (i % 500 == 0)
                adds = 30 + lab_below(&dice, 60);
            if (lab_below(&dice, 100) >= adds) {
                kith_packet_queue_drop_first(&q);
                used -= from < to ? HEAD + model[from].n : 0;
                from += from < to;
            } else {
                struct waiting w = random_packet(most);
                int err =
                    kith_packet_queue_add(&q, w.slot, &(struct kith_parts){.head = span_of(&w)}, 5);
                check(err == KITH_OK || (err == KITH_E_FULL && may_be_full(used, w.n)), "add");
                fulls += err == KITH_E_FULL;
                used += err == KITH_OK ? HEAD + w.n : 0;
                check(used <= QUEUE_BYTES, "the bound");
                model[to] = w;
                to += err == KITH_OK;
            }
            check_first(&q, from, to);
        }
        while (from < to) {
            kith_packet_queue_drop_first(&q);
            check_first(&q, ++from, to);
        }
    }
    assert_true(fulls > 0);
}

/* ---- reassembly ---- */

enum { ROUNDS = 300, PIECES = 8 };

struct cut {
    size_t at, n, part;
    uint16_t id;
    uint8_t slot, count;
};

/* A packet of up to 9,216 bytes in 2 to 8 pieces, the last no longer than the others. */
static struct cut random_cut(uint16_t id)
{
    struct cut c = {.id = id,
                    .slot = (uint8_t)lab_below(&dice, 2),
                    .count = (uint8_t)(2 + lab_below(&dice, PIECES - 1))};

    do {
        size_t most = (KITH_REASSEMBLY_BYTES - 1) / (c.count - 1u);
        c.part = 1 + lab_below(&dice, most);
        c.n = c.part * (c.count - 1u) + 1 + lab_below(&dice, c.part);
    } while (c.n > KITH_REASSEMBLY_BYTES);
    c.at = lab_below(&dice, sizeof bytes - c.n);
    return c;
}

static struct kith_ip_fragment piece_of(const struct cut *c, uint8_t i)
{
    size_t start = i * c->part, n = i + 1 == c->count ? c->n - start : c->part;

    return (struct kith_ip_fragment){.slot = c->slot,
                                     .id = c->id,
                                     .index = i,
                                     .count = c->count,
                                     .part = {bytes + c->at + start, n}};
}

struct dealt {
    size_t packet;
    uint8_t index;
};

/* All pieces of the packets in random order; each is followed by itself now and then. */
static size_t deal(const struct cut *c, size_t n, struct dealt *deck)
{
    size_t total = 0;

    for (size_t k = 0; k < n; k++)
        for (uint8_t i = 0; i < c[k].count; i++)
            deck[total++] = (struct dealt){k, i};
    for (size_t i = total; i > 1; i--) {
        size_t j = lab_below(&dice, i);
        struct dealt swap = deck[j];
        deck[j] = deck[i - 1];
        deck[i - 1] = swap;
    }
    return total;
}

static void a_packet_arrives_whole_in_any_order_among_others(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        struct kith_reassembly r = {.alloc = &alloc};
        for (int round = 0; round < ROUNDS; round++) {
            struct cut c[KITH_REASSEMBLY_PACKETS];
            struct dealt deck[KITH_REASSEMBLY_PACKETS * PIECES];
            size_t left[KITH_REASSEMBLY_PACKETS], n = 1 + lab_below(&dice, KITH_COUNT(c));
            for (size_t k = 0; k < n; k++) {
                c[k] = random_cut((uint16_t)(round * KITH_REASSEMBLY_PACKETS + (int)k));
                left[k] = c[k].count;
            }
            /* more than a second after the round before: nothing of it is left */
            kith_time now = 2 * KITH_SEC * (kith_time)(round + 1);
            size_t total = deal(c, n, deck);
            for (size_t i = 0; i < total; i++) {
                size_t k = deck[i].packet;
                struct kith_ip_fragment f = piece_of(&c[k], deck[i].index);
                struct kith_span whole = {0};
                uint8_t ecn;
                int err =
                    kith_reassembly_add(&r, &f, 0, now + lab_below(&dice, KITH_SEC), &whole, &ecn);
                check(err == (--left[k] == 0 ? KITH_OK : KITH_E_AGAIN), "the verdict");
                if (err == KITH_OK)
                    check(kith_span_equal(whole, (struct kith_span){bytes + c[k].at, c[k].n}),
                          "the bytes");
                if (left[k] > 0 && lab_below(&dice, 4) == 0)
                    check(kith_reassembly_add(&r, &f, 0, now, &whole, &ecn) == KITH_E_AGAIN,
                          "a repeat");
            }
        }
        kith_reassembly_fini(&r);
        check(heap.live == 0 && heap.asked == 1, "memory");
    }
}

/* With one bit of one piece changed and the true piece coming too, no wrong packet ever comes out
 * unless all its pieces do agree. */
static void a_contradiction_never_yields_a_mixture(void **state)
{
    (void)state;
    for (uint64_t s = 1; s <= SEEDS; s++) {
        begin(s);
        struct kith_reassembly r = {.alloc = &alloc};
        for (int round = 0; round < ROUNDS; round++) {
            struct cut c = random_cut((uint16_t)round);
            uint8_t bad = (uint8_t)lab_below(&dice, c.count), forged[KITH_REASSEMBLY_BYTES];
            struct kith_ip_fragment f = piece_of(&c, bad), lie = f;
            struct kith_span whole;
            uint8_t ecn;
            memcpy(forged, f.part.p, f.part.n);
            forged[lab_below(&dice, f.part.n)] ^= 1;
            lie.part.p = forged;
            kith_time now = 2 * KITH_SEC * (kith_time)(round + 1);
            check(kith_reassembly_add(&r, &f, 0, now, &whole, &ecn) == KITH_E_AGAIN,
                  "the true piece");
            check(kith_reassembly_add(&r, &lie, 0, now, &whole, &ecn) == KITH_E_MALFORMED,
                  "the lie");
            for (uint8_t i = 0; i < c.count; i++) {
                f = piece_of(&c, i);
                if (i != bad)
                    check(kith_reassembly_add(&r, &f, 0, now, &whole, &ecn) == KITH_E_AGAIN,
                          "forgotten");
            }
        }
        kith_reassembly_fini(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_a_list_of_at_most_a_megabyte),
        cmocka_unit_test(a_packet_arrives_whole_in_any_order_among_others),
        cmocka_unit_test(a_contradiction_never_yields_a_mixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
