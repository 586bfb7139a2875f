/* Calls over the control socket: one connection and one call per command. */

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "os/unix_socket.h"

enum {
    ANSWER_SLACK_MS = 5000, /* the node answers TIMEOUT itself; this long after that it is stuck */
    SEND_MS = 5000,         /* a node that takes no request for so long is stuck */
    DOWN_MS = 10000,        /* the node promises to end within 5 s */
};

struct client {
    struct kith_cmd *c;
    int fd;
    enum kith_ctl_method method;
    kith_cmd_item *item;
    void *ctx;
    char *in; /* KITH_CTL_OUTPUT_MAX bytes: more than one line */
    size_t in_n;
    bool cancelled;
};

/* Set by Ctrl-C while a call lasts: the one thing a signal can reach. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void watch_interrupt(void)
{
    struct sigaction act = {.sa_handler = on_interrupt}; /* no SA_RESTART: poll() must return */

    (void)sigaction(SIGINT, &act, NULL);
}

/* ---- the connection ---- */

/* Tries the places in turn; KITH_E_PERM when one is there and closed to us, else KITH_E_NOTFOUND.
 */
static int connect_first(const struct kith_args *a, int *ret_fd, char *place, size_t cap)
{
    int result = KITH_E_NOTFOUND;

    for (size_t i = 0;; i++) {
        char path[KITH_CONF_PATH];
        int err = kith_cmd_socket_place(a, i, path, sizeof path);
        if (err < 0)
            return result;
        err = kith_unix_connect(path, ret_fd, NULL);
        if (err == KITH_OK || (err == KITH_E_PERM && result != KITH_E_PERM))
            (void)kith_format(place, cap, "%s", path);
        if (err == KITH_OK)
            return KITH_OK;
        if (err == KITH_E_PERM || err == KITH_E_INVAL)
            result = err;
    }
}

static int fail_to_connect(const struct kith_args *a, int err, const char *place)
{
    char state[KITH_CONF_PATH];

    if (err == KITH_E_PERM)
        return kith_cmd_fail(KITH_EXIT_PERMISSION,
                             "permission denied on %s (run as root, or join its group: usermod -aG "
                             "kith $USER, then log in again)",
                             place);
    if (err == KITH_E_INVAL)
        return kith_cmd_fail(KITH_EXIT_FAILED,
                             "the state directory's path is too long: a socket's path has at most "
                             "%d bytes",
                             KITH_UNIX_PATH_MAX);
    if (kith_cmd_state_dir(a, state, sizeof state) < 0)
        return kith_cmd_fail(KITH_EXIT_NO_NODE, "no node is running (start one with: kith up)");
    return kith_cmd_fail(KITH_EXIT_NO_NODE, "no node is running for %s (start one with: kith up)",
                         state);
}

bool kith_cmd_answers(const char *socket_path)
{
    int fd;

    if (kith_unix_connect(socket_path, &fd, NULL) < 0)
        return false;
    (void)close(fd);
    return true;
}

bool kith_cmd_running(struct kith_cmd *c)
{
    char place[KITH_CONF_PATH];
    int fd = -1, err = connect_first(c->args, &fd, place, sizeof place);

    if (err == KITH_OK)
        (void)close(fd);
    return err != KITH_E_NOTFOUND;
}

/* ---- requests ---- */

/* Sends a request line; takes params. */
static int send_request(struct client *k, int id, const char *method, json_t *params)
{
    json_t *request = json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", id, "method",
                                method, "params", params);
    char *line = json_dumps(request, JSON_COMPACT);
    int err = KITH_E_NOMEM;

    if (line != NULL && strlen(line) + 1 > KITH_CTL_LINE_MAX)
        err = KITH_E_TOOBIG;
    else if (line != NULL)
        err = kith_unix_send_all(k->fd, kith_span_text(line), SEND_MS);
    if (err == KITH_OK)
        err = kith_unix_send_all(k->fd, kith_span_text("\n"), SEND_MS);
    if (line != NULL)
        explicit_bzero(line, strlen(line)); /* may carry a passphrase */
    free(line);
    json_decref(request);
    return err;
}

static void cancel(struct client *k)
{
    if (!k->cancelled)
        (void)send_request(k, 2, "cancel", json_pack("{s:i}", "id", 1));
    k->cancelled = true;
}

/* ---- answers ---- */

/* The next line as JSON, NULL when it is incomplete yet; *ret_bad when it is no JSON. */
static json_t *next_line(struct client *k, bool *ret_bad)
{
    const char *end = memchr(k->in, '\n', k->in_n);
    json_t *message;
    size_t n;

    if (end == NULL)
        return NULL;
    n = (size_t)(end - k->in);
    message = json_loadb(k->in, n, 0, NULL);
    *ret_bad = message == NULL;
    k->in_n -= n + 1;
    memmove(k->in, end + 1, k->in_n);
    return message;
}

/* One message. Returns whether it is the answer, in *ret_result or *ret_error. */
static bool take(struct client *k, const json_t *message, json_t **ret_result, json_t **ret_error)
{
    const json_t *id = json_object_get(message, "id");
    const json_t *params = json_object_get(message, "params");

    if (id == NULL) {
        const json_t *item = json_object_get(params, "item");
        if (item != NULL && k->item != NULL && !k->cancelled && !k->item(k->ctx, item))
            cancel(k);
        return false;
    }
    if (json_is_integer(id) && json_integer_value(id) != 1)
        return false;
    *ret_result = json_incref(json_object_get(message, "result"));
    *ret_error = json_incref(json_object_get(message, "error"));
    return true;
}

