/* ids.h: the names things have on the wire, each a type of its own so that none is taken for
 * another. All-zero is "none". */
#ifndef KITH_WIRE_IDS_H
#define KITH_WIRE_IDS_H

#include "base/base.h"

/* SHA-256 of a peer's DER SubjectPublicKeyInfo. Text: 52 characters of lowercase base32. */
struct kith_peer_id {
    uint8_t b[32];
};

/* SHA-256 of the network root's DER SubjectPublicKeyInfo. */
struct kith_network_id {
    uint8_t b[32];
};

/* Where a service of a peer is (docs/spec/destination.md). It addresses, it never authorises. */
struct kith_destination {
    uint8_t b[16];
};

/* A flow through the mesh, named at random by who began it (docs/spec/mesh.md 3). */
struct kith_flow_id {
    uint8_t b[8];
};

/* What a signed object is about: two objects with one key are two versions of one thing
 * (docs/spec/objects.md 4). */
struct kith_object_key {
    uint8_t b[16];
};

/* Which objects of a network somebody holds: equal where they are the same (docs/spec/objects.md
 * 7). */
struct kith_holdings {
    uint8_t b[32];
};

/* Names a ticket without its secret (docs/spec/ticket.md 3). */
struct kith_ticket_id {
    uint8_t b[16];
};

/* Whoever knows it may enrol once. Secret: never printed, wiped after use. */
struct kith_ticket_secret {
    uint8_t b[32];
};

/* Knowledge of a ticket's secret, bound to one TLS connection (docs/spec/enrolment.md 3). */
struct kith_ticket_proof {
    uint8_t b[32];
};

static inline bool kith_peer_id_equal(const struct kith_peer_id *a, const struct kith_peer_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kith_network_id_equal(const struct kith_network_id *a,
                                         const struct kith_network_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kith_destination_equal(const struct kith_destination *a,
                                          const struct kith_destination *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kith_object_key_equal(const struct kith_object_key *a,
                                         const struct kith_object_key *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kith_holdings_equal(const struct kith_holdings *a, const struct kith_holdings *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool kith_ticket_id_equal(const struct kith_ticket_id *a,
                                        const struct kith_ticket_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

#endif
