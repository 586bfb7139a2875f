/* seqno.c: the numbers of destinations' statements, and requests for newer ones.
 *
 * Who knows ways to a destination but may tell none on asks the destination for a newer number:
 * each neighbour that leads there, and these pass it on to the best way they know. So a request
 * costs as many messages as there are hops, whoever else is there. Spec: docs/spec/mesh.md 2.5
 * to 2.7. */
#include "node/internal.h"

enum {
    REQUEST_BURST = 2000,
    ASK_BURST = 1000,
    NEWER_BURST = 20,
    ASKED_SHORT = 16, /* hops by which an earlier request may have gone less far */
};
#define REQUEST_COST (KITH_SEC / 200)
#define ASK_COST (KITH_SEC / 100) /* less than others look at */
#define ASKED_FRESH (2 * KITH_SEC)
#define NEWER_COST KITH_SEC /* our own number stays behind the calendar's seconds */
#define ASK_INTERVAL KITH_SEC

static bool is_seen(struct mesh_seqno *s, uint64_t tag)
{
    for (size_t i = 0; i < MESH_TAGS && i < s->n_tags; i++)
        if (s->tag[i] == tag)
            return true;
    s->tag[s->n_tags++ % MESH_TAGS] = tag;
    return false;
}

/* What is remembered of requests for that destination and number, or of others in its place. */
static struct mesh_asked asked_for(struct node_mesh *mesh, const struct kith_route_request *m,
                                   struct mesh_asked **ret_place)
{
    uint8_t key[sizeof m->destination + sizeof m->seq];

    memcpy(key, m->destination.b, sizeof m->destination);
    memcpy(key + sizeof m->destination, &m->seq, sizeof m->seq);
    uint64_t what =
        kith_siphash(mesh->by_destination.k0, mesh->by_destination.k1, KITH_SPAN_OF(key));
    *ret_place = &mesh->seqno.asked[what % MESH_ASKED];
    return (struct mesh_asked){.what = what, .hops = m->hops};
}

/* Many miss somebody at the same time, and each asks: one that goes about as far as another did
 * lately brings nothing new. */
static bool is_repeated(const struct mesh_asked *before, const struct mesh_asked *now, kith_time at)
{
    return before->at != 0 && before->what == now->what &&
           kith_since(at, before->at) < ASKED_FRESH && before->hops + ASKED_SHORT >= now->hops;
}

/* Whether all were told under a newer number: then it is on its way to who asks. */
static bool is_outdone(const struct mesh_network *net, const struct kith_route_request *m)
{
    uint32_t seq;
    uint8_t hops;

    return kith_mesh_paths_told_on(net->paths, &m->destination, &seq, &hops) && seq > m->seq;
}

/* To the best ways that do not lead back, `most` of them. */
static void send_on(struct kith_node *n, const struct node_network *net,
                    const struct kith_route_request *m, const struct node_peer *from, size_t most,
                    struct kith_now now)
{
    struct kith_mesh_way way[KITH_MESH_WAYS];
    size_t count =
        kith_mesh_paths_ways(n->mesh->net[net->slot].paths, &m->destination, now.mono, way);

    for (size_t i = 0, len; i < count && most > 0; i++) {
        const struct node_peer *p = n->by_handle[way[i].neighbour];
        if (p == NULL || p == from || !routes_hears(p, net) ||
            kith_route_request_encode(m, n->scratch, KITH_FRAME_BODY_MAX, &len) < 0)
            continue;
        (void)!gossip_send(n, &p->id, len, now);
        most--;
    }
}

static void pass_on(struct kith_node *n, const struct node_network *net,
                    const struct kith_route_request *m, const struct node_peer *from, size_t most,
                    struct kith_now now)
{
    struct mesh_asked *place, asked = asked_for(n->mesh, m, &place);

    if (n->mesh->net[net->slot].paths == NULL || is_outdone(&n->mesh->net[net->slot], m) ||
        is_repeated(place, &asked, now.mono))
        return;
    if (!kith_rate_takes(&n->mesh->seqno.ask_paid, ASK_COST, most, ASK_BURST, now.mono))
        return; /* no more than anybody looks at: asked again while it matters */
    asked.at = now.mono;
    *place = asked;
    send_on(n, net, m, from, most, now);
}

static void ask_for_newer(struct kith_node *n, const struct node_network *net,
                          const struct kith_mesh_advert *a, struct kith_now now)
{
    const struct kith_route_request m = {.network = net->id,
                                         .tag = kith_random_u64(n->env->random),
                                         .destination = a->to,
                                         .seq = a->seq,
                                         .hops = KITH_MESH_HOPS_MAX};

    (void)is_seen(&n->mesh->seqno, m.tag);
    pass_on(n, net, &m, NULL, KITH_MESH_WAYS, now);
}

void seqno_outdo(struct kith_node *n, struct mesh_network *m, uint32_t seq, struct kith_now now)
{
    if (seq < n->mesh->seqno.own || seq >= now.wall + MESH_SEQ_AHEAD)
        return;
    n->mesh->seqno.own = seq + 1;
    m->self_news = true;
    routes_tell_soon(m, now);
}

void seqno_request(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now)
{
    struct kith_route_request m;
    struct mesh_seqno *s = &n->mesh->seqno;

    if (kith_route_request_decode(message, &m) < 0)
        return;
    struct node_network *net = gossip_shared_network(n, &m.network, p);
    if (net == NULL ||
        !gossip_affords(n, p, &p->mesh.request_paid, REQUEST_COST, 1, REQUEST_BURST, now) ||
        is_seen(s, m.tag))
        return;
    if (kith_destination_equal(&m.destination, &n->mesh->here)) {
        if (m.seq >= s->own &&
            kith_rate_takes(&s->newer_paid, NEWER_COST, 1, NEWER_BURST, now.mono))
            seqno_outdo(n, &n->mesh->net[net->slot], m.seq, now);
        return;
    }
    if (n->mesh->forward && --m.hops > 0)
        pass_on(n, net, &m, p, 1, now);
}

void seqno_ask(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    struct mesh_network *m = &n->mesh->net[net->slot];
    struct kith_mesh_advert a;
    size_t at = 0;

    m->seqno_at = KITH_NEVER;
    while (m->paths != NULL &&
           kith_mesh_paths_next_advert(m->paths, &at, KITH_MESH_STARVED, now.mono, &a)) {
        m->seqno_at = kith_after(now.mono, ASK_INTERVAL);
        if (kith_mesh_paths_asks(m->paths, &a.to, now.mono))
            ask_for_newer(n, net, &a, now);
    }
}
