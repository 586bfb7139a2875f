/* soak_vpn.h: how many members a packet core knows, looked at from inside. Apart from soak.h for
 * the sake of names, as soak_view.h. */
#ifndef KITH_TESTS_SIM_SOAK_VPN_H
#define KITH_TESTS_SIM_SOAK_VPN_H

#include <stddef.h>

struct kith_vpn;

size_t soak_vpn_members(const struct kith_vpn *v);

#endif
