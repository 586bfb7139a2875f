#include "node/internal.h"

static void count_peers(const struct kith_node *n, struct kith_node_totals *ret)
{
    ret->peers = n->peers.n;
    ret->blocked = n->blocks.by_id.n;
    for (size_t i = 0; i < n->n_handles; i++) {
        const struct node_peer *p = n->by_handle[i];
        ret->members += p->member_of != 0 && !peer_is_self(n, &p->id) ? 1u : 0u;
    }
}

static void count_route(const struct kith_node *n, const struct kith_session *s,
                        struct kith_node_totals *ret)
{
    struct kith_session_info info;

    kith_session_info(s, &info);
    if (!info.trusted)
        return;
    if (!info.relayed)
        ret->direct++;
    else if (mesh_hops(n, &info) <= 2)
        ret->relayed++;
    else
        ret->multi_hop++;
}

static void count_mesh(const struct kith_node *n, struct kith_node_totals *ret)
{
    ret->flows = kith_relay_flows(n->mesh->relay);
    ret->unread = n->mesh->held;
    for (size_t i = 0; i < n->n_handles; i++)
        ret->neighbours += n->by_handle[i]->mesh.neighbour ? 1u : 0u;
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct kith_mesh_paths *paths = n->mesh->net[i].paths;
        if (paths == NULL)
            continue;
        ret->ways += kith_mesh_paths_count(paths);
        ret->ways_pushed_out += kith_mesh_paths_pushed_out(paths);
        ret->ways_turned_away += kith_mesh_paths_turned_away(paths);
    }
    ret->path_requests = n->mesh->searches.requests;
    ret->path_answers = n->mesh->searches.answers;
    ret->answers_unasked = n->mesh->searches.unasked;
}

static void count_sessions(const struct kith_node *n, struct kith_node_totals *ret)
{
    struct kith_session *s = NULL;
    uint64_t up = 0;

    ret->connections = kith_sessions_connections(n->sessions);
    ret->sessions = kith_sessions_count(n->sessions);
    while ((s = kith_sessions_next(n->sessions, s)) != NULL) {
        const struct node_peer *p;
        if (!kith_session_is_up(s))
            continue;
        up++;
        count_route(n, s, ret);
        p = peer_find(n, kith_session_peer(s));
        ret->members_connected += p != NULL && p->member_of != 0 ? 1u : 0u;
    }
    ret->guests = up - ret->sessions;
}

static void count_networks(const struct kith_node *n, kith_wall now, struct kith_node_totals *ret)
{
    struct kith_network_info net;
    size_t at = 0;

    while (kith_node_next_network(n, &at, now, &net)) {
        bool expired = net.standing == KITH_STANDING_EXPIRED;
        bool lapsed = net.standing != KITH_STANDING_MEMBER;
        ret->networks++;
        ret->networks_lapsed += lapsed ? 1u : 0u;
        ret->networks_expired += expired ? 1u : 0u;
        if ((!lapsed || expired) &&
            (ret->certificate_end == 0 || net.expires < ret->certificate_end))
            ret->certificate_end = net.expires;
    }
}

void kith_node_totals(const struct kith_node *n, kith_wall now, struct kith_node_totals *ret)
{
    *ret = (struct kith_node_totals){.peers = 0};
    count_peers(n, ret);
    count_sessions(n, ret);
    count_networks(n, now, ret);
    count_mesh(n, ret);
}
