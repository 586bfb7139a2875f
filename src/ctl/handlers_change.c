/* Requests that change something and are done when they return. */

#include "ctl/handlers_base64.h"
#include "ctl/handlers_parts.h"
#include "identity/backup.h"
#include "identity/ticket.h"

enum { INVITE_VALID = 86400 }; /* seconds a ticket is good unless told: a day */

static const char *network_of(const json_t *params)
{
    return kith_ctl_text(params, "network", NULL);
}

int kith_ctl_do_down(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                     struct kith_ctl_error *e)
{
    (void)call, (void)params, (void)e;
    h->host->down(h->host->ctx);
    return kith_ctl_give(json_pack("{s:I}", "uptime_s", (json_int_t)kith_ctl_uptime(h)), ret);
}

/* ---- networks ---- */

static bool in_use(void *ctx, const struct kith_prefix *p)
{
    const struct kith_ctl_host *host = ctx;
    return host->prefix_in_use(host->ctx, p);
}

/* The range asked for, when it is one and this host does not use it. */
static int range_check(const struct kith_ctl_host *host, const char *text, struct kith_prefix *ret,
                       struct kith_ctl_error *e)
{
    struct kith_prefix range;

    if (kith_prefix_parse(text, &range) < 0 || range.ip.family != KITH_FAMILY_IP4)
        return kith_ctl_error_set(
            e, KITH_E_INVAL, "\"%.18s\" is no range of IPv4 addresses, as in 100.80.0.0/16", text);
    if (in_use((void *)(uintptr_t)host, &range)) {
        (void)kith_format(e->remedy, sizeof e->remedy, "choose another range, or give none");
        return kith_ctl_error_set(e, KITH_E_TAKEN,
                                  "%.18s overlaps an interface or a route of this host", text);
    }
    *ret = range;
    return KITH_OK;
}

static int range_pick(struct kith_ctl_handlers *h, struct kith_prefix *ret,
                      struct kith_ctl_error *e)
{
    int err = kith_node_pick_range(h->node, in_use, (void *)(uintptr_t)h->host, ret);

    if (err < 0) {
        (void)kith_format(e->remedy, sizeof e->remedy, "give a range that is free");
        return kith_ctl_error_set(e, err, "found no free range of addresses in 100.64.0.0/10");
    }
    return KITH_OK;
}

int kith_ctl_do_network_create(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                               json_t **ret, struct kith_ctl_error *e)
{
    const char *text = kith_ctl_text(params, "ipv4", NULL);
    struct kith_network_info net;
    struct kith_prefix range;
    struct kith_node_why why;
    int err = text == NULL ? range_pick(h, &range, e) : range_check(h->host, text, &range, e);

    (void)call;
    if (err < 0)
        return err;
    err = kith_node_network_create(h->node, kith_ctl_text(params, "name", ""), &range,
                                   kith_ctl_host_now(h), &net, &why);
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", net.name, "id",
                                   kith_ctl_network_id_json(&net.id), "range",
                                   kith_ctl_prefix_json(&net.range4), "ipv4",
                                   kith_ctl_ip_json(&net.ip4), "ipv6", kith_ctl_ip_json(&net.ip6)),
                         ret);
}

/* Who is no member itself is listed by nobody, whoever else is. */
static size_t others_in(const struct kith_network_info *net)
{
    return net->standing == KITH_STANDING_MEMBER && net->members > 0 ? net->members - 1 : 0;
}

int kith_ctl_do_network_leave(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                              json_t **ret, struct kith_ctl_error *e)
{
    const char *name = kith_ctl_text(params, "name", "");
    struct kith_node_why why;
    struct kith_network_info net;
    size_t told = 0;
    int err = kith_node_find_network(h->node, name, kith_ctl_host_now(h).wall, &net, &why);

    if (err >= 0)
        err = kith_node_network_leave(h->node, name, kith_ctl_host_now(h), &told, &why);

    (void)call;
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(json_pack("{s:s, s:I, s:I}", "name", name, "others",
                                   (json_int_t)others_in(&net), "told", (json_int_t)told),
                         ret);
}

