/* due.h: who must be woken first, among many objects with one deadline each.
 *
 * An intrusive binary heap: each object embeds a `kith_due`, and the heap keeps pointers. Setting
 * KITH_NEVER takes an object out. The owner sets deadlines as they change and asks for the first.
 * An object is removed before its memory goes. Equals come in no particular order. */
#ifndef KITH_BASE_DUE_H
#define KITH_BASE_DUE_H

#include "base/alloc.h"
#include "base/base.h"

struct kith_due { /* all-zero is valid: not in a heap */
    kith_time at; /* when it is due, while in the heap; written by kith_due_set only */
    size_t place; /* 1 + index in the heap; 0: not in it */
};

/* The instant once more: objects lie far apart in memory, and comparing would fetch each. */
struct kith_due_entry {
    kith_time at;
    struct kith_due *due;
};

struct kith_due_heap { /* all-zero with `alloc` set is a valid empty heap */
    const struct kith_alloc *alloc;
    struct kith_due_entry *entry;
    size_t n, cap;
};

/* Frees the heap's memory. Objects still in it are left as they are: don't set them again. */
void kith_due_fini(struct kith_due_heap *h);
/* Puts, moves or (with KITH_NEVER) removes d. Only a put can fail, with KITH_E_NOMEM,
 * and then changes nothing. */
int kith_due_set(struct kith_due_heap *h, struct kith_due *d, kith_time at) KITH_MUST_CHECK;
/* Takes d out; harmless when it is not in. */
void kith_due_remove(struct kith_due_heap *h, struct kith_due *d);
/* The object that is due first, or NULL; it stays in the heap. */
struct kith_due *kith_due_first(const struct kith_due_heap *h);
/* When the first is due; KITH_NEVER when empty. */
kith_time kith_due_deadline(const struct kith_due_heap *h);

#endif
