/* Guessing at tickets is slow, and harms nobody else. */
#include "base_lab.h"
#include "identity/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;

static struct kith_random_seeded seeded;
static struct kith_random randomness;
static struct kith_env env;

static struct kith_enrol_limits *new_limits(size_t max)
{
    struct kith_enrol_limits *l = NULL;

    kith_random_seeded_init(&seeded, 7);
    randomness = kith_random_from_seed(&seeded);
    env = (struct kith_env){.alloc = &kith_heap, .random = &randomness};
    assert_int_equal(kith_enrol_limits_new(&env, max, &l), KITH_OK);
    return l;
}

static struct kith_peer_id peer(uint32_t n)
{
    struct kith_peer_id id = {{(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), 1}};

    return id;
}

static int check(struct kith_enrol_limits *l, struct kith_ip ip, uint32_t who, kith_time now)
{
    struct kith_peer_id id = peer(who);

    return kith_enrol_limits_check(l, &ip, &id, now);
}

static bool failed(struct kith_enrol_limits *l, struct kith_ip ip, uint32_t who, kith_time now)
{
    struct kith_peer_id id = peer(who);
    bool refused = false;

    kith_enrol_limits_failed(l, &ip, &id, now, &refused);
    return refused;
}

static void the_fifth_failure_within_the_window_refuses_a_source_for_a_while(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);
    struct kith_ip ip = kith_ip4(192, 0, 2, 1), near = kith_ip4(192, 0, 2, 200),
                   far = kith_ip4(192, 0, 3, 1);
    kith_time at = T0;

    (void)state;
    for (uint32_t i = 0; i < 4; i++, at += 10 * KITH_SEC)
        assert_false(failed(l, ip, i, at));
    assert_int_equal(check(l, ip, 50, at), KITH_OK);
    assert_true(failed(l, ip, 4, at));
    assert_int_equal(check(l, ip, 50, at), KITH_E_LIMIT);
    assert_int_equal(check(l, near, 50, at), KITH_E_LIMIT); /* the same /24 */
    assert_int_equal(check(l, far, 50, at), KITH_OK);
    assert_int_equal(check(l, ip, 50, at + KITH_ENROL_REFUSAL - 1), KITH_E_LIMIT);
    assert_int_equal(check(l, ip, 50, at + KITH_ENROL_REFUSAL), KITH_OK);
    kith_enrol_limits_free(l);
}

static void failures_spread_over_more_than_the_window_refuse_nobody(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);
    struct kith_ip ip = kith_ip4(192, 0, 2, 1);
    kith_time at = T0;

    (void)state;
    for (int i = 0; i < 40; i++, at += KITH_ENROL_WINDOW / 4)
        assert_false(failed(l, ip, 1, at));
    kith_enrol_limits_free(l);
}

static void a_peer_is_refused_wherever_it_comes_from(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);

    (void)state;
    for (uint8_t i = 0; i < 5; i++)
        assert_int_equal(failed(l, kith_ip4(10, 0, i, 1), 9, T0), i == 4);
    assert_int_equal(check(l, kith_ip4(10, 9, 9, 9), 9, T0), KITH_E_LIMIT);
    assert_int_equal(check(l, kith_ip4(10, 9, 9, 9), 8, T0), KITH_OK);
    kith_enrol_limits_free(l);
}

static void an_ipv6_source_is_a_48(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);
    struct kith_ip a, same, other;

    (void)state;
    assert_int_equal(kith_ip_parse("2001:db8:1:1::1", &a), KITH_OK);
    assert_int_equal(kith_ip_parse("2001:db8:1:ffff::9", &same), KITH_OK);
    assert_int_equal(kith_ip_parse("2001:db8:2:1::1", &other), KITH_OK);
    for (uint32_t i = 0; i < 5; i++)
        (void)failed(l, a, i, T0);
    assert_int_equal(check(l, same, 50, T0), KITH_E_LIMIT);
    assert_int_equal(check(l, other, 50, T0), KITH_OK);
    kith_enrol_limits_free(l);
}

static void success_forgets_the_peers_failures_but_not_its_sources(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);
    struct kith_peer_id id = peer(1);
    struct kith_ip ip = kith_ip4(192, 0, 2, 1);

    (void)state;
    for (int i = 0; i < 4; i++)
        (void)failed(l, ip, 1, T0);
    kith_enrol_limits_succeeded(l, &id);
    assert_false(failed(l, kith_ip4(10, 0, 0, 1), 1, T0));
    assert_true(failed(l, ip, 2, T0));
    kith_enrol_limits_free(l);
}

