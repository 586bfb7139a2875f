#include "ctl/handlers_parts.h"

static kith_ctl_handler *const handlers[KITH_CTL_METHODS] = {
    [KITH_CTL_version] = kith_ctl_do_version,
    [KITH_CTL_status] = kith_ctl_do_status,
    [KITH_CTL_id] = kith_ctl_do_id,
    [KITH_CTL_down] = kith_ctl_do_down,
    [KITH_CTL_config_show] = kith_ctl_do_config_show,
    [KITH_CTL_metrics] = kith_ctl_do_metrics,
    [KITH_CTL_logs] = kith_ctl_do_logs,
    [KITH_CTL_network_create] = kith_ctl_do_network_create,
    [KITH_CTL_network_list] = kith_ctl_do_network_list,
    [KITH_CTL_network_leave] = kith_ctl_do_network_leave,
    [KITH_CTL_admin_add] = kith_ctl_do_admin_add,
    [KITH_CTL_admin_remove] = kith_ctl_do_admin_remove,
    [KITH_CTL_network_backup] = kith_ctl_do_network_backup,
    [KITH_CTL_network_restore] = kith_ctl_do_network_restore,
    [KITH_CTL_invite] = kith_ctl_do_invite,
    [KITH_CTL_join] = kith_ctl_do_join,
    [KITH_CTL_members] = kith_ctl_do_members,
    [KITH_CTL_services] = kith_ctl_do_services,
    [KITH_CTL_service_add] = kith_ctl_do_service_add,
    [KITH_CTL_service_remove] = kith_ctl_do_service_remove,
    [KITH_CTL_ip] = kith_ctl_do_ip,
    [KITH_CTL_revoke] = kith_ctl_do_revoke,
    [KITH_CTL_peer_block] = kith_ctl_do_peer_block,
    [KITH_CTL_peer_unblock] = kith_ctl_do_peer_unblock,
    [KITH_CTL_peer_blocked] = kith_ctl_do_peer_blocked,
    [KITH_CTL_peers] = kith_ctl_do_peers,
    [KITH_CTL_paths] = kith_ctl_do_paths,
    [KITH_CTL_ping] = kith_ctl_do_ping,
    [KITH_CTL_probe] = kith_ctl_do_probe,
};

void kith_ctl_handlers_init(struct kith_ctl_handlers *h, struct kith_ctl *ctl,
                            struct kith_node *node, const struct kith_ctl_host *host)
{
    *h = (struct kith_ctl_handlers){.ctl = ctl, .node = node, .host = host};
}

static int handlers_call(void *ctx, uint64_t call_id, enum kith_ctl_method m, const json_t *params,
                         json_t **ret_result, struct kith_ctl_error *ret_error)
{
    if (handlers[m] == NULL) /* cancel, which the conversation itself handles */
        return kith_ctl_error_set(ret_error, KITH_E_STATE, "not a request for a node");
    return handlers[m](ctx, call_id, params, ret_result, ret_error);
}

static void handlers_cancel(void *ctx, uint64_t call_id)
{
    struct kith_ctl_handlers *h = ctx;
    struct kith_ctl_waiting *w = kith_ctl_waiting_find(h, call_id);

    if (w == NULL)
        return;
    if (w->method != KITH_CTL_logs)
        kith_node_cancel(h->node, call_id);
    w->call = 0;
}

const struct kith_ctl_ops kith_ctl_handlers_ops = {
    .call = handlers_call,
    .cancel = handlers_cancel,
};

void kith_ctl_handlers_effect(struct kith_ctl_handlers *h, const struct kith_node_effect *fx)
{
    struct kith_ctl_waiting *w = kith_ctl_waiting_find(h, fx->call);

    if (w == NULL)
        return;
    bool pings = w->method == KITH_CTL_ping || w->method == KITH_CTL_probe;
    if (fx->kind == KITH_NODE_PONG && pings)
        kith_ctl_ping_pong(h, w, fx);
    else if (fx->kind == KITH_NODE_DONE && pings)
        kith_ctl_ping_done(h, w, fx);
    else if (fx->kind == KITH_NODE_DONE && w->method == KITH_CTL_join)
        kith_ctl_join_done(h, w, fx);
}

