#include "sim/city.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "identity/issuer.h"
#include "sim/ram_disk.h"
#include "store/address.h"
#include "store/network.h"
#include "store/object.h"

#define TEMPLATE "city-template"
#define ASK_INTERVAL (2 * KITH_SEC)

enum { DEGREE = 10, MILLION = 1000000, PAYLOAD = 100 };

static void need(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "city: %s\n", what);
    abort();
}

static void *need_array(size_t n, size_t size)
{
    void *p = calloc(n, size);

    need(p != NULL, "no memory");
    return p;
}

/* ---- who hears whom ---- */

static double place(struct city *c)
{
    return (double)kith_random_below(sim_net_random(c->net), MILLION) / 1e6;
}

static double distance2(const struct city_node *a, const struct city_node *b)
{
    return (a->x - b->x) * (a->x - b->x) + (a->y - b->y) * (a->y - b->y);
}

static size_t links_within(const struct city *c, double reach, struct city_link *ret)
{
    size_t count = 0;

    for (uint32_t a = 0; a < c->n; a++)
        for (uint32_t b = 0; b < a; b++)
            if (distance2(&c->node[a], &c->node[b]) < reach * reach) {
                if (ret != NULL)
                    ret[count] = (struct city_link){a, b};
                count++;
            }
    return count;
}

/* As far as it takes for a mean degree of DEGREE. */
static void draw_links(struct city *c)
{
    double low = 0, high = 1.5;

    for (int i = 0; i < 40; i++) {
        double reach = (low + high) / 2;
        *(2 * links_within(c, reach, NULL) < DEGREE * c->n ? &low : &high) = reach;
    }
    c->n_links = links_within(c, high, NULL);
    c->link = need_array(c->n_links, sizeof *c->link);
    (void)links_within(c, high, c->link);
}

void city_cut(struct city *c, const struct city_link *l, bool cut)
{
    const struct sim_link model = {
        .delay = 10 * KITH_MSEC, .rate = 100 * MILLION, .mtu = 1472, .cut = cut};

    sim_net_link(c->net, c->node[l->a].peer.host, c->node[l->b].peer.host, &model);
}

static uint32_t root_of(struct city *c, uint32_t who)
{
    while (c->node[who].component != who) {
        c->node[who].component = c->node[c->node[who].component].component;
        who = c->node[who].component;
    }
    return who;
}

size_t city_components(struct city *c, uint32_t *ret_of)
{
    size_t *size = need_array(c->n, sizeof *size), most = 0;

    for (uint32_t i = 0; i < c->n; i++)
        c->node[i].component = i;
    for (size_t i = 0; i < c->n_links; i++)
        if (!c->node[c->link[i].a].gone && !c->node[c->link[i].b].gone)
            c->node[root_of(c, c->link[i].a)].component = root_of(c, c->link[i].b);
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t root = root_of(c, i);
        c->node[i].component = root;
        if (!c->node[i].gone && ++size[root] > most) {
            most = size[root];
            *ret_of = root;
        }
    }
    free(size);
    return most;
}

/* ---- what everybody has in its store ---- */

static void keep(struct kith_store *s, const struct kith_network_id *net, const uint8_t *object,
                 size_t len)
{
    struct kith_object o;

    need(kith_object_open((struct kith_span){object, len}, &o) == KITH_OK, "an object");
    struct kith_store_object row = {
        .kind = o.env.kind, .number = o.env.number, .bytes = {object, len}};
    memcpy(row.key, o.key.b, sizeof row.key);
    need(kith_store_object_put_if_newer(s, net->b, &row) == KITH_OK, "keeping an object");
}

