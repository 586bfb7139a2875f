/* How an instance comes up, step by step, and how it goes down again. */

#include "loop/instance.h"

#include "crypto/warm_up.h"
#include "kith/version.h"

typedef int step(struct kith_instance *d, struct kith_ctl_error *e);

static int fail(struct kith_ctl_error *e, int err, const char *what, const char *why)
{
    return kith_ctl_error_set(e, err, "%s: %s", what, why);
}

static int start_state(struct kith_instance *d, struct kith_ctl_error *e)
{
    return kith_state_open(&d->state, d->options->state_dir, &d->env, e);
}

/* Before anybody depends on it: what OpenSSL cannot make at its first use it may never make again
 * in this process. */
static int start_crypto(struct kith_instance *d, struct kith_ctl_error *e)
{
    int err = kith_crypto_warm_up(&kith_heap);

    if (err == KITH_OK)
        err = kith_quic_warm_up(d->state.identity.key, &d->env);
    return err < 0 ? fail(e, err, "cannot make the cryptographic library ready", kith_err_text(err))
                   : KITH_OK;
}

static int start_loop(struct kith_instance *d, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};
    int err = uv_loop_init(&d->loop);

    if (err < 0)
        return fail(e, kith_os_err(-err), "cannot make a loop", uv_strerror(err));
    d->loop_open = true;
    err = kith_pump_open(&d->pump, &d->loop, &kith_instance_ops, d, &why);
    return err < 0 ? fail(e, err, "cannot make a loop", why.text) : KITH_OK;
}

/* Claimed early: where two nodes start at once, the second is told before it has taken anything. */
static int start_control(struct kith_instance *d, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};
    int err;

    if (d->options->socket_path == NULL)
        return KITH_OK;
    err = kith_control_open(&d->control, d->options->socket_path, d->conf.control.group.s, &why);
    return err < 0 ? fail(e, err, "cannot open the control socket", why.text) : KITH_OK;
}

static struct kith_udp_config udp_config(const struct kith_conf *conf)
{
    struct kith_udp_config cfg = kith_udp_config_default;

    for (size_t i = 0; i < conf->net.listen.n; i++)
        cfg.listen[i] = conf->net.listen.addr[i];
    cfg.n_listen = conf->net.listen.n;
    cfg.gso = conf->net.gso;
    cfg.gro = conf->net.gro;
    cfg.ecn = conf->net.ecn;
    cfg.recvmmsg = conf->net.recvmmsg;
    cfg.buffer_bytes = conf->net.socket_buffer;
    return cfg;
}

static int start_sockets(struct kith_instance *d, struct kith_ctl_error *e)
{
    const struct kith_udp_config cfg = udp_config(&d->conf);
    struct kith_udp_why why = {.text = ""};
    struct kith_transport transport;
    uint32_t index;
    int err = kith_tx_init(&d->batch, &kith_heap);

    if (err < 0)
        return fail(e, err, "cannot make room for datagrams", kith_err_text(err));
    err = kith_loop_udp_open(&d->udp, &d->loop, &d->pump, &cfg, &d->env, &why);
    if (err == KITH_E_INUSE)
        (void)kith_format(e->remedy, sizeof e->remedy,
                          "end the other program, or listen elsewhere: kith up --listen ADDR:PORT");
    if (err < 0)
        return fail(e, err, "cannot listen", why.text);
    if (d->udp.n > KITH_VPN_LISTENING)
        return kith_ctl_error_set(e, KITH_E_INVAL,
                                  "net.listen has too many addresses: %zu sockets "
                                  "are more than %d",
                                  d->udp.n, KITH_VPN_LISTENING);
    transport = kith_udp_transport(d->udp.udp);
    err = kith_tx_add_transport(&d->batch, &transport, &index);
    for (size_t i = 0; i < d->udp.n; i++)
        kith_event_listening(d->env.events, &d->udp.bound[i]);
    return err < 0 ? fail(e, err, "cannot use UDP", kith_err_text(err)) : KITH_OK;
}

static enum kith_congestion congestion_of(enum kith_conf_congestion c)
{
    switch (c) {
    case KITH_CONF_CONGESTION_CUBIC: return KITH_CC_CUBIC;
    case KITH_CONF_CONGESTION_BBR: return KITH_CC_BBR;
    }
    return KITH_CC_CUBIC;
}

