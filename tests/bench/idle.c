/* What a node keeps for a session in which nothing happens. Members come up over loopback in
 * groups; after each group the node rests until handshakes are over and the paths' MTU is found.
 * Memory is measured three ways: what Kith and ngtcp2 hold and what OpenSSL holds, in sizes as the
 * C library's heap gives them, and the growth of the resident set, in which its gaps are.
 *
 * bench_idle [SESSIONS]: 1,000 unless told otherwise. */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crowd.h"
#include "report.h"
#include "wire/kinds.h"

enum { SESSIONS = 1000, SESSIONS_MAX = 10000, FIRST = 50, GROUPS = 5 };
#define REST (3 * KITH_SEC)
#define LIMIT (60 * KITH_SEC) /* for a group */

static struct report report;

/* ---- counting ---- */

static size_t ours, openssl; /* bytes */

static void *count_resize(size_t *total, void *p, size_t n)
{
    size_t was = malloc_usable_size(p);

    if (n == 0) {
        *total -= was;
        free(p);
        return NULL;
    }
    void *q = realloc(p, n);
    if (q != NULL)
        *total += malloc_usable_size(q) - was;
    return q;
}

static void *resize_ours(void *ctx, void *p, size_t n)
{
    (void)ctx;
    return count_resize(&ours, p, n);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n > 0 ? count_resize(&openssl, NULL, n) : NULL;
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return count_resize(&openssl, p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    (void)count_resize(&openssl, p, 0);
}

static double resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r"); /* in pages: size, resident, ... (proc(5)) */
    char line[128];
    char *at;

    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        bench_give_up("/proc/self/statm");
    (void)fclose(f);
    (void)strtoul(line, &at, 10);
    unsigned long pages = strtoul(at, NULL, 10);
    if (pages == 0)
        bench_give_up("/proc/self/statm is not as it was");
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- groups ---- */

/* What is measured twice: with the second plane, as the daemon has it by default, and without. */
struct variant {
    uint64_t capabilities;
    const char *all, *kith, *openssl, *rss, *cpu, *sessions; /* names of its figures */
    /* rss: NULL for the second, which finds what the first has left */
};

static void group(const struct variant *v, struct node *n, uint32_t more)
{
    double kith = (double)ours, tls = (double)openssl, rss = resident(), per = (double)more;
    uint32_t wanted = atomic_load(&n->orders->wanted) + more;

    atomic_store(&n->orders->wanted, wanted);
    node_until_up(n, wanted, REST, LIMIT);
    kith = ((double)ours - kith) / per;
    tls = ((double)openssl - tls) / per;
    report_add(&report, v->all, "B", "heap of an idle session", kith + tls);
    report_add(&report, v->kith, "B", "of these: Kith and ngtcp2", kith);
    report_add(&report, v->openssl, "B", "of these: OpenSSL", tls);
    if (v->rss != NULL)
        report_add(&report, v->rss, "B", "growth of the resident set by a session",
                   (resident() - rss) / per);
}

/* Processor time of holding them all, doing nothing. */
static void rest(const struct variant *v, struct node *n)
{
    kith_time from = bench_now();
    kith_dur cpu = bench_cpu();

    node_for(n, REST);
    report_add(&report, v->cpu, "1", "processor time while nothing happens, by the clock",
               (double)(bench_cpu() - cpu) / (double)(bench_now() - from));
}

static void measure(const struct variant *v, size_t sessions)
{
    const struct kith_alloc counting = {.resize = resize_ours};
    const struct crowd_config cfg = {
        .members = FIRST + sessions, .under_way = 32, .capabilities = v->capabilities};
    struct crowd_orders *orders = crowd_share();
    static struct node n;

    node_init(&n, v->capabilities, orders, &counting);
    pid_t crowd = crowd_start(&cfg, &n);
    atomic_store(&orders->wanted, FIRST);
    node_until_up(&n, FIRST, REST, LIMIT); /* tables and pools are there from now on */
    for (int i = 0; i < GROUPS; i++)
        group(v, &n, (uint32_t)(sessions / GROUPS));
    rest(v, &n);
    if (n.down > 0)
        bench_give_up("sessions ended meanwhile");
    report_add(&report, v->sessions, "1", "sessions in the end", (double)n.up);
    crowd_stop(crowd);
    node_fini(&n);
}

int main(int argc, char **argv)
{
#define NAMES(rest)                                                                                \
    .all = "session_bytes" rest, .kith = "session_bytes_kith" rest,                                \
    .openssl = "session_bytes_openssl" rest,                                                       \
    .cpu = "idle_cpu_share" rest, .sessions = "sessions" rest
    static const struct variant with = {.capabilities = KITH_CAP_PLANE,
                                        NAMES(""),
                                        .rss = "session_rss_bytes"},
                                without = {NAMES("_datagram")};
    long sessions = argc > 1 ? strtol(argv[1], NULL, 10) : SESSIONS;

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        bench_give_up("OpenSSL has allocated already");
    if (sessions < GROUPS || sessions > SESSIONS_MAX)
        bench_give_up("sessions: 5 to 10000");
    measure(&with, (size_t)sessions);
    if (sessions == SESSIONS) /* a larger number is asked for once, and takes its time */
        measure(&without, (size_t)sessions);
    report_print(&report);
    return 0;
}
