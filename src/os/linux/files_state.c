/* The state directory: where it is, that it is private, and that one process at a time has it. */
#include "os/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* ---- directories ---- */

static int make_directory(const char *path, struct kith_os_why *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return KITH_OK;
    return kith_os_fail(why, errno, "create directory %s", path);
}

/* Every missing directory on the way, then the last. */
static int make_directories(const char *path, struct kith_os_why *why)
{
    char part[KITH_PATH_MAX];
    size_t n = strlen(path);
    int err = KITH_OK;

    if (n == 0 || n >= sizeof part)
        return kith_os_say(why, KITH_E_INVAL, "\"%s\" is no path for a directory", path);
    for (size_t i = 1; i <= n && err == KITH_OK; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (access(part, F_OK) < 0 && errno == ENOENT)
            err = make_directory(part, why);
    }
    return err;
}

int kith_dir_private(const char *path, bool create, struct kith_os_why *why)
{
    struct stat st;
    int err = create ? make_directories(path, why) : KITH_OK;

    if (err < 0)
        return err;
    if (stat(path, &st) < 0)
        return kith_os_fail(why, errno, "open directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return kith_os_say(why, KITH_E_INVAL, "%s is no directory", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return kith_os_say(why, KITH_E_PERM, "chown -R %u %s: it belongs to user %u",
                           (unsigned)geteuid(), path, (unsigned)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return kith_os_say(why, KITH_E_PERM, "chmod 700 %s: others may write to it (mode %04o)",
                           path, (unsigned)st.st_mode & 07777);
    return KITH_OK;
}

/* ---- lock ---- */

/* The holder's number as it wrote it; 0 when it has not yet, or something else is in the file. */
static uint64_t holder_of(int fd)
{
    char text[24] = {0};
    uint64_t pid = 0;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    if (n <= 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return kith_u64_parse(text, &pid) < 0 ? 0 : pid;
}

static int lock_failed(int fd, int errnum, const char *path, struct kith_os_why *why)
{
    uint64_t pid = holder_of(fd);

    if (errnum != EWOULDBLOCK)
        return kith_os_fail(why, errnum, "lock %s", path);
    if (pid == 0)
        return kith_os_say(why, KITH_E_INUSE, "in use by another process (%s)", path);
    return kith_os_say(why, KITH_E_INUSE, "in use by process %llu (%s)", (unsigned long long)pid,
                       path);
}

static int write_holder(int fd, const char *path, struct kith_os_why *why)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return kith_os_fail(why, errno, "write %s", path);
    return KITH_OK;
}

int kith_lock_take(const char *path, struct kith_lock *ret, struct kith_os_why *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int err;

    if (fd < 0)
        return kith_os_fail(why, errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        err = lock_failed(fd, errno, path, why);
    else
        err = write_holder(fd, path, why);
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    *ret = (struct kith_lock){.fd = fd};
    return KITH_OK;
}

void kith_lock_release(struct kith_lock *lock)
{
    if (lock->fd < 0)
        return;
    (void)!ftruncate(lock->fd, 0); /* the file is only informative */
    (void)close(lock->fd);
    lock->fd = -1;
}

/* ---- paths ---- */

static const char *home_directory(void)
{
    const char *home = getenv("HOME");

    if (home != NULL && home[0] == '/')
        return home;
    const struct passwd *user = getpwuid(geteuid());
    return user != NULL && user->pw_dir != NULL && user->pw_dir[0] == '/' ? user->pw_dir : NULL;
}

int kith_paths_state(char *buf, size_t cap)
{
    char path[KITH_PATH_MAX];
    const char *state = getenv("XDG_STATE_HOME"), *home;
    int n;

    if (geteuid() == 0)
        n = snprintf(path, sizeof path, "/var/lib/kith");
    else if (state != NULL && state[0] == '/')
        n = snprintf(path, sizeof path, "%s/kith", state);
    else if ((home = home_directory()) != NULL)
        n = snprintf(path, sizeof path, "%s/.local/state/kith", home);
    else
        return KITH_E_NOTFOUND;
    if (n < 0 || (size_t)n >= sizeof path || (size_t)n >= cap)
        return KITH_E_LIMIT;
    memcpy(buf, path, (size_t)n + 1);
    return KITH_OK;
}
