#include "mesh/shelf.h"

/* In front of each datagram, copied in and out: the buffer has no alignment. */
struct label {
    uint32_t who;
    uint16_t n;
    uint8_t ecn;
    uint8_t tag[KITH_SHELF_TAG];
};

/* The first serves a node through which a little goes; the second holds the largest datagram. */
static const uint32_t board_bytes[KITH_SHELF_BOARDS] = {32 * 1024, 96 * 1024, 384 * 1024,
                                                        512 * 1024};

void kith_shelf_fini(struct kith_shelf *s)
{
    for (size_t i = 0; i < KITH_SHELF_BOARDS; i++)
        kith_free(s->alloc, s->board[i]);
    *s = (struct kith_shelf){.alloc = s->alloc};
}

/* A board with room for n bytes. */
static int find_room(struct kith_shelf *s, size_t n)
{
    size_t i = s->last;

    while (i < KITH_SHELF_BOARDS && board_bytes[i] - s->used[i] < n)
        i++;
    if (i == KITH_SHELF_BOARDS)
        return KITH_E_FULL;
    if (s->board[i] == NULL)
        s->board[i] = kith_new_bytes(s->alloc, board_bytes[i]);
    if (s->board[i] == NULL)
        return KITH_E_NOMEM;
    s->last = i;
    return KITH_OK;
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
    int err = find_room(s, sizeof l + len);
    if (err < 0)
        return err;
    l.n = (uint16_t)len;
    if (tag != NULL)
        memcpy(l.tag, tag, sizeof l.tag);
    uint8_t *to = s->board[s->last] + s->used[s->last];
    memcpy(to, &l, sizeof l);
    to += sizeof l;
    for (size_t i = 0; i < n; i++) {
        kith_copy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    s->used[s->last] += sizeof l + len;
    return KITH_OK;
}

bool kith_shelf_is_laden(const struct kith_shelf *s)
{
    return s->at < s->last || s->taken < s->used[s->at];
}

bool kith_shelf_take(struct kith_shelf *s, struct kith_shelved *ret)
{
    struct label l;

    while (s->taken == s->used[s->at]) {
        if (s->at == s->last)
            return false;
        s->at++;
        s->taken = 0;
    }
    uint8_t *from = s->board[s->at] + s->taken;
    memcpy(&l, from, sizeof l);
    *ret = (struct kith_shelved){.p = from + sizeof l, .who = l.who, .n = l.n, .ecn = l.ecn};
    memcpy(ret->tag, l.tag, sizeof ret->tag);
    s->taken += sizeof l + l.n;
    return true;
}

bool kith_shelf_is_kept(const struct kith_shelf *s)
{
    for (size_t i = 0; i < KITH_SHELF_BOARDS; i++)
        if (s->board[i] != NULL)
            return true;
    return false;
}

size_t kith_shelf_weight(const struct kith_shelf *s)
{
    size_t sum = 0;

    for (size_t i = 0; i <= s->last; i++)
        sum += s->used[i];
    return sum;
}

void kith_shelf_clear(struct kith_shelf *s)
{
    if (kith_shelf_is_laden(s))
        return;
    memset(s->used, 0, sizeof s->used);
    s->last = s->at = s->taken = 0;
}
