#include "identity/network_view_parts.h"

/* ---- peers ---- */

struct kith_known *kith_known_find(const struct kith_netview *v, const struct kith_peer_id *peer)
{
    return kith_map_find(&v->by_peer, peer->b);
}

struct kith_known *kith_known_get(struct kith_netview *v, const struct kith_peer_id *peer)
{
    struct kith_known *k = kith_known_find(v, peer);

    if (k != NULL)
        return k;
    k = kith_new_zero(v->env->alloc, sizeof *k);
    if (k == NULL)
        return NULL;
    k->id = *peer;
    if (kith_map_put(&v->by_peer, peer->b, k) < 0) {
        kith_free(v->env->alloc, k);
        return NULL;
    }
    kith_list_init(&k->changed);
    kith_list_init(&k->revocations);
    kith_list_append(&v->all, &k->link);
    return k;
}

void kith_known_drop_empty(struct kith_netview *v, struct kith_known *k)
{
    if (k->cert != NULL || k->admin != NULL || k->endpoints != NULL || k->announcement != NULL ||
        k->list != NULL || !kith_list_empty(&k->revocations) || k->effects != 0)
        return;
    (void)kith_map_take(&v->by_peer, k->id.b);
    kith_list_remove(&k->changed);
    kith_list_remove(&k->link);
    kith_free(v->env->alloc, k);
}

void kith_known_note(struct kith_netview *v, struct kith_known *k, enum kith_netview_change what)
{
    const uint32_t added = 1u << KITH_CHANGE_ADDED, gone = 1u << KITH_CHANGE_GONE;

    if (what == KITH_CHANGE_GONE && (k->effects & added) != 0)
        k->effects &= ~(added | 1u << KITH_CHANGE_CERT); /* nobody was told it came */
    else if (what == KITH_CHANGE_ADDED && (k->effects & gone) != 0)
        k->effects = (k->effects & ~gone) | 1u << KITH_CHANGE_CERT;
    else
        k->effects |= 1u << what;
    if (k->effects == 0)
        kith_list_remove(&k->changed);
    else if (kith_list_empty(&k->changed))
        kith_list_append(&v->changed, &k->changed);
}

/* ---- objects ---- */

struct kith_held *kith_store_find(const struct kith_netview *v, const struct kith_object_key *key)
{
    return kith_map_find(&v->by_key, key->b);
}

struct kith_held *kith_held_copy(struct kith_netview *v, const struct kith_object *obj)
{
    struct kith_held *h = kith_new_zero(v->env->alloc, sizeof *h + obj->bytes.n);

    if (h == NULL)
        return NULL;
    kith_list_init(&h->link);
    kith_copy(h->data, obj->bytes.p, obj->bytes.n);
    if (kith_object_open((struct kith_span){h->data, obj->bytes.n}, &h->obj) < 0) {
        kith_free(v->env->alloc, h); /* it opened before, so only the library's memory is short */
        return NULL;
    }
    return h;
}

/* Whom obj is filed under. Not for NETWORK. */
static const struct kith_peer_id *subject_of(const struct kith_object *obj)
{
    switch (obj->env.kind) {
    case KITH_OBJECT_admin_body: return &obj->admin.peer;
    case KITH_OBJECT_member_body: return &obj->member.peer;
    case KITH_OBJECT_revocation_body: return &obj->revocation.peer;
    }
    return &obj->env.signer;
}

/* Where an object of this kind hangs; NULL for revocations, which are a list. */
static struct kith_held **place_of(struct kith_netview *v, struct kith_known *k, uint8_t kind)
{
    switch (kind) {
    case KITH_OBJECT_network_body: return &v->network;
    case KITH_OBJECT_admin_body: return &k->admin;
    case KITH_OBJECT_member_body: return &k->cert;
    case KITH_OBJECT_endpoints_body: return &k->endpoints;
    case KITH_OBJECT_announcement_body: return &k->announcement;
    case KITH_OBJECT_members_body: return &k->list;
    }
    return NULL;
}

