/* model.h: a connection engine for simulations of thousands of nodes, in place of QUIC.
 *
 * A test program that lists these files gets the functions of conn/conn.h and conn/quic/quic.h from
 * here; the archive's are then not linked. What callers see is the same: identities, streams,
 * datagrams, events, limits, time-outs, loss and its repair, about the same packets. What is
 * missing is secrecy: nothing is encrypted and no key is proved. Who makes up a peer id is
 * believed.
 *
 * Not modelled: what strangers cost and Retry (only the tables have their limits), the second
 * plane, the search for the path's MTU, pacing, BBR (congestion control is NewReno's), ECN, key
 * updates, spare connection ids, and the accepting side's own check of a way that its peer has
 * moved to.
 *
 * Who owns what: engine.c the tables of an endpoint, connection.c one connection's life,
 * handshake.c its beginning, moves.c its ways, read.c, frames.c and write.c packets with frames,
 * sent.c what is under way and what is lost, streams.c streams as users see them, outgoing.c and
 * arrivals.c their bytes, ranges.c sets of numbers, wire.c tags, plane.c what is not modelled,
 * verify.c signatures checked once for all nodes. Tests: tests/sim/model_test.c against this and
 * the real engine alike. */
#ifndef KITH_TESTS_SIM_MODEL_MODEL_H
#define KITH_TESTS_SIM_MODEL_MODEL_H

#include "base/buf.h"
#include "base/due.h"
#include "base/list.h"
#include "base/map.h"
#include "conn/quic/quic.h"

enum {
    MODEL_CID = 8,                  /* bytes of a connection id, each side's only one */
    MODEL_TAG = 16,                 /* what stands where QUIC has its AEAD tag */
    MODEL_TOKEN = 16,               /* stateless reset */
    MODEL_NONCE = 16,               /* each side's share of the exporter */
    MODEL_HEAD = 1 + MODEL_CID + 4, /* type, id of the receiver, number */
    MODEL_OVERHEAD =
        MODEL_HEAD + MODEL_TAG + 3, /* of a datagram: and its frame's type and length */
    MODEL_BASE = 1200,              /* datagrams on any path, and of handshakes */
    MODEL_UDP = 1452,               /* on UDP paths: what IPv6 over Ethernet carries */
    MODEL_LINGER_MAX = 512,         /* closed connections that still answer late packets */
    MODEL_ANSWERS_MAX = 64,         /* resets per turn; more are not worth sending */
    MODEL_PIECES_MAX = 8,           /* datagrams of a flight */
    MODEL_GOT_MAX = 8,              /* ranges of numbers that are remembered, and told */
    MODEL_ACK_MAX = 1 + 4 + 1 + 8 * MODEL_GOT_MAX, /* the longest acknowledgement */
};

#define MODEL_MAX_ACK_DELAY (25 * KITH_MSEC) /* RFC 9000 18.2 */
#define MODEL_FIRST_RTT (150 * KITH_MSEC)    /* as the real engine's: the first PTO is 0.45 s */
#define MODEL_GRANULARITY KITH_MSEC          /* RFC 9002 6.1.2 */

/* ---- sets of numbers (ranges.c) ---- */

struct model_range {
    uint64_t from, to; /* from <= x < to */
};

struct model_ranges { /* all-zero is empty; sorted, apart by at least one */
    struct model_range *r;
    size_t n, cap;
};

/* KITH_E_NOMEM; then nothing has changed. */
int model_ranges_add(struct model_ranges *s, const struct kith_alloc *a, uint64_t from,
                     uint64_t to) KITH_MUST_CHECK;
int model_ranges_cut(struct model_ranges *s, const struct kith_alloc *a, uint64_t from,
                     uint64_t to) KITH_MUST_CHECK;
bool model_ranges_hold(const struct model_ranges *s, uint64_t x);
/* Forgets the lowest range. */
void model_ranges_drop_first(struct model_ranges *s);
void model_ranges_fini(struct model_ranges *s, const struct kith_alloc *a);

/* ---- packets (wire.c) ---- */

