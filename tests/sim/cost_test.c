/* What a member can make the others spend by saying a thing again and again: signatures, checks of
 * signatures, bytes on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/issuer.h"
#include "sim/home.h"
#include "store/network.h"

/* Rows written for a signature: the serial, the object, the lease. */
enum { ROWS_EACH = 3 };
/* Rows taken away with a member: where it says it is, where it was reached, and their tallies. */
enum { ROWS_FORGOTTEN = 4 };

static uint64_t now_number(const struct home *h)
{
    return node_sim_now(&h->node[0]).wall;
}

/* Everything but ENDPOINTS that the laptop signs takes a serial, in a transaction of its own. */
static uint64_t signatures(const struct home *h)
{
    struct kith_store_network row;

    assert_int_equal(kith_store_network_get(h->node[0].store, h->info.id.b, &row), KITH_OK);
    return row.next_serial;
}

static void says_often(struct home *h, const uint8_t *message, size_t n, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        while (foe_say(&h->foe, &h->node[0], message, n) == KITH_E_AGAIN)
            home_wait(h, 5 * KITH_MSEC);
        if (!foe_is_up(&h->foe, &h->node[0]))
            home_wait(h, KITH_SEC);
    }
    home_wait(h, 5 * KITH_SEC); /* lists gather changes for two */
}

static void is_calm(const struct home *h)
{
    assert_int_equal(h->node[0].seen[KITH_EV_store_failed], 0);
    assert_int_equal(h->node[0].seen[KITH_EV_peer_broke_rules], 0);
}

/* ---- where a member is ---- */

static uint64_t bytes_so_far(const struct home *h)
{
    uint64_t bytes;

    (void)sim_net_delivered(h->net, &bytes);
    return bytes;
}

static size_t publishes(struct home *h, uint64_t number)
{
    uint8_t object[HOME_OBJECT_MAX];
    struct kith_addr addr[16];

    for (size_t i = 0; i < 16; i++)
        addr[i] =
            (struct kith_addr){.ip = kith_ip4(203, 0, (uint8_t)number, (uint8_t)i), .port = 9};
    size_t len = home_foe_endpoints(h, addr, 16, number, object);
    home_foe_pushes(h, 0, object, len);
    return len;
}

static uint64_t held_of_foe(const struct home *h, size_t by)
{
    struct kith_addr addr[16];
    size_t n;

    return home_endpoints_held(h, by, &h->foe.identity.id, addr, &n);
}

static bool all_hold(const struct home *h, uint64_t number)
{
    for (size_t i = 0; i + 1 < h->n; i++)
        if (held_of_foe(h, i) != number)
            return false;
    return true;
}

/* Each of the others needs the object once, and each may announce it to each: 250 bytes are a
 * digest of one entry in a datagram of its own, and what acknowledges it. */
static uint64_t fair(const struct home *h, size_t object)
{
    return h->n * (object + object / 8) + h->n * h->n * 250;
}

/* Objects 3.5.2: of a minute's moves eight are taken at once, and then one in ten seconds. */
static void one_that_moves_every_second_costs_the_others_few_of_its_objects(void **s)
{
    enum { TIMES = 60, TAKEN = 8 + TIMES / 10 };
    struct home h;
    size_t object = 0;

    (void)s;
    home_up(&h, 1, 8);
    home_turn_bad(&h, 7);
    for (size_t i = 1; i < 7; i++)
        home_foe_greets(&h, i);
    home_wait(&h, 310 * KITH_SEC); /* the repeated digests are said */
    uint64_t before = bytes_so_far(&h);
    home_wait(&h, TIMES * KITH_SEC);
    uint64_t rest = bytes_so_far(&h) - before;
    uint64_t rows = home_rows_written(&h, 0), others_rows = home_rows_written(&h, 1);
    for (int i = 0; i < TIMES; i++) {
        object = publishes(&h, now_number(&h));
        home_wait(&h, KITH_SEC);
    }
    uint64_t spent = bytes_so_far(&h) - before - 2 * rest;
    uint64_t heard = (object + object / 8) * TIMES; /* by the one that it says it to */
    assert_true(spent > 7 * object * 8);
    assert_true(spent < heard + fair(&h, object) * TAKEN);
    assert_in_range(home_rows_written(&h, 0) - rows, 8, TAKEN);
    assert_in_range(home_rows_written(&h, 1) - others_rows, 8, TAKEN);
    /* where it came to rest, all know */
    home_wait(&h, 10 * KITH_SEC);
    (void)publishes(&h, now_number(&h));
    home_wait(&h, KITH_SEC);
    assert_true(all_hold(&h, now_number(&h) - 1));
    is_calm(&h);
    home_down(&h);
}

