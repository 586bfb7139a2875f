/* lease.h: what this node, as an issuer, has promised to whom: serial, name and IPv4 address.
 *
 * A lease lasts to the end of the certificate that carries it. While it lasts, no other peer of
 * the network gets its name or address; afterwards both are free for the next. There is one lease
 * per peer and network, and a renewal replaces it. Table `issued`.
 * Tests: tests/unit/store_lease_test.c */
#ifndef KITH_STORE_LEASE_H
#define KITH_STORE_LEASE_H

#include "store/store.h"

struct kith_store_lease {
    uint64_t serial;
    uint8_t peer[32];
    uint32_t ip4;               /* as a number, 10.0.0.1 is 0x0a000001; 0: none */
    char name[KITH_STORE_NAME]; /* 1 to 63 bytes */
    kith_wall not_after;        /* the lease lasts while now < not_after */
    bool claimed;               /* the peer has shown the certificate since */
};

/* Adds the lease, or replaces the peer's last one. KITH_E_TAKEN when another peer's lease with
 * this name or address lasts at `now`, KITH_E_EXISTS when another peer has the serial,
 * KITH_E_NOTFOUND for an unknown network. */
int kith_store_lease_put(struct kith_store *s, const uint8_t network[32],
                         const struct kith_store_lease *l, kith_wall now) KITH_MUST_CHECK;
/* Each finds also a lease that has ended. KITH_E_NOTFOUND. */
int kith_store_lease_by_peer(struct kith_store *s, const uint8_t network[32],
                             const uint8_t peer[32], struct kith_store_lease *ret) KITH_MUST_CHECK;
int kith_store_lease_by_name(struct kith_store *s, const uint8_t network[32], const char *name,
                             struct kith_store_lease *ret) KITH_MUST_CHECK;
int kith_store_lease_by_ip4(struct kith_store *s, const uint8_t network[32], uint32_t ip4,
                            struct kith_store_lease *ret) KITH_MUST_CHECK;
/* Visits by rising serial; rules as for kith_store_network_list. */
int kith_store_lease_list(struct kith_store *s, const uint8_t network[32],
                          int (*visit)(void *ctx, const struct kith_store_lease *l),
                          void *ctx) KITH_MUST_CHECK;
/* The peer has shown its certificate. KITH_E_NOTFOUND when that was known, or there is no lease. */
int kith_store_lease_claim(struct kith_store *s, const uint8_t network[32],
                           const uint8_t peer[32]) KITH_MUST_CHECK;
/* Removes those that ended before `before`; none is fine. */
int kith_store_lease_forget(struct kith_store *s, const uint8_t network[32],
                            kith_wall before) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_store_lease_remove(struct kith_store *s, const uint8_t network[32],
                            uint64_t serial) KITH_MUST_CHECK;

#endif
