/* Signed objects: bytes made by another implementation, and every way to spoil them. */
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

/* A REVOCATION written byte by byte in Python after docs/spec/objects.md and signed repeatably with
 * dilithium-py by the key of seed 00 … 1f; this is the SHA-256 of all its 3448 bytes. */
static const char foreign_object[] =
    "f0e9d2573c3ad263de57748f0bb394583e9b885aff3b6b6438b23532ac5ec91c";

static void an_object_is_byte_for_byte_what_another_implementation_makes(void **state)
{
    struct kith_sign_seed seed;
    struct kith_identity signer;
    struct kith_hash h;
    uint64_t serial = 7;
    struct kith_new_revocation r = {.serials = &serial, .n = 1, .reason = kith_span_text("lost")};
    char text[65];

    (void)state;
    for (size_t i = 0; i < sizeof seed.b; i++)
        seed.b[i] = (uint8_t)i;
    memset(r.peer.b, 0xcc, sizeof r.peer.b);
    assert_int_equal(kith_identity_from_seed(&kith_heap, &seed, &signer), KITH_OK);
    struct kith_issuer is = {.signer = &signer, .next_serial = 9, .last_serial = 9};
    memset(is.network.b, 0xaa, sizeof is.network.b);
    assert_int_equal(kith_issue_revocation(&is, &r, T0, f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_OK);
    assert_int_equal(f.last.n, 3448);
    assert_int_equal(kith_sha256(span_of(&f.last), &h), KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(h), text, sizeof text), foreign_object);
    assert_int_equal(is.next_serial, 10);
    assert_int_equal(kith_issue_revocation(&is, &r, T0, f.last.b, sizeof f.last.b, &f.last.n),
                     KITH_E_FULL);
    kith_identity_fini(&signer);
}

/* Computed in Python after docs/spec/objects.md 4.1. */
static void keys_are_those_of_an_independent_computation(void **state)
{
    struct kith_network_id network;
    struct kith_peer_id signer, peer;
    struct kith_object_key key;
    char text[33];

    (void)state;
    memset(network.b, 0xaa, sizeof network.b);
    memset(peer.b, 0xcc, sizeof peer.b);
    signer = f.who[ROOT].id;
    assert_int_equal(kith_object_key_of(&network, KITH_OBJECT_member_body, &signer, &peer, &key),
                     KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(key), text, sizeof text),
                        "f464b39a0b9efec0a9fd64dd75cbd512");
    assert_int_equal(kith_object_key_of(&network, KITH_OBJECT_endpoints_body, &peer, &peer, &key),
                     KITH_OK);
    assert_string_equal(kith_hex_text(KITH_SPAN_OF(key), text, sizeof text),
                        "fa8955a070cf95cefc86cbaa40d45b97");
}

static void a_certificate_opens_and_verifies_by_its_signer_only(void **state)
{
    struct kith_object o;

    (void)state;
    assert_int_equal(kith_object_open(cert(&f, ADMIN_A, ANNA, T0), &o), KITH_OK);
    assert_int_equal(o.env.kind, KITH_OBJECT_member_body);
    assert_true(kith_peer_id_equal(&o.member.peer, &f.who[ANNA].id));
    assert_true(kith_span_equal(o.member.name, kith_span_text("anna")));
    assert_int_equal(o.member.not_after, T0 + KITH_CERT_VALID);
    assert_int_equal(kith_object_verify(&o, &f.who[ADMIN_A].pub), KITH_OK);
    assert_int_equal(kith_object_verify(&o, &f.who[ADMIN_B].pub), KITH_E_AUTH);
    assert_true(f.last.n <= KITH_CERT_MAX);
}

static void structure_is_judged_on_opening(void **state)
{
    struct kith_object o;
    struct bytes good;

    (void)state;
    cert(&f, ADMIN_A, ANNA, T0);
    good = f.last;
    for (size_t n = 0; n < good.n; n += 7)
        assert_true(kith_object_open((struct kith_span){good.b, n}, &o) < 0);
    good.b[0] = 2;
    assert_int_equal(kith_object_open(span_of(&good), &o), KITH_E_VERSION);
    good.b[0] = 1;
    good.b[1] = 99;
    assert_int_equal(kith_object_open(span_of(&good), &o), KITH_E_VERSION);
    good.b[1] = KITH_OBJECT_member_body;
    good.b[KITH_OBJECT_HEAD] ^= 1; /* the peer, which no longer is the hash of the key shown */
    assert_int_equal(kith_object_open(span_of(&good), &o), KITH_E_MALFORMED);
    good.b[KITH_OBJECT_HEAD] ^= 1;
    assert_int_equal(kith_object_open(span_of(&good), &o), KITH_OK);
    good.b[good.n++] = 0;
    assert_int_equal(kith_object_open(span_of(&good), &o), KITH_E_MALFORMED);
}

