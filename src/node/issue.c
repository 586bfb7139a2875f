/* issue.c: what this node signs as a root or an admin: certificates, revocations, member lists,
 * renewals. */
#include "node/internal.h"

#define CLAIM_WITHIN ((kith_wall)JOIN_GREET_SECONDS) /* so long a joiner looks for its issuer */

const struct kith_identity *issue_signer(const struct kith_node *n, const struct node_network *net)
{
    return net->root.key != NULL ? &net->root : n->identity;
}

bool issue_may(const struct kith_node *n, const struct node_network *net, kith_wall now)
{
    return net->root.key != NULL || kith_netview_is_signer(net->view, &n->identity->id, now);
}

void issue_list_soon(struct node_network *net, struct kith_now now)
{
    net->list_at = kith_sooner(net->list_at, kith_after(now.mono, LIST_DELAY));
}

/* The block this node gives addresses from: the root's is block 0. */
static int own_block(const struct kith_node *n, const struct node_network *net, kith_wall now,
                     struct kith_prefix *ret)
{
    const struct kith_object *network = kith_netview_network(net->view);

    if (network == NULL)
        return KITH_E_STATE;
    if (net->root.key != NULL)
        return kith_issuer_block(&network->network.ipv4, 0, ret);
    const struct kith_object *office = kith_netview_admin(net->view, &n->identity->id, now);
    if (office == NULL)
        return KITH_E_NOTADMIN;
    *ret = office->admin.ipv4;
    return KITH_OK;
}

/* ---- the issuer, with the next serial of the store; in a transaction of the caller's ---- */

/* The last place in its series that this node's signer is known to have used, within first to
 * last: it left since, and came back, or its disk is from before (spec objects 5.4). */
static uint64_t last_used(const struct kith_node *n, const struct node_network *net, uint64_t first,
                          uint64_t last)
{
    const struct kith_peer_id *signer = &issue_signer(n, net)->id;
    const struct kith_object *o;
    uint64_t used = 0;
    size_t at = 0;

    while ((o = kith_netview_next_object(net->view, &at)) != NULL) {
        uint64_t place = o->env.kind == KITH_OBJECT_member_body ? o->member.serial : o->env.number;
        bool own =
            kith_peer_id_equal(&o->env.signer, signer) &&
            (o->env.kind == KITH_OBJECT_member_body || o->env.kind == KITH_OBJECT_members_body ||
             o->env.kind == KITH_OBJECT_revocation_body);
        if (own && place >= first && place <= last && place > used)
            used = place;
    }
    return used;
}

static int issuer_open(struct kith_node *n, struct node_network *net, kith_wall now,
                       struct kith_issuer *ret)
{
    uint64_t first = 1, last = 0, serial;

    if (!issue_may(n, net, now))
        return KITH_E_NOTADMIN;
    kith_issuer_serials(0, &first, &last);
    if (net->root.key == NULL) {
        const struct kith_object *office = kith_netview_admin(net->view, &n->identity->id, now);
        if (office == NULL)
            return KITH_E_NOTADMIN;
        first = office->admin.serial_first;
        last = office->admin.serial_last;
    }
    int err = kith_store_serial_next(n->store, net->id.b, &serial);
    if (err < 0)
        return err;
    uint64_t used = last_used(n, net, first, last);
    if (used >= first)
        first = used + 1;
    if (serial < first) { /* the first time in this block, or the first since it came back */
        struct kith_store_network row;
        err = kith_store_network_get(n->store, net->id.b, &row);
        if (err < 0)
            return err;
        row.next_serial = first + 1;
        err = kith_store_network_put(n->store, &row);
        if (err < 0)
            return err;
        serial = first;
    }
    if (serial > last)
        return KITH_E_FULL;
    *ret = (struct kith_issuer){.signer = issue_signer(n, net),
                                .network = net->id,
                                .next_serial = serial,
                                .last_serial = last};
    return KITH_OK;
}

/* ---- who is taken ---- */

struct taken {
    struct kith_node *n;
    struct node_network *net;
    const struct kith_peer_id *peer; /* its own do not count */
    kith_wall now;
};

static bool ip_taken(void *ctx, const struct kith_ip *ip)
{
    const struct taken *t = ctx;
    struct kith_store_lease lease;
    struct kith_member m;
    uint32_t number =
        (uint32_t)ip->b[0] << 24 | (uint32_t)ip->b[1] << 16 | (uint32_t)ip->b[2] << 8 | ip->b[3];

    if (kith_netview_by_ip(t->net->view, ip, t->now, &m) && !kith_peer_id_equal(&m.peer, t->peer))
        return true;
    return kith_store_lease_by_ip4(t->n->store, t->net->id.b, number, &lease) == KITH_OK &&
           t->now < lease.not_after && memcmp(lease.peer, t->peer->b, sizeof lease.peer) != 0;
}

