#include "identity/issuer.h"
#include "identity/network_view_parts.h"

static bool is_root(const struct kith_netview *v, const struct kith_peer_id *peer)
{
    return kith_peer_id_equal(peer, &v->root);
}

/* ---- admins ---- */

bool kith_rule_admin_revoked(const struct kith_netview *v, const struct kith_known *k,
                             uint64_t *ret_stands_to)
{
    for (struct kith_link *l = k->revocations.next; l != &k->revocations; l = l->next) {
        const struct kith_object *o = &KITH_OF(l, struct kith_held, link)->obj;
        if (is_root(v, &o->env.signer) && o->revocation.serials.n == 0) {
            *ret_stands_to = o->revocation.admin_stands_to;
            return true;
        }
    }
    return false;
}

/* The number by which an admin's statement is inside or outside its bounds (spec objects 5.2). */
static uint64_t place_in_series(const struct kith_object *obj)
{
    return obj->env.kind == KITH_OBJECT_member_body ? obj->member.serial : obj->env.number;
}

/* What is wrong with an admin's statement, or NULL. Spec objects 5.2. */
static const char *outside_bounds(const struct kith_netview *v, const struct kith_known *signer,
                                  const struct kith_object *obj)
{
    const struct kith_admin_body *a = &signer->admin->obj.admin;
    uint64_t at = place_in_series(obj), stands_to;

    if (at < a->serial_first || at > a->serial_last)
        return "its serial is outside its signer's range";
    if (obj->env.issued > a->not_after)
        return "it was issued after its signer's appointment ended";
    if (obj->env.kind == KITH_OBJECT_member_body && !kith_prefix_holds(&a->ipv4, &obj->member.ipv4))
        return "its address is outside its signer's block";
    if (obj->env.kind == KITH_OBJECT_member_body &&
        obj->member.not_after > kith_after(a->not_after, KITH_CERT_VALID))
        return "it outlasts its signer's office by more than 30 days";
    if (kith_rule_admin_revoked(v, signer, &stands_to) && at > stands_to)
        return "its signer was revoked";
    return NULL;
}

/* What is given to an admin or a member lies within what the network has. The root may say a new
 * range: what lies outside it then counts no more, whichever came first. */
static const char *outside_range(const struct kith_netview *v, const struct kith_object *obj)
{
    const struct kith_prefix *all = &v->network->obj.network.ipv4;

    if (obj->env.kind == KITH_OBJECT_member_body && !kith_prefix_holds(all, &obj->member.ipv4))
        return "its address is outside the network's range";
    if (obj->env.kind == KITH_OBJECT_admin_body &&
        (!kith_prefix_holds(all, &obj->admin.ipv4.ip) || obj->admin.ipv4.bits < all->bits))
        return "its block is outside the network's range";
    return NULL;
}

bool kith_rule_is_leave(const struct kith_object *obj)
{
    return obj->env.kind == KITH_OBJECT_revocation_body &&
           kith_peer_id_equal(&obj->env.signer, &obj->revocation.peer);
}

/* Numbers of these are times, so that nobody can claim the last number there is (spec objects 4.4).
 */
static bool numbered_by_time(const struct kith_object *obj)
{
    return (obj->env.kind != KITH_OBJECT_revocation_body || kith_rule_is_leave(obj)) &&
           obj->env.kind != KITH_OBJECT_members_body;
}

bool kith_rule_early(const struct kith_object *obj, kith_wall now)
{
    kith_wall latest = kith_after(now, KITH_WALL_TOLERANCE);

    return obj->env.issued > latest || (numbered_by_time(obj) && obj->env.number > latest);
}

unsigned kith_rule_weight(const struct kith_netview *v, const struct kith_object *revocation)
{
    if (is_root(v, &revocation->env.signer))
        return 2;
    return kith_rule_is_leave(revocation) ? 0 : 1;
}

