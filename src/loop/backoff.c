#include "loop/backoff.h"

kith_time kith_backoff_failed(struct kith_backoff *b, kith_time now)
{
    kith_time at = kith_after(now, b->wait);

    b->wait = b->wait == 0 ? KITH_BACKOFF_FIRST : 2 * b->wait;
    if (b->wait > KITH_BACKOFF_MAX)
        b->wait = KITH_BACKOFF_MAX;
    return at;
}

kith_time kith_backoff_lost(struct kith_backoff *b, kith_time since, kith_time now)
{
    if (kith_since(now, since) >= KITH_BACKOFF_STEADY)
        b->wait = 0;
    return kith_backoff_failed(b, now);
}
