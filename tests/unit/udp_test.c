/* UDP over loopback: what is sent arrives as it was, whatever offloads take part, and no error of a
 * datagram is an error of the endpoint. What needs a kernel that refuses is in udp_refusal_test.c.
 */

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>

#include "udp_lab.h"

#include "base/text.h"
#include "base_lab.h"
#include "fd_lab.h"
#include "transport/udp/sockaddr.h"

static const char *const loopback[] = {"127.0.0.1", "[::1]:0"};

static struct kith_udp_config all_on(void)
{
    return kith_udp_config_default;
}

static struct kith_udp_config all_off(void)
{
    return (struct kith_udp_config){0};
}

/* ---- arriving ---- */

static void exchange(const char *where)
{
    struct lab_end *a = lab_open(all_on(), where), *b = lab_open(all_on(), where);

    lab_send_text(a, &b->at, "ping");
    lab_receive(b, 1);
    lab_expect_text(b, "ping");
    assert_int_equal(b->in.path.transport, 7);
    assert_true(kith_addr_equal(&b->in.path.remote, &a->at));
    assert_true(kith_addr_equal(&b->in.path.local, &b->at));

    struct kith_tx answer = {
        .path = b->in.path, .data = (const uint8_t *)"pong", .len = 4, .segment = 1200};
    assert_int_equal(lab_send(b, &answer, 1), 1);
    lab_receive(a, 1);
    lab_expect_text(a, "pong");
    assert_true(kith_addr_equal(&a->in.path.remote, &b->at));
    assert_int_equal(kith_udp_counters(a->u)->datagrams_in, 1);
    assert_int_equal(kith_udp_counters(a->u)->datagrams_out, 1);
    assert_int_equal(kith_udp_counters(a->u)->bytes_out, 4);
    lab_close(a);
    lab_close(b);
}

static void a_datagram_and_its_answer_arrive_over_ip4(void **state)
{
    (void)state;
    exchange(loopback[0]);
}

static void a_datagram_and_its_answer_arrive_over_ip6(void **state)
{
    (void)state;
    exchange(loopback[1]);
}

/* Sends one run and a last word after it: nothing is missing, nothing comes twice. */
static void carry(struct lab_end *a, struct lab_end *b, size_t len, size_t segment)
{
    static uint8_t data[200000];
    struct kith_tx run = lab_run(&b->at, data, len, segment);

    assert_true(len <= sizeof data);
    lab_fill(data, len);
    lab_clear(b);
    assert_int_equal(lab_send(a, &run, 1), 1);
    lab_send_text(a, &b->at, "last");
    lab_receive(b, (len + segment - 1) / segment + 1);
    lab_expect_run(b, data, len, segment);
    lab_expect_text(b, "last");
}

/* Lengths and segments around every border: whole, a shorter tail, 64 and 65 datagrams, more
 * bytes than one send takes, one datagram longer than it needs. */
static const struct {
    size_t len, segment;
} shapes[] = {
    {1, 1},           {1200, 1200},    {1199, 1200},    {2400, 1200},        {2401, 1200},
    {60345, 1200},    {64 * 100, 100}, {65 * 100, 100}, {64 * 100 + 1, 100}, {131 * 1200 + 7, 1200},
    {3 * 8000, 8000}, {65507, 1400},   {150, 1},
};

static void every_switch(const char *where)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        struct kith_udp_config from = all_off(), to = all_off();
        from.gso = bits & 1;
        to.gro = bits & 2;
        from.ecn = to.ecn = bits & 4;
        to.recvmmsg = bits & 8;
        struct lab_end *a = lab_open(from, where), *b = lab_open(to, where);
        for (size_t i = 0; i < KITH_COUNT(shapes); i++)
            carry(a, b, shapes[i].len, shapes[i].segment);
        assert_int_equal(kith_udp_counters(b->u)->truncated, 0);
        assert_int_equal(kith_udp_counters(a->u)->gso_fallbacks, 0);
        lab_close(a);
        lab_close(b);
    }
}

