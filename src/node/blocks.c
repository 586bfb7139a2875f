/* blocks.c: whom this node will have nothing to do with: no session, no way over it, none to it.
 *
 * The list is whoever runs this machine's and nobody else's: it is told to no member, and what
 * admins sign about one that is blocked counts as ever. Spec: docs/spec/session.md 3.8,
 * mesh.md 2.9. */
#include "node/internal.h"

#include "store/blocked.h"

struct blocked {
    struct kith_peer_id id;
    struct kith_destination destination; /* its own in the mesh */
    kith_wall since;
};

/* ---- the list ---- */

void blocks_init(struct kith_node *n)
{
    kith_map_init(&n->blocks.by_id, n->env->alloc, n->env->random, sizeof(struct kith_peer_id),
                  KITH_STORE_BLOCKED_MAX);
    kith_map_init(&n->blocks.by_destination, n->env->alloc, n->env->random,
                  sizeof(struct kith_destination), KITH_STORE_BLOCKED_MAX);
}

static struct blocked *blocked_find(const struct kith_node *n, const struct kith_peer_id *id)
{
    return kith_map_find(&n->blocks.by_id, id->b);
}

bool blocks_has(const struct kith_node *n, const struct kith_peer_id *id)
{
    return blocked_find(n, id) != NULL;
}

bool blocks_leads_to(const struct kith_node *n, const struct kith_destination *to)
{
    return kith_map_find(&n->blocks.by_destination, to->b) != NULL;
}

static void take_out(struct kith_node *n, struct blocked *b)
{
    (void)kith_map_take(&n->blocks.by_id, b->id.b);
    (void)kith_map_take(&n->blocks.by_destination, b->destination.b);
    kith_free(n->env->alloc, b);
}

/* Without a word to the store. */
static int put_in(struct kith_node *n, const struct kith_peer_id *id, kith_wall since)
{
    struct blocked *b = kith_new_zero(n->env->alloc, sizeof *b);

    if (b == NULL)
        return KITH_E_NOMEM;
    *b = (struct blocked){.id = *id, .since = since};
    int err = mesh_destination_of(id, &b->destination);
    if (err >= 0)
        err = kith_map_put(&n->blocks.by_id, b->id.b, b);
    if (err >= 0)
        err = kith_map_put(&n->blocks.by_destination, b->destination.b, b);
    if (err < 0)
        take_out(n, b);
    return err;
}

static int load(void *ctx, const struct kith_store_blocked *row)
{
    struct kith_peer_id id;

    memcpy(id.b, row->peer, sizeof id.b);
    return put_in(ctx, &id, row->since);
}

int blocks_load(struct kith_node *n)
{
    return kith_store_blocked_list(n->store, load, n);
}

void blocks_free(struct kith_node *n)
{
    struct blocked *b;
    size_t at = 0;

    while ((b = kith_map_next(&n->blocks.by_id, &at)) != NULL)
        kith_free(n->env->alloc, b);
    kith_map_fini(&n->blocks.by_id);
    kith_map_fini(&n->blocks.by_destination);
}

static void tell_of(const struct kith_node *n, const struct blocked *b, kith_wall now,
                    struct kith_block_info *ret)
{
    *ret = (struct kith_block_info){.peer = b->id, .since = b->since};
    ask_name(n, &b->id, now, ret->name, sizeof ret->name);
}

bool kith_node_next_blocked(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_block_info *ret)
{
    const struct blocked *b = kith_map_next(&n->blocks.by_id, at);

    if (b != NULL)
        tell_of(n, b, now, ret);
    return b != NULL;
}

/* ---- what follows ---- */