static bool name_taken(void *ctx, struct kith_span name)
{
    const struct taken *t = ctx;
    struct kith_store_lease lease;
    struct kith_member m;
    char text[KITH_LABEL_MAX + 1];

    if (kith_netview_by_name(t->net->view, name, t->now, &m) &&
        !kith_peer_id_equal(&m.peer, t->peer))
        return true;
    kith_format(text, sizeof text, "%.*s", (int)name.n, (const char *)name.p);
    return kith_store_lease_by_name(t->n->store, t->net->id.b, text, &lease) == KITH_OK &&
           t->now < lease.not_after && memcmp(lease.peer, t->peer->b, sizeof lease.peer) != 0;
}

/* ---- certificates ---- */

/* Name and address: those it has, if we may give them again, else new ones. */
static int choose(struct kith_node *n, struct node_network *net, const struct issue_member *m,
                  kith_wall now, struct kith_new_member *ret, char name[KITH_LABEL_MAX + 1])
{
    struct taken t = {.n = n, .net = net, .peer = &m->peer, .now = now};
    const struct kith_object *network = kith_netview_network(net->view);
    struct kith_prefix block;
    struct kith_member old;
    bool known = kith_netview_member(net->view, &m->peer, now, &old);
    int err = own_block(n, net, now, &block);

    if (err < 0)
        return err;
    bool keeps = known && kith_prefix_holds(&block, &old.ip4) && !ip_taken(&t, &old.ip4);
    if (keeps)
        ret->ip4 = old.ip4;
    else
        err = kith_issuer_pick_ip(&network->network.ipv4, &block, ip_taken, &t, &ret->ip4);
    if (err < 0)
        return err;
    ret->number = kith_issuer_number(known ? old.cert->env.number : 0, now);
    struct kith_span wanted = known ? old.cert->member.name : kith_span_text(m->name);
    err = kith_issuer_pick_name(wanted, name_taken, &t, name);
    ret->name = kith_span_text(name);
    return err;
}

static int remember_lease(struct kith_node *n, const struct node_network *net,
                          const struct kith_object *cert, bool claimed, struct kith_now now)
{
    struct kith_store_lease lease = {
        .serial = cert->member.serial, .not_after = cert->member.not_after, .claimed = claimed};
    const uint8_t *b = cert->member.ipv4.b;

    memcpy(lease.peer, cert->member.peer.b, sizeof lease.peer);
    lease.ip4 = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    kith_format(lease.name, sizeof lease.name, "%.*s", (int)cert->member.name.n,
                (const char *)cert->member.name.p);
    return kith_store_lease_put(n->store, net->id.b, &lease, now.wall);
}

void issue_adopt(struct kith_node *n, const struct node_network *net, const struct kith_member *m,
                 struct kith_now now)
{
    struct kith_store_lease lease;
    int err;

    if (m->standing != KITH_STANDING_MEMBER || !issue_may(n, net, now.wall) ||
        !kith_peer_id_equal(&m->cert->env.signer, &issue_signer(n, net)->id))
        return;
    err = kith_store_lease_by_peer(n->store, net->id.b, m->peer.b, &lease);
    if (err == KITH_OK && lease.serial >= m->cert->member.serial)
        return;
    if (err == KITH_OK || err == KITH_E_NOTFOUND)
        err = remember_lease(n, net, m->cert, true, now);
    if (err < 0)
        kith_event_store_failed(n->env->events, "vouch for a member", kith_err_text(err));
}

void issue_adopt_all(struct kith_node *n, const struct node_network *net, struct kith_now now)
{
    struct kith_member m;
    size_t at = 0;

    while (kith_netview_next_member(net->view, &at, now.wall, &m))
        issue_adopt(n, net, &m, now);
}

int issue_cert(struct kith_node *n, struct node_network *net, const struct issue_member *m,
               struct kith_now now, uint8_t *buf, size_t *ret_len, uint64_t *ret_serial,
               char ret_name[KITH_LABEL_MAX + 1])
{
    struct kith_new_member member = {.key = m->key, .groups = m->groups};
    struct kith_issuer is;
    struct kith_object cert;
    int err = choose(n, net, m, now.wall, &member, ret_name);

    if (err >= 0)
        err = issuer_open(n, net, now.wall, &is);
    if (err < 0)
        return err;
    *ret_serial = is.next_serial;
    err = kith_issue_member(&is, &member, now.wall, buf, KITH_CERT_MAX, ret_len);
    if (err >= 0)
        err = kith_object_open((struct kith_span){buf, *ret_len}, &cert);
    if (err >= 0)
        err = remember_lease(n, net, &cert, m->claimed, now);
    if (err >= 0)
        err = object_store(n, net, cert.bytes);
    return err;
}

