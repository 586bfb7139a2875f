/* company.c: with whom a node keeps a session in a network that is too large for one with
 * everybody.
 *
 * It needs neighbours to reach the others through: a few members with a direct session. They are
 * looked for among those that it reached before, and then, more slowly, among all. A neighbour
 * beyond those few is kept if nobody else leads to it. Who cannot be reached at all, neither
 * directly nor through others, is tried again now and then. Page: docs/modules/node.md. */
#include "node/internal.h"
#include "store/address.h"

enum {
    REACHED_MAX = 64,      /* addresses that worked last */
    AT_ONCE_REACHED = 8,   /* tries under way of those that were reached before */
    AT_ONCE_STRANGERS = 2, /* and of others */
};
#define TRY_TIME (6 * KITH_SEC)         /* for one: its addresses, and a second attempt of each */
#define SEARCH_AGAIN (600 * KITH_SEC)   /* after all were tried */
#define MISSED_TIME (600 * KITH_SEC)    /* for one that was kept, and lost */
#define REVIEW (60 * KITH_SEC)          /* between two looks at the company kept */
#define SETTLE KITH_SEC                 /* what changed may change again */

static bool is_large(const struct node_network *net)
{
    return net->used && !net->small;
}

/* Whether nobody else leads to the neighbour. */
static bool is_sole_way(const struct kith_node *n, const struct node_network *net,
                        const struct node_peer *p, struct kith_now now)
{
    const struct kith_mesh_paths *paths = n->mesh->net[net->slot].paths;
    struct kith_mesh_way other;

    return paths == NULL ||
           !kith_mesh_paths_best(paths, &p->mesh.destination, p->handle, now.mono, &other);
}

/* Those that are kept, or all others, are looked at anew; how many are kept then besides `kept`. */
static size_t choose_of(struct kith_node *n, const struct node_network *net, bool old, size_t kept,
                        struct kith_now now)
{
    uint32_t bit = 1u << net->slot;
    size_t more = 0;

    for (struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;) {
        bool was = (p->company.kept & bit) != 0;
        if (was != old || (p->proved & bit) == 0)
            continue;
        bool is = kept + more < n->company_size || is_sole_way(n, net, p, now);
        more += is;
        p->company.kept = is ? p->company.kept | bit : p->company.kept & ~bit;
        if (is != was)
            n->peers_at = now.mono;
    }
    return more;
}

/* Whom to keep of the neighbours; how many. Those that were kept come first, so that the others can
 * go. */
static size_t choose(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    size_t kept = choose_of(n, net, true, 0, now);

    return kept + choose_of(n, net, false, kept, now);
}

/* ---- looking for more ---- */

static size_t under_way(const struct kith_node *n, struct kith_now now)
{
    size_t count = 0;

    for (size_t i = 0; i < n->n_handles; i++) {
        const struct node_peer *p = n->by_handle[i];
        count += p->company.tried_until > now.mono && !p->mesh.neighbour;
    }
    return count;
}

/* Whether a try of the peer may bring something. */
static bool is_worth_a_try(struct kith_node *n, const struct node_network *net,
                           const struct node_peer *p, bool lonely, struct kith_now now)
{
    struct kith_addr through_others;

    return (p->member_of & 1u << net->slot) != 0 && !peer_is_self(n, &p->id) && !p->blocked &&
           !p->mesh.neighbour && p->company.tried_until <= now.mono &&
           (lonely || !mesh_reaches(n, p, now, &through_others));
}

static void try_one(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    p->company.tried_until = kith_after(now.mono, TRY_TIME);
    peer_refresh(n, p, now);
    n->peers_at = kith_sooner(n->peers_at, p->company.tried_until);
}

static int remember(void *ctx, const uint8_t peer[32])
{
    const struct kith_node *n = ctx;
    struct kith_peer_id id;

    memcpy(id.b, peer, sizeof id.b);
    struct node_peer *p = peer_find(n, &id);
    if (p != NULL)
        p->company.reached = true;
    return 0;
}

/* A round tries those that were reached before, then all others, from anywhere on. */
static void begin_round(struct kith_node *n, struct network_company *c, struct kith_now now)
{
    for (size_t i = 0; i < n->n_handles; i++)
        n->by_handle[i]->company.reached = false;
    (void)!kith_store_address_reached(n->store, REACHED_MAX, remember, n); /* the store tells */
    c->next = (size_t)kith_random_below(n->env->random, n->n_handles);
    c->left = n->n_handles;
    c->strangers = false;
    c->round_at = kith_after(now.mono, SEARCH_AGAIN);
}

/* The next peer of the round; NULL at its end. */
static struct node_peer *next_of_round(const struct kith_node *n, struct network_company *c)
{
    for (;;) {
        if (c->left == 0 && c->strangers)
            return NULL;
        if (c->left == 0) {
            c->strangers = true;
            c->left = n->n_handles;
            return NULL; /* those of the first half are given their time */
        }
        c->left--;
        struct node_peer *p = n->by_handle[c->next++ % n->n_handles];
        if (p->company.reached != c->strangers)
            return p;
    }
}

static bool is_over(const struct network_company *c)
{
    return c->left == 0 && c->strangers;
}

/* How many are tried at once: of those that answer at once none should be too many. */
static size_t at_once(const struct network_company *c, size_t missing)
{
    size_t most = c->strangers ? AT_ONCE_STRANGERS : AT_ONCE_REACHED;

    return missing == 0 ? 1 : missing < most ? missing : most;
}

/* Looks for `missing` neighbours, and for who is not reached at all. */
static void search(struct kith_node *n, struct node_network *net, size_t missing,
                   struct kith_now now)
{
    struct network_company *c = &net->company;
    size_t busy = under_way(n, now);
    struct node_peer *p;

    if (now.mono >= c->round_at && n->n_handles > 0)
        begin_round(n, c, now);
    while (busy < at_once(c, missing) && (p = next_of_round(n, c)) != NULL) {
        if (!is_worth_a_try(n, net, p, missing > 0, now))
            continue;
        try_one(n, p, now);
        busy++;
    }
    c->at = kith_sooner(c->at, is_over(c) ? c->round_at : kith_after(now.mono, SETTLE));
}

/* ---- what the rest of the node asks and tells ---- */

bool company_wants(const struct node_peer *p, size_t slot, struct kith_now now)
{
    const struct peer_company *c = &p->company;

    return (c->kept & 1u << slot) != 0 || now.mono < c->tried_until || now.mono < c->missed_until;
}

static void look_soon(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct network_company *c = &n->network[i].company;
        c->at = kith_sooner(c->at, kith_after(now.mono, SETTLE));
    }
}

void company_met(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    p->company.missed_until = 0;
    p->company.tried_until = kith_after(now.mono, TRY_TIME); /* it is not sent away before a look */
    look_soon(n, now);
}

void company_parted(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    if (p->company.kept != 0)
        p->company.missed_until = kith_after(now.mono, MISSED_TIME);
    p->company.kept = 0;
    look_soon(n, now);
}

void company_moved(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        n->network[i].company.at = n->network[i].company.round_at = now.mono;
}

void company_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        if (!is_large(net) || now.mono < net->company.at)
            continue;
        net->company.at = kith_after(now.mono, REVIEW);
        size_t kept = choose(n, net, now);
        search(n, net, kept < n->company_size ? n->company_size - kept : 0, now);
    }
}

kith_time company_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (is_large(&n->network[i]))
            at = kith_sooner(at, n->network[i].company.at);
    return at;
}
