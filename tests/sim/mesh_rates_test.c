/* The rates of ways (docs/spec/mesh.md 2.2): the slowest link that is known, told when it matters.
 *
 * A star: the laptop, the phone and the tablet have no link but to the desktop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"
#include "sim/town.h"

enum { LAPTOP, DESKTOP, PHONE, TABLET, NODES };

static struct home h;

static void cut(size_t a, size_t b)
{
    const struct sim_link none = {.cut = true};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &none);
}

static int up(void **state)
{
    (void)state;
    home_up(&h, 1901, NODES);
    home_wait(&h, 5 * KITH_SEC);
    cut(LAPTOP, PHONE);
    cut(LAPTOP, TABLET);
    cut(PHONE, TABLET);
    home_wait(&h, 120 * KITH_SEC);
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

static struct node_peer *peer(size_t at, size_t about)
{
    return peer_find(h.node[at].node, &h.node[about].identity.id);
}

/* One measures its link to another: the class; 0: it does not know any more. */
static void measures(size_t at, size_t about, unsigned class)
{
    uint64_t rate = class == 0 ? 0 : ((uint64_t)1 << class) + 1;

    rates_measured(h.node[at].node, peer(at, about), rate, node_sim_now(&h.node[at]));
    home_wait(&h, KITH_SEC);
}

static struct kith_mesh_way way(size_t at, size_t to)
{
    struct kith_mesh_way ways[KITH_MESH_WAYS];

    assert_int_equal(kith_mesh_paths_ways(h.node[at].node->mesh->net[0].paths,
                                          &peer(at, to)->mesh.destination,
                                          node_sim_now(&h.node[at]).mono, ways),
                     1);
    return ways[0];
}

/* What it was told of its way, and what it makes of it. */
static unsigned told(size_t at, size_t to)
{
    return way(at, to).rate;
}

static unsigned knows(size_t at, size_t to)
{
    const struct kith_mesh_way w = way(at, to);

    return rates_of_way(h.node[at].node, w.neighbour, w.rate);
}

static void a_way_is_as_slow_as_its_slowest_link_that_is_known(void **state)
{
    (void)state;
    assert_int_equal(knows(LAPTOP, PHONE), 0);
    measures(DESKTOP, PHONE, 27);
    assert_int_equal(told(LAPTOP, PHONE), 27);
    assert_int_equal(knows(LAPTOP, PHONE), 27); /* its own link is not known */
    measures(LAPTOP, DESKTOP, 24);
    assert_int_equal(told(LAPTOP, PHONE), 27);
    assert_int_equal(knows(LAPTOP, PHONE), 24);
    assert_int_equal(knows(LAPTOP, DESKTOP), 24); /* of which nobody tells: it is no link itself */
    measures(LAPTOP, DESKTOP, 30);
    assert_int_equal(knows(LAPTOP, PHONE), 27);
    measures(LAPTOP, DESKTOP, 0);
}

static void one_class_more_or_less_is_no_news_and_two_are(void **state)
{
    (void)state;
    measures(DESKTOP, PHONE, 26);
    assert_int_equal(told(LAPTOP, PHONE), 27);
    measures(DESKTOP, PHONE, 28);
    assert_int_equal(told(LAPTOP, PHONE), 27);
    measures(DESKTOP, PHONE, 25);
    assert_int_equal(told(LAPTOP, PHONE), 25);
    measures(DESKTOP, PHONE, 27);
    assert_int_equal(told(LAPTOP, PHONE), 27);
}

static void it_goes_along_with_other_news(void **state)
{
    struct kith_node *phone = h.node[PHONE].node;

    (void)state;
    measures(DESKTOP, PHONE, 26);
    assert_int_equal(told(LAPTOP, PHONE), 27);
    seqno_outdo(phone, &phone->mesh->net[0], phone->mesh->seqno.own, node_sim_now(&h.node[PHONE]));
    home_wait(&h, KITH_SEC);
    assert_int_equal(told(LAPTOP, PHONE), 26);
}

static void what_is_forgotten_is_no_news(void **state)
{
    (void)state;
    measures(DESKTOP, PHONE, 0);
    assert_int_equal(told(LAPTOP, PHONE), 26);
    measures(DESKTOP, PHONE, 27); /* as it was told of last */
    assert_int_equal(told(LAPTOP, PHONE), 26);
}

