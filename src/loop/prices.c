#include "loop/prices.h"

#include <time.h>

enum {
    ROUNDS = 8,      /* a signature takes a random number of tries (FIPS 204 algorithm 7) */
    CHEAPER_MAX = 2, /* however fast the machine looks, prices stay above half of the known ones */
    DEARER_MAX = 100,
};

/* The probe on the machine on which the prices of conn/quic/quic.h were measured. */
#define REFERENCE (750 * KITH_USEC)

static kith_dur thread_time(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (kith_dur)t.tv_sec * KITH_SEC + (kith_dur)t.tv_nsec;
}

kith_dur kith_prices_probe(const struct kith_sign_key *key)
{
    static const char text[] = "what is the price of a handshake";
    struct kith_public_key pub;
    struct kith_signature sig;
    kith_dur from = thread_time();

    kith_sign_key_public(key, &pub);
    for (int i = 0; i < ROUNDS; i++)
        if (kith_sign(key, kith_span_text(text), &sig) < 0 ||
            kith_verify(&pub, kith_span_text(text), &sig) < 0)
            return 0;
    return kith_since(thread_time(), from) / ROUNDS;
}

static kith_dur scaled(kith_dur price, kith_dur probe)
{
    return price * probe / REFERENCE;
}

void kith_prices_set(struct kith_quic_config *cfg, kith_dur probe)
{
    if (probe == 0)
        return;
    if (probe < REFERENCE / CHEAPER_MAX)
        probe = REFERENCE / CHEAPER_MAX;
    if (probe > REFERENCE * DEARER_MAX)
        probe = REFERENCE * DEARER_MAX;
    cfg->handshake_cost = scaled(KITH_QUIC_HANDSHAKE_COST, probe);
    cfg->initial_cost = scaled(KITH_QUIC_INITIAL_COST, probe);
    cfg->retry_cost = scaled(KITH_QUIC_RETRY_COST, probe);
}
