/* node_life.c: the whole life of two honest nodes and a member that was taken over. The input is a
 * program: people ask for things, packets come and go, the wire loses and repeats, addresses and
 * calendars jump, programs stop and start again with the store they had, the foe says what it
 * likes.
 *
 * The laws, after every step: what a node holds is bounded. At the end, when the storm is over: two
 * that still count each other members have a session again, and when both have stopped, nothing
 * that they allocated is left.
 *
 * Every input has a world of its own, so that one file shows a fault. What is slow is made once:
 * the keys, and the network, whose stores are copied back for each input. */
#include <stdlib.h>

#include <sqlite3.h>

#include "fuzz/mouth.h"
#include "lab_alloc.h"
#include "node/internal.h"
#include "store/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
    NODES = 2,
    STEPS_MAX = 64,
    BYTES_MAX = 4 << 20,  /* of one node at any time; an idle one has about 0.3 MB */
    CONNECTIONS_MAX = 40, /* of one node: 8 with each peer, dials, and what lingers */
    PEERS_HELD_MAX = 64,  /* known to a node: the foe can make up members' names, not peers */
    FATES_MAX = 32,
    TICKETS = 2,
};

#define WAITS_MAX (300 * KITH_SEC)  /* long pauses of an input together, for its own length's sake */
#define STORM_OVER (200 * KITH_SEC) /* the longest pause between dials, twice, and some */

struct life {
    struct sim_net *net;
    struct node_peer_sim node[NODES];
    struct node_peer_sim *all[NODES];
    struct lab_alloc lab[NODES];
    struct foe foe, *foes[1];
    struct known known;
    struct mouth_ends ends;
    char ticket[TICKETS][KITH_TICKET_TEXT_MAX];
    uint8_t fate[FATES_MAX]; /* of the next datagrams */
    size_t fates, fated;
    kith_dur waited; /* in long pauses */
    bool moved;      /* the second node; coming home wakes it, so only then */
};

/* What was founded once. */
static struct {
    struct kith_identity identity[NODES];
    struct kith_tx_batch batch[NODES]; /* empty between inputs; its buffers are large */
    struct kith_store *store[NODES];   /* where an input's nodes keep things */
    sqlite3 *copy[NODES];              /* what is in them at the beginning of each */
    size_t inputs;
    struct kith_network_id network;
    struct mouth_ends ends; /* from the foe to the first node */
    uint8_t membership[16384];
    size_t membership_len;
    struct kith_span certificate; /* within it */
} origin;

static const struct kith_env store_env = {.alloc = &kith_heap};
static const char *const home_addr[NODES] = {"192.0.2.1:9000", "192.0.2.2:9000"};
static const char *const name[NODES] = {"laptop", "desktop"};

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* ---- the beginning ---- */

static void copy_store(sqlite3 *to, sqlite3 *from)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");

    check(b != NULL && sqlite3_backup_step(b, -1) == SQLITE_DONE);
    check(sqlite3_backup_finish(b) == SQLITE_OK);
}

static void join_now(struct node_peer_sim *by, struct node_peer_sim *who)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    check(kith_node_invite(by->node, &plain, node_sim_now(by), ticket, sizeof ticket, &net,
                           &expires, &why) == KITH_OK);
    check(kith_node_join(who->node, ticket, NULL, 1, node_sim_now(who), &why) == KITH_OK);
}

static void take_origin(struct node_peer_sim node[NODES + 1])
{
    const struct node_network *net = &node[NODES].node->network[0];
    struct kith_member self, root;

    check(network_self(node[NODES].node, net, node_sim_now(&node[NODES]).wall, &self));
    check(kith_netview_member(net->view, &node[0].identity.id, node_sim_now(&node[0]).wall, &root));
    struct kith_membership m = {.network = net->id, .slot = 0, .cert = self.cert->bytes};
    check(kith_membership_encode(&m, origin.membership, sizeof origin.membership,
                                 &origin.membership_len) == KITH_OK);
    check(kith_membership_decode((struct kith_span){origin.membership, origin.membership_len},
                                 &m) == KITH_OK);
    origin.network = net->id;
    origin.certificate = m.cert;
    origin.ends = (struct mouth_ends){self.ip4, root.ip4, self.ip6, root.ip6};
    for (size_t i = 0; i < NODES; i++) {
        check(sqlite3_open(":memory:", &origin.copy[i]) == SQLITE_OK);
        copy_store(origin.copy[i], node[i].store->db);
        check(kith_store_open(":memory:", &store_env, &origin.store[i], NULL) == KITH_OK);
        origin.identity[i] = node[i].identity; /* and its key, which is not freed with the node */
        node[i].identity.key = NULL;
    }
}

