/* vpn_impl.h: the insides of struct kith_vpn, shared by vpn.c, outbound.c and inbound.c alone. */
#ifndef KITH_VPN_VPN_IMPL_H
#define KITH_VPN_VPN_IMPL_H

#include "base/list.h"
#include "base/map.h"
#include "vpn/flow.h"
#include "vpn/icmp.h"
#include "vpn/route.h"
#include "vpn/vpn.h"
#include "vpn/waiting.h"

struct kith_member {
    struct kith_vpn_member is; /* is.subnets is our copy */
    struct kith_line line;
    kith_time want_again_at;  /* when a session may be asked for again */
    struct kith_link wants;   /* in vpn.wanting, or alone */
    struct kith_link in_slot; /* in slot.members */
};

struct kith_slot {
    bool used;
    struct kith_vpn_network is; /* is.subnets is `subnets` */
    struct kith_prefix subnets[KITH_VPN_OWN_SUBNETS];
    struct kith_link members;
};

struct kith_vpn {
    struct kith_vpn_config config;
    struct kith_env env;
    struct kith_vpn_out out;
    struct kith_vpn_in in;
    struct kith_slot slot[KITH_VPN_SLOTS];
    struct kith_map members;    /* of struct kith_member, by handle and slot */
    struct kith_member *latest; /* the last one looked up: packets come in runs */
    struct kith_routes routes;  /* to struct kith_member */
    size_t subnets;             /* of all members */
    struct kith_addr listening[KITH_VPN_LISTENING];
    size_t listening_count;
    struct kith_waiting waiting;
    struct kith_link wanting;         /* members for whom a session is wished */
    struct kith_flows flows;          /* empty unless config.inbound_deny */
    struct kith_coalesce coalesce;    /* empty unless config.offload */
    struct kith_split split;          /* of the super-packet at hand */
    uint8_t scratch[KITH_PACKET_MAX]; /* a received packet that has to be changed */
    kith_time loop_again_at;          /* when route_loop may be told again */
    kith_time icmp_paid;              /* rate of ICMP errors */
    struct kith_vpn_counters counters;
};

/* The member, or NULL. */
struct kith_member *kith_vpn_member_find(struct kith_vpn *v, uint32_t member, uint8_t slot);
/* Whether ip is one of our own addresses in any network. */
bool kith_vpn_is_ours(const struct kith_vpn *v, const struct kith_ip *ip);
/* Whether one of our transports listens on this port. */
bool kith_vpn_is_listening(const struct kith_vpn *v, uint16_t port);
/* Whether this node stands for ip in the network: its own address or one in a subnet it advertises.
 * An address that is nearer to a member is never ours, however wide the subnet. */
bool kith_vpn_stands_for(const struct kith_vpn *v, const struct kith_slot *s,
                         const struct kith_ip *ip);
/* Whether the member may use ip: its own address, or one for which it has the longest route. */
bool kith_vpn_member_has(const struct kith_vpn *v, const struct kith_member *m,
                         const struct kith_ip *ip);
/* The reason why no packet may come from or go to ip, whoever it belongs to; or KITH_VPN_DROPS. */
enum kith_vpn_drop kith_vpn_judge_address(const struct kith_ip *ip);
/* The MSS that fits the MTU and the way to the member: less the smallest IP and TCP headers (RFC
 * 6691). */
uint16_t kith_vpn_mss(const struct kith_vpn *v, const struct kith_member *m,
                      const struct kith_packet *p);
/* Writes a packet to the device, past what is held; returns whether it took it. */
bool kith_vpn_write(struct kith_vpn *v, struct kith_span packet);

#endif
