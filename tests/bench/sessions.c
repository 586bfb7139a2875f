/* How many new sessions a second one core sustains: 64 members dial a node over loopback, greet,
 * end and dial anew for as long as it is measured. A session costs the node a handshake, hello both
 * ways, and its end. */
#include "crowd.h"
#include "report.h"

enum { MEMBERS = 64, ROUNDS = 7 };
#define ROUND (2 * KITH_SEC)

static struct report report;

static void round_of(struct node *n)
{
    uint64_t up = n->up;
    kith_time from = bench_now();
    kith_dur cpu = bench_cpu();

    node_for(n, ROUND);
    double sessions = (double)(n->up - up), wall = (double)(bench_now() - from);
    double used = (double)(bench_cpu() - cpu);
    report_add(&report, "sessions_per_second", "1/s",
               "sessions that came up at the node, by the seconds of processor time it took",
               sessions * 1e9 / used);
    report_add(&report, "sessions_per_second_wall", "1/s",
               "the same by the clock; the crowd works on another core", sessions * 1e9 / wall);
    report_add(&report, "session_cpu_ms", "ms", "processor time of the node for one session",
               used / 1e6 / sessions);
    report_add(&report, "node_cpu_share", "1", "processor time of the node by the clock",
               used / wall);
}

int main(void)
{
    static const struct crowd_config cfg = {
        .members = MEMBERS, .under_way = MEMBERS, .churn = true};
    static struct node n;
    struct crowd_orders *orders = crowd_share();

    atomic_store(&orders->wanted, MEMBERS);
    node_init(&n, 0, orders, &kith_heap);
    pid_t crowd = crowd_start(&cfg, &n);
    node_until_up(&n, MEMBERS, KITH_SEC, 20 * KITH_SEC);
    for (int i = 0; i < ROUNDS; i++)
        round_of(&n);
    crowd_stop(crowd);
    node_fini(&n);
    report_print(&report);
    return 0;
}