/* What the root and the member itself say of a member. */
static void keep_member(const struct city_node *m, struct kith_issuer *is, struct kith_store *s,
                        kith_wall now)
{
    uint8_t buf[KITH_CERT_MAX];
    const struct kith_new_member member = {.key = m->peer.identity.pub,
                                           .name = kith_span_text(m->name),
                                           .ip4 = m->ip4,
                                           .number = kith_issuer_number(0, now)};
    size_t len;

    need(kith_issue_member(is, &member, now, buf, sizeof buf, &len) == KITH_OK, "a certificate");
    keep(s, &is->network, buf, len);
    need(kith_issue_endpoints(&m->peer.identity, &is->network, sim_host_addr(m->peer.host), 1,
                              kith_issuer_number(0, now), now + (kith_wall)7 * 86400, now, buf,
                              sizeof buf, &len) == KITH_OK,
         "endpoints");
    keep(s, &is->network, buf, len);
}

static void keep_all(const struct city *c, const struct kith_identity *root, struct kith_store *s)
{
    struct kith_store_network row = {.name = "city", .slot = 0};
    struct kith_issuer is = {.signer = root};
    kith_wall now = node_sim_now(&c->node[0].peer).wall;
    uint8_t buf[KITH_CERT_MAX];
    struct kith_prefix range;
    size_t len;

    need(kith_network_id_of(&root->pub, &is.network) == KITH_OK &&
             kith_prefix_parse("100.80.0.0/16", &range) == KITH_OK,
         "the network");
    memcpy(row.id, is.network.b, sizeof row.id);
    row.created = now;
    need(kith_store_begin(s) == KITH_OK && kith_store_network_put(s, &row) == KITH_OK, "a row");
    need(kith_issue_network(root, kith_span_text("city"), &range, now, kith_issuer_number(0, now),
                            now, buf, sizeof buf, &len) == KITH_OK,
         "the network's object");
    keep(s, &is.network, buf, len);
    kith_issuer_serials(0, &is.next_serial, &is.last_serial);
    for (size_t i = 0; i < c->n; i++)
        keep_member(&c->node[i], &is, s, now);
    need(kith_store_commit(s) == KITH_OK, "writing");
}

/* The store's path: it looks at the file itself before SQLite does. */
static void path_of(const char *name, char *buf, size_t cap)
{
    const char *tmp = getenv("TMPDIR");

    kith_format(buf, cap, "%s/kith-%d-%s", tmp != NULL ? tmp : P_tmpdir, (int)getpid(), name);
}

static struct kith_store *open_store(const char *name, const struct kith_env *env)
{
    struct kith_store *s;
    char path[256];

    path_of(name, path, sizeof path);
    need(kith_store_open_through(path, RAM_DISK_VFS, env, &s, NULL) == KITH_OK, "a store");
    (void)unlink(path); /* all that is written is in memory */
    return s;
}

static void write_template(const struct city *c)
{
    const struct kith_sign_seed seed = {{0xc1, 0x77}};
    struct kith_identity root;

    need(kith_identity_from_seed(&kith_heap, &seed, &root) == KITH_OK, "the root");
    struct kith_store *s = open_store(TEMPLATE, &c->node[0].peer.env);
    keep_all(c, &root, s);
    need(kith_store_checkpoint(s) == KITH_OK, "a checkpoint");
    kith_store_close(s);
    kith_identity_fini(&root);
}

/* ---- nodes ---- */

static const struct city_pair *pair_of(const struct city *c, uint32_t from, uint32_t to)
{
    for (size_t i = c->pairs_of[from]; i < c->pairs_of[from + 1]; i++)
        if (c->pair[i].to == to)
            return &c->pair[i];
    return NULL;
}

/* Addresses are in the order of the nodes: 100.80.0.1 is the first's. */
static uint32_t number_of(const uint8_t *ip4)
{
    return (uint32_t)(ip4[2] << 8 | ip4[3]) - 1;
}

/* In any thread, but in one at a time for each node. */
static void on_packet(void *ctx, struct node_peer_sim *p)
{
    struct city *c = ctx;
    uint32_t to = (uint32_t)((struct city_node *)(void *)p - c->node);
    uint32_t from =
        p->last_len < 20 ? UINT32_MAX : number_of(p->last_packet + 12); /* RFC 791 3.1 */
    struct city_pair *pair = from < c->n ? (struct city_pair *)pair_of(c, from, to) : NULL;

    if (pair == NULL || number_of(p->last_packet + 16) != to) {
        c->node[to].wrong++;
        return;
    }
    if (pair->heard_at == 0)
        pair->heard_at = sim_net_now(c->net);
}

