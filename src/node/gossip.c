/* gossip.c: members of a network that meet: who they are, and what one may ask of the other.
 *
 * Nothing about a network is said to a peer before the view says it is a member of it; what a peer
 * says about a network counts only after it has proved its membership in this session.
 * Spec: docs/spec/control-stream.md. */
#include "node/internal.h"

int gossip_send(struct kith_node *n, const struct kith_peer_id *to, size_t len, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, to);

    if (s == NULL)
        return KITH_E_STATE;
    return kith_session_send_control(s, (struct kith_span){n->scratch, len}, now.mono);
}

/* ---- allowances: what one member may ask of us (control-stream 6) ---- */

#define OBSERVED_COST (10 * KITH_SEC)
#define OBSERVED_BURST 4
#define ADDRESS_COST KITH_SEC
#define ADDRESS_BURST 64
#define GREET_COST (2 * KITH_SEC) /* all that must survive a connection, said again when it moved */
#define GREET_BURST 8
#define SHOW_AGAIN (2 * KITH_SEC) /* a membership for which there was no room */

enum { LATE_MAX = 2 }; /* sessions in a row that may end for a proof that was late */

void gossip_note(const struct kith_node *n, const struct kith_peer_id *peer, enum kith_offence what,
                 struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, peer);

    if (s != NULL)
        kith_session_note(s, what, now.mono);
}

bool gossip_affords(const struct kith_node *n, const struct node_peer *p, kith_time *paid,
                    kith_dur cost, size_t count, size_t burst, struct kith_now now)
{
    bool can = kith_rate_takes(paid, cost, count, burst, now.mono);

    if (!can)
        gossip_note(n, &p->id, KITH_OFFENCE_messages, now);
    return can;
}

bool gossip_may_offer(const struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    return p == NULL || gossip_affords(n, p, &p->push_paid, PUSH_COST, 1, PUSH_BURST, now);
}

bool gossip_may_answer(const struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    return gossip_affords(n, p, &p->answer_paid, PUSH_COST, 1, PUSH_BURST, now);
}

void gossip_refused(struct kith_node *n, const struct kith_peer_id *from, const char *object,
                    int err, const char *why, struct kith_now now)
{
    if (err == KITH_E_NOMEM || err == KITH_E_CRYPTO)
        return; /* who sent it cannot help it when this host had no room */
    kith_event_object_refused(n->env->events, from->b, object, why);
    /* what is untimely or superfluous may come in good faith; this is no object at all */
    if (err == KITH_E_AUTH || err == KITH_E_MALFORMED)
        gossip_note(n, from, KITH_OFFENCE_objects, now);
}

void gossip_wake(struct kith_node *n, kith_time at)
{
    n->gossip_at = kith_sooner(n->gossip_at, at);
}

static void digest_after(struct kith_node *n, struct node_peer *p, kith_dur d, struct kith_now now)
{
    p->digest_at = kith_after(now.mono, d);
    gossip_wake(n, p->digest_at);
}

static bool is_up(const struct kith_node *n, const struct node_peer *p)
{
    const struct kith_session *s = kith_sessions_find(n->sessions, &p->id);

    return s != NULL && kith_session_is_up(s);
}

struct node_network *gossip_shared_network(const struct kith_node *n,
                                           const struct kith_network_id *id,
                                           const struct node_peer *p)
{
    struct node_network *net = network_by_id(n, id);

    return net != NULL && p != NULL && (p->proved & 1u << net->slot) != 0 ? net : NULL;
}

/* ---- memberships ---- */

/* Not before the view says that the peer is in the network, but for the issuer of a ticket: the
 * ticket says so. */
void gossip_show_membership(struct kith_node *n, struct node_peer *p, struct node_network *net,
                            struct kith_now now)
{
    struct kith_membership m = {.network = net->id, .slot = net->slot};
    struct kith_member self;
    size_t len;

    if (!is_up(n, p) || !network_self(n, net, now.wall, &self) ||
        !(kith_netview_is_member(net->view, &p->id, now.wall) || join_is_with(n, &p->id)))
        return;
    m.cert = self.cert->bytes;
    const struct kith_object *admin = kith_netview_office(net->view, &self.cert->env.signer);
    if (admin != NULL)
        m.admin = admin->bytes;
    if (kith_membership_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) < 0 ||
        gossip_send(n, &p->id, len, now) < 0) {
        digest_after(n, p, SHOW_AGAIN, now);
        return;
    }
    p->shown |= 1u << net->slot;
    digests_tell(n, p, net, now);
}

