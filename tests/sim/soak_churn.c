/* soak_churn.c: what happens to the machines of a soak, and when. See soak.h. */
#include "sim/soak.h"

#include <stdlib.h>

#include "identity/issuer.h"

#define NOBODY SIZE_MAX
#define MINUTE (60 * KITH_SEC)

/* ---- the agenda ---- */

const char *soak_kind_text(enum soak_kind kind)
{
    static const char *const text[] = {
#define X(name, text) text,
        SOAK_KINDS(X)
#undef X
    };

    return text[kind];
}

void soak_add(struct soak *s, kith_dur in, enum soak_kind kind, size_t who, size_t whom)
{
    if (s->n_agenda == SOAK_AGENDA_MAX)
        abort();
    s->agenda[s->n_agenda++] = (struct soak_event){
        .at = kith_after(sim_net_now(s->net), in), .kind = kind, .who = who, .whom = whom};
}

static size_t first(const struct soak *s)
{
    size_t best = 0;

    for (size_t i = 1; i < s->n_agenda; i++)
        if (s->agenda[i].at < s->agenda[best].at)
            best = i;
    return best;
}

kith_time soak_next(const struct soak *s)
{
    return s->n_agenda == 0 ? KITH_NEVER : s->agenda[first(s)].at;
}

void soak_hasten(struct soak *s)
{
    kith_time soon = kith_after(sim_net_now(s->net), 2 * MINUTE);

    for (size_t i = 0; i < s->n_agenda; i++)
        if (s->agenda[i].kind == SOAK_join)
            s->agenda[i].at = kith_sooner(s->agenda[i].at, soon);
        else if (s->agenda[i].kind != SOAK_joined)
            s->agenda[i].at = kith_sooner(s->agenda[i].at, sim_net_now(s->net));
}

/* How often each happens in a round: of the machines a share, of what needs the root, one. */
size_t soak_how_often(const struct soak *s, enum soak_kind kind)
{
    switch (kind) {
    case SOAK_off: return 1 + s->n / 4;
    case SOAK_sleep: return 1 + s->n / 6;
    case SOAK_restart: return 1 + s->n / 3;
    case SOAK_move: return 1 + s->n / 3;
    case SOAK_cut: return s->n;
    case SOAK_part: return 1;
    case SOAK_revoke: return 1 + s->n / 15;
    case SOAK_leave: return 1 + s->n / 10;
    case SOAK_appoint:
    case SOAK_dismiss: return 1;
    case SOAK_jump: return 1 + s->n / 10;
    case SOAK_drift: return 1 + s->n / 3;
    case SOAK_burst: return 4 * s->n;
    case SOAK_ping: return 2 * s->n;
    case SOAK_invite: return 2;
    case SOAK_on:
    case SOAK_wake:
    case SOAK_link:
    case SOAK_unpart:
    case SOAK_reinstall:
    case SOAK_join:
    case SOAK_joined:
    case SOAK_right:
    case SOAK_KINDS_N: break;
    }
    return 0;
}

void soak_plan(struct soak *s, kith_dur active)
{
    for (size_t kind = 0; kind < SOAK_KINDS_N; kind++)
        for (size_t i = soak_how_often(s, (enum soak_kind)kind); i > 0; i--)
            soak_add(s, soak_below(s, active), (enum soak_kind)kind, NOBODY, NOBODY);
}

/* ---- who ---- */

/* Always the same few: a block of addresses stays with who had it for a month (objects 5.3). */
static size_t candidates(const struct soak *s)
{
    return s->n < 16 ? 1 + s->n / 8 : 4;
}

typedef bool soak_fit(const struct soak *s, size_t i);

/* One of those that are fit; NOBODY when none is. */
static size_t pick(struct soak *s, soak_fit *fit)
{
    size_t from = soak_below(s, s->n);

    for (size_t i = 0; i < s->n; i++)
        if (fit(s, (from + i) % s->n))
            return (from + i) % s->n;
    return NOBODY;
}

