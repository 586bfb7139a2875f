/* object.c: any bytes as a signed object, offered to the view of a network. */
#include "identity/network_view.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The object's network, so that it gets past the first question. */
static struct kith_network_id network_of(struct kith_span in)
{
    struct kith_network_id id = {{0}};

    if (in.n >= 34)
        memcpy(id.b, in.p + 2, sizeof id.b);
    return id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct kith_random_seeded seeded;
    kith_random_seeded_init(&seeded, 1);
    struct kith_random random = kith_random_from_seed(&seeded);
    struct kith_env env = {.alloc = &kith_heap, .random = &random};
    struct kith_span in = {data, n};
    struct kith_network_id network = network_of(in);
    struct kith_peer_id me = {{1}};
    struct kith_netview_limits limits = {.members = 4, .admins = 2, .revocations = 2, .pending = 2};
    struct kith_netview_effect fx;
    struct kith_netview *v;
    enum kith_offer what;

    if (kith_netview_new(&env, &network, &me, &limits, &v) < 0)
        return 0;
    if (kith_netview_offer(v, in, 1800000000, &what, NULL) == KITH_OK && what == KITH_OFFER_KNOWN)
        abort(); /* an empty view knows nothing */
    while (kith_netview_next_effect(v, &fx))
        ;
    kith_netview_free(v);
    return 0;
}
