/* The packet core whole: a device and a session that the test plays, and everything between. */
#include "unit/vpn_packets.h"
#include "vpn/vpn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;
enum { BOB = 7, CAROL = 8, KEPT = 400 };

/* ---- what the test plays ---- */

static struct {
    uint8_t bytes[2048];
    size_t len;
    uint32_t member;
    uint8_t slot;
} sent[KEPT];
static size_t sent_n, send_calls;
static size_t session_takes;            /* how many packets it will still take */
static enum kith_vpn_sent session_says; /* about the rest */

static struct {
    uint8_t bytes[65536];
    size_t len;
} written[KEPT];
static size_t written_n;
static size_t vnet_len; /* of the device */

static enum kith_event_kind last_event;
static size_t events_n;
static char last_why[80];

/* Memory: how often it was asked for, and whether there is any. */
static size_t asked;
static size_t fail_at; /* the n-th request from now fails; 0: none does */

static struct kith_random_seeded source;
static struct kith_random rnd;
static struct kith_vpn *v;

static size_t send_to_session(void *ctx, uint32_t member, uint8_t slot,
                              const struct kith_parts *packets, size_t n, kith_time now,
                              enum kith_vpn_sent *ret_state)
{
    size_t take = n < session_takes ? n : session_takes;

    (void)ctx;
    (void)now;
    send_calls++;
    assert_true(n > 0 && n <= KITH_SPLIT_BATCH);
    for (size_t i = 0; i < take; i++, sent_n++) {
        const struct kith_parts *p = &packets[i];
        assert_true(p->head.n + p->body.n <= sizeof sent[0].bytes);
        memcpy(sent[sent_n].bytes, p->head.p, p->head.n);
        kith_copy(sent[sent_n].bytes + p->head.n, p->body.p, p->body.n);
        sent[sent_n].len = p->head.n + p->body.n;
        sent[sent_n].member = member;
        sent[sent_n].slot = slot;
    }
    session_takes -= take;
    *ret_state = take == n ? KITH_VPN_SENT : session_says;
    return take;
}

static bool write_to_device(void *ctx, const struct kith_span *parts, size_t n)
{
    size_t len = 0;
    uint8_t all[KITH_VNET_LEN + 65536];

    (void)ctx;
    for (size_t i = 0; i < n; i++) {
        memcpy(all + len, parts[i].p, parts[i].n);
        len += parts[i].n;
    }
    written[written_n].len = len - vnet_len;
    memcpy(written[written_n++].bytes, all + vnet_len, len - vnet_len);
    return true;
}

static void note_event(void *ctx, const struct kith_event *ev)
{
    (void)ctx;
    events_n++;
    last_event = ev->kind;
    if (ev->kind == KITH_EV_packet_refused)
        strncpy(last_why, ev->field[1].text, sizeof last_why - 1);
}

static void *resize(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n > 0) {
        asked++;
        if (fail_at > 0 && --fail_at == 0)
            return NULL;
    }
    return kith_heap.resize(kith_heap.ctx, p, n);
}

static const struct kith_alloc memory = {resize, NULL};
static const struct kith_events events = {note_event, NULL};
static struct kith_env env;

static const struct kith_vpn_config plain = {.mtu = 1400}, offload = {.mtu = 1400, .offload = true};

static int make(const struct kith_vpn_config *config)
{
    kith_random_seeded_init(&source, 11);
    rnd = kith_random_from_seed(&source);
    env = (struct kith_env){.alloc = &memory, .random = &rnd, .events = &events};
    vnet_len = config->offload ? KITH_VNET_LEN : 0;
    return kith_vpn_new(config, &env, (struct kith_vpn_out){send_to_session, NULL},
                        (struct kith_vpn_in){write_to_device, NULL}, &v);
}

static struct kith_vpn_network home(void)
{
    return (struct kith_vpn_network){.ip4 = ip_of("100.64.0.1"),
                                     .ip6 = ip_of("fd00::1"),
                                     .prefix4 = prefix_of("100.64.0.0/16"),
                                     .prefix6 = prefix_of("fd00::/64")};
}

