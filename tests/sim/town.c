#include "sim/town.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/internal.h"
#include "session/internal.h"

#define TICK (2 * KITH_MSEC)              /* between two looks at a stream */
#define BETWEEN_PACKETS (100 * KITH_MSEC) /* of one pair */

void town_wait(struct town *t, kith_dur d)
{
    (void)node_sims_run(t->all, t->n, NULL, NULL, d);
}

static void join(struct town *t, struct node_peer_sim *p)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    struct node_peer_sim *all[TOWN_MAX + 1];
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    size_t before = p->dones;
    kith_wall expires;

    memcpy(all, t->all, t->n * sizeof *all);
    all[t->n] = p;
    assert_int_equal(kith_node_invite(t->node[0].node, &plain, node_sim_now(&t->node[0]), ticket,
                                      sizeof ticket, &net, &expires, &why),
                     KITH_OK);
    assert_int_equal(kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why), KITH_OK);
    (void)node_sims_run(all, t->n + 1, NULL, NULL, 2 * KITH_SEC);
    assert_int_equal(p->dones, before + 1);
    assert_int_equal(p->last_err, KITH_OK);
}

/* One machine is set up anew for each of them. */
static void let_in_absent(struct town *t, size_t n)
{
    struct node_peer_sim p;
    char name[16];

    for (size_t i = 0; i < n; i++) {
        struct kith_sign_seed key = {{(uint8_t)i, 78}};
        kith_format(name, sizeof name, "absent%zu", i);
        if (i == 0)
            node_sim_init_with(&p, t->net, name, "198.18.0.1:9000", &key, &kith_heap);
        else
            node_sim_reinstall(&p, &key);
        join(t, &p);
        if (i == n - 1)
            node_sim_fini(&p);
    }
}

static void learn(struct town *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct kith_network_info info = {.name = ""};
        size_t at = 0;
        assert_true(kith_node_next_network(t->node[i].node, &at, 0, &info));
        t->ip4[i] = info.ip4;
    }
}

/* A machine in a place of its own. */
static void add_node(struct town *t, size_t i)
{
    char addr[40];

    kith_format(addr, sizeof addr, "198.18.%zu.1:9000", i + 1);
    kith_format(t->name[i], sizeof t->name[i], "m%zu", i + 1);
    node_sim_init(&t->node[i], t->net, t->name[i], addr, (uint8_t)(i + 1));
    t->all[i] = &t->node[i];
}

void town_up(struct town *t, uint64_t seed, size_t n, size_t absent)
{
    struct kith_prefix range;
    struct kith_node_why why;

    print_message("seed %u\n", (unsigned)seed);
    memset(t, 0, sizeof *t);
    t->net = sim_net_new(seed);
    t->link = (struct sim_link){.delay = 5 * KITH_MSEC};
    sim_net_default_link(t->net, &t->link);
    add_node(t, 0);
    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    assert_int_equal(kith_node_network_create(t->node[0].node, "home", &range,
                                              node_sim_now(&t->node[0]), &t->info, &why),
                     KITH_OK);
    t->n = 1;
    let_in_absent(t, absent);
    for (; t->n < n; t->n++) {
        add_node(t, t->n);
        join(t, &t->node[t->n]);
    }
    town_wait(t, 5 * KITH_SEC);
    learn(t);
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

void town_row(struct town *t)
{
    for (size_t a = 0; a < t->n; a++)
        for (size_t b = a + 2; b < t->n; b++)
            town_hear(t, a, b, false);
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

/* Who sent what came to `to` last; t->n when it was none of them. */
static size_t sender(const struct town *t, size_t to)
{
    const uint8_t *source = t->node[to].last_packet + 12; /* RFC 791 3.1 */

    for (size_t i = 0; i < t->n; i++)
        if (memcmp(kith_ip_bytes(&t->ip4[i]).p, source, 4) == 0)
            return i;
    return t->n;
}

/* Notes what came; never true. Asked after every instant: of several that come to one node at the
 * same, the last counts, and the others are sent again. */
static bool listen(void *ctx)
{
    struct town *t = ctx;

    for (size_t i = 0; i < t->n; i++) {
        if (t->node[i].tun_packets == t->came[i])
            continue;
        t->came[i] = t->node[i].tun_packets;
        size_t from = sender(t, i);
        if (from < t->n)
            t->heard[from][i] = true;
    }
    return false;
}

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
    for (size_t i = 0; i < t->n; i++)
        t->came[i] = t->node[i].tun_packets;
    for (;;) {
        size_t left = ask(t);
        *ret_took = sim_net_now(t->net) - from;
        if (left == 0)
            return true;
        if (*ret_took >= limit)
            return false;
        (void)node_sims_run(t->all, t->n, listen, t, BETWEEN_PACKETS);
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
