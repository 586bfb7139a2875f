/* Clients of a node that runs elsewhere: finding it, refusals, and answers no node would give. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "os/unix_socket.h"

#include "api_lab.h"
#include "dir_lab.h"

enum { PATIENCE_MS = 20000 }; /* for a machine that is busy; nothing here waits that long */

/* No node of this machine may be found by these tests. */
static int enter(void **state)
{
    if (lab_dir_enter(state) < 0)
        return -1;
    (void)setenv("HOME", lab_dir, 1);
    (void)unsetenv("XDG_STATE_HOME");
    return setenv("KITH_STATE", lab_dir, 1);
}

static struct kith *connected(const char *state_dir)
{
    const struct kith_connect_options o = {.state_dir = state_dir};
    struct kith_error e = {.code = 0};
    struct kith *k = NULL;

    if (kith_connect(&o, &k, &e) < 0)
        fail_msg("%s: %s (%s)", e.name, e.message, e.remedy);
    return k;
}

static struct kith_error not_connected(const char *state_dir)
{
    const struct kith_connect_options o = {.state_dir = state_dir};
    struct kith_error e = {.code = 0};
    struct kith *k = NULL;
    int err = kith_connect(&o, &k, &e);

    assert_true(err < 0);
    assert_null(k);
    assert_int_equal(e.code, err);
    return e;
}

/* ---- a real node ---- */

static struct kith *node_with_socket(const char *state_dir)
{
    const struct kith_open_options o = {
        .state_dir = state_dir, .config = LAB_CONFIG, .any_port = true, .control_socket = true};
    struct kith_error e = {.code = 0};
    struct kith *k = NULL;

    if (kith_open(&o, &k, &e) < 0)
        fail_msg("%s: %s (%s)", e.name, e.message, e.remedy);
    return k;
}

static void a_node_with_a_control_socket_is_found_by_its_directory(void **state)
{
    struct kith *node = node_with_socket("one"), *client = connected("one");
    json_t *a = lab_ask(node, "id", NULL), *b = lab_ask(client, "id", NULL);

    (void)state;
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    kith_close(client);
    json_decref(lab_ask(node, "id", NULL)); /* it runs on */
    kith_close(node);
    assert_int_equal(access("one/control.sock", F_OK), -1);
}

static void kith_state_names_the_node_where_no_option_does(void **state)
{
    struct kith *node = node_with_socket("."), *client = NULL;
    json_t *r;

    (void)state;
    assert_int_equal(kith_connect(NULL, &client, NULL), 0);
    r = lab_ask(client, "status", NULL);
    assert_non_null(strstr(lab_text(r, "state_dir"), lab_dir));
    json_decref(r);
    kith_close(client);
    kith_close(node);
}

static void a_client_outlives_a_restart_of_the_node(void **state)
{
    struct kith *node = node_with_socket("one"), *client = connected("one");
    struct kith_error e;

    (void)state;
    kith_close(node);
    e = lab_refusal(client, "id", NULL);
    assert_string_equal(e.name, "NOTFOUND");
    assert_int_equal(e.exit, 3);
    node = node_with_socket("one");
    json_decref(lab_ask(client, "id", NULL));
    kith_close(client);
    kith_close(node);
}

static void without_a_node_it_says_how_to_start_one(void **state)
{
    struct kith_error e = not_connected("nowhere");

    (void)state;
    assert_int_equal(e.code, KITH_ERROR_NOTFOUND);
    assert_string_equal(e.name, "NOTFOUND");
    assert_int_equal(e.exit, 3);
    assert_non_null(strstr(e.message, "no node is running for "));
    assert_non_null(strstr(e.message, "/nowhere"));
    assert_string_equal(e.remedy, "start one with: kith up");
    assert_int_equal(kith_connect(NULL, NULL, NULL), KITH_ERROR_INVAL);
}

static void a_path_no_socket_can_have_is_refused(void **state)
{
    char path[200];

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_string_equal(not_connected(path).name, "INVAL");
}

/* ---- something that answers like a node, or does not ---- */

/* Takes one connection after the other; to each it says the next answer when a line has come. */
struct server {
    int fd;
    size_t answers;
    const char *answer[3]; /* "": closes without one */
    bool for_ever;         /* the last one then waits for a second line and says `last` */
    const char *last;
    pthread_t thread;
};

static bool read_line(int fd)
{
    char c = 0;
    size_t n;

    while (c != '\n')
        if (kith_unix_recv(fd, &c, 1, PATIENCE_MS, &n) < 0)
            return false;
    return true;
}

static void say(int fd, const char *text)
{
    (void)!kith_unix_send_all(fd, kith_span_text(text), PATIENCE_MS);
}

static void *serve(void *ctx)
{
    const struct server *s = ctx;

    for (size_t i = 0; i < s->answers; i++) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        int fd = poll(&p, 1, PATIENCE_MS) == 1 ? accept4(s->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd < 0)
            return NULL;
        if (read_line(fd))
            say(fd, s->answer[i]);
        if (i + 1 == s->answers && s->for_ever && read_line(fd))
            say(fd, s->last);
        (void)close(fd);
    }
    return NULL;
}

#define ANSWER(body) "{\"jsonrpc\":\"2.0\",\"id\":1," body "}\n"
#define VERSION_1 ANSWER("\"result\":{\"api\":1,\"software\":\"kith\"}")

