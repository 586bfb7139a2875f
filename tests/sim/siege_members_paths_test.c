/* What a member can do by asking for paths and answering what others ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "sim/siege.h"
#include "wire/control.h"

enum { MANY = 4, SELF = 0, OTHER = 1 };

static struct kith_destination destination_of(const struct kith_peer_id *id)
{
    struct kith_destination d;

    assert_int_equal(mesh_destination_of(id, &d), KITH_OK);
    return d;
}

static struct kith_destination others(const struct siege *s)
{
    return destination_of(&s->home.node[OTHER].identity.id);
}

/* One that the laptop knows no member of. */
static struct kith_destination unknown(void)
{
    return destination_of(&(struct kith_peer_id){{9, 9, 9}});
}

static struct kith_node_totals totals(const struct siege *s, size_t who)
{
    struct kith_node_totals t;

    kith_node_totals(s->home.node[who].node, node_sim_now(&s->home.node[who]).wall, &t);
    return t;
}

static struct kith_mesh_paths *paths(const struct siege *s)
{
    return s->home.node[SELF].node->mesh->net[0].paths;
}

/* Ways of the laptop to a destination by the foe. */
static size_t ways_by_foe(const struct siege *s, const struct kith_destination *to)
{
    const struct node_peer *foe = peer_find(s->home.node[SELF].node, &s->home.foe.identity.id);
    struct kith_mesh_way way[KITH_MESH_WAYS];
    size_t by = 0;
    size_t n = kith_mesh_paths_ways(paths(s), to, node_sim_now(&s->home.node[SELF]).mono, way);

    for (size_t i = 0; i < n; i++)
        by += way[i].neighbour == foe->handle;
    return by;
}

static void answers(struct siege *s, uint64_t tag, const struct kith_destination *to,
                    struct kith_span cert)
{
    const struct kith_path_answer m = {.network = s->home.info.id,
                                       .tag = tag,
                                       .destination = *to,
                                       .seq = (uint32_t)node_sim_now(&s->home.node[SELF]).wall,
                                       .hops = 1,
                                       .cert = cert};
    static uint8_t buf[KITH_FRAME_BODY_MAX];
    size_t len;

    assert_int_equal(kith_path_answer_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_says(s, buf, len, 1);
}

/* ---- answers ---- */

static void answers_nobody(struct siege *s)
{
    static uint64_t tag = 5000;
    const struct kith_destination to = others(s);

    for (int i = 0; i < MANY; i++)
        answers(s, ++tag, &to, (struct kith_span){0});
}

static void answers_for_what_was_never_asked_change_nothing_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 701);
    const struct kith_destination to = others(&s);
    siege_once(&s, answers_nobody);
    assert_int_equal(totals(&s, SELF).answers_unasked, MANY);
    assert_int_equal(ways_by_foe(&s, &to), 0);
    siege_goes_on(&s, answers_nobody, 75 * KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &to), 0);
    /* 40 a second are looked at, and 400 at once */
    assert_true(totals(&s, SELF).answers_unasked <= 400 + 76 * 40);
    siege_assert_sent_away(&s, KITH_OFFENCE_messages);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* The laptop asks its neighbours; the tag that the foe was told. */
static uint64_t asks(struct siege *s, const struct kith_destination *to)
{
    struct kith_node *n = s->home.node[SELF].node;
    struct kith_path_request m;

    s->home.foe.asked_len = 0;
    assert_int_equal(
        kith_search_want(n->mesh->search, 0, to, node_sim_now(&s->home.node[SELF]).mono), KITH_OK);
    home_wait(&s->home, 200 * KITH_MSEC);
    assert_int_equal(
        kith_path_request_decode((struct kith_span){s->home.foe.asked, s->home.foe.asked_len}, &m),
        KITH_OK);
    assert_true(kith_destination_equal(&m.destination, to));
    return m.tag;
}

static void an_answer_for_something_else_is_none(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 702);
    const struct kith_destination to = unknown(), else_ = others(&s);
    uint64_t tag = asks(&s, &to);
    answers(&s, tag, &else_, (struct kith_span){0});
    home_wait(&s.home, KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &else_), 0);
    assert_int_equal(totals(&s, SELF).answers_unasked, 1);
    siege_assert_still_there(&s);
    siege_end(&s);
}

