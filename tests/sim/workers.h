/* workers.h: a few threads that do the same to each of many things, and are waited for.
 *
 * Who does what, and in which order, is left open: what is done to one thing must not touch what
 * is done to another. Waiting takes no processor for longer than some microseconds. Order: new;
 * run, any number of times, by one thread; free. Test: tests/sim/crowd_test.c. */
#ifndef KITH_TESTS_SIM_WORKERS_H
#define KITH_TESTS_SIM_WORKERS_H

#include <stddef.h>

struct workers;

typedef void workers_do(void *ctx, size_t i);

enum { WORKERS_MAX = 64 };

/* KITH_THREADS in the environment, else one for each processor, at most 8. */
unsigned workers_wanted(void);
/* `n` threads with the caller's: 1 to WORKERS_MAX. */
struct workers *workers_new(unsigned n);
void workers_free(struct workers *w);
/* Does it to each i below n; all is done, and to be seen, when this returns. */
void workers_run(struct workers *w, size_t n, workers_do *f, void *ctx);

#endif
