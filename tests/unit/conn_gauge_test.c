/* Each rule of the gauge (docs/spec/plane.md 4), by times given by hand. */
#include "conn/gauge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const kith_time T0 = 1000 * KITH_SEC;

enum { SIZE = 1250 }; /* of a datagram: 10 kbit */

struct play {
    struct kith_gauge g;
    kith_time now;
    uint64_t next;     /* number of the next packet */
    uint64_t received; /* that the peer says came */
    size_t size;       /* of a datagram */
    kith_dur delay;    /* that flow() has reports tell */
};

static struct play begin(void)
{
    struct play p = {.now = T0, .size = SIZE};

    kith_gauge_init(&p.g);
    return p;
}

/* Sends a packet now. */
static void send(struct play *p)
{
    kith_gauge_sent(&p->g, p->next++, p->size, p->now);
}

/* What kith_conn_packet_send does before a packet. */
static bool probe(struct play *p)
{
    bool yes = kith_gauge_probes(&p->g, p->next, p->now);

    if (yes)
        send(p);
    return yes;
}

static int tell(struct play *p, uint64_t highest, uint64_t received, kith_dur delay)
{
    const struct kith_gauge_report r = {highest, received, delay};

    return kith_gauge_reported(&p->g, &r, p->next, p->now);
}

/* The peer has all that was sent, and says so. */
static void all_came(struct play *p)
{
    p->received = p->next;
    assert_int_equal(tell(p, p->next - 1, p->received, 0), KITH_OK);
}

/* QUIC was heard just now. */
static bool serves(struct play *p)
{
    return kith_gauge_serves(&p->g, p->now, p->now);
}

static struct play begin_on(void)
{
    struct play p = begin();

    assert_true(probe(&p));
    all_came(&p);
    assert_true(serves(&p));
    return p;
}

/* ---- probing ---- */

static void nothing_goes_by_the_plane_before_a_probe_was_reported(void **state)
{
    (void)state;
    struct play p = begin();
    assert_false(serves(&p));
    assert_true(probe(&p));
    assert_false(serves(&p));
    p.now += 20 * KITH_MSEC;
    assert_int_equal(tell(&p, 0, 1, 0), KITH_OK);
    assert_true(serves(&p));
    assert_false(probe(&p));
}

static void four_probes_go_a_quarter_of_a_second_apart_and_then_it_rests(void **state)
{
    (void)state;
    struct play p = begin();
    for (int i = 0; i < 4; i++) {
        assert_true(probe(&p));
        assert_false(probe(&p));
        p.now += 250 * KITH_MSEC - 1;
        assert_false(probe(&p));
        p.now += 1;
    }
    assert_false(probe(&p)); /* the fifth would be due: the try has failed */
    p.now += 30 * KITH_SEC - 1;
    assert_false(probe(&p));
    p.now += 1;
    assert_true(probe(&p));
}

/* Fails a try that begins now; returns how long it rested after. */
static kith_dur fail_and_rest(struct play *p)
{
    for (int i = 0; i < 4; i++) {
        assert_true(probe(p));
        p->now += 250 * KITH_MSEC;
    }
    assert_false(probe(p));
    kith_time from = p->now;
    while (!kith_gauge_probes(&p->g, p->next, p->now))
        p->now += KITH_SEC;
    p->g.state = KITH_GAUGE_OFF; /* that was only asking */
    return p->now - from;
}

static void each_failed_try_doubles_the_rest_up_to_ten_minutes(void **state)
{
    static const unsigned rests[] = {30, 60, 120, 240, 480, 600, 600, 600};

    (void)state;
    struct play p = begin();
    for (size_t i = 0; i < KITH_COUNT(rests); i++)
        assert_int_equal(fail_and_rest(&p) / KITH_SEC, rests[i]);
}

static void a_report_of_an_earlier_try_s_probe_does_not_count(void **state)
{
    (void)state;
    struct play p = begin();
    for (int i = 0; i < 4; i++) {
        assert_true(probe(&p));
        p.now += 250 * KITH_MSEC;
    }
    assert_false(probe(&p));
    p.now += 30 * KITH_SEC;
    assert_true(probe(&p)); /* number 4 */
    assert_int_equal(tell(&p, 3, 1, 0), KITH_OK);
    assert_false(serves(&p));
    assert_int_equal(tell(&p, 4, 2, 0), KITH_OK);
    assert_true(serves(&p));
}

