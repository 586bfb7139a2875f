/* Addresses and routes of the tunnel interface follow the node's networks; iproute2 is the witness.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl_fake_node.h"
#include "loop/overlay.h"
#include "os/tun.h"
#include "os_lab.h"

static struct kith_overlay overlay;
static struct kith_netlink nl;
static struct kith_tun tun;
static size_t refusals, losses;

static void sink(void *ctx, const struct kith_event *ev)
{
    (void)ctx;
    losses += ev->kind == KITH_EV_overlay_lost;
    refusals += ev->kind == KITH_EV_overlay_failed;
}

static const struct kith_events events = {.sink = sink};
static const struct kith_env env = {.alloc = &kith_heap, .events = &events};

static void network_set(size_t i, const char *ip4, const char *range4, const char *ip6,
                        const char *range6)
{
    struct kith_network_info *n = &fake.network[i];

    *n = (struct kith_network_info){.slot = (uint8_t)i};
    assert_int_equal(kith_ip_parse(ip4, &n->ip4), KITH_OK);
    assert_int_equal(kith_prefix_parse(range4, &n->range4), KITH_OK);
    assert_int_equal(kith_ip_parse(ip6, &n->ip6), KITH_OK);
    assert_int_equal(kith_prefix_parse(range6, &n->range6), KITH_OK);
}

static int begin(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    refusals = losses = 0;
    network_set(0, "100.71.0.1", "100.71.0.0/16", "fd12:3456:789a::1", "fd12:3456:789a::/64");
    network_set(1, "100.90.4.4", "100.90.0.0/16", "fdaa::4", "fdaa::/64");
    overlay = (struct kith_overlay){.nl = &nl, .env = &env, .name = "kith0"};
    return 0;
}

/* An interface in a namespace of its own. */
static void interface_make(void)
{
    const struct kith_link_change up = {.mtu = 1400, .up = true};

    assert_int_equal(kith_netlink_open(&nl, NULL), KITH_OK);
    assert_int_equal(kith_tun_open(&tun, "kith0", false, NULL), KITH_OK);
    (void)!kith_netlink_link_quiet(&nl, tun.ifindex, NULL);
    assert_int_equal(kith_netlink_link_set(&nl, tun.ifindex, &up, NULL), KITH_OK);
    overlay.ifindex = tun.ifindex;
}

static void interface_drop(void)
{
    kith_tun_close(&tun);
    kith_netlink_close(&nl);
}

static size_t count(const char *arguments)
{
    json_t *list = lab_ip_json(arguments);
    size_t n = json_array_size(list);

    json_decref(list);
    return n;
}

/* How many addresses that the interface has, as `ip` sees them. */
static size_t addresses(void)
{
    json_t *list = lab_ip_json("addr show dev kith0");
    size_t n = json_array_size(json_object_get(json_array_get(list, 0), "addr_info"));

    json_decref(list);
    return n;
}

static void a_network_has_an_address_and_a_route_of_each_family(void **state)
{
    json_t *routes;

    (void)state;
    LAB_OR_SKIP();
    interface_make();
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(addresses(), 2);
    routes = lab_ip_json("route show dev kith0");
    assert_int_equal(json_array_size(routes), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(routes, 0), "dst")),
                        "100.71.0.0/16");
    assert_string_equal(json_string_value(json_object_get(json_array_get(routes, 0), "prefsrc")),
                        "100.71.0.1");
    json_decref(routes);
    assert_int_equal(count("-6 route show dev kith0 proto 158"), 1);
    assert_int_equal(refusals, 0);
    kith_overlay_apply(&overlay, NULL, 0); /* nothing new: nothing is done */
    assert_int_equal(addresses(), 2);
    assert_int_equal(refusals, 0);
    interface_drop();
}

static void what_no_network_wants_any_more_is_taken_away_and_nothing_else(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    interface_make();
    lab_ip("addr add 198.51.100.7/32 dev kith0"); /* the administrator's own */
    fake.n_networks = 2;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(addresses(), 5);
    assert_int_equal(count("route show dev kith0 proto 158"), 2);
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(addresses(), 3);
    assert_int_equal(count("route show dev kith0 proto 158"), 1);
    fake.n_networks = 0;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(addresses(), 1);
    assert_int_equal(count("route show dev kith0 proto 158"), 0);
    assert_int_equal(count("-6 route show dev kith0 proto 158"), 0);
    interface_drop();
}

