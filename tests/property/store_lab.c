#include "property/store_lab.h"

#include "base/text.h"
#include "store/network.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a folder and an environment ---- */

static void remember(void *ctx, const struct kith_event *ev)
{
    struct store_lab *lab = ctx;

    assert_int_equal(ev->kind, KITH_EV_store_failed);
    lab->told++;
    kith_format(lab->what, sizeof lab->what, "%s", ev->field[0].text);
    kith_format(lab->why, sizeof lab->why, "%s", ev->field[1].text);
}

int store_lab_setup(void **state)
{
    struct store_lab *lab = calloc(1, sizeof *lab);
    const char *tmp = getenv("TMPDIR");

    assert_non_null(lab);
    lab->events = (struct kith_events){.sink = remember, .ctx = lab};
    lab->env = (struct kith_env){.alloc = &kith_heap, .events = &lab->events};
    kith_format(lab->dir, sizeof lab->dir, "%s/kith-store-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    assert_non_null(mkdtemp(lab->dir));
    kith_format(lab->path, sizeof lab->path, "%s/kith.db", lab->dir);
    kith_format(lab->log, sizeof lab->log, "%s-wal", lab->path);
    *state = lab;
    return 0;
}

int store_lab_teardown(void **state)
{
    struct store_lab *lab = *state;
    DIR *dir = opendir(lab->dir);

    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        if (e->d_name[0] != '.')
            assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
    closedir(dir);
    assert_int_equal(rmdir(lab->dir), 0);
    free(lab);
    return 0;
}

struct kith_store *store_lab_open(struct store_lab *lab)
{
    struct kith_store *s = NULL;
    struct kith_store_why why = {{0}};

    if (kith_store_open(lab->path, &lab->env, &s, &why) < 0)
        fail_msg("open: %s", why.text);
    return s;
}

struct kith_store *store_lab_memory(struct store_lab *lab)
{
    struct kith_store *s = NULL;

    assert_int_equal(kith_store_open(":memory:", &lab->env, &s, NULL), KITH_OK);
    return s;
}

uint8_t *store_lab_read(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = malloc(1 << 22);

    assert_non_null(f);
    assert_non_null(p);
    *ret_len = fread(p, 1, 1 << 22, f);
    assert_true(*ret_len < 1 << 22);
    fclose(f);
    return p;
}

void store_lab_write(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

struct store_snapshot store_lab_snapshot(const struct store_lab *lab)
{
    struct store_snapshot snap = {0};

    snap.db = store_lab_read(lab->path, &snap.db_len);
    if (access(lab->log, F_OK) == 0)
        snap.log = store_lab_read(lab->log, &snap.log_len);
    return snap;
}

void store_lab_restore(const struct store_lab *lab, const struct store_snapshot *snap)
{
    store_lab_write(lab->path, snap->db, snap->db_len);
    (void)unlink(lab->log);
    if (snap->log_len > 0)
        store_lab_write(lab->log, snap->log, snap->log_len);
}

bool store_lab_same(const struct store_snapshot *a, const struct store_snapshot *b)
{
    return kith_span_equal((struct kith_span){a->db, a->db_len},
                           (struct kith_span){b->db, b->db_len}) &&
           kith_span_equal((struct kith_span){a->log, a->log_len},
                           (struct kith_span){b->log, b->log_len});
}

void store_lab_drop(struct store_snapshot *snap)
{
    free(snap->db);
    free(snap->log);
}

void store_lab_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void store_lab_id(uint8_t *id, size_t n, unsigned v)
{
    memset(id, (int)v, n);
}

void store_lab_network(struct kith_store *s, unsigned v)
{
    struct kith_store_network n = {.name = "home", .slot = v, .next_serial = 1, .created = 1000};

    store_lab_id(n.id, sizeof n.id, v);
    assert_int_equal(kith_store_network_put(s, &n), KITH_OK);
}

/* ---- a disk that fails ---- */

struct store_disk store_disk;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* follows this struct in memory */
};

static sqlite3_vfs faulty_vfs;
static sqlite3_vfs *real_vfs;

static bool strikes(enum store_fault kind)
{
    if (kind != store_disk.kind || store_disk.fail_at == 0)
        return false;
    store_disk.seen++;
    bool now = store_disk.stays ? store_disk.seen >= store_disk.fail_at
                                : store_disk.seen == store_disk.fail_at;
    store_disk.failed += now;
    return now;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct faulty_file *)f)->real;
}

static int faulty_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int faulty_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int faulty_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (!strikes(STORE_FAULT_WRITE))
        return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
    (void)real_of(f)->pMethods->xWrite(real_of(f), p, n / 2, at);
    return store_disk.full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return strikes(STORE_FAULT_CUT) ? SQLITE_IOERR_TRUNCATE
                                    : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int faulty_sync(sqlite3_file *f, int flags)
{
    return strikes(STORE_FAULT_SYNC) ? SQLITE_IOERR_FSYNC
                                     : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int faulty_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int faulty_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int faulty_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int faulty_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int faulty_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int faulty_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int faulty_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

/* Version 1: no shared memory, which a store that keeps its lock does not need. */
static const sqlite3_io_methods faulty_methods = {
    .iVersion = 1,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_check_lock,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_traits,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct faulty_file *file = (struct faulty_file *)f;

    (void)vfs;
    file->real = (sqlite3_file *)(file + 1);
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    file->base.pMethods = rc == SQLITE_OK ? &faulty_methods : NULL;
    return rc;
}

void store_disk_register(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    faulty_vfs = *real_vfs;
    faulty_vfs.pNext = NULL;
    faulty_vfs.zName = STORE_DISK_VFS;
    faulty_vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    faulty_vfs.xOpen = faulty_open;
    assert_int_equal(sqlite3_vfs_register(&faulty_vfs, 0), SQLITE_OK);
}