static void while_it_rests_a_report_turns_nothing_on(void **state)
{
    (void)state;
    struct play p = begin();
    for (int i = 0; i < 4; i++) {
        assert_true(probe(&p));
        p.now += 250 * KITH_MSEC;
    }
    assert_false(probe(&p));
    assert_int_equal(tell(&p, 3, 4, 0), KITH_OK);
    assert_false(serves(&p));
}

static void a_new_path_is_tried_at_once(void **state)
{
    (void)state;
    struct play p = begin();
    for (int i = 0; i < 5; i++)
        (void)fail_and_rest(&p);
    p.g.try_at = p.now + 600 * KITH_SEC;
    kith_gauge_moved(&p.g, p.now);
    assert_int_equal(fail_and_rest(&p) / KITH_SEC, 30); /* a new row of failures */
    p = begin_on();
    kith_gauge_moved(&p.g, p.now);
    assert_false(serves(&p)); /* what held on the old path says nothing of the new one */
    assert_true(probe(&p));
}

/* ---- silence ---- */

/* How long after the first unreported packet doubt begins, and how long it lasts: while few are
 * unreported, and when they are many. */
#define FEW_SILENCE (1400 * KITH_MSEC)
#define FEW_DOUBT (1000 * KITH_MSEC)
#define MANY_SILENCE (700 * KITH_MSEC)
#define MANY_DOUBT (300 * KITH_MSEC)

/* Whether the plane still serves after doubt has had its time. */
static bool survives(struct play *p)
{
    bool yes = serves(p);

    p->now += FEW_DOUBT - 1;
    assert_int_equal(serves(p), yes); /* doubt alone turns nothing off */
    p->now += 1;
    return serves(p);
}

static void four_packets_unreported_for_long_while_quic_is_heard_are_silence(void **state)
{
    (void)state;
    for (int sent = 3; sent <= 4; sent++) {
        struct play p = begin_on();
        p.now += KITH_SEC;
        for (int i = 0; i < sent; i++)
            send(&p);
        p.now += FEW_SILENCE - 1;
        assert_true(serves(&p));
        assert_true(p.g.doubt_at == KITH_NEVER);
        p.now += 1;
        assert_int_equal(survives(&p), sent < 4);
    }
}

/* A receiver that lost half of them still has more than it may be silent about. */
static void of_many_packets_a_report_is_missed_sooner(void **state)
{
    (void)state;
    for (int sent = 127; sent <= 128; sent++) {
        struct play p = begin_on();
        p.now += KITH_SEC;
        for (int i = 0; i < sent; i++)
            send(&p);
        p.now += MANY_SILENCE - 1;
        assert_true(serves(&p));
        assert_true(p.g.doubt_at == KITH_NEVER);
        p.now += 1;
        assert_true(serves(&p));
        p.now += MANY_DOUBT - 1;
        assert_true(serves(&p));
        p.now += 1;
        assert_int_equal(serves(&p), sent < 128);
    }
}

static void a_round_trip_more_is_waited(void **state)
{
    (void)state;
    struct play p = begin();
    assert_true(probe(&p));
    p.now += 300 * KITH_MSEC;
    all_came(&p);
    assert_int_equal(p.g.rtt, 300 * KITH_MSEC);
    for (int i = 0; i < 4; i++)
        send(&p);
    p.now += FEW_SILENCE + 300 * KITH_MSEC - 1;
    assert_true(serves(&p));
    assert_true(p.g.doubt_at == KITH_NEVER);
    p.now += 1;
    assert_false(survives(&p));
}

static void when_quic_is_silent_too_the_plane_is_not_to_blame(void **state)
{
    (void)state;
    struct play p = begin_on();
    kith_time heard = p.now;
    p.now += KITH_SEC;
    for (int i = 0; i < 4; i++)
        send(&p);
    for (int i = 0; i < 60; i++) {
        p.now += KITH_SEC;
        assert_true(kith_gauge_serves(&p.g, heard, p.now));
        assert_true(kith_gauge_serves(&p.g, KITH_NEVER, p.now));
        assert_true(kith_gauge_serves(&p.g, heard + KITH_SEC, p.now)); /* with the question */
    }
    assert_true(kith_gauge_serves(&p.g, heard + KITH_SEC + 1, p.now));
    p.now += FEW_DOUBT;
    assert_false(kith_gauge_serves(&p.g, heard + KITH_SEC + 1, p.now));
}

