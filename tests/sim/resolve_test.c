/* Whom a text means: members by name, members and their services by destination. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/world.h"

/* ---- asking ---- */

static int resolve(struct world *w, int asked, const char *text, const char *network,
                   struct kith_resolved *ret, struct kith_node_why *why)
{
    return kith_node_resolve(w->node[asked].node, text, network, node_sim_now(&w->node[asked]).wall,
                             ret, why);
}

/* The text means this member, or its service. */
static void means(struct world *w, int asked, const char *text, int member, const char *service,
                  const char *destination)
{
    char found[KITH_DESTINATION_TEXT];
    struct kith_resolved r;
    struct kith_node_why why;

    assert_int_equal(resolve(w, asked, text, NULL, &r, &why), KITH_OK);
    assert_true(kith_peer_id_equal(&r.member.peer, kith_node_id(w->node[member].node)));
    assert_string_equal(r.member.name, world_name[member]);
    assert_string_equal(r.member.network_name, "home");
    assert_int_equal(r.member.self, asked == member);
    assert_string_equal(r.service, service);
    assert_string_equal(kith_destination_text(&r.destination, found, sizeof found), destination);
}

/* The text means nobody; what is said of that, and what to do. */
static void means_nobody(struct world *w, int asked, const char *text, const char *network,
                         const char *sentence, const char *remedy)
{
    struct kith_resolved r = {.service = "untouched"};
    struct kith_node_why why;

    assert_int_equal(resolve(w, asked, text, network, &r, &why), KITH_E_NOTFOUND);
    assert_string_equal(why.text, sentence);
    assert_string_equal(why.remedy, remedy);
    assert_string_equal(r.service, "untouched");
}

/* The member's own destination: tests/unit/identity_destination_test.c has the vectors. */
static const char *own_destination(struct world *w, int who, char text[KITH_DESTINATION_TEXT])
{
    struct kith_destination d;

    assert_int_equal(
        kith_destination(kith_node_id(w->node[who].node), kith_span_text(KITH_SERVICE_SELF), &d),
        KITH_OK);
    return kith_destination_text(&d, text, KITH_DESTINATION_TEXT);
}

/* The destination of a service that `who` announces now. */
static void announce(struct world *w, int who, const char *name, char text[KITH_DESTINATION_TEXT])
{
    struct kith_service_info s;
    struct kith_node_why why;

    assert_int_equal(kith_node_service_add(w->node[who].node, name, "", NULL,
                                           node_sim_now(&w->node[who]), &s, &why),
                     KITH_OK);
    (void)kith_destination_text(&s.destination, text, KITH_DESTINATION_TEXT);
    world_wait(w, 5 * KITH_SEC);
}

static void take_back(struct world *w, int who, const char *name)
{
    struct kith_service_info s;
    struct kith_node_why why;

    assert_int_equal(kith_node_service_remove(w->node[who].node, name, NULL,
                                              node_sim_now(&w->node[who]), &s, &why),
                     KITH_OK);
    world_wait(w, 5 * KITH_SEC);
}

static const char *nobody_has(const char *destination)
{
    static char text[120];

    return kith_format(text, sizeof text, "no member and no service of one has the destination %s",
                       destination);
}

#define LOOK "kith members and kith services show who and what there is"

/* ---- members ---- */

static void a_member_is_meant_by_any_of_its_names_and_by_its_own_destination(void **state)
{
    char desktop[KITH_DESTINATION_TEXT], phone[KITH_DESTINATION_TEXT], id[KITH_ID_TEXT];
    char address[KITH_IP_TEXT];
    struct world w;

    (void)state;
    world_three(&w, 1);
    world_wait(&w, 3 * KITH_SEC);
    own_destination(&w, 1, desktop);
    own_destination(&w, 2, phone);
    struct kith_member_info m = world_member(&w, 0, "desktop");
    means(&w, 0, "desktop", 1, "kith", desktop);
    means(&w, 2, "desktop.home", 1, "kith", desktop);
    means(&w, 0, "desktop.home.kith", 1, "kith", desktop);
    means(&w, 0, kith_ip_text(&m.ip4, address, sizeof address), 1, "kith", desktop);
    means(&w, 0, kith_ip_text(&m.ip6, address, sizeof address), 1, "kith", desktop);
    means(&w, 0, kith_peer_id_text(&m.peer, id, sizeof id), 1, "kith", desktop);
    means(&w, 0, desktop, 1, "kith", desktop);
    means(&w, 2, desktop, 1, "kith", desktop);
    means(&w, 1, desktop, 1, "kith", desktop); /* itself */
    means(&w, 0, phone, 2, "kith", phone);
    world_down(&w);
}

