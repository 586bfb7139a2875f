#include "sim/soak_view.h"

#include "identity/network_view_parts.h"

size_t soak_map_bytes(const struct kith_map *m)
{
    return m->cap * (sizeof(void *) + KITH_MAP_KEY_MAX);
}

static void count_map(const struct kith_map *m, struct soak_view *ret)
{
    ret->blocks += m->cap > 0 ? 1 : 0;
    ret->bytes += soak_map_bytes(m);
}

void soak_view_count(const struct kith_netview *v, struct soak_view *ret)
{
    const struct kith_held *h;
    size_t at = 0;

    *ret = (struct soak_view){.objects = v->by_key.n,
                              .known = v->by_peer.n,
                              .certificates = v->count.members,
                              .revocations = v->count.revocations,
                              .offices = v->count.admins,
                              .pending = v->count.pending};
    while ((h = kith_map_next(&v->by_key, &at)) != NULL) {
        ret->blocks++;
        ret->bytes += sizeof *h + h->obj.bytes.n;
        ret->lists += h->obj.env.kind == KITH_OBJECT_members_body ? 1 : 0;
        ret->endpoints += h->obj.env.kind == KITH_OBJECT_endpoints_body ? 1 : 0;
    }
    ret->blocks += v->by_peer.n;
    ret->bytes += v->by_peer.n * sizeof(struct kith_known);
    count_map(&v->by_key, ret);
    count_map(&v->by_peer, ret);
}