/* The way back was broken, and the first thing heard of QUIC again is not yet the report. */
static void the_first_sign_of_quic_after_an_outage_leaves_time_for_the_report(void **state)
{
    (void)state;
    struct play p = begin_on();
    kith_time heard = p.now;
    p.now += KITH_SEC;
    for (int i = 0; i < 100; i++) {
        send(&p);
        p.now += 50 * KITH_MSEC;
        assert_true(kith_gauge_serves(&p.g, heard, p.now));
    }
    assert_true(serves(&p));
    p.now += FEW_DOUBT - KITH_MSEC;
    assert_true(serves(&p));
    all_came(&p);
    p.now += 60 * KITH_SEC;
    assert_true(serves(&p));
}

static void a_report_ends_the_waiting_for_one(void **state)
{
    (void)state;
    struct play p = begin_on();
    for (int i = 0; i < 4; i++)
        send(&p);
    p.now += FEW_SILENCE + FEW_DOUBT - KITH_MSEC;
    assert_true(serves(&p));
    all_came(&p);
    p.now += 10 * KITH_SEC;
    assert_true(survives(&p)); /* nothing was asked since */
    for (int i = 0; i < 4; i++)
        send(&p);
    assert_true(serves(&p));
    p.now += FEW_SILENCE + p.g.rtt;
    assert_false(survives(&p));
}

static void serving_for_half_a_minute_forgives_failures_before(void **state)
{
    (void)state;
    for (int well = 0; well < 2; well++) {
        struct play p = begin();
        (void)fail_and_rest(&p); /* 30 s */
        assert_true(probe(&p));
        all_came(&p);
        p.now += well ? 30 * KITH_SEC : KITH_SEC;
        for (int i = 0; i < 4; i++)
            send(&p);
        p.now += 10 * KITH_SEC;
        assert_false(survives(&p));
        p.now += 59 * KITH_SEC;
        assert_int_equal(probe(&p), well); /* 30 s, else 60 */
    }
}

/* ---- loss ---- */

/* Sends n packets of which `lost` don't come, and hears so. */
static void exchange(struct play *p, unsigned n, unsigned lost)
{
    for (unsigned i = 0; i < n; i++)
        send(p);
    p->now += 50 * KITH_MSEC;
    p->received += n - lost;
    assert_int_equal(tell(p, p->next - 1, p->received, 0), KITH_OK);
}

static void loss_above_a_twentieth_three_times_in_a_row_turns_it_off(void **state)
{
    (void)state;
    struct play p = begin_on();
    exchange(&p, 300, 16); /* 5.3 % */
    exchange(&p, 300, 16);
    exchange(&p, 300, 15); /* exactly 5 % is not above */
    exchange(&p, 300, 16);
    exchange(&p, 300, 16);
    assert_true(serves(&p));
    exchange(&p, 300, 16);
    assert_false(serves(&p));
    assert_int_equal(p.g.lost, 5 * 16 + 15);
}

/* Half of all are lost while larger ones than the path takes are tried. */
static void loss_that_the_size_of_packets_may_explain_is_excused(void **state)
{
    (void)state;
    struct play p = begin_on();
    p.g.excused = true;
    for (int i = 0; i < 5; i++)
        exchange(&p, 300, 150);
    assert_true(serves(&p));
    p.g.excused = false; /* it was not the size */
    exchange(&p, 300, 150);
    assert_false(serves(&p));
}

static void fewer_than_256_packets_are_judged_together_with_those_that_follow(void **state)
{
    (void)state;
    struct play p = begin_on();
    exchange(&p, 100, 50);
    exchange(&p, 100, 0);
    assert_int_equal(p.g.lost, 0);
    exchange(&p, 55, 0); /* 255 */
    assert_int_equal(p.g.lost, 0);
    exchange(&p, 1, 0);
    assert_int_equal(p.g.lost, 50);
}

