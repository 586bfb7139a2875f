/* From the device to the sessions: routing, refusing, splitting, waiting. */
#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = PLAY_T0;

/* ---- out ---- */

static void a_packet_goes_to_who_has_the_address(void **state)
{
    struct a_packet p = to_bob(), q = to_bob();
    uint8_t same[400];
    size_t n = make_packet(&p, same);

    (void)state;
    tun(&p);
    q.src = "fd00::1";
    q.dst = "fd00::3";
    tun(&q);
    assert_int_equal(sent_n, 2);
    assert_int_equal(sent[0].member, BOB);
    assert_int_equal(sent[0].slot, 1);
    assert_int_equal(sent[0].len, n);
    assert_memory_equal(sent[0].bytes, same, n);
    assert_int_equal(sent[1].member, CAROL);
    assert_int_equal(kith_vpn_counters(v).sent_packets, 2);
    assert_int_equal(kith_vpn_counters(v).sent_bytes, n + n + 20);
    assert_int_equal(all_drops(), 0);
}

static void an_address_without_owner_is_answered_with_unreachable(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    p.dst = "100.64.9.9";
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
    assert_int_equal(written_n, 1);
    assert_int_equal(written[0].bytes[20], 3);
    assert_int_equal(written[0].bytes[21], 1); /* host: the network is ours */
    p.dst = "8.8.8.8";
    tun(&p);
    assert_int_equal(written[1].bytes[21], 0); /* network */
    assert_int_equal(kith_vpn_counters(v).icmp_sent, 2);
}

static void icmp_errors_are_rate_limited(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    p.dst = "100.64.9.9";
    for (int i = 0; i < 250; i++)
        tun(&p);
    assert_int_equal(written_n, 100);
    assert_int_equal(kith_vpn_counters(v).icmp_limited, 150);
    tun_at(&p, T0 + 10 * KITH_MSEC);
    assert_int_equal(written_n, 101);
}

static void a_source_that_is_not_ours_does_not_leave(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    p.src = "192.168.1.5";
    tun(&p);
    assert_int_equal(sent_n, 0);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_source), 1);
    assert_int_equal(written[0].bytes[21], 13); /* prohibited */
}

static void a_subnet_we_advertise_may_speak_and_be_spoken_to(void **state)
{
    struct kith_prefix lan = prefix_of("192.168.1.0/24");
    struct kith_vpn_network net = home();
    struct a_packet p = to_bob(), back = from_bob();

    (void)state;
    net.subnets = &lan;
    net.subnet_count = 1;
    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
    p.src = back.dst = "192.168.1.5";
    tun(&p);
    peer(&back);
    assert_int_equal(sent_n, 1);
    assert_int_equal(written_n, 1);
    assert_int_equal(all_drops(), 0);
}

static void many_and_nobody_are_not_destinations(void **state)
{
    static const struct {
        const char *src, *dst;
        enum kith_vpn_drop why;
    } rows[] = {
        {"100.64.0.1", "224.0.0.251", KITH_VPN_DROP_multicast},
        {"100.64.0.1", "255.255.255.255", KITH_VPN_DROP_multicast},
        {"100.64.0.1", "169.254.1.1", KITH_VPN_DROP_link_local},
        {"100.64.0.1", "127.0.0.1", KITH_VPN_DROP_martian},
        {"0.0.0.0", "100.64.0.2", KITH_VPN_DROP_martian},
        {"fd00::1", "ff02::1", KITH_VPN_DROP_multicast},
        {"fe80::1", "fd00::2", KITH_VPN_DROP_link_local},
        {"fd00::1", "::1", KITH_VPN_DROP_martian},
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        struct a_packet p = to_bob();
        uint64_t before = dropped(rows[i].why);
        p.src = rows[i].src;
        p.dst = rows[i].dst;
        tun(&p);
        assert_int_equal(dropped(rows[i].why), before + 1);
    }
    assert_int_equal(sent_n, 0);
    assert_int_equal(written_n, 0); /* nobody is told */
}

static void a_packet_above_the_mtu_is_answered_with_its_size(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    p.payload.n = 1400 - 28;
    tun(&p);
    assert_int_equal(sent_n, 1);
    p.payload.n++;
    tun(&p);
    assert_int_equal(sent_n, 1);
    assert_int_equal(dropped(KITH_VPN_DROP_too_big), 1);
    assert_int_equal(written[0].bytes[21], 4);
    assert_int_equal(kith_load_u16(written[0].bytes + 26), 1400);
}

