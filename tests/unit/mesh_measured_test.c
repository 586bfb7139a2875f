/* What is remembered of ways: by destination and neighbour, for an hour, and of so many. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "mesh/measured.h"

enum { MAX = 100 };

static struct kith_random_seeded seeded;
static struct kith_random rnd;
static struct lab_alloc heap;
static struct kith_env env;
static struct kith_mesh_measured *m;

static int begin(void **state)
{
    (void)state;
    kith_random_seeded_init(&seeded, 5);
    rnd = kith_random_from_seed(&seeded);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &rnd};
    return kith_mesh_measured_new(&env, MAX, &m);
}

static int finish(void **state)
{
    (void)state;
    kith_mesh_measured_free(m);
    return heap.live == 0 ? 0 : -1;
}

static struct kith_destination dest(unsigned i)
{
    return (struct kith_destination){{(uint8_t)(i >> 8), (uint8_t)i}};
}

static void note(unsigned to, uint32_t neighbour, uint32_t rtt, uint32_t at)
{
    kith_mesh_measured_note(
        m, &(struct kith_mesh_measure){
               .to = dest(to), .neighbour = neighbour, .rtt = rtt, .loss = 9, .at = at});
}

/* 0: nothing is known. */
static uint32_t rtt(unsigned to, uint32_t neighbour, uint32_t now)
{
    const struct kith_destination d = dest(to);
    const struct kith_mesh_measure *w =
        kith_mesh_measured_find(m, &d, neighbour, now * (kith_time)KITH_SEC);

    if (w == NULL)
        return 0;
    assert_true(kith_destination_equal(&w->to, &d));
    assert_int_equal(w->neighbour, neighbour);
    assert_int_equal(w->loss, 9);
    return w->rtt;
}

static size_t count(uint32_t now)
{
    size_t n = 0, at = 0;

    while (kith_mesh_measured_next(m, &at, now * (kith_time)KITH_SEC) != NULL)
        n++;
    return n;
}

static void it_is_known_by_destination_and_neighbour(void **state)
{
    (void)state;
    note(1, 7, 100, 50);
    note(1, 8, 200, 50);
    note(2, 7, 300, 50);
    assert_int_equal(rtt(1, 7, 60), 100);
    assert_int_equal(rtt(1, 8, 60), 200);
    assert_int_equal(rtt(2, 7, 60), 300);
    assert_int_equal(rtt(2, 8, 60), 0);
    note(1, 7, 101, 60); /* the newest stands */
    assert_int_equal(rtt(1, 7, 60), 101);
    assert_int_equal(count(60), 3);
}

static void it_is_known_for_an_hour(void **state)
{
    (void)state;
    note(1, 7, 100, 50);
    note(2, 7, 100, 60);
    assert_int_equal(rtt(1, 7, 50 + 3599), 100);
    assert_int_equal(rtt(1, 7, 50 + 3600), 0);
    assert_int_equal(count(50 + 3600), 1);
    note(3, 7, 100, (uint32_t)5 - 30); /* before the clock began */
    assert_int_equal(rtt(3, 7, 5), 100);
    assert_int_equal(rtt(3, 7, 5 - 30 + 3600), 0);
}

static void what_is_known_no_more_gives_its_memory_back(void **state)
{
    (void)state;
    note(1, 7, 100, 50);
    const size_t one = heap.live;
    note(2, 7, 100, 60);
    note(3, 7, 100, 70);
    assert_int_equal(kith_mesh_measured_tick(m, (50 + 3599) * KITH_SEC), 3);
    assert_int_equal(heap.live, one + 2);
    assert_int_equal(kith_mesh_measured_tick(m, (60 + 3600) * KITH_SEC), 1);
    assert_int_equal(heap.live, one);
    assert_int_equal(rtt(3, 7, 60 + 3600), 100);
}

static void what_is_dropped_is_forgotten_and_nothing_else(void **state)
{
    const struct kith_destination d = dest(1);
    size_t blocks;

    (void)state;
    note(1, 7, 100, 50);
    note(1, 8, 200, 50);
    note(2, 7, 300, 50);
    assert_int_equal(kith_mesh_measured_size(m, &blocks), heap.bytes);
    assert_int_equal(blocks, heap.live);
    kith_mesh_measured_drop(m, &d, 9);
    kith_mesh_measured_drop(m, &d, 7);
    assert_int_equal(rtt(1, 7, 60), 0);
    assert_int_equal(rtt(1, 8, 60), 200);
    kith_mesh_measured_forget(m, 7);
    assert_int_equal(count(60), 1);
}

static void beyond_the_limit_what_was_noted_longest_ago_goes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MAX; i++)
        note(i, 1, 100 + i, 50);
    note(0, 1, 500, 51);
    note(MAX, 1, 600, 51);
    assert_int_equal(count(51), MAX);
    assert_int_equal(rtt(0, 1, 51), 500);
    assert_int_equal(rtt(1, 1, 51), 0);
    assert_int_equal(rtt(2, 1, 51), 102);
    assert_int_equal(rtt(MAX, 1, 51), 600);
}

static void without_memory_what_is_known_stays(void **state)
{
    (void)state;
    note(1, 7, 100, 50);
    heap.fail_at = heap.requests + 1;
    note(2, 7, 200, 50);
    note(1, 7, 101, 50);
    assert_int_equal(rtt(1, 7, 50), 101);
    assert_int_equal(rtt(2, 7, 50), 0);
    assert_int_equal(count(50), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(it_is_known_by_destination_and_neighbour),
        T(it_is_known_for_an_hour),
        T(what_is_known_no_more_gives_its_memory_back),
        T(what_is_dropped_is_forgotten_and_nothing_else),
        T(beyond_the_limit_what_was_noted_longest_ago_goes),
        T(without_memory_what_is_known_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