/* A network of three, the third of which will be the foe. */
static void found(void)
{
    struct sim_net *net = sim_net_new(1);
    struct node_peer_sim node[NODES + 1], *all[NODES + 1];
    struct kith_network_info info;
    struct kith_node_why why;
    struct kith_prefix range;

    for (uint8_t i = 0; i <= NODES; i++) {
        node_sim_init(&node[i], net, i < NODES ? name[i] : "phone",
                      i < NODES ? home_addr[i] : "192.0.2.3:9000", (uint8_t)(i + 1));
        all[i] = &node[i];
    }
    check(kith_prefix_parse("100.80.0.0/16", &range) == KITH_OK);
    check(kith_node_network_create(node[0].node, "home", &range, node_sim_now(&node[0]), &info,
                                   &why) == KITH_OK);
    join_now(&node[0], &node[1]);
    join_now(&node[0], &node[2]);
    (void)node_sims_run(all, NODES + 1, NULL, NULL, 5 * KITH_SEC);
    take_origin(node);
    for (size_t i = 0; i <= NODES; i++)
        node_sim_fini(&node[i]);
    sim_net_free(net);
}

static void deliver(void *ctx, const struct kith_rx *run, kith_time now)
{
    struct node_peer_sim *p = ctx;

    (void)now;
    if (p->node != NULL)
        kith_node_receive(p->node, run, node_sim_now(p));
}

/* The node begins with the founded store, and all its memory is the lab's. */
static void settle(struct life *l, size_t i)
{
    struct node_peer_sim *p = &l->node[i];

    lab_alloc_init(&l->lab[i]);
    copy_store(origin.store[i]->db, origin.copy[i]);
    p->net = l->net;
    p->name = name[i];
    p->identity = origin.identity[i];
    p->store = origin.store[i];
    p->env = (struct kith_env){
        .alloc = &l->lab[i].alloc, .random = sim_net_random(l->net), .events = &p->events};
    p->host = sim_host_add(l->net, home_addr[i], deliver, p);
    p->transport = sim_host_transport(p->host);
    if (origin.inputs == 0)
        sim_host_batch(p->host, &p->transport, &origin.batch[i]);
    p->batch = origin.batch[i];
    p->batch.transport[0] = p->transport;
    node_sim_restart(p);
    l->all[i] = p;
}

/* The foe's key and contexts are made only for an input that has use for them. */
static void settle_foe(struct life *l)
{
    if (l->foes[0] != NULL)
        return;
    foe_init_as_node(&l->foe, l->net, "198.51.100.2:9000", NODES + 1);
    l->foes[0] = &l->foe;
}

static bool drop_or_damage(void *ctx, const struct kith_addr *from, const struct kith_addr *to,
                           uint8_t *data, size_t len)
{
    struct life *l = ctx;

    (void)from, (void)to;
    if (l->fated == l->fates)
        return true;
    uint8_t fate = l->fate[l->fated++];
    if (fate % 4 == 2)
        data[fate * len / 256] ^= (uint8_t)(fate | 1);
    return fate % 4 != 1;
}

static void begin(struct life *l)
{
    memset(l, 0, sizeof *l);
    l->net = sim_net_new(1);
    sim_net_set_filter(l->net, drop_or_damage, l);
    for (size_t i = 0; i < NODES; i++)
        settle(l, i);
    l->ends = origin.ends;
    known_add(&l->known, KITH_SPAN_OF(origin.network));
    known_add(&l->known, origin.certificate);
    for (size_t i = 0; i < NODES; i++)
        known_add(&l->known, KITH_SPAN_OF(l->node[i].identity.id));
    known_add(&l->known, KITH_SPAN_OF(l->foe.identity.id)); /* zeros until it is there */
    known_add(&l->known, KITH_SPAN_OF(l->foe.identity.pub));
    l->known.number[0] = l->known.number[1] = node_sim_now(&l->node[0]).wall;
    l->known.number[2] = 128;
    l->known.number[3] = l->known.number[0] + KITH_CERT_VALID;
}

