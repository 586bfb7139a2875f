/* What an admin that means harm can do to a network: fill its tables, outlast its office. */
#include "unit/identity_fixture.h"

#include "wire/object.h"

static struct kith_span leave(struct fixture *f, unsigned who, uint64_t serial)
{
    assert_int_equal(kith_issue_leave(&f->who[who], &f->network, serial, T0, T0, f->last.b,
                                      sizeof f->last.b, &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

static struct kith_netview *small_view(struct fixture *f)
{
    struct kith_netview *v = new_view(f, &(struct kith_netview_limits){.revocations = 2});

    assert_offer(v, network_object(f), KITH_OFFER_NEW);
    assert_offer(v, admin_object(f, ADMIN_A), KITH_OFFER_NEW);
    return v;
}

static void the_root_revokes_an_admin_that_filled_the_table_of_revocations(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f);
    struct kith_netview *v = small_view(&f);
    assert_offer(v, cert(&f, ROOT, CARL, T0), KITH_OFFER_NEW);
    assert_offer(v, revocation(&f, ADMIN_A, CARL, NULL, 0, 0), KITH_OFFER_NEW);
    assert_offer(v, revocation(&f, ADMIN_A, DORA, NULL, 0, 0), KITH_OFFER_NEW);
    /* of its own the oldest gives way */
    assert_offer(v, revocation(&f, ADMIN_A, BERT, NULL, 0, 0), KITH_OFFER_NEW);
    assert_null(kith_netview_revocation(v, &f.who[CARL].id, 0));
    assert_true(kith_netview_is_member(v, &f.who[CARL].id, T0));
    assert_offer(v, revocation(&f, ROOT, ADMIN_A, NULL, 0, 0), KITH_OFFER_NEW);
    assert_null(kith_netview_admin(v, &f.who[ADMIN_A].id, T0));
    assert_true(kith_netview_is_member(v, &f.who[CARL].id, T0)); /* what it said fell with it */
    kith_netview_free(v);
    fixture_fini(&f);
}

static void members_that_left_keep_nobody_from_being_revoked(void **state)
{
    static const unsigned goes[] = {ANNA, BERT};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    struct kith_netview *v = small_view(&f);
    assert_offer(v, cert(&f, ROOT, CARL, T0), KITH_OFFER_NEW);
    for (size_t i = 0; i < KITH_COUNT(goes); i++) {
        uint64_t serial = f.issuer[ROOT].next_serial;
        assert_offer(v, cert(&f, ROOT, goes[i], T0), KITH_OFFER_NEW);
        assert_offer(v, leave(&f, goes[i], serial), KITH_OFFER_NEW);
    }
    assert_offer(v, revocation(&f, ADMIN_A, CARL, NULL, 0, 0), KITH_OFFER_NEW);
    assert_int_equal(kith_netview_standing(v, &f.who[CARL].id, T0), KITH_STANDING_REVOKED);
    kith_netview_free(v);
    fixture_fini(&f);
}

/* Its block goes to another 30 days after its office: by then nothing of it may count. */
static struct kith_span cert_until(struct fixture *f, kith_wall not_after)
{
    uint8_t b[KITH_CERT_MAX];
    struct kith_member_body body = {.peer = f->who[DORA].id,
                                    .spki = {f->who[DORA].pub.spki, sizeof f->who[DORA].pub.spki},
                                    .name = kith_span_text("dora"),
                                    .ipv4 = kith_ip4(100, 77, 16, 9),
                                    .serial = f->issuer[ADMIN_A].next_serial,
                                    .not_before = T0,
                                    .not_after = not_after};
    struct kith_object_head head = {.kind = KITH_OBJECT_member_body,
                                    .network = f->network,
                                    .number = T0 + not_after % 2,
                                    .issued = T0};
    size_t n;

    assert_int_equal(kith_member_body_encode(&body, b, sizeof b, &n), KITH_OK);
    assert_int_equal(kith_object_sign(&f->who[ADMIN_A], &head, (struct kith_span){b, n}, f->last.b,
                                      sizeof f->last.b, &f->last.n),
                     KITH_OK);
    return span_of(&f->last);
}

static void a_certificate_ends_thirty_days_after_its_signers_office_at_the_latest(void **state)
{
    const kith_wall last = T0 + KITH_ADMIN_VALID + KITH_CERT_VALID;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    found(&f);
    assert_refused(f.view, cert_until(&f, last + 1), KITH_E_REFUSED, "outlasts");
    assert_offer(f.view, cert_until(&f, last), KITH_OFFER_NEW);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_revokes_an_admin_that_filled_the_table_of_revocations),
        cmocka_unit_test(members_that_left_keep_nobody_from_being_revoked),
        cmocka_unit_test(a_certificate_ends_thirty_days_after_its_signers_office_at_the_latest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
