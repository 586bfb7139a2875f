/* Views of one network agree, in whatever order they heard of it. */
#include "../unit/identity_fixture.h"
#include "unit/base_lab.h"

#include <stdio.h>

static struct fixture f;
static struct lab_dice dice;

enum { OBJECTS = 24 };
static struct bytes object[OBJECTS];
static size_t n;

static void keep(struct kith_span s)
{
    assert_true(n < OBJECTS);
    kith_copy(object[n].b, s.p, s.n);
    object[n++].n = s.n;
}

/* A history with everything in it: renewals by others, revocations, an admin dismissed, a list. */
static void write_history(void)
{
    uint64_t serial = f.issuer[ADMIN_A].next_serial;
    struct kith_member_item item;

    keep(network_object(&f));
    keep(admin_object(&f, ADMIN_A));
    keep(admin_object(&f, ADMIN_B));
    keep(cert(&f, ADMIN_A, ANNA, T0 - 9));
    keep(cert(&f, ADMIN_A, BERT, T0 - 8));
    keep(cert(&f, ADMIN_B, BERT, T0 - 7));
    keep(cert(&f, ROOT, CARL, T0 - 6));
    item = (struct kith_member_item){f.who[BERT].id, f.issuer[ADMIN_B].next_serial - 1};
    keep(cert_named(&f, ADMIN_B, DORA, "anna", T0 - 5));
    assert_int_equal(
        kith_issue_members(&f.issuer[ADMIN_B], &item, 1, T0, f.last.b, sizeof f.last.b, &f.last.n),
        KITH_OK);
    keep(span_of(&f.last));
    keep(endpoints(&f, ANNA, T0));
    keep(endpoints(&f, BERT, T0));
    keep(endpoints(&f, ANNA, T0 + 1));
    keep(revocation(&f, ADMIN_A, CARL, NULL, 0, 0));
    keep(revocation(&f, ADMIN_A, ADMIN_B, NULL, 0, 0));
    keep(revocation(&f, ROOT, ADMIN_A, NULL, 0, serial));
    keep(cert(&f, ADMIN_A, DORA, T0));
    keep(cert(&f, ROOT, ANNA, T0 - 20));
}

static void keep_leave(unsigned who, uint64_t serial, uint64_t number)
{
    assert_int_equal(kith_issue_leave(&f.who[who], &f.network, serial, number, T0, f.last.b,
                                      sizeof f.last.b, &f.last.n),
                     KITH_OK);
    keep(span_of(&f.last));
}

/* Members that go: by their own word, with it after another's certificate came, after the office
 * of who certified them fell, and put out besides. */
static void write_farewells(void)
{
    uint64_t anna, bert, carl, dora, first = f.issuer[ADMIN_A].next_serial;
    struct kith_member_item item;

    keep(network_object(&f));
    keep(admin_object(&f, ADMIN_A));
    keep(admin_object(&f, ADMIN_B));
    anna = f.issuer[ROOT].next_serial;
    keep(cert(&f, ROOT, ANNA, T0 - 9));
    keep(endpoints(&f, ANNA, T0));
    keep_leave(ANNA, anna, T0 - 8);
    bert = f.issuer[ROOT].next_serial;
    keep(cert(&f, ROOT, BERT, T0 - 9));
    keep_leave(BERT, bert, T0 - 8);
    keep(cert(&f, ADMIN_B, BERT, T0 - 7)); /* it came back */
    keep(endpoints(&f, BERT, T0));
    carl = f.issuer[ROOT].next_serial;
    keep(cert(&f, ROOT, CARL, T0 - 9));
    keep_leave(CARL, carl, T0 - 8);
    keep(revocation(&f, ADMIN_B, CARL, &carl, 1, 0));
    dora = first;
    keep(cert(&f, ADMIN_A, DORA, T0 - 9));
    keep_leave(DORA, dora, T0 - 8);
    keep(endpoints(&f, DORA, T0));
    item = (struct kith_member_item){f.who[DORA].id, dora};
    f.issuer[ADMIN_A].next_serial++;
    assert_int_equal(
        kith_issue_members(&f.issuer[ADMIN_A], &item, 1, T0, f.last.b, sizeof f.last.b, &f.last.n),
        KITH_OK);
    keep(span_of(&f.last));
    keep(revocation(&f, ROOT, ADMIN_A, NULL, 0, first - 1)); /* nothing of A's stands */
}

static void shuffle(size_t order[OBJECTS])
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)kith_random_below(&dice.random, i), was = order[i - 1];
        order[i - 1] = order[j];
        order[j] = was;
    }
}