/* ---- steps ---- */

static void run(struct life *l, kith_dur d)
{
    foes_run(l->all, NODES, l->foes, l->foes[0] != NULL, d);
}

/* For longer: a foe answers but four times a second. */
static void run_long(struct life *l, kith_dur d)
{
    if (l->foes[0] == NULL)
        (void)node_sims_run(l->all, NODES, NULL, NULL, d);
    for (kith_dur at = 0; l->foes[0] != NULL && at < d; at += 250 * KITH_MSEC) {
        (void)node_sims_run(l->all, NODES, NULL, NULL, 245 * KITH_MSEC);
        run(l, 5 * KITH_MSEC);
    }
}

static void pass_time(struct life *l, struct recipe *r)
{
    uint8_t how = recipe_byte(r);

    if (how < 200 || l->waited > WAITS_MAX) {
        run(l, (1 + how) * 2 * KITH_MSEC);
        return;
    }
    run_long(l, (how - 199) * KITH_SEC);
    l->waited += (how - 199) * KITH_SEC;
}

static void set_calendar(struct node_peer_sim *p, struct recipe *r)
{
    static const int64_t jump[] = {0,      60,      -60,      3600,      -3600,      86400,
                                   -86400, 864000,  -864000,  2592000,   -2592000,   31536000,
                                   1,      -100000, 25000000, 100000000, -1000000000};

    p->wall_offset = jump[recipe_below(r, KITH_COUNT(jump))];
}

static void set_wire(struct life *l, struct recipe *r)
{
    static const unsigned ppm[] = {0, 0, 10000, 100000, 500000, 1000000};
    struct sim_link link = {.delay = (1 + recipe_byte(r)) * KITH_MSEC,
                            .loss_ppm = ppm[recipe_below(r, KITH_COUNT(ppm))],
                            .dup_ppm = ppm[recipe_below(r, KITH_COUNT(ppm))],
                            .reorder_ppm = ppm[recipe_below(r, KITH_COUNT(ppm))],
                            .reorder_by = 30 * KITH_MSEC,
                            .cut = recipe_byte(r) % 8 == 7};

    sim_net_default_link(l->net, &link);
}

static void set_fates(struct life *l, struct recipe *r)
{
    l->fates = recipe_below(r, FATES_MAX);
    l->fated = 0;
    for (size_t i = 0; i < l->fates; i++)
        l->fate[i] = recipe_byte(r);
}

/* Only the second node moves: one of the two must be where it is said to be. */
static void move(struct life *l, struct recipe *r)
{
    static const char *const addr[] = {"192.0.2.2:9000", "192.0.2.2:9001", "203.0.113.7:9000",
                                       "192.0.2.99:9000"};
    const char *to = addr[recipe_below(r, KITH_COUNT(addr))];

    l->moved = true;
    if (l->node[1].node == NULL || (recipe_byte(r) & 1) != 0)
        sim_host_rebind(l->node[1].host, to);
    else
        node_sim_move(&l->node[1], to);
}

static void stop(struct life *l, struct node_peer_sim *p, struct recipe *r)
{
    if (p->node == NULL)
        return;
    if (recipe_byte(r) % 2 == 0) {
        kith_node_stop(p->node, node_sim_now(p));
        run(l, KITH_SEC);
    }
    kith_node_free(p->node);
    p->node = NULL;
}

static const char *draw_name(struct recipe *r)
{
    static const char *const names[] = {"desktop",    "phone",  "laptop",
                                        "100.80.0.2", "nobody", "phone.home.kith"};

    return names[recipe_below(r, KITH_COUNT(names))];
}

