/* Whole nodes let go of what is over for good: in memory and on disk, and the others with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/world.h"

#define HOUR (3600 * KITH_SEC)
#define DAY_S 86400

static bool stored(struct world *w, int by, uint8_t kind, const struct kith_peer_id *signer,
                   const struct kith_peer_id *about)
{
    struct kith_store_object row;
    struct kith_object_key key;

    assert_int_equal(kith_object_key_of(&w->home.id, kind, signer, about, &key), KITH_OK);
    return kith_store_object_get(w->node[by].store, w->home.id.b, key.b, &row) == KITH_OK;
}

static bool has_certificate(struct world *w, int by, const struct kith_peer_id *of)
{
    const struct kith_peer_id root = kith_network_root(&w->home.id);

    return stored(w, by, KITH_OBJECT_member_body, &root, of);
}

static size_t objects_held(struct world *w, int who)
{
    const struct node_network *net = network_by_id(w->node[who].node, &w->home.id);
    size_t at = 0, n = 0;

    while (kith_netview_next_object(net->view, &at) != NULL)
        n++;
    return n;
}

/* All calendars together, a step at a time, so that certificates are renewed in time. */
static void pass_days(struct world *w, int days)
{
    for (int passed = 0; passed < days; passed += 9) {
        for (int i = 0; i < 2; i++)
            w->node[i].wall_offset += 9 * DAY_S;
        world_wait(w, 2 * HOUR);
    }
}

/* The phone was a guest for a day. Two months later it is nowhere any more, and the others are what
 * they were; also after a restart, with the store as it is then. */
static void a_guest_is_forgotten_two_months_later(void **state)
{
    struct kith_store_lease lease;
    struct world w;

    (void)state;
    world_up(&w, 61);
    world_create(&w);
    world_enrol(&w, 0, 1);
    world_wait(&w, 10 * KITH_SEC);
    size_t before = objects_held(&w, 0);
    world_enrol(&w, 0, 2);
    world_wait(&w, 10 * KITH_SEC);
    const struct kith_peer_id guest = w.node[2].identity.id;
    sim_host_power(w.node[2].host, false);
    for (int i = 0; i < 2; i++)
        assert_true(has_certificate(&w, i, &guest));

    pass_days(&w, 54);
    world_wait(&w, 13 * HOUR);
    for (int i = 0; i < 2; i++)
        assert_true(has_certificate(&w, i, &guest));
    pass_days(&w, 18);
    world_wait(&w, 26 * HOUR);
    for (int i = 0; i < 2; i++) {
        assert_false(has_certificate(&w, i, &guest));
        assert_false(stored(&w, i, KITH_OBJECT_endpoints_body, &guest, &guest));
        assert_int_equal(objects_held(&w, i), before);
        world_members(&w, i, 2);
    }
    assert_int_equal(kith_store_lease_by_peer(w.node[0].store, w.home.id.b, guest.b, &lease),
                     KITH_E_NOTFOUND);
    assert_int_equal(
        kith_store_lease_by_peer(w.node[0].store, w.home.id.b, w.node[1].identity.id.b, &lease),
        KITH_OK);

    node_sim_restart(&w.node[0]);
    assert_int_equal(objects_held(&w, 0), before);
    assert_true(world_reaches(&w, 0, 1, false, 90 * KITH_SEC));
    world_down(&w);
}

static int count_address(void *ctx, const struct kith_store_address *a)
{
    (void)a;
    ++*(int *)ctx;
    return 0;
}

static int addresses_stored(struct world *w, int by, int of)
{
    int n = 0;

    assert_int_equal(
        kith_store_address_list(w->node[by].store, w->node[of].identity.id.b, count_address, &n),
        KITH_OK);
    return n;
}

static void who_leaves_keeps_no_address_of_the_others(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 62);
    world_wait(&w, 30 * KITH_SEC);
    assert_true(addresses_stored(&w, 2, 0) > 0);
    assert_true(addresses_stored(&w, 2, 1) > 0);
    assert_int_equal(world_leave(&w, 2), 2);
    world_wait(&w, 30 * KITH_SEC);
    assert_int_equal(addresses_stored(&w, 2, 0), 0);
    assert_int_equal(addresses_stored(&w, 2, 1), 0);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_is_forgotten_two_months_later),
        cmocka_unit_test(who_leaves_keeps_no_address_of_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
