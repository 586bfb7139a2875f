/* subflow.c: the connections of one session, and which of them is used.
 *
 * Which one: whoever has the healthiest, and among those of one path the one dialled by the peer
 * with the smaller id, else the newest. Both sides rank alike, so two connections opened at once
 * over one path are settled without a word. Only the dialler of a superseded connection closes it,
 * after a while in which its streams may finish; unless it falls silent (live.c). */
#include "session/internal.h"

#include "base/text.h"

struct subflow *subflow_of(const struct kith_session *s, const struct kith_conn *c)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn == c)
            return (struct subflow *)&s->flow[i];
    return NULL;
}

static struct subflow *free_place(struct kith_session *s)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn == NULL)
            return &s->flow[i];
    return NULL;
}

/* The connection that is missed least: not in use, the oldest. */
static struct subflow *least_missed(struct kith_session *s)
{
    struct subflow *oldest = NULL;

    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (f != s->used && (oldest == NULL || f->since < oldest->since))
            oldest = f;
    }
    return oldest;
}

struct subflow *subflow_add(struct kith_session *s, struct kith_conn *c, kith_time now)
{
    struct subflow *f = free_place(s);

    if (f == NULL) {
        f = least_missed(s);
        if (f == NULL)
            return NULL;
        subflow_drop(s, f, KITH_CLOSE_SUPERSEDED, "too many connections", now);
    }
    *f = (struct subflow){
        .conn = c, .control = -1, .since = now, .supersede_at = KITH_NEVER, .asked_at = KITH_NEVER};
    return f;
}

char *subflow_route(const struct subflow *f, char *buf, size_t cap)
{
    char addr[KITH_ADDR_TEXT];

    kith_format(buf, cap, subflow_is_relayed(f) ? "%s" : "direct udp %s",
                kith_addr_text(&kith_conn_path(f->conn)->remote, addr, sizeof addr));
    return buf;
}

/* ---- health and choice ---- */

/* spec session 3.4.2: as long as round trips were measured to take, and what they vary by. Nearly
 * the probe time-out of RFC 9002 6.2.1; the quarter is for acknowledgements that are put off. */
kith_dur subflow_patience(const struct subflow *f)
{
    struct kith_conn_stats stats;

    kith_conn_stats(f->conn, &stats);
    kith_dur spread = 4 * stats.rttvar > stats.srtt / 4 ? 4 * stats.rttvar : stats.srtt / 4;
    kith_dur most = stats.srtt + spread;
    if (most < ANSWER_MIN)
        return ANSWER_MIN;
    return most < ANSWER_MAX ? most : ANSWER_MAX;
}

kith_dur subflow_suspect_after(const struct subflow *f)
{
    kith_dur patience = subflow_patience(f);

    return patience > SUSPECT_AFTER ? patience : SUSPECT_AFTER;
}

kith_time subflow_suspect_at(const struct subflow *f)
{
    return f->asked_at == KITH_NEVER ? KITH_NEVER
                                     : kith_after(f->asked_at, subflow_suspect_after(f));
}

bool subflow_suspect(const struct subflow *f, kith_time now)
{
    return subflow_suspect_at(f) <= now;
}

bool subflow_usable(const struct subflow *f)
{
    return f->conn != NULL && f->established && f->greeted;
}

/* hello goes first, in one packet. */
bool subflow_is_agreed(const struct subflow *f)
{
    bool all;

    return kith_conn_stream_acked(f->conn, f->control, &all) > 0;
}

bool subflow_has_streams(const struct subflow *f)
{
    struct kith_conn_stats stats;

    kith_conn_stats(f->conn, &stats);
    return stats.streams > 1;
}

bool subflow_is_relayed(const struct subflow *f)
{
    return kith_conn_path(f->conn)->remote.ip.family == KITH_FAMILY_MESH;
}

/* Which side dialled, as both see it: whether it was the one with the smaller id. */
static bool by_smaller_id(const struct kith_session *s, const struct subflow *f)
{
    bool we_are_smaller = memcmp(s->all->cfg.self.b, s->peer.b, sizeof s->peer.b) < 0;

    return kith_conn_dialled(f->conn) == we_are_smaller;
}

static bool same_path(const struct subflow *a, const struct subflow *b)
{
    const struct kith_path *p = kith_conn_path(a->conn), *q = kith_conn_path(b->conn);

    if (subflow_is_relayed(a) && subflow_is_relayed(b))
        return true; /* whoever dialled sees a destination, the other a flow */
    return p->transport == q->transport && kith_addr_equal(&p->remote, &q->remote);
}

static bool better(const struct kith_session *s, const struct subflow *a, const struct subflow *b,
                   kith_time now)
{
    if (subflow_suspect(a, now) != subflow_suspect(b, now))
        return !subflow_suspect(a, now);
    if (subflow_is_relayed(a) != subflow_is_relayed(b))
        return !subflow_is_relayed(a);
    if (same_path(a, b) && by_smaller_id(s, a) != by_smaller_id(s, b))
        return by_smaller_id(s, a);
    return a->since > b->since;
}

static void become_used(struct kith_session *s, struct subflow *f, kith_time now)
{
    bool was_up = s->used != NULL;

    s->used = f;
    s->missed = false; /* told along with what follows */
    if (!was_up) {
        s->up_since = now;
        s->sent_at = KITH_NEVER;
        if (s->told_up) {
            s->tell_moved = true; /* it was down so briefly that nobody heard */
            s->tell_down = false;
        } else {
            s->tell_up = true;
        }
    } else {
        s->tell_moved = true;
    }
    if (subflow_is_relayed(f))
        dial_relayed(s, now);
    session_mark_ready(s);
    session_mark_pending(s);
}

