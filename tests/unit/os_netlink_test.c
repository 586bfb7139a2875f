/* Interfaces, addresses and routes over rtnetlink. Every effect is looked at with iproute2, every
 * list is compared with what iproute2 made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "os/netlink.h"
#include "os/tun.h"
#include "os_lab.h"

struct lab { /* a namespace with one TUN device in it */
    struct kith_tun tun;
    struct kith_netlink nl;
};

static void lab_open(struct lab *lab)
{
    assert_int_equal(kith_tun_open(&lab->tun, "kith0", true, NULL), KITH_OK);
    assert_int_equal(kith_netlink_open(&lab->nl, NULL), KITH_OK);
}

static void lab_close(struct lab *lab)
{
    kith_netlink_close(&lab->nl);
    kith_tun_close(&lab->tun);
}

static void lab_up(struct lab *lab)
{
    struct kith_link_change up = {.up = true};

    assert_int_equal(kith_netlink_link_quiet(&lab->nl, lab->tun.ifindex, NULL), KITH_OK);
    assert_int_equal(kith_netlink_link_set(&lab->nl, lab->tun.ifindex, &up, NULL), KITH_OK);
}

static struct kith_ip ip_of(const char *text)
{
    struct kith_ip ip;

    assert_int_equal(kith_ip_parse(text, &ip), KITH_OK);
    return ip;
}

static struct kith_prefix prefix_of(const char *text)
{
    struct kith_prefix p;

    assert_int_equal(kith_prefix_parse(text, &p), KITH_OK);
    return p;
}

static struct kith_address_change address(const struct lab *lab, const char *ip, uint8_t bits)
{
    return (struct kith_address_change){.ifindex = lab->tun.ifindex, .ip = ip_of(ip), .bits = bits};
}

static struct kith_host_route route(const struct lab *lab, const char *prefix)
{
    return (struct kith_host_route){.dst = prefix_of(prefix), .ifindex = lab->tun.ifindex};
}

/* How many addresses iproute2 shows on kith0; the one called `ip`, if any, goes to *ret (owned). */
static size_t witness_address(const char *ip, json_t **ret)
{
    json_t *links = lab_ip_json("addr show dev kith0");
    json_t *list = json_object_get(json_array_get(links, 0), "addr_info");
    size_t n = 0, i;
    json_t *entry;

    json_array_foreach(list, i, entry) if (json_object_size(entry) > 0) n++;
    *ret = json_incref(lab_entry(list, "local", ip));
    json_decref(links);
    return n;
}

static void a_link_gets_its_mtu_and_queue_and_comes_up(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_link_change change = {.mtu = 1400, .queue = KITH_TUN_QUEUE};
    LAB_OR_SKIP();
    lab_open(&lab);
    assert_int_equal(kith_netlink_link_set(&lab.nl, lab.tun.ifindex, &change, NULL), KITH_OK);
    json_t *links = lab_ip_json("link show dev kith0");
    json_t *link = json_array_get(links, 0);
    assert_int_equal(json_integer_value(json_object_get(link, "mtu")), 1400);
    assert_int_equal(json_integer_value(json_object_get(link, "txqlen")), KITH_TUN_QUEUE);
    assert_string_equal(lab_text(link, "operstate"), "DOWN");
    json_decref(links);
    change = (struct kith_link_change){.up = true};
    assert_int_equal(kith_netlink_link_set(&lab.nl, lab.tun.ifindex, &change, NULL), KITH_OK);
    links = lab_ip_json("link show dev kith0 up");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(links, 0), "mtu")), 1400);
    json_decref(links);
    lab_close(&lab);
}

