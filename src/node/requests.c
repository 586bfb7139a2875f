/* requests.c: what people ask of an admin: invitations, revocations, more admins. */
#include "node/internal.h"

static int need_issuer(const struct kith_node *n, const struct node_network *net, kith_wall now,
                       struct kith_node_why *why)
{
    if (issue_may(n, net, now))
        return KITH_OK;
    return node_say(why, KITH_E_NOTADMIN, "ask an admin of the network, or become one",
                    "this node is no admin of %s", net->name);
}

static int need_root(const struct node_network *net, struct kith_node_why *why)
{
    if (net->root.key != NULL)
        return KITH_OK;
    return node_say(why, KITH_E_NOTADMIN,
                    "run it where the network was created, or restore a backup",
                    "this node does not hold the root key of %s", net->name);
}

/* ---- invitations ---- */

static int encode_groups(const struct kith_invite *invite, uint8_t *buf, size_t cap,
                         size_t *ret_len)
{
    struct kith_writer w = kith_writer_on(buf, cap);

    for (size_t i = 0; i < invite->n_groups; i++) {
        struct kith_group_item item = {.name = kith_span_text(invite->groups[i])};
        kith_group_item_put(&w, &item);
    }
    return kith_writer_done(&w, ret_len);
}

static int check_invite(const struct kith_invite *invite, struct kith_node_why *why)
{
    if (invite->name != NULL && !kith_label_valid(kith_span_text(invite->name)))
        return node_say(why, KITH_E_INVAL, "use a-z, 0-9 and hyphens inside, 63 at most",
                        "\"%s\" cannot be a member's name", invite->name);
    if (invite->n_groups > KITH_NODE_GROUPS_MAX)
        return node_say(why, KITH_E_INVAL, "", "a member has at most %d groups",
                        KITH_NODE_GROUPS_MAX);
    for (size_t i = 0; i < invite->n_groups; i++)
        if (!kith_label_valid(kith_span_text(invite->groups[i])))
            return node_say(why, KITH_E_INVAL, "use a-z, 0-9 and hyphens inside, 63 at most",
                            "\"%s\" cannot be a group's name", invite->groups[i]);
    if (invite->uses == 0 || invite->valid == 0)
        return node_say(why, KITH_E_INVAL, "", "a ticket needs at least one use and some time");
    return KITH_OK;
}

static int store_ticket(struct kith_node *n, const struct node_network *net,
                        const struct kith_invite *invite, const struct kith_ticket *t,
                        struct kith_now now)
{
    uint8_t groups[KITH_NODE_GROUPS_MAX * (KITH_LABEL_MAX + 1)];
    struct kith_store_ticket row = {
        .expires = t->expires, .uses_left = invite->uses, .created = now.wall};
    struct kith_ticket_id id;
    uint64_t removed;
    int err = kith_ticket_id(&t->secret, &id);

    if (err >= 0)
        err = encode_groups(invite, groups, sizeof groups, &row.groups.n);
    if (err < 0)
        return err;
    row.groups.p = groups;
    memcpy(row.id, id.b, sizeof row.id);
    memcpy(row.network, net->id.b, sizeof row.network);
    memcpy(row.secret, t->secret.b, sizeof row.secret);
    if (invite->name != NULL)
        kith_format(row.name, sizeof row.name, "%s", invite->name);
    /* peers that ask again are still answered for a month */
    if (now.wall > KITH_CERT_VALID)
        (void)!kith_store_ticket_remove_expired(n->store, now.wall - KITH_CERT_VALID, &removed);
    err = kith_store_ticket_add(n->store, &row);
    kith_wipe(&row, sizeof row);
    return err;
}

