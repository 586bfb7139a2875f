/* table.c: the table of sessions, and what they tell. */
#include "session/internal.h"

#include "base/text.h"

/* ---- making and freeing ---- */

static void on_datagram(void *ctx, struct kith_conn *c, struct kith_span payload, uint8_t ecn,
                        kith_time now)
{
    struct kith_session *s = kith_conn_owner(c);

    (void)ctx;
    if (s != NULL)
        packets_datagram(s, c, payload, ecn, now);
}

static bool is_known(void *ctx, const struct kith_addr *remote, kith_time now)
{
    const struct kith_sessions *all = ctx;

    return kith_known_has(&all->known, &remote->ip, now);
}

int kith_sessions_new(const struct kith_sessions_config *cfg, const struct kith_env *env,
                      const struct kith_packet_sink *sink, struct kith_sessions **ret)
{
    struct kith_sessions *all = kith_new_zero(env->alloc, sizeof *all);

    if (all == NULL)
        return KITH_E_NOMEM;
    all->env = env;
    all->cfg = *cfg;
    all->sink = *sink;
    if (all->cfg.sessions_max == 0)
        all->cfg.sessions_max = 10000;
    if (all->cfg.keepalive == 0)
        all->cfg.keepalive = 20 * KITH_SEC;
    all->due.alloc = env->alloc;
    kith_list_init(&all->list);
    kith_list_init(&all->ready);
    kith_list_init(&all->pending);
    all->places.k0 = kith_random_u64(env->random);
    all->places.k1 = kith_random_u64(env->random);
    kith_map_init(&all->by_peer, env->alloc, env->random, sizeof(struct kith_peer_id),
                  all->cfg.sessions_max);
    struct kith_datagram_sink datagrams = {.datagram = on_datagram, .ctx = all};
    all->cfg.quic.known = is_known;
    all->cfg.quic.known_ctx = all;
    int err = kith_known_init(&all->known, env->alloc, env->random);
    if (err >= 0)
        err = kith_quic_new(&all->cfg.quic, env, &datagrams, &all->quic);
    if (err < 0) {
        kith_sessions_free(all);
        return err;
    }
    *ret = all;
    return KITH_OK;
}

static void session_free(struct kith_session *s)
{
    struct kith_sessions *all = s->all;

    kith_list_remove(&s->link);
    kith_list_remove(&s->ready);
    kith_list_remove(&s->pending);
    kith_due_remove(&all->due, &s->due);
    (void)kith_map_take(&all->by_peer, s->peer.b);
    kith_lanes_fini(&s->lanes);
    kith_reassembly_fini(&s->reassembly);
    all->n--;
    kith_free(all->env->alloc, s);
}

void kith_sessions_free(struct kith_sessions *all)
{
    if (all == NULL)
        return;
    kith_quic_free(all->quic); /* frees the connections under the sessions */
    while (!kith_list_empty(&all->list))
        session_free(KITH_OF(all->list.next, struct kith_session, link));
    kith_map_fini(&all->by_peer);
    kith_known_fini(&all->known, all->env->alloc);
    kith_due_fini(&all->due);
    kith_free(all->env->alloc, all);
}

struct kith_session *kith_sessions_find(const struct kith_sessions *all,
                                        const struct kith_peer_id *peer)
{
    return kith_map_find(&all->by_peer, peer->b);
}

int kith_sessions_get(struct kith_sessions *all, const struct kith_peer_id *peer, kith_time now,
                      struct kith_session **ret)
{
    struct kith_session *s = kith_sessions_find(all, peer);

    if (s != NULL) {
        *ret = s;
        return KITH_OK;
    }
    s = kith_new_zero(all->env->alloc, sizeof *s);
    if (s == NULL)
        return KITH_E_NOMEM;
    s->all = all;
    s->peer = *peer;
    kith_lanes_init(&s->lanes, all->env->alloc);
    s->reassembly.alloc = all->env->alloc;
    s->sent_at = s->guest_until = s->dial_at = KITH_NEVER;
    s->backoff = DIAL_BACKOFF_FIRST;
    s->failing_since = now;
    memset(s->slot, 0xff, sizeof s->slot);
    kith_list_init(&s->ready);
    kith_list_init(&s->pending);
    int err = kith_map_put(&all->by_peer, peer->b, s);
    if (err >= 0)
        err = kith_due_set(&all->due, &s->due, KITH_NEVER - 1);
    if (err < 0) {
        (void)kith_map_take(&all->by_peer, peer->b);
        kith_free(all->env->alloc, s);
        return err;
    }
    kith_list_append(&all->list, &s->link);
    all->n++;
    *ret = s;
    return KITH_OK;
}

