/* checksum.h: the Internet checksum (RFC 1071) and its update in place (RFC 1624).
 *
 * A sum is gathered piece by piece in 64 bits and folded once. Every piece but the last must have
 * an even length, or the bytes of the next would count in the wrong half of their words.
 * Test: tests/unit/vpn_ip_test.c */
#ifndef KITH_VPN_CHECKSUM_H
#define KITH_VPN_CHECKSUM_H

#include "base/base.h"

/* Adds n bytes to a sum that began as 0. Up to 2^32 bytes fit before it could overflow. */
uint64_t kith_sum_add(uint64_t sum, const uint8_t *p, size_t n);
/* The one's complement sum of the big-endian 16-bit words added so far; not yet complemented. */
uint16_t kith_sum_fold(uint64_t sum);
/* The checksum after one 16-bit word of the data changed from old to fresh (RFC 1624, equation 3).
 */
uint16_t kith_checksum_update(uint16_t checksum, uint16_t old, uint16_t fresh);

#endif
