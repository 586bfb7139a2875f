#include "vpn/icmp.h"

#include "vpn/checksum.h"

enum {
    ICMP_HEADER = 8,
    ICMP4_MAX = 576, /* the packet every IPv4 host can take */
    ICMP_HOPS = 64,  /* the usual first TTL; the answer travels no further than this machine */
};

struct icmp_row {
    uint8_t type4, code4, type6, code6;
};

static const struct icmp_row rows[] = {
    [KITH_ICMP_TOO_BIG] = {3, 4, 2, 0},
    [KITH_ICMP_NO_ROUTE] = {3, 0, 1, 0},
    [KITH_ICMP_NO_HOST] = {3, 1, 1, 3},
    [KITH_ICMP_PROHIBITED] = {3, 13, 1, 1},
};

static bool single_host(const struct kith_ip *ip)
{
    return !kith_ip_is_multicast(ip) && !kith_ip_is_martian(ip) && !kith_ip_is_link_local(ip);
}

static bool answerable(const struct kith_packet *info)
{
    return !kith_packet_is_icmp_error(info) && !info->later && single_host(&info->src) &&
           single_host(&info->dst);
}

static size_t answer4(const struct icmp_row *row, struct kith_span about,
                      const struct kith_packet *info, uint16_t mtu, uint8_t *out)
{
    size_t most = ICMP4_MAX - KITH_IP4_HEADER - ICMP_HEADER;
    struct kith_span quote = {about.p, about.n < most ? about.n : most};
    size_t len = KITH_IP4_HEADER + ICMP_HEADER + quote.n;
    struct kith_writer w = kith_writer_on(out, ICMP4_MAX);

    kith_put_u8(&w, 0x45);
    kith_put_u8(&w, 0);
    kith_put_u16(&w, (uint16_t)len);
    kith_put_u32(&w, 0); /* whole: needs no identification (RFC 6864) */
    kith_put_u8(&w, ICMP_HOPS);
    kith_put_u8(&w, KITH_PROTO_ICMP4);
    kith_put_u16(&w, 0);
    kith_put_span(&w, kith_ip_bytes(&info->dst));
    kith_put_span(&w, kith_ip_bytes(&info->src));
    kith_put_u8(&w, row->type4);
    kith_put_u8(&w, row->code4);
    kith_put_u32(&w, 0); /* checksum, unused */
    kith_put_u16(&w, mtu);
    kith_put_span(&w, quote);

    uint8_t *icmp = out + KITH_IP4_HEADER;
    uint64_t sum = kith_sum_add(0, icmp, len - KITH_IP4_HEADER);
    kith_store_u16(icmp + 2, (uint16_t)~kith_sum_fold(sum));
    kith_ip4_checksum_set(out, KITH_IP4_HEADER);
    return len;
}

static size_t answer6(const struct icmp_row *row, struct kith_span about,
                      const struct kith_packet *info, uint32_t mtu, uint8_t *out)
{
    size_t most = KITH_ICMP_MAX - KITH_IP6_HEADER - ICMP_HEADER;
    struct kith_span quote = {about.p, about.n < most ? about.n : most};
    size_t icmp_len = ICMP_HEADER + quote.n;
    struct kith_writer w = kith_writer_on(out, KITH_ICMP_MAX);

    kith_put_u32(&w, 0x60000000);
    kith_put_u16(&w, (uint16_t)icmp_len);
    kith_put_u8(&w, KITH_PROTO_ICMP6);
    kith_put_u8(&w, ICMP_HOPS);
    kith_put_span(&w, kith_ip_bytes(&info->dst));
    kith_put_span(&w, kith_ip_bytes(&info->src));
    kith_put_u8(&w, row->type6);
    kith_put_u8(&w, row->code6);
    kith_put_u16(&w, 0);
    kith_put_u32(&w, mtu);
    kith_put_span(&w, quote);

    uint8_t *icmp = out + KITH_IP6_HEADER;
    uint64_t sum = kith_packet_pseudo_sum(out, KITH_FAMILY_IP6, KITH_PROTO_ICMP6, icmp_len);
    kith_store_u16(icmp + 2, (uint16_t)~kith_sum_fold(kith_sum_add(sum, icmp, icmp_len)));
    return KITH_IP6_HEADER + icmp_len;
}

size_t kith_icmp_answer(enum kith_icmp why, struct kith_span about, const struct kith_packet *info,
                        size_t mtu, uint8_t out[KITH_ICMP_MAX])
{
    size_t told = why == KITH_ICMP_TOO_BIG ? mtu : 0;

    if (!answerable(info))
        return 0;
    if (info->src.family == KITH_FAMILY_IP4)
        return answer4(&rows[why], about, info, (uint16_t)told, out);
    return answer6(&rows[why], about, info, (uint32_t)told, out);
}
