/* What the node counts and measures. */

#include "ctl/handlers_parts.h"

int kith_ctl_do_metrics(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                        json_t **ret, struct kith_ctl_error *e)
{
    struct kith_metrics m = {.started = 0};

    (void)call, (void)params, (void)e;
    h->host->metrics(h->host->ctx, &m);
    return kith_ctl_give(kith_metrics_json(&m), ret);
}
