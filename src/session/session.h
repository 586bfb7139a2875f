/* session.h: everything between this node and one peer, whatever connections carry it.
 *
 * A session is found by the peer's proved id. It holds up to 8 connections, each over a path of
 * its own, sends on the best of them, keeps them alive, replaces those that die (make before
 * break), and dials by itself as long as it is wanted. Above it there are control messages (in
 * order, reliable while a connection lasts), IP packets (datagrams, fragmented where the path is
 * too narrow) and streams. What must survive a connection's end is sent again above, on MOVED.
 *
 * It knows nothing of networks: who may do what is the node's to decide. Until the node calls
 * kith_session_trust a session is a guest's: 10 s, 16 kB, at most 64 of them. A member that goes
 * on overdoing something (conduct.h) is sent away for a minute.
 *
 * Order per turn: receive; tick when due; take effects until there are none; flush.
 * Spec: docs/spec/session.md 3.  Tests: tests/sim/session_test.c,
 * session_silent_test.c. */
#ifndef KITH_SESSION_SESSION_H
#define KITH_SESSION_SESSION_H

#include "base/env.h"
#include "conn/quic/quic.h"
#include "session/conduct.h"
#include "wire/control.h"
#include "wire/kinds.h"

struct kith_sessions; /* all of a node's */
struct kith_session;  /* with one peer */

enum {
    KITH_SESSION_CONNS_MAX = 8,
    KITH_SESSION_ADDRS_MAX = 16, /* candidates to dial */
    KITH_SESSION_GUESTS_MAX = 64,
    KITH_SESSION_GUEST_BYTES = 16 * 1024, /* that a guest may send on streams */
    KITH_SESSION_SLOTS = 16,              /* networks a session can share */
};
#define KITH_SESSION_GUEST_TIME (10 * KITH_SEC)

struct kith_sessions_config {
    struct kith_quic_config quic;
    struct kith_peer_id self;
    uint64_t boot_id;      /* random per start */
    uint64_t capabilities; /* told in hello (KITH_CAP_…) */
    const char *software;  /* name and version, at most 64 bytes; borrowed for ever */
    size_t sessions_max;   /* 0: 10,000 */
    kith_dur keepalive;    /* probe after so much silence; 0: 20 s */
    /* Whether a peer that comes by itself has a place beside the guests; NULL: none has. */
    bool (*expects)(void *ctx, const struct kith_peer_id *peer);
    /* Whether a peer that proved its key is refused with BLOCKED; NULL: none is. */
    bool (*blocks)(void *ctx, const struct kith_peer_id *peer);
    void *ctx;
    uint32_t mesh; /* the transport over which KITH_FAMILY_MESH is dialled */
};

/* Takes IP packets as they come in, during kith_sessions_receive. `slot` is our own number of the
 * network, as kith_session_allow_slot said. Must not call back into the sessions, but for
 * kith_session_note. */
struct kith_packet_sink {
    void (*packet)(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                   struct kith_marks marks, kith_time now);
    /* Makes a packet of ours, waiting for congestion to pass, say that it met congestion; false
     * when it does not know ECN, and is dropped instead. NULL: none does. */
    bool (*mark)(void *ctx, uint8_t *packet, size_t n);
    /* A datagram of a flow kind (flow_open … flow_over of wire/datagram.def) from a trusted peer;
     * false when it means nothing. NULL: none does. */
    bool (*flow)(void *ctx, struct kith_session *s, struct kith_span datagram, uint8_t ecn,
                 kith_time now);
    void *ctx;
};

enum kith_session_effect_kind {
    KITH_SESSION_UP,        /* the first connection is established and greeted */
    KITH_SESSION_MOVED,     /* another connection or address carries it now */
    KITH_SESSION_MISSED,    /* it has owed an answer for 5 s, or owes none any more: is_missed */
    KITH_SESSION_RESTARTED, /* the peer's program started anew: it has forgotten everything */
    KITH_SESSION_CONTROL,   /* a control message for the node: `message` */
    KITH_SESSION_STREAM,    /* news of a stream of kind `stream_kind`: `conn`, `stream`, `flags` */
    KITH_SESSION_PONG,      /* an answer to kith_session_ping: `token`, `rtt` */
    KITH_SESSION_DIAL_FAILED, /* a round of dialling failed: `why`; the next is in `next` */
    KITH_SESSION_DOWN, /* the last connection ended: `end`; unless wanted it is gone afterwards */
};

