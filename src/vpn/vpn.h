/* vpn.h: the packet core of the VPN: from the TUN device to members' sessions and back.
 *
 * One object per node, over all its networks. It knows who has which addresses, judges both ends of
 * every packet, cuts and joins super-packets, and makes packets wait while a session is opened. It
 * makes no system call and knows no session: the device and the sessions are two tables of
 * functions, so that another way of carrying packets changes nothing here. A network is named by a
 * slot, a member by a handle that the node gives out; one peer has the same handle in every
 * network.
 *
 * Order: new; network_set and member_set as networks come and go; then
 *   for every read of the device   from_tun
 *   for every packet of a session  from_peer, and flush after each batch of them
 *   when a session opens           session_ready
 *   at the deadline                tick
 *   after any of these             next_effect until it says no.
 * Nothing is dropped without a counter (counters.def); a member's fault is also an event. A packet
 * that goes straight through allocates nothing.
 * Page: docs/modules/vpn.md. Tests: tests/unit/vpn_outbound_test.c, vpn_inbound_test.c and
 * vpn_members_test.c, tests/property/vpn_offload_test.c, tests/fuzz/vpn_from_tun.c,
 * tests/fuzz/vpn_from_peer.c. */
#ifndef KITH_VPN_VPN_H
#define KITH_VPN_VPN_H

#include "base/addr.h"
#include "base/env.h"
#include "vpn/coalesce.h"
#include "vpn/counters.h"
#include "vpn/split.h"

enum {
    KITH_VPN_SLOTS = 16,          /* networks of one node */
    KITH_VPN_MEMBERS_MAX = 65536, /* over all networks: a whole /16 of addresses */
    KITH_VPN_SUBNETS_MAX = 1024,  /* advertised by all members together */
    KITH_VPN_OWN_SUBNETS = 16,    /* advertised by this node, per network */
    KITH_VPN_LISTENING = 64,      /* addresses our transports listen on */
    KITH_VPN_MTU_MIN = 1280,      /* IPv6 needs it (RFC 8200, 5) */
    KITH_VPN_MTU = 1400,          /* the default; fits IPv4 and IPv6 underlays of 1500 */
    KITH_VPN_PEER_ID = 32,        /* bytes of a peer id */
};

struct kith_vpn_config {
    size_t mtu;        /* of the TUN device, KITH_VPN_MTU_MIN to KITH_PACKET_MAX */
    bool inbound_deny; /* let in only what answers; else everything with right addresses */
    bool offload;      /* packets of the device have a virtio-net header, and TSO is on */
    bool offload_udp;  /* it also takes UDP super-packets; needs offload */
};

enum kith_vpn_sent {
    KITH_VPN_SENT,       /* all were taken */
    KITH_VPN_NO_SESSION, /* the rest may wait for one */
    KITH_VPN_CONGESTED,  /* the rest is to be dropped */
    KITH_VPN_BLOCKED,    /* likewise, and no session is to be asked for */
};

/* Towards the sessions. */
struct kith_vpn_out {
    /* Sends packets[0..n) in order to `member` in the network of `slot`; n is at most
     * KITH_SPLIT_BATCH, parts are borrowed during the call. Returns how many were taken; when not
     * all, *ret_state says what becomes of the rest. */
    size_t (*send)(void *ctx, uint32_t member, uint8_t slot, const struct kith_parts *packets,
                   size_t n, kith_time now, enum kith_vpn_sent *ret_state);
    /* Whether packets may go to this member with their checksums left to it, now. NULL: never. */
    bool (*partial)(void *ctx, uint32_t member, uint8_t slot);
    /* The largest packet, bytes, that TCP should send this member now, because bigger ones would be
     * cut on the way; 0: as the MTU says. NULL: always so. */
    size_t (*largest)(void *ctx, uint32_t member, uint8_t slot);
    void *ctx;
};

/* What this node is in one network. */
struct kith_vpn_network {
    struct kith_ip ip4, ip6;             /* our addresses; none where the network has none */
    struct kith_prefix prefix4, prefix6; /* where its members live; family none where not used */
    const struct kith_prefix *subnets;   /* what we advertise; copied */
    size_t subnet_count;                 /* at most KITH_VPN_OWN_SUBNETS */
};

struct kith_vpn_member {
    uint32_t handle;
    uint8_t slot;
    uint8_t peer[KITH_VPN_PEER_ID];    /* for events only */
    struct kith_ip ip4, ip6;           /* either may be none */
    const struct kith_prefix *subnets; /* what it may advertise; copied */
    size_t subnet_count;
};

