#include "sim/laws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/neighbours.h"
#include "mesh/shelf.h"
#include "node/internal.h"
#include "session/internal.h"

enum { HERE = LAWS_NODES, STRANGER = LAWS_NODES + 1 }; /* in the place of a node */
enum {
    HANDLES = 64,         /* peers that a node of a town may know: all of it, and a few guests */
    DESTINATIONS = 10000, /* routes.c */
    SEQ_AHEAD = 86400,    /* spec mesh 2.5 */
    UDP_AT = 28,          /* bytes before the payload, over IPv4 */
    TCP_IP_ICMP = 1,      /* RFC 792 */
    MAGIC = 0x6c61,
};

/* Prints and keeps it; what follows of the same life is no news. */
static void KITH_PRINTF(2, 3) broken(struct laws *l, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!l->broken)
        print_message("  at %.3f s law %s\n", (double)sim_net_now(l->t->net) / 1e9, text);
    l->broken = true;
}

static struct kith_node *node_at(const struct laws *l, size_t at)
{
    return l->t->node[at].node;
}

static struct kith_relay_view relay_at(const struct laws *l, size_t at)
{
    return kith_relay_view(node_at(l, at)->mesh->relay);
}

/* A town is one network: the first of each node. */
static struct kith_mesh_paths *paths_at(const struct laws *l, size_t at)
{
    return node_at(l, at)->mesh->net[0].paths;
}

/* Whom a node means by a number. */
static size_t named(const struct laws *l, size_t at, uint32_t neighbour)
{
    const struct kith_node *n = node_at(l, at);

    if (neighbour >= n->n_handles)
        return neighbour == KITH_MESH_SELF ? HERE : STRANGER;
    for (size_t i = 0; i < l->t->n; i++)
        if (kith_peer_id_equal(&n->by_handle[neighbour]->id, &l->t->node[i].identity.id))
            return i;
    return STRANGER;
}

/* What `at` knows of `other`; NULL. */
static const struct node_peer *known_at(const struct laws *l, size_t at, size_t other)
{
    return peer_find(node_at(l, at), &l->t->node[other].identity.id);
}

/* ---- 1: no circles ---- */

struct place {
    size_t at;
    const struct kith_mesh_flow *flow; /* NULL: nowhere */
    enum kith_mesh_side side;          /* by which it was come to */
};

static bool is_end(struct kith_mesh_end a, struct kith_mesh_end b)
{
    return a.neighbour == b.neighbour && a.label == b.label;
}

static bool is_same_attempt(const struct kith_mesh_flow *a, const struct kith_mesh_flow *b)
{
    return memcmp(a->id.b, b->id.b, sizeof a->id.b) == 0 && a->attempt == b->attempt;
}

/* Where what `at` sends by an end of a flow comes to, if it is that flow there. */
static struct place behind(const struct laws *l, size_t at, const struct kith_mesh_flow *flow,
                           enum kith_mesh_side side)
{
    size_t next = named(l, at, flow->end[side].neighbour);
    const struct node_peer *p =
        next < l->t->n && node_at(l, next) != NULL ? known_at(l, next, at) : NULL;

    if (p == NULL)
        return (struct place){.flow = NULL};
    const struct kith_mesh_end end = {.neighbour = p->handle, .label = flow->end[side].label};
    const struct kith_mesh_flow *there = kith_mesh_flows_by_label(relay_at(l, next).flows, end);
    if (there == NULL || !is_same_attempt(there, flow))
        return (struct place){.flow = NULL};
    bool up = is_end(there->end[KITH_MESH_UP], end);
    return (struct place){.at = next, .flow = there, .side = up ? KITH_MESH_UP : KITH_MESH_DOWN};
}

static enum kith_mesh_side across(enum kith_mesh_side side)
{
    return side == KITH_MESH_UP ? KITH_MESH_DOWN : KITH_MESH_UP;
}

