/* Calls: a connection each, in the thread that makes them; others may cancel them. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/handle.h"
#include "base/text.h"

/* What the watch of a call needs. */
struct under_way {
    struct kith_call_slot *slot;
    const struct kith_item_sink *sink; /* NULL: items are not wanted */
    bool no_memory;                    /* for an item: the call cannot be whole any more */
};

/* ---- the table ---- */

static struct kith_call_slot *slot_take(struct kith *k)
{
    struct kith_call_slot *slot = NULL;

    (void)pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < KITH_CALLS_MAX && slot == NULL; i++)
        if (!k->call[i].taken)
            slot = &k->call[i];
    if (slot != NULL)
        slot->taken = true;
    (void)pthread_mutex_unlock(&k->lock);
    return slot;
}

static void slot_give_back(struct kith *k, struct kith_call_slot *slot)
{
    (void)pthread_mutex_lock(&k->lock);
    slot->taken = false;
    (void)pthread_mutex_unlock(&k->lock);
}

static void slot_activate(struct kith_call_slot *slot, bool active)
{
    (void)pthread_mutex_lock(&slot->lock);
    slot->active = active;
    slot->sent = slot->cancelled = false;
    (void)pthread_mutex_unlock(&slot->lock);
}

/* A call that has not been sent yet sees the mark instead. */
static void slot_cancel(struct kith_call_slot *slot)
{
    (void)pthread_mutex_lock(&slot->lock);
    if (slot->active && !slot->cancelled) {
        slot->cancelled = true;
        if (slot->sent)
            (void)!kith_client_cancel(&slot->client); /* else its waiting ends 5 s later */
    }
    (void)pthread_mutex_unlock(&slot->lock);
}

static bool slot_cancelled(struct kith_call_slot *slot)
{
    bool cancelled;

    (void)pthread_mutex_lock(&slot->lock);
    cancelled = slot->cancelled;
    (void)pthread_mutex_unlock(&slot->lock);
    return cancelled;
}

static int slot_send(struct kith_call_slot *slot, json_t *params)
{
    int err = KITH_E_CANCELLED;

    (void)pthread_mutex_lock(&slot->lock);
    if (!slot->cancelled)
        err = kith_client_send(&slot->client, params);
    slot->sent = err == KITH_OK;
    (void)pthread_mutex_unlock(&slot->lock);
    return err;
}

void kith_cancel(struct kith *k)
{
    for (size_t i = 0; k != NULL && i < KITH_CALLS_MAX; i++)
        slot_cancel(&k->call[i]);
}

/* ---- a call ---- */

static void on_item(void *ctx, const json_t *item)
{
    struct under_way *u = ctx;
    size_t n;
    char *text;

    if (u->sink == NULL || u->sink->item == NULL || slot_cancelled(u->slot))
        return;
    text = kith_client_text(item, &n);
    u->no_memory = text == NULL;
    if (text == NULL || !u->sink->item(u->sink->ctx, text, n))
        slot_cancel(u->slot);
    free(text);
}

static bool on_question(void *ctx)
{
    const struct under_way *u = ctx;
    return slot_cancelled(u->slot);
}

/* What came of a call that got no answer. */
static int unanswered(struct under_way *u, int err, struct kith_error *e)
{
    if (u->no_memory)
        return kith_error_set(e, KITH_E_NOMEM, "out of memory for an item");
    if (err == KITH_E_CANCELLED || slot_cancelled(u->slot))
        return kith_error_set(e, KITH_E_CANCELLED, "cancelled");
    if (err == KITH_E_CLOSED)
        return kith_error_set(e, err, "the node ended before it answered, or cut this call off");
    if (err == KITH_E_TOOBIG)
        return kith_error_set(e, err, "a request has at most %d bytes", KITH_PARAMS_MAX);
    return kith_error_set(e, err, "no answer from the node: %s", kith_err_text(err));
}

/* Takes result and error, of which there is one. */
static int answered(const struct under_way *u, json_t *result, json_t *error, json_t **ret_result,
                    struct kith_error *e)
{
    int err = KITH_OK;

    if (u->no_memory)
        err = kith_error_set(e, KITH_E_NOMEM, "out of memory for an item");
    else if (error != NULL)
        err = kith_error_from_json(e, error);
    else
        *ret_result = json_incref(result);
    json_decref(result);
    json_decref(error);
    return err;
}

/* One call over the connection at fd. */
static int converse(struct kith_call_slot *slot, int fd, enum kith_ctl_method m, json_t *params,
                    const struct kith_item_sink *sink, json_t **ret_result, struct kith_error *e)
{
    struct under_way u = {.slot = slot, .sink = sink};
    const struct kith_client_watch watch = {.item = on_item, .cancelled = on_question, .ctx = &u};
    json_t *result = NULL, *error = NULL;
    int err = kith_client_init(&slot->client, fd, m);

    if (err < 0)
        return kith_error_set(e, err, "out of memory");
    err = slot_send(slot, params);
    if (err == KITH_OK)
        err = kith_client_wait(&slot->client, &watch, &result, &error);
    err = err < 0 ? unanswered(&u, err, e) : answered(&u, result, error, ret_result, e);
    slot_activate(slot, false); /* from here on nobody else uses client */
    kith_client_fini(&slot->client);
    return err;
}