static void what_the_kernel_refuses_is_told_in_its_words(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_os_why why;
    struct kith_link_change change = {.mtu = 10};
    LAB_OR_SKIP();
    lab_open(&lab);
    assert_int_equal(kith_netlink_link_set(&lab.nl, lab.tun.ifindex, &change, &why), KITH_E_INVAL);
    assert_non_null(strstr(why.text, "set up the interface: Invalid argument"));
    assert_int_equal(kith_netlink_link_set(&lab.nl, 9999, &change, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "set up the interface: No such device");
    lab_close(&lab);
}

static void a_quiet_link_makes_up_no_addresses(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_link_change up = {.up = true};
    json_t *none;
    char value[8] = {0};
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    assert_int_equal(witness_address("", &none), 0);
    FILE *f = fopen("/proc/sys/net/ipv6/conf/kith0/accept_ra", "re");
    assert_non_null(f);
    assert_non_null(fgets(value, sizeof value, f));
    (void)fclose(f);
    assert_string_equal(value, "0\n");
    kith_tun_close(&lab.tun);

    /* without being told, the kernel makes a link-local address */
    assert_int_equal(kith_tun_open(&lab.tun, "kith0", true, NULL), KITH_OK);
    assert_int_equal(kith_netlink_link_set(&lab.nl, lab.tun.ifindex, &up, NULL), KITH_OK);
    assert_int_equal(witness_address("", &none), 1);
    assert_int_equal(kith_netlink_link_quiet(&lab.nl, 9999, NULL), KITH_E_NOTFOUND);
    lab_close(&lab);
}

static void an_address_is_added_once_and_removed_once(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        uint8_t bits;
    } cases[] = {{"100.64.3.7", 16}, {"fd12:3456:789a::7", 64}};
    struct lab lab;
    struct kith_os_why why;
    json_t *seen;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        struct kith_address_change a = address(&lab, cases[i].ip, cases[i].bits);
        assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_OK);
        assert_int_equal(witness_address(cases[i].ip, &seen), 1);
        assert_int_equal(json_integer_value(json_object_get(seen, "prefixlen")), cases[i].bits);
        assert_null(json_object_get(seen, "tentative"));
        json_decref(seen);
        assert_int_equal(kith_netlink_address_add(&lab.nl, &a, &why), KITH_E_EXISTS);
        assert_non_null(strstr(why.text, cases[i].ip));
        assert_int_equal(kith_netlink_address_remove(&lab.nl, &a, NULL), KITH_OK);
        assert_int_equal(witness_address(cases[i].ip, &seen), 0);
        assert_int_equal(kith_netlink_address_remove(&lab.nl, &a, NULL), KITH_E_NOTFOUND);
    }
    lab_close(&lab);
}

static void an_address_brings_its_route_only_when_wanted(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    struct kith_address_change a = address(&lab, "100.64.3.7", 16);
    for (int without = 0; without < 2; without++) {
        a.no_route = without;
        assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_OK);
        json_t *routes = lab_ip_json("route show dev kith0");
        assert_int_equal(json_array_size(routes), without ? 0 : 1);
        json_decref(routes);
        assert_int_equal(kith_netlink_address_remove(&lab.nl, &a, NULL), KITH_OK);
    }
    lab_close(&lab);
}

static void impossible_addresses_never_reach_the_kernel(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    struct kith_address_change a = address(&lab, "100.64.3.7", 33);
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_E_INVAL);
    a = (struct kith_address_change){.ifindex = lab.tun.ifindex, .bits = 8};
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_E_INVAL);
    a = address(&lab, "100.64.3.7", 32);
    a.ifindex = 0;
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_E_INVAL);
    a.ifindex = 9999;
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_E_NOTFOUND);
    lab_close(&lab);
}

static void without_privilege_changes_are_refused_and_questions_answered(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_host_addrs addrs;
    struct kith_os_why why = {{0}};
    LAB_OR_SKIP();
    lab_open(&lab);
    struct kith_address_change a = address(&lab, "100.64.3.7", 16);
    /* the kernel judges by who opened the socket, too: a fresh one */
    kith_netlink_close(&lab.nl);
    assert_int_equal(seteuid(65534), 0);
    int opened = kith_netlink_open(&lab.nl, NULL);
    int changed = kith_netlink_address_add(&lab.nl, &a, &why);
    int asked = kith_netlink_addresses(&lab.nl, &addrs, NULL);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(opened, KITH_OK);
    assert_int_equal(changed, KITH_E_PERM);
    assert_string_equal(why.text, "add address 100.64.3.7: Operation not permitted");
    assert_int_equal(asked, KITH_OK);
    lab_close(&lab);
}

static const struct kith_host_addr *listed(const struct kith_host_addrs *list, const char *ip)
{
    struct kith_ip wanted = ip_of(ip);

    for (size_t i = 0; i < list->n; i++)
        if (kith_ip_equal(&list->a[i].ip, &wanted))
            return &list->a[i];
    return NULL;
}

