/* The map's hash is SipHash-2-4, and the map stays whole when memory or room runs out. */
#include "base/map.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab_heap heap;
static struct kith_alloc alloc;
static struct lab_dice dice;
static int thing[64];

static int setup(void **state)
{
    (void)state;
    alloc = lab_alloc(&heap);
    lab_seed(&dice, 1);
    return 0;
}

/* vectors.h of the reference implementation (its 15-byte case is the paper's appendix A): key
 * 00 01 .. 0f, input of n bytes 00 01 .. */
static void siphash_gives_the_published_values(void **state)
{
    static const uint64_t want[] = {
        0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du,
        0xcf2794e0277187b7u, 0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u,
        0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u, 0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u,
        0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu, 0xa129ca6149be45e5u,
        0x3f2acc7f57c29bdbu, 0x699ae9f52cbe4794u, 0x4bc1b3f0968dd39cu, 0xbb6dc91da77961bdu,
        0xbed65cf21aa2ee98u, 0xd0f2cbb02e3b67c7u, 0x93536795e3a33e88u, 0xa80c038ccd5ccec8u,
        0xb8ad50c6f649af94u, 0xbce192de8a85b8eau, 0x17d835b85bbb15f3u, 0x2f2e6163076bcfadu,
        0xde4daaaca71dc9a5u, 0xa6a2506687956571u, 0xad87a3535c49ef28u, 0x32d892fad841c342u,
        0x7127512f72f27cceu, 0xa7f32346f95978e3u, 0x12e0b01abb051238u, 0x15e034d40fa197aeu,
    };
    uint8_t in[KITH_COUNT(want)];

    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    for (size_t n = 0; n < KITH_COUNT(want); n++)
        assert_true(kith_siphash(0x0706050403020100u, 0x0f0e0d0c0b0a0908u,
                                 (struct kith_span){in, n}) == want[n]);
    assert_true(kith_siphash(0x0706050403020100u, 0x0f0e0d0c0b0a0908u, (struct kith_span){0}) ==
                want[0]);
}

static void two_maps_hash_under_two_keys(void **state)
{
    struct kith_map a, b;

    (void)state;
    kith_map_init(&a, &alloc, &dice.random, 4, 10);
    kith_map_init(&b, &alloc, &dice.random, 4, 10);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
    kith_map_fini(&a);
    kith_map_fini(&b);
    assert_int_equal(heap.asked, 0); /* an empty map costs nothing */
}

static void what_is_put_is_found_until_it_is_taken(void **state)
{
    struct kith_map m;

    (void)state;
    kith_map_init(&m, &alloc, &dice.random, 4, 10);
    assert_null(kith_map_find(&m, "aaaa"));
    assert_null(kith_map_take(&m, "aaaa"));
    assert_int_equal(kith_map_put(&m, "aaaa", &thing[0]), KITH_OK);
    assert_int_equal(kith_map_put(&m, "aaab", &thing[1]), KITH_OK);
    assert_ptr_equal(kith_map_find(&m, "aaaa"), &thing[0]);
    assert_int_equal(kith_map_put(&m, "aaaa", &thing[2]), KITH_OK); /* replaced */
    assert_int_equal(m.n, 2);
    assert_ptr_equal(kith_map_take(&m, "aaaa"), &thing[2]);
    assert_null(kith_map_find(&m, "aaaa"));
    assert_ptr_equal(kith_map_find(&m, "aaab"), &thing[1]);
    assert_null(kith_map_take(&m, "aaaa"));
    kith_map_fini(&m);
    assert_int_equal(heap.live, 0);
}

static void no_value_is_no_entry(void **state)
{
    struct kith_map m;

    (void)state;
    kith_map_init(&m, &alloc, &dice.random, 1, 10);
    assert_int_equal(kith_map_put(&m, "k", NULL), KITH_E_INVAL);
    assert_int_equal(m.n, 0);
    kith_map_fini(&m);
}

static void a_full_map_still_replaces(void **state)
{
    struct kith_map m;
    uint8_t key;

    (void)state;
    kith_map_init(&m, &alloc, &dice.random, 1, 20);
    for (key = 0; key < 20; key++)
        assert_int_equal(kith_map_put(&m, &key, &thing[key]), KITH_OK);
    assert_int_equal(kith_map_put(&m, &key, &thing[20]), KITH_E_FULL);
    assert_null(kith_map_find(&m, &key));
    key = 7;
    assert_int_equal(kith_map_put(&m, &key, &thing[30]), KITH_OK);
    assert_ptr_equal(kith_map_find(&m, &key), &thing[30]);
    assert_ptr_equal(kith_map_take(&m, &key), &thing[30]);
    key = 20;
    assert_int_equal(kith_map_put(&m, &key, &thing[20]), KITH_OK);
    kith_map_fini(&m);
}

static void nothing_fits_where_the_maximum_is_zero(void **state)
{
    struct kith_map m;

    (void)state;
    kith_map_init(&m, &alloc, &dice.random, 1, 0);
    assert_int_equal(kith_map_put(&m, "k", &thing[0]), KITH_E_FULL);
    assert_int_equal(heap.asked, 0);
    kith_map_fini(&m);
}

static void a_failed_allocation_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    for (size_t fuse = 0; fuse < 4; fuse++) {
        struct kith_map m;
        uint8_t key, n = 0;
        alloc = lab_alloc(&heap);
        heap.fuse = fuse;
        kith_map_init(&m, &alloc, &dice.random, 1, 60);
        while (n < 60 && kith_map_put(&m, &n, &thing[n]) == KITH_OK)
            n++;
        assert_true(n < 60);
        assert_int_equal(kith_map_put(&m, &n, &thing[n]), KITH_E_NOMEM);
        assert_int_equal(m.n, n);
        for (key = 0; key < n; key++)
            assert_ptr_equal(kith_map_find(&m, &key), &thing[key]);
        assert_null(kith_map_find(&m, &n));
        heap.fuse = SIZE_MAX; /* and it goes on when there is memory again */
        assert_int_equal(kith_map_put(&m, &n, &thing[n]), KITH_OK);
        assert_ptr_equal(kith_map_find(&m, &n), &thing[n]);
        kith_map_fini(&m);
        assert_int_equal(heap.live, 0);
    }
}

static void a_visit_sees_every_value_once(void **state)
{
    struct kith_map m;
    size_t at = 0, seen = 0;
    int *v;

    (void)state;
    memset(thing, 0, sizeof thing);
    kith_map_init(&m, &alloc, &dice.random, 1, 64);
    assert_null(kith_map_next(&m, &at));
    for (uint8_t key = 0; key < 50; key++)
        assert_int_equal(kith_map_put(&m, &key, &thing[key]), KITH_OK);
    for (at = 0; (v = kith_map_next(&m, &at)) != NULL; seen++)
        ++*v;
    assert_int_equal(seen, 50);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(thing[i], 1);
    assert_null(kith_map_next(&m, &at)); /* the end stays the end */
    kith_map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(siphash_gives_the_published_values, setup),
        cmocka_unit_test_setup(two_maps_hash_under_two_keys, setup),
        cmocka_unit_test_setup(what_is_put_is_found_until_it_is_taken, setup),
        cmocka_unit_test_setup(no_value_is_no_entry, setup),
        cmocka_unit_test_setup(a_full_map_still_replaces, setup),
        cmocka_unit_test_setup(nothing_fits_where_the_maximum_is_zero, setup),
        cmocka_unit_test_setup(a_failed_allocation_leaves_the_map_as_it_was, setup),
        cmocka_unit_test_setup(a_visit_sees_every_value_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
