/* Text for people: tables that fit, paragraphs that break at spaces, amounts with units. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cmd/out.h"

/* What `print` writes, as text; freed by the next call. */
static char *written;

static FILE *begin(size_t *ret_len)
{
    free(written);
    written = NULL;
    FILE *f = open_memstream(&written, ret_len);
    assert_non_null(f);
    return f;
}

static const char *table_text(const struct kith_table *t)
{
    size_t n;
    FILE *f = begin(&n);

    assert_int_equal(kith_table_print(t, f), KITH_OK);
    fclose(f);
    return written;
}

static void columns_line_up_and_numbers_stand_right(void **state)
{
    (void)state;
    struct kith_table t = {.columns = 0};

    kith_table_column(&t, "NAME", KITH_LEFT);
    kith_table_column(&t, "N", KITH_RIGHT);
    kith_table_column(&t, "X", KITH_LEFT);
    kith_table_cell(&t, "desktop");
    kith_table_cell(&t, "%d", 1000);
    kith_table_cell(&t, "a");
    kith_table_cell(&t, "b");
    kith_table_cell(&t, "%d", 7);
    kith_table_cell(&t, "%s", "");
    assert_string_equal(table_text(&t), "NAME        N  X\n"
                                        "desktop  1000  a\n"
                                        "b           7  -\n");
    kith_table_fini(&t);
}

static void a_wide_table_gives_way_in_the_columns_that_may_be_cut(void **state)
{
    (void)state;
    struct kith_table t = {.columns = 0};
    const char *line;

    kith_table_column(&t, "NAME", KITH_CUT);
    kith_table_column(&t, "ID", KITH_LEFT);
    kith_table_cell(&t, "%070d", 0);
    kith_table_cell(&t, "%020d", 0);
    line = strchr(table_text(&t), '\n') + 1;
    assert_int_equal(strcspn(line, "\n"), KITH_OUT_WIDTH);
    assert_int_equal(strspn(line, "0"), 80 - 2 - 20 - 2);
    assert_memory_equal(line + 56, "..  00000000000000000000", 24);
    kith_table_fini(&t);
}

static void no_column_gives_more_than_the_table_needs(void **state)
{
    (void)state;
    struct kith_table t = {.columns = 0};
    const char *line;

    kith_table_column(&t, "A", KITH_CUT);
    kith_table_column(&t, "B", KITH_CUT);
    kith_table_cell(&t, "%050d", 0);
    kith_table_cell(&t, "%040d", 0);
    line = strchr(table_text(&t), '\n') + 1;
    assert_int_equal(strcspn(line, "\n"), KITH_OUT_WIDTH);
    assert_int_equal(strspn(line, "0"), 50 - 12 - 2); /* the first gives all 12, less its ".." */
    kith_table_fini(&t);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct kith_table t = {.columns = 0};

    kith_table_column(&t, "A", KITH_LEFT);
    kith_table_cell(&t, "x\033[2Jy\n");
    assert_string_equal(table_text(&t), "A\nx?[2Jy?\n");
    kith_table_fini(&t);
}

static void paragraphs_break_at_spaces(void **state)
{
    (void)state;
    size_t n;
    FILE *f = begin(&n);

    kith_out_wrap(f, "one two three four", 4, 2, 12);
    fclose(f);
    assert_string_equal(written, "one two\n  three four\n");
    f = begin(&n);
    kith_out_wrap(f, "averyverylongword next", 0, 2, 10);
    fclose(f);
    assert_string_equal(written, "averyverylongword\n  next\n");
}

static void amounts_have_units(void **state)
{
    (void)state;
    char b[32];

    assert_string_equal(kith_out_span(59, b, sizeof b), "59s");
    assert_string_equal(kith_out_span(3599, b, sizeof b), "59m59s");
    assert_string_equal(kith_out_span(3600, b, sizeof b), "1h0m");
    assert_string_equal(kith_out_span(86400 + 3600, b, sizeof b), "1d1h");
    assert_string_equal(kith_out_bytes(999, b, sizeof b), "999");
    assert_string_equal(kith_out_bytes(1000, b, sizeof b), "1.0k");
    assert_string_equal(kith_out_bytes(9999, b, sizeof b), "9.9k");
    assert_string_equal(kith_out_bytes(10000, b, sizeof b), "10k");
    assert_string_equal(kith_out_bytes(1234567890, b, sizeof b), "1.2G");
    assert_string_equal(kith_out_bytes(UINT64_MAX, b, sizeof b), "18E");
    assert_string_equal(kith_out_ms(0.424, b, sizeof b), "0.42 ms");
    assert_string_equal(kith_out_ms(12.34, b, sizeof b), "12.3 ms");
    assert_string_equal(kith_out_ms(1234, b, sizeof b), "1234 ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up_and_numbers_stand_right),
        cmocka_unit_test(a_wide_table_gives_way_in_the_columns_that_may_be_cut),
        cmocka_unit_test(no_column_gives_more_than_the_table_needs),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(paragraphs_break_at_spaces),
        cmocka_unit_test(amounts_have_units),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(written);
    return failed;
}
