/* object.h: signed objects of a network, as they were gossiped: the highest number wins.
 *
 * A node keeps what it has verified, by a 16-byte key, and forgets an older statement when a newer
 * one arrives. Bytes are kept as signed; who may replace whom is the caller's judgement.
 * Tests: tests/unit/store_network_test.c */
#ifndef KITH_STORE_OBJECT_H
#define KITH_STORE_OBJECT_H

#include "store/store.h"

/* Objects of one network: ten statements for each of 10,000 members. */
enum { KITH_STORE_OBJECTS_MAX = 100000 };

struct kith_store_object {
    uint8_t key[16];
    uint32_t kind;
    uint64_t number; /* a higher one replaces a lower one */
    struct kith_span bytes;
};

/* KITH_E_EXISTS when what is kept under the key is as new or newer, KITH_E_FULL at the limit of
 * the network, KITH_E_NOTFOUND for an unknown network. */
int kith_store_object_put_if_newer(struct kith_store *s, const uint8_t network[32],
                                   const struct kith_store_object *o) KITH_MUST_CHECK;
/* ret->bytes is the store's, until its next get or close. KITH_E_NOTFOUND. */
int kith_store_object_get(struct kith_store *s, const uint8_t network[32], const uint8_t key[16],
                          struct kith_store_object *ret) KITH_MUST_CHECK;
/* Visits by rising kind, then key, so that who vouches comes before whom it vouches for: what waits
 * for its signer waits in a bounded place. Rules as for kith_store_network_list. */
int kith_store_object_list(struct kith_store *s, const uint8_t network[32],
                           int (*visit)(void *ctx, const struct kith_store_object *o),
                           void *ctx) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_store_object_remove(struct kith_store *s, const uint8_t network[32],
                             const uint8_t key[16]) KITH_MUST_CHECK;
/* All of a network; none is fine. */
int kith_store_object_clear(struct kith_store *s, const uint8_t network[32]) KITH_MUST_CHECK;

#endif