/* The first byte. As with QUIC, the highest bit says that no connection is needed to read it. */
enum model_type {
    MODEL_SHORT = 0x40,  /* frames, once both have nonces */
    MODEL_RESET = 0x41,  /* stateless */
    MODEL_FLIGHT = 0xc0, /* a piece of the handshake, or the news of which have come */
    MODEL_REFUSE = 0xc1, /* the end of a handshake */
};

enum model_frame {
    MODEL_PADDING, /* to the end of the packet */
    MODEL_PING,
    MODEL_ACK,
    MODEL_DONE, /* of the handshake, by the accepting side */
    MODEL_STREAM,
    MODEL_STREAM_FIN,
    MODEL_DATAGRAM,
    MODEL_MAX_DATA,
    MODEL_MAX_STREAM_DATA,
    MODEL_MAX_STREAMS,
    MODEL_RESET_STREAM,
    MODEL_STOP_SENDING,
    MODEL_CHALLENGE,
    MODEL_RESPONSE,
    MODEL_CLOSE,
};

struct model_id {
    uint8_t b[MODEL_CID];
};

struct model_key { /* of tags; any 16 bytes */
    uint64_t k0, k1;
};

/* Seals the n bytes at packet: the tag follows them. The whole length. */
size_t model_seal(const struct model_key *k, uint8_t *packet, size_t n);
/* The packet without its tag; KITH_E_AUTH when that is not genuine. */
int model_open(const struct model_key *k, struct kith_span packet,
               struct kith_span *ret) KITH_MUST_CHECK;
/* Of packets before there are nonces: authentic only to whoever has seen the id. */
struct model_key model_first_key(const struct model_id *dcid);
/* By which an endpoint disowns an id of its own. */
void model_reset_token(const struct kith_quic_config *cfg, const struct model_id *cid,
                       uint8_t ret[MODEL_TOKEN]);
/* What both sides make of their nonces: the exporter, and a key that is not to be had from it. */
void model_agree(const uint8_t dialler[MODEL_NONCE], const uint8_t acceptor[MODEL_NONCE],
                 uint8_t ret_exporter[32], struct model_key *ret_key);

/* ---- what is under way (sent.c) ---- */

/* Something in a packet that is to be sent again if that is lost. */
struct model_item {
    uint8_t frame; /* enum model_frame */
    uint16_t len;
    uint32_t stream;
    uint64_t offset;
};

enum { MODEL_ITEMS = 4 };

struct model_sent {
    kith_time at;
    uint16_t size;
    uint8_t n;
    bool eliciting; /* an acknowledgement is owed for it */
    bool over;      /* acknowledged, lost, or never to be acknowledged */
    bool lost;      /* counts as lost, and may still turn out to be late */
    struct model_item item[MODEL_ITEMS];
};

struct model_flight_control { /* packets out: their fate, and what it says of the path */
    struct model_sent *ring;  /* cap of them, a power of two; NULL while nothing is under way */
    size_t cap;
    uint32_t first, next; /* numbers: ring holds first..next-1 */
    uint32_t largest_acked;
    bool any_acked;
    size_t in_flight, cwnd, ssthresh;    /* bytes */
    size_t cwnd_before, ssthresh_before; /* the last loss, in case there was none */
    uint32_t reordering;        /* packets that may overtake one before it counts as lost */
    kith_time recovery_at;      /* losses of what was sent before are one loss */
    kith_time eliciting_at;     /* when the last that elicits left */
    kith_time waits_since;      /* when the first did while none was under way */
    kith_time loss_at;          /* when the oldest doubtful one counts as lost; KITH_NEVER */
    size_t eliciting;           /* packets of in_flight */
    unsigned pto_count, probes; /* time-outs in a row; packets that may go whatever cwnd is */
    kith_dur srtt, rttvar, min_rtt, latest;
    bool measured;
};

/* ---- streams ---- */

struct model_chunk {
    struct model_chunk *next;
    size_t n, cap;
    uint8_t data[];
};

struct model_arrival { /* bytes that came before those in front of them */
    struct model_arrival *next;
    uint64_t offset;
    size_t n;
    uint8_t data[];
};

