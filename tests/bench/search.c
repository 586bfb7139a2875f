/* A network whose tables hold a part of it only: what they hold once all is told, and what path
 * requests find of the rest. Ten thousand nodes with room for 2,048 each take most of an hour
 * and 7 GB; unless told, it is a fifth of both.
 *
 * The nodes are the path tables and searches alone (mesh/paths.h, mesh/search.h), and what
 * neighbours say to each other is handed over as it is: no sessions, no signatures. A round is the
 * 200 ms for which news are gathered; a message of a search takes one step from node to node.
 *
 *   bench_search [NODES [ROOM]]   2000 400 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab_alloc.h"
#include "mesh/paths.h"
#include "mesh/search.h"
#include "report.h"

enum { NEIGHBOURS_MAX = 64, PAIRS = 300, TRIES = 6, ROUNDS_MAX = 400 };
#define DEGREE 10.0 /* neighbours in the mean */
#define WALL ((kith_wall)1800000000)
#define STEP (10 * KITH_MSEC)

struct node {
    double x, y;
    struct kith_destination here;
    struct kith_mesh_paths *paths;
    struct kith_search *search;
    uint32_t neighbour[NEIGHBOURS_MAX]; /* by handle: which node */
    uint32_t handle[NEIGHBOURS_MAX];    /* ours at that node */
    size_t n;
    bool self_told;
};

/* A message under way. */
struct message {
    struct kith_search_ask ask;
    bool is_answer;
    struct kith_mesh_advert told; /* of an answer */
    uint32_t to, from;            /* node; its handle for the sender */
};

static struct report report;
static struct kith_random_seeded seeded;
static struct kith_random rnd;
static struct lab_alloc heap;
static struct kith_env env;
static struct node *node;
static size_t nodes = 2000, room = 400;
static struct kith_now now = {.mono = 1000 * KITH_SEC, .wall = WALL};
static kith_time asking = 1000 * KITH_SEC; /* the time of searches, which are apart from each other:
                                             nothing that was told grows old between them */
static uint64_t told;

/* ---- the graph ---- */

static double unit(void)
{
    return (double)kith_random_below(&rnd, 1u << 30) / (double)(1u << 30);
}

static void join(uint32_t a, uint32_t b)
{
    struct node *x = &node[a], *y = &node[b];

    if (x->n == NEIGHBOURS_MAX || y->n == NEIGHBOURS_MAX)
        return;
    x->neighbour[x->n] = b;
    y->neighbour[y->n] = a;
    x->handle[x->n] = (uint32_t)y->n++;
    y->handle[y->n - 1] = (uint32_t)x->n++;
}

static int by_x(const void *a, const void *b)
{
    const struct node *p = a, *q = b;

    return p->x < q->x ? -1 : p->x > q->x;
}

/* Random geometric: mean degree 10. */
static void lay_out(void)
{
    const double radius = sqrt(DEGREE / (3.14159265358979 * (double)nodes));

    for (size_t i = 0; i < nodes; i++) {
        node[i] = (struct node){.x = unit(), .y = unit()};
        kith_random_fill(&rnd, node[i].here.b, sizeof node[i].here.b);
        bench_must(kith_mesh_paths_new(&env, room, &node[i].paths), "a table");
        bench_must(kith_search_new(&env, &node[i].search), "a search");
    }
    qsort(node, nodes, sizeof *node, by_x);
    for (uint32_t a = 0; a < nodes; a++)
        for (uint32_t b = a + 1; b < nodes && node[b].x - node[a].x <= radius; b++)
            if (hypot(node[a].x - node[b].x, node[a].y - node[b].y) <= radius)
                join(a, b);
}

/* ---- telling ---- */

