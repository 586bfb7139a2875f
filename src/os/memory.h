/* memory.h: pages for secrets: locked in RAM, in no core dump, between two that nobody may touch.
 *
 * Whole mappings; cutting them up is the caller's. Source: mlock2(2), madvise(2).
 * Test: tests/unit/os_memory_test.c. */
#ifndef KITH_OS_MEMORY_H
#define KITH_OS_MEMORY_H

#include "base/base.h"
#include "os/why.h"

/* n bytes of zeros, a whole number of pages, at *ret. Pages nobody touched take no memory.
 * *ret_locked is false where the host's limit (RLIMIT_MEMLOCK) keeps them from being locked: then
 * they may be swapped out, and why says so. KITH_E_NOMEM; KITH_E_INVAL: not whole pages. */
int kith_secret_pages_map(size_t n, void **ret, bool *ret_locked,
                          struct kith_os_why *why) KITH_MUST_CHECK;
/* Wipes and gives back what was mapped with this n; NULL is fine. */
void kith_secret_pages_unmap(void *p, size_t n);

#endif
