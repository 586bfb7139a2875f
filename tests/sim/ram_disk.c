#include "sim/ram_disk.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAME_MAX_LEN = 320, FILE_MAX = 1 << 26 };

struct ram_disk ram_disk;

struct content {
    char name[NAME_MAX_LEN]; /* empty: free */
    unsigned char *bytes;
    size_t len, cap;
    bool borrowed; /* the bytes are another's, until something is written */
    struct content *next;
};

static struct content *contents;

struct ram_file {
    sqlite3_file base;
    struct content *in;
};

static bool strikes(void)
{
    if (ram_disk.is_over != NULL && ram_disk.is_over(ram_disk.ctx))
        ram_disk.fail_at = 0;
    ram_disk.asked++;
    bool now = ram_disk.fail_at != 0 && ram_disk.asked >= ram_disk.fail_at &&
               ram_disk.asked - ram_disk.fail_at < (ram_disk.fail_run == 0 ? 1 : ram_disk.fail_run);
    ram_disk.failed += now;
    return now;
}

static struct content *find(const char *name)
{
    struct content *c = contents;

    while (c != NULL && strcmp(c->name, name) != 0)
        c = c->next;
    return c;
}

static struct content *add(const char *name)
{
    struct content *c = find("");

    if (c == NULL) {
        c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->next = contents;
        contents = c;
    }
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

static struct content *in_of(sqlite3_file *f)
{
    return ((struct ram_file *)f)->in;
}

static int ram_close(sqlite3_file *f)
{
    (void)f;
    return SQLITE_OK;
}

static int ram_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    const struct content *c = in_of(f);
    size_t from = (size_t)at, want = (size_t)n;
    size_t have = from < c->len ? c->len - from : 0;

    if (have > want)
        have = want;
    if (have > 0)
        memcpy(p, c->bytes + from, have);
    memset((unsigned char *)p + have, 0, want - have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static void own(struct content *c)
{
    if (!c->borrowed)
        return;
    unsigned char *copy = malloc(c->len);
    assert_non_null(copy);
    memcpy(copy, c->bytes, c->len);
    c->bytes = copy;
    c->cap = c->len;
    c->borrowed = false;
}

static void grow(struct content *c, size_t len)
{
    own(c);
    if (len > c->cap) {
        size_t cap = 2 * len;
        c->bytes = realloc(c->bytes, cap);
        assert_true(c->bytes != NULL && len <= FILE_MAX);
        memset(c->bytes + c->cap, 0, cap - c->cap);
        c->cap = cap;
    }
    if (len > c->len)
        c->len = len;
}

static int ram_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    bool fails = strikes();
    size_t len = fails ? (size_t)n / 2 : (size_t)n; /* half of it got there */

    grow(in_of(f), (size_t)at + len);
    memcpy(in_of(f)->bytes + at, p, len);
    if (fails)
        return ram_disk.full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return SQLITE_OK;
}

static int ram_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct content *c = in_of(f);

    if (strikes())
        return SQLITE_IOERR_TRUNCATE;
    own(c);
    if ((size_t)size < c->len)
        memset(c->bytes + size, 0, c->len - (size_t)size);
    grow(c, (size_t)size);
    c->len = (size_t)size;
    return SQLITE_OK;
}

static int ram_sync(sqlite3_file *f, int flags)
{
    (void)f, (void)flags;
    return strikes() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int ram_size(sqlite3_file *f, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)in_of(f)->len;
    return SQLITE_OK;
}

static int ram_lock(sqlite3_file *f, int level)
{
    (void)f, (void)level;
    return SQLITE_OK;
}

static int ram_check_lock(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int ram_control(sqlite3_file *f, int op, void *arg)
{
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int ram_sector(sqlite3_file *f)
{
    (void)f;
    return 4096;
}

static int ram_traits(sqlite3_file *f)
{
    (void)f;
    return 0;
}

/* Version 1: no shared memory, which a store that keeps its lock does not need. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = ram_close,
    .xRead = ram_read,
    .xWrite = ram_write,
    .xTruncate = ram_truncate,
    .xSync = ram_sync,
    .xFileSize = ram_size,
    .xLock = ram_lock,
    .xUnlock = ram_lock,
    .xCheckReservedLock = ram_check_lock,
    .xFileControl = ram_control,
    .xSectorSize = ram_sector,
    .xDeviceCharacteristics = ram_traits,
};

static int ram_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    static unsigned unnamed;
    struct ram_file *file = (struct ram_file *)f;
    char made_up[32];

    (void)vfs;
    if (name == NULL) {
        snprintf(made_up, sizeof made_up, "temporary %u", unnamed++);
        name = made_up;
    }
    file->in = find(name);
    if (file->in == NULL)
        file->in = add(name);
    file->base.pMethods = &methods;
    if (out != NULL)
        *out = flags;
    return SQLITE_OK;
}

/* Its place is the next one's. */
static void empty(struct content *c)
{
    if (!c->borrowed)
        free(c->bytes);
    *c = (struct content){.name = "", .next = c->next};
}

static int ram_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    struct content *c = find(name);

    (void)vfs, (void)sync;
    if (strikes())
        return SQLITE_IOERR_DELETE;
    if (c == NULL)
        return SQLITE_IOERR_DELETE_NOENT;
    empty(c);
    return SQLITE_OK;
}

static int ram_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs, (void)flags;
    *out = find(name) != NULL;
    return SQLITE_OK;
}

void ram_disk_register(void)
{
    static sqlite3_vfs vfs;

    vfs = *sqlite3_vfs_find(NULL);
    vfs.pNext = NULL;
    vfs.zName = RAM_DISK_VFS;
    vfs.szOsFile = (int)sizeof(struct ram_file);
    vfs.xOpen = ram_open;
    vfs.xDelete = ram_delete;
    vfs.xAccess = ram_access;
    assert_int_equal(sqlite3_vfs_register(&vfs, 0), SQLITE_OK);
}

void ram_disk_copy(const char *from, const char *to)
{
    const struct content *c = find(from);

    assert_non_null(c);
    assert_null(find(to));
    struct content *copy = add(to);
    copy->bytes = c->bytes;
    copy->len = copy->cap = c->len;
    copy->borrowed = true;
}

void ram_disk_clear(void)
{
    while (contents != NULL) {
        struct content *c = contents;
        contents = c->next;
        empty(c);
        free(c);
    }
}