void session_mark_ready(struct kith_session *s)
{
    if (kith_list_empty(&s->ready))
        kith_list_append(&s->all->ready, &s->ready);
}

void session_mark_pending(struct kith_session *s)
{
    if (kith_list_empty(&s->pending))
        kith_list_append(&s->all->pending, &s->pending);
}

bool session_is_idle(const struct kith_session *s)
{
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn != NULL)
            return false;
    return !s->wanted && kith_conduct_is_clean(&s->conduct);
}

void session_broke_rules(struct kith_session *s, struct subflow *f, const char *what, kith_time now)
{
    kith_event_peer_broke_rules(s->all->env->events, s->peer.b, what);
    subflow_drop(s, f, KITH_CLOSE_PROTOCOL, what, now);
}

/* ---- conduct ---- */

void session_note(struct kith_session *s, enum kith_offence what, kith_time now)
{
    bool was_clean = kith_conduct_is_clean(&s->conduct);

    s->all->count.offences[what]++;
    if (kith_conduct_note(&s->conduct, what, now))
        kith_event_peer_over_limit(s->all->env->events, s->peer.b, kith_offence_text(what));
    if (was_clean)
        session_refresh_due(s, now); /* to judge the window at its end */
}

void kith_session_note(struct kith_session *s, enum kith_offence what, kith_time now)
{
    if (s->trusted)
        session_note(s, what, now);
}

static void send_away(struct kith_session *s, enum kith_offence what, kith_time now)
{
    char why[80];

    kith_format(why, sizeof why, "over the limit of %s", kith_offence_text(what));
    kith_event_peer_sent_away(s->all->env->events, s->peer.b, KITH_CONDUCT_AWAY,
                              kith_offence_text(what));
    s->all->count.sent_away++;
    kith_session_close(s, KITH_CLOSE_LIMIT, why, now);
}

/* Whether there is nothing left to remember of one that is gone decides itself here. */
static void judge_conduct(struct kith_session *s, kith_time now)
{
    bool was_clean = kith_conduct_is_clean(&s->conduct);
    enum kith_offence what;

    if (kith_conduct_tick(&s->conduct, now, &what))
        send_away(s, what, now);
    if (!was_clean && session_is_idle(s)) {
        s->forget = true;
        session_mark_ready(s);
    }
}

/* ---- time ---- */

void session_refresh_due(struct kith_session *s, kith_time now)
{
    kith_time at = dial_deadline(s);

    at = kith_sooner(at, live_deadline(s, now));
    at = kith_sooner(at, subflow_deadline(s));
    at = kith_sooner(at, s->guest_until);
    at = kith_sooner(at, kith_conduct_deadline(&s->conduct));
    /* its place in the heap was made with the session, so this cannot fail */
    if (kith_due_set(&s->all->due, &s->due, at == KITH_NEVER ? at - 1 : at) < 0)
        session_mark_ready(s);
}

/* One that is expected is a member whose proof was late: it may come again at once, and so may we.
 */
static void end_guest(struct kith_session *s, kith_time now)
{
    const struct kith_sessions_config *cfg = &s->all->cfg;
    bool late = cfg->expects != NULL && cfg->expects(cfg->ctx, &s->peer);

    s->guest_until = KITH_NEVER;
    if (!late)
        kith_event_peer_over_limit(s->all->env->events, s->peer.b, "a guest's time");
    kith_session_close(s, late ? KITH_CLOSE_SILENT : KITH_CLOSE_NOT_MEMBER,
                       "no membership was shown in time", now);
}

static void session_tick(struct kith_session *s, kith_time now)
{
    if (now >= s->guest_until && !s->trusted)
        end_guest(s, now);
    judge_conduct(s, now);
    subflow_tick(s, now);
    live_tick(s, now);
    dial_tick(s, now);
    session_refresh_due(s, now);
}

