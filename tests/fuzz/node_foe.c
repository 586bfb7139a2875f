/* A whole node against an authenticated peer that says whatever the input tells it to: as a
 * stranger with a key of its own, or with the key and certificate of a member that was taken over.
 * The law: nothing crashes or leaks, the node keeps its other member, and what it holds for the foe
 * is bounded.
 *
 * The world is built once and serves all inputs, as a node serves all peers; virtual time goes on.
 */
#include <stdlib.h>

#include "node/internal.h"
#include "sim/foe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NODES = 2, STEPS_MAX = 64, BYTES_MAX = 2048, CONNECTIONS_MAX = 40 };

struct world {
    struct sim_net *net;
    struct node_peer_sim node[NODES]; /* the victim, and a member that behaves */
    struct node_peer_sim *all[NODES];
    struct foe stranger, traitor;
    uint8_t membership[16384]; /* what the traitor shows */
    size_t membership_len;
};

static void run(struct world *w, struct foe *foe, kith_dur d)
{
    foes_run(w->all, NODES, &foe, foe != NULL, d);
}

static void join(struct world *w, struct node_peer_sim *p)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    if (kith_node_invite(w->node[0].node, &plain, node_sim_now(&w->node[0]), ticket, sizeof ticket,
                         &net, &expires, &why) < 0 ||
        kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why) < 0)
        abort();
}

/* The membership message of a member, as its own node would send it. */
static void take_membership(struct world *w, struct node_peer_sim *victim)
{
    const struct node_network *net = &victim->node->network[0];
    struct kith_member self;

    if (!network_self(victim->node, net, node_sim_now(victim).wall, &self))
        abort();
    struct kith_membership m = {.network = net->id, .slot = 0, .cert = self.cert->bytes};
    if (kith_membership_encode(&m, w->membership, sizeof w->membership, &w->membership_len) < 0)
        abort();
}

static struct world *world_new(void)
{
    static const char *const addrs[] = {"192.0.2.1:9000", "192.0.2.2:9000"};
    static const char *const names[] = {"laptop", "desktop"};
    struct world *w = calloc(1, sizeof *w);
    struct node_peer_sim third, *all[NODES + 1];
    struct kith_prefix range;
    struct kith_network_info info;
    struct kith_node_why why;

    if (w == NULL)
        abort();
    w->net = sim_net_new(1);
    for (uint8_t i = 0; i < NODES; i++) {
        node_sim_init(&w->node[i], w->net, names[i], addrs[i], (uint8_t)(i + 1));
        w->all[i] = all[i] = &w->node[i];
    }
    node_sim_init(&third, w->net, "phone", "192.0.2.3:9000", 3);
    all[NODES] = &third;
    if (kith_prefix_parse("100.80.0.0/16", &range) < 0 ||
        kith_node_network_create(w->node[0].node, "home", &range, node_sim_now(&w->node[0]), &info,
                                 &why) < 0)
        abort();
    join(w, &w->node[1]);
    join(w, &third);
    foes_run(all, NODES + 1, NULL, 0, 5 * KITH_SEC);
    take_membership(w, &third);
    sim_host_power(third.host, false);
    node_sim_fini(&third);
    foe_init(&w->stranger, w->net, "198.51.100.1:9000", 9);
    foe_init_as_node(&w->traitor, w->net, "198.51.100.2:9000", 3);
    return w;
}

struct input {
    const uint8_t *p;
    size_t n;
};

static uint8_t next_byte(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static struct kith_span next_bytes(struct input *in)
{
    size_t want = (size_t)next_byte(in) * 8 + 1;
    struct kith_span s = {in->p, want < in->n ? want : in->n};

    if (s.n > BYTES_MAX)
        s.n = BYTES_MAX;
    in->p += s.n;
    in->n -= s.n;
    return s;
}

static void ask_to_enrol(struct foe *f, const struct node_peer_sim *to, struct kith_span bytes)
{
    struct kith_session *s = foe_session(f, to);
    uint8_t frame[KITH_FRAME_HEAD + BYTES_MAX];
    struct kith_conn *c;
    int64_t id;
    size_t len;

    if (s == NULL || bytes.n == 0 || kith_session_open_stream(s, KITH_STREAM_ENROL, &c, &id) < 0)
        return;
    memcpy(frame + KITH_FRAME_HEAD, bytes.p, bytes.n);
    if (kith_frame_close(frame, bytes.n, &len) >= 0)
        (void)!kith_conn_stream_send(c, id, (struct kith_span){frame, len}, true);
}

static void step(struct world *w, struct foe *f, struct input *in)
{
    struct node_peer_sim *to = &w->node[0];
    uint8_t what = next_byte(in);
    struct kith_span bytes;

    switch (what % 8) {
    case 0: run(w, f, next_byte(in) * 5 * KITH_MSEC); return;
    case 1: (void)!foe_say(f, to, w->membership, w->membership_len); return;
    case 2:
        foe_restart(f);
        foe_dial(f, to);
        return;
    default: break;
    }
    bytes = next_bytes(in);
    if (bytes.n == 0)
        return;
    switch (what % 8) {
    case 3: (void)!foe_say_raw(f, to, bytes.p, bytes.n); return;
    case 4: ask_to_enrol(f, to, bytes); return;
    case 5: (void)!foe_datagram(f, to, bytes.p, bytes.n); return;
    default: (void)!foe_say(f, to, bytes.p, bytes.n); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world *w;
    struct input in = {data, n};

    if (w == NULL)
        w = world_new();
    struct foe *f = (next_byte(&in) & 1) != 0 ? &w->traitor : &w->stranger;
    foe_restart(f);
    foe_dial(f, &w->node[0]);
    run(w, f, 100 * KITH_MSEC);
    if (f == &w->traitor)
        (void)!foe_say(f, &w->node[0], w->membership, w->membership_len);
    for (int i = 0; i < STEPS_MAX && in.n > 0; i++)
        step(w, f, &in);
    run(w, f, 200 * KITH_MSEC);
    const struct kith_session *member =
        kith_sessions_find(w->node[0].node->sessions, &w->node[1].identity.id);
    if (member == NULL || !kith_session_is_up(member) ||
        kith_sessions_connections(w->node[0].node->sessions) > CONNECTIONS_MAX)
        abort();
    return 0;
}
