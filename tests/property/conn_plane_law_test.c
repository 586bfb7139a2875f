/* Laws of the second plane, over many seeds:
 *   1. the replay window admits exactly what a set that forgets nothing admits, of the 8192 newest
 *      numbers, and nothing older;
 *   2. whatever a network loses, duplicates, delays and changes, each packet that was sealed is
 *      opened at most once, as it was, and none that was not sealed; and after any spell of loss,
 *      through any number of rekeyings, the next packet is opened. */
#include "conn/plane.h"
#include "conn/replay.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

static struct lab_dice dice;

static uint64_t below(uint64_t n)
{
    return kith_random_below(&dice.random, n);
}

/* ---- law 1 ---- */

enum { NUMBERS = 2000000, STEPS = 20000 };

static bool seen[NUMBERS];

static void the_window_agrees_with_a_set_that_forgets_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct kith_replay r = {0};
        uint64_t top = 0;
        bool any = false;
        lab_seed(&dice, seed);
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < STEPS; i++) {
            uint64_t spread = below(200) == 0  ? 70000
                              : below(20) == 0 ? 20000
                              : below(4) == 0  ? 9000
                                               : 40;
            uint64_t n = (top > spread / 2 ? top - spread / 2 : 0) + below(spread);
            if (n >= NUMBERS)
                break;
            bool want = !seen[n] && !(any && n + 8192 <= top);
            if (kith_replay_admits(&r, n) != want)
                fail_msg("seed %llu: number %llu, highest %llu", (unsigned long long)seed,
                         (unsigned long long)n, (unsigned long long)top);
            if (!want || below(10) == 0) /* some are asked for and turn out forged */
                continue;
            kith_replay_note(&r, n);
            seen[n] = any = true;
            top = n > top ? n : top;
        }
    }
}

/* ---- law 2 ---- */

enum { PAYLOAD = 24, HELD = 64, PACKETS = 4000 };

struct a_packet {
    uint8_t b[PAYLOAD + KITH_PLANE_OVERHEAD];
    size_t n; /* 0: none */
};

struct world {
    struct kith_plane *a, *b;
    struct a_packet held[HELD]; /* on their way */
    bool opened[PACKETS + 1];
    uint64_t highest; /* that b opened */
    bool any;
    kith_time now;
};

/* The payload of a packet says which it is, twice: as a number, and in bytes of its own. */
static void payload_of(uint64_t number, uint8_t out[PAYLOAD])
{
    struct kith_random_seeded source;

    kith_random_seeded_init(&source, number + 1);
    struct kith_random r = kith_random_from_seed(&source);
    kith_random_fill(&r, out, PAYLOAD);
    memcpy(out, &number, sizeof number);
}

static void arrive(struct world *w, const struct a_packet *p)
{
    struct a_packet copy = *p;
    uint8_t want[PAYLOAD];
    struct kith_span payload;
    uint64_t number;
    bool moved;

    if (kith_plane_open(w->b, copy.b, copy.n, w->now, &payload, &moved) != KITH_OK)
        return;
    assert_int_equal(payload.n, PAYLOAD);
    memcpy(&number, payload.p, sizeof number);
    assert_true(number < kith_plane_next(w->a));
    assert_false(w->opened[number]);
    w->opened[number] = true;
    payload_of(number, want);
    assert_memory_equal(payload.p, want, PAYLOAD);
    w->any = true;
    w->highest = number > w->highest ? number : w->highest;
}

static struct a_packet seal_next(struct world *w)
{
    uint8_t payload[PAYLOAD];
    struct a_packet p;

    payload_of(kith_plane_next(w->a), payload);
    assert_int_equal(kith_plane_seal(w->a, &KITH_SPAN_OF(payload), 1, p.b, w->now, &p.n), KITH_OK);
    return p;
}

/* What the network does with a packet: up to `lossy` of ten are lost. */
static void carry(struct world *w, struct a_packet p, unsigned lossy)
{
    struct a_packet *place = &w->held[below(HELD)];

    if (below(10) < lossy)
        return;
    if (below(20) == 0)
        arrive(w, &p); /* and once more below */
    if (below(50) == 0)
        p.b[below(p.n)] ^= (uint8_t)(1 + below(255));
    if (below(100) == 0)
        p.n = below(p.n);
    if (below(3) > 0) {
        arrive(w, &p);
        return;
    }
    if (place->n > 0)
        arrive(w, place);
    *place = p;
}

static void the_plane_opens_each_packet_at_most_once_and_goes_on_after_any_loss(void **state)
{
    struct kith_plane_secrets there, back;
    static struct world w;
    uint64_t rekeyed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        memset(&w, 0, sizeof w);
        w.now = 1000 * KITH_SEC;
        lab_seed(&dice, seed);
        kith_random_fill(&dice.random, &there, sizeof there);
        memcpy(back.send, there.receive, sizeof back.send);
        memcpy(back.receive, there.send, sizeof back.receive);
        enum kith_aead_kind kind = seed % 2 ? KITH_AEAD_AES256GCM : KITH_AEAD_CHACHA20POLY1305;
        assert_int_equal(kith_plane_new(kind, &there, &kith_heap, &w.a), KITH_OK);
        assert_int_equal(kith_plane_new(kind, &back, &kith_heap, &w.b), KITH_OK);
        unsigned lossy = 0;
        while (kith_plane_next(w.a) < PACKETS) {
            if (below(200) == 0)
                lossy = below(3) == 0 ? 10 : (unsigned)below(8); /* a spell, of all at times */
            w.now += below(KITH_SEC);
            carry(&w, seal_next(&w), lossy);
            if (w.any && below(10) == 0)
                kith_plane_followed(w.a, w.highest);
            if (below(100) == 0)
                kith_plane_turn(w.a);
        }
        uint64_t before = kith_plane_counters(w.b)->opened;
        struct a_packet last = seal_next(&w);
        arrive(&w, &last);
        if (kith_plane_counters(w.b)->opened != before + 1)
            fail_msg("seed %llu: the plane did not go on", (unsigned long long)seed);
        rekeyed += kith_plane_counters(w.a)->rekeyed;
        kith_plane_free(w.a);
        kith_plane_free(w.b);
    }
    assert_true(rekeyed > 600); /* the law must not hold for want of steps */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_agrees_with_a_set_that_forgets_nothing),
        cmocka_unit_test(the_plane_opens_each_packet_at_most_once_and_goes_on_after_any_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
