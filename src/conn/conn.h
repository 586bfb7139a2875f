/* conn.h: one authenticated, encrypted connection with one peer over one path, whatever engine
 * runs it (today quic/, later lean/).
 *
 * A connection is made by its endpoint (conn/quic/quic.h), which also says through events what
 * happens to it. It carries streams (reliable, in order, flow-controlled, both ways) and datagrams
 * (whole, perhaps lost). It is sans-IO: datagrams come in and go out through the endpoint, and time
 * is an argument. It does not choose paths, reconnect or know networks: that is the session's.
 *
 * Order of calls: dial or take an ESTABLISHED event; then streams and datagrams; after the CLOSED
 * event, or at any time, kith_conn_free. A connection counts as the peer's only from ESTABLISHED
 * on: then each side has proved its key to the other.
 * Spec: docs/spec/session.md.  Tests: tests/unit/conn_test.c, tests/sim. */
#ifndef KITH_CONN_CONN_H
#define KITH_CONN_CONN_H

#include "base/base.h"
#include "conn/gauge.h"
#include "transport/batch.h"
#include "wire/ids.h"

struct kith_conn;

enum {
    KITH_STREAM_TX_MAX = 256 * 1024, /* bytes a stream holds that the peer has not acknowledged */
    KITH_STREAM_RX_MAX = 256 * 1024, /* stream flow-control window: unread bytes per stream */
    KITH_CONN_RX_MAX = 1024 * 1024,  /* connection flow-control window: unread bytes in all */
    KITH_CONN_STREAMS_MAX = 64,      /* streams the peer may have open at once */
    KITH_DATAGRAM_MIN = 1160,        /* what fits a datagram on every path: 1200 less overhead */
};

/* How a connection ended. */
enum kith_conn_end_kind {
    KITH_END_NONE,
    KITH_END_LOCAL,     /* we closed it with `code` */
    KITH_END_PEER,      /* the peer closed it with `code` */
    KITH_END_REFUSED,   /* the handshake failed: see `refusal` */
    KITH_END_IDLE,      /* silence until the idle time-out */
    KITH_END_UNREACHED, /* the handshake was never answered */
    KITH_END_RESET,     /* the peer has forgotten the connection (stateless reset) */
    KITH_END_ERROR,     /* the transport protocol was broken, or memory ran out: see `err` */
};

/* Why a handshake was refused: each is told apart because its remedy differs. */
enum kith_refusal {
    KITH_REFUSAL_NONE,
    KITH_REFUSAL_GROUP,    /* no ML-KEM-768 key share, or something beside it */
    KITH_REFUSAL_SIGALG,   /* no ML-DSA-65 signature, or something beside it */
    KITH_REFUSAL_NO_KEY,   /* the other side showed no key */
    KITH_REFUSAL_ALPN,     /* not kith/1 */
    KITH_REFUSAL_PEER,     /* not the peer that was dialled */
    KITH_REFUSAL_BY_PEER,  /* the other side refused us (a TLS alert) */
    KITH_REFUSAL_PROTOCOL, /* anything else in the handshake */
};

struct kith_conn_end {
    enum kith_conn_end_kind kind;
    enum kith_refusal refusal;
    uint64_t code; /* application close code (wire/kinds.def), QUIC code or TLS alert */
    int err;       /* a kith_err */
    char text[80]; /* for people */
};

enum kith_conn_event_kind {
    KITH_CONN_ESTABLISHED, /* both keys are proved; for accepted connections the first news of it */
    KITH_CONN_MOVED,       /* kith_conn_path changed: either side has a new address */
    KITH_CONN_STREAM,      /* something happened to stream `stream`: `flags` */
    KITH_CONN_WRITABLE,    /* datagrams that did not go may go now */
    KITH_CONN_REPORT,      /* the peer is owed a report: kith_conn_report */
    KITH_CONN_PROBE,       /* a size is in question: kith_conn_probe */
    KITH_CONN_WAITS,       /* for an acknowledgement, and did for none before: stats.waits_since */
    KITH_CONN_CLOSED,      /* it is over: kith_conn_end; nothing follows; free it */
};

