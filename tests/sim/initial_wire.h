/* initial_wire.h: reads the client's QUIC Initial packets off the wire, with nothing but OpenSSL's
 * AES and HMAC, so that tests see what strangers see. Follows RFC 9001 5 and A, RFC 9000 17.2.2. */
#ifndef KITH_TESTS_SIM_INITIAL_WIRE_H
#define KITH_TESTS_SIM_INITIAL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_HELLO_MAX = 4096 };

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
/* Length of the whole ClientHello message, header included; 0 while bytes are missing. */
size_t wire_hello_len(const struct wire_hello *w);

#endif
