#include "session/reassembly.h"

struct kith_partial {
    bool busy;
    uint8_t slot, count, have; /* `have` is a bit per piece */
    uint16_t id;
    size_t part_len; /* of every piece but the last; 0: not known yet */
    size_t last_len; /* of the last; known when its bit is set */
    kith_time until;
    uint8_t data[KITH_REASSEMBLY_BYTES];
    uint8_t last[KITH_REASSEMBLY_BYTES / 2]; /* the last piece, until its place is known */
};

void kith_reassembly_fini(struct kith_reassembly *r)
{
    if (r->alloc != NULL)
        kith_free(r->alloc, r->partial);
    r->partial = NULL;
}

/* The packet the piece belongs to; a free or the oldest place for a new one. */
static struct kith_partial *partial_for(struct kith_reassembly *r, const struct kith_ip_fragment *f,
                                        kith_time now)
{
    struct kith_partial *place = &r->partial[0];

    for (size_t i = 0; i < KITH_REASSEMBLY_PACKETS; i++) {
        struct kith_partial *p = &r->partial[i];
        if (p->busy && now >= p->until)
            p->busy = false;
        if (p->busy && p->id == f->id && p->slot == f->slot)
            return p;
        if (place->busy && (!p->busy || p->until < place->until))
            place = p;
    }
    place->busy = true;
    place->slot = f->slot;
    place->id = f->id;
    place->count = f->count;
    place->have = 0;
    place->part_len = place->last_len = 0;
    place->until = kith_after(now, KITH_SEC);
    return place;
}

/* Puts a piece in its place; false when it contradicts the others. */
static bool place_piece(struct kith_partial *p, const struct kith_ip_fragment *f)
{
    bool last = f->index + 1 == f->count;

    if (f->count != p->count || (p->have & 1u << f->index) != 0)
        return false;
    if (last) {
        if (f->part.n > sizeof p->last)
            return false;
        kith_copy(p->last, f->part.p, f->part.n);
        p->last_len = f->part.n;
    } else {
        if (p->part_len == 0)
            p->part_len = f->part.n;
        if (f->part.n != p->part_len || p->part_len * p->count > sizeof p->data)
            return false;
        kith_copy(p->data + f->index * p->part_len, f->part.p, f->part.n);
    }
    p->have |= (uint8_t)(1u << f->index);
    return true;
}

int kith_reassembly_add(struct kith_reassembly *r, const struct kith_ip_fragment *f, kith_time now,
                        struct kith_span *ret_packet)
{
    if (f->index >= f->count || f->part.n == 0)
        return KITH_E_MALFORMED;
    if (r->partial == NULL)
        r->partial = kith_new_array(r->alloc, KITH_REASSEMBLY_PACKETS, sizeof *r->partial);
    if (r->partial == NULL)
        return KITH_E_NOMEM;
    struct kith_partial *p = partial_for(r, f, now);
    if (!place_piece(p, f)) {
        p->busy = false;
        return KITH_E_MALFORMED;
    }
    if (p->have != (uint8_t)((1u << p->count) - 1))
        return KITH_E_AGAIN;
    p->busy = false;
    size_t before = p->part_len * (p->count - 1u);
    if (p->last_len > p->part_len || before + p->last_len > sizeof p->data)
        return KITH_E_MALFORMED;
    memcpy(p->data + before, p->last, p->last_len);
    *ret_packet = (struct kith_span){p->data, before + p->last_len};
    return KITH_OK;
}
