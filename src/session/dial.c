/* dial.c: reaching a peer: which addresses, when, and how long to wait between rounds.
 *
 * A round tries the candidates one after another, a quarter of a second apart. Rounds start 1 s
 * apart, then 2 s; only after a minute without success does the wait double, up to a minute. New
 * addresses cut one wait short, but not all of them: a peer may tell new ones all the time. Dials
 * to one place have a share of their own, whoever is said to be there. */
#include "session/internal.h"

/* Whether a dial to the address is under way. One that has heard nothing for a while is stale. */
static bool dials(const struct kith_session *s, const struct kith_addr *addr, kith_time now,
                  struct subflow **ret_stale)
{
    struct kith_conn_stats stats;

    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *f = &s->flow[i];
        if (f->conn == NULL || f->established ||
            !kith_addr_equal(&kith_conn_path(f->conn)->remote, addr))
            continue;
        kith_conn_stats(f->conn, &stats);
        if (kith_since(now, stats.heard_at) < DIAL_STALE)
            return true;
        *ret_stale = (struct subflow *)f;
    }
    return false;
}

/* The host of an IPv4 address, the network of an IPv6 one: there is one victim behind it. */
static kith_time *place_of(struct kith_sessions *all, const struct kith_addr *addr)
{
    uint8_t key[1 + 8] = {addr->ip.family};

    memcpy(key + 1, addr->ip.b, addr->ip.family == KITH_FAMILY_IP4 ? 4 : 8);
    uint64_t h = kith_siphash(all->places.k0, all->places.k1, KITH_SPAN_OF(key));
    return &all->places.paid[h % DIAL_PLACES];
}

/* Members say where they are, and may lie: dials to one place are few, whoever is said to be there
 * (control-stream 6.4). */
static bool place_affords(struct kith_sessions *all, const struct kith_addr *addr, kith_time now)
{
    return kith_rate_takes(place_of(all, addr), DIAL_PLACE_COST, 1, DIAL_PLACE_BURST, now);
}

static void dial_one(struct kith_session *s, const struct kith_addr *addr, kith_time now)
{
    bool mesh = addr->ip.family == KITH_FAMILY_MESH;
    struct kith_path path = {.transport = mesh ? s->all->cfg.mesh : 0, .remote = *addr};
    struct subflow *stale = NULL;
    struct kith_conn *c;

    if (dials(s, addr, now, &stale))
        return;
    if (!place_affords(s->all, addr, now)) { /* the next round comes to it again */
        s->all->count.dials_held++;
        kith_event_dial_held(s->all->env->events, s->peer.b, addr);
        return;
    }
    if (stale != NULL)
        subflow_drop(s, stale, KITH_CLOSE_DONE, "", now);
    s->all->count.dials++;
    if (kith_quic_dial(s->all->quic, &path, &s->peer, s, now, &c) < 0) {
        kith_event_out_of_memory(s->all->env->events, "dialling", 0);
        return;
    }
    if (subflow_add(s, c, now) == NULL)
        kith_conn_free(c, now);
}

static kith_dur jitter(const struct kith_session *s)
{
    return kith_random_below(s->all->env->random, DIAL_JITTER);
}

/* Between rounds: the next is due as soon as news may have one. */
static void hurry_for_news(struct kith_session *s, kith_time now)
{
    if (s->news)
        s->dial_at = kith_sooner(s->dial_at, s->news_at > now ? s->news_at : now);
}

static void schedule_next_round(struct kith_session *s, kith_time now)
{
    kith_dur most =
        kith_since(now, s->failing_since) < DIAL_EARLY ? DIAL_BACKOFF_EARLY : DIAL_BACKOFF_MAX;

    s->next_addr = 0;
    s->dial_at = kith_after(now, s->backoff + jitter(s));
    hurry_for_news(s, now);
    s->dial_wait = kith_since(s->dial_at, now);
    s->backoff = 2 * s->backoff < most ? 2 * s->backoff : most;
}

/* Whether a connection is missed: there is none, or the one in use owes answers. */
static bool missed(const struct kith_session *s, kith_time now)
{
    return s->used == NULL || subflow_suspect(s->used, now);
}

/* ---- the direct way, while others are in between ---- */

void dial_relayed(struct kith_session *s, kith_time now)
{
    s->direct_wait = DIAL_DIRECT_FIRST;
    s->next_addr = 0;
    s->dial_at = kith_after(now, DIAL_DIRECT_FIRST);
}

static void schedule_direct(struct kith_session *s, kith_time now)
{
    kith_dur next = 2 * s->direct_wait;

    s->direct_wait = next < DIAL_DIRECT_MAX ? next : DIAL_DIRECT_MAX;
    s->next_addr = 0;
    s->dial_at =
        kith_after(now, kith_since(now, s->packets_at) < next ? s->direct_wait : DIAL_DIRECT_IDLE);
    hurry_for_news(s, now);
}

/* One candidate after another, as in any round, but without those of the mesh. */
static void try_direct(struct kith_session *s, kith_time now)
{
    if (s->next_addr == 0 && s->news) {
        s->news = false;
        s->news_at = kith_after(now, DIAL_NEWS);
    }
    while (s->next_addr < s->n_addr && s->addr[s->next_addr].ip.family == KITH_FAMILY_MESH)
        s->next_addr++;
    if (s->next_addr < s->n_addr)
        dial_one(s, &s->addr[s->next_addr++], now);
    if (s->next_addr < s->n_addr)
        s->dial_at = kith_after(now, DIAL_STAGGER);
    else
        schedule_direct(s, now);
}

