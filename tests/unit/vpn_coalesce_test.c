/* Which packets may become one, and in what order things come out. */
#include "unit/vpn_packets.h"
#include "vpn/coalesce.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct written {
    struct kith_vnet vnet;
    size_t len;
    uint8_t packet[65536];
};

static struct written out[40];
static size_t out_n;
static bool device_full;
static struct kith_coalesce c;
static uint8_t data[65536];

static bool take(void *ctx, const struct kith_span *parts, size_t n)
{
    struct written *w = &out[out_n];
    uint8_t all[KITH_VNET_LEN + 65536];
    size_t len = 0;

    (void)ctx;
    if (device_full)
        return false;
    for (size_t i = 0; i < n; i++) {
        memcpy(all + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    assert_int_equal(kith_vnet_read((struct kith_span){all, len}, &w->vnet), KITH_OK);
    w->len = len - KITH_VNET_LEN;
    memcpy(w->packet, all + KITH_VNET_LEN, w->len);
    out_n++;
    return true;
}

static int setup(void **state)
{
    (void)state;
    out_n = 0;
    device_full = false;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 13 + i / 256);
    return kith_coalesce_init(&c, &kith_heap, (struct kith_vpn_in){take, NULL}, true);
}

static int teardown(void **state)
{
    (void)state;
    kith_coalesce_fini(&c);
    return 0;
}

static uint8_t made[65536];

static void add_bytes(size_t n)
{
    struct kith_packet info;
    struct kith_span s = {made, n};

    assert_int_equal(kith_packet_parse(s, &info), KITH_OK);
    kith_coalesce_add(&c, s, &info);
}

static void add(const struct a_packet *p)
{
    add_bytes(make_packet(p, made));
}

/* n payload bytes of a TCP stream from offset `at`. */
static struct a_packet segment(size_t at, size_t n)
{
    return (struct a_packet){.src = "100.64.0.1",
                             .dst = "100.64.0.2",
                             .proto = TCP,
                             .sport = 1000,
                             .dport = 80,
                             .seq = (uint32_t)(0xfffff000 + at),
                             .ack = 5,
                             .flags = ACK,
                             .window = 100,
                             .payload = {data + at, n}};
}

static void consecutive_segments_become_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct a_packet p = segment(i * 1000, 1000);
        add(&p);
    }
    assert_int_equal(out_n, 0);
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, 1);
    const struct written *w = &out[0];
    assert_int_equal(w->len, 5040);
    assert_int_equal(w->vnet.gso_type, KITH_GSO_TCP4);
    assert_int_equal(w->vnet.gso_size, 1000);
    assert_int_equal(w->vnet.flags, KITH_VNET_NEEDS_CSUM);
    assert_int_equal(w->vnet.csum_start, 20);
    assert_int_equal(w->vnet.csum_offset, 16);
    assert_int_equal(w->vnet.hdr_len, 40);
    assert_int_equal(kith_load_u16(w->packet + 2), 5040);
    assert_int_equal(naive_sum(0, w->packet, 20), 0xffff);
    assert_int_equal(kith_load_u16(w->packet + 36), naive_pseudo_sum(w->packet, 5020));
    assert_memory_equal(w->packet + 40, data, 5000);
    assert_int_equal(c.written, 5);
    assert_int_equal(c.writes, 1);
}

static void one_alone_goes_out_as_it_came(void **state)
{
    struct a_packet p = segment(0, 1000);
    uint8_t before[1100];
    size_t n = make_packet(&p, before);

    (void)state;
    add(&p);
    kith_coalesce_flush(&c);
    assert_int_equal(out[0].len, n);
    assert_memory_equal(out[0].packet, before, n);
    assert_int_equal(out[0].vnet.flags, 0);
    assert_int_equal(out[0].vnet.gso_type, KITH_GSO_NONE);
}

