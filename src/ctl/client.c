#include "ctl/client.h"

#include <stdlib.h>

#include "base/text.h"
#include "ctl/place.h"
#include "os/files.h"
#include "os/process.h"
#include "os/unix_socket.h"

enum {
    SEND_MS = 5000,  /* a node that takes no request for so long is stuck */
    SLACK_MS = 5000, /* the node answers TIMEOUT itself; so long after that it is stuck */
    CALL_ID = 1,
    CANCEL_ID = 2,
};

/* ---- the connection ---- */

/* Tries the places in turn; KITH_E_PERM or KITH_E_INVAL when one is there and closed to us. */
static int connect_first(const char *named, int *ret_fd, char *place, size_t cap)
{
    int result = KITH_E_NOTFOUND;

    for (size_t i = 0;; i++) {
        char path[KITH_PATH_MAX];
        int err = kith_place_socket(named, i, path, sizeof path);
        if (err < 0)
            return result;
        err = kith_unix_connect(path, ret_fd, NULL);
        if (err == KITH_OK)
            return KITH_OK;
        if (err == KITH_E_PERM && result != KITH_E_PERM)
            (void)kith_format(place, cap, "%s", path);
        if (err == KITH_E_PERM || err == KITH_E_INVAL)
            result = err;
    }
}

static void remedy(struct kith_ctl_error *e, const char *text)
{
    (void)kith_format(e->remedy, sizeof e->remedy, "%s", text);
}

int kith_client_connect(const char *named, int *ret_fd, struct kith_ctl_error *e)
{
    char place[KITH_UNIX_PATH_MAX + 1] = "", state[KITH_PATH_MAX];
    int err = connect_first(named, ret_fd, place, sizeof place);

    if (err == KITH_OK)
        return KITH_OK;
    e->remedy[0] = '\0';
    if (err == KITH_E_PERM) {
        remedy(e, "run as root, or join its group: usermod -aG kith $USER, then log in again");
        return kith_ctl_error_set(e, err, "permission denied on %s", place);
    }
    if (err == KITH_E_INVAL)
        return kith_ctl_error_set(e, err,
                                  "the state directory's path is too long: a socket's path has at "
                                  "most %d bytes",
                                  KITH_UNIX_PATH_MAX);
    remedy(e, "start one with: kith up");
    if (kith_place_state(named, state, sizeof state) < 0)
        return kith_ctl_error_set(e, err, "no node is running");
    return kith_ctl_error_set(e, err, "no node is running for %s", state);
}

int kith_client_exit_code(int connect_err)
{
    if (connect_err == KITH_E_NOTFOUND)
        return 3;
    return connect_err == KITH_E_PERM ? 4 : 1;
}

/* ---- requests ---- */