static struct kith_vpn_member bob(void)
{
    return (struct kith_vpn_member){
        .handle = BOB, .slot = 1, .ip4 = ip_of("100.64.0.2"), .ip6 = ip_of("fd00::2")};
}

static void populate(void)
{
    struct kith_vpn_network net = home();
    struct kith_vpn_member m = bob();

    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    m.handle = CAROL;
    m.ip4 = ip_of("100.64.0.3");
    m.ip6 = ip_of("fd00::3");
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
}

static void begin(const struct kith_vpn_config *config)
{
    sent_n = send_calls = written_n = events_n = 0;
    session_takes = SIZE_MAX;
    fail_at = 0;
    assert_int_equal(make(config), KITH_OK);
    populate();
}

static int teardown(void **state)
{
    (void)state;
    kith_vpn_free(v);
    v = NULL;
    return 0;
}

static int setup_plain(void **state)
{
    (void)state;
    begin(&plain);
    return 0;
}

static int setup_offload(void **state)
{
    (void)state;
    begin(&offload);
    return 0;
}

static int setup_deny(void **state)
{
    const struct kith_vpn_config deny = {.mtu = 1400, .inbound_deny = true};

    (void)state;
    begin(&deny);
    return 0;
}

/* ---- packets ---- */

static uint8_t data[65536];

static struct a_packet to_bob(void)
{
    return (struct a_packet){.src = "100.64.0.1",
                             .dst = "100.64.0.2",
                             .proto = UDP,
                             .sport = 1000,
                             .dport = 2000,
                             .payload = {data, 100}};
}

static struct a_packet from_bob(void)
{
    return (struct a_packet){.src = "100.64.0.2",
                             .dst = "100.64.0.1",
                             .proto = UDP,
                             .sport = 2000,
                             .dport = 1000,
                             .payload = {data, 100}};
}

static void tun_at(const struct a_packet *p, kith_time now)
{
    static uint8_t buf[KITH_VNET_LEN + 65536];

    memset(buf, 0, KITH_VNET_LEN);
    size_t n = make_packet(p, buf + vnet_len);
    kith_vpn_from_tun(v, buf, vnet_len + n, now);
}

static void tun(const struct a_packet *p)
{
    tun_at(p, T0);
}

static void peer(const struct a_packet *p)
{
    uint8_t buf[2048];
    size_t n = make_packet(p, buf);

    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, T0);
}

static uint64_t dropped(enum kith_vpn_drop why)
{
    return kith_vpn_counters(v).dropped[why];
}

/* Every packet ends in exactly one place: the sum of the drops, besides those expected. */
static uint64_t all_drops(void)
{
    struct kith_vpn_counters c = kith_vpn_counters(v);
    uint64_t n = 0;

    for (size_t i = 0; i < KITH_VPN_DROPS; i++)
        n += c.dropped[i];
    return n;
}

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

/* ---- super-packets ---- */

static size_t super(uint8_t *buf, size_t payload, uint16_t piece)
{
    struct a_packet p = to_bob();
    struct kith_vnet vnet = {KITH_VNET_NEEDS_CSUM, KITH_GSO_TCP4, 40, piece, 20, 16};

    p.proto = TCP;
    p.flags = ACK;
    p.payload.n = payload;
    size_t n = make_packet(&p, buf + KITH_VNET_LEN);
    kith_store_u16(buf + KITH_VNET_LEN + 36, naive_pseudo_sum(buf + KITH_VNET_LEN, n - 20));
    kith_vnet_write(&vnet, buf);
    return KITH_VNET_LEN + n;
}

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
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, T0);
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
    kith_vpn_from_peer(v, BOB, 2, (struct kith_span){buf, n}, T0);
    kith_vpn_from_peer(v, 99, 1, (struct kith_span){buf, n}, T0);
    kith_vpn_from_peer(v, BOB, 200, (struct kith_span){buf, n}, T0);
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
    kith_vpn_from_peer(v, CAROL, 1, (struct kith_span){buf, n}, T0);
    assert_int_equal(written_n, 1);
    in.dst = "100.64.0.2"; /* but not to Bob */
    n = make_packet(&in, buf);
    kith_vpn_from_peer(v, CAROL, 1, (struct kith_span){buf, n}, T0);
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
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n - 1}, T0);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n + 1}, T0);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, 0}, T0);
    assert_int_equal(dropped(KITH_VPN_DROP_bad_header), 3);
    memcpy(routed, buf, 20);
    memcpy(routed + 20, (const uint8_t[]){131, 7, 4, 10, 0, 0, 1, 0}, 8);
    memcpy(routed + 28, buf + 20, n - 20);
    routed[0] = 0x47;
    kith_store_u16(routed + 2, (uint16_t)(n + 8));
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){routed, n + 8}, T0);
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
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, T0);
    assert_int_equal(written_n, 1);
    n = unreachable("100.64.0.2", &never, buf);
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, T0);
    n = unreachable("100.64.0.2", &to_carol, buf); /* Bob cannot end what we have with Carol */
    kith_vpn_from_peer(v, BOB, 1, (struct kith_span){buf, n}, T0);
    assert_int_equal(written_n, 1);
    assert_int_equal(dropped(KITH_VPN_DROP_inbound_denied), 2);
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

