/* gauge.h: whether the second packet plane serves, by what both ends count.
 *
 * The receiver of plane packets reports the highest number it opened and how many: over QUIC, or by
 * the plane itself where packets go that way, too, and are reported. From that the sender knows
 * loss and round-trip time, and whether packets of the plane get through at all: something on the
 * way may let QUIC pass and nothing else. It starts with a probe, an empty packet; only a report of
 * it turns the plane on. What turns it off: silence about several packets while QUIC is alive, or
 * loss above 5 %, where QUIC's congestion control serves better. After a while it is tried again,
 * and at once when the path has changed.
 *
 * Pure: time is an argument, and it neither seals nor sends. Spec: docs/spec/plane.md 4.
 * Test: tests/unit/conn_gauge_test.c. */
#ifndef KITH_CONN_GAUGE_H
#define KITH_CONN_GAUGE_H

#include "conn/delivery.h"

enum {
    KITH_GAUGE_PROBES = 4,   /* per try */
    KITH_GAUGE_FEW = 64,     /* packets below which a report can wait */
    KITH_GAUGE_LARGE = 1160, /* bytes of payload, or more: a large packet */
    KITH_GAUGE_MANY = 128,   /* sent: the receiver has more than few, were half of them lost */
    KITH_GAUGE_SILENT = 4,   /* packets that nobody reports make silence */
    KITH_GAUGE_LOSS_PACKETS = 256, /* judged together, at least */
    KITH_GAUGE_LOSS_PERCENT = 5,
    KITH_GAUGE_LOSS_TIMES = 3, /* in a row */
    KITH_GAUGE_SAMPLES = 64,
    KITH_GAUGE_RATE_PACKETS = 64, /* of a sample of the rate, at least */
    KITH_GAUGE_BULK = 600, /* bytes a packet, on average: who fills a path sends large ones */
};
/* A sample of the rate that takes longer says nothing. */
#define KITH_GAUGE_RATE_WITHIN (10 * KITH_SEC)
/* A path is full while a round trip takes longer than the shortest by so much and an eighth:
 * packets wait there. */
#define KITH_GAUGE_QUEUE (2 * KITH_MSEC)
#define KITH_GAUGE_PROBE_EVERY (250 * KITH_MSEC)
/* Packets unreported for so much longer than a report may wait make doubt, and that long again
 * makes silence: where QUIC was silent, too, and is heard again, the report is on its way. */
#define KITH_GAUGE_SILENCE (600 * KITH_MSEC)
#define KITH_GAUGE_DOUBT (200 * KITH_MSEC)
/* Before it is tried again; doubles with every failure in a row. Having served for as long without
 * one, or a judgement without loss, ends the row. */
#define KITH_GAUGE_REST (30 * KITH_SEC)
#define KITH_GAUGE_REST_MAX (600 * KITH_SEC)
/* At least, and a sixteenth of the round trip: so the samples reach back for four. */
#define KITH_GAUGE_SAMPLE_EVERY KITH_MSEC
#define KITH_GAUGE_REPORT_EVERY (100 * KITH_MSEC)
/* The same where little comes: a report and its acknowledgement cost as much as two packets. Within
 * the second after which a session asks whether its peer still lives. */
#define KITH_GAUGE_REPORT_FEW (800 * KITH_MSEC)
/* And where one of the few is large: whether it arrives is what conn/mtu.h waits for, and beside it
 * a report is cheap. */
#define KITH_GAUGE_REPORT_LARGE (250 * KITH_MSEC)
/* QUIC is to bring something at least so often, or where its idle time-out is short three times in
 * that: it stays in charge of the connection's life. */
#define KITH_GAUGE_QUIC_EVERY (10 * KITH_SEC)
/* Nor does the plane take a report where no packet came for so long: we may have been given another
 * address, which the peer learns of QUIC only. */
#define KITH_GAUGE_LULL (250 * KITH_MSEC)

/* What a receiver tells. */
struct kith_gauge_report {
    uint64_t highest;  /* number of a packet */
    uint64_t received; /* packets opened since the connection began */
    kith_dur delay;    /* since the highest came */
};

enum kith_gauge_state {
    KITH_GAUGE_OFF,     /* resting, or never tried */
    KITH_GAUGE_PROBING, /* probes are on their way */
    KITH_GAUGE_ON,
};

/* A packet, and when it left. */
struct kith_gauge_sample {
    uint64_t number;
    uint64_t bytes; /* that had left by then, with it */
    kith_time at;
};

