/* object.h: making, reading and checking the signed objects of a network.
 *
 * kith_object_open judges structure only: format, version, canonical order, and that a key shown
 * hashes to the id it is shown for. kith_object_verify judges the signature. Whether the signer
 * was entitled is known to the whole network's view alone (identity/network_view.h).
 * Spec: docs/spec/objects.md. Test: tests/unit/identity_object_test.c. Fuzz: tests/fuzz/object.c.
 */
#ifndef KITH_IDENTITY_OBJECT_H
#define KITH_IDENTITY_OBJECT_H

#include "identity/identity.h"
#include "wire/object.h"

/* How far another's clock may be ahead of ours. */
#define KITH_WALL_TOLERANCE ((kith_wall)300)

enum {
    KITH_OBJECT_VERSION = 1,
    KITH_OBJECT_HEAD = 84, /* version, kind, network, signer, number, issued, length of body */
    KITH_OBJECT_BODY_MAX = 61000,
    KITH_OBJECT_MAX = KITH_OBJECT_HEAD + KITH_OBJECT_BODY_MAX + KITH_SIGNATURE_LEN,
    KITH_CERT_MAX = 8192, /* bytes of any NETWORK, ADMIN or MEMBER object */
};

struct kith_object {
    struct kith_span bytes; /* the whole object; borrowed, as every span below */
    struct kith_envelope env;
    struct kith_hash hash;      /* SHA-256 of bytes: breaks ties, finds duplicates */
    struct kith_object_key key; /* what it is about */
    union {                     /* by env.kind, enum KITH_OBJECT_… */
        struct kith_network_body network;
        struct kith_admin_body admin;
        struct kith_member_body member;
        struct kith_revocation_body revocation;
        struct kith_endpoints_body endpoints;
        struct kith_members_body members;
        struct kith_announcement_body announcement;
    };
};

/* Whether a member signs such an object about itself, with the key of its certificate, and only
 * while that stands: ENDPOINTS and ANNOUNCEMENT. */
bool kith_object_is_own(uint8_t kind);

/* What a new object says outside its body. */
struct kith_object_head {
    uint8_t kind;
    struct kith_network_id network;
    uint64_t number;
    kith_wall issued;
};

/* Signs body and writes the object to buf (KITH_OBJECT_HEAD + body.n + KITH_SIGNATURE_LEN bytes).
 * KITH_E_LIMIT, KITH_E_CRYPTO. */
int kith_object_sign(const struct kith_identity *signer, const struct kith_object_head *head,
                     struct kith_span body, uint8_t *buf, size_t cap,
                     size_t *ret_len) KITH_MUST_CHECK;
/* KITH_E_VERSION for a version or kind not known here, KITH_E_MALFORMED, KITH_E_CRYPTO. */
int kith_object_open(struct kith_span bytes, struct kith_object *ret) KITH_MUST_CHECK;
/* KITH_E_AUTH when env.signer isn't the hash of this key, or the signature isn't by it. */
int kith_object_verify(const struct kith_object *obj,
                       const struct kith_public_key *signer) KITH_MUST_CHECK;
/* Whether a replaces b, both of one key: higher number, at equality the smaller hash. */
bool kith_object_beats(const struct kith_object *a, const struct kith_object *b);

/* The key of the object of this kind by this signer about this peer (for NETWORK: the root). */
int kith_object_key_of(const struct kith_network_id *network, uint8_t kind,
                       const struct kith_peer_id *signer, const struct kith_peer_id *subject,
                       struct kith_object_key *ret) KITH_MUST_CHECK;

#endif
