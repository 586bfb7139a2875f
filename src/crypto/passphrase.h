/* passphrase.h: a key out of a passphrase, with Argon2id (RFC 9106).
 *
 * Deliberately slow (about a tenth of a second) and hungry, so that guessing is dear. It blocks:
 * call it from the command line or a worker, never on the loop.
 * Test: tests/unit/crypto_seal_test.c. */
#ifndef KITH_CRYPTO_PASSPHRASE_H
#define KITH_CRYPTO_PASSPHRASE_H

#include "crypto/seal.h"

struct kith_passphrase_cost {
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
};

struct kith_salt {
    uint8_t b[16]; /* the length RFC 9106 3.1 recommends */
};

/* RFC 9106 section 4, second recommended option: 64 MiB, 3 passes, 4 lanes. */
#define KITH_PASSPHRASE_COST ((struct kith_passphrase_cost){65536, 3, 4})

/* Bounds on a cost read from a file, so that a damaged one cannot take all memory or time. */
enum {
    KITH_PASSPHRASE_MEMORY_MAX = 1048576, /* KiB: 1 GiB */
    KITH_PASSPHRASE_PASSES_MAX = 16,
    KITH_PASSPHRASE_LANES_MAX = 16,
};

/* KITH_E_LIMIT for a cost outside the bounds (or under 8 KiB per lane, the algorithm's least),
 * KITH_E_INVAL for an empty passphrase, KITH_E_CRYPTO also when memory is short. */
int kith_passphrase_key(struct kith_span passphrase, const struct kith_salt *salt,
                        const struct kith_passphrase_cost *cost,
                        struct kith_seal_key *ret) KITH_MUST_CHECK;

#endif
