/* internal.h: what the files of this folder share about a connection and its endpoint.
 *
 * Who owns what: endpoint.c the tables, accept.c strangers' packets, connection.c one connection's
 * life and ngtcp2's callbacks, streams.c the bytes of streams, paths.c the made-up addresses,
 * write.c packets on their way out, size.c how large they may be, sealed.c packets beside QUIC,
 * tls.c everything that OpenSSL decides. */
#ifndef KITH_CONN_QUIC_INTERNAL_H
#define KITH_CONN_QUIC_INTERNAL_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include "base/buf.h"
#include "base/due.h"
#include "base/list.h"
#include "base/map.h"
#include "conn/delivery.h"
#include "conn/mtu.h"
#include "conn/plane.h"
#include "conn/quic/budget.h"
#include "conn/quic/initial.h"
#include "conn/quic/paths.h"
#include "conn/quic/quic.h"

enum {
    CID_LEN = 8,      /* our connection ids; all the same length, so short headers can be routed */
    CID_SPARES = 8,   /* ids each side keeps in store for moves; ngtcp2's pool holds 8 */
    HELD_MAX = 64,    /* Initials kept that overtook the first of their ClientHello */
    LINGER_MAX = 512, /* closed connections that still answer late packets */
    ANSWERS_MAX = 64, /* answers to strangers per turn; more are not worth sending */
    CID_KEY = 21,     /* a connection id as a map key: its length, then its bytes, zero-padded */
    DATAGRAM_OVERHEAD = 1 + CID_LEN + 4 + 16 + 1 + 2, /* RFC 9000 17.3, 9221 4: short header with
                                                         4-byte number, tag, type, length */
};

/* ---- streams (streams.c) ---- */

struct tx_chunk {
    struct tx_chunk *next;
    size_t n, cap;
    uint8_t data[];
};

struct stream {
    struct kith_link all;  /* kith_conn.streams */
    struct kith_link send; /* kith_conn.sendable, or alone */
    struct kith_link news; /* kith_conn.news, or alone */
    struct kith_conn *conn;
    int64_t id;
    unsigned flags; /* KITH_STREAM_… not yet told */
    void *tag;
    /* sending: chunks hold tx_base..tx_end; ngtcp2 keeps pointers into what is sent and not
     * acknowledged, so chunks never move */
    struct tx_chunk *tx_first, *tx_last;
    uint64_t tx_base, tx_sent, tx_end; /* stream offsets: freed, written, queued */
    uint64_t tx_acked;                 /* tx_base or beyond: inside the first chunk */
    bool tx_fin, tx_fin_sent, tx_closed, tx_blocked, wants_room;
    /* receiving */
    struct kith_buf rx;
    bool rx_fin, rx_closed;
    bool gone; /* ngtcp2 has forgotten it; kept until DONE is told */
};

struct stream *stream_find(const struct kith_conn *c, int64_t id);
/* NULL without memory. */
struct stream *stream_new(struct kith_conn *c, int64_t id);
void stream_free(struct stream *s);
void stream_tell(struct stream *s, unsigned flags);
/* The unsent bytes as one contiguous piece. */
struct kith_span stream_unsent(const struct stream *s);
void stream_sent(struct stream *s, size_t n, bool fin);
void stream_acked(struct stream *s, uint64_t upto);
/* KITH_E_NOMEM, or KITH_E_PROTOCOL above the window. */
int stream_received(struct stream *s, struct kith_span data, bool fin);
void stream_reset_by_peer(struct stream *s);
void stream_stopped(struct stream *s);
void stream_ended(struct stream *s);
void stream_unblock(struct stream *s);

/* ---- connections (connection.c) ---- */

/* A large packet that is watched until it is known to have arrived (size.c): the first that was
 * sent while none was, and the last. */
