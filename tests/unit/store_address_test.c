/* Cached addresses: the best first, and a flood costs one good address. */

#include "property/store_lab.h"

#include "store/address.h"

#include <stdio.h>

static uint8_t peer[32] = {1};

static void learn(struct kith_store *s, const char *addr, kith_wall at)
{
    assert_int_equal(kith_store_address_learn(s, peer, addr, at), KITH_OK);
}

static void worked(struct kith_store *s, const char *addr, kith_wall at)
{
    assert_int_equal(kith_store_address_worked(s, peer, addr, at), KITH_OK);
}

/* The addresses of `peer` in order, joined by spaces. */
static int join(void *ctx, const struct kith_store_address *a)
{
    char *all = ctx;

    snprintf(all + strlen(all), 1000 - strlen(all), "%s%s", all[0] != '\0' ? " " : "", a->addr);
    return 0;
}

static void assert_order(struct kith_store *s, const char *want)
{
    char all[1000] = "";

    assert_int_equal(kith_store_address_list(s, peer, join, all), KITH_OK);
    assert_string_equal(all, want);
}

static void the_address_that_worked_last_comes_first(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    learn(s, "never", 500);
    worked(s, "long-ago", 100);
    worked(s, "lately", 200);
    assert_order(s, "lately long-ago never");
    worked(s, "long-ago", 300);
    assert_order(s, "long-ago lately never");
    kith_store_close(s);
}