static void of_a_burst_of_addresses_the_others_pull_only_the_last_few(void **s)
{
    enum { BURST = 400 };
    struct home h;
    size_t object = 0;

    (void)s;
    home_up(&h, 2, 8);
    home_turn_bad(&h, 7);
    for (size_t i = 1; i < 7; i++)
        home_foe_greets(&h, i);
    home_wait(&h, 310 * KITH_SEC);
    uint64_t before = bytes_so_far(&h), last = now_number(&h) + 299;
    for (uint64_t number = last - BURST + 1; number <= last; number++)
        object = publishes(&h, number);
    home_wait(&h, 10 * KITH_SEC);
    (void)publishes(&h, last);
    home_wait(&h, 5 * KITH_SEC);
    assert_true(all_hold(&h, last));
    /* what the foe sent itself, and of it to the others less than it would come to for two */
    assert_true(bytes_so_far(&h) - before < 3 * (object + object / 8) * BURST);
    is_calm(&h);
    home_down(&h);
}

/* A number that is a time bounds how many there can be: 300 s ahead, and then one a second. */
static void addresses_from_the_future_are_refused(void **s)
{
    struct home h;

    (void)s;
    home_up(&h, 3, 3);
    home_turn_bad(&h, 2);
    uint64_t latest = now_number(&h) + 300;
    (void)publishes(&h, latest + 2);
    home_wait(&h, 500 * KITH_MSEC);
    assert_int_equal(h.node[0].seen[KITH_EV_object_refused], 1);
    (void)publishes(&h, latest);
    home_wait(&h, 500 * KITH_MSEC);
    assert_int_equal(held_of_foe(&h, 0), latest);
    home_down(&h);
}

/* ---- leaving ---- */

static bool foe_is_listed(const struct home *h, size_t by)
{
    const struct node_peer_sim *p = &h->node[by];
    struct kith_member_info m;
    size_t at = 0;

    while (kith_node_next_member(p->node, &h->info.id, &at, node_sim_now(p).wall, &m))
        if (kith_peer_id_equal(&m.peer, &h->foe.identity.id))
            return true;
    return false;
}

static uint64_t serial_shown(const uint8_t *membership, size_t n)
{
    struct kith_membership m;
    struct kith_object o;

    assert_int_equal(kith_membership_decode((struct kith_span){membership, n}, &m), KITH_OK);
    assert_int_equal(kith_object_open(m.cert, &o), KITH_OK);
    return o.member.serial;
}

