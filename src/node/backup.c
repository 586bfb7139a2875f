/* backup.c: the root of a network under a passphrase, and back again, so that a dead machine does
 * not kill its network.
 *
 * Beside the key a backup says what the issuer promised to whom, so that a restored one promises it
 * to nobody else, and where members were, so that a machine that is none can find them.
 * Spec: docs/spec/identity.md 7. */
#include "wire/backup.h"
#include "node/internal.h"

enum {
    STATE_MAX = 20000, /* wire/backup.def */
    CONTACTS_MAX = 16,
    CONTACT_ADDRS = 4,                                 /* of one member */
    LEASE_BYTES = 32 + 8 + 8 + 4 + 1 + KITH_LABEL_MAX, /* at most */
    CONTACT_BYTES = 32 + 1 + 16 + 2,
    LEASES_BYTES = STATE_MAX - 8 - 2 - 1 - CONTACTS_MAX * CONTACT_BYTES,
};

/* ---- what the issuer remembers ---- */

struct leases {
    struct kith_writer w;
    struct kith_records ret;
};

static int write_lease(void *ctx, const struct kith_store_lease *l)
{
    struct leases *all = ctx;
    struct kith_backup_lease item = {.serial = l->serial,
                                     .not_after = l->not_after,
                                     .ipv4 = l->ip4,
                                     .name = kith_span_text(l->name)};

    memcpy(item.peer.b, l->peer, sizeof item.peer.b);
    if (all->ret.n == LEASES_BYTES / LEASE_BYTES)
        return KITH_OK;
    kith_backup_lease_put(&all->w, &item);
    all->ret.n++;
    return KITH_OK;
}

static void write_contacts_of(const struct kith_member *m, struct kith_writer *w,
                              struct kith_records *ret)
{
    struct kith_addr_item item;

    if (m->endpoints == NULL)
        return;
    struct kith_reader r = kith_reader_on(m->endpoints->endpoints.addrs.bytes);
    for (int i = 0; i < CONTACT_ADDRS && kith_addr_item_next(&r, &item); i++) {
        if (ret->n == CONTACTS_MAX)
            return;
        kith_backup_contact_put(w, &(struct kith_backup_contact){m->peer, item.addr});
        ret->n++;
    }
}

static int write_state(struct kith_node *n, struct node_network *net, struct kith_now now,
                       uint8_t *buf, size_t *ret_len)
{
    uint8_t leases[LEASES_BYTES], contacts[CONTACTS_MAX * CONTACT_BYTES];
    struct kith_writer w = kith_writer_on(contacts, sizeof contacts);
    struct leases all = {.w = kith_writer_on(leases, sizeof leases)};
    struct kith_backup_state state = {0};
    struct kith_store_network row;
    struct kith_member m;
    size_t at = 0;
    int err = kith_store_network_get(n->store, net->id.b, &row);

    if (err >= 0)
        err = kith_store_lease_list(n->store, net->id.b, write_lease, &all);
    while (err >= 0 && kith_netview_next_member(net->view, &at, now.wall, &m))
        if (m.standing == KITH_STANDING_MEMBER && !peer_is_self(n, &m.peer))
            write_contacts_of(&m, &w, &state.contacts);
    state.next_serial = err >= 0 ? row.next_serial : 0;
    state.leases = all.ret;
    state.leases.bytes.p = leases;
    state.contacts.bytes.p = contacts;
    if (err >= 0)
        err = kith_writer_done(&all.w, &state.leases.bytes.n);
    if (err >= 0)
        err = kith_writer_done(&w, &state.contacts.bytes.n);
    return err < 0 ? err : kith_backup_state_encode(&state, buf, STATE_MAX, ret_len);
}

/* ---- making ---- */

