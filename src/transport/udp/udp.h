/* udp.h: datagrams over UDP, IPv4 and IPv6, on Linux.
 *
 * One object owns a socket for each address it listens on, two (one a family) where that is "any".
 * It moves runs: GSO and GRO where the kernel has them, cut up where it has not. It knows which
 * local address a datagram came to, and answers leave from there; it carries the ECN bits both
 * ways and never lets the kernel fragment. It does not poll, queue, retry or judge a datagram.
 *
 * Order of calls: kith_udp_new, then the loop polls kith_udp_fds and calls kith_udp_receive for a
 * readable one; sending goes through the table of kith_udp_transport. An error of one datagram
 * (ECONNREFUSED, no route, too big) is counted, told as an event, and ends nothing.
 * More: docs/modules/transport.md.   Tests: tests/unit/udp_test.c, udp_refusal_test.c */
#ifndef KITH_TRANSPORT_UDP_UDP_H
#define KITH_TRANSPORT_UDP_UDP_H

#include "base/env.h"
#include "transport/transport.h"

enum {
    KITH_UDP_LISTEN_MAX = 8,
    KITH_UDP_SOCKETS_MAX = 2 * KITH_UDP_LISTEN_MAX, /* "any" takes one a family */
    KITH_UDP_BATCH = 32,                            /* messages of one system call, either way */
    KITH_UDP_RUN_MAX = 65507,   /* bytes: 65535 less the headers of IPv4 (20) and UDP (8) */
    KITH_UDP_SEGMENTS_MAX = 64, /* datagrams of a GSO send: what the first kernels allow */
    /* Largest datagram a receiver without GRO has room for: the payload of a 9000-byte (jumbo)
     * frame fits. Longer ones are dropped there, so this is the MTU we declare. */
    KITH_UDP_DATAGRAM_MAX = 9216,
};

#define KITH_UDP_BUFFER_BYTES ((size_t)7 << 20) /* wanted of each socket, each way: 7 MiB */

struct kith_udp_sys; /* udp_sys.h */

struct kith_udp_config {
    /* Where to listen. An ip of none: any address of both families (of the one there is). Port 0:
     * the system chooses, the same for both families if it can. */
    struct kith_addr listen[KITH_UDP_LISTEN_MAX];
    size_t n_listen;
    /* Each is dropped by itself, with the event offload_off, when the kernel refuses it. */
    bool gso, gro, ecn, recvmmsg;
    size_t buffer_bytes;            /* 0: KITH_UDP_BUFFER_BYTES; cut to what the kernel allows */
    size_t max_batches;             /* of one kith_udp_receive; 0: 4 */
    const struct kith_udp_sys *sys; /* NULL: the kernel. Borrowed, outlives the object */
};

/* Everything wanted, nowhere to listen yet. */
extern const struct kith_udp_config kith_udp_config_default;

struct kith_udp_why {
    char text[160]; /* a sentence fragment for the person who runs the machine */
};

struct kith_udp_counters {
    uint64_t datagrams_in, bytes_in, runs_in; /* handed to the sink */
    /* Taken by the kernel; each piece of a run that was cut counts as a run. */
    uint64_t datagrams_out, bytes_out, runs_out;
    uint64_t send_full;     /* times a socket's buffer had no room */
    uint64_t send_errors;   /* datagrams lost to an error, too big ones among them */
    uint64_t too_big;       /* of these: EMSGSIZE */
    uint64_t gso_fallbacks; /* 1 once the kernel refused GSO */
    uint64_t recv_errors;   /* errors reported when reading */
    uint64_t truncated;     /* dropped: longer than the room for them */
    uint64_t empty;         /* dropped: no bytes */
    uint64_t group;         /* dropped: sent to a multicast or broadcast address, not to us alone */
};

struct kith_udp;

/* Opens and binds the sockets. `transport_index` goes into every path received. Errors, with *why
 * saying more: KITH_E_INVAL (nothing or too much to listen on), KITH_E_INUSE, KITH_E_PERM,
 * KITH_E_NOTFOUND (no interface has the address), KITH_E_UNSUPPORTED (no such family),
 * KITH_E_NOMEM, KITH_E_IO. */
int kith_udp_new(const struct kith_udp_config *cfg, uint32_t transport_index,
                 const struct kith_env *env, struct kith_udp **ret,
                 struct kith_udp_why *ret_why) KITH_MUST_CHECK;
/* Closes the sockets. NULL is fine. */
void kith_udp_free(struct kith_udp *u);

/* Writes at most cap descriptors, for polling; returns how many there are. They stay the same and
 * stay ours. */
size_t kith_udp_fds(const struct kith_udp *u, int *fds, size_t cap);
/* The bound addresses with their real ports, in the order of kith_udp_fds; an "any" is 0.0.0.0 or
 * [::]. KITH_E_LIMIT when cap is too small. */
int kith_udp_local(const struct kith_udp *u, struct kith_addr *ret, size_t cap,
                   size_t *ret_n) KITH_MUST_CHECK;
const struct kith_udp_counters *kith_udp_counters(const struct kith_udp *u);

/* The batch-send table; ctx is u. A run the socket's buffer took only half of is left, and goes on
 * where it stopped if it comes first in the next call; nothing of it is sent twice. */
struct kith_transport kith_udp_transport(struct kith_udp *u);

typedef void kith_udp_sink(void *ctx, const struct kith_rx *runs, size_t n);

/* Reads what one socket has, at most max_batches batches, and hands each batch on: 1 to
 * KITH_UDP_BATCH runs, none empty, borrowed until the sink returns. The sink may send; it must not
 * receive from or free u. Level-triggered polling tells when there is more.
 * KITH_E_NOTFOUND: fd is none of ours. KITH_E_IO: the socket is beyond use, stop polling it. */
int kith_udp_receive(struct kith_udp *u, int fd, kith_udp_sink *sink, void *ctx) KITH_MUST_CHECK;

#endif
