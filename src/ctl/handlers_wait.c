/* Calls that last: join, ping, probe and the log. */

#include "ctl/handlers_parts.h"

enum {
    PINGS = 5,            /* round trips unless told */
    PROBES = 3,           /* the same of a probe */
    PING_INTERVAL = 1000, /* ms between two unless told */
    LOG_LINES = 200,      /* past events told unless told otherwise */
};

/* Ends a waiting call with a result (taken), or without memory with the error. */
static void end_well(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w, json_t *result)
{
    uint64_t call = w->call;

    w->call = 0;
    if (result != NULL)
        kith_ctl_answer(h->ctl, call, result);
    else
        kith_ctl_fail(h->ctl, call, &(struct kith_ctl_error){.err = KITH_E_NOMEM});
}

static void end_badly(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w, int err,
                      const struct kith_node_why *why)
{
    struct kith_ctl_error e = {.err = err};
    uint64_t call = w->call;

    w->call = 0;
    (void)kith_ctl_explain(&e, err, why);
    kith_ctl_fail(h->ctl, call, &e);
}

/* ---- join ---- */

int kith_ctl_do_join(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                     struct kith_ctl_error *e)
{
    struct kith_node_why why;
    int err;

    (void)ret;
    (void)kith_ctl_waiting_begin(h, call, KITH_CTL_join);
    err = kith_node_join(h->node, kith_ctl_text(params, "ticket", ""),
                         kith_ctl_text(params, "name", NULL), call, kith_ctl_host_now(h), &why);
    if (err < 0) {
        kith_ctl_waiting_find(h, call)->call = 0;
        return kith_ctl_explain(e, err, &why);
    }
    (void)kith_ctl_notify(h->ctl, call,
                          json_pack("{s:s, s:s}", "step", "dialling", "text",
                                    "asking the issuer of the ticket for a certificate"));
    return KITH_E_AGAIN;
}

/* This node as a member of the network; KITH_E_NOTFOUND. */
static int self_in(const struct kith_ctl_handlers *h, const struct kith_network_id *network,
                   struct kith_member_info *ret)
{
    kith_wall wall = kith_ctl_host_now(h).wall;
    struct kith_member_info m;
    size_t at = 0;

    while (kith_node_next_member(h->node, network, &at, wall, &m)) {
        if (m.self) {
            *ret = m;
            return KITH_OK;
        }
    }
    return KITH_E_NOTFOUND;
}

void kith_ctl_join_done(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx)
{
    static const struct kith_node_why gone = {.text = "the network was left again meanwhile"};
    struct kith_network_info net;
    struct kith_member_info self;

    if (fx->err < 0)
        end_badly(h, w, fx->err, &fx->why);
    else if (kith_ctl_network_by_id(h, &fx->network, &net) < 0 ||
             self_in(h, &fx->network, &self) < 0)
        end_badly(h, w, KITH_E_NOTFOUND, &gone);
    else
        end_well(h, w,
                 json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "network", net.name, "id",
                           kith_ctl_network_id_json(&net.id), "name", self.name, "ipv4",
                           kith_ctl_ip_json(&net.ip4), "ipv6", kith_ctl_ip_json(&net.ip6),
                           "expires", kith_ctl_wall_json(net.expires)));
}

/* ---- ping and probe ---- */

/* Begins the round trips of a call to whoever was found for it. */
static int start_pings(struct kith_ctl_handlers *h, uint64_t call, enum kith_ctl_method m,
                       const struct kith_resolved *to, const json_t *params, uint64_t preset,
                       struct kith_ctl_error *e)
{
    kith_dur interval = kith_ctl_uint(params, "interval_ms", PING_INTERVAL) * KITH_MSEC;
    const struct kith_ip *ip =
        to->member.ip4.family == KITH_FAMILY_NONE ? &to->member.ip6 : &to->member.ip4;
    struct kith_ctl_waiting *w = kith_ctl_waiting_begin(h, call, m);
    struct kith_node_why why;

