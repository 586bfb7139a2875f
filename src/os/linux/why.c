#include "os/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
/* the system's number, ours; the first row that matches counts */
static const struct {
    int errnum;
    int err;
} meanings[] = {
    {EAGAIN,        KITH_E_AGAIN},
    {EINTR,         KITH_E_AGAIN},
    {EINPROGRESS,   KITH_E_AGAIN},
    {ENOMEM,        KITH_E_NOMEM},
    {ENOBUFS,       KITH_E_NOMEM},
    {EPERM,         KITH_E_PERM},
    {EACCES,        KITH_E_PERM},
    {EROFS,         KITH_E_PERM},
    {EEXIST,        KITH_E_EXISTS},
    {ENOENT,        KITH_E_NOTFOUND},
    {ENOTDIR,       KITH_E_NOTFOUND},
    {ESRCH,         KITH_E_NOTFOUND},  /* netlink: no such route */
    {ENODEV,        KITH_E_NOTFOUND},  /* netlink: no such interface */
    {ENXIO,         KITH_E_NOTFOUND},
    {EADDRNOTAVAIL, KITH_E_NOTFOUND},  /* netlink: no such address */
    {EBUSY,         KITH_E_INUSE},
    {EADDRINUSE,    KITH_E_INUSE},
    {ETXTBSY,       KITH_E_INUSE},
    {ENOSPC,        KITH_E_NOSPACE},
    {EDQUOT,        KITH_E_NOSPACE},
    {EMFILE,        KITH_E_FULL},      /* no more descriptors */
    {ENFILE,        KITH_E_FULL},
    {EINVAL,        KITH_E_INVAL},
    {ENAMETOOLONG,  KITH_E_INVAL},
    {ENETUNREACH,   KITH_E_UNREACHABLE},
    {EHOSTUNREACH,  KITH_E_UNREACHABLE},
    {ENETDOWN,      KITH_E_UNREACHABLE},
    {ECONNREFUSED,  KITH_E_UNREACHABLE}, /* nobody listens there */
    {EPIPE,         KITH_E_CLOSED},
    {ECONNRESET,    KITH_E_CLOSED},
    {EBADFD,        KITH_E_CLOSED},    /* the TUN device was deleted */
    {ETIMEDOUT,     KITH_E_TIMEOUT},
    {EOPNOTSUPP,    KITH_E_UNSUPPORTED},
    {ENOSYS,        KITH_E_UNSUPPORTED},
    {EAFNOSUPPORT,  KITH_E_UNSUPPORTED},
    {EPROTONOSUPPORT, KITH_E_UNSUPPORTED},
};
/* clang-format on */

int kith_os_err(int errnum)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].errnum == errnum)
            return meanings[i].err;
    return KITH_E_IO;
}

static void say(struct kith_os_why *why, const char *fmt, va_list args)
{
    if (vsnprintf(why->text, sizeof why->text, fmt, args) < 0)
        why->text[0] = '\0';
}

int kith_os_say(struct kith_os_why *why, int err, const char *fmt, ...)
{
    va_list args;

    if (why == NULL)
        return err;
    va_start(args, fmt);
    say(why, fmt, args);
    va_end(args);
    return err;
}

int kith_os_fail(struct kith_os_why *why, int errnum, const char *fmt, ...)
{
    va_list args;

    if (why == NULL)
        return kith_os_err(errnum);
    va_start(args, fmt);
    say(why, fmt, args);
    va_end(args);
    size_t n = strlen(why->text);
    (void)snprintf(why->text + n, sizeof why->text - n, ": %s", strerror(errnum));
    return kith_os_err(errnum);
}
