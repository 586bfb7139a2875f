/* internal.h: what the files of this folder share.
 *
 *   node.c       life, the turn of the loop, effects
 *   networks.c   the networks this node belongs to: loading, making, leaving, backing up
 *   objects.c    signed objects on their way in: view, store, others; and what changes follow
 *   peers.c      who is known, and whom this node wants a session with
 *   gossip.c     memberships, allowances, and what else members tell each other
 *   digests.c    which objects two members have: digests, pulls, pushes
 *   issue.c      what a root or an admin signs; office.c: appointments
 *   leave.c      leaving a network; backup.c: its root under a passphrase, and back
 *   enrol.c      enrolment at the issuer; join.c: at the joiner
 *   requests.c   invitations, revocations, admins: what people ask for
 *   blocks.c     whom this node will have nothing to do with
 *   ask.c        answers about networks, members and peers; resolve.c: whom a text means
 *   metrics.c    how much there is of everything
 *   endpoints.c  where this node can be reached
 *   overlay.c    between the packet core and the sessions
 *   mesh.c       between the relay engine and the sessions
 *   routes.c     who leads where; seqno.c: newer numbers for that; search.c: what nobody told of
 *   rates.c      what links carry; telling.c: how much of that may go into telling
 *   recall.c     what ways were like before a restart
 *   ping.c       round trips on request */
#ifndef KITH_NODE_INTERNAL_H
#define KITH_NODE_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "identity/backup.h"
#include "identity/issuer.h"
#include "identity/limits.h"
#include "identity/network_view.h"
#include "identity/ticket.h"
#include "node/mesh.h"
#include "node/node.h"
#include "store/address.h"
#include "store/lease.h"
#include "store/network.h"
#include "store/object.h"
#include "store/setting.h"
#include "store/ticket.h"
#include "wire/enrol.h"
#include "wire/frame.h"

enum {
    PEERS_MAX = 10000,
    RANGE_BITS_MIN = 8, /* a network that claims more would take the host's own traffic */
    LACK_MAX = 4096,    /* objects of a network that one peer still has to send us */
    PULL_BATCH = 24,    /* asked for at once: about 130 kB */
    EAGER_MAX = 64,
    COMPANY_SIZE = 8,
    DONE_MAX = 16,  /* finished requests not yet told */
    PONGS_MAX = 64, /* ping replies not yet told */
    JOIN_SECONDS = 30,
    ANNOUNCEMENT_MAX = 12288,   /* bytes of the largest one, and some */
    JOIN_CONTACTS = 2,          /* places for other enrolments are left */
    JOIN_GREET_SECONDS = 86400, /* so long a new member looks for its issuer */
    OBSERVED_MAX = 4,           /* addresses others saw us at */
};
#define PUSH_COST (KITH_SEC / 64) /* control-stream 6.2 */
#define PUSH_BURST 512
#define DIGEST_INTERVAL (300 * KITH_SEC)    /* anti-entropy: digests repeated this often */
#define LIST_DELAY (2 * KITH_SEC)           /* MEMBERS lists gather changes this long */
#define ENDPOINTS_DELAY (KITH_SEC / 2)      /* addresses settle before they are told */
#define ANNOUNCEMENT_VALID (30 * KITH_WALL_DAY)
#define ENDPOINTS_VALID (7 * KITH_WALL_DAY)
#define ON_DEMAND_IDLE (300 * KITH_SEC)     /* a session asked for by traffic is kept this long */
#define CLOCK_JUMP 5 /* seconds by which the calendar may drift between two ticks */
#define UNWELCOME_TIME (60 * KITH_SEC)
#define STOP_PATIENCE (KITH_SEC / 2)
#define HOST_AGAIN (30 * KITH_SEC) /* what failed for want of memory or disk is tried again then */
#define REFUSAL_INTERVAL KITH_SEC /* memory that is short is short many times: told so often */

/* Of a network too large for a session with everybody: company.c. */
struct network_company {
    kith_time at;       /* when to look at it */
    kith_time round_at; /* when to look for more from the beginning */
    size_t next, left;  /* of this round: handles */
    bool strangers;     /* it has come to those that were never reached */
};

