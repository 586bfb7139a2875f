/* Reading and writing fields: the first mistake sticks, nothing is read past the end. */
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t ten[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

static struct kith_reader over(size_t n)
{
    return kith_reader_on((struct kith_span){ten, n});
}

static void fields_are_big_endian(void **state)
{
    struct kith_reader r = over(7), r8 = over(8);

    (void)state;
    assert_int_equal(kith_get_u8(&r), 0x01);
    assert_int_equal(kith_get_u16(&r), 0x0203);
    assert_int_equal(kith_get_u32(&r), 0x04050607);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
    assert_true(kith_get_u64(&r8) == 0x0102030405060708u);
    assert_int_equal(kith_reader_done(&r8), KITH_OK);
}

static void a_short_read_yields_zero_and_sticks(void **state)
{
    struct kith_reader r = over(3);
    uint8_t copy[4] = {9, 9, 9, 9};

    (void)state;
    assert_int_equal(kith_get_u32(&r), 0);
    assert_true(r.bad);
    /* three bytes are left, and none of them comes out any more */
    assert_int_equal(kith_get_u8(&r), 0);
    assert_int_equal(kith_get_u16(&r), 0);
    assert_true(kith_get_u64(&r) == 0);
    assert_int_equal(kith_get_span(&r, 1).n, 0);
    assert_int_equal(kith_get_bytes(&r, 1, 255).n, 0);
    kith_get_copy(&r, copy, 2);
    assert_memory_equal(copy, ((uint8_t[]){0, 0, 9, 9}), 4);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
}

static void bytes_left_over_are_a_mistake(void **state)
{
    struct kith_reader r = over(5);

    (void)state;
    (void)kith_get_u32(&r);
    assert_int_equal(kith_reader_left(&r), 1);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
    (void)kith_get_u8(&r);
    assert_int_equal(kith_reader_left(&r), 0);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
}

static void a_span_borrows_the_input(void **state)
{
    struct kith_reader r = over(10);

    (void)state;
    (void)kith_get_u8(&r);
    struct kith_span s = kith_get_span(&r, 4);
    assert_ptr_equal(s.p, ten + 1);
    assert_int_equal(s.n, 4);
    s = kith_get_span(&r, 5);
    assert_ptr_equal(s.p, ten + 5);
    assert_int_equal(kith_get_span(&r, 0).n, 0);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
}

static void no_length_is_believed_before_it_is_compared(void **state)
{
    static const uint8_t one[] = {2, 0xaa, 0xbb}, two[] = {0, 2, 0xaa, 0xbb},
                         far[] = {0xff, 0xff, 1};
    struct kith_reader r = kith_reader_on(KITH_SPAN_OF(one));

    (void)state;
    assert_ptr_equal(kith_get_bytes(&r, 1, 2).p, one + 1);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
    r = kith_reader_on(KITH_SPAN_OF(two));
    assert_ptr_equal(kith_get_bytes(&r, 2, 2).p, two + 2);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
    r = kith_reader_on(KITH_SPAN_OF(two)); /* above the caller's maximum */
    assert_int_equal(kith_get_bytes(&r, 2, 1).n, 0);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
    r = kith_reader_on(KITH_SPAN_OF(far)); /* beyond the input */
    assert_int_equal(kith_get_bytes(&r, 2, SIZE_MAX).n, 0);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
    r = kith_reader_on((struct kith_span){two, 1}); /* half a length */
    assert_int_equal(kith_get_bytes(&r, 2, SIZE_MAX).n, 0);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
}

static void nothing_reads_as_nothing(void **state)
{
    struct kith_reader r = kith_reader_on((struct kith_span){0});

    (void)state;
    assert_int_equal(kith_reader_left(&r), 0);
    assert_int_equal(kith_get_span(&r, 0).n, 0);
    kith_get_copy(&r, NULL, 0);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
    assert_int_equal(kith_get_u8(&r), 0);
    assert_int_equal(kith_reader_done(&r), KITH_E_MALFORMED);
}

static void a_writer_writes_big_endian(void **state)
{
    uint8_t out[15];
    struct kith_writer w = kith_writer_on(out, sizeof out);
    size_t n = 99;

    (void)state;
    kith_put_u8(&w, 0x01);
    kith_put_u16(&w, 0x0203);
    kith_put_u32(&w, 0x04050607);
    kith_put_u64(&w, 0x08090a0b0c0d0e0f);
    assert_int_equal(kith_writer_done(&w, &n), KITH_OK);
    assert_int_equal(n, 15);
    for (uint8_t i = 0; i < 15; i++)
        assert_int_equal(out[i], i + 1);
}

static void a_write_that_does_not_fit_sticks(void **state)
{
    uint8_t out[4] = {7, 7, 7, 7};
    struct kith_writer w = kith_writer_on(out, 3);
    size_t n = 99;

    (void)state;
    kith_put_u32(&w, 1);
    kith_put_u8(&w, 1); /* would fit, but a gap must not pass for a message */
    assert_int_equal(kith_writer_done(&w, &n), KITH_E_LIMIT);
    assert_int_equal(n, 99);
    assert_memory_equal(out, ((uint8_t[]){7, 7, 7, 7}), 4);
}

static void bytes_longer_than_allowed_are_refused(void **state)
{
    uint8_t out[16];
    struct kith_writer w = kith_writer_on(out, sizeof out);
    size_t n = 99;

    (void)state;
    kith_put_bytes(&w, (struct kith_span){ten, 3}, 2, 3);
    assert_int_equal(kith_writer_done(&w, &n), KITH_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(out, ((uint8_t[]){0, 3, 1, 2, 3}), 5);
    kith_put_bytes(&w, (struct kith_span){ten, 4}, 1, 3);
    assert_int_equal(kith_writer_done(&w, &n), KITH_E_LIMIT);
}

static void a_length_that_its_field_cannot_hold_is_refused(void **state)
{
    static const uint8_t long_one[256];
    uint8_t out[300];
    struct kith_writer w = kith_writer_on(out, sizeof out);
    size_t n = 99;

    (void)state;
    kith_put_bytes(&w, (struct kith_span){long_one, 255}, 1, 1000);
    assert_int_equal(kith_writer_done(&w, &n), KITH_OK);
    w = kith_writer_on(out, sizeof out);
    kith_put_bytes(&w, (struct kith_span){long_one, 256}, 1, 1000);
    assert_int_equal(kith_writer_done(&w, &n), KITH_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_big_endian),
        cmocka_unit_test(a_short_read_yields_zero_and_sticks),
        cmocka_unit_test(bytes_left_over_are_a_mistake),
        cmocka_unit_test(a_span_borrows_the_input),
        cmocka_unit_test(no_length_is_believed_before_it_is_compared),
        cmocka_unit_test(nothing_reads_as_nothing),
        cmocka_unit_test(a_writer_writes_big_endian),
        cmocka_unit_test(a_write_that_does_not_fit_sticks),
        cmocka_unit_test(bytes_longer_than_allowed_are_refused),
        cmocka_unit_test(a_length_that_its_field_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
