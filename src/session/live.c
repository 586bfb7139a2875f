/* live.c: whether a connection still carries anything, by the session's own clock.
 *
 * QUIC's probe time-out doubles without limit, so it cannot say quickly that a path is dead or
 * that it is back. A connection is asked (a PING datagram) after a quiet while, after a second in
 * which we sent, or waited for an acknowledgement, and heard nothing, and then every second until
 * it answers. One that owes an answer for two seconds is suspect: dialling starts anew beside it.
 * Where round trips take longer than a second these times are longer, too (subflow_patience).
 *
 * One that is heard, but acknowledges nothing of what it is told on the control stream for two
 * minutes, or leaves no room for it, is closed: what waits for it would wait for ever. However slow
 * the path is, an honest peer acknowledges something, and where it takes no large datagrams any
 * more the connection notices (conn/mtu.h). */
#include "session/internal.h"

static kith_time heard_at(const struct subflow *f)
{
    struct kith_conn_stats stats;

    kith_conn_stats(f->conn, &stats);
    return stats.heard_at;
}

void live_probe(struct kith_session *s, struct subflow *f, kith_time now)
{
    f->probe_at = now;
    if (f->asked_at == KITH_NEVER)
        f->asked_at = now;
    f->probe_due = true;
    s->all->count.probes++;
    session_mark_pending(s);
}

/* When what the connection in use was sent should have been heard of: packets of the session's, or
 * what QUIC wants acknowledged, streams above all. A question is such a thing, too: asked before an
 * answer can be there, it would lead to the next, for ever. KITH_NEVER: nothing is waited for. */
static kith_time late_at(const struct kith_session *s)
{
    struct kith_conn_stats stats;

    kith_conn_stats(s->used->conn, &stats);
    kith_time since = kith_sooner(s->sent_at, stats.waits_since);
    return since == KITH_NEVER ? KITH_NEVER : kith_after(since, subflow_patience(s->used));
}

/* When f is to be asked next. */
static kith_time ask_at(const struct kith_session *s, const struct subflow *f)
{
    if (f->asked_at != KITH_NEVER)
        return kith_after(f->probe_at, PROBE_INTERVAL);
    const kith_time kept = kith_after(heard_at(f), s->all->cfg.keepalive);
    if (f == s->used)
        return kith_sooner(kept, late_at(s));
    return subflow_has_streams(f) ? kith_sooner(kept, kith_after(heard_at(f), LINGER)) : kept;
}

/* Anything heard since the question answers it. */
static void note_heard(struct kith_session *s, struct subflow *f)
{
    kith_time heard = heard_at(f);

    if (f->asked_at != KITH_NEVER && heard > f->asked_at && heard >= f->probe_at)
        f->asked_at = KITH_NEVER;
    if (f == s->used && f->asked_at == KITH_NEVER)
        s->silence_told = false;
    if (f == s->used && s->sent_at != KITH_NEVER && heard >= s->sent_at)
        s->sent_at = KITH_NEVER;
}

/* Whether the peer takes nothing of what it is told. */
static bool is_stalled(struct subflow *f, kith_time now)
{
    bool all;

    if (now < f->look_at)
        return false;
    f->look_at = kith_after(now, STALL_LOOK);
    uint64_t taken = kith_conn_stream_acked(f->conn, f->control, &all);
    if (all || taken != f->taken) {
        f->taken = taken;
        f->taken_at = now;
    }
    return kith_since(now, f->taken_at) >= STALL_MAX;
}

static void end_stalled(struct kith_session *s, struct subflow *f, kith_time now)
{
    s->all->count.stalled++;
    kith_event_session_stalled(s->all->env->events, s->peer.b, kith_since(now, f->taken_at));
    subflow_drop(s, f, KITH_CLOSE_SILENT, "nothing told is taken", now);
}

static void note_silence(struct kith_session *s, kith_time now)
{
    dial_reset(s, now);
    if (s->silence_told)
        return;
    s->silence_told = true;
    kith_event_session_silent(s->all->env->events, s->peer.b, kith_since(now, heard_at(s->used)));
}

static kith_time missed_at(const struct kith_session *s)
{
    if (s->used == NULL || s->used->asked_at == KITH_NEVER)
        return KITH_NEVER;
    kith_time suspect = subflow_suspect_at(s->used),
              at = kith_after(s->used->asked_at, MISSED_AFTER);
    return suspect > at ? suspect : at;
}

static void note_missed(struct kith_session *s, kith_time now)
{
    bool is = missed_at(s) <= now;

    if (is == s->missed)
        return;
    s->missed = is;
    s->tell_missed = true;
    session_mark_ready(s);
}

/* Whether it has fallen silent beside one that is better. The peer may have closed it, which was
 * lost; streams on it would wait until QUIC gives it up. */
static bool is_left_behind(const struct kith_session *s, const struct subflow *f, kith_time now)
{
    return f != s->used && subflow_suspect(f, now) && s->used != NULL &&
           !subflow_suspect(s->used, now) && subflow_is_agreed(s->used);
}

void live_tick(struct kith_session *s, kith_time now)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (!subflow_usable(f))
            continue;
        if (is_stalled(f, now)) {
            end_stalled(s, f, now);
            continue;
        }
        note_heard(s, f);
        if (is_left_behind(s, f, now)) {
            subflow_drop(s, f, KITH_CLOSE_SUPERSEDED, "it fell silent beside another", now);
            continue;
        }
        if (now >= ask_at(s, f))
            live_probe(s, f, now);
    }
    note_missed(s, now);
    if (s->used != NULL && subflow_suspect(s->used, now)) {
        subflow_choose(s, now);
        /* one that is relayed looks for the direct way all the time, but not at once */
        bool idle = s->dial_at == KITH_NEVER || (subflow_is_relayed(s->used) && !s->silence_told);
        if (subflow_suspect(s->used, now) && idle)
            note_silence(s, now);
    }
}

kith_time live_deadline(const struct kith_session *s, kith_time now)
{
    kith_time at = s->missed ? KITH_NEVER : missed_at(s);

    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *f = &s->flow[i];
        if (!subflow_usable(f))
            continue;
        at = kith_sooner(at, ask_at(s, f));
        at = kith_sooner(at, f->look_at);
        if (f->asked_at != KITH_NEVER && !subflow_suspect(f, now))
            at = kith_sooner(at, subflow_suspect_at(f));
    }
    return at;
}
