#include "vpn/counters.h"

static const char *const drop_texts[KITH_VPN_DROPS] = {
#define COUNTER(name, text)
#define DROP(name, text) [KITH_VPN_DROP_##name] = text,
#include "vpn/counters.def"
#undef COUNTER
#undef DROP
};

bool kith_vpn_count_at(const struct kith_vpn_counters *c, size_t i, struct kith_vpn_count *ret)
{
    const struct kith_vpn_count rows[] = {
#define COUNTER(name, text) {#name, text, false, c->name},
#define DROP(name, text) {#name, text, true, c->dropped[KITH_VPN_DROP_##name]},
#include "vpn/counters.def"
#undef COUNTER
#undef DROP
    };

    if (i >= KITH_COUNT(rows))
        return false;
    *ret = rows[i];
    return true;
}

const char *kith_vpn_drop_text(enum kith_vpn_drop why)
{
    return drop_texts[why];
}