void kith_sessions_tick(struct kith_sessions *all, kith_time now)
{
    struct kith_due *d;

    kith_quic_tick(all->quic, now);
    while ((d = kith_due_first(&all->due)) != NULL && d->at <= now) {
        struct kith_session *s = KITH_OF(d, struct kith_session, due);
        if (kith_due_set(&all->due, d, KITH_NEVER - 1) < 0)
            return;
        session_tick(s, now);
        if (s->due.at <= now && kith_due_set(&all->due, d, now + KITH_MSEC) < 0)
            return; /* never twice in one tick */
    }
}

kith_time kith_sessions_deadline(const struct kith_sessions *all)
{
    kith_time at = kith_due_deadline(&all->due);

    return kith_sooner(at >= KITH_NEVER - 1 ? KITH_NEVER : at, kith_quic_deadline(all->quic));
}

void kith_sessions_receive(struct kith_sessions *all, const struct kith_rx *run, kith_time now)
{
    kith_quic_receive(all->quic, run, now);
}

void kith_sessions_flush(struct kith_sessions *all, struct kith_tx_batch *b, kith_time now)
{
    while (!kith_list_empty(&all->pending) && !b->blocked) {
        struct kith_session *s = KITH_OF(all->pending.next, struct kith_session, pending);
        kith_list_remove(&s->pending);
        packets_flush(s, b, now);
    }
    kith_quic_flush(all->quic, b, now);
}

/* ---- connections' news ---- */

static bool is_guest(const struct kith_session *s)
{
    return !s->trusted && s->guest_until != KITH_NEVER;
}

static size_t guests(const struct kith_sessions *all)
{
    size_t n = 0;

    for (struct kith_link *l = all->list.next; l != &all->list; l = l->next)
        n += is_guest(KITH_OF(l, struct kith_session, link)) ? 1u : 0u;
    return n;
}

static bool is_expected(const struct kith_sessions *all, const struct kith_peer_id *peer)
{
    return all->cfg.expects != NULL && all->cfg.expects(all->cfg.ctx, peer);
}

static bool is_blocked(const struct kith_sessions *all, const struct kith_peer_id *peer)
{
    return all->cfg.blocks != NULL && all->cfg.blocks(all->cfg.ctx, peer);
}

/* A stranger proved its key: it gets a session, as a guest, if there is room. */
static struct kith_session *admit(struct kith_sessions *all, struct kith_conn *c, kith_time now)
{
    struct kith_session *s = kith_sessions_find(all, kith_conn_peer(c));

    if (all->closing || kith_peer_id_equal(kith_conn_peer(c), &all->cfg.self) ||
        is_blocked(all, kith_conn_peer(c)))
        return NULL;
    if (s != NULL && kith_conduct_is_away(&s->conduct, now))
        return NULL;
    bool expected = is_expected(all, kith_conn_peer(c));
    if (s == NULL && !expected && guests(all) >= KITH_SESSION_GUESTS_MAX) {
        all->count.guests_refused++;
        kith_event_refused_limit(all->env->events, &kith_conn_path(c)->remote,
                                 "the table of guests");
        return NULL;
    }
    if (s == NULL && kith_sessions_get(all, kith_conn_peer(c), now, &s) < 0)
        return NULL;
    return s;
}

/* spec session 3.8.2 */
static void refuse_blocked(struct kith_sessions *all, struct kith_conn *c, kith_time now)
{
    all->count.blocked_refused++;
    kith_event_refused_blocked(all->env->events, kith_conn_peer(c)->b, &kith_conn_path(c)->remote);
    kith_conn_close(c, KITH_CLOSE_BLOCKED, "blocked", now);
}

/* Closes a connection that has no place here. */
static void turn_away(struct kith_sessions *all, struct kith_conn *c, kith_time now)
{
    const struct kith_session *s = kith_sessions_find(all, kith_conn_peer(c));

    if (all->closing)
        kith_conn_close(c, KITH_CLOSE_SHUTDOWN, "the program is being stopped", now);
    else if (is_blocked(all, kith_conn_peer(c)))
        refuse_blocked(all, c, now);
    else if (s != NULL && kith_conduct_is_away(&s->conduct, now))
        kith_conn_close(c, KITH_CLOSE_REFUSED, "it went on being over the limits", now);
    else
        kith_conn_close(c, KITH_CLOSE_LIMIT, "no room", now);
    kith_conn_free(c, now);
}

