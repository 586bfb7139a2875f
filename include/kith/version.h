/* Which libkith is this? */

#ifndef KITH_VERSION_H
#define KITH_VERSION_H

#include "kith/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use, as "major.minor.patch". The text lives as long as the process.
 */
KITH_API const char *kith_version(void);

#ifdef __cplusplus
}
#endif

#endif
