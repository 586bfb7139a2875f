/* outbound.c: from the TUN device to the sessions of members. */
#include "vpn/vpn_impl.h"

/* ICMP errors: this many at once, then one every so often (RFC 1812, 4.3.2.8; RFC 4443, 2.4 f). */
enum { ICMP_BURST = 100 };
#define ICMP_EVERY (10 * KITH_MSEC)

static void drop(struct kith_vpn *v, enum kith_vpn_drop why)
{
    v->counters.dropped[why]++;
}

/* ---- telling the sender ---- */

static bool icmp_allowed(struct kith_vpn *v, kith_time now)
{
    bool can = kith_rate_takes(&v->icmp_paid, ICMP_EVERY, 1, ICMP_BURST, now);

    v->counters.icmp_limited += !can;
    return can;
}

static void answer(struct kith_vpn *v, enum kith_icmp why, struct kith_span packet,
                   const struct kith_packet *info, kith_time now)
{
    uint8_t out[KITH_ICMP_MAX];
    size_t n = kith_icmp_answer(why, packet, info, v->config.mtu, out);

    if (n > 0 && icmp_allowed(v, now) && kith_vpn_write(v, (struct kith_span){out, n}))
        v->counters.icmp_sent++;
}

/* ---- towards a member ---- */

static void want_session(struct kith_vpn *v, struct kith_member *m, kith_time now)
{
    if (now < m->want_again_at)
        return;
    m->want_again_at = kith_after(now, KITH_SEC);
    v->counters.sessions_wanted++;
    kith_list_remove(&m->wants);
    kith_list_append(&v->wanting, &m->wants);
}

static void line_up(struct kith_vpn *v, struct kith_member *m, const struct kith_parts *parts,
                    size_t n, kith_time now)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i].marks.partial) { /* the session ended under it */
            drop(v, KITH_VPN_DROP_congested);
            continue;
        }
        int err = kith_waiting_add(&v->waiting, &m->line, parts[i].head, parts[i].body, now);
        if (err == KITH_OK)
            v->counters.waited++;
        else
            drop(v, err == KITH_E_NOMEM ? KITH_VPN_DROP_no_memory : KITH_VPN_DROP_queue_full);
    }
    want_session(v, m, now);
}

/* Hands packets to the session and counts what it took. */
static size_t offer(struct kith_vpn *v, const struct kith_member *m, const struct kith_parts *parts,
                    size_t n, kith_time now, enum kith_vpn_sent *ret_state)
{
    enum kith_vpn_sent state = KITH_VPN_SENT;
    size_t taken = v->out.send(v->out.ctx, m->is.handle, m->is.slot, parts, n, now, &state);

    for (size_t i = 0; i < taken; i++)
        v->counters.sent_bytes += parts[i].head.n + parts[i].body.n;
    v->counters.sent_packets += taken;
    *ret_state = state;
    return taken;
}

/* Why the rest is dropped that waits for nothing. */
static enum kith_vpn_drop reason_of(enum kith_vpn_sent state)
{
    return state == KITH_VPN_BLOCKED ? KITH_VPN_DROP_blocked : KITH_VPN_DROP_congested;
}

/* Packets never overtake those that wait. */
static void send_parts(struct kith_vpn *v, struct kith_member *m, const struct kith_parts *parts,
                       size_t n, kith_time now)
{
    enum kith_vpn_sent state = KITH_VPN_NO_SESSION;
    size_t taken = m->line.n > 0 ? 0 : offer(v, m, parts, n, now, &state);

    if (taken == n)
        return;
    if (state == KITH_VPN_NO_SESSION)
        line_up(v, m, parts + taken, n - taken, now);
    else
        v->counters.dropped[reason_of(state)] += n - taken;
}

