/* networks.c: the networks this node belongs to: loading, making, adopting, leaving, backing up. */
#include "node/internal.h"

struct node_network *network_by_id(const struct kith_node *n, const struct kith_network_id *id)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used && kith_network_id_equal(&n->network[i].id, id))
            return (struct node_network *)&n->network[i];
    return NULL;
}

struct node_network *network_by_name(const struct kith_node *n, const char *name)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++)
        if (n->network[i].used && strcmp(n->network[i].name, name) == 0)
            return (struct node_network *)&n->network[i];
    return NULL;
}

static size_t count_networks(const struct kith_node *n, struct node_network **ret_only)
{
    size_t count = 0;

    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        if (!n->network[i].used)
            continue;
        count++;
        *ret_only = (struct node_network *)&n->network[i];
    }
    return count;
}

int network_find(const struct kith_node *n, const char *name, struct node_network **ret,
                 struct kith_node_why *why)
{
    struct node_network *net = NULL;
    size_t count = count_networks(n, &net);

    if (name != NULL && name[0] != '\0') {
        net = network_by_name(n, name);
        if (net == NULL) {
            (void)node_say(why, 0, "kith network list shows those there are",
                           "this node is in no network named \"%s\"", name);
            return KITH_E_NOTFOUND;
        }
    } else if (count == 0) {
        (void)node_say(why, 0, "kith network create NAME makes one, kith join TICKET joins one",
                       "this node is in no network yet");
        return KITH_E_NOTFOUND;
    } else if (count > 1) {
        (void)node_say(why, 0, "name it with --network NAME", "this node is in %zu networks",
                       count);
        return KITH_E_INVAL;
    }
    *ret = net;
    return KITH_OK;
}

int network_add(struct kith_node *n, const struct kith_network_id *id, struct node_network **ret)
{
    struct kith_netview_limits limits = {0};

    for (size_t slot = 0; slot < KITH_NODE_NETWORKS_MAX; slot++) {
        struct node_network *net = &n->network[slot];
        if (net->used)
            continue;
        *net = (struct node_network){.slot = (uint8_t)slot,
                                     .id = *id,
                                     .list_at = KITH_NEVER,
                                     .renew_at = KITH_NEVER,
                                     .save_at = KITH_NEVER,
                                     .forget_at = KITH_NEVER,
                                     .endpoints_at = KITH_NEVER,
                                     .announce_at = KITH_NEVER};
        int err = kith_netview_new(n->env, id, &n->identity->id, &limits, &net->view);
        if (err < 0)
            return err;
        net->used = true;
        *ret = net;
        return KITH_OK;
    }
    return KITH_E_FULL;
}

void network_drop(struct kith_node *n, struct node_network *net)
{
    kith_vpn_network_clear(n->vpn, net->slot);
    services_free(n, net);
    routes_forget(n, net);
    kith_netview_free(net->view);
    kith_identity_fini(&net->root);
    *net = (struct node_network){0};
    n->overlay_changed = true;
}

void networks_free(struct kith_node *n)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        services_free(n, &n->network[i]);
        kith_netview_free(n->network[i].view);
        kith_identity_fini(&n->network[i].root);
    }
}

bool network_self(const struct kith_node *n, const struct node_network *net, kith_wall now,
                  struct kith_member *ret)
{
    return kith_netview_member(net->view, &n->identity->id, now, ret);
}

/* ---- loading ---- */

struct loading {
    struct kith_node *n;
    struct kith_now now;
    struct node_network *net;
    kith_wall judged_at;
    size_t refused;
    struct kith_node_why *why;
};

/* Stored objects are judged by the time of the youngest: they were believed before, and a clock
 * that is wrong must not lose them. One time for all, as some wait for others that prove them. */
static int note_latest(void *ctx, const struct kith_store_object *o)
{
    struct loading *l = ctx;
    struct kith_envelope env;

    if (kith_envelope_decode(o->bytes, &env) >= 0 && env.issued > l->judged_at)
        l->judged_at = env.issued;
    return KITH_OK;
}

