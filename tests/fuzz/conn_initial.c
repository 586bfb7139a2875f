/* First packets of strangers. The first byte says what follows: a whole datagram, or the decrypted
 * frames of one. The laws: nothing is read beyond the end; no cut datagram is authentic; padding
 * behind frames that are whole does not change what they are. */
#include <stdlib.h>

#include "conn/quic/initial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void look(const uint8_t *p, size_t n)
{
    static struct initial_opener *o; /* kept: it has no memory of packets, which is a law, too */

    check(o != NULL || initial_opener_new(&kith_heap, &o) == KITH_OK);
    enum initial_kind kind = initial_look(o, (struct kith_span){p, n});
    check(initial_look(o, (struct kith_span){p, n}) == kind);
    for (size_t cut = 1; n > 0 && kind != INITIAL_NOISE && cut < 64 && cut < n; cut++)
        if (initial_look(o, (struct kith_span){p, n - cut}) != INITIAL_NOISE)
            check(n > 1200); /* bytes behind the packet may go */
}

static void judge(const uint8_t *p, size_t n)
{
    uint8_t *padded = calloc(1, n + 100);

    check(padded != NULL);
    memcpy(padded, p, n);
    enum initial_kind kind = initial_judge((struct kith_span){p, n});
    if (kind != INITIAL_NOISE)
        check(initial_judge((struct kith_span){padded, n + 100}) == kind);
    if (kind == INITIAL_FIRST)
        check(memchr(p, 0x06, n) != NULL);
    free(padded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    (data[0] % 2 == 0 ? look : judge)(data + 1, n - 1);
    return 0;
}