struct node_network {
    bool used;
    uint8_t slot;
    struct kith_network_id id;
    char name[KITH_LABEL_MAX + 1];
    struct kith_netview *view;
    struct kith_identity root; /* its key is NULL when another holds it */
    kith_time wake_at;         /* when the view changes by time alone */
    bool small;                /* at most eager_max members: sessions with all are kept */
    struct network_company company;
    bool missed; /* there was no memory for a member: look at all of them again */
    bool taken;  /* a member's address was another's still: look again when something changed */
    kith_time forget_at;    /* when to let go of what is over for good */
    kith_time save_at;      /* the store lacks objects that the view has; KITH_NEVER */
    kith_time list_at;      /* when to sign a new MEMBERS list; KITH_NEVER */
    kith_time renew_at;     /* when to look at our certificate again */
    kith_time endpoints_at; /* when to tell our addresses anew; KITH_NEVER */
    kith_time announce_at;  /* when to look whether our services are announced; KITH_NEVER */
    struct node_services *services; /* ours in it; NULL: none was ever registered */
};

struct told_addr {
    uint64_t seq;
    struct kith_addr addr;
};

/* Of a peer, in networks that large. */
struct peer_company {
    uint32_t kept;          /* bit per slot: a neighbour that is to stay one */
    kith_time missed_until; /* it was kept until it was lost, and is dialled until then */
    kith_time tried_until;  /* looked for as a neighbour until then */
    bool reached;           /* its address worked before; of the search under way */
};

struct node_peer {
    struct kith_peer_id id;
    uint32_t handle;           /* the packet core's name for it: index into node.by_handle */
    uint32_t member_of;        /* bit per slot: the view says it is a member */
    uint32_t proved;           /* bit per slot: it showed a valid membership in this session */
    uint8_t late;              /* sessions in a row that ended before it was proved */
    uint32_t shown;            /* bit per slot: we showed ours */
    kith_time digest_at;       /* when to send digests again; KITH_NEVER while down */
    kith_time unwelcome_until; /* it sent us away; not before then again */
    kith_time needed_until;    /* traffic or a request wants a session until then */
    kith_time part_at;         /* the session ends then: no common network is left; KITH_NEVER */
    uint64_t part_code;        /* with this close code */
    kith_time pull_at;         /* when to go on pulling: it may push only so fast; KITH_NEVER */
    /* what it may still ask of us: see gossip.c */
    kith_time push_paid, digest_paid, list_paid, observed_paid, answer_paid, address_paid;
    kith_time greet_paid;
    kith_time summed_at[KITH_NODE_NETWORKS_MAX]; /* when it was told what we hold, in short */
    bool greet_late;                             /* it moved, and was not told all again yet */
    bool blocked;                                /* blocks.c has it */
    uint8_t lack_slot;
    struct kith_object_key *lack; /* what it announced and we still miss; n_lack of them */
    size_t n_lack;
    unsigned pulls_out;  /* asked for, not yet come */
    kith_time pulled_at; /* when that was */
    struct peer_mesh mesh;
    struct peer_company company;
    struct told_addr *told; /* where it says it is, in this session; n_told of them */
    size_t n_told;
};

/* ENDED: told; the session with the issuer is to be closed if nothing else wants it. */
enum join_state { JOIN_FREE, JOIN_DIALLING, JOIN_ASKED, JOIN_WAITING, JOIN_ENDED };

struct node_join {
    enum join_state state;
    uint64_t call;
    bool silent; /* its caller has gone */
    kith_time until;
    kith_time again_at; /* the issuer sent us away: when to dial it again; 0: it did not */
    struct kith_peer_id issuer;
    struct kith_network_id network;
    struct kith_ticket_secret secret;
    char name[KITH_LABEL_MAX + 1];
    struct kith_conn *conn;
    int64_t stream;
    char last_failure[100];
};

struct node_blocks {
    struct kith_map by_id, by_destination; /* -> the same */
};

struct node_ping {
    bool used;
    uint64_t call;
    struct kith_peer_id peer;
    uint32_t count, sent;
    kith_dur interval;
    kith_time waiting_since; /* for a session; 0: not yet */
    kith_time next_at;
    struct {
        uint64_t token;
        uint32_t seq;
        kith_time until; /* 0: free */
    } out[8];
};

struct node_done {
    uint64_t call;
    int err;
    struct kith_node_why why;
    struct kith_network_id network;
};

struct node_pong {
    uint64_t call;
    uint32_t seq;
    bool lost;
    kith_dur rtt;
    unsigned hops;
    char route[96];
};