static void follow(struct laws *l, size_t at, const struct kith_mesh_flow *flow)
{
    struct place p = behind(l, at, flow, KITH_MESH_DOWN);
    uint32_t been = 1u << at;

    while (p.flow != NULL) {
        if ((been & 1u << p.at) != 0) {
            broken(l, "1: attempt %u of a flow that goes through %s comes to %s twice",
                   (unsigned)flow->attempt, l->t->name[at], l->t->name[p.at]);
            return;
        }
        been |= 1u << p.at;
        p = behind(l, p.at, p.flow, across(p.side));
    }
}

static struct laws_attempt *memory_of(struct laws *l, size_t at, const struct kith_mesh_flow *f)
{
    uint64_t h;

    memcpy(&h, f->id.b, sizeof h);
    h = (h ^ (uint64_t)f->attempt << 8 ^ at) * 0x9e3779b97f4a7c15u;
    return &l->attempt[(h >> 32) % LAWS_ATTEMPTS];
}

static bool is_of(const struct laws_attempt *a, size_t at, const struct kith_mesh_flow *f)
{
    return a->used && a->at == at && a->attempt == f->attempt &&
           memcmp(a->id.b, f->id.b, sizeof a->id.b) == 0;
}

/* Whether the one that the attempt came from before still leads it here, on a session that has not
 * been another since. One that nobody used for long may have been forgotten here. */
static bool still_leads(const struct laws *l, const struct laws_attempt *a)
{
    if (kith_since(sim_net_now(l->t->net), a->used_at) >= KITH_MESH_IDLE)
        return false;
    if (a->up >= l->t->n || node_at(l, a->up) == NULL)
        return a->up == HERE;
    const struct node_peer *back = known_at(l, a->at, a->up), *to = known_at(l, a->up, a->at);
    const struct kith_mesh_flow *f = kith_mesh_flows_by_id(relay_at(l, a->up).flows, &a->id);
    return back != NULL && back->mesh.neighbour && back->mesh.since <= a->seen && to != NULL &&
           to->mesh.neighbour && to->mesh.since <= a->seen && f != NULL &&
           f->attempt == a->attempt && f->end[KITH_MESH_DOWN].neighbour == to->handle &&
           f->end[KITH_MESH_DOWN].label == a->label;
}

static void enters_once(struct laws *l, size_t at, const struct kith_mesh_flow *f)
{
    struct laws_attempt *a = memory_of(l, at, f);
    size_t up = named(l, at, f->end[KITH_MESH_UP].neighbour);

    if (is_of(a, at, f) && a->up != up && still_leads(l, a))
        broken(l, "1: %s took in attempt %u of a flow from two neighbours, or has begun it",
               l->t->name[at], (unsigned)f->attempt);
    *a = (struct laws_attempt){.used = true,
                               .at = at,
                               .id = f->id,
                               .attempt = f->attempt,
                               .up = up,
                               .label = f->end[KITH_MESH_UP].label,
                               .seen = sim_net_now(l->t->net),
                               .used_at = f->used_at};
}

static void flows_go_in_no_circle(struct laws *l, size_t at)
{
    const struct kith_mesh_flows *all = relay_at(l, at).flows;

    for (const struct kith_link *k = all->used.next; k != &all->used; k = k->next) {
        const struct kith_mesh_flow *f = KITH_OF(k, struct kith_mesh_flow, used);
        follow(l, at, f);
        enters_once(l, at, f);
    }
}

/* ---- 2: hops ---- */

static void hops_are_never_used_up(struct laws *l, size_t at)
{
    uint64_t now = kith_node_relay_counters(node_at(l, at))->expired;

    if (l->honest && now > l->expired[at])
        broken(l, "2: hops were used up at %s, %u times", l->t->name[at],
               (unsigned)(now - l->expired[at]));
    l->expired[at] = now;
}

/* ---- 3: who is gone ---- */

