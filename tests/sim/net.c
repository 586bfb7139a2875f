#include "sim/net.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/due.h"
#include "base/map.h"

enum { PAIRS_MAX = 1 << 24, ADDR_KEY = 1 + 16 + 2 + 4 }; /* family, address, port, scope */

struct packet {
    struct kith_due due; /* first, so that a pointer to it is one to the packet */
    struct kith_addr from, to;
    uint8_t ecn;
    size_t len;
    uint8_t data[];
};

struct direction { /* between two hosts */
    struct sim_link model;
    bool own;
    struct sim_pipe pipe;
};

struct sim_host {
    struct sim_net *net;
    uint32_t index;
    struct kith_addr addr, public_addr;
    bool off, any_source;
    sim_deliver *deliver;
    void *ctx;
};

struct sim_net {
    kith_time now;
    struct kith_random_seeded seeded;
    struct kith_random random;
    struct kith_due_heap heap;
    struct sim_host **host;
    uint32_t hosts, cap_hosts;
    struct kith_map by_addr;    /* what datagrams are sent to -> sim_host */
    struct kith_map directions; /* two indices -> direction: those over which something went, or
                                   that have a model of their own */
    struct sim_link standard;
    sim_filter *filter;
    void *filter_ctx;
    uint8_t ecn; /* of the datagram that the filter sees */
    kith_dur tick;
    uint64_t delivered, bytes;
};

struct sim_net *sim_net_new(uint64_t seed)
{
    struct sim_net *n = calloc(1, sizeof *n);

    if (n == NULL)
        abort();
    n->now = 1000 * KITH_SEC;
    kith_random_seeded_init(&n->seeded, seed);
    n->random = kith_random_from_seed(&n->seeded);
    n->heap.alloc = &kith_heap;
    /* of its own, so that what happens does not depend on how hosts are found */
    struct kith_random_seeded other;
    kith_random_seeded_init(&other, ~seed);
    const struct kith_random maps = kith_random_from_seed(&other);
    kith_map_init(&n->by_addr, &kith_heap, &maps, ADDR_KEY, UINT32_MAX);
    kith_map_init(&n->directions, &kith_heap, &maps, 2 * sizeof(uint32_t), PAIRS_MAX);
    n->standard = (struct sim_link){.delay = 10 * KITH_MSEC};
    return n;
}

void sim_net_free(struct sim_net *n)
{
    struct kith_due *d;

    while ((d = kith_due_first(&n->heap)) != NULL) {
        kith_due_remove(&n->heap, d);
        free(d);
    }
    kith_due_fini(&n->heap);
    struct direction *way;
    for (size_t at = 0; (way = kith_map_next(&n->directions, &at)) != NULL;)
        free(way);
    kith_map_fini(&n->directions);
    kith_map_fini(&n->by_addr);
    for (uint32_t i = 0; i < n->hosts; i++)
        free(n->host[i]);
    free(n->host);
    free(n);
}

kith_time sim_net_now(const struct sim_net *n)
{
    return n->now;
}

struct kith_random *sim_net_random(struct sim_net *n)
{
    return &n->random;
}

void sim_net_default_link(struct sim_net *n, const struct sim_link *l)
{
    n->standard = *l;
}

/* NULL: nothing went there yet, and it has no model of its own. */
static struct direction *direction_find(struct sim_net *n, const struct sim_host *from,
                                        const struct sim_host *to)
{
    const uint32_t key[2] = {from->index, to->index};

    return kith_map_find(&n->directions, key);
}

static struct direction *direction_get(struct sim_net *n, const struct sim_host *from,
                                       const struct sim_host *to)
{
    const uint32_t key[2] = {from->index, to->index};
    struct direction *d = kith_map_find(&n->directions, key);

    if (d != NULL)
        return d;
    d = calloc(1, sizeof *d);
    if (d == NULL || kith_map_put(&n->directions, key, d) < 0)
        abort();
    return d;
}

void sim_net_link(struct sim_net *n, struct sim_host *a, struct sim_host *b,
                  const struct sim_link *l)
{
    struct direction *there = direction_get(n, a, b), *back = direction_get(n, b, a);

    there->model = back->model = *l;
    there->own = back->own = true;
}

