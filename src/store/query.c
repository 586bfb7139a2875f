#include "store/query.h"

#include "base/text.h"

#include <errno.h>

/* What a statement does, to complete "failed to …", and its text. */
static const struct {
    const char *what, *sql;
} statements[KITH_SQL_COUNT] = {
#define STATEMENT(name, what, sql) [KITH_SQL_##name] = {what, sql},
#include "store/statements.def"
};

/* ---- errors ---- */

static int constraint_err(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return KITH_E_EXISTS;
    case SQLITE_CONSTRAINT_UNIQUE: return KITH_E_TAKEN;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return KITH_E_NOTFOUND;
    }
    return KITH_E_INVAL;
}

/* SQLite reports a full disk as FULL only for writes, and a quota as any failure. */
static int io_err(sqlite3 *db, int extended)
{
    int sys = db != NULL ? sqlite3_system_errno(db) : 0;

    if (extended == SQLITE_IOERR_NOMEM)
        return KITH_E_NOMEM;
    if (sys == ENOSPC || sys == EDQUOT)
        return KITH_E_NOSPACE;
    return sys == EACCES || sys == EPERM || sys == EROFS ? KITH_E_PERM : KITH_E_IO;
}

int kith_sqlite_err(sqlite3 *db, int rc)
{
    int extended = db != NULL ? sqlite3_extended_errcode(db) : rc;

    if ((extended & 0xff) != (rc & 0xff))
        extended = rc;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return KITH_OK;
    case SQLITE_FULL: return KITH_E_NOSPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return KITH_E_INUSE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return KITH_E_CORRUPT;
    case SQLITE_NOMEM: return KITH_E_NOMEM;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return KITH_E_PERM;
    case SQLITE_CONSTRAINT: return constraint_err(extended);
    case SQLITE_TOOBIG:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH: return KITH_E_INVAL;
    }
    return io_err(db, extended);
}

static void query_fail(struct kith_query *q, int err)
{
    if (q->err == KITH_OK)
        q->err = err;
}

static void query_check(struct kith_query *q, int rc)
{
    query_fail(q, kith_sqlite_err(q->store->db, rc));
}

/* ---- binding ---- */

struct kith_query kith_query_on(struct kith_store *s, enum kith_sql sql)
{
    struct kith_query q = {.store = s, .sql = sql};

    if (s->visiting) {
        q.err = KITH_E_STATE;
        return q;
    }
    if (s->tx_err < 0 && sql != KITH_SQL_rollback) {
        q.err = s->tx_err;
        return q;
    }
    if (s->st[sql] == NULL)
        query_check(&q, sqlite3_prepare_v3(s->db, statements[sql].sql, -1,
                                           SQLITE_PREPARE_PERSISTENT, &s->st[sql], NULL));
    q.st = s->st[sql];
    return q;
}

void kith_bind_u64(struct kith_query *q, uint64_t v)
{
    if (q->err < 0)
        return;
    if (v > KITH_STORE_INT_MAX)
        q->err = KITH_E_INVAL;
    else
        query_check(q, sqlite3_bind_int64(q->st, ++q->bound, (sqlite3_int64)v));
}

void kith_bind_blob(struct kith_query *q, const void *p, size_t n)
{
    if (q->err < 0)
        return;
    if (n > KITH_STORE_BLOB_MAX)
        q->err = KITH_E_INVAL;
    else if (n == 0) /* a NULL pointer would bind NULL */
        query_check(q, sqlite3_bind_zeroblob(q->st, ++q->bound, 0));
    else
        query_check(q, sqlite3_bind_blob(q->st, ++q->bound, p, (int)n, SQLITE_STATIC));
}

void kith_bind_span(struct kith_query *q, struct kith_span s)
{
    kith_bind_blob(q, s.p, s.n);
}

void kith_bind_text(struct kith_query *q, const char *text, size_t min, size_t max)
{
    if (q->err < 0)
        return;
    size_t n = strnlen(text, max + 1);
    if (n < min || n > max)
        q->err = KITH_E_INVAL;
    else
        query_check(q, sqlite3_bind_text(q->st, ++q->bound, text, (int)n, SQLITE_STATIC));
}

