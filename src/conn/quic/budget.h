/* budget.h: what may be spent on somebody, as a bucket that fills up again by itself.
 *
 * A bucket holds time: thread time that strangers may cost, or, where each use costs a fixed share
 * of a second, a rate. Work is paid for before it is done. Whoever matters less may not draw a
 * bucket below a higher floor, so those who matter more always find something in it; nobody is
 * refused for a cost that is larger than the bucket: the bucket then owes it. No clock inside.
 *
 * `struct rates` has such buckets per source network, in a table that never grows: the network that
 * owes least gives way to a new one, so that neither many sources fill it nor a greedy one is
 * forgotten.  Spec: docs/spec/session.md 2.4.  Test: tests/unit/conn_budget_test.c. */
#ifndef KITH_CONN_QUIC_BUDGET_H
#define KITH_CONN_QUIC_BUDGET_H

#include "base/addr.h"
#include "base/alloc.h"
#include "base/base.h"
#include "base/random.h"

struct budget { /* all-zero is valid: full */
    kith_time full_at;
};

struct budget_rule {
    kith_dur most;  /* what a full bucket holds */
    unsigned share; /* it gets so many hundredths of the time that passes; 1..100 */
};

/* What is in the bucket, 0 while it owes. */
kith_dur budget_left(const struct budget *b, const struct budget_rule *rule, kith_time now);
/* Takes `cost` out if there is more than `floor` in it. */
bool budget_take(struct budget *b, const struct budget_rule *rule, kith_dur cost, kith_dur floor,
                 kith_time now);

enum {
    NETWORK_KEY = 7,  /* a source network: its family, then the first 6 bytes */
    RATES_SETS = 512, /* times RATES_WAYS: networks remembered at once, 128 kB */
    RATES_WAYS = 8,
};

/* The network of an address, an IPv4 /24 or an IPv6 /48: what one customer of a provider has. */
void network_key(const struct kith_ip *ip, uint8_t key[NETWORK_KEY]);

struct network_rates {
    uint8_t key[NETWORK_KEY]; /* all-zero: free */
    struct budget handshakes; /* begun from there */
    struct budget datagrams;  /* of strangers from there */
};

struct rates {
    uint64_t k0, k1; /* of the hash: nobody chooses whom to push out */
    struct network_rates *table;
};

/* KITH_E_NOMEM. */
int rates_init(struct rates *r, const struct kith_alloc *a,
               const struct kith_random *random) KITH_MUST_CHECK;
void rates_fini(struct rates *r, const struct kith_alloc *a);
/* The buckets of the network ip is in; never NULL. Valid until the next call. */
struct network_rates *rates_get(struct rates *r, const struct kith_ip *ip);

#endif