char *kith_client_text(const json_t *value, size_t *ret_len)
{
    size_t n = value == NULL ? 0 : json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = n == 0 ? NULL : malloc(n + 1);

    if (text == NULL)
        return NULL;
    if (json_dumpb(value, text, n, JSON_COMPACT) != n) { /* jansson had no memory */
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *ret_len = n;
    return text;
}

int kith_client_init(struct kith_client *k, int fd, enum kith_ctl_method m)
{
    *k = (struct kith_client){
        .fd = fd, .method = m, .answer_by = KITH_NEVER, .in = malloc(KITH_CTL_OUTPUT_MAX)};
    return k->in == NULL ? KITH_E_NOMEM : KITH_OK;
}

void kith_client_fini(struct kith_client *k)
{
    if (k->in != NULL)
        explicit_bzero(k->in, k->in_most); /* answers may carry a ticket */
    free(k->in);
    k->in = NULL;
}

/* Takes the request, NULL when there was no memory for it. */
static int send_line(const struct kith_client *k, json_t *request)
{
    size_t n = 0;
    char *line = kith_client_text(request, &n);
    int err = KITH_E_NOMEM;

    if (line != NULL && n + 1 > KITH_CTL_LINE_MAX) {
        err = KITH_E_TOOBIG;
    } else if (line != NULL) {
        line[n] = '\n'; /* instead of the NUL: the line leaves whole */
        err = kith_unix_send_all(k->fd, (struct kith_span){(const uint8_t *)line, n + 1}, SEND_MS);
    }
    if (line != NULL)
        explicit_bzero(line, n); /* may carry a passphrase */
    free(line);
    json_decref(request);
    return err;
}

int kith_client_send(struct kith_client *k, json_t *params)
{
    const struct kith_ctl_method_row *row = kith_ctl_method_row(k->method);
    struct kith_now now;

    kith_clock_now(&now);
    if (row->seconds != 0)
        k->answer_by = kith_after(now.mono, row->seconds * KITH_SEC + SLACK_MS * KITH_MSEC);
    return send_line(k, json_pack("{s:s, s:i, s:s, s:O*}", "jsonrpc", "2.0", "id", (int)CALL_ID,
                                  "method", row->name, "params", params));
}

int kith_client_cancel(const struct kith_client *k)
{
    return send_line(k,
                     json_pack("{s:s, s:i, s:s, s:{s:i}}", "jsonrpc", "2.0", "id", (int)CANCEL_ID,
                               "method", "cancel", "params", "id", (int)CALL_ID));
}

/* ---- answers ---- */

int kith_client_parse_error(const json_error_t *why, int malformed)
{
    enum json_error_code code = json_error_code(why);

    /* where it had no memory to begin it says nothing at all */
    return code == json_error_out_of_memory || code == json_error_unknown ? KITH_E_NOMEM
                                                                          : malformed;
}

/* The next line as JSON, the caller's; KITH_E_AGAIN when it is incomplete yet. */
static int next_line(struct kith_client *k, json_t **ret)
{
    const char *end = memchr(k->in, '\n', k->in_n);
    json_error_t why = {.text = ""};
    json_t *message;
    size_t n;

    if (end == NULL)
        return KITH_E_AGAIN;
    n = (size_t)(end - k->in);
    message = json_loadb(k->in, n, 0, &why);
    if (message == NULL)
        return kith_client_parse_error(&why, KITH_E_PROTOCOL);
    k->in_n -= n + 1;
    memmove(k->in, end + 1, k->in_n);
    *ret = message;
    return KITH_OK;
}

/* One message. Returns whether it is the answer, in *ret_result or *ret_error. */
static bool take(const struct kith_client *k, const struct kith_client_watch *w,
                 const json_t *message, json_t **ret_result, json_t **ret_error)
{
    const json_t *id = json_object_get(message, "id");

    if (id == NULL) {
        const json_t *item = json_object_get(json_object_get(message, "params"), "item");
        if (item != NULL && w->item != NULL && !k->cancelled)
            w->item(w->ctx, item);
        return false;
    }
    if (json_is_integer(id) && json_integer_value(id) != CALL_ID)
        return false;
    *ret_result = json_incref(json_object_get(message, "result"));
    *ret_error = json_incref(json_object_get(message, "error"));
    return true;
}

/* How long the next wait may take, in ms; 0 when the time is over. */
static int patience(const struct kith_client *k, kith_time now)
{
    kith_dur left = kith_since(k->answer_by, now) / KITH_MSEC;

    return left > SLACK_MS ? SLACK_MS : (int)left;
}

static int receive(struct kith_client *k, const struct kith_client_watch *w)
{
    struct kith_now now;
    size_t n = 0;
    int err, ms;

    kith_clock_now(&now);
    if (!k->cancelled && w->cancelled != NULL && w->cancelled(w->ctx)) {
        k->cancelled = true;
        k->answer_by = kith_sooner(k->answer_by, kith_after(now.mono, SLACK_MS * KITH_MSEC));
    }
    if (k->in_n == KITH_CTL_OUTPUT_MAX)
        return KITH_E_LIMIT;
    ms = patience(k, now.mono);
    if (ms == 0)
        return KITH_E_TIMEOUT;
    err = kith_unix_recv(k->fd, k->in + k->in_n, KITH_CTL_OUTPUT_MAX - k->in_n, ms, &n);
    k->in_n += n;
    k->in_most = k->in_n > k->in_most ? k->in_n : k->in_most;
    return err == KITH_E_TIMEOUT || err == KITH_E_CANCELLED ? KITH_OK : err; /* asked anew */
}

int kith_client_wait(struct kith_client *k, const struct kith_client_watch *watch,
                     json_t **ret_result, json_t **ret_error)
{
    for (;;) {
        json_t *message, *result, *error;
        bool answered = false;
        int err = next_line(k, &message);
        if (err == KITH_OK) {
            answered = take(k, watch, message, &result, &error);
            json_decref(message);
        } else if (err == KITH_E_AGAIN) {
            err = receive(k, watch);
        }
        if (err < 0)
            return err;
        if (!answered)
            continue;
        if ((result == NULL) == (error == NULL)) {
            json_decref(result);
            json_decref(error);
            return KITH_E_PROTOCOL;
        }
        *ret_result = result;
        *ret_error = error;
        return KITH_OK;
    }
}