/* The desktop hears a destination of the phone's side, behind it. */
static void phone_tells(uint8_t rate)
{
    const struct kith_route_item item = {.destination = peer(DESKTOP, TABLET)->mesh.destination,
                                         .hops = 1,
                                         .seq = h.node[TABLET].node->mesh->seqno.own +
                                                9, /* newer than was told before */
                                         .rate = rate};
    uint8_t bytes[64], message[160];
    struct kith_writer w = kith_writer_on(bytes, sizeof bytes);
    size_t len;

    kith_route_item_put(&w, &item);
    assert_true(kith_writer_done(&w, &len) >= 0);
    const struct kith_routes m = {.network = h.info.id, .entries = {{bytes, len}, 1}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
    routes_heard(h.node[DESKTOP].node, peer(DESKTOP, PHONE), (struct kith_span){message, len},
                 false, node_sim_now(&h.node[DESKTOP]));
    home_wait(&h, KITH_SEC);
}

/* The tablet is gone, and the phone says that it leads there. */
static void another_rate_that_was_told_is_told_on(void **state)
{
    (void)state;
    cut(DESKTOP, TABLET);
    home_wait(&h, 60 * KITH_SEC);
    measures(DESKTOP, PHONE, 27);
    phone_tells(0);
    assert_int_equal(told(LAPTOP, TABLET), 27);
    phone_tells(20);
    assert_int_equal(told(LAPTOP, TABLET), 20);
    phone_tells(21);
    assert_int_equal(told(LAPTOP, TABLET), 20);
    phone_tells(200);
    assert_int_equal(told(LAPTOP, TABLET), 27);
    phone_tells(40);
    assert_int_equal(told(LAPTOP, TABLET), 27);
}

/* That there were news of its rate must not hide that it is gone. */
static void who_is_gone_before_its_rate_was_told_is_told_to_be_gone(void **state)
{
    struct kith_node *n = h.node[DESKTOP].node;
    const struct kith_now now = node_sim_now(&h.node[DESKTOP]);
    struct kith_mesh_way ways[KITH_MESH_WAYS];

    (void)state;
    rates_measured(n, peer(DESKTOP, PHONE), 1 << 20, now);
    kith_mesh_paths_withdrawn(n->mesh->net[0].paths, &peer(DESKTOP, TABLET)->mesh.destination,
                              peer(DESKTOP, PHONE)->handle, now.mono);
    routes_tell_soon(&n->mesh->net[0], now);
    home_wait(&h, KITH_SEC);
    assert_int_equal(kith_mesh_paths_ways(h.node[LAPTOP].node->mesh->net[0].paths,
                                          &peer(LAPTOP, TABLET)->mesh.destination,
                                          node_sim_now(&h.node[LAPTOP]).mono, ways),
                     0);
}

/* A row of three over 10 Mbit/s, of which the last link is filled. */
static void what_a_transfer_shows_of_a_link_comes_to_others(void **state)
{
    static struct town t;
    struct kith_way_info w;
    uint64_t rate[2] = {0, 0};

    (void)state;
    town_up_row(&t, 1902, 3);
    t.link.rate = 10000000;
    town_hear(&t, 0, 1, true);
    town_hear(&t, 1, 2, true);
    town_wait(&t, 10 * KITH_SEC);
    struct bulk b = {.town = &t, .from = 1, .to = 2, .size = 8000000};
    assert_true(bulk_carry(&b, 60 * KITH_SEC));
    town_wait(&t, 35 * KITH_SEC);
    for (size_t i = 0; i < 2; i++) {
        struct kith_way_walk at = {0};
        while (kith_node_next_way(t.node[i].node, &t.info.id, &at, node_sim_now(&t.node[i]), &w))
            if (kith_peer_id_equal(&w.peer, &t.node[2].identity.id))
                rate[i] = w.rate;
    }
    assert_int_equal(rate[0], 1 << 23); /* 8.4 Mbit/s */
    assert_int_equal(rate[1], 1 << 23);
    town_down(&t);
}

int main(void)
{
    const struct CMUnitTest star[] = {
        cmocka_unit_test(a_way_is_as_slow_as_its_slowest_link_that_is_known),
        cmocka_unit_test(one_class_more_or_less_is_no_news_and_two_are),
        cmocka_unit_test(it_goes_along_with_other_news),
        cmocka_unit_test(what_is_forgotten_is_no_news),
        cmocka_unit_test(another_rate_that_was_told_is_told_on),
        cmocka_unit_test(who_is_gone_before_its_rate_was_told_is_told_to_be_gone),
    };
    const struct CMUnitTest row[] = {
        cmocka_unit_test(what_a_transfer_shows_of_a_link_comes_to_others),
    };
    return cmocka_run_group_tests(star, up, down) + cmocka_run_group_tests(row, NULL, NULL);
}