static void prepare(struct city *c, uint32_t i)
{
    struct city_node *m = &c->node[i];
    const struct kith_sign_seed seed = {{(uint8_t)i, (uint8_t)(i >> 8), 0xc1}};
    unsigned at = i + 1;

    kith_format(m->name, sizeof m->name, "m%u", at);
    kith_format(m->addr, sizeof m->addr, "198.%u.%u.%u:9000", 18 + (at >> 16), at >> 8 & 255,
                at & 255);
    m->ip4 = kith_ip4(100, 80, (uint8_t)(at >> 8), (uint8_t)at);
    m->x = place(c);
    m->y = place(c);
    node_sim_prepare(&m->peer, c->net, m->name, m->addr, &seed, &kith_heap);
    m->peer.on_packet = on_packet;
    m->peer.ctx = c;
    crowd_prepare(&c->crowd, &m->place, &m->peer);
}

static void remember(const struct city *c, uint32_t who, uint32_t other)
{
    const struct city_node *m = &c->node[who], *o = &c->node[other];

    need(kith_store_address_worked(m->peer.store, o->peer.identity.id.b, o->addr,
                                   node_sim_now(&m->peer).wall) == KITH_OK,
         "an address");
}

/* The template's copy has no file of its own: its path says whose memory it is. In any thread. */
static void give_store(void *ctx, size_t i)
{
    struct city *c = ctx;
    struct city_node *m = &c->node[i];
    char from[256], to[256];

    path_of(TEMPLATE, from, sizeof from);
    path_of(m->name, to, sizeof to);
    ram_disk_copy(from, to);
    m->peer.store = open_store(m->name, &m->peer.env);
    for (size_t l = 0; l < c->n_links; l++)
        if (c->link[l].a == i || c->link[l].b == i)
            remember(c, (uint32_t)i, c->link[l].a == i ? c->link[l].b : c->link[l].a);
}

void city_up(struct city *c, uint64_t seed, size_t n, unsigned threads)
{
    printf("seed %u, %zu nodes\n", (unsigned)seed, n);
    memset(c, 0, sizeof *c);
    ram_disk_register();
    c->net = sim_net_new(seed);
    sim_net_set_tick(c->net, KITH_MSEC);
    sim_net_default_link(c->net, &(struct sim_link){.cut = true});
    crowd_begin(&c->crowd, c->net, threads);
    c->n = n;
    c->node = need_array(n, sizeof *c->node);
    c->pairs_of = need_array(n + 1, sizeof *c->pairs_of);
    for (uint32_t i = 0; i < n; i++)
        prepare(c, i);
    draw_links(c);
    for (size_t i = 0; i < c->n_links; i++)
        city_cut(c, &c->link[i], false);
    write_template(c);
    workers_run(c->crowd.workers, n, give_store, c);
}

/* In any thread. */
static void start(void *ctx, size_t i)
{
    struct city_node *m = &((struct city *)ctx)->node[i];

    m->err = node_sim_try_start(&m->peer);
}

void city_begin(struct city *c)
{
    workers_run(c->crowd.workers, c->n, start, c);
    for (size_t i = 0; i < c->n; i++) {
        need(c->node[i].err == KITH_OK, c->node[i].peer.last_why.text);
        crowd_add(&c->node[i].place);
    }
}

void city_kill(struct city *c, size_t who)
{
    struct city_node *m = &c->node[who];

    m->gone = true;
    crowd_take_out(&m->place);
    node_sim_kill(&m->peer);
}

void city_wait(struct city *c, kith_dur d)
{
    crowd_run(&c->crowd, d);
}

