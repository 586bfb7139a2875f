#include "crowd.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conn/plane.h"
#include "crypto/hash.h"
#include "os/process.h"
#include "report.h"
#include "transport/udp/sockaddr.h"

struct crowd_orders *crowd_share(void)
{
    void *p = mmap(NULL, sizeof(struct crowd_orders), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        bench_give_up("no memory to share");
    return p;
}

/* ---- what both ends have ---- */

/* The key of member `number`; 0 is the node. */
static struct kith_sign_key *make_key(uint32_t number, struct kith_peer_id *ret_id)
{
    struct kith_sign_seed seed = {{0}};
    struct kith_public_key pub;
    struct kith_sign_key *key;
    struct kith_hash h;

    memcpy(seed.b, &number, sizeof number);
    bench_must(kith_sign_key_from_seed(&kith_heap, &seed, &key), "a key");
    kith_sign_key_public(key, &pub);
    bench_must(kith_sha256((struct kith_span){pub.spki, sizeof pub.spki}, &h), "a hash");
    memcpy(ret_id->b, h.b, sizeof ret_id->b);
    return key;
}

static struct kith_sessions_config config(const struct kith_sign_key *key,
                                          const struct kith_peer_id *id, uint64_t capabilities)
{
    struct kith_sessions_config cfg = {.self = *id,
                                       .boot_id = 1,
                                       .capabilities = capabilities,
                                       .sessions_max = 20000,
                                       .software = "kith bench"};

    cfg.quic.key = key;
    cfg.quic.connections_max = 40000; /* ended ones linger */
    cfg.quic.stranger_share = 100; /* members are not strangers, whose share is another bench's */
    cfg.quic.handshakes_per_second = 100000;
    cfg.quic.handshakes_max = cfg.quic.handshakes_per_prefix = cfg.quic.retry_above = 4096;
    return cfg;
}

static void on_up(struct kith_session *s)
{
    kith_session_trust(s, true);
    kith_session_allow_slot(s, 0, 0);
}

/* ---- the node ---- */

static bool expects(void *ctx, const struct kith_peer_id *peer)
{
    (void)ctx, (void)peer;
    return true;
}

/* Keeps a packet until reading is over: a sink must not call back. */
static void keep_echo(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                      struct kith_marks marks, kith_time now)
{
    struct node *n = ctx;

    (void)slot, (void)marks, (void)now;
    atomic_fetch_add_explicit(&n->orders->packets_in, 1, memory_order_relaxed);
    if (n->echoes == KITH_COUNT(n->echo) || packet.n > CROWD_PACKET)
        return;
    struct echo *e = &n->echo[n->echoes++];
    e->session = s;
    e->n = packet.n;
    memcpy(e->p, packet.p, packet.n);
}

static void send_echoes(struct node *n)
{
    for (size_t i = 0; i < n->echoes; i++) {
        const struct kith_parts p = {.head = {n->echo[i].p, n->echo[i].n}};
        (void)kith_session_send_packets(n->echo[i].session, &n->batch, 0, &p, 1, n->now);
    }
    n->echoes = 0;
}

void node_init(struct node *n, uint64_t capabilities, struct crowd_orders *orders,
               const struct kith_alloc *alloc)
{
    struct kith_udp_config udp = kith_udp_config_default;
    struct kith_transport transport;
    struct kith_udp_why why;
    uint32_t index;
    size_t count;

    memset(n, 0, sizeof *n);
    n->orders = orders;
    n->random = kith_random_system();
    n->env = (struct kith_env){.alloc = alloc, .random = &n->random};
    n->key = make_key(0, &n->id);
    struct kith_sessions_config cfg = config(n->key, &n->id, capabilities);
    cfg.expects = expects;
    const struct kith_packet_sink sink = {.packet = keep_echo, .ctx = n};
    bench_must(kith_sessions_new(&cfg, &n->env, &sink, &n->sessions), "sessions");
    udp.listen[0] = (struct kith_addr){.ip = kith_ip4(127, 0, 0, 1)};
    udp.n_listen = 1;
    bench_must(kith_udp_new(&udp, 0, &n->env, &n->udp, &why), "a socket");
    bench_must(kith_udp_local(n->udp, &n->addr, 1, &count), "its address");
    (void)kith_udp_fds(n->udp, &n->fd, 1);
    bench_must(kith_tx_init(&n->batch, &kith_heap), "a batch");
    transport = kith_udp_transport(n->udp);
    bench_must(kith_tx_add_transport(&n->batch, &transport, &index), "a transport");
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event want = {.events = EPOLLIN, .data.fd = n->fd};
    if (n->epoll < 0 || epoll_ctl(n->epoll, EPOLL_CTL_ADD, n->fd, &want) < 0)
        bench_give_up("epoll");
}

void node_fini(struct node *n)
{
    close(n->epoll);
    kith_sessions_free(n->sessions);
    kith_tx_fini(&n->batch);
    kith_udp_free(n->udp);
    kith_sign_key_free(n->key);
}

static void on_runs(void *ctx, const struct kith_rx *runs, size_t count)
{
    struct node *n = ctx;

    for (size_t i = 0; i < count; i++) {
        kith_gather_heard(&n->gather, &runs[i]);
        kith_sessions_receive(n->sessions, &runs[i], n->now);
    }
    send_echoes(n); /* of this batch of 32 messages */
}

static void node_effects(struct node *n)
{
    struct kith_session_effect fx;

    while (kith_sessions_next_effect(n->sessions, n->now, &fx)) {
        if (fx.kind == KITH_SESSION_UP)
            on_up(fx.session);
        n->up += fx.kind == KITH_SESSION_UP;
        n->down += fx.kind == KITH_SESSION_DOWN;
    }
}

/* Until `at` at the latest; how many descriptors are ready. */
static int wait_until(int epoll, struct epoll_event *ready, int most, kith_time at)
{
    kith_dur d = kith_since(at, bench_now());
    const struct timespec t = {.tv_sec = (time_t)(d / KITH_SEC), .tv_nsec = (long)(d % KITH_SEC)};
    int n = epoll_pwait2(epoll, ready, most, &t, NULL);

    if (n < 0 && errno != EINTR)
        bench_give_up("epoll_pwait2");
    return n;
}

void node_turn(struct node *n, kith_time until)
{
    struct epoll_event ready;
    kith_time at = kith_sooner(until, kith_sessions_deadline(n->sessions));

    if (n->batch.blocked) /* its receivers are on this machine: room comes soon */
        at = kith_sooner(at, bench_now() + KITH_MSEC);
    int count = wait_until(n->epoll, &ready, 1, at);
    n->now = bench_now();
    if (count > 0)
        bench_must(kith_udp_receive(n->udp, n->fd, on_runs, n), "receiving");
    if (kith_sessions_deadline(n->sessions) <= n->now)
        kith_sessions_tick(n->sessions, n->now);
    node_effects(n);
    kith_sessions_flush(n->sessions, &n->batch, n->now);
    node_effects(n);
    (void)kith_tx_flush(&n->batch);
    const struct timespec rest = {.tv_nsec = (long)kith_gather_rest(&n->gather, n->now)};
    if (rest.tv_nsec > 0)
        (void)nanosleep(&rest, NULL);
}

void node_for(struct node *n, kith_dur d)
{
    kith_time end = bench_now() + d;

    while (bench_now() < end)
        node_turn(n, end);
}

void node_until_up(struct node *n, uint64_t up, kith_dur rest, kith_dur limit)
{
    kith_time end = bench_now() + limit;

    while (n->up < up) {
        if (bench_now() >= end)
            bench_give_up("the sessions did not come up in time");
        node_turn(n, end);
    }
    node_for(n, rest);
}

/* ---- the crowd ---- */

struct member {
    struct crowd *crowd;
    struct kith_sign_key *key;
    struct kith_peer_id id;
    struct kith_sessions *sessions;
    struct kith_session *session; /* NULL: none is wanted now */
    int fd;
    bool up;
    kith_time due, talk_at;
};

struct crowd {
    const struct crowd_config *cfg;
    const struct node *node;
    struct crowd_orders *orders;
    struct kith_random random;
    struct kith_env env;
    struct kith_tx_batch batch;
    struct member *member;
    struct member *sending; /* whose datagrams are in the batch */
    size_t under_way;
    int epoll;
    kith_time now;
};

/* The transport of whoever sends. What the socket does not take is lost. */
static size_t crowd_send(void *ctx, const struct kith_tx *runs, size_t n)
{
    const struct crowd *c = ctx;

    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
            size_t len = runs[i].len - at < runs[i].segment ? runs[i].len - at : runs[i].segment;
            (void)!send(c->sending->fd, runs[i].data + at, len, MSG_DONTWAIT);
        }
    return n;
}

