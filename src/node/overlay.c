/* overlay.c: between the packet core and the sessions. */
#include "node/internal.h"

/* The session that takes packets of a network now, or NULL: before the peer has seen our membership
 * it would drop them. */
static struct kith_session *session_for(const struct kith_node *n, const struct node_peer *p,
                                        uint8_t slot)
{
    struct kith_session *s = NULL;

    if ((p->proved & p->shown & 1u << slot) != 0)
        s = kith_sessions_find(n->sessions, &p->id);
    return s != NULL && kith_session_is_up(s) ? s : NULL;
}

/* The packet core's way out: straight into the member's session. */
static size_t send_packets(void *ctx, uint32_t member, uint8_t slot,
                           const struct kith_parts *packets, size_t count, kith_time now,
                           enum kith_vpn_sent *ret_state)
{
    struct kith_node *n = ctx;
    struct kith_session *s = session_for(n, n->by_handle[member], slot);

    if (s == NULL) {
        *ret_state = n->by_handle[member]->blocked ? KITH_VPN_BLOCKED : KITH_VPN_NO_SESSION;
        return 0;
    }
    size_t taken = kith_session_send_packets(s, n->batch, slot, packets, count, now);
    *ret_state = taken == count ? KITH_VPN_SENT : KITH_VPN_CONGESTED;
    return taken;
}

static bool takes_partial(void *ctx, uint32_t member, uint8_t slot)
{
    const struct kith_node *n = ctx;
    const struct kith_session *s = session_for(n, n->by_handle[member], slot);

    return s != NULL && (kith_session_capabilities(s) & KITH_CAP_CHECKSUM) != 0;
}

/* What goes through others has a connection around it more. What is left on each hop's IPv6 (spec
 * mesh 3.5) is known before the path's MTU is: TCP asks once, when it opens. */
static size_t largest(void *ctx, uint32_t member, uint8_t slot)
{
    enum { THROUGH_OTHERS = 1376 };
    const struct kith_node *n = ctx;
    const struct kith_session *s = session_for(n, n->by_handle[member], slot);

    return s != NULL && kith_session_is_relayed(s) ? THROUGH_OTHERS : 0;
}

void overlay_packet(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                    struct kith_marks marks, kith_time now)
{
    struct kith_node *n = ctx;
    const struct node_peer *p = peer_of(n, s);

    if (p != NULL && (p->proved & 1u << slot) != 0 &&
        !kith_vpn_from_peer(n->vpn, p->handle, slot, packet, marks, now))
        kith_session_note(s, KITH_OFFENCE_packets, now);
}

bool overlay_mark(void *ctx, uint8_t *packet, size_t n)
{
    (void)ctx;
    return kith_vpn_mark(packet, n);
}

static bool no_device(void *ctx, const struct kith_span *parts, size_t n)
{
    (void)ctx, (void)parts, (void)n;
    return false;
}

int overlay_new(struct kith_node *n, const struct kith_vpn_config *cfg)
{
    struct kith_vpn_out out = {
        .send = send_packets, .partial = takes_partial, .largest = largest, .ctx = n};
    struct kith_vpn_in in = n->tun;

    if (in.write == NULL)
        in = (struct kith_vpn_in){.write = no_device};
    int err = kith_vpn_new(cfg, n->env, out, in, &n->vpn);
    if (err >= 0)
        err = kith_vpn_refuse_underlay(n->vpn, n->listen, n->n_listen);
    return err;
}

void kith_node_set_inbound(struct kith_node *n, bool deny)
{
    if (kith_vpn_set_inbound(n->vpn, deny) < 0)
        kith_event_out_of_memory(n->env->events, "changing vpn.inbound", 0);
}

void overlay_members(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_member m;
    size_t at = 0;

    net->taken = false;
    while (kith_netview_next_member(net->view, &at, now.wall, &m))
        if (m.standing == KITH_STANDING_MEMBER && peer_find(n, &m.peer) != NULL)
            overlay_member(n, net, &m.peer, now);
}

/* Tells the packet core what this node is in a network, and its members again. */
void overlay_network(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_network_info info;

    ask_network(n, net, now.wall, &info);
    n->overlay_changed = true;
    if (info.ip4.family == KITH_FAMILY_NONE) {
        kith_vpn_network_clear(n->vpn, net->slot);
        return;
    }
    struct kith_vpn_network own = {
        .ip4 = info.ip4, .ip6 = info.ip6, .prefix4 = info.range4, .prefix6 = info.range6};
    int err = kith_vpn_network_set(n->vpn, net->slot, &own);
    if (err < 0) {
        kith_event_tun_unavailable(n->env->events, kith_err_text(err),
                                   "leave one of the networks whose addresses overlap");
        return;
    }
    overlay_members(n, net, now);
}

void overlay_member(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                    struct kith_now now)
{
    const struct node_peer *p = peer_find(n, peer);
    struct kith_member m;

    if (p == NULL || peer_is_self(n, peer) || !kith_netview_member(net->view, peer, now.wall, &m))
        return;
    struct kith_vpn_member member = {
        .handle = p->handle, .slot = net->slot, .ip4 = m.ip4, .ip6 = m.ip6};
    memcpy(member.peer, peer->b, sizeof member.peer);
    int err = kith_vpn_member_set(n->vpn, &member);
    if (err == KITH_E_NOTFOUND)
        return; /* our own addresses come first; overlay_network brings it back */
    if (err == KITH_E_NOMEM)
        net->missed = true;
    if (err == KITH_E_TAKEN)
        net->taken = true; /* that the other has gone, or has another, may be heard later */
    if (err < 0)
        kith_event_object_refused(n->env->events, peer->b, "member's addresses",
                                  kith_err_text(err));
}

void overlay_effects(struct kith_node *n, struct kith_now now)
{
    struct kith_vpn_effect fx;

    while (kith_vpn_next_effect(n->vpn, &fx))
        if (fx.kind == KITH_VPN_WANT_SESSION && fx.member < n->n_handles)
            peer_need(n, n->by_handle[fx.member], ON_DEMAND_IDLE, now);
}
