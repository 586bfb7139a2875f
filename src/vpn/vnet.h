/* vnet.h: the header that a TUN device with IFF_VNET_HDR puts before every packet.
 *
 * It says what the kernel left undone on the way out (a checksum, the cutting of a super-packet)
 * and may leave undone on the way in. Numbers are in the machine's own byte order: that is what a
 * TUN uses unless told otherwise. Source: virtio 1.2, 5.1.6. Test: tests/unit/vpn_split_test.c */
#ifndef KITH_VPN_VNET_H
#define KITH_VPN_VNET_H

#include "base/base.h"

enum { KITH_VNET_LEN = 10 }; /* bytes */

enum { KITH_VNET_NEEDS_CSUM = 1 }; /* flags */

enum { /* gso_type */
       KITH_GSO_NONE = 0,
       KITH_GSO_TCP4 = 1,
       KITH_GSO_TCP6 = 4,
       KITH_GSO_UDP = 5,    /* UDP_L4: equal datagrams, both families */
       KITH_GSO_ECN = 0x80, /* a bit beside the TCP types */
};

struct kith_vnet { /* all-zero: an ordinary, finished packet */
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;  /* a hint; a kernel that forwards puts the length of its first buffer here */
    uint16_t gso_size; /* bytes of payload in every piece but the last */
    uint16_t csum_start;  /* where the checksum begins to count, from the IP header */
    uint16_t csum_offset; /* where it is written, from csum_start */
};

/* Reads the first KITH_VNET_LEN bytes of `in`; KITH_E_MALFORMED when there are fewer. */
int kith_vnet_read(struct kith_span in, struct kith_vnet *ret) KITH_MUST_CHECK;
void kith_vnet_write(const struct kith_vnet *v, uint8_t to[KITH_VNET_LEN]);

/* Finishes a checksum that the kernel began (KITH_VNET_NEEDS_CSUM) in a packet of len bytes whose
 * transport header is at l4. KITH_E_MALFORMED: it would count or write outside of that. */
int kith_vnet_complete(const struct kith_vnet *v, uint8_t *packet, size_t len,
                       size_t l4) KITH_MUST_CHECK;

#endif
