/* Networks, members, counters, and a core that is made without memory. */
#include "unit/vpn_play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

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
    const struct CMUnitTest tests[] = {
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
