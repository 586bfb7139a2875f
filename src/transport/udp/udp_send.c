/* udp_send.c: runs out. A batch is the messages of one sendmmsg, all of one socket: each is a run
 * or as much of one as GSO takes at once, or a single datagram without it. */
#include <assert.h>
#include <errno.h>

#include "transport/udp/udp_impl.h"

/* ---- which socket ---- */

/* How well s serves for leaving from `local`; 0 for not at all. The port weighs more than the
 * address: what answers must leave from the port that was asked. */
static int fitness(const struct udp_socket *s, const struct kith_path *p)
{
    bool any = kith_ip_is_unspecified(&s->bound.ip);

    if (s->bound.ip.family != p->remote.ip.family)
        return 0;
    int port = s->bound.port == p->local.port ? 2 : 0;
    if (kith_ip_is_unspecified(&p->local.ip))
        return 1 + port + any;
    if (kith_ip_equal(&s->bound.ip, &p->local.ip))
        return 2 + port;
    return any && p->local.ip.family == p->remote.ip.family ? 1 + port : 0;
}

static const struct udp_socket *find_socket(const struct kith_udp *u, const struct kith_path *p)
{
    const struct udp_socket *best = NULL;
    int most = 0;

    for (size_t i = 0; i < u->n_sockets; i++) {
        int f = fitness(&u->socket[i], p);
        if (f > most) {
            most = f;
            best = &u->socket[i];
        }
    }
    return best;
}

/* ---- one message ---- */

static void add_control(struct msghdr *m, int level, int type, const void *value, size_t n)
{
    struct cmsghdr *c = (void *)((uint8_t *)m->msg_control + m->msg_controllen);

    *c = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(n)};
    memcpy(CMSG_DATA(c), value, n);
    m->msg_controllen += CMSG_SPACE(n);
}

static void add_source(struct msghdr *m, const struct kith_addr *local)
{
    if (local->ip.family == KITH_FAMILY_IP4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, local->ip.b, 4);
        add_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = local->scope};
        memcpy(&info.ipi6_addr, local->ip.b, 16);
        add_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static void add_ecn(struct msghdr *m, uint8_t family, uint8_t ecn)
{
    int bits = ecn & 3;

    if (family == KITH_FAMILY_IP4)
        add_control(m, IPPROTO_IP, IP_TOS, &bits, sizeof bits);
    else
        add_control(m, IPPROTO_IPV6, IPV6_TCLASS, &bits, sizeof bits);
}

/* How many datagrams of `run` one message takes. */
static size_t most_segments(const struct kith_udp *u, const struct kith_tx *run)
{
    size_t fit = KITH_UDP_RUN_MAX / run->segment;

    if (!u->gso || fit <= 1)
        return 1;
    return fit < KITH_UDP_SEGMENTS_MAX ? fit : KITH_UDP_SEGMENTS_MAX;
}

