/* What src/vpn/ip.h promises of packets that are well made, and of those that are not. */
#include "unit/vpn_packets.h"
#include "vpn/checksum.h"
#include "vpn/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t bytes[2048];

static int parse(size_t n, struct kith_packet *p)
{
    /* A copy of exactly n bytes, so that the sanitizer sees a read past the end. */
    uint8_t *exact = malloc(n == 0 ? 1 : n);
    memcpy(exact, bytes, n);
    int err = kith_packet_parse((struct kith_span){exact, n}, p);
    free(exact);
    return err;
}

static const struct a_packet tcp4 = {.src = "100.64.0.1",
                                     .dst = "100.64.0.2",
                                     .proto = TCP,
                                     .sport = 1000,
                                     .dport = 80,
                                     .flags = ACK};
static const struct a_packet udp6 = {
    .src = "fd00::1", .dst = "fd00::2", .proto = UDP, .sport = 5, .dport = 6};

/* ---- checksums ---- */

static void the_sum_of_rfc_1071_comes_out(void **state)
{
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    (void)state;
    assert_int_equal(kith_sum_fold(kith_sum_add(0, example, sizeof example)), 0xddf2);
}

static void the_checksum_of_a_known_ip_header_comes_out(void **state)
{
    uint8_t h[] = {0x45, 0, 0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
                   0,    0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7};

    (void)state;
    kith_ip4_checksum_set(h, sizeof h);
    assert_int_equal(kith_load_u16(h + 10), 0xb861);
}

static void the_update_of_rfc_1624_comes_out(void **state)
{
    (void)state;
    assert_int_equal(kith_checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

static void the_sum_equals_the_naive_one_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 151 + i / 7);
    for (size_t n = 0; n < 300; n++) {
        uint16_t naive = naive_sum(0, bytes, n);
        assert_int_equal(kith_sum_fold(kith_sum_add(0, bytes, n)), naive);
    }
}

/* ---- well-made packets ---- */

static void tcp_over_ipv4_is_understood(void **state)
{
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(make_packet(&tcp4, bytes), &p), KITH_OK);
    struct kith_ip src = ip_of("100.64.0.1"), dst = ip_of("100.64.0.2");
    assert_true(kith_ip_equal(&p.src, &src));
    assert_true(kith_ip_equal(&p.dst, &dst));
    assert_int_equal(p.proto, KITH_PROTO_TCP);
    assert_int_equal(p.l4, 20);
    assert_int_equal(p.l4_len, 20);
    assert_int_equal(p.src_port, 1000);
    assert_int_equal(p.dst_port, 80);
    assert_true(p.plain && p.dont_fragment && !p.fragment);
}

static void udp_over_ipv6_is_understood(void **state)
{
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(make_packet(&udp6, bytes), &p), KITH_OK);
    assert_int_equal(p.proto, KITH_PROTO_UDP);
    assert_int_equal(p.l4, 40);
    assert_int_equal(p.dst_port, 6);
    assert_true(kith_packet_checksum_good((struct kith_span){bytes, p.len}, &p));
    bytes[41] ^= 1;
    assert_false(kith_packet_checksum_good((struct kith_span){bytes, p.len}, &p));
}

/* Puts n bytes of extension headers of the given kind between IPv6 header and UDP. */
static size_t udp6_behind(const uint8_t *ext, size_t n, uint8_t kind)
{
    uint8_t plain[128];
    size_t len = make_packet(&udp6, plain);

    memcpy(bytes, plain, 40);
    memcpy(bytes + 40, ext, n);
    memcpy(bytes + 40 + n, plain + 40, len - 40);
    bytes[6] = kind;
    kith_store_u16(bytes + 4, (uint16_t)(n + len - 40));
    return len + n;
}

static void ports_are_found_behind_extension_headers(void **state)
{
    static const uint8_t hop_then_dest[] = {60, 0, 1, 4, 0, 0, 0, 0, UDP, 1, 1, 12,
                                            0,  0, 0, 0, 0, 0, 0, 0, 0,   0, 0, 0};
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(udp6_behind(hop_then_dest, sizeof hop_then_dest, 0), &p), KITH_OK);
    assert_int_equal(p.dst_port, 6);
    assert_int_equal(p.l4, 64);
    assert_false(p.plain);
}

