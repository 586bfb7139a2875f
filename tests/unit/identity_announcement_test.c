/* What a member says of its services, and how a network's view judges it. */
#include "identity_fixture.h"

#include <stdio.h>

static struct kith_span announce(struct fixture *f, unsigned who, const char *const *names,
                                 size_t n, uint64_t number)
{
    struct kith_service services[KITH_SERVICES_MAX];

    for (size_t i = 0; i < n; i++)
        services[i] = (struct kith_service){.name = kith_span_text(names[i]),
                                            .about = kith_span_text("for people")};
    assert_int_equal(kith_issue_announcement(&f->who[who], &f->network, 5, services, n, number,
                                             T0 + 3600, T0, f->last.b, sizeof f->last.b,
                                             &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

static const char *const two[] = {"files", "printer"};

static void a_member_announces_its_services(void **state)
{
    struct kith_service_item item;
    struct kith_member m;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, 1), KITH_OFFER_NEW);
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0, &m));
    assert_null(m.announcement);
    assert_offer(f.view, announce(&f, ANNA, two, 2, T0), KITH_OFFER_NEW);
    assert_offer(f.view, span_of(&f.last), KITH_OFFER_KNOWN);
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0, &m));
    assert_int_equal(m.announcement->announcement.capabilities, 5);
    struct kith_reader r = kith_reader_on(m.announcement->announcement.services.bytes);
    for (size_t i = 0; i < 2; i++) {
        assert_true(kith_service_item_next(&r, &item));
        assert_true(kith_span_equal(item.name, kith_span_text(two[i])));
        assert_true(kith_span_equal(item.about, kith_span_text("for people")));
    }
    assert_false(kith_service_item_next(&r, &item));
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0 + 3600, &m));
    assert_null(m.announcement); /* out of date */
    fixture_fini(&f);
}

static void the_effect_tells_of_it(void **state)
{
    struct kith_netview_effect fx;
    bool told = false;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, 1), KITH_OFFER_NEW);
    while (kith_netview_next_effect(f.view, &fx))
        assert_int_not_equal(fx.change, KITH_CHANGE_ANNOUNCEMENT);
    assert_offer(f.view, announce(&f, ANNA, two, 2, T0), KITH_OFFER_NEW);
    while (kith_netview_next_effect(f.view, &fx))
        told |=
            fx.change == KITH_CHANGE_ANNOUNCEMENT && kith_peer_id_equal(&fx.peer, &f.who[ANNA].id);
    assert_true(told);
    fixture_fini(&f);
}

static void a_newer_one_counts_and_an_older_one_changes_nothing(void **state)
{
    struct kith_member m;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, 1), KITH_OFFER_NEW);
    assert_offer(f.view, announce(&f, ANNA, two, 1, T0), KITH_OFFER_NEW);
    assert_offer(f.view, announce(&f, ANNA, two, 0, T0 + 1), KITH_OFFER_NEW);
    assert_offer(f.view, announce(&f, ANNA, two, 2, T0), KITH_OFFER_STALE);
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0, &m));
    assert_int_equal(m.announcement->announcement.services.n, 0);
    fixture_fini(&f);
}

