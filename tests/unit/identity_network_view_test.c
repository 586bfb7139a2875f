/* Who is a member, and who may say so. */
#include "identity_fixture.h"

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_fini(&f);
    return 0;
}

static bool is_member(unsigned who)
{
    return kith_netview_is_member(f.view, &f.who[who].id, T0);
}

static enum kith_standing standing(unsigned who)
{
    return kith_netview_standing(f.view, &f.who[who].id, T0);
}

static void assert_effect(enum kith_netview_change change, unsigned who)
{
    struct kith_netview_effect fx;

    assert_true(kith_netview_next_effect(f.view, &fx));
    assert_int_equal(fx.change, change);
    assert_memory_equal(fx.peer.b, f.who[who].id.b, sizeof fx.peer.b);
}

static void assert_no_effect(void)
{
    struct kith_netview_effect fx;

    assert_false(kith_netview_next_effect(f.view, &fx));
}

/* ---- joining ---- */

static void a_certificate_of_the_root_or_an_admin_makes_a_member(void **state)
{
    struct kith_member m;

    (void)state;
    found(&f);
    assert_false(is_member(ANNA));
    assert_offer(f.view, cert(&f, ROOT, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, BERT);
    assert_no_effect();
    assert_true(is_member(ANNA) && is_member(BERT));
    assert_false(is_member(CARL));
    assert_int_equal(kith_netview_member_count(f.view, T0), 2);

    assert_true(kith_netview_by_name(f.view, kith_span_text("bert"), T0, &m));
    assert_true(kith_peer_id_equal(&m.peer, &f.who[BERT].id));
    assert_false(kith_netview_by_name(f.view, kith_span_text("ber"), T0, &m));
    struct kith_ip ip = kith_ip4(100, 77, 16, 10 + BERT);
    assert_true(kith_netview_by_ip(f.view, &ip, T0, &m));
    assert_string_equal(m.name, "bert");
    assert_true(kith_netview_by_ip(f.view, &m.ip6, T0, &m));
    assert_string_equal(m.name, "bert");
    ip = kith_ip4(100, 77, 16, 99);
    assert_false(kith_netview_by_ip(f.view, &ip, T0, &m));
}

static void the_same_object_again_is_known_and_an_older_one_stale(void **state)
{
    struct bytes old;

    (void)state;
    found(&f);
    cert(&f, ADMIN_A, ANNA, T0 - 5);
    old = f.last;
    assert_offer(f.view, span_of(&old), KITH_OFFER_NEW);
    assert_offer(f.view, span_of(&old), KITH_OFFER_KNOWN);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_offer(f.view, cert(&f, ADMIN_B, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_CERT, ANNA);
    assert_offer(f.view, span_of(&old), KITH_OFFER_STALE);
    assert_no_effect();
    assert_true(is_member(ANNA));
}

static void a_member_sees_that_its_certificate_ends_and_begins(void **state)
{
    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    const kith_wall end = T0 + KITH_CERT_VALID;
    assert_int_equal(kith_netview_deadline(f.view), end);
    assert_true(kith_netview_is_member(f.view, &f.who[ANNA].id, end - 1));
    assert_false(kith_netview_is_member(f.view, &f.who[ANNA].id, end));
    assert_true(kith_netview_is_member(f.view, &f.who[ANNA].id, T0 - KITH_WALL_TOLERANCE));
    assert_int_equal(kith_netview_standing(f.view, &f.who[ANNA].id, T0 - KITH_WALL_TOLERANCE - 1),
                     KITH_STANDING_EARLY);
    kith_netview_tick(f.view, end - 1);
    assert_no_effect();
    kith_netview_tick(f.view, end);
    assert_effect(KITH_CHANGE_GONE, ANNA);
    assert_int_equal(kith_netview_deadline(f.view), KITH_NEVER);
}

static void changes_nobody_was_told_of_are_told_as_one(void **state)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, revocation(&f, ADMIN_A, ANNA, &serial, 1, 0), KITH_OFFER_NEW);
    assert_no_effect(); /* it came and went */
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + 1), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    serial += 2;
    assert_offer(f.view, revocation(&f, ADMIN_A, ANNA, &serial, 1, 0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + 2), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_CERT, ANNA); /* it went and came */
    assert_no_effect();
}

