/* The replay window at its edges, and against a set that forgets nothing. */
#include "conn/replay.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "unit/base_lab.h"

/* Asks, and notes the number when it is admitted. */
static bool take(struct kith_replay *r, uint64_t number)
{
    bool admitted = kith_replay_admits(r, number);

    if (admitted)
        kith_replay_note(r, number);
    return admitted;
}

static void every_number_is_taken_once_in_any_order(void **state)
{
    struct kith_replay r = {0};

    (void)state;
    for (uint64_t i = 0; i < 8192; i += 2)
        assert_true(take(&r, i));
    for (uint64_t i = 1; i < 8192; i += 2)
        assert_true(take(&r, i));
    for (uint64_t i = 0; i < 8192; i++)
        assert_false(take(&r, i));
}

static void asking_alone_changes_nothing(void **state)
{
    struct kith_replay r = {0};

    (void)state;
    assert_true(kith_replay_admits(&r, 5));
    assert_true(kith_replay_admits(&r, 5));
    assert_int_equal(r.next, 0);
}

static void the_window_holds_the_highest_and_8191_behind_it(void **state)
{
    static const uint64_t tops[] = {8191, 8192, 8193, 8255, 8256, 16383, 16384, 1000000};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(tops); i++) {
        struct kith_replay r = {0};
        assert_true(take(&r, tops[i]));
        assert_true(take(&r, tops[i] - 8191));
        assert_false(take(&r, tops[i] - 8191));
        if (tops[i] >= 8192)
            assert_false(take(&r, tops[i] - 8192));
        if (tops[i] >= 8193)
            assert_false(take(&r, tops[i] - 8193));
    }
}

/* A jump of any size forgets exactly what falls out of the window, and admits all the rest. */
static void after_a_jump_of_any_size_only_what_was_seen_is_refused(void **state)
{
    static const uint64_t jumps[] = {
        1,     63,    64,    65,    127,   128,   8128,  8191,  8192,     8193,
        16319, 16320, 16383, 16384, 16385, 16448, 20000, 65536, 1u << 20, (uint64_t)1 << 40};

    (void)state;
    for (uint64_t start = 9000; start < 9064; start += 21)
        for (size_t i = 0; i < KITH_COUNT(jumps); i++) {
            struct kith_replay r = {0};
            uint64_t top = start + jumps[i];
            assert_true(take(&r, start));
            assert_true(take(&r, start - 1));
            assert_true(take(&r, top));
            for (uint64_t n = top - 8191; n < top; n++) {
                bool seen = n == start || n == start - 1;
                assert_int_equal(take(&r, n), !seen);
            }
            assert_false(take(&r, top));
        }
}

static void the_last_number_of_all_is_never_taken(void **state)
{
    struct kith_replay r = {0};

    (void)state;
    assert_false(take(&r, UINT64_MAX));
    assert_true(take(&r, UINT64_MAX - 1));
    assert_false(take(&r, UINT64_MAX - 1));
    assert_false(take(&r, UINT64_MAX));
    assert_true(take(&r, UINT64_MAX - 2));
    assert_true(take(&r, UINT64_MAX - 1 - 8191));
    assert_false(take(&r, UINT64_MAX - 1 - 8192));
    assert_false(take(&r, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_taken_once_in_any_order),
        cmocka_unit_test(asking_alone_changes_nothing),
        cmocka_unit_test(the_window_holds_the_highest_and_8191_behind_it),
        cmocka_unit_test(after_a_jump_of_any_size_only_what_was_seen_is_refused),
        cmocka_unit_test(the_last_number_of_all_is_never_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
