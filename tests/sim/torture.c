#include "sim/torture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"

enum {
    TRIES = 5,         /* a person's patience, a second or more apart */
    LONGEST_RUN = 100, /* requests for memory that fail in a row */
    PATIENCE = 60,     /* seconds of real time a telling may take before it counts as hanging */
    TOLD_MAX = 12,     /* bad tellings that are printed */
};
#define SHORTAGE (10 * KITH_SEC)
#define RECOVERY (90 * KITH_SEC)      /* sessions and packets */
#define CONVERGENCE (700 * KITH_SEC) /* facts: digests are compared every 300 s; one may fail */
#define TICK (100 * KITH_MSEC)

/* ---- the victim's memory ---- */

bool torture_is_over(struct torture *t)
{
    kith_time now = sim_net_now(t->w.net);

    if (t->src->failed(t) == 0)
        t->shortage_ends = kith_after(now, SHORTAGE);
    return now > t->shortage_ends;
}

void *torture_resize(struct torture *t, struct lab_alloc *lab, void *p, size_t n)
{
    if (torture_is_over(t))
        lab->fail_at = 0;
    return lab->alloc.resize(lab, p, n);
}

static void *scarce_resize(void *ctx, void *p, size_t n)
{
    struct torture *t = ctx;

    return torture_resize(t, &t->lab, p, n);
}

static void memory_arm(struct torture *t, uint64_t n, uint64_t run)
{
    t->lab.fail_at = n == 0 ? 0 : t->lab.requests + n;
    t->lab.fail_run = run;
}

static uint64_t memory_asked(const struct torture *t)
{
    return t->lab.requests;
}

static uint64_t memory_failed(const struct torture *t)
{
    return t->lab.failed;
}

const struct torture_source torture_memory = {.name = "memory",
                                              .arm = memory_arm,
                                              .asked = memory_asked,
                                              .failed = memory_failed,
                                              .is_told = true};

/* ---- waiting and asking ---- */

static bool eventually(struct torture *t, bool (*is)(struct torture *t), kith_dur limit)
{
    kith_time end = sim_net_now(t->w.net) + limit;

    while (!is(t)) {
        if (sim_net_now(t->w.net) >= end)
            return false;
        world_wait(&t->w, TICK);
    }
    return true;
}

static void must(struct torture *t, bool (*is)(struct torture *t), kith_dur limit, const char *what)
{
    if (!eventually(t, is, limit))
        fail_msg("not within %d s: %s", (int)(limit / KITH_SEC), what);
}

/* Asks until it is done, as a person would who reads the error and tries again. While failures go
 * on, nobody can expect anything. */
static void insist(struct torture *t, int (*ask)(struct torture *t), const char *what)
{
    int err = KITH_OK;

    for (int i = 0; i < TRIES;) {
        err = ask(t);
        if (err >= 0)
            return;
        if ((err == KITH_E_MALFORMED || err == KITH_E_AUTH) && t->src->failed(t) > 0)
            fail_msg("%s: what runs short here is blamed on the bytes: %s", what,
                     kith_err_name(err));
        t->refused++;
        i += t->src->asked(t) >= t->armed_until ||
             (t->src->failed(t) > 0 && sim_net_now(t->w.net) > t->shortage_ends);
        world_wait(&t->w, KITH_SEC);
    }
    fail_msg("%s: still %s", what, kith_err_name(err));
}

static struct kith_now now_of(const struct torture *t, size_t who)
{
    return node_sim_now(&t->w.node[who]);
}

static struct kith_node *node(const struct torture *t, size_t who)
{
    return t->w.node[who].node;
}

static bool is_in(const struct torture *t, size_t who)
{
    struct kith_network_info info;
    size_t at = 0;

    return node(t, who) != NULL &&
           kith_node_next_network(node(t, who), &at, now_of(t, who).wall, &info) &&
           info.standing == KITH_STANDING_MEMBER;
}

static bool sees(const struct torture *t, size_t who, size_t members)
{
    struct kith_network_info info;
    size_t at = 0;

    return kith_node_next_network(node(t, who), &at, now_of(t, who).wall, &info) &&
           info.members == members;
}