static void nobody_leads_to_who_is_gone(struct laws *l, size_t at)
{
    const struct kith_mesh_paths *paths = paths_at(l, at);
    kith_time now = sim_net_now(l->t->net);
    struct kith_mesh_way way[KITH_MESH_WAYS];

    for (size_t i = 0; paths != NULL && i < l->t->n; i++) {
        if (l->gone_at[i] == KITH_NEVER || kith_since(now, l->gone_at[i]) < LAWS_GONE ||
            kith_since(now, l->changed_at) < LAWS_GONE ||
            kith_mesh_paths_ways(paths, &l->to[i], now, way) == 0)
            continue;
        size_t by = named(l, at, way[0].neighbour);
        broken(l, "3: %s knows a way to %s by %s, %.0f s after it is gone", l->t->name[at],
               l->t->name[i], by < l->t->n ? l->t->name[by] : "a stranger",
               (double)kith_since(now, l->gone_at[i]) / 1e9);
    }
}

/* ---- 4: numbers ---- */

static void what_is_told_on_grows_newer(struct laws *l, size_t at)
{
    const struct kith_mesh_paths *paths = paths_at(l, at);

    for (size_t i = 0; i < l->t->n; i++) {
        struct laws_told *before = &l->told[at][i], now = {.known = false};
        if (paths != NULL)
            now.known = kith_mesh_paths_told_on(paths, &l->to[i], &now.seq, &now.hops);
        if (now.known && before->known &&
            (now.seq < before->seq || (now.seq == before->seq && now.hops > before->hops)))
            broken(l, "4: %s told of %s under %u in %u hops, after %u in %u", l->t->name[at],
                   l->t->name[i], (unsigned)now.seq, now.hops, (unsigned)before->seq, before->hops);
        *before = now;
    }
}

/* ---- 5: bounds ---- */

static void hold(struct laws *l, size_t at, bool holds, const char *what)
{
    if (!holds)
        broken(l, "5: %s of %s", what, l->t->name[at]);
}

struct flow_census {
    size_t n, formers, labels, here;
    size_t begun[HANDLES];
};

static void count_end(struct flow_census *c, const struct kith_mesh_end *e)
{
    c->labels += e->neighbour != KITH_MESH_NOBODY && e->neighbour != KITH_MESH_SELF;
}

static struct flow_census count_flows(struct laws *l, size_t at, const struct kith_mesh_flows *all)
{
    struct flow_census c = {.n = 0};

    for (const struct kith_link *k = all->used.next; k != &all->used; k = k->next) {
        const struct kith_mesh_flow *f = KITH_OF(k, struct kith_mesh_flow, used);
        uint32_t up = f->end[KITH_MESH_UP].neighbour;
        c.n++;
        c.here += up == KITH_MESH_SELF;
        if (up < HANDLES)
            c.begun[up]++;
        count_end(&c, &f->end[KITH_MESH_UP]);
        count_end(&c, &f->end[KITH_MESH_DOWN]);
        hold(l, at, f->n_tried <= KITH_MESH_WAYS, "the ways tried for a flow");
        hold(l, at, f->hops <= KITH_MESH_HOPS_MAX, "the hops of a flow");
        hold(l, at, kith_since(sim_net_now(l->t->net), f->used_at) <= KITH_MESH_IDLE,
             "the age of an unused flow");
    }
    for (const struct kith_link *k = all->formers.next; k != &all->formers; k = k->next) {
        const struct kith_mesh_flow *f = KITH_OF(k, struct kith_mesh_flow, used);
        uint32_t up = f->end[KITH_MESH_UP].neighbour;
        c.formers++;
        if (up < HANDLES)
            c.begun[up]++;
        count_end(&c, &f->end[KITH_MESH_UP]);
        count_end(&c, &f->end[KITH_MESH_DOWN]);
        hold(l, at, f->latter->former == f, "a former of a flow");
        hold(l, at, kith_since(sim_net_now(l->t->net), f->used_at) <= KITH_MESH_FORMER,
             "the age of a former");
    }
    return c;
}

