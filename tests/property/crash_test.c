/* kill -9 of whole nodes at random moments while they enrol and leave: what was answered is kept,
 * every store is whole, no ticket, serial or address is given twice.
 *
 * An issuer and, in each round, one member are processes of their own. Both are killed, each at a
 * moment of its own; then their stores are looked at, and both start again. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <jansson.h>

#include "base/random.h"
#include "base/text.h"
#include "identity/ticket.h"
#include "kith/kith.h"
#include "loop/daemon.h"
#include "store/lease.h"
#include "store/network.h"
#include "store/ticket.h"

enum {
    ROUNDS = 100,         /* two kills each */
    MEMBERS_MAX = ROUNDS, /* ever */
    LONGEST_US =
        60000, /* of a node's life after it was asked something: an enrolment takes 30 ms */
    LEAVE_PERCENT = 25, /* of the rounds */
    REUSE_EVERY = 8,    /* rounds between tries of a ticket that is used up */
};

/* What the test was answered. UNSURE: asked, and the answer never came. */
enum membership { OUT, IN, UNSURE_IN, UNSURE_OUT };

struct member {
    enum membership is;
    char dir[280];
    uint16_t port;
    char ip4[20]; /* as answered */
    bool ticket_answered;
    char ticket[KITH_TICKET_TEXT_MAX];
};

struct crash_lab {
    char dir[256];
    struct member issuer, member[MEMBERS_MAX];
    size_t n, joined, left, retried, reused;
    uint64_t serial;                 /* the issuer's next: never lower than it was */
    char used[KITH_TICKET_TEXT_MAX]; /* a ticket of one use that was used */
    struct kith_random random;
    struct kith_random_seeded seeded;
};

/* ---- processes ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static void say_ready(void *ctx)
{
    (void)!write(*(int *)ctx, "r", 1);
}

static struct kith_conf conf; /* loaded before the fork: a child may not assert */

static void load_conf(const struct member *m)
{
    static struct kith_conf_problems problems;
    char listen[32];
    const struct kith_conf_flag flag[] = {
        {KITH_OPTION_net_listen, "--listen", listen},
        {KITH_OPTION_vpn_enabled, "--no-tun", "false"},
        {KITH_OPTION_node_log_level, "--log-level", "bug"},
    };
    const struct kith_conf_input in = {.flag = flag, .flags = KITH_COUNT(flag), .host_name = "lab"};

    kith_format(listen, sizeof listen, "127.0.0.1:%u", m->port);
    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_OK);
}

static _Noreturn void run_node(const struct member *m, int report)
{
    struct kith_ctl_error e = {.err = 0};
    char socket_path[320];
    const struct kith_daemon_options options = {
        .state_dir = m->dir, .socket_path = socket_path, .ready = say_ready, .ctx = &report};

    kith_format(socket_path, sizeof socket_path, "%s/control.sock", m->dir);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int err = kith_daemon_run(&conf, &options, &e);
    (void)!write(report, e.message, strlen(e.message));
    _exit(err < 0);
}

/* Starts it; *ret_report tells when it is ready. */
static pid_t start(const struct member *m, int *ret_report)
{
    int ends[2];

    load_conf(m);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        run_node(m, ends[1]);
    }
    close(ends[1]);
    *ret_report = ends[0];
    return pid;
}

static void wait_ready(int report)
{
    char said[500] = "";

    assert_true(read(report, said, sizeof said - 1) >= 1);
    if (strcmp(said, "r") != 0)
        fail_msg("a node did not start again: %s", said);
}

/* kill -9 from a process of its own, `us` from now: the test itself is waiting for an answer. */
static pid_t doom(pid_t victim, uint64_t us)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct timespec life = {.tv_nsec = (long)us * 1000};
        nanosleep(&life, NULL); /* the moment of death, not a wait for something */
        _exit(kill(victim, SIGKILL) != 0);
    }
    return pid;
}

static void must_have_been_killed(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* no error of its own */
}

/* ---- asking ---- */

