/* Destinations and their text. */
#include "identity/destination.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Of the peer whose id is the bytes 00 01 ... 1f; hash and base32 by Python's standard library. */
static const struct {
    const char *service, *text;
} known[] = {
    {"vpn", "jgcvaoz3fgo3djqygofzfdrxzy"},
    {"files", "lcncrkgrqm5sb6sqs7o2v7ccpa"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "mohczcnrefcyvo6i6wgi7n5b6e"},
};

static struct kith_peer_id counting(void)
{
    struct kith_peer_id id;

    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t)i;
    return id;
}

static void a_destination_is_the_hash_an_independent_computation_gives(void **state)
{
    const struct kith_peer_id peer = counting();
    struct kith_destination d;
    char text[KITH_DESTINATION_TEXT];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(known); i++) {
        assert_int_equal(kith_destination(&peer, kith_span_text(known[i].service), &d), KITH_OK);
        assert_string_equal(kith_destination_text(&d, text, sizeof text), known[i].text);
    }
}

static void peers_and_services_are_told_apart(void **state)
{
    struct kith_peer_id peer = counting();
    struct kith_destination a, b;

    (void)state;
    assert_int_equal(kith_destination(&peer, kith_span_text("vpn"), &a), KITH_OK);
    peer.b[31] ^= 1;
    assert_int_equal(kith_destination(&peer, kith_span_text("vpn"), &b), KITH_OK);
    assert_false(kith_destination_equal(&a, &b));
    peer.b[31] ^= 1;
    assert_int_equal(kith_destination(&peer, kith_span_text("vpn"), &b), KITH_OK);
    assert_true(kith_destination_equal(&a, &b));
}

static void a_service_is_a_label(void **state)
{
    static const char *const bad[] = {
        "",
        "-vpn",
        "vpn-",
        "VPN",
        "a.b",
        "a b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    const struct kith_peer_id peer = counting();
    struct kith_destination d;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_destination(&peer, kith_span_text(bad[i]), &d), KITH_E_INVAL);
}

static void text_and_destination_are_two_forms_of_one_thing(void **state)
{
    static const char *const bad[] = {"", "jgcvaoz3fgo3djqygofzfdrxz",
                                      "jgcvaoz3fgo3djqygofzfdrxzya", "jgcvaoz3fgo3djqygofzfdrxz1",
                                      "jgcvaoz3fgo3djqygofzfdrxzz"};
    struct kith_destination d, kept;
    char text[KITH_DESTINATION_TEXT];

    (void)state;
    assert_int_equal(kith_destination_parse(known[0].text, &d), KITH_OK);
    assert_string_equal(kith_destination_text(&d, text, sizeof text), known[0].text);
    assert_int_equal(kith_destination_parse("JGCVAOZ3FGO3DJQYGOFZFDRXZY", &kept), KITH_OK);
    assert_true(kith_destination_equal(&d, &kept));
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(kith_destination_parse(bad[i], &d), KITH_E_INVAL);
    assert_true(kith_destination_equal(&d, &kept)); /* untouched */
    assert_string_equal(kith_destination_text(&d, text, KITH_DESTINATION_TEXT - 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_destination_is_the_hash_an_independent_computation_gives),
        cmocka_unit_test(peers_and_services_are_told_apart),
        cmocka_unit_test(a_service_is_a_label),
        cmocka_unit_test(text_and_destination_are_two_forms_of_one_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
