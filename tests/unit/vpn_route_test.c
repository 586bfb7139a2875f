/* Longest-prefix match, checked against a look at every route. */
#include "unit/vpn_packets.h"
#include "vpn/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct kith_random_seeded source;
static struct kith_random rnd;
static struct kith_env env;
static struct kith_routes r;
static int value[16];

static int setup(void **state)
{
    (void)state;
    kith_random_seeded_init(&source, 7);
    rnd = kith_random_from_seed(&source);
    env = (struct kith_env){.alloc = &kith_heap, .random = &rnd};
    kith_routes_init(&r, &env, 20000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_routes_fini(&r);
    return 0;
}

static int add(const char *prefix, int *v)
{
    struct kith_prefix p = prefix_of(prefix);

    return kith_routes_add(&r, &p, v);
}

static int *find(const char *ip)
{
    struct kith_ip a = ip_of(ip);

    return kith_routes_find(&r, &a);
}

static void the_longest_prefix_wins(void **state)
{
    (void)state;
    assert_null(find("10.1.2.3"));
    assert_int_equal(add("0.0.0.0/0", &value[0]), KITH_OK);
    assert_int_equal(add("10.0.0.0/8", &value[1]), KITH_OK);
    assert_int_equal(add("10.1.2.0/24", &value[2]), KITH_OK);
    assert_int_equal(add("10.1.2.3/32", &value[3]), KITH_OK);
    assert_ptr_equal(find("10.1.2.3"), &value[3]);
    assert_ptr_equal(find("10.1.2.4"), &value[2]);
    assert_ptr_equal(find("10.2.0.1"), &value[1]);
    assert_ptr_equal(find("8.8.8.8"), &value[0]);
}

static void the_families_do_not_mix(void **state)
{
    (void)state;
    assert_int_equal(add("::/0", &value[0]), KITH_OK);
    assert_null(find("10.0.0.1"));
    assert_ptr_equal(find("fd00::1"), &value[0]);
    assert_int_equal(add("0.0.0.0/0", &value[1]), KITH_OK);
    assert_ptr_equal(find("fd00::1"), &value[0]);
}

static void a_removed_route_uncovers_the_shorter_one(void **state)
{
    struct kith_prefix p = prefix_of("fd00:1::/32");

    (void)state;
    assert_int_equal(add("fd00::/8", &value[0]), KITH_OK);
    assert_int_equal(kith_routes_add(&r, &p, &value[1]), KITH_OK);
    assert_ptr_equal(find("fd00:1::9"), &value[1]);
    kith_routes_remove(&r, &p);
    kith_routes_remove(&r, &p);
    assert_ptr_equal(find("fd00:1::9"), &value[0]);
}

static void a_prefix_has_one_owner(void **state)
{
    (void)state;
    assert_int_equal(add("10.0.0.0/8", &value[0]), KITH_OK);
    assert_int_equal(add("10.0.0.0/8", &value[1]), KITH_E_TAKEN);
    assert_ptr_equal(find("10.0.0.1"), &value[0]);
}

static void prefixes_with_host_bits_or_no_family_are_refused(void **state)
{
    struct kith_prefix bits = {.ip = kith_ip4(10, 0, 0, 1), .bits = 8};
    struct kith_prefix none = {.bits = 0}, long4 = {.ip = kith_ip4(10, 0, 0, 1), .bits = 33};

    (void)state;
    assert_int_equal(kith_routes_add(&r, &bits, &value[0]), KITH_E_INVAL);
    assert_int_equal(kith_routes_add(&r, &none, &value[0]), KITH_E_INVAL);
    assert_int_equal(kith_routes_add(&r, &long4, &value[0]), KITH_E_INVAL);
}

static void ten_thousand_members_are_found(void **state)
{
    static int host[10000];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(host); i++) {
        struct kith_ip ip = kith_ip4(100, 64, (uint8_t)(i >> 8), (uint8_t)i);
        struct kith_prefix p = kith_prefix_of(&ip, 32);
        assert_int_equal(kith_routes_add(&r, &p, &host[i]), KITH_OK);
    }
    for (size_t i = 0; i < KITH_COUNT(host); i++) {
        struct kith_ip ip = kith_ip4(100, 64, (uint8_t)(i >> 8), (uint8_t)i);
        assert_ptr_equal(kith_routes_find(&r, &ip), &host[i]);
    }
    assert_null(find("100.64.39.16"));
}

static void random_tables_agree_with_a_look_at_every_route(void **state)
{
    struct kith_prefix all[64];
    size_t n = 0;

    (void)state;
    for (int round = 0; round < 64; round++) {
        struct kith_ip ip = kith_ip4(10, (uint8_t)kith_random_below(&rnd, 4), 0,
                                     (uint8_t)kith_random_below(&rnd, 8));
        struct kith_prefix p = kith_prefix_of(&ip, (unsigned)kith_random_below(&rnd, 33));
        if (kith_routes_add(&r, &p, &all[n]) == KITH_OK)
            all[n++] = p;
    }
    for (int probe = 0; probe < 2000; probe++) {
        struct kith_ip ip = kith_ip4(10, (uint8_t)kith_random_below(&rnd, 5), 0,
                                     (uint8_t)kith_random_below(&rnd, 9));
        const struct kith_prefix *best = NULL;
        for (size_t i = 0; i < n; i++)
            if (kith_prefix_holds(&all[i], &ip) && (best == NULL || all[i].bits > best->bits))
                best = &all[i];
        assert_ptr_equal(kith_routes_find(&r, &ip), best);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_longest_prefix_wins),
        T(the_families_do_not_mix),
        T(a_removed_route_uncovers_the_shorter_one),
        T(a_prefix_has_one_owner),
        T(prefixes_with_host_bits_or_no_family_are_refused),
        T(ten_thousand_members_are_found),
        T(random_tables_agree_with_a_look_at_every_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