static void our_own_datagrams_are_not_carried(void **state)
{
    struct kith_addr listening[] = {{.port = 9000}, {.ip = ip_of("192.0.2.7"), .port = 9001}};
    struct a_packet p = to_bob();

    (void)state;
    assert_int_equal(kith_vpn_refuse_underlay(v, listening, 2), KITH_OK);
    p.sport = 9000;
    tun(&p);
    assert_int_equal(sent_n, 0);
    assert_int_equal(dropped(KITH_VPN_DROP_own_transport), 1);
    assert_int_equal(last_event, KITH_EV_route_loop);
    assert_int_equal(events_n, 1);
    p.src = "192.0.2.7";
    p.sport = 9001;
    tun_at(&p, T0 + KITH_SEC - 1);
    assert_int_equal(dropped(KITH_VPN_DROP_own_transport), 2);
    assert_int_equal(events_n, 1); /* said once a second */
    tun_at(&p, T0 + KITH_SEC);
    assert_int_equal(events_n, 2);
    /* TCP from that port, and UDP to it, are others' */
    p = to_bob();
    p.proto = TCP;
    p.flags = ACK;
    p.sport = 9000;
    tun(&p);
    p = to_bob();
    p.dport = 9000;
    tun(&p);
    assert_int_equal(sent_n, 2);
}

static void openings_are_clamped_both_ways(void **state)
{
    static const uint8_t mss[] = {2, 4, 0x23, 0x00};
    struct a_packet out = to_bob(), in = from_bob();

    (void)state;
    out.proto = in.proto = TCP;
    out.flags = in.flags = SYN;
    out.options = in.options = (struct kith_span){mss, 4};
    out.payload.n = in.payload.n = 0;
    tun(&out);
    peer(&in);
    kith_vpn_flush(v);
    assert_int_equal(kith_load_u16(sent[0].bytes + 42), 1360);
    assert_int_equal(kith_load_u16(written[0].bytes + 42), 1360);
    assert_true(checksums_are_right((struct kith_span){sent[0].bytes, sent[0].len}));
    assert_true(checksums_are_right((struct kith_span){written[0].bytes, written[0].len}));
    out.src = "fd00::1";
    out.dst = "fd00::2";
    tun(&out);
    assert_int_equal(kith_load_u16(sent[1].bytes + 62), 1340);
    assert_int_equal(kith_vpn_counters(v).mss_clamped, 3);
}

static void where_less_fits_on_the_way_openings_are_clamped_to_that(void **state)
{
    static const uint8_t mss[] = {2, 4, 0x23, 0x00};
    struct a_packet out = to_bob(), in = from_bob();

    (void)state;
    largest = 1376;
    out.proto = in.proto = TCP;
    out.flags = in.flags = SYN;
    out.options = in.options = (struct kith_span){mss, 4};
    out.payload.n = in.payload.n = 0;
    tun(&out);
    peer(&in);
    kith_vpn_flush(v);
    assert_int_equal(kith_load_u16(sent[0].bytes + 42), 1376 - 40);
    assert_int_equal(kith_load_u16(written[0].bytes + 42), 1376 - 40);
    largest = 1500; /* never more than the MTU */
    tun(&out);
    assert_int_equal(kith_load_u16(sent[1].bytes + 42), 1360);
}

/* ---- super-packets ---- */

static void a_super_packet_leaves_in_batches(void **state)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    (void)state;
    kith_vpn_from_tun(v, buf, super(buf, 100 * 600, 600), T0);
    assert_int_equal(sent_n, 100);
    assert_int_equal(send_calls, 2);
    for (size_t i = 0; i < sent_n; i++)
        assert_true(checksums_are_right((struct kith_span){sent[i].bytes, sent[i].len}));
}

static void pieces_above_the_mtu_are_refused_before_any_is_sent(void **state)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    (void)state;
    kith_vpn_from_tun(v, buf, super(buf, 10000, 1361), T0);
    assert_int_equal(sent_n, 0);
    assert_int_equal(dropped(KITH_VPN_DROP_too_big), 1);
    kith_vpn_from_tun(v, buf, super(buf, 10000, 1360), T0);
    assert_int_equal(sent_n, 8);
}

