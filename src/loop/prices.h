/* prices.h: what strangers' work costs on this machine.
 *
 * The endpoint charges strangers at fixed prices, so that it needs no clock (conn/quic/quic.h). How
 * dear a handshake is differs by a factor of fifty between a router and a server; so at the start
 * the one thing that most of a handshake consists of is timed, and the prices follow it.
 * Order: probe, then set.  Spec: docs/spec/session.md 2.4.  Test: tests/unit/loop_prices_test.c. */
#ifndef KITH_LOOP_PRICES_H
#define KITH_LOOP_PRICES_H

#include "conn/quic/quic.h"

/* Thread time of a signature and its verification, the mean of eight, about 7 ms in all on a
 * laptop; time in which other programs had the processor does not count. 0 when it cannot be
 * measured. */
kith_dur kith_prices_probe(const struct kith_sign_key *key);
/* Sets the three prices after a probe; 0 leaves them as they are. */
void kith_prices_set(struct kith_quic_config *cfg, kith_dur probe);

#endif