static enum kith_cipher_choice cipher_of(enum kith_conf_cipher c)
{
    switch (c) {
    case KITH_CONF_CIPHER_AUTO: return KITH_CIPHER_AUTO;
    case KITH_CONF_CIPHER_AES: return KITH_CIPHER_AES;
    case KITH_CONF_CIPHER_CHACHA: return KITH_CIPHER_CHACHA;
    }
    return KITH_CIPHER_AUTO;
}

static struct kith_node_config node_config(struct kith_instance *d)
{
    const struct kith_conf *conf = &d->conf;

    return (struct kith_node_config){
        .identity = &d->state.identity,
        .name = conf->node.name.s,
        .software = "kith " KITH_VERSION,
        .quic =
            {
                .congestion = congestion_of(conf->net.congestion),
                .cipher = cipher_of(conf->net.cipher),
                .connections_max = conf->net.connections_max,
                .handshakes_max = conf->net.handshakes_max,
                .handshakes_per_prefix = conf->net.handshakes_per_prefix,
                .handshakes_per_second = (unsigned)conf->net.handshakes_per_second,
                .stranger_share = (unsigned)conf->net.stranger_share,
                .idle_timeout = conf->net.idle_timeout,
            },
        .vpn =
            {
                .mtu = conf->vpn.mtu,
                .inbound_deny = conf->vpn.inbound == KITH_INBOUND_DENY,
                .offload = d->tun.open && d->tun.tun.vnet_hdr && d->tun.tun.tso,
                .offload_udp = d->tun.open && d->tun.tun.uso,
            },
        .tun = kith_loop_tun_in(&d->tun),
        .batch = &d->batch,
        .keepalive = conf->net.keepalive,
        .capabilities = KITH_CAP_CHECKSUM | (conf->net.packet_plane ? KITH_CAP_PLANE : 0u),
        .renew_before = conf->network.renew_before / KITH_SEC,
        .forward_nothing = !conf->mesh.forward,
        .forward_rate = conf->mesh.forward_rate,
        .paths_max = conf->mesh.paths,
        .listen = d->udp.bound,
        .n_listen = d->udp.n,
    };
}

static int start_node(struct kith_instance *d, struct kith_ctl_error *e)
{
    struct kith_node_config cfg = node_config(d);
    struct kith_node_why why = {.text = ""};
    kith_prices_begin(&d->prices, d->state.identity.key);
    cfg.quic.prices = d->prices.now;
    int err = kith_node_new(&cfg, &d->env, d->state.store, kith_pump_now(&d->pump), &d->node, &why);

    if (err < 0) {
        (void)kith_format(e->remedy, sizeof e->remedy, "%s", why.remedy);
        return fail(e, err, "cannot start the node", why.text[0] ? why.text : kith_err_text(err));
    }
    d->pump.node = d->node;
    d->pump.batch = &d->batch;
    return KITH_OK;
}

/* Without notices of changes the node still learns of them from its peers' silence. */
static void start_watch(struct kith_instance *d)
{
    struct kith_os_why why = {.text = ""};

    d->watch.env = &d->env;
    d->watch.nl = d->netlink_open ? &d->netlink : NULL;
    d->watch.tun = d->overlay.ifindex;
    d->watch.ops = &kith_instance_watch_ops;
    d->watch.ctx = d;
    if (kith_watch_open(&d->watch, &d->loop, &d->pump, &why) < 0)
        kith_event_offload_off(d->env.events, "noticing changes of the host's network", why.text);
    kith_watch_start(&d->watch);
}

/* ---- the control API's host ---- */

static struct kith_now host_now(void *ctx)
{
    struct kith_instance *d = ctx;
    return kith_pump_now(&d->pump);
}

static void host_down(void *ctx)
{
    kith_instance_stop(ctx);
}

static bool host_next_event(void *ctx, uint64_t *at, struct kith_ctl_event *ret)
{
    const struct kith_instance *d = ctx;
    const struct kith_log_line *line = kith_log_next(&d->log, at);

    if (line == NULL)
        return false;
    *ret = (struct kith_ctl_event){.level = line->level, .json = line->json, .text = line->text};
    return true;
}

/* What cannot be asked is taken for in use: nobody must be cut off by a guess. */
static bool host_prefix_in_use(void *ctx, const struct kith_prefix *p)
{
    struct kith_instance *d = ctx;
    bool used;

    if (!d->netlink_open)
        return true;
    return kith_host_prefix_in_use(&d->netlink, p, d->overlay.ifindex, &used, NULL) < 0 || used;
}

static const char *host_tun(void *ctx)
{
    const struct kith_instance *d = ctx;
    return d->tun.polled ? d->tun.tun.name : NULL;
}