void dial_tick(struct kith_session *s, kith_time now)
{
    if (!s->wanted && s->used == NULL)
        s->dial_at = KITH_NEVER;
    if (now < s->dial_at)
        return;
    if (kith_conduct_is_away(&s->conduct, now)) { /* it was sent away: not called back at once */
        s->dial_at = s->conduct.away_until;
        return;
    }
    if (!missed(s, now) && subflow_is_relayed(s->used)) {
        try_direct(s, now);
        return;
    }
    if (!missed(s, now) || (s->n_addr == 0 && s->used == NULL)) {
        s->dial_at = KITH_NEVER;
        return;
    }
    if (s->failing_since == KITH_NEVER)
        s->failing_since = now;
    if (s->next_addr == 0 && s->news) {
        s->news = false;
        s->news_at = kith_after(now, DIAL_NEWS);
    }
    if (s->next_addr == 0 && s->used != NULL && !subflow_is_relayed(s->used)) {
        /* where it was heard last is nearer the truth than what it told */
        struct kith_addr last = kith_conn_path(s->used->conn)->remote;
        dial_one(s, &last, now);
    }
    if (s->next_addr < s->n_addr)
        dial_one(s, &s->addr[s->next_addr++], now);
    if (s->next_addr < s->n_addr)
        s->dial_at = kith_after(now, DIAL_STAGGER);
    else
        schedule_next_round(s, now);
}

kith_time dial_deadline(const struct kith_session *s)
{
    return s->dial_at;
}

void dial_reset(struct kith_session *s, kith_time now)
{
    s->backoff = DIAL_BACKOFF_FIRST;
    s->direct_wait = DIAL_DIRECT_FIRST;
    s->next_addr = 0;
    s->failing_since = KITH_NEVER;
    if (s->wanted || s->used != NULL)
        s->dial_at = now;
}

void dial_later(struct kith_session *s, kith_time now)
{
    if (s->dial_at != KITH_NEVER)
        schedule_next_round(s, now);
}

/* Notes at which candidate somebody else answered. */
static void note_other(struct kith_session *s, const struct subflow *f)
{
    for (size_t i = 0; i < s->n_addr; i++)
        if (kith_addr_equal(&s->addr[i], &kith_conn_path(f->conn)->remote))
            s->others |= 1u << i;
}

/* The event tells of a round, not of each address: the last dial under way speaks for it. */
void dial_failed(struct kith_session *s, struct subflow *f, kith_time now)
{
    if (kith_conn_end(f->conn)->refusal == KITH_REFUSAL_PEER)
        note_other(s, f);
    for (size_t i = 0; i < KITH_SESSION_CONNS_MAX; i++) {
        const struct subflow *g = &s->flow[i];
        if (g != f && g->conn != NULL && !g->established)
            return;
    }
    if (s->used != NULL)
        return;
    s->tell_dial_failed = true;
    if (s->dial_at == KITH_NEVER && s->wanted)
        schedule_next_round(s, now);
    session_mark_ready(s);
}

/* It was there, and would not have us: a round that failed. All candidates are one peer's. */
void dial_refused(struct kith_session *s, kith_time now)
{
    if (s->wanted)
        schedule_next_round(s, now);
    s->tell_dial_failed = true;
    session_mark_ready(s);
}

void kith_session_want(struct kith_session *s, bool wanted, kith_time now)
{
    bool was = s->wanted;

    s->wanted = wanted;
    if (wanted && !was && s->used == NULL && s->dial_at == KITH_NEVER)
        dial_reset(s, now);
    if (session_is_idle(s)) {
        s->forget = true;
        session_mark_ready(s);
    }
    session_refresh_due(s, now);
}

void kith_session_dial_now(struct kith_session *s, kith_time now)
{
    if (s->used == NULL || subflow_suspect(s->used, now))
        dial_reset(s, now);
    session_refresh_due(s, now);
}

void kith_session_set_addrs(struct kith_session *s, const struct kith_addr *addr, size_t n,
                            kith_time now)
{
    bool news = false;

    if (n > KITH_SESSION_ADDRS_MAX)
        n = KITH_SESSION_ADDRS_MAX;
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        if (addr[i].ip.family != KITH_FAMILY_MESH)
            kith_known_told(&s->all->known, &addr[i].ip, now);
        for (size_t k = 0; k < s->n_addr; k++)
            known |= kith_addr_equal(&s->addr[k], &addr[i]);
        news |= !known;
    }
    if (n != s->n_addr || memcmp(s->addr, addr, n * sizeof *addr) != 0)
        s->others = 0;
    memcpy(s->addr, addr, n * sizeof *addr);
    s->n_addr = n;
    if (news && s->wanted && (missed(s, now) || subflow_is_relayed(s->used))) {
        s->news = true;
        if (now >= s->news_at)
            s->next_addr = 0;
        if (s->next_addr == 0)
            hurry_for_news(s, now);
    }
    session_refresh_due(s, now);
}
