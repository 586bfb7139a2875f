/* issuer.h: what a root or an admin signs: blocks, serials, addresses, names and the objects.
 *
 * The root splits the network's range into 16 equal blocks and 2^40 serials each; block 0 is its
 * own, the others go to admins, so no two issuers ever give the same address or serial. An issuer
 * numbers everything it signs from its serials; the caller stores `next_serial` before it uses
 * what was signed. Pure: who is taken comes in as a question, the time as an argument.
 * Spec: docs/spec/objects.md 5. Test: tests/unit/identity_issuer_test.c. */
#ifndef KITH_IDENTITY_ISSUER_H
#define KITH_IDENTITY_ISSUER_H

#include "base/text.h"
#include "identity/destination.h"
#include "identity/object.h"

enum {
    KITH_BLOCKS = 16,
    KITH_BLOCK_BITS = 4,      /* 2^4 blocks */
    KITH_RANGE_BITS_MAX = 26, /* narrower ranges leave a block fewer than 4 addresses */
    KITH_SERIAL_BITS = 40,
};

/* How long a certificate is valid: long enough for a holiday, short enough that what was
 * forgotten ends by itself. Renewed when two thirds are over. */
#define KITH_CERT_VALID (30 * KITH_WALL_DAY)
#define KITH_CERT_RENEW (20 * KITH_WALL_DAY)
/* How long the root appoints an admin. */
#define KITH_ADMIN_VALID (365 * KITH_WALL_DAY)

/* The k-th block (0..15) of the range. KITH_E_INVAL for another k, a range that is not IPv4 or
 * has more than KITH_RANGE_BITS_MAX bits. */
int kith_issuer_block(const struct kith_prefix *range, unsigned k,
                      struct kith_prefix *ret) KITH_MUST_CHECK;
/* Serials of block k: 2^40 k … 2^40 (k + 1) - 1; 0 is never given, so block 0 starts at 1. */
void kith_issuer_serials(unsigned k, uint64_t *ret_first, uint64_t *ret_last);

typedef bool kith_ip_taken(void *ctx, const struct kith_ip *ip);
typedef bool kith_name_taken(void *ctx, struct kith_span name);

/* The lowest free address of block, never the first or last of range. KITH_E_FULL. */
int kith_issuer_pick_ip(const struct kith_prefix *range, const struct kith_prefix *block,
                        kith_ip_taken *taken, void *ctx, struct kith_ip *ret) KITH_MUST_CHECK;
/* `wanted` if it is free, else with -2, -3 … appended. Writes a NUL-terminated label to buf of
 * KITH_LABEL_MAX + 1 bytes. KITH_E_MALFORMED when wanted is no label, KITH_E_TAKEN when 999 of
 * them are. */
int kith_issuer_pick_name(struct kith_span wanted, kith_name_taken *taken, void *ctx,
                          char *buf) KITH_MUST_CHECK;

/* The number for a new version of something numbered by time, after `previous` (0: none), which
 * does not count when it is too far ahead for anybody to have believed it. */
uint64_t kith_issuer_number(uint64_t previous, kith_wall now);

struct kith_issuer {
    const struct kith_identity *signer; /* root or admin; borrowed */
    struct kith_network_id network;
    uint64_t next_serial, last_serial; /* next_serial grows with each signature below */
};

/* All of these write an object to buf (KITH_CERT_MAX is enough but for lists) and fail as
 * kith_object_sign; KITH_E_FULL when the serials are used up. */

/* `root` signs the network's own object. */
int kith_issue_network(const struct kith_identity *root, struct kith_span name,
                       const struct kith_prefix *range, kith_wall created, uint64_t number,
                       kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;

/* `root` makes the holder of `key` the admin of block k (1..15). */
struct kith_new_admin {
    struct kith_public_key key;
    struct kith_prefix range; /* the network's */
    unsigned block;
    uint64_t number;
    kith_wall not_after;
};
int kith_issue_admin(const struct kith_identity *root, const struct kith_network_id *network,
                     const struct kith_new_admin *admin, kith_wall now, uint8_t *buf, size_t cap,
                     size_t *ret_len) KITH_MUST_CHECK;

struct kith_new_member {
    struct kith_public_key key;
    struct kith_span name; /* a label */
    struct kith_ip ip4;
    struct kith_records groups, subnets; /* of kith_group_item and kith_subnet_item */
    uint64_t number;                     /* kith_issuer_number after the certificate it replaces */
};
int kith_issue_member(struct kith_issuer *is, const struct kith_new_member *m, kith_wall now,
                      uint8_t *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;

/* Revokes those certificates of peer, or with n == 0 all, its office included (root only):
 * stands_to says what of an admin's own signatures still counts. KITH_E_LIMIT above 256. */
struct kith_new_revocation {
    struct kith_peer_id peer;
    const uint64_t *serials;
    size_t n;
    uint64_t stands_to;
    struct kith_span reason;
};
int kith_issue_revocation(struct kith_issuer *is, const struct kith_new_revocation *r,
                          kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;

/* The list of all this issuer vouches for; sorts items in place. KITH_E_INVAL when a peer is named
 * twice, KITH_E_LIMIT above 1500. buf needs KITH_OBJECT_MAX. */
int kith_issue_members(struct kith_issuer *is, struct kith_member_item *items, size_t n,
                       kith_wall now, uint8_t *buf, size_t cap, size_t *ret_len) KITH_MUST_CHECK;

/* A member says that it left: its certificate `serial` no longer counts. */
int kith_issue_leave(const struct kith_identity *member, const struct kith_network_id *network,
                     uint64_t serial, uint64_t number, kith_wall now, uint8_t *buf, size_t cap,
                     size_t *ret_len) KITH_MUST_CHECK;

/* A member says where it may be reached; at most 16 addresses (KITH_E_LIMIT). */
int kith_issue_endpoints(const struct kith_identity *member, const struct kith_network_id *network,
                         const struct kith_addr *addrs, size_t n, uint64_t number,
                         kith_wall valid_until, kith_wall now, uint8_t *buf, size_t cap,
                         size_t *ret_len) KITH_MUST_CHECK;

struct kith_service {       /* borrowed */
    struct kith_span name;  /* a label */
    struct kith_span about; /* at most KITH_SERVICE_ABOUT_MAX bytes of UTF-8, for people */
};

/* A member says what it does for others (spec objects 3.7.4) and which services it has, at most
 * KITH_SERVICES_MAX (KITH_E_LIMIT), ascending by name and none twice (KITH_E_INVAL). */
int kith_issue_announcement(const struct kith_identity *member,
                            const struct kith_network_id *network, uint32_t capabilities,
                            const struct kith_service *services, size_t n, uint64_t number,
                            kith_wall valid_until, kith_wall now, uint8_t *buf, size_t cap,
                            size_t *ret_len) KITH_MUST_CHECK;

#endif