static void reads_that_are_no_packets_are_counted(void **state)
{
    uint8_t buf[KITH_VNET_LEN + 100];

    (void)state;
    for (size_t n = 0; n < sizeof buf; n++) {
        memset(buf, 0x45, sizeof buf);
        kith_vpn_from_tun(v, buf, n, T0);
    }
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), sizeof buf);
    assert_int_equal(sent_n, 0);
}

static void nothing_is_allocated_on_the_straight_path(void **state)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];
    struct a_packet in = from_bob(), out = to_bob();

    (void)state;
    in.proto = TCP;
    in.flags = ACK;
    in.payload.n = 1000;
    asked = 0;
    for (int round = 0; round < 3; round++) {
        sent_n = 0;
        kith_vpn_from_tun(v, buf, super(buf, 60000, 1000), T0);
        tun(&out);
        for (int i = 0; i < 20; i++, in.seq += 1000)
            peer(&in);
        kith_vpn_flush(v);
    }
    assert_int_equal(asked, 0);
    assert_int_equal(kith_vpn_counters(v).sent_packets, 3 * 61);
    assert_int_equal(kith_vpn_counters(v).received_packets, 60);
    assert_int_equal(written_n, 3);
}

static void tracking_flows_allocates_nothing_either(void **state)
{
    struct a_packet out = to_bob(), in = from_bob();

    (void)state;
    asked = 0;
    for (uint16_t i = 0; i < 300; i++) {
        out.sport = in.dport = (uint16_t)(1000 + i);
        tun(&out);
        peer(&in);
    }
    assert_int_equal(written_n, 300);
    assert_int_equal(asked, 0);
}

/* ---- waiting ---- */

static bool next_is(uint32_t member)
{
    struct kith_vpn_effect fx;

    return kith_vpn_next_effect(v, &fx) && fx.kind == KITH_VPN_WANT_SESSION &&
           fx.member == member && fx.slot == 1;
}

static void packets_wait_for_a_session_and_leave_in_order(void **state)
{
    struct kith_vpn_effect fx;
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    for (uint16_t i = 0; i < 100; i++) {
        p.ident = i;
        tun(&p);
    }
    assert_true(next_is(BOB));
    assert_false(kith_vpn_next_effect(v, &fx));
    assert_int_equal(send_calls, 1); /* those that wait are not overtaken */
    assert_int_equal(kith_vpn_deadline(v), T0 + KITH_SEC);
    session_takes = SIZE_MAX;
    p.ident = 100;
    tun(&p);
    assert_int_equal(sent_n, 0);
    kith_vpn_session_ready(v, BOB, T0 + KITH_MSEC);
    assert_int_equal(sent_n, 101);
    for (uint16_t i = 0; i < 101; i++)
        assert_int_equal(kith_load_u16(sent[i].bytes + 4), i);
    assert_int_equal(kith_vpn_deadline(v), KITH_NEVER);
    assert_int_equal(all_drops(), 0);
    tun(&p);
    assert_int_equal(sent_n, 102);
}

static void a_session_is_asked_for_once_a_second(void **state)
{
    struct kith_vpn_effect fx;
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    tun_at(&p, T0);
    assert_true(next_is(BOB));
    tun_at(&p, T0 + KITH_SEC - 1);
    assert_false(kith_vpn_next_effect(v, &fx));
    tun_at(&p, T0 + KITH_SEC);
    assert_true(next_is(BOB));
    p.dst = "100.64.0.3";
    tun_at(&p, T0 + KITH_SEC);
    assert_true(next_is(CAROL));
}

static void the_257th_waits_in_vain_and_is_counted(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    for (int i = 0; i < 300; i++)
        tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_queue_full), 44);
    kith_vpn_tick(v, T0 + KITH_SEC - 1);
    assert_int_equal(dropped(KITH_VPN_DROP_queue_expired), 0);
    kith_vpn_tick(v, T0 + KITH_SEC);
    assert_int_equal(dropped(KITH_VPN_DROP_queue_expired), 256);
    session_takes = SIZE_MAX;
    kith_vpn_session_ready(v, BOB, T0 + KITH_SEC);
    assert_int_equal(sent_n, 0);
}

static void the_rest_of_a_batch_waits_whole(void **state)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    (void)state;
    session_takes = 10;
    session_says = KITH_VPN_NO_SESSION;
    kith_vpn_from_tun(v, buf, super(buf, 100 * 600, 600), T0);
    memset(buf, 0xee, sizeof buf); /* the next read */
    session_takes = SIZE_MAX;
    kith_vpn_session_ready(v, BOB, T0);
    assert_int_equal(sent_n, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(sent[i].len, 640);
        assert_true(checksums_are_right((struct kith_span){sent[i].bytes, sent[i].len}));
        assert_int_equal(kith_load_u32(sent[i].bytes + 24), 600 * i);
    }
}