void kith_bind_null(struct kith_query *q)
{
    if (q->err == KITH_OK)
        query_check(q, sqlite3_bind_null(q->st, ++q->bound));
}

/* ---- rows ---- */

bool kith_query_next(struct kith_query *q)
{
    if (q->err < 0)
        return false;
    int rc = sqlite3_step(q->st);
    query_check(q, rc);
    return rc == SQLITE_ROW;
}

bool kith_column_null(const struct kith_query *q, int i)
{
    return q->err < 0 || sqlite3_column_type(q->st, i) == SQLITE_NULL;
}

uint64_t kith_column_u64(struct kith_query *q, int i)
{
    if (q->err < 0)
        return 0;
    sqlite3_int64 v = sqlite3_column_int64(q->st, i);
    if (v < 0)
        q->err = KITH_E_CORRUPT;
    return v < 0 ? 0 : (uint64_t)v;
}

uint32_t kith_column_u32(struct kith_query *q, int i)
{
    uint64_t v = kith_column_u64(q, i);

    if (v > UINT32_MAX)
        query_fail(q, KITH_E_CORRUPT);
    return v > UINT32_MAX ? 0 : (uint32_t)v;
}

struct kith_span kith_column_span(struct kith_query *q, int i)
{
    struct kith_span s = {0};

    if (q->err < 0)
        return s;
    s.p = sqlite3_column_blob(q->st, i);
    s.n = (size_t)sqlite3_column_bytes(q->st, i);
    if (s.p == NULL && s.n > 0)
        query_fail(q, KITH_E_NOMEM);
    return s.p == NULL ? (struct kith_span){0} : s;
}

void kith_column_copy(struct kith_query *q, int i, void *to, size_t n)
{
    struct kith_span s = kith_column_span(q, i);

    if (s.n == n)
        kith_copy(to, s.p, n);
    else
        query_fail(q, KITH_E_CORRUPT);
}

void kith_column_text(struct kith_query *q, int i, char *buf, size_t cap)
{
    struct kith_span s = kith_column_span(q, i);

    buf[0] = '\0';
    if (s.n >= cap || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL)) {
        query_fail(q, KITH_E_CORRUPT);
        return;
    }
    kith_copy(buf, s.p, s.n);
    buf[s.n] = '\0';
}

void kith_store_forget(struct kith_store *s)
{
    if (s->kept != NULL)
        explicit_bzero(s->kept, s->kept_len);
    kith_free(s->env->alloc, s->kept);
    s->kept = NULL;
}

void kith_query_keep(struct kith_query *q, struct kith_span *const spans[], size_t n)
{
    struct kith_store *s = q->store;
    size_t len = 0, at = 0;

    if (q->err < 0)
        return;
    for (size_t i = 0; i < n; i++)
        len += spans[i]->n;
    uint8_t *kept = kith_new_zero(s->env->alloc, len + 1); /* never of size 0 */
    if (kept == NULL) {
        q->err = KITH_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        kith_copy(kept + at, spans[i]->p, spans[i]->n);
        spans[i]->p = kept + at;
        at += spans[i]->n;
    }
    kith_store_forget(s);
    s->kept = kept;
    s->kept_len = len;
}

/* ---- the end of a query ---- */

static void tell(struct kith_query *q)
{
    sqlite3 *db = q->store->db;
    int rc = sqlite3_errcode(db) & 0xff;
    bool detail = rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE;
    char why[160];

    if (detail)
        kith_format(why, sizeof why, "%s (%s)", kith_err_text(q->err), sqlite3_errmsg(db));
    else
        kith_format(why, sizeof why, "%s", kith_err_text(q->err));
    kith_event_store_failed(q->store->env->events, statements[q->sql].what, why);
}

/* A commit whose fsync failed may stand in the log complete. Cutting the log back to what was
 * committed keeps a restart from finding what was reported as failed. */
