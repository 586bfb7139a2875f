/* network_view.h: what this node knows about one network: a pure state object, fed with signed
 * objects in any order, that says who is a member.
 *
 * It keeps the best object of each key and checks everything there is to check: signatures, who
 * may sign what, address blocks, serial ranges, times, revocations. The order in which objects
 * come does not matter once each view was offered what it lacks. It neither stores nor sends:
 * after an offer answered NEW the caller persists and gossips the object.
 * Order: new, offer what was stored (NETWORK first is quickest), then offer what comes and take
 * the effects; tick when the deadline is reached.
 * Spec: docs/spec/objects.md. Test: tests/unit/identity_network_view_test.c. */
#ifndef KITH_IDENTITY_NETWORK_VIEW_H
#define KITH_IDENTITY_NETWORK_VIEW_H

#include "base/env.h"
#include "base/text.h"
#include "identity/object.h"
#include "wire/control.h"

struct kith_netview;

struct kith_netview_limits { /* all-zero: the defaults */
    uint32_t members;        /* 4096; certificates held */
    uint32_t admins;         /* 64 */
    uint32_t revocations;    /* 4096 */
    uint32_t pending;        /* 64; objects whose proof is not here yet */
};

/* `me` is this node's peer id. KITH_E_NOMEM. */
int kith_netview_new(const struct kith_env *env, const struct kith_network_id *network,
                     const struct kith_peer_id *me, const struct kith_netview_limits *limits,
                     struct kith_netview **ret) KITH_MUST_CHECK;
void kith_netview_free(struct kith_netview *v);

/* ---- feeding ---- */

enum kith_offer {
    KITH_OFFER_NEW,     /* taken over: store it, tell others */
    KITH_OFFER_KNOWN,   /* held already */
    KITH_OFFER_STALE,   /* a better one is held */
    KITH_OFFER_PENDING, /* kept aside until the object that proves it comes */
};

/* Judges one object; its bytes are copied when kept. Errors say whose: KITH_E_MALFORMED,
 * KITH_E_VERSION, KITH_E_AUTH (signature), KITH_E_REFUSED (its signer may not say that, or no
 * longer), KITH_E_INVAL (of another network), KITH_E_FULL, KITH_E_NOMEM, KITH_E_CRYPTO.
 * *ret_why (may be NULL) is then a sentence for people. Objects that waited and are proved by this
 * one are taken over along with it: kith_netview_next_new tells which. */
int kith_netview_offer(struct kith_netview *v, struct kith_span object, kith_wall now,
                       enum kith_offer *ret, const char **ret_why) KITH_MUST_CHECK;
/* The same for one that this node kept: what is spent is taken, too, to be let go of when it is
 * proved to be so late. */
int kith_netview_load(struct kith_netview *v, struct kith_span object, kith_wall now,
                      enum kith_offer *ret, const char **ret_why) KITH_MUST_CHECK;
/* Objects that an offer took over besides its own, one per call; false when no more. The bytes
 * are borrowed until the next offer, which forgets those not asked for. */
bool kith_netview_next_new(struct kith_netview *v, struct kith_span *ret);

/* Notices what only time changed: certificates that ended or began, or did so no longer because the
 * calendar was set back. */
void kith_netview_tick(struct kith_netview *v, kith_wall now);
/* Lets go of what has said nothing that counts for a day at least (spec objects 8). How late it is,
 * others must have proved by what they signed since, so that a calendar that is ahead loses
 * nothing: see kith_netview_proved. This node's own certificate stays. */
void kith_netview_forget(struct kith_netview *v, kith_wall now);
/* The latest time, up to now, at which another member or an admin signed something that is held; 0:
 * nothing is. The root does not count, which may live on this machine. */
kith_wall kith_netview_proved(const struct kith_netview *v, kith_wall now);
/* Keys of objects that the last offer, tick or forget let go of, one per call; false when no more.
 * Some may be held again, by another version. */
bool kith_netview_next_dropped(struct kith_netview *v, struct kith_object_key *ret);
/* When to tick next; KITH_NEVER when nothing is going to change by itself. */
kith_wall kith_netview_deadline(const struct kith_netview *v);

/* ---- effects ---- */

enum kith_standing {                     /* of a peer in the network */
                     KITH_STANDING_NONE, /* no certificate known, or its signer doesn't stand for it
                                          */
                     KITH_STANDING_MEMBER,
                     KITH_STANDING_EARLY, /* its certificate is not valid yet */
                     KITH_STANDING_EXPIRED,
                     KITH_STANDING_REVOKED,
                     KITH_STANDING_LEFT, /* it says so itself, or its signer no longer vouches for
                                            it */
};

/* One word, as the control API tells it. */
const char *kith_standing_text(enum kith_standing s);

enum kith_netview_change {
    KITH_CHANGE_NETWORK,   /* name or range; peer is the root */
    KITH_CHANGE_ADMIN,     /* peer became an admin, is none any more, or within other bounds */
    KITH_CHANGE_ADDED,     /* peer is a member now */
    KITH_CHANGE_CERT,      /* peer still is one, by another certificate */
    KITH_CHANGE_GONE,      /* peer no longer is one; standing says why */
    KITH_CHANGE_ENDPOINTS, /* peer says it may be reached elsewhere, or what it said was dropped */
    KITH_CHANGE_ANNOUNCEMENT, /* peer does other things or has other services, likewise */
};

