#include "conn/gauge.h"

void kith_gauge_init(struct kith_gauge *g)
{
    *g = (struct kith_gauge){
        .asked_at = KITH_NEVER, .doubt_at = KITH_NEVER, .quic_every = KITH_GAUGE_QUIC_EVERY};
}

/* ---- on and off ---- */

static void rest(struct kith_gauge *g, kith_time now)
{
    kith_dur pause = KITH_GAUGE_REST;

    if (g->state == KITH_GAUGE_ON && kith_since(now, g->on_since) >= KITH_GAUGE_REST)
        g->failures = 0;
    for (unsigned i = 0; i < g->failures && pause < KITH_GAUGE_REST_MAX; i++)
        pause *= 2;
    g->state = KITH_GAUGE_OFF;
    g->doubt_at = KITH_NEVER;
    g->try_at = kith_after(now, pause < KITH_GAUGE_REST_MAX ? pause : KITH_GAUGE_REST_MAX);
    g->failures++;
}

void kith_gauge_moved(struct kith_gauge *g, kith_time now)
{
    g->state = KITH_GAUGE_OFF;
    g->asked_at = g->doubt_at = KITH_NEVER;
    g->try_at = now;
    g->failures = 0;
    g->rtt = g->least = 0;
    g->from = (struct kith_gauge_mark){0};
    g->delivery = (struct kith_delivery){0};
}

/* How long the receiver may wait with a report of what it was sent. */
static kith_dur report_takes(const struct kith_gauge *g)
{
    return g->asked < KITH_GAUGE_MANY ? KITH_GAUGE_REPORT_FEW : KITH_GAUGE_REPORT_EVERY;
}

/* Whether it is odd that nobody has reported: QUIC was heard since. */
static bool is_odd(const struct kith_gauge *g, kith_time quic_heard_at, kith_time now)
{
    return g->asked_at != KITH_NEVER && g->asked >= KITH_GAUGE_SILENT &&
           kith_since(now, g->asked_at) >= report_takes(g) + KITH_GAUGE_SILENCE + g->rtt &&
           quic_heard_at != KITH_NEVER && quic_heard_at > g->asked_at;
}

bool kith_gauge_serves(struct kith_gauge *g, kith_time quic_heard_at, kith_time now)
{
    if (g->state != KITH_GAUGE_ON)
        return false;
    if (!is_odd(g, quic_heard_at, now))
        return true;
    if (g->doubt_at == KITH_NEVER)
        g->doubt_at = now;
    if (kith_since(now, g->doubt_at) >= report_takes(g) + KITH_GAUGE_DOUBT)
        rest(g, now);
    return g->state == KITH_GAUGE_ON;
}

bool kith_gauge_probes(struct kith_gauge *g, uint64_t number, kith_time now)
{
    switch (g->state) {
    case KITH_GAUGE_ON: return false;
    case KITH_GAUGE_OFF:
        if (now < g->try_at)
            return false;
        g->state = KITH_GAUGE_PROBING;
        g->probes = g->lossy = 0;
        g->first = number;
        break;
    case KITH_GAUGE_PROBING:
        if (now < g->probe_at)
            return false;
        if (g->probes == KITH_GAUGE_PROBES) {
            rest(g, now);
            return false;
        }
        break;
    }
    g->probes++;
    g->probe_at = kith_after(now, KITH_GAUGE_PROBE_EVERY);
    return true;
}

/* ---- what was sent ---- */

static void sample(struct kith_gauge *g, uint64_t number, kith_time now)
{
    const size_t latest = (g->sampled + KITH_GAUGE_SAMPLES - 1) % KITH_GAUGE_SAMPLES;
    kith_dur every = g->rtt / 16;
    if (every < KITH_GAUGE_SAMPLE_EVERY)
        every = KITH_GAUGE_SAMPLE_EVERY;
    if (g->sampled > 0 && kith_since(now, g->sample[latest].at) < every)
        return;
    g->sample[g->sampled++ % KITH_GAUGE_SAMPLES] =
        (struct kith_gauge_sample){.number = number, .bytes = g->bytes, .at = now};
}

