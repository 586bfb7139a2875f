/* initial.h: looks into a client's first packet before anything is made for its sake.
 *
 * The keys of an Initial come from the connection id in its own header (RFC 9001 5.2), so this is
 * no secret and proves nobody; but noise, mutated copies and packets that cannot begin a connection
 * are told from a ClientHello at the price of a few hashes instead of a TLS object. It keeps no
 * state between packets.  Spec: docs/spec/session.md 2.4.  Test: tests/unit/conn_initial_test.c. */
#ifndef KITH_CONN_QUIC_INITIAL_H
#define KITH_CONN_QUIC_INITIAL_H

#include "base/alloc.h"
#include "base/base.h"

enum initial_kind {
    INITIAL_NOISE, /* it does not decrypt, or holds what no Initial of a client may hold */
    INITIAL_LATER, /* real, but a ClientHello does not begin in it */
    INITIAL_FIRST, /* a ClientHello begins in it */
};

struct initial_opener; /* the cryptographic library's objects, reused from packet to packet */

/* KITH_E_NOMEM, KITH_E_CRYPTO. */
int initial_opener_new(const struct kith_alloc *a, struct initial_opener **ret) KITH_MUST_CHECK;
/* NULL is fine. */
void initial_opener_free(struct initial_opener *o, const struct kith_alloc *a);
/* Judges the first packet of a datagram, one of QUIC version 1. */
enum initial_kind initial_look(struct initial_opener *o, struct kith_span datagram);

/* What decrypted frames make of their packet: the second half of initial_look, for its fuzz target.
 */
enum initial_kind initial_judge(struct kith_span frames);

#endif
