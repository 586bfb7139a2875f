/* measured.h: what ways were found to be like, beyond the ways themselves.
 *
 * A neighbour may take back all it told and tell it anew, and a session may end and come again;
 * what was measured over it is not the neighbour's to take back. So it is kept here for a while, by
 * destination and neighbour, and the caller may keep it over restarts. Only what this node measured
 * itself gets in, so others cannot fill it; beyond `max` what was noted longest ago goes.
 * Test: tests/unit/mesh_measured_test.c. */
#ifndef KITH_MESH_MEASURED_H
#define KITH_MESH_MEASURED_H

#include "base/env.h"
#include "wire/ids.h"

#define KITH_MESH_MEASURED_FOR (3600 * KITH_SEC) /* then it is found no more */

struct kith_mesh_measure {
    struct kith_destination to;
    uint32_t neighbour;
    uint32_t rtt;         /* smoothed, microseconds; 0: none */
    uint32_t avoid_until; /* seconds of the node's monotonic clock; 0: it did not fail */
    uint32_t at;          /* when it was noted: the same clock */
    uint16_t loss;        /* smoothed, of 65535 */
};

struct kith_mesh_measured;

/* KITH_E_NOMEM. */
int kith_mesh_measured_new(const struct kith_env *env, size_t max,
                           struct kith_mesh_measured **ret) KITH_MUST_CHECK;
void kith_mesh_measured_free(struct kith_mesh_measured *m);

/* In the place of what was noted of the same destination and neighbour. Without memory for it it is
 * not kept. */
void kith_mesh_measured_note(struct kith_mesh_measured *m, const struct kith_mesh_measure *what);
/* Nothing that was noted of it counts any more. */
void kith_mesh_measured_drop(struct kith_mesh_measured *m, const struct kith_destination *to,
                             uint32_t neighbour);
/* Nor of the neighbour. */
void kith_mesh_measured_forget(struct kith_mesh_measured *m, uint32_t neighbour);
/* Bytes held, in *ret_blocks allocations. */
size_t kith_mesh_measured_size(const struct kith_mesh_measured *m, size_t *ret_blocks);
/* Gives back what would not be found any more; how many are left. */
size_t kith_mesh_measured_tick(struct kith_mesh_measured *m, kith_time now);
/* What was noted in the last hour; NULL. Until the next note. */
const struct kith_mesh_measure *kith_mesh_measured_find(const struct kith_mesh_measured *m,
                                                        const struct kith_destination *to,
                                                        uint32_t neighbour, kith_time now);
/* Walks what would be found: start with *at = 0; NULL at the end. No note in between. */
const struct kith_mesh_measure *kith_mesh_measured_next(const struct kith_mesh_measured *m,
                                                        size_t *at, kith_time now);
#endif
