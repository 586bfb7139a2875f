/* Writing files whole or not at all: a temporary file beside the target, made durable, then named.
 */
#include "os/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_ROOM = 256, /* the longest name of a file with its NUL (NAME_MAX is 255) */
    TEMP_TRIES = 16, /* names tried; that one of 2^64 is taken happens on purpose or never */
    TEMP_EXTRA = 22, /* "." before the name, "." with 16 digits and ".tmp" after it */
};

static long system_write(void *ctx, int fd, const void *p, size_t n)
{
    (void)ctx;
    return write(fd, p, n);
}

static int system_fsync(void *ctx, int fd)
{
    (void)ctx;
    return fsync(fd);
}

static int system_rename(void *ctx, int dir, const char *from, const char *to)
{
    (void)ctx;
    return renameat(dir, from, dir, to);
}

static const struct kith_file_ops system_ops = {system_write, system_fsync, system_rename, NULL};

struct target { /* where a file is being put */
    const char *path;
    const struct kith_file_ops *ops;
    struct kith_os_why *why;
    int dir;              /* its directory; held, so that it cannot be exchanged meanwhile */
    const char *name;     /* last part of path */
    char temp[NAME_ROOM]; /* beside it; empty: there is none */
};

static int failed(const struct target *t, const char *step)
{
    return kith_os_fail(t->why, errno, "%s %s", step, t->path);
}

/* The descriptor of its directory, or an error. */
static int open_parent(struct target *t)
{
    char parent[KITH_PATH_MAX];
    const char *slash = strrchr(t->path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - t->path);

    t->name = slash == NULL ? t->path : slash + 1;
    if (t->name[0] == '\0' || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0 ||
        n >= sizeof parent || strlen(t->name) + TEMP_EXTRA >= NAME_ROOM)
        return kith_os_say(t->why, KITH_E_INVAL, "\"%s\" is no path for a file", t->path);
    if (slash == NULL)
        (void)snprintf(parent, sizeof parent, ".");
    else
        (void)snprintf(parent, sizeof parent, "%.*s", n == 0 ? 1 : (int)n, t->path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? failed(t, "open the directory of") : fd;
}

/* Its descriptor, or an error. */
static int open_temp(struct target *t)
{
    for (int i = 0; i < TEMP_TRIES; i++) {
        uint64_t unique = 0;
        if (getrandom(&unique, sizeof unique, 0) != sizeof unique)
            return failed(t, "find a temporary name for");
        (void)snprintf(t->temp, sizeof t->temp, ".%s.%016llx.tmp", t->name,
                       (unsigned long long)unique);
        int fd =
            openat(t->dir, t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            break;
    }
    t->temp[0] = '\0';
    return failed(t, "create a temporary file beside");
}

static int write_all(const struct target *t, int fd, struct kith_span s)
{
    while (s.n > 0) {
        long n = t->ops->write(t->ops->ctx, fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* a regular file never takes nothing */
        if (n <= 0)
            return failed(t, "write");
        s = (struct kith_span){s.p + n, s.n - (size_t)n};
    }
    return KITH_OK;
}

static int fill_temp(struct target *t, struct kith_span content, unsigned mode)
{
    int fd = open_temp(t), err = KITH_OK;

    if (fd < 0)
        return fd;
    if (fchmod(fd, (mode_t)mode) < 0)
        err = failed(t, "set the mode of");
    if (err == KITH_OK)
        err = write_all(t, fd, content);
    if (err == KITH_OK && t->ops->fsync(t->ops->ctx, fd) < 0)
        err = failed(t, "make durable (fsync)");
    /* some file systems (NFS) tell only now that they could not write */
    if (close(fd) < 0 && err == KITH_OK)
        err = failed(t, "close");
    return err;
}

static int place_over(struct target *t)
{
    if (t->ops->rename(t->ops->ctx, t->dir, t->temp, t->name) < 0)
        return failed(t, "rename a temporary file to");
    t->temp[0] = '\0';
    return KITH_OK;
}

/* link(2) never overwrites. File systems without hard links (FAT) can at least rename so. */
static int place_beside(struct target *t)
{
    if (linkat(t->dir, t->temp, t->dir, t->name, 0) == 0)
        return KITH_OK;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
        return failed(t, "create");
    if (renameat2(t->dir, t->temp, t->dir, t->name, RENAME_NOREPLACE) < 0)
        return failed(t, "create");
    t->temp[0] = '\0';
    return KITH_OK;
}

static int put(const char *path, struct kith_span content, unsigned mode,
               const struct kith_file_ops *ops, int (*place)(struct target *t),
               struct kith_os_why *why)
{
    struct target t = {.path = path, .ops = ops == NULL ? &system_ops : ops, .why = why};

    t.dir = open_parent(&t);
    if (t.dir < 0)
        return t.dir;
    int err = fill_temp(&t, content, mode);
    if (err == KITH_OK)
        err = place(&t);
    if (t.temp[0] != '\0')
        (void)unlinkat(t.dir, t.temp, 0);
    /* EINVAL: a file system whose directories have nothing to make durable */
    if (err == KITH_OK && t.ops->fsync(t.ops->ctx, t.dir) < 0 && errno != EINVAL)
        err = failed(&t, "make durable the directory of");
    (void)close(t.dir);
    return err;
}

int kith_file_write_atomic(const char *path, struct kith_span content, unsigned mode,
                           const struct kith_file_ops *ops, struct kith_os_why *why)
{
    return put(path, content, mode, ops, place_over, why);
}

int kith_file_create_exclusive(const char *path, struct kith_span content, unsigned mode,
                               const struct kith_file_ops *ops, struct kith_os_why *why)
{
    return put(path, content, mode, ops, place_beside, why);
}
