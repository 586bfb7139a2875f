/* udp_flow.c: a steady flow of UDP datagrams, and who counts them; for vpn.sh.
 *
 *   udp_flow receive ADDRESS PORT                      for ever; answers each end of a flow
 *   udp_flow send ADDRESS PORT RATE BYTES SECONDS      prints "sent received seconds"
 *
 * The sender pays attention to the clock every 32 datagrams, so that it asks for RATE a second and
 * no more, however late it wakes up. The last datagrams of a flow carry its count; the receiver
 * answers each of them with how many of that flow have come. Plain sockets, no offload: what an
 * ordinary program does. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32, BYTES_MAX = 9000, ENDS = 20, BUFFER = 7 << 20 };

struct head {       /* at the start of every datagram; both ends run on one machine */
    uint64_t flow;  /* which */
    uint64_t end;   /* 0, or: this is an end, and so many were sent before it */
    uint64_t count; /* in answers: how many came */
};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int socket_to(const char *address, const char *port, int receives)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int size = BUFFER, fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
        die("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if ((receives ? bind(fd, (struct sockaddr *)&to, sizeof to)
                  : connect(fd, (struct sockaddr *)&to, sizeof to)) < 0)
        die(receives ? "bind" : "connect");
    return fd;
}

static void make_messages(struct mmsghdr *m, struct iovec *iov, uint8_t (*data)[BYTES_MAX],
                          size_t bytes)
{
    for (size_t i = 0; i < BURST; i++) {
        iov[i] = (struct iovec){.iov_base = data[i], .iov_len = bytes};
        m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
    }
}

static int receive(int fd)
{
    static uint8_t data[BURST][BYTES_MAX];
    struct mmsghdr m[BURST];
    struct iovec iov[BURST];
    struct sockaddr_in from[BURST];
    struct head h = {0};
    uint64_t flow = 0, count = 0;

    make_messages(m, iov, data, BYTES_MAX);
    for (;;) {
        for (size_t i = 0; i < BURST; i++) {
            m[i].msg_hdr.msg_name = &from[i];
            m[i].msg_hdr.msg_namelen = sizeof from[i];
        }
        int n = recvmmsg(fd, m, BURST, MSG_WAITFORONE, NULL);
        if (n < 0 && errno != EINTR)
            die("recvmmsg");
        for (int i = 0; i < n; i++) {
            if (m[i].msg_len < sizeof h)
                continue;
            memcpy(&h, data[i], sizeof h);
            if (h.flow != flow) {
                flow = h.flow;
                count = 0;
            }
            count += h.end == 0;
            h.count = count;
            if (h.end != 0)
                (void)sendto(fd, &h, sizeof h, 0, (struct sockaddr *)&from[i], sizeof from[i]);
        }
    }
}

/* Sends until the time is over; returns how many. */
static uint64_t flow_out(int fd, uint64_t flow, double rate, size_t bytes, double seconds)
{
    static uint8_t data[BURST][BYTES_MAX];
    struct mmsghdr m[BURST];
    struct iovec iov[BURST];
    struct head h = {.flow = flow};
    double start = now(), t;
    uint64_t sent = 0;

    make_messages(m, iov, data, bytes);
    for (size_t i = 0; i < BURST; i++)
        memcpy(data[i], &h, sizeof h);
    while ((t = now() - start) < seconds) {
        if ((double)sent + BURST > t * rate) {
            struct timespec nap = {.tv_nsec = 50000};
            (void)nanosleep(&nap, NULL);
            continue;
        }
        int n = sendmmsg(fd, m, BURST, 0);
        if (n > 0)
            sent += (uint64_t)n;
        else if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR && errno != ECONNREFUSED)
            die("sendmmsg");
    }
    return sent;
}

/* Asks how many came; the last word counts. */
static uint64_t flow_end(int fd, uint64_t flow, uint64_t sent)
{
    struct head h;
    struct timeval patience = {.tv_usec = 50000};
    uint64_t received = 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < ENDS; i++) {
        h = (struct head){.flow = flow, .end = sent};
        (void)!write(fd, &h, sizeof h);
        if (read(fd, &h, sizeof h) == sizeof h && h.flow == flow && h.count > received)
            received = h.count;
    }
    return received;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "receive") == 0)
        return receive(socket_to(argv[2], argv[3], 1));
    if (argc != 7 || strcmp(argv[1], "send") != 0)
        return 2;
    int fd = socket_to(argv[2], argv[3], 0);
    uint64_t flow = (uint64_t)(now() * 1e9);
    double seconds = atof(argv[6]);
    size_t bytes = (size_t)atoi(argv[5]);
    if (bytes < sizeof(struct head) || bytes > BYTES_MAX)
        return 2;
    double start = now();
    uint64_t sent = flow_out(fd, flow, atof(argv[4]), bytes, seconds);
    double took = now() - start;
    printf("%" PRIu64 " %" PRIu64 " %.3f\n", sent, flow_end(fd, flow, sent), took);
    return 0;
}