/* Makes slot i the next message of `run`, from `at`, and moves `at` past it. */
static void put_message(struct kith_udp *u, size_t i, const struct udp_socket *s,
                        const struct kith_tx *run, struct udp_place *at)
{
    struct udp_tx_slot *slot = &u->tx[i];
    struct msghdr *m = &u->tx_msg[i].msg_hdr;
    size_t left = run->len - at->done;
    size_t most = most_segments(u, run);
    size_t n = left / run->segment < most ? left : most * run->segment;

    slot->run = run;
    slot->segments = (n + run->segment - 1) / run->segment;
    slot->iov = (struct iovec){.iov_base = (void *)(uintptr_t)(run->data + at->done), .iov_len = n};
    at->done += n;
    if (at->done == run->len)
        *at = (struct udp_place){.run = at->run + 1};
    slot->after = *at;

    *m = (struct msghdr){.msg_name = &slot->to,
                         .msg_namelen = kith_sockaddr_of(&run->path.remote, &slot->to),
                         .msg_iov = &slot->iov,
                         .msg_iovlen = 1,
                         .msg_control = &slot->control};
    if (kith_ip_is_unspecified(&s->bound.ip) && !kith_ip_is_unspecified(&run->path.local.ip))
        add_source(m, &run->path.local);
    if (u->ecn && run->ecn != 0)
        add_ecn(m, run->path.remote.ip.family, run->ecn);
    if (slot->segments > 1) {
        uint16_t size = (uint16_t)run->segment;
        add_control(m, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
}

/* ---- what became of it ---- */

/* Of the two families, the one a run belongs to. */
static size_t family_of(const struct kith_tx *run)
{
    return run->path.remote.ip.family == KITH_FAMILY_IP6;
}

static void count_sent(struct kith_udp *u, const struct udp_tx_slot *slot)
{
    u->told[family_of(slot->run)] = 0;
    u->count.runs_out++;
    u->count.datagrams_out += slot->segments;
    u->count.bytes_out += slot->iov.iov_len;
}

/* Linux calls a source address that it no longer has an invalid argument. */
static const char *trouble(const struct kith_tx *run, int code)
{
    bool named = run->path.local.ip.family != KITH_FAMILY_NONE &&
                 !kith_ip_is_unspecified(&run->path.local.ip);

    return code == EINVAL && named ? "the address it was to leave from is gone" : strerror(code);
}

static void lose(struct kith_udp *u, const struct kith_tx *run, size_t datagrams, int code)
{
    u->count.send_errors += datagrams;
    if (code == EMSGSIZE) { /* asked for: this is how a path's MTU is found */
        u->count.too_big += datagrams;
        return;
    }
    /* a host without a route for a family goes without it: one line says so */
    if (u->told[family_of(run)] != code)
        kith_event_send_failed(u->env.events, &run->path.remote, trouble(run, code));
    u->told[family_of(run)] = code;
}

static int send_messages(struct kith_udp *u, int fd, size_t first, size_t n)
{
    int sent;

    do
        sent = u->sys->sendmmsg(u->sys->ctx, fd, u->tx_msg + first, (unsigned)n);
    while (sent < 0 && errno == EINTR);
    return sent;
}

static bool buffer_full(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK;
}

static bool may_refuse_gso(int code)
{
    return code == EIO || code == EINVAL || code == ENOPROTOOPT || code == EOPNOTSUPP;
}

/* Slot i was refused with a code that may mean GSO (an interface without checksum offload, IPsec)
 * or something else (the local address vanished, a segment above the MTU). Its first datagram,
 * sent alone, tells which: if it goes, GSO is at fault and stays off. False: no room. */
static bool judge_gso(struct kith_udp *u, int fd, size_t i, int refused, struct udp_place *at)
{
    struct udp_tx_slot *slot = &u->tx[i];
    size_t segments = slot->segments;

    u->tx_msg[i].msg_hdr.msg_controllen -= CMSG_SPACE(sizeof(uint16_t));
    slot->iov.iov_len = slot->run->segment;
    slot->segments = 1;
    if (send_messages(u, fd, i, 1) == 1) {
        count_sent(u, slot);
        at->done += slot->run->segment;
        u->gso = false;
        u->count.gso_fallbacks++;
        kith_event_offload_off(u->env.events, "UDP GSO", strerror(refused));
        return true;
    }
    if (buffer_full(errno))
        return false;
    lose(u, slot->run, segments, errno);
    *at = slot->after;
    return true;
}

/* Sends the batch, `at` following what is done (sent or lost). False: a full buffer stopped it.
 * True with messages left when GSO was just dropped: these must be built anew. */
static bool push(struct kith_udp *u, int fd, size_t n, struct udp_place *at)
{
    for (size_t i = 0; i < n;) {
        int sent = send_messages(u, fd, i, n - i);
        if (sent > 0) {
            for (int k = 0; k < sent; k++)
                count_sent(u, &u->tx[i++]);
            *at = u->tx[i - 1].after;
            continue;
        }
        int code = sent == 0 ? EAGAIN : errno;
        if (buffer_full(code))
            return false;
        if (u->tx[i].segments > 1 && may_refuse_gso(code)) {
            bool gso = u->gso;
            if (!judge_gso(u, fd, i, code, at))
                return false;
            if (gso != u->gso)
                return true;
        } else {
            lose(u, u->tx[i].run, u->tx[i].segments, code);
            *at = u->tx[i].after;
        }
        i++;
    }
    return true;
}

/* ---- a batch ---- */

static size_t datagrams(const struct kith_tx *run)
{
    return (run->len + run->segment - 1) / run->segment;
}

/* Builds messages of one socket from `at` on; `*ret` is that socket. Runs at `at` that are empty or
 * that no socket can send are passed over. Returns how many messages there are. */
static size_t gather(struct kith_udp *u, const struct kith_tx *runs, size_t n, struct udp_place *at,
                     const struct udp_socket **ret)
{
    const struct udp_socket *socket = NULL;
    size_t k = 0;

    for (struct udp_place next = *at; next.run < n && k < KITH_UDP_BATCH;) {
        const struct kith_tx *run = &runs[next.run];
        const struct udp_socket *s = run->len > 0 ? find_socket(u, &run->path) : NULL;
        if (k > 0 && s != socket)
            break;
        if (s == NULL) {
            if (run->len > 0)
                lose(u, run, datagrams(run), EADDRNOTAVAIL);
            next = *at = (struct udp_place){.run = next.run + 1};
            continue;
        }
        assert(run->segment > 0);
        socket = s;
        put_message(u, k++, s, run, &next);
    }
    *ret = socket;
    return k;
}

/* ---- a run cut in two ---- */

static size_t next_bytes(const struct kith_udp *u, const struct kith_tx *run, size_t done)
{
    size_t left = run->len - done;

    return left < sizeof u->rest.next ? left : sizeof u->rest.next;
}

static void remember(struct kith_udp *u, const struct kith_tx *run, size_t done)
{
    u->rest.path = run->path;
    u->rest.len = run->len;
    u->rest.segment = run->segment;
    u->rest.done = done;
    memcpy(u->rest.next, run->data + done, next_bytes(u, run, done));
}

/* Where to begin with `run`: past what is sent of it already, if it is the one we remember. */
static size_t recall(struct kith_udp *u, const struct kith_tx *run)
{
    struct udp_rest *r = &u->rest;
    size_t done = r->done;

    r->done = 0;
    if (done == 0 || r->len != run->len || r->segment != run->segment ||
        !kith_path_equal(&r->path, &run->path) ||
        memcmp(r->next, run->data + done, next_bytes(u, run, done)) != 0)
        return 0;
    return done;
}

size_t kith_udp_send(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct kith_udp *u = ctx;
    struct udp_place at = {.done = n > 0 ? recall(u, &runs[0]) : 0};

    while (at.run < n) {
        const struct udp_socket *s;
        size_t k = gather(u, runs, n, &at, &s);
        if (k > 0 && !push(u, s->fd, k, &at)) {
            u->count.send_full++;
            if (at.done > 0)
                remember(u, &runs[at.run], at.done);
            break;
        }
    }
    return at.run;
}
