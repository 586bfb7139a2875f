/* What a thousand sessions cost a node that all say a little: each member sends ten packets of 200
 * bytes a second, at instants of its own, and the node sends each back. Two nodes with a crowd of
 * their own each, one with the second packet plane and one without, are asked in turns; the other
 * rests meanwhile.
 *
 * bench_many [SECONDS]: of each turn; 5 unless told otherwise. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crowd.h"
#include "report.h"
#include "wire/kinds.h"

enum { MEMBERS = 1000, ROUNDS = 5, SECONDS = 5 };
#define WARM_UP (KITH_SEC + KITH_SEC / 2) /* the plane is found, queues are empty */
#define LIMIT (60 * KITH_SEC)             /* for all sessions to come up */

static struct report report;

struct side {
    const char *cpu, *rate, *came_back, *sealed, *datagrams; /* names of its figures */
    uint64_t capabilities;
    struct crowd_orders *orders;
    pid_t pid;
    clockid_t clock; /* of the node's process */
};

/* ---- a node and its crowd ---- */

static _Noreturn void run_node(const struct side *s)
{
    static struct node n;
    const struct crowd_config cfg = {
        .members = MEMBERS, .under_way = 32, .capabilities = s->capabilities};

    node_init(&n, s->capabilities, s->orders, &kith_heap);
    (void)crowd_start(&cfg, &n);
    for (;;)
        node_turn(&n, bench_now() + KITH_SEC);
}

static void start(struct side *s)
{
    pid_t parent = getpid();

    s->orders = crowd_share();
    atomic_store(&s->orders->wanted, MEMBERS);
    s->pid = fork();
    if (s->pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(1);
        run_node(s);
    }
    if (s->pid < 0 || clock_getcpuclockid(s->pid, &s->clock) != 0)
        bench_give_up("a node's process");
}

static void stop(struct side *s)
{
    (void)kill(s->pid, SIGKILL); /* its crowd ends with it */
    (void)waitpid(s->pid, NULL, 0);
}

/* ---- measuring ---- */

static void pause_for(kith_dur d)
{
    const struct timespec t = {.tv_sec = (time_t)(d / KITH_SEC), .tv_nsec = (long)(d % KITH_SEC)};

    (void)nanosleep(&t, NULL);
}

static double cpu_of(const struct side *s)
{
    struct timespec t;

    if (clock_gettime(s->clock, &t) != 0)
        bench_give_up("a node has ended");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_until_up(const struct side *s)
{
    kith_time end = bench_now() + LIMIT;

    while (atomic_load(&s->orders->up) < MEMBERS) {
        if (bench_now() >= end)
            bench_give_up("the sessions did not come up in time");
        pause_for(50 * KITH_MSEC);
    }
}

struct seen {
    double cpu, wall, sent, echoed, datagrams, sealed;
};

static struct seen look(const struct side *s)
{
    return (struct seen){.cpu = cpu_of(s),
                         .wall = (double)bench_now() / 1e9,
                         .sent = (double)atomic_load(&s->orders->sent),
                         .echoed = (double)atomic_load(&s->orders->echoed),
                         .datagrams = (double)atomic_load(&s->orders->datagrams),
                         .sealed = (double)atomic_load(&s->orders->sealed)};
}

static void turn(struct side *s, kith_dur length)
{
    atomic_store(&s->orders->talk, true);
    pause_for(WARM_UP);
    struct seen a = look(s);
    pause_for(length);
    struct seen b = look(s);
    atomic_store(&s->orders->talk, false);
    pause_for(KITH_SEC / 2);
    double wall = b.wall - a.wall, sent = b.sent - a.sent, echoed = b.echoed - a.echoed;
    report_add(&report, s->cpu, "1",
               "processor time of the node by the clock: 1,000 sessions, 10 packets a second each",
               (b.cpu - a.cpu) / wall);
    report_add(&report, s->rate, "1/s", "packets that came and were sent back", echoed / wall);
    report_add(&report, s->came_back, "1", "of the packets sent: came back", echoed / sent);
    report_add(&report, s->sealed, "1", "of the packets sent back: by the second plane",
               (b.sealed - a.sealed) / echoed);
    report_add(&report, s->datagrams, "1", "datagrams the node sent for each packet it sent back",
               (b.datagrams - a.datagrams) / echoed);
    if (sent < 0.9 * (double)(10 * MEMBERS) * wall)
        bench_give_up("the crowd had no time to say all it should: is the machine busy?");
}

int main(int argc, char **argv)
{
    static struct side sides[] = {
        {.cpu = "many_cpu_share",
         .rate = "many_packets_per_second",
         .came_back = "many_came_back",
         .sealed = "many_sealed_share",
         .datagrams = "many_datagrams_per_packet",
         .capabilities = KITH_CAP_PLANE},
        {.cpu = "many_cpu_share_datagram",
         .rate = "many_packets_per_second_datagram",
         .came_back = "many_came_back_datagram",
         .sealed = "many_sealed_share_datagram",
         .datagrams = "many_datagrams_per_packet_datagram"},
    };
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS;

    if (seconds < 1 || seconds > 60)
        bench_give_up("seconds: 1 to 60");
    for (size_t i = 0; i < KITH_COUNT(sides); i++) {
        start(&sides[i]);
        wait_until_up(&sides[i]);
    }
    pause_for(2 * KITH_SEC);
    for (int i = 0; i < ROUNDS; i++)
        for (size_t k = 0; k < KITH_COUNT(sides); k++)
            turn(&sides[k], (kith_dur)seconds * KITH_SEC);
    for (size_t i = 0; i < KITH_COUNT(sides); i++)
        stop(&sides[i]);
    if (report_median(&report, "many_sealed_share") < 0.9)
        bench_give_up("the second plane was not used");
    report_print(&report);
    return 0;
}
