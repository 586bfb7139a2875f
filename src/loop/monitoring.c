#include "loop/monitoring.h"

#include "loop/instance.h"

/* ---- gathering ---- */

static uint64_t dead_sockets(const struct kith_loop_udp *u)
{
    uint64_t n = 0;

    for (size_t i = 0; i < u->n; i++)
        n += u->socket[i].dead ? 1u : 0u;
    return n;
}

static void note_alone(struct kith_monitoring *m, const struct kith_node_totals *t, kith_time now)
{
    if (t->members == 0 || t->members_connected > 0)
        m->alone_since = 0;
    else if (m->alone_since == 0)
        m->alone_since = now;
}

/* The node's totals, and what they say about being alone. */
static void look(struct kith_instance *d, struct kith_node_totals *ret)
{
    struct kith_now now = kith_pump_now(&d->pump);

    kith_node_totals(d->node, now.wall, ret);
    note_alone(&d->monitoring, ret, now.mono);
    d->monitoring.look_at = kith_after(now.mono, KITH_MONITORING_LOOK);
}

static struct kith_health health_of(struct kith_instance *d, const struct kith_node_totals *t)
{
    const struct kith_health_facts facts = {
        .tun_wanted = d->conf.vpn.enabled,
        .tun_there = d->tun.polled,
        .sockets = d->udp.n,
        .sockets_dead = dead_sockets(&d->udp),
        .members = t->members,
        .members_connected = t->members_connected,
        .alone_since = d->monitoring.alone_since,
        .networks_lapsed = t->networks_lapsed,
        .networks_expired = t->networks_expired,
        .certificate_end = t->certificate_end,
        .renew_before = d->conf.network.renew_before / KITH_SEC,
        .store_failing = kith_store_failing(d->state.store),
        .stopping = d->stop_by != 0,
    };

    return kith_health_judge(&facts, kith_pump_now(&d->pump));
}

void kith_instance_metrics(struct kith_instance *d, struct kith_metrics *ret)
{
    struct kith_health health;

    *ret = (struct kith_metrics){
        .build = {1},
        .started = d->monitoring.started,
        .session = *kith_node_session_counters(d->node),
        .mesh = *kith_node_relay_counters(d->node),
        .telling = *kith_node_telling_counters(d->node),
        .vpn = kith_node_vpn_counters(d->node),
        .quic = *kith_node_quic_counters(d->node),
        .sockets = d->udp.n,
        .sockets_dead = dead_sockets(&d->udp),
        .udp = *kith_udp_counters(d->udp.udp),
        .store = *kith_store_counters(d->state.store),
    };
    kith_process_usage(&ret->process);
    look(d, &ret->node);
    health = health_of(d, &ret->node);
    for (size_t i = 0; i < KITH_HEALTH_REASONS; i++)
        ret->problem[i] = health.because[i] ? 1 : 0;
    memcpy(ret->events.happened, d->log.count.happened, sizeof ret->events.happened);
    ret->events.held_back = d->log.count.held_back;
}

/* ---- pages ---- */

static int make_metrics(void *ctx, struct kith_buf *body, unsigned *ret_status)
{
    struct kith_metrics m;

    (void)ret_status; /* 200 */
    kith_instance_metrics(ctx, &m);
    return kith_metrics_text(&m, body);
}

static int make_health(void *ctx, struct kith_buf *body, unsigned *ret_status)
{
    struct kith_node_totals totals;
    struct kith_health health;

    look(ctx, &totals);
    health = health_of(ctx, &totals);
    if (health.status == KITH_UNHEALTHY)
        *ret_status = 503;
    return kith_health_text(&health, body);
}

static const struct kith_http_page metrics_pages[] = {
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", make_metrics},
    {.path = NULL},
};

static const struct kith_http_page health_pages[] = {
    {"/health", "application/json", make_health},
    {"/", "application/json", make_health},
    {.path = NULL},
};

/* ---- opening and closing ---- */

static int serve(struct kith_instance *d, struct kith_http *h, enum kith_option o, const char *what,
                 const struct kith_http_page *pages, struct kith_ctl_error *e)
{
    const struct kith_conf_addrs at = kith_conf_get(&d->conf, o).addrs;
    const char *option = kith_option_row(o)->name;
    struct kith_os_why why = {.text = ""};
    int err;

    if (at.n == 0)
        return KITH_OK;
    err = kith_http_open(h, &d->loop, &d->pump, &kith_heap, &at.addr[0], pages, d, &why);
    if (err == KITH_E_INUSE)
        (void)kith_format(e->remedy, sizeof e->remedy,
                          "end the other program, or choose another port for %s", option);
    if (err < 0)
        return kith_ctl_error_set(e, err, "%s: %s", option, why.text);
    kith_event_serving(d->env.events, what, &at.addr[0]);
    if (!kith_ip_is_loopback(&at.addr[0].ip))
        kith_event_serving_all(d->env.events, &at.addr[0], what);
    return KITH_OK;
}

/* Nobody is answered before the loop runs, and then there is a node. */
int kith_instance_monitor(struct kith_instance *d, struct kith_ctl_error *e)
{
    int err = serve(d, &d->monitoring.metrics, KITH_OPTION_monitoring_metrics_addr, "metrics",
                    metrics_pages, e);

    d->monitoring.started = kith_pump_now(&d->pump).wall;
    if (err == KITH_OK)
        err = serve(d, &d->monitoring.health, KITH_OPTION_monitoring_health_addr, "health",
                    health_pages, e);
    return err;
}

void kith_instance_monitor_turn(struct kith_instance *d)
{
    struct kith_node_totals totals;

    kith_http_turn(&d->monitoring.metrics);
    kith_http_turn(&d->monitoring.health);
    if (d->monitoring.look_at <= kith_pump_now(&d->pump).mono)
        look(d, &totals);
}

kith_time kith_instance_monitor_deadline(const struct kith_instance *d)
{
    const struct kith_monitoring *m = &d->monitoring;
    kith_time at = kith_sooner(kith_http_deadline(&m->metrics), kith_http_deadline(&m->health));

    return m->metrics.open || m->health.open ? kith_sooner(at, m->look_at) : at;
}

void kith_instance_monitor_end(struct kith_instance *d)
{
    kith_http_close(&d->monitoring.metrics);
    kith_http_close(&d->monitoring.health);
}
