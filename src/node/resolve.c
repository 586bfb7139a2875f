/* resolve.c: whom a text means: a member by any of its names, or whoever a destination leads to.
 * Test: tests/sim/resolve_test.c. */
#include "node/internal.h"

/* The member of the network that announced a service with this destination, and the service. */
static bool announcer_of(const struct kith_node *n, const struct node_network *net,
                         const struct kith_destination *d, kith_wall now,
                         struct kith_service_info *ret)
{
    struct kith_service_walk at = {.member = 0};
    struct kith_service_info s;

    while (kith_node_next_service(n, &net->id, &at, now, &s)) {
        if (kith_destination_equal(&s.destination, d)) {
            *ret = s;
            return true;
        }
    }
    return false;
}

/* Whoever the destination leads to in this network. */
static bool find_in(const struct kith_node *n, const struct node_network *net,
                    const struct kith_destination *d, kith_wall now, struct kith_resolved *ret)
{
    const struct node_peer *p = mesh_peer(n, d); /* this node is among them */
    const struct kith_peer_id *peer = p == NULL ? NULL : &p->id;
    struct kith_service_info s = {.name = KITH_SERVICE_SELF};
    struct kith_member m;

    if (peer == NULL && announcer_of(n, net, d, now, &s))
        peer = &s.peer;
    if (peer == NULL || !kith_netview_member(net->view, peer, now, &m) ||
        m.standing != KITH_STANDING_MEMBER)
        return false;
    *ret = (struct kith_resolved){.destination = *d};
    memcpy(ret->service, s.name, sizeof ret->service);
    ask_member(n, net, &m, now, &ret->member);
    return true;
}

/* `why` and KITH_E_NOTFOUND, which it returns, are the answer so far: that it is no member's name.
 */
static int find_destination(const struct kith_node *n, const struct kith_destination *d,
                            const char *network, kith_wall now, struct kith_resolved *ret,
                            struct kith_node_why *why)
{
    char text[KITH_DESTINATION_TEXT];
    bool any = false;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        if (!net->used || (network != NULL && strcmp(net->name, network) != 0))
            continue;
        any = true;
        if (find_in(n, net, d, now, ret))
            return KITH_OK;
    }
    if (!any)
        return KITH_E_NOTFOUND; /* the network is the trouble, as it was for the name */
    return node_say(
        why, KITH_E_NOTFOUND, "kith members and kith services show who and what there is",
        "no member%s%s and no service of one has the destination %s", network == NULL ? "" : " of ",
        network == NULL ? "" : network, kith_destination_text(d, text, sizeof text));
}

int kith_node_resolve(const struct kith_node *n, const char *text, const char *network,
                      kith_wall now, struct kith_resolved *ret, struct kith_node_why *why)
{
    struct kith_resolved found = {.service = KITH_SERVICE_SELF};
    struct kith_destination d;
    int err = kith_node_find_member(n, text, network, now, &found.member, why);

    if (err == KITH_E_NOTFOUND && kith_destination_parse(text, &d) == KITH_OK)
        return find_destination(n, &d, network, now, ret, why);
    if (err < 0)
        return err;
    err =
        kith_destination(&found.member.peer, kith_span_text(KITH_SERVICE_SELF), &found.destination);
    if (err < 0)
        return node_say(why, err, "", "its destination cannot be computed: %s", kith_err_text(err));
    *ret = found;
    return KITH_OK;
}
