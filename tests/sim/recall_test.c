/* What ways were measured to be like, over restarts (docs/modules/mesh.md): the laptop reaches the
 * phone through the desktop only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/home.h"

enum { DESKTOP, LAPTOP, PHONE, NODES };

static struct home h;

static int up(void **state)
{
    const struct sim_link none = {.cut = true};

    (void)state;
    home_up(&h, 1901, NODES);
    home_wait(&h, 5 * KITH_SEC);
    sim_net_link(h.net, h.node[LAPTOP].host, h.node[PHONE].host, &none);
    home_wait(&h, 90 * KITH_SEC);
    return home_reaches(&h, LAPTOP, PHONE, 10 * KITH_SEC) ? 0 : -1;
}

static int down(void **state)
{
    (void)state;
    home_down(&h);
    return 0;
}

/* What the laptop knows of its way to the phone; NULL: nothing was measured. */
static const struct kith_mesh_measure *known(void)
{
    const struct kith_node *n = h.node[LAPTOP].node;
    const struct kith_mesh_measure *m;
    size_t at = 0;

    while ((m = kith_mesh_paths_next_measure(n->mesh->net[0].paths, &at, sim_net_now(h.net))) !=
           NULL)
        if (kith_destination_equal(&m->to, &h.node[PHONE].node->mesh->here))
            break;
    return m;
}

static size_t ways(struct kith_mesh_way ret[KITH_MESH_WAYS])
{
    return kith_mesh_paths_ways(h.node[LAPTOP].node->mesh->net[0].paths,
                                &h.node[PHONE].node->mesh->here, sim_net_now(h.net), ret);
}

/* Right after the start nobody has told a way; as soon as the desktop does it is as it was. */
static void assert_recalled(uint32_t rtt)
{
    const struct kith_node *n = h.node[LAPTOP].node;
    struct kith_mesh_way way[KITH_MESH_WAYS];

    assert_non_null(known());
    assert_int_equal(known()->rtt, rtt);
    assert_true(
        kith_peer_id_equal(&n->by_handle[known()->neighbour]->id, &h.node[DESKTOP].identity.id));
    assert_int_equal(ways(way), 0);
    home_wait(&h, 3 * KITH_SEC);
    assert_int_equal(ways(way), 1);
    assert_int_equal(way[0].rtt, rtt);
}

static void it_is_known_after_a_stop(void **state)
{
    (void)state;
    home_wait(&h, 61 * KITH_SEC);
    assert_non_null(known());
    const uint32_t rtt = known()->rtt;
    assert_in_range(rtt, 1000, 200000);
    kith_node_stop(h.node[LAPTOP].node, node_sim_now(&h.node[LAPTOP]));
    node_sim_restart(&h.node[LAPTOP]);
    assert_recalled(rtt);
}

static void it_is_kept_every_hour_without_a_stop(void **state)
{
    (void)state;
    home_wait(&h, 61 * KITH_SEC);
    node_sim_restart(&h.node[LAPTOP]); /* as after kill -9, before an hour is over */
    assert_null(known());
    home_wait(&h, 5 * KITH_SEC);
    for (int i = 0; i < 61; i++) {
        assert_true(home_reaches(&h, LAPTOP, PHONE, 10 * KITH_SEC));
        home_wait(&h, 60 * KITH_SEC);
    }
    const uint64_t rows = home_rows_written(&h, LAPTOP);
    assert_non_null(known());
    home_wait(&h, 30 * KITH_SEC);
    assert_int_equal(home_rows_written(&h, LAPTOP), rows); /* not all the time */
    node_sim_restart(&h.node[LAPTOP]);
    assert_non_null(known());
    assert_true(known()->rtt > 0);
}

static void what_is_older_than_an_hour_is_forgotten(void **state)
{
    (void)state;
    home_wait(&h, 61 * KITH_SEC);
    assert_non_null(known());
    kith_node_stop(h.node[LAPTOP].node, node_sim_now(&h.node[LAPTOP]));
    node_sim_kill(&h.node[LAPTOP]);
    home_wait(&h, 3000 * KITH_SEC);
    assert_int_equal(node_sim_try_start(&h.node[LAPTOP]), KITH_OK);
    assert_non_null(known());
    node_sim_kill(&h.node[LAPTOP]); /* nothing newer is stored */
    home_wait(&h, 601 * KITH_SEC);
    assert_int_equal(node_sim_try_start(&h.node[LAPTOP]), KITH_OK);
    assert_null(known());
}

static void a_number_that_is_given_anew_has_no_past(void **state)
{
    struct kith_node *n = h.node[LAPTOP].node;

    (void)state;
    home_wait(&h, 61 * KITH_SEC);
    assert_non_null(known());
    mesh_peer_remove(n, peer_find(n, &h.node[DESKTOP].identity.id));
    assert_null(known());
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
    const struct CMUnitTest tests[] = {
        T(it_is_known_after_a_stop),
        T(it_is_kept_every_hour_without_a_stop),
        T(a_number_that_is_given_anew_has_no_past),
        T(what_is_older_than_an_hour_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
