/* lanes.h: what waits to be sent to one peer, so that nobody's packets crowd out others'.
 *
 * This node's own packets have a lane, and what is carried for neighbours has others: each
 * neighbour one of its own while it waits for something, as long as there are no more of them than
 * lanes. Lanes take turns by bytes (deficit round robin, Shreedhar and Varghese 1995), and each has
 * a CoDel of its own, as in RFC 8290. Full is full: who adds decides what that means. Test:
 * tests/unit/session_lanes_test.c, tests/property/session_law_test.c. */
#ifndef KITH_SESSION_LANES_H
#define KITH_SESSION_LANES_H

#include "session/codel.h"
#include "session/queue.h"

#define KITH_LANES_SELF UINT32_MAX /* as a neighbour: this node */

enum {
    KITH_LANE_OWN = 0,
    KITH_LANES = 9,                    /* the first is this node's own */
    KITH_LANE_OWN_BYTES = 1024 * 1024, /* most that waits in it */
    KITH_LANE_BYTES = 256 * 1024,      /* and in another */
    KITH_LANE_TURN = 1500,             /* bytes that a lane may send when it is its turn */
};

struct kith_lane {
    struct kith_packet_queue queue;
    struct kith_codel codel;
    size_t credit;  /* bytes it may still send in this turn */
    uint32_t whose; /* the neighbour's number, also while nothing waits */
};

struct kith_lanes {
    struct kith_lane lane[KITH_LANES];
    uint8_t turn[KITH_LANES]; /* lanes in which something waits, the one whose turn it is first */
    uint8_t n_turns;
};

void kith_lanes_init(struct kith_lanes *l, const struct kith_alloc *a);
void kith_lanes_fini(struct kith_lanes *l);
/* Lets a packet wait for its turn, this node's own or what is carried for a neighbour. Copies it,
 * at most 65,535 bytes (KITH_E_INVAL). KITH_E_FULL and KITH_E_NOMEM leave all as it was. */
int kith_lanes_add(struct kith_lanes *l, uint32_t whose, uint8_t slot,
                   const struct kith_parts *packet, kith_time now) KITH_MUST_CHECK;
bool kith_lanes_is_empty(const struct kith_lanes *l);
/* The packet whose turn it is, borrowed until it is dropped, and its lane; NULL when there is none.
 * The same until it is dropped. */
struct kith_lane *kith_lanes_first(struct kith_lanes *l, struct kith_queued *ret);
/* It has left, or is lost: its lane pays for it if `sent`. Harmless when there is none. */
void kith_lanes_drop_first(struct kith_lanes *l, bool sent);

#endif
