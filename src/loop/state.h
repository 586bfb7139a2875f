/* state.h: the files a node keeps: its directory, the lock on it, identity and store.
 *
 * Errors are sentences for the person at this machine, with the remedy where there is one. A
 * damaged or readable-by-others identity is never replaced or mended by itself: whoever was
 * admitted with it would be somebody else afterwards. Test: tests/unit/loop_daemon_test.c */
#ifndef KITH_LOOP_STATE_H
#define KITH_LOOP_STATE_H

#include "ctl/ctl.h"
#include "identity/identity.h"
#include "os/files.h"
#include "store/store.h"

struct kith_state { /* all-zero: not open */
    const char *dir;
    struct kith_lock lock;
    bool locked;
    struct kith_identity identity;
    struct kith_store *store;
};

/* Reads the identity in dir, or makes dir and a new identity. Needs no lock: of two that make one
 * at the same time, one wins and both read it. */
int kith_state_identity(const char *dir, struct kith_identity *ret,
                        struct kith_ctl_error *e) KITH_MUST_CHECK;
/* All of it; env outlives s. After an error, close. */
int kith_state_open(struct kith_state *s, const char *dir, const struct kith_env *env,
                    struct kith_ctl_error *e) KITH_MUST_CHECK;
void kith_state_close(struct kith_state *s);

#endif
