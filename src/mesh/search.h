/* search.h: asking around for a destination of which no neighbour told. Pure, and bounded whatever
 * neighbours ask and answer.
 *
 * A request goes to all neighbours and from them on to theirs, as far as it may; one that knows a
 * way answers, and the answer goes back the way the request came, so that each node on it learns
 * the way. What a node asks itself goes two hops at first and twice as far each time, so that what
 * is near is found without asking everybody.
 *
 * This module remembers which requests were seen and whom their answers belong to, and when to ask
 * what next. It sends nothing, and knows no ways. Neighbours are the caller's small numbers, as in
 * paths.h; a scope is a network, by the caller's number.
 * Spec: docs/spec/mesh.md 7. Test: tests/unit/mesh_search_test.c. */
#ifndef KITH_MESH_SEARCH_H
#define KITH_MESH_SEARCH_H

#include "base/env.h"
#include "wire/ids.h"

#define KITH_SEARCH_SELF (UINT32_MAX - 1) /* as whoever asked: this node */

enum {
    KITH_SEARCH_SEEN_MAX = 2048, /* requests remembered */
    KITH_SEARCH_WANTED_MAX = 64, /* destinations that this node looks for at a time */
};
#define KITH_SEARCH_PATIENCE (10 * KITH_SEC) /* an answer that takes longer is nobody's any more */

struct kith_search;

/* What is asked of neighbours. */
struct kith_search_ask {
    struct kith_destination to;
    uint64_t tag; /* names the request wherever it comes */
    uint8_t scope;
    uint8_t hops; /* so many nodes it may come to in a row */
    bool proof;   /* whoever asks has no proof that there is such a member */
};

/* KITH_E_NOMEM. */
int kith_search_new(const struct kith_env *env, struct kith_search **ret) KITH_MUST_CHECK;
void kith_search_free(struct kith_search *s);

/* ---- what this node looks for ---- */

/* Begins to look for a destination, or goes on: at once, then after 1, 2, 4, … 32 s, and no more
 * 120 s after this was called last. KITH_E_FULL: 64 others are looked for. */
int kith_search_want(struct kith_search *s, uint8_t scope, const struct kith_destination *to,
                     kith_time now) KITH_MUST_CHECK;
/* It was found, or is no longer looked for. */
void kith_search_found(struct kith_search *s, uint8_t scope, const struct kith_destination *to);
/* The scope is no more: nothing in it is looked for. */
void kith_search_drop_scope(struct kith_search *s, uint8_t scope);
/* The next request to send, if one is due. It counts as sent. */
bool kith_search_next(struct kith_search *s, kith_time now, struct kith_search_ask *ret);
kith_time kith_search_deadline(const struct kith_search *s);

/* ---- what others look for ---- */

/* Notes a request that came from a neighbour. False: it was seen before. */
bool kith_search_heard(struct kith_search *s, const struct kith_search_ask *ask, uint32_t from,
                       kith_time now);
/* Whom an answer belongs to that says its sender leads there in so many hops: a neighbour, or
 * KITH_SEARCH_SELF, and whether with the proof. False: nobody asked that, or has an answer as good.
 */
bool kith_search_answered(struct kith_search *s, const struct kith_search_ask *ask, uint8_t hops,
                          kith_time now, uint32_t *ret, bool *ret_proof);

#endif
