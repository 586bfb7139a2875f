#include "base/random.h"

#include <string.h>

uint64_t kith_random_u64(const struct kith_random *r)
{
    uint64_t v;

    kith_random_fill(r, &v, sizeof v);
    return v;
}

uint64_t kith_random_below(const struct kith_random *r, uint64_t bound)
{
    /* reject the short last interval, so that every value is as likely as the next */
    uint64_t spill = UINT64_MAX % bound;
    uint64_t v;

    do
        v = kith_random_u64(r);
    while (v > UINT64_MAX - 1 - spill && spill != bound - 1);
    return v % bound;
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void kith_random_seeded_init(struct kith_random_seeded *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

/* xoshiro256**, Blackman and Vigna 2018 */
static uint64_t seeded_next(struct kith_random_seeded *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

static void seeded_fill(void *ctx, uint8_t *p, size_t n)
{
    struct kith_random_seeded *r = ctx;

    while (n > 0) {
        uint64_t v = seeded_next(r);
        size_t k = n < sizeof v ? n : sizeof v;
        memcpy(p, &v, k);
        p += k;
        n -= k;
    }
}

struct kith_random kith_random_from_seed(struct kith_random_seeded *r)
{
    return (struct kith_random){.fill = seeded_fill, .ctx = r};
}
