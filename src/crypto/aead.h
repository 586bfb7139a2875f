/* aead.h: many packets under one key: AES-256-GCM (NIST SP 800-38D) or ChaCha20-Poly1305 (RFC
 * 8439), as TLS 1.3 uses them.
 *
 * One object is one key in one direction, either sealing or opening. The nonce of a packet is its
 * number, exclusive-or'd into an initialisation vector derived with the key (RFC 8446 5.3); who
 * seals never uses a number twice. Who uses it counts what one key seals, and what it refuses: RFC
 * 9001 B.1 allows 2^28 packets of at most 2^11 bytes under AES-GCM, B.2 forgeries without effect
 * by the million (docs/spec/plane.md 3.3).
 * For things at rest there is seal.h. Test: tests/unit/crypto_aead_test.c. */
#ifndef KITH_CRYPTO_AEAD_H
#define KITH_CRYPTO_AEAD_H

#include "base/alloc.h"
#include "base/base.h"

enum kith_aead_kind { KITH_AEAD_AES256GCM, KITH_AEAD_CHACHA20POLY1305 };

enum {
    KITH_AEAD_TAG = 16, /* bytes by which sealing makes longer */
    KITH_AEAD_KEY = 32,
    KITH_AEAD_IV = 12,
};

struct kith_aead_key { /* secret; wipe after use */
    uint8_t key[KITH_AEAD_KEY];
    uint8_t iv[KITH_AEAD_IV];
};

struct kith_aead;

/* KITH_E_NOMEM, KITH_E_CRYPTO. The key is copied. */
int kith_aead_new(enum kith_aead_kind kind, const struct kith_aead_key *key, bool seals,
                  const struct kith_alloc *a, struct kith_aead **ret) KITH_MUST_CHECK;
/* Wipes the key. NULL is fine. */
void kith_aead_free(struct kith_aead *k, const struct kith_alloc *a);
/* Writes parts[0..n) laid end to end, sealed, and the tag: KITH_AEAD_TAG bytes more than the parts
 * hold together. `aad` is protected but not contained. `out` must not overlap the parts.
 * KITH_E_CRYPTO. */
int kith_aead_seal(struct kith_aead *k, uint64_t number, struct kith_span aad,
                   const struct kith_span *parts, size_t n, uint8_t *out) KITH_MUST_CHECK;
/* Opens n bytes, tag last, in place: the first n - KITH_AEAD_TAG become the plain text.
 * KITH_E_AUTH: they are not what was sealed, and are then of no use; KITH_E_MALFORMED when there is
 * no room for a tag; KITH_E_CRYPTO. */
int kith_aead_open(struct kith_aead *k, uint64_t number, struct kith_span aad, uint8_t *data,
                   size_t n) KITH_MUST_CHECK;

#endif