/* ---- members and networks ---- */

static void an_address_has_one_owner(void **state)
{
    struct kith_vpn_member m = bob();
    struct kith_vpn_network net = home();
    struct a_packet p = to_bob();

    (void)state;
    m.handle = 50;
    m.ip6 = (struct kith_ip){0};
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_TAKEN); /* Bob's */
    m.ip4 = ip_of("100.64.0.1");
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_TAKEN); /* ours */
    m.ip4 = ip_of("224.0.0.1");
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_INVAL);
    assert_int_equal(kith_vpn_network_set(v, 2, &net), KITH_E_TAKEN);
    net.ip4 = ip_of("100.64.0.2");
    assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_E_TAKEN);
    m.ip4 = ip_of("100.64.0.50");
    m.slot = 3;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_NOTFOUND);
    m.slot = 77;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_NOTFOUND);
    assert_int_equal(kith_vpn_network_set(v, 16, &net), KITH_E_INVAL);
    tun(&p);
    assert_int_equal(sent[0].member, BOB);
}

static void a_member_can_change_its_addresses(void **state)
{
    struct kith_vpn_member m = bob();
    struct a_packet p = to_bob();

    (void)state;
    m.ip4 = ip_of("100.64.0.22");
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
    p.dst = "100.64.0.22";
    tun(&p);
    assert_int_equal(sent[0].member, BOB);
}

static void a_refused_change_leaves_the_member_as_it_was(void **state)
{
    struct kith_prefix subnets[] = {prefix_of("10.0.0.0/8"), prefix_of("100.64.0.3/32")};
    struct kith_vpn_member m = bob();
    struct a_packet p = to_bob();

    (void)state;
    m.ip4 = ip_of("100.64.0.22");
    m.subnets = subnets; /* the second is Carol's address */
    m.subnet_count = 2;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_TAKEN);
    tun(&p);
    assert_int_equal(sent_n, 1);
    assert_int_equal(sent[0].member, BOB);
    p.dst = "10.0.0.1";
    tun(&p);
    assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
}

static void subnets_are_bounded(void **state)
{
    static struct kith_prefix many[KITH_VPN_SUBNETS_MAX + 1];
    struct kith_vpn_member m = bob();

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(many); i++) {
        struct kith_ip ip = kith_ip4(10, (uint8_t)(i >> 8), (uint8_t)i, 0);
        many[i] = kith_prefix_of(&ip, 24);
    }
    m.subnets = many;
    m.subnet_count = KITH_VPN_SUBNETS_MAX;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK); /* replaces its own */
    m.subnet_count++;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_E_FULL);
    kith_vpn_member_remove(v, BOB, 1);
    m.subnet_count--;
    assert_int_equal(kith_vpn_member_set(v, &m), KITH_OK);
}

static void a_cleared_network_is_gone_with_its_members(void **state)
{
    struct a_packet out = to_bob(), in = from_bob();

    (void)state;
    kith_vpn_network_clear(v, 1);
    kith_vpn_network_clear(v, 1);
    tun(&out);
    peer(&in);
    assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
    assert_int_equal(dropped(KITH_VPN_DROP_unknown_member), 1);
    populate();
    tun(&out);
    assert_int_equal(sent_n, 1);
}

