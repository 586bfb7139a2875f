/* vpn_play.h: a packet core with everything around it played by the test: a device that keeps what
 * is written, sessions that take as many packets as they are told to, events, and memory that
 * counts and can fail. This node is 100.64.0.1 and fd00::1 in the network of slot 1; Bob is .2,
 * Carol .3. */
#ifndef KITH_TESTS_VPN_PLAY_H
#define KITH_TESTS_VPN_PLAY_H

#include "unit/vpn_packets.h"
#include "vpn/vpn.h"

#define PLAY_T0 (1000 * KITH_SEC) /* when everything happens that names no time */
enum { BOB = 7, CAROL = 8, KEPT = 400 };

struct a_sent {
    uint8_t bytes[2048];
    size_t len;
    uint32_t member;
    uint8_t slot;
    struct kith_marks marks;
};
struct a_written { /* without its virtio-net header */
    uint8_t bytes[65536];
    size_t len;
    struct kith_vnet vnet; /* with offload: that header */
};

extern struct a_sent sent[KEPT]; /* what the sessions took */
extern size_t sent_n, send_calls;
extern size_t session_takes;            /* how many packets they will still take */
extern enum kith_vpn_sent session_says; /* about the rest */
extern size_t largest;                  /* packet that BOB should be sent by TCP; 0: the MTU */
extern bool takes_partial;              /* whether members make checksums themselves */
extern struct a_written written[KEPT];  /* what the device took */
extern size_t written_n;
extern size_t vnet_len; /* of the device */
extern enum kith_event_kind last_event;
extern size_t events_n;
extern char last_why[80];
extern size_t asked;   /* how often memory was asked for */
extern size_t fail_at; /* the n-th request from now fails; 0: none does */
extern struct kith_vpn *v;
extern uint8_t data[65536];

/* Makes v; the setups below also give it the network and its members. */
int make(const struct kith_vpn_config *config);
void populate(void);
struct kith_vpn_network home(void);
struct kith_vpn_member bob(void);
int setup_plain(void **state);
int setup_offload(void **state);
int setup_deny(void **state);
int teardown(void **state);

/* A UDP packet of 100 bytes, from us to Bob and the other way. */
struct a_packet to_bob(void);
struct a_packet from_bob(void);
/* A TCP super-packet to Bob with its virtio-net header, pieces of `piece` bytes; returns its
 * length. */
size_t super(uint8_t *buf, size_t payload, uint16_t piece);
/* The device reads the packet. */
void tun(const struct a_packet *p);
void tun_at(const struct a_packet *p, kith_time now);
/* Bob sends it. */
void peer(const struct a_packet *p);
/* The same with marks, and with `checksum` in the place of that of TCP or UDP. */
void peer_marked(const struct a_packet *p, struct kith_marks marks, uint16_t checksum);

uint64_t dropped(enum kith_vpn_drop why);
uint64_t all_drops(void);

#define PLAIN(f) cmocka_unit_test_setup_teardown(f, setup_plain, teardown)
#define OFFLOAD(f) cmocka_unit_test_setup_teardown(f, setup_offload, teardown)
#define DENY(f) cmocka_unit_test_setup_teardown(f, setup_deny, teardown)

#endif
