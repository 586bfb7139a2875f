/* siege.h: a network of three in which one member's program was changed, and goes on doing the same
 * thing; what must be true of the others all the while.
 *
 * Order: begin; go_on any number of times; what the test asks for; end. */
#ifndef KITH_TESTS_SIM_SIEGE_H
#define KITH_TESTS_SIM_SIEGE_H

#include "sim/home.h"

enum { SIEGE_N = 3, SIEGE_FOE = 2 };
enum { SIEGE_BYTES = 4 * 1024 * 1024 }; /* that a member can make a node hold at most */

struct siege {
    struct home home;
    size_t bytes; /* that the first node held before */
};

/* One step of an attack, ten milliseconds long. */
typedef void siege_step(struct siege *s);

void siege_begin(struct siege *s, uint64_t seed);
void siege_end(struct siege *s);
/* Every 10 ms a step, for so long. Meanwhile the first node's memory stays within SIEGE_BYTES more
 * than before, and it and the desktop reach each other both ways every ten seconds. */
void siege_goes_on(struct siege *s, siege_step *step, kith_dur how_long);
/* One step, and what it sent has come. */
void siege_once(struct siege *s, siege_step *step);
/* The laptop and the desktop reach each other both ways. */
void siege_others_are_well(struct siege *s);
const struct kith_session_counters *siege_counters(const struct siege *s);
/* How often the first node told of a thing. */
unsigned siege_told(const struct siege *s, enum kith_event_kind what);

/* The foe's session was ended for this, told of, and is refused now; the others notice nothing. */
void siege_assert_sent_away(struct siege *s, enum kith_offence what);
/* The foe is still heard. */
void siege_assert_still_there(struct siege *s);
/* After its time away it may come back, and packets flow. */
void siege_assert_may_come_back(struct siege *s);

/* n datagrams of the foe's, as many as go; for steps only. */
void siege_datagrams(struct siege *s, const uint8_t *bytes, size_t len, size_t n);
/* n control messages of the foe's, as many as there is room for. */
void siege_says(struct siege *s, const uint8_t *message, size_t len, size_t n);

#endif