static void on_echo(void *ctx, struct kith_session *s, uint8_t slot, struct kith_span packet,
                    struct kith_marks marks, kith_time now)
{
    const struct member *m = ctx;

    (void)s, (void)slot, (void)packet, (void)marks, (void)now;
    atomic_fetch_add_explicit(&m->crowd->orders->echoed, 1, memory_order_relaxed);
}

static int open_socket(uint32_t number, const struct kith_addr *to)
{
    const struct kith_addr from = {
        .ip = kith_ip4(127, (uint8_t)(1 + number / 256), (uint8_t)(number % 256), 1)};
    union kith_sockaddr local, remote;
    socklen_t n_local = kith_sockaddr_of(&from, &local), n_remote = kith_sockaddr_of(to, &remote);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, &local.any, n_local) < 0 || connect(fd, &remote.any, n_remote) < 0)
        bench_give_up("a socket of a member");
    return fd;
}

static void member_init(struct crowd *c, struct member *m, uint32_t number)
{
    const struct kith_packet_sink sink = {.packet = on_echo, .ctx = m};
    struct epoll_event want = {.events = EPOLLIN, .data.ptr = m};

    m->crowd = c;
    m->key = make_key(number + 1, &m->id);
    struct kith_sessions_config cfg = config(m->key, &m->id, c->cfg->capabilities);
    bench_must(kith_sessions_new(&cfg, &c->env, &sink, &m->sessions), "a member");
    m->fd = open_socket(number, &c->node->addr);
    m->due = KITH_NEVER;
    m->talk_at = kith_random_below(&c->random, CROWD_EVERY); /* not all at once */
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, m->fd, &want) < 0)
        bench_give_up("epoll");
}