static void neighbours_are_bounded(struct laws *l, size_t at, const struct flow_census *c)
{
    const struct kith_mesh_neighbours *all = relay_at(l, at).neighbours;
    const struct kith_node *n = node_at(l, at);

    for (uint32_t h = 0; h < HANDLES; h++) {
        const struct kith_mesh_neighbour *k = kith_mesh_neighbours_find(all, h);
        bool is = h < n->n_handles && n->by_handle[h]->mesh.neighbour;
        hold(l, at, is == (k != NULL), "who is a neighbour, to the relay and to the node,");
        hold(l, at, c->begun[h] == (k == NULL ? 0 : k->begun), "the count of a neighbour's flows");
        hold(l, at, c->begun[h] <= KITH_RELAY_FLOWS_OF_NEIGHBOUR, "a neighbour's flows");
    }
}

static void relay_is_bounded(struct laws *l, size_t at)
{
    const struct kith_relay_view r = relay_at(l, at);
    const struct flow_census c = count_flows(l, at, r.flows);

    hold(l, at, c.n + c.formers <= KITH_RELAY_FLOWS_MAX, "all flows");
    hold(l, at, r.flows->n_formers == c.formers, "the count of formers");
    hold(l, at, r.flows->by_id.n == c.n, "the count of flows by id");
    hold(l, at, r.flows->by_label.n == c.labels, "the count of labels");
    hold(l, at, r.flows->by_destination.n == c.here, "the count of flows begun here");
    hold(l, at, c.here < LAWS_NODES, "flows begun here");
    hold(l, at,
         kith_shelf_weight(r.out) <= KITH_SHELF_BYTES &&
             kith_shelf_weight(r.in) <= KITH_SHELF_BYTES,
         "the shelves");
    neighbours_are_bounded(l, at, &c);
}

static void paths_are_bounded(struct laws *l, size_t at)
{
    const struct kith_mesh_paths *paths = paths_at(l, at);
    const struct kith_now now = node_sim_now(&l->t->node[at]);
    struct kith_mesh_way way[KITH_MESH_WAYS];

    if (paths == NULL)
        return;
    hold(l, at, kith_mesh_paths_count(paths) <= DESTINATIONS, "destinations");
    for (size_t i = 0; i < l->t->n; i++)
        for (size_t k = kith_mesh_paths_ways(paths, &l->to[i], now.mono, way); k > 0; k--) {
            hold(l, at, way[k - 1].hops > 0 && way[k - 1].hops <= KITH_MESH_HOPS_MAX,
                 "the hops of a way");
            hold(l, at, way[k - 1].seq <= now.wall + SEQ_AHEAD, "the number of a way");
            hold(l, at, i != at, "a way to itself");
        }
}

static void what_waits_is_bounded(struct laws *l, size_t at)
{
    const struct kith_node *n = node_at(l, at);
    size_t held = 0;

    for (size_t h = 0; h < n->n_handles; h++) {
        const size_t size = kith_unread_size(&n->by_handle[h]->mesh.unread);
        hold(l, at, size <= KITH_UNREAD_MAX, "what a neighbour told and is not read");
        hold(l, at, size == 0 || n->by_handle[h]->mesh.neighbour, "nobody waits who is none");
        held += size;
    }
    hold(l, at, held == n->mesh->held && held <= 4 << 20, "what is not read, of all");
}

static void sessions_are_bounded(struct laws *l, size_t at)
{
    const struct kith_node *n = node_at(l, at);
    const struct kith_sessions *all = n->sessions;

    hold(l, at, n->peers.n <= HANDLES && n->n_handles <= HANDLES, "peers");
    hold(l, at, n->mesh->by_destination.n == n->peers.n, "the count of peers by destination");
    hold(l, at, all->n_guests <= KITH_SESSION_GUESTS_MAX, "guests");
    hold(l, at, all->n <= HANDLES + KITH_SESSION_GUESTS_MAX, "sessions");
    hold(l, at, kith_sessions_connections(all) <= KITH_SESSION_CONNS_MAX * (all->n + 1),
         "connections");
    for (size_t h = 0; h < n->n_handles; h++)
        hold(l, at, n->by_handle[h]->n_lack <= LACK_MAX, "objects that a peer has to send");
}

