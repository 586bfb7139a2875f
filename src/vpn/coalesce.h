/* coalesce.h: puts packets of one flow together again, so that the kernel takes them in one write.
 *
 * The mirror of split.h, by the rules of Linux GRO: TCP segments with data that follow one another
 * and differ in nothing but sequence number, length, PSH and checksums; UDP datagrams of one size.
 * Only packets whose own checksum was verified are merged, because the merged packet vouches for
 * them, and packets that came without one (partial), which the connection vouches for; everything
 * else passes as it came, after what was held of its flow. Order holds within a
 * flow and not between flows. Payload is copied: the bytes of a received packet are borrowed.
 * Order: init, then add and flush in any order, fini.
 * Test: tests/unit/vpn_coalesce_test.c, tests/property/vpn_offload_test.c */
#ifndef KITH_VPN_COALESCE_H
#define KITH_VPN_COALESCE_H

#include "base/alloc.h"
#include "vpn/ip.h"
#include "vpn/vnet.h"

/* Towards the TUN device. */
struct kith_vpn_in {
    /* Writes one packet, which is the n parts put together; with offload the first part is its
     * virtio-net header. Parts are borrowed during the call. Whether the device took it. */
    bool (*write)(void *ctx, const struct kith_span *parts, size_t n);
    void *ctx;
};

enum {
    KITH_COALESCE_FLOWS = 8,    /* held at once; a receive batch rarely carries more bulk flows */
    KITH_COALESCE_UDP_MAX = 64, /* datagrams of one super-packet: UDP_MAX_SEGMENTS of Linux */
};

struct kith_held { /* a super-packet in the making; n == 0: free */
    size_t len;    /* bytes in buf after the virtio-net header */
    size_t piece;  /* payload bytes of every packet but the last */
    uint16_t n;    /* packets in it */
    uint16_t l4;
    uint8_t l4_len, family, proto;
    bool partial;   /* the first packet has no checksum of its own */
    uint64_t since; /* age: lower is older */
    uint8_t *buf;   /* KITH_VNET_LEN + KITH_PACKET_MAX bytes; the packet begins at KITH_VNET_LEN */
};

struct kith_coalesce {
    const struct kith_alloc *alloc;
    struct kith_vpn_in out;
    bool udp; /* the device takes UDP super-packets (Linux 6.2) */
    uint64_t clock;
    struct kith_held held[KITH_COALESCE_FLOWS];
    uint8_t *memory;
    /* What became of the packets given; written + lost + held is all of them. */
    uint64_t written, written_bytes, writes, lost;
};

/* Takes half a megabyte for the flows held; KITH_E_NOMEM. */
int kith_coalesce_init(struct kith_coalesce *c, const struct kith_alloc *a, struct kith_vpn_in out,
                       bool udp) KITH_MUST_CHECK;
/* Drops what is held: flush first. */
void kith_coalesce_fini(struct kith_coalesce *c);
/* Takes one parsed packet, borrowed: merges it, or writes it out at once. */
void kith_coalesce_add(struct kith_coalesce *c, struct kith_span packet,
                       const struct kith_packet *info);
/* Writes out everything held, oldest flow first. */
void kith_coalesce_flush(struct kith_coalesce *c);

#endif
