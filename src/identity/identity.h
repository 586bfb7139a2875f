/* identity.h: who a node is: its ML-DSA-65 key pair and the peer id that follows from it.
 *
 * A peer id is the SHA-256 of the key's DER SubjectPublicKeyInfo, so it can be checked by anyone
 * who is shown the key. Keys come and go as PEM bytes; where they are kept is not decided here.
 * Spec: docs/spec/identity.md. Test: tests/unit/identity_identity_test.c. */
#ifndef KITH_IDENTITY_IDENTITY_H
#define KITH_IDENTITY_IDENTITY_H

#include "crypto/hash.h"
#include "crypto/sign.h"
#include "wire/ids.h"

enum {
    KITH_ID_TEXT = 53, /* 52 characters of lowercase base32 and a NUL */
    KITH_ID_SHORT = 9, /* the first 8, for people: never decided on */
};

struct kith_identity {         /* all-zero is none */
    struct kith_sign_key *key; /* owned */
    struct kith_public_key pub;
    struct kith_peer_id id;
};

/* A new random identity. */
int kith_identity_new(const struct kith_alloc *a, struct kith_identity *ret) KITH_MUST_CHECK;
/* For simulations and tests: always the same for one seed, and signs repeatably. */
int kith_identity_from_seed(const struct kith_alloc *a, const struct kith_sign_seed *seed,
                            struct kith_identity *ret) KITH_MUST_CHECK;
/* Errors as kith_sign_key_from_pem; *ret_why is then a sentence for people, never NULL. */
int kith_identity_from_pem(const struct kith_alloc *a, struct kith_span pem,
                           struct kith_identity *ret, const char **ret_why) KITH_MUST_CHECK;
/* As kith_sign_key_to_pem. */
int kith_identity_to_pem(const struct kith_identity *id, uint8_t *buf, size_t cap,
                         size_t *ret_len) KITH_MUST_CHECK;
/* Wipes and frees the key; harmless on none. */
void kith_identity_fini(struct kith_identity *id);

int kith_peer_id_of(const struct kith_public_key *key, struct kith_peer_id *ret) KITH_MUST_CHECK;
int kith_network_id_of(const struct kith_public_key *root,
                       struct kith_network_id *ret) KITH_MUST_CHECK;
/* The root seen as a signer: the same 32 bytes. */
struct kith_peer_id kith_network_root(const struct kith_network_id *network);

/* buf needs KITH_ID_TEXT or KITH_ID_SHORT bytes; returns buf. */
const char *kith_peer_id_text(const struct kith_peer_id *id, char *buf, size_t cap);
const char *kith_peer_id_short(const struct kith_peer_id *id, char *buf, size_t cap);
const char *kith_network_id_text(const struct kith_network_id *id, char *buf, size_t cap);
/* All 52 characters, in either case; KITH_E_MALFORMED. */
int kith_peer_id_parse(const char *text, struct kith_peer_id *ret) KITH_MUST_CHECK;
int kith_network_id_parse(const char *text, struct kith_network_id *ret) KITH_MUST_CHECK;

#endif