enum { SIZE_WATCHED = 2 };
struct size_of_stream { /* with bytes of stream `id` up to `offset` */
    bool there, acked;
    int64_t id;
    uint64_t offset, lost; /* packets lost when it was written: with another it proves nothing */
    struct kith_mtu_mark mark;
};
struct size_of_sealed { /* of the second plane */
    bool there;
    uint64_t number;
    struct kith_mtu_mark mark;
};

enum conn_state {
    CONN_HANDSHAKE,
    CONN_ESTABLISHED,
    CONN_CLOSED, /* told or about to be told; `linger` packets may still be answered */
};

struct kith_conn {
    struct kith_quic *q;
    struct kith_link all;   /* kith_quic.conns */
    struct kith_link dirty; /* kith_quic.dirty: may have something to write */
    struct kith_link ready; /* kith_quic.ready: has events to tell */
    struct kith_due due;
    ngtcp2_conn *nc;
    SSL *ssl; /* NULL once the handshake is confirmed */
    ngtcp2_crypto_ossl_ctx *octx;
    ngtcp2_crypto_conn_ref ref;
    void *owner; /* the session's */
    enum conn_state state;
    bool counted; /* in q->n_handshakes and q->prefixes, under `prefix` */
    uint8_t prefix[NETWORK_KEY];
    bool dialled, owned, freed; /* owned: an event or dial gave it out; freed: owner is done */
    bool tell_established, tell_moved, tell_writable, tell_report, tell_probe, tell_waits,
        tell_closed;
    bool wants_writable; /* a datagram was held back */
    bool wants_room;     /* by the batch: the next write that finds room says so */
    bool spoke;          /* since the last burst ended: by QUIC, or by large packets of the plane */
    bool handshake_done, confirmed;
    bool takes_datagrams;     /* the peer does, of any size that fits a packet */
    kith_dur idle_timeout;    /* the shorter of both sides */
    bool has_say;             /* TLS has something to say, or to say again */
    kith_time gathers_until;  /* what came so far is acknowledged then, at the latest; 0: nothing */
    struct kith_peer_id peer; /* proved, or expected while dialling */
    bool peer_proved;
    uint8_t exporter[32];
    struct {                                            /* sealed.c */
        enum kith_aead_kind cipher;                     /* as TLS agreed */
        struct kith_plane_secrets secrets;              /* until the plane is made of them */
        struct kith_plane *plane;                       /* NULL: not opened */
        struct kith_plane_index index[KITH_PLANE_KEYS]; /* in kith_quic.planes; all-zero: none */
        struct kith_gauge gauge;
        kith_time heard_at; /* the last packet that was opened; 0: none */
        bool called;        /* for a report that nobody has taken yet */
    } sealed;
    struct { /* size.c */
        struct kith_mtu mtu;
        struct size_of_stream stream[SIZE_WATCHED];
        struct size_of_sealed sealed[SIZE_WATCHED];
        bool called;                /* for a probe that nobody has sent yet */
        struct kith_mtu_mark probe; /* that the owner was told to send */
        size_t told;                /* the cap when an event last told of it */
        uint64_t holes;             /* of mtu.holes, those told */
        uint64_t flight;            /* bytes that were under way after the last turn */
        kith_time progress_at;      /* when these had grown less, or more than none */
    } size;
    struct kith_delivery delivery; /* of what QUIC carries */
    struct conn_paths paths;
    struct kith_conn_end end;
    kith_time heard_at, opened_at;
    uint64_t key_packets; /* pkt_sent at the last key update */
    uint64_t recv_seen;   /* pkt_recv after the last datagram */
    struct kith_link streams, sendable, news;
    size_t n_streams;
    /* after the end: the packet that says so, answered again to late packets, ever more rarely */
    uint8_t *close_packet;
    size_t close_len;
    uint64_t close_asked; /* late packets since */
    bool close_due;       /* the closing packet is to be sent in the next flush */
    kith_time linger_until;
    ngtcp2_stateless_reset_token token[CID_SPARES]; /* in kith_quic.tokens; n_tokens of them */
    size_t n_tokens;
    /* accepted: the id the client made up; routed to the end, so that a late copy of its first
     * packets does not begin another handshake */
    ngtcp2_cid first_dcid;
};