struct model_stream {
    struct kith_link all;  /* kith_conn.streams */
    struct kith_link send; /* kith_conn.sendable, or alone: it may have something to write */
    struct kith_link news; /* kith_conn.news, or alone */
    struct kith_conn *conn;
    int64_t id;
    unsigned flags; /* KITH_STREAM_… not yet told */
    void *tag;
    struct { /* stream offsets; chunks hold base..end */
        struct model_chunk *first, *last;
        uint64_t base, acked, sent, end, max;
        struct model_ranges got, owed; /* acknowledged beyond `acked`; lost */
        bool fin, fin_owed, fin_acked; /* queued; to be sent, once more or at all; arrived */
        bool closed;                   /* reset, by either side */
        bool reset_owed, reset_acked;
        bool wants_room;
        uint64_t code;
    } tx;
    struct {
        struct kith_buf in_order;
        struct model_arrival *early; /* sorted, without overlaps */
        uint64_t next, highest, max, final;
        bool final_known, fin, closed; /* fin: all is there; closed: nobody wants the rest */
        bool over;                     /* all came, or the peer gave it up */
        bool max_owed, stop_owed;
        uint64_t code;
    } rx;
    bool gone; /* both ways are over; kept until DONE is told */
};

struct model_stream *model_stream_find(const struct kith_conn *c, int64_t id);
/* The stream a frame speaks of, opened if it is new. *ret is NULL for one that is over.
 * KITH_E_PROTOCOL, KITH_E_NOMEM. */
int model_stream_get(struct kith_conn *c, int64_t id, struct model_stream **ret) KITH_MUST_CHECK;
void model_stream_free(struct model_stream *s);
void model_stream_tell(struct model_stream *s, unsigned flags);
/* Puts it among those with something to write. */
void model_stream_wake(struct model_stream *s);
/* Forgets what both sides are through with. */
void model_stream_judge(struct model_stream *s);
/* outgoing.c */
size_t model_tx_room(const struct model_stream *s);
/* All or nothing: KITH_E_NOMEM. There is room. */
int model_tx_queue(struct model_stream *s, struct kith_span in) KITH_MUST_CHECK;
/* Sends no more of it, and says so. */
void model_tx_close(struct model_stream *s, uint64_t code);
/* Whether nothing is left to be sent or acknowledged. */
bool model_tx_is_over(const struct model_stream *s);
void model_tx_free(struct model_stream *s);
/* Bytes as one piece from `at`, at most `most`. */
struct kith_span model_stream_bytes(const struct model_stream *s, uint64_t at, size_t most);
int model_stream_acked(struct model_stream *s, const struct model_item *i) KITH_MUST_CHECK;
int model_stream_lost(struct model_stream *s, const struct model_item *i) KITH_MUST_CHECK;
/* streams.c: the peer wants no more of it. */
void model_stream_stopped(struct model_stream *s, uint64_t code);

/* arrivals.c. KITH_E_PROTOCOL, KITH_E_NOMEM. */
int model_stream_arrived(struct model_stream *s, uint64_t offset, struct kith_span data,
                         bool fin) KITH_MUST_CHECK;
int model_stream_given_up(struct model_stream *s, uint64_t final) KITH_MUST_CHECK;
/* n bytes were read, or never will be: the peer may send as many more. */
void model_stream_make_room(struct model_stream *s, size_t n);
/* Forgets all that was not read. */
void model_stream_drop(struct model_stream *s);
void model_arrivals_free(struct model_stream *s);

/* ---- connections ---- */

enum model_state { MODEL_HANDSHAKE, MODEL_ESTABLISHED, MODEL_CLOSED };

enum model_flight { /* of the handshake, in order */
                    MODEL_FLIGHT_HELLO,
                    MODEL_FLIGHT_ANSWER,
                    MODEL_FLIGHT_FINISH,
                    MODEL_FLIGHTS,
};

struct model_handshake {
    enum model_flight flight; /* ours that is under way */
    uint8_t unsent, missing;  /* a bit for each piece: to be sent; not known to have arrived */
    uint8_t theirs;           /* of the peer's present flight: came */
    uint8_t turn[MODEL_PIECES_MAX]; /* in which of our turns a piece was last sent */
    uint8_t turns, tries;           /* turns so far; time-outs in a row */
    bool owes_news;                 /* what came is to be told */
    bool may_answer;                /* the peer has shown that it is where it says */
    kith_time news_at, repeat_at;   /* KITH_NEVER */
    kith_time sent_at;              /* the first turn: what answers it measures the way */
    uint32_t bytes_in, bytes_out;   /* until may_answer: three times as much may go out */
};