void sim_net_set_filter(struct sim_net *n, sim_filter *f, void *ctx)
{
    n->filter = f;
    n->filter_ctx = ctx;
}

void sim_net_set_tick(struct sim_net *n, kith_dur tick)
{
    n->tick = tick;
}

uint8_t *sim_net_ecn(struct sim_net *n)
{
    return &n->ecn;
}

static struct kith_addr parse(const char *text)
{
    struct kith_addr a;

    if (kith_addr_parse(text, 9000, &a) < 0)
        abort();
    return a;
}

static void addr_key(const struct kith_addr *a, uint8_t key[ADDR_KEY])
{
    key[0] = a->ip.family;
    memcpy(key + 1, a->ip.b, 16);
    memcpy(key + 17, &a->port, 2);
    memcpy(key + 19, &a->scope, 4);
}

static struct sim_host *host_at(struct sim_net *n, const struct kith_addr *a)
{
    uint8_t key[ADDR_KEY];

    addr_key(a, key);
    return kith_map_find(&n->by_addr, key);
}

/* Of two in one place the first is found. */
static void settle(struct sim_host *h, const char *public_addr)
{
    uint8_t key[ADDR_KEY];

    h->public_addr = parse(public_addr);
    addr_key(&h->public_addr, key);
    if (host_at(h->net, &h->public_addr) == NULL && kith_map_put(&h->net->by_addr, key, h) < 0)
        abort();
}

static void leave_place(struct sim_host *h)
{
    struct sim_net *n = h->net;
    uint8_t key[ADDR_KEY];

    if (host_at(n, &h->public_addr) != h)
        return;
    addr_key(&h->public_addr, key);
    (void)kith_map_take(&n->by_addr, key);
    for (uint32_t i = 0; i < n->hosts; i++)
        if (n->host[i] != h && kith_addr_equal(&n->host[i]->public_addr, &h->public_addr)) {
            if (kith_map_put(&n->by_addr, key, n->host[i]) < 0)
                abort();
            return;
        }
}

struct sim_host *sim_host_add(struct sim_net *n, const char *addr, sim_deliver *deliver, void *ctx)
{
    if (n->hosts == n->cap_hosts) {
        n->cap_hosts = n->cap_hosts == 0 ? 16 : 2 * n->cap_hosts;
        n->host = realloc(n->host, n->cap_hosts * sizeof *n->host);
    }
    struct sim_host *h = calloc(1, sizeof *h);
    if (n->host == NULL || h == NULL)
        abort();
    *h = (struct sim_host){.net = n, .index = n->hosts, .deliver = deliver, .ctx = ctx};
    h->addr = parse(addr);
    settle(h, addr);
    n->host[n->hosts++] = h;
    return h;
}

const struct kith_addr *sim_host_addr(const struct sim_host *h)
{
    return &h->addr;
}

void sim_host_move(struct sim_host *h, const char *addr)
{
    sim_host_rebind(h, addr);
    h->addr = parse(addr);
}

void sim_host_rebind(struct sim_host *h, const char *public_addr)
{
    leave_place(h);
    settle(h, public_addr);
}

void sim_host_power(struct sim_host *h, bool on)
{
    h->off = !on;
}

void sim_host_keep_sources(struct sim_host *h)
{
    h->any_source = true;
}

static void schedule(struct sim_net *n, const struct kith_addr *from, const struct kith_addr *to,
                     uint8_t ecn, const uint8_t *data, size_t len, kith_time at)
{
    struct packet *p = malloc(sizeof *p + len);

    if (p == NULL)
        abort();
    *p = (struct packet){.from = *from, .to = *to, .ecn = ecn, .len = len};
    memcpy(p->data, data, len);
    if (kith_due_set(&n->heap, &p->due, at) < 0)
        abort();
}

