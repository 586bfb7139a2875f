/* ask.c: answers about networks, members and peers. */
#include "node/internal.h"

void ask_route(const struct kith_node *n, const struct kith_session_info *info, kith_wall now,
               char *buf, size_t cap)
{
    char addr[KITH_ADDR_TEXT];

    if (info->relayed) {
        mesh_route(n, info, now, buf, cap);
        return;
    }
    kith_format(buf, cap, "direct udp %s", kith_addr_text(&info->path.remote, addr, sizeof addr));
}

/* ---- networks ---- */

void ask_network(const struct kith_node *n, const struct node_network *net, kith_wall now,
                 struct kith_network_info *ret)
{
    const struct kith_object *o = kith_netview_network(net->view);
    struct kith_member self;

    *ret = (struct kith_network_info){.id = net->id, .slot = net->slot};
    memcpy(ret->name, net->name, sizeof ret->name);
    ret->members = kith_netview_member_count(net->view, now);
    ret->root = net->root.key != NULL;
    ret->admin = issue_may(n, net, now);
    ret->ip6 = kith_network_ip6(&net->id, &n->identity->id);
    ret->range6 = kith_prefix_of(&ret->ip6, 64);
    if (o != NULL)
        ret->range4 = o->network.ipv4;
    if (!network_self(n, net, now, &self))
        return;
    ret->ip4 = self.ip4;
    ret->standing = self.standing;
    ret->expires = self.cert->member.not_after;
}

bool kith_node_next_network(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_network_info *ret)
{
    while (*at < KITH_NODE_NETWORKS_MAX) {
        const struct node_network *net = &n->network[(*at)++];
        if (!net->used)
            continue;
        ask_network(n, net, now, ret);
        return true;
    }
    return false;
}

int kith_node_find_network(const struct kith_node *n, const char *name, kith_wall now,
                           struct kith_network_info *ret, struct kith_node_why *why)
{
    struct node_network *net;
    int err = network_find(n, name, &net, why);

    if (err >= 0)
        ask_network(n, net, now, ret);
    return err;
}

/* ---- members ---- */

static void copy_groups(const struct kith_object *cert, struct kith_member_info *ret)
{
    struct kith_reader r = kith_reader_on(cert->member.groups.bytes);
    struct kith_group_item item;

    while (ret->n_groups < KITH_NODE_GROUPS_MAX && kith_group_item_next(&r, &item))
        kith_format(ret->groups[ret->n_groups++], KITH_LABEL_MAX + 1, "%.*s", (int)item.name.n,
                    (const char *)item.name.p);
}

void ask_member(const struct kith_node *n, const struct node_network *net,
                const struct kith_member *m, kith_wall now, struct kith_member_info *ret)
{
    const struct kith_session *s = kith_sessions_find(n->sessions, &m->peer);
    const struct node_peer *p = peer_find(n, &m->peer);

    *ret = (struct kith_member_info){.peer = m->peer,
                                     .network = net->id,
                                     .ip4 = m->ip4,
                                     .ip6 = m->ip6,
                                     .self = peer_is_self(n, &m->peer),
                                     .blocked = blocks_has(n, &m->peer),
                                     .expires = m->cert->member.not_after};
    memcpy(ret->network_name, net->name, sizeof ret->network_name);
    memcpy(ret->name, m->name, sizeof ret->name);
    ret->root = ret->self && net->root.key != NULL;
    ret->admin = ret->root || kith_netview_is_signer(net->view, &m->peer, now);
    ret->online = ret->self || (s != NULL && kith_session_is_up(s) && p != NULL &&
                                (p->proved & 1u << net->slot) != 0);
    copy_groups(m->cert, ret);
}

