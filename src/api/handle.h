/* handle.h: what is behind a `struct kith`, for the files of src/api.
 *
 * A handle knows a way to its node and the calls under way. Every call has a connection of its own,
 * so calls don't wait for each other and a failed one leaves nothing behind for the next. The only
 * things threads share are the table of calls and, of each call, who may write to its connection.
 * Page: docs/modules/api.md.  Tests: tests/unit/api_*_test.c */
#ifndef KITH_API_HANDLE_H
#define KITH_API_HANDLE_H

#include <pthread.h>

#include "api/hosted.h"
#include "ctl/client.h"
#include "kith/kith.h"

/* A call under way. */
struct kith_call_slot {
    bool taken; /* guarded by the handle's lock */
    /* Guards what follows, and writing to the connection. */
    pthread_mutex_t lock;
    bool active;    /* somebody is in it: it can be cancelled */
    bool sent;      /* the node knows of it; client may be used to cancel */
    bool cancelled; /* never again false while active */
    struct kith_client client;
};

struct kith {
    struct kith_hosted *node; /* owned; NULL: a node of its own process */
    char *state_dir;          /* owned; which node that is; NULL: whichever is found */
    pthread_mutex_t lock;
    struct kith_call_slot call[KITH_CALLS_MAX];
};

/* What a call tells before its answer; both may be NULL. */
struct kith_item_sink {
    kith_item *item;
    void *ctx;
};

/* Calls a method with params (an object, borrowed, overwritten where it holds secrets; may be
 * NULL). *ret_result is the caller's to drop. */
int kith_handle_call(struct kith *k, enum kith_ctl_method m, json_t *params,
                     const struct kith_item_sink *sink, json_t **ret_result,
                     struct kith_error *ret_error) KITH_MUST_CHECK;

/* ---- errors (error.c) ---- */

/* Fills *e, if there is one; returns err. */
int kith_error_set(struct kith_error *e, int err, const char *fmt, ...) KITH_PRINTF(3, 4);
/* The same from what the parts below say. */
int kith_error_from_ctl(struct kith_error *e, const struct kith_ctl_error *from);
/* The same for who could not connect. */
int kith_error_from_connect(struct kith_error *e, const struct kith_ctl_error *from);
/* The same from the error object of an answer. */
int kith_error_from_json(struct kith_error *e, const json_t *error);

#endif
