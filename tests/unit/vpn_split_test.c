/* Cutting super-packets: what Linux does to one on a real interface, checked field by field. */
#include "unit/vpn_packets.h"
#include "vpn/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint8_t super[65536], data[65536];
static struct kith_split s;
static struct kith_parts parts[KITH_SPLIT_BATCH];

static void fill(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
}

/* A super-packet as the kernel hands it over: the checksum field holds the pseudo header's sum. */
static int begin(struct a_packet p, size_t payload, struct kith_vnet *v)
{
    static struct kith_packet info;

    fill();
    p.payload = (struct kith_span){data, payload};
    size_t n = make_packet(&p, super), ip = super[0] >> 4 == 4 ? 20 : 40;
    size_t at = p.proto == TCP ? 16 : 6;
    kith_store_u16(super + ip + at, naive_pseudo_sum(super, n - ip));
    v->flags = KITH_VNET_NEEDS_CSUM;
    v->csum_start = (uint16_t)ip;
    v->csum_offset = (uint16_t)at;
    int err = kith_packet_parse((struct kith_span){super, n}, &info);
    return err < 0 ? err : kith_split_init(&s, super, &info, v, false);
}

/* Packet i put together. */
static struct kith_span whole(size_t i)
{
    static uint8_t out[65536];

    memcpy(out, parts[i].head.p, parts[i].head.n);
    memcpy(out + parts[i].head.n, parts[i].body.p, parts[i].body.n);
    return (struct kith_span){out, parts[i].head.n + parts[i].body.n};
}

static const struct a_packet tcp4 = {.src = "100.64.0.1",
                                     .dst = "100.64.0.2",
                                     .proto = TCP,
                                     .sport = 1000,
                                     .dport = 80,
                                     .seq = 0xffffff00,
                                     .ack = 77,
                                     .window = 500,
                                     .ident = 0xffff,
                                     .flags = ACK | PSH | FIN | CWR};

static void tcp_over_ipv4_is_cut_as_linux_cuts_it(void **state)
{
    struct kith_vnet v = {.gso_type = KITH_GSO_TCP4 | KITH_GSO_ECN, .gso_size = 1000};

    (void)state;
    assert_int_equal(begin(tcp4, 2500, &v), KITH_OK);
    assert_int_equal(kith_split_largest(&s), 1040);
    assert_int_equal(kith_split_next(&s, parts), 3);
    for (size_t i = 0; i < 3; i++) {
        struct kith_span p = whole(i);
        assert_int_equal(p.n, i < 2 ? 1040 : 540);
        assert_true(checksums_are_right(p));
        assert_int_equal(kith_load_u16(p.p + 2), p.n);
        assert_int_equal(kith_load_u16(p.p + 4), (uint16_t)(0xffff + i));
        assert_int_equal(kith_load_u32(p.p + 24), (uint32_t)(0xffffff00 + 1000 * i));
        assert_int_equal(kith_load_u32(p.p + 28), 77);
        assert_memory_equal(p.p + 40, data + 1000 * i, p.n - 40);
    }
    assert_int_equal(whole(0).p[33], ACK | CWR);
    assert_int_equal(whole(1).p[33], ACK);
    assert_int_equal(whole(2).p[33], ACK | PSH | FIN);
    assert_int_equal(kith_split_next(&s, parts), 0);
}

static void tcp_over_ipv6_keeps_its_options_in_every_packet(void **state)
{
    static const uint8_t stamps[12] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8};
    struct a_packet p = tcp4;
    struct kith_vnet v = {.gso_type = KITH_GSO_TCP6, .gso_size = 700};

    (void)state;
    p.src = "fd00::1";
    p.dst = "fd00::2";
    p.options = (struct kith_span){stamps, sizeof stamps};
    assert_int_equal(begin(p, 1400, &v), KITH_OK);
    assert_int_equal(kith_split_next(&s, parts), 2);
    for (size_t i = 0; i < 2; i++) {
        struct kith_span out = whole(i);
        assert_int_equal(out.n, 40 + 32 + 700);
        assert_int_equal(kith_load_u16(out.p + 4), 32 + 700);
        assert_memory_equal(out.p + 60, stamps, sizeof stamps);
        assert_true(checksums_are_right(out));
    }
}

static void udp_becomes_datagrams_of_their_own(void **state)
{
    struct a_packet p = {.src = "fd00::1", .dst = "fd00::2", .proto = UDP, .sport = 1, .dport = 2};
    struct kith_vnet v = {.gso_type = KITH_GSO_UDP, .gso_size = 512};

    (void)state;
    assert_int_equal(begin(p, 1025, &v), KITH_OK);
    assert_int_equal(kith_split_next(&s, parts), 3);
    for (size_t i = 0; i < 3; i++) {
        struct kith_span out = whole(i);
        assert_int_equal(kith_load_u16(out.p + 44), i < 2 ? 520 : 9);
        assert_true(checksums_are_right(out));
    }
}

static void more_than_a_batch_comes_in_several(void **state)
{
    struct kith_vnet v = {.gso_type = KITH_GSO_TCP4, .gso_size = 500};
    size_t total = 0, n;

    (void)state;
    assert_int_equal(begin(tcp4, 65495, &v), KITH_OK);
    assert_int_equal(kith_split_next(&s, parts), 64);
    total = 64;
    while ((n = kith_split_next(&s, parts)) > 0)
        total += n;
    assert_int_equal(total, 131); /* 65495 / 500, rounded up */
}

