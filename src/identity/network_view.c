#include "identity/network_view_parts.h"

/* Defaults: a network of people's machines, and some to spare. A certificate takes about 6 kB. */
static const struct kith_netview_limits defaults = {
    .members = 4096, .admins = 64, .revocations = 4096, .pending = 64};

/* ---- life ---- */

static uint32_t or_default(uint32_t chosen, uint32_t usual)
{
    return chosen != 0 ? chosen : usual;
}

static struct kith_netview_limits limits_of(const struct kith_netview_limits *l)
{
    if (l == NULL)
        return defaults;
    return (struct kith_netview_limits){
        .members = or_default(l->members, defaults.members),
        .admins = or_default(l->admins, defaults.admins),
        .revocations = or_default(l->revocations, defaults.revocations),
        .pending = or_default(l->pending, defaults.pending),
    };
}

int kith_netview_new(const struct kith_env *env, const struct kith_network_id *network,
                     const struct kith_peer_id *me, const struct kith_netview_limits *limits,
                     struct kith_netview **ret)
{
    struct kith_netview *v = kith_new_zero(env->alloc, sizeof *v);

    if (v == NULL)
        return KITH_E_NOMEM;
    v->env = env;
    v->id = *network;
    v->root = kith_network_root(network);
    v->me = *me;
    v->limit = limits_of(limits);
    v->deadline = KITH_NEVER;
    /* each member may have a certificate, endpoints and an announcement, each signer a list besides
     */
    size_t keys =
        3 * (size_t)v->limit.members + 2 * (size_t)v->limit.admins + v->limit.revocations + 2;
    kith_map_init(&v->by_key, env->alloc, env->random, sizeof(struct kith_object_key), keys);
    kith_map_init(&v->by_peer, env->alloc, env->random, sizeof(struct kith_peer_id), keys);
    kith_list_init(&v->all);
    kith_list_init(&v->changed);
    kith_list_init(&v->waiting);
    kith_list_init(&v->fresh);
    kith_list_init(&v->told);
    kith_list_init(&v->dropped);
    v->by_name = kith_new_array(env->alloc, v->limit.members, sizeof(struct kith_known *));
    v->by_ip = kith_new_array(env->alloc, v->limit.members, sizeof(struct kith_known *));
    if (v->by_name == NULL || v->by_ip == NULL) {
        kith_netview_free(v);
        return KITH_E_NOMEM;
    }
    *ret = v;
    return KITH_OK;
}

static void free_held_list(struct kith_netview *v, struct kith_link *list)
{
    while (!kith_list_empty(list)) {
        struct kith_held *h = KITH_OF(list->next, struct kith_held, link);
        kith_list_remove(&h->link);
        kith_free(v->env->alloc, h);
    }
}

void kith_netview_free(struct kith_netview *v)
{
    struct kith_held *h;
    size_t at = 0;

    if (v == NULL)
        return;
    while ((h = kith_map_next(&v->by_key, &at)) != NULL)
        kith_free(v->env->alloc, h);
    while (!kith_list_empty(&v->all)) {
        struct kith_known *k = KITH_OF(v->all.next, struct kith_known, link);
        kith_list_remove(&k->link);
        kith_free(v->env->alloc, k);
    }
    free_held_list(v, &v->waiting);
    free_held_list(v, &v->fresh);
    free_held_list(v, &v->told);
    free_held_list(v, &v->dropped);
    kith_map_fini(&v->by_key);
    kith_map_fini(&v->by_peer);
    kith_free(v->env->alloc, v->by_name);
    kith_free(v->env->alloc, v->by_ip);
    kith_free(v->env->alloc, v);
}

/* ---- what follows from a change ---- */

/* Compares k's standing with what was last told. */
static void settle(struct kith_netview *v, struct kith_known *k, kith_wall now)
{
    enum kith_standing is = kith_rule_standing(v, k, now), was = k->shown;

    k->shown = is;
    if (is == KITH_STANDING_MEMBER && was != KITH_STANDING_MEMBER)
        kith_known_note(v, k, KITH_CHANGE_ADDED);
    if (is != KITH_STANDING_MEMBER && was == KITH_STANDING_MEMBER)
        kith_known_note(v, k, KITH_CHANGE_GONE);
    v->deadline = kith_sooner(v->deadline, kith_rule_turns(k, now));
}

