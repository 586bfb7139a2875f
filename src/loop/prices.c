#include "loop/prices.h"

#include <string.h>
#include <time.h>

enum {
    ROUNDS = 8,
    CHEAPER_MAX = 2, /* however fast the machine looks, prices stay above half of the known ones */
    DEARER_MAX = 100,
    OFF_BY = 8, /* prices are left alone while they are right to one part in so many */
};

/* What is timed at the start, on the machine on which the prices of conn/quic/quic.h were
 * measured. */
#define REFERENCE (750 * KITH_USEC)

/* ---- pure ---- */

static kith_dur believable(kith_dur whole)
{
    if (whole < REFERENCE / CHEAPER_MAX)
        return REFERENCE / CHEAPER_MAX;
    return whole > REFERENCE * DEARER_MAX ? REFERENCE * DEARER_MAX : whole;
}

static struct kith_quic_prices prices_at(kith_dur whole)
{
    return (struct kith_quic_prices){
        .handshake = KITH_QUIC_HANDSHAKE_COST * whole / REFERENCE,
        .initial = KITH_QUIC_INITIAL_COST * whole / REFERENCE,
        .retry = KITH_QUIC_RETRY_COST * whole / REFERENCE,
    };
}

void kith_prices_set(struct kith_prices *p, kith_dur whole, kith_dur part)
{
    if (whole == 0 || part == 0)
        return;
    p->whole = whole;
    p->part = p->follow = part;
    p->n_last = 0;
    p->now = prices_at(believable(whole));
}

static kith_dur median(const struct kith_prices *p)
{
    kith_dur sorted[KITH_PRICES_KEPT];

    for (size_t i = 0; i < KITH_PRICES_KEPT; i++) {
        size_t k = i;

        for (; k > 0 && sorted[k - 1] > p->last[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = p->last[i];
    }
    return sorted[KITH_PRICES_KEPT / 2];
}

static bool is_off(kith_dur is, kith_dur should_be)
{
    kith_dur off = is > should_be ? is - should_be : should_be - is;

    return off > should_be / OFF_BY;
}

bool kith_prices_follow(struct kith_prices *p, kith_dur part)
{
    if (p->whole == 0 || part == 0)
        return false;
    p->last[p->n_last++ % KITH_PRICES_KEPT] = part;
    if (p->n_last < KITH_PRICES_KEPT || !is_off(p->follow, median(p)))
        return false;
    p->follow = median(p);
    kith_dur most = REFERENCE * DEARER_MAX;
    p->now = prices_at(p->follow > most ? most : believable(p->whole * p->follow / p->part));
    return true;
}

/* ---- timing ---- */

static const char text[] = "what is the price of a handshake";

static kith_dur thread_time(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (kith_dur)t.tv_sec * KITH_SEC + (kith_dur)t.tv_nsec;
}

/* 0: it cannot be done. */
static kith_dur time_verifying(const struct kith_prices *p)
{
    kith_dur from = thread_time();

    return kith_verify(&p->key, kith_span_text(text), &p->sig) == KITH_OK
               ? kith_since(thread_time(), from)
               : 0;
}

static kith_dur time_signing(struct kith_prices *p, const struct kith_sign_key *key)
{
    kith_dur from = thread_time();

    return kith_sign(key, kith_span_text(text), &p->sig) == KITH_OK
               ? kith_since(thread_time(), from)
               : 0;
}

void kith_prices_begin(struct kith_prices *p, const struct kith_sign_key *key)
{
    kith_dur signing = 0, verifying = 0;

    kith_sign_key_public(key, &p->key);
    for (int i = 0; i < ROUNDS; i++) {
        kith_dur s = time_signing(p, key), v = time_verifying(p);

        if (s == 0 || v == 0)
            return;
        signing += s;
        verifying += v;
    }
    kith_prices_set(p, (signing + verifying) / ROUNDS, verifying / ROUNDS);
}

bool kith_prices_look(struct kith_prices *p, uint64_t strangers, kith_time now)
{
    if (p->whole == 0 || strangers == p->strangers || now < p->next)
        return false;
    p->strangers = strangers;
    p->next = kith_after(now, KITH_PRICES_AGAIN);
    return kith_prices_follow(p, time_verifying(p));
}
