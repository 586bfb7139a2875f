/* addr.h: network addresses and prefixes as values, the same for every transport of IP.
 *
 * An address is normalised at this border: an IPv4 address mapped into IPv6 becomes IPv4, so one
 * peer never has two keys. Text forms: "192.0.2.1:9000", "[2001:db8::1]:9000". An address of the
 * mesh, which has no port, is "mesh:" and base32; nobody types it, so nothing parses it. */
#ifndef KITH_BASE_ADDR_H
#define KITH_BASE_ADDR_H

#include "base/base.h"

enum kith_family {
    KITH_FAMILY_NONE = 0,
    KITH_FAMILY_IP4 = 4,
    KITH_FAMILY_IP6 = 6,
    KITH_FAMILY_MESH = 16, /* no IP address: 16 bytes that mesh/relay.h explains */
};

/* An IP address without a port. All-zero is "none". IPv4 uses b[0..3], the rest stays zero. */
struct kith_ip {
    uint8_t family; /* enum kith_family */
    uint8_t b[16];  /* network byte order; of the mesh all 16 */
};

/* Where datagrams go: address, port, and for IPv6 link-local the interface. */
struct kith_addr {
    struct kith_ip ip;
    uint16_t port;  /* host byte order */
    uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
};

struct kith_prefix {
    struct kith_ip ip; /* host bits are zero */
    uint8_t bits;      /* 0..32 or 0..128 */
};

enum {
    KITH_IP_TEXT = 46,     /* longest text of a kith_ip with its NUL */
    KITH_ADDR_TEXT = 66,   /* "[ip%scope]:port" with its NUL */
    KITH_PREFIX_TEXT = 50, /* "ip/bits" with its NUL */
};

struct kith_ip kith_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
/* From 4 or 16 bytes in network order; a mapped IPv4 address is normalised. Else none. */
struct kith_ip kith_ip_from(struct kith_span bytes);
/* The 4 or 16 bytes of ip, borrowed; empty for none. */
struct kith_span kith_ip_bytes(const struct kith_ip *ip);
bool kith_ip_equal(const struct kith_ip *a, const struct kith_ip *b);
bool kith_addr_equal(const struct kith_addr *a, const struct kith_addr *b);
bool kith_ip_is_unspecified(const struct kith_ip *ip); /* 0.0.0.0, ::, and none */
bool kith_ip_is_loopback(const struct kith_ip *ip);
bool kith_ip_is_multicast(const struct kith_ip *ip); /* also the IPv4 limited broadcast */
bool kith_ip_is_link_local(const struct kith_ip *ip);

/* Parse whole texts; KITH_E_MALFORMED leaves *ret untouched. No names, no leading zeros, no spaces.
 */
int kith_ip_parse(const char *text, struct kith_ip *ret) KITH_MUST_CHECK;
/* "192.0.2.1:9000", "[2001:db8::1]:9000", "[fe80::1%3]:9000". Without ":port" it is default_port;
 * IPv6 without brackets has no port. */
int kith_addr_parse(const char *text, uint16_t default_port, struct kith_addr *ret) KITH_MUST_CHECK;
/* "10.0.0.0/8", or one address alone; KITH_E_MALFORMED also when host bits are set. A mapped IPv4
 * prefix, "::ffff:10.0.0.0/104", becomes IPv4. */
int kith_prefix_parse(const char *text, struct kith_prefix *ret) KITH_MUST_CHECK;

/* Writes NUL-terminated text to buf (of the sizes above, all of which fit) and returns buf. IPv6 as
 * RFC 5952 says, never with an IPv4 tail; "none" for none. */
const char *kith_ip_text(const struct kith_ip *ip, char *buf, size_t cap);
const char *kith_addr_text(const struct kith_addr *a, char *buf, size_t cap);
const char *kith_prefix_text(const struct kith_prefix *p, char *buf, size_t cap);

/* The prefix of `bits` around ip, host bits cleared; more bits than the family has are cut to that.
 */
struct kith_prefix kith_prefix_of(const struct kith_ip *ip, unsigned bits);
bool kith_prefix_holds(const struct kith_prefix *p, const struct kith_ip *ip);
bool kith_prefix_overlaps(const struct kith_prefix *a, const struct kith_prefix *b);
bool kith_prefix_equal(const struct kith_prefix *a, const struct kith_prefix *b);

#endif