/* Before anything else, as what an admin signed goes with its office. */
static void purge_office(struct kith_netview *v, struct kith_known *k)
{
    if (k->admin == NULL || kith_rule_stands(v, &k->admin->obj))
        return;
    kith_store_drop(v, k->admin);
    kith_known_note(v, k, KITH_CHANGE_ADMIN);
}

/* Drops what was signed by one who may no longer say it, so that better objects find room. */
static void purge(struct kith_netview *v, struct kith_known *k)
{
    if (k->cert != NULL && !kith_rule_stands(v, &k->cert->obj))
        kith_store_drop(v, k->cert);
    for (struct kith_link *l = k->revocations.next, *next; l != &k->revocations; l = next) {
        struct kith_held *h = KITH_OF(l, struct kith_held, link);
        next = l->next;
        if (!kith_rule_stands(v, &h->obj))
            kith_store_drop(v, h);
    }
    if (k->list != NULL && !kith_rule_stands(v, &k->list->obj))
        kith_store_drop(v, k->list);
}

/* What it said of itself counts no more than its certificate. */
static void drop_own(struct kith_netview *v, struct kith_known *k)
{
    if (k->endpoints != NULL) {
        kith_store_drop(v, k->endpoints);
        kith_known_note(v, k, KITH_CHANGE_ENDPOINTS);
    }
    if (k->announcement != NULL) {
        kith_store_drop(v, k->announcement);
        kith_known_note(v, k, KITH_CHANGE_ANNOUNCEMENT);
    }
}

void kith_netview_settle(struct kith_netview *v, kith_wall now)
{
    struct kith_link *l, *next;

    for (l = v->all.next; l != &v->all; l = l->next)
        purge_office(v, KITH_OF(l, struct kith_known, link));
    for (l = v->all.next; l != &v->all; l = l->next)
        purge(v, KITH_OF(l, struct kith_known, link));
    v->deadline = KITH_NEVER;
    v->indexed = false;
    for (l = v->all.next; l != &v->all; l = next) {
        struct kith_known *k = KITH_OF(l, struct kith_known, link);
        next = l->next;
        settle(v, k, now);
        if (!kith_rule_cert_stands(v, k, now))
            drop_own(v, k);
        kith_known_drop_empty(v, k);
    }
}

static void note_change(struct kith_netview *v, const struct kith_object *obj, kith_wall now)
{
    struct kith_known *k;

    switch (obj->env.kind) {
    case KITH_OBJECT_network_body:
        v->network_changed = true;
        kith_netview_settle(v, now);
        break;
    case KITH_OBJECT_admin_body:
        if ((k = kith_known_find(v, &obj->admin.peer)) != NULL)
            kith_known_note(v, k, KITH_CHANGE_ADMIN);
        kith_netview_settle(v, now);
        break;
    case KITH_OBJECT_revocation_body:
        k = kith_known_find(v, &obj->revocation.peer);
        if (k != NULL && k->admin != NULL)
            kith_known_note(v, k, KITH_CHANGE_ADMIN);
        kith_netview_settle(v, now);
        break;
    case KITH_OBJECT_members_body: kith_netview_settle(v, now); break;
    case KITH_OBJECT_endpoints_body:
    case KITH_OBJECT_announcement_body:
        if ((k = kith_known_find(v, &obj->env.signer)) == NULL)
            break;
        kith_rule_own_paid(k, now);
        kith_known_note(v, k,
                        obj->env.kind == KITH_OBJECT_endpoints_body ? KITH_CHANGE_ENDPOINTS
                                                                    : KITH_CHANGE_ANNOUNCEMENT);
        break;
    case KITH_OBJECT_member_body:
        if ((k = kith_known_find(v, &obj->member.peer)) == NULL)
            break;
        if (k->shown == KITH_STANDING_MEMBER)
            kith_known_note(v, k, KITH_CHANGE_CERT);
        settle(v, k, now);
        break;
    }
}

