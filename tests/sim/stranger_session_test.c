/* Members and strangers at one door: who gets in when strangers have used up their share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/session_peer.h"

/* A handshake takes half a second of thread time: after one, a quarter of the time gives nothing to
 * anybody for two seconds. */
static const struct kith_quic_config slow = {.prices.handshake = 500 * KITH_MSEC};

enum { PEERS = 4 };

struct scene {
    struct sim_net *net;
    struct session_peer door, a, b, c;
    struct session_peer *all[PEERS];
};

static void set_scene(struct scene *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->net = sim_net_new(seed);
    session_peer_init_with(&s->door, s->net, "192.0.2.1:9000", 1, &slow);
    session_peer_init(&s->a, s->net, "198.51.100.1:9000", 2);
    session_peer_init(&s->b, s->net, "198.51.101.1:9000", 3);
    session_peer_init(&s->c, s->net, "198.51.102.1:9000", 4);
    s->all[0] = &s->door;
    s->all[1] = &s->a;
    s->all[2] = &s->b;
    s->all[3] = &s->c;
}

static void clear_scene(struct scene *s)
{
    for (int i = 0; i < PEERS; i++)
        session_peer_fini(s->all[i]);
    sim_net_free(s->net);
}

static void run(struct scene *s, kith_dur span)
{
    assert_false(session_peers_run(s->all, PEERS, NULL, NULL, span));
}

static bool is_up(const struct scene *s, struct session_peer *who)
{
    const struct kith_session *session = session_peer_to(who, &s->door);

    return session != NULL && kith_session_is_up(session);
}

static bool a_is_up(void *ctx)
{
    struct scene *s = ctx;

    return is_up(s, &s->a);
}

/* Wants to come in now, as after a start. */
static void come(struct scene *s, struct session_peer *who)
{
    session_peer_restart(who);
    session_peer_want(who, &s->door);
    run(s, 400 * KITH_MSEC);
}

static void who_was_a_member_comes_back_when_no_stranger_comes_in(void **state)
{
    static struct scene s;

    (void)state;
    set_scene(&s, 1);
    come(&s, &s.a); /* the door trusts whoever comes */
    assert_true(is_up(&s, &s.a));
    run(&s, 10 * KITH_SEC);
    s.door.trusting = false;
    come(&s, &s.b);
    assert_true(is_up(&s, &s.b)); /* and with it the share is spent */
    come(&s, &s.c);
    assert_false(is_up(&s, &s.c));
    come(&s, &s.a);
    assert_true(is_up(&s, &s.a));
    clear_scene(&s);
}

static void who_was_only_a_guest_has_to_wait(void **state)
{
    static struct scene s;

    (void)state;
    set_scene(&s, 2);
    s.door.trusting = false;
    come(&s, &s.a);
    assert_true(is_up(&s, &s.a));
    run(&s, 5 * KITH_SEC);
    come(&s, &s.b);
    assert_true(is_up(&s, &s.b));
    come(&s, &s.a);
    assert_false(is_up(&s, &s.a));
    assert_true(session_peers_run(s.all, PEERS, a_is_up, &s, 8 * KITH_SEC)); /* its turn */
    clear_scene(&s);
}

static void where_a_member_is_said_to_be_is_known(void **state)
{
    static struct scene s;
    struct kith_session *told;

    (void)state;
    set_scene(&s, 3);
    s.door.trusting = false;
    assert_int_equal(kith_sessions_get(s.door.sessions, &s.a.id, sim_net_now(s.net), &told),
                     KITH_OK);
    kith_session_set_addrs(told, sim_host_addr(s.a.host), 1, sim_net_now(s.net));
    come(&s, &s.b);
    assert_true(is_up(&s, &s.b));
    come(&s, &s.c);
    assert_false(is_up(&s, &s.c));
    come(&s, &s.a);
    assert_true(is_up(&s, &s.a));
    clear_scene(&s);
}

/* A session that is wanted outlives its connections: who comes again is a guest anew. */
static void a_guest_that_comes_again_has_its_time_again(void **state)
{
    static struct scene s;
    struct kith_session *wanted;

    (void)state;
    set_scene(&s, 4);
    s.door.trusting = false;
    assert_int_equal(kith_sessions_get(s.door.sessions, &s.a.id, sim_net_now(s.net), &wanted),
                     KITH_OK);
    kith_session_set_addrs(wanted, sim_host_addr(s.a.host), 1, sim_net_now(s.net));
    kith_session_want(wanted, true, sim_net_now(s.net));
    come(&s, &s.a);
    assert_true(is_up(&s, &s.a));
    run(&s, 7 * KITH_SEC);
    session_peer_restart(&s.a);
    session_peer_want(&s.a, &s.door);
    kith_session_close(wanted, KITH_CLOSE_DONE, "", sim_net_now(s.net));
    kith_session_want(wanted, true, sim_net_now(s.net));
    assert_true(session_peers_run(s.all, PEERS, a_is_up, &s, 2 * KITH_SEC));
    run(&s, 4 * KITH_SEC); /* more than ten after it came first */
    assert_int_equal(s.door.seen[KITH_EV_peer_over_limit], 0);
    assert_true(is_up(&s, &s.a));
    run(&s, 7 * KITH_SEC);
    assert_int_equal(s.door.seen[KITH_EV_peer_over_limit], 1);
    clear_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_a_member_comes_back_when_no_stranger_comes_in),
        cmocka_unit_test(who_was_only_a_guest_has_to_wait),
        cmocka_unit_test(where_a_member_is_said_to_be_is_known),
        cmocka_unit_test(a_guest_that_comes_again_has_its_time_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
