/* node.h: one node: its networks, members, sessions and packets, joined; no protocol of its own.
 *
 * Sans-IO: datagrams and TUN packets come in through functions, leave through a batch and a table,
 * and everything else the outside must do is an effect. The store is written directly, because an
 * answer may leave only after what it promises is on the disk. Thousands of nodes live in one
 * process (tests/sim).
 *
 * Order: new (loads everything from the store); per turn of the loop any number of receive,
 * from_tun and requests; tick when due; take effects until there are none; flush; take effects
 * once more. stop, then the STOPPED effect, then free.
 * Page: docs/modules/node.md.  Tests: tests/sim/node_test.c, resolve_test.c. */
#ifndef KITH_NODE_NODE_H
#define KITH_NODE_NODE_H

#include "base/env.h"
#include "base/text.h"
#include "identity/destination.h"
#include "identity/identity.h"
#include "identity/network_view.h"
#include "mesh/relay.h"
#include "session/session.h"
#include "store/store.h"
#include "vpn/vpn.h"

struct kith_node;

enum {
    KITH_NODE_NETWORKS_MAX = KITH_VPN_SLOTS,
    KITH_NODE_ADDRS_MAX = 16,  /* addresses of its own that a node tells others */
    KITH_NODE_GROUPS_MAX = 16, /* groups of a member */
    KITH_NODE_PINGS_MAX = 32,  /* pings under way at once */
    KITH_NODE_JOINS_MAX = 4,   /* enrolments under way at once, as the joiner */
};

struct kith_node_config {
    const struct kith_identity *identity; /* borrowed; outlives the node */
    const char *name;                     /* what this machine calls itself; a label; copied */
    const char *software;                 /* name and version for hello; borrowed for ever */
    struct kith_quic_config quic;         /* keys in it are filled in by the node */
    struct kith_vpn_config vpn;
    struct kith_vpn_in tun; /* takes packets for this host; write NULL: there is no interface */
    struct kith_tx_batch *batch;    /* borrowed; has its transports already */
    kith_dur keepalive;             /* 0: 20 s */
    uint64_t capabilities;          /* what this node says it can (KITH_CAP_…) */
    kith_wall renew_before;         /* seconds before a certificate's end; 0: 10 days */
    const struct kith_addr *listen; /* bound addresses, copied; at most KITH_VPN_LISTENING */
    size_t n_listen;
    bool forward_nothing;  /* members are not led on to each other */
    size_t paths_max;      /* destinations of a network to which ways are kept; 0: 10,000 */
    uint64_t forward_rate; /* bytes a second of others' that are sent on; 0: without a limit */
    size_t peers_max;      /* peers known at a time, members and others; 0: 10,000 */
    size_t eager_max;      /* members of a network in which it keeps a session with all; 0: 64 */
    size_t company_size;   /* neighbours that it looks for in a larger one; 0: 8 */
};

/* Why a request failed, for people. */
struct kith_node_why {
    char text[200];
    char remedy[200]; /* empty when there is none */
};

/* Loads identity's networks from the store (borrowed; outlives the node). */
int kith_node_new(const struct kith_node_config *cfg, const struct kith_env *env,
                  struct kith_store *store, struct kith_now now, struct kith_node **ret,
                  struct kith_node_why *why) KITH_MUST_CHECK;
/* NULL is fine. Without stop before, peers notice by silence only. */
void kith_node_free(struct kith_node *n);

/* ---- what happens ---- */

void kith_node_receive(struct kith_node *n, const struct kith_rx *run, struct kith_now now);
/* One read of the TUN device, as kith_vpn_from_tun. */
void kith_node_from_tun(struct kith_node *n, uint8_t *data, size_t len, struct kith_now now);
/* This host's addresses are now these (without the overlay's own, loopback and link-local ones);
 * `changed`: something about addresses or routes changed since the last call. */
