#include "unit/vpn_packets.h"

#include <stdlib.h>

struct kith_ip ip_of(const char *text)
{
    struct kith_ip ip = {0};

    if (kith_ip_parse(text, &ip) < 0)
        abort();
    return ip;
}

struct kith_prefix prefix_of(const char *text)
{
    struct kith_prefix p;

    if (kith_prefix_parse(text, &p) < 0)
        abort();
    return p;
}

uint16_t naive_sum(uint16_t start, const uint8_t *p, size_t n)
{
    uint32_t sum = start;

    for (size_t i = 0; i < n; i += 2) {
        sum += (uint32_t)(p[i] * 256 + (i + 1 < n ? p[i + 1] : 0));
        if (sum > 0xffff)
            sum = (sum & 0xffff) + 1;
    }
    return (uint16_t)sum;
}

static size_t ip_len(const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? 20 : 40;
}

static uint8_t proto_of(const uint8_t *packet)
{
    return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

uint16_t naive_pseudo_sum(const uint8_t *packet, size_t len)
{
    bool v4 = packet[0] >> 4 == 4;
    uint8_t tail[4] = {(uint8_t)(len >> 8), (uint8_t)len, 0, proto_of(packet)};
    uint16_t sum = naive_sum(0, tail, 4);

    return v4 ? naive_sum(sum, packet + 12, 8) : naive_sum(sum, packet + 8, 32);
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static void put_ip(const struct a_packet *p, uint8_t *out, size_t l4_len)
{
    struct kith_ip src = ip_of(p->src), dst = ip_of(p->dst);

    if (src.family == KITH_FAMILY_IP4) {
        out[0] = 0x45;
        out[1] = p->tos;
        put16(out + 2, 20 + l4_len);
        put16(out + 4, p->ident);
        put16(out + 6, (p->may_fragment ? 0 : 0x4000u) | p->fragment);
        out[8] = 64;
        out[9] = p->proto;
        memcpy(out + 12, src.b, 4);
        memcpy(out + 16, dst.b, 4);
        put16(out + 10, 0xffffu & ~(unsigned)naive_sum(0, out, 20));
        return;
    }
    put32(out, 0x60000000u | (uint32_t)p->tos << 20);
    put16(out + 4, l4_len);
    out[6] = p->proto;
    out[7] = 64;
    memcpy(out + 8, src.b, 16);
    memcpy(out + 24, dst.b, 16);
}

static size_t put_l4(const struct a_packet *p, uint8_t *l4)
{
    put16(l4, p->sport);
    if (p->proto == TCP) {
        put16(l4 + 2, p->dport);
        put32(l4 + 4, p->seq);
        put32(l4 + 8, p->ack);
        l4[12] = (uint8_t)((20 + p->options.n) / 4 << 4);
        l4[13] = p->flags;
        put16(l4 + 14, p->window);
        kith_copy(l4 + 20, p->options.p, p->options.n);
        return 20 + p->options.n;
    }
    if (p->proto == UDP) {
        put16(l4 + 2, p->dport);
        put16(l4 + 4, 8 + p->payload.n);
        return 8;
    }
    if (p->proto == ICMP || p->proto == ICMP6) {
        put16(l4 + 4, p->dport);
        return 8;
    }
    return 4;
}

static size_t checksum_offset(uint8_t proto)
{
    return proto == TCP ? 16 : proto == UDP ? 6 : 2;
}

size_t make_packet(const struct a_packet *p, uint8_t *out)
{
    size_t ip = ip_of(p->src).family == KITH_FAMILY_IP4 ? 20 : 40;
    uint8_t *l4 = out + ip;

    memset(out, 0, ip + 60);
    size_t head = put_l4(p, l4), len = head + p->payload.n;
    kith_copy(l4 + head, p->payload.p, p->payload.n);
    put_ip(p, out, len);
    uint16_t start = p->proto == ICMP ? 0 : naive_pseudo_sum(out, len);
    uint16_t sum = (uint16_t)~naive_sum(start, l4, len);
    put16(l4 + checksum_offset(p->proto), sum == 0 && p->proto == UDP ? 0xffff : sum);
    return ip + len;
}

bool checksums_are_right(struct kith_span s)
{
    size_t ip = ip_len(s.p), len = s.n - ip;
    uint16_t start = proto_of(s.p) == ICMP ? 0 : naive_pseudo_sum(s.p, len);

    if (ip == 20 && naive_sum(0, s.p, 20) != 0xffff)
        return false;
    return naive_sum(start, s.p + ip, len) == 0xffff;
}
