/* Dialling somebody far away: what has begun is left to finish, what nobody answers is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/session_peer.h"

/* To the moon and back: 384,400 km each way. */
#define MOON (2564 * KITH_MSEC)

struct pair {
    struct sim_net *net;
    struct session_peer a, b;
    struct session_peer *both[2];
    unsigned answers; /* that the filter lets through to a */
};

static void pair_up(struct pair *p, uint64_t seed, kith_dur rtt)
{
    print_message("seed %u\n", (unsigned)seed);
    p->net = sim_net_new(seed);
    sim_net_default_link(p->net, &(struct sim_link){.delay = rtt / 2});
    session_peer_init(&p->a, p->net, "192.0.2.1:9000", 1);
    session_peer_init(&p->b, p->net, "192.0.2.2:9000", 2);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
}

static void pair_down(struct pair *p)
{
    session_peer_fini(&p->a);
    session_peer_fini(&p->b);
    sim_net_free(p->net);
}

static bool both_up(void *ctx)
{
    const struct pair *p = ctx;

    return p->a.ups == 1 && p->b.ups == 1;
}

static uint64_t dials(const struct pair *p)
{
    return kith_sessions_counters(p->a.sessions)->dials;
}

/* The dialler may use a connection after two round trips (RFC 9001 4.1.2), and greets over it. */
static void a_dial_that_is_answered_is_left_to_finish(void **state)
{
    struct pair p;

    (void)state;
    for (kith_dur rtt = MOON / 8; rtt <= MOON; rtt *= 2) {
        pair_up(&p, 1, rtt);
        session_peer_want(&p.a, &p.b);
        assert_true(session_peers_run(p.both, 2, both_up, &p, 3 * rtt + 100 * KITH_MSEC));
        pair_down(&p);
    }
}

static void one_that_nobody_answers_gives_way_to_another(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 2, 20 * KITH_MSEC);
    sim_net_default_link(p.net, &(struct sim_link){.cut = true});
    session_peer_want(&p.a, &p.b);
    assert_false(session_peers_run(p.both, 2, both_up, &p, 6 * KITH_SEC));
    assert_in_range(dials(&p), 2, 3); /* each is given two seconds */
    pair_down(&p);
}

static bool some_answers(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                         uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    (void)to, (void)data, (void)len;
    if (!kith_addr_equal(from, sim_host_addr(p->b.host)))
        return true;
    p->answers -= p->answers > 0;
    return p->answers > 0;
}

static void one_whose_answers_cease_gives_way_as_well(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, 3, 20 * KITH_MSEC);
    p.answers = 2; /* the first of a flight that takes more */
    sim_net_set_filter(p.net, some_answers, &p);
    session_peer_want(&p.a, &p.b);
    assert_false(session_peers_run(p.both, 2, both_up, &p, 6 * KITH_SEC));
    assert_in_range(dials(&p), 2, 3);
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dial_that_is_answered_is_left_to_finish),
        cmocka_unit_test(one_that_nobody_answers_gives_way_to_another),
        cmocka_unit_test(one_whose_answers_cease_gives_way_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