/* What was lost in a silence must not count against the try that succeeds after it. */
static void a_try_that_succeeds_begins_with_a_clean_sheet(void **state)
{
    (void)state;
    struct play p = begin_on();
    exchange(&p, 300, 30);
    exchange(&p, 300, 30);
    for (int i = 0; i < 200; i++)
        send(&p);
    p.now += 2 * KITH_SEC;
    assert_true(serves(&p));
    p.now += MANY_DOUBT;
    assert_false(serves(&p));
    p.now += 30 * KITH_SEC;
    assert_true(probe(&p));
    p.received++;
    assert_int_equal(tell(&p, p.next - 1, p.received, 0), KITH_OK);
    assert_true(serves(&p));
    assert_int_equal(p.g.lost, 260);
    exchange(&p, 300, 30);
    exchange(&p, 300, 30);
    assert_true(serves(&p));
    exchange(&p, 300, 30);
    assert_false(serves(&p));
}

static void a_lossy_path_is_tried_less_and_less_often(void **state)
{
    (void)state;
    struct play p = begin_on();
    for (unsigned rest = 30; rest <= 120; rest *= 2) {
        for (int i = 0; i < 3; i++) {
            assert_true(serves(&p));
            exchange(&p, 300, 30);
        }
        assert_false(serves(&p));
        p.now += rest * KITH_SEC - 1;
        assert_false(probe(&p));
        p.now += 1;
        assert_true(probe(&p));
        p.received++;
        assert_int_equal(tell(&p, p.next - 1, p.received, 0), KITH_OK);
    }
}

static void duplicates_and_late_packets_are_no_negative_loss(void **state)
{
    (void)state;
    struct play p = begin_on();
    for (int i = 0; i < 600; i++)
        send(&p);
    assert_int_equal(tell(&p, 300, 201, 0), KITH_OK); /* a hundred are late */
    assert_int_equal(tell(&p, 600, 601, 0), KITH_OK);
    assert_int_equal(p.g.lost, 100);
}

/* ---- reports of a peer that means harm ---- */

static void a_report_of_what_was_never_sent_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct play p = begin();
    assert_int_equal(tell(&p, 0, 0, 0), KITH_E_PROTOCOL); /* nothing was sent at all */
    assert_true(probe(&p));
    assert_int_equal(tell(&p, 1, 1, 0), KITH_E_PROTOCOL);
    assert_int_equal(tell(&p, UINT64_MAX, 0, 0), KITH_E_PROTOCOL);
    assert_int_equal(tell(&p, UINT64_MAX, UINT64_MAX, 0), KITH_E_PROTOCOL);
    assert_int_equal(tell(&p, 0, 2, 0), KITH_E_PROTOCOL); /* more than there are numbers */
    for (int i = 0; i < 10; i++)
        send(&p);
    assert_int_equal(tell(&p, 4, 6, 0), KITH_E_PROTOCOL); /* also of those that were sent */
    assert_false(serves(&p));
    assert_false(p.g.any);
    assert_int_equal(tell(&p, 4, 5, 0), KITH_OK);
}

static void a_report_that_goes_backward_changes_nothing(void **state)
{
    (void)state;
    struct play p = begin_on();
    for (int i = 0; i < 400; i++)
        send(&p);
    assert_int_equal(tell(&p, 100, 90, 0), KITH_OK);
    p.now += 500 * KITH_MSEC;
    send(&p);
    const struct kith_gauge before = p.g;
    assert_int_equal(tell(&p, 99, 95, 0), KITH_OK);
    assert_int_equal(tell(&p, 200, 89, 0), KITH_OK);
    assert_memory_equal(&before, &p.g, sizeof before);
}

static void a_delay_longer_than_the_way_says_nothing_of_the_way(void **state)
{
    (void)state;
    struct play p = begin();
    assert_true(probe(&p));
    p.now += 10 * KITH_MSEC;
    assert_int_equal(tell(&p, 0, 1, 3600 * KITH_SEC), KITH_OK);
    assert_int_equal(p.g.rtt, 0);
    assert_true(serves(&p));
}

/* ---- round trips ---- */

static void the_round_trip_is_the_time_from_the_highest_packet_less_the_delay(void **state)
{
    (void)state;
    struct play p = begin();
    assert_true(probe(&p));
    p.now += 40 * KITH_MSEC;
    assert_int_equal(tell(&p, 0, 1, 10 * KITH_MSEC), KITH_OK);
    assert_int_equal(p.g.rtt, 30 * KITH_MSEC);
    send(&p);
    p.now += 46 * KITH_MSEC;
    assert_int_equal(tell(&p, 1, 2, 0), KITH_OK);
    assert_int_equal(p.g.rtt, 32 * KITH_MSEC); /* 7/8 of 30 and 1/8 of 46 */
}

