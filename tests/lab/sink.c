/* What a flood costs whoever receives it, for tests/lab/siege.sh: takes every datagram that comes,
 * as many in one call as a node does, and looks at none.
 *
 *     sink PORT SECONDS
 *
 * Prints "ready" when it listens and at the end how many came and the milliseconds of processor
 * time that took, the kernel's included. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BATCH = 32,
    LARGEST = 2048, /* bytes */
    SECONDS_MAX = 60,
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static long clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long used_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die("listening");
    return fd;
}

static unsigned long take(int fd)
{
    static char data[BATCH][LARGEST];
    static struct sockaddr_in from[BATCH];
    struct iovec iov[BATCH];
    struct mmsghdr msg[BATCH];
    unsigned long all = 0;

    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){.iov_base = data[i], .iov_len = LARGEST};
            msg[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
                                                  .msg_namelen = sizeof from[i],
                                                  .msg_iov = &iov[i],
                                                  .msg_iovlen = 1}};
        }
        int n = recvmmsg(fd, msg, BATCH, 0, NULL);
        if (n < 0 && errno != EAGAIN)
            die("receiving");
        if (n <= 0)
            return all;
        all += (unsigned long)n;
    }
}

int main(int argc, char **argv)
{
    long port = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long seconds = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    unsigned long came = 0;

    if (port < 1 || port > 65535 || seconds < 1 || seconds > SECONDS_MAX) {
        fprintf(stderr, "usage: sink PORT SECONDS\n");
        return 2;
    }
    struct pollfd p = {.fd = listen_on((uint16_t)port), .events = POLLIN};
    long end = clock_ms() + seconds * 1000, now;
    puts("ready");
    fflush(stdout);
    while ((now = clock_ms()) < end)
        if (poll(&p, 1, (int)(end - now)) > 0)
            came += take(p.fd);
    printf("%lu %ld\n", came, used_ms());
    return 0;
}
