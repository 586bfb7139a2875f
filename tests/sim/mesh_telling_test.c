/* What a neighbour is told takes a fiftieth of its link at most, the nearest first, and nothing is
 * lost by waiting (docs/spec/mesh.md 2.11).
 *
 * A row: the laptop and the phone have no link but to the desktop, which believes that a network of
 * 2,000 lies behind the phone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"

enum {
    LAPTOP,
    DESKTOP,
    PHONE,
    NODES,
    MEMBERS = 2000,
    TABLE = MEMBERS * 22 + 1000, /* bytes to tell of them, with what is around */
    BURST = 64 * 1024,
};

static struct home h;
static uint32_t seq;

static struct kith_peer_id member(unsigned i)
{
    return (struct kith_peer_id){{0xfe, (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct node_peer *peer(size_t at, size_t about)
{
    return peer_find(h.node[at].node, &h.node[about].identity.id);
}

static uint8_t hops_of(unsigned i)
{
    return (uint8_t)(2 + i % 20);
}

/* The phone tells the desktop of all of them, anew. */
static void phone_tells(void)
{
    struct kith_node *n = h.node[DESKTOP].node;
    const struct kith_now now = node_sim_now(&h.node[DESKTOP]);
    enum kith_mesh_told told;

    seq++;
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct kith_peer_id id = member(i);
        const struct kith_mesh_offer offer = {.neighbour = peer(DESKTOP, PHONE)->handle,
                                              .hops = hops_of(i),
                                              .seq = seq,
                                              .expires = now.wall + 86400};
        assert_int_equal(kith_mesh_paths_tell(n->mesh->net[0].paths,
                                              &peer_find(n, &id)->mesh.destination, &offer, now,
                                              &told),
                         KITH_OK);
    }
    routes_tell_soon(&n->mesh->net[0], now);
}

/* How many the laptop has heard of under the newest number, of those at most so many hops away. */
static unsigned heard(uint8_t hops)
{
    const struct node_peer_sim *laptop = &h.node[LAPTOP];
    unsigned count = 0;

    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct kith_peer_id id = member(i);
        const struct node_peer *p = peer_find(h.node[DESKTOP].node, &id);
        struct kith_mesh_way way[KITH_MESH_WAYS];
        if (hops_of(i) <= hops &&
            kith_mesh_paths_ways(laptop->node->mesh->net[0].paths, &p->mesh.destination,
                                 node_sim_now(laptop).mono, way) > 0 &&
            way[0].seq == seq)
            count++;
    }
    return count;
}

static void cut(size_t a, size_t b)
{
    sim_net_link(h.net, h.node[a].host, h.node[b].host, &(struct sim_link){.cut = true});
}

static int up(void **state)
{
    (void)state;
    seq = 0;
    home_up(&h, 2001, NODES);
    home_wait(&h, 5 * KITH_SEC);
    cut(LAPTOP, PHONE);
    home_wait(&h, 120 * KITH_SEC);
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct kith_peer_id id = member(i);
        struct node_peer *p = peer_get(h.node[DESKTOP].node, &id);
        assert_non_null(p);
        p->member_of = 1;
    }
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

static uint64_t told(void)
{
    return kith_node_telling_counters(h.node[DESKTOP].node)->bytes;
}

static uint64_t late(void)
{
    return kith_node_telling_counters(h.node[DESKTOP].node)->late;
}

/* All is other each second; how much both neighbours were told of it. */
static uint64_t churn(unsigned seconds)
{
    uint64_t before = told();

    for (unsigned i = 0; i < seconds; i++) {
        phone_tells();
        home_wait(&h, KITH_SEC);
    }
    return told() - before;
}

static void a_network_of_some_hundred_is_told_at_once(void **state)
{
    (void)state;
    phone_tells();
    home_wait(&h, KITH_SEC);
    assert_int_equal(heard(64), MEMBERS);
    assert_int_equal(late(), 0);
}

/* A link that nobody has measured counts as one of 10 Mbit/s, of which routes have a hundredth. */
static void what_changes_all_the_time_takes_no_more_than_its_share(void **state)
{
    const uint64_t rate = 12500;

    (void)state;
    uint64_t bytes = churn(60);
    print_message("told %llu of %llu bytes\n", (unsigned long long)bytes,
                  (unsigned long long)2 * 60 * TABLE);
    assert_true(bytes > 2 * rate * 50);
    assert_true(bytes < 2 * (rate * 60 + BURST + TABLE));
    assert_true(late() > 0);
    assert_true(h.node[DESKTOP].seen[KITH_EV_told_slowly] >= 1);
    assert_in_range(h.node[DESKTOP].seen[KITH_EV_told_slowly], 1, 4);
}

static void what_had_to_wait_is_told_when_it_may_be(void **state)
{
    (void)state;
    (void)churn(20);
    assert_true(heard(64) < MEMBERS);
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(heard(64), MEMBERS);
    home_wait(&h, 120 * KITH_SEC);
    uint64_t before = told();
    home_wait(&h, 60 * KITH_SEC); /* and then it is quiet */
    assert_true(told() - before < 1000);
}

static void who_is_gone_meanwhile_is_told_to_be_gone(void **state)
{
    struct kith_node *n = h.node[DESKTOP].node;
    struct kith_mesh_way way[KITH_MESH_WAYS];
    const struct kith_peer_id id = member(7);

    (void)state;
    (void)churn(20);
    assert_false(
        telling_may(n, peer(DESKTOP, LAPTOP), TELLING_ROUTES, node_sim_now(&h.node[DESKTOP])));
    kith_mesh_paths_withdrawn(n->mesh->net[0].paths, &peer_find(n, &id)->mesh.destination,
                              peer(DESKTOP, PHONE)->handle, node_sim_now(&h.node[DESKTOP]).mono);
    routes_tell_soon(&n->mesh->net[0], node_sim_now(&h.node[DESKTOP]));
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(heard(64), MEMBERS - 1);
    assert_int_equal(kith_mesh_paths_ways(h.node[LAPTOP].node->mesh->net[0].paths,
                                          &peer_find(n, &id)->mesh.destination,
                                          node_sim_now(&h.node[LAPTOP]).mono, way),
                     0);
}

/* Over 100 kbit/s all takes some four seconds. */
static void the_nearest_are_told_first(void **state)
{
    const struct sim_link slow = {.delay = 10 * KITH_MSEC, .rate = 100000};
    const unsigned near = MEMBERS / 20 * 8; /* of each distance there are as many */

    (void)state;
    home_wait(&h, 60 * KITH_SEC);
    sim_net_link(h.net, h.node[DESKTOP].host, h.node[LAPTOP].host, &slow);
    sim_net_link(h.net, h.node[LAPTOP].host, h.node[DESKTOP].host, &slow);
    phone_tells();
    for (int i = 0; i < 100 && heard(64) < near; i++)
        home_wait(&h, 100 * KITH_MSEC);
    print_message("%u of %u, %u of them near\n", heard(64), MEMBERS, heard(9));
    assert_in_range(heard(64), near, MEMBERS - 1);
    assert_int_equal(heard(9), near);
    home_wait(&h, 10 * KITH_SEC);
    assert_int_equal(heard(64), MEMBERS);
}

/* A thousand bytes a second of all kinds, half of it of routes. */
static void a_slow_link_learns_too_but_slowly(void **state)
{
    struct node_peer *laptop = peer(DESKTOP, LAPTOP);
    uint64_t paid;

    (void)state;
    home_wait(&h, 60 * KITH_SEC);
    rates_measured(h.node[DESKTOP].node, laptop, 64000, node_sim_now(&h.node[DESKTOP]));
    paid = telling_at(laptop, TELLING_ROUTES);
    telling_told(h.node[DESKTOP].node, laptop, TELLING_ROUTES, BURST + 5000,
                 node_sim_now(&h.node[DESKTOP]));
    assert_true(paid <= node_sim_now(&h.node[DESKTOP]).mono);
    assert_in_range(telling_at(laptop, TELLING_ROUTES) - node_sim_now(&h.node[DESKTOP]).mono,
                    9 * KITH_SEC, 11 * KITH_SEC);
    rates_measured(h.node[DESKTOP].node, laptop, 10000000000, node_sim_now(&h.node[DESKTOP]));
    telling_told(
        h.node[DESKTOP].node, laptop, TELLING_DIGESTS, BURST + 10000,
        node_sim_now(&h.node[DESKTOP])); /* no more than a neighbour reads: 40 kB a second */
    assert_in_range(telling_at(laptop, TELLING_DIGESTS) - node_sim_now(&h.node[DESKTOP]).mono,
                    900 * KITH_MSEC, 1100 * KITH_MSEC);
}

/* One digest for each of many new objects, beyond what the link has for them. */
static void digests_that_wait_are_made_up_for_by_a_summary(void **state)
{
    struct kith_node *n = h.node[DESKTOP].node;
    struct node_peer *laptop = peer(DESKTOP, LAPTOP);
    const struct kith_now now = node_sim_now(&h.node[DESKTOP]);

    (void)state;
    telling_told(n, laptop, TELLING_DIGESTS, BURST + 12500, now);
    kith_time at = telling_at(laptop, TELLING_DIGESTS);
    assert_true(at > now.mono && laptop->digest_at > at);
    const struct kith_peer_id *self = &n->identity->id;
    struct kith_member m;
    assert_true(kith_netview_member(n->network[0].view, self, now.wall, &m));
    uint64_t before = told();
    digests_announce(n, &n->network[0], m.cert, &h.node[PHONE].identity.id, now);
    assert_int_equal(told(), before);
    assert_int_equal(laptop->digest_at, at);
    kith_time summed = laptop->summed_at[0];
    home_wait(&h, at - now.mono + KITH_SEC);
    assert_true(laptop->summed_at[0] > summed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_of_some_hundred_is_told_at_once),
        cmocka_unit_test(what_changes_all_the_time_takes_no_more_than_its_share),
        cmocka_unit_test(what_had_to_wait_is_told_when_it_may_be),
        cmocka_unit_test(who_is_gone_meanwhile_is_told_to_be_gone),
        cmocka_unit_test(the_nearest_are_told_first),
        cmocka_unit_test(a_slow_link_learns_too_but_slowly),
        cmocka_unit_test(digests_that_wait_are_made_up_for_by_a_summary),
    };
    return cmocka_run_group_tests(tests, up, down);
}
