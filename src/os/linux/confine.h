/* confine.h: the two fences of os/confine.h. Not for others. */
#ifndef KITH_OS_LINUX_CONFINE_H
#define KITH_OS_LINUX_CONFINE_H

#include "os/confine.h"

/* Needs no_new_privs. KITH_E_UNSUPPORTED: this kernel has no Landlock; nothing changed. */
int kith_confine_files(const struct kith_confine_path *paths, size_t n,
                       struct kith_os_why *why) KITH_MUST_CHECK;
/* For every thread. Later calls of kith_confine_files would be refused. */
int kith_confine_calls(struct kith_os_why *why) KITH_MUST_CHECK;

#endif
