/* ip.h: what the headers of one IP packet say, judged once.
 *
 * kith_packet_parse checks every length against the bytes that are there and answers with values
 * and offsets; nothing after it needs to look at a length again. It takes any address: who may
 * send what to whom is the business of the callers. The length in the IP header must be the length
 * of the bytes: a packet with bytes to spare hides something, one with bytes missing is cut.
 * Sources: RFC 791, 8200, 9293, 768, 792, 4443. Test: tests/unit/vpn_ip_test.c */
#ifndef KITH_VPN_IP_H
#define KITH_VPN_IP_H

#include "base/addr.h"
#include "base/base.h"

enum {
    KITH_IP4_HEADER = 20, /* bytes, without options */
    KITH_IP6_HEADER = 40, /* bytes, without extension headers */
    KITH_TCP_HEADER = 20, /* bytes, without options */
    KITH_UDP_HEADER = 8,
    KITH_PACKET_MAX = 65535,   /* bytes of an IP packet; no jumbograms */
    KITH_EXTENSIONS_MAX = 8,   /* IPv6 extension headers walked; honest packets have one or two */
    KITH_TCP_CHECKSUM_AT = 16, /* offsets in the transport header */
    KITH_UDP_CHECKSUM_AT = 6,
};

enum { /* IANA protocol numbers */
       KITH_PROTO_ICMP4 = 1,
       KITH_PROTO_TCP = 6,
       KITH_PROTO_UDP = 17,
       KITH_PROTO_ICMP6 = 58,
};

enum {
    KITH_TCP_FIN = 0x01,
    KITH_TCP_SYN = 0x02,
    KITH_TCP_RST = 0x04,
    KITH_TCP_PSH = 0x08,
    KITH_TCP_ACK = 0x10,
    KITH_TCP_CWR = 0x80,
};

enum { KITH_ECN_NONE = 0, KITH_ECN_CE = 3 }; /* does not know it; met congestion (RFC 3168 5) */

struct kith_packet {
    struct kith_ip src, dst; /* as written, never normalised: see kith_ip_is_embedded4 */
    uint16_t len;            /* of the whole packet */
    uint16_t l4;             /* offset of the transport header, or of a later fragment's data */
    uint8_t l4_len;          /* of a TCP or UDP header; 0 for others and for later fragments */
    uint8_t proto;           /* after all extension headers */
    uint8_t tcp_flags;
    uint8_t icmp_type, icmp_code;
    uint16_t src_port, dst_port; /* TCP and UDP */
    uint16_t icmp_id;            /* of an echo request or reply */
    uint32_t ident;     /* of the datagram that fragments belong to; 0 when whole in IPv6 */
    bool plain;         /* neither IPv4 options nor IPv6 extension headers */
    bool dont_fragment; /* IPv4; true for IPv6 */
    bool fragment;      /* a piece of a datagram */
    bool later;         /* a piece that is not the first: it has no transport header */
    bool source_routed; /* has a route to take other than to dst */
    uint8_t ecn;        /* two bits (RFC 3168) */
    bool partial;       /* not read from the bytes: its checksum is still to be made */
};

/* Reads the headers of exactly one packet. KITH_E_MALFORMED: a length lies, a header is cut, there
 * are more than KITH_EXTENSIONS_MAX extension headers, or fragments are cut so that they would hide
 * ports (RFC 1858, 3128). */
int kith_packet_parse(struct kith_span bytes, struct kith_packet *ret) KITH_MUST_CHECK;

/* The same for the packet quoted in an ICMP error, which is cut anywhere after the ports: only
 * addresses, protocol, ports and echo id are filled in. */
int kith_packet_parse_quoted(struct kith_span bytes, struct kith_packet *ret) KITH_MUST_CHECK;

bool kith_packet_is_icmp(const struct kith_packet *p);
bool kith_packet_is_icmp_error(const struct kith_packet *p);
bool kith_packet_is_echo_request(const struct kith_packet *p);
bool kith_packet_is_echo_reply(const struct kith_packet *p);

/* Whether an IPv6 address is ::/96 or ::ffff:0:0/96: an IPv4 address in disguise, which no packet
 * may carry (RFC 4291, 2.5.5). */
bool kith_ip_is_embedded4(const struct kith_ip *ip);
/* Whether ip can never be one end of a packet between two members: unspecified, loopback, "this
 * network", reserved, or an IPv4 address in disguise. Multicast and link-local have tests of their
 * own in base/addr.h. */
bool kith_ip_is_martian(const struct kith_ip *ip);

/* The sum of the pseudo header for len bytes of transport header and data (RFC 9293, 3.1; RFC 8200,
 * 8.1): the start of every TCP, UDP and ICMPv6 checksum. packet begins with the IP header. */
uint64_t kith_packet_pseudo_sum(const uint8_t *packet, uint8_t family, uint8_t proto, size_t len);
/* Whether the checksum of a whole TCP or UDP packet is right. */
bool kith_packet_checksum_good(struct kith_span bytes, const struct kith_packet *p);
/* Where it stands: bytes from the transport header on. */
size_t kith_packet_checksum_at(const struct kith_packet *p);
/* Computes it, whatever stood there. */
void kith_packet_checksum_set(uint8_t *packet, const struct kith_packet *p);
/* Makes the packet say that it met congestion (RFC 3168); one that knows ECN. */
void kith_packet_mark_ce(uint8_t *packet, struct kith_packet *p);
/* Computes the checksum of an IPv4 header of header_len bytes and writes it there. */
void kith_ip4_checksum_set(uint8_t *packet, size_t header_len);
/* Lowers the MSS option of a SYN to at most mss bytes and mends the checksum; returns whether it
 * did. A SYN without the option is left alone: its default (536) fits. */
bool kith_mss_clamp(uint8_t *packet, const struct kith_packet *p, uint16_t mss);

/* Big-endian fields of headers that a parse has already judged. */
static inline uint16_t kith_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t kith_load_u32(const uint8_t *p)
{
    return (uint32_t)kith_load_u16(p) << 16 | kith_load_u16(p + 2);
}
static inline void kith_store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void kith_store_u32(uint8_t *p, uint32_t v)
{
    kith_store_u16(p, (uint16_t)(v >> 16));
    kith_store_u16(p + 2, (uint16_t)v);
}

#endif
