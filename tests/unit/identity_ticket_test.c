/* Tickets as text, and proofs that hold for one claim only. */
#include "identity/ticket.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Written byte by byte in Python after docs/spec/ticket.md: network aa…, issuer bb…, secret 00 …
 * 1f, expires 1800000000, name anna, network home, address 192.0.2.1:9000. */
static const char foreign_text[] =
    "kith1agvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvkvo53xo53xo53xo53xo53xo53xo53xo53x"
    "o53xo53xo53xo53xo53aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqaaaaabvutuqaarqw43t"
    "barug63lfaecmaaacaersr6vdcm2q";

static struct kith_ticket foreign_ticket(uint8_t addr[8])
{
    struct kith_ticket t = {.version = 1,
                            .expires = 1800000000,
                            .name = kith_span_text("anna"),
                            .network_name = kith_span_text("home"),
                            .addrs = {.bytes = {addr, 7}, .n = 1}};
    const uint8_t bytes[7] = {4, 192, 0, 2, 1, 9000 >> 8, 9000 & 0xff};

    memcpy(addr, bytes, sizeof bytes);
    memset(t.network.b, 0xaa, sizeof t.network.b);
    memset(t.issuer.b, 0xbb, sizeof t.issuer.b);
    for (size_t i = 0; i < sizeof t.secret.b; i++)
        t.secret.b[i] = (uint8_t)i;
    return t;
}

static int parse(const char *text, struct kith_ticket *ret)
{
    static uint8_t buf[KITH_TICKET_MAX];
    const char *why = NULL;
    int err = kith_ticket_parse(text, buf, sizeof buf, ret, &why);

    assert_true((err == KITH_OK) == (why == NULL));
    return err;
}

static void a_ticket_is_the_text_another_implementation_writes(void **state)
{
    uint8_t addr[8];
    struct kith_ticket t = foreign_ticket(addr), back;
    char text[KITH_TICKET_TEXT_MAX];

    (void)state;
    assert_int_equal(kith_ticket_text(&t, text, sizeof text), KITH_OK);
    assert_string_equal(text, foreign_text);
    assert_int_equal(parse(foreign_text, &back), KITH_OK);
    assert_true(kith_ticket_equal(&t, &back));
    assert_int_equal(kith_ticket_text(&t, text, sizeof foreign_text - 1), KITH_E_LIMIT);
    assert_int_equal(kith_ticket_text(&t, text, sizeof foreign_text), KITH_OK);
}

static void capitals_and_white_space_around_do_not_matter(void **state)
{
    struct kith_ticket t;
    char text[KITH_TICKET_TEXT_MAX + 10];

    (void)state;
    kith_format(text, sizeof text, " \t\r\n%s\r\n ", foreign_text);
    assert_int_equal(parse(text, &t), KITH_OK);
    for (char *c = text; *c != '\0'; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    assert_int_equal(parse(text, &t), KITH_OK);
}

static void what_is_wrong_with_a_text_is_told_apart(void **state)
{
    struct kith_ticket t;
    char text[KITH_TICKET_TEXT_MAX];

    (void)state;
    assert_int_equal(parse("", &t), KITH_E_MALFORMED);
    assert_int_equal(parse("kith", &t), KITH_E_MALFORMED);
    assert_int_equal(parse("https://example.org/kith1", &t), KITH_E_MALFORMED);
    assert_int_equal(parse("kith2abc", &t), KITH_E_VERSION);
    assert_int_equal(parse("kith1", &t), KITH_E_CORRUPT);
    assert_int_equal(parse("kith1!!!!!!!!", &t), KITH_E_CORRUPT);
    for (size_t n = 5; n < strlen(foreign_text); n += 3) {
        kith_format(text, sizeof text, "%.*s", (int)n, foreign_text);
        assert_int_equal(parse(text, &t), KITH_E_CORRUPT);
    }
    kith_format(text, sizeof text, "%s", foreign_text);
    for (size_t i = 5; i < strlen(foreign_text); i++) {
        char was = text[i];
        text[i] = was == 'a' ? 'b' : 'a';
        assert_int_equal(parse(text, &t), KITH_E_CORRUPT);
        text[i] = was;
    }
}

static void a_largest_ticket_fits_the_sizes_promised(void **state)
{
    uint8_t addrs[8 * 19], buf[KITH_TICKET_MAX];
    char name[KITH_LABEL_MAX], text[KITH_TICKET_TEXT_MAX];
    struct kith_writer w = kith_writer_on(addrs, sizeof addrs);
    struct kith_addr_item item = {.addr = {.ip = {KITH_FAMILY_IP6, {0x20, 1}}, .port = 1}};
    struct kith_ticket t = {.version = 1, .addrs = {.n = 8}}, back;
    const char *why;

    (void)state;
    memset(name, 'x', sizeof name);
    t.name = t.network_name = KITH_SPAN_OF(name);
    for (int i = 0; i < 8; i++)
        kith_addr_item_put(&w, &item);
    assert_int_equal(kith_writer_done(&w, &t.addrs.bytes.n), KITH_OK);
    t.addrs.bytes.p = addrs;
    assert_int_equal(kith_ticket_text(&t, text, sizeof text), KITH_OK);
    assert_int_equal(strlen(text), KITH_TICKET_TEXT_MAX - 1);
    assert_int_equal(kith_ticket_parse(text, buf, sizeof buf, &back, &why), KITH_OK);
    assert_true(kith_ticket_equal(&t, &back));
}

/* Both computed in Python after docs/spec/ticket.md 3 and docs/spec/enrolment.md 3.2. */
static void id_and_proof_are_those_of_an_independent_computation(void **state)
{
    struct kith_ticket_secret secret;
    struct kith_ticket_id id;
    struct kith_ticket_proof proof;
    struct kith_enrol_exporter exporter;
    struct kith_network_id network;
    struct kith_peer_id issuer, joiner;
    struct kith_enrol_claim claim = {&exporter, &network, &issuer, &joiner, kith_span_text("anna")};
    char text[65];

    (void)state;
    for (size_t i = 0; i < sizeof secret.b; i++)
        secret.b[i] = (uint8_t)i;
    memset(&network, 0xaa, sizeof network);
    memset(&issuer, 0xbb, sizeof issuer);
    memset(&joiner, 0xcc, sizeof joiner);
    memset(&exporter, 0xdd, sizeof exporter);
    assert_int_equal(kith_ticket_id(&secret, &id), KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(id), text, sizeof text),
                        "6c38f8535b4a0041616c43abcf09685e");
    assert_int_equal(kith_ticket_prove(&secret, &claim, &proof), KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(proof), text, sizeof text),
                        "54b5b2e4272c6a07f4b23f98dd94e2da888a8f4e8b2b2efa91fbb9f802b267f1");
    claim.name.n = 0;
    assert_int_equal(kith_ticket_prove(&secret, &claim, &proof), KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(proof), text, sizeof text),
                        "bffb3f795f0a34699db1bcd6783fbae8bc966ee89022a81993ae6afdeea735c6");
}

