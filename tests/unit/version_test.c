/* The version is one that a program can compare. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "kith/version.h"

static void version_is_three_numbers(void **state)
{
    (void)state;
    unsigned int major, minor, patch;
    char rest;
    assert_int_equal(sscanf(kith_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_three_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
