/* A whole node as a process of its own, without a tunnel interface: it comes up, answers, refuses a
 * second one, survives SIGHUP and ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/text.h"
#include "loop/daemon.h"
#include "loop/owner.h"
#include "os/process.h"
#include "os/unix_socket.h"

enum { PATIENCE_MS = 20000 }; /* for a machine that is busy; nothing here waits that long */

static char dir[] = "/tmp/kith-loop-XXXXXX";
static char state_dir[64], socket_path[96];

/* ---- a node in a child ---- */

struct lab {
    pid_t pid;
    int report; /* 'r' when ready, then the error's text when it ended with one */
};

/* What SIGHUP finds: the reports of three readings in a row. */
static size_t readings;

static void ready(void *ctx)
{
    (void)!write(*(int *)ctx, "r", 1);
}

/* Loaded before the fork: a child that failed an assertion would go on with the tests. */
static struct kith_conf conf, fresh;

/* listen NULL: a port of 127.0.0.1 that the system chooses. */
static void conf_load(struct kith_conf *ret, const char *listen, const char *level)
{
    static struct kith_conf_problems problems;
    const struct kith_conf_flag flag[] = {
        {KITH_OPTION_net_listen, "--listen", listen == NULL ? "127.0.0.1:9" : listen},
        {KITH_OPTION_vpn_enabled, "--no-tun", "false"},
        {KITH_OPTION_node_log_level, "--log-level", level},
    };
    const struct kith_conf_input in = {.flag = flag, .flags = KITH_COUNT(flag), .host_name = "lab"};

    assert_int_equal(kith_conf_load(ret, &in, &problems), KITH_OK);
    if (listen == NULL)
        ret->net.listen.addr[0].port = 0;
}

static int reload(void *ctx, struct kith_conf *ret, struct kith_ctl_error *ret_error)
{
    (void)ctx;
    if (readings++ == 0)
        return kith_ctl_error_set(ret_error, KITH_E_INVAL, "kith.toml:3:7: unknown option");
    *ret = fresh;
    return KITH_OK;
}

static _Noreturn void child(int report)
{
    struct kith_ctl_error e = {.err = 0};
    const struct kith_daemon_options options = {
        .state_dir = state_dir,
        .socket_path = socket_path,
        .ready = ready,
        .reload = reload,
        .ctx = &report,
    };
    int err;

    err = kith_daemon_run(&conf, &options, &e);
    if (err < 0) {
        (void)!write(report, e.message, strlen(e.message));
        (void)!write(report, "|", 1);
        (void)!write(report, e.remedy, strlen(e.remedy));
    }
    _exit(-err);
}

static struct lab start(const char *listen)
{
    struct lab lab;
    int ends[2];

    conf_load(&conf, listen, "info");
    conf_load(&fresh, "127.0.0.1:1", "debug");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    lab.pid = fork();
    assert_true(lab.pid >= 0);
    if (lab.pid == 0) {
        (void)alarm(60); /* a test that fails leaves no node behind */
        (void)close(ends[0]);
        child(ends[1]);
    }
    (void)close(ends[1]);
    lab.report = ends[0];
    return lab;
}

static void wait_ready(const struct lab *lab)
{
    char c = 0;

    assert_int_equal(read(lab->report, &c, 1), 1);
    assert_int_equal(c, 'r');
}

