/* Addresses and prefixes: what is read, what is refused, and how it is written (RFC 5952). */
#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct kith_ip ip(const char *text)
{
    struct kith_ip ip = {0};

    assert_int_equal(kith_ip_parse(text, &ip), KITH_OK);
    return ip;
}

static struct kith_prefix prefix(const char *text)
{
    struct kith_prefix p = {0};

    assert_int_equal(kith_prefix_parse(text, &p), KITH_OK);
    return p;
}

/* What an address reads and prints as; "refused" for none. */
static const char *again(const char *text)
{
    static char buf[KITH_ADDR_TEXT];
    struct kith_addr a = {.port = 7};

    if (kith_addr_parse(text, 9, &a) < 0) {
        assert_int_equal(a.port, 7); /* untouched */
        assert_int_equal(a.ip.family, KITH_FAMILY_NONE);
        return "refused";
    }
    return kith_addr_text(&a, buf, sizeof buf);
}

static const char *ip_again(const char *text)
{
    static char buf[KITH_IP_TEXT];
    struct kith_ip a = ip(text);

    return kith_ip_text(&a, buf, sizeof buf);
}

/* RFC 5952 section 1 and 4: one address, many spellings, one text. */
static void ipv6_is_written_as_rfc_5952_says(void **state)
{
    static const char *const vector[][2] = {
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8::0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0db8::1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:0:1::1", "2001:db8::1:0:0:1"},
        {"2001:db8:0000:0:1::1", "2001:db8::1:0:0:1"},
        {"2001:DB8:0:0:1::1", "2001:db8::1:0:0:1"},
        {"2001:0db8::0001", "2001:db8::1"},              /* 4.1: leading zeros */
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},       /* 4.2.1: as much as possible */
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: not one group */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},         /* 4.2.3: the longest */
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},   /* 4.2.3: of equals the first */
        {"2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:1", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1"}, /* 4.3 */
        {"0:0:0:0:0:0:0:0", "::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"1:0:0:0:0:0:0:0", "1::"},
        {"fe80::", "fe80::"},
        {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(vector); i++)
        assert_string_equal(ip_again(vector[i][0]), vector[i][1]);
}

static void hostile_texts_are_no_addresses(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        ".",
        ":",
        ":::",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.04",
        "01.2.3.4",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.4 ",
        " 1.2.3.4",
        "+1.2.3.4",
        "1.2.3.-4",
        "0x1.2.3.4",
        "1.2.3.4294967297",
        "1.2.3.99999999999999999999",
        ":1",
        "1:",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        ":1:2:3:4:5:6:7:8",
        "1::2:3:4:5:6:7:8",
        "12345::",
        "::12345",
        "g::",
        "::1.2.3",
        "::1.2.3.4.5",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "::1.2.3.256",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5:6::1.2.3.4",
        "::abcd.1.2.3",
        "::1%",
        "[::1]",
        "1:::2",
        "::1\n",
        "none",
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        struct kith_ip a = kith_ip4(9, 9, 9, 9), before = a;
        assert_int_equal(kith_ip_parse(bad[i], &a), KITH_E_MALFORMED);
        assert_true(kith_ip_equal(&a, &before));
    }
}

static void a_mapped_address_is_ipv4(void **state)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
    struct kith_ip v4 = kith_ip4(192, 0, 2, 1), a = ip("::ffff:192.0.2.1"),
                   b = ip("::ffff:c000:201");
    struct kith_ip c = kith_ip_from(KITH_SPAN_OF(mapped));

    (void)state;
    assert_true(kith_ip_equal(&a, &v4) && kith_ip_equal(&b, &v4) && kith_ip_equal(&c, &v4));
    assert_int_equal(kith_ip_bytes(&c).n, 4);
    assert_int_equal(ip("::fffe:192.0.2.1").family, KITH_FAMILY_IP6);
    assert_int_equal(ip("::192.0.2.1").family, KITH_FAMILY_IP6);
    assert_string_equal(again("[::ffff:192.0.2.1]:80"), "192.0.2.1:80");
    assert_string_equal(again("::ffff:192.0.2.1"), "192.0.2.1:9");
}