/* ---- what is refused ---- */

static void a_stranger_vouches_for_nobody(void **state)
{
    struct kith_issuer stranger = f.issuer[ADMIN_A];

    (void)state;
    found(&f);
    stranger.signer = &f.who[CARL];
    f.issuer[ADMIN_A] = stranger;
    /* nobody knows who Carl is: it waits, and never counts */
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_PENDING);
    assert_false(is_member(ANNA));
    /* a member is no signer either */
    assert_offer(f.view, cert(&f, ROOT, CARL, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_PENDING);
    assert_false(is_member(ANNA) || is_member(BERT));
}

static void one_changed_bit_is_refused(void **state)
{
    struct bytes c;
    enum kith_offer got;

    (void)state;
    found(&f);
    cert(&f, ADMIN_A, ANNA, T0);
    c = f.last;
    for (size_t at = 0; at < c.n; at += 61) {
        c.b[at] ^= 4;
        int err = kith_netview_offer(f.view, span_of(&c), T0, &got, NULL);
        if (err == KITH_OK) /* another signer's name: it waits for that one */
            assert_int_equal(got, KITH_OFFER_PENDING);
        assert_false(is_member(ANNA));
        c.b[at] ^= 4;
    }
    c.b[c.n - 1] ^= 1;
    assert_refused(f.view, span_of(&c), KITH_E_AUTH, "authentication");
    c.b[c.n - 1] ^= 1;
    assert_offer(f.view, span_of(&c), KITH_OFFER_NEW);
}

static void an_admin_is_held_to_its_block_and_its_serials(void **state)
{
    (void)state;
    found(&f);
    struct kith_issuer honest = f.issuer[ADMIN_A];
    f.issuer[ADMIN_B].signer = &f.who[ADMIN_A]; /* A signs with B's serials and block */
    assert_refused(f.view, cert(&f, ADMIN_B, ANNA, T0), KITH_E_REFUSED, "serial");
    f.issuer[ADMIN_B] = honest; /* A's serials, B's block */
    assert_refused(f.view, cert(&f, ADMIN_B, ANNA, T0), KITH_E_REFUSED, "block");
    f.issuer[ADMIN_A] = honest;
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
}

static void only_the_root_appoints_admins(void **state)
{
    struct kith_identity root = f.who[ROOT];

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    f.who[ROOT] = f.who[ADMIN_A]; /* A signs an appointment as if it were the root */
    admin_object(&f, ADMIN_B);
    f.who[ROOT] = root;
    assert_refused(f.view, span_of(&f.last), KITH_E_REFUSED, "only the root");
}

static void numbers_and_times_from_the_future_are_refused(void **state)
{
    (void)state;
    found(&f);
    assert_refused(f.view, cert(&f, ADMIN_A, ANNA, T0 + KITH_WALL_TOLERANCE + 1), KITH_E_REFUSED,
                   "future");
    assert_refused(f.view, cert(&f, ADMIN_A, ANNA, UINT64_MAX), KITH_E_REFUSED, "future");
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + KITH_WALL_TOLERANCE), KITH_OFFER_NEW);
}

static void an_object_of_another_network_is_refused(void **state)
{
    struct kith_network_id other = f.network;

    (void)state;
    found(&f);
    other.b[0] ^= 1;
    f.issuer[ADMIN_A].network = other;
    assert_refused(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_E_INVAL, "");
}

/* ---- revoking ---- */

static void an_admin_revokes_a_member_whoever_certified_it(void **state)
{
    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_offer(f.view, revocation(&f, ADMIN_B, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_GONE, ANNA);
    assert_int_equal(standing(ANNA), KITH_STANDING_REVOKED);
    /* all certificates, also those to come */
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + 1), KITH_OFFER_NEW);
    assert_int_equal(standing(ANNA), KITH_STANDING_REVOKED);
    assert_no_effect();
}