/* How it ended, 0 or a kith_err made positive, and what it said last. */
static int outcome(struct lab *lab, char *text, size_t cap)
{
    size_t n = 0;
    ssize_t got;
    int status;

    while (n + 1 < cap && (got = read(lab->report, text + n, cap - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    (void)close(lab->report);
    assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_orderly_end(struct lab *lab)
{
    char text[600];

    assert_int_equal(outcome(lab, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(access(socket_path, F_OK), -1);
}

/* ---- talking to it ---- */

static int connect_to(void)
{
    int fd;

    assert_int_equal(kith_unix_connect(socket_path, &fd, NULL), KITH_OK);
    return fd;
}

static void say(int fd, const char *line)
{
    assert_int_equal(kith_unix_send_all(fd, kith_span_text(line), PATIENCE_MS), KITH_OK);
}

/* The next line as JSON; the caller owns it. Bytes behind it are not read. */
static json_t *hear(int fd)
{
    static char line[256 * 1024];
    size_t n = 0, got;
    json_t *json;

    while (n == 0 || line[n - 1] != '\n') {
        assert_true(n + 1 < sizeof line);
        assert_int_equal(kith_unix_recv(fd, line + n, 1, PATIENCE_MS, &got), KITH_OK);
        n += got;
    }
    json = json_loadb(line, n, 0, NULL);
    assert_non_null(json);
    return json;
}

/* The result of one call on a connection of its own. */
static json_t *ask(const char *method, const char *params)
{
    char line[512];
    int fd = connect_to();
    json_t *answer, *result;

    (void)kith_format(line, sizeof line,
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n", method,
                      params);
    say(fd, line);
    answer = hear(fd);
    result = json_incref(json_object_get(answer, "result"));
    json_decref(answer);
    (void)close(fd);
    assert_non_null(result);
    return result;
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "(none)" : text;
}

/* ---- its directory ---- */

static int setup(void **state)
{
    static unsigned n;

    (void)state;
    (void)kith_format(state_dir, sizeof state_dir, "%s/%u", dir, n++);
    (void)kith_format(socket_path, sizeof socket_path, "%s/control.sock", state_dir);
    readings = 0;
    return 0;
}

static void path_in_state(const char *name, char *buf, size_t cap)
{
    (void)kith_format(buf, cap, "%s/%s", state_dir, name);
}

static void file_write(const char *name, const char *content, mode_t mode)
{
    char path[128];
    int fd;

    path_in_state(name, path, sizeof path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    (void)close(fd);
}

/* ---- tests ---- */

static void a_node_comes_up_answers_and_ends_with_sigterm(void **state)
{
    struct lab lab = start(NULL);
    struct stat st;
    char path[128];
    json_t *r;

    (void)state;
    wait_ready(&lab);
    r = ask("status", "{}");
    assert_int_equal(strlen(text_at(r, "peer_id")), 52);
    assert_string_equal(text_at(r, "state_dir"), state_dir);
    assert_true(json_is_null(json_object_get(r, "tun")));
    assert_int_equal(strncmp(json_string_value(json_array_get(json_object_get(r, "listen"), 0)),
                             "127.0.0.1:", 10),
                     0);
    json_decref(r);
    path_in_state("identity.pem", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(socket_path, &st), 0);
    assert_int_equal(st.st_mode & 0007, 0);
    assert_int_equal(stat(state_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void sigint_ends_it_as_well_and_within_five_seconds(void **state)
{
    struct lab lab = start(NULL);
    struct kith_now before, after;

    (void)state;
    wait_ready(&lab);
    json_decref(ask("network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}"));
    kith_clock_now(&before);
    assert_int_equal(kill(lab.pid, SIGINT), 0);
    expect_orderly_end(&lab);
    kith_clock_now(&after);
    assert_true(kith_since(after.mono, before.mono) < 5 * KITH_SEC);
}

static void down_answers_and_then_the_connection_closes(void **state)
{
    struct lab lab = start(NULL);
    uint8_t byte;
    size_t n;
    json_t *answer;
    int fd;

    (void)state;
    wait_ready(&lab);
    fd = connect_to();
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"down\"}\n");
    answer = hear(fd);
    assert_true(json_is_integer(json_object_get(json_object_get(answer, "result"), "uptime_s")));
    json_decref(answer);
    assert_int_equal(kith_unix_recv(fd, &byte, 1, PATIENCE_MS, &n), KITH_E_CLOSED);
    (void)close(fd);
    expect_orderly_end(&lab);
}

static void the_identity_and_the_networks_outlive_the_process(void **state)
{
    struct lab lab = start(NULL);
    struct kith_ctl_error e = {.err = 0};
    char id[53];
    json_t *r, *first;

    (void)state;
    wait_ready(&lab);
    json_decref(ask("network.create", "{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}"));
    first = ask("status", "{}");
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);

    assert_int_equal(kith_daemon_identity(state_dir, id, &e), KITH_OK);
    assert_string_equal(id, text_at(first, "peer_id"));
    lab = start(NULL);
    wait_ready(&lab);
    r = ask("status", "{}");
    assert_string_equal(text_at(r, "peer_id"), id);
    assert_true(json_equal(json_object_get(r, "networks"), json_object_get(first, "networks")));
    assert_int_equal(json_array_size(json_object_get(r, "networks")), 1);
    json_decref(r);
    json_decref(first);
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void a_second_node_for_the_directory_is_refused_and_named(void **state)
{
    struct lab lab = start(NULL), second;
    char text[600], want[64];

    (void)state;
    wait_ready(&lab);
    second = start(NULL);
    assert_int_equal(outcome(&second, text, sizeof text), -KITH_E_INUSE);
    assert_non_null(strstr(text, "another kith runs for this state directory"));
    (void)kith_format(want, sizeof want, "process %d", (int)lab.pid);
    assert_non_null(strstr(text, want));
    json_decref(ask("id", "{}")); /* the first is none the worse */
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void a_port_in_use_is_refused_with_what_to_do(void **state)
{
    struct lab lab = start(NULL), second;
    char listen[64], text[600];
    json_t *r;

    (void)state;
    wait_ready(&lab);
    r = ask("status", "{}");
    (void)kith_format(listen, sizeof listen, "%s",
                      json_string_value(json_array_get(json_object_get(r, "listen"), 0)));
    json_decref(r);
    (void)setup(NULL); /* another directory */
    second = start(listen);
    assert_int_equal(outcome(&second, text, sizeof text), -KITH_E_INUSE);
    assert_non_null(strstr(text, "cannot listen"));
    assert_non_null(strstr(text, "--listen"));
    assert_int_equal(access(socket_path, F_OK), -1); /* nothing is left behind */
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    assert_int_equal(outcome(&lab, text, sizeof text), 0);
}

static void a_damaged_identity_is_refused_and_left_as_it_is(void **state)
{
    struct kith_ctl_error e = {.err = 0};
    char path[128], text[600], id[53] = "";
    struct lab lab;
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(state_dir, 0700), 0);
    file_write("identity.pem", "-----BEGIN PRIVATE KEY-----\nnothing\n", 0600);
    lab = start(NULL);
    assert_int_equal(outcome(&lab, text, sizeof text), -KITH_E_CORRUPT);
    assert_non_null(strstr(text, "identity.pem is damaged"));
    assert_non_null(strstr(text, "|restore "));
    path_in_state("identity.pem", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 36);
    assert_int_equal(kith_daemon_identity(state_dir, id, &e), KITH_E_CORRUPT);
    assert_string_equal(id, "");
}

static void an_identity_that_others_may_read_is_refused_with_the_command(void **state)
{
    struct lab lab = start(NULL);
    char path[128], text[600], want[160];

    (void)state;
    wait_ready(&lab);
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
    path_in_state("identity.pem", path, sizeof path);
    assert_int_equal(chmod(path, 0644), 0);
    lab = start(NULL);
    assert_int_equal(outcome(&lab, text, sizeof text), -KITH_E_PERM);
    (void)kith_format(want, sizeof want, "|chmod 600 %s", path);
    assert_non_null(strstr(text, want));
}

static void a_directory_that_others_may_write_is_refused_with_the_command(void **state)
{
    char text[600], want[160];
    struct lab lab;

    (void)state;
    assert_int_equal(mkdir(state_dir, 0700), 0);
    assert_int_equal(chmod(state_dir, 0777), 0);
    lab = start(NULL);
    assert_int_equal(outcome(&lab, text, sizeof text), -KITH_E_PERM);
    (void)kith_format(want, sizeof want, "|chmod 700 %s", state_dir);
    assert_non_null(strstr(text, want));
}

static void a_foreign_database_is_refused(void **state)
{
    char text[600];
    struct lab lab;

    (void)state;
    assert_int_equal(mkdir(state_dir, 0700), 0);
    file_write("kith.db", "this is no database, and it is long enough to be looked at", 0600);
    lab = start(NULL);
    assert_int_equal(outcome(&lab, text, sizeof text), -KITH_E_CORRUPT);
}

static void sighup_takes_over_what_it_can_and_names_the_rest(void **state)
{
    struct lab lab = start(NULL);
    json_t *item, *event;
    int fd;

    (void)state;
    wait_ready(&lab);
    fd = connect_to();
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logs\","
            "\"params\":{\"lines\":0,\"follow\":true}}\n"
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"id\"}\n");
    json_decref(hear(fd)); /* the second's answer: the first is under way */
    assert_int_equal(kill(lab.pid, SIGHUP), 0);
    item = hear(fd);
    event = json_object_get(json_object_get(item, "params"), "item");
    assert_string_equal(text_at(event, "event"), "config_refused");
    assert_string_equal(text_at(event, "why"), "kith.toml:3:7: unknown option");
    json_decref(item);

    assert_int_equal(kill(lab.pid, SIGHUP), 0);
    item = hear(fd);
    event = json_object_get(json_object_get(item, "params"), "item");
    assert_string_equal(text_at(event, "event"), "config_reloaded");
    assert_string_equal(text_at(event, "later"), "net.listen");
    json_decref(item);
    (void)close(fd);
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void a_client_that_sends_and_leaves_still_has_its_request_done(void **state)
{
    struct lab lab = start(NULL);
    json_t *r;
    int fd;

    (void)state;
    wait_ready(&lab);
    fd = connect_to();
    say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"network.create\","
            "\"params\":{\"name\":\"home\",\"ipv4\":\"100.80.0.0/16\"}}\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    r = hear(fd);
    assert_non_null(json_object_get(r, "result"));
    json_decref(r);
    (void)close(fd);
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void more_clients_than_there_are_places_leave_the_others_alone(void **state)
{
    struct lab lab = start(NULL);
    int fd[KITH_CTL_CLIENTS + 8];
    uint8_t byte;
    size_t n;

    (void)state;
    wait_ready(&lab);
    for (size_t i = 0; i < KITH_COUNT(fd); i++)
        fd[i] = connect_to();
    for (size_t i = 0; i < KITH_CTL_CLIENTS; i++) {
        say(fd[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"id\"}\n");
        json_decref(hear(fd[i]));
    }
    for (size_t i = KITH_CTL_CLIENTS; i < KITH_COUNT(fd); i++)
        assert_int_equal(kith_unix_recv(fd[i], &byte, 1, PATIENCE_MS, &n), KITH_E_CLOSED);
    for (size_t i = 0; i < KITH_COUNT(fd); i++)
        (void)close(fd[i]);
    for (int tries = 0;; tries++) { /* a place is free as soon as the node has seen the end */
        int again = connect_to();
        if (kith_unix_send_all(again,
                               kith_span_text("{\"jsonrpc\":\"2.0\",\"id\":1,"
                                              "\"method\":\"id\"}\n"),
                               PATIENCE_MS) == KITH_OK &&
            kith_unix_recv(again, &byte, 1, PATIENCE_MS, &n) == KITH_OK) {
            (void)close(again);
            break;
        }
        (void)close(again);
        assert_true(tries < 1000);
    }
    assert_int_equal(kill(lab.pid, SIGTERM), 0);
    expect_orderly_end(&lab);
}

static void an_embedded_node_does_not_confine_somebodys_process(void **state)
{
    char own_dir[80];
    struct kith_ctl_error e = {.err = 0};
    struct kith_daemon_options options = {.state_dir = own_dir, .embedded = true};
    int pair[2];

    (void)state;
    (void)kith_format(own_dir, sizeof own_dir, "%s/embedded", dir);
    conf_load(&conf, NULL, "info");
    conf.node.confine = true;
    assert_int_equal(kith_owner_pair(pair), KITH_OK);
    options.owner = pair[1];
    assert_int_equal(kith_daemon_run(&conf, &options, &e), KITH_E_UNSUPPORTED);
    assert_non_null(strstr(e.message, "node.confine"));
    (void)close(pair[0]);
    conf.node.confine = false;
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

/* ---- the end ---- */

static int group_setup(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    char command[128];

    (void)state;
    (void)kith_format(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_comes_up_answers_and_ends_with_sigterm),
        T(sigint_ends_it_as_well_and_within_five_seconds),
        T(down_answers_and_then_the_connection_closes),
        T(the_identity_and_the_networks_outlive_the_process),
        T(a_second_node_for_the_directory_is_refused_and_named),
        T(a_port_in_use_is_refused_with_what_to_do),
        T(a_damaged_identity_is_refused_and_left_as_it_is),
        T(an_identity_that_others_may_read_is_refused_with_the_command),
        T(a_directory_that_others_may_write_is_refused_with_the_command),
        T(a_foreign_database_is_refused),
        T(sighup_takes_over_what_it_can_and_names_the_rest),
        T(a_client_that_sends_and_leaves_still_has_its_request_done),
        T(more_clients_than_there_are_places_leave_the_others_alone),
        T(an_embedded_node_does_not_confine_somebodys_process),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
