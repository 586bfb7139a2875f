/* ticket.h: invitations as text, and the proof that one holds one.
 *
 * A ticket pins the network's root and the one issuer that accepts it, and carries a secret that
 * never travels: the joiner proves it over the TLS exporter, so that a proof is worth nothing on
 * another connection. Expiry and single use are the issuer's to check.
 * Spec: docs/spec/ticket.md, docs/spec/enrolment.md. Test: tests/unit/identity_ticket_test.c.
 * Fuzz: tests/fuzz/ticket.c. */
#ifndef KITH_IDENTITY_TICKET_H
#define KITH_IDENTITY_TICKET_H

#include "identity/identity.h"
#include "wire/ticket.h"

enum {
    KITH_TICKET_VERSION = 1,
    KITH_TICKET_MAX = 390,      /* bytes: 386 of the largest ticket and the checksum */
    KITH_TICKET_TEXT_MAX = 630, /* "kith1", 624 characters, NUL */
};

/* 32 bytes of the TLS exporter with this label and no context (RFC 8446 7.5). Secret. */
#define KITH_ENROL_EXPORTER "EXPORTER-kith-enrol-v1"
struct kith_enrol_exporter {
    uint8_t b[32];
};

/* Writes the text; cap of KITH_TICKET_TEXT_MAX is enough. KITH_E_LIMIT for field values that
 * cannot be encoded. The text is as secret as the ticket: wipe it. */
int kith_ticket_text(const struct kith_ticket *t, char *buf, size_t cap) KITH_MUST_CHECK;
/* From text, in either case and with white space around it. Spans of *ret borrow from buf of
 * KITH_TICKET_MAX bytes; wipe both. KITH_E_MALFORMED: no ticket at all; KITH_E_CORRUPT: damaged,
 * e.g. cut off or mistyped; KITH_E_VERSION: made by a newer program. *ret_why is then a sentence
 * for people. */
int kith_ticket_parse(const char *text, uint8_t *buf, size_t cap, struct kith_ticket *ret,
                      const char **ret_why) KITH_MUST_CHECK;

int kith_ticket_id(const struct kith_ticket_secret *secret,
                   struct kith_ticket_id *ret) KITH_MUST_CHECK;

/* What a proof binds together. */
struct kith_enrol_claim {
    const struct kith_enrol_exporter *exporter;
    const struct kith_network_id *network;
    const struct kith_peer_id *issuer, *joiner;
    struct kith_span name; /* as in the request; may be empty, at most 63 bytes */
};

int kith_ticket_prove(const struct kith_ticket_secret *secret, const struct kith_enrol_claim *c,
                      struct kith_ticket_proof *ret) KITH_MUST_CHECK;
/* KITH_E_AUTH when proof isn't the one for this secret and claim; takes the same time either way.
 */
int kith_ticket_check(const struct kith_ticket_secret *secret, const struct kith_enrol_claim *c,
                      const struct kith_ticket_proof *proof) KITH_MUST_CHECK;

#endif