/* spec destination 3 */
static void capitals_are_accepted(void **state)
{
    char desktop[KITH_DESTINATION_TEXT], capitals[KITH_DESTINATION_TEXT];
    struct world w;

    (void)state;
    world_three(&w, 2);
    own_destination(&w, 1, desktop);
    for (size_t i = 0; i < sizeof capitals; i++)
        capitals[i] = desktop[i] >= 'a' ? (char)(desktop[i] - 'a' + 'A') : desktop[i];
    means(&w, 0, capitals, 1, "kith", desktop);
    world_down(&w);
}

static void who_is_no_member_any_more_is_nobody(void **state)
{
    char desktop[KITH_DESTINATION_TEXT], phone[KITH_DESTINATION_TEXT], files[KITH_DESTINATION_TEXT];
    struct kith_member_info m;
    struct kith_node_why why;
    struct world w;

    (void)state;
    world_three(&w, 3);
    announce(&w, 2, "files", files);
    own_destination(&w, 1, desktop);
    own_destination(&w, 2, phone);
    means(&w, 0, files, 2, "files", files);
    assert_int_equal(
        kith_node_revoke(w.node[0].node, "phone", NULL, node_sim_now(&w.node[0]), &m, &why),
        KITH_OK);
    means_nobody(&w, 0, phone, NULL, nobody_has(phone), LOOK);
    means_nobody(&w, 0, files, NULL, nobody_has(files), LOOK);
    (void)world_leave(&w, 1);
    world_wait(&w, 5 * KITH_SEC);
    means_nobody(&w, 0, desktop, NULL, nobody_has(desktop), LOOK);
    world_down(&w);
}

/* ---- services ---- */

static void a_service_is_meant_by_its_destination_until_it_is_taken_back(void **state)
{
    char files[KITH_DESTINATION_TEXT], ssh[KITH_DESTINATION_TEXT], other[KITH_DESTINATION_TEXT];
    struct world w;

    (void)state;
    world_three(&w, 4);
    announce(&w, 1, "files", files);
    announce(&w, 1, "ssh", ssh);
    announce(&w, 2, "files", other); /* of another member: another destination */
    for (int asked = 0; asked < WORLD_N; asked++) {
        means(&w, asked, files, 1, "files", files);
        means(&w, asked, ssh, 1, "ssh", ssh);
        means(&w, asked, other, 2, "files", other);
    }
    take_back(&w, 1, "files");
    means_nobody(&w, 0, files, NULL, nobody_has(files), LOOK);
    means(&w, 0, ssh, 1, "ssh", ssh);
    means(&w, 0, other, 2, "files", other);
    world_down(&w);
}

/* ---- names ---- */

/* The phone is called what the desktop's destination is. */
static void a_name_that_looks_like_a_destination_is_a_name(void **state)
{
    char desktop[KITH_DESTINATION_TEXT], ticket[KITH_TICKET_TEXT_MAX];
    struct kith_resolved r;
    struct kith_node_why why;
    struct world w;

    (void)state;
    world_up(&w, 5);
    world_create(&w);
    world_enrol(&w, 0, 1);
    own_destination(&w, 1, desktop);
    means(&w, 0, desktop, 1, "kith", desktop);
    const struct kith_invite invite = {.name = desktop, .valid = 86400, .uses = 1};
    assert_int_equal(world_invite(&w, 0, &invite, ticket), KITH_OK);
    assert_int_equal(world_join(&w, 2, ticket), KITH_OK);
    world_wait(&w, 3 * KITH_SEC);
    assert_int_equal(resolve(&w, 0, desktop, NULL, &r, &why), KITH_OK);
    assert_true(kith_peer_id_equal(&r.member.peer, kith_node_id(w.node[2].node)));
    assert_string_equal(r.member.name, desktop);
    means(&w, 0, "desktop", 1, "kith", desktop);
    world_down(&w);
}

