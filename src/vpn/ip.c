#include "vpn/ip.h"

#include "vpn/checksum.h"

enum { EXT_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51, EXT_DEST = 60 };
enum { OPT_END = 0, OPT_NOP = 1, OPT_LSRR = 131, OPT_SSRR = 137 };
enum { ICMP4_ECHO_REPLY = 0, ICMP4_ECHO = 8, ICMP6_ECHO = 128, ICMP6_ECHO_REPLY = 129 };

/* ---- IPv4 ---- */

/* Walks IPv4 options; a source route among them sends the packet elsewhere than to dst. */
static int parse_ip4_options(struct kith_span options, struct kith_packet *p)
{
    struct kith_reader r = kith_reader_on(options);

    while (kith_reader_left(&r) > 0) {
        uint8_t type = kith_get_u8(&r);
        if (type == OPT_END)
            return KITH_OK;
        if (type == OPT_NOP)
            continue;
        uint8_t len = kith_get_u8(&r);
        if (len < 2)
            return KITH_E_MALFORMED;
        kith_get_span(&r, len - 2u);
        if (r.bad)
            return KITH_E_MALFORMED;
        if (type == OPT_LSRR || type == OPT_SSRR)
            p->source_routed = true;
    }
    return KITH_OK;
}

static void get_ip4(struct kith_reader *r, struct kith_ip *ip)
{
    ip->family = KITH_FAMILY_IP4;
    kith_get_copy(r, ip->b, 4);
}

/* Whether a fragment at this offset, in units of 8 bytes, would overwrite a TCP header, its flags
 * among it (RFC 1858, 3128): the first fragment has all 20 bytes, so no honest later one begins
 * before byte 24. */
static bool overwrites_tcp(uint8_t proto, unsigned offset)
{
    return proto == KITH_PROTO_TCP && offset > 0 && offset < 3;
}

/* Fills in the IP part of *p; *ret_total is the length the header claims. */
static int parse_ip4(struct kith_reader *r, struct kith_packet *p, size_t *ret_total)
{
    unsigned ihl = (kith_get_u8(r) & 0x0fu) * 4u;
    kith_get_u8(r);
    size_t total = kith_get_u16(r);
    p->ident = kith_get_u16(r);
    uint16_t frag = kith_get_u16(r);
    kith_get_u8(r);
    p->proto = kith_get_u8(r);
    kith_get_u16(r);
    get_ip4(r, &p->src);
    get_ip4(r, &p->dst);
    if (r->bad || ihl < KITH_IP4_HEADER || total < ihl)
        return KITH_E_MALFORMED;

    struct kith_span options = kith_get_span(r, ihl - KITH_IP4_HEADER);
    if (r->bad)
        return KITH_E_MALFORMED;
    p->plain = options.n == 0;
    p->dont_fragment = (frag & 0x4000) != 0;
    p->fragment = (frag & 0x3fff) != 0;
    p->later = (frag & 0x1fff) != 0;
    p->l4 = (uint16_t)ihl;
    *ret_total = total;
    if (overwrites_tcp(p->proto, frag & 0x1fff))
        return KITH_E_MALFORMED;
    return parse_ip4_options(options, p);
}

/* ---- IPv6 ---- */

static void get_ip6(struct kith_reader *r, struct kith_ip *ip)
{
    ip->family = KITH_FAMILY_IP6;
    kith_get_copy(r, ip->b, 16);
}

static int parse_ip6_fragment(struct kith_reader *body, uint8_t next, struct kith_packet *p)
{
    unsigned offset = kith_get_u16(body) >> 3;

    p->ident = kith_get_u32(body);
    p->fragment = true;
    p->later = offset != 0;
    return overwrites_tcp(next, offset) ? KITH_E_MALFORMED : KITH_OK;
}