struct kith_conn {
    struct kith_quic *q;
    struct kith_link all;   /* kith_quic.conns */
    struct kith_link dirty; /* kith_quic.dirty: may have something to write */
    struct kith_link ready; /* kith_quic.ready: has events to tell */
    struct kith_due due;
    void *owner;
    enum model_state state;
    bool dialled, owned, freed; /* owned: an event or dial gave it out; freed: owner is done */
    bool counted;               /* in q->n_handshakes */
    bool tell_established, tell_moved, tell_writable, tell_waits, tell_closed;
    bool wants_writable; /* a datagram was held back */
    bool wants_room;     /* by the batch: the next write that finds room says so */
    bool keyed;          /* both nonces are known */
    bool done_owed;      /* the dialling side is to be told of the end of the handshake */
    struct model_id scid, dcid, first_dcid; /* ours; the peer's; the dialler's made-up one */
    struct kith_peer_id peer;               /* shown, or expected while dialling */
    uint8_t nonce[MODEL_NONCE], peer_token[MODEL_TOKEN];
    uint8_t exporter[32];
    struct model_key key;
    struct model_handshake hs;
    struct kith_path path;
    struct {                          /* moves.c */
        struct kith_path stray, next; /* dialling: where the peer speaks from; what is checked */
        unsigned stray_seen;
        bool checks, challenge_owed, response_owed;
        uint8_t tries;
        kith_time try_at;
        uint64_t challenge, response;
        struct kith_path answer; /* where the response goes */
    } move;
    struct model_flight_control out;
    struct {                     /* packets in */
        struct model_ranges got; /* numbers, the latest of them */
        uint32_t floor, largest; /* what is below the floor counts as known */
        bool any;
        kith_time largest_at, ack_at; /* ack_at KITH_NEVER: none is owed */
        unsigned unacked;             /* that elicit, since the last acknowledgement */
    } in;
    struct { /* streams of both, and their windows: bytes of all streams */
        uint64_t tx_used, tx_max, rx_used, rx_read, rx_max;
        bool max_owed, max_streams_owed;
        uint32_t opened, may_open; /* by us: so many, of so many */
        uint32_t peer_may_open;
        struct model_ranges peer_opened; /* numbers of the peer's, ever */
    } flow;
    struct kith_link streams, sendable, news;
    struct kith_conn_end end;
    kith_time heard_at, opened_at, idle_from;
    bool spoke; /* something that elicits has left since something came */
    uint64_t bytes_in, bytes_out, packets_in, packets_out, packets_lost;
    bool close_due, answers_late; /* the closing packet is to be sent; again to late packets */
    uint64_t close_asked;
    kith_time linger_until;
};

struct model_answer { /* a stateless reset */
    struct kith_path path;
    struct model_id cid;
};

struct kith_quic {
    const struct kith_env *env;
    struct kith_quic_config cfg;
    struct kith_datagram_sink sink;
    struct kith_peer_id self;
    struct kith_map cids;   /* our ids -> kith_conn */
    struct kith_map tokens; /* by which peers would disown theirs -> kith_conn */
    struct kith_due_heap due;
    struct kith_link conns, dirty, ready;
    struct model_stream *spent; /* its DONE was told; freed when the next event is asked for */
    size_t n_conns, n_handshakes, n_lingering, n_answers;
    struct model_answer answer[MODEL_ANSWERS_MAX];
    kith_time resets_paid; /* rate of stateless resets */
    struct kith_quic_counters count;
};

/* engine.c */
struct model_id model_cid_fresh(struct kith_quic *q);
void model_mark_dirty(struct kith_conn *c);
void model_mark_ready(struct kith_conn *c);

/* connection.c */
int model_conn_accept(struct kith_quic *q, const struct kith_path *path,
                      const struct model_id *first_dcid, kith_time now,
                      struct kith_conn **ret) KITH_MUST_CHECK;
