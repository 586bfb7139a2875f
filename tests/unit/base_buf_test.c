/* A buffer takes all or nothing, gives back in order, and never holds more than its maximum. */
#include "base/buf.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab_heap heap;
static struct kith_alloc alloc;
static struct kith_buf b;

static int setup(void **state)
{
    (void)state;
    alloc = lab_alloc(&heap);
    kith_buf_init(&b, &alloc, 1000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_buf_fini(&b);
    return heap.live == 0 ? 0 : -1;
}

static int add(const char *text)
{
    return kith_buf_add(&b, kith_span_text(text));
}

static bool holds(const char *text)
{
    return kith_span_equal(kith_buf_span(&b), kith_span_text(text));
}

static void an_empty_buffer_costs_nothing(void **state)
{
    (void)state;
    assert_int_equal(kith_buf_len(&b), 0);
    assert_int_equal(kith_buf_span(&b).n, 0);
    assert_int_equal(kith_buf_add(&b, (struct kith_span){0}), KITH_OK);
    kith_buf_drop(&b, 5);
    assert_int_equal(heap.asked, 0);
}

static void bytes_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    assert_int_equal(add("one"), KITH_OK);
    assert_int_equal(add("two"), KITH_OK);
    assert_true(holds("onetwo"));
    kith_buf_drop(&b, 4);
    assert_true(holds("wo"));
    assert_int_equal(add("three"), KITH_OK);
    assert_true(holds("wothree"));
    kith_buf_drop(&b, 1000); /* at most all */
    assert_true(holds(""));
}

static void the_maximum_is_exact(void **state)
{
    static const uint8_t zeros[1001];

    (void)state;
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 1001}), KITH_E_LIMIT);
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 1000}), KITH_OK);
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 1}), KITH_E_LIMIT);
    assert_null(kith_buf_room(&b, 1));
    assert_null(kith_buf_room(&b, SIZE_MAX));
    assert_int_equal(kith_buf_len(&b), 1000);
    kith_buf_drop(&b, 1);
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 2}), KITH_E_LIMIT);
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 1}), KITH_OK);
    assert_int_equal(kith_buf_len(&b), 1000);
}

static void no_more_memory_is_taken_than_the_maximum(void **state)
{
    static const uint8_t zeros[1000];

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 100}), KITH_OK);
    assert_true(heap.largest <= 1000);
}

static void a_small_maximum_takes_little(void **state)
{
    struct kith_buf small;

    (void)state;
    kith_buf_init(&small, &alloc, 5);
    assert_int_equal(kith_buf_add(&small, kith_span_text("12345")), KITH_OK);
    assert_int_equal(kith_buf_add(&small, kith_span_text("6")), KITH_E_LIMIT);
    assert_true(heap.largest <= 5);
    kith_buf_fini(&small);
}

static void a_size_beyond_half_the_address_space_is_refused_by_memory(void **state)
{
    struct kith_buf huge;

    (void)state;
    kith_buf_init(&huge, &alloc, SIZE_MAX);
    heap.fuse = 0; /* nobody has this much */
    assert_null(kith_buf_room(&huge, SIZE_MAX / 2 + 2));
    kith_buf_fini(&huge);
}

static void a_failed_growth_keeps_the_bytes(void **state)
{
    static const uint8_t zeros[900];

    (void)state;
    assert_int_equal(add("kith"), KITH_OK);
    heap.fuse = 0;
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 900}), KITH_E_NOMEM);
    assert_null(kith_buf_room(&b, 900));
    assert_true(holds("kith"));
    heap.fuse = SIZE_MAX;
    assert_int_equal(kith_buf_add(&b, (struct kith_span){zeros, 900}), KITH_OK);
    assert_int_equal(kith_buf_len(&b), 904);
}

static void room_is_written_in_place(void **state)
{
    (void)state;
    assert_int_equal(add("ab"), KITH_OK);
    uint8_t *room = kith_buf_room(&b, 3);
    assert_non_null(room);
    memcpy(room, "cde", 3);
    assert_true(holds("ab")); /* not counted before kith_buf_grew */
    kith_buf_grew(&b, 2);
    assert_true(holds("abcd"));
}

static void a_finished_buffer_may_be_used_again(void **state)
{
    (void)state;
    assert_int_equal(add("ab"), KITH_OK);
    kith_buf_fini(&b);
    assert_int_equal(heap.live, 0);
    assert_int_equal(kith_buf_len(&b), 0);
    assert_int_equal(add("cd"), KITH_OK);
    assert_true(holds("cd"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_buffer_costs_nothing),
        TEST(bytes_come_out_in_the_order_they_went_in),
        TEST(the_maximum_is_exact),
        TEST(no_more_memory_is_taken_than_the_maximum),
        TEST(a_small_maximum_takes_little),
        TEST(a_size_beyond_half_the_address_space_is_refused_by_memory),
        TEST(a_failed_growth_keeps_the_bytes),
        TEST(room_is_written_in_place),
        TEST(a_finished_buffer_may_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
