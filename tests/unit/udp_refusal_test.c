/* UDP when the kernel says no: full buffers, missing offloads, errors that belong to a datagram.
 * Most tests put a table of system calls in between that refuses on demand and otherwise calls the
 * kernel; the last ones make the kernel itself refuse, in a network namespace of their own. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "udp_lab.h"

#include "transport/udp/udp_sys.h"

/* ---- a kernel that refuses ---- */

struct moody {
    size_t room;    /* messages it still takes before its buffer is full */
    int gso;        /* errno for every message with ancillary data of UDP, or 0 */
    int option;     /* socket option that it does not know, or -1 */
    int send_once;  /* errno for the next send, or 0 */
    int read_once;  /* errno for the next read, or 0 */
    bool no_mmsg;   /* recvmmsg is unknown */
    size_t offered; /* messages in the last sendmmsg */
};

static int refuse(int code)
{
    errno = code;
    return -1;
}

static int moody_setsockopt(void *ctx, int fd, int level, int name, const void *value, socklen_t n)
{
    const struct moody *m = ctx;

    if (level == SOL_UDP && name == m->option)
        return refuse(ENOPROTOOPT);
    return setsockopt(fd, level, name, value, n);
}

static bool asks_gso(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_UDP)
            return true;
    return false;
}

static int moody_sendmmsg(void *ctx, int fd, struct mmsghdr *msgs, unsigned n)
{
    struct moody *m = ctx;
    unsigned take = 0;
    int code = m->send_once;

    m->offered = n;
    m->send_once = 0;
    if (code != 0)
        return refuse(code);
    if (m->gso != 0 && asks_gso(&msgs[0].msg_hdr))
        return refuse(m->gso);
    if (m->room == 0)
        return refuse(EAGAIN);
    while (take < n && take < m->room && !(m->gso != 0 && asks_gso(&msgs[take].msg_hdr)))
        take++;
    int sent = sendmmsg(fd, msgs, take, MSG_DONTWAIT);
    if (sent > 0)
        m->room -= (size_t)sent;
    return sent;
}

static int moody_recvmmsg(void *ctx, int fd, struct mmsghdr *msgs, unsigned n)
{
    struct moody *m = ctx;
    int code = m->no_mmsg ? ENOSYS : m->read_once;

    if (!m->no_mmsg)
        m->read_once = 0;
    return code != 0 ? refuse(code) : recvmmsg(fd, msgs, n, MSG_DONTWAIT, NULL);
}

static ssize_t moody_recvmsg(void *ctx, int fd, struct msghdr *msg)
{
    struct moody *m = ctx;
    int code = m->read_once;

    m->read_once = 0;
    return code != 0 ? refuse(code) : recvmsg(fd, msg, MSG_DONTWAIT);
}

enum { ENDLESS = 1 << 20 };

struct pair {
    struct moody mood;
    struct kith_udp_sys sys;
    struct lab_end *a, *b; /* a's kernel is the moody one */
};

/* Which of a's offloads are wanted; b has none. */
static void open_pair(struct pair *p, struct moody mood, bool gso, bool gro, bool mmsg)
{
    *p = (struct pair){.mood = mood,
                       .sys = {.setsockopt = moody_setsockopt,
                               .sendmmsg = moody_sendmmsg,
                               .recvmmsg = moody_recvmmsg,
                               .recvmsg = moody_recvmsg,
                               .ctx = &p->mood}};
    struct kith_udp_config cfg = {.gso = gso, .gro = gro, .recvmmsg = mmsg, .sys = &p->sys};
    p->a = lab_open(cfg, "127.0.0.1");
    p->b = lab_open((struct kith_udp_config){0}, "127.0.0.1");
}

static void close_pair(struct pair *p)
{
    lab_close(p->a);
    lab_close(p->b);
}

static const struct moody calm = {.room = ENDLESS, .option = -1};

/* ---- a full buffer ---- */

