/* Requests for newer numbers (docs/spec/mesh.md 2.6): passed on to the best way, but not by each
 * who misses somebody, and asked again while they matter.
 *
 * A star: the laptop, the phone and the tablet have no link but to the desktop. The phone says that
 * it leads to destinations that nobody has, and the tablet that it does, in more hops. */
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
    TABLET,
    NODES,
    FAR = 64,
    NEAR = 10,
    BUDGET = 900,   /* at once */
    SHARE = 450,    /* of one that asks */
    NUMBERS = 20,   /* at once */
    ITEM = 22,      /* bytes */
    A_MESSAGE = 400 /* items */
};

static struct home h;

static void cut(size_t a, size_t b)
{
    const struct sim_link none = {.cut = true};

    sim_net_link(h.net, h.node[a].host, h.node[b].host, &none);
}

static struct kith_destination dest(unsigned about)
{
    return (struct kith_destination){{0xaa, (uint8_t)(about >> 8), (uint8_t)about}};
}

/* The desktop hears of destinations from..below from a neighbour. */
static void leads(size_t who, unsigned from, unsigned below, uint8_t hops, uint32_t seq)
{
    struct kith_node *n = h.node[DESKTOP].node;
    uint8_t items[A_MESSAGE * ITEM], message[sizeof items + 64];
    size_t len;

    for (unsigned at = from; at < below;) {
        struct kith_writer w = kith_writer_on(items, sizeof items);
        uint16_t count = 0;
        for (; at < below && count < A_MESSAGE; at++, count++)
            kith_route_item_put(
                &w, &(struct kith_route_item){.destination = dest(at), .hops = hops, .seq = seq});
        const struct kith_routes m = {.network = h.info.id,
                                      .entries = {{items, count * (size_t)ITEM}, count}};
        assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
        routes_heard(n, peer_find(n, &h.node[who].identity.id), (struct kith_span){message, len},
                     false, node_sim_now(&h.node[DESKTOP]));
    }
}