static void a_kind_that_does_not_fit_the_packet_is_refused(void **state)
{
    struct a_packet udp = {.src = "10.0.0.1", .dst = "10.0.0.2", .proto = UDP};
    static const uint8_t wrong[] = {
        KITH_GSO_TCP6, KITH_GSO_UDP, 2, 3, 6, 0x7f, KITH_GSO_ECN, KITH_GSO_UDP | KITH_GSO_ECN};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(wrong); i++) {
        struct kith_vnet v = {.gso_type = wrong[i], .gso_size = 100};
        assert_int_equal(begin(tcp4, 1000, &v), KITH_E_MALFORMED);
    }
    struct kith_vnet v = {.gso_type = KITH_GSO_TCP4, .gso_size = 100};
    assert_int_equal(begin(udp, 1000, &v), KITH_E_MALFORMED);
}

static void sizes_and_offsets_that_do_not_fit_are_refused(void **state)
{
    static struct kith_packet info;
    struct kith_vnet good = {.gso_type = KITH_GSO_TCP4, .gso_size = 100}, v = good;

    (void)state;
    assert_int_equal(begin(tcp4, 1000, &v), KITH_OK);
    assert_int_equal(kith_packet_parse((struct kith_span){super, 1040}, &info), KITH_OK);
    good = v;
    v.gso_size = 0;
    assert_int_equal(kith_split_init(&s, super, &info, &v, false), KITH_E_MALFORMED);
    v = good;
    v.csum_start = 21;
    assert_int_equal(kith_split_init(&s, super, &info, &v, false), KITH_E_MALFORMED);
    v = good;
    v.csum_offset = 6;
    assert_int_equal(kith_split_init(&s, super, &info, &v, false), KITH_E_MALFORMED);
    v = good;
    v.hdr_len = 60000; /* a kernel that forwards puts something else there: it is no promise */
    assert_int_equal(kith_split_init(&s, super, &info, &v, false), KITH_OK);
    /* nothing to cut */
    v = (struct kith_vnet){.gso_type = KITH_GSO_TCP4, .gso_size = 100};
    assert_int_equal(begin(tcp4, 0, &v), KITH_E_MALFORMED);
}

static void fragments_are_not_cut(void **state)
{
    struct a_packet p = tcp4;
    struct kith_vnet v = {.gso_type = KITH_GSO_TCP4, .gso_size = 100};

    (void)state;
    p.may_fragment = true;
    p.fragment = 0x2000;
    assert_int_equal(begin(p, 1000, &v), KITH_E_MALFORMED);
}

static void a_vnet_header_survives_the_way_there_and_back(void **state)
{
    uint8_t buf[KITH_VNET_LEN];
    struct kith_vnet v = {1, 4, 60, 1400, 40, 16}, back;

    (void)state;
    kith_vnet_write(&v, buf);
    assert_int_equal(kith_vnet_read((struct kith_span){buf, sizeof buf}, &back), KITH_OK);
    assert_memory_equal(&v, &back, sizeof v);
    assert_int_equal(kith_vnet_read((struct kith_span){buf, 9}, &back), KITH_E_MALFORMED);
}

static void an_unfinished_checksum_is_finished(void **state)
{
    struct a_packet p = tcp4;
    struct kith_vnet v = {KITH_VNET_NEEDS_CSUM, 0, 0, 0, 20, 16};

    (void)state;
    fill();
    p.payload = (struct kith_span){data, 333};
    size_t n = make_packet(&p, super);
    kith_store_u16(super + 36, naive_pseudo_sum(super, n - 20));
    assert_int_equal(kith_vnet_complete(&v, super, n, 20), KITH_OK);
    assert_true(checksums_are_right((struct kith_span){super, n}));
}

static void a_checksum_outside_of_the_packet_is_refused(void **state)
{
    uint8_t *exact = malloc(60);
    struct kith_vnet v = {.flags = KITH_VNET_NEEDS_CSUM};
    static const uint16_t bad[][2] = {{19, 0}, {0, 16}, {20, 39}, {59, 0}, {60, 0}, {65535, 65535}};

    (void)state;
    make_packet(&tcp4, super);
    memcpy(exact, super, 60);
    for (size_t i = 0; i < KITH_COUNT(bad); i++) {
        v.csum_start = bad[i][0];
        v.csum_offset = bad[i][1];
        assert_int_equal(kith_vnet_complete(&v, exact, 60, 20), KITH_E_MALFORMED);
    }
    v.csum_start = 20;
    v.csum_offset = 38; /* the last two bytes */
    assert_int_equal(kith_vnet_complete(&v, exact, 60, 20), KITH_OK);
    free(exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_over_ipv4_is_cut_as_linux_cuts_it),
        cmocka_unit_test(tcp_over_ipv6_keeps_its_options_in_every_packet),
        cmocka_unit_test(udp_becomes_datagrams_of_their_own),
        cmocka_unit_test(more_than_a_batch_comes_in_several),
        cmocka_unit_test(a_kind_that_does_not_fit_the_packet_is_refused),
        cmocka_unit_test(sizes_and_offsets_that_do_not_fit_are_refused),
        cmocka_unit_test(fragments_are_not_cut),
        cmocka_unit_test(a_vnet_header_survives_the_way_there_and_back),
        cmocka_unit_test(an_unfinished_checksum_is_finished),
        cmocka_unit_test(a_checksum_outside_of_the_packet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
