/* ram_disk.h: a disk in this process's memory, for SQLite, that counts what is written and fails at
 * the n-th operation. A fork has a disk of its own.
 *
 * Operations are writes, fsyncs, truncations and removals, in the order in which they come.
 * Threads may have files open at once, each its own. */
#ifndef KITH_TESTS_SIM_RAM_DISK_H
#define KITH_TESTS_SIM_RAM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define RAM_DISK_VFS "ram"

struct ram_disk {
    uint64_t asked, failed;
    uint64_t fail_at, fail_run; /* the operation that fails, 0: none; and how many from there on */
    bool (*is_over)(void *ctx); /* whether no more shall fail; may be NULL */
    void *ctx;
    bool full; /* they fail for lack of space, else with an input/output error */
};

extern struct ram_disk ram_disk;
void ram_disk_register(void);
/* A file `to` like `from`, which must stay as it is: they share each page until that of
 * `to` is written. */
void ram_disk_copy(const char *from, const char *to);
/* Forgets all files. */
void ram_disk_clear(void);

#endif
