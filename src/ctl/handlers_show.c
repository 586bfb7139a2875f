/* Questions: they change nothing and are answered at once. */

#include <stdlib.h>

#include "ctl/conf_json.h"
#include "ctl/handlers_parts.h"
#include "kith/version.h"

int kith_ctl_do_version(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                        json_t **ret, struct kith_ctl_error *e)
{
    (void)h, (void)call, (void)params, (void)e;
    return kith_ctl_give(json_pack("{s:i, s:s}", "api", KITH_CTL_API, "software", kith_version()),
                         ret);
}

int kith_ctl_do_id(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                   struct kith_ctl_error *e)
{
    (void)call, (void)params, (void)e;
    return kith_ctl_give(json_pack("{s:o}", "peer_id", kith_ctl_peer_json(kith_node_id(h->node))),
                         ret);
}

int kith_ctl_do_config_show(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                            json_t **ret, struct kith_ctl_error *e)
{
    (void)call, (void)params, (void)e;
    return kith_ctl_give(kith_ctl_conf_json(h->host->conf), ret);
}

/* Appends made (taken) to list; false when memory ran out on the way. */
static bool append(json_t *list, json_t *made)
{
    return made != NULL && json_array_append_new(list, made) == 0;
}

/* list, or NULL and nothing left of it when it is not whole. */
static json_t *whole(json_t *list, bool ok)
{
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

/* ---- order ---- */

struct row {
    const char *name, *id; /* name: NULL for the nameless */
    size_t at;             /* where it stood */
    json_t *json;
};

/* Names first, in order; then the nameless, by id. What is the same in both stays as it was. */
static int rows_compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int by = 0;

    if (x->name != NULL && y->name != NULL)
        by = strcmp(x->name, y->name);
    else if (x->name != NULL || y->name != NULL)
        return x->name == NULL ? 1 : -1;
    if (by == 0)
        by = strcmp(x->id, y->id);
    return by != 0 ? by : x->at < y->at ? -1 : 1;
}

/* The rows of list (taken; NULL is fine) in the order of their members `name` and `id`; NULL
 * without memory. */
static json_t *in_order(const struct kith_alloc *a, json_t *list, const char *name, const char *id)
{
    size_t n = json_array_size(list);
    struct row *rows = kith_new_array(a, n + 1, sizeof *rows);
    json_t *sorted = json_array();
    bool ok = list != NULL && rows != NULL && sorted != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        json_t *row = json_array_get(list, i);
        rows[i] = (struct row){.name = json_string_value(json_object_get(row, name)),
                               .id = json_string_value(json_object_get(row, id)),
                               .at = i,
                               .json = row};
    }
    if (ok)
        qsort(rows, n, sizeof rows[0], rows_compare);
    for (size_t i = 0; ok && i < n; i++)
        ok = json_array_append(sorted, rows[i].json) == 0;
    kith_free(a, rows);
    json_decref(list);
    return whole(sorted, ok);
}

/* ---- networks ---- */

struct networks {
    size_t n;
    struct kith_network_info at[KITH_NODE_NETWORKS_MAX];
};

static int by_name(const void *a, const void *b)
{
    const struct kith_network_info *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void networks_of(const struct kith_ctl_handlers *h, struct networks *ret)
{
    kith_wall wall = kith_ctl_host_now(h).wall;
    size_t at = 0;

    ret->n = 0;
    while (ret->n < KITH_COUNT(ret->at) &&
           kith_node_next_network(h->node, &at, wall, &ret->at[ret->n]))
        ret->n++;
    qsort(ret->at, ret->n, sizeof ret->at[0], by_name);
}

/* What status says of a network. */
static json_t *network_glance(const struct kith_network_info *n)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:I, s:s}", "name", n->name, "id",
                     kith_ctl_network_id_json(&n->id), "ipv4", kith_ctl_ip_json(&n->ip4), "ipv6",
                     kith_ctl_ip_json(&n->ip6), "members", (json_int_t)n->members, "standing",
                     kith_standing_text(n->standing));
}

