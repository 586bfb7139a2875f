#include "loop/tun.h"

#include <errno.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"

/* ---- opening ---- */

/* What the person at this machine can do about it. */
static void remedy_of(int err, const char *name, char *buf, size_t cap)
{
    char program[KITH_CONF_PATH];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

    program[n < 0 ? 0 : n] = '\0';
    if (err == KITH_E_PERM && access(TUN_DEVICE, R_OK | W_OK) < 0 && errno == EACCES)
        (void)kith_format(buf, cap,
                          "sudo sh -c 'chmod 0666 " TUN_DEVICE " && setcap cap_net_admin+ep %s'",
                          n < 0 ? "$(command -v kith)" : program);
    else if (err == KITH_E_PERM)
        (void)kith_format(buf, cap, "sudo setcap cap_net_admin+ep %s",
                          n < 0 ? "$(command -v kith)" : program);
    else if (err == KITH_E_UNSUPPORTED)
        (void)kith_format(buf, cap, "sudo modprobe tun; in a container, pass it /dev/net/tun");
    else if (err == KITH_E_INUSE || err == KITH_E_EXISTS)
        (void)kith_format(buf, cap, "kith up --tun NAME, with a name other than %s", name);
    else
        (void)kith_format(buf, cap, "kith up --no-tun does without one");
}

/* A persistent device may carry what a process that died left on it. */
static int link_up(const struct kith_loop_tun *t, const struct kith_conf *conf,
                   struct kith_netlink *nl, struct kith_os_why *why)
{
    const struct kith_link_change change = {
        .mtu = conf->vpn.mtu, .queue = KITH_TUN_QUEUE, .up = true};
    int err = t->tun.persistent ? kith_netlink_link_clear(nl, t->tun.ifindex, why) : KITH_OK;

    /* where /proc/sys cannot be written the packet path refuses what this would have kept out */
    (void)!kith_netlink_link_quiet(nl, t->tun.ifindex, NULL);
    return err < 0 ? err : kith_netlink_link_set(nl, t->tun.ifindex, &change, why);
}

void kith_loop_tun_trouble(struct kith_loop_tun *t, const struct kith_env *env, const char *why,
                           const char *remedy)
{
    kith_event_tun_unavailable(env->events, why, remedy);
    kith_format(t->trouble, sizeof t->trouble, "%s. Remedy: %s", why, remedy);
}

/* Without an event. */
static int make(struct kith_loop_tun *t, const char *name, bool offload,
                const struct kith_conf *conf, struct kith_netlink *nl, struct kith_os_why *why)
{
    int err = kith_tun_open(&t->tun, name, offload, why);

    if (err == KITH_OK && (err = link_up(t, conf, nl, why)) < 0)
        kith_tun_close(&t->tun);
    t->open = err == KITH_OK;
    return err;
}

int kith_loop_tun_open(struct kith_loop_tun *t, const struct kith_conf *conf,
                       struct kith_netlink *nl, const struct kith_env *env)
{
    struct kith_os_why why = {.text = ""};
    char remedy[KITH_CONF_PATH + 64];

    t->env = env;
    int err = make(t, conf->vpn.tun.s, conf->vpn.offload, conf, nl, &why);
    if (err < 0) {
        remedy_of(err, conf->vpn.tun.s, remedy, sizeof remedy);
        kith_loop_tun_trouble(t, env, why.text, remedy);
        return err;
    }
    kith_event_tun_up(env->events, t->tun.name, conf->vpn.mtu);
    return KITH_OK;
}

/* ---- one that is gone ---- */

static void on_closed(uv_handle_t *handle)
{
    struct kith_loop_tun *t = handle->data;

    t->initialised = false;
}

static void let_go(struct kith_loop_tun *t)
{
    if (t->initialised && !uv_is_closing((uv_handle_t *)&t->handle))
        uv_close((uv_handle_t *)&t->handle, on_closed);
    if (t->open)
        kith_tun_close(&t->tun);
    t->open = t->polled = t->paused = false;
}

static void gone(struct kith_loop_tun *t, kith_time now)
{
    let_go(t);
    t->lost = true;
    t->again_at = kith_backoff_lost(&t->backoff, t->since, now);
    kith_event_tun_lost(t->env->events, t->tun.name);
    kith_format(t->trouble, sizeof t->trouble, "the interface was deleted; it is being made again");
}

kith_time kith_loop_tun_deadline(const struct kith_loop_tun *t)
{
    return t->lost ? t->again_at : KITH_NEVER;
}

/* It could be had before. Where the right to make one is gone, it does not come back to a process;
 * a device that an administrator made is theirs to make again. */
