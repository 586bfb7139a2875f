#include "sim/town.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "session/internal.h"

#define TICK (2 * KITH_MSEC)              /* between two looks at a stream */
#define HURRY (2 * KITH_SEC)              /* so long a pair sends ten times a second, then twice */

void town_wait(struct town *t, kith_dur d)
{
    (void)node_sims_run(t->all, t->n, NULL, NULL, d);
}

/* The first lets in the last. */
static void join(struct town *t)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    struct node_peer_sim *by = &t->node[0], *p = &t->node[t->n - 1];
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    assert_int_equal(kith_node_invite(by->node, &plain, node_sim_now(by), ticket, sizeof ticket,
                                      &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why), KITH_OK);
    town_wait(t, 2 * KITH_SEC);
    assert_int_equal(p->dones, 1);
    assert_int_equal(p->last_err, KITH_OK);
}

static struct kith_network_info info_of(const struct town *t, size_t who)
{
    struct kith_network_info info = {.name = ""};
    size_t at = 0;

    assert_true(
        kith_node_next_network(t->node[who].node, &at, node_sim_now(&t->node[who]).wall, &info));
    return info;
}

static void learn(struct town *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->ip4[i] = info_of(t, i).ip4;
}

static size_t number_of(const struct town *t, const uint8_t *ip4)
{
    for (size_t i = 0; i < t->n; i++)
        if (memcmp(kith_ip_bytes(&t->ip4[i]).p, ip4, 4) == 0)
            return i;
    return t->n;
}

static void on_packet(void *ctx, struct node_peer_sim *p)
{
    struct town *t = ctx;
    size_t from = number_of(t, p->last_packet + 12), to = (size_t)(p - t->node); /* RFC 791 3.1 */

    if (from < t->n)
        t->heard[from][to] = true;
}

/* A machine in a place of its own. */
static struct node_peer_sim *add_node(struct town *t)
{
    struct node_peer_sim *p = &t->node[t->n];
    char *name = t->name[t->n], addr[40];

    t->all[t->n++] = p;
    kith_format(addr, sizeof addr, "198.18.%zu.1:9000", t->n);
    kith_format(name, sizeof t->name[0], "m%zu", t->n);
    node_sim_init(p, t->net, name, addr, (uint8_t)t->n);
    p->on_packet = on_packet;
    p->ctx = t;
    return p;
}

/* With its first node. */
static void found(struct town *t, uint64_t seed)
{
    struct kith_prefix range;
    struct kith_node_why why;

    print_message("seed %u\n", (unsigned)seed);
    memset(t, 0, sizeof *t);
    t->net = sim_net_new(seed);
    t->link = (struct sim_link){.delay = 5 * KITH_MSEC};
    struct node_peer_sim *p = add_node(t);
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(
        kith_node_network_create(p->node, "home", &range, node_sim_now(p), &t->info, &why),
        KITH_OK);
}

void town_up(struct town *t, uint64_t seed, size_t n)
{
    found(t, seed);
    sim_net_default_link(t->net, &t->link);
    while (t->n < n) {
        add_node(t);
        join(t);
    }
    town_wait(t, 5 * KITH_SEC);
    learn(t);
}

void town_up_placed(struct town *t, uint64_t seed, size_t n, town_place *place)
{
    found(t, seed);
    sim_net_default_link(t->net, &(struct sim_link){.cut = true});
    while (t->n < n) {
        add_node(t);
        place(t, t->n - 1, false);
        join(t);
        place(t, t->n - 1, true);
    }
    town_wait(t, 5 * KITH_SEC);
    learn(t);
}

static void place_in_row(struct town *t, size_t who, bool in)
{
    town_hear(t, who - 1, who, true);
    town_hear(t, 0, who, !in || who == 1);
}

void town_up_row(struct town *t, uint64_t seed, size_t n)
{
    town_up_placed(t, seed, n, place_in_row);
}

void town_down(struct town *t)
{
    for (size_t i = 0; i < t->n; i++)
        node_sim_fini(&t->node[i]);
    sim_net_free(t->net);
}

void town_hear(struct town *t, size_t a, size_t b, bool hear)
{
    struct sim_link l = t->link;

    l.cut = !hear;
    sim_net_link(t->net, t->node[a].host, t->node[b].host, &l);
}

void town_outage(struct town *t, bool out)
{
    for (size_t i = 0; i < t->n; i++)
        sim_host_power(t->node[i].host, !out);
}

static bool find_peer(const struct town *t, size_t who, size_t of, struct kith_peer_info *ret)
{
    struct kith_session *at = NULL;
    kith_wall now = node_sim_now(&t->node[who]).wall;

    while (kith_node_next_peer(t->node[who].node, &at, now, ret))
        if (kith_peer_id_equal(&ret->session.peer, &t->node[of].identity.id))
            return true;
    return false;
}

size_t town_sessions(const struct town *t, size_t who)
{
    return kith_node_session_count(t->node[who].node);
}

const char *town_route(const struct town *t, size_t who, size_t to)
{
    static struct kith_peer_info info;

    return find_peer(t, who, to, &info) ? info.route : "none";
}

