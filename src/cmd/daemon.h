/* daemon.h: what `kith up` and `kith id` expect of the layer that runs a node.
 *
 * The loop fulfils it. The references are weak, so that a program linked without the loop says that
 * it has no node instead of failing to link. */
#ifndef KITH_CMD_DAEMON_H
#define KITH_CMD_DAEMON_H

#include "conf/conf.h"
#include "ctl/ctl.h"

struct kith_daemon_options { /* borrowed until run returns */
    const char *state_dir;   /* absolute; made with mode 0700 when it is missing */
    const char *socket_path; /* absolute; the control socket */
    bool foreground;         /* also write events to standard error */
    /* Called once, when sockets are open and the control socket answers. */
    void (*ready)(void *ctx);
    /* SIGHUP: reads the configuration again. KITH_OK with *ret; else why in *ret_error. */
    int (*reload)(void *ctx, struct kith_conf *ret, struct kith_ctl_error *ret_error);
    void *ctx;
};

/* Runs a node until SIGTERM, SIGINT or `down`. KITH_OK after an orderly end; else *ret_error says
 * why it could not start (KITH_E_INUSE: one runs already for this state directory). */
int kith_daemon_run(const struct kith_conf *conf, const struct kith_daemon_options *options,
                    struct kith_ctl_error *ret_error) __attribute__((weak));

/* The id of the identity in state_dir as text; makes directory and identity when there is none.
 * For when no node runs. */
int kith_daemon_identity(const char *state_dir, char ret_peer_id[53],
                         struct kith_ctl_error *ret_error) __attribute__((weak));

#endif
