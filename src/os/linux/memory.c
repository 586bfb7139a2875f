#include "os/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

int kith_secret_pages_map(size_t n, void **ret, bool *ret_locked, struct kith_os_why *why)
{
    size_t page = page_size();
    if (n == 0 || n % page != 0)
        return kith_os_say(why, KITH_E_INVAL, "%zu bytes are no whole pages", n);

    uint8_t *all =
        mmap(NULL, n + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return kith_os_fail(why, errno, "map memory for secrets");
    void *p = all + page;
    if (mprotect(p, n, PROT_READ | PROT_WRITE) < 0 || madvise(p, n, MADV_DONTDUMP) < 0) {
        int err = kith_os_fail(why, errno, "keep secrets out of core dumps");
        (void)munmap(all, n + 2 * page);
        return err;
    }
    *ret_locked = mlock2(p, n, MLOCK_ONFAULT) == 0;
    if (!*ret_locked)
        (void)kith_os_fail(why, errno, "lock %zu bytes (RLIMIT_MEMLOCK)", n);
    *ret = p;
    return KITH_OK;
}

void kith_secret_pages_unmap(void *p, size_t n)
{
    if (p == NULL)
        return;
    explicit_bzero(p, n);
    (void)munmap((uint8_t *)p - page_size(), n + 2 * page_size());
}
