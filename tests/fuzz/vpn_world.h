/* vpn_world.h: one network with one other member, for fuzzing src/vpn. */
#ifndef KITH_TESTS_FUZZ_VPN_WORLD_H
#define KITH_TESTS_FUZZ_VPN_WORLD_H

#include <stdlib.h>

#include "vpn/vpn.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* We stand for the lower half of all addresses, the member for the upper, so that the fuzzer need
 * not guess any. */
static const struct kith_prefix lower[] = {{{KITH_FAMILY_IP4, {0}}, 1},
                                           {{KITH_FAMILY_IP6, {0}}, 1}};
static const struct kith_prefix upper[] = {{{KITH_FAMILY_IP4, {128}}, 1},
                                           {{KITH_FAMILY_IP6, {128}}, 1}};

static void populate(struct kith_vpn *v)
{
    struct kith_vpn_network net = {.ip4 = kith_ip4(100, 64, 0, 1),
                                   .ip6 = {KITH_FAMILY_IP6, {0xfd, [15] = 1}},
                                   .subnets = lower,
                                   .subnet_count = 2};
    struct kith_vpn_member m = {.handle = 1,
                                .ip4 = kith_ip4(100, 64, 0, 2),
                                .ip6 = {KITH_FAMILY_IP6, {0xfd, [15] = 2}},
                                .subnets = upper,
                                .subnet_count = 2};

    check(kith_vpn_network_set(v, 0, &net) == KITH_OK);
    check(kith_vpn_member_set(v, &m) == KITH_OK);
}

#endif