static int load_object(void *ctx, const struct kith_store_object *o)
{
    struct loading *l = ctx;
    enum kith_offer offer;
    const char *why = "";
    int err = kith_netview_load(l->net->view, o->bytes, l->judged_at, &offer, &why);
    struct kith_span extra;

    while (err >= 0 && kith_netview_next_new(l->net->view, &extra))
        continue; /* it waited for this one; it is stored already */
    if (err == KITH_E_NOMEM || err == KITH_E_CRYPTO)
        return err; /* the object may be good: a node without it would be another */
    if (err < 0) {
        l->refused++;
        kith_event_store_failed(l->n->env->events, "load an object", why);
    }
    return KITH_OK;
}

static int load_objects(struct loading *l)
{
    struct kith_store *s = l->n->store;
    int err = kith_store_object_list(s, l->net->id.b, note_latest, l);

    if (err >= 0)
        err = kith_store_object_list(s, l->net->id.b, load_object, l);
    return err;
}

static int load_row(void *ctx, const struct kith_store_network *row)
{
    struct loading *l = ctx;
    struct kith_network_id id;
    const char *why;

    if (row->left_at != 0)
        return KITH_OK;
    memcpy(id.b, row->id, sizeof id.b);
    int err = network_add(l->n, &id, &l->net);
    if (err < 0)
        return err;
    kith_format(l->net->name, sizeof l->net->name, "%s", row->name);
    if (row->root_key.n > 0) {
        err = kith_identity_from_pem(l->n->env->alloc, row->root_key, &l->net->root, &why);
        if (err < 0)
            return node_say(l->why, err, "restore the state directory from a copy",
                            "the root key of network %s is damaged: %s", row->name, why);
    }
    return KITH_OK;
}

int networks_load(struct kith_node *n, struct kith_now now, struct kith_node_why *why)
{
    struct loading l = {.n = n, .now = now, .why = why};
    int err = kith_store_network_list(n->store, load_row, &l);

    for (size_t i = 0; err >= 0 && i < KITH_NODE_NETWORKS_MAX; i++) {
        l.net = &n->network[i];
        if (!l.net->used)
            continue;
        l.judged_at = 0;
        err = load_objects(&l);
        if (err >= 0)
            err = services_load(n, l.net, now);
        if (err < 0)
            break;
        l.net->renew_at = now.mono;
        kith_netview_tick(l.net->view, now.wall);
        objects_settle(n, l.net, now);
        overlay_network(n, l.net, now);
        join_resume(n, l.net, now);
        recall_load(n, l.net, now);
    }
    if (err < 0 && why->text[0] == '\0')
        (void)node_say(why, err, "", "cannot load the networks: %s", kith_err_text(err));
    endpoints_changed(n, now);
    return err;
}

/* ---- adopting ---- */

int network_offer(struct node_network *net, struct kith_span object, struct kith_now now,
                  struct kith_node_why *why)
{
    enum kith_offer result;
    const char *text = "";

    if (object.n == 0)
        return KITH_OK;
    int err = kith_netview_offer(net->view, object, now.wall, &result, &text);
    return err < 0 ? node_say(why, err, "", "an object of the network is invalid: %s", text) : err;
}

static int store_all(struct kith_node *n, const struct node_network *net,
                     const struct kith_span *objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int err = objects[i].n > 0 ? object_store(n, net, objects[i]) : KITH_OK;
        if (err < 0 && err != KITH_E_EXISTS)
            return err;
    }
    return KITH_OK;
}

int network_store(struct kith_node *n, const struct node_network *net, struct kith_span root_pem,
                  uint64_t next_serial, struct kith_now now)
{
    struct kith_store_network row = {.slot = net->slot,
                                     .root_key = root_pem,
                                     .admin = root_pem.n > 0,
                                     .next_serial = next_serial,
                                     .created = now.wall};

    memcpy(row.id, net->id.b, sizeof row.id);
    kith_format(row.name, sizeof row.name, "%s", net->name);
    return kith_store_network_put(n->store, &row);
}

void network_choose_name(const struct kith_node *n, struct node_network *net,
                         const struct kith_object *object)
{
    char name[KITH_LABEL_MAX + 1];

    kith_format(name, sizeof name, "%.*s", (int)object->network.name.n,
                (const char *)object->network.name.p);
    for (unsigned k = 2; network_by_name(n, name) != NULL; k++)
        kith_format(name, sizeof name, "%.*s-%u",
                    (int)(object->network.name.n < 58 ? object->network.name.n : 58),
                    (const char *)object->network.name.p, k);
    memcpy(net->name, name, sizeof name);
}