static void addresses_are_listed_with_their_interface_and_state(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_host_addrs list;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_ip("link set lo up");
    lab_ip("addr add 100.64.3.7/16 dev kith0");
    lab_ip("addr add 10.1.1.1 peer 10.1.1.2/32 dev kith0");
    lab_ip("addr add fd00::5/64 dev kith0 nodad preferred_lft 0");
    assert_int_equal(kith_netlink_addresses(&lab.nl, &list, NULL), KITH_OK);
    assert_false(list.more);
    const struct kith_host_addr *a = listed(&list, "127.0.0.1");
    assert_non_null(a);
    assert_int_equal(a->flags, KITH_HOST_ADDR_UP | KITH_HOST_ADDR_LOOPBACK);
    assert_string_equal(a->ifname, "lo");
    a = listed(&list, "100.64.3.7");
    assert_non_null(a);
    assert_int_equal(a->bits, 16);
    assert_int_equal(a->ifindex, lab.tun.ifindex);
    assert_string_equal(a->ifname, "kith0");
    assert_int_equal(a->flags, KITH_HOST_ADDR_POINT); /* and not up */
    assert_non_null(listed(&list, "10.1.1.1"));
    assert_null(listed(&list, "10.1.1.2"));
    a = listed(&list, "fd00::5");
    assert_non_null(a);
    assert_true(a->flags & KITH_HOST_ADDR_DEPRECATED);
    lab_close(&lab);
}

static void a_list_that_is_too_long_says_so(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_host_addrs list;
    LAB_OR_SKIP();
    lab_open(&lab);
    for (unsigned i = 0; i < KITH_HOST_ADDRS_MAX; i++) {
        struct kith_address_change a = address(&lab, "10.0.0.1", 32);
        a.ip = kith_ip4(10, 0, (uint8_t)(i >> 8), (uint8_t)i);
        assert_int_equal(kith_netlink_address_add(&lab.nl, &a, NULL), KITH_OK);
    }
    assert_int_equal(kith_netlink_addresses(&lab.nl, &list, NULL), KITH_OK);
    assert_int_equal(list.n, KITH_HOST_ADDRS_MAX);
    assert_false(list.more);
    struct kith_address_change one_more = address(&lab, "10.1.0.1", 32);
    assert_int_equal(kith_netlink_address_add(&lab.nl, &one_more, NULL), KITH_OK);
    assert_int_equal(kith_netlink_addresses(&lab.nl, &list, NULL), KITH_OK);
    assert_int_equal(list.n, KITH_HOST_ADDRS_MAX);
    assert_true(list.more);
    lab_close(&lab);
}

static void a_route_is_added_once_under_our_number_and_removed_once(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    static const char *const prefixes[] = {"10.20.0.0/16", "fd77::/32"};
    static const char *const shows[] = {"-4 route show proto 158", "-6 route show proto 158"};
    for (size_t i = 0; i < KITH_COUNT(prefixes); i++) {
        struct kith_host_route r = route(&lab, prefixes[i]);
        r.metric = 77;
        assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
        json_t *routes = lab_ip_json(shows[i]);
        json_t *seen = lab_entry(routes, "dst", prefixes[i]);
        assert_non_null(seen);
        assert_string_equal(lab_text(seen, "dev"), "kith0");
        assert_int_equal(json_integer_value(json_object_get(seen, "metric")), 77);
        json_decref(routes);
        assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_EXISTS);
        assert_int_equal(kith_netlink_route_remove(&lab.nl, &r, NULL), KITH_OK);
        assert_int_equal(kith_netlink_route_remove(&lab.nl, &r, NULL), KITH_E_NOTFOUND);
        routes = lab_ip_json(shows[i]);
        assert_int_equal(json_array_size(routes), 0);
        json_decref(routes);
    }
    lab_close(&lab);
}

