/* fd_lab.h: how many descriptors or threads this process has; for tests of what must leave none
 * behind. */
#ifndef KITH_TESTS_FD_LAB_H
#define KITH_TESTS_FD_LAB_H

#include <dirent.h>
#include <stddef.h>

/* The same few more than there are, each time. Include cmocka before. */
static inline size_t lab_entries(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static inline size_t lab_descriptors(void)
{
    return lab_entries("/proc/self/fd");
}

#endif
