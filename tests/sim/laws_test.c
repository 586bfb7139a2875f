/* Lives of towns of whole nodes, each from a seed: who hears whom, over what links, and what
 * happens to them; and the laws (laws.h) that hold all the while.
 *
 * A town lives through a storm of cuts, partitions, power failures and moves, in every third life
 * with a member that floods the others; then all is mended but for those that are gone for good,
 * and it must find together again. 20 seeds in the ordinary run, KITH_SEEDS says how many,
 * KITH_SEED which is the first; by itself it is the only one, and its life is told as it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/dice.h"
#include "sim/laws.h"
#include "sim/vandal.h"
#include "unit/base_lab.h"

enum {
    SEEDS = 20,
    NODES_MIN = 8,
    NODES_MAX = 14,
    VANDALS = 3,  /* one life of so many has one */
    GONE_MAX = 2, /* nodes that vanish for good */
    EVENTS = 4,   /* one second of so many has one */
    SENDS = 3,    /* packets in a tick, at most */
};
#define TICK (100 * KITH_MSEC)
#define VANDAL_TICK (20 * KITH_MSEC)
#define LOOK (200 * KITH_MSEC)
#define STORM (45 * KITH_SEC)
/* So long after the storm all reach each other at the latest. Most do within 15 s; a connection
 * that was cut off for half a minute tries ever less often, and is given up after 60 s. */
#define MEET_AGAIN (30 * KITH_SEC) /* until two that were apart have told each other where they are */
#define REACH (75 * KITH_SEC)
#define FORGOTTEN (KITH_MESH_IDLE + 5 * KITH_SEC)
#define QUIET (REACH + 20 * KITH_SEC) /* after the storm in all */

static struct life {
    struct town t;
    struct laws laws;
    struct vandal vandal;
    struct lab_dice dice;
    bool told; /* what happens is printed */
    bool stormy, has_vandal;
    size_t n_gone;
    bool hear[TOWN_MAX][TOWN_MAX]; /* when nothing is cut */
    struct sim_link link[TOWN_MAX][TOWN_MAX];
    kith_time mend_at[TOWN_MAX][TOWN_MAX]; /* KITH_NEVER: it is not cut */
    kith_time start_at[TOWN_MAX];          /* KITH_NEVER: it runs, or never will */
    bool spared[TOWN_MAX];                 /* the vandal says nothing of these */
    unsigned moves;
    kith_time moved_at[TOWN_MAX];           /* KITH_NEVER: it did not */
    kith_time cut_at[TOWN_MAX][TOWN_MAX];   /* when their link was cut last */
    kith_time whole_at[TOWN_MAX][TOWN_MAX]; /* and was there again */
    kith_time look_at, event_at;
} life;

static size_t below(size_t n)
{
    return lab_below(&life.dice, n);
}

static kith_dur between(kith_dur least, kith_dur most)
{
    return least + kith_random_below(&life.dice.random, most - least);
}

static kith_time now(void)
{
    return sim_net_now(life.t.net);
}

