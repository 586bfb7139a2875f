/* A control client may send any bytes, in any pieces: it is answered, line by line, or cut off. */

#include <assert.h>
#include <stdlib.h>

#include "ctl/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Every third call is answered later, every other one fails. */
static int call(void *ctx, uint64_t call_id, enum kith_ctl_method m, const json_t *params,
                json_t **ret_result, struct kith_ctl_error *ret_error)
{
    uint64_t *late = ctx;

    (void)m, (void)params;
    if (call_id / 256 % 3 == 0) {
        *late = call_id;
        return KITH_E_AGAIN;
    }
    if (call_id / 256 % 3 == 1)
        return kith_ctl_error_set(ret_error, KITH_E_NOTFOUND, "no such thing");
    *ret_result = NULL;
    return KITH_OK;
}

static void cancel(void *ctx, uint64_t call_id)
{
    (void)ctx, (void)call_id;
}

static void check_output(struct kith_ctl_client *client)
{
    struct kith_span out = kith_ctl_output(client);

    while (out.n > 0) {
        const uint8_t *end = memchr(out.p, '\n', out.n);
        assert(end != NULL);
        json_t *line = json_loadb((const char *)out.p, (size_t)(end - out.p), 0, NULL);
        assert(json_is_object(line));
        json_decref(line);
        kith_ctl_sent(client, (size_t)(end - out.p) + 1);
        out = kith_ctl_output(client);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct kith_ctl_ops ops = {call, cancel};
    static const struct kith_env env = {.alloc = &kith_heap};
    static struct kith_ctl ctl;
    struct kith_ctl_client *client;
    uint64_t late = 0;

    kith_ctl_init(&ctl, &env, &ops, &late);
    if (kith_ctl_open(&ctl, KITH_CTL_GRANT_ADMIN, 0, &client) < 0)
        return 0;
    for (size_t at = 0; at < n; at += 97) {
        kith_ctl_feed(client, (struct kith_span){data + at, n - at < 97 ? n - at : 97}, at);
        kith_ctl_tick(&ctl, at);
        if (at % 2 == 0)
            kith_ctl_answer(&ctl, late, NULL);
        check_output(client);
    }
    kith_ctl_fini(&ctl);
    return 0;
}
