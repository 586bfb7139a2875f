/* unread.h: messages that came too fast to be looked at, kept in order until there is time.
 *
 * Bounded in bytes: what finds no room is the caller's to refuse. Pure. All-zero is valid and
 * empty; the memory is there only while something is held.
 * Spec: docs/spec/mesh.md 2.7. Test: tests/unit/mesh_unread_test.c. */
#ifndef KITH_MESH_UNREAD_H
#define KITH_MESH_UNREAD_H

#include "base/buf.h"

enum { KITH_UNREAD_MAX = 128 * 1024 }; /* bytes; a message and 3 */

struct kith_unread {
    struct kith_buf buf; /* initialised while there is something in it */
    size_t n;            /* messages */
};

/* Keeps a copy of a message (65,535 bytes at most); `mark` comes back with it. KITH_E_LIMIT: it
 * finds no room; KITH_E_NOMEM. */
int kith_unread_add(struct kith_unread *h, const struct kith_alloc *a, struct kith_span message,
                    bool mark) KITH_MUST_CHECK;
/* The one that came first, borrowed until the next change; false when there is none. */
bool kith_unread_first(const struct kith_unread *h, struct kith_span *ret, bool *ret_mark);
/* Forgets it. */
void kith_unread_drop(struct kith_unread *h);
/* Bytes held. */
size_t kith_unread_size(const struct kith_unread *h);
/* Forgets all. */
void kith_unread_clear(struct kith_unread *h);

#endif