static void an_answer_without_its_destinations_certificate_leads_nowhere(void **state)
{
    static uint8_t membership[HOME_OBJECT_MAX * 2];
    struct kith_membership m;
    struct siege s;

    (void)state;
    siege_begin(&s, 703);
    const struct kith_destination to = unknown();
    uint64_t before = totals(&s, SELF).ways;
    /* none at all */
    answers(&s, asks(&s, &to), &to, (struct kith_span){0});
    home_wait(&s.home, 2 * KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &to), 0);
    /* its own in the place of that */
    size_t len = home_foe_membership(&s.home, membership, sizeof membership);
    assert_int_equal(kith_membership_decode((struct kith_span){membership, len}, &m), KITH_OK);
    const struct kith_destination second = destination_of(&(struct kith_peer_id){{8, 8}});
    unsigned told = siege_told(&s, KITH_EV_object_refused);
    answers(&s, asks(&s, &second), &second, m.cert);
    home_wait(&s.home, 2 * KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &second), 0);
    assert_int_equal(siege_told(&s, KITH_EV_object_refused), told + 1);
    /* noise */
    const struct kith_destination third = destination_of(&(struct kith_peer_id){{7, 7}});
    answers(&s, asks(&s, &third), &third, kith_span_text("a certificate"));
    home_wait(&s.home, 2 * KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &third), 0);
    assert_int_equal(totals(&s, SELF).ways, before);
    siege_assert_still_there(&s);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* As what is told unasked would be: the flow shows what it is worth. The desktop, which would have
 * answered itself, is not heard meanwhile. */
static void an_answer_that_was_asked_for_is_taken(void **state)
{
    const struct sim_link none = {.cut = true}, whole = {.delay = 5 * KITH_MSEC};
    struct siege s;

    (void)state;
    siege_begin(&s, 704);
    const struct kith_destination to = others(&s);
    sim_net_link(s.home.net, s.home.node[SELF].host, s.home.node[OTHER].host, &none);
    answers(&s, asks(&s, &to), &to, (struct kith_span){0});
    home_wait(&s.home, KITH_SEC);
    assert_int_equal(ways_by_foe(&s, &to), 1);
    sim_net_link(s.home.net, s.home.node[SELF].host, s.home.node[OTHER].host, &whole);
    assert_true(home_reaches(&s.home, SELF, OTHER, 20 * KITH_SEC));
    siege_others_are_well(&s);
    siege_end(&s);
}

/* ---- requests ---- */

static void asks_without_end(struct siege *s)
{
    static uint64_t tag;
    struct kith_path_request m = {
        .network = s->home.info.id, .destination = unknown(), .hops = 64, .flags = 1};
    uint8_t buf[128];
    size_t len;

    for (int i = 0; i < MANY; i++) {
        m.tag = ++tag;
        assert_int_equal(kith_path_request_encode(&m, buf, sizeof buf, &len), KITH_OK);
        siege_says(s, buf, len, 1);
    }
}

static void requests_beyond_their_rate_are_unread_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 705);
    uint64_t before = totals(&s, SELF).path_requests;
    siege_goes_on(&s, asks_without_end, 10 * KITH_SEC);
    uint64_t passed_on = totals(&s, SELF).path_requests - before;
    print_message("  %u of 4,000 passed on\n", (unsigned)passed_on);
    assert_in_range(passed_on, 200, 200 + 11 * 20); /* to the desktop */
    siege_goes_on(&s, asks_without_end, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_messages);
    siege_others_are_well(&s);
    siege_end(&s);
}

/* It learns where somebody is that it could reach by itself, and of no stranger. */
static void a_request_of_a_member_is_answered_with_what_proves_it(void **state)
{
    struct kith_path_request m = {.tag = 1, .hops = 2, .flags = 1};
    uint8_t buf[128];
    struct siege s;
    size_t len;

    (void)state;
    siege_begin(&s, 706);
    m.network = s.home.info.id;
    m.destination = others(&s);
    size_t heard = s.home.foe.controls[KITH_WIRE_path_answer];
    assert_int_equal(kith_path_request_encode(&m, buf, sizeof buf, &len), KITH_OK);
    siege_says(&s, buf, len, 1);
    home_wait(&s.home, KITH_SEC);
    assert_int_equal(s.home.foe.controls[KITH_WIRE_path_answer], heard + 1);
    siege_says(&s, buf, len, 1); /* under the same tag */
    home_wait(&s.home, KITH_SEC);
    assert_int_equal(s.home.foe.controls[KITH_WIRE_path_answer], heard + 1);
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_for_what_was_never_asked_change_nothing_and_end_the_session),
        cmocka_unit_test(an_answer_for_something_else_is_none),
        cmocka_unit_test(an_answer_without_its_destinations_certificate_leads_nowhere),
        cmocka_unit_test(an_answer_that_was_asked_for_is_taken),
        cmocka_unit_test(requests_beyond_their_rate_are_unread_and_end_the_session),
        cmocka_unit_test(a_request_of_a_member_is_answered_with_what_proves_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
