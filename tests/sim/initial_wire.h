/* initial_wire.h: reads the client's QUIC Initial packets off the wire, and makes new ones, with
 * nothing but OpenSSL's AES and HMAC, so that tests see what strangers see and do what they do.
 * Follows RFC 9001 5 and A, RFC 9000 17.2.2. */
#ifndef KITH_TESTS_SIM_INITIAL_WIRE_H
#define KITH_TESTS_SIM_INITIAL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_HELLO_MAX = 4096,
    WIRE_INITIAL = 1200,                      /* bytes of a datagram that wire_initial_seal makes */
    WIRE_ID = 8,                              /* of the connection ids in it */
    WIRE_CRYPTO = WIRE_INITIAL - 30 - 16 - 5, /* less header, tag and the frame's own */
};

/* The client's CRYPTO stream at the Initial level, as far as it has been seen. */
struct wire_hello {
    uint8_t bytes[WIRE_HELLO_MAX];
    bool have[WIRE_HELLO_MAX];
    uint8_t dcid[20]; /* of the first Initial: the keys come from it */
    size_t dcid_len;
    unsigned packets, failures, frames;
};

/* Looks at one datagram; Initials in it are opened and their CRYPTO frames kept. */
void wire_hello_see(struct wire_hello *w, const uint8_t *datagram, size_t len);
/* Bytes of the datagram that are long-header packets, the handshake's; the rest is a packet of the
 * application's, which may lie behind them. */
size_t wire_long_bytes(const uint8_t *datagram, size_t len);
/* Makes a client's Initial out of n bytes of its CRYPTO stream, at most WIRE_CRYPTO, from `offset`
 * on: with ids and a packet number as given, no token, padded. */
void wire_initial_seal(const uint8_t dcid[WIRE_ID], const uint8_t scid[WIRE_ID], uint8_t number,
                       size_t offset, const uint8_t *bytes, size_t n, uint8_t out[WIRE_INITIAL]);
/* Length of the whole ClientHello message, header included; 0 while bytes are missing. */
size_t wire_hello_len(const struct wire_hello *w);

#endif
