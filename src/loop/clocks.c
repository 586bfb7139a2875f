#include "loop/clocks.h"

struct kith_clocks_news kith_clocks_look(struct kith_clocks *c, struct kith_now now,
                                         kith_time awake)
{
    int64_t calendar = (int64_t)now.wall - (int64_t)(now.mono / KITH_SEC);
    kith_dur asleep = kith_since(now.mono, awake);
    int64_t jumped = calendar - c->calendar;
    struct kith_clocks_news news = {.resumed = false};

    if (c->seen) {
        news.resumed = kith_since(asleep, c->asleep) >= KITH_CLOCK_SLEEP;
        if (jumped > KITH_CLOCK_JUMP || jumped < -KITH_CLOCK_JUMP)
            news.jumped = jumped;
    }
    *c = (struct kith_clocks){.seen = true, .calendar = calendar, .asleep = asleep};
    return news;
}