static void KITH_PRINTF(1, 2) tell(const char *fmt, ...)
{
    va_list ap;

    if (!life.told)
        return;
    printf("# %8.3f ", (double)now() / 1e9);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* ---- who hears whom ---- */

static bool runs(size_t who)
{
    return life.t.node[who].node != NULL;
}

static void set_link(size_t a, size_t b, bool cut)
{
    struct sim_link l = life.link[a][b];

    l.cut = cut || !life.hear[a][b];
    sim_net_link(life.t.net, life.t.node[a].host, life.t.node[b].host, &l);
}

static void join_up(size_t a, size_t b)
{
    life.hear[a][b] = life.hear[b][a] = true;
}

/* Each hears one of those before it, so that all are joined; and the first while it is let in. */
static void place(struct town *t, size_t who, bool in)
{
    if (!in)
        join_up(below(who), who);
    for (size_t i = 0; i < who; i++)
        town_hear(t, i, who, life.hear[i][who] || (i == 0 && !in));
}

static struct sim_link some_link(void)
{
    struct sim_link l = {.delay = between(KITH_MSEC, 100 * KITH_MSEC)};

    if (below(2) == 0)
        l.jitter = between(1, 30 * KITH_MSEC);
    if (below(3) == 0)
        l.rate = 2000000 + below(50000000);
    if (below(2) == 0)
        l.loss_ppm = (unsigned)below(40000);
    if (below(3) == 0)
        l.burst = 2 + (unsigned)below(4);
    if (below(3) == 0)
        l.dup_ppm = (unsigned)below(20000);
    if (below(3) == 0) {
        l.reorder_ppm = (unsigned)below(50000);
        l.reorder_by = between(KITH_MSEC, 40 * KITH_MSEC);
    }
    return l;
}

/* As many again as there are, over links of all kinds. */
static void draw_links(void)
{
    size_t n = life.t.n;

    for (size_t i = 0; i < n / 2; i++) {
        size_t a = below(n), b = below(n);
        if (a != b)
            join_up(a, b);
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < a; b++) {
            life.link[a][b] = life.link[b][a] = some_link();
            set_link(a, b, false);
        }
}

static void spread(bool *seen, const bool *in, size_t from)
{
    seen[from] = true;
    for (size_t i = 0; i < life.t.n; i++)
        if (in[i] && !seen[i] && life.hear[from][i])
            spread(seen, in, i);
}

/* Whether those that are there for good would be joined without `who`. */
static bool can_spare(size_t who)
{
    bool in[TOWN_MAX] = {false}, seen[TOWN_MAX] = {false};
    size_t first = life.t.n;

    for (size_t i = life.t.n; i-- > 0;) {
        in[i] = i != who && life.laws.gone_at[i] == KITH_NEVER &&
                !(life.has_vandal && i == life.vandal.who);
        first = in[i] ? i : first;
    }
    spread(seen, in, first);
    return memcmp(seen, in, sizeof in) == 0;
}

/* ---- what happens ---- */

static void cut(size_t a, size_t b, kith_time mend_at)
{
    if (!life.hear[a][b] || life.mend_at[a][b] != KITH_NEVER)
        return;
    life.mend_at[a][b] = life.mend_at[b][a] = mend_at;
    life.cut_at[a][b] = life.cut_at[b][a] = now();
    set_link(a, b, true);
    laws_stirred(&life.laws);
}

static void a_link_is_cut(void)
{
    size_t a = below(life.t.n), b = below(life.t.n);
    kith_time mend_at = now() + between(KITH_SEC, 30 * KITH_SEC);

    for (size_t i = 0; i < life.t.n && !life.hear[a][b]; i++)
        b = (b + 1) % life.t.n;
    tell("%s and %s are cut until %.3f", life.t.name[a], life.t.name[b], (double)mend_at / 1e9);
    cut(a, b, mend_at);
}

static void the_town_falls_in_two(void)
{
    kith_time mend_at = now() + between(5 * KITH_SEC, 40 * KITH_SEC);
    bool left[TOWN_MAX];

    for (size_t i = 0; i < life.t.n; i++)
        left[i] = below(2) == 0;
    tell("the town falls in two until %.3f", (double)mend_at / 1e9);
    for (size_t a = 0; a < life.t.n; a++)
        for (size_t b = 0; b < a; b++)
            if (left[a] != left[b])
                cut(a, b, mend_at);
}

static void stop(size_t who, kith_time start_at)
{
    node_sim_kill(&life.t.node[who]);
    life.start_at[who] = start_at;
    laws_killed(&life.laws, who, start_at == KITH_NEVER);
}

static void one_fails(void)
{
    size_t who = below(life.t.n);
    kith_time start_at = now() + between(KITH_MSEC, 30 * KITH_SEC);

    if (!runs(who))
        return;
    tell("%s fails until %.3f", life.t.name[who], (double)start_at / 1e9);
    stop(who, start_at);
}

static void one_vanishes(void)
{
    size_t who = below(life.t.n);

    if (!runs(who) || life.n_gone == GONE_MAX || !can_spare(who))
        return;
    tell("%s vanishes", life.t.name[who]);
    life.n_gone++;
    life.spared[who] = true;
    stop(who, KITH_NEVER);
}

/* Whether two that hear each other have been apart lately, and the other has moved since. Where
 * both ends of the only link between two parts move while they are apart, neither is where the
 * other looks for it: that takes somebody who tells them, and there is nobody. */
static bool would_be_lost(size_t who)
{
    for (size_t i = 0; i < life.t.n; i++) {
        bool apart = life.mend_at[who][i] != KITH_NEVER ||
                     kith_since(now(), life.whole_at[who][i]) < MEET_AGAIN;
        if (life.hear[who][i] && apart && life.moved_at[i] != KITH_NEVER &&
            life.moved_at[i] >= life.cut_at[who][i])
            return true;
    }
    return false;
}

static void one_moves(void)
{
    size_t who = below(life.t.n);
    char addr[40];

    if (!runs(who) || would_be_lost(who))
        return;
    life.moved_at[who] = now();
    kith_format(addr, sizeof addr, "198.19.%zu.%u:9000", who + 1, ++life.moves);
    tell("%s moves to %s", life.t.name[who], addr);
    node_sim_move(&life.t.node[who], addr);
    laws_stirred(&life.laws);
}

static void a_link_is_another(void)
{
    size_t a = below(life.t.n), b = below(life.t.n);

    if (!life.hear[a][b] || life.mend_at[a][b] != KITH_NEVER)
        return;
    tell("%s and %s have another link", life.t.name[a], life.t.name[b]);
    life.link[a][b] = life.link[b][a] = some_link();
    set_link(a, b, false);
    laws_stirred(&life.laws);
}

static void something_happens(void)
{
    static void (*const events[])(void) = {a_link_is_cut, a_link_is_cut,    the_town_falls_in_two,
                                           one_fails,     one_fails,        one_vanishes,
                                           one_moves,     a_link_is_another};

    events[below(sizeof events / sizeof *events)]();
}

/* What was cut or failed and is due; all of it when the storm is over. */
static void mend(bool all)
{
    for (size_t a = 0; a < life.t.n; a++)
        for (size_t b = 0; b < a; b++)
            if (life.mend_at[a][b] != KITH_NEVER && (all || life.mend_at[a][b] <= now())) {
                life.mend_at[a][b] = life.mend_at[b][a] = KITH_NEVER;
                life.whole_at[a][b] = life.whole_at[b][a] = now();
                set_link(a, b, false);
                laws_stirred(&life.laws);
            }
    for (size_t i = 0; i < life.t.n; i++)
        if (life.start_at[i] != KITH_NEVER && (all || life.start_at[i] <= now())) {
            life.start_at[i] = KITH_NEVER;
            assert_int_equal(node_sim_try_start(&life.t.node[i]), KITH_OK);
            laws_started(&life.laws, i);
        }
}

/* ---- time ---- */

static void talk(void)
{
    for (size_t n = below(SENDS + 1); n > 0; n--) {
        size_t a = below(life.t.n), b = below(life.t.n);
        if (a != b)
            laws_send(&life.laws, a, b);
    }
}

static void pass_tick(void)
{
    kith_time end = now() + TICK;

    while (life.has_vandal && life.stormy && now() < end) {
        vandal_act(&life.vandal, life.spared);
        town_wait(&life.t, VANDAL_TICK);
    }
    if (now() < end)
        town_wait(&life.t, end - now());
}

static void tick(void)
{
    mend(false);
    if (life.stormy && now() >= life.event_at) {
        life.event_at = now() + KITH_SEC;
        if (below(EVENTS) == 0)
            something_happens();
    }
    talk();
    pass_tick();
    if (now() >= life.look_at) {
        (void)laws_look(&life.laws);
        life.look_at = now() + LOOK;
    }
}

static void live_until(kith_time end)
{
    while (now() < end && !life.laws.broken)
        tick();
}

static void live_for(kith_dur d)
{
    live_until(now() + d);
}

/* ---- a life ---- */

static void let_vandal_in(void)
{
    size_t who = life.t.n - 1, victims[VANDAL_VICTIMS], n = 1 + below(VANDAL_VICTIMS);
    const struct sim_link near = {.delay = 5 * KITH_MSEC};

    victims[0] = below(who);
    for (size_t i = 1; i < n; i++)
        victims[i] = (victims[0] + i) % who;
    vandal_begin(&life.vandal, &life.t, who, victims, n, &near, &life.dice.random);
    life.has_vandal = true;
    life.laws.honest = false;
    life.spared[who] = true;
    laws_killed(&life.laws, who, false);
    tell("%s goes mad", life.t.name[who]);
}

static void begin(uint64_t seed)
{
    memset(&life, 0, sizeof life);
    life.told = getenv("KITH_SEED") != NULL && getenv("KITH_SEEDS") == NULL;
    lab_seed(&life.dice, seed);
    sim_dice(seed);
    for (size_t a = 0; a < TOWN_MAX; a++) {
        life.start_at[a] = life.moved_at[a] = KITH_NEVER;
        for (size_t b = 0; b < TOWN_MAX; b++)
            life.mend_at[a][b] = KITH_NEVER;
    }
    town_up_placed(&life.t, seed, NODES_MIN + below(NODES_MAX - NODES_MIN + 1), place);
    laws_begin(&life.laws, &life.t);
    draw_links();
}

static void end_storm(void)
{
    life.stormy = false;
    mend(true);
    if (life.has_vandal) {
        vandal_silence(&life.vandal);
        laws_killed(&life.laws, life.vandal.who, true);
    }
    tell("the storm is over");
}

/* Who does not reach whom is asked for twice a second. Those that one sent away in the storm have
 * their time from when that is over. */
static void find_together(kith_dur *ret_took)
{
    kith_time from = now(), limit = from + REACH, apart;

    laws_want_all(&life.laws);
    while (laws_wanting(&life.laws) > 0 && now() < limit && !life.laws.broken) {
        laws_ask(&life.laws);
        live_for(KITH_SEC / 2);
        apart = laws_apart_until(&life.laws);
        limit = apart + REACH > limit ? apart + REACH : limit;
        limit = limit < from + QUIET ? limit : from + QUIET;
    }
    *ret_took = now() - from;
    if (laws_wanting(&life.laws) > 0 && !life.laws.broken)
        laws_complain(&life.laws);
}

static bool live(uint64_t seed)
{
    kith_dur took = 0;
    kith_time over;

    begin(seed);
    live_for(10 * KITH_SEC);
    if (seed % VANDALS == 0)
        let_vandal_in();
    life.stormy = true;
    live_for(STORM);
    end_storm();
    over = now();
    find_together(&took);
    live_until(over + FORGOTTEN); /* what a vandal began is led another way until then */
    life.laws.honest = true;
    live_until(over + QUIET);
    print_message("  %u nodes%s, %u gone; together after %.1f s; %u packets came\n",
                  (unsigned)life.t.n, life.has_vandal ? ", a vandal" : "", (unsigned)life.n_gone,
                  (double)took / 1e9, (unsigned)life.laws.arrived);
    bool whole = !life.laws.broken;
    if (life.has_vandal)
        vandal_end(&life.vandal);
    town_down(&life.t);
    return whole;
}

static void the_laws_hold_whatever_happens(void **state)
{
    const char *wanted = getenv("KITH_SEEDS"), *given = getenv("KITH_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1;
    uint64_t count = wanted != NULL ? strtoull(wanted, NULL, 10) : given != NULL ? 1 : SEEDS;
    unsigned failed = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count; seed++)
        if (!live(seed)) {
            failed++;
            print_message("  again: KITH_SEED=%u build/tests/sim/laws_test\n", (unsigned)seed);
        }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_laws_hold_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
