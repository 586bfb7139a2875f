/* Whatever fragments a peer sends, at whatever times. The input is a row of: a byte of time, two
 * bytes of length, a datagram. What comes out whole is no longer than its pieces together allow,
 * and piece by piece what went in. */
#include "session/reassembly.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* The piece that completed the packet lies in it, at its place. */
static void look_at(const struct kith_ip_fragment *f, struct kith_span whole)
{
    check(whole.n >= f->count && whole.n <= KITH_REASSEMBLY_BYTES);
    check(f->part.n <= whole.n);
    size_t at = f->index + 1 == f->count ? whole.n - f->part.n : f->index * f->part.n;
    check(at <= whole.n - f->part.n && memcmp(whole.p + at, f->part.p, f->part.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kith_reader in = kith_reader_on((struct kith_span){data, size});
    struct kith_reassembly r = {.alloc = &kith_heap};
    kith_time now = 0;

    while (!in.bad && kith_reader_left(&in) > 0) {
        struct kith_ip_fragment f;
        struct kith_span whole = {0};
        uint8_t ecn;
        now += kith_get_u8(&in) * (KITH_SEC / 64); /* a fifth of all steps are over a second */
        struct kith_span datagram = kith_get_bytes(&in, 2, KITH_REASSEMBLY_BYTES);
        if (in.bad || kith_ip_fragment_decode(datagram, &f) < 0)
            continue;
        int err = kith_reassembly_add(&r, &f, 0, now, &whole, &ecn);
        check(err == KITH_OK || err == KITH_E_AGAIN || err == KITH_E_MALFORMED ||
              err == KITH_E_LIMIT);
        check((err == KITH_OK) == (whole.p != NULL));
        if (err == KITH_OK)
            look_at(&f, whole);
    }
    kith_reassembly_fini(&r);
    return 0;
}
