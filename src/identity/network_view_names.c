#include "identity/network_view_parts.h"

#include <stdlib.h>

/* ---- the index: who has which name and address ---- */

static const struct kith_member_body *body_of(const struct kith_known *k)
{
    return &k->cert->obj.member;
}

/* By name as signed; among equals the order in which they get it: by issuer (the upper bits of a
 * serial), then by peer id, so that renewing a certificate renames nobody. Spec identity 6.2. */
static int by_signed_name(const void *pa, const void *pb)
{
    const struct kith_known *a = *(struct kith_known *const *)pa;
    const struct kith_known *b = *(struct kith_known *const *)pb;
    int order = kith_span_compare(body_of(a)->name, body_of(b)->name);
    uint64_t ia = body_of(a)->serial >> 40, ib = body_of(b)->serial >> 40;

    if (order != 0)
        return order;
    if (ia != ib)
        return ia < ib ? -1 : 1;
    return memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

static int by_shown_name(const void *pa, const void *pb)
{
    const struct kith_known *a = *(struct kith_known *const *)pa;
    const struct kith_known *b = *(struct kith_known *const *)pb;

    return strcmp(a->name, b->name);
}

static int by_address(const void *pa, const void *pb)
{
    const struct kith_known *a = *(struct kith_known *const *)pa;
    const struct kith_known *b = *(struct kith_known *const *)pb;
    int order = memcmp(body_of(a)->ipv4.b, body_of(b)->ipv4.b, sizeof body_of(a)->ipv4.b);

    if (order != 0)
        return order;
    /* two certificates for one address: an issuer's mistake; the newer counts */
    if (body_of(a)->serial != body_of(b)->serial)
        return body_of(a)->serial > body_of(b)->serial ? -1 : 1;
    return memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

static struct kith_span signed_name(const struct kith_known *k)
{
    return body_of(k)->name;
}

static struct kith_span shown_name(const struct kith_known *k)
{
    return kith_span_text(k->name);
}

/* The entry of by_name, which is in order of what `of` says, with this name; may be NULL. */
static struct kith_known *find_name(const struct kith_netview *v,
                                    struct kith_span (*of)(const struct kith_known *k),
                                    struct kith_span name)
{
    size_t lo = 0, hi = v->standing;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = kith_span_compare(of(v->by_name[mid]), name);
        if (order == 0)
            return v->by_name[mid];
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void show_with_number(struct kith_known *k, unsigned number)
{
    char suffix[16];
    struct kith_span s = body_of(k)->name;

    kith_format(suffix, sizeof suffix, "-%u", number);
    size_t most = KITH_LABEL_MAX - strlen(suffix);
    kith_format(k->name, sizeof k->name, "%.*s%s", (int)(s.n < most ? s.n : most),
                (const char *)s.p, suffix);
}

static void give_names(struct kith_netview *v)
{
    unsigned number = 1;

    for (size_t i = 0; i < v->standing; i++) {
        struct kith_known *k = v->by_name[i];
        struct kith_span s = body_of(k)->name;
        bool again = i > 0 && kith_span_equal(body_of(v->by_name[i - 1])->name, s);
        number = again ? number : 1;
        if (!again) {
            kith_format(k->name, sizeof k->name, "%.*s", (int)s.n, (const char *)s.p);
            continue;
        }
        do
            show_with_number(k, ++number);
        while (find_name(v, signed_name, kith_span_text(k->name)) != NULL);
    }
}

static void make_index(struct kith_netview *v, kith_wall now)
{
    if (v->indexed)
        return;
    v->standing = 0;
    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next) {
        struct kith_known *k = KITH_OF(l, struct kith_known, link);
        if (kith_rule_cert_stands(v, k, now))
            v->by_name[v->standing++] = k;
    }
    if (v->standing > 0) {
        memcpy(v->by_ip, v->by_name, v->standing * sizeof *v->by_ip);
        qsort(v->by_name, v->standing, sizeof *v->by_name, by_signed_name);
        give_names(v);
        qsort(v->by_name, v->standing, sizeof *v->by_name, by_shown_name);
        qsort(v->by_ip, v->standing, sizeof *v->by_ip, by_address);
    }
    v->indexed = true;
}

/* ---- looking up ---- */

struct kith_ip kith_network_ip6(const struct kith_network_id *network,
                                const struct kith_peer_id *peer)
{
    struct kith_ip ip = {.family = KITH_FAMILY_IP6, .b = {0xfd}};

    memcpy(ip.b + 1, network->b, 5);
    memcpy(ip.b + 8, peer->b, 8);
    return ip;
}

static void fill(const struct kith_netview *v, const struct kith_known *k, kith_wall now,
                 struct kith_member *ret)
{
    *ret = (struct kith_member){
        .peer = k->id,
        .ip4 = body_of(k)->ipv4,
        .ip6 = kith_network_ip6(&v->id, &k->id),
        .cert = &k->cert->obj,
        .standing = kith_rule_standing(v, k, now),
        .admin = kith_netview_admin(v, &k->id, now) != NULL,
    };
    if (k->endpoints != NULL && now < k->endpoints->obj.endpoints.valid_until)
        ret->endpoints = &k->endpoints->obj;
    if (k->announcement != NULL && now < k->announcement->obj.announcement.valid_until)
        ret->announcement = &k->announcement->obj;
    memcpy(ret->name, k->name, sizeof ret->name);
}

bool kith_netview_member(struct kith_netview *v, const struct kith_peer_id *peer, kith_wall now,
                         struct kith_member *ret)
{
    struct kith_known *k = kith_known_find(v, peer);

    if (k == NULL || k->cert == NULL)
        return false;
    make_index(v, now);
    /* no longer named by the index: the name it was signed with */
    if (!kith_rule_cert_stands(v, k, now))
        kith_format(k->name, sizeof k->name, "%.*s", (int)body_of(k)->name.n,
                    (const char *)body_of(k)->name.p);
    fill(v, k, now, ret);
    return true;
}

bool kith_netview_by_name(struct kith_netview *v, struct kith_span name, kith_wall now,
                          struct kith_member *ret)
{
    make_index(v, now);
    const struct kith_known *k = find_name(v, shown_name, name);
    if (k == NULL)
        return false;
    fill(v, k, now, ret);
    return true;
}

/* The first entry whose address is not below ip. */
static size_t first_at(const struct kith_netview *v, const struct kith_ip *ip)
{
    size_t lo = 0, hi = v->standing;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (memcmp(body_of(v->by_ip[mid])->ipv4.b, ip->b, sizeof ip->b) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool by_ip6(struct kith_netview *v, const struct kith_ip *ip, kith_wall now,
                   struct kith_member *ret)
{
    for (size_t i = 0; i < v->standing; i++) {
        struct kith_ip own = kith_network_ip6(&v->id, &v->by_name[i]->id);
        if (kith_ip_equal(&own, ip)) {
            fill(v, v->by_name[i], now, ret);
            return true;
        }
    }
    return false;
}

bool kith_netview_by_ip(struct kith_netview *v, const struct kith_ip *ip, kith_wall now,
                        struct kith_member *ret)
{
    make_index(v, now);
    if (ip->family == KITH_FAMILY_IP6)
        return by_ip6(v, ip, now, ret);
    if (ip->family != KITH_FAMILY_IP4)
        return false;
    size_t at = first_at(v, ip);
    if (at == v->standing || !kith_ip_equal(&body_of(v->by_ip[at])->ipv4, ip))
        return false;
    fill(v, v->by_ip[at], now, ret);
    return true;
}

bool kith_netview_next_member(struct kith_netview *v, size_t *at, kith_wall now,
                              struct kith_member *ret)
{
    make_index(v, now);
    if (*at >= v->standing)
        return false;
    fill(v, v->by_name[(*at)++], now, ret);
    return true;
}

const char *kith_standing_text(enum kith_standing s)
{
    switch (s) {
    case KITH_STANDING_NONE: return "none";
    case KITH_STANDING_MEMBER: return "member";
    case KITH_STANDING_EARLY: return "early";
    case KITH_STANDING_EXPIRED: return "expired";
    case KITH_STANDING_REVOKED: return "revoked";
    case KITH_STANDING_LEFT: return "left";
    }
    return "none";
}

size_t kith_netview_member_count(const struct kith_netview *v, kith_wall now)
{
    size_t n = 0;

    for (struct kith_link *l = v->all.next; l != &v->all; l = l->next)
        n +=
            kith_rule_standing(v, KITH_OF(l, struct kith_known, link), now) == KITH_STANDING_MEMBER;
    return n;
}
