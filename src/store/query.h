/* query.h: running one prepared statement, for the files of this folder.
 *
 * A query remembers its first mistake, like a cursor: bind, step and read in a straight line and
 * take the verdict from kith_query_done, which also resets the statement and must always follow.
 * Only this folder may include it: it shows SQLite. */
#ifndef KITH_STORE_QUERY_H
#define KITH_STORE_QUERY_H

#include "store/store.h"

#include <sqlite3.h>

#if SQLITE_VERSION_NUMBER < 3037000
#error "STRICT tables need SQLite 3.37 or later"
#endif

enum kith_sql {
#define STATEMENT(name, what, sql) KITH_SQL_##name,
#include "store/statements.def"
    KITH_SQL_COUNT
};

struct kith_store {
    const struct kith_env *env;
    sqlite3 *db;
    bool opening; /* failures are told once, by open itself */
    bool in_tx;
    int tx_err;    /* why the open transaction can no longer be committed, or 0 */
    bool visiting; /* a visitor runs: its statement must not be disturbed */
    uint8_t *kept; /* the bytes of the row last returned by a get; wiped when replaced */
    size_t kept_len;
    struct kith_store_counters count;
    int failing;                      /* as kith_store_failing */
    sqlite3_stmt *st[KITH_SQL_COUNT]; /* NULL until first used */
};

/* What a SQLite result means; db may be NULL, else it tells details of its last failure. */
int kith_sqlite_err(sqlite3 *db, int rc);

struct kith_query {
    struct kith_store *store;
    sqlite3_stmt *st; /* NULL after a mistake in preparing */
    enum kith_sql sql;
    int bound;
    int err; /* the first mistake; everything after it does nothing */
};

struct kith_query kith_query_on(struct kith_store *s, enum kith_sql sql);
/* Each binds the next parameter. The bytes stay the caller's and must last until done. */
void kith_bind_u64(struct kith_query *q, uint64_t v);
void kith_bind_blob(struct kith_query *q, const void *p, size_t n);
void kith_bind_span(struct kith_query *q, struct kith_span s);
void kith_bind_text(struct kith_query *q, const char *text, size_t min, size_t max);
void kith_bind_null(struct kith_query *q);
/* Whether there is a (further) row. */
bool kith_query_next(struct kith_query *q);
/* A NULL column reads as 0 and as no bytes. Spans are borrowed until the next step. A blob that
 * has not exactly n bytes, or a text that does not fit, is damage: KITH_E_CORRUPT. */
bool kith_column_null(const struct kith_query *q, int i);
uint64_t kith_column_u64(struct kith_query *q, int i);
uint32_t kith_column_u32(struct kith_query *q, int i);
struct kith_span kith_column_span(struct kith_query *q, int i);
void kith_column_copy(struct kith_query *q, int i, void *to, size_t n);
void kith_column_text(struct kith_query *q, int i, char *buf, size_t cap);
/* Resets the statement and says how it went; tells of a host's error. */
int kith_query_done(struct kith_query *q) KITH_MUST_CHECK;
/* Steps once and is done; for statements without rows. */
int kith_query_run(struct kith_query *q) KITH_MUST_CHECK;
/* As kith_query_run; KITH_E_NOTFOUND when no row was changed. */
int kith_query_change(struct kith_query *q) KITH_MUST_CHECK;
/* Ends a query that found no row: its mistake, or KITH_E_NOTFOUND. */
int kith_query_missing(struct kith_query *q) KITH_MUST_CHECK;

/* Around the call of a visitor: false when reading the row failed, and then nothing to end. */
bool kith_visit_begin(struct kith_query *q);
void kith_visit_end(struct kith_query *q);
/* Ends a walk: what the visitor returned when not 0, else how the query went. */
int kith_visit_done(struct kith_query *q, int stop) KITH_MUST_CHECK;

/* Rows changed by the statement run last, without those of triggers and cascades. */
uint64_t kith_query_changed(const struct kith_store *s);

/* Copies what the n spans borrow to the store and points them there: valid until the next get or
 * close. For a get that returns bytes. Sets q's error on KITH_E_NOMEM. */
void kith_query_keep(struct kith_query *q, struct kith_span *const spans[], size_t n);

/* Wipes and releases what was kept. */
void kith_store_forget(struct kith_store *s);

/* A function of several statements is a transaction of its own unless one is open. */
struct kith_scope {
    struct kith_store *store;
    bool own;
};
int kith_scope_enter(struct kith_store *s, struct kith_scope *ret) KITH_MUST_CHECK;
/* Commits what the scope began, or rolls it back when err is negative. */
int kith_scope_leave(struct kith_scope *scope, int err) KITH_MUST_CHECK;

/* Brings the schema from version `from` to the newest; one transaction per version. */
int kith_store_migrate(struct kith_store *s, uint64_t from) KITH_MUST_CHECK;
/* The newest version this program knows. */
uint64_t kith_store_version(void);
#define KITH_STORE_APPLICATION 1265202280u /* "Kith" in ASCII, as migration 1 writes it */

#endif
