/* Asking around for destinations: what is asked when, whose an answer is, what is not taken. */
#include "mesh/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lab_alloc.h"
#include "unit/base_lab.h"

enum { HOME, AWAY }; /* scopes */

static struct lab_dice dice;
static struct lab_alloc heap;
static struct kith_env env;
static struct kith_search *s;
static kith_time now;

static int begin(void **state)
{
    (void)state;
    lab_seed(&dice, 1);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &dice.random};
    now = 1000 * KITH_SEC;
    assert_int_equal(kith_search_new(&env, &s), KITH_OK);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    kith_search_free(s);
    assert_int_equal(heap.live, 0);
    return 0;
}

static struct kith_destination dest(uint32_t i)
{
    return (struct kith_destination){{(uint8_t)i, (uint8_t)(i >> 8), 7}};
}

static struct kith_search_ask ask_of(uint64_t tag, uint32_t to, uint8_t scope)
{
    return (struct kith_search_ask){.to = dest(to), .tag = tag, .scope = scope, .hops = 5};
}

static bool heard(uint64_t tag, uint32_t to, uint32_t from)
{
    const struct kith_search_ask ask = ask_of(tag, to, HOME);

    return kith_search_heard(s, &ask, from, now);
}

/* Whose; UINT32_MAX: nobody's. */
static uint32_t answered(uint64_t tag, uint32_t to, uint8_t scope, uint8_t hops)
{
    const struct kith_search_ask ask = ask_of(tag, to, scope);
    bool proof;
    uint32_t ret;

    return kith_search_answered(s, &ask, hops, now, &ret, &proof) ? ret : UINT32_MAX;
}

static void want(uint32_t to)
{
    const struct kith_destination d = dest(to);

    assert_int_equal(kith_search_want(s, HOME, &d, now), KITH_OK);
}

/* ---- our own ---- */

/* Spec mesh 7.1: 2 hops at once, then twice as far, after twice as long, up to 64. */
static void what_is_wanted_is_asked_for_farther_and_farther(void **state)
{
    static const unsigned after[] = {0, 1, 2, 4, 8, 16, 32, 32};
    static const unsigned hops[] = {2, 4, 8, 16, 32, 64, 64, 64};
    struct kith_search_ask ask;
    uint64_t last = 0;

    (void)state;
    want(1);
    for (size_t i = 0; i < KITH_COUNT(after); i++) {
        assert_int_equal(kith_search_deadline(s), now + after[i] * KITH_SEC);
        now += after[i] * KITH_SEC;
        if (after[i] > 0) {
            now--;
            assert_false(kith_search_next(s, now, &ask));
            now++;
        }
        want(1); /* it still is */
        assert_true(kith_search_next(s, now, &ask));
        const struct kith_destination to = dest(1);
        assert_true(kith_destination_equal(&ask.to, &to));
        assert_int_equal(ask.hops, hops[i]);
        assert_int_equal(ask.scope, HOME);
        assert_true(ask.tag != last);
        last = ask.tag;
        assert_false(kith_search_next(s, now, &ask));
    }
}

static void what_is_wanted_no_more_is_not_asked_for(void **state)
{
    struct kith_search_ask ask;
    const struct kith_destination one = dest(1), two = dest(2);
    unsigned asked = 0;

    (void)state;
    want(1);
    want(2);
    assert_true(kith_search_next(s, now, &ask));
    assert_true(kith_search_next(s, now, &ask));
    kith_search_found(s, HOME, &one);
    kith_search_found(s, AWAY, &two); /* of another network */
    now += KITH_SEC;
    assert_true(kith_search_next(s, now, &ask));
    assert_true(kith_destination_equal(&ask.to, &two));
    assert_false(kith_search_next(s, now, &ask));
    /* 120 s after it was wanted last it is given up */
    while (kith_search_deadline(s) != KITH_NEVER) {
        now = kith_search_deadline(s);
        assert_true(now <= 1120 * KITH_SEC);
        assert_true(kith_search_next(s, now, &ask));
        asked++;
    }
    assert_int_equal(asked, 6); /* after 3, 7, 15, 31, 63 and 95 s */
    want(2);
    kith_search_drop_scope(s, HOME);
    assert_int_equal(kith_search_deadline(s), KITH_NEVER);
}

static void sixty_four_are_looked_for_at_a_time(void **state)
{
    const struct kith_destination one_more = dest(1000), first = dest(0);

    (void)state;
    for (uint32_t i = 0; i < KITH_SEARCH_WANTED_MAX; i++)
        want(i);
    want(0);
    assert_int_equal(kith_search_want(s, HOME, &one_more, now), KITH_E_FULL);
    kith_search_found(s, HOME, &first);
    assert_int_equal(kith_search_want(s, HOME, &one_more, now), KITH_OK);
    /* and a place that nobody wants any more is free by itself */
    now += 121 * KITH_SEC;
    assert_int_equal(kith_search_want(s, HOME, &first, now), KITH_OK);
}

