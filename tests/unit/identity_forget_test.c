/* What is over for good: told to nobody, taken from nobody, let go of. Spec objects 8. */
#include "identity_fixture.h"

#define DAY KITH_WALL_DAY

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    fixture_init(&f);
    found(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static kith_wall midnight_after(kith_wall t)
{
    return t - t % DAY + DAY;
}

static size_t told(const struct kith_netview *v, kith_wall now)
{
    struct kith_digest_item item;
    size_t at = 0, n = 0;

    while (kith_netview_next_digest(v, &at, now, &item))
        n++;
    return n;
}

static size_t held(const struct kith_netview *v)
{
    size_t at = 0, n = 0;

    while (kith_netview_next_object(v, &at) != NULL)
        n++;
    return n;
}

static bool holds(const struct kith_netview *v, const struct bytes *object)
{
    struct kith_object o;

    assert_int_equal(kith_object_open(span_of(object), &o), KITH_OK);
    return kith_netview_find(v, &o.key) != NULL;
}

static enum kith_offer offered(struct kith_netview *v, struct kith_span object, kith_wall now)
{
    enum kith_offer ret;

    assert_int_equal(kith_netview_offer(v, object, now, &ret, NULL), KITH_OK);
    return ret;
}

static struct kith_span where(unsigned who, kith_wall issued, kith_wall until)
{
    struct kith_addr a = {.ip = kith_ip4(192, 0, 2, (uint8_t)who), .port = 9000};

    assert_int_equal(kith_issue_endpoints(&f.who[who], &f.network, &a, 1, issued, until, issued,
                                          f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_OK);
    return span_of(&f.last);
}

static struct kith_span cert_at(unsigned who, kith_wall issued)
{
    struct kith_new_member m = {.key = f.who[who].pub,
                                .name = kith_span_text("one"),
                                .ip4 = kith_ip4(100, 77, 16, (uint8_t)(10 + who)),
                                .number = issued};

    assert_int_equal(
        kith_issue_member(&f.issuer[ADMIN_A], &m, issued, f.last.b, sizeof f.last.b, &f.last.n),
        KITH_OK);
    return span_of(&f.last);
}

static struct kith_span office(unsigned k, kith_wall issued, kith_wall until)
{
    struct kith_new_admin a = {
        .key = f.who[k].pub, .range = f.range, .block = k, .number = issued, .not_after = until};

    assert_int_equal(kith_issue_admin(&f.who[ROOT], &f.network, &a, issued, f.last.b,
                                      sizeof f.last.b, &f.last.n),
                     KITH_OK);
    return span_of(&f.last);
}

static struct kith_span leave_of(unsigned who, uint64_t serial)
{
    assert_int_equal(kith_issue_leave(&f.who[who], &f.network, serial, T0, T0, f.last.b,
                                      sizeof f.last.b, &f.last.n),
                     KITH_OK);
    return span_of(&f.last);
}

/* Somebody is alive at that time, and says so. */
static void prove(kith_wall now)
{
    offered(f.view, cert_at(DORA, now), now);
    assert_int_equal(offered(f.view, where(DORA, now, now + DAY), now), KITH_OFFER_NEW);
}

/* ---- certificates ---- */

static void a_certificate_is_told_for_30_days_beyond_its_end_and_to_midnight(void **state)
{
    struct kith_holdings before, after;
    const kith_wall end = midnight_after(T0 + KITH_CERT_VALID + 30 * DAY);

    (void)state;
    assert_int_equal(offered(f.view, cert(&f, ADMIN_A, BERT, T0), T0), KITH_OFFER_NEW);
    size_t n = held(f.view);
    assert_int_equal(told(f.view, end - 1), n);
    assert_int_equal(told(f.view, end), n - 1);
    assert_int_equal(kith_netview_holdings(f.view, end - 1, &before), KITH_OK);
    assert_int_equal(kith_netview_holdings(f.view, end, &after), KITH_OK);
    assert_false(kith_holdings_equal(&before, &after));
    assert_true(holds(f.view, &f.last)); /* so that whoever tells of it still is not asked for it */
}

static void one_that_is_spent_is_taken_from_nobody(void **state)
{
    struct kith_netview *v = new_view(&f, NULL);
    const kith_wall end = midnight_after(T0 + KITH_CERT_VALID + 30 * DAY);

    (void)state;
    offered(v, network_object(&f), T0);
    offered(v, admin_object(&f, ADMIN_A), T0);
    cert(&f, ADMIN_A, BERT, T0);
    assert_int_equal(offered(v, span_of(&f.last), end), KITH_OFFER_STALE);
    assert_false(holds(v, &f.last));
    assert_int_equal(offered(v, span_of(&f.last), end - 1), KITH_OFFER_NEW);
    /* but its own */
    cert(&f, ADMIN_A, ANNA, T0);
    assert_int_equal(offered(v, span_of(&f.last), end), KITH_OFFER_NEW);
    kith_netview_free(v);
}

/* The calendar may be ahead then. */
static void what_was_kept_is_loaded_though_it_is_spent(void **state)
{
    struct kith_netview *v = new_view(&f, NULL);
    const kith_wall late = T0 + 1000 * DAY;
    enum kith_offer got;

    (void)state;
    assert_int_equal(kith_netview_load(v, network_object(&f), late, &got, NULL), KITH_OK);
    assert_int_equal(kith_netview_load(v, cert(&f, ROOT, BERT, T0), late, &got, NULL), KITH_OK);
    assert_int_equal(got, KITH_OFFER_NEW);
    kith_netview_forget(v, late);
    assert_true(holds(v, &f.last));
    assert_true(kith_netview_is_member(v, &f.who[BERT].id, T0));
    kith_netview_free(v);
}

static void it_is_let_go_of_a_day_later_with_all_that_its_holder_said(void **state)
{
    const kith_wall end = midnight_after(T0 + KITH_CERT_VALID + 30 * DAY);
    struct kith_object_key key;
    struct bytes bert, leave, place;
    size_t n = 0;

    (void)state;
    offered(f.view, cert(&f, ADMIN_A, ANNA, T0), T0);
    size_t without = held(f.view);
    uint64_t serial = f.issuer[ADMIN_A].next_serial;
    offered(f.view, cert(&f, ADMIN_A, BERT, T0), T0);
    bert = f.last;
    offered(f.view, where(BERT, T0, T0 + 400 * DAY), T0);
    place = f.last;
    offered(f.view, leave_of(BERT, serial), T0);
    leave = f.last;
    assert_true(holds(f.view, &bert) && holds(f.view, &leave));
    assert_false(holds(f.view, &place)); /* it left */

    prove(end + DAY - 1);
    kith_netview_forget(f.view, end + DAY);
    assert_true(holds(f.view, &bert));
    prove(end + DAY + 10);
    kith_netview_forget(f.view, end + DAY + 20);
    assert_false(holds(f.view, &bert) || holds(f.view, &leave));
    while (kith_netview_next_dropped(f.view, &key)) {
        assert_null(kith_netview_find(f.view, &key));
        n++;
    }
    assert_int_equal(n, 2);
    assert_int_equal(kith_netview_standing(f.view, &f.who[BERT].id, end + DAY + 20),
                     KITH_STANDING_NONE);
    assert_int_equal(held(f.view), without + 2); /* Dora's */
    assert_true(kith_netview_find(f.view, &key) == NULL);
    /* its own, as old as that, it keeps, and tells nobody of */
    assert_int_equal(kith_netview_standing(f.view, &f.who[ANNA].id, end + DAY + 20),
                     KITH_STANDING_EXPIRED);
}

/* Nothing that others signed says that it is so late. */
static void a_calendar_that_is_ahead_loses_nothing(void **state)
{
    (void)state;
    offered(f.view, cert(&f, ADMIN_A, BERT, T0), T0);
    offered(f.view, where(BERT, T0, T0 + DAY), T0);
    size_t n = held(f.view);
    assert_int_equal(kith_netview_proved(f.view, T0 + 1000 * DAY), T0);
    kith_netview_forget(f.view, T0 + 1000 * DAY);
    assert_int_equal(held(f.view), n);
    /* the root's word and its own are no proof: both may be of this machine */
    offered(f.view, cert_at(ANNA, T0), T0);
    assert_int_equal(offered(f.view, where(ANNA, T0 + 20 * DAY, T0 + 30 * DAY), T0 + 20 * DAY),
                     KITH_OFFER_NEW);
    assert_int_equal(kith_netview_proved(f.view, T0 + 1000 * DAY), T0);
    assert_int_equal(offered(f.view, office(ADMIN_B, T0 + 20 * DAY, T0 + 300 * DAY), T0 + 20 * DAY),
                     KITH_OFFER_NEW);
    assert_int_equal(kith_netview_proved(f.view, T0 + 1000 * DAY), T0);
    assert_int_equal(kith_netview_proved(f.view, T0 - 1), 0);
}

/* ---- statements of members ---- */

static void where_one_was_is_told_to_midnight_and_then_let_go_of(void **state)
{
    struct bytes place;
    const kith_wall until = T0 + 7 * DAY, end = midnight_after(until);

    (void)state;
    offered(f.view, cert(&f, ADMIN_A, BERT, T0), T0);
    offered(f.view, where(BERT, T0, until), T0);
    place = f.last;
    size_t n = held(f.view);
    assert_int_equal(told(f.view, end - 1), n);
    assert_int_equal(told(f.view, end), n - 1);
    prove(end + DAY);
    kith_netview_forget(f.view, end + DAY);
    assert_false(holds(f.view, &place));
    assert_int_equal(kith_netview_standing(f.view, &f.who[BERT].id, end + DAY),
                     KITH_STANDING_MEMBER);
}

/* ---- offices ---- */

/* Else an old appointment, kept somewhere, would count again. */
static void a_dismissal_is_held_for_as_long_as_what_it_ends_could_last(void **state)
{
    const kith_wall at = T0 + DAY, last = T0 + KITH_ADMIN_VALID;
    struct bytes dismissal;

    (void)state;
    offered(f.view, office(ADMIN_B, at, at), at);
    dismissal = f.last;
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_B].id, at));
    offered(f.view, office(ADMIN_A, at, at + 2 * KITH_ADMIN_VALID), at);
    prove(last);
    kith_netview_forget(f.view, last);
    assert_true(holds(f.view, &dismissal));
    assert_int_equal(offered(f.view, admin_object(&f, ADMIN_B), last), KITH_OFFER_STALE);

    const kith_wall end = midnight_after(at + KITH_ADMIN_VALID + KITH_CERT_VALID + 30 * DAY) + DAY;
    prove(end);
    kith_netview_forget(f.view, end);
    assert_false(holds(f.view, &dismissal));
    /* an office may prove what was revoked: it is taken, and counts for nothing else */
    assert_int_equal(offered(f.view, admin_object(&f, ADMIN_B), end), KITH_OFFER_NEW);
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_B].id, end));
    assert_int_equal(offered(f.view, span_of(&dismissal), end), KITH_OFFER_NEW);
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_B].id, end));
}