static void what_a_congested_session_leaves_is_dropped_and_counted(void **state)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    (void)state;
    session_takes = 10;
    session_says = KITH_VPN_CONGESTED;
    kith_vpn_from_tun(v, buf, super(buf, 100 * 600, 600), T0);
    assert_int_equal(sent_n, 10);
    assert_int_equal(dropped(KITH_VPN_DROP_congested), 90);
    assert_int_equal(kith_vpn_deadline(v), KITH_NEVER);
}

static void what_is_for_one_that_is_blocked_is_dropped_and_no_session_is_wished_for(void **state)
{
    struct kith_vpn_effect fx;
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_BLOCKED;
    tun(&p);
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_blocked), 2);
    assert_int_equal(all_drops(), 2);
    assert_false(kith_vpn_next_effect(v, &fx));
    assert_int_equal(kith_vpn_deadline(v), KITH_NEVER);
}

static void what_waits_when_it_is_blocked_is_dropped_with_its_wish(void **state)
{
    struct kith_vpn_effect fx;
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    for (int i = 0; i < 100; i++) /* more than are sent at a time */
        tun(&p);
    session_says = KITH_VPN_BLOCKED;
    kith_vpn_session_ready(v, BOB, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_blocked), 100);
    assert_int_equal(all_drops(), 100);
    assert_false(kith_vpn_next_effect(v, &fx));
    assert_int_equal(kith_vpn_deadline(v), KITH_NEVER);
}

static void a_member_that_leaves_takes_its_line_along(void **state)
{
    struct kith_vpn_effect fx;
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    tun(&p);
    tun(&p);
    kith_vpn_member_remove(v, BOB, 1);
    kith_vpn_member_remove(v, BOB, 1);
    assert_int_equal(dropped(KITH_VPN_DROP_member_gone), 2);
    assert_false(kith_vpn_next_effect(v, &fx));
    assert_int_equal(kith_vpn_deadline(v), KITH_NEVER);
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
}

static void without_memory_a_packet_cannot_wait(void **state)
{
    struct a_packet p = to_bob();

    (void)state;
    session_takes = 0;
    session_says = KITH_VPN_NO_SESSION;
    fail_at = 1;
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_no_memory), 1);
    assert_true(next_is(BOB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_packet_goes_to_who_has_the_address),
        OFFLOAD(a_packet_goes_to_who_has_the_address),
        PLAIN(an_address_without_owner_is_answered_with_unreachable),
        OFFLOAD(an_address_without_owner_is_answered_with_unreachable),
        PLAIN(icmp_errors_are_rate_limited),
        PLAIN(a_source_that_is_not_ours_does_not_leave),
        PLAIN(a_subnet_we_advertise_may_speak_and_be_spoken_to),
        PLAIN(many_and_nobody_are_not_destinations),
        PLAIN(a_packet_above_the_mtu_is_answered_with_its_size),
        PLAIN(our_own_datagrams_are_not_carried),
        PLAIN(openings_are_clamped_both_ways),
        OFFLOAD(openings_are_clamped_both_ways),
        PLAIN(where_less_fits_on_the_way_openings_are_clamped_to_that),
        OFFLOAD(a_super_packet_leaves_in_batches),
        OFFLOAD(pieces_above_the_mtu_are_refused_before_any_is_sent),
        OFFLOAD(reads_that_are_no_packets_are_counted),
        OFFLOAD(nothing_is_allocated_on_the_straight_path),
        DENY(tracking_flows_allocates_nothing_either),
        PLAIN(packets_wait_for_a_session_and_leave_in_order),
        PLAIN(a_session_is_asked_for_once_a_second),
        PLAIN(the_257th_waits_in_vain_and_is_counted),
        OFFLOAD(the_rest_of_a_batch_waits_whole),
        OFFLOAD(what_a_congested_session_leaves_is_dropped_and_counted),
        PLAIN(what_is_for_one_that_is_blocked_is_dropped_and_no_session_is_wished_for),
        PLAIN(what_waits_when_it_is_blocked_is_dropped_with_its_wish),
        PLAIN(a_member_that_leaves_takes_its_line_along),
        PLAIN(without_memory_a_packet_cannot_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