void kith_ctl_handlers_turn(struct kith_ctl_handlers *h)
{
    for (size_t i = 0; i < KITH_CTL_WAITING; i++)
        if (h->waiting[i].call != 0 && h->waiting[i].method == KITH_CTL_logs)
            kith_ctl_follow_turn(h, &h->waiting[i]);
}

/* ---- calls that wait ---- */

/* An open call's id names its place (ctl.h), so no two open calls share one. */
struct kith_ctl_waiting *kith_ctl_waiting_find(struct kith_ctl_handlers *h, uint64_t call)
{
    struct kith_ctl_waiting *w = &h->waiting[call % KITH_CTL_WAITING];
    return call != 0 && w->call == call ? w : NULL;
}

struct kith_ctl_waiting *kith_ctl_waiting_begin(struct kith_ctl_handlers *h, uint64_t call,
                                                enum kith_ctl_method m)
{
    struct kith_ctl_waiting *w = &h->waiting[call % KITH_CTL_WAITING];

    *w = (struct kith_ctl_waiting){.call = call, .method = m};
    return w;
}

/* ---- values ---- */

int kith_ctl_give(json_t *made, json_t **ret)
{
    if (made == NULL)
        return KITH_E_NOMEM;
    *ret = made;
    return KITH_OK;
}

int kith_ctl_explain(struct kith_ctl_error *e, int err, const struct kith_node_why *why)
{
    (void)kith_format(e->remedy, sizeof e->remedy, "%s", why->remedy);
    return kith_ctl_error_set(e, err, "%s", why->text);
}

struct kith_now kith_ctl_host_now(const struct kith_ctl_handlers *h)
{
    return h->host->now(h->host->ctx);
}

uint64_t kith_ctl_uptime(const struct kith_ctl_handlers *h)
{
    return kith_since(kith_ctl_host_now(h).mono, h->host->ready_at) / KITH_SEC;
}

int kith_ctl_network_by_id(const struct kith_ctl_handlers *h, const struct kith_network_id *id,
                           struct kith_network_info *ret)
{
    struct kith_network_info info;
    kith_wall wall = kith_ctl_host_now(h).wall;
    size_t at = 0;

    while (kith_node_next_network(h->node, &at, wall, &info)) {
        if (memcmp(&info.id, id, sizeof *id) == 0) {
            *ret = info;
            return KITH_OK;
        }
    }
    return KITH_E_NOTFOUND;
}

json_t *kith_ctl_ip_json(const struct kith_ip *ip)
{
    char text[KITH_IP_TEXT];
    return json_string(kith_ip_text(ip, text, sizeof text));
}

json_t *kith_ctl_wall_json(kith_wall at)
{
    char text[24];
    return json_string(kith_wall_text(at, text, sizeof text));
}

json_t *kith_ctl_peer_json(const struct kith_peer_id *id)
{
    char text[KITH_ID_TEXT];
    return json_string(kith_peer_id_text(id, text, sizeof text));
}

json_t *kith_ctl_destination_json(const struct kith_destination *d)
{
    char text[KITH_DESTINATION_TEXT];
    return json_string(kith_destination_text(d, text, sizeof text));
}

json_t *kith_ctl_network_id_json(const struct kith_network_id *id)
{
    char text[KITH_ID_TEXT];
    return json_string(kith_network_id_text(id, text, sizeof text));
}

json_t *kith_ctl_prefix_json(const struct kith_prefix *p)
{
    char text[KITH_PREFIX_TEXT];
    return json_string(kith_prefix_text(p, text, sizeof text));
}

json_t *kith_ctl_ms_json(kith_dur d)
{
    return json_real((double)d / (double)KITH_MSEC);
}