/* ---- revocations ---- */

static struct kith_span revocation_of(unsigned by, uint64_t whom)
{
    struct kith_new_revocation r = {.reason = kith_span_text("lost")};

    memcpy(r.peer.b, &whom, sizeof whom);
    assert_int_equal(
        kith_issue_revocation(&f.issuer[by], &r, T0, f.last.b, sizeof f.last.b, &f.last.n),
        KITH_OK);
    return span_of(&f.last);
}

static bool is_revoked(const struct kith_netview *v, uint64_t whom)
{
    struct kith_peer_id peer = {{0}};

    memcpy(peer.b, &whom, sizeof whom);
    return kith_netview_revocation(v, &peer, 0) != NULL;
}

static void a_revocation_is_never_over(void **state)
{
    const kith_wall late = T0 + 5 * 365 * DAY;

    (void)state;
    offered(f.view, revocation_of(ROOT, 1), T0);
    offered(f.view, office(ADMIN_A, late - 10, late + DAY), late);
    offered(f.view, revocation_of(ADMIN_B, 2), T0);
    size_t n = told(f.view, late);
    prove(late);
    kith_netview_forget(f.view, late);
    assert_true(is_revoked(f.view, 1));
    /* nor is the office of who said so, though it ended years ago, and others hear of it */
    assert_true(is_revoked(f.view, 2));
    assert_non_null(kith_netview_office(f.view, &f.who[ADMIN_B].id));
    assert_int_equal(told(f.view, late), n + 2); /* Dora's */
    /* a newcomer takes both */
    struct kith_netview *v = new_view(&f, NULL);
    offered(v, network_object(&f), late);
    offered(v, admin_object(&f, ADMIN_B), late);
    const struct kith_object *o = kith_netview_revocation(f.view, &(struct kith_peer_id){{2}}, 0);
    assert_int_equal(offered(v, o->bytes, late), KITH_OFFER_NEW);
    assert_true(is_revoked(v, 2));
    kith_netview_free(v);
}

