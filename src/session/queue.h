/* queue.h: packets that congestion control holds back, first in, first out, at most 1 MiB. */
#ifndef KITH_SESSION_QUEUE_H
#define KITH_SESSION_QUEUE_H

#include "base/alloc.h"
#include "base/base.h"

enum { KITH_PACKET_QUEUE_BYTES = 1024 * 1024 };

struct kith_packet_queue { /* all-zero with `alloc` set is a valid empty queue */
    const struct kith_alloc *alloc;
    uint8_t *ring; /* KITH_PACKET_QUEUE_BYTES while anything waits, else NULL */
    size_t first, used, n;
};

void kith_packet_queue_fini(struct kith_packet_queue *q);
/* KITH_E_FULL, KITH_E_NOMEM. At most 65535 bytes (KITH_E_INVAL). */
int kith_packet_queue_add(struct kith_packet_queue *q, uint8_t slot,
                          const struct kith_parts *packet) KITH_MUST_CHECK;
/* The first packet, borrowed; false when there is none. */
bool kith_packet_queue_first(const struct kith_packet_queue *q, uint8_t *ret_slot,
                             struct kith_span *ret_packet);
void kith_packet_queue_drop_first(struct kith_packet_queue *q);

#endif
