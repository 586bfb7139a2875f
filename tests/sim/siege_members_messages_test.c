/* A member's control messages: floods of every kind, at once and for hours; what they make the node
 * keep, and what they make it say to others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "identity/object.h"
#include "sim/siege.h"

enum { MANY = 10 }; /* a step: 10,000 in a window of which 1,000 are no accident */

static uint8_t message[HOME_OBJECT_MAX + 64];
static size_t message_len, per_step;
static uint64_t number;

static void the_message(struct siege *s)
{
    siege_says(s, message, message_len, per_step);
}

/* It goes on for a minute, and then is over. */
static void ends_the_session(uint64_t seed, void (*make)(struct siege *s), size_t each,
                             enum kith_offence what)
{
    struct siege s;

    siege_begin(&s, seed);
    make(&s);
    per_step = each;
    siege_goes_on(&s, the_message, 50 * KITH_SEC);
    assert_int_equal(s.home.foe.downs, 0);
    siege_goes_on(&s, the_message, 15 * KITH_SEC);
    siege_assert_sent_away(&s, what);
    siege_assert_may_come_back(&s);
    siege_end(&s);
}

/* ---- floods ---- */

static void of_a_later_version(struct siege *s)
{
    (void)s;
    message[0] = 0x80;
    message_len = 300;
}

static void unknown_messages_end_the_session_when_they_go_on(void **state)
{
    (void)state;
    ends_the_session(301, of_a_later_version, MANY, KITH_OFFENCE_messages);
}

static void a_question(struct siege *s)
{
    const struct kith_alive m = {.token = 1};

    (void)s;
    assert_int_equal(kith_alive_encode(&m, message, sizeof message, &message_len), KITH_OK);
}

static void questions_of_life_beyond_their_rate_end_the_session(void **state)
{
    (void)state;
    ends_the_session(302, a_question, MANY, KITH_OFFENCE_messages);
}

static size_t to_foe;

static bool count_to_foe(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                         uint8_t *data, size_t len)
{
    const struct siege *s = ctx;

    (void)from, (void)data;
    if (kith_addr_equal(to, sim_host_addr(s->home.foe.host)))
        to_foe += len;
    return true;
}

/* Bytes that come back to it for 20 seconds of small messages of a type. */
static size_t comes_back(uint8_t type)
{
    struct siege s;

    siege_begin(&s, 312);
    a_question(&s);
    message[0] = type;
    per_step = MANY;
    sim_net_set_filter(s.home.net, count_to_foe, &s);
    to_foe = 0;
    siege_goes_on(&s, the_message, 20 * KITH_SEC);
    siege_end(&s);
    return to_foe;
}

/* 20,000 answers would be 220 kB; 36 are nothing beside what QUIC acknowledges anyway. */
static void questions_of_life_are_answered_once_a_second(void **state)
{
    size_t unanswered = comes_back(0x80), answered = comes_back(KITH_WIRE_alive);

    (void)state;
    assert_true(answered < unanswered + 36 * 100);
}

static void a_sight_of_us(struct siege *s)
{
    const struct kith_observed_address m = {
        .addr = {.ip = kith_ip4(198, 51, 100, 7), .port = 9000}};

    (void)s;
    assert_int_equal(kith_observed_address_encode(&m, message, sizeof message, &message_len),
                     KITH_OK);
}

static void observed_addresses_beyond_their_rate_end_the_session(void **state)
{
    (void)state;
    ends_the_session(303, a_sight_of_us, MANY, KITH_OFFENCE_messages);
}

static void an_address(struct siege *s)
{
    const struct kith_add_address m = {.seq = ++number,
                                       .addr = {.ip = kith_ip4(198, 51, 100, 8), .port = 9000}};

    (void)s;
    assert_int_equal(kith_add_address_encode(&m, message, sizeof message, &message_len), KITH_OK);
}

static void addresses_beyond_their_rate_end_the_session(void **state)
{
    (void)state;
    ends_the_session(304, an_address, MANY, KITH_OFFENCE_messages);
}

static void a_digest(struct siege *s)
{
    static uint8_t items[200 * 24];
    struct kith_digest d = {.network = s->home.info.id, .entries = {{items, sizeof items}, 200}};

    kith_random_fill(sim_net_random(s->home.net), items, sizeof items);
    assert_int_equal(kith_digest_encode(&d, message, sizeof message, &message_len), KITH_OK);
}

