/* fake_node.h: a node that knows only the control API: the real conversation (src/ctl) over a real
 * socket, with answers that are the same every time. The program's tests talk to it.
 *
 * Every answer is checked against the table that documents it; a wrong one ends the program. */
#ifndef FAKE_NODE_H
#define FAKE_NODE_H

#include "ctl/ctl.h"

/* Serves the socket at path until `down`. ready may be NULL. */
int fake_node_run(const char *path, enum kith_ctl_grant grant, void (*ready)(void *ctx), void *ctx);

#endif