/* The answer, which the caller drops; NULL and the error when there was none. */
static json_t *ask(const struct member *m, const char *method, const char *params,
                   struct kith_error *e)
{
    const struct kith_connect_options o = {.state_dir = m->dir};
    struct kith_reply r = {.json = NULL};
    struct kith *k = NULL;
    json_t *json = NULL;

    *e = (struct kith_error){.code = 0};
    if (kith_connect(&o, &k, e) < 0)
        return NULL;
    if (kith_call(k, method, params, &r, e) >= 0)
        json = json_loads(r.json, 0, NULL);
    kith_reply_free(&r);
    kith_close(k);
    return json;
}

static json_t *must_ask(const struct member *m, const char *method, const char *params)
{
    struct kith_error e;
    json_t *json = ask(m, method, params, &e);

    if (json == NULL)
        fail_msg("%s: %s: %s", method, e.name, e.message);
    return json;
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text == NULL ? "" : text;
}

static json_t *join_with(const struct member *m, const char *ticket, struct kith_error *e)
{
    char params[KITH_TICKET_TEXT_MAX + 20];

    kith_format(params, sizeof params, "{\"ticket\":\"%s\"}", ticket);
    return ask(m, "join", params, e);
}

static void note_joined(struct crash_lab *lab, struct member *m, json_t *answer)
{
    kith_format(m->ip4, sizeof m->ip4, "%s", text_of(answer, "ipv4"));
    json_decref(answer);
    m->is = IN;
    lab->joined++;
    memcpy(lab->used, m->ticket, sizeof lab->used);
}

/* ---- what was promised ---- */

/* Whether the member itself says that it is in, and with which address. */
static bool is_in(const struct member *m, char ip4[20])
{
    json_t *status = must_ask(m, "status", "{}");
    const json_t *first = json_array_get(json_object_get(status, "networks"), 0);
    bool in = first != NULL;

    kith_format(ip4, 20, "%s", text_of(first, "ipv4"));
    json_decref(status);
    return in;
}

static const json_t *listed(const json_t *members, const char *ip4, size_t *ret_count)
{
    const json_t *found = NULL, *row;
    size_t i;

    *ret_count = 0;
    json_array_foreach(json_object_get(members, "members"), i, row)
    {
        if (strcmp(text_of(row, "ipv4"), ip4) != 0)
            continue;
        found = row;
        ++*ret_count;
    }
    return found;
}

/* Everybody whose join was answered is still a member, with the address of the answer, alone. */
static void issuer_must_know_all(struct crash_lab *lab)
{
    json_t *members = must_ask(&lab->issuer, "members", "{}");

    for (size_t i = 0; i < lab->n; i++) {
        size_t count;
        if (lab->member[i].is != IN)
            continue;
        if (listed(members, lab->member[i].ip4, &count) == NULL || count != 1)
            fail_msg("member %zu at %s is listed %zu times", i, lab->member[i].ip4, count);
    }
    json_decref(members);
}

/* What was answered holds; what was not is found out, or asked again. */
static void settle(struct crash_lab *lab, struct member *m)
{
    struct kith_error e;
    char ip4[20];
    bool in = is_in(m, ip4);

    if (m->is == IN && (!in || strcmp(ip4, m->ip4) != 0))
        fail_msg("joined with %s, and after a restart has %s", m->ip4, in ? ip4 : "nothing");
    if (m->is == OUT && in)
        fail_msg("left, and after a restart is in again");
    if (m->is == UNSURE_OUT)
        m->is = in ? IN : OUT;
    if (m->is != UNSURE_IN)
        return;
    m->is = OUT;
    if (in) {
        kith_format(m->ip4, sizeof m->ip4, "%s", ip4);
        m->is = IN;
    } else if (m->ticket_answered) { /* the same ticket must do: it is the same peer that asks */
        json_t *answer = join_with(m, m->ticket, &e);
        if (answer == NULL)
            fail_msg("joining again with the same ticket: %s: %s", e.name, e.message);
        note_joined(lab, m, answer);
        lab->retried++;
    }
}

