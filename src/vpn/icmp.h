/* icmp.h: telling a sender on this machine why its packet went nowhere.
 *
 * Builds the ICMP (RFC 792, 1191) or ICMPv6 (RFC 4443) error for a packet that came out of the TUN
 * device. It comes from the address the packet was for: Linux drops an IPv4 packet that arrives
 * from outside with one of the machine's own addresses as its source, so our overlay address would
 * never be heard. Test: tests/unit/vpn_icmp_test.c */
#ifndef KITH_VPN_ICMP_H
#define KITH_VPN_ICMP_H

#include "vpn/ip.h"

enum {
    KITH_ICMP_MAX = 1280
}; /* bytes of an answer; IPv4 ones stay under 576 (RFC 1812, 4.3.2.3) */

enum kith_icmp {
    KITH_ICMP_TOO_BIG,    /* bigger than the MTU */
    KITH_ICMP_NO_ROUTE,   /* no network has the address */
    KITH_ICMP_NO_HOST,    /* the network has it, no member does */
    KITH_ICMP_PROHIBITED, /* the packet may not be sent, wherever it goes */
};

/* Writes the answer to the packet `about` (parsed as *info) and returns its length; 0 when there
 * must be none: about an ICMP error, a later fragment, to or from an address that is no single
 * host's (RFC 1122, 3.2.2; RFC 4443, 2.4). mtu is used by KITH_ICMP_TOO_BIG alone. */
size_t kith_icmp_answer(enum kith_icmp why, struct kith_span about, const struct kith_packet *info,
                        size_t mtu, uint8_t out[KITH_ICMP_MAX]);

#endif
