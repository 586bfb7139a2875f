#include "fuzz/siege.h"

#include <stdlib.h>

#include "node/internal.h"

enum { CONNECTIONS_MAX = 40 };

void siege_run(struct siege *s, struct foe *f, kith_dur d)
{
    foes_run(s->all, SIEGE_NODES, &f, f != NULL, d);
}

static void join(struct siege *s, struct node_peer_sim *p)
{
    struct kith_invite plain = {.valid = 86400, .uses = 1};
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    if (kith_node_invite(s->node[0].node, &plain, node_sim_now(&s->node[0]), ticket, sizeof ticket,
                         &net, &expires, &why) < 0 ||
        kith_node_join(p->node, ticket, NULL, 1, node_sim_now(p), &why) < 0)
        abort();
}

/* The membership message of a member, as its own node would send it. */
static void take_membership(struct siege *s, struct node_peer_sim *of)
{
    const struct node_network *net = &of->node->network[0];
    struct kith_member self;

    if (!network_self(of->node, net, node_sim_now(of).wall, &self))
        abort();
    struct kith_membership m = {.network = net->id, .slot = 0, .cert = self.cert->bytes};
    if (kith_membership_encode(&m, s->membership, sizeof s->membership, &s->membership_len) < 0 ||
        kith_membership_decode((struct kith_span){s->membership, s->membership_len}, &m) < 0)
        abort();
    s->network = net->id;
    s->certificate = m.cert;
    s->ends.from4 = self.ip4;
    s->ends.from6 = self.ip6;
}

static void take_known(struct siege *s)
{
    const struct node_network *net = &s->node[0].node->network[0];
    const struct kith_object *o;
    struct kith_member self;
    size_t at = 0;

    if (!network_self(s->node[0].node, net, node_sim_now(&s->node[0]).wall, &self))
        abort();
    s->ends.to4 = self.ip4;
    s->ends.to6 = self.ip6;
    known_add(&s->known, KITH_SPAN_OF(s->network));
    known_add(&s->known, s->certificate);
    known_add(&s->known, KITH_SPAN_OF(s->node[0].identity.id));
    known_add(&s->known, KITH_SPAN_OF(s->node[1].identity.id));
    known_add(&s->known, KITH_SPAN_OF(s->traitor.identity.id));
    known_add(&s->known, KITH_SPAN_OF(s->traitor.identity.pub));
    for (size_t i = 0;
         i < KITH_COUNT(s->key) && (o = kith_netview_next_object(net->view, &at)) != NULL; i++) {
        s->key[i] = o->key;
        known_add(&s->known, KITH_SPAN_OF(s->key[i]));
    }
    s->known.number[0] = s->known.number[1] = node_sim_now(&s->node[0]).wall;
    s->known.number[2] = 128;
    s->known.number[3] = s->known.number[0] + KITH_CERT_VALID;
}

static struct siege *siege_new(void)
{
    static const char *const addrs[] = {"192.0.2.1:9000", "192.0.2.2:9000"};
    static const char *const names[] = {"laptop", "desktop"};
    struct siege *s = calloc(1, sizeof *s);
    struct node_peer_sim third, *all[SIEGE_NODES + 1];
    struct kith_prefix range;
    struct kith_network_info info;
    struct kith_node_why why;

    if (s == NULL)
        abort();
    s->net = sim_net_new(1);
    for (uint8_t i = 0; i < SIEGE_NODES; i++) {
        node_sim_init(&s->node[i], s->net, names[i], addrs[i], (uint8_t)(i + 1));
        s->all[i] = all[i] = &s->node[i];
    }
    node_sim_init(&third, s->net, "phone", "192.0.2.3:9000", 3);
    all[SIEGE_NODES] = &third;
    if (kith_prefix_parse("100.80.0.0/16", &range) < 0 ||
        kith_node_network_create(s->node[0].node, "home", &range, node_sim_now(&s->node[0]), &info,
                                 &why) < 0)
        abort();
    join(s, &s->node[1]);
    join(s, &third);
    foes_run(all, SIEGE_NODES + 1, NULL, 0, 5 * KITH_SEC);
    take_membership(s, &third);
    sim_host_power(third.host, false);
    node_sim_fini(&third);
    foe_init(&s->stranger, s->net, "198.51.100.1:9000", 9);
    foe_init_as_node(&s->traitor, s->net, "198.51.100.2:9000", 3);
    take_known(s);
    return s;
}

static void siege_free(struct siege *s)
{
    foe_fini(&s->stranger);
    foe_fini(&s->traitor);
    for (size_t i = 0; i < SIEGE_NODES; i++)
        node_sim_fini(&s->node[i]);
    sim_net_free(s->net);
    free(s);
}

struct siege *siege_begin(bool traitor, struct foe **ret_foe)
{
    static struct siege *s;

    if (s != NULL && s->inputs == SIEGE_INPUTS) {
        siege_free(s);
        s = NULL;
    }
    if (s == NULL)
        s = siege_new();
    s->inputs++;
    *ret_foe = traitor ? &s->traitor : &s->stranger;
    foe_restart(*ret_foe);
    foe_dial(*ret_foe, &s->node[0]);
    siege_run(s, *ret_foe, 100 * KITH_MSEC);
    if (traitor)
        (void)!foe_say(*ret_foe, &s->node[0], s->membership, s->membership_len);
    return s;
}

void siege_end(struct siege *s, struct foe *f)
{
    siege_run(s, f, 200 * KITH_MSEC);
    const struct kith_session *member =
        kith_sessions_find(s->node[0].node->sessions, &s->node[1].identity.id);
    if (member == NULL || !kith_session_is_up(member) ||
        kith_sessions_connections(s->node[0].node->sessions) > CONNECTIONS_MAX)
        abort();
}
