#include "sim/ram_disk.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAME_MAX_LEN = 320, FILE_MAX = 1 << 26, PAGE = 4096 };

struct ram_disk ram_disk;

struct page {
    unsigned char *bytes; /* NULL: zeros */
    bool borrowed;        /* the bytes are another's, until something is written there */
};

struct content {
    char name[NAME_MAX_LEN]; /* empty: free */
    struct page *page;       /* n_pages of them */
    size_t n_pages, len;     /* all beyond len is zeros */
    struct content *next;
};

/* Files are one thread's each. Guarded are what all have in common: the list, and the counts. */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static struct content *contents;

struct ram_file {
    sqlite3_file base;
    struct content *in;
};

static void enter(void)
{
    assert_int_equal(pthread_mutex_lock(&guard), 0);
}

static void leave(void)
{
    assert_int_equal(pthread_mutex_unlock(&guard), 0);
}

static bool strikes(void)
{
    enter();
    if (ram_disk.is_over != NULL && ram_disk.is_over(ram_disk.ctx))
        ram_disk.fail_at = 0;
    ram_disk.asked++;
    bool now = ram_disk.fail_at != 0 && ram_disk.asked >= ram_disk.fail_at &&
               ram_disk.asked - ram_disk.fail_at < (ram_disk.fail_run == 0 ? 1 : ram_disk.fail_run);
    ram_disk.failed += now;
    leave();
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

/* How many of n bytes from `at` on are in one page. */
static size_t part_of_page(size_t at, size_t n)
{
    size_t rest = PAGE - at % PAGE;

    return n < rest ? n : rest;
}

static int ram_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    const struct content *c = in_of(f);
    size_t from = (size_t)at, want = (size_t)n;
    size_t have = from < c->len ? c->len - from : 0;

    if (have > want)
        have = want;
    for (size_t done = 0, part; done < have; done += part) {
        const unsigned char *bytes = c->page[(from + done) / PAGE].bytes;
        part = part_of_page(from + done, have - done);
        if (bytes != NULL)
            memcpy((unsigned char *)p + done, bytes + (from + done) % PAGE, part);
        else
            memset((unsigned char *)p + done, 0, part);
    }
    memset((unsigned char *)p + have, 0, want - have);
    return have == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

/* The page's bytes, to be written to. */
static unsigned char *own(struct page *p)
{
    unsigned char *bytes = p->bytes;

    if (bytes != NULL && !p->borrowed)
        return bytes;
    p->bytes = calloc(1, PAGE);
    assert_non_null(p->bytes);
    if (bytes != NULL)
        memcpy(p->bytes, bytes, PAGE);
    p->borrowed = false;
    return p->bytes;
}

static void grow(struct content *c, size_t len)
{
    size_t need = (len + PAGE - 1) / PAGE;

    assert_true(len <= FILE_MAX);
    if (need > c->n_pages) {
        size_t n = need < 2 * c->n_pages ? 2 * c->n_pages : need;
        c->page = realloc(c->page, n * sizeof *c->page);
        assert_non_null(c->page);
        memset(c->page + c->n_pages, 0, (n - c->n_pages) * sizeof *c->page);
        c->n_pages = n;
    }
    if (len > c->len)
        c->len = len;
}

/* `from` NULL: zeros. */
static void put(struct content *c, size_t at, const unsigned char *from, size_t len)
{
    for (size_t done = 0, part; done < len; done += part) {
        unsigned char *to = own(&c->page[(at + done) / PAGE]) + (at + done) % PAGE;
        part = part_of_page(at + done, len - done);
        if (from != NULL)
            memcpy(to, from + done, part);
        else
            memset(to, 0, part);
    }
}

static int ram_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    bool fails = strikes();
    size_t len = fails ? (size_t)n / 2 : (size_t)n; /* half of it got there */

    grow(in_of(f), (size_t)at + len);
    put(in_of(f), (size_t)at, p, len);
    if (fails)
        return ram_disk.full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return SQLITE_OK;
}

static int ram_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct content *c = in_of(f);

    if (strikes())
        return SQLITE_IOERR_TRUNCATE;
    if ((size_t)size < c->len)
        put(c, (size_t)size, NULL, c->len - (size_t)size);
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
    enter();
    if (name == NULL) {
        snprintf(made_up, sizeof made_up, "temporary %u", unnamed++);
        name = made_up;
    }
    file->in = find(name);
    if (file->in == NULL)
        file->in = add(name);
    leave();
    file->base.pMethods = &methods;
    if (out != NULL)
        *out = flags;
    return SQLITE_OK;
}

/* Its place is the next one's. */
static void empty(struct content *c)
{
    for (size_t i = 0; i < c->n_pages; i++)
        if (!c->page[i].borrowed)
            free(c->page[i].bytes);
    free(c->page);
    *c = (struct content){.name = "", .next = c->next};
}

static int ram_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)sync;
    if (strikes())
        return SQLITE_IOERR_DELETE;
    enter();
    struct content *c = find(name);
    if (c != NULL)
        empty(c);
    leave();
    return c != NULL ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

static int ram_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs, (void)flags;
    enter();
    *out = find(name) != NULL;
    leave();
    return SQLITE_OK;
}

void ram_disk_register(void)
{
    static sqlite3_vfs vfs;

    /* else all threads meet where SQLite counts its memory; refused, and no harm, when it runs */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
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
    enter();
    const struct content *c = find(from);
    assert_non_null(c);
    assert_null(find(to));
    struct content *copy = add(to);
    grow(copy, c->len);
    for (size_t i = 0; i * PAGE < c->len; i++)
        copy->page[i] = (struct page){.bytes = c->page[i].bytes, .borrowed = true};
    leave();
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
