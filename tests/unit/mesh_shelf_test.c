/* The shelf: datagrams come back in order, as they were put down, and full is full. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "mesh/shelf.h"

static struct lab_alloc heap;
static struct kith_shelf s;

static int begin(void **state)
{
    (void)state;
    lab_alloc_init(&heap);
    s = (struct kith_shelf){.alloc = &heap.alloc};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    kith_shelf_fini(&s);
    return heap.live == 0 ? 0 : -1;
}

static int put(uint32_t who, const char *text)
{
    const struct kith_span part = kith_span_text(text);

    return kith_shelf_put(&s, who, NULL, 0, &part, 1);
}

static void takes(uint32_t who, const char *text)
{
    struct kith_shelved got;

    assert_true(kith_shelf_take(&s, &got));
    assert_int_equal(got.who, who);
    assert_int_equal(got.n, strlen(text));
    assert_memory_equal(got.p, text, got.n);
}

static void what_was_put_down_is_taken_up_in_order(void **state)
{
    struct kith_shelved got;

    (void)state;
    assert_false(kith_shelf_take(&s, &got));
    assert_int_equal(put(7, "one"), KITH_OK);
    assert_int_equal(put(8, ""), KITH_OK);
    takes(7, "one");
    assert_int_equal(put(UINT32_MAX, "three"), KITH_OK); /* while some was taken */
    takes(8, "");
    takes(UINT32_MAX, "three");
    assert_false(kith_shelf_take(&s, &got));
    assert_false(kith_shelf_take(&s, &got));
}

static void parts_lie_end_to_end_and_the_tag_goes_along(void **state)
{
    const uint8_t tag[KITH_SHELF_TAG] = {1, 2, 3, [15] = 16}, none[KITH_SHELF_TAG] = {0};
    const struct kith_span parts[] = {kith_span_text("he"), {NULL, 0}, kith_span_text("llo")};
    struct kith_shelved got;

    (void)state;
    assert_int_equal(kith_shelf_put(&s, 1, tag, 3, parts, 3), KITH_OK);
    assert_int_equal(kith_shelf_put(&s, 2, NULL, 1, parts, 1), KITH_OK);
    assert_true(kith_shelf_take(&s, &got));
    assert_int_equal(got.n, 5);
    assert_memory_equal(got.p, "hello", 5);
    assert_memory_equal(got.tag, tag, sizeof tag);
    assert_int_equal(got.ecn, 3);
    assert_true(kith_shelf_take(&s, &got));
    assert_int_equal(got.n, 2);
    assert_memory_equal(got.tag, none, sizeof none);
    assert_int_equal(got.ecn, 1);
}

static void what_was_taken_may_be_changed_and_leaves_the_next_alone(void **state)
{
    struct kith_shelved got;

    (void)state;
    assert_int_equal(put(1, "one"), KITH_OK);
    assert_int_equal(put(2, "two"), KITH_OK);
    assert_true(kith_shelf_take(&s, &got));
    memset(got.p, 'x', got.n);
    takes(2, "two");
}

static void a_datagram_of_65535_bytes_fits_and_none_beyond(void **state)
{
    static uint8_t big[UINT16_MAX];
    const struct kith_span parts[] = {{big, sizeof big}, {big, 1}};
    struct kith_shelved got;

    (void)state;
    assert_int_equal(kith_shelf_put(&s, 1, NULL, 0, parts, 2), KITH_E_INVAL);
    assert_false(kith_shelf_take(&s, &got));
    big[0] = 1;
    big[sizeof big - 1] = 2;
    assert_int_equal(kith_shelf_put(&s, 1, NULL, 0, parts, 1), KITH_OK);
    assert_true(kith_shelf_take(&s, &got));
    assert_int_equal(got.n, UINT16_MAX);
    assert_memory_equal(got.p, big, sizeof big);
}

/* Puts datagrams of 1,000 bytes until there is no room; how many. */
static size_t fill(void)
{
    static const uint8_t datagram[1000];
    const struct kith_span part = {datagram, sizeof datagram};
    size_t n = 0;
    int err;

    while ((err = kith_shelf_put(&s, (uint32_t)n, NULL, 0, &part, 1)) == KITH_OK)
        n++;
    assert_int_equal(err, KITH_E_FULL);
    return n;
}

static void clearing_keeps_what_was_not_taken(void **state)
{
    (void)state;
    assert_int_equal(put(1, "one"), KITH_OK);
    assert_int_equal(put(2, "two"), KITH_OK);
    takes(1, "one");
    kith_shelf_clear(&s);
    takes(2, "two");
    kith_shelf_clear(&s);
    assert_int_equal(put(3, "three"), KITH_OK);
    takes(3, "three");
}

static void full_is_full_until_all_was_taken(void **state)
{
    struct kith_shelved got;
    uint32_t next = 0;

    (void)state;
    size_t n = fill();
    assert_in_range(n, 1000, KITH_SHELF_BYTES / 1000);
    while (kith_shelf_take(&s, &got)) {
        assert_int_equal(got.who, next++);
        assert_int_equal(got.n, 1000);
    }
    assert_int_equal(next, n);
    assert_int_equal(fill(), 0); /* what was taken is still in use */
    kith_shelf_clear(&s);
    assert_int_equal(fill(), n); /* it is clear, and holds as much again */
}

static void boards_are_got_when_first_needed_and_given_back(void **state)
{
    struct kith_shelved got;

    (void)state;
    assert_false(kith_shelf_take(&s, &got));
    assert_int_equal(heap.live, 0);
    assert_int_equal(put(1, "one"), KITH_OK);
    assert_int_equal(put(1, "two"), KITH_OK);
    assert_int_equal(heap.live, 1);
    assert_in_range(heap.bytes, 1, KITH_SHELF_BYTES / 16);
    fill();
    assert_int_equal(heap.live, KITH_SHELF_BOARDS);
    assert_int_equal(heap.bytes, KITH_SHELF_BYTES);
    kith_shelf_fini(&s);
    assert_int_equal(heap.live, 0);
    assert_false(kith_shelf_take(&s, &got)); /* what lay there is gone */
    assert_int_equal(put(3, "three"), KITH_OK);
    takes(3, "three");
}

static void without_memory_it_stays_empty_and_works_later(void **state)
{
    struct kith_shelved got;

    (void)state;
    heap.fail_at = heap.requests + 1;
    assert_int_equal(put(1, "one"), KITH_E_NOMEM);
    assert_false(kith_shelf_take(&s, &got));
    assert_int_equal(put(2, "two"), KITH_OK);
    takes(2, "two");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(what_was_put_down_is_taken_up_in_order),
        T(parts_lie_end_to_end_and_the_tag_goes_along),
        T(what_was_taken_may_be_changed_and_leaves_the_next_alone),
        T(a_datagram_of_65535_bytes_fits_and_none_beyond),
        T(clearing_keeps_what_was_not_taken),
        T(full_is_full_until_all_was_taken),
        T(boards_are_got_when_first_needed_and_given_back),
        T(without_memory_it_stays_empty_and_works_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
