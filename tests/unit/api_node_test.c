/* Nodes inside a program: two of them make a network, calls run beside each other and are
 * cancelled, and the program is left as it was. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "os/process.h"

#include "api_lab.h"
#include "dir_lab.h"
#include "fd_lab.h"

#define PATIENCE (20 * KITH_SEC) /* for a machine that is busy; nothing here waits that long */

static kith_time clock_now(void)
{
    struct kith_now now;

    kith_clock_now(&now);
    return now.mono;
}

/* ---- a call on a thread of its own ---- */

struct caller {
    struct kith *k;
    const char *method, *params;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t told;
    size_t items;  /* guarded by lock */
    size_t enough; /* items after which it wants no more; 0: never */
    char last[600];
    int err; /* of the call, once joined */
    struct kith_error error;
};

static bool on_item(void *ctx, const char *item_json, size_t length)
{
    struct caller *c = ctx;
    bool go_on;

    (void)pthread_mutex_lock(&c->lock);
    if (strlen(item_json) == length)
        (void)kith_format(c->last, sizeof c->last, "%s", item_json);
    c->items++;
    go_on = c->enough == 0 || c->items < c->enough;
    (void)pthread_cond_signal(&c->told);
    (void)pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void *run_caller(void *ctx)
{
    struct caller *c = ctx;

    c->err = kith_call_items(c->k, c->method, c->params, on_item, c, NULL, &c->error);
    return NULL;
}

static void caller_start(struct caller *c, struct kith *k, const char *method, const char *params)
{
    *c = (struct caller){.k = k, .method = method, .params = params};
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->told, NULL);
    assert_int_equal(pthread_create(&c->thread, NULL, run_caller, c), 0);
}

