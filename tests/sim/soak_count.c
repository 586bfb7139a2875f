/* soak_count.c: what the machines of a soak hold. See soak.h.
 *
 * Looks into the insides of nodes, views and stores: what it counts is what may grow there. */
#include "sim/soak.h"

#include <dirent.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "node/internal.h"
#include "sim/soak_view.h"
#include "sim/soak_vpn.h"
#include "store/query.h"

enum {
    CHUNK = sizeof(size_t), /* what the heap keeps with a block */
    GREETING = 8192,        /* buffers double: 8 kB, 16 kB */
};

/* ---- memory ---- */

static struct soak_alloc openssl;
static size_t sqlite_heap;

static size_t heap_of(void *block)
{
    return block != NULL ? malloc_usable_size(block) + CHUNK : 0;
}

static void *resize(void *ctx, void *p, size_t n)
{
    struct soak_alloc *a = ctx;
    size_t was = p != NULL ? heap_of((union lab_block *)p - 1) : 0;
    void *q = a->lab.alloc.resize(&a->lab, p, n);

    a->heap += (q != NULL ? heap_of((union lab_block *)q - 1) : 0) - was;
    return q;
}

void soak_alloc_init(struct soak_alloc *a)
{
    *a = (struct soak_alloc){.alloc = {.resize = resize, .ctx = a}};
    lab_alloc_init(&a->lab);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n > 0 ? resize(&openssl, NULL, n) : NULL;
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 && p == NULL ? NULL : resize(&openssl, p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p != NULL)
        (void)resize(&openssl, p, 0);
}

static int sqlite_size(void *p)
{
    return (int)malloc_usable_size(p);
}

static void *sqlite_realloc(void *p, int n)
{
    size_t was = heap_of(p);
    void *q = realloc(p, (size_t)n);

    if (q != NULL) {
        sqlite_heap += heap_of(q) - was;
    }
    return q;
}

static void *sqlite_malloc(int n)
{
    return sqlite_realloc(NULL, n);
}

static void sqlite_free(void *p)
{
    sqlite_heap -= heap_of(p);
    free(p);
}

static int sqlite_roundup(int n)
{
    return (n + 7) & ~7;
}

static int sqlite_init(void *ctx)
{
    (void)ctx;
    return SQLITE_OK;
}

static void sqlite_shutdown(void *ctx)
{
    (void)ctx;
}

void soak_count_begin(void)
{
    static const sqlite3_mem_methods counted = {.xMalloc = sqlite_malloc,
                                                .xFree = sqlite_free,
                                                .xRealloc = sqlite_realloc,
                                                .xSize = sqlite_size,
                                                .xRoundup = sqlite_roundup,
                                                .xInit = sqlite_init,
                                                .xShutdown = sqlite_shutdown};

    soak_alloc_init(&openssl);
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        sqlite3_config(SQLITE_CONFIG_MALLOC, &counted) != SQLITE_OK)
        abort();
}

static uint64_t descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (d == NULL)
        abort();
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n - 3; /* ".", ".." and the folder itself */
}

static void count_process(const struct soak *s, struct soak_sample *sum)
{
    ERR_clear_error(); /* what it remembers of its last errors is by chance */
    struct mallinfo2 heap = mallinfo2();
    size_t ours = openssl.heap + sqlite_heap;

    for (size_t i = 0; i < s->n; i++)
        ours += s->machine[i].memory.heap;
    sum->v[SOAK_S_openssl_bytes] = openssl.lab.bytes;
    sum->v[SOAK_S_openssl_blocks] = openssl.lab.live;
    sum->v[SOAK_S_sqlite_bytes] = sqlite_heap;
    sum->v[SOAK_S_heap_bytes] = heap.uordblks + heap.hblkhd;
    if (sum->v[SOAK_S_heap_bytes] > ours) /* a sanitizer's heap tells nothing */
        sum->v[SOAK_S_other_bytes] = sum->v[SOAK_S_heap_bytes] - ours;
    sum->v[SOAK_S_descriptors] = descriptors();
}

/* ---- a node ---- */

/* Of the rest, what is counted elsewhere. */
static void take_off(struct soak_sample *sum, size_t blocks, size_t bytes)
{
    sum->v[SOAK_S_rest_blocks] -= blocks;
    sum->v[SOAK_S_rest_bytes] -= bytes;
}

static void count_view(const struct kith_netview *view, struct soak_sample *sum)
{
    struct soak_view v;

    soak_view_count(view, &v);
    take_off(sum, v.blocks, v.bytes);
    sum->v[SOAK_S_objects] += v.objects;
    sum->v[SOAK_S_known] += v.known;
    sum->v[SOAK_S_certificates] += v.certificates;
    sum->v[SOAK_S_revocations] += v.revocations;
    sum->v[SOAK_S_offices] += v.offices;
    sum->v[SOAK_S_lists] += v.lists;
    sum->v[SOAK_S_endpoints] += v.endpoints;
    sum->v[SOAK_S_pending] += v.pending;
}

