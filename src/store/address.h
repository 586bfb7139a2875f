/* address.h: where peers were reached before, so that a restart finds them again.
 *
 * Addresses are texts that a transport understands ("192.0.2.1:9000"). Peers tell them, so both
 * the addresses of one peer and all together are bounded, and those that never worked, then those
 * that worked longest ago, give way first: a peer that floods costs itself one good address.
 * Tests: tests/unit/store_address_test.c */
#ifndef KITH_STORE_ADDRESS_H
#define KITH_STORE_ADDRESS_H

#include "store/store.h"

enum {
    KITH_STORE_ADDRESS_TEXT = 256,    /* bytes of an address with its NUL */
    KITH_STORE_ADDRESSES_PEER = 16,   /* of one peer: its interfaces, twice over */
    KITH_STORE_ADDRESSES_MAX = 50000, /* of all peers: 5 for each of 10,000 */
};

struct kith_store_address {
    char addr[KITH_STORE_ADDRESS_TEXT];
    kith_wall learned_at;
    kith_wall last_ok; /* 0: never */
    uint32_t failures; /* since last_ok */
};

/* Adds an address that was heard of at `now`; a known one is left as it is. */
int kith_store_address_learn(struct kith_store *s, const uint8_t peer[32], const char *addr,
                             kith_wall now) KITH_MUST_CHECK;
/* Notes that peer was reached there at `now`, adding the address if it is new. */
int kith_store_address_worked(struct kith_store *s, const uint8_t peer[32], const char *addr,
                              kith_wall now) KITH_MUST_CHECK;
/* Counts a failure. KITH_E_NOTFOUND when the address is not kept. */
int kith_store_address_failed(struct kith_store *s, const uint8_t peer[32],
                              const char *addr) KITH_MUST_CHECK;
/* Visits the most promising first: worked last, then fewest failures, then learned last. Rules as
 * for kith_store_network_list. */
int kith_store_address_list(struct kith_store *s, const uint8_t peer[32],
                            int (*visit)(void *ctx, const struct kith_store_address *a),
                            void *ctx) KITH_MUST_CHECK;
/* Visits the peers of the `most` addresses that worked, latest first: one with several such
 * addresses several times. Rules as above. */
int kith_store_address_reached(struct kith_store *s, size_t most,
                               int (*visit)(void *ctx, const uint8_t peer[32]),
                               void *ctx) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_store_address_remove(struct kith_store *s, const uint8_t peer[32],
                              const char *addr) KITH_MUST_CHECK;
/* All of a peer; none is fine. */
int kith_store_address_clear(struct kith_store *s, const uint8_t peer[32]) KITH_MUST_CHECK;

#endif