/* The firewall hole of the field: (255 + 1) * 8 = 2048 does not fit a byte. */
static void an_extension_header_of_the_greatest_length_is_skipped_whole(void **state)
{
    static uint8_t ext[2048];
    static uint8_t big[4096];
    struct kith_packet p;
    uint8_t plain[128];
    size_t len = make_packet(&udp6, plain);

    (void)state;
    ext[0] = UDP;
    ext[1] = 255;
    memcpy(big, plain, 40);
    memcpy(big + 40, ext, sizeof ext);
    memcpy(big + 40 + sizeof ext, plain + 40, len - 40);
    big[6] = 60;
    kith_store_u16(big + 4, (uint16_t)(sizeof ext + len - 40));
    assert_int_equal(kith_packet_parse((struct kith_span){big, len + sizeof ext}, &p), KITH_OK);
    assert_int_equal(p.l4, 40 + 2048);
    assert_int_equal(p.dst_port, 6);
    /* and with one byte less it is cut */
    kith_store_u16(big + 4, 2047);
    assert_int_equal(kith_packet_parse((struct kith_span){big, 40 + 2047}, &p), KITH_E_MALFORMED);
}

static void eight_extension_headers_pass_and_nine_do_not(void **state)
{
    uint8_t ext[9 * 8] = {0};
    struct kith_packet p;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        ext[i * 8] = 60;
    ext[7 * 8] = UDP;
    assert_int_equal(parse(udp6_behind(ext, 8 * 8, 60), &p), KITH_OK);
    assert_int_equal(p.dst_port, 6);
    ext[7 * 8] = 60;
    ext[8 * 8] = UDP;
    assert_int_equal(parse(udp6_behind(ext, 9 * 8, 60), &p), KITH_E_MALFORMED);
}

static void an_authentication_header_counts_in_words_of_four(void **state)
{
    static const uint8_t ah[24] = {UDP, 4}; /* (4 + 2) * 4 */
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(udp6_behind(ah, sizeof ah, 51), &p), KITH_OK);
    assert_int_equal(p.dst_port, 6);
}

static void a_later_fragment_has_no_ports(void **state)
{
    static const uint8_t first[8] = {UDP, 0, 0, 1, 0, 0, 0, 9};
    static const uint8_t later[8] = {UDP, 0, 0, 8, 0, 0, 0, 9};
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(udp6_behind(first, 8, 44), &p), KITH_OK);
    assert_true(p.fragment && !p.later);
    assert_int_equal(p.ident, 9);
    assert_int_equal(p.dst_port, 6);
    assert_int_equal(parse(udp6_behind(later, 8, 44), &p), KITH_OK);
    assert_true(p.fragment && p.later);
    assert_int_equal(p.dst_port, 0);
}

static void a_routing_header_with_segments_left_is_seen(void **state)
{
    static const uint8_t spent[8] = {UDP, 0, 4, 0}, left[8] = {UDP, 0, 4, 1};
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(udp6_behind(spent, 8, 43), &p), KITH_OK);
    assert_false(p.source_routed);
    assert_int_equal(parse(udp6_behind(left, 8, 43), &p), KITH_OK);
    assert_true(p.source_routed);
}

/* ---- hostile packets ---- */

static void every_cut_of_a_packet_is_refused(void **state)
{
    struct kith_packet p;
    static const struct a_packet icmp = {
        .src = "10.0.0.1", .dst = "10.0.0.2", .proto = ICMP, .sport = 8 << 8};
    const struct a_packet *kinds[] = {&tcp4, &udp6, &icmp};

    (void)state;
    for (size_t k = 0; k < KITH_COUNT(kinds); k++) {
        size_t n = make_packet(kinds[k], bytes);
        assert_int_equal(parse(n, &p), KITH_OK);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(parse(cut, &p), KITH_E_MALFORMED);
    }
}

/* The IP length is made to agree with the cut: now only the transport header is too short. */
static void a_packet_whose_transport_header_is_cut_is_refused(void **state)
{
    struct kith_packet p;

    (void)state;
    make_packet(&tcp4, bytes);
    for (size_t n = 20; n < 40; n++) {
        kith_store_u16(bytes + 2, (uint16_t)n);
        assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    }
}

static void bytes_after_the_packet_are_refused(void **state)
{
    struct kith_packet p;

    (void)state;
    assert_int_equal(parse(make_packet(&tcp4, bytes) + 1, &p), KITH_E_MALFORMED);
    assert_int_equal(parse(make_packet(&udp6, bytes) + 1, &p), KITH_E_MALFORMED);
}

