/* Each kind of field: its one encoding, and the refusal beside it. */
#include "wire/field.h"

#include "base/text.h"
#include "crypto/sign.h"
#include "wire/control.h"
#include "wire/datagram.h"
#include "wire/enrol.h"
#include "wire/frame.h"
#include "wire/kinds.h"
#include "wire/object.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct kith_span hex(const char *text)
{
    static uint8_t b[256];
    size_t n = 0;

    for (; text[0] != '\0' && text[1] != '\0'; text += text[2] == ' ' ? 3 : 2) {
        unsigned v = 0;
        for (int i = 0; i < 2; i++)
            v = v * 16 + (unsigned)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
        b[n++] = (uint8_t)v;
    }
    return (struct kith_span){b, n};
}

static void assert_bytes(const uint8_t *p, size_t n, const char *want)
{
    struct kith_span s = hex(want);

    assert_int_equal(n, s.n);
    assert_memory_equal(p, s.p, n);
}

/* ---- messages, written out by hand after their tables ---- */

static void a_hello_is_the_bytes_of_its_table(void **state)
{
    const struct kith_hello m = {.version = 1,
                                 .capabilities = 0x0102030405060708,
                                 .software = kith_span_text("kith"),
                                 .boot_id = 0xff};
    struct kith_hello back;
    uint8_t buf[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_hello_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_bytes(buf, n, "01 0001 0102030405060708 04 6b697468 00000000000000ff");
    assert_int_equal(kith_hello_decode((struct kith_span){buf, n}, &back), KITH_OK);
    assert_true(kith_hello_equal(&m, &back));
    back.boot_id++;
    assert_false(kith_hello_equal(&m, &back));
}

static void another_type_a_cut_or_a_trailing_byte_is_refused(void **state)
{
    struct kith_alive m = {.token = 77};

    (void)state;
    assert_int_equal(kith_alive_decode(hex("10 0000000000000001"), &m), KITH_OK);
    assert_int_equal(m.token, 1);
    assert_int_equal(kith_alive_decode(hex("11 0000000000000002"), &m), KITH_E_MALFORMED);
    assert_int_equal(kith_alive_decode(hex("10 00000000000002"), &m), KITH_E_MALFORMED);
    assert_int_equal(kith_alive_decode(hex("10 000000000000000200"), &m), KITH_E_MALFORMED);
    assert_int_equal(kith_alive_decode((struct kith_span){0}, &m), KITH_E_MALFORMED);
    assert_int_equal(m.token, 1); /* untouched */
}

static void datagrams_have_the_types_of_the_table(void **state)
{
    const struct kith_ip_fragment f = {
        .slot = 3, .id = 0x1234, .index = 1, .count = 2, .part = kith_span_text("AB")};
    const struct kith_ip_packet p = {.slot = 3, .packet = kith_span_text("A")};
    const struct kith_pong pong = {.token = 1, .size = 1200};
    uint8_t buf[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_ip_packet_encode(&p, buf, sizeof buf, &n), KITH_OK);
    assert_bytes(buf, n, "00 03 41");
    assert_int_equal(kith_ip_fragment_encode(&f, buf, sizeof buf, &n), KITH_OK);
    assert_bytes(buf, n, "01 03 1234 01 02 4142");
    assert_int_equal(kith_pong_encode(&pong, buf, sizeof buf, &n), KITH_OK);
    assert_bytes(buf, n, "03 0000000000000001 04b0");
}

static void a_value_out_of_range_is_neither_read_nor_written(void **state)
{
    struct kith_ip_fragment f;
    uint8_t buf[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_ip_fragment_decode(hex("01 03 1234 07 08"), &f), KITH_OK);
    assert_int_equal(kith_ip_fragment_decode(hex("01 03 1234 08 08"), &f), KITH_E_MALFORMED);
    assert_int_equal(kith_ip_fragment_decode(hex("01 03 1234 00 01"), &f), KITH_E_MALFORMED);
    assert_int_equal(kith_ip_fragment_decode(hex("01 03 1234 00 09"), &f), KITH_E_MALFORMED);
    f.count = 9;
    assert_int_equal(kith_ip_fragment_encode(&f, buf, sizeof buf, &n), KITH_E_LIMIT);
}

/* ---- text and labels ---- */

static void text_is_utf8_without_controls(void **state)
{
    /* the boundaries of table 3-7 of the Unicode standard */
    static const char *const good[] = {"",
                                       "kith 0.1",
                                       "\x20\x7e",
                                       "\xc2\xa0",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x1f",
                                      "a\nb",
                                      "\x7f",
                                      "\xc2\x80",
                                      "\xc2\x9f",
                                      "\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xc3\x28",
                                      "\xe2\x82\x28"};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(good); i++)
        assert_true(kith_text_valid(kith_span_text(good[i])));
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_false(kith_text_valid(kith_span_text(bad[i])));
    assert_false(kith_text_valid((struct kith_span){(const uint8_t *)"\0", 1}));
}