/* A wish of the VPN. */
struct kith_vpn_effect {
    enum kith_vpn_effect_kind {
        KITH_VPN_WANT_SESSION, /* packets wait for this member; at most once a second for each */
    } kind;
    uint32_t member;
    uint8_t slot;
};

struct kith_vpn;

/* Takes half a megabyte for offload and another for inbound_deny. KITH_E_INVAL for a config out of
 * range, KITH_E_NOMEM. env, and the contexts of out and in, outlive the VPN. */
int kith_vpn_new(const struct kith_vpn_config *config, const struct kith_env *env,
                 struct kith_vpn_out out, struct kith_vpn_in in,
                 struct kith_vpn **ret) KITH_MUST_CHECK;
void kith_vpn_free(struct kith_vpn *v);

/* vpn.inbound, at run time. Going over to deny lets in only what answers packets sent from then on.
 * KITH_E_NOMEM leaves it as it was. */
int kith_vpn_set_inbound(struct kith_vpn *v, bool deny) KITH_MUST_CHECK;
/* Sets or replaces what we are in a network; its members stay. KITH_E_INVAL for an unknown slot or
 * too many subnets, KITH_E_TAKEN when one of the addresses is a member's or ours in another
 * network; then nothing has changed. */
int kith_vpn_network_set(struct kith_vpn *v, uint8_t slot,
                         const struct kith_vpn_network *net) KITH_MUST_CHECK;
/* Forgets the network and all its members. */
void kith_vpn_network_clear(struct kith_vpn *v, uint8_t slot);

/* Adds a member, or replaces what is known of it; what waits for it goes on waiting.
 * KITH_E_NOTFOUND: the slot has no network. KITH_E_TAKEN: one of the addresses or subnets has a
 * route to another member, or is ours. KITH_E_INVAL for a subnet with host bits set. KITH_E_FULL,
 * KITH_E_NOMEM. After an error a new member is not there and an old one is as it was. */
int kith_vpn_member_set(struct kith_vpn *v, const struct kith_vpn_member *m) KITH_MUST_CHECK;
/* Forgets a member and what waits for it; harmless when it is unknown. */
void kith_vpn_member_remove(struct kith_vpn *v, uint32_t member, uint8_t slot);

/* Where our own transports listen, replacing the list before; n is at most KITH_VPN_LISTENING, else
 * KITH_E_INVAL. UDP packets that leave from one of these ports with an address of this node are our
 * own datagrams, routed into the tunnel they carry: they are refused, with the event route_loop.
 * So are packets from members to these ports of ours. A listener counts for all our overlay
 * addresses; where we advertise a subnet that holds an address of this host, list it with that
 * address too. */
int kith_vpn_refuse_underlay(struct kith_vpn *v, const struct kith_addr *listening,
                             size_t n) KITH_MUST_CHECK;

/* One read of the device: with offload a virtio-net header and a packet, else a packet. The bytes
 * are borrowed and may be changed. */
void kith_vpn_from_tun(struct kith_vpn *v, uint8_t *data, size_t len, kith_time now);
/* One packet that `member` sent us in the network of `slot`; borrowed. A partial one gets its
 * checksum here, from the kernel where that computes it; congestion that its carrier met is marked
 * on it (RFC 6040). It may be held to be merged with those that follow, until kith_vpn_flush. False
 * for one that the member's own node would not have let out: dropped, counted, told, and no
 * accident when it goes on. */
bool kith_vpn_from_peer(struct kith_vpn *v, uint32_t member, uint8_t slot, struct kith_span packet,
                        struct kith_marks marks, kith_time now);
/* Makes a packet say that it met congestion; false when it does not know ECN (RFC 3168). */
bool kith_vpn_mark(uint8_t *packet, size_t n);
/* Writes out what is held. */
void kith_vpn_flush(struct kith_vpn *v);
/* A session with the member is live: sends what waited for it, in all networks. */
void kith_vpn_session_ready(struct kith_vpn *v, uint32_t member, kith_time now);

void kith_vpn_tick(struct kith_vpn *v, kith_time now);
/* When tick has something to do; KITH_NEVER. */
kith_time kith_vpn_deadline(const struct kith_vpn *v);
/* The next wish, or false. */
bool kith_vpn_next_effect(struct kith_vpn *v, struct kith_vpn_effect *ret);

/* A snapshot. */
struct kith_vpn_counters kith_vpn_counters(const struct kith_vpn *v);

#endif
