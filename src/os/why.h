/* why.h: what the kernel said, for the person who has to mend it.
 *
 * The rooms below src/os return one of our errors (base/err.h), on which programs decide, and tell
 * in a `kith_os_why` which step failed and what the system answered ("open /dev/net/tun: Operation
 * not permitted"). The text never steers anything. Every function takes NULL where nobody will read
 * it. Test: tests/unit/os_files_test.c. */
#ifndef KITH_OS_WHY_H
#define KITH_OS_WHY_H

#include "base/err.h"

struct kith_os_why {
    char text[160]; /* NUL-terminated, cut when longer; written only when a call fails */
};

/* Our error for the system's error number: the nearest by meaning, KITH_E_IO for the rest. */
int kith_os_err(int errnum);
/* Writes the formatted text to why (may be NULL) and returns err. */
int kith_os_say(struct kith_os_why *why, int err, const char *fmt, ...) KITH_PRINTF(3, 4);
/* Writes "<formatted text>: <the system's words for errnum>" and returns kith_os_err(errnum). */
int kith_os_fail(struct kith_os_why *why, int errnum, const char *fmt, ...) KITH_PRINTF(3, 4);

#endif