static bool range_overlaps(const struct kith_node *n, const struct kith_prefix *range,
                           const struct node_network *but)
{
    for (size_t i = 0; i < KITH_NODE_NETWORKS_MAX; i++) {
        const struct node_network *net = &n->network[i];
        const struct kith_object *o = net->used ? kith_netview_network(net->view) : NULL;
        if (o != NULL && net != but && kith_prefix_overlaps(&o->network.ipv4, range))
            return true;
    }
    return false;
}

static int begin_adoption(struct kith_node *n, struct node_network *net, struct kith_span network,
                          struct kith_span admin, struct kith_span cert, struct kith_now now,
                          struct kith_node_why *why)
{
    struct kith_member self;
    int err = network_offer(net, network, now, why);

    if (err >= 0)
        err = network_offer(net, admin, now, why);
    if (err >= 0)
        err = network_offer(net, cert, now, why);
    if (err < 0)
        return err;
    const struct kith_object *o = kith_netview_network(net->view);
    if (o == NULL || !network_self(n, net, now.wall, &self) ||
        self.standing != KITH_STANDING_MEMBER)
        return node_say(why, KITH_E_REFUSED, "check the clocks of both machines",
                        "the certificate that came does not make this node a member");
    if (o->network.ipv4.bits < RANGE_BITS_MIN)
        return node_say(why, KITH_E_REFUSED, "ask its admin to choose a range of /8 or less",
                        "the network claims too many of all IPv4 addresses");
    if (range_overlaps(n, &o->network.ipv4, net))
        return node_say(why, KITH_E_TAKEN, "leave that network first, or renumber one of the two",
                        "its IPv4 range overlaps that of another network of this node");
    network_choose_name(n, net, o);
    return KITH_OK;
}

int network_adopt(struct kith_node *n, const struct kith_network_id *id,
                  const struct kith_peer_id *issuer, struct kith_span network,
                  struct kith_span admin, struct kith_span cert, struct kith_now now,
                  struct node_network **ret, struct kith_node_why *why)
{
    const struct kith_span objects[] = {network, admin, cert};
    struct node_network *net;
    int err = network_add(n, id, &net);

    if (err < 0)
        return node_say(why, err, "leave one with kith network leave",
                        "this node is in as many networks as it can be");
    err = begin_adoption(n, net, network, admin, cert, now, why);
    if (err >= 0) {
        err = kith_store_begin(n->store);
        if (err >= 0)
            err = network_store(n, net, (struct kith_span){0}, 1, now);
        if (err >= 0)
            err = store_all(n, net, objects, KITH_COUNT(objects));
        if (err >= 0)
            err = join_remember(n, id, issuer, 1);
        if (err >= 0)
            err = kith_store_commit(n->store);
        else
            kith_store_rollback(n->store);
        if (err < 0)
            (void)node_say(why, err, "", "the store failed: %s", kith_err_text(err));
    }
    if (err < 0) {
        network_drop(n, net);
        return err;
    }
    net->renew_at = now.mono;
    objects_settle(n, net, now);
    overlay_network(n, net, now);
    endpoints_changed(n, now);
    net->endpoints_at = now.mono; /* where it is, is known: it may be missed at once */
    *ret = net;
    return KITH_OK;
}

/* ---- making ---- */

static int make_first_objects(struct kith_node *n, struct node_network *net,
                              const struct kith_prefix *range, struct kith_now now)
{
    uint8_t network[KITH_CERT_MAX], cert[KITH_CERT_MAX];
    size_t network_len = 0, cert_len = 0;
    struct issue_member self = {
        .key = n->identity->pub, .peer = n->identity->id, .name = n->name, .claimed = true};
    char name[KITH_LABEL_MAX + 1];
    enum kith_offer result;
    uint64_t serial;
    int err = kith_issue_network(&net->root, kith_span_text(net->name), range, now.wall, 1,
                                 now.wall, network, sizeof network, &network_len);

    if (err >= 0)
        err = kith_netview_offer(net->view, (struct kith_span){network, network_len}, now.wall,
                                 &result, NULL);
    if (err >= 0)
        err = object_store(n, net, (struct kith_span){network, network_len});
    if (err >= 0)
        err = issue_cert(n, net, &self, now, cert, &cert_len, &serial, name);
    if (err >= 0)
        err = kith_netview_offer(net->view, (struct kith_span){cert, cert_len}, now.wall, &result,
                                 NULL);
    return err;
}