static json_t *network_row(const struct kith_network_info *n)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:b, s:b, s:o, s:s}", "name", n->name, "id",
                     kith_ctl_network_id_json(&n->id), "range", kith_ctl_prefix_json(&n->range4),
                     "ipv4", kith_ctl_ip_json(&n->ip4), "ipv6", kith_ctl_ip_json(&n->ip6),
                     "members", (json_int_t)n->members, "admin", n->admin, "root", n->root,
                     "expires", kith_ctl_wall_json(n->expires), "standing",
                     kith_standing_text(n->standing));
}

static json_t *networks_json(const struct kith_ctl_handlers *h,
                             json_t *(*row)(const struct kith_network_info *n))
{
    json_t *list = json_array();
    struct networks nets;
    bool ok = list != NULL;

    networks_of(h, &nets);
    for (size_t i = 0; ok && i < nets.n; i++)
        ok = append(list, row(&nets.at[i]));
    return whole(list, ok);
}

int kith_ctl_do_network_list(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                             json_t **ret, struct kith_ctl_error *e)
{
    (void)call, (void)params, (void)e;
    return kith_ctl_give(json_pack("{s:o}", "networks", networks_json(h, network_row)), ret);
}

static json_t *listen_json(const struct kith_ctl_host *host)
{
    json_t *list = json_array();
    char text[KITH_ADDR_TEXT];
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < host->n_listen; i++)
        ok = append(list, json_string(kith_addr_text(&host->listen[i], text, sizeof text)));
    return whole(list, ok);
}

int kith_ctl_do_status(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                       json_t **ret, struct kith_ctl_error *e)
{
    const struct kith_ctl_host *host = h->host;
    struct kith_node_totals totals;

    (void)call, (void)params, (void)e;
    kith_node_totals(h->node, kith_ctl_host_now(h).wall, &totals);
    return kith_ctl_give(
        json_pack("{s:o, s:s, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:s?, s:s?, s:s}", "peer_id",
                  kith_ctl_peer_json(kith_node_id(h->node)), "version", kith_version(), "uptime_s",
                  (json_int_t)kith_ctl_uptime(h), "state_dir", host->state_dir, "listen",
                  listen_json(host), "networks", networks_json(h, network_glance), "sessions",
                  (json_int_t)totals.sessions, "direct", (json_int_t)totals.direct, "relayed",
                  (json_int_t)totals.relayed, "multi_hop", (json_int_t)totals.multi_hop, "tun",
                  host->tun(host->ctx), "tun_trouble", host->tun_trouble(host->ctx), "inbound",
                  host->conf->vpn.inbound == KITH_INBOUND_DENY ? "deny" : "allow"),
        ret);
}

/* ---- members ---- */

static json_t *groups_json(const struct kith_member_info *m)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < m->n_groups; i++)
        ok = append(list, json_string(m->groups[i]));
    return whole(list, ok);
}

static json_t *member_row(const struct kith_member_info *m)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:o}", "network",
                     m->network_name, "name", m->name, "peer_id", kith_ctl_peer_json(&m->peer),
                     "ipv4", kith_ctl_ip_json(&m->ip4), "ipv6", kith_ctl_ip_json(&m->ip6), "groups",
                     groups_json(m), "admin", m->admin, "self", m->self, "connected",
                     m->online && !m->self, "blocked", m->blocked, "expires",
                     kith_ctl_wall_json(m->expires));
}

/* `of`: the one destination that is asked for, where a method can be; NULL: all. */
typedef bool append_of_network(const struct kith_ctl_handlers *h,
                               const struct kith_network_info *net,
                               const struct kith_destination *of, json_t *list);

static bool append_members(const struct kith_ctl_handlers *h, const struct kith_network_info *net,
                           const struct kith_destination *of, json_t *list)
{
    kith_wall wall = kith_ctl_host_now(h).wall;
    struct kith_member_info m;
    size_t at = 0;

    (void)of;
    while (kith_node_next_member(h->node, &net->id, &at, wall, &m))
        if (!append(list, member_row(&m)))
            return false;
    return true;
}