static void a_run_arrives_as_the_same_datagrams_with_every_switch_over_ip4(void **state)
{
    (void)state;
    every_switch(loopback[0]);
}

static void a_run_arrives_as_the_same_datagrams_with_every_switch_over_ip6(void **state)
{
    (void)state;
    every_switch(loopback[1]);
}

static void gso_makes_one_message_of_a_run_and_gro_keeps_it_whole(void **state)
{
    (void)state;
    static uint8_t data[20 * 1200];
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), loopback[0]);

    if (a->events[KITH_EV_offload_off] + b->events[KITH_EV_offload_off] > 0) {
        print_message("skipped: this kernel has no UDP GSO or GRO\n");
        lab_close(a);
        lab_close(b);
        skip();
    }
    struct kith_tx run = lab_run(&b->at, data, sizeof data, 1200);
    assert_int_equal(lab_send(a, &run, 1), 1);
    lab_receive(b, 20);
    assert_int_equal(kith_udp_counters(a->u)->runs_out, 1);
    assert_int_equal(kith_udp_counters(a->u)->datagrams_out, 20);
    assert_int_equal(kith_udp_counters(b->u)->runs_in, 1);
    assert_int_equal(kith_udp_counters(b->u)->datagrams_in, 20);
    assert_int_equal(b->in.runs, 1);
    lab_close(a);
    lab_close(b);
}

/* 64 datagrams and 65507 bytes are what every kernel with GSO takes at once. */
static void a_run_too_long_for_one_message_is_cut(void **state)
{
    (void)state;
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), loopback[0]);
    static const struct {
        size_t datagrams, segment, messages;
    } runs[] = {{64, 100, 1}, {65, 100, 2}, {129, 100, 3}, {54, 1200, 1}, {55, 1200, 2}};

    if (a->events[KITH_EV_offload_off] > 0) {
        print_message("skipped: this kernel has no UDP GSO\n");
        lab_close(a);
        lab_close(b);
        skip();
    }
    for (size_t i = 0; i < KITH_COUNT(runs); i++) {
        uint64_t before = kith_udp_counters(a->u)->runs_out;
        carry(a, b, runs[i].datagrams * runs[i].segment, runs[i].segment);
        assert_int_equal(kith_udp_counters(a->u)->runs_out, before + runs[i].messages + 1);
    }
    lab_close(a);
    lab_close(b);
}

static void many_runs_to_both_families_go_in_one_call(void **state)
{
    (void)state;
    struct lab_end *b6 = lab_open(all_off(), loopback[1]), *b4 = lab_open(all_off(), loopback[0]);
    struct lab_end *a = lab_open(all_on(), NULL);
    static const uint8_t data[100];
    struct kith_tx runs[100];

    for (size_t i = 0; i < KITH_COUNT(runs); i++)
        runs[i] = lab_run(i % 3 == 0 ? &b6->at : &b4->at, data, i == 50 ? 0 : sizeof data, 60);
    assert_int_equal(lab_send(a, runs, KITH_COUNT(runs)), KITH_COUNT(runs));
    lab_receive(b4, 2 * (66 - 1)); /* i = 50 is one of its runs and empty */
    lab_receive(b6, 2 * 34);
    lab_close(a);
    lab_close(b4);
    lab_close(b6);
}

static void one_receive_reads_no_more_than_its_batches(void **state)
{
    (void)state;
    struct kith_udp_config cfg = all_off();
    cfg.max_batches = 1;
    for (int mmsg = 0; mmsg < 2; mmsg++) {
        cfg.recvmmsg = mmsg;
        struct lab_end *a = lab_open(all_off(), loopback[0]), *b = lab_open(cfg, loopback[0]);
        carry(a, b, 3 * KITH_UDP_BATCH - 1, 1);
        assert_true(b->in.batches >= 3);
        lab_close(a);
        lab_close(b);
    }
}

