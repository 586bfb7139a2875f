#include "session/reassembly.h"

enum {
    PIECES_MAX = 8,       /* wire/datagram.def: ip_fragment.count */
    MET_CONGESTION = 0x3, /* RFC 3168 5: the codepoint CE */
};

struct kith_partial {
    bool busy;
    uint8_t slot, count, have; /* `have` is a bit per piece */
    uint8_t ecn;
    uint16_t id;
    size_t part_len; /* of every piece but the last; 0: not known yet */
    size_t last_len; /* of the last; known when its bit is set */
    kith_time until;
    uint64_t made; /* counts up: who is the oldest, also among those of one turn */
    uint8_t data[KITH_REASSEMBLY_BYTES];
    /* The last piece, until its place is known. It is no longer than the others: at most half. */
    uint8_t last[KITH_REASSEMBLY_BYTES / 2];
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
        if (place->busy && (!p->busy || p->made < place->made))
            place = p;
    }
    place->busy = true;
    place->slot = f->slot;
    place->id = f->id;
    place->count = f->count;
    place->have = place->ecn = 0;
    place->part_len = place->last_len = 0;
    place->until = kith_after(now, KITH_SEC);
    place->made = r->made++;
    return place;
}

static bool is_last(const struct kith_ip_fragment *f)
{
    return f->index + 1 == f->count;
}

/* Whether a piece that is here already came again, byte by byte. */
static bool is_repeated(const struct kith_partial *p, const struct kith_ip_fragment *f)
{
    struct kith_span here = is_last(f)
                                ? (struct kith_span){p->last, p->last_len}
                                : (struct kith_span){p->data + f->index * p->part_len, p->part_len};

    return kith_span_equal(here, f->part);
}

static int place_last(struct kith_partial *p, struct kith_span part)
{
    if (part.n > sizeof p->last)
        return KITH_E_LIMIT;
    kith_copy(p->last, part.p, part.n);
    p->last_len = part.n;
    return KITH_OK;
}

static int place_other(struct kith_partial *p, size_t index, struct kith_span part)
{
    if (p->part_len != 0 && part.n != p->part_len)
        return KITH_E_MALFORMED;
    if (part.n > (sizeof p->data - 1) / (p->count - 1u)) /* the last has a byte at least */
        return KITH_E_LIMIT;
    p->part_len = part.n;
    kith_copy(p->data + index * part.n, part.p, part.n);
    return KITH_OK;
}

/* Puts a piece in its place, unless it contradicts the others or is too big. */
static int place_piece(struct kith_partial *p, const struct kith_ip_fragment *f)
{
    if (f->count != p->count)
        return KITH_E_MALFORMED;
    if ((p->have & 1u << f->index) != 0)
        return is_repeated(p, f) ? KITH_OK : KITH_E_MALFORMED;
    int err = is_last(f) ? place_last(p, f->part) : place_other(p, f->index, f->part);
    if (err == KITH_OK)
        p->have |= (uint8_t)(1u << f->index);
    return err;
}

/* Appends the last piece to the others, which are all here. */
static int finish(struct kith_partial *p, struct kith_span *ret_packet)
{
    size_t before = p->part_len * (p->count - 1u);

    if (p->last_len > p->part_len)
        return KITH_E_MALFORMED;
    if (before + p->last_len > sizeof p->data)
        return KITH_E_LIMIT;
    kith_copy(p->data + before, p->last, p->last_len);
    *ret_packet = (struct kith_span){p->data, before + p->last_len};
    return KITH_OK;
}

/* A mark stays. Pieces that say nothing beside it are no contradiction, as RFC 3168 has it of IP's
 * own fragments: those that went by DATAGRAM say 0 whatever they met. What the packet within knows
 * of ECN decides about it (RFC 6040 4.2). */
static void note_ecn(struct kith_partial *p, uint8_t ecn)
{
    if (p->ecn != MET_CONGESTION)
        p->ecn = ecn;
}

int kith_reassembly_add(struct kith_reassembly *r, const struct kith_ip_fragment *f, uint8_t ecn,
                        kith_time now, struct kith_span *ret_packet, uint8_t *ret_ecn)
{
    if (f->count < 2 || f->count > PIECES_MAX || f->index >= f->count || f->part.n == 0)
        return KITH_E_MALFORMED;
    if (r->partial == NULL)
        r->partial = kith_new_array(r->alloc, KITH_REASSEMBLY_PACKETS, sizeof *r->partial);
    if (r->partial == NULL)
        return KITH_E_NOMEM;
    struct kith_partial *p = partial_for(r, f, now);
    int err = place_piece(p, f);
    note_ecn(p, ecn);
    if (err == KITH_OK && p->have != (1u << p->count) - 1)
        return KITH_E_AGAIN;
    p->busy = false;
    if (err == KITH_OK)
        err = finish(p, ret_packet);
    if (err == KITH_OK)
        *ret_ecn = p->ecn;
    return err;
}
