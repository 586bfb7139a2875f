/* Base64: the vectors of RFC 4648, section 10, and what must be refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/handlers_base64.h"

static const struct {
    const char *plain, *text;
} vector[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static int parse(const char *text, uint8_t *buf, size_t cap, size_t *ret_len)
{
    return kith_base64_parse(kith_span_text(text), buf, cap, ret_len);
}

static void the_vectors_of_the_rfc_hold_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(vector); i++) {
        char text[16];
        uint8_t back[16];
        size_t n = 99;
        assert_string_equal(kith_base64_text(kith_span_text(vector[i].plain), text, sizeof text),
                            vector[i].text);
        assert_int_equal(parse(vector[i].text, back, sizeof back, &n), KITH_OK);
        assert_int_equal(n, strlen(vector[i].plain));
        assert_memory_equal(back, vector[i].plain, n);
    }
}

static void both_characters_beyond_the_letters_are_read(void **state)
{
    uint8_t back[3];
    size_t n;

    (void)state;
    assert_int_equal(parse("+/+/", back, sizeof back, &n), KITH_OK);
    assert_memory_equal(back, "\xfb\xff\xbf", 3);
}

static void line_ends_between_characters_do_not_count(void **state)
{
    uint8_t back[8];
    size_t n;

    (void)state;
    assert_int_equal(parse("Zm9v\r\nYm Fy\n", back, sizeof back, &n), KITH_OK);
    assert_int_equal(n, 6);
}

static void what_no_encoder_writes_is_refused(void **state)
{
    static const char *const bad[] = {"Z",      "Zg",   "Zg=",  "Zm9v=", "====", "Zg==Zg==",
                                      "Zm9v-_", "Zh==", "Zm9=", "=Zm9",  "Z===", "Zg=a"};
    uint8_t back[16];
    size_t n = 77;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(parse(bad[i], back, sizeof back, &n), KITH_E_MALFORMED);
    assert_int_equal(
        kith_base64_parse((struct kith_span){(const uint8_t *)"Zm\0v", 4}, back, sizeof back, &n),
        KITH_E_MALFORMED);
    assert_int_equal(n, 77);
}

static void more_than_fits_is_refused_and_exactly_enough_is_not(void **state)
{
    uint8_t back[6];
    size_t n;

    (void)state;
    assert_int_equal(parse("Zm9vYmFy", back, 6, &n), KITH_OK);
    assert_int_equal(parse("Zm9vYmFy", back, 5, &n), KITH_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold_both_ways),
        cmocka_unit_test(both_characters_beyond_the_letters_are_read),
        cmocka_unit_test(line_ends_between_characters_do_not_count),
        cmocka_unit_test(what_no_encoder_writes_is_refused),
        cmocka_unit_test(more_than_fits_is_refused_and_exactly_enough_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