static void bytes_of_another_length_are_no_address(void **state)
{
    static const uint8_t zero[17];

    (void)state;
    for (size_t n = 0; n <= 17; n++) {
        struct kith_ip a = kith_ip_from((struct kith_span){zero, n});
        assert_int_equal(a.family, n == 4 ? KITH_FAMILY_IP4 : n == 16 ? KITH_FAMILY_IP6 : 0);
        assert_int_equal(kith_ip_bytes(&a).n, n == 4 || n == 16 ? n : 0);
    }
}

static void ports_and_brackets_are_read_and_written(void **state)
{
    (void)state;
    assert_string_equal(again("192.0.2.1:9000"), "192.0.2.1:9000");
    assert_string_equal(again("192.0.2.1"), "192.0.2.1:9");
    assert_string_equal(again("[2001:db8::1]:9000"), "[2001:db8::1]:9000");
    assert_string_equal(again("[2001:db8::1]"), "[2001:db8::1]:9");
    assert_string_equal(again("2001:db8::1"), "[2001:db8::1]:9");
    assert_string_equal(again("192.0.2.1:65535"), "192.0.2.1:65535");
    assert_string_equal(again("192.0.2.1:0"), "192.0.2.1:0");
    static const char *const bad[] = {
        "",
        ":80",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:080",
        "192.0.2.1:4294967376",
        "192.0.2.1:-1",
        "192.0.2.1:80 ",
        "[2001:db8::1",
        "[2001:db8::1]80",
        "[2001:db8::1]:",
        "[]:80",
        "[[::1]]:80",
        "2001:db8::1]:80",
        "host:80",
        "192.0.2.1]:80",
    };
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_string_equal(again(bad[i]), "refused");
}

/* "::ffff:1.2.3.4:80" must not be read as an address and a port: without brackets IPv6 has none. */
static void ipv6_without_brackets_has_no_port(void **state)
{
    (void)state;
    assert_string_equal(again("::ffff:192.0.2.1:80"), "refused");
    assert_string_equal(again("0:0:0:0:0:ffff:c000:201:80"), "refused");
    assert_string_equal(again("1:2:3:4:5:6:7:8:80"), "refused");
    assert_string_equal(again("0:0:0:0:0:ffff:c000:201"), "192.0.2.1:9");
}

static void a_scope_belongs_to_ipv6_link_local_only(void **state)
{
    (void)state;
    assert_string_equal(again("[fe80::1%3]:9000"), "[fe80::1%3]:9000");
    assert_string_equal(again("fe80::1%3"), "[fe80::1%3]:9");
    assert_string_equal(again("[fe80::1]:9000"), "[fe80::1]:9000");
    assert_string_equal(again("[febf::1%3]:1"), "[febf::1%3]:1");
    assert_string_equal(again("[fec0::1%3]:1"), "refused");
    assert_string_equal(again("[2001:db8::1%3]:1"), "refused");
    assert_string_equal(again("[fe80::1%]:1"), "refused");
    assert_string_equal(again("[fe80::1%eth0]:1"), "refused");
    assert_string_equal(again("[fe80::1%03]:1"), "refused");
    assert_string_equal(again("169.254.0.1%3"), "refused");
    assert_string_equal(again("169.254.0.1%3:80"), "refused");
    assert_string_equal(again("[::ffff:169.254.0.1%3]:80"), "refused");
}

static void every_scope_that_is_printed_is_read(void **state)
{
    (void)state;
    assert_string_equal(again("[fe80::1%1073741825]:1"), "[fe80::1%1073741825]:1");
    assert_string_equal(again("[fe80::1%4294967295]:1"), "[fe80::1%4294967295]:1");
    assert_string_equal(again("[fe80::1%4294967296]:1"), "refused");
    assert_string_equal(again("[fe80::1%4294967299]:1"), "refused");
    assert_string_equal(again("[fe80::1%18446744073709551619]:1"), "refused");
}