/* A packet to somebody without a connection: Retry, version negotiation, stateless reset. */
struct answer {
    struct kith_path path;
    size_t len;
    uint8_t data[256];
};

struct held_initial {
    uint8_t *data; /* NULL: free */
    size_t len;
    struct kith_path path;
    ngtcp2_cid dcid;
    kith_time until;
};

/* What strangers have cost lately (load.c). */
struct stranger_costs {
    struct budget_rule rule;  /* of the two buckets of thread time */
    struct budget all, known; /* everybody's; the reserve of known sources that proved theirs */
    struct budget_rule handshakes; /* of each network's bucket of handshakes */
    struct rates networks;
    kith_time told_at; /* the next event about what was shed not before */
    uint64_t untold;   /* shed since the last */
};

struct kith_quic {
    const struct kith_env *env;
    struct kith_quic_config cfg;
    struct kith_datagram_sink sink;
    struct quic_tls_contexts *tls;
    ngtcp2_mem mem;
    struct kith_map cids;           /* 1 + CID bytes, zero-padded to CID_KEY -> kith_conn */
    struct kith_map prefixes;       /* source network -> handshakes under way from there */
    struct kith_map planes;         /* index of plane packets -> kith_conn */
    struct kith_conn *plane_latest; /* found last, under plane_latest_index; or NULL */
    struct kith_plane_index plane_latest_index;
    struct kith_map tokens; /* stateless reset token of the peer's id in use -> kith_conn */
    struct kith_due_heap due;
    struct kith_link conns, dirty, ready;
    struct stream *spent; /* its DONE was told; freed when the next event is asked for */
    size_t n_conns, n_handshakes, n_lingering;
    struct held_initial held[HELD_MAX];
    size_t n_held;
    struct answer *answer; /* packets to strangers, written in the next flush */
    size_t n_answers;
    kith_time resets_paid; /* rate of stateless resets */
    struct {               /* the id asked for last, and its connection: datagrams come in runs */
        uint8_t key[CID_KEY];
        struct kith_conn *conn; /* NULL: none */
    } latest;
    struct stranger_costs costs;
    struct initial_opener *opener;
    struct kith_quic_counters count;
};

/* Why: KITH_E_NOMEM, KITH_E_CRYPTO, KITH_E_FULL. `hd` is the client's first header for accepted
 * ones (odcid after a Retry), NULL when dialling. */
struct accept_info {
    ngtcp2_cid client_dcid, client_scid, odcid;
    bool retried;
    uint32_t version;
    const uint8_t *token;
    size_t token_len;
};
int conn_accept(struct kith_quic *q, const struct kith_path *path, const struct accept_info *info,
                kith_time now, struct kith_conn **ret);
/* Reads one datagram. Returns ngtcp2's NGTCP2_ERR_RETRY when the first Initial is missing; else 0
 * (whatever happened is in the state and events). */
int conn_read(struct kith_conn *c, const struct kith_path *path, const ngtcp2_cid *dcid,
              uint8_t ecn, struct kith_span packet, kith_time now);
/* Dialling side: an authentic packet came over `path`, maybe a peer's that has moved. */
void conn_notice_stray(struct kith_conn *c, const struct kith_path *path, kith_time now);
void conn_tick(struct kith_conn *c, kith_time now);
/* Ends c: remembers why, writes the closing packet when the peer should hear of it. */
void conn_end(struct kith_conn *c, const struct kith_conn_end *end, bool tell_peer, kith_time now);
/* The end that an ngtcp2 error means. */
void conn_fail(struct kith_conn *c, int rv, kith_time now);
/* Takes c out of every table and frees it. */
void conn_destroy(struct kith_conn *c);
/* Removes c at once if its owner is done and it need not linger. */
void conn_settle(struct kith_conn *c, kith_time now);
void conn_refresh_due(struct kith_conn *c, kith_time now);
void conn_mark_dirty(struct kith_conn *c);
void conn_mark_ready(struct kith_conn *c);
/* Writes everything c has to send into b; false when the batch is blocked. */
bool conn_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now);