int kith_node_invite(struct kith_node *n, const struct kith_invite *invite, struct kith_now now,
                     char *buf, size_t cap, struct kith_network_info *ret_network,
                     kith_wall *ret_expires, struct kith_node_why *why)
{
    struct kith_addr own[8];
    uint8_t addrs[8 * 19];
    struct kith_writer w = kith_writer_on(addrs, sizeof addrs);
    struct node_network *net;
    int err = network_find(n, invite->network, &net, why);

    if (err >= 0)
        err = need_issuer(n, net, now.wall, why);
    if (err >= 0)
        err = check_invite(invite, why);
    if (err < 0)
        return err;
    struct kith_ticket t = {.version = KITH_TICKET_VERSION,
                            .network = net->id,
                            .issuer = n->identity->id,
                            .expires = now.wall + invite->valid,
                            .network_name = kith_span_text(net->name)};
    if (invite->name != NULL)
        t.name = kith_span_text(invite->name);
    kith_random_fill(n->env->random, t.secret.b, sizeof t.secret.b);
    t.addrs.n = (uint16_t)endpoints_own(n, own, KITH_COUNT(own));
    if (t.addrs.n == 0) {
        kith_wipe(&t.secret, sizeof t.secret);
        return node_say(why, KITH_E_UNREACHABLE, "connect this machine to a network first",
                        "nobody could reach this node: it has no address");
    }
    for (size_t i = 0; i < t.addrs.n; i++)
        kith_addr_item_put(&w, &(struct kith_addr_item){.addr = own[i]});
    t.addrs.bytes.p = addrs;
    err = kith_writer_done(&w, &t.addrs.bytes.n);
    if (err >= 0)
        err = kith_ticket_text(&t, buf, cap);
    if (err >= 0)
        err = store_ticket(n, net, invite, &t, now);
    kith_wipe(&t.secret, sizeof t.secret);
    if (err < 0) {
        kith_wipe(buf, cap);
        return node_say(why, err, "", "cannot make a ticket: %s", kith_err_text(err));
    }
    *ret_expires = t.expires;
    ask_network(n, net, now.wall, ret_network);
    return KITH_OK;
}

/* ---- members and admins ---- */

static int find_in(struct kith_node *n, const char *member, const char *network,
                   struct kith_now now, struct kith_member_info *ret, struct node_network **ret_net,
                   struct kith_node_why *why)
{
    int err = kith_node_find_member(n, member, network, now.wall, ret, why);

    if (err >= 0)
        *ret_net = network_by_id(n, &ret->network);
    return err;
}

int kith_node_revoke(struct kith_node *n, const char *member, const char *network,
                     struct kith_now now, struct kith_member_info *ret, struct kith_node_why *why)
{
    struct node_network *net;
    int err = find_in(n, member, network, now, ret, &net, why);

    if (err >= 0)
        err = need_issuer(n, net, now.wall, why);
    if (err >= 0 && ret->self)
        err = node_say(why, KITH_E_INVAL, "kith network leave NAME leaves a network",
                       "this is the node's own name");
    if (err >= 0 && ret->admin)
        err = need_root(net, why);
    if (err < 0)
        return err;
    err = issue_revoke(n, net, &ret->peer, ret->admin, now);
    return err < 0 ? node_say(why, err, "", "cannot revoke: %s", kith_err_text(err)) : err;
}

int kith_node_admin_add(struct kith_node *n, const char *member, const char *network,
                        struct kith_now now, struct kith_member_info *ret,
                        struct kith_node_why *why)
{
    struct node_network *net;
    int err = find_in(n, member, network, now, ret, &net, why);

    if (err >= 0)
        err = need_root(net, why);
    if (err >= 0 && (ret->admin || ret->self))
        err = node_say(why, KITH_E_EXISTS, "", "%s is an admin already", ret->name);
    if (err < 0)
        return err;
    err = office_appoint(n, net, &ret->peer, now.wall + KITH_ADMIN_VALID, now);
    if (err < 0)
        return node_say(why, err, "", "cannot appoint %s: %s", ret->name, kith_err_text(err));
    ret->admin = true;
    return KITH_OK;
}

int kith_node_admin_remove(struct kith_node *n, const char *member, const char *network,
                           struct kith_now now, struct kith_member_info *ret,
                           struct kith_node_why *why)
{
    struct node_network *net;
    int err = find_in(n, member, network, now, ret, &net, why);

    if (err >= 0)
        err = need_root(net, why);
    if (err >= 0 && ret->self)
        err = node_say(why, KITH_E_INVAL, "",
                       "%s holds the root key: it is an admin for as long as it does", ret->name);
    else if (err >= 0 && !ret->admin)
        err = node_say(why, KITH_E_NOTFOUND, "kith members shows who is", "%s is no admin",
                       ret->name);
    if (err < 0)
        return err;
    err = office_appoint(n, net, &ret->peer, now.wall, now); /* an office that ends now */
    if (err < 0)
        return node_say(why, err, "", "cannot dismiss %s: %s", ret->name, kith_err_text(err));
    ret->admin = false;
    return KITH_OK;
}