/* One extension header of kind p->proto; p->proto becomes what follows it. */
static int parse_extension(struct kith_reader *r, struct kith_packet *p)
{
    uint8_t kind = p->proto;
    uint8_t next = kith_get_u8(r);
    size_t units = kith_get_u8(r); /* size_t: the length must not overflow a byte */
    size_t len = kind == EXT_FRAGMENT ? 8 : kind == EXT_AUTH ? (units + 2) * 4 : (units + 1) * 8;
    struct kith_span rest = kith_get_span(r, len - 2);

    if (r->bad)
        return KITH_E_MALFORMED;
    struct kith_reader body = kith_reader_on(rest);
    if (kind == EXT_FRAGMENT && parse_ip6_fragment(&body, next, p) < 0)
        return KITH_E_MALFORMED;
    if (kind == EXT_ROUTING) {
        kith_get_u8(&body);
        p->source_routed |= kith_get_u8(&body) != 0; /* segments left */
    }
    p->proto = next;
    p->plain = false;
    return KITH_OK;
}

static bool is_extension(uint8_t proto)
{
    return proto == EXT_HOP || proto == EXT_ROUTING || proto == EXT_FRAGMENT || proto == EXT_AUTH ||
           proto == EXT_DEST;
}

static int walk_extensions(struct kith_reader *r, struct kith_packet *p)
{
    for (int n = 0; is_extension(p->proto) && !p->later; n++) {
        bool again = p->proto == EXT_FRAGMENT && p->fragment;
        if (n == KITH_EXTENSIONS_MAX || again || (p->proto == EXT_HOP && n > 0))
            return KITH_E_MALFORMED;
        int err = parse_extension(r, p);
        if (err < 0)
            return err;
    }
    return KITH_OK;
}

static int parse_ip6(struct kith_reader *r, struct kith_packet *p, size_t *ret_total)
{
    size_t before = kith_reader_left(r);

    kith_get_u32(r);
    size_t total = KITH_IP6_HEADER + (size_t)kith_get_u16(r);
    p->proto = kith_get_u8(r);
    kith_get_u8(r);
    get_ip6(r, &p->src);
    get_ip6(r, &p->dst);
    p->plain = p->dont_fragment = true;
    if (r->bad)
        return KITH_E_MALFORMED;
    int err = walk_extensions(r, p);
    if (err < 0)
        return err;
    p->l4 = (uint16_t)(before - kith_reader_left(r));
    *ret_total = total;
    return KITH_OK;
}

/* ---- transport headers ---- */

static int parse_tcp(struct kith_reader *r, struct kith_packet *p)
{
    size_t have = kith_reader_left(r);

    p->src_port = kith_get_u16(r);
    p->dst_port = kith_get_u16(r);
    kith_get_u64(r);
    p->l4_len = (uint8_t)((kith_get_u8(r) >> 4) * 4);
    p->tcp_flags = kith_get_u8(r);
    if (r->bad || p->l4_len < KITH_TCP_HEADER || p->l4_len > have)
        return KITH_E_MALFORMED;
    return KITH_OK;
}

static int parse_udp(struct kith_reader *r, struct kith_packet *p)
{
    size_t have = kith_reader_left(r);

    p->src_port = kith_get_u16(r);
    p->dst_port = kith_get_u16(r);
    uint16_t len = kith_get_u16(r);
    kith_get_u16(r);
    p->l4_len = KITH_UDP_HEADER;
    if (r->bad || len < KITH_UDP_HEADER)
        return KITH_E_MALFORMED;
    if (!p->fragment && len != have) /* the first of several fragments holds less than it says */
        return KITH_E_MALFORMED;
    return KITH_OK;
}

static int parse_icmp(struct kith_reader *r, struct kith_packet *p)
{
    p->icmp_type = kith_get_u8(r);
    p->icmp_code = kith_get_u8(r);
    kith_get_u16(r);
    uint16_t id = kith_get_u16(r);
    kith_get_u16(r);
    if (r->bad)
        return KITH_E_MALFORMED;
    if (kith_packet_is_echo_request(p) || kith_packet_is_echo_reply(p))
        p->icmp_id = id;
    return KITH_OK;
}

static int parse_transport(struct kith_reader *r, struct kith_packet *p)
{
    if (p->later)
        return KITH_OK;
    if (p->proto == KITH_PROTO_TCP)
        return parse_tcp(r, p);
    if (p->proto == KITH_PROTO_UDP)
        return parse_udp(r, p);
    return kith_packet_is_icmp(p) ? parse_icmp(r, p) : KITH_OK;
}