/* A burst leaves at one instant, after a pause; its middle is reported first. */
static void a_packet_in_a_burst_left_with_the_burst(void **state)
{
    (void)state;
    struct play p = begin_on();
    p.now += 60 * KITH_SEC;
    for (int i = 0; i < 100; i++)
        send(&p);
    p.now += 20 * KITH_MSEC;
    assert_int_equal(tell(&p, 50, 51, 0), KITH_OK);
    assert_int_equal(p.g.rtt, 20 * KITH_MSEC);
}

/* A packet every millisecond over a path of 400 ms: far more than there are samples. */
static void long_paths_are_measured_under_steady_traffic(void **state)
{
    (void)state;
    struct play p = begin();
    assert_true(probe(&p));
    p.now += 250 * KITH_MSEC;
    all_came(&p);
    for (uint64_t ms = 1; ms <= 5000; ms++) {
        p.now += KITH_MSEC;
        send(&p);
        if (ms % 100 == 0 && ms > 400) /* number ms left 400 ms ago */
            assert_int_equal(tell(&p, ms - 400, ms - 399, 0), KITH_OK);
    }
    assert_in_range(p.g.rtt, 250 * KITH_MSEC, 400 * KITH_MSEC + 400 * KITH_MSEC / 16);
}

static void a_path_that_became_longer_than_the_samples_reach_is_noticed(void **state)
{
    (void)state;
    struct play p = begin_on(); /* at once: samples a millisecond apart */
    for (uint64_t ms = 1; ms <= 60000; ms++) {
        p.now += KITH_MSEC;
        send(&p);
        if (ms % 100 == 0 && ms > 500)
            assert_int_equal(tell(&p, ms - 500, ms - 499, 0), KITH_OK);
    }
    assert_in_range(p.g.rtt, 450 * KITH_MSEC, 550 * KITH_MSEC);
}

/* ---- the receiving side ---- */

static void a_report_is_due_when_packets_came_and_at_most_ten_times_a_second(void **state)
{
    (void)state;
    struct play p = begin();
    assert_false(kith_gauge_report_due(&p.g, T0));
    assert_true(kith_gauge_report_at(&p.g) == KITH_NEVER);
    kith_gauge_opened(&p.g, true, 200, T0);
    assert_true(kith_gauge_report_due(&p.g, T0));
    assert_int_equal(kith_gauge_delay(&p.g, T0), 0);
    assert_true(kith_gauge_report_due(&p.g, T0)); /* until it has left */
    kith_gauge_report_left(&p.g, T0);
    assert_false(kith_gauge_report_due(&p.g, T0 + 600 * KITH_SEC));
    for (int i = 0; i < 63; i++)
        kith_gauge_opened(&p.g, true, 200, T0 + KITH_MSEC);
    assert_false(kith_gauge_report_due(&p.g, T0 + 800 * KITH_MSEC - 1)); /* few can wait */
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 800 * KITH_MSEC);
    assert_true(kith_gauge_report_due(&p.g, T0 + 800 * KITH_MSEC));
    kith_gauge_opened(&p.g, true, 200, T0 + KITH_MSEC);
    assert_false(kith_gauge_report_due(&p.g, T0 + 100 * KITH_MSEC - 1));
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 100 * KITH_MSEC);
    assert_true(kith_gauge_report_due(&p.g, T0 + 100 * KITH_MSEC));
}

static void a_large_one_is_reported_after_a_quarter_of_a_second(void **state)
{
    (void)state;
    struct play p = begin();
    kith_gauge_opened(&p.g, true, 200, T0);
    kith_gauge_report_left(&p.g, T0);
    kith_gauge_opened(&p.g, true, 1159, T0 + KITH_MSEC);
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 800 * KITH_MSEC);
    kith_gauge_opened(&p.g, true, 1160, T0 + KITH_MSEC);
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 250 * KITH_MSEC);
    kith_gauge_report_left(&p.g, T0 + 250 * KITH_MSEC);
    kith_gauge_opened(&p.g, true, 200, T0 + 251 * KITH_MSEC);
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 1050 * KITH_MSEC);
}

