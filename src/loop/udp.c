#include "loop/udp.h"

static void sink(void *ctx, const struct kith_rx *runs, size_t n)
{
    const struct kith_loop_udp *u = ctx;

    for (size_t i = 0; i < n; i++)
        kith_pump_receive(u->pump, &runs[i]);
}

static void on_socket(uv_poll_t *handle, int status, int events);

static void poll_start(struct kith_udp_poll *p)
{
    if (!p->dead)
        (void)uv_poll_start(
            &p->handle, p->owner->writable ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_socket);
}

static void give_up(struct kith_udp_poll *p)
{
    struct kith_loop_udp *u = p->owner;

    p->dead = true;
    (void)uv_poll_stop(&p->handle);
    kith_event_listen_failed(u->env->events, &u->bound[p - u->socket], "the socket is beyond use");
}

/* Room to send (UV_WRITABLE) needs nothing here: the turn that follows flushes the batch. */
static void on_socket(uv_poll_t *handle, int status, int events)
{
    struct kith_udp_poll *p = handle->data;

    if (status == 0 && (events & UV_READABLE) == 0)
        return;
    if (kith_udp_receive(p->owner->udp, p->fd, sink, p->owner) < 0)
        give_up(p);
    else if (status < 0) /* libuv stopped it for a pending error, which reading has taken */
        poll_start(p);
}

int kith_loop_udp_open(struct kith_loop_udp *u, uv_loop_t *loop, struct kith_pump *pump,
                       const struct kith_udp_config *cfg, const struct kith_env *env,
                       struct kith_udp_why *why)
{
    int fds[KITH_UDP_SOCKETS_MAX];
    size_t n;
    int err = kith_udp_new(cfg, 0, env, &u->udp, why);

    if (err < 0)
        return err;
    u->pump = pump;
    u->env = env;
    n = kith_udp_fds(u->udp, fds, KITH_COUNT(fds));
    err = kith_udp_local(u->udp, u->bound, KITH_COUNT(u->bound), &n);
    for (size_t i = 0; err == KITH_OK && i < n; i++) {
        struct kith_udp_poll *p = &u->socket[i];
        p->owner = u;
        p->fd = fds[i];
        if (uv_poll_init(loop, &p->handle, fds[i]) < 0) {
            (void)kith_format(why->text, sizeof why->text, "cannot wait for a socket");
            return KITH_E_IO;
        }
        p->handle.data = p;
        u->n = i + 1;
        poll_start(p);
    }
    return err;
}

void kith_loop_udp_want(struct kith_loop_udp *u, bool writable)
{
    if (u->writable == writable)
        return;
    u->writable = writable;
    for (size_t i = 0; i < u->n; i++)
        poll_start(&u->socket[i]);
}

void kith_loop_udp_close(struct kith_loop_udp *u)
{
    for (size_t i = 0; i < u->n; i++)
        uv_close((uv_handle_t *)&u->socket[i].handle, NULL);
    u->n = 0;
    kith_udp_free(u->udp);
    u->udp = NULL;
}
