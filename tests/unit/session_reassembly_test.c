/* Pieces of packets: what is whole, what contradicts, what is too late, too big or too many. */
#include "session/reassembly.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab_heap heap;
static struct kith_alloc alloc;
static struct kith_reassembly r;
static uint8_t data[2 * KITH_REASSEMBLY_BYTES];
static struct kith_span whole;
static uint8_t carried, ecn; /* the ECN bits of a piece's carrier, and of the whole */

static int setup(void **state)
{
    (void)state;
    alloc = lab_alloc(&heap);
    r = (struct kith_reassembly){.alloc = &alloc};
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_reassembly_fini(&r);
    return heap.live == 0 ? 0 : -1;
}

/* Piece `index` of `count` of packet `id`: bytes [at, at + n) of the data. */
static int piece(uint16_t id, uint8_t index, uint8_t count, size_t at, size_t n, kith_time now)
{
    struct kith_ip_fragment f = {
        .slot = 1, .id = id, .index = index, .count = count, .part = {data + at, n}};

    return kith_reassembly_add(&r, &f, carried, now, &whole, &ecn);
}

static bool whole_is(size_t n)
{
    return kith_span_equal(whole, (struct kith_span){data, n});
}

static void two_pieces_make_a_packet(void **state)
{
    (void)state;
    assert_int_equal(piece(1, 0, 2, 0, 1000, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 2, 1000, 400, 6), KITH_OK);
    assert_true(whole_is(1400));
    assert_int_equal(piece(2, 1, 2, 1000, 400, 7), KITH_E_AGAIN); /* the last first */
    assert_int_equal(piece(2, 0, 2, 0, 1000, 8), KITH_OK);
    assert_true(whole_is(1400));
}

static void a_mark_on_any_piece_is_one_on_the_packet(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 3 * 4; i++) { /* i % 3 is marked, the others carry i / 3 */
        for (uint8_t k = 0; k < 3; k++) {
            carried = k == i % 3 ? 3 : i / 3;
            assert_int_equal(piece(i, k, 3, k * 100u, 100, 5), k < 2 ? KITH_E_AGAIN : KITH_OK);
        }
        assert_int_equal(ecn, 3);
    }
    for (carried = 0; carried < 3; carried++) { /* nothing of the packets before is left */
        assert_int_equal(piece(20 + carried, 0, 2, 0, 100, 5), KITH_E_AGAIN);
        assert_int_equal(piece(20 + carried, 1, 2, 100, 100, 5), KITH_OK);
        assert_int_equal(ecn, carried);
    }
    carried = 0;
}

static void packets_are_told_apart_by_id_and_slot(void **state)
{
    struct kith_ip_fragment other = {
        .slot = 2, .id = 1, .index = 1, .count = 2, .part = {data + 7, 10}};

    (void)state;
    assert_int_equal(piece(1, 0, 2, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(2, 1, 2, 10, 10, 5), KITH_E_AGAIN);
    assert_int_equal(kith_reassembly_add(&r, &other, 0, 5, &whole, &ecn), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 2, 10, 10, 5), KITH_OK);
    assert_true(whole_is(20));
}

static void the_largest_packet_arrives_however_it_is_cut(void **state)
{
    const size_t n = KITH_REASSEMBLY_BYTES;

    (void)state;
    for (uint8_t count = 2; count <= 8; count++) {
        /* evenly, and with a last piece of one byte */
        for (size_t part = (n + count - 1u) / count; part * (count - 1u) < n; part++) {
            uint16_t id = (uint16_t)(1000u * count + part);
            for (uint8_t i = 0; i + 1 < count; i++)
                assert_int_equal(piece(id, i, count, i * part, part, 5), KITH_E_AGAIN);
            size_t before = (count - 1u) * part;
            assert_int_equal(piece(id, (uint8_t)(count - 1), count, before, n - before, 5),
                             KITH_OK);
            assert_true(whole_is(n));
        }
    }
}

static void a_byte_more_is_too_big(void **state)
{
    (void)state;
    assert_int_equal(piece(1, 0, 2, 0, 5000, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 2, 5000, KITH_REASSEMBLY_BYTES - 5000 + 1, 5), KITH_E_LIMIT);
    assert_int_equal(piece(2, 1, 2, 5000, KITH_REASSEMBLY_BYTES - 5000 + 1, 5), KITH_E_AGAIN);
    assert_int_equal(piece(2, 0, 2, 0, 5000, 5), KITH_E_LIMIT);
    /* pieces that can belong to no packet that fits */
    assert_int_equal(piece(3, 0, 2, 0, KITH_REASSEMBLY_BYTES, 5), KITH_E_LIMIT);
    assert_int_equal(piece(4, 0, 3, 0, KITH_REASSEMBLY_BYTES / 2, 5), KITH_E_LIMIT);
    assert_int_equal(piece(5, 1, 2, 0, KITH_REASSEMBLY_BYTES / 2 + 1, 5), KITH_E_LIMIT);
    assert_int_equal(piece(6, 1, 2, 0, sizeof data, 5), KITH_E_LIMIT);
    /* nothing of packet 1 is left: its other half starts anew */
    assert_int_equal(piece(1, 1, 2, 5000, 10, 5), KITH_E_AGAIN);
}

