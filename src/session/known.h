/* known.h: where members are, or were lately: the sources that floods of strangers must not starve.
 *
 * A table of IP addresses that never grows. An address where a member's session was is kept for a
 * day and only gives way to a fresher one; an address that a member merely told is kept while there
 * is room, so that no member pushes out the others by telling many. Ports do not count: a NAT
 * changes them. Being known proves nothing; it is about who is heard first.
 * Spec: docs/spec/session.md 2.4.  Test: tests/unit/session_known_test.c. */
#ifndef KITH_SESSION_KNOWN_H
#define KITH_SESSION_KNOWN_H

#include "base/addr.h"
#include "base/alloc.h"
#include "base/random.h"
#include "base/time.h"

enum {
    KITH_KNOWN_SETS = 256, /* times KITH_KNOWN_WAYS: addresses remembered at once, 80 kB */
    KITH_KNOWN_WAYS = 8,
};
#define KITH_KNOWN_TIME KITH_DAY

struct kith_known_entry {
    struct kith_ip ip; /* none: free */
    bool met;          /* a session was there; else somebody said so */
    kith_time until;
};

struct kith_known {
    uint64_t k0, k1; /* of the hash: nobody chooses whom to push out */
    struct kith_known_entry *table;
};

/* KITH_E_NOMEM. */
int kith_known_init(struct kith_known *k, const struct kith_alloc *a,
                    const struct kith_random *random) KITH_MUST_CHECK;
void kith_known_fini(struct kith_known *k, const struct kith_alloc *a);
/* A member's session is at ip. */
void kith_known_met(struct kith_known *k, const struct kith_ip *ip, kith_time now);
/* A member is said to be at ip. */
void kith_known_told(struct kith_known *k, const struct kith_ip *ip, kith_time now);
bool kith_known_has(const struct kith_known *k, const struct kith_ip *ip, kith_time now);

#endif
