/* boots.h: whether the programs that call themselves one peer are one after the other, or two.
 *
 * A program is known by the random boot_id of its hello. One that another replaced has ended, so it
 * does not come back; one that does runs beside it, with the same key: a copied disk, a restored
 * machine, or a thief. Pure. Test: tests/unit/session_boots_test.c. */
#ifndef KITH_SESSION_BOOTS_H
#define KITH_SESSION_BOOTS_H

#include "base/base.h"

enum { KITH_BOOTS_KEPT = 4 }; /* programs that were replaced, the last ones */

/* What came back once may have been under way when its program ended; twice within this, it runs.
 */
#define KITH_BOOTS_WINDOW (3600 * KITH_SEC)

struct kith_boots { /* all-zero: nobody was replaced */
    uint64_t replaced[KITH_BOOTS_KEPT];
    uint8_t next;      /* the place that is overwritten next */
    kith_time back_at; /* when one came back last; 0: none has */
};

/* The program `was`, not 0, gives way to `by`. Whether there are two at once: somebody came back
 * now, and somebody did within KITH_BOOTS_WINDOW before. A `by` of 0, which only a peer that makes
 * its hello up has, never comes back. */
bool kith_boots_replace(struct kith_boots *b, uint64_t was, uint64_t by, kith_time now);

#endif