/* Networks that we share with a peer and have not shown it: a bit each. */
static uint32_t unshown(const struct kith_node *n, const struct node_peer *p, struct kith_now now)
{
    struct kith_member self;
    uint32_t bits = 0;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used && (p->member_of & ~p->shown & 1u << i) != 0 &&
            network_self(n, &n->network[i], now.wall, &self))
            bits |= 1u << i;
    return bits;
}

void gossip_greet(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used && (p->member_of & 1u << i) != 0)
            gossip_show_membership(n, p, &n->network[i], now);
    routes_greet(n, p, now); /* of a new acquaintance: once it has proved itself */
    digest_after(n, p, unshown(n, p, now) == 0 ? DIGEST_INTERVAL : SHOW_AGAIN, now);
}

static void tell_observed(struct kith_node *n, const struct kith_session *s, struct kith_now now)
{
    struct kith_session_info info;
    struct kith_observed_address m;
    size_t len;

    kith_session_info(s, &info);
    m.addr = info.path.remote;
    if (kith_observed_address_encode(&m, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0)
        (void)!gossip_send(n, &info.peer, len, now);
}

static void membership_proved(struct kith_node *n, struct node_peer *p, struct node_network *net,
                              uint8_t theirs, struct kith_now now)
{
    struct kith_session *s = kith_sessions_find(n->sessions, &p->id);
    bool first = p->proved == 0, news = (p->proved & 1u << net->slot) == 0;

    p->proved |= 1u << net->slot;
    p->late = 0;
    if (issue_may(n, net, now.wall))
        issue_claimed(n, net, &p->id);
    if (s == NULL)
        return;
    kith_session_trust(s, true);
    kith_session_allow_slot(s, theirs, net->slot);
    if ((p->shown & 1u << net->slot) == 0)
        gossip_show_membership(n, p, net, now);
    if (p->digest_at == KITH_NEVER) /* it was let in, or let us in, in this session */
        digest_after(n, p, DIGEST_INTERVAL, now);
    if (first) { /* behind our membership: it counts only from a member */
        tell_observed(n, s, now);
        endpoints_tell(n, p, now);
    }
    kith_vpn_session_ready(n->vpn, p->handle, now.mono);
    mesh_session(n, p, false, now); /* it was nobody when the session began, perhaps */
    if (news)
        routes_greet(n, p, now);
    join_member_proved(n, &p->id, net);
}

/* Whether a membership is made of a certificate of `peer` and perhaps an office, and of nothing
 * else. KITH_E_CRYPTO when this host cannot tell. */
static int check_objects(const struct kith_membership *m, const struct kith_peer_id *peer)
{
    struct kith_object o;
    int err = kith_object_open(m->cert, &o);

    if (err >= 0 &&
        (o.env.kind != KITH_OBJECT_member_body || !kith_peer_id_equal(&o.member.peer, peer)))
        err = KITH_E_PROTOCOL;
    if (err >= 0 && m->admin.n > 0)
        err = kith_object_open(m->admin, &o);
    if (err >= 0 && m->admin.n > 0 && o.env.kind != KITH_OBJECT_admin_body)
        err = KITH_E_PROTOCOL;
    return err;
}

/* Pushes to a peer what ended its membership. */
static void tell_ended(struct kith_node *n, const struct kith_peer_id *peer,
                       const struct node_network *net, struct kith_now now)
{
    const struct kith_object *revocation, *office;

    for (size_t i = 0; (revocation = kith_netview_revocation(net->view, peer, i)) != NULL; i++) {
        office = kith_netview_office(net->view, &revocation->env.signer);
        if ((office != NULL && digests_push(n, peer, office, now) < 0) ||
            digests_push(n, peer, revocation, now) < 0)
            return; /* it hears it when it comes again */
    }
}

/* Once in a session: it is over soon. */
void gossip_send_away(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                      struct kith_now now)
{
    enum kith_standing standing = kith_netview_standing(net->view, &p->id, now.wall);
    bool revoked = standing == KITH_STANDING_REVOKED;

    if (p->part_at != KITH_NEVER || p->member_of != 0 || join_is_with(n, &p->id) ||
        !(revoked || standing == KITH_STANDING_LEFT))
        return;
    tell_ended(n, &p->id, net, now);
    peer_part(n, p, revoked ? KITH_CLOSE_REVOKED : KITH_CLOSE_NOT_MEMBER, now);
}

/* What this host could not take in is not said again in this connection: only a new one brings
 * it, so this one ends. */
static void hear_again(const struct kith_session_effect *fx, struct kith_now now)
{
    kith_conn_close(fx->conn, KITH_CLOSE_INTERNAL, "out of memory", now.mono);
}

static void on_membership(struct kith_node *n, const struct kith_peer_id *from,
                          const struct kith_session_effect *fx, struct kith_now now)
{
    struct kith_membership m;
    enum kith_offer offer;
    const char *why = "";
    uint64_t refused = n->memory.refused;
    int err = kith_membership_decode(fx->message, &m);

    if (err < 0) {
        kith_event_peer_broke_rules(n->env->events, from->b, "a malformed membership");
        return;
    }
    struct node_network *net = network_by_id(n, &m.network);
    if (net == NULL)
        return; /* whether we are in it is not its business */
    err = check_objects(&m, from);
    if (err < 0 && err != KITH_E_CRYPTO) {
        kith_event_peer_broke_rules(n->env->events, from->b, "a membership of somebody else");
        gossip_note(n, from, KITH_OFFENCE_objects, now);
    }
    if (err == KITH_E_CRYPTO)
        hear_again(fx, now);
    if (err < 0)
        return;
    if (!gossip_may_offer(n, peer_find(n, from), now))
        return; /* its objects cost as much to judge as pushed ones */
    if (m.admin.n > 0)
        err = object_take(n, net, m.admin, from, now, &offer, &why);
    if (err >= 0)
        err = object_take(n, net, m.cert, from, now, &offer, &why);
    if (err < 0)
        gossip_refused(n, from, "membership", err, why, now);
    struct node_peer *p = peer_find(n, from);
    if (p != NULL && kith_netview_is_member(net->view, from, now.wall))
        membership_proved(n, p, net, m.slot, now);
    else if (n->memory.refused != refused || err == KITH_E_NOMEM || err == KITH_E_CRYPTO)
        hear_again(fx, now);
    else if (p != NULL)
        gossip_send_away(n, p, net, now);
}

static void on_membership_end(struct kith_node *n, const struct kith_peer_id *from,
                              struct kith_span message, struct kith_now now)
{
    struct kith_membership_end m;
    struct node_peer *p = peer_find(n, from);

    if (kith_membership_end_decode(message, &m) < 0 || p == NULL)
        return;
    const struct node_network *net = network_by_id(n, &m.network);
    if (net == NULL)
        return;
    p->proved &= ~(1u << net->slot);
    routes_unproved(n, net, p, now);
}

/* ---- other messages ---- */

static void on_observed(struct kith_node *n, struct node_peer *p, struct kith_span message,
                        struct kith_now now)
{
    struct kith_observed_address m;

    if (p != NULL && p->proved != 0 && kith_observed_address_decode(message, &m) >= 0 &&
        gossip_affords(n, p, &p->observed_paid, OBSERVED_COST, 1, OBSERVED_BURST, now))
        endpoints_observed(n, &m.addr, now);
}

static void on_address(struct kith_node *n, struct node_peer *p, struct kith_span message,
                       struct kith_now now)
{
    if (p->proved == 0 ||
        !gossip_affords(n, p, &p->address_paid, ADDRESS_COST, 1, ADDRESS_BURST, now))
        return;
    if (message.p[0] == KITH_WIRE_add_address)
        endpoints_add(n, p, message, now);
    else
        endpoints_remove(n, p, message, now);
}

static void on_control(struct kith_node *n, const struct kith_session_effect *fx,
                       struct kith_now now)
{
    const struct kith_peer_id from = *kith_session_peer(fx->session);
    struct node_peer *p = peer_find(n, &from);

    switch (fx->message.p[0]) {
    case KITH_WIRE_membership: on_membership(n, &from, fx, now); return;
    case KITH_WIRE_membership_end: on_membership_end(n, &from, fx->message, now); return;
    case KITH_WIRE_observed_address: on_observed(n, p, fx->message, now); return;
    case KITH_WIRE_renew_request:
        if (p != NULL && gossip_may_answer(n, p, now))
            issue_renew_request(n, &from, fx->message, now);
        return;
    case KITH_WIRE_renew_answer:
        if (gossip_may_offer(n, p, now))
            issue_renew_answer(n, &from, fx->message, now);
        return;
    default: break;
    }
    if (p == NULL)
        return;
    switch (fx->message.p[0]) {
    case KITH_WIRE_summary: digests_compare(n, p, fx->message, now); return;
    case KITH_WIRE_digest: digests_heard(n, p, fx->message, now); return;
    case KITH_WIRE_pull: digests_pull(n, p, fx->message, now); return;
    case KITH_WIRE_push: digests_pushed(n, p, fx->message, now); return;
    case KITH_WIRE_add_address:
    case KITH_WIRE_remove_address: on_address(n, p, fx->message, now); return;
    case KITH_WIRE_routes:
        routes_heard(n, p, fx->message, !kith_session_uses(fx->session, fx->conn), now);
        return;
    case KITH_WIRE_route_request: seqno_request(n, p, fx->message, now); return;
    case KITH_WIRE_path_request: search_request(n, p, fx->message, now); return;
    case KITH_WIRE_path_answer: search_answer(n, p, fx->message, now); return;
    default: gossip_note(n, &from, KITH_OFFENCE_messages, now); /* a later version's: not for us */
    }
}

/* ---- sessions' news ---- */

static void greet_later(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    p->greet_late = true;
    p->digest_at = kith_sooner(p->digest_at, kith_after(now.mono, SHOW_AGAIN));
    gossip_wake(n, p->digest_at);
}

static void on_up(struct kith_node *n, struct kith_session *s, bool anew, struct kith_now now)
{
    const struct kith_peer_id id = *kith_session_peer(s);
    struct node_peer *p = peer_find(n, &id);

    if (p != NULL && anew) {
        p->proved = p->shown = 0;
        p->n_lack = 0;
        p->n_told = 0;
    }
    if (p != NULL) {
        p->pulls_out = 0; /* what was asked for may have gone with the connection */
        mesh_session(n, p, anew, now);
    }
    if (join_is_with(n, &id))
        join_session_up(n, &id, now);
    if (p == NULL || p->member_of == 0)
        return;
    /* who moves all the time is told less often: that costs the store a row and it a long list */
    if (!anew && !kith_rate_takes(&p->greet_paid, GREET_COST, 1, GREET_BURST, now.mono)) {
        greet_later(n, p, now);
        return;
    }
    peer_note_address(n, s, now);
    gossip_greet(n, p, now);
    if (!anew) /* a new acquaintance hears it once it has proved itself */
        tell_observed(n, s, now);
}

/* It may be heard again in a moment, but leads nobody on until then. */
static void on_missed(struct kith_node *n, struct kith_session *s, struct kith_now now)
{
    struct node_peer *p = peer_of(n, s);

    if (p != NULL)
        mesh_session(n, p, false, now);
}

/* Told to go: coming back at once would only be told again. */
static bool sends_away(uint64_t code)
{
    return code == KITH_CLOSE_REVOKED || code == KITH_CLOSE_NOT_MEMBER ||
           code == KITH_CLOSE_LIMIT || code == KITH_CLOSE_REFUSED || code == KITH_CLOSE_BLOCKED ||
           code == KITH_CLOSE_DUPLICATE;
}

/* Either side ends a session in which no membership is shown, at the same time: whoever is first,
 * the other would hear the same again. */
static bool is_over_for_now(const struct kith_node *n, const struct kith_peer_id *id,
                            const struct kith_conn_end *end)
{
    if (end->kind == KITH_END_LOCAL)
        return end->code == KITH_CLOSE_NOT_MEMBER && !join_is_with(n, id);
    return end->kind == KITH_END_PEER && sends_away(end->code) && join_may_wait(n, id);
}

/* What the operator should know of it. One that comes to say it again, while it is left alone for
 * that already, is not told of again. */
static void tell_sent_away(struct kith_node *n, const struct kith_peer_id *id,
                           const struct node_peer *p, uint64_t code, struct kith_now now)
{
    if (p != NULL && p->unwelcome_until > now.mono)
        return;
    if (code == KITH_CLOSE_BLOCKED)
        kith_event_blocked_by(n->env->events, id->b);
    else if (code == KITH_CLOSE_DUPLICATE)
        kith_event_identity_copied(n->env->events, id->b);
}

static void stay_away(struct kith_node *n, const struct kith_session_effect *fx,
                      struct kith_now now)
{
    const struct kith_peer_id *id = kith_session_peer(fx->session);
    struct node_peer *p = peer_find(n, id);
    kith_time until = kith_after(now.mono, UNWELCOME_TIME);

    tell_sent_away(n, id, p, fx->end->code, now);
    if (p != NULL)
        p->unwelcome_until = until;
    join_sent_away(n, id, until);
    kith_session_want(fx->session, false, now.mono);
}

static void on_dial_failed(struct kith_node *n, const struct kith_session_effect *fx,
                           struct kith_now now)
{
    const struct kith_peer_id *id = kith_session_peer(fx->session);

    join_dial_failed(n, id, fx->end->text, fx->others);
    if (fx->end->kind == KITH_END_PEER && is_over_for_now(n, id, fx->end))
        stay_away(n, fx, now);
}

/* Whether it ended for a proof that was late, once more: then more than a bad path is behind it. */
static bool came_too_late(struct node_peer *p, const struct kith_conn_end *end)
{
    bool closed = end->kind == KITH_END_LOCAL || end->kind == KITH_END_PEER;

    if (!closed || end->code != KITH_CLOSE_SILENT || p->proved != 0)
        return false;
    p->late++;
    if (p->late < LATE_MAX)
        return false;
    p->late = 0;
    return true;
}

static void on_down(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now)
{
    const struct kith_peer_id *id = kith_session_peer(fx->session);
    struct node_peer *p = peer_find(n, id);

    if (p == NULL)
        return;
    bool again = came_too_late(p, fx->end);
    p->proved = p->shown = 0;
    p->n_lack = p->pulls_out = 0;
    p->digest_at = p->pull_at = p->part_at = KITH_NEVER;
    mesh_session(n, p, false, now);
    if (p->member_of == 0 && !join_is_with(n, id)) /* nothing is left to call it for */
        kith_session_close(fx->session, KITH_CLOSE_DONE, "", now.mono);
    if (is_over_for_now(n, id, fx->end) || again)
        stay_away(n, fx, now);
    n->peers_at = now.mono;
}

void gossip_effect(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now)
{
    switch (fx->kind) {
    case KITH_SESSION_UP:
    case KITH_SESSION_RESTARTED: on_up(n, fx->session, true, now); break;
    case KITH_SESSION_MOVED: on_up(n, fx->session, false, now); break;
    case KITH_SESSION_MISSED: on_missed(n, fx->session, now); break;
    case KITH_SESSION_CONTROL: on_control(n, fx, now); break;
    case KITH_SESSION_STREAM:
        if (fx->stream_kind == KITH_STREAM_ENROL && !kith_conn_is_local(fx->conn, fx->stream))
            enrol_stream(n, fx, now);
        else if (fx->stream_kind == KITH_STREAM_ENROL)
            join_stream(n, fx, now);
        else if ((fx->flags & KITH_STREAM_DONE) == 0) /* opened empty, its kind came later */
            kith_conn_stream_reset(fx->conn, fx->stream, KITH_CLOSE_REFUSED);
        break;
    case KITH_SESSION_PONG: ping_pong(n, fx, now); break;
    case KITH_SESSION_DIAL_FAILED: on_dial_failed(n, fx, now); break;
    case KITH_SESSION_DOWN: on_down(n, fx, now); break;
    }
}

/* What is due with one peer: memberships that found no room before, and the digests again. */
static void repeat(struct kith_node *n, struct node_peer *p, struct kith_now now)
{
    if (p->greet_late) {
        p->greet_late = false;
        gossip_greet(n, p, now);
        return;
    }
    uint32_t late = unshown(n, p, now);
    for (size_t k = 0; k < KITH_NODE_NETWORKS_MAX; k++)
        if ((late & 1u << k) != 0)
            gossip_show_membership(n, p, &n->network[k], now);
    if (late != 0) {
        digest_after(n, p, SHOW_AGAIN, now);
        return;
    }
    p->pulls_out = 0; /* what did not come by now is asked for again */
    digests_pull_more(n, p, now);
    for (size_t k = 0; k < KITH_NODE_NETWORKS_MAX; k++)
        if (n->network[k].used && (p->proved & 1u << k) != 0)
            digests_tell(n, p, &n->network[k], now);
    digest_after(n, p, DIGEST_INTERVAL, now);
}

void gossip_tick(struct kith_node *n, struct kith_now now)
{
    if (now.mono < n->gossip_at)
        return;
    n->gossip_at = KITH_NEVER;
    for (size_t i = 0; i < n->n_handles; i++) {
        struct node_peer *p = n->by_handle[i];
        if (p->pull_at <= now.mono)
            digests_pull_more(n, p, now);
        if (p->digest_at <= now.mono)
            repeat(n, p, now);
        gossip_wake(n, kith_sooner(p->pull_at, p->digest_at));
    }
}

kith_time gossip_deadline(const struct kith_node *n)
{
    return n->gossip_at;
}