struct kith_node {
    const struct kith_env *env; /* own_env */
    struct kith_env own_env;    /* the caller's, its memory watched */
    struct kith_alloc_watch memory;
    uint64_t refused_told; /* of memory.refused */
    kith_time refusal_at;  /* the next is told of then at the earliest */
    struct kith_store *store;
    const struct kith_identity *identity;
    char name[KITH_LABEL_MAX + 1];
    kith_wall renew_before;
    struct kith_sessions *sessions;
    struct kith_vpn *vpn;
    struct kith_vpn_in tun;
    struct kith_tx_batch *batch;
    struct kith_enrol_limits *limits;
    struct kith_addr listen[KITH_VPN_LISTENING];
    size_t n_listen;
    struct node_network network[KITH_NODE_NETWORKS_MAX];
    struct kith_map peers; /* by id -> node_peer */
    struct node_peer **by_handle;
    size_t n_handles, cap_handles, peers_max;
    size_t eager_max;    /* in networks up to this size a node keeps a session with everybody */
    size_t company_size; /* neighbours that are looked for in larger ones */
    struct node_blocks blocks;
    bool some_gone; /* one was in no network of ours any more: perhaps its place is to be had */
    /* where this host can be reached */
    struct kith_ip host[KITH_NODE_ADDRS_MAX];
    size_t n_host;
    struct kith_addr observed[OBSERVED_MAX];
    size_t n_observed;
    kith_time observed_paid; /* of all peers together: each new one is told to all */
    struct told_addr told[KITH_NODE_ADDRS_MAX]; /* what members connected were told of these */
    size_t n_told;
    uint64_t told_seq;
    /* requests */
    struct node_join join[KITH_NODE_JOINS_MAX];
    struct node_ping ping[KITH_NODE_PINGS_MAX];
    struct node_done done[DONE_MAX];
    size_t n_done;
    struct node_pong pong[PONGS_MAX];
    size_t n_pong;
    bool overlay_changed, stopping, stopped_told;
    kith_time stop_at;
    int64_t clock_gap;   /* calendar less monotonic time at the last tick, seconds */
    kith_time peers_at;  /* when to look over wishes for sessions again */
    kith_time gossip_at; /* no peer's digest_at or pull_at is sooner */
    uint8_t *scratch;    /* KITH_FRAME_MAX bytes for encoding one message */
    struct node_mesh *mesh;
};

/* node.c */
int node_say(struct kith_node_why *why, int err, const char *remedy, const char *fmt, ...)
    KITH_PRINTF(4, 5);
void node_done(struct kith_node *n, uint64_t call, int err, const struct kith_network_id *network,
               const char *remedy, const char *text);

/* networks.c */
int networks_load(struct kith_node *n, struct kith_now now, struct kith_node_why *why);
void networks_free(struct kith_node *n);
struct node_network *network_by_id(const struct kith_node *n, const struct kith_network_id *id);
struct node_network *network_by_name(const struct kith_node *n, const char *name);
/* By name, or the only one when name is NULL or empty. */
int network_find(const struct kith_node *n, const char *name, struct node_network **ret,
                 struct kith_node_why *why);
/* A free place with a view; nothing is stored yet. KITH_E_FULL, KITH_E_NOMEM. */
int network_add(struct kith_node *n, const struct kith_network_id *id, struct node_network **ret);
void network_drop(struct kith_node *n, struct node_network *net);
/* Gives the view an object of its network; empty ones pass. */
int network_offer(struct node_network *net, struct kith_span object, struct kith_now now,
                  struct kith_node_why *why);
/* Its row in the store; root_pem is empty when another holds the root. */
int network_store(struct kith_node *n, const struct node_network *net, struct kith_span root_pem,
                  uint64_t next_serial, struct kith_now now);
/* A name that no other network of this node has: the network's own, or with a suffix. */
void network_choose_name(const struct kith_node *n, struct node_network *net,
                         const struct kith_object *object);
/* Takes over a network after enrolment at `issuer`: stores it with its first objects. */
int network_adopt(struct kith_node *n, const struct kith_network_id *id,
                  const struct kith_peer_id *issuer, struct kith_span network,
                  struct kith_span admin, struct kith_span cert, struct kith_now now,
                  struct node_network **ret, struct kith_node_why *why);
/* This node's own member in the network; false while it has no certificate. */
bool network_self(const struct kith_node *n, const struct node_network *net, kith_wall now,
                  struct kith_member *ret);

/* objects.c */
/* Judges an object, keeps it if new, tells others (but not `from`, which may be NULL). */
int object_take(struct kith_node *n, struct node_network *net, struct kith_span object,
                const struct kith_peer_id *from, struct kith_now now, enum kith_offer *ret,
                const char **ret_why);
