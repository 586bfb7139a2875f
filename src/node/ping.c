/* ping.c: round trips on request, over the session as packets go. */
#include "node/internal.h"

#define PING_PATIENCE (5 * KITH_SEC) /* then a reply counts as lost */

static struct node_ping *free_ping(struct kith_node *n)
{
    for (size_t i = 0; i < KITH_NODE_PINGS_MAX; i++)
        if (!n->ping[i].used)
            return &n->ping[i];
    return NULL;
}

int kith_node_ping(struct kith_node *n, const struct kith_peer_id *peer, uint32_t count,
                   kith_dur interval, uint64_t call, struct kith_now now, struct kith_node_why *why)
{
    struct node_ping *p = free_ping(n);
    struct node_peer *to = peer_find(n, peer);

    if (peer_is_self(n, peer))
        return node_say(why, KITH_E_INVAL, "", "this is the node itself");
    if (to == NULL)
        return node_say(why, KITH_E_NOTFOUND, "", "there is no such member");
    if (to->blocked)
        return node_say(why, KITH_E_UNREACHABLE, "kith unblock takes it off the list",
                        "this node blocks it");
    if (p == NULL)
        return node_say(why, KITH_E_FULL, "wait for one to end", "too many pings under way");
    *p = (struct node_ping){.used = true,
                            .call = call,
                            .peer = *peer,
                            .count = count,
                            .interval = interval > KITH_MSEC ? interval : KITH_MSEC,
                            .next_at = now.mono};
    peer_need(n, to, ON_DEMAND_IDLE, now);
    return KITH_OK;
}

static void tell(struct kith_node *n, const struct node_ping *p, uint32_t seq, bool lost,
                 kith_dur rtt, kith_wall now)
{
    const struct kith_session *s = kith_sessions_find(n->sessions, &p->peer);
    struct kith_session_info info;

    if (n->n_pong == PONGS_MAX)
        return; /* nobody takes them: the caller has gone */
    struct node_pong *out = &n->pong[n->n_pong++];
    *out = (struct node_pong){.call = p->call, .seq = seq, .lost = lost, .rtt = rtt};
    if (s == NULL || lost)
        return;
    kith_session_info(s, &info);
    out->hops = info.relayed ? mesh_hops(n, &info) : 1;
    ask_route(n, &info, now, out->route, sizeof out->route);
}

static bool waits(const struct node_ping *p)
{
    for (size_t i = 0; i < KITH_COUNT(p->out); i++)
        if (p->out[i].until != 0)
            return true;
    return false;
}

static void end_if_done(struct kith_node *n, struct node_ping *p)
{
    if (p->count == 0 || p->sent < p->count || waits(p))
        return;
    node_done(n, p->call, KITH_OK, NULL, "", "");
    p->used = false;
}

void ping_pong(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_PINGS_MAX; i++) {
        struct node_ping *p = &n->ping[i];
        for (size_t k = 0; p->used && k < KITH_COUNT(p->out); k++) {
            if (p->out[k].until == 0 || p->out[k].token != fx->token)
                continue;
            p->out[k].until = 0;
            tell(n, p, p->out[k].seq, false, fx->rtt, now.wall);
            end_if_done(n, p);
            return;
        }
    }
}

static void expire(struct kith_node *n, struct node_ping *p, struct kith_now now)
{
    for (size_t k = 0; k < KITH_COUNT(p->out); k++) {
        if (p->out[k].until == 0 || now.mono < p->out[k].until)
            continue;
        p->out[k].until = 0;
        tell(n, p, p->out[k].seq, true, 0, now.wall);
    }
}

/* Sends the next round trip; while there is no session it waits for one, and then counts as lost.
 */
static void send_next(struct kith_node *n, struct node_ping *p, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->peer);
    uint64_t token = kith_random_u64(n->env->random);

    for (size_t k = 0; k < KITH_COUNT(p->out); k++) {
        if (p->out[k].until != 0)
            continue;
        bool up = s != NULL && kith_session_is_up(s);
        if (!up && p->sent == 0 && p->waiting_since == 0)
            p->waiting_since = now.mono;
        if (!up && p->sent == 0 && now.mono - p->waiting_since < PING_PATIENCE) {
            p->next_at = kith_after(now.mono, 20 * KITH_MSEC);
            return;
        }
        if (up && kith_session_ping(s, n->batch, token, 0, now.mono) == KITH_E_AGAIN) {
            p->next_at = kith_after(now.mono, KITH_MSEC);
            return;
        }
        p->out[k].token = token;
        p->out[k].seq = ++p->sent;
        p->out[k].until = kith_after(now.mono, PING_PATIENCE);
        p->next_at =
            p->count != 0 && p->sent >= p->count ? KITH_NEVER : kith_after(now.mono, p->interval);
        return;
    }
    p->next_at = kith_after(now.mono, p->interval);
}

void ping_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_PINGS_MAX; i++) {
        struct node_ping *p = &n->ping[i];
        if (!p->used)
            continue;
        expire(n, p, now);
        if (now.mono >= p->next_at)
            send_next(n, p, now);
        end_if_done(n, p);
    }
}

kith_time ping_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_PINGS_MAX; i++) {
        const struct node_ping *p = &n->ping[i];
        if (!p->used)
            continue;
        at = kith_sooner(at, p->next_at);
        for (size_t k = 0; k < KITH_COUNT(p->out); k++)
            if (p->out[k].until != 0)
                at = kith_sooner(at, p->out[k].until);
    }
    return at;
}

void ping_cancel(struct kith_node *n, uint64_t call)
{
    for (size_t i = 0; i < KITH_NODE_PINGS_MAX; i++)
        if (n->ping[i].used && n->ping[i].call == call)
            n->ping[i].used = false;
}
