/* moves.c: the ways of a connection: peers that speak from elsewhere, and our own moves. */
#include "sim/model/model.h"

enum {
    STRAY_MIN = 3, /* packets in a row that show a peer moved, as in the real engine */
    TRIES_MAX = 6, /* challenges, each after twice the time of the one before */
};

static void move_to(struct kith_conn *c, const struct kith_path *path)
{
    c->path = *path;
    if (c->state != MODEL_ESTABLISHED)
        return;
    c->tell_moved = true;
    model_mark_ready(c);
}

/* Dialling side: follows a peer that spoke from elsewhere a few times in a row. */
static void notice_stray(struct kith_conn *c, const struct kith_path *path)
{
    if (kith_addr_equal(&c->path.remote, &path->remote)) {
        if (c->path.local.ip.family == KITH_FAMILY_NONE)
            c->path = *path; /* learnt: where we speak from */
        c->move.stray_seen = 0;
        return;
    }
    if (!kith_path_equal(&c->move.stray, path)) {
        c->move.stray = *path;
        c->move.stray_seen = 0;
    }
    if (++c->move.stray_seen < STRAY_MIN)
        return;
    c->move.stray_seen = 0;
    move_to(c, path);
}

void model_path_noticed(struct kith_conn *c, const struct kith_path *path, bool newest,
                        bool probing, kith_time now)
{
    (void)now;
    if (c->dialled)
        notice_stray(c, path);
    else if (newest && !probing && !kith_path_equal(&c->path, path))
        move_to(c, path);
}

/* ---- our own move ---- */

static void begin_check(struct kith_conn *c, const struct kith_path *path, kith_time now)
{
    c->move.next = *path;
    c->move.checks = c->move.challenge_owed = true;
    c->move.tries = 0;
    c->move.challenge = kith_random_u64(c->q->env->random);
    c->move.try_at = kith_after(now, model_pto(c));
    model_mark_dirty(c);
    model_refresh_due(c, now);
}

int kith_conn_migrate(struct kith_conn *c, const struct kith_path *path, kith_time now)
{
    if (c->state != MODEL_ESTABLISHED)
        return KITH_E_STATE;
    if (c->dialled)
        begin_check(c, path, now);
    else
        c->path = *path; /* the other side notices where we speak from */
    return KITH_OK;
}

/* The way that is checked leads there. */
void model_path_answered(struct kith_conn *c, uint64_t data, const struct kith_path *path)
{
    if (!c->move.checks || data != c->move.challenge)
        return;
    c->move.checks = c->move.challenge_owed = false;
    c->move.try_at = KITH_NEVER;
    if (c->move.next.local.ip.family == KITH_FAMILY_NONE)
        c->move.next.local = path->local;
    const bool elsewhere = !kith_path_equal(&c->path, &c->move.next);
    if (elsewhere)
        move_to(c, &c->move.next);
    c->out.probes = 1; /* so that the other side hears us from there */
    model_mark_dirty(c);
}

kith_time model_moves_deadline(const struct kith_conn *c)
{
    return c->move.try_at;
}

void model_moves_tick(struct kith_conn *c, kith_time now)
{
    if (c->move.try_at > now)
        return;
    c->move.try_at = KITH_NEVER;
    if (++c->move.tries >= TRIES_MAX) {
        c->move.checks = false; /* it leads nowhere: all stays as it is */
        return;
    }
    c->move.challenge_owed = true;
    c->move.try_at = kith_after(now, model_pto(c) << c->move.tries);
}