static void it_is_a_members_own_and_goes_with_its_certificate(void **state)
{
    struct kith_object_key key;
    enum kith_offer got;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_offer(f.view, announce(&f, BERT, two, 2, T0), KITH_OFFER_PENDING);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, 1), KITH_OFFER_NEW);
    assert_offer(f.view, announce(&f, ANNA, two, 2, T0), KITH_OFFER_NEW);
    assert_int_equal(kith_object_key_of(&f.network, KITH_OBJECT_announcement_body, &f.who[ANNA].id,
                                        &f.who[ANNA].id, &key),
                     KITH_OK);
    assert_non_null(kith_netview_find(f.view, &key));
    (void)announce(&f, ANNA, two, 2, T0 + 1);
    f.last.b[f.last.n - 1] ^= 1;
    assert_int_equal(kith_netview_offer(f.view, span_of(&f.last), T0, &got, NULL), KITH_E_AUTH);
    assert_offer(f.view, revocation(&f, ROOT, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    assert_null(kith_netview_find(f.view, &key));
    assert_refused(f.view, announce(&f, ANNA, two, 2, T0 + 1), KITH_E_REFUSED, "no member");
    fixture_fini(&f);
}

static void with_endpoints_it_has_one_allowance(void **state)
{
    unsigned taken = 0;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, 1), KITH_OFFER_NEW); /* the view is anna's */
    for (uint64_t i = 0; i < 20; i++) {
        struct kith_span object =
            i % 2 == 0 ? endpoints(&f, BERT, T0 + i) : announce(&f, BERT, two, 2, T0 + i);
        enum kith_offer got;
        taken += kith_netview_offer(f.view, object, T0, &got, NULL) == KITH_OK;
    }
    assert_int_equal(taken, 8); /* spec objects 3.5.2 */
    fixture_fini(&f);
}

static void services_have_one_order(void **state)
{
    static const struct kith_service wrong[][2] = {
        {{{(const uint8_t *)"b", 1}, {0}}, {{(const uint8_t *)"a", 1}, {0}}},
        {{{(const uint8_t *)"a", 1}, {0}}, {{(const uint8_t *)"a", 1}, {0}}},
    };
    struct kith_service many[KITH_SERVICES_MAX + 1] = {{{0}, {0}}};
    struct kith_object o;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < KITH_COUNT(wrong); i++)
        assert_int_equal(kith_issue_announcement(&f.who[ANNA], &f.network, 0, wrong[i], 2, T0,
                                                 T0 + 3600, T0, f.last.b, sizeof f.last.b,
                                                 &f.last.n),
                         KITH_E_INVAL);
    assert_int_equal(kith_issue_announcement(&f.who[ANNA], &f.network, 0, many, KITH_COUNT(many),
                                             T0, T0 + 3600, T0, f.last.b, sizeof f.last.b,
                                             &f.last.n),
                     KITH_E_LIMIT);
    /* nor is another order read: the two names change places under the same length */
    static const char *const names[] = {"aa", "bb"};
    assert_int_equal(kith_object_open(announce(&f, ANNA, names, 2, T0), &o), KITH_OK);
    uint8_t *list = (uint8_t *)f.last.b + (o.announcement.services.bytes.p - f.last.b);
    list[1] = list[2] = 'c';
    assert_int_equal(kith_object_open(span_of(&f.last), &o), KITH_E_MALFORMED);
    fixture_fini(&f);
}

static void the_largest_fits(void **state)
{
    static char name[KITH_SERVICES_MAX][KITH_LABEL_MAX + 1], about[KITH_SERVICE_ABOUT_MAX];
    struct kith_service all[KITH_SERVICES_MAX];
    struct kith_object o;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    memset(about, 'x', sizeof about);
    for (size_t i = 0; i < KITH_SERVICES_MAX; i++) {
        (void)snprintf(name[i], sizeof name[i], "a%062zu", i);
        all[i] =
            (struct kith_service){.name = kith_span_text(name[i]), .about = KITH_SPAN_OF(about)};
    }
    assert_int_equal(kith_issue_announcement(&f.who[ANNA], &f.network, ~0u, all, KITH_COUNT(all),
                                             T0, T0 + 3600, T0, f.last.b, sizeof f.last.b,
                                             &f.last.n),
                     KITH_OK);
    assert_int_equal(kith_object_open(span_of(&f.last), &o), KITH_OK);
    assert_int_equal(o.announcement.services.n, KITH_SERVICES_MAX);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_announces_its_services),
        cmocka_unit_test(the_effect_tells_of_it),
        cmocka_unit_test(a_newer_one_counts_and_an_older_one_changes_nothing),
        cmocka_unit_test(it_is_a_members_own_and_goes_with_its_certificate),
        cmocka_unit_test(with_endpoints_it_has_one_allowance),
        cmocka_unit_test(services_have_one_order),
        cmocka_unit_test(the_largest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
