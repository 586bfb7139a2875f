/* What goes with packets beside their bytes: checksums left to the receiver, and congestion. */
#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vpn/vnet.h"

static const struct kith_marks partial = {.partial = true};
static const struct kith_marks congested = {.ecn = 3};
static uint8_t buf[KITH_VNET_LEN + 65536];

static struct a_packet of_kind(struct a_packet p, uint8_t proto, bool v6, bool from_us)
{
    p.proto = proto;
    p.flags = ACK;
    if (v6) {
        p.src = from_us ? "fd00::1" : "fd00::2";
        p.dst = from_us ? "fd00::2" : "fd00::1";
    }
    return p;
}

/* What a kernel does with NEEDS_CSUM: sums from csum_start on what is there, the pseudo-header's
 * sum included, and writes the complement. */
static void kernel_completes(const struct kith_vnet *vnet, uint8_t *packet, size_t n)
{
    uint16_t sum = (uint16_t)~naive_sum(0, packet + vnet->csum_start, n - vnet->csum_start);

    kith_store_u16(packet + vnet->csum_start + vnet->csum_offset, sum);
}

/* ---- checksums, out ---- */

/* The device gives a packet whose checksum is begun. */
static void tun_unfinished(const struct a_packet *p)
{
    size_t n = make_packet(p, buf + KITH_VNET_LEN), l4 = buf[KITH_VNET_LEN] >> 4 == 4 ? 20 : 40;
    uint16_t at = p->proto == TCP ? 16 : 6;
    const struct kith_vnet vnet = {
        .flags = KITH_VNET_NEEDS_CSUM, .csum_start = (uint16_t)l4, .csum_offset = at};

    kith_vnet_write(&vnet, buf);
    kith_store_u16(buf + KITH_VNET_LEN + l4 + at, naive_pseudo_sum(buf + KITH_VNET_LEN, n - l4));
    kith_vpn_from_tun(v, buf, KITH_VNET_LEN + n, PLAY_T0);
}

static void an_unfinished_packet_goes_partial_only_to_who_takes_that(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct a_packet p = of_kind(to_bob(), i & 1 ? TCP : UDP, i & 2, true);
        sent_n = 0;
        takes_partial = false;
        tun_unfinished(&p);
        takes_partial = true;
        tun_unfinished(&p);
        assert_int_equal(sent_n, 2);
        assert_false(sent[0].marks.partial);
        assert_true(checksums_are_right((struct kith_span){sent[0].bytes, sent[0].len}));
        assert_true(sent[1].marks.partial);
        assert_int_equal(sent[1].len, sent[0].len);
    }
}

static void a_finished_packet_keeps_its_checksum_whoever_it_goes_to(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    takes_partial = true;
    tun(&p);
    assert_false(sent[0].marks.partial);
    assert_true(checksums_are_right((struct kith_span){sent[0].bytes, sent[0].len}));
}

static void a_super_packet_is_cut_into_partial_packets(void **state)
{
    (void)state;
    takes_partial = true;
    kith_vpn_from_tun(v, buf, super(buf, 10000, 1000), PLAY_T0);
    assert_int_equal(sent_n, 10);
    for (size_t i = 0; i < sent_n; i++)
        assert_true(sent[i].marks.partial);
}

static void partial_packets_do_not_wait_for_a_session_of_somebody_unknown(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    takes_partial = true;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    tun_unfinished(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_congested), 1);
    assert_int_equal(kith_vpn_counters(v).waited, 0);
    takes_partial = false; /* as it is when there is no session: then it waits, finished */
    tun_unfinished(&p);
    assert_int_equal(kith_vpn_counters(v).waited, 1);
}

/* ---- checksums, in ---- */

static void the_kernel_gets_a_partial_packet_that_it_can_finish(void **state)
{
    static uint8_t whole[2048];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct a_packet p = of_kind(from_bob(), i & 1 ? TCP : UDP, i & 2, false);
        if (p.proto == TCP && i & 4)
            p.flags = FIN | ACK; /* these are not held for merging */
        size_t n = make_packet(&p, whole);
        written_n = 0;
        peer_marked(&p, partial, (uint16_t)(0x1111 * i)); /* whatever stands there */
        kith_vpn_flush(v);
        assert_int_equal(written_n, 1);
        assert_int_equal(written[0].vnet.flags, KITH_VNET_NEEDS_CSUM);
        assert_int_equal(written[0].vnet.gso_type, KITH_GSO_NONE);
        uint16_t start = written[0].vnet.csum_start, at = written[0].vnet.csum_offset;
        assert_int_equal(start, i & 2 ? 40 : 20);
        assert_int_equal(kith_load_u16(written[0].bytes + start + at),
                         naive_pseudo_sum(whole, n - start));
        kernel_completes(&written[0].vnet, written[0].bytes, written[0].len);
        assert_int_equal(written[0].len, n);
        assert_memory_equal(written[0].bytes, whole, n);
    }
}

static void without_offload_the_checksum_is_made_here(void **state)
{
    static uint8_t whole[2048];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct a_packet p = of_kind(from_bob(), i & 1 ? TCP : UDP, i & 2, false);
        size_t n = make_packet(&p, whole);
        written_n = 0;
        peer_marked(&p, partial, 0xdead);
        assert_int_equal(written_n, 1);
        assert_memory_equal(written[0].bytes, whole, n);
    }
}

