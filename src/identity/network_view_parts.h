/* network_view_parts.h: the insides of a network view, shared by its own files and no others.
 *
 *   network_view.c         life, feeding, effects
 *   network_view_store.c   objects held and waiting; who is known
 *   network_view_rules.c   who may say what, and what follows from it
 *   network_view_digest.c  what is held, for others to compare
 *   network_view_forget.c  what is over for good, and letting go of it
 *   network_view_names.c   finding members by name and address */
#ifndef KITH_IDENTITY_NETWORK_VIEW_PARTS_H
#define KITH_IDENTITY_NETWORK_VIEW_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "identity/network_view.h"

/* An object held: in `by_key` and in exactly one place of a `known`. */
struct kith_held {
    struct kith_link link;  /* in known.revocations, or in view.waiting or view.fresh */
    struct kith_object obj; /* its spans borrow from data */
    uint8_t data[];
};

/* Everything held about one peer; exists while there is something. */
struct kith_known {
    struct kith_link link;    /* in view.all */
    struct kith_link changed; /* in view.changed while an effect waits */
    struct kith_peer_id id;
    struct kith_held *cert, *admin, *endpoints, *announcement;
    kith_wall own_paid;            /* its allowance of own statements is spent ahead until then */
    struct kith_held *list;        /* the MEMBERS it signed */
    struct kith_link revocations;  /* kith_held, one per signer at most */
    uint32_t revoked;              /* how many of the revocations held it signed, but leaves */
    enum kith_standing shown;      /* what the last effect said */
    uint32_t effects;              /* bits 1 << KITH_CHANGE_… that wait */
    char name[KITH_LABEL_MAX + 1]; /* as shown; valid while the index is */
};

struct kith_netview {
    const struct kith_env *env;
    struct kith_network_id id;
    struct kith_peer_id root, me;
    struct kith_public_key root_key; /* valid once network is set */
    struct kith_held *network;
    struct kith_netview_limits limit;
    struct kith_netview_limits count; /* held now */
    struct kith_map by_key;           /* kith_held */
    struct kith_map by_peer;          /* kith_known */
    struct kith_link all;             /* kith_known */
    struct kith_link changed;         /* kith_known with effects, oldest first */
    struct kith_link waiting;         /* kith_held without proof, oldest first */
    struct kith_link fresh;           /* kith_held: copies of what waited and was taken over */
    struct kith_link told;    /* of those, what next_new gave out; freed by the next offer */
    struct kith_link dropped; /* kith_held: what was let go of; freed by what may drop more */
    bool loading;             /* what is offered was believed before */
    bool network_changed;     /* an effect that waits */
    kith_wall deadline;
    bool summed; /* holdings is up to date, on that day */
    kith_wall summed_on;
    struct kith_holdings holdings;
    bool indexed;                /* the two below are up to date */
    size_t standing;             /* how many entries they have */
    struct kith_known **by_name; /* sorted; room for limit.members */
    struct kith_known **by_ip;   /* sorted; room for limit.members */
};

/* ---- store ---- */

struct kith_known *kith_known_find(const struct kith_netview *v, const struct kith_peer_id *peer);
/* Finds or makes; NULL without memory. */
struct kith_known *kith_known_get(struct kith_netview *v, const struct kith_peer_id *peer);
/* Forgets k when nothing is held about it and no effect waits. */
void kith_known_drop_empty(struct kith_netview *v, struct kith_known *k);
/* A copy of obj with its own bytes, or NULL. */
struct kith_held *kith_held_copy(struct kith_netview *v, const struct kith_object *obj);
/* Puts a copy of obj where it belongs, in place of the one it beats. KITH_E_FULL, KITH_E_NOMEM
 * leave everything as it was. */
int kith_store_put(struct kith_netview *v, const struct kith_object *obj,
                   kith_wall now) KITH_MUST_CHECK;
/* Takes h out of by_key and its known, and puts it among the dropped. */
void kith_store_drop(struct kith_netview *v, struct kith_held *h);
struct kith_held *kith_store_find(const struct kith_netview *v, const struct kith_object_key *key);
/* Notes an effect about k. */
void kith_known_note(struct kith_netview *v, struct kith_known *k, enum kith_netview_change what);

/* ---- rules ---- */

/* The key obj must be signed with, or NULL while that isn't known. */
struct kith_span kith_rule_signer_key(const struct kith_netview *v, const struct kith_object *obj);
/* What can be said against obj before its signature is looked at; *ret_why says it. */
int kith_rule_check(const struct kith_netview *v, const struct kith_object *obj, kith_wall now,
                    const char **ret_why) KITH_MUST_CHECK;
/* Whether an object of ADMIN, MEMBER, REVOCATION or MEMBERS counts still: its signer stands for it,
 * and the network has what it gives. */
bool kith_rule_stands(const struct kith_netview *v, const struct kith_object *obj);
/* Of whom a revocation is: the root's outweighs an admin's, that of a member about itself is least.
 */
unsigned kith_rule_weight(const struct kith_netview *v, const struct kith_object *revocation);
enum kith_standing kith_rule_standing(const struct kith_netview *v, const struct kith_known *k,
                                      kith_wall now);
/* Whether k may say something new of itself (spec objects 3.5.2), and that it did: only its own
 * signature spends its allowance. */
bool kith_rule_own_afforded(const struct kith_known *k, kith_wall now);
void kith_rule_own_paid(struct kith_known *k, kith_wall now);
/* When k's standing changes by time alone; KITH_NEVER when it doesn't. */
kith_wall kith_rule_turns(const struct kith_known *k, kith_wall now);
/* Whether k's certificate counts at all, its own times aside. */
bool kith_rule_cert_stands(const struct kith_netview *v, const struct kith_known *k, kith_wall now);
/* Whether obj is from the future (spec objects 2.5, 4.4): held since the calendar here, or where it
 * was signed, was ahead. */
bool kith_rule_early(const struct kith_object *obj, kith_wall now);
/* Whether an offered object is to be left where it is, because it says nothing that counts, or ever
 * will (spec objects 8). This node's own certificate is taken, and an office, which may prove a
 * revocation. */
bool kith_rule_spent(const struct kith_netview *v, const struct kith_object *obj, kith_wall now);
/* Whether one that is held says nothing that counts: it is told to nobody. */
bool kith_rule_held_spent(const struct kith_netview *v, const struct kith_held *h, kith_wall now);
/* A member's own word that it left (spec objects 3.4.5). */
bool kith_rule_is_leave(const struct kith_object *obj);
/* What follows for everybody from what was dropped. */
void kith_netview_settle(struct kith_netview *v, kith_wall now);
/* Whether the root took k's office. *ret_stands_to: what it signed up to there counts. */
bool kith_rule_admin_revoked(const struct kith_netview *v, const struct kith_known *k,
                             uint64_t *ret_stands_to);

#endif