static bool may_vanish(const struct soak *s, size_t i)
{
    size_t gone = 0;

    for (size_t k = 0; k < s->n; k++)
        gone += soak_is_on(s, k) ? 0 : 1;
    return soak_is_well(s, i) && !s->machine[i].steady && 4 * gone < s->n;
}

/* Its word must be heard by somebody: an island of one could not be told apart from its end. */
static bool is_heard(const struct soak *s, size_t i)
{
    return soak_is_well(s, i) && soak_answering(s, i) >= s->n / 3;
}

static bool may_be_revoked(const struct soak *s, size_t i)
{
    return is_heard(s, i) && !s->machine[i].steady && i > candidates(s);
}

static bool may_leave(const struct soak *s, size_t i)
{
    return is_heard(s, i) && i != 0 && !s->machine[i].admin;
}

static bool may_be_admin(const struct soak *s, size_t i)
{
    return soak_is_well(s, i) && i >= 1 && i <= candidates(s) && !s->machine[i].admin;
}

static bool may_be_dismissed(const struct soak *s, size_t i)
{
    return i != 0 && s->machine[i].admin && s->machine[i].in && !s->machine[i].busy;
}

static bool may_invite(const struct soak *s, size_t i)
{
    return is_heard(s, i) && s->machine[i].admin;
}

static kith_dur some_time(struct soak *s, kith_dur least, kith_dur most)
{
    kith_dur d = least;

    while (d < most && soak_below(s, 6) > 0) /* short ones are as frequent as long ones */
        d += d;
    return d - soak_below(s, d / 2);
}

/* ---- power ---- */

static bool off(struct soak *s)
{
    size_t i = pick(s, may_vanish);

    if (i == NOBODY)
        return false;
    soak_kill(s, i);
    sim_host_power(s->machine[i].sim.host, false);
    soak_add(s, some_time(s, 2 * MINUTE, 2 * KITH_DAY), SOAK_on, i, NOBODY);
    return true;
}

static void start(struct soak *s, size_t i)
{
    if (node_sim_try_start(&s->machine[i].sim) < 0)
        soak_fault(s, "machine %zu does not start: %s", i + 1, s->machine[i].sim.last_why.text);
}

static bool on(struct soak *s, size_t i)
{
    sim_host_power(s->machine[i].sim.host, true);
    start(s, i);
    return true;
}

static void fall_asleep(struct soak *s, size_t i)
{
    s->machine[i].sim.asleep = true;
    sim_host_power(s->machine[i].sim.host, false);
}

static bool put_to_sleep(struct soak *s)
{
    size_t i = pick(s, may_vanish);

    if (i == NOBODY)
        return false;
    fall_asleep(s, i);
    soak_add(s, some_time(s, MINUTE, KITH_DAY), SOAK_wake, i, NOBODY);
    return true;
}

static bool wake(struct soak *s, size_t i)
{
    struct node_peer_sim *p = &s->machine[i].sim;

    p->asleep = false;
    sim_host_power(p->host, true);
    kith_node_host_changed(p->node, &sim_host_addr(p->host)->ip, 1, true, node_sim_now(p));
    return true;
}

void soak_sleep(struct soak *s, kith_dur d)
{
    for (size_t i = 0; i < s->n; i++)
        fall_asleep(s, i);
    soak_wait(s, d);
    for (size_t i = 0; i < s->n; i++)
        (void)wake(s, i);
    s->slept += d;
}

static bool is_restartable(const struct soak *s, size_t i)
{
    return soak_is_well(s, i) && !s->machine[i].steady;
}

static bool restart(struct soak *s)
{
    size_t i = pick(s, is_restartable);

    if (i == NOBODY)
        return false;
    soak_kill(s, i);
    start(s, i);
    return true;
}

/* ---- links ---- */

static bool move(struct soak *s)
{
    size_t i = pick(s, is_heard);
    char text[40];

    if (i == NOBODY)
        return false;
    s->machine[i].place = (s->machine[i].place + 1 + (unsigned)soak_below(s, 2)) % SOAK_PLACES;
    node_sim_move(&s->machine[i].sim, soak_addr(s, i, text));
    return true;
}

