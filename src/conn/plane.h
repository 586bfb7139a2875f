/* plane.h: the second packet plane of a connection: packets sealed by themselves, beside QUIC.
 *
 * Both ends derive its keys from the connection's TLS session, so whoever could open a packet is
 * who the handshake proved. A packet is 16 bytes of header (its type and an index that names
 * connection and key, then its number under a mask), the sealed payload, and a tag. Nothing is
 * acknowledged or sent again. Each direction has its own keys; its sender ratchets them forward (a
 * one-way hash) after 2^20 packets, 120 s or a change of path, as soon as the receiver is known to
 * have followed the step before. Index and mask change with the key, so that nothing in the clear
 * lasts longer.
 *
 * It knows no addresses and no clock, and does not decide whether to be used: that is the gauge's
 * (conn/gauge.h) and the connection's. Order: new; seal; open with what came under one of
 * kith_plane_indices, which changed when it says so; tick by kith_plane_deadline.
 * Spec: docs/spec/plane.md. Test: tests/unit/conn_plane_test.c. */
#ifndef KITH_CONN_PLANE_H
#define KITH_CONN_PLANE_H

#include "base/alloc.h"
#include "base/base.h"
#include "conn/replay.h"
#include "crypto/aead.h"

enum {
    KITH_PLANE_TYPE = 0x30, /* first byte of every packet; QUIC's have 0x40 or 0x80 set */
    KITH_PLANE_INDEX = 8,   /* bytes: the type and 7 that are derived */
    KITH_PLANE_HEAD = 16,
    KITH_PLANE_OVERHEAD = KITH_PLANE_HEAD + KITH_AEAD_TAG,
    KITH_PLANE_SECRET = 48, /* one hash of SHA-384 */
    KITH_PLANE_KEYS = 3,    /* receiving: the one before, the present one, the next */
    KITH_PLANE_REKEY_PACKETS = 1 << 20,
    KITH_PLANE_KEY_PACKETS_MAX = 1 << 24, /* then a key seals no more: RFC 9001 B.1 has 2^28 */
    KITH_PLANE_FORGED_MAX = 1 << 24,      /* then nothing is opened any more: RFC 9001 6.6 has 2^36
                                             for ChaCha20-Poly1305 */
};
#define KITH_PLANE_REKEY_AFTER (120 * KITH_SEC)
#define KITH_PLANE_OLD_KEY_FOR (10 * KITH_SEC) /* late packets of the key before are opened */

/* What the TLS session exported: one for each direction. Secret; wipe after use. */
struct kith_plane_secrets {
    uint8_t send[KITH_PLANE_SECRET], receive[KITH_PLANE_SECRET];
};

struct kith_plane_index {
    uint8_t b[KITH_PLANE_INDEX];
};

struct kith_plane_counters {
    uint64_t sealed, sealed_bytes; /* packets, and bytes as they are on the wire */
    uint64_t opened, opened_bytes;
    uint64_t forged, replayed; /* refused */
    uint64_t rekeyed;          /* times the keys for sending were ratcheted */
};

struct kith_plane;

/* KITH_E_NOMEM, KITH_E_CRYPTO. The secrets are copied. */
int kith_plane_new(enum kith_aead_kind kind, const struct kith_plane_secrets *secrets,
                   const struct kith_alloc *a, struct kith_plane **ret) KITH_MUST_CHECK;
/* Wipes every key. NULL is fine. */
void kith_plane_free(struct kith_plane *p);

/* Seals parts[0..n) laid end to end (they may be empty) as the next packet into `out`, which has
 * room for them and KITH_PLANE_OVERHEAD; *ret_len is what was written. KITH_E_LIMIT: the key has
 * sealed as much as it may and the receiver has not followed; KITH_E_NOMEM, KITH_E_CRYPTO. */
int kith_plane_seal(struct kith_plane *p, const struct kith_span *parts, size_t n, uint8_t *out,
                    kith_time now, size_t *ret_len) KITH_MUST_CHECK;
/* The number of the next packet to be sealed. */
uint64_t kith_plane_next(const struct kith_plane *p);
/* The receiver has opened a packet with this number or a higher one of ours. */
void kith_plane_followed(struct kith_plane *p, uint64_t number);
/* The path changed: the next packet takes the next key, and so another index, as soon as the
 * receiver has followed the present one; nobody is to recognise the connection elsewhere by it. */
void kith_plane_turn(struct kith_plane *p);

/* Under which indices packets for us come now; those of no key are all-zero. */
void kith_plane_indices(const struct kith_plane *p, struct kith_plane_index ret[KITH_PLANE_KEYS]);
/* Opens a packet of n bytes in place; *ret_payload borrows from it. *ret_moved is always
 * written: the indices have changed. KITH_E_AUTH: forged; KITH_E_USED: it came before, or may have;
 * KITH_E_MALFORMED; KITH_E_NOTFOUND: no key has its index; KITH_E_LIMIT: there were too many
 * forgeries; KITH_E_NOMEM, KITH_E_CRYPTO. */
int kith_plane_open(struct kith_plane *p, uint8_t *packet, size_t n, kith_time now,
                    struct kith_span *ret_payload, bool *ret_moved) KITH_MUST_CHECK;
/* Forgets the key before the present one when its time is over; whether the indices changed. */
bool kith_plane_tick(struct kith_plane *p, kith_time now);
/* When that is; KITH_NEVER. */
kith_time kith_plane_deadline(const struct kith_plane *p);
/* Packets opened so far, and the highest number among them; false when there was none. */
bool kith_plane_highest(const struct kith_plane *p, uint64_t *ret_number);
const struct kith_plane_counters *kith_plane_counters(const struct kith_plane *p);

#endif