enum {
    KITH_STREAM_OPENED = 1,   /* by the peer */
    KITH_STREAM_READABLE = 2, /* bytes or the end are there to be read */
    KITH_STREAM_ROOM = 4,     /* a send that was refused for room may be tried again */
    KITH_STREAM_RESET = 8, /* the peer gave up the stream, one way or both; bytes not read are gone
                              unless the end had come */
    KITH_STREAM_DONE = 16, /* both ways are finished; the id is gone after this event */
};

struct kith_conn_event {
    enum kith_conn_event_kind kind;
    struct kith_conn *conn;
    int64_t stream;
    unsigned flags;
};

/* What the network under a connection is like, measured. */
struct kith_conn_stats {
    kith_dur srtt, min_rtt, rttvar;
    uint64_t bytes_in, bytes_out, packets_in, packets_out, packets_lost;
    uint64_t cwnd, in_flight; /* bytes */
    kith_time heard_at;       /* when an authenticated packet last came in */
    kith_time waits_since;    /* the peer owes an acknowledgement, and was not heard since then, or
                                 since it was sent what it owes it for; KITH_NEVER: it owes none */
    kith_time opened_at;
    uint64_t rate;  /* bit/s that the path carries, as far as seen lately (conn/delivery.h); 0: not
                       known */
    size_t streams; /* that are open */
    bool sealed;    /* packets go by the second plane now */
};

/* The peer's proved identity; all-zero before ESTABLISHED on accepted connections. */
const struct kith_peer_id *kith_conn_peer(const struct kith_conn *c);
/* Whether this side dialled. */
bool kith_conn_dialled(const struct kith_conn *c);
const struct kith_path *kith_conn_path(const struct kith_conn *c);
const struct kith_conn_end *kith_conn_end(const struct kith_conn *c);
void kith_conn_stats(const struct kith_conn *c, struct kith_conn_stats *ret);
/* 32 bytes both sides share and nobody else: TLS exporter "EXPORTER-kith-enrol-v1" (RFC 8446 7.5).
 * Borrowed; valid from ESTABLISHED on. Binds proofs above to this connection. */
const uint8_t *kith_conn_exporter(const struct kith_conn *c);
/* A pointer of the owner's. */
void kith_conn_set_owner(struct kith_conn *c, void *owner);
void *kith_conn_owner(const struct kith_conn *c);

/* Opens a stream. KITH_E_LIMIT when the peer allows no more now, KITH_E_STATE, KITH_E_NOMEM. */
int kith_conn_stream_open(struct kith_conn *c, int64_t *ret_id) KITH_MUST_CHECK;
/* Whether this side opened it. */
bool kith_conn_is_local(const struct kith_conn *c, int64_t id);
/* Queues all of s, and the end when fin. KITH_E_AGAIN when it has no room (a ROOM flag follows),
 * KITH_E_CLOSED when the stream is finished or reset, KITH_E_NOTFOUND. */
int kith_conn_stream_send(struct kith_conn *c, int64_t id, struct kith_span s,
                          bool fin) KITH_MUST_CHECK;
/* Bytes that kith_conn_stream_send would take now. */
size_t kith_conn_stream_room(const struct kith_conn *c, int64_t id);
/* How many bytes of the stream the peer has acknowledged; *ret_all when none it was given is left.
 */
uint64_t kith_conn_stream_acked(const struct kith_conn *c, int64_t id, bool *ret_all);
/* All unread bytes, borrowed until the next call on c; *ret_fin when they are the last. */
struct kith_span kith_conn_stream_peek(const struct kith_conn *c, int64_t id, bool *ret_fin);
/* Forgets the first n unread bytes and lets the peer send as many more. */
void kith_conn_stream_consume(struct kith_conn *c, int64_t id, size_t n);
/* Asks for another READABLE event of the stream: its reader stopped before it had read all. */
void kith_conn_stream_poke(struct kith_conn *c, int64_t id);
/* Gives up a stream both ways with a code of the application. */
void kith_conn_stream_reset(struct kith_conn *c, int64_t id, uint64_t code);
/* A pointer of the owner's, per stream; NULL for unknown streams. */
void kith_conn_stream_set_tag(struct kith_conn *c, int64_t id, void *tag);
void *kith_conn_stream_tag(const struct kith_conn *c, int64_t id);

