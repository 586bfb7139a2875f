/* inbound.c: from the sessions of members to the TUN device. */
#include "vpn/vpn_impl.h"

/* What a member did wrong: counted, and told. */
static void refuse(struct kith_vpn *v, const struct kith_member *m, enum kith_vpn_drop why)
{
    v->counters.dropped[why]++;
    kith_event_packet_refused(v->env.events, m->is.peer, kith_vpn_drop_text(why));
}

/* ICMP that only a router or a neighbour on the same wire may send: redirects and router discovery
 * (RFC 792, 1256), neighbour discovery (RFC 4861), renumbering (RFC 2894). A tunnel has neither,
 * and the host behind it might believe them. */
static bool is_router_message(const struct kith_packet *p)
{
    if (!kith_packet_is_icmp(p) || p->later)
        return false;
    if (p->src.family == KITH_FAMILY_IP4)
        return p->icmp_type == 5 || p->icmp_type == 9 || p->icmp_type == 10;
    return p->icmp_type >= 133 && p->icmp_type <= 138;
}

/* What is wrong with a packet of this member, or KITH_VPN_DROPS. */
static enum kith_vpn_drop judge(const struct kith_vpn *v, const struct kith_member *m,
                                const struct kith_packet *p)
{
    enum kith_vpn_drop why = kith_vpn_judge_address(&p->src);

    if (why == KITH_VPN_DROPS)
        why = kith_vpn_judge_address(&p->dst);
    if (why != KITH_VPN_DROPS)
        return why;
    if (p->source_routed)
        return KITH_VPN_DROP_source_routed;
    if (!kith_vpn_member_has(v, m, &p->src))
        return KITH_VPN_DROP_foreign_source;
    if (!kith_vpn_stands_for(v, &v->slot[m->is.slot], &p->dst))
        return KITH_VPN_DROP_foreign_destination;
    if (is_router_message(p))
        return KITH_VPN_DROP_router_message;
    if (p->proto == KITH_PROTO_UDP && !p->later && kith_vpn_is_listening(v, p->dst_port) &&
        kith_vpn_is_ours(v, &p->dst))
        return KITH_VPN_DROP_own_transport;
    return KITH_VPN_DROPS;
}

/* Whether an ICMP error is about a packet that we sent to this member. */
static bool is_about_ours(const struct kith_vpn *v, const struct kith_member *m,
                          struct kith_span packet, const struct kith_packet *p, kith_time now)
{
    struct kith_packet quoted;
    size_t at = (size_t)p->l4 + 8; /* after the ICMP header */

    if (!kith_packet_is_icmp_error(p) || p->fragment || packet.n < at)
        return false;
    if (kith_packet_parse_quoted((struct kith_span){packet.p + at, packet.n - at}, &quoted) < 0)
        return false;
    return kith_ip_equal(&quoted.src, &p->dst) && kith_vpn_member_has(v, m, &quoted.dst) &&
           kith_flows_quoted(&v->flows, m->is.slot, &quoted, now);
}

static bool is_let_in(struct kith_vpn *v, const struct kith_member *m, struct kith_span packet,
                      const struct kith_packet *p, kith_time now)
{
    return !v->config.inbound_deny || kith_flows_in(&v->flows, m->is.slot, p, now) ||
           is_about_ours(v, m, packet, p, now);
}

/* The packet, or a changed copy when it opens a TCP connection with segments too big for us. */
static struct kith_span clamped(struct kith_vpn *v, const struct kith_member *m,
                                struct kith_span packet, const struct kith_packet *p)
{
    if (p->proto != KITH_PROTO_TCP || (p->tcp_flags & KITH_TCP_SYN) == 0)
        return packet;
    memcpy(v->scratch, packet.p, packet.n);
    v->counters.mss_clamped += kith_mss_clamp(v->scratch, p, kith_vpn_mss(v, m, p));
    return (struct kith_span){v->scratch, packet.n};
}

/* The packet with the checksum it came without. */
static struct kith_span summed(struct kith_vpn *v, struct kith_span packet,
                               const struct kith_packet *p)
{
    if (packet.p != v->scratch)
        memcpy(v->scratch, packet.p, packet.n);
    kith_packet_checksum_set(v->scratch, p);
    return (struct kith_span){v->scratch, packet.n};
}

static void deliver(struct kith_vpn *v, struct kith_span packet, const struct kith_packet *p)
{
    if (p->partial && !v->config.offload)
        packet = summed(v, packet, p);
    if (v->config.offload) {
        kith_coalesce_add(&v->coalesce, packet, p);
    } else if (kith_vpn_write(v, packet)) {
        v->counters.received_packets++;
        v->counters.received_bytes += packet.n;
    } else {
        v->counters.dropped[KITH_VPN_DROP_tun_refused]++;
    }
}

/* Whether it is a packet whose checksum somebody else can make. */
static bool has_checksum(const struct kith_packet *p)
{
    return (p->proto == KITH_PROTO_TCP || p->proto == KITH_PROTO_UDP) && !p->fragment;
}

/* The packet, saying that it met congestion. */
static struct kith_span marked(struct kith_vpn *v, struct kith_span packet, struct kith_packet *p)
{
    if (packet.p != v->scratch)
        memcpy(v->scratch, packet.p, packet.n);
    kith_packet_mark_ce(v->scratch, p);
    v->counters.marked++;
    return (struct kith_span){v->scratch, packet.n};
}

/* Whether the sender's own node would not have let such a packet out either, so that it comes from
 * a changed program. Ports and ICMP types are the business of whoever uses the machine behind it.
 */
static bool is_members_fault(enum kith_vpn_drop why)
{
    return why != KITH_VPN_DROP_router_message && why != KITH_VPN_DROP_own_transport;
}

bool kith_vpn_from_peer(struct kith_vpn *v, uint32_t member, uint8_t slot, struct kith_span packet,
                        struct kith_marks marks, kith_time now)
{
    const struct kith_member *m = kith_vpn_member_find(v, member, slot);
    struct kith_packet p;

    if (m == NULL) {
        v->counters.dropped[KITH_VPN_DROP_unknown_member]++;
        return true;
    }
    if (kith_packet_parse(packet, &p) < 0 || (marks.partial && !has_checksum(&p))) {
        refuse(v, m, KITH_VPN_DROP_bad_header);
        return false;
    }
    p.partial = marks.partial;
    enum kith_vpn_drop why = judge(v, m, &p);
    if (why != KITH_VPN_DROPS) {
        refuse(v, m, why);
        return !is_members_fault(why);
    }
    if (!is_let_in(v, m, packet, &p, now)) {
        v->counters.dropped[KITH_VPN_DROP_inbound_denied]++;
        return true;
    }
    if (marks.ecn == KITH_ECN_CE && p.ecn == KITH_ECN_NONE) { /* RFC 6040 4.2 */
        v->counters.dropped[KITH_VPN_DROP_congestion]++;
        return true;
    }
    packet = clamped(v, m, packet, &p);
    deliver(v, marks.ecn == KITH_ECN_CE ? marked(v, packet, &p) : packet, &p);
    return true;
}

bool kith_vpn_mark(uint8_t *packet, size_t n)
{
    struct kith_packet p;

    if (kith_packet_parse((struct kith_span){packet, n}, &p) < 0 || p.ecn == KITH_ECN_NONE)
        return false;
    kith_packet_mark_ce(packet, &p);
    return true;
}

void kith_vpn_flush(struct kith_vpn *v)
{
    if (v->config.offload)
        kith_coalesce_flush(&v->coalesce);
}