static void from_tun(struct life *l, struct node_peer_sim *p, struct recipe *r)
{
    struct mouth_ends ends = l->ends;
    uint8_t packet[1600];
    struct kith_network_info info;
    size_t at = 0;

    if (kith_node_next_network(p->node, &at, node_sim_now(p).wall, &info)) {
        ends.from4 = info.ip4;
        ends.from6 = info.ip6;
    }
    if ((recipe_byte(r) & 1) != 0) { /* to the foe */
        ends.to4 = l->ends.from4;
        ends.to6 = l->ends.from6;
    }
    size_t n = mouth_packet(r, &ends, packet, 1400);
    for (unsigned repeat = 1 + recipe_byte(r) % 32; repeat > 0; repeat--) {
        uint8_t copy[1600];
        memcpy(copy, packet, n);
        kith_node_from_tun(p->node, copy, n, node_sim_now(p));
    }
}

static void invite(struct life *l, struct node_peer_sim *p, struct recipe *r)
{
    struct kith_invite i = {.valid = recipe_byte(r) * 60, .uses = 1 + recipe_byte(r) % 3};
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;
    char ticket[KITH_TICKET_TEXT_MAX];

    if (recipe_byte(r) % 4 == 3)
        i.name = draw_name(r);
    if (kith_node_invite(p->node, &i, node_sim_now(p), ticket, sizeof ticket, &net, &expires,
                         &why) == KITH_OK)
        memcpy(l->ticket[recipe_below(r, TICKETS)], ticket, sizeof ticket);
}

static void create(struct node_peer_sim *p, struct recipe *r)
{
    static const char *const names[] = {"home", "lab", "Bad Name", ""};
    static const char *const ranges[] = {"100.81.0.0/16", "100.80.0.0/16", "10.0.0.0/8"};
    struct kith_network_info info;
    struct kith_node_why why;
    struct kith_prefix range;

    check(kith_prefix_parse(ranges[recipe_below(r, KITH_COUNT(ranges))], &range) == KITH_OK);
    (void)!kith_node_network_create(p->node, names[recipe_below(r, KITH_COUNT(names))], &range,
                                    node_sim_now(p), &info, &why);
}

/* What a person may ask of a node. */
static void ask(struct life *l, struct node_peer_sim *p, struct recipe *r)
{
    const struct kith_now now = node_sim_now(p);
    struct kith_member_info m;
    struct kith_block_info b;
    struct kith_resolved to;
    struct kith_node_why why;
    size_t told;
    const char *who;

    switch (recipe_byte(r) % 11) {
    case 0: invite(l, p, r); return;
    case 1:
        (void)!kith_node_join(p->node, l->ticket[recipe_below(r, TICKETS)], NULL, 7, now, &why);
        return;
    case 2: (void)!kith_node_network_leave(p->node, "home", now, &told, &why); return;
    case 3: create(p, r); return;
    case 4: (void)!kith_node_revoke(p->node, draw_name(r), NULL, now, &m, &why); return;
    case 5: (void)!kith_node_admin_add(p->node, draw_name(r), NULL, now, &m, &why); return;
    case 6: (void)!kith_node_admin_remove(p->node, draw_name(r), NULL, now, &m, &why); return;
    case 7:
        who = draw_name(r);
        if (kith_node_resolve(p->node, who, NULL, now.wall, &to, &why) == KITH_OK)
            (void)!kith_node_ping(p->node, &to.member.peer, recipe_byte(r) % 8, 50 * KITH_MSEC, 9,
                                  now, &why);
        return;
    case 8: (void)!kith_node_block(p->node, draw_name(r), NULL, now, &b, &why); return;
    case 9: (void)!kith_node_unblock(p->node, draw_name(r), NULL, now, &b, &why); return;
    default: kith_node_cancel(p->node, recipe_byte(r) % 10); return;
    }
}

static void foe_speaks(struct life *l, struct node_peer_sim *to, struct recipe *r)
{
    settle_foe(l);
    switch (recipe_byte(r) % 10) {
    case 0:
        foe_dial(&l->foe, to);
        run(l, 150 * KITH_MSEC);
        (void)!foe_say(&l->foe, to, origin.membership, origin.membership_len);
        return;
    case 1: foe_restart(&l->foe); return;
    case 2: l->foe.deaf = !l->foe.deaf; return;
    case 3: mouth_bytes(&l->foe, to, r); return;
    case 4: mouth_enrol(&l->foe, to, r); return;
    case 5: mouth_object(&l->foe, to, r, &origin.network); return;
    case 6:
    case 7: mouth_datagram(&l->foe, to, r, &l->ends); return;
    default: mouth_control(&l->foe, to, r); return;
    }
}