/* Sends the first packets of the line; false when no more will go. */
static bool send_line(struct kith_vpn *v, struct kith_member *m, kith_time now)
{
    struct kith_span waiting[KITH_SPLIT_BATCH];
    struct kith_parts parts[KITH_SPLIT_BATCH];
    enum kith_vpn_sent state;
    size_t n = kith_waiting_peek(&m->line, waiting, KITH_SPLIT_BATCH);

    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct kith_parts){.head = waiting[i]};
    size_t taken = offer(v, m, parts, n, now, &state);
    kith_waiting_drop(&v->waiting, &m->line, taken);
    if (taken == n)
        return true;
    if (state == KITH_VPN_NO_SESSION) {
        want_session(v, m, now);
    } else {
        v->counters.dropped[reason_of(state)] += m->line.n;
        kith_waiting_drop(&v->waiting, &m->line, SIZE_MAX);
    }
    return false;
}

void kith_vpn_session_ready(struct kith_vpn *v, uint32_t member, kith_time now)
{
    kith_vpn_tick(v, now);
    for (unsigned slot = 0; slot < KITH_VPN_SLOTS; slot++) {
        struct kith_member *m = kith_vpn_member_find(v, member, (uint8_t)slot);
        if (m == NULL)
            continue;
        kith_list_remove(&m->wants);
        while (send_line(v, m, now)) {
        }
    }
}

/* ---- out of the device ---- */

/* A packet that left one of our own sockets and was routed into the tunnel which it carries: UDP
 * from a port we listen on, from an address of this node. No other program of this machine can
 * have that port there; a machine behind us could, but it has another address. */
static bool is_own_transport(const struct kith_vpn *v, const struct kith_packet *p)
{
    if (p->proto != KITH_PROTO_UDP || p->later)
        return false;
    for (size_t i = 0; i < v->listening_count; i++) {
        const struct kith_addr *a = &v->listening[i];
        if (a->port == p->src_port &&
            (kith_ip_equal(&a->ip, &p->src) || kith_vpn_is_ours(v, &p->src)))
            return true;
    }
    return false;
}

/* A loop provokes itself: once a second says enough. */
static void tell_loop(struct kith_vpn *v, const struct kith_packet *p, kith_time now)
{
    const struct kith_addr to = {.ip = p->dst, .port = p->dst_port};

    if (now < v->loop_again_at)
        return;
    v->loop_again_at = kith_after(now, KITH_SEC);
    kith_event_route_loop(v->env.events, &to);
}

/* Whether the packet may leave at all, wherever it goes; counts it when not. */
static bool may_leave(struct kith_vpn *v, const struct kith_packet *p, kith_time now)
{
    enum kith_vpn_drop why = kith_vpn_judge_address(&p->dst);

    if (why == KITH_VPN_DROPS)
        why = kith_vpn_judge_address(&p->src);
    if (why == KITH_VPN_DROPS && p->source_routed)
        why = KITH_VPN_DROP_source_routed;
    if (why == KITH_VPN_DROPS && is_own_transport(v, p)) {
        tell_loop(v, p, now);
        why = KITH_VPN_DROP_own_transport;
    }
    if (why != KITH_VPN_DROPS)
        drop(v, why);
    return why == KITH_VPN_DROPS;
}

static bool in_a_network(const struct kith_vpn *v, const struct kith_ip *ip)
{
    for (size_t i = 0; i < KITH_VPN_SLOTS; i++) {
        const struct kith_slot *s = &v->slot[i];
        if (s->used &&
            (kith_prefix_holds(&s->is.prefix4, ip) || kith_prefix_holds(&s->is.prefix6, ip)))
            return true;
    }
    return false;
}

/* The member the packet is for, when this node may send it such a packet; else counts the packet,
 * tells its sender, and answers NULL. */
static struct kith_member *route(struct kith_vpn *v, struct kith_span packet,
                                 const struct kith_packet *p, kith_time now)
{
    struct kith_member *m = kith_routes_find(&v->routes, &p->dst);

    if (m == NULL) {
        bool ours = in_a_network(v, &p->dst);
        drop(v, KITH_VPN_DROP_no_route);
        answer(v, ours ? KITH_ICMP_NO_HOST : KITH_ICMP_NO_ROUTE, packet, p, now);
        return NULL;
    }
    if (!kith_vpn_stands_for(v, &v->slot[m->is.slot], &p->src)) {
        drop(v, KITH_VPN_DROP_foreign_source);
        answer(v, KITH_ICMP_PROHIBITED, packet, p, now);
        return NULL;
    }
    return m;
}

