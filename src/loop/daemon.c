#include "loop/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/secret_heap.h"
#include "loop/instance.h"
#include "os/process.h"

enum { FILES_WANTED = 4096 }; /* descriptors: sockets, clients and database take 60 */

/* ---- what the pump asks ---- */

static void on_effect(void *ctx, const struct kith_node_effect *fx)
{
    struct kith_instance *d = ctx;

    switch (fx->kind) {
    case KITH_NODE_OVERLAY: kith_instance_overlay(d); break;
    case KITH_NODE_DONE:
    case KITH_NODE_PONG: kith_ctl_handlers_effect(&d->handlers, fx); break;
    case KITH_NODE_STOPPED: d->stopped = true; break;
    }
}

static void on_clocks(void *ctx, struct kith_clocks_news news)
{
    struct kith_instance *d = ctx;
    char by[24];

    if (news.jumped != 0)
        kith_event_clock_jumped(d->env.events,
                                kith_format(by, sizeof by, "%+lld", (long long)news.jumped));
    if (!news.resumed)
        return;
    kith_event_host_resumed(d->env.events);
    if (d->node != NULL)
        kith_watch_resumed(&d->watch);
}

static void look_at_prices(struct kith_instance *d, kith_time now)
{
    const struct kith_quic_counters *c = kith_node_quic_counters(d->node);
    uint64_t strangers = c->accepted + c->retries_sent + c->noise + c->tokens_bad + c->shed;

    if (kith_prices_look(&d->prices, strangers, now))
        kith_node_set_prices(d->node, &d->prices.now);
}

static void on_turn(void *ctx)
{
    struct kith_instance *d = ctx;
    kith_time now = kith_pump_now(&d->pump).mono;

    if (kith_ctl_deadline(&d->ctl) <= now)
        kith_ctl_tick(&d->ctl, now);
    kith_watch_turn(&d->watch);
    kith_instance_interface_turn(d);
    look_at_prices(d, now);
    kith_control_retry(&d->control);
    kith_instance_monitor_turn(d);
    if (d->control.orphaned && d->stop_by == 0)
        kith_instance_stop(d);
    if (d->stop_by != 0 && d->stop_by <= now)
        d->stopped = true;
}

static kith_time next_deadline(void *ctx)
{
    const struct kith_instance *d = ctx;
    kith_time at = kith_sooner(kith_ctl_deadline(&d->ctl), kith_watch_deadline(&d->watch));

    at = kith_sooner(at, kith_control_deadline(&d->control));
    at = kith_sooner(at, kith_loop_tun_deadline(&d->tun));
    at = kith_sooner(at, kith_overlay_deadline(&d->overlay));
    at = kith_sooner(at, kith_instance_monitor_deadline(d));
    return d->stop_by == 0 ? at : kith_sooner(at, d->stop_by);
}

static void on_settled(void *ctx, bool blocked)
{
    struct kith_instance *d = ctx;

    kith_loop_udp_want(&d->udp, blocked);
    kith_loop_tun_pause(&d->tun, blocked);
    kith_ctl_handlers_turn(&d->handlers);
    kith_control_turn(&d->control);
    if (d->stopped)
        uv_stop(&d->loop);
}

const struct kith_pump_ops kith_instance_ops = {
    .effect = on_effect,
    .clocks = on_clocks,
    .turn = on_turn,
    .deadline = next_deadline,
    .settled = on_settled,
};

/* ---- its life ---- */

/* What the service manager is told, unless it waits for another program than kith. */
static void notify(const struct kith_instance *d, const char *state)
{
    if (!d->options->embedded)
        (void)!kith_sd_notify(state, NULL);
}

void kith_instance_stop(struct kith_instance *d)
{
    struct kith_now now = kith_pump_now(&d->pump);

    if (d->stop_by != 0) {
        d->stopped = true;
        return;
    }
    d->stop_by = kith_after(now.mono, KITH_INSTANCE_STOP);
    notify(d, "STOPPING=1");
    kith_node_stop(d->node, now);
}

static void tell_ready(struct kith_instance *d)
{
    kith_event_node_ready(d->env.events, kith_node_id(d->node)->b);
    if (d->options->ready != NULL)
        d->options->ready(d->options->ctx);
    notify(d, "READY=1");
}

/* Before any key is there. What the system does not let us do is no reason to stop, but is said. */
static void guard_keys(const struct kith_instance *d)
{
    struct kith_os_why why = {.text = ""};
    bool locked = false;
    int err;

    if (!d->conf.node.core_dumps && kith_process_hide_memory(&why) < 0)
        kith_event_offload_off(d->env.events, "hiding this process's memory", why.text);
    err = kith_secret_heap_install(&locked, &why);
    if (err < 0)
        kith_event_offload_off(d->env.events, "memory for keys", why.text);
    else if (!locked)
        kith_event_offload_off(d->env.events, "locking keys in memory", why.text);
}

static void prepare_process(const struct kith_instance *d)
{
    uint64_t limit;

    guard_keys(d);
    (void)!kith_process_raise_files(FILES_WANTED, &limit, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* the other end of a pipe is told by an error */
}

static enum kith_log_form form_of(const struct kith_daemon_options *o)
{
    if (!o->foreground)
        return KITH_LOG_SILENT;
    if (o->json)
        return KITH_LOG_JSON;
    return o->journal ? KITH_LOG_JOURNAL : KITH_LOG_TEXT;
}

static struct kith_instance *instance_new(const struct kith_conf *conf,
                                          const struct kith_daemon_options *options)
{
    struct kith_instance *d = kith_new_zero(&kith_heap, sizeof *d);

    if (d == NULL)
        return NULL;
    d->options = options;
    d->conf = *conf;
    d->random = kith_random_system();
    kith_log_init(&d->log, &kith_heap, kith_clock_now, form_of(options), 2);
    d->log.level = conf->node.log_level;
    d->env = (struct kith_env){.alloc = &kith_heap, .random = &d->random, .events = &d->log.events};
    return d;
}

static int run(const struct kith_conf *conf, const struct kith_daemon_options *options,
               struct kith_ctl_error *ret_error)
{
    struct kith_instance *d = instance_new(conf, options);
    int err;

    if (d == NULL)
        return kith_ctl_error_set(ret_error, KITH_E_NOMEM, "out of memory");
    if (!options->embedded)
        prepare_process(d);
    err = kith_instance_start(d, ret_error);
    if (err == KITH_OK) {
        tell_ready(d);
        kith_pump_turn(&d->pump);
        (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    }
    kith_instance_end(d);
    kith_log_fini(&d->log);
    kith_free(&kith_heap, d);
    return err;
}

int kith_daemon_run(const struct kith_conf *conf, const struct kith_daemon_options *options,
                    struct kith_ctl_error *ret_error)
{
    int err = run(conf, options, ret_error);

    if (options->embedded)
        (void)close(options->owner); /* it learns of the end by this, when all else is done */
    return err;
}

int kith_daemon_identity(const char *state_dir, char ret_peer_id[53],
                         struct kith_ctl_error *ret_error)
{
    struct kith_identity identity = {.key = NULL};
    int err = kith_state_identity(state_dir, &identity, ret_error);

    if (err < 0)
        return err;
    (void)kith_peer_id_text(&identity.id, ret_peer_id, KITH_ID_TEXT);
    kith_identity_fini(&identity);
    return KITH_OK;
}