/* The same for what this node signed itself; an error is ours. */
int object_publish(struct kith_node *n, struct node_network *net, struct kith_span object,
                   struct kith_now now);
/* The same for what must not be forgotten: it is on the disk first, or nothing has happened. */
int object_promise(struct kith_node *n, struct node_network *net, struct kith_span object,
                   struct kith_now now);
int object_store(struct kith_node *n, const struct node_network *net, struct kith_span object);
/* Carries out what the view reports as changed. */
void objects_settle(struct kith_node *n, struct node_network *net, struct kith_now now);
void objects_tick(struct kith_node *n, struct kith_now now);
kith_time objects_deadline(const struct kith_node *n);

/* peers.c */
struct node_peer *peer_find(const struct kith_node *n, const struct kith_peer_id *id);
/* The one a session is with; NULL: nobody known. Who has a session keeps its place, so it is looked
 * for once: for each packet. */
struct node_peer *peer_of(const struct kith_node *n, struct kith_session *s);
struct node_peer *peer_get(struct kith_node *n, const struct kith_peer_id *id);
void peers_free(struct kith_node *n);
/* Gives the session layer what is known of its addresses, and whether it is wanted. */
void peer_refresh(struct kith_node *n, struct node_peer *p, struct kith_now now);
void peer_need(struct kith_node *n, struct node_peer *p, kith_dur how_long, struct kith_now now);
/* Ends the session with a close code, a moment later: what was said last is still heard. Until then
 * the peer is a stranger. */
void peer_part(struct kith_node *n, struct node_peer *p, uint64_t code, struct kith_now now);
void peers_tick(struct kith_node *n, struct kith_now now);
void peer_note_address(struct kith_node *n, const struct kith_session *s, struct kith_now now);
/* Where it was reached before, or a ticket says it is; how many, cap at most. */
size_t peer_stored_addrs(struct kith_node *n, const struct kith_peer_id *id, struct kith_addr *ret,
                         size_t cap);
bool peer_is_self(const struct kith_node *n, const struct kith_peer_id *id);

/* company.c */
/* Whether a session with the peer is wanted in a large network. */
bool company_wants(const struct node_peer *p, size_t slot, struct kith_now now);
/* It is a neighbour now, or no more. */
void company_met(struct kith_node *n, struct node_peer *p, struct kith_now now);
void company_parted(struct kith_node *n, struct node_peer *p, struct kith_now now);
/* This host is elsewhere now: others may be near. */
void company_moved(struct kith_node *n, struct kith_now now);
void company_tick(struct kith_node *n, struct kith_now now);
kith_time company_deadline(const struct kith_node *n);

/* gossip.c */
void gossip_effect(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now);
void gossip_greet(struct kith_node *n, struct node_peer *p, struct kith_now now);
void gossip_tick(struct kith_node *n, struct kith_now now);
kith_time gossip_deadline(const struct kith_node *n);
void gossip_show_membership(struct kith_node *n, struct node_peer *p, struct node_network *net,
                            struct kith_now now);
/* Tells one that was a member what ended that, and ends the session soon. */
void gossip_send_away(struct kith_node *n, struct node_peer *p, const struct node_network *net,
                      struct kith_now now);
/* What a member overdid is held against it: conduct.def. */
void gossip_note(const struct kith_node *n, const struct kith_peer_id *peer, enum kith_offence what,
                 struct kith_now now);
/* Whether one more object of this peer's is judged, in whatever message it came. Guests are nobody
 * yet (NULL): what they may send at all is little. */
bool gossip_may_offer(const struct kith_node *n, struct node_peer *p, struct kith_now now);
/* Whether one more object is sent to it because it asked. */
bool gossip_may_answer(const struct kith_node *n, struct node_peer *p, struct kith_now now);
/* The tick comes at `at` at the latest. */
void gossip_wake(struct kith_node *n, kith_time at);
/* Tells of an object that was not taken; one that is none is held against its sender. */
void gossip_refused(struct kith_node *n, const struct kith_peer_id *from, const char *object,
                    int err, const char *why, struct kith_now now);
/* Sends the n bytes encoded at n->scratch. */
int gossip_send(struct kith_node *n, const struct kith_peer_id *to, size_t len,
                struct kith_now now);

/* Pays for `count` things out of one of a peer's allowances; what it cannot pay for is not looked
 * at, and is held against it. */
bool gossip_affords(const struct kith_node *n, const struct node_peer *p, kith_time *paid,
                    kith_dur cost, size_t count, size_t burst, struct kith_now now);