static const char *host_tun_trouble(void *ctx)
{
    const struct kith_instance *d = ctx;
    return d->tun.trouble[0] != '\0' ? d->tun.trouble : NULL;
}

static void host_metrics(void *ctx, struct kith_metrics *ret)
{
    kith_instance_metrics(ctx, ret);
}

static void start_handlers(struct kith_instance *d)
{
    d->host = (struct kith_ctl_host){
        .now = host_now,
        .down = host_down,
        .next_event = host_next_event,
        .prefix_in_use = host_prefix_in_use,
        .tun = host_tun,
        .tun_trouble = host_tun_trouble,
        .metrics = host_metrics,
        .ctx = d,
        .conf = &d->conf,
        .state_dir = d->options->state_dir,
        .listen = d->udp.bound,
        .n_listen = d->udp.n,
        .ready_at = kith_pump_now(&d->pump).mono,
    };
    kith_ctl_handlers_init(&d->handlers, &d->ctl, d->node, &d->host);
    kith_ctl_init(&d->ctl, &d->env, &kith_ctl_handlers_ops, &d->handlers);
}

/* ---- signals ---- */

static void on_end(uv_signal_t *handle, int number)
{
    (void)number;
    kith_instance_stop(handle->data);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    kith_instance_reload(handle->data);
}

static int start_signals(struct kith_instance *d)
{
    struct kith_signals *s = &d->signals;

    if (d->options->embedded)
        return KITH_OK;
    if (uv_signal_init(&d->loop, &s->term) < 0)
        return KITH_E_IO;
    s->open = true; /* the first makes what the others need */
    (void)uv_signal_init(&d->loop, &s->interrupt);
    (void)uv_signal_init(&d->loop, &s->hangup);
    s->term.data = s->interrupt.data = s->hangup.data = d;
    if (uv_signal_start(&s->term, on_end, SIGTERM) < 0 ||
        uv_signal_start(&s->interrupt, on_end, SIGINT) < 0 ||
        uv_signal_start(&s->hangup, on_hangup, SIGHUP) < 0)
        return KITH_E_IO;
    return KITH_OK;
}

/* Everything is there: lets packets, clients, changes and signals in. */
static int start_turning(struct kith_instance *d, struct kith_ctl_error *e)
{
    int err;

    start_handlers(d);
    start_watch(d);
    err = start_signals(d);
    if (err == KITH_OK)
        err = kith_loop_tun_start(&d->tun, &d->loop, &d->pump);
    if (err == KITH_OK)
        err = kith_control_start(&d->control, &d->loop, &d->pump, &d->ctl);
    if (err == KITH_OK && d->options->embedded)
        err = kith_control_own(&d->control, d->options->owner);
    if (err < 0)
        return fail(e, err, "cannot start the loop", kith_err_text(err));
    kith_instance_overlay(d);
    return KITH_OK;
}

int kith_instance_start(struct kith_instance *d, struct kith_ctl_error *e)
{
    static step *const steps[] = {
        start_state,
        start_crypto,
        start_loop,
        start_control,
        start_sockets,
        kith_instance_monitor,
        kith_instance_interface,
        start_node,
        start_turning,
        kith_instance_confine,
    };
    int err = KITH_OK;

    for (size_t i = 0; err == KITH_OK && i < KITH_COUNT(steps); i++)
        err = steps[i](d, e);
    return err;
}

/* ---- the end ---- */

static void end_signals(struct kith_signals *s)
{
    if (!s->open)
        return;
    uv_close((uv_handle_t *)&s->term, NULL);
    uv_close((uv_handle_t *)&s->interrupt, NULL);
    uv_close((uv_handle_t *)&s->hangup, NULL);
}

/* Clients go first, while the node their calls belong to is there; the lock goes last. */
void kith_instance_end(struct kith_instance *d)
{
    kith_control_close(&d->control);
    end_signals(&d->signals);
    kith_watch_close(&d->watch);
    kith_instance_monitor_end(d);
    kith_node_free(d->node);
    d->node = d->pump.node = NULL;
    kith_loop_tun_close(&d->tun);
    if (d->netlink_open)
        kith_netlink_close(&d->netlink);
    kith_loop_udp_close(&d->udp);
    kith_tx_fini(&d->batch);
    kith_pump_close(&d->pump);
    if (d->loop_open) {
        (void)uv_run(&d->loop, UV_RUN_DEFAULT); /* until every handle is closed */
        (void)uv_loop_close(&d->loop);
    }
    kith_state_close(&d->state);
}
