/* ticket.h: invitations this node handed out, and who used them.
 *
 * A ticket may be used a number of times, once by each peer: a peer that asks again is answered
 * with the certificate it got the first time. To enrol a peer, in one transaction:
 *
 *   begin; ticket_use_get: found? answer with its cert, rollback. Else serial_next, sign,
 *   ticket_use_record, lease_put, object_put_if_newer; commit; only then answer.
 *
 * Tests: tests/unit/store_ticket_test.c */
#ifndef KITH_STORE_TICKET_H
#define KITH_STORE_TICKET_H

#include "store/store.h"

struct kith_store_ticket {
    uint8_t id[16];
    uint8_t network[32];
    uint8_t secret[32];         /* secret: whoever read it wipes it */
    char name[KITH_STORE_NAME]; /* the member's name, or empty: the joiner proposes one */
    struct kith_span groups;    /* as the issuer encodes them */
    kith_wall expires;          /* from then on it is refused */
    uint32_t uses_left;
    kith_wall created;
};

struct kith_store_ticket_use {
    uint8_t peer[32];
    struct kith_span cert; /* what the peer was given */
    uint64_t serial;
    kith_wall at;
};

/* KITH_E_EXISTS for a known id, KITH_E_NOTFOUND for an unknown network. */
int kith_store_ticket_add(struct kith_store *s, const struct kith_store_ticket *t) KITH_MUST_CHECK;
/* Also expired and used-up ones. ret->groups is the store's, until its next get or close.
 * KITH_E_NOTFOUND. */
int kith_store_ticket_get(struct kith_store *s, const uint8_t id[16],
                          struct kith_store_ticket *ret) KITH_MUST_CHECK;
/* Visits the tickets of a network, oldest first; rules as for kith_store_network_list. */
int kith_store_ticket_list(struct kith_store *s, const uint8_t network[32],
                           int (*visit)(void *ctx, const struct kith_store_ticket *t),
                           void *ctx) KITH_MUST_CHECK;
/* With the record of its uses. KITH_E_NOTFOUND. */
int kith_store_ticket_remove(struct kith_store *s, const uint8_t id[16]) KITH_MUST_CHECK;
/* Removes those with expires <= before, and their uses: give less than now to keep answering
 * peers that ask again. */
int kith_store_ticket_remove_expired(struct kith_store *s, kith_wall before,
                                     uint64_t *ret_removed) KITH_MUST_CHECK;

/* What peer was given for the ticket; ret->cert is the store's, until its next get or close.
 * KITH_E_NOTFOUND when it has not used it. */
int kith_store_ticket_use_get(struct kith_store *s, const uint8_t id[16], const uint8_t peer[32],
                              struct kith_store_ticket_use *ret) KITH_MUST_CHECK;
/* The peer got another certificate for the same use: that of before no longer counts.
 * KITH_E_NOTFOUND when it has not used the ticket. */
int kith_store_ticket_use_replace(struct kith_store *s, const uint8_t id[16],
                                  const struct kith_store_ticket_use *u) KITH_MUST_CHECK;
/* Spends one use at u->at. Needs a transaction (else KITH_E_STATE). On a refusal nothing changed:
 * KITH_E_EXISTS this peer used it already, KITH_E_EXPIRED u->at is not before the expiry,
 * KITH_E_USED no use is left, KITH_E_NOTFOUND. */
int kith_store_ticket_use_record(struct kith_store *s, const uint8_t id[16],
                                 const struct kith_store_ticket_use *u) KITH_MUST_CHECK;
/* Visits the uses of a ticket, oldest first; rules as for kith_store_network_list. */
int kith_store_ticket_use_list(struct kith_store *s, const uint8_t id[16],
                               int (*visit)(void *ctx, const struct kith_store_ticket_use *u),
                               void *ctx) KITH_MUST_CHECK;

#endif
