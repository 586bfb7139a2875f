/* dice.h: the crypto library's randomness from a seed, too, so that a life is the same again.
 *
 * Whole nodes take theirs from the simulated network, but keys, nonces and signatures come from
 * OpenSSL's own. For the whole process, until it ends; not for secrets. */
#ifndef KITH_TESTS_SIM_DICE_H
#define KITH_TESTS_SIM_DICE_H

#include <stdint.h>

void sim_dice(uint64_t seed);

#endif
