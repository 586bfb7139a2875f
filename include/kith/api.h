/* Marks what the shared library exports.
 *
 * libkith is compiled with hidden visibility, so that the functions its parts share among
 * themselves are nobody's interface. A declaration in include/kith/ that starts with KITH_API is
 * visible. */

#ifndef KITH_API_H
#define KITH_API_H

#if defined(__GNUC__)
#define KITH_API __attribute__((visibility("default")))
#else
#define KITH_API
#endif

#endif