/* 600,000 entries a second of which 1,000 are read. */
static void digests_beyond_their_rate_end_the_session(void **state)
{
    (void)state;
    ends_the_session(305, a_digest, 30, KITH_OFFENCE_messages);
}

static void a_pull(struct siege *s)
{
    static uint8_t keys[48 * 16];
    struct kith_pull m = {.network = s->home.info.id, .keys = {{keys, sizeof keys}, 48}};
    const struct kith_peer_id root = kith_network_root(&s->home.info.id);
    struct kith_object_key key;

    assert_int_equal(kith_object_key_of(&s->home.info.id, KITH_OBJECT_member_body, &root,
                                        &s->home.foe.identity.id, &key),
                     KITH_OK);
    for (size_t i = 0; i < 48; i++)
        memcpy(keys + 16 * i, key.b, sizeof key.b);
    assert_int_equal(kith_pull_encode(&m, message, sizeof message, &message_len), KITH_OK);
}

static void pulls_beyond_their_rate_end_the_session(void **state)
{
    (void)state;
    ends_the_session(306, a_pull, MANY, KITH_OFFENCE_messages);
}

static void a_renewal(struct siege *s)
{
    const struct kith_renew_request m = {.network = s->home.info.id, .serial = 1};

    assert_int_equal(kith_renew_request_encode(&m, message, sizeof message, &message_len), KITH_OK);
}

/* Each answer is a certificate of 5 kB for a question of 41 bytes. */
static void renewals_are_answered_at_the_rate_of_pushes_and_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 307);
    a_renewal(&s);
    per_step = MANY;
    size_t before = s.home.foe.controls[KITH_WIRE_renew_answer];
    siege_goes_on(&s, the_message, 20 * KITH_SEC);
    size_t answers = s.home.foe.controls[KITH_WIRE_renew_answer] - before;
    assert_true(answers >= 512);
    assert_true(answers <= 512 + 64 * 30);
    siege_goes_on(&s, the_message, 45 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_messages);
    siege_end(&s);
}

/* A push of ENDPOINTS of the foe's; `spoilt` ones are signed by nobody. */
static void endpoints(struct siege *s, bool spoilt)
{
    uint8_t object[HOME_OBJECT_MAX];
    struct kith_addr addr = *sim_host_addr(s->home.foe.host);
    struct kith_push push = {.object = {object, 0}};

    number = node_sim_now(&s->home.node[0]).wall;
    push.object.n = home_foe_endpoints(&s->home, &addr, 1, number, object);
    object[push.object.n - 1] ^= spoilt;
    assert_int_equal(kith_push_encode(&push, message, sizeof message, &message_len), KITH_OK);
}

static void a_forgery(struct siege *s)
{
    endpoints(s, true);
}

/* At exactly the rate that is looked at, so that only their being bad counts. */
static void invalid_objects_end_the_session_when_they_go_on(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 308);
    a_forgery(&s);
    for (int i = 0; i < 50 * 70 && s.home.foe.downs == 0; i++) {
        siege_says(&s, message, message_len, 1);
        home_wait(&s.home, 20 * KITH_MSEC);
    }
    assert_true(siege_counters(&s)->offences[KITH_OFFENCE_objects] > 2000);
    assert_int_equal(siege_counters(&s)->offences[KITH_OFFENCE_messages], 0);
    siege_assert_sent_away(&s, KITH_OFFENCE_objects);
    siege_end(&s);
}

static void half_an_object(struct siege *s)
{
    static const uint8_t bytes[200] = {1, 2, 3};
    struct kith_push push = {.object = {bytes, sizeof bytes}};

    (void)s;
    assert_int_equal(kith_push_encode(&push, message, sizeof message, &message_len), KITH_OK);
}

static void pushes_of_no_object_at_all_end_the_session(void **state)
{
    (void)state;
    ends_the_session(309, half_an_object, 1, KITH_OFFENCE_objects);
}

/* ---- what ends a connection at once ---- */

