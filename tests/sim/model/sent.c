/* sent.c: packets under way: which arrived, which are lost (RFC 9002), and how many may be. */
#include "sim/model/model.h"

enum {
    RING_MIN = 4,
    RING_MAX = 1 << 15,   /* packets under way; far above what cwnd allows */
    REORDERING_FIRST = 3, /* RFC 9002 6.1.1 */
    REORDERING_MAX = 64,
    CWND_FIRST = 10 * 1200, /* RFC 9002 7.2 */
    CWND_MIN = 2 * 1200,
    CWND_MAX = 16 * 1024 * 1024,
    KEPT_TENTHS = 7,  /* of the window after a loss: as CUBIC (RFC 9438 4.6) */
    BACKOFF_MAX = 10, /* doublings of the probe time-out */
    LATE_PTOS = 3,    /* how long one that counts as lost may turn out to be late */
    PROBES = 2,       /* packets per time-out */
    PERSISTENT = 3,   /* time-outs in a row that take the window back to its least */
};

void model_sent_init(struct model_flight_control *f)
{
    f->cwnd = CWND_FIRST;
    f->ssthresh = SIZE_MAX;
    f->reordering = REORDERING_FIRST;
    f->loss_at = KITH_NEVER;
    f->srtt = MODEL_FIRST_RTT;
    f->rttvar = MODEL_FIRST_RTT / 2;
}

void model_sent_fini(struct kith_conn *c)
{
    kith_free(c->q->env->alloc, c->out.ring);
    c->out.ring = NULL;
    c->out.cap = 0;
    c->out.first = c->out.next;
    c->out.in_flight = c->out.eliciting = 0;
    c->out.loss_at = KITH_NEVER;
}

static struct model_sent *sent_at(const struct model_flight_control *f, uint32_t number)
{
    return &f->ring[number & (f->cap - 1)];
}

/* ---- round trips (RFC 9002 5) ---- */

void model_rtt_sample(struct model_flight_control *f, kith_dur rtt, kith_dur delay)
{
    if (rtt == 0)
        rtt = 1;
    f->latest = rtt;
    if (!f->measured) {
        f->measured = true;
        f->min_rtt = f->srtt = rtt;
        f->rttvar = rtt / 2;
        return;
    }
    f->min_rtt = rtt < f->min_rtt ? rtt : f->min_rtt;
    delay = delay < MODEL_MAX_ACK_DELAY ? delay : MODEL_MAX_ACK_DELAY;
    if (rtt >= f->min_rtt + delay)
        rtt -= delay;
    const kith_dur apart = f->srtt > rtt ? f->srtt - rtt : rtt - f->srtt;
    f->rttvar = (3 * f->rttvar + apart) / 4;
    f->srtt = (7 * f->srtt + rtt) / 8;
}

kith_dur model_pto(const struct kith_conn *c)
{
    const struct model_flight_control *f = &c->out;
    const kith_dur spread = 4 * f->rttvar > MODEL_GRANULARITY ? 4 * f->rttvar : MODEL_GRANULARITY;

    return f->srtt + spread + (f->measured ? MODEL_MAX_ACK_DELAY : 0);
}

/* ---- out ---- */

int model_sent_room(struct kith_conn *c)
{
    struct model_flight_control *f = &c->out;
    const size_t n = f->next - f->first;

    if (n < f->cap)
        return KITH_OK;
    if (f->cap == RING_MAX)
        return KITH_E_AGAIN;
    const size_t cap = f->cap == 0 ? RING_MIN : 2 * f->cap;
    struct model_sent *bigger = kith_new_array(c->q->env->alloc, cap, sizeof *bigger);
    if (bigger == NULL)
        return KITH_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        bigger[(f->first + i) & (cap - 1)] = *sent_at(f, f->first + (uint32_t)i);
    kith_free(c->q->env->alloc, f->ring);
    f->ring = bigger;
    f->cap = cap;
    return KITH_OK;
}

void model_sent_note(struct kith_conn *c, const struct model_sent *p)
{
    struct model_flight_control *f = &c->out;

    if (!p->eliciting && f->first == f->next) { /* nobody will speak of it */
        f->first = f->next += 1;
        return;
    }
    struct model_sent *place = sent_at(f, f->next++);
    *place = *p;
    place->over = !p->eliciting;
    if (p->eliciting && f->eliciting == 0) {
        f->waits_since = p->at;
        c->tell_waits = true;
        model_mark_ready(c);
    }
    if (p->eliciting) {
        f->in_flight += p->size;
        f->eliciting++;
        f->eliciting_at = p->at;
        f->probes -= f->probes > 0;
    }
}

