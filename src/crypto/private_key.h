/* private_key.h: private keys as they lie in files: PKCS#8 in PEM. Internal to src/crypto.
 *
 * Read in steps of which each tells whether it was the bytes or the memory: the library's own way
 * from PEM to key (OSSL_DECODER) tries one decoder after the other, and takes one that ran short
 * for one that the bytes are not for. */
#ifndef KITH_CRYPTO_PRIVATE_KEY_H
#define KITH_CRYPTO_PRIVATE_KEY_H

#include "base/err.h"
#include "base/span.h"

#include <openssl/types.h>

/* An ML-DSA-65 key (RFC 9881 6: as seed, expanded or both) from an unencrypted "PRIVATE KEY" in
 * PEM of 1 to KITH_SIGN_PEM_MAX bytes; the caller frees *ret. KITH_E_MALFORMED, KITH_E_UNSUPPORTED
 * (another algorithm), KITH_E_CRYPTO (also for want of memory). Errors stay in the library's
 * queue: the caller has set a mark. */
int kith_private_key_read(struct kith_span pem, EVP_PKEY **ret) KITH_MUST_CHECK;

/* The library says the same of what is wrong and of what it had no memory to look at. Takes the
 * errors since the last mark. */
bool kith_openssl_ran_short(void);

#endif
