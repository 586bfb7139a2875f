#include "loop/pump.h"

#include <time.h>

#include "os/process.h"

static kith_time awake_time(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (kith_time)t.tv_sec * KITH_SEC + (kith_time)t.tv_nsec;
}

struct kith_now kith_pump_now(struct kith_pump *p)
{
    struct kith_clocks_news news;

    if (p->fresh)
        return p->now;
    p->fresh = true;
    kith_clock_now(&p->now);
    news = kith_clocks_look(&p->clocks, p->now, awake_time());
    if (news.resumed || news.jumped != 0)
        p->ops->clocks(p->ctx, news);
    return p->now;
}

static void effects(struct kith_pump *p)
{
    struct kith_node_effect fx;

    while (kith_node_next_effect(p->node, p->now, &fx))
        p->ops->effect(p->ctx, &fx);
}

void kith_pump_turn(struct kith_pump *p)
{
    struct kith_now now = kith_pump_now(p);

    if (p->node == NULL)
        return;
    if (kith_node_deadline(p->node) <= now.mono)
        kith_node_tick(p->node, now);
    effects(p);
    p->ops->turn(p->ctx);
    kith_node_flush(p->node, now);
    effects(p);
    p->ops->settled(p->ctx, !kith_tx_flush(p->batch));
    kith_timer_arm(&p->timer, kith_sooner(kith_node_deadline(p->node), p->ops->deadline(p->ctx)));
    p->fresh = false;
}

void kith_pump_receive(struct kith_pump *p, const struct kith_rx *run)
{
    kith_gather_heard(&p->gather, run);
    kith_node_receive(p->node, run, kith_pump_now(p));
}

static void on_check(uv_check_t *handle)
{
    struct kith_pump *p = handle->data;

    kith_pump_turn(p);
    const struct timespec rest = {.tv_nsec = (long)kith_gather_rest(&p->gather, p->now.mono)};
    if (rest.tv_nsec > 0)
        (void)nanosleep(&rest, NULL);
}

int kith_pump_open(struct kith_pump *p, uv_loop_t *loop, const struct kith_pump_ops *ops, void *ctx,
                   struct kith_os_why *why)
{
    int err = kith_timer_open(&p->timer, loop, why);

    if (err < 0)
        return err;
    p->ops = ops;
    p->ctx = ctx;
    p->open = true;
    (void)uv_check_init(loop, &p->check); /* neither can fail */
    p->check.data = p;
    (void)uv_check_start(&p->check, on_check);
    return KITH_OK;
}

void kith_pump_close(struct kith_pump *p)
{
    if (!p->open)
        return;
    kith_timer_close(&p->timer);
    uv_close((uv_handle_t *)&p->check, NULL);
    p->open = false;
}