enum { ROOM = 8 };

static struct kith_netview *small_view(void)
{
    struct kith_netview *v = new_view(&f, &(struct kith_netview_limits){.revocations = ROOM});

    offered(v, network_object(&f), T0);
    offered(v, admin_object(&f, ADMIN_A), T0);
    offered(v, admin_object(&f, ADMIN_B), T0);
    return v;
}

/* Three of A, twenty of B, in an order, into room for eight: A keeps its three, B its last five. */
static void a_flood_of_revocations_is_at_the_cost_of_who_floods(void **state)
{
    static struct bytes all[23];
    enum kith_offer got;

    (void)state;
    for (unsigned i = 0; i < 23; i++) {
        revocation_of(i < 3 ? ADMIN_A : ADMIN_B, 100 + i);
        all[i] = f.last;
    }
    for (unsigned order = 0; order < 4; order++) {
        struct kith_netview *v = small_view();
        for (unsigned i = 0; i < 2 * 23; i++) {
            unsigned which = i % 23;
            which = order == 0 ? which : order == 1 ? 22 - which : which * (order + 2) % 23;
            int err = kith_netview_offer(v, span_of(&all[which]), T0, &got, NULL);
            assert_true(err == KITH_OK || err == KITH_E_FULL);
        }
        for (unsigned i = 0; i < 23; i++)
            assert_int_equal(is_revoked(v, 100 + i), i < 3 || i >= 18);
        assert_int_equal(held(v), 3 + ROOM);
        kith_netview_free(v);
    }
}