static void pieces_that_no_packet_has_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(piece(1, 2, 2, 0, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 0, 0, 0, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 0, 1, 0, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 0, 2, 0, 0, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 8, 9, 0, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 254, 255, 0, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(heap.asked, 0); /* and cost nothing */
}

static void contradictions_forget_the_packet(void **state)
{
    (void)state;
    /* another count */
    assert_int_equal(piece(1, 0, 3, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 2, 10, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 1, 3, 10, 10, 5), KITH_E_AGAIN); /* piece 0 is gone */
    assert_int_equal(piece(1, 2, 3, 20, 10, 5), KITH_E_AGAIN);
    /* middle pieces of two lengths: they would overlap or leave a gap */
    assert_int_equal(piece(2, 0, 3, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(2, 1, 3, 10, 11, 5), KITH_E_MALFORMED);
    /* a last piece longer than the others, before and after them */
    assert_int_equal(piece(3, 0, 2, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(3, 1, 2, 10, 11, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(4, 1, 2, 10, 11, 5), KITH_E_AGAIN);
    assert_int_equal(piece(4, 0, 2, 0, 10, 5), KITH_E_MALFORMED);
}

/* Datagrams may be repeated (wire/datagram.def): the same again changes nothing. */
static void a_repeated_piece_is_no_contradiction(void **state)
{
    (void)state;
    assert_int_equal(piece(1, 0, 3, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 0, 3, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 2, 3, 20, 7, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 2, 3, 20, 7, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 3, 10, 10, 5), KITH_OK);
    assert_true(whole_is(27));
}

static void a_piece_that_comes_twice_with_other_bytes_forgets_the_packet(void **state)
{
    (void)state;
    assert_int_equal(piece(1, 0, 2, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(piece(1, 0, 2, 1, 10, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 1, 2, 10, 10, 5), KITH_E_AGAIN); /* nothing was left */
    assert_int_equal(piece(1, 1, 2, 10, 9, 5), KITH_E_MALFORMED);
    assert_int_equal(piece(1, 0, 2, 0, 10, 5), KITH_E_AGAIN);
}

static void a_packet_that_is_not_whole_within_a_second_is_forgotten(void **state)
{
    const kith_time t = 100 * KITH_SEC;

    (void)state;
    assert_int_equal(piece(1, 0, 2, 0, 10, t), KITH_E_AGAIN);
    assert_int_equal(piece(1, 1, 2, 10, 10, t + KITH_SEC - 1), KITH_OK);
    assert_int_equal(piece(2, 0, 2, 0, 10, t), KITH_E_AGAIN);
    assert_int_equal(piece(2, 1, 2, 10, 10, t + KITH_SEC), KITH_E_AGAIN); /* a new packet 2 */
    assert_int_equal(piece(2, 0, 2, 0, 10, t + KITH_SEC), KITH_OK);
    /* the second counts from the first piece: more pieces do not prolong it */
    assert_int_equal(piece(3, 0, 3, 0, 10, t), KITH_E_AGAIN);
    assert_int_equal(piece(3, 1, 3, 10, 10, t + KITH_SEC - 1), KITH_E_AGAIN);
    assert_int_equal(piece(3, 2, 3, 20, 10, t + KITH_SEC), KITH_E_AGAIN);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (uint16_t id = 0; id < KITH_REASSEMBLY_PACKETS + 1; id++)
        assert_int_equal(piece(id, 0, 2, 0, 10, id == 0 ? 99 : 100u + id), KITH_E_AGAIN);
    for (uint16_t id = 1; id < KITH_REASSEMBLY_PACKETS + 1; id++)
        assert_int_equal(piece(id, 1, 2, 10, 10, 200), KITH_OK);
    assert_int_equal(piece(0, 1, 2, 10, 10, 200), KITH_E_AGAIN); /* its first half is gone */
}

/* All datagrams of one turn of the loop have one time; the order they came in still counts. */
static void the_oldest_of_one_turn_makes_room(void **state)
{
    enum { MORE = 3 };

    (void)state;
    for (uint16_t id = 0; id < KITH_REASSEMBLY_PACKETS + MORE; id++)
        assert_int_equal(piece(id, 0, 2, 0, 10, 100), KITH_E_AGAIN);
    for (uint16_t id = MORE; id < KITH_REASSEMBLY_PACKETS + MORE; id++)
        assert_int_equal(piece(id, 1, 2, 10, 10, 100), KITH_OK);
}

static void memory_is_taken_once_and_its_lack_is_said(void **state)
{
    (void)state;
    heap.fuse = 0;
    assert_int_equal(piece(1, 0, 2, 0, 10, 5), KITH_E_NOMEM);
    heap.fuse = SIZE_MAX;
    heap.asked = 0;
    for (uint16_t id = 0; id < 100; id++)
        assert_int_equal(piece(id, 0, 2, 0, 10, 5), KITH_E_AGAIN);
    assert_int_equal(heap.asked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_pieces_make_a_packet),
        TEST(a_mark_on_any_piece_is_one_on_the_packet),
        TEST(packets_are_told_apart_by_id_and_slot),
        TEST(the_largest_packet_arrives_however_it_is_cut),
        TEST(a_byte_more_is_too_big),
        TEST(pieces_that_no_packet_has_are_malformed),
        TEST(contradictions_forget_the_packet),
        TEST(a_repeated_piece_is_no_contradiction),
        TEST(a_piece_that_comes_twice_with_other_bytes_forgets_the_packet),
        TEST(a_packet_that_is_not_whole_within_a_second_is_forgotten),
        TEST(the_oldest_makes_room),
        TEST(the_oldest_of_one_turn_makes_room),
        TEST(memory_is_taken_once_and_its_lack_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
