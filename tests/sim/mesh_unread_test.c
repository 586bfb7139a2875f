/* What a neighbour tells faster than it is read waits, in order, and is read (docs/spec/mesh.md
 * 2.7): bursts are held and released.
 *
 * The phone tells the desktop of 500 destinations again and again, each time under a newer number.
 */
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
    ITEMS = 500,
    ITEM = 22,
    AT_ONCE = 60000 / (ITEMS + 1),           /* messages that are read at once */
    ROOM = 128 * 1024 / (ITEMS * ITEM + 60), /* that wait */
    GONE = 255,
};

static struct home h;
static uint32_t seq;

static int up(void **state)
{
    (void)state;
    seq = 0;
    home_up(&h, 2101, NODES);
    home_wait(&h, 120 * KITH_SEC);
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

static struct kith_destination dest(unsigned i)
{
    return (struct kith_destination){{0xbb, (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct node_peer *phone(void)
{
    return peer_find(h.node[DESKTOP].node, &h.node[PHONE].identity.id);
}

static const struct kith_telling_counters *counted(void)
{
    return kith_node_telling_counters(h.node[DESKTOP].node);
}

/* One message about the last `count` of them. */
static void tells_of(unsigned count, uint8_t hops)
{
    uint8_t items[ITEMS * ITEM], message[sizeof items + 64];
    struct kith_writer w = kith_writer_on(items, sizeof items);
    size_t len;

    seq++;
    for (unsigned i = ITEMS - count; i < ITEMS; i++)
        kith_route_item_put(
            &w, &(struct kith_route_item){.destination = dest(i), .hops = hops, .seq = seq});
    const struct kith_routes m = {.network = h.info.id,
                                  .entries = {{items, count * (size_t)ITEM}, (uint16_t)count}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
    routes_heard(h.node[DESKTOP].node, phone(), (struct kith_span){message, len}, false,
                 node_sim_now(&h.node[DESKTOP]));
}

static void tells(uint8_t hops)
{
    tells_of(ITEMS, hops);
}

/* The number under which the desktop knows the last of them; 0: it does not. */
static uint32_t known(void)
{
    const struct kith_destination to = dest(ITEMS - 1);
    struct kith_mesh_way way[KITH_MESH_WAYS];

    return kith_mesh_paths_ways(h.node[DESKTOP].node->mesh->net[0].paths, &to,
                                node_sim_now(&h.node[DESKTOP]).mono, way) > 0
               ? way[0].seq
               : 0;
}

static void a_burst_is_read_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < AT_ONCE; i++)
        tells(3);
    assert_int_equal(known(), seq);
    assert_int_equal(counted()->held, 0);
}

static void what_comes_beyond_it_waits_and_is_read_in_order(void **state)
{
    const uint32_t before = seq;

    (void)state;
    for (int i = 0; i < ROOM; i++)
        tells(3);
    assert_int_equal(known(), before);
    assert_int_equal(counted()->held, ROOM);
    home_wait(&h, KITH_SEC); /* 2,000 a second */
    assert_in_range(known(), before + 3, before + 5);
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(known(), seq);
    assert_int_equal(counted()->unread, 0);
    assert_int_equal(h.node[DESKTOP].node->mesh->held, 0);
}

/* Also when it could be read at once by itself: it would be before what came first. */
static void what_is_taken_back_behind_it_is_gone_in_the_end(void **state)
{
    (void)state;
    while (counted()->held == ROOM)
        tells(3);
    home_wait(&h, 50 * KITH_MSEC);
    tells_of(1, GONE);
    assert_int_equal(counted()->held, ROOM + 2);
    home_wait(&h, 5 * KITH_SEC);
    assert_int_equal(known(), 0);
}

static void what_finds_no_room_is_unread_and_held_against_its_sender(void **state)
{
    const struct kith_session_counters *c = kith_node_session_counters(h.node[DESKTOP].node);
    const uint64_t offences = c->offences[KITH_OFFENCE_messages];

    (void)state;
    for (int i = 0; i < ROOM + 20; i++)
        tells(3);
    assert_in_range(counted()->unread, 1, 20);
    assert_int_equal(c->offences[KITH_OFFENCE_messages] - offences, counted()->unread);
    assert_true(h.node[DESKTOP].node->mesh->held <= 128 * 1024);
}

static void who_is_no_neighbour_any_more_is_not_heard(void **state)
{
    struct kith_node *n = h.node[DESKTOP].node;

    (void)state;
    assert_true(n->mesh->held > 0);
    sim_net_link(h.net, h.node[DESKTOP].host, h.node[PHONE].host, &(struct sim_link){.cut = true});
    home_wait(&h, 60 * KITH_SEC);
    for (int i = 0; i < AT_ONCE + 5; i++)
        tells(3);
    assert_int_equal(n->mesh->held, 0);
    assert_int_equal(known(), 0);
}

static void the_node_ends_while_something_waits(void **state)
{
    (void)state;
    sim_net_link(h.net, h.node[DESKTOP].host, h.node[PHONE].host, &(struct sim_link){.cut = false});
    home_wait(&h, 60 * KITH_SEC);
    for (int i = 0; i < AT_ONCE + 5; i++)
        tells(3);
    assert_true(h.node[DESKTOP].node->mesh->held > 0); /* a leak would be found */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_read_at_once),
        cmocka_unit_test(what_comes_beyond_it_waits_and_is_read_in_order),
        cmocka_unit_test(what_is_taken_back_behind_it_is_gone_in_the_end),
        cmocka_unit_test(what_finds_no_room_is_unread_and_held_against_its_sender),
        cmocka_unit_test(who_is_no_neighbour_any_more_is_not_heard),
        cmocka_unit_test(the_node_ends_while_something_waits),
    };
    return cmocka_run_group_tests(tests, up, down);
}