int kith_node_backup(struct kith_node *n, const char *network, struct kith_span passphrase,
                     struct kith_now now, uint8_t *buf, size_t cap, size_t *ret_len,
                     struct kith_network_info *ret, struct kith_node_why *why)
{
    const struct kith_passphrase_cost cost = KITH_PASSPHRASE_COST;
    struct kith_backup_content content = {0};
    uint8_t pem[KITH_SIGN_PEM_MAX], state[STATE_MAX];
    struct node_network *net;
    size_t pem_len = 0;
    int err = network_find(n, network, &net, why);

    if (err < 0)
        return err;
    if (net->root.key == NULL)
        return node_say(why, KITH_E_NOTADMIN, "run it where the network was created",
                        "this node does not hold the root key of %s", net->name);
    err = kith_identity_to_pem(&net->root, pem, sizeof pem, &pem_len);
    content.state.p = state;
    if (err >= 0)
        err = write_state(n, net, now, state, &content.state.n);
    if (err >= 0) {
        content.network = kith_netview_network(net->view)->bytes;
        content.key = (struct kith_span){pem, pem_len};
        err = kith_backup_seal(n->env->random, passphrase, &cost, &content, buf, cap, ret_len);
    }
    kith_wipe(pem, sizeof pem);
    if (err < 0)
        return node_say(why, err, "", "cannot make the backup: %s", kith_err_text(err));
    ask_network(n, net, now.wall, ret);
    return KITH_OK;
}

/* ---- taking over ---- */

/* Serials go on beyond anything a lost machine may have given out after its backup. */
#define SERIALS_LOST (UINT64_C(1) << 20)

/* Names and addresses that are others' stay theirs, though this node may never have met them. */
static int keep_leases(struct kith_node *n, const struct node_network *net,
                       const struct kith_records *leases, struct kith_now now)
{
    struct kith_reader r = kith_reader_on(leases->bytes);
    struct kith_backup_lease l;
    int err = KITH_OK;

    while (err >= 0 && kith_backup_lease_next(&r, &l)) {
        struct kith_store_lease lease = {
            .serial = l.serial, .ip4 = l.ipv4, .not_after = l.not_after, .claimed = true};
        memcpy(lease.peer, l.peer.b, sizeof lease.peer);
        kith_format(lease.name, sizeof lease.name, "%.*s", (int)l.name.n, (const char *)l.name.p);
        err = kith_store_lease_put(n->store, net->id.b, &lease, now.wall);
        if (err == KITH_E_TAKEN || err == KITH_E_EXISTS)
            err = KITH_OK; /* this node has given out another since */
    }
    return err;
}

/* A machine that is no member asks those it has heard of. */
static int keep_contacts(struct kith_node *n, const struct node_network *net,
                         const struct kith_records *contacts, struct kith_now now)
{
    struct kith_reader r = kith_reader_on(contacts->bytes);
    struct kith_peer_id peer[JOIN_CONTACTS];
    struct kith_backup_contact c;
    char text[KITH_ADDR_TEXT];
    size_t count = 0;

    while (kith_backup_contact_next(&r, &c)) {
        (void)!kith_store_address_learn(n->store, c.peer.b,
                                        kith_addr_text(&c.addr, text, sizeof text), now.wall);
        bool known = peer_is_self(n, &c.peer);
        for (size_t i = 0; i < count; i++)
            known |= kith_peer_id_equal(&peer[i], &c.peer);
        if (!known && count < JOIN_CONTACTS)
            peer[count++] = c.peer;
    }
    return count == 0 ? KITH_OK : join_remember(n, &net->id, peer, count);
}

static int certify_self(struct kith_node *n, struct node_network *net, struct kith_now now)
{
    struct issue_member me = {
        .key = n->identity->pub, .peer = n->identity->id, .name = n->name, .claimed = true};
    uint8_t cert[KITH_CERT_MAX];
    char name[KITH_LABEL_MAX + 1];
    enum kith_offer offered;
    uint64_t serial;
    size_t len = 0;
    int err = issue_cert(n, net, &me, now, cert, &len, &serial, name);

    if (err < 0)
        return err;
    return kith_netview_offer(net->view, (struct kith_span){cert, len}, now.wall, &offered, NULL);
}