enum { RUN = 100 * 70 + 30, SEGMENT = 100, DATAGRAMS = 71 };

/* Sends the runs with room for `room` messages at a time until all are taken. Each datagram arrives
 * once, in order, and there are as many pauses as full buffers. */
static void send_in_portions(bool gso, size_t room)
{
    static uint8_t data[3 * RUN];
    struct pair p;
    size_t taken = 0, pauses = 0;

    open_pair(&p, calm, gso, false, true);
    lab_fill(data, sizeof data);
    struct kith_tx runs[3];
    for (size_t i = 0; i < 3; i++)
        runs[i] = lab_run(&p.b->at, data + i * RUN, RUN, SEGMENT);
    while (taken < 3) {
        p.mood.room = room;
        size_t n = lab_send(p.a, runs + taken, 3 - taken);
        taken += n;
        pauses += taken < 3;
        assert_true(pauses < 4 * DATAGRAMS); /* it gets somewhere */
    }
    assert_int_equal(kith_udp_counters(p.a->u)->send_full, pauses);
    p.mood.room = ENDLESS;
    lab_send_text(p.a, &p.b->at, "last");
    lab_receive(p.b, 3 * DATAGRAMS + 1);
    assert_memory_equal(p.b->in.bytes, data, sizeof data);
    lab_expect_text(p.b, "last");
    assert_int_equal(kith_udp_counters(p.a->u)->datagrams_out, 3 * DATAGRAMS + 1);
    assert_int_equal(kith_udp_counters(p.a->u)->send_errors, 0);
    close_pair(&p);
}

static void a_full_buffer_delays_and_neither_loses_nor_repeats(void **state)
{
    (void)state;
    for (size_t room = 1; room < 80; room++) {
        send_in_portions(true, room);
        send_in_portions(false, room);
    }
}

static void a_full_buffer_takes_nothing(void **state)
{
    (void)state;
    static const uint8_t data[RUN];
    struct pair p;

    open_pair(&p, calm, true, false, true);
    p.mood.room = 0;
    struct kith_tx run = lab_run(&p.b->at, data, RUN, SEGMENT);
    assert_int_equal(lab_send(p.a, &run, 1), 0);
    assert_int_equal(lab_send(p.a, &run, 1), 0);
    assert_int_equal(kith_udp_counters(p.a->u)->send_full, 2);
    assert_int_equal(kith_udp_counters(p.a->u)->datagrams_out, 0);
    assert_int_equal(p.a->events[KITH_EV_send_failed], 0);
    close_pair(&p);
}

static void another_run_in_the_memory_of_a_half_sent_one_is_sent_whole(void **state)
{
    (void)state;
    static uint8_t data[RUN];
    struct pair p;

    open_pair(&p, calm, false, false, true);
    p.mood.room = 40;
    struct kith_tx run = lab_run(&p.b->at, data, RUN, SEGMENT);
    assert_int_equal(lab_send(p.a, &run, 1), 0);
    lab_receive(p.b, 40);
    lab_clear(p.b);
    lab_fill(data, RUN);
    p.mood.room = ENDLESS;
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    lab_receive(p.b, DATAGRAMS);
    assert_memory_equal(p.b->in.bytes, data, RUN);
    close_pair(&p);
}

/* ---- offloads refused ---- */

