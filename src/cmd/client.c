/* Calls over the control socket: one connection and one call per command. */

#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "ctl/client.h"
#include "os/unix_socket.h"

enum {
    DOWN_MS = 10000, /* the node promises to end within 5 s */
};

struct call {
    struct kith_cmd *c;
    struct kith_client client;
    kith_cmd_item *item;
    void *ctx;
    bool enough; /* `item` wants no more */
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

static int client_connect(const struct kith_args *a, int *ret_fd, struct kith_ctl_error *e)
{
    return kith_client_connect(kith_args_value(a, "state", NULL), ret_fd, e);
}

static int fail_to_connect(int err, const struct kith_ctl_error *e)
{
    bool remedy = e->remedy[0] != '\0';

    return kith_cmd_fail(kith_client_exit_code(err), "%s%s%s%s", e->message, remedy ? " (" : "",
                         e->remedy, remedy ? ")" : "");
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
    struct kith_ctl_error e;
    int fd = -1, err = client_connect(c->args, &fd, &e);

    if (err == KITH_OK)
        (void)close(fd);
    return err != KITH_E_NOTFOUND;
}

/* ---- the call ---- */

static void on_item(void *ctx, const json_t *item)
{
    struct call *k = ctx;

    if (k->item != NULL && !k->enough && !k->item(k->ctx, item))
        k->enough = true;
}

static bool is_cancelled(void *ctx)
{
    struct call *k = ctx;

    if ((interrupted || k->enough) && !k->cancelled) {
        (void)!kith_client_cancel(&k->client);
        k->cancelled = true;
    }
    return k->cancelled;
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

static int finish(struct call *k, int err, json_t *result, json_t *error, json_t **ret_result)
{
    bool unwanted = k->cancelled || k->enough;
    int code = KITH_EXIT_OK;

    kith_cmd_progress(k->c, NULL);
    if (unwanted && (err == KITH_OK || err == KITH_E_TIMEOUT || err == KITH_E_CLOSED))
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

/* Takes params. */
static int call(struct call *k, int fd, enum kith_ctl_method m, json_t *params, json_t **ret_result)
{
    const struct kith_client_watch watch = {.item = on_item, .cancelled = is_cancelled, .ctx = k};
    json_t *result = NULL, *error = NULL;
    int err;

    if (kith_client_init(&k->client, fd, m) < 0) {
        json_decref(params);
        return kith_cmd_fail(KITH_EXIT_FAILED, "out of memory");
    }
    watch_interrupt();
    err = kith_client_send(&k->client, params);
    if (err == KITH_OK)
        err = kith_client_wait(&k->client, &watch, &result, &error);
    kith_client_fini(&k->client);
    json_decref(params);
    return finish(k, err, result, error, ret_result);
}

int kith_cmd_call(struct kith_cmd *c, enum kith_ctl_method m, json_t *params, kith_cmd_item *item,
                  void *ctx, json_t **ret_result)
{
    struct call k = {.c = c, .item = item, .ctx = ctx};
    struct kith_ctl_error e;
    int fd, code, err = client_connect(c->args, &fd, &e);

    if (err < 0) {
        json_decref(params);
        return fail_to_connect(err, &e);
    }
    code = call(&k, fd, m, params, ret_result);
    (void)close(fd);
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
    struct call k = {.c = c};
    struct kith_ctl_error e;
    int fd, process = -1, code, err = client_connect(c->args, &fd, &e);

    if (err < 0)
        return fail_to_connect(err, &e);
    if (kith_unix_peer_process(fd, &process) < 0)
        process = -1; /* of another container: the end of the connection has to do */
    kith_cmd_progress(c, "ending the node");
    code = call(&k, fd, KITH_CTL_down, NULL, ret_result);
    if (code == KITH_EXIT_OK && wait_end(fd, process) < 0)
        code = kith_cmd_fail(KITH_EXIT_FAILED, "the node has not ended yet");
    if (process >= 0)
        (void)close(process);
    (void)close(fd);
    return code;
}

const char *kith_cmd_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

static const char *bound_text(uint64_t v, kith_dur unit, char *buf, size_t cap)
{
    return unit == 0 ? kith_format(buf, cap, "%llu", (unsigned long long)v)
                     : kith_dur_text((kith_dur)v * unit, buf, cap);
}

int kith_cmd_within(enum kith_ctl_method m, const char *param, uint64_t v, const char *option,
                    kith_dur unit)
{
    const struct kith_ctl_param *p = kith_ctl_method_row(m)->param;
    char least[32], most[32];

    while (p->name != NULL && strcmp(p->name, param) != 0)
        p++;
    if (p->name == NULL || (v >= p->least && v <= p->most))
        return KITH_EXIT_OK; /* the node judges it, too */
    return kith_cmd_fail(KITH_EXIT_USAGE, "%s must be from %s to %s", option,
                         bound_text(p->least, unit, least, sizeof least),
                         bound_text(p->most, unit, most, sizeof most));
}

uint64_t kith_cmd_number(const json_t *object, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(object, name));
    return n < 0 ? 0 : (uint64_t)n;
}