static void a_route_that_is_somebody_elses_is_told_and_tried_again(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    interface_make();
    lab_ip("link set lo up");
    lab_ip("route add 100.71.0.0/16 dev lo");
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(refusals, 1);
    assert_int_equal(count("route show dev kith0"), 0);
    assert_int_equal(addresses(), 1); /* an address without its route would be half a network */
    lab_ip("route del 100.71.0.0/16 dev lo");
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(refusals, 1);
    assert_int_equal(count("route show dev kith0"), 1);
    assert_int_equal(addresses(), 2);
    interface_drop();
}

/* The host looked at its network at `now`. */
static void look(kith_time now)
{
    static struct kith_host_addrs addrs;
    static struct kith_host_routes routes;

    assert_int_equal(kith_netlink_addresses(&nl, &addrs, NULL), KITH_OK);
    assert_int_equal(kith_netlink_routes(&nl, &routes, NULL), KITH_OK);
    kith_overlay_look(&overlay, &addrs, &routes, now);
    if (kith_overlay_deadline(&overlay) <= now)
        kith_overlay_turn(&overlay, NULL, now, 0);
}

static void all_is_there(void)
{
    assert_int_equal(addresses(), 2);
    assert_int_equal(count("route show dev kith0 proto 158"), 1);
    assert_int_equal(count("-6 route show dev kith0 proto 158"), 1);
}

static void what_others_took_away_is_given_back(void **state)
{
    static const char *const take[] = {"addr flush dev kith0", "-6 addr flush dev kith0",
                                       "route flush dev kith0",
                                       "-6 route flush dev kith0 proto 158"};
    kith_time now = 100 * KITH_SEC;

    (void)state;
    LAB_OR_SKIP();
    interface_make();
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    look(now);
    assert_int_equal(losses, 0);
    for (size_t i = 0; i < KITH_COUNT(take); i++) {
        lab_ip(take[i]);
        look(now += 10 * KITH_SEC);
        assert_int_equal(losses, i + 1);
        all_is_there();
        assert_int_equal(kith_overlay_deadline(&overlay), KITH_NEVER);
    }
    assert_int_equal(refusals, 0);
    interface_drop();
}

static void an_interface_that_is_down_gets_it_back_when_it_is_up(void **state)
{
    (void)state;
    LAB_OR_SKIP();
    interface_make();
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    lab_ip("link set kith0 down");
    look(100 * KITH_SEC);
    assert_int_equal(losses, 0);
    assert_int_equal(count("route show dev kith0 proto 158"), 0);
    lab_ip("link set kith0 up");
    look(101 * KITH_SEC);
    assert_int_equal(losses, 1);
    all_is_there();
    interface_drop();
}

static void who_takes_it_away_all_the_time_meets_it_ever_more_rarely(void **state)
{
    kith_time now = 100 * KITH_SEC, last = 0;
    size_t given = 0;

    (void)state;
    LAB_OR_SKIP();
    interface_make();
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    for (int i = 0; i < 1200; i++) { /* ten times a second */
        if (addresses() > 0) {
            given++;
            last = now;
            lab_ip("addr flush dev kith0");
        }
        look(now += KITH_SEC / 10);
    }
    assert_in_range(given, 4, 10);
    assert_true(now - last < 61 * KITH_SEC);
    interface_drop();
}

static void without_an_interface_nothing_is_done(void **state)
{
    (void)state;
    fake.n_networks = 1;
    kith_overlay_apply(&overlay, NULL, 0);
    assert_int_equal(overlay.applied.n, 0);
    assert_int_equal(refusals, 0);
}

static void a_family_that_a_network_does_not_have_is_not_wanted(void **state)
{
    struct kith_overlay_set set = {.n = 0};
    struct kith_network_info net = fake.network[0];

    (void)state;
    net.ip4 = (struct kith_ip){.family = KITH_FAMILY_NONE};
    kith_overlay_want(&set, &net);
    assert_int_equal(set.n, 1);
    assert_true(kith_ip_equal(&set.item[0].ip, &net.ip6));
    assert_true(kith_overlay_has(&set, &set.item[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_network_has_an_address_and_a_route_of_each_family, begin),
        cmocka_unit_test_setup(what_no_network_wants_any_more_is_taken_away_and_nothing_else,
                               begin),
        cmocka_unit_test_setup(a_route_that_is_somebody_elses_is_told_and_tried_again, begin),
        cmocka_unit_test_setup(what_others_took_away_is_given_back, begin),
        cmocka_unit_test_setup(an_interface_that_is_down_gets_it_back_when_it_is_up, begin),
        cmocka_unit_test_setup(who_takes_it_away_all_the_time_meets_it_ever_more_rarely, begin),
        cmocka_unit_test_setup(without_an_interface_nothing_is_done, begin),
        cmocka_unit_test_setup(a_family_that_a_network_does_not_have_is_not_wanted, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