static void hand(const struct node *from, uint32_t k, const struct kith_mesh_advert *a)
{
    struct node *to = &node[from->neighbour[k]];
    const struct kith_mesh_offer o = {.neighbour = from->handle[k],
                                      .hops = (uint8_t)(a->hops + 1),
                                      .seq = a->seq,
                                      .expires = WALL + 86400};
    enum kith_mesh_told what;

    told++;
    if (kith_destination_equal(&a->to, &to->here))
        return;
    if (a->hops == 0 && !kith_destination_equal(&a->to, &from->here))
        kith_mesh_paths_withdrawn(to->paths, &a->to, from->handle[k], now.mono);
    else if (a->hops < KITH_MESH_HOPS_MAX)
        bench_must(kith_mesh_paths_tell(to->paths, &a->to, &o, now, &what), "telling");
}

static size_t tell_news(struct node *n)
{
    struct kith_mesh_advert a = {.to = n->here, .seq = 1, .by = KITH_MESH_NOBODY};
    size_t news = 0, at = 0;

    if (!n->self_told) {
        for (uint32_t k = 0; k < n->n; k++)
            hand(n, k, &a);
        n->self_told = true;
        news++;
    }
    while (kith_mesh_paths_next_advert(n->paths, &at, KITH_MESH_NEWS, now.mono, &a)) {
        kith_mesh_paths_told(n->paths, &a, true);
        news++;
        for (uint32_t k = 0; k < n->n; k++) /* whoever is the way hears that we do not lead there */
            hand(n, k, k != a.by ? &a : &(struct kith_mesh_advert){.to = a.to});
    }
    return news;
}

static size_t tell_round(void)
{
    size_t news = 0;

    for (size_t i = 0; i < nodes; i++)
        news += tell_news(&node[i]);
    return news;
}

static unsigned settle(void)
{
    unsigned rounds = 0;
    size_t news = 1;

    while (news > 0 && rounds < ROUNDS_MAX) {
        news = tell_round();
        rounds++;
        if (rounds % 10 == 0)
            fprintf(stderr, "# round %u: %zu news, %.1f GB\n", rounds, news,
                    (double)heap.bytes / 1e9);
    }
    return rounds;
}

/* ---- searching ---- */

static struct message *queue;
static size_t head, tail, cap;

static void post(const struct node *from, uint32_t k, struct message m)
{
    if (tail == cap)
        bench_give_up("the queue is too short");
    m.to = from->neighbour[k];
    m.from = from->handle[k];
    queue[tail++] = m;
}

static void answer(const struct node *n, uint32_t k, const struct kith_search_ask *ask,
                   const struct kith_mesh_advert *a)
{
    post(n, k, (struct message){.ask = *ask, .is_answer = true, .told = *a});
}

static void take_request(struct node *n, const struct message *m)
{
    struct kith_search_ask ask = m->ask;
    struct kith_mesh_advert a = {.to = ask.to, .seq = 1};

    if (!kith_search_heard(n->search, &ask, m->from, asking))
        return;
    if (kith_destination_equal(&ask.to, &n->here) ||
        kith_mesh_paths_answer(n->paths, &ask.to, m->from, now.mono, &a)) {
        answer(n, m->from, &ask, &a);
        return;
    }
    if (--ask.hops == 0)
        return;
    for (uint32_t k = 0; k < n->n; k++)
        if (k != m->from)
            post(n, k, (struct message){.ask = ask});
}

static void take_answer(struct node *n, const struct message *m)
{
    const struct kith_mesh_offer o = {.neighbour = m->from,
                                      .hops = (uint8_t)(m->told.hops + 1),
                                      .seq = m->told.seq,
                                      .expires = WALL + 86400,
                                      .asked = true};
    struct kith_mesh_advert a;
    enum kith_mesh_told what;
    uint32_t whose;
    bool proof;

    if (!kith_search_answered(n->search, &m->ask, m->told.hops, asking, &whose, &proof))
        return;
    bench_must(kith_mesh_paths_tell(n->paths, &m->ask.to, &o, now, &what), "an answer");
    if (whose == KITH_SEARCH_SELF)
        kith_search_found(n->search, 0, &m->ask.to);
    else if (kith_mesh_paths_answer(n->paths, &m->ask.to, whose, now.mono, &a))
        answer(n, whose, &m->ask, &a);
}

