/* limits.h: slows down whoever guesses at tickets, without locking anyone else out.
 *
 * Failures are counted per source network (IPv4 /24, IPv6 /48) and per peer id: five within 300 s,
 * and that source or peer is refused for 900 s. All failures together empty a bucket, and while it
 * is empty every enrolment waits. Members never enrol, so none of this touches them. Both tables
 * are bounded; a flood of strangers pushes out other one-time failures, never a refusal in force
 * unless the table holds nothing else.
 * Order: check before looking at a proof, then failed or succeeded.
 * Spec: docs/spec/enrolment.md 5. Test: tests/unit/identity_limits_test.c. */
#ifndef KITH_IDENTITY_LIMITS_H
#define KITH_IDENTITY_LIMITS_H

#include "base/addr.h"
#include "base/env.h"
#include "wire/ids.h"

enum {
    KITH_ENROL_FAILURES = 5,
    KITH_ENROL_SOURCES_MAX = 10000, /* about 1 MB per table */
    KITH_ENROL_BURST = 20,          /* failures from everywhere at once before all wait */
};
#define KITH_ENROL_WINDOW (300 * KITH_SEC)
#define KITH_ENROL_REFUSAL (900 * KITH_SEC)
#define KITH_ENROL_REFILL (2 * KITH_SEC) /* one failure more is forgiven */

struct kith_enrol_limits;

/* max 0: KITH_ENROL_SOURCES_MAX. KITH_E_NOMEM. */
int kith_enrol_limits_new(const struct kith_env *env, size_t max,
                          struct kith_enrol_limits **ret) KITH_MUST_CHECK;
void kith_enrol_limits_free(struct kith_enrol_limits *l);

/* KITH_OK: go on. KITH_E_LIMIT: this source or peer is refused. KITH_E_AGAIN: too many failures
 * everywhere; answer BUSY. An address of no family counts as one source. */
int kith_enrol_limits_check(const struct kith_enrol_limits *l, const struct kith_ip *source,
                            const struct kith_peer_id *peer, kith_time now) KITH_MUST_CHECK;
/* A failed attempt. *ret_refused (may be NULL): whether it was one too many. Short of memory the
 * failure still empties the bucket. */
void kith_enrol_limits_failed(struct kith_enrol_limits *l, const struct kith_ip *source,
                              const struct kith_peer_id *peer, kith_time now, bool *ret_refused);
/* Forgets the peer's failures; its source's stay. */
void kith_enrol_limits_succeeded(struct kith_enrol_limits *l, const struct kith_peer_id *peer);

#endif