/* As far as packets were reported, for the rate. */
struct kith_gauge_mark {
    uint64_t number, received; /* as reported */
    uint64_t bytes;            /* that had left when it did */
    kith_time left, came;      /* came: without the way of the report, the same for all */
    bool queued;               /* it waited on its way */
};

struct kith_gauge { /* init before use; by value */
    /* sending */
    enum kith_gauge_state state;
    kith_time try_at;   /* OFF: when to begin again */
    kith_time probe_at; /* PROBING: when the next is due */
    kith_time on_since; /* ON: when it began to serve */
    unsigned probes, failures;
    uint64_t first;     /* number of this try's first packet: reports below are of an older one */
    kith_time asked_at; /* when the first packet was sent that no report covers; KITH_NEVER */
    unsigned asked;     /* how many since */
    kith_time doubt_at; /* when doubt began; KITH_NEVER */
    /* some packets; never the second of an instant, so that those between are not much younger */
    struct kith_gauge_sample sample[KITH_GAUGE_SAMPLES];
    size_t sampled;
    uint64_t bytes;                /* sent so far */
    struct kith_gauge_report last; /* the newest report, when there was `any` */
    bool any;
    uint64_t judged, judged_received; /* packets whose loss was judged, and which of them came */
    unsigned lossy;                   /* judgements in a row above the limit */
    bool excused;   /* loss turns nothing off: what is lost may be too large for the path */
    uint64_t lost;  /* of those judged */
    kith_dur rtt;   /* smoothed; 0: not known */
    kith_dur least; /* the shortest on this path; 0: not known */
    struct kith_gauge_mark
        from; /* where the sample of the rate under way begins; came 0: none is */
    struct kith_delivery delivery;
    /* receiving */
    kith_time reported_at; /* when the last report left; 0: none has */
    uint32_t news;         /* packets that came since */
    bool large, probed;    /* a large one, a probe among them */
    bool said;             /* a packet of ours went since */
    kith_dur quic_every;   /* how often QUIC is to take a report */
    kith_time highest_at;
};

void kith_gauge_init(struct kith_gauge *g);

/* The path changed: what is known of it is void, and it is tried anew. */
void kith_gauge_moved(struct kith_gauge *g, kith_time now);
/* Whether packets are to go by the plane now. `quic_heard_at`: when QUIC last brought anything. */
bool kith_gauge_serves(struct kith_gauge *g, kith_time quic_heard_at, kith_time now);
/* Whether an empty packet is to be sent now to try the plane; it then counts as sent. `number` is
 * the one that it will have. */
bool kith_gauge_probes(struct kith_gauge *g, uint64_t number, kith_time now);
/* A packet with this number was sent, a datagram of n bytes. */
void kith_gauge_sent(struct kith_gauge *g, uint64_t number, size_t n, kith_time now);
/* A report went by the plane, under this number: nobody reports that. */
void kith_gauge_sent_report(struct kith_gauge *g, uint64_t number, size_t n, kith_time now);
/* The peer reported; `next` is the number of our next packet. KITH_E_PROTOCOL: it reports what was
 * never sent, or more packets than there are numbers. One that was overtaken changes nothing. */
int kith_gauge_reported(struct kith_gauge *g, const struct kith_gauge_report *r, uint64_t next,
                        kith_time now) KITH_MUST_CHECK;

/* A packet with n bytes of payload was opened, a probe if it was empty; `highest`: none before had
 * so high a number. */
void kith_gauge_opened(struct kith_gauge *g, bool highest, size_t n, kith_time now);
/* The same of a packet with a report, which is not reported itself. */
void kith_gauge_opened_report(struct kith_gauge *g, bool highest, kith_time now);
/* Whether a report that leaves now may go by the plane; else QUIC takes it. */
bool kith_gauge_takes_report(const struct kith_gauge *g, kith_time quic_heard_at, kith_time now);
/* When a report is due; KITH_NEVER. */
kith_time kith_gauge_report_at(const struct kith_gauge *g);
/* Whether a report is due. */
bool kith_gauge_report_due(const struct kith_gauge *g, kith_time now);
/* `delay` of a report that leaves now. */
kith_dur kith_gauge_delay(const struct kith_gauge *g, kith_time now);
/* It left. */
void kith_gauge_report_left(struct kith_gauge *g, kith_time now);

#endif