static void dial(struct member *m)
{
    struct crowd *c = m->crowd;

    bench_must(kith_sessions_get(m->sessions, &c->node->id, c->now, &m->session), "a session");
    kith_session_set_addrs(m->session, &c->node->addr, 1, c->now);
    kith_session_want(m->session, true, c->now);
    kith_session_dial_now(m->session, c->now);
    c->under_way++;
    m->due = c->now;
}

static void member_up(struct member *m)
{
    struct crowd *c = m->crowd;

    on_up(m->session);
    m->up = true;
    c->under_way--;
    atomic_fetch_add(&c->orders->up, 1);
    if (c->cfg->churn)
        kith_session_close(m->session, KITH_CLOSE_DONE, "again", c->now);
}

static void member_effects(struct member *m)
{
    struct kith_session_effect fx;

    while (kith_sessions_next_effect(m->sessions, m->crowd->now, &fx)) {
        if (fx.kind == KITH_SESSION_UP) {
            member_up(m);
        } else if (fx.kind == KITH_SESSION_DOWN && m->crowd->cfg->churn) {
            m->session = NULL;
            m->up = false;
        }
    }
}

/* One turn of a member: what is due, what happened, what is to be sent. */
static void member_turn(struct member *m)
{
    struct crowd *c = m->crowd;

    c->sending = m;
    if (kith_sessions_deadline(m->sessions) <= c->now)
        kith_sessions_tick(m->sessions, c->now);
    member_effects(m);
    kith_sessions_flush(m->sessions, &c->batch, c->now);
    member_effects(m);
    (void)kith_tx_flush(&c->batch);
    m->due = kith_sessions_deadline(m->sessions);
}

static void member_read(struct member *m)
{
    struct crowd *c = m->crowd;
    uint8_t buf[2048];
    ssize_t n;

    while ((n = recv(m->fd, buf, sizeof buf, MSG_DONTWAIT)) > 0) {
        const struct kith_rx run = {
            .path = {.local = {.ip = kith_ip4(127, 0, 0, 1)}, .remote = c->node->addr},
            .data = buf,
            .len = (size_t)n,
            .segment = (size_t)n};
        atomic_fetch_add_explicit(&c->orders->datagrams, 1, memory_order_relaxed);
        if (buf[0] == KITH_PLANE_TYPE)
            atomic_fetch_add_explicit(&c->orders->sealed, 1, memory_order_relaxed);
        kith_sessions_receive(m->sessions, &run, c->now);
    }
}