/* Offers everything until nothing is news: what gossip does. */
static struct kith_netview *told_in_random_order(void)
{
    struct kith_netview *v = new_view(&f, NULL);
    size_t order[OBJECTS];
    bool news = true;

    for (int round = 0; news; round++) {
        news = false;
        shuffle(order);
        for (size_t i = 0; i < n; i++) {
            enum kith_offer what;
            if (kith_netview_offer(v, span_of(&object[order[i]]), T0, &what, NULL) == KITH_OK)
                news |= what == KITH_OFFER_NEW;
        }
        assert_true(round < 20);
    }
    return v;
}

static void assert_same(struct kith_netview *a, struct kith_netview *b)
{
    struct kith_digest_item item;
    struct kith_holdings ha, hb;
    struct kith_member ma, mb;
    size_t at = 0, held = 0;

    assert_int_equal(kith_netview_holdings(a, T0, &ha), KITH_OK);
    assert_int_equal(kith_netview_holdings(b, T0, &hb), KITH_OK);
    assert_true(kith_holdings_equal(&ha, &hb));

    while (kith_netview_next_digest(a, &at, T0, &item)) {
        const struct kith_object *oa = kith_netview_find(a, &item.key);
        const struct kith_object *ob = kith_netview_find(b, &item.key);
        assert_non_null(ob);
        assert_memory_equal(oa->hash.b, ob->hash.b, sizeof oa->hash.b);
        held++;
    }
    for (at = 0; kith_netview_next_digest(b, &at, T0, &item);)
        held--;
    assert_int_equal(held, 0);
    for (size_t who = 0; who < PEOPLE; who++) {
        bool in_a = kith_netview_member(a, &f.who[who].id, T0, &ma);
        assert_int_equal(in_a, kith_netview_member(b, &f.who[who].id, T0, &mb));
        if (!in_a)
            continue;
        assert_int_equal(ma.standing, mb.standing);
        assert_string_equal(ma.name, mb.name);
    }
}

/* Effects added up are the members there are. */
static void assert_effects_add_up(struct kith_netview *v)
{
    struct kith_netview_effect fx;
    size_t members = 0;

    while (kith_netview_next_effect(v, &fx)) {
        members += fx.change == KITH_CHANGE_ADDED;
        members -= fx.change == KITH_CHANGE_GONE;
    }
    assert_int_equal(members, kith_netview_member_count(v, T0));
}

static void views_agree_whatever_the_order(void **state)
{
    (void)state;
    fixture_init(&f);
    write_history();
    struct kith_netview *first = told_in_random_order();
    /* by hand: Anna stands by the first serial of A, which was dismissed; Bert is B's; Carl's
     * revocation fell with A; Dora left */
    assert_int_equal(kith_netview_standing(first, &f.who[ANNA].id, T0), KITH_STANDING_MEMBER);
    assert_int_equal(kith_netview_standing(first, &f.who[BERT].id, T0), KITH_STANDING_MEMBER);
    assert_int_equal(kith_netview_standing(first, &f.who[CARL].id, T0), KITH_STANDING_MEMBER);
    assert_int_equal(kith_netview_standing(first, &f.who[DORA].id, T0), KITH_STANDING_LEFT);
    assert_int_equal(kith_netview_member_count(first, T0), 3);
    for (int i = 0; i < 60; i++) {
        struct kith_netview *other = told_in_random_order();
        assert_same(first, other);
        assert_effects_add_up(other);
        kith_netview_free(other);
    }
    kith_netview_free(first);
    fixture_fini(&f);
}

static void views_agree_on_who_left_whatever_the_order(void **state)
{
    (void)state;
    n = 0;
    fixture_init(&f);
    write_farewells();
    struct kith_netview *first = told_in_random_order();
    assert_int_equal(kith_netview_standing(first, &f.who[ANNA].id, T0), KITH_STANDING_LEFT);
    assert_int_equal(kith_netview_standing(first, &f.who[BERT].id, T0), KITH_STANDING_MEMBER);
    assert_int_equal(kith_netview_standing(first, &f.who[CARL].id, T0), KITH_STANDING_REVOKED);
    assert_int_equal(kith_netview_standing(first, &f.who[DORA].id, T0), KITH_STANDING_NONE);
    for (int i = 0; i < 60; i++) {
        struct kith_netview *other = told_in_random_order();
        assert_same(first, other);
        assert_effects_add_up(other);
        kith_netview_free(other);
    }
    kith_netview_free(first);
    fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_agree_whatever_the_order),
        cmocka_unit_test(views_agree_on_who_left_whatever_the_order),
    };

    lab_seed_run(&dice);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