struct kith_session_effect {
    enum kith_session_effect_kind kind;
    struct kith_session *session; /* valid until the next call for an effect */
    struct kith_span message;     /* starts with its type; borrowed until the next call */
    struct kith_conn *conn;
    int64_t stream;
    unsigned flags;
    uint8_t stream_kind;
    uint64_t token;
    kith_dur rtt, next;
    const struct kith_conn_end *end; /* borrowed likewise */
    bool others;                     /* DIAL_FAILED: at every candidate somebody else answered */
};

struct kith_session_info {
    struct kith_peer_id peer;
    bool up, wanted, trusted, dialled;
    bool silent;           /* up, but it owes an answer and is dialled anew */
    bool relayed;          /* the connection in use goes through others */
    struct kith_path path; /* of the connection in use */
    kith_time since;       /* when it came up */
    kith_dur rtt;
    uint64_t
        rate; /* bit/s that it carries, as far as seen lately (conn/delivery.h); 0: not known */
    kith_time heard_at;
    kith_time packets_at; /* IP packets went either way last; 0: never */
    uint64_t bytes_in, bytes_out, packets_out, packets_lost; /* over all its connections */
    size_t connections;
    size_t datagram_max;
    const char *software; /* of the peer; borrowed while the session is */
};

struct kith_session_counters {
    uint64_t packets_in, packets_out, packets_queued, packets_dropped;
    uint64_t packets_delayed; /* of those: dropped because they had waited too long (CoDel) */
    uint64_t packets_marked;  /* not dropped for that, but marked (ECN) */
    uint64_t fragments_in, fragments_out, reassembled, reassembly_failed, bad_datagrams;
    uint64_t probes, guests_refused, dials;
    uint64_t offences[KITH_OFFENCES]; /* of members: conduct.def */
    uint64_t sent_away;               /* times a member was, for them */
    uint64_t stalled;                 /* connections whose peer took nothing it was told */
    uint64_t dials_held;              /* put off: too many to one place */
    uint64_t blocked_refused;         /* connections of peers that are blocked */
    uint64_t duplicates;              /* times a peer was met on two machines (boots.h) */
};

int kith_sessions_new(const struct kith_sessions_config *cfg, const struct kith_env *env,
                      const struct kith_packet_sink *sink,
                      struct kith_sessions **ret) KITH_MUST_CHECK;
void kith_sessions_free(struct kith_sessions *all);

void kith_sessions_receive(struct kith_sessions *all, const struct kith_rx *run, kith_time now);
void kith_sessions_tick(struct kith_sessions *all, kith_time now);
kith_time kith_sessions_deadline(const struct kith_sessions *all);
bool kith_sessions_next_effect(struct kith_sessions *all, kith_time now,
                               struct kith_session_effect *ret);
void kith_sessions_flush(struct kith_sessions *all, struct kith_tx_batch *b, kith_time now);

/* The host's addresses or routes changed. `gone` are local addresses that connections used and
 * that no longer exist (may be empty when unknown). Every session moves or dials, and probes. */
void kith_sessions_network_changed(struct kith_sessions *all, const struct kith_ip *gone, size_t n,
                                   kith_time now);
/* Closes every session with a code; new ones are refused from now on. Done when
 * kith_sessions_count is 0 or the caller's patience ends. */
void kith_sessions_shutdown(struct kith_sessions *all, kith_time now);

/* NULL when there is none. */
struct kith_session *kith_sessions_find(const struct kith_sessions *all,
                                        const struct kith_peer_id *peer);
/* Finds or makes the (idle) session with a peer. KITH_E_FULL, KITH_E_NOMEM. */
int kith_sessions_get(struct kith_sessions *all, const struct kith_peer_id *peer, kith_time now,
                      struct kith_session **ret) KITH_MUST_CHECK;
/* Visits every session; start with *at NULL. */
struct kith_session *kith_sessions_next(const struct kith_sessions *all, struct kith_session *at);
/* Sessions that are up, guests not counted. */
size_t kith_sessions_count(const struct kith_sessions *all);
/* Connections in being, for tests of bounds. */
size_t kith_sessions_connections(const struct kith_sessions *all);
const struct kith_session_counters *kith_sessions_counters(const struct kith_sessions *all);
const struct kith_quic_counters *kith_sessions_quic_counters(const struct kith_sessions *all);
/* As kith_quic_set_prices. */
void kith_sessions_set_prices(struct kith_sessions *all, const struct kith_quic_prices *prices);

