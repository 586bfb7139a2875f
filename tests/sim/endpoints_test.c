/* Addresses that a member tells, its own and those it says it saw us at: only what can lead to a
 * node is dialled and told on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/network_view.h"
#include "sim/home.h"

enum { N = 3, FOE = 2, TRAPS_MAX = 16 };

/* A host at an address nobody should send to. */
struct trap {
    struct kith_addr addr;
    size_t datagrams;
};

struct traps {
    struct trap trap[TRAPS_MAX];
    size_t n;
};

static const char *const loopback[] = {"127.0.0.1:9001", "127.9.9.9:9000", "[::1]:9000"};
static const char *const never[] = {
    "224.0.0.251:9000",    "255.255.255.255:9000", "[ff02::1]:9000", "0.0.0.0:9000",
    "[::]:9000",           "169.254.1.1:9000",     "[fe80::1]:9000", "100.80.0.9:9000",
    "100.80.255.255:9000",
};

static void on_trapped(void *ctx, const struct kith_rx *run, kith_time now)
{
    (void)run, (void)now;
    ((struct trap *)ctx)->datagrams++;
}

static void set_trap(struct home *h, struct traps *t, const char *addr)
{
    struct trap *trap = &t->trap[t->n++];

    *trap = (struct trap){.datagrams = 0};
    assert_int_equal(kith_addr_parse(addr, 9000, &trap->addr), KITH_OK);
    (void)sim_host_add(h->net, addr, on_trapped, trap);
}

/* Among the addresses of our own network there are its members' IPv6 ones. */
static void set_overlay_trap(struct home *h, struct traps *t)
{
    struct kith_ip ip = kith_network_ip6(&h->info.id, &h->foe.identity.id);
    char text[KITH_ADDR_TEXT];

    kith_addr_text(&(struct kith_addr){.ip = ip, .port = 9000}, text, sizeof text);
    set_trap(h, t, text);
}

static size_t caught(const struct traps *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++)
        n += t->trap[i].datagrams > 0;
    return n;
}

static void assert_nothing_caught(const struct traps *t)
{
    char text[KITH_ADDR_TEXT];

    for (size_t i = 0; i < t->n; i++)
        if (t->trap[i].datagrams > 0)
            print_error("sent to %s\n", kith_addr_text(&t->trap[i].addr, text, sizeof text));
    assert_int_equal(caught(t), 0);
}

/* The foe says that it is at all the traps, and goes. */
static void is_said_to_be_at(struct home *h, const struct traps *t)
{
    struct kith_addr addr[16];
    uint8_t object[HOME_OBJECT_MAX];

    for (size_t i = 0; i < t->n; i++)
        addr[i] = t->trap[i].addr;
    home_foe_pushes(h, 0, object,
                    home_foe_endpoints(h, addr, t->n, node_sim_now(&h->node[0]).wall + 1, object));
    home_wait(h, 2 * KITH_SEC);
    for (size_t i = 0; i < 2; i++) {
        size_t held;
        (void)home_endpoints_held(h, i, &h->foe.identity.id, addr, &held);
        assert_int_equal(held, t->n);
    }
    sim_host_power(h->foe.host, false);
    home_wait(h, 120 * KITH_SEC);
}

static void is_back(struct home *h)
{
    sim_host_power(h->foe.host, true);
    foe_restart(&h->foe);
    home_foe_greets(h, 0);
}

static void of_a_members_addresses_only_those_that_can_lead_to_it_are_dialled(void **state)
{
    struct traps t = {.n = 0}, good = {.n = 0};
    struct home h;

    (void)state;
    home_up(&h, 1, N);
    home_turn_bad(&h, FOE);
    for (size_t i = 0; i < KITH_COUNT(never); i++)
        set_trap(&h, &t, never[i]);
    for (size_t i = 0; i < KITH_COUNT(loopback); i++)
        set_trap(&h, &t, loopback[i]);
    set_overlay_trap(&h, &t);
    is_said_to_be_at(&h, &t);
    assert_nothing_caught(&t);

    is_back(&h);
    set_trap(&h, &good, "203.0.113.77:9001");
    set_trap(&h, &good, "10.1.2.3:9000");
    set_trap(&h, &good, "[2001:db8::77]:9000");
    is_said_to_be_at(&h, &good);
    assert_int_equal(caught(&good), 3);
    assert_nothing_caught(&t);
    home_down(&h);
}