int kith_ctl_do_network_backup(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                               json_t **ret, struct kith_ctl_error *e)
{
    struct kith_span passphrase = kith_span_text(kith_ctl_text(params, "passphrase", ""));
    char text[KITH_BASE64_LEN(KITH_BACKUP_MAX) + 1];
    uint8_t sealed[KITH_BACKUP_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    size_t n;
    int err = kith_node_backup(h->node, network_of(params), passphrase, kith_ctl_host_now(h),
                               sealed, sizeof sealed, &n, &net, &why);

    (void)call;
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(
        json_pack("{s:s, s:s}", "network", net.name, "sealed",
                  kith_base64_text((struct kith_span){sealed, n}, text, sizeof text)),
        ret);
}

int kith_ctl_do_network_restore(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                                json_t **ret, struct kith_ctl_error *e)
{
    struct kith_span passphrase = kith_span_text(kith_ctl_text(params, "passphrase", ""));
    struct kith_span text = kith_span_text(kith_ctl_text(params, "sealed", ""));
    uint8_t sealed[KITH_BACKUP_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    size_t n;
    int err = kith_base64_parse(text, sealed, sizeof sealed, &n);

    (void)call;
    if (err < 0)
        return kith_ctl_error_set(e, KITH_E_MALFORMED,
                                  "this is no backup of a network, or a part of it is missing");
    err = kith_node_restore(h->node, (struct kith_span){sealed, n}, passphrase,
                            kith_ctl_host_now(h), &net, &why);
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(json_pack("{s:s, s:o, s:o, s:o}", "name", net.name, "id",
                                   kith_ctl_network_id_json(&net.id), "ipv4",
                                   kith_ctl_ip_json(&net.ip4), "ipv6", kith_ctl_ip_json(&net.ip6)),
                         ret);
}

/* ---- members ---- */

static void groups_take(const json_t *params, struct kith_invite *invite)
{
    const json_t *groups = json_object_get(params, "groups");
    size_t n = json_array_size(groups);

    for (size_t i = 0; i < n && i < KITH_COUNT(invite->groups); i++)
        invite->groups[invite->n_groups++] = json_string_value(json_array_get(groups, i));
}

int kith_ctl_do_invite(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                       json_t **ret, struct kith_ctl_error *e)
{
    struct kith_invite invite = {
        .network = network_of(params),
        .name = kith_ctl_text(params, "name", NULL),
        .valid = kith_ctl_uint(params, "expires_s", INVITE_VALID),
        .uses = (uint32_t)kith_ctl_uint(params, "uses", 1),
    };
    char ticket[KITH_TICKET_TEXT_MAX];
    struct kith_network_info net;
    struct kith_node_why why;
    kith_wall expires;
    int err;

    (void)call;
    groups_take(params, &invite);
    err = kith_node_invite(h->node, &invite, kith_ctl_host_now(h), ticket, sizeof ticket, &net,
                           &expires, &why);
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    err = kith_ctl_give(json_pack("{s:s, s:s, s:I, s:o}", "ticket", ticket, "network", net.name,
                                  "uses", (json_int_t)invite.uses, "expires",
                                  kith_ctl_wall_json(expires)),
                        ret);
    explicit_bzero(ticket, sizeof ticket);
    return err;
}

typedef int member_request(struct kith_node *n, const char *member, const char *network,
                           struct kith_now now, struct kith_member_info *ret,
                           struct kith_node_why *why);

/* Requests that name a member and answer who it was. */
static int member_do(struct kith_ctl_handlers *h, member_request *request, const json_t *params,
                     json_t **ret, struct kith_ctl_error *e)
{
    struct kith_member_info m;
    struct kith_node_why why;
    int err = request(h->node, kith_ctl_text(params, "name", ""), network_of(params),
                      kith_ctl_host_now(h), &m, &why);

    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(json_pack("{s:s, s:s, s:o}", "network", m.network_name, "name", m.name,
                                   "peer_id", kith_ctl_peer_json(&m.peer)),
                         ret);
}

int kith_ctl_do_revoke(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                       json_t **ret, struct kith_ctl_error *e)
{
    (void)call;
    return member_do(h, kith_node_revoke, params, ret, e);
}

int kith_ctl_do_admin_add(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                          json_t **ret, struct kith_ctl_error *e)
{
    (void)call;
    return member_do(h, kith_node_admin_add, params, ret, e);
}

int kith_ctl_do_admin_remove(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                             json_t **ret, struct kith_ctl_error *e)
{
    (void)call;
    return member_do(h, kith_node_admin_remove, params, ret, e);
}

/* ---- services ---- */

static int service_answer(const struct kith_service_info *s, json_t **ret)
{
    return kith_ctl_give(json_pack("{s:s, s:s, s:o}", "network", s->network, "name", s->name,
                                   "destination", kith_ctl_destination_json(&s->destination)),
                         ret);
}

int kith_ctl_do_service_add(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                            json_t **ret, struct kith_ctl_error *e)
{
    struct kith_service_info s;
    struct kith_node_why why;
    int err = kith_node_service_add(h->node, kith_ctl_text(params, "name", ""),
                                    kith_ctl_text(params, "about", ""), network_of(params),
                                    kith_ctl_host_now(h), &s, &why);

    (void)call;
    return err < 0 ? kith_ctl_explain(e, err, &why) : service_answer(&s, ret);
}

int kith_ctl_do_service_remove(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                               json_t **ret, struct kith_ctl_error *e)
{
    struct kith_service_info s;
    struct kith_node_why why;
    int err = kith_node_service_remove(h->node, kith_ctl_text(params, "name", ""),
                                       network_of(params), kith_ctl_host_now(h), &s, &why);

    (void)call;
    return err < 0 ? kith_ctl_explain(e, err, &why) : service_answer(&s, ret);
}

/* ---- the block list ---- */

static int block_do(struct kith_ctl_handlers *h,
                    int (*request)(struct kith_node *n, const char *peer, const char *network,
                                   struct kith_now now, struct kith_block_info *ret,
                                   struct kith_node_why *why),
                    const json_t *params, struct kith_block_info *ret, struct kith_ctl_error *e)
{
    struct kith_node_why why;
    int err = request(h->node, kith_ctl_text(params, "name", ""), network_of(params),
                      kith_ctl_host_now(h), ret, &why);

    return err < 0 ? kith_ctl_explain(e, err, &why) : err;
}

int kith_ctl_do_peer_block(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                           json_t **ret, struct kith_ctl_error *e)
{
    struct kith_block_info b;
    int err = block_do(h, kith_node_block, params, &b, e);

    (void)call;
    if (err < 0)
        return err;
    return kith_ctl_give(json_pack("{s:s?, s:o, s:o, s:b}", "name", b.name[0] ? b.name : NULL,
                                   "peer_id", kith_ctl_peer_json(&b.peer), "since",
                                   kith_ctl_wall_json(b.since), "changed", b.changed),
                         ret);
}

int kith_ctl_do_peer_unblock(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                             json_t **ret, struct kith_ctl_error *e)
{
    struct kith_block_info b;
    int err = block_do(h, kith_node_unblock, params, &b, e);

    (void)call;
    if (err < 0)
        return err;
    return kith_ctl_give(json_pack("{s:s?, s:o, s:b}", "name", b.name[0] ? b.name : NULL, "peer_id",
                                   kith_ctl_peer_json(&b.peer), "changed", b.changed),
                         ret);
}