static void addresses_differ_by_address_port_and_scope(void **state)
{
    struct kith_addr a = {.ip = ip("fe80::1"), .port = 1, .scope = 2}, b = a;

    (void)state;
    assert_true(kith_addr_equal(&a, &b));
    b.port = 2;
    assert_false(kith_addr_equal(&a, &b));
    b = a;
    b.scope = 3;
    assert_false(kith_addr_equal(&a, &b));
    b = a;
    b.ip = ip("fe80::2");
    assert_false(kith_addr_equal(&a, &b));
    struct kith_ip zero4 = ip("0.0.0.0"), zero6 = ip("::"), none = {0};
    assert_false(kith_ip_equal(&zero4, &zero6) || kith_ip_equal(&zero4, &none));
}

static void addresses_know_their_kind(void **state)
{
    static const struct {
        const char *text;
        bool unspecified, loopback, multicast, link_local;
    } kind[] = {
        {"0.0.0.0", true, false, false, false},
        {"::", true, false, false, false},
        {"127.0.0.1", false, true, false, false},
        {"127.255.255.255", false, true, false, false},
        {"128.0.0.1", false, false, false, false},
        {"::1", false, true, false, false},
        {"::2", false, false, false, false},
        {"224.0.0.1", false, false, true, false},
        {"239.255.255.255", false, false, true, false},
        {"240.0.0.1", false, false, false, false},
        {"255.255.255.255", false, false, true, false},
        {"255.255.255.254", false, false, false, false},
        {"ff02::1", false, false, true, false},
        {"fe80::1", false, false, false, true},
        {"febf:ffff::1", false, false, false, true},
        {"fec0::1", false, false, false, false},
        {"169.254.1.1", false, false, false, true},
        {"169.253.1.1", false, false, false, false},
        {"::ffff:127.0.0.1", false, true, false, false},
        {"2001:db8::1", false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(kind); i++) {
        struct kith_ip a = ip(kind[i].text);
        assert_int_equal(kith_ip_is_unspecified(&a), kind[i].unspecified);
        assert_int_equal(kith_ip_is_loopback(&a), kind[i].loopback);
        assert_int_equal(kith_ip_is_multicast(&a), kind[i].multicast);
        assert_int_equal(kith_ip_is_link_local(&a), kind[i].link_local);
    }
}

static void prefixes_are_read_and_written(void **state)
{
    static const char *const good[][2] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.0.2.1", "192.0.2.1/32"},
        {"192.0.2.1/32", "192.0.2.1/32"},
        {"::/0", "::/0"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:db8::1", "2001:db8::1/128"},
        {"fe80::/10", "fe80::/10"},
    };
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "10.0.0.1/8",
        "10.0.0.0/8 ",
        "10.0.0.0/4294967304",
        "10/8",
        "::/129",
        "2001:db8::1/64",
        "::1/127",
        "10.0.0.0/8/8",
        "fe80::%1/10",
    };
    char buf[KITH_PREFIX_TEXT];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(good); i++) {
        struct kith_prefix p = prefix(good[i][0]);
        assert_string_equal(kith_prefix_text(&p, buf, sizeof buf), good[i][1]);
    }
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        struct kith_prefix p = {.bits = 77};
        assert_int_equal(kith_prefix_parse(bad[i], &p), KITH_E_MALFORMED);
        assert_int_equal(p.bits, 77);
    }
}

/* The bits of an IPv6 text count from the front of 128: in "::ffff:10.0.0.0/8" 8 bits are zeros of
 * "::", and 10.0.0.0/8 is not what was written. */