static void on_established(struct kith_sessions *all, struct kith_conn *c, kith_time now)
{
    struct kith_session *s = kith_conn_owner(c);

    if (s == NULL)
        s = admit(all, c, now);
    struct subflow *f = s != NULL ? subflow_of(s, c) : NULL;
    if (s != NULL && f == NULL)
        f = subflow_add(s, c, now);
    if (f == NULL) {
        turn_away(all, c, now);
        return;
    }
    kith_conn_set_owner(c, s);
    subflow_established(s, f, now);
    if (s->trusted || is_expected(all, &s->peer))
        session_note(s, KITH_OFFENCE_connections, now);
    session_refresh_due(s, now);
}

static void on_moved(struct kith_session *s, struct subflow *f)
{
    kith_event_conn_moved(s->all->env->events, s->peer.b, &kith_conn_path(f->conn)->remote);
    if (f == s->used) {
        s->tell_moved = true;
        session_mark_ready(s);
    }
}

/* Remembers where a member is; strangers' noise must not keep it out when it comes again. */
static void note_where(struct kith_session *s, const struct subflow *f, kith_time now)
{
    if (s->trusted && f->established && !subflow_is_relayed(f))
        kith_known_met(&s->all->known, &kith_conn_path(f->conn)->remote.ip, now);
}

/* Takes one event of a connection; whether it gave an effect. */
static bool take_conn_event(struct kith_sessions *all, const struct kith_conn_event *ev,
                            kith_time now, struct kith_session_effect *ret)
{
    struct kith_session *s = kith_conn_owner(ev->conn);
    struct subflow *f = s != NULL ? subflow_of(s, ev->conn) : NULL;
    bool given = false;

    if (ev->kind == KITH_CONN_ESTABLISHED) {
        on_established(all, ev->conn, now);
        return false;
    }
    if (f == NULL) {
        if (ev->kind == KITH_CONN_CLOSED)
            kith_conn_free(ev->conn, now);
        return false;
    }
    switch (ev->kind) {
    case KITH_CONN_ESTABLISHED:
    case KITH_CONN_WAITS: break; /* what is due is looked at below */
    case KITH_CONN_MOVED:
        note_where(s, f, now);
        on_moved(s, f);
        break;
    case KITH_CONN_STREAM:
        note_where(s, f, now);
        control_stream_event(s, f, ev, ret, &given, now);
        break;
    case KITH_CONN_WRITABLE:
    case KITH_CONN_REPORT:
    case KITH_CONN_PROBE: session_mark_pending(s); break;
    case KITH_CONN_CLOSED:
        note_where(s, f, now);
        subflow_closed(s, f, now);
        break;
    }
    session_refresh_due(s, now);
    return given;
}

/* ---- effects ---- */

static bool take(bool *flag)
{
    bool was = *flag;

    *flag = false;
    return was;
}

static void tell_up(struct kith_session *s)
{
    char route[96];

    s->told_up = true;
    if (s->used != NULL)
        kith_event_session_opened(s->all->env->events, s->peer.b,
                                  subflow_route(s->used, route, sizeof route));
}

static void tell_down(struct kith_session *s, struct kith_session_effect *ret)
{
    if (s->told_up)
        kith_event_session_closed(s->all->env->events, s->peer.b, s->end.text);
    s->told_up = false;
    ret->end = &s->end;
}

static bool session_effect(struct kith_session *s, struct kith_session_effect *ret)
{
    *ret = (struct kith_session_effect){.session = s, .stream = -1};
    if (take(&s->tell_restarted)) {
        ret->kind = KITH_SESSION_RESTARTED;
    } else if (take(&s->tell_up)) {
        ret->kind = KITH_SESSION_UP;
        tell_up(s);
    } else if (take(&s->tell_moved)) {
        ret->kind = KITH_SESSION_MOVED;
    } else if (take(&s->tell_missed)) {
        ret->kind = KITH_SESSION_MISSED;
    } else if (s->n_pong > 0) {
        s->n_pong--;
        ret->kind = KITH_SESSION_PONG;
        ret->token = s->pong[s->n_pong].token;
        ret->rtt = s->pong[s->n_pong].rtt;
    } else if (take(&s->tell_dial_failed)) {
        ret->kind = KITH_SESSION_DIAL_FAILED;
        ret->end = &s->end;
        ret->next = s->dial_wait;
        ret->others = s->n_addr > 0 && s->others == (1u << s->n_addr) - 1;
        kith_event_dial_failed(s->all->env->events, s->peer.b, s->end.text, s->dial_wait);
    } else if (take(&s->tell_down)) {
        ret->kind = KITH_SESSION_DOWN;
        tell_down(s, ret);
    } else {
        return false;
    }
    return true;
}

