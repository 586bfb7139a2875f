/* Leases: a name and an address belong to one peer while its lease lasts. */

#include "property/store_lab.h"

#include "store/lease.h"

enum { ANN = 0xa1, BOB = 0xb0 };
static const kith_wall NOW = 1000, END = 2000;
static uint8_t net[32];

static struct kith_store *open_one(void **state)
{
    struct kith_store *s = store_lab_memory(*state);

    store_lab_id(net, sizeof net, 1);
    store_lab_network(s, 1);
    return s;
}

static int lease(struct kith_store *s, uint64_t serial, unsigned peer, const char *name,
                 uint32_t ip4, kith_wall now)
{
    struct kith_store_lease l = {.serial = serial, .ip4 = ip4, .not_after = END};

    store_lab_id(l.peer, sizeof l.peer, peer);
    memcpy(l.name, name, strlen(name) + 1);
    return kith_store_lease_put(s, net, &l, now);
}

static uint64_t serial_of(struct kith_store *s, unsigned peer)
{
    struct kith_store_lease l;
    uint8_t id[32];

    store_lab_id(id, sizeof id, peer);
    int err = kith_store_lease_by_peer(s, net, id, &l);
    assert_true(err == KITH_OK || err == KITH_E_NOTFOUND);
    return err == KITH_OK ? l.serial : 0;
}

static void a_lease_is_found_by_peer_name_and_address(void **state)
{
    struct kith_store *s = open_one(state);
    struct kith_store_lease l;

    assert_int_equal(lease(s, 5, ANN, "ann", 0x64400001, NOW), KITH_OK);
    assert_int_equal(serial_of(s, ANN), 5);
    assert_int_equal(kith_store_lease_by_name(s, net, "ann", &l), KITH_OK);
    assert_int_equal(l.peer[31], ANN);
    assert_int_equal(l.ip4, 0x64400001);
    assert_int_equal(l.not_after, END);
    assert_int_equal(kith_store_lease_by_ip4(s, net, 0x64400001, &l), KITH_OK);
    assert_string_equal(l.name, "ann");
    assert_int_equal(kith_store_lease_by_name(s, net, "bob", &l), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_lease_by_ip4(s, net, 7, &l), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static void a_name_or_address_in_use_is_refused_and_nothing_changes(void **state)
{
    struct kith_store *s = open_one(state);

    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 2, BOB, "bob", 11, NOW), KITH_OK);
    assert_int_equal(lease(s, 3, BOB, "ann", 11, NOW), KITH_E_TAKEN);
    assert_int_equal(lease(s, 3, BOB, "bob", 10, NOW), KITH_E_TAKEN);
    assert_int_equal(serial_of(s, ANN), 1);
    assert_int_equal(serial_of(s, BOB), 2);
    kith_store_close(s);
}

static void a_renewal_replaces_the_peers_own_lease(void **state)
{
    struct kith_store *s = open_one(state);
    struct kith_store_lease l;

    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 2, ANN, "anna", 10, NOW), KITH_OK);
    assert_int_equal(serial_of(s, ANN), 2);
    assert_int_equal(kith_store_lease_by_name(s, net, "ann", &l), KITH_E_NOTFOUND);
    assert_int_equal(lease(s, 3, BOB, "ann", 11, NOW), KITH_OK); /* the old name is free */
    kith_store_close(s);
}

static void an_ended_lease_frees_its_name_at_its_last_second(void **state)
{
    struct kith_store *s = open_one(state);

    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 2, BOB, "ann", 10, END - 1), KITH_E_TAKEN);
    assert_int_equal(lease(s, 2, BOB, "ann", 10, END), KITH_OK);
    assert_int_equal(serial_of(s, ANN), 0);
    kith_store_close(s);
}

static void a_serial_is_never_given_to_another_peer(void **state)
{
    struct kith_store *s = open_one(state);

    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 1, BOB, "bob", 11, END), KITH_E_EXISTS); /* not even afterwards */
    assert_int_equal(serial_of(s, ANN), 1);
    kith_store_close(s);
}

static void peers_without_an_address_do_not_compete_for_it(void **state)
{
    struct kith_store *s = open_one(state);
    struct kith_store_lease l;

    assert_int_equal(lease(s, 1, ANN, "ann", 0, NOW), KITH_OK);
    assert_int_equal(lease(s, 2, BOB, "bob", 0, NOW), KITH_OK);
    assert_int_equal(kith_store_lease_by_name(s, net, "bob", &l), KITH_OK);
    assert_int_equal(l.ip4, 0);
    kith_store_close(s);
}

static void networks_do_not_share_names_or_serials(void **state)
{
    struct kith_store *s = open_one(state);

    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    store_lab_network(s, 2);
    store_lab_id(net, sizeof net, 2);
    assert_int_equal(lease(s, 1, BOB, "ann", 10, NOW), KITH_OK);
    store_lab_id(net, sizeof net, 3);
    assert_int_equal(lease(s, 1, BOB, "ann", 10, NOW), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static int sum_serials(void *ctx, const struct kith_store_lease *l)
{
    uint64_t *sum = ctx;

    *sum = *sum * 10 + l->serial;
    return 0;
}

static void leases_are_listed_by_serial_and_removed_by_it(void **state)
{
    struct kith_store *s = open_one(state);
    uint64_t serials = 0;

    assert_int_equal(lease(s, 8, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 3, BOB, "bob", 11, NOW), KITH_OK);
    assert_int_equal(kith_store_lease_list(s, net, sum_serials, &serials), KITH_OK);
    assert_int_equal(serials, 38);
    assert_int_equal(kith_store_lease_remove(s, net, 8), KITH_OK);
    assert_int_equal(kith_store_lease_remove(s, net, 8), KITH_E_NOTFOUND);
    assert_int_equal(serial_of(s, ANN), 0);
    assert_int_equal(serial_of(s, BOB), 3);
    kith_store_close(s);
}

static void a_lease_is_claimed_once_and_a_renewal_says_itself_whether_it_is(void **state)
{
    struct kith_store *s = open_one(state);
    struct kith_store_lease l;
    uint8_t ann[32], bob[32];

    store_lab_id(ann, sizeof ann, ANN);
    store_lab_id(bob, sizeof bob, BOB);
    assert_int_equal(lease(s, 1, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(lease(s, 2, BOB, "bob", 11, NOW), KITH_OK);
    assert_int_equal(kith_store_lease_claim(s, net, ann), KITH_OK);
    assert_int_equal(kith_store_lease_claim(s, net, ann), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_lease_by_peer(s, net, ann, &l), KITH_OK);
    assert_true(l.claimed);
    assert_int_equal(kith_store_lease_by_peer(s, net, bob, &l), KITH_OK);
    assert_false(l.claimed);
    assert_int_equal(lease(s, 3, ANN, "ann", 10, NOW), KITH_OK);
    assert_int_equal(kith_store_lease_by_peer(s, net, ann, &l), KITH_OK);
    assert_false(l.claimed);
    kith_store_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(a_lease_is_found_by_peer_name_and_address),
        T(a_name_or_address_in_use_is_refused_and_nothing_changes),
        T(a_renewal_replaces_the_peers_own_lease),
        T(an_ended_lease_frees_its_name_at_its_last_second),
        T(a_serial_is_never_given_to_another_peer),
        T(peers_without_an_address_do_not_compete_for_it),
        T(networks_do_not_share_names_or_serials),
        T(leases_are_listed_by_serial_and_removed_by_it),
        T(a_lease_is_claimed_once_and_a_renewal_says_itself_whether_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
