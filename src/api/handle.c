/* Handles: made for a node of this machine or with one of their own, and ended. */

#include "api/handle.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "conf/conf.h"

_Static_assert((int)KITH_PARAMS_MAX == (int)KITH_CTL_LINE_MAX, "the control API's bound");
_Static_assert((int)KITH_REPLY_MAX == (int)KITH_CTL_OUTPUT_MAX, "the control API's bound");
_Static_assert((int)KITH_CONFIG_MAX == (int)KITH_CONF_FILE_MAX, "the configuration's bound");
_Static_assert((int)KITH_CALLS_MAX < (int)KITH_CTL_CLIENTS, "one handle leaves places for others");

static struct kith *handle_new(void)
{
    struct kith *k = kith_new_zero(&kith_heap, sizeof *k);

    if (k == NULL)
        return NULL;
    (void)pthread_mutex_init(&k->lock, NULL); /* none of these allocates */
    for (size_t i = 0; i < KITH_CALLS_MAX; i++)
        (void)pthread_mutex_init(&k->call[i].lock, NULL);
    return k;
}

void kith_close(struct kith *k)
{
    if (k == NULL)
        return;
    kith_hosted_free(k->node);
    for (size_t i = 0; i < KITH_CALLS_MAX; i++)
        (void)pthread_mutex_destroy(&k->call[i].lock);
    (void)pthread_mutex_destroy(&k->lock);
    kith_free(&kith_heap, k->state_dir);
    kith_free(&kith_heap, k);
}

int kith_open(const struct kith_open_options *options, struct kith **ret,
              struct kith_error *ret_error)
{
    struct kith *k;
    int err;

    if (options == NULL || ret == NULL)
        return kith_error_set(ret_error, KITH_E_INVAL, "kith_open needs options and a place");
    k = handle_new();
    if (k == NULL)
        return kith_error_set(ret_error, KITH_E_NOMEM, "out of memory");
    err = kith_hosted_new(options, &k->node, ret_error);
    if (err < 0) {
        kith_close(k);
        return err;
    }
    *ret = k;
    return KITH_OK;
}

/* Whether the node speaks what this library does. */
static int check_version(struct kith *k, struct kith_error *ret_error)
{
    json_t *result = NULL;
    int err = kith_handle_call(k, KITH_CTL_version, NULL, NULL, &result, ret_error);
    json_int_t api;

    if (err < 0)
        return err;
    api = json_integer_value(json_object_get(result, "api"));
    json_decref(result);
    if (api == KITH_CTL_API)
        return KITH_OK;
    return kith_error_set(ret_error, KITH_E_VERSION,
                          "the node speaks version %lld of the control API, this library %d",
                          (long long)api, KITH_CTL_API);
}

int kith_connect(const struct kith_connect_options *options, struct kith **ret,
                 struct kith_error *ret_error)
{
    const char *state_dir = options == NULL ? NULL : options->state_dir;
    struct kith *k;
    int err = KITH_OK;

    if (ret == NULL)
        return kith_error_set(ret_error, KITH_E_INVAL, "kith_connect needs a place");
    k = handle_new();
    if (k == NULL)
        return kith_error_set(ret_error, KITH_E_NOMEM, "out of memory");
    if (state_dir != NULL) {
        k->state_dir = kith_text_copy(&kith_heap, state_dir);
        if (k->state_dir == NULL)
            err = kith_error_set(ret_error, KITH_E_NOMEM, "out of memory");
    }
    if (err == KITH_OK)
        err = check_version(k, ret_error);
    if (err < 0) {
        kith_close(k);
        return err;
    }
    *ret = k;
    return KITH_OK;
}
