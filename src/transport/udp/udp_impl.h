/* udp_impl.h: what the files of this folder share about a kith_udp: its sockets and the arrays of
 * messages that system calls read and write, allocated once and used by every call. */
#ifndef KITH_TRANSPORT_UDP_UDP_IMPL_H
#define KITH_TRANSPORT_UDP_UDP_IMPL_H

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "transport/udp/sockaddr.h"
#include "transport/udp/udp.h"
#include "transport/udp/udp_sys.h"

/* Since Linux 4.18 and 5.0; an older C library does not name them. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

struct udp_socket {
    int fd;
    struct kith_addr bound; /* with the real port; 0.0.0.0 or [::] for any */
};

/* Room for the ancillary data of one message: the local address, ECN, the segment size. */
struct udp_control {
    _Alignas(struct cmsghdr) char b[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                                    2 * CMSG_SPACE(sizeof(int))];
};

/* Where sending stands: a run, and the bytes of it that are done. */
struct udp_place {
    size_t run, done;
};

/* What one message to be sent carries, besides what its msghdr says. */
struct udp_tx_slot {
    struct iovec iov;
    union kith_sockaddr to;
    struct udp_control control;
    const struct kith_tx *run; /* during the call only */
    size_t segments;           /* > 1: the last ancillary item is UDP_SEGMENT */
    struct udp_place after;    /* where sending stands once this message is done */
};

struct udp_rx_slot {
    struct iovec iov;
    union kith_sockaddr from;
    struct udp_control control;
};

/* The run that a full buffer cut in two, so that it goes on where it stopped. It is recognised by
 * value, not by address: the caller may have dropped it and reused the memory. Packets are
 * encrypted, so their first bytes do not repeat. */
struct udp_rest {
    struct kith_path path;
    size_t len, segment;
    size_t done;      /* bytes sent, a multiple of segment; 0 when there is no such run */
    uint8_t next[48]; /* the first bytes of the next datagram: past any header, into ciphertext */
};

struct kith_udp {
    struct kith_env env;
    const struct kith_udp_sys *sys;
    uint32_t index; /* of this transport in its node */
    bool gso, gro, ecn, recvmmsg;
    size_t buffer_bytes, max_batches;
    struct udp_socket socket[KITH_UDP_SOCKETS_MAX];
    size_t n_sockets;
    struct kith_udp_counters count;
    int told[2]; /* by family: the errno that was told last, 0 once something went again */
    struct udp_rest rest;
    struct mmsghdr tx_msg[KITH_UDP_BATCH], rx_msg[KITH_UDP_BATCH];
    struct udp_tx_slot tx[KITH_UDP_BATCH];
    struct udp_rx_slot rx[KITH_UDP_BATCH];
    size_t room;   /* bytes of one receive buffer: larger once a socket does GRO */
    uint8_t *data; /* KITH_UDP_BATCH * room bytes */
};

/* Opens what `a` asks for: one socket, or two for "any". */
int kith_udp_open(struct kith_udp *u, const struct kith_addr *a,
                  struct kith_udp_why *ret_why) KITH_MUST_CHECK;
size_t kith_udp_send(void *ctx, const struct kith_tx *runs, size_t n);

#endif