static void header_lengths_that_lie_are_refused(void **state)
{
    struct kith_packet p;
    size_t n = make_packet(&tcp4, bytes);

    (void)state;
    bytes[0] = 0x44; /* an IPv4 header of 16 bytes */
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    bytes[0] = 0x4f; /* of 60, more than there is */
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    make_packet(&tcp4, bytes);
    bytes[32] = 0x40; /* a TCP header of 16 bytes */
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    bytes[32] = 0x60; /* of 24, more than there is */
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    n = make_packet(&udp6, bytes);
    bytes[45] = 7; /* a UDP datagram shorter than its header */
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    bytes[45] = 9;
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
}

static void unknown_versions_and_nothing_are_refused(void **state)
{
    struct kith_packet p;
    size_t n = make_packet(&tcp4, bytes);

    (void)state;
    bytes[0] = 0x55;
    assert_int_equal(parse(n, &p), KITH_E_MALFORMED);
    assert_int_equal(parse(0, &p), KITH_E_MALFORMED);
}

static void a_fragment_that_would_overwrite_tcp_flags_is_refused(void **state)
{
    struct a_packet f = tcp4;
    struct kith_packet p;

    (void)state;
    f.may_fragment = true;
    f.fragment = 1; /* at byte 8 (RFC 3128) */
    assert_int_equal(parse(make_packet(&f, bytes), &p), KITH_E_MALFORMED);
    f.fragment = 2; /* at byte 16: also inside a TCP header */
    assert_int_equal(parse(make_packet(&f, bytes), &p), KITH_E_MALFORMED);
    f.fragment = 3;
    assert_int_equal(parse(make_packet(&f, bytes), &p), KITH_OK);
    assert_true(p.later);
}

/* The same in IPv6, where the first fragment holds the whole TCP header, too (RFC 7112). */
static void an_ipv6_fragment_that_would_overwrite_tcp_flags_is_refused(void **state)
{
    uint8_t later[8] = {TCP, 0, 0, 0, 0, 0, 0, 9};
    struct kith_packet p;

    (void)state;
    for (uint8_t offset = 1; offset <= 2; offset++) {
        later[3] = (uint8_t)(offset << 3 | 1); /* more follow */
        assert_int_equal(parse(udp6_behind(later, 8, 44), &p), KITH_E_MALFORMED);
        later[3] = (uint8_t)(offset << 3);
        assert_int_equal(parse(udp6_behind(later, 8, 44), &p), KITH_E_MALFORMED);
    }
    later[3] = 3 << 3;
    assert_int_equal(parse(udp6_behind(later, 8, 44), &p), KITH_OK);
    assert_true(p.later);
    later[0] = UDP; /* whose header is 8 bytes */
    later[3] = 1 << 3;
    assert_int_equal(parse(udp6_behind(later, 8, 44), &p), KITH_OK);
}

static void a_source_route_among_ipv4_options_is_seen(void **state)
{
    struct kith_packet p;
    uint8_t plain[128];
    size_t n = make_packet(&tcp4, plain);

    (void)state;
    memcpy(bytes, plain, 20);
    memcpy(bytes + 20, (const uint8_t[]){1, 131, 7, 4, 10, 0, 0, 1}, 8);
    memcpy(bytes + 28, plain + 20, n - 20);
    bytes[0] = 0x47;
    kith_store_u16(bytes + 2, (uint16_t)(n + 8));
    assert_int_equal(parse(n + 8, &p), KITH_OK);
    assert_true(p.source_routed && !p.plain);
    assert_int_equal(p.dst_port, 80);
    bytes[22] = 1; /* an option shorter than its own two bytes */
    assert_int_equal(parse(n + 8, &p), KITH_E_MALFORMED);
    bytes[22] = 8; /* one byte past the header */
    assert_int_equal(parse(n + 8, &p), KITH_E_MALFORMED);
}

static void ipv4_in_disguise_is_martian(void **state)
{
    static const char *const bad[] = {"::",      "::1",       "::10.0.0.1", "0.0.0.0",
                                      "0.1.2.3", "127.0.0.1", "240.0.0.1",  "255.255.255.255"};
    struct kith_ip ip;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        ip = ip_of(bad[i]);
        assert_true(kith_ip_is_martian(&ip));
    }
    ip = (struct kith_ip){KITH_FAMILY_IP6, {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}};
    assert_true(kith_ip_is_martian(&ip));
    ip = ip_of("fd00::1");
    assert_false(kith_ip_is_martian(&ip));
    ip = ip_of("100.64.0.1");
    assert_false(kith_ip_is_martian(&ip));
}

/* ---- MSS ---- */

static size_t syn_with(const uint8_t *options, size_t n)
{
    struct a_packet syn = tcp4;

    syn.flags = SYN;
    syn.options = (struct kith_span){options, n};
    return make_packet(&syn, bytes);
}

