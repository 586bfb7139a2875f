/* Packets that wait: in order, not too many, not too long. */
#include "vpn/waiting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;
static struct kith_waiting w;
static struct kith_line a, b;
static uint8_t data[65536];

static int setup(void **state)
{
    (void)state;
    kith_waiting_init(&w, &kith_heap);
    kith_line_init(&a);
    kith_line_init(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_waiting_fini(&w);
    return 0;
}

static int add(struct kith_line *l, size_t n, kith_time now)
{
    return kith_waiting_add(&w, l, (struct kith_span){data, n}, (struct kith_span){0}, now);
}

static void packets_leave_in_order_and_whole(void **state)
{
    struct kith_span out[4];

    (void)state;
    assert_int_equal(kith_waiting_add(&w, &a, kith_span_text("head "), kith_span_text("body"), T0),
                     KITH_OK);
    assert_int_equal(kith_waiting_add(&w, &a, kith_span_text("second"), (struct kith_span){0}, T0),
                     KITH_OK);
    assert_int_equal(kith_waiting_peek(&a, out, 4), 2);
    assert_true(kith_span_equal(out[0], kith_span_text("head body")));
    assert_true(kith_span_equal(out[1], kith_span_text("second")));
    assert_int_equal(kith_waiting_peek(&a, out, 1), 1);
    kith_waiting_drop(&w, &a, 1);
    assert_int_equal(kith_waiting_peek(&a, out, 4), 1);
    assert_true(kith_span_equal(out[0], kith_span_text("second")));
}

static void the_257th_packet_of_a_line_does_not_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++)
        assert_int_equal(add(&a, 40, T0), KITH_OK);
    assert_int_equal(add(&a, 40, T0), KITH_E_FULL);
    assert_int_equal(add(&b, 40, T0), KITH_OK);
    kith_waiting_drop(&w, &a, 1);
    assert_int_equal(add(&a, 40, T0), KITH_OK);
}

static void all_lines_together_stay_under_the_memory_bound(void **state)
{
    (void)state;
    for (int i = 0; i < 128; i++)
        assert_int_equal(add(&a, 65536, T0), KITH_OK); /* 128 * 64 KiB = 8 MiB */
    assert_int_equal(add(&b, 1, T0), KITH_E_FULL);
    kith_waiting_drop(&w, &a, 1);
    assert_int_equal(add(&b, 1, T0), KITH_OK);
}

static void a_packet_expires_after_exactly_one_second(void **state)
{
    (void)state;
    assert_int_equal(kith_waiting_deadline(&w), KITH_NEVER);
    assert_int_equal(add(&a, 10, T0), KITH_OK);
    assert_int_equal(add(&b, 10, T0 + KITH_MSEC), KITH_OK);
    assert_int_equal(kith_waiting_deadline(&w), T0 + KITH_SEC);
    assert_int_equal(kith_waiting_expire(&w, T0 + KITH_SEC - 1), 0);
    assert_int_equal(kith_waiting_expire(&w, T0 + KITH_SEC), 1);
    assert_int_equal(a.n, 0);
    assert_int_equal(b.n, 1);
    assert_int_equal(kith_waiting_deadline(&w), T0 + KITH_SEC + KITH_MSEC);
    assert_int_equal(kith_waiting_expire(&w, KITH_NEVER), 1);
    assert_int_equal(w.bytes, 0);
}

static void *no_memory(void *ctx, void *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    return NULL;
}

static void without_memory_nothing_changes(void **state)
{
    const struct kith_alloc none = {no_memory, NULL};

    (void)state;
    w.alloc = &none;
    assert_int_equal(add(&a, 10, T0), KITH_E_NOMEM);
    assert_int_equal(a.n, 0);
    assert_int_equal(w.bytes, 0);
    w.alloc = &kith_heap;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(packets_leave_in_order_and_whole),
        T(the_257th_packet_of_a_line_does_not_wait),
        T(all_lines_together_stay_under_the_memory_bound),
        T(a_packet_expires_after_exactly_one_second),
        T(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