static void what_breaks_the_protocol_ends_the_connection_at_once(void **state)
{
    static const struct {
        uint8_t bytes[8];
        size_t n;
    } rows[] = {
        {{0, 0}, 2},                         /* an empty frame */
        {{0, 1, 0x7f}, 3},                   /* an unknown type that is none of a later version */
        {{0, 1, 0x00}, 3},                   /* likewise */
        {{0, 2, KITH_WIRE_alive, 0}, 4},     /* too short */
        {{0, 1, KITH_WIRE_hello}, 3},        /* a second hello, and too short */
        {{0, 1, KITH_WIRE_membership}, 3},   /* too short */
        {{0, 1, KITH_WIRE_push}, 3},         /* too short */
        {{0, 3, KITH_WIRE_digest, 0, 0}, 5}, /* too short */
    };
    struct siege s;

    (void)state;
    siege_begin(&s, 310);
    for (size_t i = 0; i < KITH_COUNT(rows); i++) {
        size_t downs = s.home.foe.downs;
        unsigned told = siege_told(&s, KITH_EV_peer_broke_rules);
        assert_int_equal(foe_say_raw(&s.home.foe, &s.home.node[0], rows[i].bytes, rows[i].n),
                         KITH_OK);
        home_wait(&s.home, 100 * KITH_MSEC);
        assert_int_equal(s.home.foe.downs, downs + 1);
        assert_int_equal(s.home.foe.last_end.code, KITH_CLOSE_PROTOCOL);
        assert_int_equal(siege_told(&s, KITH_EV_peer_broke_rules), told + 1);
        siege_others_are_well(&s);
        home_wait(&s.home, 10 * KITH_SEC); /* it dials again */
        assert_true(foe_is_up(&s.home.foe, &s.home.node[0]));
    }
    siege_end(&s);
}

/* ---- for hours, within every limit ---- */

static size_t to_desktop;

static bool count_to_desktop(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                             uint8_t *data, size_t len)
{
    const struct siege *s = ctx;

    (void)data;
    if (kith_addr_equal(from, sim_host_addr(s->home.node[0].host)) &&
        kith_addr_equal(to, sim_host_addr(s->home.node[1].host)))
        to_desktop += len;
    return true;
}

/* A new ENDPOINTS object every second, each valid and each from another place. What one member says
 * of itself goes to every other: that is where it could make us speak. */
static void four_hours_of_new_endpoints_make_us_say_and_keep_little(void **state)
{
    struct siege s;
    uint8_t object[HOME_OBJECT_MAX];
    size_t said = 0;

    (void)state;
    siege_begin(&s, 311);
    sim_net_set_filter(s.home.net, count_to_desktop, &s);
    to_desktop = 0;
    home_wait(&s.home, 3600 * KITH_SEC);
    size_t at_rest = to_desktop;
    to_desktop = 0;
    uint64_t rows = home_rows_written(&s.home, 0);
    for (size_t i = 0; i < 4 * 3600; i++) {
        struct kith_addr addr = {.ip = kith_ip4(198, 51, 100, (uint8_t)i), .port = 9000};
        if (foe_is_up(&s.home.foe, &s.home.node[0])) {
            size_t len =
                home_foe_endpoints(&s.home, &addr, 1, node_sim_now(&s.home.node[0]).wall, object);
            home_foe_pushes(&s.home, 0, object, len);
            said += len;
        }
        home_wait(&s.home, KITH_SEC);
        assert_true(s.home.lab.bytes < s.bytes + SIEGE_BYTES / 8);
    }
    assert_true(said > 1000000);
    /* of 14,400 objects one in ten seconds is taken, kept and told (objects 3.5.2), with its digest
     */
    size_t taken = 4 * 360 + 16;
    assert_true(home_rows_written(&s.home, 0) - rows <= taken);
    assert_true(to_desktop < 4 * at_rest + taken * (said / (4 * 3600) + 800));
    siege_assert_still_there(&s);
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_messages_end_the_session_when_they_go_on),
        cmocka_unit_test(questions_of_life_beyond_their_rate_end_the_session),
        cmocka_unit_test(questions_of_life_are_answered_once_a_second),
        cmocka_unit_test(observed_addresses_beyond_their_rate_end_the_session),
        cmocka_unit_test(addresses_beyond_their_rate_end_the_session),
        cmocka_unit_test(digests_beyond_their_rate_end_the_session),
        cmocka_unit_test(pulls_beyond_their_rate_end_the_session),
        cmocka_unit_test(renewals_are_answered_at_the_rate_of_pushes_and_end_the_session),
        cmocka_unit_test(invalid_objects_end_the_session_when_they_go_on),
        cmocka_unit_test(pushes_of_no_object_at_all_end_the_session),
        cmocka_unit_test(what_breaks_the_protocol_ends_the_connection_at_once),
        cmocka_unit_test(four_hours_of_new_endpoints_make_us_say_and_keep_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
