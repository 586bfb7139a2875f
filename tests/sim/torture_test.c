/* Every request for memory of a node and of its QUIC fails once, alone and in runs, through a whole
 * life: starting, enrolment, traffic, moving, crashing, leaving, stopping. See torture.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/torture.h"

enum { SAMPLE = 10 }; /* tellings a chapter in the ordinary run */

static void a_founder_survives_any_failing_allocation(void **state)
{
    (void)state;
    assert_int_equal(torture_run(&torture_memory, 0, SAMPLE), 0);
}

static void a_joiner_survives_any_failing_allocation(void **state)
{
    (void)state;
    assert_int_equal(torture_run(&torture_memory, 1, SAMPLE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_founder_survives_any_failing_allocation),
        cmocka_unit_test(a_joiner_survives_any_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
