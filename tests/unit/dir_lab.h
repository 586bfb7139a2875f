/* dir_lab.h: an empty directory of its own for each test, which is the working directory meanwhile.
 * A setup and a teardown for cmocka. */
#ifndef KITH_TESTS_UNIT_DIR_LAB_H
#define KITH_TESTS_UNIT_DIR_LAB_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char lab_dir[100];

static inline int lab_dir_enter(void **state)
{
    const char *under = getenv("TMPDIR");

    (void)state;
    (void)umask(022);
    (void)snprintf(lab_dir, sizeof lab_dir, "%s/kith-XXXXXX", under != NULL ? under : P_tmpdir);
    return mkdtemp(lab_dir) == NULL || chdir(lab_dir) < 0 ? -1 : 0;
}

static inline int lab_dir_leave(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", lab_dir);
    return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

#endif
