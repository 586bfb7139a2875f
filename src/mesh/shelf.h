/* shelf.h: datagrams that wait from where they came in to the end of the turn, in order.
 *
 * What comes in is handed over while the connections are busy, so what is to be sent on, or is for
 * this node, is put down here and taken up when they are not. Its boards are got when first needed,
 * so that a node through which little goes needs little; full is full.
 * Test: tests/unit/mesh_shelf_test.c. */
#ifndef KITH_MESH_SHELF_H
#define KITH_MESH_SHELF_H

#include "base/alloc.h"
#include "base/base.h"

enum {
    KITH_SHELF_BYTES = 1024 * 1024, /* all boards */
    KITH_SHELF_BOARDS = 4,
    KITH_SHELF_TAG = 16,
};

/* Who put it down and where it goes is the owner's business: it tags its things. */
struct kith_shelved {
    uint8_t tag[KITH_SHELF_TAG];
    uint8_t *p; /* n bytes, which may be changed; borrowed until kith_shelf_clear */
    uint32_t who;
    uint16_t n;
    uint8_t ecn;
};

struct kith_shelf { /* all-zero with `alloc` set: empty */
    const struct kith_alloc *alloc;
    uint8_t *board[KITH_SHELF_BOARDS]; /* NULL: not needed yet */
    size_t used[KITH_SHELF_BOARDS];    /* bytes of each */
    size_t last;                       /* the board in use */
    size_t at, taken;                  /* the board that is being taken from; bytes of it taken */
};

void kith_shelf_fini(struct kith_shelf *s);
/* Copies parts, end to end, at most 65,535 bytes (KITH_E_INVAL), and the tag (NULL: zeros).
 * KITH_E_FULL, KITH_E_NOMEM. */
int kith_shelf_put(struct kith_shelf *s, uint32_t who, const uint8_t *tag, uint8_t ecn,
                   const struct kith_span *parts, size_t n) KITH_MUST_CHECK;
/* The next that was not taken; false when there is none. */
bool kith_shelf_take(struct kith_shelf *s, struct kith_shelved *ret);
/* Whether something was put down and not taken. */
bool kith_shelf_is_laden(const struct kith_shelf *s);
/* Whether it has a board at all. */
bool kith_shelf_is_kept(const struct kith_shelf *s);
/* Bytes that are in use. */
size_t kith_shelf_weight(const struct kith_shelf *s);
/* Makes room of what was taken, once all was. More may be put down while something taken is still
 * in use, so this is said, not guessed. */
void kith_shelf_clear(struct kith_shelf *s);

#endif