static void among_equals_fewer_failures_come_first_and_success_forgives(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    learn(s, "a", 10);
    learn(s, "b", 10);
    assert_order(s, "a b");
    assert_int_equal(kith_store_address_failed(s, peer, "a"), KITH_OK);
    assert_order(s, "b a");
    worked(s, "a", 20);
    worked(s, "b", 20);
    assert_order(s, "a b");
    assert_int_equal(kith_store_address_failed(s, peer, "none"), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static int one(void *ctx, const struct kith_store_address *a)
{
    *(struct kith_store_address *)ctx = *a;
    return 1;
}

static void hearing_of_a_known_address_changes_nothing(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_address a;

    worked(s, "a", 50);
    assert_int_equal(kith_store_address_failed(s, peer, "a"), KITH_OK);
    learn(s, "a", 90);
    worked(s, "b", 10);
    assert_int_equal(kith_store_address_list(s, peer, one, &a), 1);
    assert_string_equal(a.addr, "a");
    assert_int_equal(a.learned_at, 50);
    assert_int_equal(a.last_ok, 50);
    assert_int_equal(a.failures, 1);
    kith_store_close(s);
}

static void a_clock_set_back_does_not_age_an_address(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_address a;

    worked(s, "a", 50);
    worked(s, "a", 20);
    assert_int_equal(kith_store_address_list(s, peer, one, &a), 1);
    assert_int_equal(a.last_ok, 50);
    kith_store_close(s);
}

static void a_flood_of_addresses_costs_a_peer_its_oldest_only(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    char addr[16], want[300] = "flood999";

    for (int i = 1; i <= KITH_STORE_ADDRESSES_PEER; i++) {
        snprintf(addr, sizeof addr, "good%d", i);
        worked(s, addr, (kith_wall)i);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(addr, sizeof addr, "flood%d", i);
        learn(s, addr, 1000);
    }
    for (int i = 2; i <= KITH_STORE_ADDRESSES_PEER; i++) { /* good1 gave way */
        char longer[300];
        snprintf(longer, sizeof longer, "good%d %s", i, want);
        memcpy(want, longer, sizeof want);
    }
    assert_order(s, want);
    kith_store_close(s);
}

static void all_peers_together_are_bounded_and_the_oldest_gives_way(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_address a;
    uint8_t other[32] = {0};
    uint32_t i;

    assert_int_equal(kith_store_begin(s), KITH_OK);
    worked(s, "mine", 7);
    for (i = 1; i < KITH_STORE_ADDRESSES_MAX; i++) {
        memcpy(other, &i, sizeof i);
        other[31] = 1;
        assert_int_equal(kith_store_address_learn(s, other, "x", 10 + i), KITH_OK);
    }
    memcpy(other, &i, sizeof i);
    assert_int_equal(kith_store_address_learn(s, other, "x", 10 + i), KITH_OK);
    assert_int_equal(kith_store_address_list(s, other, one, &a), 1);
    i = 1; /* the one learnt first of those that never worked */
    memcpy(other, &i, sizeof i);
    assert_int_equal(kith_store_address_list(s, other, one, &a), 0);
    i = 2;
    memcpy(other, &i, sizeof i);
    assert_int_equal(kith_store_address_list(s, other, one, &a), 1);
    assert_order(s, "mine");
    assert_int_equal(kith_store_commit(s), KITH_OK);
    kith_store_close(s);
}

static void addresses_are_removed_one_or_all_of_a_peer(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    uint8_t other[32] = {2};
    struct kith_store_address a;

    learn(s, "a", 1);
    learn(s, "b", 1);
    assert_int_equal(kith_store_address_learn(s, other, "a", 1), KITH_OK);
    assert_int_equal(kith_store_address_remove(s, peer, "a"), KITH_OK);
    assert_int_equal(kith_store_address_remove(s, peer, "a"), KITH_E_NOTFOUND);
    assert_order(s, "b");
    assert_int_equal(kith_store_address_clear(s, peer), KITH_OK);
    assert_order(s, "");
    assert_int_equal(kith_store_address_list(s, other, one, &a), 1);
    kith_store_close(s);
}

struct reached {
    uint8_t first[8]; /* of each peer */
    size_t n, stop_at;
};

static int note_reached(void *ctx, const uint8_t id[32])
{
    struct reached *r = ctx;

    assert_true(r->n < sizeof r->first);
    r->first[r->n++] = id[0];
    return r->n == r->stop_at ? 7 : 0;
}

static void who_was_reached_is_told_latest_first(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    struct reached r = {.n = 0}, two = {.n = 0}, stops = {.stop_at = 1};

    for (uint8_t i = 1; i <= 3; i++) {
        uint8_t id[32] = {i};
        assert_int_equal(kith_store_address_worked(s, id, "a", 10u * i), KITH_OK);
    }
    uint8_t third[32] = {3}, never[32] = {4};
    assert_int_equal(kith_store_address_worked(s, third, "b", 15), KITH_OK);
    assert_int_equal(kith_store_address_learn(s, never, "a", 99), KITH_OK);
    assert_int_equal(kith_store_address_reached(s, 8, note_reached, &r), KITH_OK);
    assert_int_equal(r.n, 4);
    assert_memory_equal(r.first, ((const uint8_t[]){3, 2, 3, 1}), 4);
    assert_int_equal(kith_store_address_reached(s, 2, note_reached, &two), KITH_OK);
    assert_int_equal(two.n, 2);
    assert_int_equal(kith_store_address_reached(s, 8, note_reached, &stops), 7);
    assert_int_equal(stops.n, 1);
    kith_store_close(s);
}

static void texts_too_long_or_empty_are_refused_and_evict_nothing(void **state)
{
    struct kith_store *s = store_lab_memory(*state);
    char longest[KITH_STORE_ADDRESS_TEXT + 1], addr[16];

    memset(longest, 'a', sizeof longest);
    longest[KITH_STORE_ADDRESS_TEXT] = '\0';
    for (int i = 0; i < KITH_STORE_ADDRESSES_PEER; i++) {
        snprintf(addr, sizeof addr, "%d", i);
        learn(s, addr, (kith_wall)i);
    }
    assert_int_equal(kith_store_address_learn(s, peer, longest, 1), KITH_E_INVAL);
    assert_int_equal(kith_store_address_learn(s, peer, "", 1), KITH_E_INVAL);
    assert_int_equal(kith_store_address_learn(s, peer, "x", KITH_STORE_INT_MAX + 1), KITH_E_INVAL);
    assert_order(s, "15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0");
    longest[KITH_STORE_ADDRESS_TEXT - 1] = '\0';
    learn(s, longest, 99);
    kith_store_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(the_address_that_worked_last_comes_first),
        T(among_equals_fewer_failures_come_first_and_success_forgives),
        T(hearing_of_a_known_address_changes_nothing),
        T(a_clock_set_back_does_not_age_an_address),
        T(a_flood_of_addresses_costs_a_peer_its_oldest_only),
        T(all_peers_together_are_bounded_and_the_oldest_gives_way),
        T(addresses_are_removed_one_or_all_of_a_peer),
        T(who_was_reached_is_told_latest_first),
        T(texts_too_long_or_empty_are_refused_and_evict_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