static void tables_are_bounded(struct laws *l, size_t at)
{
    const struct kith_node *n = node_at(l, at);

    relay_is_bounded(l, at);
    paths_are_bounded(l, at);
    what_waits_is_bounded(l, at);
    sessions_are_bounded(l, at);
    hold(l, at, n->n_done <= DONE_MAX && n->n_pong <= PONGS_MAX, "answers not yet told");
}

/* ---- 6: packets ---- */

static size_t payload_of(size_t from, size_t to, uint32_t number, uint8_t ret[LAWS_LEN])
{
    uint64_t x = ((uint64_t)from << 48 | (uint64_t)to << 40 | number) * 0x9e3779b97f4a7c15u;
    size_t n = LAWS_HEAD + (size_t)((x >> 33) % (LAWS_LEN - LAWS_HEAD));
    struct kith_writer w = kith_writer_on(ret, LAWS_HEAD);

    kith_put_u8(&w, (uint8_t)from);
    kith_put_u8(&w, (uint8_t)to);
    kith_put_u16(&w, MAGIC);
    kith_put_u32(&w, number);
    for (size_t i = LAWS_HEAD; i < n; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ret[i] = (uint8_t)(x >> 56);
    }
    return n;
}

static size_t packet_of(const struct laws *l, size_t from, size_t to, uint32_t number,
                        uint8_t ret[NODE_SIM_PACKET_MAX])
{
    uint8_t payload[LAWS_LEN];
    size_t n = payload_of(from, to, number, payload);

    return node_sim_udp(&l->t->ip4[from], &l->t->ip4[to], (struct kith_span){payload, n}, ret);
}

void laws_send(struct laws *l, size_t a, size_t b)
{
    uint8_t packet[NODE_SIM_PACKET_MAX];
    struct node_peer_sim *p = &l->t->node[a];

    if (p->node == NULL || l->sent[a][b] == LAWS_NUMBERS)
        return;
    size_t n = packet_of(l, a, b, l->sent[a][b]++, packet);
    kith_node_from_tun(p->node, packet, n, node_sim_now(p));
}

/* A node says itself that a packet could not go: about one that was its to send. */
static void judge_error(struct laws *l, const struct node_peer_sim *p, size_t to)
{
    struct kith_span self = kith_ip_bytes(&l->t->ip4[to]);

    l->errors++;
    if (p->last_len < UDP_AT + 20 || memcmp(p->last_packet + 16, self.p, 4) != 0 ||
        memcmp(p->last_packet + UDP_AT + 12, self.p, 4) != 0)
        broken(l, "6: %s was told of an error that is not its own", l->t->name[to]);
}

static void judge_packet(struct laws *l, const struct node_peer_sim *p, size_t to)
{
    uint8_t expected[NODE_SIM_PACKET_MAX];
    struct kith_reader r =
        kith_reader_on((struct kith_span){p->last_packet + UDP_AT, p->last_len - UDP_AT});
    uint8_t from = kith_get_u8(&r), whom = kith_get_u8(&r);
    uint16_t magic = kith_get_u16(&r);
    uint32_t number = kith_get_u32(&r);

    if (magic != MAGIC || whom != to || from >= l->t->n || number >= l->sent[from][to]) {
        broken(l, "6: to %s came what nobody sent it", l->t->name[to]);
        return;
    }
    size_t n = packet_of(l, from, to, number, expected);
    if (n != p->last_len || memcmp(expected, p->last_packet, n) != 0)
        broken(l, "6: packet %u from %s to %s came as another", (unsigned)number, l->t->name[from],
               l->t->name[to]);
    if (l->came[from][to][number])
        broken(l, "6: packet %u from %s to %s came twice", (unsigned)number, l->t->name[from],
               l->t->name[to]);
    l->came[from][to][number] = true;
    l->reached[from][to] |= number >= l->since[from][to];
    l->arrived++;
}

