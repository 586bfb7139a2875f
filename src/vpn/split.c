#include "vpn/split.h"

#include "vpn/checksum.h"

/* Whether the kind of super-packet is the kind of packet that is there. */
static bool kind_fits(uint8_t gso_type, const struct kith_packet *info)
{
    bool v4 = info->src.family == KITH_FAMILY_IP4;

    switch (gso_type) {
    case KITH_GSO_TCP4:
    case KITH_GSO_TCP4 | KITH_GSO_ECN: return v4 && info->proto == KITH_PROTO_TCP;
    case KITH_GSO_TCP6:
    case KITH_GSO_TCP6 | KITH_GSO_ECN: return !v4 && info->proto == KITH_PROTO_TCP;
    case KITH_GSO_UDP: return info->proto == KITH_PROTO_UDP;
    }
    return false;
}

int kith_split_init(struct kith_split *s, const uint8_t *packet, const struct kith_packet *info,
                    const struct kith_vnet *v, bool partial)
{
    size_t header_len = (size_t)info->l4 + info->l4_len;
    bool csum = (v->flags & KITH_VNET_NEEDS_CSUM) != 0;

    if (!kind_fits(v->gso_type, info) || info->fragment || v->gso_size == 0)
        return KITH_E_MALFORMED;
    if (header_len > KITH_SPLIT_HEADER_MAX || header_len >= info->len)
        return KITH_E_MALFORMED;
    if (csum && (v->csum_start != info->l4 || v->csum_offset != kith_packet_checksum_at(info)))
        return KITH_E_MALFORMED;

    s->packet = packet;
    s->info = info;
    s->header_len = s->at = header_len;
    s->piece = v->gso_size;
    s->count = 0;
    s->partial = partial;
    return KITH_OK;
}

size_t kith_split_largest(const struct kith_split *s)
{
    size_t payload = s->info->len - s->header_len;

    return s->header_len + (payload < s->piece ? payload : s->piece);
}

static void finish_ip(const struct kith_split *s, uint8_t *h, size_t len)
{
    if (s->info->src.family == KITH_FAMILY_IP6) {
        kith_store_u16(h + 4, (uint16_t)(len - KITH_IP6_HEADER));
        return;
    }
    kith_store_u16(h + 2, (uint16_t)len);
    kith_store_u16(h + 4, (uint16_t)(s->info->ident + s->count));
    kith_ip4_checksum_set(h, s->info->l4);
}

/* FIN and PSH speak of the end of the data, CWR of its beginning (RFC 3168, 6.1.2). */
static void finish_tcp(const struct kith_split *s, uint8_t *tcp, bool last)
{
    uint8_t flags = s->info->tcp_flags;

    if (!last)
        flags &= (uint8_t)~(KITH_TCP_FIN | KITH_TCP_PSH);
    if (s->count > 0)
        flags &= (uint8_t)~KITH_TCP_CWR;
    tcp[13] = flags;
    kith_store_u32(tcp + 4, kith_load_u32(tcp + 4) + (uint32_t)(s->at - s->header_len));
}

static void finish_checksum(const struct kith_split *s, uint8_t *h, struct kith_span body)
{
    const struct kith_packet *info = s->info;
    uint8_t *l4 = h + info->l4, *field = l4 + kith_packet_checksum_at(info);
    size_t len = info->l4_len + body.n;
    uint64_t sum = kith_packet_pseudo_sum(h, info->src.family, info->proto, len);

    kith_store_u16(field, 0);
    sum = kith_sum_add(sum, l4, info->l4_len);
    uint16_t checksum = (uint16_t)~kith_sum_fold(kith_sum_add(sum, body.p, body.n));
    bool none = checksum == 0 && info->proto == KITH_PROTO_UDP; /* 0 would say "no checksum" */
    kith_store_u16(field, none ? 0xffff : checksum);
}

static struct kith_parts cut(struct kith_split *s, uint8_t *h)
{
    size_t left = s->info->len - s->at;
    struct kith_span body = {s->packet + s->at, left < s->piece ? left : s->piece};

    memcpy(h, s->packet, s->header_len);
    finish_ip(s, h, s->header_len + body.n);
    if (s->info->proto == KITH_PROTO_TCP)
        finish_tcp(s, h + s->info->l4, body.n == left);
    else
        kith_store_u16(h + s->info->l4 + 4, (uint16_t)(KITH_UDP_HEADER + body.n));
    if (!s->partial)
        finish_checksum(s, h, body);
    s->at += body.n;
    s->count++;
    return (struct kith_parts){
        .head = {h, s->header_len}, .body = body, .marks = {s->partial, s->info->ecn}};
}

size_t kith_split_next(struct kith_split *s, struct kith_parts out[KITH_SPLIT_BATCH])
{
    size_t n = 0;

    for (; n < KITH_SPLIT_BATCH && s->at < s->info->len; n++)
        out[n] = cut(s, s->header[n]);
    return n;
}
