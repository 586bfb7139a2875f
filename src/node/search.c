/* search.c: ways that nobody told of, asked for: path requests and their answers.
 *
 * Where tables hold all that is told there is nothing to ask for. Where a table here or at a
 * neighbour is too small for that, a way that packets or a person need is looked for
 * (mesh/search.h). Who answers for another holds its certificate, and brings it to whoever lacks
 * it. Spec: docs/spec/mesh.md 7. */
#include "node/internal.h"

enum {
    SEARCH_BURST = 400, /* requests and answers that one neighbour may send */
    ONWARD_BURST = 200, /* requests that we send to one */
    LACKS_CERT = 1,     /* flags */
};
#define SEARCH_COST (KITH_SEC / 40)
#define ONWARD_COST (KITH_SEC / 20)

/* ---- asking ---- */

static int send_request(struct kith_node *n, const struct node_network *net,
                        const struct kith_search_ask *ask, struct node_peer *to,
                        struct kith_now now)
{
    const struct kith_path_request m = {.network = net->id,
                                        .tag = ask->tag,
                                        .destination = ask->to,
                                        .hops = ask->hops,
                                        .flags = ask->proof ? LACKS_CERT : 0};
    size_t len;

    if (!telling_may(n, to, TELLING_REQUESTS, now) ||
        !kith_rate_takes(&to->mesh.searched_paid, ONWARD_COST, 1, ONWARD_BURST, now.mono))
        return KITH_E_LIMIT;
    int err = kith_path_request_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len);
    if (err >= 0)
        err = gossip_send(n, &to->id, len, now);
    if (err < 0)
        return err;
    n->mesh->searches.requests++;
    telling_told(n, to, TELLING_REQUESTS, len, now);
    return err;
}

/* To all neighbours but the one it came from. What is not sent now is asked again by whoever asks.
 */
static void ask_all(struct kith_node *n, const struct node_network *net,
                    const struct kith_search_ask *ask, const struct node_peer *from,
                    struct kith_now now)
{
    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;)
        if (p != from && routes_hears(p, net))
            (void)!send_request(n, net, ask, p, now);
}

static bool lacks_cert(const struct kith_node *n, const struct node_network *net,
                       const struct kith_destination *to)
{
    const struct node_peer *p = mesh_peer(n, to);

    return p == NULL || (p->member_of & 1u << net->slot) == 0;
}

void search_want(struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        if (!net->used || (p->member_of & 1u << i) == 0 || n->mesh->net[i].partial == 0)
            continue;
        /* with 64 others under way it waits for the next need */
        (void)!kith_search_want(n->mesh->search, (uint8_t)i, &p->mesh.destination, now.mono);
    }
}

void search_tick(struct kith_node *n, struct kith_now now)
{
    struct kith_search_ask ask;

    while (kith_search_next(n->mesh->search, now.mono, &ask)) {
        const struct node_network *net = &n->network[ask.scope];
        if (net->used)
            ask_all(n, net, &ask, NULL, now);
    }
}

kith_time search_deadline(const struct kith_node *n)
{
    return kith_search_deadline(n->mesh->search);
}

/* ---- answering ---- */

/* The certificate of a member, as it was signed; empty where the answer is to bring none. */
static struct kith_span cert_for(const struct kith_node *n, const struct node_network *net,
                                 const struct kith_destination *to, bool proof, kith_wall now)
{
    const struct node_peer *p = mesh_peer(n, to);
    const struct kith_peer_id *id = p != NULL ? &p->id : &n->identity->id;
    struct kith_member m;

    if (!proof || !kith_netview_member(net->view, id, now, &m))
        return (struct kith_span){0};
    return m.cert->bytes;
}

static void answer(struct kith_node *n, const struct node_network *net, const struct node_peer *to,
                   const struct kith_search_ask *ask, const struct kith_mesh_advert *a,
                   struct kith_now now)
{
    const struct kith_path_answer m = {.network = net->id,
                                       .tag = ask->tag,
                                       .destination = ask->to,
                                       .seq = a->seq,
                                       .hops = a->hops,
                                       .rate = a->rate,
                                       .cert = cert_for(n, net, &ask->to, ask->proof, now.wall)};
    size_t len;

    /* one that does not go is missed by nobody: another's counts, or that to the next request */
    if (kith_path_answer_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0)
        n->mesh->searches.answers += gossip_send(n, &to->id, len, now) >= 0;
}

/* What this node may tell `to` of a destination: a way that it may tell on, not back to whom it is
 * by. */
