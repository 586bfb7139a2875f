/* Which addresses of a host others are told, and what counts as a change of its network. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/watch.h"

enum { TUN = 7 };

static struct kith_host_addrs host;

static void add(const char *ip, unsigned ifindex, unsigned flags)
{
    struct kith_host_addr *a = &host.a[host.n++];

    *a = (struct kith_host_addr){.ifindex = ifindex, .flags = flags};
    assert_int_equal(kith_ip_parse(ip, &a->ip), KITH_OK);
}

static struct kith_watch_view view_of(void)
{
    struct kith_watch_view v = {.n = 99};

    kith_watch_addresses(&host, TUN, &v);
    return v;
}

static int begin(void **state)
{
    (void)state;
    host.n = 0;
    return 0;
}

static void addresses_that_reach_further_are_told_in_their_order(void **state)
{
    struct kith_watch_view v;
    char text[KITH_IP_TEXT];

    (void)state;
    add("192.0.2.1", 2, KITH_HOST_ADDR_UP);
    add("2001:db8::1", 2, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_TEMPORARY);
    v = view_of();
    assert_int_equal(v.n, 2);
    assert_string_equal(kith_ip_text(&v.addr[0], text, sizeof text), "192.0.2.1");
    assert_string_equal(kith_ip_text(&v.addr[1], text, sizeof text), "2001:db8::1");
}

static void addresses_of_no_use_to_others_are_not(void **state)
{
    (void)state;
    add("100.64.0.1", TUN, KITH_HOST_ADDR_UP);
    add("127.0.0.1", 1, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_LOOPBACK);
    add("192.0.2.9", 1, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_LOOPBACK);
    add("169.254.3.4", 2, KITH_HOST_ADDR_UP);
    add("fe80::1", 2, KITH_HOST_ADDR_UP);
    add("192.0.2.2", 3, 0); /* the cable is out */
    add("2001:db8::2", 2, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_TENTATIVE);
    add("2001:db8::3", 2, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_DEPRECATED);
    assert_int_equal(view_of().n, 0);
}

static void an_address_on_two_interfaces_is_told_once_and_never_more_than_fit(void **state)
{
    (void)state;
    add("192.0.2.1", 2, KITH_HOST_ADDR_UP);
    add("192.0.2.1", 3, KITH_HOST_ADDR_UP);
    assert_int_equal(view_of().n, 1);
    for (unsigned i = 0; i < 100; i++) {
        add("198.51.100.0", 2, KITH_HOST_ADDR_UP);
        host.a[host.n - 1].ip.b[3] = (uint8_t)i;
    }
    assert_int_equal(view_of().n, KITH_NODE_ADDRS_MAX);
}

static struct kith_host_route route(const char *prefix, unsigned ifindex)
{
    struct kith_host_route r = {.ifindex = ifindex};

    assert_int_equal(kith_prefix_parse(prefix, &r.dst), KITH_OK);
    return r;
}

static void routes_are_compared_without_their_order_and_without_ours(void **state)
{
    struct kith_host_routes a = {.n = 2}, b = {.n = 3};

    (void)state;
    a.r[0] = route("0.0.0.0/0", 2);
    a.r[1] = route("192.0.2.0/24", 3);
    b.r[0] = route("192.0.2.0/24", 3);
    b.r[1] = route("100.64.0.0/16", TUN);
    b.r[2] = route("0.0.0.0/0", 2);
    assert_true(kith_watch_routes(&a, TUN) == kith_watch_routes(&b, TUN));
    b.r[2].ifindex = 4; /* the default route moved */
    assert_true(kith_watch_routes(&a, TUN) != kith_watch_routes(&b, TUN));
    b.r[2] = route("0.0.0.0/0", 2);
    b.r[2].metric = 600;
    assert_true(kith_watch_routes(&a, TUN) != kith_watch_routes(&b, TUN));
}

static void a_change_is_named_and_the_same_view_is_none(void **state)
{
    struct kith_watch_view before, after;

    (void)state;
    add("192.0.2.1", 2, KITH_HOST_ADDR_UP);
    before = view_of();
    before.routes = 5;
    after = before;
    assert_null(kith_watch_changed(&before, &after));
    after.routes = 6;
    assert_string_equal(kith_watch_changed(&before, &after), "routes");
    host.a[0].ip.b[3] = 2; /* as many as before, but another one */
    after = view_of();
    after.routes = 5;
    assert_string_equal(kith_watch_changed(&before, &after), "addresses");
    after.routes = 6;
    assert_string_equal(kith_watch_changed(&before, &after), "addresses and routes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(addresses_that_reach_further_are_told_in_their_order, begin),
        cmocka_unit_test_setup(addresses_of_no_use_to_others_are_not, begin),
        cmocka_unit_test_setup(an_address_on_two_interfaces_is_told_once_and_never_more_than_fit,
                               begin),
        cmocka_unit_test_setup(routes_are_compared_without_their_order_and_without_ours, begin),
        cmocka_unit_test_setup(a_change_is_named_and_the_same_view_is_none, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
