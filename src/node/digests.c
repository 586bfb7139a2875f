/* digests.c: which signed objects two members have, and bringing each what it lacks.
 *
 * A summary says whether there is a difference at all, digests in what, a pull asks, a push brings.
 * Only what the other side proved to be in is spoken of. What comes is pulled in batches, pushed at
 * a rate that its receiver can judge, and held against who overdoes it. Spec:
 * docs/spec/control-stream.md 4, 6. */
#include "node/internal.h"

#define DIGEST_COST KITH_MSEC /* per entry: the longest list of all is 13,000 */
#define DIGEST_BURST 30000
#define LIST_COST (60 * KITH_SEC) /* all entries, because a summary differs */
#define LIST_BURST 16
#define SUMMARY_FRESH (10 * KITH_SEC) /* the answer to one this young is under way */
#define PULL_PATIENCE (10 * KITH_SEC) /* what was asked for may be gone at the other side, too */

int digests_push(struct kith_node *n, const struct kith_peer_id *to,
                 const struct kith_object *object, struct kith_now now)
{
    struct kith_push message = {.object = object->bytes};
    size_t len;
    int err = kith_push_encode(&message, n->scratch, KITH_FRAME_BODY_MAX, &len);

    return err < 0 ? err : gossip_send(n, to, len, now);
}

enum { DIGESTS_PER_MESSAGE = 1000 };

static int send_digest_items(struct kith_node *n, struct node_peer *p,
                             const struct node_network *net, const uint8_t *items, size_t len,
                             uint16_t count, struct kith_now now)
{
    struct kith_digest digest = {.network = net->id, .entries = {{items, len}, count}};
    size_t n_out;
    int err = kith_digest_encode(&digest, n->scratch, KITH_FRAME_BODY_MAX, &n_out);

    if (err >= 0)
        err = gossip_send(n, &p->id, n_out, now);
    if (err >= 0)
        telling_told(n, p, TELLING_DIGESTS, n_out, now);
    return err;
}

/* What waits for its share of the link shows in the next summary, which comes as soon as there is
 * some again. */
static void tell_later(struct kith_node *n, struct node_peer *p)
{
    p->digest_at = kith_sooner(p->digest_at, telling_at(p, TELLING_DIGESTS));
    gossip_wake(n, p->digest_at);
}

static void tell_all(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                     struct kith_now now)
{
    uint8_t items[DIGESTS_PER_MESSAGE * KITH_DIGEST_ITEM_LEN];
    struct kith_digest_item item;
    size_t at = 0;
    bool more = true;

    while (more) {
        struct kith_writer w = kith_writer_on(items, sizeof items);
        uint16_t count = 0;
        size_t len = 0;
        while (count < DIGESTS_PER_MESSAGE &&
               (more = kith_netview_next_digest(net->view, &at, now.wall, &item))) {
            kith_digest_item_put(&w, &item);
            count++;
        }
        if (count == 0 || kith_writer_done(&w, &len) < 0 ||
            send_digest_items(n, p, net, items, len, count, now) < 0)
            return;
    }
}

void digests_tell(struct kith_node *n, struct node_peer *p, struct node_network *net,
                  struct kith_now now)
{
    struct kith_summary m = {.network = net->id};
    size_t len;

    if (kith_netview_holdings(net->view, now.wall, &m.holdings) < 0) {
        tell_all(n, p, net, now); /* no memory to reckon what the other could compare */
        return;
    }
    if (kith_summary_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0 &&
        gossip_send(n, &p->id, len, now) >= 0)
        telling_told(n, p, TELLING_DIGESTS, len, now);
    p->summed_at[net->slot] = now.mono;
}

/* Where two differ both tell all: each must learn what it lacks. */
void digests_compare(struct kith_node *n, struct node_peer *p, struct kith_span message,
                     struct kith_now now)
{
    struct kith_summary m;
    struct kith_holdings ours;

    if (kith_summary_decode(message, &m) < 0)
        return;
    struct node_network *net = gossip_shared_network(n, &m.network, p);
    if (net == NULL || !gossip_affords(n, p, &p->digest_paid, DIGEST_COST, 1, DIGEST_BURST, now))
        return;
    routes_refresh(n, net, p, now);
    if (kith_netview_holdings(net->view, now.wall, &ours) >= 0 &&
        kith_holdings_equal(&ours, &m.holdings))
        return;
    if (!telling_may(n, p, TELLING_DIGESTS, now)) {
        tell_later(n, p);
        return;
    }
    /* what one differs in for good is looked at as often as summaries come by themselves */
    if (!kith_rate_takes(&p->list_paid, LIST_COST, 1, LIST_BURST, now.mono))
        return;
    tell_all(n, p, net, now);
    if (kith_since(now.mono, p->summed_at[net->slot]) > SUMMARY_FRESH)
        digests_tell(n, p, net, now);
}

void digests_announce(struct kith_node *n, const struct node_network *net,
                      const struct kith_object *obj, const struct kith_peer_id *except,
                      struct kith_now now)
{
    struct kith_digest_item item = {.key = obj->key, .number = obj->env.number};
    uint8_t bytes[KITH_DIGEST_ITEM_LEN];
    struct kith_writer w = kith_writer_on(bytes, sizeof bytes);
    bool urgent = obj->env.kind == KITH_OBJECT_revocation_body;

    kith_digest_item_put(&w, &item);
    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        /* what comes between our proof and theirs is in no digest of the two */
        if (((p->shown | p->proved) & 1u << net->slot) == 0 ||
            (except != NULL && kith_peer_id_equal(&p->id, except)))
            continue;
        if (urgent)
            (void)!digests_push(n, &p->id, obj, now);
        else if (telling_may(n, p, TELLING_DIGESTS, now))
            (void)!send_digest_items(n, p, net, bytes, sizeof bytes, 1, now);
        else
            tell_later(n, p);
    }
}

