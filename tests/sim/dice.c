#define OPENSSL_SUPPRESS_DEPRECATED /* the other way is a whole provider */
#include "sim/dice.h"

#include <stdlib.h>

#include <openssl/rand.h>

#include "base/random.h"

static struct kith_random_seeded dice;

static int throw(unsigned char *p, int n)
{
    const struct kith_random r = kith_random_from_seed(&dice);

    kith_random_fill(&r, p, (size_t)n);
    return 1;
}

static int is_ready(void)
{
    return 1;
}

void sim_dice(uint64_t seed)
{
    static const RAND_METHOD method = {.bytes = throw, .pseudorand = throw, .status = is_ready};

    kith_random_seeded_init(&dice, seed);
    if (RAND_set_rand_method(&method) != 1)
        abort();
}
