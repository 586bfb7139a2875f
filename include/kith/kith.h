/* kith.h: a node of a Kith network, for programs.
 *
 * There are two ways to have one, and after that no difference. kith_connect makes a client of the
 * node that runs on this machine (`kith up`); kith_open starts a node inside this process, on a
 * thread of its own. Both give a `struct kith`, and everything else is a call of a method: what
 * methods there are, their params, results, items and errors, is the control API, version 1, in
 * docs/spec/control.md. Its stability rules hold here, too: ignore members that you don't know.
 *
 *     struct kith_error error;
 *     struct kith_reply reply;
 *     struct kith *k;
 *
 *     if (kith_connect(NULL, &k, &error) < 0 || kith_call(k, "members", NULL, &reply, &error) < 0)
 *         return fail(&error);
 *     puts(reply.json);
 *     kith_reply_free(&reply);
 *     kith_close(k);
 *
 * Errors. Functions that can fail return 0, or a negative number of kith/errors.h and then say more
 * in *ret_error, which may be NULL. Out-parameters (ret_...) are written on success only, and
 * *ret_error on failure only.
 *
 * Threads. Any number of threads may be in kith_call, kith_call_items and kith_cancel with one
 * handle at the same time; calls don't wait for each other. kith_close is the last: no other thread
 * may be in a function with that handle then, or begin one. Of an opened node nothing but its own
 * thread ever runs the network; callers speak to it over sockets.
 *
 * The process. No function here writes to standard output or error, ends the process, changes its
 * directory, umask, limits, locale or environment, or installs a signal handler; nothing raises
 * SIGPIPE; the node's thread blocks every signal that is sent to the process. Signals that are
 * handled while a function waits don't end it. Descriptors are close-on-exec. fork() without exec
 * is not supported while a handle is open, nor is exit() while an opened node runs: close it first.
 *
 * Text is UTF-8 and ends with a NUL; lengths are bytes. The handle's memory is the library's.
 * Linking: pkg-config libkith. C11 or C++11. Example: examples/two_nodes.c.
 * Page: docs/modules/api.md.  Sources: src/api.  Tests: tests/unit/api_*_test.c */

#ifndef KITH_KITH_H
#define KITH_KITH_H

#include <stdbool.h>
#include <stddef.h>

#include "kith/api.h"
#include "kith/errors.h"
#include "kith/version.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KITH_CALLS_MAX = 16,          /* calls under way on one handle */
    KITH_PARAMS_MAX = 64 * 1024,  /* bytes of a request, of which the envelope takes some 100 */
    KITH_REPLY_MAX = 1024 * 1024, /* bytes of a result or an item */
    KITH_CONFIG_MAX = 256 * 1024, /* bytes of a configuration */
};

/* A way to a node. Made by kith_connect or kith_open, ended by kith_close. */
struct kith;

/* What went wrong. */
struct kith_error {
    int code;          /* negative: a kith_error_code */
    int exit;          /* how a program may end: 1 failed, 2 usage, 3 no node, 4 permission */
    char name[32];     /* the error's name, stable: "NOTADMIN" */
    char message[512]; /* a sentence for people, not stable */
    char remedy[256];  /* what the person can do about it; may be empty */
};

/* The stable name of a code, "NOTADMIN", "OK" for 0, "UNKNOWN" for others; a constant. */
KITH_API const char *kith_error_name(int code);
/* What it means, for people: "this node is no admin of the network"; a constant. */
KITH_API const char *kith_error_text(int code);

/* ---- a client of the node that runs here ---- */

/* All-zero, like NULL for all of it, is the default. Borrowed for the call. */
struct kith_connect_options {
    /* The state directory of the node that is meant. NULL: KITH_STATE where that is set, else the
     * user's own, then the system's: the places of docs/spec/control.md "Where", in that order. */
    const char *state_dir;
};

/* Finds the node and asks it for its version, which takes 10 s at most. Each call makes a
 * connection of its own, so the handle outlives a restart of the node. NOTFOUND (exit 3): no node
 * is running; PERM (exit 4): it is not open to this user; VERSION: it speaks another version of the
 * control API; INVAL: the directory's path is too long. */
