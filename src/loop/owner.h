/* owner.h: the line between an embedded node and the program that holds it.
 *
 * A pair of Unix sockets. Over it the program passes connections to its node, each of which then
 * speaks the control API (docs/spec/control.md) with every right; closing its end tells the node to
 * end. So nothing of the node is ever touched by another thread than its own, and any thread of the
 * program may make a call. What is said on the connections is src/ctl's.
 * Order: pair; one end becomes `owner` of kith_daemon_options; dial with the other; close it.
 * Test: tests/unit/api_node_test.c */
#ifndef KITH_LOOP_OWNER_H
#define KITH_LOOP_OWNER_H

#include "base/base.h"

/* ret_fd[0] for the program, ret_fd[1] for the node; close-on-exec. KITH_E_FULL: no descriptors
 * left; KITH_E_NOMEM. */
int kith_owner_pair(int ret_fd[2]) KITH_MUST_CHECK;
/* A connection of its own to the node at the other end; the caller closes it. Any thread.
 * KITH_E_CLOSED: the node has ended; KITH_E_TIMEOUT: it takes nothing; errors as pair. */
int kith_owner_dial(int fd, int *ret_fd) KITH_MUST_CHECK;

/* The node's side: the next connection, the caller's to close; -1 when it was lost on the way
 * because this process has no descriptor left. KITH_E_AGAIN: there is none now; any other error:
 * the owner has gone. */
int kith_owner_take(int fd, int *ret_fd) KITH_MUST_CHECK;

#endif