static void gso_refused_when_sending_goes_off_for_good(void **state)
{
    (void)state;
    static const int codes[] = {EIO, EINVAL, ENOPROTOOPT};
    static uint8_t data[RUN];

    lab_fill(data, RUN);
    for (size_t i = 0; i < KITH_COUNT(codes); i++) {
        struct moody mood = calm;
        struct pair p;
        mood.gso = codes[i];
        open_pair(&p, mood, true, false, true);
        struct kith_tx runs[2] = {lab_run(&p.b->at, data, 7, 7),
                                  lab_run(&p.b->at, data, RUN, SEGMENT)};
        assert_int_equal(lab_send(p.a, runs, 2), 2);
        assert_int_equal(lab_send(p.a, &runs[1], 1), 1);
        lab_receive(p.b, 1 + 2 * DATAGRAMS);
        assert_memory_equal(p.b->in.bytes + 7, data, RUN);
        assert_memory_equal(p.b->in.bytes + 7 + RUN, data, RUN);
        assert_int_equal(p.a->events[KITH_EV_offload_off], 1);
        assert_string_equal(p.a->why, strerror(codes[i]));
        assert_int_equal(kith_udp_counters(p.a->u)->gso_fallbacks, 1);
        assert_int_equal(kith_udp_counters(p.a->u)->send_errors, 0);
        assert_int_equal(p.mood.offered, DATAGRAMS % KITH_UDP_BATCH);
        close_pair(&p);
    }
}

static void gso_refused_with_a_full_buffer_waits_to_be_judged(void **state)
{
    (void)state;
    static uint8_t data[RUN];
    struct moody mood = calm;
    struct pair p;

    lab_fill(data, RUN);
    mood.gso = EIO;
    for (size_t room = 1; room < 4; room++) {
        open_pair(&p, mood, true, false, true);
        p.mood.room = room;
        struct kith_tx runs[2] = {lab_run(&p.b->at, data, 7, 7),
                                  lab_run(&p.b->at, data, RUN, SEGMENT)};
        size_t taken = lab_send(p.a, runs, 2);
        assert_int_equal(taken, 1);
        p.mood.room = ENDLESS;
        assert_int_equal(lab_send(p.a, runs + taken, 1), 1);
        lab_receive(p.b, 1 + DATAGRAMS);
        assert_memory_equal(p.b->in.bytes + 7, data, RUN);
        close_pair(&p);
    }
}

static void options_unknown_to_the_kernel_turn_their_offload_off(void **state)
{
    (void)state;
    static const int options[] = {UDP_SEGMENT, UDP_GRO};
    static uint8_t data[RUN];

    lab_fill(data, RUN);
    for (size_t i = 0; i < KITH_COUNT(options); i++) {
        struct moody mood = calm;
        struct pair p;
        mood.option = options[i];
        mood.gso = options[i] == UDP_SEGMENT ? EIO : 0;
        open_pair(&p, mood, true, true, true);
        assert_int_equal(p.a->events[KITH_EV_offload_off], 1);
        struct kith_tx there = lab_run(&p.b->at, data, RUN, SEGMENT);
        struct kith_tx back = lab_run(&p.a->at, data, RUN, SEGMENT);
        assert_int_equal(lab_send(p.a, &there, 1), 1);
        assert_int_equal(lab_send(p.b, &back, 1), 1);
        lab_receive(p.a, DATAGRAMS);
        lab_receive(p.b, DATAGRAMS);
        lab_expect_run(p.a, data, RUN, SEGMENT);
        lab_expect_run(p.b, data, RUN, SEGMENT);
        assert_int_equal(kith_udp_counters(p.a->u)->gso_fallbacks, 0);
        close_pair(&p);
    }
}

static void a_system_without_recvmmsg_reads_singly(void **state)
{
    (void)state;
    struct moody mood = calm;
    struct pair p;

    mood.no_mmsg = true;
    open_pair(&p, mood, false, false, true);
    lab_send_text(p.b, &p.a->at, "one");
    lab_send_text(p.b, &p.a->at, "two");
    lab_receive(p.a, 2);
    lab_expect_text(p.a, "two");
    assert_int_equal(p.a->events[KITH_EV_offload_off], 1);
    close_pair(&p);
}

/* ---- errors of a datagram ---- */