/* Everything of a new network, in one transaction. */
static int make_network(struct kith_node *n, struct node_network *net,
                        const struct kith_prefix *range, struct kith_now now)
{
    uint8_t pem[KITH_SIGN_PEM_MAX];
    size_t pem_len = 0;
    int err = kith_identity_to_pem(&net->root, pem, sizeof pem, &pem_len);

    if (err >= 0)
        err = kith_store_begin(n->store);
    if (err < 0)
        goto out;
    err = network_store(n, net, (struct kith_span){pem, pem_len}, 1, now);
    if (err >= 0)
        err = make_first_objects(n, net, range, now);
    if (err >= 0)
        err = kith_store_commit(n->store);
    else
        kith_store_rollback(n->store);
out:
    kith_wipe(pem, sizeof pem);
    return err;
}

static int check_new(const struct kith_node *n, const char *name, const struct kith_prefix *range,
                     struct kith_node_why *why)
{
    if (!kith_label_valid(kith_span_text(name)))
        return node_say(why, KITH_E_INVAL, "use a-z, 0-9 and hyphens inside, 63 at most",
                        "\"%s\" cannot be a network's name", name);
    if (network_by_name(n, name) != NULL)
        return node_say(why, KITH_E_EXISTS, "choose another name",
                        "this node is in a network named %s already", name);
    if (range->ip.family != KITH_FAMILY_IP4 || range->bits > KITH_RANGE_BITS_MAX ||
        range->bits < RANGE_BITS_MIN)
        return node_say(why, KITH_E_INVAL, "give a range of IPv4 addresses from /8 to /26",
                        "the range does not fit a network");
    if (range_overlaps(n, range, NULL))
        return node_say(why, KITH_E_TAKEN, "choose another range with --ipv4",
                        "the range overlaps that of another network of this node");
    return KITH_OK;
}

int kith_node_network_create(struct kith_node *n, const char *name, const struct kith_prefix *range,
                             struct kith_now now, struct kith_network_info *ret,
                             struct kith_node_why *why)
{
    struct kith_identity root = {0};
    struct kith_network_id id;
    struct node_network *net;
    int err = check_new(n, name, range, why);

    if (err < 0)
        return err;
    err = kith_identity_new(n->env->alloc, &root);
    if (err >= 0)
        err = kith_network_id_of(&root.pub, &id);
    if (err >= 0)
        err = network_add(n, &id, &net);
    if (err < 0) {
        kith_identity_fini(&root);
        return node_say(why, err, "", "cannot make the network: %s", kith_err_text(err));
    }
    net->root = root;
    kith_format(net->name, sizeof net->name, "%s", name);
    err = make_network(n, net, range, now);
    if (err < 0) {
        network_drop(n, net);
        return node_say(why, err, "", "cannot make the network: %s", kith_err_text(err));
    }
    net->renew_at = now.mono;
    issue_list_soon(net, now);
    objects_settle(n, net, now);
    overlay_network(n, net, now);
    endpoints_changed(n, now);
    kith_event_network_created(n->env->events, net->name, id.b);
    ask_network(n, net, now.wall, ret);
    return KITH_OK;
}

int kith_node_pick_range(const struct kith_node *n,
                         bool (*in_use)(void *ctx, const struct kith_prefix *p), void *ctx,
                         struct kith_prefix *ret)
{
    for (int i = 0; i < 64; i++) {
        /* 100.64.0.0/10 (RFC 6598) has 64 ranges of 16 bits */
        uint8_t second = (uint8_t)(64 + kith_random_below(n->env->random, 64));
        struct kith_ip ip = kith_ip4(100, second, 0, 0);
        struct kith_prefix p = kith_prefix_of(&ip, 16);
        if (range_overlaps(n, &p, NULL) || (in_use != NULL && in_use(ctx, &p)))
            continue;
        *ret = p;
        return KITH_OK;
    }
    return KITH_E_FULL;
}
