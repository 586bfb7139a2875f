/* internal.h: what the files of this folder share.
 *
 * table.c has the table of sessions and their effects, subflow.c the connections of one session
 * and which of them is used, control.c the control stream, dial.c dialling, live.c liveness,
 * packets.c datagrams. conduct.c, queue.c and reassembly.c know no session. */
#ifndef KITH_SESSION_INTERNAL_H
#define KITH_SESSION_INTERNAL_H

#include "base/due.h"
#include "base/list.h"
#include "base/map.h"
#include "session/boots.h"
#include "session/conduct.h"
#include "session/known.h"
#include "session/lanes.h"
#include "session/reassembly.h"
#include "session/session.h"

#define STALL_MAX (120 * KITH_SEC)         /* heard all the while, and takes nothing it is told */
#define STALL_LOOK (30 * KITH_SEC)         /* between two looks at that */
#define PROBE_INTERVAL KITH_SEC            /* between probes of a connection that owes an answer */
#define ANSWER_MIN KITH_SEC                /* an answer is not late before, */
#define ANSWER_MAX (8 * KITH_SEC)          /* and is then, however long round trips take */
#define SUSPECT_AFTER (2 * KITH_SEC)       /* owing one so long, or as long as it may take: suspect */
#define MISSED_AFTER (5 * KITH_SEC)        /* and so long makes the session one that leads nobody on */
#define LINGER (3 * KITH_SEC)              /* what is under way on a superseded connection may end, */
#define LINGER_MAX (60 * KITH_SEC)         /* and while it has streams as long as this */
#define DIAL_BACKOFF_FIRST KITH_SEC
#define DIAL_BACKOFF_EARLY (2 * KITH_SEC)  /* not beyond this in the first minute */
#define DIAL_BACKOFF_MAX (60 * KITH_SEC)
#define DIAL_EARLY (60 * KITH_SEC)
#define DIAL_JITTER (KITH_SEC / 2)
#define DIAL_STAGGER (250 * KITH_MSEC)     /* between candidates of one round (RFC 8305 5) */
#define DIAL_PLACE_COST (KITH_SEC / 8)     /* dials to one place: eight a second */
#define DIAL_PLACE_BURST 64                /* and so many at once: a whole small network behind a NAT */
#define DIAL_NEWS (10 * KITH_SEC)          /* new addresses start a round of their own this far apart */
#define DIAL_DIRECT_FIRST KITH_SEC         /* a relayed session looks for the direct way so soon */
#define DIAL_DIRECT_MAX (15 * KITH_SEC)    /* and at least so often while packets go */
#define DIAL_DIRECT_IDLE (60 * KITH_SEC)   /* and so often while none do */
#define DIAL_STALE (2 * KITH_SEC)          /* a dial not answered for so long gives way to a fresh one */

/* One connection of a session. */
struct subflow {
    struct kith_conn *conn; /* NULL: free */
    bool established, greeted, superseded;
    int64_t control;         /* its control stream, -1 before there is one */
    kith_time since;         /* dialled or established at */
    kith_time supersede_at;  /* when its dialler may close it; KITH_NEVER: it is in use */
    kith_time spare_until;   /* when it does, whatever streams it has; unless it is in use */
    kith_time asked_at;      /* when the oldest unanswered probe was sent; KITH_NEVER: none */
    kith_time probe_at;      /* when the last probe was sent */
    uint64_t datagram_bytes; /* came in datagrams, about: the limits of guests count them apart */
    uint64_t member_bytes;   /* had come in all when the peer ceased to be trusted */
    uint64_t taken;          /* bytes of the control stream that the peer has acknowledged */
    kith_time taken_at;      /* when that had grown, or nothing was left */
    kith_time look_at;       /* when to see whether it grows; set once it has greeted */
    bool probe_due;          /* a question is to be written */
    bool pong_owed;
    uint64_t pong_token;
    uint16_t pong_size;
};

struct kith_session {
    struct kith_sessions *all;
    struct kith_link link;    /* kith_sessions.list */
    struct kith_link ready;   /* kith_sessions.ready, or alone */
    struct kith_link pending; /* kith_sessions.pending: has datagrams to write */
    struct kith_due due;
    struct kith_peer_id peer;
    struct subflow flow[KITH_SESSION_CONNS_MAX];
    struct subflow *used; /* the one that packets go over; NULL while down */
    bool wanted, trusted, told_up;
    bool missed;       /* the connection in use has owed an answer for MISSED_AFTER */
    bool silence_told; /* of the connection in use, until it is heard again */
    bool tell_up, tell_moved, tell_restarted, tell_down, tell_dial_failed, tell_missed;
    uint64_t capabilities; /* that both have */
    uint64_t boot_id;      /* of the peer's program; 0 before its first hello */
    struct kith_boots boots;
    kith_time twins_paid; /* until when the event of two programs is told ahead */
    char software[65];
    struct kith_conn_end end; /* of the connection that ended last */
    kith_time up_since, guest_until;
    kith_time sent_at; /* first packet sent since anything was heard; KITH_NEVER: none. Streams
                          are watched by their connection (kith_conn_stats.waits_since) */
    /* dialling */
    struct kith_addr addr[KITH_SESSION_ADDRS_MAX];
    size_t n_addr, next_addr;
    uint32_t others;   /* bit per candidate: somebody else answered there */
    bool news;         /* addresses that no round has tried yet */
    kith_time news_at; /* a round for their sake not before */
    kith_time dial_at, failing_since;
    kith_dur backoff, dial_wait;
    kith_dur
        direct_wait; /* while relayed: how long after this try of the direct way comes the next */
    kith_time packets_at; /* packets of its networks went either way last; 0: never */
    /* packets */
    uint8_t slot[KITH_SESSION_SLOTS]; /* theirs -> ours; 0xff: forbidden */
    struct kith_lanes lanes;          /* what congestion holds back */
    struct kith_reassembly reassembly;
    uint16_t fragment_id;
    struct kith_conduct conduct;
    bool forget;          /* nothing keeps it: it goes when its news are told */
    kith_time alive_paid; /* until when its `alive` are spent ahead */
    struct {              /* answers the node asked for */
        uint64_t token;
        kith_time at; /* 0: free */
    } asked[8];
    struct {
        uint64_t token;
        kith_dur rtt;
    } pong[8];
    size_t n_pong;
    uint64_t past_in, past_out, past_packets, past_lost; /* of connections that are gone */
    void *user;
};