/* The network a message speaks of, if its sender has proved to be in it; NULL. */
struct node_network *gossip_shared_network(const struct kith_node *n,
                                           const struct kith_network_id *id,
                                           const struct node_peer *p);

/* digests.c */
/* Tells a member, in short, which objects of a network there are here. */
void digests_tell(struct kith_node *n, struct node_peer *p, struct node_network *net,
                  struct kith_now now);
/* Announces one object to every member that this node has shown itself to, but `except`. */
void digests_announce(struct kith_node *n, const struct node_network *net,
                      const struct kith_object *obj, const struct kith_peer_id *except,
                      struct kith_now now);
int digests_push(struct kith_node *n, const struct kith_peer_id *to,
                 const struct kith_object *object, struct kith_now now) KITH_MUST_CHECK;
void digests_compare(struct kith_node *n, struct node_peer *p, struct kith_span message,
                     struct kith_now now);
/* Asks for the next few objects that the peer has and we lack. */
void digests_pull_more(struct kith_node *n, struct node_peer *p, struct kith_now now);
void digests_heard(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now);
void digests_pull(struct kith_node *n, struct node_peer *p, struct kith_span message,
                  struct kith_now now);
void digests_pushed(struct kith_node *n, struct node_peer *p, struct kith_span message,
                    struct kith_now now);

/* issue.c */
bool issue_may(const struct kith_node *n, const struct node_network *net, kith_wall now);
struct issue_member {
    struct kith_public_key key;
    struct kith_peer_id peer;
    const char *name; /* wanted; never empty */
    struct kith_records groups;
    bool claimed; /* it has shown itself as a member before */
};
/* Signs and stores a certificate; inside a transaction of the caller's. Renewals keep name and
 * address. buf is KITH_CERT_MAX. */
int issue_cert(struct kith_node *n, struct node_network *net, const struct issue_member *m,
               struct kith_now now, uint8_t *buf, size_t *ret_len, uint64_t *ret_serial,
               char ret_name[KITH_LABEL_MAX + 1]);
/* Revokes all of a peer's certificates, those to come included, and its office if it has one. */
int issue_revoke(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                 bool office, struct kith_now now);
/* A member that another machine with this signer's key certified, or this one before it left and
 * came back: it vouches for it as well, else its next list would put it out. */
void issue_adopt(struct kith_node *n, const struct node_network *net, const struct kith_member *m,
                 struct kith_now now);
void issue_adopt_all(struct kith_node *n, const struct node_network *net, struct kith_now now);
/* It left: what was promised to it is free again. */
void issue_forget(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                  struct kith_now now);
/* Leases of the network that ended before `before`. */
void issue_forget_ended(struct kith_node *n, const struct node_network *net, kith_wall before);
/* It showed the certificate that this node may have given it. */
void issue_claimed(struct kith_node *n, const struct node_network *net,
                   const struct kith_peer_id *peer);
void issue_tick(struct kith_node *n, struct kith_now now);
kith_time issue_deadline(const struct kith_node *n);
void issue_list_soon(struct node_network *net, struct kith_now now);
void issue_renew_request(struct kith_node *n, const struct kith_peer_id *from,
                         struct kith_span message, struct kith_now now);
void issue_renew_answer(struct kith_node *n, const struct kith_peer_id *from,
                        struct kith_span message, struct kith_now now);
/* The signer this node is in the network: the root when it holds it, else itself. */
const struct kith_identity *issue_signer(const struct kith_node *n, const struct node_network *net);

/* office.c */
/* Makes a member an admin until then; a time that has come dismisses it. KITH_E_FULL when there is
 * no block left. */
int office_appoint(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                   kith_wall until, struct kith_now now);
/* The root's own office, and those that end soon. */
void office_look(struct kith_node *n, struct node_network *net, struct kith_now now);

/* enrol.c, join.c */
void enrol_stream(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now);
void join_stream(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now);
bool join_is_with(const struct kith_node *n, const struct kith_peer_id *peer);
/* Whether nobody waits for the peer to answer: it is no issuer, or one that only has to greet. */
bool join_may_wait(const struct kith_node *n, const struct kith_peer_id *peer);
/* The issuer sent us away and is not dialled before `until`. */
void join_sent_away(struct kith_node *n, const struct kith_peer_id *peer, kith_time until);
void join_session_up(struct kith_node *n, const struct kith_peer_id *peer, struct kith_now now);
/* `others`: somebody else answered wherever the ticket says the issuer is. */
void join_dial_failed(struct kith_node *n, const struct kith_peer_id *peer, const char *why,
                      bool others);