/* ---- what comes with a datagram ---- */

static void ecn_both_ways(const char *where)
{
    struct lab_end *a = lab_open(all_on(), where), *b = lab_open(all_on(), where);
    struct lab_end *deaf = lab_open(all_off(), where);
    static const uint8_t data[2500];

    for (uint8_t ecn = 0; ecn < 4; ecn++) {
        struct kith_tx there = lab_run(&b->at, data, sizeof data, 1000);
        there.ecn = ecn;
        lab_clear(b);
        assert_int_equal(lab_send(a, &there, 1), 1);
        lab_receive(b, 3);
        assert_int_equal(b->in.ecn, ecn);

        struct kith_tx back = {
            .path = b->in.path, .data = data, .len = 9, .segment = 9, .ecn = ecn};
        lab_clear(a);
        assert_int_equal(lab_send(b, &back, 1), 1);
        lab_receive(a, 1);
        assert_int_equal(a->in.ecn, ecn);

        there.path.remote = deaf->at;
        lab_clear(deaf);
        assert_int_equal(lab_send(a, &there, 1), 1);
        lab_receive(deaf, 3);
        assert_int_equal(deaf->in.ecn, 0);
    }
    lab_close(a);
    lab_close(b);
    lab_close(deaf);
}

static void ecn_bits_travel_both_ways_over_ip4(void **state)
{
    (void)state;
    ecn_both_ways(loopback[0]);
}

static void ecn_bits_travel_both_ways_over_ip6(void **state)
{
    (void)state;
    ecn_both_ways(loopback[1]);
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    (void)state;
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), "0.0.0.0");
    struct kith_addr second = lab_addr("127.0.0.2");
    second.port = b->at.port;

    lab_send_text(a, &second, "which?");
    lab_receive(b, 1);
    assert_true(kith_addr_equal(&b->in.path.local, &second));

    struct kith_tx answer = {
        .path = b->in.path, .data = (const uint8_t *)"this", .len = 4, .segment = 4};
    assert_int_equal(lab_send(b, &answer, 1), 1);
    lab_receive(a, 1);
    assert_true(kith_addr_equal(&a->in.path.remote, &second));
    lab_close(a);
    lab_close(b);
}

static void an_answer_leaves_from_the_port_that_was_asked(void **state)
{
    (void)state;
    struct kith_udp_config cfg = all_on();
    cfg.n_listen = 3;
    cfg.listen[0] = cfg.listen[1] = lab_addr("0.0.0.0");
    cfg.listen[2] = lab_addr("127.0.0.3");
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = calloc(1, sizeof *b);
    struct kith_udp_why why;
    struct kith_addr at[KITH_UDP_SOCKETS_MAX];
    size_t n;

    assert_int_equal(lab_try(b, &cfg, &why), KITH_OK);
    assert_int_equal(kith_udp_local(b->u, at, 2, &n), KITH_E_LIMIT);
    assert_int_equal(kith_udp_local(b->u, at, KITH_COUNT(at), &n), KITH_OK);
    assert_int_equal(n, 3);
    at[0].ip = at[1].ip = lab_addr("127.0.0.1").ip;
    for (size_t i = 0; i < n; i++) {
        lab_clear(a);
        lab_clear(b);
        lab_send_text(a, &at[i], "which?");
        lab_receive(b, 1);
        struct kith_tx answer = {
            .path = b->in.path, .data = (const uint8_t *)"this", .len = 4, .segment = 4};
        assert_int_equal(lab_send(b, &answer, 1), 1);
        lab_receive(a, 1);
        assert_true(kith_addr_equal(&a->in.path.remote, &at[i]));
    }
    lab_close(a);
    lab_close(b);
}

