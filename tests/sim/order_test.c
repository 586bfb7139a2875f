/* The order in which a session tells its news: what a peer says is told after the news that make
 * sense of it, also when both came in one turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "session/internal.h"
#include "sim/session_pair.h"

/* a dials. */
static void pair_begin(struct pair *p, uint64_t seed)
{
    pair_up(p, seed);
    session_peer_want(&p->a, &p->b);
}

static void forget_news(struct session_peer *p)
{
    memset(p->told, 0, sizeof p->told);
    p->n_told = 0;
}

/* The connection of a that has said hello and heard none. */
static const struct subflow *ungreeted(const struct pair *p)
{
    const struct kith_session *s = kith_sessions_find(p->a.sessions, &p->b.id);

    for (size_t i = 0; s != NULL && i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn != NULL && s->flow[i].established && !s->flow[i].greeted)
            return &s->flow[i];
    return NULL;
}

static bool a_has_said_hello(void *ctx)
{
    return ungreeted(ctx) != NULL;
}

/* Two messages right behind a's hello; b gets all of it before it has another turn. */
static void say_two_with_the_hello(struct pair *p)
{
    static const uint8_t frames[] = {0, 2, 0x80, 1, 0, 2, 0x80, 2};

    assert_true(run(p, a_has_said_hello, 10 * KITH_SEC));
    const struct subflow *f = ungreeted(p);
    assert_int_equal(kith_conn_stream_send(f->conn, f->control,
                                           (struct kith_span){frames, sizeof frames}, false),
                     KITH_OK);
    forget_news(&p->b);
    (void)session_peers_run(&p->both[0], 1, NULL, NULL, 0); /* a alone: it writes */
    for (kith_time end = sim_net_now(p->net) + 50 * KITH_MSEC; sim_net_now(p->net) < end;)
        (void)sim_net_run(p->net, end);
    (void)run(p, NULL, 100 * KITH_MSEC);
    assert_int_equal(p->b.last_control[1], 2);
}

static void what_came_with_the_hello_is_told_after_up(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p, 1);
    say_two_with_the_hello(&p);
    assert_string_equal(p.b.told, "UCC");
    pair_down(&p);
}

static void what_came_with_the_hello_of_a_new_start_is_told_after_restarted(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p, 2);
    (void)run(&p, NULL, KITH_SEC);
    assert_string_equal(p.b.told, "U");
    session_peer_restart(&p.a);
    sim_host_move(p.a.host, "198.51.100.1:9000"); /* so that b's old connection hears nothing */
    session_peer_want(&p.a, &p.b);
    say_two_with_the_hello(&p);
    assert_string_equal(p.b.told, "RMCC");
    pair_down(&p);
}

static void what_came_with_the_hello_of_another_connection_is_told_after_moved(void **state)
{
    struct kith_ip old;
    struct pair p;

    (void)state;
    pair_begin(&p, 3);
    (void)run(&p, NULL, KITH_SEC);
    old = sim_host_addr(p.a.host)->ip;
    sim_host_move(p.a.host, "198.51.100.1:9000");
    kith_sessions_network_changed(p.a.sessions, &old, 1, sim_net_now(p.net));
    say_two_with_the_hello(&p);
    assert_memory_equal(p.b.told, "MCC", 3);
    assert_int_equal(p.a.downs + p.b.downs, 0);
    pair_down(&p);
}

/* Here the accepting side's hello and its first message travel in one datagram. */
static void two_that_speak_at_once_are_each_told_up_first(void **state)
{
    struct pair p;

    (void)state;
    pair_begin(&p, 4);
    p.a.greets = p.b.greets = true;
    (void)run(&p, NULL, KITH_SEC);
    assert_string_equal(p.a.told, "UC");
    assert_string_equal(p.b.told, "UC");
    pair_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_with_the_hello_is_told_after_up),
        cmocka_unit_test(what_came_with_the_hello_of_a_new_start_is_told_after_restarted),
        cmocka_unit_test(what_came_with_the_hello_of_another_connection_is_told_after_moved),
        cmocka_unit_test(two_that_speak_at_once_are_each_told_up_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