static void a_route_prefers_the_source_it_names(void **state)
{
    (void)state;
    struct lab lab;
    unsigned ifindex;
    struct kith_ip src, to = ip_of("10.20.1.1"), wanted = ip_of("100.64.3.8");
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    lab_ip("addr add 100.64.3.7/16 dev kith0");
    lab_ip("addr add 100.64.3.8/32 dev kith0");
    struct kith_host_route r = route(&lab, "10.20.0.0/16");
    r.src = wanted;
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
    assert_int_equal(kith_netlink_route_to(&lab.nl, &to, &ifindex, &src, NULL), KITH_OK);
    assert_true(kith_ip_equal(&src, &wanted));
    r = route(&lab, "10.21.0.0/16");
    r.src = ip_of("192.0.2.1"); /* not ours */
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_INVAL);
    lab_close(&lab);
}

static void routes_of_others_are_not_removed(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    lab_ip("route add 10.20.0.0/16 dev kith0");
    struct kith_host_route r = route(&lab, "10.20.0.0/16");
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_EXISTS);
    assert_int_equal(kith_netlink_route_remove(&lab.nl, &r, NULL), KITH_E_NOTFOUND);
    json_t *routes = lab_ip_json("route show dev kith0");
    assert_non_null(lab_entry(routes, "dst", "10.20.0.0/16"));
    json_decref(routes);
    lab_close(&lab);
}

static void a_route_over_a_link_that_is_down_is_refused(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    struct kith_host_route r = route(&lab, "10.20.0.0/16");
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_UNREACHABLE);
    lab_up(&lab);
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
    r.ifindex = 9999;
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_NOTFOUND);
    r.ifindex = 0;
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_E_INVAL);
    lab_close(&lab);
}

static bool route_listed(const struct kith_host_routes *list, const char *prefix, uint8_t protocol)
{
    struct kith_prefix wanted = prefix_of(prefix);

    for (size_t i = 0; i < list->n; i++)
        if (kith_prefix_equal(&list->r[i].dst, &wanted) && list->r[i].protocol == protocol)
            return true;
    return false;
}

static void routes_are_listed_whoever_made_them(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_host_routes list;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    struct kith_host_route r = route(&lab, "10.20.0.0/16");
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
    lab_ip("route add default dev kith0 proto static");
    lab_ip("route add blackhole 10.30.0.0/16 proto static");
    lab_ip("route add fd77::/32 dev kith0 proto static table 52");
    lab_ip("route add unreachable ::ffff:0:0/96 proto static");
    lab_ip("addr add 100.64.3.7/32 dev kith0");
    assert_int_equal(kith_netlink_routes(&lab.nl, &list, NULL), KITH_OK);
    assert_true(route_listed(&list, "10.20.0.0/16", KITH_ROUTE_PROTOCOL));
    assert_true(route_listed(&list, "0.0.0.0/0", 4 /* static */));
    assert_true(route_listed(&list, "10.30.0.0/16", 4));
    assert_true(route_listed(&list, "fd77::/32", 4));
    assert_false(route_listed(&list, "0.0.0.0/32", 4)); /* mapped addresses are not IPv4's */
    assert_false(route_listed(&list, "100.64.3.7/32", 2 /* the kernel's own, a local address */));
    lab_close(&lab);
}

static void clearing_removes_our_leftovers_and_nothing_else(void **state)
{
    (void)state;
    struct lab lab;
    json_t *seen;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    lab_ip("addr add 100.64.3.7/16 dev kith0");
    lab_ip("addr add fd00::5/64 dev kith0 nodad");
    lab_ip("link set lo up");
    lab_ip("addr add 100.64.9.9/32 dev lo");
    lab_ip("route add fd88::/32 dev kith0 proto static");
    struct kith_host_route r4 = route(&lab, "10.20.0.0/16"), r6 = route(&lab, "fd77::/32");
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r4, NULL), KITH_OK);
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r6, NULL), KITH_OK);
    assert_int_equal(kith_netlink_link_clear(&lab.nl, lab.tun.ifindex, NULL), KITH_OK);
    assert_int_equal(witness_address("", &seen), 0);
    struct kith_host_routes routes;
    struct kith_host_addrs addrs;
    assert_int_equal(kith_netlink_routes(&lab.nl, &routes, NULL), KITH_OK);
    assert_false(route_listed(&routes, "10.20.0.0/16", KITH_ROUTE_PROTOCOL));
    assert_false(route_listed(&routes, "fd77::/32", KITH_ROUTE_PROTOCOL));
    assert_int_equal(kith_netlink_addresses(&lab.nl, &addrs, NULL), KITH_OK);
    assert_non_null(listed(&addrs, "100.64.9.9"));
    json_t *left = lab_ip_json("-6 route show dev kith0");
    assert_non_null(lab_entry(left, "dst", "fd88::/32"));
    json_decref(left);
    lab_close(&lab);
}

