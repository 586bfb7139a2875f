#include "store/query.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 200 }; /* patience with a daemon that is just closing the same file */

/* clang-format off */
enum setup { SETUP_OPENED, SETUP_TRUSTED, SETUP_MEMORY };
static const struct { enum setup when; const char *sql; } setups[] = {
#define SETUP(when, sql) {SETUP_##when, sql},
#include "store/statements.def"
};
/* clang-format on */

static int say(struct kith_store_why *why, int err, const char *text)
{
    kith_format(why->text, sizeof why->text, "%s", text);
    return err;
}

/* ---- the file ---- */

static int errno_err(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT: return KITH_E_NOSPACE;
    case EACCES:
    case EPERM:
    case EROFS: return KITH_E_PERM;
    case ENOMEM: return KITH_E_NOMEM;
    }
    return KITH_E_IO;
}

/* Creates the file with the mode it needs, or narrows the mode it has. An existing file is never
 * opened here: closing it would drop every lock this process holds on it (POSIX locks). */
static int secure_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        return (st.st_mode & 077) == 0 || chmod(path, 0600) == 0 ? KITH_OK : errno_err();
    if (errno != ENOENT)
        return errno_err();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno_err();
    return close(fd) == 0 ? KITH_OK : errno_err();
}

static bool in_memory(const char *path)
{
    return strcmp(path, ":memory:") == 0;
}

/* ---- opening ---- */

static int open_database(struct kith_store *s, const char *path, const char *vfs)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &s->db, flags, vfs);

    if (rc != SQLITE_OK)
        return s->db == NULL ? KITH_E_NOMEM : kith_sqlite_err(s->db, rc);
    /* A file that is refused is left alone: its log is not moved into it at close. */
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0); /* 48 kB a store */
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 2 * KITH_STORE_BLOB_MAX);
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    return sqlite3_db_readonly(s->db, "main") == 1 ? KITH_E_PERM : KITH_OK;
}

static int set_up(struct kith_store *s, enum setup when)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; i < KITH_COUNT(setups) && rc == SQLITE_OK; i++)
        if (setups[i].when == when)
            rc = sqlite3_exec(s->db, setups[i].sql, NULL, NULL, NULL);
    return kith_sqlite_err(s->db, rc);
}

static int read_number(struct kith_store *s, enum kith_sql sql, uint64_t *ret)
{
    struct kith_query q = kith_query_on(s, sql);
    uint64_t n = kith_query_next(&q) ? kith_column_u64(&q, 0) : 0;
    int err = kith_query_done(&q);

    if (err == KITH_OK)
        *ret = n;
    return err;
}

static int read_text(struct kith_store *s, enum kith_sql sql, char *buf, size_t cap)
{
    struct kith_query q = kith_query_on(s, sql);

    buf[0] = '\0';
    if (kith_query_next(&q))
        kith_column_text(&q, 0, buf, cap);
    return kith_query_done(&q);
}

static int check_whole(struct kith_store *s)
{
    char verdict[1024];
    int err = read_text(s, KITH_SQL_quick_check, verdict, sizeof verdict);

    if (err == KITH_OK && strcmp(verdict, "ok") != 0)
        err = KITH_E_CORRUPT;
    return err;
}

/* Whether the database is ours, whole, and not from the future. A new one is version 0. */
static int judge(struct kith_store *s, uint64_t *ret_version, struct kith_store_why *why)
{
    uint64_t application = 0, version = 0, tables = 0;
    int err = read_number(s, KITH_SQL_application_id, &application);

    if (err == KITH_OK)
        err = read_number(s, KITH_SQL_user_version, &version);
    if (err == KITH_OK)
        err = read_number(s, KITH_SQL_table_count, &tables);
    if (err < 0)
        return err;
    if (application != (version > 0 || tables > 0 ? KITH_STORE_APPLICATION : 0))
        return say(why, KITH_E_TAKEN, "the file is a database of another program, and is kept");
    if (version > kith_store_version())
        return say(why, KITH_E_VERSION, "the store was made by a newer kith: run that one");
    err = check_whole(s);
    if (err == KITH_OK)
        *ret_version = version;
    return err;
}