static void cut_log(struct kith_store *s)
{
    if (sqlite3_get_autocommit(s->db))
        (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

static void note_failure(struct kith_store *s, int err)
{
    s->count.failures++;
    s->failing = err;
}

/* What reached the disk: a commit, or a statement that is a transaction of its own. */
static bool wrote(const struct kith_query *q)
{
    if (q->err < 0 || q->st == NULL)
        return false;
    if (q->sql == KITH_SQL_commit)
        return true;
    return !q->store->in_tx && q->sql != KITH_SQL_begin && !sqlite3_stmt_readonly(q->st);
}

int kith_query_done(struct kith_query *q)
{
    struct kith_store *s = q->store;
    bool host = kith_err_blame(q->err) == KITH_BLAME_HOST && s->tx_err == KITH_OK;

    if (host)
        note_failure(s, q->err);
    if (wrote(q)) {
        s->count.writes++;
        s->failing = KITH_OK;
    }
    if (host && !s->opening)
        tell(q); /* before reset: the message is still SQLite's last */
    if (q->st != NULL) {
        (void)sqlite3_reset(q->st);
        (void)sqlite3_clear_bindings(q->st);
    }
    if (host && s->in_tx)
        s->tx_err = q->err;
    else if (host && q->st != NULL && !sqlite3_stmt_readonly(q->st))
        cut_log(s);
    return q->err;
}

int kith_query_run(struct kith_query *q)
{
    (void)kith_query_next(q);
    return kith_query_done(q);
}

int kith_query_change(struct kith_query *q)
{
    int err = kith_query_run(q);

    if (err < 0)
        return err;
    return kith_query_changed(q->store) > 0 ? KITH_OK : KITH_E_NOTFOUND;
}

int kith_query_missing(struct kith_query *q)
{
    int err = kith_query_done(q);

    return err < 0 ? err : KITH_E_NOTFOUND;
}

bool kith_visit_begin(struct kith_query *q)
{
    q->store->visiting = q->err == KITH_OK;
    return q->store->visiting;
}

void kith_visit_end(struct kith_query *q)
{
    q->store->visiting = false;
}

int kith_visit_done(struct kith_query *q, int stop)
{
    int err = kith_query_done(q);

    return stop != 0 ? stop : err;
}

const struct kith_store_counters *kith_store_counters(const struct kith_store *s)
{
    return &s->count;
}

int kith_store_failing(const struct kith_store *s)
{
    return s->failing;
}

uint64_t kith_query_changed(const struct kith_store *s)
{
    return (uint64_t)sqlite3_changes64(s->db);
}

/* ---- transactions ---- */

static int run_plain(struct kith_store *s, enum kith_sql sql)
{
    struct kith_query q = kith_query_on(s, sql);

    return kith_query_run(&q);
}

int kith_store_begin(struct kith_store *s)
{
    if (s->in_tx)
        return KITH_E_STATE;
    int err = run_plain(s, KITH_SQL_begin);
    s->in_tx = err == KITH_OK;
    return err;
}

/* Ends the transaction; SQLite may have ended it already, after an error of the disk. */
static void abandon(struct kith_store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)run_plain(s, KITH_SQL_rollback);
    s->in_tx = false;
    s->tx_err = KITH_OK;
}

int kith_store_commit(struct kith_store *s)
{
    if (!s->in_tx || s->visiting)
        return KITH_E_STATE;
    int err = run_plain(s, KITH_SQL_commit);
    if (err < 0) {
        abandon(s);
        cut_log(s);
    }
    s->in_tx = false;
    return err;
}

void kith_store_rollback(struct kith_store *s)
{
    if (s->in_tx && !s->visiting)
        abandon(s);
}

int kith_store_checkpoint(struct kith_store *s)
{
    if (s->in_tx || s->visiting)
        return KITH_E_STATE;
    int err = kith_sqlite_err(
        s->db, sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
    if (err < 0) {
        note_failure(s, err);
        kith_event_store_failed(s->env->events, "empty its log", kith_err_text(err));
    }
    return err;
}

int kith_scope_enter(struct kith_store *s, struct kith_scope *ret)
{
    struct kith_scope scope = {.store = s, .own = !s->in_tx};
    int err = scope.own ? kith_store_begin(s) : KITH_OK;

    if (err == KITH_OK)
        *ret = scope;
    return err;
}

int kith_scope_leave(struct kith_scope *scope, int err)
{
    if (!scope->own)
        return err;
    if (err == KITH_OK)
        return kith_store_commit(scope->store);
    kith_store_rollback(scope->store);
    return err;
}
