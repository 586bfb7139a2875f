/* flow.h: which conversations this machine began, so that only their answers are let in.
 *
 * The stateful half of `vpn.inbound = deny`. Only packets that go out make entries, so a peer
 * can neither fill the table nor push anything out of it. An entry is silent for so long and
 * is gone: TCP 1 h once both ends have acknowledged, UDP 3 min, ICMP echo 30 s, others 2 or 3 min.
 * The table is full at KITH_FLOWS_MAX: then the flow longest silent makes room.
 * A TCP flow whose beginning was not seen (the daemon restarted) is taken up from a packet that
 * this machine sends, as Linux does: an application here agrees with it.
 * Order: init; out for what leaves, in for what comes; fini. Test: tests/unit/vpn_flow_test.c */
#ifndef KITH_VPN_FLOW_H
#define KITH_VPN_FLOW_H

#include "base/env.h"
#include "base/list.h"
#include "vpn/ip.h"

enum {
    KITH_FLOWS_MAX = 4096,
    KITH_FLOW_FRAGMENTS = 64, /* fragmented datagrams followed at once */
};
#define KITH_FLOW_TCP (3600 * KITH_SEC)       /* both ends have acknowledged */
#define KITH_FLOW_TCP_BRIEF (120 * KITH_SEC)  /* opening or closing */
#define KITH_FLOW_OTHER (180 * KITH_SEC)      /* UDP and everything without ports */
#define KITH_FLOW_ECHO (30 * KITH_SEC)
#define KITH_FLOW_FRAGMENT (30 * KITH_SEC) /* as long as Linux waits for the rest of a datagram */

struct kith_flow_key {
    uint8_t slot, family, proto, zero;
    uint8_t ours[16], theirs[16];
    uint16_t our_port, their_port; /* both the id for echo; 0 for protocols without */
};

struct kith_flow {
    struct kith_flow_key key;
    struct kith_link by_age; /* in `used`, longest silent first, or in `spare` */
    struct kith_flow *next;  /* of the same bucket */
    kith_time ends_at;
    bool acked_out, acked_in, closing; /* TCP */
};

struct kith_flow_fragment {   /* a datagram whose first piece was let in */
    struct kith_flow_key key; /* ports hold the identification */
    kith_time ends_at;        /* 0: free */
};

struct kith_flows {
    const struct kith_alloc *alloc;
    struct kith_flow *entry; /* room for KITH_FLOWS_MAX; n_begun of them were ever used */
    size_t n_begun;
    struct kith_flow **bucket; /* as many */
    struct kith_link used, spare;
    struct kith_flow_fragment fragment[KITH_FLOW_FRAGMENTS];
    size_t next_fragment;
    uint64_t k0, k1;  /* SipHash key */
    uint64_t evicted; /* flows that made room before their time */
};

/* Takes half a megabyte at once; KITH_E_NOMEM. */
int kith_flows_init(struct kith_flows *f, const struct kith_env *env) KITH_MUST_CHECK;
void kith_flows_fini(struct kith_flows *f);
/* Notes a packet that leaves for a member of the network in `slot`. */
void kith_flows_out(struct kith_flows *f, uint8_t slot, const struct kith_packet *p, kith_time now);
/* Whether an arriving packet answers what left before. */
bool kith_flows_in(struct kith_flows *f, uint8_t slot, const struct kith_packet *p, kith_time now);
/* Whether a packet quoted in an ICMP error is one of ours. */
bool kith_flows_quoted(const struct kith_flows *f, uint8_t slot, const struct kith_packet *quoted,
                       kith_time now);

#endif
