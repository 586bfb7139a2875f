/* network.h: the networks this node belongs to, or belonged to.
 *
 * One row per network: what the node calls it, its own certificate, and, where it is the root or
 * an admin, what it signs with. Objects, tickets and leases hang on this row and go with it.
 * Tests: tests/unit/store_network_test.c */
#ifndef KITH_STORE_NETWORK_H
#define KITH_STORE_NETWORK_H

#include "store/store.h"

struct kith_store_network {
    uint8_t id[32];
    char name[KITH_STORE_NAME]; /* 1 to 63 bytes */
    uint32_t slot;              /* this node's own number for it; unique */
    struct kith_span root_key;  /* secret: PKCS#8 PEM; empty when another holds the root */
    struct kith_span self_cert; /* empty until one was issued */
    bool admin;                 /* whether admin_index says something */
    uint32_t admin_index;       /* which admin of the network this node is */
    uint64_t next_serial;       /* the first serial never given out by this node */
    kith_wall created;
    kith_wall left_at; /* 0 while a member */
};

/* Adds or replaces the row of n->id. A stored next_serial that is higher stays.
 * KITH_E_TAKEN when another network has the slot. */
int kith_store_network_put(struct kith_store *s,
                           const struct kith_store_network *n) KITH_MUST_CHECK;
/* Spans of *ret are the store's, until its next get or close. KITH_E_NOTFOUND. */
int kith_store_network_get(struct kith_store *s, const uint8_t id[32],
                           struct kith_store_network *ret) KITH_MUST_CHECK;
/* Visits by rising slot. What visit returns other than 0 ends the walk and is returned. The row
 * and its spans live during the call; visit may not call the store. */
int kith_store_network_list(struct kith_store *s,
                            int (*visit)(void *ctx, const struct kith_store_network *n),
                            void *ctx) KITH_MUST_CHECK;
/* With its objects, tickets, uses and leases. KITH_E_NOTFOUND. To have a root key off the disk at
 * once, kith_store_checkpoint after it. */
int kith_store_network_remove(struct kith_store *s, const uint8_t id[32]) KITH_MUST_CHECK;

/* Gives out the next serial of a network. Needs a transaction (else KITH_E_STATE), so that the
 * serial and what is signed with it are kept together. KITH_E_NOTFOUND for an unknown network and
 * when no serial is left. */
int kith_store_serial_next(struct kith_store *s, const uint8_t id[32],
                           uint64_t *ret) KITH_MUST_CHECK;

#endif