bool model_may_send(const struct kith_conn *c, size_t n)
{
    return c->out.probes > 0 || c->out.in_flight + n <= c->out.cwnd;
}

/* ---- windows (RFC 9002 7) ---- */

static void grow(struct model_flight_control *f, const struct model_sent *p)
{
    if (p->at <= f->recovery_at && f->recovery_at != 0)
        return;
    if (2 * f->in_flight < f->cwnd) /* it was not what held us back */
        return;
    if (f->cwnd < f->ssthresh)
        f->cwnd += p->size;
    else
        f->cwnd += (size_t)MODEL_BASE * p->size / f->cwnd;
    f->cwnd = f->cwnd < CWND_MAX ? f->cwnd : CWND_MAX;
}

static void shrink(struct model_flight_control *f, const struct model_sent *p, kith_time now)
{
    const size_t kept = f->cwnd * KEPT_TENTHS / 10;

    if (p->at <= f->recovery_at && f->recovery_at != 0)
        return;
    f->recovery_at = now;
    f->cwnd_before = f->cwnd;
    f->ssthresh_before = f->ssthresh;
    f->cwnd = f->ssthresh = kept > CWND_MIN ? kept : CWND_MIN;
}

/* It was only late: the window is as it was, and as much disorder is no surprise again. */
static void restore(struct model_flight_control *f, const struct model_sent *p, uint32_t number)
{
    const uint32_t behind = f->largest_acked - number + 1;

    if (p->at <= f->recovery_at) {
        f->cwnd = f->cwnd_before > f->cwnd ? f->cwnd_before : f->cwnd;
        f->ssthresh = f->ssthresh_before > f->ssthresh ? f->ssthresh_before : f->ssthresh;
    }
    if (behind > f->reordering)
        f->reordering = behind < REORDERING_MAX ? behind : REORDERING_MAX;
}

/* ---- fates ---- */

static void leave_flight(struct model_flight_control *f, struct model_sent *p)
{
    p->over = true;
    f->in_flight -= p->size;
    f->eliciting--;
}

static bool carries_stream(const struct model_item *i)
{
    return i->frame == MODEL_STREAM || i->frame == MODEL_STREAM_FIN ||
           i->frame == MODEL_RESET_STREAM;
}

/* What was in a packet that arrived. */
static int item_acked(struct kith_conn *c, const struct model_item *i)
{
    struct model_stream *s = carries_stream(i) ? model_stream_find(c, i->stream) : NULL;

    return s != NULL ? model_stream_acked(s, i) : KITH_OK;
}

/* What was in a packet that did not, and is to be sent again as it is now. */
static int item_lost(struct kith_conn *c, const struct model_item *i)
{
    bool of_stream =
        carries_stream(i) || i->frame == MODEL_MAX_STREAM_DATA || i->frame == MODEL_STOP_SENDING;
    struct model_stream *s = of_stream ? model_stream_find(c, i->stream) : NULL;

    c->done_owed |= i->frame == MODEL_DONE;
    c->flow.max_owed |= i->frame == MODEL_MAX_DATA;
    c->flow.max_streams_owed |= i->frame == MODEL_MAX_STREAMS;
    return s != NULL ? model_stream_lost(s, i) : KITH_OK;
}

static int items_lost(struct kith_conn *c, const struct model_sent *p)
{
    int err = KITH_OK;

    for (size_t i = 0; i < p->n && err >= 0; i++)
        err = item_lost(c, &p->item[i]);
    model_mark_dirty(c);
    return err;
}

static int items_acked(struct kith_conn *c, const struct model_sent *p)
{
    int err = KITH_OK;

    for (size_t i = 0; i < p->n && err >= 0; i++)
        err = item_acked(c, &p->item[i]);
    return err;
}

static int packet_acked(struct kith_conn *c, uint32_t number)
{
    struct model_sent *p = sent_at(&c->out, number);

    if (p->lost) {
        p->lost = false; /* but stays counted, as in the real engine */
        restore(&c->out, p, number);
        return items_acked(c, p);
    }
    if (p->over)
        return KITH_OK;
    c->out.pto_count = 0;
    grow(&c->out, p);
    leave_flight(&c->out, p);
    return items_acked(c, p);
}