/* spec session 3.8.1, mesh 2.9 */
static void cut_off(struct kith_node *n, const struct blocked *b, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &b->id);
    struct node_peer *p = peer_find(n, &b->id);

    if (s != NULL)
        kith_session_close(s, KITH_CLOSE_BLOCKED, "blocked", now.mono);
    join_sent_away(n, &b->id, kith_after(now.mono, UNWELCOME_TIME));
    if (p != NULL) {
        p->blocked = true;
        mesh_session(n, p, false, now);
        kith_vpn_session_ready(n->vpn, p->handle, now.mono); /* what waits for one is dropped */
    }
    routes_blocked(n, &b->destination, now);
}

static void let_in(struct kith_node *n, const struct kith_peer_id *id, struct kith_now now)
{
    struct node_peer *p = peer_find(n, id);

    join_sent_away(n, id, now.mono);
    routes_ask(n, now); /* neighbours told the ways to it once, and were not heard */
    if (p == NULL)
        return;
    p->blocked = false;
    peer_refresh(n, p, now);
}

/* ---- requests ---- */

/* Anybody by its id, members by name, too. */
static int find_who(const struct kith_node *n, const char *text, const char *network, kith_wall now,
                    struct kith_peer_id *ret, struct kith_node_why *why)
{
    struct kith_member_info m;

    if (kith_peer_id_parse(text, ret) == KITH_OK)
        return KITH_OK;
    int err = ask_one(n, text, network, now, &m, why);
    if (err >= 0)
        *ret = m.peer;
    return err;
}

/* On the disk, or nothing has happened. */
static int keep(struct kith_node *n, const struct kith_peer_id *id, kith_wall now)
{
    struct kith_store_blocked row = {.since = now};
    int err = put_in(n, id, now);

    if (err < 0)
        return err;
    memcpy(row.peer, id->b, sizeof row.peer);
    err = kith_store_blocked_add(n->store, &row);
    if (err < 0)
        take_out(n, blocked_find(n, id));
    return err;
}

static int check_block(const struct kith_node *n, const struct kith_peer_id *id,
                       struct kith_node_why *why)
{
    if (peer_is_self(n, id))
        return node_say(why, KITH_E_INVAL, "", "this is the node itself");
    if (!blocks_has(n, id) && n->blocks.by_id.n == KITH_STORE_BLOCKED_MAX)
        return node_say(why, KITH_E_FULL, "kith unblock takes one away",
                        "a node blocks at most %d peers", KITH_STORE_BLOCKED_MAX);
    return KITH_OK;
}

int kith_node_block(struct kith_node *n, const char *peer, const char *network, struct kith_now now,
                    struct kith_block_info *ret, struct kith_node_why *why)
{
    struct kith_peer_id id;
    int err = find_who(n, peer, network, now.wall, &id, why);

    if (err >= 0)
        err = check_block(n, &id, why);
    if (err < 0)
        return err;
    bool news = !blocks_has(n, &id);
    if (news) {
        err = keep(n, &id, now.wall);
        if (err < 0)
            return node_say(why, err, "", "cannot block it: %s", kith_err_text(err));
        kith_event_peer_blocked(n->env->events, id.b);
        cut_off(n, blocked_find(n, &id), now);
    }
    tell_of(n, blocked_find(n, &id), now.wall, ret);
    ret->changed = news;
    return KITH_OK;
}

int kith_node_unblock(struct kith_node *n, const char *peer, const char *network,
                      struct kith_now now, struct kith_block_info *ret, struct kith_node_why *why)
{
    struct blocked other = {.since = 0};
    int err = find_who(n, peer, network, now.wall, &other.id, why);

    if (err < 0)
        return err;
    struct blocked *b = blocked_find(n, &other.id);
    tell_of(n, b != NULL ? b : &other, now.wall, ret);
    if (b == NULL)
        return KITH_OK;
    err = kith_store_blocked_remove(n->store, b->id.b);
    if (err < 0)
        return node_say(why, err, "", "cannot unblock it: %s", kith_err_text(err));
    take_out(n, b);
    ret->changed = true;
    kith_event_peer_unblocked(n->env->events, other.id.b);
    let_in(n, &other.id, now);
    return KITH_OK;
}
