/* office.c: admins of a network: whom its root appoints, within which block, and for how long.
 *
 * Whoever holds the root key appoints itself as well, so that others see an admin in it, and
 * renews every office when half its time is over. */
#include "node/internal.h"

#define OFFICE_RENEW (KITH_ADMIN_VALID / 2)

enum { OFFICES_MAX = 64 }; /* more are looked at an hour later */

static unsigned block_of(const struct kith_object *office)
{
    return (unsigned)(office->admin.serial_first >> KITH_SERIAL_BITS);
}

/* Whether a certificate with an address of the office's block may still be valid. */
static bool holds_block(const struct kith_object *office, kith_wall now)
{
    return now < office->admin.not_after + KITH_CERT_VALID;
}

/* The block a peer has or had, else the lowest that is nobody's. Serials only rise, so that one
 * whose block went to another gets a higher one. */
static int choose_block(const struct node_network *net, const struct kith_peer_id *peer,
                        kith_wall now, unsigned *ret, uint64_t *ret_number)
{
    bool used[KITH_BLOCKS] = {[0] = true}; /* the root's own */
    const struct kith_object *o;
    unsigned lowest = 1;
    size_t at = 0;

    *ret_number = 0;
    while ((o = kith_netview_next_office(net->view, &at)) != NULL) {
        unsigned k = block_of(o);
        if (kith_peer_id_equal(&o->admin.peer, peer)) {
            *ret_number = o->env.number;
            lowest = k;
        } else if (k < KITH_BLOCKS && holds_block(o, now)) {
            used[k] = true;
        }
    }
    for (unsigned k = lowest; k < KITH_BLOCKS; k++) {
        if (used[k])
            continue;
        *ret = k;
        return KITH_OK;
    }
    return KITH_E_FULL;
}

int office_appoint(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                   kith_wall until, struct kith_now now)
{
    const struct kith_object *network = kith_netview_network(net->view);
    struct kith_new_admin admin = {.range = network->network.ipv4, .not_after = until};
    uint8_t buf[KITH_CERT_MAX];
    struct kith_member m;
    uint64_t before;
    size_t len;
    int err = kith_netview_member(net->view, peer, now.wall, &m) ? KITH_OK : KITH_E_NOTFOUND;

    if (err >= 0)
        err = kith_public_key_from(m.cert->member.spki, &admin.key);
    if (err >= 0)
        err = choose_block(net, peer, now.wall, &admin.block, &before);
    if (err < 0)
        return err;
    admin.number = kith_issuer_number(before, now.wall);
    err = kith_issue_admin(&net->root, &net->id, &admin, now.wall, buf, sizeof buf, &len);
    return err < 0 ? err : object_promise(n, net, (struct kith_span){buf, len}, now);
}

/* ---- in time ---- */

static void renew(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                  struct kith_now now)
{
    int err = office_appoint(n, net, peer, now.wall + KITH_ADMIN_VALID, now);

    if (err < 0)
        kith_event_office_ending(n->env->events, peer->b, net->name, kith_err_text(err));
    else
        kith_event_admin_appointed(n->env->events, peer->b, net->name, KITH_ADMIN_VALID * KITH_SEC);
}

/* Signed while the calendar here was ahead: others refused it. */
static bool is_early(const struct kith_object *office, kith_wall now)
{
    return office->env.issued > kith_after(now, KITH_WALL_TOLERANCE);
}

/* Offices of members that end soon, or that others do not know of; publishing changes the view, so
 * they are gathered first. */
static size_t ending(const struct node_network *net, kith_wall now, struct kith_peer_id *ret)
{
    const struct kith_object *o;
    size_t at = 0, n = 0;

    while (n < OFFICES_MAX && (o = kith_netview_next_admin(net->view, &at, now)) != NULL)
        if ((o->admin.not_after < now + OFFICE_RENEW || is_early(o, now)) &&
            kith_netview_is_member(net->view, &o->admin.peer, now))
            ret[n++] = o->admin.peer;
    return n;
}

void office_look(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_peer_id peer[OFFICES_MAX];

    if (net->root.key == NULL || kith_netview_network(net->view) == NULL)
        return;
    if (kith_netview_is_member(net->view, &n->identity->id, now.wall) &&
        kith_netview_admin(net->view, &n->identity->id, now.wall) == NULL)
        renew(n, net, &n->identity->id, now);
    size_t count = ending(net, now.wall, peer);
    for (size_t i = 0; i < count; i++)
        renew(n, net, &peer[i], now);
}
