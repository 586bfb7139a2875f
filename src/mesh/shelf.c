#include "mesh/shelf.h"

/* In front of each datagram, copied in and out: the buffer has no alignment. */
struct label {
    uint32_t who;
    uint16_t n;
    uint8_t ecn;
    uint8_t tag[KITH_SHELF_TAG];
};

void kith_shelf_fini(struct kith_shelf *s)
{
    kith_free(s->alloc, s->buf);
    *s = (struct kith_shelf){.alloc = s->alloc};
}

int kith_shelf_put(struct kith_shelf *s, uint32_t who, const uint8_t *tag, uint8_t ecn,
                   const struct kith_span *parts, size_t n)
{
    struct label l = {.who = who, .ecn = ecn};
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += parts[i].n;
    if (len > UINT16_MAX)
        return KITH_E_INVAL;
    if (s->buf == NULL)
        s->buf = kith_new_array(s->alloc, KITH_SHELF_BYTES, 1);
    if (s->buf == NULL)
        return KITH_E_NOMEM;
    if (KITH_SHELF_BYTES - s->used < sizeof l + len)
        return KITH_E_FULL;
    l.n = (uint16_t)len;
    if (tag != NULL)
        memcpy(l.tag, tag, sizeof l.tag);
    memcpy(s->buf + s->used, &l, sizeof l);
    s->used += sizeof l;
    for (size_t i = 0; i < n; i++) {
        kith_copy(s->buf + s->used, parts[i].p, parts[i].n);
        s->used += parts[i].n;
    }
    return KITH_OK;
}

bool kith_shelf_take(struct kith_shelf *s, struct kith_shelved *ret)
{
    struct label l;

    if (s->taken == s->used)
        return false;
    memcpy(&l, s->buf + s->taken, sizeof l);
    s->taken += sizeof l;
    *ret = (struct kith_shelved){.p = s->buf + s->taken, .who = l.who, .n = l.n, .ecn = l.ecn};
    memcpy(ret->tag, l.tag, sizeof ret->tag);
    s->taken += l.n;
    return true;
}

void kith_shelf_clear(struct kith_shelf *s)
{
    if (s->taken == s->used)
        s->taken = s->used = 0;
}