static void what_is_no_destination_stays_a_name_that_nobody_has(void **state)
{
    static const char *const none[] = {"server", "jgcvaoz3fgo3djqygofzfdrxz" /* 25 characters */,
                                       "jgcvaoz3fgo3djqygofzfdrxzya" /* 27 */,
                                       "jgcvaoz3fgo3djqygofzfdrxz1" /* no base32 */,
                                       "jgcvaoz3fgo3djqygofzfdrxzz" /* spare bits */};
    char sentence[80];
    struct world w;

    (void)state;
    world_up(&w, 6);
    means_nobody(&w, 0, "jgcvaoz3fgo3djqygofzfdrxzy", NULL,
                 "this node is in no network yet, so there is no member "
                 "\"jgcvaoz3fgo3djqygofzfdrxzy\"",
                 "kith network create NAME makes one, kith join TICKET joins one");
    world_create(&w);
    for (size_t i = 0; i < KITH_COUNT(none); i++)
        means_nobody(&w, 0, none[i], NULL,
                     kith_format(sentence, sizeof sentence, "there is no member \"%s\"", none[i]),
                     "kith members shows who there is");
    means_nobody(&w, 0, "jgcvaoz3fgo3djqygofzfdrxzy", NULL,
                 nobody_has("jgcvaoz3fgo3djqygofzfdrxzy"), LOOK);
    world_down(&w);
}

/* ---- networks ---- */

static void a_destination_is_looked_for_in_the_network_that_is_named(void **state)
{
    char desktop[KITH_DESTINATION_TEXT], laptop[KITH_DESTINATION_TEXT],
        files[KITH_DESTINATION_TEXT], sentence[120];
    struct kith_network_info work;
    struct kith_prefix range;
    struct kith_resolved r;
    struct kith_node_why why;
    struct world w;

    (void)state;
    world_three(&w, 7);
    announce(&w, 1, "files", files);
    own_destination(&w, 0, laptop);
    own_destination(&w, 1, desktop);
    assert_int_equal(kith_prefix_parse("100.81.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(w.node[0].node, "work", &range,
                                              node_sim_now(&w.node[0]), &work, &why),
                     KITH_OK);
    assert_int_equal(resolve(&w, 0, files, "home", &r, &why), KITH_OK);
    assert_string_equal(r.service, "files");
    assert_int_equal(resolve(&w, 0, laptop, "work", &r, &why), KITH_OK);
    assert_string_equal(r.member.network_name, "work");
    means_nobody(&w, 0, desktop, "work",
                 kith_format(sentence, sizeof sentence,
                             "no member of work and no service of one has the destination %s",
                             desktop),
                 LOOK);
    means_nobody(&w, 0, files, "work",
                 kith_format(sentence, sizeof sentence,
                             "no member of work and no service of one has the destination %s",
                             files),
                 LOOK);
    means_nobody(&w, 0, files, "nowhere", "this node is in no network named \"nowhere\"",
                 "kith network list shows those there are");
    means(&w, 0, files, 1, "files", files);
    world_down(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_is_meant_by_any_of_its_names_and_by_its_own_destination),
        cmocka_unit_test(capitals_are_accepted),
        cmocka_unit_test(who_is_no_member_any_more_is_nobody),
        cmocka_unit_test(a_service_is_meant_by_its_destination_until_it_is_taken_back),
        cmocka_unit_test(a_name_that_looks_like_a_destination_is_a_name),
        cmocka_unit_test(what_is_no_destination_stays_a_name_that_nobody_has),
        cmocka_unit_test(a_destination_is_looked_for_in_the_network_that_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