static void a_proof_holds_for_its_own_claim_and_no_other(void **state)
{
    struct kith_ticket_secret secret = {{1}}, other = {{2}};
    struct kith_enrol_exporter exporter = {{3}};
    struct kith_network_id network = {{4}};
    struct kith_peer_id issuer = {{5}}, joiner = {{6}};
    struct kith_enrol_claim claim = {&exporter, &network, &issuer, &joiner, kith_span_text("a")};
    struct kith_ticket_proof proof;
    uint8_t *const bound[] = {exporter.b, network.b, issuer.b, joiner.b};

    (void)state;
    assert_int_equal(kith_ticket_prove(&secret, &claim, &proof), KITH_OK);
    assert_int_equal(kith_ticket_check(&secret, &claim, &proof), KITH_OK);
    assert_int_equal(kith_ticket_check(&other, &claim, &proof), KITH_E_AUTH);
    for (size_t i = 0; i < KITH_COUNT(bound); i++) {
        bound[i][31] ^= 1;
        assert_int_equal(kith_ticket_check(&secret, &claim, &proof), KITH_E_AUTH);
        bound[i][31] ^= 1;
    }
    claim.name = kith_span_text("b");
    assert_int_equal(kith_ticket_check(&secret, &claim, &proof), KITH_E_AUTH);
    claim.name = kith_span_text("a");
    for (size_t i = 0; i < sizeof proof.b; i++) {
        proof.b[i] ^= 0x80;
        assert_int_equal(kith_ticket_check(&secret, &claim, &proof), KITH_E_AUTH);
        proof.b[i] ^= 0x80;
    }
    assert_int_equal(kith_ticket_check(&secret, &claim, &proof), KITH_OK);
}

static void a_secret_is_never_printed(void **state)
{
    uint8_t addr[8];
    struct kith_ticket t = foreign_ticket(addr);
    char text[512];

    (void)state;
    assert_non_null(strstr(kith_ticket_print(&t, text, sizeof text), "secret=(secret)"));
    assert_null(strstr(text, "00010203"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_is_the_text_another_implementation_writes),
        cmocka_unit_test(capitals_and_white_space_around_do_not_matter),
        cmocka_unit_test(what_is_wrong_with_a_text_is_told_apart),
        cmocka_unit_test(a_largest_ticket_fits_the_sizes_promised),
        cmocka_unit_test(id_and_proof_are_those_of_an_independent_computation),
        cmocka_unit_test(a_proof_holds_for_its_own_claim_and_no_other),
        cmocka_unit_test(a_secret_is_never_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
