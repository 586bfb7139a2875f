/* Tickets: one use per peer, as many peers as uses, and the same answer to the same peer. */

#include "property/store_lab.h"

#include "store/network.h"
#include "store/ticket.h"

static const kith_wall EXPIRES = 5000;
enum { TICKET = 0x11, NETWORK = 1, ANN = 0xa1, BOB = 0xb0 };

static uint8_t ticket_id[16];

static struct kith_store_ticket ticket(unsigned uses)
{
    struct kith_store_ticket t = {.name = "laptop",
                                  .groups = kith_span_text("family"),
                                  .expires = EXPIRES,
                                  .uses_left = uses,
                                  .created = 1000};
    store_lab_id(t.id, sizeof t.id, TICKET);
    store_lab_id(t.network, sizeof t.network, NETWORK);
    store_lab_id(t.secret, sizeof t.secret, 0x5e);
    return t;
}

static struct kith_store *with_ticket(void **state, unsigned uses)
{
    struct kith_store *s = store_lab_memory(*state);
    struct kith_store_ticket t = ticket(uses);

    store_lab_id(ticket_id, sizeof ticket_id, TICKET);
    store_lab_network(s, NETWORK);
    assert_int_equal(kith_store_ticket_add(s, &t), KITH_OK);
    return s;
}

static struct kith_store_ticket_use use_of(unsigned peer, const char *cert, kith_wall at)
{
    struct kith_store_ticket_use u = {.cert = kith_span_text(cert), .serial = 40, .at = at};

    store_lab_id(u.peer, sizeof u.peer, peer);
    return u;
}

/* What a node does for a peer that shows the ticket: the certificate kept for it, or a new one. */
static int enrol(struct kith_store *s, unsigned peer, const char *new_cert, kith_wall at,
                 struct kith_span *ret_cert)
{
    struct kith_store_ticket_use u = use_of(peer, new_cert, at), known;

    int err = kith_store_begin(s);
    assert_int_equal(err, KITH_OK);
    err = kith_store_ticket_use_get(s, ticket_id, u.peer, &known);
    if (err == KITH_OK) {
        kith_store_rollback(s);
        *ret_cert = known.cert;
        return err;
    }
    assert_int_equal(err, KITH_E_NOTFOUND);
    err = kith_store_ticket_use_record(s, ticket_id, &u);
    if (err < 0) {
        kith_store_rollback(s);
        return err;
    }
    *ret_cert = u.cert;
    return kith_store_commit(s);
}

static unsigned uses_left(struct kith_store *s)
{
    struct kith_store_ticket t;

    assert_int_equal(kith_store_ticket_get(s, ticket_id, &t), KITH_OK);
    return t.uses_left;
}

static void a_ticket_comes_back_as_it_was_added(void **state)
{
    struct kith_store *s = with_ticket(state, 3);
    struct kith_store_ticket want = ticket(3), got;

    assert_int_equal(kith_store_ticket_get(s, ticket_id, &got), KITH_OK);
    assert_memory_equal(got.id, want.id, sizeof want.id);
    assert_memory_equal(got.network, want.network, sizeof want.network);
    assert_memory_equal(got.secret, want.secret, sizeof want.secret);
    assert_string_equal(got.name, "laptop");
    assert_true(kith_span_equal(got.groups, want.groups));
    assert_int_equal(got.expires, EXPIRES);
    assert_int_equal(got.uses_left, 3);
    assert_int_equal(got.created, 1000);
    kith_store_close(s);
}

static void an_id_is_added_once_and_for_a_known_network_only(void **state)
{
    struct kith_store *s = with_ticket(state, 1);
    struct kith_store_ticket t = ticket(9);

    assert_int_equal(kith_store_ticket_add(s, &t), KITH_E_EXISTS);
    assert_int_equal(uses_left(s), 1);
    store_lab_id(t.id, sizeof t.id, 2);
    store_lab_id(t.network, sizeof t.network, 77);
    assert_int_equal(kith_store_ticket_add(s, &t), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static void the_last_use_goes_to_the_first_peer_and_the_second_is_refused(void **state)
{
    struct kith_store *s = with_ticket(state, 1);
    struct kith_span cert;

    assert_int_equal(enrol(s, ANN, "for ann", 2000, &cert), KITH_OK);
    assert_int_equal(enrol(s, BOB, "for bob", 2000, &cert), KITH_E_USED);
    assert_int_equal(uses_left(s), 0);
    kith_store_close(s);
}

static void the_same_peer_gets_the_same_certificate_and_spends_nothing(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_span cert;

    assert_int_equal(enrol(s, ANN, "the first", 2000, &cert), KITH_OK);
    assert_int_equal(enrol(s, ANN, "a second", 2001, &cert), KITH_OK);
    assert_true(kith_span_equal(cert, kith_span_text("the first")));
    assert_int_equal(uses_left(s), 1);
    kith_store_close(s);
}

static void recording_a_peer_twice_is_refused_and_spends_nothing(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_store_ticket_use u = use_of(ANN, "first", 2000), again = use_of(ANN, "x", 2001);

    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &u), KITH_OK);
    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &again), KITH_E_EXISTS);
    assert_int_equal(kith_store_commit(s), KITH_OK); /* a refusal spoils no transaction */
    assert_int_equal(uses_left(s), 1);
    kith_store_close(s);
}

