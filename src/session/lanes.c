#include "session/lanes.h"

void kith_lanes_init(struct kith_lanes *l, const struct kith_alloc *a)
{
    *l = (struct kith_lanes){.n_turns = 0};
    for (size_t i = 0; i < KITH_LANES; i++) {
        l->lane[i].whose = KITH_LANES_SELF;
        l->lane[i].queue = (struct kith_packet_queue){
            .alloc = a, .cap = i == KITH_LANE_OWN ? KITH_LANE_OWN_BYTES : KITH_LANE_BYTES};
    }
}

void kith_lanes_fini(struct kith_lanes *l)
{
    for (size_t i = 0; i < KITH_LANES; i++)
        kith_packet_queue_fini(&l->lane[i].queue);
    l->n_turns = 0;
}

/* Its own, else one in which nothing waits. Where more neighbours wait than there are lanes some
 * share one. */
static uint8_t lane_of(const struct kith_lanes *l, uint32_t whose)
{
    uint8_t free_lane = 0;

    if (whose == KITH_LANES_SELF)
        return KITH_LANE_OWN;
    for (size_t i = KITH_LANE_OWN + 1; i < KITH_LANES; i++) {
        if (l->lane[i].whose == whose)
            return (uint8_t)i;
        if (free_lane == 0 && l->lane[i].queue.n == 0)
            free_lane = (uint8_t)i;
    }
    return free_lane != 0 ? free_lane : (uint8_t)(KITH_LANE_OWN + 1 + whose % (KITH_LANES - 1));
}

/* From now on, where nothing waited. */
static void belongs_to(struct kith_lane *lane, uint32_t whose)
{
    if (lane->whose == whose)
        return;
    lane->whose = whose;
    lane->codel = (struct kith_codel){0};
}

bool kith_lanes_is_empty(const struct kith_lanes *l)
{
    return l->n_turns == 0;
}

int kith_lanes_add(struct kith_lanes *l, uint32_t whose, uint8_t slot,
                   const struct kith_parts *packet, kith_time now)
{
    const uint8_t lane = lane_of(l, whose);
    struct kith_packet_queue *q = &l->lane[lane].queue;
    int err = kith_packet_queue_add(q, slot, packet, now);

    if (err < 0)
        return err;
    if (q->n == 1) {
        belongs_to(&l->lane[lane], whose);
        l->lane[lane].credit = KITH_LANE_TURN;
        l->turn[l->n_turns++] = lane;
    }
    return KITH_OK;
}

/* The lane at the front goes to the end. */
static void rotate(struct kith_lanes *l)
{
    uint8_t first = l->turn[0];

    memmove(l->turn, l->turn + 1, l->n_turns - 1u);
    l->turn[l->n_turns - 1] = first;
}

struct kith_lane *kith_lanes_first(struct kith_lanes *l, struct kith_queued *ret)
{
    while (l->n_turns > 0) {
        struct kith_lane *lane = &l->lane[l->turn[0]];
        (void)kith_packet_queue_first(&lane->queue, ret);
        if (lane->credit >= ret->n || l->n_turns == 1)
            return lane;
        lane->credit += KITH_LANE_TURN; /* at most 44 rounds for a packet of 65,535 bytes */
        rotate(l);
    }
    return NULL;
}

void kith_lanes_drop_first(struct kith_lanes *l, bool sent)
{
    struct kith_queued first;

    if (l->n_turns == 0)
        return;
    struct kith_lane *lane = &l->lane[l->turn[0]];
    (void)kith_packet_queue_first(&lane->queue, &first);
    if (sent)
        lane->credit -= first.n < lane->credit ? first.n : lane->credit;
    kith_packet_queue_drop_first(&lane->queue);
    if (lane->queue.n > 0)
        return;
    kith_codel_rests(&lane->codel);
    l->n_turns--;
    memmove(l->turn, l->turn + 1, l->n_turns);
}
