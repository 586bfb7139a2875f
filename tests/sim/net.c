#include "sim/net.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/net_inside.h"

enum { PAIRS_MAX = 1 << 24, ADDR_KEY = 1 + 16 + 2 + 4 }; /* family, address, port, scope */

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

static void packets_free(struct sim_packets *l)
{
    for (struct sim_packet *next; l->first != NULL; l->first = next) {
        next = l->first->next;
        free(l->first);
    }
}

void sim_net_free(struct sim_net *n)
{
    struct kith_due *d;

    while ((d = kith_due_first(&n->heap)) != NULL) {
        kith_due_remove(&n->heap, d);
        free(d);
    }
    kith_due_fini(&n->heap);
    struct sim_direction *way;
    for (size_t at = 0; (way = kith_map_next(&n->directions, &at)) != NULL;)
        free(way);
    kith_map_fini(&n->directions);
    kith_map_fini(&n->by_addr);
    for (uint32_t i = 0; i < n->hosts; i++) {
        packets_free(&n->host[i]->inbox);
        packets_free(&n->host[i]->outbox);
        packets_free(&n->host[i]->spare);
        free(n->host[i]);
    }
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
static struct sim_direction *direction_find(struct sim_net *n, const struct sim_host *from,
                                            const struct sim_host *to)
{
    const uint32_t key[2] = {from->index, to->index};

    return kith_map_find(&n->directions, key);
}

static struct sim_direction *direction_get(struct sim_net *n, const struct sim_host *from,
                                           const struct sim_host *to)
{
    const uint32_t key[2] = {from->index, to->index};
    struct sim_direction *d = kith_map_find(&n->directions, key);

    if (d != NULL)
        return d;
    d = calloc(1, sizeof *d);
    if (d == NULL || kith_map_put(&n->directions, key, d) < 0)
        abort();
    return d;
}

static const struct sim_link *link_of(const struct sim_net *n, const struct sim_direction *d)
{
    return d != NULL && d->own ? &d->model : &n->standard;
}

void sim_net_link(struct sim_net *n, struct sim_host *a, struct sim_host *b,
                  const struct sim_link *l)
{
    struct sim_direction *there = direction_get(n, a, b), *back = direction_get(n, b, a);

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

    h->net->moves++;
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

/* False: it goes nowhere. Nobody can send from an address it does not have, and who hears nobody
 * needs no memory for each of them. */
static bool route_find(const struct sim_host *h, const struct kith_path *path,
                       struct sim_route *ret)
{
    struct sim_net *n = h->net;
    const struct kith_ip *local = &path->local.ip;
    struct sim_host *to = host_at(n, &path->remote);

    bool foreign =
        !h->any_source && local->family != KITH_FAMILY_NONE && !kith_ip_equal(local, &h->addr.ip);
    if (h->off || to == NULL || foreign)
        return false;
    *ret = (struct sim_route){.to = to, .way = direction_find(n, h, to)};
    return !link_of(n, ret->way)->cut;
}

struct sim_packet *sim_packet_new(size_t cap)
{
    struct sim_packet *p = malloc(sizeof *p + cap);

    if (p == NULL)
        abort();
    *p = (struct sim_packet){.cap = cap};
    return p;
}

void sim_packet_fill(struct sim_packet *p, const struct sim_host *h, const struct kith_tx *run,
                     const struct sim_route *route, const uint8_t *data, size_t len)
{
    *p = (struct sim_packet){.route = *route,
                             .moves = h->net->moves,
                             .from = h->public_addr,
                             .to = run->path.remote,
                             .ecn = run->ecn,
                             .len = len,
                             .cap = p->cap};
    memcpy(p->data, data, len);
}

static void schedule(struct sim_net *n, struct sim_packet *p, kith_time at)
{
    if (kith_due_set(&n->heap, &p->due, at) < 0)
        abort();
}

static void schedule_copy(struct sim_net *n, const struct sim_packet *p, kith_time at)
{
    struct sim_packet *copy = sim_packet_new(p->len);

    *copy = (struct sim_packet){.route = p->route,
                                .moves = p->moves,
                                .from = p->from,
                                .to = p->to,
                                .ecn = p->ecn,
                                .len = p->len,
                                .cap = copy->cap};
    memcpy(copy->data, p->data, p->len);
    schedule(n, copy, at);
}

/* Whether it gets through the link, and when. */
static bool passes(struct sim_host *h, struct sim_packet *p, kith_time ret_at[2])
{
    struct sim_net *n = h->net;
    struct sim_direction *d = p->route.way;

    if (d == NULL)
        d = direction_get(n, h, p->route.to);
    const struct sim_link *l = link_of(n, d);
    if (sim_pipe_enter(&d->pipe, l, p->len, &n->random) != SIM_PASSES)
        return false;
    n->ecn = p->ecn;
    if (n->filter != NULL && !n->filter(n->filter_ctx, &p->from, &p->to, p->data, p->len))
        return false;
    p->ecn = n->ecn;
    return sim_pipe_pass(&d->pipe, l, p->len, &n->random, n->now, ret_at) == SIM_PASSES;
}

void sim_packet_pass(struct sim_host *h, struct sim_packet *p)
{
    kith_time at[2];

    if (!passes(h, p, at)) {
        free(p);
        return;
    }
    schedule(h->net, p, at[0]);
    if (at[1] != KITH_NEVER)
        schedule_copy(h->net, p, at[1]);
}

static void send_now(struct sim_host *h, const struct kith_tx *run, const struct sim_route *route,
                     const uint8_t *data, size_t len)
{
    struct sim_packet *p = sim_packet_new(len);

    sim_packet_fill(p, h, run, route, data, len);
    sim_packet_pass(h, p);
}

static size_t host_send(void *ctx, const struct kith_tx *runs, size_t n)
{
    struct sim_host *h = ctx;
    struct sim_route route;

    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < runs[i].len; at += runs[i].segment) {
            size_t rest = runs[i].len - at;
            if (route_find(h, &runs[i].path, &route))
                h->send(h, &runs[i], &route, runs[i].data + at,
                        rest < runs[i].segment ? rest : runs[i].segment);
        }
    return n;
}

static const struct kith_transport_ops host_ops = {.send = host_send};

struct sim_host *sim_host_add(struct sim_net *n, const char *addr, sim_deliver *deliver, void *ctx)
{
    if (n->hosts == n->cap_hosts) {
        n->cap_hosts = n->cap_hosts == 0 ? 16 : 2 * n->cap_hosts;
        n->host = realloc(n->host, n->cap_hosts * sizeof *n->host);
    }
    struct sim_host *h = calloc(1, sizeof *h);
    if (n->host == NULL || h == NULL)
        abort();
    *h = (struct sim_host){
        .net = n, .index = n->hosts, .deliver = deliver, .ctx = ctx, .send = send_now};
    h->addr = parse(addr);
    settle(h, addr);
    n->host[n->hosts++] = h;
    return h;
}

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

void sim_packet_deliver(struct sim_host *h, struct sim_packet *p)
{
    struct kith_rx rx = {
        .path = {.transport = 0, .local = h->addr, .remote = p->from},
        .data = p->data,
        .len = p->len,
        .segment = p->len,
        .ecn = p->ecn,
    };

    h->deliver(h->ctx, &rx, h->net->now);
}

kith_time sim_net_tick_at(const struct sim_net *n, kith_time at)
{
    return n->tick > 0 && at != KITH_NEVER ? (at + n->tick - 1) / n->tick * n->tick : at;
}

bool sim_net_advance(struct sim_net *n, kith_time until)
{
    kith_time at = sim_net_tick_at(n, kith_due_deadline(&n->heap));

    if (at > until) {
        n->now = until;
        return false;
    }
    n->now = at > n->now ? at : n->now;
    return true;
}

struct sim_packet *sim_net_take(struct sim_net *n, struct sim_host **ret_to)
{
    if (kith_due_deadline(&n->heap) > n->now)
        return NULL;
    struct sim_packet *p = (struct sim_packet *)(void *)kith_due_first(&n->heap);
    kith_due_remove(&n->heap, &p->due);
    struct sim_host *to = p->moves == n->moves ? p->route.to : host_at(n, &p->to);
    *ret_to = to == NULL || to->off ? NULL : to;
    if (*ret_to != NULL) {
        n->delivered++;
        n->bytes += p->len;
    }
    return p;
}

kith_time sim_net_run(struct sim_net *n, kith_time until)
{
    struct sim_packet *p;
    struct sim_host *to;

    if (!sim_net_advance(n, until))
        return n->now;
    while ((p = sim_net_take(n, &to)) != NULL) {
        if (to != NULL)
            sim_packet_deliver(to, p);
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