static void the_way_to_an_address_names_interface_and_source(void **state)
{
    (void)state;
    struct lab lab;
    struct kith_os_why why;
    unsigned ifindex = 77;
    struct kith_ip src, expected, to = ip_of("100.64.200.1"), to6 = ip_of("fd00::99"), none = {0};
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    assert_int_equal(kith_netlink_route_to(&lab.nl, &to, &ifindex, &src, &why), KITH_E_UNREACHABLE);
    assert_string_equal(why.text, "find the way to 100.64.200.1: Network is unreachable");
    assert_int_equal(ifindex, 77);
    lab_ip("addr add 100.64.3.7/16 dev kith0");
    lab_ip("addr add fd00::5/64 dev kith0 nodad");
    assert_int_equal(kith_netlink_route_to(&lab.nl, &to, &ifindex, &src, NULL), KITH_OK);
    expected = ip_of("100.64.3.7");
    assert_int_equal(ifindex, lab.tun.ifindex);
    assert_true(kith_ip_equal(&src, &expected));
    assert_int_equal(kith_netlink_route_to(&lab.nl, &to6, &ifindex, &src, NULL), KITH_OK);
    expected = ip_of("fd00::5");
    assert_int_equal(ifindex, lab.tun.ifindex);
    assert_true(kith_ip_equal(&src, &expected));
    assert_int_equal(kith_netlink_route_to(&lab.nl, &none, &ifindex, &src, NULL), KITH_E_INVAL);
    lab_close(&lab);
}

static bool in_use(struct lab *lab, const char *prefix, unsigned except)
{
    struct kith_prefix p = prefix_of(prefix);
    bool used;

    assert_int_equal(kith_host_prefix_in_use(&lab->nl, &p, except, &used, NULL), KITH_OK);
    return used;
}

static void a_prefix_is_in_use_when_an_address_or_a_route_overlaps_it(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    assert_false(in_use(&lab, "100.64.0.0/16", 0));
    lab_ip("addr add 100.64.3.7/32 dev kith0");
    assert_true(in_use(&lab, "100.64.0.0/16", 0));
    assert_true(in_use(&lab, "100.64.3.7/32", 0));
    assert_false(in_use(&lab, "100.65.0.0/16", 0));
    lab_ip("route add 100.64.0.0/10 dev kith0 table 52");
    assert_true(in_use(&lab, "100.65.0.0/16", 0));
    assert_false(in_use(&lab, "100.65.0.0/16", lab.tun.ifindex));
    assert_false(in_use(&lab, "fd77::/48", 0));
    lab_ip("route add unreachable fd77::/32");
    assert_true(in_use(&lab, "fd77::/48", 0));
    lab_close(&lab);
}

static void default_routes_and_their_halves_use_nothing(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    lab_ip("route add default dev kith0");
    lab_ip("route add 0.0.0.0/1 dev kith0");
    lab_ip("-6 route add default dev kith0");
    assert_false(in_use(&lab, "100.64.0.0/16", 0));
    assert_false(in_use(&lab, "fd77::/48", 0));
    lab_ip("route add 96.0.0.0/3 dev kith0");
    assert_true(in_use(&lab, "100.64.0.0/16", 0));
    lab_close(&lab);
}

static void a_deleted_link_is_gone(void **state)
{
    (void)state;
    struct lab lab;
    LAB_OR_SKIP();
    lab_open(&lab);
    assert_int_equal(kith_netlink_link_delete(&lab.nl, lab.tun.ifindex, NULL), KITH_OK);
    assert_int_equal(if_nametoindex("kith0"), 0);
    assert_int_equal(kith_netlink_link_delete(&lab.nl, lab.tun.ifindex, NULL), KITH_E_NOTFOUND);
    lab_close(&lab);
}

/* What the watcher has to say; the kernel announces IPv6 addresses from a work queue. */
static unsigned next_events(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    unsigned events = 0;

    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(kith_netlink_watch_read(fd, &events), KITH_OK);
    return events;
}

