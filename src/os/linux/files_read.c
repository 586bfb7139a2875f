/* Reading files, and judging who else could. */
#include "os/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO would hold the caller until somebody writes to it. */
static int open_regular(const char *path, int *ret_fd, struct stat *ret_stat,
                        struct kith_os_why *why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err;

    if (fd < 0)
        return kith_os_fail(why, errno, "open %s", path);
    if (fstat(fd, &st) < 0)
        err = kith_os_fail(why, errno, "look at %s", path);
    else if (!S_ISREG(st.st_mode))
        err = kith_os_say(why, KITH_E_INVAL, "%s is no regular file", path);
    else {
        *ret_fd = fd;
        *ret_stat = st;
        return KITH_OK;
    }
    (void)close(fd);
    return err;
}

static int too_long(const char *path, size_t max, struct kith_os_why *why)
{
    return kith_os_say(why, KITH_E_LIMIT, "%s is longer than %zu bytes", path, max);
}

/* Reads to the end. `room` is one more than expected, so that the end is met without growing;
 * files of /proc claim to be empty, and these grow. */
static int read_all(int fd, const char *path, size_t room, struct kith_buf *b,
                    struct kith_os_why *why)
{
    for (;;) {
        uint8_t *to = kith_buf_room(b, room);
        if (to == NULL)
            return kith_os_fail(why, ENOMEM, "read %s", path);
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return kith_os_fail(why, errno, "read %s", path);
        if (n == 0)
            return KITH_OK;
        kith_buf_grew(b, (size_t)n);
        room -= (size_t)n;
        if (room == 0)
            room = b->max - kith_buf_len(b) < 4096 ? b->max - kith_buf_len(b) : 4096;
        if (room == 0)
            return too_long(path, b->max - 1, why);
    }
}

/* Belongs to us or root, and to nobody else. */
static int judge_private(const char *path, const struct stat *st, struct kith_os_why *why)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return kith_os_say(why, KITH_E_PERM, "chown %u %s: it belongs to user %u",
                           (unsigned)geteuid(), path, (unsigned)st->st_uid);
    if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return kith_os_say(why, KITH_E_PERM, "chmod 600 %s: others may touch it (mode %04o)", path,
                           (unsigned)st->st_mode & 07777);
    return KITH_OK;
}

static int read_file(const char *path, size_t max, bool secret, const struct kith_alloc *alloc,
                     struct kith_buf *ret, struct kith_os_why *why)
{
    struct kith_buf b;
    struct stat st = {0};
    int fd = -1;
    int err = open_regular(path, &fd, &st, why);

    if (err < 0)
        return err;
    kith_buf_init(&b, alloc, max + 1); /* one more: to see that there is more */
    if (secret)
        err = judge_private(path, &st, why);
    if (err == KITH_OK && (uint64_t)st.st_size > max)
        err = too_long(path, max, why);
    if (err == KITH_OK)
        err = read_all(fd, path, (size_t)st.st_size + 1, &b, why);
    (void)close(fd);
    if (err < 0) {
        if (b.data != NULL)
            explicit_bzero(b.data, b.cap); /* perhaps half of a secret */
        kith_buf_fini(&b);
        return err;
    }
    b.max = max;
    *ret = b;
    return KITH_OK;
}

int kith_file_read(const char *path, size_t max, const struct kith_alloc *alloc,
                   struct kith_buf *ret, struct kith_os_why *why)
{
    return read_file(path, max, false, alloc, ret, why);
}

int kith_file_read_private(const char *path, size_t max, const struct kith_alloc *alloc,
                           struct kith_buf *ret, struct kith_os_why *why)
{
    return read_file(path, max, true, alloc, ret, why);
}

int kith_file_check_private(const char *path, struct kith_os_why *why)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return kith_os_fail(why, errno, "look at %s", path);
    if (!S_ISREG(st.st_mode))
        return kith_os_say(why, KITH_E_INVAL, "%s is no regular file", path);
    return judge_private(path, &st, why);
}
