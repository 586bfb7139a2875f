/* Instants never wrap; spans and lists, the other one-line helpers, do what they say. */
#include "base/time.h"

#include "base/list.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_instant_later_never_wraps(void **state)
{
    static const uint64_t edge[] = {
        0, 1, KITH_SEC, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(edge); i++) {
        for (size_t j = 0; j < KITH_COUNT(edge); j++) {
            __uint128_t sum = (__uint128_t)edge[i] + edge[j];
            uint64_t want = sum > UINT64_MAX ? KITH_NEVER : (uint64_t)sum;
            assert_true(kith_after(edge[i], edge[j]) == want);
        }
        assert_true(kith_after(KITH_NEVER, edge[i]) == KITH_NEVER);
    }
}

static void the_time_since_the_future_is_zero(void **state)
{
    (void)state;
    assert_true(kith_since(7, 5) == 2);
    assert_true(kith_since(5, 5) == 0);
    assert_true(kith_since(5, 7) == 0);
    assert_true(kith_since(0, KITH_NEVER) == 0);
    assert_true(kith_since(KITH_NEVER, 0) == KITH_NEVER);
}

static void never_is_later_than_anything(void **state)
{
    (void)state;
    assert_true(kith_sooner(3, 4) == 3);
    assert_true(kith_sooner(4, 3) == 3);
    assert_true(kith_sooner(KITH_NEVER, UINT64_MAX - 1) == UINT64_MAX - 1);
    assert_true(kith_sooner(KITH_NEVER, KITH_NEVER) == KITH_NEVER);
}

static void units_are_nanoseconds(void **state)
{
    (void)state;
    assert_true(KITH_USEC == 1000u);
    assert_true(KITH_MSEC == 1000000u);
    assert_true(KITH_SEC == 1000000000u);
}

static void spans_compare_by_bytes_then_by_length(void **state)
{
    struct kith_span none = {0}, a = kith_span_text("a"), ab = kith_span_text("ab");
    struct kith_span b = kith_span_text("b"), high = kith_span_text("\xff");

    (void)state;
    assert_true(kith_span_compare(none, none) == 0);
    assert_true(kith_span_compare(none, a) < 0 && kith_span_compare(a, none) > 0);
    assert_true(kith_span_compare(a, ab) < 0 && kith_span_compare(ab, a) > 0);
    assert_true(kith_span_compare(ab, b) < 0 && kith_span_compare(b, ab) > 0);
    assert_true(kith_span_compare(b, high) < 0); /* bytes are unsigned */
    assert_true(kith_span_equal(ab, kith_span_text("ab")));
    assert_false(kith_span_equal(ab, a));
    assert_false(kith_span_equal(a, b));
    assert_true(kith_span_equal(none, (struct kith_span){(const uint8_t *)"x", 0}));
}

struct item {
    int value;
    struct kith_link link;
};

static int sum_in_order(const struct kith_link *head)
{
    int digits = 0;

    for (struct kith_link *l = head->next; l != head; l = l->next)
        digits = 10 * digits + KITH_OF(l, struct item, link)->value;
    return digits;
}

static void a_list_keeps_its_order(void **state)
{
    struct kith_link head;
    struct item item[3] = {{.value = 1}, {.value = 2}, {.value = 3}};

    (void)state;
    kith_list_init(&head);
    assert_true(kith_list_empty(&head));
    for (size_t i = 0; i < 3; i++)
        kith_list_append(&head, &item[i].link);
    assert_false(kith_list_empty(&head));
    assert_int_equal(sum_in_order(&head), 123);
    kith_list_remove(&item[1].link);
    assert_int_equal(sum_in_order(&head), 13);
    kith_list_remove(&item[1].link); /* alone now: harmless */
    assert_int_equal(sum_in_order(&head), 13);
    kith_list_append(&head, &item[1].link);
    assert_int_equal(sum_in_order(&head), 132);
    for (size_t i = 0; i < 3; i++)
        kith_list_remove(&item[i].link);
    assert_true(kith_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instant_later_never_wraps),
        cmocka_unit_test(the_time_since_the_future_is_zero),
        cmocka_unit_test(never_is_later_than_anything),
        cmocka_unit_test(units_are_nanoseconds),
        cmocka_unit_test(spans_compare_by_bytes_then_by_length),
        cmocka_unit_test(a_list_keeps_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