static int parse_network(struct kith_reader *r, struct kith_packet *p, size_t *ret_total)
{
    unsigned version = kith_reader_left(r) == 0 ? 0 : *r->p >> 4;

    if (version == 4)
        return parse_ip4(r, p, ret_total);
    return version == 6 ? parse_ip6(r, p, ret_total) : KITH_E_MALFORMED;
}

int kith_packet_parse(struct kith_span bytes, struct kith_packet *ret)
{
    struct kith_packet p = {0};
    struct kith_reader r = kith_reader_on(bytes);
    size_t total = 0;

    if (bytes.n > KITH_PACKET_MAX)
        return KITH_E_MALFORMED;
    int err = parse_network(&r, &p, &total);
    if (err < 0)
        return err;
    if (total != bytes.n)
        return KITH_E_MALFORMED;
    p.len = (uint16_t)bytes.n;
    p.ecn = (p.src.family == KITH_FAMILY_IP4 ? bytes.p[1] : bytes.p[1] >> 4) & KITH_ECN_CE;
    err = parse_transport(&r, &p);
    if (err < 0)
        return err;
    *ret = p;
    return KITH_OK;
}

/* Ports, or an echo id, out of the first 8 bytes of a transport header, which is what the oldest
 * ICMP errors quote. */
static void parse_quoted_transport(struct kith_reader *r, struct kith_packet *p)
{
    if (p->proto == KITH_PROTO_TCP || p->proto == KITH_PROTO_UDP) {
        p->src_port = kith_get_u16(r);
        p->dst_port = kith_get_u16(r);
    } else if (kith_packet_is_icmp(p) && parse_icmp(r, p) < 0) {
        r->bad = true;
    }
}

int kith_packet_parse_quoted(struct kith_span bytes, struct kith_packet *ret)
{
    struct kith_packet p = {0};
    struct kith_reader r = kith_reader_on(bytes);
    size_t total = 0;
    int err = parse_network(&r, &p, &total);

    if (err < 0)
        return err;
    if (!p.later)
        parse_quoted_transport(&r, &p);
    if (r.bad)
        return KITH_E_MALFORMED;
    p.len = (uint16_t)(bytes.n < KITH_PACKET_MAX ? bytes.n : KITH_PACKET_MAX);
    *ret = p;
    return KITH_OK;
}

/* ---- questions ---- */

bool kith_packet_is_icmp(const struct kith_packet *p)
{
    return p->proto == (p->src.family == KITH_FAMILY_IP4 ? KITH_PROTO_ICMP4 : KITH_PROTO_ICMP6);
}

bool kith_packet_is_icmp_error(const struct kith_packet *p)
{
    if (!kith_packet_is_icmp(p) || p->later)
        return false;
    if (p->src.family == KITH_FAMILY_IP6)
        return p->icmp_type < 128; /* RFC 4443, 2.1 */
    return p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 || p->icmp_type == 11 ||
           p->icmp_type == 12; /* RFC 1122, 3.2.2 */
}

bool kith_packet_is_echo_request(const struct kith_packet *p)
{
    bool v4 = p->src.family == KITH_FAMILY_IP4;

    return kith_packet_is_icmp(p) && !p->later && p->icmp_type == (v4 ? ICMP4_ECHO : ICMP6_ECHO);
}

bool kith_packet_is_echo_reply(const struct kith_packet *p)
{
    bool v4 = p->src.family == KITH_FAMILY_IP4;

    return kith_packet_is_icmp(p) && !p->later &&
           p->icmp_type == (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY);
}

bool kith_ip_is_embedded4(const struct kith_ip *ip)
{
    static const uint8_t zero[10];

    if (ip->family != KITH_FAMILY_IP6 || memcmp(ip->b, zero, sizeof zero) != 0)
        return false;
    return (ip->b[10] == 0 && ip->b[11] == 0) || (ip->b[10] == 0xff && ip->b[11] == 0xff);
}

bool kith_ip_is_martian(const struct kith_ip *ip)
{
    if (ip->family == KITH_FAMILY_IP4) /* RFC 1122, 3.2.1.3; RFC 6890 */
        return ip->b[0] == 0 || ip->b[0] == 127 || ip->b[0] >= 240;
    return kith_ip_is_embedded4(ip); /* ::/96 holds :: and ::1 too */
}

