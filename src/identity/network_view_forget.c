/* network_view_forget.c: what is over for good, and letting go of it. Spec objects 8. */
#include "identity/issuer.h"
#include "identity/network_view_parts.h"

#define KEPT (30 * KITH_WALL_DAY) /* beyond its end: its holder may come back and want its name */

/* All clocks that are right stop telling of something at the same moment. */
static kith_wall next_midnight(kith_wall at)
{
    return at >= KITH_NEVER - KITH_WALL_DAY ? KITH_NEVER : (at / KITH_WALL_DAY + 1) * KITH_WALL_DAY;
}

static kith_wall later(kith_wall a, kith_wall b)
{
    return a > b ? a : b;
}

/* An older version must have ended, too, else it would come back where the newer is forgotten: so
 * the longest that one may last counts from when this was issued. */
static kith_wall last_moment(kith_wall not_after, kith_wall issued, kith_wall longest)
{
    return later(not_after, kith_after(issued, longest));
}

static kith_wall spent_from(const struct kith_object *obj)
{
    kith_wall issued = obj->env.issued, last;

    switch (obj->env.kind) {
    case KITH_OBJECT_member_body:
        last = last_moment(obj->member.not_after, issued, KITH_CERT_VALID);
        return next_midnight(kith_after(last, KEPT));
    case KITH_OBJECT_admin_body: /* what it signed outlasts it */
        last = last_moment(obj->admin.not_after, issued, KITH_ADMIN_VALID);
        return next_midnight(kith_after(last, KITH_CERT_VALID + KEPT));
    case KITH_OBJECT_endpoints_body: return next_midnight(obj->endpoints.valid_until);
    case KITH_OBJECT_announcement_body: return next_midnight(obj->announcement.valid_until);
    }
    return KITH_NEVER;
}

static bool is_own_cert(const struct kith_netview *v, const struct kith_object *obj)
{
    return obj->env.kind == KITH_OBJECT_member_body &&
           kith_peer_id_equal(&obj->member.peer, &v->me);
}

bool kith_rule_spent(const struct kith_netview *v, const struct kith_object *obj, kith_wall now)
{
    return obj->env.kind != KITH_OBJECT_admin_body && !is_own_cert(v, obj) &&
           now >= spent_from(obj);
}

/* What an admin revoked is revoked for good, and its office proves it. */
static bool is_needed(const struct kith_netview *v, const struct kith_object *obj)
{
    const struct kith_known *k =
        obj->env.kind == KITH_OBJECT_admin_body ? kith_known_find(v, &obj->admin.peer) : NULL;

    return k != NULL && k->revoked > 0;
}

/* What a member said of itself goes with its certificate. */
bool kith_rule_held_spent(const struct kith_netview *v, const struct kith_held *h, kith_wall now)
{
    const struct kith_object *obj = &h->obj;

    if (now >= spent_from(obj))
        return !is_needed(v, obj);
    if (!kith_object_is_own(obj->env.kind) && !kith_rule_is_leave(obj))
        return false;
    const struct kith_known *k = kith_known_find(v, &obj->env.signer);
    return k != NULL && k->cert != NULL && now >= spent_from(&k->cert->obj);
}

kith_wall kith_netview_proved(const struct kith_netview *v, kith_wall now)
{
    const struct kith_object *o;
    kith_wall latest = 0;
    size_t at = 0;

    while ((o = kith_netview_next_object(v, &at)) != NULL)
        if (!kith_peer_id_equal(&o->env.signer, &v->me) &&
            !kith_peer_id_equal(&o->env.signer, &v->root) && o->env.issued <= now)
            latest = later(latest, o->env.issued);
    return latest;
}

static void drop_if_spent(struct kith_netview *v, struct kith_held *h, kith_wall now)
{
    if (h != NULL && kith_rule_held_spent(v, h, now))
        kith_store_drop(v, h);
}

/* A leave that lost its certificate goes with what settling finds to count no more. */
static void forget_one(struct kith_netview *v, struct kith_known *k, kith_wall now)
{
    drop_if_spent(v, k->admin, now);
    drop_if_spent(v, k->endpoints, now);
    drop_if_spent(v, k->announcement, now);
    if (!kith_peer_id_equal(&k->id, &v->me))
        drop_if_spent(v, k->cert, now);
}

void kith_netview_forget(struct kith_netview *v, kith_wall now)
{
    kith_wall proved = kith_netview_proved(v, now);

    kith_netview_tick(v, now);
    if (proved < KITH_WALL_DAY)
        return;
    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next)
        forget_one(v, KITH_OF(l, struct kith_known, link), proved - KITH_WALL_DAY);
    kith_netview_settle(v, now);
}