static bool all_agree(struct torture *t)
{
    size_t n = 0;

    for (size_t i = 0; i < WORLD_N; i++)
        n += is_in(t, i);
    for (size_t i = 0; i < WORLD_N; i++)
        if (is_in(t, i) && !sees(t, i, n) && !(t->forgiven && sees(t, i, n + 1)))
            return false;
    return true;
}

/* Packets pass between all members, both ways, and all know of all. */
static void must_be_whole(struct torture *t)
{
    must(t, all_agree, CONVERGENCE, "all members know of each other");
    for (int x = 0; x < WORLD_N; x++)
        for (int y = 0; y < WORLD_N; y++)
            if (x != y && is_in(t, (size_t)x) && is_in(t, (size_t)y) &&
                !world_reaches(&t->w, x, y, (x + y) % 2 != 0, RECOVERY))
                fail_msg("no packet from %s to %s in time", world_name[x], world_name[y]);
}

/* ---- the story ---- */

static int ask_start(struct torture *t)
{
    return node_sim_try_start(&t->w.node[t->starts]);
}

/* Its node dies without a word and starts again. */
static void start_again(struct torture *t, size_t who)
{
    kith_node_free(node(t, who));
    t->w.node[who].node = NULL;
    t->starts = who;
    insist(t, ask_start, "starting");
}

static void chapter_start(struct torture *t)
{
    start_again(t, t->victim);
}

static int ask_create(struct torture *t)
{
    struct kith_prefix range;
    struct kith_node_why why;

    assert_int_equal(kith_prefix_parse("100.80.0.0/16", &range), KITH_OK);
    return kith_node_network_create(node(t, 0), "home", &range, now_of(t, 0), &t->w.home, &why);
}

static void chapter_create(struct torture *t)
{
    insist(t, ask_create, "making the network");
}

static int ask_invite(struct torture *t)
{
    return world_invite(&t->w, 0, &world_plain, t->ticket);
}

static int join_as(struct torture *t, int who)
{
    int err = world_join(&t->w, who, t->ticket);

    if (err < 0 && is_in(t, (size_t)who))
        fail_msg("joining failed with %s and yet happened", kith_err_name(err));
    return err;
}

static int ask_join_desktop(struct torture *t)
{
    return join_as(t, 1);
}

static int ask_join_phone(struct torture *t)
{
    return join_as(t, 2);
}

/* One ticket of one use must do, however often it is tried: it is the same peer that asks. */
static void chapter_join(struct torture *t)
{
    insist(t, ask_invite, "inviting the desktop");
    insist(t, ask_join_desktop, "joining as the desktop");
}

static void chapter_third(struct torture *t)
{
    insist(t, ask_invite, "inviting the phone");
    insist(t, ask_join_phone, "joining as the phone");
}

static void chapter_gossip(struct torture *t)
{
    must(t, all_agree, CONVERGENCE, "the third member is known");
    world_wait(&t->w, 5 * KITH_SEC); /* lists, endpoints, observed addresses */
}

static void chapter_traffic(struct torture *t)
{
    for (int i = 0; i < 3; i++)
        must_be_whole(t);
}

static int ask_ping(struct torture *t)
{
    struct node_peer_sim *p = &t->w.node[t->victim];
    struct kith_node_why why;
    size_t before = p->dones, pongs = p->pongs;
    const struct kith_peer_id *to = &t->w.node[1 - t->victim].identity.id;
    int err =
        kith_node_ping(p->node, to, 3, 100 * KITH_MSEC, ++t->call, now_of(t, t->victim), &why);

    if (err < 0)
        return err;
    for (int i = 0; i < 300 && p->dones == before; i++)
        world_wait(&t->w, TICK);
    if (p->dones != before + 1)
        fail_msg("a ping never ended");
    return p->last_err < 0 ? p->last_err : p->pongs >= pongs + 3 ? KITH_OK : KITH_E_TIMEOUT;
}

static void chapter_ping(struct torture *t)
{
    insist(t, ask_ping, "pinging");
}

static size_t count_blocked(const struct torture *t)
{
    struct kith_block_info b;
    size_t at = 0, n = 0;

    while (kith_node_next_blocked(node(t, t->victim), &at, now_of(t, t->victim).wall, &b))
        n++;
    return n;
}