/* ---- feeding ---- */

/* KITH_E_STATE: nothing known proves it yet. */
static int judge(const struct kith_netview *v, const struct kith_object *obj, kith_wall now,
                 const char **ret_why)
{
    struct kith_public_key key;
    struct kith_span spki = kith_rule_signer_key(v, obj);

    if (spki.n == 0)
        return KITH_E_STATE;
    int err = kith_rule_check(v, obj, now, ret_why);
    if (err == KITH_OK)
        err = kith_public_key_from(spki, &key);
    if (err == KITH_OK)
        err = kith_object_verify(obj, &key);
    return err;
}

static int take_over(struct kith_netview *v, const struct kith_object *obj, kith_wall now)
{
    int err = kith_store_put(v, obj, now);

    if (err == KITH_OK)
        note_change(v, obj, now);
    return err;
}

/* Whether a held object makes obj superfluous, cheaply: before any signature is looked at. */
static bool superfluous(const struct kith_netview *v, const struct kith_object *obj, kith_wall now,
                        enum kith_offer *ret)
{
    const struct kith_held *h = kith_store_find(v, &obj->key);

    *ret = KITH_OFFER_STALE;
    if (h == NULL || kith_object_beats(obj, &h->obj))
        return !v->loading && kith_rule_spent(v, obj, now);
    if (kith_rule_early(&h->obj, now) && !kith_rule_early(obj, now))
        return false; /* while the calendar was ahead; nobody else has it */
    if (kith_equal_ct(h->obj.hash.b, obj->hash.b, sizeof obj->hash.b))
        *ret = KITH_OFFER_KNOWN;
    return true;
}

static struct kith_held *find_waiting(struct kith_netview *v, const struct kith_hash *hash)
{
    for (struct kith_link *l = v->waiting.next; l != &v->waiting; l = l->next) {
        struct kith_held *h = KITH_OF(l, struct kith_held, link);
        if (memcmp(h->obj.hash.b, hash->b, sizeof hash->b) == 0)
            return h;
    }
    return NULL;
}

static void forget_waiting(struct kith_netview *v, struct kith_held *h)
{
    kith_list_remove(&h->link);
    kith_free(v->env->alloc, h);
    v->count.pending--;
}

/* Keeps obj aside; the one that waited longest makes room. */
static int wait_for_proof(struct kith_netview *v, const struct kith_object *obj)
{
    if (find_waiting(v, &obj->hash) != NULL)
        return KITH_OK;
    struct kith_held *h = kith_held_copy(v, obj);
    if (h == NULL)
        return KITH_E_NOMEM;
    if (v->count.pending >= v->limit.pending)
        forget_waiting(v, KITH_OF(v->waiting.next, struct kith_held, link));
    kith_list_append(&v->waiting, &h->link);
    v->count.pending++;
    return KITH_OK;
}

/* One look at everything that waits; whether something was taken over. */
static bool retry_round(struct kith_netview *v, kith_wall now)
{
    bool any = false;

    for (struct kith_link *l = v->waiting.next, *next; l != &v->waiting; l = next) {
        struct kith_held *h = KITH_OF(l, struct kith_held, link);
        enum kith_offer what;
        const char *why;
        next = l->next;
        int err = superfluous(v, &h->obj, now, &what) ? KITH_E_USED : judge(v, &h->obj, now, &why);
        if (err == KITH_OK)
            err = take_over(v, &h->obj, now);
        if (err == KITH_E_STATE || err == KITH_E_NOMEM || err == KITH_E_CRYPTO)
            continue; /* its time may come */
        if (err < 0) {
            forget_waiting(v, h);
            continue;
        }
        kith_list_remove(&h->link);
        kith_list_append(&v->fresh, &h->link);
        v->count.pending--;
        any = true;
    }
    return any;
}

