/* What this process takes of the machine. */
#include "os/process.h"

#include <dirent.h>
#include <malloc.h>
#include <sys/resource.h>

/* /proc/self/fd has an entry for each, one for the reading of itself, "." and "..". */
static uint64_t files_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (dir == NULL)
        return KITH_PROCESS_UNKNOWN;
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n > 3 ? n - 3 : 0;
}

static uint64_t files_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return KITH_PROCESS_UNKNOWN;
    return limit.rlim_cur;
}

/* Not what the heap has from the system: what was asked of it. Free room in it hides a leak for
 * long. */
#ifdef __GLIBC__
static uint64_t heap(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd; /* in arenas, and in mappings of their own */
}
#else
static uint64_t heap(void)
{
    return KITH_PROCESS_UNKNOWN;
}
#endif

static uint64_t nanoseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * KITH_SEC + (uint64_t)t.tv_usec * KITH_USEC;
}

static uint64_t cpu_time(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return KITH_PROCESS_UNKNOWN;
    return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

void kith_process_usage(struct kith_process_usage *ret)
{
    uint64_t memory;

    *ret = (struct kith_process_usage){
        .memory_bytes = kith_process_memory(&memory) == KITH_OK ? memory : KITH_PROCESS_UNKNOWN,
        .heap_bytes = heap(),
        .files = files_open(),
        .files_max = files_limit(),
        .cpu = cpu_time(),
    };
}
