/* files.h: small files that must not be lost, directories that must not be read, one owner at a
 * time.
 *
 * A file is replaced whole or not at all, even when the power fails: what a reader finds is always
 * one version from beginning to end. Secrets are read only from files that nobody else can read.
 * Databases are src/store's, sockets os/unix_socket.h's.
 *
 * Order for a state directory: kith_dir_private, kith_lock_take (after any detaching), then files.
 * Source: design section 9. Test: tests/unit/os_files_test.c. */
#ifndef KITH_OS_FILES_H
#define KITH_OS_FILES_H

#include "base/alloc.h"
#include "base/base.h"
#include "base/buf.h"
#include "os/why.h"

enum {
    KITH_PATH_MAX = 4096, /* a path with its NUL */
};

/* The whole of a regular file of at most max bytes into *ret, which is initialised here and is the
 * caller's to fini. The buffer is allocated once at the file's size, so that a caller that wipes it
 * leaves no copy of a secret behind. KITH_E_NOTFOUND, KITH_E_PERM; KITH_E_LIMIT: longer than max;
 * KITH_E_INVAL: not a regular file; KITH_E_NOMEM. */
int kith_file_read(const char *path, size_t max, const struct kith_alloc *alloc,
                   struct kith_buf *ret, struct kith_os_why *why) KITH_MUST_CHECK;
/* The same for a secret: what kith_file_check_private refuses is not read (no gap in between). */
int kith_file_read_private(const char *path, size_t max, const struct kith_alloc *alloc,
                           struct kith_buf *ret, struct kith_os_why *why) KITH_MUST_CHECK;
/* KITH_E_PERM unless the file belongs to this user or root and nobody else may touch it; the text
 * begins with the remedy ("chmod 600 PATH"). KITH_E_INVAL: not a regular file. */
int kith_file_check_private(const char *path, struct kith_os_why *why) KITH_MUST_CHECK;

/* The steps at which the system may fail, for tests to make them fail; same results as the system
 * calls of these names (-1 and errno). */
struct kith_file_ops {
    long (*write)(void *ctx, int fd, const void *p, size_t n);
    int (*fsync)(void *ctx, int fd);
    int (*rename)(void *ctx, int dir, const char *from, const char *to);
    void *ctx;
};

/* Puts `content` at path with permission bits `mode`, replacing what is there (a symbolic link
 * itself, not its target). Whatever fails, the old file stays as it was and nothing is left beside
 * it; with one exception: when only the last step fails, the fsync of the directory, the new file
 * stands but may not outlive a power failure. ops NULL: the system's. A process that is killed in
 * the middle may leave a file named ".NAME.*.tmp".
 * KITH_E_NOTFOUND: no such directory; KITH_E_PERM, KITH_E_NOSPACE, KITH_E_IO; KITH_E_INVAL: path
 * ends in no name. */
int kith_file_write_atomic(const char *path, struct kith_span content, unsigned mode,
                           const struct kith_file_ops *ops,
                           struct kith_os_why *why) KITH_MUST_CHECK;
/* The same, but KITH_E_EXISTS when anything has that name already: of two writers one wins, and
 * neither damages the other's. */
int kith_file_create_exclusive(const char *path, struct kith_span content, unsigned mode,
                               const struct kith_file_ops *ops,
                               struct kith_os_why *why) KITH_MUST_CHECK;

/* A directory that only this user can change. With `create` it and its missing parents are made,
 * mode 0700. KITH_E_NOTFOUND: missing; KITH_E_INVAL: no directory; KITH_E_PERM: it belongs to
 * somebody else or others may write to it, the text says how to mend that. */
int kith_dir_private(const char *path, bool create, struct kith_os_why *why) KITH_MUST_CHECK;

struct kith_lock { /* taken before use */
    int fd;
};

/* Takes the lock that the file at path (created, mode 0600) stands for; the kernel lets go of it
 * when this process ends, however it ends. The file names the holder and is never removed, or two
 * could hold it. Held across fork by both: take it after detaching. KITH_E_INUSE: the text says
 * by which process. */
int kith_lock_take(const char *path, struct kith_lock *ret,
                   struct kith_os_why *why) KITH_MUST_CHECK;
void kith_lock_release(struct kith_lock *lock);

/* The default state directory: /var/lib/kith for root, else $XDG_STATE_HOME/kith (an absolute path,
 * or it does not count), else ~/.local/state/kith. KITH_STATE and --state are the caller's.
 * KITH_E_NOTFOUND: this user has no home; KITH_E_LIMIT: over cap. */
int kith_paths_state(char *buf, size_t cap) KITH_MUST_CHECK;

#endif