void model_conn_destroy(struct kith_conn *c);
void model_conn_settle(struct kith_conn *c, kith_time now);
void model_conn_tick(struct kith_conn *c, kith_time now);
void model_refresh_due(struct kith_conn *c, kith_time now);
void model_establish(struct kith_conn *c);
void model_handshake_over(struct kith_conn *c);
/* Enters CLOSED with c->end set; `tell`: the peer hears of it. `drains`: it knows. */
void model_enter_closed(struct kith_conn *c, bool tell, bool drains, kith_time now);
/* The transport was broken, or memory ran out. */
void model_fail(struct kith_conn *c, int err, kith_time now);
void model_late(struct kith_conn *c);
/* Something authentic came. */
void model_heard(struct kith_conn *c, size_t n, kith_time now);
size_t model_mtu(const struct kith_conn *c);

/* handshake.c. What comes is an opened packet of one of the two types. */
void model_handshake_begin(struct kith_conn *c, enum model_flight flight);
/* The packet that ends a connection before both sides have seen all of its beginning. */
size_t model_handshake_refuse(const struct kith_conn *c, uint8_t *room);
/* Whether this may begin a connection. */
bool model_is_hello(struct kith_span packet);
void model_handshake_read(struct kith_conn *c, struct kith_span packet, kith_time now);
/* False when the batch is blocked. */
bool model_handshake_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now);
kith_time model_handshake_deadline(const struct kith_conn *c);
void model_handshake_tick(struct kith_conn *c, kith_time now);

/* moves.c */
void model_path_noticed(struct kith_conn *c, const struct kith_path *path, bool newest,
                        bool probing, kith_time now);
void model_path_answered(struct kith_conn *c, uint64_t data, const struct kith_path *path);
kith_time model_moves_deadline(const struct kith_conn *c);
void model_moves_tick(struct kith_conn *c, kith_time now);

/* read.c */
void model_read(struct kith_conn *c, const struct kith_path *path, struct kith_span packet,
                kith_time now);

/* frames.c: a packet that is being filled */
struct model_packet {
    struct kith_writer w;
    struct model_sent sent;
    uint8_t *room;
    bool acks, other; /* it says what came; anything else */
};

/* False when the batch is blocked. */
bool model_packet_begin(struct kith_conn *c, struct kith_tx_batch *b, size_t most,
                        struct model_packet *p, kith_time now);
/* Bytes that still fit. */
size_t model_packet_room(const struct model_packet *p);
/* Says what came, if it is time to and there is room. */
void model_packet_ack(struct kith_conn *c, struct model_packet *p, kith_time now);
/* All there is to say that fits; `whole`: not only what came. */
void model_packet_fill(struct kith_conn *c, struct model_packet *p, bool whole, kith_time now);
bool model_must_ack(const struct kith_conn *c, kith_time now);

/* write.c */
bool model_write(struct kith_conn *c, struct kith_tx_batch *b, kith_time now);

/* sent.c */
void model_sent_init(struct model_flight_control *f);
void model_sent_fini(struct kith_conn *c);
/* Makes room for one more packet. KITH_E_AGAIN, KITH_E_NOMEM. */
int model_sent_room(struct kith_conn *c) KITH_MUST_CHECK;
/* Notes a packet; room was made for it before. */
void model_sent_note(struct kith_conn *c, const struct model_sent *p);
/* Numbers from..to-1 have arrived; the largest `delay` before it was said. */
int model_sent_acked(struct kith_conn *c, uint32_t from, uint32_t to, kith_dur delay,
                     kith_time now) KITH_MUST_CHECK;
/* After all acknowledged ranges of a packet. */
int model_sent_judge(struct kith_conn *c, kith_time now) KITH_MUST_CHECK;
void model_rtt_sample(struct model_flight_control *f, kith_dur rtt, kith_dur delay);
bool model_may_send(const struct kith_conn *c, size_t n);
kith_dur model_pto(const struct kith_conn *c);
kith_time model_sent_deadline(const struct kith_conn *c);
int model_sent_tick(struct kith_conn *c, kith_time now) KITH_MUST_CHECK;

/* ---- signatures (verify.c; where linked with -Wl,--wrap=kith_verify) ---- */

/* How often this process asked whether a signature is genuine, and how often it was computed. */
void model_verify_counts(uint64_t *ret_asked, uint64_t *ret_computed);

#endif
