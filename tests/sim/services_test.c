/* What members' services are, as each node of a network sees them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

#define DAY (86400 * KITH_SEC)

static int add(struct world *w, int who, const char *name, const char *about,
               struct kith_service_info *ret)
{
    struct kith_node_why why;

    return kith_node_service_add(w->node[who].node, name, about, NULL, node_sim_now(&w->node[who]),
                                 ret, &why);
}

static int take_away(struct world *w, int who, const char *name)
{
    struct kith_service_info info;
    struct kith_node_why why;

    return kith_node_service_remove(w->node[who].node, name, NULL, node_sim_now(&w->node[who]),
                                    &info, &why);
}

/* "desktop/files=about laptop/ssh=": what `asked` knows. */
static const char *seen_by(struct world *w, int asked)
{
    static char text[2048];
    struct kith_service_walk at = {.member = 0};
    struct kith_service_info s;
    kith_wall now = node_sim_now(&w->node[asked]).wall;
    size_t n = 0;

    text[0] = '\0';
    while (kith_node_next_service(w->node[asked].node, &w->home.id, &at, now, &s)) {
        int len = snprintf(text + n, sizeof text - n, "%s%s/%s=%s", n == 0 ? "" : " ", s.member,
                           s.name, s.about);
        assert_true(len > 0 && n + (size_t)len < sizeof text);
        n += (size_t)len;
        assert_int_equal(s.self, kith_peer_id_equal(&s.peer, kith_node_id(w->node[asked].node)));
    }
    return text;
}

static void all_see(struct world *w, const char *expected)
{
    for (int i = 0; i < WORLD_N; i++)
        assert_string_equal(seen_by(w, i), expected);
}

static void a_service_is_known_to_all_members(void **state)
{
    struct kith_service_info s, found;
    struct kith_service_walk at = {.member = 0};
    struct world w;

    (void)state;
    world_three(&w, 1);
    all_see(&w, "");
    assert_int_equal(add(&w, 1, "files", "photographs", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "desktop/files=photographs");
    assert_true(kith_node_next_service(w.node[2].node, &w.home.id, &at,
                                       node_sim_now(&w.node[2]).wall, &found));
    assert_true(kith_destination_equal(&found.destination, &s.destination));
    assert_true(kith_peer_id_equal(&found.peer, kith_node_id(w.node[1].node)));
    assert_string_equal(found.network, "home");
    /* more of them, in the order of names, whoever came first */
    assert_int_equal(add(&w, 0, "ssh", "", &s), KITH_OK);
    assert_int_equal(add(&w, 1, "backup", "", &s), KITH_OK);
    assert_int_equal(add(&w, 1, "files", "films", &s), KITH_OK); /* said anew */
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "desktop/backup= desktop/files=films laptop/ssh=");
    world_down(&w);
}

static void what_is_taken_away_is_seen_no_more(void **state)
{
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_three(&w, 2);
    assert_int_equal(take_away(&w, 1, "files"), KITH_E_NOTFOUND);
    assert_int_equal(add(&w, 1, "files", "", &s), KITH_OK);
    assert_int_equal(add(&w, 1, "ssh", "", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    assert_int_equal(take_away(&w, 1, "files"), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "desktop/ssh=");
    assert_int_equal(take_away(&w, 1, "ssh"), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "");
    assert_int_equal(take_away(&w, 1, "ssh"), KITH_E_NOTFOUND);
    world_down(&w);
}

static void a_restart_forgets_neither_ones_own_nor_the_others(void **state)
{
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_three(&w, 3);
    assert_int_equal(add(&w, 1, "files", "photographs", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    node_sim_restart(&w.node[1]);
    node_sim_restart(&w.node[2]);
    assert_string_equal(seen_by(&w, 1), "desktop/files=photographs");
    assert_string_equal(seen_by(&w, 2), "desktop/files=photographs");
    assert_int_equal(add(&w, 1, "ssh", "", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "desktop/files=photographs desktop/ssh=");
    world_down(&w);
}

static void it_outlives_its_own_validity_by_being_said_anew(void **state)
{
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_up(&w, 7);
    world_create(&w);
    world_enrol(&w, 0, 1);
    assert_int_equal(add(&w, 1, "files", "", &s), KITH_OK);
    world_wait(&w, 31 * DAY);
    assert_string_equal(seen_by(&w, 0), "desktop/files=");
    sim_host_power(w.node[1].host, false);
    world_wait(&w, 31 * DAY);
    assert_string_equal(seen_by(&w, 0), "");
    world_down(&w);
}

static void who_comes_later_hears_of_it(void **state)
{
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_up(&w, 4);
    world_create(&w);
    world_enrol(&w, 0, 1);
    assert_int_equal(add(&w, 1, "files", "", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    world_enrol(&w, 0, 2);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "desktop/files=");
    world_down(&w);
}

static void who_leaves_takes_its_services_along(void **state)
{
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_three(&w, 5);
    assert_int_equal(add(&w, 1, "files", "", &s), KITH_OK);
    world_wait(&w, 5 * KITH_SEC);
    (void)world_leave(&w, 1);
    world_wait(&w, 5 * KITH_SEC);
    assert_string_equal(seen_by(&w, 0), "");
    assert_string_equal(seen_by(&w, 2), "");
    /* and does not bring them back unasked */
    world_enrol(&w, 0, 1);
    world_wait(&w, 5 * KITH_SEC);
    all_see(&w, "");
    world_down(&w);
}

static void what_cannot_be_a_service_is_refused(void **state)
{
    static const char *const bad[] = {"", "-a", "a b", "A", "a.b", "kith"};
    char about[KITH_SERVICE_ABOUT_MAX + 2], name[8];
    struct kith_service_info s;
    struct world w;

    (void)state;
    world_up(&w, 6);
    assert_int_equal(add(&w, 0, "files", "", &s), KITH_E_NOTFOUND); /* of no network yet */
    world_create(&w);
    for (size_t i = 0; i < KITH_COUNT(bad); i++)
        assert_int_equal(add(&w, 0, bad[i], "", &s), KITH_E_INVAL);
    assert_string_equal(seen_by(&w, 0), "");
    memset(about, 'x', sizeof about);
    about[sizeof about - 1] = '\0';
    assert_int_equal(add(&w, 0, "files", about, &s), KITH_E_INVAL);
    about[sizeof about - 2] = '\0';
    assert_int_equal(add(&w, 0, "files", about, &s), KITH_OK);
    assert_int_equal(add(&w, 0, "files", "two\nlines", &s), KITH_E_INVAL);
    for (int i = 1; i < KITH_SERVICES_MAX; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        assert_int_equal(add(&w, 0, name, about, &s), KITH_OK);
    }
    assert_int_equal(add(&w, 0, "more", "", &s), KITH_E_FULL);
    assert_int_equal(add(&w, 0, "s1", "", &s), KITH_OK);
    assert_int_equal(take_away(&w, 0, "s1"), KITH_OK);
    assert_int_equal(add(&w, 0, "more", "", &s), KITH_OK);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_known_to_all_members),
        cmocka_unit_test(what_is_taken_away_is_seen_no_more),
        cmocka_unit_test(a_restart_forgets_neither_ones_own_nor_the_others),
        cmocka_unit_test(who_comes_later_hears_of_it),
        cmocka_unit_test(it_outlives_its_own_validity_by_being_said_anew),
        cmocka_unit_test(who_leaves_takes_its_services_along),
        cmocka_unit_test(what_cannot_be_a_service_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
