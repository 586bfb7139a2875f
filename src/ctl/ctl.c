#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

/* The codes JSON-RPC 2.0 (section 5.1) reserves; other codes are kith_err numbers. */
enum {
    RPC_PARSE = -32700,
    RPC_REQUEST = -32600,
    RPC_METHOD = -32601,
    RPC_PARAMS = -32602,
};

int kith_ctl_error_set(struct kith_ctl_error *e, int err, const char *fmt, ...)
{
    va_list args;

    e->err = err;
    va_start(args, fmt);
    if (vsnprintf(e->message, sizeof e->message, fmt, args) < 0)
        e->message[0] = '\0';
    va_end(args);
    return err;
}

int kith_ctl_exit_code(int err)
{
    if (err == KITH_OK)
        return 0;
    if (err == KITH_E_INVAL)
        return 2;
    return err == KITH_E_PERM ? 4 : 1;
}

enum kith_ctl_grant kith_ctl_grant_for(uint32_t uid, uint32_t own_uid, bool in_group)
{
    return uid == 0 || uid == own_uid || in_group ? KITH_CTL_GRANT_ADMIN : KITH_CTL_GRANT_NONE;
}

void kith_ctl_init(struct kith_ctl *c, const struct kith_env *env, const struct kith_ctl_ops *ops,
                   void *ops_ctx)
{
    *c = (struct kith_ctl){.env = env, .ops = ops, .ops_ctx = ops_ctx};
}

void kith_ctl_fini(struct kith_ctl *c)
{
    for (size_t i = 0; i < KITH_CTL_CLIENTS; i++)
        if (c->client[i].open)
            kith_ctl_close(&c->client[i]);
}

struct kith_ctl_client *kith_ctl_client_at(struct kith_ctl *c, size_t i)
{
    return c->client[i].open ? &c->client[i] : NULL;
}

int kith_ctl_open(struct kith_ctl *c, enum kith_ctl_grant grant, uint32_t uid,
                  struct kith_ctl_client **ret)
{
    size_t i = 0;

    while (i < KITH_CTL_CLIENTS && c->client[i].open)
        i++;
    if (i == KITH_CTL_CLIENTS) {
        kith_event_control_refused(c->env->events, uid, "too many clients");
        return KITH_E_FULL;
    }
    uint8_t *line = kith_new_array(c->env->alloc, KITH_CTL_LINE_MAX, 1);
    if (line == NULL)
        return KITH_E_NOMEM;
    c->client[i] =
        (struct kith_ctl_client){.ctl = c, .open = true, .grant = grant, .uid = uid, .line = line};
    kith_buf_init(&c->client[i].out, c->env->alloc, KITH_CTL_OUTPUT_MAX);
    *ret = &c->client[i];
    return KITH_OK;
}

/* ---- calls ---- */

static struct kith_ctl_call *call_find(struct kith_ctl *c, uint64_t id,
                                       struct kith_ctl_client **ret)
{
    size_t place = id % ((size_t)KITH_CTL_CLIENTS * KITH_CTL_CALLS);
    struct kith_ctl_client *client = &c->client[place / KITH_CTL_CALLS];
    struct kith_ctl_call *call = &client->call[place % KITH_CTL_CALLS];

    if (id == 0 || call->id != id)
        return NULL;
    *ret = client;
    return call;
}

/* A free place, with an id that tells where it is and never comes again; NULL when all are taken.
 */
static struct kith_ctl_call *call_begin(struct kith_ctl_client *client, json_t *number,
                                        enum kith_ctl_method m, kith_time now)
{
    struct kith_ctl *c = client->ctl;
    size_t place = (size_t)(client - c->client) * KITH_CTL_CALLS;
    uint32_t seconds = kith_ctl_method_row(m)->seconds;
    size_t i = 0;

    while (i < KITH_CTL_CALLS && client->call[i].id != 0)
        i++;
    if (i == KITH_CTL_CALLS)
        return NULL;
    client->call[i] = (struct kith_ctl_call){
        .id = ++c->serial * KITH_CTL_CLIENTS * KITH_CTL_CALLS + place + i,
        .number = json_incref(number),
        .method = m,
        .end = seconds == 0 ? KITH_NEVER : kith_after(now, seconds * KITH_SEC),
    };
    return &client->call[i];
}

