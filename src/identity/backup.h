/* backup.h: a network's root, sealed under a passphrase into a file that can lie anywhere.
 *
 * Losing the root's key means nobody can appoint admins any more; this is the remedy. Both calls
 * block for about a tenth of a second (crypto/passphrase.h).
 * Spec: docs/spec/identity.md 7. Test: tests/unit/identity_backup_test.c. */
#ifndef KITH_IDENTITY_BACKUP_H
#define KITH_IDENTITY_BACKUP_H

#include "base/random.h"
#include "crypto/passphrase.h"
#include "wire/backup.h"

enum { KITH_BACKUP_MAX = 33 * 1024 }; /* bytes of the largest file */

/* KITH_E_INVAL for an empty passphrase, KITH_E_LIMIT when something doesn't fit. */
int kith_backup_seal(const struct kith_random *random, struct kith_span passphrase,
                     const struct kith_passphrase_cost *cost,
                     const struct kith_backup_content *content, uint8_t *buf, size_t cap,
                     size_t *ret_len) KITH_MUST_CHECK;
/* Spans of *ret borrow from buf of KITH_BACKUP_MAX bytes, which the caller wipes. KITH_E_MALFORMED:
 * no backup; KITH_E_VERSION: a newer one; KITH_E_AUTH: wrong passphrase or a changed file;
 * KITH_E_LIMIT: a cost beyond the bounds. */
int kith_backup_open(struct kith_span file, struct kith_span passphrase, uint8_t *buf, size_t cap,
                     struct kith_backup_content *ret) KITH_MUST_CHECK;

#endif
