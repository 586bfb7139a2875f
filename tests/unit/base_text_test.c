/* Bytes as text and back, against RFC 4648, and the small readers of people's texts. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static bool parses(const char *text, const char *want)
{
    uint8_t out[64];
    size_t n = 99;

    return kith_base32_parse(text, strlen(text), out, sizeof out, &n) == KITH_OK &&
           kith_span_equal((struct kith_span){out, n}, kith_span_text(want));
}

/* RFC 4648 section 10, in lower case and without padding. */
static void base32_is_that_of_rfc_4648(void **state)
{
    static const char *const vector[][2] = {
        {"", ""},
        {"f", "my"},
        {"fo", "mzxq"},
        {"foo", "mzxw6"},
        {"foob", "mzxw6yq"},
        {"fooba", "mzxw6ytb"},
        {"foobar", "mzxw6ytboi"},
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(vector); i++) {
        struct kith_span in = kith_span_text(vector[i][0]);
        assert_string_equal(kith_base32_text(in, text, sizeof text), vector[i][1]);
        assert_int_equal(KITH_BASE32_LEN(in.n), strlen(vector[i][1]));
        assert_true(parses(vector[i][1], vector[i][0]));
    }
    assert_true(parses("MZXW6ytBOI", "foobar"));
}

static int refusal(const char *text)
{
    uint8_t out[64];
    size_t n = 99;
    int err = kith_base32_parse(text, strlen(text), out, sizeof out, &n);

    assert_true(err == KITH_OK || n == 99);
    return err;
}

static void base32_refuses_what_no_bytes_encode_to(void **state)
{
    (void)state;
    /* the characters around the two ranges, padding, and what looks alike */
    static const char foreign[] = "0189=@[`{ -_\x7f\xe1\n";
    for (size_t i = 0; i + 1 < sizeof foreign; i++) {
        char text[] = "mzxw6ytb";
        text[i % 8] = foreign[i];
        assert_int_equal(refusal(text), KITH_E_MALFORMED);
    }
    /* 1, 3 and 6 characters of a group of 8 hold no whole number of bytes */
    assert_int_equal(refusal("m"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzx"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzxw6y"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzxw6ytbm"), KITH_E_MALFORMED);
    /* spare bits: "my" is "f", "mz" would be as well */
    assert_int_equal(refusal("my"), KITH_OK);
    assert_int_equal(refusal("mz"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzxr"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzxw7"), KITH_E_MALFORMED);
    assert_int_equal(refusal("mzxw6yr"), KITH_E_MALFORMED);
}

static void base32_stays_within_its_buffer(void **state)
{
    uint8_t out[5] = {9, 9, 9, 9, 9};
    char text[9] = "........";
    size_t n = 99;

    (void)state;
    assert_int_equal(kith_base32_parse("mzxw6ytb", 8, out, 4, &n), KITH_E_LIMIT);
    assert_int_equal(n, 99);
    assert_int_equal(out[0], 9);
    assert_int_equal(kith_base32_parse("mzxw6ytb", 8, out, 5, &n), KITH_OK);
    assert_int_equal(n, 5);
    assert_string_equal(kith_base32_text(kith_span_text("fooba"), text, 8), "");
    assert_string_equal(text, "........");
    assert_ptr_equal(kith_base32_text(kith_span_text("fooba"), text, 9), text);
}

static void hex_is_two_digits_a_byte(void **state)
{
    static const uint8_t in[] = {0x00, 0x0f, 0xf0, 0xff, 0xa5};
    char text[11] = "..........";

    (void)state;
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(in), text, 10), "");
    assert_string_equal(text, "..........");
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(in), text, 11), "000ff0ffa5");
    assert_string_equal(kith_hex_text((struct kith_span){0}, text, 1), "");
}

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        kith_dur want;
    } good[] = {
        {"90s", 90 * KITH_SEC},
        {"15m", 900 * KITH_SEC},
        {"24h", 86400 * KITH_SEC},
        {"30d", 2592000 * KITH_SEC},
        {"1500ms", 1500 * KITH_MSEC},
        {"90", 90 * KITH_SEC},
        {"0", 0},
        {"7us", 7 * KITH_USEC},
        {"1ns", 1},
        {"213503d", KITH_SEC * 86400 * 213503}, /* the last whole day before never */
        {"18446744073709551614ns", UINT64_MAX - 1},
    };
    static const char *const bad[] = {"",
                                      "s",
                                      "-1s",
                                      "+1s",
                                      " 1s",
                                      "1 s",
                                      "1s ",
                                      "1.5s",
                                      "1S",
                                      "1w",
                                      "1min",
                                      "1m30s",
                                      "0x1s",
                                      "213504d",
                                      "18446744073709551615ns",
                                      "18446744073709551616ns",
                                      "99999999999999999999d"};
    kith_dur d = 0;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(good); i++) {
        assert_int_equal(kith_dur_parse(good[i].text, &d), KITH_OK);
        assert_true(d == good[i].want);
    }
    d = 42;
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_dur_parse(bad[i], &d), KITH_E_MALFORMED);
    assert_true(d == 42);
}

