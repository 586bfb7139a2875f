/* telling.c: how much of a neighbour's link may go into what it is told of the network.
 *
 * Two of a hundred bytes that the link carries, as far as that was measured: one for routes, half a
 * one each for digests and for requests for newer numbers, so that none of these waits for another.
 * A list is told to its end once it was begun, and paid for afterwards; nothing of its kind begins
 * before it is. What has to wait is not kept: its sender tells it anew, as it is then.
 * Spec: docs/spec/mesh.md 2.11. Test: tests/sim/mesh_telling_test.c. */
#include "node/internal.h"

enum {
    UNKNOWN = 10 * 1000 * 1000, /* bit/s of a link that was not measured */
    LEAST = 1000,               /* bytes a second for all kinds: a slow link learns, too */
    MOST = 40 * 1000,           /* what a neighbour reads (2.7) is 44 kB */
    BURST = 64 * 1024,          /* bytes, of each kind: some hundred members, from the beginning */
    OF_RATE = 8 * 50,           /* bits a byte, and a fiftieth */
};
#define LONG (30 * KITH_SEC) /* a wait that is told of */
#define LONG_COST (60 * KITH_SEC)
#define LONG_BURST 4

/* Of the share of a link, each kind's in quarters. */
static const unsigned quarters[TELLING_KINDS] = {
    [TELLING_ROUTES] = 2, [TELLING_DIGESTS] = 1, [TELLING_REQUESTS] = 1};

/* For one byte. */
static kith_dur cost(const struct node_peer *p, enum telling_kind kind)
{
    uint64_t share = (p->mesh.rate != 0 ? p->mesh.rate : UNKNOWN) / OF_RATE;

    if (share < LEAST)
        share = LEAST;
    if (share > MOST)
        share = MOST;
    return 4 * KITH_SEC / (share * quarters[kind]);
}

kith_time telling_at(const struct node_peer *p, enum telling_kind kind)
{
    const kith_time paid = p->mesh.telling.paid[kind];
    const kith_dur ahead = cost(p, kind) * BURST;

    return paid > ahead ? paid - ahead : 0;
}

bool telling_may(struct kith_node *n, struct node_peer *p, enum telling_kind kind,
                 struct kith_now now)
{
    struct peer_telling *t = &p->mesh.telling;

    if (now.mono >= telling_at(p, kind)) /* spec mesh 2.11 */
        return true;
    n->mesh->telling.late++;
    if (t->waits_since[kind] == 0)
        t->waits_since[kind] = now.mono;
    return false;
}

void telling_told(struct kith_node *n, struct node_peer *p, enum telling_kind kind, size_t bytes,
                  struct kith_now now)
{
    kith_time *paid = &p->mesh.telling.paid[kind];

    n->mesh->telling.bytes += bytes;
    if (*paid <= now.mono)
        p->mesh.telling.waits_since[kind] = 0; /* all is there again */
    *paid = kith_after(*paid > now.mono ? *paid : now.mono, bytes * cost(p, kind));
}

static bool waits_long(const struct node_peer *p, struct kith_now now)
{
    for (size_t i = 0; i < TELLING_KINDS; i++) {
        const kith_time since = p->mesh.telling.waits_since[i];
        if (since != 0 && kith_since(now.mono, since) >= LONG && p->mesh.telling.paid[i] > now.mono)
            return true;
    }
    return false;
}

void telling_tick(struct kith_node *n, struct kith_now now)
{
    for (const struct node_peer *p = NULL; (p = mesh_next_neighbour(n, p)) != NULL;)
        if (waits_long(p, now) &&
            kith_rate_takes(&n->mesh->telling_paid, LONG_COST, 1, LONG_BURST, now.mono))
            kith_event_told_slowly(n->env->events, p->id.b);
}

const struct kith_telling_counters *kith_node_telling_counters(const struct kith_node *n)
{
    return &n->mesh->telling;
}
