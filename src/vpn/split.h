/* split.h: cuts a super-packet of the kernel (TSO, USO) into the packets it stands for.
 *
 * Nothing is copied but headers: each packet comes as two parts, a header built here and a payload
 * borrowed from the super-packet, which stays untouched. The parts of one kith_split_next are valid
 * until the next.
 * Order: init, then next until it returns 0. Test: tests/unit/vpn_split_test.c, and the law
 * "coalescing undoes splitting" in tests/property/vpn_offload_test.c. */
#ifndef KITH_VPN_SPLIT_H
#define KITH_VPN_SPLIT_H

#include "vpn/ip.h"
#include "vpn/vnet.h"

enum {
    KITH_SPLIT_BATCH = 64, /* packets of one call: what one GSO send takes (UDP_MAX_SEGMENTS) */
    KITH_SPLIT_HEADER_MAX = 256, /* bytes; IPv4 and TCP take at most 120, the rest is extensions */
};

struct kith_split {
    const uint8_t *packet; /* borrowed */
    const struct kith_packet *info;
    size_t header_len, piece; /* bytes of header, and of payload in all packets but the last */
    size_t at;                /* offset of the next payload; == info->len at the end */
    uint16_t count;           /* packets so far */
    bool partial;             /* checksums are left to the receiver */
    uint8_t header[KITH_SPLIT_BATCH][KITH_SPLIT_HEADER_MAX];
};

/* Prepares to cut `packet` (parsed as *info, both borrowed) as *v says; `partial` leaves checksums
 * to the receiver. KITH_E_MALFORMED: v is of no known kind or does not fit the packet. */
int kith_split_init(struct kith_split *s, const uint8_t *packet, const struct kith_packet *info,
                    const struct kith_vnet *v, bool partial) KITH_MUST_CHECK;
/* The largest packet that will come out, bytes. */
size_t kith_split_largest(const struct kith_split *s);
/* Up to KITH_SPLIT_BATCH further packets, with checksums or marked partial; 0 when there are no
 * more. */
size_t kith_split_next(struct kith_split *s, struct kith_parts out[KITH_SPLIT_BATCH]);

#endif