/* Writes one datagram with this mark; a probe fills a packet of its size. */
int conn_write_datagram(struct kith_conn *c, struct kith_tx_batch *b, const struct kith_span *parts,
                        size_t n, struct kith_mtu_mark mark, kith_time now);

/* callbacks.c: what ngtcp2 is given for every connection */
extern const ngtcp2_callbacks quic_callbacks;

int cid_register(struct kith_quic *q, const ngtcp2_cid *cid, struct kith_conn *c);
void cid_forget(struct kith_quic *q, const ngtcp2_cid *cid, const struct kith_conn *c);
struct kith_conn *cid_find(const struct kith_quic *q, const uint8_t *cid, size_t len);
/* The connection whose peer would end a packet with these 16 bytes had it forgotten us, or NULL. */
struct kith_conn *token_find(const struct kith_quic *q, struct kith_span packet);
int token_add(struct kith_conn *c, const ngtcp2_stateless_reset_token *token);
void token_forget(struct kith_conn *c, const ngtcp2_stateless_reset_token *token);
void token_forget_all(struct kith_conn *c);
/* A fresh unused connection id of CID_LEN bytes. */
ngtcp2_cid cid_fresh(struct kith_quic *q);
void cid_reset_token(const struct kith_quic *q, const ngtcp2_cid *cid, uint8_t token[16]);

/* ---- the second plane (sealed.c) ---- */

/* A datagram that is not QUIC's; opened in place. */
void sealed_receive(struct kith_quic *q, const struct kith_path *path, uint8_t *packet, size_t n,
                    uint8_t ecn, kith_time now);
void sealed_moved(struct kith_conn *c, kith_time now);
/* When sealed_tick has something to do; KITH_NEVER. */
kith_time sealed_deadline(const struct kith_conn *c);
void sealed_tick(struct kith_conn *c, kith_time now);
void sealed_add_stats(const struct kith_conn *c, struct kith_conn_stats *stats);
/* Forgets and wipes all of it. */
void sealed_end(struct kith_conn *c);

/* ---- sizes (size.c) ---- */

/* Bytes a datagram has at most, as far as is known. */
size_t size_of_datagrams(const struct kith_conn *c);
/* Room to give ngtcp2 for a packet: with a DATAGRAM frame, or with what is sent again when lost. */
size_t size_for_datagram(const struct kith_conn *c);
size_t size_for_streams(struct kith_conn *c, kith_time now);
/* QUIC wrote a packet of n bytes; `fresh`: the last it has are new ones of s. */
void size_wrote(struct kith_conn *c, const struct stream *s, bool fresh, size_t n, kith_time now);
void size_sealed(struct kith_conn *c, uint64_t number, size_t n, kith_time now);
/* After writing. */
void size_turned(struct kith_conn *c, kith_time now);
/* Since when something is under way and nothing heard of; KITH_NEVER. */
kith_time size_waits_since(const struct kith_conn *c, kith_time heard_at);
void size_stream_acked(struct kith_conn *c, const struct stream *s, uint64_t upto);
/* After reading. */
void size_read(struct kith_conn *c, const ngtcp2_conn_info *info, kith_time now);
/* The report that came after `before`, which may be all-zero for none. */
void size_reported(struct kith_conn *c, const struct kith_gauge_report *before,
                   const struct kith_gauge_report *r, kith_time now);
