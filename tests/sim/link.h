/* link.h: one direction of a link: when what goes in comes out, and what never does.
 *
 * Pure: time and randomness come in, so that the same model runs in virtual time (net.h) and in
 * real time (tests/lab/wire.c). A datagram first enters, which is where it may be lost, then
 * passes: it waits for the rate in a bounded queue, then takes the delay.
 * Tests: tests/unit/sim_link_test.c. */
#ifndef KITH_TESTS_SIM_LINK_H
#define KITH_TESTS_SIM_LINK_H

#include "base/base.h"
#include "base/random.h"

struct sim_link {
    kith_dur delay;       /* one way */
    kith_dur jitter;      /* up to this much more; packets keep their order */
    uint64_t rate;        /* bit/s; 0: unlimited */
    size_t queue;         /* bytes that wait for the rate; 0: 256 kB */
    unsigned loss_ppm;    /* lost, of a million */
    unsigned burst;       /* mean number lost in a row; 0: each by itself, whatever the last was */
    unsigned dup_ppm;     /* delivered twice */
    unsigned reorder_ppm; /* held back by `reorder_by` */
    kith_dur reorder_by;
    size_t mtu; /* largest UDP payload; 0: 1472 */
    bool cut;
};

/* What is remembered of one direction; all-zero: nothing has gone there yet. */
struct sim_pipe {
    kith_time free_at; /* when the rate lets the next packet start */
    kith_time last_at; /* latest arrival so far, to keep order under jitter */
    bool losing;       /* within a burst */
};

enum sim_verdict {
    SIM_PASSES,
    SIM_CUT,
    SIM_TOO_LARGE,
    SIM_LOST,
    SIM_NO_ROOM, /* the queue is full */
    SIM_VERDICTS,
};

/* Whether a datagram of `len` bytes gets in at all. */
enum sim_verdict sim_pipe_enter(struct sim_pipe *p, const struct sim_link *l, size_t len,
                                const struct kith_random *r);
/* What got in now comes out at ret_at[0], and again at ret_at[1] unless that is KITH_NEVER. Or it
 * finds no room, and ret_at stays as it was. */
enum sim_verdict sim_pipe_pass(struct sim_pipe *p, const struct sim_link *l, size_t len,
                               const struct kith_random *r, kith_time now, kith_time ret_at[2]);

#endif
