/* store.h: what a node remembers across restarts and power cuts, in one SQLite file.
 *
 * A store is one open database with a schema that only grows. What a call reported as done is on
 * the disk; a call that failed changed nothing. It knows rows, not their meaning: certificates,
 * objects and keys are bytes here, and nothing in it judges, expires or renews by itself.
 *
 * Order of calls: open; then per table (network.h, object.h, ticket.h, lease.h, address.h,
 * setting.h) any functions, each a transaction of its own, or several between begin and commit;
 * close. One thread at a time; a store belongs to one process at a time, by the file's lock.
 *
 * Errors that every function of this folder may return, each told once as `store_failed`:
 * KITH_E_NOSPACE, KITH_E_IO, KITH_E_NOMEM, KITH_E_CORRUPT, KITH_E_PERM, KITH_E_INUSE. And
 * KITH_E_STATE when called from inside a visitor, KITH_E_INVAL for a text or blob over its limit
 * and for a number above KITH_STORE_INT_MAX.
 * Schema: docs/spec/store.md. Page: docs/modules/store.md.
 * Tests: tests/unit/store_*_test.c, tests/property/store_*_test.c */
#ifndef KITH_STORE_STORE_H
#define KITH_STORE_STORE_H

#include "base/base.h"
#include "base/env.h"

enum {
    KITH_STORE_NAME = 64,              /* bytes of a name with its NUL: a DNS label */
    KITH_STORE_BLOB_MAX = 1024 * 1024, /* bytes of one stored value: far above any signed object */
};
#define KITH_STORE_INT_MAX ((uint64_t)INT64_MAX) /* what SQLite's integers hold */

struct kith_store;

/* Why a store did not open, as a sentence for the person who runs the machine. */
struct kith_store_why {
    char text[200];
};

/* Opens or creates the database at path (mode 0600), or a private one for ":memory:". Brings an
 * older schema up to date. env outlives the store; SQLite's own memory is not taken from it.
 *   KITH_E_CORRUPT  damaged; the file is left as it was, byte for byte
 *   KITH_E_VERSION  written by a newer kith
 *   KITH_E_TAKEN    a database of another program
 *   KITH_E_INUSE    another process has it open
 *   KITH_E_INVAL    path is empty or looks like a URI
 * why may be NULL; it is written only on failure. */
int kith_store_open(const char *path, const struct kith_env *env, struct kith_store **ret,
                    struct kith_store_why *why) KITH_MUST_CHECK;
/* The same through a named sqlite3_vfs, which a test has registered to make the disk fail. */
int kith_store_open_through(const char *path, const char *vfs, const struct kith_env *env,
                            struct kith_store **ret, struct kith_store_why *why) KITH_MUST_CHECK;
/* Rolls back what was not committed. NULL is fine. */
void kith_store_close(struct kith_store *s);

/* Everything until commit happens wholly or not at all. KITH_E_STATE when one is open already. */
int kith_store_begin(struct kith_store *s) KITH_MUST_CHECK;
/* On success everything since begin is on the disk. After any failure nothing of it is visible and
 * the transaction is over; a host's error of an earlier call in it comes back here, so it cannot
 * be half done. When fsync itself fails and so does cutting the log back, only a restart tells
 * whether the disk has all of it or nothing. KITH_E_STATE without begin. */
int kith_store_commit(struct kith_store *s) KITH_MUST_CHECK;
/* Forgets everything since begin; without begin it does nothing. */
void kith_store_rollback(struct kith_store *s);

/* Moves the log into the file and empties it, so that what was removed (a root key, a ticket's
 * secret) is overwritten on the disk too. Takes milliseconds. KITH_E_STATE in a transaction. */
int kith_store_checkpoint(struct kith_store *s) KITH_MUST_CHECK;

struct kith_store_counters {
    uint64_t writes;   /* commits, and statements that were their own */
    uint64_t failures; /* errors of the host, reading or writing */
};
const struct kith_store_counters *kith_store_counters(const struct kith_store *s);
/* The host's error that came after the last write, KITH_OK when there is none. */
int kith_store_failing(const struct kith_store *s);

#endif