/* The counter and the limit of a kind; false for kinds that others bound. */
static bool counter_of(struct kith_netview *v, uint8_t kind, uint32_t **ret, uint32_t *ret_limit)
{
    switch (kind) {
    case KITH_OBJECT_admin_body:
        *ret = &v->count.admins;
        *ret_limit = v->limit.admins;
        return true;
    case KITH_OBJECT_member_body:
        *ret = &v->count.members;
        *ret_limit = v->limit.members;
        return true;
    case KITH_OBJECT_revocation_body:
        *ret = &v->count.revocations;
        *ret_limit = v->limit.revocations;
        return true;
    }
    return false;
}

static struct kith_known *known_of(const struct kith_netview *v, const struct kith_object *obj)
{
    return kith_known_find(v, subject_of(obj));
}

/* The count of revocations that obj's signer has here, NULL where obj is none, or a leave. The
 * root, of which nothing else need be known, has no count: it shares its weight with nobody. */
static uint32_t *signed_by(const struct kith_netview *v, const struct kith_object *obj)
{
    struct kith_known *k = NULL;

    if (obj->env.kind == KITH_OBJECT_revocation_body && !kith_rule_is_leave(obj))
        k = kith_known_find(v, &obj->env.signer);
    return k != NULL && !kith_peer_id_equal(&k->id, &v->root) ? &k->revoked : NULL;
}

static void unhook(struct kith_netview *v, struct kith_held *h)
{
    struct kith_held **place = place_of(v, known_of(v, &h->obj), h->obj.env.kind);
    uint32_t *revoked = signed_by(v, &h->obj);

    kith_list_remove(&h->link);
    if (place != NULL)
        *place = NULL;
    if (revoked != NULL)
        (*revoked)--;
}

/* k is NULL for the network's own object, which is nobody's. */
static void hook(struct kith_netview *v, struct kith_known *k, struct kith_held *h)
{
    struct kith_held **place = place_of(v, k, h->obj.env.kind);
    uint32_t *revoked = signed_by(v, &h->obj);

    if (place != NULL)
        *place = h;
    else if (k != NULL)
        kith_list_append(&k->revocations, &h->link);
    if (revoked != NULL)
        (*revoked)++;
}

void kith_store_drop(struct kith_netview *v, struct kith_held *h)
{
    uint32_t *count, limit;

    if (counter_of(v, h->obj.env.kind, &count, &limit))
        (*count)--;
    (void)kith_map_take(&v->by_key, h->obj.key.b);
    unhook(v, h);
    kith_list_append(&v->dropped, &h->link);
    v->indexed = v->summed = false;
}

/* The certificate that is missed least: no longer good, and the longest so. */
static struct kith_known *least_missed(struct kith_netview *v, kith_wall now)
{
    struct kith_known *worst = NULL;

    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next) {
        struct kith_known *k = KITH_OF(l, struct kith_known, link);
        if (k->cert == NULL || k->effects != 0 ||
            kith_rule_standing(v, k, now) == KITH_STANDING_MEMBER)
            continue;
        if (worst == NULL || k->cert->obj.member.not_after < worst->cert->obj.member.not_after)
            worst = k;
    }
    return worst;
}

/* A revocation of less weight than obj, or NULL: an admin must not keep the root from ending it. */
static struct kith_held *lighter_revocation(struct kith_netview *v, const struct kith_object *obj)
{
    struct kith_held *lightest = NULL;
    unsigned weight = kith_rule_weight(v, obj);

    for (struct kith_link *l = v->all.next; l != &v->all && weight > 0; l = l->next) {
        struct kith_known *k = KITH_OF(l, struct kith_known, link);
        for (struct kith_link *r = k->revocations.next; r != &k->revocations; r = r->next) {
            struct kith_held *h = KITH_OF(r, struct kith_held, link);
            if (kith_rule_weight(v, &h->obj) >= weight)
                continue;
            lightest = h;
            weight = kith_rule_weight(v, &h->obj);
        }
    }
    return lightest;
}

/* The admin that signed most of the revocations held. */
static const struct kith_known *most_revoking(const struct kith_netview *v)
{
    const struct kith_known *most = NULL;

    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next) {
        const struct kith_known *k = KITH_OF(l, struct kith_known, link);
        if (k->admin != NULL && (most == NULL || k->revoked > most->revoked))
            most = k;
    }
    return most;
}

