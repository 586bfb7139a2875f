/* health.h: whether a node is well, judged from facts, and told in JSON.
 *
 * Pure: whoever owns the facts gathers them (loop/monitoring.c). Each reason is a stable word from
 * the table below and says how bad it is; the status is the worst of those that hold. Degraded: it
 * works, and somebody should look. Unhealthy: it is of no use, and may be started anew.
 * Page: docs/metrics.md.  Test: tests/unit/ctl_health_test.c */
#ifndef KITH_CTL_HEALTH_H
#define KITH_CTL_HEALTH_H

#include "base/buf.h"

enum kith_health_status { KITH_HEALTHY, KITH_DEGRADED, KITH_UNHEALTHY };

/* code, how bad it is, text for people */
/* clang-format off */
#define KITH_HEALTH_TABLE(X)                                                                       \
    X(tun_missing,        DEGRADED,  "there is no tunnel interface, though vpn.enabled asks for one") \
    X(socket_dead,        DEGRADED,  "a UDP socket is beyond use")                                 \
    X(certificate_ending, DEGRADED,  "a certificate of this node ends soon and was not renewed")   \
    X(certificate_ended,  DEGRADED,  "a certificate of this node has ended")                       \
    X(membership_lost,    DEGRADED,  "a network does not count this node in any more")             \
    X(alone,              DEGRADED,  "other members are known, but none is connected")             \
    X(store_failing,      DEGRADED,  "the store failed, and nothing was written to it since")      \
    X(sockets_dead,       UNHEALTHY, "every UDP socket is beyond use")                             \
    X(store_unusable,     UNHEALTHY, "the store is damaged")                                       \
    X(stopping,           UNHEALTHY, "the node is being stopped")
/* clang-format on */

enum kith_health_reason {
#define X(code, status, text) KITH_HEALTH_##code,
    KITH_HEALTH_TABLE(X)
#undef X
        KITH_HEALTH_REASONS
};

#define KITH_HEALTH_ALONE (60 * KITH_SEC) /* a restart of the others, or a walk to another network */
#define KITH_HEALTH_ENDING ((kith_wall)86400) /* seconds: a working day for whoever is told */

struct kith_health_facts {
    bool tun_wanted, tun_there;
    uint64_t sockets, sockets_dead;
    uint64_t members, members_connected;        /* others */
    kith_time alone_since;                      /* since when none was connected; 0: not */
    uint64_t networks_lapsed, networks_expired; /* the former with the latter */
    kith_wall certificate_end;                  /* the first to end; 0: none */
    kith_wall renew_before;                     /* seconds: network.renew_before */
    int store_failing;                          /* kith_store_failing */
    bool stopping;
};

struct kith_health {
    enum kith_health_status status;
    bool because[KITH_HEALTH_REASONS];
};

struct kith_health kith_health_judge(const struct kith_health_facts *f, struct kith_now now);
/* The stable word of a reason. */
const char *kith_health_code(enum kith_health_reason r);
/* "healthy", "degraded" or "unhealthy". */
const char *kith_health_status_text(enum kith_health_status s);
/* Appends {"status":"degraded","reasons":[{"code":"alone","text":"…"}]} and a newline. Errors as
 * kith_buf_add. */
int kith_health_text(const struct kith_health *h, struct kith_buf *out) KITH_MUST_CHECK;

#endif
