/* destination.h: a destination names a service of a peer: the first 16 bytes of SHA-256 over a
 * text, the peer id and the service's name.
 *
 * It says where something goes, never who may send it or who answers: anybody can compute it, and
 * the peer id that a connection proved decides.
 * Spec: docs/spec/destination.md. Test: tests/unit/identity_destination_test.c. */
#ifndef KITH_IDENTITY_DESTINATION_H
#define KITH_IDENTITY_DESTINATION_H

#include "base/base.h"
#include "wire/ids.h"

#define KITH_SERVICE_SELF "kith" /* the node itself; nobody registers it */

enum {
    KITH_DESTINATION_TEXT = 27,   /* 26 characters of lowercase base32 and a NUL */
    KITH_SERVICES_MAX = 32,       /* of a member in a network */
    KITH_SERVICE_ABOUT_MAX = 120, /* bytes of what is said about one */
};

/* The service is a label (kith_label_valid): KITH_E_INVAL otherwise. KITH_E_CRYPTO. */
int kith_destination(const struct kith_peer_id *peer, struct kith_span service,
                     struct kith_destination *ret) KITH_MUST_CHECK;
/* buf with its text; cap of KITH_DESTINATION_TEXT fits. */
const char *kith_destination_text(const struct kith_destination *d, char *buf, size_t cap);
/* KITH_E_INVAL: it is not 26 characters of base32. Capitals are accepted. */
int kith_destination_parse(const char *text, struct kith_destination *ret) KITH_MUST_CHECK;

#endif