/* Without a log a commit is not what this module promises; some file systems cannot hold one. */
static int check_log(struct kith_store *s)
{
    char mode[16];
    int err = read_text(s, KITH_SQL_journal_mode, mode, sizeof mode);

    if (err == KITH_OK && strcmp(mode, "wal") != 0)
        err = KITH_E_UNSUPPORTED;
    return err;
}

static int make_ready(struct kith_store *s, bool memory, struct kith_store_why *why)
{
    uint64_t version = 0;
    int err = set_up(s, SETUP_OPENED);

    if (err == KITH_OK)
        err = judge(s, &version, why);
    if (err == KITH_OK)
        err = set_up(s, memory ? SETUP_MEMORY : SETUP_TRUSTED);
    if (err == KITH_OK && !memory)
        err = check_log(s);
    if (err == KITH_OK)
        err = kith_store_migrate(s, version);
    if (err == KITH_OK)
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return err;
}

/* What a person can do about it, where nothing more exact was said. */
static const char *remedy(int err)
{
    switch (err) {
    case KITH_E_CORRUPT:
        return "the store is damaged and was kept as it is: move it and its -wal away together, "
               "then "
               "put a copy in their place, or join your networks again";
    case KITH_E_INUSE: return "another kith is running on this state directory";
    case KITH_E_NOSPACE: return "no space is left for the store";
    case KITH_E_PERM: return "this user may not write the store";
    case KITH_E_UNSUPPORTED: return "the file system cannot hold a write-ahead log";
    }
    return kith_err_text(err);
}

static void drop_statements(struct kith_store *s)
{
    for (size_t i = 0; i < KITH_COUNT(s->st); i++) {
        (void)sqlite3_finalize(s->st[i]);
        s->st[i] = NULL;
    }
}

static int open_at(struct kith_store *s, const char *path, const char *vfs,
                   struct kith_store_why *why)
{
    bool memory = in_memory(path);
    int err = memory ? KITH_OK : secure_file(path);

    if (err == KITH_OK)
        err = open_database(s, path, vfs);
    if (err == KITH_OK)
        err = make_ready(s, memory, why);
    return err;
}

int kith_store_open_through(const char *path, const char *vfs, const struct kith_env *env,
                            struct kith_store **ret, struct kith_store_why *why)
{
    struct kith_store_why unheard;

    if (why == NULL)
        why = &unheard;
    if (path[0] == '\0' || strncmp(path, "file:", 5) == 0)
        return say(why, KITH_E_INVAL, "not the path of a file");
    struct kith_store *s = kith_new_zero(env->alloc, sizeof *s);
    if (s == NULL)
        return say(why, KITH_E_NOMEM, remedy(KITH_E_NOMEM));
    s->env = env;
    s->opening = true;

    struct kith_store_why exact = {{0}};
    int err = open_at(s, path, vfs, &exact);
    if (err < 0) {
        kith_store_close(s);
        (void)say(why, err, exact.text[0] != '\0' ? exact.text : remedy(err));
        kith_event_store_failed(env->events, "open", why->text);
        return err;
    }
    drop_statements(s); /* the check of the whole file is long, and not run again */
    s->opening = false;
    *ret = s;
    return KITH_OK;
}

int kith_store_open(const char *path, const struct kith_env *env, struct kith_store **ret,
                    struct kith_store_why *why)
{
    return kith_store_open_through(path, NULL, env, ret, why);
}

void kith_store_close(struct kith_store *s)
{
    if (s == NULL)
        return;
    kith_store_rollback(s);
    drop_statements(s);
    (void)sqlite3_close(s->db);
    kith_store_forget(s);
    kith_free(s->env->alloc, s);
}