void kith_gauge_sent(struct kith_gauge *g, uint64_t number, size_t n, kith_time now)
{
    g->bytes += n;
    if (g->asked_at == KITH_NEVER) {
        g->asked_at = now;
        g->asked = 0;
    }
    g->asked++;
    g->said = true;
    sample(g, number, now);
}

void kith_gauge_sent_report(struct kith_gauge *g, uint64_t number, size_t n, kith_time now)
{
    g->bytes += n;
    sample(g, number, now);
}

/* The packet that was reported, or the sampled one just before it. For one older than all samples
 * the oldest stands: the time is too short then, but the samples reach back further the longer it
 * is. NULL: there is none. */
static const struct kith_gauge_sample *sample_of(const struct kith_gauge *g, uint64_t number)
{
    size_t n = g->sampled < KITH_GAUGE_SAMPLES ? g->sampled : KITH_GAUGE_SAMPLES;
    const struct kith_gauge_sample *s = NULL;

    for (size_t i = 1; i <= n; i++) { /* the newest first */
        s = &g->sample[(g->sampled - i) % KITH_GAUGE_SAMPLES];
        if (s->number <= number)
            break;
    }
    return s;
}

/* Bytes from one mark to the other, as far as their packets arrived. Nobody tells which did. */
static uint64_t arrived(const struct kith_gauge_mark *from, const struct kith_gauge_mark *to)
{
    const uint64_t sent = to->number - from->number, came = to->received - from->received;
    const uint64_t bytes = to->bytes - from->bytes;

    return came < sent ? bytes / sent * came : bytes;
}

/* By how long they took to arrive, or to leave if that was longer: reports that were held up on
 * their way make no rate. The path was full if packets waited at both ends of the sample. */
static void measure_rate(struct kith_gauge *g, const struct kith_gauge_mark *to, kith_time now)
{
    const struct kith_gauge_mark from = g->from;
    const uint64_t sent = to->number - from.number;
    const kith_dur left = kith_since(to->left, from.left), came = kith_since(to->came, from.came);

    if (from.came != 0 && came <= KITH_GAUGE_RATE_WITHIN &&
        (sent < KITH_GAUGE_RATE_PACKETS || came < kith_delivery_sample_time(g->least)))
        return;
    g->from = *to;
    if (from.came == 0 || came > KITH_GAUGE_RATE_WITHIN)
        return;
    const bool bulk = (to->bytes - from.bytes) / sent >= KITH_GAUGE_BULK;
    kith_delivery_sample(&g->delivery, arrived(&from, to), left > came ? left : came,
                         bulk && from.queued && to->queued, now);
}

/* Smoothed as TCP does (RFC 6298 2.3). */
static void measure(struct kith_gauge *g, const struct kith_gauge_report *r, kith_time now)
{
    const struct kith_gauge_sample *s = sample_of(g, r->highest);
    kith_dur gone = s == NULL ? 0 : kith_since(now, s->at);

    if (gone <= r->delay)
        return;
    gone -= r->delay;
    g->rtt = g->rtt == 0 ? gone : g->rtt - g->rtt / 8 + gone / 8;
    if (s->number > r->highest)
        return; /* longer than that */
    if (g->least == 0 || gone < g->least)
        g->least = gone;
    const struct kith_gauge_mark to = {.number = r->highest,
                                       .received = r->received,
                                       .bytes = s->bytes,
                                       .left = s->at,
                                       .came = now - r->delay,
                                       .queued =
                                           gone >= g->least + g->least / 8 + KITH_GAUGE_QUEUE};
    measure_rate(g, &to, now);
}

/* Takes what was reported since the last judgement into account; whether too much of it was lost.
 */