static void spare(struct subflow *f, kith_time now)
{
    f->supersede_at = kith_after(now, LINGER);
    f->spare_until = kith_after(now, LINGER_MAX);
}

void subflow_choose(struct kith_session *s, kith_time now)
{
    struct subflow *best = NULL;

    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (subflow_usable(f) && (best == NULL || better(s, f, best, now)))
            best = f;
    }
    if (best != NULL && best != s->used)
        become_used(s, best, now);
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        bool is_spare = subflow_usable(f) && f != s->used && kith_conn_dialled(f->conn);
        if (!is_spare)
            f->supersede_at = KITH_NEVER;
        else if (f->supersede_at == KITH_NEVER)
            spare(f, now);
    }
}

/* ---- life of one ---- */

void subflow_established(struct kith_session *s, struct subflow *f, kith_time now)
{
    f->established = true;
    f->since = now;
    if (!s->trusted && s->guest_until == KITH_NEVER)
        s->guest_until = kith_after(now, KITH_SESSION_GUEST_TIME);
    kith_event_conn_opened(s->all->env->events, s->peer.b, &kith_conn_path(f->conn)->remote);
    control_start(s, f, now);
}

static void remember_totals(struct kith_session *s, const struct subflow *f)
{
    struct kith_conn_stats stats;

    kith_conn_stats(f->conn, &stats);
    s->past_in += stats.bytes_in;
    s->past_out += stats.bytes_out;
    s->past_packets += stats.packets_out;
    s->past_lost += stats.packets_lost;
}

/* Who has no connection is no guest: its time begins when it comes again. */
static void end_visit(struct kith_session *s)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn != NULL && s->flow[i].established)
            return;
    s->guest_until = KITH_NEVER;
}

/* A session that nothing keeps goes, also one that never got as far as being up. */
static void drop_if_idle(struct kith_session *s)
{
    if (session_is_idle(s) && !s->told_up) {
        s->tell_down = true; /* its DOWN lets the table go of it */
        session_mark_ready(s);
    }
}

static void forget_flow(struct kith_session *s, struct subflow *f, kith_time now)
{
    struct kith_sessions *all = s->all;
    bool was_used = s->used == f;

    if (f->established) {
        remember_totals(s, f);
        s->end = *kith_conn_end(f->conn);
    }
    if (all->held.conn == f->conn)
        all->held.conn = NULL;
    kith_conn_free(f->conn, now);
    *f = (struct subflow){.control = -1};
    end_visit(s);
    if (was_used) {
        s->used = NULL;
        subflow_choose(s, now);
    }
    if (was_used && s->used == NULL && s->told_up) {
        s->tell_down = true;
        session_mark_ready(s);
    } else if (was_used && s->used == NULL) {
        s->tell_up = false;
    }
    drop_if_idle(s);
}

void subflow_drop(struct kith_session *s, struct subflow *f, uint64_t code, const char *why,
                  kith_time now)
{
    kith_conn_close(f->conn, code, why, now);
    forget_flow(s, f, now);
}

void subflow_closed(struct kith_session *s, struct subflow *f, kith_time now)
{
    struct kith_conn_end end = *kith_conn_end(f->conn);
    bool established = f->established;
    bool refused = kith_conn_dialled(f->conn) && !f->greeted && end.kind == KITH_END_PEER;
    const struct kith_addr *addr = &kith_conn_path(f->conn)->remote;

    if (established)
        kith_event_conn_closed(s->all->env->events, s->peer.b, addr, end.text);
    else
        kith_event_conn_failed(s->all->env->events, s->peer.b, addr, end.text);
    s->end = end;
    if (!established)
        dial_failed(s, f, now);
    forget_flow(s, f, now);
    s->end = end;
    if (established && refused && s->used == NULL) {
        dial_refused(s, now);
    } else if (established && s->used == NULL) {
        bool stopped = end.kind == KITH_END_PEER && end.code == KITH_CLOSE_SHUTDOWN;
        dial_reset(s, now);
        if (stopped) /* it said that it goes: give it time to come back */
            dial_later(s, now);
    }
}

/* ---- time ---- */

/* Streams do not change connections, and whoever has one open would have to begin anew. And a peer
 * that has not heard hello on the other has none but this. */
static bool may_finish(const struct kith_session *s, const struct subflow *f, kith_time now)
{
    return now < f->spare_until &&
           (subflow_has_streams(f) || (s->used != NULL && !subflow_is_agreed(s->used)));
}

void subflow_tick(struct kith_session *s, kith_time now)
{
    subflow_choose(s, now);
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        struct subflow *f = &s->flow[i];
        if (f->conn == NULL || f->supersede_at > now)
            continue;
        if (may_finish(s, f, now))
            f->supersede_at = kith_sooner(kith_after(now, KITH_SEC), f->spare_until);
        else
            subflow_drop(s, f, KITH_CLOSE_SUPERSEDED, "a newer connection took over", now);
    }
}

kith_time subflow_deadline(const struct kith_session *s)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *f = &s->flow[i];
        if (f->conn == NULL)
            continue;
        at = kith_sooner(at, f->supersede_at);
    }
    return at;
}
