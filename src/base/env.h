/* env.h: what every core object is given from outside: memory, randomness, a place for events. */
#ifndef KITH_BASE_ENV_H
#define KITH_BASE_ENV_H

#include "base/alloc.h"
#include "base/event.h"
#include "base/random.h"

struct kith_env { /* outlives every object that was given it */
    const struct kith_alloc *alloc;
    const struct kith_random *random;
    const struct kith_events *events; /* may be NULL */
};

#endif