static void server_start(struct server *s)
{
    assert_int_equal(kith_unix_listen("control.sock", 0600, &s->fd, NULL), KITH_OK);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->fd);
    (void)unlink("control.sock");
}

static void a_node_of_another_api_version_is_refused(void **state)
{
    struct server s = {.answers = 1, .answer = {ANSWER("\"result\":{\"api\":2}")}};
    struct kith_error e;

    (void)state;
    server_start(&s);
    e = not_connected(".");
    assert_string_equal(e.name, "VERSION");
    assert_non_null(strstr(e.message, "version 2 of the control API"));
    server_stop(&s);
}

/* The error of a call of `id` that is answered so. */
static struct kith_error answered_with(const char *answer)
{
    struct server s = {.answers = 2, .answer = {VERSION_1, answer}};
    struct kith_error e;
    struct kith *k;

    server_start(&s);
    k = connected(".");
    e = lab_refusal(k, "id", NULL);
    kith_close(k);
    server_stop(&s);
    return e;
}

static void answers_no_node_would_give_are_told_apart(void **state)
{
    (void)state;
    assert_string_equal(answered_with("what?\n").name, "PROTOCOL");
    assert_string_equal(answered_with(ANSWER("\"nothing\":1")).name, "PROTOCOL");
    assert_string_equal(answered_with(ANSWER("\"result\":{},\"error\":{}")).name, "PROTOCOL");
    assert_string_equal(answered_with("").name, "CLOSED");
    assert_string_equal(answered_with("{\"id\":1,\"resu").name, "CLOSED");
}

static void a_nodes_error_comes_through_with_its_remedy_and_exit_code(void **state)
{
    struct kith_error e = answered_with(
        ANSWER("\"error\":{\"code\":-20,\"message\":\"not you\",\"data\":{\"error\":\"PERM\","
               "\"blame\":\"host\",\"exit\":4,\"remedy\":\"ask root\"}}"));

    (void)state;
    assert_int_equal(e.code, KITH_ERROR_PERM);
    assert_int_equal(e.exit, 4);
    assert_string_equal(e.name, "PERM");
    assert_string_equal(e.message, "not you");
    assert_string_equal(e.remedy, "ask root");
}

static void an_error_of_a_newer_node_keeps_its_name(void **state)
{
    struct kith_error e = answered_with(
        ANSWER("\"error\":{\"code\":-99,\"message\":\"m\",\"data\":{\"error\":\"MOONPHASE\","
               "\"exit\":77}}"));

    (void)state;
    assert_string_equal(e.name, "MOONPHASE");
    assert_int_equal(e.code, KITH_ERROR_PROTOCOL);
    assert_int_equal(e.exit, 1);
}

static bool cancels(void *ctx, const char *item_json, size_t length)
{
    (void)item_json;
    (void)length;
    kith_cancel(ctx);
    return true;
}

#define ITEM "{\"jsonrpc\":\"2.0\",\"method\":\"item\",\"params\":{\"id\":1,\"item\":{}}}\n"

/* The node's last word counts, also when it comes after the cancelling. */
static int cancelled_call(const char *last)
{
    struct server s = {.answers = 2, .answer = {VERSION_1, ITEM}, .for_ever = true, .last = last};
    struct kith *k;
    int err;

    server_start(&s);
    k = connected(".");
    err = kith_call_items(k, "ping", "{\"name\":\"laptop\"}", cancels, k, NULL, NULL);
    kith_close(k);
    server_stop(&s);
    return err;
}

static void a_cancelled_call_ends_with_the_nodes_last_word_or_its_silence(void **state)
{
    (void)state;
    assert_int_equal(cancelled_call(ANSWER("\"error\":{\"code\":-16,\"message\":\"cancelled\","
                                           "\"data\":{\"error\":\"CANCELLED\"}}")),
                     KITH_ERROR_CANCELLED);
    assert_int_equal(cancelled_call(ANSWER("\"result\":{}")), 0);
    assert_int_equal(cancelled_call(""), KITH_ERROR_CANCELLED);
}

/* ---- names ---- */

static void codes_have_their_stable_names(void **state)
{
    (void)state;
    assert_int_equal(KITH_ERROR_NOTADMIN, -27); /* docs/spec/control.md has it as an example */
    assert_string_equal(kith_error_name(KITH_ERROR_NOTADMIN), "NOTADMIN");
    assert_string_equal(kith_error_name(0), "OK");
    assert_string_equal(kith_error_name(-1000), "UNKNOWN");
    assert_string_equal(kith_error_text(KITH_ERROR_CANCELLED), "cancelled");
}

#define T(name) cmocka_unit_test_setup_teardown(name, enter, lab_dir_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_node_with_a_control_socket_is_found_by_its_directory),
        T(kith_state_names_the_node_where_no_option_does),
        T(a_client_outlives_a_restart_of_the_node),
        T(without_a_node_it_says_how_to_start_one),
        T(a_path_no_socket_can_have_is_refused),
        T(a_node_of_another_api_version_is_refused),
        T(answers_no_node_would_give_are_told_apart),
        T(a_nodes_error_comes_through_with_its_remedy_and_exit_code),
        T(an_error_of_a_newer_node_keeps_its_name),
        T(a_cancelled_call_ends_with_the_nodes_last_word_or_its_silence),
        cmocka_unit_test(codes_have_their_stable_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
