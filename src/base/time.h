/* time.h: instants and durations as plain numbers that never wrap.
 *
 * `kith_time` is a reading of the node's monotonic clock and comes in as an argument everywhere.
 * `kith_wall` is a calendar time in seconds; only signed statements use it, never a deadline. */
#ifndef KITH_BASE_TIME_H
#define KITH_BASE_TIME_H

#include <stdint.h>

typedef uint64_t kith_time; /* nanoseconds on the node's monotonic clock */
typedef uint64_t kith_dur;  /* nanoseconds */
typedef uint64_t kith_wall; /* seconds since 1970-01-01 UTC */

#define KITH_NEVER UINT64_MAX
#define KITH_USEC ((kith_dur)1000)
#define KITH_MSEC ((kith_dur)1000000)
#define KITH_SEC (1000 * KITH_MSEC)
#define KITH_DAY (86400 * KITH_SEC)
#define KITH_WALL_DAY ((kith_wall)86400)

/* What time it is, both ways: read once per turn of the loop and passed down. */
struct kith_now {
    kith_time mono;
    kith_wall wall;
};

/* The instant `d` after `t`; never wraps, and never is still never. */
static inline kith_time kith_after(kith_time t, kith_dur d)
{
    return t > KITH_NEVER - d ? KITH_NEVER : t + d;
}

/* How long from `from` to `to`; 0 when `to` is earlier. */
static inline kith_dur kith_since(kith_time to, kith_time from)
{
    return to > from ? to - from : 0;
}

static inline kith_time kith_sooner(kith_time a, kith_time b)
{
    return a < b ? a : b;
}

#endif
