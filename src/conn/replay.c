#include "conn/replay.h"

static uint64_t bit(uint64_t number)
{
    return (uint64_t)1 << (number % 64);
}

static size_t word_of(uint64_t number)
{
    return number / 64 % KITH_REPLAY_WORDS;
}

bool kith_replay_admits(const struct kith_replay *r, uint64_t number)
{
    if (number >= r->next)
        return number != UINT64_MAX; /* whose successor would be 0 */
    if (r->next - 1 - number >= KITH_REPLAY_WINDOW)
        return false;
    return (r->word[word_of(number)] & bit(number)) == 0;
}

/* Clears the words that begin to stand for numbers up to `number`. */
static void move_on(struct kith_replay *r, uint64_t number)
{
    uint64_t from = r->next == 0 ? 0 : (r->next - 1) / 64 + 1, to = number / 64;

    if (to - from >= KITH_REPLAY_WORDS && to >= from)
        from = to - (KITH_REPLAY_WORDS - 1);
    for (uint64_t w = from; w <= to; w++)
        r->word[w % KITH_REPLAY_WORDS] = 0;
    r->next = number + 1;
}

void kith_replay_note(struct kith_replay *r, uint64_t number)
{
    if (number >= r->next)
        move_on(r, number);
    r->word[word_of(number)] |= bit(number);
}
