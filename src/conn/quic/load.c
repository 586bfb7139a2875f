/* load.c: what strangers cost and how many are under way, in all and per source network.
 *
 * Thread time is charged, not measured: each kind of work has its price, and it is paid before the
 * work is done. There is one bucket for all strangers. Work that matters less may not draw it below
 * a higher floor, so that a flood of one kind leaves time for the kinds that matter more: first
 * goes whatever is done on trust, then asking for proofs, last who brought one. A network that
 * sends more datagrams than its share comes behind the others. Known sources that proved their
 * address have a second bucket, so that no stranger can keep a member out. */
#include "conn/quic/internal.h"

/* What may be spent in one go, and so how long strangers can delay members' packets at once. */
#define BURST (20 * KITH_MSEC)

/* Datagrams of one network: a handshake takes 7, so 200 a second are more than its handshakes need,
 * 40 at once. */
#define DATAGRAM_PART (5 * KITH_MSEC)
static const struct budget_rule datagrams_rule = {.most = 40 * DATAGRAM_PART, .share = 100};

/* Floors of the buckets of thread time, in eighths. */
enum { FLOOR_ON_TRUST = 4, FLOOR_GREEDY = 3, FLOOR_ANSWER = 2, FLOOR_PROVED = 0, EIGHTHS = 8 };

/* ---- costs ---- */

int load_init(struct kith_quic *q)
{
    q->costs.rule = (struct budget_rule){.most = BURST, .share = q->cfg.stranger_share};
    q->costs.handshakes = (struct budget_rule){.most = KITH_SEC, .share = 100};
    return rates_init(&q->costs.networks, q->env->alloc, q->env->random);
}

void load_fini(struct kith_quic *q)
{
    rates_fini(&q->costs.networks, q->env->alloc);
}

static kith_dur eighths(const struct kith_quic *q, unsigned n)
{
    return q->costs.rule.most * n / EIGHTHS;
}

static bool is_known(const struct kith_quic *q, const struct kith_addr *from, kith_time now)
{
    return q->cfg.known != NULL && q->cfg.known(q->cfg.known_ctx, from, now);
}

/* The buckets of its network, out of which this datagram is taken. */
static struct network_rates *count_datagram(struct kith_quic *q, const struct kith_addr *from,
                                            kith_time now, bool *ret_greedy)
{
    struct network_rates *n = rates_get(&q->costs.networks, &from->ip);

    *ret_greedy = !budget_take(&n->datagrams, &datagrams_rule, DATAGRAM_PART, 0, now);
    return n;
}

bool load_source(struct kith_quic *q, const struct kith_path *path, kith_time now,
                 struct source *ret)
{
    struct source s = {.known = is_known(q, &path->remote, now)};

    if (!s.known && budget_left(&q->costs.all, &q->costs.rule, now) == 0)
        return false;
    s.network = count_datagram(q, &path->remote, now, &s.greedy);
    *ret = s;
    return true;
}

static unsigned floor_of(enum work w)
{
    switch (w) {
    case WORK_ON_TRUST: return FLOOR_ON_TRUST;
    case WORK_ANSWER: return FLOOR_ANSWER;
    case WORK_PROVED: return FLOOR_PROVED;
    }
    return FLOOR_ON_TRUST;
}

bool load_pay(struct kith_quic *q, const struct source *s, enum work w, kith_dur cost,
              kith_time now)
{
    struct stranger_costs *k = &q->costs;
    unsigned floor = floor_of(w);

    if (s->greedy && floor < FLOOR_GREEDY)
        floor = FLOOR_GREEDY;
    if (budget_take(&k->all, &k->rule, cost, eighths(q, floor), now))
        return true;
    /* who merely names a member's address gets no further than being asked for a proof */
    return s->known && w != WORK_ON_TRUST &&
           budget_take(&k->known, &k->rule, cost, eighths(q, floor_of(w)), now);
}

/* What one handshake takes out of its network's bucket, which holds a second. */
static kith_dur handshake_part(const struct kith_quic *q)
{
    return KITH_SEC / q->cfg.handshakes_per_second;
}