bool kith_node_next_member(const struct kith_node *n, const struct kith_network_id *network,
                           size_t *at, kith_wall now, struct kith_member_info *ret)
{
    const struct node_network *net = network_by_id(n, network);
    struct kith_member m;

    while (net != NULL && kith_netview_next_member(net->view, at, now, &m)) {
        if (m.standing != KITH_STANDING_MEMBER)
            continue;
        ask_member(n, net, &m, now, ret);
        return true;
    }
    return false;
}

/* "name", "name.network" and "name.network.kith": cut at the first dot. */
static void split_name(const char *text, char *name, char *network)
{
    const char *dot = strchr(text, '.');
    size_t len = dot != NULL ? (size_t)(dot - text) : strlen(text);

    kith_format(name, KITH_LABEL_MAX + 1, "%.*s", (int)(len < 64 ? len : 64), text);
    network[0] = '\0';
    if (dot == NULL)
        return;
    const char *rest = dot + 1, *end = strchr(rest, '.');
    len = end != NULL && strcmp(end, ".kith") == 0 ? (size_t)(end - rest) : strlen(rest);
    kith_format(network, KITH_LABEL_MAX + 1, "%.*s", (int)(len < 64 ? len : 64), rest);
}

/* Whether the text means this peer in the network. */
static bool lookup(struct node_network *net, const char *text, const char *name, kith_wall now,
                   struct kith_member *ret)
{
    struct kith_peer_id id;
    struct kith_ip ip;

    if (kith_peer_id_parse(text, &id) == KITH_OK)
        return kith_netview_member(net->view, &id, now, ret);
    if (kith_ip_parse(text, &ip) == KITH_OK)
        return kith_netview_by_ip(net->view, &ip, now, ret);
    return kith_netview_by_name(net->view, kith_span_text(name), now, ret);
}

/* Whom a text may mean, and in which network; NULL: in any. */
struct sought {
    const char *text, *network;
    char name[KITH_LABEL_MAX + 1], in[KITH_LABEL_MAX + 1];
};

static void seek(const struct kith_node *n, const char *text, const char *network,
                 struct sought *ret)
{
    *ret = (struct sought){.text = text, .network = network};
    split_name(text, ret->name, ret->in);
    if (network == NULL && ret->in[0] != '\0' && network_by_name(n, ret->in) != NULL)
        ret->network = ret->in;
}

static bool is_sought_in(const struct sought *w, const struct node_network *net)
{
    return net->used && (w->network == NULL || strcmp(net->name, w->network) == 0);
}

/* The next network, from slot *at on, in which the text means a member; NULL: none. */
static struct node_network *next_match(const struct kith_node *n, const struct sought *w,
                                       size_t *at, kith_wall now, struct kith_member *ret)
{
    while (*at < KITH_NODE_NETWORKS_MAX) {
        struct node_network *net = (struct node_network *)&n->network[(*at)++];
        if (is_sought_in(w, net) && lookup(net, w->text, w->name, now, ret) &&
            ret->standing == KITH_STANDING_MEMBER)
            return net;
    }
    return NULL;
}

static int say_nobody(const struct kith_node *n, const struct sought *w, struct kith_node_why *why)
{
    bool any = false;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        any |= is_sought_in(w, &n->network[i]);
    if (!any && w->network != NULL)
        return node_say(why, KITH_E_NOTFOUND, "kith network list shows those there are",
                        "this node is in no network named \"%s\"", w->network);
    return node_say(why, KITH_E_NOTFOUND,
                    any ? "kith members shows who there is"
                        : "kith network create NAME makes one, kith join TICKET joins one",
                    any ? "there is no member \"%s\""
                        : "this node is in no network yet, so there is no member \"%s\"",
                    w->text);
}

int kith_node_find_member(const struct kith_node *n, const char *text, const char *network,
                          kith_wall now, struct kith_member_info *ret, struct kith_node_why *why)
{
    struct kith_member m;
    struct sought w;
    size_t at = 0;

    seek(n, text, network, &w);
    const struct node_network *net = next_match(n, &w, &at, now, &m);
    if (net == NULL)
        return say_nobody(n, &w, why);
    ask_member(n, net, &m, now, ret);
    return KITH_OK;
}

