/* recall.c: what ways through others were measured to be like, over restarts.
 *
 * The ways themselves are not kept: neighbours tell them within a round trip of being there, and
 * without its neighbour a way leads nowhere (docs/adr/007-path-tables-are-not-saved.md). */
#include "node/internal.h"
#include "store/measured.h"

struct recalling {
    struct kith_node *n;
    struct kith_mesh_paths *paths;
    struct kith_now now;
};

static int recall_row(void *ctx, const struct kith_store_measured *row)
{
    const struct recalling *r = ctx;
    struct kith_mesh_measure m = {.rtt = row->rtt, .loss = row->loss};
    struct kith_peer_id id;

    memcpy(id.b, row->peer, sizeof id.b);
    const struct node_peer *p = peer_find(r->n, &id);
    if (p == NULL || row->at > r->now.wall ||
        r->now.wall - row->at >= KITH_MESH_MEASURED_FOR / KITH_SEC)
        return KITH_OK;
    memcpy(m.to.b, row->destination, sizeof m.to.b);
    m.neighbour = p->handle;
    m.at = (uint32_t)(r->now.mono / KITH_SEC) - (uint32_t)(r->now.wall - row->at);
    return kith_mesh_paths_remember(r->paths, &m);
}

void recall_load(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    struct recalling r = {.n = n, .now = now};

    /* what cannot be loaded is measured again */
    if (routes_paths(n, net, &r.paths) >= 0)
        (void)!kith_store_measured_list(n->store, net->id.b, recall_row, &r);
}

static int save_network(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    const struct kith_mesh_paths *paths = n->mesh->net[net->slot].paths;
    const struct kith_mesh_measure *m;
    struct kith_store_measured row;
    int err = KITH_OK;

    memcpy(row.network, net->id.b, sizeof row.network);
    for (size_t at = 0; err >= 0 && paths != NULL &&
                        (m = kith_mesh_paths_next_measure(paths, &at, now.mono)) != NULL;) {
        uint32_t age = (uint32_t)(now.mono / KITH_SEC) - m->at;
        memcpy(row.destination, m->to.b, sizeof row.destination);
        memcpy(row.peer, n->by_handle[m->neighbour]->id.b, sizeof row.peer);
        row.rtt = m->rtt;
        row.loss = m->loss;
        row.at = now.wall > age ? now.wall - age : 0;
        err = kith_store_measured_add(n->store, &row);
    }
    return err;
}

static int save_all(struct kith_node *n, struct kith_now now)
{
    int err = kith_store_begin(n->store);

    if (err < 0)
        return err;
    err = kith_store_measured_clear(n->store);
    for (size_t i = 0; err >= 0 && i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            err = save_network(n, &n->network[i], now);
    if (err >= 0)
        return kith_store_commit(n->store);
    kith_store_rollback(n->store);
    return err;
}

void recall_save(struct kith_node *n, struct kith_now now)
{
    n->mesh->save_at = kith_after(now.mono, MESH_SAVE_INTERVAL);
    (void)!save_all(n, now); /* the store has told why not; what is lost is measured again */
}