bool load_trusts(const struct kith_quic *q, const struct source *s, kith_time now)
{
    const struct stranger_costs *k = &q->costs;

    return budget_left(&k->all, &k->rule, now) > eighths(q, FLOOR_ON_TRUST) &&
           budget_left(&s->network->handshakes, &k->handshakes, now) > k->handshakes.most / 2;
}

/* Whether a member may well be there: nothing but its own haste keeps it out. */
static bool is_welcome(const struct source *s)
{
    return s->known && s->proved;
}

bool load_below_rate(const struct kith_quic *q, const struct source *s, kith_time now)
{
    return is_welcome(s) || budget_left(&s->network->handshakes, &q->costs.handshakes, now) > 0;
}

void load_count_handshake(struct kith_quic *q, const struct source *s, kith_time now)
{
    (void)budget_take(&s->network->handshakes, &q->costs.handshakes, handshake_part(q), 0, now);
}

void load_shed(struct kith_quic *q, const struct kith_addr *from, kith_time now)
{
    q->count.shed++;
    q->costs.untold++;
    if (now < q->costs.told_at)
        return;
    kith_event_strangers_shed(q->env->events, q->costs.untold, from);
    q->costs.untold = 0;
    q->costs.told_at = kith_after(now, KITH_SEC);
}

bool load_may_read(struct kith_conn *c, const struct kith_path *path, kith_time now)
{
    struct source s = {.known = false};

    if (!c->counted)
        return true;
    s.network = count_datagram(c->q, &path->remote, now, &s.greedy);
    bool own = memcmp(s.network->key, c->prefix, NETWORK_KEY) == 0;
    if ((own && !s.greedy) || load_pay(c->q, &s, WORK_PROVED, c->q->cfg.prices.initial, now))
        return true;
    load_shed(c->q, &path->remote, now);
    return false;
}

/* ---- handshakes under way ---- */

/* The map's values are counts, never 0, in the shape of pointers. */
static size_t count_of(const struct kith_quic *q, const uint8_t key[NETWORK_KEY])
{
    return (size_t)(uintptr_t)kith_map_find(&q->prefixes, key);
}

size_t load_most_handshakes(const struct kith_quic *q)
{
    return q->cfg.handshakes_max + q->cfg.handshakes_max / 4;
}

bool load_admits(const struct kith_quic *q, const struct source *s, const char **ret_full)
{
    size_t most = is_welcome(s) ? load_most_handshakes(q) : q->cfg.handshakes_max;

    if (q->n_handshakes >= most)
        *ret_full = "the table of handshakes";
    else if (q->n_conns >= q->cfg.connections_max)
        *ret_full = "the table of connections";
    else if (!is_welcome(s) && count_of(q, s->network->key) >= q->cfg.handshakes_per_prefix)
        *ret_full = "its network's share of handshakes";
    else
        return true;
    return false;
}

int load_begin(struct kith_conn *c, const struct kith_path *path)
{
    struct kith_quic *q = c->q;

    network_key(&path->remote.ip, c->prefix);
    size_t count = count_of(q, c->prefix) + 1;
    int err = kith_map_put(&q->prefixes, c->prefix, (void *)(uintptr_t)count);
    if (err < 0)
        return err;
    q->n_handshakes++;
    c->counted = true;
    return KITH_OK;
}

void load_end(struct kith_conn *c)
{
    struct kith_quic *q = c->q;

    if (!c->counted)
        return;
    c->counted = false;
    q->n_handshakes--;
    size_t count = count_of(q, c->prefix) - 1;
    if (count == 0)
        (void)kith_map_take(&q->prefixes, c->prefix);
    else if (kith_map_put(&q->prefixes, c->prefix, (void *)(uintptr_t)count) < 0)
        (void)kith_map_take(&q->prefixes, c->prefix); /* replacing takes no memory: not reached */
    if (q->prefixes.n == 0)
        kith_map_fini(&q->prefixes); /* what a flood made it grow to goes with the flood */
}