static void push_and_a_short_segment_end_a_super_packet(void **state)
{
    struct a_packet a = segment(0, 1000), b = segment(1000, 1000), d = segment(2000, 1000),
                    e = segment(3000, 400);

    (void)state;
    b.flags |= PSH;
    add(&a);
    add(&b);
    assert_int_equal(out_n, 1);
    assert_int_equal(out[0].packet[33], ACK | PSH);
    add(&d);
    add(&e);
    assert_int_equal(out_n, 2);
    assert_int_equal(out[1].len, 1440);
    assert_int_equal(out[1].packet[33], ACK);
}

/* Every way in which the second packet may differ so that it must not be merged; both come out,
 * the first one first. */
static void what_differs_is_not_merged(void **state)
{
    static const uint8_t stamp_a[] = {1, 1, 1, 1}, stamp_b[] = {1, 1, 1, 0};
    struct a_packet base = segment(1000, 1000), d[12];

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(d); i++)
        d[i] = base;
    d[0].seq += 1;
    d[1].seq -= 1000;
    d[2].ack++;
    d[3].window++;
    d[4].tos = 3;
    d[5].flags |= FIN;
    d[6].flags |= CWR;
    d[7].flags = PSH;
    d[8].may_fragment = true;
    d[9].payload.n = 1001;
    d[10].options = (struct kith_span){stamp_b, 4};
    d[11].payload.n = 0;
    for (size_t i = 0; i < KITH_COUNT(d); i++) {
        struct a_packet first = segment(0, 1000);
        if (i == 10)
            first.options = (struct kith_span){stamp_a, 4};
        out_n = 0;
        add(&first);
        add(&d[i]);
        kith_coalesce_flush(&c);
        assert_int_equal(out_n, 2);
        assert_int_equal(kith_load_u32(out[0].packet + 24), 0xfffff000);
        assert_int_equal(out[0].vnet.gso_type, KITH_GSO_NONE);
        assert_int_equal(out[1].vnet.gso_type, KITH_GSO_NONE);
    }
}

static void a_segment_with_a_wrong_checksum_is_never_vouched_for(void **state)
{
    struct a_packet a = segment(0, 1000), b = segment(1000, 1000), d = segment(2000, 1000);

    (void)state;
    add(&a);
    size_t n = make_packet(&b, made);
    made[n - 1] ^= 1;
    add_bytes(n);
    add(&d);
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, 3);
    assert_int_equal(out[1].vnet.flags, 0);
    assert_false(checksums_are_right((struct kith_span){out[1].packet, out[1].len}));
    /* the same for the IP header's own */
    out_n = 0;
    add(&a);
    n = make_packet(&b, made);
    made[10] ^= 1;
    add_bytes(n);
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, 2);
}

static void flows_are_held_side_by_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (uint16_t flow = 0; flow < KITH_COALESCE_FLOWS; flow++) {
            struct a_packet p = segment(i * 500, 500);
            p.sport = (uint16_t)(2000 + flow);
            add(&p);
        }
    assert_int_equal(out_n, 0);
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, KITH_COALESCE_FLOWS);
    for (uint16_t flow = 0; flow < KITH_COALESCE_FLOWS; flow++) {
        assert_int_equal(kith_load_u16(out[flow].packet + 20), 2000 + flow);
        assert_int_equal(out[flow].len, 2040);
    }
}

static void one_flow_too_many_sends_the_oldest_on(void **state)
{
    (void)state;
    for (uint16_t flow = 0; flow <= KITH_COALESCE_FLOWS; flow++) {
        struct a_packet p = segment(0, 500);
        p.sport = (uint16_t)(2000 + flow);
        add(&p);
    }
    assert_int_equal(out_n, 1);
    assert_int_equal(kith_load_u16(out[0].packet + 20), 2000);
}

static void nothing_overtakes_within_its_flow(void **state)
{
    struct a_packet a = segment(0, 1000), fin = segment(1000, 0), other = segment(0, 0);

    (void)state;
    fin.flags = ACK | FIN;
    other.sport = 9;
    add(&a);
    add(&other);
    assert_int_equal(out_n, 1); /* another flow's does not push */
    add(&fin);
    assert_int_equal(out_n, 3);
    assert_int_equal(out[1].len, 1040);
    assert_int_equal(out[2].len, 40);
}

