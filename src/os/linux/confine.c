/* Both fences, in the order in which they can be put up. */
#include "os/linux/confine.h"

#include <dirent.h>
#include <errno.h>
#include <sys/prctl.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true /* clang */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* gcc */
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* Landlock takes in the calling thread only, and those it makes. */
static int alone(struct kith_os_why *why)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *e;
    size_t n = 0;

    if (tasks == NULL)
        return kith_os_fail(why, errno, "count this process's threads");
    while ((e = readdir(tasks)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(tasks);
    return n == 1 ? KITH_OK
                  : kith_os_say(why, KITH_E_STATE, "%zu threads run already: too late", n);
}

int kith_confine(const struct kith_confine_path *paths, size_t n, bool *ret_files,
                 struct kith_os_why *why)
{
    int err, files;

    if (SANITIZED)
        return kith_os_say(why, KITH_E_UNSUPPORTED,
                           "this build has a sanitizer, which needs what confinement forbids");
    err = alone(why);
    if (err < 0)
        return err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return kith_os_fail(why, errno, "give up new privileges (PR_SET_NO_NEW_PRIVS)");
    files = kith_confine_files(paths, n, why);
    if (files < 0 && files != KITH_E_UNSUPPORTED)
        return files;
    err = kith_confine_calls(files < 0 ? NULL : why);
    if (err == KITH_OK)
        *ret_files = files == KITH_OK;
    return err;
}
