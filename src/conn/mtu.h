/* mtu.h: which size of datagram a path takes, where it takes less than it did (RFC 8899).
 *
 * QUIC finds at the beginning how large datagrams may be, and believes in it for ever. A path whose
 * MTU shrinks without a word is a black hole: what is small gets through, what is large does not.
 * Whoever sends tells this object of every datagram and of every acknowledgement it hears of.
 * Large datagrams of which nobody hears for a while make doubt, and nothing more; doubt makes a
 * test: probes of the size in question and of 1200 bytes by turns, so that loss, of whatever cause,
 * meets both alike. The first large one that arrives ends it. When ten of 1200 bytes have, and
 * no large one, the path is narrower: datagrams have 1200 bytes from now on, and larger ones are
 * tried at once and each minute, up to what QUIC found.
 *
 * Pure: time is an argument, and it neither sends nor knows what a probe looks like. The state is
 * one direction's of one connection. Order: sent and acknowledged for all that goes; when
 * kith_mtu_deadline is due, kith_mtu_probe until it says no; kith_mtu_moved with the path.
 * Page: docs/modules/conn.md. Tests: tests/unit/conn_mtu_test.c,
 * tests/property/conn_mtu_law_test.c, tests/sim/session_mtu_test.c. */
#ifndef KITH_CONN_MTU_H
#define KITH_CONN_MTU_H

#include "base/base.h"

enum {
    KITH_MTU_BASE = 1200, /* what every path of QUIC's takes (RFC 9000 14) */
    KITH_MTU_DOUBTED = 4, /* large datagrams without an answer make doubt, and time */
    KITH_MTU_SMALL = 10,  /* probes of 1200 bytes that arrive while no large one does: the proof.
                             With a loss of q each, it is wrong once in (1 + 1/q)^10 tests */
    KITH_MTU_ROUNDS = 24, /* large probes of a test, then it ends without a result */
    KITH_MTU_TRIES = 4,   /* probes of each size when larger ones are sought */
    KITH_MTU_PRESSED =
        600, /* datagrams at least as large say that larger ones are wanted: pieces */
};
/* Without an answer, and two round trips: acknowledgements come after one and 25 ms, reports of the
 * second plane after one and 250 ms. */
#define KITH_MTU_DOUBT (700 * KITH_MSEC)
/* Between two pairs of probes of a test; at least a quarter of the round trip. */
#define KITH_MTU_TEST_EVERY (70 * KITH_MSEC)
/* Between two probes of one size when larger ones are sought; and two round trips. */
#define KITH_MTU_TRY_EVERY (200 * KITH_MSEC)
/* Before larger ones are sought again. RFC 8899 5.1.1 has 600 s; a probe is cheap. */
#define KITH_MTU_RAISE (60 * KITH_SEC)

enum kith_mtu_state {
    KITH_MTU_RESTING,
    KITH_MTU_TESTING, /* doubt: does `trial` still arrive? */
    KITH_MTU_SEEKING, /* a hole was found: does `trial`, above the cap, arrive? */
};

/* What a datagram was, for when its acknowledgement comes; all-zero: nothing that matters. */
struct kith_mtu_mark {
    uint16_t size;
    bool probe;
    uint8_t path;   /* counts changes of path */
    uint32_t count; /* of a probe: kith_mtu.test; else kith_mtu.large, with it */
};

struct kith_mtu { /* all-zero is a valid beginning; by value */
    enum kith_mtu_state state;
    size_t cap;         /* bytes of a datagram; 0: none of ours */
    size_t doubt_size;  /* the largest without an answer */
    unsigned doubted;   /* large ones since the last with an answer, up to KITH_MTU_DOUBTED */
    kith_time doubt_at; /* when the first of these left, or that answer came */
    size_t trial;       /* bytes of the probes under way */
    size_t ceiling;     /* SEEKING: sizes from here on were just refuted; 0: none */
    unsigned tries;     /* probes of that size which left */
    unsigned small;     /* TESTING: probes of 1200 bytes that arrived */
    bool small_next;    /* TESTING: the second of the pair is to go */
    kith_time probe_at; /* when the next may go */
    kith_time raise_at; /* RESTING under a cap: when larger ones are sought */
    bool pressed;       /* somebody could use larger ones, since they were sought */
    uint8_t path;
    uint32_t test;  /* counts sizes that were tried */
    uint32_t large; /* counts large ones that were sent */
    kith_dur rtt;   /* as told last */
    uint64_t holes; /* found, ever */
};

/* The path changed: what is known of it is void. */
void kith_mtu_moved(struct kith_mtu *m);
/* Bytes a datagram may have now, on a path for which QUIC found `found`. */
size_t kith_mtu_size(const struct kith_mtu *m, size_t found);
/* The same for what is sent again when it is lost, and so may be cut as one likes: during a test
 * it had better be small. */
size_t kith_mtu_safe_size(const struct kith_mtu *m, size_t found);

/* The mark of a datagram that is about to be sent; it is to come back with its acknowledgement. */
struct kith_mtu_mark kith_mtu_mark(const struct kith_mtu *m, size_t size);
/* A datagram left; of its own a probe has a function below. */
void kith_mtu_sent(struct kith_mtu *m, size_t size, kith_time now);
/* A datagram with this mark arrived, for certain. */
void kith_mtu_acked(struct kith_mtu *m, struct kith_mtu_mark mark, kith_time now);

/* Whether a probe is to go now; its mark has its size. */
bool kith_mtu_probe(struct kith_mtu *m, size_t found, kith_dur rtt, kith_time now,
                    struct kith_mtu_mark *ret);
/* It left. */
void kith_mtu_probed(struct kith_mtu *m, struct kith_mtu_mark mark, kith_time now);
/* When kith_mtu_probe is to be asked; KITH_NEVER. */
kith_time kith_mtu_deadline(const struct kith_mtu *m);

/* A mark as a number, and back. */
uint64_t kith_mtu_pack(struct kith_mtu_mark mark);
struct kith_mtu_mark kith_mtu_unpack(uint64_t n);

#endif