static bool cut(struct soak *s)
{
    size_t a = soak_below(s, s->n), b = soak_below(s, s->n);

    while (a == b)
        b = soak_below(s, s->n);
    soak_cut(s, a, b, 1);
    soak_add(s, some_time(s, MINUTE, 6 * SOAK_HOUR), SOAK_link, a, b);
    return true;
}

static void part_along(struct soak *s, uint64_t sides, int by)
{
    for (size_t a = 0; a < s->n; a++)
        for (size_t b = 0; b < a; b++)
            if ((sides >> a & 1) != (sides >> b & 1))
                soak_cut(s, a, b, by);
}

static bool part(struct soak *s)
{
    uint64_t sides = kith_random_u64(sim_net_random(s->net));

    part_along(s, sides, 1);
    soak_add(s, some_time(s, 5 * MINUTE, 2 * SOAK_HOUR), SOAK_unpart, NOBODY, NOBODY);
    s->agenda[s->n_agenda - 1].sides = sides;
    return true;
}

/* ---- members ---- */

void soak_new_identity(struct soak *s, size_t who, struct kith_sign_seed *ret)
{
    size_t i = s->identities++;

    if (i == SOAK_IDENTITIES_MAX)
        abort();
    *ret = (struct kith_sign_seed){{(uint8_t)i, (uint8_t)(i >> 8), 78}};
    s->identity[i] = (struct soak_identity){.revoked = false};
    s->machine[who].identity = i;
}

static struct soak_identity *identity_of(struct soak *s, size_t i)
{
    return &s->identity[s->machine[i].identity];
}

/* Of the root about one that is picked; NOBODY when it could not be asked for. */
static size_t root_asks(struct soak *s, soak_fit *may_be,
                        int (*ask)(struct kith_node *, const char *, const char *, struct kith_now,
                                   struct kith_member_info *, struct kith_node_why *),
                        const char *done)
{
    struct node_peer_sim *root = &s->machine[0].sim;
    size_t i = pick(s, may_be);
    struct kith_member_info m;
    struct kith_node_why why;
    char id[KITH_ID_TEXT];

    if (i == NOBODY || !is_heard(s, 0))
        return NOBODY;
    kith_peer_id_text(&s->machine[i].sim.identity.id, id, sizeof id);
    if (ask(root->node, id, "home", node_sim_now(root), &m, &why) >= 0)
        return i;
    soak_fault(s, "machine %zu cannot be %s: %s", i + 1, done, why.text);
    return NOBODY;
}

static bool revoke(struct soak *s)
{
    size_t i = root_asks(s, may_be_revoked, kith_node_revoke, "revoked");

    if (i == NOBODY)
        return false;
    identity_of(s, i)->revoked = true;
    s->machine[i].in = false;
    for (size_t k = 0; k < s->n; k++)
        s->machine[k].missed += s->machine[k].in ? 0 : 1;
    s->machine[i].busy = true;
    soak_add(s, 10 * MINUTE, SOAK_reinstall, i, NOBODY);
    return true;
}

static bool reinstall(struct soak *s, size_t i)
{
    struct kith_sign_seed key;

    soak_kill(s, i);
    soak_new_identity(s, i, &key);
    node_sim_reinstall(&s->machine[i].sim, &key);
    s->machine[i].tickets = 0;
    s->machine[i].pages_most = s->machine[i].missed = 0;
    identity_of(s, i)->id = s->machine[i].sim.identity.id;
    soak_add(s, MINUTE, SOAK_join, i, NOBODY);
    return true;
}

static bool leave(struct soak *s)
{
    size_t i = pick(s, may_leave), told = 0;
    struct kith_node_why why;

    if (i == NOBODY)
        return false;
    struct node_peer_sim *p = &s->machine[i].sim;
    soak_look(s, i);
    if (kith_node_network_leave(p->node, "home", node_sim_now(p), &told, &why) < 0 || told == 0) {
        soak_fault(s, "machine %zu cannot leave, %zu told", i + 1, told);
        return false;
    }
    identity_of(s, i)->left = true;
    s->machine[i].tickets = 0;
    s->machine[i].in = false;
    s->machine[i].busy = true;
    soak_add(s, some_time(s, 5 * MINUTE, SOAK_HOUR), SOAK_join, i, NOBODY);
    return true;
}

