/* timer.h: wakes the loop at an instant of the node's clock, and when the calendar is set.
 *
 * libuv's timers count whole milliseconds, which would throttle paced sending, and stand still
 * while the host sleeps. This is a timerfd: nanoseconds, CLOCK_BOOTTIME. What is to be done then is
 * the turn's (pump.h); being woken is all that happens here. */
#ifndef KITH_LOOP_TIMER_H
#define KITH_LOOP_TIMER_H

#include <uv.h>

#include "base/base.h"
#include "os/why.h"

struct kith_timer {     /* all-zero: not open */
    uv_poll_t due, set; /* handles; their memory stays until the loop has closed them */
    int due_fd, set_fd;
    kith_time armed; /* when it wakes next; KITH_NEVER: not */
    bool open;
};

int kith_timer_open(struct kith_timer *t, uv_loop_t *loop, struct kith_os_why *why) KITH_MUST_CHECK;
/* Wakes at `at`, at once when that is past, and perhaps earlier: at an instant that was asked for
 * before. KITH_NEVER asks for nothing. */
void kith_timer_arm(struct kith_timer *t, kith_time at);
void kith_timer_close(struct kith_timer *t);

#endif