/* A link-local address of this machine with its interface; datagrams to it stay inside. */
static bool own_link_local(struct kith_addr *ret)
{
    struct ifaddrs *all;
    bool found = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next) {
        union kith_sockaddr sa;
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET6 || !(i->ifa_flags & IFF_UP))
            continue;
        memcpy(&sa.in6, i->ifa_addr, sizeof sa.in6);
        *ret = kith_sockaddr_addr(&sa);
        found = kith_ip_is_link_local(&ret->ip);
    }
    freeifaddrs(all);
    return found;
}

static void a_link_local_path_names_its_interface(void **state)
{
    (void)state;
    struct kith_addr own;
    if (!own_link_local(&own)) {
        print_message("skipped: no interface has a link-local address\n");
        skip();
    }
    assert_int_not_equal(own.scope, 0);
    struct lab_end *a = lab_open(all_on(), "[::]:0"), *b = lab_open(all_on(), "[::]:0");
    own.port = b->at.port;

    lab_send_text(a, &own, "which?");
    lab_receive(b, 1);
    assert_true(kith_addr_equal(&b->in.path.local, &own));
    assert_int_equal(b->in.path.remote.scope, own.scope);
    struct kith_tx answer = {
        .path = b->in.path, .data = (const uint8_t *)"this", .len = 4, .segment = 4};
    assert_int_equal(lab_send(b, &answer, 1), 1);
    lab_receive(a, 1);
    assert_true(kith_addr_equal(&a->in.path.remote, &own));
    lab_close(a);
    lab_close(b);
}

static void socket_addresses_and_ours_say_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1:9000", "[2001:db8::1]:9000", "[fe80::1%3]:9000"};
    union kith_sockaddr sa;

    for (size_t i = 0; i < KITH_COUNT(texts); i++) {
        struct kith_addr a = lab_addr(texts[i]), none = {.port = 9000};
        assert_int_not_equal(kith_sockaddr_of(&a, &sa), 0);
        struct kith_addr back = kith_sockaddr_addr(&sa);
        assert_true(kith_addr_equal(&a, &back));
        assert_int_equal(kith_sockaddr_of(&none, &sa), 0);
    }
    assert_int_equal(sa.in6.sin6_scope_id, 3);
    assert_int_equal(ntohs(sa.in6.sin6_port), 9000);
    sa.in6.sin6_addr.s6_addr[0] = 0x20; /* no longer link-local: the scope means nothing */
    assert_int_equal(kith_sockaddr_addr(&sa).scope, 0);
    sa.any.sa_family = AF_UNIX;
    assert_int_equal(kith_sockaddr_addr(&sa).ip.family, KITH_FAMILY_NONE);
}

static void an_ip4_peer_is_never_seen_as_mapped_ip6(void **state)
{
    (void)state;
    union kith_sockaddr sa = {
        .in6 = {.sin6_family = AF_INET6, .sin6_port = htons(9000), .sin6_scope_id = 3}};
    struct kith_addr want = lab_addr("192.0.2.1:9000");
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

    memcpy(&sa.in6.sin6_addr, mapped, sizeof mapped);
    struct kith_addr got = kith_sockaddr_addr(&sa);
    assert_true(kith_addr_equal(&got, &want));

    /* The IPv6 socket takes no IPv4 at all: its port is free there. */
    struct lab_end *six = lab_open(all_on(), "[::]:0");
    struct kith_udp_config cfg = all_on();
    struct kith_udp_why why;
    struct lab_end *four = calloc(1, sizeof *four);
    cfg.listen[cfg.n_listen++] = lab_addr("0.0.0.0");
    cfg.listen[0].port = six->at.port;
    assert_int_equal(lab_try(four, &cfg, &why), KITH_OK);
    lab_close(four);
    lab_close(six);
}

/* ---- errors of one datagram ---- */