static int up(void **state)
{
    (void)state;
    home_up(&h, 1801, NODES);
    home_wait(&h, 5 * KITH_SEC);
    cut(LAPTOP, PHONE);
    cut(LAPTOP, TABLET);
    cut(PHONE, TABLET);
    home_wait(&h, 120 * KITH_SEC);
    leads(PHONE, 0, 2 * BUDGET, 1, 1);
    leads(TABLET, 0, 2 * BUDGET, 4, 1);
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

/* Of the desktop, by a neighbour. Each has a tag of its own, as if another node asked. */
static void asks_for(size_t who, const struct kith_destination *to, uint32_t seq, uint8_t hops)
{
    static uint64_t tag;
    const struct kith_route_request m = {
        .network = h.info.id, .tag = ++tag, .destination = *to, .seq = seq, .hops = hops};
    struct kith_node *n = h.node[DESKTOP].node;
    uint8_t message[128];
    size_t len;

    assert_int_equal(kith_route_request_encode(&m, message, sizeof message, &len), KITH_OK);
    seqno_request(n, peer_find(n, &h.node[who].identity.id), (struct kith_span){message, len},
                  node_sim_now(&h.node[DESKTOP]));
}

static void asks(unsigned about, uint32_t seq, uint8_t hops)
{
    const struct kith_destination to = dest(about);

    asks_for(LAPTOP, &to, seq, hops);
}

/* Requests that have come to it since the last call. */
static size_t came(size_t who)
{
    static size_t before[NODES];

    home_wait(&h, KITH_SEC / 2);
    size_t all = h.node[who].node->mesh->seqno.n_tags, news = all - before[who];
    before[who] = all;
    return news;
}

static void none_yet(void)
{
    for (size_t i = 0; i < NODES; i++)
        (void)came(i);
}

/* The desktop's table hears of a destination by a neighbour. */
static void way(size_t who, unsigned about, uint8_t hops, uint32_t seq)
{
    struct kith_node *n = h.node[DESKTOP].node;
    const struct kith_now now = node_sim_now(&h.node[DESKTOP]);
    const struct kith_destination to = dest(about);
    const struct kith_mesh_offer offer = {.neighbour =
                                              peer_find(n, &h.node[who].identity.id)->handle,
                                          .hops = hops,
                                          .seq = seq,
                                          .expires = now.wall + 86400};
    enum kith_mesh_told told;

    assert_int_equal(kith_mesh_paths_tell(n->mesh->net[0].paths, &to, &offer, now, &told), KITH_OK);
}

/* It has told all that it leads there in two hops, by the phone, which takes that back. */
static void told_and_lost(unsigned about)
{
    struct kith_node *n = h.node[DESKTOP].node;
    const struct kith_mesh_advert said = {.to = dest(about), .hops = 2, .seq = 5};

    way(PHONE, about, 2, 5);
    kith_mesh_paths_told(n->mesh->net[0].paths, &said, true);
    kith_mesh_paths_withdrawn(n->mesh->net[0].paths, &said.to,
                              peer_find(n, &h.node[PHONE].identity.id)->handle,
                              node_sim_now(&h.node[DESKTOP]).mono);
}

/* The shortest may be behind this node, and lead in a circle. */
static void the_way_that_may_be_told_on_is_better_than_a_shorter_one(void **state)
{
    (void)state;
    told_and_lost(5000);
    way(TABLET, 5000, 3, 5);
    way(PHONE, 5000, 9, 6);
    none_yet();
    asks(5000, 6, FAR);
    assert_int_equal(came(PHONE), 1);
    assert_int_equal(came(TABLET), 0);
}

static void it_goes_to_the_best_way_alone_and_never_back(void **state)
{
    const struct kith_destination to = dest(1);

    (void)state;
    none_yet();
    asks(1, 7, FAR);
    assert_int_equal(came(PHONE), 1);
    asks_for(PHONE, &to, 8, FAR);
    assert_int_equal(came(TABLET), 1); /* the second best: the best one asks */
    asks(3 * BUDGET, 7, FAR);          /* nobody leads there */
    assert_int_equal(came(PHONE), 0);
    assert_int_equal(came(TABLET), 0);
    assert_int_equal(came(LAPTOP), 0);
}

static void what_was_asked_for_lately_is_not_asked_for_again(void **state)
{
    (void)state;
    none_yet();
    asks(1, 7, FAR);
    assert_int_equal(came(PHONE), 1);
    asks(1, 7, FAR);
    assert_int_equal(came(PHONE), 0);
    asks(1, 8, FAR); /* a newer number is another matter, and so is another destination */
    asks(2, 7, FAR);
    assert_int_equal(came(PHONE), 2);
    home_wait(&h, 2 * KITH_SEC);
    asks(1, 7, FAR);
    assert_int_equal(came(PHONE), 1);
}

/* Else a member could keep others from asking. */
static void one_that_could_not_go_far_does_not_stand_for_one_that_can(void **state)
{
    (void)state;
    none_yet();
    asks(3, 7, NEAR);
    asks(3, 7, FAR);
    assert_int_equal(came(PHONE), 2);
}

static void one_that_was_not_passed_on_for_its_rate_is_when_it_comes_again(void **state)
{
    (void)state;
    none_yet();
    for (unsigned i = 0; i < SHARE; i++)
        asks(i, 9, FAR);
    asks(SHARE, 9, FAR);
    assert_int_equal(came(PHONE), SHARE);
    home_wait(&h, KITH_SEC);
    asks(SHARE, 9, FAR);
    assert_int_equal(came(PHONE), 1);
}

/* Nor does who asks without end keep others from asking. */
static void one_neighbour_has_half_of_what_is_passed_on(void **state)
{
    (void)state;
    none_yet();
    for (unsigned i = 0; i < BUDGET; i++)
        asks(i, 9, FAR);
    for (unsigned i = 0; i < BUDGET; i++) {
        const struct kith_destination to = dest(BUDGET + i);
        asks_for(TABLET, &to, 9, FAR);
    }
    told_and_lost(5000); /* our own has a place beside these */
    way(PHONE, 5000, 5, 5);
    seqno_ask(h.node[DESKTOP].node, &h.node[DESKTOP].node->network[0],
              node_sim_now(&h.node[DESKTOP]));
    assert_int_equal(came(PHONE), BUDGET + 1);
}

static uint32_t own_number(size_t who)
{
    return h.node[who].node->mesh->seqno.own;
}

static void a_number_that_all_were_told_is_not_asked_for(void **state)
{
    const struct kith_destination phone = h.node[PHONE].node->mesh->here;
    const uint32_t number = own_number(PHONE);

    (void)state;
    none_yet();
    asks_for(TABLET, &phone, number - 1, FAR);
    assert_int_equal(came(PHONE), 0);
    asks_for(TABLET, &phone, number, FAR);
    assert_int_equal(came(PHONE), 1);
    assert_int_equal(own_number(PHONE), number + 1);
}

/* Each is told to everybody: one a second. */
static void a_node_takes_newer_numbers_at_a_rate(void **state)
{
    const struct kith_destination desktop = h.node[DESKTOP].node->mesh->here;
    const uint32_t number = own_number(DESKTOP);

    (void)state;
    for (unsigned i = 0; i < 2 * NUMBERS; i++)
        asks_for(LAPTOP, &desktop, own_number(DESKTOP), FAR);
    assert_int_equal(own_number(DESKTOP), number + NUMBERS);
    home_wait(&h, KITH_SEC);
    asks_for(LAPTOP, &desktop, own_number(DESKTOP), FAR);
    assert_int_equal(own_number(DESKTOP), number + NUMBERS + 1);
}

/* Else one far away could use up what the destination takes, and nobody would have a newer one. */
static void
a_number_that_nobody_would_believe_is_not_passed_on_and_takes_no_other_s_place(void **state)
{
    const struct kith_destination desktop = h.node[DESKTOP].node->mesh->here;
    const uint32_t number = own_number(DESKTOP);

    (void)state;
    none_yet();
    asks(1, UINT32_MAX, FAR);
    assert_int_equal(came(PHONE), 0);
    for (unsigned i = 0; i < 2 * NUMBERS; i++)
        asks_for(LAPTOP, &desktop, UINT32_MAX - i, FAR);
    assert_int_equal(own_number(DESKTOP), number);
    asks_for(LAPTOP, &desktop, number, FAR);
    assert_int_equal(own_number(DESKTOP), number + 1);
}

/* It was told to be gone, and is no news while it may not be told on: a newer number is asked for
 * all the same, again and again. */
static void one_that_was_lost_and_may_not_be_told_on_is_asked_for(void **state)
{
    struct kith_mesh_paths *paths = h.node[DESKTOP].node->mesh->net[0].paths;
    const struct kith_destination laptop = h.node[LAPTOP].node->mesh->here;
    uint8_t item[ITEM], message[128], hops;
    struct kith_writer w = kith_writer_on(item, sizeof item);
    uint32_t seq;
    size_t len;

    (void)state;
    cut(LAPTOP, DESKTOP);
    home_wait(&h, 90 * KITH_SEC);
    assert_true(kith_mesh_paths_told_on(paths, &laptop, &seq, &hops));
    none_yet();
    for (unsigned i = 0; i < 2 * BUDGET; i++) { /* somebody floods meanwhile */
        const struct kith_destination to = dest(i);
        asks_for(PHONE, &to, 9, FAR);
    }
    const size_t flood = came(TABLET);
    assert_int_equal(flood, SHARE);
    kith_route_item_put(&w,
                        &(struct kith_route_item){.destination = laptop, .hops = 9, .seq = seq});
    const struct kith_routes m = {.network = h.info.id, .entries = {KITH_SPAN_OF(item), 1}};
    assert_int_equal(kith_routes_encode(&m, message, sizeof message, &len), KITH_OK);
    routes_heard(h.node[DESKTOP].node, peer_find(h.node[DESKTOP].node, &h.node[TABLET].identity.id),
                 (struct kith_span){message, len}, false, node_sim_now(&h.node[DESKTOP]));
    assert_int_equal(came(TABLET), 1); /* our own does not wait for it */
    home_wait(&h, 16 * KITH_SEC);
    assert_int_equal(came(TABLET), 3); /* after 2, 4 and 8 s more */
    assert_int_equal(came(PHONE), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        T(it_goes_to_the_best_way_alone_and_never_back),
        T(the_way_that_may_be_told_on_is_better_than_a_shorter_one),
        T(what_was_asked_for_lately_is_not_asked_for_again),
        T(one_that_could_not_go_far_does_not_stand_for_one_that_can),
        T(one_that_was_not_passed_on_for_its_rate_is_when_it_comes_again),
        T(one_neighbour_has_half_of_what_is_passed_on),
        T(a_number_that_nobody_would_believe_is_not_passed_on_and_takes_no_other_s_place),
        T(a_number_that_all_were_told_is_not_asked_for),
        T(a_node_takes_newer_numbers_at_a_rate),
        T(one_that_was_lost_and_may_not_be_told_on_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