static void on_packet(void *ctx, struct node_peer_sim *p)
{
    struct laws *l = ctx;
    size_t to = (size_t)(p - l->t->node);

    if (p->last_len >= UDP_AT && p->last_packet[9] == TCP_IP_ICMP)
        judge_error(l, p, to);
    else if (p->last_len >= UDP_AT + LAWS_HEAD)
        judge_packet(l, p, to);
    else
        broken(l, "6: to %s came what is no packet", l->t->name[to]);
}

static bool is_missing(const struct laws *l, size_t a, size_t b)
{
    return a != b && node_at(l, a) != NULL && node_at(l, b) != NULL && !l->reached[a][b];
}

void laws_want_all(struct laws *l)
{
    memset(l->reached, 0, sizeof l->reached);
    memcpy(l->since, l->sent, sizeof l->since);
}

size_t laws_wanting(const struct laws *l)
{
    size_t n = 0;

    for (size_t a = 0; a < l->t->n; a++)
        for (size_t b = 0; b < l->t->n; b++)
            n += is_missing(l, a, b);
    return n;
}

/* Who did not show its membership in time, be it for want of a way, is not called for a minute. */
static kith_time unwelcome_until(const struct laws *l, size_t a, size_t b)
{
    const struct node_peer *p = known_at(l, a, b);

    return p == NULL ? 0 : p->unwelcome_until;
}

kith_time laws_apart_until(const struct laws *l)
{
    kith_time last = 0;

    for (size_t a = 0; a < l->t->n; a++)
        for (size_t b = 0; b < l->t->n; b++)
            if (is_missing(l, a, b) && unwelcome_until(l, a, b) > last)
                last = unwelcome_until(l, a, b);
    return last;
}

void laws_ask(struct laws *l)
{
    for (size_t a = 0; a < l->t->n; a++)
        for (size_t b = 0; b < l->t->n; b++)
            if (is_missing(l, a, b))
                laws_send(l, a, b);
}

void laws_complain(struct laws *l)
{
    for (size_t a = 0; a < l->t->n; a++)
        for (size_t b = 0; b < l->t->n; b++)
            if (is_missing(l, a, b))
                print_message("  %s does not reach %s (%s)\n", l->t->name[a], l->t->name[b],
                              town_route(l->t, a, b));
    broken(l, "6: %u pairs don't reach each other", (unsigned)laws_wanting(l));
}

/* ---- all of them ---- */

void laws_begin(struct laws *l, struct town *t)
{
    memset(l, 0, sizeof *l);
    l->t = t;
    l->honest = true;
    for (size_t i = 0; i < t->n; i++) {
        l->gone_at[i] = KITH_NEVER;
        t->node[i].on_packet = on_packet;
        t->node[i].ctx = l;
        assert_int_equal(mesh_destination_of(&t->node[i].identity.id, &l->to[i]), KITH_OK);
    }
    laws_stirred(l);
}

void laws_stirred(struct laws *l)
{
    l->changed_at = sim_net_now(l->t->net);
}

/* What a node knew ends with it. */
static void forget(struct laws *l, size_t who)
{
    memset(l->told[who], 0, sizeof l->told[who]);
    l->expired[who] = 0;
    for (size_t i = 0; i < LAWS_ATTEMPTS; i++)
        if (l->attempt[i].at == who)
            l->attempt[i].used = false;
}

void laws_killed(struct laws *l, size_t who, bool for_good)
{
    l->gone_at[who] = for_good ? sim_net_now(l->t->net) : KITH_NEVER;
    forget(l, who);
    laws_stirred(l);
}

void laws_started(struct laws *l, size_t who)
{
    l->gone_at[who] = KITH_NEVER;
    laws_stirred(l);
}

bool laws_look(struct laws *l)
{
    for (size_t i = 0; i < l->t->n && !l->broken; i++) {
        if (node_at(l, i) == NULL)
            continue;
        flows_go_in_no_circle(l, i);
        hops_are_never_used_up(l, i);
        nobody_leads_to_who_is_gone(l, i);
        what_is_told_on_grows_newer(l, i);
        tables_are_bounded(l, i);
    }
    return !l->broken;
}
