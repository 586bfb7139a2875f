/* soak_view.h: what a network view holds, looked at from inside. Apart from soak.h, because the
 * view's insides and the packet core's have a name in common. */
#ifndef KITH_TESTS_SIM_SOAK_VIEW_H
#define KITH_TESTS_SIM_SOAK_VIEW_H

#include "base/map.h"
#include "identity/network_view.h"

struct soak_view {
    size_t blocks, bytes; /* of memory, for all that is counted here */
    size_t objects, known, certificates, revocations, offices, lists, endpoints, pending;
};

void soak_view_count(const struct kith_netview *v, struct soak_view *ret);
/* Bytes of a map. */
size_t soak_map_bytes(const struct kith_map *m);

#endif