static void text_in_a_message_is_checked_and_bounded(void **state)
{
    struct kith_goodbye m = {.code = 1, .why = kith_span_text("bye\n")};
    uint8_t buf[256], longer[121];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_goodbye_encode(&m, buf, sizeof buf, &n), KITH_E_LIMIT);
    memset(longer, 'x', sizeof longer);
    m.why = (struct kith_span){longer, 121};
    assert_int_equal(kith_goodbye_encode(&m, buf, sizeof buf, &n), KITH_E_LIMIT);
    m.why.n = 120;
    assert_int_equal(kith_goodbye_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_int_equal(kith_goodbye_decode(hex("0f 01 02 4142"), &m), KITH_OK);
    assert_int_equal(kith_goodbye_decode(hex("0f 01 02 410a"), &m), KITH_E_MALFORMED);
    assert_int_equal(kith_goodbye_decode(hex("0f 01 03 4142"), &m), KITH_E_MALFORMED);
}

static void labels_are_dns_labels(void **state)
{
    struct kith_group_item g;

    (void)state;
    assert_int_equal(kith_group_item_decode(hex("03 612d62"), &g), KITH_OK);
    assert_true(kith_span_equal(g.name, kith_span_text("a-b")));
    assert_int_equal(kith_group_item_decode(hex("03 412d62"), &g), KITH_E_MALFORMED);
    assert_int_equal(kith_group_item_decode(hex("02 612d"), &g), KITH_E_MALFORMED);
    assert_int_equal(kith_group_item_decode(hex("00"), &g), KITH_E_MALFORMED);
}

/* ---- addresses ---- */

static void addresses_have_one_encoding(void **state)
{
    struct kith_observed_address m;
    char text[KITH_ADDR_TEXT];
    uint8_t buf[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_observed_address_decode(hex("04 04 c0000201 2328"), &m), KITH_OK);
    assert_string_equal(kith_addr_text(&m.addr, text, sizeof text), "192.0.2.1:9000");
    m.addr.scope = 4; /* local knowledge, never written */
    assert_int_equal(kith_observed_address_encode(&m, buf, sizeof buf, &n), KITH_OK);
    assert_bytes(buf, n, "04 04 c0000201 2328");
    assert_int_equal(
        kith_observed_address_decode(hex("04 06 20010db8000000000000000000000001 2328"), &m),
        KITH_OK);
    assert_string_equal(kith_addr_text(&m.addr, text, sizeof text), "[2001:db8::1]:9000");
    /* mapped, of an unknown family, none at all, without a port */
    assert_int_equal(
        kith_observed_address_decode(hex("04 06 00000000000000000000ffffc0000201 2328"), &m),
        KITH_E_MALFORMED);
    assert_int_equal(kith_observed_address_decode(hex("04 05 c0000201 2328"), &m),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_observed_address_decode(hex("04 00 2328"), &m), KITH_E_MALFORMED);
    assert_int_equal(kith_observed_address_decode(hex("04 04 c0000201 0000"), &m),
                     KITH_E_MALFORMED);
    m.addr.port = 0;
    assert_int_equal(kith_observed_address_encode(&m, buf, sizeof buf, &n), KITH_E_LIMIT);
}