/* Largest datagram (parts together) that goes now; grows as the path's MTU is found, and falls
 * where it turns out to be less than it was. 0 when the peer takes none. */
size_t kith_conn_datagram_max(const struct kith_conn *c);
/* Writes one datagram, its bytes the parts in order, into the batch at once. KITH_E_AGAIN when
 * congestion control, pacing or the batch hold it back (a WRITABLE event follows), KITH_E_TOOBIG,
 * KITH_E_STATE. Never waits, never copies for later. */
int kith_conn_datagram_send(struct kith_conn *c, struct kith_tx_batch *b,
                            const struct kith_span *parts, size_t n, kith_time now) KITH_MUST_CHECK;
/* Opens the second plane (docs/spec/plane.md): from now on packets of it are taken, and ours go by
 * it where it serves. Once both sides have said that they know it. KITH_E_STATE before ESTABLISHED,
 * KITH_E_NOMEM, KITH_E_CRYPTO; then all goes on without. */
int kith_conn_plane_start(struct kith_conn *c) KITH_MUST_CHECK;
/* As kith_conn_datagram_send, by the second plane where that serves; there `ecn` is the carrier's,
 * too (RFC 6040). The peer takes both alike. */
int kith_conn_packet_send(struct kith_conn *c, struct kith_tx_batch *b,
                          const struct kith_span *parts, size_t n, uint8_t ecn,
                          kith_time now) KITH_MUST_CHECK;
/* Whether the peer is owed a report of what came by the second plane; then what it says. */
bool kith_conn_report(struct kith_conn *c, struct kith_gauge_report *ret, kith_time now);
/* Sends it, encoded as `plane_report`, by the second plane where that serves and is reported
 * itself, else as a datagram, with its errors. Until one has left it stays due. */
int kith_conn_report_send(struct kith_conn *c, struct kith_tx_batch *b, struct kith_span report,
                          kith_time now) KITH_MUST_CHECK;
/* The peer's report. KITH_E_PROTOCOL: it speaks of packets that were never sent. KITH_E_STATE. */
int kith_conn_reported(struct kith_conn *c, const struct kith_gauge_report *r,
                       kith_time now) KITH_MUST_CHECK;
/* Whether a datagram of *ret_len bytes is to be sent now, to see whether it arrives; any that the
 * peer takes for a question without an answer that matters. Ask until there is none. */
bool kith_conn_probe(struct kith_conn *c, size_t *ret_len, kith_time now);
/* As kith_conn_datagram_send, for what kith_conn_probe has just asked for. */
int kith_conn_probe_send(struct kith_conn *c, struct kith_tx_batch *b,
                         const struct kith_span *parts, size_t n, kith_time now) KITH_MUST_CHECK;
/* Marks the end of a burst of datagrams, so that pacing can count it. */
void kith_conn_burst_end(struct kith_conn *c, kith_time now);

/* Our own address on this connection's path changed to path->local. The dialling side moves the
 * connection, checking the new path first (RFC 9000 9); the accepting side, which QUIC does not let
 * move, speaks from there from now on, and the other side follows when it hears it. KITH_E_STATE,
 * KITH_E_AGAIN when the peer has given no spare connection id yet. */
int kith_conn_migrate(struct kith_conn *c, const struct kith_path *path,
                      kith_time now) KITH_MUST_CHECK;
/* Starts the end: the peer hears `code` and `text` (at most 79 bytes). A CLOSED event follows. */
void kith_conn_close(struct kith_conn *c, uint64_t code, const char *text, kith_time now);
/* Gives c back to its endpoint, which answers late packets for a while. NULL is fine. Without a
 * close before, the peer is told code 0. */
void kith_conn_free(struct kith_conn *c, kith_time now);

#endif
