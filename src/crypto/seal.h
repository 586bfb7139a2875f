/* seal.h: sealing bytes for storage with AES-256-GCM (NIST SP 800-38D), all at once.
 *
 * For things at rest, such as a root key's backup; connections have their own record protection.
 * A key must never seal two things under one nonce.
 * Test: tests/unit/crypto_seal_test.c. */
#ifndef KITH_CRYPTO_SEAL_H
#define KITH_CRYPTO_SEAL_H

#include "base/base.h"

struct kith_seal_key { /* secret; wipe after use */
    uint8_t b[32];
};

struct kith_seal_nonce {
    uint8_t b[12];
};

enum { KITH_SEAL_TAG = 16 }; /* bytes by which sealing makes longer */

/* Writes in.n + KITH_SEAL_TAG bytes; `aad` is protected but not contained. KITH_E_LIMIT when cap
 * is less, KITH_E_CRYPTO. `out` must not overlap `in`. */
int kith_seal(const struct kith_seal_key *key, const struct kith_seal_nonce *nonce,
              struct kith_span aad, struct kith_span in, uint8_t *out, size_t cap,
              size_t *ret_len) KITH_MUST_CHECK;
/* The reverse. KITH_E_AUTH when anything was changed or the key is another one: out is then
 * wiped. KITH_E_MALFORMED when in is shorter than a tag. */
int kith_seal_open(const struct kith_seal_key *key, const struct kith_seal_nonce *nonce,
                   struct kith_span aad, struct kith_span in, uint8_t *out, size_t cap,
                   size_t *ret_len) KITH_MUST_CHECK;

#endif
