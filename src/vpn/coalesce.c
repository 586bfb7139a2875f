#include "vpn/coalesce.h"

#include "vpn/checksum.h"

enum { HELD_SIZE = KITH_VNET_LEN + KITH_PACKET_MAX };

int kith_coalesce_init(struct kith_coalesce *c, const struct kith_alloc *a, struct kith_vpn_in out,
                       bool udp)
{
    uint8_t *memory = kith_new_bytes(a, (size_t)KITH_COALESCE_FLOWS * HELD_SIZE);

    if (memory == NULL)
        return KITH_E_NOMEM;
    *c = (struct kith_coalesce){.alloc = a, .out = out, .udp = udp, .memory = memory};
    for (size_t i = 0; i < KITH_COALESCE_FLOWS; i++)
        c->held[i].buf = memory + i * HELD_SIZE;
    return KITH_OK;
}

void kith_coalesce_fini(struct kith_coalesce *c)
{
    kith_free(c->alloc, c->memory);
    *c = (struct kith_coalesce){0};
}

/* ---- writing ---- */

static void count(struct kith_coalesce *c, bool taken, uint16_t packets, size_t bytes)
{
    c->writes++;
    if (taken) {
        c->written += packets;
        c->written_bytes += bytes;
    } else {
        c->lost += packets;
    }
}

static void pass(struct kith_coalesce *c, struct kith_span packet)
{
    static const uint8_t finished[KITH_VNET_LEN];
    const struct kith_span parts[] = {{finished, sizeof finished}, packet};

    count(c, c->out.write(c->out.ctx, parts, KITH_COUNT(parts)), 1, packet.n);
}

/* The same for one whose checksum is still to be made: the kernel does when it has to, beginning
 * with the sum of the pseudo-header in the checksum's place. */
static void pass_partial(struct kith_coalesce *c, struct kith_span packet,
                         const struct kith_packet *info)
{
    size_t at = info->l4 + kith_packet_checksum_at(info), l4_bytes = packet.n - info->l4;
    const struct kith_vnet v = {.flags = KITH_VNET_NEEDS_CSUM,
                                .csum_start = info->l4,
                                .csum_offset = (uint16_t)(at - info->l4)};
    uint8_t head[KITH_VNET_LEN], sum[2];
    const struct kith_span parts[] = {{head, sizeof head},
                                      {packet.p, at},
                                      {sum, sizeof sum},
                                      {packet.p + at + 2, packet.n - at - 2}};

    kith_vnet_write(&v, head);
    kith_store_u16(sum, kith_sum_fold(kith_packet_pseudo_sum(packet.p, info->src.family,
                                                             info->proto, l4_bytes)));
    count(c, c->out.write(c->out.ctx, parts, KITH_COUNT(parts)), 1, packet.n);
}

static uint8_t gso_type(const struct kith_held *h)
{
    if (h->proto == KITH_PROTO_UDP)
        return KITH_GSO_UDP;
    return h->family == KITH_FAMILY_IP4 ? KITH_GSO_TCP4 : KITH_GSO_TCP6;
}

/* Makes one header of the first packet's; the kernel finishes the checksum when it needs one. */
static struct kith_vnet finish(const struct kith_held *h)
{
    uint8_t *packet = h->buf + KITH_VNET_LEN, *l4 = packet + h->l4;
    size_t l4_bytes = h->len - h->l4;
    bool tcp = h->proto == KITH_PROTO_TCP;
    size_t field = tcp ? KITH_TCP_CHECKSUM_AT : KITH_UDP_CHECKSUM_AT;

    if (h->family == KITH_FAMILY_IP4) {
        kith_store_u16(packet + 2, (uint16_t)h->len);
        kith_ip4_checksum_set(packet, h->l4);
    } else {
        kith_store_u16(packet + 4, (uint16_t)(h->len - KITH_IP6_HEADER));
    }
    if (!tcp)
        kith_store_u16(l4 + 4, (uint16_t)l4_bytes);
    uint64_t pseudo = kith_packet_pseudo_sum(packet, h->family, h->proto, l4_bytes);
    kith_store_u16(l4 + field, kith_sum_fold(pseudo));
    return (struct kith_vnet){
        .flags = KITH_VNET_NEEDS_CSUM,
        .gso_type = h->n > 1 ? gso_type(h) : KITH_GSO_NONE,
        .hdr_len = (uint16_t)(h->l4 + h->l4_len),
        .gso_size = h->n > 1 ? (uint16_t)h->piece : 0,
        .csum_start = h->l4,
        .csum_offset = (uint16_t)field,
    };
}

