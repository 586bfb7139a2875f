/* control.h: the control API in the loop: clients come and go, their bytes go to src/ctl.
 *
 * They come over the control socket, if there is one, and from the owner of an embedded node
 * (loop/owner.h). Who a client of the socket is, the kernel says (SO_PEERCRED, SO_PEERGROUPS):
 * root, the node's own user and members of the control group may everything, others nothing; the
 * owner's may everything. Requests are handled as they are read; answers leave at the end of the
 * turn. A client that ends its side gets what is written for it already, and its open calls are
 * taken back. */
#ifndef KITH_LOOP_CONTROL_H
#define KITH_LOOP_CONTROL_H

#include <sys/types.h>

#include "ctl/ctl.h"
#include "loop/pump.h"

struct kith_control_client {
    uv_poll_t handle;
    struct kith_control *owner;
    struct kith_ctl_client *ctl; /* NULL: the place is free, once `closing` is false */
    int fd;
    int events;   /* what it is polled for */
    bool ended;   /* it sends no more */
    bool closing; /* the handle is the loop's until its callback */
};

struct kith_control { /* all-zero: not open */
    struct kith_pump *pump;
    struct kith_ctl *ctl; /* borrowed; over its handlers */
    const struct kith_env *env;
    uv_loop_t *loop;
    uv_poll_t listener, owner;
    int fd, owner_fd;
    bool open;          /* there is a control socket */
    bool listening;     /* its handle is the loop's */
    bool owned;         /* there is an owner, and the handle is the loop's */
    bool orphaned;      /* there was one, and it has gone */
    kith_time retry_at; /* KITH_NEVER unless descriptors ran out */
    const char *path;   /* borrowed */
    uid_t own_uid;
    gid_t group; /* (gid_t)-1: none */
    struct kith_control_client client[KITH_CTL_CLIENTS];
};

/* Listens at path. Mode 0660 with the group when there is one of that name that this process may
 * give it to, else 0600. Errors as kith_unix_listen. */
int kith_control_open(struct kith_control *c, const char *path, const char *group,
                      struct kith_os_why *why) KITH_MUST_CHECK;
/* Begins to take clients of the socket, if it was opened. */
int kith_control_start(struct kith_control *c, uv_loop_t *loop, struct kith_pump *pump,
                       struct kith_ctl *ctl) KITH_MUST_CHECK;
/* Takes clients from the owner at the other end of fd; after start; fd is borrowed. */
int kith_control_own(struct kith_control *c, int fd) KITH_MUST_CHECK;
/* The end of a turn: sends what is written and lets go of who is done. */
void kith_control_turn(struct kith_control *c);
/* Takes clients again after this process had no descriptors left. */
void kith_control_retry(struct kith_control *c);
kith_time kith_control_deadline(const struct kith_control *c);
/* Ends every client and removes the socket. */
void kith_control_close(struct kith_control *c);

#endif
