/* From the sessions to the device: both ends of every packet, and the policy. */
#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = PLAY_T0;

/* ---- in ---- */

static void a_packet_from_a_member_to_us_is_written(void **state)
{
    struct a_packet p = from_bob();
    uint8_t same[400];
    size_t n = make_packet(&p, same);

    (void)state;
    peer(&p);
    kith_vpn_flush(v);
    assert_int_equal(written_n, 1);
    assert_int_equal(written[0].len, n);
    assert_memory_equal(written[0].bytes, same, n);
    assert_int_equal(kith_vpn_counters(v).received_packets, 1);
    assert_int_equal(kith_vpn_counters(v).received_bytes, n);
    assert_int_equal(events_n, 0);
}

static void both_ends_of_an_inbound_packet_are_checked(void **state)
{
    static const struct {
        const char *src, *dst;
        enum kith_vpn_drop why;
    } rows[] = {
        {"100.64.0.3", "100.64.0.1", KITH_VPN_DROP_foreign_source}, /* Carol's */
        {"100.64.0.1", "100.64.0.1", KITH_VPN_DROP_foreign_source}, /* our own */
        {"8.8.8.8", "100.64.0.1", KITH_VPN_DROP_foreign_source},
        {"100.64.0.2", "100.64.0.3", KITH_VPN_DROP_foreign_destination},
        {"100.64.0.2", "192.168.1.1", KITH_VPN_DROP_foreign_destination},
        {"100.64.0.2", "224.0.0.1", KITH_VPN_DROP_multicast},
        {"100.64.0.2", "255.255.255.255", KITH_VPN_DROP_multicast},
        {"224.0.0.1", "100.64.0.1", KITH_VPN_DROP_multicast},
        {"127.0.0.1", "100.64.0.1", KITH_VPN_DROP_martian},
        {"100.64.0.2", "127.0.0.1", KITH_VPN_DROP_martian},
        {"0.0.0.0", "100.64.0.1", KITH_VPN_DROP_martian},
        {"169.254.0.1", "100.64.0.1", KITH_VPN_DROP_link_local},
        {"fd00::3", "fd00::1", KITH_VPN_DROP_foreign_source},
        {"fd00::2", "fd00::3", KITH_VPN_DROP_foreign_destination},
        {"fe80::2", "fd00::1", KITH_VPN_DROP_link_local},
        {"fd00::2", "ff02::1", KITH_VPN_DROP_multicast},
        {"fd00::2", "fe80::1", KITH_VPN_DROP_link_local},
        {"::1", "fd00::1", KITH_VPN_DROP_martian},
        {"fd00::2", "::", KITH_VPN_DROP_martian},
        {"::100.64.0.2", "fd00::1", KITH_VPN_DROP_martian},
    };

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        struct a_packet p = from_bob();
        uint64_t before = dropped(rows[i].why);
        p.src = rows[i].src;
        p.dst = rows[i].dst;
        peer(&p);
        assert_int_equal(dropped(rows[i].why), before + 1);
        assert_int_equal(events_n, i + 1);
        assert_int_equal(last_event, KITH_EV_packet_refused);
        assert_string_equal(last_why, kith_vpn_drop_text(rows[i].why));
    }
    kith_vpn_flush(v);
    assert_int_equal(written_n, 0);
}

/* Normalised, the mapped address would be Bob's own. */
static void an_ipv4_address_in_ipv6_disguise_is_nobodys(void **state)
{
    struct a_packet p = from_bob();
    uint8_t buf[400];

    (void)state;
    p.src = "fd00::2";
    p.dst = "fd00::1";
    size_t n = make_packet(&p, buf);
    memcpy(buf + 8, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 100, 64, 0, 2}, 16);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_martian), 1);
    assert_int_equal(written_n, 0);
}

