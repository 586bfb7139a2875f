/* client.h: the client's half of the control API: one call on one connection, its items, its
 * answer.
 *
 * Blocks, with the method's own time limit and five seconds in which the node says so itself.
 * Signals that are handled meanwhile don't end it. It prints nothing and knows no method. A
 * connection is good for one call: whoever wants several at once has several connections.
 *
 * Order of calls: kith_client_connect, or any connected Unix socket; init; send; wait; fini; close
 * the socket. kith_client_cancel may be called from send until fini, also by another thread if
 * nobody sends on that socket at the same time.
 * Spec: docs/spec/control.md.  Tests: tests/cli/commands.sh, tests/unit/api_*_test.c */
#ifndef KITH_CTL_CLIENT_H
#define KITH_CTL_CLIENT_H

#include "base/time.h"
#include "ctl/ctl.h"

/* What is asked and told while a call lasts. Members may be NULL. */
struct kith_client_watch {
    /* An item, borrowed; not after the call was cancelled. */
    void (*item)(void *ctx, const json_t *item);
    /* Whether the call was cancelled (by kith_client_cancel, which this may call itself): asked
     * before each wait, after a signal, and every five seconds. */
    bool (*cancelled)(void *ctx);
    void *ctx;
};

struct kith_client {
    int fd; /* borrowed */
    enum kith_ctl_method method;
    kith_time answer_by; /* KITH_NEVER where the method has no limit */
    bool cancelled;
    char *in; /* KITH_CTL_OUTPUT_MAX bytes: more than one line of an answer */
    size_t in_n, in_most;
};

/* Connects to the node of this machine, trying the places of docs/spec/control.md in turn; `named`
 * is the state directory asked for, or NULL. Errors with message and remedy in *e:
 * KITH_E_NOTFOUND: no node is running; KITH_E_PERM: it is closed to this user; KITH_E_INVAL: the
 * directory's path is too long. */
int kith_client_connect(const char *named, int *ret_fd, struct kith_ctl_error *e) KITH_MUST_CHECK;
/* Exit code of a program that could not connect: 3 no node, 4 permission, 1 otherwise. */
int kith_client_exit_code(int connect_err);

/* fd is a connected blocking Unix socket, borrowed until fini. KITH_E_NOMEM. */
int kith_client_init(struct kith_client *k, int fd, enum kith_ctl_method m) KITH_MUST_CHECK;
/* Overwrites and frees. */
void kith_client_fini(struct kith_client *k);
/* Sends the request; params (an object, borrowed) may be NULL. The copy made here is overwritten.
 * KITH_E_TOOBIG: over KITH_CTL_LINE_MAX; KITH_E_NOMEM, KITH_E_TIMEOUT, KITH_E_CLOSED. */
int kith_client_send(struct kith_client *k, json_t *params) KITH_MUST_CHECK;
/* Asks the node to end the call, which it then answers with CANCELLED. Errors as send. */
int kith_client_cancel(const struct kith_client *k) KITH_MUST_CHECK;
/* Waits for the answer: KITH_OK with one of *ret_result and *ret_error (the error object of
 * JSON-RPC), which the caller drops. KITH_E_TIMEOUT, KITH_E_CLOSED, KITH_E_PROTOCOL: no answer a
 * node would give; KITH_E_NOMEM; KITH_E_LIMIT: a line that is longer than any. */
int kith_client_wait(struct kith_client *k, const struct kith_client_watch *watch,
                     json_t **ret_result, json_t **ret_error) KITH_MUST_CHECK;

/* What it means that jansson could not read something: KITH_E_NOMEM, or `malformed`, which it also
 * says of some strings it had no memory for. *why was all-zero before. */
int kith_client_parse_error(const json_error_t *why, int malformed);
/* A value as compact text with a NUL, for free(); NULL when memory ran out. *ret_len is without the
 * NUL. Unlike json_dumps it does not depend on the allocator that a program gave jansson. */
char *kith_client_text(const json_t *value, size_t *ret_len) KITH_MUST_CHECK;

#endif