static void let_go(struct kith_sessions *all, kith_time now)
{
    if (all->held.conn != NULL) {
        kith_conn_stream_consume(all->held.conn, all->held.stream, all->held.used);
        all->held.conn = NULL;
    }
    if (all->leaving != NULL) {
        if (session_is_idle(all->leaving))
            session_free(all->leaving);
        all->leaving = NULL;
    }
    (void)now;
}

static bool next_of_sessions(struct kith_sessions *all, struct kith_session_effect *ret)
{
    while (!kith_list_empty(&all->ready)) {
        struct kith_session *s = KITH_OF(all->ready.next, struct kith_session, ready);
        if (session_effect(s, ret)) {
            if (ret->kind == KITH_SESSION_DOWN)
                all->leaving = s;
            return true;
        }
        kith_list_remove(&s->ready);
        if (take(&s->forget) && session_is_idle(s))
            session_free(s);
    }
    return false;
}

bool kith_sessions_next_effect(struct kith_sessions *all, kith_time now,
                               struct kith_session_effect *ret)
{
    struct kith_conn_event ev;

    let_go(all, now);
    for (;;) {
        /* first what is known, so that UP comes before the first message */
        if (next_of_sessions(all, ret))
            return true;
        if (!kith_quic_next_event(all->quic, &ev))
            return false;
        if (take_conn_event(all, &ev, now, ret))
            return true;
    }
}

/* ---- the whole table ---- */

void kith_sessions_network_changed(struct kith_sessions *all, const struct kith_ip *gone, size_t n,
                                   kith_time now)
{
    for (struct kith_session *s = kith_sessions_next(all, NULL); s != NULL;
         s = kith_sessions_next(all, s)) {
        for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
            struct subflow *f = &s->flow[i];
            if (f->conn == NULL || !f->established)
                continue;
            live_probe(s, f, now);
            if (subflow_is_relayed(f))
                continue; /* it has no address of this host's */
            struct kith_path path = *kith_conn_path(f->conn);
            bool lost = n == 0;
            for (size_t k = 0; k < n; k++)
                lost |= kith_ip_equal(&gone[k], &path.local.ip);
            if (!lost)
                continue;
            /* suspect until it answers */
            f->asked_at = kith_since(now, subflow_suspect_after(f));
            path.local = (struct kith_addr){0};
            if (kith_conn_migrate(f->conn, &path, now) < 0)
                continue;
        }
        dial_reset(s, now);
        session_refresh_due(s, now);
    }
}

void kith_sessions_shutdown(struct kith_sessions *all, kith_time now)
{
    all->closing = true;
    for (struct kith_session *s = kith_sessions_next(all, NULL); s != NULL;
         s = kith_sessions_next(all, s))
        kith_session_close(s, KITH_CLOSE_SHUTDOWN, "the program is being stopped", now);
}

struct kith_session *kith_sessions_next(const struct kith_sessions *all, struct kith_session *at)
{
    const struct kith_link *l = at != NULL ? at->link.next : all->list.next;

    return l == &all->list ? NULL : KITH_OF(l, struct kith_session, link);
}

size_t kith_sessions_count(const struct kith_sessions *all)
{
    size_t n = 0;

    for (struct kith_session *s = kith_sessions_next(all, NULL); s != NULL;
         s = kith_sessions_next(all, s))
        n += s->used != NULL && s->trusted ? 1u : 0u;
    return n;
}

size_t kith_sessions_connections(const struct kith_sessions *all)
{
    return kith_quic_connections(all->quic);
}

const struct kith_session_counters *kith_sessions_counters(const struct kith_sessions *all)
{
    return &all->count;
}

const struct kith_quic_counters *kith_sessions_quic_counters(const struct kith_sessions *all)
{
    return kith_quic_counters(all->quic);
}

