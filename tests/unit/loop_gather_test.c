/* When a loop rests so that a turn serves several peers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/gather.h"

struct load {
    unsigned sources;
    unsigned per_second; /* datagrams, one after the other */
    uint8_t first;       /* byte of each */
};

/* For so long, each datagram in a turn of its own. How many turns ended with a rest. */
static unsigned rests(struct kith_gather *g, struct load l, kith_time *now, kith_dur length)
{
    unsigned n = 0;
    kith_time end = *now + length;

    for (uint32_t i = 0; *now < end; i++, *now += KITH_SEC / l.per_second) {
        uint32_t who = i % l.sources;
        uint8_t data[] = {l.first, 0};
        const struct kith_rx run = {
            .path.remote = {.ip = kith_ip4(10, (uint8_t)(who >> 8), (uint8_t)who, 1), .port = 9000},
            .data = data,
            .len = sizeof data,
            .segment = sizeof data,
        };
        kith_gather_heard(g, &run);
        kith_dur rest = kith_gather_rest(g, *now);
        assert_true(rest == 0 || rest == KITH_GATHER_REST);
        n += rest != 0;
    }
    return n;
}

static const struct load crowd = {.sources = 1000, .per_second = 10000, .first = 0x40};

static void a_crowd_is_gathered_from_the_second_window_on(void **state)
{
    struct kith_gather g = {.began = 0};
    kith_time now = KITH_SEC;

    (void)state;
    /* the first datagram closes the window in which there was nothing */
    assert_int_equal(rests(&g, crowd, &now, KITH_GATHER_WINDOW), 0);
    assert_int_equal(rests(&g, crowd, &now, KITH_SEC), 10000);
}

static void a_turn_that_heard_nothing_does_not_rest(void **state)
{
    struct kith_gather g = {.began = 0};
    kith_time now = KITH_SEC;

    (void)state;
    (void)rests(&g, crowd, &now, 10 * KITH_GATHER_WINDOW);
    assert_true(kith_gather_rest(&g, now) == 0);
}

static void few_or_little_or_strangers_are_not(void **state)
{
    static const struct load others[] = {
        {.sources = 1, .per_second = 10000, .first = 0x40},     /* one conversation */
        {.sources = 8, .per_second = 50000, .first = 0x40},     /* a few streams */
        {.sources = 1000, .per_second = 1000, .first = 0x40},   /* keep-alives */
        {.sources = 1000, .per_second = 10000, .first = 0xc0},  /* Initials */
        {.sources = 1000, .per_second = 500000, .first = 0x40}, /* turns are full without it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct kith_gather g = {.began = 0};
        kith_time now = KITH_SEC;
        assert_int_equal(rests(&g, others[i], &now, KITH_SEC), 0);
    }
}

static void it_ends_with_the_crowd(void **state)
{
    struct kith_gather g = {.began = 0};
    kith_time now = KITH_SEC;
    const struct load one = {.sources = 1, .per_second = 10000, .first = 0x40};

    (void)state;
    (void)rests(&g, crowd, &now, KITH_SEC);
    /* what is left of the window, and the mixed one */
    assert_in_range(rests(&g, one, &now, KITH_SEC), 0, 200);
    assert_int_equal(rests(&g, one, &now, KITH_SEC), 0);

    (void)rests(&g, crowd, &now, KITH_SEC);
    now += KITH_SEC; /* silence, then somebody alone */
    assert_int_equal(rests(&g, one, &now, KITH_SEC), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_is_gathered_from_the_second_window_on),
        cmocka_unit_test(a_turn_that_heard_nothing_does_not_rest),
        cmocka_unit_test(few_or_little_or_strangers_are_not),
        cmocka_unit_test(it_ends_with_the_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