void digests_pull_more(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    const struct node_network *net = &n->network[p->lack_slot];
    size_t count = p->n_lack < PULL_BATCH ? p->n_lack : PULL_BATCH, len;

    if (count == 0 || !net->used)
        return;
    if (p->pulls_out > 0 && kith_since(now.mono, p->pulled_at) < PULL_PATIENCE) {
        p->pull_at = kith_after(p->pulled_at, PULL_PATIENCE);
        gossip_wake(n, p->pull_at);
        return;
    }
    kith_dur ahead = PUSH_COST * (PUSH_BURST - PULL_BATCH); /* it must afford to answer */
    p->pull_at = KITH_NEVER;
    if (kith_since(p->push_paid, now.mono) > ahead) {
        p->pull_at = p->push_paid - ahead;
        gossip_wake(n, p->pull_at);
        return;
    }
    const struct kith_object_key *first = &p->lack[p->n_lack - count];
    struct kith_pull pull = {
        .network = net->id,
        .keys = {{(const uint8_t *)first, count * sizeof *first}, (uint16_t)count}};
    if (kith_pull_encode(&pull, n->scratch, KITH_FRAME_BODY_MAX, &len) < 0 ||
        gossip_send(n, &p->id, len, now) < 0)
        return;
    p->n_lack -= count;
    if (p->n_lack == 0) { /* it is large, and seldom needed */
        kith_free(n->env->alloc, p->lack);
        p->lack = NULL;
    }
    p->pulls_out = (unsigned)count;
    p->pulled_at = now.mono;
}

static void note_lack(struct kith_node *n, struct node_peer *p, const struct kith_object_key *key)
{
    if (p->lack == NULL)
        p->lack = kith_new_array(n->env->alloc, LACK_MAX, sizeof *p->lack);
    if (p->lack == NULL || p->n_lack == LACK_MAX)
        return; /* the next digest names it again */
    for (size_t i = 0; i < p->n_lack; i++)
        if (kith_object_key_equal(&p->lack[i], key))
            return;
    p->lack[p->n_lack++] = *key;
}

void digests_heard(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now)
{
    struct kith_digest digest;
    struct kith_digest_item item;

    if (kith_digest_decode(message, &digest) < 0)
        return;
    struct node_network *net = gossip_shared_network(n, &digest.network, p);
    if (net == NULL ||
        !gossip_affords(n, p, &p->digest_paid, DIGEST_COST, digest.entries.n, DIGEST_BURST, now))
        return;
    routes_refresh(n, net, p, now);
    if (p->lack_slot != net->slot) {
        p->n_lack = 0; /* one network at a time; the other's digest comes again */
        p->pulls_out = 0;
        p->lack_slot = net->slot;
    }
    struct kith_reader r = kith_reader_on(digest.entries.bytes);
    while (kith_digest_item_next(&r, &item))
        if (kith_netview_lacks(net->view, &item, now.wall))
            note_lack(n, p, &item.key);
    digests_pull_more(n, p, now);
}

void digests_pull(struct kith_node *n, struct node_peer *p, struct kith_span message,
                  struct kith_now now)
{
    struct kith_pull pull;
    struct kith_key_item item;

    if (kith_pull_decode(message, &pull) < 0)
        return;
    struct node_network *net = gossip_shared_network(n, &pull.network, p);
    if (net == NULL)
        return;
    struct kith_reader r = kith_reader_on(pull.keys.bytes);
    for (unsigned i = 0; i < 2 * PULL_BATCH && kith_key_item_next(&r, &item); i++) {
        const struct kith_object *o = kith_netview_find(net->view, &item.key);
        if (o == NULL)
            continue;
        if (!gossip_may_answer(n, p, now))
            return; /* control-stream 6.2: it may ask so fast, but is not answered so fast */
        if (digests_push(n, &p->id, o, now) < 0)
            return; /* it asks again after the next digest */
    }
}

/* What says that this node is no member any more is heard from anybody, and what proves it: no
 * member shows itself to one that is none. */
static struct node_network *own_end(const struct kith_node *n, const struct kith_object *o)
{
    bool ends = (o->env.kind == KITH_OBJECT_revocation_body &&
                 kith_peer_id_equal(&o->revocation.peer, &n->identity->id)) ||
                o->env.kind == KITH_OBJECT_admin_body;

    return ends ? network_by_id(n, &o->env.network) : NULL;
}

void digests_pushed(struct kith_node *n, struct node_peer *p, struct kith_span message,
                    struct kith_now now)
{
    struct kith_push push;
    struct kith_object o;
    enum kith_offer offer;
    const char *why = "";

    if (!gossip_may_offer(n, p, now))
        return; /* unread; the next digest names it again */
    if (kith_push_decode(message, &push) < 0)
        return;
    int err = kith_object_open(push.object, &o);
    if (err < 0) {
        if (err != KITH_E_VERSION) /* a later version's object is for others */
            gossip_refused(n, &p->id, "object", err, kith_err_text(err), now);
        return;
    }
    struct node_network *net = gossip_shared_network(n, &o.env.network, p);
    if (net == NULL)
        net = own_end(n, &o);
    if (net == NULL)
        return;
    const struct kith_peer_id from = p->id;
    err = object_take(n, net, push.object, &from, now, &offer, &why);
    if (err < 0 && err != KITH_E_LIMIT) /* who carries it cannot help how often it changes */
        gossip_refused(n, &from, "object", err, why, now);
    if (p->pulls_out > 0)
        p->pulls_out--;
    digests_pull_more(n, p, now);
}
