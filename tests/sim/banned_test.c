/* Members that were put out: what they are told, and what their tickets are good for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"
#include "store/lease.h"

static void revoke(struct world *w, int by, const char *name)
{
    struct kith_member_info m;
    struct kith_node_why why;

    assert_int_equal(
        kith_node_revoke(w->node[by].node, name, NULL, node_sim_now(&w->node[by]), &m, &why),
        KITH_OK);
}

/* The serial of what the root gave a node last. */
static uint64_t lease_of(struct world *w, int who)
{
    struct kith_store_lease lease;

    assert_int_equal(kith_store_lease_by_peer(w->node[0].store, w->home.id.b,
                                              w->node[who].identity.id.b, &lease),
                     KITH_OK);
    return lease.serial;
}

/* What an admin said while in office stands: enrolment 2.5 and objects 3.4.1. */
static void one_that_a_former_admin_revoked_is_refused_and_gets_no_certificate(void **state)
{
    char ticket[KITH_TICKET_TEXT_MAX];
    struct world w;

    (void)state;
    world_three(&w, 41);
    world_wait(&w, 3 * KITH_SEC);
    world_appoint(&w, 0, "desktop");
    world_wait(&w, 3 * KITH_SEC);
    revoke(&w, 1, "phone");
    world_wait(&w, 5 * KITH_SEC);
    world_members(&w, 0, 2);
    uint64_t given = lease_of(&w, 2);
    world_dismiss(&w, 0, "desktop");
    world_wait(&w, 5 * KITH_SEC);
    world_members(&w, 0, 2); /* the revocation stands */
    (void)world_leave(&w, 2);
    assert_int_equal(world_invite(&w, 0, &world_plain, ticket), KITH_OK);
    assert_int_equal(world_join(&w, 2, ticket), KITH_E_REVOKED);
    assert_int_equal(lease_of(&w, 2), given);
    world_down(&w);
}

/* The phone was away when the desktop was appointed, revoked it, and was dismissed: it holds no
 * ADMIN object, and without one the revocation proves nothing (control-stream 4.7). */
static void one_that_a_former_admin_revoked_is_told_with_proof(void **state)
{
    struct world w;

    (void)state;
    world_three(&w, 42);
    world_wait(&w, 3 * KITH_SEC);
    sim_host_power(w.node[2].host, false);
    world_appoint(&w, 0, "desktop");
    world_wait(&w, 3 * KITH_SEC);
    revoke(&w, 1, "phone");
    world_wait(&w, 5 * KITH_SEC);
    world_dismiss(&w, 0, "desktop");
    world_wait(&w, 60 * KITH_SEC);
    sim_host_power(w.node[2].host, true);
    world_wait(&w, 180 * KITH_SEC);
    assert_int_equal(world_info(&w, 2).standing, KITH_STANDING_REVOKED);
    world_down(&w);
}

/* The lost machine's leases are on no other: whom it vouched for is known from their certificates.
 */
static void a_restored_root_vouches_for_those_the_lost_machine_certified(void **state)
{
    static uint8_t file[33 * 1024];
    struct kith_span pass = kith_span_text("correct horse battery staple");
    struct kith_member_info m;
    struct kith_network_info info;
    struct kith_node_why why;
    struct world w;
    size_t len;

    (void)state;
    world_three(&w, 43);
    world_wait(&w, 3 * KITH_SEC);
    assert_int_equal(kith_node_backup(w.node[0].node, "home", pass, node_sim_now(&w.node[0]), file,
                                      sizeof file, &len, &info, &why),
                     KITH_OK);
    sim_host_power(w.node[0].host, false);
    assert_int_equal(kith_node_restore(w.node[1].node, (struct kith_span){file, len}, pass,
                                       node_sim_now(&w.node[1]), &info, &why),
                     KITH_OK);
    world_wait(&w, 3 * KITH_SEC);
    world_members(&w, 1, 3);
    world_members(&w, 2, 3);
    assert_int_equal(
        kith_node_revoke(w.node[1].node, "laptop", NULL, node_sim_now(&w.node[1]), &m, &why),
        KITH_OK); /* the lost machine; a new list follows */
    world_wait(&w, 10 * KITH_SEC);
    world_members(&w, 1, 2);
    world_members(&w, 2, 2);
    assert_int_equal(world_info(&w, 2).standing, KITH_STANDING_MEMBER);
    assert_int_equal(world_info(&w, 1).standing, KITH_STANDING_MEMBER);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_a_former_admin_revoked_is_refused_and_gets_no_certificate),
        cmocka_unit_test(one_that_a_former_admin_revoked_is_told_with_proof),
        cmocka_unit_test(a_restored_root_vouches_for_those_the_lost_machine_certified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