static void a_subnet_is_a_prefix_and_not_none(void **state)
{
    uint8_t good[] = {4, 10, 1, 0, 0, 16}, none[] = {0, 0};
    struct kith_new_member m = {.key = f.who[ANNA].pub,
                                .name = kith_span_text("anna"),
                                .ip4 = kith_ip4(100, 77, 16, 1),
                                .subnets = {KITH_SPAN_OF(good), 1},
                                .number = T0};
    struct kith_object o;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            kith_issue_member(&f.issuer[ADMIN_A], &m, T0, f.last.b, sizeof f.last.b, &f.last.n),
            KITH_OK);
        assert_int_equal(kith_object_open(span_of(&f.last), &o),
                         i == 0 ? KITH_OK : KITH_E_MALFORMED);
        m.subnets = (struct kith_records){KITH_SPAN_OF(none), 1};
    }
}

static void a_list_of_members_is_in_order_and_names_nobody_twice(void **state)
{
    struct kith_member_item items[PEOPLE];
    struct kith_object_head head = {
        .kind = KITH_OBJECT_members_body, .network = f.network, .number = 50, .issued = T0};
    struct kith_object o;
    uint8_t body[2 + 2 * 40];

    (void)state;
    for (size_t i = 0; i < PEOPLE; i++)
        items[i] = (struct kith_member_item){f.who[i].id, i};
    f.issuer[ROOT].next_serial = 50;
    assert_int_equal(kith_issue_members(&f.issuer[ROOT], items, PEOPLE, T0, f.last.b,
                                        sizeof f.last.b, &f.last.n),
                     KITH_OK);
    assert_int_equal(kith_object_open(span_of(&f.last), &o), KITH_OK);
    assert_int_equal(o.members.members.n, PEOPLE);
    items[1] = items[0];
    assert_int_equal(kith_issue_members(&f.issuer[ROOT], items, PEOPLE, T0, f.last.b,
                                        sizeof f.last.b, &f.last.n),
                     KITH_E_INVAL);

    /* a signer that doesn't sort, or lists a serial of the future, is refused on opening */
    struct kith_member_item low = {{{1}}, 49}, high = {{{2}}, 49}, late = {{{3}}, 50};
    struct kith_member_item pairs[][2] = {{low, high}, {high, low}, {low, low}, {low, late}};
    for (size_t i = 0; i < KITH_COUNT(pairs); i++) {
        struct kith_writer w = kith_writer_on(body, sizeof body);
        kith_put_u16(&w, 2);
        kith_member_item_put(&w, &pairs[i][0]);
        kith_member_item_put(&w, &pairs[i][1]);
        assert_int_equal(kith_object_sign(&f.who[ROOT], &head, KITH_SPAN_OF(body), f.last.b,
                                          sizeof f.last.b, &f.last.n),
                         KITH_OK);
        assert_int_equal(kith_object_open(span_of(&f.last), &o),
                         i == 0 ? KITH_OK : KITH_E_MALFORMED);
    }
}

static void the_higher_number_wins_and_at_equality_the_smaller_hash(void **state)
{
    struct kith_object a = {.env.number = 2, .hash = {{9}}}, b = {.env.number = 1, .hash = {{1}}};

    (void)state;
    assert_true(kith_object_beats(&a, &b));
    assert_false(kith_object_beats(&b, &a));
    b.env.number = 2;
    assert_true(kith_object_beats(&b, &a));
    assert_false(kith_object_beats(&a, &b));
    assert_false(kith_object_beats(&a, &a));
}

static void a_buffer_too_small_is_refused_without_using_a_serial(void **state)
{
    uint64_t before = f.issuer[ADMIN_A].next_serial;
    struct kith_new_member m = {.key = f.who[ANNA].pub,
                                .name = kith_span_text("anna"),
                                .ip4 = kith_ip4(100, 77, 16, 1),
                                .number = T0};
    size_t n = 77;

    (void)state;
    assert_int_equal(kith_issue_member(&f.issuer[ADMIN_A], &m, T0, f.last.b, 3000, &n),
                     KITH_E_LIMIT);
    m.name = kith_span_text("Anna!");
    assert_int_equal(kith_issue_member(&f.issuer[ADMIN_A], &m, T0, f.last.b, sizeof f.last.b, &n),
                     KITH_E_LIMIT);
    assert_int_equal(n, 77);
    assert_int_equal(f.issuer[ADMIN_A].next_serial, before);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_object_is_byte_for_byte_what_another_implementation_makes),
        T(keys_are_those_of_an_independent_computation),
        T(a_certificate_opens_and_verifies_by_its_signer_only),
        T(structure_is_judged_on_opening),
        T(a_subnet_is_a_prefix_and_not_none),
        T(a_list_of_members_is_in_order_and_names_nobody_twice),
        T(the_higher_number_wins_and_at_equality_the_smaller_hash),
        T(a_buffer_too_small_is_refused_without_using_a_serial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
