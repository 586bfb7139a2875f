/* Clocks, randomness, rights and limits. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

void kith_clock_now(struct kith_now *ret)
{
    struct timespec mono = {0}, wall = {0};

    /* neither can fail: both clocks are older than any kernel this builds on */
    (void)clock_gettime(CLOCK_BOOTTIME, &mono);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    ret->mono = (kith_time)mono.tv_sec * KITH_SEC + (kith_time)mono.tv_nsec;
    ret->wall = wall.tv_sec < 0 ? 0 : (kith_wall)wall.tv_sec;
}

static void system_fill(void *ctx, uint8_t *p, size_t n)
{
    (void)ctx;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        p += got;
        n -= (size_t)got;
    }
}

struct kith_random kith_random_system(void)
{
    return (struct kith_random){.fill = system_fill};
}

int kith_process_privileges(struct kith_privileges *ret, struct kith_os_why *why)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    /* libcap would be a dependency for this one line */
    if (syscall(SYS_capget, &header, data) < 0)
        return kith_os_fail(why, errno, "read this process's capabilities (capget)");
    *ret = (struct kith_privileges){
        .euid = (uint32_t)geteuid(),
        .net_admin =
            (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN)) != 0,
    };
    return KITH_OK;
}

/* core(5): with no bit set a core dump holds no memory at all, whoever makes it: the kernel, or
 * gcore, which asks this file, too. */
static int empty_core_dumps(struct kith_os_why *why)
{
    static const char path[] = "/proc/self/coredump_filter";
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return KITH_OK; /* a kernel that makes none */
    if (fd < 0)
        return kith_os_fail(why, errno, "open %s", path);
    int err = write(fd, "0", 1) == 1 ? KITH_OK : kith_os_fail(why, errno, "write %s", path);
    (void)close(fd);
    return err;
}

int kith_process_hide_memory(struct kith_os_why *why)
{
    static const struct rlimit none = {0, 0};
    int err = empty_core_dumps(why); /* before /proc/self belongs to root */

    if (setrlimit(RLIMIT_CORE, &none) < 0)
        err = kith_os_fail(why, errno, "forbid core dumps (RLIMIT_CORE)");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return kith_os_fail(why, errno, "hide this process's memory (PR_SET_DUMPABLE)");
    return err;
}

int kith_process_raise_files(uint64_t wanted, uint64_t *ret_limit, struct kith_os_why *why)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return kith_os_fail(why, errno, "read the limit of open files");
    if (wanted > limit.rlim_max)
        wanted = limit.rlim_max;
    if (wanted > limit.rlim_cur) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            return kith_os_fail(why, errno, "raise the limit of open files");
    }
    *ret_limit = limit.rlim_cur;
    return KITH_OK;
}

int kith_process_memory(uint64_t *ret_bytes)
{
    char line[128]; /* "total resident ...", in pages: proc(5) */
    uint64_t pages;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return kith_os_err(errno);
    bool read = fgets(line, sizeof line, f) != NULL;
    (void)fclose(f);
    char *resident = read ? strchr(line, ' ') : NULL;
    if (resident == NULL)
        return KITH_E_IO;
    resident++;
    resident[strcspn(resident, " ")] = '\0';
    if (kith_u64_parse(resident, &pages) < 0)
        return KITH_E_IO;
    *ret_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return KITH_OK;
}

int kith_peer_credentials(int fd, struct kith_peer_credentials *ret)
{
    struct ucred c = {0};
    socklen_t n = sizeof c;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
        return kith_os_err(errno);
    /* no Unix socket, or nobody at the other end; pid 0 alone is a process of another container */
    if (n != sizeof c || c.uid == (uid_t)-1)
        return KITH_E_IO;
    *ret = (struct kith_peer_credentials){.uid = c.uid, .gid = c.gid, .pid = c.pid};
    return KITH_OK;
}
