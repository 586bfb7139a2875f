/* monitoring.h: what the node tells about its own state, over HTTP and the control socket.
 *
 * Gathers values from every member of the instance into the plain structs of ctl/metrics.h and
 * ctl/health.h, which print and judge them; and owns the two HTTP addresses of [monitoring].
 * The one thing it remembers is since when no member was connected. For this it looks every
 * KITH_MONITORING_LOOK while somebody may ask over HTTP; otherwise when the loop is awake anyway.
 * Page: docs/metrics.md.  Test: tests/lab/monitoring.sh */
#ifndef KITH_LOOP_MONITORING_H
#define KITH_LOOP_MONITORING_H

#include "loop/http.h"

#define KITH_MONITORING_LOOK (10 * KITH_SEC) /* a walk over all peers: under 1 ms for thousands */

struct kith_monitoring {
    struct kith_http metrics, health;
    kith_wall started;
    kith_time look_at;
    kith_time alone_since; /* since when members are known and none is connected; 0: not */
};

#endif
