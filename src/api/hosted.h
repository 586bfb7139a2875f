/* hosted.h: a node on a thread of this process.
 *
 * The thread runs kith_daemon_run and nothing else touches the node: whoever has the handle talks
 * to it over connections (kith_hosted_dial). The thread blocks the process's signals, so that they
 * go to the program's own threads, but for those a fault of the thread itself raises. Test:
 * tests/unit/api_node_test.c */
#ifndef KITH_API_HOSTED_H
#define KITH_API_HOSTED_H

#include "ctl/ctl.h"
#include "kith/kith.h"

struct kith_hosted;

/* Starts a node and waits until it is ready. Errors as kith_open, in *ret_error. */
int kith_hosted_new(const struct kith_open_options *options, struct kith_hosted **ret,
                    struct kith_error *ret_error) KITH_MUST_CHECK;
/* A connection to it; any thread. KITH_E_CLOSED: it has ended. The caller closes it. */
int kith_hosted_dial(const struct kith_hosted *h, int *ret_fd) KITH_MUST_CHECK;
/* Ends it and joins its thread; NULL is fine. */
void kith_hosted_free(struct kith_hosted *h);

#endif