static void caller_wait_items(struct caller *c, size_t n)
{
    (void)pthread_mutex_lock(&c->lock);
    while (c->items < n)
        (void)pthread_cond_wait(&c->told, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
}

static int caller_join(struct caller *c)
{
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    (void)pthread_cond_destroy(&c->told);
    (void)pthread_mutex_destroy(&c->lock);
    return c->err;
}

/* ---- two nodes ---- */

/* Asks again until the node knows n members of the network; each asking is a round trip. */
static void wait_members(struct kith *k, size_t n)
{
    kith_time until = kith_after(clock_now(), PATIENCE);
    size_t known = 0;

    while (known != n) {
        json_t *r = lab_ask(k, "members", "{\"network\":\"home\"}");
        known = json_array_size(json_object_get(r, "members"));
        json_decref(r);
        assert_true(clock_now() < until);
    }
}

static void join(struct kith *admin, struct kith *joiner, const char *name)
{
    char params[20000];
    json_t *invited, *joined;

    (void)kith_format(params, sizeof params, "{\"name\":\"%s\"}", name);
    invited = lab_ask(admin, "invite", params);
    (void)kith_format(params, sizeof params, "{\"ticket\":\"%s\"}", lab_text(invited, "ticket"));
    joined = lab_ask(joiner, "join", params);
    assert_string_equal(lab_text(joined, "network"), "home");
    assert_string_equal(lab_text(joined, "name"), name);
    json_decref(invited);
    json_decref(joined);
}

static void two_up(struct kith **desktop, struct kith **laptop)
{
    *desktop = lab_node("desktop");
    *laptop = lab_node("laptop");
    json_decref(
        lab_ask(*desktop, "network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}"));
    join(*desktop, *laptop, "laptop");
}

static void two_nodes_of_one_process_make_a_network_and_both_see_its_members(void **state)
{
    struct kith *desktop, *laptop;
    json_t *a, *b;

    (void)state;
    two_up(&desktop, &laptop);
    wait_members(desktop, 2);
    wait_members(laptop, 2);
    a = lab_ask(desktop, "id", NULL);
    b = lab_ask(laptop, "id", NULL);
    assert_int_equal(strlen(lab_text(a, "peer_id")), 52);
    assert_string_not_equal(lab_text(a, "peer_id"), lab_text(b, "peer_id"));
    json_decref(a);
    json_decref(b);
    kith_close(laptop);
    kith_close(desktop);
}

static void a_ping_tells_each_round_trip_and_then_its_result(void **state)
{
    struct kith *desktop, *laptop;
    struct caller c;

    (void)state;
    two_up(&desktop, &laptop);
    caller_start(&c, desktop, "ping", "{\"name\":\"laptop\",\"count\":3,\"interval_ms\":10}");
    assert_int_equal(caller_join(&c), 0);
    assert_int_equal(c.items, 3);
    assert_non_null(strstr(c.last, "\"seq\":3"));
    assert_non_null(strstr(c.last, "\"lost\":false"));
    kith_close(laptop);
    kith_close(desktop);
}

static void an_endless_ping_is_cancelled_by_another_thread_and_others_calls_go_on(void **state)
{
    struct kith *desktop, *laptop;
    struct caller c;
    kith_time before;

    (void)state;
    two_up(&desktop, &laptop);
    caller_start(&c, desktop, "ping", "{\"name\":\"laptop\",\"count\":100000,\"interval_ms\":10}");
    caller_wait_items(&c, 3);
    json_decref(lab_ask(desktop, "status", NULL)); /* a call beside it */
    before = clock_now();
    kith_cancel(desktop);
    assert_int_equal(caller_join(&c), KITH_ERROR_CANCELLED);
    assert_true(kith_since(clock_now(), before) < 4 * KITH_SEC);
    assert_string_equal(c.error.name, "CANCELLED");
    json_decref(lab_ask(desktop, "status", NULL)); /* one that begins later is not cancelled */
    kith_close(laptop);
    kith_close(desktop);
}

static void an_item_that_is_the_last_wanted_cancels_the_call(void **state)
{
    struct kith *k = lab_node("one");
    struct caller c = {.k = k, .method = "logs", .params = "{\"follow\":true}", .enough = 1};

    (void)state;
    (void)pthread_mutex_init(&c.lock, NULL);
    (void)pthread_cond_init(&c.told, NULL);
    (void)run_caller(&c);
    assert_int_equal(c.err, KITH_ERROR_CANCELLED);
    assert_int_equal(c.items, 1);
    assert_non_null(strstr(c.last, "\"event\":"));
    kith_close(k);
}

static void sixteen_calls_run_at_once_and_one_more_is_refused(void **state)
{
    struct kith *k = lab_node("one");
    static struct caller c[KITH_CALLS_MAX];
    struct kith_error e;

    (void)state;
    for (size_t i = 0; i < KITH_CALLS_MAX; i++)
        caller_start(&c[i], k, "logs", "{\"lines\":1,\"follow\":true}");
    for (size_t i = 0; i < KITH_CALLS_MAX; i++)
        caller_wait_items(&c[i], 1);
    e = lab_refusal(k, "id", NULL);
    assert_string_equal(e.name, "FULL");
    kith_cancel(k);
    for (size_t i = 0; i < KITH_CALLS_MAX; i++)
        assert_int_equal(caller_join(&c[i]), KITH_ERROR_CANCELLED);
    json_decref(lab_ask(k, "id", NULL));
    kith_close(k);
}

static void identity_and_networks_outlive_the_node(void **state)
{
    struct kith *k = lab_node("one");
    json_t *before, *after;

    (void)state;
    json_decref(lab_ask(k, "network.create", "{\"name\":\"home\"}"));
    before = lab_ask(k, "status", NULL);
    kith_close(k);
    k = lab_node("one");
    after = lab_ask(k, "status", NULL);
    assert_string_equal(lab_text(after, "peer_id"), lab_text(before, "peer_id"));
    assert_true(
        json_equal(json_object_get(after, "networks"), json_object_get(before, "networks")));
    json_decref(before);
    json_decref(after);
    kith_close(k);
}

struct opener {
    char name[8];
    struct kith *k;
    int err;
    pthread_t thread;
};

static void *run_opener(void *ctx)
{
    struct opener *o = ctx;

    o->err = lab_open(o->name, &o->k, NULL);
    return NULL;
}

static void several_threads_open_nodes_at_once(void **state)
{
    struct opener o[4] = {{.name = "0"}, {.name = "1"}, {.name = "2"}, {.name = "3"}};

    (void)state;
    for (size_t i = 0; i < KITH_COUNT(o); i++)
        assert_int_equal(pthread_create(&o[i].thread, NULL, run_opener, &o[i]), 0);
    for (size_t i = 0; i < KITH_COUNT(o); i++) {
        assert_int_equal(pthread_join(o[i].thread, NULL), 0);
        assert_int_equal(o[i].err, 0);
        json_decref(lab_ask(o[i].k, "id", NULL));
    }
    for (size_t i = 0; i < KITH_COUNT(o); i++)
        kith_close(o[i].k);
}

/* ---- its end ---- */

static void closing_takes_less_than_five_seconds_also_with_sessions(void **state)
{
    struct kith *desktop, *laptop;
    kith_time before;

    (void)state;
    two_up(&desktop, &laptop);
    before = clock_now();
    kith_close(desktop);
    assert_true(kith_since(clock_now(), before) < 5 * KITH_SEC);
    before = clock_now();
    kith_close(laptop);
    assert_true(kith_since(clock_now(), before) < 5 * KITH_SEC);
    kith_close(NULL);
}

static void a_node_that_was_told_down_answers_and_then_refuses(void **state)
{
    struct kith *k = lab_node("one"), *again = NULL;
    struct kith_error e;
    struct caller c;

    (void)state;
    caller_start(&c, k, "logs", "{\"lines\":1,\"follow\":true}");
    caller_wait_items(&c, 1);
    json_decref(lab_ask(k, "down", NULL));
    assert_int_equal(caller_join(&c), KITH_ERROR_CLOSED); /* the node has ended */
    e = lab_refusal(k, "id", NULL);
    assert_string_equal(e.name, "CLOSED");
    kith_close(k);
    assert_int_equal(lab_open("one", &again, NULL), 0);
    kith_close(again);
}

/* ---- refusals ---- */

static void a_state_directory_has_one_node_and_the_second_is_told_what_to_do(void **state)
{
    struct kith *first = lab_node("one"), *second = first;
    struct kith_error e = {.code = 0};

    (void)state;
    assert_int_equal(lab_open("one", &second, &e), KITH_ERROR_INUSE);
    assert_ptr_equal(second, first); /* written on success only */
    assert_int_equal(e.code, KITH_ERROR_INUSE);
    assert_string_equal(e.name, "INUSE");
    assert_int_equal(e.exit, 1);
    assert_non_null(strstr(e.message, "another kith runs for this state directory"));
    assert_string_equal(e.remedy, "end that node first, or use another state directory");
    json_decref(lab_ask(first, "id", NULL)); /* none the worse */
    kith_close(first);
    assert_int_equal(lab_open("one", &second, &e), 0);
    kith_close(second);
}

static struct kith_error refused(const struct kith_open_options *o)
{
    struct kith_error e = {.code = 0};
    struct kith *k = NULL;
    int err = kith_open(o, &k, &e);

    assert_true(err < 0);
    assert_null(k);
    assert_int_equal(e.code, err);
    assert_true(e.message[0] != '\0');
    return e;
}

static void write_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    (void)close(fd);
}