void kith_node_host_changed(struct kith_node *n, const struct kith_ip *addr, size_t count,
                            bool changed, struct kith_now now);
void kith_node_tick(struct kith_node *n, struct kith_now now);
kith_time kith_node_deadline(const struct kith_node *n);
/* The end of a turn: merged packets go to the TUN, datagrams into the batch and out. */
void kith_node_flush(struct kith_node *n, struct kith_now now);
/* What strangers' work costs from now on (conn/quic/quic.h). */
void kith_node_set_prices(struct kith_node *n, const struct kith_quic_prices *prices);
/* vpn.inbound = allow|deny, at run time. */
void kith_node_set_inbound(struct kith_node *n, bool deny);
/* mesh.forward_rate, at run time. */
void kith_node_set_forward_rate(struct kith_node *n, uint64_t bytes_per_second);
/* network.renew_before, at run time; it counts from the next hourly look at certificates. */
void kith_node_set_renew_before(struct kith_node *n, kith_wall seconds);

enum kith_node_effect_kind {
    KITH_NODE_OVERLAY, /* addresses or routes of the interface are to be set anew */
    KITH_NODE_DONE,    /* the request `call` ended: `err`, `why`, and for joins `network` */
    KITH_NODE_PONG, /* ping `call`: packet `seq` came back after `rtt` by `route`, or is `lost` */
    KITH_NODE_STOPPED, /* after kith_node_stop: nothing more will happen */
};

struct kith_node_effect {
    enum kith_node_effect_kind kind;
    uint64_t call;
    int err;
    struct kith_node_why why;
    struct kith_network_id network;
    uint32_t seq;
    bool lost;
    kith_dur rtt;
    unsigned hops; /* of the route: 1 is direct; 0: nobody has told, or it is lost */
    char route[96];
};

/* The next wish; false when there is none. */
bool kith_node_next_effect(struct kith_node *n, struct kith_now now, struct kith_node_effect *ret);
/* Drains: tells every peer, ends every session. STOPPED follows within 3 s. */
void kith_node_stop(struct kith_node *n, struct kith_now now);

/* ---- asking ---- */

struct kith_network_info {
    struct kith_network_id id;
    char name[KITH_LABEL_MAX + 1];
    uint8_t slot;
    struct kith_prefix range4, range6; /* where its members live */
    struct kith_ip ip4, ip6;           /* this node's addresses */
    size_t members;                    /* this node included */
    enum kith_standing standing;       /* this node's own */
    bool admin, root;                  /* may this node admit members; does it hold the root key */
    kith_wall expires;                 /* end of this node's certificate */
};

struct kith_member_info {
    struct kith_peer_id peer;
    struct kith_network_id network;
    char network_name[KITH_LABEL_MAX + 1];
    char name[KITH_LABEL_MAX + 1];
    struct kith_ip ip4, ip6;
    bool self, admin, root, online; /* online: there is a session */
    bool blocked;                   /* by this node: there is none, and will be none */
    kith_wall expires;
    size_t n_groups;
    char groups[KITH_NODE_GROUPS_MAX][KITH_LABEL_MAX + 1];
};

struct kith_peer_info {
    struct kith_session_info session;
    char name[2 * KITH_LABEL_MAX + 2]; /* in its first network with us; empty for a guest */
    char route[96];                    /* "direct udp 192.0.2.1:9000" */
};

const struct kith_peer_id *kith_node_id(const struct kith_node *n);
/* Walks the networks: start with *at = 0; false at the end. */
bool kith_node_next_network(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_network_info *ret);
/* NULL or empty name: the only network. KITH_E_NOTFOUND, or KITH_E_INVAL when a name is needed. */
int kith_node_find_network(const struct kith_node *n, const char *name, kith_wall now,
                           struct kith_network_info *ret,
                           struct kith_node_why *why) KITH_MUST_CHECK;
