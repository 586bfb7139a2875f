/* secret_heap.h: signing keys in memory that is locked and in no core dump.
 *
 * OpenSSL 3.5 keeps ML-DSA keys on the ordinary heap, and so does everything that reads, makes or
 * writes one. After kith_secret_heap_install whatever OpenSSL allocates between _enter and _leave
 * comes from pages for secrets instead (os/memory.h), and is wiped when freed. It stays there for
 * as long as it lives; from where it is freed does not matter. Transient values of a signature in
 * the making are not in it: the library wipes them when the signature is done.
 *
 * OpenSSL's own secure heap would not do: once it exists, Argon2 wants its 64 MiB from it, and some
 * 3.6 releases crash when reading an ML-DSA key. It stays off.
 *
 * Belongs to the process: installed once by a program that is Kith, before OpenSSL has allocated
 * anything; never by a library in somebody's program. Without it the rest does nothing.
 * Only src/crypto/sign.c enters.
 * Test: tests/unit/crypto_secret_heap_test.c, tests/cli/core_dump.py. */
#ifndef KITH_CRYPTO_SECRET_HEAP_H
#define KITH_CRYPTO_SECRET_HEAP_H

#include "base/base.h"
#include "os/why.h"

/* *ret_locked: whether the host lets it be locked, else why says what is missing; it is out of core
 * dumps either way. Again: harmless. KITH_E_STATE: too late, OpenSSL is in use; KITH_E_NOMEM. */
int kith_secret_heap_install(bool *ret_locked, struct kith_os_why *why) KITH_MUST_CHECK;

/* From here on to the matching leave this thread's allocations are secret ones. They nest. When the
 * heap is full, allocations fail. */
void kith_secret_heap_enter(void);
void kith_secret_heap_leave(void);
/* Bytes in use; 0 where it is not installed. */
size_t kith_secret_heap_used(void);

#endif
