/* paths_measured.c: what is measured over the ways, while they last and after. */
#include "mesh/paths_parts.h"

enum {
    MEASURED_MAX = 1024, /* ways of which it is remembered what they were like */
    RTT_PART = 8,        /* of a new sample, one in so many (RFC 6298) */
    LOSS_PART = 16,
};

void kith_paths_recall(const struct kith_mesh_paths *p, const struct kith_destination *to,
                       struct kith_mesh_way *w, kith_time now)
{
    const struct kith_mesh_measure *m =
        p->measured == NULL ? NULL : kith_mesh_measured_find(p->measured, to, w->neighbour, now);

    if (m == NULL)
        return;
    w->rtt = m->rtt;
    w->loss = m->loss;
    w->avoid_until = m->avoid_until;
}

/* As of every neighbour: nothing to be remembered. */
static bool is_usual(const struct kith_mesh_way *w)
{
    return w->hops == 1 && w->loss == 0 && w->rtt <= KITH_MESH_HOP_GUESS / KITH_USEC;
}

static void note(struct kith_mesh_paths *p, const struct kith_destination *to,
                 const struct kith_mesh_way *w, kith_time now)
{
    if (is_usual(w)) {
        if (p->measured != NULL)
            kith_mesh_measured_drop(p->measured, to, w->neighbour);
        return;
    }
    /* without memory for it, it is measured again one day */
    (void)!kith_mesh_paths_remember(p, &(struct kith_mesh_measure){.to = *to,
                                                                   .neighbour = w->neighbour,
                                                                   .rtt = w->rtt,
                                                                   .loss = w->loss,
                                                                   .avoid_until = w->avoid_until,
                                                                   .at = kith_paths_seconds(now)});
}

/* Smoothed, of the microseconds or the loss of one more. */
static void take_sample(struct kith_mesh_way *w, kith_dur rtt, kith_time now)
{
    uint64_t us = rtt / KITH_USEC;
    uint32_t lost = rtt == 0 ? LOSS_ALL : 0;

    w->loss = (uint16_t)(((LOSS_PART - 1) * (uint32_t)w->loss + lost) / LOSS_PART);
    if (rtt == 0)
        return;
    w->heard = kith_paths_seconds(now);
    w->avoid_until = 0;
    if (us == 0)
        us = 1;
    if (us > UINT32_MAX)
        us = UINT32_MAX;
    w->rtt = w->rtt == 0 ? (uint32_t)us
                         : (uint32_t)(((RTT_PART - 1) * (uint64_t)w->rtt + us) / RTT_PART);
}

void kith_mesh_paths_measured(struct kith_mesh_paths *p, const struct kith_destination *to,
                              uint32_t neighbour, kith_dur rtt, kith_time now)
{
    struct entry *e = kith_paths_find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : kith_paths_way_by(e, neighbour);

    if (w == NULL)
        return;
    take_sample(w, rtt, now);
    note(p, to, w, now);
}

void kith_mesh_paths_failed(struct kith_mesh_paths *p, const struct kith_destination *to,
                            uint32_t neighbour, kith_time now)
{
    struct entry *e = kith_paths_find(p, to);
    struct kith_mesh_way *w = e == NULL ? NULL : kith_paths_way_by(e, neighbour);

    if (w == NULL)
        return;
    w->avoid_until = kith_paths_seconds(kith_after(now, KITH_MESH_AVOID));
    if (w->rtt != 0 || w->loss != 0) /* else others could fill what is remembered */
        note(p, to, w, now);
}

int kith_mesh_paths_remember(struct kith_mesh_paths *p, const struct kith_mesh_measure *what)
{
    if (p->measured == NULL) {
        int err = kith_mesh_measured_new(p->env, MEASURED_MAX, &p->measured);
        if (err < 0)
            return err;
    }
    kith_mesh_measured_note(p->measured, what);
    return KITH_OK;
}

size_t kith_mesh_paths_measured_size(const struct kith_mesh_paths *p, size_t *ret_blocks)
{
    *ret_blocks = 0;
    return p->measured == NULL ? 0 : kith_mesh_measured_size(p->measured, ret_blocks);
}

void kith_mesh_paths_forget_neighbour(struct kith_mesh_paths *p, uint32_t neighbour)
{
    if (p->measured != NULL)
        kith_mesh_measured_forget(p->measured, neighbour);
}

const struct kith_mesh_measure *kith_mesh_paths_next_measure(const struct kith_mesh_paths *p,
                                                             size_t *at, kith_time now)
{
    return p->measured == NULL ? NULL : kith_mesh_measured_next(p->measured, at, now);
}
