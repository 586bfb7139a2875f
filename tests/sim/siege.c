#include "sim/siege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEP (10 * KITH_MSEC)

void siege_begin(struct siege *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    home_up(&s->home, seed, SIEGE_N);
    home_turn_bad(&s->home, SIEGE_FOE);
    /* near, so that what it may do is done as soon as it tries */
    sim_net_link(s->home.net, s->home.foe.host, s->home.node[0].host,
                 &(struct sim_link){.delay = KITH_MSEC});
    home_wait(&s->home, 60 * KITH_SEC); /* what was said before is paid for */
    s->bytes = s->home.lab.bytes;
}

void siege_end(struct siege *s)
{
    home_down(&s->home);
}

void siege_others_are_well(struct siege *s)
{
    assert_true(home_reaches(&s->home, 0, 1, KITH_SEC));
    assert_true(home_reaches(&s->home, 1, 0, KITH_SEC));
}

void siege_datagrams(struct siege *s, const uint8_t *bytes, size_t len, size_t n)
{
    struct kith_conn *c = foe_conn(&s->home.foe, &s->home.node[0]);
    const struct kith_span part = {bytes, len};

    for (size_t i = 0; c != NULL && i < n; i++)
        if (kith_conn_datagram_send(c, &s->home.foe.batch, &part, 1, sim_net_now(s->home.net)) < 0)
            return;
}

/* Its datagrams leave together: pacing counts them as one burst. */
static void finish_burst(struct siege *s)
{
    struct kith_conn *c = foe_conn(&s->home.foe, &s->home.node[0]);

    if (c != NULL)
        kith_conn_burst_end(c, sim_net_now(s->home.net));
    kith_tx_flush(&s->home.foe.batch);
}

void siege_once(struct siege *s, siege_step *step)
{
    step(s);
    finish_burst(s);
    home_wait(&s->home, 100 * KITH_MSEC);
}

void siege_goes_on(struct siege *s, siege_step *step, kith_dur how_long)
{
    kith_time start = sim_net_now(s->home.net), end = start + how_long, look_at = start;

    while (sim_net_now(s->home.net) < end) {
        step(s);
        finish_burst(s);
        home_wait(&s->home, STEP);
        assert_true(s->home.lab.bytes < s->bytes + SIEGE_BYTES);
        if (sim_net_now(s->home.net) < look_at)
            continue;
        look_at = sim_net_now(s->home.net) + 10 * KITH_SEC;
        siege_others_are_well(s);
    }
}

const struct kith_session_counters *siege_counters(const struct siege *s)
{
    return kith_node_session_counters(s->home.node[0].node);
}

unsigned siege_told(const struct siege *s, enum kith_event_kind what)
{
    return s->home.node[0].seen[what];
}

void siege_assert_sent_away(struct siege *s, enum kith_offence what)
{
    const struct kith_conn_end *end = &s->home.foe.last_end;
    char why[80];

    kith_format(why, sizeof why, "over the limit of %s", kith_offence_text(what));
    assert_true(siege_told(s, KITH_EV_peer_over_limit) >= KITH_CONDUCT_STRIKES);
    assert_true(siege_told(s, KITH_EV_peer_sent_away) >= 1);
    assert_int_equal(siege_counters(s)->sent_away, siege_told(s, KITH_EV_peer_sent_away));
    assert_true(siege_counters(s)->offences[what] > 0);
    assert_int_equal(end->kind, KITH_END_PEER);
    if (end->code == KITH_CLOSE_LIMIT)
        assert_string_equal(end->text, why);
    else
        assert_int_equal(end->code, KITH_CLOSE_REFUSED);
    assert_false(foe_is_up(&s->home.foe, &s->home.node[0]));
    siege_others_are_well(s);
}

void siege_assert_still_there(struct siege *s)
{
    assert_int_equal(s->home.foe.downs, 0);
    assert_true(foe_is_up(&s->home.foe, &s->home.node[0]));
    assert_int_equal(siege_counters(s)->sent_away, 0);
    assert_int_equal(siege_told(s, KITH_EV_peer_sent_away), 0);
    siege_others_are_well(s);
}

void siege_assert_may_come_back(struct siege *s)
{
    const struct kith_quic_counters *q = kith_node_quic_counters(s->home.node[0].node);
    uint64_t accepted = q->accepted;

    home_wait(&s->home, KITH_CONDUCT_AWAY);
    /* its session layer is ours: who hears that it was sent away does not hammer at the door */
    assert_true(q->accepted - accepted < 60);
    foe_restart(&s->home.foe);
    home_foe_greets(&s->home, 0);
    siege_others_are_well(s);
}

void siege_says(struct siege *s, const uint8_t *message, size_t len, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (foe_say(&s->home.foe, &s->home.node[0], message, len) < 0)
            return;
}
