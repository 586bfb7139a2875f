/* vpn_packets.h: packets for tests, made and checked by straightforward code that shares nothing
 * with src/vpn: fields by their RFC offsets, checksums word by word as RFC 1071 writes them. */
#ifndef KITH_TESTS_VPN_PACKETS_H
#define KITH_TESTS_VPN_PACKETS_H

#include "base/addr.h"

enum { TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, CWR = 128 };

struct a_packet {
    const char *src, *dst; /* addresses as text; they decide the family */
    uint8_t proto;
    uint16_t sport, dport; /* of ICMP: type * 256 + code, and the echo id */
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window, ident;
    bool may_fragment;
    uint16_t fragment; /* IPv4: the flags and offset field besides DF */
    uint8_t tos;
    struct kith_span options; /* of TCP; a multiple of 4 bytes */
    struct kith_span payload;
};

/* Writes the whole packet with right checksums; returns its length. out has room for 100 bytes and
 * the payload. */
size_t make_packet(const struct a_packet *p, uint8_t *out);
/* Whether the IPv4 header's and the TCP, UDP or ICMP checksum are right. Knows no IP options. */
bool checksums_are_right(struct kith_span packet);
/* One's complement sum, word by word. */
uint16_t naive_sum(uint16_t start, const uint8_t *p, size_t n);
/* The sum of the pseudo header of a packet with len bytes after its IP header. */
uint16_t naive_pseudo_sum(const uint8_t *packet, size_t len);
struct kith_ip ip_of(const char *text);
struct kith_prefix prefix_of(const char *text);

#endif
