/* unix_socket.h: the way between a node and the programs of the same machine that talk to it.
 *
 * A listener replaces the socket of a process that died, never one that answers. The client's half
 * blocks with a time-out; the listener's descriptors are non-blocking and belong in the loop. What
 * is said over it is docs/spec/control.md's, who may say it kith_peer_credentials' (os/process.h).
 * Test: tests/unit/os_unix_socket_test.c. */
#ifndef KITH_OS_UNIX_SOCKET_H
#define KITH_OS_UNIX_SOCKET_H

#include "base/base.h"
#include "os/why.h"

enum {
    KITH_UNIX_PATH_MAX = 107, /* longest path of a socket, bytes without NUL (sun_path) */
    KITH_UNIX_FDS_MAX = 8,    /* descriptors in one message; no command needs more than three */
};

/* Listens at path, which gets permission bits `mode` before anybody can connect; non-blocking.
 * KITH_E_INVAL: path too long; KITH_E_INUSE: somebody answers there; KITH_E_EXISTS: there is
 * something that is no socket; KITH_E_NOTFOUND: no such directory; KITH_E_PERM. */
int kith_unix_listen(const char *path, unsigned mode, int *ret_fd,
                     struct kith_os_why *why) KITH_MUST_CHECK;
/* A blocking connection. KITH_E_NOTFOUND: nobody listens there (no socket, or a dead one);
 * KITH_E_PERM; KITH_E_INVAL: path too long. */
int kith_unix_connect(const char *path, int *ret_fd, struct kith_os_why *why) KITH_MUST_CHECK;

/* All of s, waiting up to timeout_ms (negative: for ever) each time the other end takes nothing.
 * KITH_E_TIMEOUT: some of it may have gone; KITH_E_CLOSED. No SIGPIPE. */
int kith_unix_send_all(int fd, struct kith_span s, int timeout_ms) KITH_MUST_CHECK;
/* What there is, 1 to cap bytes, waiting up to timeout_ms. KITH_E_TIMEOUT; KITH_E_CLOSED: the other
 * end has said all; KITH_E_CANCELLED: a signal was handled while it waited (whoever does not mind
 * calls again). Descriptors sent with it are lost. */
int kith_unix_recv(int fd, void *buf, size_t cap, int timeout_ms, size_t *ret_len) KITH_MUST_CHECK;

/* Sends descriptors (1 to KITH_UNIX_FDS_MAX; the caller keeps its own) with the first byte of s, of
 * which there must be one. All of s. Errors as kith_unix_send_all. */
int kith_unix_send_fds(int fd, struct kith_span s, const int *fds, size_t n,
                       int timeout_ms) KITH_MUST_CHECK;

struct kith_unix_fds { /* received; close-on-exec; the caller closes them */
    size_t n;
    int fd[KITH_UNIX_FDS_MAX];
};

/* As kith_unix_recv, and the descriptors that came with these bytes. A message with more than
 * KITH_UNIX_FDS_MAX is refused with KITH_E_LIMIT and all its descriptors are closed. */
int kith_unix_recv_fds(int fd, void *buf, size_t cap, int timeout_ms, size_t *ret_len,
                       struct kith_unix_fds *ret_fds) KITH_MUST_CHECK;
/* Closes all and empties. */
void kith_unix_fds_close(struct kith_unix_fds *fds);

/* A descriptor (pidfd_open(2)) for the process that listened or connected at the other end, which
 * the caller closes; held, it means that process and no later one of the same number.
 * KITH_E_NOTFOUND: it has ended, or has no number in this container; KITH_E_UNSUPPORTED. */
int kith_unix_peer_process(int fd, int *ret_process) KITH_MUST_CHECK;
/* Waits until that process has ended. KITH_E_TIMEOUT; KITH_E_CANCELLED: a signal came first. */
int kith_unix_process_wait(int process, int timeout_ms) KITH_MUST_CHECK;

#endif