void kith_sessions_set_prices(struct kith_sessions *all, const struct kith_quic_prices *prices)
{
    kith_quic_set_prices(all->quic, prices);
}

/* ---- one session ---- */

const struct kith_peer_id *kith_session_peer(const struct kith_session *s)
{
    return &s->peer;
}

bool kith_session_is_up(const struct kith_session *s)
{
    return s->used != NULL;
}

bool kith_session_is_missed(const struct kith_session *s)
{
    return s->used != NULL && s->missed;
}

bool kith_session_uses(const struct kith_session *s, const struct kith_conn *c)
{
    return s->used != NULL && s->used->conn == c;
}

bool kith_session_is_relayed(const struct kith_session *s)
{
    return s->used != NULL && subflow_is_relayed(s->used);
}

bool kith_session_is_silent(const struct kith_session *s)
{
    return s->used != NULL && s->silence_told;
}

/* A guest's limits are for what it says as a guest. */
static void count_anew(struct subflow *f)
{
    struct kith_conn_stats stats;

    if (f->conn == NULL)
        return;
    kith_conn_stats(f->conn, &stats);
    f->member_bytes = stats.bytes_in;
    f->datagram_bytes = 0;
}

void kith_session_trust(struct kith_session *s, bool trusted)
{
    if (s->trusted && !trusted)
        for (size_t i = 0; i < KITH_COUNT(s->flow); i++)
            count_anew(&s->flow[i]);
    s->trusted = trusted;
    if (trusted)
        s->guest_until = KITH_NEVER;
}

void kith_session_allow_slot(struct kith_session *s, uint8_t theirs, uint8_t ours)
{
    if (theirs < KITH_SESSION_SLOTS)
        s->slot[theirs] = ours < KITH_SESSION_SLOTS ? ours : 0xff;
}

uint64_t kith_session_capabilities(const struct kith_session *s)
{
    return s->capabilities;
}

void kith_session_set_user(struct kith_session *s, void *user)
{
    s->user = user;
}

void *kith_session_user(const struct kith_session *s)
{
    return s->user;
}

void kith_session_begin_anew(struct kith_session *s, const char *why, kith_time now)
{
    if (s->used == NULL)
        return;
    subflow_drop(s, s->used, KITH_CLOSE_INTERNAL, why, now);
    dial_reset(s, now);
    session_refresh_due(s, now);
}

void kith_session_close(struct kith_session *s, uint64_t code, const char *why, kith_time now)
{
    s->wanted = false;
    s->n_addr = 0;
    s->dial_at = KITH_NEVER;
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++)
        if (s->flow[i].conn != NULL)
            subflow_drop(s, &s->flow[i], code, why, now);
    if (session_is_idle(s)) {
        s->tell_down = true; /* its DOWN lets the table go of it */
        session_mark_ready(s);
    }
    session_refresh_due(s, now);
}

void kith_session_info(const struct kith_session *s, struct kith_session_info *ret)
{
    *ret = (struct kith_session_info){
        .peer = s->peer,
        .up = s->used != NULL,
        .wanted = s->wanted,
        .trusted = s->trusted,
        .silent = kith_session_is_silent(s),
        .relayed = kith_session_is_relayed(s),
        .since = s->up_since,
        .packets_at = s->packets_at,
        .bytes_in = s->past_in,
        .bytes_out = s->past_out,
        .packets_out = s->past_packets,
        .packets_lost = s->past_lost,
        .software = s->software,
    };
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *f = &s->flow[i];
        struct kith_conn_stats stats;
        if (f->conn == NULL || !f->established)
            continue;
        kith_conn_stats(f->conn, &stats);
        ret->connections++;
        ret->bytes_in += stats.bytes_in;
        ret->bytes_out += stats.bytes_out;
        ret->packets_out += stats.packets_out;
        ret->packets_lost += stats.packets_lost;
        if (f != s->used)
            continue;
        ret->path = *kith_conn_path(f->conn);
        ret->dialled = kith_conn_dialled(f->conn);
        ret->rtt = stats.srtt;
        ret->rate = stats.rate;
        ret->heard_at = stats.heard_at;
        ret->datagram_max = kith_conn_datagram_max(f->conn);
    }
}