static void an_error_that_goes_on_is_told_once_until_something_goes_again(void **state)
{
    (void)state;
    struct pair p;

    open_pair(&p, calm, true, false, true);
    struct kith_tx run = lab_run(&p.b->at, (const uint8_t *)"word", 4, 4);
    for (int i = 0; i < 20; i++) {
        p.mood.send_once = ENETUNREACH;
        assert_int_equal(lab_send(p.a, &run, 1), 1);
    }
    assert_int_equal(p.a->events[KITH_EV_send_failed], 1);
    p.mood.send_once = EPERM; /* another trouble */
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    assert_int_equal(p.a->events[KITH_EV_send_failed], 2);
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    p.mood.send_once = EPERM;
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    assert_int_equal(p.a->events[KITH_EV_send_failed], 3);
    assert_int_equal(kith_udp_counters(p.a->u)->send_errors, 22);
    close_pair(&p);
}

static void every_transient_error_costs_one_message_and_no_more(void **state)
{
    (void)state;
    static const int codes[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, ENOBUFS,
                                ENOMEM,       EPERM,        EACCES,      EINVAL,   EMSGSIZE};
    struct pair p;

    open_pair(&p, calm, true, false, true);
    for (size_t i = 0; i < KITH_COUNT(codes); i++) {
        struct kith_tx runs[2] = {lab_run(&p.b->at, (const uint8_t *)"lost", 4, 4),
                                  lab_run(&p.b->at, (const uint8_t *)"come", 4, 4)};
        p.mood.send_once = codes[i];
        lab_clear(p.b);
        assert_int_equal(lab_send(p.a, runs, 2), 2);
        lab_receive(p.b, 1);
        lab_expect_text(p.b, "come");
        assert_int_equal(kith_udp_counters(p.a->u)->send_errors, i + 1);
        bool told = codes[i] != EMSGSIZE; /* the answer to a probe of the path, the last here */
        assert_int_equal(p.a->events[KITH_EV_send_failed], told ? i + 1 : i);
        if (told)
            assert_string_equal(p.a->why, strerror(codes[i]));
    }
    assert_int_equal(kith_udp_counters(p.a->u)->too_big, 1);
    assert_int_equal(kith_udp_counters(p.a->u)->gso_fallbacks, 0);
    close_pair(&p);
}

/* What Linux says of a source address that was taken away while it was in use. */
static void an_address_that_is_gone_is_called_that(void **state)
{
    (void)state;
    struct pair p;

    open_pair(&p, calm, true, false, true);
    struct kith_tx run = lab_run(&p.b->at, (const uint8_t *)"lost", 4, 4);
    p.mood.send_once = EINVAL;
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    assert_string_equal(p.a->why, strerror(EINVAL)); /* it may leave from anywhere */
    run.path.local = p.a->at;
    p.mood.send_once = EPERM; /* so that the same error is told again */
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    p.mood.send_once = EINVAL;
    assert_int_equal(lab_send(p.a, &run, 1), 1);
    assert_string_equal(p.a->why, "the address it was to leave from is gone");
    close_pair(&p);
}

static void an_interrupted_send_is_made_again(void **state)
{
    (void)state;
    struct pair p;

    open_pair(&p, calm, true, false, true);
    p.mood.send_once = EINTR;
    lab_send_text(p.a, &p.b->at, "come");
    lab_receive(p.b, 1);
    assert_int_equal(kith_udp_counters(p.a->u)->send_errors, 0);
    close_pair(&p);
}

static void an_error_reported_when_reading_does_not_hide_what_waits(void **state)
{
    (void)state;
    static const int codes[] = {ECONNREFUSED, EHOSTUNREACH, ENOMEM, EMSGSIZE};

    for (int mmsg = 0; mmsg < 2; mmsg++) {
        struct pair p;
        open_pair(&p, calm, false, false, mmsg != 0);
        for (size_t i = 0; i < KITH_COUNT(codes); i++) {
            p.mood.read_once = codes[i];
            lab_send_text(p.b, &p.a->at, "come");
            lab_wait_readable(p.a); /* one receive meets the error and what is behind it */
            assert_int_equal(p.a->in.datagrams, i + 1);
            assert_int_equal(kith_udp_counters(p.a->u)->recv_errors, i + 1);
        }
        close_pair(&p);
    }
}