static void a_revocation_of_one_serial_leaves_the_next_certificate_alone(void **state)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, revocation(&f, ADMIN_A, ANNA, &serial, 1, 0), KITH_OFFER_NEW);
    assert_int_equal(standing(ANNA), KITH_STANDING_REVOKED);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + 1), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
}

static void a_later_revocation_by_another_takes_nothing_back(void **state)
{
    uint64_t some = 12345;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, revocation(&f, ROOT, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    assert_offer(f.view, revocation(&f, ADMIN_B, ANNA, &some, 1, 0), KITH_OFFER_NEW);
    assert_int_equal(standing(ANNA), KITH_STANDING_REVOKED);
    /* who revoked may take it back, by naming nothing that is in use */
    assert_offer(f.view, revocation(&f, ROOT, ANNA, &some, 1, 0), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
}

static void an_admin_cannot_revoke_an_admin_in_whatever_order_it_comes(void **state)
{
    struct bytes r;

    (void)state;
    revocation(&f, ADMIN_A, ADMIN_B, NULL, 0, 0);
    r = f.last;
    assert_offer(f.view, network_object(&f), KITH_OFFER_NEW);
    assert_offer(f.view, admin_object(&f, ADMIN_A), KITH_OFFER_NEW);
    assert_offer(f.view, span_of(&r), KITH_OFFER_NEW); /* nobody knows yet that B is one */
    assert_offer(f.view, admin_object(&f, ADMIN_B), KITH_OFFER_NEW);
    assert_true(kith_netview_is_signer(f.view, &f.who[ADMIN_B].id, T0));
    assert_offer(f.view, cert(&f, ADMIN_B, ADMIN_B, T0), KITH_OFFER_NEW);
    assert_true(is_member(ADMIN_B));
    assert_refused(f.view, span_of(&r), KITH_E_REFUSED, "only the root may revoke an admin");
    assert_refused(f.view, revocation(&f, ADMIN_B, ADMIN_B, NULL, 0, 0), KITH_E_REFUSED, "");
}

static void what_a_revoked_admin_signed_stands_up_to_the_serial_the_root_names(void **state)
{
    uint64_t first = f.issuer[ADMIN_A].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_effect(KITH_CHANGE_ADDED, BERT);
    struct bytes bert = f.last;
    assert_offer(f.view, revocation(&f, ROOT, ADMIN_A, NULL, 0, first), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADMIN, ADMIN_A);
    assert_effect(KITH_CHANGE_GONE, BERT);
    assert_no_effect();
    assert_true(is_member(ANNA));
    assert_int_equal(standing(BERT), KITH_STANDING_NONE);
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0));
    assert_refused(f.view, span_of(&bert), KITH_E_REFUSED, "revoked");
    assert_refused(f.view, cert(&f, ADMIN_A, CARL, T0), KITH_E_REFUSED, "revoked");
    /* another admin can certify Bert again, even with a lower number */
    assert_offer(f.view, cert(&f, ADMIN_B, BERT, T0 - 9), KITH_OFFER_NEW);
    assert_true(is_member(BERT));
}

static void revoking_one_certificate_of_an_admin_leaves_its_office(void **state)
{
    uint64_t serial = f.issuer[ROOT].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ROOT, ADMIN_A, T0), KITH_OFFER_NEW);
    assert_offer(f.view, revocation(&f, ROOT, ADMIN_A, &serial, 1, 0), KITH_OFFER_NEW);
    assert_int_equal(standing(ADMIN_A), KITH_STANDING_REVOKED);
    assert_true(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0));
}

static void an_admins_office_ends_with_its_time_but_not_what_it_signed(void **state)
{
    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_true(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0 + KITH_ADMIN_VALID - 1));
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0 + KITH_ADMIN_VALID));
    assert_true(is_member(ANNA));
}

/* ---- leaving ---- */

