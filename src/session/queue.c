#include "session/queue.h"

/* A packet in the ring: this head, then its bytes, all in one piece. Where the rest of the ring is
 * too short for the next, a head with `skip` says so. */
struct head {
    kith_time since;
    uint16_t len;
    uint8_t slot, ecn;
    bool skip;
};

void kith_packet_queue_fini(struct kith_packet_queue *q)
{
    if (q->alloc != NULL)
        kith_free(q->alloc, q->ring);
    q->ring = NULL;
    q->first = q->used = q->n = 0;
}

static void put_head(struct kith_packet_queue *q, size_t at, struct head h)
{
    memcpy(q->ring + at, &h, sizeof h);
}

static struct head head_at(const struct kith_packet_queue *q, size_t at)
{
    struct head h;

    memcpy(&h, q->ring + at, sizeof h);
    return h;
}

int kith_packet_queue_add(struct kith_packet_queue *q, uint8_t slot,
                          const struct kith_parts *packet, kith_time now)
{
    size_t len = kith_parts_len(packet), need = sizeof(struct head) + len;

    if (len > UINT16_MAX)
        return KITH_E_INVAL;
    if (q->ring == NULL)
        q->ring = kith_resize(q->alloc, NULL, q->cap);
    if (q->ring == NULL)
        return KITH_E_NOMEM;
    size_t at = (q->first + q->used) % q->cap;
    size_t tail = q->cap - at; /* to the ring's end */
    size_t skip = tail < need ? tail : 0;
    if (q->used + skip + need > q->cap)
        return KITH_E_FULL;
    if (skip > 0) {
        if (skip >= sizeof(struct head))
            put_head(q, at, (struct head){.skip = true});
        q->used += skip;
        at = 0;
    }
    put_head(
        q, at,
        (struct head){.since = now, .len = (uint16_t)len, .slot = slot, .ecn = packet->marks.ecn});
    at += sizeof(struct head);
    kith_copy(q->ring + at, packet->head.p, packet->head.n);
    kith_copy(q->ring + at + packet->head.n, packet->body.p, packet->body.n);
    q->used += need;
    q->n++;
    return KITH_OK;
}

/* Where the first packet's head is, past a skipped rest of the ring. */
static size_t first_head(const struct kith_packet_queue *q)
{
    size_t tail = q->cap - q->first;

    return tail < sizeof(struct head) || head_at(q, q->first).skip ? 0 : q->first;
}

bool kith_packet_queue_first(const struct kith_packet_queue *q, struct kith_queued *ret)
{
    if (q->n == 0)
        return false;
    size_t at = first_head(q);
    struct head h = head_at(q, at);
    *ret = (struct kith_queued){
        .p = q->ring + at + sizeof h, .n = h.len, .slot = h.slot, .ecn = h.ecn, .since = h.since};
    return true;
}

void kith_packet_queue_drop_first(struct kith_packet_queue *q)
{
    if (q->n == 0)
        return;
    size_t at = first_head(q);
    size_t skipped = at == q->first ? 0 : q->cap - q->first;
    size_t size = sizeof(struct head) + head_at(q, at).len;
    q->first = (at + size) % q->cap;
    q->used -= skipped + size;
    if (--q->n == 0)
        kith_packet_queue_fini(q);
}
