/* warm_up.h: has the library underneath make, while there is memory, what it makes once.
 *
 * OpenSSL makes the methods of an operation (digests, ciphers, signatures ...) when the first of
 * them is asked for, and notes that it did before it has succeeded. Where memory is short at that
 * moment they are missing until the process ends. So everything is used once at the start, before
 * anybody depends on it; what is short of memory later fails, and works again when there is some.
 * What TLS and QUIC need besides is kith_quic_warm_up's (conn/quic/quic.h).
 * Page: docs/modules/crypto.md. Test: tests/sim/torture_crypto_test.c. */
#ifndef KITH_CRYPTO_WARM_UP_H
#define KITH_CRYPTO_WARM_UP_H

#include "base/alloc.h"
#include "base/err.h"

/* Some 5 ms the first time; later calls repeat it for nothing. KITH_E_CRYPTO, KITH_E_NOMEM: what
 * this process lacks now it may lack for good; better it ends. */
int kith_crypto_warm_up(const struct kith_alloc *a) KITH_MUST_CHECK;

#endif
