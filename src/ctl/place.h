/* place.h: where a node of this machine keeps its state, and where its control socket is.
 *
 * Programs and nodes find each other by these rules alone. Reads the environment (KITH_STATE, HOME
 * and what os/files.h says), touches no file.
 * Spec: docs/spec/control.md "Where".  Test: tests/cli/commands.sh */
#ifndef KITH_CTL_PLACE_H
#define KITH_CTL_PLACE_H

#include "base/base.h"

/* a and b, one after the other. KITH_E_LIMIT when they don't fit. */
int kith_place_join(char *buf, size_t cap, const char *a, const char *b) KITH_MUST_CHECK;
/* The value of an environment variable, NULL when it is unset or empty. */
const char *kith_place_variable(const char *name);
/* path as seen from the root. KITH_E_LIMIT: over cap; KITH_E_NOTFOUND: this process's directory is
 * gone. */
int kith_place_absolute(const char *path, char *buf, size_t cap) KITH_MUST_CHECK;
/* The state directory: `named`, else KITH_STATE, else the user's own; absolute. KITH_E_NOTFOUND
 * without a home, KITH_E_LIMIT. */
int kith_place_state(const char *named, char *buf, size_t cap) KITH_MUST_CHECK;
/* The i-th place to look for a control socket, `named` being the directory asked for or NULL;
 * KITH_E_NOTFOUND when there are no more, KITH_E_LIMIT. */
int kith_place_socket(const char *named, size_t i, char *buf, size_t cap) KITH_MUST_CHECK;
/* Where the node of this state directory listens when it is a process of its own. KITH_E_LIMIT. */
int kith_place_listen(const char *state_dir, char *buf, size_t cap) KITH_MUST_CHECK;

#endif