/* ---- checksums ---- */

uint64_t kith_packet_pseudo_sum(const uint8_t *packet, uint8_t family, uint8_t proto, size_t len)
{
    uint8_t tail[8] = {0};

    kith_store_u32(tail, (uint32_t)len);
    tail[7] = proto;
    uint64_t sum = kith_sum_add(0, tail, sizeof tail);
    if (family == KITH_FAMILY_IP4)
        return kith_sum_add(sum, packet + 12, 8);
    return kith_sum_add(sum, packet + 8, 32);
}

bool kith_packet_checksum_good(struct kith_span bytes, const struct kith_packet *p)
{
    size_t len = (size_t)p->len - p->l4;
    uint64_t sum = kith_packet_pseudo_sum(bytes.p, p->src.family, p->proto, len);

    return kith_sum_fold(kith_sum_add(sum, bytes.p + p->l4, len)) == 0xffff;
}

size_t kith_packet_checksum_at(const struct kith_packet *p)
{
    return p->proto == KITH_PROTO_TCP ? KITH_TCP_CHECKSUM_AT : KITH_UDP_CHECKSUM_AT;
}

void kith_packet_checksum_set(uint8_t *packet, const struct kith_packet *p)
{
    size_t len = (size_t)p->len - p->l4;
    uint8_t *field = packet + p->l4 + kith_packet_checksum_at(p);
    uint64_t sum = kith_packet_pseudo_sum(packet, p->src.family, p->proto, len);

    kith_store_u16(field, 0);
    uint16_t checksum = (uint16_t)~kith_sum_fold(kith_sum_add(sum, packet + p->l4, len));
    bool none = checksum == 0 && p->proto == KITH_PROTO_UDP; /* 0 would say "no checksum" */
    kith_store_u16(field, none ? 0xffff : checksum);
}

void kith_packet_mark_ce(uint8_t *packet, struct kith_packet *p)
{
    p->ecn = KITH_ECN_CE;
    if (p->src.family == KITH_FAMILY_IP6) {
        packet[1] |= KITH_ECN_CE << 4;
        return;
    }
    uint16_t old = kith_load_u16(packet);
    packet[1] |= KITH_ECN_CE;
    kith_store_u16(packet + 10,
                   kith_checksum_update(kith_load_u16(packet + 10), old, kith_load_u16(packet)));
}

void kith_ip4_checksum_set(uint8_t *packet, size_t header_len)
{
    kith_store_u16(packet + 10, 0);
    kith_store_u16(packet + 10, (uint16_t)~kith_sum_fold(kith_sum_add(0, packet, header_len)));
}

static uint16_t swap(uint16_t v)
{
    return (uint16_t)(v << 8 | v >> 8);
}

/* Where the value of the MSS option stands in the TCP header, or 0. */
static size_t find_mss(struct kith_span header)
{
    for (size_t at = KITH_TCP_HEADER; at < header.n;) {
        uint8_t kind = header.p[at];
        if (kind == 0)
            return 0;
        if (kind == 1) {
            at++;
            continue;
        }
        size_t len = at + 1 < header.n ? header.p[at + 1] : 0;
        if (len < 2 || len > header.n - at)
            return 0;
        if (kind == 2)
            return len == 4 ? at + 2 : 0;
        at += len;
    }
    return 0;
}

bool kith_mss_clamp(uint8_t *packet, const struct kith_packet *p, uint16_t mss)
{
    if (p->proto != KITH_PROTO_TCP || p->later || (p->tcp_flags & KITH_TCP_SYN) == 0)
        return false;
    uint8_t *tcp = packet + p->l4;
    size_t at = find_mss((struct kith_span){tcp, p->l4_len});
    if (at == 0)
        return false;
    uint16_t old = kith_load_u16(tcp + at);
    if (old <= mss)
        return false;

    /* An option may start at an odd offset: then its bytes lie in swapped halves of their words. */
    bool odd = at % 2 != 0;
    uint8_t *field = tcp + KITH_TCP_CHECKSUM_AT;
    kith_store_u16(tcp + at, mss);
    kith_store_u16(field, kith_checksum_update(kith_load_u16(field), odd ? swap(old) : old,
                                               odd ? swap(mss) : mss));
    return true;
}
