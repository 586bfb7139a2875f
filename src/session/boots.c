#include "session/boots.h"

static bool was_replaced(const struct kith_boots *b, uint64_t boot)
{
    for (size_t i = 0; boot != 0 && i < KITH_BOOTS_KEPT; i++)
        if (b->replaced[i] == boot)
            return true;
    return false;
}

bool kith_boots_replace(struct kith_boots *b, uint64_t was, uint64_t by, kith_time now)
{
    bool is_back = was_replaced(b, by);
    bool again = is_back && b->back_at != 0 && kith_since(now, b->back_at) <= KITH_BOOTS_WINDOW;

    if (is_back)
        b->back_at = now;
    if (!was_replaced(b, was)) {
        b->replaced[b->next] = was;
        b->next = (uint8_t)((b->next + 1) % KITH_BOOTS_KEPT);
    }
    return again;
}
