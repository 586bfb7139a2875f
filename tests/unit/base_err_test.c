/* The error table's promises: one number and one name each, stable, and a text for people. */
#include "base/err.h"

#include "base/span.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
    const char *name;
    int num;
    enum kith_blame blame;
} rows[] = {
#define X(name, num, fault, text) {#name, num, KITH_BLAME_##fault},
    KITH_ERR_TABLE(X)
#undef X
};

static void names_and_numbers_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        assert_true(rows[i].num < 0);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(rows[i].num, rows[j].num);
            assert_string_not_equal(rows[i].name, rows[j].name);
        }
    }
}

/* Clients of the control API keep these numbers in their code: a row may be added, never changed.
 */
static void published_numbers_stay(void **state)
{
    static const struct {
        const char *name;
        int num;
    } published[] = {
        {"INVAL", -1},     {"NOMEM", -2},    {"MALFORMED", -3}, {"AUTH", -4},
        {"LIMIT", -5},     {"AGAIN", -6},    {"VERSION", -7},   {"REFUSED", -8},
        {"EXPIRED", -9},   {"USED", -10},    {"EXISTS", -11},   {"NOTFOUND", -12},
        {"STATE", -13},    {"TIMEOUT", -14}, {"CLOSED", -15},   {"CANCELLED", -16},
        {"FULL", -17},     {"IO", -18},      {"NOSPACE", -19},  {"PERM", -20},
        {"INUSE", -21},    {"CRYPTO", -22},  {"CORRUPT", -23},  {"UNREACHABLE", -24},
        {"TOOBIG", -25},   {"REVOKED", -26}, {"NOTADMIN", -27}, {"UNSUPPORTED", -28},
        {"PROTOCOL", -29}, {"TAKEN", -30},
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(published); i++)
        assert_string_equal(kith_err_name(published[i].num), published[i].name);
}

static void every_error_has_a_text_a_name_and_a_blame(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        const char *text = kith_err_text(rows[i].num);
        assert_true(strlen(text) > 0);
        assert_string_not_equal(text, kith_err_text(12345));
        assert_string_equal(kith_err_name(rows[i].num), rows[i].name);
        assert_int_equal(kith_err_blame(rows[i].num), rows[i].blame);
        for (const char *p = rows[i].name; *p != '\0'; p++)
            assert_true(isupper((unsigned char)*p));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(text, kith_err_text(rows[j].num));
    }
}

static void success_and_the_unknown_have_texts_too(void **state)
{
    (void)state;
    assert_string_equal(kith_err_text(KITH_OK), "ok");
    assert_string_equal(kith_err_name(KITH_OK), "OK");
    assert_int_equal(kith_err_blame(KITH_OK), KITH_BLAME_NOBODY);
    for (int err = 1; err < 1000; err += 37) {
        assert_string_equal(kith_err_text(err), "unknown error");
        assert_string_equal(kith_err_name(-1000 - err), "UNKNOWN");
        assert_int_equal(kith_err_blame(-1000 - err), KITH_BLAME_NOBODY);
    }
}

static void a_peers_bytes_are_the_peers_fault(void **state)
{
    (void)state;
    assert_int_equal(kith_err_blame(KITH_E_MALFORMED), KITH_BLAME_PEER);
    assert_int_equal(kith_err_blame(KITH_E_INVAL), KITH_BLAME_CALLER);
    assert_int_equal(kith_err_blame(KITH_E_NOMEM), KITH_BLAME_HOST);
    assert_int_equal(kith_err_blame(KITH_E_AGAIN), KITH_BLAME_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_unique),
        cmocka_unit_test(published_numbers_stay),
        cmocka_unit_test(every_error_has_a_text_a_name_and_a_blame),
        cmocka_unit_test(success_and_the_unknown_have_texts_too),
        cmocka_unit_test(a_peers_bytes_are_the_peers_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