/* Walks a network's members by name: start with *at = 0; don't change anything in between. */
bool kith_node_next_member(const struct kith_node *n, const struct kith_network_id *network,
                           size_t *at, kith_wall now, struct kith_member_info *ret);
/* By name, name.network, name.network.kith, overlay address or peer id; `network` may be NULL. */
int kith_node_find_member(const struct kith_node *n, const char *text, const char *network,
                          kith_wall now, struct kith_member_info *ret,
                          struct kith_node_why *why) KITH_MUST_CHECK;
/* A service that a member announced. */
struct kith_service_info {
    char network[KITH_LABEL_MAX + 1], member[KITH_LABEL_MAX + 1], name[KITH_LABEL_MAX + 1];
    char about[KITH_SERVICE_ABOUT_MAX + 1];
    struct kith_peer_id peer;
    struct kith_destination destination;
    bool self, online; /* of this node; of one with which there is a session */
    kith_wall expires;
};
struct kith_service_walk { /* all-zero: the beginning */
    size_t member, service;
    bool among;
    struct kith_peer_id peer;
};
/* Walks the services of a network's members in the order of their names. Nothing in between. */
bool kith_node_next_service(const struct kith_node *n, const struct kith_network_id *network,
                            struct kith_service_walk *at, kith_wall now,
                            struct kith_service_info *ret);
/* Whom somebody means: a member itself, or a service of one. */
struct kith_resolved {
    struct kith_member_info member;
    struct kith_destination destination;
    char service[KITH_LABEL_MAX + 1]; /* KITH_SERVICE_SELF: the member itself */
};
/* By what kith_node_find_member takes, which comes first, or by a destination: a member's own, or
 * that of a service it announced. KITH_E_NOTFOUND. Looks at all services: for people's requests. */
int kith_node_resolve(const struct kith_node *n, const char *text, const char *network,
                      kith_wall now, struct kith_resolved *ret,
                      struct kith_node_why *why) KITH_MUST_CHECK;
/* A way to a member through the mesh: a neighbour that leads there. */
struct kith_way_info {
    struct kith_destination destination; /* the member's own */
    struct kith_peer_id peer, via;       /* the member; the neighbour, perhaps the same */
    char network[KITH_LABEL_MAX + 1];
    char member[KITH_LABEL_MAX + 1]; /* empty: no member with this destination is known */
    char via_name[KITH_LABEL_MAX + 1];
    unsigned hops; /* 1: the member is a neighbour itself */
    kith_dur rtt;  /* measured by this way; 0: not yet */
    double loss;   /* 0 to 1, smoothed */
    uint64_t rate; /* bit/s of the slowest link that is known, a power of two; 0: none is */
    kith_dur age;  /* since it was told or used */
    kith_wall expires;
    bool best; /* the first that packets would take */
};
struct kith_way_walk { /* all-zero: the beginning */
    size_t at, next, n;
    struct kith_destination to;
    kith_wall expires;
    struct kith_mesh_way way[KITH_MESH_WAYS];
};
/* Walks the ways that are known in a network, those of a destination together, best first. Nothing
 * in between. */
bool kith_node_next_way(const struct kith_node *n, const struct kith_network_id *network,
                        struct kith_way_walk *at, struct kith_now now, struct kith_way_info *ret);
/* Walks the sessions that are up: start with *at = NULL (it holds the walk's place). */
bool kith_node_next_peer(const struct kith_node *n, struct kith_session **at, kith_wall now,
                         struct kith_peer_info *ret);
size_t kith_node_session_count(const struct kith_node *n);

/* A peer that this node has nothing to do with, because whoever runs it says so. */
struct kith_block_info {
    struct kith_peer_id peer;
    char name[KITH_LABEL_MAX + 1]; /* empty: it is no member */
    kith_wall since;
    bool changed; /* by the request that this answers */
};
/* Walks them in no order: start with *at = 0. Nothing in between. */
bool kith_node_next_blocked(const struct kith_node *n, size_t *at, kith_wall now,
                            struct kith_block_info *ret);

