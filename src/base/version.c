/* The version the build was made as. Meson passes it in, so that it stands in one place. */

#include "kith/version.h"

const char *kith_version(void)
{
    return KITH_VERSION;
}