/* Tickets are answered for as long as what was given for them may last, and then forgotten when
 * the next is written. */
static void forget_tickets(struct soak_machine *m, kith_wall now)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->tickets; i++)
        if (m->ticket[i].expires + KITH_CERT_VALID > now)
            m->ticket[kept++] = m->ticket[i];
    m->tickets = kept;
}

static void note_ticket(struct soak_machine *m, kith_wall expires, bool given)
{
    if (m->tickets == SOAK_TICKETS_MAX)
        abort();
    m->ticket[m->tickets++] = (struct soak_ticket){.expires = expires, .given = given};
}

static int ticket(struct soak *s, size_t by, kith_wall valid, bool given,
                  char text[KITH_TICKET_TEXT_MAX])
{
    struct kith_invite plain = {.valid = valid, .uses = 1};
    struct node_peer_sim *p = &s->machine[by].sim;
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;

    forget_tickets(&s->machine[by], node_sim_now(p).wall);
    int err = kith_node_invite(p->node, &plain, node_sim_now(p), text, KITH_TICKET_TEXT_MAX, &net,
                               &expires, &why);
    if (err < 0 && err != KITH_E_NOTADMIN) /* it may not have heard of its office yet */
        soak_fault(s, "machine %zu cannot invite: %s", by + 1, why.text);
    if (err >= 0)
        note_ticket(&s->machine[by], expires, given);
    return err;
}

static bool join_by(struct soak *s, size_t i, size_t by)
{
    struct soak_machine *m = &s->machine[i];
    char text[KITH_TICKET_TEXT_MAX];
    struct kith_node_why why;

    m->dones = m->sim.dones;
    m->history = s->identities - s->n;
    return ticket(s, by, 3600, true, text) == KITH_OK &&
           kith_node_join(m->sim.node, text, NULL, ++m->calls, node_sim_now(&m->sim), &why) ==
               KITH_OK;
}

static bool join(struct soak *s, size_t i)
{
    size_t by = pick(s, may_invite);

    if (by == NOBODY || s->cut[by][i] > 0 || !join_by(s, i, by))
        soak_add(s, 5 * MINUTE, SOAK_join, i, NOBODY);
    else
        soak_add(s, MINUTE, SOAK_joined, i, NOBODY);
    return true;
}

static bool joined(struct soak *s, size_t i)
{
    struct soak_machine *m = &s->machine[i];
    struct kith_network_info info;

    if (m->sim.dones > m->dones && soak_info(s, i, &info) &&
        info.standing == KITH_STANDING_MEMBER) {
        m->in = true;
        m->busy = false;
        return true;
    }
    soak_add(s, 5 * MINUTE, SOAK_join, i, NOBODY);
    return true;
}

void soak_enrol(struct soak *s, size_t who)
{
    struct soak_machine *m = &s->machine[who];

    if (!join_by(s, who, 0))
        abort();
    for (int i = 0; i < 60 && m->sim.dones == m->dones; i++)
        soak_wait(s, KITH_SEC);
    (void)joined(s, who);
    if (!m->in)
        abort();
}

static bool invite(struct soak *s)
{
    char text[KITH_TICKET_TEXT_MAX];
    size_t by = pick(s, may_invite);

    return by != NOBODY && ticket(s, by, 3600 * (1 + soak_below(s, 48)), false, text) == KITH_OK;
}

/* ---- offices ---- */

static bool appoint(struct soak *s)
{
    size_t i = root_asks(s, may_be_admin, kith_node_admin_add, "appointed");

    if (i == NOBODY)
        return false;
    s->machine[i].admin = identity_of(s, i)->appointed = true;
    return true;
}

static bool dismiss(struct soak *s)
{
    size_t i = root_asks(s, may_be_dismissed, kith_node_admin_remove, "dismissed");

    if (i == NOBODY)
        return false;
    s->machine[i].admin = false;
    return true;
}