static void one_that_leaves_fifty_times_costs_one_signature(void **s)
{
    uint8_t leave[HOME_OBJECT_MAX], message[HOME_OBJECT_MAX + 8], membership[HOME_OBJECT_MAX];
    struct home h;
    size_t n, said = 0;

    (void)s;
    home_up(&h, 4, 3);
    home_turn_bad(&h, 2);
    size_t shown = home_foe_membership(&h, membership, sizeof membership);
    uint64_t serial = serial_shown(membership, shown);
    assert_true(foe_is_listed(&h, 0) && foe_is_listed(&h, 1));
    uint64_t rows = home_rows_written(&h, 0), before = signatures(&h);
    kith_wall wall = node_sim_now(&h.node[0]).wall;
    for (uint64_t i = 0; i < 50; i++) {
        assert_int_equal(kith_issue_leave(&h.foe.identity, &h.info.id, serial, wall + i, wall,
                                          leave, sizeof leave, &n),
                         KITH_OK);
        struct kith_push push = {.object = {leave, n}};
        assert_int_equal(kith_push_encode(&push, message, sizeof message, &n), KITH_OK);
        said += foe_say(&h.foe, &h.node[0], message, n) == KITH_OK;
    }
    assert_int_equal(said, 50); /* in one go: it is sent away soon */
    home_wait(&h, 10 * KITH_SEC);
    assert_false(foe_is_listed(&h, 0) || foe_is_listed(&h, 1));
    assert_true(signatures(&h) - before <= 1); /* the list without it */
    assert_true(home_rows_written(&h, 0) - rows <= 2 * ROWS_EACH + ROWS_FORGOTTEN);
    /* what it was counts no more, however often it is shown */
    for (int i = 0; i < 20; i++) {
        (void)foe_say(&h.foe, &h.node[0], membership, shown);
        home_wait(&h, 5 * KITH_SEC);
    }
    assert_true(signatures(&h) - before <= 1);
    assert_false(foe_is_listed(&h, 0) || foe_is_listed(&h, 1));
    home_down(&h);
}

/* ---- renewal ---- */

static void a_certificate_is_signed_again_once_however_often_it_is_asked_for(void **s)
{
    struct kith_renew_request r;
    uint8_t message[64];
    struct home h;
    size_t n;

    (void)s;
    home_up(&h, 5, 3);
    home_turn_bad(&h, 2);
    r = (struct kith_renew_request){.network = h.info.id, .serial = 1};
    assert_int_equal(kith_renew_request_encode(&r, message, sizeof message, &n), KITH_OK);
    uint64_t before = signatures(&h), rows = home_rows_written(&h, 0);
    says_often(&h, message, n, 40);
    assert_int_equal(h.foe.controls[KITH_WIRE_renew_answer], 40);
    assert_int_equal(signatures(&h), before);
    assert_int_equal(home_rows_written(&h, 0), rows);

    for (size_t i = 0; i < 2; i++)
        h.node[i].wall_offset += 12 * 86400; /* two thirds of its life are not left */
    home_wait(&h, KITH_SEC);
    before = signatures(&h);
    says_often(&h, message, n, 40);
    assert_int_equal(h.foe.controls[KITH_WIRE_renew_answer], 80);
    assert_true(home_rows_written(&h, 0) - rows <= 2 * ROWS_EACH);
    assert_int_equal(signatures(&h), before + 2); /* the certificate and a list */
    home_down(&h);
}

/* ---- memberships ---- */

static void a_membership_shown_again_costs_nothing(void **s)
{
    uint8_t message[HOME_OBJECT_MAX];
    struct home h;

    (void)s;
    home_up(&h, 6, 3);
    home_turn_bad(&h, 2);
    size_t n = home_foe_membership(&h, message, sizeof message);
    size_t heard[256];
    memcpy(heard, h.foe.controls, sizeof heard);
    uint64_t before = signatures(&h), rows = home_rows_written(&h, 0);
    size_t bytes = h.lab.bytes;
    says_often(&h, message, n, 1000);
    assert_int_equal(signatures(&h), before);
    assert_int_equal(home_rows_written(&h, 0), rows);
    assert_memory_equal(heard, h.foe.controls, sizeof heard); /* and no answer */
    assert_true(h.lab.bytes < bytes + 256 * 1024);
    is_calm(&h);
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_moves_every_second_costs_the_others_few_of_its_objects),
        cmocka_unit_test(of_a_burst_of_addresses_the_others_pull_only_the_last_few),
        cmocka_unit_test(addresses_from_the_future_are_refused),
        cmocka_unit_test(one_that_leaves_fifty_times_costs_one_signature),
        cmocka_unit_test(a_certificate_is_signed_again_once_however_often_it_is_asked_for),
        cmocka_unit_test(a_membership_shown_again_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