static void a_closed_port_does_not_break_the_socket(void **state)
{
    (void)state;
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), loopback[0]);
    struct lab_end *gone = lab_open(all_on(), loopback[0]);
    struct kith_addr closed = gone->at;
    lab_close(gone);

    for (int i = 0; i < 5; i++) {
        lab_send_text(a, &closed, "anyone?");
        lab_clear(b);
        lab_send_text(a, &b->at, "still here");
        lab_receive(b, 1);
        lab_send_text(b, &a->at, "so am I");
        lab_receive(a, (size_t)i + 1);
    }
    lab_close(a);
    lab_close(b);
}

static void a_datagram_too_big_is_lost_and_the_next_passes(void **state)
{
    (void)state;
    static const uint8_t data[65536];
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), loopback[0]);
    struct kith_tx runs[] = {lab_run(&b->at, data, 10, 10),
                             lab_run(&b->at, data, KITH_UDP_RUN_MAX + 1, KITH_UDP_RUN_MAX + 1),
                             lab_run(&b->at, data, KITH_UDP_RUN_MAX, KITH_UDP_RUN_MAX)};

    assert_int_equal(lab_send(a, runs, 3), 3);
    lab_receive(b, 2);
    assert_int_equal(b->in.size[0], 10);
    assert_int_equal(b->in.size[1], KITH_UDP_RUN_MAX);
    assert_int_equal(kith_udp_counters(a->u)->too_big, 1);
    assert_int_equal(kith_udp_counters(a->u)->send_errors, 1);
    assert_int_equal(a->events[KITH_EV_send_failed], 0); /* it is what a probe of the path asks */
    lab_close(a);
    lab_close(b);
}

/* 203.0.113.0/24 is for documentation (RFC 5737): no interface has it. */
static void a_vanished_local_address_loses_its_run_and_keeps_gso(void **state)
{
    (void)state;
    static const uint8_t data[5000];
    struct lab_end *a = lab_open(all_on(), "0.0.0.0"), *b = lab_open(all_on(), loopback[0]);
    struct kith_tx runs[2] = {lab_run(&b->at, data, 5000, 1000), lab_run(&b->at, data, 5000, 1000)};
    runs[0].path.local = lab_addr("203.0.113.9");

    assert_int_equal(lab_send(a, runs, 2), 2);
    lab_receive(b, 5);
    assert_int_equal(kith_udp_counters(a->u)->send_errors, 5);
    assert_int_equal(a->events[KITH_EV_send_failed], 1);
    assert_int_equal(kith_udp_counters(a->u)->gso_fallbacks, 0);
    lab_close(a);
    lab_close(b);
}

static void a_run_without_a_socket_for_it_is_lost_with_an_event(void **state)
{
    (void)state;
    static const uint8_t data[100];
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), loopback[0]);
    struct kith_addr six = lab_addr("[::1]:9");
    struct kith_tx runs[] = {lab_run(&b->at, data, 1, 1), lab_run(&six, data, 100, 60),
                             lab_run(&b->at, data, 2, 2), lab_run(&b->at, data, 3, 3)};
    runs[2].path.local = lab_addr("127.0.0.2"); /* bound to 127.0.0.1 only */

    assert_int_equal(lab_send(a, runs, 4), 4);
    lab_receive(b, 2);
    assert_int_equal(b->in.size[1], 3);
    assert_int_equal(kith_udp_counters(a->u)->send_errors, 3);
    assert_int_equal(a->events[KITH_EV_send_failed], 2);
    lab_close(a);
    lab_close(b);
}

static void what_is_longer_than_its_room_is_dropped_and_the_next_passes(void **state)
{
    (void)state;
    static const uint8_t data[KITH_UDP_DATAGRAM_MAX + 1];
    struct lab_end *a = lab_open(all_off(), loopback[0]), *b = lab_open(all_off(), loopback[0]);
    struct kith_tx runs[] = {lab_run(&b->at, data, sizeof data, sizeof data),
                             lab_run(&b->at, data, sizeof data - 1, sizeof data - 1)};

    assert_int_equal(a->t.info.mtu, KITH_UDP_DATAGRAM_MAX);
    assert_int_equal(lab_send(a, runs, 2), 2);
    lab_receive(b, 1);
    assert_int_equal(b->in.size[0], KITH_UDP_DATAGRAM_MAX);
    assert_int_equal(kith_udp_counters(b->u)->truncated, 1);
    lab_close(a);
    lab_close(b);
}