static void a_socket_beyond_use_is_reported(void **state)
{
    (void)state;
    struct pair p;
    int fd;

    open_pair(&p, calm, false, false, true);
    assert_int_equal(kith_udp_fds(p.a->u, &fd, 1), 1);
    p.mood.read_once = EBADF;
    assert_int_equal(kith_udp_receive(p.a->u, fd, lab_take, &p.a->in), KITH_E_IO);
    assert_int_equal(kith_udp_receive(p.a->u, fd, lab_take, &p.a->in), KITH_OK);
    close_pair(&p);
}

/* ---- the kernel itself ---- */

/* Enters a network namespace of our own; returns the way back, or skips. */
static int enter_own_network(void)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (home < 0 || unshare(CLONE_NEWNET) != 0) {
        print_message("skipped: no network namespace of our own: %s\n", strerror(errno));
        if (home >= 0)
            close(home);
        skip();
    }
    return home;
}

static void go_home(int home)
{
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    close(home);
}

static struct sockaddr_in in4(const char *ip)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct kith_addr a = lab_addr(ip);

    memcpy(&sa.sin_addr, a.ip.b, 4);
    return sa;
}

/* Gives the interface an address, if any, and an MTU, and switches it on. */
static void bring_up(const char *name, const char *ip, int mtu)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = {0};

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (ip != NULL) {
        struct sockaddr_in sa = in4(ip);
        memcpy(&r.ifr_addr, &sa, sizeof sa);
        assert_int_equal(ioctl(s, SIOCSIFADDR, &r), 0);
        sa = in4("255.255.255.0");
        memcpy(&r.ifr_netmask, &sa, sizeof sa);
        assert_int_equal(ioctl(s, SIOCSIFNETMASK, &r), 0);
    }
    r.ifr_mtu = mtu;
    assert_int_equal(ioctl(s, SIOCSIFMTU, &r), 0);
    r.ifr_flags = IFF_UP | IFF_RUNNING;
    assert_int_equal(ioctl(s, SIOCSIFFLAGS, &r), 0);
    close(s);
}

