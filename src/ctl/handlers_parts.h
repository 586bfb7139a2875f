/* handlers_parts.h: what the files of the handlers share. Not for others. */
#ifndef KITH_CTL_HANDLERS_PARTS_H
#define KITH_CTL_HANDLERS_PARTS_H

#include "ctl/handlers.h"

/* One method. Params passed the table; results as kith_ctl_ops.call. */
typedef int kith_ctl_handler(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                             json_t **ret, struct kith_ctl_error *e);

/* handlers_show.c: questions */
kith_ctl_handler kith_ctl_do_version, kith_ctl_do_status, kith_ctl_do_id, kith_ctl_do_config_show,
    kith_ctl_do_network_list, kith_ctl_do_members, kith_ctl_do_services, kith_ctl_do_ip,
    kith_ctl_do_peers, kith_ctl_do_paths, kith_ctl_do_peer_blocked;
/* handlers_metrics.c */
kith_ctl_handler kith_ctl_do_metrics;
/* handlers_change.c: requests that are done when they return */
kith_ctl_handler kith_ctl_do_down, kith_ctl_do_network_create, kith_ctl_do_network_leave,
    kith_ctl_do_admin_add, kith_ctl_do_admin_remove, kith_ctl_do_network_backup,
    kith_ctl_do_network_restore, kith_ctl_do_invite, kith_ctl_do_revoke, kith_ctl_do_service_add,
    kith_ctl_do_service_remove, kith_ctl_do_peer_block, kith_ctl_do_peer_unblock;
/* handlers_wait.c: calls that last */
kith_ctl_handler kith_ctl_do_join, kith_ctl_do_ping, kith_ctl_do_probe, kith_ctl_do_logs;
void kith_ctl_join_done(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx);
void kith_ctl_ping_pong(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx);
void kith_ctl_ping_done(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx);
void kith_ctl_follow_turn(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w);

/* The place of an open call, NULL when it does not wait. */
struct kith_ctl_waiting *kith_ctl_waiting_find(struct kith_ctl_handlers *h, uint64_t call);
struct kith_ctl_waiting *kith_ctl_waiting_begin(struct kith_ctl_handlers *h, uint64_t call,
                                                enum kith_ctl_method m);

/* Hands out a result; KITH_E_NOMEM when it could not be made. */
int kith_ctl_give(json_t *made, json_t **ret);
/* What the node says of a failure, as the client is told it; returns err. */
int kith_ctl_explain(struct kith_ctl_error *e, int err, const struct kith_node_why *why);
struct kith_now kith_ctl_host_now(const struct kith_ctl_handlers *h);
uint64_t kith_ctl_uptime(const struct kith_ctl_handlers *h); /* seconds */
/* By id; KITH_E_NOTFOUND. */
int kith_ctl_network_by_id(const struct kith_ctl_handlers *h, const struct kith_network_id *id,
                           struct kith_network_info *ret) KITH_MUST_CHECK;

/* Values as JSON text; NULL without memory. */
json_t *kith_ctl_ip_json(const struct kith_ip *ip);
json_t *kith_ctl_wall_json(kith_wall at);
json_t *kith_ctl_peer_json(const struct kith_peer_id *id);
json_t *kith_ctl_destination_json(const struct kith_destination *d);
json_t *kith_ctl_network_id_json(const struct kith_network_id *id);
json_t *kith_ctl_prefix_json(const struct kith_prefix *p);
json_t *kith_ctl_ms_json(kith_dur d);

#endif
