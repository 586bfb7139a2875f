/* Where members are: what is remembered, for how long, and who cannot push it out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "lab_alloc.h"
#include "session/known.h"

static const kith_time start = 1000 * KITH_SEC;

struct scene {
    struct lab_alloc heap;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_known known;
};

static void set_scene(struct scene *s)
{
    memset(s, 0, sizeof *s);
    lab_alloc_init(&s->heap);
    kith_random_seeded_init(&s->seeded, 11);
    s->random = kith_random_from_seed(&s->seeded);
    assert_int_equal(kith_known_init(&s->known, &s->heap.alloc, &s->random), KITH_OK);
}

static void clear_scene(struct scene *s)
{
    kith_known_fini(&s->known, &s->heap.alloc);
    assert_int_equal(s->heap.live, 0);
}

static void an_address_is_known_for_a_day_after_it_was_met(void **state)
{
    struct kith_ip ip = kith_ip4(192, 0, 2, 1), other = kith_ip4(192, 0, 2, 2);
    struct scene s;

    (void)state;
    set_scene(&s);
    assert_false(kith_known_has(&s.known, &ip, start));
    kith_known_met(&s.known, &ip, start);
    assert_true(kith_known_has(&s.known, &ip, start));
    assert_false(kith_known_has(&s.known, &other, start));
    assert_true(kith_known_has(&s.known, &ip, start + KITH_KNOWN_TIME - 1));
    assert_false(kith_known_has(&s.known, &ip, start + KITH_KNOWN_TIME));
    clear_scene(&s);
}

static void no_address_is_never_known(void **state)
{
    struct kith_ip none = {0};
    struct scene s;

    (void)state;
    set_scene(&s);
    kith_known_met(&s.known, &none, start);
    kith_known_told(&s.known, &none, start);
    assert_false(kith_known_has(&s.known, &none, start));
    clear_scene(&s);
}

static void what_was_told_is_known_but_pushes_nobody_out(void **state)
{
    struct kith_ip met = kith_ip4(192, 0, 2, 1), told = kith_ip4(192, 0, 2, 2);
    struct scene s;

    (void)state;
    set_scene(&s);
    size_t bytes = s.heap.bytes;
    kith_known_met(&s.known, &met, start);
    kith_known_told(&s.known, &told, start);
    assert_true(kith_known_has(&s.known, &told, start));
    for (unsigned i = 0; i < 100000; i++) {
        struct kith_ip lie = kith_ip4(11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
        kith_known_told(&s.known, &lie, start + 1);
    }
    assert_true(kith_known_has(&s.known, &met, start + 1));
    assert_true(kith_known_has(&s.known, &told, start + 1));
    assert_int_equal(s.heap.bytes, bytes);
    clear_scene(&s);
}

static void who_is_met_finds_room_among_what_was_told(void **state)
{
    struct kith_ip met = kith_ip4(192, 0, 2, 1);
    struct scene s;

    (void)state;
    set_scene(&s);
    for (unsigned i = 0; i < 100000; i++) {
        struct kith_ip lie = kith_ip4(11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
        kith_known_told(&s.known, &lie, start);
    }
    kith_known_met(&s.known, &met, start);
    assert_true(kith_known_has(&s.known, &met, start));
    clear_scene(&s);
}

static void being_told_of_does_not_undo_having_been_met(void **state)
{
    struct kith_ip ip = kith_ip4(192, 0, 2, 1);
    struct scene s;

    (void)state;
    set_scene(&s);
    kith_known_met(&s.known, &ip, start);
    kith_known_told(&s.known, &ip, start + KITH_SEC);
    /* only who was met stays when others are met */
    for (unsigned i = 0; i < 100; i++) {
        struct kith_ip lie = kith_ip4(11, 0, 0, (uint8_t)i);
        kith_known_told(&s.known, &lie, start + KITH_SEC);
    }
    assert_true(kith_known_has(&s.known, &ip, start + KITH_SEC));
    /* and hearsay did not make it last longer */
    assert_false(kith_known_has(&s.known, &ip, start + KITH_KNOWN_TIME));
    clear_scene(&s);
}

static void without_memory_there_is_no_table(void **state)
{
    struct scene s;
    struct kith_known other;

    (void)state;
    set_scene(&s);
    s.heap.fail_at = s.heap.requests + 1;
    assert_int_equal(kith_known_init(&other, &s.heap.alloc, &s.random), KITH_E_NOMEM);
    kith_known_fini(&other, &s.heap.alloc);
    clear_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_known_for_a_day_after_it_was_met),
        cmocka_unit_test(no_address_is_never_known),
        cmocka_unit_test(what_was_told_is_known_but_pushes_nobody_out),
        cmocka_unit_test(who_is_met_finds_room_among_what_was_told),
        cmocka_unit_test(being_told_of_does_not_undo_having_been_met),
        cmocka_unit_test(without_memory_there_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