static void call_end(struct kith_ctl_call *call)
{
    json_decref(call->number);
    *call = (struct kith_ctl_call){.id = 0};
}

static void calls_cancel(struct kith_ctl_client *client)
{
    struct kith_ctl *c = client->ctl;

    for (size_t i = 0; i < KITH_CTL_CALLS; i++) {
        uint64_t id = client->call[i].id;
        if (id == 0)
            continue;
        call_end(&client->call[i]);
        c->ops->cancel(c->ops_ctx, id);
    }
}

void kith_ctl_close(struct kith_ctl_client *client)
{
    client->over = true;
    calls_cancel(client);
    explicit_bzero(client->line, client->line_n);
    kith_free(client->ctl->env->alloc, client->line);
    if (client->out.data != NULL)
        explicit_bzero(client->out.data, client->out.cap);
    kith_buf_fini(&client->out);
    *client = (struct kith_ctl_client){.open = false};
}

/* ---- output ---- */

/* A client that cannot be told something is cut off: it would wait for it in vain. */
static void cut_off(struct kith_ctl_client *client, const char *why)
{
    client->over = true;
    kith_buf_drop(&client->out, kith_buf_len(&client->out));
    kith_event_control_refused(client->ctl->env->events, client->uid, why);
    calls_cancel(client);
}

/* What is said may be a ticket. Others' values stay as they are. */
static void wipe(json_t *v)
{
    const char *key;
    json_t *part;
    size_t i;

    if (v == NULL || v->refcount != 1)
        return;
    if (json_is_string(v))
        explicit_bzero((char *)json_string_value(v), json_string_length(v));
    json_object_foreach(v, key, part) wipe(part);
    json_array_foreach(v, i, part) wipe(part);
}

/* Writes one line; takes message, which is NULL when memory ran out on the way. */
static void send_line(struct kith_ctl_client *client, json_t *message)
{
    static const size_t flags = JSON_COMPACT;
    size_t n = message == NULL ? 0 : json_dumpb(message, NULL, 0, flags);
    uint8_t *room = NULL;

    if (!client->over && n > 0) {
        room = kith_buf_room(&client->out, n + 1);
        if (room != NULL && json_dumpb(message, (char *)room, n, flags) == n) {
            room[n] = '\n';
            kith_buf_grew(&client->out, n + 1);
        } else {
            room = NULL;
        }
    }
    wipe(message);
    json_decref(message);
    if (room == NULL && !client->over)
        cut_off(client, n == 0 ? "out of memory" : "it does not read its answers");
}

struct kith_span kith_ctl_output(const struct kith_ctl_client *client)
{
    return kith_buf_span(&client->out);
}

void kith_ctl_sent(struct kith_ctl_client *client, size_t n)
{
    struct kith_span out = kith_buf_span(&client->out);

    if (n > 0 && n <= out.n)
        explicit_bzero(client->out.data + client->out.start, n);
    kith_buf_drop(&client->out, n);
}

bool kith_ctl_over(const struct kith_ctl_client *client)
{
    return client->over && kith_buf_len(&client->out) == 0;
}