/* Until nothing is under way; how many messages that took. */
static size_t run(void)
{
    size_t n = 0;

    for (; head < tail; head++, n++) {
        const struct message m = queue[head];
        if (m.is_answer)
            take_answer(&node[m.to], &m);
        else
            take_request(&node[m.to], &m);
    }
    head = tail = 0;
    return n;
}

static bool knows(uint32_t a, uint32_t b)
{
    struct kith_mesh_way w[KITH_MESH_WAYS];

    return kith_mesh_paths_ways(node[a].paths, &node[b].here, now.mono, w) > 0;
}

/* As the beginning of a flow goes: by the best way to a node where it was not, else back. Hops; 0:
 * it does not come there. */
static unsigned walk(uint32_t a, uint32_t b)
{
    static uint32_t trail[KITH_MESH_HOPS_MAX + 1], tried[KITH_MESH_HOPS_MAX + 1];
    static uint8_t *been;
    struct kith_mesh_way w[KITH_MESH_WAYS];
    unsigned at = 0;

    if (been == NULL && (been = calloc(1, nodes)) == NULL)
        bench_give_up("memory");
    memset(been, 0, nodes);
    trail[0] = a;
    tried[0] = 0;
    been[a] = 1;
    while (trail[at] != b) {
        const struct node *n = &node[trail[at]];
        size_t ways = kith_mesh_paths_ways(n->paths, &node[b].here, now.mono, w);
        while (tried[at] < ways && been[n->neighbour[w[tried[at]].neighbour]] != 0)
            tried[at]++;
        if (tried[at] < ways && at < KITH_MESH_HOPS_MAX) {
            trail[at + 1] = n->neighbour[w[tried[at]++].neighbour];
            been[trail[++at]] = 1;
            tried[at] = 0;
        } else if (at-- == 0) {
            return 0;
        }
    }
    return at;
}

struct found {
    size_t known, asked, found, walked, messages, hops, tries, news;
};

static void look_for(uint32_t a, uint32_t b, struct found *f)
{
    struct kith_search_ask ask;

    f->asked++;
    bench_must(kith_search_want(node[a].search, 0, &node[b].here, asking), "wanting");
    for (unsigned i = 0; i < TRIES && !knows(a, b); i++) {
        if (!kith_search_next(node[a].search, asking, &ask))
            bench_give_up("a request is not due");
        f->tries++;
        for (uint32_t k = 0; k < node[a].n; k++)
            post(&node[a], k, (struct message){.ask = ask});
        f->messages += run();
        if (kith_search_deadline(node[a].search) != KITH_NEVER)
            asking = kith_search_deadline(node[a].search);
    }
    kith_search_found(node[a].search, 0, &node[b].here);
    f->found += knows(a, b);
}

static void try_pairs(const uint32_t *of, size_t n, struct found *f)
{
    for (size_t i = 0; i < PAIRS; i++) {
        uint32_t a = of[kith_random_below(&rnd, n)], b = of[kith_random_below(&rnd, n)];
        unsigned hops;
        if (a == b)
            continue;
        if (knows(a, b))
            f->known++;
        else
            look_for(a, b, f);
        f->news += tell_round();
        hops = walk(a, b);
        f->walked += hops > 0;
        f->hops += hops;
    }
}

/* The largest component, in *ret_n. */
static uint32_t *largest(size_t *ret_n)
{
    uint32_t *part = calloc(nodes, sizeof *part), *order = calloc(nodes, sizeof *order);
    size_t best_from = 0, n = 0, best = 0;

    if (part == NULL || order == NULL)
        bench_give_up("memory");
    for (uint32_t i = 0; i < nodes; i++) {
        size_t from = n;
        if (part[i] != 0)
            continue;
        part[i] = 1;
        order[n++] = i;
        for (size_t at = from; at < n; at++)
            for (size_t k = 0; k < node[order[at]].n; k++) {
                uint32_t to = node[order[at]].neighbour[k];
                if (part[to] == 0) {
                    part[to] = 1;
                    order[n++] = to;
                }
            }
        if (n - from > best) {
            best = n - from;
            best_from = from;
        }
    }
    free(part);
    memmove(order, order + best_from, best * sizeof *order);
    *ret_n = best;
    return order;
}

