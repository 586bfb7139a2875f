#include "loop/timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Takes the expirations, so that the descriptor is quiet again; the turn that follows does the
 * rest. */
static void on_due(uv_poll_t *handle, int status, int events)
{
    struct kith_timer *t = handle->data;
    uint64_t times;

    (void)status, (void)events;
    t->armed = KITH_NEVER;
    (void)!read(t->due_fd, &times, sizeof times);
}

/* As far away as time goes: it never expires, it is only cancelled when the calendar is set or the
 * host wakes up (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). */
static void watch_calendar(int fd)
{
    struct itimerspec never = {.it_value = {.tv_sec = (time_t)1 << 40}};

    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void on_set(uv_poll_t *handle, int status, int events)
{
    struct kith_timer *t = handle->data;
    uint64_t times;

    (void)status, (void)events;
    (void)!read(t->set_fd, &times, sizeof times);
    watch_calendar(t->set_fd);
}

int kith_timer_open(struct kith_timer *t, uv_loop_t *loop, struct kith_os_why *why)
{
    int due = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    int set = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

    if (due < 0 || set < 0 || uv_poll_init(loop, &t->due, due) < 0) {
        int err = kith_os_fail(why, errno, "make a timer");
        (void)(due >= 0 && close(due));
        (void)(set >= 0 && close(set));
        return err;
    }
    t->due_fd = due;
    t->set_fd = set;
    t->armed = KITH_NEVER;
    t->open = true;
    t->due.data = t->set.data = t;
    watch_calendar(set);
    /* on a descriptor that epoll took once, neither fails */
    (void)uv_poll_init(loop, &t->set, set);
    (void)uv_poll_start(&t->due, UV_READABLE, on_due);
    (void)uv_poll_start(&t->set, UV_READABLE, on_set);
    return KITH_OK;
}

/* Setting a timer costs a virtual machine thousands of cycles, and a busy node's deadlines move
 * with every packet, nearly always away: waking once too early is cheaper than following them. */
void kith_timer_arm(struct kith_timer *t, kith_time at)
{
    struct itimerspec when = {.it_interval = {0}};

    if (at >= t->armed)
        return;
    t->armed = at;
    when.it_value.tv_sec = (time_t)(at / KITH_SEC);
    when.it_value.tv_nsec = (long)(at % KITH_SEC);
    if (at == 0)
        when.it_value.tv_nsec = 1; /* zero would disarm it */
    (void)timerfd_settime(t->due_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void kith_timer_close(struct kith_timer *t)
{
    if (!t->open)
        return;
    uv_close((uv_handle_t *)&t->due, NULL);
    uv_close((uv_handle_t *)&t->set, NULL);
    (void)close(t->due_fd);
    (void)close(t->set_fd);
    t->open = false;
}