static void who_is_missing_from_its_signers_list_has_left(void **state)
{
    struct kith_member_item items[2];

    (void)state;
    found(&f);
    items[0] = (struct kith_member_item){f.who[BERT].id, f.issuer[ADMIN_A].next_serial + 1};
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_B, CARL, T0), KITH_OFFER_NEW);
    assert_int_equal(
        kith_issue_members(&f.issuer[ADMIN_A], items, 1, T0, f.last.b, sizeof f.last.b, &f.last.n),
        KITH_OK);
    assert_offer(f.view, span_of(&f.last), KITH_OFFER_NEW);
    assert_int_equal(standing(ANNA), KITH_STANDING_LEFT);
    assert_true(is_member(BERT));
    assert_true(is_member(CARL)); /* another signer's */
    /* whoever is certified after the list is in again */
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0 + 1), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
    assert_offer(f.view, cert(&f, ADMIN_A, DORA, T0), KITH_OFFER_NEW);
    assert_true(is_member(DORA));
}

/* What `who` says of its certificate: that it left. */
static struct kith_span leaving(unsigned who, uint64_t serial, uint64_t number)
{
    assert_int_equal(kith_issue_leave(&f.who[who], &f.network, serial, number, T0, f.last.b,
                                      sizeof f.last.b, &f.last.n),
                     KITH_OK);
    return span_of(&f.last);
}

static void who_says_so_itself_has_left(void **state)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_offer(f.view, leaving(ANNA, serial + 7, T0), KITH_OFFER_NEW);
    assert_true(is_member(ANNA)); /* of another certificate */
    assert_no_effect();
    assert_offer(f.view, leaving(ANNA, serial, T0 + 1), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_GONE, ANNA);
    assert_int_equal(standing(ANNA), KITH_STANDING_LEFT);
    /* and is back with the next */
    assert_offer(f.view, cert(&f, ADMIN_B, ANNA, T0 + 1), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
}

static void a_leave_that_comes_before_its_certificate_counts_once_it_is_here(void **state)
{
    struct bytes c;

    (void)state;
    found(&f);
    uint64_t serial = f.issuer[ADMIN_A].next_serial;
    cert(&f, ADMIN_A, ANNA, T0);
    c = f.last;
    assert_offer(f.view, leaving(ANNA, serial, T0), KITH_OFFER_PENDING);
    assert_offer(f.view, span_of(&c), KITH_OFFER_NEW);
    assert_int_equal(standing(ANNA), KITH_STANDING_LEFT);
}

static void nobody_says_of_another_that_it_left(void **state)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;
    struct kith_issuer anna = {
        .signer = &f.who[ANNA], .network = f.network, .next_serial = 9, .last_serial = 99};
    struct kith_new_revocation bert = {
        .peer = f.who[BERT].id, .serials = &serial, .n = 1, .reason = kith_span_text("left")};

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_int_equal(kith_issue_revocation(&anna, &bert, T0, f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_OK);
    assert_offer(f.view, span_of(&f.last), KITH_OFFER_PENDING); /* she may become an admin */
    assert_true(is_member(BERT));
    assert_refused(f.view, leaving(ANNA, serial, T0 + 301), KITH_E_REFUSED, "future");
}

static void a_leave_names_certificates_and_nothing_else(void **state)
{
    uint64_t serial = f.issuer[ROOT].next_serial;
    struct kith_issuer self = {
        .signer = &f.who[ADMIN_A], .network = f.network, .next_serial = 9, .last_serial = 99};
    struct kith_new_revocation all = {.peer = f.who[ADMIN_A].id};
    struct kith_new_revocation stands = {
        .peer = f.who[ADMIN_A].id, .serials = &serial, .n = 1, .stands_to = 5};

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ROOT, ADMIN_A, T0), KITH_OFFER_NEW);
    assert_int_equal(kith_issue_revocation(&self, &all, T0, f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_OK);
    assert_refused(f.view, span_of(&f.last), KITH_E_REFUSED, "names its certificates");
    assert_int_equal(
        kith_issue_revocation(&self, &stands, T0, f.last.b, sizeof f.last.b, &f.last.n), KITH_OK);
    assert_refused(f.view, span_of(&f.last), KITH_E_REFUSED, "only the root");
    assert_true(is_member(ADMIN_A));
    /* an admin that leaves keeps its office until the root takes it */
    assert_offer(f.view, leaving(ADMIN_A, serial, T0), KITH_OFFER_NEW);
    assert_int_equal(standing(ADMIN_A), KITH_STANDING_LEFT);
    assert_true(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0));
}