static void a_duration_is_printed_in_its_largest_unit(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(kith_dur_text(0, text, sizeof text), "0s");
    assert_string_equal(kith_dur_text(90 * KITH_SEC, text, sizeof text), "90s");
    assert_string_equal(kith_dur_text(120 * KITH_SEC, text, sizeof text), "2m");
    assert_string_equal(kith_dur_text(7200 * KITH_SEC, text, sizeof text), "2h");
    assert_string_equal(kith_dur_text(2 * 86400 * KITH_SEC, text, sizeof text), "2d");
    assert_string_equal(kith_dur_text(1500 * KITH_MSEC, text, sizeof text), "1500ms");
    assert_string_equal(kith_dur_text(1001, text, sizeof text), "1001ns");
}

static void numbers_are_whole_and_fit(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1e3", "18446744073709551616", "99999999999999999999"};
    uint64_t v = 0;

    (void)state;
    assert_int_equal(kith_u64_parse("0", &v), KITH_OK);
    assert_true(v == 0);
    assert_int_equal(kith_u64_parse("18446744073709551615", &v), KITH_OK);
    assert_true(v == UINT64_MAX);
    v = 42;
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_u64_parse(bad[i], &v), KITH_E_MALFORMED);
    assert_true(v == 42);
}

#define L10 "abcdefghij"
#define L60 L10 L10 L10 L10 L10 L10

static void labels_are_those_of_rfc_1123(void **state)
{
    static const char *const good[] = {"a", "0", "a-b", "3com", "xn--nxasmq6b", L60 "abc"};
    static const char *const bad[] = {"",    "-",   "-a",       "a-",  "A",
                                      "a_b", "a.b", "\xc3\xa4", "a b", L60 "abcd"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(good); i++)
        assert_true(kith_label_valid(kith_span_text(good[i])));
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_false(kith_label_valid(kith_span_text(bad[i])));
    assert_false(kith_label_valid((struct kith_span){(const uint8_t *)"a\0b", 3}));
    assert_false(kith_label_valid((struct kith_span){0}));
}

static void a_label_is_made_of_any_text(void **state)
{
    static const char *const made[][2] = {
        {"Laptop", "laptop"},
        {"My  Laptop!", "my-laptop"},
        {"  x  ", "x"},
        {"host.example.org", "host"},
        {"---", ""},
        {"", ""},
        {"\xc3\xa4pfel", "pfel"},
        {"a--b", "a-b"},
        {".hidden", ""},
        {L60 "abcd", L60 "abc"},
        {L60 "ab-d", L60 "ab"},
    };
    char buf[KITH_LABEL_MAX + 1];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(made); i++)
        assert_string_equal(kith_label_from(made[i][0], buf, sizeof buf), made[i][1]);
}

/* The usual examples of the literature, and the edges. */
static void distances_are_levenshteins(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned want;
    } pair[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"kitten", "sitting", 3},
        {"saturday", "sunday", 3},
        {"flaw", "lawn", 2},
        {"gumbo", "gambol", 2},
        {"book", "back", 2},
        {"same", "same", 0},
        {L60 L60, L60, 4}, /* only 64 characters count */
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(pair); i++) {
        assert_int_equal(kith_text_distance(pair[i].a, pair[i].b), pair[i].want);
        assert_int_equal(kith_text_distance(pair[i].b, pair[i].a), pair[i].want);
    }
}

static void the_nearest_word_is_near(void **state)
{
    static const char *const words[] = {"status", "start", "stop", "invite"};

    (void)state;
    assert_string_equal(kith_text_nearest("statsu", words, 4), "status");
    assert_string_equal(kith_text_nearest("invit", words, 4), "invite");
    assert_string_equal(kith_text_nearest("stop", words, 4), "stop");
    assert_null(kith_text_nearest("frobnicate", words, 4));
    assert_null(kith_text_nearest("stop", words, 0));
    /* three letters: two edits are near, three are not */
    static const char *const one[] = {"abc"};
    assert_string_equal(kith_text_nearest("axy", one, 1), "abc");
    assert_null(kith_text_nearest("xyz", one, 1));
}

static void formatting_always_terminates(void **state)
{
    char buf[5] = "....";

    (void)state;
    assert_string_equal(kith_format(buf, sizeof buf, "%s", "abcdefgh"), "abcd");
    assert_string_equal(kith_format(buf, 1, "%s", "abcdefgh"), "");
    assert_ptr_equal(kith_format(buf, 0, "x"), buf);
    assert_string_equal(buf, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base32_is_that_of_rfc_4648),
        cmocka_unit_test(base32_refuses_what_no_bytes_encode_to),
        cmocka_unit_test(base32_stays_within_its_buffer),
        cmocka_unit_test(hex_is_two_digits_a_byte),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(a_duration_is_printed_in_its_largest_unit),
        cmocka_unit_test(numbers_are_whole_and_fit),
        cmocka_unit_test(labels_are_those_of_rfc_1123),
        cmocka_unit_test(a_label_is_made_of_any_text),
        cmocka_unit_test(distances_are_levenshteins),
        cmocka_unit_test(the_nearest_word_is_near),
        cmocka_unit_test(formatting_always_terminates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