struct kith_netview_effect {
    enum kith_netview_change change;
    struct kith_peer_id peer;
    enum kith_standing standing; /* now */
};

/* The next change since the last call; several of one kind and peer count as one. */
bool kith_netview_next_effect(struct kith_netview *v, struct kith_netview_effect *ret);

/* ---- asking ----
 * What is returned is borrowed until the next offer or tick. */

struct kith_member {
    struct kith_peer_id peer;
    char name[KITH_LABEL_MAX + 1]; /* as shown: of two equal names the later has a "-2" */
    struct kith_ip ip4, ip6;
    const struct kith_object *cert;         /* cert->member is the rest */
    const struct kith_object *endpoints;    /* NULL when none is known or it is out of date */
    const struct kith_object *announcement; /* the same */
    enum kith_standing standing;
    bool admin;
};

/* The NETWORK object, or NULL while it isn't known. */
const struct kith_object *kith_netview_network(const struct kith_netview *v);
const struct kith_network_id *kith_netview_id(const struct kith_netview *v);
const struct kith_peer_id *kith_netview_me(const struct kith_netview *v);
/* Whether peer holds a valid, unrevoked certificate; the question behind every permission. */
bool kith_netview_is_member(const struct kith_netview *v, const struct kith_peer_id *peer,
                            kith_wall now);
enum kith_standing kith_netview_standing(const struct kith_netview *v,
                                         const struct kith_peer_id *peer, kith_wall now);
/* Whether peer may sign for the network at now: the root, or an admin in office. */
bool kith_netview_is_signer(const struct kith_netview *v, const struct kith_peer_id *peer,
                            kith_wall now);
/* The ADMIN object of a peer in office, or NULL. */
const struct kith_object *kith_netview_admin(const struct kith_netview *v,
                                             const struct kith_peer_id *peer, kith_wall now);
/* These fill *ret and return true for anyone with a certificate, whatever its standing; name and
 * address find only those whose certificate stands (a member, or one that expired or is early).
 * After a change the first of them sorts the members anew (thus not const); IPv6 is searched one
 * by one. */
bool kith_netview_member(struct kith_netview *v, const struct kith_peer_id *peer, kith_wall now,
                         struct kith_member *ret);
bool kith_netview_by_name(struct kith_netview *v, struct kith_span name, kith_wall now,
                          struct kith_member *ret);
bool kith_netview_by_ip(struct kith_netview *v, const struct kith_ip *ip, kith_wall now,
                        struct kith_member *ret);
/* Walks all whose certificate stands, in order of their names: start with *at = 0. */
bool kith_netview_next_member(struct kith_netview *v, size_t *at, kith_wall now,
                              struct kith_member *ret);
/* How many are members now. */
size_t kith_netview_member_count(const struct kith_netview *v, kith_wall now);
/* The ADMIN object held about a peer, in office or not: it proves what the peer signed. NULL. */
const struct kith_object *kith_netview_office(const struct kith_netview *v,
                                              const struct kith_peer_id *peer);
/* Walks the ADMIN objects of admins in office: start with *at = 0; NULL at the end. */
const struct kith_object *kith_netview_next_admin(const struct kith_netview *v, size_t *at,
                                                  kith_wall now);
/* The same for all ADMIN objects held, those of dismissed admins included. */
const struct kith_object *kith_netview_next_office(const struct kith_netview *v, size_t *at);
/* The network's IPv6 address of a peer: fd, 40 bits of the network id, 16 zero bits, 64 bits of
 * the peer id (spec identity 5). */
struct kith_ip kith_network_ip6(const struct kith_network_id *network,
                                const struct kith_peer_id *peer);

/* The i-th revocation held about a peer, its own leave included; NULL beyond the last. */
const struct kith_object *kith_netview_revocation(const struct kith_netview *v,
                                                  const struct kith_peer_id *peer, size_t i);

/* ---- gossip ---- */

/* Walks all objects held: start with *at = 0; NULL at the end. No offer in between. */
const struct kith_object *kith_netview_next_object(const struct kith_netview *v, size_t *at);
/* Walks keys and numbers of those that others are told of, which are not spent (spec objects 8). */
bool kith_netview_next_digest(const struct kith_netview *v, size_t *at, kith_wall now,
                              struct kith_digest_item *ret);
/* What two views have alike when they tell of the same keys and numbers (spec objects 7); reckoned
 * anew after a change, and each day. KITH_E_NOMEM, KITH_E_CRYPTO. */
int kith_netview_holdings(struct kith_netview *v, kith_wall now,
                          struct kith_holdings *ret) KITH_MUST_CHECK;
/* Whether an object announced like this would be worth pulling. */
bool kith_netview_lacks(const struct kith_netview *v, const struct kith_digest_item *announced,
                        kith_wall now);
/* The object held under key, or NULL. */
const struct kith_object *kith_netview_find(const struct kith_netview *v,
                                            const struct kith_object_key *key);

#endif