/* What failed has changed nothing. */
static int change_block(struct torture *t, bool block)
{
    const char *other = world_name[1 - t->victim];
    struct kith_block_info b;
    struct kith_node_why why;
    size_t before = count_blocked(t);
    int err =
        block ? kith_node_block(node(t, t->victim), other, NULL, now_of(t, t->victim), &b, &why)
              : kith_node_unblock(node(t, t->victim), other, NULL, now_of(t, t->victim), &b, &why);

    if (count_blocked(t) != (err < 0 ? before : block ? 1 : 0))
        fail_msg("%s: %s, and yet %zu are blocked", block ? "blocking" : "unblocking",
                 kith_err_name(err), count_blocked(t));
    return err;
}

static int ask_block(struct torture *t)
{
    return change_block(t, true);
}

static int ask_unblock(struct torture *t)
{
    return change_block(t, false);
}

static void chapter_block(struct torture *t)
{
    insist(t, ask_block, "blocking");
    world_wait(&t->w, KITH_SEC);
    start_again(t, t->victim);
    if (count_blocked(t) != 1)
        fail_msg("forgot who is blocked");
    insist(t, ask_unblock, "unblocking");
    must_be_whole(t);
}

static void chapter_move(struct torture *t)
{
    node_sim_move(&t->w.node[t->victim], "203.0.113.50:9000");
    must_be_whole(t);
    world_wait(&t->w, 3 * KITH_SEC);
    node_sim_move(&t->w.node[t->victim], world_addr[t->victim]);
    must_be_whole(t);
}

static void chapter_reconnect(struct torture *t)
{
    start_again(t, 1 - t->victim);
    must_be_whole(t);
}

static void chapter_restart(struct torture *t)
{
    chapter_start(t);
    must_be_whole(t);
}

static int ask_appoint(struct torture *t)
{
    struct kith_member_info m;
    struct kith_node_why why;

    return kith_node_admin_add(node(t, 0), "desktop", NULL, now_of(t, 0), &m, &why);
}

static bool phone_knows_the_admin(struct torture *t)
{
    struct kith_member_info m;
    struct kith_node_why why;

    return kith_node_find_member(node(t, 2), "desktop", NULL, now_of(t, 2).wall, &m, &why) >= 0 &&
           m.admin;
}

static void chapter_appoint(struct torture *t)
{
    insist(t, ask_appoint, "appointing the desktop");
    must(t, phone_knows_the_admin, CONVERGENCE, "the phone knows of the new admin");
}

static int ask_leave(struct torture *t)
{
    struct kith_node_why why;

    return kith_node_network_leave(node(t, 1), "home", now_of(t, 1), &t->told, &why);
}

static bool others_are_two(struct torture *t)
{
    return sees(t, 0, 2) && sees(t, 2, 2);
}

static void chapter_leave(struct torture *t)
{
    insist(t, ask_leave, "leaving");
    if (world_networks(&t->w, 1) != 0)
        fail_msg("left, and still in it");
    /* words that get lost are not said again by one that left: it is listed until it expires */
    bool heard = eventually(t, others_are_two, CONVERGENCE);
    /* a library's memory is everybody's: it may fail who hears the word, and cannot judge it */
    t->forgiven = t->told == 0 || t->src->failed(t) > (t->src->is_shared ? 0 : 1);
    if (!heard && !t->forgiven)
        fail_msg("the others never heard that one left, and it was told that they were told");
}

static void chapter_return(struct torture *t)
{
    world_wait(&t->w, 60 * KITH_SEC); /* it is still unwelcome for a moment */
    chapter_join(t);
}

static int ask_revoke(struct torture *t)
{
    struct kith_member_info m;
    struct kith_node_why why;

    return kith_node_revoke(node(t, 0), "phone", NULL, now_of(t, 0), &m, &why);
}

static bool phone_is_out(struct torture *t)
{
    return sees(t, 0, 2) && sees(t, 1, 2) && !is_in(t, 2);
}

static void chapter_revoke(struct torture *t)
{
    insist(t, ask_revoke, "revoking the phone");
    must(t, phone_is_out, CONVERGENCE, "all know that the phone is out");
}

static bool victim_stopped(struct torture *t)
{
    return t->w.node[t->victim].stops > 0;
}