static void a_larger_mss_is_lowered_and_the_checksum_stays_right(void **state)
{
    static const uint8_t options[] = {2, 4, 0x05, 0xb4, 1, 3, 3, 7};
    struct kith_packet p;
    size_t n = syn_with(options, sizeof options);

    (void)state;
    assert_int_equal(parse(n, &p), KITH_OK);
    assert_true(kith_mss_clamp(bytes, &p, 1360));
    assert_int_equal(kith_load_u16(bytes + 42), 1360);
    assert_true(checksums_are_right((struct kith_span){bytes, n}));
    assert_false(kith_mss_clamp(bytes, &p, 1360));
}

static void an_mss_at_an_odd_offset_is_lowered_too(void **state)
{
    static const uint8_t options[] = {1, 2, 4, 0x05, 0xb4, 1, 1, 0};
    struct kith_packet p;
    size_t n = syn_with(options, sizeof options);

    (void)state;
    assert_int_equal(parse(n, &p), KITH_OK);
    assert_true(kith_mss_clamp(bytes, &p, 1340));
    assert_int_equal(kith_load_u16(bytes + 43), 1340);
    assert_true(checksums_are_right((struct kith_span){bytes, n}));
}

static void a_smaller_mss_and_odd_options_are_left_alone(void **state)
{
    static const uint8_t small[] = {2, 4, 0x02, 0x00}, short_len[] = {2, 1, 0xff, 0xff},
                         too_long[] = {3, 40, 2, 4}, none[] = {0, 2, 4, 0xff},
                         wrong_len[] = {2, 3, 0xff, 0};
    const uint8_t *kinds[] = {small, short_len, too_long, none, wrong_len};
    struct kith_packet p;

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(kinds); i++) {
        size_t n = syn_with(kinds[i], 4);
        uint8_t before[64];
        memcpy(before, bytes, n);
        assert_int_equal(parse(n, &p), KITH_OK);
        assert_false(kith_mss_clamp(bytes, &p, 1360));
        assert_memory_equal(before, bytes, n);
    }
}

static void only_openings_are_clamped(void **state)
{
    static const uint8_t options[] = {2, 4, 0x05, 0xb4};
    struct a_packet data = tcp4;
    struct kith_packet p;

    (void)state;
    data.options = (struct kith_span){options, 4};
    assert_int_equal(parse(make_packet(&data, bytes), &p), KITH_OK);
    assert_false(kith_mss_clamp(bytes, &p, 1360));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_of_rfc_1071_comes_out),
        cmocka_unit_test(the_checksum_of_a_known_ip_header_comes_out),
        cmocka_unit_test(the_update_of_rfc_1624_comes_out),
        cmocka_unit_test(the_sum_equals_the_naive_one_at_every_length),
        cmocka_unit_test(tcp_over_ipv4_is_understood),
        cmocka_unit_test(udp_over_ipv6_is_understood),
        cmocka_unit_test(ports_are_found_behind_extension_headers),
        cmocka_unit_test(an_extension_header_of_the_greatest_length_is_skipped_whole),
        cmocka_unit_test(eight_extension_headers_pass_and_nine_do_not),
        cmocka_unit_test(an_authentication_header_counts_in_words_of_four),
        cmocka_unit_test(a_later_fragment_has_no_ports),
        cmocka_unit_test(a_routing_header_with_segments_left_is_seen),
        cmocka_unit_test(every_cut_of_a_packet_is_refused),
        cmocka_unit_test(a_packet_whose_transport_header_is_cut_is_refused),
        cmocka_unit_test(bytes_after_the_packet_are_refused),
        cmocka_unit_test(header_lengths_that_lie_are_refused),
        cmocka_unit_test(unknown_versions_and_nothing_are_refused),
        cmocka_unit_test(a_fragment_that_would_overwrite_tcp_flags_is_refused),
        cmocka_unit_test(an_ipv6_fragment_that_would_overwrite_tcp_flags_is_refused),
        cmocka_unit_test(a_source_route_among_ipv4_options_is_seen),
        cmocka_unit_test(ipv4_in_disguise_is_martian),
        cmocka_unit_test(a_larger_mss_is_lowered_and_the_checksum_stays_right),
        cmocka_unit_test(an_mss_at_an_odd_offset_is_lowered_too),
        cmocka_unit_test(a_smaller_mss_and_odd_options_are_left_alone),
        cmocka_unit_test(only_openings_are_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