static void a_mapped_prefix_counts_its_bits_from_the_front(void **state)
{
    struct kith_prefix p = prefix("::ffff:10.0.0.0/104"), v4 = prefix("10.0.0.0/8");
    struct kith_prefix all = prefix("::ffff:0:0/96"), host = prefix("::ffff:10.0.0.1");

    (void)state;
    assert_true(kith_prefix_equal(&p, &v4));
    v4 = prefix("0.0.0.0/0");
    assert_true(kith_prefix_equal(&all, &v4));
    v4 = prefix("10.0.0.1/32");
    assert_true(kith_prefix_equal(&host, &v4));
    assert_int_equal(kith_prefix_parse("::ffff:10.0.0.0/8", &p), KITH_E_MALFORMED);
    assert_int_equal(kith_prefix_parse("::ffff:0.0.0.0/0", &p), KITH_E_MALFORMED);
    assert_int_equal(kith_prefix_parse("::ffff:0:0/95", &p), KITH_E_MALFORMED);
    assert_int_equal(kith_prefix_parse("::ffff:10.0.0.1/104", &p), KITH_E_MALFORMED);
}

static void none_has_a_text_and_a_prefix(void **state)
{
    struct kith_ip none = {0};
    struct kith_addr a = {0};
    struct kith_prefix p = kith_prefix_of(&none, 12);
    char buf[KITH_ADDR_TEXT];

    (void)state;
    assert_string_equal(kith_ip_text(&none, buf, sizeof buf), "none");
    assert_string_equal(kith_addr_text(&a, buf, sizeof buf), "none:0");
    assert_int_equal(p.bits, 0);
    struct kith_ip v4 = ip("0.0.0.0"), v6 = ip("::");
    assert_false(kith_prefix_holds(&p, &v4) || kith_prefix_holds(&p, &v6));
}

static void the_longest_texts_fit_their_buffers(void **state)
{
    struct kith_addr a = {
        .ip = ip("fe80:1111:2222:3333:4444:5555:6666:7777"), .port = 65535, .scope = UINT32_MAX};
    struct kith_prefix p = kith_prefix_of(&a.ip, 128);
    char addr[KITH_ADDR_TEXT], pre[KITH_PREFIX_TEXT];

    (void)state;
    assert_string_equal(kith_addr_text(&a, addr, sizeof addr),
                        "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
    assert_string_equal(kith_prefix_text(&p, pre, sizeof pre),
                        "fe80:1111:2222:3333:4444:5555:6666:7777/128");
}

/* The destination of docs/spec/destination.md: `vpn` of the peer 00 01 … 1f. */
static void an_address_of_the_mesh_is_base32_and_nobody_s_on_the_wire(void **state)
{
    const struct kith_addr a = {.ip = {.family = KITH_FAMILY_MESH,
                                       .b = {0x49, 0x85, 0x50, 0x3b, 0x3b, 0x29, 0x9d, 0xb1, 0xa6,
                                             0x18, 0x33, 0x8b, 0x92, 0x8e, 0x37, 0xce}}};
    char buf[KITH_ADDR_TEXT];

    (void)state;
    assert_string_equal(kith_addr_text(&a, buf, sizeof buf), "mesh:jgcvaoz3fgo3djqygofzfdrxzy");
    assert_int_equal(kith_ip_bytes(&a.ip).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_of_the_mesh_is_base32_and_nobody_s_on_the_wire),
        cmocka_unit_test(ipv6_is_written_as_rfc_5952_says),
        cmocka_unit_test(hostile_texts_are_no_addresses),
        cmocka_unit_test(a_mapped_address_is_ipv4),
        cmocka_unit_test(bytes_of_another_length_are_no_address),
        cmocka_unit_test(ports_and_brackets_are_read_and_written),
        cmocka_unit_test(ipv6_without_brackets_has_no_port),
        cmocka_unit_test(a_scope_belongs_to_ipv6_link_local_only),
        cmocka_unit_test(every_scope_that_is_printed_is_read),
        cmocka_unit_test(addresses_differ_by_address_port_and_scope),
        cmocka_unit_test(addresses_know_their_kind),
        cmocka_unit_test(prefixes_are_read_and_written),
        cmocka_unit_test(a_mapped_prefix_counts_its_bits_from_the_front),
        cmocka_unit_test(none_has_a_text_and_a_prefix),
        cmocka_unit_test(the_longest_texts_fit_their_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
