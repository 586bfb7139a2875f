/* Members compare what they hold in 32 bytes, and in full only where that differs
 * (control-stream 4.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"

enum { N = 3, FOE = 2 };

static struct home h;

/* Longer than 10 s ago the foe was told what the laptop holds. */
static void up(uint64_t seed)
{
    home_up(&h, seed, N);
    home_turn_bad(&h, FOE);
    sim_net_link(h.net, h.foe.host, h.node[0].host, &(struct sim_link){.delay = KITH_MSEC});
    home_wait(&h, 60 * KITH_SEC);
}

static struct kith_holdings laptops(void)
{
    struct kith_holdings ret;

    assert_int_equal(
        kith_netview_holdings(h.node[0].node->network[0].view, node_sim_now(&h.node[0]).wall, &ret),
        KITH_OK);
    return ret;
}

static size_t summary_of(struct kith_holdings what, uint8_t *buf, size_t cap)
{
    struct kith_summary m = {.network = h.info.id, .holdings = what};
    size_t len;

    assert_int_equal(kith_summary_encode(&m, buf, cap, &len), KITH_OK);
    return len;
}

static void foe_claims(struct kith_holdings what)
{
    uint8_t message[128];

    home_foe_says(&h, 0, message, summary_of(what, message, sizeof message));
    home_wait(&h, KITH_SEC);
}

static size_t lists(void)
{
    return h.foe.controls[KITH_WIRE_digest];
}

static size_t summaries(void)
{
    return h.foe.controls[KITH_WIRE_summary];
}

static void who_holds_the_same_is_told_nothing(void **state)
{
    (void)state;
    up(1);
    size_t before = lists(), before_summaries = summaries();
    assert_true(before_summaries > 0);
    foe_claims(laptops());
    assert_int_equal(lists(), before);
    assert_int_equal(summaries(), before_summaries);
    home_down(&h);
}

static void who_holds_something_else_is_told_all_and_asked_to_do_the_same(void **state)
{
    (void)state;
    up(2);
    size_t before = lists(), before_summaries = summaries();
    struct kith_holdings other = laptops();
    other.b[31] ^= 1;
    foe_claims(other);
    assert_int_equal(lists(), before + 1);
    assert_int_equal(summaries(), before_summaries + 1);
    foe_claims(other); /* an answer, perhaps: ours is on its way */
    assert_int_equal(lists(), before + 2);
    assert_int_equal(summaries(), before_summaries + 1);
    home_wait(&h, 10 * KITH_SEC);
    foe_claims(other);
    assert_int_equal(lists(), before + 3);
    assert_int_equal(summaries(), before_summaries + 2);
    home_down(&h);
}

static void a_networks_summary_counts_only_from_who_proved_to_be_in_it(void **state)
{
    struct kith_summary m = {.network = {{0xee}}};
    uint8_t message[128];
    size_t len;

    (void)state;
    up(3);
    size_t before = lists();
    assert_int_equal(kith_summary_encode(&m, message, sizeof message, &len), KITH_OK);
    home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(lists(), before);
    home_down(&h);
}

static void summaries_that_always_differ_are_answered_once_a_minute(void **state)
{
    uint8_t message[128];

    (void)state;
    up(4);
    size_t before = lists(), len = summary_of((struct kith_holdings){{1}}, message, sizeof message);
    for (int i = 0; i < 200; i++)
        home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(lists(), before + 16);
    home_wait(&h, 61 * KITH_SEC);
    for (int i = 0; i < 10; i++)
        home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(lists(), before + 17);
    assert_true(home_reaches(&h, 0, 1, KITH_SEC));
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_holds_the_same_is_told_nothing),
        cmocka_unit_test(who_holds_something_else_is_told_all_and_asked_to_do_the_same),
        cmocka_unit_test(a_networks_summary_counts_only_from_who_proved_to_be_in_it),
        cmocka_unit_test(summaries_that_always_differ_are_answered_once_a_minute),
    };

    return cmocka_run_group_tests_name("sim digests", tests, NULL, NULL);
}