static void prefixes_have_no_host_bits(void **state)
{
    struct kith_subnet_item s;
    uint8_t buf[64];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_subnet_item_decode(hex("04 0a000000 08"), &s), KITH_OK);
    assert_int_equal(kith_subnet_item_decode(hex("04 0a000001 08"), &s), KITH_E_MALFORMED);
    assert_int_equal(kith_subnet_item_decode(hex("04 0a000000 21"), &s), KITH_E_MALFORMED);
    assert_int_equal(kith_subnet_item_decode(hex("00 00"), &s), KITH_OK);
    assert_int_equal(kith_subnet_item_decode(hex("00 01"), &s), KITH_E_MALFORMED);
    s.prefix = (struct kith_prefix){kith_ip4(10, 0, 0, 1), 8};
    assert_int_equal(kith_subnet_item_encode(&s, buf, sizeof buf, &n), KITH_E_LIMIT);
}

/* ---- lists and keys ---- */

static void a_list_is_walked_record_by_record(void **state)
{
    struct kith_endpoints_body b;
    struct kith_addr_item item;
    uint16_t ports[4];
    size_t n = 0;

    (void)state;
    assert_int_equal(
        kith_endpoints_body_decode(
            hex("0000000000000001 02 04 c0000201 0001 06 20010db8000000000000000000000001 0002"),
            &b),
        KITH_OK);
    assert_int_equal(b.addrs.n, 2);
    struct kith_reader r = kith_reader_on(b.addrs.bytes);
    while (kith_addr_item_next(&r, &item))
        ports[n++] = item.addr.port;
    assert_int_equal(n, 2);
    assert_true(ports[0] == 1 && ports[1] == 2);
    assert_int_equal(kith_reader_done(&r), KITH_OK);
}

static void a_list_with_a_wrong_count_or_a_bad_record_is_refused(void **state)
{
    struct kith_endpoints_body b;
    uint8_t addr[] = {4, 192, 0, 2, 1, 0, 1}, buf[512];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_endpoints_body_decode(hex("0000000000000001 01 04 c0000201 0001"), &b),
                     KITH_OK);
    assert_int_equal(kith_endpoints_body_decode(hex("0000000000000001 02 04 c0000201 0001"), &b),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_endpoints_body_decode(hex("0000000000000001 00 04 c0000201 0001"), &b),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_endpoints_body_decode(hex("0000000000000001 01 04 c0000201 0000"), &b),
                     KITH_E_MALFORMED);
    assert_int_equal(kith_endpoints_body_decode(hex("0000000000000001 11"), &b), KITH_E_MALFORMED);
    b = (struct kith_endpoints_body){.addrs = {KITH_SPAN_OF(addr), 1}};
    assert_int_equal(kith_endpoints_body_encode(&b, buf, sizeof buf, &n), KITH_OK);
    b.addrs.n = 2;
    assert_int_equal(kith_endpoints_body_encode(&b, buf, sizeof buf, &n), KITH_E_LIMIT);
    b.addrs.n = 0;
    assert_int_equal(kith_endpoints_body_encode(&b, buf, sizeof buf, &n), KITH_E_LIMIT);
}

static void only_a_key_of_ours_passes_for_a_key(void **state)
{
    static uint8_t spki[KITH_PUBLIC_KEY_LEN] = {0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09,
                                                0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                                0x12, 0x03, 0x82, 0x07, 0xa1, 0x00};
    struct kith_enrol_request m = {.version = 1, .spki = KITH_SPAN_OF(spki)}, back;
    uint8_t buf[4096];
    size_t n = 0;

    (void)state;
    assert_int_equal(kith_enrol_request_encode(&m, buf, sizeof buf, &n), KITH_OK);
    /* type, version, network, ticket, empty name, proof, key */
    assert_int_equal(n, 1 + 2 + 32 + 16 + 1 + 32 + 1974);
    assert_int_equal(kith_enrol_request_decode((struct kith_span){buf, n}, &back), KITH_OK);
    buf[n - KITH_PUBLIC_KEY_LEN] ^= 1;
    assert_int_equal(kith_enrol_request_decode((struct kith_span){buf, n}, &back),
                     KITH_E_MALFORMED);
    spki[16] = 0x13;
    assert_int_equal(kith_enrol_request_encode(&m, buf, sizeof buf, &n), KITH_E_LIMIT);
}

