/* A userspace cable with the simulator's link model in it (tests/sim/link.h), in real time, for
 * kernels without netem. Makes two TAP devices; what a switch or a machine puts into one comes out
 * of the other as the model says, each way by itself.
 *
 *     wire A B [NAME=NUMBER]...     e.g. wire left right rate=800000 delay=225 loss=80000 burst=8
 *
 * rate in bit/s, delay, jitter and reorder_by in ms, loss, dup and reorder in millionths, burst in
 * frames, queue and mtu in bytes. A frame counts without its Ethernet header: mtu is an
 * interface's, 1500 unless it is given. Prints the seed and "ready" when both devices are there,
 * and, told to end (SIGTERM, SIGINT), what became of the frames each way. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/due.h"
#include "sim/link.h"

enum {
    ETHERNET = 14, /* bytes of its header */
    LARGEST = 9018,
    TURN = 64, /* frames read before those that are due leave */
    WAITING_MAX = 100000,
};

struct frame {
    struct kith_due due; /* first, so that a pointer to it is one to the frame */
    size_t len;
    int out;
    uint8_t data[];
};

/* One direction. */
struct way {
    int in, out; /* TAP devices */
    struct sim_pipe pipe;
    unsigned long count[SIM_VERDICTS], twice;
};

static struct sim_link model;
static struct kith_random_seeded seeded;
static struct kith_random source;
static struct kith_due_heap waiting = {.alloc = &kith_heap};
static size_t n_waiting;
static volatile sig_atomic_t ending;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void on_signal(int number)
{
    (void)number;
    ending = 1;
}

static kith_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (kith_time)t.tv_sec * KITH_SEC + (kith_time)t.tv_nsec;
}

/* ---- what is asked for ---- */

struct setting {
    const char *name;
    uint64_t value;
};

/* All that there are, with the values of a plain cable. */
static struct setting setting[] = {{"rate", 0},       {"delay", 0},  {"jitter", 0}, {"queue", 0},
                                   {"loss", 0},       {"burst", 0},  {"dup", 0},    {"reorder", 0},
                                   {"reorder_by", 0}, {"mtu", 1500}, {"seed", 1}};

static uint64_t value_of(const char *name)
{
    for (size_t i = 0; i < KITH_COUNT(setting); i++)
        if (strcmp(setting[i].name, name) == 0)
            return setting[i].value;
    abort();
}

static bool set(const char *text)
{
    const char *equals = strchr(text, '=');
    char *end;

    if (equals == NULL || equals[1] < '0' || equals[1] > '9')
        return false;
    for (size_t i = 0; i < KITH_COUNT(setting); i++) {
        size_t n = strlen(setting[i].name);
        if (n != (size_t)(equals - text) || memcmp(setting[i].name, text, n) != 0)
            continue;
        setting[i].value = strtoull(equals + 1, &end, 10);
        return *end == 0;
    }
    return false;
}

static void make_model(void)
{
    model = (struct sim_link){
        .delay = value_of("delay") * KITH_MSEC,
        .jitter = value_of("jitter") * KITH_MSEC,
        .rate = value_of("rate"),
        .queue = value_of("queue"),
        .loss_ppm = (unsigned)value_of("loss"),
        .burst = (unsigned)value_of("burst"),
        .dup_ppm = (unsigned)value_of("dup"),
        .reorder_ppm = (unsigned)value_of("reorder"),
        .reorder_by = value_of("reorder_by") * KITH_MSEC,
        .mtu = value_of("mtu"),
    };
    kith_random_seeded_init(&seeded, value_of("seed"));
    source = kith_random_from_seed(&seeded);
}

/* ---- frames ---- */

static int make_tap(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || strlen(name) >= sizeof r.ifr_name)
        die("/dev/net/tun");
    memcpy(r.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &r) < 0)
        die(name);
    return fd;
}