static void empty_datagrams_and_broadcasts_are_dropped(void **state)
{
    (void)state;
    struct lab_end *a = lab_open(all_on(), loopback[0]), *b = lab_open(all_on(), "0.0.0.0");
    struct kith_addr to = lab_addr("127.255.255.255");
    union kith_sockaddr sa;
    int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
    to.port = b->at.port;
    socklen_t n = kith_sockaddr_of(&to, &sa);
    assert_int_equal(sendto(fd, "all", 3, 0, &sa.any, n), 3);
    to.ip = lab_addr("127.0.0.1").ip;
    n = kith_sockaddr_of(&to, &sa);
    assert_int_equal(sendto(fd, "", 0, 0, &sa.any, n), 0);
    close(fd);

    lab_send_text(a, &to, "you");
    lab_receive(b, 1);
    lab_expect_text(b, "you");
    assert_int_equal(kith_udp_counters(b->u)->group, 1);
    assert_int_equal(kith_udp_counters(b->u)->empty, 1);
    assert_int_equal(kith_udp_counters(b->u)->datagrams_in, 1);
    lab_close(a);
    lab_close(b);
}

/* ---- listening ---- */

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    struct lab_end *first = lab_open(all_on(), "0.0.0.0"), *second = calloc(1, sizeof *second);
    struct kith_udp_config cfg = all_on();
    struct kith_udp_why why;
    char want[80];

    cfg.listen[cfg.n_listen++] = (struct kith_addr){.port = first->at.port};
    assert_int_equal(lab_try(second, &cfg, &why), KITH_E_INUSE);
    kith_format(want, sizeof want, "UDP port %u of 0.0.0.0 is in use", first->at.port);
    assert_string_equal(why.text, want);
    assert_null(second->u);
    lab_close(first);
    lab_close(second);
}

static void refusals_to_listen_say_why(void **state)
{
    (void)state;
    struct lab_end *e = calloc(1, sizeof *e);
    struct kith_udp_config cfg = all_on();
    struct kith_udp_why why;

    assert_int_equal(lab_try(e, &cfg, &why), KITH_E_INVAL);
    cfg.n_listen = KITH_UDP_LISTEN_MAX + 1;
    assert_int_equal(lab_try(e, &cfg, &why), KITH_E_INVAL);
    assert_string_equal(why.text, "UDP listens on 1 to 8 addresses, not 9");
    cfg.n_listen = 1;
    cfg.listen[0] = lab_addr("203.0.113.9");
    assert_int_equal(lab_try(e, &cfg, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, "no interface of this machine has the address 203.0.113.9");
    lab_close(e);
}

static void any_listens_in_both_families_on_one_chosen_port(void **state)
{
    (void)state;
    struct lab_end *b6 = lab_open(all_on(), loopback[1]), *b4 = lab_open(all_on(), loopback[0]);
    struct lab_end *a = lab_open(all_on(), NULL);
    struct kith_addr at[KITH_UDP_SOCKETS_MAX], to = lab_addr("127.0.0.1");
    int fds[KITH_UDP_SOCKETS_MAX];
    size_t n;

    assert_int_equal(kith_udp_local(a->u, at, KITH_COUNT(at), &n), KITH_OK);
    assert_int_equal(n, 2);
    assert_int_equal(kith_udp_fds(a->u, fds, 1), 2);
    assert_int_not_equal(at[0].port, 0);
    assert_int_equal(at[0].port, at[1].port);
    to.port = at[0].port;
    lab_send_text(b4, &to, "four");
    lab_receive(a, 1);
    assert_int_equal(a->in.path.remote.ip.family, KITH_FAMILY_IP4);
    to.ip = lab_addr("[::1]:0").ip;
    lab_send_text(b6, &to, "six");
    lab_receive(a, 2);
    assert_true(kith_addr_equal(&a->in.path.local, &to));
    lab_close(a);
    lab_close(b4);
    lab_close(b6);
}

static void a_descriptor_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct lab_end *a = lab_open(all_on(), loopback[0]);

    assert_int_equal(kith_udp_receive(a->u, -1, lab_take, &a->in), KITH_E_NOTFOUND);
    assert_int_equal(kith_udp_receive(a->u, 0, lab_take, &a->in), KITH_E_NOTFOUND);
    lab_close(a);
    kith_udp_free(NULL);
}