void size_moved(struct kith_conn *c);
kith_time size_deadline(const struct kith_conn *c);
void size_tick(struct kith_conn *c, kith_time now);

/* ---- TLS (tls.c) ---- */

struct quic_tls_contexts;
int quic_tls_new(const struct kith_quic_config *cfg, const struct kith_alloc *a,
                 struct quic_tls_contexts **ret);
void quic_tls_free(struct quic_tls_contexts *t, const struct kith_alloc *a);
/* Gives c its SSL object and ties it to c->nc's callbacks. */
int quic_tls_attach(struct quic_tls_contexts *t, struct kith_conn *c);
/* Frees the SSL object in the one order that works; harmless when there is none. */
void quic_tls_detach(struct kith_conn *c);
/* Checks the peer's key once more, after the handshake, and reads the exporter. */
int quic_tls_conclude(struct kith_conn *c);
/* After TLS failed: notes the refusal that OpenSSL's reason stands for, if there is one. */
void quic_tls_blame(struct kith_conn *c);

/* ---- what strangers cost, and how many are under way (load.c) ---- */

int load_init(struct kith_quic *q) KITH_MUST_CHECK;
void load_fini(struct kith_quic *q);

/* Who sent a datagram that belongs to no established connection. */
struct source {
    struct network_rates *network;
    bool known;  /* cfg.known says so */
    bool proved; /* it returned our token: it is where it says it is */
    bool greedy; /* its network sends more than its share of datagrams */
};
/* Valid until the next call. False: nothing may be spent on it, look no further. */
bool load_source(struct kith_quic *q, const struct kith_path *path, kith_time now,
                 struct source *ret);
/* What work is for, from what goes first when time is short to what goes last. */
enum work {
    WORK_ON_TRUST, /* for whoever has proved nothing, not even where it is */
    WORK_ANSWER,   /* asking for that proof, and checking it */
    WORK_PROVED,   /* for whoever has brought it */
};
/* Pays for work on a datagram; false when there is no time for it. */
bool load_pay(struct kith_quic *q, const struct source *s, enum work w, kith_dur cost,
              kith_time now);
/* Whether a handshake may begin on trust: there is time, and its network has begun few. */
bool load_trusts(const struct kith_quic *q, const struct source *s, kith_time now);
/* Whether its network may begin one more handshake in this second; and counts one. */
bool load_below_rate(const struct kith_quic *q, const struct source *s, kith_time now);
void load_count_handshake(struct kith_quic *q, const struct source *s, kith_time now);
/* Counts, and tells now and then, that a datagram was dropped unread for want of time. */
void load_shed(struct kith_quic *q, const struct kith_addr *from, kith_time now);
/* Whether a datagram for c may be read. Those of a handshake under way were paid for with it, as
 * long as they come from where it began, and not too many. */
bool load_may_read(struct kith_conn *c, const struct kith_path *path, kith_time now);

/* The most handshakes there can be: a quarter above cfg.handshakes_max is for known sources that
 * proved their address, when strangers have filled the rest. */
size_t load_most_handshakes(const struct kith_quic *q);
/* Whether one more may begin; else *ret_full says which table is full. */
bool load_admits(const struct kith_quic *q, const struct source *s, const char **ret_full);
/* Counts c until load_end, which is harmless when it is not counted. KITH_E_NOMEM. */
int load_begin(struct kith_conn *c, const struct kith_path *path);
void load_end(struct kith_conn *c);

/* ---- strangers (accept.c) ---- */
void stranger_packet(struct kith_quic *q, const struct kith_path *path, uint8_t ecn,
                     const ngtcp2_version_cid *vc, struct kith_span packet, kith_time now);
void held_expire(struct kith_quic *q, kith_time now);
kith_time held_deadline(const struct kith_quic *q);
void held_drop_all(struct kith_quic *q);
/* Writes waiting answers to strangers. */
void answers_write(struct kith_quic *q, struct kith_tx_batch *b);

#endif