static void a_fragment_does_not_overtake_packets_between_the_same_ends(void **state)
{
    struct a_packet a = segment(0, 1000), f = segment(0, 8);

    (void)state;
    f.proto = UDP;
    f.may_fragment = true;
    f.fragment = 5;
    add(&a);
    add(&f);
    assert_int_equal(out_n, 2);
    assert_int_equal(out[0].len, 1040);
}

static void a_super_packet_stays_under_64_kib(void **state)
{
    (void)state;
    for (size_t i = 0; i < 48; i++) {
        struct a_packet p = segment(i * 1365, 1365);
        p.src = "fd00::1";
        p.dst = "fd00::2";
        add(&p);
    }
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, 2);
    assert_int_equal(out[0].len, 60 + 47 * 1365); /* 48 would be 65,580 */
    assert_int_equal(out[0].vnet.gso_type, KITH_GSO_TCP6);
    assert_int_equal(kith_load_u16(out[0].packet + 4), 20 + 47 * 1365);
}

static struct a_packet datagram(size_t n)
{
    return (struct a_packet){.src = "fd00::1",
                             .dst = "fd00::2",
                             .proto = UDP,
                             .sport = 7,
                             .dport = 8,
                             .payload = {data, n}};
}

static void equal_datagrams_become_one(void **state)
{
    struct a_packet d = datagram(300), last = datagram(100);

    (void)state;
    for (int i = 0; i < 6; i++)
        add(&d);
    add(&last);
    assert_int_equal(out_n, 1);
    assert_int_equal(out[0].vnet.gso_type, KITH_GSO_UDP);
    assert_int_equal(out[0].vnet.gso_size, 300);
    assert_int_equal(out[0].vnet.csum_offset, 6);
    assert_int_equal(out[0].len, 48 + 1900);
    assert_int_equal(kith_load_u16(out[0].packet + 44), 1908);
}

static void no_more_datagrams_than_linux_takes_become_one(void **state)
{
    struct a_packet d = datagram(10);

    (void)state;
    for (int i = 0; i < 65; i++)
        add(&d);
    kith_coalesce_flush(&c);
    assert_int_equal(out_n, 2);
    assert_int_equal(out[0].len, 48 + 640);
}

static void datagrams_stay_apart_where_the_device_cannot_cut_them(void **state)
{
    struct a_packet d = datagram(300);

    (void)state;
    c.udp = false;
    add(&d);
    add(&d);
    assert_int_equal(out_n, 2);
}

static void a_datagram_without_checksum_passes_alone(void **state)
{
    struct a_packet d = datagram(300);

    (void)state;
    d.src = "10.0.0.1";
    d.dst = "10.0.0.2";
    for (int i = 0; i < 2; i++) {
        size_t n = make_packet(&d, made);
        kith_store_u16(made + 26, 0);
        add_bytes(n);
    }
    assert_int_equal(out_n, 2);
    assert_int_equal(kith_load_u16(out[0].packet + 26), 0);
}

static void what_the_device_does_not_take_is_counted(void **state)
{
    struct a_packet a = segment(0, 1000), b = segment(1000, 1000);

    (void)state;
    device_full = true;
    add(&a);
    add(&b);
    kith_coalesce_flush(&c);
    assert_int_equal(c.lost, 2);
    assert_int_equal(c.written, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(consecutive_segments_become_one),
        T(one_alone_goes_out_as_it_came),
        T(push_and_a_short_segment_end_a_super_packet),
        T(what_differs_is_not_merged),
        T(a_segment_with_a_wrong_checksum_is_never_vouched_for),
        T(flows_are_held_side_by_side),
        T(one_flow_too_many_sends_the_oldest_on),
        T(nothing_overtakes_within_its_flow),
        T(a_fragment_does_not_overtake_packets_between_the_same_ends),
        T(a_super_packet_stays_under_64_kib),
        T(equal_datagrams_become_one),
        T(no_more_datagrams_than_linux_takes_become_one),
        T(datagrams_stay_apart_where_the_device_cannot_cut_them),
        T(a_datagram_without_checksum_passes_alone),
        T(what_the_device_does_not_take_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
