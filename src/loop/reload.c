/* SIGHUP: the configuration read again. */

#include "loop/instance.h"

/* Takes over what may change while running. */
static void apply(struct kith_instance *d)
{
    d->log.level = d->conf.node.log_level;
    kith_node_set_inbound(d->node, d->conf.vpn.inbound == KITH_INBOUND_DENY);
    kith_node_set_forward_rate(d->node, d->conf.mesh.forward_rate);
    kith_node_set_renew_before(d->node, d->conf.network.renew_before / KITH_SEC);
}

void kith_instance_reload(struct kith_instance *d)
{
    const struct kith_daemon_options *o = d->options;
    struct kith_ctl_error e = {.err = KITH_OK};
    char later[KITH_CONF_VALUE_TEXT];
    struct kith_conf fresh;

    if (o->reload == NULL)
        return;
    if (o->reload(o->ctx, &fresh, &e) < 0) {
        kith_event_config_refused(d->env.events, d->conf.file[0] ? d->conf.file : "the environment",
                                  e.message);
        return;
    }
    (void)kith_conf_reload(&d->conf, &fresh, later, sizeof later);
    apply(d);
    kith_event_config_reloaded(d->env.events, later);
}
