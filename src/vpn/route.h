/* route.h: longest-prefix match from an address to whoever answers for it.
 *
 * One hash table holds the routes of every length; a look-up asks for each length in use, longest
 * first. Host routes, which nearly all routes are, are found at the first try, and the number of
 * different lengths stays small however many routes there are. Values are borrowed pointers.
 * Test: tests/unit/vpn_route_test.c */
#ifndef KITH_VPN_ROUTE_H
#define KITH_VPN_ROUTE_H

#include "base/addr.h"
#include "base/env.h"
#include "base/map.h"

struct kith_routes {
    struct kith_map map;
    uint32_t of_length[2][129]; /* routes with so many bits; IPv4, IPv6 */
};

/* At most max routes. Allocates nothing yet. */
void kith_routes_init(struct kith_routes *r, const struct kith_env *env, size_t max);
void kith_routes_fini(struct kith_routes *r);
/* KITH_E_TAKEN when the very prefix has a route, KITH_E_INVAL for one of no family or with host
 * bits set, KITH_E_FULL, KITH_E_NOMEM; then nothing has changed. */
int kith_routes_add(struct kith_routes *r, const struct kith_prefix *to,
                    void *value) KITH_MUST_CHECK;
/* Forgets the route to exactly this prefix; harmless when there is none. */
void kith_routes_remove(struct kith_routes *r, const struct kith_prefix *to);
/* The value of the longest prefix that holds ip, or NULL; then *ret_bits, which may be NULL, stays
 * as it is, else it is the prefix's length. */
void *kith_routes_match(const struct kith_routes *r, const struct kith_ip *ip, unsigned *ret_bits);
static inline void *kith_routes_find(const struct kith_routes *r, const struct kith_ip *ip)
{
    return kith_routes_match(r, ip, NULL);
}

#endif
