/* conduct.h: how a member behaves, remembered just long enough to send away one that does not stop.
 *
 * What a member overdoes is counted in windows of 10 s, against the limits of conduct.def. A bad
 * window is a strike, a good one takes a strike back; six strikes send the member away for a
 * minute, and one more bad window after its return does so again. So a burst is forgiven, however
 * big, and a minute of it is not. It bounds nothing itself: whoever notes an offence has already
 * refused what was offered.
 * Order: note as things happen; tick at the deadline. All-zero is a member of whom nothing is
 * remembered. Spec: docs/spec/session.md 3.7. Test: tests/unit/session_conduct_test.c. */
#ifndef KITH_SESSION_CONDUCT_H
#define KITH_SESSION_CONDUCT_H

#include "base/base.h"

enum kith_offence {
#define OFFENCE(name, most, text) KITH_OFFENCE_##name,
#include "session/conduct.def"
#undef OFFENCE
    KITH_OFFENCES
};

enum { KITH_CONDUCT_STRIKES = 6 };
#define KITH_CONDUCT_WINDOW (10 * KITH_SEC)
#define KITH_CONDUCT_AWAY (60 * KITH_SEC)

struct kith_conduct {
    kith_time window_ends;     /* 0: nothing is remembered */
    uint32_t n[KITH_OFFENCES]; /* in this window */
    enum kith_offence worst;   /* of the last bad window */
    unsigned strikes;
    kith_time away_until; /* 0: it never was sent away */
};

/* What completes "over the limit of …"; never NULL. */
const char *kith_offence_text(enum kith_offence what);

/* Counts one. Whether it is the first one too many of its kind in this window: worth an event. */
bool kith_conduct_note(struct kith_conduct *c, enum kith_offence what, kith_time now);
/* Whether the member is to be sent away now, and for what; it is away from then on. */
bool kith_conduct_tick(struct kith_conduct *c, kith_time now, enum kith_offence *ret_what);
/* When tick has something to do; KITH_NEVER. */
kith_time kith_conduct_deadline(const struct kith_conduct *c);
bool kith_conduct_is_away(const struct kith_conduct *c, kith_time now);
/* Whether nothing is remembered: the member may be forgotten too. */
bool kith_conduct_is_clean(const struct kith_conduct *c);

#endif