static void chapter_stop(struct torture *t)
{
    kith_node_stop(node(t, t->victim), now_of(t, t->victim));
    must(t, victim_stopped, 3 * KITH_SEC, "the node stopped");
}

static const struct chapter {
    const char *name;
    void (*tell)(struct torture *t);
    bool ends; /* nothing can be checked afterwards */
} chapters[] = {
    {"start", chapter_start, false},     {"create", chapter_create, false},
    {"join", chapter_join, false},       {"third", chapter_third, false},
    {"gossip", chapter_gossip, false},   {"traffic", chapter_traffic, false},
    {"ping", chapter_ping, false},       {"block", chapter_block, false},
    {"move", chapter_move, false},       {"reconnect", chapter_reconnect, false},
    {"restart", chapter_restart, false}, {"appoint", chapter_appoint, false},
    {"leave", chapter_leave, false},     {"return", chapter_return, false},
    {"revoke", chapter_revoke, false},   {"stop", chapter_stop, true},
};

/* ---- telling a chapter ---- */

static void begin(struct torture *t, const struct torture_source *src, size_t victim, uint64_t seed)
{
    struct node_peer_sim *p = &t->w.node[victim];

    memset(t, 0, sizeof *t);
    t->src = src;
    t->victim = victim;
    t->call = 1000;
    world_up(&t->w, seed);
    lab_alloc_init(&t->lab);
    kith_node_free(p->node);
    p->node = NULL;
    kith_store_close(p->store);
    t->scarce = (struct kith_alloc){.resize = scarce_resize, .ctx = t};
    p->env.alloc = &t->scarce;
    assert_int_equal(t->src->open != NULL ? t->src->open(t, &p->env, &p->store)
                                          : kith_store_open(":memory:", &p->env, &p->store, NULL),
                     KITH_OK);
    node_sim_restart(p);
}

/* Everything is given back, by the victim at least. */
static void end(struct torture *t)
{
    world_down(&t->w);
    if (t->lab.live != 0)
        fail_msg("%zu blocks (%zu bytes) never came back", t->lab.live, t->lab.bytes);
}

struct telling {
    uint64_t n, run; /* the n-th request fails, and `run` in all; n 0: none */
};

/* What a telling reports to its parent. */
struct report {
    uint64_t asked, failed;
    bool done;
};

static unsigned host_events(const struct node_peer_sim *p)
{
    return p->seen[KITH_EV_out_of_memory] + p->seen[KITH_EV_store_failed];
}

static void tell(struct torture *t, const struct torture_source *src, const struct chapter *ch,
                 struct telling how, struct report *r)
{
    unsigned events = host_events(&t->w.node[t->victim]);
    uint64_t before = src->asked(t), failed = src->failed(t);

    t->refused = 0;
    t->src = src;
    t->armed_until = how.n == 0 ? 0 : before + how.n - 1 + how.run;
    src->arm(t, how.n, how.run);
    ch->tell(t);
    r->asked = src->asked(t) - before;
    r->failed = src->failed(t) - failed;
    src->arm(t, 0, 0);
    if (src->is_told && r->failed > 0 && t->refused == 0 &&
        host_events(&t->w.node[t->victim]) == events)
        fail_msg("a failure that nobody was told of");
    if (!ch->ends) {
        must_be_whole(t);
        start_again(t, t->victim); /* what it says it knows, it knows from the store, too */
        must_be_whole(t);
    }
    end(t);
    r->done = true;
}

static struct report *shared_report(void)
{
    struct report *r =
        mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(r != MAP_FAILED);
    return r;
}

/* What the child said goes to ours, for the first few that are bad. */
static void show(FILE *said)
{
    char line[400];

    rewind(said);
    while (fgets(line, sizeof line, said) != NULL)
        print_message("  %s", line);
}

