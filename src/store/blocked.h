/* blocked.h: peers that whoever runs this machine will have nothing to do with.
 *
 * Tests: tests/unit/store_blocked_test.c */
#ifndef KITH_STORE_BLOCKED_H
#define KITH_STORE_BLOCKED_H

#include "store/store.h"

enum { KITH_STORE_BLOCKED_MAX = 1024 };

struct kith_store_blocked {
    uint8_t peer[32];
    kith_wall since;
};

/* KITH_E_EXISTS: it is there, and stays as it was. KITH_E_FULL at KITH_STORE_BLOCKED_MAX. */
int kith_store_blocked_add(struct kith_store *s,
                           const struct kith_store_blocked *b) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_store_blocked_remove(struct kith_store *s, const uint8_t peer[32]) KITH_MUST_CHECK;
/* In the order of their ids. What visit returns when not 0 ends the walk and is returned. */
int kith_store_blocked_list(struct kith_store *s,
                            int (*visit)(void *ctx, const struct kith_store_blocked *b),
                            void *ctx) KITH_MUST_CHECK;

#endif