static void a_probe_is_reported_as_soon_as_many_packets_would_be(void **state)
{
    (void)state;
    struct play p = begin();
    kith_gauge_opened(&p.g, true, 200, T0);
    kith_gauge_report_left(&p.g, T0);
    kith_gauge_opened(&p.g, true, 0, T0 + KITH_MSEC);
    kith_gauge_opened(&p.g, true, 200, T0 + 2 * KITH_MSEC);
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 100 * KITH_MSEC);
    kith_gauge_report_left(&p.g, T0 + 100 * KITH_MSEC);
    kith_gauge_opened(&p.g, true, 200, T0 + 101 * KITH_MSEC);
    assert_int_equal(kith_gauge_report_at(&p.g), T0 + 900 * KITH_MSEC);
}

static void the_delay_counts_from_the_highest_packet(void **state)
{
    (void)state;
    struct play p = begin();
    kith_gauge_opened(&p.g, true, 200, T0);
    kith_gauge_opened(&p.g, false, 200, T0 + 30 * KITH_MSEC);
    assert_int_equal(kith_gauge_delay(&p.g, T0 + 50 * KITH_MSEC), 50 * KITH_MSEC);
}

/* ---- reports by the plane ---- */

/* It serves, a packet of ours went by it, and one of the peer's came just now. */
static struct play in_talk(void)
{
    struct play p = begin();

    assert_true(probe(&p));
    all_came(&p);
    kith_gauge_opened(&p.g, true, 0, p.now);
    kith_gauge_report_left(&p.g, p.now);
    p.now += KITH_SEC;
    send(&p);
    kith_gauge_opened(&p.g, true, 200, p.now);
    return p;
}

static void a_report_goes_by_the_plane_while_packets_go_both_ways(void **state)
{
    (void)state;
    struct play p = in_talk();
    assert_true(kith_gauge_takes_report(&p.g, p.now, p.now));
    kith_gauge_report_left(&p.g, p.now);
    kith_gauge_opened(&p.g, true, 200, p.now);
    assert_false(kith_gauge_takes_report(&p.g, p.now, p.now)); /* we have said nothing since */
    send(&p);
    assert_true(kith_gauge_takes_report(&p.g, p.now, p.now));
    p.now += 250 * KITH_MSEC - 1;
    assert_true(kith_gauge_takes_report(&p.g, p.now, p.now));
    p.now++; /* nothing came any more */
    assert_false(kith_gauge_takes_report(&p.g, p.now, p.now));
}

static void a_report_goes_by_quic_where_it_is_needed_there(void **state)
{
    (void)state;
    struct play p = in_talk();
    assert_true(kith_gauge_takes_report(&p.g, p.now - 10 * KITH_SEC + 1, p.now));
    assert_false(kith_gauge_takes_report(&p.g, p.now - 10 * KITH_SEC, p.now)); /* to be heard */
    p.g.quic_every = 2 * KITH_SEC;
    assert_true(kith_gauge_takes_report(&p.g, p.now - 2 * KITH_SEC + 1, p.now));
    assert_false(kith_gauge_takes_report(&p.g, p.now - 2 * KITH_SEC, p.now));
    kith_gauge_opened(&p.g, true, 0, p.now); /* the answer to a probe turns the plane on */
    assert_false(kith_gauge_takes_report(&p.g, p.now, p.now));
    p = in_talk();
    kith_gauge_moved(&p.g, p.now); /* a path that nothing is known of */
    assert_false(kith_gauge_takes_report(&p.g, p.now, p.now));
}

/* What we say there may be lost, and then the reports would be, too. */
static void a_report_goes_by_quic_while_our_packets_wait_for_theirs(void **state)
{
    (void)state;
    struct play p = in_talk();
    p.g.rtt = 30 * KITH_MSEC;
    p.now += 1030 * KITH_MSEC - 1;
    kith_gauge_opened(&p.g, true, 200, p.now);
    assert_true(kith_gauge_takes_report(&p.g, p.now, p.now));
    p.now++;
    assert_false(kith_gauge_takes_report(&p.g, p.now, p.now));
    all_came(&p);
    assert_true(kith_gauge_takes_report(&p.g, p.now, p.now));
}