static void write_held(struct kith_coalesce *c, struct kith_held *h)
{
    struct kith_vnet v = {0};

    if (h->n > 1 || h->partial)
        v = finish(h);
    kith_vnet_write(&v, h->buf);
    const struct kith_span whole = {h->buf, KITH_VNET_LEN + h->len};
    count(c, c->out.write(c->out.ctx, &whole, 1), h->n, h->len);
    h->n = 0;
}

static struct kith_held *oldest(struct kith_coalesce *c)
{
    struct kith_held *found = NULL;

    for (size_t i = 0; i < KITH_COALESCE_FLOWS; i++) {
        struct kith_held *h = &c->held[i];
        if (h->n > 0 && (found == NULL || h->since < found->since))
            found = h;
    }
    return found;
}

void kith_coalesce_flush(struct kith_coalesce *c)
{
    for (struct kith_held *h = oldest(c); h != NULL; h = oldest(c))
        write_held(c, h);
}

/* ---- finding the flow ---- */

/* Both addresses, as they stand in the IP header. */
static struct kith_span ends(const uint8_t *packet, uint8_t family)
{
    if (family == KITH_FAMILY_IP4)
        return (struct kith_span){packet + 12, 8};
    return (struct kith_span){packet + 8, 32};
}

static bool same_ends(const struct kith_held *h, const uint8_t *packet, uint8_t family)
{
    return h->n > 0 && h->family == family &&
           kith_span_equal(ends(h->buf + KITH_VNET_LEN, family), ends(packet, family));
}

static bool same_flow(const struct kith_held *h, const uint8_t *packet,
                      const struct kith_packet *info)
{
    return h->proto == info->proto && same_ends(h, packet, info->src.family) &&
           memcmp(h->buf + KITH_VNET_LEN + h->l4, packet + info->l4, 4) == 0; /* ports */
}

static struct kith_held *find_flow(struct kith_coalesce *c, const uint8_t *packet,
                                   const struct kith_packet *info)
{
    for (size_t i = 0; i < KITH_COALESCE_FLOWS; i++)
        if (same_flow(&c->held[i], packet, info))
            return &c->held[i];
    return NULL;
}

/* Writes out what a packet that is not held must not overtake. A fragment has no ports to go by. */
static void flush_before(struct kith_coalesce *c, const uint8_t *packet,
                         const struct kith_packet *info)
{
    for (size_t i = 0; i < KITH_COALESCE_FLOWS; i++) {
        struct kith_held *h = &c->held[i];
        if (info->fragment ? same_ends(h, packet, info->src.family) : same_flow(h, packet, info))
            write_held(c, h);
    }
}

static struct kith_held *free_place(struct kith_coalesce *c)
{
    for (size_t i = 0; i < KITH_COALESCE_FLOWS; i++)
        if (c->held[i].n == 0)
            return &c->held[i];
    struct kith_held *h = oldest(c);
    write_held(c, h);
    return h;
}

/* ---- merging ---- */

static size_t payload_len(const struct kith_packet *info)
{
    return (size_t)info->len - info->l4 - info->l4_len;
}

static bool ip4_header_good(const uint8_t *packet)
{
    return kith_sum_fold(kith_sum_add(0, packet, KITH_IP4_HEADER)) == 0xffff;
}

/* Whether a packet may be the first or a further one of a super-packet. */
static bool mergeable(const struct kith_coalesce *c, struct kith_span packet,
                      const struct kith_packet *info)
{
    bool tcp = info->proto == KITH_PROTO_TCP, udp = info->proto == KITH_PROTO_UDP && c->udp;

    if ((!tcp && !udp) || info->fragment || !info->plain || payload_len(info) == 0)
        return false;
    if (tcp && (info->tcp_flags & ~KITH_TCP_PSH) != KITH_TCP_ACK)
        return false;
    if (udp && !info->partial && kith_load_u16(packet.p + info->l4 + KITH_UDP_CHECKSUM_AT) == 0)
        return false;
    if (info->src.family == KITH_FAMILY_IP4 && !ip4_header_good(packet.p))
        return false;
    return info->partial || kith_packet_checksum_good(packet, info);
}