static size_t entries(void)
{
    size_t n = 0;

    for (size_t i = 0; i < nodes; i++) {
        size_t own = kith_mesh_paths_count(node[i].paths);
        if (own > room)
            bench_give_up("a table holds more than it may");
        n += own;
    }
    return n;
}

int main(int argc, char **argv)
{
    struct found f = {0};
    size_t n;

    if (argc > 1)
        nodes = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        room = strtoul(argv[2], NULL, 10);
    kith_random_seeded_init(&seeded, 1);
    rnd = kith_random_from_seed(&seeded);
    lab_alloc_init(&heap);
    env = (struct kith_env){.alloc = &heap.alloc, .random = &rnd};
    cap = nodes * NEIGHBOURS_MAX;
    node = calloc(nodes, sizeof *node);
    queue = malloc(cap * sizeof *queue);
    if (node == NULL || queue == NULL)
        bench_give_up("nodes");
    lay_out();
    kith_time from = bench_now();
    unsigned rounds = settle();
    double took = (double)(bench_now() - from) / 1e9;
    uint32_t *of = largest(&n);
    try_pairs(of, n, &f);
    size_t held = entries();
    report_add(&report, "search_nodes", "nodes", "that have a table and a search each",
               (double)nodes);
    report_add(&report, "search_largest_component", "nodes", "that are connected", (double)n);
    report_add(&report, "search_room", "destinations", "a table has room for", (double)room);
    report_add(&report, "search_rounds_until_all_is_told", "rounds",
               "of 200 ms until nobody has news", rounds);
    report_add(&report, "search_told", "tellings", "of one destination to one neighbour until then",
               (double)told);
    report_add(&report, "search_ns_per_telling", "ns", "of one of these",
               took * 1e9 / (double)told);
    report_add(&report, "search_entries_per_table", "destinations", "held in the mean, at the end",
               (double)held / (double)nodes);
    report_add(&report, "search_bytes_per_node", "bytes", "at the most, of table and search",
               (double)heap.peak / (double)nodes);
    report_add(&report, "search_peak_gigabytes", "GB", "of all nodes", (double)heap.peak / 1e9);
    report_add(&report, "search_pairs_known", "pairs", "of which one held a way to the other",
               (double)f.known);
    report_add(&report, "search_pairs_asked_for", "pairs", "of which it did not, and asked",
               (double)f.asked);
    report_add(&report, "search_pairs_found", "pairs", "of those, for which the answer came",
               (double)f.found);
    report_add(&report, "search_pairs_walked", "pairs",
               "of all, between which the best ways of each node on the way lead to the end",
               (double)f.walked);
    report_add(&report, "search_pairs", "pairs", "of the largest component, drawn",
               (double)(f.known + f.asked));
    report_add(&report, "search_hops_mean", "hops", "of those walked",
               f.walked > 0 ? (double)f.hops / (double)f.walked : 0);
    report_add(&report, "search_news", "destinations",
               "of which neighbours hear anew because of one search",
               f.asked > 0 ? (double)f.news / (double)f.asked : 0);
    report_add(&report, "search_requests", "requests", "of who asks, for one destination",
               f.asked > 0 ? (double)f.tries / (double)f.asked : 0);
    report_add(&report, "search_messages", "messages", "of all nodes, for one destination",
               f.asked > 0 ? (double)f.messages / (double)f.asked : 0);
    free(of);
    for (size_t i = 0; i < nodes; i++) {
        kith_mesh_paths_free(node[i].paths);
        kith_search_free(node[i].search);
    }
    free(node);
    free(queue);
    report_print(&report);
    return 0;
}
