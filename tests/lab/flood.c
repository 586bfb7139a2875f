/* Strangers by the thousand, for tests/lab/siege.sh: sends first packets of QUIC connections to a
 * node at a steady rate, from its own address or from many that it makes up.
 *
 *     flood halves|noise|mixed SOURCES RATE SECONDS ADDRESS PORT
 *
 * halves: the first of a real ClientHello's two packets, sealed anew under fresh ids; noise: the
 * same with a byte changed; mixed: one and the other. It sends to the laboratory's own addresses
 * only (192.0.2.0/24, RFC 5737), and only inside the laboratory. Prints "ready" when it begins, and
 * last how many it sent. */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "sim/conn_peer.h"
#include "sim/initial_wire.h"

enum {
    READY = 2048, /* packets made beforehand */
    BATCH = 64,   /* sent in one call */
    RATE_MAX = 100000,
    SECONDS_MAX = 60,
    SOURCES_MAX = 65536,
    FROM_PORT = 9000,
};

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    uint8_t data[WIRE_INITIAL];
};

struct flood {
    struct packet *packet; /* READY of them */
    struct wire_hello hello;
    unsigned sources, rate, seconds;
    struct sockaddr_in to;
    unsigned long sent;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static unsigned number(const char *text, unsigned most)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*end != '\0' || n == 0 || n > most) {
        fprintf(stderr, "flood: %s is not from 1 to %u\n", text, most);
        exit(2);
    }
    return (unsigned)n;
}

/* ---- a real ClientHello ---- */

static bool see(void *ctx, const struct kith_addr *from, const struct kith_addr *to, uint8_t *data,
                size_t len)
{
    (void)from, (void)to;
    wire_hello_see(ctx, data, len);
    return false;
}

static void say_hello(struct wire_hello *w)
{
    static struct conn_peer a, b;
    struct sim_net *net = sim_net_new((uint64_t)time(NULL));

    conn_peer_init(&a, net, "192.0.2.1:9000", 1, NULL);
    conn_peer_init(&b, net, "192.0.2.2:9000", 2, NULL);
    sim_net_set_filter(net, see, w);
    conn_peer_dial(&a, &b);
    conn_peer_pump(&a);
    if (wire_hello_len(w) <= WIRE_CRYPTO)
        abort();
    conn_peer_fini(&a);
    conn_peer_fini(&b);
    sim_net_free(net);
}

static void fill_random(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(rand() >> 7); /* ids must differ, no more */
}

static void make_packets(struct flood *f, bool halves, bool noise)
{
    uint8_t dcid[WIRE_ID], scid[WIRE_ID];

    f->packet = calloc(READY, sizeof *f->packet);
    if (f->packet == NULL)
        die("memory");
    for (size_t i = 0; i < READY; i++) {
        struct packet *p = &f->packet[i];
        fill_random(dcid, sizeof dcid);
        fill_random(scid, sizeof scid);
        wire_initial_seal(dcid, scid, 0, 0, f->hello.bytes, WIRE_CRYPTO, p->data);
        if (noise && (!halves || i % 2 == 1))
            p->data[100 + i % 1000] ^= 1;
        p->ip = (struct iphdr){.version = 4,
                               .ihl = 5,
                               .tot_len = htons(sizeof *p),
                               .ttl = 64,
                               .protocol = IPPROTO_UDP,
                               .daddr = f->to.sin_addr.s_addr};
        p->udp = (struct udphdr){.source = htons(FROM_PORT),
                                 .dest = f->to.sin_port,
                                 .len = htons(sizeof *p - sizeof p->ip)};
    }
}

/* ---- sending ---- */

/* From our own address, or the n-th network of 11.0.0.0/8: nobody is there in the laboratory. */
static uint32_t source(const struct flood *f, unsigned long n)
{
    if (f->sources == 1)
        return INADDR_ANY; /* the kernel fills in ours */
    return htonl(0x0b000001u | (uint32_t)(n % f->sources) << 8);
}

static void send_some(struct flood *f, int fd, unsigned n)
{
    struct iovec iov[BATCH];
    struct mmsghdr msg[BATCH] = {{.msg_len = 0}};

    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &f->packet[(f->sent + i) % READY];
        p->ip.saddr = source(f, f->sent + i);
        iov[i] = (struct iovec){.iov_base = p, .iov_len = sizeof *p};
        msg[i].msg_hdr = (struct msghdr){
            .msg_name = &f->to, .msg_namelen = sizeof f->to, .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int done = sendmmsg(fd, msg, n, 0);
    if (done < 0)
        die("sendmmsg");
    f->sent += (unsigned long)done;
}

static void run(struct flood *f)
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    struct timespec at;

    if (fd < 0)
        die("raw socket");
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (unsigned ms = 0; ms < f->seconds * 1000; ms++) {
        unsigned long due = (unsigned long)f->rate * (ms + 1) / 1000;
        while (f->sent < due)
            send_some(f, fd, due - f->sent < BATCH ? (unsigned)(due - f->sent) : BATCH);
        at.tv_nsec += 1000000;
        if (at.tv_nsec >= 1000000000) {
            at.tv_nsec -= 1000000000;
            at.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

int main(int argc, char **argv)
{
    static struct flood f;

    if (argc != 7 || getenv("KITH_LAB") == NULL) {
        fprintf(stderr, "usage, in the laboratory: flood halves|noise|mixed SOURCES RATE SECONDS "
                        "ADDRESS PORT\n");
        return 2;
    }
    bool mixed = strcmp(argv[1], "mixed") == 0;
    f.sources = number(argv[2], SOURCES_MAX);
    f.rate = number(argv[3], RATE_MAX);
    f.seconds = number(argv[4], SECONDS_MAX);
    f.to = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)number(argv[6], 65535))};
    if (inet_pton(AF_INET, argv[5], &f.to.sin_addr) != 1 ||
        (ntohl(f.to.sin_addr.s_addr) & 0xffffff00u) != 0xc0000200u) {
        fprintf(stderr, "flood: %s is not in 192.0.2.0/24\n", argv[5]);
        return 2;
    }
    say_hello(&f.hello);
    make_packets(&f, mixed || strcmp(argv[1], "halves") == 0,
                 mixed || strcmp(argv[1], "noise") == 0);
    puts("ready");
    fflush(stdout);
    run(&f);
    printf("%lu\n", f.sent);
    free(f.packet);
    return 0;
}