static void member_talk(struct member *m)
{
    static const uint8_t packet[CROWD_PACKET] = {0x45};
    const struct kith_parts p = {.head = {packet, sizeof packet}};
    struct crowd *c = m->crowd;

    while (m->talk_at <= c->now)
        m->talk_at += CROWD_EVERY * (1 + kith_since(c->now, m->talk_at) / CROWD_EVERY);
    c->sending = m;
    size_t n = kith_session_send_packets(m->session, &c->batch, 0, &p, 1, c->now);
    atomic_fetch_add_explicit(&c->orders->sent, n, memory_order_relaxed);
    m->due = c->now;
}

/* Gives everyone a turn who is due; when the next one is. */
static kith_time crowd_due(struct crowd *c)
{
    size_t wanted = atomic_load_explicit(&c->orders->wanted, memory_order_relaxed);
    bool talk = atomic_load_explicit(&c->orders->talk, memory_order_relaxed);
    kith_time next = c->now + 20 * KITH_MSEC; /* orders may have changed by then */

    for (size_t i = 0; i < wanted && i < c->cfg->members; i++) {
        struct member *m = &c->member[i];
        if (m->session == NULL && c->under_way < c->cfg->under_way)
            dial(m);
        if (talk && m->up && m->talk_at <= c->now)
            member_talk(m);
        if (m->due <= c->now)
            member_turn(m);
        next = kith_sooner(next, m->due);
        if (talk && m->up)
            next = kith_sooner(next, m->talk_at);
    }
    return next;
}

/* While all talk nobody waits at a socket: who waits is woken by the node's system calls, at the
 * node's cost, and a crowd of other machines would not be. */
static void sleep_until(const struct crowd *c, kith_time at)
{
    kith_dur d = at > c->now ? at - c->now : 0;
    const struct timespec t = {.tv_nsec = (long)(d < KITH_MSEC ? d : KITH_MSEC)};

    (void)nanosleep(&t, NULL);
}

static _Noreturn void crowd_run(struct crowd *c)
{
    struct epoll_event ready[256];

    for (;;) {
        c->now = bench_now();
        kith_time due = crowd_due(c);
        if (atomic_load(&c->orders->talk)) {
            sleep_until(c, due);
            due = 0;
        }
        int n = wait_until(c->epoll, ready, KITH_COUNT(ready), due);
        c->now = bench_now();
        for (int i = 0; i < n; i++) {
            member_read(ready[i].data.ptr);
            member_turn(ready[i].data.ptr);
        }
    }
}

/* A socket for each member, and a few. */
static void allow_descriptors(size_t members)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        bench_give_up("getrlimit");
    if (r.rlim_cur >= members + 64)
        return;
    r.rlim_cur = members + 64;
    r.rlim_max = r.rlim_max > r.rlim_cur ? r.rlim_max : r.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0)
        bench_give_up("the crowd needs more descriptors than are allowed");
}

static void crowd_main(const struct crowd_config *cfg, const struct node *n)
{
    static struct crowd c;
    const struct kith_transport_ops ops = {.send = crowd_send};
    const struct kith_transport transport = {.ops = &ops, .ctx = &c, .info = {.kind = "crowd"}};
    uint32_t index;

    allow_descriptors(cfg->members);
    c.cfg = cfg;
    c.node = n;
    c.orders = n->orders;
    c.random = kith_random_system();
    c.env = (struct kith_env){.alloc = &kith_heap, .random = &c.random};
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    c.member = kith_new_array(&kith_heap, cfg->members, sizeof *c.member);
    if (c.epoll < 0 || c.member == NULL)
        bench_give_up("the crowd");
    bench_must(kith_tx_init(&c.batch, &kith_heap), "a batch");
    bench_must(kith_tx_add_transport(&c.batch, &transport, &index), "a transport");
    for (size_t i = 0; i < cfg->members; i++)
        member_init(&c, &c.member[i], (uint32_t)i);
    crowd_run(&c);
}

pid_t crowd_start(const struct crowd_config *cfg, const struct node *n)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        bench_give_up("fork");
    if (pid > 0)
        return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    crowd_main(cfg, n);
    _exit(1);
}

void crowd_stop(pid_t crowd)
{
    (void)kill(crowd, SIGKILL);
    (void)waitpid(crowd, NULL, 0);
}