static void the_answer_to_our_own_is_ours(void **state)
{
    struct kith_search_ask ask;

    (void)state;
    want(1);
    assert_true(kith_search_next(s, now, &ask));
    assert_int_equal(answered(ask.tag, 1, HOME, 3), KITH_SEARCH_SELF);
    /* and it is not passed on when it comes round to us */
    assert_false(heard(ask.tag, 1, 5));
}

/* ---- others' ---- */

static void a_request_is_passed_on_once(void **state)
{
    (void)state;
    assert_true(heard(77, 1, 3));
    assert_false(heard(77, 1, 3));
    assert_false(heard(77, 1, 4)); /* by another neighbour */
    assert_false(heard(77, 2, 4)); /* nor for something else under the same tag */
    assert_true(heard(78, 1, 4));
}

static void an_answer_belongs_to_whom_the_request_came_from(void **state)
{
    const struct kith_search_ask lacking = {
        .to = dest(9), .tag = 79, .scope = HOME, .hops = 5, .proof = true};
    uint32_t whose;
    bool proof = true;

    (void)state;
    assert_true(heard(77, 1, 3));
    assert_true(kith_search_heard(s, &lacking, 4, now));
    const struct kith_search_ask first = ask_of(77, 1, HOME);
    assert_true(kith_search_answered(s, &first, 6, now, &whose, &proof));
    assert_int_equal(whose, 3);
    assert_false(proof);
    assert_true(kith_search_answered(s, &lacking, 6, now, &whose, &proof));
    assert_int_equal(whose, 4);
    assert_true(proof);
}

static void only_a_nearer_answer_counts_again(void **state)
{
    (void)state;
    assert_true(heard(77, 1, 3));
    assert_int_equal(answered(77, 1, HOME, 6), 3);
    assert_int_equal(answered(77, 1, HOME, 6), UINT32_MAX);
    assert_int_equal(answered(77, 1, HOME, 7), UINT32_MAX);
    assert_int_equal(answered(77, 1, HOME, 5), 3);
}

static void what_was_not_asked_is_no_answer(void **state)
{
    (void)state;
    assert_true(heard(77, 1, 3));
    assert_int_equal(answered(78, 1, HOME, 2), UINT32_MAX); /* another tag */
    assert_int_equal(answered(77, 2, HOME, 2), UINT32_MAX); /* another destination */
    assert_int_equal(answered(77, 1, AWAY, 2), UINT32_MAX); /* another network */
    now += KITH_SEARCH_PATIENCE;
    assert_int_equal(answered(77, 1, HOME, 2), 3);
    now += 1;
    assert_int_equal(answered(77, 1, HOME, 1), UINT32_MAX); /* too late */
}

static void a_flood_of_requests_takes_no_more_memory(void **state)
{
    (void)state;
    assert_true(heard(1, 1, 3));
    for (uint64_t tag = 2; tag < 2 + KITH_SEARCH_SEEN_MAX; tag++)
        assert_true(heard(tag, 1, 4));
    size_t most = heap.bytes;
    for (uint64_t tag = 10000; tag < 30000; tag++)
        assert_true(heard(tag, 1, 4));
    assert_int_equal(heap.bytes, most);
    assert_int_equal(answered(1, 1, HOME, 1), UINT32_MAX); /* forgotten */
    assert_int_equal(answered(29999, 1, HOME, 1), 4);
    assert_false(heard(29999, 1, 4));
    assert_true(heard(1, 1, 3));
}

/* One that could not be noted is not passed on: it might come round for ever. */
static void without_memory_nothing_is_passed_on(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (uint64_t tag = 1; tag < 500; tag++) {
        heap.fail_at = heap.requests + 1;
        bool taken = heard(tag, 1, 3);
        heap.fail_at = 0;
        refused += !taken;
        if (!taken)
            assert_int_equal(answered(tag, 1, HOME, 1), UINT32_MAX);
        else
            assert_int_equal(answered(tag, 1, HOME, 1), 3);
    }
    assert_true(refused > 0);
    assert_true(heard(1000, 1, 3));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_wanted_is_asked_for_farther_and_farther),
        T(what_is_wanted_no_more_is_not_asked_for),
        T(sixty_four_are_looked_for_at_a_time),
        T(the_answer_to_our_own_is_ours),
        T(a_request_is_passed_on_once),
        T(an_answer_belongs_to_whom_the_request_came_from),
        T(only_a_nearer_answer_counts_again),
        T(what_was_not_asked_is_no_answer),
        T(a_flood_of_requests_takes_no_more_memory),
        T(without_memory_nothing_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
