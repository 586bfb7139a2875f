/* wire.c: any bytes for every decoder of every table; the first byte chooses which. */
#include "wire_laws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n > 0)
        (void)wire_entries[data[0] % KITH_COUNT(wire_entries)].holds(
            (struct kith_span){data + 1, n - 1});
    return 0;
}