static int dial(struct kith *k, int *ret_fd, struct kith_error *e)
{
    struct kith_ctl_error why = {.err = KITH_OK};
    int err;

    if (k->node == NULL) {
        err = kith_client_connect(k->state_dir, ret_fd, &why);
        return err < 0 ? kith_error_from_connect(e, &why) : KITH_OK;
    }
    err = kith_hosted_dial(k->node, ret_fd);
    if (err == KITH_E_CLOSED)
        return kith_error_set(e, err, "the node has ended");
    return err < 0 ? kith_error_set(e, err, "cannot reach the node: %s", kith_err_text(err))
                   : KITH_OK;
}

int kith_handle_call(struct kith *k, enum kith_ctl_method m, json_t *params,
                     const struct kith_item_sink *sink, json_t **ret_result,
                     struct kith_error *ret_error)
{
    struct kith_call_slot *slot = slot_take(k);
    int fd, err;

    if (slot == NULL)
        return kith_error_set(ret_error, KITH_E_FULL, "%d calls are under way on this handle",
                              KITH_CALLS_MAX);
    slot_activate(slot, true);
    err = dial(k, &fd, ret_error);
    if (err == KITH_OK) {
        err = converse(slot, fd, m, params, sink, ret_result, ret_error);
        (void)close(fd);
    }
    slot_activate(slot, false);
    slot_give_back(k, slot);
    return err;
}

/* ---- the public calls ---- */

static int method_of(const char *name, enum kith_ctl_method *ret, struct kith_error *e)
{
    const char *nearest = NULL;

    if (kith_ctl_method_find(name, ret, &nearest) == KITH_OK)
        return KITH_OK;
    return kith_error_set(e, KITH_E_NOTFOUND, "unknown method %.64s%s%s%s", name,
                          nearest == NULL ? "" : " (did you mean ", nearest == NULL ? "" : nearest,
                          nearest == NULL ? "" : "?)");
}

/* NULL params for NULL text. */
static int params_of(const char *text, json_t **ret, struct kith_error *e)
{
    json_error_t why = {.text = ""};
    json_t *params;

    if (text == NULL) {
        *ret = NULL;
        return KITH_OK;
    }
    params = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (params == NULL && kith_client_parse_error(&why, KITH_E_INVAL) == KITH_E_NOMEM)
        return kith_error_set(e, KITH_E_NOMEM, "out of memory for the params");
    if (params == NULL)
        return kith_error_set(e, KITH_E_INVAL, "the params are not JSON: line %d, column %d: %s",
                              why.line, why.column, why.text);
    if (!json_is_object(params)) {
        json_decref(params);
        return kith_error_set(e, KITH_E_INVAL, "the params are no JSON object");
    }
    *ret = params;
    return KITH_OK;
}

/* Takes result. */
static int reply_with(json_t *result, struct kith_reply *ret, struct kith_error *e)
{
    struct kith_reply reply = {.json = NULL};

    if (ret != NULL)
        reply.json = kith_client_text(result, &reply.length);
    json_decref(result);
    if (ret == NULL)
        return KITH_OK;
    if (reply.json == NULL)
        return kith_error_set(e, KITH_E_NOMEM, "out of memory for the result");
    *ret = reply;
    return KITH_OK;
}

int kith_call_items(struct kith *k, const char *method, const char *params_json, kith_item *item,
                    void *ctx, struct kith_reply *ret, struct kith_error *ret_error)
{
    const struct kith_item_sink sink = {.item = item, .ctx = ctx};
    enum kith_ctl_method m;
    json_t *params = NULL, *result = NULL;
    int err;

    if (k == NULL || method == NULL)
        return kith_error_set(ret_error, KITH_E_INVAL, "a call needs a handle and a method");
    err = method_of(method, &m, ret_error);
    if (err == KITH_OK)
        err = params_of(params_json, &params, ret_error);
    if (err < 0)
        return err;
    err = kith_handle_call(k, m, params, &sink, &result, ret_error);
    kith_ctl_params_wipe(m, params);
    json_decref(params);
    return err < 0 ? err : reply_with(result, ret, ret_error);
}

int kith_call(struct kith *k, const char *method, const char *params_json, struct kith_reply *ret,
              struct kith_error *ret_error)
{
    return kith_call_items(k, method, params_json, NULL, NULL, ret, ret_error);
}

void kith_reply_free(struct kith_reply *reply)
{
    if (reply == NULL || reply->json == NULL)
        return;
    explicit_bzero(reply->json, reply->length);
    free(reply->json);
    *reply = (struct kith_reply){.json = NULL};
}
