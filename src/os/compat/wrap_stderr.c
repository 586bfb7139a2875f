/* Lets static libraries that were compiled for programs only become part of the shared libkith.
 *
 * Debian's libngtcp2.a is position-independent enough for an executable (-fPIE) but not for a
 * shared library (-fPIC): two of its debugging helpers name `stderr`, a variable of another
 * library, in a way only an executable may. Linked with --wrap=stderr, the shared library has them
 * name this variable of its own instead, which holds the same stream. Meson adds file and option
 * only where it must. */

#include <stdio.h>

extern FILE *__real_stderr;
FILE *__wrap_stderr;

__attribute__((constructor)) static void wrap_stderr(void)
{
    __wrap_stderr = __real_stderr;
}
