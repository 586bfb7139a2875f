/* Names that programs built against glibc 2.38 or later refer to, for an older glibc.
 *
 * From glibc 2.38 on, <stdlib.h> sends strtol() and its siblings to __isoc23_ names, which also
 * read binary literals ("0b101"). The static OpenSSL that tools/setup unpacks on older systems was
 * built that way. Nothing in it passes binary literals, so the older functions serve. Meson
 * compiles this file only where the C library lacks these names; tools/setup checks that no other
 * is missing. */

#include <stdlib.h>

long __isoc23_strtol(const char *text, char **ret_end, int base);
unsigned long __isoc23_strtoul(const char *text, char **ret_end, int base);
long long __isoc23_strtoll(const char *text, char **ret_end, int base);
unsigned long long __isoc23_strtoull(const char *text, char **ret_end, int base);

long __isoc23_strtol(const char *text, char **ret_end, int base)
{
    return strtol(text, ret_end, base);
}

unsigned long __isoc23_strtoul(const char *text, char **ret_end, int base)
{
    return strtoul(text, ret_end, base);
}

long long __isoc23_strtoll(const char *text, char **ret_end, int base)
{
    return strtoll(text, ret_end, base);
}

unsigned long long __isoc23_strtoull(const char *text, char **ret_end, int base)
{
    return strtoull(text, ret_end, base);
}