/* ---- frames, names ---- */

static void frames_are_taken_off_the_front_when_whole(void **state)
{
    struct kith_span in = hex("0002 aabb 0001 cc 0003 dd"), m;
    uint8_t buf[KITH_FRAME_HEAD];
    size_t used = 0, n = 77;

    (void)state;
    assert_int_equal(kith_frame_take(in, &m, &used), KITH_OK);
    assert_true(used == 4 && m.n == 2 && m.p == in.p + 2);
    in = (struct kith_span){in.p + used, in.n - used};
    assert_int_equal(kith_frame_take(in, &m, &used), KITH_OK);
    assert_true(used == 3 && m.n == 1);
    in = (struct kith_span){in.p + used, in.n - used};
    used = 99;
    assert_int_equal(kith_frame_take(in, &m, &used), KITH_E_AGAIN);
    assert_int_equal(kith_frame_take((struct kith_span){in.p, 1}, &m, &used), KITH_E_AGAIN);
    assert_int_equal(kith_frame_take((struct kith_span){0}, &m, &used), KITH_E_AGAIN);
    assert_int_equal(kith_frame_take(hex("0000 01"), &m, &used), KITH_E_MALFORMED);
    assert_int_equal(used, 99);

    assert_int_equal(kith_frame_close(buf, 65535, &n), KITH_OK);
    assert_true(n == 65537 && buf[0] == 0xff && buf[1] == 0xff);
    assert_int_equal(kith_frame_close(buf, 65536, &n), KITH_E_INVAL);
    assert_int_equal(kith_frame_close(buf, 0, &n), KITH_E_INVAL);
}

static void numbers_have_names_and_unknown_ones_are_said_to_be(void **state)
{
    (void)state;
    assert_string_equal(kith_control_name(0x0a), "push");
    assert_string_equal(kith_control_name(0x0d), "unknown");
    assert_string_equal(kith_datagram_name(0x02), "ping");
    assert_string_equal(kith_enrol_name(0x01), "enrol_request");
    assert_string_equal(kith_object_kind_name(3), "member_body");
    assert_string_equal(kith_stream_kind_name(2), "ENROL");
    assert_string_equal(kith_close_code_name(5), "REVOKED");
    assert_string_equal(kith_enrol_status_name(8), "VERSION");
    assert_string_equal(kith_close_code_name(UINT64_MAX), "unknown");
}

static void printing_is_cut_to_the_buffer(void **state)
{
    const struct kith_hello m = {.version = 1, .software = kith_span_text("kith")};
    char text[128], small[8];

    (void)state;
    assert_string_equal(kith_hello_print(&m, text, sizeof text),
                        "hello version=1 capabilities=0 software=\"kith\" boot_id=0");
    assert_string_equal(kith_hello_print(&m, small, sizeof small), "hello v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_the_bytes_of_its_table),
        cmocka_unit_test(another_type_a_cut_or_a_trailing_byte_is_refused),
        cmocka_unit_test(datagrams_have_the_types_of_the_table),
        cmocka_unit_test(a_value_out_of_range_is_neither_read_nor_written),
        cmocka_unit_test(text_is_utf8_without_controls),
        cmocka_unit_test(text_in_a_message_is_checked_and_bounded),
        cmocka_unit_test(labels_are_dns_labels),
        cmocka_unit_test(addresses_have_one_encoding),
        cmocka_unit_test(prefixes_have_no_host_bits),
        cmocka_unit_test(a_list_is_walked_record_by_record),
        cmocka_unit_test(a_list_with_a_wrong_count_or_a_bad_record_is_refused),
        cmocka_unit_test(only_a_key_of_ours_passes_for_a_key),
        cmocka_unit_test(frames_are_taken_off_the_front_when_whole),
        cmocka_unit_test(numbers_have_names_and_unknown_ones_are_said_to_be),
        cmocka_unit_test(printing_is_cut_to_the_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