    w->ping = (struct kith_ctl_ping){.peer = to->member.peer, .destination = to->destination};
    memcpy(w->ping.service, to->service, sizeof w->ping.service);
    memcpy(w->ping.name, to->member.name, sizeof w->ping.name);
    (void)kith_ip_text(ip, w->ping.address, sizeof w->ping.address);
    int err =
        kith_node_ping(h->node, &to->member.peer, (uint32_t)kith_ctl_uint(params, "count", preset),
                       interval, call, kith_ctl_host_now(h), &why);
    if (err < 0) {
        w->call = 0;
        return kith_ctl_explain(e, err, &why);
    }
    return KITH_E_AGAIN;
}

int kith_ctl_do_ping(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                     struct kith_ctl_error *e)
{
    struct kith_resolved to = {.service = ""};
    struct kith_node_why why;
    int err = kith_node_find_member(h->node, kith_ctl_text(params, "name", ""),
                                    kith_ctl_text(params, "network", NULL),
                                    kith_ctl_host_now(h).wall, &to.member, &why);

    (void)ret;
    return err < 0 ? kith_ctl_explain(e, err, &why)
                   : start_pings(h, call, KITH_CTL_ping, &to, params, PINGS, e);
}

int kith_ctl_do_probe(struct kith_ctl_handlers *h, uint64_t call, const json_t *params,
                      json_t **ret, struct kith_ctl_error *e)
{
    struct kith_resolved to;
    struct kith_node_why why;
    int err = kith_node_resolve(h->node, kith_ctl_text(params, "destination", ""),
                                kith_ctl_text(params, "network", NULL), kith_ctl_host_now(h).wall,
                                &to, &why);

    (void)ret;
    return err < 0 ? kith_ctl_explain(e, err, &why)
                   : start_pings(h, call, KITH_CTL_probe, &to, params, PROBES, e);
}

/* Whom a probe asks. */
static json_t *target_json(const struct kith_ctl_ping *p)
{
    return json_pack("{s:o, s:s, s:s, s:o, s:s}", "destination",
                     kith_ctl_destination_json(&p->destination), "service", p->service, "name",
                     p->name, "peer_id", kith_ctl_peer_json(&p->peer), "address", p->address);
}

/* The first (taken) with the members of the second (taken), too; NULL without memory. */
static json_t *joined(json_t *first, json_t *second)
{
    if (first != NULL && (second == NULL || json_object_update(first, second) < 0)) {
        json_decref(first);
        first = NULL;
    }
    json_decref(second);
    return first;
}

static json_t *ping_item(const struct kith_ctl_ping *p, const struct kith_node_effect *fx)
{
    return json_pack("{s:I, s:b, s:s, s:s?, s:o}", "seq", (json_int_t)fx->seq, "lost", fx->lost,
                     "address", p->address, "route", fx->lost ? NULL : fx->route, "rtt_ms",
                     fx->lost ? json_null() : kith_ctl_ms_json(fx->rtt));
}

static json_t *probe_item(const struct kith_ctl_ping *p, const struct kith_node_effect *fx)
{
    bool told = !fx->lost && fx->hops != 0;

    return joined(json_pack("{s:I, s:b, s:s?, s:o, s:o}", "seq", (json_int_t)fx->seq, "lost",
                            fx->lost, "route", fx->lost ? NULL : fx->route, "hops",
                            told ? json_integer((json_int_t)fx->hops) : json_null(), "rtt_ms",
                            fx->lost ? json_null() : kith_ctl_ms_json(fx->rtt)),
                  target_json(p));
}

void kith_ctl_ping_pong(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx)
{
    struct kith_ctl_ping *p = &w->ping;

    p->sent++;
    if (!fx->lost) {
        p->least = p->received == 0 || fx->rtt < p->least ? fx->rtt : p->least;
        p->most = fx->rtt > p->most ? fx->rtt : p->most;
        p->sum += fx->rtt;
        p->received++;
    }
    (void)kith_ctl_notify(h->ctl, w->call,
                          w->method == KITH_CTL_probe ? probe_item(p, fx) : ping_item(p, fx));
}