static void a_damaged_identity_is_refused_with_its_remedy(void **state)
{
    struct kith_error e;

    (void)state;
    assert_int_equal(mkdir("one", 0700), 0);
    write_file("one/identity.pem", "-----BEGIN PRIVATE KEY-----\nnothing\n");
    e = refused(&(struct kith_open_options){.state_dir = "one", .config = LAB_CONFIG});
    assert_string_equal(e.name, "CORRUPT");
    assert_int_equal(strncmp(e.remedy, "restore ", 8), 0);
}

static void mistakes_in_the_configuration_are_named_by_line(void **state)
{
    struct kith_error e;

    (void)state;
    e = refused(&(struct kith_open_options){.state_dir = "one", .config = "[net]\nmtuu = 1400\n"});
    assert_string_equal(e.name, "INVAL");
    assert_int_equal(e.exit, 2);
    assert_non_null(strstr(e.message, "configuration:2:"));
    write_file("kith.toml", "\n\n[vpn]\nenabled = 7\n");
    e = refused(&(struct kith_open_options){.state_dir = "one", .config_file = "kith.toml"});
    assert_string_equal(e.name, "INVAL");
    assert_non_null(strstr(e.message, "/kith.toml:4:"));
    assert_int_equal(access("one", F_OK), -1); /* nothing was begun */
}

static void options_that_make_no_node_are_refused(void **state)
{
    struct kith_error e;
    struct kith *k = NULL;

    (void)state;
    assert_string_equal(refused(&(struct kith_open_options){.config = LAB_CONFIG}).name, "INVAL");
    e = refused(&(struct kith_open_options){
        .state_dir = "one", .config = LAB_CONFIG, .config_file = "kith.toml"});
    assert_string_equal(e.name, "INVAL");
    e = refused(&(struct kith_open_options){.state_dir = "one", .config_file = "missing.toml"});
    assert_string_equal(e.name, "NOTFOUND");
    assert_int_equal(kith_open(NULL, &k, NULL), KITH_ERROR_INVAL);
    write_file("file", "");
    assert_true(lab_open("file/one", &k, NULL) < 0); /* nobody asked why */
}

