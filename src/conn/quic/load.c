/* load.c: how many strangers are in the middle of a handshake, in all and per source network.
 *
 * A source network is an IPv4 /24 or an IPv6 /48: what one customer of a provider commands. */
#include "conn/quic/internal.h"

static void network_key(const struct kith_path *path, uint8_t key[PREFIX_KEY])
{
    const struct kith_ip *ip = &path->remote.ip;
    struct kith_prefix p = kith_prefix_of(ip, ip->family == KITH_FAMILY_IP4 ? 24 : 48);

    key[0] = p.ip.family;
    memcpy(key + 1, p.ip.b, PREFIX_KEY - 1);
}

/* The map's values are counts, never 0, in the shape of pointers. */
static size_t count_of(const struct kith_quic *q, const uint8_t key[PREFIX_KEY])
{
    return (size_t)(uintptr_t)kith_map_find(&q->prefixes, key);
}

bool load_admits(const struct kith_quic *q, const struct kith_path *path, const char **ret_full)
{
    uint8_t key[PREFIX_KEY];

    network_key(path, key);
    if (q->n_handshakes >= q->cfg.handshakes_max)
        *ret_full = "the table of handshakes";
    else if (q->n_conns >= q->cfg.connections_max)
        *ret_full = "the table of connections";
    else if (count_of(q, key) >= q->cfg.handshakes_per_prefix)
        *ret_full = "its network's share of handshakes";
    else
        return true;
    return false;
}

int load_begin(struct kith_conn *c, const struct kith_path *path)
{
    struct kith_quic *q = c->q;

    network_key(path, c->prefix);
    size_t count = count_of(q, c->prefix) + 1;
    int err = kith_map_put(&q->prefixes, c->prefix, (void *)(uintptr_t)count);
    if (err < 0)
        return err;
    q->n_handshakes++;
    c->counted = true;
    return KITH_OK;
}

void load_end(struct kith_conn *c)
{
    struct kith_quic *q = c->q;

    if (!c->counted)
        return;
    c->counted = false;
    q->n_handshakes--;
    size_t count = count_of(q, c->prefix) - 1;
    if (count == 0)
        (void)kith_map_take(&q->prefixes, c->prefix);
    else if (kith_map_put(&q->prefixes, c->prefix, (void *)(uintptr_t)count) < 0)
        (void)kith_map_take(&q->prefixes, c->prefix); /* replacing takes no memory: not reached */
    if (q->prefixes.n == 0)
        kith_map_fini(&q->prefixes); /* what a flood made it grow to goes with the flood */
}