static void used_ticket_must_be_refused(struct crash_lab *lab, const struct member *stranger)
{
    struct kith_error e;
    json_t *answer = join_with(stranger, lab->used, &e);

    if (answer != NULL || strcmp(e.name, "USED") != 0)
        fail_msg("a used ticket: %s", answer != NULL ? "let somebody in" : e.name);
    lab->reused++;
}

/* ---- what lies on the disk ---- */

struct seen {
    struct crash_lab *lab;
    struct kith_store *store;
    struct kith_store_network network;
    uint32_t ip4[MEMBERS_MAX * 2];
    uint64_t serial[MEMBERS_MAX * 2];
    size_t n;
};

static int note_network(void *ctx, const struct kith_store_network *n)
{
    struct seen *s = ctx;

    s->network = *n;
    return KITH_OK;
}

static int note_lease(void *ctx, const struct kith_store_lease *l)
{
    struct seen *s = ctx;

    assert_true(s->n < KITH_COUNT(s->ip4));
    assert_true(l->serial < s->network.next_serial);
    for (size_t i = 0; i < s->n; i++) {
        assert_true(s->ip4[i] != l->ip4);
        assert_true(s->serial[i] != l->serial);
    }
    s->serial[s->n] = l->serial;
    s->ip4[s->n++] = l->ip4;
    return KITH_OK;
}

/* Opening checks the whole file. */
static struct kith_store *open_store(const struct member *m, const struct kith_env *env)
{
    struct kith_store_why why = {{0}};
    struct kith_store *s = NULL;
    char path[320];

    kith_format(path, sizeof path, "%s/kith.db", m->dir);
    if (kith_store_open(path, env, &s, &why) < 0)
        fail_msg("%s: %s", path, why.text);
    return s;
}

static void check_ticket(struct seen *s, const struct member *m)
{
    uint8_t buf[KITH_TICKET_MAX];
    struct kith_store_ticket row;
    struct kith_ticket_id id;
    struct kith_ticket t;
    const char *why;

    if (!m->ticket_answered)
        return;
    assert_int_equal(kith_ticket_parse(m->ticket, buf, sizeof buf, &t, &why), KITH_OK);
    assert_int_equal(kith_ticket_id(&t.secret, &id), KITH_OK);
    assert_int_equal(kith_store_ticket_get(s->store, id.b, &row), KITH_OK); /* it was answered */
    if (m->is == IN)
        assert_int_equal(row.uses_left, 0);
}

static void check_stores(struct crash_lab *lab, const struct member *m)
{
    const struct kith_env env = {.alloc = &kith_heap};
    struct seen s = {.lab = lab, .store = open_store(&lab->issuer, &env)};

    assert_int_equal(kith_store_network_list(s.store, note_network, &s), KITH_OK);
    if (s.network.next_serial < lab->serial)
        fail_msg("serials went back");
    lab->serial = s.network.next_serial;
    uint8_t id[32];
    memcpy(id, s.network.id, sizeof id);
    assert_int_equal(kith_store_lease_list(s.store, id, note_lease, &s), KITH_OK);
    for (size_t i = 0; i < lab->n; i++)
        check_ticket(&s, &lab->member[i]);
    kith_store_close(s.store);
    kith_store_close(open_store(m, &env));
}

/* ---- a round ---- */

static struct member *new_member(struct crash_lab *lab)
{
    struct member *m = &lab->member[lab->n];

    *m = (struct member){.is = OUT, .port = free_port()};
    kith_format(m->dir, sizeof m->dir, "%s/m%zu", lab->dir, lab->n);
    lab->n++;
    return m;
}

static struct member *one_that_is_in(struct crash_lab *lab)
{
    size_t from = lab->n == 0 ? 0 : kith_random_below(&lab->random, lab->n);

    for (size_t i = 0; i < lab->n; i++) {
        struct member *m = &lab->member[(from + i) % lab->n];
        if (m->is != OUT)
            return m;
    }
    return NULL;
}

