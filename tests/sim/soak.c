/* soak.c: the machines, the links between them, and rest. See soak.h. */
#include "sim/soak.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/internal.h"
#include "store/query.h"

enum { LOOKS = 12 };
/* A certificate is renewed after 20 days; what a ticket got is kept for 30. */
enum { LIFE_DAYS = 34 };
#define LOOK_AGAIN (37 * KITH_SEC)
#define STEP (10 * KITH_SEC)
#define REST_MAX (40 * 60 * KITH_SEC) /* until all agree and have sessions */
#define SETTLE (15 * 60 * KITH_SEC)   /* old connections end, the paths' MTU is found */
#define SILENCE (5 * 60 * KITH_SEC)   /* until no connection is left */
#define ANEW_MAX (10 * 60 * KITH_SEC)
#define REST (REST_MAX + SETTLE + SILENCE + ANEW_MAX + SETTLE + LOOKS * LOOK_AGAIN)

/* ---- plain questions ---- */

struct kith_now soak_now(const struct soak *s, size_t who)
{
    return node_sim_now(&s->machine[who].sim);
}

uint64_t soak_below(struct soak *s, uint64_t n)
{
    return kith_random_below(sim_net_random(s->net), n);
}

bool soak_is_on(const struct soak *s, size_t i)
{
    return s->machine[i].sim.node != NULL && !s->machine[i].sim.asleep;
}

bool soak_is_well(const struct soak *s, size_t i)
{
    const struct soak_machine *m = &s->machine[i];

    return soak_is_on(s, i) && m->in && !m->busy && !m->wrong;
}

static bool is_linked(const struct soak *s, size_t a, size_t b)
{
    const struct kith_session *session =
        kith_sessions_find(s->machine[a].sim.node->sessions, &s->machine[b].sim.identity.id);

    return session != NULL && kith_session_is_up(session);
}

/* Sessions that answer: what it says in them is heard. */
size_t soak_answering(const struct soak *s, size_t i)
{
    size_t n = 0;

    for (size_t k = 0; k < s->n; k++)
        n += k != i && is_linked(s, i, k) &&
             !kith_session_is_silent(kith_sessions_find(s->machine[i].sim.node->sessions,
                                                        &s->machine[k].sim.identity.id));
    return n;
}

const char *soak_addr(const struct soak *s, size_t i, char text[40])
{
    static const char *const place[SOAK_PLACES] = {"192.0.2", "198.51.100", "203.0.113"};

    return kith_format(text, 40, "%s.%zu:9000", place[s->machine[i].place], i + 1);
}

bool soak_info(const struct soak *s, size_t i, struct kith_network_info *ret)
{
    size_t at = 0;

    return s->machine[i].sim.node != NULL &&
           kith_node_next_network(s->machine[i].sim.node, &at, soak_now(s, i).wall, ret);
}

void soak_fault(struct soak *s, const char *fmt, ...)
{
    char text[160];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (s->faults < SOAK_FAULTS_MAX)
        kith_format(s->fault[s->faults], sizeof s->fault[0], "round %u, day %.1f: %s", s->round,
                    (double)sim_net_now(s->net) / (double)KITH_DAY, text);
    s->faults++;
    if (getenv("KITH_SOAK_TRACE") != NULL)
        fprintf(stderr, "day %.1f: %s\n", (double)sim_net_now(s->net) / (double)KITH_DAY, text);
}

void soak_wait(struct soak *s, kith_dur d)
{
    (void)node_sims_run(s->all, s->n, NULL, NULL, d);
}

void soak_cut(struct soak *s, size_t a, size_t b, int by)
{
    if (a == b)
        return;
    s->cut[a][b] += (unsigned)by;
    s->cut[b][a] = s->cut[a][b];
    struct sim_link l = {.delay = 10 * KITH_MSEC, .cut = s->cut[a][b] > 0};
    if (!s->calm) {
        l.jitter = 5 * KITH_MSEC;
        l.loss_ppm = 1000;
    }
    sim_net_link(s->net, s->machine[a].sim.host, s->machine[b].sim.host, &l);
}

/* ---- life ---- */

void soak_kill(struct soak *s, size_t i)
{
    struct soak_machine *m = &s->machine[i];

    node_sim_kill(&m->sim);
    size_t live = m->memory.lab.live - (m->sim.store->kept != NULL ? 1 : 0);
    if (live > m->bare)
        soak_fault(s, "machine %zu lost %zu blocks of memory", i + 1, live - m->bare);
    m->bare = live; /* told once */
    m->history = 0; /* what is read from the store is judged as a whole */
}

