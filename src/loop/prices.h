/* prices.h: what strangers' work costs on this machine, now.
 *
 * The endpoint charges strangers at fixed prices, so that it needs no clock (conn/quic/quic.h). How
 * dear a handshake is differs by a factor of fifty between a router and a server; so at the start
 * the one thing that most of a handshake consists of is timed, and the prices follow it. And a
 * machine becomes slower, when it is hot, runs from its battery or shares its processor: so while
 * strangers come, a part of it, a verification, is timed again every few seconds, and prices follow
 * the median of the last five, when that is off by an eighth.
 * Order: begin, then look.  Spec: docs/spec/session.md 2.4.  Test: tests/unit/loop_prices_test.c.
 */
#ifndef KITH_LOOP_PRICES_H
#define KITH_LOOP_PRICES_H

#include "conn/quic/quic.h"

#define KITH_PRICES_AGAIN (2 * KITH_SEC)

enum { KITH_PRICES_KEPT = 5 };

struct kith_prices { /* all-zero: nothing was timed, the prices are the defaults */
    struct kith_quic_prices now;
    kith_dur whole;  /* a signature and its verification, at the start; 0: not timed */
    kith_dur part;   /* the verification alone, at the start */
    kith_dur follow; /* what `now` follows: the verification's time */
    kith_dur last[KITH_PRICES_KEPT];
    size_t n_last; /* ever */
    kith_time next;
    uint64_t strangers; /* at the last look */
    struct kith_public_key key;
    struct kith_signature sig; /* what is verified */
};

/* Thread time of work; time in which other programs had the processor does not count. Signing is
 * the mean of eight, because it takes a random number of tries (FIPS 204 algorithm 7): about 7 ms
 * in all on a laptop. */
void kith_prices_begin(struct kith_prices *p, const struct kith_sign_key *key);
/* Once a turn; `strangers` counts what they did, ever. Verifies once, where it is time for it. Says
 * whether `now` changed. */
bool kith_prices_look(struct kith_prices *p, uint64_t strangers, kith_time now);

/* The pure parts. What was timed at the start: */
void kith_prices_set(struct kith_prices *p, kith_dur whole, kith_dur part);
/* A verification took this long. Says whether `now` changed. */
bool kith_prices_follow(struct kith_prices *p, kith_dur part);

#endif
