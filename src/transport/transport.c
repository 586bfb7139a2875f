#include "transport/transport.h"

bool kith_path_equal(const struct kith_path *a, const struct kith_path *b)
{
    return a->transport == b->transport && kith_addr_equal(&a->remote, &b->remote) &&
           kith_addr_equal(&a->local, &b->local);
}