/* {key: rows of the network that params name, or of all}. */
static int rows_by_network(const struct kith_ctl_handlers *h, const json_t *params, const char *key,
                           append_of_network *append_rows, const struct kith_destination *of,
                           json_t **ret, struct kith_ctl_error *e)
{
    const char *name = kith_ctl_text(params, "network", NULL);
    struct networks nets = {.n = 1};
    struct kith_node_why why;
    int err = KITH_OK;

    if (name == NULL)
        networks_of(h, &nets);
    else
        err = kith_node_find_network(h->node, name, kith_ctl_host_now(h).wall, &nets.at[0], &why);
    if (err < 0)
        return kith_ctl_explain(e, err, &why);

    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < nets.n; i++)
        ok = append_rows(h, &nets.at[i], of, list);
    return kith_ctl_give(json_pack("{s:o}", key, whole(list, ok)), ret);
}

int kith_ctl_do_members(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                        json_t **ret, struct kith_ctl_error *e)
{
    (void)call;
    return rows_by_network(h, params, "members", append_members, NULL, ret, e);
}

static json_t *service_row(const struct kith_service_info *s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:o}", "network", s->network,
                     "member", s->member, "name", s->name, "about", s->about, "destination",
                     kith_ctl_destination_json(&s->destination), "peer_id",
                     kith_ctl_peer_json(&s->peer), "self", s->self, "connected",
                     s->online && !s->self, "expires", kith_ctl_wall_json(s->expires));
}

static bool append_services(const struct kith_ctl_handlers *h, const struct kith_network_info *net,
                            const struct kith_destination *of, json_t *list)
{
    kith_wall wall = kith_ctl_host_now(h).wall;
    struct kith_service_walk at = {.member = 0};
    struct kith_service_info s;

    (void)of;
    while (kith_node_next_service(h->node, &net->id, &at, wall, &s))
        if (!append(list, service_row(&s)))
            return false;
    return true;
}

int kith_ctl_do_services(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                         json_t **ret, struct kith_ctl_error *e)
{
    (void)call;
    return rows_by_network(h, params, "services", append_services, NULL, ret, e);
}

int kith_ctl_do_ip(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                   struct kith_ctl_error *e)
{
    struct kith_node_why why;
    struct kith_member_info m;
    int err = kith_node_find_member(h->node, kith_ctl_text(params, "name", ""),
                                    kith_ctl_text(params, "network", NULL),
                                    kith_ctl_host_now(h).wall, &m, &why);

    (void)call;
    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_ctl_give(json_pack("{s:s, s:s, s:o, s:o}", "network", m.network_name, "name",
                                   m.name, "ipv4", kith_ctl_ip_json(&m.ip4), "ipv6",
                                   kith_ctl_ip_json(&m.ip6)),
                         ret);
}

/* ---- sessions ---- */

/* Of all datagrams of the session so far. */
static double loss_of(const struct kith_session_info *s)
{
    if (s->packets_out == 0)
        return 0;
    return s->packets_lost >= s->packets_out ? 1 : (double)s->packets_lost / (double)s->packets_out;
}

static json_t *peer_row(const struct kith_peer_info *p, struct kith_now now)
{
    const struct kith_session_info *s = &p->session;
    uint64_t age = kith_since(now.mono, s->since) / KITH_SEC;

    return json_pack(
        "{s:s?, s:o, s:s, s:o, s:f, s:I, s:I, s:o, s:I}", "name", p->name[0] ? p->name : NULL,
        "peer_id", kith_ctl_peer_json(&s->peer), "route", p->route, "rtt_ms",
        s->rtt == 0 ? json_null() : kith_ctl_ms_json(s->rtt), "loss", loss_of(s), "sent_bytes",
        (json_int_t)s->bytes_out, "received_bytes", (json_int_t)s->bytes_in, "since",
        kith_ctl_wall_json(now.wall > age ? now.wall - age : 0), "since_s", (json_int_t)age);
}

int kith_ctl_do_peers(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                      json_t **ret, struct kith_ctl_error *e)
{
    struct kith_now now = kith_ctl_host_now(h);
    json_t *list = json_array();
    struct kith_session *at = NULL;
    struct kith_peer_info p;
    bool ok = list != NULL;

    (void)call, (void)params, (void)e;
    while (ok && kith_node_next_peer(h->node, &at, now.wall, &p))
        ok = append(list, peer_row(&p, now));
    list = in_order(h->ctl->env->alloc, whole(list, ok), "name", "peer_id");
    return kith_ctl_give(json_pack("{s:o}", "peers", list), ret);
}

