/* Listening and connecting. */
#include "os/unix_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 }; /* connections not yet accepted: commands typed at the same moment */

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == KITH_UNIX_PATH_MAX + 1, "sun_path");

static int address_of(const char *path, struct sockaddr_un *ret, struct kith_os_why *why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);

    if (n == 0)
        return kith_os_say(why, KITH_E_INVAL, "a socket needs a path");
    if (n > KITH_UNIX_PATH_MAX)
        return kith_os_say(why, KITH_E_INVAL,
                           "a socket's path has at most %d bytes, this one %zu: %s",
                           KITH_UNIX_PATH_MAX, n, path);
    memcpy(a.sun_path, path, n);
    *ret = a;
    return KITH_OK;
}

static int connect_to(const struct sockaddr_un *a, int flags, int *ret_fd)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) < 0) {
        int errnum = errno;
        (void)close(fd);
        errno = errnum;
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

/* Frees the path of a socket that nobody answers on. Two processes that do so at once are kept
 * apart by the state directory's lock (os/files.h). */
static int remove_stale(const struct sockaddr_un *a, struct kith_os_why *why)
{
    struct stat st;
    int fd = -1;

    if (lstat(a->sun_path, &st) < 0)
        return errno == ENOENT ? KITH_OK : kith_os_fail(why, errno, "look at %s", a->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return kith_os_say(why, KITH_E_EXISTS, "%s exists and is no socket", a->sun_path);
    /* non-blocking: a full backlog is an answer, too (EAGAIN) */
    if (connect_to(a, SOCK_NONBLOCK, &fd) == 0 || errno == EAGAIN) {
        if (fd >= 0)
            (void)close(fd);
        return kith_os_say(why, KITH_E_INUSE, "another process answers on %s", a->sun_path);
    }
    if (errno != ECONNREFUSED)
        return kith_os_fail(why, errno, "find out who answers on %s", a->sun_path);
    if (unlink(a->sun_path) < 0)
        return kith_os_fail(why, errno, "remove the stale socket %s", a->sun_path);
    return KITH_OK;
}

/* The mode of the socket before bind(2), less the umask, is the mode of its path; what the umask
 * took is given back before listen(2), so nobody connects under other bits. */
static int bind_and_listen(int fd, const struct sockaddr_un *a, unsigned mode,
                           struct kith_os_why *why)
{
    if (fchmod(fd, (mode_t)mode) < 0)
        return kith_os_fail(why, errno, "set the mode of a socket");
    if (bind(fd, (const struct sockaddr *)a, sizeof *a) < 0)
        return kith_os_fail(why, errno, "create socket %s", a->sun_path);
    if (chmod(a->sun_path, (mode_t)mode) == 0 && listen(fd, BACKLOG) == 0)
        return KITH_OK;
    int err = kith_os_fail(why, errno, "listen on %s", a->sun_path);
    (void)unlink(a->sun_path);
    return err;
}

int kith_unix_listen(const char *path, unsigned mode, int *ret_fd, struct kith_os_why *why)
{
    struct sockaddr_un a;
    int err = address_of(path, &a, why);

    if (err == KITH_OK)
        err = remove_stale(&a, why);
    if (err < 0)
        return err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return kith_os_fail(why, errno, "open a Unix socket");
    err = bind_and_listen(fd, &a, mode, why);
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return KITH_OK;
}

int kith_unix_connect(const char *path, int *ret_fd, struct kith_os_why *why)
{
    struct sockaddr_un a;
    int err = address_of(path, &a, why);

    if (err < 0)
        return err;
    if (connect_to(&a, 0, ret_fd) == 0)
        return KITH_OK;
    if (errno == ECONNREFUSED)
        return kith_os_say(why, KITH_E_NOTFOUND, "nobody answers on %s", path);
    return kith_os_fail(why, errno, "connect to %s", path);
}