/* ---- revocations ---- */

int issue_revoke(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                 bool office, struct kith_now now)
{
    struct kith_new_revocation r = {.peer = *peer};
    struct kith_issuer is;
    uint8_t *buf = kith_new_array(n->env->alloc, KITH_OBJECT_MAX, 1);
    size_t len = 0;

    if (buf == NULL)
        return KITH_E_NOMEM;
    if (office) { /* what it signed so far stands */
        const struct kith_object *a = kith_netview_admin(net->view, peer, now.wall);
        r.stands_to = a != NULL ? a->admin.serial_last : 0;
    }
    int err = kith_store_begin(n->store);
    if (err >= 0) {
        err = issuer_open(n, net, now.wall, &is);
        if (err >= 0)
            err = kith_issue_revocation(&is, &r, now.wall, buf, KITH_OBJECT_MAX, &len);
        if (err >= 0)
            err = kith_store_commit(n->store);
        else
            kith_store_rollback(n->store);
    }
    if (err >= 0)
        err = object_promise(n, net, (struct kith_span){buf, len}, now);
    kith_free(n->env->alloc, buf);
    if (err >= 0)
        issue_list_soon(net, now);
    return err;
}

/* ---- members that are no more ---- */

void issue_forget(struct kith_node *n, struct node_network *net, const struct kith_peer_id *peer,
                  struct kith_now now)
{
    struct kith_store_lease lease;
    int err = kith_store_lease_by_peer(n->store, net->id.b, peer->b, &lease);

    if (err == KITH_OK)
        err = kith_store_lease_remove(n->store, net->id.b, lease.serial);
    if (err == KITH_OK)
        issue_list_soon(net, now);
    else if (err != KITH_E_NOTFOUND)
        kith_event_store_failed(n->env->events, "forget a member", kith_err_text(err));
}

void issue_claimed(struct kith_node *n, const struct node_network *net,
                   const struct kith_peer_id *peer)
{
    int err = kith_store_lease_claim(n->store, net->id.b, peer->b);

    if (err < 0 && err != KITH_E_NOTFOUND)
        kith_event_store_failed(n->env->events, "note that a member came", kith_err_text(err));
}

struct unclaimed {
    struct kith_node *n;
    struct node_network *net;
    struct kith_now now;
    struct kith_store_lease lease[16]; /* what is left over is found an hour later */
    size_t n_lease;
};

/* Others may have met it while this node was off. */
static bool says_where_it_is(const struct unclaimed *u, const struct kith_store_lease *l)
{
    struct kith_peer_id peer;
    struct kith_member m;

    memcpy(peer.b, l->peer, sizeof peer.b);
    return kith_netview_member(u->net->view, &peer, u->now.wall, &m) && m.endpoints != NULL;
}

void issue_forget_ended(struct kith_node *n, const struct node_network *net, kith_wall before)
{
    int err = kith_store_lease_forget(n->store, net->id.b, before);

    if (err < 0)
        kith_event_store_failed(n->env->events, "forget leases", kith_err_text(err));
}

static int find_unclaimed(void *ctx, const struct kith_store_lease *l)
{
    struct unclaimed *u = ctx;

    if (l->claimed || u->now.wall >= l->not_after ||
        u->now.wall + KITH_CERT_VALID < l->not_after + CLAIM_WITHIN ||
        u->n_lease == KITH_COUNT(u->lease) || says_where_it_is(u, l))
        return KITH_OK;
    u->lease[u->n_lease++] = *l;
    kith_event_cert_unclaimed(u->n->env->events, l->name, u->net->name);
    return KITH_OK;
}

/* Who never showed the certificate it was given holds a name and an address for nothing. */
static void withdraw_unclaimed(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct unclaimed u = {.n = n, .net = net, .now = now};
    int err = kith_store_lease_list(n->store, net->id.b, find_unclaimed, &u);

    for (size_t i = 0; err >= 0 && i < u.n_lease; i++) {
        u.lease[i].not_after = now.wall; /* it stays, ended: the list knows whom to leave out */
        err = kith_store_lease_put(n->store, net->id.b, &u.lease[i], now.wall);
        issue_list_soon(net, now);
    }
    if (err < 0)
        kith_event_store_failed(n->env->events, "look over the leases", kith_err_text(err));
}