static void a_member_is_one_in_its_own_network_only(void **state)
{
    struct kith_vpn_network other = {.ip4 = ip_of("100.99.0.1")};
    struct a_packet p = from_bob();
    uint8_t buf[400];
    size_t n = make_packet(&p, buf);

    (void)state;
    assert_int_equal(kith_vpn_network_set(v, 2, &other), KITH_OK);
    kith_vpn_from_peer(v, BOB, 2, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    kith_vpn_from_peer(v, 99, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    kith_vpn_from_peer(v, BOB, 200, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_unknown_member), 3);
    p.dst = "100.99.0.1"; /* ours, but in the other network */
    peer(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_destination), 1);
}

static void a_member_may_use_the_subnets_it_advertises_and_no_address_of_others(void **state)
{
    struct kith_prefix everything = prefix_of("0.0.0.0/0");
    struct kith_vpn_member m = bob();
    struct a_packet p = from_bob(), out = to_bob();

    (void)state;
    m.subnets = &everything; /* an exit node */
    m.subnet_count = 1;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    p.src = out.dst = "8.8.8.8";
    peer(&p);
    tun(&out);
    assert_int_equal(written_n, 1);
    assert_int_equal(sent_n, 1);
    p.src = "100.64.0.3"; /* Carol's */
    peer(&p);
    p.src = "100.64.0.1"; /* ours */
    peer(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_source), 2);
}

static void two_exit_nodes_stand_for_the_same_and_for_no_member(void **state)
{
    struct kith_prefix everything = prefix_of("0.0.0.0/0");
    struct kith_vpn_network net = home();
    struct kith_vpn_member m = bob();
    struct a_packet in = from_bob();
    uint8_t buf[400];

    (void)state;
    net.subnets = m.subnets = &everything;
    net.subnet_count = m.subnet_count = 1;
    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    in.src = "100.64.0.3";
    in.dst = "8.8.8.8"; /* Carol goes out through us, not through Bob */
    size_t n = make_packet(&in, buf);
    kith_vpn_from_peer(v, CAROL, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(written_n, 1);
    in.dst = "100.64.0.2"; /* but not to Bob */
    n = make_packet(&in, buf);
    kith_vpn_from_peer(v, CAROL, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_destination), 1);
}

static void a_subnet_of_one_network_does_not_lead_into_another(void **state)
{
    struct kith_prefix everything = prefix_of("0.0.0.0/0");
    struct kith_vpn_network net = home(), work = {.ip4 = ip_of("100.99.0.1")};
    struct kith_vpn_member dave = {.handle = 9, .slot = 2, .ip4 = ip_of("100.99.0.2")};
    struct a_packet in = from_bob(), out = to_bob();

    (void)state;
    net.subnets = &everything;
    net.subnet_count = 1;
    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
    assert_int_equal(kith_vpn_network_set(v, 2, &work), KITH_OK);
    assert_int_equal(kith_vpn_member_set(v, &dave), KITH_OK);
    in.dst = "100.99.0.2";
    peer(&in);
    in.dst = "100.99.0.1";
    peer(&in);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_destination), 2);
    out.src = "100.64.0.2"; /* forwarded by this host all the same */
    out.dst = "100.99.0.2";
    tun(&out);
    out.src = "100.99.0.2";
    out.dst = "100.64.0.2";
    tun(&out);
    assert_int_equal(dropped(KITH_VPN_DROP_foreign_source), 2);
    assert_int_equal(sent_n, 0);
}

static void router_messages_are_refused(void **state)
{
    static const uint16_t types4[] = {5, 9, 10}, types6[] = {133, 134, 135, 136, 137, 138};
    struct a_packet p = from_bob();

    (void)state;
    p.proto = ICMP;
    for (size_t i = 0; i < KITH_COUNT(types4); i++) {
        p.sport = (uint16_t)(types4[i] << 8);
        peer(&p);
    }
    p.proto = ICMP6;
    p.src = "fd00::2";
    p.dst = "fd00::1";
    for (size_t i = 0; i < KITH_COUNT(types6); i++) {
        p.sport = (uint16_t)(types6[i] << 8);
        peer(&p);
    }
    assert_int_equal(dropped(KITH_VPN_DROP_router_message), 9);
    p.sport = 128 << 8; /* a ping */
    peer(&p);
    assert_int_equal(written_n, 1);
}

