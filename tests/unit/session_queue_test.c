/* Packets that wait: first in, first out, a megabyte of memory only while one waits. */
#include "session/queue.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { QUEUE_BYTES = 1024 * 1024 };
enum { HEAD = 16 }; /* bytes the queue keeps beside each packet */

static struct lab_heap heap;
static struct kith_alloc alloc;
static struct kith_packet_queue q;
static uint8_t data[65536];

static int setup(void **state)
{
    (void)state;
    alloc = lab_alloc(&heap);
    q = (struct kith_packet_queue){.alloc = &alloc, .cap = QUEUE_BYTES};
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_packet_queue_fini(&q);
    return heap.live == 0 ? 0 : -1;
}

static int add(uint8_t slot, size_t n)
{
    /* in two parts, as the packet core cuts it: the queue puts them together */
    struct kith_parts parts = {.head = {data + slot, n / 3},
                               .body = {data + slot + n / 3, n - n / 3}};

    return kith_packet_queue_add(&q, slot, &parts, 5);
}

static bool first_is(uint8_t want_slot, size_t want_n)
{
    struct kith_queued first;

    return kith_packet_queue_first(&q, &first) && first.slot == want_slot && first.since == 5 &&
           kith_span_equal((struct kith_span){first.p, first.n},
                           (struct kith_span){data + want_slot, want_n});
}

static void an_empty_queue_has_no_first_and_no_memory(void **state)
{
    struct kith_queued first = {.n = 77, .slot = 99};

    (void)state;
    assert_false(kith_packet_queue_first(&q, &first));
    assert_int_equal(first.slot, 99);
    assert_int_equal(first.n, 77);
    kith_packet_queue_drop_first(&q);
    assert_int_equal(heap.asked, 0);
}

static void packets_leave_in_the_order_they_came(void **state)
{
    (void)state;
    assert_int_equal(add(3, 100), KITH_OK);
    assert_int_equal(add(1, 0), KITH_OK);
    assert_int_equal(add(2, 1500), KITH_OK);
    assert_true(first_is(3, 100));
    assert_true(first_is(3, 100)); /* looking takes nothing out */
    kith_packet_queue_drop_first(&q);
    assert_true(first_is(1, 0));
    kith_packet_queue_drop_first(&q);
    assert_true(first_is(2, 1500));
}

static void memory_is_given_back_when_nothing_waits(void **state)
{
    (void)state;
    assert_int_equal(add(1, 10), KITH_OK);
    assert_int_equal(add(1, 10), KITH_OK);
    kith_packet_queue_drop_first(&q);
    assert_int_equal(heap.live, 1);
    kith_packet_queue_drop_first(&q);
    assert_int_equal(heap.live, 0);
    assert_int_equal(add(2, 10), KITH_OK); /* and taken again */
    assert_true(first_is(2, 10));
    assert_int_equal(heap.largest, QUEUE_BYTES);
}

static void the_longest_packet_is_65535_bytes(void **state)
{
    (void)state;
    assert_int_equal(kith_packet_queue_add(&q, 0, &(struct kith_parts){.head = {data, 65536}}, 5),
                     KITH_E_INVAL);
    assert_int_equal(heap.asked, 0);
    assert_int_equal(add(0, 65535), KITH_OK);
    assert_true(first_is(0, 65535));
}

static void out_of_memory_is_said(void **state)
{
    (void)state;
    heap.fuse = 0;
    assert_int_equal(add(1, 10), KITH_E_NOMEM);
    assert_int_equal(q.n, 0);
    heap.fuse = SIZE_MAX;
    assert_int_equal(add(1, 10), KITH_OK);
    assert_true(first_is(1, 10));
}

/* 256 packets that take 4096 bytes each fill the ring to the last byte. */
static void the_ring_is_full_exactly_when_its_bytes_are_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUEUE_BYTES / 4096; i++)
        assert_int_equal(add((uint8_t)i, 4096 - HEAD), KITH_OK);
    assert_int_equal(add(9, 0), KITH_E_FULL);
    assert_true(first_is(0, 4096 - HEAD));
    kith_packet_queue_drop_first(&q);
    assert_int_equal(add(9, 4096 - HEAD + 1), KITH_E_FULL);
    assert_int_equal(add(9, 4096 - HEAD), KITH_OK);
    for (size_t i = 1; i < QUEUE_BYTES / 4096; i++, kith_packet_queue_drop_first(&q))
        assert_true(first_is((uint8_t)i, 4096 - HEAD));
    assert_true(first_is(9, 4096 - HEAD));
    kith_packet_queue_drop_first(&q);
    assert_int_equal(heap.live, 0);
}

/* The rest at the ring's end, 0 to 9 bytes, is too short for the next packet, and for fewer than 4
 * even too short to say so. */
static void a_packet_is_never_cut_at_the_rings_end(void **state)
{
    (void)state;
    for (size_t rest = 0; rest < 10; rest++) {
        for (size_t i = 0; i < QUEUE_BYTES / 4096 - 1; i++)
            assert_int_equal(add(1, 4096 - HEAD), KITH_OK);
        assert_int_equal(add(2, 4096 - HEAD - rest), KITH_OK);
        kith_packet_queue_drop_first(&q);
        assert_int_equal(add(3, 100), KITH_OK);
        assert_int_equal(add(4, 101), KITH_OK);
        for (size_t i = 1; i < QUEUE_BYTES / 4096 - 1; i++)
            kith_packet_queue_drop_first(&q);
        assert_true(first_is(2, 4096 - HEAD - rest));
        kith_packet_queue_drop_first(&q);
        assert_true(first_is(3, 100));
        kith_packet_queue_drop_first(&q);
        assert_true(first_is(4, 101));
        kith_packet_queue_drop_first(&q);
        assert_int_equal(heap.live, 0);
        assert_int_equal(q.used, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_queue_has_no_first_and_no_memory),
        TEST(packets_leave_in_the_order_they_came),
        TEST(memory_is_given_back_when_nothing_waits),
        TEST(the_longest_packet_is_65535_bytes),
        TEST(out_of_memory_is_said),
        TEST(the_ring_is_full_exactly_when_its_bytes_are_used),
        TEST(a_packet_is_never_cut_at_the_rings_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
