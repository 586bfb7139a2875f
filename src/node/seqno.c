/* seqno.c: the numbers of destinations' statements, and requests for newer ones.
 *
 * Who knows ways to a destination but may tell none on asks the destination for a newer number:
 * each neighbour that leads there, and these pass it on to the best way they know. So a request
 * costs as many messages as there are hops, whoever else is there. Spec: docs/spec/mesh.md 2.5
 * to 2.7. */
#include "node/internal.h"

enum {
    ASKED_SHORT = 16, /* hops by which an earlier request may have gone less far */
    REQUEST_BURST = 2000,
    OWN_BURST = 1000, /* with what is passed on: no more than the neighbour looks at */
    PASS_BURST = 900,
    SHARE_BURST = PASS_BURST / 2,
    NEWER_BURST = 20,
};
/* Requests that one neighbour may send; that we send to one, our own and those of others; and what
 * one neighbour may have of the latter. */
#define REQUEST_COST (KITH_SEC / 200)
#define OWN_COST (KITH_SEC / 100)
#define PASS_COST (KITH_SEC / 90)
#define SHARE_COST (2 * PASS_COST)
#define NEWER_COST KITH_SEC /* our own number is not ahead of the calendar's seconds for long */
#define ASKED_FRESH KITH_SEC /* less than anybody waits before asking again */
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

/* `from` is NULL for our own. */
static bool affords(struct kith_node *n, struct node_peer *from, struct node_peer *to,
                    struct kith_now now)
{
    if (!telling_may(n, to, TELLING_REQUESTS, now))
        return false;
    if (from == NULL)
        return kith_rate_takes(&to->mesh.own_paid, OWN_COST, 1, OWN_BURST, now.mono);
    return kith_rate_takes(&from->mesh.share_paid, SHARE_COST, 1, SHARE_BURST, now.mono) &&
           kith_rate_takes(&to->mesh.pass_paid, PASS_COST, 1, PASS_BURST, now.mono);
}

/* The ways to go, the one that may be told on first: others may lead in a circle. How many. */
static size_t ways_for(const struct kith_mesh_paths *paths, const struct kith_destination *to,
                       kith_time now, struct kith_mesh_way ret[1 + KITH_MESH_WAYS])
{
    size_t first = kith_mesh_paths_feasible(paths, to, now, &ret[0]) ? 1 : 0;

    return first + kith_mesh_paths_ways(paths, to, now, ret + first);
}

/* To the best ways that do not lead back, `most` of them; to how many it went. */
static size_t send_on(struct kith_node *n, const struct node_network *net,
                      const struct kith_route_request *m, struct node_peer *from, size_t most,
                      struct kith_now now)
{
    struct kith_mesh_way way[1 + KITH_MESH_WAYS];
    size_t count = ways_for(n->mesh->net[net->slot].paths, &m->destination, now.mono, way);
    size_t sent = 0;

    for (size_t i = 0, len; i < count && sent < most; i++) {
        struct node_peer *p = n->by_handle[way[i].neighbour];
        if (p == from || !routes_hears(p, net) || (i > 0 && way[i].neighbour == way[0].neighbour) ||
            !affords(n, from, p, now) ||
            kith_route_request_encode(m, n->scratch, KITH_FRAME_BODY_MAX, &len) < 0)
            continue;
        if (gossip_send(n, &p->id, len, now) < 0)
            continue;
        telling_told(n, p, TELLING_REQUESTS, len, now);
        sent++;
    }
    return sent;
}

/* False: it went to nobody, and is to be tried again while it matters. */
static bool pass_on(struct kith_node *n, const struct node_network *net,
                    const struct kith_route_request *m, struct node_peer *from, size_t most,
                    struct kith_now now)
{
    const struct mesh_network *mesh = &n->mesh->net[net->slot];
    struct mesh_asked *place, asked = asked_for(n->mesh, m, &place);

    if (mesh->paths == NULL)
        return false;
    if (is_outdone(mesh, m) || is_repeated(place, &asked, now.mono))
        return true;
    if (send_on(n, net, m, from, most, now) == 0)
        return false;
    asked.at = now.mono;
    *place = asked;
    return true;
}

static bool ask_for_newer(struct kith_node *n, const struct node_network *net,
                          const struct kith_mesh_advert *a, struct kith_now now)
{
    const struct kith_route_request m = {.network = net->id,
                                         .tag = kith_random_u64(n->env->random),
                                         .destination = a->to,
                                         .seq = a->seq,
                                         .hops = KITH_MESH_HOPS_MAX};

    (void)is_seen(&n->mesh->seqno, m.tag);
    return pass_on(n, net, &m, NULL, KITH_MESH_WAYS, now);
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
        m.seq >= now.wall + MESH_SEQ_AHEAD || is_seen(s, m.tag))
        return; /* or nobody would believe a newer one */
    if (kith_destination_equal(&m.destination, &n->mesh->here)) {
        if (m.seq >= s->own &&
            kith_rate_takes(&s->newer_paid, NEWER_COST, 1, NEWER_BURST, now.mono))
            seqno_outdo(n, &n->mesh->net[net->slot], m.seq, now);
        return;
    }
    if (n->mesh->forward && --m.hops > 0)
        (void)pass_on(n, net, &m, p, 1, now);
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
        if (kith_mesh_paths_may_ask(m->paths, &a.to, now.mono) && ask_for_newer(n, net, &a, now))
            kith_mesh_paths_asked(m->paths, &a.to, now.mono);
    }
}