static void a_leave_forged_with_another_key_changes_nothing(void **state)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    (void)leaving(ANNA, serial, T0);
    f.last.b[f.last.n - 1] ^= 1;
    assert_refused(f.view, span_of(&f.last), KITH_E_AUTH, "");
    assert_true(is_member(ANNA));
}

/* ---- another range ---- */

static struct kith_span network_of_range(const char *range, uint64_t number)
{
    struct kith_prefix p;

    assert_int_equal(kith_prefix_parse(range, &p), KITH_OK);
    assert_int_equal(kith_issue_network(&f.who[ROOT], kith_span_text("home"), &p, T0, number, T0,
                                        f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_OK);
    return span_of(&f.last);
}

static size_t objects_held(const struct kith_netview *v)
{
    size_t at = 0, n = 0;

    while (kith_netview_next_object(v, &at) != NULL)
        n++;
    return n;
}

/* Found by fuzzing (object_structured): whoever heard of the new range last kept those outside it.
 */
static void what_is_outside_a_new_range_counts_no_more_whichever_came_first(void **state)
{
    struct kith_netview *v = new_view(&f, NULL);

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ROOT, BERT, T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, network_of_range("100.90.0.0/16", T0 + 1), KITH_OFFER_NEW);
    assert_false(is_member(ANNA));
    assert_false(is_member(BERT));
    assert_false(kith_netview_is_signer(f.view, &f.who[ADMIN_A].id, T0));
    assert_int_equal(objects_held(f.view), 1);

    assert_offer(v, network_of_range("100.90.0.0/16", T0 + 1), KITH_OFFER_NEW);
    assert_refused(v, cert(&f, ROOT, BERT, T0), KITH_E_REFUSED, "range");
    assert_refused(v, admin_object(&f, ADMIN_A), KITH_E_REFUSED, "range");
    assert_offer(v, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_PENDING);
    assert_int_equal(objects_held(v), 1);
    kith_netview_free(v);

    /* and back: what was dropped may be offered again */
    assert_offer(f.view, network_of_range("100.77.0.0/16", T0 + 2), KITH_OFFER_NEW);
    assert_offer(f.view, admin_object(&f, ADMIN_A), KITH_OFFER_NEW);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
}

/* ---- endpoints ---- */