/* What is left of each network's share of dials: until when it is spent ahead. Places are found by
 * a keyed hash, so that nobody can aim at one; two networks in one place share it. */
enum { DIAL_PLACES = 1024 };
struct dial_places {
    uint64_t k0, k1;
    kith_time paid[DIAL_PLACES];
};

struct kith_sessions {
    const struct kith_env *env;
    struct kith_sessions_config cfg;
    struct kith_packet_sink sink;
    struct kith_quic *quic;
    struct kith_map by_peer;
    struct kith_known known; /* where members are, or were lately */
    struct kith_due_heap due;
    struct kith_link list, ready, pending;
    size_t n, n_guests;
    bool closing;
    /* the control message whose effect was given out last: consumed at the next call */
    struct {
        struct kith_conn *conn;
        int64_t stream;
        size_t used;
    } held;
    struct dial_places places;
    struct kith_session *leaving; /* its DOWN was given out; freed at the next call */
    struct kith_session_counters count;
};

/* table.c */
void session_mark_ready(struct kith_session *s);
/* Whether nothing keeps the session: no connection, no wish for one. */
bool session_is_idle(const struct kith_session *s);
void session_mark_pending(struct kith_session *s);
/* Counts an offence of a member's or of one that is expected; what it offered was refused. */
void session_note(struct kith_session *s, enum kith_offence what, kith_time now);
void session_refresh_due(struct kith_session *s, kith_time now);
void session_broke_rules(struct kith_session *s, struct subflow *f, const char *what,
                         kith_time now);

/* subflow.c */
struct subflow *subflow_of(const struct kith_session *s, const struct kith_conn *c);
/* A place for a connection; NULL when all 8 are taken and none can be spared. */
struct subflow *subflow_add(struct kith_session *s, struct kith_conn *c, kith_time now);
void subflow_established(struct kith_session *s, struct subflow *f, kith_time now);
void subflow_closed(struct kith_session *s, struct subflow *f, kith_time now);
/* Gives f's connection back without waiting for anything. */
void subflow_drop(struct kith_session *s, struct subflow *f, uint64_t code, const char *why,
                  kith_time now);
/* Chooses the connection in use anew. */
void subflow_choose(struct kith_session *s, kith_time now);
/* How long an answer may take before it is late: ANSWER_MIN to ANSWER_MAX. */
kith_dur subflow_patience(const struct subflow *f);
/* How long it may owe one before it is suspect. */
kith_dur subflow_suspect_after(const struct subflow *f);
/* When that is, unless it is heard before; KITH_NEVER: it owes no answer. */
kith_time subflow_suspect_at(const struct subflow *f);
bool subflow_suspect(const struct subflow *f, kith_time now);
bool subflow_usable(const struct subflow *f);
/* Whether our hello has arrived: from then on the peer can use it, too. */
bool subflow_is_agreed(const struct subflow *f);
/* Whether it has streams beside the control stream. */
bool subflow_has_streams(const struct subflow *f);
/* Whether its connection goes through others. */
bool subflow_is_relayed(const struct subflow *f);
void subflow_tick(struct kith_session *s, kith_time now);
kith_time subflow_deadline(const struct kith_session *s);
char *subflow_route(const struct subflow *f, char *buf, size_t cap);

/* control.c */
void control_start(struct kith_session *s, struct subflow *f, kith_time now);
void control_stream_event(struct kith_session *s, struct subflow *f,
                          const struct kith_conn_event *ev, struct kith_session_effect *ret,
                          bool *ret_given, kith_time now);

/* dial.c */
void dial_tick(struct kith_session *s, kith_time now);
kith_time dial_deadline(const struct kith_session *s);
void dial_reset(struct kith_session *s, kith_time now);
/* The connection in use goes through others from now on: the direct way is looked for. */
void dial_relayed(struct kith_session *s, kith_time now);
/* Puts a dial that is due off to the next round. */
void dial_later(struct kith_session *s, kith_time now);
void dial_failed(struct kith_session *s, struct subflow *f, kith_time now);
/* The peer proved who it is and closed before a word was said. */
void dial_refused(struct kith_session *s, kith_time now);

/* live.c */
void live_tick(struct kith_session *s, kith_time now);
kith_time live_deadline(const struct kith_session *s, kith_time now);
void live_probe(struct kith_session *s, struct subflow *f, kith_time now);

/* packets.c */
void packets_datagram(struct kith_session *s, struct kith_conn *c, struct kith_span payload,
                      uint8_t ecn, kith_time now);
void packets_flush(struct kith_session *s, struct kith_tx_batch *b, kith_time now);

#endif