/* ---- calendars ---- */

static bool jump(struct soak *s)
{
    size_t i = pick(s, soak_is_well);

    if (i == NOBODY)
        return false;
    s->machine[i].wrong = true;
    s->machine[i].sim.wall_offset += (int64_t)soak_below(s, 27 * 86400) - 2 * 86400;
    soak_add(s, some_time(s, 5 * MINUTE, SOAK_HOUR), SOAK_right, i, NOBODY);
    return true;
}

static bool right(struct soak *s, size_t i)
{
    s->machine[i].wrong = false;
    s->machine[i].sim.wall_offset = 0;
    return true;
}

static bool drift(struct soak *s)
{
    size_t i = pick(s, soak_is_well);

    if (i == NOBODY)
        return false;
    s->machine[i].sim.wall_offset = (int64_t)soak_below(s, 5) - 2;
    return true;
}

/* ---- traffic ---- */

static bool burst(struct soak *s)
{
    size_t a = pick(s, soak_is_well), b = pick(s, soak_is_well);
    struct kith_network_info from, to;

    if (a == NOBODY || a == b || !soak_info(s, a, &from) || !soak_info(s, b, &to))
        return false;
    for (uint64_t i = 1 + soak_below(s, 60); i > 0; i--)
        node_sim_send_udp(&s->machine[a].sim, &from.ip4, &to.ip4, 20 + soak_below(s, 1300));
    return true;
}

static bool ping(struct soak *s)
{
    size_t a = pick(s, soak_is_well), b = pick(s, soak_is_well);
    struct soak_machine *m;
    struct kith_node_why why;

    if (a == NOBODY || a == b)
        return false;
    m = &s->machine[a];
    return kith_node_ping(m->sim.node, &s->machine[b].sim.identity.id,
                          1 + (uint32_t)soak_below(s, 8), KITH_SEC / 4, ++m->calls,
                          node_sim_now(&m->sim), &why) == KITH_OK;
}

/* ---- all of it ---- */

static bool happen(struct soak *s, const struct soak_event *e)
{
    switch (e->kind) {
    case SOAK_off: return off(s);
    case SOAK_sleep: return put_to_sleep(s);
    case SOAK_restart: return restart(s);
    case SOAK_move: return move(s);
    case SOAK_cut: return cut(s);
    case SOAK_part: return part(s);
    case SOAK_revoke: return revoke(s);
    case SOAK_leave: return leave(s);
    case SOAK_appoint: return appoint(s);
    case SOAK_dismiss: return dismiss(s);
    case SOAK_jump: return jump(s);
    case SOAK_drift: return drift(s);
    case SOAK_burst: return burst(s);
    case SOAK_ping: return ping(s);
    case SOAK_invite: return invite(s);
    case SOAK_on: return on(s, e->who);
    case SOAK_wake: return wake(s, e->who);
    case SOAK_link: soak_cut(s, e->who, e->whom, -1); return true;
    case SOAK_unpart: part_along(s, e->sides, -1); return true;
    case SOAK_reinstall: return reinstall(s, e->who);
    case SOAK_join: return join(s, e->who);
    case SOAK_joined: return joined(s, e->who);
    case SOAK_right: return right(s, e->who);
    case SOAK_KINDS_N: break;
    }
    return false;
}

static void trace(const struct soak *s, const struct soak_event *e, bool did)
{
    if (getenv("SIM_TRACE") != NULL)
        fprintf(stderr, "%.3f %s%s %zd %zd\n", (double)sim_net_now(s->net) / 1e9,
                soak_kind_text(e->kind), did ? "" : " not", (ssize_t)e->who + 1,
                (ssize_t)e->whom + 1);
}

void soak_happen(struct soak *s)
{
    while (soak_next(s) <= sim_net_now(s->net)) {
        size_t i = first(s);
        struct soak_event e = s->agenda[i];
        s->agenda[i] = s->agenda[--s->n_agenda];
        bool did = happen(s, &e);
        uint64_t *count = did ? s->happened : s->skipped;
        count[e.kind]++;
        trace(s, &e, did);
    }
}
