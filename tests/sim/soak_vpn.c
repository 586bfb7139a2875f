#include "sim/soak_vpn.h"

#include "vpn/vpn_impl.h"

size_t soak_vpn_members(const struct kith_vpn *v)
{
    return v->members.n;
}