/* How much there is of everything now. Walks all peers: for every few seconds. */
struct kith_node_totals {
    uint64_t sessions, guests;           /* that are up: with peers trusted, with others */
    uint64_t direct, relayed, multi_hop; /* of the sessions: through nobody, one other, more */
    uint64_t ways;              /* destinations that neighbours lead to, network by network */
    uint64_t ways_pushed_out;   /* left for others, because the table was full */
    uint64_t ways_turned_away;  /* not taken in, because enough as near were there */
    uint64_t path_requests;     /* sent, for others and for itself */
    uint64_t path_answers;      /* sent */
    uint64_t answers_unasked;   /* that belonged to no request, or came late */
    uint64_t unread;            /* bytes told by neighbours that wait to be read */
    uint64_t flows;             /* through the mesh that begin, end or pass here */
    uint64_t neighbours;        /* sessions that lead on */
    uint64_t connections;       /* QUIC's, handshakes included */
    uint64_t peers;             /* known, members and others */
    uint64_t blocked;           /* peers that this node blocks, known or not */
    uint64_t members;           /* other members, each once however many networks it is in */
    uint64_t members_connected; /* of these, those with a session */
    uint64_t networks, networks_lapsed; /* lapsed: this node is no member, for whatever reason */
    uint64_t networks_expired;          /* of the lapsed, those by the end of the certificate */
    uint64_t certificate_end; /* kith_wall; this node's first to end, ended ones too; 0: none */
};
void kith_node_totals(const struct kith_node *n, kith_wall now, struct kith_node_totals *ret);
struct kith_vpn_counters kith_node_vpn_counters(const struct kith_node *n);
const struct kith_session_counters *kith_node_session_counters(const struct kith_node *n);
const struct kith_quic_counters *kith_node_quic_counters(const struct kith_node *n);
const struct kith_relay_counters *kith_node_relay_counters(const struct kith_node *n);
/* Of what members tell each other of a network (docs/spec/mesh.md 2.11). */
struct kith_telling_counters {
    uint64_t bytes;  /* of routes, digests and requests, said */
    uint64_t late;   /* times something had to wait for its share of a link */
    uint64_t held;   /* messages of neighbours that had to wait to be read */
    uint64_t unread; /* that found no room to wait */
};
const struct kith_telling_counters *kith_node_telling_counters(const struct kith_node *n);

/* ---- requests: done when they return, unless they take a call's number ---- */

/* A random /16 of 100.64.0.0/10 for which in_use answers false and that no network of ours
 * overlaps. KITH_E_FULL when 64 tries find none. */
int kith_node_pick_range(const struct kith_node *n,
                         bool (*in_use)(void *ctx, const struct kith_prefix *p), void *ctx,
                         struct kith_prefix *ret) KITH_MUST_CHECK;
/* A network with its own root key; this node is its first member and admin. KITH_E_EXISTS for the
 * name, KITH_E_TAKEN for the range, KITH_E_FULL, KITH_E_INVAL for a range of over 26 bits. */
int kith_node_network_create(struct kith_node *n, const char *name, const struct kith_prefix *range,
                             struct kith_now now, struct kith_network_info *ret,
                             struct kith_node_why *why) KITH_MUST_CHECK;
/* *ret_told: how many members were connected and told; they tell the others. When there is none,
 * this node stays listed elsewhere until its certificate ends. */
int kith_node_network_leave(struct kith_node *n, const char *name, struct kith_now now,
                            size_t *ret_told, struct kith_node_why *why) KITH_MUST_CHECK;