static void reports_are_not_reported(void **state)
{
    (void)state;
    struct play p = in_talk();
    kith_gauge_report_left(&p.g, p.now);
    kith_gauge_opened_report(&p.g, true, p.now + 40 * KITH_MSEC);
    assert_true(kith_gauge_report_at(&p.g) == KITH_NEVER);
    assert_int_equal(kith_gauge_delay(&p.g, p.now + 50 * KITH_MSEC), 10 * KITH_MSEC);
    all_came(&p);
    for (int i = 0; i < 100; i++) { /* and nobody wonders that they are not */
        kith_gauge_sent_report(&p.g, p.next++, SIZE, p.now);
        p.now += 100 * KITH_MSEC;
        assert_true(serves(&p));
    }
}

/* Else the round trip would be counted from the packet before, long ago. */
static void the_round_trip_of_a_report_that_is_the_highest_counts_from_it(void **state)
{
    (void)state;
    struct play p = in_talk();
    all_came(&p);
    p.now += 700 * KITH_MSEC;
    p.g.rtt = 0;
    kith_gauge_sent_report(&p.g, p.next++, SIZE, p.now);
    p.now += 30 * KITH_MSEC;
    all_came(&p);
    assert_int_equal(p.g.rtt, 30 * KITH_MSEC);
}

/* ---- the rate ---- */

/* A packet leaves every `every` for `d`; each that arrives is reported `rtt` later, and of four
 * `lost` do not. */
static void flow(struct play *p, kith_dur every, kith_dur rtt, unsigned lost, kith_dur d)
{
    const uint64_t under_way = rtt / every;

    for (kith_dur t = 0; t < d; t += every) {
        send(p);
        p->now += every;
        if (t % (100 * KITH_MSEC) != 0 || p->next <= under_way)
            continue;
        const uint64_t highest = p->next - 1 - under_way;
        if (p->g.any && highest > p->g.last.highest)
            p->received += (highest - p->g.last.highest) * (4 - lost) / 4;
        assert_int_equal(tell(p, highest, p->received, p->delay), KITH_OK);
    }
}

static uint64_t kbits(const struct play *p)
{
    return kith_delivery_rate(&p->g.delivery) / 1000;
}

static void where_packets_wait_what_arrives_is_the_rate(void **state)
{
    (void)state;
    struct play p = begin_on();
    flow(&p, KITH_MSEC, 20 * KITH_MSEC, 0, KITH_SEC);
    assert_int_equal(kbits(&p), 0); /* nobody knows what more it would carry */
    flow(&p, KITH_MSEC, 70 * KITH_MSEC, 0, 2 * KITH_SEC);
    assert_in_range(kbits(&p), 9700, 10300);
    flow(&p, 2 * KITH_MSEC, 120 * KITH_MSEC, 0, 2 * KITH_SEC);
    assert_in_range(kbits(&p), 9700, 10300); /* the highest of late */
    flow(&p, KITH_MSEC / 2, 20 * KITH_MSEC, 0, 2 * KITH_SEC);
    assert_in_range(kbits(&p), 19000, 20600); /* so much it has carried, full or not */
}

static void what_was_lost_did_not_arrive(void **state)
{
    (void)state;
    struct play p = begin_on();
    flow(&p, KITH_MSEC, 20 * KITH_MSEC, 0, KITH_SEC);
    flow(&p, KITH_MSEC, 70 * KITH_MSEC, 1, 2 * KITH_SEC);
    assert_in_range(kbits(&p), 7200, 7800);
}

static void small_packets_that_wait_are_not_what_fills_the_path(void **state)
{
    (void)state;
    struct play p = begin_on();
    p.size = 200;
    flow(&p, KITH_MSEC, 20 * KITH_MSEC, 0, KITH_SEC);
    flow(&p, KITH_MSEC, 70 * KITH_MSEC, 0, 2 * KITH_SEC);
    assert_int_equal(kbits(&p), 0);
}

static void few_packets_in_ten_seconds_make_no_rate(void **state)
{
    (void)state;
    struct play p = begin_on();
    flow(&p, 10 * KITH_MSEC, 20 * KITH_MSEC, 0, 2 * KITH_SEC);
    flow(&p, 200 * KITH_MSEC, 400 * KITH_MSEC, 0, 60 * KITH_SEC);
    assert_int_equal(kbits(&p), 0);
}