static void send_result(struct kith_ctl_client *client, json_t *number, json_t *result)
{
    if (result == NULL)
        result = json_object();
    if (number == NULL)
        json_decref(result);
    else
        send_line(client,
                  json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", number, "result", result));
}

static const char *blame_text(int err)
{
    switch (kith_err_blame(err)) {
    case KITH_BLAME_NOBODY: return "nobody";
    case KITH_BLAME_CALLER: return "caller";
    case KITH_BLAME_PEER: return "peer";
    case KITH_BLAME_HOST: return "host";
    }
    return "nobody";
}

/* number is the request's id, json_null() when it could not be read, or NULL for a notification. */
static void send_error(struct kith_ctl_client *client, json_t *number, int code,
                       const struct kith_ctl_error *e)
{
    const char *message = e->message[0] == '\0' ? kith_err_text(e->err) : e->message;
    json_t *error, *data;

    if (number == NULL)
        return;
    data = json_pack("{s:s, s:s, s:i}", "error", kith_err_name(e->err), "blame", blame_text(e->err),
                     "exit", kith_ctl_exit_code(e->err));
    if (e->remedy[0] != '\0' && json_object_set_new(data, "remedy", json_string(e->remedy)) < 0) {
        json_decref(data);
        data = NULL;
    }
    error = json_pack("{s:i, s:s, s:o}", "code", code, "message", message, "data", data);
    send_line(client, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", number, "error", error));
}

static void refuse(struct kith_ctl_client *client, json_t *number, int code, int err,
                   const char *message)
{
    struct kith_ctl_error e = {.err = err};

    (void)kith_format(e.message, sizeof e.message, "%s", message);
    send_error(client, number, code, &e);
}

/* ---- answers ---- */

void kith_ctl_answer(struct kith_ctl *c, uint64_t call_id, json_t *result)
{
    struct kith_ctl_client *client;
    struct kith_ctl_call *call = call_find(c, call_id, &client);
    json_t *number;

    if (call == NULL) {
        json_decref(result);
        return;
    }
    number = json_incref(call->number);
    call_end(call);
    send_result(client, number, result);
    json_decref(number);
}

void kith_ctl_fail(struct kith_ctl *c, uint64_t call_id, const struct kith_ctl_error *error)
{
    struct kith_ctl_client *client;
    struct kith_ctl_call *call = call_find(c, call_id, &client);
    json_t *number;

    if (call == NULL)
        return;
    number = json_incref(call->number);
    call_end(call);
    send_error(client, number, error->err, error);
    json_decref(number);
}

int kith_ctl_notify(struct kith_ctl *c, uint64_t call_id, json_t *item)
{
    struct kith_ctl_client *client;
    struct kith_ctl_call *call = call_find(c, call_id, &client);

    if (call == NULL) {
        json_decref(item);
        return KITH_E_NOTFOUND;
    }
    if (call->number == NULL)
        json_decref(item);
    else
        send_line(client, json_pack("{s:s, s:s, s:{s:O, s:o}}", "jsonrpc", "2.0", "method", "item",
                                    "params", "id", call->number, "item", item));
    return KITH_OK;
}

/* Takes a call back from whoever works on it and answers it with err. */
static void take_back(struct kith_ctl *c, uint64_t call_id, int err)
{
    struct kith_ctl_error e = {.err = err};

    kith_ctl_fail(c, call_id, &e);
    c->ops->cancel(c->ops_ctx, call_id);
}

kith_time kith_ctl_deadline(const struct kith_ctl *c)
{
    kith_time first = KITH_NEVER;

    for (size_t i = 0; i < KITH_CTL_CLIENTS; i++)
        for (size_t k = 0; c->client[i].open && k < KITH_CTL_CALLS; k++)
            if (c->client[i].call[k].id != 0)
                first = kith_sooner(first, c->client[i].call[k].end);
    return first;
}

void kith_ctl_tick(struct kith_ctl *c, kith_time now)
{
    for (size_t i = 0; i < KITH_CTL_CLIENTS; i++)
        for (size_t k = 0; c->client[i].open && k < KITH_CTL_CALLS; k++) {
            const struct kith_ctl_call *call = &c->client[i].call[k];
            if (call->id != 0 && call->end <= now)
                take_back(c, call->id, KITH_E_TIMEOUT);
        }
}

/* ---- requests ---- */

static json_t *cancel_call(struct kith_ctl_client *client, const json_t *number)
{
    for (size_t i = 0; i < KITH_CTL_CALLS; i++) {
        const struct kith_ctl_call *call = &client->call[i];
        if (call->id != 0 && call->method != KITH_CTL_cancel && json_equal(call->number, number)) {
            take_back(client->ctl, call->id, KITH_E_CANCELLED);
            return json_pack("{s:b}", "cancelled", 1);
        }
    }
    return json_pack("{s:b}", "cancelled", 0);
}

/* Has the call handled. The handler may answer it, cancel it or cut the client off on the way. */
static void dispatch(struct kith_ctl_client *client, uint64_t id, enum kith_ctl_method m,
                     json_t *params)
{
    struct kith_ctl *c = client->ctl;
    struct kith_ctl_error error = {.err = 0};
    json_t *result = NULL;
    int err = KITH_OK;

    if (m == KITH_CTL_cancel)
        result = cancel_call(client, json_object_get(params, "id"));
    else
        err = c->ops->call(c->ops_ctx, id, m, params, &result, &error);
    if (err == KITH_OK) {
        kith_ctl_answer(c, id, result);
    } else if (err != KITH_E_AGAIN) {
        error.err = err;
        kith_ctl_fail(c, id, &error);
    }
}

/* A request whose envelope is right. */
static void request(struct kith_ctl_client *client, json_t *number, const char *name,
                    json_t *params, kith_time now)
{
    struct kith_ctl_call *call;
    enum kith_ctl_method m;
    const char *nearest;
    char why[200];

    if (kith_ctl_method_find(name, &m, &nearest) < 0) {
        (void)kith_format(why, sizeof why, "unknown method %.64s%s%s%s", name,
                          nearest == NULL ? "" : " (did you mean ", nearest == NULL ? "" : nearest,
                          nearest == NULL ? "" : "?)");
        refuse(client, number, RPC_METHOD, KITH_E_NOTFOUND, why);
    } else if (client->grant < kith_ctl_method_row(m)->grant) {
        (void)kith_format(why, sizeof why, "user %u may not call %s", client->uid, name);
        kith_event_control_refused(client->ctl->env->events, client->uid, why);
        refuse(client, number, KITH_E_PERM, KITH_E_PERM, why);
        client->over = client->grant == KITH_CTL_GRANT_NONE;
    } else if (kith_ctl_params_check(m, params, why, sizeof why) < 0) {
        refuse(client, number, RPC_PARAMS, KITH_E_INVAL, why);
    } else if ((call = call_begin(client, number, m, now)) == NULL) {
        refuse(client, number, KITH_E_FULL, KITH_E_FULL,
               "too many calls at once on one connection");
    } else {
        dispatch(client, call->id, m, params);
    }
    if (kith_ctl_method_find(name, &m, &nearest) == KITH_OK)
        kith_ctl_params_wipe(m, params);
}

static bool number_valid(const json_t *number)
{
    return number == NULL || json_is_string(number) || json_is_number(number) ||
           json_is_null(number);
}

static void line_take(struct kith_ctl_client *client, const uint8_t *line, size_t n, kith_time now)
{
    json_t *message =
        json_loadb((const char *)line, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    json_t *number = json_object_get(message, "id"), *null = json_null();
    const char *version = json_string_value(json_object_get(message, "jsonrpc"));
    const char *method = json_string_value(json_object_get(message, "method"));

    if (message == NULL)
        refuse(client, null, RPC_PARSE, KITH_E_MALFORMED, "the line is not a JSON value");
    else if (json_is_array(message))
        refuse(client, null, RPC_REQUEST, KITH_E_UNSUPPORTED,
               "no batches: send one request a line");
    else if (version == NULL || strcmp(version, "2.0") != 0 || method == NULL ||
             !number_valid(number))
        refuse(client, null, RPC_REQUEST, KITH_E_MALFORMED, "the line is no JSON-RPC 2.0 request");
    else
        request(client, number, method, json_object_get(message, "params"), now);
    json_decref(message);
}

/* Takes the whole lines out of client->line, and overwrites them: they may carry a passphrase. */
static void lines_take(struct kith_ctl_client *client, kith_time now)
{
    size_t done = 0;

    while (!client->over) {
        const uint8_t *line = client->line + done;
        const uint8_t *end = memchr(line, '\n', client->line_n - done);
        if (end == NULL)
            break;
        if (end > line)
            line_take(client, line, (size_t)(end - line), now);
        done = (size_t)(end - client->line) + 1;
    }
    memmove(client->line, client->line + done, client->line_n - done);
    explicit_bzero(client->line + client->line_n - done, done);
    client->line_n -= done;
}

void kith_ctl_feed(struct kith_ctl_client *client, struct kith_span in, kith_time now)
{
    while (in.n > 0 && !client->over) {
        size_t room = KITH_CTL_LINE_MAX - client->line_n;
        size_t n = in.n < room ? in.n : room;
        memcpy(client->line + client->line_n, in.p, n);
        client->line_n += n;
        in = (struct kith_span){in.p + n, in.n - n};
        lines_take(client, now);
        if (client->line_n == KITH_CTL_LINE_MAX && !client->over) {
            refuse(client, json_null(), RPC_REQUEST, KITH_E_LIMIT, "a request has at most 64 KiB");
            client->over = true;
            calls_cancel(client);
        }
    }
}