static json_t *ms_or_null(const struct kith_ctl_ping *p, kith_dur d)
{
    return p->received == 0 ? json_null() : kith_ctl_ms_json(d);
}

static json_t *sums_json(const struct kith_ctl_ping *p)
{
    double loss = p->sent == 0 ? 0 : (double)(p->sent - p->received) / (double)p->sent;

    return json_pack("{s:I, s:I, s:f, s:o, s:o, s:o}", "sent", (json_int_t)p->sent, "received",
                     (json_int_t)p->received, "loss", loss, "min_ms", ms_or_null(p, p->least),
                     "avg_ms", ms_or_null(p, p->received == 0 ? 0 : p->sum / p->received), "max_ms",
                     ms_or_null(p, p->most));
}

void kith_ctl_ping_done(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w,
                        const struct kith_node_effect *fx)
{
    const struct kith_ctl_ping *p = &w->ping;

    if (fx->err < 0)
        end_badly(h, w, fx->err, &fx->why);
    else if (w->method == KITH_CTL_probe)
        end_well(h, w, joined(target_json(p), sums_json(p)));
    else
        end_well(
            h, w,
            joined(json_pack("{s:s, s:s}", "name", p->name, "address", p->address), sums_json(p)));
}

/* ---- the log ---- */

/* Where to begin so that at most `lines` events of the level follow; *ret_end is after the last. */
static uint64_t log_start(const struct kith_ctl_host *host, enum kith_level level, uint64_t lines,
                          uint64_t *ret_end)
{
    struct kith_ctl_event ev;
    uint64_t at = 0, matching = 0, skip;

    while (host->next_event(host->ctx, &at, &ev))
        matching += ev.level <= level;
    *ret_end = at;
    skip = matching > lines ? matching - lines : 0;
    at = lines == 0 ? *ret_end : 0;
    while (skip > 0 && lines > 0 && host->next_event(host->ctx, &at, &ev))
        skip -= ev.level <= level;
    return at;
}

static json_t *event_json(const struct kith_ctl_event *ev)
{
    json_t *item = json_loads(ev->json, JSON_REJECT_DUPLICATES, NULL);

    if (item != NULL && json_object_set_new(item, "text", json_string(ev->text)) < 0) {
        json_decref(item);
        return NULL;
    }
    return item;
}

/* Tells the events there are; false when the call ended on the way. */
static bool log_tell(struct kith_ctl_handlers *h, uint64_t call, struct kith_ctl_follow *f)
{
    struct kith_ctl_event ev;

    while (h->host->next_event(h->host->ctx, &f->at, &ev)) {
        json_t *item;
        if (ev.level > f->level || (item = event_json(&ev)) == NULL)
            continue;
        if (kith_ctl_notify(h->ctl, call, item) < 0)
            return false;
        f->told++;
    }
    return true;
}

int kith_ctl_do_logs(struct kith_ctl_handlers *h, uint64_t call, const json_t *params, json_t **ret,
                     struct kith_ctl_error *e)
{
    const char *name = kith_ctl_text(params, "level", "info");
    struct kith_ctl_follow f = {.level = KITH_LEVEL_INFO};
    uint64_t end;

    if (kith_level_parse(name, &f.level) < 0)
        return kith_ctl_error_set(e, KITH_E_INVAL,
                                  "level must be bug, host, peer, info or debug, not \"%s\"", name);
    f.at = log_start(h->host, f.level, kith_ctl_uint(params, "lines", LOG_LINES), &end);
    if (kith_ctl_bool(params, "follow", false)) {
        struct kith_ctl_waiting *w = kith_ctl_waiting_begin(h, call, KITH_CTL_logs);
        w->follow = f;
        (void)log_tell(h, call, &w->follow);
        return KITH_E_AGAIN;
    }
    (void)log_tell(h, call, &f);
    return kith_ctl_give(json_pack("{s:I}", "lines", (json_int_t)f.told), ret);
}

void kith_ctl_follow_turn(struct kith_ctl_handlers *h, struct kith_ctl_waiting *w)
{
    if (!log_tell(h, w->call, &w->follow))
        w->call = 0;
}