static void loopback_is_dialled_by_a_node_that_listens_there(void **state)
{
    struct traps t = {.n = 0}, local = {.n = 0};
    struct home h;

    (void)state;
    home_up(&h, 2, N);
    h.node[1].on_loopback = true;
    node_sim_restart(&h.node[1]);
    home_turn_bad(&h, FOE);
    set_trap(&h, &t, "224.0.0.251:9000");
    set_trap(&h, &t, "100.80.0.9:9000");
    is_said_to_be_at(&h, &t);
    assert_nothing_caught(&t);
    is_back(&h);
    for (size_t i = 0; i < KITH_COUNT(loopback); i++)
        set_trap(&h, &local, loopback[i]);
    is_said_to_be_at(&h, &local);
    assert_int_equal(caught(&local), 3);
    home_down(&h);
}

/* ---- where others say they saw us ---- */

static void says_it_saw(struct home *h, const char *addr)
{
    struct kith_observed_address m;
    uint8_t message[64];
    size_t len;

    assert_int_equal(kith_addr_parse(addr, 9000, &m.addr), KITH_OK);
    assert_int_equal(kith_observed_address_encode(&m, message, sizeof message, &len), KITH_OK);
    home_foe_says(h, 0, message, len);
    home_wait(h, 11 * KITH_SEC); /* it may say the next */
}

static bool tells(const struct home *h, const char *addr)
{
    struct kith_addr told[16], a;
    size_t n;

    assert_int_equal(kith_addr_parse(addr, 9000, &a), KITH_OK);
    assert_true(home_endpoints_held(h, 1, &h->node[0].identity.id, told, &n) > 0);
    for (size_t i = 0; i < n; i++)
        if (kith_addr_equal(&told[i], &a))
            return true;
    return false;
}

static void of_addresses_a_node_was_seen_at_only_those_that_can_be_true_are_told_on(void **state)
{
    struct home h;

    (void)state;
    home_up(&h, 3, N);
    home_turn_bad(&h, FOE);
    for (size_t i = 0; i < KITH_COUNT(never); i++) {
        says_it_saw(&h, never[i]);
        assert_false(tells(&h, never[i]));
    }
    for (size_t i = 0; i < KITH_COUNT(loopback); i++) {
        says_it_saw(&h, loopback[i]);
        assert_false(tells(&h, loopback[i]));
    }
    says_it_saw(&h, "203.0.113.200:9000");
    assert_true(tells(&h, "203.0.113.200:9000"));
    assert_true(tells(&h, "192.0.2.1:9000")); /* where it is */
    home_down(&h);
}

/* Port 0 stands in no message and no object (identity 1.2): the wire refuses it. */
static void who_says_it_saw_port_0_breaks_the_protocol(void **state)
{
    struct kith_observed_address m;
    uint8_t message[64];
    struct home h;
    size_t len;

    (void)state;
    home_up(&h, 4, N);
    home_turn_bad(&h, FOE);
    assert_int_equal(kith_addr_parse("203.0.113.200:9000", 0, &m.addr), KITH_OK);
    assert_int_equal(kith_observed_address_encode(&m, message, sizeof message, &len), KITH_OK);
    home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(h.foe.downs, 0);
    message[len - 2] = message[len - 1] = 0;
    home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(h.foe.downs, 1);
    assert_int_equal(h.foe.last_end.code, KITH_CLOSE_PROTOCOL);
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_members_addresses_only_those_that_can_lead_to_it_are_dialled),
        cmocka_unit_test(loopback_is_dialled_by_a_node_that_listens_there),
        cmocka_unit_test(who_says_it_saw_port_0_breaks_the_protocol),
        cmocka_unit_test(of_addresses_a_node_was_seen_at_only_those_that_can_be_true_are_told_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
