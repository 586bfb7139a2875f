#include "conn/delivery.h"

enum {
    ROUNDS = 4, /* round trips of a sample */
    GROWN = 4,  /* a rate grows where it is more by one in so many than the one before */
};

kith_dur kith_delivery_sample_time(kith_dur rtt)
{
    return rtt * ROUNDS > KITH_DELIVERY_SAMPLE ? rtt * ROUNDS : KITH_DELIVERY_SAMPLE;
}

static uint64_t rate_of(uint64_t bytes, kith_dur took)
{
    /* by the microsecond: so it does not overflow below two terabytes */
    return took < KITH_USEC ? 0 : bytes * 8 * (KITH_SEC / KITH_USEC) / (took / KITH_USEC);
}

void kith_delivery_tick(struct kith_delivery *d, kith_time now)
{
    if (d->turn_at == 0 || now < d->turn_at)
        return;
    d->before = kith_since(now, d->turn_at) < KITH_DELIVERY_SPAN ? d->best : 0;
    d->best = 0;
    d->turn_at = d->before == 0 ? 0 : kith_after(d->turn_at, KITH_DELIVERY_SPAN);
}

uint64_t kith_delivery_rate(const struct kith_delivery *d)
{
    return d->best > d->before ? d->best : d->before;
}

static void take(struct kith_delivery *d, uint64_t rate, bool full, kith_time now)
{
    kith_delivery_tick(d, now);
    const uint64_t known = kith_delivery_rate(d);
    if (rate <= d->best || (!full && (known == 0 || rate <= known)))
        return;
    if (d->turn_at == 0)
        d->turn_at = kith_after(now, KITH_DELIVERY_SPAN);
    d->best = rate;
}

void kith_delivery_sample(struct kith_delivery *d, uint64_t bytes, kith_dur took, bool full,
                          kith_time now)
{
    take(d, rate_of(bytes, took), full, now);
}

static void begin_sample(struct kith_delivery *d, uint64_t total, bool held, kith_time now)
{
    d->from = now;
    d->total = total;
    d->held = held;
}

/* A window that still opens says nothing of the path: full is where the rate does not grow. */
static void end_sample(struct kith_delivery *d, uint64_t bytes, kith_time now)
{
    const uint64_t rate = rate_of(bytes, kith_since(now, d->from));
    const bool full = d->held && d->growth != 0 && rate < d->growth + d->growth / GROWN;

    take(d, full && d->growth > rate ? d->growth : rate, full, now);
    d->growth = d->held ? rate : 0;
}

void kith_delivery_count(struct kith_delivery *d, uint64_t total, bool held, kith_dur rtt,
                         kith_time now)
{
    kith_delivery_tick(d, now);
    d->held = d->held && held;
    if (d->from != 0 && kith_since(now, d->from) < kith_delivery_sample_time(rtt))
        return;
    if (d->from != 0 && total > d->total)
        end_sample(d, total - d->total, now);
    begin_sample(d, total, held, now);
}