const struct kith_peer_id *kith_session_peer(const struct kith_session *s);
bool kith_session_is_up(const struct kith_session *s);
void kith_session_info(const struct kith_session *s, struct kith_session_info *ret);
/* Whether this node wants a connection at all times: it dials until there is one. A session that is
 * not wanted and has no connection is forgotten with the next call for an effect. */
void kith_session_want(struct kith_session *s, bool wanted, kith_time now);
/* Where the peer may be, best first; replaces what was set before. */
void kith_session_set_addrs(struct kith_session *s, const struct kith_addr *addr, size_t n,
                            kith_time now);
/* Ends the connection in use and, while the session is wanted, dials anew at once: what was said in
 * it and not understood is said again. */
void kith_session_begin_anew(struct kith_session *s, const char *why, kith_time now);
/* Dials at once, whatever the back-off, if there is no connection. */
void kith_session_dial_now(struct kith_session *s, kith_time now);
/* The peer may do more than a guest. */
void kith_session_trust(struct kith_session *s, bool trusted);
/* The peer overdid something, and was refused it. Of guests nothing is noted; a member that goes on
 * like that is closed with LIMIT and refused for a while. Ends nothing by itself: callable from
 * anywhere. */
void kith_session_note(struct kith_session *s, enum kith_offence what, kith_time now);
/* Packets the peer sends under its number `theirs` belong to our network `ours`;
 * KITH_SESSION_SLOTS or more for `ours` forbids them. */
void kith_session_allow_slot(struct kith_session *s, uint8_t theirs, uint8_t ours);
/* Sends a control message, type first. KITH_E_STATE while the session is down, KITH_E_AGAIN when
 * the peer does not take what was sent before. */
int kith_session_send_control(struct kith_session *s, struct kith_span message,
                              kith_time now) KITH_MUST_CHECK;
/* Opens a stream on the connection in use and sends its kind. */
int kith_session_open_stream(struct kith_session *s, enum kith_stream_kind kind,
                             struct kith_conn **ret_conn, int64_t *ret_id) KITH_MUST_CHECK;
/* What both sides can (KITH_CAP_…); 0 before they have greeted. */
uint64_t kith_session_capabilities(const struct kith_session *s);
/* Sends IP packets under our number of their network; partial ones only to who has
 * KITH_CAP_CHECKSUM; what congestion holds back waits in a
 * bounded queue. Returns how many were taken: fewer when the session is down or the queue full. */
size_t kith_session_send_packets(struct kith_session *s, struct kith_tx_batch *b, uint8_t slot,
                                 const struct kith_parts *packets, size_t n, kith_time now);
/* The largest datagram that goes to it now, bytes; 0 while down. */
size_t kith_session_room(const struct kith_session *s);
/* Whether the connection is the one in use: what comes by another may be older than what came. */
bool kith_session_uses(const struct kith_session *s, const struct kith_conn *c);
/* Whether the connection in use goes through others: then it leads nobody on. */
bool kith_session_is_relayed(const struct kith_session *s);
/* Whether it is up, but owes an answer. */
bool kith_session_is_silent(const struct kith_session *s);
/* Whether it is up, but has owed an answer for so long that it is no way to anybody. */
bool kith_session_is_missed(const struct kith_session *s);
/* Sends whole datagrams of flow kinds, all with these two ECN bits; what congestion holds back
 * waits in a lane (session/lanes.h), by whose they are: a neighbour's number, or KITH_LANES_SELF.
 * Each by itself: how many were taken; the others, for which the lane has no room or which find the
 * session down, are lost and counted. */
size_t kith_session_send_flow(struct kith_session *s, struct kith_tx_batch *b, uint32_t whose,
                              const struct kith_span *datagrams, size_t n, uint8_t ecn,
                              kith_time now);
/* Asks for an answer over the connection in use; a PONG effect follows, or nothing. `size` is the
 * datagram's, 0 for the smallest. KITH_E_STATE while down, KITH_E_TOOBIG. */
int kith_session_ping(struct kith_session *s, struct kith_tx_batch *b, uint64_t token, size_t size,
                      kith_time now) KITH_MUST_CHECK;
/* Ends every connection with a code (wire/kinds.def) and stops wanting the peer. */
void kith_session_close(struct kith_session *s, uint64_t code, const char *why, kith_time now);
/* What the owner keeps with it. */
void kith_session_set_user(struct kith_session *s, void *user);
void *kith_session_user(const struct kith_session *s);

#endif
