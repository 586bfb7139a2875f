/* hash.h: SHA-256, HMAC and HKDF, comparing in constant time, and wiping.
 *
 * Everything takes spans and gives values. Nothing keeps state between calls, and nothing but the
 * cryptographic library's own memory can fail (KITH_E_CRYPTO).
 * Sources: FIPS 180-4, RFC 2104, RFC 5869. Test: tests/unit/crypto_hash_test.c. */
#ifndef KITH_CRYPTO_HASH_H
#define KITH_CRYPTO_HASH_H

#include "base/base.h"

struct kith_hash { /* SHA-256 */
    uint8_t b[32];
};

struct kith_mac { /* HMAC-SHA-256 */
    uint8_t b[32];
};

int kith_sha256(struct kith_span in, struct kith_hash *ret) KITH_MUST_CHECK;
/* The hash of parts[0..n) laid end to end. */
int kith_sha256_parts(const struct kith_span *parts, size_t n,
                      struct kith_hash *ret) KITH_MUST_CHECK;
/* The code of parts[0..n) laid end to end. */
int kith_hmac_sha256(struct kith_span key, const struct kith_span *parts, size_t n,
                     struct kith_mac *ret) KITH_MUST_CHECK;

enum kith_hkdf { KITH_HKDF_SHA256, KITH_HKDF_SHA384 };

/* HKDF-Expand (RFC 5869 2.3): n bytes at out, at most 255 hash lengths (KITH_E_INVAL above). `prk`
 * is a uniform secret of at least one hash length, e.g. a TLS exporter. Wipe out after use. */
int kith_hkdf_expand(enum kith_hkdf hash, struct kith_span prk, struct kith_span info, uint8_t *out,
                     size_t n) KITH_MUST_CHECK;

/* Whether n bytes agree, in a time that does not depend on them. */
bool kith_equal_ct(const void *a, const void *b, size_t n);
/* Zeroes n bytes, and no optimiser leaves it out. */
void kith_wipe(void *p, size_t n);
/* Zeroes 16 kB of stack below the caller's frame: what functions of the library that it called
 * have left there of secrets. */
void kith_wipe_stack(void);

#endif
