/* What one member may ask of another (control-stream 6): beyond it nothing is looked at, the others
 * notice nothing, and with time it may ask again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/object.h"
#include "node/internal.h"
#include "sim/home.h"

enum { N = 3, FOE = 2 };

enum { PUSHES_PER_SECOND = 64, PUSHES_AT_ONCE = 512 }; /* control-stream 6.2 */

static void up(struct home *h, uint64_t seed)
{
    home_up(h, seed, N);
    home_turn_bad(h, FOE);
    /* near, so that what it may spend is spent as soon as it is there */
    sim_net_link(h->net, h->foe.host, h->node[0].host, &(struct sim_link){.delay = KITH_MSEC});
    home_wait(h, 60 * KITH_SEC); /* whatever was said before is paid for */
}

/* Says one message over and over, as fast as it is taken; how often. */
static size_t floods(struct home *h, const uint8_t *message, size_t n, kith_dur how_long)
{
    kith_time end = sim_net_now(h->net) + how_long;
    size_t said = 0;

    while (sim_net_now(h->net) < end) {
        while (foe_say(&h->foe, &h->node[0], message, n) == KITH_OK)
            said++;
        home_wait(h, 5 * KITH_MSEC);
    }
    home_wait(h, 200 * KITH_MSEC); /* what is under way arrives */
    return said;
}

/* What may be spent within so long. */
static size_t share(kith_dur d)
{
    return PUSHES_AT_ONCE + (size_t)(PUSHES_PER_SECOND * d / KITH_SEC) + 1;
}

/* The desktop can be reached at another address, too, and says so. */
static void others_have_news(struct home *h)
{
    struct kith_ip addr[] = {sim_host_addr(h->node[1].host)->ip, kith_ip4(10, 0, 0, 1)};

    kith_node_host_changed(h->node[1].node, addr, 2, false, node_sim_now(&h->node[1]));
}

static bool news_of_others_came(const struct home *h)
{
    struct kith_addr held[16];
    size_t n = 0;

    (void)home_endpoints_held(h, 0, &h->node[1].identity.id, held, &n);
    return n == 2;
}

static uint64_t now_number(const struct home *h)
{
    return node_sim_now(&h->node[0]).wall;
}

/* ---- pushes ---- */

static size_t push_message(const struct home *h, uint64_t number, bool forged, uint8_t *buf)
{
    uint8_t object[HOME_OBJECT_MAX];
    struct kith_push push = {.object = {object, 0}};
    size_t len;

    push.object.n = home_foe_endpoints(h, sim_host_addr(h->foe.host), 1, number, object);
    object[push.object.n - 1] ^= forged;
    assert_int_equal(kith_push_encode(&push, buf, HOME_OBJECT_MAX, &len), KITH_OK);
    return len;
}

static uint64_t held_of_foe(const struct home *h)
{
    struct kith_addr addr[16];
    size_t n;

    return home_endpoints_held(h, 0, &h->foe.identity.id, addr, &n);
}

