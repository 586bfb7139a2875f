/* session_pair.h: two sessions' peers on one simulated network, and what tests do with them.
 *
 * Order: pair_up; connect_pair; what the test is about; pair_down. */
#ifndef KITH_TESTS_SIM_SESSION_PAIR_H
#define KITH_TESTS_SIM_SESSION_PAIR_H

#include "sim/session_peer.h"

struct pair {
    struct sim_net *net;
    struct session_peer a, b;
    struct session_peer *both[2];
};

static inline void pair_up(struct pair *p, uint64_t seed)
{
    p->net = sim_net_new(seed);
    session_peer_init(&p->a, p->net, "192.0.2.1:9000", 1);
    session_peer_init(&p->b, p->net, "192.0.2.2:9000", 2);
    p->both[0] = &p->a;
    p->both[1] = &p->b;
}

static inline void pair_down(struct pair *p)
{
    session_peer_fini(&p->a);
    session_peer_fini(&p->b);
    sim_net_free(p->net);
}

static inline bool run(struct pair *p, bool (*pred)(void *), kith_dur limit)
{
    return session_peers_run(p->both, 2, pred, p, limit);
}

static inline void wait_for(struct pair *p, kith_dur d)
{
    assert_false(run(p, NULL, d));
}

static inline bool both_up(void *ctx)
{
    struct pair *p = ctx;
    struct kith_session *x = session_peer_to(&p->a, &p->b), *y = session_peer_to(&p->b, &p->a);

    return x != NULL && y != NULL && kith_session_is_up(x) && kith_session_is_up(y) &&
           p->a.ups > 0 && p->b.ups > 0;
}

static inline void connect_pair(struct pair *p)
{
    session_peer_want(&p->a, &p->b);
    assert_true(run(p, both_up, 10 * KITH_SEC));
}

/* Sends one packet from x to y; whether it was taken. */
static inline bool send_packet(struct pair *p, struct session_peer *x, struct session_peer *y,
                               size_t len)
{
    static uint8_t bytes[2000];
    struct kith_parts packet = {.head = {bytes, len / 3}, .body = {bytes + len / 3, len - len / 3}};
    struct kith_session *s = session_peer_to(x, y);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + len);
    return s != NULL &&
           kith_session_send_packets(s, &x->batch, 0, &packet, 1, sim_net_now(p->net)) == 1;
}

static inline void say(struct pair *p, unsigned messages)
{
    static const uint8_t message[200] = {0x80};

    for (unsigned i = 0; i < messages; i++)
        assert_int_equal(kith_session_send_control(session_peer_to(&p->a, &p->b),
                                                   KITH_SPAN_OF(message), sim_net_now(p->net)),
                         KITH_OK);
}

#endif