struct kith_invite {
    const char *network; /* NULL: the only one */
    const char *name;    /* the member's name; NULL: it chooses */
    const char *groups[KITH_NODE_GROUPS_MAX];
    size_t n_groups;
    kith_wall valid; /* seconds */
    uint32_t uses;
};
/* Writes the ticket's text (KITH_TICKET_TEXT_MAX); the caller wipes it. KITH_E_NOTADMIN. */
int kith_node_invite(struct kith_node *n, const struct kith_invite *invite, struct kith_now now,
                     char *buf, size_t cap, struct kith_network_info *ret_network,
                     kith_wall *ret_expires, struct kith_node_why *why) KITH_MUST_CHECK;
/* Enrols with a ticket. `name` may be NULL. A DONE effect for `call` follows, within 30 s. */
int kith_node_join(struct kith_node *n, const char *ticket, const char *name, uint64_t call,
                   struct kith_now now, struct kith_node_why *why) KITH_MUST_CHECK;
int kith_node_revoke(struct kith_node *n, const char *member, const char *network,
                     struct kith_now now, struct kith_member_info *ret,
                     struct kith_node_why *why) KITH_MUST_CHECK;
/* Both need the root key. */
int kith_node_admin_add(struct kith_node *n, const char *member, const char *network,
                        struct kith_now now, struct kith_member_info *ret,
                        struct kith_node_why *why) KITH_MUST_CHECK;
int kith_node_admin_remove(struct kith_node *n, const char *member, const char *network,
                           struct kith_now now, struct kith_member_info *ret,
                           struct kith_node_why *why) KITH_MUST_CHECK;
/* The sealed root (identity/backup.h; KITH_BACKUP_MAX bytes at most). Blocks 0.1 s. */
int kith_node_backup(struct kith_node *n, const char *network, struct kith_span passphrase,
                     struct kith_now now, uint8_t *buf, size_t cap, size_t *ret_len,
                     struct kith_network_info *ret, struct kith_node_why *why) KITH_MUST_CHECK;
/* Takes over the root of a network from a backup; joins it if this node is no member yet. */
int kith_node_restore(struct kith_node *n, struct kith_span file, struct kith_span passphrase,
                      struct kith_now now, struct kith_network_info *ret,
                      struct kith_node_why *why) KITH_MUST_CHECK;
/* A service of this node, told to all members of the network (NULL: the only one); `about` is for
 * people. One that is there is told anew with what is said now. KITH_E_FULL beyond
 * KITH_SERVICES_MAX. *ret names it and its destination. */
int kith_node_service_add(struct kith_node *n, const char *name, const char *about,
                          const char *network, struct kith_now now, struct kith_service_info *ret,
                          struct kith_node_why *why) KITH_MUST_CHECK;
/* KITH_E_NOTFOUND. */
int kith_node_service_remove(struct kith_node *n, const char *name, const char *network,
                             struct kith_now now, struct kith_service_info *ret,
                             struct kith_node_why *why) KITH_MUST_CHECK;
/* Ends what there is with a peer, and has nothing to do with it until it is unblocked: a member by
 * name, as kith_node_find_member, or anybody by peer id. On the disk when it returns; *ret says
 * whether anything changed. KITH_E_INVAL for the node itself and a name that several have,
 * KITH_E_NOTFOUND, KITH_E_FULL. */
int kith_node_block(struct kith_node *n, const char *peer, const char *network, struct kith_now now,
                    struct kith_block_info *ret, struct kith_node_why *why) KITH_MUST_CHECK;
int kith_node_unblock(struct kith_node *n, const char *peer, const char *network,
                      struct kith_now now, struct kith_block_info *ret,
                      struct kith_node_why *why) KITH_MUST_CHECK;
/* `count` round trips (0: until cancelled), `interval` apart. PONG effects, then DONE. */
int kith_node_ping(struct kith_node *n, const struct kith_peer_id *peer, uint32_t count,
                   kith_dur interval, uint64_t call, struct kith_now now,
                   struct kith_node_why *why) KITH_MUST_CHECK;
/* The caller of a request wants no answer any more. */
void kith_node_cancel(struct kith_node *n, uint64_t call);

#endif
