/* The buckets that say what strangers may cost, and the table of them per network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conn/quic/budget.h"
#include "lab_alloc.h"

static const struct budget_rule quarter = {.most = 20 * KITH_MSEC, .share = 25};
static const kith_time start = 1000 * KITH_SEC;

static void a_new_bucket_is_full_and_gives_no_more_than_it_holds(void **state)
{
    struct budget b = {0};
    int taken = 0;

    (void)state;
    assert_int_equal(budget_left(&b, &quarter, start), 20 * KITH_MSEC);
    while (budget_take(&b, &quarter, 2 * KITH_MSEC, 0, start))
        taken++;
    assert_int_equal(taken, 10);
    assert_int_equal(budget_left(&b, &quarter, start), 0);
}

static void it_gets_its_share_of_the_time_that_passes(void **state)
{
    struct budget b = {0};

    (void)state;
    while (budget_take(&b, &quarter, 2 * KITH_MSEC, 0, start))
        continue;
    assert_int_equal(budget_left(&b, &quarter, start + 40 * KITH_MSEC), 10 * KITH_MSEC);
    assert_int_equal(budget_left(&b, &quarter, start + 80 * KITH_MSEC), 20 * KITH_MSEC);
    assert_int_equal(budget_left(&b, &quarter, start + KITH_SEC), 20 * KITH_MSEC);
}

static void over_a_long_time_exactly_the_share_is_given(void **state)
{
    struct budget b = {0};
    uint64_t spent = 0;

    (void)state;
    for (kith_time t = start; t < start + 60 * KITH_SEC; t += 100 * KITH_USEC)
        while (budget_take(&b, &quarter, 300 * KITH_USEC, 0, t))
            spent += 300 * KITH_USEC;
    /* 15 s of 60, the full bucket of the beginning, and what one last piece may owe */
    assert_in_range(spent, 15 * KITH_SEC, 15 * KITH_SEC + 20 * KITH_MSEC + 300 * KITH_USEC);
}

static void who_matters_less_leaves_the_floor_to_the_others(void **state)
{
    struct budget b = {0};
    const kith_dur floor = 10 * KITH_MSEC;

    (void)state;
    while (budget_take(&b, &quarter, KITH_MSEC, floor, start))
        continue;
    assert_int_equal(budget_left(&b, &quarter, start), floor);
    /* however long and hard the lesser ask */
    for (kith_time t = start; t < start + KITH_SEC; t += KITH_USEC)
        (void)budget_take(&b, &quarter, 10 * KITH_USEC, floor, t);
    assert_true(budget_left(&b, &quarter, start + KITH_SEC) >= floor - 10 * KITH_USEC);
    assert_true(budget_take(&b, &quarter, KITH_MSEC, 0, start + KITH_SEC));
}

static void work_dearer_than_the_bucket_is_done_and_owed(void **state)
{
    struct budget b = {0};

    (void)state;
    assert_true(budget_take(&b, &quarter, 100 * KITH_MSEC, 10 * KITH_MSEC, start));
    assert_false(budget_take(&b, &quarter, 1, 0, start));
    /* 80 ms are owed, which take 320 ms */
    assert_false(budget_take(&b, &quarter, 1, 0, start + 320 * KITH_MSEC));
    assert_true(budget_take(&b, &quarter, 1, 0, start + 321 * KITH_MSEC));
}

static void a_refusal_costs_nothing(void **state)
{
    struct budget b = {0};

    (void)state;
    while (budget_take(&b, &quarter, KITH_MSEC, 0, start))
        continue;
    kith_time full_at = b.full_at;
    for (int i = 0; i < 1000; i++)
        assert_false(budget_take(&b, &quarter, KITH_MSEC, 0, start));
    assert_int_equal(b.full_at, full_at);
}

/* ---- networks ---- */

struct scene {
    struct lab_alloc heap;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct rates rates;
};

static void set_scene(struct scene *s)
{
    memset(s, 0, sizeof *s);
    lab_alloc_init(&s->heap);
    kith_random_seeded_init(&s->seeded, 7);
    s->random = kith_random_from_seed(&s->seeded);
    assert_int_equal(rates_init(&s->rates, &s->heap.alloc, &s->random), KITH_OK);
}