static void retry_waiting(struct kith_netview *v, uint8_t proved_by, kith_wall now)
{
    if (proved_by != KITH_OBJECT_network_body && proved_by != KITH_OBJECT_admin_body &&
        proved_by != KITH_OBJECT_member_body)
        return;
    /* an ADMIN may prove a MEMBER, and that what it says of itself; each round empties some of what
     * waits */
    while (retry_round(v, now))
        ;
}

/* Before its signature costs anything. Of this node's own there is no limit here. */
static bool moves_too_often(const struct kith_netview *v, const struct kith_object *obj,
                            kith_wall now)
{
    const struct kith_known *k = kith_known_find(v, &obj->env.signer);

    return kith_object_is_own(obj->env.kind) && k != NULL &&
           !kith_peer_id_equal(&obj->env.signer, &v->me) && !kith_rule_own_afforded(k, now);
}

static int offer(struct kith_netview *v, struct kith_span object, kith_wall now,
                 enum kith_offer *ret, const char **ret_why)
{
    struct kith_object obj;
    int err = kith_object_open(object, &obj);

    if (err < 0)
        return err;
    if (!kith_network_id_equal(&obj.env.network, &v->id))
        return KITH_E_INVAL;
    if (superfluous(v, &obj, now, ret))
        return KITH_OK;
    if (moves_too_often(v, &obj, now)) {
        *ret_why = "its signer says too often what is new about it";
        return KITH_E_LIMIT;
    }
    err = judge(v, &obj, now, ret_why);
    if (err == KITH_E_STATE) {
        *ret = KITH_OFFER_PENDING;
        return wait_for_proof(v, &obj);
    }
    if (err == KITH_OK)
        err = take_over(v, &obj, now);
    if (err == KITH_OK) {
        *ret = KITH_OFFER_NEW;
        retry_waiting(v, obj.env.kind, now);
    }
    return err;
}

int kith_netview_offer(struct kith_netview *v, struct kith_span object, kith_wall now,
                       enum kith_offer *ret, const char **ret_why)
{
    enum kith_offer what = KITH_OFFER_NEW;
    const char *why = NULL;

    free_held_list(v, &v->told);
    free_held_list(v, &v->fresh);
    free_held_list(v, &v->dropped);
    int err = offer(v, object, now, &what, &why);
    if (err == KITH_OK)
        *ret = what;
    else if (ret_why != NULL)
        *ret_why = why != NULL ? why : kith_err_text(err);
    return err;
}

int kith_netview_load(struct kith_netview *v, struct kith_span object, kith_wall now,
                      enum kith_offer *ret, const char **ret_why)
{
    v->loading = true;
    int err = kith_netview_offer(v, object, now, ret, ret_why);
    v->loading = false;
    return err;
}

bool kith_netview_next_new(struct kith_netview *v, struct kith_span *ret)
{
    if (kith_list_empty(&v->fresh))
        return false;
    struct kith_held *h = KITH_OF(v->fresh.next, struct kith_held, link);
    kith_list_remove(&h->link);
    kith_list_append(&v->told, &h->link);
    *ret = h->obj.bytes;
    return true;
}

void kith_netview_tick(struct kith_netview *v, kith_wall now)
{
    free_held_list(v, &v->dropped);
    kith_netview_settle(v, now); /* not only past the deadline: calendars are set back, too */
}

bool kith_netview_next_dropped(struct kith_netview *v, struct kith_object_key *ret)
{
    if (kith_list_empty(&v->dropped))
        return false;
    struct kith_held *h = KITH_OF(v->dropped.next, struct kith_held, link);
    *ret = h->obj.key;
    kith_list_remove(&h->link);
    kith_free(v->env->alloc, h);
    return true;
}

kith_wall kith_netview_deadline(const struct kith_netview *v)
{
    return v->deadline;
}

/* ---- effects ---- */

static void take_effect(struct kith_netview *v, struct kith_known *k, unsigned what)
{
    k->effects &= ~(1u << what);
    if (k->effects != 0)
        return;
    kith_list_remove(&k->changed);
    kith_known_drop_empty(v, k);
}

