/* transport.h: what carries datagrams, whatever it is: the one interface between connections and
 * the ways out (UDP, and later serial lines, relays, the mesh).
 *
 * A path names where datagrams go and come from. Packets move in runs: equal-sized datagrams, back
 * to back in one buffer, the last perhaps shorter; that is what GSO and GRO want, and a transport
 * without them cuts the run up. Nothing here allocates or keeps a pointer after the call. */
#ifndef KITH_TRANSPORT_TRANSPORT_H
#define KITH_TRANSPORT_TRANSPORT_H

#include "base/addr.h"
#include "base/base.h"

/* A way for datagrams. `local.ip` may be none (the system chooses) when sending. */
struct kith_path {
    uint32_t transport; /* which transport of the node: its index, given at creation */
    struct kith_addr local;
    struct kith_addr remote;
};

bool kith_path_equal(const struct kith_path *a, const struct kith_path *b);

/* A run of datagrams received over one path. */
struct kith_rx {
    struct kith_path path;
    uint8_t *data;  /* borrowed during the call; the receiver may decrypt in place */
    size_t len;     /* bytes in the run */
    size_t segment; /* size of each datagram, except perhaps the last; > 0 */
    uint8_t ecn;    /* the two ECN bits of the IP header (RFC 3168) */
};

/* A run of datagrams to be sent over one path. */
struct kith_tx {
    struct kith_path path;
    const uint8_t *data;
    size_t len;
    size_t segment;
    uint8_t ecn;
};

/* What a transport declares about itself. */
struct kith_transport_info {
    const char *kind; /* "udp" */
    size_t mtu;       /* largest datagram it may carry, bytes */
    uint64_t bitrate; /* bit/s, 0 when unknown or fast */
    size_t max_run;   /* most bytes of a run that one send takes */
};

struct kith_transport_ops {
    /* Sends runs[0..n) in order and returns how many were taken. What cannot be sent because the
     * system's buffer is full is left (less than n is returned, call again when writable); what
     * fails for another transient reason (no route, refused, too big) counts as taken and lost,
     * with an event. Never fails as a whole because of one datagram. */
    size_t (*send)(void *ctx, const struct kith_tx *runs, size_t n);
};

struct kith_transport {
    const struct kith_transport_ops *ops;
    void *ctx;
    struct kith_transport_info info;
};

#endif
