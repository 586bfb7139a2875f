#include "identity/destination.h"

#include "base/text.h"
#include "crypto/hash.h"

int kith_destination(const struct kith_peer_id *peer, struct kith_span service,
                     struct kith_destination *ret)
{
    /* the name comes last, so that it needs no length */
    const struct kith_span parts[] = {kith_span_text("kith destination v1"), KITH_SPAN_OF(*peer),
                                      service};
    struct kith_hash h;

    if (!kith_label_valid(service))
        return KITH_E_INVAL;
    int err = kith_sha256_parts(parts, KITH_COUNT(parts), &h);
    if (err == KITH_OK)
        memcpy(ret->b, h.b, sizeof ret->b);
    return err;
}

const char *kith_destination_text(const struct kith_destination *d, char *buf, size_t cap)
{
    return kith_base32_text(KITH_SPAN_OF(*d), buf, cap);
}

int kith_destination_parse(const char *text, struct kith_destination *ret)
{
    struct kith_destination d;
    size_t len, n = strlen(text);

    if (n != KITH_DESTINATION_TEXT - 1 || kith_base32_parse(text, n, d.b, sizeof d.b, &len) < 0)
        return KITH_E_INVAL;
    *ret = d;
    return KITH_OK;
}
