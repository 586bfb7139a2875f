/* replay.h: which of the last 8192 packet numbers were seen: each is taken once.
 *
 * The window of RFC 6479: a ring of bits in which whole words are cleared as the highest number
 * moves on, so that nothing is ever shifted. Numbers older than the window are refused. Ask before
 * opening a packet, and note its number only after it was authentic.
 * Test: tests/unit/conn_replay_test.c. */
#ifndef KITH_CONN_REPLAY_H
#define KITH_CONN_REPLAY_H

#include "base/base.h"

enum {
    KITH_REPLAY_WINDOW = 8192,                       /* numbers behind the highest */
    KITH_REPLAY_WORDS = KITH_REPLAY_WINDOW / 64 * 2, /* a power of two, more than the window */
};

struct kith_replay { /* all-zero: nothing was seen */
    uint64_t next;   /* one more than the highest number noted */
    uint64_t word[KITH_REPLAY_WORDS];
};

/* Whether the number is new and not too old. */
bool kith_replay_admits(const struct kith_replay *r, uint64_t number);
/* Notes a number that is admitted. */
void kith_replay_note(struct kith_replay *r, uint64_t number);

#endif