static void only_a_member_says_where_it_is(void **state)
{
    struct kith_member m;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_offer(f.view, endpoints(&f, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ENDPOINTS, ANNA);
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0, &m));
    assert_non_null(m.endpoints);
    assert_int_equal(m.endpoints->endpoints.addrs.n, 1);
    assert_true(kith_netview_member(f.view, &f.who[ANNA].id, T0 + 3600, &m));
    assert_null(m.endpoints); /* out of date */

    assert_offer(f.view, endpoints(&f, BERT, T0), KITH_OFFER_PENDING);
    assert_offer(f.view, revocation(&f, ADMIN_A, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    assert_refused(f.view, endpoints(&f, ANNA, T0 + 1), KITH_E_REFUSED, "no member");
}

/* So that the store lets go of it, too: also of one that had expired, and does not go a second
 * time. */
static void where_one_was_is_told_when_it_counts_no_more(void **state)
{
    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(f.view, endpoints(&f, ANNA, T0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ADDED, ANNA);
    assert_effect(KITH_CHANGE_ENDPOINTS, ANNA);
    kith_netview_tick(f.view, T0 + KITH_CERT_VALID);
    assert_effect(KITH_CHANGE_GONE, ANNA);
    assert_no_effect();
    assert_offer(f.view, revocation(&f, ADMIN_A, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    assert_effect(KITH_CHANGE_ENDPOINTS, ANNA);
    assert_no_effect();
}

/* ---- order and names ---- */

static void objects_that_come_before_their_proof_wait_for_it(void **state)
{
    struct kith_span s;
    size_t n = 0;

    (void)state;
    assert_offer(f.view, endpoints(&f, ANNA, T0), KITH_OFFER_PENDING);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_PENDING);
    assert_offer(f.view, span_of(&f.last), KITH_OFFER_PENDING);
    assert_offer(f.view, admin_object(&f, ADMIN_A), KITH_OFFER_PENDING);
    assert_false(is_member(ANNA));
    assert_offer(f.view, network_object(&f), KITH_OFFER_NEW);
    assert_true(is_member(ANNA));
    while (kith_netview_next_new(f.view, &s))
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(objects_held(f.view), 4);
}

static void the_waiting_room_is_bounded_and_the_oldest_gives_way(void **state)
{
    struct kith_netview *v = new_view(&f, &(struct kith_netview_limits){.pending = 2});
    enum kith_offer got;

    (void)state;
    assert_offer(v, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_PENDING);
    assert_offer(v, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_PENDING);
    assert_offer(v, cert(&f, ADMIN_A, CARL, T0), KITH_OFFER_PENDING);
    assert_int_equal(kith_netview_offer(v, network_object(&f), T0, &got, NULL), KITH_OK);
    assert_int_equal(kith_netview_offer(v, admin_object(&f, ADMIN_A), T0, &got, NULL), KITH_OK);
    assert_false(kith_netview_is_member(v, &f.who[ANNA].id, T0));
    assert_true(kith_netview_is_member(v, &f.who[BERT].id, T0));
    assert_true(kith_netview_is_member(v, &f.who[CARL].id, T0));
    kith_netview_free(v);
}

static void a_full_view_refuses_more_members_unless_one_is_past(void **state)
{
    struct kith_netview *v = new_view(&f, &(struct kith_netview_limits){.members = 2});
    struct kith_netview_effect fx;
    enum kith_offer got;

    (void)state;
    assert_offer(v, network_object(&f), KITH_OFFER_NEW);
    assert_offer(v, admin_object(&f, ADMIN_A), KITH_OFFER_NEW);
    assert_offer(v, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(v, cert(&f, ADMIN_A, BERT, T0), KITH_OFFER_NEW);
    assert_refused(v, cert(&f, ADMIN_A, CARL, T0), KITH_E_FULL, "full");
    assert_offer(v, revocation(&f, ADMIN_A, ANNA, NULL, 0, 0), KITH_OFFER_NEW);
    while (kith_netview_next_effect(v, &fx))
        ;
    assert_int_equal(kith_netview_offer(v, cert(&f, ADMIN_A, CARL, T0), T0, &got, NULL), KITH_OK);
    assert_true(kith_netview_is_member(v, &f.who[CARL].id, T0));
    assert_int_equal(kith_netview_standing(v, &f.who[ANNA].id, T0), KITH_STANDING_NONE);
    kith_netview_free(v);
}

static void of_two_equal_names_the_later_admins_gets_a_number_and_keeps_it(void **state)
{
    struct kith_member m;

    (void)state;
    found(&f);
    assert_offer(f.view, cert_named(&f, ADMIN_B, BERT, "nas", T0), KITH_OFFER_NEW);
    assert_true(kith_netview_by_name(f.view, kith_span_text("nas"), T0, &m));
    assert_offer(f.view, cert_named(&f, ADMIN_A, ANNA, "nas", T0), KITH_OFFER_NEW);
    assert_offer(f.view, cert_named(&f, ADMIN_A, CARL, "nas-2", T0), KITH_OFFER_NEW);
    assert_true(kith_netview_by_name(f.view, kith_span_text("nas"), T0, &m));
    assert_true(kith_peer_id_equal(&m.peer, &f.who[ANNA].id));
    assert_true(kith_netview_by_name(f.view, kith_span_text("nas-2"), T0, &m));
    assert_true(kith_peer_id_equal(&m.peer, &f.who[CARL].id)); /* it was signed so */
    assert_true(kith_netview_by_name(f.view, kith_span_text("nas-3"), T0, &m));
    assert_true(kith_peer_id_equal(&m.peer, &f.who[BERT].id));
    /* a renewal renames nobody */
    assert_offer(f.view, cert_named(&f, ADMIN_A, ANNA, "nas", T0 + 100), KITH_OFFER_NEW);
    assert_true(kith_netview_by_name(f.view, kith_span_text("nas-3"), T0, &m));
    assert_true(kith_peer_id_equal(&m.peer, &f.who[BERT].id));
}

static void the_digest_tells_what_another_view_lacks(void **state)
{
    struct kith_netview *v = new_view(&f, NULL);
    struct kith_digest_item item;
    size_t at = 0, lacking = 0;

    (void)state;
    found(&f);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    assert_offer(v, network_object(&f), KITH_OFFER_NEW);
    while (kith_netview_next_digest(f.view, &at, T0, &item)) {
        lacking += kith_netview_lacks(v, &item, T0);
        assert_false(kith_netview_lacks(f.view, &item, T0));
        const struct kith_object *o = kith_netview_find(f.view, &item.key);
        assert_non_null(o);
        assert_int_equal(o->env.number, item.number);
    }
    assert_int_equal(lacking, 3);
    kith_netview_free(v);
}

static struct kith_holdings holdings(struct kith_netview *v)
{
    struct kith_holdings ret;

    assert_int_equal(kith_netview_holdings(v, T0, &ret), KITH_OK);
    return ret;
}

/* Spec objects 7, laid out by hand for one object. */
static void holdings_are_the_hash_of_keys_and_numbers(void **state)
{
    const char text[] = "kith holdings v1";
    uint8_t bytes[16 + 32 + 16 + 8];
    struct kith_digest_item item;
    struct kith_hash right;
    size_t at = 0;

    (void)state;
    assert_offer(f.view, network_object(&f), KITH_OFFER_NEW);
    assert_true(kith_netview_next_digest(f.view, &at, T0, &item));
    memcpy(bytes, text, 16);
    memcpy(bytes + 16, kith_netview_id(f.view)->b, 32);
    memcpy(bytes + 48, item.key.b, 16);
    for (int i = 0; i < 8; i++)
        bytes[64 + i] = (uint8_t)(item.number >> (56 - 8 * i));
    assert_int_equal(kith_sha256((struct kith_span){bytes, sizeof bytes}, &right), KITH_OK);
    struct kith_holdings h = holdings(f.view);
    assert_memory_equal(h.b, right.b, 32);
}

static void holdings_change_with_every_object_whatever_the_order(void **state)
{
    struct kith_netview *v = new_view(&f, NULL);

    (void)state;
    found(&f);
    struct kith_holdings before = holdings(f.view);
    assert_offer(f.view, cert(&f, ADMIN_A, ANNA, T0), KITH_OFFER_NEW);
    struct kith_holdings with = holdings(f.view);
    assert_false(kith_holdings_equal(&before, &with));
    assert_offer(f.view, span_of(&f.last), KITH_OFFER_KNOWN);
    struct kith_holdings again = holdings(f.view);
    assert_true(kith_holdings_equal(&with, &again));
    /* another view that is told the same in another order has the same */
    struct kith_digest_item item[16];
    size_t n = 0;
    for (size_t at = 0; n < 16 && kith_netview_next_digest(f.view, &at, T0, &item[n]);)
        n++;
    while (objects_held(v) < n)
        for (size_t i = n; i-- > 0;)
            assert_true(kith_netview_offer(v, kith_netview_find(f.view, &item[i].key)->bytes, T0,
                                           &(enum kith_offer){0}, NULL) >= 0);
    struct kith_holdings there = holdings(v);
    assert_true(kith_holdings_equal(&with, &there));
    kith_netview_free(v);
}

/* ---- memory ---- */

struct failing {
    size_t left;
};

static void *fail_after(void *ctx, void *p, size_t n)
{
    struct failing *fail = ctx;

    if (n > 0 && fail->left-- == 0) {
        fail->left = 0;
        return NULL;
    }
    return kith_heap.resize(kith_heap.ctx, p, n);
}

/* Builds a small network; stops at the first error. */
static int small_network(struct kith_netview *v, const struct bytes *objects, size_t n)
{
    enum kith_offer got;
    int err = KITH_OK;

    for (size_t i = 0; i < n && err == KITH_OK; i++)
        err = kith_netview_offer(v, span_of(&objects[i]), T0, &got, NULL);
    return err;
}

static void every_failed_allocation_is_reported_and_can_be_made_good(void **state)
{
    static struct bytes objects[6];
    size_t n = 0;

    (void)state;
    cert(&f, ADMIN_A, ANNA, T0);
    objects[n++] = f.last;
    network_object(&f);
    objects[n++] = f.last;
    admin_object(&f, ADMIN_A);
    objects[n++] = f.last;
    endpoints(&f, ANNA, T0);
    objects[n++] = f.last;
    revocation(&f, ADMIN_A, BERT, NULL, 0, 0);
    objects[n++] = f.last;
    cert(&f, ADMIN_A, ANNA, T0 + 1);
    objects[n++] = f.last;

    bool finished = false, judged = false;
    struct kith_holdings whole = {{0}};
    for (size_t allowed = 0; !finished; allowed++) {
        struct failing fail = {.left = allowed};
        struct kith_alloc alloc = {.resize = fail_after, .ctx = &fail};
        struct kith_env env = {.alloc = &alloc, .random = &f.random};
        struct kith_netview *v = NULL;
        int err = kith_netview_new(&env, &f.network, &f.who[ANNA].id, NULL, &v);
        if (err == KITH_OK)
            err = small_network(v, objects, n);
        if (err == KITH_OK)
            err = kith_netview_holdings(v, T0, &(struct kith_holdings){{0}});
        finished = err == KITH_OK;
        if (!finished)
            assert_int_equal(err, KITH_E_NOMEM);
        fail.left = SIZE_MAX;
        if (v != NULL) {
            assert_int_equal(small_network(v, objects, n), KITH_OK);
            assert_true(kith_netview_is_member(v, &f.who[ANNA].id, T0));
            struct kith_holdings h = holdings(v);
            assert_true(!judged || kith_holdings_equal(&h, &whole));
            whole = h;
            judged = true;
        }
        kith_netview_free(v);
        assert_true(allowed < 200);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_certificate_of_the_root_or_an_admin_makes_a_member),
        T(the_same_object_again_is_known_and_an_older_one_stale),
        T(a_member_sees_that_its_certificate_ends_and_begins),
        T(changes_nobody_was_told_of_are_told_as_one),
        T(a_stranger_vouches_for_nobody),
        T(one_changed_bit_is_refused),
        T(an_admin_is_held_to_its_block_and_its_serials),
        T(only_the_root_appoints_admins),
        T(numbers_and_times_from_the_future_are_refused),
        T(an_object_of_another_network_is_refused),
        T(an_admin_revokes_a_member_whoever_certified_it),
        T(a_revocation_of_one_serial_leaves_the_next_certificate_alone),
        T(a_later_revocation_by_another_takes_nothing_back),
        T(an_admin_cannot_revoke_an_admin_in_whatever_order_it_comes),
        T(what_a_revoked_admin_signed_stands_up_to_the_serial_the_root_names),
        T(revoking_one_certificate_of_an_admin_leaves_its_office),
        T(an_admins_office_ends_with_its_time_but_not_what_it_signed),
        T(who_is_missing_from_its_signers_list_has_left),
        T(who_says_so_itself_has_left),
        T(a_leave_that_comes_before_its_certificate_counts_once_it_is_here),
        T(nobody_says_of_another_that_it_left),
        T(a_leave_names_certificates_and_nothing_else),
        T(a_leave_forged_with_another_key_changes_nothing),
        T(what_is_outside_a_new_range_counts_no_more_whichever_came_first),
        T(only_a_member_says_where_it_is),
        T(where_one_was_is_told_when_it_counts_no_more),
        T(objects_that_come_before_their_proof_wait_for_it),
        T(the_waiting_room_is_bounded_and_the_oldest_gives_way),
        T(a_full_view_refuses_more_members_unless_one_is_past),
        T(of_two_equal_names_the_later_admins_gets_a_number_and_keeps_it),
        T(the_digest_tells_what_another_view_lacks),
        T(holdings_are_the_hash_of_keys_and_numbers),
        T(holdings_change_with_every_object_whatever_the_order),
        T(every_failed_allocation_is_reported_and_can_be_made_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
