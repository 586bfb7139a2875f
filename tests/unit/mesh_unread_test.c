/* Messages that wait to be read (mesh/unread.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "mesh/unread.h"

static uint8_t bytes[70000];

static int add(struct kith_unread *u, const struct kith_alloc *a, size_t n, uint8_t first)
{
    bytes[0] = first;
    return kith_unread_add(u, a, (struct kith_span){bytes, n}, first % 2 == 1);
}

/* The first, and forgets it: its first byte; -1: there is none. */
static int next(struct kith_unread *u, size_t *ret_n)
{
    struct kith_span s;
    bool mark;

    if (!kith_unread_first(u, &s, &mark))
        return -1;
    const uint8_t first = s.p[0];
    *ret_n = s.n;
    assert_int_equal(mark, first % 2 == 1);
    kith_unread_drop(u);
    return first;
}

static void they_come_out_in_order_and_whole(void **state)
{
    struct kith_unread u = {.n = 0};
    size_t n;

    (void)state;
    assert_int_equal(next(&u, &n), -1);
    for (uint8_t i = 1; i <= 20; i++)
        assert_int_equal(add(&u, &kith_heap, i * 300u, i), KITH_OK);
    for (uint8_t i = 1; i <= 20; i++) {
        assert_int_equal(next(&u, &n), i);
        assert_int_equal(n, i * 300);
        if (i == 10)
            assert_int_equal(add(&u, &kith_heap, 1, 21), KITH_OK);
    }
    assert_int_equal(next(&u, &n), 21);
    assert_int_equal(next(&u, &n), -1);
}

static void what_finds_no_room_changes_nothing(void **state)
{
    struct kith_unread u = {.n = 0};
    size_t n;

    (void)state;
    assert_int_equal(add(&u, &kith_heap, 65535, 1), KITH_OK);
    assert_int_equal(add(&u, &kith_heap, 65535, 2), KITH_E_LIMIT);
    assert_int_equal(add(&u, &kith_heap, 65536, 3), KITH_E_LIMIT);
    assert_int_equal(add(&u, &kith_heap, KITH_UNREAD_MAX - 65535 - 6, 4), KITH_OK);
    assert_int_equal(kith_unread_size(&u), KITH_UNREAD_MAX);
    assert_int_equal(add(&u, &kith_heap, 1, 5), KITH_E_LIMIT);
    assert_int_equal(next(&u, &n), 1);
    assert_int_equal(next(&u, &n), 4);
    assert_int_equal(kith_unread_size(&u), 0);
}

static void memory_is_there_only_while_something_waits(void **state)
{
    struct lab_alloc lab;
    struct kith_unread u = {.n = 0};
    size_t n;

    (void)state;
    lab_alloc_init(&lab);
    assert_int_equal(add(&u, &lab.alloc, 1000, 1), KITH_OK);
    assert_true(lab.bytes >= 1000);
    assert_int_equal(next(&u, &n), 1);
    assert_int_equal(lab.bytes, 0);
    assert_int_equal(add(&u, &lab.alloc, 1000, 1), KITH_OK);
    kith_unread_clear(&u);
    kith_unread_clear(&u);
    assert_int_equal(lab.bytes, 0);
    lab.fail_at = lab.requests + 1;
    assert_int_equal(add(&u, &lab.alloc, 1000, 1), KITH_E_NOMEM);
    assert_int_equal(kith_unread_size(&u), 0);
    assert_int_equal(add(&u, &lab.alloc, 1000, 1), KITH_OK);
    kith_unread_clear(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_out_in_order_and_whole),
        cmocka_unit_test(what_finds_no_room_changes_nothing),
        cmocka_unit_test(memory_is_there_only_while_something_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
