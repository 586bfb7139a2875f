/* daemon.h: a node on a thread: `kith up`, `kith id` and src/api call this.
 *
 * kith_daemon_run opens what a node needs from the host (state directory, store, sockets, tunnel
 * interface), drives it until it is told to end, and takes everything down again in reverse. The
 * calling thread does all of it. Detaching, arguments and exit codes are not decided here.
 *
 * As a process of its own it takes SIGTERM, SIGINT, SIGHUP and SIGPIPE while it runs, hides the
 * process's memory, raises its limit of descriptors and speaks to the service manager. Embedded in
 * somebody's program it does none of this: it touches nothing that belongs to the process, and
 * several run side by side, each on its thread with a state directory of its own.
 * Page: docs/modules/loop.md.  Test: tests/unit/loop_daemon_test.c */
#ifndef KITH_LOOP_DAEMON_H
#define KITH_LOOP_DAEMON_H

#include "conf/conf.h"
#include "ctl/ctl.h"

struct kith_daemon_options { /* borrowed until run returns */
    const char *state_dir;   /* absolute; made with mode 0700 when it is missing */
    const char *socket_path; /* absolute; the control socket. NULL: none, if embedded */
    bool foreground;         /* also write events to standard error */
    bool journal;            /* which is systemd's journal */
    bool json;               /* there as JSON lines instead of text */
    /* Called once, when sockets are open and the control socket answers. May be NULL. */
    void (*ready)(void *ctx);
    /* SIGHUP: reads the configuration again. KITH_OK with *ret; else why in *ret_error. NULL: a
     * SIGHUP changes nothing. */
    int (*reload)(void *ctx, struct kith_conf *ret, struct kith_ctl_error *ret_error);
    void *ctx;
    bool embedded; /* a part of a program that is not kith: see above */
    /* Of an embedded node: its end of a kith_owner_pair, taken also when it cannot start. When the
     * other end closes, the node ends. */
    int owner;
};

/* Runs a node until SIGTERM, SIGINT, `down` or the end of its owner; from then it takes 4 s at
 * most. KITH_OK after an orderly end; else *ret_error says why it could not start and what to do:
 * KITH_E_INUSE (a node runs for this state directory, or another program has the port),
 * KITH_E_PERM, KITH_E_CORRUPT (identity or store damaged), KITH_E_VERSION (written by a newer
 * kith), KITH_E_NOSPACE, KITH_E_NOMEM, KITH_E_IO. A tunnel interface that cannot be had is no
 * reason: it is told as the event tun_unavailable, and the node runs without. */
int kith_daemon_run(const struct kith_conf *conf, const struct kith_daemon_options *options,
                    struct kith_ctl_error *ret_error) KITH_MUST_CHECK;

/* The id of the identity in state_dir as text; makes directory and identity when there is none.
 * For when no node runs. */
int kith_daemon_identity(const char *state_dir, char ret_peer_id[53],
                         struct kith_ctl_error *ret_error) KITH_MUST_CHECK;

#endif