/* UDP over IPv4 says "none" with 0; a sum of 0 is written as 0xffff (RFC 768). */
static void a_udp_checksum_that_comes_out_as_zero_is_written_as_ffff(void **state)
{
    uint8_t tail[2] = {0, 0};
    struct a_packet p = from_bob();
    uint8_t whole[100];

    (void)state;
    p.payload = KITH_SPAN_OF(tail);
    (void)make_packet(&p, whole);
    kith_store_u16(tail, kith_load_u16(whole + 26)); /* now all adds up to 0xffff */
    size_t n = make_packet(&p, whole);
    peer_marked(&p, partial, 0x4242);
    assert_int_equal(kith_load_u16(written[0].bytes + 26), 0xffff);
    assert_int_equal(n, written[0].len);
}

static void a_clamped_segment_size_and_a_partial_checksum_do_not_disturb_each_other(void **state)
{
    static const uint8_t mss[] = {2, 4, 0x3f, 0xff};
    struct a_packet p = of_kind(from_bob(), TCP, false, false);

    (void)state;
    p.flags = SYN;
    p.payload.n = 0;
    p.options = KITH_SPAN_OF(mss);
    peer_marked(&p, partial, 0x7777);
    kith_vpn_flush(v);
    assert_int_equal(written_n, 1);
    kernel_completes(&written[0].vnet, written[0].bytes, written[0].len);
    assert_true(checksums_are_right((struct kith_span){written[0].bytes, written[0].len}));
    assert_int_equal(kith_vpn_counters(v).mss_clamped, 1);
}

static void what_has_no_such_checksum_cannot_be_partial(void **state)
{
    struct a_packet p = from_bob();

    (void)state;
    p.proto = ICMP;
    p.sport = 8 << 8;
    uint8_t bytes[300];
    size_t n = make_packet(&p, bytes);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){bytes, n}, partial, PLAY_T0);
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), 1);
    assert_int_equal(last_event, KITH_EV_packet_refused);
    p = from_bob();
    p.may_fragment = true;
    p.fragment = 0x2000; /* the first of several */
    n = make_packet(&p, bytes);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){bytes, n}, partial, PLAY_T0);
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), 2);
    p.fragment = 100; /* a later one */
    n = make_packet(&p, bytes);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){bytes, n}, partial, PLAY_T0);
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), 3);
    kith_vpn_flush(v);
    assert_int_equal(written_n, 0);
    assert_int_equal(events_n, 3);
}

/* ---- congestion ---- */

static void packets_say_to_their_carrier_what_they_say_themselves(void **state)
{
    (void)state;
    for (uint8_t ecn = 0; ecn < 4; ecn++)
        for (int v6 = 0; v6 < 2; v6++) {
            struct a_packet p = of_kind(to_bob(), UDP, v6, true);
            p.tos = (uint8_t)(0xb8 | ecn); /* beside a class of service */
            sent_n = 0;
            tun(&p);
            assert_int_equal(sent[0].marks.ecn, ecn);
        }
}

/* RFC 6040 4.2: the rows of its table for a carrier that is CE, and for one that is not. */
static void a_carrier_that_met_congestion_marks_or_drops_its_packet(void **state)
{
    (void)state;
    for (uint8_t ecn = 0; ecn < 4; ecn++)
        for (int v6 = 0; v6 < 2; v6++) {
            struct a_packet p = of_kind(from_bob(), UDP, v6, false);
            uint8_t same[300], ce[300];
            p.tos = (uint8_t)(0xb8 | ecn);
            size_t n = make_packet(&p, same);
            p.tos = 0xb8 | 3;
            (void)make_packet(&p, ce); /* with right checksums of its own */
            p.tos = (uint8_t)(0xb8 | ecn);

            written_n = 0;
            kith_vpn_from_peer(v, BOB, 1, (struct kith_span){same, n}, congested, PLAY_T0);
            assert_int_equal(written_n, ecn > 0);
            if (ecn > 0)
                assert_memory_equal(written[0].bytes, ce, n);

            written_n = 0;
            kith_vpn_from_peer(v, BOB, 1, (struct kith_span){same, n},
                               (struct kith_marks){.ecn = 2}, PLAY_T0);
            assert_int_equal(written_n, 1);
            assert_memory_equal(written[0].bytes, same, n);
        }
    assert_int_equal(dropped(KITH_VPN_DROP_congestion), 2);
    assert_int_equal(kith_vpn_counters(v).marked, 6);
    assert_int_equal(events_n, 0); /* nobody has done wrong */
}

static void a_marked_packet_is_finished_too_when_it_was_partial(void **state)
{
    struct kith_marks both = {.partial = true, .ecn = 3};
    struct a_packet p = of_kind(from_bob(), TCP, false, false);
    uint8_t ce[300];

    (void)state;
    p.tos = 2;
    peer_marked(&p, both, 0x1234);
    p.tos = 3;
    size_t n = make_packet(&p, ce);
    assert_int_equal(written_n, 1);
    assert_memory_equal(written[0].bytes, ce, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OFFLOAD(an_unfinished_packet_goes_partial_only_to_who_takes_that),
        OFFLOAD(a_finished_packet_keeps_its_checksum_whoever_it_goes_to),
        OFFLOAD(a_super_packet_is_cut_into_partial_packets),
        OFFLOAD(partial_packets_do_not_wait_for_a_session_of_somebody_unknown),
        OFFLOAD(the_kernel_gets_a_partial_packet_that_it_can_finish),
        PLAIN(without_offload_the_checksum_is_made_here),
        PLAIN(a_udp_checksum_that_comes_out_as_zero_is_written_as_ffff),
        OFFLOAD(a_clamped_segment_size_and_a_partial_checksum_do_not_disturb_each_other),
        OFFLOAD(what_has_no_such_checksum_cannot_be_partial),
        PLAIN(packets_say_to_their_carrier_what_they_say_themselves),
        PLAIN(a_carrier_that_met_congestion_marks_or_drops_its_packet),
        PLAIN(a_marked_packet_is_finished_too_when_it_was_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