static void send_one(struct sim_host *h, const struct kith_tx *run, uint8_t *data, size_t len)
{
    struct sim_net *n = h->net;
    struct sim_host *to = host_at(n, &run->path.remote);

    bool foreign = !h->any_source && run->path.local.ip.family != KITH_FAMILY_NONE &&
                   !kith_ip_equal(&run->path.local.ip, &h->addr.ip);
    if (h->off || to == NULL || foreign) /* nobody can send from an address it does not have */
        return;
    struct direction *d = direction_find(n, h, to);
    const struct sim_link *l = d != NULL && d->own ? &d->model : &n->standard;
    if (l->cut) /* who hears nobody needs no memory for each of them */
        return;
    if (d == NULL)
        d = direction_get(n, h, to);
    if (sim_pipe_enter(&d->pipe, l, len, &n->random) != SIM_PASSES)
        return;
    n->ecn = run->ecn;
    if (n->filter != NULL &&
        !n->filter(n->filter_ctx, &h->public_addr, &run->path.remote, data, len))
        return;
    kith_time at[2];
    if (sim_pipe_pass(&d->pipe, l, len, &n->random, n->now, at) != SIM_PASSES)
        return;
    for (size_t i = 0; i < 2 && at[i] != KITH_NEVER; i++)
        schedule(n, &h->public_addr, &run->path.remote, n->ecn, data, len, at[i]);
}

static size_t host_send(void *ctx, const struct kith_tx *runs, size_t n)
{
    uint8_t copy[2048];

    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
            size_t len = runs[i].len - at < runs[i].segment ? runs[i].len - at : runs[i].segment;
            if (len > sizeof copy)
                abort();
            memcpy(copy, runs[i].data + at, len);
            send_one(ctx, &runs[i], copy, len);
        }
    }
    return n;
}

static const struct kith_transport_ops host_ops = {.send = host_send};

struct kith_transport sim_host_transport(struct sim_host *h)
{
    return (struct kith_transport){
        .ops = &host_ops, .ctx = h, .info = {.kind = "udp", .mtu = 65507, .max_run = 65507}};
}

void sim_host_batch(struct sim_host *h, struct kith_transport *t, struct kith_tx_batch *ret)
{
    uint32_t index;

    *t = sim_host_transport(h);
    if (kith_tx_init(ret, &kith_heap) < 0 || kith_tx_add_transport(ret, t, &index) < 0)
        abort();
}

void sim_host_trace(const struct sim_host *h, const char *name, const struct kith_event *ev)
{
    char addr[KITH_ADDR_TEXT], line[256];

    if (getenv("SIM_TRACE") == NULL)
        return;
    kith_addr_text(&h->addr, addr, sizeof addr);
    kith_event_text(ev, line, sizeof line);
    fprintf(stderr, "%.6f %-8s %s\n", (double)h->net->now / 1e9, name != NULL ? name : addr, line);
}

static void arrive(struct sim_net *n, struct packet *p)
{
    struct sim_host *h = host_at(n, &p->to);

    if (h == NULL || h->off)
        return;
    struct kith_rx rx = {
        .path = {.transport = 0, .local = h->addr, .remote = p->from},
        .data = p->data,
        .len = p->len,
        .segment = p->len,
        .ecn = p->ecn,
    };
    n->delivered++;
    n->bytes += p->len;
    h->deliver(h->ctx, &rx, n->now);
}

kith_time sim_net_run(struct sim_net *n, kith_time until)
{
    kith_time at = kith_due_deadline(&n->heap);

    if (n->tick > 0 && at != KITH_NEVER)
        at = (at + n->tick - 1) / n->tick * n->tick;
    if (at > until) {
        n->now = until;
        return until;
    }
    n->now = at > n->now ? at : n->now;
    while (kith_due_deadline(&n->heap) <= n->now) {
        struct packet *p = (struct packet *)(void *)kith_due_first(&n->heap);
        kith_due_remove(&n->heap, &p->due);
        arrive(n, p);
        free(p);
    }
    return n->now;
}

uint64_t sim_net_delivered(const struct sim_net *n, uint64_t *ret_bytes)
{
    if (ret_bytes != NULL)
        *ret_bytes = n->bytes;
    return n->delivered;
}