static void clear_scene(struct scene *s)
{
    rates_fini(&s->rates, &s->heap.alloc);
    assert_int_equal(s->heap.live, 0);
}

static struct network_rates *at(struct scene *s, const char *text)
{
    struct kith_ip ip;

    assert_int_equal(kith_ip_parse(text, &ip), KITH_OK);
    return rates_get(&s->rates, &ip);
}

static void a_network_is_a_24_or_a_48(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    assert_ptr_equal(at(&s, "192.0.2.1"), at(&s, "192.0.2.255"));
    assert_ptr_not_equal(at(&s, "192.0.2.1"), at(&s, "192.0.3.1"));
    assert_ptr_equal(at(&s, "2001:db8:1::1"), at(&s, "2001:db8:1:ffff::2"));
    assert_ptr_not_equal(at(&s, "2001:db8:1::1"), at(&s, "2001:db8:2::1"));
    clear_scene(&s);
}

static void the_table_never_grows_and_who_owes_much_is_not_pushed_out(void **state)
{
    static const struct budget_rule rule = {.most = KITH_SEC, .share = 100};
    struct scene s;

    (void)state;
    set_scene(&s);
    size_t bytes = s.heap.bytes;
    /* ten handshakes at once are all that a network has at first */
    while (budget_take(&at(&s, "192.0.2.1")->handshakes, &rule, KITH_SEC / 10, 0, start))
        continue;
    /* a flood from networks of which each begins one */
    for (unsigned i = 0; i < 200000; i++) {
        struct kith_ip ip = kith_ip4(11, (uint8_t)(i >> 8), (uint8_t)i, (uint8_t)(i >> 16));
        assert_true(
            budget_take(&rates_get(&s.rates, &ip)->handshakes, &rule, KITH_SEC / 100, 0, start));
    }
    assert_int_equal(budget_left(&at(&s, "192.0.2.1")->handshakes, &rule, start), 0);
    assert_int_equal(s.heap.bytes, bytes);
    clear_scene(&s);
}

static void a_network_that_was_pushed_out_begins_with_full_buckets(void **state)
{
    static const struct budget_rule rule = {.most = KITH_SEC, .share = 100};
    struct scene s;

    (void)state;
    set_scene(&s);
    (void)budget_take(&at(&s, "192.0.2.1")->handshakes, &rule, 1, 0, start);
    for (unsigned i = 0; i < 65536; i++) {
        struct kith_ip ip = kith_ip4(11, (uint8_t)(i >> 8), (uint8_t)i, 1);
        (void)budget_take(&rates_get(&s.rates, &ip)->datagrams, &rule, KITH_SEC / 2, 0, start);
    }
    assert_int_equal(budget_left(&at(&s, "192.0.2.1")->handshakes, &rule, start), KITH_SEC);
    assert_int_equal(budget_left(&at(&s, "192.0.2.1")->datagrams, &rule, start), KITH_SEC);
    clear_scene(&s);
}

static void without_memory_there_is_no_table(void **state)
{
    struct scene s;

    (void)state;
    set_scene(&s);
    struct rates other;
    s.heap.fail_at = s.heap.requests + 1;
    assert_int_equal(rates_init(&other, &s.heap.alloc, &s.random), KITH_E_NOMEM);
    rates_fini(&other, &s.heap.alloc);
    clear_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_bucket_is_full_and_gives_no_more_than_it_holds),
        cmocka_unit_test(it_gets_its_share_of_the_time_that_passes),
        cmocka_unit_test(over_a_long_time_exactly_the_share_is_given),
        cmocka_unit_test(who_matters_less_leaves_the_floor_to_the_others),
        cmocka_unit_test(work_dearer_than_the_bucket_is_done_and_owed),
        cmocka_unit_test(a_refusal_costs_nothing),
        cmocka_unit_test(a_network_is_a_24_or_a_48),
        cmocka_unit_test(the_table_never_grows_and_who_owes_much_is_not_pushed_out),
        cmocka_unit_test(a_network_that_was_pushed_out_begins_with_full_buckets),
        cmocka_unit_test(without_memory_there_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