static void a_configuration_file_counts(void **state)
{
    const struct kith_open_options o = {
        .state_dir = "one", .config_file = "kith.toml", .any_port = true};
    struct kith *k = NULL;
    json_t *r;

    (void)state;
    write_file("kith.toml", LAB_CONFIG "inbound = \"deny\"\n");
    assert_int_equal(kith_open(&o, &k, NULL), 0);
    r = lab_ask(k, "status", "{}");
    assert_string_equal(lab_text(r, "inbound"), "deny");
    assert_true(json_is_null(json_object_get(r, "tun")));
    json_decref(r);
    kith_close(k);
}

static void what_is_no_call_is_refused(void **state)
{
    static char huge[70000];
    struct kith *k = lab_node("one");
    struct kith_error e;

    (void)state;
    e = lab_refusal(k, "members", "{\"network\":");
    assert_string_equal(e.name, "INVAL");
    assert_non_null(strstr(e.message, "not JSON: line 1"));
    e = lab_refusal(k, "members", "[]");
    assert_string_equal(e.name, "INVAL");
    e = lab_refusal(k, "members", "{\"network\":\"a\",\"network\":\"b\"}");
    assert_string_equal(e.name, "INVAL");
    e = lab_refusal(k, "members", "{\"network\":5}"); /* by the node */
    assert_string_equal(e.name, "INVAL");
    assert_int_equal(e.code, KITH_ERROR_INVAL);
    assert_int_equal(e.exit, 2);
    e = lab_refusal(k, "memers", NULL);
    assert_string_equal(e.name, "NOTFOUND");
    assert_non_null(strstr(e.message, "did you mean members?"));
    e = lab_refusal(k, "members", "{\"network\":\"home\"}");
    assert_string_equal(e.name, "NOTFOUND");
    memset(huge, ' ', sizeof huge - 1);
    (void)kith_format(huge, sizeof huge, "{\"ticket\":\"%060000d%06000d\"}", 0, 0);
    e = lab_refusal(k, "join", huge);
    assert_string_equal(e.name, "TOOBIG");
    assert_int_equal(kith_call(NULL, "id", NULL, NULL, NULL), KITH_ERROR_INVAL);
    assert_int_equal(kith_call(k, NULL, NULL, NULL, NULL), KITH_ERROR_INVAL);
    json_decref(lab_ask(k, "id", "{}"));
    kith_close(k);
}

/* Takes every descriptor this process may have; returns how many. */
static size_t take_descriptors(int *fds, size_t cap)
{
    size_t n = 0;

    while (n < cap && (fds[n] = dup(0)) >= 0)
        n++;
    return n;
}

static void without_descriptors_calls_and_nodes_are_refused_and_later_work(void **state)
{
    static int fds[300];
    struct kith *k = lab_node("one"), *second = NULL;
    struct rlimit limit, low;
    struct kith_error e;
    size_t n;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = KITH_COUNT(fds) - 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    n = take_descriptors(fds, KITH_COUNT(fds));
    e = lab_refusal(k, "id", NULL);
    assert_string_equal(e.name, "FULL");
    assert_int_equal(lab_open("two", &second, NULL), KITH_ERROR_FULL);
    for (size_t i = 0; i < 8; i++) { /* with a few free it gets further, and fails there */
        (void)close(fds[--n]);
        assert_true(lab_open("two", &second, NULL) < 0);
        assert_null(second);
    }
    while (n > 0)
        (void)close(fds[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    json_decref(lab_ask(k, "id", NULL));
    second = lab_node("two");
    json_decref(lab_ask(second, "id", NULL));
    kith_close(second);
    kith_close(k);
}

/* ---- the process around it ---- */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    (void)number;
    caught++;
}

/* Blocked here, a signal to the process goes to any thread that takes it: so none of the node's. */
static void signals_of_the_process_stay_its_own(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction act = {.sa_handler = on_signal}, now;
    struct kith *k;
    sigset_t some, pending;
    int number;

    (void)state;
    (void)sigemptyset(&some);
    for (size_t i = 0; i < KITH_COUNT(numbers); i++) {
        (void)sigaddset(&some, numbers[i]);
        assert_int_equal(sigaction(numbers[i], &act, NULL), 0);
    }
    caught = 0;
    k = lab_node("one");
    for (size_t i = 0; i < KITH_COUNT(numbers); i++) {
        assert_int_equal(sigaction(numbers[i], NULL, &now), 0);
        assert_true(now.sa_handler == on_signal);
    }
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &some, NULL), 0);
    for (size_t i = 0; i < KITH_COUNT(numbers); i++)
        assert_int_equal(kill(getpid(), numbers[i]), 0);
    json_decref(lab_ask(k, "id", NULL));
    assert_int_equal(caught, 0);
    assert_int_equal(sigpending(&pending), 0);
    for (size_t i = 0; i < KITH_COUNT(numbers); i++) {
        assert_int_equal(sigismember(&pending, numbers[i]), 1);
        assert_int_equal(sigwait(&some, &number), 0);
    }
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &some, NULL), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(caught, 1);
    json_decref(lab_ask(k, "id", NULL)); /* it is not told to end by it */
    kith_close(k);
    act.sa_handler = SIG_DFL;
    for (size_t i = 0; i < KITH_COUNT(numbers); i++)
        (void)sigaction(numbers[i], &act, NULL);
}