static int packet_lost(struct kith_conn *c, struct model_sent *p, kith_time now)
{
    shrink(&c->out, p, now);
    leave_flight(&c->out, p);
    p->lost = true;
    c->packets_lost++;
    return items_lost(c, p);
}

int model_sent_acked(struct kith_conn *c, uint32_t from, uint32_t to, kith_dur delay, kith_time now)
{
    struct model_flight_control *f = &c->out;
    int err = KITH_OK;

    if (to > f->next)
        return KITH_E_PROTOCOL; /* of packets that were never sent */
    if (!f->any_acked || to - 1 > f->largest_acked) {
        f->any_acked = true;
        f->largest_acked = to - 1;
        if (to - 1 >= f->first && !sent_at(f, to - 1)->over)
            model_rtt_sample(f, kith_since(now, sent_at(f, to - 1)->at), delay);
    }
    for (uint32_t i = from > f->first ? from : f->first; i < to && err >= 0; i++)
        err = packet_acked(c, i);
    return err;
}

static bool is_lost(struct model_flight_control *f, uint32_t number, kith_time now)
{
    const struct model_sent *p = sent_at(f, number);
    const kith_dur rtt = f->latest > f->srtt ? f->latest : f->srtt;
    const kith_dur patience = rtt + rtt / 8; /* RFC 9002 6.1.2 */
    const kith_time at =
        kith_after(p->at, patience > MODEL_GRANULARITY ? patience : MODEL_GRANULARITY);

    if (number + f->reordering <= f->largest_acked || at <= now)
        return true;
    f->loss_at = kith_sooner(f->loss_at, at);
    return false;
}

/* Nobody will speak of it any more. */
static bool is_past(const struct kith_conn *c, const struct model_sent *p, kith_time now)
{
    return p->over && !(p->lost && kith_since(now, p->at) < LATE_PTOS * model_pto(c));
}

/* The memory of a burst goes with it. */
static void shrink_ring(struct kith_conn *c, kith_time now)
{
    struct model_flight_control *f = &c->out;

    while (f->first != f->next && is_past(c, sent_at(f, f->first), now))
        f->first++;
    if (f->first == f->next && f->cap > RING_MIN) {
        kith_free(c->q->env->alloc, f->ring);
        f->ring = NULL;
        f->cap = 0;
    }
}

int model_sent_judge(struct kith_conn *c, kith_time now)
{
    struct model_flight_control *f = &c->out;
    int err = KITH_OK;

    f->loss_at = KITH_NEVER;
    for (uint32_t i = f->first; f->any_acked && i != f->next && i < f->largest_acked && err >= 0;
         i++) {
        struct model_sent *p = sent_at(f, i);
        if (!p->over && is_lost(f, i, now))
            err = packet_lost(c, p, now);
    }
    shrink_ring(c, now);
    return err;
}

/* ---- time ---- */

static kith_time pto_at(const struct kith_conn *c)
{
    const struct model_flight_control *f = &c->out;

    if (f->eliciting == 0)
        return KITH_NEVER;
    return kith_after(f->eliciting_at, model_pto(c) << f->pto_count);
}

kith_time model_sent_deadline(const struct kith_conn *c)
{
    return c->out.loss_at != KITH_NEVER ? c->out.loss_at : pto_at(c);
}

/* Nobody answers: what is oldest goes once more, and if nothing is to be said, a question. */
static int probe(struct kith_conn *c)
{
    struct model_flight_control *f = &c->out;
    unsigned again = 0;
    int err = KITH_OK;

    f->pto_count += f->pto_count < BACKOFF_MAX;
    f->probes = PROBES;
    f->eliciting_at = KITH_NEVER - 1; /* until a probe left */
    if (f->pto_count >= PERSISTENT)
        f->cwnd = CWND_MIN;
    for (uint32_t i = f->first; i != f->next && again < PROBES && err >= 0; i++) {
        const struct model_sent *p = sent_at(f, i);
        if (p->over)
            continue;
        err = items_lost(c, p);
        again++;
    }
    return err;
}

int model_sent_tick(struct kith_conn *c, kith_time now)
{
    if (c->out.loss_at <= now)
        return model_sent_judge(c, now);
    return pto_at(c) <= now ? probe(c) : KITH_OK;
}