static void a_watcher_sees_each_kind_of_change_once(void **state)
{
    (void)state;
    struct lab lab;
    int fd;
    unsigned events = 77;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    assert_int_equal(kith_netlink_watch_open(&fd, NULL), KITH_OK);
    assert_int_equal(kith_netlink_watch_read(fd, &events), KITH_E_AGAIN);
    assert_int_equal(events, 77);

    struct kith_host_route r = route(&lab, "10.20.0.0/16");
    assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
    assert_int_equal(next_events(fd), KITH_NETLINK_ROUTE);
    assert_int_equal(kith_netlink_route_remove(&lab.nl, &r, NULL), KITH_OK);
    assert_int_equal(next_events(fd), KITH_NETLINK_ROUTE);

    struct kith_link_change queue = {.queue = 33};
    assert_int_equal(kith_netlink_link_set(&lab.nl, lab.tun.ifindex, &queue, NULL), KITH_OK);
    assert_int_equal(next_events(fd), KITH_NETLINK_LINK);
    assert_int_equal(kith_netlink_watch_read(fd, &events), KITH_E_AGAIN);

    struct kith_address_change a4 = address(&lab, "100.64.3.7", 16);
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a4, NULL), KITH_OK);
    assert_int_equal(next_events(fd), KITH_NETLINK_ADDR | KITH_NETLINK_ROUTE);
    struct kith_address_change a6 = address(&lab, "fd00::5", 128);
    assert_int_equal(kith_netlink_address_add(&lab.nl, &a6, NULL), KITH_OK);
    for (events = 0; !(events & KITH_NETLINK_ADDR);)
        events = next_events(fd);
    (void)close(fd);
    lab_close(&lab);
}

static void a_watcher_that_missed_something_reports_everything(void **state)
{
    (void)state;
    struct lab lab;
    int fd, small = 1;
    unsigned events = 0;
    LAB_OR_SKIP();
    lab_open(&lab);
    lab_up(&lab);
    assert_int_equal(kith_netlink_watch_open(&fd, NULL), KITH_OK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    for (unsigned i = 1; i < 50; i++) { /* notices of one kind */
        struct kith_host_route r = route(&lab, "10.20.0.0/16");
        r.metric = i;
        assert_int_equal(kith_netlink_route_add(&lab.nl, &r, NULL), KITH_OK);
    }
    assert_int_equal(kith_netlink_watch_read(fd, &events), KITH_OK);
    assert_int_equal(events, KITH_NETLINK_LINK | KITH_NETLINK_ADDR | KITH_NETLINK_ROUTE);
    (void)close(fd);
    lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_gets_its_mtu_and_queue_and_comes_up),
        cmocka_unit_test(what_the_kernel_refuses_is_told_in_its_words),
        cmocka_unit_test(a_quiet_link_makes_up_no_addresses),
        cmocka_unit_test(an_address_is_added_once_and_removed_once),
        cmocka_unit_test(an_address_brings_its_route_only_when_wanted),
        cmocka_unit_test(impossible_addresses_never_reach_the_kernel),
        cmocka_unit_test(without_privilege_changes_are_refused_and_questions_answered),
        cmocka_unit_test(addresses_are_listed_with_their_interface_and_state),
        cmocka_unit_test(a_list_that_is_too_long_says_so),
        cmocka_unit_test(a_route_is_added_once_under_our_number_and_removed_once),
        cmocka_unit_test(a_route_prefers_the_source_it_names),
        cmocka_unit_test(routes_of_others_are_not_removed),
        cmocka_unit_test(a_route_over_a_link_that_is_down_is_refused),
        cmocka_unit_test(routes_are_listed_whoever_made_them),
        cmocka_unit_test(clearing_removes_our_leftovers_and_nothing_else),
        cmocka_unit_test(the_way_to_an_address_names_interface_and_source),
        cmocka_unit_test(a_prefix_is_in_use_when_an_address_or_a_route_overlaps_it),
        cmocka_unit_test(default_routes_and_their_halves_use_nothing),
        cmocka_unit_test(a_deleted_link_is_gone),
        cmocka_unit_test(a_watcher_sees_each_kind_of_change_once),
        cmocka_unit_test(a_watcher_that_missed_something_reports_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