static int receive(struct client *k)
{
    uint32_t seconds = kith_ctl_method_row(k->method)->seconds;
    int timeout = seconds == 0 ? -1 : (int)(seconds * 1000) + ANSWER_SLACK_MS;
    size_t n = 0;
    int err = KITH_E_LIMIT;

    if (interrupted)
        cancel(k);
    if (k->in_n < KITH_CTL_OUTPUT_MAX)
        err = kith_unix_recv(k->fd, k->in + k->in_n, KITH_CTL_OUTPUT_MAX - k->in_n,
                             k->cancelled ? ANSWER_SLACK_MS : timeout, &n);
    k->in_n += n;
    return err == KITH_E_CANCELLED && interrupted ? KITH_OK : err;
}

static int wait_answer(struct client *k, json_t **ret_result, json_t **ret_error)
{
    for (;;) {
        bool bad = false, answered;
        json_t *message = next_line(k, &bad);
        if (bad)
            return KITH_E_PROTOCOL;
        if (message == NULL) {
            int err = receive(k);
            if (err < 0)
                return err;
            continue;
        }
        answered = take(k, message, ret_result, ret_error);
        json_decref(message);
        if (answered)
            return *ret_result == NULL && *ret_error == NULL ? KITH_E_PROTOCOL : KITH_OK;
    }
}

/* Prints the error a node answered with; returns its exit code. */
static int tell_error(const json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *remedy = json_string_value(json_object_get(data, "remedy"));
    json_int_t code = json_integer_value(json_object_get(data, "exit"));
    const char *message = json_string_value(json_object_get(error, "message"));

    if (code < KITH_EXIT_FAILED || code > KITH_EXIT_PERMISSION)
        code = KITH_EXIT_FAILED;
    return kith_cmd_fail((int)code, "%s%s%s", message == NULL ? "the node refused" : message,
                         remedy == NULL ? "" : "\n      ", remedy == NULL ? "" : remedy);
}

static int finish(struct client *k, int err, json_t *result, json_t *error, json_t **ret_result)
{
    int code = KITH_EXIT_OK;

    kith_cmd_progress(k->c, NULL);
    if (k->cancelled && (err == KITH_OK || err == KITH_E_TIMEOUT || err == KITH_E_CLOSED))
        *ret_result = NULL;
    else if (err == KITH_E_CLOSED)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "the node ended before it answered");
    else if (err < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "no answer from the node: %s", kith_err_text(err));
    else if (error != NULL)
        code = tell_error(error);
    else
        *ret_result = json_incref(result);
    json_decref(result);
    json_decref(error);
    return code;
}

static int call(struct client *k, json_t *params, json_t **ret_result)
{
    json_t *result = NULL, *error = NULL;
    int err;

    k->in = malloc(KITH_CTL_OUTPUT_MAX);
    if (k->in == NULL) {
        json_decref(params);
        return kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    }
    watch_interrupt();
    err = send_request(k, 1, kith_ctl_method_row(k->method)->name, params);
    if (err == KITH_OK)
        err = wait_answer(k, &result, &error);
    free(k->in);
    return finish(k, err, result, error, ret_result);
}

int kith_cmd_call(struct kith_cmd *c, enum kith_ctl_method m, json_t *params, kith_cmd_item *item,
                  void *ctx, json_t **ret_result)
{
    struct client k = {.c = c, .method = m, .item = item, .ctx = ctx};
    char place[KITH_CONF_PATH] = "";
    int err = connect_first(c->args, &k.fd, place, sizeof place);
    int code;

    if (err < 0) {
        json_decref(params);
        return fail_to_connect(c->args, err, place);
    }
    code = call(&k, params, ret_result);
    (void)close(k.fd);
    return code;
}

int kith_cmd_ask(struct kith_cmd *c, enum kith_ctl_method m, json_t *params, json_t **ret_result)
{
    json_t *result = NULL;
    int code = kith_cmd_call(c, m, params, NULL, NULL, &result);

    if (code != KITH_EXIT_OK)
        return code;
    if (result == NULL)
        return kith_cmd_fail(KITH_EXIT_FAILED, "interrupted");
    *ret_result = NULL;
    if (c->json)
        return kith_cmd_json(result);
    *ret_result = result;
    return KITH_EXIT_OK;
}

/* Waits until the node has closed the connection and its process has ended. */
static int wait_end(int fd, int process)
{
    char rest[256];
    size_t n;
    int err;

    do {
        err = kith_unix_recv(fd, rest, sizeof rest, DOWN_MS, &n);
    } while (err == KITH_OK);
    if (err != KITH_E_CLOSED)
        return err;
    return process < 0 ? KITH_OK : kith_unix_process_wait(process, DOWN_MS);
}

int kith_cmd_call_down(struct kith_cmd *c, json_t **ret_result)
{
    struct client k = {.c = c, .method = KITH_CTL_down};
    char place[KITH_CONF_PATH] = "";
    int process = -1, code, err = connect_first(c->args, &k.fd, place, sizeof place);

    if (err < 0)
        return fail_to_connect(c->args, err, place);
    if (kith_unix_peer_process(k.fd, &process) < 0)
        process = -1; /* of another container: the end of the connection has to do */
    kith_cmd_progress(c, "ending the node");
    code = call(&k, NULL, ret_result);
    if (code == KITH_EXIT_OK && wait_end(k.fd, process) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "the node has not ended yet");
    if (process >= 0)
        (void)close(process);
    (void)close(k.fd);
    return code;
}

const char *kith_cmd_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

uint64_t kith_cmd_number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n < 0 ? 0 : (uint64_t)n;
}
