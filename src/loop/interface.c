/* The tunnel interface of an instance: made at the start, and made again whenever it is gone. */

#include "loop/instance.h"

/* A node without an interface is a node all the same; the events say what is missing. */
int kith_instance_interface(struct kith_instance *d, struct kith_ctl_error *e)
{
    struct kith_os_why why = {.text = ""};

    (void)e;
    d->overlay = (struct kith_overlay){.nl = &d->netlink, .env = &d->env, .name = d->tun.tun.name};
    d->netlink_open = kith_netlink_open(&d->netlink, &why) == KITH_OK;
    if (!d->netlink_open)
        kith_event_offload_off(d->env.events, "asking the kernel about the network", why.text);
    if (!d->conf.vpn.enabled)
        return KITH_OK;
    if (!d->netlink_open)
        kith_loop_tun_trouble(&d->tun, &d->env, why.text,
                              "let this program open AF_NETLINK sockets");
    else if (kith_loop_tun_open(&d->tun, &d->conf, &d->netlink, &d->env) == KITH_OK)
        d->overlay.ifindex = d->tun.tun.ifindex;
    return KITH_OK;
}

/* Another interface than before, or none: it has nothing of what the last one was given. */
static void follow(struct kith_instance *d, unsigned ifindex)
{
    if (ifindex == d->overlay.ifindex)
        return;
    d->overlay.ifindex = d->watch.tun = ifindex;
    d->overlay.applied.n = 0;
    d->overlay.again_at = 0;
}

void kith_instance_overlay(struct kith_instance *d)
{
    follow(d, d->tun.open ? d->tun.tun.ifindex : 0);
    kith_overlay_apply(&d->overlay, d->node, kith_pump_now(&d->pump).wall);
}

static void on_look(void *ctx, const struct kith_host_addrs *addrs,
                    const struct kith_host_routes *routes)
{
    struct kith_instance *d = ctx;

    kith_overlay_look(&d->overlay, addrs, routes, kith_pump_now(&d->pump).mono);
}

const struct kith_watch_ops kith_instance_watch_ops = {.look = on_look};

void kith_instance_interface_turn(struct kith_instance *d)
{
    struct kith_now at = kith_pump_now(&d->pump);
    kith_time now = at.mono;

    follow(d, d->tun.open ? d->tun.tun.ifindex : 0);
    kith_overlay_turn(&d->overlay, d->node, now, at.wall);
    if (kith_loop_tun_deadline(&d->tun) > now)
        return;
    if (kith_loop_tun_again(&d->tun, &d->conf, &d->netlink, &d->loop, now) == KITH_OK)
        kith_instance_overlay(d);
}