bool kith_rule_stands(const struct kith_netview *v, const struct kith_object *obj)
{
    if (outside_range(v, obj) != NULL)
        return false;
    if (is_root(v, &obj->env.signer))
        return true;
    const struct kith_known *signer = kith_known_find(v, &obj->env.signer);
    if (kith_rule_is_leave(obj)) /* it counts against a certificate, and one proved it */
        return signer != NULL && signer->cert != NULL;
    if (signer == NULL || signer->admin == NULL)
        return false;
    if (obj->env.kind == KITH_OBJECT_revocation_body) {
        const struct kith_known *k = kith_known_find(v, &obj->revocation.peer);
        if (k != NULL && k->admin != NULL)
            return false; /* spec objects 3.4.2: only the root revokes an admin */
    }
    return outside_bounds(v, signer, obj) == NULL;
}

/* ---- members ---- */

static bool serial_listed(const struct kith_revocation_body *b, uint64_t serial)
{
    struct kith_reader r = kith_reader_on(b->serials.bytes);
    struct kith_serial_item item;

    while (kith_serial_item_next(&r, &item))
        if (item.serial == serial)
            return true;
    return b->serials.n == 0;
}

static bool revoked(const struct kith_netview *v, const struct kith_known *k, uint64_t serial)
{
    for (struct kith_link *l = k->revocations.next; l != &k->revocations; l = l->next) {
        const struct kith_object *o = &KITH_OF(l, struct kith_held, link)->obj;
        if (!kith_rule_is_leave(o) && kith_rule_stands(v, o) &&
            serial_listed(&o->revocation, serial))
            return true;
    }
    return false;
}

static bool said_goodbye(const struct kith_known *k, uint64_t serial)
{
    for (struct kith_link *l = k->revocations.next; l != &k->revocations; l = l->next) {
        const struct kith_object *o = &KITH_OF(l, struct kith_held, link)->obj;
        if (kith_rule_is_leave(o) && serial_listed(&o->revocation, serial))
            return true;
    }
    return false;
}

