/* batch.h: datagrams on their way out, gathered into runs before they meet a transport.
 *
 * Whoever writes packets asks for room, writes one datagram there and commits it. Neighbours that
 * go the same way and have the same size, the last perhaps shorter, become one run (a GSO send).
 * When the buffer or the list of runs is full, or kith_tx_flush is called, the runs go to their
 * transports in the order they came. A transport that takes no more leaves the batch blocked, for
 * the other transports too: room is then NULL until a later flush succeeds, which is how
 * back-pressure reaches the connections. One batch serves a whole node; it never grows. Order:
 * room, (write,) commit, again and again, flush. Test: tests/unit/transport_batch_test.c. */
#ifndef KITH_TRANSPORT_BATCH_H
#define KITH_TRANSPORT_BATCH_H

#include "base/alloc.h"
#include "transport/transport.h"

enum {
    KITH_TX_DATAGRAM_MAX = 1472, /* largest datagram written: IPv4 over an Ethernet of 1500 */
    KITH_TX_BYTES = 1024 * 1024, /* the buffer: sixteen full GSO runs */
    KITH_TX_RUNS = 256,          /* runs that may wait */
    KITH_TX_RUN_BYTES = 65000,   /* below 65507, what UDP over IPv4 can carry in one GSO send */
    KITH_TX_RUN_DATAGRAMS = 64,  /* UDP_MAX_SEGMENTS of Linux before 6.9 */
    KITH_TX_TRANSPORTS = 16,     /* transports of one node */
};

struct kith_tx_batch {
    const struct kith_alloc *alloc;
    uint8_t *buf;
    size_t used;
    struct kith_tx run[KITH_TX_RUNS];
    size_t n, first; /* run[first..n) wait */
    bool blocked;    /* a transport took no more; wait until it is writable */
    bool last_short; /* the last run ended with a shorter datagram and takes no more */
    struct kith_transport transport[KITH_TX_TRANSPORTS];
    size_t transports;
};

/* Takes KITH_TX_BYTES of memory; KITH_E_NOMEM. */
int kith_tx_init(struct kith_tx_batch *b, const struct kith_alloc *a) KITH_MUST_CHECK;
void kith_tx_fini(struct kith_tx_batch *b);
/* Registers a transport; its index is what `kith_path.transport` names. KITH_E_FULL. */
int kith_tx_add_transport(struct kith_tx_batch *b, const struct kith_transport *t,
                          uint32_t *ret_index) KITH_MUST_CHECK;
/* Its owner goes: it has to be the one registered last. Runs that wait for it are lost. */
void kith_tx_drop_transport(struct kith_tx_batch *b, uint32_t index);
/* Room for a datagram of KITH_TX_DATAGRAM_MAX bytes, or NULL while blocked. */
uint8_t *kith_tx_room(struct kith_tx_batch *b);
/* The first `len` bytes of the room are a datagram for path, whose transport is registered here.
 * The room is the one asked for last, with no flush since. len 0 is ignored. */
void kith_tx_commit(struct kith_tx_batch *b, const struct kith_path *path, uint8_t ecn, size_t len);
/* Hands everything to the transports; false when some of it still waits: call again when the
 * transport is writable. */
bool kith_tx_flush(struct kith_tx_batch *b);

#endif