/* Whether the IP headers differ only in length, checksum and, rightly, identification. With DF set
 * the identification means nothing (RFC 6864, 4.1). */
static bool ip_fits(const struct kith_held *h, const uint8_t *p, const struct kith_packet *info)
{
    const uint8_t *first = h->buf + KITH_VNET_LEN;

    if (info->src.family == KITH_FAMILY_IP6)
        return memcmp(first, p, 4) == 0 && memcmp(first + 6, p + 6, 2) == 0;
    if (first[1] != p[1] || memcmp(first + 6, p + 6, 4) != 0)
        return false;
    return info->dont_fragment || (uint16_t)(kith_load_u16(first + 4) + h->n) == info->ident;
}

/* The same acknowledgement, window, urgent pointer and options, and the next sequence number. */
static bool tcp_fits(const struct kith_held *h, const uint8_t *p, const struct kith_packet *info)
{
    const uint8_t *first = h->buf + KITH_VNET_LEN + h->l4, *tcp = p + info->l4;
    uint32_t next = kith_load_u32(first + 4) + (uint32_t)(h->len - h->l4 - h->l4_len);

    return h->l4_len == info->l4_len && kith_load_u32(tcp + 4) == next &&
           memcmp(first + 8, tcp + 8, 5) == 0 && memcmp(first + 14, tcp + 14, 2) == 0 &&
           memcmp(first + 18, tcp + 18, info->l4_len - 18u) == 0;
}

static bool fits(const struct kith_held *h, const uint8_t *p, const struct kith_packet *info)
{
    size_t payload = payload_len(info);

    if (payload > h->piece || h->len + payload > KITH_PACKET_MAX || !ip_fits(h, p, info))
        return false;
    if (info->proto == KITH_PROTO_TCP)
        return tcp_fits(h, p, info);
    return h->n < KITH_COALESCE_UDP_MAX;
}

/* Whether nothing may come after this packet: the application wants it, or it is short. */
static bool is_last(const struct kith_held *h, const struct kith_packet *info)
{
    bool push = info->proto == KITH_PROTO_TCP && (info->tcp_flags & KITH_TCP_PSH) != 0;

    return push || payload_len(info) < h->piece;
}

static void begin(struct kith_coalesce *c, struct kith_held *h, struct kith_span packet,
                  const struct kith_packet *info)
{
    h->piece = payload_len(info);
    h->len = packet.n;
    h->n = 1;
    h->l4 = info->l4;
    h->l4_len = info->l4_len;
    h->family = info->src.family;
    h->proto = info->proto;
    h->partial = info->partial;
    h->since = c->clock++;
    memcpy(h->buf + KITH_VNET_LEN, packet.p, packet.n);
}

static void extend(struct kith_held *h, struct kith_span packet, const struct kith_packet *info)
{
    size_t payload = payload_len(info);

    memcpy(h->buf + KITH_VNET_LEN + h->len, packet.p + packet.n - payload, payload);
    if (info->proto == KITH_PROTO_TCP)
        h->buf[KITH_VNET_LEN + h->l4 + 13] |= info->tcp_flags;
    h->len += payload;
    h->n++;
}

void kith_coalesce_add(struct kith_coalesce *c, struct kith_span packet,
                       const struct kith_packet *info)
{
    if (!mergeable(c, packet, info)) {
        flush_before(c, packet.p, info);
        if (info->partial)
            pass_partial(c, packet, info);
        else
            pass(c, packet);
        return;
    }
    struct kith_held *h = find_flow(c, packet.p, info);
    if (h != NULL && fits(h, packet.p, info)) {
        extend(h, packet, info);
    } else {
        if (h != NULL)
            write_held(c, h);
        else
            h = free_place(c);
        begin(c, h, packet, info);
    }
    if (is_last(h, info))
        write_held(c, h);
}
