/* A member's streams: opened and given up, opened and never finished, of no known kind, half a
 * frame, giant lengths, filled to the window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/siege.h"
#include "wire/enrol.h"

/* A stream of the foe's that begins with these bytes; -1 when none is to be had now. */
static int64_t stream(struct siege *s, const uint8_t *bytes, size_t n, bool fin)
{
    struct kith_conn *c = foe_conn(&s->home.foe, &s->home.node[0]);
    int64_t id;

    if (c == NULL || kith_conn_stream_open(c, &id) < 0)
        return -1;
    if (kith_conn_stream_send(c, id, (struct kith_span){bytes, n}, fin) < 0)
        return -1;
    return id;
}

static size_t opened;
static int64_t last;

static void opened_and_given_up(struct siege *s)
{
    struct kith_conn *c = foe_conn(&s->home.foe, &s->home.node[0]);

    for (int i = 0; i < 64; i++) {
        int64_t id = stream(s, (const uint8_t[]){KITH_STREAM_ENROL}, 1, false);
        if (id < 0)
            return;
        opened++;
        kith_conn_stream_reset(c, id, 0);
    }
}

static void streams_opened_and_given_up_in_a_loop_end_the_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 201);
    opened = 0;
    siege_goes_on(&s, opened_and_given_up, 55 * KITH_SEC);
    assert_int_equal(s.home.foe.downs, 0);
    siege_goes_on(&s, opened_and_given_up, 10 * KITH_SEC);
    assert_true(opened > 10000);
    siege_assert_sent_away(&s, KITH_OFFENCE_streams);
    home_wait(&s.home, 10 * KITH_SEC);
    assert_true(s.home.lab.bytes < s.bytes + 64 * 1024); /* nothing of them is left */
    siege_end(&s);
}

static void of_no_known_kind(struct siege *s)
{
    static uint8_t kind = 2;

    kind = (uint8_t)(kind == 255 ? 3 : kind + 1);
    opened += stream(s, (const uint8_t[]){kind, 1, 2, 3}, 4, false) >= 0;
}

static void streams_of_no_known_kind_end_the_session_when_they_go_on(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 202);
    opened = 0;
    siege_goes_on(&s, of_no_known_kind, 65 * KITH_SEC);
    assert_true(opened > 1000); /* each is reset, and makes room for another */
    siege_assert_sent_away(&s, KITH_OFFENCE_streams);
    siege_end(&s);
}

/* Says that 65,535 bytes follow; they come as far as anybody takes them. */
static void giants(struct siege *s)
{
    static const uint8_t giant[60000] = {KITH_STREAM_ENROL, 0xff, 0xff, 1};
    int64_t id = stream(s, giant, sizeof giant, false);

    opened += id >= 0;
    last = id >= 0 ? id : last;
}

static void a_request_of_giant_length_is_refused_before_it_is_there(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 203);
    opened = 0;
    siege_once(&s, giants);
    assert_int_equal(opened, 1);
    home_wait(&s.home, 2 * KITH_SEC);
    /* it may write no more, and nothing of it is kept */
    assert_int_equal(kith_conn_stream_room(foe_conn(&s.home.foe, &s.home.node[0]), last), 0);
    assert_true(s.home.lab.bytes < s.bytes + 8 * 1024);
    siege_goes_on(&s, giants, 65 * KITH_SEC);
    siege_assert_sent_away(&s, KITH_OFFENCE_streams);
    siege_end(&s);
}

/* Half a request on as many streams as there may be. */
static void halves(struct siege *s)
{
    static const uint8_t half[4000] = {KITH_STREAM_ENROL, 0x0f, 0xf0, 1};

    opened += stream(s, half, sizeof half, false) >= 0;
}

static void half_requests_hold_little_for_ever(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 204);
    opened = 0;
    siege_goes_on(&s, halves, 10 * KITH_SEC);
    assert_int_equal(opened, KITH_CONN_STREAMS_MAX - 1); /* less the control stream */
    size_t held = s.home.lab.bytes;
    assert_true(held < s.bytes + 64 * (8192 + 1024));
    siege_goes_on(&s, halves, 600 * KITH_SEC);
    assert_true(s.home.lab.bytes < held + 64 * 1024);
    siege_assert_still_there(&s);
    siege_end(&s);
}

static void without_a_byte(struct siege *s)
{
    struct kith_conn *c = foe_conn(&s->home.foe, &s->home.node[0]);
    int64_t id = stream(s, NULL, 0, false);

    if (id < 0)
        return;
    kith_conn_stream_reset(c, id, 0);
    opened++;
}

static void streams_that_never_said_a_word_leave_nothing(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 205);
    opened = 0;
    siege_goes_on(&s, without_a_byte, 65 * KITH_SEC);
    assert_true(opened > 100);
    siege_others_are_well(&s);
    home_wait(&s.home, 20 * KITH_SEC);
    assert_true(s.home.lab.bytes < s.bytes + 64 * 1024);
    siege_end(&s);
}

static void half_a_frame(struct siege *s)
{
    (void)s;
}

/* The control stream says that a frame of 65,535 bytes comes, and nothing more. */
static void half_a_control_frame_holds_a_frame_at_most(void **state)
{
    static uint8_t bytes[60000] = {0xff, 0xff, KITH_WIRE_push};
    struct siege s;

    (void)state;
    siege_begin(&s, 206);
    assert_int_equal(foe_say_raw(&s.home.foe, &s.home.node[0], bytes, sizeof bytes), KITH_OK);
    siege_goes_on(&s, half_a_frame, 300 * KITH_SEC);
    assert_true(s.home.lab.bytes < s.bytes + 160 * 1024);
    siege_assert_still_there(&s); /* slow is no crime */
    siege_end(&s);
}

/* A request as a joiner sends it, for a ticket that never was. */
static void enrolments(struct siege *s)
{
    static uint8_t bytes[4096] = {KITH_STREAM_ENROL};
    struct kith_enrol_request r = {.version = 1, .network = s->home.info.id};
    size_t len;

    r.spki = KITH_SPAN_OF(s->home.foe.identity.pub.spki);
    assert_int_equal(kith_enrol_request_encode(&r, bytes + 3, sizeof bytes - 3, &len), KITH_OK);
    bytes[1] = (uint8_t)(len >> 8);
    bytes[2] = (uint8_t)len;
    opened += stream(s, bytes, 3 + len, true) >= 0;
}

static void a_flood_of_enrolments_by_a_member_is_limited_and_ends_its_session(void **state)
{
    struct siege s;

    (void)state;
    siege_begin(&s, 207);
    opened = 0;
    siege_goes_on(&s, enrolments, 65 * KITH_SEC);
    assert_true(opened > 1000);
    assert_int_equal(siege_told(&s, KITH_EV_enrol_refused), 5); /* then nobody looks */
    assert_int_equal(siege_told(&s, KITH_EV_enrol_limited), 1);
    siege_assert_sent_away(&s, KITH_OFFENCE_streams);
    siege_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_opened_and_given_up_in_a_loop_end_the_session),
        cmocka_unit_test(streams_of_no_known_kind_end_the_session_when_they_go_on),
        cmocka_unit_test(a_request_of_giant_length_is_refused_before_it_is_there),
        cmocka_unit_test(half_requests_hold_little_for_ever),
        cmocka_unit_test(streams_that_never_said_a_word_leave_nothing),
        cmocka_unit_test(half_a_control_frame_holds_a_frame_at_most),
        cmocka_unit_test(a_flood_of_enrolments_by_a_member_is_limited_and_ends_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