/* ---- everybody with everybody ---- */

void town_want_none(struct town *t)
{
    memset(t->wanted, 0, sizeof t->wanted);
}

void town_want(struct town *t, size_t a, size_t b)
{
    t->wanted[a][b] = t->wanted[b][a] = true;
}

void town_want_all(struct town *t, const bool *on)
{
    town_want_none(t);
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = 0; b < a; b++)
            if (on[a] && on[b])
                town_want(t, a, b);
}

/* Sends for each pair that was not heard yet; how many. */
static size_t ask(struct town *t)
{
    size_t left = 0;

    for (size_t a = 0; a < t->n; a++)
        for (size_t b = 0; b < t->n; b++)
            if (t->wanted[a][b] && !t->heard[a][b]) {
                node_sim_send_udp(&t->node[a], &t->ip4[a], &t->ip4[b], 100);
                left++;
            }
    return left;
}

bool town_talk(struct town *t, kith_dur limit, kith_dur *ret_took)
{
    kith_time from = sim_net_now(t->net);

    memset(t->heard, 0, sizeof t->heard);
    for (;;) {
        size_t left = ask(t);
        *ret_took = sim_net_now(t->net) - from;
        if (left == 0)
            return true;
        if (*ret_took >= limit)
            return false;
        town_wait(t, *ret_took < HURRY ? KITH_SEC / 10 : KITH_SEC / 2);
    }
}

void town_complain(const struct town *t)
{
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = 0; b < t->n; b++)
            if (t->wanted[a][b] && !t->heard[a][b])
                print_message("  %s does not reach %s (%s)\n", t->name[a], t->name[b],
                              town_route(t, a, b));
}

/* ---- bulk ---- */

static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)((at * 0x9e3779b97f4a7c15u) >> 56);
}

static struct kith_session *session_between(const struct town *t, size_t who, size_t with)
{
    return kith_sessions_find(t->node[who].node->sessions, &t->node[with].identity.id);
}

/* The bulk's connection as one of its ends has it; NULL when it is no more. */
static struct kith_conn *connection_at(const struct bulk *b, size_t who, size_t with)
{
    struct kith_session *s = session_between(b->town, who, with);

    for (size_t i = 0; s != NULL && i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *f = &s->flow[i];
        if (f->conn != NULL && f->established &&
            memcmp(kith_conn_exporter(f->conn), b->connection, sizeof b->connection) == 0)
            return f->conn;
    }
    return NULL;
}

/* The receiver opens it as for an enrolment, and asks for nothing: so a node leaves the stream
 * alone at either end, and whoever accepted it may send on it. */
static void bulk_open(struct bulk *b)
{
    struct kith_session *s = session_between(b->town, b->to, b->from);
    struct kith_conn *c;

    b->sent = b->came = 0;
    b->wrong = false;
    b->open = s != NULL && kith_session_open_stream(s, KITH_STREAM_ENROL, &c, &b->stream) >= 0;
    if (!b->open)
        return;
    b->starts++;
    memcpy(b->connection, kith_conn_exporter(c), sizeof b->connection);
}

static void bulk_send(struct bulk *b, struct kith_conn *c)
{
    uint8_t some[4096];

    while (b->sent < b->size) {
        size_t n = sizeof some < b->size - b->sent ? sizeof some : (size_t)(b->size - b->sent);
        if (kith_conn_stream_room(c, b->stream) < n)
            return; /* or it has not heard of the stream yet */
        for (size_t i = 0; i < n; i++)
            some[i] = byte_at(b->sent + i);
        assert_int_equal(kith_conn_stream_send(c, b->stream, (struct kith_span){some, n}, false),
                         KITH_OK);
        b->sent += n;
    }
}

static void bulk_take(struct bulk *b, struct kith_conn *c)
{
    bool fin;
    struct kith_span in = kith_conn_stream_peek(c, b->stream, &fin);

    for (size_t i = 0; i < in.n; i++)
        b->wrong |= in.p[i] != byte_at(b->came + i);
    b->came += in.n;
    kith_conn_stream_consume(c, b->stream, in.n);
}

static void bulk_step(struct bulk *b)
{
    if (!b->open)
        bulk_open(b);
    if (!b->open)
        return;
    struct kith_conn *from = connection_at(b, b->from, b->to);
    struct kith_conn *to = connection_at(b, b->to, b->from);
    if (to != NULL)
        bulk_take(b, to);
    if (from != NULL)
        bulk_send(b, from);
    b->open = to != NULL && (from != NULL || b->sent == b->size);
}

bool bulk_carry(struct bulk *b, kith_dur limit)
{
    kith_time end = kith_after(sim_net_now(b->town->net), limit);

    b->sent = b->came = b->starts = 0;
    b->open = b->wrong = false;
    while (sim_net_now(b->town->net) < end) {
        bulk_step(b);
        if (b->wrong || b->came == b->size)
            break;
        town_wait(b->town, TICK);
    }
    return !b->wrong && b->came == b->size;
}