static struct kith_held *oldest_revocation(struct kith_netview *v,
                                           const struct kith_peer_id *signer)
{
    struct kith_held *oldest = NULL;

    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next) {
        struct kith_known *k = KITH_OF(l, struct kith_known, link);
        for (struct kith_link *r = k->revocations.next; r != &k->revocations; r = r->next) {
            struct kith_held *h = KITH_OF(r, struct kith_held, link);
            if (kith_peer_id_equal(&h->obj.env.signer, signer) &&
                !kith_peer_id_equal(&h->obj.revocation.peer, signer) &&
                (oldest == NULL || h->obj.env.number < oldest->obj.env.number))
                oldest = h;
        }
    }
    return oldest;
}

/* Among equals: the oldest of who signed most, so that a flood is at the cost of who floods. A
 * leave makes no room for a leave. NULL: obj itself is what is missed least. */
static struct kith_held *equal_revocation(struct kith_netview *v, const struct kith_object *obj)
{
    const struct kith_peer_id *signer = &obj->env.signer;
    const struct kith_known *own = kith_known_find(v, signer), *most;

    switch (kith_rule_weight(v, obj)) {
    case 0: return NULL;
    case 1:
        most = most_revoking(v);
        if (most != NULL && own != NULL && most->revoked > own->revoked)
            return oldest_revocation(v, &most->id);
    }
    struct kith_held *h = oldest_revocation(v, signer);
    return h != NULL && h->obj.env.number < obj->env.number ? h : NULL;
}

static int make_room(struct kith_netview *v, const struct kith_object *obj, kith_wall now)
{
    uint32_t *count, limit;

    if (!counter_of(v, obj->env.kind, &count, &limit) || *count < limit)
        return KITH_OK;
    if (obj->env.kind == KITH_OBJECT_revocation_body) {
        struct kith_held *h = lighter_revocation(v, obj);
        if (h == NULL)
            h = equal_revocation(v, obj);
        if (h == NULL)
            return KITH_E_FULL;
        kith_store_drop(v, h); /* what follows is settled with the new one */
        return KITH_OK;
    }
    if (obj->env.kind != KITH_OBJECT_member_body || obj->member.not_after <= now)
        return KITH_E_FULL;

    struct kith_known *k = least_missed(v, now);
    if (k == NULL)
        return KITH_E_FULL;
    if (k->endpoints != NULL)
        kith_store_drop(v, k->endpoints);
    if (k->announcement != NULL)
        kith_store_drop(v, k->announcement);
    kith_store_drop(v, k->cert);
    kith_known_drop_empty(v, k);
    return KITH_OK;
}

/* Takes h, also when it fails. */
static int add(struct kith_netview *v, struct kith_held *h)
{
    uint8_t kind = h->obj.env.kind;
    struct kith_known *k = NULL;
    uint32_t *count, limit;
    int err = KITH_OK;

    if (kind != KITH_OBJECT_network_body && (k = kith_known_get(v, subject_of(&h->obj))) == NULL)
        err = KITH_E_NOMEM;
    if (err == KITH_OK)
        err = kith_map_put(&v->by_key, h->obj.key.b, h);
    if (err < 0) {
        kith_free(v->env->alloc, h);
        if (k != NULL)
            kith_known_drop_empty(v, k);
        return err;
    }
    hook(v, k, h);
    if (counter_of(v, kind, &count, &limit))
        (*count)++;
    return KITH_OK;
}

int kith_store_put(struct kith_netview *v, const struct kith_object *obj, kith_wall now)
{
    struct kith_held *old = kith_store_find(v, &obj->key);
    int err = old == NULL ? make_room(v, obj, now) : KITH_OK;

    if (err < 0)
        return err;
    struct kith_held *h = kith_held_copy(v, obj);
    if (h == NULL)
        return KITH_E_NOMEM;
    v->indexed = v->summed = false;
    if (old == NULL)
        return add(v, h);

    struct kith_known *k =
        obj->env.kind == KITH_OBJECT_network_body ? NULL : known_of(v, &old->obj);
    unhook(v, old);
    kith_free(v->env->alloc, old);
    err = kith_map_put(&v->by_key, h->obj.key.b, h); /* in place: cannot fail */
    hook(v, k, h);
    return err;
}
