/* queue.h: packets that congestion control holds back, first in, first out, bounded in bytes.
 *
 * One ring that is allocated when a packet has to wait and freed when none does any more. Each
 * packet lies in it in one piece behind 16 bytes of ours, so up to 65,550 bytes at its end may stay
 * unused. It forgets nothing by itself: who adds decides what a full queue means. Test:
 * tests/unit/session_queue_test.c, tests/property/session_law_test.c. */
#ifndef KITH_SESSION_QUEUE_H
#define KITH_SESSION_QUEUE_H

#include "base/alloc.h"
#include "base/base.h"

struct kith_packet_queue { /* all-zero with `alloc` and `cap` set is a valid empty queue */
    const struct kith_alloc *alloc;
    size_t cap;    /* bytes; a packet takes 16 more than it has */
    uint8_t *ring; /* `cap` bytes while anything waits, else NULL */
    size_t first, used, n;
};

/* A packet that waits. */
struct kith_queued {
    uint8_t *p; /* borrowed until it is dropped; n bytes, which may be changed */
    size_t n;
    uint8_t slot, ecn;
    kith_time since; /* when it began to wait */
};

void kith_packet_queue_fini(struct kith_packet_queue *q);
/* Copies the packet, at most 65,535 bytes (KITH_E_INVAL). KITH_E_FULL and KITH_E_NOMEM leave the
 * queue as it was. */
int kith_packet_queue_add(struct kith_packet_queue *q, uint8_t slot,
                          const struct kith_parts *packet, kith_time now) KITH_MUST_CHECK;
/* The first packet; false when there is none. */
bool kith_packet_queue_first(const struct kith_packet_queue *q, struct kith_queued *ret);
/* Harmless when there is none. */
void kith_packet_queue_drop_first(struct kith_packet_queue *q);

#endif
