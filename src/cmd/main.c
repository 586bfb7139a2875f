/* The kith program: reads its arguments and prints. */

#include <stdio.h>

#include "kith/version.h"

int main(void)
{
    printf("kith %s\n", kith_version());
    return 0;
}