/* The peer's word for when packets came is worth no more than when they left. */
static void a_delay_that_is_made_up_makes_no_higher_rate(void **state)
{
    (void)state;
    struct play p = begin_on();
    flow(&p, KITH_MSEC, 20 * KITH_MSEC, 0, KITH_SEC);
    for (int i = 0; i < 20; i++) {
        p.delay = i % 4 < 2 ? 0 : 25 * KITH_MSEC;
        flow(&p, KITH_MSEC, 70 * KITH_MSEC, 0, 100 * KITH_MSEC);
    }
    assert_in_range(kbits(&p), 9500, 10300);
}

static void another_path_has_another_rate(void **state)
{
    (void)state;
    struct play p = begin_on();
    flow(&p, KITH_MSEC, 20 * KITH_MSEC, 0, KITH_SEC);
    flow(&p, KITH_MSEC, 70 * KITH_MSEC, 0, 2 * KITH_SEC);
    kith_gauge_moved(&p.g, p.now);
    assert_int_equal(kbits(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_goes_by_the_plane_before_a_probe_was_reported),
        cmocka_unit_test(four_probes_go_a_quarter_of_a_second_apart_and_then_it_rests),
        cmocka_unit_test(each_failed_try_doubles_the_rest_up_to_ten_minutes),
        cmocka_unit_test(a_report_of_an_earlier_try_s_probe_does_not_count),
        cmocka_unit_test(while_it_rests_a_report_turns_nothing_on),
        cmocka_unit_test(a_new_path_is_tried_at_once),
        cmocka_unit_test(four_packets_unreported_for_long_while_quic_is_heard_are_silence),
        cmocka_unit_test(of_many_packets_a_report_is_missed_sooner),
        cmocka_unit_test(a_round_trip_more_is_waited),
        cmocka_unit_test(when_quic_is_silent_too_the_plane_is_not_to_blame),
        cmocka_unit_test(the_first_sign_of_quic_after_an_outage_leaves_time_for_the_report),
        cmocka_unit_test(a_report_ends_the_waiting_for_one),
        cmocka_unit_test(serving_for_half_a_minute_forgives_failures_before),
        cmocka_unit_test(loss_above_a_twentieth_three_times_in_a_row_turns_it_off),
        cmocka_unit_test(loss_that_the_size_of_packets_may_explain_is_excused),
        cmocka_unit_test(fewer_than_256_packets_are_judged_together_with_those_that_follow),
        cmocka_unit_test(a_try_that_succeeds_begins_with_a_clean_sheet),
        cmocka_unit_test(a_lossy_path_is_tried_less_and_less_often),
        cmocka_unit_test(duplicates_and_late_packets_are_no_negative_loss),
        cmocka_unit_test(a_report_of_what_was_never_sent_is_refused_and_changes_nothing),
        cmocka_unit_test(a_report_that_goes_backward_changes_nothing),
        cmocka_unit_test(a_delay_longer_than_the_way_says_nothing_of_the_way),
        cmocka_unit_test(the_round_trip_is_the_time_from_the_highest_packet_less_the_delay),
        cmocka_unit_test(a_packet_in_a_burst_left_with_the_burst),
        cmocka_unit_test(long_paths_are_measured_under_steady_traffic),
        cmocka_unit_test(a_path_that_became_longer_than_the_samples_reach_is_noticed),
        cmocka_unit_test(a_report_is_due_when_packets_came_and_at_most_ten_times_a_second),
        cmocka_unit_test(a_large_one_is_reported_after_a_quarter_of_a_second),
        cmocka_unit_test(a_probe_is_reported_as_soon_as_many_packets_would_be),
        cmocka_unit_test(the_delay_counts_from_the_highest_packet),
        cmocka_unit_test(a_report_goes_by_the_plane_while_packets_go_both_ways),
        cmocka_unit_test(a_report_goes_by_quic_where_it_is_needed_there),
        cmocka_unit_test(a_report_goes_by_quic_while_our_packets_wait_for_theirs),
        cmocka_unit_test(reports_are_not_reported),
        cmocka_unit_test(the_round_trip_of_a_report_that_is_the_highest_counts_from_it),
        cmocka_unit_test(where_packets_wait_what_arrives_is_the_rate),
        cmocka_unit_test(what_was_lost_did_not_arrive),
        cmocka_unit_test(small_packets_that_wait_are_not_what_fills_the_path),
        cmocka_unit_test(few_packets_in_ten_seconds_make_no_rate),
        cmocka_unit_test(a_delay_that_is_made_up_makes_no_higher_rate),
        cmocka_unit_test(another_path_has_another_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
