#include "transport/udp/udp.h"

#include <unistd.h>

#include "base/text.h"
#include "transport/udp/udp_impl.h"

const struct kith_udp_config kith_udp_config_default = {
    .gso = true, .gro = true, .ecn = true, .recvmmsg = true};

enum {
    BATCHES = 4, /* of one receive: up to 8 MiB with GRO, then timers and sending get a turn */
};

/* ---- the kernel ---- */

static int call_setsockopt(void *ctx, int fd, int level, int name, const void *value, socklen_t n)
{
    (void)ctx;
    return setsockopt(fd, level, name, value, n);
}

static int call_sendmmsg(void *ctx, int fd, struct mmsghdr *msgs, unsigned n)
{
    (void)ctx;
    return sendmmsg(fd, msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int call_recvmmsg(void *ctx, int fd, struct mmsghdr *msgs, unsigned n)
{
    (void)ctx;
    return recvmmsg(fd, msgs, n, MSG_DONTWAIT, NULL);
}

static ssize_t call_recvmsg(void *ctx, int fd, struct msghdr *msg)
{
    (void)ctx;
    return recvmsg(fd, msg, MSG_DONTWAIT);
}

const struct kith_udp_sys kith_udp_kernel = {.setsockopt = call_setsockopt,
                                             .sendmmsg = call_sendmmsg,
                                             .recvmmsg = call_recvmmsg,
                                             .recvmsg = call_recvmsg};

/* ---- life ---- */

static int open_all(struct kith_udp *u, const struct kith_udp_config *cfg,
                    struct kith_udp_why *ret_why)
{
    for (size_t i = 0; i < cfg->n_listen; i++) {
        int err = kith_udp_open(u, &cfg->listen[i], ret_why);
        if (err < 0)
            return err;
    }
    return KITH_OK;
}

/* After the sockets are open: only then is it known how much room a run needs. */
static int give_buffers(struct kith_udp *u)
{
    u->data = kith_new_bytes(u->env.alloc, KITH_UDP_BATCH * u->room);
    if (u->data == NULL)
        return KITH_E_NOMEM;
    for (size_t i = 0; i < KITH_UDP_BATCH; i++) {
        u->rx[i].iov = (struct iovec){.iov_base = u->data + i * u->room, .iov_len = u->room};
        u->rx_msg[i].msg_hdr = (struct msghdr){.msg_name = &u->rx[i].from,
                                               .msg_iov = &u->rx[i].iov,
                                               .msg_iovlen = 1,
                                               .msg_control = &u->rx[i].control};
    }
    return KITH_OK;
}

int kith_udp_new(const struct kith_udp_config *cfg, uint32_t transport_index,
                 const struct kith_env *env, struct kith_udp **ret, struct kith_udp_why *ret_why)
{
    if (cfg->n_listen == 0 || cfg->n_listen > KITH_UDP_LISTEN_MAX) {
        kith_format(ret_why->text, sizeof ret_why->text,
                    "UDP listens on 1 to %d addresses, not %zu", KITH_UDP_LISTEN_MAX,
                    cfg->n_listen);
        return KITH_E_INVAL;
    }
    struct kith_udp *u = kith_new_zero(env->alloc, sizeof *u);
    int err = u == NULL ? KITH_E_NOMEM : KITH_OK;
    if (err < 0)
        goto out;
    u->env = *env;
    u->sys = cfg->sys != NULL ? cfg->sys : &kith_udp_kernel;
    u->index = transport_index;
    u->gso = cfg->gso;
    u->gro = cfg->gro;
    u->ecn = cfg->ecn;
    u->recvmmsg = cfg->recvmmsg;
    u->buffer_bytes = cfg->buffer_bytes != 0 ? cfg->buffer_bytes : KITH_UDP_BUFFER_BYTES;
    u->max_batches = cfg->max_batches != 0 ? cfg->max_batches : BATCHES;
    u->room = KITH_UDP_DATAGRAM_MAX;
    err = open_all(u, cfg, ret_why);
    if (err == KITH_OK)
        err = give_buffers(u);
out:
    if (err == KITH_OK) {
        *ret = u;
        return KITH_OK;
    }
    if (err == KITH_E_NOMEM)
        kith_format(ret_why->text, sizeof ret_why->text, "out of memory for UDP's buffers");
    kith_udp_free(u);
    return err;
}

void kith_udp_free(struct kith_udp *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < u->n_sockets; i++)
        (void)close(u->socket[i].fd);
    kith_free(u->env.alloc, u->data);
    kith_free(u->env.alloc, u);
}

/* ---- questions ---- */

size_t kith_udp_fds(const struct kith_udp *u, int *fds, size_t cap)
{
    for (size_t i = 0; i < u->n_sockets && i < cap; i++)
        fds[i] = u->socket[i].fd;
    return u->n_sockets;
}

int kith_udp_local(const struct kith_udp *u, struct kith_addr *ret, size_t cap, size_t *ret_n)
{
    if (cap < u->n_sockets)
        return KITH_E_LIMIT;
    for (size_t i = 0; i < u->n_sockets; i++)
        ret[i] = u->socket[i].bound;
    *ret_n = u->n_sockets;
    return KITH_OK;
}

const struct kith_udp_counters *kith_udp_counters(const struct kith_udp *u)
{
    return &u->count;
}

struct kith_transport kith_udp_transport(struct kith_udp *u)
{
    static const struct kith_transport_ops ops = {.send = kith_udp_send};

    return (struct kith_transport){
        .ops = &ops,
        .ctx = u,
        .info = {.kind = "udp", .mtu = KITH_UDP_DATAGRAM_MAX, .max_run = KITH_UDP_RUN_MAX}};
}