/* ---- making one ---- */

static void configurations_out_of_range_are_refused(void **state)
{
    struct kith_vpn_config small = {.mtu = 1279}, big = {.mtu = 65536},
                           udp = {.mtu = 1400, .offload_udp = true};

    (void)state;
    v = NULL;
    assert_int_equal(make(&small), KITH_E_INVAL);
    assert_int_equal(make(&big), KITH_E_INVAL);
    assert_int_equal(make(&udp), KITH_E_INVAL);
    assert_null(v);
}

static void every_failed_allocation_is_survived(void **state)
{
    const struct kith_vpn_config all = {1400, true, true, true};
    struct kith_prefix subnet = prefix_of("10.0.0.0/8");
    int err = KITH_E_NOMEM;
    size_t n;

    (void)state;
    for (n = 1; err != KITH_OK; n++) {
        struct kith_vpn_network net = home();
        struct kith_vpn_member m = bob();
        m.subnets = &subnet;
        m.subnet_count = 1;
        fail_at = n;
        err = make(&all);
        if (err == KITH_OK) {
            assert_int_equal(kith_vpn_network_set(v, 1, &net), KITH_OK);
            err = kith_vpn_member_set(v, &m);
            if (err == KITH_E_NOMEM) {
                struct a_packet p = to_bob();
                vnet_len = KITH_VNET_LEN;
                tun(&p); /* a member half there would be found */
                assert_int_equal(dropped(KITH_VPN_DROP_no_route), 1);
                written_n = 0;
            }
            kith_vpn_free(v);
            v = NULL;
        }
        assert_true(err == KITH_OK || err == KITH_E_NOMEM);
    }
    assert_true(n > 7);
    fail_at = 0;
}

static void every_counter_has_a_row(void **state)
{
    struct kith_vpn_counters c = {.sent_packets = 3};
    struct kith_vpn_count row;
    size_t n = 0, drops = 0;

    (void)state;
    c.dropped[KITH_VPN_DROP_tun_refused] = 9;
    for (; kith_vpn_count_at(&c, n, &row); n++)
        drops += row.drop;
    assert_int_equal(drops, KITH_VPN_DROPS);
    assert_true(kith_vpn_count_at(&c, 0, &row));
    assert_string_equal(row.name, "sent_packets");
    assert_int_equal(row.value, 3);
    assert_true(kith_vpn_count_at(&c, n - 1, &row));
    assert_string_equal(row.name, "tun_refused");
    assert_int_equal(row.value, 9);
}

int main(void)
{
#define PLAIN(f) cmocka_unit_test_setup_teardown(f, setup_plain, teardown)
#define OFFLOAD(f) cmocka_unit_test_setup_teardown(f, setup_offload, teardown)
#define DENY(f) cmocka_unit_test_setup_teardown(f, setup_deny, teardown)
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
        OFFLOAD(a_super_packet_leaves_in_batches),
        OFFLOAD(pieces_above_the_mtu_are_refused_before_any_is_sent),
        OFFLOAD(reads_that_are_no_packets_are_counted),
        OFFLOAD(nothing_is_allocated_on_the_straight_path),
        DENY(tracking_flows_allocates_nothing_either),
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
        PLAIN(packets_wait_for_a_session_and_leave_in_order),
        PLAIN(a_session_is_asked_for_once_a_second),
        PLAIN(the_257th_waits_in_vain_and_is_counted),
        OFFLOAD(the_rest_of_a_batch_waits_whole),
        OFFLOAD(what_a_congested_session_leaves_is_dropped_and_counted),
        PLAIN(a_member_that_leaves_takes_its_line_along),
        PLAIN(without_memory_a_packet_cannot_wait),
        PLAIN(an_address_has_one_owner),
        PLAIN(a_member_can_change_its_addresses),
        PLAIN(a_refused_change_leaves_the_member_as_it_was),
        PLAIN(subnets_are_bounded),
        PLAIN(a_cleared_network_is_gone_with_its_members),
        cmocka_unit_test(configurations_out_of_range_are_refused),
        cmocka_unit_test_teardown(every_failed_allocation_is_survived, teardown),
        cmocka_unit_test(every_counter_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
