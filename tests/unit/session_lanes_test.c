/* Lanes: everybody gets its turn, in bytes; order within a lane is kept. */
#include "session/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"

static struct lab_alloc heap;
static struct kith_lanes l;
static uint8_t zeros[65535];
static const kith_time T0 = 1000 * KITH_SEC;

static int up(void **state)
{
    (void)state;
    lab_alloc_init(&heap);
    kith_lanes_init(&l, &heap.alloc);
    return 0;
}

static int down(void **state)
{
    (void)state;
    kith_lanes_fini(&l);
    assert_int_equal(heap.bytes, 0);
    return 0;
}

/* A packet of n bytes, of a neighbour or our own (0); `mark` is its slot, to know it again. */
static int add(uint32_t whose, uint8_t mark, size_t n)
{
    const struct kith_parts p = {.head = {zeros, n}};

    return kith_lanes_add(&l, whose == 0 ? KITH_LANES_SELF : whose, mark, &p, T0);
}

/* Takes the packet whose turn it is; its mark, or -1. */
static int take(size_t *ret_n)
{
    struct kith_queued q;

    if (kith_lanes_first(&l, &q) == NULL)
        return -1;
    int mark = q.slot;
    if (ret_n != NULL)
        *ret_n = q.n;
    kith_lanes_drop_first(&l, true);
    return mark;
}

static void one_lane_is_first_in_first_out(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(add(3, i, 10 * i), KITH_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(take(NULL), i);
    assert_true(kith_lanes_is_empty(&l));
    assert_int_equal(take(NULL), -1);
}

static void who_comes_late_with_one_packet_does_not_wait_for_all_that_came_before(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        assert_int_equal(add(1, 1, 1200), KITH_OK);
    assert_int_equal(take(NULL), 1);
    assert_int_equal(add(2, 2, 100), KITH_OK);
    int before = 0;
    while (take(NULL) == 1)
        before++;
    assert_in_range(before, 0, 2); /* a turn is 1,500 bytes */
}

/* Deficit round robin: however big packets are, lanes that always have something differ by less
 * than a turn and the largest packet. */
static void lanes_that_are_never_empty_get_the_same_in_bytes(void **state)
{
    const size_t size[] = {1200, 300, 9000, 40};
    uint64_t got[4] = {0};

    (void)state;
    for (int i = 0; i < 5000; i++) {
        size_t n = 0;
        for (uint8_t k = 0; k < 4; k++)
            while (l.lane[k].queue.used < 40000)
                assert_int_equal(add(k, k, size[k]), KITH_OK);
        int who = take(&n);
        assert_in_range(who, 0, 3);
        got[who] += n;
        for (int k = 0; k < 4; k++) {
            uint64_t apart = got[who] > got[k] ? got[who] - got[k] : got[k] - got[who];
            assert_in_range(apart, 0, 2 * (KITH_LANE_TURN + 9000));
        }
    }
    assert_true(got[0] > 100000);
}

static void what_codel_took_is_not_paid_for(void **state)
{
    struct kith_queued q;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(add(1, 1, 1000), KITH_OK);
    assert_int_equal(add(2, 2, 1000), KITH_OK);
    struct kith_lane *lane = kith_lanes_first(&l, &q);
    size_t credit = lane->credit;
    kith_lanes_drop_first(&l, false);
    assert_int_equal(lane->credit, credit);
    assert_ptr_equal(kith_lanes_first(&l, &q), lane);
    kith_lanes_drop_first(&l, true);
    assert_int_equal(lane->credit, credit - 1000);
}

static void a_full_lane_leaves_room_in_the_others(void **state)
{
    size_t n = 0;

    (void)state;
    while (add(1, 1, 1200) == KITH_OK)
        n++;
    assert_int_equal(add(1, 1, 1200), KITH_E_FULL);
    assert_int_equal(n, KITH_LANE_BYTES / 1216); /* 16 bytes are kept beside each */
    assert_int_equal(add(2, 2, 1200), KITH_OK);
    assert_int_equal(add(KITH_LANE_OWN, 0, 65535), KITH_OK);
}

static void lanes_without_anything_hold_no_memory(void **state)
{
    (void)state;
    for (uint8_t k = 0; k < KITH_LANES; k++)
        assert_int_equal(add(k, k, 100), KITH_OK);
    assert_int_equal(heap.bytes, KITH_LANE_OWN_BYTES + 8 * KITH_LANE_BYTES);
    for (int k = 0; k < KITH_LANES; k++)
        assert_int_equal(take(NULL), k);
    assert_int_equal(heap.bytes, 0);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    heap.fail_at = heap.requests + 1;
    assert_int_equal(add(1, 1, 100), KITH_E_NOMEM);
    assert_true(kith_lanes_is_empty(&l));
    assert_int_equal(add(1, 1, 100), KITH_OK);
    assert_int_equal(take(NULL), 1);
}

/* Whatever their numbers: eight that wait at the same time do not wait for each other. */
static void each_neighbour_that_waits_has_a_lane_of_its_own(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 8; i++)
        for (int k = 0; k < 3; k++)
            assert_int_equal(add(8 * i, (uint8_t)i, 1500), KITH_OK);
    for (int k = 0; k < 3; k++)
        for (int i = 1; i <= 8; i++)
            assert_int_equal(take(NULL), i);
}

static void a_lane_in_which_nothing_waits_is_free_for_another(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 1; i <= 8; i++)
            assert_int_equal(add(100 * round + i, (uint8_t)i, 1500), KITH_OK);
        assert_int_equal(add(100 * round + 1, 1, 1500), KITH_OK); /* in its own */
        for (int i = 1; i <= 8; i++)
            assert_int_equal(take(NULL), i);
        assert_int_equal(take(NULL), 1);
    }
}

static void more_neighbours_than_lanes_share_and_lose_nothing(void **state)
{
    unsigned got[21] = {0};
    int who;

    (void)state;
    for (uint32_t i = 1; i <= 20; i++)
        for (int k = 0; k < 5; k++)
            assert_int_equal(add(i, (uint8_t)i, 1000), KITH_OK);
    assert_int_equal(add(0, 0, 1000), KITH_OK); /* ours is nobody else's */
    while ((who = take(NULL)) >= 0) {
        got[who]++;
        if (who == 0)
            assert_in_range(got[1] + got[2] + got[3] + got[4], 0, 12);
    }
    for (int i = 1; i <= 20; i++)
        assert_int_equal(got[i], 5);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_lane_is_first_in_first_out),
        T(who_comes_late_with_one_packet_does_not_wait_for_all_that_came_before),
        T(lanes_that_are_never_empty_get_the_same_in_bytes),
        T(what_codel_took_is_not_paid_for),
        T(a_full_lane_leaves_room_in_the_others),
        T(lanes_without_anything_hold_no_memory),
        T(without_memory_nothing_changes),
        T(each_neighbour_that_waits_has_a_lane_of_its_own),
        T(a_lane_in_which_nothing_waits_is_free_for_another),
        T(more_neighbours_than_lanes_share_and_lose_nothing),
    };

    return cmocka_run_group_tests_name("session lanes", tests, NULL, NULL);
}
