/* The seeded generator is the published one, and `below` is even and within its bound. */
#include "base/random.h"

#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* xoshiro256** from the state 1, 2, 3, 4: what Blackman and Vigna's own program prints. */
static void the_generator_is_xoshiro256starstar(void **state)
{
    static const uint64_t want[] = {11520u,
                                    0u,
                                    1509978240u,
                                    1215971899390074240u,
                                    1216172134540287360u,
                                    607988272756665600u,
                                    16172922978634559625u,
                                    8476171486693032832u,
                                    10595114339597558777u,
                                    2904607092377533576u};
    struct kith_random_seeded source = {.s = {1, 2, 3, 4}};
    struct kith_random r = kith_random_from_seed(&source);

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(want); i++)
        assert_true(kith_random_u64(&r) == want[i]);
}

/* splitmix64 seeded with 1234567: Vigna's program, also in Rosetta Code. */
static void the_seed_goes_through_splitmix64(void **state)
{
    static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u,
                                    9817491932198370423u, 4593380528125082431u};
    struct kith_random_seeded source;

    (void)state;
    kith_random_seeded_init(&source, 1234567);
    for (size_t i = 0; i < KITH_COUNT(want); i++)
        assert_true(source.s[i] == want[i]);
}

static void every_length_is_filled_and_no_byte_more(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 24; n++) {
        struct kith_random_seeded source = {.s = {1, 2, 3, 4}};
        struct kith_random r = kith_random_from_seed(&source);
        uint8_t buf[32], again[32];
        memset(buf, 0xa5, sizeof buf);
        memset(again, 0x5a, sizeof again);
        kith_random_fill(&r, buf, n);
        source = (struct kith_random_seeded){.s = {1, 2, 3, 4}};
        kith_random_fill(&r, again, n);
        assert_memory_equal(buf, again, n); /* nothing of what was there before is left */
        for (size_t i = n; i < sizeof buf; i++)
            assert_int_equal(buf[i], 0xa5);
    }
}

static void one_seed_is_one_stream(void **state)
{
    struct kith_random_seeded a, b, c;

    (void)state;
    kith_random_seeded_init(&a, 5);
    kith_random_seeded_init(&b, 5);
    kith_random_seeded_init(&c, 6);
    struct kith_random ra = kith_random_from_seed(&a), rb = kith_random_from_seed(&b);
    struct kith_random rc = kith_random_from_seed(&c);
    size_t same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = kith_random_u64(&ra);
        assert_true(v == kith_random_u64(&rb));
        same += v == kith_random_u64(&rc);
    }
    assert_int_equal(same, 0);
}

/* A source that says what it is told to, then counts on. */
static void scripted_fill(void *ctx, uint8_t *p, size_t n)
{
    uint64_t *next = ctx;

    assert_int_equal(n, sizeof *next);
    memcpy(p, next, n);
    ++*next;
}

static uint64_t below_after(uint64_t first, uint64_t bound, uint64_t *ret_drawn)
{
    uint64_t next = first;
    struct kith_random r = {.fill = scripted_fill, .ctx = &next};
    uint64_t v = kith_random_below(&r, bound);

    *ret_drawn = next - first;
    return v;
}

/* 2^64 = 3 * 6148914691236517205 + 1: exactly one value is spare, and for 2^63 + 1 nearly half. */
static void the_spare_rest_of_the_range_is_drawn_again(void **state)
{
    uint64_t drawn, big = ((uint64_t)1 << 63) + 1;

    (void)state;
    assert_true(below_after(UINT64_MAX - 1, 3, &drawn) == 2 && drawn == 1);
    assert_true(below_after(UINT64_MAX, 3, &drawn) == 0 && drawn == 2); /* then 0 came */
    assert_true(below_after(big - 1, big, &drawn) == big - 1 && drawn == 1);
    assert_true(below_after(UINT64_MAX, big, &drawn) == 0 && drawn == 2);
    /* powers of two divide the range: nothing is ever thrown away */
    assert_true(below_after(UINT64_MAX, 1, &drawn) == 0 && drawn == 1);
    assert_true(below_after(UINT64_MAX, 256, &drawn) == 255 && drawn == 1);
    assert_true(below_after(UINT64_MAX, (uint64_t)1 << 63, &drawn) == ((uint64_t)1 << 63) - 1);
    assert_true(drawn == 1);
    /* all of the range but one value */
    assert_true(below_after(UINT64_MAX - 1, UINT64_MAX, &drawn) == UINT64_MAX - 1 && drawn == 1);
    assert_true(below_after(UINT64_MAX, UINT64_MAX, &drawn) == 0 && drawn == 2);
}

/* Chi-squared with 9 degrees of freedom is above 27.9 once in a thousand; the seed is fixed. */
static void below_is_even(void **state)
{
    struct kith_random_seeded source;
    enum { CELLS = 10, DRAWS = 100000 };
    const double want = 10000; /* DRAWS / CELLS */
    double chi = 0;
    int count[CELLS] = {0};

    (void)state;
    kith_random_seeded_init(&source, 2026);
    struct kith_random r = kith_random_from_seed(&source);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t v = kith_random_below(&r, CELLS);
        assert_true(v < CELLS);
        count[v]++;
    }
    for (int i = 0; i < CELLS; i++) {
        double off = count[i] - want;
        chi += off * off / want;
    }
    assert_true(chi < 27.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_xoshiro256starstar),
        cmocka_unit_test(the_seed_goes_through_splitmix64),
        cmocka_unit_test(every_length_is_filled_and_no_byte_more),
        cmocka_unit_test(one_seed_is_one_stream),
        cmocka_unit_test(the_spare_rest_of_the_range_is_drawn_again),
        cmocka_unit_test(below_is_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