/* ---- the list of all this node vouches for ---- */

struct listing {
    struct kith_member_item *item;
    size_t n;
    kith_wall now;
    struct node_network *net;
};

enum { LIST_MAX = 1500 };

static int list_lease(void *ctx, const struct kith_store_lease *l)
{
    struct listing *list = ctx;
    struct kith_peer_id peer;

    memcpy(peer.b, l->peer, sizeof peer.b);
    enum kith_standing standing = kith_netview_standing(list->net->view, &peer, list->now);
    if (list->now >= l->not_after || list->n == LIST_MAX ||
        (standing != KITH_STANDING_MEMBER && standing != KITH_STANDING_EARLY))
        return KITH_OK; /* early: the clock here is late, and the list outlives that */
    list->item[list->n++] = (struct kith_member_item){.peer = peer, .serial = l->serial};
    return KITH_OK;
}

static int sign_list(struct kith_node *n, struct node_network *net, struct listing *list,
                     uint8_t *buf, size_t *ret_len, struct kith_now now)
{
    struct kith_issuer is;
    int err = kith_store_lease_list(n->store, net->id.b, list_lease, list);

    if (err >= 0)
        err = kith_store_begin(n->store);
    if (err < 0)
        return err;
    err = issuer_open(n, net, now.wall, &is);
    if (err >= 0)
        err = kith_issue_members(&is, list->item, list->n, now.wall, buf, KITH_OBJECT_MAX, ret_len);
    if (err >= 0)
        return kith_store_commit(n->store);
    kith_store_rollback(n->store);
    return err;
}

static void publish_list(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct listing list = {.now = now.wall, .net = net};
    uint8_t *buf = kith_new_array(n->env->alloc, KITH_OBJECT_MAX, 1);
    size_t len = 0;

    list.item = kith_new_array(n->env->alloc, LIST_MAX, sizeof *list.item);
    issue_adopt_all(n, net, now); /* some may have been heard of before this node was in office */
    int err =
        buf == NULL || list.item == NULL ? KITH_E_NOMEM : sign_list(n, net, &list, buf, &len, now);
    if (err >= 0)
        err = object_publish(n, net, (struct kith_span){buf, len}, now);
    if (err < 0) {
        kith_event_store_failed(n->env->events, "publish the list of members", kith_err_text(err));
        net->list_at = kith_after(now.mono, HOST_AGAIN);
    }
    kith_free(n->env->alloc, buf);
    kith_free(n->env->alloc, list.item);
}

/* ---- renewal ---- */

static int renew(struct kith_node *n, struct node_network *net, const struct kith_member *member,
                 struct kith_now now, uint8_t *buf, size_t *ret_len)
{
    struct issue_member m = {.peer = member->peer,
                             .name = member->name,
                             .groups = member->cert->member.groups,
                             .claimed = true};
    char name[KITH_LABEL_MAX + 1];
    uint64_t serial;
    int err = kith_public_key_from(member->cert->member.spki, &m.key);

    if (err >= 0)
        err = kith_store_begin(n->store);
    if (err < 0)
        return err;
    err = issue_cert(n, net, &m, now, buf, ret_len, &serial, name);
    if (err >= 0)
        err = kith_store_commit(n->store);
    else
        kith_store_rollback(n->store);
    if (err >= 0)
        err = object_publish(n, net, (struct kith_span){buf, *ret_len}, now);
    if (err >= 0)
        issue_list_soon(net, now);
    return err;
}

static void answer_renewal(struct kith_node *n, const struct kith_peer_id *to,
                           const struct node_network *net, uint8_t status, struct kith_span cert,
                           struct kith_now now)
{
    struct kith_renew_answer answer = {.network = net->id, .status = status, .cert = cert};
    size_t len;

    if (kith_renew_answer_encode(&answer, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0)
        (void)!gossip_send(n, to, len, now);
}

void issue_renew_request(struct kith_node *n, const struct kith_peer_id *from,
                         struct kith_span message, struct kith_now now)
{
    struct kith_renew_request r;
    struct kith_member m;
    uint8_t cert[KITH_CERT_MAX];
    size_t len = 0;

