#include "vpn/vnet.h"

#include "vpn/checksum.h"
#include "vpn/ip.h"

static uint16_t load_native(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

int kith_vnet_read(struct kith_span in, struct kith_vnet *ret)
{
    if (in.n < KITH_VNET_LEN)
        return KITH_E_MALFORMED;
    *ret = (struct kith_vnet){
        .flags = in.p[0],
        .gso_type = in.p[1],
        .hdr_len = load_native(in.p + 2),
        .gso_size = load_native(in.p + 4),
        .csum_start = load_native(in.p + 6),
        .csum_offset = load_native(in.p + 8),
    };
    return KITH_OK;
}

void kith_vnet_write(const struct kith_vnet *v, uint8_t to[KITH_VNET_LEN])
{
    to[0] = v->flags;
    to[1] = v->gso_type;
    memcpy(to + 2, &v->hdr_len, 2);
    memcpy(to + 4, &v->gso_size, 2);
    memcpy(to + 6, &v->csum_start, 2);
    memcpy(to + 8, &v->csum_offset, 2);
}

int kith_vnet_complete(const struct kith_vnet *v, uint8_t *packet, size_t len, size_t l4)
{
    if ((v->flags & KITH_VNET_NEEDS_CSUM) == 0)
        return KITH_OK;
    size_t start = v->csum_start, at = start + v->csum_offset;
    if (start < l4 || at + 2 > len)
        return KITH_E_MALFORMED;

    uint16_t checksum = (uint16_t)~kith_sum_fold(kith_sum_add(0, packet + start, len - start));
    /* 0 would mean "no checksum" to UDP; for the others both forms of zero are equal. */
    kith_store_u16(packet + at, checksum == 0 ? 0xffff : checksum);
    return KITH_OK;
}
