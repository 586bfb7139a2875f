/* sign.h: ML-DSA-65 keys and signatures (FIPS 204), the only ones Kith trusts.
 *
 * A public key is always its DER SubjectPublicKeyInfo, one fixed shape of 1974 bytes, so that the
 * hash of it can be a name. A signing key lives on the heap behind a pointer and is wiped when
 * freed. Signatures are over the pure message with an empty context (FIPS 204 5.2); whoever signs
 * puts a text in front that says what is signed.
 * New keys and the hedge of each signature draw from the library's own generator, not from a
 * kith_random: a simulation uses kith_sign_key_from_seed and kith_sign_key_set_repeatable.
 * Test: tests/unit/crypto_sign_test.c. */
#ifndef KITH_CRYPTO_SIGN_H
#define KITH_CRYPTO_SIGN_H

#include "base/alloc.h"
#include "base/base.h"

enum {
    KITH_PUBLIC_KEY_LEN = 1974, /* DER SubjectPublicKeyInfo: 22 bytes of header, 1952 of key */
    KITH_SIGNATURE_LEN = 3309,
    KITH_SIGN_PEM_MAX = 8192, /* a PKCS#8 PEM with seed and expanded key takes about 5.6 kB */
};

struct kith_public_key {
    uint8_t spki[KITH_PUBLIC_KEY_LEN];
};

struct kith_signature {
    uint8_t b[KITH_SIGNATURE_LEN];
};

/* The 32 bytes a key grows from (xi in FIPS 204 algorithm 1). As secret as the key. */
struct kith_sign_seed {
    uint8_t b[32];
};

struct kith_sign_key;

/* A new random key. KITH_E_NOMEM, KITH_E_CRYPTO. */
int kith_sign_key_new(const struct kith_alloc *a, struct kith_sign_key **ret) KITH_MUST_CHECK;
/* The key that grows from seed; always the same. */
int kith_sign_key_from_seed(const struct kith_alloc *a, const struct kith_sign_seed *seed,
                            struct kith_sign_key **ret) KITH_MUST_CHECK;
/* From an unencrypted PKCS#8 "PRIVATE KEY" in PEM. KITH_E_MALFORMED when it is none (also when it
 * is encrypted), KITH_E_UNSUPPORTED for a key of another algorithm. */
int kith_sign_key_from_pem(const struct kith_alloc *a, struct kith_span pem,
                           struct kith_sign_key **ret) KITH_MUST_CHECK;
/* Writes PKCS#8 PEM without a NUL; KITH_SIGN_PEM_MAX is always enough, KITH_E_LIMIT else. The
 * caller wipes buf. */
int kith_sign_key_to_pem(const struct kith_sign_key *key, uint8_t *buf, size_t cap,
                         size_t *ret_len) KITH_MUST_CHECK;
/* Wipes and frees; NULL is fine. */
void kith_sign_key_free(struct kith_sign_key *key);

void kith_sign_key_public(const struct kith_sign_key *key, struct kith_public_key *ret);
/* Equal messages then give equal signatures (FIPS 204 3.4, "deterministic"): for simulations and
 * test vectors. A node signs hedged, which is the default and resists fault attacks. */
void kith_sign_key_set_repeatable(struct kith_sign_key *key, bool on);
/* The EVP_PKEY, borrowed. Only src/conn/quic may call this: TLS signs with the identity itself. */
void *kith_sign_key_evp(const struct kith_sign_key *key);

int kith_sign(const struct kith_sign_key *key, struct kith_span msg,
              struct kith_signature *ret) KITH_MUST_CHECK;
/* KITH_OK; KITH_E_AUTH when sig is not by key over msg; KITH_E_MALFORMED when key is no key;
 * KITH_E_CRYPTO when the library failed before it could judge. */
int kith_verify(const struct kith_public_key *key, struct kith_span msg,
                const struct kith_signature *sig) KITH_MUST_CHECK;

/* Whether these bytes are a public key: the length and the fixed header. Every 1952-byte string
 * is an ML-DSA-65 key (FIPS 204 algorithm 23 cannot fail), so nothing else is left to check. */
bool kith_public_key_check(struct kith_span spki);
/* The same, copied into a value; KITH_E_MALFORMED. */
int kith_public_key_from(struct kith_span spki, struct kith_public_key *ret) KITH_MUST_CHECK;

#endif