/* ---- memory ---- */

static void every_failed_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    size_t before = lab_descriptors();
    int err = KITH_E_NOMEM;

    for (size_t n = 0; err != KITH_OK; n++) {
        struct lab_heap heap;
        struct kith_alloc alloc = lab_alloc(&heap);
        struct kith_env env = {.alloc = &alloc};
        struct kith_udp_config cfg = all_on();
        struct kith_udp_why why;
        struct kith_udp *u = NULL;
        cfg.n_listen = 1;
        heap.fuse = n;
        err = kith_udp_new(&cfg, 0, &env, &u, &why);
        assert_int_equal(err, n < 2 ? KITH_E_NOMEM : KITH_OK);
        assert_true((err == KITH_OK) == (u != NULL));
        kith_udp_free(u);
        assert_int_equal(heap.live, 0);
        assert_int_equal(lab_descriptors(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_datagram_and_its_answer_arrive_over_ip4),
        cmocka_unit_test(a_datagram_and_its_answer_arrive_over_ip6),
        cmocka_unit_test(a_run_arrives_as_the_same_datagrams_with_every_switch_over_ip4),
        cmocka_unit_test(a_run_arrives_as_the_same_datagrams_with_every_switch_over_ip6),
        cmocka_unit_test(gso_makes_one_message_of_a_run_and_gro_keeps_it_whole),
        cmocka_unit_test(a_run_too_long_for_one_message_is_cut),
        cmocka_unit_test(many_runs_to_both_families_go_in_one_call),
        cmocka_unit_test(one_receive_reads_no_more_than_its_batches),
        cmocka_unit_test(ecn_bits_travel_both_ways_over_ip4),
        cmocka_unit_test(ecn_bits_travel_both_ways_over_ip6),
        cmocka_unit_test(an_answer_leaves_from_the_address_that_was_asked),
        cmocka_unit_test(an_answer_leaves_from_the_port_that_was_asked),
        cmocka_unit_test(a_link_local_path_names_its_interface),
        cmocka_unit_test(socket_addresses_and_ours_say_the_same),
        cmocka_unit_test(an_ip4_peer_is_never_seen_as_mapped_ip6),
        cmocka_unit_test(a_closed_port_does_not_break_the_socket),
        cmocka_unit_test(a_datagram_too_big_is_lost_and_the_next_passes),
        cmocka_unit_test(a_vanished_local_address_loses_its_run_and_keeps_gso),
        cmocka_unit_test(a_run_without_a_socket_for_it_is_lost_with_an_event),
        cmocka_unit_test(what_is_longer_than_its_room_is_dropped_and_the_next_passes),
        cmocka_unit_test(empty_datagrams_and_broadcasts_are_dropped),
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(refusals_to_listen_say_why),
        cmocka_unit_test(any_listens_in_both_families_on_one_chosen_port),
        cmocka_unit_test(a_descriptor_that_is_not_ours_is_refused),
        cmocka_unit_test(every_failed_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
