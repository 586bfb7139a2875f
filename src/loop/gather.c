#include "loop/gather.h"

#define LONG_HEADER 0x80 /* of the first byte: a handshake (RFC 8999 5.1) */

/* One of 64. Nobody gains by choosing it. */
static unsigned bucket(const struct kith_addr *a)
{
    uint64_t h = a->port;

    for (size_t i = 0; i < sizeof a->ip.b; i++)
        h = h * 31 + a->ip.b[i];
    return (unsigned)(h * 0x9e3779b97f4a7c15u >> 58);
}

void kith_gather_heard(struct kith_gather *g, const struct kith_rx *run)
{
    g->heard = true;
    if (run->len == 0 || (run->data[0] & LONG_HEADER) != 0)
        return;
    g->sources |= (uint64_t)1 << bucket(&run->path.remote);
    g->runs++;
}

static unsigned in_use(uint64_t buckets)
{
    unsigned n = 0;

    for (; buckets != 0; buckets &= buckets - 1)
        n++;
    return n;
}

kith_dur kith_gather_rest(struct kith_gather *g, kith_time now)
{
    kith_dur length = kith_since(now, g->began);
    bool heard = g->heard;

    g->heard = false;
    if (length >= KITH_GATHER_WINDOW) {
        /* a longer window is one that nobody closed: nothing came for a while */
        g->many = length < 2 * KITH_GATHER_WINDOW && in_use(g->sources) >= KITH_GATHER_SOURCES &&
                  g->runs >= KITH_GATHER_LEAST && g->runs <= KITH_GATHER_MOST;
        g->began = now;
        g->sources = 0;
        g->runs = 0;
    }
    return heard && g->many ? KITH_GATHER_REST : 0;
}