static int take_root(struct kith_node *n, struct node_network *net,
                     const struct kith_backup_content *content,
                     const struct kith_backup_state *state, struct kith_now now)
{
    struct kith_member self;
    int err = kith_store_begin(n->store);

    if (err < 0)
        return err;
    err = network_store(n, net, content->key, state->next_serial + SERIALS_LOST, now);
    if (err >= 0)
        err = object_store(n, net, content->network);
    if (err == KITH_E_EXISTS)
        err = KITH_OK;
    if (err >= 0)
        err = keep_leases(n, net, &state->leases, now);
    if (err >= 0 && !network_self(n, net, now.wall, &self)) {
        err = certify_self(n, net, now);
        if (err >= 0)
            err = keep_contacts(n, net, &state->contacts, now);
    }
    if (err >= 0)
        return kith_store_commit(n->store);
    kith_store_rollback(n->store);
    return err;
}

static int restore_into(struct kith_node *n, const struct kith_backup_content *content,
                        struct kith_now now, struct kith_network_info *ret,
                        struct kith_node_why *why)
{
    struct kith_identity root = {0};
    struct kith_backup_state state;
    struct kith_network_id id;
    const char *text = "it is none";
    int err = kith_backup_state_decode(content->state, &state);

    if (err < 0)
        return node_say(why, err, "", "what the backup says of the network makes no sense");
    err = kith_identity_from_pem(n->env->alloc, content->key, &root, &text);

    if (err >= 0)
        err = kith_network_id_of(&root.pub, &id);
    if (err < 0) {
        kith_identity_fini(&root);
        return node_say(why, err, "", "the key in the backup is unusable: %s", text);
    }
    struct node_network *net = network_by_id(n, &id);
    bool fresh = net == NULL;
    if (fresh)
        err = network_add(n, &id, &net);
    if (err >= 0)
        err = network_offer(net, content->network, now, why);
    if (err >= 0 && fresh)
        network_choose_name(n, net, kith_netview_network(net->view));
    if (err >= 0 && net->root.key == NULL) {
        net->root = root;
        root = (struct kith_identity){0};
    }
    kith_identity_fini(&root);
    if (err >= 0)
        err = take_root(n, net, content, &state, now);
    if (err < 0) {
        if (fresh && net != NULL)
            network_drop(n, net);
        return why->text[0] != '\0'
                   ? err
                   : node_say(why, err, "", "cannot restore: %s", kith_err_text(err));
    }
    issue_adopt_all(n, net, now);
    net->renew_at = now.mono;
    if (!fresh) /* who comes new here knows nobody yet: the old list stands */
        issue_list_soon(net, now);
    objects_settle(n, net, now);
    overlay_network(n, net, now);
    endpoints_changed(n, now);
    if (fresh)
        join_resume(n, net, now);
    ask_network(n, net, now.wall, ret);
    return KITH_OK;
}

int kith_node_restore(struct kith_node *n, struct kith_span file, struct kith_span passphrase,
                      struct kith_now now, struct kith_network_info *ret, struct kith_node_why *why)
{
    struct kith_backup_content content;
    uint8_t *buf = kith_new_array(n->env->alloc, KITH_BACKUP_MAX, 1);

    if (buf == NULL)
        return node_say(why, KITH_E_NOMEM, "", "out of memory");
    why->text[0] = '\0';
    int err = kith_backup_open(file, passphrase, buf, KITH_BACKUP_MAX, &content);
    if (err == KITH_E_AUTH)
        (void)node_say(why, err, "", "the passphrase is wrong, or the file was changed");
    else if (err < 0)
        (void)node_say(why, err, "", "this is no backup of a network: %s", kith_err_text(err));
    else
        err = restore_into(n, &content, now, ret, why);
    kith_wipe(buf, KITH_BACKUP_MAX);
    kith_free(n->env->alloc, buf);
    return err;
}