static void malformed_and_source_routed_packets_are_refused(void **state)
{
    struct a_packet p = from_bob();
    uint8_t buf[400], routed[400];
    size_t n = make_packet(&p, buf);

    (void)state;
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n - 1}, (struct kith_marks){0}, T0);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n + 1}, (struct kith_marks){0}, T0);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, 0}, (struct kith_marks){0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), 3);
    memcpy(routed, buf, 20);
    memcpy(routed + 20, (const uint8_t[]){131, 7, 4, 10, 0, 0, 1, 0}, 8);
    memcpy(routed + 28, buf + 20, n - 20);
    routed[0] = 0x47;
    kith_store_u16(routed + 2, (uint16_t)(n + 8));
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){routed, n + 8}, (struct kith_marks){0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_source_routed), 1);
    assert_int_equal(written_n, 0);
}

static void a_member_does_not_reach_our_transport_through_the_tunnel(void **state)
{
    struct kith_addr listening = {.port = 9000};
    struct a_packet p = from_bob();

    (void)state;
    assert_int_equal(kith_vpn_refuse_underlay(v, &listening, 1), KITH_OK);
    p.dport = 9000;
    peer(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_own_transport), 1);
    p.dport = 9001;
    peer(&p);
    assert_int_equal(written_n, 1);
}

/* ---- policy ---- */

static void deny_lets_only_answers_in(void **state)
{
    struct a_packet ask = to_bob(), answer = from_bob();

    (void)state;
    peer(&answer);
    assert_int_equal(written_n, 0);
    assert_int_equal(dropped(KITH_VPN_DROP_inbound_denied), 1);
    assert_int_equal(events_n, 0); /* nobody's fault */
    tun(&ask);
    peer(&answer);
    assert_int_equal(written_n, 1);
}

/* An ICMPv4 "port unreachable" from `src` about *quoted. */
static size_t unreachable(const char *src, const struct a_packet *quoted, uint8_t *buf)
{
    uint8_t inner[2048];
    size_t n = make_packet(quoted, inner);
    struct a_packet p = {.src = src, .dst = "100.64.0.1", .proto = ICMP, .sport = 3 << 8 | 3};

    p.payload = (struct kith_span){inner, n < 28 ? n : 28};
    return make_packet(&p, buf);
}

static void deny_lets_icmp_errors_about_our_packets_in(void **state)
{
    struct a_packet ask = to_bob(), never = to_bob(), to_carol = to_bob();
    uint8_t buf[400];

    (void)state;
    tun(&ask);
    to_carol.dst = "100.64.0.3";
    tun(&to_carol);
    never.dport = 1;
    size_t n = unreachable("100.64.0.2", &ask, buf);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(written_n, 1);
    n = unreachable("100.64.0.2", &never, buf);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    n = unreachable("100.64.0.2", &to_carol, buf); /* Bob cannot end what we have with Carol */
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, (struct kith_marks){0}, T0);
    assert_int_equal(written_n, 1);
    assert_int_equal(dropped(KITH_VPN_DROP_inbound_denied), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(a_packet_from_a_member_to_us_is_written),
        OFFLOAD(a_packet_from_a_member_to_us_is_written),
        PLAIN(both_ends_of_an_inbound_packet_are_checked),
        OFFLOAD(both_ends_of_an_inbound_packet_are_checked),
        PLAIN(an_ipv4_address_in_ipv6_disguise_is_nobodys),
        PLAIN(a_member_is_one_in_its_own_network_only),
        PLAIN(a_member_may_use_the_subnets_it_advertises_and_no_address_of_others),
        PLAIN(two_exit_nodes_stand_for_the_same_and_for_no_member),
        PLAIN(a_subnet_of_one_network_does_not_lead_into_another),
        PLAIN(router_messages_are_refused),
        PLAIN(malformed_and_source_routed_packets_are_refused),
        PLAIN(a_member_does_not_reach_our_transport_through_the_tunnel),
        DENY(deny_lets_only_answers_in),
        DENY(deny_lets_icmp_errors_about_our_packets_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
