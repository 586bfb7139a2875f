#include "loop/watch.h"

#include <unistd.h>

static bool worth_telling(const struct kith_host_addr *a, unsigned tun)
{
    const unsigned never =
        KITH_HOST_ADDR_LOOPBACK | KITH_HOST_ADDR_DEPRECATED | KITH_HOST_ADDR_TENTATIVE;

    return (a->flags & KITH_HOST_ADDR_UP) != 0 && (a->flags & never) == 0 &&
           (tun == 0 || a->ifindex != tun) && !kith_ip_is_loopback(&a->ip) &&
           !kith_ip_is_link_local(&a->ip) && !kith_ip_is_multicast(&a->ip) &&
           !kith_ip_is_unspecified(&a->ip);
}

static bool holds(const struct kith_watch_view *v, const struct kith_ip *ip)
{
    for (size_t i = 0; i < v->n; i++)
        if (kith_ip_equal(&v->addr[i], ip))
            return true;
    return false;
}

void kith_watch_addresses(const struct kith_host_addrs *all, unsigned tun,
                          struct kith_watch_view *ret)
{
    ret->n = 0;
    for (size_t i = 0; i < all->n && ret->n < KITH_COUNT(ret->addr); i++)
        if (worth_telling(&all->a[i], tun) && !holds(ret, &all->a[i].ip))
            ret->addr[ret->n++] = all->a[i].ip;
}

/* FNV-1a: told apart must be what a host's administrator does, not what an attacker makes up. */
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

/* A sum over the routes, so that the order the kernel lists them in does not count. */
uint64_t kith_watch_routes(const struct kith_host_routes *all, unsigned tun)
{
    uint64_t sum = all->more;

    for (size_t i = 0; i < all->n; i++) {
        const struct kith_host_route *r = &all->r[i];
        uint64_t h = 0xcbf29ce484222325u;
        if (tun != 0 && r->ifindex == tun)
            continue;
        h = mix(h, &r->dst.ip, sizeof r->dst.ip);
        h = mix(h, &r->dst.bits, sizeof r->dst.bits);
        h = mix(h, &r->ifindex, sizeof r->ifindex);
        h = mix(h, &r->metric, sizeof r->metric);
        sum += mix(h, &r->src, sizeof r->src);
    }
    return sum;
}

const char *kith_watch_changed(const struct kith_watch_view *before,
                               const struct kith_watch_view *after)
{
    bool addresses = before->n != after->n, routes = before->routes != after->routes;

    for (size_t i = 0; i < after->n; i++)
        addresses = addresses || !holds(before, &after->addr[i]);
    if (addresses)
        return routes ? "addresses and routes" : "addresses";
    return routes ? "routes" : NULL;
}

/* ---- in the loop ---- */

/* False when the kernel does not answer now. */
static bool look(struct kith_watch *w, struct kith_watch_view *ret)
{
    struct kith_host_routes routes;
    struct kith_host_addrs addrs;

    if (kith_netlink_addresses(w->nl, &addrs, NULL) < 0 ||
        kith_netlink_routes(w->nl, &routes, NULL) < 0)
        return false;
    if (w->ops != NULL)
        w->ops->look(w->ctx, &addrs, &routes);
    kith_watch_addresses(&addrs, w->tun, ret);
    ret->routes = kith_watch_routes(&routes, w->tun);
    return true;
}

static void on_change(uv_poll_t *handle, int status, int events)
{
    struct kith_watch *w = handle->data;
    unsigned what;

    (void)events;
    if (kith_netlink_watch_read(w->fd, &what) == KITH_OK)
        w->look_at = kith_after(kith_pump_now(w->pump).mono, KITH_WATCH_SETTLE);
    if (status < 0) /* the kernel dropped notices; reading has taken the error */
        (void)uv_poll_start(&w->handle, UV_READABLE, on_change);
}

int kith_watch_open(struct kith_watch *w, uv_loop_t *loop, struct kith_pump *pump,
                    struct kith_os_why *why)
{
    int fd, err = kith_netlink_watch_open(&fd, why);

    w->pump = pump;
    w->look_at = KITH_NEVER;
    if (err < 0)
        return err;
    if (uv_poll_init(loop, &w->handle, fd) < 0) {
        (void)close(fd);
        return kith_os_say(why, KITH_E_IO, "cannot wait for changes");
    }
    w->handle.data = w;
    w->fd = fd;
    w->open = true;
    (void)uv_poll_start(&w->handle, UV_READABLE, on_change);
    return KITH_OK;
}

void kith_watch_start(struct kith_watch *w)
{
    if (w->nl != NULL && look(w, &w->view))
        kith_node_host_changed(w->pump->node, w->view.addr, w->view.n, false,
                               kith_pump_now(w->pump));
}

void kith_watch_resumed(struct kith_watch *w)
{
    if (w->nl != NULL)
        (void)look(w, &w->view);
    kith_node_host_changed(w->pump->node, w->view.addr, w->view.n, true, kith_pump_now(w->pump));
}

void kith_watch_turn(struct kith_watch *w)
{
    struct kith_now now = kith_pump_now(w->pump);
    struct kith_watch_view view;
    const char *what;

    if (w->look_at > now.mono)
        return;
    w->look_at = KITH_NEVER;
    if (!look(w, &view) || (what = kith_watch_changed(&w->view, &view)) == NULL)
        return;
    w->view = view;
    kith_event_network_changed(w->env->events, what);
    kith_node_host_changed(w->pump->node, view.addr, view.n, true, now);
}

kith_time kith_watch_deadline(const struct kith_watch *w)
{
    return w->look_at;
}

void kith_watch_close(struct kith_watch *w)
{
    if (!w->open)
        return;
    uv_close((uv_handle_t *)&w->handle, NULL);
    (void)close(w->fd);
    w->open = false;
}
