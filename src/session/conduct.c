#include "session/conduct.h"

static const struct {
    uint32_t most;
    const char *text;
} rows[KITH_OFFENCES] = {
#define OFFENCE(name, most, text) [KITH_OFFENCE_##name] = {most, text},
#include "session/conduct.def"
#undef OFFENCE
};

const char *kith_offence_text(enum kith_offence what)
{
    return rows[what].text;
}

/* Whether the window is a bad one; notes what was overdone most, in proportion. */
static bool is_bad(struct kith_conduct *c)
{
    uint64_t most = 0;

    for (size_t i = 0; i < KITH_OFFENCES; i++) {
        uint64_t times = (uint64_t)c->n[i] * 1000 / rows[i].most;
        if (c->n[i] <= rows[i].most || times <= most)
            continue;
        most = times;
        c->worst = (enum kith_offence)i;
    }
    return most > 0;
}

/* Judges the windows that are over. Each good one takes a strike, so there are few to judge. */
static void roll(struct kith_conduct *c, kith_time now)
{
    while (c->window_ends != 0 && now >= c->window_ends) {
        bool bad = is_bad(c);
        if (bad && c->strikes < KITH_CONDUCT_STRIKES)
            c->strikes++;
        else if (!bad && c->strikes > 0)
            c->strikes--;
        memset(c->n, 0, sizeof c->n);
        c->window_ends = c->strikes > 0 ? kith_after(c->window_ends, KITH_CONDUCT_WINDOW) : 0;
    }
}

bool kith_conduct_note(struct kith_conduct *c, enum kith_offence what, kith_time now)
{
    if (c->strikes < KITH_CONDUCT_STRIKES) /* else tick is due, and comes to it */
        roll(c, now);
    if (c->window_ends == 0)
        c->window_ends = kith_after(now, KITH_CONDUCT_WINDOW);
    if (c->n[what] == UINT32_MAX)
        return false;
    return ++c->n[what] == rows[what].most + 1;
}

bool kith_conduct_tick(struct kith_conduct *c, kith_time now, enum kith_offence *ret_what)
{
    if (c->strikes < KITH_CONDUCT_STRIKES)
        roll(c, now);
    if (c->strikes < KITH_CONDUCT_STRIKES)
        return false;
    memset(c->n, 0, sizeof c->n);
    c->strikes = KITH_CONDUCT_STRIKES - 1; /* one bad window more is enough */
    c->away_until = kith_after(now, KITH_CONDUCT_AWAY);
    c->window_ends = kith_after(c->away_until, KITH_CONDUCT_WINDOW);
    *ret_what = c->worst;
    return true;
}

kith_time kith_conduct_deadline(const struct kith_conduct *c)
{
    return c->window_ends != 0 ? c->window_ends : KITH_NEVER;
}

bool kith_conduct_is_away(const struct kith_conduct *c, kith_time now)
{
    return now < c->away_until;
}

bool kith_conduct_is_clean(const struct kith_conduct *c)
{
    return c->window_ends == 0;
}
