/* measured.h: what ways through others were like before a restart (mesh/measured.h).
 *
 * Rows are by network, destination and neighbour, and bounded by who writes them. Tests:
 * tests/unit/store_measured_test.c */
#ifndef KITH_STORE_MEASURED_H
#define KITH_STORE_MEASURED_H

#include "store/store.h"

struct kith_store_measured {
    uint8_t network[32], destination[16];
    uint8_t peer[32]; /* the neighbour */
    uint32_t rtt;     /* microseconds; 0: none */
    uint16_t loss;    /* of 65535 */
    kith_wall at;
};

/* Forgets all. */
int kith_store_measured_clear(struct kith_store *s) KITH_MUST_CHECK;
/* In the place of one of the same network, destination and neighbour. */
int kith_store_measured_add(struct kith_store *s,
                            const struct kith_store_measured *m) KITH_MUST_CHECK;
/* Visits those of a network, the oldest first. What visit returns when not 0 ends the walk and is
 * returned. */
int kith_store_measured_list(struct kith_store *s, const uint8_t network[32],
                             int (*visit)(void *ctx, const struct kith_store_measured *m),
                             void *ctx) KITH_MUST_CHECK;

#endif