int kith_ctl_do_peer_blocked(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                             json_t **ret, struct kith_ctl_error *e)
{
    kith_wall wall = kith_ctl_host_now(h).wall;
    json_t *list = json_array();
    struct kith_block_info b;
    bool ok = list != NULL;
    size_t at = 0;

    (void)call, (void)params, (void)e;
    while (ok && kith_node_next_blocked(h->node, &at, wall, &b))
        ok = append(list,
                    json_pack("{s:s?, s:o, s:o}", "name", b.name[0] ? b.name : NULL, "peer_id",
                              kith_ctl_peer_json(&b.peer), "since", kith_ctl_wall_json(b.since)));
    list = in_order(h->ctl->env->alloc, whole(list, ok), "name", "peer_id");
    return kith_ctl_give(json_pack("{s:o}", "blocked", list), ret);
}

/* ---- ways through the mesh ---- */

/* The text of an id; null for none. */
static json_t *peer_or_null(const struct kith_peer_id *id)
{
    static const struct kith_peer_id none;
    return kith_peer_id_equal(id, &none) ? json_null() : kith_ctl_peer_json(id);
}

static json_t *way_row(const struct kith_way_info *w)
{
    return json_pack(
        "{s:s, s:o, s:s?, s:o, s:s?, s:o, s:I, s:o, s:f, s:o, s:I, s:o, s:b}", "network",
        w->network, "destination", kith_ctl_destination_json(&w->destination), "member",
        w->member[0] ? w->member : NULL, "peer_id", peer_or_null(&w->peer), "via",
        w->via_name[0] ? w->via_name : NULL, "via_peer_id", kith_ctl_peer_json(&w->via), "hops",
        (json_int_t)w->hops, "rtt_ms", w->rtt == 0 ? json_null() : kith_ctl_ms_json(w->rtt), "loss",
        w->loss, "rate_bits", w->rate == 0 ? json_null() : json_integer((json_int_t)w->rate),
        "age_s", (json_int_t)(w->age / KITH_SEC), "expires", kith_ctl_wall_json(w->expires), "best",
        w->best);
}

static bool append_ways(const struct kith_ctl_handlers *h, const struct kith_network_info *net,
                        const struct kith_destination *of, json_t *list)
{
    struct kith_now now = kith_ctl_host_now(h);
    struct kith_way_walk at = {.at = 0};
    struct kith_way_info w;
    json_t *rows = json_array();
    bool ok = rows != NULL;

    while (ok && kith_node_next_way(h->node, &net->id, &at, now, &w))
        ok = (of != NULL && !kith_destination_equal(&w.destination, of)) ||
             append(rows, way_row(&w));
    rows = in_order(h->ctl->env->alloc, whole(rows, ok), "member", "destination");
    ok = rows != NULL && json_array_extend(list, rows) == 0;
    json_decref(rows);
    return ok;
}

/* Where the ways to a member lead, by whatever is known of it: the mesh leads to no services. */
static int own_destination(const struct kith_ctl_handlers *h, const json_t *params,
                           const char *text, struct kith_destination *ret, struct kith_ctl_error *e)
{
    struct kith_resolved to;
    struct kith_node_why why;
    int err = kith_node_resolve(h->node, text, kith_ctl_text(params, "network", NULL),
                                kith_ctl_host_now(h).wall, &to, &why);

    if (err < 0)
        return kith_ctl_explain(e, err, &why);
    return kith_destination(&to.member.peer, kith_span_text(KITH_SERVICE_SELF), ret);
}

int kith_ctl_do_paths(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                      json_t **ret, struct kith_ctl_error *e)
{
    const char *to = kith_ctl_text(params, "destination", NULL);
    struct kith_destination own;
    int err = to == NULL ? KITH_OK : own_destination(h, params, to, &own, e);

    (void)call;
    return err < 0
               ? err
               : rows_by_network(h, params, "paths", append_ways, to == NULL ? NULL : &own, ret, e);
}