static void remedy_again(const struct kith_loop_tun *t, int err, char *buf, size_t cap)
{
    if (err == KITH_E_PERM && t->tun.persistent)
        (void)kith_format(buf, cap, "sudo ip tuntap add %s mode tun user USER", t->tun.name);
    else if (err == KITH_E_PERM)
        (void)kith_format(buf, cap, "restart the node: kith down, kith up");
    else if (err == KITH_E_INUSE || err == KITH_E_EXISTS)
        (void)kith_format(buf, cap, "remove what is called %s now", t->tun.name);
    else
        remedy_of(err, t->tun.name, buf, cap);
}

/* One that it asks for again and again is told of once for each reason. */
static void failed_again(struct kith_loop_tun *t, int err, const char *why)
{
    char remedy[KITH_CONF_PATH + 64];

    if (strncmp(t->trouble, why, strlen(why)) == 0)
        return;
    remedy_again(t, err, remedy, sizeof remedy);
    kith_loop_tun_trouble(t, t->env, why, remedy);
}

int kith_loop_tun_again(struct kith_loop_tun *t, const struct kith_conf *conf,
                        struct kith_netlink *nl, uv_loop_t *loop, kith_time now)
{
    struct kith_os_why why = {.text = ""};

    if (t->initialised) /* the loop has yet to let go of the last one; it does before it sleeps */
        return KITH_E_AGAIN;
    int err = make(t, t->tun.name, t->tun.vnet_hdr, conf, nl, &why);
    if (err == KITH_OK && (err = kith_loop_tun_start(t, loop, t->pump)) < 0) {
        (void)kith_os_say(&why, err, "wait for packets of %s", t->tun.name);
        let_go(t);
    }
    if (err < 0) {
        t->again_at = kith_backoff_failed(&t->backoff, now);
        failed_again(t, err, why.text);
        return err;
    }
    t->lost = false;
    t->trouble[0] = '\0';
    kith_event_tun_up(t->env->events, t->tun.name, conf->vpn.mtu);
    return KITH_OK;
}

/* ---- packets ---- */

static void on_tun(uv_poll_t *handle, int status, int events)
{
    struct kith_loop_tun *t = handle->data;
    struct kith_now now = kith_pump_now(t->pump);
    int err = KITH_OK;
    size_t n;

    (void)events;
    for (int i = 0; i < KITH_TUN_READS && err == KITH_OK && !t->pump->batch->blocked; i++) {
        err = kith_tun_read(&t->tun, t->buf, sizeof t->buf, &n);
        if (err == KITH_OK)
            kith_node_from_tun(t->pump->node, t->buf, n, now);
    }
    if (err == KITH_E_CLOSED || status < 0)
        gone(t, now.mono);
}

static bool write_packet(void *ctx, const struct kith_span *parts, size_t n)
{
    struct kith_loop_tun *t = ctx;
    struct kith_iov iov[KITH_TUN_IOV_MAX];

    if (!t->open || n > KITH_COUNT(iov))
        return false;
    for (size_t i = 0; i < n; i++)
        iov[i] = (struct kith_iov){.p = parts[i].p, .n = parts[i].n};
    return kith_tun_write(&t->tun, iov, n) == KITH_OK;
}

struct kith_vpn_in kith_loop_tun_in(struct kith_loop_tun *t)
{
    if (!t->open)
        return (struct kith_vpn_in){.write = NULL};
    return (struct kith_vpn_in){.write = write_packet, .ctx = t};
}

int kith_loop_tun_start(struct kith_loop_tun *t, uv_loop_t *loop, struct kith_pump *pump)
{
    if (!t->open)
        return KITH_OK;
    t->pump = pump;
    if (uv_poll_init(loop, &t->handle, t->tun.fd) < 0)
        return KITH_E_IO;
    t->handle.data = t;
    t->initialised = t->polled = true;
    t->since = kith_pump_now(pump).mono;
    return uv_poll_start(&t->handle, UV_READABLE, on_tun) < 0 ? KITH_E_IO : KITH_OK;
}

void kith_loop_tun_pause(struct kith_loop_tun *t, bool paused)
{
    if (!t->polled || t->paused == paused)
        return;
    t->paused = paused;
    if (paused)
        (void)uv_poll_stop(&t->handle);
    else
        (void)uv_poll_start(&t->handle, UV_READABLE, on_tun);
}

void kith_loop_tun_close(struct kith_loop_tun *t)
{
    bool was_open = t->open;

    let_go(t);
    t->lost = false;
    if (was_open)
        kith_event_tun_down(t->env->events, t->tun.name);
}