static void refuse_too_big(struct kith_vpn *v, struct kith_span packet, const struct kith_packet *p,
                           kith_time now)
{
    drop(v, KITH_VPN_DROP_too_big);
    answer(v, KITH_ICMP_TOO_BIG, packet, p, now);
}

static void note_leaving(struct kith_vpn *v, const struct kith_member *m,
                         const struct kith_packet *p, kith_time now)
{
    if (v->config.inbound_deny)
        kith_flows_out(&v->flows, m->is.slot, p, now);
}

/* Whether the kernel left the checksum of a packet to us, and the member makes it as well. */
static bool may_be_partial(const struct kith_vpn *v, const struct kith_member *m,
                           const struct kith_vnet *vnet, const struct kith_packet *p)
{
    return (vnet->flags & KITH_VNET_NEEDS_CSUM) != 0 &&
           (p->proto == KITH_PROTO_TCP || p->proto == KITH_PROTO_UDP) && !p->fragment &&
           vnet->csum_start == p->l4 && vnet->csum_offset == kith_packet_checksum_at(p) &&
           v->out.partial != NULL && v->out.partial(v->out.ctx, m->is.handle, m->is.slot);
}

static void send_whole(struct kith_vpn *v, struct kith_member *m, const struct kith_vnet *vnet,
                       uint8_t *data, const struct kith_packet *p, kith_time now)
{
    struct kith_parts whole = {.head = {data, p->len},
                               .marks = {may_be_partial(v, m, vnet, p), p->ecn}};

    if (p->len > v->config.mtu) {
        refuse_too_big(v, whole.head, p, now);
        return;
    }
    if (!whole.marks.partial && kith_vnet_complete(vnet, data, p->len, p->l4) < 0) {
        drop(v, KITH_VPN_DROP_bad_header);
        return;
    }
    v->counters.mss_clamped += kith_mss_clamp(data, p, kith_vpn_mss(v, m, p));
    note_leaving(v, m, p, now);
    send_parts(v, m, &whole, 1, now);
}

static void send_split(struct kith_vpn *v, struct kith_member *m, const struct kith_vnet *vnet,
                       const uint8_t *data, const struct kith_packet *p, kith_time now)
{
    struct kith_parts parts[KITH_SPLIT_BATCH];

    if (kith_split_init(&v->split, data, p, vnet, may_be_partial(v, m, vnet, p)) < 0) {
        drop(v, KITH_VPN_DROP_bad_header);
        return;
    }
    if (kith_split_largest(&v->split) > v->config.mtu) {
        refuse_too_big(v, (struct kith_span){data, p->len}, p, now);
        return;
    }
    note_leaving(v, m, p, now);
    for (size_t n = kith_split_next(&v->split, parts); n > 0; n = kith_split_next(&v->split, parts))
        send_parts(v, m, parts, n, now);
}

void kith_vpn_from_tun(struct kith_vpn *v, uint8_t *data, size_t len, kith_time now)
{
    struct kith_vnet vnet = {0};
    struct kith_packet p;

    v->counters.tun_reads++;
    kith_vpn_tick(v, now);
    if (v->config.offload) {
        if (kith_vnet_read((struct kith_span){data, len}, &vnet) < 0) {
            drop(v, KITH_VPN_DROP_bad_header);
            return;
        }
        data += KITH_VNET_LEN;
        len -= KITH_VNET_LEN;
    }
    const struct kith_span packet = {data, len};
    if (kith_packet_parse(packet, &p) < 0) {
        drop(v, KITH_VPN_DROP_bad_header);
        return;
    }
    if (!may_leave(v, &p, now))
        return;
    struct kith_member *m = route(v, packet, &p, now);
    if (m == NULL)
        return;
    if (vnet.gso_type == KITH_GSO_NONE)
        send_whole(v, m, &vnet, data, &p, now);
    else
        send_split(v, m, &vnet, data, &p, now);
}
