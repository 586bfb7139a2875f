/* ctl.h: the control API's conversation: JSON-RPC 2.0, one object a line, many clients.
 *
 * A pure core: bytes of clients go in, bytes for clients come out, and each call that fits the
 * method table (methods.def) is handed to `kith_ctl_ops`. A handler answers at once, or says
 * KITH_E_AGAIN and somebody answers by the call's id later; items may be told before the answer.
 * A call whose client goes away, that is cancelled or takes too long is taken back with
 * `cancel`, once, and never answered by the handler's side after that: answers to ids that are
 * no more are dropped. It does not know what the methods mean, nor sockets, nor who a uid is.
 *
 * Order of calls: init; for each client open, feed …, close; whenever something happened, for every
 * client (kith_ctl_client_at) send kith_ctl_output and say kith_ctl_sent, and close those that are
 * kith_ctl_over; wake up at kith_ctl_deadline for kith_ctl_tick; fini.
 * Described in docs/spec/control.md; tests: tests/unit/ctl_core_test.c. */
#ifndef KITH_CTL_CTL_H
#define KITH_CTL_CTL_H

#include "base/buf.h"
#include "base/env.h"
#include "ctl/method.h"

enum {
    KITH_CTL_API = 1,              /* version of the API; see docs/spec/control.md */
    KITH_CTL_CLIENTS = 32,         /* connections at once: a person, scripts, a few followed logs */
    KITH_CTL_CALLS = 8,            /* requests in flight per client */
    KITH_CTL_LINE_MAX = 64 << 10,  /* bytes of a request, newline included */
    KITH_CTL_OUTPUT_MAX = 1 << 20, /* unsent bytes after which a client counts as not reading */
};

/* What went wrong, as a client is told. All-zero but for err: the text of the error table. */
struct kith_ctl_error {
    int err; /* a kith_err */
    char message[256];
    char remedy[256]; /* what the person can do; may be empty */
};

/* Sets err and message; returns err, so that a handler can end with it. */
int kith_ctl_error_set(struct kith_ctl_error *e, int err, const char *fmt, ...) KITH_PRINTF(3, 4);
/* Exit code of a command that ends with err: 1 failed, 2 usage (INVAL), 4 permission (PERM). */
int kith_ctl_exit_code(int err);

struct kith_ctl_ops {
    /* A call with params that passed the table (an object, borrowed for the call; NULL for none).
     * KITH_OK with *ret_result (taken; NULL for {}); KITH_E_AGAIN: kith_ctl_answer or kith_ctl_fail
     * follows; another error with *ret_error, whose err may be left 0. */
    int (*call)(void *ctx, uint64_t call_id, enum kith_ctl_method m, const json_t *params,
                json_t **ret_result, struct kith_ctl_error *ret_error);
    /* The call is wanted no more; it is answered already, or its client is gone. */
    void (*cancel)(void *ctx, uint64_t call_id);
};

struct kith_ctl_call {
    uint64_t id;    /* 0: free. Serial number, client and place: never used twice */
    json_t *number; /* the request's id; NULL: a notification, whose answer nobody reads */
    enum kith_ctl_method method;
    kith_time end; /* when it is cancelled; KITH_NEVER */
};

struct kith_ctl_client {
    struct kith_ctl *ctl;
    bool open, over; /* over: nothing more is read, close it once its output is sent or at once */
    enum kith_ctl_grant grant;
    uint32_t uid;
    uint8_t *line; /* KITH_CTL_LINE_MAX bytes: what came of a request so far */
    size_t line_n;
    struct kith_buf out;
    struct kith_ctl_call call[KITH_CTL_CALLS];
    void *user; /* the owner's: its socket */
};

struct kith_ctl {
    const struct kith_env *env;
    const struct kith_ctl_ops *ops;
    void *ops_ctx;
    uint64_t serial;
    struct kith_ctl_client client[KITH_CTL_CLIENTS];
};

/* Both outlive it. Allocates nothing. */
void kith_ctl_init(struct kith_ctl *c, const struct kith_env *env, const struct kith_ctl_ops *ops,
                   void *ops_ctx);
/* Closes every client. */
void kith_ctl_fini(struct kith_ctl *c);

/* What a peer of the socket is granted: root, the node's own user and members of the control group
 * everything, others nothing. */
enum kith_ctl_grant kith_ctl_grant_for(uint32_t uid, uint32_t own_uid, bool in_group);

/* A new client. With GRANT_NONE it is told so in answer to its first request, and then it is over.
 * KITH_E_FULL, KITH_E_NOMEM. */
int kith_ctl_open(struct kith_ctl *c, enum kith_ctl_grant grant, uint32_t uid,
                  struct kith_ctl_client **ret) KITH_MUST_CHECK;
/* Cancels its calls and forgets it. */
void kith_ctl_close(struct kith_ctl_client *client);
/* Bytes it sent. Nothing it sends is an error of ours: it is answered, or the client is over. */
void kith_ctl_feed(struct kith_ctl_client *client, struct kith_span in, kith_time now);
/* Unsent bytes, borrowed until the next call; kith_ctl_sent forgets the first n. */
struct kith_span kith_ctl_output(const struct kith_ctl_client *client);
void kith_ctl_sent(struct kith_ctl_client *client, size_t n);
/* Whether to close it: it broke the framing (after its output was sent) or does not read. */
bool kith_ctl_over(const struct kith_ctl_client *client);
/* The i-th place, 0 to KITH_CTL_CLIENTS - 1, or NULL when it is free. */
struct kith_ctl_client *kith_ctl_client_at(struct kith_ctl *c, size_t i);

/* The answer to a call that said KITH_E_AGAIN. `result` is taken, NULL stands for {}. */
void kith_ctl_answer(struct kith_ctl *c, uint64_t call_id, json_t *result);
void kith_ctl_fail(struct kith_ctl *c, uint64_t call_id, const struct kith_ctl_error *error);
/* Tells an item before the answer; `item` is taken. KITH_E_NOTFOUND when the call is no more. */
int kith_ctl_notify(struct kith_ctl *c, uint64_t call_id, json_t *item);

/* When the first call has taken too long. */
kith_time kith_ctl_deadline(const struct kith_ctl *c);
/* Cancels what took too long and answers TIMEOUT. */
void kith_ctl_tick(struct kith_ctl *c, kith_time now);

#endif