static void above_the_mtu_of_the_interface_nothing_is_fragmented(void **state)
{
    (void)state;
    static const uint8_t data[12000];
    int home = enter_own_network();

    bring_up("lo", NULL, 1500);
    struct lab_end *a = lab_open(kith_udp_config_default, "127.0.0.1");
    struct lab_end *b = lab_open(kith_udp_config_default, "127.0.0.1");
    go_home(home);
    /* 1500 less the headers of IPv4 and UDP are 1472. */
    struct kith_tx runs[] = {lab_run(&b->at, data, 1473, 1473), lab_run(&b->at, data, 1472, 1472),
                             lab_run(&b->at, data, 3 * 1473, 1473),
                             lab_run(&b->at, data, 3 * 1472, 1472)};
    assert_int_equal(lab_send(a, runs, 4), 4);
    lab_receive(b, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(b->in.size[i], 1472);
    assert_int_equal(kith_udp_counters(a->u)->too_big, 4);
    assert_int_equal(kith_udp_counters(a->u)->gso_fallbacks, 0);
    lab_close(a);
    lab_close(b);
}

/* A tap interface: what is sent to a neighbour it does not know waits, in the sender's buffer. */
static int open_tap(void)
{
    struct ifreq r = {.ifr_name = "kithtap", .ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void introduce_neighbour(const char *ip)
{
    struct arpreq r = {.arp_flags = ATF_PERM | ATF_COM, .arp_dev = "kithtap"};
    struct sockaddr_in sa = in4(ip);
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(&r.arp_pa, &sa, sizeof sa);
    r.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(r.arp_ha.sa_data, "\x02\0\0\0\0\x02", 6);
    assert_int_equal(ioctl(s, SIOCSARP, &r), 0);
    close(s);
}

/* The payload of the next UDP datagram that leaves through the tap. */
static size_t next_frame(int tap, uint8_t *payload, size_t cap)
{
    enum { HEADERS = 14 + 20 + 8 }; /* Ethernet, IPv4 without options, UDP */
    uint8_t frame[2000];

    for (;;) {
        struct pollfd p = {.fd = tap, .events = POLLIN};
        assert_int_equal(poll(&p, 1, LAB_WAIT_MS), 1);
        ssize_t n = read(tap, frame, sizeof frame);
        assert_true(n > 0);
        if (n <= HEADERS || frame[12] != 0x08 || frame[13] != 0 || frame[14 + 9] != IPPROTO_UDP)
            continue; /* ARP, IPv6 */
        size_t len = (size_t)n - HEADERS;
        assert_true(len <= cap);
        memcpy(payload, frame + HEADERS, len);
        return len;
    }
}

static void a_really_full_buffer_goes_on_where_it_stopped(void **state)
{
    (void)state;
    enum { N = 60, SIZE = 1000 };
    static uint8_t data[N * SIZE], got[N * SIZE + SIZE];
    size_t taken = 0, len = 0, rounds = 0;
    int home = enter_own_network(), tap = open_tap();

    if (tap < 0) {
        go_home(home);
        print_message("skipped: no tap interface\n");
        skip();
    }
    bring_up("kithtap", "198.51.100.1", 1500);
    struct kith_udp_config cfg = {.buffer_bytes = 1, .recvmmsg = true}; /* the least there is */
    struct lab_end *a = lab_open(cfg, "0.0.0.0");
    struct kith_addr to = lab_addr("198.51.100.2");
    to.port = 9;
    lab_fill(data, sizeof data);
    struct kith_tx run = lab_run(&to, data, sizeof data, SIZE);

    assert_int_equal(lab_send(a, &run, 1), 0);
    assert_int_equal(kith_udp_counters(a->u)->send_full, 1);
    assert_in_range(kith_udp_counters(a->u)->datagrams_out, 1, N - 1);
    introduce_neighbour("198.51.100.2");
    for (; len < sizeof data; len += next_frame(tap, got + len, SIZE))
        if (taken == 0 && rounds++ < 4 * N)
            taken = lab_send(a, &run, 1);
    assert_int_equal(taken, 1);
    assert_memory_equal(got, data, sizeof data);
    assert_int_equal(kith_udp_counters(a->u)->datagrams_out, N);
    lab_close(a);
    close(tap);
    go_home(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_delays_and_neither_loses_nor_repeats),
        cmocka_unit_test(a_full_buffer_takes_nothing),
        cmocka_unit_test(another_run_in_the_memory_of_a_half_sent_one_is_sent_whole),
        cmocka_unit_test(gso_refused_when_sending_goes_off_for_good),
        cmocka_unit_test(gso_refused_with_a_full_buffer_waits_to_be_judged),
        cmocka_unit_test(options_unknown_to_the_kernel_turn_their_offload_off),
        cmocka_unit_test(a_system_without_recvmmsg_reads_singly),
        cmocka_unit_test(every_transient_error_costs_one_message_and_no_more),
        cmocka_unit_test(an_error_that_goes_on_is_told_once_until_something_goes_again),
        cmocka_unit_test(an_address_that_is_gone_is_called_that),
        cmocka_unit_test(an_interrupted_send_is_made_again),
        cmocka_unit_test(an_error_reported_when_reading_does_not_hide_what_waits),
        cmocka_unit_test(a_socket_beyond_use_is_reported),
        cmocka_unit_test(above_the_mtu_of_the_interface_nothing_is_fragmented),
        cmocka_unit_test(a_really_full_buffer_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