static void a_certificate_is_replaced_for_who_has_one_and_spends_nothing(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_store_ticket_use u = use_of(ANN, "first", 2000), again = use_of(ANN, "x", 2001),
                                 other = use_of(BOB, "y", 2001), got;

    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &u), KITH_OK);
    assert_int_equal(kith_store_ticket_use_replace(s, ticket_id, &other), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_ticket_use_replace(s, ticket_id, &again), KITH_OK);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    assert_int_equal(kith_store_ticket_use_get(s, ticket_id, u.peer, &got), KITH_OK);
    assert_true(kith_span_equal(got.cert, kith_span_text("x")));
    assert_int_equal(got.at, 2001);
    assert_int_equal(uses_left(s), 1);
    kith_store_close(s);
}

static void a_use_without_a_transaction_is_refused(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_store_ticket_use u = use_of(ANN, "x", 2000);

    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &u), KITH_E_STATE);
    assert_int_equal(uses_left(s), 2);
    kith_store_close(s);
}

static void a_use_that_was_rolled_back_never_was(void **state)
{
    struct kith_store *s = with_ticket(state, 1);
    struct kith_store_ticket_use u = use_of(ANN, "x", 2000), got;

    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &u), KITH_OK);
    kith_store_rollback(s);
    assert_int_equal(uses_left(s), 1);
    assert_int_equal(kith_store_ticket_use_get(s, ticket_id, u.peer, &got), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static void a_ticket_is_good_until_the_second_before_it_expires(void **state)
{
    struct kith_store *s = with_ticket(state, 5);
    struct kith_span cert;

    assert_int_equal(enrol(s, ANN, "x", EXPIRES, &cert), KITH_E_EXPIRED);
    assert_int_equal(enrol(s, ANN, "x", EXPIRES - 1, &cert), KITH_OK);
    kith_store_close(s);
}

static void an_unknown_ticket_and_an_impossible_use_are_refused(void **state)
{
    struct kith_store *s = with_ticket(state, 5);
    struct kith_store_ticket_use u = use_of(ANN, "x", 2000);
    uint8_t other[16] = {0};

    assert_int_equal(kith_store_begin(s), KITH_OK);
    assert_int_equal(kith_store_ticket_use_record(s, other, &u), KITH_E_NOTFOUND);
    u.serial = KITH_STORE_INT_MAX + 1;
    assert_int_equal(kith_store_ticket_use_record(s, ticket_id, &u), KITH_E_INVAL);
    assert_int_equal(kith_store_commit(s), KITH_OK);
    assert_int_equal(uses_left(s), 5);
    kith_store_close(s);
}

static void expired_tickets_go_with_their_uses_and_others_stay(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_store_ticket later = ticket(1), got;
    struct kith_store_ticket_use use = use_of(ANN, "", 0);
    struct kith_span cert;
    uint64_t removed = 9;

    later.id[0] = 0x22;
    later.expires = EXPIRES + 1;
    assert_int_equal(kith_store_ticket_add(s, &later), KITH_OK);
    assert_int_equal(enrol(s, ANN, "x", 2000, &cert), KITH_OK);
    assert_int_equal(kith_store_ticket_remove_expired(s, EXPIRES - 1, &removed), KITH_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(kith_store_ticket_remove_expired(s, EXPIRES, &removed), KITH_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(kith_store_ticket_get(s, ticket_id, &got), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_ticket_use_get(s, ticket_id, use.peer, &use), KITH_E_NOTFOUND);
    assert_int_equal(kith_store_ticket_get(s, later.id, &got), KITH_OK);
    assert_int_equal(kith_store_ticket_remove(s, later.id), KITH_OK);
    assert_int_equal(kith_store_ticket_remove(s, later.id), KITH_E_NOTFOUND);
    kith_store_close(s);
}

static int count_ticket(void *ctx, const struct kith_store_ticket *t)
{
    assert_int_equal(t->network[0], NETWORK);
    ++*(int *)ctx;
    return 0;
}

static int check_use(void *ctx, const struct kith_store_ticket_use *u)
{
    int *n = ctx;

    assert_int_equal(u->peer[0], *n == 0 ? BOB : ANN); /* bob came first */
    assert_int_equal(u->serial, 40);
    ++*n;
    return 0;
}

static void tickets_and_uses_are_listed_oldest_first(void **state)
{
    struct kith_store *s = with_ticket(state, 2);
    struct kith_store_ticket t = ticket(1);
    struct kith_span cert;
    int tickets = 0, uses = 0;

    assert_int_equal(enrol(s, ANN, "a", 2001, &cert), KITH_OK);
    assert_int_equal(enrol(s, BOB, "b", 2000, &cert), KITH_OK);
    assert_int_equal(kith_store_ticket_list(s, t.network, count_ticket, &tickets), KITH_OK);
    assert_int_equal(tickets, 1);
    assert_int_equal(kith_store_ticket_use_list(s, t.id, check_use, &uses), KITH_OK);
    assert_int_equal(uses, 2);
    kith_store_close(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, store_lab_setup, store_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(a_ticket_comes_back_as_it_was_added),
        T(an_id_is_added_once_and_for_a_known_network_only),
        T(the_last_use_goes_to_the_first_peer_and_the_second_is_refused),
        T(the_same_peer_gets_the_same_certificate_and_spends_nothing),
        T(recording_a_peer_twice_is_refused_and_spends_nothing),
        T(a_certificate_is_replaced_for_who_has_one_and_spends_nothing),
        T(a_use_without_a_transaction_is_refused),
        T(a_use_that_was_rolled_back_never_was),
        T(a_ticket_is_good_until_the_second_before_it_expires),
        T(an_unknown_ticket_and_an_impossible_use_are_refused),
        T(expired_tickets_go_with_their_uses_and_others_stay),
        T(tickets_and_uses_are_listed_oldest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