static void add_machine(struct soak *s, size_t i)
{
    struct soak_machine *m = &s->machine[i];
    struct kith_sign_seed key;
    char text[40];

    kith_format(m->name, sizeof m->name, "machine-%zu", i + 1);
    m->steady = i % 3 == 0; /* the root among them */
    soak_alloc_init(&m->memory);
    soak_new_identity(s, i, &key);
    node_sim_init_with(&m->sim, s->net, m->name, soak_addr(s, i, text), &key, &m->memory.alloc);
    s->identity[m->identity].id = m->sim.identity.id;
    s->all[i] = &m->sim;
    node_sim_kill(&m->sim);
    m->bare = m->memory.lab.live - (m->sim.store->kept != NULL ? 1 : 0);
    if (node_sim_try_start(&m->sim) < 0)
        abort();
}

static void create(struct soak *s)
{
    struct kith_prefix range;
    struct kith_node_why why;

    if (kith_prefix_parse("100.80.0.0/16", &range) < 0 ||
        kith_node_network_create(s->machine[0].sim.node, "home", &range, soak_now(s, 0), &s->home,
                                 &why) < 0)
        abort();
    s->machine[0].in = true;
    s->machine[0].admin = s->identity[0].appointed = true;
}

struct soak *soak_new(uint64_t seed, size_t nodes, unsigned days)
{
    struct soak *s = calloc(1, sizeof *s);

    if (s == NULL)
        abort();
    s->seed = seed;
    s->days = days;
    s->net = sim_net_new(seed);
    for (s->n = 0; s->n < nodes; s->n++)
        add_machine(s, s->n);
    for (size_t a = 0; a < s->n; a++)
        for (size_t b = 0; b < a; b++)
            soak_cut(s, a, b, 0);
    create(s);
    for (size_t i = 1; i < s->n; i++)
        soak_enrol(s, i);
    return s;
}

void soak_free(struct soak *s)
{
    for (size_t i = 0; i < s->n; i++)
        node_sim_fini(&s->machine[i].sim);
    sim_net_free(s->net);
    free(s);
}

/* ---- rest ---- */

/* The same for equal sets of objects, in whatever order they are walked. */
static uint64_t sum_of_view(const struct soak *s, size_t i)
{
    const struct node_network *net = network_by_id(s->machine[i].sim.node, &s->home.id);
    struct kith_digest_item item;
    uint64_t sum = 0, part;
    size_t at = 0;

    kith_wall now = node_sim_now(&s->machine[i].sim).wall;
    while (net != NULL && kith_netview_next_digest(net->view, &at, now, &item)) {
        memcpy(&part, item.key.b, sizeof part);
        sum += (part | 1) * (item.number * 2 + 1);
    }
    return sum;
}

static bool is_whole(void *ctx)
{
    const struct soak *s = ctx;

    for (size_t i = 0; i < s->n; i++) {
        struct kith_network_info info;
        if (!soak_is_well(s, i) || !soak_info(s, i, &info) || info.members != s->n ||
            info.admin != s->machine[i].admin)
            return false;
        for (size_t k = 0; k < s->n; k++)
            if (k != i && !is_linked(s, i, k))
                return false;
    }
    for (size_t i = 1; i < s->n; i++)
        if (sum_of_view(s, i) != sum_of_view(s, 0))
            return false;
    return true;
}

static void tell_what_lacks(struct soak *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct kith_network_info info = {.members = 0};
        size_t up = 0;
        if (!soak_is_well(s, i) || !soak_info(s, i, &info))
            soak_fault(s, "machine %zu is not in the network", i + 1);
        for (size_t k = 0; soak_is_on(s, i) && k < s->n; k++)
            up += k != i && is_linked(s, i, k) ? 1 : 0;
        if (up + 1 < s->n || info.members != s->n)
            soak_fault(s, "machine %zu sees %zu members, has %zu sessions", i + 1, info.members,
                       up);
        else if (info.admin != s->machine[i].admin)
            soak_fault(s, "machine %zu is mistaken about its office", i + 1);
        else if (sum_of_view(s, i) != sum_of_view(s, 0))
            soak_fault(s, "machine %zu holds other objects than the root", i + 1);
    }
}

/* Whether a packet of a comes out at b. */
static bool reaches(struct soak *s, size_t a, size_t b)
{
    struct kith_network_info from, to;
    uint64_t before = s->machine[b].sim.tun_packets;

    if (!soak_info(s, a, &from) || !soak_info(s, b, &to))
        return false;
    for (int tries = 0; tries < 20 && s->machine[b].sim.tun_packets == before; tries++) {
        node_sim_send_udp(&s->machine[a].sim, &from.ip4, &to.ip4, 100);
        soak_wait(s, 50 * KITH_MSEC);
    }
    return s->machine[b].sim.tun_packets > before;
}

