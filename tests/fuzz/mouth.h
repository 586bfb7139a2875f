/* mouth.h: what a hostile peer says to a whole node, made from a recipe: control messages, signed
 * objects, enrolments, datagrams, packets. All of it gets past the framing and most of it past the
 * codecs, so that what is judged is the node behind them.
 *
 * It says one thing at a time and knows no order of things; fuzz/siege.h and fuzz/node_life.c do.
 */
#ifndef KITH_TESTS_FUZZ_MOUTH_H
#define KITH_TESTS_FUZZ_MOUTH_H

#include "fuzz/structured.h"
#include "sim/foe.h"

/* Where the packets of one who speaks come from and go to. */
struct mouth_ends {
    struct kith_ip from4, to4, from6, to6;
};

/* A message of the control table. */
void mouth_control(struct foe *f, const struct node_peer_sim *to, struct recipe *r);
/* A push of an object of the foe's own signature about the network. */
void mouth_object(struct foe *f, const struct node_peer_sim *to, struct recipe *r,
                  const struct kith_network_id *network);
/* A request on an enrolment stream, in a frame that may lie about its length. */
void mouth_enrol(struct foe *f, const struct node_peer_sim *to, struct recipe *r);
/* A message of the datagram table; packets in it are often well formed. */
void mouth_datagram(struct foe *f, const struct node_peer_sim *to, struct recipe *r,
                    const struct mouth_ends *ends);
/* Bytes as they are, on the control stream. */
void mouth_bytes(struct foe *f, const struct node_peer_sim *to, struct recipe *r);

/* An IP packet, mostly well formed, of at most cap (over 40) bytes; its length. */
size_t mouth_packet(struct recipe *r, const struct mouth_ends *ends, uint8_t *buf, size_t cap);

#endif