static bool judge(struct kith_gauge *g, const struct kith_gauge_report *r)
{
    uint64_t sent = r->highest + 1 - g->judged, came = r->received - g->judged_received;
    uint64_t lost = sent > came ? sent - came : 0;

    g->judged = r->highest + 1;
    g->judged_received = r->received;
    g->lost += lost;
    return lost * 100 > sent * KITH_GAUGE_LOSS_PERCENT;
}

/* A try that succeeded: what went before it was judged by its silence. */
static void begin_serving(struct kith_gauge *g, const struct kith_gauge_report *r, kith_time now)
{
    g->state = KITH_GAUGE_ON;
    g->on_since = now;
    (void)judge(g, r);
    g->lossy = 0;
}

static void judge_loss(struct kith_gauge *g, const struct kith_gauge_report *r, kith_time now)
{
    if (r->highest + 1 - g->judged < KITH_GAUGE_LOSS_PACKETS)
        return;
    if (!judge(g, r)) {
        g->lossy = g->failures = 0;
        return;
    }
    g->lossy++;
    if (g->state == KITH_GAUGE_ON && g->lossy >= KITH_GAUGE_LOSS_TIMES && !g->excused)
        rest(g, now);
}

int kith_gauge_reported(struct kith_gauge *g, const struct kith_gauge_report *r, uint64_t next,
                        kith_time now)
{
    if (r->highest >= next || r->received > r->highest + 1)
        return KITH_E_PROTOCOL;
    if (g->any && (r->highest < g->last.highest || r->received < g->last.received))
        return KITH_OK;
    g->last = *r;
    g->any = true;
    g->asked_at = g->doubt_at = KITH_NEVER;
    measure(g, r, now);
    if (g->state == KITH_GAUGE_PROBING && r->highest >= g->first)
        begin_serving(g, r, now);
    else
        judge_loss(g, r, now);
    return KITH_OK;
}

/* ---- what came ---- */

void kith_gauge_opened(struct kith_gauge *g, bool highest, size_t n, kith_time now)
{
    g->probed = g->probed || n == 0;
    g->large = g->large || n >= KITH_GAUGE_LARGE;
    if (g->news < UINT32_MAX)
        g->news++;
    if (highest)
        g->highest_at = now;
}

void kith_gauge_opened_report(struct kith_gauge *g, bool highest, kith_time now)
{
    if (highest)
        g->highest_at = now;
}

/* That packets of ours went by it, and are reported, says that it still serves; else the silence
 * about them would be told by reports that fall silent as well. */
bool kith_gauge_takes_report(const struct kith_gauge *g, kith_time quic_heard_at, kith_time now)
{
    const bool reported =
        g->asked_at == KITH_NEVER ||
        kith_since(now, g->asked_at) < report_takes(g) + KITH_GAUGE_DOUBT + g->rtt;

    return g->state == KITH_GAUGE_ON && reported && g->said && !g->probed &&
           kith_gauge_delay(g, now) < KITH_GAUGE_LULL &&
           kith_since(now, quic_heard_at) < g->quic_every;
}

kith_time kith_gauge_report_at(const struct kith_gauge *g)
{
    if (g->news == 0)
        return KITH_NEVER;
    if (g->reported_at == 0)
        return 0;
    kith_dur every = KITH_GAUGE_REPORT_FEW;
    if (g->news >= KITH_GAUGE_FEW || g->probed)
        every = KITH_GAUGE_REPORT_EVERY;
    else if (g->large)
        every = KITH_GAUGE_REPORT_LARGE;
    return kith_after(g->reported_at, every);
}

bool kith_gauge_report_due(const struct kith_gauge *g, kith_time now)
{
    return g->news > 0 && now >= kith_gauge_report_at(g);
}

kith_dur kith_gauge_delay(const struct kith_gauge *g, kith_time now)
{
    return kith_since(now, g->highest_at);
}

void kith_gauge_report_left(struct kith_gauge *g, kith_time now)
{
    g->news = 0;
    g->large = g->probed = g->said = false;
    g->reported_at = now;
}