static void all_reach_each_other(struct soak *s)
{
    for (size_t a = 0; a < s->n; a++)
        for (size_t b = 0; b < s->n; b++)
            if (a != b && !reaches(s, a, b))
                soak_fault(s, "no packet from machine %zu to machine %zu", a + 1, b + 1);
}

/* What is held for a moment only is not there in one of the looks. */
static void count_rest(struct soak *s)
{
    struct soak_sample *least = &s->rest[s->round], now;

    soak_count(s, least);
    for (int look = 1; look < LOOKS; look++) {
        soak_wait(s, LOOK_AGAIN);
        soak_count(s, &now);
        for (size_t i = 0; i < SOAK_SERIES_N; i++)
            if (now.v[i] < least->v[i])
                least->v[i] = now.v[i];
    }
}

static void come_to_rest(struct soak *s, kith_dur limit)
{
    kith_time end = kith_after(sim_net_now(s->net), limit);

    while (sim_net_now(s->net) < end && !(s->n_agenda == 0 && is_whole(s))) {
        soak_wait(s, STEP);
        soak_happen(s);
    }
    soak_wait(s, SETTLE);
    if (s->n_agenda > 0 || !is_whole(s))
        tell_what_lacks(s);
}

static void cut_all(struct soak *s, int by)
{
    for (size_t a = 0; a < s->n; a++)
        for (size_t b = 0; b < a; b++)
            soak_cut(s, a, b, by);
}

/* A connection keeps room for the most it ever had under way, so that only young ones compare, with
 * which nothing went wrong. */
static void connect_anew(struct soak *s)
{
    kith_dur awake = s->days * KITH_DAY, all = LIFE_DAYS * KITH_DAY;

    s->calm = true;
    cut_all(s, 1);
    soak_wait(s, SILENCE);
    cut_all(s, -1);
    if (awake < all)
        soak_sleep(s, (all - awake) / SOAK_ROUNDS);
    come_to_rest(s, ANEW_MAX);
}

static void rest(struct soak *s)
{
    struct soak_sample aged;

    soak_hasten(s);
    come_to_rest(s, REST_MAX);
    all_reach_each_other(s);
    soak_count(s, &aged);
    connect_anew(s);
    count_rest(s);
    s->rest[s->round].v[SOAK_S_aged_bytes] = aged.v[SOAK_S_rest_bytes];
    s->rest[s->round].v[SOAK_S_aged_blocks] = aged.v[SOAK_S_rest_blocks];
    s->calm = false;
    cut_all(s, 0);
    soak_judge_tables(s, true);
}

/* ---- rounds ---- */

static void note_most(struct soak *s)
{
    struct soak_sample now;

    soak_count(s, &now);
    for (size_t i = 0; i < SOAK_SERIES_N; i++)
        if (now.v[i] > s->most[s->round].v[i])
            s->most[s->round].v[i] = now.v[i];
    s->samples++;
    soak_judge_tables(s, false);
}

static void churn(struct soak *s, kith_dur active)
{
    kith_time end = kith_after(sim_net_now(s->net), active);
    kith_time sample_at = sim_net_now(s->net);

    soak_plan(s, active);
    while (sim_net_now(s->net) < end) {
        kith_time next = kith_sooner(kith_sooner(soak_next(s), sample_at), end);
        if (next > sim_net_now(s->net))
            soak_wait(s, next - sim_net_now(s->net));
        soak_happen(s);
        if (sim_net_now(s->net) < sample_at)
            continue;
        note_most(s);
        sample_at = kith_after(sim_net_now(s->net), SOAK_HOUR);
    }
}

void soak_run(struct soak *s)
{
    kith_dur each = s->days * KITH_DAY / SOAK_ROUNDS;
    kith_time begun = sim_net_now(s->net);

    for (s->round = 0; s->round < SOAK_ROUNDS; s->round++) {
        churn(s, each - REST);
        rest(s);
        kith_time end = begun + s->slept + (s->round + 1) * each;
        if (sim_net_now(s->net) < end)
            soak_wait(s, end - sim_net_now(s->net));
        if (getenv("KITH_SOAK_TRACE") != NULL)
            fprintf(stderr, "round %u ends, %.0f s\n", s->round, (double)clock() / CLOCKS_PER_SEC);
    }
    s->round--;
    for (size_t i = 0; i < s->n; i++)
        soak_kill(s, i);
    soak_judge_growth(s);
}
