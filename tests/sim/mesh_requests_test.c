/* Requests for newer numbers (docs/spec/mesh.md 2.6): passed on, but not by each who misses
 * somebody.
 *
 * The laptop asks the desktop, which passes it on to the phone; nobody has such a destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"

enum { LAPTOP, DESKTOP, PHONE, NODES, FAR = 64, NEAR = 10, BUDGET = 150 /* at once */ };

static struct home h;

static int up(void **state)
{
    const struct sim_link none = {.cut = true};

    (void)state;
    home_up(&h, 1801, NODES);
    home_wait(&h, 5 * KITH_SEC);
    sim_net_link(h.net, h.node[LAPTOP].host, h.node[PHONE].host, &none);
    home_wait(&h, 120 * KITH_SEC);
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

/* Each has a tag of its own, as if another node asked. */
static void asks(uint8_t about, uint32_t seq, uint8_t hops)
{
    static uint64_t tag;
    const struct kith_route_request m = {.network = h.info.id,
                                         .tag = ++tag,
                                         .destination = {{0xaa, about}},
                                         .seq = seq,
                                         .hops = hops};
    struct kith_node *n = h.node[DESKTOP].node;
    uint8_t message[128];
    size_t len;

    assert_int_equal(kith_route_request_encode(&m, message, sizeof message, &len), KITH_OK);
    routes_request(n, peer_find(n, &h.node[LAPTOP].identity.id), (struct kith_span){message, len},
                   node_sim_now(&h.node[DESKTOP]));
}

/* Requests that have come to the phone since the last call. */
static size_t came(void)
{
    static size_t before;

    home_wait(&h, KITH_SEC / 2);
    size_t all = h.node[PHONE].node->mesh->n_tags, news = all - before;
    before = all;
    return news;
}

static void what_was_asked_for_lately_is_not_asked_for_again(void **state)
{
    (void)state;
    (void)came();
    asks(1, 7, FAR);
    assert_int_equal(came(), 1);
    asks(1, 7, FAR);
    assert_int_equal(came(), 0);
    asks(1, 8, FAR); /* a newer number is another matter, and so is another destination */
    asks(2, 7, FAR);
    assert_int_equal(came(), 2);
    home_wait(&h, 20 * KITH_SEC);
    asks(1, 7, FAR);
    assert_int_equal(came(), 1);
}

/* Else a member could keep others from asking. */
static void one_that_could_not_go_far_does_not_stand_for_one_that_can(void **state)
{
    (void)state;
    (void)came();
    asks(3, 7, NEAR);
    asks(3, 7, FAR);
    assert_int_equal(came(), 2);
}

static void one_that_was_not_passed_on_for_its_rate_is_when_it_comes_again(void **state)
{
    (void)state;
    (void)came();
    for (unsigned i = 0; i < BUDGET; i++)
        asks((uint8_t)i, 9, FAR);
    asks(200, 9, FAR);
    assert_int_equal(came(), BUDGET);
    home_wait(&h, KITH_SEC);
    asks(200, 9, FAR);
    assert_int_equal(came(), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        T(what_was_asked_for_lately_is_not_asked_for_again),
        T(one_that_could_not_go_far_does_not_stand_for_one_that_can),
        T(one_that_was_not_passed_on_for_its_rate_is_when_it_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
