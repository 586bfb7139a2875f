#include "session/codel.h"

/* The names of RFC 8289's pseudo-code are: above_until, first_above_time_; drop_at, drop_next_;
 * dropping, dropping_; count and last_count, count_ and lastcount_. */

static uint32_t square_root(uint32_t n)
{
    uint32_t r = 0;

    for (uint32_t bit = 1u << 15; bit > 0; bit >>= 1)
        if ((uint64_t)(r + bit) * (r + bit) <= n)
            r += bit;
    return r;
}

/* The control law: intervals shrink with the square root of the drops. Fractions matter: the root
 * is taken of 2^16 times the count. */
static kith_time next_drop(kith_time t, uint32_t count)
{
    uint32_t root = square_root(count < 65535 ? count << 16 : UINT32_MAX);

    return kith_after(t, (KITH_CODEL_INTERVAL << 8) / (root > 0 ? root : 256));
}

/* Whether the wait has been too long for a whole interval. */
static bool too_long(struct kith_codel *c, kith_dur waited, size_t backlog, kith_time now)
{
    if (waited < KITH_CODEL_TARGET || backlog <= KITH_CODEL_BACKLOG) {
        c->above_until = 0;
        return false;
    }
    if (c->above_until == 0) {
        c->above_until = kith_after(now, KITH_CODEL_INTERVAL);
        return false;
    }
    return now >= c->above_until;
}

/* Dropping begins where it ended, if that is not long ago: the rate that was right then is. */
static void begin(struct kith_codel *c, kith_time now)
{
    uint32_t since = c->count - c->last_count;
    bool lately = kith_since(now, c->drop_at) < 16 * KITH_CODEL_INTERVAL;

    c->dropping = true;
    c->count = since > 1 && lately ? since : 1;
    c->last_count = c->count;
    c->drop_at = next_drop(now, c->count);
}

bool kith_codel_drops(struct kith_codel *c, kith_dur waited, size_t backlog, kith_time now)
{
    bool bad = too_long(c, waited, backlog, now);

    if (!c->dropping) {
        if (bad)
            begin(c, now);
        return bad;
    }
    if (!bad) {
        c->dropping = false;
        return false;
    }
    if (now < c->drop_at)
        return false;
    c->count++;
    c->drop_at = next_drop(c->drop_at, c->count);
    return true;
}

void kith_codel_rests(struct kith_codel *c)
{
    c->above_until = 0;
    c->dropping = false;
}