uint64_t city_wrong(const struct city *c)
{
    uint64_t wrong = 0;

    for (size_t i = 0; i < c->n; i++)
        wrong += c->node[i].wrong;
    return wrong;
}

void city_down(struct city *c)
{
    for (size_t i = 0; i < c->n; i++)
        node_sim_fini(&c->node[i].peer);
    crowd_end(&c->crowd);
    sim_net_free(c->net);
    ram_disk_clear();
    free(c->node);
    free(c->link);
    free(c->pair);
    free(c->pairs_of);
}

/* ---- pairs ---- */

static int by_ends(const void *a, const void *b)
{
    const struct city_pair *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to == y->to ? 0 : x->to < y->to ? -1 : 1;
}

static void index_pairs(struct city *c)
{
    size_t at = 0;

    for (uint32_t i = 0; i <= c->n; i++) {
        while (at < c->n_pairs && c->pair[at].from < i)
            at++;
        c->pairs_of[i] = at;
    }
}

/* Sorted, each once; how many. */
static size_t sort_out(struct city_pair *p, size_t n)
{
    size_t kept = 0;

    qsort(p, n, sizeof *p, by_ends);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_ends(&p[kept - 1], &p[i]) != 0)
            p[kept++] = p[i];
    return kept;
}

void city_choose(struct city *c, size_t count, uint32_t of)
{
    uint32_t *inside = need_array(c->n, sizeof *inside), n_inside = 0;

    for (uint32_t i = 0; i < c->n; i++)
        if (!c->node[i].gone && c->node[i].component == of)
            inside[n_inside++] = i;
    need((size_t)n_inside * (n_inside - 1) >= 2 * count, "too few nodes for so many pairs");
    free(c->pair);
    c->pair = need_array(count, sizeof *c->pair);
    c->n_pairs = c->n_heard = 0;
    while (c->n_pairs < count) {
        uint32_t from = inside[kith_random_below(sim_net_random(c->net), n_inside)];
        uint32_t to = inside[kith_random_below(sim_net_random(c->net), n_inside)];
        if (from == to)
            continue;
        c->pair[c->n_pairs++] = (struct city_pair){.from = from, .to = to};
        if (c->n_pairs == count)
            c->n_pairs = sort_out(c->pair, count);
    }
    index_pairs(c);
    free(inside);
}

void city_again(struct city *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n_pairs; i++) {
        struct city_pair p = {.from = c->pair[i].from, .to = c->pair[i].to};
        const struct city_node *a = &c->node[p.from], *b = &c->node[p.to];
        if (!a->gone && !b->gone && a->component == b->component)
            c->pair[kept++] = p;
    }
    c->n_pairs = kept;
    c->n_heard = 0;
    index_pairs(c);
}

static void ask(struct city *c)
{
    for (size_t i = 0; i < c->n_pairs; i++) {
        const struct city_pair *p = &c->pair[i];
        struct city_node *from = &c->node[p->from];
        if (p->heard_at != 0)
            continue;
        node_sim_send_udp(&from->peer, &from->ip4, &c->node[p->to].ip4, PAYLOAD);
        crowd_stir(&from->place);
    }
}

static size_t count_heard(const struct city *c)
{
    size_t heard = 0;

    for (size_t i = 0; i < c->n_pairs; i++)
        heard += c->pair[i].heard_at != 0;
    return heard;
}

bool city_talk(struct city *c, unsigned share, kith_dur limit, kith_dur *ret_took)
{
    kith_time from = sim_net_now(c->net), ask_at = from;

    for (;;) {
        *ret_took = sim_net_now(c->net) - from;
        c->n_heard = count_heard(c);
        if ((uint64_t)c->n_heard * MILLION >= (uint64_t)share * c->n_pairs)
            return true;
        if (*ret_took >= limit)
            return false;
        if (sim_net_now(c->net) >= ask_at) {
            ask(c);
            ask_at = kith_after(sim_net_now(c->net), ASK_INTERVAL);
        }
        crowd_run(&c->crowd, KITH_SEC / 10);
    }
}
