/* waiting.h: packets for members without a session, while one is opened.
 *
 * A line per member, all lines in one memory bound. Every packet waits equally long, so the oldest
 * of all is the next to expire. The only place of the packet path that allocates per packet.
 * Test: tests/unit/vpn_waiting_test.c */
#ifndef KITH_VPN_WAITING_H
#define KITH_VPN_WAITING_H

#include "base/alloc.h"
#include "base/base.h"
#include "base/list.h"

enum {
    KITH_WAITING_PACKETS = 256,   /* in one line */
    KITH_WAITING_BYTES = 8 << 20, /* of packets in all lines: 8 MiB */
};
#define KITH_WAITING_TIME (1 * KITH_SEC) /* a handshake takes two round trips; later is too late */

struct kith_waiting {
    const struct kith_alloc *alloc;
    struct kith_link all; /* of struct kith_waiting_packet, oldest first */
    size_t bytes;
};

struct kith_line { /* init before use */
    struct kith_link packets;
    size_t n;
};

void kith_waiting_init(struct kith_waiting *w, const struct kith_alloc *a);
void kith_waiting_fini(struct kith_waiting *w);
void kith_line_init(struct kith_line *l);

/* Copies the packet (two parts put together) to the end of the line. KITH_E_FULL: the line or the
 * memory bound; KITH_E_NOMEM. */
int kith_waiting_add(struct kith_waiting *w, struct kith_line *l, struct kith_span head,
                     struct kith_span body, kith_time now) KITH_MUST_CHECK;
/* The first up to max packets of the line, borrowed until they are dropped; returns how many. */
size_t kith_waiting_peek(const struct kith_line *l, struct kith_span *out, size_t max);
/* Drops the first n packets of the line (at most all). */
void kith_waiting_drop(struct kith_waiting *w, struct kith_line *l, size_t n);
/* Drops what has waited KITH_WAITING_TIME; returns how many packets. */
size_t kith_waiting_expire(struct kith_waiting *w, kith_time now);
/* When the next packet expires, or KITH_NEVER. */
kith_time kith_waiting_deadline(const struct kith_waiting *w);

#endif