static void count_peers(const struct kith_node *n, struct soak_sample *sum)
{
    for (size_t i = 0; i < n->n_handles; i++) {
        const struct node_peer *p = n->by_handle[i];
        take_off(sum, 1, sizeof *p);
        if (p->lack != NULL)
            take_off(sum, 1, LACK_MAX * sizeof *p->lack);
        if (p->told != NULL)
            take_off(sum, 1, KITH_NODE_ADDRS_MAX * sizeof *p->told);
    }
    take_off(sum, n->by_handle != NULL ? 1 : 0, n->cap_handles * sizeof(void *));
    take_off(sum, n->peers.cap > 0 ? 1 : 0, soak_map_bytes(&n->peers));
    sum->v[SOAK_S_peers] += n->n_handles;
}

/* What ways were like in the last hour: as much as happened in it, 1,024 notes at most. */
static void count_measured(const struct kith_node *n, struct soak_sample *sum)
{
    for (size_t k = 0; k < KITH_NODE_NETWORKS_MAX; k++) {
        size_t blocks;
        if (n->mesh->net[k].paths == NULL)
            continue;
        size_t bytes = kith_mesh_paths_measured_size(n->mesh->net[k].paths, &blocks);
        take_off(sum, blocks, bytes);
    }
}

/* One that an admin certified shows the admin's office as well: what it says first on a connection
 * takes the next bigger buffer. */
static size_t longer_greeting(const struct kith_node *n, const struct node_network *net,
                              kith_wall now)
{
    const struct kith_peer_id root = kith_network_root(&net->id);
    struct kith_member self;

    return network_self(n, net, now, &self) && !kith_peer_id_equal(&self.cert->env.signer, &root)
               ? GREETING
               : 0;
}

static void count_node(const struct soak *s, size_t i, struct soak_sample *sum)
{
    const struct kith_node *n = s->machine[i].sim.node;
    kith_wall now = soak_now(s, i).wall;
    struct kith_session *session = NULL;
    struct kith_node_totals all;

    if (n == NULL)
        return;
    kith_node_totals(n, now, &all);
    sum->v[SOAK_S_sessions] += all.sessions + all.guests;
    while ((session = kith_sessions_next(n->sessions, session)) != NULL)
        sum->v[SOAK_S_sessions_kept]++;
    sum->v[SOAK_S_connections] += all.connections;
    sum->v[SOAK_S_reachable] += soak_vpn_members(n->vpn);
    sum->v[SOAK_S_members] += all.members;
    count_peers(n, sum);
    count_measured(n, sum);
    for (size_t k = 0; k < KITH_NODE_NETWORKS_MAX; k++)
        if (n->network[k].used) {
            count_view(n->network[k].view, sum);
            take_off(sum, 0, all.sessions * longer_greeting(n, &n->network[k], now));
        }
}

/* ---- the store ---- */

static uint64_t asked(const struct soak *s, size_t i, const char *sql)
{
    sqlite3_stmt *st;
    uint64_t n = 0;

    if (sqlite3_prepare_v2(s->machine[i].sim.store->db, sql, -1, &st, NULL) != SQLITE_OK)
        abort();
    if (sqlite3_step(st) == SQLITE_ROW)
        n = (uint64_t)sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

static uint64_t statements(sqlite3 *db)
{
    uint64_t n = 0;

    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(db, st)) != NULL;)
        n++;
    return n;
}

static void count_store(const struct soak *s, size_t i, struct soak_sample *sum)
{
#define ROWS(table) sum->v[SOAK_S_rows_##table] += asked(s, i, "SELECT count(*) FROM " #table)
    ROWS(network);
    ROWS(object);
    ROWS(ticket);
    ROWS(ticket_use);
    ROWS(issued);
    ROWS(address);
    ROWS(setting);
#undef ROWS
    sum->v[SOAK_S_row_bytes] += asked(s, i, "SELECT sum(length(bytes) + 64) FROM object") +
                                asked(s, i, "SELECT sum(length(cert) + 80) FROM ticket_use");
    uint64_t pages = asked(s, i, "PRAGMA page_count");
    sum->v[SOAK_S_pages] += pages;
    sum->v[SOAK_S_pages_used] += pages - asked(s, i, "PRAGMA freelist_count");
    sum->v[SOAK_S_statements] += statements(s->machine[i].sim.store->db);
}

void soak_count_one(const struct soak *s, size_t i, struct soak_sample *sum)
{
    const struct lab_alloc *lab = &s->machine[i].memory.lab;

    sum->v[SOAK_S_kith_bytes] += lab->bytes;
    sum->v[SOAK_S_kith_blocks] += lab->live;
    sum->v[SOAK_S_rest_bytes] += lab->bytes;
    sum->v[SOAK_S_rest_blocks] += lab->live;
    count_node(s, i, sum);
    count_store(s, i, sum);
}

void soak_count(struct soak *s, struct soak_sample *ret)
{
    *ret = (struct soak_sample){.v = {0}};
    for (size_t i = 0; i < s->n; i++)
        soak_count_one(s, i, ret);
    count_process(s, ret);
}