bool kith_netview_next_effect(struct kith_netview *v, struct kith_netview_effect *ret)
{
    if (v->network_changed) {
        v->network_changed = false;
        *ret = (struct kith_netview_effect){.change = KITH_CHANGE_NETWORK, .peer = v->root};
        return true;
    }
    if (kith_list_empty(&v->changed))
        return false;
    struct kith_known *k = KITH_OF(v->changed.next, struct kith_known, changed);
    unsigned what = KITH_CHANGE_NETWORK;
    while ((k->effects & 1u << what) == 0)
        what++;
    *ret = (struct kith_netview_effect){
        .change = (enum kith_netview_change)what, .peer = k->id, .standing = k->shown};
    take_effect(v, k, what);
    return true;
}

/* ---- plain questions ---- */

const struct kith_object *kith_netview_network(const struct kith_netview *v)
{
    return v->network != NULL ? &v->network->obj : NULL;
}

const struct kith_network_id *kith_netview_id(const struct kith_netview *v)
{
    return &v->id;
}

const struct kith_peer_id *kith_netview_me(const struct kith_netview *v)
{
    return &v->me;
}

enum kith_standing kith_netview_standing(const struct kith_netview *v,
                                         const struct kith_peer_id *peer, kith_wall now)
{
    const struct kith_known *k = kith_known_find(v, peer);

    return k != NULL ? kith_rule_standing(v, k, now) : KITH_STANDING_NONE;
}

bool kith_netview_is_member(const struct kith_netview *v, const struct kith_peer_id *peer,
                            kith_wall now)
{
    return kith_netview_standing(v, peer, now) == KITH_STANDING_MEMBER;
}

/* An office that ended when it was signed is none, whatever the calendar here says. */
static bool is_dismissal(const struct kith_object *office)
{
    return office->admin.not_after <= office->env.issued;
}

static bool in_office(const struct kith_netview *v, const struct kith_known *k, kith_wall now)
{
    uint64_t stands_to;

    return k != NULL && k->admin != NULL && now < k->admin->obj.admin.not_after &&
           !is_dismissal(&k->admin->obj) && !kith_rule_admin_revoked(v, k, &stands_to);
}

const struct kith_object *kith_netview_admin(const struct kith_netview *v,
                                             const struct kith_peer_id *peer, kith_wall now)
{
    const struct kith_known *k = kith_known_find(v, peer);

    return in_office(v, k, now) ? &k->admin->obj : NULL;
}

const struct kith_object *kith_netview_office(const struct kith_netview *v,
                                              const struct kith_peer_id *peer)
{
    const struct kith_known *k = kith_known_find(v, peer);

    return k != NULL && k->admin != NULL ? &k->admin->obj : NULL;
}

bool kith_netview_is_signer(const struct kith_netview *v, const struct kith_peer_id *peer,
                            kith_wall now)
{
    return kith_peer_id_equal(peer, &v->root) || kith_netview_admin(v, peer, now) != NULL;
}

const struct kith_object *kith_netview_next_admin(const struct kith_netview *v, size_t *at,
                                                  kith_wall now)
{
    const struct kith_known *k;

    while ((k = kith_map_next(&v->by_peer, at)) != NULL)
        if (in_office(v, k, now))
            return &k->admin->obj;
    return NULL;
}

const struct kith_object *kith_netview_next_office(const struct kith_netview *v, size_t *at)
{
    const struct kith_known *k;

    while ((k = kith_map_next(&v->by_peer, at)) != NULL)
        if (k->admin != NULL)
            return &k->admin->obj;
    return NULL;
}

const struct kith_object *kith_netview_revocation(const struct kith_netview *v,
                                                  const struct kith_peer_id *peer, size_t i)
{
    const struct kith_known *k = kith_known_find(v, peer);

    if (k == NULL)
        return NULL;
    for (struct kith_link *l = k->revocations.next; l != &k->revocations; l = l->next)
        if (i-- == 0)
            return &KITH_OF(l, struct kith_held, link)->obj;
    return NULL;
}