/* The list is in order and its records are equally long, so halving finds. */
static bool list_holds(const struct kith_members_body *b, const struct kith_peer_id *peer)
{
    size_t lo = 0, hi = b->members.n;
    size_t each = hi > 0 ? b->members.bytes.n / hi : 0;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = memcmp(b->members.bytes.p + mid * each, peer->b, sizeof peer->b);
        if (order == 0)
            return true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

/* Spec objects 3.6.3: it says so, or it is older than its signer's newest list and not on it. */
static bool left(const struct kith_netview *v, const struct kith_known *k, kith_wall now)
{
    const struct kith_object *cert = &k->cert->obj;
    const struct kith_known *signer = kith_known_find(v, &cert->env.signer);

    if (said_goodbye(k, cert->member.serial))
        return true;
    if (signer == NULL || signer->list == NULL || !kith_rule_stands(v, &signer->list->obj) ||
        kith_rule_early(&signer->list->obj, now))
        return false;
    const struct kith_object *list = &signer->list->obj;
    return cert->member.serial < list->env.number && !list_holds(&list->members, &k->id);
}

bool kith_rule_cert_stands(const struct kith_netview *v, const struct kith_known *k, kith_wall now)
{
    return k->cert != NULL && kith_rule_stands(v, &k->cert->obj) &&
           !revoked(v, k, k->cert->obj.member.serial) && !left(v, k, now);
}

/* Spec objects 3.3.2. */
enum kith_standing kith_rule_standing(const struct kith_netview *v, const struct kith_known *k,
                                      kith_wall now)
{
    if (k->cert == NULL || !kith_rule_stands(v, &k->cert->obj))
        return KITH_STANDING_NONE;
    const struct kith_member_body *m = &k->cert->obj.member;
    if (revoked(v, k, m->serial))
        return KITH_STANDING_REVOKED;
    if (left(v, k, now))
        return KITH_STANDING_LEFT;
    if (now >= m->not_after)
        return KITH_STANDING_EXPIRED;
    return kith_after(now, KITH_WALL_TOLERANCE) < m->not_before ? KITH_STANDING_EARLY
                                                                : KITH_STANDING_MEMBER;
}

kith_wall kith_rule_turns(const struct kith_known *k, kith_wall now)
{
    if (k->cert == NULL || now >= k->cert->obj.member.not_after)
        return KITH_NEVER;
    const struct kith_member_body *m = &k->cert->obj.member;
    if (m->not_before > kith_after(now, KITH_WALL_TOLERANCE))
        return m->not_before - KITH_WALL_TOLERANCE;
    return m->not_after;
}

/* ---- judging what comes ---- */

/* Spec objects 3.5.2: one in so many seconds, beyond so many at once. */
#define OWN_COST ((kith_wall)10)
#define OWN_BURST 8

static kith_wall spent_until(const struct kith_known *k, kith_wall now)
{
    kith_wall paid = k->own_paid;

    /* further ahead than can be: the clock was set back */
    return paid < now || paid > now + OWN_COST * OWN_BURST ? now : paid;
}

bool kith_rule_own_afforded(const struct kith_known *k, kith_wall now)
{
    return spent_until(k, now) + OWN_COST <= now + OWN_COST * OWN_BURST;
}

void kith_rule_own_paid(struct kith_known *k, kith_wall now)
{
    k->own_paid = spent_until(k, now) + OWN_COST;
}

struct kith_span kith_rule_signer_key(const struct kith_netview *v, const struct kith_object *obj)
{
    const struct kith_known *k = kith_known_find(v, &obj->env.signer);

    if (obj->env.kind == KITH_OBJECT_network_body)
        return obj->network.root; /* opening it compared its hash with the network id */
    if (v->network == NULL)
        return (struct kith_span){0};
    if (kith_object_is_own(obj->env.kind) || kith_rule_is_leave(obj))
        return k != NULL && k->cert != NULL ? k->cert->obj.member.spki : (struct kith_span){0};
    if (is_root(v, &obj->env.signer))
        return v->network->obj.network.root;
    return k != NULL && k->admin != NULL ? k->admin->obj.admin.spki : (struct kith_span){0};
}

/* What only the root may say. */
static const char *against_root_object(const struct kith_netview *v, const struct kith_object *obj)
{
    if (!is_root(v, &obj->env.signer))
        return "only the root may sign that";
    return obj->env.kind == KITH_OBJECT_admin_body ? outside_range(v, obj) : NULL;
}

static const char *against_own(const struct kith_netview *v, const struct kith_object *obj,
                               kith_wall now)
{
    uint64_t until = obj->env.kind == KITH_OBJECT_endpoints_body ? obj->endpoints.valid_until
                                                                 : obj->announcement.valid_until;

    if (!kith_rule_cert_stands(v, kith_known_find(v, &obj->env.signer), now))
        return "its signer is no member";
    return until <= now ? "it is out of date" : NULL;
}

static const char *against_leave(const struct kith_object *obj)
{
    if (obj->revocation.serials.n == 0)
        return "a member that leaves names its certificates";
    if (obj->revocation.admin_stands_to != 0)
        return "only the root may say what of an admin stands";
    return NULL;
}

/* MEMBER, REVOCATION and MEMBERS: by the root or an admin. */
static const char *against_statement(const struct kith_netview *v, const struct kith_object *obj)
{
    const struct kith_known *k;
    const char *why = outside_range(v, obj);

    if (why != NULL || is_root(v, &obj->env.signer))
        return why;
    if (obj->env.kind == KITH_OBJECT_revocation_body) {
        k = kith_known_find(v, &obj->revocation.peer);
        if ((k != NULL && k->admin != NULL) || is_root(v, &obj->revocation.peer))
            return "only the root may revoke an admin";
        if (obj->revocation.admin_stands_to != 0)
            return "only the root may say what of an admin stands";
    }
    return outside_bounds(v, kith_known_find(v, &obj->env.signer), obj);
}

static const char *against(const struct kith_netview *v, const struct kith_object *obj,
                           kith_wall now)
{
    if (kith_rule_early(obj, now))
        return "it is from the future, or the clock here is late";
    switch (obj->env.kind) {
    case KITH_OBJECT_network_body:
    case KITH_OBJECT_admin_body: return against_root_object(v, obj);
    case KITH_OBJECT_endpoints_body:
    case KITH_OBJECT_announcement_body: return against_own(v, obj, now);
    }
    return kith_rule_is_leave(obj) ? against_leave(obj) : against_statement(v, obj);
}

int kith_rule_check(const struct kith_netview *v, const struct kith_object *obj, kith_wall now,
                    const char **ret_why)
{
    const char *why = against(v, obj, now);

    if (why == NULL)
        return KITH_OK;
    *ret_why = why;
    return KITH_E_REFUSED;
}