static void step(struct life *l, struct recipe *r)
{
    uint8_t what = recipe_byte(r);
    struct node_peer_sim *p = &l->node[what >> 7];

    switch (what % 12) {
    case 0: set_calendar(p, r); return;
    case 1: set_wire(l, r); return;
    case 2: set_fates(l, r); return;
    case 3: move(l, r); return;
    case 4: stop(l, p, r); return;
    case 5: node_sim_restart(p); return;
    case 6: pass_time(l, r); return;
    default: break;
    }
    if (p->node == NULL)
        return;
    if (what % 12 == 7)
        from_tun(l, p, r);
    else if (what % 12 < 10)
        ask(l, p, r);
    else
        foe_speaks(l, p, r);
}

/* ---- judging ---- */

static void check_bounds(const struct life *l)
{
    for (size_t i = 0; i < NODES; i++) {
        const struct kith_node *n = l->node[i].node;
        check(l->lab[i].bytes < BYTES_MAX);
        if (n == NULL)
            continue;
        check(kith_sessions_connections(n->sessions) <= CONNECTIONS_MAX);
        check(n->peers.n <= PEERS_HELD_MAX);
    }
}

/* Whether each of the two counts both of them members of one network. */
static bool are_together(const struct life *l)
{
    for (size_t i = 0; i < NODES; i++) {
        const struct node_network *net = network_by_id(l->node[i].node, &origin.network);
        kith_wall now = node_sim_now(&l->node[i]).wall;
        for (size_t k = 0; k < NODES; k++)
            if (net == NULL || !kith_netview_is_member(net->view, &l->node[k].identity.id, now))
                return false;
    }
    return true;
}

static bool met(void *ctx)
{
    const struct life *l = ctx;
    const struct kith_session *s =
        kith_sessions_find(l->node[0].node->sessions, &l->node[1].identity.id);

    return s != NULL && kith_session_is_up(s);
}

static bool met_or_parted(void *ctx)
{
    return met(ctx) || !are_together(ctx);
}

static void unblock_all(struct node_peer_sim *p)
{
    struct kith_block_info b;
    struct kith_node_why why;
    char id[KITH_ID_TEXT];

    for (size_t at = 0; kith_node_next_blocked(p->node, &at, 0, &b); at = 0)
        check(kith_node_unblock(p->node, kith_peer_id_text(&b.peer, id, sizeof id), NULL,
                                node_sim_now(p), &b, &why) == KITH_OK);
}

/* The wire is whole, the calendars are right, everybody is at home, running, and blocks nobody. */
static void end_storm(struct life *l)
{
    sim_net_default_link(l->net, &(struct sim_link){.delay = 10 * KITH_MSEC});
    l->fates = l->fated = 0;
    for (size_t i = 0; i < NODES; i++) {
        l->node[i].wall_offset = 0;
        if (l->node[i].node == NULL)
            node_sim_restart(&l->node[i]);
        unblock_all(&l->node[i]);
    }
    if (l->moved)
        node_sim_move(&l->node[1], home_addr[1]);
}

static void end(struct life *l)
{
    end_storm(l);
    (void)node_sims_run(l->all, NODES, met_or_parted, l, STORM_OVER);
    check(met_or_parted(l));
    check_bounds(l);
    if (l->foes[0] != NULL)
        foe_fini(&l->foe);
    for (size_t i = 0; i < NODES; i++) {
        kith_node_free(l->node[i].node);
        kith_tx_flush(&l->node[i].batch);
        origin.batch[i] = l->node[i].batch;
        check(l->lab[i].live == 0);
    }
    sim_net_free(l->net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct life l;
    struct recipe r;

    if (origin.membership_len == 0)
        found();
    begin(&l);
    r = recipe_on(data, n, &l.known);
    run(&l, 100 * KITH_MSEC);
    for (int i = 0; i < STEPS_MAX && recipe_left(&r) > 0; i++) {
        step(&l, &r);
        check_bounds(&l);
    }
    end(&l);
    origin.inputs++;
    return 0;
}
