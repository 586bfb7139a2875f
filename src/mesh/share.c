#include "mesh/share.h"

/* It counts as one that asks in this second. */
static void count(struct kith_share *s, struct kith_share_of *of, kith_time now)
{
    uint32_t second = (uint32_t)(now / KITH_SEC) + 1;

    if (second != s->second) {
        s->before = second == s->second + 1 ? s->asking : 0;
        s->asking = 0;
        s->second = second;
    }
    if (of->second != second) {
        of->second = second;
        s->asking++;
    }
}

/* Pays what lasts `cost`, if little enough is owed. */
static bool pays(kith_time *paid, kith_dur cost, kith_time now)
{
    if (*paid > now && kith_since(*paid, now) > KITH_SHARE_AHEAD)
        return false;
    *paid = kith_after(*paid > now ? *paid : now, cost);
    return true;
}

bool kith_share_takes(struct kith_share *s, struct kith_share_of *of, size_t n, kith_time now)
{
    if (s->rate == 0)
        return true;
    count(s, of, now);
    uint32_t sharing = s->asking > s->before ? s->asking : s->before;
    kith_dur cost = n * KITH_SEC / s->rate;
    if (pays(&s->paid, cost, now)) {
        (void)pays(&of->paid, cost * sharing, now);
        return true;
    }
    if (!pays(&of->paid, cost * sharing, now))
        return false;
    s->paid = kith_after(s->paid, cost); /* others had more than their share: they pay for it */
    return true;
}