/* In a process of its own; how it ended. */
static bool tell_apart(struct torture *t, const struct torture_source *src,
                       const struct chapter *ch, struct telling how, struct report *r, FILE *said)
{
    int status;

    memset(r, 0, sizeof *r);
    rewind(said);
    assert_int_equal(ftruncate(fileno(said), 0), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion ends this process */
        signal(SIGABRT, SIG_DFL);
        alarm(PATIENCE);
        dup2(fileno(said), STDOUT_FILENO);
        dup2(fileno(said), STDERR_FILENO);
        tell(t, src, ch, how, r);
        fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return r->done && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

struct plan {
    struct kith_random random;
    struct kith_random_seeded seeded;
    const char *only;   /* a chapter's name, or NULL */
    struct telling one; /* n 0: no single one */
    bool all;
    uint64_t step;
    unsigned sample, bad, told;
};

static void read_plan(struct plan *p, unsigned sample)
{
    const char *given = getenv("KITH_TORTURE");
    static char only[40];
    unsigned long long n = 0, run = 1;

    memset(p, 0, sizeof *p);
    uint64_t seed = number_from("KITH_TEST_SEED", (uint64_t)time(NULL));
    print_message("KITH_TEST_SEED=%llu\n", (unsigned long long)seed);
    kith_random_seeded_init(&p->seeded, seed);
    p->random = kith_random_from_seed(&p->seeded);
    p->sample = sample;
    p->step = number_from("KITH_TORTURE_STEP", 1);
    if (given == NULL)
        return;
    p->all = true;
    if (strcmp(given, "all") != 0 && sscanf(given, "%39[^:]:%llu:%llu", only, &n, &run) >= 1)
        p->only = only;
    p->one = (struct telling){n, run};
}

static void note_bad(struct plan *p, const struct torture *t, const struct chapter *ch,
                     struct telling how, FILE *said)
{
    p->bad++;
    if (p->told++ >= TOLD_MAX)
        return;
    print_message("bad: victim %zu, KITH_TORTURE=%s:%llu:%llu\n", t->victim, ch->name,
                  (unsigned long long)how.n, (unsigned long long)how.run);
    show(said);
}

static struct telling pick(struct plan *p, uint64_t i, uint64_t asked)
{
    uint64_t run = i % 2 == 0 ? 1 : 2 + kith_random_below(&p->random, LONGEST_RUN);

    return (struct telling){p->all ? 1 + i / 2 * p->step : 1 + kith_random_below(&p->random, asked),
                            run};
}

/* All tellings of one chapter: each n once alone and once as the first of a run. */
static void tell_often(struct torture *t, const struct torture_source *src,
                       const struct chapter *ch, struct plan *p)
{
    struct report *r = shared_report();
    FILE *said = tmpfile();
    uint64_t struck = 0, count;

    assert_non_null(said);
    if (!tell_apart(t, src, ch, (struct telling){0, 0}, r, said)) {
        show(said);
        fail_msg("%s: not good without a failure", ch->name);
    }
    uint64_t asked = r->asked;
    count = asked == 0 ? 0 : p->all ? 2 * ((asked + p->step - 1) / p->step) : p->sample;
    unsigned bad = p->bad;
    for (uint64_t i = 0; i < count; i++) {
        struct telling how = pick(p, i, asked);
        if (!tell_apart(t, src, ch, how, r, said))
            note_bad(p, t, ch, how, said);
        struck += r->failed > 0;
    }
    print_message("%s, %s, victim %zu: %llu requests, %llu tellings, %llu struck, %u bad\n",
                  src->name, ch->name, t->victim, (unsigned long long)asked,
                  (unsigned long long)count, (unsigned long long)struck, p->bad - bad);
    munmap(r, sizeof *r);
    fclose(said);
}

unsigned torture_run(const struct torture_source *src, size_t victim, unsigned sample)
{
    struct torture *t = calloc(1, sizeof *t);
    struct report alone;
    struct plan p;

    assert_non_null(t);
    read_plan(&p, sample);
    if (src->prepare != NULL)
        src->prepare();
    begin(t, src, victim, 5);
    for (size_t i = 0; i < KITH_COUNT(chapters); i++) {
        const struct chapter *ch = &chapters[i];
        if (p.only != NULL && strcmp(p.only, ch->name) == 0 && p.one.n != 0) {
            tell(t, src, ch, p.one, &alone);
            free(t);
            return 0;
        }
        if (p.only == NULL || strcmp(p.only, ch->name) == 0)
            tell_often(t, src, ch, &p);
        ch->tell(t);
        if (!ch->ends)
            must_be_whole(t);
    }
    end(t);
    free(t);
    return p.bad;
}
