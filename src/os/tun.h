/* tun.h: the network interface whose other end is this program.
 *
 * IP packets that the system routes to the interface are read here, and what is written here
 * arrives as if from a wire. With offload the kernel hands over and takes super-packets of up to 64
 * kB, each behind a `struct virtio_net_hdr` of KITH_TUN_HEADER bytes (linux/virtio_net.h) that says
 * how to cut it; cutting and joining them is src/vpn's, addresses and routes are os/netlink.h's.
 *
 * Order: open; kith_netlink_link_quiet, then kith_netlink_link_set with MTU and KITH_TUN_QUEUE;
 * addresses and routes; read and write; close. The device lives as long as its descriptor: on exit
 * and after a crash the kernel removes it with every address and route on it.
 * Source: Linux Documentation/networking/tuntap. Test: tests/unit/os_tun_test.c. */
#ifndef KITH_OS_TUN_H
#define KITH_OS_TUN_H

#include <stdbool.h>
#include <stddef.h>

#include "os/why.h"

enum {
    KITH_TUN_NAME = 16,             /* an interface name with its NUL (IFNAMSIZ) */
    KITH_TUN_HEADER = 10,           /* bytes before each packet where vnet_hdr is set */
    KITH_TUN_READ_MAX = 10 + 65535, /* what one read may give: header and the largest IP packet */
    KITH_TUN_IOV_MAX = 256,         /* parts of one write: a super-packet of 256-byte segments */
    /* Transmit queue for kith_netlink_link_set, in packets: the kernel's own default. It counts
     * super-packets and small ones alike: 32 lost a tenth of a flow of small datagrams at every
     * pause of the thread, while TCP keeps its own super-packets few (docs/performance.md). */
    KITH_TUN_QUEUE = 500,
};

struct kith_tun { /* open before use; all by value, so it may be copied but closed once */
    int fd;       /* non-blocking; wait for it in the loop */
    char name[KITH_TUN_NAME];
    bool vnet_hdr;   /* every packet, read or written, begins with KITH_TUN_HEADER bytes */
    bool tso;        /* TCP super-packets may be read (IPv4 and IPv6), checksums may be partial */
    bool uso;        /* UDP super-packets too (Linux 6.2) */
    bool persistent; /* made beforehand by the administrator; it, its addresses and routes stay */
    unsigned ifindex;
};

/* A part of a packet to be written; borrowed during the call. */
struct kith_iov {
    const void *p;
    size_t n;
};

/* Opens the interface `name`; "" is "kith%d", where %d becomes the first free number. Offload is
 * asked for from the most to the least and what the kernel took is in *ret; without `offload`
 * packets are plain and whole. A persistent TUN device of that name is taken over if nobody holds
 * it. KITH_E_INVAL: no name for an interface; KITH_E_EXISTS: another kind of interface is called
 * that; KITH_E_INUSE: another process holds it; KITH_E_PERM: CAP_NET_ADMIN is missing (or the
 * device is another user's); KITH_E_UNSUPPORTED: no /dev/net/tun. */
int kith_tun_open(struct kith_tun *ret, const char *name, bool offload,
                  struct kith_os_why *why) KITH_MUST_CHECK;
/* Once; also after a failed read or write. */
void kith_tun_close(struct kith_tun *tun);

/* One packet (behind its header where vnet_hdr is set) into buf. cap must be KITH_TUN_READ_MAX or
 * more, because the kernel cuts silently: else KITH_E_INVAL. KITH_E_AGAIN: nothing to read;
 * KITH_E_CLOSED: the interface was deleted; KITH_E_IO: try again later. */
int kith_tun_read(struct kith_tun *tun, void *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;
/* One packet, header first where vnet_hdr is set, from n parts (1 to KITH_TUN_IOV_MAX, else
 * KITH_E_INVAL). KITH_E_AGAIN: the kernel has no room now, the packet is lost; KITH_E_IO: the
 * kernel did not take this packet (malformed, or the interface is down); KITH_E_CLOSED: the
 * interface was deleted. None but the last ends anything. */
int kith_tun_write(struct kith_tun *tun, const struct kith_iov *iov, size_t n) KITH_MUST_CHECK;

#endif