void join_member_proved(struct kith_node *n, const struct kith_peer_id *peer,
                        const struct node_network *net);
/* Keeps who is to be asked, at most JOIN_CONTACTS, until one has greeted: the issuer of the
 * certificate, for nobody else of the network is known yet. Inside a transaction of the caller's.
 */
int join_remember(struct kith_node *n, const struct kith_network_id *network,
                  const struct kith_peer_id *contact, size_t count);
/* Goes on looking for those, of whom none has greeted so far. */
void join_resume(struct kith_node *n, const struct node_network *net, struct kith_now now);
/* The network is being left. */
void join_forget(struct kith_node *n, const struct node_network *net);
void join_tick(struct kith_node *n, struct kith_now now);
kith_time join_deadline(const struct kith_node *n);
void join_cancel(struct kith_node *n, uint64_t call);

/* endpoints.c */
size_t endpoints_own(const struct kith_node *n, struct kith_addr *ret, size_t cap);
void endpoints_changed(struct kith_node *n, struct kith_now now);
/* Whether an address that a peer tells can lead to it, and not into our overlay or to ourselves. */
bool endpoints_dialable(const struct kith_node *n, const struct kith_addr *addr);
/* Tells a member that has just proved itself where else this node is. */
void endpoints_tell(struct kith_node *n, const struct node_peer *p, struct kith_now now);
/* ADD_ADDRESS and REMOVE_ADDRESS of a member. */
void endpoints_add(struct kith_node *n, struct node_peer *p, struct kith_span message,
                   struct kith_now now);
void endpoints_remove(struct kith_node *n, struct node_peer *p, struct kith_span message,
                      struct kith_now now);
void endpoints_observed(struct kith_node *n, const struct kith_addr *addr, struct kith_now now);
void endpoints_tick(struct kith_node *n, struct kith_now now);
kith_time endpoints_deadline(const struct kith_node *n);

/* services.c */
int services_load(struct kith_node *n, struct node_network *net, struct kith_now now);
/* Its memory, not what is stored. */
void services_free(struct kith_node *n, struct node_network *net);
/* The network was left. */
void services_forget(struct kith_node *n, struct node_network *net);
void services_tick(struct kith_node *n, struct kith_now now);
kith_time services_deadline(const struct kith_node *n);

/* blocks.c */
void blocks_init(struct kith_node *n);
int blocks_load(struct kith_node *n);
void blocks_free(struct kith_node *n);
bool blocks_has(const struct kith_node *n, const struct kith_peer_id *id);
/* Whether a destination is that of one that is blocked. */
bool blocks_leads_to(const struct kith_node *n, const struct kith_destination *to);

/* overlay.c */
int overlay_new(struct kith_node *n, const struct kith_vpn_config *cfg);
void overlay_network(struct kith_node *n, struct node_network *net, struct kith_now now);
void overlay_members(struct kith_node *n, struct node_network *net, struct kith_now now);
void overlay_member(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                    struct kith_now now);
void overlay_packet(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                    struct kith_marks marks, kith_time now);
bool overlay_mark(void *ctx, uint8_t *packet, size_t n);
void overlay_effects(struct kith_node *n, struct kith_now now);

/* ping.c */
void ping_pong(struct kith_node *n, const struct kith_session_effect *fx, struct kith_now now);
void ping_tick(struct kith_node *n, struct kith_now now);
kith_time ping_deadline(const struct kith_node *n);
void ping_cancel(struct kith_node *n, uint64_t call);

/* ask.c */
void ask_network(const struct kith_node *n, const struct node_network *net, kith_wall now,
                 struct kith_network_info *ret);
void ask_member(const struct kith_node *n, const struct node_network *net,
                const struct kith_member *m, kith_wall now, struct kith_member_info *ret);
void ask_route(const struct kith_node *n, const struct kith_session_info *info, kith_wall now,
               char *buf, size_t cap);
/* As kith_node_find_member, but a name that means one member here and another there is
 * KITH_E_INVAL. */
int ask_one(const struct kith_node *n, const char *text, const char *network, kith_wall now,
            struct kith_member_info *ret, struct kith_node_why *why);
/* What a member is called in the first of our networks that it is in; empty for others. */
void ask_name(const struct kith_node *n, const struct kith_peer_id *peer, kith_wall now, char *buf,
              size_t cap);

#endif