int ask_one(const struct kith_node *n, const char *text, const char *network, kith_wall now,
            struct kith_member_info *ret, struct kith_node_why *why)
{
    struct kith_member m;
    struct sought w;
    size_t at = 0;
    int err = kith_node_find_member(n, text, network, now, ret, why);

    if (err < 0)
        return err;
    seek(n, text, network, &w);
    while (next_match(n, &w, &at, now, &m) != NULL)
        if (!kith_peer_id_equal(&m.peer, &ret->peer))
            return node_say(why, KITH_E_INVAL, "name its network with --network, or give its id",
                            "\"%s\" is one member in one network and another in another", text);
    return KITH_OK;
}

/* ---- ways through the mesh ---- */

static void ask_way(const struct kith_node *n, const struct node_network *net,
                    const struct kith_way_walk *at, struct kith_now now, struct kith_way_info *ret)
{
    const struct kith_mesh_way *w = &at->way[at->next];
    const struct node_peer *p = mesh_peer(n, &at->to);
    const uint8_t rate = rates_of_way(n, w->neighbour, w->rate);
    uint64_t seconds = now.mono / KITH_SEC;

    *ret = (struct kith_way_info){.destination = at->to,
                                  .hops = w->hops,
                                  .rtt = w->rtt * KITH_USEC,
                                  .loss = w->loss / 65535.0,
                                  .rate = rate == 0 ? 0 : (uint64_t)1 << rate,
                                  .age = (seconds - w->heard) * KITH_SEC,
                                  .expires = at->expires,
                                  .best = at->next == 0};
    kith_format(ret->network, sizeof ret->network, "%s", net->name);
    if (p != NULL) {
        ret->peer = p->id;
        ask_name(n, &p->id, now.wall, ret->member, sizeof ret->member);
    }
    if (w->neighbour < n->n_handles) {
        ret->via = n->by_handle[w->neighbour]->id;
        ask_name(n, &ret->via, now.wall, ret->via_name, sizeof ret->via_name);
    }
}

bool kith_node_next_way(const struct kith_node *n, const struct kith_network_id *network,
                        struct kith_way_walk *at, struct kith_now now, struct kith_way_info *ret)
{
    const struct node_network *net = network_by_id(n, network);
    const struct kith_mesh_paths *paths = net == NULL ? NULL : n->mesh->net[net->slot].paths;

    while (paths != NULL && at->next == at->n) {
        if (!kith_mesh_paths_next(paths, &at->at, &at->to, &at->expires))
            return false;
        at->next = 0;
        at->n = kith_mesh_paths_ways(paths, &at->to, now.mono, at->way);
    }
    if (paths == NULL)
        return false;
    ask_way(n, net, at, now, ret);
    at->next++;
    return true;
}

/* ---- sessions ---- */

void ask_name(const struct kith_node *n, const struct kith_peer_id *peer, kith_wall now, char *buf,
              size_t cap)
{
    struct kith_member m;

    buf[0] = '\0';
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX && buf[0] == '\0'; i++)
        if (n->network[i].used && kith_netview_member(n->network[i].view, peer, now, &m) &&
            m.standing == KITH_STANDING_MEMBER)
            kith_format(buf, cap, "%s", m.name);
}

bool kith_node_next_peer(const struct kith_node *n, struct kith_session **at, kith_wall now,
                         struct kith_peer_info *ret)
{
    while ((*at = kith_sessions_next(n->sessions, *at)) != NULL) {
        *ret = (struct kith_peer_info){.name = ""};
        kith_session_info(*at, &ret->session);
        if (!ret->session.up)
            continue;
        ask_route(n, &ret->session, now, ret->route, sizeof ret->route);
        ask_name(n, &ret->session.peer, now, ret->name, sizeof ret->name);
        return true;
    }
    return false;
}