static void the_roots_newest_outweigh_all_others(void **state)
{
    struct kith_netview *v = small_view();
    struct kith_object_key key;
    enum kith_offer got;

    (void)state;
    for (unsigned i = 0; i < ROOM; i++)
        offered(v, revocation_of(ADMIN_A, 100 + i), T0);
    for (unsigned i = 0; i < ROOM; i++)
        assert_int_equal(offered(v, revocation_of(ROOT, 200 + i), T0), KITH_OFFER_NEW);
    assert_true(kith_netview_next_dropped(v, &key)); /* so that the store lets go of it, too */
    assert_false(kith_netview_next_dropped(v, &key));
    assert_int_equal(kith_netview_offer(v, revocation_of(ADMIN_B, 300), T0, &got, NULL),
                     KITH_E_FULL);
    assert_int_equal(offered(v, revocation_of(ROOT, 300), T0), KITH_OFFER_NEW);
    for (unsigned i = 0; i < ROOM; i++)
        assert_int_equal(is_revoked(v, 200 + i), i > 0);
    assert_true(is_revoked(v, 300));
    kith_netview_free(v);
}

/* ---- years ---- */

/* A guest a week, for three years, each of whom leaves; the admin is appointed anew every half
 * year. What is held is what the last weeks brought. */
static void three_years_of_guests_leave_no_more_than_the_last_weeks(void **state)
{
    enum { WEEKS = 156, KEPT_WEEKS = (30 + 30 + 1 + 1 + 6) / 7 + 1 };
    size_t most = 0;

    (void)state;
    for (unsigned week = 0; week < WEEKS; week++) {
        const kith_wall now = T0 + week * 7 * DAY;
        struct kith_sign_seed seed = {{0xff, (uint8_t)week, (uint8_t)(week >> 8)}};
        struct kith_identity guest;
        uint64_t serial = f.issuer[ADMIN_A].next_serial;
        if (week % 26 == 0)
            offered(f.view, office(ADMIN_A, now + 1, now + KITH_ADMIN_VALID), now);
        assert_int_equal(kith_identity_from_seed(&kith_heap, &seed, &guest), KITH_OK);
        kith_identity_fini(&f.who[BERT]);
        f.who[BERT] = guest;
        assert_int_equal(offered(f.view, cert_at(BERT, now), now), KITH_OFFER_NEW);
        assert_int_equal(offered(f.view, where(BERT, now, now + 7 * DAY), now), KITH_OFFER_NEW);
        offered(f.view, leave_of(BERT, serial), now);
        prove(now);
        kith_netview_forget(f.view, now);
        if (held(f.view) > most)
            most = held(f.view);
    }
    /* the network, two offices, Dora's two, and of each guest its certificate and its leave */
    assert_true(most <= 5 + 2 * KEPT_WEEKS);
    assert_true(most >= 5 + 2 * 8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_certificate_is_told_for_30_days_beyond_its_end_and_to_midnight),
        T(one_that_is_spent_is_taken_from_nobody),
        T(what_was_kept_is_loaded_though_it_is_spent),
        T(it_is_let_go_of_a_day_later_with_all_that_its_holder_said),
        T(a_calendar_that_is_ahead_loses_nothing),
        T(where_one_was_is_told_to_midnight_and_then_let_go_of),
        T(a_dismissal_is_held_for_as_long_as_what_it_ends_could_last),
        T(a_revocation_is_never_over),
        T(a_flood_of_revocations_is_at_the_cost_of_who_floods),
        T(the_roots_newest_outweigh_all_others),
        T(three_years_of_guests_leave_no_more_than_the_last_weeks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