static void pushes_beyond_a_members_share_are_not_looked_at(void **state)
{
    uint8_t message[HOME_OBJECT_MAX];
    struct home h;

    (void)state;
    up(&h, 1);
    /* each of these costs a signature check, and is refused */
    size_t len = push_message(&h, now_number(&h) + 1, true, message);
    const unsigned *refused = &h.node[0].seen[KITH_EV_object_refused];
    unsigned before = *refused;
    kith_time start = sim_net_now(h.net);
    others_have_news(&h);
    size_t said = floods(&h, message, len, 3 * KITH_SEC);
    assert_true(news_of_others_came(&h));
    assert_true(said > 2000);
    assert_true(*refused - before >= PUSHES_AT_ONCE);
    assert_true(*refused - before <= share(sim_net_now(h.net) - start));
    assert_true(home_reaches(&h, 0, 1, KITH_SEC));

    uint64_t number = now_number(&h) + 2;
    len = push_message(&h, number, false, message);
    home_foe_says(&h, 0, message, len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(held_of_foe(&h), number);
    home_down(&h);
}

/* The foe's certificate, but newer and so with a signature that is none. */
static struct kith_span forged_cert(struct home *h, uint8_t *buf)
{
    enum { NUMBER_AT = 1 + 1 + 32 + 32 }; /* version, kind, network and signer come before it */
    struct kith_membership m;
    struct kith_writer w;

    size_t len = home_foe_membership(h, buf, HOME_OBJECT_MAX);
    assert_int_equal(kith_membership_decode((struct kith_span){buf, len}, &m), KITH_OK);
    memmove(buf, m.cert.p, m.cert.n);
    w = kith_writer_on(buf + NUMBER_AT, 8);
    kith_put_u64(&w, now_number(h) + 1);
    return (struct kith_span){buf, m.cert.n};
}

/* How often of a flood of it an object was judged. */
static size_t judged(struct home *h, const uint8_t *message, size_t n)
{
    unsigned before = h->node[0].seen[KITH_EV_object_refused];

    assert_true(floods(h, message, n, 3 * KITH_SEC) > 1000);
    return h->node[0].seen[KITH_EV_object_refused] - before;
}

static void memberships_with_bad_objects_count_as_pushes(void **state)
{
    uint8_t cert[HOME_OBJECT_MAX], message[HOME_OBJECT_MAX];
    struct kith_membership m = {.slot = 0};
    struct home h;
    size_t len;

    (void)state;
    up(&h, 6);
    m.network = h.info.id;
    m.cert = forged_cert(&h, cert);
    assert_int_equal(kith_membership_encode(&m, message, sizeof message, &len), KITH_OK);
    kith_time start = sim_net_now(h.net);
    size_t n = judged(&h, message, len);
    assert_true(n >= 16); /* it may be in so many networks */
    assert_true(n <= share(sim_net_now(h.net) - start));
    home_down(&h);
}

static void renewals_with_bad_objects_count_as_pushes(void **state)
{
    uint8_t cert[HOME_OBJECT_MAX], message[HOME_OBJECT_MAX];
    struct kith_renew_answer a = {.status = 0};
    struct home h;
    size_t len;

    (void)state;
    up(&h, 7);
    a.network = h.info.id;
    a.cert = forged_cert(&h, cert);
    assert_int_equal(kith_renew_answer_encode(&a, message, sizeof message, &len), KITH_OK);
    kith_time start = sim_net_now(h.net);
    size_t n = judged(&h, message, len);
    assert_true(n >= 1);
    assert_true(n <= share(sim_net_now(h.net) - start));
    home_down(&h);
}

/* ---- digests ---- */

/* `count` entries: of an object that is held, in version 0, and if `news` of one that is not. */
static size_t digest_message(const struct home *h, uint16_t count, bool news, uint8_t *buf,
                             size_t cap)
{
    static uint8_t items[2000 * 24];
    struct kith_digest d = {.network = h->info.id, .entries = {{items, 24 * (size_t)count}, count}};
    const struct kith_peer_id *foe = &h->foe.identity.id;
    struct kith_digest_item item = {.number = 0};
    size_t len;

    assert_int_equal(
        kith_object_key_of(&h->info.id, KITH_OBJECT_endpoints_body, foe, foe, &item.key), KITH_OK);
    for (size_t i = 0; i < count; i++) {
        struct kith_writer w = kith_writer_on(items + 24 * i, 24);
        if (i + 1 == count && news)
            kith_random_fill(sim_net_random(h->net), item.key.b, sizeof item.key.b);
        kith_digest_item_put(&w, &item);
    }
    assert_int_equal(kith_digest_encode(&d, buf, cap, &len), KITH_OK);
    return len;
}

static void digests_beyond_a_members_share_are_not_looked_at(void **state)
{
    static uint8_t nothing_new[60000], little[100], news[60000];
    uint8_t known[HOME_OBJECT_MAX];
    struct home h;

    (void)state;
    up(&h, 2);
    home_foe_pushes(&h, 0, known,
                    home_foe_endpoints(&h, sim_host_addr(h.foe.host), 1, now_number(&h), known));
    home_wait(&h, 30 * KITH_SEC);
    size_t len = digest_message(&h, 2000, false, nothing_new, sizeof nothing_new);
    size_t news_len = digest_message(&h, 2000, true, news, sizeof news);
    size_t little_len = digest_message(&h, 1, false, little, sizeof little);
    const size_t *pulls = &h.foe.controls[KITH_WIRE_pull];
    size_t before = *pulls;

    home_foe_says(&h, 0, news, news_len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(*pulls, before + 1);
    size_t object = push_message(&h, now_number(&h), false, known);
    home_foe_says(&h, 0, known, object); /* not what was asked for, but an answer */

    assert_true(floods(&h, nothing_new, len, 2 * KITH_SEC) > 20); /* 1 ms for each entry */
    others_have_news(&h);
    assert_true(floods(&h, little, little_len, 2 * KITH_SEC) > 5000);
    assert_true(news_of_others_came(&h));
    home_foe_says(&h, 0, news, news_len);
    home_wait(&h, 500 * KITH_MSEC);
    assert_int_equal(*pulls, before + 1);
    home_wait(&h, 2 * KITH_SEC);
    home_foe_says(&h, 0, news, news_len);
    home_wait(&h, KITH_SEC);
    assert_int_equal(*pulls, before + 2);
    home_down(&h);
}

/* ---- where others saw us ---- */

static void says_it_saw(struct home *h, uint8_t last)
{
    struct kith_observed_address m = {.addr = {.ip = kith_ip4(203, 0, 113, last), .port = 9000}};
    uint8_t message[64];
    size_t len;

    assert_int_equal(kith_observed_address_encode(&m, message, sizeof message, &len), KITH_OK);
    home_foe_says(h, 0, message, len);
}

/* How many of the addresses 203.0.113.FIRST to LAST the laptop tells of itself. */
static size_t told_on(struct home *h, unsigned first, unsigned last)
{
    struct kith_addr told[16];
    size_t n, found = 0;

    home_wait(h, KITH_SEC);
    (void)home_endpoints_held(h, 1, &h->node[0].identity.id, told, &n);
    for (size_t i = 0; i < n; i++)
        found += told[i].ip.b[0] == 203 && told[i].ip.b[3] >= first && told[i].ip.b[3] <= last;
    return found;
}

static void of_many_addresses_members_say_they_saw_four_count_and_one_a_minute(void **state)
{
    struct home h;

    (void)state;
    up(&h, 3);
    for (uint8_t i = 101; i <= 110; i++)
        says_it_saw(&h, i);
    assert_int_equal(told_on(&h, 101, 104), 4);
    assert_int_equal(told_on(&h, 105, 110), 0);
    home_wait(&h, 4 * KITH_SEC);
    says_it_saw(&h, 111);
    assert_int_equal(told_on(&h, 111, 111), 0);
    home_wait(&h, 55 * KITH_SEC); /* a minute since the first */
    says_it_saw(&h, 112);
    says_it_saw(&h, 113);
    assert_int_equal(told_on(&h, 112, 112), 1);
    assert_int_equal(told_on(&h, 113, 113), 0);
    home_down(&h);
}

/* ---- pulls ---- */

enum { ANSWERED = 2 * 24 }; /* keys of one pull: twice as many as a node asks for at once */

/* Asks `count` times for the foe's own ENDPOINTS, in one message. */
static size_t pull_message(const struct home *h, uint16_t count, uint8_t *buf, size_t cap)
{
    static uint8_t keys[1000 * 16];
    const struct kith_peer_id *foe = &h->foe.identity.id;
    struct kith_pull pull = {.network = h->info.id, .keys = {{keys, 16 * (size_t)count}, count}};
    struct kith_object_key key;
    size_t len;

    assert_int_equal(kith_object_key_of(&h->info.id, KITH_OBJECT_endpoints_body, foe, foe, &key),
                     KITH_OK);
    for (size_t i = 0; i < count; i++)
        memcpy(keys + 16 * i, key.b, sizeof key.b);
    assert_int_equal(kith_pull_encode(&pull, buf, cap, &len), KITH_OK);
    return len;
}

static size_t answers_to(struct home *h, uint16_t count)
{
    static uint8_t message[20000];
    size_t before = h->foe.controls[KITH_WIRE_push];

    home_foe_says(h, 0, message, pull_message(h, count, message, sizeof message));
    home_wait(h, 2 * KITH_SEC);
    return h->foe.controls[KITH_WIRE_push] - before;
}

static void of_a_long_pull_only_the_first_keys_are_answered(void **state)
{
    struct home h;

    (void)state;
    up(&h, 4);
    assert_int_equal(answers_to(&h, 1), 1);
    assert_int_equal(answers_to(&h, ANSWERED), ANSWERED);
    assert_int_equal(answers_to(&h, ANSWERED + 1), ANSWERED);
    assert_int_equal(answers_to(&h, 1000), ANSWERED);
    home_down(&h);
}

static void who_pulls_all_the_time_is_answered_at_the_rate_of_pushes(void **state)
{
    uint8_t message[2000];
    struct home h;

    (void)state;
    up(&h, 5);
    kith_time start = sim_net_now(h.net);
    size_t before = h.foe.controls[KITH_WIRE_push];
    size_t len = pull_message(&h, ANSWERED, message, sizeof message);
    for (int i = 0; i < 100; i++) {
        home_foe_says(&h, 0, message, len);
        home_wait(&h, 50 * KITH_MSEC);
    }
    size_t answers = h.foe.controls[KITH_WIRE_push] - before;
    assert_true(answers >= PUSHES_AT_ONCE);
    assert_true(answers <= share(sim_net_now(h.net) - start));
    home_wait(&h, 8 * KITH_SEC); /* 64 a second are 512 again */
    assert_int_equal(answers_to(&h, ANSWERED), ANSWERED);
    home_down(&h);
}

/* The foe says that it has an object of this number, which there is none of. */
static void claims_to_have(struct home *h, uint8_t number)
{
    uint8_t items[24], message[128];
    struct kith_writer w = kith_writer_on(items, sizeof items);
    struct kith_digest digest = {.network = h->info.id, .entries = {{items, sizeof items}, 1}};
    size_t len;

    kith_digest_item_put(&w, &(struct kith_digest_item){.key = {{0xfe, number}}, .number = 1});
    assert_int_equal(kith_digest_encode(&digest, message, sizeof message, &len), KITH_OK);
    home_foe_says(h, 0, message, len);
    home_wait(h, KITH_SEC);
}

static void what_never_comes_holds_up_what_is_asked_for_next_for_ten_seconds(void **state)
{
    struct home h;

    (void)state;
    up(&h, 30);
    size_t before = h.foe.controls[KITH_WIRE_pull];
    claims_to_have(&h, 1);
    assert_int_equal(h.foe.controls[KITH_WIRE_pull], before + 1);
    claims_to_have(&h, 2);
    home_wait(&h, 6 * KITH_SEC);
    assert_int_equal(h.foe.controls[KITH_WIRE_pull], before + 1);
    home_wait(&h, 3 * KITH_SEC);
    assert_int_equal(h.foe.controls[KITH_WIRE_pull], before + 2);
    home_down(&h);
}

/* Ends the session with the other, as one in which no membership came in time. */
static void ends_late(struct home *h, struct node_peer *p)
{
    struct kith_node *n = h->node[0].node;
    const struct kith_conn_end end = {.kind = KITH_END_PEER, .code = KITH_CLOSE_SILENT};
    const struct kith_session_effect fx = {
        .kind = KITH_SESSION_DOWN, .session = kith_sessions_find(n->sessions, &p->id), .end = &end};

    p->proved = 0;
    gossip_effect(n, &fx, node_sim_now(&h->node[0]));
}

static void whose_membership_is_late_twice_in_a_row_is_left_alone_for_a_minute(void **state)
{
    struct home h;

    (void)state;
    home_up(&h, 909, N);
    home_wait(&h, 5 * KITH_SEC);
    struct node_peer *p = peer_find(h.node[0].node, &h.node[1].identity.id);
    ends_late(&h, p);
    assert_true(p->unwelcome_until <= sim_net_now(h.net)); /* a bad path */
    p->late = 0;                                           /* as when it has proved itself since */
    ends_late(&h, p);
    assert_true(p->unwelcome_until <= sim_net_now(h.net));
    ends_late(&h, p);
    assert_int_equal(p->unwelcome_until, sim_net_now(h.net) + UNWELCOME_TIME);
    home_down(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pushes_beyond_a_members_share_are_not_looked_at),
        cmocka_unit_test(memberships_with_bad_objects_count_as_pushes),
        cmocka_unit_test(renewals_with_bad_objects_count_as_pushes),
        cmocka_unit_test(digests_beyond_a_members_share_are_not_looked_at),
        cmocka_unit_test(of_many_addresses_members_say_they_saw_four_count_and_one_a_minute),
        cmocka_unit_test(what_never_comes_holds_up_what_is_asked_for_next_for_ten_seconds),
        cmocka_unit_test(of_a_long_pull_only_the_first_keys_are_answered),
        cmocka_unit_test(whose_membership_is_late_twice_in_a_row_is_left_alone_for_a_minute),
        cmocka_unit_test(who_pulls_all_the_time_is_answered_at_the_rate_of_pushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
