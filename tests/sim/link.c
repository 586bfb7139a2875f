#include "sim/link.h"

enum {
    MILLION = 1000000,
    QUEUE = 256 * 1024, /* bytes */
    MTU = 1472,         /* UDP payload in IPv4 on Ethernet */
};

static bool chance(const struct kith_random *r, unsigned ppm)
{
    return ppm > 0 && kith_random_below(r, MILLION) < ppm;
}

/* Gilbert's chain (1960): all is lost in its bad state, which it leaves one time of `burst`, and
 * enters so often that it is there loss_ppm of the time. Bursts of b cannot make up more than
 * b / (b + 1) of all, since one that gets through ends each. */
static bool loses_in_bursts(struct sim_pipe *p, const struct sim_link *l,
                            const struct kith_random *r)
{
    if (p->losing)
        p->losing = kith_random_below(r, l->burst) != 0;
    else
        p->losing =
            kith_random_below(r, (uint64_t)l->burst * (MILLION - l->loss_ppm)) < l->loss_ppm;
    return p->losing;
}

static bool loses(struct sim_pipe *p, const struct sim_link *l, const struct kith_random *r)
{
    if (l->burst == 0 || l->loss_ppm == 0 || l->loss_ppm >= MILLION)
        return chance(r, l->loss_ppm);
    return loses_in_bursts(p, l, r);
}

enum sim_verdict sim_pipe_enter(struct sim_pipe *p, const struct sim_link *l, size_t len,
                                const struct kith_random *r)
{
    if (l->cut)
        return SIM_CUT;
    if (len > (l->mtu != 0 ? l->mtu : MTU))
        return SIM_TOO_LARGE;
    return loses(p, l, r) ? SIM_LOST : SIM_PASSES;
}

/* Takes the time that the rate needs for it; false when too much waits before it. */
static bool queue_up(struct sim_pipe *p, const struct sim_link *l, size_t len, kith_time now,
                     kith_time *ret_sent)
{
    kith_time start = p->free_at > now ? p->free_at : now;
    size_t queue = l->queue != 0 ? l->queue : QUEUE;

    if (l->rate > 0) {
        if ((start - now) * l->rate / 8 / KITH_SEC > queue)
            return false;
        p->free_at = start + len * 8 * KITH_SEC / l->rate;
        start = p->free_at;
    }
    *ret_sent = start;
    return true;
}

/* When what was sent then arrives. */
static kith_time arrival(struct sim_pipe *p, const struct sim_link *l, kith_time sent,
                         const struct kith_random *r)
{
    kith_time at = sent + l->delay;

    if (l->jitter > 0)
        at += kith_random_below(r, l->jitter);
    if (chance(r, l->reorder_ppm))
        return at + l->reorder_by;
    if (at <= p->last_at)
        at = p->last_at + 1; /* what was sent first arrives first */
    p->last_at = at;
    return at;
}

enum sim_verdict sim_pipe_pass(struct sim_pipe *p, const struct sim_link *l, size_t len,
                               const struct kith_random *r, kith_time now, kith_time ret_at[2])
{
    kith_time sent;

    if (!queue_up(p, l, len, now, &sent))
        return SIM_NO_ROOM;
    ret_at[0] = arrival(p, l, sent, r);
    ret_at[1] = chance(r, l->dup_ppm) ? ret_at[0] + KITH_MSEC : KITH_NEVER;
    return SIM_PASSES;
}