static void a_signal_handled_during_a_call_does_not_end_it(void **state)
{
    struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct kith *k = lab_node("one");
    struct caller c;

    (void)state;
    caught = 0;
    assert_int_equal(sigaction(SIGUSR1, &act, NULL), 0);
    caller_start(&c, k, "logs", "{\"lines\":1,\"follow\":true}");
    caller_wait_items(&c, 1);
    assert_int_equal(pthread_kill(c.thread, SIGUSR1), 0);
    json_decref(lab_ask(k, "network.create", "{\"name\":\"home\"}")); /* an event or more */
    caller_wait_items(&c, 2);
    kith_cancel(k);
    assert_int_equal(caller_join(&c), KITH_ERROR_CANCELLED);
    assert_int_equal(caught, 1);
    kith_close(k);
}

static void the_process_keeps_its_streams_limits_directory_and_mask(void **state)
{
    char before[200], after[200];
    struct rlimit limit, now;
    struct stat st;
    struct kith *k;
    int kept[2], silent = open("said", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    (void)state;
    assert_true(silent >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 200; /* below what a node of its own asks for */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_non_null(getcwd(before, sizeof before));
    (void)umask(027);
    for (int i = 0; i < 2; i++) {
        kept[i] = dup(i + 1);
        (void)dup2(silent, i + 1);
    }
    k = lab_node("one");
    json_decref(lab_ask(k, "network.create", "{\"name\":\"home\"}"));
    kith_close(k);
    for (int i = 0; i < 2; i++) {
        (void)dup2(kept[i], i + 1);
        (void)close(kept[i]);
    }
    assert_int_equal(fstat(silent, &st), 0);
    assert_int_equal(st.st_size, 0);
    (void)close(silent);
    assert_int_equal(umask(022), 027);
    assert_non_null(getcwd(after, sizeof after));
    assert_string_equal(after, before);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, 200);
    assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
}

static void opening_and_closing_leaves_no_descriptor_thread_or_socket_behind(void **state)
{
    size_t fds, threads;

    (void)state;
    kith_close(lab_node("one")); /* libraries open some for good, once */
    fds = lab_descriptors();
    threads = lab_entries("/proc/self/task");
    for (int i = 0; i < 3; i++) {
        struct kith *k = lab_node("one"), *second = NULL;
        json_decref(lab_ask(k, "id", NULL));
        assert_int_equal(lab_open("one", &second, NULL), KITH_ERROR_INUSE);
        assert_int_equal(access("one/control.sock", F_OK), -1); /* nobody asked for one */
        kith_close(k);
    }
    assert_int_equal(lab_descriptors(), fds);
    assert_int_equal(lab_entries("/proc/self/task"), threads);
}

#define T(name) cmocka_unit_test_setup_teardown(name, lab_dir_enter, lab_dir_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_nodes_of_one_process_make_a_network_and_both_see_its_members),
        T(a_ping_tells_each_round_trip_and_then_its_result),
        T(an_endless_ping_is_cancelled_by_another_thread_and_others_calls_go_on),
        T(an_item_that_is_the_last_wanted_cancels_the_call),
        T(sixteen_calls_run_at_once_and_one_more_is_refused),
        T(identity_and_networks_outlive_the_node),
        T(several_threads_open_nodes_at_once),
        T(closing_takes_less_than_five_seconds_also_with_sessions),
        T(a_node_that_was_told_down_answers_and_then_refuses),
        T(a_state_directory_has_one_node_and_the_second_is_told_what_to_do),
        T(a_damaged_identity_is_refused_with_its_remedy),
        T(mistakes_in_the_configuration_are_named_by_line),
        T(options_that_make_no_node_are_refused),
        T(a_configuration_file_counts),
        T(what_is_no_call_is_refused),
        T(without_descriptors_calls_and_nodes_are_refused_and_later_work),
        T(signals_of_the_process_stay_its_own),
        T(a_signal_handled_during_a_call_does_not_end_it),
        T(the_process_keeps_its_streams_limits_directory_and_mask),
        T(opening_and_closing_leaves_no_descriptor_thread_or_socket_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