static void many_failures_from_everywhere_slow_all_enrolments_down_and_no_more(void **state)
{
    struct kith_enrol_limits *l = new_limits(0);

    (void)state;
    for (uint8_t i = 0; i < KITH_ENROL_BURST; i++) {
        assert_int_equal(check(l, kith_ip4(10, 1, i, 1), i, T0), KITH_OK);
        (void)failed(l, kith_ip4(10, 1, i, 1), i, T0);
    }
    assert_int_equal(check(l, kith_ip4(10, 2, 0, 1), 99, T0), KITH_E_AGAIN);
    assert_int_equal(check(l, kith_ip4(10, 2, 0, 1), 99, T0 + KITH_ENROL_REFILL - 1), KITH_E_AGAIN);
    assert_int_equal(check(l, kith_ip4(10, 2, 0, 1), 99, T0 + KITH_ENROL_REFILL), KITH_OK);
    kith_enrol_limits_free(l);
}

static void a_flood_of_strangers_does_not_free_who_is_refused(void **state)
{
    struct kith_enrol_limits *l = new_limits(100);
    struct kith_ip bad = kith_ip4(192, 0, 2, 1);

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)failed(l, bad, 7, T0);
    for (uint32_t i = 0; i < 5000; i++)
        (void)failed(l, kith_ip4(10, (uint8_t)(i >> 8), (uint8_t)i, 1), 1000 + i, T0 + i);
    assert_int_equal(check(l, bad, 1, T0 + KITH_SEC), KITH_E_LIMIT);
    assert_int_equal(check(l, kith_ip4(172, 16, 0, 1), 7, T0 + KITH_SEC), KITH_E_LIMIT);
    kith_enrol_limits_free(l);
}

/* Refusals alone fill the table: the one that ends first makes room, and nothing breaks. */
static void a_table_full_of_refusals_gives_up_the_oldest(void **state)
{
    struct kith_enrol_limits *l = new_limits(3);

    (void)state;
    for (uint8_t s = 0; s < 4; s++)
        for (uint32_t i = 0; i < 5; i++)
            (void)failed(l, kith_ip4(10, 0, s, 1), 10u * s, T0 + s);
    assert_true(check(l, kith_ip4(10, 0, 0, 1), 99, T0 + KITH_SEC) != KITH_E_LIMIT);
    for (uint8_t s = 1; s < 4; s++)
        assert_int_equal(check(l, kith_ip4(10, 0, s, 1), 99, T0 + KITH_SEC), KITH_E_LIMIT);
    kith_enrol_limits_free(l);
}

static void without_memory_guessing_is_still_slowed(void **state)
{
    struct lab_heap heap;
    const struct kith_alloc alloc = lab_alloc(&heap);
    struct kith_enrol_limits *l = new_limits(0), *none = NULL;

    (void)state;
    kith_enrol_limits_free(l);
    env.alloc = &alloc;
    heap.fuse = 0;
    assert_int_equal(kith_enrol_limits_new(&env, 0, &none), KITH_E_NOMEM);
    assert_null(none);
    heap.fuse = SIZE_MAX;
    assert_int_equal(kith_enrol_limits_new(&env, 0, &l), KITH_OK);
    heap.fuse = 0;
    for (uint32_t i = 0; i < KITH_ENROL_BURST; i++)
        assert_false(failed(l, kith_ip4(10, 0, 0, 1), 1, T0));
    heap.fuse = SIZE_MAX;
    assert_int_equal(check(l, kith_ip4(10, 0, 0, 1), 1, T0), KITH_E_AGAIN);
    kith_enrol_limits_free(l);
    assert_int_equal(heap.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fifth_failure_within_the_window_refuses_a_source_for_a_while),
        cmocka_unit_test(failures_spread_over_more_than_the_window_refuse_nobody),
        cmocka_unit_test(a_peer_is_refused_wherever_it_comes_from),
        cmocka_unit_test(an_ipv6_source_is_a_48),
        cmocka_unit_test(success_forgets_the_peers_failures_but_not_its_sources),
        cmocka_unit_test(many_failures_from_everywhere_slow_all_enrolments_down_and_no_more),
        cmocka_unit_test(a_flood_of_strangers_does_not_free_who_is_refused),
        cmocka_unit_test(without_memory_guessing_is_still_slowed),
        cmocka_unit_test(a_table_full_of_refusals_gives_up_the_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