    if (kith_renew_request_decode(message, &r) < 0)
        return;
    struct node_network *net = network_by_id(n, &r.network);
    const struct node_peer *p = peer_find(n, from);
    if (net == NULL || p == NULL || (p->proved & 1u << net->slot) == 0 ||
        !issue_may(n, net, now.wall) || !kith_netview_member(net->view, from, now.wall, &m) ||
        m.standing != KITH_STANDING_MEMBER)
        return;
    /* a certificate with two thirds of its life left is not signed again: that bounds the rate */
    bool early = m.cert->member.not_after > now.wall + KITH_CERT_VALID * 2 / 3 + 86400;
    if (early)
        answer_renewal(n, from, net, KITH_ENROL_OK, m.cert->bytes, now);
    else if (renew(n, net, &m, now, cert, &len) >= 0)
        answer_renewal(n, from, net, KITH_ENROL_OK, (struct kith_span){cert, len}, now);
    else
        answer_renewal(n, from, net, KITH_ENROL_BUSY, (struct kith_span){0}, now);
}

void issue_renew_answer(struct kith_node *n, const struct kith_peer_id *from,
                        struct kith_span message, struct kith_now now)
{
    struct kith_renew_answer a;
    struct kith_member self;
    enum kith_offer offer;
    const char *why = "";

    if (kith_renew_answer_decode(message, &a) < 0)
        return;
    struct node_network *net = network_by_id(n, &a.network);
    const struct node_peer *p = peer_find(n, from);
    if (net == NULL || p == NULL || (p->proved & 1u << net->slot) == 0 ||
        a.status != KITH_ENROL_OK || a.cert.n == 0)
        return;
    int err = object_take(n, net, a.cert, from, now, &offer, &why);
    if (err < 0)
        gossip_refused(n, from, "renewed certificate", err, why, now);
    else if (offer == KITH_OFFER_NEW && network_self(n, net, now.wall, &self))
        kith_event_cert_renewed(n->env->events, net->name, from->b,
                                (self.cert->member.not_after - now.wall) * KITH_SEC);
}

/* Asks every admin that is here; the first answer counts, the others are the same or older. */
static bool ask_admins(struct kith_node *n, struct node_network *net, uint64_t serial,
                       struct kith_now now)
{
    struct kith_renew_request r = {.network = net->id, .serial = serial};
    bool asked = false;
    size_t len;

    for (size_t i = 0; i < n->n_handles; i++) {
        const struct node_peer *p = n->by_handle[i];
        struct kith_member m;
        if ((p->proved & 1u << net->slot) == 0 ||
            !kith_netview_member(net->view, &p->id, now.wall, &m))
            continue;
        if (kith_renew_request_encode(&r, n->scratch, KITH_FRAME_BODY_MAX, &len) >= 0 &&
            gossip_send(n, &p->id, len, now) >= 0)
            asked = true;
    }
    return asked;
}

static void look_at_own_cert(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct kith_member self;
    uint8_t buf[KITH_CERT_MAX];
    size_t len;

    if (!network_self(n, net, now.wall, &self))
        return;
    kith_wall ends = self.cert->member.not_after;
    if (now.wall + n->renew_before < ends && self.standing != KITH_STANDING_EARLY)
        return; /* early: it was renewed while the calendar was ahead */
    if (issue_may(n, net, now.wall)) {
        if (renew(n, net, &self, now, buf, &len) >= 0)
            kith_event_cert_renewed(n->env->events, net->name, n->identity->id.b,
                                    KITH_CERT_VALID * KITH_SEC);
    } else if (!ask_admins(n, net, self.cert->member.serial, now)) {
        kith_dur left = ends > now.wall ? (ends - now.wall) * KITH_SEC : 0;
        kith_event_cert_expiring(n->env->events, net->name, left, "none is connected");
    }
}

/* Every hour, and when something about this node changed. */
static void look_over(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    net->renew_at = kith_after(now.mono, 3600 * KITH_SEC);
    look_at_own_cert(n, net, now);
    office_look(n, net, now);
    if (issue_may(n, net, now.wall))
        withdraw_unclaimed(n, net, now);
}

void issue_tick(struct kith_node *n, struct kith_now now)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        struct node_network *net = &n->network[i];
        if (!net->used)
            continue;
        if (now.mono >= net->renew_at)
            look_over(n, net, now);
        if (now.mono < net->list_at)
            continue;
        net->list_at = KITH_NEVER;
        if (issue_may(n, net, now.wall))
            publish_list(n, net, now);
    }
}

kith_time issue_deadline(const struct kith_node *n)
{
    kith_time at = KITH_NEVER;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used)
            at = kith_sooner(at, kith_sooner(n->network[i].renew_at, n->network[i].list_at));
    return at;
}
