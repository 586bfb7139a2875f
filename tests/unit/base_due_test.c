/* Deadlines: the first is first, KITH_NEVER is absence, and only a put can fail. */
#include "base/due.h"

#include "unit/base_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct lab_heap memory;
static struct kith_alloc alloc;
static struct kith_due_heap h;

static int setup(void **state)
{
    (void)state;
    alloc = lab_alloc(&memory);
    h = (struct kith_due_heap){.alloc = &alloc};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kith_due_fini(&h);
    return memory.live == 0 ? 0 : -1;
}

static void an_empty_heap_is_due_never(void **state)
{
    (void)state;
    assert_null(kith_due_first(&h));
    assert_true(kith_due_deadline(&h) == KITH_NEVER);
}

static void the_earliest_is_first(void **state)
{
    struct kith_due a = {0}, b = {0}, c = {0};

    (void)state;
    assert_int_equal(kith_due_set(&h, &a, 30), KITH_OK);
    assert_int_equal(kith_due_set(&h, &b, 10), KITH_OK);
    assert_int_equal(kith_due_set(&h, &c, 20), KITH_OK);
    assert_ptr_equal(kith_due_first(&h), &b);
    assert_true(kith_due_deadline(&h) == 10);
    assert_ptr_equal(kith_due_first(&h), &b); /* looking takes nothing out */
    assert_int_equal(kith_due_set(&h, &b, 40), KITH_OK);
    assert_ptr_equal(kith_due_first(&h), &c);
    assert_int_equal(kith_due_set(&h, &a, 0), KITH_OK);
    assert_ptr_equal(kith_due_first(&h), &a);
    assert_true(kith_due_deadline(&h) == 0);
    assert_int_equal(h.n, 3);
}

static void never_takes_out(void **state)
{
    struct kith_due a = {0}, b = {0};

    (void)state;
    assert_int_equal(kith_due_set(&h, &a, KITH_NEVER), KITH_OK);
    assert_null(kith_due_first(&h));
    assert_int_equal(memory.asked, 0);
    assert_int_equal(kith_due_set(&h, &a, 5), KITH_OK);
    assert_int_equal(kith_due_set(&h, &b, UINT64_MAX - 1), KITH_OK);
    assert_int_equal(kith_due_set(&h, &a, KITH_NEVER), KITH_OK);
    assert_true(a.at == KITH_NEVER);
    assert_ptr_equal(kith_due_first(&h), &b);
    assert_int_equal(kith_due_set(&h, &a, KITH_NEVER), KITH_OK);
    assert_int_equal(h.n, 1);
}

static void removing_twice_is_harmless(void **state)
{
    struct kith_due a = {0}, b = {0};

    (void)state;
    kith_due_remove(&h, &a);
    assert_int_equal(kith_due_set(&h, &a, 5), KITH_OK);
    assert_int_equal(kith_due_set(&h, &b, 6), KITH_OK);
    kith_due_remove(&h, &a);
    kith_due_remove(&h, &a);
    assert_ptr_equal(kith_due_first(&h), &b);
    assert_int_equal(h.n, 1);
}

static void only_a_put_can_fail_and_then_changes_nothing(void **state)
{
    struct kith_due d[40] = {0};
    size_t n = 0;

    (void)state;
    memory.fuse = 1;
    while (n < 40 && kith_due_set(&h, &d[n], 100 - n) == KITH_OK)
        n++;
    assert_true(n > 0 && n < 40);
    assert_int_equal(kith_due_set(&h, &d[n], 1), KITH_E_NOMEM);
    assert_true(d[n].place == 0 && d[n].at == 0);
    assert_int_equal(h.n, n);
    assert_ptr_equal(kith_due_first(&h), &d[n - 1]);
    /* what is in moves and leaves without memory */
    assert_int_equal(kith_due_set(&h, &d[0], 1), KITH_OK);
    assert_ptr_equal(kith_due_first(&h), &d[0]);
    assert_int_equal(kith_due_set(&h, &d[0], KITH_NEVER), KITH_OK);
    assert_int_equal(kith_due_set(&h, &d[n], 1), KITH_OK); /* into the place that came free */
    assert_ptr_equal(kith_due_first(&h), &d[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_heap_is_due_never, setup, teardown),
        cmocka_unit_test_setup_teardown(the_earliest_is_first, setup, teardown),
        cmocka_unit_test_setup_teardown(never_takes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_twice_is_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_put_can_fail_and_then_changes_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
