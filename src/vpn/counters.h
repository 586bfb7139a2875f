/* counters.h: the rows of counters.def as numbers, names and reasons. */
#ifndef KITH_VPN_COUNTERS_H
#define KITH_VPN_COUNTERS_H

#include "base/base.h"

enum kith_vpn_drop {
#define COUNTER(name, text)
#define DROP(name, text) KITH_VPN_DROP_##name,
#include "vpn/counters.def"
#undef COUNTER
#undef DROP
    KITH_VPN_DROPS
};

struct kith_vpn_counters {
#define COUNTER(name, text) uint64_t name;
#define DROP(name, text)
#include "vpn/counters.def"
#undef COUNTER
#undef DROP
    uint64_t dropped[KITH_VPN_DROPS]; /* by enum kith_vpn_drop */
};

/* A row for those who print them all. */
struct kith_vpn_count {
    const char *name; /* "sent_packets"; of a drop the bare reason, "no_route" */
    const char *text;
    bool drop;
    uint64_t value;
};

/* Row i of the table; false at its end. */
bool kith_vpn_count_at(const struct kith_vpn_counters *c, size_t i, struct kith_vpn_count *ret);
/* Why, for people; never NULL. */
const char *kith_vpn_drop_text(enum kith_vpn_drop why);

#endif