KITH_API int kith_connect(const struct kith_connect_options *options, struct kith **ret,
                          struct kith_error *ret_error);

/* ---- a node in this process ---- */

/* All-zero but for state_dir is a default. Borrowed for the call. */
struct kith_open_options {
    /* Where identity, networks and lock are; needed. Made with mode 0700 when it is missing. One
     * node at a time, in this process or any other, can have it. */
    const char *state_dir;
    /* The configuration, kith.toml(5): as text, or the path of a file; not both. NULL: every option
     * has its default. The environment (KITH_...) does not count here.
     * "[vpn]\nenabled = false" makes a node without tunnel interface, which needs no privileges. */
    const char *config;
    const char *config_file;
    /* Listen on UDP ports that the system chooses, at the addresses of net.listen: for a second
     * node on one machine. `status` tells them. Such a node is found anew by its peers after a
     * restart only through others, or by its own calling. */
    bool any_port;
    /* Whether it also has a control socket in its state directory, so that `kith --state DIR` and
     * kith_connect reach it. */
    bool control_socket;
};

/* Starts a node and returns when it is ready: its sockets are open and calls are answered. Several
 * with different state directories may run in one process. Every call on the handle is granted. Its
 * events are told by the method `logs`, and nowhere else.
 * INVAL: no state directory, or a mistake in the configuration, which the message names by line;
 * INUSE: a node runs for this state directory, or another program has the UDP port; PERM: files are
 * not this user's alone; CORRUPT: identity or store are damaged; VERSION: written by a newer kith;
 * NOTFOUND, IO: the configuration file cannot be read; LIMIT: it, or a path, is too long; NOSPACE,
 * NOMEM, FULL (no descriptors left). A tunnel interface that cannot be had is no error: see
 * tun_trouble of the method `status`. */
KITH_API int kith_open(const struct kith_open_options *options, struct kith **ret,
                       struct kith_error *ret_error);

/* Frees the handle; NULL is fine. A node that was opened tells its peers, ends within 5 s, and its
 * thread is joined. A node that was connected to runs on. */
KITH_API void kith_close(struct kith *k);

/* ---- calls ---- */

struct kith_reply { /* all-zero: empty */
    char *json;     /* one JSON object without newlines; freed by kith_reply_free */
    size_t length;  /* bytes of it without the NUL */
};

/* Calls a method and waits for its answer, as long as the method may take (docs/spec/control.md)
 * and at most 5 s longer. params_json is a JSON object, or NULL for none; it is borrowed, and what
 * is made of it is overwritten. ret may be NULL when the result does not matter. The method's own
 * errors, and: NOTFOUND: no such method; INVAL: params_json is no object, or one the method
 * refuses; FULL: KITH_CALLS_MAX calls are under way; CANCELLED; TIMEOUT; CLOSED: the node ended
 * before it answered, and may or may not have done it; TOOBIG: over KITH_PARAMS_MAX; NOMEM; and
 * those of kith_connect where the node is not in this process. */
KITH_API int kith_call(struct kith *k, const char *method, const char *params_json,
                       struct kith_reply *ret, struct kith_error *ret_error);

/* An item told before the answer: one JSON object, borrowed for the call. Called by the thread that
 * is in kith_call_items, which may call anything here but kith_close. Returns whether to go on;
 * false cancels the call. */
typedef bool kith_item(void *ctx, const char *item_json, size_t length);

/* The same for methods that tell items: ping, probe, join, logs. One that reads its items more
 * slowly than they come, by more than KITH_REPLY_MAX, is cut off: CLOSED. */
KITH_API int kith_call_items(struct kith *k, const char *method, const char *params_json,
                             kith_item *item, void *ctx, struct kith_reply *ret,
                             struct kith_error *ret_error);

/* Ends the calls that are under way on this handle; they return CANCELLED, unless their answer was
 * on its way already. It does not wait for that, and does nothing to calls that begin later. */
KITH_API void kith_cancel(struct kith *k);

/* Overwrites and frees the text (tickets and sealed keys come this way); leaves it empty. */
KITH_API void kith_reply_free(struct kith_reply *reply);

#ifdef __cplusplus
}
#endif

#endif
