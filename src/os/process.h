/* process.h: this process and its surroundings: clocks, randomness, detaching, its supervisor, its
 * rights and limits.
 *
 * Everything here is called at the start or at the edges of the loop, never from a core. Order at
 * the start: kith_process_detach (before any thread, loop or lock), hide_memory, raise_files; when
 * ready kith_detach_ready or kith_sd_notify("READY=1"), each of which does nothing where it does
 * not apply. Source: design sections 3 and 9. Test: tests/unit/os_process_test.c. */
#ifndef KITH_OS_PROCESS_H
#define KITH_OS_PROCESS_H

#include "base/base.h"
#include "base/random.h"
#include "os/why.h"

/* Both clocks. `mono` is CLOCK_BOOTTIME: it runs on while the host sleeps, so that after a night in
 * a bag every deadline of the evening is past, and dead connections are noticed at once instead of
 * a night later. Sleeping for a deadline is the loop's; its timers may stand still meanwhile, so it
 * looks at this clock whenever it wakes. `wall` is 0 where the calendar is before 1970. */
void kith_clock_now(struct kith_now *ret);

/* The kernel's generator (getrandom(2), which waits at boot until it is seeded). Aborts the process
 * where the kernel has none: nothing here may run on worse randomness. */
struct kith_random kith_random_system(void);

/* ---- detaching ---- */

/* Goes on in a background process with a session of its own and /dev/null for input and output; the
 * calling process waits until that one has told how its start went. Returns in both:
 *   in the background: 0 and *ret_ready_fd >= 0, to be given to kith_detach_ready or _failed;
 *   in the calling process: 0 and *ret_ready_fd == -1 when the background process is ready, else
 * the error and text it failed with (KITH_E_IO when it died in silence). It should exit then. The
 * working directory stays. The caller has no threads and has flushed its streams. */
int kith_process_detach(int *ret_ready_fd, struct kith_os_why *why) KITH_MUST_CHECK;
/* Tells the waiting process and closes *ready_fd (-1: there is nobody to tell). */
void kith_detach_ready(int *ready_fd);
/* The same with an error (negative) and a text of at most 159 bytes. */
void kith_detach_failed(int *ready_fd, int err, const char *text);

/* Sends `state` ("READY=1", "STOPPING=1") to the service manager, if NOTIFY_SOCKET names one.
 * 0 also when it names none. KITH_E_UNSUPPORTED: an address of another kind than a Unix socket.
 * Source: sd_notify(3). */
int kith_sd_notify(const char *state, struct kith_os_why *why) KITH_MUST_CHECK;

/* ---- rights and limits ---- */

struct kith_privileges {
    uint32_t euid;
    bool net_admin; /* may make interfaces, addresses and routes (CAP_NET_ADMIN in effect) */
};

int kith_process_privileges(struct kith_privileges *ret, struct kith_os_why *why) KITH_MUST_CHECK;

/* No core dumps, and none with memory in it should one be made all the same; no debugger of the
 * same user, /proc/self owned by root: keys stay inside. Does as much as the host lets it, and
 * fails when something was missing. */
int kith_process_hide_memory(struct kith_os_why *why) KITH_MUST_CHECK;

/* Raises the limit of open descriptors to `wanted` or as near as this user may; never lowers it.
 * *ret_limit is what holds now. */
int kith_process_raise_files(uint64_t wanted, uint64_t *ret_limit,
                             struct kith_os_why *why) KITH_MUST_CHECK;

/* Memory of this process that is in RAM now, bytes. */
int kith_process_memory(uint64_t *ret_bytes) KITH_MUST_CHECK;

struct kith_process_usage {
    uint64_t memory_bytes; /* in RAM now */
    uint64_t heap_bytes;   /* allocated and not freed, by the libraries, too */
    uint64_t files;        /* descriptors open now */
    uint64_t files_max;    /* and how many may be */
    uint64_t cpu;          /* processor time of all threads so far, nanoseconds */
};
#define KITH_PROCESS_UNKNOWN UINT64_MAX

/* Fills in what the system tells; what it does not is KITH_PROCESS_UNKNOWN. */
void kith_process_usage(struct kith_process_usage *ret);

/* ---- the other end of a Unix socket ---- */

struct kith_peer_credentials { /* as of its connect(2) or the listener's listen(2) */
    uint32_t uid, gid;
    int32_t pid; /* 0: in a container whose processes have no number here */
};

/* KITH_E_IO: not a connected Unix socket. */
int kith_peer_credentials(int fd, struct kith_peer_credentials *ret) KITH_MUST_CHECK;

#endif