/* Frames that leave later are kept; beyond so many, a machine went mad. */
static void keep(const struct way *w, const uint8_t *data, size_t len, kith_time at)
{
    struct frame *f = n_waiting < WAITING_MAX ? malloc(sizeof *f + len) : NULL;

    if (f == NULL) {
        fprintf(stderr, "too many frames wait\n");
        exit(1);
    }
    *f = (struct frame){.len = len, .out = w->out};
    memcpy(f->data, data, len);
    if (kith_due_set(&waiting, &f->due, at) < 0)
        abort();
    n_waiting++;
}

static void carry(struct way *w, const uint8_t *data, size_t len, kith_time now)
{
    size_t size = len > ETHERNET ? len - ETHERNET : 0;
    kith_time at[2];
    enum sim_verdict v = sim_pipe_enter(&w->pipe, &model, size, &source);

    if (v == SIM_PASSES)
        v = sim_pipe_pass(&w->pipe, &model, size, &source, now, at);
    w->count[v]++;
    for (size_t i = 0; v == SIM_PASSES && i < 2 && at[i] != KITH_NEVER; i++) {
        w->twice += i;
        keep(w, data, len, at[i]);
    }
}

static void read_some(struct way *w)
{
    uint8_t data[LARGEST];

    for (int i = 0; i < TURN; i++) {
        ssize_t n = read(w->in, data, sizeof data);
        if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO)) /* EIO: it is down */
            return;
        if (n < 0)
            die("reading a frame");
        carry(w, data, (size_t)n, clock_now());
    }
}

/* What a device that is down does not take is lost. */
static void let_out(kith_time now)
{
    while (kith_due_deadline(&waiting) <= now) {
        struct frame *f = (struct frame *)(void *)kith_due_first(&waiting);
        kith_due_remove(&waiting, &f->due);
        if (write(f->out, f->data, f->len) < 0 && errno != EIO && errno != EAGAIN)
            die("writing a frame");
        free(f);
        n_waiting--;
    }
}

static void wait_for_something(const struct way *way)
{
    struct pollfd p[] = {{.fd = way[0].in, .events = POLLIN}, {.fd = way[1].in, .events = POLLIN}};
    kith_time due = kith_due_deadline(&waiting);
    kith_dur left = kith_since(due, clock_now());
    struct timespec t = {.tv_sec = (time_t)(left / KITH_SEC), .tv_nsec = (long)(left % KITH_SEC)};
    sigset_t none;

    sigemptyset(&none);
    if (ppoll(p, 2, due == KITH_NEVER ? NULL : &t, &none) < 0 && errno != EINTR)
        die("waiting");
}

/* They are let through only while it waits, so that none is missed. */
static void listen_for_signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigset_t both;

    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, NULL);
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGINT, &a, NULL);
}

static void tell(const char *from, const char *to, const struct way *w)
{
    printf("%s to %s: %lu passed, %lu lost, %lu found no room, %lu too large, %lu twice\n", from,
           to, w->count[SIM_PASSES], w->count[SIM_LOST], w->count[SIM_NO_ROOM],
           w->count[SIM_TOO_LARGE], w->twice);
}

static void forget_all(void)
{
    struct kith_due *d;

    while ((d = kith_due_first(&waiting)) != NULL) {
        kith_due_remove(&waiting, d);
        free(d);
    }
    kith_due_fini(&waiting);
}

int main(int argc, char **argv)
{
    bool good = argc >= 3;

    for (int i = 3; i < argc; i++)
        good = good && set(argv[i]);
    if (!good) {
        fprintf(stderr, "usage: wire A B [NAME=NUMBER]...\n");
        return 2;
    }
    make_model();
    listen_for_signals();
    struct way way[2] = {{.in = make_tap(argv[1])}, {.in = make_tap(argv[2])}};
    way[0].out = way[1].in;
    way[1].out = way[0].in;
    printf("seed %llu\nready\n", (unsigned long long)value_of("seed"));
    fflush(stdout);
    while (!ending) {
        wait_for_something(way);
        read_some(&way[0]);
        read_some(&way[1]);
        let_out(clock_now());
    }
    tell(argv[1], argv[2], &way[0]);
    tell(argv[2], argv[1], &way[1]);
    forget_all();
    return 0;
}