static bool has_answer(struct kith_node *n, const struct node_network *net,
                       const struct kith_destination *dest, const struct node_peer *to,
                       kith_time now, struct kith_mesh_advert *ret)
{
    struct kith_mesh_paths *paths = n->mesh->net[net->slot].paths;

    if (kith_destination_equal(dest, &n->mesh->here)) {
        *ret = (struct kith_mesh_advert){.to = *dest, .seq = n->mesh->seqno.own};
        return true;
    }
    return paths != NULL && routes_may_tell(n, net, dest) &&
           kith_mesh_paths_answer(paths, dest, to->handle, now, ret);
}

void search_request(struct kith_node *n, struct node_peer *p, struct kith_span message,
                    struct kith_now now)
{
    struct kith_path_request m;
    struct kith_mesh_advert a;

    if (kith_path_request_decode(message, &m) < 0)
        return;
    const struct node_network *net = gossip_shared_network(n, &m.network, p);
    struct kith_search_ask ask = {
        .to = m.destination, .tag = m.tag, .hops = m.hops, .proof = (m.flags & LACKS_CERT) != 0};
    if (net == NULL || !p->mesh.neighbour ||
        !gossip_affords(n, p, &p->mesh.search_paid, SEARCH_COST, 1, SEARCH_BURST, now))
        return;
    ask.scope = net->slot;
    if (!kith_search_heard(n->mesh->search, &ask, p->handle, now.mono))
        return;
    if (has_answer(n, net, &m.destination, p, now.mono, &a)) {
        answer(n, net, p, &ask, &a, now);
        return;
    }
    if (!n->mesh->forward || --ask.hops == 0)
        return;
    ask.proof |= lacks_cert(n, net, &m.destination); /* without it nothing may be told on */
    ask_all(n, net, &ask, p, now);
}

/* Takes the certificate that an answer brings, if it is the destination's. */
static void take_cert(struct kith_node *n, struct node_network *net, const struct node_peer *p,
                      const struct kith_path_answer *m, struct kith_now now)
{
    const struct kith_peer_id from = p->id;
    struct kith_destination to;
    struct kith_object o;
    enum kith_offer offer;
    const char *why = "it is not of whom was asked for";

    if (m->cert.n == 0 || !lacks_cert(n, net, &m->destination))
        return;
    int err = kith_object_open(m->cert, &o);
    if (err >= 0 &&
        (o.env.kind != KITH_OBJECT_member_body || mesh_destination_of(&o.member.peer, &to) < 0 ||
         !kith_destination_equal(&to, &m->destination)))
        err = KITH_E_REFUSED;
    if (err >= 0)
        err = object_take(n, net, m->cert, &from, now, &offer, &why);
    if (err < 0)
        gossip_refused(n, &from, "certificate in an answer", err, why, now);
}

/* On its way back to whoever asked: what this node may tell itself now. */
static void pass_back(struct kith_node *n, const struct node_network *net, uint32_t whose,
                      const struct kith_search_ask *ask, struct kith_now now)
{
    const struct node_peer *to = whose < n->n_handles ? n->by_handle[whose] : NULL;
    struct kith_mesh_advert a;

    if (to != NULL && routes_hears(to, net) && has_answer(n, net, &ask->to, to, now.mono, &a))
        answer(n, net, to, ask, &a, now);
}

void search_answer(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now)
{
    struct kith_path_answer m;
    struct kith_mesh_paths *paths;
    uint32_t whose;

    if (kith_path_answer_decode(message, &m) < 0)
        return;
    struct node_network *net = gossip_shared_network(n, &m.network, p);
    if (net == NULL || !p->mesh.neighbour ||
        !gossip_affords(n, p, &p->mesh.search_paid, SEARCH_COST, 1, SEARCH_BURST, now))
        return;
    struct kith_search_ask ask = {.to = m.destination, .tag = m.tag, .scope = net->slot};
    if (!kith_search_answered(n->mesh->search, &ask, m.hops, now.mono, &whose, &ask.proof)) {
        n->mesh->searches.unasked++;
        return;
    }
    take_cert(n, net, p, &m, now);
    if (lacks_cert(n, net, &m.destination) || routes_paths(n, net, &paths) < 0)
        return; /* of who is no member nobody hears */
    const struct kith_route_item item = {
        .destination = m.destination, .seq = m.seq, .hops = m.hops, .rate = m.rate};
    routes_take(n, &n->mesh->net[net->slot], p, &item, true, now);
    routes_tell_soon(&n->mesh->net[net->slot], now);
    if (whose == KITH_SEARCH_SELF)
        kith_search_found(n->mesh->search, net->slot, &m.destination);
    else
        pass_back(n, net, whose, &ask, now);
}
