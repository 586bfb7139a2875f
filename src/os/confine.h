/* confine.h: gives up, for good, what a running node does not need of the kernel.
 *
 * Two fences, one inside the other. System calls (seccomp): the ones a node uses stay, some with
 * certain arguments only; what is of use to an intruder alone ends the process; anything else fails
 * with EPERM. Files (Landlock, where the kernel has it): the given paths stay, whatever this user
 * may otherwise do. Open descriptors are as good as before. Needs no privilege, and rules out
 * getting any by a new program (no_new_privs).
 *
 * Called once, when everything is open that will not be opened again: sockets other than UDP, TCP,
 * Unix and rtnetlink ones, devices, libraries. Before any thread: threads made later are inside.
 * The tables are in src/os/linux/confine_calls.def. Page: docs/modules/os.md.
 * Test: tests/unit/os_confine_test.c, tests/lab/confined.sh. */
#ifndef KITH_OS_CONFINE_H
#define KITH_OS_CONFINE_H

#include "base/base.h"
#include "os/why.h"

struct kith_confine_path {
    const char *path; /* a file, or a folder and everything in it; symbolic links are followed */
    bool write;       /* also create, change and remove, but nothing is ever executed */
    bool device;      /* also its ioctls, those that are in the table of calls */
    bool optional;    /* may be missing; then it stays out of reach, even if it appears later */
};

/* After an error the process is to end: part of it may be in force. KITH_E_UNSUPPORTED: the kernel
 * has no seccomp, or this build has a sanitizer, which needs what is forbidden here; KITH_E_STATE:
 * there are threads already; KITH_E_NOTFOUND, KITH_E_PERM: a path. *ret_files is false where the
 * kernel has no Landlock: files are then as open as before, and why is filled all the same. */
int kith_confine(const struct kith_confine_path *paths, size_t n, bool *ret_files,
                 struct kith_os_why *why) KITH_MUST_CHECK;

#endif
