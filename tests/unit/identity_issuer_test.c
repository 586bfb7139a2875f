/* Blocks, serials, addresses and names never collide. */
#include "identity/issuer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct kith_prefix prefix(const char *text)
{
    struct kith_prefix p;

    assert_int_equal(kith_prefix_parse(text, &p), KITH_OK);
    return p;
}

static void sixteen_blocks_cover_the_range_without_overlap(void **state)
{
    struct kith_prefix range = prefix("100.77.0.0/16"), block[KITH_BLOCKS];
    char text[KITH_PREFIX_TEXT];

    (void)state;
    for (unsigned i = 0; i < KITH_BLOCKS; i++) {
        assert_int_equal(kith_issuer_block(&range, i, &block[i]), KITH_OK);
        assert_true(kith_prefix_holds(&range, &block[i].ip));
        for (unsigned j = 0; j < i; j++)
            assert_false(kith_prefix_overlaps(&block[i], &block[j]));
    }
    assert_string_equal(kith_prefix_text(&block[0], text, sizeof text), "100.77.0.0/20");
    assert_string_equal(kith_prefix_text(&block[1], text, sizeof text), "100.77.16.0/20");
    assert_string_equal(kith_prefix_text(&block[15], text, sizeof text), "100.77.240.0/20");
    assert_int_equal(kith_issuer_block(&range, KITH_BLOCKS, &block[0]), KITH_E_INVAL);
}

static void ranges_too_narrow_or_of_ipv6_are_refused(void **state)
{
    struct kith_prefix widest = prefix("0.0.0.0/0"), least = prefix("10.0.0.0/26"),
                       narrow = prefix("10.0.0.0/27"), six = prefix("fd00::/8"), p;
    char text[KITH_PREFIX_TEXT];

    (void)state;
    assert_int_equal(kith_issuer_block(&widest, 15, &p), KITH_OK);
    assert_string_equal(kith_prefix_text(&p, text, sizeof text), "240.0.0.0/4");
    assert_int_equal(kith_issuer_block(&least, 15, &p), KITH_OK);
    assert_string_equal(kith_prefix_text(&p, text, sizeof text), "10.0.0.60/30");
    assert_int_equal(kith_issuer_block(&narrow, 0, &p), KITH_E_INVAL);
    assert_int_equal(kith_issuer_block(&six, 0, &p), KITH_E_INVAL);
}

static void serials_of_blocks_follow_one_another_without_a_gap(void **state)
{
    uint64_t first, last, before = 0;

    (void)state;
    for (unsigned k = 0; k < KITH_BLOCKS; k++) {
        kith_issuer_serials(k, &first, &last);
        assert_int_equal(first, before + 1);
        assert_true(last > first);
        before = last;
    }
    assert_int_equal(last, 0xfffffffffff); /* 16 * 2^40 - 1 */
}

static bool is_below(void *ctx, const struct kith_ip *ip)
{
    return memcmp(ip->b, ctx, 4) < 0;
}

static void the_lowest_free_address_is_given_but_never_the_ranges_ends(void **state)
{
    struct kith_prefix range = prefix("10.0.0.0/26"), first = prefix("10.0.0.0/30"),
                       last = prefix("10.0.0.60/30"), middle = prefix("10.0.0.4/30");
    uint8_t low[4] = {0}, two[4] = {10, 0, 0, 2}, most[4] = {10, 0, 0, 63};
    struct kith_ip ip;
    char text[KITH_IP_TEXT];

    (void)state;
    assert_int_equal(kith_issuer_pick_ip(&range, &first, is_below, low, &ip), KITH_OK);
    assert_string_equal(kith_ip_text(&ip, text, sizeof text), "10.0.0.1");
    assert_int_equal(kith_issuer_pick_ip(&range, &first, is_below, two, &ip), KITH_OK);
    assert_string_equal(kith_ip_text(&ip, text, sizeof text), "10.0.0.2");
    assert_int_equal(kith_issuer_pick_ip(&range, &middle, is_below, low, &ip), KITH_OK);
    assert_string_equal(kith_ip_text(&ip, text, sizeof text), "10.0.0.4");
    assert_int_equal(kith_issuer_pick_ip(&range, &last, is_below, most, &ip), KITH_E_FULL);
    assert_string_equal(kith_ip_text(&ip, text, sizeof text), "10.0.0.4");
}

struct names {
    const char *const *taken;
    size_t n;
};

static bool is_taken(void *ctx, struct kith_span name)
{
    const struct names *names = ctx;

    for (size_t i = 0; i < names->n; i++)
        if (kith_span_equal(name, kith_span_text(names->taken[i])))
            return true;
    return false;
}

static bool always(void *ctx, struct kith_span name)
{
    (void)ctx, (void)name;
    return true;
}

static void a_taken_name_gets_the_next_free_number(void **state)
{
    static const char *const taken[] = {"nas", "nas-2", "nas-4"};
    struct names names = {taken, KITH_COUNT(taken)};
    char buf[KITH_LABEL_MAX + 1] = "before";
    char longest[KITH_LABEL_MAX + 1];

    (void)state;
    assert_int_equal(kith_issuer_pick_name(kith_span_text("pi"), is_taken, &names, buf), KITH_OK);
    assert_string_equal(buf, "pi");
    assert_int_equal(kith_issuer_pick_name(kith_span_text("nas"), is_taken, &names, buf), KITH_OK);
    assert_string_equal(buf, "nas-3");
    assert_int_equal(kith_issuer_pick_name(kith_span_text("no good"), is_taken, &names, buf),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_issuer_pick_name(kith_span_text("nas"), always, NULL, buf), KITH_E_TAKEN);
    assert_string_equal(buf, "nas-3");

    memset(longest, 'a', KITH_LABEL_MAX);
    longest[KITH_LABEL_MAX] = '\0';
    const char *const one[] = {longest};
    names = (struct names){one, 1};
    assert_int_equal(kith_issuer_pick_name(kith_span_text(longest), is_taken, &names, buf),
                     KITH_OK);
    assert_int_equal(strlen(buf), KITH_LABEL_MAX);
    assert_string_equal(buf + KITH_LABEL_MAX - 3, "a-2");
}

static void numbers_follow_the_clock_but_always_grow(void **state)
{
    (void)state;
    assert_int_equal(kith_issuer_number(0, 1000), 1000);
    assert_int_equal(kith_issuer_number(999, 1000), 1000);
    assert_int_equal(kith_issuer_number(1000, 1000), 1001);
    assert_int_equal(kith_issuer_number(1300, 1000), 1301); /* the clock went back */
    assert_int_equal(kith_issuer_number(1301, 1000), 1000); /* others refused that one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_blocks_cover_the_range_without_overlap),
        cmocka_unit_test(ranges_too_narrow_or_of_ipv6_are_refused),
        cmocka_unit_test(serials_of_blocks_follow_one_another_without_a_gap),
        cmocka_unit_test(the_lowest_free_address_is_given_but_never_the_ranges_ends),
        cmocka_unit_test(a_taken_name_gets_the_next_free_number),
        cmocka_unit_test(numbers_follow_the_clock_but_always_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