static void enrol(struct crash_lab *lab, struct member *m)
{
    struct kith_error e;
    json_t *answer = ask(&lab->issuer, "invite", "{}", &e);

    m->ticket_answered = answer != NULL;
    if (answer == NULL)
        return;
    kith_format(m->ticket, sizeof m->ticket, "%s", text_of(answer, "ticket"));
    json_decref(answer);
    m->is = UNSURE_IN;
    answer = join_with(m, m->ticket, &e);
    if (answer != NULL)
        note_joined(lab, m, answer);
}

static void leave(struct crash_lab *lab, struct member *m)
{
    struct kith_error e;

    m->is = UNSURE_OUT;
    json_t *answer = ask(m, "network.leave", "{\"name\":\"home\"}", &e);
    if (answer == NULL)
        return;
    json_decref(answer);
    m->is = OUT;
    lab->left++;
}

static void one_round(struct crash_lab *lab, int round)
{
    bool leaves = kith_random_below(&lab->random, 100) < LEAVE_PERCENT;
    struct member *m = leaves ? one_that_is_in(lab) : NULL;
    int report[2];

    if (m == NULL)
        m = new_member(lab);
    pid_t a = start(&lab->issuer, &report[0]), b = start(m, &report[1]);
    wait_ready(report[0]);
    wait_ready(report[1]);
    settle(lab, m);
    issuer_must_know_all(lab);
    /* it brings back the one that used it, which left */
    bool own = strcmp(m->ticket, lab->used) == 0;
    if (round % REUSE_EVERY == 0 && m->is == OUT && lab->used[0] != '\0' && !own)
        used_ticket_must_be_refused(lab, m);

    uint64_t first = kith_random_below(&lab->random, LONGEST_US);
    pid_t killers[] = {doom(a, first),
                       doom(b, first / 2 + kith_random_below(&lab->random, LONGEST_US))};
    if (m->is == IN)
        leave(lab, m);
    else
        enrol(lab, m);
    for (size_t i = 0; i < KITH_COUNT(killers); i++)
        assert_int_equal(waitpid(killers[i], NULL, 0), killers[i]);
    must_have_been_killed(a);
    must_have_been_killed(b);
    close(report[0]);
    close(report[1]);
    check_stores(lab, m);
}

static void found(struct crash_lab *lab)
{
    int report;

    kith_format(lab->issuer.dir, sizeof lab->issuer.dir, "%s/issuer", lab->dir);
    lab->issuer.port = free_port();
    pid_t pid = start(&lab->issuer, &report);
    wait_ready(report);
    json_decref(
        must_ask(&lab->issuer, "network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    must_have_been_killed(pid);
    close(report);
}

static void what_was_answered_survives_200_kills_at_random_moments(void **state)
{
    const char *given = getenv("KITH_TEST_SEED"), *tmp = getenv("TMPDIR");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    struct crash_lab *lab = calloc(1, sizeof *lab);
    char command[300];

    (void)state;
    assert_non_null(lab);
    print_message("KITH_TEST_SEED=%llu\n", (unsigned long long)seed);
    kith_random_seeded_init(&lab->seeded, seed);
    lab->random = kith_random_from_seed(&lab->seeded);
    kith_format(lab->dir, sizeof lab->dir, "%s/kith-crash-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    assert_non_null(mkdtemp(lab->dir));
    found(lab);
    for (int round = 0; round < ROUNDS; round++)
        one_round(lab, round);
    print_message("%d kills, %zu joined (%zu of them at the second try), %zu left, "
                  "%zu used tickets refused\n",
                  2 * ROUNDS, lab->joined, lab->retried, lab->left, lab->reused);
    assert_true(lab->joined > ROUNDS / 10); /* the kills fell among enrolments, not before them */
    assert_true(lab->joined < ROUNDS);
    kith_format(command, sizeof command, "rm -rf '%s'", lab->dir);
    assert_int_equal(system(command), 0);
    free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives_200_kills_at_random_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
