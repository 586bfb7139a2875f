/* Who is blocked: kept, bounded, and forgotten when asked. */

#include "property/store_lab.h"

#include "store/blocked.h"

static struct kith_store_blocked row(unsigned v, kith_wall since)
{
    struct kith_store_blocked b = {.since = since};

    b.peer[0] = (uint8_t)(v >> 8);
    b.peer[31] = (uint8_t)v;
    return b;
}

static int add(struct kith_store *s, unsigned v, kith_wall since)
{
    struct kith_store_blocked b = row(v, since);

    return kith_store_blocked_add(s, &b);
}

struct seen {
    size_t n;
    struct kith_store_blocked at[4];
};

static int see(void *ctx, const struct kith_store_blocked *b)
{
    struct seen *seen = ctx;

    if (seen->n < KITH_COUNT(seen->at))
        seen->at[seen->n] = *b;
    seen->n++;
    return 0;
}

static struct seen all(struct kith_store *s)
{
    struct seen seen = {.n = 0};

    assert_int_equal(kith_store_blocked_list(s, see, &seen), KITH_OK);
    return seen;
}

static void who_is_blocked_is_known_after_a_restart_in_the_order_of_ids(void **state)
{
    struct kith_store *s = store_lab_open(*state);

    assert_int_equal(add(s, 0x207, 50), KITH_OK);
    assert_int_equal(add(s, 0x109, 60), KITH_OK);
    kith_store_close(s);
    s = store_lab_open(*state);
    struct seen seen = all(s);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.at[0].peer[0], 1);
    assert_int_equal(seen.at[0].peer[31], 9);
    assert_int_equal(seen.at[0].since, 60);
    assert_int_equal(seen.at[1].peer[0], 2);
    assert_int_equal(seen.at[1].since, 50);
    kith_store_close(s);
}

static void who_is_there_stays_as_it_was(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    assert_int_equal(add(s, 1, 50), KITH_OK);
    assert_int_equal(add(s, 1, 60), KITH_E_EXISTS);
    struct seen seen = all(s);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.at[0].since, 50);
    kith_store_close(s);
}

static void who_is_forgotten_is_gone_and_nobody_else(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_blocked b = row(2, 0);

    assert_int_equal(kith_store_blocked_remove(s, b.peer), KITH_E_NOTFOUND);
    assert_int_equal(add(s, 1, 50), KITH_OK);
    assert_int_equal(add(s, 2, 50), KITH_OK);
    assert_int_equal(kith_store_blocked_remove(s, b.peer), KITH_OK);
    struct seen seen = all(s);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.at[0].peer[31], 1);
    kith_store_close(s);
}

static void there_is_room_for_1024(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_blocked b = row(7, 0);

    for (unsigned v = 0; v < 1024; v++)
        assert_int_equal(add(s, v, 1), KITH_OK);
    assert_int_equal(add(s, 1024, 1), KITH_E_FULL);
    assert_int_equal(add(s, 7, 1), KITH_E_EXISTS);
    assert_int_equal(all(s).n, 1024);
    assert_int_equal(kith_store_blocked_remove(s, b.peer), KITH_OK);
    assert_int_equal(add(s, 1024, 1), KITH_OK);
    kith_store_close(s);
}

static int first(void *ctx, const struct kith_store_blocked *b)
{
    (void)ctx, (void)b;
    return 5;
}

static void a_visitor_may_end_the_walk(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct seen seen;

    assert_int_equal(add(s, 1, 1), KITH_OK);
    assert_int_equal(add(s, 2, 1), KITH_OK);
    assert_int_equal(kith_store_blocked_list(s, first, &seen), 5);
    kith_store_close(s);
}

#define T(test) cmocka_unit_test_setup_teardown(test, store_lab_setup, store_lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_is_blocked_is_known_after_a_restart_in_the_order_of_ids),
        T(who_is_there_stays_as_it_was),
        T(who_is_forgotten_is_gone_and_nobody_else),
        T(there_is_room_for_1024),
        T(a_visitor_may_end_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
